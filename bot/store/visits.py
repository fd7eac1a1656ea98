"""Which visits does a subject have: planned ones, and those that took place?"""

from collections.abc import Sequence
from datetime import date

from sqlmodel import Session, col, select

from bot.domain.visits import VisitKind
from bot.store.models import Subject, Visit, VisitRecord

PLANNED, DONE, MISSED, CANCELLED = "planned", "done", "missed", "cancelled"


def open_one(session: Session, subject: Subject, kind: VisitKind) -> Visit | None:
    """Return the planned visit of a kind; there is at most one."""
    return session.exec(
        select(Visit).where(Visit.subject_id == subject.id, Visit.kind == kind, Visit.state == PLANNED)
    ).first()


def open_all(session: Session, subject: Subject) -> Sequence[Visit]:
    """Return the planned visits, the next one first, an injection before what else is on its day."""
    return session.exec(
        select(Visit)
        .where(Visit.subject_id == subject.id, Visit.state == PLANNED)
        .order_by(col(Visit.target_on), col(Visit.kind).desc())
    ).all()


def open_told(session: Session, subject: Subject) -> Sequence[Visit]:
    """Return the planned visits that patients hear of, in the same order."""
    return [visit for visit in open_all(session, subject) if VisitKind(visit.kind).is_told]


def last_held(session: Session, subject: Subject, kind: VisitKind) -> date | None:
    """Return the day of the last visit of a kind that really took place."""
    return session.exec(
        select(col(VisitRecord.held_on))
        .join(Visit, col(VisitRecord.visit_id) == col(Visit.id))
        .where(Visit.subject_id == subject.id, Visit.kind == kind, VisitRecord.outcome == DONE)
        .order_by(col(VisitRecord.held_on).desc())
        .limit(1)
    ).first()
