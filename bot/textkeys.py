"""Which text keys are made at run time, such as ``role.`` and a role, and which members has each family?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bot.domain import judging
from bot.domain.adherence import DoseStatus
from bot.domain.adverse_events import Action, Criterion, Outcome, Relation, Standing
from bot.domain.course import Source
from bot.domain.dose_reviews import ReviewState, Unordered
from bot.domain.dosing import BandPosition, Change, Formulation
from bot.domain.drills import DrillOutcome, DrillState
from bot.domain.escalation import CaseState, Lapse
from bot.domain.kpi import Group, Hours, Stage
from bot.domain.measures import Doubt
from bot.domain.participation import ParticipationState
from bot.domain.reach import Lost
from bot.domain.rhythm import Rhythm
from bot.domain.roles import CLINICAL, Role
from bot.domain.rota import Level
from bot.domain.stalled import Finding
from bot.domain.tablet_counts import CountKind, Unsaid
from bot.domain.urgency import Urgency
from bot.domain.visits import Deviation, VisitKind, VisitStatus
from bot.domain.zones import ZONES
from bot.protocol.load import bundled
from bot.store import adverse_events, measurements, visits
from bot.store import evidence as came
from bot.store import tablet_counts as stored_counts
from bot.texts import LOCALES
from bot.usecases import (
    adherence,
    adherence_one,
    adherence_site,
    arms,
    cases,
    closing,
    course,
    dose_days,
    dose_forms,
    enrol,
    event_forms,
    events,
    evidence,
    export,
    forms,
    invite,
    kpi,
    labs,
    my_month,
    readings,
    reasons,
    record_visit,
    review_screens,
    screens,
    shifts,
    tablet_counts,
    weekly_digest,
)
from bot.usecases.on_call import StandIn
from handlers import messages

Members = Callable[[], Iterable[str]]

_REPLIES = ("will_come", "another_day", "need_help", "came", "could_not")
_RELATIONS = ("patient", "caregiver", "staff", "bot")
# The status of a visit that is still planned; the others are the visit's own state.
_OPEN_STATUSES = (VisitStatus.PLANNED, VisitStatus.DUE, VisitStatus.LATE, VisitStatus.VERY_LATE)


def _form_fields() -> Iterable[str]:
    for form in forms.FORMS.values():
        if form.names:
            yield from (f"{form.names}.{field.name}" for field in form.fields)


def _commands() -> Iterable[str]:
    return {name for names in screens.COMMANDS.values() for name in names}


def _event_facts() -> Iterable[str]:
    """Return the facts of an adverse event that its card shows."""
    return (*event_forms.FACTS, "grade", "serious", *(f"relation_{name}" for name in events.MEDICINES))


# The pattern is the f-string with a star for each value, as `bot.messages` finds it in the code.
# The members are what stands for the last star; those of "*.*" are whole keys.
FAMILIES: Mapping[str, Members] = {
    "*.*": _form_fields,
    "adherence.button.period.*": lambda: adherence_one.OFFERED.values(),
    "adherence.button.sort.*": lambda: adherence_site.SORTS,
    "adherence.changed.*": lambda: ("order", *Change, "rhythm", adherence.FELL),
    "adherence.history.*": lambda: Change,
    "adherence.site.row.*": lambda: ("below", "plain"),
    "adherence.sort.*": lambda: adherence_site.SORTS,
    "adherence.status.*": lambda: (status for status in DoseStatus if status is not DoseStatus.NOT_ORDERED),
    "arm.order.*": lambda: (arms.AS_BEFORE, arms.NEW),
    "brief.what.*": lambda: ("weight", "pressure", "ferritin"),
    "case.ask.*": lambda: Lapse,
    "case.found.*": lambda: Finding,
    "case.lapse.*": lambda: Lapse,
    "case.read_back.*": lambda: cases.READ_BACKS,
    "case.read_back.do.*": lambda: cases.READ_BACKS,
    "case.state.*": lambda: CaseState,
    # Collected from the calls of `escalate.step`, whose words become the keys.
    "case.step.*": lambda: (),
    "command.*": _commands,
    "counts.doubt.*": lambda: tablet_counts.DOUBTS,
    "counts.gap.*": lambda: ("above", "below"),
    "counts.kind.*": lambda: CountKind,
    "counts.source.*": lambda: (stored_counts.PATIENT, stored_counts.STAFF),
    "counts.why.*": lambda: (why for why in Unsaid if why is not Unsaid.MORE_LEFT),
    "course.level.*": lambda: Urgency,
    "course.source.*": lambda: (*Source, "value_unverified"),
    "course.state.*": lambda: course.LEGEND,
    "deviation.*": lambda: Deviation,
    "dose.times.*": lambda: map(str, range(1, bundled().tablets.most_times_a_day + 1)),
    "dose_order.ask.why.*": lambda: Change,
    "dose_order.hold.*": lambda: (dose_forms.GOES_ON, dose_forms.STAYS),
    "dose_order.named.*": lambda: Change,
    "dose_order.position.*": lambda: BandPosition,
    "dose_order.refused.*": lambda: Change,
    "dose_order.stands.*": lambda: (Change.HOLD, Change.STOP),
    "dose_order.summary.*": lambda: Change,
    "drill.figure.*": lambda: ("first_page", "viewed", "taken", "read_back"),
    "drill.how.*": lambda: dict.fromkeys((*DrillState, *DrillOutcome)),
    "due.reply.*": lambda: (*_REPLIES, "none", "not_delivered"),
    "due.status.*": lambda: _OPEN_STATUSES,
    "duty.*": lambda: ("on", "off"),
    "duty.button.*": lambda: ("on", "off"),
    "enrol.invitation.*": lambda: (invite.PATIENT, invite.CAREGIVER),
    "enrol.qr.*": lambda: (invite.PATIENT, invite.CAREGIVER),
    "evidence.what.*": lambda: (*evidence.KINDS, came.ALBUM),
    "event.action.*": lambda: Action,
    "event.ask.action_*": lambda: events.MEDICINES,
    "event.ask.relation_*": lambda: events.MEDICINES,
    "event.field.*": _event_facts,
    "event.outcome.*": lambda: Outcome,
    "event.relation.*": lambda: Relation,
    "event.standing.*": lambda: Standing,
    "event.what.*": lambda: adverse_events.KINDS,
    "event.why.*": lambda: Criterion,
    "formulation.*": lambda: Formulation,
    "export.button.*": lambda: export.FORMS,
    "kpi.group.*": lambda: Group,
    "kpi.hours.*": lambda: Hours,
    "kpi.stage.*": lambda: Stage,
    "kpi.time.*": lambda: kpi.UNITS,
    "labs.source.*": lambda: measurements.SOURCES,
    "labs.transfused.*": lambda: (*judging.TRANSFUSIONS, "both"),
    "language.*": lambda: LOCALES,
    "measure.doubt.*": lambda: Doubt,
    "measure.name.*": lambda: bundled().measures.by_id,
    "measure.place.*": lambda: readings.PLACES,
    "case.page.stand_in.*": lambda: (StandIn.FALLBACK, StandIn.EVERYONE),
    "month.days.*": lambda: my_month.SAID,
    "month.legend.*": lambda: my_month.SAID,
    "oncall.level.*": lambda: Level,
    "oncall.line.*": lambda: Level,
    "oncall.offer_state.*": lambda: shifts.STATES,
    "participation.*": lambda: ParticipationState,
    "patient.reach.*": lambda: ("linked", "blocked"),
    "reading.place.*": lambda: (*readings.PLACES, readings.UNSURE),
    "reading.what.*": lambda: readings.KINDS,
    "reason.*": lambda: reasons.CODES,
    "review.state.*": lambda: ReviewState,
    "review.unordered.*": lambda: Unordered,
    "reach.because.*": lambda: Lost,
    "relation.*": lambda: _RELATIONS,
    "report.button.show_of.*": lambda: bundled().questionnaires,
    "rhythm.*": lambda: Rhythm,
    "report.short.*": lambda: (item.id for each in bundled().questionnaires.values() for item in each.items),
    "role.*": lambda: Role,
    "role.shown.*": lambda: CLINICAL,
    "silent.why.*": lambda: Lost,
    "speak.other.*": lambda: (*messages.OTHERS, "unknown"),
    "tablets.status.*": lambda: (DoseStatus.TAKEN, DoseStatus.PARTLY, DoseStatus.NOT_TAKEN, dose_days.NOT_YET),
    "urgency.*": lambda: Urgency,
    "visit.bring.*": lambda: (kind.preparation for kind in VisitKind if kind.is_told),
    "visit.kind.*": lambda: VisitKind,
    "visit.outcome.*": lambda: (visits.DONE, visits.MISSED, visits.NOT_NEEDED, record_visit.WILL_COME),
    "visit.reply.*": lambda: (*_REPLIES, "none", "not_delivered"),
    "visit.short.*": lambda: VisitKind,
    "visit.source.*": lambda: visits.SOURCES,
    "weekly.bar.*": lambda: weekly_digest.BARS,
    "weekly.tile.*": lambda: weekly_digest.TILES,
    "zone.*": lambda: ZONES,
}

# What the code gives to texts that the trial's files name, by the beginning of the key. None: to none of these.
PROTOCOL_VALUES: Mapping[str, frozenset[str]] = {
    "reminder.": frozenset({"day", "what", "bring", "place", "phone"}),
    "triage.": frozenset({"phone"}),
    "consent.text": frozenset({"phone"}),
    "dose.intake.": frozenset({"phone"}),
    "dose.told.": frozenset({"day", "order", "phone"}),
    "outcome.told.": frozenset({"day", "phone"}),
}


def members(pattern: str) -> list[str] | None:
    """Return the keys of a family in order, or None when no family has this pattern."""
    family = FAMILIES.get(pattern)
    if family is None:
        return None
    return sorted(str(member) if pattern == "*.*" else pattern.removesuffix("*") + member for member in family())


def protocol_values(key: str) -> frozenset[str]:
    """Return the placeholders that have a value in a text which the trial's files name."""
    given: set[Any] = set()
    for beginning, names in PROTOCOL_VALUES.items():
        if key.startswith(beginning):
            given |= names
    return frozenset(given)


_MODULES = (
    arms,
    closing,
    dose_forms,
    enrol,
    event_forms,
    labs,
    record_visit,
    tablet_counts,
    review_screens,
)  # Importing it registers the dialogues whose fields are named by keys.
