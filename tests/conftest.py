"""The worlds that tests run in: two databases, a set clock, a simulated Telegram."""

import os
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from bench import postgres as servers
from bench.engines import quicken, whole
from bot import logs
from bot.cipher import Cipher
from bot.settings import Settings
from bot.store import schema
from bot.store.session import Store
from bot.story import stage as stages
from bot.story.stage import Stage

os.environ.setdefault("PTB_TIMEDELTA", "true")
# Reading time zones on a busy machine may take long; a deadline would make tests fail by chance.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

logs.configure("CRITICAL")

KEY = Cipher.new_key()
START = datetime.fromisoformat("2026-11-02T08:00:00+08:00")
TOKEN = "123456789:test-token-of-a-simulated-bot"
SITE_PHONE = "0571-0000-0000"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in list(os.environ):
        if name.startswith("FOLLOWUP_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start a real PostgreSQL from its wheel, once for the whole run of a worker."""
    with servers.served() as server:
        yield server.get_uri()


@pytest.fixture(scope="session")
def sqlite_tables(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give a database file with all tables and no rows: making the tables takes longer than most tests."""
    path = tmp_path_factory.mktemp("tables") / "tables.sqlite3"
    _make_tables(f"sqlite:///{path}")
    return whole(path)


@pytest.fixture(scope="session")
def postgres_tables(postgres: str) -> str:
    """Give the name of a database with all tables and no rows, as a template for others."""
    _make_tables(servers.create(postgres, "tables"))
    return "tables"


def _make_tables(url: str) -> None:
    made = Store(url, Cipher(KEY))
    schema.upgrade(made)
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the address of a database with all tables and no rows, once of each kind."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
        return
    tables: str = request.getfixturevalue("postgres_tables")
    with servers.lent(request.getfixturevalue("postgres"), tables) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the address of a database in which nothing is, once of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite3'}"
        return
    with servers.lent(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_tables: bytes) -> str:
    """Give the address of a file with all tables and no rows."""
    path = tmp_path / "test.sqlite3"
    path.write_bytes(sqlite_tables)
    return f"sqlite:///{path}"


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Give a store with all tables, on each kind of database."""
    opened = Store(database_url, Cipher(KEY))
    yield opened
    opened.close()


def make_settings(**given: Any) -> Settings:
    """Return settings for a simulated bot; ``given`` replaces single ones."""
    known: dict[str, Any] = {
        "telegram_token": TOKEN,
        "encryption_key": KEY,
        "site_phone": SITE_PHONE,
        **given,
    }
    return Settings(_env_file=None, **known)


@pytest.fixture
async def stage(sqlite_url: str) -> AsyncIterator[Stage]:
    """Give the real bot on SQLite, a set clock and a simulated Telegram."""
    async with stages.raised(make_settings(database_url=sqlite_url), START) as raised:
        quicken(raised.deps.store, KEY)
        yield raised
        raised.telegram.check_misuses()


@pytest.fixture
async def both_stages(database_url: str) -> AsyncIterator[Stage]:
    """Give the same on each kind of database."""
    async with stages.raised(make_settings(database_url=database_url), START) as raised:
        quicken(raised.deps.store, KEY)
        yield raised
        raised.telegram.check_misuses()
