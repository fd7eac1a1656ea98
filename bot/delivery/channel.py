"""What can one attempt to deliver a message end in? The interface every messaging channel keeps."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from bot.store.models import OutboxMessage


@dataclass(frozen=True, slots=True)
class Sent:
    """It is in the chat, under this number."""

    message_id: int | None


@dataclass(frozen=True, slots=True)
class Throttled:
    """The channel asks to wait; nothing was sent."""

    wait: timedelta


@dataclass(frozen=True, slots=True)
class NotSent:
    """It surely did not go out, and trying again may help."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unsure:
    """It may or may not have gone out: the connection broke after the message was handed over."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The person blocked the bot or is gone: no retry helps."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The channel will never take this message; the fault is ours."""

    reason: str


Outcome = Sent | Throttled | NotSent | Unsure | Unreachable | Refused


class Channel(Protocol):
    """One way to reach people."""

    async def deliver(self, message: OutboxMessage) -> Outcome:
        """Try once; every failure is an outcome, never an exception."""
        ...
