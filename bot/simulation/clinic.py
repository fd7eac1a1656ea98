"""What do the scripted staff of a site do: enrol, record (sometimes late), take cases, change the plan?"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from bot.domain.people import BOT
from bot.domain.roles import Role
from bot.simulation import days
from bot.simulation.people import Actor, Reader, action_of, buttons_of, habit_of
from bot.simulation.plan import Plan
from bot.simulation.world import World
from bot.simulator.parts import Button, ShownMessage
from bot.simulator.phones import Phone
from bot.usecases import import_subjects, invite
from bot.usecases.staff_queries import find
from bot.work import Work, run

if TYPE_CHECKING:
    from random import Random

STAFF_ID, PATIENT_ID, CAREGIVER_ID = 1_000, 10_000, 20_000
CODE = re.compile(r"\bS-\d{3}\b")
HEADER = (
    "code,arm,locale,birth_year,weight_kg,first_injection_on,cbc_interval_days,injection_interval_days,"
    "formulation,strength_mg,tablets,phone\n"
)
ENROLLED_A_DAY = 3
RECORDED_FROM = 16  # o'clock: the day's visits are over
MOST_STEPS = 12  # of one dialogue
MOST_PAGES = 12  # of one list
# What staff change for a patient, how often of all changes, and which buttons lead there from the patient's card.
CHANGES: tuple[tuple[int, tuple[str, ...]], ...] = (
    (6, ("visit.open", "visit.move")),
    (6, ("patient.change", "patient.interval")),
    (2, ("patient.change", "patient.arm")),
    (4, ("visit.recorded_list", "visit.recorded", "visit.correct")),
    (3, ("patient.change", "patient.extra_visit")),
    (1, ("patient.change", "patient.close")),
)
# What staff type where a form asks for words.
WRITTEN = "told on the phone"


@dataclass
class Truth:
    """What really became of one planned visit, and when staff get round to writing it down."""

    came: bool
    recorded_on: date


@dataclass
class Clinic:
    """The site's staff, its patients and what really happens there."""

    world: World
    readers: dict[str, list[Reader]] = field(default_factory=dict)
    actors: dict[int, Actor] = field(default_factory=dict)
    truths: dict[tuple[str, str, date], Truth] = field(default_factory=dict)
    # Whom staff wanted to see although the clinic is closed: the day they typed, and confirmed when asked again.
    insisted: set[tuple[str, date]] = field(default_factory=set)

    @property
    def plan(self) -> Plan:
        return self.world.plan

    async def open(self) -> None:
        """Let staff arrive, and plan what they and the patients do from day to day."""
        world = self.world
        for number, (role, name) in enumerate(
            ((Role.COORDINATOR, "Nurse"), (Role.INVESTIGATOR, "Physician"), (Role.PI, "PI"))
        ):
            phone = world.telegram.phone(STAFF_ID + number, name, "en")
            member = Member(world, phone, "en", self.plan.dice("staff", name), self)
            self.actors[phone.user_id] = member
            await member.does(member.open(await self._invitation(role=role)))
            await member.choose("start.language", "language.en")
            await member.choose("settings.set_language", "language.en")
            if role is not Role.PI:
                await member.does(member.write("/duty"))
                await member.choose("duty.set", "duty.button.on")
        world.at(world.wall(0, 9), self._day)

    @property
    def coordinator(self) -> "Member":
        member = self.actors[STAFF_ID]
        assert isinstance(member, Member)
        return member

    async def _invitation(self, code: str = "", purpose: str = invite.STAFF, role: Role | None = None) -> str:
        def body(work: Work) -> str:
            return invite.invite(work, purpose, role=role, subject=find(work, code) if code else None)

        return await run(self.world.deps, BOT, "command:simulate", body)

    async def _day(self) -> None:
        """Begin a day: enrol who has come, plan what everybody does, and come back tomorrow."""
        world = self.world
        today = world.local().date()
        world.at(world.wall(1, 9), self._day)
        for readers in self.readers.values():
            for reader in readers:
                reader.plan_day()
        if self.is_open(today):
            if world.bot is not None:
                await self._enrol()
            self.coordinator.plan_day()

    def is_open(self, day: date) -> bool:
        """Tell whether the clinic works on a day."""
        return self.world.calendar.is_open(day)

    # Enrolment

    async def _enrol(self) -> None:
        count = len(self.readers)
        for number in range(count, min(count + ENROLLED_A_DAY, self.plan.subjects)):
            await self._enrol_one(number)

    async def _enrol_one(self, number: int) -> None:
        code = f"S-{number + 1:03d}"
        dice = self.plan.dice("subject", code)
        arm = ("TG2", "CTRL", "TG1")[number % 3]
        locale = "zh" if dice.random() < 0.75 else "en"
        today = self.world.local().date()
        injected = (today + timedelta(days=dice.choice((-1, 0, 1)))).isoformat() if arm != "CTRL" else ""
        order = f"dispersible,{dice.choice((125, 250, 500))},{dice.choice((1, 2))}" if arm == "TG2" else ",,"
        every = f"{dice.choice((7, 7, 14, 21))},{dice.choice((21, 21, 28, 35)) if injected else ''}"
        born, kg = dice.randrange(1950, 2000), dice.randrange(45, 80)
        row = f"{code},{arm},{locale},{born},{kg},{injected},{every},{order},0571-0000-0001\n"
        await run(
            self.world.deps, BOT, "command:simulate", lambda work: import_subjects.import_subjects(work, HEADER + row)
        )
        self.world.counts["subjects"] += 1
        patient = self._reader(PATIENT_ID + number, code, locale, invite.PATIENT)
        self.readers[code] = [patient]
        link = await self._invitation(code, invite.PATIENT)
        self.world.at(self.world.now + timedelta(minutes=dice.randrange(1, 600)), lambda: patient.open(link))
        if dice.random() < habit_of(self.plan, "caregiver"):
            caregiver = self._reader(CAREGIVER_ID + number, code, dice.choice(("zh", "en")), invite.CAREGIVER)
            self.readers[code].append(caregiver)

            async def later() -> None:
                if self.world.bot is not None:
                    await caregiver.open(await self._invitation(code, invite.CAREGIVER))

            self.world.at(self.world.wall(dice.randrange(1, 14), dice.randrange(9, 20), dice.randrange(60)), later)

    def _reader(self, number: int, code: str, locale: str, relation: str) -> Reader:
        phone = self.world.telegram.phone(number, f"{code} {relation}", "zh-hans" if locale == "zh" else "en")
        reader = Reader(self.world, phone, locale, self.plan.dice(relation, code), code, relation)
        self.actors[number] = reader
        return reader

    # What really happens

    def truth(self, code: str, kind: str, planned_on: date) -> Truth:
        """Return what became of a planned visit; decided when it is first asked about."""
        known = self.truths.get((code, kind, planned_on))
        if known is None:
            dice = self.plan.dice("visit", code, kind, planned_on)
            came = dice.random() < habit_of(self.plan, "attends")
            late = dice.choice((1, 2, 4, 9)) if dice.random() < 0.12 else 0
            known = Truth(came, planned_on + timedelta(days=late if came else dice.choice((1, 2, 5))))
            self.truths[code, kind, planned_on] = known
        return known


class Member(Actor):
    """Somebody of the staff."""

    def __init__(self, world: World, phone: Phone, locale: str, dice: "Random", clinic: Clinic) -> None:
        super().__init__(world, phone, locale, dice)
        self.clinic = clinic
        self.phoned: set[str] = set()
        self.kinds = sorted(
            key.rpartition(".")[2] for key in world.texts.keys()[locale] if key.startswith("visit.short.")
        )

    async def choose(self, action: str, key: str) -> list[ShownMessage]:
        """Press the button that does this and says that, on the newest message that has it."""
        for message in reversed(self.fresh):
            for button in buttons_of(message, action):
                if self.says(button, key):
                    return await self.does(self.press(message, button))
        return []

    # Cases

    def sees(self, message: ShownMessage) -> None:
        super().sees(message)
        for action in (
            "visit.confirm_day",
            "case.acknowledge",
            "case.read_back",
            "case.contact",
            "case.resolve",
            "case.outcome",
        ):
            found = buttons_of(message, action)
            if found and not (action == "case.contact" and self._has_tried(message)):
                self._plan(self._when(message, action), message, self.dice.choice(found))
                return
        if buttons_of(message, "alerts.page"):
            # The list of what could wait: each case is opened, and taken from its card.
            for button in buttons_of(message, "case.open"):
                self._plan(self._when(message, "case.open"), message, button)

    def _has_tried(self, message: ShownMessage) -> bool:
        """Tell whether this member has phoned about the case of a card already; then they close it."""
        case = message.text.split(" · ")[0]
        known = case in self.phoned
        self.phoned.add(case)
        return known

    def _plan(self, moment: datetime, message: ShownMessage, button: Button) -> None:
        self.world.at(moment, lambda: self._act(message, button))

    def _when(self, message: ShownMessage, action: str) -> datetime:
        now = self.world.now
        red = any(message.text.startswith(self._level(level)) for level in ("red_120", "red_come"))
        if action == "case.outcome":
            return now
        if action in ("case.read_back", "case.contact") and red:
            return now + timedelta(minutes=self.dice.choice((0, 1, 2, 5)))
        if action == "case.acknowledge" and red:
            return now + timedelta(minutes=self.dice.choice((1, 2, 4, 7, 12, 26)))
        minutes = self.dice.randrange(5, 240)
        hour = self.world.local(now + timedelta(minutes=minutes)).hour
        if 8 <= hour < 20:
            return now + timedelta(minutes=minutes)
        return self.world.wall(0 if self.world.local().hour < 8 else 1, 9, self.dice.randrange(60))

    def _level(self, urgency: str) -> str:
        return self.world.texts.text(f"urgency.{urgency}", self.locale)

    async def _act(self, message: ShownMessage, button: Button) -> None:
        if action_of(button) == "case.acknowledge" and self is self.clinic.coordinator and self.dice.random() < 0.5:
            await self._move_for(message)
        await self.press(message, button)

    async def _move_for(self, message: ShownMessage) -> None:
        """Give a patient who asks for another day one, before the request is closed."""
        code = CODE.search(message.text)
        if code is None:
            return
        for shown in await self.does(self.write(f"/patient {code.group()}")):
            if visits := buttons_of(shown, "visit.open"):
                await self.does(self.press(shown, self.dice.choice(visits)))
                for card in list(self.fresh):
                    if movers := buttons_of(card, "visit.move"):
                        await self.does(self.press(card, movers[0]))
                        await self.fill_in(None)
                return

    # Changes of the plan

    async def change_something(self) -> None:
        """Change an interval or an arm, correct a record, add a visit, or close a participation."""
        if not self.clinic.readers:
            return
        code = self.dice.choice(sorted(self.clinic.readers))
        path = self.dice.choices([each[1] for each in CHANGES], [each[0] for each in CHANGES])[0]
        await self.does(self.write(f"/patient {code}"))
        for action in path:
            found = next(
                ((shown, buttons) for shown in reversed(self.fresh) if (buttons := buttons_of(shown, action))), None
            )
            if found is None:
                return
            await self.does(self.press(found[0], self.dice.choice(found[1])))
        self.world.counts[f"staff: {path[-1]}"] += 1
        await self.fill_in(None)

    # Visits

    def plan_day(self) -> None:
        self.world.at(self.world.wall(0, RECORDED_FROM, self.dice.randrange(60)), self.record_day)
        for _ in self.clinic.readers:
            if self.chance("a day: staff change the plan"):
                self.world.at(
                    self.world.wall(0, self.dice.randrange(9, 16), self.dice.randrange(60)), self.change_something
                )

    async def record_day(self) -> None:
        """Go through the list of what is due and write down what took place."""
        shown = await self.does(self.write("/due"))
        done: set[tuple[str, str, date]] = set()
        for _ in range(MOST_PAGES):
            page = next((each for each in reversed(shown) if buttons_of(each, "visit.open")), None)
            if page is None:
                return
            today = self.world.local().date()
            later = False
            for button in buttons_of(page, "visit.open"):
                row = self._row(button, today)
                if row is None or row in done:
                    continue
                done.add(row)
                later = later or row[2] > today
                truth = self.clinic.truth(*row)
                if row[2] <= today and truth.recorded_on <= today:
                    await self._record(page, button, row[2], truth)
            more = [each for each in buttons_of(page, "due.page") if self.says(each, "list.more")]
            if later or not more:
                return
            shown = await self.does(self.press(page, more[-1]))

    def _row(self, button: Button, today: date) -> tuple[str, str, date] | None:
        code, on = CODE.search(button.text), days.named(button.text, today)
        kind = next(
            (kind for kind in self.kinds if self.world.text(f"visit.short.{kind}", self.locale) in button.text), None
        )
        return (code.group(), kind, on[0]) if code and on and kind else None

    async def _record(self, page: ShownMessage, button: Button, planned_on: date, truth: Truth) -> None:
        for card in await self.does(self.press(page, button)):
            key = "visit.button.done" if truth.came else "visit.button.missed"
            chosen = next((each for each in buttons_of(card, "visit.record") if self.says(each, key)), None)
            if chosen is not None:
                await self.does(self.press(card, chosen))
                await self.fill_in(planned_on if truth.came else None)
                self.world.counts["recorded" if truth.came else "recorded as missed"] += 1
                return

    async def fill_in(self, held_on: date | None) -> None:
        """Answer the questions of a form: with ``held_on`` where a day is asked, else with one of the first."""
        for _ in range(MOST_STEPS):
            asked = next((each for each in reversed(self.fresh) if buttons_of(each, "form.cancel")), None)
            if asked is None:
                return
            buttons = buttons_of(asked, "form")
            if held_on is not None and any(days.named(each.text, held_on) for each in buttons):
                wanted = [each for each in buttons if held_on in days.named(each.text, held_on)]
                act = self.press(asked, wanted[0]) if wanted else self.write(held_on.isoformat())
                held_on = None if wanted else held_on
            elif buttons and (closed := self._wants_closed_day(asked, buttons)) is not None:
                act = self.write(closed.isoformat())
            elif buttons:
                act = self.press(asked, self._sensible(buttons))
            else:
                act = self.write(WRITTEN)
            await self.does(act)

    def _wants_closed_day(self, asked: ShownMessage, buttons: Sequence[Button]) -> date | None:
        """Return a closed day to type where a coming day is asked for, as staff do who open for one patient."""
        today = self.world.local().date()
        offered = [day for button in buttons for day in days.named(button.text, today)]
        code = CODE.search(asked.text)
        if not offered or min(offered) <= today or code is None or not self.chance("insists_on_closed_day"):
            return None
        closed = next((day for n in range(8) if not self.clinic.is_open(day := offered[0] + timedelta(days=n))), None)
        if closed is not None:
            self.clinic.insisted.add((code.group(), closed))
            self.world.counts["staff: a closed day"] += 1
        return closed

    def _sensible(self, buttons: Sequence[Button]) -> Button:
        for key in ("form.button.save", "form.button.yes"):
            for button in buttons:
                if self.says(button, key):
                    return button
        return self.dice.choice(buttons[:3])
