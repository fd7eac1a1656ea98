"""Reminders come at the site's wall time, outside quiet hours, and never after their use."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.reminders import (
    DueReminder,
    NoSuchDay,
    QuietHours,
    ReminderStep,
    before_quiet,
    daily_at,
    next_daily,
    out_of_quiet,
    reminders_for,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
QUIET = QuietHours(time(21), time(8))
NO_QUIET = QuietHours(time(0), time(0))
STEPS = (
    ReminderStep("three_days", 3, time(10), "reminder.three_days"),
    ReminderStep("day_before", 1, time(18), "reminder.day_before"),
    ReminderStep("same_morning", 0, time(7, 30), "reminder.same_morning"),
)
VISIT = date(2026, 3, 23)

zones = st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"})).map(ZoneInfo)
days = st.dates(date(1925, 1, 1), date(2060, 12, 31))
wall_times = st.times().map(lambda at: at.replace(microsecond=0))
moments = st.builds(datetime.combine, days, st.times(), st.just(UTC))
quiet_hours = st.builds(QuietHours, wall_times, wall_times)


def local(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def sent(reminders: tuple[DueReminder, ...]) -> list[str]:
    return [f"{r.code} {r.due_at.astimezone(SHANGHAI):%d %H:%M}" for r in reminders]


@pytest.mark.parametrize(
    ("quiet", "at", "covered"),
    [
        pytest.param(QUIET, time(20, 59, 59), False, id="just before the start"),
        pytest.param(QUIET, time(21), True, id="the start is quiet"),
        pytest.param(QUIET, time(0), True, id="midnight inside"),
        pytest.param(QUIET, time(7, 59, 59), True, id="just before the end"),
        pytest.param(QUIET, time(8), False, id="the end is not quiet"),
        pytest.param(QuietHours(time(12), time(14)), time(13), True, id="a noon rest"),
        pytest.param(QuietHours(time(12), time(14)), time(0), False, id="a noon rest does not span midnight"),
        pytest.param(NO_QUIET, time(0), False, id="equal times mean none"),
    ],
)
def test_quiet_hours_cover_their_start_and_not_their_end(quiet: QuietHours, at: time, covered: bool) -> None:
    assert quiet.covers(at) is covered


@pytest.mark.parametrize(
    ("day", "at", "zone", "moment"),
    [
        pytest.param(date(2026, 3, 2), time(9), SHANGHAI, "2026-03-02T01:00Z", id="Shanghai"),
        pytest.param(date(2026, 3, 29), time(9), BERLIN, "2026-03-29T07:00Z", id="wall time stays"),
        pytest.param(date(2026, 3, 29), time(2, 30), BERLIN, "2026-03-29T01:30Z", id="a gap moves it on"),
        pytest.param(date(2026, 10, 25), time(2, 30), BERLIN, "2026-10-25T00:30Z", id="the first of two"),
        pytest.param(
            date(1919, 3, 30),
            time(23, 45),
            ZoneInfo("America/Toronto"),
            "1919-03-31T03:45Z",
            id="to midnight",
        ),
    ],
)
def test_a_wall_time_is_one_moment(day: date, at: time, zone: ZoneInfo, moment: str) -> None:
    assert daily_at(day, at, zone) == datetime.fromisoformat(moment)


def test_a_day_that_the_zone_left_out_has_no_moment() -> None:
    with pytest.raises(NoSuchDay):
        daily_at(date(2011, 12, 30), time(9), ZoneInfo("Pacific/Apia"))


@pytest.mark.req("DI-08")
@given(day=days, at=wall_times, zone=zones)
def test_every_day_in_every_zone_has_its_own_moment(day: date, at: time, zone: ZoneInfo) -> None:
    try:
        moment = daily_at(day, at, zone)
    except NoSuchDay:
        noon = datetime.combine(day, time(12), tzinfo=zone).astimezone(UTC)
        assert noon.astimezone(zone).date() != day
        return
    assert moment.tzinfo is UTC
    assert moment.astimezone(zone).date() == day


@pytest.mark.parametrize(
    ("moment", "moved"),
    [
        pytest.param("2026-03-20T20:59", "2026-03-20T20:59", id="before quiet hours it stays"),
        pytest.param("2026-03-20T21:00", "2026-03-21T08:00", id="in the evening it waits for the morning"),
        pytest.param("2026-03-21T00:00", "2026-03-21T08:00", id="at midnight it waits for the same morning"),
        pytest.param("2026-03-21T07:30", "2026-03-21T08:00", id="in the early morning by half an hour"),
        pytest.param("2026-03-21T08:00", "2026-03-21T08:00", id="at the end it stays"),
    ],
)
def test_a_moment_in_quiet_hours_waits_for_their_end(moment: str, moved: str) -> None:
    assert out_of_quiet(local(moment), SHANGHAI, QUIET) == local(moved)


def test_an_hour_that_happens_twice_never_moves_a_moment_backward() -> None:
    second_0210 = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    moved = out_of_quiet(second_0210, BERLIN, QuietHours(time(22), time(2, 30)))
    assert moved == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@given(
    moment=moments,
    zone=zones,
    quiet=quiet_hours,
)
def test_moving_out_of_quiet_hours_goes_forward_and_ends_outside_them(
    moment: datetime, zone: ZoneInfo, quiet: QuietHours
) -> None:
    moved = out_of_quiet(moment, zone, quiet)
    assert moved >= moment
    assert not quiet.covers(moved.astimezone(zone).time())
    assert out_of_quiet(moved, zone, quiet) == moved


@given(
    after=moments,
    at=wall_times,
    zone=zones,
    quiet=quiet_hours,
)
def test_the_next_daily_moment_is_later_and_never_quiet_in_any_zone(
    after: datetime, at: time, zone: ZoneInfo, quiet: QuietHours
) -> None:
    moment = next_daily(after, at, zone, quiet)
    assert after < moment <= after + timedelta(days=4)
    assert not quiet.covers(moment.astimezone(zone).time())


@pytest.mark.parametrize("at", [time(2, 30), time(9), time(20)], ids=str)
@pytest.mark.parametrize("quiet", [QUIET, NO_QUIET], ids=["quiet nights", "no quiet hours"])
def test_a_daily_question_is_asked_once_on_each_day_of_a_year_with_clock_changes(at: time, quiet: QuietHours) -> None:
    moment = datetime(2025, 12, 31, 22, 59, tzinfo=UTC)
    asked = []
    for _ in range(365):
        moment = next_daily(moment, at, BERLIN, quiet)
        asked.append(moment.astimezone(BERLIN).date())
    assert asked == [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]


def test_a_skipped_day_has_no_daily_question_and_the_next_day_one() -> None:
    apia = ZoneInfo("Pacific/Apia")
    first = next_daily(local("2011-12-29T08:00", apia), time(9), apia, NO_QUIET)
    second = next_daily(first, time(9), apia, NO_QUIET)
    assert [m.astimezone(apia).date() for m in (first, second)] == [date(2011, 12, 29), date(2011, 12, 31)]


def test_a_visit_has_three_reminders_and_the_quiet_morning_one_comes_at_eight() -> None:
    reminders = reminders_for(VISIT, STEPS, SHANGHAI, QUIET, now=local("2026-03-10T12:00"))
    assert sent(reminders) == ["three_days 20 10:00", "day_before 22 18:00", "same_morning 23 08:00"]
    assert [r.text for r in reminders] == [step.text for step in STEPS]
    assert all(r.due_at.tzinfo is UTC for r in reminders)


def test_a_reminder_is_useful_until_the_next_one_and_never_says_tomorrow_on_the_day_itself() -> None:
    reminders = reminders_for(VISIT, STEPS, SHANGHAI, QUIET, now=local("2026-03-10T12:00"))
    assert [r.useful_until for r in reminders] == [
        local("2026-03-22T18:00"),
        local("2026-03-23T00:00"),
        local("2026-03-23T18:00"),
    ]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("2026-03-20T10:00", ["three_days", "day_before", "same_morning"], id="due this moment"),
        pytest.param("2026-03-20T10:01", ["day_before", "same_morning"], id="a minute too late"),
        pytest.param("2026-03-21T12:00", ["day_before", "same_morning"], id="planned two days ahead"),
        pytest.param("2026-03-22T19:00", ["same_morning"], id="planned the evening before"),
        pytest.param("2026-03-23T09:00", [], id="planned on the day"),
        pytest.param("2026-04-23T09:00", [], id="long past"),
    ],
)
def test_only_reminders_still_to_come_are_sent(now: str, expected: list[str]) -> None:
    reminders = reminders_for(VISIT, STEPS, SHANGHAI, QUIET, local(now))
    assert [r.code for r in reminders] == expected


@pytest.mark.parametrize(
    ("hour", "expected"),
    [
        pytest.param(
            time(9),
            ["three_days 20 09:00", "day_before 22 09:00", "same_morning 23 08:00"],
            id="an own hour is for the days before",
        ),
        pytest.param(
            time(20, 30),
            ["three_days 20 20:30", "day_before 22 20:30", "same_morning 23 08:00"],
            id="an evening hour",
        ),
        pytest.param(
            time(22),
            ["three_days 20 10:00", "day_before 22 18:00", "same_morning 23 08:00"],
            id="an hour inside quiet hours is not used",
        ),
    ],
)
def test_a_subject_may_have_an_own_reminder_hour(hour: time, expected: list[str]) -> None:
    reminders = reminders_for(VISIT, STEPS, SHANGHAI, QUIET, local("2026-03-10T12:00"), hour)
    assert sent(reminders) == expected


def test_a_step_that_quiet_hours_push_into_the_visit_day_is_left_out() -> None:
    late = (ReminderStep("late_evening", 1, time(22), "reminder.day_before"), STEPS[2])
    reminders = reminders_for(VISIT, late, SHANGHAI, QUIET, local("2026-03-10T12:00"))
    assert sent(reminders) == ["same_morning 23 08:00"]


def test_two_steps_that_quiet_hours_push_together_are_one_reminder() -> None:
    early = (
        ReminderStep("night", 2, time(23), "reminder.night"),
        ReminderStep("dawn", 1, time(6), "reminder.dawn"),
    )
    reminders = reminders_for(VISIT, early, SHANGHAI, QUIET, local("2026-03-10T12:00"))
    assert sent(reminders) == ["dawn 22 08:00"]


@given(
    target=st.dates(date(2025, 1, 1), date(2035, 1, 1)),
    zone=zones,
    quiet=quiet_hours,
    hour=st.none() | wall_times,
    ahead_hours=st.integers(-48, 200),
)
def test_no_reminder_is_quiet_past_or_useless_and_none_overlap(
    target: date, zone: ZoneInfo, quiet: QuietHours, hour: time | None, ahead_hours: int
) -> None:
    now = datetime.combine(target, time(8), tzinfo=UTC) - timedelta(hours=ahead_hours)
    reminders = reminders_for(target, STEPS, zone, quiet, now, hour)
    useful_until = now
    for reminder in reminders:
        assert useful_until <= reminder.due_at < reminder.useful_until
        assert not quiet.covers(reminder.due_at.astimezone(zone).time())
        useful_until = reminder.useful_until
    assert len({r.due_at for r in reminders}) == len(reminders)


@pytest.mark.parametrize(
    ("at", "moved"),
    [
        pytest.param("2026-11-02T20:00+08:00", "2026-11-02T20:00+08:00", id="before the quiet hours it stays"),
        pytest.param("2026-11-02T22:00+08:00", "2026-11-02T20:55+08:00", id="in the evening it comes forward"),
        pytest.param("2026-11-03T00:30+08:00", "2026-11-02T20:55+08:00", id="after midnight it is of the day before"),
        pytest.param("2026-11-03T08:00+08:00", "2026-11-03T08:00+08:00", id="their end is not quiet"),
    ],
)
def test_what_cannot_wait_until_morning_comes_before_the_quiet_hours(at: str, moved: str) -> None:
    quiet = QuietHours(time(21), time(8))
    result = before_quiet(datetime.fromisoformat(at), ZoneInfo("Asia/Shanghai"), quiet)
    assert result == datetime.fromisoformat(moved)
