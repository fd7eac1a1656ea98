"""Who is due today and in the coming days, who has answered what, and who is overdue?"""

from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import col, select

from bot.domain.participation import ParticipationState
from bot.domain.roles import CLINICAL
from bot.domain.visits import PlannedVisit, VisitKind, VisitStatus, visit_status
from bot.store import audit
from bot.store import visits as stored
from bot.store.models import Subject, Visit
from bot.usecases import cases, reach, screens
from bot.usecases.visit_names import short
from bot.work import Button, Day, Lines, Text, Work

DUE_DAYS = 7
# Who has withdrawn is not chased.
EXPECTED = (ParticipationState.INVITED, ParticipationState.ON_STUDY)


def show_due(work: Work, page: int = 0) -> None:
    """List the visits that are overdue or come in the next seven days, by day."""
    _show(work, work.today + timedelta(days=DUE_DAYS), page, "due")


def show_today(work: Work, page: int = 0) -> None:
    """List the visits of today and those that are overdue, by day."""
    _show(work, work.today, page, "today")


def _show(work: Work, until: date, page: int, listing: str) -> None:
    count, found = _planned(work, until, page)
    if not count:
        work.answer("due.none" if listing == "due" else "today.none", day=Day(work.today))
        return
    audit.record(work.session, f"{listing}.listed", page=page)
    rows = [_buttons(work, visit, subject) for visit, subject in found]
    rows += cases.pager(f"{listing}.page", page, count)
    if listing == "today":
        rows.append([Button("due.button.briefs", "brief.today")])
    work.answer(
        "due.title" if listing == "due" else "today.title",
        rows,
        n=cases.how_many(count),
        day=Day(work.today),
        lines=Lines(_by_day(work, found), between="\n"),
        provisional=screens.provisional(work, *(visit.target_on for visit, _ in found)),
    )


def _planned(work: Work, until: date, page: int) -> tuple[int, Sequence[tuple[Visit, Subject]]]:
    """Return how many visits are planned until a day, and those of one page, the oldest first."""
    condition = (Visit.state == stored.PLANNED, Visit.target_on <= until, col(Subject.state).in_(EXPECTED))
    return page_of(work, condition, page)


def page_of(
    work: Work, condition: Sequence[ColumnElement[bool] | bool], page: int
) -> tuple[int, Sequence[tuple[Visit, Subject]]]:
    """Return how many visits fulfil ``condition``, and those of one page, the oldest first."""
    count = cases.count_some(
        work, select(Visit.id).join(Subject, col(Visit.subject_id) == col(Subject.id)).where(*condition)
    )
    found = work.session.exec(
        select(Visit, Subject)
        .join(Subject, col(Visit.subject_id) == col(Subject.id))
        .where(*condition)
        # In the order of the index: of a day with thousands of visits only one page is read.
        .order_by(col(Visit.target_on), col(Visit.subject_id), col(Visit.id))
        .offset(page * cases.PER_PAGE)
        .limit(cases.PER_PAGE)
    ).all()
    return count, found


def _by_day(work: Work, found: Sequence[tuple[Visit, Subject]]) -> list[Text | Day | str]:
    lines: list[Text | Day | str] = []
    before: date | None = None
    replies = reach.replies(work, [visit for visit, _ in found])
    for visit, subject in found:
        if visit.target_on != before:
            before = visit.target_on
            lines.append(Text("due.day", {"day": Day(before, "full_day")}))
        lines.append(
            Text(
                "due.line",
                {
                    "code": subject.code,
                    "what": short(work, visit),
                    "status": Text(f"due.status.{status_of(work, visit)}"),
                    "reply": _reply(visit, replies[visit.id or 0]),
                },
            )
        )
    return lines


def _reply(visit: Visit, reply: str) -> Text:
    """Return where the patient's coming stands: no day, a wish, an answer, or nothing yet."""
    if visit.undecided:
        return Text("due.reply.undecided")
    if visit.proposed_on is not None:
        return Text("due.reply.proposed", {"day": Day(visit.proposed_on, "short_day")})
    return Text(f"due.reply.{reply}")


def _buttons(work: Work, visit: Visit, subject: Subject) -> list[Button]:
    """Return what can be done about one visit of the list: open it, and say that it was done today."""
    label = work.text(
        "due.row",
        day=work.texts.short_day(visit.target_on, work.caller.locale),
        code=subject.code,
        what=short(work, visit),
    )
    row = [Button(label, "visit.open", {"visit": visit.id}, plain=True)]
    if work.caller.role in CLINICAL and visit.target_on <= work.today:
        target = {"visit": visit.id, "version": visit.plan_version}
        row.append(Button("due.button.done_today", "visit.done_today", target, values={"code": subject.code}))
    return row


def status_of(work: Work, visit: Visit) -> VisitStatus:
    planned = PlannedVisit(VisitKind(visit.kind), visit.target_on, visit.first_on, visit.last_on)
    return visit_status(planned, work.protocol.visits[VisitKind(visit.kind)], work.today)
