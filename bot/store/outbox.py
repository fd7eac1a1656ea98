"""Which messages are due, and what became of those that were sent?"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from bot.store.models import OutboxMessage

# Longer than any send can take: a claim this old means that the sender died in the middle.
CLAIM_LAPSES = timedelta(minutes=2)


def claim_due(session: Session, now: datetime, busy: Collection[int], limit: int) -> Sequence[OutboxMessage]:
    """Return messages due at ``now`` for chats that are not ``busy``, urgent lanes first, marked as being sent.

    A message whose usefulness has passed is skipped with that reason instead.
    """
    due = session.exec(
        select(OutboxMessage)
        .where(
            OutboxMessage.state == "waiting",
            OutboxMessage.due_at <= now,
            col(OutboxMessage.chat_id).not_in(busy),
        )
        .order_by(col(OutboxMessage.lane), col(OutboxMessage.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    claimed = []
    for message in due:
        if message.useful_until is not None and message.useful_until <= now:
            close(message, "skipped", now, reason="too late to be useful")
            continue
        message.state = "sending"
        message.claimed_at = now
        message.attempts += 1
        claimed.append(message)
    return claimed


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
