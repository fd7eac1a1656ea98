"""A ward at the level of use cases: a few staff, one patient, real tables, no event loop and no Telegram."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlmodel import Session, SQLModel, select

from bench.engines import quicken, whole
from bench.storm.world import Keys, Open
from bot.clock import SetClock
from bot.delivery import dispatch
from bot.delivery.channel import Outcome, Sent
from bot.delivery.dispatch import Attempt
from bot.deps import Deps
from bot.domain.calendar import ClinicCalendar
from bot.domain.people import BOT
from bot.domain.roles import Role
from bot.domain.urgency import Urgency
from bot.errors import FollowupError
from bot.protocol.load import bundled
from bot.store import agenda, lease, outbox, people
from bot.store.models import Account, Dialogue, Escalation, Link, OutboxMessage, StaffMember, Subject
from bot.store.session import Store
from bot.usecases import escalate, forms, staff
from bot.work import Text, Work
from handlers.policy import allowed
from handlers.presses import PRESSES
from schedules import agenda as schedule
from schedules import watchdog
from tests.conftest import START, make_settings

Row = TypeVar("Row", bound=SQLModel)
STAFF = {
    "doctor": (Role.INVESTIGATOR, True),
    "colleague": (Role.INVESTIGATOR, True),
    "nurse": (Role.COORDINATOR, False),
    "pi": (Role.PI, False),
    "monitor": (Role.MONITOR, False),
    "admin": (Role.ADMIN, False),
}


class Ward:
    """A bot whose people press what they like; texts are their keys."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.clock = SetClock(START)
        self.store = quicken(Store(f"sqlite:///{path}", Open()), "open")  # type: ignore[arg-type]
        self.deps = Deps(self.store, self.clock, bundled(), Keys({}), make_settings(), ClinicCalendar())
        self.toast: str | None = None
        self.numbers: dict[str, int] = {}
        self.accounts: dict[str, int] = {}
        self.epoch = self.store.write_now(
            lambda session: lease.take(session, "ward", 1, timedelta(days=99), START, by_force=True) or 0
        )
        self.deps.standing.epoch = self.epoch
        self.act(None, self._populate)

    def _populate(self, work: Work) -> None:
        for number, (name, (role, on_duty)) in enumerate(STAFF.items(), start=1):
            self.accounts[name] = self._account(work, number)
            row = StaffMember(
                account_id=self.accounts[name], role=role, name=name, on_duty=on_duty, granted_at=work.now
            )
            work.session.add(row)
            work.session.flush()
            self.numbers[name] = row.id or 0
        subject = Subject(
            code="S-001", site="site", arm="CTRL", locale="en", birth_year=1960, state="on_study",
            timezone="Asia/Shanghai", cbc_interval_days=7, enrolled_at=work.now, enrolled_by="test",
            state_changed_at=work.now,
        )  # fmt: skip
        work.session.add(subject)
        work.session.flush()
        self.accounts["patient"] = self._account(work, 99)
        link = Link(
            account_id=self.accounts["patient"], subject_id=subject.id or 0, relation="patient", linked_at=work.now
        )
        link.agreed_at = work.now
        work.session.add(link)

    def close(self) -> None:
        self.store.close()

    def keep(self) -> tuple[bytes, datetime]:
        """Return the ward as it is, to go back to: quicker than to begin again."""
        self._let_go()
        return whole(self._path), self.clock.now()

    def go_back(self, kept: tuple[bytes, datetime]) -> None:
        self._let_go()
        for left in (self._path.with_name(f"{self._path.name}{end}") for end in ("-wal", "-shm")):
            left.unlink(missing_ok=True)
        self._path.write_bytes(kept[0])
        self.clock.set(kept[1])

    def _let_go(self) -> None:
        for engine in (self.store.engine, self.store._reading):
            engine.dispose()

    @staticmethod
    def _account(work: Work, number: int) -> int:
        account = Account(telegram_id=number, locale="en", first_seen_at=work.now)
        work.session.add(account)
        work.session.flush()
        return account.id or 0

    # Looking

    def account(self, name: str) -> int:
        return self.accounts[name]

    def rows(self, model: type[Row], **where: object) -> Sequence[Row]:
        query = select(model).filter_by(**where).order_by(model.id)  # type: ignore[attr-defined]
        return self.store.read_now(lambda session: session.exec(query).all())

    @property
    def case(self) -> Escalation:
        """Return the newest symptom case."""
        return self.rows(Escalation, kind=escalate.SYMPTOM)[-1]

    @property
    def owner(self) -> str | None:
        number = self.case.acknowledged_by_id
        return next((name for name, each in self.numbers.items() if each == number), None)

    def said_since(self, number: int) -> list[tuple[str, str]]:
        """Return to whom what was said after message ``number``, edits and menus aside."""
        names = {account: name for name, account in self.accounts.items()}
        return [
            (names[each.account_id], each.text_key)
            for each in self.rows(OutboxMessage)
            if (each.id or 0) > number and each.method not in ("edit", "unbutton", "commands")
        ]

    # Doing

    def act(self, name: str | None, use_case: Any, *args: Any) -> Any:
        def body(session: Session) -> Any:
            caller = BOT
            if name is not None:
                caller = people.caller(session, session.get_one(Account, self.accounts[name]))
            work = Work(session, self.deps, caller, "test", self.clock.now())
            result = use_case(work, *args)
            self.toast = work.toast
            return result

        return self.store.write_now(body)

    def tells(self, urgency: Urgency, because: str = "T01", source: str = "") -> None:
        def tell(work: Work) -> None:
            subject = work.session.exec(select(Subject)).one()
            line = Text("report.line.words", {"words": because})
            escalate.raise_case(work, subject, urgency, [because], [line], source=source)

        self.act("patient", tell)

    def presses(self, name: str, action: str, **args: Any) -> str:
        """Let somebody press a button of the newest case; return the toast, or what else came of it."""
        given = {"case": self.case.id, **args}

        def press(work: Work) -> str:
            if not allowed(action, work.caller.role):
                return "not allowed"
            try:
                with work.session.begin_nested():
                    PRESSES[action](work, given)
            except FollowupError as error:
                work.session.expire_all()
                return type(error).__name__
            return work.toast or "-"

        return str(self.act(name, press))

    def writes(self, name: str, words: str) -> None:
        """Let somebody answer the open question of their dialogue."""

        def answer(work: Work) -> None:
            dialogue = work.session.get_one(Dialogue, work.caller.account_id)
            forms.take_text(work, dialogue, words)

        self.act(name, answer)

    def leaves(self, name: str) -> None:
        self.act("admin", staff.end, {"staff": self.numbers[name]})

    # Sending

    def claim(self) -> Sequence[OutboxMessage]:
        now, room = self.clock.now(), outbox.Room(64, 64)
        return self.store.write_now(lambda session: outbox.claim_due(session, now, self.epoch, [], [], room).messages)

    def ends(self, messages: Sequence[OutboxMessage], outcome: Outcome | None = None) -> None:
        """Let sends end in ``outcome``, or well."""
        attempts = [Attempt(each.id or 0, self.epoch, outcome or Sent(each.id)) for each in messages]
        self.act(None, dispatch.record, attempts)

    def send(self) -> None:
        while claimed := self.claim():
            self.ends(claimed)

    def look(self) -> None:
        """Let the bot do what is due now, and send."""
        kinds = schedule.ESCALATIONS
        while due := self.store.read_now(lambda session: agenda.due(session, kinds, self.clock.now(), 50)):
            for number in due:
                self.act(None, schedule.one, number, kinds)
        self.send()

    def pass_time(self, **amount: float) -> None:
        """Let time pass, half a minute at a time."""
        until = self.clock.now() + timedelta(**amount)
        while self.clock.now() < until:
            self.clock.set(min(self.clock.now() + timedelta(seconds=30), until))
            self.look()

    def beat(self) -> None:
        """Let the bot note its pulse."""
        self.store.write_now(lambda session: watchdog.beat(session, self.deps))

    def set_back(self, *, after_a_beat: bool = True, **amount: float) -> None:
        """Set the clock back, just after the bot's pulse or some time after the last one, and let it notice."""
        if after_a_beat:
            self.beat()
        self.clock.set(self.clock.now() - timedelta(**amount))
        self.act(None, watchdog.mend_clock)


@pytest.fixture
def ward(sqlite_url: str) -> Iterator[Ward]:
    made = Ward(Path(sqlite_url.removeprefix("sqlite:///")))
    yield made
    made.close()
