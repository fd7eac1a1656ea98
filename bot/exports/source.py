"""What is there to export? The records of one subject after the other: memory does not grow with the trial."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy.orm import defer
from sqlmodel import Session, SQLModel, col, select

from bot.domain.questionnaires import Item
from bot.errors import FollowupError
from bot.protocol.model import Protocol
from bot.store.models import (
    AdverseEvent,
    Answer,
    DoseChange,
    DoseOrder,
    DoseReport,
    DoseReview,
    Escalation,
    EscalationStep,
    LabRelease,
    Link,
    Measurement,
    Response,
    StaffMember,
    Subject,
    SubjectChange,
    TabletCount,
    Visit,
    VisitRecord,
    Weight,
)
from bot.texts import Texts

T = TypeVar("T", bound=SQLModel)


class PeriodEmpty(FollowupError):
    """The period of an export ends before it begins."""


@dataclass(frozen=True, slots=True)
class Period:
    """The days that are exported, both ends included; None: open."""

    first_on: date | None = None
    last_on: date | None = None

    def __post_init__(self) -> None:
        if self.first_on is not None and self.last_on is not None and self.last_on < self.first_on:
            raise PeriodEmpty

    def has(self, day: date) -> bool:
        return (self.first_on is None or day >= self.first_on) and (self.last_on is None or day <= self.last_on)


@dataclass(frozen=True, slots=True)
class Source:
    """The database as one transaction sees it, and how its values are said."""

    session: Session
    protocol: Protocol
    texts: Texts
    zone: ZoneInfo
    locale: str
    period: Period

    def moment(self, at: datetime | None) -> str:
        """Return a time as ISO 8601 with the offset of the site's zone; empty when there is none."""
        return "" if at is None else at.astimezone(self.zone).isoformat()

    def day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def within(self, at: date | datetime) -> bool:
        """Return whether a day or a time lies in the period, by the calendar of the site."""
        return self.period.has(self.day(at) if isinstance(at, datetime) else at)

    def text(self, key: str) -> str:
        return self.texts.text(key, self.locale)

    def item(self, questionnaire: str, item: str) -> Item | None:
        """Return a question as the protocol has it today; None when it has it no longer."""
        found = self.protocol.questionnaires.get(questionnaire)
        return next((each for each in found.items if each.id == item), None) if found is not None else None

    def subjects(self) -> Iterator["SubjectRecords"]:
        """Yield every subject with its records; those of the one before are let go of."""
        staff = {each.account_id: f"staff:{each.id}:{each.role}" for each in self.session.exec(select(StaffMember))}
        numbers = self.session.exec(select(Subject.id).order_by(col(Subject.code))).all()
        for number in numbers:
            yield SubjectRecords(self, self.session.get_one(Subject, number), staff)
            self.session.expunge_all()


class SubjectRecords:
    """One subject with everything that is stored about it; each table is read when it is first asked for."""

    def __init__(self, source: Source, subject: Subject, staff: Mapping[int, str]) -> None:
        self.source = source
        self.subject = subject
        self.staff = staff

    @property
    def code(self) -> str:
        return self.subject.code

    def _all(self, model: type[T]) -> Sequence[T]:
        table: Any = model
        return self.source.session.exec(
            select(table).where(table.subject_id == self.subject.id).order_by(col(table.id))
        ).all()

    @cached_property
    def links(self) -> Sequence[Link]:
        return self._all(Link)

    @cached_property
    def changes(self) -> Sequence[SubjectChange]:
        return self._all(SubjectChange)

    @cached_property
    def weights(self) -> Sequence[Weight]:
        return self._all(Weight)

    @cached_property
    def visits(self) -> Sequence[Visit]:
        return self._all(Visit)

    @cached_property
    def records(self) -> Mapping[int, list[VisitRecord]]:
        """Return what was recorded by visit, the first version first."""
        found: dict[int, list[VisitRecord]] = defaultdict(list)
        query = select(VisitRecord).join(Visit).where(Visit.subject_id == self.subject.id)
        for each in self.source.session.exec(query.order_by(col(VisitRecord.visit_id), col(VisitRecord.version))):
            found[each.visit_id].append(each)
        return found

    @cached_property
    def orders(self) -> Sequence[DoseOrder]:
        return self._all(DoseOrder)

    @cached_property
    def dose_changes(self) -> Sequence[DoseChange]:
        return self._all(DoseChange)

    @cached_property
    def reviews(self) -> Sequence[DoseReview]:
        return self._all(DoseReview)

    @cached_property
    def days(self) -> Mapping[date, list[DoseReport]]:
        """Return what was said of each day's tablets, the first version first."""
        found: dict[date, list[DoseReport]] = defaultdict(list)
        for each in sorted(self._all(DoseReport), key=lambda report: (report.day_on, report.version)):
            found[each.day_on].append(each)
        return found

    @cached_property
    def counts(self) -> Sequence[list[TabletCount]]:
        """Return the counts of tablets, each with all its versions, in the order in which they were entered."""
        found: dict[str, list[TabletCount]] = defaultdict(list)
        for each in self._all(TabletCount):
            found[each.occasion].append(each)
        return [sorted(versions, key=lambda count: count.version) for versions in found.values()]

    @cached_property
    def values(self) -> Sequence[list[Measurement]]:
        """Return the measured values, each with all its versions, in the order in which they were entered."""
        found: dict[tuple[str, str], list[Measurement]] = defaultdict(list)
        # The words as they were typed are not exported, and opening them takes most of the time.
        query = select(Measurement).where(Measurement.subject_id == self.subject.id).order_by(col(Measurement.id))
        for each in self.source.session.exec(query.options(defer(Measurement.said))):  # type: ignore[arg-type]
            found[each.occasion, each.measure].append(each)
        return [sorted(versions, key=lambda value: value.version) for versions in found.values()]

    @cached_property
    def releases(self) -> Sequence[LabRelease]:
        return self._all(LabRelease)

    @cached_property
    def responses(self) -> Sequence[Response]:
        return self._all(Response)

    @cached_property
    def answers(self) -> Mapping[int, list[list[Answer]]]:
        """Return the answers by response, each with all its versions, in the order in which they were first given."""
        found: dict[int, dict[str, list[Answer]]] = defaultdict(lambda: defaultdict(list))
        query = select(Answer).join(Response).where(Response.subject_id == self.subject.id)
        for each in self.source.session.exec(query.order_by(col(Answer.id))):
            found[each.response_id][each.item].append(each)
        return {
            number: [sorted(versions, key=lambda answer: answer.version) for versions in items.values()]
            for number, items in found.items()
        }

    @cached_property
    def events(self) -> Mapping[int, list[AdverseEvent]]:
        """Return the adverse events by their number, the first version first."""
        found: dict[int, list[AdverseEvent]] = defaultdict(list)
        for each in sorted(self._all(AdverseEvent), key=lambda event: (event.number, event.version)):
            found[each.number].append(each)
        return found

    @cached_property
    def cases(self) -> Sequence[Escalation]:
        return self._all(Escalation)

    @cached_property
    def steps(self) -> Mapping[int, list[EscalationStep]]:
        """Return what happened to each case, in that order."""
        found: dict[int, list[EscalationStep]] = defaultdict(list)
        query = select(EscalationStep).join(Escalation).where(Escalation.subject_id == self.subject.id)
        for each in self.source.session.exec(query.order_by(col(EscalationStep.id))):
            found[each.escalation_id].append(each)
        return found
