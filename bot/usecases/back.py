"""What is somebody told who was away and is back? What is due now, in one message, and nothing of before."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from bot.domain.urgency import Urgency
from bot.store import agenda, people
from bot.store import visits as stored
from bot.store.models import Account, Subject, Visit
from bot.usecases import chase, escalate, polite, screens, tablets, visit_reminders, visits
from bot.work import Button, Day, Lines, Text, Work

TOLD = "told on return"


def tell(work: Work, account: Account) -> None:
    """Say which visit comes next and what is open today; nothing to whom nothing is due.

    It answers what the person did, so it does not count as one of the day's messages. What it asks is not asked
    again within the hour, when nobody else was to read it.
    """
    caller = people.caller(work.session, account)
    subject = work.session.get(Subject, caller.subject_id) if caller.subject_id is not None else None
    if subject is None or not screens.on_study(subject) or _in_danger(work, subject):
        return
    planned = stored.open_told(work.session, subject)
    late = _first_day(
        [
            each
            for each in planned
            if not each.undecided and each.target_on < work.today and each.reply not in chase.SAID
        ]
    )
    coming = _first_day(visit_reminders.to_tell(work, subject))
    parts: list[Text | Day | Lines | str] = [
        *visits.blocks(late, "back.visit_late"),
        *visits.blocks(coming, "back.visit"),
        *(
            Text("visit.mine.undecided", {"what": visit_reminders.name_of(each)})
            for each in planned
            if each.undecided
        ),
    ]
    rows: list[list[Button]] = []
    if coming and coming[0].reply in (None, visit_reminders.NEED_HELP):
        rows = visit_reminders.reply_buttons(coming[0], later=bool(visit_reminders.later_moments(work, coming[0])))
    asked = _tablets_too(work, subject, account)
    if asked:
        parts.append(Text("back.tablets", {"day": Day(work.today)}))
        # One question at a time, as in a reminder.
        rows = visit_reminders.with_tablets_buttons(rows, work.today) if rows else tablets.answer_buttons(work.today)
    if late:
        rows.append(visits.past_button(late[0]))
    if not parts:
        return
    _drop(work, subject, account, late, coming, asked)
    values: dict[str, Any] = {"due": Lines(parts, between="\n\n"), "phone": screens.phone(work)}
    own = account.id in {each.id for each in people.speakers(work.session, subject.id or 0, "patient")}
    if own:
        work.say(account, "back.due_now", rows, purpose="back", subject_id=subject.id, **values)
    else:
        work.say(
            account,
            "visit.for_caregiver",
            rows,
            purpose="back",
            subject_id=subject.id,
            text=Text("back.due_now", values),
        )


def _first_day(planned: Sequence[Visit]) -> list[Visit]:
    """Return the visits of the first day of ``planned``."""
    return [each for each in planned if each.target_on == planned[0].target_on]


def _tablets_too(work: Work, subject: Subject, account: Account) -> bool:
    """Tell whether today's tablets are asked about here: the question is open, or comes within the hour."""
    if tablets.asked_and_open(work, subject, work.today):
        return True
    readers = people.patient_first(work.session, subject.id or 0)
    return [each.id for each in readers] == [account.id] and tablets.ask_too(work, subject) == work.today


def _drop(
    work: Work, subject: Subject, account: Account, late: Sequence[Visit], coming: Sequence[Visit], asked: bool
) -> None:
    """Close what would ask the same again soon; where others speak for the subject too, it is for them."""
    if [each.id for each in people.speakers(work.session, subject.id or 0)] != [account.id]:
        return
    soon = work.now + polite.merges(work)
    gone_by, next_ones = ({each.id for each in planned} for planned in (late, coming))
    kinds = (polite.REMINDER, polite.CHASE, polite.NUDGE)
    for item in agenda.waiting_for(work.session, subject.id or 0, kinds, work.now + timedelta(days=1)):
        said = {
            polite.CHASE: item.about_id in gone_by,
            polite.REMINDER: item.about_id in next_ones and item.due_at <= soon,
            polite.NUDGE: asked and item.due_at <= soon,
        }
        if said[item.kind]:
            agenda.close(item, "done", work.now, TOLD)


def _in_danger(work: Work, subject: Subject) -> bool:
    """Tell whether staff are at work on a red case: then nothing else is talked of."""
    case = escalate.open_case(work, subject)
    return case is not None and Urgency(case.urgency).is_red
