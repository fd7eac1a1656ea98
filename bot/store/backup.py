"""How is the whole database written to one file while the bot runs, and put into an empty database again?

A backup is one snapshot of every table, row by row in portable form (bot/store/portable.py), compressed and
sealed (bot/store/vault.py). It fits SQLite and PostgreSQL alike. Sealed columns stay sealed with the key of
the data, so a backup needs both keys to be read.
"""

import hashlib
import json
import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from sqlalchemy import Connection, inspect
from sqlalchemy.schema import CreateSchema
from sqlmodel import Session

from bot.errors import FollowupError
from bot.store import chain, portable, schema, vault
from bot.store.models import AuditSeal, Heartbeat
from bot.store.portable import Row
from bot.store.session import Store

R = TypeVar("R")

HEARTBEAT = "backup"
COMPRESSION = 3  # sealed words hardly get smaller; more effort gains nothing


class NothingToBackUp(FollowupError):
    """The database has no tables of the bot."""


class PlaceTaken(FollowupError):
    """There is a file already; a backup never replaces one."""


class PlaceUnusable(FollowupError):
    """The backup cannot be written or read where it was asked for."""


class NotEmpty(FollowupError):
    """A backup is restored into an empty database only."""


class BackupNewer(FollowupError):
    """A newer version of the bot wrote the backup."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says about itself."""

    revision: str
    version: str
    at: datetime
    counts: dict[str, int]
    sha256: dict[str, str]
    head: str  # the newest seal of the audit trail
    sealed: int  # how many seals there are

    @property
    def rows(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Written:
    """A backup that is complete, was read back, and has its name."""

    path: Path
    size: int
    seconds: float
    manifest: Manifest


# Writing


def write(store: Store, place: Path, known: list[bytes], *, version: str, now: datetime) -> Written:
    """Write a snapshot to ``place``, a file that is not there yet or a folder, and read it back.

    Raises:
        NothingToBackUp: there are no tables.
        PlaceTaken: there is a file of that name.
        PlaceUnusable: it cannot be written there.
    """
    begun = time.monotonic()
    path = place / f"followup-{now.astimezone(UTC):%Y%m%dT%H%M%S}Z.backup" if place.is_dir() else place
    if path.exists():
        raise PlaceTaken(f"{path} is there already; a backup never replaces a file")
    _seal_first(store, now)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        with _made(unfinished) as file:
            sealer = vault.Sealer(file, known[0])
            store.read_now(lambda session: _dump(session.connection(), sealer, version, now))
            file.flush()
            os.fsync(file.fileno())
        manifest = check(unfinished, known)
        size = unfinished.stat().st_size
        _give_name(unfinished, path)
    except OSError as error:
        raise PlaceUnusable(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            unfinished.unlink()
    seconds = round(time.monotonic() - begun, 3)
    _beat(store, now, {"bytes": size, "rows": manifest.rows, "seconds": seconds})
    return Written(path, size, seconds, manifest)


def _seal_first(store: Store, now: datetime) -> None:
    """Let the chain cover what the backup will hold; an older database may have no seals yet."""
    names = schema.tables(store)
    if "audit_entry" not in names:
        raise NothingToBackUp("the database of FOLLOWUP_DATABASE_URL has no tables of the bot")
    if AuditSeal.__tablename__ in names:
        chain.seal_all(store, now)


def _made(path: Path) -> BinaryIO:
    path.touch(mode=0o600, exist_ok=False)
    return path.open("wb")


def _give_name(unfinished: Path, path: Path) -> None:
    """Give the finished file its name, unless somebody else has taken that meanwhile."""
    try:
        path.hardlink_to(unfinished)
    except FileExistsError:
        raise PlaceTaken(f"{path} is there already; a backup never replaces a file") from None
    except OSError:
        # A file system without links: look, then rename.
        if path.exists():
            raise PlaceTaken(f"{path} is there already; a backup never replaces a file") from None
        unfinished.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class _Lines:
    """Compresses lines into a sealed file."""

    def __init__(self, sealer: vault.Sealer) -> None:
        self._sealer = sealer
        self._packer = zlib.compressobj(COMPRESSION)

    def put(self, lines: str) -> None:
        self._sealer.write(self._packer.compress(lines.encode("ascii")))

    def finish(self) -> None:
        self._sealer.write(self._packer.flush())
        self._sealer.finish()


def _dump(connection: Connection, sealer: vault.Sealer, version: str, now: datetime) -> None:
    from alembic.migration import MigrationContext

    lines = _Lines(sealer)
    counts: dict[str, int] = {}
    sums: dict[str, str] = {}
    portable.speak_utc(connection)
    revision = MigrationContext.configure(connection).get_current_revision()
    newest = _newest_seal(connection)
    lines.put(_object(begin={"revision": revision, "version": version, "at": now.astimezone(UTC).isoformat()}))
    for shape in portable.shapes(connection):
        lines.put(_object(table=shape.name, columns=shape.columns))
        digest, counts[shape.name] = hashlib.sha256(), 0
        for batch in portable.rows(connection, shape.select, "followup_backup"):
            text = "".join(portable.line(row) + "\n" for row in batch)
            digest.update(text.encode("ascii"))
            counts[shape.name] += len(batch)
            lines.put(text)
        sums[shape.name] = digest.hexdigest()
    lines.put(_object(end={"counts": counts, "sha256": sums, "head": newest[0], "sealed": newest[1]}))
    lines.finish()


def _newest_seal(connection: Connection) -> tuple[str, int]:
    if not inspect(connection).has_table("audit_seal"):
        return chain.BEGINNING, 0
    found = connection.exec_driver_sql("SELECT hash, id FROM audit_seal ORDER BY id DESC LIMIT 1").first()
    return (found[0], found[1]) if found else (chain.BEGINNING, 0)


def _object(**content: Any) -> str:
    return json.dumps(content, separators=(",", ":")) + "\n"


def _beat(store: Store, now: datetime, detail: dict[str, Any]) -> None:
    def note(session: Session) -> None:
        session.merge(Heartbeat(name=HEARTBEAT, at=now, detail=detail))

    store.write_now(note)


# Reading


@dataclass(slots=True)
class _Reader:
    """Takes a backup apart, checking every piece, row and sum on the way."""

    path: Path
    known: list[bytes]
    begin: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)
    table: str = ""
    columns: tuple[str, ...] = ()
    _held: str = ""  # a line that begins the next table, or ends the file

    def tables(self) -> Iterator[Iterator[list[Row]]]:
        """Yield the rows of each table in batches; `table` and `columns` say which one it is."""
        counts: dict[str, int] = {}
        sums: dict[str, str] = {}
        lines = self._lines()
        self.begin = json.loads(next(lines, ""))["begin"]
        self._held = next(lines, "")
        while "table" in (about := json.loads(self._held)):
            self.table, self.columns = about["table"], tuple(about["columns"])
            digest = hashlib.sha256()
            counts[self.table] = 0

            def batches(name: str = self.table, digest: Any = digest) -> Iterator[list[Row]]:
                for batch in self._batches(lines):
                    digest.update("".join(batch).encode("ascii"))
                    counts[name] += len(batch)
                    yield json.loads(f"[{','.join(batch)}]")

            yield batches()
            sums[self.table] = digest.hexdigest()
        self.end = about["end"]
        if next(lines, None) is not None or self.end["counts"] != counts or self.end["sha256"] != sums:
            raise vault.BackupDamaged("the rows of the backup are not those that its list names")

    def manifest(self) -> Manifest:
        return Manifest(
            revision=self.begin["revision"],
            version=self.begin["version"],
            at=datetime.fromisoformat(self.begin["at"]),
            counts=self.end["counts"],
            sha256=self.end["sha256"],
            head=self.end["head"],
            sealed=self.end["sealed"],
        )

    def _batches(self, lines: Iterator[str]) -> Iterator[list[str]]:
        batch: list[str] = []
        for line in lines:
            if line.startswith("{"):
                self._held = line
                break
            batch.append(line)
            if len(batch) == portable.BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def _lines(self) -> Iterator[str]:
        unpacker = zlib.decompressobj()
        rest = b""
        with self.path.open("rb") as file:
            for piece in vault.opened(file, self.known):
                *complete, rest = (rest + unpacker.decompress(piece)).split(b"\n")
                for line in complete:
                    yield line.decode("ascii") + "\n"
        if rest or not unpacker.eof:
            raise vault.BackupDamaged("the backup ends in the middle of a row")


def check(path: Path, known: list[bytes]) -> Manifest:
    """Read a backup from the first byte to the last and return what it says about itself.

    Raises:
        PlaceUnusable: there is no such file.
        FollowupError: of `vault`: no backup, another key, damaged.
    """
    return _read(path, known, lambda _reader, batches: [None for _ in batches])


def _read(path: Path, known: list[bytes], take: Callable[[_Reader, Iterator[list[Row]]], object]) -> Manifest:
    reader = _Reader(path, known)
    try:
        for batches in reader.tables():
            take(reader, batches)
        return reader.manifest()
    except OSError as error:
        raise PlaceUnusable(f"{path} cannot be read: {error.strerror or error}") from None
    except (zlib.error, ValueError, KeyError, TypeError) as error:
        # Every piece was genuine, so this was written wrongly; it is refused all the same.
        raise vault.BackupDamaged(f"the backup holds something unreadable ({type(error).__name__})") from None


# Restoring


def restore(
    store: Store, path: Path, known: list[bytes], finish: Callable[[Session, Manifest], R]
) -> tuple[Manifest, R]:
    """Put a backup into the empty database of ``store``: all of it or nothing.

    The file is read through before anything is written. Tables are made as they were when it was written,
    filled, and brought up to date; then counts, sums and the audit chain are checked and ``finish`` is called,
    all in one transaction.

    Raises:
        NotEmpty: there are rows.
        BackupNewer: this version of the bot does not know the tables.
        FollowupError: of `vault`: no backup, another key, damaged.
    """
    from alembic import command
    from alembic.script import ScriptDirectory

    manifest = check(path, known)
    revisions = [each.revision for each in ScriptDirectory.from_config(schema.config()).walk_revisions()]
    if manifest.revision not in revisions:
        raise BackupNewer(f"version {manifest.version} of the bot wrote this backup; install that one or a newer one")
    with store.engine.begin() as connection:
        _prepare(store, connection, manifest.revision, revisions)
        portable.speak_utc(connection)
        _read(path, known, lambda reader, rows: portable.load(connection, reader.table, reader.columns, rows))
        _compare(connection, manifest)
        portable.follow_numbers(connection)
        command.upgrade(schema.config(connection), "head")
        verdict = chain.verify(connection, manifest.head)
        if verdict.problem is not None:
            raise vault.BackupDamaged(f"the audit trail in the backup is broken: {verdict.problem}")
        with Session(connection, expire_on_commit=False) as session:
            result = finish(session, manifest)
            session.commit()  # into the transaction of the connection, which goes on
    return manifest, result


def _prepare(store: Store, connection: Connection, revision: str, revisions: list[str]) -> None:
    """Refuse a database that is in use; else make its tables as they were when the backup was written."""
    from alembic import command
    from alembic.migration import MigrationContext

    if not store.is_sqlite and store.schema not in inspect(connection).get_schema_names():
        connection.execute(CreateSchema(store.schema))
    for name in inspect(connection).get_table_names():
        if name == portable.REVISION_TABLE:
            continue
        if connection.exec_driver_sql(f'SELECT 1 FROM "{name}" LIMIT 1').first() is not None:  # noqa: S608 (a name it gave)
            raise NotEmpty(f"the database has rows in {name}; a backup is restored into an empty one only")
    present = MigrationContext.configure(connection).get_current_revision()
    # Newest first: what stands before the present one is newer.
    if present is None or (present in revisions and revisions.index(present) >= revisions.index(revision)):
        command.upgrade(schema.config(connection), revision)
    elif present in revisions:
        command.downgrade(schema.config(connection), revision)
    else:
        raise schema.SchemaUnknown(f"it is at {present}")


def _compare(connection: Connection, manifest: Manifest) -> None:
    """Read every row back and compare it with what the backup says (DI-26)."""
    for shape in portable.shapes(connection):
        digest, count = hashlib.sha256(), 0
        for batch in portable.rows(connection, shape.select, "followup_compare"):
            digest.update("".join(portable.line(row) + "\n" for row in batch).encode("ascii"))
            count += len(batch)
        if count != manifest.counts.get(shape.name) or digest.hexdigest() != manifest.sha256[shape.name]:
            raise vault.BackupDamaged(f"table {shape.name} is not what was backed up")
