"""How does "I feel unwell" become a report that is triaged while it is being given?"""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlmodel import col, select

from bot.domain.conditions import Answer as Value
from bot.domain.parsing import Unreadable, only_a_number, parse_temperature, parse_whole_number
from bot.domain.questionnaires import (
    Item,
    ItemKind,
    NotAnAnswer,
    Questionnaire,
    accept,
    needs_confirmation,
    next_item,
    offered,
)
from bot.domain.triage import TriageDecision, triage
from bot.domain.urgency import Urgency
from bot.store import people
from bot.store.models import AgendaItem, Answer, Dialogue, Response, Subject
from bot.usecases import escalate, forms, measured, refusals, screens
from bot.work import Button, Lane, Lines, Text, Work

DIALOGUE = "report"
SILENCE = "report.silence"
NOTHING_ELSE = "nothing else"
SILENCE_MINUTES = 10  # a report that stops in the middle is looked at after this long


def begin(work: Work, _args: object = None) -> None:
    """Open a guided report, or go on with the one that is open."""
    subject = screens.subject_of(work)
    if not screens.on_study(subject):
        work.answer("report.not_on_study", phone=screens.phone(work))
        return
    response = open_response(work)
    if response is None:
        response = Response(
            subject_id=subject.id,
            account_id=work.caller.account_id,
            questionnaire=_questionnaire(work).id,
            questionnaire_version=_questionnaire(work).version,
            locale=work.caller.locale,
            reported_by=work.caller.label,
            opened_at=work.now,
        )
        work.session.add(response)
        work.session.flush()
    ask_next(work, response)


def open_response(work: Work) -> Response | None:
    """Return the report the caller has not finished."""
    return work.session.exec(
        select(Response)
        .where(
            Response.account_id == work.caller.account_id,
            Response.subject_id == work.caller.subject_id,
            col(Response.submitted_at).is_(None),
        )
        .order_by(col(Response.id).desc())
    ).first()


def ask_next(work: Work, response: Response, given: dict[str, Value] | None = None) -> None:
    """Ask the next open question, or close the report when none is left; ``given`` are the answers if known."""
    given = answers(work, response) if given is None else given
    item = next_item(_questionnaire(work), given)
    if item is None:
        submit(work, response, decide(work, response, given))
        return
    if given:
        _watch(work, response)
    _ask(work, response, item)


def _ask(work: Work, response: Response, item: Item) -> None:
    # Typed words belong to this question from now on.
    forms.hold(work, DIALOGUE, item.id)
    given = answers(work, response).get(item.id) if item.kind is ItemKind.MULTI else None
    chosen = given if isinstance(given, tuple) else ()
    subject = work.session.get_one(Subject, response.subject_id)
    args: dict[str, Any] = {"r": response.id, "i": item.id}
    if item.kind is ItemKind.YES_NO:
        rows = [
            [Button("form.button.yes", "report.answer", {**args, "v": True})],
            [Button("form.button.no", "report.answer", {**args, "v": False})],
        ]
    else:
        rows = [
            [Button(option.text, "report.answer", {**args, "v": option.id})]
            for option in offered(item, subject.arm)
            if not chosen or not (option.exclusive or option.id in chosen)
        ]
        if chosen:
            rows.append([Button("report.button.nothing_else", "report.answer", {**args, "v": NOTHING_ELSE})])
    rows.append([Button("report.button.stop", "report.stop", {"r": response.id})])
    work.answer(
        "report.anything_else" if chosen else item.text,
        rows,
        purpose=DIALOGUE,
        about_id=response.id,
        subject_id=subject.id,
        single_use=True,
    )


def _watch(work: Work, response: Response) -> None:
    """Look again soon, counted from now: whoever stops answering in the middle may be unable to go on."""
    work.forget_plan(SILENCE, response.id or 0)
    work.plan(
        SILENCE,
        f"silence:{response.id}",
        work.now + timedelta(minutes=SILENCE_MINUTES),
        response.id or 0,
        subject_id=response.subject_id,
    )


def take_tap(work: Work, args: dict[str, Any]) -> None:
    """Take a button as the answer to an item.

    Raises:
        DialogueEnded: the report is closed or belongs to somebody else.
    """
    response = _mine(work, args["r"])
    item = _questionnaire(work).item(args["i"])
    assert work.press is not None
    if item.kind is ItemKind.MULTI and _is_open(work, response, item):
        _take_one_more(work, response, item, args["v"], work.press.label)
        return
    if item.id in answers(work, response):
        work.chosen = False
        work.note("toast.already_recorded")
        ask_next(work, response)
        return
    take(work, response, item, accept(item, args["v"]), work.press.label)


def _is_open(work: Work, response: Response, item: Item) -> bool:
    """Return whether an item can still take an answer: it is the next one, or the last that was answered."""
    rows = _rows(work, response)
    if any(row.item == item.id for row in rows):
        return rows[-1].item == item.id
    upcoming = next_item(_questionnaire(work), answers(work, response))
    return upcoming is not None and upcoming.id == item.id


def _take_one_more(work: Work, response: Response, item: Item, value: str, label: str) -> None:
    """Take one of several signs; each tap is stored and triaged by itself, then the rest is asked about."""
    before = answers(work, response).get(item.id, ())
    assert isinstance(before, tuple)
    if value == NOTHING_ELSE:
        ask_next(work, response)
        return
    if value in before:
        work.chosen = False
        work.note("toast.already_recorded")
        _ask(work, response, item)
        return
    chosen = accept(item, (*before, value))
    given = _store(work, response, item, chosen, label)
    if _act_on_danger(work, response, given):
        return
    if any(option.id == value and option.exclusive for option in item.options):
        ask_next(work, response, given)
    else:
        _watch(work, response)
        _ask(work, response, item)


def take_number(work: Work, dialogue: Dialogue, text: str) -> bool:
    """Take a typed number as the answer to the open item; return whether it was one and nothing else.

    A temperature that was asked for is judged by the rules of the report, which know where it was measured.
    Words beside it may be a danger of their own, so they are looked through first.
    """
    response = open_response(work)
    if response is None:
        return False
    item = _questionnaire(work).item(dialogue.step)
    if item.kind not in (ItemKind.TEMPERATURE, ItemKind.NUMBER) or not only_a_number(text):
        return False
    try:
        value, odd = _read(item, text)
    except (Unreadable, NotAnAnswer):
        return False
    take(work, response, item, value, text, odd=odd)
    return True


def keep_words(work: Work, dialogue: Dialogue, text: str) -> None:
    """Store words that were answered as danger already, if they were the answer to an open question."""
    response = open_response(work)
    if response is None:
        return
    item = _questionnaire(work).item(dialogue.step)
    try:
        value, _ = _read(item, text)
    except (Unreadable, NotAnAnswer):
        _ask(work, response, item)
        return
    ask_next(work, response, _store(work, response, item, value, text))


def take_text(work: Work, dialogue: Dialogue, text: str) -> None:
    """Take typed words as the answer to the open item."""
    response = open_response(work)
    if response is None:
        forms.close(work)
        raise refusals.DialogueEnded
    item = _questionnaire(work).item(dialogue.step)
    try:
        value, odd = _read(item, text)
    except (Unreadable, NotAnAnswer) as problem:
        key, values = refusals.text_of(problem)
        work.answer(key, (), **{"phone": screens.phone(work), **values})
        _ask(work, response, item)
        return
    take(work, response, item, value, text, odd=odd)


def _read(item: Item, text: str) -> tuple[Value, bool]:
    """Read typed words as a value, and whether it is odd enough to be asked back.

    Danger comes before doubt: triage takes an odd temperature as it was meant.
    """
    match item.kind:
        case ItemKind.TEMPERATURE:
            reading = parse_temperature(text)
            value = accept(item, reading.value)
            return value, reading.confirm or needs_confirmation(item, value)
        case ItemKind.NUMBER:
            value = accept(item, float(parse_whole_number(text).value))
            return value, needs_confirmation(item, value)
        case ItemKind.TEXT:
            return accept(item, text), False
        case _:
            raise NotAnAnswer(item.id, "form.please_tap")


def take(work: Work, response: Response, item: Item, value: Value, said: str, *, odd: bool = False) -> None:
    """Store one answer, triage what is known, and go on or act; an ``odd`` number is asked back."""
    given = _store(work, response, item, value, said)
    if _act_on_danger(work, response, given):
        return
    if odd and response.urgency is None:
        _watch(work, response)
        args = {"r": response.id, "i": item.id}
        rows = [
            [Button("form.button.yes", "report.right", {**args, "right": True})],
            [Button("form.button.no", "report.right", {**args, "right": False})],
        ]
        work.answer("form.is_it", rows, single_use=True, value=f"{value:g} °C")
        return
    ask_next(work, response, given)


def confirm(work: Work, args: dict[str, Any]) -> None:
    """Take the reply to "is that right?"; triage did not wait for it.

    Raises:
        DialogueEnded: the report is closed or belongs to somebody else.
    """
    response = _mine(work, args["r"])
    item = _questionnaire(work).item(args["i"])
    if not args["right"] and _is_open(work, response, item):
        _watch(work, response)
        _ask(work, response, item)
    else:
        ask_next(work, response)


def _act_on_danger(work: Work, response: Response, given: dict[str, Value]) -> bool:
    """Triage what is known; return whether the report ends here.

    120 is certain enough to stop asking. Where the emergency department is right, the person is told
    and staff are paged at once, and the questions go on, for the answers may make it more urgent.
    """
    decision = decide(work, response, given)
    if decision.urgency is Urgency.RED_120:
        submit(work, response, decision)
        return True
    if decision.urgency.is_red and response.urgency != decision.urgency:
        _tell(work, response, decision)
        _raise(work, response, decision.urgency, decision.because)
    return False


def _store(work: Work, response: Response, item: Item, value: Value, said: str) -> dict[str, Value]:
    """Store an answer as the next version of its item, earlier ones stay (DI-03); return all answers so far."""
    rows = _rows(work, response)
    row = Answer(
        response_id=response.id or 0,
        item=item.id,
        version=max((each.version for each in rows if each.item == item.id), default=0) + 1,
        value=json.dumps(value, ensure_ascii=False),
        said=said,
        locale=work.caller.locale,
        given_at=work.now,
        given_by=work.caller.label,
    )
    work.session.add(row)
    work.session.flush()
    return _given([*rows, row])


def decide(work: Work, response: Response, given: dict[str, Value]) -> TriageDecision:
    """Triage what has been answered so far; counts that are old or not there read as the worst."""
    subject = work.session.get_one(Subject, response.subject_id)
    return triage(given, measured.facts(work, subject), work.protocol.triage_rules)


def submit(work: Work, response: Response, decision: TriageDecision) -> None:
    """Close a report: tell the person what to do now, and staff what was reported."""
    told_already = response.urgency == decision.urgency
    response.submitted_at, response.because = work.now, list(decision.because)
    work.unplan("submitted", kind=SILENCE, about_id=response.id)
    forms.close(work)
    if told_already:
        work.answer("report.added", lane=Lane.RED, purpose="triage", phone=screens.phone(work))
    else:
        _tell(work, response, decision)
    if decision.urgency is not Urgency.GREEN:
        _raise(work, response, decision.urgency, decision.because)


def _tell(work: Work, response: Response, decision: TriageDecision) -> None:
    response.urgency, response.because = decision.urgency, list(decision.because)
    red = decision.urgency.is_red
    work.answer(
        decision.tell,
        [] if red else [[Button("menu.button.open", "menu.open")]],
        lane=Lane.RED if red else Lane.ANSWER,
        purpose="triage",
        about_id=response.id,
        subject_id=response.subject_id,
        phone=screens.phone(work),
    )


def _raise(work: Work, response: Response, urgency: Urgency, because: Sequence[str], *more: Text) -> None:
    subject = work.session.get_one(Subject, response.subject_id)
    lines = [*summary(work, response), *more]
    escalate.raise_case(work, subject, urgency, because, lines, source=f"response:{response.id}")


def summary(work: Work, response: Response) -> list[Text]:
    """Return what was reported, question by question, for staff to read in their language."""
    lines = []
    questionnaire = _questionnaire(work)
    newest = {row.item: row for row in _rows(work, response)}
    for row in newest.values():
        item = questionnaire.item(row.item)
        lines.append(Text("report.line", {"item": Text(f"report.short.{item.id}"), "answer": _shown(item, row)}))
    return lines


def _shown(item: Item, row: Answer) -> object:
    value = json.loads(row.value)
    if item.kind is ItemKind.YES_NO:
        return Text("form.button.yes" if value else "form.button.no")
    if item.kind is ItemKind.TEMPERATURE:
        return Text("report.celsius", {"value": f"{value:g}", "said": row.said})
    chosen = value if isinstance(value, list) else [value]
    named = [Text(option.text) for option in item.options if option.id in chosen]
    return Lines(named, between=", ") if named else row.said


def answers(work: Work, response: Response) -> dict[str, Value]:
    """Return the answers given so far, the newest version of each."""
    return _given(_rows(work, response))


def _given(rows: Sequence[Answer]) -> dict[str, Value]:
    given: dict[str, Value] = {}
    for row in rows:
        value = json.loads(row.value)
        given[row.item] = tuple(value) if isinstance(value, list) else value
    return given


def _rows(work: Work, response: Response) -> list[Answer]:
    return list(
        work.session.exec(select(Answer).where(Answer.response_id == response.id).order_by(col(Answer.id))).all()
    )


def _mine(work: Work, response_id: int) -> Response:
    """Return the open report if it is this person's and of the subject they speak for now."""
    response = work.session.get(Response, response_id)
    mine = (work.caller.account_id, work.caller.subject_id)
    if response is None or response.submitted_at is not None or (response.account_id, response.subject_id) != mine:
        raise refusals.DialogueEnded
    return response


def _questionnaire(work: Work) -> Questionnaire:
    return work.protocol.questionnaires["unwell"]


def stop(work: Work, args: dict[str, Any]) -> None:
    """End a report at the person's wish; what was answered is kept, and staff look at it."""
    response = _mine(work, args["r"])
    given = answers(work, response)
    if not given:
        response.submitted_at = work.now
        response.urgency = Urgency.GREEN
        forms.close(work)
        screens.show_menu(work)
        return
    _close_unfinished(work, response, Urgency.YELLOW)
    work.answer("report.stopped", phone=screens.phone(work))


def silent(work: Work, item: AgendaItem) -> str:
    """Act on a report that stopped in the middle: silence is never "well"."""
    response = work.session.get_one(Response, item.about_id)
    if response.submitted_at is not None:
        return "submitted"
    questionnaire, given = _questionnaire(work), answers(work, response)
    open_item = next_item(questionnaire, given)
    urgency = open_item.silence if open_item is not None else Urgency.AMBER
    _close_unfinished(work, response, urgency)
    subject = work.session.get_one(Subject, response.subject_id)
    for account in people.speakers(work.session, subject.id or 0):
        work.say(
            account,
            "report.silence.red" if urgency.is_red else "report.silence.other",
            lane=Lane.RED if urgency.is_red else Lane.ANSWER,
            purpose="triage",
            about_id=response.id,
            subject_id=subject.id,
            phone=screens.phone(work),
        )
    return f"treated as {urgency}"


def _close_unfinished(work: Work, response: Response, least: Urgency) -> None:
    given = answers(work, response)
    decision = decide(work, response, given)
    urgency = decision.urgency if decision.urgency.rank > least.rank else least
    response.submitted_at, response.urgency = work.now, urgency
    response.because = [*decision.because, "unfinished"]
    work.unplan("closed unfinished", kind=SILENCE, about_id=response.id)
    dialogue = work.session.get(Dialogue, response.account_id)
    if dialogue is not None and dialogue.kind == DIALOGUE:
        forms.close_of(work, response.account_id)
    work.session.flush()
    _raise(work, response, urgency, response.because, Text("report.line.unfinished"))
