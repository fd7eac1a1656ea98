"""What makes a store of the tests quick: statements put together once for all, and no waiting for the disk."""

from typing import Any

from sqlalchemy import Engine, event

from bot.store.session import Store

# A statement is put together for one dialect object, so the stores have to share that too, and with it the cipher.
_shared: dict[str, tuple[Any, Any]] = {}


def quicken(store: Store) -> Store:
    """Let a store on SQLite that has the key of the tests use what earlier ones have put together; returns it."""
    if store.is_sqlite:
        for name, engine in (("writing", store.engine), ("reading", store._reading)):
            _share(name, engine)
            event.listen(engine, "connect", _do_not_wait)
    return store


def _share(name: str, engine: Engine) -> None:
    dialect, statements = _shared.setdefault(name, (engine.dialect, engine._compiled_cache))
    engine.dialect = engine.pool._dialect = dialect
    engine._compiled_cache = statements


def _do_not_wait(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous=OFF")
