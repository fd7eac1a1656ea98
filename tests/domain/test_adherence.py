"""Adherence figures are exact, never guess a silent day, and are those of docs/figures.md."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.adherence import (
    AdherenceRule,
    DoseStatus,
    EmptyPeriod,
    adherence,
    adherence_flag,
    adherence_of_last,
    consecutive_missed,
    whole_percent,
)
from tests.domain.letters import LETTERS

FIRST = date(2026, 3, 2)


def days(letters: str) -> dict[date, DoseStatus]:
    """One letter a day from FIRST on; a dot is a day without any entry."""
    return {FIRST + timedelta(days=number): LETTERS[letter] for number, letter in enumerate(letters) if letter != "."}


def last(letters: str) -> date:
    return FIRST + timedelta(days=len(letters) - 1)


def test_the_worked_example_of_the_figures_page() -> None:
    letters = "TTTTTPMMT?THHT"
    figures = adherence(days(letters), FIRST, last(letters))
    assert figures.ordered_days == 12
    assert (figures.taken, figures.partly, figures.not_taken, figures.unknown) == (8, 1, 2, 1)
    assert figures.taken_share == Fraction(17, 24)
    assert whole_percent(figures.taken_share) == 71
    assert figures.known_share == Fraction(17, 22)
    assert whole_percent(figures.known_share) == 77
    assert figures.unknown_share == Fraction(1, 12)
    assert whole_percent(figures.unknown_share) == 8
    assert figures.longest_gap == 2
    assert consecutive_missed(days(letters), last(letters)) == 0
    assert adherence_flag(days(letters), last(letters)) == "yellow"


def test_a_day_whose_question_was_not_delivered_counts_as_unknown_and_ends_a_gap() -> None:
    letters = "TMXMT?"
    figures = adherence(days(letters), FIRST, last(letters))
    assert (figures.ordered_days, figures.unknown, figures.longest_gap) == (6, 2, 1)
    assert consecutive_missed(days("TMX"), last("TMX")) == 0


@pytest.mark.parametrize(
    ("letters", "taken_share", "known_share"),
    [
        pytest.param("TTTT", Fraction(1), Fraction(1), id="all taken"),
        pytest.param("MMMM", Fraction(0), Fraction(0), id="none taken is zero"),
        pytest.param("PPPP", Fraction(1, 2), Fraction(1, 2), id="partly is half"),
        pytest.param("TTHH", Fraction(1), Fraction(1), id="held days leave the denominator"),
        pytest.param("--TM", Fraction(1, 2), Fraction(1, 2), id="so do days without an order"),
        pytest.param("TT??", Fraction(1, 2), Fraction(1), id="unknown days stay in the ordered days"),
        pytest.param("TT..", Fraction(1, 2), Fraction(1), id="a day without an entry is unknown"),
        pytest.param("????", Fraction(0), None, id="nothing known"),
        pytest.param("HH--", None, None, id="nothing ordered has no share"),
    ],
)
def test_a_share_is_doses_taken_among_ordered_days(
    letters: str, taken_share: Fraction | None, known_share: Fraction | None
) -> None:
    figures = adherence(days(letters), FIRST, last(letters))
    assert figures.taken_share == taken_share
    assert figures.known_share == known_share


def test_entries_outside_the_period_do_not_count() -> None:
    letters = "MMTTMM"
    figures = adherence(days(letters), FIRST + timedelta(days=2), FIRST + timedelta(days=3))
    assert (figures.ordered_days, figures.taken_share) == (2, Fraction(1))


def test_a_period_of_one_day_counts_that_day() -> None:
    assert adherence(days("T"), FIRST, FIRST).ordered_days == 1


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(EmptyPeriod):
        adherence({}, FIRST, FIRST - timedelta(days=1))


@pytest.mark.parametrize("number", [14, 28])
def test_the_last_days_include_the_day_they_end_on(number: int) -> None:
    figures = adherence_of_last(days("T" * 40), last("T" * 40), number)
    assert figures.ordered_days == number
    assert figures.last_on == last("T" * 40)


@pytest.mark.parametrize(
    ("letters", "gap"),
    [
        pytest.param("TTTT", 0, id="no gap"),
        pytest.param("MTMMTM", 2, id="the longest, not the last"),
        pytest.param("MPM", 1, id="a partly taken day ends a gap"),
        pytest.param("MM?MM", 2, id="an unknown day ends a gap"),
        pytest.param("MMHHM", 3, id="held days are passed over"),
    ],
)
def test_the_longest_gap_is_days_in_a_row_known_as_not_taken(letters: str, gap: int) -> None:
    assert adherence(days(letters), FIRST, last(letters)).longest_gap == gap


@pytest.mark.parametrize(
    ("letters", "missed"),
    [
        pytest.param("MMTMM", 2, id="counted back from the end"),
        pytest.param("MMMT", 0, id="a taken day ends the run"),
        pytest.param("MM?M", 1, id="an unknown day is no missed day"),
        pytest.param("MMM?", 0, id="the last day is not settled yet"),
        pytest.param("MMM.", 0, id="no entry is not settled either"),
        pytest.param("MHHM", 2, id="held days are passed over"),
        pytest.param("MMHH", 2, id="also at the end"),
        pytest.param("----", 0, id="nothing ordered"),
        pytest.param("MMM", 3, id="back to the very first day"),
    ],
)
def test_missed_days_are_counted_back_from_the_last_settled_day(letters: str, missed: int) -> None:
    assert consecutive_missed(days(letters), last(letters)) == missed


def test_a_subject_without_any_entry_has_missed_nothing() -> None:
    assert consecutive_missed({}, FIRST) == 0
    assert adherence_flag({}, FIRST) == "green"


@pytest.mark.parametrize(
    ("letters", "urgency"),
    [
        pytest.param("T" * 14, "green", id="all taken"),
        pytest.param("T" * 12 + "MM", "green", id="two missed days"),
        pytest.param("T" * 11 + "MMM", "yellow", id="three in a row"),
        pytest.param("T" * 8 + "M" * 6, "yellow", id="six in a row"),
        pytest.param("T" * 7 + "M" * 7, "amber", id="seven in a row"),
        pytest.param("MTTTMTTTMTTTTT", "yellow", id="three of fourteen is 79 percent"),
        pytest.param("MTTTMTTTTTTTTT", "green", id="two of fourteen is 86 percent"),
        pytest.param("MTTTPTTTPTTPTT", "green", id="two and a half of fourteen is 82 percent"),
        pytest.param("MTTTPTTTPTTPTP", "yellow", id="three of fourteen, some of them halves"),
        pytest.param("?" * 14, "green", id="silence is not a missed dose"),
        pytest.param("?M?M??????????", "green", id="unknown days never count as missed"),
        pytest.param("M" + "T" * 14 + "MM", "green", id="a miss fifteen days ago is forgotten"),
        pytest.param("HHHHHHHHHHTTTM", "green", id="one of four ordered days is still one missed day"),
        pytest.param("HHHHHHTMTMTMTT", "yellow", id="three of eight ordered days"),
        pytest.param("MMMHHHHHHHHHMMMM", "amber", id="a hold does not hide the seventh missed day"),
    ],
)
def test_missed_doses_have_an_urgency(letters: str, urgency: str) -> None:
    assert adherence_flag(days(letters), last(letters)) == urgency


def test_exactly_eighty_percent_is_not_below_eighty_percent() -> None:
    fifteen_days = AdherenceRule(rolling_days=15)
    letters = "MTTTTMTTTTMTTTT"
    assert adherence_flag(days(letters), last(letters), fifteen_days) == "green"


@pytest.mark.parametrize(
    ("share", "percent"),
    [
        pytest.param(Fraction(0), 0, id="zero"),
        pytest.param(Fraction(1), 100, id="one"),
        pytest.param(Fraction(1, 8), 13, id="half a percent goes up"),
        pytest.param(Fraction(5, 200), 3, id="also where halves to even would go down"),
        pytest.param(Fraction(124, 1000), 12, id="less than half goes down"),
        pytest.param(Fraction(2, 3), 67, id="two thirds"),
        pytest.param(Fraction(999, 1000), 100, id="nearly all"),
    ],
)
def test_percent_is_rounded_half_up(share: Fraction, percent: int) -> None:
    assert whole_percent(share) == percent


@given(st.text(alphabet="TPM?H-.", min_size=1, max_size=60))
def test_shares_lie_between_zero_and_one_and_counts_add_up(letters: str) -> None:
    figures = adherence(days(letters), FIRST, last(letters))
    for share in (figures.taken_share, figures.known_share, figures.unknown_share):
        assert share is None or 0 <= share <= 1
    assert figures.taken + figures.partly + figures.not_taken + figures.unknown == figures.ordered_days
    assert (figures.taken_share is None) == (figures.ordered_days == 0)
    assert figures.longest_gap <= figures.not_taken
    assert consecutive_missed(days(letters), last(letters)) <= figures.longest_gap


@given(st.text(alphabet="TPM?H", min_size=1, max_size=30))
def test_an_unknown_day_that_turns_out_taken_never_raises_the_urgency(letters: str) -> None:
    rank = ["green", "yellow", "amber"]
    before = adherence_flag(days(letters), last(letters))
    after = adherence_flag(days(letters.replace("?", "T")), last(letters))
    assert rank.index(after) <= rank.index(before)
