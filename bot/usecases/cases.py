"""How does a member of staff take over a case, act on it, and close it with an outcome?"""

from typing import Any

from sqlmodel import col, func, select

from bot.domain import escalation as rules
from bot.domain.escalation import CaseEvent, CaseState, RefusedTransition
from bot.domain.roles import CLINICAL
from bot.domain.urgency import Urgency
from bot.store import audit, people
from bot.store import evidence as came
from bot.store.adverse_events import CASE
from bot.store.measurements import SLIP
from bot.store.models import Escalation, EscalationStep, OutboxMessage, StaffMember, Subject, Visit
from bot.store.visits import PLANNED
from bot.usecases import escalate, sae_clock
from bot.work import Button, Day, Lane, Lines, Text, Work

PER_PAGE = 8
# What may be a slip of a laboratory.
SLIPS = ("photo", "document")
# Of what came with a request, so many are one tap away; the rest is in the list.
SHOWN_DIRECTLY = 4
# Nobody turns a hundred pages; who looks for one of so many gives the code.
COUNTED_TO = 1_000
# How a request about a visit ends by itself when staff record or move the visit.
SETTLED = {
    "visit_done": "outcome.visit_done",
    "visit_missed": "outcome.visit_missed",
    "visit_not_needed": "outcome.visit_not_needed",
    "visit_moved": "outcome.visit_moved",
    "visit_kept": "outcome.visit_kept",
    "visit_cancelled": "outcome.visit_cancelled",
    "evidence_seen": "outcome.evidence_seen",
}


def show_alerts(work: Work, page: int = 0) -> None:
    """List the open cases, the most urgent and oldest first."""
    count = escalate.count_open(work)
    if not count:
        work.answer("alerts.none")
        return
    audit.record(work.session, "alerts.listed", page=page)
    rows = []
    for case, subject in escalate.open_cases(work, page * PER_PAGE, PER_PAGE):
        label = work.text(
            "alerts.row",
            level=work.text(escalate.level_of(case)),
            code=subject.code,
            age=_age(work, case),
            state=work.text(f"case.state.{case.state}"),
        )
        rows.append([Button(label, "case.open", {"case": case.id}, plain=True)])
    rows += pager("alerts.page", page, count)
    work.answer("alerts.title", rows, n=count)


def count_some(work: Work, rows: Any) -> int:
    """Return how many ``rows`` there are, or one more than `COUNTED_TO`: in a large study the rest is not read."""
    return work.session.exec(select(func.count()).select_from(rows.limit(COUNTED_TO + 1).subquery())).one()


def how_many(number: int) -> int | Text:
    """Return what to say of a number that `count_some` gave."""
    return Text("list.more_than", {"n": COUNTED_TO}) if number > COUNTED_TO else number


def pager(action: str, page: int, count: int, **args: Any) -> list[list[Button]]:
    """Return the row that leads to the pages before and after, where there are any; ``args`` go with it."""
    row = []
    if page > 0:
        row.append(Button("list.earlier", action, {**args, "page": page - 1}))
    if (page + 1) * PER_PAGE < count:
        row.append(Button("list.more", action, {**args, "page": page + 1}))
    return [row] if row else []


def open_case(work: Work, args: dict[str, Any]) -> None:
    """Show a case to staff; the first look is kept, for that is when the site knew."""
    case = work.session.get_one(Escalation, args["case"])
    if case.first_viewed_at is None and work.caller.role in CLINICAL:
        case.first_viewed_at = work.now
        escalate.step(work, case, "viewed")
    sae_clock.seen(work, case.id or 0)
    audit.record(work.session, "case.viewed", entity="escalation", entity_id=case.id)
    show_case(work, case)


def show_case(work: Work, case: Escalation) -> None:
    subject = work.session.get_one(Subject, case.subject_id)
    work.answer(
        "case.card",
        _buttons(work, case),
        level=Text(escalate.level_of(case)),
        number=case.id,
        code=subject.code,
        details=escalate.details_of(work, subject),
        who=Text(f"relation.{escalate.relation_of(case)}"),
        phone=escalate.phone_of(work, subject),
        summary=escalate.summary_of(case, whole=True),
        state=Text(f"case.state.{case.state}"),
        owner=_owner(work, case),
        opened=work.texts.moment(case.opened_at, work.settings.zone, work.caller.locale),
        clock=sae_clock.line(work, clock) if (clock := sae_clock.of_case(work, case.id or 0)) is not None else "",
        steps=_steps(work, case),
    )


def _buttons(work: Work, case: Escalation) -> list[list[Button]]:
    if work.caller.role not in CLINICAL:
        return []
    args = {"case": case.id}
    state = CaseState(case.state)
    if state is CaseState.RESOLVED:
        return _event_button(case)
    more = [*_visit_buttons(work, case), *_evidence_buttons(work, case), *_event_button(case)]
    if rules.awaits_acknowledgement(state):
        return [[Button("case.button.acknowledge", "case.acknowledge", args)], *more]
    rows = more
    if case.acknowledged_by_id != work.caller.staff_id:
        rows.append([Button("case.button.take_over", "case.take_over", args)])
    rows += [
        [Button("case.button.spoke", "case.contact", {**args, "spoke": True})],
        [Button("case.button.no_answer", "case.contact", {**args, "spoke": False})],
        [Button("case.button.resolve", "case.resolve", args)],
    ]
    return rows


def _visit_buttons(work: Work, case: Escalation) -> list[list[Button]]:
    """Return what settles a request about a visit; whoever does one of these needs not take the case over first."""
    if case.kind != escalate.REQUEST or case.visit_id is None:
        return []
    visit = work.session.get_one(Visit, case.visit_id)
    if visit.state != PLANNED:
        return []
    target = {"visit": visit.id, "version": visit.plan_version}
    rows = []
    if visit.proposed_on is not None:
        proposed = {**target, "on": visit.proposed_on.isoformat()}
        wish, stands = Day(visit.proposed_on, "short_day"), Day(visit.target_on, "short_day")
        rows += [
            [Button("visit.button.confirm_day", "visit.confirm_day", proposed, values={"day": wish})],
            [Button("visit.button.refuse_day", "visit.refuse_day", proposed, values={"day": stands})],
        ]
    rows += [
        [Button("visit.button.move", "visit.move", target)],
        [Button("visit.button.phoned", "visit.phoned", target)],
        [Button("visit.button.open", "visit.open", {"visit": visit.id})],
    ]
    return rows


def _evidence_buttons(work: Work, case: Escalation) -> list[list[Button]]:
    """Return what shows the files that came with a case, and leads from the photo of a slip to its values."""
    rows = []
    found = [item for item in came.of_case(work.session, case.id) if item.dealt_with_at is None]
    for item in found[:SHOWN_DIRECTLY]:
        at = work.texts.moment(item.sent_at, work.settings.zone, work.caller.locale)
        values: dict[str, object] = {"what": Text(f"evidence.what.{came.kind_of(item)}"), "at": at}
        rows.append([Button("case.button.show", "evidence.show", {"evidence": item.id}, values=values)])
    if slip := next((item for item in found if item.kind in SLIPS), None):
        args = {"subject": case.subject_id, "source": SLIP, "evidence": slip.id}
        rows.append([Button("case.button.enter_values", "labs.enter", args)])
    if len(found) > SHOWN_DIRECTLY or (case.kind == escalate.SYMPTOM and came.count(work.session, case.subject_id)):
        rows.append([Button("patient.button.evidence", "evidence.list", {"subject": case.subject_id})])
    return rows


def _event_button(case: Escalation) -> list[list[Button]]:
    """Return what leads from a report to an adverse event."""
    if case.kind != escalate.SYMPTOM:
        return []
    target = {"subject": case.subject_id, "source": f"{CASE}{case.id}"}
    return [[Button("case.button.adverse_event", "event.draft", target)]]


def acknowledge(work: Work, args: dict[str, Any]) -> None:
    """Take a case over: paging stops, the others see who, the patient is told that a person has it."""
    case = _locked(work, args)
    try:
        case.state = rules.advance(CaseState(case.state), CaseEvent.ACKNOWLEDGE)
    except RefusedTransition:
        _say_who_has_it(work, case)
        return
    _own(work, case, "acknowledged")
    case.acknowledged_at = work.now
    work.unplan("taken over", kind=escalate.NEXT_PAGE, about_id=case.id)
    work.silence("taken over", purpose=escalate.PAGE, about_id=case.id)
    _close_other_pages(work, case)
    work.note("case.toast.acknowledged")
    show_case(work, case)
    if case.kind == escalate.SYMPTOM:
        escalate.tell_subject(
            work,
            case,
            "case.told.taken_over",
            lane=Lane.RED if Urgency(case.urgency).is_red else Lane.ANSWER,
            role=Text(f"role.shown.{work.caller.role}"),
        )


def take_over(work: Work, args: dict[str, Any]) -> None:
    """Take a case over from a colleague."""
    case = _locked(work, args)
    if CaseState(case.state) not in (CaseState.ACKNOWLEDGED, CaseState.IN_ACTION):
        _say_who_has_it(work, case)
        return
    before = case.acknowledged_by_id
    _own(work, case, "taken over")
    if before is not None and before != work.caller.staff_id and (colleague := people.member(work.session, before)):
        subject = work.session.get_one(Subject, case.subject_id)
        work.say(colleague[1], "case.told.colleague", number=case.id, code=subject.code, name=_name(work, case))
    show_case(work, case)


def record_contact(work: Work, args: dict[str, Any]) -> None:
    """Write down that the patient was phoned, and whether somebody answered."""
    case = _locked(work, args)
    if CaseState(case.state) is CaseState.ACKNOWLEDGED:
        case.state = rules.advance(CaseState.ACKNOWLEDGED, CaseEvent.START_ACTION)
    elif CaseState(case.state) is not CaseState.IN_ACTION:
        _say_who_has_it(work, case)
        return
    if args["spoke"]:
        case.contacted_at = case.contacted_at or work.now
    escalate.step(work, case, "spoke" if args["spoke"] else "no answer")
    work.note("case.toast.written_down")
    show_case(work, case)


def ask_outcome(work: Work, args: dict[str, Any]) -> None:
    """Ask for the outcome; a case is never closed without one."""
    case = _locked(work, args)
    if CaseState(case.state) not in (CaseState.ACKNOWLEDGED, CaseState.IN_ACTION):
        _say_who_has_it(work, case)
        return
    rows = [
        [Button(outcome.text, "case.outcome", {"case": case.id, "outcome": outcome.code})]
        for outcome in work.protocol.outcomes
    ]
    rows.append([Button("form.button.cancel", "case.open", {"case": case.id})])
    subject = work.session.get_one(Subject, case.subject_id)
    work.answer("case.ask_outcome", rows, single_use=True, number=case.id, code=subject.code)


def resolve(work: Work, args: dict[str, Any]) -> None:
    """Close a case with its outcome."""
    case = _locked(work, args)
    try:
        case.state = rules.advance(CaseState(case.state), CaseEvent.RESOLVE)
    except RefusedTransition:
        _say_who_has_it(work, case)
        return
    case.outcome = args["outcome"]
    case.resolved_at = work.now
    case.resolved_by_id = work.caller.staff_id
    escalate.step(work, case, "resolved", case.outcome)
    subject = work.session.get_one(Subject, case.subject_id)
    work.answer("case.resolved", number=case.id, code=subject.code, outcome=Text(_outcome_key(work, case)))


def settle(work: Work, case: Escalation, outcome: str) -> None:
    """Close a request in the name of who acts, whoever had it; that colleague is told."""
    owner = case.acknowledged_by_id
    state = CaseState(case.state)
    if rules.awaits_acknowledgement(state):
        state = rules.advance(state, CaseEvent.ACKNOWLEDGE)
        case.acknowledged_at, case.acknowledged_by_id = work.now, work.caller.staff_id
        work.unplan("settled", kind=escalate.NEXT_PAGE, about_id=case.id)
        work.silence("settled", purpose=escalate.PAGE, about_id=case.id)
        if work.caller.staff_id is not None:
            _close_other_pages(work, case)
    case.state = rules.advance(state, CaseEvent.RESOLVE)
    case.outcome, case.resolved_at, case.resolved_by_id = outcome, work.now, work.caller.staff_id
    escalate.step(work, case, "settled", outcome)
    if owner is not None and owner != work.caller.staff_id and (colleague := people.member(work.session, owner)):
        subject = work.session.get_one(Subject, case.subject_id)
        outcome_text = Text(_outcome_key(work, case))
        work.say(colleague[1], "case.told.settled", number=case.id, code=subject.code, outcome=outcome_text)


def _outcome_key(work: Work, case: Escalation) -> str:
    if case.outcome in SETTLED:
        return SETTLED[case.outcome]
    for outcome in work.protocol.outcomes:
        if outcome.code == case.outcome:
            return outcome.text
    return "case.outcome.unknown"


def _locked(work: Work, args: dict[str, Any]) -> Escalation:
    return work.session.exec(select(Escalation).where(Escalation.id == args["case"]).with_for_update()).one()


def _own(work: Work, case: Escalation, how: str) -> None:
    case.acknowledged_by_id = work.caller.staff_id
    if case.first_viewed_at is None:
        case.first_viewed_at = work.now
    sae_clock.seen(work, case.id or 0)
    escalate.step(work, case, how)


def _close_other_pages(work: Work, case: Escalation) -> None:
    """Show on every page of this case who has it, so that nobody acts twice."""
    sent = work.session.exec(
        select(OutboxMessage).where(
            OutboxMessage.purpose == escalate.PAGE,
            OutboxMessage.about_id == case.id,
            col(OutboxMessage.message_id).is_not(None),
            col(OutboxMessage.pressed_at).is_(None),
        )
    ).all()
    for message in sent:
        message.pressed_at = work.now
        taken = work.text("case.page.taken", message.locale, name=_name(work, case))
        work.edit(message, f"{message.text}\n\n{taken}")


def _say_who_has_it(work: Work, case: Escalation) -> None:
    if CaseState(case.state) is CaseState.RESOLVED:
        work.note("case.toast.resolved")
    elif case.acknowledged_by_id == work.caller.staff_id:
        work.note("case.toast.yours")
    elif case.acknowledged_by_id is None:
        work.note("case.toast.nobody_yet")
    else:
        work.note("case.toast.taken", name=_name(work, case))
    show_case(work, case)


def _name(work: Work, case: Escalation) -> str:
    if case.acknowledged_by_id is None:
        return "—"
    return work.session.get_one(StaffMember, case.acknowledged_by_id).name


def _owner(work: Work, case: Escalation) -> Text:
    if case.acknowledged_by_id is None:
        return Text("case.owner.nobody")
    return Text("case.owner", {"name": _name(work, case)})


def _steps(work: Work, case: Escalation) -> Lines:
    steps = work.session.exec(
        select(EscalationStep)
        .where(EscalationStep.escalation_id == case.id)
        .order_by(col(EscalationStep.id).desc())
        .limit(6)
    ).all()
    zone = work.settings.zone
    return Lines(
        [
            Text(
                "case.step",
                {
                    "at": work.texts.moment(step.at, zone, work.caller.locale),
                    "what": Text(f"case.step.{step.what.replace(' ', '_')}"),
                    "by": by_whom(work, step.by),
                },
            )
            for step in reversed(steps)
        ]
    )


def by_whom(work: Work, label: str) -> object:
    """Return how an author of a record is named to staff."""
    kind, _, rest = label.partition(":")
    if kind == "staff":
        return work.session.get_one(StaffMember, int(rest.split(":")[0])).name
    return Text(f"relation.{kind if kind in ('patient', 'caregiver') else 'bot'}")


def _age(work: Work, case: Escalation) -> str:
    minutes = int((work.now - case.opened_at).total_seconds() // 60)
    if minutes < 120:
        return work.texts.plural("age.minutes", minutes, work.caller.locale)
    if minutes < 48 * 60:
        return work.texts.plural("age.hours", minutes // 60, work.caller.locale)
    return work.texts.plural("age.days", minutes // 1440, work.caller.locale)
