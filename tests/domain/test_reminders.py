"""Reminders come at the site's wall time, outside quiet hours, and never after their use."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.reminders import (
    AnotherDay,
    CanWait,
    ChaseAct,
    ChaseStep,
    DailyLimit,
    DueReminder,
    Importance,
    NoSuchDay,
    QuietHours,
    ReminderStep,
    RemindLater,
    Room,
    before_quiet,
    chase_moments,
    daily_at,
    days_to_offer,
    later_moments,
    next_daily,
    out_of_quiet,
    reminders_for,
    room_today,
    step_for,
    useful_until,
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


# Room for one more today

LIMIT = DailyLimit(messages=2, merge_within_minutes=60)
MORNING = local("2026-03-21T08:00")
TONIGHT, TOMORROW_NIGHT = local("2026-03-21T00:00"), local("2026-03-22T00:00")


def can_wait(importance: Importance, until: datetime) -> CanWait:
    return CanWait(importance, until)


VISIT_TODAY = can_wait(Importance.VISIT, TONIGHT)
VISIT_LATER = can_wait(Importance.VISIT, TOMORROW_NIGHT)
QUESTION = can_wait(Importance.QUESTION, TONIGHT)
NUDGE = can_wait(Importance.NUDGE, TONIGHT)


@pytest.mark.parametrize(
    ("message", "said", "to_come", "room"),
    [
        pytest.param(QUESTION, 0, [], Room.SAY, id="the first of the day"),
        pytest.param(QUESTION, 1, [], Room.SAY, id="the second"),
        pytest.param(QUESTION, 2, [], Room.GIVE_UP, id="a third question is given up"),
        pytest.param(NUDGE, 2, [], Room.GIVE_UP, id="a third nudge is given up"),
        pytest.param(NUDGE, 1, [VISIT_TODAY], Room.GIVE_UP, id="a nudge makes way for what is to come"),
        pytest.param(QUESTION, 1, [VISIT_TODAY], Room.GIVE_UP, id="so does a question, for a visit"),
        pytest.param(QUESTION, 1, [VISIT_LATER], Room.SAY, id="but not for what can wait until tomorrow"),
        pytest.param(QUESTION, 1, [NUDGE], Room.SAY, id="a nudge keeps no place"),
        pytest.param(VISIT_LATER, 1, [QUESTION], Room.PUT_OFF, id="an announcement makes way for the question"),
        pytest.param(VISIT_LATER, 1, [NUDGE], Room.SAY, id="and not for a nudge"),
        pytest.param(VISIT_LATER, 2, [], Room.PUT_OFF, id="the third waits for the morning"),
        pytest.param(VISIT_TODAY, 1, [QUESTION], Room.SAY, id="a visit of tomorrow goes before the question"),
        pytest.param(VISIT_TODAY, 2, [], Room.SAY_OVER, id="a visit of tomorrow is said over the limit"),
        pytest.param(
            can_wait(Importance.VISIT, MORNING), 2, [], Room.SAY_OVER, id="useless in the morning is not put off"
        ),
    ],
)
def test_what_becomes_of_one_more_message(message: CanWait, said: int, to_come: list[CanWait], room: Room) -> None:
    assert room_today(message, said, to_come, LIMIT, MORNING) is room


messages = st.builds(CanWait, st.sampled_from(Importance), st.sampled_from([TONIGHT, MORNING, TOMORROW_NIGHT]))


@given(day=st.lists(messages, max_size=8), most=st.integers(1, 4))
def test_a_day_keeps_its_limit_and_nothing_about_a_visit_is_lost(day: list[CanWait], most: int) -> None:
    limit = DailyLimit(most, 60)
    said, over = 0, 0
    for number, message in enumerate(day):
        match room_today(message, said, day[number + 1 :], limit, MORNING, told=number % 3 == 0):
            case Room.SAY:
                said += 1
                assert said <= most
            case Room.PUT_OFF:
                assert message.useful_until > MORNING
            case Room.GIVE_UP:
                assert message.importance < Importance.VISIT or number % 3 == 0
                assert message.importance < Importance.SAFETY
            case Room.SAY_OVER:
                said, over = said + 1, over + 1
                assert message.importance >= Importance.VISIT
                assert message.useful_until <= MORNING or message.importance is Importance.SAFETY
    assert said - over <= most


def test_what_is_told_by_another_message_does_not_go_over_the_limit() -> None:
    assert room_today(VISIT_TODAY, 2, [], LIMIT, MORNING, told=True) is Room.GIVE_UP
    assert room_today(VISIT_TODAY, 1, [], LIMIT, MORNING, told=True) is Room.SAY
    assert room_today(VISIT_LATER, 2, [], LIMIT, MORNING, told=True) is Room.PUT_OFF


def test_a_message_for_safety_is_never_held_back_and_keeps_its_place() -> None:
    safety = can_wait(Importance.SAFETY, TOMORROW_NIGHT)
    assert room_today(safety, 2, [VISIT_TODAY], LIMIT, MORNING) is Room.SAY_OVER
    assert room_today(VISIT_LATER, 1, [safety], LIMIT, MORNING) is Room.PUT_OFF


@given(day=st.lists(messages, min_size=1, max_size=8))
def test_a_question_is_given_up_only_for_messages_that_were_or_will_be_said(day: list[CanWait]) -> None:
    if room_today(day[0], 0, day[1:], LIMIT, MORNING) is Room.GIVE_UP:
        assert sum(other.importance > day[0].importance for other in day[1:]) >= LIMIT.messages


# Remind me later

LATER = RemindLater(after_hours=(3,), morning_at=time(9), most_times=3)


@pytest.mark.parametrize(
    ("now", "offered"),
    [
        pytest.param("2026-03-20T10:00", ["20 13:00", "21 09:00"], id="in three hours, or tomorrow morning"),
        pytest.param("2026-03-20T19:00", ["21 09:00"], id="at night both are the morning"),
        pytest.param("2026-03-23T08:00", ["23 11:00"], id="on the day only what comes before it ends"),
        pytest.param("2026-03-23T15:00", [], id="on the afternoon of the day it is too late"),
        pytest.param("2026-03-22T18:00", ["23 09:00"], id="the evening before"),
    ],
)
def test_a_later_reminder_is_offered_while_it_helps(now: str, offered: list[str]) -> None:
    moments = later_moments(VISIT, LATER, SHANGHAI, QUIET, local(now))
    assert [f"{moment.astimezone(SHANGHAI):%d %H:%M}" for moment in moments] == offered


@pytest.mark.parametrize(
    ("at", "code"),
    [
        pytest.param("2026-03-20T10:00", "three_days", id="three days before"),
        pytest.param("2026-03-21T10:00", "three_days", id="two days before, words that name the date"),
        pytest.param("2026-03-22T10:00", "day_before", id="tomorrow"),
        pytest.param("2026-03-23T10:00", "same_morning", id="today"),
    ],
)
def test_the_words_fit_the_day_on_which_they_are_said(at: str, code: str) -> None:
    assert step_for(VISIT, local(at), STEPS, SHANGHAI).code == code


def test_a_reminder_of_an_earlier_day_ends_with_it_and_that_of_the_day_with_the_clinics_day() -> None:
    assert useful_until(VISIT, local("2026-03-22T18:00"), SHANGHAI) == local("2026-03-23T00:00")
    assert useful_until(VISIT, local("2026-03-23T08:00"), SHANGHAI) == local("2026-03-23T18:00")


# A visit gone by, and other days

CHASE = (
    ChaseStep("ask", 1, time(10), ChaseAct.ASK_SUBJECT),
    ChaseStep("tell", 2, time(22), ChaseAct.TELL_STAFF),
)


def test_the_chase_counts_from_the_day_of_the_visit_and_keeps_the_night_quiet() -> None:
    moments = chase_moments(VISIT, CHASE, SHANGHAI, QUIET)
    assert [(step.code, moment) for step, moment in moments] == [
        ("ask", local("2026-03-24T10:00")),
        ("tell", local("2026-03-26T08:00")),
    ]


OFFER = AnotherDay(offered=3, from_days=1)
WEEK = [date(2026, 3, day) for day in (16, 17, 18, 19, 20, 23, 24, 25, 26, 27)]


@pytest.mark.parametrize(
    ("first", "last", "today", "offered"),
    [
        pytest.param(16, 27, 10, [24, 25, 26], id="the nearest, the later of two equally near"),
        pytest.param(23, 27, 10, [24, 25, 26], id="not before the window"),
        pytest.param(16, 23, 10, [18, 19, 20], id="not after the window"),
        pytest.param(16, 27, 24, [25, 26, 27], id="not today"),
        pytest.param(23, 23, 10, [], id="a window of one day has no other"),
        pytest.param(16, 20, 21, [], id="a window that is over has none"),
    ],
)
def test_other_days_lie_in_the_window_and_near_the_planned_one(
    first: int, last: int, today: int, offered: list[int]
) -> None:
    days = days_to_offer(WEEK, date(2026, 3, first), date(2026, 3, last), VISIT, OFFER, date(2026, 3, today))
    assert [day.day for day in days] == offered
