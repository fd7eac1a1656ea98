"""Who may be asked and reminded: who is invited, on study, withdrawn or off study?

The text that tells somebody in danger where to get help never asks this module: it is
shown in every state, before consent and after withdrawal too.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from bot.errors import FollowupError


class ParticipationState(StrEnum):
    """Where a subject stands in the trial; consent and being on study begin together."""

    INVITED = "invited"
    ON_STUDY = "on_study"
    WITHDRAWN = "withdrawn"
    OFF_STUDY = "off_study"


class ParticipationEvent(StrEnum):
    """What changes a subject's participation.

    Consent and withdrawal are the subject's own; inviting again and closing are the staff's.
    """

    CONSENT = "consent"
    WITHDRAW = "withdraw"
    INVITE_AGAIN = "invite_again"
    CLOSE = "close"


class ParticipationRefused(FollowupError):
    """This cannot happen to a subject in this state of participation."""

    def __init__(self, state: ParticipationState, event: ParticipationEvent) -> None:
        super().__init__(f"{event} is not possible while the subject is {state}")
        self.state = state
        self.event = event


class ReasonMissing(FollowupError):
    """Staff changed a subject's participation without saying why."""


# Withdrawing never needs a reason: it is as easy as consenting.
NEEDS_REASON = frozenset({ParticipationEvent.INVITE_AGAIN, ParticipationEvent.CLOSE})

# Who comes back consents again; a closed participation stays closed. A pair that is not here is refused.
TRANSITIONS: Mapping[tuple[ParticipationState, ParticipationEvent], ParticipationState] = MappingProxyType(
    {
        (ParticipationState.INVITED, ParticipationEvent.CONSENT): ParticipationState.ON_STUDY,
        (ParticipationState.INVITED, ParticipationEvent.WITHDRAW): ParticipationState.WITHDRAWN,
        (ParticipationState.INVITED, ParticipationEvent.CLOSE): ParticipationState.OFF_STUDY,
        (ParticipationState.ON_STUDY, ParticipationEvent.WITHDRAW): ParticipationState.WITHDRAWN,
        (ParticipationState.ON_STUDY, ParticipationEvent.CLOSE): ParticipationState.OFF_STUDY,
        (ParticipationState.WITHDRAWN, ParticipationEvent.INVITE_AGAIN): ParticipationState.INVITED,
        (ParticipationState.WITHDRAWN, ParticipationEvent.CLOSE): ParticipationState.OFF_STUDY,
    }
)


def move(state: ParticipationState, event: ParticipationEvent, reason: str | None = None) -> ParticipationState:
    """Return the state after ``event``.

    Raises:
        ParticipationRefused: the event is not possible in this state.
        ReasonMissing: staff gave no reason where one is needed (``NEEDS_REASON``).
    """
    if (state, event) not in TRANSITIONS:
        raise ParticipationRefused(state, event)
    if event in NEEDS_REASON and not (reason or "").strip():
        raise ReasonMissing(str(event))
    return TRANSITIONS[state, event]


def may_be_asked(state: ParticipationState) -> bool:
    """Return whether the bot may ask this subject about symptoms, tablets or visits: only on study."""
    return state is ParticipationState.ON_STUDY


def may_be_reminded(state: ParticipationState) -> bool:
    """Return whether reminders may go to this subject: only on study, so never before consent."""
    return state is ParticipationState.ON_STUDY
