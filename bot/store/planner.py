"""How is a condition written so that both databases take the index that answers it, however long the past is?"""

from typing import Any

from sqlalchemy import ColumnElement, literal_column
from sqlmodel import col


def is_in(table: type[Any], state: str) -> ColumnElement[bool]:
    """Return the condition of a partial index, spelled out: a bound value would hide it from the planner.

    ``state`` is a word of ours, never one that came from outside.
    """
    condition: ColumnElement[bool] = col(table.state) == literal_column(f"'{state}'")
    return condition


def only(column: Any, value: object) -> ColumnElement[bool]:
    """Return ``column = value`` so that the column keeps its place in the order; order by it as well.

    Written as an equation it would be left out of the order, and for "the first few by number" PostgreSQL then
    likes to walk the primary key from its beginning, through everything that was ever done.
    """
    condition: ColumnElement[bool] = column.between(value, value)
    return condition
