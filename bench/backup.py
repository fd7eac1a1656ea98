"""Does a backup taken under load come back whole, and does the restored bot repeat nothing in silence?

The real bot runs on an independent Bot API server while people go on writing and pressing. `followup backup` runs
beside it. Then the bot is killed for good, the backup is restored into empty databases of both kinds, and the
restored bot goes on against the same server, which alone knows what had arrived. Then copies of the backup are
damaged at random; all must be refused. Last, the chain over a long audit trail is computed again.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, func, select

from bench import postgres, report
from bench.botapi import BotApi, served
from bench.load import START, Crowd, enrol
from bench.people import SITE_PHONE, TOKEN
from bot import logs
from bot.cipher import Cipher
from bot.errors import FollowupError
from bot.settings import Settings
from bot.store import backup, chain, portable, schema, vault
from bot.store.models import InboxUpdate, OutboxMessage
from bot.store.session import Store
from bot.texts import bundled_texts
from tests.store.test_chain import ATTACKS, Attacker, trail, undone

ROOT = Path(__file__).parents[1]
FOLLOWUP = (sys.executable, "-m", "bot")
KINDS = ("sqlite", "postgresql")
# The daily question of 18:00 falls into the load; the disaster is noticed an hour later.
BEGINS = START + timedelta(minutes=9, seconds=57)
DOWN = timedelta(hours=1)
WHOLE = {"damages": 5_000, "attacks": 10_000, "entries": 1_000_000, "before": 8.0, "after": 4.0, "resumed": 6.0}
SMALL = {"damages": 500, "attacks": 500, "entries": 100_000, "before": 3.0, "after": 1.5, "resumed": 2.0}
ACTS_A_SECOND = 10
# Not quite real time: the bot then keeps no sending limits, and a restored one is soon done with its pages.
SPEED = 1.0001
QUIET_SECONDS = 120.0
TRIES = 3  # other programs of the machine slow some of them down
VERIFIED_IN = 10.0  # seconds for a million entries (DI-04)
SHOWN_AGAIN = ("delivery.repeated", "delivery.shown_again")


@dataclass
class Place:
    """A database, and how the `followup` command is told of it."""

    url: str
    server: BotApi
    keys: dict[str, str]
    clock: datetime
    began: float = field(default_factory=time.monotonic)

    @property
    def now(self) -> datetime:
        return self.clock + timedelta(seconds=time.monotonic() - self.began)

    def settings(self) -> dict[str, str]:
        return {
            "telegram_token": TOKEN,
            "telegram_base_url": self.server.base_url,
            "telegram_base_file_url": self.server.base_url,
            "database_url": self.url,
            "site_phone": SITE_PHONE,
            "clock_start": self.now.isoformat(),
            "clock_speed": str(SPEED),
            **self.keys,
        }

    def environment(self) -> dict[str, str]:
        return {**os.environ, **{f"FOLLOWUP_{name.upper()}": value for name, value in self.settings().items()}}

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*FOLLOWUP, *words], env=self.environment(), cwd=ROOT, capture_output=True, text=True, check=False
        )

    @contextmanager
    def running(self, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
        with log.open("wb") as out:
            process = subprocess.Popen([*FOLLOWUP, "run"], env=self.environment(), cwd=ROOT, stdout=out, stderr=out)
        try:
            last = time.monotonic() + QUIET_SECONDS
            while '"started"' not in log.read_text():
                if process.poll() is not None or time.monotonic() > last:
                    raise AssertionError(f"the bot did not start: {log.read_text()[-800:]}")
                time.sleep(0.05)
            yield process
        finally:
            process.kill()
            process.wait()

    @contextmanager
    def opened(self) -> Iterator[Store]:
        store = Store(self.url, Cipher(self.keys["encryption_key"]))
        try:
            yield store
        finally:
            store.close()

    def wait_until_quiet(self) -> None:
        def busy(session: Session) -> bool:
            waiting = select(InboxUpdate.id).where(InboxUpdate.state == "waiting")
            leaving = select(OutboxMessage.id).where(
                (col(OutboxMessage.state) == "sending")
                | ((col(OutboxMessage.state) == "waiting") & (col(OutboxMessage.due_at) <= self.now))
            )
            return session.exec(waiting).first() is not None or session.exec(leaving).first() is not None

        last = time.monotonic() + QUIET_SECONDS
        with self.opened() as store:
            while self.server.state()["waiting"] or store.read_now(busy):
                if time.monotonic() > last:
                    raise AssertionError("the restored bot does not come to the end of its work")
                time.sleep(0.2)


@dataclass
class Run:
    """What came of one backup and its restore into one other place."""

    source: str
    target: str
    rows: int = 0
    size: int = 0
    backup_seconds: float = 0.0
    restore_seconds: float = 0.0
    arrived: int = 0  # messages in the chats before the disaster
    lost: int = 0  # updates that came between backup and disaster
    doubted: int = 0
    said_again: int = 0
    resumed: int = 0
    broken: list[str] = field(default_factory=list)


def empty(kind: str, folder: Path, server: str, name: str) -> str:
    """Return the address of an empty database."""
    if kind == "sqlite":
        return f"sqlite:///{folder / name}.sqlite3"
    return postgres.create(server, name)


def act(crowd: Crowd, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        crowd.act(ACTS_A_SECOND // 5)
        time.sleep(0.2)


def from_one(kind: str, folder: Path, postgres_url: str, keys: dict[str, str], given: "Given") -> list[Run]:
    """Back up a loaded bot on one kind of database, and restore that into each kind."""
    runs = [Run(kind, target) for target in KINDS]
    with served(seed=given.seed) as server:
        source = Place(empty(kind, folder, postgres_url, f"from_{kind}"), server, keys, BEGINS)
        enrol(Settings(_env_file=None, **source.settings()))  # type: ignore[arg-type]
        source.began = time.monotonic()
        crowd = Crowd(server, random.Random(given.seed))
        file = given.backup_of(kind, folder)
        with source.running(folder / f"from_{kind}.log") as bot:
            act(crowd, given.size["before"])
            with subprocess.Popen(
                [*FOLLOWUP, "backup", str(file)],
                env=source.environment(),
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as writing:
                while writing.poll() is None:
                    act(crowd, 0.2)
                assert writing.stdout is not None
                assert writing.stderr is not None
                said, complaint = writing.stdout.read(), writing.stderr.read()
            if writing.returncode:
                raise AssertionError(f"followup backup: {complaint[-800:]}")
            act(crowd, given.size["after"])
            bot.send_signal(signal.SIGKILL)
        seconds = float(said.rsplit(" s.", 1)[0].rsplit(" ", 1)[-1])
        arrived, stored = len(server.truth()), _updates(source)
        for run in runs:
            run.backup_seconds, run.size, run.arrived = seconds, file.stat().st_size, arrived
            resume(run, file, folder, postgres_url, source, crowd, given, stored)
    return runs


def _updates(place: Place) -> set[int]:
    with place.opened() as store:
        return set(store.read_now(lambda session: session.exec(select(InboxUpdate.update_id)).all()))


def resume(
    run: Run,
    file: Path,
    folder: Path,
    postgres_url: str,
    source: Place,
    crowd: Crowd,
    given: "Given",
    stored: set[int],
) -> None:
    """Restore into an empty place, look at what is there, and let the bot go on."""
    name = f"{run.source}_to_{run.target}"
    url = empty(run.target, folder, postgres_url, name)
    place = Place(url, source.server, source.keys, source.now + DOWN)
    manifest = backup.check(file, vault.keys(place.keys["backup_key"]))
    restored_at = place.now
    begun = time.monotonic()
    done = place.command("restore", str(file))
    run.restore_seconds, run.rows = time.monotonic() - begun, manifest.rows
    if done.returncode:
        run.broken.append(f"restore refused: {done.stderr[-400:]}")
        return
    look(run, place, manifest)
    run.lost = len(stored - _updates(place))
    again = place.command("restore", str(file)) if run.source == run.target else None
    if again is not None and (again.returncode != 2 or "empty" not in again.stderr or "Traceback" in again.stderr):
        run.broken.append("a second restore over the first was not refused")
    told = len(place.server.truth())
    with place.opened() as store:
        last, open_updates = store.read_now(lambda session: _before(session, restored_at))
    with place.running(folder / f"{name}.log"):
        act(crowd, given.size["resumed"])
        place.wait_until_quiet()
    judge(run, place, place.server.truth(told), last, open_updates, restored_at)
    checked = place.command("audit", "verify", "--head", manifest.head)
    if checked.returncode:
        run.broken.append(f"the chain does not go on: {checked.stderr[-300:]}")


def look(run: Run, place: Place, manifest: backup.Manifest) -> None:
    """Check integrity, counts and chain with other means than the restore itself."""
    if run.target == "sqlite":
        with contextlib.closing(sqlite3.connect(place.url.removeprefix("sqlite:///"))) as connection:
            for pragma in ("integrity_check", "foreign_key_check"):
                found = connection.execute(f"PRAGMA {pragma}").fetchall()
                if found not in ([("ok",)], []):
                    run.broken.append(f"{pragma}: {found[:3]}")
    with place.opened() as store:
        verdict = store.read_now(lambda session: chain.verify(session.connection(), manifest.head))
        if verdict.problem:
            run.broken.append(verdict.problem)
        if differences := schema.differences(store):
            run.broken.append(f"the tables differ from the models: {differences[:2]}")
        for name, count in manifest.counts.items():

            def number(session: Session, name: str = name) -> int:
                return int(session.connection().exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar() or 0)

            # The restore itself adds messages, entries of the trail and what is planned; it takes nothing away.
            if (there := store.read_now(number)) < count:
                run.broken.append(f"{name}: {there} of {count} rows")


def _before(session: Session, moment: datetime) -> tuple[int, set[int]]:
    """Return the last message written before the restore, and the updates that are handled again."""
    last = session.exec(select(func.max(OutboxMessage.id)).where(col(OutboxMessage.created_at) < moment)).one()
    waiting = session.exec(select(InboxUpdate.update_id).where(InboxUpdate.state == "waiting")).all()
    return last or 0, set(waiting)


def judge(
    run: Run, place: Place, news: Sequence[dict[str, Any]], last: int, again: set[int], restored_at: datetime
) -> None:
    """Account for each message that the restored bot sent."""

    def read(session: Session) -> tuple[dict[int, OutboxMessage], list[InboxUpdate], int]:
        rows = session.exec(select(OutboxMessage)).all()
        sent = {row.message_id: row for row in rows if row.message_id is not None and row.state == "sent"}
        # Messages of the old bot carry lower numbers of the same server, so both fit into one table.
        updates = session.exec(select(InboxUpdate).where(col(InboxUpdate.update_id).in_(again))).all()
        told = [row for row in rows if row.text_key == "staff.restored" and row.state == "sent"]
        return sent, list(updates), len(told)

    with place.opened() as store:
        sent, updates, told = store.read_now(read)
    # What an update caused was written in the transaction that closed it.
    closed = {row.closed_at for row in updates}
    run.doubted, run.resumed = len(again), len(news)
    for message in news:
        row = sent.get(message["message_id"])
        if row is None:
            run.broken.append(f"message {message['message_id']} has no row")
        elif _says_so(row):
            run.said_again += 1
        elif (row.id or 0) <= last and row.due_at <= restored_at:
            run.broken.append(f"a message from before the backup went out again: {row.text_key}")
        elif row.created_at in closed:
            run.broken.append(f"an answer that may be the second does not say so: {row.text_key}")
    if not told:
        run.broken.append("nobody was told of the restore")
    if open_now := [row.update_id for row in updates if row.state != "done"]:
        run.broken.append(f"updates {open_now} were not handled after the restore")


def _says_so(message: OutboxMessage) -> bool:
    starts = (bundled_texts().template(key, message.locale).partition("{text}")[0] for key in SHOWN_AGAIN)
    return any(message.text.startswith(start) for start in starts)


# Damage


Tried = tuple[str, int, int]  # what was done, how often, and how often that was seen


def damage(content: bytes, dice: random.Random) -> tuple[str, bytes]:
    """Return what was done to a copy, and the copy."""
    what = dice.choice(("flipped", "flipped", "flipped", "cut off", "zeroed", "piece missing", "added"))
    at = dice.randrange(len(content))
    if what == "flipped":
        return what, content[:at] + bytes([content[at] ^ (1 << dice.randrange(8))]) + content[at + 1 :]
    if what == "cut off":
        return what, content[:at]
    if what == "added":
        return what, content + dice.randbytes(dice.randrange(1, 5000))
    length = dice.randrange(1, 5000)
    if what == "piece missing":
        return what, content[:at] + content[at + length :]
    return what, content[:at] + b"\0" * len(content[at : at + length]) + content[at + length :]


def refuse_all(file: Path, folder: Path, place: Place, number: int, seed: int) -> tuple[list[Tried], list[str]]:
    """Damage copies of a backup; each has to be refused, some of them by the command itself."""
    dice, content = random.Random(seed), file.read_bytes()
    done, refused, broken = Counter[str](), Counter[str](), list[str]()
    copy = folder / "damaged.backup"
    known = vault.keys(place.keys["backup_key"])
    for _ in range(number):
        what, made = damage(content, dice)
        if made == content:
            continue
        copy.write_bytes(made)
        done[what] += 1
        try:
            backup.check(copy, known)
            broken.append(f"a backup that was {what} was taken for whole")
        except FollowupError:
            refused[what] += 1
    copy.write_bytes(content[: len(content) // 2])
    other = Place(place.url, place.server, {**place.keys, "backup_key": Cipher.new_key()}, place.clock)
    alike = Place(place.url, place.server, {**place.keys, "backup_key": place.keys["encryption_key"]}, place.clock)
    for what, where, path in (
        ("cut in half", place, copy),
        ("with another key", other, file),
        ("with the encryption key", alike, file),
    ):
        what = f"{what} (command)"
        done[what] += 1
        said = where.command("restore", str(path))
        if Path(place.url.removeprefix("sqlite:///")).exists():
            broken.append(f"{what}: a database was made all the same")
        elif said.returncode == 2 and len(said.stderr.splitlines()) == 1:
            refused[what] += 1
        else:
            broken.append(f"{what}: no refusal in one line: {said.stderr[-300:]}")
    return _counted(done, refused), broken


def _counted(done: Counter[str], good: Counter[str]) -> list[Tried]:
    return [(what, number, good[what]) for what, number in sorted(done.items())]


# The chain


def chain_speed(url: str, count: int) -> tuple[float, float, float]:
    """Return in how many seconds so many entries are sealed, and verified, and how many of our processor that took.

    Verified: the best of a few tries.
    """
    store = Store(url, Cipher(Cipher.new_key()))
    schema.upgrade(store)
    changes = json.dumps({"state": ["notified", "acknowledged"], "summary": ["(sealed)", "(sealed)"]})

    rest = ("staff:3:coordinator", "escalation.changed", "escalation")

    def batches() -> Iterator[list[portable.Row]]:
        for begin in range(1, count + 1, 10_000):
            yield [
                (
                    n,
                    f"2026-11-02 08:00:00.{n % 10**6:06d}",
                    *rest[:1],
                    f"update:{n}",
                    *rest[1:],
                    n % 1000,
                    changes,
                    None,
                )
                for n in range(begin, min(begin + 10_000, count + 1))
            ]

    with store.engine.begin() as connection:
        portable.speak_utc(connection)
        portable.load(connection, "audit_entry", chain.ENTRY, batches())
    begun = time.monotonic()
    chain.seal_all(store, datetime.now(UTC))
    sealed = time.monotonic() - begun
    times = []
    for _ in range(TRIES):
        begun, used = time.monotonic(), time.process_time()
        verdict = store.read_now(lambda session: chain.verify(session.connection()))
        times.append((time.monotonic() - begun, time.process_time() - used))
    store.close()
    assert (verdict.entries, verdict.problem) == (count, None), verdict
    return sealed, *min(times)


def attack(url: str, number: int, seed: int) -> tuple[list[Tried], list[str]]:
    """Attack a short trail in so many ways; each attack must show against the head that is kept outside."""
    dice, tried, found, missed = random.Random(seed), Counter[str](), Counter[str](), list[str]()
    store = Store(url, Cipher(Cipher.new_key()))
    schema.upgrade(store)
    head = trail(store, dice)
    with store.engine.connect() as connection, connection.begin():
        for _ in range(number):
            with undone(connection):
                what = dice.choice(ATTACKS)(Attacker(connection, dice))
                tried[what] += 1
                if chain.verify(connection, head).problem is not None:
                    found[what] += 1
                else:
                    missed.append(f"not found in the audit trail: {what}")
    store.close()
    return _counted(tried, found), missed


# The whole


@dataclass(frozen=True, slots=True)
class Given:
    """How the measurement was asked for."""

    seed: int
    size: dict[str, Any]

    @staticmethod
    def backup_of(kind: str, folder: Path) -> Path:
        return folder / f"{kind}.backup"


def measure(given: Given, folder: Path) -> tuple[str, list[str]]:
    """Return the tables of figures, and every promise that was broken."""
    keys = {"encryption_key": Cipher.new_key(), "backup_key": Cipher.new_key()}
    parts: list[str] = []
    broken: list[str] = []
    with postgres.served() as database:
        postgres_url = database.get_uri()
        runs: list[Run] = []
        for kind in KINDS:
            runs += from_one(kind, folder, postgres_url, keys, given)
            sys.stdout.write(f"{kind}: {summed([each for run in runs[-2:] for each in run.broken]) or 'kept'}\n")
            sys.stdout.flush()
        broken += [f"{run.source} to {run.target}: {each}" for run in runs for each in run.broken]
        parts.append(_runs_table(runs))
        with served() as server:
            place = Place(f"sqlite:///{folder / 'untouched.sqlite3'}", server, keys, BEGINS)
            done, bad = refuse_all(
                given.backup_of("sqlite", folder), folder, place, given.size["damages"], given.seed
            )
        broken += bad
        parts.append(report.table(("damage", "copies", "refused"), done))
        tried, bad = attack(empty("sqlite", folder, postgres_url, "attacked"), given.size["attacks"], given.seed)
        broken += bad
        parts.append(report.table(("attack on the audit trail", "times", "found"), tried))
        rows = []
        for kind in KINDS:
            count = given.size["entries"]
            sealed, seconds, used = chain_speed(empty(kind, folder, postgres_url, f"chain_{kind}"), count)
            rows.append((kind, f"{count:,}", f"{sealed:.1f}", f"{seconds:.1f}", f"{used:.1f}"))
            if seconds > VERIFIED_IN:
                broken.append(f"{count} audit entries took {seconds:.1f} s on {kind}")
        parts.append(
            report.table(("database", "audit entries", "sealed in, s", "verified in, s", "processor, s"), rows)
        )
    return "\n\n".join(parts), broken


def _runs_table(runs: Sequence[Run]) -> str:
    head = (
        "from",
        "to",
        "rows",
        "bytes",
        "backup, s",
        "restore, s",
        "messages before",
        "updates lost",
        "open updates",
        "sent after",
        "of them say they may be repeats",
        "promise",
    )
    return report.table(
        head,
        [
            (
                run.source,
                run.target,
                run.rows,
                run.size,
                f"{run.backup_seconds:.1f}",
                f"{run.restore_seconds:.1f}",
                run.arrived,
                run.lost,
                run.doubted,
                run.resumed,
                run.said_again,
                summed(run.broken) or "kept",
            )
            for run in runs
        ],
    )


def summed(found: Sequence[str]) -> str:
    return "; ".join(f"{what} ({times}x)" for what, times in Counter(found).items())


NOTE = """- Messages before: how many were in the chats when the bot was killed. None of them was sent again, except
  RED ones and answers that say that they may be repeats.
- Updates lost: what people sent between the backup and the kill. This is what a backup cannot hold; all active
  patients are asked again.
- Open updates: stored in the backup and not handled yet. They are handled after the restore; what is said about them
  says that it may be a repeat.
- Restore: the whole command, from its start to its end, with reading the file through first, comparing every table
  with its sum, and computing the audit chain again."""


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="a shorter run, for every change")
    parser.add_argument("--write", action="store_true", help="write docs/evidence/backup.md")
    parser.add_argument("--keep", action="store_true", help="keep the folder with databases and logs")
    asked = parser.parse_args(words)
    logs.configure("CRITICAL")
    folder = Path(tempfile.mkdtemp(prefix="followup-backup-"))
    folder.chmod(0o755)
    begun = time.monotonic()
    try:
        body, broken = measure(Given(asked.seed, SMALL if asked.small else WHOLE), folder)
    finally:
        if asked.keep:
            sys.stdout.write(f"kept: {folder}\n")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    took = f"The whole run took {time.monotonic() - begun:.0f} s."
    promise = (
        "\n".join(f"- BROKEN: {each} ({times}x)" for each, times in Counter(broken).items())
        or "Every promise was kept."
    )
    body = f"{body}\n\n{promise} {took}"
    command, title = f"python -m bench.backup --seed {asked.seed}", "Backup and restore"
    command += " --small" if asked.small else ""
    return report.finish("backup", title, command, body, broken, to_file=asked.write, seed=asked.seed, note=NOTE)


if __name__ == "__main__":
    sys.exit(main())
