"""Which visit comes next, and what becomes of the one that was planned?"""

from dataclasses import replace
from datetime import date, timedelta

from bot.domain import visits as rules
from bot.domain.urgency import Urgency
from bot.domain.visits import PlannedVisit, VisitKind
from bot.store import visits
from bot.store.models import Subject, Visit
from bot.usecases import escalate, overdue, visit_reminders
from bot.work import Day, Lines, Text, Work

# In this order: the count goes by the injection, ferritin by the count.
RECURRING = (VisitKind.INJECTION, VisitKind.CBC, VisitKind.FERRITIN, VisitKind.EVALUATION)
UNDECIDED = "visit.undecided"


def plan_first(work: Work, subject: Subject) -> None:
    """Plan the first visits of a subject who was just enrolled.

    An injection date in the past is one that was given: it is recorded, and the next is planned from it.
    """
    if subject.first_injection_on is not None and subject.first_injection_on < work.today:
        first = _plan(work, subject, rules.first_injection(subject.first_injection_on))
        visits.write_record(
            work.session, first, visits.DONE, subject.first_injection_on, at=work.now, by=work.caller.label
        )
        visit_reminders.drop_reminders(work, first, "the visit is done")
    plan_next(work, subject)


def plan_next(work: Work, subject: Subject) -> None:
    """Plan what follows from what was held and what is planned; what stands already is left as it is.

    A day that the patient answered, that staff chose or that has come is not moved behind their backs, unless it
    cannot be any more.
    """
    for kind in RECURRING:
        _settle(work, subject, kind, _wanted(work, subject, kind), firmly=False)


def replan_all(work: Work, subject: Subject, reason: str) -> None:
    """Plan again after staff changed an interval or the arm, or corrected what was held.

    What the arm no longer has is cancelled, with everything queued for it, and the patient is told. Only a day that
    staff chose is kept, as long as it can be. Doing it twice changes nothing.
    """
    before = visits.open_all(work.session, subject)
    for kind in RECURRING:
        _settle(work, subject, kind, _wanted(work, subject, kind, work.today), firmly=True, reason=reason)
    visit_reminders.announce_gone(work, subject, [each for each in before if each.state == visits.CANCELLED])


def plan_again(work: Work, subject: Subject, visit: Visit, on: date) -> Visit:
    """Plan a visit that did not take place anew on the day that staff chose.

    Raises:
        TooEarly: an injection less than the shortest interval after the last one.
    """
    kind = VisitKind(visit.kind)
    check_new_day(work, subject, kind, on)
    again = _plan(work, subject, PlannedVisit(kind, on, on, on), title=visit.title, chosen=True)
    plan_next(work, subject)
    return again


def plan_extra(work: Work, subject: Subject, title: str, on: date) -> Visit:
    """Plan a visit that staff want besides those of the protocol, on the day they chose."""
    return _plan(work, subject, PlannedVisit(VisitKind.EXTRA, on, on, on), title=title, chosen=True)


def _wanted(work: Work, subject: Subject, kind: VisitKind, not_before: date | None = None) -> PlannedVisit | None:
    """Return the visit of a kind as the rules want it now, on a clinic day if there is one; None: none is due."""
    if not rules.has_visits(work.protocol.visits[kind], subject.arm):
        return None
    injection = visits.open_one(work.session, subject, VisitKind.INJECTION)
    # Without a day for the injection its count cannot be planned; the routine ones go on.
    injection_on = injection.target_on if injection is not None and not injection.undecided else None
    wanted = _by_rule(work, subject, kind, injection, injection_on, not_before)
    if wanted is None:
        return None
    found = rules.on_clinic_day(wanted, work.clinic, work.today, injection_on)
    if found.target_on != work.today or found.undecided or not _is_short_notice(work, subject, kind):
        return found
    tomorrow = work.today + timedelta(days=1)
    later = replace(wanted, target_on=tomorrow, last_on=max(wanted.last_on, tomorrow))
    return rules.on_clinic_day(later, work.clinic, tomorrow, injection_on)


def _is_short_notice(work: Work, subject: Subject, kind: VisitKind) -> bool:
    """Tell whether nobody expects the patient today, who would be told of it in the course of the day.

    Who is enrolled today is there, and the first injection has the day that staff named.
    """
    if subject.enrolled_at.astimezone(work.settings.zone).date() == work.today:
        return False
    if kind is VisitKind.INJECTION and not visits.held_days(work.session, subject, kind):
        return False
    return all(each.target_on != work.today for each in visits.open_told(work.session, subject))


def _by_rule(
    work: Work,
    subject: Subject,
    kind: VisitKind,
    injection: Visit | None,
    injection_on: date | None,
    not_before: date | None,
) -> PlannedVisit | None:
    rule = work.protocol.visits[kind]
    held = visits.held_days(work.session, subject, kind)
    last = held[-1] if held else None
    enrolled_on = subject.enrolled_at.astimezone(work.settings.zone).date()
    match kind:
        case VisitKind.INJECTION if last is not None:
            return rules.next_injection(last, subject.injection_interval_days or rule.initial_days, rule, not_before)
        case VisitKind.INJECTION:
            first_on = subject.first_injection_on
            return None if first_on is None else rules.first_injection(first_on)
        case VisitKind.CBC:
            return rules.next_cbc(last, subject.cbc_interval_days, rule, injection_on, enrolled_on, not_before)
        case VisitKind.FERRITIN:
            on_demand = subject.arm in rule.on_demand_arms
            chosen = subject.ferritin_interval_days
            # Staff have chosen 0 where they want none.
            interval = (None if on_demand else rule.initial_days) if chosen is None else chosen or None
            count = visits.open_one(work.session, subject, VisitKind.CBC)
            count_on = count.target_on if count is not None and not count.undecided else None
            return None if interval is None else rules.next_ferritin(last, interval, rule, count_on, enrolled_on)
        case _:
            if last is not None:
                return None
            before = injection.last_on if injection is not None and injection.undecided else injection_on
            given = visits.held_days(work.session, subject, VisitKind.INJECTION)
            return rules.evaluation(given, work.protocol.evaluation, before)


def _settle(
    work: Work, subject: Subject, kind: VisitKind, wanted: PlannedVisit | None, *, firmly: bool, reason: str = ""
) -> None:
    """Make the planned visit of a kind what it should be."""
    present = visits.open_one(work.session, subject, kind)
    if wanted is None:
        # The first injection may have no day yet, and staff may plan an evaluation that the rules do not ask for.
        if present is not None and firmly and not present.chosen:
            cancel(work, present, reason)
        elif present is not None and not rules.has_visits(work.protocol.visits[kind], subject.arm):
            cancel(work, present, reason or "the arm has no such visits")
        return
    if present is None:
        _plan(work, subject, wanted)
        return
    if present.target_on == wanted.target_on and present.undecided == wanted.undecided:
        if not present.chosen:
            present.first_on, present.last_on = wanted.first_on, wanted.last_on
        return
    answered = present.reply is not None or present.target_on <= work.today
    if (present.chosen or (answered and not firmly)) and _can_stay(work, subject, present, wanted):
        return
    move(work, present, wanted.target_on, wanted)
    if kind.is_told:
        visit_reminders.announce(work, present)


def _can_stay(work: Work, subject: Subject, present: Visit, wanted: PlannedVisit) -> bool:
    """Tell whether a visit can keep the day that it has."""
    match wanted.kind:
        case VisitKind.INJECTION:
            return present.target_on >= wanted.first_on
        case VisitKind.CBC:
            # A dose without a count before it is worse than a day that changes.
            injection = visits.open_one(work.session, subject, VisitKind.INJECTION)
            if injection is None or injection.undecided or wanted.target_on > injection.target_on:
                return True
            return present.target_on <= injection.target_on
        case _:
            return True


def _plan(
    work: Work, subject: Subject, planned: PlannedVisit, *, title: str | None = None, chosen: bool = False
) -> Visit:
    visit = Visit(
        subject_id=subject.id or 0,
        kind=planned.kind,
        title=title,
        target_on=planned.target_on,
        first_on=planned.first_on,
        last_on=planned.last_on,
        undecided=planned.undecided,
        chosen=chosen,
        planned_at=work.now,
    )
    work.session.add(visit)
    work.session.flush()
    _look_after(work, subject, visit, planned)
    return visit


def _look_after(work: Work, subject: Subject, visit: Visit, planned: PlannedVisit) -> None:
    """Enter the reminders and the staff's tasks that belong to the day of a visit."""
    if VisitKind(visit.kind).is_told:
        visit_reminders.plan_reminders(work, subject, visit)
    overdue.watch(work, visit)
    if planned.undecided:
        _ask_for_a_day(work, subject, visit, planned)


def _ask_for_a_day(work: Work, subject: Subject, visit: Visit, planned: PlannedVisit) -> None:
    days: list[Text | Day | str] = [Day(day) for day in planned.proposed] or [Text("visit.no_proposal")]
    values = {
        "what": Text(f"visit.kind.{visit.kind}"),
        "day": Day(planned.target_on),
        "first": Day(planned.first_on, "short_day"),
        "last": Day(planned.last_on, "short_day"),
        "days": Lines(days, between=" / "),
    }
    escalate.raise_case(
        work,
        subject,
        Urgency.YELLOW,
        [UNDECIDED],
        [Text("request.undecided", values)],
        kind=escalate.REQUEST,
        visit_id=visit.id,
    )


def check_new_day(work: Work, subject: Subject, kind: VisitKind, on: date) -> None:
    """Raise TooEarly for an injection before the shortest interval after the last real one."""
    if kind is not VisitKind.INJECTION:
        return
    last = visits.last_held(work.session, subject, kind)
    if last is not None:
        earliest = last + timedelta(days=work.protocol.visits[kind].shortest_days)
        if on < earliest:
            raise rules.TooEarly(on, earliest)


def cancel(work: Work, visit: Visit, reason: str) -> None:
    """Take a planned visit out of the plan, with everything that was planned or queued for it."""
    visit_reminders.drop_reminders(work, visit, reason)
    visit.state = visits.CANCELLED
    work.session.flush()


def move(work: Work, visit: Visit, on: date, planned: PlannedVisit | None = None) -> None:
    """Move a visit; whatever was planned or queued for the old day is cancelled with it.

    Without ``planned`` it is staff who chose the day: it keeps its window, and a new plan leaves it where it is.

    Raises:
        TooEarly: an injection less than the shortest interval after the last one.
    """
    subject = work.session.get_one(Subject, visit.subject_id)
    kind = VisitKind(visit.kind)
    check_new_day(work, subject, kind, on)
    visit_reminders.drop_reminders(work, visit, "the visit was moved")
    if visit.moved_from_on is None or visit.moved_from_on < work.today:
        visit.moved_from_on, visit.moved_from_version = visit.target_on, visit.plan_version
    visit.target_on = on
    visit.chosen = planned is None
    if planned is None:
        planned = PlannedVisit(kind, on, visit.first_on, visit.last_on)
    visit.first_on, visit.last_on = planned.first_on, planned.last_on
    visit.undecided = planned.undecided
    visit.plan_version += 1
    visit.reply = visit.replied_at = visit.replied_by = None
    visit.proposed_on = visit.proposed_at = None
    work.session.flush()
    _look_after(work, subject, visit, planned)
