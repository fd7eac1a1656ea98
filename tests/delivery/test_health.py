"""Does /healthz say at once that the database takes nothing, and what is wrong with it?"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import create_engine, event
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from bot.delivery import web
from bot.delivery.inbox import PULSE
from bot.store import trouble
from bot.store.models import Heartbeat
from bot.store.session import Store
from bot.story.stage import Stage
from tests.conftest import make_settings
from tests.process.test_webhook import SECRET, update

Ask = Callable[[str], Any]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine not look like a slow database."""
    monkeypatch.setattr(web, "PATIENCE_SECONDS", 30.0)


@asynccontextmanager
async def healthy(stage: Stage) -> AsyncIterator[Ask]:
    """Serve a bot whose watchdog has just run; yield what asks it: the status, what it says, after how long."""
    deps, now = stage.deps, stage.clock.now()

    def beat(session: Session) -> None:
        for part in ("watchdog", "auditor"):
            session.merge(Heartbeat(name=part, at=now))

    await deps.store.write(beat)
    deps.pulses[PULSE] = time.monotonic()
    async with TestClient(TestServer(web.health_app(deps))) as client:

        async def ask(page: str = "/healthz") -> Any:
            async with client.get(page) as answer:
                return (answer.status, await answer.json()) if page == "/healthz" else await answer.text()

        yield ask


@asynccontextmanager
async def locked(store: Store) -> AsyncIterator[None]:
    """Hold what the bot needs for writing, as another program would."""
    url = store.url if store.is_sqlite else store.url.set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if store.is_sqlite else "LOCK TABLE heartbeat IN EXCLUSIVE MODE")
        yield
    engine.dispose()


def faults(page: str) -> float:
    return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith("followup_faults_total"))


async def test_a_database_that_somebody_locks_is_told_at_once_and_is_no_fault_of_the_program(
    both_stages: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "PATIENCE_SECONDS", 0.1)
    async with healthy(both_stages) as ask:
        async with locked(both_stages.deps.store):
            began = time.monotonic()
            assert [await ask("/healthz") for _ in range(3)] == [(503, {"ok": False, "database": "slow"})] * 3
            assert time.monotonic() - began < 1.0
        monkeypatch.setattr(web, "PATIENCE_SECONDS", 30.0)
        status, said = await ask("/healthz")
        assert (status, said["ok"], said["database"]) == (200, True, "ok")
        assert faults(await ask("/metrics")) == 0


async def test_a_disk_without_room_is_told_beside_the_counts(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async with healthy(stage) as ask:
        assert (await ask("/healthz"))[0] == 200
        monkeypatch.setattr(trouble, "LEAST_FREE_BYTES", 2**80)
        status, said = await ask("/healthz")
        assert (status, said["ok"], said["database"], said["inbox_waiting"]) == (503, False, "full", 0)


async def test_a_file_that_may_only_be_read_is_told_beside_the_counts(stage: Stage) -> None:
    def protect(connection: Any, *_: Any) -> None:
        connection.execute("PRAGMA query_only = ON")

    async with healthy(stage) as ask:
        event.listen(stage.deps.store.engine, "checkout", protect)
        status, said = await ask("/healthz")
        assert (status, said["ok"], said["database"], said["outbox_waiting"]) == (503, False, "read only", 0)
        assert faults(await ask("/metrics")) == 0


async def test_a_database_that_cannot_even_be_read_is_told_by_itself(both_stages: Stage) -> None:
    async with healthy(both_stages) as ask:
        await both_stages.deps.store.write(
            lambda session: session.connection().exec_driver_sql("ALTER TABLE heartbeat RENAME TO gone")
        )
        assert await ask("/healthz") == (503, {"ok": False, "database": "failed"})
        assert faults(await ask("/metrics")) == 0


async def test_the_webhook_asks_telegram_to_come_again_while_the_database_takes_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(mode="webhook", webhook_url="https://bot.example.org", webhook_secret=SECRET)
    deps = replace(stage.deps, settings=settings)

    async def away(*_: Any) -> None:
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    async with TestClient(TestServer(web.webhook_app(deps, 7))) as client:
        statuses = []
        for keeps in (False, True):
            with monkeypatch.context() as patched:
                if not keeps:
                    patched.setattr(Store, "write", away)
                headers = {web.SECRET_HEADER: SECRET}
                async with client.post(web.WEBHOOK_PATH, json=update(900), headers=headers) as answer:
                    statuses.append(answer.status)
    assert statuses == [503, 200]
