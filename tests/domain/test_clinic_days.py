"""Planned visits fall on clinic days by the rule of each kind, or are left to staff with a reason and proposals."""

from collections.abc import Iterable
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.calendar import ClinicCalendar
from bot.domain.visits import (
    EvaluationRule,
    NoDay,
    PlannedVisit,
    VisitKind,
    VisitRule,
    VisitStatus,
    evaluation,
    first_injection,
    next_cbc,
    next_ferritin,
    next_injection,
    on_clinic_day,
    overdue_on,
)
from tests.domain.test_visits import CBC, INJECTION

DAY = date(2026, 3, 2)  # a Monday
EVERY_DAY = frozenset(range(1, 8))
FERRITIN = VisitRule(
    kind=VisitKind.FERRITIN,
    arms=("TG1", "TG2"),
    late_days=7,
    very_late_days=14,
    shortest_days=21,
    longest_days=84,
    initial_days=28,
    near_cbc_days=6,
)
RESPONSE = EvaluationRule(from_day=63, after_injections=3, after_last_days=21)


def plus(days: int) -> date:
    return DAY + timedelta(days=days)


def closed_on(days: Iterable[int]) -> ClinicCalendar:
    """Return a clinic that is open every day but these."""
    return ClinicCalendar(weekdays=EVERY_DAY, extra_closed=frozenset(plus(day) for day in days))


@pytest.mark.parametrize(
    ("interval", "closed", "target", "proposed"),
    [
        pytest.param(21, [], 21, [], id="an open day stays"),
        pytest.param(21, [21], 22, [], id="a closed day moves later, never before day 21"),
        pytest.param(28, [27, 28, 29], 30, [], id="later even where an earlier day is nearer"),
        pytest.param(28, range(28, 36), 28, [27, 36], id="past day 35 staff are asked, with the last day before"),
        pytest.param(21, range(21, 36), 21, [36], id="no day is proposed before day 21"),
        pytest.param(35, [35], 35, [34, 36], id="nothing is left on the last day"),
    ],
)
def test_an_injection_waits_for_the_next_clinic_day(
    interval: int, closed: Iterable[int], target: int, proposed: list[int]
) -> None:
    visit = on_clinic_day(next_injection(DAY, interval, INJECTION), closed_on(closed), plus(1))
    assert visit.target_on == plus(target)
    assert visit.because is (NoDay.NO_OPEN_DAY if proposed else None)
    assert list(visit.proposed) == [plus(day) for day in proposed]


def test_a_first_injection_on_a_closed_day_is_left_to_staff() -> None:
    visit = on_clinic_day(first_injection(plus(5)), closed_on([5, 6]), DAY)
    assert (visit.target_on, visit.undecided, visit.proposed) == (plus(5), True, (plus(7),))


@pytest.mark.parametrize(
    ("last", "interval", "injection", "closed", "target"),
    [
        pytest.param(0, 14, None, [14], 13, id="of two days as near the earlier one"),
        pytest.param(0, 14, None, [13, 14], 15, id="the nearer one, here the later"),
        pytest.param(0, 7, None, [7, 8], 9, id="never sooner than the seventh day"),
        pytest.param(0, 21, None, [21], 20, id="never later than the twenty-first"),
        pytest.param(10, 14, 21, [20], 19, id="before an injection inside its three days"),
        pytest.param(10, 14, 21, [18, 19, 20], 21, id="on the injection day when nothing else is left"),
        pytest.param(0, 17, 22, range(14, 22), 22, id="what comes before an injection does not slip past it"),
    ],
)
def test_a_count_takes_the_nearest_clinic_day_of_its_window(
    last: int, interval: int, injection: int | None, closed: Iterable[int], target: int
) -> None:
    on = None if injection is None else plus(injection)
    visit = on_clinic_day(next_cbc(plus(last), interval, CBC, on, DAY), closed_on(closed), DAY, on)
    if target > 21 + last:
        assert (visit.undecided, visit.proposed) == (True, (plus(13), plus(target)))
    else:
        assert (visit.target_on, visit.undecided) == (plus(target), False)


def test_a_count_is_not_moved_into_the_past() -> None:
    visit = PlannedVisit(VisitKind.CBC, plus(14), plus(7), plus(21))
    assert on_clinic_day(visit, closed_on([14]), plus(14)).target_on == plus(15)


@pytest.mark.parametrize(
    ("last", "cbc", "target"),
    [
        pytest.param(0, None, 28, id="four weeks after the last"),
        pytest.param(None, None, 28, id="four weeks after enrolment when there is none yet"),
        pytest.param(0, 25, 25, id="on the day of a count before it"),
        pytest.param(0, 34, 34, id="on the day of a count after it, six days at most"),
        pytest.param(0, 21, 28, id="a count seven days before is too far"),
        pytest.param(0, 35, 28, id="so is one seven days after"),
    ],
)
def test_ferritin_goes_with_a_count_that_is_near(last: int | None, cbc: int | None, target: int) -> None:
    visit = next_ferritin(None if last is None else plus(last), 28, FERRITIN, None if cbc is None else plus(cbc), DAY)
    assert visit == PlannedVisit(VisitKind.FERRITIN, plus(target), plus(22), plus(34))


@pytest.mark.parametrize(
    ("injections", "coming", "planned"),
    [
        pytest.param([0, 21], 42, None, id="two injections are too few"),
        pytest.param([0, 21, 42], 63, (63, 63), id="every three weeks: day 63, on the day of the fourth"),
        pytest.param([0, 21, 42], 70, (63, 70), id="the window ends with the fourth"),
        pytest.param([0, 35, 70], 105, (91, 105), id="every five weeks: three weeks after the third"),
        pytest.param([0, 20, 40], 63, (63, 63), id="an early third does not come before day 63"),
        pytest.param([0, 21, 42], None, (63, 63), id="without a fourth planned"),
        pytest.param([0, 21, 42, 63], 84, (63, 84), id="still due after the fourth"),
    ],
)
def test_the_response_is_evaluated_after_three_injections_and_nine_weeks(
    injections: list[int], coming: int | None, planned: tuple[int, int] | None
) -> None:
    visit = evaluation([plus(day) for day in injections], RESPONSE, None if coming is None else plus(coming))
    if planned is None:
        assert visit is None
        return
    target, last = planned
    assert visit == PlannedVisit(VisitKind.EVALUATION, plus(target), plus(target), plus(last))


def test_a_visit_becomes_overdue_on_a_clinic_day() -> None:
    clinic = ClinicCalendar()
    assert overdue_on(INJECTION, plus(0), VisitStatus.LATE, clinic) == plus(3)
    assert overdue_on(INJECTION, plus(2), VisitStatus.LATE, clinic) == plus(7), "Saturday is told on Monday"
    assert overdue_on(INJECTION, plus(0), VisitStatus.VERY_LATE, clinic) == plus(7)


@given(
    injection_interval=st.integers(21, 35),
    cbc_interval=st.integers(7, 21),
    closed=st.sets(st.integers(0, 160), max_size=90),
    weekdays=st.sets(st.integers(1, 7), min_size=1),
    late_by=st.lists(st.integers(0, 3), min_size=1, max_size=3),
)
def test_whatever_the_calendar_is_plans_keep_the_rules_or_are_left_to_staff(
    injection_interval: int, cbc_interval: int, closed: set[int], weekdays: set[int], late_by: list[int]
) -> None:
    """Follow the plan of injections given up to three days late, with all counts on their target."""
    clinic = ClinicCalendar(weekdays=frozenset(weekdays), extra_closed=frozenset(plus(day) for day in closed))
    given_on, count = DAY, DAY
    for delay in late_by:
        injection = on_clinic_day(next_injection(given_on, injection_interval, INJECTION), clinic, given_on)
        for day in (injection.target_on, *injection.proposed):
            assert day >= given_on + timedelta(days=21)
        if injection.undecided:
            assert clinic.open_days(injection.target_on, injection.last_on) == []
            return
        assert clinic.is_open(injection.target_on)
        assert injection.first_on <= injection.target_on <= injection.last_on
        covered = False
        while not covered:
            on = injection.target_on
            visit = on_clinic_day(next_cbc(count, cbc_interval, CBC, on, DAY), clinic, count, on)
            if visit.undecided:
                return
            assert clinic.is_open(visit.target_on)
            assert visit.first_on <= visit.target_on <= visit.last_on
            assert count < visit.target_on <= on, "the count before the dose comes before it"
            count = visit.target_on
            covered = (on - count).days <= 3
        given_on = injection.target_on + timedelta(days=delay)
        if count > given_on:
            return
