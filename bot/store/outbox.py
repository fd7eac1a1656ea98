"""Which messages are due, and what became of those that were sent?"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, bindparam, update
from sqlalchemy.orm import defer
from sqlmodel import Session, col, func, select

from bot.store.agenda import TOO_LATE
from bot.store.lease import Deposed, is_current
from bot.store.models import Account, OutboxMessage, StaffMember
from bot.store.planner import is_in, with_reason

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


@dataclass(frozen=True, slots=True)
class Claim:
    """The messages to send now, and whether ``more`` were due that could not be claimed with them."""

    messages: Sequence[OutboxMessage]
    more: bool


_lane, _chat = col(OutboxMessage.lane), col(OutboxMessage.chat_id)
_DUE = (
    # Only what the choice needs: the words of those not chosen stay sealed.
    select(col(OutboxMessage.id), _chat, _lane, col(OutboxMessage.useful_until))
    .where(
        is_in(OutboxMessage, "waiting"),
        (col(OutboxMessage.due_at) <= bindparam("now"))
        | (col(OutboxMessage.created_at) > bindparam("too_far"))
        | ((col(OutboxMessage.attempts) > 0) & (col(OutboxMessage.due_at) > bindparam("too_far"))),
        _chat.not_in(bindparam("busy", expanding=True)),
        _chat.not_in(bindparam("held", expanding=True)) | (_lane == RED_LANE),
        _lane < bindparam("lane_below"),
    )
    .order_by(_lane, col(OutboxMessage.id))
    .limit(LOOKED_AT)
    .with_for_update(skip_locked=True)
)
_numbered = col(OutboxMessage.id).in_(bindparam("numbers", expanding=True))
_LATE = select(OutboxMessage).where(_numbered).order_by(_lane, col(OutboxMessage.id))
_CLAIMED = (
    update(OutboxMessage)
    .where(_numbered, is_current(bindparam("under")))
    .values(
        {
            "state": "sending",
            "claimed_at": bindparam("at"),
            "epoch": bindparam("under"),
            "attempts": col(OutboxMessage.attempts) + 1,
        }
    )
    .returning(OutboxMessage)
)


def claim_due(
    session: Session,
    now: datetime,
    epoch: int,
    busy: Collection[int],
    held: Collection[int],
    room: Room,
    *,
    quiet: bool = False,
) -> Claim:
    """Return the first message due at ``now`` of each free chat, urgent lanes first, marked as being sent.

    ``epoch`` is that of the lease under which they will be sent; the claim itself looks whether it still holds.
    Chats that are ``busy`` get nothing; those ``held`` behind a message that waits get red ones only.
    While it is ``quiet`` (the quiet hours), reminders and digests wait.
    A message whose usefulness has passed is skipped with that reason instead.

    Raises:
        Deposed: another process has taken over.
    """
    given = {
        "now": now,
        "too_far": now + LONGEST_WAIT,
        "busy": list(busy),
        "held": list(held),
        "lane_below": REMINDER_LANE if quiet else ANY_LANE,
    }
    due = session.execute(_DUE, given).all()
    chosen: dict[int, int] = {}
    late: list[int] = []
    for number, chat_id, its_lane, useful_until in due:
        if chat_id in chosen:
            continue
        if useful_until is not None and useful_until <= now:
            late.append(number)
        elif len(chosen) < room.of(its_lane):
            chosen[chat_id] = number
    claimed: Sequence[OutboxMessage] = []
    if chosen:
        numbers = list(chosen.values())
        claimed = session.scalars(_CLAIMED, {"numbers": numbers, "at": now, "under": epoch}).all()
        if not claimed:
            raise Deposed
    for message in session.exec(_LATE, params={"numbers": late}).all() if late else ():
        close(message, "skipped", now, reason=TOO_LATE)
    messages = sorted(claimed, key=lambda message: (message.lane, message.id))
    return Claim(messages, more=len(due) == LOOKED_AT or len(due) > len(chosen) + len(late))


def close(message: OutboxMessage, state: str, now: datetime, reason: str | None = None) -> None:
    """Write what became of a message; a secret is blanked, whatever became of it."""
    message.state = state
    message.reason = reason
    message.closed_at = now
    if message.secret and state != "waiting":
        message.text = message.values = ""
        message.picture = None


_LOCKED = (
    select(OutboxMessage, Account)
    .join(Account, col(OutboxMessage.account_id) == col(Account.id))
    .where(_numbered)
    .order_by(col(OutboxMessage.id))
    .options(*(defer(getattr(OutboxMessage, name)) for name in WORDS))
    .with_for_update(of=OutboxMessage)
)


def lock(session: Session, numbers: Collection[int]) -> dict[int, tuple[OutboxMessage, Account]]:
    """Return messages by number with whom they are for, for writing what became of them.

    Their words stay sealed until asked for.
    """
    rows = session.exec(_LOCKED, params={"numbers": list(numbers)}).all()
    return {message.id: (message, account) for message, account in rows if message.id is not None}


_ABANDONED = (
    select(OutboxMessage)
    .where(
        OutboxMessage.state == "sending",
        (func.coalesce(OutboxMessage.epoch, 0) < bindparam("current"))
        | (col(OutboxMessage.claimed_at) <= bindparam("lapsed"))
        | (col(OutboxMessage.claimed_at) > bindparam("too_far")),
    )
    .with_for_update(skip_locked=True)
)


def abandoned(session: Session, now: datetime, epoch: int, lapse: timedelta) -> Sequence[OutboxMessage]:
    """Return messages whose sender died or was deposed in the middle: nobody knows whether they went out.

    Those claimed in an older epoch are, and those claimed longer than ``lapse`` ago: their outcome must be lost.
    A claim from the future was made before the machine's clock was set back.
    """
    given = {"current": epoch, "lapsed": now - lapse, "too_far": now + LONGEST_WAIT}
    return session.exec(_ABANDONED, params=given).all()


_TO_SHOW_AGAIN = (
    select(OutboxMessage)
    .where(
        OutboxMessage.account_id == bindparam("account_id"),
        is_in(OutboxMessage, "unsure"),
        col(OutboxMessage.repeated_at).is_(None),
        col(OutboxMessage.lane).in_(bindparam("lanes", expanding=True)),
    )
    .order_by(col(OutboxMessage.id))
)


def to_show_again(session: Session, account_id: int, lanes: Collection[int]) -> Sequence[OutboxMessage]:
    """Return messages of unknown fate that the person has not been shown again, oldest first."""
    return session.exec(_TO_SHOW_AGAIN, params={"account_id": account_id, "lanes": list(lanes)}).all()


_state, _closed_at = col(OutboxMessage.state), col(OutboxMessage.closed_at)
_BETWEEN: tuple[ColumnElement[bool], ...] = (
    col(OutboxMessage.account_id) == bindparam("account_id"),
    col(OutboxMessage.created_at) > bindparam("oldest"),
    col(OutboxMessage.purpose).in_(bindparam("purposes", expanding=True)),
    (_state.in_(("sent", "unsure")) & (_closed_at >= bindparam("starts")))
    | (_state.in_(("waiting", "sending")) & (col(OutboxMessage.due_at) < bindparam("ends"))),
)
_COUNT_OF_DAY = select(func.count()).where(*_BETWEEN)


def count_of_day(
    session: Session, account_id: int, purposes: Collection[str], starts: datetime, ends: datetime
) -> int:
    """Return how many messages of ``purposes`` an account gets on a day: those sent, and those on their way."""
    return session.exec(_COUNT_OF_DAY, params=_a_time(account_id, purposes, starts, ends)).one()


def shown_to_staff(session: Session, purpose: str, about_id: int | None) -> Sequence[OutboxMessage]:
    """Return the messages about one thing that staff have before them and have not answered.

    Whoever has left hears no more of it, so theirs are not among them.
    """
    return session.exec(
        select(OutboxMessage)
        .join(StaffMember, col(StaffMember.account_id) == col(OutboxMessage.account_id))
        .where(
            col(StaffMember.revoked_at).is_(None),
            OutboxMessage.purpose == purpose,
            OutboxMessage.about_id == about_id,
            col(OutboxMessage.message_id).is_not(None),
            col(OutboxMessage.pressed_at).is_(None),
        )
    ).all()


_KEYS_BETWEEN = select(OutboxMessage.dedupe_key).where(*_BETWEEN).order_by(col(OutboxMessage.id))


def keys_between(
    session: Session, account_id: int, purposes: Collection[str], starts: datetime, ends: datetime
) -> Sequence[str]:
    """Return the keys of the messages of ``purposes`` that an account gets in a time, the oldest first."""
    keys = session.exec(_KEYS_BETWEEN, params=_a_time(account_id, purposes, starts, ends)).all()
    return [key for key in keys if key is not None]


_LAST_TOLD = (
    select(OutboxMessage)
    .where(
        OutboxMessage.account_id == bindparam("account_id"),
        OutboxMessage.purpose == bindparam("purpose"),
        OutboxMessage.about_id == bindparam("about_id"),
        col(OutboxMessage.state).in_(("sent", "unsure")),
    )
    .order_by(col(OutboxMessage.id).desc())
    .limit(1)
)


def last_told(session: Session, account_id: int, purpose: str, about_id: int) -> OutboxMessage | None:
    """Return the newest message of a purpose about one thing that an account has seen, as far as is known."""
    given = {"account_id": account_id, "purpose": purpose, "about_id": about_id}
    return session.exec(_LAST_TOLD, params=given).first()


def _a_time(account_id: int, purposes: Collection[str], starts: datetime, ends: datetime) -> dict[str, object]:
    return {
        "account_id": account_id,
        "oldest": starts - KEPT_AT_MOST,
        "purposes": list(purposes),
        "starts": starts,
        "ends": ends,
    }


_TOO_LATE = (
    select(OutboxMessage)
    .where(
        OutboxMessage.state == "skipped",
        with_reason(OutboxMessage, TOO_LATE),
        col(OutboxMessage.closed_at) > bindparam("since"),
        # So written that no index of purposes is taken, which leads through everything ever sent.
        func.coalesce(OutboxMessage.purpose, "").in_(bindparam("purposes", expanding=True)),
    )
    .order_by(col(OutboxMessage.id))
    .limit(bindparam("limit"))
)


def too_late(
    session: Session, since: datetime, purposes: Collection[str], limit: int = 1000
) -> Sequence[OutboxMessage]:
    """Return the messages of ``purposes`` that were skipped after ``since`` because their use had passed."""
    return session.exec(_TOO_LATE, params={"since": since, "purposes": list(purposes), "limit": limit}).all()


_BY_TOKEN = select(OutboxMessage).where(OutboxMessage.token == bindparam("token"))


def by_token(session: Session, token: str) -> OutboxMessage | None:
    return session.exec(_BY_TOKEN, params={"token": token}).first()


def next_due_at(session: Session) -> datetime | None:
    """Return when the next waiting message becomes due."""
    return session.exec(
        select(OutboxMessage.due_at)
        .where(OutboxMessage.state == "waiting")
        .order_by(col(OutboxMessage.due_at))
        .limit(1)
    ).first()
