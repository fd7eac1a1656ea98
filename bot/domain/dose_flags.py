"""Which gaps in the tablets do staff hear of, and is one of them news? Each is told once, not every day."""

from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction

from bot.domain.adherence import AdherenceRule, DoseStatus, adherence_of_last, consecutive_missed
from bot.domain.urgency import Urgency


class Flag(StrEnum):
    """A gap that staff hear of; the value ends the name of the rule in a case (clinical-facts 5.3)."""

    LONG_RUN = "missed_long"
    RUN = "missed_run"
    SHARE = "below_share"


URGENCY = {Flag.LONG_RUN: Urgency.AMBER, Flag.RUN: Urgency.YELLOW, Flag.SHARE: Urgency.YELLOW}


def flags(statuses: Mapping[date, DoseStatus], until: date, rule: AdherenceRule) -> tuple[Flag, ...]:
    """Return the gaps that hold on the site day ``until``, the most urgent first.

    They are those of `adherence.adherence_flag`, each by itself: a run that goes on from 3 to 7 days is
    both. In the rolling share an unknown day counts as taken, since unknown is never missed.
    """
    found = []
    run = consecutive_missed(statuses, until)
    if run >= rule.amber_run_days:
        found.append(Flag.LONG_RUN)
    if run >= rule.yellow_run_days:
        found.append(Flag.RUN)
    recent = adherence_of_last(statuses, until, rule.rolling_days)
    missed = recent.not_taken + Fraction(recent.partly, 2)
    if missed > rule.tolerated_missed and 1 - missed / recent.ordered_days < Fraction(rule.yellow_below_percent, 100):
        found.append(Flag.SHARE)
    return tuple(found)


def is_news(
    flag: Flag, statuses: Mapping[date, DoseStatus], until: date, told_on: date | None, rule: AdherenceRule
) -> bool:
    """Return whether a gap that holds on ``until`` was not told before, or was over since ``told_on``."""
    if told_on is None or told_on > until:
        return told_on is None
    days = (told_on + timedelta(days=number) for number in range((until - told_on).days))
    return any(flag not in flags(statuses, day, rule) for day in days)
