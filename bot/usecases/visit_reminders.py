"""Who is reminded of a visit, when, and in which words?"""

from collections.abc import Sequence
from datetime import datetime

from bot.domain import reminders as reminder_rules
from bot.domain.participation import ParticipationState, may_be_reminded
from bot.store import people, visits
from bot.store.models import AgendaItem, Subject, Visit
from bot.usecases import screens, zones
from bot.work import Button, Day, Keyboard, Lane, Lines, Text, Work

REMINDER = "visit.reminder"
NEED_HELP = "need_help"


def plan_reminders(work: Work, subject: Subject, visit: Visit) -> None:
    """Enter the reminders of a visit that are still to come; nothing before consent (DI-19)."""
    if not may_be_reminded(ParticipationState(subject.state)):
        return
    for due in reminder_rules.reminders_for(
        visit.target_on,
        work.protocol.reminders,
        work.settings.zone,
        work.protocol.quiet_hours,
        work.now,
        subject.reminder_at,
    ):
        work.plan(
            REMINDER,
            f"reminder:{visit.id}:{visit.plan_version}:{due.code}",
            due.due_at,
            visit.id or 0,
            subject_id=subject.id,
            useful_until=due.useful_until,
            text=due.text,
            version=visit.plan_version,
        )


def replan(work: Work, subject: Subject) -> None:
    """Enter the reminders that had to wait for consent, or that move to a new hour."""
    for visit in visits.open_all(work.session, subject):
        work.forget_plan(REMINDER, visit.id or 0)
        plan_reminders(work, subject, visit)


def drop_reminders(work: Work, visit: Visit, reason: str) -> None:
    """Cancel what is planned or queued for a visit as it was."""
    work.unplan(reason, kind=REMINDER, about_id=visit.id)
    work.silence(reason, purpose=REMINDER, about_id=visit.id)


def remind(work: Work, item: AgendaItem) -> str:
    """Send the reminder that has become due, if the visit still stands as it was planned."""
    visit = work.session.get_one(Visit, item.about_id)
    subject = work.session.get_one(Subject, visit.subject_id)
    if visit.state != visits.PLANNED or visit.plan_version != item.detail["version"]:
        return "the visit changed"
    if not may_be_reminded(ParticipationState(subject.state)):
        return "not on study"
    if visit.reply not in (None, NEED_HELP):
        return "answered already"
    together = [each for each in visits.open_all(work.session, subject) if each.target_on == visit.target_on]
    if visit.id != together[0].id:
        # One message names both visits of a day; the first of them carries it.
        return "said with the other visit of that day"
    readers = _tell(
        work,
        subject,
        visit,
        item.detail["text"],
        reply_buttons(visit),
        key=item.key,
        useful_until=item.useful_until,
        what=visit_names(together),
        bring=Lines([Text(f"visit.bring.{each.kind}") for each in together]),
    )
    return "reminded" if readers else "nobody to remind"


def announce(work: Work, visit: Visit) -> None:
    """Tell the patient the day that staff chose for a visit."""
    subject = work.session.get_one(Subject, visit.subject_id)
    if not may_be_reminded(ParticipationState(subject.state)):
        return
    _tell(
        work,
        subject,
        visit,
        "visit.announced",
        key=f"announced:{visit.id}:{visit.plan_version}",
        due_at=zones.out_of_nights(work, subject, work.now),
        what=Text(f"visit.kind.{visit.kind}"),
        bring=Text(f"visit.bring.{visit.kind}"),
    )


def _tell(
    work: Work,
    subject: Subject,
    visit: Visit,
    text: str,
    keyboard: Keyboard = (),
    *,
    key: str,
    due_at: datetime | None = None,
    useful_until: datetime | None = None,
    **values: object,
) -> int:
    """Say something about a visit to the patient and to caregivers, who are told whose visit it is."""
    patients = {account.id for account in people.speakers(work.session, subject.id or 0, "patient")}
    values |= {
        "day": Day(visit.target_on),
        "place": zones.place(work, subject),
        "phone": screens.phone(work),
    }
    readers = people.speakers(work.session, subject.id or 0)
    for account in readers:
        own = account.id in patients
        work.say(
            account,
            text if own else "visit.for_caregiver",
            keyboard,
            lane=Lane.REMINDER,
            purpose=REMINDER,
            about_id=visit.id,
            subject_id=subject.id,
            single_use=True,
            dedupe_key=f"{key}:{account.id}",
            due_at=due_at,
            useful_until=useful_until,
            **(values if own else {"text": Text(text, dict(values))}),
        )
    return len(readers)


def visit_names(visits: Sequence[Visit]) -> Lines:
    return Lines([Text(f"visit.kind.{each.kind}") for each in visits], between=" + ")


def reply_buttons(visit: Visit) -> list[list[Button]]:
    args = {"visit": visit.id, "version": visit.plan_version}
    return [
        [Button("visit.button.will_come", "visit.reply", {**args, "reply": "will_come"})],
        [Button("visit.button.another_day", "visit.reply", {**args, "reply": "another_day"})],
        [Button("visit.button.need_help", "visit.reply", {**args, "reply": "need_help"})],
    ]
