"""What lies in the database of how long people take? A fixed number of statements, however long the period."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, String, cast
from sqlmodel import Session, col, func, or_, select

from bot.domain.escalation import CaseState
from bot.domain.urgency import Urgency
from bot.store.models import Escalation, EscalationStep, OutboxMessage, Response, StaffMember

ROSE = "upgraded"
LAPSED = "lapsed"
ACKNOWLEDGED = "acknowledged"

_CASE = (
    Escalation.id,
    Escalation.state,
    Escalation.opened_at,
    Escalation.chain_started_at,
    Escalation.first_page_sent_at,
    Escalation.first_viewed_at,
    Escalation.first_acknowledged_at,
    Escalation.first_contacted_at,
    Escalation.resolved_at,
    Escalation.lapsed_at,
    # As it is written: there are few chains, and each is read once.
    cast(col(Escalation.chain), String),
)


class Step(NamedTuple):
    """One thing that happened to a case."""

    case: int
    what: str
    at: datetime


class Page(NamedTuple):
    """One page that Telegram took: to whom, when, and about which case; a morning list is about several."""

    account: int
    at: datetime
    case: int | None


def cases(session: Session, since: datetime) -> Sequence[Row[Any]]:
    """Return the times of the cases opened since then, and of those that are open, oldest first."""
    # The rows stay rows: ten thousand objects would cost more than all the rest.
    return (
        session.connection()
        .execute(
            select(*_CASE)  # type: ignore[call-overload]
            .where(or_(col(Escalation.opened_at) >= since, col(Escalation.state) != CaseState.RESOLVED))
            .order_by(col(Escalation.id))
        )
        .all()
    )


def steps_of_risen(session: Session, what: Collection[str]) -> Sequence[Step]:
    """Return the steps named in ``what``, and each rise, of the cases whose urgency rose; in order."""
    risen = select(EscalationStep.escalation_id).where(EscalationStep.what == ROSE)
    rows = session.exec(
        select(EscalationStep.escalation_id, EscalationStep.what, EscalationStep.at)
        .where(
            col(EscalationStep.escalation_id).in_(risen),
            col(EscalationStep.what).in_([ROSE, *what]),
        )
        .order_by(col(EscalationStep.id))
    ).all()
    return [Step(*row) for row in rows]


def acted_on(session: Session, since: datetime, what: Collection[str]) -> frozenset[int]:
    """Return the cases of which a step named in ``what`` is recorded since then."""
    return frozenset(
        session.exec(
            select(EscalationStep.escalation_id)
            .where(col(EscalationStep.what).in_(what), col(EscalationStep.at) >= since)
            .distinct()
        ).all()
    )


def count_steps(session: Session, since: datetime, what: Collection[str]) -> dict[str, int]:
    """Return how often each step named in ``what`` is recorded since then."""
    return dict(
        session.exec(
            select(EscalationStep.what, func.count())
            .where(col(EscalationStep.what).in_(what), col(EscalationStep.at) >= since)
            .group_by(EscalationStep.what)
        ).all()
    )


def pages(session: Session, since: datetime, purposes: Collection[str]) -> Iterator[Page]:
    """Yield the pages that went out since then, also again about a case that somebody has."""
    rows = session.exec(
        select(OutboxMessage.account_id, OutboxMessage.closed_at, OutboxMessage.about_id).where(
            col(OutboxMessage.purpose).in_(purposes),
            OutboxMessage.state == "sent",
            col(OutboxMessage.closed_at) >= since,
        )
    )
    # One after the other: there are several for each case, and nobody needs them all at once.
    for account, at, case in rows:
        if at is not None:
            yield Page(account, at, case)


def count_green(session: Session, since: datetime) -> int:
    """Return how many questionnaires were handed in since then that opened no case."""
    return session.exec(
        select(func.count())
        .select_from(Response)
        .where(col(Response.submitted_at) >= since, Response.urgency == Urgency.GREEN)
    ).one()


def staff(session: Session) -> dict[int, StaffMember]:
    """Return who is or was staff, by account."""
    return {member.account_id: member for member in session.exec(select(StaffMember)).all()}
