"""Is this the process that polls, sends and runs the jobs? Several may run on PostgreSQL; one leads.

The lease row decides. A process counts its own time from before it asked for the lease, on a clock that goes
on while the machine sleeps, so it stops believing in its lease before anybody else can take it.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from bot.clock import real_seconds
from bot.deps import Deps
from bot.errors import FollowupError
from bot.store import lease

log = structlog.get_logger(__name__)

LASTS = timedelta(seconds=3)
RENEW_SECONDS = 0.75
TRY_SECONDS = 0.5
FOR_EVER = float("inf")


class AnotherBot(FollowupError):
    """The database is in use by a bot with another token."""


class Leadership:
    """What this process knows of the lease."""

    def __init__(self, deps: Deps, bot_id: int, take_over: Callable[[], Awaitable[object]]) -> None:
        """``take_over`` settles what the process before left behind; it runs before anything is sent."""
        self._take_over = take_over
        self._deps = deps
        self._bot_id = bot_id
        self._holder = secrets.token_hex(8)
        self._standing = deps.standing
        self._won = asyncio.Event()

    async def won(self) -> None:
        """Wait until this process leads."""
        while not self._standing.leads:
            self._won.clear()
            await self._won.wait()

    async def take_by_force(self) -> None:
        """Take the lease for good: for a database that has no other process."""
        epoch = await self._take(by_force=True)
        assert epoch is not None
        await self._win(epoch, FOR_EVER)

    async def run(self) -> None:
        """Strive for the lease and keep it, until cancelled; then give it back.

        Raises:
            AnotherBot: a bot with another token leads in this database.
        """
        await self._refuse_another_bot()
        try:
            while True:
                try:
                    await self._step()
                except Exception as error:
                    # The database is away: the lease runs out by itself, and sending stops with it.
                    log.warning("lease.unknown", error=type(error).__name__)
                    self._deps.metrics.fault("lease")
                await asyncio.sleep(RENEW_SECONDS if self._standing.leads else TRY_SECONDS)
        finally:
            await self._give_back()

    async def _step(self) -> None:
        asked, standing, now = real_seconds(), self._standing, self._deps.clock.now()
        if standing.leads:
            renewed = await self._deps.store.write_apart(
                lambda session: lease.renew(session, standing.epoch, LASTS, now)
            )
            if renewed:
                standing.until = asked + LASTS.total_seconds()
            else:
                self._lose()
            return
        if standing.until:
            self._lose()
        epoch = await self._take(by_force=False)
        if epoch is not None:
            await self._win(epoch, asked + LASTS.total_seconds())

    async def _take(self, *, by_force: bool) -> int | None:
        now = self._deps.clock.now()
        return await self._deps.store.write_apart(
            lambda session: lease.take(session, self._holder, self._bot_id, LASTS, now, by_force=by_force)
        )

    async def _refuse_another_bot(self) -> None:
        now = self._deps.clock.now()
        other = await self._deps.store.read(lambda session: lease.holder_of_another_bot(session, self._bot_id, now))
        if other is not None:
            raise AnotherBot(
                f"this database is in use by the bot with the number {other}; stop it, "
                "or give this bot a schema of its own (FOLLOWUP_DATABASE_SCHEMA)"
            )

    async def _win(self, epoch: int, until: float) -> None:
        self._standing.epoch = epoch
        await self._take_over()
        self._standing.until = until
        log.info("lease.taken", epoch=epoch)
        self._won.set()

    def _lose(self) -> None:
        log.warning("lease.lost", epoch=self._standing.epoch)
        self._standing.until = 0.0

    async def _give_back(self) -> None:
        if self._standing.leads:
            self._standing.until = 0.0
            with contextlib.suppress(Exception):
                await self._deps.store.write_apart(
                    lambda session: lease.give_back(session, self._standing.epoch, self._deps.clock.now())
                )

    def deposed(self) -> None:
        """Stop leading at once: the database says that another process has taken over."""
        self._standing.until = 0.0
