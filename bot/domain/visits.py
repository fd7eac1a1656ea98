"""When is the next injection or blood count planned, and is it due, late or done?

All dates are calendar days at the subject's site. The rules for each kind know no clinic
calendar; `on_clinic_day` then finds an open day inside the window that they return.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from bot.domain.calendar import ClinicCalendar
from bot.errors import FollowupError


class VisitKind(StrEnum):
    """What a planned visit is for."""

    CBC = "cbc"
    EVALUATION = "evaluation"
    EXTRA = "extra"
    FERRITIN = "ferritin"
    INJECTION = "injection"

    @property
    def is_told(self) -> bool:
        """Return whether patients hear of such visits: evaluating the response is a task for staff."""
        return self is not VisitKind.EVALUATION

    @property
    def preparation(self) -> str:
        """Return what patients prepare for: every blood draw asks for the same."""
        return "blood" if self in (VisitKind.CBC, VisitKind.FERRITIN) else self.value


# These wait for their day, so they are moved later and never earlier.
LATER_ONLY = frozenset({VisitKind.INJECTION, VisitKind.EVALUATION})


class NoDay(StrEnum):
    """Why a visit has a target on which it cannot take place."""

    NO_OPEN_DAY = "no_open_day"  # the clinic is closed on every day that the rules allow


class VisitStatus(StrEnum):
    """Where a planned visit stands on a given day."""

    PLANNED = "planned"
    DUE = "due"
    LATE = "late"
    VERY_LATE = "very_late"
    DONE = "done"
    MISSED = "missed"


class Deviation(StrEnum):
    """How the day on which a visit was held differs from what the protocol asks, the gravest first."""

    TOO_EARLY = "too_early"  # an injection sooner after the last one than is safe
    NO_COUNT_BEFORE = "no_count_before"  # an injection without a blood count in the days before it
    MISSED = "missed"
    LATE = "late"
    EARLY = "early"

    @property
    def is_important(self) -> bool:
        """Return whether it may matter for safety; the investigator has the last word."""
        return self in (Deviation.TOO_EARLY, Deviation.NO_COUNT_BEFORE)


class TooEarly(FollowupError):
    """An injection was recorded sooner after the last one than the protocol allows."""

    def __init__(self, on: date, earliest_on: date) -> None:
        super().__init__(f"{on.isoformat()} is before {earliest_on.isoformat()}, the first allowed day")
        self.on = on
        self.earliest_on = earliest_on


class TooNear(FollowupError):
    """An injection was recorded less than the shortest interval before one that was really given later."""

    def __init__(self, on: date, other_on: date) -> None:
        super().__init__(f"{on.isoformat()} is too near before the one on {other_on.isoformat()}")
        self.on = on
        self.other_on = other_on


class NotInThisArm(FollowupError):
    """The subject's arm has no visits of this kind."""

    def __init__(self, kind: VisitKind, arm: str) -> None:
        super().__init__(f"arm {arm} has no {kind} visits")
        self.kind = kind
        self.arm = arm


class InFuture(FollowupError):
    """A visit was recorded as held on a day that has not come yet."""

    def __init__(self, on: date, today: date) -> None:
        super().__init__(f"{on.isoformat()} is after today, {today.isoformat()}")
        self.on = on
        self.today = today


class IntervalNotAllowed(FollowupError):
    """The chosen interval lies outside what the protocol allows for this kind of visit."""

    def __init__(self, days: int, rule: VisitRule) -> None:
        super().__init__(f"{days} days is outside {rule.shortest_days}-{rule.longest_days} for {rule.kind}")
        self.days = days
        self.shortest_days = rule.shortest_days
        self.longest_days = rule.longest_days


@dataclass(frozen=True, slots=True)
class VisitRule:
    """How often one kind of visit recurs, in whole days; part of the protocol files.

    A kind that does not recur (an extra visit, the evaluation of the response) leaves the intervals at 0.
    In ``on_demand_arms`` nothing is planned until staff choose an interval.
    ``late_days`` and ``very_late_days`` count from the target day and are the first
    day of that status. ``before_injection_days`` is how many days before a planned
    injection a visit of this kind still counts for it (0 = only on the day itself).
    ``near_cbc_days`` is how far a visit of this kind moves to fall on the day of a blood count.
    """

    kind: VisitKind
    arms: tuple[str, ...]
    late_days: int
    very_late_days: int
    shortest_days: int = 0
    longest_days: int = 0
    initial_days: int = 0
    on_demand_arms: tuple[str, ...] = ()
    before_injection_days: int = 0
    near_cbc_days: int = 0


@dataclass(frozen=True, slots=True)
class EvaluationRule:
    """When the response to treatment is evaluated: the later of two days, and before the next injection.

    ``from_day`` counts from the first injection, ``after_last_days`` from injection number ``after_injections``.
    """

    from_day: int
    after_injections: int
    after_last_days: int


@dataclass(frozen=True, slots=True)
class PlannedVisit:
    """One visit with its target day and its window, both ends included.

    ``because`` says why nobody can be told the target; staff then choose, perhaps one of the days ``proposed``.
    """

    kind: VisitKind
    target_on: date
    first_on: date
    last_on: date
    because: NoDay | None = None
    proposed: tuple[date, ...] = ()

    @property
    def undecided(self) -> bool:
        return self.because is not None


def has_visits(rule: VisitRule, arm: str) -> bool:
    """Return whether subjects of ``arm`` have visits of this kind at all (a control has no injections)."""
    return arm in rule.arms


def interval_allowed(days: int, rule: VisitRule) -> bool:
    """Return whether staff may choose ``days`` between two visits of this kind, both ends included.

    Source: registry text of NCT06964971 (injection every 3 to 5 weeks, blood count every 1 to 3 weeks).
    """
    return rule.shortest_days <= days <= rule.longest_days


def in_window(visit: PlannedVisit, on: date) -> bool:
    """Return whether ``on`` lies in the visit's window, both ends included."""
    return visit.first_on <= on <= visit.last_on


def first_injection(on: date) -> PlannedVisit:
    """Return the first injection on the day staff chose; its window is that one day."""
    return PlannedVisit(VisitKind.INJECTION, on, on, on)


def next_injection(
    last_on: date, interval_days: int, rule: VisitRule, not_before: date | None = None
) -> PlannedVisit:
    """Return the injection that follows the one really given on ``last_on``.

    The window is counted from the real injection, never from an earlier plan: it opens
    ``rule.shortest_days`` after it (21: at least three weeks between doses, luspatercept
    label) and closes ``rule.longest_days`` after it (35, registry text).

    ``not_before`` plans again after a missed visit: the target is not before that day.
    Past the longest interval the window shrinks to the target, for nothing is on time any more.

    Raises:
        IntervalNotAllowed: ``interval_days`` is outside the rule.
    """
    _check_interval(interval_days, rule)
    target = last_on + timedelta(days=interval_days)
    if not_before is not None:
        target = max(target, not_before)
    first = last_on + timedelta(days=rule.shortest_days)
    last = last_on + timedelta(days=rule.longest_days)
    if target > last:
        first = last = target
    return PlannedVisit(VisitKind.INJECTION, target, first, last)


def next_cbc(
    last_on: date | None,
    interval_days: int,
    rule: VisitRule,
    injection_target: date | None,
    start: date,
    not_before: date | None = None,
) -> PlannedVisit:
    """Return the next blood count: routine, or the one that a planned injection needs.

    The routine count follows the last real count (or ``start``, the enrolment day, when
    there is none yet) by ``interval_days``, inside the rule's shortest and longest days.
    One count must lie ``rule.before_injection_days`` to 0 days before each planned
    injection, so haemoglobin is known before the dose (luspatercept label; the three days
    are a site default, to be confirmed by the PI):

    - the last count already lies there: the routine one follows;
    - the routine count would come after the injection: the count before it comes first, on
      day -1, or on day 0 when day -1 is less than the shortest interval after the last count;
    - the routine count falls into those days: it is kept and serves both;
    - it falls close before them (by no more than the same number of days): it is put off to
      the first of them, unless that would exceed the longest interval;
    - otherwise the routine count comes first, and the injection's own follows it.

    The count before an injection may come sooner than the shortest interval: safety before
    the dose outweighs sparing a needle. A control has no ``injection_target`` (None).
    ``not_before`` plans again after a missed visit: neither target nor window is before it.

    Raises:
        IntervalNotAllowed: ``interval_days`` is outside the rule.
    """
    _check_interval(interval_days, rule)
    anchor = start if last_on is None else last_on
    earliest = start if last_on is None else last_on + timedelta(days=rule.shortest_days)
    if not_before is not None:
        earliest = max(earliest, not_before)
    latest = anchor + timedelta(days=rule.longest_days)
    routine = max(anchor + timedelta(days=interval_days), earliest)

    if injection_target is None:
        return _cbc(routine, earliest, latest)
    before = timedelta(days=rule.before_injection_days)
    opens = injection_target - before
    if last_on is not None and last_on >= opens:
        return _cbc(routine, earliest, latest)
    if routine > injection_target:
        day_before = injection_target - timedelta(days=min(1, rule.before_injection_days))
        target = min(max(day_before, earliest), injection_target)
        if not_before is not None:
            target = max(target, not_before)
        # The window may open before the shortest interval has passed when the dose needs it.
        return _cbc(target, max(opens, min(earliest, target)), injection_target)
    if routine >= opens:
        return _cbc(routine, max(opens, earliest), min(injection_target, latest))
    if opens - routine <= before and opens <= latest:
        return _cbc(opens, opens, min(injection_target, latest))
    return _cbc(routine, earliest, latest)


def next_ferritin(
    last_on: date | None, interval_days: int, rule: VisitRule, cbc_on: date | None, start: date
) -> PlannedVisit:
    """Return the next ferritin: ``interval_days`` after the last one, or after ``start`` when there is none yet.

    It moves by up to ``rule.near_cbc_days`` to the day of the blood count planned on ``cbc_on``, so that the
    patient comes once. Source: the stop rule of deferasirox needs it (site default, to be confirmed by the PI).
    """
    _check_interval(interval_days, rule)
    anchor = start if last_on is None else last_on
    target = anchor + timedelta(days=interval_days)
    near = timedelta(days=rule.near_cbc_days)
    first = max(anchor + timedelta(days=rule.shortest_days), target - near)
    last = min(anchor + timedelta(days=rule.longest_days), target + near)
    if cbc_on is not None and first <= cbc_on <= last:
        target = cbc_on
    return PlannedVisit(VisitKind.FERRITIN, target, first, last)


def evaluation(
    injections: Sequence[date], rule: EvaluationRule, next_injection_on: date | None
) -> PlannedVisit | None:
    """Return when the response is evaluated, or None before the injections that it needs have been given.

    ``injections`` are the days of the real ones in order. The target is the later of ``rule.from_day`` after the
    first and ``rule.after_last_days`` after the last that is needed (registry text: after at least three cycles,
    nine weeks); the window ends with the next injection.
    """
    if len(injections) < rule.after_injections:
        return None
    target = max(
        injections[0] + timedelta(days=rule.from_day),
        injections[rule.after_injections - 1] + timedelta(days=rule.after_last_days),
    )
    last = target if next_injection_on is None else max(target, next_injection_on)
    return PlannedVisit(VisitKind.EVALUATION, target, target, last)


def on_clinic_day(
    visit: PlannedVisit, clinic: ClinicCalendar, today: date, injection_on: date | None = None
) -> PlannedVisit:
    """Return ``visit`` on an open day of its window, or undecided with proposals when there is none.

    Injections and evaluations wait for the next open day. Others take the nearest, of two the earlier, but none
    before ``today``. A count that comes before the injection on ``injection_on`` does not slip past it.
    Proposed are the last open day before the target (of an injection: not before its window) and the first one
    after it, whatever the window says: only staff may leave it.
    """
    target, last = visit.target_on, visit.last_on
    if clinic.is_open(target):
        return visit
    if visit.kind is VisitKind.CBC and injection_on is not None and target <= injection_on:
        last = min(last, injection_on)
    later = clinic.next_open(target, last)
    earlier = None
    if visit.kind not in LATER_ONLY:
        earlier = clinic.last_open(target, max(visit.first_on, min(today, target)))
    found = [day for day in (earlier, later) if day is not None]
    if found:
        return replace(visit, target_on=min(found, key=lambda day: (abs((day - target).days), day)))
    before = clinic.last_open(target, max(visit.first_on if visit.kind in LATER_ONLY else today, today))
    after = clinic.next_open(max(target, today))
    proposed = tuple(day for day in (before, after) if day is not None)
    return replace(visit, because=NoDay.NO_OPEN_DAY, proposed=proposed)


def overdue_on(rule: VisitRule, target_on: date, status: VisitStatus, clinic: ClinicCalendar) -> date:
    """Return the clinic day on which a visit that nobody recorded becomes late or very late."""
    days = rule.very_late_days if status is VisitStatus.VERY_LATE else rule.late_days
    day = target_on + timedelta(days=days)
    return clinic.next_open(day) or day


def visit_status(
    visit: PlannedVisit, rule: VisitRule, today: date, *, done_on: date | None = None, missed: bool = False
) -> VisitStatus:
    """Return where ``visit`` stands on ``today``; only a person makes it done or missed, never time.

    Planned until the day before the target, due from the target day, late (YELLOW) from
    ``rule.late_days`` after it and very late (AMBER) from ``rule.very_late_days`` after it.
    The days of delay are site defaults, to be confirmed by the PI.
    """
    if done_on is not None:
        return VisitStatus.DONE
    if missed:
        return VisitStatus.MISSED
    days = (today - visit.target_on).days
    if days >= rule.very_late_days:
        return VisitStatus.VERY_LATE
    if days >= rule.late_days:
        return VisitStatus.LATE
    return VisitStatus.DUE if days >= 0 else VisitStatus.PLANNED


def check_held(rule: VisitRule, arm: str, on: date, today: date, last_on: date | None) -> None:
    """Refuse to record a visit as held on ``on`` when the trial does not allow it.

    ``last_on`` is the last real visit of the same kind. Only injections can be too early:
    an extra blood count breaks no rule.

    Raises:
        NotInThisArm: the arm has no visits of this kind.
        InFuture: ``on`` is after ``today``.
        TooEarly: an injection less than ``rule.shortest_days`` (21) after the last one.
    """
    if not has_visits(rule, arm):
        raise NotInThisArm(rule.kind, arm)
    if on > today:
        raise InFuture(on, today)
    if rule.kind is VisitKind.INJECTION and last_on is not None:
        earliest_on = last_on + timedelta(days=rule.shortest_days)
        if on < earliest_on:
            raise TooEarly(on, earliest_on)


def check_spacing(rule: VisitRule, on: date, others: Collection[date]) -> None:
    """Refuse an injection on ``on`` that lies too near to one of ``others``, the days of all other real ones.

    Raises:
        TooEarly: less than ``rule.shortest_days`` after the one before.
        TooNear: less than ``rule.shortest_days`` before the one that followed.
    """
    shortest = timedelta(days=rule.shortest_days)
    before = max((each for each in others if each <= on), default=None)
    after = min((each for each in others if each > on), default=None)
    if before is not None and on < before + shortest:
        raise TooEarly(on, before + shortest)
    if after is not None and after < on + shortest:
        raise TooNear(on, after)


def deviations_of(
    visit: PlannedVisit, rule: VisitRule, on: date, last_on: date | None, counts: Collection[date], count_days: int
) -> tuple[Deviation, ...]:
    """Return how a visit that was held ``on`` differs from the protocol, the gravest first; empty if it does not.

    An injection is measured from ``last_on``, the last real one before it: sooner than ``rule.shortest_days`` is
    too early, later than ``rule.longest_days`` is late; the first injection can be neither. It needs one of
    ``counts`` (days of real blood counts) on day ``-count_days`` to 0. Everything else is measured by its window.
    """
    found = []
    if visit.kind is VisitKind.INJECTION:
        if last_on is not None and on < last_on + timedelta(days=rule.shortest_days):
            found.append(Deviation.TOO_EARLY)
        if not any(on - timedelta(days=count_days) <= each <= on for each in counts):
            found.append(Deviation.NO_COUNT_BEFORE)
        if last_on is not None and on > last_on + timedelta(days=rule.longest_days):
            found.append(Deviation.LATE)
    elif not in_window(visit, on):
        found.append(Deviation.LATE if on > visit.last_on else Deviation.EARLY)
    return tuple(found)


def _check_interval(days: int, rule: VisitRule) -> None:
    if not interval_allowed(days, rule):
        raise IntervalNotAllowed(days, rule)


def _cbc(target: date, first: date, last: date) -> PlannedVisit:
    """Return a blood count whose window always holds its target."""
    return PlannedVisit(VisitKind.CBC, target, min(first, target), max(last, target))
