"""How does simulated time pass: who acts when, what does the bot do then, and when does it break down?

Time jumps from one moment at which something happens to the next. At each, people act first, then the bot
works until nothing is left to do: updates, jobs, outbox.
"""

import heapq
import itertools
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import schedules
from bot import app
from bot.cipher import Cipher
from bot.clock import SetClock
from bot.delivery import inbox
from bot.delivery.http import NotSent, check_answer
from bot.delivery.telegram import TelegramChannel
from bot.deps import Deps, Signal, Standing
from bot.domain import reminders
from bot.domain.calendar import ClinicCalendar
from bot.domain.people import BOT
from bot.settings import NOBODY_OUTSIDE, Settings
from bot.simulation.ground import OneThreadStore, Sender, ShortWay, SteppedClock, WatchedMetrics, Worker
from bot.simulation.plan import START, Plan
from bot.simulator.request import SimulatedRequest
from bot.simulator.telegram import DEFAULT_TOKEN, SimulatedTelegram
from bot.store.models import OutboxMessage
from bot.usecases import brief_plan, outage, reach, upkeep, weekly_digest
from bot.work import Lane, run
from schedules import agenda

Action = Callable[[], Awaitable[None]]

SITE_PHONE = "0571-0000-0000"
# The jobs that work off the agenda run whenever something of theirs is due; the others look around by themselves.
ON_TIME: Mapping[str, Collection[str]] = {
    "escalations": agenda.ESCALATIONS,
    "reminders": agenda.REMINDERS,
    "prompts": agenda.PROMPTS,
    "reach": agenda.REACH,
    "staff_lists": agenda.STAFF_LISTS,
}
PLANNED_BY_JOB: Mapping[str, Collection[str]] = {
    "reach": (reach.LOOK,),
    "staff_lists": (brief_plan.LOOK, weekly_digest.DIGEST),
}
LOOK_EVERY = timedelta(hours=12)
LOOK_SOON = timedelta(minutes=3)  # after a breakdown or a fault, when the watchdog has something to settle
# What stays due although the bot has worked must not hold time still.
STUCK = timedelta(minutes=10)
BATCH = 100
# A long chat is cut, or two years of messages would fill the memory.
CHAT_KEPT, CHAT_LONGEST = 150, 400


class World:
    """One site: its bot, which can break down and come back, the phones, and the one true clock."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.clock = SetClock(START)
        self.machine = SteppedClock(self.clock)
        self.settings = Settings(
            _env_file=None,
            telegram_token=DEFAULT_TOKEN,
            database_url=f"sqlite:///{folder / f'site-{plan.site}.sqlite3'}",
            encryption_key=Cipher.new_key(),
            site=plan.site_name,
            site_phone=SITE_PHONE,
            protocol=None,
            clock_start=None,
            **NOBODY_OUTSIDE,
        )
        # Reading the trial and making the tables is done once; a restart finds both.
        self._parts = app.make_deps(self.settings, self.machine)
        self._parts.store.close()
        self.texts, self.protocol = self._parts.texts, self._parts.protocol
        path = self.settings.database_url.removeprefix("sqlite:///")
        self._database = sqlite3.connect(path, isolation_level=None)
        self.telegram = SimulatedTelegram(self.clock)
        self.telegram.updates.allow(inbox.WANTED)
        self.way: ShortWay | None = None
        self.bot: app.Running | None = None
        self.counts: Counter[str] = Counter()
        self.survived: list[tuple[datetime, str]] = []  # faults of the program, which the bot lived through
        self._listeners: list[Callable[[OutboxMessage], None]] = []
        self.over = False  # nothing more happens: what was looked for has been found
        self._send_dice = plan.dice("sends") if plan.faults else None
        self._running = AsyncExitStack()
        self._agenda: list[tuple[datetime, int, Action]] = []
        self._serial = itertools.count()
        self._look_at = START

    # What others ask

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def local(self, moment: datetime | None = None) -> datetime:
        """Return a moment, or the present one, on the wall clock of the site."""
        return (moment or self.now).astimezone(self.settings.zone)

    def wall(self, day_from_now: int, hour: int, minute: int = 0) -> datetime:
        """Return the moment at which the site's clocks show this time so many days from today."""
        day = self.local().replace(hour=hour, minute=minute, second=0, microsecond=0)
        return day + timedelta(days=day_from_now)

    @property
    def deps(self) -> Deps:
        assert self.bot is not None, "the bot is down"
        return self.bot.deps

    @property
    def calendar(self) -> ClinicCalendar:
        return self._parts.clinic

    def text(self, key: str, locale: str, **values: object) -> str:
        return self.texts.text(key, locale, **values)

    def at(self, moment: datetime, action: Action) -> None:
        """Let something happen at a moment; what is past happens at once."""
        heapq.heappush(self._agenda, (max(moment, self.now).astimezone(UTC), next(self._serial), action))

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return committed rows of the trial's tables: what a site knows of its own visits and cases."""
        return self._database.execute(statement, values).fetchall()

    def on_leaving(self, listener: Callable[[OutboxMessage], None]) -> None:
        """Call ``listener(message)`` at every try of the bot to bring a message, whether it arrives or not."""
        self._listeners.append(listener)

    def _leaves(self, message: OutboxMessage) -> None:
        for listener in self._listeners:
            listener(message)

    # The bot

    async def start(self) -> None:
        """Start the bot on what it left in the database."""
        metrics = WatchedMetrics(self._note_fault)
        key = self.settings.encryption_key
        assert key is not None
        store = OneThreadStore(self.settings.database_url, Cipher(key.get_secret_value()), metrics)
        self._running.callback(store.close)
        deps = self._fresh(store, metrics)
        bot = await self._running.enter_async_context(app.running(deps, self._request(), self._request()))
        channel = TelegramChannel(bot.application.bot, lambda _: POINT)
        self.way = ShortWay(channel, self.telegram, self._send_dice, self._leaves)
        self.bot = replace(
            bot, dispatcher=Sender(bot, self.way, self._mail_waits), pump=Worker(bot, self._updates_wait)
        )
        # What a poller notes when it hears Telegram for the first time.
        await run(self.deps, BOT, "job:outage", outage.heard, after_gap=True)
        self._look_at = self.machine.now()
        self.counts["starts"] += 1

    def _fresh(self, store: OneThreadStore, metrics: WatchedMetrics) -> Deps:
        """Return the parts of a process that has just begun: what only memory knew is gone."""
        return replace(
            self._parts,
            store=store,
            metrics=metrics,
            pulses={},
            standing=Standing(),
            outgoing=Signal(),
            incoming=Signal(),
        )

    def _request(self) -> SimulatedRequest:
        return SimulatedRequest(self.telegram, check=check_answer, not_sent=NotSent)

    async def stop(self) -> None:
        """Throw the running bot away; what it had not committed is gone."""
        if self.bot is None:
            return
        if self.way is not None:
            self.counts.update({f"send fault {name}": n for name, n in self.way.faults.items()})
        await self._running.aclose()
        self._running = AsyncExitStack()
        self.bot = self.way = None

    async def close(self) -> None:
        await self.stop()
        self._database.close()

    async def go_down(self, back_at: datetime) -> None:
        """Let the bot be away until ``back_at``."""
        if self.bot is None:
            return
        # A poller notes every minute that it hears Telegram; so that was known when it ended.
        await run(self.deps, BOT, "job:outage", outage.heard, after_gap=False)
        await self.stop()
        self.at(back_at, self._come_back)

    async def _come_back(self) -> None:
        if self.bot is None:
            await self.start()

    async def step_clock(self, offset: timedelta) -> None:
        """Set the clock of the bot's machine wrong by ``offset``, or right again with none."""
        step = offset - self.machine.offset
        self.machine.offset = offset
        if self.bot is not None:
            # What schedules.attend does when the machine's clock jumps.
            await run(self.deps, BOT, "job:clock", upkeep.tell_of_step, step.total_seconds())
            self._look_at = self.machine.now()

    def _note_fault(self, what: str) -> None:
        self.survived.append((self.now, what))

    # Time

    async def play(self, on_day: Callable[[int], None] | None = None) -> None:
        """Let time pass until the end of the plan."""
        days = (self.plan.ends_at - START).days
        for day in range(days):
            await self.until(START + timedelta(days=day + 1))
            self._cut_chats()
            if on_day is not None:
                on_day(day + 1)

    async def until(self, end: datetime) -> None:
        """Let time pass until ``end``; whatever happens on the way happens at its own time."""
        while not self.over and (moment := self._next_moment(end)) <= end:
            if moment > self.now:
                self.clock.set(moment)
            acted = False
            while self._agenda and self._agenda[0][0] <= self.now:
                await heapq.heappop(self._agenda)[2]()
                acted = True
            await self.settle()
            if not acted and moment >= end:
                return

    def _next_moment(self, end: datetime) -> datetime:
        """Return when something happens next, ``end`` at the latest."""
        known = [end]
        if self._agenda:
            known.append(self._agenda[0][0])
        if self.bot is not None:
            offset = self.machine.offset
            known += [moment - offset for moment in self._due_moments()]
        return max(min(known), self.now)

    def _due_moments(self) -> Iterator[datetime]:
        """Return when the bot has something to do next, on its own clock."""
        now = self.machine.now()
        quiet = self.protocol.quiet_hours.covers(now.astimezone(self.settings.zone).time())
        lane = Lane.REMINDER if quiet else 99
        for statement in (
            "SELECT min(due_at) FROM agenda_item WHERE state = 'waiting'",
            f"SELECT min(due_at) FROM outbox_message WHERE state = 'waiting' AND lane < {int(lane)}",  # noqa: S608
        ):
            due = self.rows(statement)[0][0]
            if due is not None:
                moment = datetime.fromisoformat(due).replace(tzinfo=UTC)
                yield moment if moment > now else now + STUCK
        if quiet:
            yield reminders.out_of_quiet(now, self.settings.zone, self.protocol.quiet_hours)
        yield self._look_at

    async def settle(self) -> None:
        """Let the bot take in what people did, answer it, do its jobs and send what is due, until all is quiet."""
        while self.bot is not None:
            came = await self._take_in()
            if came:
                await self.bot.pump.drain()
            worked = await self._jobs()
            sent = await self._send()
            if self.way is not None and self.way.killed:
                self.counts["killed while sending"] += 1
                await self.stop()
                await self.start()
                continue
            if not came and not worked and not sent:
                return

    async def _take_in(self) -> int:
        """Do what the poller does, without the wire between: store a batch, then confirm it."""
        assert self.bot is not None
        waiting = self.telegram.updates.pending[:BATCH]
        if not waiting:
            return 0
        self.counts["updates"] += len(waiting)
        await inbox.keep(self.bot.deps, self.bot.application.bot.id, [each.update for each in waiting])
        self.telegram.updates.confirm(waiting[-1].update_id)
        return len(waiting)

    async def _jobs(self) -> bool:
        """Run the jobs whose time has come; return whether they left less on the agenda, or other things."""
        now = self.machine.now()
        due = self._due_now()
        look = now >= self._look_at or self._look_at > now + LOOK_EVERY
        if look:
            self._look_at = now + LOOK_EVERY
        left = due
        for job in schedules.JOBS:
            own = ON_TIME.get(job.name)
            wanted = look if own is None else any(kind in own for _, kind in left)
            if wanted or (due and self._has_nothing_planned(job.name)):
                await job.run(self.deps)
                # What a job enters may be due at once, for a job that comes after it.
                left = self._due_now()
        return bool(due) and left != due

    def _has_nothing_planned(self, job: str) -> bool:
        # The job enters the first of a kind by itself; without one nothing of that kind would ever be due.
        return any(
            not self.rows("SELECT 1 FROM agenda_item WHERE state = 'waiting' AND kind = ? LIMIT 1", kind)
            for kind in PLANNED_BY_JOB.get(job, ())
        )

    def _due_now(self) -> list[tuple[Any, ...]]:
        """Return the number and the kind of each entry that is due."""
        # In the order of their numbers, which SQLite would look for by walking through all that was ever done.
        due = "SELECT id, kind FROM agenda_item WHERE state = 'waiting' AND due_at <= ?"
        return sorted(self.rows(due, stored(self.machine.now())))

    async def _send(self) -> int:
        assert self.bot is not None
        assert self.way is not None
        before = sum(self.way.faults.values())
        sent = await self.bot.dispatcher.drain()
        if sum(self.way.faults.values()) > before:
            self._look_at = min(self._look_at, self.machine.now() + LOOK_SOON)
        return sent

    def _mail_waits(self) -> bool:
        # What was tried before may be due by the rule for clocks that were set back.
        due = "due_at <= ? OR created_at > ? OR attempts > 0"
        now = stored(self.machine.now())
        return bool(
            self.rows(f"SELECT 1 FROM outbox_message WHERE state = 'waiting' AND ({due}) LIMIT 1", now, now)  # noqa: S608
        )

    def _updates_wait(self) -> bool:
        return bool(self.rows("SELECT 1 FROM inbox_update WHERE state = 'waiting' LIMIT 1"))

    def _cut_chats(self) -> None:
        self.telegram.log.clear()
        for chat in self.telegram.chats.values():
            if len(chat.messages) > CHAT_LONGEST:
                for number in list(chat.messages)[:-CHAT_KEPT]:
                    del chat.messages[number]


def stored(moment: datetime) -> str:
    """Return a moment as SQLite keeps it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


POINT = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
