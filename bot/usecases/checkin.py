"""How is the weekly check-in offered, started from the menu, asked again, resumed, and given up?

Its questions are answered like those of a report (bot/usecases/report.py); whoever stops in the middle goes on where
they were, until the next one comes. A row of `checkin` is one that was offered; one that somebody starts of their own
accord answers the offer that is open, and without one it is a filling-in like any other, with no row: nobody asked.
"""

from datetime import date, datetime, time, timedelta
from typing import Any

from sqlmodel import col, func, select

from bot.domain import reminders as reminder_rules
from bot.domain.participation import ParticipationState, may_be_asked
from bot.domain.urgency import Urgency
from bot.store import people
from bot.store.models import Account, AgendaItem, Answer, Checkin, Response, Subject
from bot.usecases import escalate, polite, refusals, report, screens
from bot.work import Button, Day, Text, Work

ASK = polite.CHECKIN
AGAIN = polite.CHECKIN_AGAIN
CLOSE = "checkin.close"
KINDS = (ASK, AGAIN, CLOSE, report.GIVE_UP)
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
    day = date.fromisoformat(item.detail["day"])
    if _answered_since(work, subject, reminder_rules.daily_at(work.today, time(0), work.settings.zone)) is not None:
        plan_next(work, subject, day)
        return "answered today of their own accord"
    held = polite.hold_back(work, subject, item)
    if held == polite.PUT_OFF:
        # It comes by here again. Planned each time, the next ones would become several, a day apart.
        return held
    plan_next(work, subject, day)
    if held is not None:
        return held
    readers = people.patient_first(work.session, subject.id or 0)
    if not readers:
        return "nobody to ask"
    until = work.now + timedelta(days=rule.useful_days)
    row = Checkin(subject_id=subject.id or 0, day_on=work.today, asked_at=work.now, useful_until=until)
    if (begun := _left_open(work, subject)) is not None:
        # Somebody began it of their own accord and stopped: this is the offer to go on.
        row.response_id = begun.id
        work.unplan("offered", kind=report.GIVE_UP, about_id=begun.id)
    work.session.add(row)
    work.session.flush()
    _put(work, subject, row, item, "checkin.ask" if begun is None else "checkin.go_on")
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
    elif response is not None:
        _resume(work, response)
    elif work.now >= row.useful_until:
        rows = [[Button("menu.button.checkin", "menu.checkin")], [Button("menu.button.unwell", "menu.unwell")]]
        work.answer("checkin.too_late", rows, phone=screens.phone(work))
    else:
        _fill_in(work, row)


def start(work: Work, _args: object = None) -> None:
    """Begin the check-in from the menu, or go on with the one that is open.

    Who has answered that of this week already reads so, and may fill in another one.
    """
    subject = screens.subject_of(work)
    if not screens.on_study(subject):
        work.answer("menu.not_on_study", phone=screens.phone(work))
        return
    if _go_on(work, subject):
        return
    week = timedelta(days=work.protocol.checkin.every_days)
    answered = _answered_since(work, subject, work.now - week)
    if answered is None:
        _begin_anew(work)
        return
    rows = [
        [Button("checkin.button.another", "checkin.another")],
        [Button("menu.button.unwell", "menu.unwell")],
        [Button("menu.button.open", "menu.open")],
    ]
    day = answered.opened_at.astimezone(work.settings.zone).date()
    work.answer("checkin.answered", rows, day=Day(day), phone=screens.phone(work))


def another(work: Work, _args: object = None) -> None:
    """Begin one more check-in beside what was answered this week; a second tap goes on with it."""
    subject = screens.subject_of(work)
    if not screens.on_study(subject):
        work.answer("menu.not_on_study", phone=screens.phone(work))
    elif not _go_on(work, subject):
        _begin_anew(work)


def _go_on(work: Work, subject: Subject) -> bool:
    """Go on with what is open, be it begun or only offered; tell whether there was something."""
    if (begun := _left_open(work, subject)) is not None:
        _resume(work, begun)
        return True
    offered = work.session.exec(
        select(Checkin).where(Checkin.subject_id == subject.id).order_by(col(Checkin.id).desc()).limit(1)
    ).first()
    if offered is None or offered.response_id is not None or work.now >= offered.useful_until:
        return False
    _fill_in(work, offered)
    return True


def _left_open(work: Work, subject: Subject) -> Response | None:
    """Return the check-in that somebody began lately and has not finished."""
    since = work.now - timedelta(days=work.protocol.checkin.useful_days)
    return work.session.exec(
        select(Response)
        .where(
            Response.subject_id == subject.id,
            Response.questionnaire == WEEKLY,
            col(Response.submitted_at).is_(None),
            col(Response.opened_at) > since,
        )
        .order_by(col(Response.id).desc())
        .limit(1)
    ).first()


def _answered_since(work: Work, subject: Subject, since: datetime) -> Response | None:
    """Return the newest check-in that was opened since then and answered, be it up to a danger."""
    something = select(Answer.id).where(col(Answer.response_id) == col(Response.id)).exists()
    found = work.session.exec(
        select(Response)
        .where(
            Response.subject_id == subject.id,
            Response.questionnaire == WEEKLY,
            col(Response.submitted_at).is_not(None),
            col(Response.opened_at) >= since,
            something,
        )
        .order_by(col(Response.id).desc())
    ).all()
    return next((each for each in found if report.UNFINISHED not in each.because), None)


def _resume(work: Work, response: Response) -> None:
    if response.account_id == work.caller.account_id:
        report.ask_next(work, response)
        return
    rows = [[Button("menu.button.unwell", "menu.unwell")]]
    work.answer("checkin.somebody_else", rows, phone=screens.phone(work))


def _fill_in(work: Work, row: Checkin) -> None:
    response = report.new_response(work, WEEKLY)
    row.response_id = response.id
    work.session.flush()
    report.ask_next(work, response)


def _begin_anew(work: Work) -> None:
    response = report.new_response(work, WEEKLY)
    report.plan_giving_up(work, response)
    report.ask_next(work, response)


def close(work: Work, item: AgendaItem) -> str:
    """Give up a check-in: what was answered stays, and silence after a worrying one is told to staff."""
    row = work.session.get_one(Checkin, item.about_id)
    subject, response = work.session.get_one(Subject, row.subject_id), _response(work, row)
    if response is None:
        return _unanswered(work, subject, row)
    return _close_unfinished(work, subject, response)


def give_up(work: Work, item: AgendaItem) -> str:
    """Give up a check-in, or a correction of one, that somebody left in the middle of their own accord."""
    response = work.session.get_one(Response, item.about_id)
    return _close_unfinished(work, work.session.get_one(Subject, response.subject_id), response)


def _close_unfinished(work: Work, subject: Subject, response: Response) -> str:
    if response.submitted_at is not None:
        return "answered"
    decision = report.decide(work, response, report.answers(work, response))
    report.close_unfinished(work, response, Urgency.GREEN)
    if decision.urgency is not Urgency.GREEN:
        account = work.session.get_one(Account, response.account_id)
        work.say(account, decision.tell, purpose="triage", subject_id=subject.id, phone=screens.phone(work))
    return "closed unfinished"


def _unanswered(work: Work, subject: Subject, row: Checkin) -> str:
    of_subject = (Response.subject_id == subject.id, Response.questionnaire == WEEKLY)
    since = select(Response.id).where(*of_subject, col(Response.opened_at) >= row.asked_at).limit(1)
    if work.session.exec(since).first() is not None:
        return "one was begun of their own accord"
    before = work.session.exec(
        select(Response)
        .where(*of_subject, col(Response.submitted_at).is_not(None))
        .order_by(col(Response.id).desc())
        .limit(1)
    ).first()
    last_asked = work.session.exec(
        select(func.max(Checkin.asked_at)).where(Checkin.subject_id == subject.id, col(Checkin.id) < row.id)
    ).one()
    if before is None or before.urgency != Urgency.AMBER or (last_asked and last_asked > before.opened_at):
        return "not answered"
    lines = [Text("checkin.line.unanswered", {"day": Day(row.day_on, "short_day")})]
    escalate.raise_case(work, subject, Urgency.AMBER, [UNANSWERED], lines, source=f"checkin:{row.id}")
    return "not answered after an amber one"


def _response(work: Work, row: Checkin) -> Response | None:
    return work.session.get(Response, row.response_id) if row.response_id is not None else None


def after_skipped(work: Work, item: AgendaItem) -> None:
    """Go on to the next check-in when one lay too long, as after an outage."""
    plan_next(work, work.session.get_one(Subject, item.about_id))
