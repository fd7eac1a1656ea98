"""How does a dialogue of short questions go: asked one by one, answered by button or in words, then confirmed?

The state lies in the database, so a restart in the middle loses nothing. A button carries the number
of its dialogue and its field, so an old one can do no harm.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.parsing import Reading, Unreadable
from bot.domain.roles import Role
from bot.errors import FollowupError
from bot.store.models import Dialogue
from bot.usecases import refusals, screens
from bot.work import Button, Lines, Text, Work

CONFIRM = "confirm"
CHANGE = "change"
PICKED = "+"  # stands before the name under which a question with several answers keeps what is ticked
Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """An answer offered as a button."""

    label: str  # a text key, or the words themselves when ``plain``
    value: Any
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One question. ``parse`` reads typed words into a JSON value; ``choices`` are offered as buttons.

    ``many``: several choices are ticked and sent off with "done", and the answer is their list. Words typed beside
    them are kept under ``words``. ``changed`` is called at each tick, so that what was ticked is never lost.
    """

    name: str
    ask: str
    choices: Callable[[Work, Values], Sequence[Choice]] | None = None
    parse: Callable[[Work, Values, str], Reading[Any]] | None = None
    wanted: Callable[[Work, Values], bool] | None = None
    show: Callable[[Work, Any], object] | None = None
    columns: int = 1
    said_with: Callable[[Work, Values], dict[str, object]] | None = None
    many: bool = False
    words: str = ""
    changed: Callable[[Work, Values], None] | None = None
    usual: Any = None  # taken without asking; it can still be changed before it is confirmed


@dataclass(frozen=True, slots=True)
class Form:
    """Questions in order, and what is done with the answers. With a ``summary`` they are confirmed first.

    ``roles`` may fill it in: asked at every step, so that a role that ends in the middle ends here too.
    """

    kind: str
    fields: tuple[Field, ...]
    finish: Callable[[Work, Values], None]
    roles: frozenset[Role]
    summary: str | None = None
    names: str = ""  # prefix of the text keys that name the fields in the summary
    notes: Callable[[Work, Values], Sequence[Text]] | None = None  # what the summary says besides: what will follow

    def field(self, name: str) -> Field:
        for each in self.fields:
            if each.name == name:
                return each
        raise refusals.DialogueEnded(name)


def some_words(_work: Work, _values: Values, text: str) -> Reading[str]:
    """Read any words, without the blanks around them.

    Raises:
        Unreadable: nothing was said.
    """
    words = text.strip()
    if not words:
        raise Unreadable("input.text.empty", text)
    return Reading(words, False, text)


def own_words(_work: Work, _values: Values, text: str) -> Reading[str]:
    """Read a patient's own words, kept exactly as they were typed.

    Raises:
        Unreadable: nothing was said.
    """
    if not text.strip():
        raise Unreadable("input.text.empty", text)
    return Reading(text, False, text)


FORMS: dict[str, Form] = {}


def register(form: Form) -> Form:
    FORMS[form.kind] = form
    return form


def open_form(work: Work, form: Form, **known: Any) -> None:
    """Begin a dialogue; one that was open before ends with it."""
    _check_role(work, form)
    present = work.session.get(Dialogue, work.caller.account_id)
    values = dict(known)
    if present is None:
        present = Dialogue(
            account_id=work.caller.account_id, kind=form.kind, step="", state="{}", updated_at=work.now
        )
        work.session.add(present)
    else:
        present.number += 1
        present.kind = form.kind
    _keep(work, present, "", values)
    _go_on(work, form, present, values)


def hold(work: Work, kind: str, step: str, **known: Any) -> None:
    """Note that typed words now belong to ``step`` of something that is not a form: a symptom report."""
    present = work.session.get(Dialogue, work.caller.account_id)
    if present is None:
        present = Dialogue(account_id=work.caller.account_id, kind=kind, step=step, state="{}", updated_at=work.now)
        work.session.add(present)
    elif present.kind != kind:
        present.number += 1
        present.kind = kind
    _keep(work, present, step, known)


def current(work: Work) -> Dialogue | None:
    """Return the dialogue the caller is in the middle of."""
    dialogue = work.session.get(Dialogue, work.caller.account_id)
    return dialogue if dialogue is not None and dialogue.kind else None


def values_of(dialogue: Dialogue) -> Values:
    """Return what was answered so far."""
    values: Values = json.loads(dialogue.state)
    return values


def close(work: Work) -> bool:
    """End the caller's dialogue; tell whether there was one. Its number lives on, so old buttons stay dead."""
    dialogue = current(work)
    if dialogue is None:
        return False
    close_of(work, work.caller.account_id)
    return True


def close_of(work: Work, account_id: int) -> None:
    """End the dialogue of an account: of somebody whose role has changed, for one."""
    dialogue = work.session.get(Dialogue, account_id)
    if dialogue is not None:
        dialogue.kind, dialogue.step, dialogue.state = "", "", "{}"
        dialogue.updated_at = work.now


def _check_role(work: Work, form: Form) -> None:
    if work.caller.role not in form.roles:
        raise refusals.NotForYou


def cancel(work: Work, args: dict[str, Any] | None = None) -> None:
    """Stop the dialogue at the person's wish; a button of an earlier one stops nothing."""
    dialogue = current(work)
    if args and (dialogue is None or dialogue.number != args["n"]):
        raise refusals.DialogueEnded
    work.answer("form.cancelled" if close(work) else "form.nothing_to_cancel")


def take_text(work: Work, dialogue: Dialogue, text: str) -> None:
    """Take typed words as the answer to the open question."""
    form, values = FORMS[dialogue.kind], json.loads(dialogue.state)
    _check_role(work, form)
    if dialogue.step in (CONFIRM, CHANGE) or "?" in values:
        work.answer("form.please_tap")
        _ask_again(work, form, dialogue, values)
        return
    asked = form.field(dialogue.step)
    if asked.parse is None:
        work.answer("form.please_tap")
        _ask_again(work, form, dialogue, values)
        return
    try:
        reading = asked.parse(work, values, text)
    except FollowupError as problem:
        key, said = refusals.text_of(problem)
        work.answer(key, (), **{"phone": screens.phone(work), **said})
        _ask_again(work, form, dialogue, values)
        return
    if asked.many:
        values[asked.words] = "\n".join([*filter(None, [values.get(asked.words)]), reading.value])
        _keep(work, dialogue, asked.name, values)
        _changed(work, asked, values)
        _ask_again(work, form, dialogue, values)
        return
    if reading.confirm:
        values["?"] = reading.value
        _keep(work, dialogue, asked.name, values)
        _ask_whether(work, form, dialogue, values)
        return
    _accept(work, form, dialogue, values, asked, reading.value)


def take_tap(work: Work, args: dict[str, Any]) -> None:
    """Take a button as the answer to the open question.

    Raises:
        refusals.DialogueEnded: the button belongs to a question that is no longer open.
    """
    dialogue = current(work)
    if dialogue is None or dialogue.number != args["n"]:
        raise refusals.DialogueEnded("ended")
    form, values = FORMS[dialogue.kind], json.loads(dialogue.state)
    _check_role(work, form)
    if args["f"] != dialogue.step:
        work.chosen = False
        work.note("form.toast.moved_on")
        _ask_again(work, form, dialogue, values)
        return
    value = args["v"]
    if dialogue.step == CONFIRM:
        if value == "save":
            close(work)
            form.finish(work, {name: each for name, each in values.items() if not name.startswith("!")})
        else:
            _keep(work, dialogue, CHANGE, values)
            _ask_what_to_change(work, form, dialogue, values)
        return
    if dialogue.step == CHANGE:
        values["!changing"] = value
        _keep(work, dialogue, value, values)
        _ask(work, form, dialogue, values, form.field(value))
        return
    asked = form.field(dialogue.step)
    if "?" in values:
        doubtful = values.pop("?")
        if value == "yes":
            _accept(work, form, dialogue, values, asked, doubtful)
        else:
            _keep(work, dialogue, asked.name, values)
            _ask(work, form, dialogue, values, asked)
        return
    _accept(work, form, dialogue, values, asked, value)


def pick(work: Work, args: dict[str, Any]) -> None:
    """Tick one of several choices or take the tick away, in the message that is there.

    Raises:
        refusals.DialogueEnded: the button belongs to a question that is no longer open.
    """
    if (found := _picking(work, args)) is None:
        return
    form, dialogue, values = found
    asked, ticked = form.field(args["f"]), picked(values, args["f"])
    values[f"{PICKED}{asked.name}"] = (
        [each for each in ticked if each != args["v"]] if args["v"] in ticked else [*ticked, args["v"]]
    )
    _keep(work, dialogue, asked.name, values)
    _changed(work, asked, values)
    assert work.press is not None
    rows = _many_rows(work, dialogue, values, asked)
    work.edit(work.press.message, work.press.message.text, work.press.message_id, rows)


def picked_all(work: Work, args: dict[str, Any]) -> None:
    """Take what is ticked as the answer.

    Raises:
        refusals.DialogueEnded: the button belongs to a question that is no longer open.
    """
    if (found := _picking(work, args)) is None:
        return
    form, dialogue, values = found
    asked, ticked = form.field(args["f"]), picked(values, args["f"])
    chosen = [choice for choice in (asked.choices(work, values) if asked.choices else ()) if choice.value in ticked]
    assert work.press is not None
    said = [choice.label if choice.plain else work.text(choice.label) for choice in chosen] or [work.press.label]
    message = work.press.message
    message.pressed_at = work.now
    text = work.text("press.chosen", message.locale, text=message.text, choice=", ".join(said))
    work.edit(message, text, work.press.message_id)
    values.pop(f"{PICKED}{asked.name}", None)
    _accept(work, form, dialogue, values, asked, [choice.value for choice in chosen])


def picked(values: Values, name: str) -> list[Any]:
    """Return what is ticked so far in a question with several answers."""
    return list(values.get(f"{PICKED}{name}", []))


def _picking(work: Work, args: dict[str, Any]) -> tuple[Form, Dialogue, Values] | None:
    """Return the open question that a tick belongs to, or None when it was answered just now."""
    assert work.press is not None
    dialogue = current(work)
    if work.press.message.pressed_at is not None:
        work.note("toast.already_recorded")
        return None
    if dialogue is None or dialogue.number != args["n"]:
        raise refusals.DialogueEnded("ended")
    form = FORMS[dialogue.kind]
    _check_role(work, form)
    if dialogue.step != args["f"]:
        work.note("form.toast.moved_on")
        return None
    return form, dialogue, json.loads(dialogue.state)


def _changed(work: Work, asked: Field, values: Values) -> None:
    if asked.changed is not None:
        asked.changed(work, values)


def _many_rows(work: Work, dialogue: Dialogue, values: Values, asked: Field) -> list[list[Button]]:
    ticked = picked(values, asked.name)
    rows = []
    for choice in asked.choices(work, values) if asked.choices else ():
        label = choice.label if choice.plain else Text(choice.label)
        key = "form.button.ticked" if choice.value in ticked else "form.button.unticked"
        args = {"n": dialogue.number, "f": asked.name, "v": choice.value}
        rows.append([Button(key, "form.pick", args, values={"label": label})])
    rows.append([Button("form.button.done", "form.picked", {"n": dialogue.number, "f": asked.name})])
    return rows


def _accept(work: Work, form: Form, dialogue: Dialogue, values: Values, asked: Field, value: Any) -> None:
    values[asked.name] = value
    if values.pop("!changing", None) is not None:
        # A changed answer may make later ones pointless or leave some open.
        for each in form.fields:
            if each.wanted is not None and not each.wanted(work, values):
                values.pop(each.name, None)
    _go_on(work, form, dialogue, values)


def _go_on(work: Work, form: Form, dialogue: Dialogue, values: Values) -> None:
    for each in form.fields:
        if each.name not in values and (each.wanted is None or each.wanted(work, values)):
            if each.usual is not None:
                values[each.name] = each.usual
                continue
            _keep(work, dialogue, each.name, values)
            _ask(work, form, dialogue, values, each)
            return
    if form.summary is None:
        close(work)
        form.finish(work, values)
        return
    _keep(work, dialogue, CONFIRM, values)
    _ask_to_confirm(work, form, dialogue, values)


def _keep(work: Work, dialogue: Dialogue, step: str, values: Values) -> None:
    dialogue.step = step
    dialogue.state = json.dumps(values, ensure_ascii=False)
    dialogue.updated_at = work.now
    work.session.flush()


def _ask_again(work: Work, form: Form, dialogue: Dialogue, values: Values) -> None:
    if dialogue.step == CONFIRM:
        _ask_to_confirm(work, form, dialogue, values)
    elif dialogue.step == CHANGE:
        _ask_what_to_change(work, form, dialogue, values)
    elif "?" in values:
        _ask_whether(work, form, dialogue, values)
    else:
        _ask(work, form, dialogue, values, form.field(dialogue.step))


def ask_again(work: Work, dialogue: Dialogue) -> None:
    """Show the open question once more."""
    _ask_again(work, FORMS[dialogue.kind], dialogue, json.loads(dialogue.state))


def _ask(work: Work, form: Form, dialogue: Dialogue, values: Values, asked: Field) -> None:
    more = asked.said_with(work, values) if asked.said_with else {}
    if asked.many:
        # Not for one press only: each press ticks one more, in place.
        work.answer(asked.ask, _many_rows(work, dialogue, values, asked), **more)
        return
    buttons = [
        _button(dialogue, asked.name, choice.label, choice.value, plain=choice.plain)
        for choice in (asked.choices(work, values) if asked.choices else ())
    ]
    rows = [buttons[at : at + asked.columns] for at in range(0, len(buttons), asked.columns)]
    rows.append([Button("form.button.cancel", "form.cancel", {"n": dialogue.number})])
    work.answer(asked.ask, rows, single_use=True, **more)


def _ask_whether(work: Work, form: Form, dialogue: Dialogue, values: Values) -> None:
    asked = form.field(dialogue.step)
    rows = [
        [_button(dialogue, asked.name, "form.button.yes", "yes")],
        [_button(dialogue, asked.name, "form.button.no", "no")],
    ]
    work.answer("form.is_it", rows, single_use=True, value=_shown(work, asked, values["?"]))


def _ask_to_confirm(work: Work, form: Form, dialogue: Dialogue, values: Values) -> None:
    assert form.summary is not None
    rows = [
        [_button(dialogue, CONFIRM, "form.button.save", "save")],
        [_button(dialogue, CONFIRM, "form.button.change", "change")],
        [Button("form.button.cancel", "form.cancel", {"n": dialogue.number})],
    ]
    lines = [
        Text(
            "form.line",
            {"name": Text(f"{form.names}.{each.name}"), "value": _shown(work, each, values[each.name])},
        )
        for each in form.fields
        if each.name in values
    ]
    notes = form.notes(work, values) if form.notes else ()
    work.answer(form.summary, rows, single_use=True, lines=Lines([*lines, *notes]))


def _ask_what_to_change(work: Work, form: Form, dialogue: Dialogue, values: Values) -> None:
    rows = [
        [_button(dialogue, CHANGE, f"{form.names}.{each.name}", each.name)]
        for each in form.fields
        if each.name in values
    ]
    work.answer("form.what_to_change", rows, single_use=True)


def _button(dialogue: Dialogue, step: str, label: str, value: Any, *, plain: bool = False) -> Button:
    return Button(label, "form", {"n": dialogue.number, "f": step, "v": value}, plain=plain)


def _shown(work: Work, asked: Field, value: Any) -> object:
    if value is None:
        return Text("form.none")
    return asked.show(work, value) if asked.show else str(value)
