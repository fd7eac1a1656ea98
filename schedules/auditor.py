"""Does every open case move? Looked at every minute, by the cases alone."""

import structlog

from bot.deps import Deps
from bot.domain.people import BOT
from bot.usecases import auditor
from bot.work import run

log = structlog.get_logger(__name__)


async def look(deps: Deps) -> None:
    """Mend the chain of every case that lies still and tell of what people have to do."""
    now = deps.clock.now()
    if await deps.store.read(lambda session: auditor.was_away(session, now)):
        # What waited while the bot was down has its turn first; a minute later this looks again.
        await deps.store.write(lambda session: auditor.beat(session, now))
        return
    for number in await deps.store.read(lambda session: auditor.look(session, deps, now)):
        try:
            mended = await run(deps, BOT, "job:auditor", auditor.mend, number)
        except Exception:
            log.exception("auditor.failed", case=number)
            deps.metrics.fault("auditor")
        else:
            deps.metrics.mended(len(mended))
    await deps.store.write(lambda session: auditor.beat(session, now))
