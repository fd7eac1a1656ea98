"""The bot without Telegram: real use cases, tables, agenda and outbox, and a channel that is not to be trusted.

Time jumps from one moment to the next at which something is due or happens. All of it on one thread, so that a seed
gives the same course again.
"""

import hashlib
import heapq
import json
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, select

from bench.engines import quicken
from bench.storm.judge import Judge, Member
from bot.clock import SetClock
from bot.delivery import dispatch
from bot.delivery.channel import NotSent, Outcome, Sent, Throttled, Unreachable, Unsure
from bot.delivery.dispatch import Attempt
from bot.deps import Deps
from bot.domain.calendar import ClinicCalendar
from bot.domain.people import BOT
from bot.domain.roles import Role
from bot.domain.urgency import Urgency
from bot.errors import FollowupError
from bot.protocol.model import Protocol
from bot.settings import Settings
from bot.store import agenda, lease, outbox, people, schema
from bot.store.models import Account, Escalation, Link, OutboxMessage, StaffMember, Subject
from bot.store.session import Store
from bot.texts import Texts
from bot.usecases import digest, escalate, reach, redeliver, staff
from bot.work import Text, Work
from handlers.policy import allowed
from handlers.presses import PRESSES
from schedules import agenda as schedule
from schedules import watchdog

START = datetime.fromisoformat("2026-11-02T07:00:00+08:00")
LASTS = timedelta(days=9_000)
STAFF = (
    (Role.COORDINATOR, True),
    (Role.COORDINATOR, False),
    (Role.INVESTIGATOR, True),
    (Role.INVESTIGATOR, False),
    (Role.INVESTIGATOR, False),
    (Role.PI, False),
    (Role.MONITOR, False),
    (Role.ADMIN, False),
)
PATIENT, PAGE_KEYS = 100_000, ("case.page",)
ESCALATIONS = schedule.ESCALATIONS
# Asked at every moment by the bench itself, so past the session, which costs many times as much.
_KINDS = ", ".join(f"'{kind}'" for kind in ESCALATIONS)
_NEXT_ITEM = f"SELECT min(due_at) FROM agenda_item WHERE state = 'waiting' AND kind IN ({_KINDS})"
_NEXT_MESSAGE = "SELECT min(due_at) FROM outbox_message WHERE state = 'waiting' AND due_at > ?"
_TO_SEND = "SELECT chat_id FROM outbox_message WHERE state = 'waiting' AND due_at <= ?"


class Open:
    """Seals nothing: what sealing costs is no part of this proof."""

    def seal(self, plain: str) -> str:
        return plain

    def open(self, sealed: str) -> str:
        return sealed


class Keys(Texts):
    """Says every text as its key: what is said is no part of this proof, and costs most of the time."""

    def text(self, key: str, locale: str, **values: object) -> str:
        return key

    def plural(self, key: str, n: int, locale: str, **values: object) -> str:
        return f"{key} {n}"

    def moment(self, at: datetime, *_: object) -> str:
        return at.isoformat()


@dataclass(frozen=True, slots=True)
class Shown:
    """A button on somebody's phone."""

    message: int
    token: str
    action: str
    args: dict[str, Any]


@dataclass
class Trouble:
    """How often sends go wrong, of 1,000."""

    not_sent: int = 15
    throttled: int = 5
    unsure: int = 10
    late: int = 10


@dataclass
class World:
    """A bot, its people, and the time in which they live."""

    folder: Path
    protocol: Protocol
    subjects: int
    rng: random.Random
    trouble: Trouble = field(default_factory=Trouble)

    def __post_init__(self) -> None:
        self.clock = SetClock(START)
        self.settings = Settings(_env_file=None, site_phone="0")
        self.clinic = ClinicCalendar()
        self.real = START.astimezone(self.clock.now().tzinfo)
        self.offset = timedelta()
        self.is_up, self.silent_line, self.epoch = True, False, 1
        self.judge = Judge(dict(self.protocol.chains), self.settings, self.clinic)
        self.shown: dict[int, list[Shown]] = {}
        self.blocked: set[int] = set()
        self.account_of: dict[int, int] = {}
        self.member_of: dict[int, int] = {}
        self.patient_of: dict[int, int] = {}
        self.on_message: Callable[[int, OutboxMessage], None] = lambda _member, _message: None
        self.happened = 0
        self._events: list[tuple[datetime, int, Callable[[], None]]] = []
        self._waiting: list[Callable[[], None]] = []
        self._busy: set[int] = set()
        self._held: dict[int, datetime] = {}
        self._open()
        self.act(None, self._populate)

    # Starting and stopping

    def _open(self) -> None:
        self.store = quicken(Store(f"sqlite:///{self.folder / 'storm.sqlite3'}", Open()), "open")  # type: ignore[arg-type]
        schema.upgrade(self.store)
        self._raw = sqlite3.connect(self.folder / "storm.sqlite3", isolation_level=None)
        texts = Keys({})
        self.deps = Deps(self.store, self.clock, self.protocol, texts, self.settings, self.clinic)
        self._lead()

    def _lead(self) -> None:
        taken = self.store.write_now(
            lambda session: lease.take(session, "storm", 1, LASTS, self.clock.now(), by_force=True)
        )
        assert taken is not None
        self.epoch = self.deps.standing.epoch = taken

    def close(self) -> None:
        self._raw.close()
        self.store.close()

    def restart(self) -> None:
        """Let the process die and a new one take over; of what was being sent nobody knows the fate."""
        self.happened += 1
        self.close()
        self._busy.clear()
        self._held.clear()
        self._open()
        self.act(None, dispatch.settle_abandoned)

    def restart_if_up(self) -> None:
        if self.is_up:
            self.restart()
            self.send()

    def _populate(self, work: Work) -> None:
        for number, (role, on_duty) in enumerate(STAFF, start=1):
            account = Account(telegram_id=number, locale="en", first_seen_at=work.now)
            work.session.add(account)
            work.session.flush()
            row = StaffMember(
                account_id=account.id or 0, role=role, name=f"{role} {number}", on_duty=on_duty, granted_at=work.now
            )
            work.session.add(row)
            work.session.flush()
            member, number_of_account = row.id or 0, account.id or 0
            self.account_of[member], self.member_of[number_of_account] = number_of_account, member
            self.judge.staff[member] = Member(member, role, on_duty)
        for number in range(1, self.subjects + 1):
            subject = Subject(
                code=f"S-{number:04}", site="site", arm="CTRL", locale="en", birth_year=1960, state="on_study",
                timezone="Asia/Shanghai", cbc_interval_days=7, enrolled_at=work.now, enrolled_by="storm",
                state_changed_at=work.now,
            )  # fmt: skip
            work.session.add(subject)
            work.session.flush()
            account = Account(telegram_id=PATIENT + (subject.id or 0), locale="en", first_seen_at=work.now)
            work.session.add(account)
            work.session.flush()
            link = Link(
                account_id=account.id or 0, subject_id=subject.id or 0, relation="patient", linked_at=work.now
            )
            link.agreed_at = work.now
            work.session.add(link)
            self.patient_of[subject.id or 0] = account.id or 0

    # Time

    @property
    def now(self) -> datetime:
        """Return what the bot's clock shows."""
        return self.clock.now()

    def at(self, seconds: float, happens: Callable[[], None]) -> None:
        """Let something happen so many seconds from now."""
        when = self.real + timedelta(seconds=round(seconds, 3))
        heapq.heappush(self._events, (when, self.happened, happens))
        self.happened += 1

    def heard(self, happens: Callable[[], None]) -> None:
        """Let an update reach the bot: now, or when it is there again."""
        if self.is_up:
            happens()
            self.send()
        else:
            self._waiting.append(happens)

    def run(self, until: datetime) -> None:
        """Let time pass until ``until``; everything happens at its own moment."""
        while True:
            coming = [self._events[0][0]] if self._events else []
            if self.is_up:
                coming += [moment - self.offset for moment in self._due()]
            moment = min(coming, default=until)
            if moment >= until:
                self._move(until)
                return
            self._move(max(moment, self.real))
            if self.is_up:
                self.look()
            while self._events and self._events[0][0] <= self.real:
                heapq.heappop(self._events)[2]()

    def _move(self, real: datetime) -> None:
        self.real = real
        self.clock.set(real + self.offset)

    def _due(self) -> list[datetime]:
        """Return what comes next by the bot's agenda and outbox, and by the judge, who does not trust them."""
        now = self.now
        found = [self._moment(_NEXT_ITEM), self._moment(_NEXT_MESSAGE, _text(now)), self.judge.next_due()]
        found += self._held.values()
        return [max(each, now + timedelta(milliseconds=1)) for each in found if each is not None]

    def _moment(self, statement: str, *given: str) -> datetime | None:
        (found,) = self._raw.execute(statement, given).fetchone()
        return None if found is None else datetime.fromisoformat(found).replace(tzinfo=UTC)

    def look(self) -> None:
        """Let the bot do what is due at this moment, as its jobs do every second."""
        self.judge.advance(self.now)
        while (next_item := self._moment(_NEXT_ITEM)) is not None and next_item <= self.now:
            due = self.store.read_now(self._due_items)
            for number in due:
                try:
                    self.act(None, schedule.one, number, ESCALATIONS)
                except Exception as error:
                    # As `schedules.agenda.work_off` does it.
                    self.judge.wrong("b", f"work that was due failed: {error!r}", self.now)
                    self.act(None, schedule.put_off, number)
        self.send()

    def _due_items(self, session: Session) -> list[int]:
        return list(agenda.due(session, ESCALATIONS, self.now, schedule.BATCH))

    def goes_down(self) -> None:
        self.is_up = False

    def comes_up(self) -> None:
        """Start the bot again: what became due meanwhile, then what people did meanwhile."""
        if self.is_up:
            return
        self.is_up = True
        self.restart()
        self.judge.up(self.now)
        self.look()
        waiting, self._waiting = self._waiting, []
        for happens in waiting:
            happens()
            self.send()

    def set_clock(self, step: timedelta) -> None:
        """Set the machine's clock; the bot's pulse tells of a step back at its next beat."""
        if not self.is_up:
            return
        age = timedelta(seconds=self.rng.randrange(60))
        self.clock.advance(seconds=-age.total_seconds())
        self.store.write_now(lambda session: watchdog.beat(session, self.deps))
        self.offset += step
        self._move(self.real)
        if step < timedelta():
            self.act(None, watchdog.mend_clock)
        self.judge.set_clock(step, step + age, self.now)
        self.look()

    # Work

    def act(self, account: int | None, use_case: Callable[..., Any], *args: Any) -> Any:
        """Run a use case in one transaction, as whoever has this account, or as the bot."""

        def body(session: Session) -> Any:
            caller = BOT
            if account is not None:
                found = session.get_one(Account, account)
                caller = people.caller(session, found)
            work = Work(session, self.deps, caller, "storm", self.now)
            if account is not None:
                reach.heard(work, found, caller)
            return use_case(work, *args)

        return self.store.write_now(body)

    def report(self, subject: int, urgency: Urgency, because: str, source: str, by: int) -> None:
        """Let something abnormal be told; ``by``: the account of whoever tells it."""

        def tell(work: Work) -> tuple[int, int]:
            row = work.session.get_one(Subject, subject)
            line = Text("report.line.words", {"words": because})
            case = escalate.raise_case(work, row, urgency, [because], [line], source=source)
            return case.id or 0, case.subject_id

        number, of = self.act(by, tell)
        if (member := self.member_of.get(by)) is not None:
            # Who enters a value is there again, and the bot has noticed.
            self.judge.staff[member].cut_off = False
        if of != subject:
            self.judge.wrong("g", f"what subject {subject} told is in a case of subject {of}", self.now)
        self.judge.advance(self.now)
        suspect = self.protocol.adverse_events.serious.suspects([because])
        self.judge.report(subject, number, urgency, source, self.now, suspect=suspect)

    def press(self, member: int, button: Shown) -> bool:
        """Let somebody press a button on their phone; tell whether it did reach its use case."""

        def pressed(work: Work) -> bool:
            message = outbox.by_token(work.session, button.token)
            if message is None or not allowed(button.action, work.caller.role):
                return False
            redeliver.arrived(work, message)
            if message.single_use and message.pressed_at is not None:
                return False
            if message.single_use:
                message.pressed_at = work.now
            try:
                with work.session.begin_nested():
                    PRESSES[button.action](work, button.args)
            except FollowupError:
                work.session.expire_all()
                return False
            return True

        self.judge.staff[member].cut_off = False
        went = bool(self.act(self.account_of[member], pressed))
        self.judge.advance(self.now)
        if went and self.judge.staff[member].there:
            spoke = bool(button.args.get("spoke"))
            self.judge.press(member, button.action, button.args.get("case", 0), self.now, spoke=spoke)
        return went

    def leaves(self, member: int) -> None:
        self.act(self.account_of[len(STAFF)], staff.end, {"staff": member})
        self.judge.advance(self.now)
        self.judge.left(member, self.now)

    def comes_back(self, member: int, *, on_duty: bool) -> None:
        def join(work: Work) -> None:
            row = work.session.get_one(StaffMember, member)
            row.revoked_at, row.granted_at, row.on_duty = None, work.now, on_duty

        self.act(None, join)
        known = self.judge.staff[member]
        known.there, known.on_duty = True, on_duty
        self.shown.pop(member, None)

    # Sending

    def send(self) -> None:
        """Send what is due, a message of each chat at a time, until nothing is left that can go now."""
        quiet = self.protocol.quiet_hours.covers(self.now.astimezone(self.settings.zone).time())
        while self.is_up:
            now = self.now
            self._held = {chat: until for chat, until in self._held.items() if now < until}
            room = outbox.Room(64, 64)

            def claim(session: Session, now: datetime = now, room: outbox.Room = room) -> outbox.Claim:
                return outbox.claim_due(session, now, self.epoch, self._busy, [*self._held], room, quiet=quiet)

            taken = {*self._busy, *self._held}
            due = self._raw.execute(_TO_SEND, [_text(now)])
            # Red ones also go to a chat in which another message waits for its next try.
            if all(chat in taken for (chat,) in due) and not (self._held and self._red_waits(now)):
                return
            claimed = self.store.write_now(claim).messages
            if not claimed:
                return
            attempts = []
            for message in claimed:
                self._note(message)
                outcome, late = self._deliver(message)
                attempt = Attempt(message.id or 0, self.epoch, outcome)
                if late:
                    self._busy.add(message.chat_id)
                    self.at(late, lambda a=attempt, m=message: self._comes_late(a, m))  # type: ignore[misc]
                else:
                    attempts.append((attempt, message))
            if attempts and self.rng.random() < 0.0003:
                self.restart()
                continue
            self._record(attempts)

    def _red_waits(self, now: datetime) -> bool:
        waiting = self._raw.execute(f"{_TO_SEND} AND lane = 0", [_text(now)])
        return any(chat not in self._busy for (chat,) in waiting)

    def _comes_late(self, attempt: Attempt, message: OutboxMessage) -> None:
        """Write an outcome that took its time; after a restart nobody is left who would."""
        if attempt.epoch != self.epoch or not self.is_up:
            return
        self._busy.discard(message.chat_id)
        self._record([(attempt, message)])
        self.send()

    def _record(self, attempts: list[tuple[Attempt, OutboxMessage]]) -> None:
        if not attempts:
            return
        until = self.act(None, dispatch.record, [attempt for attempt, _ in attempts])
        for (attempt, message), waits in zip(attempts, until, strict=True):
            if waits is not None:
                self._held[message.chat_id] = waits
            member = self.member_of.get(message.account_id)
            if isinstance(attempt.outcome, Sent):
                if member is not None:
                    self.judge.arrived(member)
                if message.purpose in (escalate.PAGE, digest.PURPOSE):
                    for number in _cases_of(message):
                        self.judge.came_through(number)
                self._show(message)
            elif member is not None:
                self.judge.failed(member, self.now, cut_off=isinstance(attempt.outcome, Unreachable))
                if isinstance(attempt.outcome, Unsure) and self.rng.random() < 0.5:
                    self._show(message)

    def _deliver(self, message: OutboxMessage) -> tuple[Outcome, float]:
        """Return how an attempt ends, and after how many seconds that is known."""
        if self.silent_line:
            return NotSent("the line is dead"), 0.0
        if message.account_id in self.blocked:
            return Unreachable("blocked"), 0.0
        drawn, trouble = self.rng.randrange(1000), self.trouble
        late = round(self.rng.uniform(0.5, 8.0), 3) if self.rng.randrange(1000) < trouble.late else 0.0
        if drawn < trouble.not_sent:
            return NotSent("the line broke"), late
        if drawn < (bound := trouble.not_sent + trouble.throttled):
            return Throttled(timedelta(seconds=self.rng.randrange(1, 6))), late
        if drawn < bound + trouble.unsure and message.attempts < 4:
            return Unsure("no answer came"), late
        return Sent(message.id), late

    def _note(self, message: OutboxMessage) -> None:
        """Let the judge see what leaves, and for whom."""
        member = self.member_of.get(message.account_id)
        if member is None:
            if message.about_id is not None and message.purpose == "case":
                self.judge.tries_patient(message.about_id, message.text_key, message.created_at, self.now)
            return
        if message.method != "commands":
            self.judge.tries_staff(member, message.text_key, self.now)
        if message.purpose == digest.PURPOSE:
            self.judge.tries_digest(member, _cases_of(message), self.now)
        elif message.purpose == escalate.PAGE and message.text_key in PAGE_KEYS and message.about_id is not None:
            self.judge.tries_page(member, message.about_id, self.now)

    def _show(self, message: OutboxMessage) -> None:
        member = self.member_of.get(message.account_id)
        if member is None or message.keyboard is None or message.token is None or message.method != "send":
            return
        buttons = [
            Shown(message.id or 0, message.token, action, args)
            for row in json.loads(message.keyboard)
            for _, action, args in row
        ]
        phone = self.shown.setdefault(member, [])
        phone += buttons
        del phone[:-120]
        self.on_message(member, message)

    # In the end

    def settle(self) -> None:
        """Let the judge compare with the list of open cases that staff see."""

        def listed(work: Work) -> dict[int, int | None]:
            found = escalate.open_cases(work, 0, 1_000_000)
            return {case.id or 0: case.acknowledged_by_id for case, _ in found if case.kind == escalate.SYMPTOM}

        self.judge.settle(self.act(None, listed), self.now)
        for number, subject in self.store.read_now(
            lambda session: session.exec(select(Escalation.id, Escalation.subject_id)).all()
        ):
            if (known := self.judge.cases.get(number or 0)) is not None and known.subject != subject:
                self.judge.wrong("g", f"case {number} went from subject {known.subject} to {subject}", self.now)

    def fingerprint(self) -> str:
        """Return what only the same course gives again."""
        with self.store.engine.connect() as connection:
            rows = connection.execute(
                text("SELECT what, at, by, escalation_id FROM escalation_step ORDER BY id")
            ).all()
        return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]


def _text(moment: datetime) -> str:
    """Return a moment as SQLite keeps it, to be compared as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _cases_of(message: OutboxMessage) -> list[int]:
    """Return the cases that a message to staff is about."""
    if message.purpose == escalate.PAGE and message.about_id is not None:
        return [message.about_id]
    rows = json.loads(message.keyboard or "[]")
    return [args["case"] for row in rows for _, _, args in row if "case" in args]
