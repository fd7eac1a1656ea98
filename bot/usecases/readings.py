"""How does a patient report a reading: temperature, blood pressure, pulse, oxygen, weight?

It is kept when it is given. What is red is answered at once; anything else in doubt is asked back first, and where
feeling unwell would make it an emergency, that is asked. Silence after such a question counts as a yes.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from bot.domain.judging import UNWELL
from bot.domain.measures import PRESSURE, TEMPERATURE, Value, has_number, only_a_reading, parse_one
from bot.domain.parsing import Reading, Unreadable
from bot.domain.roles import STAFF, SUBJECT_SIDE
from bot.domain.triage import RECORDED, TriageDecision
from bot.store import measurements as stored
from bot.store import people
from bot.store.models import AgendaItem, Dialogue, Measurement, Subject
from bot.usecases import forms, measured, refusals, screens, speak
from bot.usecases.forms import Choice, Field, Form, Values
from bot.work import Button, Lane, Lines, Text, Work

SILENCE = "reading.silence"
EXAMPLES = {TEMPERATURE: "36.8", PRESSURE: "128/76", "pulse": "72", "spo2": "97", "weight": "60 kg"}
KINDS = tuple(EXAMPLES)
PLACES = ("axillary", "oral", "ear", "forehead")
UNSURE = "unsure"


def begin(work: Work, _args: object = None) -> None:
    """Ask what was measured."""
    if not screens.on_study(screens.subject_of(work)):
        work.answer("menu.not_on_study", phone=screens.phone(work))
        return
    forms.open_form(work, FORM)


def take_text(work: Work, text: str) -> None:
    """Take any typed text; a number that was asked for is judged by its own rules, which know what it is.

    Words beside it may be a danger of their own, so they are looked through first.
    """
    # Without a number it is no reading: nothing has to be looked up for it.
    dialogue = forms.current(work) if has_number(text) else None
    if dialogue is None or dialogue.kind != FORM.kind or dialogue.step != "reading" or work.caller.role in STAFF:
        speak.take_text(work, text)
        return
    asked = forms.values_of(dialogue)["what"]
    if only_a_reading(work.protocol.measures.by_id, asked, text):
        forms.take_text(work, dialogue, text)
    elif speak.react_to_danger(work, text):
        _keep_words(work, dialogue, asked, text)
    else:
        forms.take_text(work, dialogue, text)


def _keep_words(work: Work, dialogue: Dialogue, asked: str, text: str) -> None:
    """Keep a reading also where its words were answered as danger already; without a number, ask for it again."""
    try:
        read = parse_one(work.protocol.measures.by_id, asked, text)
    except Unreadable:
        forms.ask_again(work, dialogue)
        return
    place = forms.values_of(dialogue).get("place")
    forms.close(work)
    subject = screens.subject_of(work)
    rows = _keep(work, subject, read, text, place)
    measured.settle(work, rows, measured.decide(work, rows, measured.circumstances(work, subject, rows)))
    measured.follow(work, subject, rows)


# What is asked


def _whats(_work: Work, _values: Values) -> list[Choice]:
    return [Choice(f"reading.what.{kind}", kind) for kind in KINDS]


def _places(_work: Work, _values: Values) -> list[Choice]:
    return [Choice(f"reading.place.{place}", place) for place in (*PLACES, UNSURE)]


def _said(_work: Work, values: Values) -> dict[str, object]:
    return {"example": EXAMPLES[values["what"]]}


def _parse(work: Work, values: Values, text: str) -> Reading[str]:
    """Read the number; what is in doubt is asked back after it is kept.

    Raises:
        Unreadable: it cannot be read, or nobody has such a value.
    """
    parse_one(work.protocol.measures.by_id, values["what"], text)
    return Reading(text, False, text)


def _finish(work: Work, values: Values) -> None:
    subject = screens.subject_of(work)
    if not screens.on_study(subject):
        work.answer("menu.not_on_study", phone=screens.phone(work))
        return
    read = parse_one(work.protocol.measures.by_id, values["what"], values["reading"])
    _judge(work, subject, _keep(work, subject, read, values["reading"], values.get("place")))


def _keep(work: Work, subject: Subject, read: Sequence[Value], text: str, place: str | None) -> list[Measurement]:
    return measured.keep(
        work,
        subject,
        [measured.with_change(work, subject, value) for value in read],
        source=stored.PATIENT,
        said=text,
        taken_on=work.today,
        taken_at=work.now,
        place=None if place in (None, UNSURE) else place,
    )


# What is done with it


def _judge(work: Work, subject: Subject, rows: Sequence[Measurement], *, right: bool = False) -> None:
    """Act on what is red; ask what has to be known first; else say what is to be done."""
    known = measured.circumstances(work, subject, rows)
    decisions = measured.decide(work, rows, known)
    if measured.most_urgent(decisions).urgency.is_red:
        _settle(work, subject, rows, decisions)
    elif not right and any(row.doubt for row in rows):
        _ask(work, rows, "form.is_it", "reading.right", value=_shown(work, rows, typed=True))
    elif measured.asks_for_signs(work, rows, known):
        _ask(work, rows, "reading.ask.signs", "reading.signs", phone=screens.phone(work))
    else:
        _settle(work, subject, rows, decisions)


def _ask(work: Work, rows: Sequence[Measurement], key: str, action: str, **values: object) -> None:
    first = rows[0]
    work.plan_anew(
        SILENCE,
        f"reading:{first.id}",
        work.now + timedelta(minutes=work.protocol.measures.silence_minutes),
        first.id or 0,
        subject_id=first.subject_id,
    )
    buttons = [
        [Button("form.button.yes", action, {"o": first.occasion, "yes": True})],
        [Button("form.button.no", action, {"o": first.occasion, "yes": False})],
    ]
    work.answer(key, buttons, single_use=True, purpose="reading", subject_id=first.subject_id, **values)


def _settle(work: Work, subject: Subject, rows: Sequence[Measurement], decisions: Sequence[TriageDecision]) -> None:
    """Say at once what is to be done, and tell staff."""
    measured.settle(work, rows, decisions)
    work.unplan("judged", kind=SILENCE, about_id=rows[0].id)
    decision = measured.most_urgent(decisions)
    red = decision.urgency.is_red
    work.answer(
        "reading.told",
        [] if red else [[Button("menu.button.open", "menu.open")]],
        lane=Lane.RED if red else Lane.ANSWER,
        purpose="triage",
        subject_id=subject.id,
        text=Text(decision.tell, {"phone": screens.phone(work)}),
        value=_shown(work, rows),
    )
    measured.follow(work, subject, rows)


def take_right(work: Work, args: dict[str, Any]) -> None:
    """Take the reply to "is that right?"; what was wrong is taken out and asked for again."""
    subject, rows = _open_rows(work, args)
    if args["yes"]:
        _judge(work, subject, rows, right=True)
        return
    measured.take_back(work, rows)
    work.unplan("taken back", kind=SILENCE, about_id=rows[0].id)
    what = PRESSURE if any(row.measure == "systolic" for row in rows) else rows[0].measure
    known = {"place": rows[0].place or UNSURE} if what == TEMPERATURE else {}
    forms.open_form(work, FORM, what=what, **known)


def take_signs(work: Work, args: dict[str, Any]) -> None:
    """Take the reply to "do you feel any of this now?"."""
    subject, rows = _open_rows(work, args)
    known = measured.circumstances(work, subject, rows)
    _settle(work, subject, rows, measured.decide(work, rows, known, (UNWELL,) if args["yes"] else ()))


def _open_rows(work: Work, args: dict[str, Any]) -> tuple[Subject, Sequence[Measurement]]:
    """Return the reading that a question is about.

    Raises:
        DialogueEnded: it is somebody else's, or it was judged already.
    """
    rows = stored.of_occasion(work.session, args["o"])
    mine = (work.caller.subject_id, work.caller.label)
    if not rows or any(row.judged_at or row.void or (row.subject_id, row.entered_by) != mine for row in rows):
        raise refusals.DialogueEnded
    return screens.subject_of(work), rows


def silent(work: Work, item: AgendaItem) -> str:
    """Judge a reading whose question nobody answered: as it was read, and as if the patient felt unwell."""
    row = work.session.get_one(Measurement, item.about_id)
    rows = stored.of_occasion(work.session, row.occasion)
    if any(each.judged_at or each.void for each in rows):
        return "judged"
    subject = work.session.get_one(Subject, row.subject_id)
    decisions = measured.decide(work, rows, measured.circumstances(work, subject, rows), (UNWELL,))
    measured.settle(work, rows, decisions)
    decision = measured.most_urgent(decisions)
    measured.follow(work, subject, rows, Text("report.line.no_answer"))
    if decision.tell == RECORDED:
        return f"treated as {decision.urgency}"
    for account in people.speakers(work.session, subject.id or 0):
        work.say(
            account,
            "report.silence.red" if decision.urgency.is_red else "report.silence.other",
            lane=Lane.RED if decision.urgency.is_red else Lane.ANSWER,
            purpose="triage",
            subject_id=subject.id,
            phone=screens.phone(work),
        )
    return f"treated as {decision.urgency}"


def _shown(work: Work, rows: Sequence[Measurement], *, typed: bool = False) -> Text | Lines:
    """Return what was read, the two pressures in one; ``typed``: with the words it was read from."""
    given = {row.measure: measured.shown(work, measured.value_of(row)) for row in rows}
    if "systolic" in given and "diastolic" in given:
        upper = given.pop("systolic").split()[0]
        given = {PRESSURE: f"{upper}/{given.pop('diastolic')}", **given}
    shown = Lines(
        [
            Text("reading.value", {"what": Text(f"reading.what.{what}"), "value": value})
            for what, value in given.items()
        ]
    )
    return Text("measure.read_as", {"said": rows[0].said, "value": shown}) if typed else shown


FORM = forms.register(
    Form(
        "reading",
        (
            Field("what", "reading.ask.what", _whats),
            Field(
                "place",
                "reading.ask.place",
                _places,
                wanted=lambda _work, values: values.get("what") == TEMPERATURE,
            ),
            Field("reading", "reading.ask.reading", parse=_parse, said_with=_said),
        ),
        _finish,
        frozenset(SUBJECT_SIDE),
    )
)
