"""Which visits does a coming closure of the clinic affect, and where can they go with one tap?"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlmodel import col, or_

from bot.domain.calendar import Closure
from bot.domain.participation import ParticipationState
from bot.domain.reminders import daily_at
from bot.domain.visits import PlannedVisit, VisitKind, on_clinic_day
from bot.store import audit, people, visits
from bot.store.models import Account, AgendaItem, Subject, Visit
from bot.usecases import cases, due, plan, screens, visit_reminders
from bot.usecases.requests import settle_visit
from bot.usecases.visits import show_visit
from bot.work import Button, Day, Lane, Lines, Text, Work

LIST = "closure.list"


def look_ahead(work: Work) -> None:
    """Enter the list of each closure that is near enough, once; a closure that changes is another one."""
    rule = work.protocol.closures
    ahead = timedelta(days=rule.told_days_before)
    # A short closure counts too: it may have been entered after a visit was planned on its day.
    for closure in work.clinic.closures(work.today, work.today + ahead, at_least=1):
        work.plan(
            LIST,
            f"{LIST}:{closure.first_on.isoformat()}:{closure.last_on.isoformat()}",
            daily_at(closure.first_on - ahead, work.protocol.yellow_at, work.settings.zone),
            closure.first_on.toordinal(),  # it is about days and no row
            useful_until=daily_at(closure.last_on, work.protocol.yellow_at, work.settings.zone),
            first=closure.first_on.isoformat(),
            last=closure.last_on.isoformat(),
        )


def tell(work: Work, item: AgendaItem) -> str:
    """Send every coordinator the list of the visits that a closure affects; nothing when there are none."""
    closure = _closure(item.detail)
    count, found = affected(work, closure)
    if not count:
        return "no visit is affected"
    for _, account in people.staff(work.session, ["coordinator"]):
        _show(work, account, closure, count, found, dedupe_key=f"{item.key}:{account.id}")
    return "staff told"


def affected(work: Work, closure: Closure, page: int = 0) -> tuple[int, Sequence[tuple[Visit, Subject]]]:
    """Return how many planned visits lie in a closure or have a window that ends in a long one, and one page."""
    inside = col(Visit.target_on).between(closure.first_on, closure.last_on)
    ends = col(Visit.last_on).between(closure.first_on, closure.last_on)
    condition = (
        Visit.state == visits.PLANNED,
        col(Visit.target_on) >= work.today,
        col(Visit.target_on) <= closure.last_on,
        or_(inside, ends) if closure.days >= work.protocol.closures.at_least_days else inside,
        col(Subject.state).in_((ParticipationState.INVITED, ParticipationState.ON_STUDY)),
    )
    return due.page_of(work, condition, page)


def proposal(work: Work, visit: Visit, closure: Closure) -> date | None:
    """Return the day to which a visit can go; None when its day is before the closure and it can stay.

    The rules of the window come first. Where they leave no day, an injection may still be given on an earlier
    open day of its window, and anything else soon after the closure.
    """
    if not closure.covers(visit.target_on):
        return None
    planned = PlannedVisit(VisitKind(visit.kind), visit.target_on, visit.first_on, visit.last_on)
    placed = on_clinic_day(planned, work.clinic, work.today, _injection_on(work, visit))
    if not placed.undecided:
        return placed.target_on
    return placed.proposed[0] if placed.proposed else None


def _injection_on(work: Work, visit: Visit) -> date | None:
    subject = work.session.get_one(Subject, visit.subject_id)
    injection = visits.open_one(work.session, subject, VisitKind.INJECTION)
    return injection.target_on if injection is not None and not injection.undecided else None


def show_page(work: Work, args: dict[str, Any]) -> None:
    """Show another page of the list as it is now."""
    closure = _closure(args)
    count, found = affected(work, closure, args["page"])
    if not count:
        work.answer("closure.none_left", first=Day(closure.first_on), last=Day(closure.last_on))
        return
    audit.record(work.session, "closure.listed", page=args["page"])
    account = work.session.get_one(Account, work.caller.account_id)
    _show(work, account, closure, count, found, args["page"])


def move(work: Work, args: dict[str, Any]) -> None:
    """Move a visit to the day that the list proposed, unless it has changed since."""
    visit = work.session.get_one(Visit, args["visit"], with_for_update=True)
    on = date.fromisoformat(args["on"])
    if visit.state != visits.PLANNED or visit.plan_version != args["version"] or on < work.today:
        work.note("closure.toast.changed")
        show_visit(work, {"visit": visit.id})
        return
    subject = work.session.get_one(Subject, visit.subject_id)
    plan.move(work, visit, on)
    settle_visit(work, visit, "visit_moved")
    if VisitKind(visit.kind).is_told:
        visit_reminders.announce(work, visit)
    plan.plan_next(work, subject)
    work.answer("closure.moved", code=subject.code, what=Text(f"visit.kind.{visit.kind}"), day=Day(on, "full_day"))


def _show(
    work: Work,
    account: Account,
    closure: Closure,
    count: int,
    found: Sequence[tuple[Visit, Subject]],
    page: int = 0,
    dedupe_key: str | None = None,
) -> None:
    lines: list[Text | Day | str] = []
    rows: list[list[Button]] = []
    for visit, subject in found:
        on = proposal(work, visit, closure)
        what, day = Text(f"visit.short.{visit.kind}"), Day(visit.target_on, "short_day")
        if on is not None:
            values = {"code": subject.code, "what": what, "day": day, "on": Day(on, "short_day")}
            lines.append(Text("closure.line.move", values))
        elif closure.covers(visit.target_on):
            lines.append(Text("closure.line.no_day", {"code": subject.code, "what": what, "day": day}))
        else:
            lines.append(Text("closure.line.stays", {"code": subject.code, "what": what, "day": day}))
        buttons = []
        if on is not None:
            moved = {"visit": visit.id, "version": visit.plan_version, "on": on.isoformat()}
            buttons.append(
                Button(
                    "closure.button.move",
                    "closure.move",
                    moved,
                    values={"code": subject.code, "on": Day(on, "short_day")},
                )
            )
        buttons.append(
            Button("closure.button.other", "visit.open", {"visit": visit.id}, values={"code": subject.code})
        )
        rows.append(buttons)
    if warning := screens.provisional(work, closure.first_on, closure.last_on):
        lines += ["", warning]
    span = {"first": closure.first_on.isoformat(), "last": closure.last_on.isoformat()}
    rows += cases.pager("closure.page", page, count, **span)
    work.say(
        account,
        "closure.list",
        rows,
        lane=Lane.AMBER,
        purpose="staff",
        dedupe_key=dedupe_key,
        first=Day(closure.first_on),
        last=Day(closure.last_on),
        n=cases.how_many(count),
        lines=Lines(lines),
    )


def _closure(detail: dict[str, Any]) -> Closure:
    return Closure(date.fromisoformat(detail["first"]), date.fromisoformat(detail["last"]))
