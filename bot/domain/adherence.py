"""How much of the ordered deferasirox was taken, and does a gap need the staff's attention?

Figures are exact fractions; only ``whole_percent`` rounds. docs/figures.md defines each
of them with the worked examples that the tests repeat.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from bot.domain.urgency import Urgency
from bot.errors import FollowupError


class DoseStatus(StrEnum):
    """What is known about one site day's deferasirox, as reported by the subject or ordered by staff.

    "Not yet" is an answer that asks again, not a status: the day stays unknown until it is settled.
    """

    TAKEN = "taken"
    PARTLY = "partly"
    NOT_TAKEN = "not_taken"
    UNKNOWN = "unknown"
    NOT_DELIVERED = "not_delivered"
    HELD = "held"
    NOT_ORDERED = "not_ordered"


# Nobody knows of these days, whether the question was not answered or never reached the phone.
_NOT_KNOWN = (DoseStatus.UNKNOWN, DoseStatus.NOT_DELIVERED)
# On these days nothing was to be taken, so they are in no denominator and neither make nor end a gap.
_NOTHING_TO_TAKE = frozenset({DoseStatus.HELD, DoseStatus.NOT_ORDERED})


class EmptyPeriod(FollowupError):
    """An adherence period ends before it begins."""


@dataclass(frozen=True, slots=True)
class AdherenceRule:
    """When missed tablets need attention; site defaults, to be confirmed by the PI.

    Up to ``tolerated_missed`` missed doses in the rolling period raise nothing by
    themselves, so that a short or interrupted order is not flagged for a single one.
    """

    yellow_run_days: int = 3
    amber_run_days: int = 7
    rolling_days: int = 14
    yellow_below_percent: int = 80
    tolerated_missed: int = 2


@dataclass(frozen=True, slots=True)
class SummaryRule:
    """What the table of the site looks at; site defaults, to be confirmed by the PI.

    ``window_days`` are the last days that are counted, and the days before them that they are compared with.
    A share below ``below_percent`` and an unknown share above ``unknown_above_percent`` are shown, tablets
    that had run out within ``ran_out_days``, and within ``changed_days`` a new order, a hold, its end, a stop
    or another rhythm. A share that fell by at least ``drop_points`` counts as a change too.
    """

    window_days: int
    below_percent: int
    unknown_above_percent: int
    ran_out_days: int
    changed_days: int
    drop_points: int


class Adherence(NamedTuple):
    """The figures of one period, both ends included; a share of nothing is None.

    ``ordered_days`` = taken + partly + not_taken + unknown.
    ``unknown`` counts also the days whose question was not delivered.
    ``taken_share`` (primary) = (taken + partly / 2) / ordered_days.
    ``known_share`` = (taken + partly / 2) / (ordered_days - unknown).
    ``unknown_share`` = unknown / ordered_days; unknown days are reported, never guessed.
    ``longest_gap`` = most days in a row known as not taken.
    """

    first_on: date
    last_on: date
    ordered_days: int
    taken: int
    partly: int
    not_taken: int
    unknown: int
    longest_gap: int

    @property
    def taken_share(self) -> Fraction | None:
        """Return the primary figure, 0 to 1: doses confirmed as taken among ordered days."""
        return self._taken_of(self.ordered_days)

    @property
    def known_share(self) -> Fraction | None:
        """Return the doses taken, 0 to 1, among ordered days with an answer."""
        return self._taken_of(self.ordered_days - self.unknown)

    @property
    def unknown_share(self) -> Fraction | None:
        """Return the ordered days without an answer, 0 to 1, among ordered days."""
        return Fraction(self.unknown, self.ordered_days) if self.ordered_days else None

    def is_below(self, percent: int) -> bool:
        """Return whether the primary figure is below so many percent, exactly; with nothing ordered it is not."""
        return self.half_doses * 50 < self.ordered_days * percent

    def unknown_is_above(self, percent: int) -> bool:
        """Return whether the unknown share is above so many percent, exactly."""
        return self.unknown * 100 > self.ordered_days * percent

    @property
    def half_doses(self) -> int:
        """Return the doses taken in halves: a day taken is two, a part of it one."""
        return 2 * self.taken + self.partly

    def _taken_of(self, days: int) -> Fraction | None:
        return (self.taken + Fraction(self.partly, 2)) / days if days else None


def adherence(statuses: Mapping[date, DoseStatus], first_on: date, last_on: date) -> Adherence:
    """Return the figures from ``first_on`` to ``last_on``, site days, both ends included.

    A day without an entry is unknown; entries outside the period do not count. A period in
    which nothing was ordered has no shares (None), which is not the same as 0 %.

    Raises:
        EmptyPeriod: ``last_on`` is before ``first_on``.
    """
    if last_on < first_on:
        raise EmptyPeriod(f"{first_on.isoformat()} to {last_on.isoformat()}")
    days = [_status(statuses, day) for day in _days(first_on, last_on)]
    count = Counter(days)
    return Adherence(
        first_on=first_on,
        last_on=last_on,
        ordered_days=sum(number for status, number in count.items() if status not in _NOTHING_TO_TAKE),
        taken=count[DoseStatus.TAKEN],
        partly=count[DoseStatus.PARTLY],
        not_taken=count[DoseStatus.NOT_TAKEN],
        unknown=sum(count[status] for status in _NOT_KNOWN),
        longest_gap=_longest_gap(days),
    )


def adherence_of_last(statuses: Mapping[date, DoseStatus], until: date, days: int) -> Adherence:
    """Return the figures of the last ``days`` (14 or 28) site days, ``until`` being the last of them."""
    return adherence(statuses, until - timedelta(days=days - 1), until)


def consecutive_missed(statuses: Mapping[date, DoseStatus], until: date) -> int:
    """Return how many days in a row, up to and including ``until``, are known as not taken.

    A day with nothing to take is passed over; a partly taken or unknown day ends the run,
    for an unanswered question is not a missed dose. ``until`` is the last day that was
    settled: with a day still open for its answer the run would be 0.
    """
    return in_a_row(statuses, until, DoseStatus.NOT_TAKEN)


def in_a_row(statuses: Mapping[date, DoseStatus], until: date, wanted: DoseStatus) -> int:
    """Return how many days in a row, up to and including ``until``, have the status ``wanted``.

    A day with nothing to take is passed over and does not count; any other day, an unknown one too, ends the run.
    """
    found, day, earliest = 0, until, min(statuses, default=until)
    while day >= earliest:
        status = _status(statuses, day)
        if status is wanted:
            found += 1
        elif status not in _NOTHING_TO_TAKE:
            break
        day -= timedelta(days=1)
    return found


def adherence_flag(statuses: Mapping[date, DoseStatus], until: date, rule: AdherenceRule | None = None) -> Urgency:
    """Return the urgency (green, yellow or amber) that the missed doses up to ``until`` have.

    Amber: ``amber_run_days`` (7) missed in a row. Yellow: ``yellow_run_days`` (3) in a row, or
    less than ``yellow_below_percent`` (80 %) in the last ``rolling_days`` (14). In the rolling
    figure an unknown day counts as taken, since unknown never counts as missed; the figures
    shown to staff do not do this. Site defaults, to be confirmed by the PI.
    """
    rule = rule or AdherenceRule()
    run = consecutive_missed(statuses, until)
    if run >= rule.amber_run_days:
        return Urgency.AMBER
    if run >= rule.yellow_run_days:
        return Urgency.YELLOW
    recent = adherence_of_last(statuses, until, rule.rolling_days)
    missed = recent.not_taken + Fraction(recent.partly, 2)
    if missed > rule.tolerated_missed:
        share = 1 - missed / recent.ordered_days
        if share < Fraction(rule.yellow_below_percent, 100):
            return Urgency.YELLOW
    return Urgency.GREEN


def points_between(before: Adherence | None, recent: Adherence | None) -> Fraction | None:
    """Return by how many percentage points the primary figure changed; None where one of the two has none."""
    shares = (each.taken_share if each is not None else None for each in (before, recent))
    earlier, later = shares
    return None if earlier is None or later is None else (later - earlier) * 100


def fell_by(before: Adherence | None, recent: Adherence | None, points: int) -> bool:
    """Return whether the primary figure fell by at least so many percentage points, exactly."""
    if before is None or recent is None or not (before.ordered_days and recent.ordered_days):
        return False
    fall = before.half_doses * recent.ordered_days - recent.half_doses * before.ordered_days
    return fall * 50 >= points * before.ordered_days * recent.ordered_days


def whole_points(points: Fraction) -> int:
    """Return percentage points as a whole number, half away from zero."""
    size = int(abs(points) + Fraction(1, 2))
    return size if points >= 0 else -size


def whole_percent(share: Fraction) -> int:
    """Return a share of 0 to 1 as whole percent, half up: 0.125 is 13 %, 0.124 is 12 %.

    For display only; thresholds are compared with the exact share, so 79.6 % is shown as
    80 % and is still below 80 %.
    """
    return int(share * 100 + Fraction(1, 2))


def _status(statuses: Mapping[date, DoseStatus], day: date) -> DoseStatus:
    return statuses.get(day, DoseStatus.UNKNOWN)


def _days(first_on: date, last_on: date) -> Iterable[date]:
    return (first_on + timedelta(days=offset) for offset in range((last_on - first_on).days + 1))


def _longest_gap(days: Iterable[DoseStatus]) -> int:
    longest = run = 0
    for status in days:
        if status is DoseStatus.NOT_TAKEN:
            run += 1
            longest = max(longest, run)
        elif status not in _NOTHING_TO_TAKE:
            run = 0
    return longest
