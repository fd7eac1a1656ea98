"""Nobody is asked or reminded before consent or after leaving."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.participation import (
    NEEDS_REASON,
    TRANSITIONS,
    ParticipationEvent,
    ParticipationRefused,
    ParticipationState,
    ReasonMissing,
    may_be_asked,
    may_be_reminded,
    move,
)


@pytest.mark.req("DI-19")
@pytest.mark.parametrize(
    ("state", "allowed"),
    [
        pytest.param(ParticipationState.INVITED, False, id="nothing before consent"),
        pytest.param(ParticipationState.ON_STUDY, True, id="on study"),
        pytest.param(ParticipationState.WITHDRAWN, False, id="nothing after withdrawal"),
        pytest.param(ParticipationState.OFF_STUDY, False, id="nothing after the end"),
    ],
)
def test_only_a_subject_on_study_is_asked_and_reminded(state: ParticipationState, allowed: bool) -> None:
    assert may_be_asked(state) is allowed
    assert may_be_reminded(state) is allowed


@pytest.mark.parametrize(("pair", "becomes"), TRANSITIONS.items(), ids=lambda value: str(value))
def test_participation_moves_on(
    pair: tuple[ParticipationState, ParticipationEvent], becomes: ParticipationState
) -> None:
    assert move(*pair, reason="asked by the investigator") is becomes


@pytest.mark.parametrize(
    ("state", "event"),
    [pair for pair in product(ParticipationState, ParticipationEvent) if pair not in TRANSITIONS],
)
def test_every_other_pair_is_refused(state: ParticipationState, event: ParticipationEvent) -> None:
    with pytest.raises(ParticipationRefused):
        move(state, event, reason="asked by the investigator")


@pytest.mark.req("DI-20")
@pytest.mark.parametrize("state", [ParticipationState.INVITED, ParticipationState.ON_STUDY])
def test_withdrawing_needs_no_reason(state: ParticipationState) -> None:
    assert move(state, ParticipationEvent.WITHDRAW) is ParticipationState.WITHDRAWN


@pytest.mark.parametrize("event", sorted(NEEDS_REASON))
@pytest.mark.parametrize("reason", [None, "", "  "], ids=["none", "empty", "blank"])
def test_staff_say_why(event: ParticipationEvent, reason: str | None) -> None:
    with pytest.raises(ReasonMissing):
        move(ParticipationState.WITHDRAWN, event, reason)


def test_who_comes_back_consents_again() -> None:
    again = move(ParticipationState.WITHDRAWN, ParticipationEvent.INVITE_AGAIN, "changed their mind")
    assert not may_be_reminded(again)
    assert move(again, ParticipationEvent.CONSENT) is ParticipationState.ON_STUDY


@pytest.mark.req("DI-19")
@given(st.lists(st.sampled_from(ParticipationEvent), max_size=12))
def test_in_every_history_being_asked_follows_a_consent_that_was_not_withdrawn(
    events: list[ParticipationEvent],
) -> None:
    state = ParticipationState.INVITED
    consented = False
    for event in events:
        if (state, event) not in TRANSITIONS:
            continue
        state = move(state, event, reason="a reason")
        consented = event is ParticipationEvent.CONSENT
        assert may_be_asked(state) is consented
