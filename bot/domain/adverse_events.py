"""Which terms fit a report, what may be said of an adverse event, and by when must a serious one be reported?

A report becomes an adverse event only by a person. Nothing here grades, calls serious or finds a cause: it offers
terms, and refuses what contradicts itself. Source: CTCAE v5.0, ICH E6(R3) and the trial team's list of fields.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from difflib import SequenceMatcher
from enum import StrEnum

from bot.domain.parsing import plain
from bot.domain.visits import InFuture
from bot.errors import FollowupError


class Outcome(StrEnum):
    """How an event ended, or where it stands (CDISC OUT)."""

    RECOVERED = "recovered"
    RECOVERING = "recovering"
    NOT_RECOVERED = "not_recovered"
    SEQUELAE = "sequelae"
    FATAL = "fatal"
    UNKNOWN = "unknown"


class Action(StrEnum):
    """What was done with a study medicine (CDISC ACN)."""

    NOT_CHANGED = "not_changed"
    REDUCED = "reduced"
    INCREASED = "increased"
    INTERRUPTED = "interrupted"
    WITHDRAWN = "withdrawn"
    NOT_APPLICABLE = "not_applicable"
    UNKNOWN = "unknown"


class Relation(StrEnum):
    """Whether an event is related to a study medicine, as the investigator judges."""

    NOT_RELATED = "not_related"
    UNLIKELY = "unlikely"
    POSSIBLE = "possible"
    RELATED = "related"


class Criterion(StrEnum):
    """What makes an event serious: its outcome, not its intensity."""

    DEATH = "death"
    LIFE = "life"
    HOSPITAL = "hospital"
    DISABILITY = "disability"
    CONGENITAL = "congenital"
    OTHER = "other"


class Standing(StrEnum):
    """Where an event stands for whoever has to act on it."""

    DRAFT = "draft"
    JUDGED = "judged"
    CHANGED = "changed"  # judged, and changed since then by somebody who may not judge
    VOID = "void"


FATAL_GRADE = 5
GRADES = (1, 2, 3, 4, FATAL_GRADE)
WHILE_ONGOING = (Outcome.NOT_RECOVERED, Outcome.RECOVERING, Outcome.UNKNOWN)
ONCE_ENDED = (Outcome.RECOVERED, Outcome.SEQUELAE, Outcome.FATAL, Outcome.UNKNOWN)
# From this likeness on a mistyped word is offered.
ALIKE = 0.8
SHORTEST_ALIKE = 4
MOST_FOUND = 8
_BETWEEN_WORDS = re.compile(r"[\W_]+")


class EndBeforeOnset(FollowupError):
    """An event cannot end before it began."""


class Contradiction(FollowupError):
    """Grade, seriousness and outcome of an event cannot be so together."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term of the dictionary: its English and Chinese name, its code, what else people call it.

    ``hint`` is the text key of the limits of its grades; the investigator grades.
    """

    id: str
    term: str
    llt: str
    zh: str
    words: tuple[str, ...] = ()
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Rules whose ids begin like these suggest these terms, the likeliest first."""

    rules: tuple[str, ...]
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SeriousRule:
    """Which rules make a report a suspected serious event, and by when it is reported to sponsor and ethics.

    ``confirmed``: the principal investigator has confirmed the hours.
    """

    rules: tuple[str, ...]
    report_within_hours: int
    told_hours_before: int
    source: str
    confirmed: bool = False

    def suspects(self, because: Iterable[str]) -> bool:
        """Return whether one of the rules that fired makes a report a suspected serious event."""
        return any(rule.startswith(self.rules) for rule in because)

    def due_at(self, received_at: datetime) -> datetime:
        """Return by when an event of which the site heard at ``received_at`` is to be reported."""
        return received_at + timedelta(hours=self.report_within_hours)

    def told_at(self, due_at: datetime) -> datetime:
        """Return when staff are told that the time is running out."""
        return due_at - timedelta(hours=self.told_hours_before)


def suggested(because: Iterable[str], suggestions: Sequence[Suggestion]) -> list[str]:
    """Return the ids of the terms that the rules which fired suggest, in the order of the rules, each once."""
    found: dict[str, None] = {}
    for rule in because:
        for suggestion in suggestions:
            if rule.startswith(suggestion.rules):
                found.update(dict.fromkeys(suggestion.terms))
    return list(found)


def find_terms(text: str, terms: Iterable[Term], most: int = MOST_FOUND) -> list[Term]:
    """Return the terms that typed words may mean, the best first; an exact name or code stands alone.

    Looks at names in both languages, other words and the code; takes parts of words and slips of typing.
    """
    wanted = _squeezed(text)
    if not wanted:
        return []
    ranked = sorted(
        ((rank, at, term) for at, term in enumerate(terms) if (rank := _rank(wanted, term)) is not None),
        key=lambda each: each[:2],
    )
    exact = [term for rank, _, term in ranked if rank == 0]
    return exact if len(exact) == 1 else [term for _, _, term in ranked[:most]]


def _squeezed(text: str) -> str:
    return _BETWEEN_WORDS.sub("", plain(text))


def _rank(wanted: str, term: Term) -> int | None:
    names = [_squeezed(each) for each in (term.term, term.zh, term.llt)]
    words = [_squeezed(each) for each in term.words]
    if wanted in names:
        return 0
    if wanted in words:
        return 1
    if any(name.startswith(wanted) for name in names[:2]):
        return 2
    if any(wanted in name for name in (*names[:2], *words)):
        return 3
    if any(len(name) > 1 and name in wanted for name in (*names[:2], *words)):
        return 4
    alike = (*names[:2], *words)
    if len(wanted) >= SHORTEST_ALIKE and any(SequenceMatcher(None, wanted, each).ratio() >= ALIKE for each in alike):
        return 5
    return None


def check_onset(onset_on: date, today: date) -> None:
    """Check the day on which an event began.

    Raises:
        InFuture: it has not come yet.
    """
    if onset_on > today:
        raise InFuture(onset_on, today)


def check_end(end_on: date, onset_on: date, today: date) -> None:
    """Check the day on which an event ended; it may be the day on which it began.

    Raises:
        InFuture: it has not come yet.
        EndBeforeOnset: it lies before the onset.
    """
    if end_on > today:
        raise InFuture(end_on, today)
    if end_on < onset_on:
        raise EndBeforeOnset


def outcomes(*, ongoing: bool) -> tuple[Outcome, ...]:
    """Return the outcomes an event can have that goes on, or that has ended."""
    return WHILE_ONGOING if ongoing else ONCE_ENDED


def grades(outcome: Outcome) -> tuple[int, ...]:
    """Return the grades an event of this outcome can have: grade 5 is death, and only death."""
    return (FATAL_GRADE,) if outcome is Outcome.FATAL else GRADES[:-1]


def check_judgement(grade: int, *, serious: bool, because: Collection[str], outcome: Outcome) -> None:
    """Check that grade, seriousness and outcome of an event can be so together.

    Raises:
        Contradiction: grade 5 or death as a criterion without a fatal outcome, or the other way round; serious
            without a criterion, or a criterion without serious.
    """
    fatal = outcome is Outcome.FATAL
    if grade not in grades(outcome) or serious != bool(because) or fatal != (Criterion.DEATH in because):
        raise Contradiction


def standing(*, void: bool, grade: int | None, judged: bool) -> Standing:
    """Return where an event stands; ``judged``: the judgement was made on the facts as they are now."""
    if void:
        return Standing.VOID
    if grade is None:
        return Standing.DRAFT
    return Standing.JUDGED if judged else Standing.CHANGED
