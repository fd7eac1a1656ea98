"""Which values were measured: those that count today, those of one occasion, all of a subject?"""

from collections.abc import Collection, Sequence
from datetime import date, datetime

from sqlalchemy import ColumnElement, exists, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from bot.store.models import Measurement, Subject, Weight

PATIENT, SLIP, STAFF = SOURCES = ("patient", "slip", "staff")
DIVIDER = "+"  # between several transfusions


def _newest() -> ColumnElement[bool]:
    """Return the condition under which a value counts: no later version of it is there."""
    later = aliased(Measurement)
    return ~exists().where(
        col(later.occasion) == col(Measurement.occasion),
        col(later.measure) == col(Measurement.measure),
        col(later.version) > col(Measurement.version),
    )


def verified(
    session: Session, subject_id: int, measures: Collection[str], since: date | None = None
) -> Sequence[Measurement]:
    """Return what staff have verified of these measures, the oldest day first; what was taken out is not there."""
    query = select(Measurement).where(
        Measurement.subject_id == subject_id,
        col(Measurement.measure).in_(measures),
        col(Measurement.verified).is_(True),
        col(Measurement.void).is_(False),
        _newest(),
    )
    if since is not None:
        query = query.where(Measurement.taken_on >= since)
    return session.exec(query.order_by(col(Measurement.taken_on), col(Measurement.id))).all()


def entered_between(session: Session, subject_id: int, first: datetime, last: datetime) -> Sequence[Measurement]:
    """Return the values that count and were entered between two moments, both included."""
    query = select(Measurement).where(
        Measurement.subject_id == subject_id,
        Measurement.entered_at >= first,
        Measurement.entered_at <= last,
        col(Measurement.void).is_(False),
        _newest(),
    )
    return session.exec(query.order_by(col(Measurement.id))).all()


def counting(session: Session, subject_id: int) -> Sequence[Measurement]:
    """Return every value of a subject that counts, the newest version of each; what was taken out is not there."""
    query = select(Measurement).where(
        Measurement.subject_id == subject_id, col(Measurement.void).is_(False), _newest()
    )
    return session.exec(query.order_by(col(Measurement.taken_on), col(Measurement.id))).all()


def of_occasion(session: Session, occasion: str) -> Sequence[Measurement]:
    """Return the values that were entered together, the newest version of each."""
    query = select(Measurement).where(Measurement.occasion == occasion, _newest())
    return session.exec(query.order_by(col(Measurement.id))).all()


def versions(session: Session, occasion: str, measure: str) -> Sequence[Measurement]:
    """Return every version of one value, the first one first."""
    query = select(Measurement).where(Measurement.occasion == occasion, Measurement.measure == measure)
    return session.exec(query.order_by(col(Measurement.version))).all()


def count(session: Session, subject: Subject) -> int:
    """Return how many values of a subject there are, whatever the versions of each."""
    query = select(func.count()).select_from(Measurement)
    return session.exec(query.where(Measurement.subject_id == subject.id, Measurement.version == 1)).one()


def listed(session: Session, subject: Subject, first: int, many: int) -> Sequence[Measurement]:
    """Return ``many`` values of a subject from the ``first`` on, the newest day first."""
    query = select(Measurement).where(Measurement.subject_id == subject.id, _newest())
    order = (col(Measurement.taken_on).desc(), col(Measurement.id).desc())
    return session.exec(query.order_by(*order).offset(first).limit(many)).all()


def weight_on(session: Session, subject: Subject, on: date) -> Weight | None:
    """Return the newest weight that was measured on or before a day; of one day the one entered last."""
    return session.exec(
        select(Weight)
        .where(Weight.subject_id == subject.id, Weight.measured_on <= on)
        .order_by(col(Weight.measured_on).desc(), col(Weight.id).desc())
    ).first()
