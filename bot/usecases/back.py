"""What is somebody told who was away and is back? What is due now, in one message, and nothing of before."""

from collections.abc import Sequence
from typing import Any

from bot.domain.urgency import Urgency
from bot.store import people, visits
from bot.store.models import Account, Subject, Visit
from bot.usecases import escalate, screens, tablets, visit_reminders
from bot.work import Button, Day, Lines, Text, Work


def tell(work: Work, account: Account) -> None:
    """Say which visit comes next and what is open today; nothing to whom nothing is due."""
    caller = people.caller(work.session, account)
    subject = work.session.get(Subject, caller.subject_id) if caller.subject_id is not None else None
    if subject is None or not screens.on_study(subject) or _in_danger(work, subject):
        return
    parts: list[Text | Day | str] = []
    rows: list[list[Button]] = []
    planned = [each for each in visits.open_all(work.session, subject) if not each.undecided]
    late = [each for each in planned if each.target_on < work.today]
    coming = [each for each in planned if each.target_on >= work.today]
    if late:
        parts.append(Text("back.visit_late", _first_day(late)))
    if coming:
        parts.append(Text("back.visit", _first_day(coming)))
    if coming and coming[0].reply in (None, visit_reminders.NEED_HELP):
        rows += visit_reminders.reply_buttons(coming[0])
    if tablets.asked_and_open(work, subject, work.today):
        parts.append(Text("back.tablets", {"day": Day(work.today)}))
        rows = [*tablets.answer_buttons(work.today), *rows]
    if not parts:
        return
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


def _first_day(planned: Sequence[Visit]) -> dict[str, object]:
    """Return what is said of the first of ``planned`` and of what else is on its day."""
    together = [each for each in planned if each.target_on == planned[0].target_on]
    return {
        "what": visit_reminders.visit_names(together),
        "day": Day(together[0].target_on),
        "bring": Lines([Text(f"visit.bring.{each.kind}") for each in together]),
    }


def _in_danger(work: Work, subject: Subject) -> bool:
    """Tell whether staff are at work on a red case: then nothing else is talked of."""
    case = escalate.open_case(work, subject)
    return case is not None and Urgency(case.urgency).is_red
