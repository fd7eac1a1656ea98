"""Which days does a typed period mean: "28d", "2026-10", "last month", "2026-10-01..2026-10-31"?"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

from bot.domain.parsing import LONGEST_READABLE, Unreadable, parse_date, plain, with_digits

MOST_DAYS = 3_660  # ten years, far longer than anybody takes part


@dataclass(frozen=True, slots=True)
class Period:
    """So many last days, or the days between two, both included; neither: since the start."""

    days: int | None = None
    first_on: date | None = None
    last_on: date | None = None

    def within(self, start_on: date, last_on: date) -> tuple[date, date] | None:
        """Return its first and last day within what can be counted, both included; None when none is left."""
        last = last_on if self.last_on is None else min(self.last_on, last_on)
        first = start_on
        if self.days is not None:
            first = last - timedelta(days=self.days - 1)
        elif self.first_on is not None:
            first = self.first_on
        first = max(first, start_on)
        return (first, last) if first <= last else None


_SINCE_START = re.compile(
    "since (the )?(start|beginning)|all|everything|ever|(从|自)?(开始|入组)(以来|至今|到现在)?|全部|所有|至今"
)
_COUNTED = re.compile(
    r"(?:(?:the )?last|past|最近|近|过去)?\s*(\d{1,4})\s*"
    r"(d|days?|天|日|w|weeks?|周|星期|个星期|m|months?|个?月)?"
)
_WEEK, _MONTH = ("w", "周", "星期", "个星期"), ("m", "月", "个月")
_NAMED_MONTHS = {
    "this month": 0, "the month": 0, "本月": 0, "这个月": 0, "这月": 0, "当月": 0,
    "last month": 1, "上个月": 1, "上月": 1, "month before last": 2, "上上个月": 2,
}  # fmt: skip
_MONTH_OF_YEAR = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*月?")
_BETWEEN = re.compile(r"\s*(?:\.\.+|…|~|至|到|—|–|\bto\b|\buntil\b)\s*")


def parse_period(text: str, today: date) -> Period:
    """Read a period of whole days at the site; ``today`` is the day there.

    Takes a number of days (28, 28d, 28天), weeks (4 weeks, 4周) or months (3 months, 3个月: days of 30 each),
    a month (2026-10, 2026年10月, last month, 上个月), two days (2026-10-01..2026-10-31, 10月1日到10月31日) and
    "since start" (开始以来).

    Raises:
        Unreadable: none of these, no such day, the end before the beginning, all of it to come, or too long.
    """
    words = plain(text[: LONGEST_READABLE * 2])
    if not words or len(text) > LONGEST_READABLE:
        raise Unreadable("input.period.unreadable", text)
    if _SINCE_START.fullmatch(words):
        return Period()
    if words in _NAMED_MONTHS:
        month = today.replace(day=1)
        for _ in range(_NAMED_MONTHS[words]):
            month = (month - timedelta(days=1)).replace(day=1)
        return _month(month.year, month.month)
    words = with_digits(words)
    if match := _COUNTED.fullmatch(words):
        return _counted(int(match[1]), match[2] or "d", text)
    if match := _MONTH_OF_YEAR.fullmatch(words):
        return _not_to_come(_month_of(int(match[1]), int(match[2]), text), today, text)
    ends = _BETWEEN.split(words)
    if len(ends) != 2:
        raise Unreadable("input.period.unreadable", text)
    first_on, last_on = (parse_date(end, today).value for end in ends)
    if last_on < first_on:
        raise Unreadable("input.period.reversed", text)
    return _not_to_come(Period(None, first_on, last_on), today, text)


def _counted(number: int, unit: str, said: str) -> Period:
    days = number
    if unit.startswith(_WEEK):
        days = number * 7
    elif unit.startswith(_MONTH):
        days = number * 30
    if not 1 <= days <= MOST_DAYS:
        raise Unreadable("input.period.out_of_range", said)
    return Period(days=days)


def _month(year: int, month: int) -> Period:
    return Period(None, date(year, month, 1), date(year, month, monthrange(year, month)[1]))


def _month_of(year: int, month: int, said: str) -> Period:
    if not (1 <= month <= 12 and year >= 1):
        raise Unreadable("input.date.no_such_day", said)
    return _month(year, month)


def _not_to_come(period: Period, today: date, said: str) -> Period:
    assert period.first_on is not None
    if period.first_on > today:
        raise Unreadable("input.period.to_come", said)
    return period
