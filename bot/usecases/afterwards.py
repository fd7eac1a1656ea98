"""What follows when a report was handed in and answered: details, what was recorded, and corrections of it.

Nothing urgent waits here: the person has read what to do, and staff have been told. Silence is just silence.
"""

from datetime import date, timedelta
from typing import Any

from bot.domain.parsing import Unreadable, parse_date
from bot.domain.questionnaires import Item, ItemKind, NotAnAnswer, accept, needs_confirmation, next_detail
from bot.domain.urgency import Urgency
from bot.store import agenda, people
from bot.store.models import Account, AgendaItem, Dialogue, Response, Subject
from bot.usecases import escalate, forms, polite, refusals, report, screens
from bot.work import Button, Day, Lane, Lines, Work

# Words typed later than this belong to no question of an hour ago.
WORDS_BELONG = timedelta(hours=1)


def begin(work: Work, response: Response) -> None:
    """Ask for the details of a report that was handed in, or show what was recorded where there are none."""
    _go_on(work, response, None)


def _go_on(work: Work, response: Response, past: str | None) -> None:
    item = next_detail(report.questionnaire_of(work, response), report.answers(work, response), past)
    if item is None:
        show_recorded(work, response)
    else:
        _ask(work, response, item)


def _ask(work: Work, response: Response, item: Item) -> None:
    forms.hold(work, report.DIALOGUE, item.id, r=response.id)
    args: dict[str, Any] = {"r": response.id, "i": item.id}
    rows = [[Button(option.text, "report.detail", {**args, "v": option.id})] for option in item.options]
    rows.append(
        [Button("report.button.skip", "report.skip", args), Button("report.button.enough", "report.enough", args)]
    )
    work.answer(item.text, rows, purpose=report.DIALOGUE, about_id=response.id, single_use=True)


def take(work: Work, args: dict[str, Any]) -> None:
    """Take a button as a detail."""
    response, item = _asked(work, args)
    if item.id in report.answers(work, response):
        work.chosen = False
        work.note("toast.already_recorded")
        return
    value = str(args["v"])
    # A day that was typed and asked back comes as the day itself.
    said = next((work.text(option.text) for option in item.options if option.id == value), value)
    _keep(work, response, item, value, said)


def _keep(work: Work, response: Response, item: Item, value: str, said: str) -> None:
    report.store(work, response, item, accept(item, value), said)
    subject = work.session.get_one(Subject, response.subject_id)
    source = report.source_of(response)
    if (case := escalate.told_by(work, subject, source)) is not None:
        escalate.add_details(work, case, report.summary(work, response), source)
    _go_on(work, response, item.id)


def skip(work: Work, args: dict[str, Any]) -> None:
    """Leave one detail out."""
    response, item = _asked(work, args)
    _go_on(work, response, item.id)


def enough(work: Work, args: dict[str, Any]) -> None:
    """Leave out all details that are left."""
    show_recorded(work, _asked(work, args)[0])


def again(work: Work, args: dict[str, Any]) -> None:
    """Ask for a detail once more: the day that was understood was not meant."""
    response, item = _asked(work, args)
    if version := args.get("n"):
        report.ask(work, response, item, instead_of=version)
    else:
        _ask(work, response, item)


def take_text(work: Work, dialogue: Dialogue, text: str) -> bool:
    """Take typed words as a detail; False when they are none, so that they reach people like any others."""
    known = forms.values_of(dialogue)
    response = work.session.get(Response, known["r"]) if "r" in known else None
    if response is None or work.now - dialogue.updated_at > WORDS_BELONG:
        forms.close(work)
        return False
    item = report.questionnaire_of(work, response).item(dialogue.step)
    version = known.get("n", 0)
    try:
        value = _read(work, item, text)
    except (Unreadable, NotAnAnswer):
        forms.close(work)
        return False
    if item.kind is ItemKind.DATE and _days_ago(work, value) < 0:
        work.answer("report.onset.future")
        again(work, {"r": response.id, "i": item.id, "n": version})
        return True
    if item.kind is ItemKind.DATE and needs_confirmation(item, float(_days_ago(work, value))):
        args: dict[str, Any] = {"r": response.id, "i": item.id, **({"n": version} if version else {})}
        action = "report.answer" if version else "report.detail"
        rows = [
            [Button("form.button.yes", action, {**args, "v": value})],
            [Button("form.button.no", "report.again", args)],
        ]
        work.answer("form.is_it", rows, single_use=True, value=Day(date.fromisoformat(value), "full_day"))
        return True
    if version:
        report.take_correction(work, response, item, value, text, version)
    else:
        _keep(work, response, item, value, text)
    return True


def _read(work: Work, item: Item, text: str) -> str:
    if item.kind is ItemKind.DATE:
        return parse_date(text, work.today).value.isoformat()
    if item.kind is ItemKind.TEXT:
        return str(accept(item, text))
    raise NotAnAnswer(item.id, "form.please_tap")


def _days_ago(work: Work, day: str) -> int:
    return (work.today - date.fromisoformat(day)).days


def ask_again(work: Work, dialogue: Dialogue) -> None:
    """Show the open detail, or the answer that is being corrected, once more."""
    known = forms.values_of(dialogue)
    if "r" in known:
        again(work, {"r": known["r"], "i": dialogue.step, "n": known.get("n", 0)})


def _asked(work: Work, args: dict[str, Any]) -> tuple[Response, Item]:
    response = work.session.get(Response, args["r"])
    if response is None or response.submitted_at is None or not report.is_correctable(work, response):
        raise refusals.DialogueEnded
    return response, report.questionnaire_of(work, response).item(args["i"])


# What was recorded


def show_recorded(work: Work, response: Response) -> None:
    """Show what was recorded, with a button to correct it."""
    forms.close(work)
    lines = report.summary(work, response)
    if not lines:
        return
    rows = [
        [Button("report.button.correct", "report.correct", {"r": response.id})],
        [Button("menu.button.open", "menu.open")],
    ]
    work.answer("report.recorded", rows, about_id=response.id, subject_id=response.subject_id, lines=Lines(lines))


def offer(work: Work, item: AgendaItem) -> str:
    """Offer to look through what was recorded in an emergency, quietly, to whoever reported it.

    It is a button and no list: the emergency text stays on the screen, and nobody has to read now.
    """
    response = work.session.get_one(Response, item.about_id)
    subject = work.session.get_one(Subject, response.subject_id)
    account = work.session.get_one(Account, response.account_id)
    if not screens.on_study(subject) or account not in people.speakers(work.session, subject.id or 0):
        return "not to be asked"
    if response.submitted_at is None:
        return "it goes on"
    responses = [response, *_offered_too(work, subject, response)]
    work.say(
        account,
        "report.later",
        [[_to_show(work, each, account, alone=len(responses) == 1)] for each in responses],
        lane=Lane.REMINDER,
        purpose=report.LATER,
        about_id=response.id,
        subject_id=subject.id,
        useful_until=item.useful_until,
        silent=True,
        phone=screens.phone(work),
    )
    return "offered"


def _offered_too(work: Work, subject: Subject, response: Response) -> list[Response]:
    """Return what else is to be offered to the same person at about this time; it needs no message of its own."""
    found = []
    for item in polite.all_near(work, subject, report.LATER):
        other = work.session.get_one(Response, item.about_id)
        if other.id != response.id and other.account_id == response.account_id and other.submitted_at is not None:
            agenda.close(item, "done", work.now, "offered with another")
            found.append(other)
    return found


def _to_show(work: Work, response: Response, reader: Account, *, alone: bool) -> Button:
    args = {"r": response.id}
    if alone:
        return Button("report.button.show", "report.show", args)
    assert response.submitted_at is not None, "only what was handed in is offered"
    at = work.texts.moment(response.submitted_at, work.settings.zone, reader.locale)
    return Button(f"report.button.show_of.{response.questionnaire}", "report.show", args, values={"at": at})


def show(work: Work, args: dict[str, Any]) -> None:
    """Show what was recorded on demand, with the button to correct it."""
    show_recorded(work, _correctable(work, args))


def correct(work: Work, args: dict[str, Any]) -> None:
    """Ask which line is to be corrected."""
    response = _correctable(work, args)
    given = report.answers(work, response)
    asked = {row.item for row in report.rows_of(work, response) if row.said != report.IMPLIED}
    rows = [
        [Button(f"report.short.{item.id}", "report.correct_item", {"r": response.id, "i": item.id})]
        for item in report.questionnaire_of(work, response).items
        if item.id in given and item.id in asked
    ]
    rows.append([Button("report.button.leave", "report.leave", {"r": response.id})])
    work.answer("report.what_to_correct", rows, single_use=True)


def correct_item(work: Work, args: dict[str, Any]) -> None:
    """Ask the question again whose answer is to be corrected."""
    response = _correctable(work, args)
    rows = [row for row in report.rows_of(work, response) if row.item == args["i"]]
    if not rows:
        raise refusals.DialogueEnded
    item = report.questionnaire_of(work, response).item(args["i"])
    report.ask(work, response, item, instead_of=rows[-1].version)


def leave(work: Work, args: dict[str, Any]) -> None:
    """Leave everything as it was recorded."""
    _correctable(work, args)
    forms.close(work)
    work.answer("report.left", [[Button("menu.button.open", "menu.open")]])


def _correctable(work: Work, args: dict[str, Any]) -> Response:
    response = work.session.get(Response, args["r"])
    if response is None or not report.is_correctable(work, response):
        work.chosen = False
        raise refusals.TooLateToCorrect
    return response


def settle(work: Work, response: Response) -> None:
    """Act on a correction once what it leads to was asked.

    What is more urgent now acts at once. What is less urgent lowers and closes nothing by itself: staff who know
    of it hear what was said before and what is said now.
    """
    before, decision = report.told(response), report.decide(work, response, report.answers(work, response))
    said_before = response.because
    response.submitted_at = response.submitted_at or work.now
    response.because = list(dict.fromkeys([*decision.because, *said_before]))
    work.unplan("corrected", kind=report.SILENCE, about_id=response.id)
    forms.close(work)
    subject = work.session.get_one(Subject, response.subject_id)
    source = report.source_of(response)
    another_danger = decision.urgency.is_red and bool(set(decision.because) - set(said_before))
    if decision.urgency.rank > before.rank or (another_danger and decision.urgency is before):
        case = report.tell_result(work, response, decision)
        escalate.step(work, case, "corrected")
        if decision.urgency.is_red:
            report.plan_list(work, response)
            return
    else:
        known = escalate.told_by(work, subject, source)
        if known is not None:
            escalate.step(work, known, "corrected")
            escalate.tell_anew(work, known, report.summary(work, response), source)
        elif decision.urgency is not Urgency.GREEN:
            report.tell_staff(work, response, decision.urgency, decision.because)
        work.answer("report.corrected", phone=screens.phone(work))
    show_recorded(work, response)
