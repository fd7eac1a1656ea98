"""Which visit comes next, and what becomes of the one that was planned?"""

from datetime import date, timedelta

from bot.domain import visits as rules
from bot.domain.visits import PlannedVisit, VisitKind
from bot.store import visits
from bot.store.models import Subject, Visit
from bot.usecases import visit_reminders
from bot.work import Work


def plan_first(work: Work, subject: Subject) -> None:
    """Plan the first visits of a subject who was just enrolled.

    An injection date in the past is one that was given: it is recorded, and the next is planned from it.
    """
    if subject.first_injection_on is not None:
        first = _plan(work, subject, rules.first_injection(subject.first_injection_on))
        if subject.first_injection_on < work.today:
            visits.write_record(
                work.session,
                first,
                visits.DONE,
                subject.first_injection_on,
                at=work.now,
                by=work.caller.label,
            )
            visit_reminders.drop_reminders(work, first, "the visit is done")
            _plan_next_injection(work, subject, subject.first_injection_on)
    plan_cbc(work, subject)


def plan_cbc(work: Work, subject: Subject, not_before: date | None = None) -> None:
    """Plan the next blood count, or move it when the injection it belongs to has moved."""
    injection = visits.open_one(work.session, subject, VisitKind.INJECTION)
    enrolled_on = subject.enrolled_at.astimezone(work.settings.zone).date()
    planned = rules.next_cbc(
        visits.last_held(work.session, subject, VisitKind.CBC),
        subject.cbc_interval_days,
        work.protocol.visits[VisitKind.CBC],
        injection.target_on if injection else None,
        enrolled_on,
        not_before,
    )
    present = visits.open_one(work.session, subject, VisitKind.CBC)
    if present is None:
        _plan(work, subject, planned)
    elif present.target_on != planned.target_on and present.reply is None and not present.chosen:
        # A day that the patient confirmed or staff chose is not moved behind their backs.
        move(work, present, planned.target_on, planned)
        visit_reminders.announce(work, present)


def plan_next(work: Work, subject: Subject) -> None:
    """Plan what follows from what was held and what is planned; what stands already is left as it is."""
    last = visits.last_held(work.session, subject, VisitKind.INJECTION)
    rule = work.protocol.visits[VisitKind.INJECTION]
    planned = visits.open_one(work.session, subject, VisitKind.INJECTION)
    if planned is None and last is not None and rules.has_visits(rule, subject.arm):
        _plan_next_injection(work, subject, last)
    plan_cbc(work, subject)


def plan_again(work: Work, subject: Subject, visit: Visit, on: date) -> Visit:
    """Plan a visit like one that did not take place, on the day that staff chose.

    Raises:
        TooEarly: an injection less than the shortest interval after the last one.
    """
    kind = VisitKind(visit.kind)
    check_new_day(work, subject, kind, on)
    again = _plan(work, subject, PlannedVisit(kind, on, on, on), title=visit.title, chosen=True)
    plan_next(work, subject)
    return again


def plan_extra(work: Work, subject: Subject, title: str, on: date) -> Visit:
    """Plan a visit that the protocol does not name, on the day that staff chose."""
    return _plan(work, subject, PlannedVisit(VisitKind.EXTRA, on, on, on), title=title, chosen=True)


def replan_all(work: Work, subject: Subject, reason: str) -> None:
    """Plan everything again from what really happened, and drop what this arm does not have.

    A day that a person chose stays as long as the injection before it stays.
    """
    for each in visits.open_all(work.session, subject):
        if not rules.has_visits(work.protocol.visits[VisitKind(each.kind)], subject.arm):
            cancel(work, each, reason)
    rule = work.protocol.visits[VisitKind.INJECTION]
    last = visits.last_held(work.session, subject, VisitKind.INJECTION)
    first_on = subject.first_injection_on
    planned = rules.first_injection(first_on) if first_on is not None else None
    if last is not None:
        planned = rules.next_injection(last, subject.injection_interval_days or rule.initial_days, rule, work.today)
    if rules.has_visits(rule, subject.arm) and planned is not None:
        present = visits.open_one(work.session, subject, VisitKind.INJECTION)
        if present is None:
            _plan(work, subject, planned)
        elif present.target_on != planned.target_on and (not present.chosen or present.first_on != planned.first_on):
            move(work, present, planned.target_on, planned)
            visit_reminders.announce(work, present)
        else:
            present.first_on, present.last_on = planned.first_on, planned.last_on
    plan_cbc(work, subject)


def cancel(work: Work, visit: Visit, reason: str) -> None:
    """Take a visit off the plan; whatever was planned or queued for it is cancelled with it."""
    visit.state = visits.CANCELLED
    work.session.flush()
    visit_reminders.drop_reminders(work, visit, reason)


def _plan_next_injection(work: Work, subject: Subject, last_on: date) -> Visit:
    rule = work.protocol.visits[VisitKind.INJECTION]
    interval = subject.injection_interval_days or rule.initial_days
    return _plan(work, subject, rules.next_injection(last_on, interval, rule))


def _plan(
    work: Work, subject: Subject, planned: PlannedVisit, *, title: str | None = None, chosen: bool = False
) -> Visit:
    visit = Visit(
        subject_id=subject.id or 0,
        kind=planned.kind,
        title=title,
        chosen=chosen,
        target_on=planned.target_on,
        first_on=planned.first_on,
        last_on=planned.last_on,
        planned_at=work.now,
    )
    work.session.add(visit)
    work.session.flush()
    visit_reminders.plan_reminders(work, subject, visit)
    return visit


def check_new_day(work: Work, subject: Subject, kind: VisitKind, on: date) -> None:
    """Raise TooEarly for an injection before the shortest interval after the last real one."""
    last = visits.last_held(work.session, subject, kind)
    rule = work.protocol.visits[kind]
    if kind is VisitKind.INJECTION and last is not None:
        earliest = last + timedelta(days=rule.shortest_days)
        if on < earliest:
            raise rules.TooEarly(on, earliest)


def move(work: Work, visit: Visit, on: date, window: PlannedVisit | None = None) -> None:
    """Move a visit; whatever was planned or queued for the old day is cancelled with it.

    With a ``window`` it is the rules that move it, without one a person.
    """
    subject = work.session.get_one(Subject, visit.subject_id)
    check_new_day(work, subject, VisitKind(visit.kind), on)
    visit_reminders.drop_reminders(work, visit, "the visit was moved")
    visit.target_on = on
    if window is not None:
        visit.first_on, visit.last_on = window.first_on, window.last_on
    visit.chosen = window is None
    visit.plan_version += 1
    visit.undecided = False
    visit.proposed_on = visit.proposed_at = None
    visit.reply = visit.replied_at = visit.replied_by = None
    work.session.flush()
    visit_reminders.plan_reminders(work, subject, visit)
