"""What does a line of a rota file mean: which day, from when until when, which level?

Made to be typed in a spreadsheet by somebody in a hurry: a byte-order mark, GBK, semicolons, full-width digits and
24:00 are read; a day or a time that can be read in two ways is refused.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from bot.domain.reminders import daily_at
from bot.domain.rota import Level, Span
from bot.errors import FollowupError

COLUMNS = ("date", "from", "until", "level", "staff")
_HEADINGS = {
    **{name: name for name in COLUMNS},
    "日期": "date",
    "开始": "from",
    "从": "from",
    "结束": "until",
    "到": "until",
    "级别": "level",
    "班次": "level",
    "人员": "staff",
    "姓名": "staff",
    "值班人": "staff",
}
_LEVELS = {
    **dict.fromkeys(("first", "1", "一线", "第一", "一"), Level.FIRST),
    **dict.fromkeys(("second", "2", "二线", "第二", "二"), Level.SECOND),
}
_DAY = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::00)?")
ENDS_AT_MIDNIGHT = (24, 0)


class Fault(StrEnum):
    """What is wrong with a cell."""

    DAY = "day"
    NO_SUCH_DAY = "no_such_day"
    TIME = "time"
    LEVEL = "level"


class CellUnreadable(FollowupError):
    """A cell cannot be read."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


class TableUnreadable(FollowupError):
    """These bytes are no text in an encoding that spreadsheets write."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file, numbered as a spreadsheet does; ``extra``: it has more cells than headings."""

    number: int
    cells: dict[str, str]
    extra: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """The headings as they are understood (what is not stays as it is), and the lines that are not empty."""

    headings: tuple[str, ...]
    rows: tuple[Row, ...]


def decode(content: bytes) -> str:
    """Return the text of a file as spreadsheets save it: UTF-8 with or without a mark, UTF-16, or GBK.

    Raises:
        TableUnreadable: none of these.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        tried: tuple[str, ...] = ("utf-16",)
    else:
        tried = ("utf-8-sig", "gb18030")
    for encoding in tried:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise TableUnreadable("it is neither UTF-8 nor GBK text; save it as CSV (UTF-8)")


def read_table(content: bytes) -> Table:
    """Return the lines of a file whose first line names the columns; lines that begin with # are notes.

    Full-width digits, colons and commas become plain ones; the headings may be English or Chinese.
    """
    text = plain(decode(content))
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    delimiter = max(",;\t", key=first.count)
    headings: tuple[str, ...] = ()
    rows = []
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    for found in reader:
        cells = [cell.strip() for cell in found]
        if not any(cells) or cells[0].startswith("#"):
            continue
        if not headings:
            headings = tuple(_HEADINGS.get(name.casefold(), name) for name in cells)
            continue
        extra = any(cells[len(headings) :])
        rows.append(Row(reader.line_num, dict(zip(headings, cells, strict=False)), extra))
    return Table(headings, tuple(rows))


def plain(text: str) -> str:
    """Return text with full-width characters as plain ones, and no space that looks like none."""
    return unicodedata.normalize("NFKC", text).replace("\u200b", "").replace("\ufeff", "")


def read_day(cell: str) -> date:
    """Read a day whose year comes first.

    Raises:
        CellUnreadable: another order, or no such day.
    """
    found = _DAY.fullmatch(cell)
    if found is None:
        raise CellUnreadable(Fault.DAY)
    try:
        return date(*(int(part) for part in found.groups()))
    except ValueError:
        raise CellUnreadable(Fault.NO_SUCH_DAY) from None


def read_time(cell: str) -> tuple[int, int]:
    """Read a wall time as hour and minute; 24:00 is the end of the day.

    Raises:
        CellUnreadable: no such time.
    """
    found = _TIME.fullmatch(cell)
    if found is None:
        raise CellUnreadable(Fault.TIME)
    hour, minute = int(found.group(1)), int(found.group(2))
    if (hour > 23 or minute > 59) and (hour, minute) != ENDS_AT_MIDNIGHT:
        raise CellUnreadable(Fault.TIME)
    return hour, minute


def read_level(cell: str) -> Level:
    """Read a level.

    Raises:
        CellUnreadable: neither the first nor the second.
    """
    try:
        return _LEVELS[cell.casefold()]
    except KeyError:
        raise CellUnreadable(Fault.LEVEL) from None


def span_of(day: date, begin: tuple[int, int], end: tuple[int, int], zone: ZoneInfo) -> Span:
    """Return the time from one wall time to another of ``day``; an end that does not come later is on the next day.

    The same time twice is a whole day. A wall time that a clock change swallows is moved on, one that it repeats
    means the first of the two, so no shift begins or ends twice.
    """
    return Span(_moment(day, begin, zone), _moment(day if end > begin else day + timedelta(days=1), end, zone))


def _moment(day: date, at: tuple[int, int], zone: ZoneInfo) -> datetime:
    if at == ENDS_AT_MIDNIGHT:
        return daily_at(day + timedelta(days=1), time(0), zone)
    return daily_at(day, time(*at), zone)


def template(days: Sequence[date]) -> str:
    """Return a file to fill in: two shifts a day, with nobody in them."""
    lines = [",".join(COLUMNS)]
    for day in days:
        lines += [f"{day.isoformat()},08:00,20:00,first,", f"{day.isoformat()},20:00,08:00,first,"]
    return "\n".join(lines) + "\n"
