"""What makes stores that come and go quick: statements put together once for all, and no waiting for the disk."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from bot.store.session import Store

# A statement is put together for one dialect object, so the stores have to share that too, and with it the cipher.
_shared: dict[tuple[str, str], tuple[Any, Any]] = {}


def quicken(store: Store, with_key: str) -> Store:
    """Let a store on SQLite use what earlier ones with the same key (by any name for it) have put together."""
    if store.is_sqlite:
        for name, engine in (("writing", store.engine), ("reading", store._reading)):
            _share((with_key, name), engine)
            event.listen(engine, "connect", _do_not_wait)
    return store


def whole(path: Path) -> bytes:
    """Return the file of a SQLite database that nobody has open, with all that lies beside it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes()


def _share(name: tuple[str, str], engine: Engine) -> None:
    dialect, statements = _shared.setdefault(name, (engine.dialect, engine._compiled_cache))
    engine.dialect = engine.pool._dialect = dialect
    engine._compiled_cache = statements


def _do_not_wait(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous=OFF")
