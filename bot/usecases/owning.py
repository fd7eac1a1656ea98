"""Who has a case, and what have they done about it?

Taking over stops the pages; saying what one does tells the patient; each try to reach the patient is kept.
"""

from typing import Any

from sqlmodel import select

from bot.domain import escalation as rules
from bot.domain.escalation import CaseEvent, CaseState
from bot.domain.urgency import Urgency
from bot.store import outbox
from bot.store.models import Escalation, StaffMember
from bot.usecases import escalate, lapse, sae_clock, staff_groups
from bot.work import Lane, Text, Work


def acknowledge(work: Work, case: Escalation) -> None:
    """Make whoever acts the owner of a case that nobody has: paging stops, and the others see who has it."""
    case.state = rules.advance(CaseState(case.state), CaseEvent.ACKNOWLEDGE)
    own(work, case, "acknowledged")
    work.unplan("taken over", kind=escalate.NEXT_PAGE, about_id=case.id)
    work.silence("taken over", purpose=escalate.PAGE, about_id=case.id)
    close_other_pages(work, case)
    staff_groups.taken(work, case)
    lapse.watch(work, case)


def tell_taken_over(work: Work, case: Escalation) -> None:
    """Let the patient hear who has it; only now that a person has said so."""
    if case.kind == escalate.SYMPTOM:
        escalate.tell_subject(
            work,
            case,
            "case.told.taken_over",
            lane=Lane.RED if Urgency(case.urgency).is_red else Lane.ANSWER,
            once=f"{case.pages}:{case.acknowledged_by_id}",
            role=Text(f"role.shown.{work.caller.role}"),
        )


def contacted(work: Work, case: Escalation, *, spoke: bool) -> None:
    """Keep that the patient of a case that somebody has was phoned, and whether somebody answered."""
    if spoke:
        case.contacted_at = case.contacted_at or work.now
        case.first_contacted_at = case.first_contacted_at or work.now
    else:
        case.tried_at = work.now
    escalate.step(work, case, "spoke" if spoke else "no answer")
    _act(work, case)


def wrote(work: Work, case: Escalation) -> None:
    """Keep that somebody wrote to the patient: a try to reach them, for nobody knows whether it is read."""
    case.tried_at = work.now
    escalate.step(work, case, "wrote")
    _act(work, case)


def _act(work: Work, case: Escalation) -> None:
    """Let a case be acted on; the patient hears who has it, if they have not yet."""
    case.state = rules.advance(CaseState(case.state), CaseEvent.START_ACTION)
    known, case.read_back_at = case.read_back_at is not None, case.read_back_at or work.now
    lapse.watch(work, case)
    if not known and case.acknowledged_by_id == work.caller.staff_id:
        tell_taken_over(work, case)


def end(work: Work, case: Escalation, reason: str) -> None:
    """Let nothing more be said or planned about a case that is closed."""
    case.offered_to_id = case.overdue = case.overdue_since = case.overdue_told_at = None
    staff_groups.closed(work, case)
    work.unplan(reason, kind=(escalate.NEXT_PAGE, escalate.LAPSE), about_id=case.id)
    work.silence(reason, purpose=escalate.PAGE, about_id=case.id)


def own(work: Work, case: Escalation, how: str) -> None:
    """Make whoever acts the owner, from now on."""
    case.acknowledged_by_id, case.acknowledged_at = work.caller.staff_id, work.now
    case.first_acknowledged_at = case.first_acknowledged_at or work.now
    case.read_back_at = case.tried_at = case.offered_to_id = None
    if case.first_viewed_at is None:
        case.first_viewed_at = work.now
    sae_clock.seen(work, case.id or 0)
    escalate.step(work, case, how)


def close_other_pages(work: Work, case: Escalation) -> None:
    """Show on every page of this case who has it, so that nobody acts twice."""
    for message in outbox.shown_to_staff(work.session, escalate.PAGE, case.id):
        message.pressed_at = work.now
        taken = work.text("case.page.taken", message.locale, name=name_of(work, case))
        work.edit(message, f"{message.text}\n\n{taken}")


def locked(work: Work, args: dict[str, Any]) -> Escalation:
    """Return the case of a button, held until this work is done."""
    return work.session.exec(select(Escalation).where(Escalation.id == args["case"]).with_for_update()).one()


def name_of(work: Work, case: Escalation) -> str:
    """Return the name of the owner, for staff."""
    if case.acknowledged_by_id is None:
        return "—"
    return work.session.get_one(StaffMember, case.acknowledged_by_id).name


def by_whom(work: Work, label: str) -> object:
    """Return how an author of a record is named to staff."""
    kind, _, rest = label.partition(":")
    if kind == "staff":
        return work.session.get_one(StaffMember, int(rest.split(":")[0])).name
    return Text(f"relation.{kind if kind in ('patient', 'caregiver') else 'bot'}")
