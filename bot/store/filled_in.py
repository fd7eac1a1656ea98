"""Which questionnaires did a subject fill in, with which answers, and which check-ins were offered?"""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from bot.store.models import Answer, Checkin, Response


def responses(session: Session, subject_id: int) -> Sequence[Response]:
    """Return every filling-in of a subject, also one that goes on, the first one first."""
    query = select(Response).where(Response.subject_id == subject_id)
    return session.exec(query.order_by(col(Response.id))).all()


def answers(session: Session, subject_id: int) -> dict[int, list[Answer]]:
    """Return every version of every answer of a subject in the order in which they were given, by filling-in."""
    query = select(Answer).join(Response, col(Answer.response_id) == col(Response.id))
    found: dict[int, list[Answer]] = {}
    for row in session.exec(query.where(Response.subject_id == subject_id).order_by(col(Answer.id))).all():
        found.setdefault(row.response_id, []).append(row)
    return found


def checkins(session: Session, subject_id: int) -> Sequence[Checkin]:
    """Return the check-ins that a subject was offered, the first one first."""
    query = select(Checkin).where(Checkin.subject_id == subject_id)
    return session.exec(query.order_by(col(Checkin.day_on))).all()
