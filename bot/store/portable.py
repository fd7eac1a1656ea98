"""How does a row look outside its database, so that SQLite and PostgreSQL say the same of the same record?

A value is text, a whole number, or nothing: times are UTC text, truth is 0 or 1, JSON and sealed words are
the text that is stored. Rows are read past the ORM, because there may be millions of them.
"""

import json
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, types

from bot.store.session import is_sqlite

Row = tuple[Any, ...]

BATCH = 5_000
REVISION_TABLE = "alembic_version"


@dataclass(frozen=True, slots=True)
class Shape:
    """A table as it leaves a database: its columns in their order, and how each is read."""

    name: str
    columns: tuple[str, ...]
    select: str


def shapes(connection: Connection) -> list[Shape]:
    """Return every table of the database as it really is, parents before children."""
    found = MetaData()
    found.reflect(connection)
    return [shape(connection, table) for table in found.sorted_tables if table.name != REVISION_TABLE]


def shape(connection: Connection, table: Table, columns: Sequence[str] | None = None) -> Shape:
    """Return how to read a table in the order of its key; ``columns`` chooses some, in that order."""
    sqlite = is_sqlite(connection)
    wanted = [table.columns[name] for name in columns] if columns else list(table.columns)
    values = ", ".join(_value(column, sqlite) for column in wanted)
    order = ", ".join(_order(column, sqlite) for column in table.primary_key.columns)
    names = tuple(column.name for column in wanted)
    return Shape(table.name, names, f'SELECT {values} FROM "{table.name}" ORDER BY {order}')  # noqa: S608 (our own names)


def rows(connection: Connection, statement: str, name: str) -> Generator[list[Row], None, None]:
    """Read a statement in batches, without ever holding the whole; ``name`` is this reading's own."""
    raw: Any = connection.connection
    cursor = raw.cursor() if is_sqlite(connection) else raw.cursor(name=name)
    try:
        cursor.execute(statement)
        while batch := cursor.fetchmany(BATCH):
            yield batch
    finally:
        cursor.close()


def line(row: Sequence[Any]) -> str:
    """Return a row as one line that can be read back in one way only.

    Raises:
        TypeError: it holds something that no row of ours holds.
    """
    return _encode(row)


_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def load(connection: Connection, table: str, columns: Sequence[str], batches: Iterable[list[Row]]) -> None:
    """Put portable rows into a table that has these columns."""
    names = ", ".join(f'"{name}"' for name in columns)
    raw: Any = connection.connection
    cursor = raw.cursor()
    try:
        if is_sqlite(connection):
            places = ", ".join("?" for _ in columns)
            for batch in batches:
                cursor.executemany(f'INSERT INTO "{table}" ({names}) VALUES ({places})', batch)  # noqa: S608 (our own names)
            return
        # COPY reads every type from its text, which is what portable values are.
        with cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
            for batch in batches:
                for row in batch:
                    copy.write_row(row)
    finally:
        cursor.close()


def follow_numbers(connection: Connection) -> None:
    """Let the numbers that PostgreSQL gives go on behind those that were loaded; SQLite does so by itself."""
    if is_sqlite(connection):
        return
    found = MetaData()
    found.reflect(connection)
    for table in found.sorted_tables:
        for column in table.primary_key.columns:
            sequence = connection.exec_driver_sql(
                "SELECT pg_get_serial_sequence(%s, %s)", (f'"{table.name}"', column.name)
            ).scalar()
            if sequence is not None:
                connection.exec_driver_sql(
                    f'SELECT setval(%s, coalesce(max("{column.name}"), 0) + 1, false) FROM "{table.name}"',  # noqa: S608
                    (sequence,),
                )


def speak_utc(connection: Connection) -> None:
    """Let PostgreSQL read and write times as portable text, and be patient between two statements."""
    if not is_sqlite(connection):
        for name, value in (("timezone", "UTC"), ("datestyle", "ISO"), ("idle_in_transaction_session_timeout", "0")):
            connection.exec_driver_sql(f"SET LOCAL {name} = '{value}'")


def _value(column: Column[Any], sqlite: bool) -> str:
    name, kind = f'"{column.name}"', column.type
    if isinstance(kind, types.TypeDecorator):
        kind = kind.impl_instance
    if isinstance(kind, types.Numeric) and not isinstance(kind, types.Float):
        text = f"printf('%.{kind.scale or 0}f', {name})" if sqlite else f"{name}::text"
        return f"CASE WHEN {name} IS NULL THEN NULL ELSE {text} END"
    if sqlite:
        return name  # SQLite keeps everything else in the portable form already.
    if isinstance(kind, types.DateTime):
        return f"to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
    if isinstance(kind, types.Time):
        return f"to_char({name}, 'HH24:MI:SS.US')"
    if isinstance(kind, types.Boolean):
        return f"{name}::int"
    if isinstance(kind, types.Date | types.JSON):
        return f"{name}::text"
    return name


def _order(column: Column[Any], sqlite: bool) -> str:
    text = isinstance(column.type, types.String)
    return f'"{column.name}"' if sqlite or not text else f'"{column.name}" COLLATE "C"'
