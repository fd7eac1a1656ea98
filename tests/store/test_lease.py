"""Does exactly one process hold the lease, and does a later holder have a higher epoch?"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlmodel import Session, select, text

from bot.cipher import Cipher
from bot.store import lease, schema
from bot.store.models import Lease, Subject
from bot.store.session import Store
from bot.store.sole import FileInUse, only_process
from tests.conftest import KEY

NOW = datetime(2026, 11, 2, tzinfo=UTC)
LASTS = timedelta(seconds=30)
BOT = 123


def taken(store: Store, holder: str, *, lasts: timedelta = LASTS, by_force: bool = False) -> int | None:
    return store.write_now(lambda session: lease.take(session, holder, BOT, lasts, NOW, by_force=by_force))


def test_only_one_takes_it_and_the_next_has_a_higher_epoch(store: Store) -> None:
    assert taken(store, "first") == 1
    assert taken(store, "second") is None
    assert store.write_now(lambda session: lease.renew(session, 1, LASTS, NOW))
    store.write_now(lambda session: lease.give_back(session, 1, NOW))
    assert taken(store, "second") == 2
    assert not store.write_now(lambda session: lease.renew(session, 1, LASTS, NOW))
    assert store.write_now(lambda session: session.scalar(select(lease.is_current(2))))
    assert not store.write_now(lambda session: session.scalar(select(lease.is_current(1))))


def test_one_that_ran_out_is_free(store: Store) -> None:
    assert taken(store, "first", lasts=timedelta(seconds=-1)) == 1
    assert taken(store, "second") == 2


def test_force_takes_it_from_anybody(store: Store) -> None:
    assert taken(store, "first") == 1
    assert taken(store, "second", by_force=True) == 2


def test_one_from_before_the_clock_was_set_back_is_free(store: Store) -> None:
    assert taken(store, "first", lasts=timedelta(hours=24)) == 1
    assert taken(store, "second") == 2


def test_another_bot_is_named_while_it_leads(store: Store) -> None:
    def other(bot_id: int) -> int | None:
        return store.write_now(lambda session: lease.holder_of_another_bot(session, bot_id, NOW))

    assert other(BOT) is None
    taken(store, "first")
    assert other(BOT) is None
    assert other(456) == BOT
    store.write_now(lambda session: lease.give_back(session, 1, NOW))
    assert other(456) is None


def test_sites_share_a_database_without_seeing_each_other(postgres: str) -> None:
    sites = [Store(postgres, Cipher(KEY), name) for name in ("site_hz01", "site_hz02")]
    try:
        for number, store in enumerate(sites):
            schema.upgrade(store)
            assert not schema.differences(store)
            assert taken(store, f"bot {number}") == 1
        with Session(sites[0].engine) as session:
            assert len(session.exec(select(Lease)).all()) == 1
            assert session.exec(select(Subject)).all() == []
    finally:
        for store in sites:
            with store.engine.begin() as connection:
                connection.execute(text(f"DROP SCHEMA IF EXISTS {store.schema} CASCADE"))
            store.close()


def test_a_sqlite_file_has_one_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'trial.sqlite3'}"
    with only_process(url):
        with (
            pytest.raises(FileInUse, match=r"process \d+\) uses .*trial.sqlite3; SQLite allows one"),
            only_process(url),
        ):
            pass
        with only_process(f"sqlite:///{tmp_path / 'another.sqlite3'}"):
            pass
    with only_process(url):
        pass


def test_the_newest_revision_is_the_one_that_is_named() -> None:
    assert ScriptDirectory.from_config(schema.config()).get_current_head() == schema.HEAD
