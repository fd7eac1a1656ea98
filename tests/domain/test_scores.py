"""Which scores of a check-in are high, or much higher than the last time."""

import pytest

from bot.domain.scores import FaultyScoreRule, ScoreExample, ScoreRule, fires, with_scores
from bot.domain.triage import RECORDED, Certainty, TriageDecision
from bot.domain.urgency import Urgency
from bot.protocol import bundled

RULES = bundled().score_rules
HIGH, RISE = "P01-score-high", "P02-score-rise"
GREEN = TriageDecision(Urgency.GREEN, (), RECORDED)

SCORES = [
    pytest.param({"pain": 2}, {}, (), id="moderate, nothing before"),
    pytest.param({"pain": 3}, {}, (HIGH,), id="exactly on the limit"),
    pytest.param({"pain": 4}, {"pain": 4}, (HIGH,), id="as bad as before is still bad"),
    pytest.param({"pain": 2}, {"pain": 0}, (RISE,), id="0 to 2"),
    pytest.param({"pain": 2}, {"pain": 1}, (), id="1 to 2"),
    pytest.param({"pain": 1}, {"pain": 0}, (), id="0 to 1"),
    pytest.param({"pain": 4}, {"pain": 2}, (HIGH, RISE), id="2 to 4"),
    pytest.param({"pain": 0}, {"pain": 4}, (), id="better"),
    pytest.param({"pain": 2}, {"mood": 0}, (), id="another item before is none of this one"),
    pytest.param({"pain": 1, "mood": 2}, {"pain": 1, "mood": 0}, (RISE,), id="one of several"),
    pytest.param({}, {"pain": 0}, (), id="nothing answered"),
]


@pytest.mark.parametrize(("scores", "before", "because"), SCORES)
def test_a_high_score_or_a_rise_of_two_points_is_amber(
    scores: dict[str, int], before: dict[str, int], because: tuple[str, ...]
) -> None:
    decision = with_scores(GREEN, scores, before, RULES)
    assert decision.because == because
    assert decision.urgency is (Urgency.AMBER if because else Urgency.GREEN)
    assert decision.tell == ("triage.amber.contact" if because else RECORDED)


def test_what_a_rule_of_triage_says_more_urgently_stands() -> None:
    red = TriageDecision(Urgency.RED_120, ("T40-mood",), "triage.red_120.self_harm")
    decision = with_scores(red, {"mood": 4}, {}, RULES)
    assert decision == TriageDecision(Urgency.RED_120, ("T40-mood", HIGH), "triage.red_120.self_harm")


def test_what_a_rule_of_triage_says_less_urgently_is_kept_as_a_reason() -> None:
    yellow = TriageDecision(Urgency.YELLOW, ("T44-checkin-mild",), "triage.yellow.next_working_day")
    assert with_scores(yellow, {"pain": 3}, {}, RULES).because == (HIGH, "T44-checkin-mild")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_of_scores_keeps_its_own_examples(rule: ScoreRule) -> None:
    assert all(fires(rule, one.score, one.before) for one in rule.fires_for)
    assert not any(fires(rule, one.score, one.before) for one in rule.quiet_for)


@pytest.mark.parametrize("limits", [{}, {"score_at_least": 3, "rise_at_least": 2}], ids=["none", "both"])
def test_a_rule_of_scores_says_exactly_one_thing(limits: dict[str, int]) -> None:
    example = (ScoreExample(3),)
    with pytest.raises(FaultyScoreRule):
        ScoreRule("x", Urgency.AMBER, "t", "s", Certainty.GENERAL, example, example, **limits)
