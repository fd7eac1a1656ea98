"""How do staff answer a patient who asked for another day?"""

from datetime import date
from typing import Any

from bot.store import visits as stored
from bot.store.models import Subject, Visit
from bot.usecases import plan, requests, visit_reminders, visits
from bot.usecases.refusals import DayHasPassed
from bot.work import Day, Work


def confirm_day(work: Work, args: dict[str, Any]) -> None:
    """Give the patient the day that was asked for."""
    wished = _wished(work, args)
    if wished is None:
        return
    on = date.fromisoformat(args["on"])
    if on < work.today:
        raise DayHasPassed
    subject = work.session.get_one(Subject, wished[0].subject_id)
    for visit in wished:
        plan.move(work, visit, on)
    # The count that has to lie before the injection follows it.
    plan.plan_next(work, subject)
    visit_reminders.announce(work, wished[0])
    _settle(work, wished, "visit_moved")
    work.answer(
        "visit.recorded.moved", code=subject.code, what=visit_reminders.visit_names(wished), day=Day(on, "full_day")
    )


def refuse_day(work: Work, args: dict[str, Any]) -> None:
    """Leave the visit on its day and tell the patient so; reminders go on."""
    wished = _wished(work, args)
    if wished is None:
        return
    subject = work.session.get_one(Subject, wished[0].subject_id)
    wish = Day(date.fromisoformat(args["on"]))
    for visit in wished:
        visit.proposed_on = visit.proposed_at = None
        visit.reply = visit.replied_at = visit.replied_by = None
        work.session.flush()
        visit_reminders.plan_reminders(work, subject, visit)
    stands = wished[0]
    visit_reminders.tell(
        work,
        subject,
        "visit.wish.refused",
        visit_reminders.reply_buttons(stands, later=False),
        kind=visit_reminders.ANNOUNCE,
        about_id=subject.id,
        key=f"refused:{stands.id}:{stands.plan_version}:{work.now.isoformat()}",
        useful_until=visit_reminders.announced_until(work, subject),
        item=None,
        wish=wish,
        **visit_reminders.where(work, subject, stands.target_on),
    )
    _settle(work, wished, "visit_kept")
    work.answer(
        "visit.recorded.kept",
        code=subject.code,
        what=visit_reminders.visit_names(wished),
        day=Day(stands.target_on, "full_day"),
    )


def _wished(work: Work, args: dict[str, Any]) -> list[Visit] | None:
    """Return the visits a wish is about, or show how they stand when it is no longer the wish."""
    visit = work.session.get_one(Visit, args["visit"])
    on = date.fromisoformat(args["on"])
    if visit.state != stored.PLANNED or visit.plan_version != args["version"] or visit.proposed_on != on:
        work.answer("visit.overtaken")
        visits.show_visit(work, args)
        return None
    return [each for each in visit_reminders.same_day(work, visit) if each.proposed_on == on]


def _settle(work: Work, wished: list[Visit], outcome: str) -> None:
    for visit in wished:
        requests.settle_visit(work, visit, outcome)
