"""What do the scripted patients and caregivers do with what they are shown, and when?

They look at a message as a person does: at its words and its buttons. A button is known by what it does
(its action), and where one action has several by its label; an unknown one is pressed now and then.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bot.domain import zones
from bot.domain.questionnaires import Attribute
from bot.simulation.plan import Plan
from bot.simulation.world import World
from bot.simulator.parts import Button, ShownMessage
from bot.simulator.phones import Phone
from bot.texts import TextMissing

if TYPE_CHECKING:
    from random import Random

# How often a patient does what: a share of the occasions, or a chance a day.
HABITS = {
    "answers": 0.88,
    "late": 0.12,
    "takes": 0.86,  # all tablets of a day
    "twice": 0.03,
    "another_day": 0.07,
    "need_help": 0.015,
    "later": 0.04,
    "attends": 0.93,
    "caregiver": 0.25,
    "consents": 0.97,
    "insists_on_closed_day": 0.1,  # staff who choose a day
    "a day: falls silent": 0.004,
    "a day: blocks": 0.0012,
    "a day: writes": 0.015,
    "a day: feels unwell": 0.004,
    "a day: presses an old button": 0.02,
    "a day: looks": 0.02,
    "a day: changes the hour": 0.002,
    "a day: travels": 0.006,
    "a day: withdraws": 0.00008,
    "a day: staff change the plan": 0.004,
}
WORDS = {
    "zh": ("今天还好", "谢谢", "头有点晕", "忘记了", "请问几点到", "我发烧了", "1", "👍", "好的知道了", "腿有点酸"),
    "en": (
        "I am fine",
        "thank you",
        "a little dizzy",
        "what time?",
        "I have a fever",
        "ok",
        "1",
        "👍",
        "tired today",
    ),
}
SOON = (0, 1, 1, 2, 3, 5, 8, 15, 30, 55, 110)  # minutes
# What nobody presses unless it is what they came for.
ONLY_ON_PURPOSE = (
    "menu.",
    "settings.",
    "stop.",
    "team.",
    "form.cancel",
    "report.stop",
    "report.correct",
    "start.read_again",
    "tablets.extra",
    "tablets.more",
)


def action_of(button: Button) -> str:
    """Return what a button does, as its data names it."""
    return (button.callback_data or "").partition("|")[0]


def buttons_of(message: ShownMessage, action: str) -> list[Button]:
    """Return the buttons under a message that do this."""
    return [button for button in message.buttons if action_of(button) == action]


class Actor:
    """Somebody with a phone."""

    def __init__(self, world: World, phone: Phone, locale: str, dice: "Random") -> None:
        self.world = world
        self.phone = phone
        self.locale = locale
        self.dice = dice
        self.acted_at: datetime | None = None
        self.acted_by = ""  # "press" or "words"
        self.fresh: list[ShownMessage] = []

    def chance(self, habit: str) -> bool:
        return self.dice.random() < habit_of(self.world.plan, habit)

    def says(self, button: Button, key: str) -> bool:
        """Tell whether a button carries the words of a text key."""
        try:
            return button.text.startswith(self.world.texts.template(key, self.locale).partition("{")[0])
        except TextMissing:
            return False

    def sees(self, message: ShownMessage) -> None:
        """Look at a message that has just arrived."""
        self.fresh.append(message)

    async def press(self, message: ShownMessage, button: Button) -> None:
        """Press a button if it is still there."""
        if self.phone.chat.blocked or message.deleted or button not in message.buttons:
            return
        self.acted_at, self.acted_by = self.world.now, "press"
        self.world.counts["presses"] += 1
        await self.phone.taps_on(message, button.text)

    async def write(self, words: str) -> None:
        if self.phone.chat.blocked:
            return
        self.acted_at, self.acted_by = self.world.now, "words"
        self.world.counts["texts"] += 1
        await self.phone.sends(words)

    async def open(self, link: str) -> None:
        self.acted_at, self.acted_by = self.world.now, "words"
        await self.phone.opens(link)

    async def does(self, act: Awaitable[None]) -> list[ShownMessage]:
        """Do something, wait for the bot, and return what it showed."""
        self.fresh = []
        await act
        await self.world.settle()
        return list(self.fresh)


def habit_of(plan: Plan, habit: str) -> float:
    return plan.habits.get(habit, HABITS[habit])


class Reader(Actor):
    """A patient or a caregiver: answers what comes, sooner, later or not at all."""

    def __init__(self, world: World, phone: Phone, locale: str, dice: "Random", code: str, relation: str) -> None:
        super().__init__(world, phone, locale, dice)
        self.code = code
        self.relation = relation
        self.silent_until = world.now
        self.wants: str | None = None  # the action this person is looking for
        self.going_to = ""  # the zone this person is about to say, as the bot calls it
        self.gone = False  # has withdrawn and leaves the phone alone

    def sees(self, message: ShownMessage) -> None:
        super().sees(message)
        if self.gone or self.world.now < self.silent_until:
            return
        chosen = self._choose(message)
        if chosen is None:
            return
        wait = self.dice.choice(SOON)
        if self.chance("late"):
            wait = self.dice.randrange(240, 2400)
        moment = self._awake(self.world.now + timedelta(minutes=wait))

        async def react() -> None:
            if self.world.now >= self.silent_until:
                await self.press(message, chosen)

        self.world.at(moment, react)
        if self.chance("twice"):
            self.world.at(moment + timedelta(minutes=self.dice.choice((0, 1, 90))), react)

    def _awake(self, moment: datetime) -> datetime:
        """Return a moment, or the next morning where it lies in the night; what people begin they go on with."""
        local = self.world.local(moment)
        if local.hour in range(7, 23) or moment - self.world.now < timedelta(minutes=30):
            return moment
        morning = local.replace(hour=7, minute=self.dice.randrange(60))
        return morning if morning > local else morning + timedelta(days=1)

    def _choose(self, message: ShownMessage) -> Button | None:
        """Return the button this person will press, if any."""
        offered = list(dict.fromkeys(action_of(button) for button in message.buttons))
        if self.wants in offered:
            wanted, self.wants = self.wants, None
            return self.dice.choice(buttons_of(message, wanted))
        for action in offered:
            if action in CHOICES:
                return CHOICES[action](self, buttons_of(message, action), message)
        unknown = [button for button in message.buttons if not action_of(button).startswith(ONLY_ON_PURPOSE)]
        return self.dice.choice(unknown) if unknown and self.chance("answers") else None

    def _by_label(self, buttons: Sequence[Button], *keys: str) -> Button | None:
        return next((button for key in keys for button in buttons if self.says(button, key)), None)

    def language(self, buttons: Sequence[Button], _message: ShownMessage) -> Button | None:
        return self._by_label(buttons, f"language.{self.locale}") or buttons[0]

    def consent(self, buttons: Sequence[Button], _message: ShownMessage) -> Button | None:
        return buttons[0] if self.chance("consents") else buttons[-1]

    def agree(self, buttons: Sequence[Button], _message: ShownMessage) -> Button | None:
        return buttons[0]

    def any(self, buttons: Sequence[Button], _message: ShownMessage) -> Button | None:
        return self.dice.choice(buttons)

    def perhaps(self, buttons: Sequence[Button], _message: ShownMessage) -> Button | None:
        return self.dice.choice(buttons) if self.chance("answers") else None

    def visit(self, buttons: Sequence[Button], _message: ShownMessage) -> Button | None:
        """Answer a reminder: mostly yes."""
        if not self.chance("answers"):
            return None
        for habit in ("another_day", "need_help", "later"):
            if self.chance(habit):
                found = self._by_label(buttons, f"visit.button.{habit}", f"visit.button.{habit}_remind")
                return found or self.dice.choice(buttons)
        return self._by_label(buttons, "visit.button.will_come")

    def tablets(self, buttons: Sequence[Button], _message: ShownMessage) -> Button | None:
        if not self.chance("answers"):
            return None
        return buttons[0] if self.chance("takes") else self.dice.choice(buttons[1:])

    def rhythm(self, buttons: Sequence[Button], _message: ShownMessage) -> Button | None:
        """Choose the weekly question where it is offered, and seldom go back."""
        wanted = self._by_label(buttons, "tablets.button.weekly")
        return wanted if wanted is not None else (buttons[0] if self.dice.random() < 0.1 else None)

    def week(self, buttons: Sequence[Button], _message: ShownMessage) -> Button | None:
        """Answer the weekly question: mostly "every day"."""
        if not self.chance("answers"):
            return None
        return buttons[0] if self.dice.random() < 0.8 else buttons[-1]

    async def press(self, message: ShownMessage, button: Button) -> None:
        """Press a button; whoever ticks one of several things goes on in the same message."""
        await super().press(message, button)
        if action_of(button) != "form.pick":
            return

        async def go_on() -> None:
            chosen = self.tick(buttons_of(message, "form.pick"), message)
            if chosen is not None:
                await self.press(message, chosen)

        self.world.at(self.world.now + timedelta(minutes=self.dice.choice((1, 1, 2, 15))), go_on)

    def tick(self, buttons: Sequence[Button], message: ShownMessage) -> Button | None:
        """Tick one or two things and send them off; now and then nothing, or not at all."""
        if not self.chance("answers"):
            return None
        if not buttons:
            return None
        open_ones = [button for button in buttons if self.says(button, "form.button.unticked")]
        ticked = len(buttons) - len(open_ones)
        done = buttons_of(message, "form.picked")
        if done and (not open_ones or self.dice.random() < (0.08, 0.7, 0.95)[min(ticked, 2)]):
            return done[0]
        return self.dice.choice(open_ones)

    def report(self, buttons: Sequence[Button], _message: ShownMessage) -> Button | None:
        """Answer a question about symptoms: mostly the mildest, which comes last, or first where it is a score."""
        if self.dice.random() < 0.06:
            return None
        nothing = self._by_label(buttons, *(f"checkin.{attribute}.0" for attribute in Attribute))
        if nothing is not None:
            return nothing if self.dice.random() < 0.85 else self.dice.choice(buttons)
        return buttons[-1] if self.dice.random() < 0.7 else self.dice.choice(buttons)

    # The day

    def plan_day(self) -> None:
        """Decide what this person does today beside answering."""
        if self.gone:
            return
        for name, act in DAYS:
            if self.chance(f"a day: {name}"):
                moment = self.world.wall(0, self.dice.randrange(7, 23), self.dice.randrange(60))

                async def do(act: Callable[["Reader"], Awaitable[None]] = act) -> None:
                    if not self.gone and (self.world.now >= self.silent_until):
                        await act(self)

                self.world.at(moment, do)

    async def fall_silent(self) -> None:
        self.silent_until = self.world.now + timedelta(days=self.dice.randrange(2, 25))
        self.world.counts["silent spells"] += 1

    async def block(self) -> None:
        self.world.counts["blocked"] += 1
        self.acted_at = self.world.now
        await self.phone.blocks()

        async def unblock() -> None:
            self.acted_at = self.world.now
            await self.phone.unblocks()
            if self.dice.random() < 0.7:
                await self.write("/menu")

        self.world.at(self.world.now + timedelta(minutes=self.dice.randrange(600, 30000)), unblock)

    async def write_words(self) -> None:
        await self.write(self.dice.choice(WORDS[self.locale]))

    async def feel_unwell(self) -> None:
        await self.write("/unwell")

    async def look(self) -> None:
        await self.write(self.dice.choice(("/visits", "/menu", "/visits", "/tablets", "/help")))

    async def press_old(self) -> None:
        """Press a button of a message that has been there for a while."""
        old = [
            message
            for message in self.phone.inbox[-60:-2]
            if message.keyboard and not any(action_of(each).startswith("stop.") for each in message.buttons)
        ]
        if old:
            message = self.dice.choice(old)
            await self.press(message, self.dice.choice(message.buttons))

    async def change_hour(self) -> None:
        self.wants = "settings.hour"
        await self.write("/settings")

    async def travel(self) -> None:
        """Go somewhere, tell the bot, and tell it again on coming home."""
        if self.relation != "patient" or self.going_to:
            return
        self.world.counts["journeys"] += 1
        home = zones.code_of(self.world.settings.site_timezone) or ""
        elsewhere = [code for code in zones.ZONES if code != home]
        await self._say_where(self.dice.choice(elsewhere))

        async def come_home() -> None:
            await self._say_where(home)
            self.going_to = ""

        self.world.at(self.world.now + timedelta(days=self.dice.randrange(3, 20)), come_home)

    async def _say_where(self, code: str) -> None:
        """Go through the settings; who has just arrived does it in one go."""
        self.going_to = code
        silent_until, self.silent_until = self.silent_until, self.world.plan.ends_at
        for shown in await self.does(self.write("/settings")):
            for button in buttons_of(shown, "settings.zone"):
                for asked in await self.does(self.press(shown, button)):
                    named = self._by_label(buttons_of(asked, "settings.set_zone"), f"zone.{code}")
                    if named is not None:
                        await self.does(self.press(asked, named))
        self.silent_until = silent_until

    async def withdraw(self) -> None:
        self.wants = "stop.confirm"
        await self.write("/stop")


Choice = Callable[[Reader, Sequence[Button], ShownMessage], Button | None]
CHOICES: dict[str, Choice] = {
    "start.language": Reader.language,
    "start.consent": Reader.consent,
    "start.hour": Reader.any,
    "caregiver.agree": Reader.agree,
    "visit.wish": Reader.perhaps,
    "visit.reply": Reader.visit,
    "visit.past": Reader.perhaps,
    "visit.later_at": Reader.any,
    "visit.tablets": Reader.tablets,
    "tablets.answer": Reader.tablets,
    "tablets.week": Reader.week,
    "tablets.rhythm": Reader.rhythm,
    "tablets.change": Reader.perhaps,
    "form.pick": Reader.tick,
    "report.answer": Reader.report,
    "report.right": Reader.any,
    "danger.now": Reader.perhaps,
    "form": Reader.perhaps,
}
DAYS: tuple[tuple[str, Callable[[Reader], Awaitable[None]]], ...] = (
    ("falls silent", Reader.fall_silent),
    ("blocks", Reader.block),
    ("writes", Reader.write_words),
    ("feels unwell", Reader.feel_unwell),
    ("presses an old button", Reader.press_old),
    ("looks", Reader.look),
    ("changes the hour", Reader.change_hour),
    ("travels", Reader.travel),
    ("withdraws", Reader.withdraw),
)
