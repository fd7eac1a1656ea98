"""How often are tablets asked about: every day, every second day, or once a week, and what changes that?

Site defaults, to be confirmed by the PI; the source is clinical-facts 6.1 (fatigue, a streak of good days).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from bot.domain.adherence import DoseStatus, in_a_row
from bot.errors import FollowupError


class UnusableRhythmRule(FollowupError, ValueError):
    """A rule about the rhythm of questions can never apply, or always does."""


class Rhythm(StrEnum):
    """How often the tablets question comes; the value is what the database keeps."""

    DAILY = "daily"
    SECOND_DAY = "second_day"
    WEEKLY = "weekly"

    @property
    def days(self) -> int:
        """Return how many days lie from one question to the next."""
        return _DAYS[self]


_DAYS = {Rhythm.DAILY: 1, Rhythm.SECOND_DAY: 2, Rhythm.WEEKLY: 7}
_LOWER = {Rhythm.DAILY: Rhythm.SECOND_DAY, Rhythm.SECOND_DAY: Rhythm.WEEKLY}


@dataclass(frozen=True, slots=True)
class Fading:
    """Answers fade when in each of the last ``times`` runs of ``of`` questions ``unanswered`` or more had no answer.

    Raises:
        UnusableRhythmRule: a number below 1, or more unanswered questions than there are.
    """

    unanswered: int
    of: int
    times: int

    def __post_init__(self) -> None:
        if min(self.unanswered, self.of, self.times) < 1 or self.unanswered > self.of:
            raise UnusableRhythmRule(f"{self.unanswered} of {self.of} questions, {self.times} times")


@dataclass(frozen=True, slots=True)
class RhythmRule:
    """When the weekly question is offered, when answers fade, and what brings the daily question back.

    ``restored_after``: so many answers in a row end a rhythm that was lowered because nobody answered.
    ``daily_after`` and ``daily_after_reasons``: what a day's answer must be to end the weekly question.

    Raises:
        UnusableRhythmRule: a number of days or answers below 1.
    """

    offer_weekly_after_days: int
    fading: Fading
    restored_after: int
    daily_after: tuple[DoseStatus, ...]
    daily_after_reasons: tuple[str, ...]

    def __post_init__(self) -> None:
        if min(self.offer_weekly_after_days, self.restored_after) < 1:
            raise UnusableRhythmRule("the days of the offer and the answers must be at least 1")


def next_on(rhythm: Rhythm, last_on: date | None, first_on: date) -> date:
    """Return the first day, ``first_on`` or later, on which the question may come.

    ``last_on`` is the day that was asked about last, or on which the rhythm was changed.
    """
    return first_on if last_on is None else max(first_on, last_on + timedelta(days=rhythm.days))


def week_of(last_on: date) -> list[date]:
    """Return the seven days that a weekly question is about, the day of the question being the last."""
    return [last_on - timedelta(days=back) for back in range(6, -1, -1)]


def good_days(statuses: Mapping[date, DoseStatus], until: date) -> int:
    """Return on how many days in a row, up to and including ``until``, all was taken.

    Days with nothing to take are passed over and do not count; an unknown day ends the streak.
    """
    return in_a_row(statuses, until, DoseStatus.TAKEN)


def fades(answered: Sequence[bool], rule: Fading) -> bool:
    """Return whether answers fade; ``answered`` tells of each question that arrived, the newest last.

    Fewer questions than the rule looks at say nothing.
    """
    looked_at = rule.of * rule.times
    if len(answered) < looked_at:
        return False
    newest = answered[len(answered) - looked_at :]
    return all(
        newest[start : start + rule.of].count(False) >= rule.unanswered for start in range(0, looked_at, rule.of)
    )


def lowered(rhythm: Rhythm) -> Rhythm | None:
    """Return the next rarer rhythm, or None when there is none."""
    return _LOWER.get(rhythm)


def answered_in_row(answered: Sequence[bool]) -> int:
    """Return how many of the newest questions, the newest last, were answered without a gap."""
    number = 0
    for each in reversed(answered):
        if not each:
            break
        number += 1
    return number


def ends(status: DoseStatus, reasons: Iterable[str], rule: RhythmRule) -> bool:
    """Return whether what was said of one day brings the daily question back."""
    return status in rule.daily_after or any(reason in rule.daily_after_reasons for reason in reasons)
