"""How does a member of staff take over a case, act on it, and close it with an outcome?"""

from typing import Any

from sqlmodel import col, func, select

from bot.domain import escalation as rules
from bot.domain import stalled
from bot.domain.escalation import CaseEvent, CaseState
from bot.domain.roles import CLINICAL
from bot.store import audit, people
from bot.store import evidence as came
from bot.store.adverse_events import CASE
from bot.store.measurements import SLIP
from bot.store.models import Escalation, EscalationStep, Subject, Visit
from bot.store.visits import PLANNED
from bot.usecases import dose_reviews, escalate, forms, lapse, owning, polite, refusals, sae_clock, screens, talk
from bot.usecases.forms import Field, Form, Values
from bot.work import Button, Day, Lines, Text, Work

PER_PAGE = 8
# So many of the last things that happened to a case are shown; all are kept.
STEPS = 8
# What an owner may say they do now.
READ_BACKS = ("phone_now", "with_patient", "help_sent")
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
        if case.overdue is not None:
            label = work.text("alerts.row.overdue", row=label)
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
    """Show all there is to know of a case, first what its owner is asked to do."""
    subject = work.session.get_one(Subject, case.subject_id)
    clock = sae_clock.of_case(work, case.id or 0)
    standing = Text(
        "case.card.standing",
        {
            "state": Text(f"case.state.{case.state}"),
            "owner": _owner(work, case),
            "opened": work.texts.moment(case.opened_at, work.settings.zone, work.caller.locale),
        },
    )
    work.answer(
        "case.card",
        _buttons(work, case),
        level=Text(escalate.level_of(case)),
        number=case.id,
        code=subject.code,
        standing=Lines([standing, *_ask(work, case)]),
        phone=escalate.phone_of(work, subject),
        who=Text(f"relation.{escalate.relation_of(case)}"),
        summary=escalate.summary_of(case, whole=True),
        details=escalate.details_of(work, subject),
        steps=Lines([*([sae_clock.line(work, clock)] if clock is not None else []), *_steps(work, case)]),
    )


def _buttons(work: Work, case: Escalation) -> list[list[Button]]:
    if work.caller.role not in CLINICAL:
        return []
    args = {"case": case.id}
    state = CaseState(case.state)
    if state is CaseState.RESOLVED:
        return [*_event_button(case), [Button("case.button.reopen", "case.reopen", args)], *_talk_buttons(work, case)]
    more = [*_visit_buttons(work, case), *_evidence_buttons(work, case), *_event_button(case)]
    if rules.awaits_acknowledgement(state):
        return [[Button("case.button.acknowledge", "case.acknowledge", args)], *more, *_talk_buttons(work, case)]
    rows = []
    if _must_read_back(work, case):
        code = work.session.get_one(Subject, case.subject_id).code
        rows += [
            [Button(f"case.read_back.do.{how}", "case.read_back", {**args, "how": how}, values={"code": code})]
            for how in READ_BACKS
        ]
    rows += more
    mine = case.acknowledged_by_id == work.caller.staff_id
    if not mine:
        rows.append([Button("case.button.take_over", "case.take_over", args)])
    rows += [
        [Button("case.button.spoke", "case.contact", {**args, "spoke": True})],
        [Button("case.button.no_answer", "case.contact", {**args, "spoke": False})],
        *_talk_buttons(work, case),
        [Button("case.button.note", "case.note", args)],
    ]
    if mine:
        rows.append([Button("case.button.hand_over", "case.hand_over", args)])
    rows.append([Button("case.button.resolve", "case.resolve", args)])
    return rows


def _talk_buttons(work: Work, case: Escalation) -> list[list[Button]]:
    """Return what leads to writing with the patient: of a case that is open, and to what was written."""
    args = {"case": case.id}
    row = []
    if CaseState(case.state) is not CaseState.RESOLVED:
        row.append(Button("case.button.reply", "case.reply", args))
    if talk.count(work, case):
        row.append(Button("case.button.talk", "case.talk", args))
    return [row] if row else []


def _must_read_back(work: Work, case: Escalation) -> bool:
    """Return whether whoever looks has taken the case and not yet said what they do."""
    return (
        case.acknowledged_by_id == work.caller.staff_id
        and CaseState(case.state) is CaseState.ACKNOWLEDGED
        and case.read_back_at is None
        and rules.chain_from_dict(case.chain).limits.read_back_minutes is not None
    )


def _ask(work: Work, case: Escalation) -> list[Text]:
    """Return what the owner is asked to do and until when, while something is awaited of them."""
    if case.acknowledged_by_id != work.caller.staff_id or (coming := lapse.coming(case)) is None:
        return []
    why, at = coming
    minutes = max(int((at - work.now).total_seconds() // 60), 0)
    return [Text(f"case.ask.{why}", {"within": screens.how_long(work, minutes)})]


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
    """Take a case over: paging stops and the others see who; where the chain wants it, ask what they do now."""
    case = owning.locked(work, args)
    if not rules.awaits_acknowledgement(CaseState(case.state)):
        say_who_has_it(work, case)
        return
    owning.acknowledge(work, case)
    work.note("case.toast.acknowledged")
    show_case(work, case)
    if rules.chain_from_dict(case.chain).limits.read_back_minutes is None:
        owning.tell_taken_over(work, case)


def read_back(work: Work, args: dict[str, Any]) -> None:
    """Take the owner's word for what they do now: only this tells the patient that a person has it."""
    case = owning.locked(work, args)
    if case.acknowledged_by_id != work.caller.staff_id or CaseState(case.state) not in rules.OWNED:
        say_who_has_it(work, case)
        return
    if case.read_back_at is None:
        case.read_back_at = work.now
        escalate.step(work, case, "read back", args["how"])
        lapse.watch(work, case)
        owning.tell_taken_over(work, case)
    work.note("case.toast.written_down")
    show_case(work, case)


def take_over(work: Work, args: dict[str, Any]) -> None:
    """Take a case over from a colleague, or because a colleague asked."""
    case = owning.locked(work, args)
    if CaseState(case.state) not in rules.OWNED:
        say_who_has_it(work, case)
        return
    before = case.acknowledged_by_id
    if before == work.caller.staff_id:
        say_who_has_it(work, case)
        return
    case.state = rules.advance(CaseState(case.state), CaseEvent.HAND_OVER)
    owning.own(work, case, "taken over")
    lapse.watch(work, case)
    if before is not None and (colleague := people.member(work.session, before)):
        subject = work.session.get_one(Subject, case.subject_id)
        work.say(
            colleague[1], "case.told.colleague", number=case.id, code=subject.code, name=owning.name_of(work, case)
        )
    show_case(work, case)
    if case.contacted_at is not None or rules.chain_from_dict(case.chain).limits.read_back_minutes is None:
        owning.tell_taken_over(work, case)


def record_contact(work: Work, args: dict[str, Any]) -> None:
    """Write down that the patient was phoned, and whether somebody answered.

    Who has phoned a patient whose case nobody has (any more) has it from now on.
    """
    case = owning.locked(work, args)
    if CaseState(case.state) is CaseState.RESOLVED:
        say_who_has_it(work, case)
        return
    if rules.awaits_acknowledgement(CaseState(case.state)):
        owning.acknowledge(work, case)
    owning.contacted(work, case, spoke=args["spoke"])
    work.note("case.toast.written_down")
    show_case(work, case)


def ask_outcome(work: Work, args: dict[str, Any]) -> None:
    """Ask for the outcome; a case is never closed without one."""
    case = owning.locked(work, args)
    if CaseState(case.state) not in rules.OWNED:
        say_who_has_it(work, case)
        return
    rows = [
        [Button(outcome.text, "case.outcome", {"case": case.id, "outcome": outcome.code})]
        for outcome in work.protocol.outcomes
        if case.kind in outcome.of
    ]
    rows.append([Button("form.button.cancel", "case.open", {"case": case.id})])
    subject = work.session.get_one(Subject, case.subject_id)
    work.answer("case.ask_outcome", rows, single_use=True, number=case.id, code=subject.code)


def resolve(work: Work, args: dict[str, Any]) -> None:
    """Close a case with its outcome; the patient hears what was kept of it."""
    case = owning.locked(work, args)
    if CaseState(case.state) not in rules.OWNED:
        say_who_has_it(work, case)
        return
    outcome = next((each for each in work.protocol.outcomes if each.code == args["outcome"]), None)
    if outcome is None or case.kind not in outcome.of:
        raise refusals.ButtonStale  # the trial's files have changed since it was offered
    if outcome.contact and case.first_contacted_at is None:
        owning.contacted(work, case, spoke=True)
    case.state = rules.advance(CaseState(case.state), CaseEvent.RESOLVE)
    case.outcome = outcome.code
    case.resolved_at = work.now
    case.resolved_by_id = work.caller.staff_id
    owning.end(work, case, "resolved")
    resolved = escalate.step(work, case, "resolved", case.outcome)
    _tell_owner(work, case, case.acknowledged_by_id)
    subject = work.session.get_one(Subject, case.subject_id)
    rows = [*_event_button(case), [Button("case.button.reopen", "case.reopen", {"case": case.id})]]
    work.answer("case.resolved", rows, number=case.id, code=subject.code, outcome=Text(outcome.text))
    if case.kind == escalate.SYMPTOM and outcome.told is not None:
        day = Day(case.opened_at.astimezone(work.settings.zone).date(), "short_day")
        # It can wait for the end of the patient's night.
        awake = polite.awake(work, subject)
        escalate.tell_subject(work, case, outcome.told, once=str(resolved.id), day=day, due_at=awake)


def reopen(work: Work, args: dict[str, Any]) -> None:
    """Open a case again that was closed too early; whoever does it has it."""
    case = owning.locked(work, args)
    if CaseState(case.state) is not CaseState.RESOLVED:
        say_who_has_it(work, case)
        return
    subject = work.session.get_one(Subject, case.subject_id)
    other = escalate.open_case(work, subject) if case.kind == escalate.SYMPTOM else None
    if other is not None:
        work.note("case.toast.other_open", number=other.id)
        show_case(work, other)
        return
    closed = case.outcome
    case.state = rules.advance(CaseState.RESOLVED, CaseEvent.REOPEN)
    case.outcome = case.resolved_at = case.resolved_by_id = case.contacted_at = None
    escalate.step(work, case, "reopened", closed)
    owning.acknowledge(work, case)
    show_case(work, case)


def settle(work: Work, case: Escalation, outcome: str) -> None:
    """Close a request in the name of who acts, whoever had it; that colleague is told."""
    owner = case.acknowledged_by_id
    state = CaseState(case.state)
    if rules.awaits_acknowledgement(state):
        state = rules.advance(state, CaseEvent.ACKNOWLEDGE)
        case.acknowledged_at, case.acknowledged_by_id = work.now, work.caller.staff_id
        case.first_acknowledged_at = case.first_acknowledged_at or work.now
        if work.caller.staff_id is not None:
            owning.close_other_pages(work, case)
    case.state = rules.advance(state, CaseEvent.RESOLVE)
    case.outcome, case.resolved_at, case.resolved_by_id = outcome, work.now, work.caller.staff_id
    owning.end(work, case, "settled")
    escalate.step(work, case, "settled", outcome)
    _tell_owner(work, case, owner)


def _tell_owner(work: Work, case: Escalation, owner: int | None) -> None:
    """Let whoever had a case hear that a colleague has closed it."""
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


def say_who_has_it(work: Work, case: Escalation) -> None:
    """Answer a press that comes too late, or from somebody else than the owner: who has it, and the case."""
    if CaseState(case.state) is CaseState.RESOLVED:
        work.note("case.toast.resolved")
    elif case.acknowledged_by_id == work.caller.staff_id:
        work.note("case.toast.yours")
    elif case.acknowledged_by_id is None:
        work.note("case.toast.nobody_yet")
    else:
        work.note("case.toast.taken", name=owning.name_of(work, case))
    show_case(work, case)


def _owner(work: Work, case: Escalation) -> Text:
    if case.acknowledged_by_id is None:
        return Text("case.owner.nobody")
    return Text("case.owner", {"name": owning.name_of(work, case)})


def _said(work: Work, step: EscalationStep) -> Text | str:
    """Return what a step says besides what was done, where staff want to read it in passing."""
    match step.what:
        case "note" | "offered":
            words: Text | Lines | str = step.said or ""
        case "overdue" | "chain repaired":
            words = Lines([Text(f"case.found.{name}") for name in stalled.known(step.said)], ", ")
        case "read back":
            words = Text(f"case.read_back.{step.said}")
        case "review opened" | "review withdrawn":
            words = Lines([dose_reviews.name_of_rule(work, step.said or "")])
        case "review concluded":
            words = Lines([dose_reviews.conclusion_text(work, step.said)])
        case "lapsed":
            words = Text(f"case.lapse.{step.said}")
        case _:
            return ""
    return Text("case.step.said", {"words": words})


def _steps(work: Work, case: Escalation) -> list[Text]:
    steps = work.session.exec(
        select(EscalationStep)
        .where(EscalationStep.escalation_id == case.id)
        .order_by(col(EscalationStep.id).desc())
        .limit(STEPS)
    ).all()
    zone = work.settings.zone
    return [
        Text(
            "case.step",
            {
                "at": work.texts.moment(step.at, zone, work.caller.locale),
                "what": Text(f"case.step.{step.what.replace(' ', '_')}"),
                "by": owning.by_whom(work, step.by),
                "said": _said(work, step),
            },
        )
        for step in reversed(steps)
    ]


def _age(work: Work, case: Escalation) -> str:
    return screens.how_long(work, int((work.now - case.opened_at).total_seconds() // 60))


# A note


def start_note(work: Work, args: dict[str, Any]) -> None:
    """Ask for words to keep with a case."""
    case = work.session.get_one(Escalation, args["case"])
    forms.open_form(work, NOTE, case=case.id)


def _keep_note(work: Work, values: Values) -> None:
    case = owning.locked(work, values)
    escalate.step(work, case, "note", values["words"])
    show_case(work, case)


NOTE = forms.register(
    Form(
        "case_note",
        (
            Field(
                "words",
                "case.ask_note",
                parse=forms.some_words,
                said_with=lambda _work, values: {"number": values["case"]},
            ),
        ),
        _keep_note,
        frozenset(CLINICAL),
    )
)
