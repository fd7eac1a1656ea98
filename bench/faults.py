"""What is lost, doubled or left lying when the network, Telegram, the disk, the database or the clock fails?

For each fault the real bot runs as a process of its own, with patients and staff, against an independent
Bot API server behind a middleman. While the fault lasts patients go on writing, RED words among it. Then
the fault is lifted, the bot has to recover by itself, and its tables are compared with the server's truth.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlmodel import Session, SQLModel, col, select

from bench import botapi, postgres, report
from bench.faulty import Fault, Machine, Middleman, between
from bench.people import SITE_PHONE, TOKEN
from bot import logs
from bot.cipher import Cipher
from bot.settings import Settings
from bot.store.models import AgendaItem, CaseMessage, Escalation, Heartbeat, InboxUpdate, OutboxMessage
from bot.store.session import Store
from bot.story import stage as stages
from bot.usecases import escalate
from bot.work import Lane
from tests.people import study

ROOT = Path(__file__).parents[1]
START = datetime.fromisoformat("2026-11-02T08:00:00+08:00")
FIRST_HOUR = timedelta(hours=2)  # the bot starts so long after the patients began
DAY = 86_400.0

PATIENTS = (21, 22, 23)
EVERY = 0.7  # seconds between two messages of patients
RED_EVERY = 4  # each so-many-th of them has RED words
PATIENCE = 190.0  # seconds a bot has to recover: a lapsed claim needs two minutes and the watchdog's round
START_PATIENCE = 60.0
RESTARTS_AFTER = 5.0  # seconds, as RestartSec in docs/operation.md
SIDE_BY_SIDE = 6  # cases at once; they wait more than they compute
PAGING_IS_LATE = timedelta(minutes=10)
BEAT_IS_LATE = timedelta(seconds=90)
DISK_MEGABYTES = 8


@dataclass
class Ground:
    """One bot with its world, and what a case may do to it."""

    name: str
    folder: Path
    url: str
    server: botapi.BotApi
    man: Middleman
    machine: Machine
    ahead: float
    health_port: int
    environment: dict[str, str]
    process: "subprocess.Popen[bytes] | None" = None
    ends: list[str] = field(default_factory=list)  # how the process ended, when it was not asked to
    health: Counter[str] = field(default_factory=Counter)
    pushed: list[int] = field(default_factory=list)
    words: list[tuple[int, str]] = field(default_factory=list)
    red: Counter[int] = field(default_factory=Counter)
    log_began: int = 0  # line of the log with which the fault began

    @property
    def now(self) -> datetime:
        """The bot's time."""
        return datetime.now(UTC) + timedelta(seconds=self.ahead + self.machine.clock_off)

    def spoil(self, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(self.machine, name, value)
        self.machine.write(self.folder / "machine.json")

    async def says(self, patient: int, *, red: bool) -> None:
        """Let a patient write something that was not written before."""
        number = len(self.words) + 1
        words = f"chest pain, can't breathe, number {number}" if red else f"message number {number} of this day"
        self.words.append((patient, words))
        self.red[patient] += red
        update = botapi.text_update(patient, words, number)
        self.pushed += await asyncio.to_thread(self.server.push, [update])

    async def talk(self, seconds: float) -> None:
        """Let the patients write for so long, one after the other."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            number = len(self.words)
            await self.says(PATIENTS[number % len(PATIENTS)], red=number % RED_EVERY == 1)
            await asyncio.sleep(EVERY)

    def start(self) -> None:
        words = [sys.executable, "-m", "bench.faulty", "--control", str(self.folder / "machine.json")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*words, "--ahead", str(self.ahead)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=self.environment,
                cwd=ROOT,
            )

    async def keep_running(self) -> None:
        """Do what a service manager does: start the bot again when it ends with a failure."""
        while True:
            if self.process is not None and (status := self.process.poll()) is not None:
                self.ends.append(f"exit {status}: {(self.log or [''])[-1]}")
                await asyncio.sleep(RESTARTS_AFTER)
                self.start()
            await asyncio.sleep(0.1)

    async def watch_health(self) -> None:
        """Ask /healthz as the hospital's monitoring does."""
        while True:
            self.health[await asyncio.to_thread(_health, self.health_port)] += 1
            await asyncio.sleep(0.5)

    @property
    def log(self) -> list[str]:
        return (self.folder / "log").read_text(errors="replace").splitlines()

    def begin(self) -> None:
        """Forget what the start of the bot brought: from here on the fault is what is seen."""
        self.log_began = len(self.log)
        self.health.clear()

    def logged(self, *levels: str) -> Counter[str]:
        """Return the events that were logged at these levels since the fault began."""
        found: Counter[str] = Counter()
        for line in self.log[self.log_began :]:
            with contextlib.suppress(ValueError, TypeError, KeyError):
                entry = json.loads(line)
                if entry["level"] in levels:
                    found[" ".join(str(entry["event"]).split())[:60]] += 1
        return found

    def has_started(self) -> bool:
        return self.logged("info")["started"] > 0

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        if self.process is not None:
            self.process.wait()


def _health(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=3) as answer:
            return "ok" if answer.status == 200 else str(answer.status)
    except urllib.error.HTTPError as error:
        return str(error.code)
    except OSError:
        return "no answer"


# The faults


Phase = Callable[[Ground], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Case:
    """One fault: how it is made, on which database, and whether people have to do something about it."""

    name: str
    phase: Phase
    database: str = "sqlite"
    people_act: bool = False
    clock: bool = False
    disk: bool = False  # the SQLite file lies on a disk of a few megabytes


def network(*faults: Fault, sending: float = 8.0, all_calls: float = 6.0) -> Phase:
    """Let the faults hit what is sent, while patients are still heard; then the polling as well."""

    async def phase(ground: Ground) -> None:
        ground.man.inject(*(replace(fault, polling=False) for fault in faults))
        await ground.talk(sending)
        ground.man.inject(*faults)
        await ground.talk(all_calls)
        ground.man.lift()

    return phase


async def refused(ground: Ground) -> None:
    await ground.man.refuse()
    await ground.talk(12)
    await ground.man.listen()


async def second_poller(ground: Ground) -> None:
    """Let another program ask for the same bot's updates, without confirming any."""

    async def ask_on() -> None:
        url = f"{ground.server.base_url}{TOKEN}/getUpdates?timeout=1"
        while True:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=30).close())
            ground.man.injected["second poll"] += 1
            await asyncio.sleep(0.3)

    other = asyncio.create_task(ask_on())
    await ground.talk(12)
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)


async def pages_full(ground: Ground) -> None:
    ground.spoil(pages_full=True)
    await ground.talk(15)
    ground.spoil(pages_full=False)
    ground.man.injected["no page more"] += 1


async def disk_full(ground: Ground) -> None:
    """Fill the disk under the database to the last byte."""
    filler = ground.folder / "disk" / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"0" * 512)
    ground.man.injected["disk full"] += 1
    await ground.talk(15)
    filler.unlink()


async def locked(ground: Ground) -> None:
    """Hold the write lock longer than the busy timeout, as a backup tool or a person in a database client does."""
    import sqlite3

    holder = sqlite3.connect(ground.url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    holder.execute("PRAGMA busy_timeout=5000")
    await asyncio.to_thread(holder.execute, "BEGIN IMMEDIATE")
    ground.man.injected["lock held"] += 1
    await ground.talk(25)
    holder.execute("ROLLBACK")
    holder.close()


def stepped(*steps: float) -> Phase:
    """Step the clock while messages are put off by a proxy's page: first ahead or back, then perhaps home."""

    async def phase(ground: Ground) -> None:
        ground.man.inject(Fault("page", share=0.8, status=403), Fault("error", share=0.3, status=429, wait=3))
        await ground.talk(5)
        for step in steps:
            ground.spoil(clock_off=ground.machine.clock_off + step)
            ground.man.injected["step"] += 1
            await ground.talk(7)
        ground.man.lift()

    return phase


async def backends_ended(ground: Ground) -> None:
    ends = time.monotonic() + 12
    talking = asyncio.create_task(ground.talk(12))
    async with await psycopg.AsyncConnection.connect(ground.url, autocommit=True) as connection:
        while time.monotonic() < ends:
            cursor = await connection.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            ground.man.injected["backend ended"] += (await cursor.fetchone() or (0,))[0]
            await asyncio.sleep(0.1)
    await talking


async def table_locked(ground: Ground) -> None:
    async with await psycopg.AsyncConnection.connect(ground.url) as connection:
        await connection.execute("LOCK TABLE outbox_message IN ACCESS EXCLUSIVE MODE")
        ground.man.injected["lock held"] += 1
        await ground.talk(20)
        await connection.rollback()


async def server_stopped(ground: Ground) -> None:
    server = postgres_of(ground.url)
    await asyncio.to_thread(server.stop)
    ground.man.injected["server stopped"] += 1
    await ground.talk(10)
    await asyncio.to_thread(server.ensure_postgres_running)


STORM = (
    Fault("error", share=0.3, status=429, wait=2),
    Fault("cut", share=0.3, accepted=True),
    Fault("error", share=0.3, status=500),
    Fault("slow", share=0.5, wait=2),
)

CASES = (
    Case("429 on nine calls of ten", network(Fault("error", share=0.9, status=429, wait=2))),
    Case("429 with half a minute to wait", network(Fault("error", status=429, wait=30), sending=4, all_calls=0)),
    Case("500 and 502 from the Bot API", network(Fault("error", 0.4, 500), Fault("error", 0.6, 502))),
    Case("no answer, nothing accepted", network(Fault("hang"))),
    Case("no answer, all accepted", network(Fault("hang", accepted=True))),
    Case("no connection", refused),
    Case("cut before it was accepted", network(Fault("cut"))),
    Case("cut after it was accepted", network(Fault("cut", accepted=True))),
    Case("proxy page 403", network(Fault("page", status=403))),
    Case("proxy page 401 or 407", network(Fault("page", share=0.5, status=401), Fault("page", status=407))),
    Case("proxy page 502, nothing accepted", network(Fault("page", status=502))),
    Case("proxy page 502, all accepted", network(Fault("page", status=502, accepted=True))),
    Case("slow answers, 3 s", network(Fault("slow", wait=3))),
    Case("all of them mixed", network(*STORM)),
    Case("token refused by Telegram", network(Fault("error", status=401)), people_act=True),
    Case("second poller (409)", second_poller, people_act=True),
    Case("database may not grow", pages_full, people_act=True),
    Case("disk full", disk_full, people_act=True, disk=True),
    Case("database locked for 25 s", locked, people_act=True),
    Case("clock 24 h ahead", stepped(DAY), clock=True, people_act=True),
    Case("clock 24 h back", stepped(-DAY), clock=True, people_act=True),
    Case("clock 24 h ahead and home again", stepped(DAY, -DAY), clock=True, people_act=True),
    Case("all of them mixed", network(*STORM), "postgresql"),
    Case("connections ended all the time", backends_ended, "postgresql", people_act=True),
    Case("table locked for 20 s", table_locked, "postgresql", people_act=True),
    Case("server stopped for 10 s", server_stopped, "postgresql-2", people_act=True),
    Case("clock 24 h back", stepped(-DAY), "postgresql", clock=True, people_act=True),
)


# Judgement


@dataclass
class Verdict:
    """What became of one case."""

    case: Case
    injected: str = ""
    handled: str = ""
    lost: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    unsure: str = ""
    recovered: float | None = None
    red_after: float | None = None
    told: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Rows:
    """The bot's tables since the case began."""

    inbox: Sequence[InboxUpdate]
    outbox: Sequence[OutboxMessage]
    cases: Sequence[Escalation]
    talk: Sequence[CaseMessage]
    pages_to_come: Sequence[AgendaItem]
    beat: Heartbeat | None

    @classmethod
    def read(cls, session: Session, last_inbox: int, last_outbox: int) -> "Rows":
        def rows(table: type[SQLModel], *conditions: Any) -> Any:
            return session.exec(select(table).where(*conditions)).all()

        return cls(
            rows(InboxUpdate, col(InboxUpdate.id) > last_inbox),
            rows(OutboxMessage, col(OutboxMessage.id) > last_outbox),
            rows(Escalation),
            rows(CaseMessage),
            rows(AgendaItem, AgendaItem.kind == escalate.NEXT_PAGE, AgendaItem.state == "waiting"),
            session.get(Heartbeat, "watchdog"),
        )

    def is_settled(self, ground: Ground, *, clock: bool) -> bool:
        """Whether all that was written is handled, nothing lies in the outbox, and jobs run by the right clock."""
        done = {row.update_id for row in self.inbox if row.state != "waiting"}
        lies = any(row.state in ("waiting", "sending") for row in self.outbox)
        return done >= set(ground.pushed) and not lies and (not clock or self.beats(ground))

    def beats(self, ground: Ground) -> bool:
        """Whether the watchdog has run by the clock as it is now."""
        return self.beat is not None and abs(ground.now - self.beat.at) < BEAT_IS_LATE


def judge(verdict: Verdict, ground: Ground, rows: Rows, truth: list[dict[str, Any]]) -> None:
    _judge_inbox(verdict, ground, rows)
    _judge_outbox(verdict, rows, truth)
    _judge_red(verdict, ground, rows)
    _judge_pages(verdict, ground, rows, truth)
    verdict.told += _told(ground, rows)
    if verdict.case.clock and not rows.beats(ground):
        verdict.broken.append("the jobs stand still")
    if verdict.recovered is None:
        verdict.broken.append(f"not recovered after {PATIENCE:.0f} s")
    if verdict.lost:
        verdict.broken.append(f"lost: {summed(verdict.lost)}")
    if verdict.double:
        verdict.broken.append(f"double: {summed(verdict.double)}")
    if verdict.case.people_act and not verdict.told:
        verdict.broken.append("nobody was told")


def _judge_inbox(verdict: Verdict, ground: Ground, rows: Rows) -> None:
    states = Counter(row.state for row in rows.inbox)
    times = Counter(row.update_id for row in rows.inbox)
    verdict.handled = f"{states['done']} of {len(ground.pushed)}"
    verdict.lost += ["update never stored" for number in ground.pushed if not times[number]]
    verdict.lost += [f"update {row.state}" for row in rows.inbox if row.state != "done"]
    verdict.double += ["update stored twice" for number in times.values() if number > 1]
    told = Counter(
        line["values"].get("words")
        for case in rows.cases
        for source in json.loads(case.summary)
        for line in source["lines"]
    )
    # Words in an open emergency belong to its conversation.
    told.update(each.words for each in rows.talk)
    done = {row.update_id for row in rows.inbox if row.state == "done"}
    for number, (_, words) in zip(ground.pushed, ground.words, strict=True):
        if number in done and not told[words]:
            verdict.lost.append("words in no case")
        if told[words] > 1:
            verdict.double.append("words in a case twice")


def _judge_outbox(verdict: Verdict, rows: Rows, truth: list[dict[str, Any]]) -> None:
    """Match what is in the chats with the rows: each arrival is a sent row's, or one of unknown fate."""
    messages = [row for row in rows.outbox if row.method in ("send", "picture")]
    arrived = {each["message_id"]: each for each in truth}
    for row in messages:
        if row.state == "sent":
            found = arrived.pop(row.message_id or 0, None)
            if found is None or found["chat_id"] != row.chat_id or found["text"].strip() != row.text.strip():
                verdict.broken.append(f"row {row.id} is falsely 'sent'")
        elif row.state in ("waiting", "sending"):
            verdict.lost.append(f"message {row.state} ({row.purpose}, lane {row.lane})")
        elif row.state == "failed":
            verdict.lost.append(f"message failed ({row.reason})")
        elif row.state == "skipped" and row.lane < Lane.REMINDER and row.purpose != escalate.PAGE:
            # A newer page may take a page's place, and a reminder may be too late; words for somebody may not.
            verdict.lost.append(f"message skipped ({row.reason}, lane {row.lane})")
    unsure = Counter((row.chat_id, row.text.strip()) for row in messages if row.state == "unsure")
    number, there = sum(unsure.values()), 0
    for each in arrived.values():
        if unsure[key := (each["chat_id"], each["text"].strip())]:
            unsure[key] -= 1
            there += 1
        else:
            verdict.double.append(f"message in chat {each['chat_id']}")
    verdict.unsure = f"{number} ({there})"
    polite = Counter(
        (row.chat_id, row.text_key, row.values)
        for row in messages
        if row.lane >= Lane.REMINDER and row.state == "sent"
    )
    verdict.double += [f"{key[1]} said twice" for key, times in polite.items() if times > 1]


def _judge_red(verdict: Verdict, ground: Ground, rows: Rows) -> None:
    """Every RED message is answered by the emergency text, and the paging of its case goes on."""
    answered = Counter(
        row.chat_id for row in rows.outbox if row.lane == Lane.RED and row.purpose == "triage" and row.state == "sent"
    )
    for patient, times in ground.red.items():
        if answered[patient] < times:
            missing = times - answered[patient]
            verdict.broken.append(f"{missing} of {times} RED texts never arrived for certain (chat {patient})")
    open_red = {case.id for case in rows.cases if case.urgency.startswith("red") and case.acknowledged_by_id is None}
    coming = {item.about_id: item.due_at for item in rows.pages_to_come}
    for number in sorted(each or 0 for each in open_red):
        due = coming.get(number)
        if due is None or due > ground.now + PAGING_IS_LATE:
            wait = "never" if due is None else f"only in {due - ground.now}".split(".")[0]
            verdict.broken.append(f"the next page of RED case {number} comes {wait}")


def _judge_pages(verdict: Verdict, ground: Ground, rows: Rows, truth: list[dict[str, Any]]) -> None:
    """Of every case a page has reached somebody, or is about to."""
    shown = {(each["chat_id"], each["text"].strip()) for each in truth}
    pages = [row for row in rows.outbox if row.purpose == escalate.PAGE]
    arrived = {row.about_id for row in pages if (row.chat_id, row.text.strip()) in shown}
    coming = {item.about_id for item in rows.pages_to_come if item.due_at <= ground.now + PAGING_IS_LATE}
    for case in rows.cases:
        if case.id not in arrived | coming:
            verdict.broken.append(f"no page of the {case.urgency} {case.kind} case {case.id} arrived")


def _told(ground: Ground, rows: Rows) -> list[str]:
    """Return how people could learn of the fault."""
    told = []
    if ends := Counter(ground.ends):
        told += [f"{line} ({times}x)" for line, times in ends.items()]
    errors = ground.logged("error", "critical")
    if errors:
        told.append("log, error: " + ", ".join(f"{event} ({times}x)" for event, times in errors.most_common(4)))
    if bad := [f"{what} ({times}x)" for what, times in ground.health.items() if what != "ok"]:
        told.append("/healthz: " + ", ".join(bad))
    if staff := Counter(row.text_key for row in rows.outbox if row.purpose in ("staff", "error")):
        told.append("messages: " + ", ".join(staff))
    if any("bot.not_handled" in case.because for case in rows.cases):
        told.append("AMBER case: bot.not_handled")
    return told


def summed(found: Sequence[str]) -> str:
    return "; ".join(f"{times} {what}" for what, times in Counter(found).items())


# Running


@dataclass(frozen=True, slots=True)
class Template:
    """A database in which the study has begun, to be copied for each case."""

    url: str
    last_inbox: int
    last_outbox: int


async def prepare(url: str, key: str) -> Template:
    """Enrol patients and staff, with a nurse and a physician on duty."""
    settings = Settings(
        _env_file=None, telegram_token=TOKEN, encryption_key=key, site_phone=SITE_PHONE, database_url=url
    )
    async with stages.raised(settings, START) as stage:
        made = await study(stage)
        await made.coordinator.says("/duty")
        await made.coordinator.taps("duty.button.on")
        await stage.settle()

        def last(session: Session) -> tuple[int, int]:
            tables = (InboxUpdate, OutboxMessage)
            inbox, outbox = (
                max((each or 0 for each in session.exec(select(table.id))), default=0) for table in tables
            )
            return inbox, outbox

        numbers = await stage.deps.store.read(last)
    return Template(url, *numbers)


_SERVERS: dict[str, Any] = {}


def postgres_of(url: str) -> Any:
    return next(server for uri, server in _SERVERS.items() if uri.partition("?")[2] == url.partition("?")[2])


@contextmanager
def known_server() -> Iterator[str]:
    """Run a PostgreSQL that `postgres_of` finds by the address of one of its databases."""
    with postgres.served() as server:
        _SERVERS[server.get_uri()] = server
        yield server.get_uri()


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mount a disk of a few megabytes in memory; False where that is not allowed (it needs root)."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)


def _copy(case: Case, template: Template, folder: Path, number: int) -> str:
    if not case.database.startswith("sqlite"):
        server = template.url.replace("/template_study?", "/postgres?")
        return postgres.create(server, f"case_{number}", "template_study")
    place = folder / "disk" if case.disk else folder
    copied = place / "followup.sqlite3"
    shutil.copy(template.url.removeprefix("sqlite:///"), copied)
    return f"sqlite:///{copied}"


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@asynccontextmanager
async def ground_of(case: Case, url: str, folder: Path, key: str, seed: int) -> AsyncIterator[Ground]:
    """Start server, middleman and bot; whatever was started is gone at the end."""
    with botapi.served(seed=seed) as server:
        async with between(server.port, seed) as man:
            port = _free_port()
            ours = {
                "TELEGRAM_TOKEN": TOKEN,
                "TELEGRAM_BASE_URL": man.base_url,
                "DATABASE_URL": url,
                "ENCRYPTION_KEY": key,
                "SITE_PHONE": SITE_PHONE,
                "HEALTH_PORT": str(port),
            }
            kept = {name: value for name, value in os.environ.items() if not name.startswith("FOLLOWUP_")}
            environment = kept | {f"FOLLOWUP_{name}": value for name, value in ours.items()}
            ahead = (START + FIRST_HOUR - datetime.now(UTC)).total_seconds()
            ground = Ground(case.name, folder, url, server, man, Machine(), ahead, port, environment)
            ground.spoil()
            ground.start()
            try:
                ends = time.monotonic() + START_PATIENCE
                while not ground.has_started():
                    if time.monotonic() > ends or ground.process is None or ground.process.poll() is not None:
                        raise RuntimeError(f"the bot did not start: {(folder / 'log').read_text()[-2000:]}")
                    await asyncio.sleep(0.1)
                yield ground
            finally:
                await asyncio.to_thread(ground.stop)


async def run_case(case: Case, template: Template, folder: Path, key: str, seed: int, number: int) -> Verdict:
    """Inject, lift, wait, judge."""
    verdict = Verdict(case)
    with contextlib.ExitStack() as stack:
        if case.disk and not stack.enter_context(small_disk(folder / "disk")):
            verdict.handled = "not run: mounting is not allowed here"
            return verdict
        url = await asyncio.to_thread(_copy, case, template, folder, number)
        async with ground_of(case, url, folder, key, seed) as ground:
            watchers = [asyncio.create_task(each) for each in (ground.keep_running(), ground.watch_health())]
            await ground.talk(1)
            ground.begin()
            await case.phase(ground)
            lifted = time.monotonic()
            # The first words after the fault: they prove that the bot hears, and not only that it tidies up.
            await ground.says(PATIENTS[0], red=False)
            await ground.says(PATIENTS[1], red=True)
            store = Store(url, Cipher(key))
            try:
                rows = await _settled(ground, store, template, verdict, lifted)
            finally:
                await asyncio.to_thread(store.close)
            truth = await asyncio.to_thread(ground.server.truth)
            verdict.red_after = _red_after(rows, truth, lifted)
            verdict.injected = ", ".join(f"{times} {what}" for what, times in sorted(ground.man.injected.items()))
            judge(verdict, ground, rows, truth)
            for each in watchers:
                each.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)
    sys.stdout.write(f"{case.name} ({case.database}): {'; '.join(verdict.broken) or 'kept'}\n")
    sys.stdout.flush()
    return verdict


async def _settled(ground: Ground, store: Store, template: Template, verdict: Verdict, lifted: float) -> Rows:
    """Wait until the bot has recovered or has had its time; return its tables."""
    while True:
        rows = await store.read(lambda session: Rows.read(session, template.last_inbox, template.last_outbox))
        if rows.is_settled(ground, clock=verdict.case.clock):
            verdict.recovered = time.monotonic() - lifted
            return rows
        if time.monotonic() > lifted + PATIENCE:
            return rows
        await asyncio.sleep(0.25)


def _red_after(rows: Rows, truth: list[dict[str, Any]], lifted: float) -> float | None:
    """Return how long after the fault the last RED text that waited was in its chat."""
    red = {row.message_id for row in rows.outbox if row.lane == Lane.RED and row.purpose == "triage"}
    times = [each["at"] - lifted for each in truth if each["message_id"] in red]
    return max(times, default=None)


async def run_all(cases: Sequence[Case], seed: int, folder: Path) -> list[Verdict]:
    key = Cipher.new_key()
    wanted = {case.database for case in cases}
    with contextlib.ExitStack() as stack:
        templates = {}
        for name in sorted(wanted):
            place = folder / name
            place.mkdir()
            if name.startswith("sqlite"):
                url = f"sqlite:///{place / 'template.sqlite3'}"
            else:
                place.chmod(0o755)
                url = postgres.create(stack.enter_context(known_server()), "template_study")
            templates[name] = await prepare(url, key)
        places = asyncio.Semaphore(SIDE_BY_SIDE)

        async def one(number: int, case: Case) -> Verdict:
            place = folder / f"case-{number}"
            place.mkdir()
            async with places:
                try:
                    return await run_case(case, templates[case.database], place, key, seed + number, number)
                except Exception as error:
                    # One that cannot be run is a broken promise, and no reason to throw the others away.
                    said = " ".join(f"{type(error).__name__}: {error}".split())[-300:]
                    return Verdict(case, broken=[f"the measurement failed: {said}"])

        # Those that may take long begin first.
        order = sorted(range(len(cases)), key=lambda number: not (cases[number].clock or cases[number].people_act))
        running = {number: asyncio.create_task(one(number, cases[number])) for number in order}
        await asyncio.gather(*running.values())
        return [running[number].result() for number in range(len(cases))]


def body_of(verdicts: Sequence[Verdict]) -> str:
    head = ["fault", "database", "injected", "handled", "lost", "double", "unsure (arrived)"]
    head += ["recovered after, s", "last RED text after, s", "told how", "promise"]
    rows = []
    for each in verdicts:
        rows.append(
            (
                each.case.name,
                each.case.database.partition("-")[0],
                each.injected,
                each.handled,
                summed(each.lost) or 0,
                summed(each.double) or 0,
                each.unsure,
                "-" if each.recovered is None else f"{each.recovered:.1f}",
                "-" if each.red_after is None else f"{max(each.red_after, 0):.1f}",
                "; ".join(each.told).replace("|", "/") or "-",
                "; ".join(each.broken) or "kept",
            )
        )
    return report.table(head, rows)


NOTE = """A case is one fault: the bot's process, an independent server with a truth log, and a middleman that
injects. Three patients write a message every 0.7 s, one in four with RED words. Faults of the network hit what is
sent first, later the polling too. Then the fault is lifted and two more messages follow.

- Handled: updates whose words reached a case exactly once.
- Lost: updates or words that reached nobody, messages that lie in the outbox, failed, or ran out of time.
- Double: messages in a chat that no row accounts for, or reminders that were said twice. A message of unknown fate
  that was shown again, and says so, is not double.
- Unsure (arrived): messages of unknown fate, and how many of them were in the chat all the same.
- Recovered: when every update was handled and nothing lay in the outbox; for clock steps the watchdog must also run
  by the new time. A process that ended was started again after 5 s, as the service manager in docs/operation.md
  does."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--only", default="", help="run the faults whose name holds this")
    parser.add_argument("--write", action="store_true", help="write docs/evidence/faults.md")
    parser.add_argument("--keep", action="store_true", help="keep the folder with databases and logs")
    given = parser.parse_args()
    logs.configure("CRITICAL")
    random.seed(given.seed)
    cases = [
        case
        for case in CASES
        if given.only in case.name and (given.database == "both" or case.database.startswith(given.database))
    ]
    folder = Path(tempfile.mkdtemp(prefix="followup-faults-"))
    folder.chmod(0o755)
    begun = time.monotonic()
    try:
        verdicts = asyncio.run(run_all(cases, given.seed, folder))
    finally:
        if given.keep:
            sys.stdout.write(f"kept: {folder}\n")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    body = f"{body_of(verdicts)}\n\nThe whole run took {time.monotonic() - begun:.0f} s."
    command = f"python -m bench.faults --seed {given.seed} --database {given.database}"
    broken = [each for each in verdicts if each.broken]
    return report.finish(
        "faults", "Fault run", command, body, broken, to_file=given.write, seed=given.seed, note=NOTE
    )


if __name__ == "__main__":
    sys.exit(main())
