"""What lies in the database of one week? A fixed number of statements, however many subjects there are."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

from sqlmodel import Session, col, func, select

from bot.store.models import Checkin, DoseReview, Response, Subject, Visit
from bot.store.visits import PLANNED


def handed_in(session: Session, since: datetime, until: datetime) -> dict[str, int]:
    """Return how many of each questionnaire were handed in from ``since`` to before ``until``."""
    rows = session.exec(
        select(Response.questionnaire, func.count())
        .where(col(Response.submitted_at) >= since, col(Response.submitted_at) < until)
        .group_by(Response.questionnaire)
    ).all()
    return dict(rows)


def checkins(session: Session, first: date, last: date) -> tuple[int, int]:
    """Return how many check-ins were offered on these days, both included, and how many of them were handed in."""
    return session.exec(
        select(func.count(), func.count(col(Response.submitted_at)))
        .select_from(Checkin)
        .outerjoin(Response, col(Checkin.response_id) == col(Response.id))
        .where(Checkin.day_on >= first, Checkin.day_on <= last)
    ).one()


def open_reviews(session: Session) -> Sequence[str]:
    """Return the codes of the subjects of whose dose a question is open, once each."""
    return session.exec(
        select(Subject.code)
        .join(DoseReview, col(DoseReview.subject_id) == col(Subject.id))
        .where(DoseReview.state == "open")
        .distinct()
        .order_by(col(Subject.code))
    ).all()


def gone_by(session: Session, today: date, states: Collection[str]) -> Sequence[tuple[Visit, Subject]]:
    """Return the visits whose day is over and of which nothing is recorded, the oldest first.

    ``states`` are those of the subjects whose visits take place.
    """
    return session.exec(
        select(Visit, Subject)
        .join(Subject, col(Visit.subject_id) == col(Subject.id))
        .where(Visit.state == PLANNED, Visit.target_on < today, col(Subject.state).in_(states))
        .order_by(col(Visit.target_on), col(Visit.subject_id), col(Visit.id))
    ).all()


def expected(
    session: Session, kinds: Collection[str], states: Collection[str], first: date, last: date
) -> dict[date, int]:
    """Return how many patients in these states are expected on each day for visits of these kinds.

    Both ends are included; a day without anybody is left out.
    """
    rows = session.exec(
        select(col(Visit.target_on), func.count(func.distinct(col(Visit.subject_id))))
        .join(Subject, col(Visit.subject_id) == col(Subject.id))
        .where(
            Visit.state == PLANNED,
            Visit.target_on >= first,
            Visit.target_on <= last,
            col(Visit.undecided).is_(False),
            col(Visit.kind).in_(kinds),
            col(Subject.state).in_(states),
        )
        .group_by(col(Visit.target_on))
    ).all()
    return dict(rows)
