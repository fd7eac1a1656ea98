"""Which open case should have moved and did not? Judged from the case itself, not from what was planned for it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain import escalation
from bot.domain.escalation import CaseState, Chain


class Finding(StrEnum):
    """What is wrong with an open case."""

    UNREADABLE = "unreadable"
    FUTURE = "future"
    NOT_PAGED = "not_paged"
    NOT_PLANNED = "not_planned"
    NOT_SENT = "not_sent"
    NO_OWNER = "no_owner"
    NOT_LAPSED = "not_lapsed"
    NOT_TAKEN = "not_taken"
    NOT_CLOSED = "not_closed"


# What people did not do; everything else is a fault of the bot or of its surroundings.
OF_PEOPLE = frozenset({Finding.NOT_TAKEN, Finding.NOT_CLOSED})
BETWEEN = ","  # findings that are kept in one field


@dataclass(frozen=True, slots=True)
class Graces:
    """How late each thing may be before it is found, and how often the alarm comes again while it lasts.

    ``first_page_seconds``: from when a case should ring to its first page. ``next_page_minutes``: of each later page.
    ``sent_minutes``: from a page to the first message of it that left. ``limit_minutes``: after the time that people
    have. The alarm of a RED case comes again every ``red_again_minutes``, of others every ``again_minutes``.
    """

    first_page_seconds: int
    next_page_minutes: int
    sent_minutes: int
    limit_minutes: int
    red_again_minutes: int
    again_minutes: int

    def again(self, *, red: bool) -> timedelta:
        """Return how long after an alarm the next one for the same comes."""
        return timedelta(minutes=self.red_again_minutes if red else self.again_minutes)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a case; all times are UTC.

    ``chain`` is None when the copy that the case keeps cannot be read. ``listed``: it goes out with the list of the
    morning, not by a page of its own. ``waits_at_most``: how long its first page may lie ahead. ``owner_here``: who
    has it is still staff. ``page_at`` and ``lapse_at`` are when the agenda next does something about it, ``lists_at``
    when it sends lists.
    """

    state: CaseState
    chain: Chain | None
    listed: bool
    waits_at_most: timedelta
    opened_at: datetime
    chain_started_at: datetime
    last_paged_at: datetime | None = None
    page_sent_at: datetime | None = None
    lapsed_at: datetime | None = None
    acknowledged_at: datetime | None = None
    read_back_at: datetime | None = None
    tried_at: datetime | None = None
    contacted_at: datetime | None = None
    owner_here: bool = True
    page_at: datetime | None = None
    lapse_at: datetime | None = None
    lists_at: Collection[datetime] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that is wrong, and since when."""

    finding: Finding
    since: datetime


def judge(case: Standing, graces: Graces, now: datetime) -> tuple[Found, ...]:
    """Return what is wrong with a case at ``now``, the gravest first; nothing for a closed one."""
    if case.state is CaseState.RESOLVED:
        return ()
    if case.chain is None:
        return (Found(Finding.UNREADABLE, case.opened_at),)
    if _lies_ahead(case, graces, now):
        # Everything else is reckoned from these moments, so they come first.
        return (Found(Finding.FUTURE, min(case.opened_at, now)),)
    if escalation.awaits_acknowledgement(case.state):
        return tuple(_of_waiting(case, case.chain, graces, now))
    return tuple(_of_owned(case, case.chain, graces, now))


def round_began_at(case: Standing) -> datetime:
    """Return when people were asked to do what they now should do: it rang, rang again, or somebody took it."""
    moments = (case.chain_started_at, case.lapsed_at, case.acknowledged_at)
    return max(moment for moment in moments if moment is not None)


def _lies_ahead(case: Standing, graces: Graces, now: datetime) -> bool:
    """Tell whether the case was written by a clock that has been set back since."""
    latest = now + timedelta(seconds=graces.first_page_seconds)
    done = (case.last_paged_at, case.acknowledged_at, case.read_back_at, case.tried_at)
    if any(moment is not None and moment > latest for moment in done):
        return True
    return case.chain_started_at > latest + case.waits_at_most


def _of_waiting(case: Standing, chain: Chain, graces: Graces, now: datetime) -> list[Found]:
    found = []
    limit = timedelta(minutes=graces.limit_minutes)
    first = case.last_paged_at is None
    grace = timedelta(seconds=graces.first_page_seconds) if first else timedelta(minutes=graces.next_page_minutes)
    listed = case.listed and first
    if listed:
        due: datetime | None = case.chain_started_at
        planned = min((at for at in case.lists_at if at >= case.chain_started_at), default=None)
    else:
        coming = escalation.next_page(chain, case.chain_started_at, 0, case.last_paged_at, now)
        due = None if coming is None else coming.due_at
        planned = case.page_at
    if due is not None and due + grace < now:
        found.append(Found(Finding.NOT_PAGED, due))
    elif due is not None and (planned is None or planned > due + grace):
        found.append(Found(Finding.NOT_PLANNED, case.last_paged_at or min(case.chain_started_at, now)))
    if case.last_paged_at is not None and case.page_sent_at is None:
        by = case.last_paged_at + timedelta(minutes=graces.sent_minutes)
        if by < now:
            found.append(Found(Finding.NOT_SENT, case.last_paged_at))
    by = escalation.acknowledge_by(chain, round_began_at(case))
    if by + limit < now:
        found.append(Found(Finding.NOT_TAKEN, by))
    return found


def _of_owned(case: Standing, chain: Chain, graces: Graces, now: datetime) -> list[Found]:
    if case.acknowledged_at is None or not case.owner_here:
        return [Found(Finding.NO_OWNER, case.acknowledged_at or case.opened_at)]
    found = []
    grace = timedelta(minutes=graces.limit_minutes)
    coming = escalation.lapses_at(
        chain.limits, case.acknowledged_at, case.read_back_at, case.tried_at, case.contacted_at
    )
    if coming is not None:
        _, at = coming
        if at + grace < now:
            found.append(Found(Finding.NOT_LAPSED, at))
        elif case.lapse_at is None or case.lapse_at > at + grace:
            found.append(Found(Finding.NOT_PLANNED, case.acknowledged_at))
    by = escalation.outcome_by(chain.limits, case.acknowledged_at)
    if by is not None and by + grace < now:
        found.append(Found(Finding.NOT_CLOSED, by))
    return found


def kept(found: Collection[Found]) -> str | None:
    """Return findings as one field keeps them, None when there are none."""
    return BETWEEN.join(each.finding for each in found) or None


def known(field: str | None) -> frozenset[Finding]:
    """Return the findings that `kept` wrote."""
    return frozenset(Finding(name) for name in field.split(BETWEEN)) if field else frozenset()


def is_fault(field: str | None) -> bool:
    """Tell whether a case lies still for another reason than that people do not act."""
    return not known(field) <= OF_PEOPLE
