"""What does a trial consist of, once its files have been read?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import time
from typing import ClassVar, Literal

from pydantic import ConfigDict

from bot.domain.adherence import SummaryRule
from bot.domain.adverse_events import SeriousRule, Suggestion, Term
from bot.domain.calendar import ClosureRule
from bot.domain.course import Apart, CourseMap, CourseRow
from bot.domain.dose_reviews import Conclusion, ReviewRule
from bot.domain.dosing import DoseBand, Formulation
from bot.domain.drills import DrillRule
from bot.domain.escalation import Chain
from bot.domain.freetext import Lexicon
from bot.domain.judging import MeasureRule
from bot.domain.kpi import KpiRule
from bot.domain.lexicon import Combination, Concept, NumberBand
from bot.domain.measures import Giver, Measure, OtherTest
from bot.domain.questionnaires import Questionnaire
from bot.domain.reach import ReachRule
from bot.domain.reminders import (
    AnotherDay,
    ChaseStep,
    CheckinPlan,
    DailyLimit,
    DosePrompt,
    QuietHours,
    ReminderStep,
    RemindLater,
)
from bot.domain.rota import RotaRule
from bot.domain.scores import ScoreRule
from bot.domain.second_channel import SecondChannel
from bot.domain.staff_lists import BriefRule, WeeklyRule
from bot.domain.stalled import Graces
from bot.domain.tablet_counts import CountRule
from bot.domain.triage import TriageRule
from bot.domain.urgency import Urgency, highest
from bot.domain.visits import EvaluationRule, VisitKind, VisitRule

# A word that no field knows is an error, and so is a number in quotes; this reaches every nested value.
STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of the trial. ``name`` is a text key."""

    code: str
    name: str
    injections: bool
    tablets: bool


@dataclass(frozen=True, slots=True)
class EntryLimits:
    """Who can be enrolled: whole years and kilograms, both ends included."""

    age_from: int
    age_to: int
    weight_from_kg: float
    weight_to_kg: float
    weight_confirm_change_percent: float


@dataclass(frozen=True, slots=True)
class Choice:
    """A coded choice with the text key of its wording.

    ``opens_report``: the symptom report follows it. ``tell_staff``: it becomes a case of this urgency.
    ``same_day``: the subject is told whether staff see it today. ``shows_order``: the order as staff wrote it.
    ``asks_doctor``: which doctor said so, and since when, is asked besides.
    """

    code: str
    text: str
    opens_report: bool = False
    tell_staff: Urgency | None = None
    same_day: bool = False
    shows_order: bool = False
    asks_doctor: bool = False


@dataclass(frozen=True, slots=True)
class IntakeText:
    """How one formulation is taken, as a text key; subjects find it only once the site has approved it."""

    text: str
    approved: bool


@dataclass(frozen=True, slots=True)
class DoseDates:
    """How many days back and ahead of today an order or a change of it may be dated, both included."""

    days_back: int
    days_ahead: int


@dataclass(frozen=True, slots=True)
class DoseTold:
    """The words, as text keys, in which a subject is told what staff ordered; none are sent unless ``approved``.

    A message that was not shown within ``useful_days`` lapses.
    """

    version: str
    approved: bool
    useful_days: int
    order: str
    start: str
    hold: str
    resume: str
    stop: str
    withdrawn: str

    def texts(self) -> tuple[str, ...]:
        """Return all text keys."""
        return (self.order, self.start, self.hold, self.resume, self.stop, self.withdrawn)


@dataclass(frozen=True, slots=True)
class Tablets:
    """What can be ordered and asked about deferasirox; strengths in mg."""

    formulations: tuple[Formulation, ...]
    strengths_mg: tuple[int, ...]
    most_units_per_day: int
    most_times_a_day: int
    dated: DoseDates
    told: DoseTold
    dose_bands: tuple[DoseBand, ...]
    counts: CountRule
    skip_reasons: tuple[Choice, ...]
    intake_texts: Mapping[Formulation, IntakeText]

    def intake_text(self, formulation: str) -> str | None:
        """Return the text key of how a formulation is taken, or None where the site has approved none."""
        found = self.intake_texts.get(Formulation(formulation))
        return found.text if found is not None and found.approved else None


@dataclass(frozen=True, slots=True)
class Consent:
    """The consent text of one version and the separate agreements under it, as text keys."""

    version: str
    text: str
    agreements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrialFile:
    """protocol.yaml."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    id: str
    title: str
    version: str
    timezone: str
    arms: tuple[Arm, ...]
    entry: EntryLimits
    tablets: Tablets
    consent: Consent


@dataclass(frozen=True, slots=True)
class VisitsFile:
    """visits.yaml."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    visits: tuple[VisitRule, ...]
    evaluation: EvaluationRule
    closures: ClosureRule


@dataclass(frozen=True, slots=True)
class RemindersFile:
    """reminders.yaml."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    visit_reminders: tuple[ReminderStep, ...]
    visit_day_ends: time
    remind_later: RemindLater
    another_day: AnotherDay
    missed_visit: tuple[ChaseStep, ...]
    daily_limit: DailyLimit
    quiet_hours: QuietHours
    dose_prompt: DosePrompt
    checkin: CheckinPlan
    yellow_at: time
    reach: ReachRule
    brief: BriefRule
    weekly_digest: WeeklyRule


@dataclass(frozen=True, slots=True)
class ItemsFile:
    """items.yaml."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    correct_days: int
    questionnaires: tuple[Questionnaire, ...]


@dataclass(frozen=True, slots=True)
class WeeklyFile:
    """items_weekly.yaml."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    questionnaires: tuple[Questionnaire, ...]


@dataclass(frozen=True, slots=True)
class TriageFile:
    """triage.yaml."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    scores: tuple[ScoreRule, ...]
    rules: tuple[TriageRule, ...]


@dataclass(frozen=True, slots=True)
class LexiconFile(Lexicon):
    """lexicon.yaml."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class EscalationFile:
    """escalation.yaml."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    digest: DigestRule
    conversation: ConversationRule
    kpi: KpiRule
    adherence: SummaryRule
    auditor: Graces
    drill: DrillRule
    chains: tuple[Chain, ...]
    rota: RotaRule
    outcomes: tuple[CaseOutcome, ...]
    second_channel: SecondChannel


@dataclass(frozen=True, slots=True)
class DigestRule:
    """How long what can wait for the next working day may wait, in days, however long the clinic is closed."""

    waits_at_most_days: int


@dataclass(frozen=True, slots=True)
class ConversationRule:
    """For how many hours after a message of staff a subject's words belong to it, without a button."""

    open_hours: int


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """How a case may end: its wording for staff, what the subject hears of a symptom case, and which cases it fits.

    ``contact``: it cannot be so unless staff were in touch with the subject.
    """

    code: str
    text: str
    of: tuple[Literal["symptom", "request"], ...]
    told: str | None = None
    contact: bool = False


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign that counts beside a value: rules whose ids begin like this say that it was reported."""

    id: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AgainWithin:
    """Two readings so many minutes apart, both ends included, are the same thing twice."""

    at_least: int
    at_most: int


@dataclass(frozen=True, slots=True)
class CaseFrom:
    """From which urgency on a value opens or joins a case, by who entered it."""

    patient: Urgency
    staff: Urgency


@dataclass(frozen=True, slots=True)
class MeasuresFile:
    """measures.yaml: what is measured, how it is read, and when it is urgent."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    measures: tuple[Measure, ...]
    pressure_names: tuple[str, ...]
    others: tuple[OtherTest, ...]
    counts_good_for_days: int
    after_platelets_days: int
    again_minutes: AgainWithin
    signs_hours: int
    silence_minutes: int
    case_from: CaseFrom
    released: tuple[str, ...]
    signs: tuple[Sign, ...]
    rules: tuple[MeasureRule, ...]

    @property
    def by_id(self) -> dict[str, Measure]:
        """Return the measures by their ids."""
        return {measure.id: measure for measure in self.measures}

    def signs_in(self, rules: Iterable[str]) -> frozenset[str]:
        """Return the signs that these rules, which fired, say were there."""
        fired = tuple(rules)
        return frozenset(sign.id for sign in self.signs if any(rule.startswith(sign.rules) for rule in fired))

    def case_needs(self, giver: Giver) -> Urgency:
        """Return from which urgency on a value of this giver becomes a case."""
        return self.case_from.patient if giver is Giver.PATIENT else self.case_from.staff


@dataclass(frozen=True, slots=True)
class AdverseEventsFile:
    """adverse_events.yaml: the terms of adverse events, what suggests them, and the clock of serious ones."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    terms: tuple[Term, ...]
    suggestions: tuple[Suggestion, ...]
    serious: SeriousRule

    @property
    def by_id(self) -> dict[str, Term]:
        """Return the terms by their ids."""
        return {term.id: term for term in self.terms}


@dataclass(frozen=True, slots=True)
class CourseFile:
    """course.yaml: which row of the course of symptoms everything belongs to."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    rows: tuple[CourseRow, ...]
    by_score: tuple[str, ...]
    apart: Apart


@dataclass(frozen=True, slots=True)
class ReviewsFile:
    """reviews.yaml: what asks an investigator to look at a dose, and how that may end."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    value_good_for_days: int
    chase_after_days: int
    conclusions: tuple[Conclusion, ...]
    rules: tuple[ReviewRule, ...]

    @property
    def by_id(self) -> dict[str, ReviewRule]:
        """Return the rules by their ids."""
        return {rule.id: rule for rule in self.rules}


@dataclass(frozen=True, slots=True)
class Protocol:
    """One trial as data, read from one folder; nothing in it changes while the bot runs."""

    id: str
    title: str
    version: str
    timezone: str
    arms: Mapping[str, Arm]
    entry: EntryLimits
    tablets: Tablets
    consent: Consent
    visits: Mapping[VisitKind, VisitRule]
    evaluation: EvaluationRule
    closures: ClosureRule
    reminders: tuple[ReminderStep, ...]
    visit_day_ends: time
    remind_later: RemindLater
    another_day: AnotherDay
    missed_visit: tuple[ChaseStep, ...]
    daily_limit: DailyLimit
    quiet_hours: QuietHours
    dose_prompt: DosePrompt
    checkin: CheckinPlan
    yellow_at: time
    reach: ReachRule
    brief: BriefRule
    weekly_digest: WeeklyRule
    correct_days: int
    questionnaires: Mapping[str, Questionnaire]
    triage_rules: tuple[TriageRule, ...]
    score_rules: tuple[ScoreRule, ...]
    lexicon: Lexicon
    measures: MeasuresFile
    reviews: ReviewsFile
    adverse_events: AdverseEventsFile
    digest: DigestRule
    conversation: ConversationRule
    course: CourseFile
    kpi: KpiRule
    adherence: SummaryRule
    auditor: Graces
    drill: DrillRule
    chains: Mapping[str, Chain]
    rota: RotaRule
    outcomes: tuple[CaseOutcome, ...]
    second_channel: SecondChannel

    @property
    def dose_bands(self) -> tuple[DoseBand, ...]:
        """Return the bands of the ordered dose; for staff only."""
        return self.tablets.dose_bands

    @property
    def skip_reasons(self) -> tuple[Choice, ...]:
        """Return the reasons a subject can give for tablets not taken."""
        return self.tablets.skip_reasons

    def course_map(self) -> CourseMap:
        """Return where everything belongs that can be reported, and how urgent words are at most."""
        spoken: dict[str, Urgency] = {}
        lexicon = self.lexicon
        named: tuple[Concept | Combination | NumberBand, ...] = (
            *lexicon.concepts,
            *lexicon.combinations,
            *lexicon.numbers,
        )
        for each in named:
            spoken[each.rule] = highest((each.urgency, spoken.get(each.rule, Urgency.GREEN)))
        return CourseMap(
            rows=self.course.rows,
            by_score=self.course.by_score,
            apart=self.course.apart,
            triage_rules=self.triage_rules,
            score_rules=self.score_rules,
            spoken=spoken,
            measure_of={rule.id: rule.measure for rule in self.measures.rules},
        )

    def chain_for(self, urgency: Urgency) -> Chain | None:
        """Return the chain of ``urgency``; both reds share one, and green has none."""
        return self.chains.get(chain_name(urgency))


def chain_name(urgency: Urgency) -> str:
    """Return the name under which escalation.yaml keeps the chain of ``urgency``."""
    return "red" if urgency.is_red else urgency.value
