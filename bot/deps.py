"""What does every part of the bot work with?"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from bot.clock import Clock, real_seconds
from bot.domain.calendar import ClinicCalendar
from bot.metrics import Metrics
from bot.protocol.model import Protocol
from bot.settings import Settings
from bot.store.session import Store
from bot.texts import Texts


class Signal:
    """Tells waiting loops that there is something new; harmless where nobody waits."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Return when the signal was set, or after ``seconds``."""
        try:
            # Not wait_for: before Python 3.12 it loses a cancellation that comes together with the signal.
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return
        finally:
            self._event.clear()


@dataclass(slots=True)
class Standing:
    """Whether this process is the one that polls, sends and runs the jobs, as far as it knows itself."""

    epoch: int = 0
    until: float = 0.0  # in `real_seconds`

    @property
    def leads(self) -> bool:
        return real_seconds() < self.until

    def leads_in(self, epoch: int) -> bool:
        """Return whether the time in which this process leads is still the one of ``epoch``."""
        return self.leads and self.epoch == epoch


@dataclass(slots=True)
class Ways:
    """Which ways out of the bot have failed since when, as far as this process has tried them."""

    first: dict[str, datetime] = field(default_factory=dict)  # the first failure after the last success
    last: dict[str, datetime] = field(default_factory=dict)  # and the newest one
    told: datetime | None = None  # since when all fail, as the database has it
    told_in: int = -1  # the epoch in which this process has put that there

    def note(self, way: str, *, worked: bool, now: datetime) -> None:
        if worked:
            self.first.pop(way, None)
            self.last.pop(way, None)
        else:
            self.first.setdefault(way, now)
            self.last[way] = now


@dataclass(frozen=True, slots=True)
class Deps:
    """The parts that use cases, handlers and jobs are given; made once by bot/app.py."""

    store: Store
    clock: Clock
    protocol: Protocol
    texts: Texts
    settings: Settings
    clinic: ClinicCalendar
    username: str = "followup_bot"  # of the bot, for invitation links
    bot_id: int = 0  # Telegram's number of the bot; files that patients sent can be shown by it only
    # When parts of this process last did their work, on the monotonic clock: what only memory knows.
    pulses: dict[str, float] = field(default_factory=dict)
    standing: Standing = field(default_factory=Standing)
    ways: Ways = field(default_factory=Ways)
    metrics: Metrics = field(default_factory=Metrics)
    outgoing: Signal = field(default_factory=Signal)
    incoming: Signal = field(default_factory=Signal)
