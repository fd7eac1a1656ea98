"""Tablets counted against tablets ordered and reported: what is certain is said, and nothing else."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from bot.domain.adherence import DoseStatus
from bot.domain.tablet_counts import (
    CannotSay,
    Count,
    Counted,
    CountKind,
    CountRule,
    OrderedDay,
    Unsaid,
    anchors,
    dispensed_in_year,
    gap,
    most_there,
)
from tests.domain.letters import LETTERS

RULE = CountRule(
    ask_every_days=28,
    again_after_days=1,
    most_later=2,
    useful_days=2,
    photo_hours=6,
    at_least_days=7,
    gap_points=20,
    most_a_year=7300,
)
DAY_1 = date(2026, 11, 2)
OUT, BACK, HOME = CountKind.DISPENSED, CountKind.RETURNED, CountKind.AT_HOME


def on(day: int) -> date:
    """Return the date of day 1, 2, ..."""
    return DAY_1 + timedelta(days=day - 1)


def fractions(*numbers: int) -> list[Fraction]:
    return [Fraction(number) for number in numbers]


def counted(*given: tuple[CountKind, int, str]) -> list[Count]:
    return [Count(kind, on(day), Decimal(tablets)) for kind, day, tablets in given]


def ordered(letters: str, units: str = "2") -> dict[date, OrderedDay]:
    """Return days with so many units a day; on paused and not ordered days there are none."""
    return {
        on(number): OrderedDay(Decimal(0 if letter in "H-" else units), LETTERS[letter])
        for number, letter in enumerate(letters, start=1)
    }


def compare(counts: Sequence[Count], letters: str, units: str = "2", last: int = 28) -> Counted | CannotSay:
    return gap(counts, ordered(letters, units), on(1), on(last), RULE)


def test_the_worked_example_of_the_figures_page() -> None:
    """60 given out on day 1, 22 brought back on day 29: docs/figures.md, "Tablets counted"."""
    found = compare(counted((OUT, 1, "60"), (BACK, 29, "22")), "T" * 22 + "P" + "M" + "??" + "HH")
    assert isinstance(found, Counted)
    assert (found.first_on, found.last_on) == (on(1), on(28))
    assert [found.consumed, found.expected, found.reported, found.unknown] == fractions(38, 52, 45, 4)
    assert found.counted_share == Fraction(38, 52)
    assert found.reported_share == Fraction(45, 52)
    assert (found.gap, found.points) == (Fraction(7, 52), 13)
    assert not found.stands_out(RULE)


@pytest.mark.parametrize(
    ("letters", "left", "points", "more"),
    [
        pytest.param("T" * 28, "4", 0, False, id="all reported, all gone"),
        pytest.param("T" * 28, "32", 50, False, id="all reported, half gone"),
        pytest.param("T" * 28, "0", -7, True, id="more gone than ordered is shown as such"),
        pytest.param("T" * 14 + "?" * 14, "32", 0, False, id="as many gone as reported: unknown days not taken"),
        pytest.param("T" * 14 + "X" * 14, "4", 0, False, id="all gone: unknown days may all have been taken"),
        pytest.param("T" * 14 + "?" * 14, "46", 25, False, id="fewer gone than were reported"),
        pytest.param("T" * 14 + "M" * 14, "4", -50, False, id="more gone than reported, all days known"),
        pytest.param("T" * 14 + "H" * 14, "4", -100, True, id="tablets gone in a pause are more than ordered"),
        pytest.param("P" * 28, "32", 0, False, id="partly is half"),
    ],
)
def test_the_gap_is_what_unknown_days_cannot_explain(letters: str, left: str, points: int, more: bool) -> None:
    found = compare(counted((OUT, 1, "60"), (BACK, 29, left)), letters)
    assert isinstance(found, Counted)
    assert (found.points, found.more_than_ordered) == (points, more)


@pytest.mark.parametrize(
    ("left", "stands_out"),
    [
        pytest.param("20.0", False, id="20 points are not above 20"),
        pytest.param("20.25", True, id="a quarter tablet more is"),
    ],
)
def test_a_gap_above_the_threshold_stands_out(left: str, stands_out: bool) -> None:
    found = compare(counted((OUT, 1, "60"), (BACK, 26, left)), "T" * 25, last=25)
    assert isinstance(found, Counted)
    assert found.expected == 50
    assert found.stands_out(RULE) is stands_out


@pytest.mark.parametrize(
    ("given", "why", "day"),
    [
        pytest.param((), Unsaid.NOT_COUNTED, None, id="nothing counted"),
        pytest.param(((OUT, 1, "60"),), Unsaid.ONE_COUNT, None, id="only given out"),
        pytest.param(((OUT, 1, "60"), (OUT, 15, "60")), Unsaid.ONE_COUNT, None, id="given out twice"),
        pytest.param(((BACK, 20, "4"),), Unsaid.ONE_COUNT, None, id="brought back, and nobody knows of how many"),
        pytest.param(((OUT, 1, "60"), (HOME, 7, "48")), Unsaid.TOO_SHORT, None, id="six days"),
        pytest.param(((OUT, 1, "60"), (HOME, 15, "61")), Unsaid.MORE_LEFT, 15, id="more left than there were"),
        pytest.param(
            ((OUT, 1, "60"), (HOME, 10, "70"), (BACK, 20, "30")), Unsaid.MORE_LEFT, 10, id="a wrong one between"
        ),
        pytest.param(((OUT, 1, "60"), (HOME, 15, "60"), (OUT, 15, "60")), Unsaid.ONE_COUNT, None, id="on one day"),
        pytest.param(((OUT, 1, "60"), (HOME, 60, "10")), Unsaid.ONE_COUNT, None, id="counted after the period"),
    ],
)
def test_without_two_counts_that_fit_nothing_is_said(
    given: tuple[tuple[CountKind, int, str], ...], why: Unsaid, day: int | None
) -> None:
    assert compare(counted(*given), "T" * 28) == CannotSay(why, on(day) if day else None)


def test_with_nothing_ordered_and_nothing_gone_nothing_is_said() -> None:
    assert compare(counted((OUT, 1, "60"), (BACK, 29, "60")), "-" * 28) == CannotSay(Unsaid.NOT_ORDERED)


def test_tablets_gone_with_nothing_ordered_are_more_than_ordered_and_no_share() -> None:
    found = compare(counted((OUT, 1, "60"), (BACK, 29, "50")), "H" * 28)
    assert isinstance(found, Counted)
    assert [found.consumed, found.expected] == fractions(10, 0)
    assert (found.counted_share, found.points) == (None, None)
    assert found.stands_out(RULE)


def test_several_intervals_are_added_up_and_what_came_back_is_not_taken_twice() -> None:
    # 60 out; 32 left on day 15, 60 more; 10 brought back on day 29, and 60 for the next time.
    given = counted((OUT, 1, "60"), (HOME, 15, "32"), (OUT, 16, "60"), (BACK, 29, "64"), (OUT, 29, "60"))
    found = compare(given, "T" * 28)
    assert isinstance(found, Counted)
    assert [found.consumed, found.expected] == fractions(56, 56)
    assert found.points == 0


def test_an_order_that_changes_is_expected_day_by_day() -> None:
    days = {
        **ordered("T" * 28, "2"),
        **{on(day): OrderedDay(Decimal("1.5"), DoseStatus.TAKEN) for day in range(15, 29)},
    }
    found = gap(counted((OUT, 1, "60"), (BACK, 29, "11")), days, on(1), on(28), RULE)
    assert isinstance(found, Counted)
    assert [found.consumed, found.expected] == fractions(49, 49)
    assert found.points == 0


def test_a_period_with_one_count_begins_at_the_count_before_it() -> None:
    given = counted((OUT, 1, "90"), (HOME, 15, "62"), (HOME, 29, "34"), (HOME, 36, "20"))
    found = gap(given, ordered("T" * 35), on(30), on(40), RULE)
    assert isinstance(found, Counted)
    assert (found.first_on, found.last_on, found.consumed) == (on(29), on(35), Fraction(14))


def test_what_is_certain_on_which_day() -> None:
    given = counted(
        (OUT, 1, "60"), (OUT, 8, "30"), (HOME, 10, "70"), (HOME, 10, "72"), (BACK, 20, "3"), (BACK, 20, "4")
    )
    assert [(each.on, each.left, each.had) for each in anchors(given)] == [
        (on(1), Decimal(0), Decimal(60)),
        (on(10), Decimal(72), Decimal(72)),
        (on(20), Decimal(7), Decimal(0)),
    ]


@pytest.mark.parametrize(
    ("given", "day", "most"),
    [
        pytest.param((), 5, 0, id="nothing known"),
        pytest.param(((OUT, 1, "60"),), 29, 60, id="what was given out"),
        pytest.param(((OUT, 1, "60"), (OUT, 8, "30")), 29, 90, id="twice"),
        pytest.param(((OUT, 1, "60"), (HOME, 8, "40"), (OUT, 9, "30")), 29, 70, id="since the last count"),
        pytest.param(((OUT, 1, "60"), (BACK, 29, "4"), (OUT, 29, "30")), 57, 30, id="all of it came back"),
    ],
)
def test_how_many_there_can_be_at_most(given: tuple[tuple[CountKind, int, str], ...], day: int, most: int) -> None:
    assert most_there(counted(*given), on(day)) == most


def test_what_was_given_out_in_a_year_leaves_the_year_before_out() -> None:
    given = [Count(OUT, date(2025, 11, 2), Decimal(100)), Count(OUT, date(2025, 11, 3), Decimal(50))]
    assert dispensed_in_year([*given, *counted((BACK, 1, "9"))], date(2026, 11, 2)) == 50
