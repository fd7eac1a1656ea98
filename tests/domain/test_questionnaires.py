"""Questionnaires: which item is next, and what counts as an answer."""

import math

import pytest

from bot.domain.conditions import Answer, Condition
from bot.domain.questionnaires import (
    Attribute,
    Item,
    ItemKind,
    Limits,
    NotAnAnswer,
    Option,
    Questionnaire,
    accept,
    implied,
    is_complete,
    needs_confirmation,
    next_item,
    offered,
    standing,
)

TROUBLE = Item("trouble", ItemKind.CHOICE, "t", (Option("fever", "f"), Option("site", "s", arms=("TG1",))))
CELSIUS = Item(
    "temperature_c",
    ItemKind.TEMPERATURE,
    "t",
    ask_if=Condition(item="trouble", equals="fever"),
    limits=Limits(34.0, 42.5, 35.5, 38.0),
)
SIGNS = Item(
    "signs",
    ItemKind.MULTI,
    "t",
    (Option("chills", "c"), Option("faint", "f"), Option("none", "n", exclusive=True)),
)
ALONE = Item("alone", ItemKind.YES_NO, "t")
WORDS = Item("words", ItemKind.TEXT, "t")
QUESTIONS = Questionnaire("q", "1", (TROUBLE, CELSIUS, SIGNS))


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param({}, "trouble", id="first"),
        pytest.param({"trouble": "fever"}, "temperature_c", id="the branch opens"),
        pytest.param({"trouble": "site"}, "signs", id="the branch stays closed"),
        pytest.param({"temperature_c": 38.0}, "trouble", id="order of the items, not of the answers"),
        pytest.param({"trouble": "site", "signs": ("none",)}, None, id="all asked"),
    ],
)
def test_next_item(answers: dict[str, Answer], expected: str | None) -> None:
    item = next_item(QUESTIONS, answers)
    assert (item.id if item else None) == expected
    assert is_complete(QUESTIONS, answers) is (expected is None)


@pytest.mark.parametrize(
    ("item", "value", "answer"),
    [
        pytest.param(TROUBLE, "fever", "fever", id="choice"),
        pytest.param(SIGNS, ["faint", "chills"], ("chills", "faint"), id="multi is put in the item's order"),
        pytest.param(SIGNS, {"none"}, ("none",), id="none alone"),
        pytest.param(ALONE, False, False, id="no is an answer"),
        pytest.param(CELSIUS, 38, 38.0, id="whole degrees"),
        pytest.param(CELSIUS, 34.0, 34.0, id="lower end included"),
        pytest.param(CELSIUS, 42.5, 42.5, id="upper end included"),
        pytest.param(WORDS, " 头晕 ", " 头晕 ", id="words stay as written"),
    ],
)
def test_an_answer_is_accepted(item: Item, value: object, answer: Answer) -> None:
    assert accept(item, value) == answer


@pytest.mark.parametrize(
    ("item", "value", "reason"),
    [
        pytest.param(TROUBLE, "cough", "input.choice.not_offered", id="unknown option"),
        pytest.param(TROUBLE, None, "input.choice.not_offered", id="nothing"),
        pytest.param(SIGNS, (), "input.choice.nothing_chosen", id="silence is not none"),
        pytest.param(SIGNS, "chills", "input.choice.nothing_chosen", id="a bare word is no selection"),
        pytest.param(SIGNS, ("none", "chills"), "input.choice.none_and_some", id="none and some"),
        pytest.param(SIGNS, ("cough",), "input.choice.not_offered", id="unknown sign"),
        pytest.param(SIGNS, ([],), "input.choice.not_offered", id="not even a word"),
        pytest.param(ALONE, 1, "input.choice.not_offered", id="one is not yes"),
        pytest.param(CELSIUS, 42.6, "input.number.out_of_range", id="above the limits"),
        pytest.param(CELSIUS, math.nan, "input.number.unreadable", id="not a number"),
        pytest.param(CELSIUS, True, "input.number.unreadable", id="yes is no temperature"),
        pytest.param(CELSIUS, "38", "input.number.unreadable", id="text must be parsed first"),
        pytest.param(WORDS, "  ", "input.text.empty", id="blank"),
    ],
)
def test_anything_else_is_refused_with_a_reason(item: Item, value: object, reason: str) -> None:
    with pytest.raises(NotAnAnswer) as refused:
        accept(item, value)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("celsius", "asks"), [(35.4, True), (35.5, False), (37.9, False), (38.0, True), (36.6, False)]
)
def test_unusual_numbers_are_asked_again(celsius: float, asks: bool) -> None:
    assert needs_confirmation(CELSIUS, celsius) is asks


def test_an_option_of_another_arm_is_not_offered() -> None:
    assert [option.id for option in offered(TROUBLE, "CTRL")] == ["fever"]
    assert [option.id for option in offered(TROUBLE, "TG1")] == ["fever", "site"]
    assert [option.id for option in offered(TROUBLE, None)] == ["fever"]


def test_an_unknown_item_has_no_place_in_a_questionnaire() -> None:
    assert QUESTIONS.item("signs") is SIGNS
    with pytest.raises(KeyError):
        QUESTIONS.item("nowhere")


def _score(name: str, follows: str | None = None) -> Item:
    options = tuple(Option(str(score), "text") for score in range(5))
    return Item(name, ItemKind.SCORE, "text", options, attribute=Attribute.SEVERITY, follows=follows)


PAIN = Questionnaire("weekly", "1", (_score("often"), _score("bad", "often"), _score("in_the_way", "often")))
FOLLOWING = [
    pytest.param({}, "often", (), id="the first score is asked first"),
    pytest.param({"often": 0.0}, None, ("bad", "in_the_way"), id="0 answers the others as well"),
    pytest.param({"often": 1.0}, "bad", (), id="1 does not"),
    pytest.param({"often": 1.0, "bad": 0.0}, "in_the_way", (), id="a following 0 answers nothing else"),
]


@pytest.mark.parametrize(("answers", "upcoming", "zeros"), FOLLOWING)
def test_the_other_scores_of_a_symptom_are_asked_only_when_the_first_is_not_0(
    answers: dict[str, Answer], upcoming: str | None, zeros: tuple[str, ...]
) -> None:
    item = next_item(PAIN, answers)
    assert (item.id if item else None) == upcoming
    assert implied(PAIN, answers) == zeros


@pytest.mark.parametrize("value", [5, -1, 1.5, True, "2", None])
def test_a_score_lies_between_0_and_4(value: object) -> None:
    with pytest.raises(NotAnAnswer):
        accept(PAIN.items[0], value)


def test_an_answer_that_is_not_led_to_any_more_counts_no_more() -> None:
    assert standing(PAIN, {"often": 0.0, "bad": 3.0, "in_the_way": 2.0}) == {"often": 0, "bad": 0, "in_the_way": 0}
