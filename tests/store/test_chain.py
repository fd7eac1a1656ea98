"""Does the chain over the audit trail show every change, whoever makes it?"""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, inspect, text
from sqlmodel import Session, col, select

from bot.cipher import Cipher
from bot.store import chain, portable
from bot.store.models import AuditEntry, AuditSeal
from bot.store.session import Store
from tests.conftest import KEY

NOW = datetime(2026, 11, 2, tzinfo=UTC)
WORDS = ("created", "changed", "被更改", 'a "quoted" word', "", "line\nbreak", "[1,2]", "null")
# The 10,000 that DI-04 asks for are part of bench/backup.py.
FREE = 10
MUTATIONS = {"sqlite": 1_500, "postgresql": 300}


def entries(dice: random.Random, count: int) -> list[dict[str, Any]]:
    return [
        {
            "at": NOW + timedelta(seconds=dice.randrange(10**6), microseconds=dice.randrange(10**6)),
            "actor": dice.choice(("bot", "staff:1:coordinator", "patient:7")),
            "cause": f"update:{dice.randrange(99)}",
            "what": dice.choice(WORDS),
            "entity": dice.choice((None, "visit", "subject")),
            "entity_id": dice.choice((None, 1, 2, 40)),
            "changes": {"state": [dice.choice(WORDS), dice.choice(WORDS)], "n": [None, dice.randrange(5)]},
            "reason": dice.choice((None, *WORDS)),
        }
        for _ in range(count)
    ]


def write(store: Store, rows: list[dict[str, Any]]) -> None:
    store.write_now(lambda session: session.execute(insert(AuditEntry), rows))


def walk(store: Store, head: str | None = None) -> chain.Verdict:
    return store.read_now(lambda session: chain.verify(session.connection(), head))


def heads(store: Store) -> list[str]:
    return store.read_now(lambda session: list(session.exec(select(AuditSeal.hash).order_by(col(AuditSeal.id)))))


@pytest.mark.req("DI-04")
def test_a_seal_covers_what_came_since_the_one_before_and_the_trail_goes_on(store: Store) -> None:
    assert walk(store) == chain.Verdict(0, 0, chain.BEGINNING)
    assert chain.seal_all(store, NOW) == 0
    dice = random.Random(1)
    for number in range(1, 4):
        write(store, entries(dice, 5 * number))
        assert chain.seal_all(store, NOW) == 1
        assert chain.seal_all(store, NOW) == 0
    write(store, entries(dice, 2))
    verdict = walk(store)
    assert (verdict.entries, verdict.seals, verdict.unsealed, verdict.problem) == (30, 3, 2, None)
    assert all(walk(store, head).problem is None for head in heads(store))
    assert "is not on the chain" in (walk(store, "0" * 63 + "1").problem or "")


def test_many_entries_take_several_seals(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "MOST_ENTRIES", 7)
    monkeypatch.setattr(portable, "BATCH", 4)
    write(store, entries(random.Random(2), 30))
    assert chain.seal_all(store, NOW) == 5
    verdict = walk(store)
    assert (verdict.entries, verdict.seals, verdict.problem) == (30, 5, None)


def test_the_chain_covers_every_column_of_the_trail() -> None:
    for table, columns in ((AuditEntry, chain.ENTRY), (AuditSeal, chain.SEAL)):
        assert sorted(column.key for column in inspect(table).columns) == sorted(columns)


class Attacker:
    """Somebody who may do anything with the tables."""

    def __init__(self, connection: Connection, dice: random.Random) -> None:
        self._connection = connection
        self._dice = dice

    def run(self, statement: str, **values: Any) -> None:
        assert self._connection.execute(text(statement), values).rowcount > 0

    def pick(self, table: str) -> int:
        numbers = self._connection.execute(text(f"SELECT id FROM {table} ORDER BY id")).scalars().all()
        # The last two entries are not sealed yet; what happens to them is seen from the next minute on.
        chosen: int = self._dice.choice(numbers[: -2 if table == "audit_entry" else None])
        return chosen

    def flip(self) -> str:
        number, column = self.pick("audit_entry"), self._dice.choice(chain.ENTRY[1:])
        old = self._connection.execute(text(f"SELECT {column} FROM audit_entry WHERE id = {number}")).scalar()
        if column == "changes":
            cast = "" if self._connection.dialect.name == "sqlite" else "::json"
            self.run(f"UPDATE audit_entry SET changes = '[{self._dice.random()}]'{cast} WHERE id = {number}")
        elif column == "at":
            shift = f"'-{self._dice.randrange(1, 99)} microseconds'"
            new = (
                f"at - interval {shift}"
                if self._connection.dialect.name != "sqlite"
                else f"substr(at, 1, 25) || {(int(str(old)[-1]) + 1) % 10}"
            )
            self.run(f"UPDATE audit_entry SET at = {new} WHERE id = {number}")
        elif column == "entity_id":
            self.run("UPDATE audit_entry SET entity_id = :new WHERE id = :id", new=(old or 0) + 1, id=number)
        elif old is not None and self._dice.random() < 0.2 and column in ("entity", "reason"):
            self.run(f"UPDATE audit_entry SET {column} = NULL WHERE id = {number}")
        else:
            self.run(f"UPDATE audit_entry SET {column} = :new WHERE id = :id", new=f"{old or ''}.", id=number)
        return f"{column} of an entry"

    def delete(self) -> str:
        self.run("DELETE FROM audit_entry WHERE id = :id", id=self.pick("audit_entry"))
        return "an entry deleted"

    def insert(self) -> str:
        """Add a copy of an entry where a number was free: below the first one, or in the gap that was left."""
        number = self._dice.choice((0, -3, FREE))
        names = ", ".join(chain.ENTRY[1:])
        self.run(
            f"INSERT INTO audit_entry (id, {names}) SELECT {number}, {names} FROM audit_entry WHERE id = :id",
            id=self.pick("audit_entry"),
        )
        return "an entry inserted"

    def swap(self) -> str:
        one, other = self.pick("audit_entry"), self.pick("audit_entry")
        while one == other:
            other = self.pick("audit_entry")
        for old, new in ((one, -1), (other, one), (-1, other)):
            self.run("UPDATE audit_entry SET id = :new WHERE id = :old", old=old, new=new)
        return "two entries swapped"

    def cut(self) -> str:
        """Cut the tail off, in half of all cases with its seals."""
        number = self.pick("audit_seal")
        up_to = self._connection.execute(text(f"SELECT up_to_id FROM audit_seal WHERE id = {number}")).scalar()
        if self._dice.random() < 0.5:
            self.run("DELETE FROM audit_entry WHERE id >= :up_to", up_to=up_to)
            return "the tail cut off"
        self.run("DELETE FROM audit_seal WHERE id >= :number", number=number)
        self.run(
            "DELETE FROM audit_entry WHERE id > (SELECT coalesce(max(up_to_id), 0) FROM audit_seal)",
        )
        return "the tail cut off with its seals"

    def break_seal(self) -> str:
        number, column = self.pick("audit_seal"), self._dice.choice(chain.SEAL)
        if column in ("id", "up_to_id", "entries"):
            self.run(f"UPDATE audit_seal SET {column} = {column} + :by WHERE id = :id", by=1000, id=number)
        elif column == "at":
            other = "2027-01-01 00:00:00.000001"
            cast = "" if self._connection.dialect.name == "sqlite" else "+00'::timestamptz"
            self.run(f"UPDATE audit_seal SET at = '{other}{cast or chr(39)} WHERE id = {number}")
        else:
            new = f"{self._dice.getrandbits(256):064x}"
            self.run(f"UPDATE audit_seal SET {column} = :new WHERE id = :id", new=new, id=number)
        return f"{column} of a seal"

    def forge(self) -> str:
        """Change an entry and make every seal anew, as one who knows how seals are made."""
        self.run("UPDATE audit_entry SET actor = 'nobody' WHERE id = :id", id=self.pick("audit_entry"))
        self.run("DELETE FROM audit_seal")
        last = self._connection.execute(text("SELECT max(id) FROM audit_entry")).scalar() or 0
        with Session(self._connection, join_transaction_mode="create_savepoint") as session:
            while chain.seal_next(session, last, NOW):
                session.flush()
            session.commit()
        return "all seals made anew"


ATTACKS: tuple[Callable[[Attacker], str], ...] = (
    Attacker.flip,
    Attacker.flip,
    Attacker.delete,
    Attacker.insert,
    Attacker.swap,
    Attacker.cut,
    Attacker.break_seal,
    Attacker.forge,
)


@contextmanager
def undone(connection: Connection) -> Iterator[None]:
    savepoint = connection.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()


def drop_guards(connection: Connection) -> None:
    for table in ("audit_entry", "audit_seal"):
        if connection.dialect.name == "sqlite":
            for verb in ("update", "delete"):
                connection.exec_driver_sql(f"DROP TRIGGER {table}_no_{verb}")
        else:
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")


def trail(store: Store, dice: random.Random) -> str:
    """Write a trail with four seals and two entries that wait for theirs, without guards; return the head."""
    with store.engine.begin() as connection:
        drop_guards(connection)
    for count in (5, 1, 10, 3):
        write(store, entries(dice, count))
        if count == 10:
            # A number that no entry has, as a transaction that was rolled back leaves one.
            with store.engine.begin() as connection:
                connection.exec_driver_sql(f"DELETE FROM audit_entry WHERE id = {FREE}")
        chain.seal_all(store, NOW)
    write(store, entries(dice, 2))
    return heads(store)[-1]


@pytest.mark.req("DI-04")
def test_every_change_deletion_insertion_swap_and_cut_is_found_against_the_last_outside_head(store: Store) -> None:
    dice = random.Random(4)
    head = trail(store, dice)
    assert walk(store, head) == chain.Verdict(18, 4, head, unsealed=2)

    missed: list[str] = []
    with store.engine.connect() as connection, connection.begin() as transaction:
        for number in range(MUTATIONS[connection.dialect.name]):
            with undone(connection):
                what = dice.choice(ATTACKS)(Attacker(connection, dice))
                verdict = chain.verify(connection, head)
                if verdict.problem is None:
                    missed.append(f"{number}: {what}")
        assert chain.verify(connection, head).problem is None
        transaction.rollback()
    assert missed == []


@pytest.mark.req("DI-04")
def test_the_first_bad_place_is_named(store: Store) -> None:
    for number in range(4):
        write(store, entries(random.Random(number), 10))
        chain.seal_all(store, NOW)
    with store.engine.begin() as connection:
        drop_guards(connection)
        connection.exec_driver_sql("UPDATE audit_entry SET reason = 'x' WHERE id IN (25, 38)")
    verdict = walk(store)
    assert (verdict.entries, verdict.seals) == (20, 2)
    assert (verdict.problem or "").startswith("seal 3 (entries 21 to 30): an entry or the seal was changed")


def test_bytes_that_are_no_text_are_a_finding_and_no_crash(sqlite_url: str) -> None:
    store = Store(sqlite_url, Cipher(KEY))
    write(store, entries(random.Random(1), 3))
    chain.seal_all(store, NOW)
    with store.engine.begin() as connection:
        drop_guards(connection)
    for value in ("x'ff00'", "CAST(x'ff' AS TEXT)"):
        with store.engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE audit_entry SET actor = {value} WHERE id = 2")
        assert "cannot be read" in (walk(store).problem or "")
    store.close()


def test_the_database_refuses_to_change_a_seal(store: Store) -> None:
    write(store, entries(random.Random(1), 3))
    chain.seal_all(store, NOW)
    for statement in ("UPDATE audit_seal SET entries = 1", "DELETE FROM audit_seal"):
        with pytest.raises(Exception, match="append-only"), store.engine.begin() as connection:
            connection.exec_driver_sql(statement)


def test_an_entry_that_commits_late_with_a_low_number_is_not_left_out(store: Store) -> None:
    if store.is_sqlite:
        return
    begun, may_end = threading.Event(), threading.Event()

    def late(session: Session) -> None:
        session.execute(insert(AuditEntry), entries(random.Random(1), 1))
        begun.set()
        may_end.wait(10)

    slow = threading.Thread(target=store.write_now, args=(late,))
    slow.start()
    begun.wait(10)
    write(store, entries(random.Random(2), 1))
    threading.Timer(0.3, may_end.set).start()
    # Sealing waits for the lower number; without that it would be missing under the seal for ever.
    assert chain.seal_all(store, NOW) == 1
    slow.join()
    assert walk(store) == chain.Verdict(2, 1, heads(store)[-1])
