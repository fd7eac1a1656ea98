"""What kind of trouble is a database in, in one word that a monitor can show?"""

import shutil
from pathlib import Path

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.store.session import Store, StoreBusy

FULL, LOCKED, READ_ONLY, DAMAGED = "full", "locked", "read only", "damaged"
UNREACHABLE, SLOW, FAILED = "unreachable", "slow", "failed"

# The first part of SQLite's name of an error.
SQLITE = {
    "FULL": FULL,
    "BUSY": LOCKED,
    "LOCKED": LOCKED,
    "READONLY": READ_ONLY,
    "CORRUPT": DAMAGED,
    "NOTADB": DAMAGED,
    "IOERR": DAMAGED,
    "CANTOPEN": UNREACHABLE,
}
# The first signs of PostgreSQL's SQLSTATE, the longer ones first.
POSTGRES = {
    "53100": FULL,
    "55P03": LOCKED,
    "57014": SLOW,
    "25006": READ_ONLY,
    "40": LOCKED,
    "08": UNREACHABLE,
    "28": UNREACHABLE,
    "3D": UNREACHABLE,
    "53": UNREACHABLE,
    "57P": UNREACHABLE,
    "58": DAMAGED,
    "XX": DAMAGED,
}
# With less than this beside it, SQLite's next commit may find no place.
LEAST_FREE_BYTES = 2**20


def kind_of(error: Exception) -> str:
    """Return the kind of trouble that one of `DATABASE_FAULTS` tells of."""
    if isinstance(error, StoreBusy):
        return LOCKED
    if isinstance(error, PoolTimeout):
        return SLOW
    if not isinstance(error, DBAPIError):
        return FAILED
    if name := getattr(error.orig, "sqlite_errorname", None):
        return SQLITE.get(name.split("_")[1], FAILED)
    # Without a state nobody answered who could have given one.
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return UNREACHABLE if hasattr(error.orig, "sqlstate") else FAILED
    return next((kind for start, kind in POSTGRES.items() if state.startswith(start)), FAILED)


def free_bytes(store: Store) -> int | None:
    """Return how much room there is beside the SQLite file; None for a server's database, which lies elsewhere."""
    path = store.url.database if store.is_sqlite else None
    return shutil.disk_usage(Path(path).expanduser().parent).free if path else None
