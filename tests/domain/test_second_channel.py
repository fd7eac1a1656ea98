"""When does a page need a second way out, how long are the pauses, and when do all ways count as failing?"""

from datetime import datetime, timedelta

import pytest

from bot.domain.parsing import Unreadable, email_address
from bot.domain.second_channel import (
    BrokenSecondChannel,
    Page,
    SecondChannel,
    Why,
    all_failing_since,
    rings,
    why,
)
from bot.domain.urgency import Urgency

NOON = datetime.fromisoformat("2026-11-02T12:00:00+08:00")
RULE = SecondChannel(after_seconds=60, repeat_after_seconds=(15, 60, 300), failing_after_minutes=5)


def page(number: int, state: str, seconds_ago: float = 0) -> Page:
    return Page(number, state, NOON - timedelta(seconds=seconds_ago))


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        pytest.param([], None, id="nobody was paged"),
        pytest.param([page(1, "waiting", 59)], None, id="a second too early"),
        pytest.param([page(1, "waiting", 60)], Why.LATE, id="exactly in time"),
        pytest.param([page(1, "sending", 61)], Why.LATE, id="on its way for too long"),
        pytest.param([page(1, "sent", 3600)], None, id="delivered"),
        pytest.param([page(1, "unsure", 1)], Why.UNSURE, id="nobody knows, so at once"),
        pytest.param([page(1, "failed", 1)], Why.FAILED, id="refused, so at once"),
        pytest.param([page(1, "unsure", 90), page(2, "sent", 1)], None, id="its repeat was delivered"),
        pytest.param([page(1, "unsure", 1), page(2, "waiting", 1)], Why.UNSURE, id="its repeat waits"),
        pytest.param(
            [page(1, "sent", 90), page(2, "waiting", 60)], Why.LATE, id="what was reported later is not there"
        ),
        pytest.param([page(1, "skipped", 90)], None, id="withdrawn"),
        pytest.param([page(2, "sent", 1), page(1, "failed", 90)], None, id="the order of the rows says nothing"),
    ],
)
def test_a_page_needs_a_second_way_when_telegram_has_not_confirmed_it(
    pages: list[Page], expected: Why | None
) -> None:
    for urgency in (Urgency.RED_120, Urgency.AMBER):
        assert why(urgency, pages, RULE, NOON, always_for_red=False) == expected


@pytest.mark.parametrize(
    ("urgency", "pages", "expected"),
    [
        (Urgency.RED_COME, [page(1, "waiting")], Why.ALWAYS),
        (Urgency.RED_120, [page(1, "sent", 90)], Why.ALWAYS),
        (Urgency.RED_120, [page(1, "skipped", 90)], None),
        (Urgency.AMBER, [page(1, "waiting")], None),
        (Urgency.AMBER, [page(1, "waiting", 60)], Why.LATE),
    ],
)
def test_a_site_may_want_it_for_every_red_page(urgency: Urgency, pages: list[Page], expected: Why | None) -> None:
    assert why(urgency, pages, RULE, NOON, always_for_red=True) == expected


def test_only_symptoms_that_ring_by_night_ring_twice() -> None:
    assert [level for level in Urgency if rings(level, symptom=True)] == [
        Urgency.AMBER,
        Urgency.RED_COME,
        Urgency.RED_120,
    ]
    assert not any(rings(level, symptom=False) for level in Urgency)


def test_the_pauses_grow_and_the_last_one_stays() -> None:
    assert [RULE.pause(attempts).total_seconds() for attempts in (0, 1, 2, 3, 4, 1000)] == [15, 15, 60, 300, 300, 300]


@pytest.mark.parametrize(
    "broken", [{"after_seconds": 0}, {"repeat_after_seconds": ()}, {"repeat_after_seconds": (60, 15)}]
)
def test_a_rule_that_could_leave_a_page_lying_is_refused(broken: dict[str, object]) -> None:
    known = {"after_seconds": 60, "repeat_after_seconds": (15,), "failing_after_minutes": 5}
    with pytest.raises(BrokenSecondChannel):
        SecondChannel(**{**known, **broken})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("first", "last", "since"),
    [
        pytest.param({}, {}, None, id="nothing failed"),
        pytest.param({"telegram": 20}, {"telegram": 0}, None, id="the other was not tried"),
        pytest.param({"telegram": 20, "email": 6}, {"telegram": 0, "email": 1}, 6, id="the later of two"),
        pytest.param({"telegram": 20, "email": 3}, {"telegram": 0, "email": 0}, None, id="one not long enough"),
        pytest.param({"telegram": 20, "email": 20}, {"telegram": 20, "email": 20}, None, id="single failures"),
        pytest.param({"telegram": 60, "email": 60}, {"telegram": 16, "email": 0}, None, id="nothing is known of now"),
    ],
)
def test_all_ways_fail_only_when_each_was_tried_for_long_enough(
    first: dict[str, int], last: dict[str, int], since: int | None
) -> None:
    def ago(minutes: dict[str, int]) -> dict[str, datetime]:
        return {way: NOON - timedelta(minutes=number) for way, number in minutes.items()}

    expected = None if since is None else NOON - timedelta(minutes=since)
    assert all_failing_since(ago(first), ago(last), ("telegram", "email"), RULE, NOON) == expected


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("me@example.org", "me@example.org"),
        ("  a.b+c_d-e@ward-7.hospital.example.cn ", "a.b+c_d-e@ward-7.hospital.example.cn"),
        ("ｍｅ＠ｅｘａｍｐｌｅ．ｏｒｇ", "me@example.org"),
        ("me@example。org", "me@example.org"),
    ],
)
def test_an_address_is_read_as_it_is_typed(typed: str, address: str) -> None:
    assert email_address(typed).value == address


@pytest.mark.parametrize(
    "typed",
    [
        "", "me", "me@", "@example.org", "me@example", "me@@example.org", "a@b.org, c@d.org", "a@b.org c@d.org",
        "me@example.org\nBcc: all@example.org", "me@-example.org", ".me@example.org", "me..you@example.org",
        "Me <me@example.org>", '"m e"@example.org', "我@example.org", "me@exämple.org", f"{'x' * 65}@example.org",
        f"me@{'x' * 250}.org", "me@127.0.0.1",
    ],
)  # fmt: skip
def test_what_no_mail_server_would_take_is_asked_for_again(typed: str) -> None:
    with pytest.raises(Unreadable):
        email_address(typed)
