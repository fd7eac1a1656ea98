"""What can be done with the whole study from the terminal: close every participation when it ends?"""

import asyncio
from typing import Annotated

import typer

from bot import app as application
from bot import logs
from bot.domain.people import BOT
from bot.errors import FollowupError
from bot.settings import load_settings, require
from bot.usecases import closing
from bot.work import run

CAUSE = "command:close-study"

study = typer.Typer()


class NotConfirmed(FollowupError):
    """The id of the trial was not typed as it is; nothing was changed."""


@study.command("close-study")
def close_study(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the id of the trial; for scripts.")] = False,
) -> None:
    """Close every open participation: reminders and questions stop, each patient is told once.

    A transaction each: what was interrupted goes on where it stopped when the command is given again. The running
    bot sends the closing messages. Emergencies are answered as before.

    Example: followup close-study
    """
    settings = load_settings()
    logs.configure("WARNING")
    require(settings, "encryption_key", "telegram_token")
    deps = application.make_deps(settings)
    try:
        left = asyncio.run(run(deps, BOT, CAUSE, closing.open_subjects))
        if not left:
            typer.echo("No participation is open.")
            return
        if not yes:
            typed = typer.prompt(
                f"This closes {len(left)} participation(s) for good. Type {deps.protocol.id} to go on"
            )
            if typed.strip() != deps.protocol.id:
                raise NotConfirmed(f"that is not {deps.protocol.id}; nothing was changed")
        closed = sum(asyncio.run(run(deps, BOT, CAUSE, closing.close_with_study, each)) for each in left)
    finally:
        deps.store.close()
    typer.echo(f"{closed} participation(s) closed, {len(left) - closed} had been closed already.")
