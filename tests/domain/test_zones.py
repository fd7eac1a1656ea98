"""What can wait is said when it is day at the site and where the subject is."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.reminders import QuietHours
from bot.domain.zones import ZONES, code_of, out_of_nights

SITE = ZoneInfo("Asia/Shanghai")
QUIET = QuietHours(time(21), time(8))


@pytest.mark.parametrize(
    ("zone", "planned", "said"),
    [
        pytest.param("Asia/Shanghai", "2026-11-05T18:00", "2026-11-05T18:00", id="at home"),
        pytest.param("Asia/Tokyo", "2026-11-05T20:30", "2026-11-06T08:00", id="half past nine in Tokyo"),
        pytest.param("Europe/London", "2026-11-05T10:00", "2026-11-05T16:00", id="two at night in London"),
        pytest.param("America/New_York", "2026-11-05T18:00", "2026-11-06T08:00", id="two hours a day are left"),
        pytest.param("America/Los_Angeles", "2026-11-05T18:00", "2026-11-06T08:00", id="their afternoon"),
        pytest.param("Australia/Sydney", "2026-11-05T18:30", "2026-11-06T08:00", id="three hours ahead"),
    ],
)
def test_a_reminder_waits_for_a_day_in_both_places(zone: str, planned: str, said: str) -> None:
    moment = datetime.fromisoformat(planned).replace(tzinfo=SITE)
    found = out_of_nights(moment, [ZoneInfo(zone), SITE], QUIET)
    assert found.astimezone(SITE).replace(tzinfo=None) == datetime.fromisoformat(said)


@given(
    zone=st.sampled_from(sorted(ZONES.values())),
    quarters=st.integers(0, 3 * 365 * 24 * 4),
)
def test_no_zone_of_the_list_leaves_a_reminder_in_somebodys_night(zone: str, quarters: int) -> None:
    start = datetime(2026, 1, 1, tzinfo=SITE) + timedelta(minutes=15 * quarters)
    there = ZoneInfo(zone)
    found = out_of_nights(start, [there, SITE], QUIET)
    assert found >= start
    assert not any(QUIET.covers(found.astimezone(each).time()) for each in (there, SITE))


def test_where_there_is_no_common_day_the_nights_of_the_site_count() -> None:
    long_nights = QuietHours(time(15), time(11))
    moment = datetime(2026, 11, 5, 12, tzinfo=SITE)
    assert out_of_nights(moment, [ZoneInfo("America/New_York"), SITE], long_nights) == moment


def test_a_zone_that_only_the_site_uses_has_no_name() -> None:
    assert (code_of("Asia/Shanghai"), code_of("Asia/Kathmandu")) == ("beijing", None)
