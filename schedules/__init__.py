"""Which jobs run, and how often? The one list; jobs say "now", tables say what is due."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot.clock import real_seconds
from bot.deps import Deps
from bot.domain.people import BOT
from bot.usecases import upkeep
from bot.work import run
from schedules import agenda, auditor, chain, drills, exports, outgoing, statistics, watchdog

log = structlog.get_logger(__name__)

ATTEND_SECONDS = 0.5
STEP_SECONDS = 30.0
# The shortest period of a job in real seconds, however fast a rehearsal runs.
SHORTEST_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Job:
    """A fixed job; ``seconds`` of the bot's time lie between two runs.

    ``looks_on`` says that it works on nothing that is due at a moment of its own: it looks after the rest.
    """

    name: str
    seconds: float
    run: Callable[[Deps], Awaitable[None]]
    looks_on: bool = False

    @property
    def period(self) -> timedelta:
        return timedelta(seconds=self.seconds)


JOBS = (
    Job("drills", 1.0, drills.keep_apart),
    Job("escalations", 1.0, agenda.escalations),
    Job("reminders", 10.0, agenda.reminders),
    Job("prompts", 10.0, agenda.prompts),
    Job("closures", 3600.0, agenda.look_ahead, looks_on=True),
    Job("rota", 60.0, agenda.rota, looks_on=True),
    Job("reach", 60.0, agenda.reachability),
    Job("staff_lists", 60.0, agenda.staff_lists),
    Job("second_channel", 5.0, outgoing.second_channel),
    Job("watchdog", 60.0, watchdog.look, looks_on=True),
    Job("heartbeat", 5.0, outgoing.tell_monitor),
    Job("auditor", 60.0, auditor.look, looks_on=True),
    Job("seal", 60.0, chain.seal, looks_on=True),
    Job("exports", 5.0, exports.make),
    Job("statistics", 86400.0, statistics.gather, looks_on=True),
)


def register(scheduler: AsyncIOScheduler, deps: Deps) -> None:
    """Enter the jobs, the first run at once. A late tick runs, several missed ones run as one."""
    deps.metrics.expect_jobs(job.name for job in JOBS)
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
    if not deps.standing.leads:
        return
    try:
        with deps.metrics.job(job.name):
            await job.run(deps)
    except asyncio.CancelledError:
        # The bot is being stopped. What was begun is committed or not; what is still due waits for the next start.
        log.info("job.cut_off", job=job.name)


async def attend(scheduler: AsyncIOScheduler, deps: Deps) -> None:
    """Run every job at once when this process begins to lead, and when the machine's clock was set.

    The scheduler reckons in the time of day: after a step back it would sleep for as long as the step.
    """
    led, wall, real = deps.standing.leads, datetime.now(UTC), real_seconds()
    while True:
        await asyncio.sleep(ATTEND_SECONDS)
        leads, wall_now, real_now = deps.standing.leads, datetime.now(UTC), real_seconds()
        step = (wall_now - wall).total_seconds() - (real_now - real)
        if abs(step) > STEP_SECONDS:
            log.error("clock.set", seconds=round(step))
            if leads:
                await _tell_of_step(deps, step)
        if abs(step) > STEP_SECONDS or (leads and not led):
            for job in scheduler.get_jobs():
                job.modify(next_run_time=wall_now)
        led, wall, real = leads, wall_now, real_now


async def _tell_of_step(deps: Deps, seconds: float) -> None:
    try:
        await run(deps, BOT, "job:clock", upkeep.tell_of_step, seconds)
    except Exception:
        log.exception("clock.not_told")
