"""How do many subjects get onto the study's books at once: all rows or none?"""

import csv
import io
from collections.abc import Mapping
from typing import Any

from bot.domain.parsing import parse_subject_code
from bot.errors import FollowupError
from bot.store.models import Subject
from bot.usecases import enrol, refusals
from bot.usecases.forms import Field, Values
from bot.work import Day, Work

COLUMNS = tuple(field.name for field in enrol.FORM.fields)
OPTIONAL = frozenset({"phone", "times_a_day"})

Problem = tuple[int, str, str, dict[str, object]]


class ImportFaulty(FollowupError):
    """Some rows cannot be enrolled, so none was; ``problems`` are (row, column, text key, values)."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = problems

    def lines(self, work: Work, locale: str) -> list[str]:
        """Return one line for each problem, with its row as a spreadsheet counts them."""
        return [
            work.text(
                "import.problem",
                locale,
                row=row,
                column=column or "-",
                said=work.text(
                    key,
                    locale,
                    **{
                        name: value.render(work.texts, locale) if isinstance(value, Day) else value
                        for name, value in values.items()
                    },
                ),
            )
            for row, column, key, values in problems_in_order(self.problems)
        ]


def problems_in_order(
    problems: list[Problem],
) -> list[Problem]:
    return sorted(problems, key=lambda each: (each[0], COLUMNS.index(each[1]) if each[1] in COLUMNS else -1))


def import_subjects(work: Work, table: str) -> list[Subject]:
    """Enrol every row of a CSV text whose first row names the columns.

    Raises:
        ImportFaulty: with every fault of every row; nothing has been entered.
    """
    rows = list(csv.reader(io.StringIO(table.removeprefix("\ufeff"))))
    header = [name.strip() for name in rows[0]] if rows else []
    missing = [name for name in COLUMNS if name not in header and name not in OPTIONAL]
    unknown = [name for name in header if name not in COLUMNS]
    twice = sorted({name for name in header if header.count(name) > 1})
    if missing or unknown or twice:
        faults: list[Problem] = [(1, name, "import.column_missing", {}) for name in missing]
        faults += [(1, name or "?", "import.column_unknown", {}) for name in unknown]
        faults += [(1, name, "import.column_twice", {}) for name in twice]
        raise ImportFaulty(faults)
    problems: list[Problem] = []
    ready: list[Values] = []
    seen: dict[str, int] = {}
    for number, cells in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(header):
            problems.append((number, "", "import.too_many_cells", {}))
            continue
        row = dict(zip(header, (cell.strip() for cell in cells), strict=False))
        values = _read(work, number, row, problems)
        code = _code(row.get("code", ""))
        if code in seen:
            problems.append((number, "code", "import.code_twice", {"row": seen[code]}))
        seen.setdefault(code, number)
        ready.append(values)
    if not ready and not problems:
        problems.append((2, "", "import.empty", {}))
    if problems:
        raise ImportFaulty(problems)
    return [enrol.enrol(work, enrol.from_values(values)) for values in ready]


def _read(
    work: Work,
    number: int,
    row: Mapping[str, str],
    problems: list[Problem],
) -> Values:
    """Read one row with the same questions as the dialogue, in the same order."""
    values: Values = {}
    for field in enrol.FORM.fields:
        cell = row.get(field.name, "")
        wanted = field.wanted is None or field.wanted(work, values)
        if not wanted:
            if cell and "arm" in values:
                problems.append((number, field.name, "import.not_in_this_arm", {}))
            continue
        if not cell:
            if field.name not in OPTIONAL:
                problems.append((number, field.name, "import.cell_empty", {}))
            continue
        try:
            values[field.name] = _value(work, field, values, cell)
        except FollowupError as error:
            key, said = refusals.text_of(error)
            problems.append((number, field.name, key, said))
    return values


def _value(work: Work, field: Field, values: Values, cell: str) -> Any:
    if field.parse is None:
        choices = field.choices(work, values) if field.choices else ()
        for choice in choices:
            if str(choice.value) == cell:
                return choice.value
        raise refusals.CellRefused
    reading = field.parse(work, values, cell)
    if reading.confirm:
        # In a dialogue this would be asked back; a table must be clear by itself.
        raise refusals.CellRefused
    return reading.value


def _code(cell: str) -> str:
    try:
        return parse_subject_code(cell).value
    except FollowupError:
        return cell
