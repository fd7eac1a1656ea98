"""What does every part of the bot work with?"""

import asyncio
from dataclasses import dataclass, field

from bot.clock import Clock
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


@dataclass(frozen=True, slots=True)
class Deps:
    """The parts that use cases, handlers and jobs are given; made once by bot/app.py."""

    store: Store
    clock: Clock
    protocol: Protocol
    texts: Texts
    settings: Settings
    username: str = "followup_bot"  # of the bot, for invitation links
    # When parts of this process last did their work, on the monotonic clock: what only memory knows.
    pulses: dict[str, float] = field(default_factory=dict)
    outgoing: Signal = field(default_factory=Signal)
    incoming: Signal = field(default_factory=Signal)
