"""When is the next digest of a week, which days does it tell of, and what was worst since a visit?"""

from datetime import date

import pytest

from bot.domain.calendar import ClinicCalendar
from bot.domain.course import Cell, Sign, Source, State, Week, worst_since
from bot.domain.staff_lists import covered, last_week, next_digest_on, week_name
from bot.domain.urgency import Urgency


def closed(*days: int, month: int = 11) -> ClinicCalendar:
    return ClinicCalendar(extra_closed=frozenset(date(2026, month, day) for day in days))


@pytest.mark.parametrize(
    ("after", "clinic", "on"),
    [
        pytest.param(date(2026, 11, 2), ClinicCalendar(), date(2026, 11, 9), id="on a Monday: the next one"),
        pytest.param(date(2026, 11, 8), ClinicCalendar(), date(2026, 11, 9), id="on a Sunday: tomorrow"),
        pytest.param(date(2026, 11, 2), closed(9), date(2026, 11, 10), id="a closed Monday: the next open day"),
        pytest.param(date(2026, 11, 2), closed(9, 10, 11, 12, 13), date(2026, 11, 16), id="a closed week has none"),
        pytest.param(
            date(2026, 11, 2),
            ClinicCalendar(weekdays=frozenset({6})),
            date(2026, 11, 14),
            id="open on Saturdays only",
        ),
        pytest.param(
            date(2026, 11, 2), ClinicCalendar(weekdays=frozenset()), date(2026, 11, 9), id="never open: the Monday"
        ),
        pytest.param(date(2026, 12, 30), ClinicCalendar(), date(2027, 1, 4), id="over the end of the year"),
    ],
)
def test_the_next_digest(after: date, clinic: ClinicCalendar, on: date) -> None:
    assert next_digest_on(after, clinic) == on


@pytest.mark.parametrize(
    ("since", "today", "first", "last"),
    [
        pytest.param(date(2026, 11, 2), date(2026, 11, 9), date(2026, 11, 2), date(2026, 11, 8), id="a week"),
        pytest.param(date(2026, 11, 2), date(2026, 11, 12), date(2026, 11, 2), date(2026, 11, 8), id="on a Thursday"),
        pytest.param(date(2026, 11, 2), date(2026, 11, 25), date(2026, 11, 2), date(2026, 11, 22), id="three weeks"),
        pytest.param(
            date(2026, 11, 4), date(2026, 11, 9), date(2026, 11, 2), date(2026, 11, 8), id="whole weeks only"
        ),
        pytest.param(date(2026, 11, 9), date(2026, 11, 9), date(2026, 11, 2), date(2026, 11, 8), id="never no week"),
    ],
)
def test_a_digest_tells_of_the_whole_weeks_that_none_told_of(
    since: date, today: date, first: date, last: date
) -> None:
    assert covered(since, today) == (first, last)


def test_on_a_monday_whoever_asks_reads_of_the_same_days() -> None:
    assert last_week(date(2026, 11, 9)) == covered(date(2026, 11, 2), date(2026, 11, 9))


@pytest.mark.parametrize(
    ("day", "name"),
    [
        pytest.param(date(2026, 11, 9), "2026-W46", id="in a year"),
        pytest.param(date(2027, 1, 1), "2026-W53", id="the first of January may be in the old year's week"),
        pytest.param(date(2024, 12, 30), "2025-W01", id="the end of December in the new year's week"),
    ],
)
def test_a_week_has_one_name(day: date, name: str) -> None:
    assert week_name(day) == name


# The worst since a day

VISIT = date(2026, 11, 4)


def sign(day: int, row: str, urgency: Urgency | None = None, score: int | None = None) -> Sign:
    return Sign(date(2026, 11, day), row, Source.REPORT, "patient:1", urgency=urgency, score=score)


def week(*signs: Sign) -> Week:
    rows = sorted({each.row for each in signs})
    cells = {row: Cell(State.REPORTED, signs=tuple(each for each in signs if each.row == row)) for row in rows}
    return Week(1, date(2026, 11, 2), cells, State.REPORTED, State.NOT_ASKED)


@pytest.mark.parametrize(
    ("signs", "found"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([sign(3, "fever", Urgency.RED_COME)], [], id="the day before the visit is not since"),
        pytest.param([sign(4, "fever", Urgency.AMBER)], [("fever", 4)], id="what came on the visit's day counts"),
        pytest.param(
            [sign(5, "skin", Urgency.YELLOW), sign(4, "fever", Urgency.AMBER)],
            [("fever", 4), ("skin", 5)],
            id="the most urgent first",
        ),
        pytest.param(
            [sign(5, "fever", Urgency.AMBER), sign(7, "fever", Urgency.AMBER), sign(8, "fever", Urgency.GREEN)],
            [("fever", 7)],
            id="the last day on which it was so bad",
        ),
        pytest.param([sign(6, "skin", score=0)], [], id="a score of 0 is no symptom"),
        pytest.param(
            [sign(6, "skin", score=3), sign(5, "fever", Urgency.GREEN)],
            [("fever", 5), ("skin", 6)],
            id="a score alone is never more urgent than a report",
        ),
    ],
)
def test_the_worst_since_a_visit(signs: list[Sign], found: list[tuple[str, int]]) -> None:
    assert [(each.row, each.on.day) for each in worst_since([week(*signs)], VISIT)] == found
