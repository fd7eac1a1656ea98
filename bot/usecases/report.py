"""How does "I feel unwell" become a report that is triaged while it is being given?"""

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlmodel import col, select

from bot.domain.conditions import Answer as Value
from bot.domain.conditions import comparisons
from bot.domain.parsing import Unreadable, only_a_number, parse_temperature, parse_whole_number
from bot.domain.questionnaires import (
    Item,
    ItemKind,
    NotAnAnswer,
    Questionnaire,
    accept,
    implied,
    needs_confirmation,
    next_item,
    offered,
    scores,
    standing,
)
from bot.domain.scores import with_scores
from bot.domain.triage import TriageDecision, triage
from bot.domain.urgency import Urgency, highest
from bot.store import people
from bot.store.adverse_events import RESPONSE
from bot.store.models import AgendaItem, Answer, Dialogue, Escalation, Response, Subject
from bot.usecases import escalate, forms, measured, refusals, screens
from bot.work import Button, Day, Lane, Lines, Text, Work

DIALOGUE = "report"
SILENCE = "report.silence"
GIVE_UP = "checkin.give_up"
LATER = "report.later"  # what was recorded, after an emergency
UNWELL = "unwell"
NOTHING_ELSE = "nothing else"
UNFINISHED = "unfinished"  # why, beside the rules, a report is as urgent as it is
IMPLIED = ""  # what was "said" to an item that needed no question
# So long the emergency text stays the last thing on the screen; whoever is on the way has no eye for a list.
LATER_MINUTES = 60
SILENCE_MINUTES = 10  # a report that stops in the middle is looked at after this long
# Whoever skipped a question for so many check-ins begins anew with it.
CHECKINS_BACK = 4
# A danger that a check-in named is followed up in one go; later the person begins anew.
FOLLOWED_UP_WITHIN = timedelta(hours=2)


def begin(work: Work, _args: object = None) -> None:
    """Open a guided report, or go on with the one that is open."""
    subject = screens.subject_of(work)
    if not screens.on_study(subject):
        work.answer("report.not_on_study", phone=screens.phone(work))
        return
    ask_next(work, open_response(work) or new_response(work, UNWELL))


def new_response(work: Work, questionnaire: str) -> Response:
    """Open a filling-in of a questionnaire by the caller."""
    response = Response(
        subject_id=work.caller.subject_id,
        account_id=work.caller.account_id,
        questionnaire=questionnaire,
        questionnaire_version=work.protocol.questionnaires[questionnaire].version,
        locale=work.caller.locale,
        reported_by=work.caller.label,
        opened_at=work.now,
    )
    work.session.add(response)
    work.session.flush()
    return response


def open_response(work: Work, questionnaire: str = UNWELL) -> Response | None:
    """Return the report the caller has not finished."""
    return work.session.exec(
        select(Response)
        .where(
            Response.account_id == work.caller.account_id,
            Response.subject_id == work.caller.subject_id,
            Response.questionnaire == questionnaire,
            col(Response.submitted_at).is_(None),
        )
        .order_by(col(Response.id).desc())
    ).first()


def spoken_of(work: Work, dialogue: Dialogue) -> Response | None:
    """Return the report whose question typed words answer now; None when it was handed in."""
    number = forms.values_of(dialogue).get("r")
    response = work.session.get(Response, number) if number is not None else open_response(work)
    return response if response is not None and response.submitted_at is None else None


def ask_again(work: Work, dialogue: Dialogue) -> None:
    """Show the open question once more, in the language of now."""
    response = spoken_of(work, dialogue)
    if response is None:
        afterwards().ask_again(work, dialogue)
    else:
        ask_next(work, response)


def ask_next(work: Work, response: Response, given: dict[str, Value] | None = None) -> None:
    """Ask the next open question, or close the report when none is left; ``given`` are the answers if known."""
    given = answers(work, response) if given is None else given
    questionnaire = questionnaire_of(work, response)
    if named_dangers(questionnaire, given):
        _hand_over(work, response, given)
        return
    item = next_item(questionnaire, given)
    if item is None:
        submit(work, response, decide(work, response, given))
        return
    if given:
        _watch(work, response, given)
    ask(work, response, item)


def ask(work: Work, response: Response, item: Item, *, instead_of: int = 0) -> None:
    """Ask one question; ``instead_of`` is the version of the answer that the new one corrects."""
    # Typed words belong to this question from now on.
    forms.hold(work, DIALOGUE, item.id, r=response.id, n=instead_of)
    given = answers(work, response).get(item.id) if item.kind is ItemKind.MULTI and not instead_of else None
    chosen = given if isinstance(given, tuple) else ()
    subject = work.session.get_one(Subject, response.subject_id)
    args: dict[str, Any] = {"r": response.id, "i": item.id}
    if instead_of:
        args["n"] = instead_of
    if item.kind is ItemKind.YES_NO:
        rows = [
            [Button("form.button.yes", "report.answer", {**args, "v": True})],
            [Button("form.button.no", "report.answer", {**args, "v": False})],
        ]
    elif item.kind is ItemKind.SCORE:
        rows = [[Button(option.text, "report.answer", {**args, "v": int(option.id)})] for option in item.options]
    else:
        rows = [
            [Button(option.text, "report.answer", {**args, "v": option.id})]
            for option in offered(item, subject.arm)
            if not chosen or not (option.exclusive or option.id in chosen)
        ]
        if chosen:
            rows.append([Button("report.button.nothing_else", "report.answer", {**args, "v": NOTHING_ELSE})])
    if instead_of:
        rows.append([Button("report.button.leave", "report.leave", {"r": response.id})])
    else:
        rows.append([Button("report.button.stop", "report.stop", {"r": response.id})])
    work.answer(
        "report.anything_else" if chosen else item.text,
        rows,
        purpose=DIALOGUE,
        about_id=response.id,
        subject_id=subject.id,
        single_use=True,
    )


def named_dangers(questionnaire: Questionnaire, given: dict[str, Value]) -> tuple[str, ...]:
    """Return the dangers that were named in a check-in, each to be followed up by the report."""
    named = given.get(questionnaire.hands_over) if questionnaire.hands_over else None
    if not isinstance(named, tuple) or questionnaire.hands_over is None:
        return ()
    alone = {option.id for option in questionnaire.item(questionnaire.hands_over).options if option.exclusive}
    return tuple(each for each in named if each not in alone)


def _hand_over(work: Work, response: Response, given: dict[str, Value]) -> None:
    """Hand in a check-in as far as it went, and go on with the danger that was named in it."""
    decision = decide(work, response, given)
    response.submitted_at, response.because = work.now, list(decision.because)
    response.urgency = highest((decision.urgency, told(response)))
    work.unplan("handed over", kind=SILENCE, about_id=response.id)
    if decision.urgency is not Urgency.GREEN:
        tell_staff(work, response, decision.urgency, decision.because)
    work.answer("checkin.to_report", phone=screens.phone(work))
    if not follow_up(work):
        forms.close(work)


def follow_up(work: Work) -> bool:
    """Open the report at a danger that the caller's check-in has just named; tell whether one was left."""
    mine = (Response.account_id == work.caller.account_id, Response.subject_id == work.caller.subject_id)
    since = col(Response.submitted_at) >= work.now - FOLLOWED_UP_WITHIN
    lately = work.session.exec(select(Response).where(*mine, since).order_by(col(Response.id).desc())).all()
    checkin = next((each for each in lately if questionnaire_of(work, each).hands_over), None)
    if checkin is None:
        return False
    first = work.protocol.questionnaires[UNWELL].items[0]
    begun = select(Response).where(*mine, Response.questionnaire == UNWELL, Response.opened_at >= checkin.opened_at)
    asked = {answers(work, each).get(first.id) for each in work.session.exec(begun).all()}
    for danger in named_dangers(questionnaire_of(work, checkin), answers(work, checkin)):
        if danger not in asked:
            report = new_response(work, UNWELL)
            option = next(each for each in first.options if each.id == danger)
            take(work, report, first, accept(first, danger), work.text(option.text))
            return True
    return False


def _watch(work: Work, response: Response, given: dict[str, Value]) -> None:
    """Look again soon, counted from now: whoever stops answering in the middle may be unable to go on."""
    questionnaire = questionnaire_of(work, response)
    if not questionnaire.watched and not named_dangers(questionnaire, given):
        return
    work.plan_anew(
        SILENCE,
        f"silence:{response.id}:{work.cause}",
        work.now + timedelta(minutes=SILENCE_MINUTES),
        response.id or 0,
        subject_id=response.subject_id,
    )


def plan_giving_up(work: Work, response: Response) -> None:
    """Close a check-in as far as it went when nobody goes on with it, counted from now."""
    work.plan_anew(
        GIVE_UP,
        f"{GIVE_UP}:{response.id}:{work.cause}",
        work.now + timedelta(days=work.protocol.checkin.useful_days),
        response.id or 0,
        subject_id=response.subject_id,
    )


def take_tap(work: Work, args: dict[str, Any]) -> None:
    """Take a button as the answer to an item.

    Raises:
        DialogueEnded: the report is closed or belongs to somebody else.
    """
    response = _mine(work, args["r"], corrects="n" in args)
    item = questionnaire_of(work, response).item(args["i"])
    assert work.press is not None
    if "n" in args:
        value = accept(item, _as_given(item, args["v"]))
        take_correction(work, response, item, value, _said(item, value, work.press.label), args["n"])
        return
    if item.kind is ItemKind.MULTI and _is_open(work, response, item):
        _take_one_more(work, response, item, args["v"], work.press.label)
        return
    if item.id in answers(work, response):
        work.chosen = False
        work.note("toast.already_recorded")
        ask_next(work, response)
        return
    take(work, response, item, accept(item, args["v"]), work.press.label)


def _said(item: Item, value: Value, label: str) -> str:
    """Return what a person said with a button; the "yes" to a typed day means the day."""
    typed = item.kind is ItemKind.DATE and all(option.id != value for option in item.options)
    return str(value) if typed else label


def _as_given(item: Item, value: Any) -> Any:
    return (value,) if item.kind is ItemKind.MULTI else value


def take_correction(
    work: Work, response: Response, item: Item, value: Value, said: str, version: int, *, odd: bool = False
) -> None:
    """Take an answer in place of an earlier version of it; what it leads to is asked and triaged as always.

    A second tap, or one on an old question, finds that version replaced already. An ``odd`` number is asked back,
    unless it is a danger: then the person has read what to do.
    """
    newest = max((row.version for row in rows_of(work, response) if row.item == item.id), default=0)
    if newest != version:
        work.chosen = False
        work.note("toast.already_recorded")
        return
    store(work, response, item, value, said, correction=True)
    if item.after:
        afterwards().settle(work, response)
        return
    if response.submitted_at is not None:
        # It is open again until what the new answer leads to has been asked.
        response.submitted_at = None
        work.session.flush()
        if not questionnaire_of(work, response).watched:
            plan_giving_up(work, response)
    given, questionnaire = answers(work, response), questionnaire_of(work, response)
    before = told(response)
    if _act_on_danger(work, response, given):
        return
    if odd and told(response) is before:
        _watch(work, response, given)
        _ask_whether(work, response, item, value)
        return
    if item.id != questionnaire.hands_over and named_dangers(questionnaire, given):
        afterwards().settle(work, response)  # The danger has been followed up.
        return
    if item.kind is ItemKind.MULTI and not _stands_alone(item, value):
        _watch(work, response, given)
        ask(work, response, item)
        return
    ask_next(work, response, given)


def _stands_alone(item: Item, value: Value) -> bool:
    return isinstance(value, tuple) and any(option.exclusive and option.id in value for option in item.options)


def _is_open(work: Work, response: Response, item: Item) -> bool:
    """Return whether an item can still take an answer: it is the next one, or the last that was answered."""
    rows = rows_of(work, response)
    if any(row.item == item.id for row in rows):
        return rows[-1].item == item.id
    upcoming = next_item(questionnaire_of(work, response), answers(work, response))
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
        ask(work, response, item)
        return
    chosen = accept(item, (*before, value))
    given = store(work, response, item, chosen, label)
    if _act_on_danger(work, response, given):
        return
    if any(option.id == value and option.exclusive for option in item.options):
        ask_next(work, response, given)
    else:
        _watch(work, response, given)
        ask(work, response, item)


def take_number(work: Work, dialogue: Dialogue, text: str) -> bool:
    """Take a typed number as the answer to the open item; return whether it was one and nothing else.

    A temperature that was asked for is judged by the rules of the report, which know where it was measured.
    Words beside it may be a danger of their own, so they are looked through first.
    """
    response = spoken_of(work, dialogue) or _corrected(work, dialogue)
    if response is None:
        return False
    item = questionnaire_of(work, response).item(dialogue.step)
    if item.kind not in (ItemKind.TEMPERATURE, ItemKind.NUMBER) or not only_a_number(text):
        return False
    try:
        value, odd = _read(item, text)
    except (Unreadable, NotAnAnswer):
        return False
    _take_words(work, dialogue, response, item, value, text, odd=odd)
    return True


def keep_words(work: Work, dialogue: Dialogue, text: str) -> None:
    """Store words that were answered as danger already, if they were the answer to an open question."""
    response = spoken_of(work, dialogue)
    if response is None:
        forms.close(work)  # What comes after a report can be left open.
        return
    item = questionnaire_of(work, response).item(dialogue.step)
    try:
        value, _ = _read(item, text)
    except (Unreadable, NotAnAnswer):
        ask(work, response, item)
        return
    ask_next(work, response, store(work, response, item, value, text))


def take_text(work: Work, dialogue: Dialogue, text: str) -> bool:
    """Take typed words as the answer to the open item; False when nothing waits for an answer any more."""
    response = spoken_of(work, dialogue) or _corrected(work, dialogue)
    if response is None:
        return bool(afterwards().take_text(work, dialogue, text))
    item = questionnaire_of(work, response).item(dialogue.step)
    try:
        value, odd = _read(item, text)
    except (Unreadable, NotAnAnswer) as problem:
        key, values = refusals.text_of(problem)
        work.answer(key, (), **{"phone": screens.phone(work), **values})
        ask(work, response, item, instead_of=forms.values_of(dialogue).get("n", 0))
        return True
    _take_words(work, dialogue, response, item, value, text, odd=odd)
    return True


def _corrected(work: Work, dialogue: Dialogue) -> Response | None:
    """Return the report, handed in already, of which an answer is being corrected."""
    known = forms.values_of(dialogue)
    item = work.protocol.questionnaires[UNWELL].items
    if not known.get("n") or any(each.id == dialogue.step and each.after for each in item):
        return None
    return work.session.get(Response, known["r"])


def _take_words(
    work: Work, dialogue: Dialogue, response: Response, item: Item, value: Value, said: str, *, odd: bool
) -> None:
    if version := forms.values_of(dialogue).get("n"):
        take_correction(work, response, item, value, said, version, odd=odd)
    else:
        take(work, response, item, value, said, odd=odd)


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
    given = store(work, response, item, value, said)
    if _act_on_danger(work, response, given):
        return
    if odd and response.urgency is None:
        _watch(work, response, given)
        _ask_whether(work, response, item, value)
        return
    ask_next(work, response, given)


def _ask_whether(work: Work, response: Response, item: Item, value: Value) -> None:
    """Ask an odd number back; it is stored and judged already."""
    args = {"r": response.id, "i": item.id}
    rows = [
        [Button("form.button.yes", "report.right", {**args, "right": True})],
        [Button("form.button.no", "report.right", {**args, "right": False})],
    ]
    work.answer("form.is_it", rows, single_use=True, value=f"{value:g} °C")


def confirm(work: Work, args: dict[str, Any]) -> None:
    """Take the reply to "is that right?"; triage did not wait for it.

    Raises:
        DialogueEnded: the report is closed or belongs to somebody else.
    """
    response = _mine(work, args["r"])
    item = questionnaire_of(work, response).item(args["i"])
    if not args["right"] and _is_open(work, response, item):
        _watch(work, response, answers(work, response))
        ask(work, response, item)
    else:
        ask_next(work, response)


def _act_on_danger(work: Work, response: Response, given: dict[str, Value]) -> bool:
    """Triage what is known; return whether the report ends here.

    120 is certain enough to stop asking. Where the emergency department is right, the person is told
    and staff are paged at once, and the questions go on, for the answers may make it more urgent.
    """
    decision = decide(work, response, given)
    watched = questionnaire_of(work, response).watched
    if decision.urgency is Urgency.RED_120 or (decision.urgency.is_red and not watched):
        submit(work, response, decision)
        return True
    if decision.urgency.is_red and decision.urgency.rank > told(response).rank:
        _tell(work, response, decision)
        tell_staff(work, response, decision.urgency, decision.because)
    elif decision.urgency is Urgency.AMBER and not watched and set(decision.because) - set(response.because):
        # A check-in may stay as it is: staff know at once, the person reads it at the end.
        response.because = list(decision.because)
        tell_staff(work, response, decision.urgency, decision.because)
    return False


def store(
    work: Work, response: Response, item: Item, value: Value, said: str, *, correction: bool = False
) -> dict[str, Value]:
    """Store an answer as the next version of its item, earlier ones stay (DI-03); return all answers so far.

    What need not be asked any more, for it follows from the answer, is stored with it.
    """
    questionnaire, rows = questionnaire_of(work, response), rows_of(work, response)

    def keep(name: str, value: Value, said: str) -> None:
        row = Answer(
            response_id=response.id or 0,
            item=name,
            version=max((each.version for each in rows if each.item == name), default=0) + 1,
            value=json.dumps(value, ensure_ascii=False),
            said=said,
            locale=work.caller.locale,
            given_at=work.now,
            given_by=work.caller.label,
            correction=correction and said != IMPLIED,
        )
        work.session.add(row)
        work.session.flush()
        rows.append(row)

    for name in implied(questionnaire, {**newest_answers(questionnaire, rows), item.id: value}):
        keep(name, 0.0, IMPLIED)
    keep(item.id, value, said)
    return newest_answers(questionnaire, rows)


def decide(work: Work, response: Response, given: dict[str, Value]) -> TriageDecision:
    """Triage what has been answered so far; counts that are old or not there read as the worst."""
    subject = work.session.get_one(Subject, response.subject_id)
    decision = triage(given, measured.facts(work, subject), work.protocol.triage_rules)
    present = scores(questionnaire_of(work, response), given)
    if not present:
        return decision
    return with_scores(decision, present, _scores_before(work, response), work.protocol.score_rules)


def _scores_before(work: Work, response: Response) -> dict[str, int]:
    """Return the last score of each item in a check-in that was handed in before, in its newest version."""
    found: dict[str, int] = {}
    for earlier in work.session.exec(
        select(Response)
        .where(
            Response.subject_id == response.subject_id,
            Response.questionnaire == response.questionnaire,
            col(Response.id) < response.id,
            col(Response.submitted_at).is_not(None),
        )
        .order_by(col(Response.id).desc())
        .limit(CHECKINS_BACK)
    ).all():
        found = {**scores(questionnaire_of(work, earlier), answers(work, earlier)), **found}
    return found


def submit(work: Work, response: Response, decision: TriageDecision) -> None:
    """Close a report: tell the person what to do now, and staff what was reported."""
    if any(row.correction for row in rows_of(work, response)):
        afterwards().settle(work, response)
        return
    told_already = response.urgency == decision.urgency
    response.submitted_at, response.because = work.now, list(decision.because)
    work.unplan("submitted", kind=SILENCE, about_id=response.id)
    forms.close(work)
    if told_already:
        work.answer("report.added", lane=Lane.RED, purpose="triage", phone=screens.phone(work))
    else:
        _tell(work, response, decision)
    if decision.urgency is not Urgency.GREEN:
        tell_staff(work, response, decision.urgency, decision.because)
    if decision.urgency.is_red:
        plan_list(work, response)
    if decision.urgency is Urgency.RED_120 or follow_up(work):
        return
    if not decision.urgency.is_red:
        afterwards().begin(work, response)


def plan_list(work: Work, response: Response) -> None:
    """Offer what was recorded once the emergency text has stood alone for a while; again when it changed since."""
    work.plan_anew(
        LATER,
        f"{LATER}:{response.id}:{work.cause}",
        work.now + timedelta(minutes=LATER_MINUTES),
        response.id or 0,
        subject_id=response.subject_id,
        useful_until=correctable_until(work, response),
    )


def told(response: Response) -> Urgency:
    """Return how urgent the person was told it is; green before anything was said."""
    return Urgency(response.urgency) if response.urgency is not None else Urgency.GREEN


def afterwards() -> Any:
    """Return what follows a report; it knows this module, so it is looked up when it is needed."""
    from bot.usecases import afterwards

    return afterwards


def tell_result(work: Work, response: Response, decision: TriageDecision) -> Escalation:
    """Tell the person what to do now, and staff what was reported."""
    _tell(work, response, decision)
    return tell_staff(work, response, decision.urgency, decision.because)


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


def tell_staff(work: Work, response: Response, urgency: Urgency, because: Sequence[str], *more: Text) -> Escalation:
    """Make a report a case, or let it say more in the case that is open."""
    subject = work.session.get_one(Subject, response.subject_id)
    lines = [*summary(work, response, because), *more]
    return escalate.raise_case(work, subject, urgency, because, lines, source=source_of(response))


def source_of(response: Response) -> str:
    """Return how a case names what this report told it."""
    return f"{RESPONSE}{response.id}"


def summary(work: Work, response: Response, because: Sequence[str] = ()) -> list[Text]:
    """Return what was reported, question by question, for staff to read in their language.

    What the rules in ``because`` are about comes first: a long check-in would hide it.
    """
    lines: list[tuple[bool, Text]] = []
    grave = {
        each.item for rule in work.protocol.triage_rules if rule.id in because for each in comparisons(rule.when)
    }
    questionnaire, rows = questionnaire_of(work, response), rows_of(work, response)
    stands = newest_answers(questionnaire, rows)
    for name, row in {row.item: row for row in rows}.items():
        item, before = questionnaire.item(name), _before_correction(rows, name)
        if row.said == IMPLIED and before is None:
            continue
        values: dict[str, object] = {"item": Text(f"report.short.{name}"), "answer": shown(item, row)}
        if before is not None:
            values["before"] = shown(item, before)
        if name not in stands and before is None:
            values["before"], values["answer"] = values["answer"], Text("report.no_longer")
        line = Text("report.line.corrected" if "before" in values else "report.line", values)
        lines.append((name not in grave, line))
    return [line for _, line in sorted(lines, key=lambda each: each[0])]


def _before_correction(rows: Sequence[Answer], name: str) -> Answer | None:
    """Return the answer to an item as it was before it was corrected for the last time."""
    of_item = [row for row in rows if row.item == name]
    corrections = [number for number, row in enumerate(of_item) if row.correction]
    return of_item[corrections[-1] - 1] if corrections and corrections[-1] > 0 else None


def shown(item: Item, row: Answer) -> object:
    """Return an answer in the words of the questions, for whoever reads it."""
    value = json.loads(row.value)
    if item.kind is ItemKind.YES_NO:
        return Text("form.button.yes" if value else "form.button.no")
    if item.kind is ItemKind.SCORE:
        option = item.options[int(value)]
        return Text("report.score", {"score": int(value), "words": Text(option.text)})
    if item.kind is ItemKind.DATE and all(option.id != value for option in item.options):
        return Day(date.fromisoformat(value), "short_day")
    if item.kind is ItemKind.TEMPERATURE:
        return Text("report.celsius", {"value": f"{value:g}", "said": row.said})
    chosen = value if isinstance(value, list) else [value]
    named = [Text(option.text) for option in item.options if option.id in chosen]
    return Lines(named, between=", ") if named else row.said


def answers(work: Work, response: Response) -> dict[str, Value]:
    """Return the answers given so far, the newest version of each."""
    return newest_answers(questionnaire_of(work, response), rows_of(work, response))


def newest_answers(questionnaire: Questionnaire, rows: Sequence[Answer]) -> dict[str, Value]:
    """Return what a report says now, of all its answers in the order in which they were given."""
    given: dict[str, Value] = {}
    for row in {row.item: row for row in rows}.values():
        value = json.loads(row.value)
        given[row.item] = tuple(value) if isinstance(value, list) else value
    # What only followed from an answer that was corrected since is open, and what it led to counts no more.
    unasked = {row.item for row in rows if row.said == IMPLIED} - {row.item for row in rows if row.said != IMPLIED}
    for name in unasked:
        if given.get(questionnaire.item(name).follows or "") != 0:
            del given[name]
    return standing(questionnaire, given) if any(row.correction for row in rows) else given


def rows_of(work: Work, response: Response) -> list[Answer]:
    return list(
        work.session.exec(select(Answer).where(Answer.response_id == response.id).order_by(col(Answer.id))).all()
    )


def _mine(work: Work, response_id: int, *, corrects: bool = False) -> Response:
    """Return the open report if it is this person's and of the subject they speak for now.

    One that was handed in can be corrected for some days.
    """
    response = work.session.get(Response, response_id)
    mine = (work.caller.account_id, work.caller.subject_id)
    if response is None or (response.account_id, response.subject_id) != mine:
        raise refusals.DialogueEnded
    if corrects and not is_correctable(work, response):
        raise refusals.DialogueEnded
    if not corrects and response.submitted_at is not None:
        raise refusals.DialogueEnded
    return response


def is_correctable(work: Work, response: Response) -> bool:
    """Tell whether the caller gave a report, and can still correct it."""
    if (response.account_id, response.subject_id) != (work.caller.account_id, work.caller.subject_id):
        return False
    subject = work.session.get_one(Subject, response.subject_id)
    return work.now < correctable_until(work, response) and screens.on_study(subject)


def correctable_until(work: Work, response: Response) -> datetime:
    """Return until when who gave a report can correct it."""
    return response.opened_at + timedelta(days=work.protocol.correct_days)


def questionnaire_of(work: Work, response: Response) -> Questionnaire:
    return work.protocol.questionnaires[response.questionnaire]


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
    watched = questionnaire_of(work, response).watched
    close_unfinished(work, response, Urgency.YELLOW if watched else Urgency.GREEN)
    work.answer("report.stopped", phone=screens.phone(work))


def silent(work: Work, item: AgendaItem) -> str:
    """Act on a report that stopped in the middle: silence is never "well"."""
    response = work.session.get_one(Response, item.about_id)
    if response.submitted_at is not None:
        return "submitted"
    questionnaire, given = questionnaire_of(work, response), answers(work, response)
    open_item = next_item(questionnaire, given)
    if questionnaire.hands_over and named_dangers(questionnaire, given):
        open_item = questionnaire.item(questionnaire.hands_over)
    urgency = open_item.silence if open_item is not None else Urgency.AMBER
    close_unfinished(work, response, urgency)
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


def close_unfinished(work: Work, response: Response, least: Urgency) -> None:
    """Close a report as far as it went; it is at least as urgent as this."""
    given = answers(work, response)
    decision = decide(work, response, given)
    urgency = decision.urgency if decision.urgency.rank > least.rank else least
    response.submitted_at, response.urgency = work.now, urgency
    response.because = [*decision.because, UNFINISHED]
    work.unplan("closed unfinished", kind=SILENCE, about_id=response.id)
    dialogue = work.session.get(Dialogue, response.account_id)
    if dialogue is not None and dialogue.kind == DIALOGUE and forms.values_of(dialogue).get("r") == response.id:
        forms.close_of(work, response.account_id)
    work.session.flush()
    if urgency.is_red:
        plan_list(work, response)
    if urgency is not Urgency.GREEN:
        tell_staff(work, response, urgency, response.because, Text("report.line.unfinished"))
