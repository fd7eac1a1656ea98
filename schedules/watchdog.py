"""What should have moved and did not?"""

from datetime import timedelta

import structlog
from sqlmodel import Session, col, select

from bot.delivery import dispatch
from bot.deps import Deps
from bot.domain.people import BOT
from bot.store import agenda
from bot.store.models import Heartbeat, InboxUpdate
from bot.usecases import skipped, upkeep
from bot.work import Work, run
from schedules.agenda import ESCALATIONS

log = structlog.get_logger(__name__)

NAME = "watchdog"
LATE = timedelta(minutes=10)
SET_BACK = timedelta(minutes=1)


async def look(deps: Deps) -> None:
    """Close what a dead sender left; tell of updates not handled, of what came too late, and of work left lying."""
    await run(deps, BOT, "job:watchdog", mend_clock)
    left = await run(deps, BOT, "job:watchdog", dispatch.settle_abandoned)
    if left:
        log.warning("watchdog.unsure", messages=left)
    for number in await deps.store.read(upkeep.parked):
        try:
            await run(deps, BOT, "job:watchdog", upkeep.report_parked, number)
        except Exception:
            log.exception("watchdog.parked_not_told", inbox=number)
    if await deps.store.read(lambda session: skipped.is_due(session, deps.clock.now())):
        unsaid = await run(deps, BOT, "job:watchdog", skipped.tell)
        if unsaid:
            log.warning("watchdog.too_late", items=unsaid)
    late = await deps.store.read(lambda session: len(agenda.overdue_since(session, deps.clock.now() - LATE)))
    if late:
        log.error("watchdog.overdue", items=late)
    await deps.store.write(lambda session: beat(session, deps))


def mend_clock(work: Work) -> None:
    """Bring cases back into the present when the clock was set back: their next page must not wait for the step."""
    heart = work.session.get(Heartbeat, NAME)
    if heart is not None and heart.at > work.now + SET_BACK:
        log.error("clock.set_back", seconds=round((heart.at - work.now).total_seconds()))
        upkeep.set_back(work, heart.at - work.now, ESCALATIONS)


_WAITING = select(InboxUpdate.id).where(col(InboxUpdate.state) == "waiting").limit(1000)


def beat(session: Session, deps: Deps) -> None:
    """Write down that the bot is at work."""
    waiting = len(session.exec(_WAITING).all())
    session.merge(Heartbeat(name=NAME, at=deps.clock.now(), detail={"inbox": waiting}))
