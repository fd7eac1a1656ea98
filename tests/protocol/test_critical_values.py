"""The site's own critical values: what they replace, and what is wrong with a file."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from bot.app import checked_protocol
from bot.domain.conditions import Condition, Facts
from bot.domain.judging import Circumstances, judge
from bot.domain.measures import Value
from bot.domain.urgency import Urgency
from bot.protocol import bundled
from bot.protocol.check import problems_of, text_keys
from bot.protocol.critical import with_critical_values
from bot.protocol.load import ProtocolFaulty
from bot.protocol.model import MeasuresFile, Protocol
from bot.texts import bundled_texts
from tests.conftest import make_settings

TRIAL = bundled()
KEYS = {"en": text_keys(TRIAL)}
KNOWN = Circumstances(Facts(arm="TG1", age_years=40))


def site(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "critical.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def urgency(protocol: Protocol, measure: str, number: str) -> Urgency:
    trial = protocol.measures
    value = Value(measure, Decimal(number), number)
    return judge(trial.by_id[measure], value, date(2026, 11, 22), KNOWN, trial.rules, protocol.triage_rules).urgency


def test_without_a_file_the_trials_own_values_count() -> None:
    assert with_critical_values(TRIAL, None) is TRIAL
    assert urgency(TRIAL, "plt", "15") is Urgency.AMBER


def test_the_sites_list_takes_the_place_of_the_trials_critical_rule_and_of_no_other(tmp_path: Path) -> None:
    path = site(
        tmp_path,
        """
critical:
  - {measure: plt, below: 20, source: "critical values of the laboratory, 2026"}
  - {measure: potassium, at_least: 6.0, urgency: red_120, source: "critical values of the laboratory, 2026"}
upper_normal: {alt: 50}
""",
    )
    own = with_critical_values(TRIAL, path)
    assert problems_of(own, KEYS) == []
    assert urgency(own, "plt", "15") is Urgency.RED_COME
    assert urgency(own, "plt", "20") is Urgency.AMBER, "the other rules stay"
    assert urgency(own, "potassium", "6.0") is Urgency.RED_120
    assert urgency(own, "wbc", "0.4") is Urgency.RED_COME, "what the site does not name stays"
    assert (urgency(TRIAL, "alt", "120"), urgency(own, "alt", "120")) == (Urgency.AMBER, Urgency.YELLOW)


BROKEN = [
    pytest.param("critical: [{measure: platelets, below: 20, source: x}]", "unknown measure", id="unknown measure"),
    pytest.param("critical: [{measure: plt, source: x}]", "exactly one", id="no number"),
    pytest.param("critical: [{measure: plt, below: 20, at_least: 9, source: x}]", "exactly one", id="two numbers"),
    pytest.param("critical: [{measure: plt, below: 2000, source: x}]", "outside the limits", id="impossible"),
    pytest.param("critical: [{measure: plt, below: 9, source: x, urgency: amber}]", "red_come", id="not red"),
    pytest.param("critical: [{measure: plt, below: 20, source: ' '}]", "source is empty", id="no source"),
    pytest.param("critical: [{measure: plt, below: 20}]", "source", id="source missing"),
    pytest.param("critical: [{measure: plt, below: '20', source: x}]", "below", id="a number in quotes"),
    pytest.param("critical: [{measure: temperature_c, at_least: 39, source: x}]", "triage.yaml", id="temperature"),
    pytest.param(
        "critical: [{measure: plt, below: 9, source: x}, {measure: plt, below: 8, source: x}]", "twice", id="twice"
    ),
    pytest.param("upper_normal: {nothing: 5}", "unknown measure", id="unknown upper limit"),
    pytest.param("upper_normal: {alt: 90000}", "outside the limits", id="impossible upper limit"),
    pytest.param("kritisch: []", "kritisch", id="unknown field"),
]


@pytest.mark.parametrize(("text", "said"), BROKEN)
def test_what_is_wrong_with_the_file_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ProtocolFaulty) as faulty:
        with_critical_values(TRIAL, site(tmp_path, text))
    assert said in str(faulty.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProtocolFaulty, match="missing"):
        with_critical_values(TRIAL, tmp_path / "nowhere.yaml")


# What `followup check` finds in measures.yaml


def changed(**fields: object) -> list[str]:
    """Return the problems of the trial with other measures."""
    measures = replace(TRIAL.measures, **fields)  # type: ignore[arg-type]
    return [str(problem) for problem in problems_of(replace(TRIAL, measures=measures), KEYS)]


def with_rule(trial: MeasuresFile, when: Condition) -> list[str]:
    rule = next(rule for rule in trial.rules if rule.id == "L13-hb")
    return changed(rules=(replace(rule, when=when),))


def test_the_shipped_measures_have_no_problem() -> None:
    assert changed() == []


@pytest.mark.parametrize(
    ("when", "said"),
    [
        pytest.param(Condition(item="plt", below=10), "plt is unknown", id="another measure"),
        pytest.param(Condition(item="hb", equals="low"), "cannot be compared", id="no number"),
        pytest.param(Condition(item="signs", includes=("hunger",)), "has no hunger", id="unknown sign"),
        pytest.param(Condition(fact="shoe_size", below=40), "shoe_size", id="unknown fact"),
        pytest.param(Condition(item="hb", below=60), "the rule says otherwise", id="not its own example"),
    ],
)
def test_a_faulty_threshold_is_told(when: Condition, said: str) -> None:
    assert any(said in problem for problem in with_rule(TRIAL.measures, when))


def test_a_name_that_means_two_tests_is_told() -> None:
    first, second, *rest = TRIAL.measures.measures
    twice = (first, replace(second, names=first.names), *rest)
    assert any("the name is given twice" in problem for problem in changed(measures=twice))


def test_the_bot_starts_with_the_sites_values_and_stays_down_with_a_faulty_file(tmp_path: Path) -> None:
    path = site(tmp_path, "critical: [{measure: plt, below: 20, source: laboratory}]")
    own = checked_protocol(make_settings(critical_values=path), bundled_texts())
    assert urgency(own, "plt", "15") is Urgency.RED_COME
    with pytest.raises(ProtocolFaulty):
        checked_protocol(make_settings(critical_values=site(tmp_path, "critical: 1")), bundled_texts())
