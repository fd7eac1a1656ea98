"""When do staff get a list by themselves: the brief of a visit day, and the digest of a week?

All dates are calendar days at the site; a week runs from Monday to Sunday.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time, timedelta

from bot.domain.calendar import ClinicCalendar
from bot.domain.course import monday_of

A_DAY, A_WEEK = timedelta(days=1), timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class BriefRule:
    """When a brief goes out on a visit day (wall time at the site), and how far back it looks.

    ``measures`` are shown with the last so many verified ``values`` each; the tablets are those of the last
    ``adherence_days``.
    """

    at: time
    measures: tuple[str, ...]
    values: int
    adherence_days: int


@dataclass(frozen=True, slots=True)
class WeeklyRule:
    """When the digest of a week goes out (wall time at the site)."""

    at: time


def week_name(day: date) -> str:
    """Return the ISO week of a day, by which a digest is known: "2026-W01". Its year may not be that of the day."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def next_digest_on(after: date, clinic: ClinicCalendar) -> date:
    """Return the day of the first digest after the week of ``after``: its Monday, or the next open day.

    A week in which the clinic is closed all days has none; where no open day is in sight it is the Monday.
    """
    monday = monday_of(after) + A_WEEK
    return clinic.next_open(monday) or monday


def covered(since: date, today: date) -> tuple[date, date]:
    """Return the days that a digest of ``today`` tells of: whole weeks, the last one ended before this week.

    ``since`` is the first day that no earlier digest told of; at least one week is told. So weeks without a
    digest (a long closure, an outage) are told by the next one, together.
    """
    last = monday_of(today) - A_DAY
    return min(monday_of(since), last + A_DAY - A_WEEK), last


def last_week(today: date) -> tuple[date, date]:
    """Return the seven days before ``today``, for whoever asks in the middle of a week."""
    return today - A_WEEK, today - A_DAY
