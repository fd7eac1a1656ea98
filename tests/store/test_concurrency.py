"""Many at once: nothing is lost, nothing half stays, and SQLite keeps what it promised on every connection."""

import asyncio
import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from bot.cipher import Cipher
from bot.store.models import Account, InboxUpdate
from bot.store.session import Store
from tests.conftest import KEY, START

IN_FLIGHT, INCREMENTS = 8, 400


def add_counter(session: Session) -> int:
    row = InboxUpdate(bot_id=1, update_id=1, raw="{}", received_at=START)
    session.add(row)
    session.flush()
    return row.id or 0


def count_up(session: Session, number: int) -> None:
    """Read the row as an object, add one in Python, let the session write it back."""
    session.get_one(InboxUpdate, number).attempts += 1


async def counted(store: Store, number: int) -> int:
    return await store.read(lambda session: session.get_one(InboxUpdate, number).attempts)


async def count_in_turn(store: Store, number: int, times: int) -> None:
    for _ in range(times):
        await store.write(lambda session: count_up(session, number))


@pytest.fixture
def second(store: Store) -> Iterator[Store]:
    """Give what another process has: its own connections and threads to the same database."""
    opened = Store(store.url.render_as_string(hide_password=False), Cipher(KEY))
    yield opened
    opened.close()


@pytest.mark.req("DI-14")
async def test_eight_at_once_count_to_four_hundred(store: Store) -> None:
    number = await store.write(add_counter)
    each = INCREMENTS // IN_FLIGHT
    await asyncio.gather(*(count_in_turn(store, number, each) for _ in range(IN_FLIGHT)))
    assert await counted(store, number) == INCREMENTS


@pytest.mark.req("DI-14")
async def test_two_stores_on_one_database_lose_nothing(store: Store, second: Store) -> None:
    number = await store.write(add_counter)
    both = [each for each in (store, second) for _ in range(IN_FLIGHT // 2)]
    await asyncio.gather(*(count_in_turn(each, number, 15) for each in both))
    assert await counted(store, number) == 15 * IN_FLIGHT


async def test_a_decision_on_what_was_read_still_holds_when_it_is_written(store: Store, second: Store) -> None:
    """Only one may take the row over, however many see it free."""
    number = await store.write(add_counter)

    def take_over(session: Session, name: str) -> bool:
        row = session.get_one(InboxUpdate, number)
        if row.reason is not None:
            return False
        row.reason = name
        return True

    takers = [(each, f"{at}") for at, each in enumerate([store, second] * IN_FLIGHT)]
    won = await asyncio.gather(*(each.write(partial(take_over, name=name)) for each, name in takers))
    assert sum(won) == 1
    taken_by = await store.read(lambda session: session.get_one(InboxUpdate, number).reason)
    assert taken_by == takers[won.index(True)][1]


async def test_writers_that_fail_among_others_leave_nothing(store: Store) -> None:
    number = await store.write(add_counter)

    def write(session: Session, at: int) -> None:
        session.add(Account(telegram_id=at, locale="zh", first_seen_at=START))
        count_up(session, number)
        session.flush()
        if at % 2:
            raise RuntimeError

    ends = await asyncio.gather(*(store.write(partial(write, at=at)) for at in range(40)), return_exceptions=True)
    assert sum(isinstance(end, RuntimeError) for end in ends) == 20
    assert await counted(store, number) == 20
    known = await store.read(lambda session: session.exec(select(Account.telegram_id)).all())
    assert sorted(known) == list(range(0, 40, 2))


async def test_a_reader_sees_one_moment_while_others_write(store: Store) -> None:
    number = await store.write(add_counter)

    def look_twice(session: Session) -> tuple[int, int]:
        attempts = select(InboxUpdate.attempts).where(InboxUpdate.id == number)
        before = session.exec(attempts).one()
        store.write_now(lambda writing: count_up(writing, number))
        return before, session.exec(attempts).one()

    assert await store.read(look_twice) == (0, 0)
    assert await counted(store, number) == 1


def connections(engine: Engine, many: int) -> Iterator[dict[str, object]]:
    """Give the settings of ``many`` different connections that are open at once."""
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(engine.connect()) for _ in range(many)]
        assert len({id(each.connection.driver_connection) for each in opened}) == many
        for each in opened:
            yield {
                name: each.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }


@pytest.mark.req("DI-25")
def test_every_sqlite_connection_survives_a_power_cut(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'new.sqlite3'}", Cipher(KEY))
    promised = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
    try:
        # Reading ones, for they can be open side by side; both kinds are opened in the same way.
        assert list(connections(store._reading, 5)) == [promised] * 5
        assert list(connections(store.engine, 1)) == [promised]
    finally:
        store.close()


def test_every_postgres_connection_refuses_to_lose_an_update(postgres: str) -> None:
    store = Store(postgres, Cipher(KEY))
    try:
        with contextlib.ExitStack() as stack:
            for _ in range(5):
                opened = stack.enter_context(store.engine.connect())
                assert opened.exec_driver_sql("SHOW transaction_isolation").scalar() == "repeatable read"
                assert opened.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
    finally:
        store.close()
