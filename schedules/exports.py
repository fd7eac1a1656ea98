"""The files that physicians asked for in the chat are made here, beside everything else."""

import asyncio
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
from sqlmodel import Session

from bot.deps import Deps
from bot.domain.people import BOT
from bot.store import agenda
from bot.store.models import AgendaItem
from bot.usecases import export
from bot.work import Work, run

log = structlog.get_logger(__name__)

JOB = "job:exports"


async def make(deps: Deps) -> None:
    """Make what is asked for, one after the other; what fails is told, and asked for again by a person."""
    while due := await deps.store.read(lambda session: agenda.due(session, (export.MAKE,), deps.clock.now(), 1)):
        number = due[0]
        try:
            # On a thread of its own: what others want to read must not wait for it.
            ready = await asyncio.to_thread(deps.store.read_now, partial(_made, deps=deps, number=number))
            await run(deps, BOT, JOB, export.hand_over, number, ready)
        except Exception:
            log.exception("export.failed", item=number)
            deps.metrics.fault("agenda")
            await run(deps, BOT, JOB, export.fail, number)
        deps.outgoing.set()


def _made(session: Session, *, deps: Deps, number: int) -> export.Ready:
    # Read late: most starts of the bot never make an export.
    from bot.exports import files, making

    now = deps.clock.now()
    item = session.get_one(AgendaItem, number)
    if export.wanted_by(Work(session, deps, BOT, JOB, now), item) is None:
        return export.Ready(None, 0, 0, "")
    # Without the audit trail: in the chat it would be most of the file.
    wanted = making.Wanted(making.Form(item.detail["form"]), locale=item.detail["locale"], audit_trail=False)
    with TemporaryDirectory(prefix="followup-export-") as place:
        folder, archive = Path(place) / "files", Path(place) / "archive.zip"
        folder.mkdir(mode=0o700)
        made = making.write(session, deps, wanted, folder, now)
        files.zipped(folder, archive)
        megabytes = -(-archive.stat().st_size // 1_000_000)
        content = archive.read_bytes() if megabytes <= export.LARGEST_MB else None
    return export.Ready(content, megabytes, made.rows, made.manifest_sha256)
