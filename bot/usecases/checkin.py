"""How is the weekly check-in offered, asked again, resumed, and given up?

Its questions are answered like those of a report (bot/usecases/report.py); whoever stops in the middle goes on where
they were, until the next one comes.
"""

from datetime import date, time, timedelta
from typing import Any

from sqlmodel import col, func, select

from bot.domain import reminders as reminder_rules
from bot.domain.participation import ParticipationState, may_be_asked
from bot.domain.urgency import Urgency
from bot.store import people
from bot.store.models import Account, AgendaItem, Checkin, Response, Subject
from bot.usecases import escalate, polite, refusals, report, screens
from bot.work import Button, Day, Text, Work

ASK = polite.CHECKIN
AGAIN = polite.CHECKIN_AGAIN
CLOSE = "checkin.close"
KINDS = (ASK, AGAIN, CLOSE)
WEEKLY = "weekly"
UNANSWERED = "P03-unanswered-after-amber"
DAYS_TRIED = 14  # a day that had its check-in, or whose hour has passed, gives way to the next


def replan(work: Work, subject: Subject) -> None:
    """Enter the next check-in at the patient's hour, in place of one at another hour."""
    work.forget_plan(ASK, subject.id or 0)
    plan_next(work, subject)


def plan_next(work: Work, subject: Subject, after: date | None = None) -> None:
    """Enter the next check-in, if this subject may be asked; after an outage it comes as soon as it can.

    It is counted from the day ``after``, or from the last one that was offered, or from the consent.
    """
    if not may_be_asked(ParticipationState(subject.state)):
        return
    rule, zone, quiet = work.protocol.checkin, work.settings.zone, work.protocol.quiet_hours
    begun_on = subject.state_changed_at.astimezone(zone).date()
    last_on = work.session.exec(select(func.max(Checkin.day_on)).where(Checkin.subject_id == subject.id)).one()
    before = after or max(last_on or begun_on, begun_on)
    first = max(before + timedelta(days=rule.every_days), work.today)
    for day in (first + timedelta(days=number) for number in range(DAYS_TRIED)):
        at = subject.reminder_at or rule.default_at
        due = reminder_rules.next_daily(reminder_rules.daily_at(day, time(0), zone), at, zone, quiet)
        if due >= work.now and work.plan(
            ASK,
            f"checkin:{subject.id}:{day.isoformat()}",
            due,
            subject.id or 0,
            subject_id=subject.id,
            useful_until=due + timedelta(days=rule.useful_days),
            day=day.isoformat(),
        ):
            return


def ask(work: Work, item: AgendaItem) -> str:
    """Offer a check-in, and plan the next one whatever becomes of this one."""
    subject, rule = work.session.get_one(Subject, item.about_id), work.protocol.checkin
    if not may_be_asked(ParticipationState(subject.state)):
        return "not to be asked"
    held = polite.hold_back(work, subject, item)
    if held == polite.PUT_OFF:
        # It comes by here again. Planned each time, the next ones would become several, a day apart.
        return held
    plan_next(work, subject, date.fromisoformat(item.detail["day"]))
    if held is not None:
        return held
    readers = people.patient_first(work.session, subject.id or 0)
    if not readers:
        return "nobody to ask"
    until = work.now + timedelta(days=rule.useful_days)
    row = Checkin(subject_id=subject.id or 0, day_on=work.today, asked_at=work.now, useful_until=until)
    work.session.add(row)
    work.session.flush()
    _put(work, subject, row, item, "checkin.ask")
    again = reminder_rules.out_of_quiet(
        work.now + timedelta(hours=rule.again_after_hours), work.settings.zone, work.protocol.quiet_hours
    )
    for kind, due, ends in ((AGAIN, again, until), (CLOSE, until, None)):
        work.plan(kind, f"{kind}:{row.id}", due, row.id or 0, subject_id=subject.id, useful_until=ends)
    return "asked"


def ask_again(work: Work, item: AgendaItem) -> str:
    """Offer a check-in once more that nobody began, or to go on with one that was left in the middle."""
    row = work.session.get_one(Checkin, item.about_id)
    subject, response = work.session.get_one(Subject, row.subject_id), _response(work, row)
    if not may_be_asked(ParticipationState(subject.state)):
        return "not to be asked"
    if response is not None and response.submitted_at is not None:
        return "answered already"
    if (held := polite.hold_back(work, subject, item)) is not None:
        return held
    _put(work, subject, row, item, "checkin.ask_again" if response is None else "checkin.go_on")
    return "asked again"


def _put(work: Work, subject: Subject, row: Checkin, item: AgendaItem, key: str) -> None:
    until = item.useful_until or row.useful_until
    rows = [
        [Button("checkin.button.begin", "checkin.begin", {"c": row.id})],
        [Button("menu.button.unwell", "menu.unwell")],
    ]
    polite.put(
        work,
        subject,
        item,
        key,
        rows,
        purpose=item.kind,
        about_id=row.id,
        asked=f"{item.kind}:{row.id}",
        until=until,
        useful_until=until,
        phone=screens.phone(work),
    )


def begin(work: Work, args: dict[str, Any]) -> None:
    """Begin a check-in, or go on with it at the next open question.

    Raises:
        DialogueEnded: it was offered about another subject.
    """
    subject = screens.subject_of(work)
    row = work.session.get(Checkin, args["c"])
    if row is None or row.subject_id != subject.id:
        raise refusals.DialogueEnded
    if not screens.on_study(subject):
        work.answer("menu.not_on_study", phone=screens.phone(work))
        return
    response = _response(work, row)
    if response is not None and response.submitted_at is not None:
        work.note("toast.already_recorded")
    elif response is not None and response.account_id != work.caller.account_id:
        work.answer("checkin.somebody_else", phone=screens.phone(work))
    elif response is not None:
        report.ask_next(work, response)
    elif work.now >= row.useful_until:
        work.answer("checkin.too_late", [[Button("menu.button.unwell", "menu.unwell")]], phone=screens.phone(work))
    else:
        response = report.new_response(work, WEEKLY)
        row.response_id = response.id
        work.session.flush()
        report.ask_next(work, response)


def close(work: Work, item: AgendaItem) -> str:
    """Give up a check-in: what was answered stays, and silence after a worrying one is told to staff."""
    row = work.session.get_one(Checkin, item.about_id)
    subject, response = work.session.get_one(Subject, row.subject_id), _response(work, row)
    if response is None:
        return _unanswered(work, subject, row)
    if response.submitted_at is not None:
        return "answered"
    decision = report.decide(work, response, report.answers(work, response))
    report.close_unfinished(work, response, Urgency.GREEN)
    if decision.urgency is not Urgency.GREEN:
        account = work.session.get_one(Account, response.account_id)
        work.say(account, decision.tell, purpose="triage", subject_id=subject.id, phone=screens.phone(work))
    return "closed unfinished"


def _unanswered(work: Work, subject: Subject, row: Checkin) -> str:
    before = work.session.exec(
        select(Response)
        .where(
            Response.subject_id == subject.id,
            Response.questionnaire == WEEKLY,
            col(Response.submitted_at).is_not(None),
        )
        .order_by(col(Response.id).desc())
        .limit(1)
    ).first()
    last = work.session.exec(
        select(func.max(Checkin.id)).where(Checkin.subject_id == subject.id, col(Checkin.id) < row.id)
    ).one()
    worrying = before is not None and before.urgency == Urgency.AMBER
    if before is None or not worrying or _response_id(work, last) != before.id:
        return "not answered"
    lines = [Text("checkin.line.unanswered", {"day": Day(row.day_on, "short_day")})]
    escalate.raise_case(work, subject, Urgency.AMBER, [UNANSWERED], lines, source=f"checkin:{row.id}")
    return "not answered after an amber one"


def _response_id(work: Work, number: int | None) -> int | None:
    row = work.session.get(Checkin, number) if number is not None else None
    return row.response_id if row is not None else None


def _response(work: Work, row: Checkin) -> Response | None:
    return work.session.get(Response, row.response_id) if row.response_id is not None else None


def after_skipped(work: Work, item: AgendaItem) -> None:
    """Go on to the next check-in when one lay too long, as after an outage."""
    plan_next(work, work.session.get_one(Subject, item.about_id))
