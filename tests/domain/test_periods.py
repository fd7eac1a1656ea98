"""Every way to type a period means the days that people mean by it."""

from datetime import date

import pytest

from bot.domain.parsing import Unreadable
from bot.domain.periods import Period, parse_period

TODAY = date(2026, 11, 26)
OCTOBER = Period(None, date(2026, 10, 1), date(2026, 10, 31))
NOVEMBER = Period(None, date(2026, 11, 1), date(2026, 11, 30))


@pytest.mark.parametrize(
    ("typed", "period"),
    [
        *((typed, Period(days=28)) for typed in (
            "28", "28d", "28 D", "28 days", "last 28 days", "28天", "最近28天", "近28天", "过去28天",
            "二十八天", "２８", "4 weeks", "4w", "4周", "四周", "4个星期",
        )),
        *((typed, Period(days=90)) for typed in ("3 months", "3m", "3个月", "三个月", "last 3 months", "最近三个月")),
        *((typed, OCTOBER) for typed in (
            "2026-10", "2026/10", "2026年10月", "last month", "Last  Month", "上个月", "上月",
            "2026-10-01..2026-10-31", "2026-10-01 to 2026-10-31", "2026年10月1日到2026年10月31日",
            "10月1日至10月31日", "1 Oct 2026 to 31 Oct 2026", "2026-10-01 ~ 2026-10-31",
        )),
        *((typed, NOVEMBER) for typed in ("this month", "本月", "2026-11")),
        *((typed, Period()) for typed in ("since start", "all", "开始以来", "全部", "从开始到现在", "至今")),
    ],
)  # fmt: skip
def test_a_period_is_read(typed: str, period: Period) -> None:
    assert parse_period(typed, TODAY) == period


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("soon", "input.period.unreadable"),
        ("", "input.period.unreadable"),
        ("28 x", "input.period.unreadable"),
        ("x" * 200, "input.period.unreadable"),
        ("2026-10-01..2026-10-15..2026-10-31", "input.period.unreadable"),
        ("0", "input.period.out_of_range"),
        ("9999", "input.period.out_of_range"),
        ("2026-13", "input.date.no_such_day"),
        ("2026-10-32..2026-11-01", "input.date.no_such_day"),
        ("2026-10-31..2026-10-01", "input.period.reversed"),
        ("2026-12", "input.period.to_come"),
        ("2027-01-01..2027-02-01", "input.period.to_come"),
    ],
)
def test_what_is_no_period_is_refused_with_a_reason(typed: str, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        parse_period(typed, TODAY)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("period", "days"),
    [
        pytest.param(Period(), (date(2026, 10, 10), TODAY), id="since the start"),
        pytest.param(Period(days=14), (date(2026, 11, 13), TODAY), id="the last days include the last"),
        pytest.param(Period(days=90), (date(2026, 10, 10), TODAY), id="never before the start"),
        pytest.param(OCTOBER, (date(2026, 10, 10), date(2026, 10, 31)), id="a month that began before the start"),
        pytest.param(Period(None, date(2026, 9, 1), date(2026, 9, 30)), None, id="over before the start"),
        pytest.param(NOVEMBER, (date(2026, 11, 1), TODAY), id="not over"),
    ],
)
def test_a_period_ends_where_counting_ends(period: Period, days: tuple[date, date] | None) -> None:
    assert period.within(date(2026, 10, 10), TODAY) == days
