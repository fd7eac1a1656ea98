"""How does a piece of work become one transaction, on SQLite and on PostgreSQL alike?

Work is a plain function that takes a session. It runs on a worker thread, so it cannot wait for the
network in the middle of a transaction, and it can be run again when the database asks for it.
SQLite has one writer thread with `BEGIN IMMEDIATE`; PostgreSQL has a pool at REPEATABLE READ,
where a lost update is an error and the function is simply run again.
"""

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session

import bot.store.dose_months  # noqa: F401  (no session may add a report without them)
from bot.cipher import Cipher
from bot.errors import FollowupError
from bot.metrics import READ, WRITE, Metrics
from bot.store.types import give_cipher

R = TypeVar("R")

ATTEMPTS = 40
LONGEST_PAUSE = 0.1  # seconds
SERIALIZATION_FAILURES = {"40001", "40P01"}  # PostgreSQL: could not serialize access; deadlock detected
BUSY_TIMEOUT_MS = 10_000
POSTGRES_THREADS = 8
# A process that is paused in the middle of a transaction must not keep its locks from the others.
STALLED_MS = 15_000


class StoreBusy(FollowupError):
    """The database kept refusing the transaction because others changed the same rows."""


# What says nothing about the work itself: it may be tried again when the database is back.
DATABASE_FAULTS = (DBAPIError, PoolTimeout, StoreBusy)


class Store:
    """The database, and the threads that talk to it."""

    def __init__(self, url: str, cipher: Cipher, schema: str = "public", metrics: Metrics | None = None) -> None:
        """``schema`` is the PostgreSQL schema that holds the tables; SQLite has a file a site instead."""
        self.url = make_url(url)
        self._metrics = metrics or Metrics()
        self.schema = schema
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self.engine = _sqlite_engine(url, "BEGIN IMMEDIATE")
            self._reading = _sqlite_engine(url, "BEGIN")
            writers, readers = 1, 2
        else:
            target = self.url.set(drivername="postgresql+psycopg")
            self.engine = create_engine(
                target,
                isolation_level="REPEATABLE READ",
                pool_size=2 * POSTGRES_THREADS,
                pool_pre_ping=True,
                hide_parameters=True,
                connect_args={
                    "options": f"-csearch_path={schema} -cidle_in_transaction_session_timeout={STALLED_MS}"
                },
            )
            self._reading = self.engine
            writers = readers = POSTGRES_THREADS
        for engine in (self.engine, self._reading):
            give_cipher(engine.dialect, cipher)
        self._writers = ThreadPoolExecutor(writers, thread_name_prefix="store-write")
        self._apart = ThreadPoolExecutor(1, thread_name_prefix="store-apart")
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="store-read")

    async def write(self, work: Callable[[Session], R]) -> R:
        """Run ``work`` in one transaction and return what it returns once that is committed.

        ``work`` may run more than once; only its last run counts.

        Raises:
            StoreBusy: the database refused it again and again.
        """
        return await asyncio.get_running_loop().run_in_executor(self._writers, _finish, self.write_now, work)

    async def write_apart(self, work: Callable[[Session], R]) -> R:
        """Do what `write` does on a thread of its own: for what must not queue behind a crowd, the lease."""
        return await asyncio.get_running_loop().run_in_executor(self._apart, _finish, self.write_now, work)

    async def read(self, work: Callable[[Session], R]) -> R:
        """Run ``work`` on a snapshot; changes it makes are thrown away."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, _finish, self.read_now, work)

    def write_now(self, work: Callable[[Session], R]) -> R:
        """Do what `write` does, on the calling thread: for commands of the terminal."""
        with self._metrics.transaction(WRITE):
            return self._attempt(work)

    def _attempt(self, work: Callable[[Session], R]) -> R:
        for attempt in range(ATTEMPTS):
            committing = False
            try:
                with Session(self.engine, expire_on_commit=False, autoflush=True) as session:
                    result = work(session)
                    committing = True
                    session.commit()
                    return result
            except DBAPIError as error:
                # A connection that broke before the commit changed nothing, so the work may run again.
                refused = getattr(error.orig, "sqlstate", None) in SERIALIZATION_FAILURES
                if not refused and (committing or not error.connection_invalidated):
                    raise
                self._metrics.retried()
                # With some disorder, or the same transactions would meet again. Not a secret, so plain random.
                longest = min(0.002 * 2.0**attempt, LONGEST_PAUSE)
                time.sleep(random.uniform(0.0, longest))  # noqa: S311
        raise StoreBusy(f"refused {ATTEMPTS} times")

    def read_now(self, work: Callable[[Session], R]) -> R:
        with (
            self._metrics.transaction(READ),
            Session(self._reading, expire_on_commit=False, autoflush=False) as session,
        ):
            return work(session)

    def renew(self) -> None:
        """Let go of connections that rest: new ones read anew how large the tables are."""
        self.engine.dispose()
        self._reading.dispose()

    def close(self) -> None:
        """Finish what is running and let go of the database."""
        self._writers.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        self._apart.shutdown(wait=True)
        self.renew()


def is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _sqlite_engine(url: str, begin: str) -> Engine:
    if (path := make_url(url).database) and path != ":memory:":
        Path(path).expanduser().parent.mkdir(parents=True, exist_ok=True)
    # Values of a statement never reach a traceback or a log (SEC-06).
    engine = create_engine(url, connect_args={"check_same_thread": False}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # The driver's own BEGIN is deferred and fails when two writers meet; we begin ourselves.
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",  # DI-25: what was confirmed survives a power cut
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _finish(do: Callable[[Callable[[Session], R]], R], work: Callable[[Session], R]) -> R:
    """Do the work on this thread; a StopIteration cannot leave it, so whoever waits would wait for ever."""
    try:
        return do(work)
    except StopIteration as error:
        raise RuntimeError("the work looked for something that is not there") from error
