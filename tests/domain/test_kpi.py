"""Figures of how long people take are exact, or a lower bound where something is awaited, as docs/figures.md says."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import kpi as rules
from bot.domain.calendar import ClinicCalendar, OfficialYear
from bot.domain.kpi import (
    CaseFacts,
    Durations,
    Group,
    Hours,
    Kpi,
    KpiRule,
    Ratio,
    Rung,
    Span,
    Stage,
    UnusableKpiRule,
    WorkingHours,
    percentile,
    table,
)

NOW = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
SITE = ZoneInfo("Asia/Shanghai")
DAY = WorkingHours(time(8), time(17))


def minutes(*many: float) -> list[timedelta]:
    return [timedelta(minutes=each) for each in many]


def at_least(many: float) -> Span:
    return Span(timedelta(minutes=many), exact=False)


def exactly(many: float) -> Span:
    return Span(timedelta(minutes=many))


def case(taken_after: float | None = None, *, age: float = 60, group: Group = Group.RED, **more: object) -> CaseFacts:
    """Return a case opened ``age`` minutes ago and taken over so many minutes later, or that nobody has taken."""
    started_at = NOW - timedelta(minutes=age)
    reached = {} if taken_after is None else {Stage.ACKNOWLEDGED: started_at + timedelta(minutes=taken_after)}
    given: dict[str, object] = {
        "group": group,
        "hours": Hours.WORKING,
        "started_at": started_at,
        "acknowledge_within": timedelta(minutes=10),
        "reached": reached,
        "waits_since": started_at if taken_after is None else None,
    }
    return CaseFacts(**{**given, **more})  # type: ignore[arg-type]


def figures(*cases: CaseFacts, alerts: Mapping[int, list[datetime]] | None = None, reports: int = 0) -> Kpi:
    return rules.figures(
        cases,
        [each for each in cases if each.is_open],
        alerts or {},
        reports=reports,
        lapses=Ratio(0, 0),
        since=NOW - timedelta(days=28),
        now=NOW,
        burst=timedelta(minutes=10),
    )


def test_the_worked_example_of_the_figures_page() -> None:
    cases = [case(each) for each in (1, 2, 4, 9, 30)]
    found = rules.durations([*cases, case(age=6)], Stage.ACKNOWLEDGED, NOW)
    assert found == Durations(
        happened=5,
        waiting=1,
        without=0,
        median=exactly(4),
        ninety=at_least(30),
        worst=at_least(30),
        longest_wait=timedelta(minutes=6),
    )
    kept = rules.in_time([*cases, case(age=6)], NOW)
    assert (kept.ratio, kept.undecided) == (Ratio(4, 5), 1)
    assert rules.durations([*cases, case(age=3)], Stage.ACKNOWLEDGED, NOW).median == at_least(3)


@pytest.mark.parametrize(
    ("done", "waiting", "percent", "span"),
    [
        pytest.param([], [], 50, None, id="of nothing there is no median"),
        pytest.param([7], [], 50, exactly(7), id="of one it is that one"),
        pytest.param([7], [], 90, exactly(7), id="and so are 90 %"),
        pytest.param([0], [], 50, exactly(0), id="at once is a time too"),
        pytest.param([1, 9], [], 50, exactly(1), id="of two the lower, no mean of both"),
        pytest.param([5, 5, 5, 9], [], 50, exactly(5), id="ties"),
        pytest.param(range(1, 11), [], 90, exactly(9), id="of ten the ninth"),
        pytest.param(range(1, 12), [], 90, exactly(10), id="of eleven the tenth"),
        pytest.param([], [4], 50, at_least(4), id="one that waits is all there is"),
        pytest.param([1, 2, 3], [60], 50, exactly(2), id="one that waits long decides no median"),
        pytest.param([1, 2, 3], [60], 100, at_least(60), id="but the longest"),
        pytest.param([1, 2, 30], [5], 100, at_least(30), id="also while it has waited less than another took"),
        pytest.param([1, 2, 3], [5, 6, 7], 50, exactly(3), id="half of them waiting, the median is reached"),
        pytest.param([1, 2], [5, 6, 7], 50, at_least(5), id="most of them waiting, it is not"),
        pytest.param([10, 20, 30], [1], 50, at_least(10), id="one that just began shifts the ranks"),
        pytest.param([5, 5], [5], 100, at_least(5), id="a wait as long as the longest is not over"),
        pytest.param([5, 5], [5], 50, exactly(5), id="a tie with a wait"),
    ],
)
def test_percentiles_are_nearest_ranks_and_waits_are_lower_bounds(
    done: list[float], waiting: list[float], percent: int, span: Span | None
) -> None:
    assert percentile(minutes(*done), minutes(*waiting), percent) == span


@given(
    st.lists(st.integers(0, 50), max_size=8),
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=5),
    st.sampled_from([50, 90, 100]),
)
def test_a_percentile_is_what_it_will_be_once_all_is_over_or_at_most_that(
    done: list[int], waiting: list[tuple[int, int]], percent: int
) -> None:
    now = percentile(minutes(*done), minutes(*(waited for waited, _ in waiting)), percent)
    later = percentile(minutes(*done, *(waited + more for waited, more in waiting)), [], percent)
    if now is None or later is None:
        assert now is later
    elif now.exact:
        assert now == later
    else:
        assert now.time <= later.time


class TestStages:
    def test_what_cannot_come_any_more_is_counted_apart(self) -> None:
        closed = case(3, is_open=False)
        found = rules.durations([closed, case(4)], Stage.CONTACTED, NOW)
        assert (found.happened, found.waiting, found.without) == (0, 1, 1)
        assert found.median == at_least(60)

    def test_all_closed_without_a_contact_leave_no_time(self) -> None:
        found = rules.durations([case(3, is_open=False)], Stage.CONTACTED, NOW)
        assert (found.without, found.median, found.worst, found.longest_wait) == (1, None, None, None)

    def test_no_page_is_awaited_once_somebody_has_taken_it(self) -> None:
        assert not case(3).awaits(Stage.PAGED)
        assert case().awaits(Stage.PAGED)

    def test_a_clock_that_was_set_back_makes_no_negative_time(self) -> None:
        assert case(-5).took(Stage.ACKNOWLEDGED) == timedelta(0)
        assert rules.durations([case(age=-5)], Stage.SEEN, NOW).longest_wait == timedelta(0)


@pytest.mark.parametrize(
    ("facts", "ratio", "undecided"),
    [
        pytest.param([case(10)], Ratio(1, 1), 0, id="on the limit is in time"),
        pytest.param([case(10.01)], Ratio(0, 1), 0, id="past it is not"),
        pytest.param([case(age=10)], Ratio(0, 0), 1, id="on the limit it can still be"),
        pytest.param([case(age=10.01)], Ratio(0, 1), 0, id="nobody yet, past it"),
    ],
)
def test_in_time_counts_what_is_decided(facts: list[CaseFacts], ratio: Ratio, undecided: int) -> None:
    found = rules.in_time(facts, NOW)
    assert (found.ratio, found.undecided) == (ratio, undecided)


def test_who_waits_now_waits_since_it_came_back() -> None:
    back = case(2, age=300, waits_since=NOW - timedelta(minutes=11))
    waiting = rules.waiting_now([back, case(age=10), case(5)], NOW)
    assert (waiting.cases, waiting.overdue, waiting.longest) == (2, 1, timedelta(minutes=11))


def test_closed_without_action_looks_at_closed_cases_alone() -> None:
    cases = [case(1, is_open=False), case(1, is_open=False, acted=True), case(1)]
    assert rules.closed_without_action(cases) == Ratio(1, 2)


def test_a_share_of_nothing_is_none() -> None:
    assert Ratio(0, 0).share is None
    assert Ratio(0, 4).share == 0


@pytest.mark.parametrize(
    ("seconds", "most"),
    [
        pytest.param([], 0, id="no page"),
        pytest.param([5], 1, id="one"),
        pytest.param([0, 0, 0], 3, id="at the same moment"),
        pytest.param([0, 599], 2, id="within"),
        pytest.param([0, 600], 1, id="a whole window apart"),
        pytest.param([1200, 0, 1500, 700, 1260], 3, id="out of order, the fullest window begins anywhere"),
    ],
)
def test_a_burst_is_the_fullest_window(seconds: list[int], most: int) -> None:
    assert rules.most_within([NOW + timedelta(seconds=each) for each in seconds], timedelta(minutes=10)) == most


def test_pages_are_counted_by_person_and_bursts_of_two_persons_do_not_add_up() -> None:
    pages = {2: (0, 2, 30), 1: (1,), 3: (3,)}
    alerts = {to: [NOW + each for each in minutes(*at)] for to, at in pages.items()}
    found = figures(alerts=alerts, reports=10)
    assert found.rung == (Rung(2, 3, 2), Rung(1, 1, 1), Rung(3, 1, 1))
    assert (found.burst, found.alerts) == (2, Ratio(5, 10))


class TestWorkingHours:
    # A holiday on Thursday 1 October 2026; Sunday 20 September is worked in exchange.
    CLINIC = ClinicCalendar(lambda _: OfficialYear(frozenset({date(2026, 10, 1)}), frozenset({date(2026, 9, 20)})))

    @pytest.mark.parametrize(
        ("local", "hours"),
        [
            pytest.param("2026-11-02T07:59:59", Hours.OUTSIDE, id="a second before"),
            pytest.param("2026-11-02T08:00:00", Hours.WORKING, id="the first moment"),
            pytest.param("2026-11-02T16:59:59", Hours.WORKING, id="the last second"),
            pytest.param("2026-11-02T17:00:00", Hours.OUTSIDE, id="the end"),
            pytest.param("2026-11-02T00:00:00", Hours.OUTSIDE, id="midnight"),
            pytest.param("2026-11-07T10:00:00", Hours.OUTSIDE, id="Saturday"),
            pytest.param("2026-10-01T10:00:00", Hours.OUTSIDE, id="holiday"),
            pytest.param("2026-09-20T10:00:00", Hours.WORKING, id="Sunday that is worked"),
        ],
    )
    def test_working_hours_are_those_of_open_days(self, local: str, hours: Hours) -> None:
        at = datetime.fromisoformat(local).replace(tzinfo=SITE)
        assert DAY.when(at, self.CLINIC.is_open) is hours

    def test_the_site_decides_which_day_it_is(self) -> None:
        # 16:30 UTC on Friday is Saturday half past midnight at the site, 00:30 UTC on Monday half past eight.
        friday, monday = datetime(2026, 11, 6, 16, 30, tzinfo=UTC), datetime(2026, 11, 2, 0, 30, tzinfo=UTC)
        assert DAY.when(friday.astimezone(SITE), self.CLINIC.is_open) is Hours.OUTSIDE
        assert DAY.when(monday.astimezone(SITE), self.CLINIC.is_open) is Hours.WORKING

    @pytest.mark.parametrize("ends", [time(8), time(7)])
    def test_hours_that_never_are_refused(self, ends: time) -> None:
        with pytest.raises(UnusableKpiRule):
            WorkingHours(time(8), ends)


@pytest.mark.parametrize(
    ("periods", "default", "burst"), [((), 28, 10), ((0, 28), 28, 10), ((7, 90), 28, 10), ((28,), 28, 0)]
)
def test_a_rule_that_makes_no_sense_is_refused(periods: tuple[int, ...], default: int, burst: int) -> None:
    with pytest.raises(UnusableKpiRule):
        KpiRule(DAY, periods, default, burst)


class TestAll:
    def test_without_a_case_there_are_figures_and_no_groups(self) -> None:
        found = figures()
        assert (found.cases, found.groups, found.burst) == (0, [], 0)
        assert found.spans[None, None][Stage.CLOSED].median is None
        assert all(row.value in (0, None) for row in table(found))

    def test_each_case_is_in_its_group_its_part_of_the_day_and_in_all(self) -> None:
        cases = [case(1), case(2, hours=Hours.OUTSIDE), case(3, group=Group.AMBER, rose=True)]
        found = figures(*cases)
        counted = {key: spans[Stage.ACKNOWLEDGED].happened for key, spans in found.spans.items()}
        assert counted == {
            (None, None): 3,
            (None, Hours.WORKING): 2,
            (None, Hours.OUTSIDE): 1,
            (Group.RED, None): 2,
            (Group.RED, Hours.WORKING): 1,
            (Group.RED, Hours.OUTSIDE): 1,
            (Group.AMBER, None): 1,
            (Group.AMBER, Hours.WORKING): 1,
        }
        assert (found.groups, found.rose) == ([Group.RED, Group.AMBER], 1)

    def test_the_table_says_where_a_figure_is_a_lower_bound_and_names_nobody(self) -> None:
        rows = table(figures(case(1), case(age=5), alerts={7: [NOW]}, reports=2))
        found = {(row.figure, row.urgency, row.hours, row.statistic): (row.value, row.at_least) for row in rows}
        assert len(found) == len(rows)
        assert found["acknowledged", "red", "all", "median"] == (60, False)
        assert found["acknowledged", "red", "working", "worst"] == (300, True)
        assert found["alerts_of_reports", "all", "all", "per_100"] == (50, False)
        assert found["pages_of_staff_7", "all", "all", "count"] == (1, False)

    def test_a_group_has_the_name_of_a_chain(self) -> None:
        assert {str(group) for group in Group} == {"red", "sae", "amber", "yellow", "request"}

    @pytest.mark.parametrize(("taken", "opened"), [(True, True), (True, False), (False, True), (False, False)])
    def test_every_case_is_counted_once_in_every_stage(self, taken: bool, opened: bool) -> None:
        found = figures(case(1 if taken else None, is_open=opened))
        for stage in Stage:
            each = found.spans[None, None][stage]
            assert each.happened + each.waiting + each.without == 1
