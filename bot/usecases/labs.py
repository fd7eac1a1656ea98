"""How do staff enter, look at, confirm and correct measured values of a subject?"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from bot.domain.judging import NO_TRANSFUSION, PLATELETS, RED_CELLS, UNKNOWN
from bot.domain.measures import DIASTOLIC, SYSTOLIC, Doubt, Entered, Refused, Value, parse_many, parse_value
from bot.domain.parsing import Reading, Unreadable
from bot.domain.roles import CLINICAL
from bot.store import audit
from bot.store import measurements as stored
from bot.store.models import Measurement, Subject
from bot.usecases import cases, form_days, forms, lab_release, measured, owning, reasons, screens
from bot.usecases.forms import Choice, Field, Form, Values
from bot.work import Button, Day, Lines, Text, Work

OUT = "out"  # the value was never this subject's
BOTH = f"{RED_CELLS}{stored.DIVIDER}{PLATELETS}"
TRANSFUSED = (NO_TRANSFUSION, RED_CELLS, PLATELETS, BOTH, UNKNOWN)
# Values that a transfusion changes.
CHANGED_BY_TRANSFUSION = ("hb", "plt")


def show(work: Work, subject: Subject, page: int = 0) -> None:
    """List the values of a subject, the newest day first, a button each."""
    audit.record(work.session, "values.listed", entity="subject", entity_id=subject.id, page=page)
    count = stored.count(work.session, subject)
    rows: list[list[Button]] = []
    for row in stored.listed(work.session, subject, page * cases.PER_PAGE, cases.PER_PAGE):
        label = work.text(
            "labs.row",
            mark=measured.mark(row),
            day=work.texts.short_day(row.taken_on, work.caller.locale),
            what=work.text(f"measure.name.{row.measure}"),
            value=measured.shown(work, measured.value_of(row)),
            unverified="" if row.verified else "?",
        )
        rows.append([Button(label, "labs.open", {"value": row.id}, plain=True)])
    rows += cases.pager("labs.list", page, count, subject=subject.id)
    if work.caller.role in CLINICAL:
        rows.append([Button("labs.button.enter", "labs.enter", {"subject": subject.id})])
        rows += lab_release.buttons(work, subject)
    rows.append(screens.back_to(subject))
    work.answer(
        "labs.title" if count else "labs.none",
        rows,
        code=subject.code,
        n=count,
        release=lab_release.status(work, subject),
    )


def show_list(work: Work, args: dict[str, Any]) -> None:
    show(work, work.session.get_one(Subject, args["subject"]), int(args.get("page", 0)))


def open_value(work: Work, args: dict[str, Any]) -> None:
    row = work.session.get_one(Measurement, args["value"])
    show_value(work, row.occasion, row.measure)


def show_value(work: Work, occasion: str, measure: str) -> None:
    """Show one value with every version: what, when, who, from where, why."""
    versions = stored.versions(work.session, occasion, measure)
    newest = versions[-1]
    subject = work.session.get_one(Subject, newest.subject_id)
    audit.record(work.session, "value.viewed", entity="measurement", entity_id=newest.id)
    rows: list[list[Button]] = []
    if work.caller.role in CLINICAL and not newest.void:
        if not newest.verified:
            rows.append([Button("labs.button.verify", "labs.verify", {"value": newest.id})])
        rows.append([Button("labs.button.correct", "labs.correct", {"value": newest.id})])
    if newest.evidence_id is not None:
        rows.append([Button("labs.button.evidence", "evidence.open", {"evidence": newest.evidence_id})])
    rows.append([Button("labs.button.list", "labs.list", {"subject": subject.id})])
    rows.append(screens.back_to(subject))
    work.answer(
        "labs.card",
        rows,
        code=subject.code,
        what=Text(f"measure.name.{measure}"),
        day=Day(newest.taken_on, "full_day"),
        versions=Lines([_version(work, each) for each in reversed(versions)], between="\n\n"),
    )


def _version(work: Work, row: Measurement) -> Text:
    values: dict[str, object] = {
        "version": row.version,
        "mark": measured.mark(row),
        "value": Text("measure.taken_out") if row.void else measured.shown(work, measured.value_of(row)),
        "said": row.said,
        "source": Text(f"labs.source.{row.source}"),
        "verified": Text("measure.verified" if row.verified else "measure.unverified"),
        "at": work.texts.moment(row.entered_at, work.settings.zone, work.caller.locale),
        "by": owning.by_whom(work, row.entered_by),
        "transfused": Text(f"labs.transfused.{_coded(row.transfused)}") if row.transfused else Text("form.none"),
        "reason": reasons.shown(row.reason),
    }
    return Text("labs.version", values)


def _coded(transfused: str) -> str:
    return "both" if transfused == BOTH else transfused


# Entering a day's values


def start(work: Work, args: dict[str, Any]) -> None:
    """Begin to enter the values of one day: known after a visit; from a photo they come from a slip."""
    known = {name: args[name] for name in ("on", "evidence") if name in args}
    forms.open_form(work, ENTER_FORM, subject=args["subject"], source=args.get("source", stored.STAFF), **known)


def _subject(work: Work, values: Values) -> Subject:
    return work.session.get_one(Subject, values["subject"])


def _said(work: Work, values: Values) -> dict[str, object]:
    return {"code": _subject(work, values).code}


def _entered(work: Work, values: Values, text: str) -> Entered:
    trial, subject = work.protocol.measures, _subject(work, values)
    entered = parse_many(trial.measures, trial.pressure_names, trial.others, text)
    changed = tuple(measured.with_change(work, subject, value) for value in entered.values)
    return replace(entered, values=changed)


def _parse_values(work: Work, values: Values, text: str) -> Reading[dict[str, Any]]:
    """Read the message; what could not be read is asked for after that, so that nothing has to be typed twice.

    Raises:
        Unreadable: nothing in it could be read.
    """
    entered = _entered(work, values, text)
    if not entered.values:
        raise Unreadable(entered.refused[0].reason if entered.refused else "input.measure.unreadable", text)
    kept = {
        "read": [_json(value) for value in entered.values],
        "left": [[each.said, each.reason] for each in entered.refused if not each.kept_out],
        "out": [[each.said, each.reason] for each in entered.refused if each.kept_out],
        "text": text,
    }
    return Reading(kept, any(value.doubt for value in entered.values), text)


def _parse_rest(work: Work, values: Values, text: str) -> Reading[dict[str, Any]]:
    entered = _entered(work, values, text)
    wrong: Refused | None = next((each for each in entered.refused if not each.kept_out), None)
    if wrong is not None or not entered.values:
        raise Unreadable(wrong.reason if wrong is not None else "input.measure.unreadable", text)
    kept = {"read": [_json(value) for value in entered.values], "left": [], "out": [], "text": text}
    return Reading(kept, any(value.doubt for value in entered.values), text)


def _json(value: Value) -> dict[str, Any]:
    return {
        "measure": value.measure,
        "value": str(value.value),
        "said": value.said,
        "sign": value.sign,
        "unit": value.unit,
        "doubt": value.doubt,
    }


def _value(given: dict[str, Any]) -> Value:
    doubt = Doubt(given["doubt"]) if given["doubt"] else None
    return Value(given["measure"], Decimal(given["value"]), given["said"], given["sign"], given["unit"], doubt)


def _all_values(values: Values) -> list[Value]:
    """Return what was understood; what was typed again takes the place of what was there."""
    given = [*values["values"]["read"], *(values.get("rest") or {"read": []})["read"]]
    return list({each["measure"]: _value(each) for each in given}.values())


def _has_left(_work: Work, values: Values) -> bool:
    return bool(values.get("values", {}).get("left"))


def _said_left(work: Work, values: Values) -> dict[str, object]:
    return {**_said(work, values), "lines": Lines(_refused(values["values"]["left"]))}


def _refused(parts: Sequence[Sequence[str]]) -> list[Text | Day | Lines | str]:
    return [Text("labs.refused", {"said": said, "why": Text(reason)}) for said, reason in parts]


def _leave_out(_work: Work, _values: Values) -> list[Choice]:
    return [Choice("labs.button.leave_out", None)]


def _is_changed_by_transfusion(_work: Work, values: Values) -> bool:
    return "values" in values and any(each.measure in CHANGED_BY_TRANSFUSION for each in _all_values(values))


def _transfusions(_work: Work, _values: Values) -> list[Choice]:
    return [Choice(f"labs.transfused.{_coded(each)}", each) for each in TRANSFUSED]


def _said_transfused(work: Work, values: Values) -> dict[str, object]:
    return {**_said(work, values), "days": work.protocol.measures.after_platelets_days}


def _shown_values(work: Work, value: Any) -> Lines:
    """Show what is not kept, then what was understood; where it was in doubt, with the words it was read from."""
    lines = _refused(value["out"])
    for given in map(_value, value["read"]):
        shown: object = measured.shown(work, given)
        if given.doubt is not None:
            read_as = Text("measure.read_as", {"said": given.said, "value": shown})
            shown = Text("labs.doubtful", {"value": read_as, "doubt": Text(f"measure.doubt.{given.doubt}")})
        lines.append(Text("labs.value", {"what": Text(f"measure.name.{given.measure}"), "value": shown}))
    return Lines(lines)


def _finish(work: Work, values: Values) -> None:
    subject = _subject(work, values)
    typed = [values["values"]["text"], (values.get("rest") or {}).get("text")]
    rows = measured.keep(
        work,
        subject,
        _all_values(values),
        source=values["source"],
        said="\n".join(each for each in typed if each),
        taken_on=date.fromisoformat(values["on"]),
        transfused=values.get("transfused"),
        evidence_id=values.get("evidence"),
    )
    measured.settle(work, rows, measured.decide(work, rows, measured.circumstances(work, subject, rows)))
    raised = measured.follow(work, subject, rows)
    buttons = [[Button("labs.button.list", "labs.list", {"subject": subject.id})], screens.back_to(subject)]
    work.answer(
        "labs.saved",
        buttons,
        code=subject.code,
        lines=Lines(measured.lines(work, rows)),
        case=Text("labs.raised") if raised else "",
    )


# Confirming and correcting one


def verify(work: Work, args: dict[str, Any]) -> None:
    """Let staff stand for what a patient read."""
    row = work.session.get_one(Measurement, args["value"])
    if _is_overtaken(work, row):
        work.note("labs.toast.overtaken")
    else:
        measured.verify(work, row)
        work.note("labs.toast.verified")
    show_value(work, row.occasion, row.measure)


def start_correcting(work: Work, args: dict[str, Any]) -> None:
    """Begin to correct a value."""
    row = work.session.get_one(Measurement, args["value"])
    if _is_overtaken(work, row):
        show_value(work, row.occasion, row.measure)
        return
    forms.open_form(work, CORRECT_FORM, old=row.id, subject=row.subject_id)


def _is_overtaken(work: Work, row: Measurement) -> bool:
    return stored.versions(work.session, row.occasion, row.measure)[-1].version != row.version


def _old(work: Work, values: Values) -> Measurement:
    return work.session.get_one(Measurement, values["old"])


def _said_old(work: Work, values: Values) -> dict[str, object]:
    row = _old(work, values)
    return {
        **_said(work, values),
        "what": Text(f"measure.name.{row.measure}"),
        "day": Day(row.taken_on),
        "value": measured.shown(work, measured.value_of(row)),
    }


def _parse_correction(work: Work, values: Values, text: str) -> Reading[dict[str, Any]]:
    row = _old(work, values)
    value = parse_value(work.protocol.measures.by_id[row.measure], text)
    _check_pair(work, row, value)
    value = measured.with_change(work, _subject(work, values), value)
    return Reading(_json(value), value.doubt is not None, text)


def _check_pair(work: Work, row: Measurement, value: Value) -> None:
    """Refuse a pressure that does not fit the other one of its pair."""
    if row.measure not in (SYSTOLIC, DIASTOLIC):
        return
    pair = {each.measure: each.value for each in stored.of_occasion(work.session, row.occasion) if not each.void}
    pair[row.measure] = value.value
    if SYSTOLIC in pair and DIASTOLIC in pair and pair[SYSTOLIC] <= pair[DIASTOLIC]:
        raise Unreadable("input.pressure.out_of_range", value.said)


def _take_out(_work: Work, _values: Values) -> list[Choice]:
    return [Choice("labs.button.take_out", OUT)]


def _shown_correction(work: Work, value: Any) -> object:
    if value == OUT:
        return Text("measure.taken_out")
    given = _value(value)
    shown = measured.shown(work, given)
    return Text("measure.read_as", {"said": given.said, "value": shown}) if given.doubt else shown


def _finish_correction(work: Work, values: Values) -> None:
    row, given = _old(work, values), values["value"]
    if _is_overtaken(work, row):
        work.answer("labs.overtaken")
    else:
        value = None if given == OUT else _value(given)
        said = row.said if value is None else value.said
        measured.correct(work, _subject(work, values), row, value, values["reason"], said)
        work.answer("labs.corrected")
    show_value(work, row.occasion, row.measure)


ENTER_FORM = forms.register(
    Form(
        "labs.enter",
        (
            form_days.past_field("on", "labs.ask.on", _said),
            Field("values", "labs.ask.values", parse=_parse_values, show=_shown_values, said_with=_said),
            Field(
                "rest",
                "labs.ask.rest",
                _leave_out,
                _parse_rest,
                wanted=_has_left,
                show=_shown_values,
                said_with=_said_left,
            ),
            Field(
                "transfused",
                "labs.ask.transfused",
                _transfusions,
                wanted=_is_changed_by_transfusion,
                show=lambda _work, value: Text(f"labs.transfused.{_coded(value)}"),
                said_with=_said_transfused,
            ),
        ),
        _finish,
        frozenset(CLINICAL),
        summary="labs.summary",
        names="labs.field",
    )
)
CORRECT_FORM = forms.register(
    Form(
        "labs.correct",
        (
            Field(
                "value",
                "labs.ask.correct",
                _take_out,
                _parse_correction,
                show=_shown_correction,
                said_with=_said_old,
            ),
            reasons.field("labs.ask.why", reasons.CORRECTION, said_with=_said_old),
        ),
        _finish_correction,
        frozenset(CLINICAL),
        summary="labs.correct.summary",
        names="labs.correct.field",
    )
)
