"""Which jobs run, and how often? The one list; jobs say "now", tables say what is due."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot.deps import Deps
from schedules import agenda, watchdog

log = structlog.get_logger(__name__)

# The shortest period of a job in real seconds, however fast a rehearsal runs.
SHORTEST_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Job:
    """A fixed job; ``seconds`` of the bot's time lie between two runs."""

    name: str
    seconds: float
    run: Callable[[Deps], Awaitable[None]]


JOBS = (
    Job("escalations", 1.0, agenda.escalations),
    Job("reminders", 10.0, agenda.reminders),
    Job("prompts", 10.0, agenda.prompts),
    Job("watchdog", 60.0, watchdog.look),
)


def register(scheduler: AsyncIOScheduler, deps: Deps) -> None:
    """Enter the jobs, the first run at once. A late tick runs, several missed ones run as one."""
    for job in JOBS:
        scheduler.add_job(
            _run,
            "interval",
            args=[job, deps],
            id=job.name,
            seconds=max(job.seconds / deps.clock.speed, SHORTEST_SECONDS),
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1,
            next_run_time=datetime.now(UTC),
        )


async def _run(job: Job, deps: Deps) -> None:
    try:
        await job.run(deps)
    except asyncio.CancelledError:
        # The bot is being stopped. What was begun is committed or not; what is still due waits for the next start.
        log.info("job.cut_off", job=job.name)
