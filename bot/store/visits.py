"""Which visits does a subject have: planned ones, and those that took place?"""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import ColumnElement, bindparam, case, exists, func, or_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from bot.domain.visits import Deviation, VisitKind
from bot.store.models import Subject, Visit, VisitRecord

PLANNED, DONE, MISSED, NOT_NEEDED, CANCELLED = "planned", "done", "missed", "not_needed", "cancelled"
# Who says what became of a visit: the clinic's own staff, somebody on the phone, the patient, a paper.
CLINIC, PHONE, PATIENT, PAPER = SOURCES = ("clinic", "phone", "patient", "paper")
DIVIDER = "+"  # between the deviations of one record


def _newest() -> ColumnElement[bool]:
    """Return the condition under which a record counts: no later version of it is there."""
    later = aliased(VisitRecord)
    return ~exists().where(
        col(later.visit_id) == col(VisitRecord.visit_id), col(later.version) > col(VisitRecord.version)
    )


def _important() -> ColumnElement[int]:
    """Return 1 for a record with a deviation that is important, else 0; the gravest stands first in the column."""
    grave = [col(VisitRecord.deviation).startswith(each.value) for each in Deviation if each.is_important]
    return case((or_(*grave), 1), else_=0)


_PLANNED = select(Visit).where(Visit.subject_id == bindparam("subject_id"), Visit.state == PLANNED)
_OPEN_ONE = _PLANNED.where(Visit.kind == bindparam("kind"))
_OPEN_ALL = _PLANNED.order_by(col(Visit.target_on), col(Visit.kind).desc())


def open_one(session: Session, subject: Subject, kind: VisitKind) -> Visit | None:
    """Return the planned visit of a kind; there is at most one."""
    return session.exec(_OPEN_ONE, params={"subject_id": subject.id, "kind": kind}).first()


def open_all(session: Session, subject: Subject) -> Sequence[Visit]:
    """Return the planned visits, the next one first, an injection before what else is on its day."""
    return session.exec(_OPEN_ALL, params={"subject_id": subject.id}).all()


_HELD = (
    select(col(VisitRecord.held_on))
    .join(Visit, col(VisitRecord.visit_id) == col(Visit.id))
    .where(
        Visit.subject_id == bindparam("subject_id"),
        Visit.kind == bindparam("kind"),
        VisitRecord.outcome == DONE,
        _newest(),
    )
)
_HELD_DAYS = _HELD.where(col(Visit.id) != bindparam("besides")).order_by(col(VisitRecord.held_on))
_LAST_HELD = _HELD.order_by(col(VisitRecord.held_on).desc()).limit(1)


def held_days(session: Session, subject: Subject, kind: VisitKind, besides: int | None = None) -> list[date]:
    """Return the days on which visits of a kind really took place, oldest first, without the visit ``besides``."""
    given = {"subject_id": subject.id, "kind": kind, "besides": besides or 0}
    days = session.exec(_HELD_DAYS, params=given).all()
    return [day for day in days if day is not None]


def open_told(session: Session, subject: Subject) -> Sequence[Visit]:
    """Return the planned visits that patients hear of, in the same order."""
    return [visit for visit in open_all(session, subject) if VisitKind(visit.kind).is_told]


def last_held(session: Session, subject: Subject, kind: VisitKind) -> date | None:
    """Return the day of the last visit of a kind that really took place, as it was last corrected."""
    return session.exec(_LAST_HELD, params={"subject_id": subject.id, "kind": kind}).first()


_LAST_HELD_BEFORE = (
    select(func.max(col(VisitRecord.held_on)))
    .join(Visit, col(VisitRecord.visit_id) == col(Visit.id))
    .where(
        Visit.subject_id == bindparam("subject_id"),
        VisitRecord.outcome == DONE,
        VisitRecord.held_on < bindparam("before"),
        _newest(),
    )
)


def last_held_before(session: Session, subject: Subject, day: date) -> date | None:
    """Return the last day before ``day`` on which a visit of any kind took place, as it was last corrected."""
    return session.exec(_LAST_HELD_BEFORE, params={"subject_id": subject.id, "before": day}).first()


def outcomes_between(session: Session, first: date, last: date) -> dict[str, int]:
    """Return how many visits of some days were held, missed, or not needed, as it was last corrected.

    One that was not held counts on the day that it was planned for. Both ends are included.
    """
    on = func.coalesce(VisitRecord.held_on, Visit.target_on)
    rows = session.exec(
        select(VisitRecord.outcome, func.count())
        .join(Visit, col(VisitRecord.visit_id) == col(Visit.id))
        .where(on >= first, on <= last, _newest())
        .group_by(VisitRecord.outcome)
    ).all()
    return dict(rows)


def count_moved(session: Session, first: date, last: date) -> int:
    """Return how many visits had a day between these, both included, and were given another one before it came."""
    moved = select(func.count()).select_from(Visit).where(col(Visit.moved_from_on).between(first, last))
    return session.exec(moved.where(Visit.moved_from_on != Visit.target_on)).one()


def records_of(session: Session, visit_id: int) -> Sequence[VisitRecord]:
    """Return everything that was recorded about a visit, the first version first."""
    return session.exec(
        select(VisitRecord).where(VisitRecord.visit_id == visit_id).order_by(col(VisitRecord.version))
    ).all()


_NEWEST_RECORD = (
    select(VisitRecord)
    .where(VisitRecord.visit_id == bindparam("visit_id"))
    .order_by(col(VisitRecord.version).desc())
    .limit(1)
)


def newest_record(session: Session, visit_id: int) -> VisitRecord | None:
    """Return what counts of a visit that was recorded."""
    return session.exec(_NEWEST_RECORD, params={"visit_id": visit_id}).first()


_RECORDED = (
    select(Visit, VisitRecord)
    .join(VisitRecord, col(VisitRecord.visit_id) == col(Visit.id))
    .where(Visit.subject_id == bindparam("subject_id"), _newest())
    .order_by(func.coalesce(VisitRecord.held_on, Visit.target_on).desc(), col(Visit.id).desc())
    .offset(bindparam("first"))
    .limit(bindparam("many"))
)
_RECORDED_COUNT = (
    select(func.count())
    .select_from(VisitRecord)
    .join(Visit, col(VisitRecord.visit_id) == col(Visit.id))
    .where(Visit.subject_id == bindparam("subject_id"), _newest())
)


def recorded(session: Session, subject: Subject, first: int, many: int) -> Sequence[tuple[Visit, VisitRecord]]:
    """Return ``many`` recorded visits from the ``first`` on with what counts of each, the newest day first."""
    given = {"subject_id": subject.id, "first": first, "many": many}
    return session.exec(_RECORDED, params=given).all()


def count_recorded(session: Session, subject: Subject) -> int:
    return session.exec(_RECORDED_COUNT, params={"subject_id": subject.id}).one()


_INJECTIONS_HELD = (
    select(Visit, VisitRecord)
    .join(VisitRecord, col(VisitRecord.visit_id) == col(Visit.id))
    .where(
        Visit.subject_id == bindparam("subject_id"),
        Visit.kind == VisitKind.INJECTION,
        VisitRecord.outcome == DONE,
        _newest(),
    )
    .order_by(col(VisitRecord.held_on), col(Visit.id))
)


def injections_held(session: Session, subject: Subject) -> Sequence[tuple[Visit, VisitRecord]]:
    """Return the injections that really took place with what counts of each, oldest first."""
    return session.exec(_INJECTIONS_HELD, params={"subject_id": subject.id}).all()


def deviations(session: Session, first: int, many: int) -> Sequence[tuple[VisitRecord, Visit, Subject]]:
    """Return ``many`` records that count and deviate, from the ``first`` on: important ones first."""
    return session.exec(
        select(VisitRecord, Visit, Subject)
        .join(Visit, col(VisitRecord.visit_id) == col(Visit.id))
        .join(Subject, col(Visit.subject_id) == col(Subject.id))
        .where(col(VisitRecord.deviation).is_not(None), _newest())
        .order_by(_important().desc(), func.coalesce(VisitRecord.held_on, Visit.target_on).desc())
        .order_by(col(VisitRecord.id).desc())
        .offset(first)
        .limit(many)
    ).all()


def count_deviations(session: Session, first: date | None = None, last: date | None = None) -> tuple[int, int]:
    """Return how many records that count deviate, and how many of them importantly; all, or those of some days."""
    query = select(func.count(), func.coalesce(func.sum(_important()), 0)).where(
        col(VisitRecord.deviation).is_not(None), _newest()
    )
    if first is not None and last is not None:
        on = func.coalesce(VisitRecord.held_on, Visit.target_on)
        query = query.join(Visit, col(VisitRecord.visit_id) == col(Visit.id)).where(on >= first, on <= last)
    return session.exec(query).one()


def write_record(
    session: Session,
    visit: Visit,
    outcome: str,
    held_on: date | None,
    *,
    at: datetime,
    by: str,
    source: str = CLINIC,
    reason: str | None = None,
    deviations: Sequence[Deviation] = (),
) -> VisitRecord:
    """Write down what became of a visit as its next version; what was recorded before stays (DI-03)."""
    before = newest_record(session, visit.id or 0)
    record = VisitRecord(
        visit_id=visit.id or 0,
        version=before.version + 1 if before else 1,
        outcome=outcome,
        held_on=held_on,
        source=source,
        reason=reason,
        deviation=DIVIDER.join(deviations) or None,
        recorded_at=at,
        recorded_by=by,
    )
    visit.state = outcome
    session.add(record)
    session.flush()
    return record


def deviations_in(record: VisitRecord) -> list[Deviation]:
    """Return how a recorded visit deviates, the gravest first."""
    return [Deviation(each) for each in (record.deviation or "").split(DIVIDER) if each]
