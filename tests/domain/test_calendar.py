"""Which days are clinic days: holidays, weekends worked in exchange, and what the site says above them."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.calendar import ClinicCalendar, Closure, OfficialYear

MONDAY = date(2026, 11, 2)


def day(number: int, month: int = 11) -> date:
    return date(2026, month, number)


def a_year(off: set[date], worked: set[date] = frozenset(), known: bool = True) -> ClinicCalendar:  # type: ignore[assignment]
    return ClinicCalendar(official=lambda _year: OfficialYear(frozenset(off), frozenset(worked), known))


@pytest.mark.parametrize(
    ("clinic", "on", "is_open"),
    [
        pytest.param(ClinicCalendar(), day(6), True, id="a Friday"),
        pytest.param(ClinicCalendar(), day(7), False, id="a Saturday"),
        pytest.param(a_year({day(6)}), day(6), False, id="a holiday"),
        pytest.param(a_year(set(), {day(7)}), day(7), True, id="a Saturday that is worked in exchange"),
        pytest.param(
            ClinicCalendar(lambda _year: OfficialYear(workdays=frozenset({day(7)})), follows_workdays=False),
            day(7),
            False,
            id="the site does not follow weekends worked in exchange",
        ),
        pytest.param(ClinicCalendar(extra_open=frozenset({day(7)})), day(7), True, id="the site opens on a Saturday"),
        pytest.param(
            ClinicCalendar(lambda _year: OfficialYear(frozenset({day(6)})), extra_open=frozenset({day(6)})),
            day(6),
            True,
            id="the site opens on a holiday",
        ),
        pytest.param(ClinicCalendar(extra_closed=frozenset({day(6)})), day(6), False, id="the site closes it"),
        pytest.param(ClinicCalendar(weekdays=frozenset({2, 4})), day(6), False, id="open on two weekdays"),
        pytest.param(ClinicCalendar(weekdays=frozenset({2, 4})), day(5), True, id="the Thursday"),
    ],
)
def test_what_the_site_says_stands_above_the_state_and_the_week(
    clinic: ClinicCalendar, on: date, is_open: bool
) -> None:
    assert clinic.is_open(on) is is_open


def test_the_next_open_day_is_the_day_itself_or_a_later_one_that_is_not_too_late() -> None:
    clinic = a_year({day(9)})
    assert clinic.next_open(day(6)) == day(6)
    assert clinic.next_open(day(7)) == day(10)
    assert clinic.next_open(day(7), day(10)) == day(10)
    assert clinic.next_open(day(7), day(9)) is None
    assert clinic.last_open(day(9), day(1)) == day(6)
    assert clinic.last_open(day(9), day(7)) is None
    assert clinic.open_days(day(5), day(10)) == [day(5), day(6), day(10)]
    assert clinic.open_days(day(10), day(9)) == []


def test_a_clinic_that_never_opens_has_no_next_day() -> None:
    assert ClinicCalendar(weekdays=frozenset()).next_open(MONDAY) is None


@pytest.mark.parametrize(
    ("clinic", "closures"),
    [
        pytest.param(ClinicCalendar(), [], id="weekends are no closures"),
        pytest.param(a_year({day(11)}), [], id="a single holiday is too short"),
        pytest.param(a_year({day(6)}), [Closure(day(6), day(8))], id="a holiday bridges into the weekend"),
        pytest.param(a_year({day(9)}), [Closure(day(7), day(9))], id="a weekend runs into a holiday"),
        pytest.param(a_year({day(6), day(9)}), [Closure(day(6), day(9))], id="a holiday on each side of a weekend"),
        pytest.param(a_year({day(6)}, {day(8)}), [], id="the weekend is worked in exchange"),
        pytest.param(ClinicCalendar(weekdays=frozenset({2})), [], id="six closed days of every week are its week"),
        pytest.param(
            a_year({day(29), day(30), day(1, 12), day(2, 12)}),
            [Closure(day(28), day(2, 12))],
            id="it may end after the days asked for",
        ),
    ],
)
def test_a_closure_is_a_run_of_closed_days_that_an_ordinary_week_does_not_have(
    clinic: ClinicCalendar, closures: list[Closure]
) -> None:
    assert clinic.closures(day(1), day(30)) == closures


def test_a_closure_that_began_before_is_not_named_again() -> None:
    assert a_year({day(6)}).closures(day(7), day(30)) == []


@given(
    off=st.sets(st.integers(0, 60)),
    worked=st.sets(st.integers(0, 60)),
    opened=st.sets(st.integers(0, 60)),
    start=st.integers(0, 60),
    length=st.integers(0, 30),
)
def test_whatever_is_named_as_open_is_open(
    off: set[int], worked: set[int], opened: set[int], start: int, length: int
) -> None:
    days = {number: MONDAY + timedelta(days=number) for number in range(61)}
    clinic = ClinicCalendar(
        lambda _year: OfficialYear(frozenset(days[each] for each in off), frozenset(days[each] for each in worked)),
        extra_open=frozenset(days[each] for each in opened),
    )
    first, last = days[start], days[start] + timedelta(days=length)
    found = clinic.open_days(first, last)
    assert clinic.next_open(first, last) == (found[0] if found else None)
    assert clinic.last_open(last, first) == (found[-1] if found else None)
    for closure in clinic.closures(first, last):
        assert closure.days >= 3
        assert clinic.open_days(closure.first_on, closure.last_on) == []
        assert clinic.is_open(closure.first_on - timedelta(days=1))
        assert clinic.is_open(closure.last_on + timedelta(days=1))
