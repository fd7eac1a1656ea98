"""How does an owner give a case to a colleague? The colleague is asked; until they say yes, nothing changes."""

from typing import Any

from bot.domain import escalation as rules
from bot.domain.escalation import CaseState
from bot.domain.roles import CLINICAL
from bot.store import people
from bot.store.models import Escalation, StaffMember, Subject
from bot.usecases import cases, escalate, owning
from bot.work import Button, Text, Work


def ask_whom(work: Work, args: dict[str, Any]) -> None:
    """Offer the colleagues who can be written to."""
    case = owning.locked(work, args)
    if not _is_mine(work, case):
        cases.say_who_has_it(work, case)
        return
    rows = [
        [
            Button(
                f"{member.name} · {work.text(f'role.{member.role}')}",
                "case.offer",
                {**args, "staff": member.id},
                plain=True,
            )
        ]
        for member, _ in people.reachable(work.session, CLINICAL)
        if member.id != work.caller.staff_id
    ]
    rows.append([Button("form.button.cancel", "case.open", {"case": case.id})])
    code = work.session.get_one(Subject, case.subject_id).code
    key = "case.ask_hand_over" if len(rows) > 1 else "case.nobody_to_hand_over"
    work.answer(key, rows, single_use=True, number=case.id, code=code)


def offer(work: Work, args: dict[str, Any]) -> None:
    """Ask one colleague to take the case; the owner keeps it, with its limits, until then."""
    case = owning.locked(work, args)
    colleague = people.member(work.session, args["staff"])
    if not _is_mine(work, case) or colleague is None or colleague[0].role not in CLINICAL:
        cases.say_who_has_it(work, case)
        return
    member, account = colleague
    case.offered_to_id = member.id
    offered = escalate.step(work, case, "offered", member.name)
    subject = work.session.get_one(Subject, case.subject_id)
    escalate.tell_member(
        work,
        case,
        account,
        "case.offered",
        [
            [Button("case.button.accept", "case.take_over", {"case": case.id})],
            [Button("case.button.decline", "case.decline", {"case": case.id})],
        ],
        dedupe_key=f"offered:{offered.id}",
        level=Text(escalate.level_of(case)),
        phone=subject.phone or Text("case.no_phone"),
        name=owning.name_of(work, case),
        summary=escalate.summary_of(case),
    )
    work.answer("case.offer_sent", [escalate.to_case(case)], number=case.id, code=subject.code, name=member.name)


def decline(work: Work, args: dict[str, Any]) -> None:
    """Say no to a case that a colleague offered; who offered it still has it, and hears of it."""
    case = owning.locked(work, args)
    if case.offered_to_id != work.caller.staff_id:
        cases.say_who_has_it(work, case)
        return
    case.offered_to_id = None
    escalate.step(work, case, "declined")
    subject = work.session.get_one(Subject, case.subject_id)
    me = work.session.get_one(StaffMember, work.caller.staff_id)
    if case.acknowledged_by_id is not None and (owner := people.member(work.session, case.acknowledged_by_id)):
        escalate.tell_member(work, case, owner[1], "case.told.declined", name=me.name)
    work.answer("case.declined_by_you", number=case.id, code=subject.code, name=owning.name_of(work, case))


def _is_mine(work: Work, case: Escalation) -> bool:
    return CaseState(case.state) in rules.OWNED and case.acknowledged_by_id == work.caller.staff_id
