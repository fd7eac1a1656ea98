"""What became of a visit, who says so, and what follows when that is corrected?"""

from datetime import date

from bot.domain import visits as rules
from bot.domain.participation import ParticipationState
from bot.domain.roles import PHYSICIANS
from bot.domain.visits import Deviation, PlannedVisit, TooEarly, TooNear, VisitKind
from bot.store import visits
from bot.store.models import Subject, Visit, VisitRecord
from bot.usecases import plan, reasons, visit_reminders
from bot.usecases.requests import settle_visit
from bot.work import Work

PLANNABLE = (ParticipationState.INVITED, ParticipationState.ON_STUDY)


def record(
    work: Work,
    visit: Visit,
    outcome: str,
    held_on: date | None,
    next_on: date | None = None,
    *,
    source: str = visits.CLINIC,
    reason: str | None = None,
) -> Visit | None:
    """Record a planned visit as done on a day, or as missed or not needed; return the visit planned next.

    ``next_on`` is the new day that staff chose for one that did not take place; an injection and a blood count
    always have one.

    Raises:
        InFuture, NotInThisArm, TooEarly, TooNear: the day cannot be.
    """
    subject = work.session.get_one(Subject, visit.subject_id)
    kind = VisitKind(visit.kind)
    if outcome == visits.DONE:
        assert held_on is not None
        check_held(work, subject, kind, held_on, reason=reason)
    elif next_on is not None:
        plan.check_new_day(work, subject, kind, next_on)
    _write(work, subject, visit, outcome, held_on, source, reason)
    visit_reminders.drop_reminders(work, visit, f"the visit is {outcome}")
    settle_visit(work, visit, f"visit_{outcome}")
    _look_again(work, subject, kind)
    if next_on is not None and outcome != visits.DONE:
        return plan.plan_again(work, subject, visit, next_on)
    plan.plan_next(work, subject)
    return visits.open_one(work.session, subject, kind)


def correct(
    work: Work,
    visit: Visit,
    outcome: str,
    held_on: date | None,
    *,
    source: str,
    reason: str,
    next_on: date | None = None,
) -> None:
    """Record a visit anew as the next version, and plan again what follows from it.

    ``next_on`` is the day of the first injection when no real one is left to plan from.

    Raises:
        InFuture, TooEarly, TooNear: the day cannot be.
    """
    subject = work.session.get_one(Subject, visit.subject_id)
    kind = VisitKind(visit.kind)
    if held_on is not None:
        check_held(work, subject, kind, held_on, besides=visit.id, reason=reason)
    reasons.because(work, reason)
    _write(work, subject, visit, outcome, held_on, source, reason)
    _look_again(work, subject, kind)
    if ParticipationState(subject.state) not in PLANNABLE:
        return
    if next_on is not None:
        subject.first_injection_on = next_on
        work.session.flush()
    plan.replan_all(work, subject, "a visit was corrected")


def explain(work: Work, visit: Visit, reason: str) -> None:
    """Give the reason for a deviation that was recorded without one."""
    newest = visits.newest_record(work.session, visit.id or 0)
    assert newest is not None
    subject = work.session.get_one(Subject, visit.subject_id)
    reasons.because(work, reason)
    _write(work, subject, visit, newest.outcome, newest.held_on, newest.source, reason)


def check_held(
    work: Work, subject: Subject, kind: VisitKind, on: date, *, besides: int | None = None, reason: str | None = None
) -> None:
    """Refuse a day on which a visit cannot have been held, besides the visit ``besides`` itself.

    An investigator may record an injection that was given too early, with a reason.

    Raises:
        InFuture, NotInThisArm, TooEarly, TooNear: the day cannot be.
    """
    rule = work.protocol.visits[kind]
    # What was recorded in an earlier arm may be corrected in this one.
    rules.check_held(rule, subject.arm if besides is None else rule.arms[0], on, work.today, None)
    if kind is not VisitKind.INJECTION or (reason and may_override(work)):
        return
    rules.check_spacing(rule, on, visits.held_days(work.session, subject, kind, besides))


def may_override(work: Work) -> bool:
    """Return whether the caller may record an injection nearer to another than the shortest interval."""
    return work.caller.role in PHYSICIANS


def is_too_near(work: Work, subject: Subject, on: date, besides: int | None = None) -> bool:
    """Return whether an injection on this day lies nearer to another real one than the shortest interval."""
    rule = work.protocol.visits[VisitKind.INJECTION]
    try:
        rules.check_spacing(rule, on, visits.held_days(work.session, subject, VisitKind.INJECTION, besides))
    except (TooEarly, TooNear):
        return True
    return False


def deviations(work: Work, subject: Subject, visit: Visit, outcome: str, held_on: date | None) -> list[Deviation]:
    """Return how a visit deviates with this outcome, the gravest first; one that staff added has no window."""
    kind = VisitKind(visit.kind)
    if kind is VisitKind.EXTRA:
        return []
    if outcome == visits.MISSED:
        return [Deviation.MISSED]
    if held_on is None:
        return []
    days = visits.held_days(work.session, subject, kind, visit.id)
    found = rules.deviations_of(
        PlannedVisit(kind, visit.target_on, visit.first_on, visit.last_on),
        work.protocol.visits[kind],
        held_on,
        max((each for each in days if each <= held_on), default=None),
        visits.held_days(work.session, subject, VisitKind.CBC),
        work.protocol.visits[VisitKind.CBC].before_injection_days,
    )
    return list(found)


def _write(
    work: Work,
    subject: Subject,
    visit: Visit,
    outcome: str,
    held_on: date | None,
    source: str,
    reason: str | None,
) -> VisitRecord:
    return visits.write_record(
        work.session,
        visit,
        outcome,
        held_on,
        at=work.now,
        by=work.caller.label,
        source=source,
        reason=reason,
        deviations=deviations(work, subject, visit, outcome, held_on),
    )


def _look_again(work: Work, subject: Subject, kind: VisitKind) -> None:
    """Judge the injections again whose deviation depends on what was just recorded: the count often comes second."""
    if kind not in (VisitKind.CBC, VisitKind.INJECTION):
        return
    for visit, newest in visits.injections_held(work.session, subject):
        found = deviations(work, subject, visit, newest.outcome, newest.held_on)
        if found != visits.deviations_in(newest):
            reason = newest.reason if found and newest.reason else reasons.OTHERS_CHANGED
            _write(work, subject, visit, newest.outcome, newest.held_on, newest.source, reason)
