"""How does a command of the terminal work on the database?"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from sqlmodel import Session

from bot import app as application
from bot import logs
from bot.domain.people import BOT
from bot.errors import FollowupError
from bot.settings import load_settings, require
from bot.work import Work

R = TypeVar("R")

NEEDS = ("encryption_key", "telegram_token")


class FileUnreadable(FollowupError):
    """A file named on the command line cannot be read."""


def in_database(
    use_case: Callable[[Work], R], name: str, *, needs: tuple[str, ...] = NEEDS, makes_links: bool = False
) -> R:
    """Run a use case on the database of the settings, in one transaction, named as a command of the terminal.

    ``makes_links``: Telegram is asked for the bot's name first, which links to it carry.

    Raises:
        SettingsFaulty: a setting is wrong, or one of ``needs`` is missing.
    """
    settings = load_settings()
    logs.configure("WARNING")
    require(settings, *needs)
    if makes_links:
        deps = application.make_deps(settings, username=asyncio.run(application.username(settings)))
    else:
        deps = application.make_deps(settings)

    def body(session: Session) -> R:
        return use_case(Work(session, deps, BOT, f"command:{name}", deps.clock.now()))

    try:
        return deps.store.write_now(body)
    finally:
        deps.store.close()
