"""Which adverse events has a subject, which reports wait for a decision, and where does each event stand?"""

from collections.abc import Callable
from typing import Any

from bot.domain.adverse_events import Standing, standing
from bot.domain.roles import CLINICAL, PHYSICIANS
from bot.store import adverse_events as stored
from bot.store import audit
from bot.store.models import AdverseEvent, ReportDecision, SeriousClock, Subject
from bot.usecases import cases, owning, reasons, reported, sae_clock, screens
from bot.usecases.reported import Report
from bot.work import Button, Day, Lines, Text, Work

MEDICINES = (LUSPATERCEPT, DEFERASIROX) = ("luspatercept", "deferasirox")
ONGOING = "ongoing"
LONGEST_SHOWN = 600  # of the patient's words in a message; all of them are kept
MARKS = {Standing.DRAFT: "✏️", Standing.CHANGED: "✏️", Standing.JUDGED: "✅", Standing.VOID: "✖️"}


def medicines(work: Work, subject: Subject) -> tuple[str, ...]:
    """Return the study medicines that the subject's arm gets."""
    arm = work.protocol.arms[subject.arm]
    return tuple(name for name, has in zip(MEDICINES, (arm.injections, arm.tablets), strict=True) if has)


def name_of(work: Work, event: AdverseEvent) -> str:
    """Return the term of an event in the reader's language, or the words that stand for it."""
    if event.term is None:
        return event.words or "—"
    return (event.term_zh if work.caller.locale == "zh" else event.term) or event.term


def standing_of(event: AdverseEvent) -> Standing:
    return standing(void=event.void, grade=event.grade, judged=event.judged)


def newest(work: Work, subject_id: int, number: int) -> AdverseEvent:
    return stored.versions(work.session, subject_id, number)[-1]


# The list


def show(work: Work, subject: Subject, page: int = 0) -> None:
    """List the reports that wait for a decision, then the adverse events, the newest first, and what runs."""
    audit.record(work.session, "events.listed", entity="subject", entity_id=subject.id, page=page)
    waiting = [each for each in reported.reports(work, subject) if each.is_open]
    known = stored.listed(work.session, subject.id or 0)
    entries = [
        *(_report_button(work, subject, each) for each in waiting),
        *(_event_button(work, each) for each in known),
    ]
    first = page * cases.PER_PAGE
    rows = [[each] for each in entries[first : first + cases.PER_PAGE]]
    rows += cases.pager("event.list", page, len(entries), subject=subject.id)
    clocks = sae_clock.of_subject(work, subject)
    for clock in clocks:
        if work.caller.role in PHYSICIANS and sae_clock.is_running(clock):
            rows.append([Button("event.button.reported", "event.reported", {"clock": clock.id})])
    if work.caller.role in CLINICAL:
        rows.append([Button("event.button.new", "event.draft", {"subject": subject.id})])
    rows.append(screens.back_to(subject))
    work.answer(
        "event.title" if entries else "event.nothing",
        rows,
        code=subject.code,
        reports=len(waiting),
        events=len(known),
        clocks=Lines([_named_clock(work, each) for each in clocks], between="\n\n"),
    )


def show_list(work: Work, args: dict[str, Any]) -> None:
    show(work, work.session.get_one(Subject, args["subject"]), int(args.get("page", 0)))


def _named_clock(work: Work, clock: SeriousClock) -> Text:
    about = (
        Text("event.clock.of_event", {"number": clock.event_number})
        if clock.event_number is not None
        else Text("event.clock.of_case", {"number": clock.case_id})
    )
    return Text("event.clock.named", {"about": about, "clock": sae_clock.line(work, clock)})


def _report_button(work: Work, subject: Subject, report: Report) -> Button:
    label = work.text(
        "event.row.report",
        level=work.text(f"urgency.{report.urgency}"),
        at=work.texts.moment(report.received_at, work.settings.zone, work.caller.locale),
    )
    return Button(label, "event.report", {"subject": subject.id, "source": report.source}, plain=True)


def _event_button(work: Work, event: AdverseEvent) -> Button:
    label = work.text(
        "event.row",
        mark=MARKS[standing_of(event)],
        serious="❗️" if event.serious and not event.void else "",
        number=event.number,
        term=name_of(work, event),
        day=work.texts.short_day(event.onset_on, work.caller.locale),
        state=work.text(f"event.standing.{standing_of(event)}"),
    )
    return Button(label, "event.open", {"subject": event.subject_id, "number": event.number}, plain=True)


# One report


def show_report(work: Work, args: dict[str, Any]) -> None:
    """Show what was reported, what was decided of it, and what can be decided."""
    subject = work.session.get_one(Subject, args["subject"])
    report = reported.find(work, subject, args["source"])
    audit.record(work.session, "report.viewed", entity="subject", entity_id=subject.id, source=report.source)
    if (case_id := stored.case_of(report.source)) is not None:
        sae_clock.seen(work, case_id)
    target = {"subject": subject.id, "source": report.source}
    rows: list[list[Button]] = []
    if work.caller.role in CLINICAL:
        rows.append([Button("event.button.draft", "event.draft", target)])
        if report.is_open:
            rows.append([Button("event.button.none", "event.none", target)])
    rows.append([Button("event.button.list", "event.list", {"subject": subject.id})])
    work.answer(
        "event.report",
        rows,
        code=subject.code,
        level=Text(f"urgency.{report.urgency}"),
        at=work.texts.moment(report.received_at, work.settings.zone, work.caller.locale),
        said=reported.said(work, report.source),
        decided=Lines([_decision(work, each) for each in report.decisions]) if report.decisions else "",
    )


def _decision(work: Work, decision: ReportDecision) -> Text:
    by = owning.by_whom(work, decision.decided_by)
    at = work.texts.moment(decision.decided_at, work.settings.zone, work.caller.locale)
    if decision.event_number is not None:
        return Text("event.decided.event", {"by": by, "at": at, "number": decision.event_number})
    return Text("event.decided.none", {"by": by, "at": at, "reason": reasons.shown(decision.reason)})


# One event


def open_event(work: Work, args: dict[str, Any]) -> None:
    show_event(work, args["subject"], args["number"], int(args.get("page", 0)))


def show_event(work: Work, subject_id: int, number: int, page: int = 0) -> None:
    """Show an event as it stands, and what each version changed: who, when, why, from what to what."""
    versions = stored.versions(work.session, subject_id, number)
    event = versions[-1]
    subject = work.session.get_one(Subject, subject_id)
    audit.record(work.session, "event.viewed", entity="adverse_event", entity_id=event.id)
    clock = sae_clock.of_event(work, event)
    rows = [
        *_buttons(work, event, clock),
        *cases.pager("event.open", page, len(versions), subject=subject_id, number=number),
    ]
    rows.append([Button("event.button.list", "event.list", {"subject": subject.id})])
    pairs = list(zip([None, *versions[:-1]], versions, strict=True))[::-1]
    shown = pairs[page * cases.PER_PAGE : (page + 1) * cases.PER_PAGE]
    work.answer(
        "event.card",
        rows,
        code=subject.code,
        number=number,
        state=Text(f"event.standing.{standing_of(event)}"),
        verbatim=_shortened(event.verbatim) or Text("form.none"),
        facts=Lines([_fact(work, name, event) for name in _names(work, event)]),
        clock=sae_clock.line(work, clock) if clock is not None else "",
        versions=Lines([_version(work, before, after) for before, after in shown], between="\n"),
    )


def _buttons(work: Work, event: AdverseEvent, clock: SeriousClock | None) -> list[list[Button]]:
    if work.caller.role not in CLINICAL or event.void:
        return []
    args = {"event": event.id}
    rows = []
    if work.caller.role in PHYSICIANS:
        rows.append([Button("event.button.judge", "event.judge", args)])
    rows.append([Button("event.button.correct", "event.correct", args)])
    rows.append([Button("event.button.void", "event.void", args)])
    if work.caller.role in PHYSICIANS and clock is not None and sae_clock.is_running(clock):
        rows.append([Button("event.button.reported", "event.reported", {"clock": clock.id})])
    if event.sources:
        again = {"subject": event.subject_id, "source": event.sources[0]}
        rows.append([Button("event.button.another", "event.draft", again)])
    return rows


def _shortened(words: str) -> str:
    return words if len(words) <= LONGEST_SHOWN else f"{words[:LONGEST_SHOWN]}…"


# Each fact of an event, as staff read it, by name. A medicine's facts follow those of the event.
_SHOWN: dict[str, Callable[[Work, AdverseEvent], object]] = {
    "term": lambda work, event: _coded(work, event),
    "onset": lambda _work, event: Day(event.onset_on, "full_day"),
    "end": lambda _work, event: Day(event.end_on, "full_day") if event.end_on else Text("event.ongoing"),
    "outcome": lambda _work, event: Text(f"event.outcome.{event.outcome}"),
    "treatment": lambda _work, event: event.treatment or Text("form.none"),
    "grade": lambda _work, event: Text("event.not_judged") if event.grade is None else str(event.grade),
    "serious": lambda _work, event: _serious(event),
}


def _names(work: Work, event: AdverseEvent) -> list[str]:
    given = [name for name in MEDICINES if name in event.actions or name in event.relation]
    actions = [f"action_{name}" for name in given if name in event.actions]
    relations = [f"relation_{name}" for name in given if name in event.actions or name in event.relation]
    return ["term", "onset", "end", "outcome", *actions, "treatment", "grade", "serious", *relations]


def _value(work: Work, name: str, event: AdverseEvent) -> object:
    if name.startswith("action_"):
        action = event.actions.get(name.removeprefix("action_"))
        return Text(f"event.action.{action}") if action else Text("form.none")
    if name.startswith("relation_"):
        relation = event.relation.get(name.removeprefix("relation_"))
        return Text(f"event.relation.{relation}") if relation else Text("event.not_judged")
    return _SHOWN[name](work, event)


def _coded(work: Work, event: AdverseEvent) -> Text | str:
    if event.term is None:
        return Text("event.term.words", {"words": event.words or "—"})
    return Text("event.term.coded", {"term": event.term, "zh": event.term_zh, "llt": event.llt})


def _serious(event: AdverseEvent) -> Text:
    if event.serious is None:
        return Text("event.not_judged")
    if not event.serious:
        return Text("form.button.no")
    return Text("event.serious", {"criteria": Lines([Text(f"event.why.{each}") for each in event.criteria], ", ")})


def _fact(work: Work, name: str, event: AdverseEvent) -> Text:
    return Text("form.line", {"name": Text(f"event.field.{name}"), "value": _value(work, name, event)})


def _version(work: Work, before: AdverseEvent | None, after: AdverseEvent) -> Text:
    """Return what a version changed: both the value before and the one after are there."""
    lines: list[Text | Day | Lines | str] = []
    for name in _names(work, after) if before is not None else ():
        old, new = (_rendered(work, _value(work, name, each)) for each in (before, after) if each is not None)
        if old != new:
            lines.append(Text("event.changed", {"name": Text(f"event.field.{name}"), "old": old, "new": new}))
    return Text(
        "event.version",
        {
            "version": after.version,
            "what": Text(f"event.what.{after.what}"),
            "by": owning.by_whom(work, after.recorded_by),
            "at": work.texts.moment(after.recorded_at, work.settings.zone, work.caller.locale),
            "reason": Text("event.because", {"reason": reasons.shown(after.reason)}) if after.reason else "",
            "changes": Lines(["", *lines]) if lines else "",
        },
    )


def _rendered(work: Work, value: object) -> str:
    return value.render(work.texts, work.caller.locale) if isinstance(value, Text | Day | Lines) else str(value)
