"""How do staff hear of what can wait? Once, at the opening of a working day, as one list."""

from collections.abc import Sequence

from sqlmodel import col, select

from bot.domain import escalation as rules
from bot.domain.escalation import CaseEvent, CaseState
from bot.domain.people import BOT
from bot.domain.urgency import Urgency
from bot.store.models import AgendaItem, Escalation, OutboxMessage, Subject
from bot.usecases import escalate
from bot.work import Button, Lane, Lines, Text, Work

PURPOSE = "case digest"
# So many are one tap away; the rest is in the list of cases.
SHOWN = 8


def send(work: Work, item: AgendaItem) -> str:
    """Tell of every case that waited for this morning; a single one is told like any other."""
    found = _waiting(work)
    if not found:
        return "nothing waits"
    if len(found) == 1:
        escalate.page(work, found[0][0])
        return "paged"
    reached = escalate.reachable(work, work.protocol.chains[str(Urgency.YELLOW)].steps[0].roles)
    named = ", ".join(str(member.id) for member, _ in reached)
    for case, _ in found:
        case.pages += 1
        case.last_paged_at = work.now
        case.state = rules.advance(CaseState(case.state), CaseEvent.PAGE)
        escalate.step(work, case, "paged", f"1: {named}", BOT.label)
    for _, account in reached:
        rows = [
            [
                Button(
                    "case.digest.button",
                    "case.open",
                    {"case": case.id},
                    values={"number": case.id, "code": subject.code},
                )
            ]
            for case, subject in found[:SHOWN]
        ]
        rows.append([Button("alerts.button.all", "alerts.page", {"page": 0})])
        work.say(
            account,
            "case.digest",
            rows,
            lane=Lane.AMBER,
            purpose=PURPOSE,
            dedupe_key=f"{item.key}:{account.id}",
            silent=True,
            n=len(found),
            lines=Lines([_line(case, subject) for case, subject in found[:SHOWN]]),
            more=Text("case.digest.more", {"n": len(found) - SHOWN}) if len(found) > SHOWN else "",
        )
    return f"{len(found)} told"


def sent(work: Work, message: OutboxMessage) -> None:
    """Note on each case of the list that staff were really told."""
    for case in work.session.exec(
        select(Escalation).where(
            Escalation.urgency == Urgency.YELLOW,
            Escalation.last_paged_at == message.created_at,
            col(Escalation.page_sent_at).is_(None),
        )
    ).all():
        case.page_sent_at = work.now
        case.first_page_sent_at = case.first_page_sent_at or work.now


def _waiting(work: Work) -> Sequence[tuple[Escalation, Subject]]:
    return work.session.exec(
        select(Escalation, Subject)
        .join(Subject, col(Escalation.subject_id) == col(Subject.id))
        .where(
            Escalation.kind == escalate.SYMPTOM,
            Escalation.urgency == Urgency.YELLOW,
            Escalation.state == CaseState.OPEN,
            col(Escalation.last_paged_at).is_(None),
            Escalation.chain_started_at <= work.now,
        )
        .order_by(col(Escalation.id))
        .with_for_update(of=Escalation)
    ).all()


def _line(case: Escalation, subject: Subject) -> Text:
    told = escalate.summary_of(case).lines
    return Text("case.digest.line", {"number": case.id, "code": subject.code, "what": told[0] if told else ""})
