"""The shipped trial: its files say what the registry text says, and every rule keeps its own examples."""

from datetime import time
from decimal import Decimal

import pytest

from bot.domain.conditions import Answer, Facts, holds
from bot.domain.questionnaires import ItemKind, accept, next_item, offered
from bot.domain.triage import Example, TriageRule, split_example, triage
from bot.domain.urgency import Urgency
from bot.domain.visits import VisitKind
from bot.protocol import bundled
from bot.protocol.check import check, text_keys
from bot.protocol.load import bundled_folder

PROTOCOL = bundled()
RULES = PROTOCOL.triage_rules
UNWELL = PROTOCOL.questionnaires["unwell"]
FIRED = [
    pytest.param(rule, example, id=f"{rule.id}-{n}") for rule in RULES for n, example in enumerate(rule.fires_for)
]
QUIET = [
    pytest.param(rule, example, id=f"{rule.id}-{n}") for rule in RULES for n, example in enumerate(rule.quiet_for)
]


@pytest.mark.parametrize(("rule", "example"), FIRED)
def test_each_triage_rule_fires_for_its_own_examples(rule: TriageRule, example: Example) -> None:
    answers, facts = split_example(example)
    decision = triage(answers, facts, RULES)
    assert rule.id in decision.because
    assert decision.urgency.rank >= rule.urgency.rank


@pytest.mark.parametrize(("rule", "example"), QUIET)
def test_each_triage_rule_stays_quiet_for_its_own_examples(rule: TriageRule, example: Example) -> None:
    answers, facts = split_example(example)
    assert not holds(rule.when, answers, facts)


def test_the_shipped_files_have_no_problem_when_every_text_is_there() -> None:
    keys = text_keys(PROTOCOL)
    assert check(bundled_folder(), {"en": keys, "zh": keys}) == []


def test_arms_follow_the_registry_text() -> None:
    arms = {arm.code: (arm.injections, arm.tablets) for arm in PROTOCOL.arms.values()}
    assert arms == {"CTRL": (False, False), "TG1": (True, False), "TG2": (True, True)}
    assert PROTOCOL.visits[VisitKind.INJECTION].arms == ("TG1", "TG2")
    assert PROTOCOL.visits[VisitKind.CBC].arms == ("CTRL", "TG1", "TG2")


def test_intervals_follow_the_registry_text() -> None:
    injection, cbc = PROTOCOL.visits[VisitKind.INJECTION], PROTOCOL.visits[VisitKind.CBC]
    assert (injection.shortest_days, injection.longest_days, injection.initial_days) == (21, 35, 21)
    assert (cbc.shortest_days, cbc.longest_days) == (7, 21)


def test_platelets_of_exactly_fifty_belong_to_the_higher_dose_band() -> None:
    low, high = PROTOCOL.dose_bands
    assert (low.plt_below, low.low_mg_per_kg, low.high_mg_per_kg) == (Decimal(50), Decimal(8), Decimal(10))
    assert (high.plt_from, high.low_mg_per_kg, high.high_mg_per_kg) == (Decimal(50), Decimal(20), Decimal(20))


def test_three_reminders_lead_to_a_visit() -> None:
    assert [(step.days_before, step.at) for step in PROTOCOL.reminders] == [
        (3, time(10)),
        (1, time(18)),
        (0, time(7, 30)),
    ]
    assert (PROTOCOL.quiet_hours.starts, PROTOCOL.quiet_hours.ends) == (time(21), time(8))


def test_both_reds_share_one_chain_that_never_ends_and_green_has_none() -> None:
    red = PROTOCOL.chain_for(Urgency.RED_COME)
    assert red is not None
    assert red is PROTOCOL.chain_for(Urgency.RED_120)
    assert [step.after_minutes for step in red.steps] == [0, 10, 20, 30]
    assert red.steps[-1].roles == ("everyone",)
    assert red.steps[-1].repeat_minutes == 5
    assert PROTOCOL.chain_for(Urgency.GREEN) is None


@pytest.mark.parametrize("option", [option.id for option in UNWELL.items[0].options])
def test_no_branch_asks_more_than_three_questions_and_each_ends_above_green(option: str) -> None:
    """Walk every path of single answers through each branch."""
    facts = Facts(arm="TG1", age_years=40, plt=100, anc=2)
    paths: list[dict[str, Answer]] = [{"trouble": option}]
    while paths:
        answers = paths.pop()
        item = next_item(UNWELL, answers)
        if item is None:
            assert len(answers) <= 4
            decision = triage(answers, facts, RULES)
            if answers.get("site_look") != "small_fading":
                assert decision.urgency is not Urgency.GREEN
            assert decision.because
            continue
        by_kind: dict[ItemKind, list[Answer]] = {
            ItemKind.CHOICE: [one.id for one in item.options],
            ItemKind.MULTI: [(one.id,) for one in item.options],
            ItemKind.YES_NO: [True, False],
            ItemKind.TEMPERATURE: [36.5, 37.4, 39.0],
            ItemKind.NUMBER: [1.0],
            ItemKind.TEXT: ["words"],
        }
        paths += [{**answers, item.id: accept(item, value)} for value in by_kind[item.kind]]


@pytest.mark.parametrize(
    ("arm", "hidden"),
    [
        pytest.param("CTRL", {"injection_site", "tablets"}, id="a control patient hears nothing of both drugs"),
        pytest.param("TG1", {"tablets"}, id="the first group hears nothing of tablets"),
        pytest.param("TG2", set(), id="the second group sees all"),
    ],
)
def test_the_first_question_offers_what_the_arm_has(arm: str, hidden: set[str]) -> None:
    first = UNWELL.items[0]
    assert {o.id for o in first.options} - {o.id for o in offered(first, arm)} == hidden


@pytest.mark.parametrize(
    ("place", "celsius", "urgency"),
    [
        pytest.param("axillary", 37.7, Urgency.RED_COME, id="armpit on the threshold"),
        pytest.param("axillary", 37.6, Urgency.AMBER, id="armpit below the threshold"),
        pytest.param("axillary", 37.2, Urgency.YELLOW, id="armpit without fever"),
        pytest.param("oral", 38.0, Urgency.RED_COME, id="mouth on the threshold"),
        pytest.param("oral", 37.9, Urgency.AMBER, id="mouth below the threshold"),
        pytest.param("ear", 38.0, Urgency.RED_COME, id="ear on the threshold"),
        pytest.param("forehead", 38.0, Urgency.RED_COME, id="forehead on the threshold"),
    ],
)
def test_fever_thresholds_depend_on_the_place(place: str, celsius: float, urgency: Urgency) -> None:
    answers: dict[str, Answer] = {
        "trouble": "fever",
        "fever_place": place,
        "temperature_c": celsius,
        "fever_signs": ("none",),
    }
    assert triage(answers, Facts(arm="CTRL", age_years=40, plt=100, anc=2), RULES).urgency is urgency


def test_a_low_grade_fever_is_red_while_the_neutrophils_are_unknown() -> None:
    answers: dict[str, Answer] = {
        "trouble": "fever",
        "fever_place": "axillary",
        "temperature_c": 37.3,
        "fever_signs": ("none",),
    }
    assert triage(answers, Facts(arm="CTRL", age_years=40), RULES).urgency is Urgency.RED_COME
