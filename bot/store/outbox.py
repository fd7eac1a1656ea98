"""Which messages are due, and what became of those that were sent?"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlalchemy.orm import defer
from sqlmodel import Session, col, func, select

from bot.store.agenda import TOO_LATE
from bot.store.models import OutboxMessage
from bot.store.planner import is_in

# Longer than any send can take: a claim this old means that the sender died in the middle.
CLAIM_LAPSES = timedelta(minutes=2)
LOOKED_AT = 50
WORDS = ("values", "text", "keyboard", "picture")  # sealed; opening them costs more than the rest of the row
# No message that can wait is older than this when it leaves (bot.work.KEEPS, and what names its own limit).
KEPT_AT_MOST = timedelta(days=4)
RED_LANE, REMINDER_LANE, ANY_LANE = 0, 3, 99  # of bot.work.Lane, which lies above the store
# No retry waits longer. What seems to wait longer, or to come from the future, was written before the
# machine's clock was set back, and is due.
LONGEST_WAIT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Room:
    """How many messages can be sent now: of any lane, and with red ones."""

    any: int
    red: int

    def of(self, lane: int) -> int:
        return self.red if lane == RED_LANE else self.any


def claim_due(
    session: Session,
    now: datetime,
    epoch: int,
    busy: Collection[int],
    held: Collection[int],
    room: Room,
    *,
    quiet: bool = False,
) -> Sequence[OutboxMessage]:
    """Return the first message due at ``now`` of each free chat, urgent lanes first, marked as being sent.

    ``epoch`` is that of the lease under which they will be sent.
    Chats that are ``busy`` get nothing; those ``held`` behind a message that waits get red ones only.
    While it is ``quiet`` (the quiet hours), reminders and digests wait.
    A message whose usefulness has passed is skipped with that reason instead.
    """
    lane, chat = col(OutboxMessage.lane), col(OutboxMessage.chat_id)
    # Only what the choice needs: the words of those not chosen stay sealed.
    due = session.execute(
        select(col(OutboxMessage.id), chat, lane, col(OutboxMessage.useful_until))
        .where(
            is_in(OutboxMessage, "waiting"),
            (col(OutboxMessage.due_at) <= now)
            | (col(OutboxMessage.created_at) > now + LONGEST_WAIT)
            | ((col(OutboxMessage.attempts) > 0) & (col(OutboxMessage.due_at) > now + LONGEST_WAIT)),
            chat.not_in(busy),
            chat.not_in(held) | (lane == RED_LANE),
            lane < (REMINDER_LANE if quiet else ANY_LANE),
        )
        .order_by(lane, col(OutboxMessage.id))
        .limit(LOOKED_AT)
        .with_for_update(skip_locked=True)
    ).all()
    chosen: dict[int, int] = {}
    late: list[int] = []
    for number, chat_id, its_lane, useful_until in due:
        if chat_id in chosen:
            continue
        if useful_until is not None and useful_until <= now:
            late.append(number)
        elif len(chosen) < room.of(its_lane):
            chosen[chat_id] = number
    if not chosen and not late:
        return []
    rows = session.exec(
        select(OutboxMessage)
        .where(col(OutboxMessage.id).in_([*chosen.values(), *late]))
        .order_by(lane, col(OutboxMessage.id))
    ).all()
    claimed = []
    for message in rows:
        if message.id in late:
            close(message, "skipped", now, reason=TOO_LATE)
            continue
        message.state = "sending"
        message.claimed_at = now
        message.epoch = epoch
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


def lock(session: Session, numbers: Collection[int]) -> dict[int, OutboxMessage]:
    """Return messages by number, for writing what became of them; their words stay sealed until asked for."""
    rows = session.exec(
        select(OutboxMessage)
        .where(col(OutboxMessage.id).in_(numbers))
        .order_by(col(OutboxMessage.id))
        .options(*(defer(getattr(OutboxMessage, name)) for name in WORDS))
        .with_for_update()
    ).all()
    return {message.id: message for message in rows if message.id is not None}


def abandoned(session: Session, now: datetime, epoch: int, lapse: timedelta) -> Sequence[OutboxMessage]:
    """Return messages whose sender died or was deposed in the middle: nobody knows whether they went out.

    Those claimed in an older epoch are, and those claimed longer than ``lapse`` ago: their outcome must be lost.
    A claim from the future was made before the machine's clock was set back.
    """
    return session.exec(
        select(OutboxMessage)
        .where(
            OutboxMessage.state == "sending",
            (func.coalesce(OutboxMessage.epoch, 0) < epoch)
            | (col(OutboxMessage.claimed_at) <= now - lapse)
            | (col(OutboxMessage.claimed_at) > now + LONGEST_WAIT),
        )
        .with_for_update(skip_locked=True)
    ).all()


def to_show_again(session: Session, account_id: int, lanes: Collection[int]) -> Sequence[OutboxMessage]:
    """Return messages of unknown fate that the person has not been shown again, oldest first."""
    return session.exec(
        select(OutboxMessage)
        .where(
            OutboxMessage.account_id == account_id,
            OutboxMessage.state == "unsure",
            col(OutboxMessage.repeated_at).is_(None),
            col(OutboxMessage.lane).in_(lanes),
        )
        .order_by(col(OutboxMessage.id))
    ).all()


def count_of_day(
    session: Session, account_id: int, purposes: Collection[str], starts: datetime, ends: datetime
) -> int:
    """Return how many messages of ``purposes`` an account gets on a day: those sent, and those on their way."""
    return session.exec(select(func.count()).where(*_between(account_id, purposes, starts, ends))).one()


def keys_between(
    session: Session, account_id: int, purposes: Collection[str], starts: datetime, ends: datetime
) -> Sequence[str]:
    """Return by which keys the messages of ``purposes`` were made that an account gets in a time."""
    keys = select(OutboxMessage.dedupe_key).where(*_between(account_id, purposes, starts, ends))
    return [key for key in session.exec(keys).all() if key is not None]


def _between(
    account_id: int, purposes: Collection[str], starts: datetime, ends: datetime
) -> tuple[ColumnElement[bool], ...]:
    state, closed_at = col(OutboxMessage.state), col(OutboxMessage.closed_at)
    return (
        col(OutboxMessage.account_id) == account_id,
        col(OutboxMessage.created_at) > starts - KEPT_AT_MOST,
        col(OutboxMessage.purpose).in_(purposes),
        (state.in_(("sent", "unsure")) & (closed_at >= starts))
        | (state.in_(("waiting", "sending")) & (col(OutboxMessage.due_at) < ends)),
    )


def too_late(
    session: Session, since: datetime, purposes: Collection[str], limit: int = 1000
) -> Sequence[OutboxMessage]:
    """Return the messages of ``purposes`` that were skipped after ``since`` because their use had passed."""
    return session.exec(
        select(OutboxMessage)
        .where(
            OutboxMessage.state == "skipped",
            OutboxMessage.reason == TOO_LATE,
            col(OutboxMessage.closed_at) > since,
            col(OutboxMessage.purpose).in_(purposes),
        )
        .order_by(col(OutboxMessage.id))
        .limit(limit)
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
