"""How does a part of the bot work for ever, several chats side by side, each in its own order?"""

import asyncio
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import structlog

from bot.deps import Signal
from bot.metrics import Metrics

log = structlog.get_logger(__name__)

K = TypeVar("K")


class ChatLoop(ABC, Generic[K]):
    """Starts work for chats that are free, one piece a chat at a time, until it is cancelled."""

    def __init__(self, signal: Signal, idle_seconds: float, metrics: Metrics) -> None:
        """``signal`` tells of new work; without it, it is looked for every ``idle_seconds``."""
        self._signal = signal
        self._metrics = metrics
        self._idle_seconds = idle_seconds
        self._busy: dict[K, asyncio.Task[None]] = {}
        self._more = True  # whether the last look may have left something that can be started

    @abstractmethod
    async def _start(self) -> int:
        """Start what can be started now, with a task in ``_busy`` for each; return how many that were."""

    async def run(self) -> None:
        """Work for ever; a fault of the database or the network delays, it never ends the loop."""
        try:
            while True:
                try:
                    started = await self._start()
                except Exception:
                    log.exception("loop.failed", loop=type(self).__name__)
                    self._metrics.fault("loop")
                    started = 0
                if not started or not self._more:
                    await self._signal.wait(self._pause())
        finally:
            # What is on its way is finished, so that its outcome is known.
            await asyncio.gather(*self._busy.values(), return_exceptions=True)

    async def drain(self) -> int:
        """Do everything that can be done now and wait for it; return how many pieces of work that were."""
        total = 0
        while (started := await self._start()) or self._busy:
            total += started
            if self._busy:
                await asyncio.wait(list(self._busy.values()), return_when=asyncio.FIRST_COMPLETED)
        return total

    def _pause(self) -> float:
        """Return how many seconds to wait at most when nothing could be started."""
        return self._idle_seconds

    def _done(self, key: K) -> None:
        """Free a chat whose piece of work is done."""
        del self._busy[key]
        self._signal.set()
