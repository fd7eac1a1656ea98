"""How do staff make an adverse event of a report, judge it, correct it, or decide that it is none?

Any clinician drafts: term, days, outcome, what was done. Only an investigator grades, says whether an event is
serious, and judges whether it is related to a study medicine.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from bot.domain.adverse_events import (
    Action,
    Criterion,
    Outcome,
    Relation,
    check_end,
    check_judgement,
    check_onset,
    find_terms,
    grades,
    outcomes,
    suggested,
)
from bot.domain.parsing import Reading, Unreadable, parse_date, parse_whole_number
from bot.domain.roles import CLINICAL, PHYSICIANS
from bot.domain.visits import InFuture
from bot.store import adverse_events as stored
from bot.store.models import AdverseEvent, SeriousClock, Subject
from bot.usecases import events, form_days, forms, reasons, reported, sae_clock
from bot.usecases.events import DEFERASIROX, LUSPATERCEPT, MEDICINES, ONGOING
from bot.usecases.forms import Choice, Field, Form, Values
from bot.usecases.refusals import DayTooFar
from bot.work import Lines, Text, Work

OFFERED = 6
LONGEST_BACK = timedelta(days=730)
CONFIRM_BACK = timedelta(days=30)
LONGEST = 500  # of typed words
NONE = "none"
WITH_REPORT, NOW = "report", "now"
# What can be corrected of the facts; the judgement is made anew instead.
FACTS = ("term", "onset", "end", "outcome", *(f"action_{name}" for name in MEDICINES), "treatment")

# Beginning


def start_drafting(work: Work, args: dict[str, Any]) -> None:
    """Begin to record an adverse event, from a report or from what staff saw themselves."""
    if source := args.get("source"):
        reported.find(work, work.session.get_one(Subject, args["subject"]), source)
    forms.open_form(work, DRAFT_FORM, subject=args["subject"], source=source)


def start_judging(work: Work, args: dict[str, Any]) -> None:
    """Let an investigator grade an event and judge it."""
    if (event := _still_newest(work, args)) is not None:
        forms.open_form(work, JUDGE_FORM, subject=event.subject_id, old=event.id)


def start_correcting(work: Work, args: dict[str, Any]) -> None:
    """Begin to correct what an event says."""
    if (event := _still_newest(work, args)) is not None:
        forms.open_form(work, CORRECT_FORM, subject=event.subject_id, old=event.id)


def start_voiding(work: Work, args: dict[str, Any]) -> None:
    """Begin to take an event back: it was none."""
    event = _still_newest(work, args)
    if event is None:
        return
    if not _may_void(work, event):
        work.answer("event.void.investigator")
        return
    forms.open_form(work, VOID_FORM, subject=event.subject_id, old=event.id)


def start_dismissing(work: Work, args: dict[str, Any]) -> None:
    """Begin to decide that a report is no adverse event."""
    reported.find(work, work.session.get_one(Subject, args["subject"]), args["source"])
    if not _may_dismiss(work, args["source"]):
        work.answer("event.void.investigator")
        return
    forms.open_form(work, NONE_FORM, subject=args["subject"], source=args["source"])


def start_reporting(work: Work, args: dict[str, Any]) -> None:
    """Begin to record when a serious event was reported to the sponsor and the ethics committee."""
    clock = work.session.get_one(SeriousClock, args["clock"])
    if not sae_clock.is_running(clock):
        events.show(work, work.session.get_one(Subject, clock.subject_id))
        return
    forms.open_form(work, REPORTED_FORM, subject=clock.subject_id, clock=clock.id)


def _still_newest(work: Work, args: dict[str, Any]) -> AdverseEvent | None:
    """Return the event if nobody has changed it since the button was shown; else show it as it stands."""
    event = work.session.get_one(AdverseEvent, args["event"])
    if _is_overtaken(work, event) or event.void:
        events.show_event(work, event.subject_id, event.number)
        return None
    return event


def _is_overtaken(work: Work, event: AdverseEvent) -> bool:
    return events.newest(work, event.subject_id, event.number).version != event.version


def _may_void(work: Work, event: AdverseEvent) -> bool:
    """Return whether who acts may take an event back: once an investigator has judged it, only one of them."""
    decided = event.grade is not None or sae_clock.is_running(sae_clock.of_event(work, event))
    return work.caller.role in PHYSICIANS or not decided


def _may_dismiss(work: Work, source: str) -> bool:
    return work.caller.role in PHYSICIANS or not sae_clock.is_running(_clock_of(work, source))


def _clock_of(work: Work, source: str) -> SeriousClock | None:
    case_id = stored.case_of(source)
    return sae_clock.of_case(work, case_id) if case_id is not None else None


# What is known, and the answers so far on top of it


def _subject(work: Work, values: Values) -> Subject:
    return work.session.get_one(Subject, values["subject"])


def _event(work: Work, values: Values) -> AdverseEvent:
    """Return the version of an event that is being changed."""
    return work.session.get_one(AdverseEvent, values["old"])


def _old(work: Work, values: Values) -> AdverseEvent | None:
    return _event(work, values) if "old" in values else None


def _onset(work: Work, values: Values) -> date:
    old = _old(work, values)
    if "onset" in values:
        return date.fromisoformat(values["onset"])
    assert old is not None, "the onset is asked before what depends on it"
    return old.onset_on


def _end(work: Work, values: Values) -> date | None:
    if "end" in values:
        return None if values["end"] == ONGOING else date.fromisoformat(values["end"])
    old = _old(work, values)
    return old.end_on if old is not None else None


def _outcome(work: Work, values: Values) -> Outcome | None:
    if "outcome" in values:
        return Outcome(values["outcome"])
    old = _old(work, values)
    return Outcome(old.outcome) if old is not None else None


def _end_fits(work: Work, values: Values) -> bool:
    """Return whether the end does not lie before the onset: a corrected onset may bring that about."""
    end = _end(work, values)
    return end is None or end >= _onset(work, values)


def _outcome_fits(work: Work, values: Values) -> bool:
    outcome = _outcome(work, values)
    return outcome is None or outcome in outcomes(ongoing=_end(work, values) is None)


def _wanted(name: str, fits: Callable[[Work, Values], bool] | None = None) -> Callable[[Work, Values], bool]:
    """Return when a fact is asked for: always in a draft, in a correction when it is the one to correct.

    ``fits`` tells whether it can be so beside the others; if not, an answer falls and is asked for anew, and in a
    correction of another fact it is asked for as well.
    """

    def wanted(work: Work, values: Values) -> bool:
        asked = "old" not in values or values.get("what") == name
        if name not in values and asked:
            return True
        others = {key: value for key, value in values.items() if key != name}
        needed = "what" in values and fits is not None and not fits(work, others)
        if name not in values:
            return needed
        return (asked or needed) and (fits is None or fits(work, values))

    return wanted


def _said(work: Work, values: Values) -> dict[str, object]:
    return {"code": _subject(work, values).code}


# The term


def _said_report(work: Work, values: Values) -> dict[str, object]:
    source = values.get("source")
    old = _old(work, values)
    if source is not None:
        return {**_said(work, values), "said": reported.said(work, source)}
    return {**_said(work, values), "said": old.verbatim if old is not None and old.verbatim else Text("form.none")}


def _suggested(work: Work, values: Values) -> list[Choice]:
    old = _old(work, values)
    sources = [values["source"]] if values.get("source") else list(old.sources) if old is not None else []
    because = [rule for each in sources for rule in reported.find(work, _subject(work, values), each).because]
    found = suggested(because, work.protocol.adverse_events.suggestions)[:OFFERED]
    return [Choice(_name(work, each), {"id": each}, plain=True) for each in found]


def _name(work: Work, term_id: str) -> str:
    term = work.protocol.adverse_events.by_id[term_id]
    return term.zh if work.caller.locale == "zh" else term.term


def _search(work: Work, _values: Values, text: str) -> Reading[dict[str, Any]]:
    """Read a term; one that is near enough is asked back, of several the next question offers a choice."""
    words = _words(text)
    found = find_terms(words, work.protocol.adverse_events.terms)
    if len(found) != 1:
        return Reading({"search": words}, False, text)
    return Reading({"id": found[0].id}, _name(work, found[0].id) != words, text)


def _words(text: str) -> str:
    words = " ".join(text.split())
    if not words:
        raise Unreadable("input.text.empty", text)
    if len(words) > LONGEST:
        raise Unreadable("input.text.too_long", text)
    return words


def _is_search(_work: Work, values: Values) -> bool:
    search = values.get("term", {}).get("search")
    return search is not None and values.get("found", {"for": search})["for"] == search


def _said_search(work: Work, values: Values) -> dict[str, object]:
    return {**_said(work, values), "words": values["term"]["search"]}


def _found(work: Work, values: Values) -> list[Choice]:
    search = values["term"]["search"]
    found = find_terms(search, work.protocol.adverse_events.terms)
    choices = [Choice(_name(work, each.id), {"id": each.id, "for": search}, plain=True) for each in found]
    return [*choices, Choice("event.button.own_words", {"words": search, "for": search})]


def _search_again(work: Work, values: Values, text: str) -> Reading[dict[str, Any]]:
    found = find_terms(_words(text), work.protocol.adverse_events.terms)
    if len(found) != 1:
        raise Unreadable("event.term.several" if found else "event.term.unknown", text)
    return Reading({"id": found[0].id, "for": values["term"]["search"]}, True, text)


def _show_term(work: Work, value: Any) -> object:
    if "id" in value:
        term = work.protocol.adverse_events.by_id[value["id"]]
        return Text("event.term.coded", {"term": term.term, "zh": term.zh, "llt": term.llt})
    if "words" in value:
        return Text("event.term.words", {"words": value["words"]})
    return str(value["search"])


# Days


def _days(work: Work, values: Values) -> list[Choice]:
    days = [work.today - timedelta(days=back) for back in range(3)]
    if source := values.get("source"):
        at = reported.find(work, _subject(work, values), source).received_at
        days.append(at.astimezone(work.settings.zone).date())
    return [form_days.choice(work, day) for day in sorted(set(days), reverse=True)]


def _parse_onset(work: Work, _values: Values, text: str) -> Reading[str]:
    reading = parse_date(text, work.today)
    check_onset(reading.value, work.today)
    if reading.value < work.today - LONGEST_BACK:
        raise DayTooFar
    far = reading.value < work.today - CONFIRM_BACK
    return Reading(reading.value.isoformat(), reading.confirm or far, text)


def _end_days(work: Work, values: Values) -> list[Choice]:
    first = _onset(work, values)
    days = [work.today - timedelta(days=back) for back in range(3)]
    return [Choice("event.ongoing", ONGOING), *(form_days.choice(work, day) for day in days if day >= first)]


def _parse_end(work: Work, values: Values, text: str) -> Reading[str]:
    reading = parse_date(text, work.today)
    check_end(reading.value, _onset(work, values), work.today)
    return Reading(reading.value.isoformat(), reading.confirm, text)


def _show_end(work: Work, value: Any) -> object:
    return Text("event.ongoing") if value == ONGOING else form_days.show(work, value)


# What was done


def _outcomes(work: Work, values: Values) -> list[Choice]:
    offered = outcomes(ongoing=_end(work, values) is None)
    return [Choice(f"event.outcome.{each}", each.value) for each in offered]


def _actions(_work: Work, _values: Values) -> list[Choice]:
    return [Choice(f"event.action.{each}", each.value) for each in Action]


def _gets(medicine: str) -> Callable[[Work, Values], bool]:
    return lambda work, values: medicine in events.medicines(work, _subject(work, values))


def _action_wanted(medicine: str) -> Callable[[Work, Values], bool]:
    wanted, gets = _wanted(f"action_{medicine}"), _gets(medicine)
    return lambda work, values: gets(work, values) and wanted(work, values)


def _own_words(_work: Work, _values: Values, text: str) -> Reading[str]:
    return Reading(_words(text), False, text)


def _no_words(_work: Work, _values: Values) -> list[Choice]:
    return [Choice("event.button.nothing", None)]


def _has_no_report(_work: Work, values: Values) -> bool:
    return values.get("source") is None


def _finish_draft(work: Work, values: Values) -> None:
    subject, source = _subject(work, values), values.get("source")
    said = reported.said(work, source).render(work.texts, subject.locale) if source else values.get("verbatim")
    event = AdverseEvent(
        subject_id=subject.id or 0,
        number=stored.next_number(work.session, subject),
        what=stored.DRAFTED,
        sources=[source] if source else [],
        verbatim=said or "",
        onset_on=_onset(work, values),
        end_on=_end(work, values),
        outcome=values["outcome"],
        actions={each: values[f"action_{each}"] for each in events.medicines(work, subject)},
        treatment=values["treatment"],
        recorded_at=work.now,
        recorded_by=work.caller.label,
        **_term_columns(work, values),
    )
    work.session.add(event)
    work.session.flush()
    if source:
        reported.decide(work, subject, source, event_number=event.number)
    work.note("event.toast.saved")
    events.show_event(work, event.subject_id, event.number)


def _term_columns(work: Work, values: Values) -> dict[str, Any]:
    chosen = values["found"] if "search" in values["term"] else values["term"]
    if "id" not in chosen:
        return {"term": None, "llt": None, "term_zh": None, "words": chosen["words"]}
    term = work.protocol.adverse_events.by_id[chosen["id"]]
    return {"term": term.term, "llt": term.llt, "term_zh": term.zh, "words": None}


# Correcting


def _what(work: Work, values: Values) -> list[Choice]:
    gets = events.medicines(work, _subject(work, values))
    return [
        Choice(f"event.field.{name}", name)
        for name in FACTS
        if not name.startswith("action_") or name.removeprefix("action_") in gets
    ]


def _said_event(work: Work, values: Values) -> dict[str, object]:
    event = _event(work, values)
    return {**_said(work, values), "number": event.number, "term": events.name_of(work, event)}


def _next_version(work: Work, old: AdverseEvent, what: str, reason: str | None, **changed: Any) -> AdverseEvent:
    """Add the next version of an event; what is not ``changed`` stays."""
    if reason is not None:
        reasons.because(work, reason)
    given = old.model_dump(exclude={"id", "what", "reason", "version", "recorded_at", "recorded_by"})
    event = AdverseEvent(
        **{**given, **changed},
        what=what,
        reason=reason,
        version=old.version + 1,
        recorded_at=work.now,
        recorded_by=work.caller.label,
    )
    work.session.add(event)
    work.session.flush()
    return event


def _finish_correction(work: Work, values: Values) -> None:
    old = _event(work, values)
    if _gone(work, old):
        return
    changed: dict[str, Any] = {"onset_on": _onset(work, values), "end_on": _end(work, values)}
    if "term" in values:
        changed |= _term_columns(work, values)
    if "outcome" in values:
        changed["outcome"] = values["outcome"]
    if "treatment" in values:
        changed["treatment"] = values["treatment"]
    actions = {each: values[f"action_{each}"] for each in MEDICINES if f"action_{each}" in values}
    # Who may not judge cannot know that the judgement still holds; a death has to be judged in any case.
    outcome = Outcome(changed.get("outcome", old.outcome))
    holds = work.caller.role in PHYSICIANS and old.grade in grades(outcome)
    changed |= {"actions": {**old.actions, **actions}, "judged": old.judged and holds}
    _next_version(work, old, stored.CORRECTED, values["reason"], **changed)
    work.note("event.toast.saved")
    events.show_event(work, old.subject_id, old.number)


def _gone(work: Work, old: AdverseEvent) -> bool:
    """Return whether a colleague was faster; then show how it stands."""
    if not _is_overtaken(work, old):
        return False
    work.answer("event.overtaken")
    events.show_event(work, old.subject_id, old.number)
    return True


# Judging


def _judged_outcome(work: Work, values: Values) -> Outcome:
    return Outcome(_event(work, values).outcome)


def _grades(work: Work, values: Values) -> list[Choice]:
    return [Choice(str(each), each, plain=True) for each in grades(_judged_outcome(work, values))]


def _parse_grade(work: Work, values: Values, text: str) -> Reading[int]:
    allowed = grades(_judged_outcome(work, values))
    try:
        grade = parse_whole_number(text, allowed[0], allowed[-1])
    except Unreadable:
        raise Unreadable("event.grade.unreadable", text) from None
    return Reading(grade.value, False, text)


def _said_grade(work: Work, values: Values) -> dict[str, object]:
    event = _event(work, values)
    hint = next(
        (each.hint for each in work.protocol.adverse_events.terms if each.llt == event.llt and each.hint), None
    )
    said: object = event.verbatim or Text("form.none")
    if event.sources:
        said = Lines([reported.said(work, source) for source in event.sources])
    return {
        **_said_event(work, values),
        "hint": Text("event.hint", {"hint": Text(hint)}) if hint else Text("event.hint.none"),
        "said": said,
    }


def _serious(work: Work, values: Values) -> list[Choice]:
    offered = (True,) if _judged_outcome(work, values) is Outcome.FATAL else (True, False)
    return [Choice("form.button.yes" if each else "form.button.no", each) for each in offered]


def _criteria(work: Work, values: Values) -> list[Choice]:
    """Offer what makes an event serious; of a death that first, and of nothing else."""
    chosen = [values[name] for name in ("why_1", "why_2") if name in values]
    fatal = _judged_outcome(work, values) is Outcome.FATAL
    if fatal and not chosen:
        return [Choice(f"event.why.{Criterion.DEATH}", Criterion.DEATH.value)]
    left = [each for each in Criterion if each is not Criterion.DEATH and each.value not in chosen]
    offered = [Choice(f"event.why.{each}", each.value) for each in left]
    return [*offered, Choice("event.button.no_more", NONE)] if chosen else offered


def _more_after(name: str) -> Callable[[Work, Values], bool]:
    return lambda _work, values: bool(values.get("serious")) and values.get(name, NONE) != NONE


def _show_criterion(_work: Work, value: Any) -> object:
    return Text("event.button.no_more") if value == NONE else Text(f"event.why.{value}")


def _relations(_work: Work, _values: Values) -> list[Choice]:
    return [Choice(f"event.relation.{each}", each.value) for each in Relation]


def _asks_awareness(work: Work, values: Values) -> bool:
    event = _event(work, values)
    return bool(values.get("serious")) and bool(event.sources) and sae_clock.of_event(work, event) is None


def _received(work: Work, event: AdverseEvent) -> datetime:
    subject = work.session.get_one(Subject, event.subject_id)
    return min(reported.find(work, subject, source).received_at for source in event.sources)


def _awareness(work: Work, values: Values) -> list[Choice]:
    event = _event(work, values)
    at = work.texts.moment(_received(work, event), work.settings.zone, work.caller.locale)
    return [
        Choice(work.text("event.button.with_report", at=at), WITH_REPORT, plain=True),
        Choice("event.button.only_now", NOW),
    ]


def _show_awareness(_work: Work, value: Any) -> object:
    return Text("event.aware.report" if value == WITH_REPORT else "event.button.only_now")


def _was_judged(work: Work, values: Values) -> bool:
    return _event(work, values).grade is not None


def _finish_judging(work: Work, values: Values) -> None:
    old = _event(work, values)
    if _gone(work, old):
        return
    because = [values[name] for name in ("why_1", "why_2", "why_3") if values.get(name, NONE) != NONE]
    because = list(dict.fromkeys(because))
    check_judgement(values["grade"], serious=values["serious"], because=because, outcome=Outcome(old.outcome))
    event = _next_version(
        work,
        old,
        stored.JUDGED,
        values.get("reason"),
        grade=values["grade"],
        serious=values["serious"],
        criteria=because,
        relation={each: values[f"relation_{each}"] for each in MEDICINES if f"relation_{each}" in values},
        judged=True,
        judged_at=work.now,
        judged_by=work.caller.label,
    )
    if event.serious:
        received = _received(work, event) if values.get("aware") == WITH_REPORT else work.now
        sae_clock.mark(work, event, received)
    else:
        _end_clock(work, event)
    work.note("event.toast.saved")
    events.show_event(work, event.subject_id, event.number)


def _end_clock(work: Work, event: AdverseEvent) -> None:
    """End the clock of an event that is not serious or none, unless another one of the same report may be."""
    _end_unless_serious(work, sae_clock.of_event(work, event), event.subject_id, event.sources, besides=event.number)


def _end_unless_serious(
    work: Work, clock: SeriousClock | None, subject_id: int, sources: Sequence[str], *, besides: int | None = None
) -> None:
    """End a clock that runs when every other event of these reports was judged not serious."""
    if clock is None or not sae_clock.is_running(clock):
        return
    others = [
        each
        for each in stored.listed(work.session, subject_id)
        if each.number != besides and set(each.sources) & set(sources) and not each.void
    ]
    if all(each.serious is False for each in others):
        sae_clock.end(work, clock)


# Taking back, and deciding that a report is no event


def _finish_voiding(work: Work, values: Values) -> None:
    old = _event(work, values)
    if _gone(work, old):
        return
    if not _may_void(work, old):
        work.answer("event.void.investigator")
        return
    event = _next_version(work, old, stored.VOIDED, values["reason"], void=True)
    if work.caller.role in PHYSICIANS:
        _end_clock(work, event)
    work.note("event.toast.saved")
    events.show_event(work, event.subject_id, event.number)


def _finish_dismissing(work: Work, values: Values) -> None:
    subject, source = _subject(work, values), values["source"]
    if not _may_dismiss(work, source):
        work.answer("event.void.investigator")
        return
    reasons.because(work, values["reason"])
    reported.decide(work, subject, source, reason=values["reason"])
    _end_unless_serious(work, _clock_of(work, source), subject.id or 0, [source])
    work.note("event.toast.saved")
    events.show(work, subject)


# Reported to the sponsor


def _report_days(work: Work, _values: Values) -> list[Choice]:
    return [form_days.choice(work, work.today - timedelta(days=back)) for back in range(2)]


def _report_times(work: Work, values: Values) -> list[Choice]:
    if date.fromisoformat(values["on"]) != work.today:
        return []
    now = work.now.astimezone(work.settings.zone)
    return [Choice("event.button.now", f"{now:%H:%M}")]


def _parse_time(work: Work, values: Values, text: str) -> Reading[str]:
    digits = text.strip().replace("：", ":").replace(".", ":").replace("点", ":").rstrip("分:")
    hour, _, minute = digits.partition(":")
    try:
        at = time(int(hour), int(minute or 0))
    except ValueError:
        raise Unreadable("event.time.unreadable", text) from None
    _check_reported(work, values, _moment(work, values["on"], f"{at:%H:%M}"))
    return Reading(f"{at:%H:%M}", False, text)


def _moment(work: Work, on: str, at: str) -> datetime:
    return datetime.combine(date.fromisoformat(on), time.fromisoformat(at), work.settings.zone)


def _check_reported(work: Work, values: Values, at: datetime) -> None:
    """Check when it was reported: not in the future, and not before the site knew; both to the minute."""
    if at > work.now:
        raise InFuture(at.date(), work.today)
    if at < work.session.get_one(SeriousClock, values["clock"]).received_at.replace(second=0, microsecond=0):
        raise Unreadable("event.time.before_receipt", "")


def _parse_report_day(work: Work, values: Values, text: str) -> Reading[str]:
    reading = parse_date(text, work.today)
    check_onset(reading.value, work.today)
    received = work.session.get_one(SeriousClock, values["clock"]).received_at
    if reading.value < received.astimezone(work.settings.zone).date():
        raise Unreadable("event.time.before_receipt", text)
    return Reading(reading.value.isoformat(), reading.confirm, text)


def _finish_reporting(work: Work, values: Values) -> None:
    clock = work.session.get_one(SeriousClock, values["clock"])
    if sae_clock.is_running(clock):
        at = _moment(work, values["on"], values["at"])
        _check_reported(work, values, at)
        sae_clock.report(work, clock, at)
        work.note("event.toast.saved")
    events.show(work, _subject(work, values))


def _said_clock(work: Work, values: Values) -> dict[str, object]:
    clock = work.session.get_one(SeriousClock, values["clock"])
    return {**_said(work, values), "clock": sae_clock.line(work, clock)}


# The dialogues


def _action(medicine: str) -> Field:
    return Field(
        f"action_{medicine}",
        f"event.ask.action_{medicine}",
        _actions,
        wanted=_action_wanted(medicine),
        show=lambda _work, value: Text(f"event.action.{value}"),
        said_with=_said,
    )


def _relation(medicine: str) -> Field:
    return Field(
        f"relation_{medicine}",
        f"event.ask.relation_{medicine}",
        _relations,
        wanted=_gets(medicine),
        show=lambda _work, value: Text(f"event.relation.{value}"),
        said_with=_said_event,
    )


def _why(name: str, ask: str, wanted: Callable[[Work, Values], bool]) -> Field:
    return Field(name, ask, _criteria, wanted=wanted, show=_show_criterion, said_with=_said_event)


def _facts() -> Sequence[Field]:
    return (
        Field(
            "term",
            "event.ask.term",
            _suggested,
            _search,
            wanted=_wanted("term"),
            show=_show_term,
            said_with=_said_report,
            columns=2,
        ),
        Field(
            "found",
            "event.ask.found",
            _found,
            _search_again,
            wanted=_is_search,
            show=_show_term,
            said_with=_said_search,
        ),
        Field(
            "onset",
            "event.ask.onset",
            _days,
            _parse_onset,
            wanted=_wanted("onset"),
            show=form_days.show,
            said_with=_said,
            columns=3,
        ),
        Field(
            "end",
            "event.ask.end",
            _end_days,
            _parse_end,
            wanted=_wanted("end", _end_fits),
            show=_show_end,
            said_with=_said,
        ),
        Field(
            "outcome",
            "event.ask.outcome",
            _outcomes,
            wanted=_wanted("outcome", _outcome_fits),
            show=lambda _work, value: Text(f"event.outcome.{value}"),
            said_with=_said,
        ),
        _action(LUSPATERCEPT),
        _action(DEFERASIROX),
        Field(
            "treatment", "event.ask.treatment", _no_words, _own_words, wanted=_wanted("treatment"), said_with=_said
        ),
    )


DRAFT_FORM = forms.register(
    Form(
        "event.draft",
        (
            *_facts(),
            Field("verbatim", "event.ask.verbatim", _no_words, _own_words, wanted=_has_no_report, said_with=_said),
        ),
        _finish_draft,
        frozenset(CLINICAL),
        summary="event.summary",
        names="event.field",
    )
)
CORRECT_FORM = forms.register(
    Form(
        "event.correct",
        (
            Field(
                "what",
                "event.ask.what",
                _what,
                show=lambda _work, value: Text(f"event.field.{value}"),
                said_with=_said_event,
                columns=2,
            ),
            *_facts(),
            reasons.field("event.ask.reason", reasons.CORRECTION, said_with=_said_event),
        ),
        _finish_correction,
        frozenset(CLINICAL),
        summary="event.summary",
        names="event.field",
    )
)
JUDGE_FORM = forms.register(
    Form(
        "event.judge",
        (
            Field("grade", "event.ask.grade", _grades, _parse_grade, said_with=_said_grade, columns=4),
            Field(
                "serious",
                "event.ask.serious",
                _serious,
                columns=2,
                said_with=_said_event,
                show=lambda _work, value: Text("form.button.yes" if value else "form.button.no"),
            ),
            _why("why_1", "event.ask.why", lambda _work, values: bool(values.get("serious"))),
            _why("why_2", "event.ask.why_more", _more_after("why_1")),
            _why("why_3", "event.ask.why_more", _more_after("why_2")),
            _relation(LUSPATERCEPT),
            _relation(DEFERASIROX),
            Field(
                "aware",
                "event.ask.aware",
                _awareness,
                wanted=_asks_awareness,
                show=_show_awareness,
                said_with=_said_event,
            ),
            reasons.field("event.ask.reason", reasons.CORRECTION, wanted=_was_judged, said_with=_said_event),
        ),
        _finish_judging,
        frozenset(PHYSICIANS),
        summary="event.summary",
        names="event.field",
    )
)


def _no_event(kind: str, why: Field, finish: Callable[[Work, Values], None], summary: str) -> Form:
    """Return the dialogue that asks why something is no adverse event."""
    return forms.register(Form(kind, (why,), finish, frozenset(CLINICAL), summary=summary, names="event.field"))


VOID_FORM = _no_event(
    "event.void",
    reasons.field("event.ask.void", reasons.NO_EVENT, said_with=_said_event),
    _finish_voiding,
    "event.void.summary",
)
NONE_FORM = _no_event(
    "event.none",
    reasons.field("event.ask.none", reasons.NO_EVENT, said_with=_said_report),
    _finish_dismissing,
    "event.none.summary",
)
REPORTED_FORM = forms.register(
    Form(
        "event.reported",
        (
            Field(
                "on",
                "event.ask.on",
                _report_days,
                _parse_report_day,
                show=form_days.show,
                said_with=_said_clock,
                columns=2,
            ),
            Field("at", "event.ask.at", _report_times, _parse_time, said_with=_said),
        ),
        _finish_reporting,
        frozenset(PHYSICIANS),
        summary="event.summary",
        names="event.field",
    )
)
