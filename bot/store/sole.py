"""Is this the only process that runs the bot on this SQLite file? PostgreSQL has a lease instead."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sqlalchemy.engine import make_url

from bot.errors import FollowupError


class FileInUse(FollowupError):
    """Another process runs the bot on the same SQLite file."""


class FileUnusable(FollowupError):
    """There is no place for the SQLite file."""


@contextmanager
def only_process(database_url: str) -> Iterator[None]:
    """Hold the SQLite file for this process; the system lets go of it when the process ends, however it ends.

    Commands of the terminal that read or enrol do not ask for it: they may run beside the bot.

    Raises:
        FileInUse: another `followup run` holds it.
    """
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        yield
        return
    path = Path(url.database).expanduser()
    with _opened(path) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            number = lock.read().strip() or "unknown"
            raise FileInUse(
                f"another `followup run` (process {number}) uses {path}; SQLite allows one: "
                "stop it first, or use PostgreSQL for several"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _opened(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return Path(f"{path}.lock").open("a+", encoding="ascii")
    except OSError as error:
        raise FileUnusable(
            f"the database of FOLLOWUP_DATABASE_URL cannot be opened: {error.strerror} ({path})"
        ) from None
