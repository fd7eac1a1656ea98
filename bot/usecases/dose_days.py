"""What is known of each day's tablets: ordered or not, asked or not, and what was said."""

from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from bot.domain import dosing
from bot.domain.adherence import DoseStatus
from bot.store import reach
from bot.store.models import DoseChange, DoseOrder, DoseReport, Subject
from bot.usecases import polite

Standing = dosing.Standing[DoseOrder, DoseChange]
WEEK = "week"  # in the key of a question about several days
NOT_YET = "not_yet"  # an answer that is asked about once more, not yet the status of a day

_ORDERS = select(DoseOrder).where(DoseOrder.subject_id == bindparam("subject_id")).order_by(col(DoseOrder.id).desc())

_CHANGES = select(DoseChange).where(DoseChange.subject_id == bindparam("subject_id")).order_by(col(DoseChange.id))


def orders_of(session: Session, subject: Subject) -> Sequence[DoseOrder]:
    """Return all orders of a subject, the newest first."""
    return session.exec(_ORDERS, params={"subject_id": subject.id}).all()


def changes_of(session: Session, subject: Subject) -> Sequence[DoseChange]:
    """Return all holds, resumes and stops of a subject, as they were recorded."""
    return session.exec(_CHANGES, params={"subject_id": subject.id}).all()


def standing_on(session: Session, subject: Subject, day: date) -> Standing:
    """Return what holds on a day: what is ordered, held or stopped."""
    return dosing.standing(orders_of(session, subject), changes_of(session, subject), day)


def order_on(session: Session, subject: Subject, day: date) -> DoseOrder | None:
    """Return the order that is to be taken on a day; None when nothing is ordered, or it is held or stopped."""
    return standing_on(session, subject, day).to_take


def next_to_take(session: Session, subject: Subject, day: date, ahead: timedelta) -> date | None:
    """Return the first day from ``day`` on with something to take; None when there is none so far ahead."""
    orders, changes = orders_of(session, subject), changes_of(session, subject)
    # Nothing changes between these days.
    days = [*(each.from_on for each in orders), *(each.from_on for each in changes)]
    turns = {day, *(each for each in days if day < each <= day + ahead)}
    return next((each for each in sorted(turns) if dosing.standing(orders, changes, each).to_take), None)


def latest_report(session: Session, subject: Subject, day: date) -> DoseReport | None:
    return reports_of(session, subject, day, day).get(day)


_REPORTS = (
    select(DoseReport)
    .where(
        DoseReport.subject_id == bindparam("subject_id"),
        DoseReport.day_on >= bindparam("first_on"),
        DoseReport.day_on <= bindparam("last_on"),
    )
    .order_by(col(DoseReport.version))
)


def reports_of(session: Session, subject: Subject, first_on: date, last_on: date) -> dict[date, DoseReport]:
    """Return what was said of each day, the newest version; days without a word are left out."""
    given = {"subject_id": subject.id, "first_on": first_on, "last_on": last_on}
    reports = session.exec(_REPORTS, params=given).all()
    return {each.day_on: each for each in reports}


def statuses(session: Session, subject: Subject, first_on: date, last_on: date) -> dict[date, DoseStatus]:
    """Return what is known of each day: reported, not known, asked in vain, or nothing to take.

    What staff ordered goes before what was said: a day that was paused afterwards is paused.
    """
    orders, changes = orders_of(session, subject), changes_of(session, subject)
    in_vain = asked_in_vain(session, subject)
    reports = reports_of(session, subject, first_on, last_on)
    known: dict[date, DoseStatus] = {}
    for day in (first_on + timedelta(days=number) for number in range((last_on - first_on).days + 1)):
        holds = dosing.standing(orders, changes, day)
        if holds.to_take is None:
            known[day] = DoseStatus.HELD if holds.is_held else DoseStatus.NOT_ORDERED
        elif day not in reports or reports[day].status == NOT_YET:
            known[day] = DoseStatus.NOT_DELIVERED if day in in_vain else DoseStatus.UNKNOWN
        else:
            known[day] = DoseStatus(reports[day].status)
    return known


def question_key(subject: Subject, days: Sequence[date]) -> str:
    """Return the key of a question about a day, or about a week from its first day to its last."""
    if len(days) == 1:
        return f"dose:{subject.id}:{days[0].isoformat()}"
    return f"dose:{subject.id}:{WEEK}:{days[0].isoformat()}:{days[-1].isoformat()}"


def _days_of(key: str) -> list[date]:
    """Return the days that the question with this key was about."""
    parts = key.split(":")
    days = [date.fromisoformat(part) for part in parts if part.count("-") == 2]
    if WEEK not in parts:
        return days
    return [days[0] + timedelta(days=number) for number in range((days[-1] - days[0]).days + 1)]


def asked_in_vain(session: Session, subject: Subject) -> set[date]:
    """Return the days whose question reached nobody's phone (DI-17)."""
    put: dict[date, list[str]] = {}
    for key, state in reach.fates(session, (polite.PROMPT, polite.REMINDER), subject_id=subject.id):
        # A reminder that asked about tablets too has their day in its key; the others have none.
        for day in _days_of(key):
            put.setdefault(day, []).append(state)
    return {day for day, states in put.items() if reach.in_vain(states)}
