"""Which updates wait for the bot, and what does getUpdates (or the webhook) get of them?"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from bot.simulator.parts import Refused

if TYPE_CHECKING:
    from bot.clock import Clock

# The server forgets a message after a day and a press after 150 seconds if nobody fetched them.
MESSAGE_KEPT = timedelta(hours=24)
PRESS_KEPT = timedelta(seconds=150)

# These kinds come only if the bot asked for them by name.
_NOT_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})

# The server answers a long poll after 50 real seconds at the latest.
LONGEST_POLL_SECONDS = 50.0

_CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
_WEBHOOK_ACTIVE = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where updates are posted to; an empty address means long polling."""

    url: str = ""
    secret_token: str = ""
    max_connections: int = 40


@dataclass(frozen=True, slots=True)
class Waiting:
    """One update that the bot has not confirmed yet."""

    update: dict[str, Any]
    kind: str
    expires_at: datetime

    @property
    def update_id(self) -> int:
        """The server's number of the update."""
        return int(self.update["update_id"])


class Updates:
    """The queue between phones and bot, with the server's rules of confirming and forgetting."""

    def __init__(self, clock: "Clock", first_id: int) -> None:
        self._clock = clock
        self._next_id = first_id
        self._waiting: list[Waiting] = []
        self._allowed: frozenset[str] = frozenset()
        self._poll: asyncio.Future[Refused | None] | None = None
        self.has_updates = asyncio.Event()
        self.webhook = Webhook()
        self.expired: list[dict[str, Any]] = []
        self.longest_poll = LONGEST_POLL_SECONDS

    def add(self, kind: str, content: dict[str, Any]) -> None:
        """Queue an update of this kind, unless the bot did not ask for such."""
        if (self._allowed and kind not in self._allowed) or (not self._allowed and kind in _NOT_BY_DEFAULT):
            return
        # In a faster time the bot still needs its real seconds, so the server is patient as many real ones.
        kept = (PRESS_KEPT if kind == "callback_query" else MESSAGE_KEPT) * self._clock.speed
        update = {"update_id": self._next_id, kind: content}
        self._next_id += 1
        self._waiting.append(Waiting(update, kind, self._clock.now() + kept))
        self.has_updates.set()
        self._end_poll(None)

    @property
    def pending(self) -> list[Waiting]:
        """The unconfirmed updates that the server still keeps, oldest first."""
        now = self._clock.now()
        self.expired += [entry.update for entry in self._waiting if entry.expires_at < now]
        self._keep([entry for entry in self._waiting if entry.expires_at >= now])
        return list(self._waiting)

    def confirm(self, update_id: int) -> None:
        """Forget the update of this id and all before it."""
        self._keep([entry for entry in self._waiting if entry.update_id > update_id])

    def drop(self) -> None:
        """Forget everything that waits."""
        self._keep([])

    def allow(self, kinds: Collection[str] | None) -> None:
        """Remember which kinds the bot asks for; None changes nothing, an empty list means the default."""
        if kinds is not None:
            self._allowed = frozenset(kinds)

    def set_webhook(self, webhook: Webhook) -> None:
        """Change the way of delivery; a long poll under way ends."""
        self.webhook = webhook
        if webhook.url:
            self._end_poll(Refused(409, "Conflict: terminated by setWebhook request"))
        if self._waiting:
            self.has_updates.set()

    def release_polls(self) -> None:
        """End a long poll under way with an empty answer, as if its time were up."""
        self._end_poll(None)

    async def fetch(self, offset: int, limit: int, timeout_seconds: float) -> list[dict[str, Any]]:
        """Answer getUpdates: an offset confirms everything before it; wait if nothing is there.

        The waiting is real time, not the simulated clock's: a set clock never hangs a poll for ever,
        and ``longest_poll`` makes it as short as a test likes.

        Raises:
            Refused: a webhook is set, or another getUpdates came meanwhile.
        """
        if self.webhook.url:
            raise Refused(409, _WEBHOOK_ACTIVE)
        self._end_poll(Refused(409, _CONFLICT))
        if offset > 0:
            self.confirm(offset - 1)
        elif offset < 0:
            self._keep(self._waiting[offset:])
        waiting = min(timeout_seconds, self.longest_poll)
        if not self.pending and waiting > 0:
            await self._wait(waiting)
        limit = limit if 1 <= limit <= 100 else 100
        return [entry.update for entry in self.pending[:limit]]

    async def _wait(self, seconds: float) -> None:
        poll = asyncio.get_running_loop().create_future()
        self._poll = poll
        try:
            async with asyncio.timeout(seconds):
                refused = await poll
        except TimeoutError:
            return
        finally:
            if self._poll is poll:
                self._poll = None
        if refused is not None:
            raise refused

    def _end_poll(self, refused: Refused | None) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(refused)

    def _keep(self, entries: list[Waiting]) -> None:
        self._waiting = entries
        if not entries:
            self.has_updates.clear()
