"""Who carries the outbox out: claims what is due, tries each message once, and writes what became of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog
from sqlmodel import Session

from bot.clock import real_seconds
from bot.delivery import http, metrics
from bot.delivery.channel import Channel, NotSent, Outcome, Refused, Sent, Throttled, Unreachable, Unsure
from bot.delivery.leadership import Leadership
from bot.delivery.loop import ChatLoop
from bot.delivery.pacing import Pacer, Unpaced
from bot.delivery.together import Together
from bot.deps import Deps
from bot.domain.people import BOT
from bot.domain.second_channel import TELEGRAM
from bot.store import outbox
from bot.store.lease import Deposed
from bot.store.models import Account, OutboxMessage
from bot.store.session import DATABASE_FAULTS
from bot.usecases import digest, drills, escalate, evidence, reach, redeliver, talk, upkeep
from bot.work import Work, run

log = structlog.get_logger(__name__)

PLACES = 8  # messages on their way at once: enough for 30 a second, few to be unsure of after a crash
FAST, MANY_PLACES = 100, 64  # from so many messages a second on, so many places
RED_PLACES = 2  # and so many more for the red lane
# With many places one claim takes many messages: it waits a little for places, never longer than this.
GATHER_SECONDS = 0.02
IDLE_SECONDS = 1.0
# With several processes another one may have put the message there, and nothing wakes this one.
SHARED_IDLE_SECONDS = 0.2
# Edits and command menus may be repeated without anybody noticing.
REPEATABLE = {"edit", "unbutton", "commands"}
NEW = {"send", "picture", "document", "file"}


class Dispatcher(ChatLoop[int]):
    """Sends what is due, urgent lanes first, a chat's messages one after the other, some chats side by side.

    Only what is handed over at once is claimed, so a crash leaves few messages of unknown fate, and a red
    one never queues behind a slow batch: two places are kept for the red lane.
    """

    def __init__(self, deps: Deps, channel: Channel, leadership: Leadership, pacer: Pacer | Unpaced) -> None:
        idle = IDLE_SECONDS if deps.store.is_sqlite else SHARED_IDLE_SECONDS
        super().__init__(deps.outgoing, idle / min(deps.clock.speed, 20), deps.metrics)
        self._deps = deps
        self._channel = channel
        self._leadership = leadership
        self._standing = deps.standing
        self._pacer = pacer
        self._places = MANY_PLACES if deps.settings.messages_per_second >= FAST else PLACES
        # Chats in which a message waits for its next try; later ones must not overtake it.
        self._held: dict[int, datetime] = {}
        self._outcomes: Together[Attempt, datetime | None] = Together(self._record)
        self._looked_at = 0.0  # in `real_seconds`

    async def _start(self) -> int:
        """Claim what is due, as much as can be sent now, and begin to send it."""
        room = self._room()
        if room.red <= 0 or not self._standing.leads or self._gathers(room):
            return 0
        self._looked_at = real_seconds()
        now, epoch = self._deps.clock.now(), self._standing.epoch
        # A clock that was set back must not hold a chat for the whole step.
        self._held = {c: until for c, until in self._held.items() if now < until <= now + outbox.LONGEST_WAIT}
        busy = [*self._busy, *self._pacer.paused(real_seconds())]
        held = [*self._held, *self._pacer.closed(real_seconds())]
        quiet = self._deps.protocol.quiet_hours.covers(now.astimezone(self._deps.settings.zone).time())

        def claim(session: Session) -> outbox.Claim:
            return outbox.claim_due(session, now, epoch, busy, held, room, quiet=quiet)

        claimed = asyncio.ensure_future(self._deps.store.write(claim))
        try:
            found = await asyncio.shield(claimed)
        except Deposed:
            self._leadership.deposed()
            return 0
        except asyncio.CancelledError:
            # The claim is committed all the same; unsent, its messages would be of unknown fate later.
            self._send((await claimed).messages)
            raise
        self._more = found.more
        self._send(found.messages)
        return len(found.messages)

    def _room(self) -> outbox.Room:
        free = self._places - len(self._busy)
        usual, red = self._pacer.room(real_seconds())
        return outbox.Room(min(free, usual), min(free + RED_PLACES, red))

    def _gathers(self, room: outbox.Room) -> bool:
        """Tell whether a claim can wait until it finds more places."""
        if self._places < MANY_PLACES or not self._busy or room.any >= MANY_PLACES // 4:
            return False
        return real_seconds() - self._looked_at < GATHER_SECONDS

    def _pause(self) -> float:
        if self._gathers(self._room()):
            return GATHER_SECONDS
        if len(self._busy) >= self._places:
            return self._idle_seconds
        return min(self._idle_seconds, self._pacer.opens_in(real_seconds()) or self._idle_seconds)

    def _send(self, messages: Sequence[OutboxMessage]) -> None:
        for message in messages:
            leaves_at = self._pacer.count(message.chat_id, real_seconds(), new=message.method in NEW)
            self._busy[message.chat_id] = asyncio.create_task(self._carry(message, leaves_at))

    async def _carry(self, message: OutboxMessage, leaves_at: float) -> None:
        if (wait := leaves_at - real_seconds()) > 0.0:
            await asyncio.sleep(wait)
        left_at = real_seconds()
        try:
            assert message.id is not None
            assert message.epoch is not None
            # Asked again just before the first byte leaves: this process may have been paused since the claim. If it
            # leads again by now, the fate of what it claimed before has been settled without it.
            http.may_write.set(partial(self._standing.leads_in, message.epoch))
            try:
                outcome = await self._channel.deliver(message)
            finally:
                self._pacer.answered(left_at, real_seconds())
            metrics.attempted(self._deps, self._deps.metrics, message, outcome)
            if self._standing.leads_in(message.epoch):
                worked = not isinstance(outcome, NotSent | Unsure)
                self._deps.ways.note(TELEGRAM, worked=worked, now=self._deps.clock.now())
            if isinstance(outcome, Throttled):
                self._pacer.throttled(message.chat_id, outcome.wait.total_seconds(), real_seconds())
            waits_until = await self._keep(Attempt(message.id, message.epoch, outcome))
            if waits_until is not None:
                self._held[message.chat_id] = waits_until
        except Exception:
            # The claim lapses, and the watchdog settles what became of this one.
            log.exception("dispatch.outcome_lost")
            self._deps.metrics.fault("outcome")
        finally:
            self._done(message.chat_id)

    async def _keep(self, attempt: "Attempt") -> datetime | None:
        """Write an outcome; while the database is away it is kept here, for the message would be unsure without."""
        pause, until = 0.2, real_seconds() + outbox.CLAIM_LAPSES.total_seconds()
        while True:
            try:
                return await self._outcomes.add(attempt)
            except DATABASE_FAULTS:
                if real_seconds() > until:
                    raise
                log.warning("dispatch.not_recorded", message=attempt.number)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)

    async def _record(self, attempts: Sequence["Attempt"]) -> list[datetime | None]:
        return await run(self._deps, BOT, "job:dispatch", record, attempts)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one attempt to send a message that was claimed in ``epoch``."""

    number: int
    epoch: int
    outcome: Outcome


def record(work: Work, attempts: Sequence[Attempt]) -> list[datetime | None]:
    """Write the outcomes of attempts and what follows from them; return until when each waits for its next try."""
    # The accounts are held until the end, so that none is looked up again for its message.
    found = outbox.lock(work.session, [attempt.number for attempt in attempts])
    for attempt in attempts:
        message, _ = found[attempt.number]
        if message.state == "sending" and message.epoch == attempt.epoch:
            settle(work, message, attempt.outcome)
        else:
            settle_late(work, message, attempt.outcome)
        log.info(
            "outbox.attempted",
            message=message.id,
            purpose=message.purpose,
            outcome=type(attempt.outcome).__name__,
            state=message.state,
        )
    rows = [found[attempt.number][0] for attempt in attempts]
    return [message.due_at if message.state == "waiting" else None for message in rows]


def settle(work: Work, message: OutboxMessage, outcome: Outcome) -> None:
    """Turn one outcome into the message's state: sent, failed, unsure, or waiting again."""
    now = work.now
    match outcome:
        case Sent(message_id):
            message.message_id = message_id
            outbox.close(message, "sent", now)
            reach.note(work, work.session.get_one(Account, message.account_id), None)
            if message.purpose == escalate.PAGE:
                escalate.page_sent(work, message)
            if message.purpose == digest.PURPOSE:
                digest.sent(work, message)
            if message.purpose == drills.PURPOSE:
                drills.sent(work, message)
            if message.purpose == evidence.FILE:
                evidence.shown(work, message)
        case Throttled(wait):
            _again(work, message, now + min(wait, outbox.LONGEST_WAIT), "throttled")
        case NotSent(reason):
            _again(work, message, now + redeliver.delay(message.attempts), reason)
        case Unreachable(reason):
            outbox.close(message, "failed", now, reason)
            reach.note(work, work.session.get_one(Account, message.account_id), reason)
            if message.purpose == talk.PURPOSE:
                talk.not_delivered(work, message)
            _page_others(work, message)
        case Refused(reason):
            outbox.close(message, "failed", now, reason)
            log.error("outbox.refused", message=message.id, purpose=message.purpose, reason=reason)
            if message.purpose == evidence.FILE:
                evidence.refused(work, message)
            elif message.purpose == talk.PURPOSE:
                talk.not_delivered(work, message)
            else:
                upkeep.report_refused(work, message)
            _page_others(work, message)
        case Unsure(reason):
            unsure(work, message, reason)


def settle_late(work: Work, message: OutboxMessage, outcome: Outcome) -> None:
    """Use an outcome that comes after the message was given up as unsure: now its fate is known."""
    if message.state != "unsure":
        return
    if isinstance(outcome, Sent):
        settle(work, message, outcome)
    elif isinstance(outcome, NotSent | Throttled) and message.repeated_at is None:
        _again(work, message, work.now, "it did not leave under the older lease")


def _page_others(work: Work, message: OutboxMessage) -> None:
    if message.purpose == escalate.PAGE:
        work.session.flush()
        escalate.page_failed(work, message)


def unsure(work: Work, message: OutboxMessage, reason: str) -> None:
    """Handle a message of unknown fate; what nobody would notice twice is simply done again."""
    if message.method in REPEATABLE:
        _again(work, message, work.now + redeliver.delay(message.attempts), reason)
    else:
        redeliver.unsure(work, message, reason)


def settle_abandoned(work: Work) -> int:
    """Close what a process that died or was deposed was sending, and what lost its outcome; return how many."""
    # A claim lapses in real time, however fast a rehearsal runs.
    lapse = outbox.CLAIM_LAPSES * max(work.deps.clock.speed, 1.0)
    left = outbox.abandoned(work.session, work.now, work.deps.standing.epoch, lapse)
    for message in left:
        unsure(work, message, "the bot stopped while sending")
    return len(left)


def _again(work: Work, message: OutboxMessage, due_at: datetime, reason: str) -> None:
    if (why := redeliver.pointless(work, message)) is not None:
        outbox.close(message, "skipped", work.now, why)
        return
    message.state = "waiting"
    message.reason = reason
    message.due_at = due_at
