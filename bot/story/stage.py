"""How is the real bot driven through simulated time, with nothing made up but Telegram itself?"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlmodel import Session

from bot import app
from bot.clock import SetClock
from bot.delivery.http import NotSent, check_answer
from bot.deps import Deps
from bot.domain.people import BOT
from bot.domain.roles import Role
from bot.settings import Settings
from bot.simulator.request import SimulatedRequest
from bot.simulator.telegram import SimulatedTelegram
from bot.store import agenda, outbox, second_sends
from bot.usecases import invite
from bot.work import Work, run

R = TypeVar("R")

# An entry that stays due (its work failed) must not hold time still.
STUCK = timedelta(minutes=1)


@dataclass
class Stage:
    """A running bot, a clock that is set by hand, and the phones of everybody."""

    bot: app.Running
    clock: SetClock
    telegram: SimulatedTelegram

    @property
    def deps(self) -> Deps:
        return self.bot.deps

    async def settle(self) -> None:
        """Let the bot take in what people did, answer it, and send what is due, until all is quiet."""
        await self.bot.settle()
        await self._take_in()

    async def _take_in(self) -> None:
        while await self.bot.poller.poll(0):
            await self.bot.settle()

    async def pass_time(self, **amount: float) -> None:
        """Let ``timedelta(**amount)`` pass; everything that becomes due on the way happens at its own time."""
        await self.until(self.clock.now() + timedelta(**amount))

    async def until(self, moment: datetime) -> None:
        """Let time pass until ``moment`` (aware)."""
        await self.settle()
        due = await self.deps.store.read(next_due)
        while due is not None and due <= moment:
            if due > self.clock.now():
                self.clock.set(due)
            await self.bot.tick(sparing=True)
            await self._take_in()
            due = await self.deps.store.read(next_due)
            if due is not None and due <= self.clock.now():
                if self.clock.now() >= moment:
                    break
                self.clock.set(min(self.clock.now() + STUCK, moment))
        self.clock.set(max(moment, self.clock.now()))
        await self.bot.tick()
        await self._take_in()

    async def invitation(self, role: Role) -> str:
        """Return a link that makes whoever opens it staff, as `followup staff invite` prints it."""
        return await self.within(lambda work: invite.invite(work, invite.STAFF, role=role))

    async def within(self, use_case: Callable[[Work], R]) -> R:
        """Run a use case as a command of the terminal does."""
        return await run(self.deps, BOT, "command:stage", use_case)


def next_due(session: Session) -> datetime | None:
    """Return when the next thing is due, of the agenda, the outbox or the second channel."""
    known = [agenda.next_due_at(session), outbox.next_due_at(session), second_sends.next_due_at(session)]
    return min((moment for moment in known if moment), default=None)


@asynccontextmanager
async def raised(settings: Settings, start: datetime) -> AsyncIterator[Stage]:
    """Start the bot on a simulated Telegram at ``start``; the database is that of the settings."""
    clock = SetClock(start)
    assert settings.telegram_token is not None
    telegram = SimulatedTelegram(clock, token=settings.telegram_token.get_secret_value())
    deps = app.make_deps(settings, clock)

    def request() -> SimulatedRequest:
        return SimulatedRequest(telegram, check=check_answer, not_sent=NotSent)

    try:
        async with app.running(deps, request(), request()) as bot:
            yield Stage(bot, clock, telegram)
    finally:
        deps.store.close()
