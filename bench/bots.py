"""How are bots started for a measurement, as processes of their own, with people who are already there?"""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from datetime import time as time_of_day
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from bench import botapi, people, postgres
from bench.people import HEADER, SITE_PHONE, TOKEN
from bot import app, logs
from bot.cipher import Cipher
from bot.clock import SetClock
from bot.deps import Deps
from bot.domain.people import BOT, Caller
from bot.domain.roles import Role
from bot.settings import Settings
from bot.store.models import OutboxMessage, Subject
from bot.usecases import import_subjects, start
from bot.work import Work

ROOT = Path(__file__).parents[1]
KEY = Cipher.new_key()
# Nothing is planned for this hour, so the bot does what it is measured for and nothing else.
START = datetime.fromisoformat("2026-11-02T11:00:00+08:00")
ARMS = ("TG2,{locale},1952,60,2026-11-02,7,21,dispersible,250,2", "TG1,{locale},1968,71.5,2026-11-02,7,21,,,")
FIRST_PATIENT, STAFF_CHAT = 10_000, 11
MENU_MESSAGE = 1_000_000  # far from the numbers that the server gives
PATIENCE = 60.0  # seconds until a bot is up


class NoStart(RuntimeError):
    """A bot did not come up."""


@dataclass(frozen=True, slots=True)
class Bot:
    """A bot that runs."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def rss(self) -> float:
        """Memory in MB (10^6 bytes) that it occupies now."""
        fields = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    @property
    def cpu_seconds(self) -> float:
        """Processor time that it used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def logged(self, event: str) -> bool:
        return f'"event": "{event}"' in self.log.read_text(errors="replace")

    def faults(self) -> list[str]:
        """Return the events of the log that are errors."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if '"level": "error"' in line or "Traceback" in line]


@contextmanager
def running(
    name: str, words: Sequence[str], folder: Path, environment: dict[str, str] | None = None
) -> Iterator[Bot]:
    """Run a bot as a process; at the end it is gone, whatever it was doing."""
    log = folder / f"{name}-{uuid.uuid4().hex[:6]}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=environment, cwd=ROOT)
    try:
        yield Bot(name, process, log)
    finally:
        process.kill()
        process.wait()


@contextmanager
def polling(name: str, server: botapi.BotApi, words: Sequence[str], folder: Path, **more: Any) -> Iterator[Bot]:
    """Run a bot and wait until it asks for updates."""
    before = server.state()["calls"].get("getUpdates", 0)
    with running(name, words, folder, **more) as bot:
        until(lambda: server.state()["calls"].get("getUpdates", 0) > before or bot.process.poll() is not None, name)
        if bot.process.poll() is not None:
            raise NoStart(bot.log.read_text(errors="replace")[-3000:])
        yield bot


def environment(server: botapi.BotApi, url: str, **settings: object) -> dict[str, str]:
    """Return the environment of the follow-up bot; the limit of messages a second is lifted."""
    given = {
        "telegram_token": TOKEN,
        "telegram_base_url": server.base_url,
        "database_url": url,
        "encryption_key": KEY,
        "site_phone": SITE_PHONE,
        "clock_start": START.isoformat(),
        "messages_per_second": 100_000,
        **settings,
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FOLLOWUP_")}
    return kept | {f"FOLLOWUP_{name.upper()}": str(value) for name, value in given.items()}


def followup(server: botapi.BotApi, url: str, folder: Path, name: str = "followup", **settings: object) -> Any:
    """Run `followup run` and wait until it asks for updates."""
    words = [sys.executable, "-m", "bot", "run"]
    return polling(name, server, words, folder, environment=environment(server, url, **settings))


def until(look: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    last = time.monotonic() + seconds
    while not look():
        if time.monotonic() > last:
            raise NoStart(f"{what}: waited {seconds:.0f} s")
        time.sleep(0.05)


# Databases


@contextmanager
def databases() -> Iterator[Callable[[], str]]:
    """Start a PostgreSQL; yield what makes an empty database and returns its address."""
    with postgres.served() as server:
        yield lambda: postgres.create(server.get_uri())


def opened(url: str, **given: Any) -> Deps:
    """Open a database, with its tables made, for what a measurement does to it."""
    logs.configure("CRITICAL")
    settings = Settings(
        _env_file=None, telegram_token=TOKEN, encryption_key=KEY, site_phone=SITE_PHONE, database_url=url, **given
    )
    return app.make_deps(settings, SetClock(START))


@contextmanager
def using(url: str) -> Iterator[Deps]:
    deps = opened(url)
    try:
        yield deps
    finally:
        deps.store.close()


# People


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient on study, who has the menu on the screen."""

    chat: int
    account_id: int
    subject_id: int
    menu: tuple[tuple[str, str], ...]  # action and callback data of each button
    menu_message: int

    def presses(self, action: str) -> dict[str, Any]:
        """Return the update of a press on this button of the menu."""
        return botapi.press_update(self.chat, self.menu_message, dict(self.menu)[action])


def code_of(number: int) -> str:
    """Return the subject code of a patient."""
    return f"S-{number + 1:03d}"


def populate(url: str, patients: int) -> list[Patient]:
    """Enrol patients who have all consented and chosen an hour, and one coordinator on duty."""
    with using(url) as deps:
        return deps.store.write_now(lambda session: _populate(session, deps, patients))


def _populate(session: Session, deps: Deps, patients: int) -> list[Patient]:
    work = Work(session, deps, BOT, "command:bench", START)
    rows = []
    for number in range(patients):
        arm = ARMS[number % 2].format(locale=("zh", "en")[number % 2])
        rows.append(f"{code_of(number)},{arm},0571-0000-{number % 10_000:04d}")
    subjects = import_subjects.import_subjects(work, HEADER + "\n".join(rows) + "\n")
    people.member(work, people.account(work, STAFF_CHAT, "en"), Role.COORDINATOR, "Nurse", on_duty=True)
    return [_begin(work, subject, number) for number, subject in enumerate(subjects)]


def _begin(work: Work, subject: Subject, number: int) -> Patient:
    """Bring one patient to where the questions at the start have been answered; the menu was the last message."""
    session, deps = work.session, work.deps
    chat = FIRST_PATIENT + number
    account_id = people.account(work, chat, subject.locale)
    people.patient(work, account_id, subject, time_of_day(18))
    caller = Caller(Role.PATIENT, account_id, subject.locale, subject_id=subject.id)
    start.choose_hour(Work(session, deps, caller, "command:bench", START), {"hour": 18})
    menu = session.exec(
        select(OutboxMessage).where(OutboxMessage.account_id == account_id).order_by(col(OutboxMessage.id).desc())
    ).first()
    assert menu is not None
    menu.state, menu.closed_at, menu.message_id = "sent", START, MENU_MESSAGE + number
    session.flush()
    buttons = [button for row in json.loads(menu.keyboard or "[]") for button in row]
    data = tuple((action, f"{action}|{menu.token}|{at}") for at, (_, action, _) in enumerate(buttons))
    return Patient(chat, account_id, subject.id or 0, data, MENU_MESSAGE + number)
