"""Who reports, and what do staff do who are late, careless, at odds with each other, or gone?"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bench.storm.world import Shown, World
from bot.domain.urgency import Urgency
from bot.store.models import OutboxMessage

# What patients tell, how often of 100, and why: T42 may be of a serious event.
TOLD = (
    (Urgency.RED_120, "T22", 10),
    (Urgency.RED_COME, "T01", 24),
    (Urgency.AMBER, "T35", 28),
    (Urgency.AMBER, "T42", 6),
    (Urgency.YELLOW, "T50", 32),
)
CLINICIANS = range(1, 7)
SAME = 0.85
MINUTE, HOUR = 60.0, 3600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How many reports in how many days, how many of them belong together, and how bad staff are (0 to 1)."""

    reports: int
    days: float
    burst: int
    careless: float = 0.5


class Patients:
    """Tell what is abnormal: some once, some again and again within hours."""

    def __init__(self, world: World, plan: Plan, rng: random.Random) -> None:
        self._world, self._rng = world, rng
        self._number = 0
        left = plan.reports
        while left > 0:
            many = min(left, 1 + int(rng.expovariate(1 / max(plan.burst - 1, 0.001))))
            left -= many
            subject = rng.choice([*world.patient_of])
            begins, lasts = rng.uniform(0, plan.days * 24 * HOUR), rng.choice((10 * MINUTE, HOUR, 6 * HOUR))
            self._number += 1
            first = _drawn(rng)
            for _ in range(many):
                world.at(begins + rng.uniform(0, lasts), self._teller(subject, self._number, first))

    def _teller(self, subject: int, burst: int, first: tuple[Urgency, str]) -> "Telling":
        """Return one telling of a burst: mostly more of the same, now and then a new matter."""
        rng, drawn = self._rng, self._rng.random()
        urgency, because = first if rng.random() < SAME else _drawn(rng)
        # A questionnaire that goes on; free words; a value that the patient sends; a value that staff enter.
        source, staff = f"response:{burst}", False
        if drawn < (1 - SAME) / 3:
            source = ""
        elif drawn < (1 - SAME) * 2 / 3:
            source = f"reading:{burst}:{rng.randrange(1_000_000)}"
        elif drawn < 1 - SAME:
            source, staff = f"value:{burst}:{rng.randrange(1_000_000)}", True
        return Telling(self._world, subject, urgency, because, source, staff)


def _drawn(rng: random.Random) -> tuple[Urgency, str]:
    urgency, because, _ = rng.choices(TOLD, [each[2] for each in TOLD])[0]
    return urgency, because


@dataclass(frozen=True, slots=True)
class Telling:
    world: World
    subject: int
    urgency: Urgency
    because: str
    source: str
    by_staff: bool

    def __call__(self) -> None:
        self.world.heard(self._tells)

    def _tells(self) -> None:
        there = [number for number, each in self.world.judge.staff.items() if each.there]
        by = self.world.account_of[there[0]] if self.by_staff else self.world.patient_of[self.subject]
        self.world.report(self.subject, self.urgency, self.because, self.source, by)


class Staff:
    """Press, late or twice or not at all, and not always their own buttons."""

    def __init__(self, world: World, plan: Plan, rng: random.Random) -> None:
        self._world, self._rng, self._careless = world, rng, plan.careless
        self.working = True
        world.on_message = self._sees

    def _sees(self, member: int, message: OutboxMessage) -> None:
        rng, case = self._rng, message.about_id
        if not self.working or case is None:
            return
        match message.text_key:
            case "case.page" | "case.page.more":
                if rng.random() > self._careless:
                    self._soon(member, case, "case.acknowledge", rng.choice((20, 90, 4 * MINUTE, 12 * MINUTE)))
                elif rng.random() < 0.15:
                    self._soon(member, case, rng.choice(("case.contact", "case.open")), 5 * MINUTE)
            case "case.offered":
                self._soon(member, case, rng.choice(("case.take_over", "case.take_over", "case.decline")), 3 * MINUTE)
            case "case.told.lapsed":
                if rng.random() > self._careless:
                    self._soon(member, case, rng.choice(("case.contact", "case.acknowledge")), 4 * MINUTE)

    def _soon(self, member: int, case: int, action: str, within: float) -> None:
        self._world.at(self._rng.uniform(2.0, within), lambda: self._does(member, case, action))

    def _does(self, member: int, case: int, action: str) -> None:
        if self.working:
            self._world.heard(lambda: self._press(member, case, action))

    def _press(self, member: int, case: int, action: str) -> None:
        button = self._button(member, case, action)
        if button is None:
            return
        went = self._world.press(member, button)
        if self._rng.random() < 0.05:
            self._world.press(member, button)
        if went:
            self._goes_on(member, case, action)

    def _button(self, member: int, case: int, action: str) -> Shown | None:
        found = [
            each
            for each in self._world.shown.get(member, ())
            if each.action == action and each.args.get("case") == case
        ]
        # Now and then an old message further up.
        return self._rng.choice(found) if found and self._rng.random() < 0.2 else found[-1] if found else None

    def _goes_on(self, member: int, case: int, action: str) -> None:
        """Do next what this person does with a case in hand: the right thing, the wrong thing, or nothing."""
        rng = self._rng
        following: Sequence[tuple[str, float, float]]
        match action:
            case "case.acknowledge" | "case.take_over" | "case.reopen":
                following = (
                    ("case.read_back", 2.5 * MINUTE, 5.0),
                    ("case.contact", 6 * MINUTE, 3.0),
                    ("case.outcome", 10 * MINUTE, 1.0),
                    ("case.hand_over", 3 * MINUTE, 1.5),
                    ("", 0.0, 6.0 * self._careless),
                )
            case "case.read_back":
                following = (
                    ("case.contact", 14 * MINUTE, 6.0),
                    ("case.resolve", 20 * MINUTE, 2.0),
                    ("case.hand_over", 9 * MINUTE, 1.0),
                    ("", 0.0, 4.0 * self._careless),
                )
            case "case.contact":
                following = (("case.resolve", HOUR, 5.0), ("case.contact", 20 * MINUTE, 2.0), ("", 0.0, 2.0))
            case "case.hand_over":
                following = (("case.offer", 2 * MINUTE, 6.0), ("", 0.0, 1.0))
            case "case.resolve":
                following = (("case.outcome", 3 * MINUTE, 6.0), ("", 0.0, 1.0))
            case "case.outcome":
                following = (("case.reopen", 30 * MINUTE, 1.0), ("", 0.0, 8.0))
            case "case.open":
                following = (("case.take_over", 5 * MINUTE, 1.0), ("case.contact", 5 * MINUTE, 1.0), ("", 0.0, 1.0))
            case _:
                return
        step, within, _ = rng.choices(following, [each[2] for each in following])[0]
        if step == "case.outcome" and action != "case.resolve":
            step = "case.resolve"
        if step:
            self._soon(member, case, step, within)


class Weather:
    """What nobody is to blame for: outages, restarts, clocks that jump, people who go and come."""

    def __init__(self, world: World, plan: Plan, rng: random.Random) -> None:
        self._world, self._rng = world, rng
        hours = plan.days * 24
        for often, happens in (
            (0.15, self._down),
            (0.25, world.restart_if_up),
            (0.2, self._dead_line),
            (0.3, self._clock),
            (0.5, self._leave),
            (0.4, self._block),
        ):
            for _ in range(max(1, int(hours * often))):
                world.at(rng.uniform(0, hours * HOUR), happens)
        world.at(hours * HOUR, self._calm)

    def _down(self) -> None:
        if self._world.is_up:
            self._world.goes_down()
            self._world.at(self._rng.choice((40.0, 4 * MINUTE, HOUR, 5 * HOUR)), self._world.comes_up)

    def _dead_line(self) -> None:
        self._world.silent_line = True
        self._world.at(self._rng.choice((20.0, 2 * MINUTE, 12 * MINUTE)), self._line_is_back)

    def _line_is_back(self) -> None:
        self._world.silent_line = False

    def _clock(self) -> None:
        minutes = self._rng.choice((-180, -30, -7, -3, 3, 30, 180))
        self._world.set_clock(timedelta(minutes=minutes))

    def _leave(self) -> None:
        there = [number for number in CLINICIANS if self._world.judge.staff[number].there]
        if len(there) > 3:
            member = self._rng.choice(there)
            self._world.heard(lambda: self._goes(member))

    def _goes(self, member: int) -> None:
        if self._world.judge.staff[member].there:
            self._world.leaves(member)
            self._world.at(self._rng.uniform(MINUTE, 12 * HOUR), lambda: self._returns(member))

    def _returns(self, member: int) -> None:
        on_duty = self._rng.random() < 0.5
        self._world.heard(lambda: self._world.comes_back(member, on_duty=on_duty))

    def _block(self) -> None:
        member = self._rng.choice(CLINICIANS)
        account = self._world.account_of[member]
        self._world.blocked.add(account)
        self._world.at(self._rng.uniform(5 * MINUTE, 3 * HOUR), lambda: self._world.blocked.discard(account))

    def _calm(self) -> None:
        """Let the weather end, so that the last hour shows what is still kept up."""
        self._world.blocked.clear()
        self._world.silent_line = False
        if not self._world.is_up:
            self._world.comes_up()
