"""How urgent are these answers, which rules say so, and what is the subject told?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.conditions import FACT_NAMES, Answer, Answers, Condition, Facts, holds
from bot.domain.questionnaires import Questionnaire, UnansweredItem, next_item
from bot.domain.urgency import Urgency, highest

Example = Mapping[str, Answer]

# What a subject reads when no rule fires: it is recorded, and when to call 120. It never reassures.
RECORDED = "triage.green.recorded"


class Certainty(StrEnum):
    """How well the threshold of a rule is founded."""

    VERIFIED = "verified"
    GENERAL = "general"
    SITE_DEFAULT = "site_default"


@dataclass(frozen=True, slots=True)
class TriageRule:
    """One rule of the protocol files with its own examples.

    ``tell_subject`` is a text key. An example maps items (and facts by name: arm, age_years, plt, anc)
    to values; a fact that an example does not name is unknown, so it is read as the worst case.
    """

    id: str
    when: Condition
    urgency: Urgency
    tell_subject: str
    source: str
    certainty: Certainty
    fires_for: tuple[Example, ...]
    quiet_for: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class TriageDecision:
    """The urgency, the ids of all rules that fired (most urgent first), and the text key for the subject."""

    urgency: Urgency
    because: tuple[str, ...]
    tell: str


def triage(answers: Answers, facts: Facts, rules: Iterable[TriageRule]) -> TriageDecision:
    """Return the highest urgency of the rules that fire.

    Answers may still be partial: a rule whose items are not answered cannot fire, so asking on can only
    raise the urgency. When several rules share the highest level, the first in the files names the text.
    """
    fired = [rule for rule in rules if holds(rule.when, answers, facts)]
    fired.sort(key=lambda rule: -rule.urgency.rank)
    return TriageDecision(
        urgency=highest(rule.urgency for rule in fired),
        because=tuple(rule.id for rule in fired),
        tell=fired[0].tell_subject if fired else RECORDED,
    )


def triage_complete(
    questionnaire: Questionnaire, answers: Answers, facts: Facts, rules: Iterable[TriageRule]
) -> TriageDecision:
    """Triage a response that is being closed.

    Raises:
        UnansweredItem: an item that is to be asked has no answer; silence is not "no symptom".
    """
    missing = next_item(questionnaire, answers)
    if missing is not None:
        raise UnansweredItem(missing.id)
    return triage(answers, facts, rules)


def split_example(example: Example) -> tuple[dict[str, Answer], Facts]:
    """Part an example of a rule into answers and facts."""
    answers = {name: value for name, value in example.items() if name not in FACT_NAMES}
    known = {name: value for name, value in example.items() if name in FACT_NAMES}
    return answers, Facts(**known)  # type: ignore[arg-type]  # the protocol check compares the types
