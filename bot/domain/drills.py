"""When does a drill ring, when is it over, and what did the drills show?"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median


@dataclass(frozen=True, slots=True)
class DrillRule:
    """How many minutes a drill lasts at most, and after how many it looks again whether a RED case is still open."""

    stops_after_minutes: int
    look_again_minutes: int


class DrillState(StrEnum):
    """Where a drill stands."""

    PLANNED = "planned"
    RINGING = "ringing"
    TAKEN = "taken"
    ENDED = "ended"


class DrillOutcome(StrEnum):
    """How a drill ended.

    ``INTERRUPTED``: nobody took it, but a RED case came between. ``NOT_HELD``: one was open for all of its time.
    """

    READ_BACK = "read_back"
    TAKEN = "taken"
    NOBODY = "nobody"
    INTERRUPTED = "interrupted"
    NOT_HELD = "not_held"


@dataclass(frozen=True, slots=True)
class Times:
    """What a drill filed, in seconds from its start; a real case's time is not counted. None: it never came to it."""

    outcome: DrillOutcome
    first_page: int | None
    viewed: int | None
    taken: int | None
    read_back: int | None


@dataclass(frozen=True, slots=True)
class Figure:
    """One step over several drills: how many came to it, of how many, and the median and the longest in seconds."""

    came: int
    of: int
    median: int | None
    longest: int | None


def drawn(seed: int, begins: datetime, within: timedelta) -> datetime:
    """Return the moment at which a drill rings: any second of the window alike; the same seed draws the same one."""
    seconds = random.Random(seed).randrange(max(int(within.total_seconds()), 1))  # noqa: S311 (a surprise, no secret)
    return begins + timedelta(seconds=seconds)


def figure(values: Sequence[int | None]) -> Figure:
    """Return what some drills show of one step."""
    came = [value for value in values if value is not None]
    return Figure(len(came), len(values), round(median(came)) if came else None, max(came, default=None))


def figures(held: Sequence[Times]) -> dict[str, Figure]:
    """Return the figure of each step over the drills that were held."""
    rang = [each for each in held if each.outcome not in (DrillOutcome.NOT_HELD, DrillOutcome.INTERRUPTED)]
    return {
        "first_page": figure([each.first_page for each in rang]),
        "viewed": figure([each.viewed for each in rang]),
        "taken": figure([each.taken for each in rang]),
        "read_back": figure([each.read_back for each in rang]),
    }
