"""What a storm of reports brought to light: a clock set back a little, and sends that end after a case was taken."""

from datetime import timedelta

import pytest

from bot.delivery.channel import NotSent, Outcome, Throttled, Unreachable, Unsure
from bot.domain.urgency import Urgency
from bot.store.models import AgendaItem, OutboxMessage
from bot.usecases import escalate
from tests.usecases.cases import Ward, ward

__all__ = ["ward"]


@pytest.fixture
def told(ward: Ward) -> Ward:
    """Give the ward in which a red case was just paged."""
    ward.tells(Urgency.RED_COME)
    ward.send()
    return ward


@pytest.mark.req("DI-18")
def test_a_clock_set_back_by_minutes_stops_no_pages(told: Ward) -> None:
    told.pass_time(minutes=4)
    told.set_back(minutes=2)
    told.pass_time(minutes=8)
    waiting = told.rows(AgendaItem, kind=escalate.NEXT_PAGE, state="waiting")
    assert len(waiting) == 1
    assert told.case.pages >= 2


@pytest.mark.req("DI-18")
def test_a_chain_that_began_after_the_last_pulse_goes_back_with_the_clock(ward: Ward) -> None:
    ward.beat()
    ward.pass_time(seconds=30)
    ward.tells(Urgency.RED_COME)
    ward.set_back(after_a_beat=False, minutes=3)
    assert ward.case.chain_started_at == ward.case.last_paged_at


@pytest.mark.parametrize("outcome", [NotSent("the line broke"), Throttled(timedelta(seconds=3)), Unsure("no answer")])
def test_a_page_that_was_on_its_way_is_not_tried_again_once_somebody_has_the_case(
    ward: Ward, outcome: Outcome
) -> None:
    ward.tells(Urgency.RED_COME)
    on_its_way = ward.claim()
    ward.presses("doctor", "case.acknowledge")
    ward.ends(on_its_way, outcome)
    again = [each for each in ward.rows(OutboxMessage, purpose=escalate.PAGE) if each.state == "waiting"]
    assert again == []


@pytest.mark.parametrize("outcome", [NotSent("the line broke"), Throttled(timedelta(seconds=3)), Unsure("no answer")])
def test_nothing_is_tried_again_for_somebody_who_has_left(ward: Ward, outcome: Outcome) -> None:
    ward.tells(Urgency.RED_COME)
    on_its_way = ward.claim()
    ward.leaves("doctor")
    ward.ends(on_its_way, outcome)
    account = ward.account("doctor")
    waiting = [each.text_key for each in ward.rows(OutboxMessage, account_id=account) if each.state == "waiting"]
    assert waiting == ["commands"]


def test_no_page_is_shown_anew_to_somebody_who_has_left(told: Ward) -> None:
    told.presses("colleague", "case.acknowledge")
    told.leaves("doctor")
    account = told.account("doctor")
    waiting = [each.text_key for each in told.rows(OutboxMessage, account_id=account) if each.state == "waiting"]
    assert waiting == ["commands"]


@pytest.mark.parametrize("minutes", [3, 9])
def test_a_clock_set_back_by_minutes_holds_no_message_up(ward: Ward, minutes: int) -> None:
    ward.pass_time(minutes=20)
    ward.tells(Urgency.AMBER)
    ward.set_back(minutes=minutes)
    ward.pass_time(seconds=30)
    assert {each.state for each in ward.rows(OutboxMessage, purpose=escalate.PAGE)} == {"sent"}


@pytest.mark.req("DI-18")
@pytest.mark.parametrize("urgency", [Urgency.RED_COME, Urgency.AMBER])
def test_when_the_only_one_who_was_to_be_paged_leaves_first_others_are(ward: Ward, urgency: Urgency) -> None:
    ward.tells(urgency)
    paged = {each.account_id for each in ward.rows(OutboxMessage, purpose=escalate.PAGE) if each.state == "waiting"}
    names = [name for name in ward.accounts if ward.account(name) in paged]
    for name in names:
        ward.leaves(name)
    ward.send()
    sent = [each for each in ward.rows(OutboxMessage, purpose=escalate.PAGE) if each.state == "sent"]
    assert {each.account_id for each in sent}.isdisjoint(paged)
    assert sent
    assert ward.case.first_page_sent_at is not None


@pytest.mark.req("DI-18")
def test_a_page_of_the_round_before_does_not_count_for_one_that_reaches_nobody(ward: Ward) -> None:
    ward.tells(Urgency.AMBER)
    ward.send()
    # At the same moment, as after an outage.
    ward.tells(Urgency.RED_COME, source="worse")
    paged = {each.account_id for each in ward.rows(OutboxMessage, purpose=escalate.PAGE) if each.state == "waiting"}
    for name in [name for name in ward.accounts if ward.account(name) in paged]:
        ward.leaves(name)
    ward.send()
    round_two = [each for each in ward.rows(OutboxMessage, purpose=escalate.PAGE) if each.lane == 0]
    assert {each.account_id for each in round_two if each.state == "sent"} - paged


def test_who_leaves_after_others_were_paged_causes_no_page(told: Ward) -> None:
    told.pass_time(minutes=11)
    before = len(told.rows(OutboxMessage, purpose=escalate.PAGE))
    told.leaves("doctor")
    assert len(told.rows(OutboxMessage, purpose=escalate.PAGE)) == before


@pytest.mark.req("DI-18")
def test_a_page_that_can_wait_and_reaches_nobody_goes_to_others(ward: Ward) -> None:
    ward.tells(Urgency.AMBER)
    first = ward.claim()
    ward.ends(first, Unreachable("blocked"))
    ward.send()
    sent = [each for each in ward.rows(OutboxMessage, purpose=escalate.PAGE) if each.state == "sent"]
    assert sent
    assert {each.account_id for each in sent}.isdisjoint({each.account_id for each in first})
