"""How is a drill planned from the terminal, and what did the last ones show?"""

import re
import secrets
from datetime import timedelta
from typing import Annotated

import typer

from bot.cli_work import in_database
from bot.errors import FollowupError
from bot.usecases import drills

LENGTH = re.compile(r"(\d+)\s*([mhd])")
UNITS = {"m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=14)

drill = typer.Typer()


class WindowUnclear(FollowupError):
    """The window of a drill is not a length of time."""


@drill.callback(invoke_without_command=True)
def plan(
    context: typer.Context,
    within: Annotated[str, typer.Option(help="Ring at a random moment within 30m, 24h, 7d ...")] = "24h",
    seed: Annotated[int | None, typer.Option(help="Draws the moment; the same seed draws the same one.")] = None,
    now: Annotated[bool, typer.Option("--now", help="Ring at once.")] = False,
) -> None:
    """Let a test case ring at a random moment by the red chain, clearly marked, and time how staff answer.

    No subject and no case is touched. It waits while a RED case is open. When it rings is not told.

    Example: followup drill --within 24h
    """
    if context.invoked_subcommand is not None:
        return
    window = timedelta(0) if now else window_of(within)
    chosen = secrets.randbelow(10**6) if seed is None else seed
    planned = in_database(lambda work: drills.plan(work, window, chosen), "drill")
    when = "now" if now else f"within {within}"
    typer.echo(f"Drill {planned.id} rings {when} (seed {chosen}). The running bot sends it.")


@drill.command("list")
def list_drills() -> None:
    """Print the drills that are over, the newest first: seconds to page, look, acknowledgement and word.

    Example: followup drill list
    """
    held = in_database(lambda work: [*drills.ended(work.session)], "drill")
    typer.echo("drill,began_at,outcome,first_page_s,viewed_s,taken_s,read_back_s,paused_s")
    for each in held:
        began = each.began_at.isoformat() if each.began_at else ""
        times = (each.first_page_after, each.viewed_after, each.taken_after, each.read_back_after)
        shown = ["" if time is None else str(time) for time in times]
        typer.echo(",".join([str(each.id), began, str(each.outcome), *shown, str(each.paused_seconds)]))


def window_of(words: str) -> timedelta:
    """Return the length that ``30m``, ``24h`` or ``7d`` names.

    Raises:
        WindowUnclear: it names none, or one beyond `LONGEST`.
    """
    found = LENGTH.fullmatch(words.strip().lower())
    length = timedelta(**{UNITS[found[2]]: int(found[1])}) if found else timedelta(0)
    if not timedelta(0) < length <= LONGEST:
        raise WindowUnclear(f"{words!r} is no window; write 30m, 24h or 7d, at most {LONGEST.days}d")
    return length
