"""How do staff and a patient write to each other about a case? Through the bot, which keeps every word.

Neither side sees the other's account or number. Danger words of a patient are looked for first, as always.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlmodel import and_, col, func, or_, select

from bot.domain import escalation as rules
from bot.domain.escalation import CaseState
from bot.domain.parsing import Reading, Unreadable
from bot.domain.roles import CLINICAL, SUBJECT_SIDE
from bot.domain.urgency import Urgency
from bot.store import audit, people
from bot.store.models import CaseMessage, Escalation, OutboxMessage, Subject
from bot.usecases import escalate, forms, owning, refusals
from bot.usecases.forms import Field, Form, Values
from bot.work import Button, Lane, Lines, Text, Work

REPLY, ANSWER = "case_reply", "case_answer"
# What staff write may be long, but must fit into one message with what stands around it.
LONGEST = 3000
SHOWN = 10
PURPOSE = "case talk"
EMERGENCIES = (*escalate.REDS, Urgency.AMBER.value)


def count(work: Work, case: Escalation) -> int:
    """Return how many messages were written about a case."""
    return work.session.exec(
        select(func.count()).select_from(CaseMessage).where(CaseMessage.escalation_id == case.id)
    ).one()


def show(work: Work, args: dict[str, Any]) -> None:
    """Show staff what was written about a case, the last of it."""
    case = work.session.get_one(Escalation, args["case"])
    audit.record(work.session, "case.talk_viewed", entity="escalation", entity_id=case.id)
    subject = work.session.get_one(Subject, case.subject_id)
    found = work.session.exec(
        select(CaseMessage)
        .where(CaseMessage.escalation_id == case.id)
        .order_by(col(CaseMessage.id).desc())
        .limit(SHOWN)
    ).all()
    rows = [escalate.to_case(case)]
    if CaseState(case.state) is not CaseState.RESOLVED and work.caller.role in CLINICAL:
        rows.insert(0, [Button("case.button.reply", "case.reply", {"case": case.id})])
    work.answer("case.talk", rows, number=case.id, code=subject.code, lines=_lines(work, list(reversed(found))))


def _lines(work: Work, found: Sequence[CaseMessage]) -> Lines:
    """Return messages oldest first; of a long one the beginning, so that all of them fit."""
    longest = LONGEST // max(len(found), 1)
    return Lines(
        [
            Text(
                "case.talk.line",
                {
                    "at": work.texts.moment(each.at, work.settings.zone, work.caller.locale),
                    "by": owning.by_whom(work, each.by),
                    "words": escalate.cut(each.words, longest),
                },
            )
            for each in found
        ],
        "\n\n",
    )


# Staff write


def start_reply(work: Work, args: dict[str, Any]) -> None:
    """Ask staff for the words that go to the patient, and say in which language the patient reads."""
    case = owning.locked(work, args)
    if CaseState(case.state) is CaseState.RESOLVED:
        work.note("case.toast.resolved")
        return
    subject = work.session.get_one(Subject, case.subject_id)
    readers = people.speakers(work.session, case.subject_id)
    if not readers:
        work.answer("case.reply.nobody", phone=escalate.phone_of(work, subject), code=subject.code)
        return
    forms.open_form(work, REPLY_FORM, case=case.id, code=subject.code, locale=readers[0].locale)


def _reply_words(work: Work, values: Values, text: str) -> Reading[str]:
    reading = forms.some_words(work, values, text)
    if len(reading.value) > LONGEST:
        raise Unreadable("case.reply.too_long", text)
    return reading


def _send_reply(work: Work, values: Values) -> None:
    """Send what staff wrote; whoever writes in a case that nobody has, has it. It counts as a try to reach."""
    case = owning.locked(work, values)
    subject = work.session.get_one(Subject, case.subject_id)
    readers = people.speakers(work.session, case.subject_id)
    if CaseState(case.state) is CaseState.RESOLVED or not readers:
        work.answer("case.reply.nobody", phone=escalate.phone_of(work, subject), code=subject.code)
        return
    if rules.awaits_acknowledgement(CaseState(case.state)):
        owning.acknowledge(work, case)
    said = _keep(work, case, values["words"])
    for account in readers:
        work.say(
            account,
            "case.from_staff",
            [
                [Button("case.button.answer", "case.answer", {"case": case.id})],
                [Button("menu.button.unwell", "menu.unwell")],
            ],
            lane=Lane.RED if Urgency(case.urgency).is_red else Lane.ANSWER,
            purpose=PURPOSE,
            about_id=said.id,
            subject_id=case.subject_id,
            dedupe_key=f"talk:{said.id}:{account.id}",
            role=Text(f"role.shown.{work.caller.role}"),
            words=values["words"],
            phone=work.settings.site_phone,
        )
    owning.wrote(work, case)
    work.answer("case.reply.sent", [escalate.to_case(case)], code=subject.code)


def not_delivered(work: Work, message: OutboxMessage) -> None:
    """Tell whoever has the case that the patient did not get what staff wrote."""
    said = work.session.get_one(CaseMessage, message.about_id)
    case = work.session.get_one(Escalation, said.escalation_id)
    subject = work.session.get_one(Subject, case.subject_id)
    for account in escalate.recipients(work, case):
        escalate.tell_member(
            work,
            case,
            account,
            "case.reply.not_delivered",
            purpose="staff",
            dedupe_key=f"talk.failed:{message.id}:{account.id}",
            phone=subject.phone or Text("case.no_phone"),
        )


# The patient answers


def start_answer(work: Work, args: dict[str, Any]) -> None:
    """Ask the patient for the words that go back to whoever wrote."""
    case = work.session.get_one(Escalation, args["case"])
    if case.subject_id != work.caller.subject_id:
        raise refusals.DialogueEnded
    forms.open_form(work, ANSWER_FORM)


def _take_answer(work: Work, values: Values) -> None:
    subject = work.session.get_one(Subject, work.caller.subject_id)
    if take(work, subject, values["words"], any_time=True):
        return
    # The case is closed by now: the words are a new matter, and no less worth reading.
    escalate.pass_on(work, subject, values["words"])
    work.answer("team.message_passed_on", phone=work.settings.site_phone)


def take(work: Work, subject: Subject, words: str, *, any_time: bool = False) -> bool:
    """Take a patient's words into the conversation about an open case, and say so; False when there is none."""
    case = hear(work, subject, words, any_time=any_time)
    if case is None:
        return False
    # Before somebody has it, nobody is in charge of the patient.
    key = "case.answer_passed_on" if case.acknowledged_by_id is not None else "speak.passed_on"
    work.answer(key, [[Button("menu.button.unwell", "menu.unwell")]], phone=work.settings.site_phone)
    return True


def hear(work: Work, subject: Subject, words: str, *, any_time: bool = False) -> Escalation | None:
    """Give a patient's words to whoever has the case that they belong to; return it, None when there is none.

    Without ``any_time`` it ends some hours after the last message of staff. An emergency of the last hours is one
    too, before staff wrote: who has it, or is paged, must not find in the morning what was asked at night.
    """
    case = _talking(work, subject, any_time=any_time)
    if case is None:
        return None
    _keep(work, case, words)
    answered = escalate.step(work, case, "answered")
    for account in escalate.recipients(work, case):
        escalate.tell_member(
            work,
            case,
            account,
            "case.answered",
            [[Button("case.button.reply", "case.reply", {"case": case.id})]],
            dedupe_key=f"answered:{answered.id}:{account.id}",
            level=Text(escalate.level_of(case)),
            who=Text(f"relation.{work.caller.role}"),
            words=escalate.cut(words),
        )
    return case


def keep_words(work: Work, subject: Subject, words: str) -> None:
    """Keep an answer that was acted on as a report also where it was asked for."""
    case = _talking(work, subject, any_time=True)
    if case is not None:
        _keep(work, case, words)


def _talking(work: Work, subject: Subject, *, any_time: bool) -> Escalation | None:
    """Return the open case that staff wrote about last, or the red or amber one that has just begun.

    Both count for as many hours as a conversation has; with ``any_time`` staff may have written before that.
    """
    since = work.now - timedelta(hours=work.protocol.conversation.open_hours)
    by_staff = and_(col(CaseMessage.escalation_id) == col(Escalation.id), col(CaseMessage.by).startswith("staff:"))
    if not any_time:
        by_staff = and_(by_staff, col(CaseMessage.at) >= since)
    begun = and_(
        col(Escalation.kind) == escalate.SYMPTOM,
        col(Escalation.urgency).in_(EMERGENCIES),
        col(Escalation.opened_at) > since,
    )
    statement = (
        select(Escalation)
        .outerjoin(CaseMessage, by_staff)
        .where(
            Escalation.subject_id == subject.id,
            Escalation.state != CaseState.RESOLVED,
            or_(col(CaseMessage.id).is_not(None), begun),
        )
        .order_by(col(CaseMessage.id).is_(None), col(CaseMessage.id).desc())
        .limit(1)
    )
    return work.session.exec(statement).first()


def _keep(work: Work, case: Escalation, words: str) -> CaseMessage:
    said = CaseMessage(escalation_id=case.id or 0, by=work.caller.label, words=words, at=work.now)
    work.session.add(said)
    work.session.flush()
    return said


REPLY_FORM = forms.register(
    Form(
        REPLY,
        (
            Field(
                "words",
                "case.ask_reply",
                parse=_reply_words,
                said_with=lambda _work, values: {
                    "code": values["code"],
                    "language": Text(f"language.{values['locale']}"),
                },
            ),
        ),
        _send_reply,
        frozenset(CLINICAL),
    )
)
ANSWER_FORM = forms.register(
    Form(ANSWER, (Field("words", "case.ask_answer", parse=forms.own_words),), _take_answer, frozenset(SUBJECT_SIDE))
)
