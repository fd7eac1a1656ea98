"""How urgent is it, and which of several levels is the highest?"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Urgency(StrEnum):
    """The five levels, from lowest to highest; compare them by ``rank``, for ``<`` compares letters."""

    GREEN = "green"
    YELLOW = "yellow"
    AMBER = "amber"
    RED_COME = "red_come"
    RED_120 = "red_120"

    @property
    def rank(self) -> int:
        """Return the position of this level, 0 for green."""
        return list(Urgency).index(self)

    @property
    def is_red(self) -> bool:
        """Return whether the subject is told to go to hospital or to call 120 now."""
        return self in (Urgency.RED_COME, Urgency.RED_120)


def highest(levels: Iterable[Urgency]) -> Urgency:
    """Return the most urgent of ``levels``; green, the level of a mere record, when there are none."""
    return max(levels, key=lambda level: level.rank, default=Urgency.GREEN)
