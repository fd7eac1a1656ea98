"""When does a page also leave by a way that is not Telegram's, and when is that tried again?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.urgency import Urgency
from bot.errors import FollowupError

TELEGRAM, EMAIL, WEBHOOK = "telegram", "email", "webhook"
CHANNELS = (EMAIL, WEBHOOK)
# A way that was last tried so many times the rule's minutes ago may work again by now.
KNOWN_FOR = 3


class BrokenSecondChannel(FollowupError, ValueError):
    """The rule for the second channel could leave a page where it is."""


@dataclass(frozen=True, slots=True)
class SecondChannel:
    """How long Telegram has for a page, and how long to wait between tries of the second channel.

    The last of ``repeat_after_seconds`` comes again and again. All ways out count as failing when none of them
    has worked for ``failing_after_minutes``.

    Raises:
        BrokenSecondChannel: a time is not above zero, the pauses shrink, or there are none.
    """

    after_seconds: int
    repeat_after_seconds: tuple[int, ...]
    failing_after_minutes: int

    def __post_init__(self) -> None:
        times = (self.after_seconds, self.failing_after_minutes, *self.repeat_after_seconds)
        if not self.repeat_after_seconds or min(times) < 1:
            raise BrokenSecondChannel("every time of the second channel must be above 0")
        if list(self.repeat_after_seconds) != sorted(self.repeat_after_seconds):
            raise BrokenSecondChannel("the pauses of the second channel must not shrink")

    def pause(self, attempts: int) -> timedelta:
        """Return how long to wait after so many attempts in a row that did not arrive."""
        return timedelta(seconds=self.repeat_after_seconds[min(max(attempts, 1), len(self.repeat_after_seconds)) - 1])


class Why(StrEnum):
    """Why a page also leaves by the second channel."""

    LATE = "not confirmed in time"
    UNSURE = "of unknown fate"
    FAILED = "not delivered"
    ALWAYS = "always for red"


@dataclass(frozen=True, slots=True)
class Page:
    """One message to one person that pages a case, as it lies in the outbox: ``number`` rises in time."""

    number: int
    state: str
    created_at: datetime


def rings(urgency: Urgency, *, symptom: bool) -> bool:
    """Return whether a case is one whose pages may leave by the second channel: requests and yellow can wait."""
    return symptom and (urgency.is_red or urgency is Urgency.AMBER)


def why(
    urgency: Urgency, pages: Iterable[Page], rule: SecondChannel, now: datetime, *, always_for_red: bool
) -> Why | None:
    """Return why one person is to be reached by the second channel as well, or None.

    ``pages`` are those of one round of a case to this person. Only what is younger than the newest that
    Telegram confirmed counts: that one has told the person to look. What was withdrawn needs nobody.
    """
    known = sorted(pages, key=lambda page: page.number)
    if always_for_red and urgency.is_red and any(page.state != "skipped" for page in known):
        return Why.ALWAYS
    confirmed = max((page.number for page in known if page.state == "sent"), default=0)
    missing = [page for page in known if page.number > confirmed and page.state != "skipped"]
    for state, reason in (("failed", Why.FAILED), ("unsure", Why.UNSURE)):
        if any(page.state == state for page in missing):
            return reason
    after = timedelta(seconds=rule.after_seconds)
    return Why.LATE if any(page.created_at + after <= now for page in missing) else None


def failing_since(
    first: datetime | None, last: datetime | None, rule: SecondChannel, now: datetime
) -> datetime | None:
    """Return since when a way out fails, None while that is not sure.

    It has to have failed for the time of the rule without a success; a single failure says nothing, and old ones
    say nothing about now. A success forgets both ``first`` and ``last``.
    """
    after = timedelta(minutes=rule.failing_after_minutes)
    if first is None or last is None or last - first < after or now - last > KNOWN_FOR * after:
        return None
    return first


def all_failing_since(
    first: Mapping[str, datetime],
    last: Mapping[str, datetime],
    ways: Iterable[str],
    rule: SecondChannel,
    now: datetime,
) -> datetime | None:
    """Return since when none of ``ways`` has worked, None while one of them does as far as is known."""
    known = [failing_since(first.get(way), last.get(way), rule, now) for way in ways]
    times = [since for since in known if since is not None]
    return max(times) if times and len(times) == len(known) else None
