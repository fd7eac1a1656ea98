"""Which release of blood values to a subject holds?"""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from bot.store.models import LabRelease, Subject


def holding(session: Session, subject: Subject) -> Sequence[LabRelease]:
    """Return the releases of a subject that were not withdrawn, the newest first; locked for a change."""
    query = select(LabRelease).where(LabRelease.subject_id == subject.id, col(LabRelease.withdrawn_at).is_(None))
    return session.exec(query.order_by(col(LabRelease.id).desc()).with_for_update()).all()


def current(session: Session, subject: Subject) -> LabRelease | None:
    """Return the release that holds, or None."""
    query = select(LabRelease).where(LabRelease.subject_id == subject.id, col(LabRelease.withdrawn_at).is_(None))
    return session.exec(query.order_by(col(LabRelease.id).desc())).first()
