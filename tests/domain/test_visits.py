"""Visits are planned from what really happened, inside the windows of the registry text."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.visits import (
    Deviation,
    InFuture,
    IntervalNotAllowed,
    NotInThisArm,
    PlannedVisit,
    TooEarly,
    TooNear,
    VisitKind,
    VisitRule,
    VisitStatus,
    check_held,
    check_spacing,
    deviations_of,
    first_injection,
    has_visits,
    in_window,
    interval_allowed,
    next_cbc,
    next_injection,
    visit_status,
)

INJECTION = VisitRule(
    kind=VisitKind.INJECTION,
    arms=("TG1", "TG2"),
    shortest_days=21,
    longest_days=35,
    initial_days=21,
    late_days=3,
    very_late_days=7,
)
CBC = VisitRule(
    kind=VisitKind.CBC,
    arms=("CTRL", "TG1", "TG2"),
    shortest_days=7,
    longest_days=21,
    initial_days=7,
    late_days=3,
    very_late_days=7,
    before_injection_days=3,
)
DAY = date(2026, 3, 2)


def plus(days: int) -> date:
    return DAY + timedelta(days=days)


def test_the_first_injection_is_on_the_day_that_staff_chose() -> None:
    assert first_injection(DAY) == PlannedVisit(VisitKind.INJECTION, DAY, DAY, DAY)


@pytest.mark.parametrize(
    ("last_on", "interval", "target", "first", "last"),
    [
        pytest.param(date(2026, 3, 2), 21, date(2026, 3, 23), date(2026, 3, 23), date(2026, 4, 6), id="three weeks"),
        pytest.param(date(2026, 3, 2), 28, date(2026, 3, 30), date(2026, 3, 23), date(2026, 4, 6), id="four weeks"),
        pytest.param(date(2026, 3, 2), 35, date(2026, 4, 6), date(2026, 3, 23), date(2026, 4, 6), id="five weeks"),
        pytest.param(
            date(2028, 2, 10), 21, date(2028, 3, 2), date(2028, 3, 2), date(2028, 3, 16), id="over a leap day"
        ),
        pytest.param(
            date(2027, 1, 15), 21, date(2027, 2, 5), date(2027, 2, 5), date(2027, 2, 19), id="New Year's Eve"
        ),
    ],
)
def test_the_next_injection_counts_from_the_last_real_one(
    last_on: date, interval: int, target: date, first: date, last: date
) -> None:
    assert next_injection(last_on, interval, INJECTION) == PlannedVisit(VisitKind.INJECTION, target, first, last)


def test_a_missed_injection_is_planned_again_inside_what_is_left_of_the_window() -> None:
    again = next_injection(DAY, 21, INJECTION, not_before=plus(26))
    assert again == PlannedVisit(VisitKind.INJECTION, plus(26), plus(21), plus(35))


def test_an_injection_past_the_longest_interval_has_a_window_of_one_day() -> None:
    again = next_injection(DAY, 21, INJECTION, not_before=plus(40))
    assert again == PlannedVisit(VisitKind.INJECTION, plus(40), plus(40), plus(40))


@given(
    last_on=st.dates(date(2025, 1, 1), date(2029, 12, 31)),
    interval=st.integers(21, 35),
    put_off=st.none() | st.integers(-60, 120),
)
def test_no_injection_is_ever_planned_before_day_21(last_on: date, interval: int, put_off: int | None) -> None:
    not_before = None if put_off is None else last_on + timedelta(days=put_off)
    visit = next_injection(last_on, interval, INJECTION, not_before)
    assert visit.first_on >= last_on + timedelta(days=21)
    assert in_window(visit, visit.target_on)


@pytest.mark.parametrize(
    ("days", "rule", "allowed"),
    [
        pytest.param(20, INJECTION, False, id="20 days is too short for an injection"),
        pytest.param(21, INJECTION, True, id="21 is the shortest"),
        pytest.param(35, INJECTION, True, id="35 is the longest"),
        pytest.param(36, INJECTION, False, id="36 is too long"),
        pytest.param(6, CBC, False, id="6 days is too short for a count"),
        pytest.param(7, CBC, True, id="7 is the shortest for a count"),
        pytest.param(21, CBC, True, id="21 is the longest for a count"),
        pytest.param(22, CBC, False, id="22 is too long for a count"),
    ],
)
def test_an_interval_is_allowed_with_both_ends(days: int, rule: VisitRule, allowed: bool) -> None:
    assert interval_allowed(days, rule) is allowed


def test_no_visit_is_planned_with_an_interval_that_is_not_allowed() -> None:
    with pytest.raises(IntervalNotAllowed) as refused:
        next_injection(DAY, 20, INJECTION)
    assert (refused.value.days, refused.value.shortest_days, refused.value.longest_days) == (20, 21, 35)
    with pytest.raises(IntervalNotAllowed):
        next_cbc(DAY, 22, CBC, None, DAY)


@pytest.mark.parametrize(
    ("last", "interval", "injection", "target", "first", "end"),
    [
        pytest.param(0, 7, None, 7, 7, 21, id="a control has only the routine count"),
        pytest.param(None, 7, None, 7, 0, 21, id="without a count yet the enrolment day is the anchor"),
        pytest.param(0, 7, 21, 7, 7, 21, id="far from the injection the routine count comes first"),
        pytest.param(14, 7, 21, 21, 21, 21, id="one date serves both when they meet"),
        pytest.param(8, 10, 21, 18, 18, 21, id="on the first of the days before the injection it is kept"),
        pytest.param(7, 10, 21, 18, 18, 21, id="a day before them it is put off by a day"),
        pytest.param(5, 10, 21, 18, 18, 21, id="three days before them it is put off by three"),
        pytest.param(4, 10, 21, 14, 11, 25, id="four days before them it stays, the injection's own follows"),
        pytest.param(0, 21, 27, 21, 7, 21, id="it is not put off beyond three weeks"),
        pytest.param(0, 21, 22, 21, 19, 21, id="the window ends with the three weeks"),
        pytest.param(10, 14, 21, 20, 18, 21, id="a routine count after the injection yields to day -1"),
        pytest.param(14, 21, 21, 21, 21, 21, id="day -1 would be the sixth day, so the injection day itself"),
        pytest.param(16, 21, 21, 21, 21, 21, id="safety before the dose outweighs the shortest interval"),
        pytest.param(18, 7, 21, 25, 25, 39, id="a count three days before already serves the injection"),
        pytest.param(17, 7, 21, 21, 21, 21, id="a count four days before does not"),
        pytest.param(21, 7, 21, 28, 28, 42, id="a count on the injection day already serves it"),
        pytest.param(23, 7, 21, 30, 30, 44, id="so does one after a delayed injection's target"),
        pytest.param(None, 7, 0, 0, 0, 0, id="injection on the enrolment day: the count on that day"),
        pytest.param(None, 7, 1, 0, 0, 1, id="injection the day after: the count on the enrolment day"),
        pytest.param(None, 7, 5, 4, 2, 5, id="first injection soon: its count comes before the routine one"),
    ],
)
def test_the_next_count_is_routine_or_the_one_before_the_injection(
    last: int | None, interval: int, injection: int | None, target: int, first: int, end: int
) -> None:
    visit = next_cbc(
        None if last is None else plus(last),
        interval,
        CBC,
        None if injection is None else plus(injection),
        start=DAY,
    )
    assert visit == PlannedVisit(VisitKind.CBC, plus(target), plus(first), plus(end))


@pytest.mark.parametrize(
    ("last", "injection", "not_before", "target"),
    [
        pytest.param(0, None, 16, 16, id="a missed routine count is planned from that day on"),
        pytest.param(0, None, 30, 30, id="even past three weeks"),
        pytest.param(7, 21, 23, 23, id="before a delayed injection it is planned at once"),
        pytest.param(10, 21, 20, 20, id="inside the days before the injection"),
    ],
)
def test_a_missed_count_is_planned_again(last: int, injection: int | None, not_before: int, target: int) -> None:
    visit = next_cbc(
        plus(last), 14, CBC, None if injection is None else plus(injection), DAY, not_before=plus(not_before)
    )
    assert visit.target_on == plus(target)
    assert in_window(visit, visit.target_on)


@given(
    interval=st.integers(7, 21),
    injection_interval=st.integers(21, 35),
    late_by=st.lists(st.integers(0, 2), min_size=1, max_size=6),
)
def test_every_injection_has_a_count_in_the_three_days_before_and_no_gap_exceeds_three_weeks(
    interval: int, injection_interval: int, late_by: list[int]
) -> None:
    """Follow the plan for some injections, each given up to two days late, all counts on target."""
    count = DAY
    injection = DAY
    for delay in late_by:
        target = next_injection(injection, injection_interval, INJECTION).target_on
        counts = [count]
        while (visit := next_cbc(counts[-1], interval, CBC, target, DAY)).target_on <= target:
            assert in_window(visit, visit.target_on)
            assert 0 < (visit.target_on - counts[-1]).days <= 21
            counts.append(visit.target_on)
        assert any(0 <= (target - held).days <= 3 for held in counts)
        count, injection = counts[-1], target + timedelta(days=delay)


@given(
    last=st.none() | st.integers(-5, 60),
    interval=st.integers(7, 21),
    injection=st.none() | st.integers(-10, 60),
    not_before=st.none() | st.integers(0, 80),
)
def test_a_count_always_has_its_target_inside_its_window(
    last: int | None, interval: int, injection: int | None, not_before: int | None
) -> None:
    visit = next_cbc(
        None if last is None else plus(last),
        interval,
        CBC,
        None if injection is None else plus(injection),
        DAY,
        None if not_before is None else plus(not_before),
    )
    assert visit.first_on <= visit.target_on <= visit.last_on
    if not_before is not None:
        assert visit.target_on >= plus(not_before)


@pytest.mark.parametrize(
    ("today", "status"),
    [
        pytest.param(-1, VisitStatus.PLANNED, id="the day before"),
        pytest.param(0, VisitStatus.DUE, id="the target day"),
        pytest.param(2, VisitStatus.DUE, id="two days after"),
        pytest.param(3, VisitStatus.LATE, id="three days after is yellow"),
        pytest.param(6, VisitStatus.LATE, id="six days after"),
        pytest.param(7, VisitStatus.VERY_LATE, id="seven days after is amber"),
        pytest.param(400, VisitStatus.VERY_LATE, id="time alone never makes a visit missed"),
    ],
)
def test_a_visit_becomes_due_then_late_then_very_late(today: int, status: VisitStatus) -> None:
    visit = next_injection(plus(-21), 21, INJECTION)
    assert visit_status(visit, INJECTION, plus(today)) is status


def test_a_visit_is_done_or_missed_only_because_somebody_said_so() -> None:
    visit = next_injection(plus(-21), 21, INJECTION)
    assert visit_status(visit, INJECTION, plus(30), done_on=plus(1)) is VisitStatus.DONE
    assert visit_status(visit, INJECTION, plus(30), missed=True) is VisitStatus.MISSED


def test_an_injection_on_day_20_is_refused_and_on_day_21_recorded() -> None:
    with pytest.raises(TooEarly) as refused:
        check_held(INJECTION, "TG1", on=plus(20), today=plus(20), last_on=DAY)
    assert refused.value.earliest_on == plus(21)
    check_held(INJECTION, "TG1", on=plus(21), today=plus(21), last_on=DAY)


def test_an_extra_blood_count_is_never_too_early() -> None:
    check_held(CBC, "CTRL", on=plus(1), today=plus(1), last_on=DAY)


def test_a_control_has_counts_but_no_injections() -> None:
    assert has_visits(CBC, "CTRL")
    assert not has_visits(INJECTION, "CTRL")
    with pytest.raises(NotInThisArm):
        check_held(INJECTION, "CTRL", on=DAY, today=DAY, last_on=None)


def test_a_visit_cannot_have_been_held_tomorrow() -> None:
    with pytest.raises(InFuture):
        check_held(CBC, "TG2", on=plus(1), today=DAY, last_on=None)


WINDOW = PlannedVisit(VisitKind.CBC, plus(7), plus(5), plus(9))
DOSE = PlannedVisit(VisitKind.INJECTION, plus(21), plus(21), plus(35))


@pytest.mark.parametrize(
    ("visit", "on", "last_on", "counts", "found"),
    [
        pytest.param(WINDOW, 5, None, [], [], id="the first day of the window is on time"),
        pytest.param(WINDOW, 9, None, [], [], id="the last day of the window is on time"),
        pytest.param(WINDOW, 4, None, [], ["early"], id="a day before the window"),
        pytest.param(WINDOW, 10, None, [], ["late"], id="a day after the window"),
        pytest.param(DOSE, 21, 0, [21], [], id="day 21 with a count on the same day"),
        pytest.param(DOSE, 21, 0, [18], [], id="a count on day -3"),
        pytest.param(DOSE, 21, 0, [17], ["no_count_before"], id="a count on day -4 is too old"),
        pytest.param(DOSE, 21, 0, [22], ["no_count_before"], id="a count after the dose is no count before it"),
        pytest.param(DOSE, 20, 0, [20], ["too_early"], id="day 20"),
        pytest.param(DOSE, 35, 0, [35], [], id="day 35 is the last on time"),
        pytest.param(DOSE, 36, 0, [36], ["late"], id="day 36"),
        pytest.param(DOSE, 36, 0, [], ["no_count_before", "late"], id="the graver one comes first"),
        pytest.param(DOSE, 60, None, [60], [], id="the first injection is neither early nor late"),
    ],
)
def test_how_a_visit_deviates(
    visit: PlannedVisit, on: int, last_on: int | None, counts: list[int], found: list[str]
) -> None:
    rule = INJECTION if visit.kind is VisitKind.INJECTION else CBC
    last = None if last_on is None else plus(last_on)
    days = [plus(each) for each in counts]
    assert list(deviations_of(visit, rule, plus(on), last, days, CBC.before_injection_days)) == found


def test_what_may_harm_is_important() -> None:
    assert [each.value for each in Deviation if each.is_important] == ["too_early", "no_count_before"]


@pytest.mark.parametrize(
    ("on", "others", "refused"),
    [
        (21, [0], None),
        (20, [0], TooEarly),
        (0, [21], None),
        (1, [21], TooNear),
        (21, [0, 42], None),
        (22, [0, 42], TooNear),
        (0, [0], TooEarly),
        (10, [], None),
    ],
)
def test_an_injection_keeps_its_distance_on_both_sides(
    on: int, others: list[int], refused: type[Exception] | None
) -> None:
    days = [plus(each) for each in others]
    if refused is None:
        check_spacing(INJECTION, plus(on), days)
        return
    with pytest.raises(refused):
        check_spacing(INJECTION, plus(on), days)
