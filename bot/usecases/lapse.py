"""What happens when somebody took a case over and then neither says what they do nor reaches the subject?

Nobody is blamed and nothing is closed: the case rings again, one level up, and who had it is told.
"""

from datetime import datetime

from bot.domain import escalation as rules
from bot.domain.escalation import CaseEvent, CaseState
from bot.domain.people import BOT
from bot.store import people
from bot.store.models import Account, AgendaItem, Escalation
from bot.usecases import escalate, polite
from bot.work import Button, Text, Work


def watch(work: Work, case: Escalation) -> None:
    """Plan when the case rings again if nothing more is recorded; what was planned before is forgotten."""
    work.forget_plan(escalate.LAPSE, case.id or 0)
    found = coming(case)
    if found is not None:
        why, at = found
        key = f"lapse:{case.id}:{why}:{at.isoformat()}:{work.now.isoformat()}"
        work.plan(escalate.LAPSE, key, at, case.id or 0, subject_id=case.subject_id)


def due(work: Work, item: AgendaItem) -> str:
    """Let a case ring again whose owner recorded nothing in time."""
    case = work.session.get_one(Escalation, item.about_id, with_for_update=True)
    found = coming(case)
    if found is None:
        return "contact recorded, or nobody has it"
    why, at = found
    if at > work.now:
        item.due_at = at
        return polite.PUT_OFF
    ring_again(work, case, why)
    return str(why)


def coming(case: Escalation) -> tuple[rules.Lapse, datetime] | None:
    """Return why and when a case rings again; None when nobody has it or nothing is awaited."""
    if case.acknowledged_at is None or CaseState(case.state) not in rules.OWNED:
        return None
    limits = rules.chain_from_dict(case.chain).limits
    return rules.lapses_at(limits, case.acknowledged_at, case.read_back_at, case.tried_at, case.contacted_at)


def ring_again(work: Work, case: Escalation, why: rules.Lapse) -> None:
    """Take a case from its owner and page the level above the last that was paged; the owner hears why."""
    owner = people.member(work.session, case.acknowledged_by_id) if case.acknowledged_by_id is not None else None
    chain = rules.chain_from_dict(case.chain)
    level = rules.level_above(chain, case.chain_started_at, case.last_paged_at)
    escalate.step(work, case, "lapsed", why, BOT.label)
    escalate.free(work, case, CaseEvent.LAPSE, rules.started_at_level(chain, level, work.now))
    case.lapsed_at = work.now
    if owner is not None:
        _tell_owner(work, case, owner[1], why)
    escalate.page(work, case)


def _tell_owner(work: Work, case: Escalation, account: Account, why: rules.Lapse) -> None:
    escalate.tell_member(
        work,
        case,
        account,
        "case.told.lapsed",
        [
            [Button("case.button.spoke", "case.contact", {"case": case.id, "spoke": True})],
            [Button("case.button.acknowledge", "case.acknowledge", {"case": case.id})],
        ],
        dedupe_key=f"lapsed:{case.id}:{work.now.isoformat()}:{account.id}",
        why=Text(f"case.lapse.{why}"),
    )
