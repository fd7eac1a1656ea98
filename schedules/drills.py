"""Does a drill stand still while a patient is in danger?"""

from bot.deps import Deps
from bot.domain.people import BOT
from bot.usecases import drills
from bot.work import run


async def keep_apart(deps: Deps) -> None:
    """Stop a drill when a RED case opens, and let it go on when none is open any more."""
    if await deps.store.read(drills.may_change):
        await run(deps, BOT, "job:drills", drills.keep_apart)
