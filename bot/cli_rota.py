"""What can be done with the rota from the terminal: enter a file, look at it, get a file to fill in?"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from bot.cli_work import FileUnreadable, in_database
from bot.domain.rota_table import template as empty_table
from bot.errors import FollowupError
from bot.settings import load_settings
from bot.usecases import rota_import, rota_watch, rota_words
from bot.usecases.import_subjects import ImportFaulty
from bot.work import Lines, Work

TEMPLATE_DAYS = 14

rota = typer.Typer(help="Enter and show who is on call.", no_args_is_help=True)


class RotaFaulty(FollowupError):
    """Some lines of the rota file cannot be entered, so none was."""


@rota.command("import")
def import_rota(
    table: Annotated[Path, typer.Argument(help="CSV file: date, from, until, level, staff.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    locale: Annotated[str, typer.Option(help="Language of the messages: en or zh.")] = "en",
) -> None:
    """Enter a rota file: all lines or none; what has not passed of the days it covers becomes as it says.

    Every faulty line is named. The same file again changes nothing; what colleagues swapped stays swapped.

    Example: followup rota import rota.csv --dry-run
    """
    try:
        content = table.read_bytes()
    except OSError as error:
        raise FileUnreadable(f"{table} cannot be read: {error.strerror}") from error

    def enter(work: Work) -> list[str]:
        try:
            plan = rota_import.read(work, content)
        except ImportFaulty as faulty:
            for line in faulty.lines(work, locale):
                typer.echo(line, err=True)
            raise RotaFaulty("nothing was entered; mend the lines named above and import the file again") from None
        lines = rota_import.said(work, plan, locale)
        if not dry_run:
            rota_import.apply(work, plan)
        return lines

    for line in in_database(enter, "rota import"):
        typer.echo(line)
    if dry_run:
        typer.echo("Nothing was entered (--dry-run).")


@rota.command()
def show(
    days: Annotated[int, typer.Option(help="How many days from today on.", min=1, max=366)] = 14,
    locale: Annotated[str, typer.Option(help="Language of what is shown: en or zh.")] = "en",
) -> None:
    """Print who is on call now and in the coming days, with the gaps.

    Example: followup rota show --days 14
    """

    def lines(work: Work) -> list[str]:
        shown = [Lines(rota_words.now(work)).render(work.texts, locale)]
        if not rota_watch.in_use(work.session):
            return [*shown, work.text("oncall.how_to_enter", locale)]
        return [*shown, *rota_words.days(work, work.today, days, locale)]

    for line in in_database(lines, "rota show"):
        typer.echo(line)


@rota.command()
def template() -> None:
    """Print a rota file of the coming two weeks to fill in with a spreadsheet.

    Example: followup rota template > rota.csv
    """
    settings = load_settings()
    today = settings.clock().now().astimezone(settings.zone).date()
    typer.echo(empty_table([today + timedelta(days=number) for number in range(1, TEMPLATE_DAYS + 1)]), nl=False)
