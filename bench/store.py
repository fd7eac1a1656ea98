"""Which way to the database is fast enough, blocks nobody, and loses nothing?

Each way does the same transaction, shaped like that of an update: read an account and the update's row,
change the row, add two messages and an audit entry, commit. Then eight tasks count one row up at once.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import queue
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, insert, update
from sqlalchemy import select as core_select
from sqlalchemy.event import listen
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import Session, SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from bench import postgres, report
from bot.cipher import Cipher
from bot.store import audit, schema
from bot.store.models import Account, AuditEntry, InboxUpdate, OutboxMessage
from bot.store.session import BUSY_TIMEOUT_MS, POSTGRES_THREADS, SERIALIZATION_FAILURES, Store, StoreBusy
from bot.store.types import give_cipher

IN_FLIGHT = (1, 8, 32)
CHATS = max(IN_FLIGHT)
COUNTERS, INCREMENTS = 8, 400
COUNTED = CHATS + 1  # the row that all count up
ATTEMPTS = 40
GROUP = 16  # most pieces of work in one transaction
TICK = 0.001
NOW = datetime(2026, 11, 2, tzinfo=UTC)
MANUAL = "as its manual shows it"
CHOSEN = "Store: SQLModel session on worker threads"


def message(account: int, chat: int) -> dict[str, Any]:
    """Return the columns of a message, as `Work.say` fills them."""
    return {
        "account_id": account,
        "chat_id": chat,
        "purpose": "answer",
        "lane": 1,
        "method": "send",
        "text_key": "speak.passed_on",
        "values": '{"phone": "0571-0000-0000"}',
        "text": "We have passed your message on to the team. " * 3,
        "locale": "en",
        "single_use": False,
        "silent": False,
        "secret": False,
        "created_at": NOW,
        "due_at": NOW,
        "state": "waiting",
        "attempts": 0,
    }


def entry() -> dict[str, Any]:
    return {"at": NOW, "actor": "patient:1", "cause": "update:1", "what": "bench.exchanged", "changes": {"a": 1}}


def refused(error: BaseException) -> bool:
    """Tell whether the database asks for the transaction to be run again."""
    if isinstance(error, DBAPIError):
        return getattr(error.orig, "sqlstate", None) in SERIALIZATION_FAILURES
    return getattr(error, "sqlstate", None) in SERIALIZATION_FAILURES


def pause(attempt: int) -> float:
    return random.uniform(0.0, min(0.002 * 2.0**attempt, 0.1))


class Access(ABC):
    """One way to do the two transactions."""

    def __init__(self, store: Store, cipher: Cipher) -> None:
        self.store = store
        self.cipher = cipher

    @abstractmethod
    async def exchange(self, chat: int) -> None:
        """Handle an update of this chat."""

    @abstractmethod
    async def increment(self) -> None:
        """Read the counted row, add one in Python, write it back."""

    async def close(self) -> None:
        """Let go of what this way opened; the store itself is closed by whoever made it."""
        return


# The work itself, for a session


def exchange_orm(session: Session, chat: int) -> None:
    audit.attribute(session, at=NOW, actor="patient:1", cause="update:1")
    account = session.exec(select(Account).where(Account.telegram_id == chat)).one()
    row = session.exec(select(InboxUpdate).where(InboxUpdate.update_id == chat)).one()
    for _ in range(2):
        session.add(OutboxMessage(**message(account.id or 0, chat)))
        session.flush()
    row.attempts += 1
    audit.record(session, "bench.exchanged", a=1)


def increment_orm(session: Session) -> None:
    row = session.exec(select(InboxUpdate).where(InboxUpdate.update_id == COUNTED)).one()
    row.attempts += 1


class OurStore(Access):
    async def exchange(self, chat: int) -> None:
        await self.store.write(lambda session: exchange_orm(session, chat))

    async def increment(self) -> None:
        await self.store.write(increment_orm)


class Grouped(Access):
    """Work that waits while a transaction runs shares the next one, each in a savepoint of its own."""

    def __init__(self, store: Store, cipher: Cipher) -> None:
        super().__init__(store, cipher)
        self._free = 1 if store.is_sqlite else 2
        self._threads = ThreadPoolExecutor(self._free)
        self._waiting: deque[tuple[Callable[[Session], None], asyncio.Future[None]]] = deque()
        self._drains: set[asyncio.Task[None]] = set()

    async def exchange(self, chat: int) -> None:
        await self._write(lambda session: exchange_orm(session, chat))

    async def increment(self) -> None:
        await self._write(increment_orm)

    async def _write(self, work: Callable[[Session], None]) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, done))
        if self._free:
            self._free -= 1
            drain = asyncio.create_task(self._drain())
            self._drains.add(drain)
            drain.add_done_callback(self._drains.discard)
        await done

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(GROUP, len(self._waiting)))]
                ends = await loop.run_in_executor(self._threads, self._together, [work for work, _ in group])
                for (_, done), end in zip(group, ends, strict=True):
                    if end is None:
                        done.set_result(None)
                    else:
                        done.set_exception(end)
        finally:
            self._free += 1

    def _together(self, works: Sequence[Callable[[Session], None]]) -> list[Exception | None]:
        try:
            with self.store.engine.begin() as connection:
                return [self._one(connection, work) for work in works]
        except DBAPIError as error:
            if not refused(error):
                raise
        # One of them met somebody else's change, which spoils the transaction of all.
        return [self._alone(work) for work in works]

    def _one(self, connection: Connection, work: Callable[[Session], None]) -> Exception | None:
        try:
            with Session(connection, join_transaction_mode="create_savepoint", expire_on_commit=False) as session:
                work(session)
                session.commit()
        except Exception as error:
            if refused(error):
                raise
            return error
        return None

    def _alone(self, work: Callable[[Session], None]) -> Exception | None:
        try:
            self.store.write_now(work)
        except Exception as error:
            return error
        return None

    async def close(self) -> None:
        self._threads.shutdown()


class AsyncOrm(Access):
    """SQLModel's AsyncSession; ``guarded`` gives it the same protection as our store, else as manuals show it."""

    def __init__(self, store: Store, cipher: Cipher, driver: str, *, guarded: bool) -> None:
        super().__init__(store, cipher)
        self._guarded = guarded
        more: dict[str, Any] = {}
        if not store.is_sqlite:
            more = {"pool_size": POSTGRES_THREADS, "max_overflow": 0}
            more |= {"isolation_level": "REPEATABLE READ", "pool_pre_ping": True} if guarded else {}
        elif guarded:
            more = {"pool_size": 1, "max_overflow": 0}
        self._engine = create_async_engine(store.url.set(drivername=driver), **more)
        give_cipher(self._engine.sync_engine.dialect, cipher)
        if store.is_sqlite:
            listen(self._engine.sync_engine, "connect", self._prepare)
        if store.is_sqlite and guarded:
            listen(self._engine.sync_engine, "begin", lambda it: it.exec_driver_sql("BEGIN IMMEDIATE"))

    def _prepare(self, connection: Any, _record: Any) -> None:
        if self._guarded:
            connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT_MS}", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    async def exchange(self, chat: int) -> None:
        async def work(session: AsyncSession) -> None:
            audit.attribute(session.sync_session, at=NOW, actor="patient:1", cause="update:1")
            account = (await session.exec(select(Account).where(Account.telegram_id == chat))).one()
            row = (await session.exec(select(InboxUpdate).where(InboxUpdate.update_id == chat))).one()
            for _ in range(2):
                session.add(OutboxMessage(**message(account.id or 0, chat)))
                await session.flush()
            row.attempts += 1
            audit.record(session.sync_session, "bench.exchanged", a=1)

        await self._write(work)

    async def increment(self) -> None:
        async def work(session: AsyncSession) -> None:
            row = (await session.exec(select(InboxUpdate).where(InboxUpdate.update_id == COUNTED))).one()
            row.attempts += 1

        await self._write(work)

    async def _write(self, work: Callable[[AsyncSession], Awaitable[None]]) -> None:
        for attempt in range(ATTEMPTS if self._guarded else 1):
            try:
                async with AsyncSession(self._engine, expire_on_commit=False) as session:
                    await work(session)
                    await session.commit()
                    return
            except DBAPIError as error:
                if not (self._guarded and refused(error)):
                    raise
                await asyncio.sleep(pause(attempt))
        raise StoreBusy

    async def close(self) -> None:
        await self._engine.dispose()


class OnThreads(Access):
    """A synchronous way on as many threads as our store has."""

    def __init__(self, store: Store, cipher: Cipher) -> None:
        super().__init__(store, cipher)
        self._threads = ThreadPoolExecutor(1 if store.is_sqlite else POSTGRES_THREADS)

    async def exchange(self, chat: int) -> None:
        await self._write(lambda: self._exchange(chat))

    async def increment(self) -> None:
        await self._write(self._increment)

    @abstractmethod
    def _exchange(self, chat: int) -> None: ...

    @abstractmethod
    def _increment(self) -> None: ...

    async def _write(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, self._again, work)

    def _again(self, work: Callable[[], None]) -> None:
        for attempt in range(ATTEMPTS):
            try:
                return work()
            except (DBAPIError, psycopg.Error) as error:
                if not refused(error):
                    raise
                time.sleep(pause(attempt))
        raise StoreBusy

    async def close(self) -> None:
        self._threads.shutdown()


class Core(OnThreads):
    """SQLAlchemy without its object mapper."""

    def _exchange(self, chat: int) -> None:
        with self.store.engine.begin() as connection:
            accounts, inbox, outbox = table(Account), table(InboxUpdate), table(OutboxMessage)
            account = connection.execute(core_select(accounts).where(accounts.c.telegram_id == chat)).one()
            row = connection.execute(core_select(inbox).where(inbox.c.update_id == chat)).one()
            for _ in range(2):
                connection.execute(insert(outbox).values(**message(account.id, chat)))
            connection.execute(update(inbox).where(inbox.c.id == row.id).values(attempts=row.attempts + 1))
            connection.execute(insert(table(AuditEntry)).values(**entry()))

    def _increment(self) -> None:
        with self.store.engine.begin() as connection:
            inbox = table(InboxUpdate)
            row = connection.execute(core_select(inbox).where(inbox.c.update_id == COUNTED)).one()
            connection.execute(update(inbox).where(inbox.c.id == row.id).values(attempts=row.attempts + 1))


class Raw(OnThreads):
    """The driver alone, with statements written by hand."""

    def __init__(self, store: Store, cipher: Cipher) -> None:
        super().__init__(store, cipher)
        self._mark = "?" if store.is_sqlite else "%s"
        self._open: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(1 if store.is_sqlite else POSTGRES_THREADS):
            self._open.put(self._connect())

    def _connect(self) -> Any:
        if not self.store.is_sqlite:
            url = self.store.url.set(drivername="postgresql").render_as_string(hide_password=False)
            connection = psycopg.connect(url)
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            return connection
        lite = sqlite3.connect(str(self.store.url.database), check_same_thread=False, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT_MS}", "foreign_keys=ON"):
            lite.execute(f"PRAGMA {pragma}")
        return lite

    def _exchange(self, chat: int) -> None:
        with self._transaction() as run:
            ((account, *_),) = run("SELECT * FROM account WHERE telegram_id = ?", [chat])
            ((row, attempts),) = run("SELECT id, attempts FROM inbox_update WHERE update_id = ?", [chat])
            for _ in range(2):
                self._insert(run, "outbox_message", message(account, chat))
            run("UPDATE inbox_update SET attempts = ? WHERE id = ?", [attempts + 1, row])
            self._insert(run, "audit_entry", {**entry(), "changes": '{"a": 1}'})

    def _increment(self) -> None:
        with self._transaction() as run:
            ((attempts,),) = run("SELECT attempts FROM inbox_update WHERE update_id = ?", [COUNTED])
            run("UPDATE inbox_update SET attempts = ? WHERE update_id = ?", [attempts + 1, COUNTED])

    def _insert(self, run: Callable[[str, list[Any]], Any], name: str, values: dict[str, Any]) -> None:
        given = [self._as_stored(column, value) for column, value in values.items()]
        columns = ", ".join(f'"{column}"' for column in values)
        run(f"INSERT INTO {name} ({columns}) VALUES ({', '.join('?' * len(given))}) RETURNING id", given)

    def _as_stored(self, column: str, value: Any) -> Any:
        if column in ("text", "values"):
            return self.cipher.seal(value)
        if self.store.is_sqlite and isinstance(value, datetime):
            return value.strftime("%Y-%m-%d %H:%M:%S.%f")
        return value

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Callable[[str, list[Any]], Any]]:
        connection = self._open.get()

        def run(statement: str, values: list[Any]) -> Any:
            cursor = connection.execute(statement.replace("?", self._mark), values)
            return cursor.fetchall() if cursor.description else None

        try:
            if self.store.is_sqlite:
                connection.execute("BEGIN IMMEDIATE")
            yield run
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        finally:
            self._open.put(connection)

    async def close(self) -> None:
        await super().close()
        while not self._open.empty():
            self._open.get().close()


def table(model: type[SQLModel]) -> Any:
    return model.__table__  # type: ignore[attr-defined]


def ways(*, sqlite: bool) -> dict[str, Callable[[Store, Cipher], Access]]:
    """Return every way to a kind of database, by the name it has in the tables."""

    def over(driver: str, *, guarded: bool) -> Callable[[Store, Cipher], Access]:
        return lambda store, cipher: AsyncOrm(store, cipher, driver, guarded=guarded)

    lite, fast, plain = "sqlite+aiosqlite", "postgresql+asyncpg", "postgresql+psycopg"
    own: dict[str, Callable[[Store, Cipher], Access]] = (
        {
            f"AsyncSession on aiosqlite, {MANUAL}": over(lite, guarded=False),
            "AsyncSession on aiosqlite, BEGIN IMMEDIATE": over(lite, guarded=True),
        }
        if sqlite
        else {
            f"AsyncSession on asyncpg, {MANUAL}": over(fast, guarded=False),
            "AsyncSession on asyncpg, REPEATABLE READ": over(fast, guarded=True),
            f"AsyncSession on psycopg, {MANUAL}": over(plain, guarded=False),
            "AsyncSession on psycopg, REPEATABLE READ": over(plain, guarded=True),
        }
    )
    return {
        CHOSEN: OurStore,
        "Store with group commit": Grouped,
        **own,
        "SQLAlchemy Core on worker threads": Core,
        "Driver alone on worker threads": Raw,
    }


# Measuring


@dataclass
class Cell:
    """What one way did with so many transactions in flight."""

    rates: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    cpu: float = 0.0  # seconds of this process; unlike the rates it hardly feels a busy machine
    errors: int = 0

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    @property
    def p99(self) -> float:
        return 1000 * sorted(self.latencies)[int(len(self.latencies) * 0.99)] if self.latencies else float("nan")

    @property
    def work(self) -> float:
        return 1000 * self.cpu / max(len(self.latencies), 1)

    @property
    def gap(self) -> float:
        return 1000 * statistics.median(self.gaps)


@dataclass
class Count:
    """What became of the increments."""

    arrived: int
    errors: int
    seconds: float

    @property
    def lost(self) -> int:
        return INCREMENTS - self.errors - self.arrived


@contextlib.asynccontextmanager
async def ticking(gaps: list[float]) -> Any:
    """Note the longest time in which the event loop did not come round."""
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        last = time.perf_counter()
        while True:
            await asyncio.sleep(TICK)
            now = time.perf_counter()
            longest, last = max(longest, now - last - TICK), now

    ticker = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticker.cancel()
        gaps.append(longest)


async def measure(access: Access, in_flight: int, seconds: float, cell: Cell) -> None:
    """Keep so many transactions in flight for a while."""
    begun, cpu = time.perf_counter(), time.process_time()
    done = 0

    async def one(chat: int) -> None:
        nonlocal done
        while (start := time.perf_counter()) - begun < seconds:
            try:
                await access.exchange(chat)
            except Exception:
                cell.errors += 1
            else:
                done += 1
                cell.latencies.append(time.perf_counter() - start)

    async with ticking(cell.gaps):
        await asyncio.gather(*(one(chat) for chat in range(1, in_flight + 1)))
    cell.rates.append(done / (time.perf_counter() - begun))
    cell.cpu += time.process_time() - cpu


async def count(access: Access) -> Count:
    """Let eight tasks count one row up."""
    errors = 0

    async def some() -> None:
        nonlocal errors
        for _ in range(INCREMENTS // COUNTERS):
            try:
                await access.increment()
            except Exception:
                errors += 1

    begun = time.perf_counter()
    await asyncio.gather(*(some() for _ in range(COUNTERS)))
    seconds = time.perf_counter() - begun
    query = select(InboxUpdate.attempts).where(InboxUpdate.update_id == COUNTED)
    arrived = await access.store.read(lambda session: session.exec(query).one())
    return Count(arrived, errors, seconds)


def prepared(url: str, cipher: Cipher) -> Store:
    """Return a store whose tables hold an account and an update for each chat."""
    store = Store(url, cipher)
    schema.upgrade(store)

    def fill(session: Session) -> None:
        for chat in range(1, COUNTED + 1):
            session.add(Account(telegram_id=chat, locale="en", first_seen_at=NOW))
            session.add(InboxUpdate(bot_id=1, update_id=chat, chat_id=chat, raw="{}", received_at=NOW, state="done"))

    store.write_now(fill)
    return store


async def compare(
    urls: Iterator[str], dice: random.Random, rounds: int, seconds: float, *, sqlite: bool
) -> dict[str, tuple[dict[int, Cell], Count]]:
    """Measure every way in rounds of changing order, so that a busy moment of the machine hits all of them."""
    cipher = Cipher(Cipher.new_key())
    made = {name: make(prepared(next(urls), cipher), cipher) for name, make in ways(sqlite=sqlite).items()}
    cells = {name: {n: Cell() for n in IN_FLIGHT} for name in made}
    try:
        for access in made.values():
            await measure(access, 2, 0.1, Cell())  # opens connections, fills caches
        for _ in range(rounds):
            for name in dice.sample(list(made), len(made)):
                for in_flight in IN_FLIGHT:
                    await measure(made[name], in_flight, seconds, cells[name][in_flight])
        return {name: (cells[name], await count(access)) for name, access in made.items()}
    finally:
        for access in made.values():
            await access.close()
            access.store.close()


# The two databases


@contextlib.contextmanager
def sqlite_files() -> Iterator[Iterator[str]]:
    with tempfile.TemporaryDirectory(prefix="followup-bench-") as folder:
        yield (f"sqlite:///{Path(folder) / f'{number}.sqlite3'}" for number in range(99))


@contextlib.contextmanager
def databases() -> Iterator[tuple[Iterator[str], str]]:
    """Start a real PostgreSQL; give addresses of empty databases and its settings."""
    with postgres.served() as server:
        with psycopg.connect(server.get_uri()) as connection:
            kept = {
                name: connection.execute(f"SHOW {name}").fetchone()
                for name in ("server_version", "fsync", "synchronous_commit")
            }
        fresh = (postgres.create(server.get_uri()) for _ in itertools.count())
        yield fresh, ", ".join(f"{name} {value[0]}" for name, value in kept.items() if value)


async def loop_alone(seconds: float) -> float:
    """Return the longest gap of an event loop that has nothing to do, in milliseconds."""
    gaps: list[float] = []
    async with ticking(gaps):
        await asyncio.sleep(seconds)
    return 1000 * gaps[0]


# Writing it down

HEAD = (
    "Way",
    "transactions/s: 1, 8, 32 in flight",
    "p99, ms",
    "our processor time each, ms",
    "loop blocked, ms",
    "errors",
    f"arrived of {INCREMENTS}",
    "refused aloud",
    "lost without a word",
    "counted/s",
)

RATIOS = (*(f"rate, {n} in flight" for n in IN_FLIGHT), *(f"processor time, {n} in flight" for n in IN_FLIGHT))


def lines(results: dict[str, tuple[dict[int, Cell], Count]]) -> list[list[object]]:
    return [
        [
            name,
            " / ".join(f"{cells[n].rate:.0f}" for n in IN_FLIGHT),
            " / ".join(f"{cells[n].p99:.1f}" for n in IN_FLIGHT),
            " / ".join(f"{cells[n].work:.1f}" for n in IN_FLIGHT),
            " / ".join(f"{cells[n].gap:.1f}" for n in IN_FLIGHT),
            sum(cell.errors for cell in cells.values()),
            counted.arrived,
            counted.errors,
            counted.lost,
            f"{counted.arrived / counted.seconds:.0f}",
        ]
        for name, (cells, counted) in results.items()
    ]


def ratios(results: dict[str, tuple[dict[int, Cell], Count]]) -> list[list[object]]:
    ours = results[CHOSEN][0]
    return [
        [
            name,
            *(f"{cells[n].rate / ours[n].rate:.2f}" for n in IN_FLIGHT),
            *(f"{cells[n].work / ours[n].work:.2f}" for n in IN_FLIGHT),
        ]
        for name, (cells, _) in results.items()
    ]


def broken(results: dict[str, tuple[dict[int, Cell], Count]]) -> list[str]:
    """Return what the chosen way promised and did not keep."""
    cells, counted = results[CHOSEN]
    faults = []
    if counted.arrived != INCREMENTS:
        faults.append(f"{counted.arrived} of {INCREMENTS} increments arrived")
    if any(cell.errors for cell in cells.values()):
        faults.append("transactions failed")
    return faults


async def main(rounds: int, seconds: float, seed: int, *, write: bool) -> int:
    dice = random.Random(seed)
    random.seed(seed)
    busy = [os.getloadavg()[0]]
    idle = await loop_alone(seconds)
    with sqlite_files() as urls:
        lite = await compare(urls, dice, rounds, seconds, sqlite=True)
    with databases() as (urls, kept):
        big = await compare(urls, dice, rounds, seconds, sqlite=False)
    busy.append(os.getloadavg()[0])
    parts = [
        f"SQLite {sqlite3.sqlite_version}: WAL and `synchronous=FULL` in every row, on the disk of the temporary "
        f"folder. PostgreSQL over a local socket: {kept}.",
        f"Each cell: {rounds} rounds of {seconds} s in random order; rates are medians of the rounds. "
        f'"Loop blocked" is the longest gap of a 1 ms ticker (median of the rounds); '
        f"with nothing to do it was {idle:.1f} ms. Counting: {COUNTERS} tasks read a row, add one and write it back, "
        f"{INCREMENTS} times in all.",
        f"Load average of the machine: {busy[0]:.1f} at the start, {busy[1]:.1f} at the end. Above about 2 somebody "
        "else was busy on its cores, and rates, p99 and gaps say little; processor time is steadier, and lost "
        "updates are lost in any case.",
        "## SQLite",
        report.table(HEAD, lines(lite)),
        "## PostgreSQL",
        report.table(HEAD, lines(big)),
        "## As ratios to the chosen way",
        report.table(("SQLite", *RATIOS), ratios(lite)),
        report.table(("PostgreSQL", *RATIOS), ratios(big)),
    ]
    faults = [*broken(lite), *broken(big)]
    parts.append("Broken promises: " + ("; ".join(faults) or "none") + ".")
    body = "\n\n".join(parts)
    command, title = (
        f"python -m bench.store --rounds {rounds} --seconds {seconds} --seed {seed} --write",
        "Ways to the database, compared",
    )
    return report.finish("store", title, command, body, faults, to_file=write, seed=seed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.6, help="of one round of one cell")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write docs/evidence/store.md")
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.rounds, given.seconds, given.seed, write=given.write)))
