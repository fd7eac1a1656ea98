"""How many tablets are gone by count, how many were ordered, and how many were reported as taken?

Units are tablets or sachets of one strength in mg; quarters and halves are exact. Counts of another strength
never mix with them. A count stands for its day before that day's dose, so between the counts of day 1 and of
day 29 lie the doses of days 1 to 28. Where a count is missing or does not fit, nothing is said instead of
guessed. docs/figures.md has the worked example that is a test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

from bot.domain.adherence import DoseStatus, whole_percent


class CountKind(StrEnum):
    """What was counted: given out, brought back (then nothing is left at home), or left at home."""

    DISPENSED = "dispensed"
    RETURNED = "returned"
    AT_HOME = "at_home"


class Unsaid(StrEnum):
    """Why nothing can be said of a period."""

    NOT_COUNTED = "not_counted"
    ONE_COUNT = "one_count"
    TOO_SHORT = "too_short"
    MORE_LEFT = "more_left"  # more was left than there can have been
    NOT_ORDERED = "not_ordered"


@dataclass(frozen=True, slots=True)
class CountRule:
    """Numbers of the trial's files; site defaults, to be confirmed by the PI.

    ``ask_every_days``, ``again_after_days`` ("count later", or while the tablets are paused), ``most_later`` (times
    "count later" is offered), ``useful_days`` (of a question), ``photo_hours`` (so long a photo belongs to a count),
    ``at_least_days`` (of a comparison), ``gap_points`` (percentage points: a larger gap is pointed out),
    ``most_a_year`` (units given out in a year, above which a number is asked back).
    """

    ask_every_days: int
    again_after_days: int
    most_later: int
    useful_days: int
    photo_hours: int
    at_least_days: int
    gap_points: int
    most_a_year: int


@dataclass(frozen=True, slots=True)
class Count:
    """One count of tablets of one strength on a day at the site."""

    kind: CountKind
    on: date
    tablets: Decimal


@dataclass(frozen=True, slots=True)
class OrderedDay:
    """What was ordered of one strength on a day (0 on a day of a pause), and what is known of the day."""

    units: Decimal
    status: DoseStatus


@dataclass(frozen=True, slots=True)
class Anchor:
    """A day on which it is certain how many tablets were left, and how many there were from then on."""

    on: date
    left: Decimal
    had: Decimal


@dataclass(frozen=True, slots=True)
class Counted:
    """A period between two counts, both ends included, in units of one strength.

    ``unknown`` = units ordered on days of which nobody knows; they are in ``expected`` and not in ``reported``.
    """

    first_on: date
    last_on: date
    consumed: Fraction
    expected: Fraction
    reported: Fraction
    unknown: Fraction

    @property
    def counted_share(self) -> Fraction | None:
        """Return consumed of expected, above 1 if more is gone than was ordered; None with nothing ordered."""
        return self.consumed / self.expected if self.expected else None

    @property
    def reported_share(self) -> Fraction | None:
        """Return reported of expected, 0 to 1; None with nothing ordered."""
        return self.reported / self.expected if self.expected else None

    @property
    def more_than_ordered(self) -> bool:
        """Return whether more tablets are gone than were ordered."""
        return self.consumed > self.expected

    @property
    def gap(self) -> Fraction | None:
        """Return how far reports lie above the count (below: negative), as a share of what was ordered.

        Unknown days may have been taken or not: what they can explain is no gap.
        """
        if not self.expected:
            return None
        if self.consumed < self.reported:
            return (self.reported - self.consumed) / self.expected
        return -max(Fraction(0), self.consumed - self.reported - self.unknown) / self.expected

    @property
    def points(self) -> int | None:
        """Return the gap in whole percentage points, half up by its size; for display only."""
        if self.gap is None:
            return None
        return whole_percent(self.gap) if self.gap >= 0 else -whole_percent(-self.gap)

    def stands_out(self, rule: CountRule) -> bool:
        """Return whether staff should look: a gap above ``gap_points`` either way, or more gone than ordered."""
        wide = self.gap is not None and abs(self.gap) * 100 > rule.gap_points
        return wide or self.more_than_ordered


@dataclass(frozen=True, slots=True)
class CannotSay:
    """Nothing is said, and why; ``on`` is the day of the count that does not fit."""

    why: Unsaid
    on: date | None = None


def anchors(counts: Iterable[Count]) -> list[Anchor]:
    """Return the days on which the number at home is certain, the oldest first.

    These are: what was brought back (nothing is left at home but what is given out that day), a count at home, and
    the first dispensing if nothing was counted before. A count at home on a day on which tablets changed hands is
    none: nobody knows whether those were counted too.
    """
    by_day: dict[date, list[Count]] = {}
    for count in counts:
        by_day.setdefault(count.on, []).append(count)
    found: list[Anchor] = []
    for number, on in enumerate(sorted(by_day)):
        of_day = by_day[on]
        out, back, home = (
            [each.tablets for each in of_day if each.kind is kind]
            for kind in (CountKind.DISPENSED, CountKind.RETURNED, CountKind.AT_HOME)
        )
        if back:
            found.append(Anchor(on, sum(back, Decimal(0)), sum(out, Decimal(0))))
        elif home and not out:
            # Counted twice on one day, the count that was entered last stands.
            found.append(Anchor(on, home[-1], home[-1]))
        elif out and number == 0:
            found.append(Anchor(on, Decimal(0), sum(out, Decimal(0))))
    return found


def most_there(counts: Sequence[Count], on: date) -> Decimal:
    """Return how many tablets there can be at most on a day: the last certain number and what was given out since."""
    known = [each for each in anchors(counts) if each.on < on]
    since, had = (known[-1].on, known[-1].had) if known else (date.min, Decimal(0))
    given = (each for each in counts if each.kind is CountKind.DISPENSED and since < each.on < on)
    return had + sum((each.tablets for each in given), Decimal(0))


def dispensed_in_year(counts: Iterable[Count], on: date) -> Decimal:
    """Return how many were given out in the 365 days up to and including ``on``."""
    since = on - timedelta(days=365)
    given = (each for each in counts if each.kind is CountKind.DISPENSED and since < each.on <= on)
    return sum((each.tablets for each in given), Decimal(0))


def gap(
    counts: Sequence[Count], days: Mapping[date, OrderedDay], first_on: date, last_on: date, rule: CountRule
) -> Counted | CannotSay:
    """Compare count, order and reports of one strength in ``first_on`` to ``last_on``, both ends included.

    The comparison runs between the first and the last count of the period; with one alone, from the count before.
    ``days`` has what was ordered of this strength; a day without an entry had nothing ordered.
    """
    span = _span(anchors(counts), first_on, last_on)
    if len(span) < 2:
        return CannotSay(Unsaid.ONE_COUNT if span else Unsaid.NOT_COUNTED)
    starts, ends = span[0].on, span[-1].on
    if (ends - starts).days < rule.at_least_days:
        return CannotSay(Unsaid.TOO_SHORT)
    consumed = Decimal(0)
    for before, after in pairwise(span):
        between = (each for each in counts if each.kind is CountKind.DISPENSED and before.on < each.on < after.on)
        gone = before.had + sum((each.tablets for each in between), Decimal(0)) - after.left
        if gone < 0:
            return CannotSay(Unsaid.MORE_LEFT, after.on)
        consumed += gone
    ordered = [day for on, day in days.items() if starts <= on < ends and day.units]
    if not ordered and not consumed:
        return CannotSay(Unsaid.NOT_ORDERED)
    taken = (_units(ordered, DoseStatus.TAKEN), _units(ordered, DoseStatus.PARTLY) / 2)
    return Counted(
        first_on=starts,
        last_on=ends - timedelta(days=1),
        consumed=Fraction(consumed),
        expected=sum((Fraction(day.units) for day in ordered), Fraction(0)),
        reported=sum(taken, Fraction(0)),
        unknown=_units(ordered, DoseStatus.UNKNOWN) + _units(ordered, DoseStatus.NOT_DELIVERED),
    )


def _span(known: Sequence[Anchor], first_on: date, last_on: date) -> list[Anchor]:
    # The count of the morning after the last day closes it.
    inside = [each for each in known if first_on <= each.on <= last_on + timedelta(days=1)]
    if len(inside) == 1:
        return [*[each for each in known if each.on < first_on][-1:], *inside]
    return inside


def _units(days: Iterable[OrderedDay], status: DoseStatus) -> Fraction:
    return sum((Fraction(day.units) for day in days if day.status is status), Fraction(0))
