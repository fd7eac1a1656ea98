"""What has become due?"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from bot.store.models import AgendaItem

# Why an entry or a message was skipped whose use had passed; what an outage swallowed is found by these words.
TOO_LATE = "too late to be useful"


def due(session: Session, kinds: Collection[str], now: datetime, limit: int) -> Sequence[AgendaItem]:
    """Return waiting entries of ``kinds`` whose time has come, oldest first, locked for this transaction."""
    return session.exec(
        select(AgendaItem)
        .where(AgendaItem.state == "waiting", AgendaItem.due_at <= now, col(AgendaItem.kind).in_(kinds))
        .order_by(col(AgendaItem.due_at), col(AgendaItem.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()


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


def next_due_at(session: Session) -> datetime | None:
    """Return when the next waiting entry becomes due."""
    return session.exec(
        select(AgendaItem.due_at).where(AgendaItem.state == "waiting").order_by(col(AgendaItem.due_at)).limit(1)
    ).first()


def overdue_since(session: Session, before: datetime) -> Sequence[AgendaItem]:
    """Return waiting entries that should have been worked on by ``before``."""
    return session.exec(
        select(AgendaItem)
        .where(AgendaItem.state == "waiting", AgendaItem.due_at < before)
        .order_by(col(AgendaItem.due_at))
        .limit(100)
    ).all()


def too_late(session: Session, since: datetime, limit: int = 1000) -> Sequence[AgendaItem]:
    """Return what was skipped after ``since`` because its use had passed, the oldest first."""
    return session.exec(
        select(AgendaItem)
        .where(AgendaItem.state == "skipped", AgendaItem.reason == TOO_LATE, col(AgendaItem.closed_at) > since)
        .order_by(col(AgendaItem.due_at), col(AgendaItem.id))
        .limit(limit)
    ).all()
