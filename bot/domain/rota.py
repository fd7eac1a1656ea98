"""Who is on call at a moment, where does nobody stand, and where do several?

All moments are aware UTC. A shift begins with its first moment and ends before its last one, so a handover at the
same minute leaves no gap and has no overlap. What a clock change does to wall times is settled before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise


class Level(StrEnum):
    """Who is paged first, and who is paged when the first does not answer."""

    FIRST = "first"
    SECOND = "second"


@dataclass(frozen=True, slots=True)
class RotaRule:
    """How far ahead a gap in the rota is announced.

    ``ahead_days`` days from today; within ``urgent_hours`` it is urgent. Days of a closure of at least
    ``closure_at_least_days`` days are looked at ``closure_ahead_days`` before it begins.
    """

    ahead_days: int
    urgent_hours: int
    closure_ahead_days: int
    closure_at_least_days: int


@dataclass(frozen=True, slots=True)
class Span:
    """Some time; the end does not belong to it."""

    from_at: datetime
    until_at: datetime

    def covers(self, moment: datetime) -> bool:
        return self.from_at <= moment < self.until_at

    def meets(self, other: Span) -> bool:
        """Return whether the two have a moment in common."""
        return self.from_at < other.until_at and other.from_at < self.until_at


@dataclass(frozen=True, slots=True)
class Shift:
    """A person who answers at one level for some time."""

    person: int
    level: Level
    span: Span


@dataclass(frozen=True, slots=True)
class Overlap:
    """Some time in which several people are on at one level; all of them are paged."""

    span: Span
    people: tuple[int, ...]


def on_at(
    shifts: Iterable[Shift], level: Level, moment: datetime, absent: Collection[int] = frozenset()
) -> tuple[int, ...]:
    """Return everybody who is on at ``moment``, each once.

    ``absent``: people who have left or whose phone cannot be reached; their shifts cover nothing.
    """
    found = {each.person for each in shifts if each.level is level and each.span.covers(moment)}
    return tuple(sorted(found.difference(absent)))


def gaps(shifts: Iterable[Shift], level: Level, within: Span, absent: Collection[int] = frozenset()) -> list[Span]:
    """Return every part of ``within`` in which nobody is on who can be reached, in order."""
    spans = [each.span for each in shifts if each.level is level and each.person not in absent]
    return without(within, spans)


def without(whole: Span, taken: Iterable[Span]) -> list[Span]:
    """Return what is left of ``whole`` when every span of ``taken`` is cut out, in order."""
    left = []
    reached = whole.from_at
    for span in sorted(taken, key=lambda each: each.from_at):
        if span.from_at >= whole.until_at:
            break
        if span.from_at > reached:
            left.append(Span(reached, span.from_at))
        reached = max(reached, span.until_at)
    if reached < whole.until_at:
        left.append(Span(reached, whole.until_at))
    return left


def overlaps(
    shifts: Iterable[Shift], level: Level, within: Span, absent: Collection[int] = frozenset()
) -> list[Overlap]:
    """Return every part of ``within`` in which several people are on, in order."""
    known = [each for each in shifts if each.level is level and each.span.meets(within)]
    edges = {within.from_at, within.until_at}
    edges.update(
        moment
        for each in known
        for moment in (each.span.from_at, each.span.until_at)
        if within.from_at < moment < within.until_at
    )
    ordered = sorted(edges)
    found: list[Overlap] = []
    for begin, end in pairwise(ordered):
        people = on_at(known, level, begin, absent)
        if len(people) < 2:
            continue
        if found and found[-1].people == people and found[-1].span.until_at == begin:
            found[-1] = Overlap(Span(found[-1].span.from_at, end), people)
        else:
            found.append(Overlap(Span(begin, end), people))
    return found


def pieces(span: Span, longest: timedelta) -> list[Span]:
    """Return ``span`` in parts of at most ``longest``: nobody takes a week with one tap."""
    parts = []
    begin = span.from_at
    while begin < span.until_at:
        end = min(begin + longest, span.until_at)
        parts.append(Span(begin, end))
        begin = end
    return parts


@dataclass(frozen=True, slots=True)
class Warned:
    """A gap that was announced, or is to be; ``urgent`` when it began or begins soon."""

    level: Level
    span: Span
    urgent: bool


def is_news(gap: Warned, told: Sequence[Warned], now: datetime) -> bool:
    """Return whether a gap, or a part of it, was not announced yet, or not as an urgent one.

    What of a gap has passed since is no news.
    """
    known = [each.span for each in told if each.level is gap.level and (each.urgent or not gap.urgent)]
    coming = Span(max(gap.span.from_at, now), gap.span.until_at)
    return coming.from_at < coming.until_at and bool(without(coming, known))


def filled(told: Sequence[Warned], gaps: Sequence[Warned], now: datetime) -> list[Warned]:
    """Return what was announced, is still to come, and is a gap no more in any part."""
    return [
        each
        for each in told
        if each.span.until_at > now and not any(gap.level is each.level and gap.span.meets(each.span) for gap in gaps)
    ]
