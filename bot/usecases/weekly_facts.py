"""What happened in a week, and what is to be done now? The one reading behind the digest's text and its picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction

from bot.domain.calendar import Closure
from bot.domain.kpi import CaseFacts, Durations, Group, Stage, Waiting, durations, waiting_now
from bot.domain.visits import VisitKind, VisitStatus
from bot.store import visits as stored
from bot.store import weekly
from bot.store.models import Subject
from bot.usecases import adherence, due, escalate, kpi_facts, reach
from bot.work import Work

AHEAD_DAYS = 7
LATE = (VisitStatus.LATE, VisitStatus.VERY_LATE)


@dataclass(frozen=True, slots=True)
class Tablets:
    """Whose tablets staff should look at: codes, with the exact share where there is one, the worst first."""

    below: Sequence[tuple[str, Fraction]] = ()
    unknown: Sequence[tuple[str, Fraction]] = ()
    ran_out: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Coming:
    """One of the coming days: how many patients are expected, and whether the clinic is open."""

    on: date
    patients: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class WeekFacts:
    """The figures of some days, ``first_on`` to ``last_on``, and how things stand now.

    Of the days are ``held`` to ``important``: cases by urgency are those opened on them, ``checkins`` those handed
    in, of their own accord or not, and ``answered`` those of the ``offered`` ones. All the rest is of now.
    """

    first_on: date
    last_on: date
    held: int
    missed: int
    moved: int
    reports: int
    checkins: int
    offered: int
    answered: int
    cases: Sequence[tuple[Group, Durations]]
    deviations: int
    important: int
    open_cases: int
    waiting: Waiting
    overdue: Sequence[str]
    silent: Sequence[str]
    tablets: Tablets
    reviews: Sequence[str]
    ahead: Sequence[Coming]
    closures: Sequence[Closure]

    @property
    def nothing_to_do(self) -> bool:
        """Tell whether nothing waits for a person: no case, no visit, nobody to be reached or looked at."""
        lists = (self.overdue, self.silent, self.reviews, self.tablets.below, self.tablets.unknown)
        return not (self.open_cases or self.deviations or self.tablets.ran_out or any(lists))


def gather(work: Work, first_on: date, last_on: date) -> WeekFacts:
    """Return the figures of the site's days from ``first_on`` to ``last_on``, both included, and of now."""
    session, today = work.session, work.today
    since, until = _midnight(work, first_on), _midnight(work, last_on + timedelta(days=1))
    outcomes = stored.outcomes_between(session, first_on, last_on)
    reports, checkins = _handed_in(work, since, until)
    offered, answered = weekly.checkins(session, first_on, last_on)
    opened, open_now = kpi_facts.between(work, since, until)
    deviations, important = stored.count_deviations(session, first_on, last_on)
    late = [
        subject.code
        for visit, subject in weekly.gone_by(session, today, due.EXPECTED)
        if due.status_of(work, visit) in LATE
    ]
    silent = [session.get_one(Subject, number).code for number in reach.lost(work)]
    ends = today + timedelta(days=AHEAD_DAYS - 1)
    return WeekFacts(
        first_on=first_on,
        last_on=last_on,
        held=outcomes.get(stored.DONE, 0),
        missed=outcomes.get(stored.MISSED, 0),
        moved=stored.count_moved(session, first_on, last_on),
        reports=reports,
        checkins=checkins,
        offered=offered,
        answered=answered,
        cases=_taken_over(work, opened),
        deviations=deviations,
        important=important,
        open_cases=escalate.count_open(work),
        waiting=waiting_now(open_now, work.now),
        overdue=list(dict.fromkeys(late)),
        silent=silent,
        tablets=tablets(work),
        reviews=list(weekly.open_reviews(session)),
        ahead=_ahead(work, today, ends),
        closures=work.clinic.closures(today, ends, at_least=1),
    )


def tablets(work: Work) -> Tablets:
    """Return whose tablets the table of the site points out: below the share, not known, or ran out."""
    below: list[tuple[str, Fraction]] = []
    unknown: list[tuple[str, Fraction]] = []
    ran_out: list[str] = []
    for row in adherence.of_site(work.session, work.deps, work.today):
        if row.is_below and row.recent is not None and row.recent.taken_share is not None:
            below.append((row.code, row.recent.taken_share))
        if row.is_silent and row.recent is not None and row.recent.unknown_share is not None:
            unknown.append((row.code, row.recent.unknown_share))
        if row.ran_out_on is not None:
            ran_out.append(row.code)
    below.sort(key=lambda each: each[1])
    unknown.sort(key=lambda each: -each[1])
    return Tablets(below, unknown, ran_out)


def _handed_in(work: Work, since: datetime, until: datetime) -> tuple[int, int]:
    """Return how many reports and how many check-ins were handed in."""
    regular = [each.id for each in work.protocol.questionnaires.values() if each.hands_over]
    counted = weekly.handed_in(work.session, since, until)
    checkins = sum(counted.get(name, 0) for name in regular)
    return sum(counted.values()) - checkins, checkins


def _taken_over(work: Work, opened: Sequence[CaseFacts]) -> list[tuple[Group, Durations]]:
    split = {group: [case for case in opened if case.group is group] for group in Group}
    return [(group, durations(some, Stage.ACKNOWLEDGED, work.now)) for group, some in split.items() if some]


def _ahead(work: Work, first: date, last: date) -> list[Coming]:
    told = [kind for kind in VisitKind if kind.is_told]
    patients = weekly.expected(work.session, told, due.EXPECTED, first, last)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return [Coming(day, patients.get(day, 0), work.clinic.is_open(day)) for day in days]


def _midnight(work: Work, day: date) -> datetime:
    return datetime.combine(day, time(), work.settings.zone)
