"""Who is paged next for an open case, when, and which step may follow which?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from bot.errors import FollowupError


class BrokenChain(FollowupError, ValueError):
    """An escalation chain could leave a case without anybody being paged."""


class RefusedTransition(FollowupError):
    """This cannot happen to a case in this state."""

    def __init__(self, state: CaseState, event: CaseEvent) -> None:
        super().__init__(f"{event} is not possible while the case is {state}")
        self.state = state
        self.event = event


class CaseState(StrEnum):
    """Where a case stands; only a person moves it past notified."""

    OPEN = "open"
    NOTIFIED = "notified"
    ACKNOWLEDGED = "acknowledged"
    IN_ACTION = "in_action"
    RESOLVED = "resolved"


class CaseEvent(StrEnum):
    """What can happen to a case.

    ``LAPSE``: whoever took it did not confirm what they do, or recorded no contact, in time. ``RENEW``: more was
    reported that is worse or a new danger. ``HAND_OVER``: another person is its owner from now on. ``HAND_BACK``:
    its owner is no longer there. ``REOPEN``: a person found that it was closed too early.
    """

    PAGE = "page"
    ACKNOWLEDGE = "acknowledge"
    LAPSE = "lapse"
    START_ACTION = "start_action"
    HAND_OVER = "hand_over"
    HAND_BACK = "hand_back"
    RENEW = "renew"
    RESOLVE = "resolve"
    REOPEN = "reopen"


# What a clock may do to a case: ring, and ring again. Everything else needs a named person.
TIMER_EVENTS = frozenset({CaseEvent.PAGE, CaseEvent.LAPSE})

# Resolving needs somebody who took the case first; a pair that is not here is refused.
TRANSITIONS: Mapping[tuple[CaseState, CaseEvent], CaseState] = MappingProxyType(
    {
        (CaseState.OPEN, CaseEvent.PAGE): CaseState.NOTIFIED,
        (CaseState.OPEN, CaseEvent.ACKNOWLEDGE): CaseState.ACKNOWLEDGED,
        (CaseState.OPEN, CaseEvent.RENEW): CaseState.OPEN,
        (CaseState.NOTIFIED, CaseEvent.PAGE): CaseState.NOTIFIED,
        (CaseState.NOTIFIED, CaseEvent.ACKNOWLEDGE): CaseState.ACKNOWLEDGED,
        (CaseState.NOTIFIED, CaseEvent.RENEW): CaseState.OPEN,
        (CaseState.ACKNOWLEDGED, CaseEvent.LAPSE): CaseState.OPEN,
        (CaseState.ACKNOWLEDGED, CaseEvent.START_ACTION): CaseState.IN_ACTION,
        (CaseState.ACKNOWLEDGED, CaseEvent.HAND_OVER): CaseState.ACKNOWLEDGED,
        (CaseState.ACKNOWLEDGED, CaseEvent.HAND_BACK): CaseState.OPEN,
        (CaseState.ACKNOWLEDGED, CaseEvent.RENEW): CaseState.OPEN,
        (CaseState.ACKNOWLEDGED, CaseEvent.RESOLVE): CaseState.RESOLVED,
        (CaseState.IN_ACTION, CaseEvent.LAPSE): CaseState.OPEN,
        (CaseState.IN_ACTION, CaseEvent.START_ACTION): CaseState.IN_ACTION,
        (CaseState.IN_ACTION, CaseEvent.HAND_OVER): CaseState.IN_ACTION,
        (CaseState.IN_ACTION, CaseEvent.HAND_BACK): CaseState.OPEN,
        (CaseState.IN_ACTION, CaseEvent.RENEW): CaseState.OPEN,
        (CaseState.IN_ACTION, CaseEvent.RESOLVE): CaseState.RESOLVED,
        (CaseState.RESOLVED, CaseEvent.REOPEN): CaseState.OPEN,
    }
)


@dataclass(frozen=True, slots=True)
class ChainStep:
    """One level of a chain: whom to page so many minutes after opening, and how often to repeat.

    ``roles`` are all who are paged at this level. Without ``repeat_minutes`` it pages once. With ``tell_subject`` the
    subject hears, when this level is reached, that nobody has taken over yet, and what to do.
    """

    after_minutes: int
    roles: tuple[str, ...]
    repeat_minutes: int | None = None
    tell_subject: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an owner has, in minutes from taking the case over; without a number there is no such limit.

    ``read_back_minutes``: to confirm what they do now. ``contact_minutes``: to record that they reached the subject;
    each recorded try begins it anew. ``outcome_minutes``: to close the case; later it is overdue and an alarm,
    never closed by itself.
    """

    read_back_minutes: int | None = None
    contact_minutes: int | None = None
    outcome_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """The levels through which an unacknowledged case of one urgency climbs.

    Raises:
        BrokenChain: no steps, a step without roles, times not rising, or a repeat of no length.
    """

    urgency: str
    steps: tuple[ChainStep, ...]
    acknowledge_within_minutes: int
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if not self.steps:
            raise BrokenChain(f"the {self.urgency} chain has no steps")
        previous = -1
        for step in self.steps:
            if not step.roles:
                raise BrokenChain(f"the {self.urgency} chain pages nobody after {step.after_minutes} minutes")
            if step.after_minutes <= previous:
                raise BrokenChain(f"the {self.urgency} chain's steps do not rise in time")
            if step.repeat_minutes is not None and step.repeat_minutes < 1:
                raise BrokenChain(f"the {self.urgency} chain repeats every {step.repeat_minutes} minutes")
            previous = step.after_minutes
        for limit in asdict(self.limits).values():
            if limit is not None and limit < 1:
                raise BrokenChain(f"the {self.urgency} chain gives an owner {limit} minutes")


class Lapse(StrEnum):
    """Why a case is paged again although somebody took it."""

    READ_BACK = "read_back"
    CONTACT = "contact"


@dataclass(frozen=True, slots=True)
class NextPage:
    """The page that comes next: its number (from 1), level (index of the step), roles and time (UTC)."""

    number: int
    step: int
    roles: tuple[str, ...]
    due_at: datetime
    repeat: bool


def advance(state: CaseState, event: CaseEvent) -> CaseState:
    """Return the state after ``event``.

    Raises:
        RefusedTransition: the event is not possible in this state (a second acknowledgement,
            a page after somebody has taken over, resolving what nobody has acknowledged).
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise RefusedTransition(state, event) from None


# Somebody has still to do something about the case.
UNRESOLVED = tuple(state for state in CaseState if state is not CaseState.RESOLVED)
# Somebody has taken the case and it is not closed.
OWNED = frozenset({CaseState.ACKNOWLEDGED, CaseState.IN_ACTION})


def awaits_acknowledgement(state: CaseState) -> bool:
    """Return whether paging goes on: nobody has taken the case yet."""
    return state in (CaseState.OPEN, CaseState.NOTIFIED)


def acknowledge_by(chain: Chain, opened_at: datetime) -> datetime:
    """Return until when somebody should have acknowledged; later is late, and paging still goes on."""
    return opened_at + timedelta(minutes=chain.acknowledge_within_minutes)


def lapses_at(
    limits: Limits,
    acknowledged_at: datetime,
    read_back_at: datetime | None,
    tried_at: datetime | None,
    contacted_at: datetime | None,
) -> tuple[Lapse, datetime] | None:
    """Return why and when (UTC) a case that somebody has taken is paged again, unless more is recorded until then.

    None once the subject was reached, or when the chain sets no limit. ``tried_at`` is the last try to reach them;
    whoever tries has said what they do.
    """
    if contacted_at is not None:
        return None
    if read_back_at is None and tried_at is None and limits.read_back_minutes is not None:
        return Lapse.READ_BACK, acknowledged_at + timedelta(minutes=limits.read_back_minutes)
    if limits.contact_minutes is None:
        return None
    since = acknowledged_at if tried_at is None else max(acknowledged_at, tried_at)
    return Lapse.CONTACT, since + timedelta(minutes=limits.contact_minutes)


def outcome_by(limits: Limits, acknowledged_at: datetime) -> datetime | None:
    """Return until when the case should be closed; later is overdue, and it stays open."""
    if limits.outcome_minutes is None:
        return None
    return acknowledged_at + timedelta(minutes=limits.outcome_minutes)


def level_above(chain: Chain, started_at: datetime, last_paged_at: datetime | None) -> int:
    """Return the level at which paging goes on after a lapse: one above the last that was paged, or the top."""
    paged = None if last_paged_at is None else _level(chain, started_at, last_paged_at)
    return 0 if paged is None else min(paged + 1, len(chain.steps) - 1)


def level_paged(chain: Chain, started_at: datetime, last_paged_at: datetime) -> int:
    """Return the level of the last page; the first, where the clock was set back before it."""
    return _level(chain, started_at, last_paged_at) or 0


def started_at_level(chain: Chain, level: int, now: datetime) -> datetime:
    """Return when the chain must have started for ``level`` to be due just ``now``."""
    return now - timedelta(minutes=chain.steps[level].after_minutes)


def next_page(
    chain: Chain, opened_at: datetime, paged: int, last_paged_at: datetime | None, now: datetime
) -> NextPage | None:
    """Return the one page that comes next for a case nobody has acknowledged, due or still to come.

    ``opened_at`` is when the case was opened or last re-opened; pages before that do not
    count. ``paged`` is how many pages the case has had in all and only numbers the next one.
    Send the page when ``due_at <= now``, then ask again.

    A level whose time has come and that has not been paged is due at once. After a downtime
    that is the highest such level, once: pages that were never sent are not made up for.
    Otherwise the earlier of the level's repeat (counted from the last page) and the next level
    comes next. The last level repeats for as long as nobody acknowledges; None means that it
    does not repeat and has been paged.
    """
    reached = _level(chain, opened_at, now)
    paged_level = None if last_paged_at is None else _level(chain, opened_at, last_paged_at)
    if last_paged_at is None or paged_level is None:
        return _page(chain, opened_at, paged, reached or 0)
    if reached is not None and reached > paged_level:
        return _page(chain, opened_at, paged, reached)
    repeat_minutes = chain.steps[paged_level].repeat_minutes
    following = paged_level + 1
    higher = _page(chain, opened_at, paged, following) if following < len(chain.steps) else None
    if repeat_minutes is None:
        return higher
    repeat_at = last_paged_at + timedelta(minutes=repeat_minutes)
    if higher is not None and higher.due_at <= repeat_at:
        return higher
    return NextPage(paged + 1, paged_level, chain.steps[paged_level].roles, repeat_at, repeat=True)


def chain_to_dict(chain: Chain) -> dict[str, Any]:
    """Return ``chain`` as plain JSON values: a case keeps the chain it was opened with."""
    return {
        "urgency": chain.urgency,
        "acknowledge_within_minutes": chain.acknowledge_within_minutes,
        "steps": [{**asdict(step), "roles": list(step.roles)} for step in chain.steps],
        "limits": asdict(chain.limits),
    }


def chain_from_dict(kept: Mapping[str, Any]) -> Chain:
    """Return the chain that ``chain_to_dict`` wrote.

    Raises:
        BrokenChain: a part is missing or the chain could page nobody.
    """
    try:
        steps = tuple(
            ChainStep(
                step["after_minutes"], tuple(step["roles"]), step["repeat_minutes"], step.get("tell_subject", False)
            )
            for step in kept["steps"]
        )
        return Chain(kept["urgency"], steps, kept["acknowledge_within_minutes"], Limits(**kept.get("limits", {})))
    except (KeyError, TypeError) as error:
        raise BrokenChain(f"a kept chain cannot be read: {error}") from error


def _level(chain: Chain, opened_at: datetime, moment: datetime) -> int | None:
    """Return the index of the highest step whose time has come at ``moment``, or None before the first."""
    reached = [
        index for index, step in enumerate(chain.steps) if opened_at + timedelta(minutes=step.after_minutes) <= moment
    ]
    return reached[-1] if reached else None


def _page(chain: Chain, opened_at: datetime, paged: int, index: int) -> NextPage:
    step = chain.steps[index]
    due_at = opened_at + timedelta(minutes=step.after_minutes)
    return NextPage(paged + 1, index, step.roles, due_at, repeat=False)
