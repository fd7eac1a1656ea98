"""What do the records say about how long people took in a period? The one reading behind chat, terminal and table."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Any

from bot.domain import kpi as rules
from bot.domain.escalation import CaseState, awaits_acknowledgement
from bot.domain.kpi import CaseFacts, Group, Hours, Kpi, Ratio, Stage
from bot.store import audit
from bot.store import kpi as stored
from bot.store.models import StaffMember
from bot.usecases import digest, escalate
from bot.work import Work

EVER = 0  # days: since the start of the study
_BEGINNING = date(2000, 1, 1)
# What a person of the staff does to a case: whoever did one of these has seen it.
_BY_PERSON: Mapping[str, tuple[Stage, ...]] = {
    "viewed": (Stage.SEEN,),
    "acknowledged": (Stage.SEEN, Stage.ACKNOWLEDGED),
    "taken over": (Stage.SEEN, Stage.ACKNOWLEDGED),
    "settled": (Stage.SEEN, Stage.ACKNOWLEDGED),
    "read back": (Stage.SEEN,),
    "spoke": (Stage.SEEN, Stage.CONTACTED),
    "no answer": (Stage.SEEN,),
    "wrote": (Stage.SEEN,),
    "note": (Stage.SEEN,),
    "resolved": (Stage.SEEN,),
}
# What counts as doing something about a case; looking, taking over and closing alone do not.
_ACTIONS = ("read back", "spoke", "no answer", "wrote", "note", "settled")
_CHAINS_KEPT = 256
# By case: when its urgency last rose, and when each stage was first reached since then.
Risen = dict[int, tuple[datetime, dict[Stage, datetime]]]


def measure(work: Work, days: int) -> tuple[Kpi, Mapping[int, StaffMember]]:
    """Return the figures of the last ``days``, today included, and who the persons in them are.

    The days are those of the site, from midnight on; `EVER` takes all. The look is written down.
    """
    since = first_moment(work, days)
    audit.record(work.session, "kpi.viewed", days=days)
    staff = stored.staff(work.session)
    counted = stored.count_steps(work.session, since, (stored.LAPSED, stored.ACKNOWLEDGED))
    risen = _since_rise(stored.steps_of_risen(work.session, list(_BY_PERSON)))
    alerts = _alerts(work, since, {account: member.id or 0 for account, member in staff.items()}, risen)
    facts = _facts(work, since, risen)
    of_period = [case for opened_at, case in facts if opened_at >= since]
    found = rules.figures(
        of_period,
        [case for _, case in facts if case.is_open],
        alerts,
        reports=len(of_period) + stored.count_green(work.session, since),
        lapses=Ratio(counted.get(stored.LAPSED, 0), counted.get(stored.ACKNOWLEDGED, 0)),
        since=since,
        now=work.now,
        burst=timedelta(minutes=work.protocol.kpi.burst_minutes),
    )
    return found, {member.id or 0: member for member in staff.values()}


def between(work: Work, since: datetime, until: datetime) -> tuple[list[CaseFacts], list[CaseFacts]]:
    """Return the cases that were opened from ``since`` to before ``until``, and those that are open now."""
    risen = _since_rise(stored.steps_of_risen(work.session, list(_BY_PERSON)))
    facts = _facts(work, since, risen)
    opened = [case for opened_at, case in facts if since <= opened_at < until]
    return opened, [case for _, case in facts if case.is_open]


def first_moment(work: Work, days: int) -> datetime:
    """Return when the period begins: midnight at the site, so many days back with today as one of them."""
    zone = work.settings.zone
    if days == EVER:
        return datetime.combine(_BEGINNING, time(), zone)
    return datetime.combine(work.today - timedelta(days=days - 1), time(), zone)


def _alerts(work: Work, since: datetime, staff: Mapping[int, int], risen: Risen) -> dict[int, list[datetime]]:
    """Return when a page went out to each person; note the first one of each case after its urgency rose."""
    found: dict[int, list[datetime]] = {}
    for page in stored.pages(work.session, since, (escalate.PAGE, digest.PURPOSE)):
        if page.account in staff:
            found.setdefault(staff[page.account], []).append(page.at)
        if page.case is not None and page.case in risen and page.at >= risen[page.case][0]:
            reached = risen[page.case][1]
            reached[Stage.PAGED] = min(page.at, reached.get(Stage.PAGED, page.at))
    return found


def _facts(work: Work, since: datetime, risen: Risen) -> list[tuple[datetime, CaseFacts]]:
    """Return each case, opened since then or open, with when it was opened."""
    acted = stored.acted_on(work.session, since, _ACTIONS)
    hours = _hours(work)
    found = []
    for row in stored.cases(work.session, since):
        group, limit = _chain(row.chain)
        if row.id in risen:
            started_at, reached = risen[row.id]
        else:
            started_at, reached = row.opened_at, _reached(row)
        if row.resolved_at is not None:
            reached[Stage.CLOSED] = row.resolved_at
            reached.setdefault(Stage.SEEN, row.resolved_at)
        facts = CaseFacts(
            group=group,
            hours=hours(started_at),
            started_at=started_at,
            acknowledge_within=limit,
            reached=reached,
            is_open=row.state != CaseState.RESOLVED,
            waits_since=_waits_since(row, started_at, row.id in risen),
            acted=row.first_contacted_at is not None or row.id in acted,
            rose=row.id in risen,
        )
        found.append((row.opened_at, facts))
    return found


def _reached(row: Any) -> dict[Stage, datetime]:
    """Return when each stage was first reached, of a case whose urgency never rose."""
    # Whoever settles a request without opening it has seen it.
    seen = min((at for at in (row.first_viewed_at, row.first_acknowledged_at) if at is not None), default=None)
    times = {
        Stage.PAGED: row.first_page_sent_at,
        Stage.SEEN: seen,
        Stage.ACKNOWLEDGED: row.first_acknowledged_at,
        Stage.CONTACTED: row.first_contacted_at,
    }
    return {stage: at for stage, at in times.items() if at is not None}


def _since_rise(steps: Sequence[stored.Step]) -> Risen:
    """Return, by case, when its urgency last rose and when each stage was first reached since then."""
    found: Risen = {}
    for step in steps:
        if step.what == stored.ROSE:
            found[step.case] = (step.at, {})
        elif step.case in found:
            for stage in _BY_PERSON[step.what]:
                found[step.case][1].setdefault(stage, step.at)
    return found


def _waits_since(row: Any, started_at: datetime, rose: bool) -> datetime | None:
    """Return since when nobody has a case: it was opened, rose, lapsed, came back or had a new danger."""
    if not awaits_acknowledgement(CaseState(row.state)):
        return None
    if row.lapsed_at is None and (row.first_acknowledged_at is None or rose):
        return started_at
    since: datetime = row.lapsed_at or row.chain_started_at
    return max(since, started_at)


@lru_cache(_CHAINS_KEPT)
def _chain(kept: str) -> tuple[Group, timedelta]:
    """Return what a kept chain says: which cases it serves, and how soon they should be taken over."""
    chain = json.loads(kept)
    return Group(chain["urgency"]), timedelta(minutes=chain["acknowledge_within_minutes"])


def _hours(work: Work) -> Callable[[datetime], Hours]:
    """Return what tells working hours from others; of each day the calendar is asked once."""
    zone, hours, is_open = work.settings.zone, work.protocol.kpi.working_hours, cache(work.clinic.is_open)
    return lambda at: hours.when(at.astimezone(zone), is_open)
