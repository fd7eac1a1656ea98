"""Traps of silence: who was not asked is not silent, and what was delivered is not what was sent."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.domain.reach import Lost, ReachRule, not_started, silence

SITE = ZoneInfo("Asia/Shanghai")
RULE = ReachRule(
    look_at=time(9),
    unanswered_days=2,
    answer_within_hours=12,
    silent_days=28,
    start_within_days=2,
    again_days=7,
)
NOW = datetime(2026, 11, 10, 9, tzinfo=SITE)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=SITE).astimezone(UTC)


@pytest.mark.parametrize(
    ("heard_at", "asked_at", "why"),
    [
        pytest.param(at(7, 10), [], [], id="nothing was asked"),
        pytest.param(at(7, 10), [at(8, 18)], [], id="one day"),
        pytest.param(at(7, 10), [at(8, 18), at(9, 18)], [Lost.UNANSWERED], id="two days"),
        pytest.param(at(7, 10), [at(9, 8), at(9, 18)], [], id="twice on one day"),
        pytest.param(at(7, 10), [at(8, 18), at(9, 22)], [], id="the second has time until ten"),
        pytest.param(at(7, 10), [at(8, 18), at(9, 21)], [Lost.UNANSWERED], id="the second had twelve hours"),
        pytest.param(at(8, 18), [at(8, 18, 5), at(9, 18)], [], id="the first was answered within its hour"),
        pytest.param(at(8, 17), [at(8, 18), at(9, 18)], [Lost.UNANSWERED], id="heard in the hour before"),
        pytest.param(NOW - timedelta(days=28), [], [Lost.SILENT], id="four weeks"),
        pytest.param(NOW - timedelta(days=28) + timedelta(hours=1), [], [], id="not yet four weeks"),
        pytest.param(NOW - timedelta(days=30), [at(8, 10), at(9, 10)], [Lost.UNANSWERED, Lost.SILENT], id="both"),
        pytest.param(
            at(7, 10),
            [datetime(2026, 11, 8, 15, 30, tzinfo=UTC), datetime(2026, 11, 8, 16, 30, tzinfo=UTC)],
            [Lost.UNANSWERED],
            id="days are those of the site: one UTC day, two in Hangzhou",
        ),
    ],
)
def test_silence_is_what_was_delivered_and_not_answered(
    heard_at: datetime, asked_at: list[datetime], why: list[Lost]
) -> None:
    assert [loss.why for loss in silence(heard_at, asked_at, NOW, RULE, SITE)] == why


def test_silence_dates_from_the_first_question_or_the_last_word() -> None:
    heard_at = NOW - timedelta(days=30)
    since = [loss.since for loss in silence(heard_at, [at(8, 10), at(9, 10)], NOW, RULE, SITE)]
    assert since == [at(8, 10), heard_at]


@pytest.mark.parametrize(
    ("enrolled_at", "link_ends_at", "why"),
    [
        pytest.param(NOW - timedelta(days=1), NOW + timedelta(days=2), None, id="there is time"),
        pytest.param(NOW - timedelta(days=2), NOW + timedelta(days=1), Lost.NEVER_STARTED, id="not opened for long"),
        pytest.param(NOW - timedelta(hours=3), NOW, Lost.LINK_EXPIRED, id="the link has just ended"),
        pytest.param(NOW - timedelta(days=1), None, None, id="a link is still to be made"),
        pytest.param(NOW - timedelta(days=2), None, Lost.NEVER_STARTED, id="no link for long"),
    ],
)
def test_who_has_not_started_is_missed_in_time(
    enrolled_at: datetime, link_ends_at: datetime | None, why: Lost | None
) -> None:
    loss = not_started(enrolled_at, link_ends_at, NOW, RULE)
    assert (loss.why if loss else None) == why
