"""Is what arrives on the phones what should arrive? Every message is judged when it arrives, the plan every evening.

What is judged is what a phone shows: its text, its buttons, its time, whose phone it is. The bot's own tables
of messages are asked only at the end, whether anything due was left without an outcome and a reason. Where the
visit stands at that moment comes from the visit table, for that is the plan which staff see.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.domain.participation import ParticipationState
from bot.domain.visits import VisitKind
from bot.domain.zones import ZONES, code_of
from bot.simulation import days
from bot.simulation.clinic import Clinic
from bot.simulation.people import Actor, Reader, action_of
from bot.simulation.plan import START
from bot.simulation.world import World, stored
from bot.simulator.parts import Change, ShownMessage
from bot.simulator.phones import Phone
from bot.store.models import OutboxMessage

# A lock screen shows about so much of a message (docs: nobody else may learn of the trial from it).
FIRST_SHOWN = 60
TELLING = (
    "罗特西普", "地拉罗司", "去铁", "地中海贫血", "地贫", "贫血", "试验", "研究", "受试",
    "luspatercept", "deferasirox", "exjade", "jadenu", "thalass", "anaemia", "anemia", "trial", "study", "nct0",
)  # fmt: skip
MOST_A_DAY = 2
SHORTEST_DAYS = 21  # between two injections: the label's minimum, stated here again on purpose
QUIET_FROM, QUIET_TO = 21, 8  # o'clock, stated here again on purpose

# Messages that the bot sends by itself and that can wait; everything else answers somebody or is urgent.
# All of them, or a message of a kind that is left out here would be the third of a day unseen.
OF_A_WEEK = "tablets.week.ask"
POLITE = (
    "reminder.",
    "visit.announced",
    "visit.gone",
    "visit.for_caregiver",
    "visit.with_tablets",
    "visit.past.ask",
    "tablets.ask",
    OF_A_WEEK,
    "outage.ask",
)
ASKED = ("tablets.ask", OF_A_WEEK)
# Buttons that offer a day, and texts that tell the day of a visit, asked for or not.
OFFERS = ("visit.wish", "closure.move", "form")
TELLS = ("reminder.", "visit.announced", "visit.for_caregiver", "visit.with_tablets", "visit.mine", "back.due_now")
# Words about a case, danger or the bot's own faults: at any hour, and after withdrawal too.
ALWAYS = (
    # Somebody of the family has just asked or agreed.
    "start.ask_caregiver",
    "start.caregiver",
    "case.",
    "triage.",
    "report.silence",
    "error.",
    "stop.",
    "closed.",
    "danger.",
    "speak.",
)
# What became of a report is said to whoever made it, also after withdrawal; it waits for the morning, though.
HOW_IT_ENDED = "outcome.told."
PAGES = ("case.page",)
FOR_STAFF = (*PAGES, "staff.", "due.", "patient.", "patients.", "alerts.", "enrol.")
# A person who acted so long ago is being answered; a reply may have to be tried again for some minutes.
ANSWERING = timedelta(minutes=15)
ANSWERS = ("answer", "report")
# The same words again so soon are a duplicate, for they name their day or their case.
TOLD_TWICE = timedelta(hours=20)
LEFT_BEHIND = timedelta(minutes=15)
# What is about the day of a visit names the place, and to whom is far away whose days are meant.
ABOUT_DAYS = ("visit.reminder", "visit.announce")
CANNOT_WAIT = ("outage.ask", "visit.gone")
REPEATS = ("delivery.repeated", "delivery.shown_again")


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that must never happen, and did."""

    at: datetime
    rule: str
    subject: str
    said: str

    def line(self, seed: int, site: int) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.rule} · {self.subject} · {self.said} (seed {seed}, site {site + 1})"


class Judge:
    """Watches every phone of a site."""

    def __init__(self, world: World, clinic: Clinic, stop_at: str | None = None) -> None:
        self.world = world
        self.clinic = clinic
        self.violations: list[Violation] = []
        self._stop_at = stop_at
        self._told: set[tuple[str, int]] = set()  # rows that were found lying still
        self.arrived: Counter[str] = Counter()
        self._last: dict[tuple[int, str, int | None], datetime] = {}
        self._announced: dict[int, str] = {}  # the days that a phone was told last
        self._polite: Counter[tuple[int, date]] = Counter()
        self._shown: dict[tuple[int, date], set[date]] = {}  # days of visits that a phone has shown on a day
        self._stands: dict[int, dict[date, frozenset[str]]] = {}  # what a phone showed last of each day
        self._away: dict[str, tuple[ZoneInfo, datetime]] = {}  # where the bot knows a subject to be, and since when
        self._ended: dict[str, datetime] = {}  # when a subject was told that all has stopped
        world.telegram.on_message(self.on_message)
        world.on_leaving(self.on_leaving)

    def violate(self, rule: str, subject: str, said: str, at: datetime | None = None) -> None:
        self.violations.append(Violation(self.world.local(at), rule, subject, " ".join(said.split())[:160]))

        if self._stop_at is not None and rule.startswith(self._stop_at):
            self.world.over = True

    # Every message

    def on_leaving(self, message: OutboxMessage) -> None:
        """Learn where a subject is from the bot's own "noted", also if that is lost on the way.

        The bot keeps to what it was told, and the person who told it is there, whether or not the answer arrives.
        When it is shown again it begins with other words and brings nothing new.
        """
        reader = self.clinic.actors.get(message.chat_id)
        if message.text_key != "zone.kept" or not isinstance(reader, Reader):
            return
        kept = message.text.removeprefix(self._opening(message.text_key, message.locale)).lstrip()
        for code, name in ZONES.items():
            if kept.startswith(self.world.text(f"zone.{code}", message.locale)):
                self._away[reader.code] = (ZoneInfo(name), message.created_at)

    def on_message(self, phone: Phone, message: ShownMessage, change: Change) -> None:
        """Judge a message that has just arrived, then let its reader see it."""
        if change is not Change.RECEIVED:
            return
        actor = self.clinic.actors.get(phone.user_id)
        carried = self.world.way.carrying if self.world.way is not None else None
        if actor is None or carried is None:
            self.violate("a message to nobody we know", str(phone.user_id), message.text)
            return
        key = carried.text_key
        self.arrived[key] += 1
        self._closed(actor, message, key)
        if isinstance(actor, Reader):
            self._judge(actor, message, key, carried)
        else:
            if key.startswith(POLITE):
                self.violate("wrong person: staff got a patient's message", _name(actor), message.text)
            if key.startswith(PAGES):
                self._duplicate(actor, message, carried)
        actor.sees(message)

    def _judge(self, reader: Reader, message: ShownMessage, key: str, carried: OutboxMessage) -> None:
        local = self._judged_time()
        prompted = self._is_answer(reader, message, carried)
        if key.startswith(FOR_STAFF):
            self.violate("wrong person: a patient got a message for staff", reader.code, message.text)
        self._whose(reader, message, carried)
        self._after_the_end(reader, message, key, prompted=prompted)
        self._lock_screen(reader, message, prompted=prompted)
        self._whose_days(reader, message, key, carried)
        if prompted:
            return
        self._duplicate(reader, message, carried)
        if not key.startswith(ALWAYS):
            if local.hour >= QUIET_FROM or local.hour < QUIET_TO:
                self.violate("quiet hours", reader.code, f"{local:%H:%M} {message.text}")
            if key.startswith(POLITE):
                self._far_night(reader, message, carried)
                self._too_many(reader, message, carried, local.date())
        if key.startswith(POLITE) and carried.purpose not in CANNOT_WAIT:
            self._stale(reader, message, key, local.date())

    def _judged_time(self) -> datetime:
        """Return the time by which the bot is judged: its machine's, for it cannot know of a wrong clock."""
        return self.world.local(self.world.machine.now())

    def _is_answer(self, reader: Reader, message: ShownMessage, carried: OutboxMessage) -> bool:
        """Tell whether somebody is being answered; what the bot begins by itself is that in the same moment only.

        The question about tablets is both: put by the bot, or shown to whom asked for it, who may be answered
        a little late when the send had to be tried again. So is what somebody hears who is back.
        Who wrote while the bot was away may be answered much later, without a sound at night; when a button was
        pressed Telegram does not say.
        """
        if reader.acted_at is None:
            return False
        since = self.world.now - reader.acted_at
        begun = carried.text_key.startswith(POLITE) and carried.purpose not in ("answer", "back")
        if begun:
            return since == timedelta(0)
        if since <= ANSWERING:
            return True
        return carried.purpose in ANSWERS and (message.silent or reader.acted_by == "press")

    def _duplicate(self, reader: Actor, message: ShownMessage, carried: OutboxMessage) -> None:
        """Nobody reads the same twice.

        Of two dangers in a quarter of an hour each gets its own words, though, and a day that was put back is news
        to whom another day was told meanwhile.
        """
        if any(message.text.startswith(self._opening(each, reader.locale)) for each in REPEATS):
            return
        key = carried.text_key
        event = carried.id if key.startswith(ALWAYS) else None
        now, mark = self.world.now, (reader.phone.user_id, message.text, event)
        before = self._last.get(mark)
        self._last[mark] = now
        if carried.purpose == "visit.announce":
            told, self._announced[mark[0]] = self._announced.get(mark[0]), message.text
            if told != message.text:
                return
        apart = TOLD_TWICE if key.startswith((*POLITE, *FOR_STAFF)) else ANSWERING
        if before is not None and now - before < apart:
            self.violate("duplicate", _name(reader), message.text)

    def _opening(self, key: str, locale: str) -> str:
        return self.world.texts.template(key, locale).partition("{")[0].strip() or "\0"

    def _too_many(self, reader: Reader, message: ShownMessage, carried: OutboxMessage, today: date) -> None:
        """Count the day's messages that can wait; an answer to what the reader has just done never comes here.

        Three things cannot wait (decision 0036) and are no violation themselves, but fill a place: the question
        how somebody is after the bot was down, the news that a visit was taken out of the plan, and the news that
        today or tomorrow is not as this phone has shown it, or was not shown on it today.
        """
        mark = (reader.phone.user_id, today)
        self._polite[mark] += 1
        shown = self._shown.setdefault(mark, set())
        stands = self._stands.setdefault(reader.phone.user_id, {})
        said, soon = self._said(reader, message, carried, today), (today, today + timedelta(days=1))
        news = carried.purpose == "visit.announce" and any(
            (on in said and on not in shown) or said.get(on, frozenset()) != stands.get(on, frozenset())
            for on in soon
        )
        if carried.purpose in ("visit.announce", "visit.gone"):
            # They tell all days as they stand; another one that was shown before does not stand.
            shown.clear()
            stands.clear()
        if carried.purpose in ("visit.announce", "visit.reminder"):
            shown.update(said)
            stands.update(said)
        if self._polite[mark] > MOST_A_DAY and not news and carried.purpose not in CANNOT_WAIT:
            self.violate(f"more than {MOST_A_DAY} non-urgent messages a day", reader.code, message.text)

    def _said(
        self, reader: Reader, message: ShownMessage, carried: OutboxMessage, today: date
    ) -> dict[date, frozenset[str]]:
        """Return the days of visits that a text names, each with the kinds of visit that it names for it."""
        names = [self.world.text(f"visit.kind.{kind}", reader.locale) for kind in VisitKind]
        if carried.purpose == "visit.reminder":
            # It is about the first day that it names; its tablets are about today.
            first = days.named(message.text, today)[:1]
            return {on: frozenset(name for name in names if name in message.text) for on in first}
        said: dict[date, frozenset[str]] = {}
        on: date | None = None
        for line in message.text.splitlines():
            on = next(iter(days.named(line, today)), on)
            if on is not None:
                said[on] = said.get(on, frozenset()) | {name for name in names if name in line}
        return said

    def _lock_screen(self, reader: Reader, message: ShownMessage, *, prompted: bool) -> None:
        first = message.text[:FIRST_SHOWN].lower()
        if not prompted and any(word in first for word in TELLING):
            self.violate("the lock screen tells of the trial", reader.code, first)

    def _whose_days(self, reader: Reader, message: ShownMessage, key: str, carried: OutboxMessage) -> None:
        """A day is the site's, and a message about one says so to whom is elsewhere, and to nobody else."""
        zone, since = self._where(reader.code)
        if carried.created_at <= since or not (key == "visit.mine" or carried.purpose in ABOUT_DAYS):
            return
        site = self.world.text(f"zone.{code_of(self.world.settings.site_timezone)}", reader.locale)
        if (site in message.text) is not (zone != self.world.settings.zone):
            self.violate("whose days are meant is not said, or said for nothing", reader.code, message.text)

    def _far_night(self, reader: Reader, message: ShownMessage, carried: OutboxMessage) -> None:
        """What can wait comes in no night where the patient is.

        Let be is what was due by day and could not be sent for long (decision 0040), and what was on its way
        when the patient said to be elsewhere.
        """
        zone, since = self._where(reader.code)
        now = self.world.machine.now()
        hour = now.astimezone(zone).hour
        if carried.created_at <= since or now - carried.due_at > LEFT_BEHIND:
            return
        if hour >= QUIET_FROM or hour < QUIET_TO:
            self.violate("the night where the patient is", reader.code, f"{hour}:00 {message.text}")

    def _where(self, code: str) -> tuple[ZoneInfo, datetime]:
        return self._away.get(code, (self.world.settings.zone, START))

    def _whose(self, reader: Reader, message: ShownMessage, carried: OutboxMessage) -> None:
        number, arm = self._subject(reader.code)
        if carried.subject_id not in (None, number):
            self.violate("wrong person: it is about somebody else", reader.code, message.text)
        rules = self.world.protocol.arms[arm]
        if not rules.tablets and (
            carried.text_key.startswith(ASKED) or any(action_of(each) == "tablets.answer" for each in message.buttons)
        ):
            self.violate("wrong arm: tablets", reader.code, message.text)
        injection = self.world.text(f"visit.kind.{VisitKind.INJECTION}", reader.locale)
        told = carried.text_key.startswith(POLITE) and carried.purpose != "visit.gone"
        if not rules.injections and told and injection in message.text:
            self.violate("wrong arm: injection", reader.code, message.text)

    def _after_the_end(self, reader: Reader, message: ShownMessage, key: str, *, prompted: bool) -> None:
        ended_at = self._ended.get(reader.code)
        if ended_at is not None and not prompted and not key.startswith((*ALWAYS, HOW_IT_ENDED)):
            self.violate("after the end", reader.code, message.text)
        if key == "stop.done":
            self._ended[reader.code] = self.world.now
            for each in self.clinic.readers[reader.code]:
                each.gone = True

    def _stale(self, reader: Reader, message: ShownMessage, key: str, today: date) -> None:
        """A day that is named must be one on which a visit of this subject is planned at this very moment."""
        named = days.named(message.text, today)
        if key.startswith(ASKED):
            # A week can be asked about as long as it can be answered.
            days_open = self.world.protocol.dose_prompt.answerable_days if key.startswith(OF_A_WEEK) else 0
            if named and not today - timedelta(days=days_open) <= max(named) <= today:
                self.violate("stale: another day's tablets", reader.code, message.text)
            return
        number, arm = self._subject(reader.code)
        planned = {
            date.fromisoformat(on): kind
            for on, kind in self.world.rows(
                "SELECT target_on, kind FROM visit WHERE subject_id = ? AND state = 'planned' AND NOT undecided",
                number,
            )
        }
        allowed = set(planned) | ({today} if self.world.protocol.arms[arm].tablets else set())
        for on in named:
            if on not in allowed:
                self.violate("stale: no visit is planned for that day", reader.code, message.text)
            elif on < today and key.startswith("reminder."):
                self.violate("stale: the visit has passed", reader.code, message.text)
        for word, day in self._relative(key, today):
            if named and day not in named:
                self.violate(f"stale: says {word}", reader.code, message.text)
        self._too_early(reader, message, named, number)

    @staticmethod
    def _relative(key: str, today: date) -> list[tuple[str, date]]:
        if key.endswith("day_1"):
            return [("tomorrow", today + timedelta(days=1))]
        return [("today", today)] if key.endswith("same_day") else []

    def _too_early(self, reader: Reader, message: ShownMessage, named: tuple[date, ...], number: int) -> None:
        if self.world.text(f"visit.kind.{VisitKind.INJECTION}", reader.locale) not in message.text:
            return
        earliest = self._earliest(number)
        if earliest is not None and named and max(named) < earliest:
            self.violate(f"injection proposed before day {SHORTEST_DAYS}", reader.code, message.text)

    def _earliest(self, number: int) -> date | None:
        last = self.world.rows(
            "SELECT max(r.held_on) FROM visit_record r JOIN visit v ON v.id = r.visit_id "
            "WHERE v.subject_id = ? AND v.kind = 'injection' AND r.outcome = 'done' AND r.version = "
            "(SELECT max(version) FROM visit_record WHERE visit_id = v.id)",
            number,
        )[0][0]
        return date.fromisoformat(last) + timedelta(days=SHORTEST_DAYS) if last else None

    def _subject(self, code: str) -> tuple[int, str]:
        number, arm = self.world.rows("SELECT id, arm FROM subject WHERE code = ?", code)[0]
        return int(number), str(arm)

    # Every evening

    def on_evening(self) -> None:
        """Judge the plan: every visit on a clinic day and in its window, whatever moved it.

        Let be is only what the rules leave to people: a visit without a day (nobody is told one, and staff have
        the task), the window of a day that staff chose, and a closed day that they typed and confirmed.
        """
        self._left_behind()
        rows = self.world.rows(
            "SELECT s.id, s.code, s.arm, v.kind, v.target_on, v.first_on, v.last_on, v.undecided, v.plan_version, "
            "v.chosen FROM visit v JOIN subject s ON s.id = v.subject_id WHERE v.state = 'planned' AND s.state = ?",
            ParticipationState.ON_STUDY.value,
        )
        for number, code, arm, kind, target, first, last, undecided, version, chosen in rows:
            on = date.fromisoformat(target)
            said = f"{kind} planned on {target}, version {version}"
            if kind == VisitKind.INJECTION:
                if not self.world.protocol.arms[arm].injections:
                    self.violate("wrong arm: an injection is planned", code, said)
                earliest = self._earliest(number)
                if earliest is not None and on < earliest:
                    self.violate(f"injection planned before day {SHORTEST_DAYS}", code, said)
            if undecided:
                continue
            if not chosen and not date.fromisoformat(first) <= on <= date.fromisoformat(last):
                self.violate("planned outside its window", code, said)
            if not self._can_be_seen(code, on):
                self.violate("planned on a closed day", code, said)

    def _can_be_seen(self, code: str, on: date) -> bool:
        """Tell whether the clinic works on a day, or staff have insisted on it for this patient."""
        return self.clinic.is_open(on) or (code, on) in self.clinic.insisted

    def _closed(self, actor: Actor, message: ShownMessage, key: str) -> None:
        """Judge every day that is offered, to patients and staff alike, and every visit that is told."""
        today = self._judged_time().date()
        for button in message.buttons:
            if action_of(button).startswith(OFFERS):
                for on in days.named(button.text, today):
                    if on > today and not self.clinic.is_open(on):
                        self.violate("a closed day is offered", _name(actor), button.text)
        if isinstance(actor, Reader) and key.startswith(TELLS):
            # Today may be named for the tablets; what was told of a day gone by was judged when it was to come.
            tablets = self.world.protocol.arms[self._subject(actor.code)[1]].tablets
            for on in days.named(message.text, today):
                if on >= today + timedelta(days=tablets) and not self._can_be_seen(actor.code, on):
                    self.violate("a visit on a closed day is told", actor.code, message.text)

    def _left_behind(self) -> None:
        """Judge what lies still: nothing may be due for long without an outcome, and every fault is a finding."""
        before = stored(self.world.machine.now() - LEFT_BEHIND)
        if self.world.bot is None:
            return
        for table, waiting in (("agenda_item", "'waiting'"), ("outbox_message", "'waiting', 'sending'")):
            for number, due in self.world.rows(
                f"SELECT id, due_at FROM {table} WHERE state IN ({waiting}) AND due_at < ? ORDER BY id",  # noqa: S608
                before,
            ):
                if (table, number) in self._told or (table == "outbox_message" and self._waits_for_morning(number)):
                    continue
                self._told.add((table, number))
                self.violate("due without an outcome", table, f"number {number}, due {due}")
        for at, what in self.world.survived:
            self.violate("a fault of the program", "bot", what, at)
        self.world.survived.clear()

    # At the end

    def on_end(self) -> None:
        """Judge what is left: nothing due without an outcome, nothing closed without a reason."""
        self._left_behind()
        for table in ("agenda_item", "outbox_message"):
            for number, state in self.world.rows(
                f"SELECT id, state FROM {table} "  # noqa: S608
                f"WHERE state IN ('skipped', 'failed', 'unsure') AND reason IS NULL ORDER BY id"
            ):
                self.violate("an outcome without a reason", table, f"number {number} {state}")
        for misuse in self.world.telegram.misuses:
            self.violate("the Bot API is misused", "bot", misuse)

    def _waits_for_morning(self, number: int) -> bool:
        local = self._judged_time()
        night = local.hour >= QUIET_FROM or local.hour < QUIET_TO
        lane = self.world.rows("SELECT lane FROM outbox_message WHERE id = ?", number)[0][0]
        return night and lane >= 3


def _name(actor: Actor) -> str:
    return actor.code if isinstance(actor, Reader) else actor.phone.first_name
