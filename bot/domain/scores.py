"""Which scores of a check-in are high, or much higher than the last time?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.domain.triage import Certainty, TriageDecision
from bot.domain.urgency import Urgency
from bot.errors import FollowupError


class FaultyScoreRule(FollowupError, ValueError):
    """A rule of scores does not say exactly one thing."""


@dataclass(frozen=True, slots=True)
class ScoreExample:
    """One score, and the one given to the same item before; None where there is none."""

    score: int
    before: int | None = None


@dataclass(frozen=True, slots=True)
class ScoreRule:
    """A rule for every score of every symptom: so high, or so many points above the answer before.

    Both limits count themselves.

    Raises:
        FaultyScoreRule: it has no limit, or both.
    """

    id: str
    urgency: Urgency
    tell_subject: str
    source: str
    certainty: Certainty
    fires_for: tuple[ScoreExample, ...]
    quiet_for: tuple[ScoreExample, ...]
    score_at_least: int | None = None
    rise_at_least: int | None = None

    def __post_init__(self) -> None:
        """Refuse a rule that could be read in two ways."""
        if (self.score_at_least is None) == (self.rise_at_least is None):
            raise FaultyScoreRule("a rule of scores needs exactly one of score_at_least, rise_at_least")


def fires(rule: ScoreRule, score: int, before: int | None) -> bool:
    """Return whether a score fires a rule; without an answer before nothing can have risen."""
    if rule.score_at_least is not None:
        return score >= rule.score_at_least
    return before is not None and rule.rise_at_least is not None and score - before >= rule.rise_at_least


def with_scores(
    decision: TriageDecision, scores: Mapping[str, int], before: Mapping[str, int], rules: Iterable[ScoreRule]
) -> TriageDecision:
    """Return a decision with what the rules of scores add; what the rules of triage say more urgently stands.

    ``before`` is the last answer to each item in a check-in that was handed in, in its newest version.
    """
    fired = [rule for rule in rules if any(fires(rule, score, before.get(item)) for item, score in scores.items())]
    if not fired:
        return decision
    worst = max(fired, key=lambda rule: rule.urgency.rank)
    because = tuple(rule.id for rule in fired)
    if worst.urgency.rank > decision.urgency.rank:
        return TriageDecision(worst.urgency, (*because, *decision.because), worst.tell_subject)
    return TriageDecision(decision.urgency, (*decision.because, *because), decision.tell)
