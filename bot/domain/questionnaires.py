"""Which item of a questionnaire comes next, and is this value an answer to it?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from bot.domain.conditions import Answer, Answers, Condition, holds
from bot.domain.urgency import Urgency
from bot.errors import FollowupError


class ItemKind(StrEnum):
    """How an item is answered."""

    CHOICE = "choice"
    MULTI = "multi"
    YES_NO = "yes_no"
    TEMPERATURE = "temperature"
    NUMBER = "number"
    SCORE = "score"
    DATE = "date"
    TEXT = "text"


class Attribute(StrEnum):
    """What a score is about: how often, how bad, or how much it gets in the way."""

    FREQUENCY = "frequency"
    SEVERITY = "severity"
    INTERFERENCE = "interference"


# A score is one of these, the first meaning "not at all".
SCORES = range(5)


class NotAnAnswer(FollowupError):
    """This value does not answer the item; ``reason`` is the text key that tells the subject why."""

    def __init__(self, item: str, reason: str) -> None:
        """Keep the item and the reason."""
        super().__init__(f"{item}: {reason}")
        self.item = item
        self.reason = reason


class UnansweredItem(FollowupError):
    """An item that should have been asked has no answer, and silence is not "no symptom"."""

    def __init__(self, item: str) -> None:
        """Keep the id of the first item without an answer."""
        super().__init__(item)
        self.item = item


@dataclass(frozen=True, slots=True)
class Option:
    """One button of a choice. ``arms`` empty: offered in every arm. ``exclusive``: stands alone ("none")."""

    id: str
    text: str
    arms: tuple[str, ...] = ()
    exclusive: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Numbers that can be true, and those to ask again about; both ends of ``accept`` included.

    A value below ``confirm_below`` or from ``confirm_from`` upwards is asked again (triage does not wait).
    """

    accept_from: float
    accept_to: float
    confirm_below: float | None = None
    confirm_from: float | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One question, one message. ``text`` and ``help`` are text keys; temperatures are in degrees Celsius.

    ``silence`` is how urgent it is when this question stays without an answer: silence is never "well".
    ``attribute``: what a score is about. ``follows``: the first score of the same symptom; where that is 0, this
    one is not asked and counts as 0. ``after``: asked when the report was handed in and answered; nothing waits for
    it. The limits of a date are days ago.
    """

    id: str
    kind: ItemKind
    text: str
    options: tuple[Option, ...] = ()
    ask_if: Condition | None = None
    help: str | None = None
    limits: Limits | None = None
    silence: Urgency = Urgency.AMBER
    attribute: Attribute | None = None
    follows: str | None = None
    after: bool = False


@dataclass(frozen=True, slots=True)
class Questionnaire:
    """Items in the order in which they are asked.

    ``watched``: whoever stops in the middle may be unable to go on. One that is not is simply unanswered, until a
    danger was named in it. ``hands_over``: the dangers of this multiple item are each followed up by the option of
    the same id of another questionnaire's first item.
    """

    id: str
    version: str
    items: tuple[Item, ...]
    watched: bool = True
    hands_over: str | None = None

    def item(self, item_id: str) -> Item:
        """Return the item of this id.

        Raises:
            KeyError: the questionnaire has no such item.
        """
        for item in self.items:
            if item.id == item_id:
                return item
        raise KeyError(item_id)


def next_item(questionnaire: Questionnaire, answers: Answers) -> Item | None:
    """Return the first item that is to be asked and has no answer; ``None`` when all have one."""
    for item in questionnaire.items:
        if not item.after and item.id not in answers and is_asked(item, answers):
            return item
    return None


def next_detail(questionnaire: Questionnaire, answers: Answers, past: str | None = None) -> Item | None:
    """Return the first open item of those that come after the report, behind the item ``past``."""
    behind = past is None
    for item in questionnaire.items:
        if behind and item.after and item.id not in answers and is_asked(item, answers):
            return item
        behind = behind or item.id == past
    return None


def standing(questionnaire: Questionnaire, answers: Answers) -> dict[str, Answer]:
    """Return the answers that still count: an earlier one that was corrected may lead elsewhere now."""
    kept: dict[str, Answer] = {}
    for item in questionnaire.items:
        if item.id in answers and is_asked(item, kept):
            kept[item.id] = answers[item.id]
        elif item.id in answers and item.follows is not None and kept.get(item.follows) == 0:
            kept[item.id] = 0.0
    return kept


def is_asked(item: Item, answers: Answers) -> bool:
    """Return whether these answers lead to an item, answered or not."""
    if item.follows is not None and answers.get(item.follows) in (None, 0):
        return False
    return item.ask_if is None or holds(item.ask_if, answers)


def implied(questionnaire: Questionnaire, answers: Answers) -> tuple[str, ...]:
    """Return the items that need not be asked, for the first score of their symptom is 0: they are 0 as well."""
    return tuple(
        item.id
        for item in questionnaire.items
        if item.follows is not None and item.id not in answers and answers.get(item.follows) == 0
    )


def scores(questionnaire: Questionnaire, answers: Answers) -> dict[str, int]:
    """Return the answers that are scores, by item."""
    given = {item.id: answers[item.id] for item in questionnaire.items if item.attribute and item.id in answers}
    return {name: int(value) for name, value in given.items() if isinstance(value, (int, float))}


def is_complete(questionnaire: Questionnaire, answers: Answers) -> bool:
    """Return whether every item that is to be asked has an answer."""
    return next_item(questionnaire, answers) is None


def offered(item: Item, arm: str | None) -> tuple[Option, ...]:
    """Return the options a subject of ``arm`` sees: a control patient hears nothing of injections."""
    return tuple(option for option in item.options if not option.arms or arm in option.arms)


def accept(item: Item, value: object) -> Answer:
    """Return ``value`` as a plain answer to ``item``.

    Choice: an option id. Multi: option ids in any order, at least one, put in the order of the item.
    Temperature (degrees Celsius) and number: a finite number within the limits. Score: 0, 1, 2, 3 or 4. Text: not
    blank. Date: an option, or a day as ISO 8601 writes it.

    Raises:
        NotAnAnswer: it is something else; ``reason`` is a text key.
    """
    match item.kind:
        case ItemKind.CHOICE:
            if isinstance(value, str) and any(option.id == value for option in item.options):
                return value
            raise NotAnAnswer(item.id, "input.choice.not_offered")
        case ItemKind.MULTI:
            return _accept_multi(item, value)
        case ItemKind.YES_NO:
            if isinstance(value, bool):
                return value
            raise NotAnAnswer(item.id, "input.choice.not_offered")
        case ItemKind.TEMPERATURE | ItemKind.NUMBER:
            return _accept_number(item, value)
        case ItemKind.SCORE:
            if isinstance(value, (int, float)) and not isinstance(value, bool) and value in SCORES:
                return float(value)
            raise NotAnAnswer(item.id, "input.choice.not_offered")
        case ItemKind.DATE:
            if isinstance(value, str) and (any(option.id == value for option in item.options) or _is_day(value)):
                return value
            raise NotAnAnswer(item.id, "input.date.unreadable")
        case ItemKind.TEXT:
            if isinstance(value, str) and value.strip():
                return value
            raise NotAnAnswer(item.id, "input.text.empty")


def _is_day(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def needs_confirmation(item: Item, value: Answer) -> bool:
    """Return whether a number is unusual enough to ask "is that right?"; triage never waits for the reply."""
    limits = item.limits
    if limits is None or isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    too_low = limits.confirm_below is not None and value < limits.confirm_below
    return too_low or (limits.confirm_from is not None and value >= limits.confirm_from)


def _accept_multi(item: Item, value: object) -> tuple[str, ...]:
    if not isinstance(value, (tuple, list, set, frozenset)) or not value:
        raise NotAnAnswer(item.id, "input.choice.nothing_chosen")
    known = {option.id: option for option in item.options}
    if not all(isinstance(one, str) and one in known for one in value):
        raise NotAnAnswer(item.id, "input.choice.not_offered")
    if len(set(value)) > 1 and any(known[one].exclusive for one in value):
        raise NotAnAnswer(item.id, "input.choice.none_and_some")
    return tuple(option_id for option_id in known if option_id in value)


def _accept_number(item: Item, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise NotAnAnswer(item.id, "input.number.unreadable")
    if item.limits is not None and not item.limits.accept_from <= value <= item.limits.accept_to:
        raise NotAnAnswer(item.id, "input.number.out_of_range")
    return float(value)
