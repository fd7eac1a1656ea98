"""How long do people take, from the terminal: as text, as JSON, as CSV?"""

import csv
import json
import sys
from dataclasses import asdict, astuple, fields
from typing import Annotated

import typer

from bot.cli_work import in_database
from bot.domain.kpi import Row, table
from bot.errors import FollowupError
from bot.usecases import kpi, kpi_facts
from bot.work import Work

LOCALE = "en"

figures = typer.Typer()


class OneFormat(FollowupError):
    """Choose one of --json and --csv."""


class NoPeriod(FollowupError):
    """A period has at least 1 day; 0 stands for all since the start of the study."""


@figures.command("kpi")
def show_kpi(
    days: Annotated[int | None, typer.Option(help="So many days, today included; 0: since the start.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, times in seconds.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV, a line a figure, times in seconds.")] = False,
) -> None:
    """Tell how long people take: until a page, a look, taking over, a contact, an outcome; and how often it rings.

    Names nobody: persons appear by their number. The look is written into the audit trail.

    Example: followup kpi --days 28 --csv
    """
    if as_json and as_csv:
        raise OneFormat
    if days is not None and days < 0:
        raise NoPeriod

    def look(work: Work) -> tuple[int, list[Row], str]:
        wanted = work.protocol.kpi.default_days if days is None else days
        found, _ = kpi_facts.measure(work, wanted)
        return wanted, table(found), kpi.summary(work, found, wanted, {}).render(work.texts, LOCALE)

    wanted, rows, said = in_database(look, "kpi", needs=("encryption_key",))
    if as_json:
        typer.echo(json.dumps({"days": wanted, "figures": [asdict(row) for row in rows]}, indent=1))
    elif as_csv:
        write = csv.writer(sys.stdout, lineterminator="\n")
        write.writerow(field.name for field in fields(Row))
        write.writerows(astuple(row) for row in rows)
    else:
        typer.echo(said)
