"""Which open case should have moved? One case that stands well, and one thing wrong with it at a time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.escalation import CaseState, Chain, ChainStep, Limits
from bot.domain.stalled import Finding, Found, Graces, Standing, is_fault, judge, kept, known, round_began_at

NOW = datetime(2026, 3, 2, 19, 0, tzinfo=UTC)
GRACES = Graces(60, 2, 3, 2, 60, 1440)
RED = Chain(
    "red",
    (ChainStep(0, ("on_duty",), 5), ChainStep(10, ("everyone",), 5)),
    10,
    Limits(read_back_minutes=3, contact_minutes=15, outcome_minutes=1440),
)
SAE = Chain("sae", (ChainStep(0, ("coordinator",)), ChainStep(240, ("pi",))), 240, Limits(contact_minutes=240))


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


RINGING = Standing(
    CaseState.NOTIFIED,
    RED,
    listed=False,
    waits_at_most=timedelta(0),
    opened_at=ago(4),
    chain_started_at=ago(4),
    last_paged_at=ago(4),
    page_sent_at=ago(4),
    page_at=ago(-1),
)
TAKEN = replace(
    RINGING, state=CaseState.ACKNOWLEDGED, acknowledged_at=ago(2), page_at=None, lapse_at=ago(-1), opened_at=ago(4)
)
REACHED = replace(TAKEN, state=CaseState.IN_ACTION, contacted_at=ago(1), lapse_at=None)
LISTED = Standing(
    CaseState.OPEN,
    Chain("yellow", (ChainStep(0, ("coordinator",)),), 4320, Limits(outcome_minutes=10080)),
    listed=True,
    waits_at_most=timedelta(days=4),
    opened_at=ago(60),
    chain_started_at=ago(-600),
    lists_at=(ago(-600),),
)


@pytest.mark.parametrize("case", [RINGING, TAKEN, REACHED, LISTED], ids=["ringing", "taken", "reached", "listed"])
def test_a_case_that_moves_is_left_alone(case: Standing) -> None:
    assert judge(case, GRACES, NOW) == ()


def test_a_closed_case_is_never_looked_at() -> None:
    assert judge(replace(RINGING, state=CaseState.RESOLVED, chain=None, last_paged_at=ago(900)), GRACES, NOW) == ()


@pytest.mark.parametrize(
    ("case", "wrong", "finding"),
    [
        pytest.param(RINGING, {"chain": None}, Finding.UNREADABLE, id="the chain copy is empty"),
        pytest.param(
            RINGING,
            {"state": CaseState.OPEN, "last_paged_at": None, "page_sent_at": None, "page_at": ago(4)},
            Finding.NOT_PAGED,
            id="nobody was ever paged",
        ),
        pytest.param(
            RINGING, {"last_paged_at": ago(7.1), "chain_started_at": ago(7.1)}, Finding.NOT_PAGED, id="no repeat"
        ),
        pytest.param(RINGING, {"page_at": None}, Finding.NOT_PLANNED, id="the row of the next page is gone"),
        pytest.param(RINGING, {"page_at": ago(-60)}, Finding.NOT_PLANNED, id="it lies an hour too late"),
        pytest.param(RINGING, {"page_sent_at": None}, Finding.NOT_SENT, id="nothing left"),
        pytest.param(RINGING, {"last_paged_at": ago(-30)}, Finding.FUTURE, id="paged in half an hour"),
        pytest.param(RINGING, {"chain_started_at": ago(-30)}, Finding.FUTURE, id="red that begins later"),
        pytest.param(LISTED, {"chain_started_at": ago(-9000)}, Finding.FUTURE, id="a list in six days"),
        pytest.param(LISTED, {"lists_at": ()}, Finding.NOT_PLANNED, id="no list is planned"),
        pytest.param(LISTED, {"lists_at": (ago(-100),)}, Finding.NOT_PLANNED, id="only an earlier one that omits it"),
        pytest.param(LISTED, {"lists_at": (ago(-2040),)}, Finding.NOT_PLANNED, id="only the list of the next day"),
        pytest.param(LISTED, {"chain_started_at": ago(1.1)}, Finding.NOT_PAGED, id="the morning is over"),
        pytest.param(TAKEN, {"owner_here": False}, Finding.NO_OWNER, id="the owner has left"),
        pytest.param(TAKEN, {"acknowledged_at": None}, Finding.NO_OWNER, id="taken by nobody"),
        pytest.param(TAKEN, {"lapse_at": None}, Finding.NOT_PLANNED, id="no lapse is planned"),
        pytest.param(TAKEN, {"acknowledged_at": ago(5.1)}, Finding.NOT_LAPSED, id="no word for too long"),
        pytest.param(TAKEN, {"acknowledged_at": ago(-30)}, Finding.FUTURE, id="taken in half an hour"),
        pytest.param(REACHED, {"acknowledged_at": ago(1442.1)}, Finding.NOT_CLOSED, id="open for more than a day"),
        pytest.param(
            RINGING,
            {"chain": SAE, "chain_started_at": ago(242.1), "last_paged_at": ago(2), "page_at": None},
            Finding.NOT_TAKEN,
            id="a serious event nobody took in four hours",
        ),
    ],
)
def test_one_thing_wrong_is_the_one_thing_found(case: Standing, wrong: dict[str, Any], finding: Finding) -> None:
    assert [each.finding for each in judge(replace(case, **wrong), GRACES, NOW)] == [finding]


@pytest.mark.parametrize(
    ("case", "right"),
    [
        pytest.param(
            RINGING,
            {"last_paged_at": ago(7), "chain_started_at": ago(7), "page_at": ago(2)},
            id="a repeat within its grace",
        ),
        pytest.param(RINGING, {"page_sent_at": None, "last_paged_at": ago(3)}, id="a page that may still leave"),
        pytest.param(TAKEN, {"acknowledged_at": ago(5), "lapse_at": ago(2)}, id="a lapse within its grace"),
        pytest.param(REACHED, {"acknowledged_at": ago(1442)}, id="an end within its grace"),
        pytest.param(LISTED, {"chain_started_at": ago(1), "lists_at": (ago(1),)}, id="a list within its grace"),
    ],
)
def test_on_the_grace_itself_nothing_is_found(case: Standing, right: dict[str, Any]) -> None:
    assert judge(replace(case, **right), GRACES, NOW) == ()


def test_each_round_has_its_own_time_to_take_over() -> None:
    late = replace(RINGING, chain_started_at=ago(20), last_paged_at=ago(1), page_at=ago(-4))
    assert judge(late, GRACES, NOW) == (Found(Finding.NOT_TAKEN, ago(10)),)
    # After a lapse the chain begins in the past, but people have been asked again only now.
    again = replace(late, lapsed_at=ago(11))
    assert (judge(again, GRACES, NOW), round_began_at(again)) == ((), ago(11))


def test_findings_are_kept_and_known_again() -> None:
    found = [Found(Finding.NOT_SENT, NOW), Found(Finding.NOT_TAKEN, NOW)]
    assert known(kept(found)) == {Finding.NOT_SENT, Finding.NOT_TAKEN}
    assert (kept([]), known(None)) == (None, frozenset())
    assert [is_fault(each) for each in (None, "not_taken", "not_taken,not_sent")] == [False, False, True]
