"""How is a condition written so that both databases take the index that answers it, however long the past is?"""

from typing import Any

from sqlalchemy import ColumnElement, literal_column
from sqlmodel import Session, col

from bot.store.session import is_sqlite

# So many rows of an index are looked at: enough to see which one tells more, in milliseconds at any size.
# What was counted when a table was nearly empty is forgotten again, for a connection goes on with what it has read:
# it would walk through the table for as long as the bot runs. And an index of what waits is empty most of the time,
# then not counted, and taken to be as long as any; so it is said to be short.
COUNT_ROWS = (
    "PRAGMA analysis_limit = 1000",
    "ANALYZE",
    "DELETE FROM sqlite_stat1 WHERE CAST(stat AS INTEGER) < 100",
    "INSERT INTO sqlite_stat1 (tbl, idx, stat) SELECT tbl_name, name, '1 1 1 1' FROM sqlite_master "
    "WHERE type = 'index' AND sql LIKE '% WHERE %' AND name NOT IN (SELECT idx FROM sqlite_stat1 WHERE idx NOT NULL)",
    "ANALYZE sqlite_master",
)


def is_in(table: type[Any], state: str) -> ColumnElement[bool]:
    """Return the condition of a partial index on what is in a state."""
    return _literally(table.state, state)


def with_reason(table: type[Any], reason: str) -> ColumnElement[bool]:
    """Return the condition of a partial index on what was closed for a reason."""
    return _literally(table.reason, reason)


def _literally(column: Any, words: str) -> ColumnElement[bool]:
    """Return ``column = words``, spelled out: a bound value would hide a partial index from the planner.

    The words are ours, without quotes in them; never some that came from outside.
    """
    condition: ColumnElement[bool] = col(column) == literal_column(f"'{words}'")
    return condition


def only(column: Any, value: object) -> ColumnElement[bool]:
    """Return ``column = value`` so that the column keeps its place in the order; order by it as well.

    Written as an equation it would be left out of the order, and for "the first few by number" PostgreSQL then
    likes to walk the primary key from its beginning, through everything that was ever done.
    """
    condition: ColumnElement[bool] = column.between(value, value)
    return condition


def count_rows(session: Session) -> None:
    """Let SQLite learn how its tables have grown; PostgreSQL does that by itself.

    Without it SQLite takes the wrong one of two indexes, and what a subject costs grows with all the others.
    """
    connection = session.connection()
    if is_sqlite(connection):
        for statement in COUNT_ROWS:
            connection.exec_driver_sql(statement)
