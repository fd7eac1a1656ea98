"""How long do people take from a report to its end, and how much are they rung for it?

A case counts from its opening; one whose urgency rose counts by its highest urgency, from the moment it rose, so
that what was done before is no credit to it. What has not happened yet is never left out: it counts as taking at
least as long as it has waited, and where that decides a figure the figure is a lower bound. All times are aware UTC.
The definitions with an example are in docs/figures.md.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from fractions import Fraction

from bot.errors import FollowupError

NOTHING = timedelta(0)


class UnusableKpiRule(FollowupError, ValueError):
    """The numbers by which figures are made make no sense."""


class Group(StrEnum):
    """The cases that are looked at together: those of one chain of escalation.yaml, the most urgent first."""

    RED = "red"
    SERIOUS = "sae"
    AMBER = "amber"
    YELLOW = "yellow"
    REQUEST = "request"


class Stage(StrEnum):
    """What is awaited in a case, in the order in which it should come."""

    PAGED = "paged"  # a page really went out
    SEEN = "seen"  # a person of the staff looked
    ACKNOWLEDGED = "acknowledged"  # a person took it over
    CONTACTED = "contacted"  # a person spoke to the subject
    CLOSED = "closed"  # a person closed it with an outcome


class Hours(StrEnum):
    """When a case began."""

    WORKING = "working"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """Wall times at the site between which staff are there on an open clinic day; the start counts, the end does not.

    Raises:
        UnusableKpiRule: the end does not lie after the start.
    """

    starts: time
    ends: time

    def __post_init__(self) -> None:
        if self.ends <= self.starts:
            raise UnusableKpiRule(f"working hours from {self.starts:%H:%M} to {self.ends:%H:%M} never are")

    def when(self, local: datetime, is_open: Callable[[date], bool]) -> Hours:
        """Return whether ``local``, the time at the site, lies in the working hours of an open day."""
        inside = self.starts <= local.time() < self.ends and is_open(local.date())
        return Hours.WORKING if inside else Hours.OUTSIDE


@dataclass(frozen=True, slots=True)
class KpiRule:
    """By which numbers figures are made: working hours, the periods on offer, and what counts as a burst of pages.

    Raises:
        UnusableKpiRule: no period, a period or window without length, or a default that is not on offer.
    """

    working_hours: WorkingHours
    periods_days: tuple[int, ...]
    default_days: int
    burst_minutes: int

    def __post_init__(self) -> None:
        if not self.periods_days or min(self.periods_days) < 1:
            raise UnusableKpiRule("periods_days needs at least one period of at least 1 day")
        if self.default_days not in self.periods_days:
            raise UnusableKpiRule(f"default_days: {self.default_days} is none of periods_days")
        if self.burst_minutes < 1:
            raise UnusableKpiRule("burst_minutes must be at least 1")


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What figures need to know of one case.

    ``started_at``: when it was opened, or when its urgency last rose. ``reached``: the first time of each stage since
    then. ``waits_since``: since when nobody has it, None while somebody does or it is closed. ``acted``: a contact or
    something else that a person did is recorded.
    """

    group: Group
    hours: Hours
    started_at: datetime
    acknowledge_within: timedelta
    reached: Mapping[Stage, datetime] = field(default_factory=dict)
    is_open: bool = True
    waits_since: datetime | None = None
    acted: bool = False
    rose: bool = False

    def took(self, stage: Stage) -> timedelta | None:
        """Return how long it took until ``stage``; None when it has not come. A clock set back makes no credit."""
        at = self.reached.get(stage)
        return None if at is None else max(at - self.started_at, NOTHING)

    def awaits(self, stage: Stage) -> bool:
        """Return whether ``stage`` has not come and still should: no page once somebody has taken the case over."""
        if stage in self.reached or not self.is_open:
            return False
        return stage is not Stage.PAGED or Stage.ACKNOWLEDGED not in self.reached


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time; not ``exact`` when it is at least so long, because something has not happened yet."""

    time: timedelta
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Durations:
    """How long something took in several cases.

    ``waiting`` have not come to it yet, the longest of them for ``longest_wait``; they count in every span.
    ``without`` ended without it and count in none.
    """

    happened: int
    waiting: int
    without: int
    median: Span | None
    ninety: Span | None
    worst: Span | None
    longest_wait: timedelta | None

    @property
    def counted(self) -> int:
        return self.happened + self.waiting


@dataclass(frozen=True, slots=True)
class Ratio:
    """So many of so many."""

    part: int
    whole: int

    @property
    def share(self) -> Fraction | None:
        """Return the exact share; None of nothing, which is not 0."""
        return Fraction(self.part, self.whole) if self.whole else None


@dataclass(frozen=True, slots=True)
class InTime:
    """How many cases were taken over within the limit of their chain; ``undecided`` still have time."""

    ratio: Ratio
    undecided: int

    def plus(self, other: InTime) -> InTime:
        """Return the same of the cases of both."""
        ratio = Ratio(self.ratio.part + other.ratio.part, self.ratio.whole + other.ratio.whole)
        return InTime(ratio, self.undecided + other.undecided)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Cases that nobody has now, how many of them for longer than the limit, and the longest wait."""

    cases: int
    overdue: int
    longest: timedelta | None


@dataclass(frozen=True, slots=True)
class Rung:
    """How often one person was paged in the period, and the most in any few minutes."""

    person: int
    pages: int
    burst: int


def percentile(done: Collection[timedelta], waiting: Collection[timedelta], percent: int) -> Span | None:
    """Return the nearest-rank percentile: the smallest time that at least ``percent`` of 100 cases do not exceed.

    The times of ``waiting`` are lower bounds. The rank is looked up twice, with them as they are and with them as
    never; where both agree they decide nothing, else the span is at least the first. None of no case at all.
    """
    count = len(done) + len(waiting)
    if not count:
        return None
    rank = max(-(-count * percent // 100), 1)
    least = sorted([*done, *waiting])[rank - 1]
    certain = sorted(done)
    return Span(least, rank <= len(certain) and certain[rank - 1] == least)


@dataclass(slots=True)
class _Times:
    """The times of some cases until one stage, before they are put in order."""

    done: list[timedelta] = field(default_factory=list)
    waiting: list[timedelta] = field(default_factory=list)
    without: int = 0

    def add(self, other: _Times) -> None:
        self.done += other.done
        self.waiting += other.waiting
        self.without += other.without

    def durations(self) -> Durations:
        median, ninety, worst = (percentile(self.done, self.waiting, percent) for percent in (50, 90, 100))
        longest = max(self.waiting, default=None)
        return Durations(len(self.done), len(self.waiting), self.without, median, ninety, worst, longest)


def durations(cases: Iterable[CaseFacts], stage: Stage, now: datetime) -> Durations:
    """Return how long ``cases`` took until ``stage``."""
    return _times(cases, stage, now).durations()


def _times(cases: Iterable[CaseFacts], stage: Stage, now: datetime) -> _Times:
    found = _Times()
    for case in cases:
        took = case.took(stage)
        if took is not None:
            found.done.append(took)
        elif case.awaits(stage):
            found.waiting.append(max(now - case.started_at, NOTHING))
        else:
            found.without += 1
    return found


def in_time(cases: Iterable[CaseFacts], now: datetime) -> InTime:
    """Return how many cases were taken over within their limit, of those taken over or past it."""
    kept = decided = undecided = 0
    for case in cases:
        took = case.took(Stage.ACKNOWLEDGED)
        if took is None and now - case.started_at <= case.acknowledge_within:
            undecided += 1
            continue
        decided += 1
        kept += took is not None and took <= case.acknowledge_within
    return InTime(Ratio(kept, decided), undecided)


def reviewed(cases: Collection[CaseFacts]) -> Ratio:
    """Return how many cases a person of the staff has looked at; all of them is the aim."""
    return Ratio(sum(Stage.SEEN in case.reached for case in cases), len(cases))


def closed_without_action(cases: Iterable[CaseFacts]) -> Ratio:
    """Return how many of the closed cases were closed with no contact and nothing else done that is recorded."""
    closed = [case for case in cases if not case.is_open]
    return Ratio(sum(not case.acted for case in closed), len(closed))


def waiting_now(open_cases: Iterable[CaseFacts], now: datetime) -> Waiting:
    """Return how many open cases nobody has, whenever they were opened."""
    waits = [
        (max(now - case.waits_since, NOTHING), case.acknowledge_within)
        for case in open_cases
        if case.waits_since is not None
    ]
    overdue = sum(waited > limit for waited, limit in waits)
    return Waiting(len(waits), overdue, max((waited for waited, _ in waits), default=None))


def most_within(times: Iterable[datetime], window: timedelta) -> int:
    """Return the most of ``times`` in any ``window``; two that lie a whole window apart are not in one."""
    ordered = sorted(times)
    return max((number + 1 - bisect_right(ordered, at - window) for number, at in enumerate(ordered)), default=0)


def rung(alerts: Mapping[int, Sequence[datetime]], window: timedelta) -> tuple[Rung, ...]:
    """Return how often each person was paged, the most often paged first."""
    found = [Rung(person, len(times), most_within(times, window)) for person, times in alerts.items()]
    return tuple(sorted(found, key=lambda each: (-each.pages, each.person)))


Key = tuple[Group | None, Hours | None]  # None: all of them


@dataclass(frozen=True, slots=True)
class Kpi:
    """All figures of one period.

    ``spans`` and ``in_time`` have a row for each group and each part of the day in which there are cases.
    """

    since: datetime
    now: datetime
    cases: int
    still_open: int
    rose: int
    spans: Mapping[Key, Mapping[Stage, Durations]]
    in_time: Mapping[Key, InTime]
    reviewed: Ratio
    closed_without_action: Ratio
    waiting: Waiting
    lapses: Ratio  # of acknowledgements
    alerts: Ratio  # of reports
    rung: tuple[Rung, ...]

    @property
    def groups(self) -> list[Group]:
        """Return the groups in which there are cases, the most urgent first."""
        return [group for group in Group if (group, None) in self.spans]

    @property
    def burst(self) -> int:
        """Return the most pages in a few minutes that any one person got."""
        return max((each.burst for each in self.rung), default=0)


def figures(
    cases: Sequence[CaseFacts],
    open_cases: Iterable[CaseFacts],
    alerts: Mapping[int, Sequence[datetime]],
    *,
    reports: int,
    lapses: Ratio,
    since: datetime,
    now: datetime,
    burst: timedelta,
) -> Kpi:
    """Return all figures of the ``cases`` opened in a period; ``open_cases`` are those of any time.

    ``alerts`` are the times at which a page went out to each person.
    """
    split: dict[tuple[Group, Hours], list[CaseFacts]] = {}
    for case in cases:
        split.setdefault((case.group, case.hours), []).append(case)
    spans: dict[Key, dict[Stage, _Times]] = {(None, None): {stage: _Times() for stage in Stage}}
    kept: dict[Key, InTime] = {(None, None): in_time([], now)}
    # Each case is looked at once, and counts in its own part and in the three that contain it.
    for (group, hours), some in split.items():
        times, within = {stage: _times(some, stage, now) for stage in Stage}, in_time(some, now)
        keys: tuple[Key, ...] = ((None, None), (group, None), (None, hours), (group, hours))
        for key in keys:
            kept[key] = kept[key].plus(within) if key in kept else within
            for stage, each in times.items():
                spans.setdefault(key, {}).setdefault(stage, _Times()).add(each)
    return Kpi(
        since=since,
        now=now,
        cases=len(cases),
        still_open=sum(case.is_open for case in cases),
        rose=sum(case.rose for case in cases),
        spans={key: {stage: each.durations() for stage, each in found.items()} for key, found in spans.items()},
        in_time=kept,
        reviewed=reviewed(cases),
        closed_without_action=closed_without_action(cases),
        waiting=waiting_now(open_cases, now),
        lapses=lapses,
        alerts=Ratio(sum(len(times) for times in alerts.values()), reports),
        rung=rung(alerts, burst),
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One figure as a line of a table; times in seconds. ``at_least``: it is a lower bound."""

    figure: str
    urgency: str
    hours: str
    statistic: str
    value: float | None
    at_least: bool = False


def table(kpi: Kpi) -> list[Row]:
    """Return every figure of ``kpi`` as a line, in one order; persons by number only."""
    rows = [Row("cases", ALL, ALL, "count", kpi.cases), Row("cases", ALL, ALL, "open", kpi.still_open)]
    rows.append(Row("cases", ALL, ALL, "urgency_rose", kpi.rose))
    for key in _keys(kpi):
        urgency, hours = (ALL if each is None else str(each) for each in key)
        for stage, found in kpi.spans[key].items():
            counts = {"happened": found.happened, "waiting": found.waiting, "without": found.without}
            rows += [Row(stage, urgency, hours, name, count) for name, count in counts.items()]
            for name, span in (("median", found.median), ("p90", found.ninety), ("worst", found.worst)):
                rows.append(_span_row(stage, urgency, hours, name, span))
        kept = kpi.in_time[key]
        rows += _ratio_rows("acknowledged_in_time", kept.ratio, urgency, hours)
        rows.append(Row("acknowledged_in_time", urgency, hours, "undecided", kept.undecided))
    for name, ratio in (
        ("reviewed", kpi.reviewed),
        ("closed_without_action", kpi.closed_without_action),
        ("lapses_of_acknowledgements", kpi.lapses),
        ("alerts_of_reports", kpi.alerts),
    ):
        rows += _ratio_rows(name, ratio)
    longest = kpi.waiting.longest
    rows += [
        Row("unacknowledged_now", ALL, ALL, "count", kpi.waiting.cases),
        Row("unacknowledged_now", ALL, ALL, "overdue", kpi.waiting.overdue),
        Row("unacknowledged_now", ALL, ALL, "longest", None if longest is None else longest.total_seconds()),
        Row("pages_of_one_person", ALL, ALL, "most_at_once", kpi.burst),
    ]
    for each in kpi.rung:
        rows.append(Row(f"pages_of_staff_{each.person}", ALL, ALL, "count", each.pages))
        rows.append(Row(f"pages_of_staff_{each.person}", ALL, ALL, "most_at_once", each.burst))
    return rows


ALL = "all"


def _keys(kpi: Kpi) -> list[Key]:
    wanted: list[Key] = [(group, hours) for group in (None, *Group) for hours in (None, *Hours)]
    return [key for key in wanted if key in kpi.spans]


def _span_row(figure: str, urgency: str, hours: str, name: str, span: Span | None) -> Row:
    if span is None:
        return Row(figure, urgency, hours, name, None)
    return Row(figure, urgency, hours, name, span.time.total_seconds(), not span.exact)


def _ratio_rows(figure: str, ratio: Ratio, urgency: str = ALL, hours: str = ALL) -> list[Row]:
    share = None if ratio.share is None else round(float(ratio.share * 100), 2)
    return [
        Row(figure, urgency, hours, "part", ratio.part),
        Row(figure, urgency, hours, "whole", ratio.whole),
        Row(figure, urgency, hours, "per_100", share),
    ]
