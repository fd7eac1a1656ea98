"""Thresholds of measured values: what counts beside the value, and what is not known."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from bot.domain.conditions import Facts, holds
from bot.domain.judging import (
    Circumstances,
    MeasureRule,
    Taken,
    count_to_rely_on,
    depends_on_signs,
    judge,
    split_example,
)
from bot.domain.measures import Value
from bot.domain.triage import Example
from bot.domain.urgency import Urgency
from bot.protocol import bundled

PROTOCOL = bundled()
RULES = PROTOCOL.measures.rules
KNOWN = PROTOCOL.measures.by_id
TODAY = date(2026, 11, 22)
TG2 = Facts(arm="TG2", age_years=40, plt=100, anc=2)


def urgency(measure: str, number: str, known: Circumstances, sign: str = "") -> Urgency:
    value = Value(measure, Decimal(number), number, sign)
    return judge(KNOWN[measure], value, TODAY, known, RULES, PROTOCOL.triage_rules).urgency


def before(measure: str, number: float, days: int = 7) -> dict[str, list[Taken]]:
    return {measure: [Taken(TODAY - timedelta(days=days), number)]}


FIRED = [
    pytest.param(rule, example, id=f"{rule.id}-{n}") for rule in RULES for n, example in enumerate(rule.fires_for)
]
QUIET = [
    pytest.param(rule, example, id=f"{rule.id}-{n}") for rule in RULES for n, example in enumerate(rule.quiet_for)
]


@pytest.mark.parametrize(("rule", "example"), FIRED)
def test_each_threshold_fires_for_its_own_examples(rule: MeasureRule, example: Example) -> None:
    answers, facts = split_example(rule, example)
    assert holds(rule.when, answers, facts)


@pytest.mark.parametrize(("rule", "example"), QUIET)
def test_each_threshold_stays_quiet_for_its_own_examples(rule: MeasureRule, example: Example) -> None:
    answers, facts = split_example(rule, example)
    assert not holds(rule.when, answers, facts)


@pytest.mark.parametrize(
    ("measure", "number", "known", "expected"),
    [
        pytest.param("hb", "49", Circumstances(TG2), Urgency.RED_COME, id="Hb under 50"),
        pytest.param("hb", "55", Circumstances(TG2), Urgency.AMBER, id="Hb under 60"),
        pytest.param("hb", "55", Circumstances(TG2, signs=frozenset({"chest"})), Urgency.RED_120, id="chest pain"),
        pytest.param("hb", "79", Circumstances(TG2), Urgency.YELLOW, id="Hb under 80"),
        pytest.param("hb", "79", Circumstances(Facts(arm="TG2")), Urgency.AMBER, id="age unknown reads as old"),
        pytest.param("hb", "115", Circumstances(TG2), Urgency.AMBER, id="high, transfusions unknown"),
        pytest.param("hb", "115", Circumstances(TG2, transfused=("red_cells",)), Urgency.GREEN, id="after red cells"),
        pytest.param("hb", "100", Circumstances(TG2, before("hb", 79), transfused=("none",)), Urgency.AMBER,
                     id="fast"),
        pytest.param("hb", "100", Circumstances(TG2, before("hb", 79, 22), transfused=("none",)), Urgency.GREEN,
                     id="in more than three weeks"),
        pytest.param("plt", "50", Circumstances(TG2, before("plt", 45)), Urgency.AMBER, id="up across 50"),
        pytest.param("plt", "50", Circumstances(Facts(arm="TG1", age_years=40), before("plt", 45)), Urgency.GREEN,
                     id="no tablets, no dose band"),
        pytest.param("plt", "100", Circumstances(TG2, before("plt", 200)), Urgency.AMBER, id="fallen by half"),
        pytest.param("plt", "15", Circumstances(TG2, signs=frozenset({"bleeding"})), Urgency.RED_COME, id="bleeding"),
        pytest.param("plt", "15", Circumstances(TG2), Urgency.AMBER, id="few, no sign"),
        pytest.param("anc", "0.4", Circumstances(TG2, signs=frozenset({"fever"})), Urgency.RED_COME, id="with fever"),
        pytest.param("ferritin", "499", Circumstances(TG2), Urgency.AMBER, id="low with tablets"),
        pytest.param("ferritin", "499", Circumstances(Facts(arm="CTRL")), Urgency.GREEN, id="low without tablets"),
        pytest.param("ferritin", "499", Circumstances(), Urgency.AMBER, id="arm unknown reads as the worst"),
        pytest.param("creatinine", "140", Circumstances(TG2, before("creatinine", 70, 90)), Urgency.RED_COME,
                     id="twice the first value"),
        pytest.param("alt", "121", Circumstances(TG2), Urgency.AMBER, id="three times the upper limit"),
        pytest.param("temperature_c", "37.7", Circumstances(TG2), Urgency.RED_COME, id="no place said"),
        pytest.param("temperature_c", "37.7", Circumstances(TG2, place="oral"), Urgency.AMBER, id="in the mouth"),
        pytest.param("temperature_c", "37.3", Circumstances(Facts(arm="TG2")), Urgency.RED_COME, id="counts unknown"),
        pytest.param("systolic", "185", Circumstances(TG2), Urgency.AMBER, id="very high, well"),
        pytest.param("systolic", "185", Circumstances(TG2, signs=frozenset({"unwell"})), Urgency.RED_120,
                     id="unwell"),
        pytest.param("spo2", "91", Circumstances(TG2), Urgency.RED_120, id="too little oxygen"),
    ],
)  # fmt: skip
def test_what_counts_beside_a_value(measure: str, number: str, known: Circumstances, expected: Urgency) -> None:
    assert urgency(measure, number, known) is expected


def test_a_bound_is_read_as_what_it_means() -> None:
    assert urgency("plt", "10", Circumstances(TG2), "<") is Urgency.RED_COME
    assert urgency("plt", "10", Circumstances(TG2)) is Urgency.AMBER


@pytest.mark.parametrize(
    ("measure", "number", "asked"),
    [("systolic", "185", True), ("systolic", "150", False), ("pulse", "135", True), ("spo2", "90", False)],
)
def test_who_would_be_in_danger_if_unwell_is_asked(measure: str, number: str, asked: bool) -> None:
    value = Value(measure, Decimal(number), number)
    known = Circumstances(TG2)
    assert depends_on_signs(KNOWN[measure], value, TODAY, known, RULES, PROTOCOL.triage_rules) is asked


@pytest.mark.parametrize(
    ("days", "number"),
    [
        pytest.param(0, 12.0, id="of today"),
        pytest.param(21, 12.0, id="the last day"),
        pytest.param(22, None, id="old"),
    ],
)
def test_an_old_count_is_unknown(days: int, number: float | None) -> None:
    assert count_to_rely_on([Taken(TODAY - timedelta(days=days), 12.0)], TODAY, 21) == number


def test_the_newest_count_counts_and_none_is_unknown() -> None:
    counts = [Taken(TODAY - timedelta(days=9), 80.0), Taken(TODAY - timedelta(days=2), 12.0)]
    assert count_to_rely_on(counts, TODAY, 21) == 12.0
    assert count_to_rely_on([], TODAY, 21) is None
