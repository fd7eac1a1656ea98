"""Who can be reached, who has fallen silent, and what do staff hear of it?

Only an answer of the Bot API closes a chat (DI-16). What staff must do is one task a subject: further
reasons join it, and no timer closes it. It says when the subject was heard again; a person closes it.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlmodel import select

from bot.domain import reach as rules
from bot.domain.escalation import CaseState
from bot.domain.people import Caller
from bot.domain.reach import Loss, Lost
from bot.domain.reminders import daily_at
from bot.domain.roles import SUBJECT_SIDE, Role
from bot.domain.urgency import Urgency
from bot.store import people
from bot.store import reach as stored
from bot.store.models import Account, AgendaItem, Escalation, StaffMember, Subject, Visit
from bot.usecases import escalate
from bot.usecases.visit_reminders import REMINDER
from bot.work import Day, Lane, Text, Work

LOOK = "reach.look"
TELL = "reach.tell"
BECAUSE = "reach."
HEARD_AGAIN = "heard again"
# After so long a pause it is worth asking whether somebody is back; between, an update costs nothing more.
PAUSE = timedelta(hours=20)


def note(work: Work, account: Account, because: str | None) -> None:
    """Keep whether a chat is open; staff hear the same day of a person who no longer can be written to."""
    if (account.unreachable_at is not None) == (because is not None):
        return
    account.unreachable_at = work.now if because is not None else None
    account.unreachable_because = because
    if because is None:
        return
    caller = people.caller(work.session, account)
    if caller.role is Role.PATIENT:
        work.session.flush()
        subject = work.session.get_one(Subject, caller.subject_id)
        make_task(work, subject, [Loss(Lost.BLOCKED, work.now)])
    elif caller.subject_id is not None:
        subject = work.session.get_one(Subject, caller.subject_id)
        escalate.tell_staff(work, subject, "staff.unreachable", who=Text(f"relation.{caller.role}"))
    elif caller.staff_id is not None:
        for _, admin in people.staff(work.session, [Role.ADMIN, Role.COORDINATOR]):
            if admin.id != account.id:
                member = work.session.get_one(StaffMember, caller.staff_id)
                work.say(admin, "staff.unreachable_staff", lane=Lane.AMBER, purpose="staff", name=member.name)


def heard(work: Work, account: Account, caller: Caller) -> bool:
    """Keep that somebody wrote, pressed or opened the chat again; tell whether they had been away.

    What waits for somebody who was away is not sent any more: they are told what is due now instead.
    """
    closed, before = account.unreachable_at is not None, account.last_heard_at
    note(work, account, None)
    hour = work.now.replace(minute=0, second=0, microsecond=0)
    if before != hour:
        account.last_heard_at = hour
    if before is None or caller.role not in SUBJECT_SIDE or not (closed or hour - before >= PAUSE):
        return False
    subject = work.session.get_one(Subject, caller.subject_id)
    task = open_task(work, subject)
    if task is not None:
        escalate.step(work, task, HEARD_AGAIN)
    elif not closed and hour - before < timedelta(days=work.protocol.reach.silent_days):
        return False
    for lane in (Lane.REMINDER, Lane.DIGEST):
        work.silence("they were away; what is due now is told instead", account_id=account.id, lane=lane)
    return True


def begun(work: Work, subject: Subject) -> None:
    """Show on an open task that the subject has begun after all."""
    task = open_task(work, subject)
    if task is not None:
        escalate.step(work, task, HEARD_AGAIN)


# Delivered or not (DI-17)


def replies(work: Work, visits: Sequence[Visit]) -> dict[int, str]:
    """Return by visit what the patient answered; without an answer, whether the reminders reached anybody.

    "none" is an answer not given. However many visits there are, it takes one statement.
    """
    known = {visit.id or 0: visit.reply for visit in visits}
    silent = [number for number, reply in known.items() if not reply]
    fates = stored.fates_of_each(work.session, REMINDER, silent) if silent else {}
    unheard = {number: "not_delivered" if stored.in_vain(states) else "none" for number, states in fates.items()}
    return {number: reply or unheard[number] for number, reply in known.items()}


def reply(work: Work, visit: Visit) -> str:
    """Return the same of one visit."""
    return replies(work, [visit])[visit.id or 0]


def last_question(work: Work, subject: Subject) -> Text | None:
    """Return what became of the last question or reminder, where it was not answered."""
    asked = stored.last_asked(work.session, subject.id or 0)
    if asked is None or asked.state in ("waiting", "sending"):
        return None
    day = Day(day_of(work, asked.created_at))
    if asked.state != "sent":
        return Text("patient.question.not_delivered", {"day": day})
    heard_at = [account.last_heard_at for account in people.speakers(work.session, subject.id or 0)]
    if any(at is not None and at + rules.HEARD_TO > asked.created_at for at in heard_at):
        return None
    return Text("patient.question.no_answer", {"day": day})


# The task


def open_task(work: Work, subject: Subject) -> Escalation | None:
    """Return the open task to reach a subject; there is at most one."""
    return next((case for case in _tasks(work, subject) if case.state != CaseState.RESOLVED), None)


def _tasks(work: Work, subject: Subject) -> list[Escalation]:
    requests = work.session.exec(
        select(Escalation).where(Escalation.subject_id == subject.id, Escalation.kind == escalate.REQUEST)
    ).all()
    return [case for case in requests if any(each.startswith(BECAUSE) for each in case.because)]


def make_task(work: Work, subject: Subject, losses: Sequence[Loss]) -> Escalation:
    """Open the task to reach a subject, or let the open one say more."""
    because = [f"{BECAUSE}{loss.why}" for loss in losses]
    summary = [
        *(Text(f"reach.because.{loss.why}", {"since": Day(day_of(work, loss.since))}) for loss in losses),
        caregivers(work, subject),
    ]
    present = open_task(work, subject)
    if present is not None:
        escalate.add_to_request(work, present, Urgency.YELLOW, because, summary)
        return present
    return escalate.raise_case(work, subject, Urgency.YELLOW, because, summary, kind=escalate.REQUEST)


def day_of(work: Work, at: datetime) -> date:
    return at.astimezone(work.settings.zone).date()


def caregivers(work: Work, subject: Subject) -> Text:
    """Return how many caregivers there are, and how many of them can be written to."""
    linked = people.speakers(work.session, subject.id or 0, "caregiver")
    if not linked:
        return Text("reach.no_caregivers")
    open_chats = [account for account in linked if account.unreachable_at is None]
    return Text("reach.caregivers", {"reachable": len(open_chats), "linked": len(linked)})


# The daily look


def plan_look(work: Work) -> None:
    """Enter the next daily look; a second call enters nothing more."""
    at, zone = work.protocol.reach.look_at, work.settings.zone
    due = daily_at(work.today, at, zone)
    day = work.today
    if due <= work.now:
        day += timedelta(days=1)
        due = daily_at(day, at, zone)
    work.plan(LOOK, f"{LOOK}:{day.isoformat()}", due, 0)


def look(work: Work, _item: AgendaItem) -> str:
    """Find the subjects who are not reached and of whom staff do not know it yet; a task each follows."""
    plan_look(work)
    made = 0
    for number, losses in lost(work).items():
        new = _untold(work, work.session.get_one(Subject, number), losses)
        if new:
            made += work.plan(
                TELL,
                f"{TELL}:{number}:{work.today.isoformat()}",
                work.now,
                number,
                subject_id=number,
                losses=[[loss.why, loss.since.isoformat()] for loss in new],
            )
    return f"{made} to be reached"


def _untold(work: Work, subject: Subject, losses: Sequence[Loss]) -> list[Loss]:
    """Return what no open task says; a task that was closed speaks for itself for some days."""
    tasks = _tasks(work, subject)
    again = work.now - timedelta(days=work.protocol.reach.again_days)
    told = {
        because
        for case in tasks
        if case.state != CaseState.RESOLVED or (case.resolved_at is not None and case.resolved_at > again)
        for because in case.because
    }
    return [loss for loss in losses if f"{BECAUSE}{loss.why}" not in told]


def tell(work: Work, item: AgendaItem) -> str:
    """Give staff the task to reach one subject."""
    subject = work.session.get_one(Subject, item.about_id)
    losses = [Loss(Lost(why), datetime.fromisoformat(since)) for why, since in item.detail["losses"]]
    return f"task {make_task(work, subject, losses).id}"


def lost(work: Work) -> dict[int, list[Loss]]:
    """Return every subject who is not reached, with the reasons, those longest out of reach first."""
    rule, session, zone = work.protocol.reach, work.session, work.settings.zone
    found: dict[int, list[Loss]] = {}
    for number, since in stored.closed_chats(session):
        found.setdefault(number, []).append(Loss(Lost.BLOCKED, since))
    for each in stored.unheard(session, work.now - timedelta(hours=rule.answer_within_hours)):
        for loss in rules.silence(each.heard_at, each.asked_at, work.now, rule, zone):
            found.setdefault(each.subject_id, []).append(loss)
    for number, since in stored.missed_checkins(session, work.protocol.checkin.missed_in_row, work.now):
        found.setdefault(number, []).append(Loss(Lost.CHECKINS, since))
    for number, enrolled_at, link_ends_at in stored.not_begun(session):
        if (late := rules.not_started(enrolled_at, link_ends_at, work.now, rule)) is not None:
            found.setdefault(number, []).append(late)
    return dict(sorted(found.items(), key=lambda pair: (min(loss.since for loss in pair[1]), pair[0])))
