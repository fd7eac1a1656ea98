"""What should have happened to each case, and did it? A second, plain reckoning of the chain.

It knows reports, presses, and what was tried to be sent; it never reads what the bot keeps about a case. Times are
those of the bot's clock. The numbers of the chains come from the trial's files, how they are used is written here
again, so that a fault in the bot's own reckoning is a difference.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from bot.domain.calendar import ClinicCalendar
from bot.domain.escalation import Chain
from bot.domain.roles import CLINICAL, EVERYONE, ON_DUTY
from bot.domain.urgency import Urgency
from bot.settings import Settings

LEAVES_WITHIN = timedelta(seconds=30)
# A message that can wait does not overtake one whose chat just failed.
AFTER_A_FAILURE = timedelta(minutes=3)
# After a step back the bot finds its place at the next look at its own pulse.
AFTER_A_STEP_BACK = timedelta(seconds=130)
MORNING = time(8, 30)
WAITS_AT_MOST_DAYS = 3
IN_A_DIGEST = 8
FREE, OWNED, CLOSED = "free", "owned", "closed"


@dataclass
class Member:
    """Somebody of staff: whom the chain means, and whether the bot was told that they cannot be reached."""

    number: int
    role: str
    on_duty: bool
    there: bool = True
    cut_off: bool = False


@dataclass
class Expected:
    """One round of pages: who should see it, and until when it should have left."""

    at: datetime
    by: datetime
    whom: frozenset[int]
    seen: set[int] = field(default_factory=set)


@dataclass
class Case:
    """A case as the judge reckons it."""

    number: int
    subject: int
    urgency: Urgency
    chain: Chain
    start: datetime
    state: str = FREE
    owner: int | None = None
    taken: datetime | None = None
    last: datetime | None = None
    read: datetime | None = None
    tried: datetime | None = None
    spoke: bool = False
    said: datetime | None = None
    was_told: bool = False  # at least one page was surely sent
    ended_by: int | None = None
    suspect: bool = False
    lenient: bool = False
    sources: set[str] = field(default_factory=set)
    waits_for: Expected | None = None
    due: datetime | None = None  # what `due_at` said when the case last changed

    def lapse_at(self) -> datetime | None:
        """Return when the case rings again although somebody has it."""
        if self.state != OWNED or self.spoke or self.taken is None:
            return None
        limits = self.chain.limits
        if self.read is None and self.tried is None and limits.read_back_minutes is not None:
            return self.taken + timedelta(minutes=limits.read_back_minutes)
        if limits.contact_minutes is None:
            return None
        return max(self.taken, self.tried or self.taken) + timedelta(minutes=limits.contact_minutes)

    def level(self, at: datetime) -> int:
        """Return the highest level whose time has come, 0 before the first."""
        passed = [n for n, step in enumerate(self.chain.steps) if self.start + _minutes(step.after_minutes) <= at]
        return max(passed, default=0)

    def page_at(self) -> datetime | None:
        """Return when the next page is due."""
        if self.state != FREE:
            return None
        if self.last is None:
            return self.start
        level = self.level(self.last)
        moments = []
        if level + 1 < len(self.chain.steps):
            moments.append(self.start + _minutes(self.chain.steps[level + 1].after_minutes))
        if (pause := self.chain.steps[level].repeat_minutes) is not None:
            moments.append(self.last + _minutes(pause))
        return min(moments, default=None)

    def due_at(self) -> datetime | None:
        return self.page_at() if self.state == FREE else self.lapse_at()


@dataclass
class Totals:
    reports: int = 0
    cases: int = 0
    pages: int = 0
    acknowledged: int = 0
    lapsed: int = 0
    handed_back: int = 0
    renewed: int = 0
    resolved: int = 0
    reopened: int = 0
    stale: int = 0
    worst: timedelta = timedelta()


class Judge:
    """Keeps the second reckoning, and what differed from it."""

    def __init__(self, chains: dict[str, Chain], settings: Settings, clinic: ClinicCalendar) -> None:
        self._chains, self._settings, self._clinic = chains, settings, clinic
        self.cases: dict[int, Case] = {}
        self.open_of: dict[int, int] = {}
        self.staff: dict[int, Member] = {}
        self.totals = Totals()
        self.broken: list[str] = []
        self._troubled: dict[int, datetime] = {}
        self._reported: set[int] = set()
        self._timers: list[tuple[datetime, int]] = []
        self._awaited: set[int] = set()

    def wrong(self, rule: str, words: str, at: datetime) -> None:
        """Keep what must not happen, in the order in which it was found."""
        self.broken.append(f"({rule}) {at:%d %H:%M:%S} {words}")

    # What time does

    def _changed(self, case: Case) -> None:
        """Reckon anew what comes next for a case."""
        case.due = None if case.state == CLOSED else case.due_at()
        if case.due is not None:
            heapq.heappush(self._timers, (case.due, case.number))
        if case.waits_for is not None:
            self._awaited.add(case.number)

    def next_due(self) -> datetime | None:
        """Return the next moment at which something should happen."""
        while self._timers:
            at, number = self._timers[0]
            if self.cases[number].due == at:
                return at
            heapq.heappop(self._timers)
        return None

    def advance(self, now: datetime) -> None:
        """Let pass what is due by ``now``; the bot is at work at this moment."""
        for number in sorted(self._awaited):
            self._look_late(self.cases[number], now)
        while (at := self.next_due()) is not None and at <= now:
            case = self.cases[heapq.heappop(self._timers)[1]]
            if case.state == OWNED:
                self._lapse(case, now)
            else:
                self._page(case, now)

    def _look_late(self, case: Case, now: datetime) -> None:
        waits = case.waits_for
        if waits is None:
            self._awaited.discard(case.number)
            return
        if waits.by >= now:
            return
        missing = [s for s in waits.whom - waits.seen if self.staff[s].there and not self.staff[s].cut_off]
        if not case.urgency.is_red and missing:
            # The line of a chat may be dead for longer than the wait after its first failure.
            tried = [self._troubled.get(each) for each in missing]
            again = [at + AFTER_A_FAILURE for at in tried if at is not None and waits.at <= at]
            if len(again) == len(missing) and max(again) >= now:
                waits.by = max(again)
                return
        case.waits_for = None
        self._awaited.discard(case.number)
        if not waits.seen and waits.whom:
            self.wrong("b", f"case {case.number}: no page left that was due at {waits.at:%H:%M:%S}", now)
        elif missing:
            self.wrong("b", f"case {case.number}: the page of {waits.at:%H:%M:%S} did not go to {missing}", now)

    def _page(self, case: Case, now: datetime) -> None:
        case.last = now
        step = case.chain.steps[case.level(now)]
        grace = AFTER_A_STEP_BACK if case.lenient else LEAVES_WITHIN
        whom = self._reached(step.roles)
        if not case.urgency.is_red:
            recent = [at for s in whom if (at := self._troubled.get(s)) is not None and now - at < AFTER_A_FAILURE]
            grace = AFTER_A_FAILURE if recent else grace
        self._look_late(case, now)
        case.waits_for = Expected(now, now + grace, frozenset(whom))
        self._changed(case)

    def _lapse(self, case: Case, now: datetime) -> None:
        self.totals.lapsed += 1
        level = 0 if case.last is None else min(case.level(case.last) + 1, len(case.chain.steps) - 1)
        self._free(case, now - _minutes(case.chain.steps[level].after_minutes))
        self._page(case, now)

    def _free(self, case: Case, start: datetime) -> None:
        case.state, case.owner, case.start, case.last = FREE, None, start, None
        case.taken = case.read = case.tried = case.said = case.waits_for = None
        case.spoke = False

    def _renew(self, case: Case, now: datetime) -> None:
        self._free(case, self._first(case, now))
        self._changed(case)
        if case.start <= now:
            self._page(case, now)

    def _first(self, case: Case, now: datetime) -> datetime:
        if case.urgency is not Urgency.YELLOW:
            return now
        zone = self._settings.zone
        local = now.astimezone(zone)
        day = local.date() if local.time() < MORNING else local.date() + timedelta(days=1)
        last = local.date() + timedelta(days=WAITS_AT_MOST_DAYS)
        while day < last and not self._clinic.is_open(day):
            day += timedelta(days=1)
        return datetime.combine(day, MORNING, zone).astimezone(now.tzinfo)

    def _reached(self, roles: Iterable[str]) -> list[int]:
        wanted = set(roles)
        clinical = [each for each in self.staff.values() if each.there and each.role in CLINICAL]
        meant = [
            each
            for each in clinical
            if each.role in wanted or EVERYONE in wanted or (ON_DUTY in wanted and each.on_duty)
        ]
        return [each.number for each in meant if not each.cut_off] or [
            each.number for each in clinical if not each.cut_off
        ]

    def set_clock(self, step: timedelta, by_pulse: timedelta, now: datetime) -> None:
        """Take in that the bot's clock was set by ``step``; what lies in the future after a step back comes along.

        It comes along by as much as the bot can know: by its last pulse, which is up to a minute old.
        """
        for number in self.open_of.values():
            case = self.cases[number]
            if case.waits_for is not None:
                case.waits_for.by = max(case.waits_for.by + step, now + LEAVES_WITHIN)
            if step > timedelta():
                continue
            case.lenient = True
            for name in ("start", "taken", "last", "read", "tried"):
                at = getattr(case, name)
                # The morning at which a list goes out is no moment of the past.
                if at is not None and at > now and not (name == "start" and case.urgency is Urgency.YELLOW):
                    setattr(case, name, at + by_pulse)
            self._changed(case)

    def up(self, now: datetime) -> None:
        """Take in that the bot works again."""
        for case in self.cases.values():
            if case.waits_for is not None:
                case.waits_for.by = max(case.waits_for.by, now + LEAVES_WITHIN)

    # What patients and staff do

    def report(
        self, subject: int, number: int, urgency: Urgency, source: str, now: datetime, *, suspect: bool
    ) -> None:
        """Take in a report, and the case that the bot says it belongs to."""
        self.totals.reports += 1
        self._reported.add(number)
        present = self.open_of.get(subject)
        if present is None:
            self._open(subject, number, urgency, now, suspect=suspect)
            self.cases[number].sources.add(source)
            return
        if number != present:
            self.wrong("g", f"subject {subject}: case {number} beside the open case {present}", now)
            return
        case = self.cases[number]
        known, first_suspect = bool(source) and source in case.sources, suspect and urgency is Urgency.AMBER
        case.sources.add(source)
        case.suspect = case.suspect or suspect
        if urgency.rank > case.urgency.rank:
            case.urgency, case.chain = urgency, self._chain(urgency, suspect=case.suspect)
        elif case.chain.urgency == "amber" and first_suspect:
            case.chain = self._chain(Urgency.AMBER, suspect=True)
        elif not (urgency.is_red and case.state == OWNED and not known):
            return
        self.totals.renewed += 1
        self._renew(case, now)

    def _open(self, subject: int, number: int, urgency: Urgency, now: datetime, *, suspect: bool) -> None:
        if number in self.cases:
            other = self.cases[number]
            self.wrong(
                "g", f"subject {subject}: put into case {number} of subject {other.subject}, {other.state}", now
            )
            return
        case = Case(number, subject, urgency, self._chain(urgency, suspect=suspect), now, suspect=suspect)
        self.cases[number], self.open_of[subject] = case, number
        self.totals.cases += 1
        case.start = self._first(case, now)
        self._changed(case)
        if case.start <= now:
            self._page(case, now)

    def _chain(self, urgency: Urgency, *, suspect: bool) -> Chain:
        if urgency is Urgency.AMBER and suspect:
            return self._chains["sae"]
        return self._chains["red" if urgency.is_red else str(urgency)]

    def press(self, member: int, action: str, number: int, now: datetime, *, spoke: bool = False) -> None:
        """Take in a press that reached the bot, by somebody who is staff at this moment."""
        case = self.cases.get(number)
        if case is None:
            return
        self._pressed(case, member, action, now, spoke=spoke)
        self._changed(case)

    def _pressed(self, case: Case, member: int, action: str, now: datetime, *, spoke: bool) -> None:
        match action:
            case "case.acknowledge" if case.state == FREE:
                self._take(case, member, now)
                if case.chain.limits.read_back_minutes is None:
                    case.said = now
            case "case.read_back" if case.state == OWNED and case.owner == member:
                case.read = case.read or now
                case.said = case.said or now
            case "case.contact" if case.state != CLOSED:
                if case.state == FREE:
                    self._take(case, member, now)
                self._act(case, member, now, spoke=spoke)
            case "case.take_over" if case.state == OWNED and case.owner != member:
                case.owner, case.taken, case.read, case.tried, case.said = member, now, None, None, None
                if case.spoke or case.chain.limits.read_back_minutes is None:
                    case.said = now
            case "case.outcome" if case.state == OWNED:
                # Most ends say that the patient was spoken to.
                case.said = case.said or (now if case.owner == member else None)
                case.state, case.ended_by, case.waits_for = CLOSED, member, None
                del self.open_of[case.subject]
                self.totals.resolved += 1
            case "case.reopen" if case.state == CLOSED and case.subject not in self.open_of:
                self.open_of[case.subject] = case.number
                case.spoke, case.ended_by = False, None
                self.totals.reopened += 1
                self._take(case, member, now)

    def _take(self, case: Case, member: int, now: datetime) -> None:
        self.totals.acknowledged += 1
        case.state, case.owner, case.taken, case.waits_for = OWNED, member, now, None
        case.read = case.tried = case.said = None

    def _act(self, case: Case, member: int, now: datetime, *, spoke: bool) -> None:
        if spoke:
            case.spoke = True
        else:
            case.tried = now
        if case.read is None:
            case.read = now
            if case.owner == member:
                case.said = now

    def left(self, member: int, now: datetime) -> None:
        """Take in that somebody is no longer staff: what they had rings again."""
        self.staff[member].there = self.staff[member].on_duty = False
        for case in self.cases.values():
            waits = case.waits_for
            if case.state != FREE or waits is None or waits.seen or member not in waits.whom:
                continue
            if not any(self.staff[each].there for each in waits.whom):
                # Nobody is left whom the round could reach: it goes to whoever is there.
                roles = case.chain.steps[case.level(waits.at)].roles
                case.waits_for = Expected(now, now + AFTER_A_FAILURE, frozenset(self._reached(roles)))
        for case in self.cases.values():
            if case.state == OWNED and case.owner == member:
                self.totals.handed_back += 1
                self._renew(case, now)

    # What the bot tries to send

    def tries_page(self, member: int, number: int, now: datetime) -> None:
        """Take in that a page of a case leaves for somebody."""
        case = self.cases.get(number)
        if case is None:
            return
        self.totals.pages += 1
        if case.state != FREE:
            self.wrong("c", f"case {number}: {member} is paged, and it is {case.state} (owner {case.owner})", now)
            return
        waits = case.waits_for
        if waits is None:
            if case.last is None:
                self.wrong("b", f"case {number}: {member} is paged before it is due", now)
            return
        if member in waits.whom and member not in waits.seen:
            self.totals.worst = max(self.totals.worst, now - waits.at)
        waits.seen.add(member)

    def tries_digest(self, member: int, numbers: Iterable[int], now: datetime) -> None:
        """Take in that the list of the morning leaves for somebody."""
        named = set(numbers)
        for number in list(self.open_of.values()):
            case = self.cases[number]
            if case.urgency is not Urgency.YELLOW or case.state != FREE or case.waits_for is None:
                continue
            if number in named or len(named) >= IN_A_DIGEST:
                case.waits_for.seen.add(member)
        self.totals.pages += 1

    def tries_staff(self, member: int, key: str, now: datetime) -> None:
        """Take in that anything at all leaves for somebody of staff."""
        if not self.staff[member].there:
            self.wrong("d", f"{member} has left and gets {key}", now)

    def tries_patient(self, number: int, key: str, created: datetime, now: datetime) -> None:
        """Take in what a patient is told about a case."""
        case = self.cases.get(number)
        if case is None:
            return
        if key in ("triage.paged", "triage.paged_again") and not case.was_told:
            self.wrong("f", f"case {number}: the patient hears {key} before a page was sent", now)
        if key == "case.told.taken_over" and case.said is None:
            if case.taken is not None and created >= case.taken:
                self.wrong("f", f"case {number}: the patient hears {key} before anybody said so", now)
            else:
                self.totals.stale += 1

    def came_through(self, number: int) -> None:
        """Take in that a page was surely sent."""
        if number in self.cases:
            self.cases[number].was_told = True

    def arrived(self, member: int) -> None:
        """Take in that anything at all came through to somebody of staff: the bot knows that the chat is open."""
        self.staff[member].cut_off = False

    def failed(self, member: int, now: datetime, *, cut_off: bool) -> None:
        self._troubled[member] = now
        if cut_off:
            self.staff[member].cut_off = True

    # In the end

    def settle(self, listed: dict[int, int | None], now: datetime) -> None:
        """Compare with what staff see in the list of open cases: by case, who has it."""
        for case in self.cases.values():
            if case.state == CLOSED:
                if case.number in listed:
                    self.wrong("a", f"case {case.number} is listed though {case.ended_by} closed it", now)
                continue
            if case.number not in listed:
                self.wrong("e", f"case {case.number} is in no list, and nobody closed it", now)
            elif listed[case.number] != case.owner:
                self.wrong("a", f"case {case.number}: {listed[case.number]} has it; should be {case.owner}", now)
            elif case.owner is not None and not self.staff[case.owner].there:
                self.wrong("a", f"case {case.number}: {case.owner} has it and has left", now)
        if missing := self._reported - self.cases.keys():
            self.wrong("a", f"{len(missing)} reports are in no case", now)

    def overdue(self, now: datetime) -> int:
        """Return how many open cases are late right now: not taken in time, or not ended in time."""
        late = 0
        for number in self.open_of.values():
            case = self.cases[number]
            if case.state == FREE:
                late += now > case.start + _minutes(case.chain.acknowledge_within_minutes)
            elif case.taken is not None and (most := case.chain.limits.outcome_minutes) is not None:
                late += now > case.taken + _minutes(most)
        return late


def _minutes(number: int) -> timedelta:
    return timedelta(minutes=number)
