"""From which day to which day did the same order, hold or stop hold?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from bot.domain.dosing import C, O, Standing, standing

A_DAY = timedelta(days=1)


def spans(
    orders: Sequence[O], changes: Sequence[C], first_on: date, last_on: date
) -> Iterator[tuple[date, date, Standing[O, C]]]:
    """Return the spans of a period, both ends included, with what holds in each; see `dosing.standing`."""
    ends = (order.until_on + A_DAY for order in orders if order.until_on is not None)
    starts = (*(order.from_on for order in orders), *(change.from_on for change in changes))
    turns = sorted({first_on, *(day for day in (*starts, *ends) if first_on < day <= last_on)})
    for turn, following in zip(turns, [*turns[1:], last_on + A_DAY], strict=True):
        yield turn, following - A_DAY, standing(orders, changes, turn)
