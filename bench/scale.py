"""Does the bot's work grow with what is due, or with how many subjects there are, from a thousand to a million?

A real PostgreSQL is filled with subjects who have a past and a plan (bench/crowd.py). Then the bot's own jobs,
claims and queries run, each size in a process of its own: with nothing due, with the same number due, with
backlogs, and with everybody to be asked after an outage.
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import random
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import schedules
from bench import botapi, bots, crowd, report
from bench.cost import ROUNDS, least, processor
from bench.crowd import BOT_ID, FIRST_CHAT, Crowd
from bench.people import TOKEN
from bot import app
from bot.clock import SetClock
from bot.delivery import metrics
from bot.delivery.channel import Outcome, Sent
from bot.delivery.dispatch import Dispatcher, settle_abandoned
from bot.delivery.http import NotSent, check_answer
from bot.delivery.pacing import Unpaced
from bot.deps import Deps
from bot.domain.people import BOT, Caller
from bot.domain.roles import Role
from bot.simulator.request import SimulatedRequest
from bot.simulator.telegram import SimulatedTelegram
from bot.store import agenda, chain, inbox, outbox
from bot.store.models import OutboxMessage
from bot.usecases import due, outage, staff_queries
from bot.work import Work, run
from schedules.agenda import BATCH, REMINDERS

SIZES = (1_000, 10_000, 100_000, 1_000_000)
DUE = 200  # of a kind in the measured tick; a thousand subjects have 500 questions a day
WARM = 20
STARTS = 5
CLAIMS = 40
UPDATES = 100
BACKLOGS = (10_000, 100_000)
ROOM = outbox.Room(8, 10)
MOST = 3.0  # what the largest may cost, as a multiple of the smallest
FASTEST = 30  # messages a second that Telegram takes from one bot

IDLE = "tick with nothing due: "
REMIND, ASK, SEND, ANSWER = "visit reminder due", "tablets question due", "message sent", "update answered"
# What a day brings for a subject, on average: half of the subjects take tablets, half of these are asked twice;
# three reminders for each blood count, every week, and for each injection, every three weeks.
A_DAY = {
    ASK: 0.5 + 0.25,
    REMIND: 3 / 7 + 0.9 * 3 / 21,
    ANSWER: 0.5,
}


@dataclass
class Figure:
    """One measured value; ``flat`` says that it is promised not to grow with the number of subjects."""

    name: str
    unit: str
    value: float
    flat: bool = True


@dataclass
class Found:
    """What one size showed."""

    subjects: int
    figures: list[Figure] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)  # processor seconds an item, the database's included
    wall: dict[str, float] = field(default_factory=dict)  # seconds an item
    load: list[float] = field(default_factory=list)  # of the machine, at the start and at the end

    def add(self, name: str, unit: str, value: float, *, flat: bool = True) -> None:
        self.figures.append(Figure(name, unit, value, flat))


class Memory:
    """A channel that takes everything at once."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    async def deliver(self, _message: OutboxMessage) -> Outcome:
        return Sent(next(self._numbers))


# Watching


def resident() -> float:
    """Return the memory of this process in MB (10^6 bytes)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def each_of(found: Found, name: str, server: int | None, items: int) -> Iterator[None]:
    """Note what one of so many items costs; a later time replaces an earlier one."""
    cpu, began = processor(server), time.perf_counter()
    yield
    found.wall[name] = (time.perf_counter() - began) / items
    found.cpu[name] = (processor(server) - cpu) / items


# One size


def measure(url: str, subjects: int, seed: int) -> Found:
    """Fill a database and measure; runs in a process of its own."""
    found = Found(subjects)
    with bots.using(url) as deps:
        people = Crowd(deps, subjects)
    began = time.perf_counter()
    people.fill()
    found.add("filled in", "s", time.perf_counter() - began, flat=False)
    found.add("database", "MB", people.size(), flat=False)
    try:
        asyncio.run(_measure(found, url, people, random.Random(seed).random()))
    finally:
        people.close()
    return found


async def _measure(found: Found, url: str, people: Crowd, begin: float) -> None:
    found.load.append(os.getloadavg()[0])
    found.add("open the database", "ms", await least(lambda: asyncio.to_thread(_open, url), STARTS))
    deps = bots.opened(url)
    telegram = SimulatedTelegram(SetClock(bots.START), token=TOKEN)

    def request() -> SimulatedRequest:
        return SimulatedRequest(telegram, check=check_answer, not_sent=NotSent)

    try:
        async with app.running(deps, request(), request()) as bot:
            found.add("memory after the start", "MB", resident())
            await _seal(found, bot.deps, people)
            dispatcher = Dispatcher(bot.deps, Memory(), bot.leadership, Unpaced())
            await _idle(found, bot.deps)
            await _due(found, bot.deps, people, dispatcher, begin)
            await _updates(found, bot, people, dispatcher)
            for name, seconds in found.cpu.items():
                found.add(f"each {name}, processor time", "ms", seconds * 1000)
            await _lists(found, bot.deps, people)
            await _backlogs(found, bot.deps, people)
            found.add("memory after all this", "MB", resident())
            await _everybody(found, bot.deps)
            found.load.append(os.getloadavg()[0])
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
            found.add("most memory at any time", "MB", peak / 1e6)
    finally:
        deps.store.close()


def _open(url: str) -> None:
    """Do what a start does to the database."""
    with bots.using(url) as deps:
        deps.store.write_now(lambda session: settle_abandoned(Work(session, deps, BOT, "bench", deps.clock.now())))


async def _seal(found: Found, deps: Deps, people: Crowd) -> None:
    server, entries = people.server, crowd.AUDIT_ENTRIES * found.subjects
    began = processor(server)
    assert await asyncio.to_thread(chain.seal_all, deps.store, bots.START)
    sealed = (processor(server) - began) / entries
    found.add("seal 1,000 audit entries, processor time", "ms", sealed * 1e6)


async def _idle(found: Found, deps: Deps) -> None:
    total = 0.0
    for job in schedules.JOBS:
        took = await least(lambda job=job: job.run(deps))  # type: ignore[misc]
        total += took
        found.add(IDLE + job.name, "ms", took)
    found.add(IDLE + "all jobs", "ms", total)


async def _due(found: Found, deps: Deps, people: Crowd, dispatcher: Dispatcher, begin: float) -> None:
    """Let reminders and questions fall due that are spread over the whole study; a few first, to warm up."""
    apart = found.subjects // (DUE + WARM)
    kinds = (
        (REMIND, crowd.DUE_REMINDERS, schedules.agenda.reminders, apart),
        (ASK, crowd.DUE_PROMPTS, schedules.agenda.prompts, apart // 2),
    )
    done = 0
    for many in (WARM, DUE):
        for name, script, job, step in kinds:
            first = 1 + int(begin * step) + done * step
            assert people.run(script, begin=first, step=step, first=0, last=many - 1) == many, name
            with each_of(found, name, people.server, many):
                await job(deps)
        with each_of(found, SEND, people.server, 2 * many):
            assert await dispatcher.drain() == 2 * many
        done += many


async def _updates(found: Found, bot: app.Running, people: Crowd, dispatcher: Dispatcher) -> None:
    """Let patients ask for their visits, spread over the whole study too."""
    deps, bot_id, step = bot.deps, bot.application.bot.id, found.subjects // (UPDATES + WARM)
    given = [botapi.text_update(FIRST_CHAT + 1 + n * step, "/visits", n) for n in range(UPDATES + WARM)]
    for number, update in enumerate(given):
        update["update_id"] = FIRST_CHAT + number
    for updates in (given[:WARM], given[WARM:]):
        kept = await deps.store.write(
            lambda session, updates=updates: inbox.keep(session, bot_id, updates, bots.START)  # type: ignore[misc]
        )
        with each_of(found, ANSWER, people.server, kept):
            assert await bot.pump.drain() == len(updates)
    assert await dispatcher.drain() == len(given)


async def _lists(found: Found, deps: Deps, people: Crowd) -> None:
    nurse = Caller(Role.COORDINATOR, people.many + 1, "en", staff_id=1)
    for name, show in (("/due", due.show_due), ("/patients", staff_queries.show_patients)):
        found.add(f"{name} for staff", "ms", await least(lambda show=show: run(deps, nurse, "bench", show), 5))  # type: ignore[misc]
    found.add("/metrics, nothing waits", "ms", await least(lambda: _page(deps)))


async def _page(deps: Deps) -> object:
    return await deps.store.read(lambda session: metrics.backlog(session, deps.clock.now()))


async def _backlogs(found: Found, deps: Deps, people: Crowd) -> None:
    made = 0
    for backlog in BACKLOGS:
        people.run(crowd.OUTBOX_BACKLOG, first=made, last=backlog - 1)
        made = backlog
        people.settle()
        took = await least(lambda: _claim(deps), CLAIMS)
        found.add(f"claim {ROOM.any} of {backlog:,} messages", "ms", took)
        found.add(f"claimed of {backlog:,}", "/s", ROOM.any / took * 1000, flat=False)
    people.run(crowd.INBOX_BACKLOG, first=0, last=BACKLOGS[0] - 1)
    people.settle()
    found.add(f"next 16 of {BACKLOGS[0]:,} updates", "ms", await least(lambda: _waiting(deps)))
    numbers = itertools.count(2 * people.many)
    found.add(f"take one of {BACKLOGS[0]:,} updates", "ms", await least(lambda: _take(deps, next(numbers))))
    found.add("/metrics over these backlogs", "ms", await least(lambda: _page(deps)))
    found.add("watchdog over these backlogs", "ms", await least(lambda: schedules.watchdog.look(deps)))


async def _claim(deps: Deps) -> object:
    epoch = deps.standing.epoch
    return await deps.store.write(lambda session: outbox.claim_due(session, deps.clock.now(), epoch, [], [], ROOM))


async def _waiting(deps: Deps) -> object:
    return await deps.store.read(lambda session: inbox.waiting(session, BOT_ID, [], 16))


async def _take(deps: Deps, number: int) -> None:
    def take(session: Any) -> bool:
        taken = inbox.take(session, BOT_ID, number)
        if taken.row is not None:
            inbox.close(taken.row, "done", deps.clock.now())
        return taken.mine

    assert await deps.store.write(take)


async def _everybody(found: Found, deps: Deps) -> None:
    """Plan to ask everybody after an outage; then look what is due, and let a tick of the red lane run."""
    since, until = deps.clock.now() - timedelta(days=1), deps.clock.now()
    began = time.perf_counter()
    asked = await run(deps, BOT, "bench", outage.ask_all, since, until)
    found.add("everybody planned to be asked again", "s", time.perf_counter() - began, flat=False)
    assert asked == found.subjects, asked
    assert await run(deps, BOT, "bench", outage.ask_all, since, until) == 0
    crowd_due = await least(
        lambda: deps.store.read(lambda session: agenda.due(session, REMINDERS, deps.clock.now(), BATCH))
    )
    found.add("next 50 while all are due", "ms", crowd_due)
    found.add("page of a case looked for meanwhile", "ms", await least(lambda: schedules.agenda.escalations(deps)))


# The report


def broken(found: Sequence[Found]) -> list[str]:
    """Return what costs more than `MOST` times as much with the most subjects as with the fewest."""
    said = []
    for first, last in zip(found[0].figures, found[-1].figures, strict=True):
        if first.flat and last.value > MOST * first.value:
            said.append(
                f"{first.name}: {last.value:.2f} {first.unit} at {found[-1].subjects:,} subjects, "
                f"{last.value / first.value:.1f} times that at {found[0].subjects:,}"
            )
    return said


def shown(found: Sequence[Found], *, flat: bool) -> str:
    rows = []
    for figures in zip(*(each.figures for each in found), strict=True):
        if figures[0].flat is not flat:
            continue
        base = figures[0].value
        cells = [f"{each.value:,.{2 if each.value < 100 else 0}f} ({each.value / base:.1f})" for each in figures]
        rows.append([f"{figures[0].name}, {figures[0].unit}", *cells])
    return report.table(["", *(f"{each.subjects:,}" for each in found)], rows)


def shown_day(found: Sequence[Found]) -> str:
    """Return what a day costs: what falls due for so many subjects, times what each costs."""
    rows = []
    for each in found:
        work = {name: share * each.subjects for name, share in A_DAY.items()}
        messages = sum(work.values())  # each question, reminder and answer is one
        hours = (sum(count * each.cpu[name] for name, count in work.items()) + messages * each.cpu[SEND]) / 3600
        in_turn = (work[ASK] * each.wall[ASK] + work[REMIND] * each.wall[REMIND]) / 3600
        rows.append(
            [
                f"{each.subjects:,}",
                f"{work[ASK]:,.0f}",
                f"{work[REMIND]:,.0f}",
                f"{work[ANSWER]:,.0f}",
                f"{messages:,.0f}",
                f"{hours:.2f}",
                f"{in_turn:.2f}",
                f"{messages / FASTEST / 3600:.2f}",
            ]
        )
    head = ["subjects", "questions", "reminders", "answers taken", "messages", "processor hours"]
    return report.table([*head, "hours of the jobs", f"hours at {FASTEST} messages/s"], rows)


def shown_items(found: Sequence[Found]) -> str:
    rows = [
        [name, *(f"{each.wall[name] * 1000:.1f} / {each.cpu[name] * 1000:.1f}" for each in found)]
        for name in (REMIND, ASK, SEND, ANSWER)
    ]
    return report.table(["ms each: time / processor", *(f"{each.subjects:,}" for each in found)], rows)


NOTE = """In brackets: the ratio to the fewest subjects. Times are the best of {rounds} runs, for others used the
machine too (load average at the start and the end of each size: {load}; above 2 its cores were not enough). Of what
is due, {due} of each kind are worked on, spread over all subjects; the seed says where it begins. Processor time is
that of the bot and of the whole database, which run on the same machine. Messages go to a channel in memory that
takes them at once.

The day: every other subject takes tablets and answers once a day; half of these are asked a second time; three
reminders for each weekly blood count and for each injection in three weeks. "Hours of the jobs" is what one process
needs for questions and reminders, which it works on one after the other. "Answered" updates ask for /visits."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--seed", type=int, default=1, help="where in the study the first thing is due")
    parser.add_argument("--write", action="store_true", help="write docs/evidence/scale.md")
    given = parser.parse_args()
    found: list[Found] = []
    said: list[str] = []
    # Each size in a process of its own, or the memory of one would be that of the largest before it.
    fresh_process = multiprocessing.get_context("spawn")
    with bots.databases() as fresh:
        for subjects in given.subjects:
            try:
                with ProcessPoolExecutor(1, mp_context=fresh_process) as process:
                    found.append(process.submit(measure, fresh(), subjects, given.seed).result())
            except BrokenProcessPool:
                # Out of memory or stopped: what was measured before it is shown all the same.
                said.append(f"{subjects:,} subjects: the measurement was broken off")
                break
            sys.stderr.write(json.dumps({each.name: round(each.value, 2) for each in found[-1].figures}) + "\n")
    said += broken(found)
    body = "\n\n".join(
        [
            "What may not grow with the number of subjects, at most "
            f"{MOST:.0f} times from the fewest to the most:\n\n" + shown(found, flat=True),
            "## What grows with the number of subjects",
            shown(found, flat=False),
            "## What a day costs",
            shown_items(found),
            shown_day(found),
            "## Promises not kept",
            "\n".join(f"- {each}" for each in said) or "None.",
        ]
    )
    if given.write:
        load = "; ".join(" and ".join(f"{each:.1f}" for each in one.load) for one in found)
        note = NOTE.format(rounds=ROUNDS, due=DUE, load=load)
        command = f"python -m bench.scale --subjects {' '.join(map(str, given.subjects))} --seed {given.seed}"
        title = "Does the work grow with what is due, or with how many there are?"
        report.write("scale", title, command, body, seed=given.seed, note=note)
    else:
        sys.stdout.write(body + "\n")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
