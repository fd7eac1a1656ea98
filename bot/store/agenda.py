"""What has become due?"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import union_all
from sqlmodel import Session, col, select

from bot.store.models import AgendaItem
from bot.store.planner import is_in, only

WAITING = is_in(AgendaItem, "waiting")

# What was kept for a patient's day until it had lost its use; no outage is to blame.
ALWAYS_NIGHT = "night where the patient is until it was of no use"
# Why an entry or a message was skipped whose use had passed; what an outage swallowed is found by these words.
TOO_LATE = "too late to be useful"


def due(session: Session, kinds: Collection[str], now: datetime, limit: int) -> Sequence[int]:
    """Return the numbers of waiting entries whose time has come, oldest first, at most ``limit`` of each kind.

    Each kind is asked for by itself: that reads as many entries of the index as it returns, however many are
    due, and a crowd of one kind (a question to everybody after an outage) holds up no other.
    """
    of_each = []
    for kind in kinds:
        first = (
            select(col(AgendaItem.id), col(AgendaItem.due_at))
            .where(WAITING, only(col(AgendaItem.kind), kind), AgendaItem.due_at <= now)
            .order_by(col(AgendaItem.kind), col(AgendaItem.due_at), col(AgendaItem.id))
            .limit(limit)
            .subquery()
        )
        of_each.append(select(first.c.id, first.c.due_at))
    found = union_all(*of_each).subquery()
    return session.scalars(select(found.c.id).order_by(found.c.due_at, found.c.id)).all()


def waiting_for(session: Session, subject_id: int, kinds: Collection[str], until: datetime) -> Sequence[AgendaItem]:
    """Return the waiting entries of a subject that become due before ``until``, the soonest first."""
    return session.exec(
        select(AgendaItem)
        .where(
            AgendaItem.state == "waiting",
            AgendaItem.subject_id == subject_id,
            AgendaItem.due_at < until,
            col(AgendaItem.kind).in_(kinds),
        )
        .order_by(col(AgendaItem.due_at), col(AgendaItem.id))
    ).all()


def close(item: AgendaItem, state: str, now: datetime, reason: str | None = None) -> None:
    item.state = state
    item.reason = reason
    item.closed_at = now


def is_planned(session: Session, kind: str) -> bool:
    """Tell whether an entry of this kind waits."""
    found = select(AgendaItem.id).where(WAITING, only(col(AgendaItem.kind), kind))
    return session.exec(found.limit(1)).first() is not None


def next_due_at(session: Session) -> datetime | None:
    """Return when the next waiting entry becomes due."""
    return session.exec(select(AgendaItem.due_at).where(WAITING).order_by(col(AgendaItem.due_at)).limit(1)).first()


def overdue_since(session: Session, before: datetime) -> Sequence[AgendaItem]:
    """Return waiting entries that should have been worked on by ``before``."""
    return session.exec(
        select(AgendaItem).where(WAITING, AgendaItem.due_at < before).order_by(col(AgendaItem.due_at)).limit(100)
    ).all()


def too_late(session: Session, since: datetime, limit: int = 1000) -> Sequence[AgendaItem]:
    """Return what was skipped after ``since`` because its use had passed, the oldest first."""
    return session.exec(
        select(AgendaItem)
        .where(AgendaItem.state == "skipped", AgendaItem.reason == TOO_LATE, col(AgendaItem.closed_at) > since)
        .order_by(col(AgendaItem.due_at), col(AgendaItem.id))
        .limit(limit)
    ).all()
