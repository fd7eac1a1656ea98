"""Who carries the outbox out: claims what is due, tries each message once, and writes what became of it."""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from bot.delivery.channel import Channel, NotSent, Outcome, Refused, Sent, Throttled, Unreachable, Unsure
from bot.delivery.loop import ChatLoop
from bot.deps import Deps
from bot.domain.people import BOT
from bot.store import outbox
from bot.store.models import Account, OutboxMessage
from bot.usecases import escalate, upkeep
from bot.work import Lane, Work, run

log = structlog.get_logger(__name__)

PLACES = 8  # messages on their way at once
RED_PLACES = 2  # and so many more for the red lane
IDLE_SECONDS = 1.0
# Edits and command menus may be repeated without anybody noticing.
REPEATABLE = {"edit", "unbutton", "commands"}


class Dispatcher(ChatLoop[int]):
    """Sends what is due, urgent lanes first, a chat's messages one after the other, some chats side by side.

    Only what is handed over at once is claimed, so a crash leaves few messages of unknown fate, and a red
    one never queues behind a slow batch: two places are kept for the red lane.
    """

    def __init__(self, deps: Deps, channel: Channel) -> None:
        super().__init__(deps.outgoing, IDLE_SECONDS / min(deps.clock.speed, 20))
        self._deps = deps
        self._channel = channel
        # Chats in which a message waits for its next try; later ones must not overtake it.
        self._held: dict[int, datetime] = {}

    async def _start(self) -> int:
        """Claim what is due, as much as can be sent now, and begin to send it."""
        room = outbox.Room(PLACES - len(self._busy), PLACES + RED_PLACES - len(self._busy))
        if room.red <= 0:
            return 0
        now, busy = self._deps.clock.now(), list(self._busy)
        self._held = {chat: until for chat, until in self._held.items() if until > now}
        held = list(self._held)
        quiet = self._deps.protocol.quiet_hours.covers(now.astimezone(self._deps.settings.zone).time())
        claim = asyncio.ensure_future(
            self._deps.store.write(lambda session: outbox.claim_due(session, now, busy, held, room, quiet=quiet))
        )
        try:
            messages = await asyncio.shield(claim)
        except asyncio.CancelledError:
            # The claim is committed all the same; unsent, its messages would be of unknown fate later.
            self._send(await claim)
            raise
        self._send(messages)
        return len(messages)

    def _send(self, messages: Sequence[OutboxMessage]) -> None:
        for message in messages:
            self._busy[message.chat_id] = asyncio.create_task(self._carry(message))

    async def _carry(self, message: OutboxMessage) -> None:
        try:
            assert message.id is not None
            outcome = await self._channel.deliver(message)
            waits_until = await run(self._deps, BOT, "job:dispatch", record, message.id, outcome)
            if waits_until is not None:
                self._held[message.chat_id] = waits_until
        except Exception:
            # The claim lapses, and the watchdog settles what became of this one.
            log.exception("dispatch.outcome_lost")
        finally:
            self._done(message.chat_id)


def record(work: Work, number: int, outcome: Outcome) -> datetime | None:
    """Write the outcome of an attempt and what follows from it; return until when it waits for the next."""
    message = work.session.get_one(OutboxMessage, number)
    settle(work, message, outcome)
    log.info(
        "outbox.attempted",
        message=number,
        purpose=message.purpose,
        outcome=type(outcome).__name__,
        state=message.state,
    )
    return message.due_at if message.state == "waiting" else None


def settle(work: Work, message: OutboxMessage, outcome: Outcome) -> None:
    """Turn one outcome into the message's state: sent, failed, unsure, or waiting again."""
    now = work.now
    match outcome:
        case Sent(message_id):
            message.message_id = message_id
            outbox.close(message, "sent", now)
            upkeep.note_reach(work, work.session.get_one(Account, message.account_id), None)
            if message.purpose == escalate.PAGE:
                escalate.page_sent(work, message)
        case Throttled(wait):
            _again(message, now + wait, "throttled")
        case NotSent(reason):
            _again(message, now + _delay(message.attempts), reason)
        case Unreachable(reason):
            outbox.close(message, "failed", now, reason)
            upkeep.note_reach(work, work.session.get_one(Account, message.account_id), reason)
            _page_others(work, message)
        case Refused(reason):
            outbox.close(message, "failed", now, reason)
            log.error("outbox.refused", message=message.id, purpose=message.purpose, reason=reason)
            _page_others(work, message)
        case Unsure(reason):
            unsure(work, message, reason)


def _page_others(work: Work, message: OutboxMessage) -> None:
    if message.purpose == escalate.PAGE:
        work.session.flush()
        escalate.page_failed(work, message)


def unsure(work: Work, message: OutboxMessage, reason: str) -> None:
    """Handle a message of unknown fate: a red one goes out again and says so, others are not repeated."""
    if message.method in REPEATABLE:
        _again(message, work.now + _delay(message.attempts), reason)
        return
    outbox.close(message, "unsure", work.now, reason)
    if message.lane == Lane.RED and message.attempts < 3:
        repeat = OutboxMessage.model_validate(
            message.model_dump(
                exclude={
                    "id",
                    "token",
                    "dedupe_key",
                    "state",
                    "reason",
                    "claimed_at",
                    "closed_at",
                    "message_id",
                }
            )
        )
        repeat.text = work.texts.text("delivery.repeated", message.locale, text=message.text)
        repeat.created_at = repeat.due_at = work.now
        # The buttons move to the repeat: only one of the two may be on the phone.
        repeat.token, message.token = message.token, None
        work.session.flush()
        work.session.add(repeat)


def settle_abandoned(work: Work, lapse: timedelta = outbox.CLAIM_LAPSES) -> int:
    """Close what a process that died was sending for longer than ``lapse``; return how many."""
    left = outbox.abandoned(work.session, work.now, lapse)
    for message in left:
        unsure(work, message, "the bot stopped while sending")
    return len(left)


def _again(message: OutboxMessage, due_at: datetime, reason: str) -> None:
    message.state = "waiting"
    message.reason = reason
    message.due_at = due_at


def _delay(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts: doubling to a minute, with some disorder."""
    seconds = min(2.0 ** min(attempts, 6), 60.0)
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311 (spreads load, guards nothing)
