"""What has become due?"""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, union_all
from sqlmodel import Session, col, select

from bot.store.models import AgendaItem
from bot.store.planner import is_in, with_reason

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
    return session.scalars(_due(tuple(kinds)), {"now": now, "limit": limit}).all()


@cache
def _due(kinds: tuple[str, ...]) -> Any:
    of_each = []
    for kind in kinds:
        first = (
            select(col(AgendaItem.id), col(AgendaItem.due_at))
            .where(WAITING, AgendaItem.kind == kind, AgendaItem.due_at <= bindparam("now"))
            .order_by(col(AgendaItem.due_at), col(AgendaItem.id))
            .limit(bindparam("limit"))
            .subquery()
        )
        of_each.append(select(first.c.id, first.c.due_at))
    found = union_all(*of_each).subquery()
    return select(found.c.id).order_by(found.c.due_at, found.c.id)


_WAITING_FOR = (
    select(AgendaItem)
    .where(
        WAITING,
        AgendaItem.subject_id == bindparam("subject_id"),
        AgendaItem.due_at < bindparam("until"),
        col(AgendaItem.kind).in_(bindparam("kinds", expanding=True)),
    )
    .order_by(col(AgendaItem.due_at), col(AgendaItem.id))
)


def waiting_for(session: Session, subject_id: int, kinds: Collection[str], until: datetime) -> Sequence[AgendaItem]:
    """Return the waiting entries of a subject that become due before ``until``, the soonest first."""
    given = {"subject_id": subject_id, "until": until, "kinds": list(kinds)}
    return session.exec(_WAITING_FOR, params=given).all()


def close(item: AgendaItem, state: str, now: datetime, reason: str | None = None) -> None:
    item.state = state
    item.reason = reason
    item.closed_at = now


_PLANNED = select(AgendaItem.id).where(WAITING, AgendaItem.kind == bindparam("kind")).limit(1)


def is_planned(session: Session, kind: str) -> bool:
    """Tell whether an entry of this kind waits."""
    return session.exec(_PLANNED, params={"kind": kind}).first() is not None


def next_due_at(session: Session) -> datetime | None:
    """Return when the next waiting entry becomes due."""
    return session.exec(select(AgendaItem.due_at).where(WAITING).order_by(col(AgendaItem.due_at)).limit(1)).first()


_OVERDUE = (
    select(AgendaItem)
    .where(WAITING, AgendaItem.due_at < bindparam("before"))
    .order_by(col(AgendaItem.due_at))
    .limit(100)
)


def overdue_since(session: Session, before: datetime) -> Sequence[AgendaItem]:
    """Return waiting entries that should have been worked on by ``before``."""
    return session.exec(_OVERDUE, params={"before": before}).all()


_TOO_LATE = (
    select(AgendaItem)
    .where(
        AgendaItem.state == "skipped",
        with_reason(AgendaItem, TOO_LATE),
        col(AgendaItem.closed_at) > bindparam("since"),
    )
    .order_by(col(AgendaItem.due_at), col(AgendaItem.id))
    .limit(bindparam("limit"))
)


def too_late(session: Session, since: datetime, limit: int = 1000) -> Sequence[AgendaItem]:
    """Return what was skipped after ``since`` because its use had passed, the oldest first."""
    return session.exec(_TOO_LATE, params={"since": since, "limit": limit}).all()
