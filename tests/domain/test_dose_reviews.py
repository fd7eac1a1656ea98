"""What opens a review of a dose: thresholds to the digit, steps, days in any order of entry, what bears one out."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import dose_reviews as rules
from bot.domain.conditions import Facts, holds
from bot.domain.dose_reviews import Dated, ReviewRule
from bot.domain.judging import Circumstances
from bot.domain.measures import Value
from bot.protocol import bundled

TRIAL = bundled()
REVIEWS = TRIAL.reviews
DAY_1 = date(2026, 11, 2)
CROSSING = REVIEWS.by_id["D10-plt-crosses-50"]


def series(measure: str, *values: tuple[int, float | str]) -> list[Dated]:
    """Return values by the number of their day, in the order of days; the order given holds within a day."""
    made = [
        Dated(Value(measure, Decimal(str(value)), str(value)), DAY_1 + timedelta(days=day)) for day, value in values
    ]
    return sorted(made, key=lambda each: each.on)


def opens(
    measure: str, *values: tuple[int, float | str], arm: str = "TG2", waiting: Sequence[str] = (), gave: str = "none"
) -> list[str]:
    known = Circumstances(facts=Facts(arm=arm), transfused=(gave,))
    found = rules.opening(REVIEWS.rules, TRIAL.measures.by_id[measure], series(measure, *values), known, {}, waiting)
    return [rule.id for rule in found]


@pytest.mark.parametrize("rule", REVIEWS.rules, ids=lambda rule: rule.id)
def test_each_rule_keeps_its_own_examples(rule: ReviewRule) -> None:
    for example in rule.fires_for:
        assert holds(rule.when, *rules.split_example(example)), example
    for example in rule.quiet_for:
        assert not holds(rule.when, *rules.split_example(example)), example


@pytest.mark.parametrize(
    ("measure", "values", "opened"),
    [
        pytest.param("plt", [(0, 49), (7, 50)], ["D10-plt-crosses-50"], id="exactly 50 belongs to the upper band"),
        pytest.param("plt", [(0, 50), (7, 49)], ["D10-plt-crosses-50"], id="down"),
        pytest.param("plt", [(0, 60), (7, 50)], [], id="50 is on the side of 60"),
        pytest.param("plt", [(0, 49)], [], id="one value crosses nothing"),
        pytest.param("ferritin", [(0, 500)], [], id="500 is not under 500"),
        pytest.param("ferritin", [(0, 499)], ["D20-ferritin-below-500"], id="499 is"),
        pytest.param("ferritin", [(0, 480), (30, 470)], ["D20-ferritin-below-500"], id="again, once concluded"),
        pytest.param("creatinine", [(0, 60), (7, 80)], ["D30-creatinine-third"], id="a third above the first"),
        pytest.param("creatinine", [(0, 60), (7, 66)], ["D31-creatinine-tenth"], id="a tenth"),
        pytest.param("creatinine", [(0, 60), (7, 66), (9, 67)], [], id="no further step"),
        pytest.param("creatinine", [(0, 60), (7, 90), (9, 66)], [], id="a step back"),
        pytest.param("alt", [(0, 61), (7, 125)], ["D40-alt-three-times"], id="from one step to the worse one"),
        pytest.param("ast", [(0, 53)], ["D43-ast-raised"], id="new"),
        pytest.param("hb", [(0, 115)], ["D90-hb-high-label"], id="the label's 115"),
        pytest.param("hb", [(0, 114)], [], id="114 is under it"),
        pytest.param("hb", [(0, 80), (21, 101)], ["D91-hb-fast-rise-label"], id="more than 20 in three weeks"),
        pytest.param("hb", [(0, 80), (21, 100)], [], id="20 is not more than 20"),
        pytest.param("hb", [(0, 80), (22, 120)], ["D90-hb-high-label"], id="longer than three weeks"),
        pytest.param("hb", [(0, 120), (7, 79)], ["D51-hb-below-80"], id="what only a label says is no step"),
        pytest.param("hb", [(0, 59)], ["D50-hb-below-60"], id="59"),
    ],
)
def test_the_newest_value_opens(measure: str, values: list[tuple[int, float]], opened: list[str]) -> None:
    assert opens(measure, *values) == opened


def test_what_waits_already_is_about_the_next_value_too() -> None:
    assert opens("ferritin", (0, 480), (30, 470), waiting=["D20-ferritin-below-500"]) == []
    crossing = opens("plt", (0, 60), (7, 45), (9, 55), waiting=["D10-plt-crosses-50"])
    assert crossing == ["D10-plt-crosses-50"], "crossing back is other news"


def test_other_arms_and_transfusions() -> None:
    assert opens("plt", (0, 60), (7, 45), arm="TG1") == []
    assert opens("ferritin", (0, 400), arm="CTRL") == []
    assert opens("hb", (0, 120), arm="TG1", gave="red_cells") == []
    assert opens("hb", (0, 120), arm="TG1", gave="unknown") == ["D90-hb-high-label"]


@pytest.mark.parametrize(
    ("values", "changed", "news"),
    [
        pytest.param([(0, 60), (7, 45)], 7, True, id="the newest day"),
        pytest.param([(0, 60), (7, 45)], 0, False, id="entered late for an earlier day"),
        pytest.param([(0, 60), (7, 45), (7, 45)], 7, False, id="entered twice"),
        pytest.param([(0, 60), (7, 45), (7, 55)], 7, True, id="two on one day"),
        pytest.param([(0, 60)], 7, True, id="a later one was taken out"),
        pytest.param([], 7, False, id="nothing is left"),
    ],
)
def test_what_is_news(values: list[tuple[int, float]], changed: int, news: bool) -> None:
    assert rules.is_news(series("plt", *values), DAY_1 + timedelta(days=changed)) is news


@pytest.mark.parametrize(
    ("values", "borne_out"),
    [
        pytest.param([(0, 60), (7, 45)], True, id="as it was"),
        pytest.param([(0, 60), (5, 40), (7, 45)], True, id="a value that came in late lies between"),
        pytest.param([(0, 60), (7, 55)], False, id="the value itself was corrected"),
        pytest.param([(0, 45), (7, 40)], False, id="the value before was corrected"),
        pytest.param([(7, 45)], False, id="the value before was taken out"),
    ],
)
def test_only_a_correction_takes_the_ground_from_a_crossing(values: list[tuple[int, float]], borne_out: bool) -> None:
    assert _stands(series("plt", *values)) is borne_out


def _stands(until: Sequence[Dated]) -> bool:
    return rules.stands(CROSSING, TRIAL.measures.by_id["plt"], until, Circumstances(facts=Facts(arm="TG2")), {})


def _entered(values: Sequence[tuple[int, int]]) -> set[int]:
    """Return the days whose value opened a crossing when the values were entered in this order."""
    opened = set()
    for count, (day, _) in enumerate(values, start=1):
        known = series("plt", *values[:count])
        if rules.is_news(known, DAY_1 + timedelta(days=day)) and CROSSING.id in opens("plt", *values[:count]):
            opened.add((known[-1].on - DAY_1).days)
    return opened


counts = st.dictionaries(st.integers(0, 60), st.integers(40, 60), min_size=1, max_size=8)


@given(counts, st.randoms(use_true_random=False))
def test_crossings_follow_the_days_and_not_the_order_of_entry(by_day: dict[int, int], chance: object) -> None:
    """A value opens a crossing if and only if no later day was known when it came, and the day before it that was
    known then lies on the other side of 50. Whatever comes in late neither opens one nor takes its ground away.
    """
    by_date = sorted(by_day.items())
    shuffled = list(by_date)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    in_order = {day for (_, before), (day, value) in pairwise(by_date) if (before < 50) != (value < 50)}
    assert _entered(by_date) == in_order
    expected = set()
    for count, (day, value) in enumerate(shuffled):
        earlier = [(on, one) for on, one in shuffled[:count] if on < day]
        late = any(on > day for on, _ in shuffled[:count])
        if not late and earlier and (max(earlier)[1] < 50) != (value < 50):
            expected.add(day)
    assert _entered(shuffled) == expected
    for day in expected:
        assert _stands(series("plt", *((on, value) for on, value in by_date if on <= day))), "nothing withdraws it"
    # Entering everything a second time is no news.
    assert _entered([*by_date, *shuffled]) == in_order


@pytest.mark.parametrize(
    ("mg", "kg", "plt", "percent"),
    [
        pytest.param(600, 60, 49, 0, id="10 mg/kg under 50"),
        pytest.param(480, 60, 49, 0, id="8 mg/kg under 50"),
        pytest.param(1200, 60, 50, 0, id="20 mg/kg from 50 on"),
        pytest.param(660, 60, 49, 10, id="above"),
        pytest.param(1080, 60, 50, -10, id="below"),
        pytest.param(1200, 60, 49, 100, id="the dose of the other band"),
    ],
)
def test_how_far_a_dose_lies_outside(mg: int, kg: int, plt: int, percent: float) -> None:
    off = rules.off_percent(Decimal(mg), Decimal(kg), Decimal(plt), TRIAL.dose_bands)
    assert off == pytest.approx(percent)


def test_a_count_without_a_band_says_nothing() -> None:
    assert rules.off_percent(Decimal(600), Decimal(60), Decimal(49), ()) is None


@pytest.mark.parametrize(
    ("kg", "opened"),
    [("63.0", False), ("63.1", True), ("57.0", False), ("56.9", True)],
)
def test_five_per_cent_itself_is_no_change(kg: str, opened: bool) -> None:
    change = rules.change_percent(Decimal(kg), Decimal("60.0"))
    rule = REVIEWS.by_id["D60-weight-changed"]
    assert holds(rule.when, {rules.CHANGE: change}, Facts(arm="TG2")) is opened
