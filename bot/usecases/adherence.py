"""How well are the tablets taken: of one patient in a period, and of everybody at the site?

Every screen, table, picture and digest takes its figures from `of` and `of_site`, and both give the same of the
same days. docs/figures.md defines each figure.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import case, func
from sqlalchemy import select as columns
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from bot.deps import Deps
from bot.domain import adherence as figures
from bot.domain import dose_letters
from bot.domain.adherence import Adherence, DoseStatus
from bot.domain.dose_spans import spans
from bot.domain.participation import ParticipationState
from bot.domain.reminders import daily_at
from bot.domain.supply import Coverage, coverage
from bot.domain.tablet_counts import CountKind
from bot.store.models import DoseChange, DoseMonth, DoseOrder, DoseReport, Subject, SubjectChange, TabletCount
from bot.usecases import dose_days

A_DAY = timedelta(days=1)

DAILY = "daily"  # an answer to the question of a day; one given weekly or told to staff is not late
RHYTHM = "dose_rhythm"


@dataclass(frozen=True, slots=True)
class Summary:
    """What is known of one patient's tablets.

    ``period`` is what was asked for, ``recent`` the last days up to its end, ``before`` as many before those
    (None where nothing was asked yet), ``whole`` everything from ``started_on`` to its end. ``coverage`` is the
    PDC of the period, None without any hand-out. ``weeks`` are the weeks of the period, Monday first, the ones at
    its ends cut off. ``reasons`` are codes and days, the most frequent first; ``late`` counts the days of the
    period whose first answer came after the day. ``statuses`` has every day of ``whole``.
    """

    started_on: date
    period: Adherence
    recent: Adherence
    before: Adherence | None
    whole: Adherence
    coverage: Coverage | None
    weeks: tuple[Adherence, ...]
    reasons: tuple[tuple[str, int], ...]
    late: int
    statuses: Mapping[date, DoseStatus]

    @property
    def trend(self) -> Fraction | None:
        """Return by how many points the share changed: the recent days against those before."""
        return figures.points_between(self.before, self.recent)


class Changed(NamedTuple):
    """What changed and from which day: order, hold, resume, stop, rhythm, or fell (the last day counted)."""

    what: str
    on: date


FELL = "fell"


class SiteRow(NamedTuple):
    """One patient in the table of the site; ``recent`` is None while nothing can be counted yet.

    ``is_below`` and ``is_silent``: the share is below, the unknown share above what the protocol file says.
    """

    subject_id: int
    code: str
    recent: Adherence | None
    before: Adherence | None
    is_below: bool
    is_silent: bool
    ran_out_on: date | None
    changes: tuple[Changed, ...]

    @property
    def trend(self) -> Fraction | None:
        return figures.points_between(self.before, self.recent)

    @property
    def needs_a_look(self) -> bool:
        """Return whether anything is not in order: share, silence, tablets that ran out, or a change."""
        return bool(self.is_below or self.is_silent or self.ran_out_on or self.changes)


def settled_on(session: Session, subject: Subject, today: date) -> date:
    """Return the last day that counts: today once it is answered, else yesterday, for today is not over."""
    report = dose_days.latest_report(session, subject, today)
    return today if report is not None and report.status in dose_letters.LETTERS else today - A_DAY


def of(session: Session, deps: Deps, subject: Subject, first_on: date, last_on: date) -> Summary | None:
    """Return the figures of one patient from ``first_on`` to ``last_on``, site days, both included.

    Days before the first question or answer are left out; None when no day is left.
    """
    started_on = begun_on(session, subject)
    if started_on is None or max(started_on, first_on) > last_on:
        return None
    first_on = max(started_on, first_on)
    known = dose_days.statuses(session, subject, started_on, last_on)

    def counted(first: date, last: date) -> Adherence | None:
        first = max(first, started_on)
        return figures.adherence(known, first, last) if first <= last else None

    window = deps.protocol.adherence.window_days
    recent_on = last_on - (window - 1) * A_DAY
    period, recent, whole = counted(first_on, last_on), counted(recent_on, last_on), counted(started_on, last_on)
    # Each holds the last day.
    assert period is not None
    assert recent is not None
    assert whole is not None
    reasons, late = _said(session, deps, subject, first_on, last_on)
    return Summary(
        started_on,
        period,
        recent,
        counted(recent_on - window * A_DAY, recent_on - A_DAY),
        whole,
        _coverage(session, subject, first_on, last_on),
        tuple(figures.adherence(known, *week) for week in _weeks(first_on, last_on)),
        reasons,
        late,
        known,
    )


def begun_on(session: Session, subject: Subject) -> date | None:
    """Return the first day that was asked about or answered: the start of what can be counted."""
    months = select(DoseMonth).where(DoseMonth.subject_id == subject.id).order_by(col(DoseMonth.month_on)).limit(1)
    first = session.exec(months).first()
    place = None if first is None else dose_letters.first_said(first.days)
    return None if first is None or place is None else first.month_on + place * A_DAY


def _weeks(first_on: date, last_on: date) -> Iterator[tuple[date, date]]:
    """Return the weeks of a period, from Monday to Sunday where it has both."""
    day = first_on
    while day <= last_on:
        sunday = min(day + (6 - day.weekday()) * A_DAY, last_on)
        yield day, sunday
        day = sunday + A_DAY


def _said(
    session: Session, deps: Deps, subject: Subject, first_on: date, last_on: date
) -> tuple[tuple[tuple[str, int], ...], int]:
    """Return the reasons of the newest reports, ranked, and on how many days the first answer came late."""
    newest: dict[date, Sequence[str]] = {}
    answered: dict[date, bool] = {}
    for report in session.exec(
        select(DoseReport)
        .where(
            DoseReport.subject_id == subject.id,
            col(DoseReport.day_on).between(first_on, last_on),
        )
        .order_by(col(DoseReport.version))
    ).all():
        newest[report.day_on] = report.reasons
        if report.day_on not in answered and report.status in dose_letters.LETTERS:
            said_on = report.reported_at.astimezone(deps.settings.zone).date()
            answered[report.day_on] = report.source == DAILY and said_on > report.day_on
    counted = Counter(code for codes in newest.values() for code in set(codes))
    ranked = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(ranked), sum(answered.values())


def _coverage(session: Session, subject: Subject, first_on: date, last_on: date) -> Coverage | None:
    """Return how many days what was dispensed covers: mg against the ordered mg of each day."""
    newest: dict[str, TabletCount] = {}
    for count in session.exec(
        select(TabletCount)
        .where(TabletCount.subject_id == subject.id, TabletCount.kind == CountKind.DISPENSED)
        .order_by(col(TabletCount.version))
    ).all():
        newest[count.occasion] = count
    dispensed: dict[date, Decimal] = {}
    for count in newest.values():
        if not count.void:
            mg = count.tablets * count.strength_mg
            dispensed[count.counted_on] = dispensed.get(count.counted_on, Decimal(0)) + mg
    if not dispensed:
        return None
    needed: dict[date, Decimal] = {}
    orders, changes = dose_days.orders_of(session, subject), dose_days.changes_of(session, subject)
    for first, last, standing in spans(orders, changes, min(*dispensed, last_on), last_on):
        if (order := standing.to_take) is not None:
            mg = order.tablets * order.times_a_day * order.strength_mg
            needed |= {first + offset * A_DAY: mg for offset in range((last - first).days + 1)}
    return coverage(dispensed, needed, first_on, last_on)


# The site


class _Window(NamedTuple):
    """Days that are counted together; ``begin`` and ``end`` are places of letters, ``end`` the first after it."""

    begin: int
    end: int
    first_on: date
    last_on: date


class _Order(NamedTuple):
    """What is read of an order; a row of the database would take several times as long to look at."""

    subject_id: int
    from_on: date
    until_on: date | None
    ordered_at: datetime
    void: bool


class _Change(NamedTuple):
    """What is read of a hold, its end or a stop."""

    subject_id: int
    what: str
    from_on: date
    recorded_at: datetime
    void: bool


_Read = TypeVar("_Read", _Order, _Change)


def of_site(session: Session, deps: Deps, today: date) -> list[SiteRow]:
    """Return a row for each patient on study whose arm takes the tablets, by code, with a fixed number of statements.

    The last days of each end with today once it is answered, else with yesterday. ``today`` is the site's day.
    """
    rule = deps.protocol.adherence
    taking = [code for code, arm in deps.protocol.arms.items() if arm.tablets]
    patients = (col(Subject.state) == ParticipationState.ON_STUDY) & col(Subject.arm).in_(taking)
    first_on, rows = _letters(session, patients, today)
    without, orders, changes = _ordered(session, patients, first_on, today)
    rhythms = _rhythms(session, deps, today - rule.changed_days * A_DAY)
    days = (today - first_on).days + 1
    open_today, settled_today = (
        [_window(days - back - weeks, first_on, rule.window_days) for weeks in (0, rule.window_days)]
        for back in (1, 0)
    )
    made = []
    for subject_id, code, letters, begun_before in rows:
        last_days, days_before = settled_today if dose_letters.is_settled(letters[-1]) else open_today
        given, said = orders.get(subject_id, ()), changes.get(subject_id, ())
        dosed = letters
        if given or said or subject_id in without:
            dosed = _with_orders(letters, first_on, given, said)
        begun = 0 if begun_before else dose_letters.first_said(letters)
        recent = before = None
        if begun is not None:
            recent, before = _counted(dosed, begun, last_days), _counted(dosed, begun, days_before)
        ran_out = dose_letters.last_ran_out(letters[-rule.ran_out_days :])
        changed: Sequence[Changed] = rhythms.get(subject_id, ())
        if given or said:
            changed = [*_changed(given, said, today, rule.changed_days), *changed]
        if figures.fell_by(before, recent, rule.drop_points):
            changed = [*changed, Changed(FELL, last_days.last_on)]
        made.append(
            SiteRow(
                subject_id,
                code,
                recent,
                before,
                recent is not None and recent.is_below(rule.below_percent),
                recent is not None and recent.unknown_is_above(rule.unknown_above_percent),
                None if ran_out is None else today - (min(rule.ran_out_days, days) - 1 - ran_out) * A_DAY,
                tuple(changed),
            )
        )
    return made


def _window(end: int, origin_on: date, days: int) -> _Window:
    return _Window(end - days, end, origin_on + (end - days) * A_DAY, origin_on + (end - 1) * A_DAY)


def _counted(letters: str, begun: int, window: _Window) -> Adherence | None:
    """Count the letters of a window, from the first day that was asked about on."""
    begin, end, first_on, last_on = window
    if begin < begun:
        if begun >= end:
            return None
        begin, first_on = begun, first_on + (begun - begin) * A_DAY
    return dose_letters.figures(letters[begin:end], first_on, last_on)


def _letters(session: Session, patients: Any, today: date) -> tuple[date, list[tuple[int, str, str, bool]]]:
    """Return the first day that is read, and of each patient the letters from then to today, and if earlier ones are.

    Three months hold two windows of 28 days, wherever today stands in its month.
    """
    third = today.replace(day=1)
    second = (third - A_DAY).replace(day=1)
    first = (second - A_DAY).replace(day=1)
    one, two, three = (aliased(DoseMonth) for _ in range(3))
    earlier = (
        select(DoseMonth.subject_id)
        .where(col(DoseMonth.subject_id) == col(Subject.id), col(DoseMonth.month_on) < first)
        .exists()
    )
    # Who was asked on the first day of these months has begun by then, and no older month is looked for.
    begun_before = case((func.substr(one.days, 1, 1) != dose_letters.NOTHING, True), else_=earlier)
    shown: list[Any] = [col(Subject.id), col(Subject.code), one.days, two.days, three.days, begun_before]
    everybody = columns(*shown).where(patients)
    # One row a patient: three times as many rows cost more than the joins do.
    for each, month in ((one, first), (two, second), (three, third)):
        everybody = everybody.outerjoin(each, (col(each.subject_id) == Subject.id) & (col(each.month_on) == month))
    empty = dose_letters.EMPTY
    days_one, days_two = (second - first).days, (third - second).days
    return first, [
        (number, code, (a or empty)[:days_one] + (b or empty)[:days_two] + (c or empty)[: today.day], bool(begun))
        for number, code, a, b, c, begun in session.connection().execute(everybody.order_by(col(Subject.code))).all()
    ]


def _with_orders(letters: str, first_on: date, orders: Sequence[_Order], changes: Sequence[_Change]) -> str:
    """Put "nothing to take" over the days that were held, stopped or without an order."""
    last_on = first_on + (len(letters) - 1) * A_DAY
    parts = []
    for first, last, standing in spans(orders, changes, first_on, last_on):
        begin, end = (first - first_on).days, (last - first_on).days + 1
        parts.append(letters[begin:end] if standing.to_take else dose_letters.NO_DOSE * (end - begin))
    return "".join(parts)


def _ordered(
    session: Session, patients: Any, first_on: date, last_on: date
) -> tuple[set[int], dict[int, list[_Order]], dict[int, list[_Change]]]:
    """Return who of the patients has no order over all these days, and the orders and changes of who has several.

    Most patients have the one order all the time; of them nothing is read.
    """
    order, change = col(DoseOrder.subject_id), col(DoseChange.subject_id)
    holds = (col(DoseOrder.from_on) <= first_on) & (
        col(DoseOrder.until_on).is_(None) | (col(DoseOrder.until_on) >= last_on)
    )
    valid, changed = col(DoseOrder.void).is_(False), col(DoseChange.void).is_(False)
    has_one = select(DoseOrder.id).where(order == col(Subject.id), valid, holds).exists()
    others = select(order).where(valid, ~holds).union(select(change).where(changed))
    orders: Any = columns(
        *(order, col(DoseOrder.from_on), col(DoseOrder.until_on), col(DoseOrder.ordered_at), col(DoseOrder.void))
    )
    changes: Any = columns(
        *(change, col(DoseChange.what), col(DoseChange.from_on), col(DoseChange.recorded_at), col(DoseChange.void))
    )
    several = orders.where(valid, order.in_(others))
    run = session.connection().execute
    return (
        set(run(select(Subject.id).where(patients, ~has_one)).scalars()),
        _by_subject(_Order._make(row) for row in run(several.order_by(col(DoseOrder.id).desc()))),
        _by_subject(_Change._make(row) for row in run(changes.where(changed).order_by(col(DoseChange.id)))),
    )


def _by_subject(rows: Iterable[_Read]) -> dict[int, list[_Read]]:
    found: dict[int, list[_Read]] = {}
    for row in rows:
        found.setdefault(row.subject_id, []).append(row)
    return found


def _changed(orders: Sequence[_Order], changes: Sequence[_Change], today: date, days: int) -> Iterator[Changed]:
    """Return what staff ordered within so many days, except a patient's first order."""
    since = today - days * A_DAY
    begun_on = min((order.from_on for order in orders), default=today)
    yield from (
        Changed("order", each.from_on) for each in orders if since < each.from_on <= today and each.from_on > begun_on
    )
    yield from (Changed(each.what, each.from_on) for each in changes if since < each.from_on <= today)


def _rhythms(session: Session, deps: Deps, since: date) -> dict[int, list[Changed]]:
    """Return the days, later than ``since``, from which patients were asked more or less often."""
    zone = deps.settings.zone
    midnight = daily_at(since + A_DAY, time(0), zone)
    query: Any = select(SubjectChange.subject_id, SubjectChange.changed_at).where(
        SubjectChange.what == RHYTHM, col(SubjectChange.changed_at) >= midnight
    )
    found: dict[int, list[Changed]] = {}
    for subject_id, at in session.connection().execute(query):
        found.setdefault(subject_id, []).append(Changed("rhythm", at.astimezone(zone).date()))
    return found


# In words


def percent(share: Fraction | None) -> str:
    """Return a share as whole percent, or a dash where there is none."""
    return "—" if share is None else f"{figures.whole_percent(share)} %"


def points(change: Fraction | None) -> str:
    """Return a change in whole percentage points with its sign, or a dash where there is none."""
    if change is None:
        return "—"
    whole = figures.whole_points(change)
    return f"+{whole}" if whole > 0 else f"\N{MINUS SIGN}{-whole}" if whole else "±0"
