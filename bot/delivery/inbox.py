"""How do updates get in, so that none is lost when the bot dies at any moment?

The poller stores a batch and only then asks for the next one, which is what confirms it. The pump
works off what is stored, chat by chat in order, several chats at once.
"""

import asyncio
import json
import random
import time
from contextvars import ContextVar
from typing import Any

import structlog
from sqlmodel import Session
from telegram import Bot, Update
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError
from telegram.ext import Application
from telegram.request import BaseRequest, RequestData
from telegram.request._requestparameter import RequestParameter

from bot.clock import real_seconds
from bot.delivery.leadership import Leadership
from bot.delivery.loop import ChatLoop
from bot.deps import Deps
from bot.domain.people import BOT
from bot.errors import FollowupError
from bot.store import inbox
from bot.store.models import InboxUpdate
from bot.store.session import DATABASE_FAULTS
from bot.usecases import outage
from bot.work import run

log = structlog.get_logger(__name__)

PULSE = "poll"
WANTED = ["message", "edited_message", "callback_query", "my_chat_member"]
POLL_SECONDS = 30
READ_MARGIN = 10.0
BATCH = 100
PUMP_IDLE_SECONDS = 1.0
SHARED_IDLE_SECONDS = 0.2  # with several processes, another one may have stored the update
ATTEMPTS = 3
# Whoever comes second gives way; who has been at work for longer stays, for its red pages must go out.
SETTLED_SECONDS = 60.0
PLACES = 16  # updates handled at once
NOTE_SECONDS = 60.0
# How long a chat is left alone when another process works on it.
TAKEN_SECONDS = 0.03
LONGEST_PAUSE = 5.0  # seconds, while the database is away

# What the handler says of its own transaction: it closed the update's row, or the database was away.
CLOSED, DATABASE_AWAY = "closed", "database away"
ending: ContextVar[str] = ContextVar("ending", default="")


class SecondPoller(FollowupError):
    """Another process is asking Telegram for the same bot's updates; only one may."""


class Poller:
    """Asks Telegram for updates for ever."""

    def __init__(self, deps: Deps, bot: Bot, request: BaseRequest, leadership: Leadership) -> None:
        self._deps = deps
        self._bot = bot
        self._request = request
        self._leadership = leadership
        self._offset: int | None = None
        self._ear = Ear(deps)

    async def run(self) -> None:
        """Poll until cancelled, while this process leads.

        Raises:
            SecondPoller: another process, which was there first, polls with the same token.
        """
        failures, began = 0, real_seconds()
        while True:
            await self._leadership.won()
            try:
                await self.poll(POLL_SECONDS)
                failures = 0
            except Conflict as error:
                if self._deps.store.is_sqlite and real_seconds() - began < SETTLED_SECONDS:
                    raise SecondPoller(
                        "another process is asking Telegram for this bot's updates; "
                        "stop it, then start this one again"
                    ) from error
                failures += 1
                log.error("poll.second_poller")
                self._deps.pulses.pop(PULSE, None)
                await asyncio.sleep(_pause(failures))
            except InvalidToken:
                failures += 1
                log.error("poll.token_refused")
                self._deps.pulses.pop(PULSE, None)
                await asyncio.sleep(_pause(failures))
            except RetryAfter as error:
                self._deps.metrics.throttled("poll")
                wait = error.retry_after
                await asyncio.sleep(float(wait) if isinstance(wait, int) else wait.total_seconds())
            except TelegramError as error:
                failures += 1
                log.warning("poll.failed", error=type(error).__name__, failures=failures)
                await asyncio.sleep(_pause(failures))
            except Exception:
                # The database was away: nothing was confirmed, so the same updates come again.
                failures += 1
                log.exception("poll.not_stored")
                self._deps.metrics.fault("poll")
                await asyncio.sleep(_pause(failures))

    async def poll(self, seconds: int) -> int:
        """Ask once, wait up to ``seconds`` for something, store it; return how many updates came."""
        try:
            updates = await self._fetch(seconds)
        except TelegramError:
            self._ear.cut_off = True
            raise
        self._deps.pulses[PULSE] = time.monotonic()
        if updates:
            await keep(self._deps, self._bot.id, updates)
        # Without news all is confirmed. Numbers may restart anywhere after an idle week, so none is kept.
        self._offset = max((int(update["update_id"]) + 1 for update in updates), default=None)
        # Asking everybody again takes its time in a large study; what came in is at work by then.
        await self._ear.heard()
        return len(updates)

    async def _fetch(self, seconds: int) -> list[dict[str, Any]]:
        """Return raw updates: what our API client cannot read yet must be stored all the same."""
        parameters: dict[str, Any] = {"timeout": seconds, "limit": BATCH, "allowed_updates": WANTED}
        if self._offset is not None:
            parameters["offset"] = self._offset
        answer = await self._request.post(
            f"{self._bot.base_url}/getUpdates",
            request_data=RequestData([RequestParameter.from_input(k, v) for k, v in parameters.items()]),
            read_timeout=seconds + READ_MARGIN,
        )
        return answer if isinstance(answer, list) else []


class Ear:
    """Remembers in the database when Telegram was last heard, and notices when that was too long ago."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._noted = float("-inf")
        self.cut_off = True  # at the start nobody knows how long the bot was down

    async def heard(self) -> None:
        """Note that Telegram answers; after an outage longer than it keeps messages, everybody is asked again."""
        if not self.cut_off and real_seconds() - self._noted < NOTE_SECONDS:
            return
        asked = await run(self._deps, BOT, "job:outage", outage.heard, after_gap=self.cut_off)
        if asked is not None:
            log.error("outage.over", asked=asked)
        self._noted, self.cut_off = real_seconds(), False


def _pause(failures: int) -> float:
    """Return how many seconds to wait after so many failures in a row."""
    return min(2.0 ** min(failures, 7) / 4, 30.0)


async def keep(deps: Deps, bot_id: int, updates: list[dict[str, Any]]) -> None:
    """Store updates in one transaction; only after this may they be confirmed (DI-15)."""
    now = deps.clock.now()
    fresh = await deps.store.write(lambda session: inbox.keep(session, bot_id, updates, now))
    log.info("inbox.stored", updates=len(updates), new=fresh)
    deps.metrics.received(fresh, len(updates) - fresh)
    deps.incoming.set()


class Pump(ChatLoop[int | None]):
    """Gives stored updates to the handlers: a chat's one after the other, chats side by side.

    On PostgreSQL several processes do this at once. The handler's own transaction claims the row, so a
    process that dies leaves nothing claimed; one that comes second leaves the row to the first.
    """

    def __init__(self, deps: Deps, application: "Application[Any, Any, Any, Any, Any, Any]") -> None:
        idle = PUMP_IDLE_SECONDS if deps.store.is_sqlite else SHARED_IDLE_SECONDS
        super().__init__(deps.incoming, idle, deps.metrics)
        self._deps = deps
        self._application = application
        self._failures = 0  # of the database, in a row

    async def _start(self) -> int:
        bot_id, busy = self._application.bot.id, list(self._busy)
        # More at once would only wait for the database; a chat that writes much must not fill all places.
        # Looking costs as much as a small update, so with a backlog it is done for several at once.
        room = PLACES - len(busy)
        if room < PLACES // 2:
            return 0
        found = await self._deps.store.read(lambda session: inbox.waiting(session, bot_id, busy, room))
        rows, self._more = list(found.rows), found.more
        if not self._deps.standing.leads:
            # Another process begins with the oldest; meeting it at every row would help nobody.
            random.shuffle(rows)
        for row in rows:
            self._busy[row.chat_id] = asyncio.create_task(self._handle(row))
        return len(rows)

    async def _handle(self, row: InboxUpdate) -> None:
        began = time.perf_counter()
        try:
            try:
                update = Update.de_json(json.loads(row.raw), self._application.bot)
                await self._application.process_update(update)
            except Exception:
                log.exception("inbox.handler_failed", inbox=row.id)
                self._deps.metrics.fault("handler")
            took, waited = time.perf_counter() - began, self._deps.clock.now() - row.received_at
            result = await self._after(row, ending.get())
            self._deps.metrics.handled(result, took, waited.total_seconds())
        finally:
            self._done(row.chat_id)

    async def _after(self, row: InboxUpdate, how: str) -> str:
        """Settle what no handler closed, say what came of it; while the database is away nothing counts as a try."""
        result = "handled"
        try:
            if not how:
                result = await self._deps.store.write(lambda session: self._settle(session, row))
            if result == "elsewhere":
                await asyncio.sleep(TAKEN_SECONDS)
        except DATABASE_FAULTS:
            log.exception("inbox.not_settled", inbox=row.id)
            self._deps.metrics.fault("inbox")
            how = DATABASE_AWAY
        if how == DATABASE_AWAY:
            self._failures += 1
            await asyncio.sleep(min(_pause(self._failures), LONGEST_PAUSE))
            return "database_away"
        self._failures = 0
        return result

    def _settle(self, session: Session, row: InboxUpdate) -> str:
        """Count a try that no handler finished; one that failed too often is parked, for people to see.

        Return which of the two it was, or "elsewhere" when it is not this process's to handle at this moment.
        """
        taken = inbox.take(session, row.bot_id, row.update_id)
        if not taken.mine or taken.row is None:
            return "elsewhere"
        taken.row.attempts += 1
        if taken.row.attempts >= ATTEMPTS:
            inbox.close(taken.row, "parked", self._deps.clock.now(), "handling failed")
            log.error("inbox.parked", inbox=row.id)
            return "parked"
        return "failed"
