"""How does a test run the `followup` command as a process of its own, with people who use it over HTTP?"""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import inspect
from sqlmodel import Session, SQLModel, col, select

from bot import app
from bot.cipher import Cipher
from bot.clock import Clock, SetClock
from bot.domain.people import BOT
from bot.domain.roles import Role
from bot.simulator.parts import Change, Exchange, ShownMessage, Upload
from bot.simulator.phones import Phone
from bot.simulator.server import Served, serve
from bot.simulator.telegram import SimulatedTelegram
from bot.store.models import InboxUpdate, OutboxMessage
from bot.store.session import Store
from bot.texts import bundled_texts
from bot.usecases import import_subjects, invite
from bot.usecases.staff_queries import find
from bot.work import Work
from tests.conftest import KEY, SITE_PHONE, START, TOKEN, make_settings

FOLLOWUP = Path(sys.executable).with_name("followup")
# Generous, because the machine may be busy: a test that waits this long has failed.
DEADLINE_SECONDS = 30.0
POLL_SECONDS = 0.02

T = TypeVar("T")
R = TypeVar("R", bound=SQLModel)


class NeverHappened(AssertionError):
    """Something that a test waited for did not come about in time."""


async def until(look: Callable[[], T], what: str, seconds: float = DEADLINE_SECONDS) -> T:
    """Return what ``look`` returns as soon as that is true."""
    last = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > last:
            raise NeverHappened(f"{what} (waited {seconds:.0f} s)")
        await asyncio.sleep(POLL_SECONDS)
    return found


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


class Program:
    """One run of the command. Its output goes to files, so nothing has to be drained and a kill loses nothing."""

    def __init__(self, folder: Path, words: Sequence[str], environment: dict[str, str]) -> None:
        folder.mkdir()
        self._out, self._err = folder / "stdout", folder / "stderr"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [FOLLOWUP, *words],
                stdout=out,
                stderr=err,
                stdin=subprocess.DEVNULL,
                env=environment,
                cwd=folder.parent,
            )

    @property
    def out(self) -> str:
        return self._out.read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        return self._err.read_text(encoding="utf-8")

    @property
    def status(self) -> int | None:
        """The exit status, None while it runs, negative for the signal that ended it."""
        return self._process.poll()

    @property
    def complaint(self) -> str:
        """The one line that a command says when it refuses.

        Raises:
            AssertionError: it said more than that, or showed a traceback.
        """
        assert "Traceback" not in self.err, self.err
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        return lines[0]

    @property
    def log(self) -> list[dict[str, Any]]:
        """The lines of the log; one that is not JSON is an error."""
        return [json.loads(line) for line in self.err.splitlines()]

    def logged(self, event: str) -> list[dict[str, Any]]:
        # The last line may still be on its way into the file.
        complete = self.err.rpartition("\n")[0].splitlines()
        return [entry for line in complete if (entry := json.loads(line))["event"] == event]

    async def ended(self, seconds: float = DEADLINE_SECONDS) -> int:
        """Wait for the end and return the exit status."""
        try:
            await until(lambda: self.status is not None, "the end of the process", seconds)
        except NeverHappened as error:
            raise NeverHappened(f"{error}; it said:\n{self.err[-3000:]}") from None
        assert self.status is not None
        return self.status

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a power cut would, and wait until it is gone."""
        self._process.kill()
        self._process.wait()


Moment = Callable[[str, dict[str, Any] | None], bool]


class WatchedTelegram(SimulatedTelegram):
    """A simulated Telegram that can stop the bot's process at an exact moment of a call."""

    def __init__(self, clock: Clock, token: str = TOKEN) -> None:
        super().__init__(clock, token)
        self.arrived: list[tuple[float, ShownMessage]] = []
        self.calls: list[str] = []
        self.before: Moment | None = None
        self.after: Moment | None = None
        self.on_message(self._note)

    def _note(self, _phone: Phone, message: ShownMessage, change: Change) -> None:
        if message.from_bot and change is not Change.EDITED:
            self.arrived.append((time.monotonic(), message))

    async def exchange(
        self, token: str, method: str, params: Mapping[str, Any], files: Mapping[str, Upload | bytes] | None = None
    ) -> Exchange:
        self.calls.append(method)
        if self.before is not None and self.before(method, None):
            self.before = None
        answer = await super().exchange(token, method, params, files)
        if self.after is not None and self.after(method, json.loads(answer.body or b"{}")):
            self.after = None
        return answer

    def when(self, message: ShownMessage) -> float:
        """Return at which real second (monotonic) a message of the bot came into the chat."""
        return next(at for at, each in self.arrived if each is message)


@dataclass
class World:
    """A folder with a database, a Telegram on this machine, and the command that works on both."""

    folder: Path
    database_url: str
    telegram: WatchedTelegram
    served: Served
    settings: dict[str, str]
    store: Store
    programs: list[Program] = field(default_factory=list)

    def environment(self, **settings: str | None) -> dict[str, str]:
        """Return the environment of a command; a setting given as None is left out."""
        known: dict[str, str | None] = {
            "telegram_token": TOKEN,
            "telegram_base_url": self.served.base_url,
            "telegram_base_file_url": self.served.base_file_url,
            "database_url": self.database_url,
            "encryption_key": KEY,
            "site_phone": SITE_PHONE,
            **self.settings,
            **settings,
        }
        wide = {"COLUMNS": "200", "LANG": "C.UTF-8"}
        ours = {f"FOLLOWUP_{name.upper()}": value for name, value in known.items() if value is not None}
        return {**os.environ, **wide, **ours}

    def start(self, *words: str, **settings: str | None) -> Program:
        program = Program(self.folder / f"program-{len(self.programs)}", words, self.environment(**settings))
        self.programs.append(program)
        return program

    async def command(self, *words: str, **settings: str | None) -> Program:
        """Run a command to its end."""
        program = self.start(*words, **settings)
        await program.ended()
        return program

    async def bot(self, **settings: str | None) -> Program:
        """Start `followup run` and wait until it works."""
        program = self.start("run", **settings)
        await until(lambda: program.logged("started") or program.status is not None, "the start of the bot")
        assert program.status is None, program.err
        return program

    async def stop(self, program: Program) -> None:
        """Ask a bot to stop, as a service manager does, and expect a clean end."""
        program.terminate()
        assert await program.ended(10) == 0, program.err
        self.telegram.check_misuses()

    async def rows(self, table: type[R]) -> list[R]:
        """Return every row of a table, oldest first."""

        def read(session: Session) -> list[R]:
            return list(session.exec(select(table).order_by(*inspect(table).primary_key)).all())

        return await self.store.read(read)

    async def row_until(self, table: type[R], fits: Callable[[R], bool], what: str) -> R:
        """Return the first row of a table that ``fits``, as soon as there is one."""
        last = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < last:
            for row in await self.rows(table):
                if fits(row):
                    return row
            await asyncio.sleep(POLL_SECONDS)
        raise NeverHappened(what)

    async def quiet(self) -> None:
        """Wait until nothing that came in is unhandled, and nothing that is due is unsent."""
        await until(lambda: not self.telegram.updates.pending, "the fetching of all updates")

        def busy(session: Session) -> bool:
            inbox = select(InboxUpdate.id).where(InboxUpdate.state == "waiting")
            outbox = select(OutboxMessage.id).where(col(OutboxMessage.state).in_(["waiting", "sending"]))
            return session.exec(inbox).first() is not None or session.exec(outbox).first() is not None

        last = time.monotonic() + DEADLINE_SECONDS
        while await self.store.read(busy):
            if time.monotonic() > last:
                raise NeverHappened("the end of all work")
            await asyncio.sleep(POLL_SECONDS)

    async def nothing_is_falsely_sent(self) -> None:
        """Compare what the bot believes with what is in the chats: whatever is "sent" is really there."""
        for row in await self.rows(OutboxMessage):
            if row.state == "sent" and row.method in ("send", "picture") and not row.secret:
                shown = self.telegram.chats[row.chat_id].messages.get(row.message_id or 0)
                assert shown is not None, f"message {row.id} is not in the chat"
                assert shown.text.startswith(row.text.strip()), f"message {row.id} says something else"

    # What is there before the process starts: the same use cases as the command runs, without its start-up time.

    async def prepare(self, use_case: Callable[[Work], T]) -> T:
        deps = app.make_deps(make_settings(database_url=self.database_url), SetClock(START))
        try:
            return deps.store.write_now(lambda session: use_case(Work(session, deps, BOT, "command:test", START)))
        finally:
            deps.store.close()

    async def staff_link(self, role: Role) -> str:
        return await self.prepare(lambda work: invite.invite(work, invite.STAFF, role=role))

    async def enrolled(self, table: str, code: str) -> str:
        """Enrol the subjects of a table; return the link for the patient ``code``."""

        def enrol(work: Work) -> str:
            import_subjects.import_subjects(work, table)
            return invite.invite(work, invite.PATIENT, subject=find(work, code))

        return await self.prepare(enrol)

    def person(self, number: int, name: str, locale: str) -> "Person":
        code = "zh-hans" if locale == "zh" else "en"
        return Person(self, self.telegram.phone(number, name, code), locale)


@dataclass
class Person:
    """A phone and the language its owner reads; texts and buttons are found by their text key."""

    world: World
    phone: Phone
    locale: str
    pressed: set[tuple[int, str]] = field(default_factory=set)

    def label(self, key: str, **values: object) -> str:
        return bundled_texts().text(key, self.locale, **values)

    def messages(self, key: str) -> list[ShownMessage]:
        """Return the bot's messages made from a text key, whatever its values, oldest first."""
        parts = [part for part in re.split(r"\{[^}]*\}", bundled_texts().template(key, self.locale)) if part.strip()]
        return [each for each in self.phone.inbox if all(part.strip() in each.text for part in parts)]

    async def opens(self, link: str) -> None:
        await self.phone.opens(link)

    async def says(self, words: str) -> None:
        await self.phone.sends(words)

    async def sees(self, key: str, times: int = 1) -> ShownMessage:
        """Wait for a message made from a text key (for so many of them); return the newest."""
        what = f"{self.phone.first_name} reads {key}"
        try:
            return (await until(lambda: len(found := self.messages(key)) >= times and found, what))[-1]  # type: ignore[index]
        except NeverHappened as error:
            raise NeverHappened(f"{error}; the chat:\n{self.phone.screen()}") from None

    async def taps(self, *keys: str) -> None:
        """Tap one button after the other, named by their text keys."""
        for key in keys:
            await self.presses(self.label(key))

    async def presses(self, label: str) -> None:
        """Wait for a button with this label that was not pressed before, and press it."""

        def offered() -> ShownMessage | None:
            for message in reversed(self.phone.inbox):
                if any(label in each for each in message.labels) and (message.message_id, label) not in self.pressed:
                    return message
            return None

        try:
            message = await until(offered, f"{self.phone.first_name} sees the button {label!r}")
        except NeverHappened as error:
            raise NeverHappened(f"{error}; the chat:\n{self.phone.screen()}") from None
        assert message is not None
        self.pressed.add((message.message_id, label))
        await self.phone.taps_on(message, label)

    async def joins_staff(self, link: str) -> None:
        """Open a staff invitation and choose the language."""
        await self.opens(link)
        await self.taps(f"language.{self.locale}")
        await self.sees("settings.language_set")

    async def goes_on_duty(self) -> None:
        await self.says("/duty")
        await self.taps("duty.button.on")
        await self.sees("duty.on")

    async def begins(self, link: str, hour: str = "18:00") -> None:
        """Open a patient's invitation, agree to everything, choose the hour."""
        await self.opens(link)
        await self.taps(f"language.{self.locale}", *["start.button.agree"] * 4)
        await self.presses(hour)
        await self.sees("start.ready")


@asynccontextmanager
async def world(
    folder: Path, database_url: str | None = None, clock: Clock | None = None, **settings: str
) -> AsyncIterator[World]:
    """Serve a Telegram on this machine; whatever was started is gone at the end."""
    url = database_url or f"sqlite:///{folder / 'followup.sqlite3'}"
    telegram = WatchedTelegram(clock or SetClock(START))
    store = Store(url, Cipher(KEY))
    async with serve(telegram) as served:
        made = World(folder, url, telegram, served, {"clock_start": START.isoformat(), **settings}, store)
        try:
            yield made
        finally:
            for program in made.programs:
                program.kill()
            store.close()


def later(**amount: float) -> str:
    """Return a start for the bot's clock, so much after the first one."""
    return (START + timedelta(**amount)).astimezone(UTC).isoformat()


def at_site(moment: datetime) -> datetime:
    return moment.astimezone(START.tzinfo)
