"""How often tablets are asked about follows rules that unknown days, pauses and orders do not fool."""

from datetime import date, timedelta

import pytest

from bot.domain.adherence import DoseStatus
from bot.domain.rhythm import (
    Fading,
    Rhythm,
    RhythmRule,
    UnusableRhythmRule,
    answered_in_row,
    ends,
    fades,
    good_days,
    lowered,
    next_on,
    week_of,
)
from tests.domain.test_adherence import days, last

FADING = Fading(unanswered=5, of=7, times=2)
RULE = RhythmRule(14, FADING, 2, (DoseStatus.NOT_TAKEN, DoseStatus.PARTLY), ("SIDE_EFFECT",))
MONDAY = date(2026, 11, 2)


def questions(signs: str) -> list[bool]:
    """One sign a question, the newest last: a for answered, - for not; a blank divides."""
    return [sign == "a" for sign in signs.replace(" ", "")]


@pytest.mark.parametrize(
    ("letters", "good"),
    [
        pytest.param("TTT", 3, id="all taken"),
        pytest.param("MTT", 2, id="since the last miss"),
        pytest.param("TPT", 1, id="partly is not all"),
        pytest.param("TT?", 0, id="an unknown day ends it"),
        pytest.param("TX T".replace(" ", ""), 1, id="a day that was not asked about ends it too"),
        pytest.param("THHT", 2, id="a pause is passed over and does not count"),
        pytest.param("--TT", 2, id="nothing was ordered before"),
        pytest.param("HHH", 0, id="a pause alone is no streak"),
        pytest.param("", 0, id="nothing known"),
    ],
)
def test_a_streak_is_of_days_on_which_all_was_taken(letters: str, good: int) -> None:
    assert good_days(days(letters), last(letters) if letters else MONDAY) == good


@pytest.mark.parametrize(
    ("signs", "faded"),
    [
        pytest.param("----- aa ----- aa", True, id="5 of 7, twice"),
        pytest.param("----- -- ----- --", True, id="all of them"),
        pytest.param("----- aa ---- aaa", False, id="4 of the last 7"),
        pytest.param("---- aaa ----- aa", False, id="4 of the 7 before"),
        pytest.param("----- -- ----- -", False, id="13 questions say nothing yet"),
        pytest.param("aaaaaaa ----- aa ----- aa", True, id="only the last 14 count"),
        pytest.param("", False, id="never asked"),
    ],
)
def test_answers_fade_by_two_weeks_in_a_row(signs: str, faded: bool) -> None:
    assert fades(questions(signs), FADING) is faded


@pytest.mark.parametrize(
    ("rhythm", "last_on", "first_on", "coming"),
    [
        pytest.param(Rhythm.DAILY, MONDAY, MONDAY, MONDAY + timedelta(days=1), id="the next day"),
        pytest.param(Rhythm.SECOND_DAY, MONDAY, MONDAY, MONDAY + timedelta(days=2), id="the day after the next"),
        pytest.param(Rhythm.WEEKLY, MONDAY, MONDAY, MONDAY + timedelta(days=7), id="the same weekday"),
        pytest.param(
            Rhythm.WEEKLY, MONDAY, MONDAY + timedelta(days=9), MONDAY + timedelta(days=9), id="a week was lost"
        ),
        pytest.param(Rhythm.WEEKLY, None, MONDAY, MONDAY, id="never asked"),
    ],
)
def test_the_next_question_keeps_to_the_rhythm(
    rhythm: Rhythm, last_on: date | None, first_on: date, coming: date
) -> None:
    assert next_on(rhythm, last_on, first_on) == coming


def test_weeks_meet_without_a_gap() -> None:
    first, second = week_of(MONDAY), week_of(MONDAY + timedelta(days=7))
    assert len(first) == 7
    assert first[-1] == MONDAY
    assert second[0] == MONDAY + timedelta(days=1)


def test_a_rhythm_is_lowered_step_by_step() -> None:
    assert [lowered(each) for each in Rhythm] == [Rhythm.SECOND_DAY, Rhythm.WEEKLY, None]


@pytest.mark.parametrize(
    ("status", "reasons", "over"),
    [
        (DoseStatus.TAKEN, [], False),
        (DoseStatus.NOT_TAKEN, ["FORGOT"], True),
        (DoseStatus.PARTLY, [], True),
        (DoseStatus.TAKEN, ["SIDE_EFFECT"], True),
    ],
)
def test_what_brings_the_daily_question_back(status: DoseStatus, reasons: list[str], over: bool) -> None:
    assert ends(status, reasons, RULE) is over


@pytest.mark.parametrize(("signs", "number"), [("aa", 2), ("a-aa", 2), ("aa-", 0), ("", 0)])
def test_answers_in_a_row_are_the_newest(signs: str, number: int) -> None:
    assert answered_in_row(questions(signs)) == number


@pytest.mark.parametrize("numbers", [(0, 7, 2), (8, 7, 2), (5, 7, 0)])
def test_a_rule_that_can_never_apply_is_refused(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(UnusableRhythmRule):
        Fading(*numbers)


@pytest.mark.parametrize(("offer", "restored"), [(0, 2), (14, 0)])
def test_a_rhythm_without_days_is_refused(offer: int, restored: int) -> None:
    with pytest.raises(UnusableRhythmRule):
        RhythmRule(offer, FADING, restored, (), ())
