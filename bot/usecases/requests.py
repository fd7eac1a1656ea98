"""How does a request about a visit end when staff have done what it asked for?"""

from collections.abc import Sequence

from sqlmodel import col, select

from bot.domain.escalation import CaseState
from bot.store.models import Escalation, Visit
from bot.usecases import cases, escalate
from bot.work import Work


def open_about(work: Work, visit: Visit) -> Sequence[Escalation]:
    """Return the open requests about a visit, the oldest first."""
    return work.session.exec(
        select(Escalation)
        .where(
            Escalation.kind == escalate.REQUEST,
            Escalation.visit_id == visit.id,
            Escalation.state != CaseState.RESOLVED,
        )
        .order_by(col(Escalation.id))
        .with_for_update()
    ).all()


def settle_visit(work: Work, visit: Visit, outcome: str) -> int:
    """Close the open requests about a visit in the name of who acts, so that nobody chases what is done.

    ``outcome`` is one of `cases.SETTLED`. Returns how many were closed.
    """
    found = open_about(work, visit)
    for case in found:
        cases.settle(work, case, outcome)
    return len(found)
