"""Which days are holidays, which weekends are worked, and what does the site itself say about its clinic days?

Holidays and weekends worked in exchange (调休) come from the library `holidays`, which is kept up with the notices
of the State Council. A file of the site stands above it, and can bring a notice that the library lacks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict

from bot.domain.calendar import ClinicCalendar, OfficialYear
from bot.protocol.load import ProtocolFaulty, ProtocolProblem, read
from bot.protocol.model import STRICT

COUNTRY = "CN"


class Weekday(StrEnum):
    """A weekday as the site's file writes it."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


WORKING_WEEK = (Weekday.MON, Weekday.TUE, Weekday.WED, Weekday.THU, Weekday.FRI)


@dataclass(frozen=True, slots=True)
class Days:
    """Days in a row, both ends included, and why; one day needs no ``last_on``."""

    first_on: date
    name: str
    last_on: date | None = None

    def __iter__(self) -> Iterator[date]:
        """Yield each of the days."""
        length = ((self.last_on or self.first_on) - self.first_on).days + 1
        return (self.first_on + timedelta(days=number) for number in range(length))


@dataclass(frozen=True, slots=True)
class Notice:
    """The official days of one year, entered by the site before the library has them."""

    year: int
    days_off: tuple[Days, ...]
    workdays: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class ClinicFile:
    """The site's file."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    weekdays: tuple[Weekday, ...] = WORKING_WEEK
    follows_workdays: bool = True
    open: tuple[date, ...] = ()
    closed: tuple[Days, ...] = ()
    official_years: tuple[Notice, ...] = ()


def load_clinic(path: Path | None) -> ClinicCalendar:
    """Return the calendar of the clinic: the official days under what the site's file says.

    Raises:
        ProtocolFaulty: with every problem of the file.
    """
    problems: list[ProtocolProblem] = []
    site = ClinicFile() if path is None else read(path.parent, path.name, ClinicFile, problems)
    if site is not None and path is not None:
        problems += _problems(path.name, site)
    if site is None or problems:
        raise ProtocolFaulty(problems)
    notices = {
        notice.year: OfficialYear(
            frozenset(day for days in notice.days_off for day in days), frozenset(notice.workdays)
        )
        for notice in site.official_years
    }
    return ClinicCalendar(
        official=lambda year: notices[year] if year in notices else official_year(year),
        weekdays=frozenset(list(Weekday).index(day) + 1 for day in site.weekdays),
        follows_workdays=site.follows_workdays,
        extra_open=frozenset(site.open),
        extra_closed=frozenset(day for days in site.closed for day in days),
    )


@cache
def official_year(year: int) -> OfficialYear:
    """Return what the library knows of ``year``.

    It lists the statutory holidays of years whose notice is not out without a word; the weekends to be worked
    come with the notice alone, so a year without any is taken for one without a notice.
    """
    # Half a second to import and to reckon: paid when the first day is asked for, not at the start.
    from holidays import country_holidays

    known = country_holidays(COUNTRY, years=[year])
    workdays = frozenset(day for day in known.weekend_workdays if day.year == year)
    return OfficialYear(frozenset(day for day in known if day.year == year), workdays, known=bool(workdays))


def _problems(file: str, site: ClinicFile) -> Iterator[ProtocolProblem]:
    if not site.weekdays:
        yield ProtocolProblem(file, "weekdays", "the clinic is never open")
    notices = [(str(notice.year), days) for notice in site.official_years for days in notice.days_off]
    for entry, days in [*(("closed", days) for days in site.closed), *notices]:
        if days.last_on is not None and days.last_on < days.first_on:
            yield ProtocolProblem(file, entry, f"{days.name}: last_on lies before first_on")
    closed = {day for days in site.closed for day in days}
    for day in sorted(closed & set(site.open)):
        yield ProtocolProblem(file, "open", f"{day.isoformat()} is both open and closed")
    years = [notice.year for notice in site.official_years]
    for year in sorted({year for year in years if years.count(year) > 1}):
        yield ProtocolProblem(file, str(year), "the year is given twice")
    for notice in site.official_years:
        off = {day for days in notice.days_off for day in days}
        if not off:
            yield ProtocolProblem(file, str(notice.year), "a notice names days off")
        for day in sorted(off | set(notice.workdays)):
            if day.year != notice.year:
                yield ProtocolProblem(file, str(notice.year), f"{day.isoformat()} lies in another year")
        for day in sorted(off & set(notice.workdays)):
            yield ProtocolProblem(file, str(notice.year), f"{day.isoformat()} is both off and worked")
