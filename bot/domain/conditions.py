"""Does a condition from the protocol files hold for these answers and facts?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from bot.errors import FollowupError

Answer = str | float | bool | tuple[str, ...]
Answers = Mapping[str, Answer]


class FaultyCondition(FollowupError, ValueError):
    """A condition in the protocol files does not say exactly one thing."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the study already knows about the subject; ``None`` means unknown.

    Ages are whole years, platelets (``plt``) and neutrophils (``anc``) are in 10^9/L. A staff member
    passes a count only while it is recent enough to rely on (site default: 21 days).
    """

    arm: str | None = None
    age_years: int | None = None
    plt: float | None = None
    anc: float | None = None


FACT_NAMES = tuple(field.name for field in fields(Facts))


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of an item or a fact, or a group of conditions (``all`` or ``any``).

    A comparison has exactly one of ``at_least`` (the limit itself counts), ``below`` (it does not),
    ``equals``, ``one_of`` and ``includes`` (a multiple answer holds at least one of these options).

    Raises:
        FaultyCondition: it says nothing, or more than one thing.
    """

    all: tuple[Condition, ...] | None = None
    any: tuple[Condition, ...] | None = None
    item: str | None = None
    fact: str | None = None
    at_least: float | None = None
    below: float | None = None
    equals: str | bool | None = None
    one_of: tuple[str, ...] | None = None
    includes: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse a condition that could be read in two ways."""
        subjects = [name for name in ("all", "any", "item", "fact") if getattr(self, name) is not None]
        operators = [
            name for name in ("at_least", "below", "equals", "one_of", "includes") if getattr(self, name) is not None
        ]
        if len(subjects) != 1:
            raise FaultyCondition("a condition needs exactly one of all, any, item, fact")
        if subjects[0] in ("all", "any"):
            if operators:
                raise FaultyCondition("a group (all, any) has no comparison of its own")
            if not (self.all or self.any):
                raise FaultyCondition("a group (all, any) must not be empty")
        elif len(operators) != 1:
            raise FaultyCondition("a comparison needs exactly one of at_least, below, equals, one_of, includes")


def comparisons(condition: Condition) -> Iterator[Condition]:
    """Yield every single comparison inside ``condition``."""
    for group in (condition.all, condition.any):
        for part in group or ():
            yield from comparisons(part)
    if condition.item is not None or condition.fact is not None:
        yield condition


def holds(condition: Condition, answers: Answers, facts: Facts | None = None) -> bool:
    """Return whether ``condition`` is true.

    A comparison with an item that has no answer yet is false. A comparison with an unknown fact is true:
    an unknown count is read as the worst one (site default: ANC < 0.5, PLT < 20), never as a good one.
    """
    if condition.all is not None:
        return all(holds(part, answers, facts) for part in condition.all)
    if condition.any is not None:
        return any(holds(part, answers, facts) for part in condition.any)
    if condition.item is not None:
        if condition.item not in answers:
            return False
        return _compare(condition, answers[condition.item])
    value = getattr(facts or Facts(), condition.fact or "", None)
    return True if value is None else _compare(condition, value)


def _compare(condition: Condition, value: Answer | int) -> bool:
    if condition.equals is not None:
        return type(value) is type(condition.equals) and value == condition.equals
    if condition.one_of is not None:
        return isinstance(value, str) and value in condition.one_of
    if condition.includes is not None:
        return isinstance(value, tuple) and bool(set(value) & set(condition.includes))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if condition.at_least is not None:
        return value >= condition.at_least
    return condition.below is not None and value < condition.below
