"""How do updates get in, so that none is lost when the bot dies at any moment?

The poller stores a batch and only then asks for the next one, which is what confirms it. The pump
works off what is stored, chat by chat in order, several chats at once.
"""

import asyncio
import json
import time
from typing import Any

import structlog
from sqlmodel import Session
from telegram import Bot, Update
from telegram.error import Conflict, RetryAfter, TelegramError
from telegram.ext import Application
from telegram.request import BaseRequest, RequestData
from telegram.request._requestparameter import RequestParameter

from bot.delivery.loop import ChatLoop
from bot.deps import Deps
from bot.errors import FollowupError
from bot.store import inbox
from bot.store.models import InboxUpdate

log = structlog.get_logger(__name__)

PULSE = "poll"
WANTED = ["message", "edited_message", "callback_query", "my_chat_member"]
POLL_SECONDS = 30
READ_MARGIN = 10.0
BATCH = 100
PUMP_IDLE_SECONDS = 1.0
ATTEMPTS = 3


class SecondPoller(FollowupError):
    """Another process is asking Telegram for the same bot's updates; only one may."""


class Poller:
    """Asks Telegram for updates for ever."""

    def __init__(self, deps: Deps, bot: Bot, request: BaseRequest) -> None:
        self._deps = deps
        self._bot = bot
        self._request = request

        self._offset: int | None = None

    async def run(self) -> None:
        """Poll until cancelled.

        Raises:
            SecondPoller: another process polls with the same token.
        """
        failures = 0
        while True:
            try:
                await self.poll(POLL_SECONDS)
                failures = 0
            except Conflict as error:
                raise SecondPoller(
                    "another process is asking Telegram for this bot's updates; stop it, then start this one again"
                ) from error
            except RetryAfter as error:
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
                await asyncio.sleep(_pause(failures))

    async def poll(self, seconds: int) -> int:
        """Ask once, wait up to ``seconds`` for something, store it; return how many updates came."""
        updates = await self._fetch(seconds)
        self._deps.pulses[PULSE] = time.monotonic()
        if not updates:
            # All is confirmed now. Numbers may restart anywhere after an idle week, so none is kept.
            self._offset = None
            return 0
        await keep(self._deps, self._bot.id, updates)
        self._offset = max(int(update["update_id"]) for update in updates) + 1
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


def _pause(failures: int) -> float:
    """Return how many seconds to wait after so many failures in a row."""
    return min(2.0 ** min(failures, 7) / 4, 30.0)


async def keep(deps: Deps, bot_id: int, updates: list[dict[str, Any]]) -> None:
    """Store updates in one transaction; only after this may they be confirmed (DI-15)."""
    now = deps.clock.now()
    fresh = await deps.store.write(lambda session: inbox.keep(session, bot_id, updates, now))
    log.info("inbox.stored", updates=len(updates), new=fresh)
    deps.incoming.set()


class Pump(ChatLoop[int | None]):
    """Gives stored updates to the handlers: a chat's one after the other, chats side by side."""

    def __init__(self, deps: Deps, application: "Application[Any, Any, Any, Any, Any, Any]") -> None:
        super().__init__(deps.incoming, PUMP_IDLE_SECONDS)
        self._deps = deps
        self._application = application

    async def _start(self) -> int:
        bot_id, busy = self._application.bot.id, list(self._busy)
        rows = await self._deps.store.read(lambda session: inbox.waiting(session, bot_id, busy, BATCH))
        for row in rows:
            self._busy[row.chat_id] = asyncio.create_task(self._handle(row))
        return len(rows)

    async def _handle(self, row: InboxUpdate) -> None:
        try:
            update = Update.de_json(json.loads(row.raw), self._application.bot)
            await self._application.process_update(update)
        except Exception:
            log.exception("inbox.handler_failed", inbox=row.id)
        try:
            await self._deps.store.write(lambda session: self._settle(session, row))
        finally:
            self._done(row.chat_id)

    def _settle(self, session: Session, row: InboxUpdate) -> None:
        """Count a try that no handler finished; one that failed too often is parked, for people to see."""
        present = session.get_one(InboxUpdate, row.id)
        if present.state != "waiting":
            return
        present.attempts += 1
        if present.attempts >= ATTEMPTS:
            present.state, present.closed_at, present.reason = "parked", self._deps.clock.now(), "handling failed"
            log.error("inbox.parked", inbox=row.id)
