"""Who carries the outbox out: claims what is due, tries each message once, and writes what became of it."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from bot.delivery.channel import Channel, NotSent, Outcome, Refused, Sent, Throttled, Unreachable, Unsure
from bot.deps import Deps
from bot.domain.people import BOT
from bot.store import outbox
from bot.store.models import Account, OutboxMessage
from bot.usecases import escalate
from bot.work import Lane, Work, run

log = structlog.get_logger(__name__)

BATCH = 100
CHATS_AT_ONCE = 8
IDLE_SECONDS = 1.0
# Edits and command menus may be repeated without anybody noticing.
REPEATABLE = {"edit", "unbutton", "commands"}


class Dispatcher:
    """Sends what is due, urgent lanes first. A chat's messages go one after the other, chats side by side:
    one that hangs holds up nobody else.
    """

    def __init__(self, deps: Deps, channel: Channel) -> None:
        self._deps = deps
        self._channel = channel
        self._limit = asyncio.Semaphore(CHATS_AT_ONCE)
        self._busy: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Send for ever; a fault of the database or the network delays, it never ends the loop."""
        try:
            while True:
                try:
                    started = await self._start()
                except Exception:
                    log.exception("dispatch.failed")
                    started = 0
                if not started:
                    await self._deps.outgoing.wait(IDLE_SECONDS / min(self._deps.clock.speed, 20))
        finally:
            # What is on its way is finished, so that its outcome is known.
            await asyncio.gather(*self._busy.values(), return_exceptions=True)

    async def drain(self) -> int:
        """Send everything that is due now and wait for the outcomes; return how many attempts that were."""
        total = 0
        while (started := await self._start()) or self._busy:
            total += started
            if self._busy:
                await asyncio.wait(list(self._busy.values()))
        return total

    async def _start(self) -> int:
        """Claim what is due in chats that are free, and begin to send it."""
        now, busy = self._deps.clock.now(), list(self._busy)
        messages = await self._deps.store.write(lambda session: outbox.claim_due(session, now, busy, BATCH))
        chats: dict[int, list[OutboxMessage]] = defaultdict(list)
        for message in messages:
            chats[message.chat_id].append(message)
        for chat_id, each in chats.items():
            self._busy[chat_id] = asyncio.create_task(self._carry(chat_id, each))
        return len(messages)

    async def _carry(self, chat_id: int, messages: Sequence[OutboxMessage]) -> None:
        try:
            async with self._limit:
                outcomes = await self._serve(messages)
            await run(self._deps, BOT, "job:dispatch", record, outcomes)
        except Exception:
            # The claim lapses, and the watchdog settles what became of these.
            log.exception("dispatch.outcome_lost")
        finally:
            del self._busy[chat_id]
            self._deps.outgoing.set()

    async def _serve(self, messages: Sequence[OutboxMessage]) -> list[tuple[int, Outcome]]:
        """Deliver one chat's messages in order; after one that has to wait, the rest wait behind it."""
        outcomes: list[tuple[int, Outcome]] = []
        held: Outcome | None = None
        for message in messages:
            assert message.id is not None
            outcome = held or await self._channel.deliver(message)
            if isinstance(outcome, Throttled | NotSent):
                held = outcome
            outcomes.append((message.id, outcome))
        return outcomes


def record(work: Work, outcomes: Sequence[tuple[int, Outcome]]) -> None:
    """Write the outcome of each attempt and what follows from it."""
    for number, outcome in outcomes:
        message = work.session.get_one(OutboxMessage, number)
        settle(work, message, outcome)
        log.info(
            "outbox.attempted",
            message=number,
            purpose=message.purpose,
            outcome=type(outcome).__name__,
            state=message.state,
        )


def settle(work: Work, message: OutboxMessage, outcome: Outcome) -> None:
    """Turn one outcome into the message's state: sent, failed, unsure, or waiting again."""
    now = work.now
    match outcome:
        case Sent(message_id):
            message.message_id = message_id
            outbox.close(message, "sent", now)
            account = work.session.get_one(Account, message.account_id)
            if account.unreachable_at is not None:
                account.unreachable_at = account.unreachable_because = None
            if message.purpose == escalate.PAGE:
                escalate.page_sent(work, message)
        case Throttled(wait):
            _again(message, now + wait, "throttled")
        case NotSent(reason):
            _again(message, now + _delay(message.attempts), reason)
        case Unreachable(reason):
            outbox.close(message, "failed", now, reason)
            account = work.session.get_one(Account, message.account_id)
            account.unreachable_at, account.unreachable_because = now, reason
        case Refused(reason):
            outbox.close(message, "failed", now, reason)
        case Unsure(reason):
            unsure(work, message, reason)


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
