"""Does the bot still reach a subject, and if not, since when and why?"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

# When a person was last heard is kept to the hour, rounded down; what was asked within that hour may
# well have been what they answered.
HEARD_TO = timedelta(hours=1)


class Lost(StrEnum):
    """Why a subject is not reached; the order is that in which one is shown when there are several."""

    BLOCKED = "blocked"  # Telegram itself said so
    UNANSWERED = "unanswered"  # delivered, and no word since
    CHECKINS = "checkins"  # check-ins in a row that nobody answered
    SILENT = "silent"  # no word for long, whatever was asked
    LINK_EXPIRED = "link_expired"
    NEVER_STARTED = "never_started"


@dataclass(frozen=True, slots=True)
class ReachRule:
    """When silence becomes a task for staff.

    ``look_at`` is the wall time at the site of the daily look. ``unanswered_days`` counts site days on which
    something that asks for an answer was delivered since the subject was last heard, each at least
    ``answer_within_hours`` ago. ``silent_days`` counts from the last word. ``start_within_days`` counts from
    enrolment. A task that staff closed is opened again for the same silence after ``again_days``.
    """

    look_at: time
    unanswered_days: int
    answer_within_hours: int
    silent_days: int
    start_within_days: int
    again_days: int


@dataclass(frozen=True, slots=True)
class Loss:
    """One reason why a subject is not reached, and since when (aware UTC)."""

    why: Lost
    since: datetime


def silence(
    heard_at: datetime, asked_at: Collection[datetime], now: datetime, rule: ReachRule, zone: ZoneInfo
) -> tuple[Loss, ...]:
    """Return in which ways a subject is silent who was last heard at ``heard_at`` (to the hour).

    ``asked_at`` are the moments at which a question or a reminder with buttons was really delivered; what
    was not delivered asks nobody. Several on one site day count once, so a question and its repeat are one.
    """
    waited = [at for at in asked_at if heard_at + HEARD_TO <= at <= now - timedelta(hours=rule.answer_within_hours)]
    losses = []
    if len({at.astimezone(zone).date() for at in waited}) >= rule.unanswered_days:
        losses.append(Loss(Lost.UNANSWERED, min(waited)))
    if now - heard_at >= timedelta(days=rule.silent_days):
        losses.append(Loss(Lost.SILENT, heard_at))
    return tuple(losses)


def not_started(enrolled_at: datetime, link_ends_at: datetime | None, now: datetime, rule: ReachRule) -> Loss | None:
    """Return why a subject who was enrolled and has not agreed yet needs a call, or None while there is time.

    ``link_ends_at`` is until when the newest invitation works that nobody has used; None where there is none.
    """
    if link_ends_at is not None and link_ends_at <= now:
        return Loss(Lost.LINK_EXPIRED, link_ends_at)
    if now - enrolled_at >= timedelta(days=rule.start_within_days):
        return Loss(Lost.NEVER_STARTED, enrolled_at)
    return None
