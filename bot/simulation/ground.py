"""What do the store, the clock and the way to the phones look like when only time is simulated?

The bot's own classes with what costs real time taken out: threads, the disk's confirmation, and the
library's reading and writing of JSON for a send that nothing disturbs.
"""

import sys
import traceback
from asyncio import CancelledError
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

from sqlalchemy import event
from sqlmodel import Session

from bot.app import Running
from bot.cipher import Cipher
from bot.clock import SetClock
from bot.delivery.channel import Channel, Outcome, Sent
from bot.delivery.dispatch import Dispatcher
from bot.delivery.inbox import Pump
from bot.delivery.pacing import Unpaced
from bot.delivery.telegram import TEXT_LENGTH, markup_of
from bot.metrics import Metrics
from bot.simulator import messaging
from bot.simulator.methods import Params
from bot.simulator.parts import Refused
from bot.simulator.telegram import SimulatedTelegram
from bot.store.models import OutboxMessage
from bot.store.session import Store

R = TypeVar("R")

# What a send can meet, how often of a thousand, when faults are wanted. "killed" ends the bot in the middle.
SEND_FAULTS = {"429": 6, "502": 3, "lost_request": 3, "lost_reply": 3, "no_connection": 3, "killed": 1}


class SteppedClock:
    """The clock of the bot's machine, which may be wrong by ``offset``; the world's own is always right."""

    speed = 1.0

    def __init__(self, true: SetClock) -> None:
        self._true = true
        self.offset = timedelta(0)

    def now(self) -> datetime:
        return self._true.now() + self.offset


class OneThreadStore(Store):
    """The database without threads and without waiting for the disk, so that a run can be repeated exactly."""

    def __init__(self, url: str, cipher: Cipher, metrics: Metrics) -> None:
        super().__init__(url, cipher, metrics=metrics)
        for engine in (self.engine, self._reading):
            event.listen(engine, "connect", _hurry)

    async def write(self, work: Callable[[Session], R]) -> R:
        return self.write_now(work)

    async def write_apart(self, work: Callable[[Session], R]) -> R:
        return self.write_now(work)

    async def read(self, work: Callable[[Session], R]) -> R:
        return self.read_now(work)


def _hurry(connection: Any, _record: Any) -> None:
    # A simulated crash ends the bot, never the machine, so the disk need not have the last word.
    for pragma in ("synchronous=OFF", "temp_store=MEMORY", "cache_size=-65536", "wal_autocheckpoint=10000"):
        connection.execute(f"PRAGMA {pragma}")


class WatchedMetrics(Metrics):
    """Counters that hand on every fault which the bot survived: in a simulation each is a finding."""

    def __init__(self, on_fault: Callable[[str], None]) -> None:
        super().__init__()
        self._on_fault = on_fault

    def fault(self, place: str) -> None:
        super().fault(place)
        error = sys.exc_info()[1]
        where = ""
        if error is not None:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where = f": {type(error).__name__} in {frame.name}: {' '.join(str(error).split())[:200]}"
        self._on_fault(f"{place}{where}")


class Sender(Dispatcher):
    """The dispatcher, which claims only when something is there: a claim of nothing costs as much as one of eight."""

    def __init__(self, bot: Running, channel: Channel, anything: Callable[[], bool]) -> None:
        super().__init__(bot.deps, channel, bot.leadership, Unpaced())
        self._anything = anything

    async def _start(self) -> int:
        return await super()._start() if self._anything() else 0


class Worker(Pump):
    """The pump, which looks for updates only when some wait."""

    def __init__(self, bot: Running, anything: Callable[[], bool]) -> None:
        super().__init__(bot.deps, bot.application)
        self._anything = anything

    async def _start(self) -> int:
        return await super()._start() if self._anything() else 0


_CARRYING: ContextVar[OutboxMessage | None] = ContextVar("carrying", default=None)


class ShortWay:
    """Hands a message straight to the phone; whatever goes wrong goes the bot's own long way.

    Faults are thrown at the long way, so that the bot's own reading of Telegram's errors is what decides.
    """

    def __init__(
        self,
        long_way: Channel,
        telegram: SimulatedTelegram,
        dice: Random | None,
        on_leaving: Callable[[OutboxMessage], None],
    ) -> None:
        """Without ``dice`` nothing goes wrong but what people do (blocking).

        ``on_leaving`` hears of each try to bring a message, whether it arrives or not.
        """
        self._long_way = long_way
        self._telegram = telegram
        self._dice = dice
        self._on_leaving = on_leaving
        self.killed = False
        self.faults: dict[str, int] = {}

    @property
    def carrying(self) -> OutboxMessage | None:
        """What the running task brings; of others that wait for an answer at the same time it knows nothing."""
        return _CARRYING.get()

    async def deliver(self, message: OutboxMessage) -> Outcome:
        before = _CARRYING.set(message)
        self._on_leaving(message)
        try:
            fault = self._fault()
            if fault is None:
                number = self._hand_over(message)
                return await self._long_way.deliver(message) if number is None else Sent(number)
            self.faults[fault] = self.faults.get(fault, 0) + 1
            if fault == "killed":
                await self._kill(message)
            self._disturb(fault)
            return await self._long_way.deliver(message)
        finally:
            _CARRYING.reset(before)

    def _fault(self) -> str | None:
        if self._dice is None:
            return None
        if self.killed:
            return "killed"
        drawn = self._dice.randrange(1000)
        for name, share in SEND_FAULTS.items():
            if drawn < share:
                return name
            drawn -= share
        return None

    def _disturb(self, fault: str) -> None:
        assert self._dice is not None
        match fault:
            case "429":
                self._telegram.fail("*", retry_after=self._dice.randrange(1, 40))
            case "502":
                self._telegram.fail("*", status=502)
            case "lost_request":
                self._telegram.fail("*", drop="before")
            case "lost_reply":
                self._telegram.fail("*", drop="after")
            case "no_connection":
                self._telegram.fail("*", drop="unreachable")

    async def _kill(self, message: OutboxMessage) -> None:
        """End the bot in the middle of a send: the message may have left, its outcome is never written."""
        assert self._dice is not None
        if not self.killed and self._dice.random() < 0.5:
            await self._long_way.deliver(message)
        self.killed = True
        raise CancelledError

    def _hand_over(self, message: OutboxMessage) -> int | None:
        """Return the number of the message in the chat, or None where the long way has to decide."""
        if len(message.text) > TEXT_LENGTH:
            return None
        fields: dict[str, Any] = {"chat_id": str(message.chat_id), "text": message.text}
        try:
            if message.method == "send":
                keyboard = markup_of(message)
                fields |= {
                    "protect_content": not message.secret,
                    "disable_notification": message.silent,
                    "reply_markup": keyboard.to_dict() if keyboard else None,
                }
                shown = messaging.send_message(self._telegram, Params(fields), {})
            elif message.method == "edit":
                keyboard = markup_of(message)
                fields |= {
                    "message_id": message.edits_message_id,
                    "reply_markup": keyboard.to_dict() if keyboard else None,
                }
                shown = messaging.edit_text(self._telegram, Params(fields), {})
            else:
                return None
        except Refused:
            return None
        return int(shown["message_id"])
