"""Which messages are due, and what became of those that were sent?"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from bot.store.models import OutboxMessage

# Longer than any send can take: a claim this old means that the sender died in the middle.
CLAIM_LAPSES = timedelta(minutes=2)
LOOKED_AT = 50
RED_LANE, REMINDER_LANE, ANY_LANE = 0, 3, 99  # of bot.work.Lane, which lies above the store


@dataclass(frozen=True, slots=True)
class Room:
    """How many messages can be sent now: any, and when they are red."""

    any: int
    red: int


def claim_due(
    session: Session,
    now: datetime,
    busy: Collection[int],
    held: Collection[int],
    room: Room,
    *,
    quiet: bool = False,
) -> Sequence[OutboxMessage]:
    """Return the first message due at ``now`` of each free chat, urgent lanes first, marked as being sent.

    Chats that are ``busy`` get nothing; those ``held`` behind a message that waits get red ones only.
    While it is ``quiet`` (the quiet hours), reminders and digests wait.
    A message whose usefulness has passed is skipped with that reason instead.
    """
    lane, chat = col(OutboxMessage.lane), col(OutboxMessage.chat_id)
    due = session.exec(
        select(OutboxMessage)
        .where(
            OutboxMessage.state == "waiting",
            OutboxMessage.due_at <= now,
            chat.not_in(busy),
            chat.not_in(held) | (lane == RED_LANE),
            lane < (REMINDER_LANE if quiet else ANY_LANE),
        )
        .order_by(lane, col(OutboxMessage.id))
        .limit(LOOKED_AT)
        .with_for_update(skip_locked=True)
    ).all()
    claimed: dict[int, OutboxMessage] = {}
    for message in due:
        if message.chat_id in claimed:
            continue
        if message.useful_until is not None and message.useful_until <= now:
            close(message, "skipped", now, reason="too late to be useful")
        elif len(claimed) < (room.red if message.lane == RED_LANE else room.any):
            message.state = "sending"
            message.claimed_at = now
            message.attempts += 1
            claimed[message.chat_id] = message
    return list(claimed.values())


def close(message: OutboxMessage, state: str, now: datetime, reason: str | None = None) -> None:
    """Write what became of a message; a secret is blanked, whatever became of it."""
    message.state = state
    message.reason = reason
    message.closed_at = now
    if message.secret and state != "waiting":
        message.text = message.values = ""
        message.picture = None


def abandoned(session: Session, now: datetime, lapse: timedelta = CLAIM_LAPSES) -> Sequence[OutboxMessage]:
    """Return messages whose sender died in the middle: nobody knows whether they went out."""
    return session.exec(
        select(OutboxMessage).where(OutboxMessage.state == "sending", col(OutboxMessage.claimed_at) <= now - lapse)
    ).all()


def by_token(session: Session, token: str) -> OutboxMessage | None:
    return session.exec(select(OutboxMessage).where(OutboxMessage.token == token)).first()


def next_due_at(session: Session) -> datetime | None:
    """Return when the next waiting message becomes due."""
    return session.exec(
        select(OutboxMessage.due_at)
        .where(OutboxMessage.state == "waiting")
        .order_by(col(OutboxMessage.due_at))
        .limit(1)
    ).first()
