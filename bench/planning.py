"""Does planning cost what is due, or does it grow with how many subjects there are? And with a job a reminder?

A database is filled with subjects who have a past and a plan (bench/crowd.py). Then the bot's own job runs with
nothing due and with a hundred reminders due, visits are moved and subjects planned anew. Beside it APScheduler does
the same with one stored job a reminder, in the same database, opened as the bot opens it.
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import pickle
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from apscheduler.events import EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger
from sqlalchemy import Engine, func, update
from sqlmodel import Session, col, select

import schedules
from bench import bots, cost, report
from bench.cost import Cost, best_of
from bench.crowd import Crowd
from bench.people import TOKEN
from bot import app
from bot.clock import SetClock
from bot.delivery.http import NotSent, check_answer
from bot.deps import Deps
from bot.domain.people import BOT
from bot.domain.visits import VisitKind
from bot.simulator.request import SimulatedRequest
from bot.simulator.telegram import SimulatedTelegram
from bot.store import chain, visits
from bot.store.models import AgendaItem, Subject
from bot.usecases import plan
from bot.usecases.visit_reminders import REMINDER
from bot.work import Work, run

SIZES = (1_000, 100_000, 1_000_000)
SQLITE, POSTGRESQL, APSCHEDULER = "sqlite", "postgresql", "apscheduler"
DUE = 100
ROUNDS = 3
TICKS = 50  # a round, with nothing due
CHANGES = 15  # a round, of visits moved and of subjects planned anew
CHANGE_ROUNDS = 3
NEEDED = (1 + ROUNDS) * DUE + 2 * (1 + CHANGE_ROUNDS) * CHANGES  # subjects, each used once
MOST = 3.0  # what the largest may cost, as a multiple of the smallest
BATCH = 10_000  # jobs put in at once

FOLLOWUP = "the bot"
IDLE, EACH, MOVED = "tick with nothing due", f"each of {DUE} due", "one moved"
ALL_JOBS, ANEW, ADDED = "all jobs once, nothing due", "one subject planned anew", "one added"


@dataclass
class Found:
    """What one size showed."""

    system: str
    database: str
    subjects: int
    filled: float = 0.0  # seconds
    load: list[float] = field(default_factory=list)  # of the machine, at the start and at the end
    costs: dict[str, Cost] = field(default_factory=dict)


# The bot


def measure_bot(url: str, database: str, subjects: int, seed: int) -> Found:
    """Fill a database and measure; runs in a process of its own."""
    found = Found(FOLLOWUP, database, subjects, load=[os.getloadavg()[0]])
    with bots.using(url) as deps:
        people = Crowd(deps, subjects)
        server = people.server
        began = time.perf_counter()
        people.fill()
        found.filled = time.perf_counter() - began
        people.close()
    chosen = iter(random.Random(seed).sample(range(1, subjects + 1), NEEDED))
    asyncio.run(_measure_bot(found, url, server, chosen))
    found.load.append(os.getloadavg()[0])
    return found


async def _measure_bot(found: Found, url: str, server: int | None, chosen: Iterator[int]) -> None:
    deps = bots.opened(url)
    telegram = SimulatedTelegram(SetClock(bots.START), token=TOKEN)

    def request() -> SimulatedRequest:
        return SimulatedRequest(telegram, check=check_answer, not_sent=NotSent)

    try:
        async with app.running(deps, request(), request()) as bot:
            assert await asyncio.to_thread(chain.seal_all, bot.deps.store, bots.START)
            await _ticks(found, bot.deps, server, chosen)
            await _changes(found, bot.deps, server, chosen)
    finally:
        deps.store.close()


async def _ticks(found: Found, deps: Deps, server: int | None, chosen: Iterator[int]) -> None:
    due: list[int] = []

    async def nothing() -> None:
        for _ in range(TICKS):
            await schedules.agenda.reminders(deps)

    async def all_jobs() -> None:
        for _ in range(TICKS // 10):
            for job in schedules.JOBS:
                await job.run(deps)

    async def fall_due() -> None:
        due[:] = itertools.islice(chosen, DUE)
        assert await deps.store.write(lambda session: make_due(session, due, deps.clock.now())) == DUE

    found.costs[IDLE] = await best_of(server, TICKS, nothing, ROUNDS)
    found.costs[ALL_JOBS] = await best_of(server, TICKS // 10, all_jobs, ROUNDS)
    found.costs[EACH] = await best_of(server, DUE, lambda: schedules.agenda.reminders(deps), ROUNDS, fall_due)
    done = await deps.store.read(lambda session: count_done(session, due))
    assert done == DUE, f"{done} of {DUE} were worked on"


def _keys(subjects: Sequence[int]) -> list[str]:
    """Return the last reminder of each one's blood count, which has the number of the subject."""
    return [f"{REMINDER}:{number}:1:same_day" for number in subjects]


def make_due(session: Session, subjects: Sequence[int], now: datetime) -> int:
    """Let a reminder of each subject fall due; return how many did."""
    changed = update(AgendaItem).where(col(AgendaItem.key).in_(_keys(subjects))).values(due_at=now)
    return session.connection().execute(changed).rowcount


def count_done(session: Session, subjects: Sequence[int]) -> int:
    """Return how many were worked on: reminded, or told together with what comes to them the same day."""
    wanted = (col(AgendaItem.key).in_(_keys(subjects)), AgendaItem.state == "done")
    return session.exec(select(func.count()).where(*wanted)).one()


async def _changes(found: Found, deps: Deps, server: int | None, chosen: Iterator[int]) -> None:
    for name, change in ((MOVED, move), (ANEW, plan_anew)):

        async def all_of_round(change: Callable[[Work, int], None] = change) -> None:
            for number in itertools.islice(chosen, CHANGES):
                await run(deps, BOT, "command:bench", change, number)

        found.costs[name] = await best_of(server, CHANGES, all_of_round, CHANGE_ROUNDS)


def move(work: Work, number: int) -> None:
    """Move the blood count of a subject by a day, as staff do."""
    visit = visits.open_one(work.session, work.session.get_one(Subject, number), VisitKind.CBC)
    assert visit is not None
    plan.move(work, visit, visit.target_on + timedelta(days=1))


def plan_anew(work: Work, number: int) -> None:
    """Plan everything of a subject again, as after staff changed how often blood is counted."""
    subject = work.session.get_one(Subject, number)
    subject.cbc_interval_days = 14
    plan.replan_all(work, subject, "interval changed")


# APScheduler


async def nothing() -> None:
    """Do what a job does here."""


JOB = "bench.planning:nothing"


def measure_scheduler(url: str, database: str, jobs: int, seed: int) -> Found:
    """Store so many jobs and measure; runs in a process of its own."""
    found = Found(APSCHEDULER, database, jobs, load=[os.getloadavg()[0]])
    with bots.using(url) as deps:
        server = cost.server_of(deps.store.url)
        asyncio.run(_measure_scheduler(found, deps.store.engine, server, random.Random(seed)))
    found.load.append(os.getloadavg()[0])
    return found


async def _measure_scheduler(found: Found, engine: Engine, server: int | None, dice: random.Random) -> None:
    store = SQLAlchemyJobStore(engine=engine)
    scheduler = AsyncIOScheduler(
        jobstores={"default": store}, timezone=UTC, job_defaults={"misfire_grace_time": None}
    )
    later = datetime.now(UTC) + timedelta(days=1)
    names = itertools.count()
    done: list[str] = []
    all_done = asyncio.Event()

    def note(event: JobExecutionEvent) -> None:
        done.append(event.job_id)
        if len(done) == DUE:
            all_done.set()

    scheduler.add_listener(note, EVENT_JOB_EXECUTED)
    scheduler.start()

    # Changing a job wakes the scheduler, which then looks what is due; that happens as soon as the loop turns.
    async def add() -> None:
        for number in range(CHANGES):
            scheduler.add_job(JOB, "date", run_date=later + timedelta(seconds=number), id=f"added:{next(names)}")
            await asyncio.sleep(0)

    async def wake_up() -> None:
        for _ in range(TICKS):
            scheduler.wakeup()
            await asyncio.sleep(0)

    async def fall_due() -> None:
        scheduler.pause()
        for _ in range(DUE):
            scheduler.add_job(JOB, "date", run_date=datetime.now(UTC), id=f"due:{next(names)}")
        await asyncio.sleep(0)
        done.clear()
        all_done.clear()

    async def all_due() -> None:
        scheduler.resume()
        await all_done.wait()

    async def reschedule() -> None:
        for number in range(CHANGES):
            scheduler.reschedule_job(
                f"job:{dice.randrange(found.subjects)}", trigger="date", run_date=later + timedelta(seconds=number)
            )
            await asyncio.sleep(0)

    try:
        scheduler.add_job(JOB, "date", run_date=later, id="first")
        began = time.perf_counter()
        put_in(store, engine, scheduler.get_job("first").__getstate__(), found.subjects, later)
        found.filled = time.perf_counter() - began
        found.costs[ADDED] = await best_of(server, CHANGES, add, CHANGE_ROUNDS)
        found.costs[IDLE] = await best_of(server, TICKS, wake_up, ROUNDS)
        found.costs[EACH] = await best_of(server, DUE, all_due, ROUNDS, fall_due)
        found.costs[MOVED] = await best_of(server, CHANGES, reschedule, CHANGE_ROUNDS)
    finally:
        scheduler.shutdown(wait=False)


def put_in(store: SQLAlchemyJobStore, engine: Engine, state: dict[str, Any], many: int, later: datetime) -> None:
    """Store jobs as the store would, in batches: one by one, each its own commit, a million would take hours."""
    for first in range(0, many, BATCH):
        rows = []
        for number in range(first, min(first + BATCH, many)):
            at = later + timedelta(seconds=number)
            job = {**state, "id": f"job:{number}", "trigger": DateTrigger(at, UTC), "next_run_time": at}
            rows.append(
                {
                    "id": job["id"],
                    "next_run_time": at.timestamp(),
                    "job_state": pickle.dumps(job, store.pickle_protocol),
                }
            )
        with engine.begin() as connection:
            connection.execute(store.jobs_t.insert(), rows)


# The report


def series(found: Sequence[Found]) -> list[list[Found]]:
    """Return what was found by system and database, the smallest size first."""
    kept: dict[tuple[str, str], list[Found]] = {}
    for each in sorted(found, key=lambda one: one.subjects):
        kept.setdefault((each.system, each.database), []).append(each)
    return list(kept.values())


def broken(found: Sequence[Found]) -> list[str]:
    """Return what of the bot costs more than `MOST` times as much with the most subjects as with the fewest."""
    said = []
    for sizes in series(found):
        first, last = sizes[0], sizes[-1]
        for name, base in first.costs.items():
            if first.system == FOLLOWUP and last.costs[name].cpu > MOST * base.cpu:
                said.append(
                    f"{first.database}, {name}: {last.costs[name].cpu:.2f} ms at {last.subjects:,} subjects, "
                    f"{last.costs[name].cpu / base.cpu:.1f} times that at {first.subjects:,}"
                )
    return said


def shown(sizes: Sequence[Found]) -> str:
    """Return the costs of one system in one database, with the ratio to the smallest size."""
    rows = []
    for name, base in sizes[0].costs.items():
        costs = [each.costs[name] for each in sizes]
        rows.append([name, *(f"{each.cpu:.2f} / {each.wall:.2f} ({each.cpu / base.cpu:.1f})" for each in costs)])
    rows.append(["filled in, s", *(f"{each.filled:.1f}" for each in sizes)])
    return report.table(["ms, processor / time", *(f"{each.subjects:,}" for each in sizes)], rows)


def shown_ratios(found: Sequence[Found]) -> str:
    """Return what the bot costs as a multiple of APScheduler, where both do the like."""
    there = {(each.system, each.database, each.subjects): each for each in found}
    rows = []
    for (system, database, subjects), ours in there.items():
        theirs = there.get((APSCHEDULER, database, subjects))
        if system == FOLLOWUP and theirs is not None:
            ratios = [f"{ours.costs[name].cpu / theirs.costs[name].cpu:.1f}" for name in (IDLE, EACH, MOVED)]
            rows.append([database, f"{subjects:,}", *ratios])
    return report.table(["database", "subjects, jobs", IDLE, EACH, MOVED], rows) if rows else "Not measured."


NOTE = """Each figure is the best of {rounds} rounds or more, for others used the machine too (load average at the
start and at the end of each size: {load}; above 2 its cores were not enough). In brackets: the ratio of the processor
time to that with the fewest. Processor time is that of the process and, with PostgreSQL, of the whole database, which
run on the same machine. The subjects that are worked on are drawn by the seed.

The bot: a tick is that of the job for reminders. Each reminder that is due is a transaction of its own, which reads
the visit and the subject, counts what the patient heard today, writes the message in words with its buttons to the
outbox, and closes the entry. A visit that is moved takes back what hung on the old day, enters its new reminders,
chases and tasks, and leaves an audit entry; planning anew does so for all visits of a subject and announces the days.

APScheduler {version}, `AsyncIOScheduler` with `SQLAlchemyJobStore` on the bot's own connections (same settings of
the database), `misfire_grace_time=None`, one `date` job a subject that does nothing, though a subject of the bot has
about a dozen entries in its agenda. A job that ran is removed; that is all which stays of it. So the ratio says what
the rest costs, not which is faster at the same. Most jobs were stored in batches; "one added" is by `add_job`."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    choices = (SQLITE, POSTGRESQL, APSCHEDULER)
    parser.add_argument(
        "--only", nargs="+", choices=choices, default=list(choices), help="databases, and whether beside APScheduler"
    )
    parser.add_argument("--seed", type=int, default=1, help="which subjects are worked on")
    parser.add_argument("--write", action="store_true", help="write docs/evidence/planning.md")
    given = parser.parse_args()
    if min(given.sizes) < NEEDED:
        parser.error(f"at least {NEEDED} subjects are needed, each is worked on once")
    found: list[Found] = []
    fresh_process = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="followup-planning-")))
        fresh: dict[str, Callable[[], str]] = {}
        if SQLITE in given.only:
            names = itertools.count()
            fresh[SQLITE] = lambda: f"sqlite:///{folder / f'{next(names)}.db'}"
        if POSTGRESQL in given.only:
            fresh[POSTGRESQL] = stack.enter_context(bots.databases())
        measures = [measure_bot, *([measure_scheduler] if APSCHEDULER in given.only else [])]
        for database, subjects, measure in itertools.product(fresh, sorted(given.sizes), measures):
            # In a process of its own, so that none has the memory and the caches of the one before it.
            with ProcessPoolExecutor(1, mp_context=fresh_process) as process:
                found.append(process.submit(measure, fresh[database](), database, subjects, given.seed).result())
            costs = {name: round(each.cpu, 2) for name, each in found[-1].costs.items()}
            sys.stderr.write(f"{found[-1].system}, {database}, {subjects:,}: {json.dumps(costs)}\n")
    said = broken(found)
    parts = [f"## {sizes[0].system.capitalize()}, {sizes[0].database}\n\n{shown(sizes)}" for sizes in series(found)]
    body = "\n\n".join(
        [
            f"What the bot does may cost at most {MOST:.0f} times as much processor time with the most subjects as "
            "with the fewest.",
            *parts,
            "## The bot as a multiple of APScheduler, processor time",
            shown_ratios(found),
            "## Promises not kept",
            report.promises(said),
        ]
    )
    load = "; ".join(" and ".join(f"{each:.1f}" for each in one.load) for one in found)
    command = (
        f"python -m bench.planning --sizes {' '.join(map(str, sorted(given.sizes)))} "
        f"--only {' '.join(given.only)} --seed {given.seed}"
    )
    return report.finish(
        "planning",
        "Does planning grow with what is due, or with how many there are?",
        command,
        body,
        said,
        to_file=given.write,
        seed=given.seed,
        note=NOTE.format(rounds=CHANGE_ROUNDS, load=load, version=version("apscheduler")),
    )


if __name__ == "__main__":
    sys.exit(main())
