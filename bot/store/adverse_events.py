"""Which adverse events has a subject, in which versions, and what was decided of each report?"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from bot.store.models import AdverseEvent, Escalation, EscalationStep, ReportDecision, Response, Subject

DRAFTED, CORRECTED, JUDGED, VOIDED = KINDS = ("drafted", "corrected", "judged", "voided")
# How a report is named: what one case was told, or a filling-in that led to no case.
CASE, RESPONSE = "case:", "response:"


def _newest() -> ColumnElement[bool]:
    """Return the condition under which a version counts: there is no later one."""
    later = aliased(AdverseEvent)
    return ~exists().where(
        col(later.subject_id) == col(AdverseEvent.subject_id),
        col(later.number) == col(AdverseEvent.number),
        col(later.version) > col(AdverseEvent.version),
    )


def case_of(source: str) -> int | None:
    """Return the number of the case whose report is named, if it is one of a case."""
    return int(source.removeprefix(CASE)) if source.startswith(CASE) else None


def listed(session: Session, subject_id: int) -> Sequence[AdverseEvent]:
    """Return the events of a subject as they stand, the newest first."""
    query = select(AdverseEvent).where(AdverseEvent.subject_id == subject_id, _newest())
    return session.exec(query.order_by(col(AdverseEvent.number).desc())).all()


def versions(session: Session, subject_id: int, number: int) -> Sequence[AdverseEvent]:
    """Return every version of one event, the first one first."""
    query = select(AdverseEvent).where(AdverseEvent.subject_id == subject_id, AdverseEvent.number == number)
    return session.exec(query.order_by(col(AdverseEvent.version))).all()


def next_number(session: Session, subject: Subject) -> int:
    """Return the number of the subject's next event; the subject stays locked, so that no two get the same."""
    session.exec(select(Subject.id).where(Subject.id == subject.id).with_for_update()).one()
    highest = select(func.max(AdverseEvent.number)).where(AdverseEvent.subject_id == subject.id)
    return (session.exec(highest).one() or 0) + 1


def symptom_cases(session: Session, subject: Subject) -> Sequence[Escalation]:
    """Return the cases in which a subject reported something, the newest first."""
    query = select(Escalation).where(Escalation.subject_id == subject.id, Escalation.kind == "symptom")
    return session.exec(query.order_by(col(Escalation.id).desc())).all()


def responses(session: Session, subject: Subject) -> Sequence[Response]:
    """Return the reports that a subject sent, the newest first."""
    query = select(Response).where(Response.subject_id == subject.id, col(Response.submitted_at).is_not(None))
    return session.exec(query.order_by(col(Response.id).desc())).all()


def last_told(session: Session, subject: Subject) -> dict[int, datetime]:
    """Return when each case of a subject was last told something."""
    query = (
        select(EscalationStep.escalation_id, func.max(EscalationStep.at))
        .join(Escalation, col(EscalationStep.escalation_id) == col(Escalation.id))
        .where(Escalation.subject_id == subject.id, col(EscalationStep.what).in_(("raised", "joined")))
        .group_by(col(EscalationStep.escalation_id))
    )
    return dict(session.exec(query).all())


def decisions(session: Session, subject: Subject) -> dict[str, list[ReportDecision]]:
    """Return what was decided of each report of a subject, the first decision first."""
    query = select(ReportDecision).where(ReportDecision.subject_id == subject.id).order_by(col(ReportDecision.id))
    found: dict[str, list[ReportDecision]] = {}
    for each in session.exec(query).all():
        found.setdefault(each.source, []).append(each)
    return found
