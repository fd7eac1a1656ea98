"""Is the audit trail sealed up to now, and is its head known outside the machine?"""

import asyncio
from datetime import timedelta

import structlog
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from bot.deps import Deps
from bot.store import chain
from bot.store.models import Heartbeat

log = structlog.get_logger(__name__)

HEAD_TOLD = "audit.head"
TOLD_EVERY = timedelta(days=1)


async def seal(deps: Deps) -> None:
    """Seal what was written since the last time; once a day write the head to the log, which leaves the machine."""
    try:
        await asyncio.to_thread(chain.seal_all, deps.store, deps.clock.now())
    except OperationalError as error:
        # Others wrote the trail all the time; the next run seals more.
        log.warning("audit.not_sealed", error=type(error.orig).__name__)
    told = await deps.store.write(lambda session: _tell(session, deps))
    if told is not None:
        log.info("audit.head", seal=told[0], entries_up_to=told[1], head=told[2])


def _tell(session: Session, deps: Deps) -> tuple[int, int, str] | None:
    """Return the head if the last time it was told is a day ago."""
    now = deps.clock.now()
    last, newest = session.get(Heartbeat, HEAD_TOLD), chain.head(session)
    if newest is None or (last is not None and last.at <= now < last.at + TOLD_EVERY):
        return None
    session.merge(Heartbeat(name=HEAD_TOLD, at=now, detail={"seal": newest.id}))
    return newest.id or 0, newest.up_to_id, newest.hash
