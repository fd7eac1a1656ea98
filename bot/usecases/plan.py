"""Which visit comes next, and what becomes of the one that was planned?"""

from datetime import date, timedelta

from bot.domain import visits as rules
from bot.domain.visits import PlannedVisit, VisitKind
from bot.store import visits
from bot.store.models import Subject, Visit, VisitRecord
from bot.usecases import visit_reminders
from bot.work import Work


def plan_first(work: Work, subject: Subject) -> None:
    """Plan the first visits of a subject who was just enrolled.

    An injection date in the past is one that was given: it is recorded, and the next is planned from it.
    """
    if subject.first_injection_on is not None:
        first = _plan(work, subject, rules.first_injection(subject.first_injection_on))
        if subject.first_injection_on < work.today:
            _record(work, first, visits.DONE, subject.first_injection_on)
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
    elif present.target_on != planned.target_on and present.reply is None and present.plan_version == 1:
        # A day that the patient confirmed or staff chose is not moved behind their backs.
        move(work, present, planned.target_on, planned)
        visit_reminders.announce(work, present)


def _plan_next_injection(work: Work, subject: Subject, last_on: date) -> Visit:
    rule = work.protocol.visits[VisitKind.INJECTION]
    interval = subject.injection_interval_days or rule.initial_days
    return _plan(work, subject, rules.next_injection(last_on, interval, rule))


def _plan(work: Work, subject: Subject, planned: PlannedVisit) -> Visit:
    visit = Visit(
        subject_id=subject.id or 0,
        kind=planned.kind,
        target_on=planned.target_on,
        first_on=planned.first_on,
        last_on=planned.last_on,
        planned_at=work.now,
    )
    work.session.add(visit)
    work.session.flush()
    visit_reminders.plan_reminders(work, subject, visit)
    return visit


def record(work: Work, visit: Visit, outcome: str, held_on: date | None, next_on: date | None = None) -> Visit:
    """Record a visit as done on a day, or as missed with the new day; return the visit planned next.

    Raises:
        InFuture, TooEarly: the day cannot be.
    """
    subject = work.session.get_one(Subject, visit.subject_id)
    if outcome == visits.DONE:
        assert held_on is not None
        kind = VisitKind(visit.kind)
        rules.check_held(
            work.protocol.visits[kind],
            subject.arm,
            held_on,
            work.today,
            visits.last_held(work.session, subject, kind),
        )
    _record(work, visit, outcome, held_on)
    if visit.kind == VisitKind.INJECTION:
        if outcome == visits.DONE:
            assert held_on is not None
            following = _plan_next_injection(work, subject, held_on)
        else:
            following = _plan(work, subject, _missed_plan(work, subject, VisitKind.INJECTION, next_on))
        plan_cbc(work, subject)
        return following
    if outcome == visits.DONE:
        plan_cbc(work, subject)
    else:
        _plan(work, subject, _missed_plan(work, subject, VisitKind.CBC, next_on))
    present = visits.open_one(work.session, subject, VisitKind.CBC)
    assert present is not None
    return present


def _missed_plan(work: Work, subject: Subject, kind: VisitKind, next_on: date | None) -> PlannedVisit:
    """Return the plan for a visit that staff moved to ``next_on``.

    Raises:
        TooEarly: an injection less than the shortest interval after the last one.
    """
    assert next_on is not None
    check_new_day(work, subject, kind, next_on)
    return PlannedVisit(kind, next_on, next_on, next_on)


def check_new_day(work: Work, subject: Subject, kind: VisitKind, on: date) -> None:
    """Raise TooEarly for an injection before the shortest interval after the last real one."""
    last = visits.last_held(work.session, subject, kind)
    rule = work.protocol.visits[kind]
    if kind is VisitKind.INJECTION and last is not None:
        earliest = last + timedelta(days=rule.shortest_days)
        if on < earliest:
            raise rules.TooEarly(on, earliest)


def _record(work: Work, visit: Visit, outcome: str, held_on: date | None) -> None:
    visit.state = outcome
    work.session.add(
        VisitRecord(
            visit_id=visit.id or 0,
            outcome=outcome,
            held_on=held_on,
            recorded_at=work.now,
            recorded_by=work.caller.label,
        )
    )
    work.session.flush()
    visit_reminders.drop_reminders(work, visit, f"the visit is {outcome}")


def move(work: Work, visit: Visit, on: date, window: PlannedVisit | None = None) -> None:
    """Move a visit; whatever was planned or queued for the old day is cancelled with it."""
    subject = work.session.get_one(Subject, visit.subject_id)
    check_new_day(work, subject, VisitKind(visit.kind), on)
    visit_reminders.drop_reminders(work, visit, "the visit was moved")
    visit.target_on = on
    if window is not None:
        visit.first_on, visit.last_on = window.first_on, window.last_on
    visit.plan_version += 1
    visit.reply = visit.replied_at = visit.replied_by = None
    visit.proposed_on = visit.proposed_at = None
    work.session.flush()
    visit_reminders.plan_reminders(work, subject, visit)
