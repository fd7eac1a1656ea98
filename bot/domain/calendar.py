"""On which days is the clinic open, and when is it closed for long?

All dates are calendar days at the site. What the state decides about a year (holidays, and the weekends that
are worked in exchange) is given; the site's own decisions stand above it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

WORKING_WEEK = frozenset({1, 2, 3, 4, 5})
# Nothing is planned further ahead than this; a clinic that is closed for so long has no next open day.
FURTHEST = timedelta(days=400)
ONE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class OfficialYear:
    """What the state's notice says of one year; ``known`` is false while the notice is not out.

    ``days_off`` then holds the statutory holidays alone, and no weekend is worked.
    """

    days_off: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()
    known: bool = True


@dataclass(frozen=True, slots=True)
class Closure:
    """Days in a row on which the clinic is closed, both ends included."""

    first_on: date
    last_on: date

    @property
    def days(self) -> int:
        return (self.last_on - self.first_on).days + 1

    def covers(self, day: date) -> bool:
        return self.first_on <= day <= self.last_on


@dataclass(frozen=True, slots=True)
class ClosureRule:
    """When staff get the list of visits that a closure affects: so many days before one of so many days."""

    at_least_days: int
    told_days_before: int


def ordinary_year(_year: int) -> OfficialYear:
    """Return a year without holidays."""
    return OfficialYear()


@dataclass(frozen=True, slots=True)
class ClinicCalendar:
    """The days on which patients can be seen.

    A day is closed when the site says so, else open when the site says so, else closed on a holiday, else open
    on a weekend that is worked in exchange (if the site follows those), else open on the weekdays of the clinic.

    ``official`` gives what the state says of a year; ``weekdays`` are ISO numbers (1 is Monday).
    """

    official: Callable[[int], OfficialYear] = ordinary_year
    weekdays: frozenset[int] = WORKING_WEEK
    follows_workdays: bool = True
    extra_open: frozenset[date] = frozenset()
    extra_closed: frozenset[date] = frozenset()

    def is_open(self, day: date) -> bool:
        """Return whether patients can be seen on ``day``."""
        if day in self.extra_closed:
            return False
        if day in self.extra_open:
            return True
        year = self.official(day.year)
        if day in year.days_off:
            return False
        return day.isoweekday() in self.weekdays or (self.follows_workdays and day in year.workdays)

    def is_provisional(self, day: date) -> bool:
        """Return whether the state's notice for the year of ``day`` is not known yet."""
        return not self.official(day.year).known

    def next_open(self, day: date, last: date | None = None) -> date | None:
        """Return the first open day on or after ``day`` and not after ``last``; None when there is none."""
        end = day + FURTHEST if last is None else last
        while day <= end:
            if self.is_open(day):
                return day
            day += ONE
        return None

    def last_open(self, day: date, first: date) -> date | None:
        """Return the last open day on or before ``day`` and not before ``first``; None when there is none."""
        while day >= first:
            if self.is_open(day):
                return day
            day -= ONE
        return None

    def open_days(self, first: date, last: date) -> list[date]:
        """Return the open days from ``first`` to ``last``, both ends included."""
        days = (first + timedelta(days=number) for number in range((last - first).days + 1))
        return [day for day in days if self.is_open(day)]

    def closures(self, first: date, last: date, at_least: int = 3) -> list[Closure]:
        """Return the closures that begin between ``first`` and ``last``, of ``at_least`` days each.

        A closure is a run of closed days with a day among them on which the clinic would be open in an ordinary
        week: a holiday together with the weekends it touches. Weekends alone are none, however long they are.
        """
        found = []
        day = first
        while day <= last:
            if self.is_open(day) or not self.is_open(day - ONE):
                day += ONE
                continue
            end = (self.next_open(day) or day + FURTHEST) - ONE
            closure = Closure(day, end)
            if closure.days >= at_least and self._is_special(closure):
                found.append(closure)
            day = end + ONE
        return found

    def _is_special(self, closure: Closure) -> bool:
        days = (closure.first_on + timedelta(days=number) for number in range(closure.days))
        return any(day.isoweekday() in self.weekdays for day in days)
