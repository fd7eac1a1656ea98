"""How does a participation end by the decision of staff, and how does somebody who left come back?"""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import update
from sqlmodel import col, select

from bot.domain import participation
from bot.domain.participation import TRANSITIONS, ParticipationEvent, ParticipationState
from bot.domain.reminders import out_of_quiet
from bot.domain.roles import CLINICAL
from bot.store import people, visits
from bot.store.models import AgendaItem, Subject
from bot.usecases import (
    arms,
    escalate,
    form_days,
    forms,
    history,
    plan,
    readings,
    reasons,
    report,
    speak,
    staff_queries,
)
from bot.usecases.forms import Form, Values
from bot.usecases.requests import settle_visit
from bot.work import Button, Lane, Work

CLOSED = "the participation is closed"
# What goes on all the same: the pages of open cases, and asking after somebody who may be in danger.
GOES_ON = (escalate.NEXT_PAGE, readings.SILENCE, report.SILENCE, speak.DOUBT)
KEEPS_GOODBYE = timedelta(days=14)
STUDY_ENDS = f"{reasons.CODED}study_ends"


def close(work: Work, subject: Subject, reason: str, on: date) -> None:
    """End a participation: everything planned and queued is cancelled, and the patient hears so once.

    What is under way in an open red case still reaches the patient: nobody in danger loses sight of the help.

    Raises:
        ParticipationRefused: it has ended already.
        ReasonMissing: nobody said why.
    """
    before = ParticipationState(subject.state)
    subject.state = participation.move(before, ParticipationEvent.CLOSE, reason)
    history.keep(work, subject, history.STATE, before, subject.state, reason, from_on=on)
    subject.state_changed_at, subject.closed_on, subject.closed_because = work.now, on, reason
    work.session.flush()
    for visit in visits.open_all(work.session, subject):
        settle_visit(work, visit, "visit_cancelled")
        plan.cancel(work, visit, CLOSED)
    _drop_agenda(work, subject)
    for account in people.speakers(work.session, subject.id or 0):
        for lane in Lane:
            if lane is not Lane.RED:
                work.silence(CLOSED, account_id=account.id, lane=lane)
        forms.close_of(work, account.id or 0)
    if before is ParticipationState.ON_STUDY:
        _say_goodbye(work, subject)


def open_subjects(work: Work) -> list[int]:
    """Return all subjects whose participation has not ended yet, by id."""
    found = work.session.exec(
        select(Subject.id).where(Subject.state != ParticipationState.OFF_STUDY).order_by(col(Subject.code))
    ).all()
    return [number for number in found if number is not None]


def close_with_study(work: Work, subject_id: int) -> bool:
    """End one participation because the study ends; False when it had ended before."""
    subject = work.session.get_one(Subject, subject_id, with_for_update=True)
    if (ParticipationState(subject.state), ParticipationEvent.CLOSE) not in TRANSITIONS:
        return False
    close(work, subject, STUDY_ENDS, work.today)
    return True


def invite_again(work: Work, subject: Subject, reason: str) -> None:
    """Let somebody who left begin again, with a new consent; nothing is asked or sent before that.

    Raises:
        ParticipationRefused: the subject has not left.
        ReasonMissing: nobody said why.
    """
    before = ParticipationState(subject.state)
    subject.state = participation.move(before, ParticipationEvent.INVITE_AGAIN, reason)
    history.keep(work, subject, history.STATE, before, subject.state, reason)
    subject.state_changed_at = work.now
    work.session.flush()
    for visit in visits.open_all(work.session, subject):
        # What hung on the plan of before is gone for good; reminders begin anew with the consent.
        visit.plan_version += 1
        visit.reply = visit.replied_at = visit.replied_by = None
    work.session.flush()
    rows = [[Button("start.button.read_again", "start.read_again")]]
    for account in people.speakers(work.session, subject.id or 0, "patient"):
        work.say(account, "start.invited_again", rows, subject_id=subject.id, phone=work.settings.site_phone)


def _drop_agenda(work: Work, subject: Subject) -> None:
    work.session.connection().execute(
        update(AgendaItem)
        .where(
            col(AgendaItem.state) == "waiting",
            col(AgendaItem.subject_id) == subject.id,
            col(AgendaItem.kind).not_in(GOES_ON),
        )
        .values(state="skipped", reason=CLOSED, closed_at=work.now)
    )


def _say_goodbye(work: Work, subject: Subject) -> None:
    due_at = out_of_quiet(work.now, work.settings.zone, work.protocol.quiet_hours)
    for account in people.speakers(work.session, subject.id or 0):
        work.say(
            account,
            "closing.told",
            purpose="closing",
            subject_id=subject.id,
            dedupe_key=f"closed:{subject.id}:{account.id}",
            due_at=due_at,
            useful_until=due_at + KEEPS_GOODBYE,
            phone=work.settings.site_phone,
        )


# What staff are asked


def start(work: Work, args: dict[str, Any]) -> None:
    """Begin to close a participation."""
    _open(work, args, ParticipationEvent.CLOSE, CLOSE_FORM)


def start_inviting_again(work: Work, args: dict[str, Any]) -> None:
    """Begin to invite somebody again who has left."""
    _open(work, args, ParticipationEvent.INVITE_AGAIN, INVITE_FORM)


def _open(work: Work, args: dict[str, Any], event: ParticipationEvent, form: Form) -> None:
    subject = work.session.get_one(Subject, args["subject"])
    if (ParticipationState(subject.state), event) not in TRANSITIONS:
        staff_queries.show_patient(work, subject)
        return
    forms.open_form(work, form, subject=subject.id, now=subject.state)


def _overtaken(work: Work, subject: Subject, values: Values) -> bool:
    """Show the subject as it is now if it has left, come back or been closed in the meantime."""
    if subject.state == values["now"]:
        return False
    work.answer("patient.overtaken")
    staff_queries.show_patient(work, subject)
    return True


def _finish_closing(work: Work, values: Values) -> None:
    subject = work.session.get_one(Subject, values["subject"])
    if _overtaken(work, subject, values):
        return
    close(work, subject, values["reason"], date.fromisoformat(values["closed_on"]))
    work.answer("closing.done", code=subject.code)
    staff_queries.show_patient(work, subject)


def _finish_inviting(work: Work, values: Values) -> None:
    subject = work.session.get_one(Subject, values["subject"])
    if _overtaken(work, subject, values):
        return
    invite_again(work, subject, values["reason"])
    told = bool(people.speakers(work.session, subject.id or 0, "patient"))
    work.answer("closing.invited_again" if told else "closing.invited_again_by_link", code=subject.code)
    staff_queries.show_patient(work, subject)


def _said(work: Work, values: Values) -> dict[str, object]:
    return {"code": work.session.get_one(Subject, values["subject"]).code}


CLOSE_FORM = forms.register(
    Form(
        "close",
        (
            reasons.field("closing.ask.why", reasons.CLOSING, said_with=_said),
            form_days.past_field("closed_on", "closing.ask.closed_on", _said, arms.past_date),
        ),
        _finish_closing,
        frozenset(CLINICAL),
        summary="closing.summary",
        names="closing.field",
    )
)
INVITE_FORM = forms.register(
    Form(
        "invite_again",
        (reasons.field("closing.ask.why_again", reasons.INVITING, said_with=_said),),
        _finish_inviting,
        frozenset(CLINICAL),
    )
)
