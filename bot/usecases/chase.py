"""What becomes of a visit whose day has passed without a record? The patient is asked kindly, then staff get a task.

Staff alone record a visit: what the patient says is a word to them (see decision 0038).
"""

from typing import Any

from sqlmodel import col, select

from bot.domain.participation import ParticipationState, may_be_reminded
from bot.domain.urgency import Urgency
from bot.store import people, visits
from bot.store.models import AgendaItem, OutboxMessage, Subject, Visit
from bot.usecases import escalate, moves, polite, screens, visit_reminders
from bot.work import Button, Day, Text, Work

SOURCE = "chase"  # the answer takes the place of "no answer"
CAME, COULD_NOT = "came", "could_not"
SAID = (CAME, COULD_NOT, moves.ANOTHER_DAY)


def ask_due(work: Work, item: AgendaItem) -> str:
    """Ask the patient whether a visit took place that nobody recorded."""
    visit = work.session.get_one(Visit, item.about_id)
    subject = work.session.get_one(Subject, visit.subject_id)
    if (over := _over(work, visit, subject, item)) is not None:
        return over
    together = visit_reminders.same_day(work, visit)
    if visit.id != next(each.id for each in together if each.reply not in SAID):
        return "asked with the other visit of that day"
    # Where there is no room for the question, the task of the next step lets staff ask by telephone.
    if (held := polite.hold_back(work, subject, item, told=lambda: True)) is not None:
        return held
    asked = visit_reminders.tell(
        work,
        subject,
        "visit.past.ask",
        answers(visit),
        kind=visit_reminders.CHASE,
        about_id=visit.id,
        key=item.key,
        useful_until=item.useful_until,
        item=item,
        day=Day(visit.target_on),
        phone=screens.phone(work),
    )
    return "asked" if asked else "nobody to ask"


def unanswered(work: Work, item: AgendaItem) -> str:
    """Give the coordinator the task to find out, when the patient did not answer either."""
    visit = work.session.get_one(Visit, item.about_id)
    subject = work.session.get_one(Subject, visit.subject_id)
    if (over := _over(work, visit, subject, item)) is not None:
        return over
    together = visit_reminders.same_day(work, visit)
    if visit.id != next(each.id for each in together if each.reply not in SAID):
        return "told with the other visit of that day"
    _raise(work, subject, together, _outcome(work, subject, together))
    return "staff told"


def _outcome(work: Work, subject: Subject, together: list[Visit]) -> str:
    """Return what is told to staff of a question without an answer: it may not have been put at all."""
    if not people.speakers(work.session, subject.id or 0):
        return "request.past.not_asked"
    numbers = [each.id for each in together]
    put = select(OutboxMessage.id).where(
        OutboxMessage.purpose == polite.CHASE, col(OutboxMessage.about_id).in_(numbers)
    )
    asked = work.session.exec(put.limit(1)).first() is not None
    return "request.past.no_answer" if asked else "request.past.not_put"


def _over(work: Work, visit: Visit, subject: Subject, item: AgendaItem) -> str | None:
    """Return why nothing is to be asked any more, or None."""
    if visit.state != visits.PLANNED or visit.plan_version != item.detail["version"]:
        return "the visit was recorded or moved"
    if visit.undecided:
        return "no day is decided"
    if not may_be_reminded(ParticipationState(subject.state)):
        return "not on study"
    if visit.reply in SAID:
        return "the patient has said so already"
    return None


def answers(visit: Visit) -> list[list[Button]]:
    args = {"visit": visit.id, "version": visit.plan_version}
    return [
        [Button("visit.button.came", "visit.past", {**args, "answer": CAME})],
        [Button("visit.button.could_not", "visit.past", {**args, "answer": COULD_NOT})],
        [Button("visit.button.another_day", "visit.past", {**args, "answer": moves.ANOTHER_DAY})],
        [Button("visit.button.need_help", "visit.reply", {**args, "reply": visit_reminders.NEED_HELP})],
    ]


def ask_now(work: Work, visit: Visit) -> None:
    """Put the question to a patient who looks at the visits."""
    work.answer(
        "visit.past.ask", answers(visit), single_use=True, day=Day(visit.target_on), phone=screens.phone(work)
    )


def answer(work: Work, visit: Visit, args: dict[str, Any]) -> None:
    """Take the patient's word on a visit gone by; who could not come is offered other days at once."""
    if args["answer"] == moves.ANOTHER_DAY:
        moves.offer(work, visit)
        return
    subject = screens.subject_of(work)
    together = visit_reminders.same_day(work, visit)
    for each in together:
        each.reply, each.replied_at, each.replied_by = args["answer"], work.now, work.caller.label
        work.silence("answered already", purpose=polite.CHASE, about_id=each.id)
    work.session.flush()
    if args["answer"] == CAME:
        _raise(work, subject, together, "request.past.came")
        work.answer("visit.past.thanks_came", phone=screens.phone(work))
    else:
        _raise(work, subject, together, "request.past.could_not")
        moves.offer(work, visit)


def _raise(work: Work, subject: Subject, together: list[Visit], key: str) -> None:
    escalate.raise_case(
        work,
        subject,
        Urgency.YELLOW,
        ["visit.not_recorded"],
        [Text(key, {"what": visit_reminders.visit_names(together), "day": Day(together[0].target_on)})],
        kind=escalate.REQUEST,
        visit_id=together[0].id,
        source=SOURCE,
    )
