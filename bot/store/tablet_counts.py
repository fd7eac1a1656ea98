"""Which tablets were counted: those that count today, those of one occasion, all of a subject?"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, exists
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from bot.store.models import Subject, TabletCount

PATIENT, STAFF = "patient", "staff"


def _newest() -> ColumnElement[bool]:
    """Return the condition under which a count stands: no later version of it is there."""
    later = aliased(TabletCount)
    return ~exists().where(
        col(later.occasion) == col(TabletCount.occasion), col(later.version) > col(TabletCount.version)
    )


def counting(session: Session, subject: Subject) -> Sequence[TabletCount]:
    """Return the newest version of every count of a subject, the oldest day first, without what was taken out."""
    query = select(TabletCount).where(
        TabletCount.subject_id == subject.id, col(TabletCount.void).is_(False), _newest()
    )
    return session.exec(query.order_by(col(TabletCount.counted_on), col(TabletCount.id))).all()


def versions(session: Session, occasion: str) -> Sequence[TabletCount]:
    """Return every version of one count, the first one first."""
    query = select(TabletCount).where(TabletCount.occasion == occasion)
    return session.exec(query.order_by(col(TabletCount.version))).all()


def count(session: Session, subject: Subject) -> int:
    """Return how many counts of a subject there are, whatever the versions of each."""
    query = select(func.count()).select_from(TabletCount)
    return session.exec(query.where(TabletCount.subject_id == subject.id, TabletCount.version == 1)).one()


def listed(session: Session, subject: Subject, first: int, many: int) -> Sequence[TabletCount]:
    """Return ``many`` counts of a subject from the ``first`` on, the newest day first."""
    query = select(TabletCount).where(TabletCount.subject_id == subject.id, _newest())
    order = (col(TabletCount.counted_on).desc(), col(TabletCount.id).desc())
    return session.exec(query.order_by(*order).offset(first).limit(many)).all()
