"""What has become due?"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from bot.store.models import AgendaItem


def due(session: Session, kinds: Collection[str], now: datetime, limit: int) -> Sequence[AgendaItem]:
    """Return waiting entries of ``kinds`` whose time has come, oldest first, locked for this transaction."""
    return session.exec(
        select(AgendaItem)
        .where(AgendaItem.state == "waiting", AgendaItem.due_at <= now, col(AgendaItem.kind).in_(kinds))
        .order_by(col(AgendaItem.due_at), col(AgendaItem.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()


def close(item: AgendaItem, state: str, now: datetime, reason: str | None = None) -> None:
    item.state = state
    item.reason = reason
    item.closed_at = now


def is_planned(session: Session, kind: str) -> bool:
    """Tell whether an entry of this kind waits."""
    found = select(AgendaItem.id).where(AgendaItem.state == "waiting", AgendaItem.kind == kind)
    return session.exec(found.limit(1)).first() is not None


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
