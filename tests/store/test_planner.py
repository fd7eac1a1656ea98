"""Does a look at what waits stay cheap when the rows were counted while nothing waited?"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, event

from bot.cipher import Cipher
from bot.store import inbox
from bot.store.planner import count_rows
from bot.store.session import Store
from tests.conftest import KEY

NOW = datetime(2026, 12, 3, 9, 0, tzinfo=UTC)
BOT_ID = 7


def plan_of_waiting(connection: Connection) -> str:
    """Return how SQLite finds the updates that wait, on this connection."""
    asked: list[tuple[str, Any]] = []

    def listen(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        asked.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", listen)
    connection.execute(inbox._FIRST, {"bot_id": BOT_ID, "named": [], "many": 8}).all()
    statement, parameters = asked[-1]
    return str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all())


def test_a_connection_that_knows_only_the_first_count_takes_the_index_of_what_waits(sqlite_url: str) -> None:
    store = Store(sqlite_url, Cipher(KEY))
    with store._reading.connect() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM inbox_update").all()
        connection.rollback()
        update = {"update_id": 1, "message": {"chat": {"id": 5}}}
        store.write_now(lambda session: inbox.keep(session, BOT_ID, [update], NOW))

        def close(session: Any) -> None:
            row = inbox.take(session, BOT_ID, 1).row
            assert row is not None
            inbox.close(row, "done", NOW)

        store.write_now(close)
        store.write_now(count_rows)
        assert "ix_inbox_update_waiting" in plan_of_waiting(connection)
    store.renew()
    for engine in (store.engine, store._reading):
        with engine.connect() as connection:
            assert "ix_inbox_update_waiting" in plan_of_waiting(connection)
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
    store.close()
