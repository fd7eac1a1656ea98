"""How does a rota file become shifts: all lines or none, and the same file twice changes nothing?"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta

from bot.domain.reminders import daily_at
from bot.domain.roles import CLINICAL
from bot.domain.rota import Level, Span, without
from bot.domain.rota_table import (
    COLUMNS,
    CellUnreadable,
    Fault,
    Row,
    plain,
    read_day,
    read_level,
    read_table,
    read_time,
)
from bot.domain.rota_table import span_of as span_between
from bot.store import people, rota
from bot.store.models import OncallShift, StaffMember
from bot.usecases import rota_watch, rota_words, shifts
from bot.usecases.import_subjects import ImportFaulty, Problem
from bot.work import Work

# A shift that begins on a covered day ends at the latest a day after that day.
LONGEST = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file that was understood; ``day`` is the one it stands under."""

    number: int
    day: date
    level: Level
    span: Span
    staff_id: int


@dataclass(slots=True)
class Plan:
    """What a file changes: shifts to enter, shifts that end for them, and what stays as it is."""

    entered: list[Line] = field(default_factory=list)
    ended: list[OncallShift] = field(default_factory=list)
    unchanged: int = 0
    swapped: int = 0  # lines whose shift a colleague has taken over since; the swap stays
    past: int = 0


def read(work: Work, content: bytes) -> Plan:
    """Return what a file would change; nothing is entered.

    Raises:
        ImportFaulty: with every fault of every line.
        TableUnreadable: it is no text.
    """
    lines, past, covered = _lines(work, content)
    plan = Plan(past=past)
    within = Span(work.now, work.now)
    if covered:
        zone = work.settings.zone
        within = Span(
            max(work.now, daily_at(min(covered), time(0), zone)), daily_at(max(covered), time(0), zone) + LONGEST
        )
    standing = rota.standing(work.session, within).rows if within.from_at < within.until_at else []
    # Only what begins on a day of the file is the file's to change.
    present = [row for row, _, _ in standing if _day_of(work, row, [each for each, _, _ in standing]) in covered]
    given = rota.ended_for(work.session, within, [shifts.SWAPPED])
    kept: set[int | None] = set()
    for line in lines:
        if (same := next((row for row in present if row.id not in kept and _is(row, line)), None)) is not None:
            kept.add(same.id)
            plan.unchanged += 1
        elif (heirs := _heirs(line, given, present)) is not None:
            kept |= heirs
            plan.swapped += 1
        else:
            plan.entered.append(line)
    plan.ended = [row for row in present if row.id not in kept and not _still_fills(row, plan.entered)]
    return plan


def apply(work: Work, plan: Plan) -> None:
    """Enter what a plan says, and announce what is open then."""
    ended = {(row.level, row.from_at): row for row in plan.ended}
    for row in plan.ended:
        shifts.end(work, row, shifts.REPLACED)
    for line in plan.entered:
        before = ended.get((str(line.level), line.span.from_at))
        shifts.enter(work, line.staff_id, line.level, line.span, shifts.FILE, before)
    if plan.entered or plan.ended:
        rota_watch.changed(work)


def said(work: Work, plan: Plan, locale: str) -> list[str]:
    """Return what a plan changes, a line each, and how much in all."""
    ended = [(row.level, Span(row.from_at, row.until_at), row.staff_id) for row in plan.ended]
    entered = [(line.level, line.span, line.staff_id) for line in plan.entered]
    return [
        *(work.text("rota.import.ended", locale, **_values(work, locale, *each)) for each in ended),
        *(work.text("rota.import.entered", locale, **_values(work, locale, *each)) for each in entered),
        work.text(
            "rota.import.counted",
            locale,
            entered=len(plan.entered),
            ended=len(plan.ended),
            unchanged=plan.unchanged,
            swapped=plan.swapped,
            past=plan.past,
        ),
    ]


def _values(work: Work, locale: str, level: str, span: Span, staff_id: int) -> dict[str, str]:
    return {
        "at": rota_words.span(work, span, locale),
        "level": work.text(f"oncall.level.{level}", locale),
        "name": work.session.get_one(StaffMember, staff_id).name,
    }


def _is(row: OncallShift, line: Line) -> bool:
    """Return whether a shift is what a line says."""
    return (row.staff_id, row.level) == (line.staff_id, line.level) and Span(row.from_at, row.until_at) == line.span


def _heirs(line: Line, given: Sequence[OncallShift], present: Sequence[OncallShift]) -> set[int | None] | None:
    """Return the standing shifts to which a line's shift has passed by swaps; None when it was never swapped."""
    chain = {row.id for row in given if _is(row, line)}
    if not chain:
        return None
    while more := {row.id for row in given if row.replaces_id in chain} - chain:
        chain |= more
    return {row.id for row in present if row.replaces_id in chain} or None


def _still_fills(row: OncallShift, entered: Sequence[Line]) -> bool:
    """Return whether somebody took a gap that the file still leaves, at least in part."""
    spans = [line.span for line in entered if line.level == row.level]
    return row.source == shifts.TAKEN and bool(without(Span(row.from_at, row.until_at), spans))


def _day_of(work: Work, row: OncallShift, standing: Sequence[OncallShift]) -> date:
    """Return the day of the file under which a shift stands: what was swapped in its middle keeps its day."""
    by_id = {each.id: each for each in standing}
    first = row
    while first.replaces_id is not None:
        before = by_id.get(first.replaces_id) or work.session.get_one(OncallShift, first.replaces_id)
        if before.ended_because != shifts.SWAPPED:
            break
        first = before
    return first.from_at.astimezone(work.settings.zone).date()


def _lines(work: Work, content: bytes) -> tuple[list[Line], int, set[date]]:
    table = read_table(content)
    faults: list[Problem] = [(1, name, "import.column_missing", {}) for name in COLUMNS if name not in table.headings]
    faults += [(1, name or "?", "import.column_unknown", {}) for name in table.headings if name not in COLUMNS]
    faults += [(1, name, "import.column_twice", {}) for name in COLUMNS if table.headings.count(name) > 1]
    if faults:
        raise ImportFaulty(faults)
    staff = [member for member, _ in people.staff(work.session, CLINICAL)]
    lines: list[Line] = []
    days: set[date] = set()
    past = 0
    for row in table.rows:
        line = _read(work, row, staff, faults)
        if line is None:
            continue
        if isinstance(line, date):
            past += 1
            continue
        _compare(line, lines, faults)
        lines.append(line)
        days.add(line.day)
    if not table.rows:
        faults.append((2, "", "import.empty", {}))
    if faults:
        raise ImportFaulty(faults)
    return lines, past, days


def _read(work: Work, row: Row, staff: Sequence[StaffMember], faults: list[Problem]) -> Line | date | None:
    """Return what a line says; only its day when it is over; None after a fault."""
    if row.extra:
        faults.append((row.number, "", "import.too_many_cells", {}))
        return None
    before = len(faults)

    def cell(name: str) -> str:
        return row.cells.get(name, "")

    day = begin = end = level = None
    for name in COLUMNS:
        if not cell(name):
            faults.append(_empty(row, name))
            continue
        try:
            match name:
                case "date":
                    day = read_day(cell(name))
                case "from":
                    begin = read_time(cell(name))
                case "until":
                    end = read_time(cell(name))
                case "level":
                    level = read_level(cell(name))
        except CellUnreadable as error:
            faults.append(_unreadable(row, name, error.fault))
    span = span_between(day, begin, end, work.settings.zone) if day and begin and end else None
    if span is not None and span.until_at <= work.now and len(faults) == before and day is not None:
        return day  # Whoever was on then may have left; that is no fault of the file.
    member = _member(row, cell("staff"), staff, faults) if cell("staff") else None
    if len(faults) > before or day is None or span is None or level is None or member is None:
        return None
    return Line(row.number, day, level, span, member.id or 0)


def _empty(row: Row, name: str) -> Problem:
    if name == "staff":
        return (row.number, name, "rota.import.staff_empty", {})
    return (row.number, name, "import.cell_empty", {})


def _unreadable(row: Row, name: str, fault: Fault) -> Problem:
    match fault:
        case Fault.DAY:
            return (row.number, name, "rota.import.day_unreadable", {})
        case Fault.NO_SUCH_DAY:
            return (row.number, name, "rota.import.no_such_day", {})
        case Fault.TIME:
            return (row.number, name, "rota.import.time_unreadable", {})
        case Fault.LEVEL:
            return (row.number, name, "rota.import.level_unknown", {})


def _member(row: Row, cell: str, staff: Sequence[StaffMember], faults: list[Problem]) -> StaffMember | None:
    """Return who is meant: by the number that /staff shows, or by the exact name."""
    if cell.isdecimal():
        found = [member for member in staff if member.id == int(cell)]
    else:
        found = [member for member in staff if plain(member.name).strip().casefold() == cell.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        numbers = ", ".join(str(member.id) for member in found)
        faults.append((row.number, "staff", "rota.import.staff_ambiguous", {"name": cell, "numbers": numbers}))
    else:
        faults.append((row.number, "staff", "rota.import.staff_unknown", {"name": cell}))
    return None


def _compare(line: Line, before: Sequence[Line], faults: list[Problem]) -> None:
    """Note when a person stands twice at one time; two people at one level are both on."""
    for other in before:
        if other.staff_id != line.staff_id or not other.span.meets(line.span):
            continue
        if (other.span, other.level) == (line.span, line.level):
            faults.append((line.number, "", "rota.import.line_twice", {"row": other.number}))
        else:
            faults.append((line.number, "", "rota.import.person_twice", {"row": other.number}))
        return
