"""How urgent is a measured value, given what else is known of the subject?

A value is compared by the rules of its measure. What has to be known besides and is not counts as the worst.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from bot.domain.conditions import FACT_NAMES, Answer, Facts
from bot.domain.measures import TEMPERATURE, Measure, Value
from bot.domain.triage import Example, TriageDecision, TriageRule, triage

# What rules may ask of a measure besides its value, by the ending of the name.
BEFORE, RISE, FALL = "_before", "_rise_3_weeks", "_fall_percent"
OF_BEFORE, OF_BASELINE, OF_UPPER, AGAIN = "_of_before", "_of_baseline", "_of_upper", "_again"
ENDINGS = (BEFORE, RISE, FALL, OF_BEFORE, OF_BASELINE, OF_UPPER, AGAIN)
RISE_WITHIN = timedelta(days=21)

SIGNS, TRANSFUSED = "signs", "transfused"
UNWELL = "unwell"  # the sign that a patient names when asked beside a reading
NO_TRANSFUSION, RED_CELLS, PLATELETS, UNKNOWN = "none", "red_cells", "platelets", "unknown"
TRANSFUSIONS = (NO_TRANSFUSION, RED_CELLS, PLATELETS, UNKNOWN)
# Where nobody says where a temperature was taken, the place with the lowest threshold counts.
STRICTEST_PLACE = "axillary"


@dataclass(frozen=True, slots=True)
class MeasureRule(TriageRule):
    """A threshold of one measure. ``critical``: the site's own list of critical values takes its place."""

    measure: str
    critical: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """A value that staff have verified, and its day."""

    on: date
    value: float


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known beside a value; nothing given is read as the worst.

    ``earlier``: verified values before this one, the oldest first. ``again``: the highest reading of the same
    measure a few minutes before. ``transfused``: what was given in the weeks before, as staff said.
    """

    facts: Facts = field(default_factory=Facts)
    earlier: Mapping[str, Sequence[Taken]] = field(default_factory=dict)
    again: Mapping[str, float] = field(default_factory=dict)
    signs: frozenset[str] = frozenset()
    transfused: tuple[str, ...] = (UNKNOWN,)
    place: str = STRICTEST_PLACE


def judge(
    measure: Measure,
    value: Value,
    on: date,
    known: Circumstances,
    rules: Iterable[MeasureRule],
    fever_rules: Iterable[TriageRule],
) -> TriageDecision:
    """Return how urgent ``value`` of the day ``on`` is and which rules say so.

    A temperature is judged by the fever rules of the symptom report, so that it has one set of thresholds.
    """
    if measure.id == TEMPERATURE:
        given: dict[str, Answer] = {"fever_place": known.place, TEMPERATURE: value.bound}
        return triage(given, known.facts, fever_rules)
    own = [rule for rule in rules if rule.measure == measure.id]
    return triage(answers_for(measure, value, on, known), known.facts, own)


def answers_for(measure: Measure, value: Value, on: date, known: Circumstances) -> dict[str, Answer]:
    """Return what the rules of a measure can ask: the value, and how it compares with those before it."""
    name, number = measure.id, value.bound
    found: dict[str, Answer] = {
        name: number,
        SIGNS: tuple(sorted(known.signs)),
        TRANSFUSED: known.transfused or (UNKNOWN,),
    }
    if measure.upper_normal:
        found[f"{name}{OF_UPPER}"] = number / measure.upper_normal
    if name in known.again:
        found[f"{name}{AGAIN}"] = known.again[name]
    earlier = [taken for taken in known.earlier.get(name, ()) if taken.on <= on]
    if not earlier:
        return found
    before = earlier[-1].value
    found[f"{name}{BEFORE}"] = before
    recent = [taken.value for taken in earlier if on - taken.on <= RISE_WITHIN]
    if recent:
        found[f"{name}{RISE}"] = number - min(recent)
    if before > 0:
        found[f"{name}{FALL}"] = (before - number) / before * 100
        found[f"{name}{OF_BEFORE}"] = number / before
    if earlier[0].value > 0:
        found[f"{name}{OF_BASELINE}"] = number / earlier[0].value
    return found


def depends_on_signs(
    measure: Measure,
    value: Value,
    on: date,
    known: Circumstances,
    rules: Sequence[MeasureRule],
    fever_rules: Sequence[TriageRule],
) -> bool:
    """Return whether it would be more urgent if the patient felt unwell, so that this has to be asked."""
    unwell = replace(known, signs=known.signs | {UNWELL})
    without = judge(measure, value, on, known, rules, fever_rules)
    return judge(measure, value, on, unwell, rules, fever_rules).urgency.rank > without.urgency.rank


def split_example(rule: MeasureRule, example: Example) -> tuple[dict[str, Answer], Facts]:
    """Part an example of a threshold into answers and facts; the measure itself is an answer, even a count."""
    answers = {name: value for name, value in example.items() if name == rule.measure or name not in FACT_NAMES}
    known = {name: value for name, value in example.items() if name not in answers}
    return answers, Facts(**known)  # type: ignore[arg-type]  # the protocol check compares the types


def count_to_rely_on(counts: Sequence[Taken], today: date, good_for_days: int) -> float | None:
    """Return the newest verified count, or ``None`` (unknown, so the worst case) when it is too old or absent.

    A count of exactly ``good_for_days`` days ago still counts.
    """
    newest = max(counts, key=lambda taken: taken.on, default=None)
    if newest is None or today - newest.on > timedelta(days=good_for_days):
        return None
    return newest.value
