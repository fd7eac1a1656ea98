"""Triage: the highest rule wins, silence is not "no symptom", and the unknown is read as the worst."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.conditions import Answer, Condition, Facts, FaultyCondition, holds
from bot.domain.questionnaires import Item, ItemKind, Option, Questionnaire, UnansweredItem
from bot.domain.triage import RECORDED, Certainty, TriageRule, triage, triage_complete
from bot.domain.urgency import Urgency, highest


def rule(rule_id: str, urgency: Urgency, **comparison: object) -> TriageRule:
    return TriageRule(
        id=rule_id,
        when=Condition(**comparison),  # type: ignore[arg-type]
        urgency=urgency,
        tell_subject=f"tell.{rule_id}",
        source="test",
        certainty=Certainty.SITE_DEFAULT,
        fires_for=(),
        quiet_for=(),
    )


RULES = (
    rule("yellow", Urgency.YELLOW, item="trouble", equals="fever"),
    rule("first-red", Urgency.RED_COME, item="temperature_c", at_least=38.0),
    rule("second-red", Urgency.RED_COME, item="signs", includes=("chills",)),
    rule("call", Urgency.RED_120, item="signs", includes=("confused",)),
)
QUESTIONS = Questionnaire(
    "q",
    "1",
    (
        Item("trouble", ItemKind.CHOICE, "t", (Option("fever", "f"), Option("other", "o"))),
        Item("temperature_c", ItemKind.TEMPERATURE, "t", ask_if=Condition(item="trouble", equals="fever")),
        Item("signs", ItemKind.MULTI, "t", (Option("chills", "c"), Option("none", "n", exclusive=True))),
    ),
)


def test_urgencies_rank_by_danger_and_not_by_letter() -> None:
    assert [level.rank for level in Urgency] == [0, 1, 2, 3, 4]
    assert highest([Urgency.YELLOW, Urgency.RED_120, Urgency.AMBER]) is Urgency.RED_120
    assert highest([]) is Urgency.GREEN
    assert [level for level in Urgency if level.is_red] == [Urgency.RED_COME, Urgency.RED_120]


def test_the_highest_urgency_wins_and_names_every_rule_that_fired() -> None:
    decision = triage({"trouble": "fever", "temperature_c": 39.0, "signs": ("confused",)}, Facts(), RULES)
    assert decision.urgency is Urgency.RED_120
    assert decision.because == ("call", "first-red", "yellow")
    assert decision.tell == "tell.call"


def test_among_equals_the_first_rule_in_the_files_names_the_text() -> None:
    decision = triage({"temperature_c": 39.0, "signs": ("chills",)}, Facts(), RULES)
    assert decision.tell == "tell.first-red"


def test_nothing_fired_is_a_record_and_no_reassurance() -> None:
    decision = triage({}, Facts(), RULES)
    assert (decision.urgency, decision.because, decision.tell) == (Urgency.GREEN, (), RECORDED)


def test_a_fever_is_red_before_the_other_questions_are_answered() -> None:
    assert triage({"temperature_c": 38.0}, Facts(), RULES).urgency is Urgency.RED_COME


def test_closing_a_response_with_an_unanswered_item_is_refused() -> None:
    with pytest.raises(UnansweredItem) as refused:
        triage_complete(QUESTIONS, {"trouble": "fever", "signs": ("none",)}, Facts(), RULES)
    assert refused.value.item == "temperature_c"


def test_an_item_that_is_not_to_be_asked_need_not_be_answered() -> None:
    decision = triage_complete(QUESTIONS, {"trouble": "other", "signs": ("none",)}, Facts(), RULES)
    assert decision.urgency is Urgency.GREEN


@pytest.mark.parametrize(
    ("facts", "fires"),
    [
        pytest.param(Facts(plt=19.9), True, id="just below"),
        pytest.param(Facts(plt=20), False, id="exactly on the limit is not below it"),
        pytest.param(Facts(plt=None), True, id="unknown is read as the worst"),
        pytest.param(Facts(plt=0), True, id="zero is a value, not a gap"),
    ],
)
def test_platelets_below_twenty(facts: Facts, fires: bool) -> None:
    assert holds(Condition(fact="plt", below=20), {}, facts) is fires


@pytest.mark.parametrize(
    ("comparison", "answer", "fires"),
    [
        pytest.param({"at_least": 38.0}, 38.0, True, id="at least counts the limit"),
        pytest.param({"at_least": 38.0}, 37.99, False, id="just under"),
        pytest.param({"at_least": 1.0}, True, False, id="yes is not the number one"),
        pytest.param({"equals": True}, 1.0, False, id="one is not yes"),
        pytest.param({"equals": False}, False, True, id="no is an answer"),
        pytest.param({"one_of": ("a", "b")}, "b", True, id="one of"),
        pytest.param({"includes": ("a", "b")}, ("b", "c"), True, id="includes any of them"),
        pytest.param({"includes": ("a",)}, "a", False, id="a single choice includes nothing"),
        pytest.param({"at_least": 38.0}, "39", False, id="a word is no number"),
    ],
)
def test_comparisons(comparison: dict[str, object], answer: Answer, fires: bool) -> None:
    assert holds(Condition(item="i", **comparison), {"i": answer}) is fires  # type: ignore[arg-type]


def test_groups_can_be_nested() -> None:
    condition = Condition(
        all=(
            Condition(item="a", equals="x"),
            Condition(any=(Condition(item="b", equals=True), Condition(fact="arm", equals="TG2"))),
        )
    )
    assert holds(condition, {"a": "x", "b": False}, Facts(arm="TG2"))
    assert not holds(condition, {"a": "x", "b": False}, Facts(arm="TG1"))


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"item": "a"}, id="no operator"),
        pytest.param({"item": "a", "fact": "plt", "below": 1.0}, id="two subjects"),
        pytest.param({"item": "a", "below": 1.0, "at_least": 0.0}, id="two operators"),
        pytest.param({"all": ()}, id="empty group"),
        pytest.param({"all": (Condition(item="a", below=1.0),), "below": 2.0}, id="group with operator"),
    ],
)
def test_a_condition_that_could_be_read_in_two_ways_is_refused(parts: dict[str, object]) -> None:
    with pytest.raises(FaultyCondition):
        Condition(**parts)  # type: ignore[arg-type]


@given(
    st.dictionaries(
        st.sampled_from(["trouble", "temperature_c", "signs"]),
        st.one_of(st.floats(30, 45), st.sampled_from(["fever", "other"]), st.just(("chills",))),
    ),
    st.sampled_from([("chills",), ("confused",), ("none",)]),
)
def test_one_more_answer_never_lowers_the_urgency(answers: dict[str, Answer], signs: tuple[str, ...]) -> None:
    fewer = {key: value for key, value in answers.items() if key != "signs"}
    before = triage(fewer, Facts(), RULES).urgency.rank
    assert triage({**fewer, "signs": signs}, Facts(), RULES).urgency.rank >= before
