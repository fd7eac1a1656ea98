"""Who looks whether the chain of a case still runs? Somebody who believes the cases and not the agenda.

What can be mended is mended with the same means as ever; what people have to do is told to them. Each case is a
transaction of its own, so one that cannot be mended holds up no other.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.orm import defer
from sqlmodel import Session, and_, col, func, or_, select

from bot.deps import Deps
from bot.domain import escalation as rules
from bot.domain import stalled
from bot.domain.escalation import CaseEvent, CaseState
from bot.domain.people import BOT
from bot.domain.reminders import out_of_quiet
from bot.domain.roles import EVERYONE, Role
from bot.domain.stalled import Finding, Found, Standing
from bot.domain.urgency import Urgency
from bot.store import people
from bot.store.models import Account, AgendaItem, Escalation, Heartbeat, OutboxMessage, StaffMember, Subject
from bot.store.planner import is_in
from bot.usecases import digest, escalate, lapse
from bot.work import Lane, Text, Work

log = structlog.get_logger(__name__)

NAME = "auditor"  # of its heartbeat
PURPOSE = "case alarm"
# After a pause of its own it lets what waited have its turn first.
PAUSED = timedelta(minutes=3)
# A request does not ring at night.
NIGHT = timedelta(days=1)
# A message that has been on its way for so long is on no way any more.
LOST = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Planned:
    """When the agenda next does something about each case, by kind and number, and when it sends lists."""

    by_case: Mapping[tuple[str, int], datetime]
    lists: Collection[datetime]


def was_away(session: Session, now: datetime) -> bool:
    """Tell whether the auditor itself has not looked for a while: the bot was down, or the clock was set."""
    heart = session.get(Heartbeat, NAME)
    return heart is None or not timedelta(0) <= now - heart.at <= PAUSED


def beat(session: Session, now: datetime) -> None:
    session.merge(Heartbeat(name=NAME, at=now))


def look(session: Session, deps: Deps, now: datetime) -> list[int]:
    """Return the open cases that something has to be done about: three statements, however many cases are closed."""
    statement = (
        select(Escalation, StaffMember)
        .outerjoin(StaffMember, col(Escalation.acknowledged_by_id) == col(StaffMember.id))
        .where(col(Escalation.state).in_(rules.UNRESOLVED))
        .options(defer(Escalation.summary))  # type: ignore[arg-type]  # sealed; opening it costs more than the rest
    )
    planned = _planned(session)
    numbers = []
    for case, owner in session.exec(statement).all():
        standing = _standing(deps, case, owner, planned)
        found = stalled.judge(standing, deps.protocol.auditor, now)
        if _is_new(deps, case, standing, found, now):
            numbers.append(case.id or 0)
    return numbers


def _is_new(deps: Deps, case: Escalation, standing: Standing, found: Collection[Found], now: datetime) -> bool:
    if stalled.kept(found) != case.overdue or any(each.finding not in stalled.OF_PEOPLE for each in found):
        return True
    return bool(found) and (
        case.overdue_told_at is None
        or _nth(deps, case, standing, case.overdue_told_at) < _nth(deps, case, standing, now)
    )


def _planned(session: Session, number: int | None = None) -> Planned:
    statement = (
        select(AgendaItem.kind, AgendaItem.about_id, func.min(AgendaItem.due_at))
        .where(is_in(AgendaItem, "waiting"), col(AgendaItem.kind).in_((escalate.NEXT_PAGE, escalate.LAPSE)))
        .group_by(col(AgendaItem.kind), col(AgendaItem.about_id))
    )
    if number is not None:
        statement = statement.where(AgendaItem.about_id == number)
    lists = select(AgendaItem.due_at).where(is_in(AgendaItem, "waiting"), AgendaItem.kind == escalate.DIGEST)
    return Planned(
        {(kind, about): at for kind, about, at in session.exec(statement).all()}, session.exec(lists).all()
    )


def _standing(deps: Deps, case: Escalation, owner: StaffMember | None, planned: Planned) -> Standing:
    listed = escalate.is_listed(case)
    waits = timedelta(days=deps.protocol.digest.waits_at_most_days + 1) if listed else NIGHT
    number = case.id or 0
    return Standing(
        state=CaseState(case.state),
        chain=_chain(case),
        listed=listed,
        waits_at_most=waits if listed or case.kind != escalate.SYMPTOM else timedelta(0),
        opened_at=case.opened_at,
        chain_started_at=case.chain_started_at,
        last_paged_at=case.last_paged_at,
        page_sent_at=case.page_sent_at,
        lapsed_at=case.lapsed_at,
        acknowledged_at=case.acknowledged_at,
        read_back_at=case.read_back_at,
        tried_at=case.tried_at,
        contacted_at=case.contacted_at,
        owner_here=owner is not None and owner.revoked_at is None,
        page_at=planned.by_case.get((escalate.NEXT_PAGE, number)),
        lapse_at=planned.by_case.get((escalate.LAPSE, number)),
        lists_at=planned.lists,
    )


def _chain(case: Escalation) -> rules.Chain | None:
    try:
        return rules.chain_from_dict(case.chain)
    except rules.BrokenChain:
        return None


def _nth(deps: Deps, case: Escalation, standing: Standing, at: datetime) -> int:
    """Return the number of the alarm that belongs to a moment: one for each period since people were asked."""
    period = deps.protocol.auditor.again(red=Urgency(case.urgency).is_red)
    return max((at - stalled.round_began_at(standing)) // period, 0)


def mend(work: Work, number: int) -> list[Finding]:
    """Mend what is wrong with one case, raise the alarm for what stays, and return what was mended."""
    case = work.session.exec(select(Escalation).where(Escalation.id == number).with_for_update()).one()
    mended: list[Finding] = []
    while True:
        standing = _now(work, case)
        found = stalled.judge(standing, work.protocol.auditor, work.now)
        todo = next((each.finding for each in found if each.finding in MENDERS and each.finding not in mended), None)
        if todo is None or not MENDERS[todo](work, case):
            break
        mended.append(todo)
        escalate.step(work, case, "chain repaired", todo, BOT.label)
        _alarm(work, case, standing, todo, mended=True)
    _keep(work, case, standing, found)
    return mended


def _now(work: Work, case: Escalation) -> Standing:
    work.session.flush()
    owner = work.session.get(StaffMember, case.acknowledged_by_id) if case.acknowledged_by_id is not None else None
    return _standing(work.deps, case, owner, _planned(work.session, case.id))


def _keep(work: Work, case: Escalation, standing: Standing, found: Collection[Found]) -> None:
    """Mark the case with what is still wrong, and tell of it if that is new or the time to tell again has come."""
    if not found:
        work.silence("the case has moved on", purpose=PURPOSE, about_id=case.id)
        case.overdue = case.overdue_since = case.overdue_told_at = None
        return
    case.overdue, case.overdue_since = stalled.kept(found), min(each.since for each in found)
    told = [each.finding for each in found if _alarm(work, case, standing, each.finding, mended=False)]
    if told:
        escalate.step(work, case, "overdue", BETWEEN.join(told), BOT.label)
    case.overdue_told_at = work.now


BETWEEN = stalled.BETWEEN


def _alarm(work: Work, case: Escalation, standing: Standing, finding: Finding, *, mended: bool) -> bool:
    """Tell whoever should know, once a period; return whether this was new.

    Administrators get number, urgency and finding, no code and no health data.
    """
    urgency = Urgency(case.urgency)
    key = f"alarm:{case.id}:{finding}:{stalled.round_began_at(standing).isoformat()}"
    key += f":{_nth(work.deps, case, standing, work.now)}:{'mended' if mended else 'open'}"
    subject = work.session.get_one(Subject, case.subject_id)
    what, new = Text(f"case.found.{finding}"), False
    for member, account in _told(work, case, finding, mended=mended):
        to_admin = member.role == Role.ADMIN
        shown: dict[str, Any] = {} if to_admin else {"code": subject.code}
        said = work.say(
            account,
            "case.alarm.admin" if to_admin else "case.alarm",
            [] if to_admin else [escalate.to_case(case)],
            lane=Lane.RED if urgency.is_red else Lane.AMBER,
            purpose=PURPOSE,
            about_id=case.id,
            subject_id=None if to_admin else case.subject_id,
            dedupe_key=f"{key}:{account.id}",
            due_at=None if urgency.is_red else out_of_quiet(work.now, work.settings.zone, work.protocol.quiet_hours),
            level=Text(escalate.level_of(case)),
            number=case.id,
            what=Text("case.alarm.mended", {"what": what}) if mended else what,
            **shown,
        )
        new = new or said is not None
    if new:
        log.error("auditor.found", case=case.id, finding=finding, urgency=case.urgency, mended=mended)
    return new


def _told(work: Work, case: Escalation, finding: Finding, *, mended: bool) -> list[tuple[StaffMember, Account]]:
    """Return whom an alarm goes to: of what is urgent everybody; of the rest whom it was given, and the PI.

    What is mended, and what a request or a yellow case waits for, rings nobody else.
    """
    urgent = Urgency(case.urgency).rank >= Urgency.AMBER.rank
    wanted: set[str] = set()
    if Urgency(case.urgency).is_red or (urgent and not mended):
        wanted.add(EVERYONE)
    elif not mended:
        chain = _chain(case)
        wanted |= {Role.PI, *(role for step in (chain.steps if chain else ()) for role in step.roles)}
    if urgent or finding not in stalled.OF_PEOPLE:
        wanted.add(Role.ADMIN)
    return people.reachable(work.session, wanted)


# How each finding is mended; False when it cannot be


def _give_chain(work: Work, case: Escalation) -> bool:
    """Give a case whose own chain is lost the one that such a case gets today."""
    chain = escalate.chain_of(work, case.kind, Urgency(case.urgency), case.because)
    case.chain = rules.chain_to_dict(chain)
    return True


def _into_the_present(work: Work, case: Escalation) -> bool:
    for name in escalate.MOMENTS:
        if (at := getattr(case, name)) is not None and at > work.now:
            setattr(case, name, work.now)
    case.chain_started_at = min(case.chain_started_at, work.now)
    return True


def _page(work: Work, case: Escalation) -> bool:
    at = case.chain_started_at
    if escalate.is_listed(case) and case.last_paged_at is None and at > work.now:
        escalate.plan_digest(work, at)
        return True
    work.unplan("planned anew", kind=escalate.NEXT_PAGE, about_id=case.id)
    escalate.page(work, case, again=f":again:{work.now.isoformat()}")
    return True


def _plan(work: Work, case: Escalation) -> bool:
    if rules.awaits_acknowledgement(CaseState(case.state)):
        return _page(work, case)
    lapse.watch(work, case)
    return True


def _page_anew(work: Work, case: Escalation) -> bool:
    """Page once more when nothing of the last page is left that could still arrive, and somebody can be reached."""
    pages = work.session.exec(
        select(OutboxMessage.state, OutboxMessage.claimed_at).where(
            or_(
                and_(
                    OutboxMessage.purpose == escalate.PAGE,
                    OutboxMessage.about_id == case.id,
                    OutboxMessage.created_at >= (case.last_paged_at or case.opened_at),
                ),
                and_(OutboxMessage.purpose == digest.PURPOSE, OutboxMessage.created_at == case.last_paged_at),
            )
        )
    ).all()
    alive = any(
        state in ("waiting", "unsure") or (state == "sending" and (at is None or at + LOST > work.now))
        for state, at in pages
    )
    roles = {role for step in rules.chain_from_dict(case.chain).steps for role in step.roles}
    if alive or all(account.unreachable_at is not None for _, account in escalate.reachable(work, sorted(roles))):
        return False
    case.last_paged_at = None
    work.unplan("planned anew", kind=escalate.NEXT_PAGE, about_id=case.id)
    escalate.page(work, case, again=f":again:{work.now.isoformat()}")
    return True


def _hand_back(work: Work, case: Escalation) -> bool:
    escalate.step(work, case, "handed back", by=BOT.label)
    escalate.page_afresh(work, case, CaseEvent.HAND_BACK)
    return True


def _ring_again(work: Work, case: Escalation) -> bool:
    found = lapse.coming(case)
    if found is None:
        return False
    lapse.ring_again(work, case, found[0])
    return True


MENDERS: Mapping[Finding, Callable[[Work, Escalation], bool]] = {
    Finding.UNREADABLE: _give_chain,
    Finding.FUTURE: _into_the_present,
    Finding.NOT_PAGED: _page,
    Finding.NOT_PLANNED: _plan,
    Finding.NOT_SENT: _page_anew,
    Finding.NO_OWNER: _hand_back,
    Finding.NOT_LAPSED: _ring_again,
}
