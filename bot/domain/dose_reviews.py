"""What news about a subject asks an investigator to look at a dose?

A rule only asks; it changes no dose and says nothing to a subject. The newest value by the day on which it was taken
is compared with those before it: what is entered late for an earlier day, or entered twice, is no news.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from bot.domain.conditions import Answer, Condition, Facts, holds
from bot.domain.dosing import DoseBand, NoBand, band_for
from bot.domain.judging import Circumstances, Taken, answers_for
from bot.domain.measures import Measure, Value
from bot.domain.triage import Certainty, Example
from bot.domain.urgency import Urgency

# What rules watch besides a measure.
ORDER, TABLETS = "order", "tablets"
# What a rule can ask besides what follows from its measure.
CHANGE = "weight_change_percent"  # of the weight that the order was given on, else of the one before; always positive
TO_INJECTION = "days_to_injection"  # from the day of the value to the next planned injection
OFF = "dose_off_percent"  # how far the ordered dose lies outside the band of the newest platelets; 0 inside
UNORDERED = "unordered"  # why tablets that were taken were not ordered: bot.domain.dose_reviews.Unordered
BESIDE_VALUE = (CHANGE, TO_INJECTION)


class ReviewKind(StrEnum):
    """What a review asks for: a decision, or only that staff know what a label says that is not this trial's."""

    DECISION = "decision"
    INFO = "info"


class Opens(StrEnum):
    """When a value for which the condition holds is news."""

    ALWAYS = "always"  # the condition itself compares with the value before
    STEP = "step"  # unless the value before was at this step already, or at a worse one
    UNLESS_OPEN = "unless_open"  # unless a review of this rule still waits: it is about this value as well


class ReviewState(StrEnum):
    """Where a review stands. Only a person concludes it; only a correction withdraws it."""

    OPEN = "open"
    CONCLUDED = "concluded"
    WITHDRAWN = "withdrawn"


class Unordered(StrEnum):
    """Why tablets were not ordered on a day."""

    OTHER_ARM = "other_arm"
    STOPPED = "stopped"
    HELD = "held"
    NO_ORDER = "no_order"


@dataclass(frozen=True, slots=True)
class ReviewRule:
    """One kind of news. ``watches`` is a measure, `ORDER` or `TABLETS`; ``text`` names it for staff."""

    id: str
    watches: str
    kind: ReviewKind
    opens: Opens
    urgency: Urgency
    text: str
    when: Condition
    source: str
    certainty: Certainty
    fires_for: tuple[Example, ...]
    quiet_for: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How a review may end. ``text`` is a text key; ``words``: it says nothing without words of its own."""

    code: str
    text: str
    words: bool = False


@dataclass(frozen=True, slots=True)
class Dated:
    """A value that staff have verified, by the day on which it was taken."""

    value: Value
    on: date


def is_news(series: Sequence[Dated], changed_on: date) -> bool:
    """Return whether what was entered, corrected or taken out on the day ``changed_on`` can open a review.

    ``series``: the values that stand now, by day. It cannot if a later day has a value (it came too late to be
    news), or if the newest value says only what another one of its day says.
    """
    if not series or series[-1].on > changed_on:
        return False
    newest = series[-1]
    same = (newest.on, newest.value.value, newest.value.sign)
    return all((each.on, each.value.value, each.value.sign) != same for each in series[:-1])


def opening(
    rules: Iterable[ReviewRule],
    measure: Measure,
    series: Sequence[Dated],
    known: Circumstances,
    beside: Mapping[str, Answer],
    waiting: Iterable[str] = (),
) -> list[ReviewRule]:
    """Return the rules of ``measure`` for which its newest value is news, the most urgent first.

    ``series``: the values that stand, by day, the newest last. ``beside``: answers that the measure alone cannot
    give. ``waiting``: rules with a review that nobody has concluded.
    """
    watching = [rule for rule in rules if rule.watches == measure.id]
    before = _holding(watching, measure, series[:-1], known, {}) if len(series) > 1 else []
    found = []
    for rule in _holding(watching, measure, series, known, beside):
        if rule.opens is Opens.UNLESS_OPEN and rule.id in waiting:
            continue
        if rule.opens is Opens.STEP and any(
            each.kind is rule.kind and each.urgency.rank >= rule.urgency.rank for each in before
        ):
            continue
        found.append(rule)
    return sorted(found, key=lambda rule: -rule.urgency.rank)


def stands(
    rule: ReviewRule,
    measure: Measure,
    series: Sequence[Dated],
    known: Circumstances,
    beside: Mapping[str, Answer],
) -> bool:
    """Return whether the rule still holds for the last value of ``series`` against what was known before it.

    Values that came in late between the two change nothing of what was asked: it is enough that the rule holds
    against some beginning of the series. So only a correction can withdraw a review, and it can only do so if
    nothing that stands bears it out.
    """
    *earlier, last = series
    return any(
        _holding([rule], measure, [*earlier[:count], last], known, beside) for count in range(len(earlier), -1, -1)
    )


def _holding(
    rules: Iterable[ReviewRule],
    measure: Measure,
    series: Sequence[Dated],
    known: Circumstances,
    beside: Mapping[str, Answer],
) -> list[ReviewRule]:
    *earlier, last = series
    taken = {measure.id: [Taken(each.on, each.value.bound) for each in earlier]}
    circumstances = Circumstances(facts=known.facts, earlier=taken, transfused=known.transfused)
    answers = {**answers_for(measure, last.value, last.on, circumstances), **beside}
    return [rule for rule in rules if holds(rule.when, answers, known.facts)]


def asked(rules: Iterable[ReviewRule], watches: str, answers: Mapping[str, Answer], facts: Facts) -> list[ReviewRule]:
    """Return the rules that watch orders or tablets and hold for these answers, the most urgent first."""
    found = [rule for rule in rules if rule.watches == watches and holds(rule.when, answers, facts)]
    return sorted(found, key=lambda rule: -rule.urgency.rank)


def change_percent(kg: Decimal, reference_kg: Decimal) -> float:
    """Return by how many per cent a weight differs from another one, up or down."""
    return float(abs(kg - reference_kg) * 100 / reference_kg)


def off_percent(daily_mg: Decimal, kg: Decimal, plt: Decimal, bands: Iterable[DoseBand]) -> float | None:
    """Return by how many per cent a daily dose (mg) lies outside the band of these platelets (10^9/L); 0 inside.

    Negative below the band. None when the protocol has no band for this count.
    """
    try:
        band = band_for(plt, bands)
    except NoBand:
        return None
    low, high = band.low_mg_per_kg * kg, band.high_mg_per_kg * kg
    if daily_mg < low:
        return float((daily_mg - low) * 100 / low)
    return float(max(daily_mg - high, Decimal(0)) * 100 / high)


def split_example(example: Example) -> tuple[dict[str, Answer], Facts]:
    """Part an example of a rule into answers and facts: the arm is known from elsewhere, every count is a value."""
    answers = {name: value for name, value in example.items() if name != "arm"}
    return answers, Facts(arm=str(example["arm"]) if "arm" in example else None)
