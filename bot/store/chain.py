"""Does the audit trail still say what it said? A chain of seals over its entries shows every later change (DI-04).

A seal covers the entries after the one before it and carries SHA-256 over itself, over the hash before it
and over every column of its entries. Whoever changes an entry would have to make all later seals anew, and
the newest hash, the head, is kept outside the machine.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import Connection, Table
from sqlmodel import Session, col, func, select

from bot.store import portable
from bot.store.models import AuditEntry, AuditSeal
from bot.store.portable import Row
from bot.store.session import Store, is_sqlite

BEGINNING = "0" * 64
MOST_ENTRIES = 5_000  # in one seal, so that sealing and checking hold little in memory
# Writers wait for nobody longer than this; a seal that does not get its turn comes a minute later.
LOCK_TIMEOUT_MS = 1_000
# Written out: a column that is added to the trail must not change the hashes of older entries.
ENTRY = ("id", "at", "actor", "cause", "what", "entity", "entity_id", "changes", "reason")
SEAL = ("id", "up_to_id", "entries", "previous", "hash", "at")
NUMBER, UP_TO, ENTRIES, PREVIOUS, HASH, AT = range(len(SEAL))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a walk over the whole trail found; ``problem`` is the first thing that does not fit."""

    entries: int
    seals: int
    head: str
    unsealed: int = 0
    problem: str | None = None


def seal_all(store: Store, now: datetime) -> int:
    """Seal every entry that is committed by now, on the calling thread; return how many seals that took."""
    up_to = store.write_now(last_committed)
    made = 0
    while store.write_now(lambda session: seal_next(session, up_to, now)):
        made += 1
    return made


_HEAD = select(AuditSeal).order_by(col(AuditSeal.id).desc()).limit(1)


def head(session: Session) -> AuditSeal | None:
    """Return the newest seal."""
    return session.exec(_HEAD).first()


def verify(connection: Connection, outside_head: str | None = None) -> Verdict:
    """Compute the whole chain again; ``outside_head`` is a head that was kept outside the machine.

    It has to be on the chain, not at its end: the trail goes on. Without it, nobody can see that the
    newest entries were cut off together with their seals, or that all hashes were made anew.
    """
    portable.speak_utc(connection)
    walk = _Walk(connection)
    wanted = outside_head
    last: Row = (0, 0, 0, "", BEGINNING, "")
    try:
        for seal in walk.seals:
            if problem := walk.check(seal, last):
                return Verdict(walk.checked, last[NUMBER], last[HASH], problem=problem)
            last = seal
            if seal[HASH] == wanted:
                wanted = None
        unsealed = walk.rest()
    except (TypeError, ValueError, _driver_error(connection)) as error:
        # A value of a kind that no row of ours holds, for example bytes that are no text.
        problem = f"after seal {last[NUMBER]} (entry {last[UP_TO]}) something cannot be read: {type(error).__name__}"
        return Verdict(walk.checked, last[NUMBER], last[HASH], problem=problem)
    finally:
        walk.close()
    problem = None
    if wanted is not None and wanted != BEGINNING:
        problem = f"the head {wanted} is not on the chain: entries were cut off at the end, or all seals made anew"
    return Verdict(walk.checked, last[NUMBER], last[HASH], unsealed, problem)


class _Walk:
    """Reads entries beside their seals, both in order, a batch at a time."""

    def __init__(self, connection: Connection) -> None:
        self._batches = portable.rows(connection, _select(connection, AuditEntry, ENTRY), "followup_entries")
        self._seals = portable.rows(connection, _select(connection, AuditSeal, SEAL), "followup_seals")
        self.seals: Iterator[Row] = (seal for batch in self._seals for seal in batch)
        self._rows: list[Row] = []
        self._at = 0
        self.checked = 0

    def close(self) -> None:
        self._batches.close()
        self._seals.close()

    def check(self, seal: Row, before: Row) -> str | None:
        """Return what is wrong with a seal or the entries under it."""
        name = f"seal {seal[NUMBER]} (entries {before[UP_TO] + 1} to {seal[UP_TO]})"
        if seal[NUMBER] != before[NUMBER] + 1:
            return f"{name}: seal {before[NUMBER] + 1} should stand here"
        if seal[PREVIOUS] != before[HASH]:
            return f"{name} does not follow the seal before it"
        if not isinstance(seal[UP_TO], int) or not 0 < seal[ENTRIES] <= MOST_ENTRIES:
            return f"{name} is not a seal that the bot makes"
        covered = self._up_to(seal[UP_TO], seal[ENTRIES])
        if len(covered) != seal[ENTRIES]:
            more = "more" if len(covered) > seal[ENTRIES] else f"{len(covered)}"
            return f"{name} covers {seal[ENTRIES]} entries and {more} are there"
        if covered[-1][0] != seal[UP_TO]:
            return f"{name}: its last entry is {covered[-1][0]}"
        if _hash(seal, covered) != seal[HASH]:
            return f"{name}: an entry or the seal was changed"
        self.checked += len(covered)
        return None

    def rest(self) -> int:
        """Return how many entries no seal covers yet."""
        left = len(self._rows) - self._at
        return left + sum(len(batch) for batch in self._batches)

    def _up_to(self, last: int, expected: int) -> list[Row]:
        """Return the entries up to number ``last``; a few more than ``expected`` are enough to tell."""
        taken: list[Row] = []
        while len(taken) <= expected:
            cut = bisect_right(self._rows, last, lo=self._at, key=itemgetter(0))
            taken += self._rows[self._at : cut]
            self._at = cut
            if cut < len(self._rows):
                break
            self._rows, self._at = next(self._batches, []), 0
            if not self._rows:
                break
        return taken


def last_committed(session: Session) -> int:
    """Return the last entry below which none can appear any more.

    On PostgreSQL numbers are given before the commit, so a lower one may come later; the lock waits until
    whoever writes the trail is done. It comes first: a snapshot taken before it would be too old.
    """
    if not is_sqlite(session.connection()):
        connection = session.connection()
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        connection.exec_driver_sql("LOCK TABLE audit_entry IN SHARE ROW EXCLUSIVE MODE")
    return session.exec(select(func.max(AuditEntry.id))).one() or 0


def seal_next(session: Session, up_to: int, now: datetime) -> bool:
    """Seal the next entries up to number ``up_to``; return False when none is left."""
    connection = session.connection()
    if not is_sqlite(session.connection()):
        # Two that seal at the same moment come one after the other; nobody else waits for this.
        connection.exec_driver_sql("LOCK TABLE audit_seal IN SHARE ROW EXCLUSIVE MODE")
        portable.speak_utc(connection)
    before = head(session)
    done, number, previous = (before.up_to_id, before.id or 0, before.hash) if before else (0, 0, BEGINNING)
    if up_to <= done:
        return False
    statement = _select(connection, AuditEntry, ENTRY, f"WHERE id > {done} AND id <= {up_to}", MOST_ENTRIES)
    entries = [row for batch in portable.rows(connection, statement, "followup_new") for row in batch]
    if not entries:
        return False
    made = AuditSeal(id=number + 1, up_to_id=entries[-1][0], entries=len(entries), previous=previous, hash="", at=now)
    made.hash = _hash((made.id, made.up_to_id, made.entries, previous, "", _text(now)), entries)
    session.add(made)
    return True


def _hash(seal: Row, entries: list[Row]) -> str:
    """Return the hash that a seal has to carry over these entries."""
    given = [seal[NUMBER], seal[UP_TO], seal[ENTRIES], seal[PREVIOUS], seal[AT], entries]
    return hashlib.sha256(portable.line(given).encode("ascii")).hexdigest()


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _select(
    connection: Connection, table: Any, columns: tuple[str, ...], where: str = "", limit: int | None = None
) -> str:
    shape = portable.shape(connection, cast(Table, table.__table__), columns)
    start, order, end = shape.select.rpartition(" ORDER BY ")
    return f"{start} {where}{order}{end}" + (f" LIMIT {limit}" if limit else "")


def _driver_error(connection: Connection) -> type[Exception]:
    """Return what the driver itself raises: rows are read past the library that would wrap it."""
    return cast(type[Exception], cast(Any, connection.dialect).loaded_dbapi.Error)
