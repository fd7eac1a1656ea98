"""How do staff record a visit as done, missed or not needed, correct that, or move a visit to another day?"""

from collections.abc import Collection
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from bot.domain.parsing import Reading, parse_date
from bot.domain.roles import CLINICAL
from bot.domain.visits import Deviation, TooEarly, VisitKind
from bot.store import visits as stored
from bot.store.models import Subject, Visit
from bot.usecases import form_days, forms, plan, reasons, recorded, records, screens, visit_reminders, visits
from bot.usecases.forms import Choice, Field, Form, Values
from bot.usecases.refusals import DayHasPassed, DayTooFar
from bot.usecases.requests import settle_visit
from bot.usecases.visit_names import named
from bot.work import Button, Day, Keyboard, Lines, Text, Work

# A date beyond is a slip: nobody plans a visit for the next year.
LONGEST_AHEAD = timedelta(days=120)
OFFERED_AHEAD = timedelta(days=35)
OFFERED = 6
WILL_COME = "will_come"
# These go on for ever, so one that did not take place has a new day.
RECURRING = (VisitKind.INJECTION, VisitKind.CBC)


def start_recording(work: Work, args: dict[str, Any]) -> None:
    """Begin to record a visit as done, missed or not needed."""
    if not _still_open(work, args):
        visits.show_visit(work, args)
        return
    form = {stored.DONE: DONE_FORM, stored.MISSED: MISSED_FORM, stored.NOT_NEEDED: NOT_NEEDED_FORM}[args["outcome"]]
    forms.open_form(work, form, visit=args["visit"], version=args["version"])


def start_moving(work: Work, args: dict[str, Any]) -> None:
    """Begin to move a visit."""
    if not _still_open(work, args):
        visits.show_visit(work, args)
        return
    forms.open_form(work, MOVE_FORM, visit=args["visit"], version=args["version"])


def start_phoned(work: Work, args: dict[str, Any]) -> None:
    """Begin to record what was heard of a visit from outside the clinic."""
    if not _still_open(work, args):
        visits.show_visit(work, args)
        return
    forms.open_form(work, PHONED_FORM, visit=args["visit"], version=args["version"])


def start_correcting(work: Work, args: dict[str, Any]) -> None:
    """Begin to correct what was recorded about a visit."""
    if _is_overtaken(work, args):
        recorded.show(work, args)
        return
    forms.open_form(work, CORRECT_FORM, visit=args["visit"], record=args["record"])


def start_explaining(work: Work, args: dict[str, Any]) -> None:
    """Begin to give the reason for a deviation that was recorded without one."""
    if _is_overtaken(work, args):
        recorded.show(work, args)
        return
    forms.open_form(work, EXPLAIN_FORM, visit=args["visit"], record=args["record"])


def done_today(work: Work, args: dict[str, Any]) -> None:
    """Record a visit as done today; only a day outside the window is asked about."""
    if _overtaken(work, args):
        return
    visit, subject = _visit(work, args)
    values = {"visit": args["visit"], "version": args["version"], "held_on": work.today.isoformat()}
    kind = VisitKind(visit.kind)
    if not records.may_override(work):
        records.check_held(work, subject, kind, work.today)
    if _explains(work, values):
        forms.open_form(work, DONE_FORM, **values)
        return
    _finish_done(work, values)


def _still_open(work: Work, args: dict[str, Any]) -> bool:
    visit = work.session.get_one(Visit, args["visit"])
    return visit.state == stored.PLANNED and visit.plan_version == args["version"]


def _overtaken(work: Work, values: Values) -> bool:
    """Show the visit as it is now if a colleague recorded or moved it in the meantime."""
    if _still_open(work, values):
        return False
    work.answer("visit.overtaken")
    visits.show_visit(work, values)
    return True


def _is_overtaken(work: Work, values: Values) -> bool:
    newest = stored.newest_record(work.session, values["visit"])
    return newest is None or newest.version != values["record"]


def _visit(work: Work, values: Values) -> tuple[Visit, Subject]:
    visit = work.session.get_one(Visit, values["visit"])
    return visit, work.session.get_one(Subject, visit.subject_id)


# What is asked


def _said(work: Work, values: Values) -> dict[str, object]:
    visit, subject = _visit(work, values)
    return {"code": subject.code, "what": named(visit), "day": Day(visit.target_on)}


def _said_why(work: Work, values: Values) -> dict[str, object]:
    """Say besides how the day deviates, so that staff know what the reason is for."""
    visit, subject = _visit(work, values)
    found = records.deviations(work, subject, visit, stored.DONE, date.fromisoformat(values["held_on"]))
    lines: list[Text | Day | str] = [Text(f"deviation.{each}") for each in found]
    return {**_said(work, values), "deviations": Lines(lines)}


def _besides(values: Values) -> int | None:
    """Return the visit that is being corrected; it is not too near to itself."""
    return values["visit"] if "record" in values else None


def _past_days(work: Work, values: Values) -> list[Choice]:
    visit, subject = _visit(work, values)
    days = [work.today - timedelta(days=back) for back in range(3)]
    return [
        form_days.choice(work, day)
        for day in days
        if visit.kind != VisitKind.INJECTION or not records.is_too_near(work, subject, day, _besides(values))
    ]


def _coming_days(work: Work, values: Values) -> list[Choice]:
    visit, _ = _visit(work, values)
    days = work.clinic.open_days(work.today + timedelta(days=1), work.today + OFFERED_AHEAD)
    fitting = [day for day in days if day != visit.target_on and _allowed(work, values, day)][:OFFERED]
    return [form_days.choice(work, day) for day in fitting]


def _new_days(work: Work, values: Values) -> list[Choice]:
    visit, _ = _visit(work, values)
    none = [] if visit.kind in RECURRING else [Choice("visit.button.no_new_day", None)]
    return [*_coming_days(work, values), *none]


def _allowed(work: Work, values: Values, day: date) -> bool:
    try:
        _check_new_day(work, values, day)
    except TooEarly:
        return False
    return True


def _check_new_day(work: Work, values: Values, day: date) -> None:
    """Refuse a day too soon after the last injection; the one that is corrected away is none any more."""
    if _besides(values) is None:
        visit, subject = _visit(work, values)
        plan.check_new_day(work, subject, VisitKind(visit.kind), day)


def _past_date(work: Work, values: Values, text: str) -> Reading[str]:
    reading = form_days.past_date(work, text)
    visit, subject = _visit(work, values)
    kind, besides = VisitKind(visit.kind), _besides(values)
    if not records.may_override(work):
        records.check_held(work, subject, kind, reading.value, besides=besides)
    near = kind is VisitKind.INJECTION and records.is_too_near(work, subject, reading.value, besides)
    far = form_days.is_far(work, reading.value)
    return Reading(reading.value.isoformat(), reading.confirm or far or near, text)


def coming_date(work: Work, text: str) -> Reading[date]:
    """Read a day to plan a visit on; a day on which the clinic is closed is asked again.

    Raises:
        DayHasPassed, DayTooFar: the day cannot be meant.
    """
    reading = parse_date(text, work.today)
    if reading.value < work.today:
        raise DayHasPassed
    if reading.value > work.today + LONGEST_AHEAD:
        raise DayTooFar
    return Reading(reading.value, reading.confirm or not work.clinic.is_open(reading.value), text)


def _coming_date(work: Work, values: Values, text: str) -> Reading[str]:
    reading = coming_date(work, text)
    visit, subject = _visit(work, values)
    kind = VisitKind(visit.kind)
    _check_new_day(work, values, reading.value)
    # Later than the protocol's longest interval is possible, but not by a slip of the finger.
    last = stored.last_held(work.session, subject, kind) or work.today
    longest = work.protocol.visits[kind].longest_days
    late = bool(longest) and reading.value > last + timedelta(days=longest)
    return Reading(reading.value.isoformat(), reading.confirm or late, text)


def _explains(work: Work, values: Values) -> bool:
    """Return whether the day of a visit needs a reason; a count that is not there yet may be recorded next."""
    if "held_on" not in values:
        return False
    visit, subject = _visit(work, values)
    held_on = date.fromisoformat(values["held_on"])
    found = records.deviations(work, subject, visit, stored.DONE, held_on)
    near = visit.kind == VisitKind.INJECTION and records.is_too_near(work, subject, held_on)
    return near or bool([each for each in found if each is not Deviation.NO_COUNT_BEFORE])


def _outcomes(*outcomes: str) -> Any:
    def choices(_work: Work, _values: Values) -> list[Choice]:
        return [Choice(f"visit.outcome.{each}", each) for each in outcomes]

    return choices


def _sources(sources: Collection[str]) -> Any:
    def choices(_work: Work, _values: Values) -> list[Choice]:
        return [Choice(f"visit.source.{each}", each) for each in sources]

    return choices


def _was(*outcomes: str) -> Any:
    return lambda _work, values: values.get("outcome") in outcomes


def _nothing_left(work: Work, values: Values) -> bool:
    """Return whether the correction takes away the last real injection, so that the open one needs a day."""
    visit, subject = _visit(work, values)
    return (
        values.get("outcome") in (stored.MISSED, stored.NOT_NEEDED)
        and visit.kind == VisitKind.INJECTION
        and not stored.held_days(work.session, subject, VisitKind.INJECTION, visit.id)
    )


# What is done with the answers


def _finish_done(work: Work, values: Values) -> None:
    if _overtaken(work, values):
        return
    visit, subject = _visit(work, values)
    following = records.record(
        work,
        visit,
        stored.DONE,
        date.fromisoformat(values["held_on"]),
        source=values.get("source", stored.CLINIC),
        reason=values.get("reason"),
    )
    _say_next(work, subject, visit, following, "visit.recorded.done", _after(work, subject, visit, values["held_on"]))
    _ask_why(work, subject, visit)


def _finish_not_done(outcome: str) -> Any:
    def finish(work: Work, values: Values) -> None:
        if _overtaken(work, values):
            return
        visit, subject = _visit(work, values)
        next_on = date.fromisoformat(values["next_on"]) if values.get("next_on") else None
        following = records.record(
            work,
            visit,
            outcome,
            None,
            next_on,
            source=values.get("source", stored.CLINIC),
            reason=values.get("reason"),
        )
        if following is not None:
            visit_reminders.announce(work, following)
        if outcome == stored.NOT_NEEDED:
            visit_reminders.announce_gone(work, subject, [visit])
        key = "visit.recorded.missed" if outcome == stored.MISSED else "visit.recorded.not_needed"
        _say_next(work, subject, visit, following, key)

    return finish


def _finish_phoned(work: Work, values: Values) -> None:
    outcome = values["outcome"]
    if outcome == stored.DONE:
        _finish_done(work, values)
    elif outcome != WILL_COME:
        _finish_not_done(outcome)(work, values)
    elif not _overtaken(work, values):
        visit, subject = _visit(work, values)
        visit.reply, visit.replied_at, visit.replied_by = WILL_COME, work.now, work.caller.label
        visit.proposed_on = visit.proposed_at = None
        work.session.flush()
        visit_reminders.drop_reminders(work, visit, "answered")
        settle_visit(work, visit, "visit_kept")
        work.answer("visit.recorded.will_come", code=subject.code, what=named(visit), day=Day(visit.target_on))


def _finish_move(work: Work, values: Values) -> None:
    if _overtaken(work, values):
        return
    visit, subject = _visit(work, values)
    _move(work, subject, visit, date.fromisoformat(values["next_on"]))


def _move(work: Work, subject: Subject, visit: Visit, on: date) -> None:
    plan.move(work, visit, on)
    visit_reminders.announce(work, visit)
    settle_visit(work, visit, "visit_moved")
    if visit.kind == VisitKind.INJECTION:
        # The count that has to lie before the injection follows it.
        plan.plan_next(work, subject)
    _say_next(work, subject, visit, visit, "visit.recorded.moved")


def _finish_correction(work: Work, values: Values) -> None:
    if _is_overtaken(work, values):
        work.answer("visit.overtaken")
        recorded.show(work, values)
        return
    visit, _ = _visit(work, values)
    held_on = date.fromisoformat(values["held_on"]) if values["outcome"] == stored.DONE else None
    next_on = date.fromisoformat(values["next_on"]) if values.get("next_on") else None
    records.correct(
        work,
        visit,
        values["outcome"],
        held_on,
        source=values["source"],
        reason=values["reason"],
        next_on=next_on,
    )
    work.answer("visit.corrected")
    recorded.show(work, values)


def _finish_explaining(work: Work, values: Values) -> None:
    if _is_overtaken(work, values):
        work.answer("visit.overtaken")
    else:
        visit, _ = _visit(work, values)
        records.explain(work, visit, values["reason"])
    recorded.show(work, values)


def _after(work: Work, subject: Subject, visit: Visit, held_on: str) -> list[list[Button]]:
    """Return what leads from a visit that took place to its values and its tablets, its day known already."""
    args, rows = {"subject": subject.id, "on": held_on}, []
    if visit.kind in (VisitKind.CBC, VisitKind.FERRITIN):
        rows.append([Button("visit.button.enter_values", "labs.enter", args)])
    if screens.takes_tablets(work, subject):
        rows.append([Button("counts.button.after_visit", "counts.enter", args)])
    return rows


def _say_next(
    work: Work, subject: Subject, visit: Visit, following: Visit | None, key: str, rows: Keyboard = ()
) -> None:
    """Say what was recorded, and which visit comes next, if one does; ``rows`` are what can be done now."""
    if following is None:
        work.answer("visit.recorded.last", rows, code=subject.code, what=named(visit))
        return
    work.answer(
        key,
        rows,
        code=subject.code,
        what=named(visit),
        next=named(following),
        day=Day(following.target_on, "full_day"),
    )


def _ask_why(work: Work, subject: Subject, visit: Visit) -> None:
    """Point to a deviation that nobody has given a reason for; it can be given now or later."""
    newest = stored.newest_record(work.session, visit.id or 0)
    assert newest is not None
    found = stored.deviations_in(newest)
    if found and newest.reason is None:
        lines: list[Text | Day | str] = [Text(f"deviation.{each}") for each in found]
        rows = [[Button("visit.button.explain", "visit.explain", {"visit": visit.id, "record": newest.version})]]
        work.answer("visit.recorded.deviates", rows, code=subject.code, deviations=Lines(lines))


HELD_ON = Field(
    "held_on", "visit.ask.held_on", _past_days, _past_date, show=form_days.show, said_with=_said, columns=3
)
HELD_IF_DONE = replace(HELD_ON, wanted=_was(stored.DONE))
NEXT_ON = Field(
    "next_on", "visit.ask.next_on", _new_days, _coming_date, show=form_days.show, said_with=_said, columns=2
)
WHY_DEVIATES = reasons.field("visit.ask.why_deviates", reasons.DEVIATION, wanted=_explains, said_with=_said_why)
WHY_NOT_NEEDED = reasons.field("visit.ask.why_not_needed", reasons.NOT_NEEDED, said_with=_said)

DONE_FORM = forms.register(Form("visit.done", (HELD_ON, WHY_DEVIATES), _finish_done, frozenset(CLINICAL)))
MISSED_FORM = forms.register(Form("visit.missed", (NEXT_ON,), _finish_not_done(stored.MISSED), frozenset(CLINICAL)))
NOT_NEEDED_FORM = forms.register(
    Form("visit.not_needed", (WHY_NOT_NEEDED, NEXT_ON), _finish_not_done(stored.NOT_NEEDED), frozenset(CLINICAL))
)
MOVE_FORM = forms.register(Form("visit.move", (NEXT_ON,), _finish_move, frozenset(CLINICAL)))
PHONED_FORM = forms.register(
    Form(
        "visit.phoned",
        (
            Field(
                "source",
                "visit.ask.source",
                _sources((stored.PHONE, stored.PATIENT, stored.PAPER)),
                said_with=_said,
            ),
            Field(
                "outcome",
                "visit.ask.outcome",
                _outcomes(WILL_COME, stored.DONE, stored.MISSED, stored.NOT_NEEDED),
                said_with=_said,
            ),
            HELD_IF_DONE,
            WHY_DEVIATES,
            reasons.field(
                "visit.ask.why_not_needed",
                reasons.NOT_NEEDED,
                wanted=_was(stored.NOT_NEEDED),
                said_with=_said,
            ),
            Field(
                "next_on",
                "visit.ask.next_on",
                _new_days,
                _coming_date,
                wanted=_was(stored.MISSED, stored.NOT_NEEDED),
                show=form_days.show,
                said_with=_said,
                columns=2,
            ),
        ),
        _finish_phoned,
        frozenset(CLINICAL),
    )
)
CORRECT_FORM = forms.register(
    Form(
        "visit.correct",
        (
            Field(
                "outcome",
                "visit.ask.correct_outcome",
                _outcomes(stored.DONE, stored.MISSED, stored.NOT_NEEDED),
                show=lambda _work, value: Text(f"visit.outcome.{value}"),
                said_with=_said,
            ),
            HELD_IF_DONE,
            Field(
                "next_on",
                "visit.ask.next_on",
                _coming_days,
                _coming_date,
                wanted=_nothing_left,
                show=form_days.show,
                said_with=_said,
                columns=2,
            ),
            Field(
                "source",
                "visit.ask.source",
                _sources(stored.SOURCES),
                show=lambda _work, value: Text(f"visit.source.{value}"),
                said_with=_said,
            ),
            reasons.field("visit.ask.why_correct", reasons.CORRECTION, said_with=_said),
        ),
        _finish_correction,
        frozenset(CLINICAL),
        summary="visit.correct.summary",
        names="visit.correct.field",
    )
)
EXPLAIN_FORM = forms.register(
    Form(
        "visit.explain",
        (reasons.field("visit.ask.why_explain", reasons.DEVIATION, said_with=_said),),
        _finish_explaining,
        frozenset(CLINICAL),
    )
)
