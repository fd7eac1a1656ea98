"""How did a subject's symptoms go, week by week: what was the worst of each, and where is nothing known?

Silence is never "well": a week in which nobody asked, or nobody answered, says so. Urgency (of rules) and scores (of
the subject, 0 to 4) stay apart; grades are an investigator's and are not in here at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property

from bot.domain.conditions import Answers, Facts, comparisons, holds
from bot.domain.questionnaires import Item, ItemKind, Questionnaire, is_asked, is_complete, scores
from bot.domain.scores import ScoreRule
from bot.domain.scores import fires as score_fires
from bot.domain.triage import TriageRule
from bot.domain.urgency import Urgency, highest

# A report that stopped in the middle: how urgent it is follows from where it stopped, not from a rule.
UNFINISHED = "unfinished"


class Source(StrEnum):
    """How something came to be known."""

    REPORT = "report"
    CHECKIN = "checkin"
    WORDS = "words"
    VALUE = "value"


class State(StrEnum):
    """What is known of one row in one week, from nothing to something; the last one that fits is shown."""

    NOT_ASKED = "not_asked"
    NOTHING = "nothing"  # asked and answered: nothing reported
    NO_ANSWER = "no_answer"  # asked, not answered, or not to the end
    REPORTED = "reported"


@dataclass(frozen=True, slots=True)
class CourseRow:
    """One row: its text key, and what belongs to it. ``rest``: what no other row is about belongs here."""

    id: str
    name: str
    rules: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    rest: bool = False


@dataclass(frozen=True, slots=True)
class Apart:
    """Rules, by the beginnings of their ids, and measures that say nothing of a symptom."""

    rules: tuple[str, ...]
    measures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sign:
    """Something that was reported, scored or measured on a day at the site; ``by`` is who said it.

    ``urgency`` is green for a trouble that was named and of which no rule speaks. ``taken_back``: a correction says
    otherwise, so that it counts no more.
    """

    on: date
    row: str
    source: Source
    by: str
    urgency: Urgency | None = None
    score: int | None = None
    verified: bool = False
    taken_back: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A row that somebody was asked about, or a value was measured for, on a day at the site."""

    on: date
    row: str
    answered: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """One row in one week: the worst urgency and the worst score, apart from each other, and what says so."""

    state: State = State.NOT_ASKED
    urgency: Urgency | None = None
    score: int | None = None
    signs: tuple[Sign, ...] = ()


@dataclass(frozen=True, slots=True)
class Week:
    """One calendar week at the site, Monday to Sunday; week 1 is that of the enrolment."""

    number: int
    monday: date
    cells: Mapping[str, Cell]
    state: State  # the most that is known in any row
    checkin: State  # NOTHING: answered to the end
    taken_back: tuple[Sign, ...] = ()

    @property
    def sunday(self) -> date:
        return self.monday + timedelta(days=6)


def course(
    rows: Iterable[CourseRow],
    signs: Iterable[Sign],
    asked: Iterable[Asked],
    checkins: Iterable[tuple[date, bool]],
    enrolled_on: date,
    until: date,
) -> list[Week]:
    """Return every week from the enrolment to ``until``, the first one first, whatever is known of it.

    ``checkins`` are the days on which one was offered, and whether it was answered to the end. What lies before the
    week of the enrolment is not part of the course.
    """
    ids = [row.id for row in rows]
    first, last = monday_of(enrolled_on), monday_of(until)
    said: dict[tuple[date, str], list[Sign]] = {}
    heard: dict[tuple[date, str], list[bool]] = {}
    offered: dict[date, list[bool]] = {}
    for sign in signs:
        said.setdefault((monday_of(sign.on), sign.row), []).append(sign)
    for each in asked:
        heard.setdefault((monday_of(each.on), each.row), []).append(each.answered)
    for on, answered in checkins:
        offered.setdefault(monday_of(on), []).append(answered)
    weeks = []
    for number in range((last - first).days // 7 + 1):
        monday = first + timedelta(weeks=number)
        found = {row: said.get((monday, row), []) for row in ids}
        cells = {row: _cell(found[row], heard.get((monday, row), [])) for row in ids}
        weeks.append(
            Week(
                number=number + 1,
                monday=monday,
                cells=cells,
                state=max((cell.state for cell in cells.values()), key=_rank),
                checkin=_answered(offered.get(monday, [])),
                taken_back=tuple(sign for row in ids for sign in found[row] if sign.taken_back),
            )
        )
    return weeks


@dataclass(frozen=True, slots=True)
class Worst:
    """The worst of one row since a day, and when it was so the last time; urgency and score apart, as in a cell."""

    row: str
    urgency: Urgency | None
    score: int | None
    on: date

    @property
    def rank(self) -> tuple[int, int]:
        return (self.urgency.rank if self.urgency is not None else -1, self.score or 0)


def worst_since(weeks: Iterable[Week], day: date) -> list[Worst]:
    """Return the worst of each row that something was reported of on ``day`` or later, the most urgent first.

    What a correction took back counts no more. Of two that are equally bad the later one stands first.
    """
    signs: dict[str, list[Sign]] = {}
    for week in weeks:
        for row, cell in week.cells.items():
            signs.setdefault(row, []).extend(sign for sign in cell.signs if sign.on >= day)
    found = []
    for row, some in signs.items():
        urgencies = [sign.urgency for sign in some if sign.urgency is not None]
        score = max((sign.score for sign in some if sign.score), default=None)
        if not urgencies and score is None:
            continue
        level = highest(urgencies) if urgencies else None
        bad = [sign.on for sign in some if (sign.urgency == level if level is not None else sign.score == score)]
        found.append(Worst(row, level, score, max(bad)))
    return sorted(found, key=lambda each: (*each.rank, each.on), reverse=True)


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _rank(state: State) -> int:
    return list(State).index(state)


def _answered(answers: Sequence[bool]) -> State:
    if not answers:
        return State.NOT_ASKED
    return State.NOTHING if all(answers) else State.NO_ANSWER


def _cell(signs: Sequence[Sign], answers: Sequence[bool]) -> Cell:
    standing = tuple(sign for sign in signs if not sign.taken_back)
    urgencies = [sign.urgency for sign in standing if sign.urgency is not None]
    given = [sign.score for sign in standing if sign.score is not None]
    score = max(given, default=None)
    state = _answered(answers)
    if given and state is State.NOT_ASKED:
        state = State.NOTHING
    if urgencies or score:
        state = State.REPORTED
    return Cell(state, highest(urgencies) if urgencies else None, score, standing)


# What belongs where


@dataclass(frozen=True)
class CourseMap:
    """The rows of a trial, and how urgent each rule is at most; made once from its files."""

    rows: tuple[CourseRow, ...]
    by_score: tuple[str, ...]
    apart: Apart
    triage_rules: tuple[TriageRule, ...]
    score_rules: tuple[ScoreRule, ...]
    spoken: Mapping[str, Urgency]  # rules that words fire, at their most urgent
    measure_of: Mapping[str, str]  # rules of measured values

    @cached_property
    def rest(self) -> str:
        return next(row.id for row in self.rows if row.rest)

    @cached_property
    def _beginnings(self) -> list[tuple[str, str]]:
        pairs = [(start, row.id) for row in self.rows for start in row.rules]
        return sorted(pairs, key=lambda pair: -len(pair[0]))

    @cached_property
    def _urgencies(self) -> Mapping[str, Urgency]:
        of_answers = {rule.id: rule.urgency for rule in self.triage_rules}
        return of_answers | {rule.id: rule.urgency for rule in self.score_rules}

    def row_of_measure(self, measure: str) -> str:
        return next((row.id for row in self.rows if measure in row.measures), self.rest)

    def row_of_trouble(self, trouble: str) -> str:
        return next((row.id for row in self.rows if trouble in row.troubles), self.rest)

    def row_of_score(self, item: str) -> str:
        return next((row.id for row in self.rows if item in row.scores), self.rest)

    def row_of_rule(self, rule: str) -> str:
        """Return the row of a rule; the rest for one that these files do not know."""
        if rule in self.measure_of:
            return self.row_of_measure(self.measure_of[rule])
        return next((row for start, row in self._beginnings if rule.startswith(start)), self.rest)

    def of_symptoms(self, rules: Iterable[str]) -> list[str]:
        """Return the rules that say something of a symptom."""
        return [rule for rule in rules if rule != UNFINISHED and not rule.startswith(self.apart.rules)]

    def asked_about(self, questionnaire: Questionnaire) -> dict[str, list[Item]]:
        """Return the items that ask about each row: its scores, and the dangers that a check-in begins with.

        The questions of a report ask about none: who names a fever has not denied a bleeding.
        """
        found: dict[str, list[Item]] = {}
        for item in questionnaire.items:
            rows: set[str] = set()
            if item.id == questionnaire.hands_over:
                rows = {self.row_of_trouble(option.id) for option in item.options if not option.exclusive}
            elif item.kind is ItemKind.SCORE:
                rows = {self.row_of_score(item.id)}
            for row in sorted(rows - {self.rest}):
                found.setdefault(row, []).append(item)
        return found

    def words(self, rules: Sequence[str], urgency: Urgency) -> dict[str, Urgency]:
        """Return how urgent free words are for each row: in the worst one, as urgent as they were read."""
        named = [(self.row_of_rule(rule), self.spoken.get(rule, urgency)) for rule in self.of_symptoms(rules)]
        capped = [(row, min(level, urgency, key=lambda each: each.rank)) for row, level in named]
        if not capped and any(rule.startswith(self.apart.rules) for rule in rules):
            return {}
        return self._at_least(capped, urgency)

    def answers(
        self,
        questionnaire: Questionnaire,
        given: Answers,
        before: Mapping[str, int],
        because: Sequence[str],
        urgency: Urgency | None,
    ) -> dict[str, Urgency]:
        """Return how urgent a report or a check-in is for each row.

        ``before`` are the last scores of earlier check-ins. What no rule explains (where it stopped) counts for every
        row that was named, or for the rest; a trouble that was named counts as green at least.
        """
        present = scores(questionnaire, given)
        named = [
            (row, self._urgencies.get(rule, self.spoken.get(rule, urgency or Urgency.AMBER)))
            for rule in self.of_symptoms(because)
            for row in self._rows_of(rule, present, before)
        ]
        named += [(row, Urgency.GREEN) for row in self._troubles(questionnaire, given)]
        return self._at_least(named, urgency if UNFINISHED in because and urgency else Urgency.GREEN)

    def standing(
        self, questionnaire: Questionnaire, given: Answers, before: Mapping[str, int], because: Sequence[str]
    ) -> list[str]:
        """Return what of ``because`` these answers, corrected since, still say; what is not known is the worst.

        A rule that these files do not have stays, and so does that a report stopped until it is complete.
        """
        present = scores(questionnaire, given)
        fired = {rule.id for rule in self.triage_rules if holds(rule.when, given, Facts())}
        fired |= {
            rule.id
            for rule in self.score_rules
            if any(score_fires(rule, score, before.get(item)) for item, score in present.items())
        }
        if not is_complete(questionnaire, given):
            fired.add(UNFINISHED)
        known = {UNFINISHED, *self._urgencies}
        return [rule for rule in because if rule in fired or rule not in known]

    def _rows_of(self, rule: str, present: Mapping[str, int], before: Mapping[str, int]) -> set[str]:
        if rule not in self.by_score:
            return {self.row_of_rule(rule)}
        fired: set[str] = set()
        for each in self.score_rules:
            if each.id == rule:
                fired = {item for item, score in present.items() if score_fires(each, score, before.get(item))}
        for other in self.triage_rules:
            if other.id == rule:
                fired = {one.item for one in comparisons(other.when) if one.item and holds(one, dict(present))}
        return {self.row_of_score(item) for item in fired} or {self.rest}

    def _troubles(self, questionnaire: Questionnaire, given: Answers) -> list[str]:
        known = {trouble for row in self.rows for trouble in row.troubles}
        first = questionnaire.hands_over or next((item.id for item in questionnaire.items), "")
        value = given.get(first)
        chosen = value if isinstance(value, tuple) else (value,)
        return [self.row_of_trouble(each) for each in chosen if isinstance(each, str) and each in known]

    def _at_least(self, named: Iterable[tuple[str, Urgency]], urgency: Urgency) -> dict[str, Urgency]:
        found: dict[str, Urgency] = {}
        for row, level in named:
            found[row] = highest((level, found.get(row, Urgency.GREEN)))
        if urgency.rank > highest(found.values()).rank:
            return dict.fromkeys(found or [self.rest], urgency)
        return found


def unanswered(items: Sequence[Item], given: Answers) -> bool:
    """Return whether one of these items was to be answered and was not."""
    return any(item.id not in given and is_asked(item, given) for item in items)
