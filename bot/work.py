"""What does a use case hold in its hand? One transaction, one moment, one author, and a way to speak.

A use case is a plain function whose first argument is a `Work`. State, audit entries and outgoing
messages that it makes are committed together, or not at all.
"""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import IntEnum
from functools import cache
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Update, bindparam, delete, insert, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from bot.deps import Deps
from bot.domain.people import Caller
from bot.store import audit
from bot.store.models import Account, AgendaItem, OutboxMessage
from bot.store.planner import is_in
from bot.store.session import is_sqlite

P = ParamSpec("P")
R = TypeVar("R")

EDIT = "edit"
TOKEN_BYTES = 16  # 128 bits (SEC-03)


class Lane(IntEnum):
    """Which messages go first when there are many."""

    RED = 0
    ANSWER = 1
    AMBER = 2
    REMINDER = 3
    DIGEST = 4


# How long a message is worth sending when nothing else says so; red and amber ones always are.
KEEPS = dict.fromkeys((Lane.ANSWER, Lane.REMINDER, Lane.DIGEST), timedelta(hours=48))


@dataclass(frozen=True, slots=True)
class Button:
    """A button below a message: its label, and what it does when it is pressed."""

    label: str  # a text key, or the words themselves when ``plain``
    action: str
    args: dict[str, Any] = field(default_factory=dict)
    plain: bool = False
    values: dict[str, object] = field(default_factory=dict)


Keyboard = Sequence[Sequence[Button]]

# Who wrote waits for the answer so long; after that it may find them asleep.
EXPECTED = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Press:
    """A button that was pressed: the message it hung on, which one, and where it stands in the chat."""

    message: OutboxMessage
    label: str
    action: str
    args: dict[str, Any]
    message_id: int


_SAID = select(OutboxMessage.id).where(OutboxMessage.dedupe_key == bindparam("dedupe_key"))
_PLANNED = {
    True: sqlite.insert(AgendaItem).on_conflict_do_nothing(index_elements=["key"]),
    False: postgresql.insert(AgendaItem).on_conflict_do_nothing(index_elements=["key"]),
}
_BY_KEY = select(AgendaItem).where(col(AgendaItem.key).in_(bindparam("keys", expanding=True)))
_FORGOTTEN = delete(AgendaItem).where(
    is_in(AgendaItem, "waiting"),
    col(AgendaItem.kind) == bindparam("of_kind"),
    col(AgendaItem.about_id) == bindparam("of_id"),
)


@cache
def _skipping(table: type[AgendaItem] | type[OutboxMessage], one: tuple[str, ...], some: tuple[str, ...]) -> Update:
    """Return the statement that skips what waits; ``is_<column>`` is the value of a column, or its values."""
    conditions = [is_in(table, "waiting")]
    if table is OutboxMessage and "purpose" not in (*one, *some):
        conditions.append(col(OutboxMessage.purpose) != EDIT)
    conditions += [getattr(table, column) == bindparam(f"is_{column}") for column in one]
    conditions += [getattr(table, column).in_(bindparam(f"is_{column}", expanding=True)) for column in some]
    skipped = {"state": "skipped", "reason": bindparam("because"), "closed_at": bindparam("at")}
    return update(table).where(*conditions).values(skipped)


class Work:
    """One unit of work; see the module's docstring."""

    def __init__(self, session: Session, deps: Deps, caller: Caller, cause: str, now: datetime) -> None:
        self.session = session
        self.deps = deps
        self.protocol = deps.protocol
        self.texts = deps.texts
        self.settings = deps.settings
        self.clinic = deps.clinic
        self.caller = caller
        self.cause = cause
        self.now = now
        self.toast: str | None = None
        self.press: Press | None = None
        self.again = False  # True: this may have been done before, so what is said may have been said
        self.chosen = True  # False: the pressed button was too late to choose anything
        self.stays_open = False  # True: the pressed button led elsewhere, and its message still waits for an answer
        self.said_at: datetime | None = None  # when a person wrote what this work answers, as Telegram says
        self.received_at: datetime | None = None  # when the update was stored
        self.caller_name = ""  # as Telegram shows it; only greeted with, never an identity (DI-10)
        audit.attribute(session, at=now, actor=caller.label, cause=cause)

    @property
    def today(self) -> date:
        """Return the calendar day at the site."""
        return self.now.astimezone(self.settings.zone).date()

    def become(self, caller: Caller) -> None:
        """Go on as who the person has just become: a stranger who opened an invitation."""
        self.caller = caller
        audit.attribute(self.session, at=self.now, actor=caller.label, cause=self.cause)

    @contextmanager
    def read_in(self, locale: str) -> Iterator[None]:
        """Let what is put into words here be in a reader's language; who acts stays who it is."""
        caller = self.caller
        self.caller = replace(caller, locale=locale)
        try:
            yield
        finally:
            self.caller = caller

    def because(self, reason: str) -> None:
        """Give the reason that the audit entries of this work carry from here on (DI-03)."""
        self.session.info["reason"] = reason

    # Words

    def text(self, key: str, locale: str | None = None, **values: object) -> str:
        return self.texts.text(key, locale or self.caller.locale, **values)

    def note(self, key: str, **values: object) -> None:
        """Show a short line over the pressed button, once the work is committed."""
        self.toast = self.texts.text(key, self.caller.locale, **values)

    def answer(self, key: str, keyboard: Keyboard = (), **more: Any) -> OutboxMessage | None:
        """Say something to the person who acts; without a sound if it is night and they wrote long ago."""
        account = self.session.get_one(Account, self.caller.account_id)
        silent = more.get("lane", Lane.ANSWER) == Lane.ANSWER and self._is_late_at_night()
        return self.say(account, key, keyboard, **{"silent": silent, **more})

    def _is_late_at_night(self) -> bool:
        """Tell whether the bot was away when this was written, and comes back while people sleep."""
        if self.said_at is None or self.now - self.said_at < EXPECTED:
            return False
        return self.protocol.quiet_hours.covers(self.now.astimezone(self.settings.zone).time())

    def say(
        self,
        to: Account,
        key: str,
        keyboard: Keyboard = (),
        *,
        lane: Lane = Lane.ANSWER,
        purpose: str = "answer",
        about_id: int | None = None,
        subject_id: int | None = None,
        single_use: bool = False,
        picture: dict[str, Any] | None = None,
        document: dict[str, Any] | None = None,
        file: dict[str, Any] | None = None,
        dedupe_key: str | None = None,
        due_at: datetime | None = None,
        useful_until: datetime | None = None,
        silent: bool = False,
        secret: bool = False,
        **values: object,
    ) -> OutboxMessage | None:
        """Put a message into the outbox; it leaves after the commit.

        ``values`` fill the text's placeholders; a value that is a `Text` is itself translated.
        Returns None when a message with this ``dedupe_key`` is there already.
        """
        if dedupe_key is not None and self._said(dedupe_key):
            return None
        filled = {name: self._value(value, to.locale) for name, value in values.items()}
        rows = [[self._button(button, to.locale) for button in row] for row in keyboard]
        text = self.texts.text(key, to.locale, **filled)
        if self.again:
            text = self.texts.text("delivery.repeated", to.locale, text=text)
        given = {"picture": picture, "document": document, "file": file}
        method, shown = next(((how, what) for how, what in given.items() if what is not None), ("send", None))
        message = OutboxMessage(
            account_id=_id(to.id),
            chat_id=to.telegram_id,
            subject_id=subject_id,
            purpose=purpose,
            about_id=about_id,
            lane=lane,
            method=method,
            text_key=key,
            values=json.dumps(filled, ensure_ascii=False, default=str),
            text=text,
            locale=to.locale,
            keyboard=json.dumps(rows, ensure_ascii=False) if rows else None,
            token=secrets.token_urlsafe(TOKEN_BYTES) if rows else None,
            single_use=single_use,
            picture=json.dumps(shown, ensure_ascii=False) if shown is not None else None,
            dedupe_key=dedupe_key,
            created_at=self.now,
            due_at=due_at or self.now,
            useful_until=useful_until or (self.now + KEEPS[lane] if lane in KEEPS else None),
            silent=silent,
            secret=secret,
        )
        self.session.add(message)
        self.session.flush()
        return message

    def edit(
        self, message: OutboxMessage, text: str, message_id: int | None = None, keyboard: Keyboard = ()
    ) -> OutboxMessage | None:
        """Replace a sent message by ``text``, with other buttons or none; return None when it was never seen."""
        target = message_id or message.message_id
        if target is None:
            return None
        rows = [[self._button(button, message.locale) for button in row] for row in keyboard]
        edit = OutboxMessage(
            account_id=message.account_id,
            chat_id=message.chat_id,
            subject_id=message.subject_id,
            purpose=EDIT,
            about_id=message.about_id,
            lane=min(message.lane, Lane.ANSWER),
            method="edit" if message.method in ("send", "edit") else "unbutton",
            text_key=message.text_key,
            values=message.values,
            text=text,
            locale=message.locale,
            keyboard=json.dumps(rows, ensure_ascii=False) if rows else None,
            token=secrets.token_urlsafe(TOKEN_BYTES) if rows else None,
            edits_message_id=target,
            created_at=self.now,
            due_at=self.now,
        )
        self.session.add(edit)
        self.session.flush()
        return edit

    def commands(self, account: Account, keys: Sequence[str]) -> None:
        """Show ``keys`` as the command menu in this person's chat and language."""
        listed = [[key, self.texts.text(f"command.{key}", account.locale)] for key in keys]
        self.session.add(
            OutboxMessage(
                account_id=_id(account.id),
                chat_id=account.telegram_id,
                purpose="commands",
                lane=Lane.ANSWER,
                method="commands",
                text_key="commands",
                values=json.dumps(listed, ensure_ascii=False),
                text="",
                locale=account.locale,
                created_at=self.now,
                due_at=self.now,
            )
        )
        self.session.flush()

    def silence(self, reason: str, **about: object) -> int:
        """Skip every message still waiting that matches ``about`` (columns of the outbox); return how many.

        A tuple means any of its values. Changes of messages that were sent (`EDIT`) are skipped by that purpose only.
        """
        return self._skip(OutboxMessage, reason, about)

    # The agenda

    def plan(
        self,
        kind: str,
        key: str,
        due_at: datetime,
        about_id: int,
        *,
        subject_id: int | None = None,
        useful_until: datetime | None = None,
        **detail: Any,
    ) -> bool:
        """Enter something that becomes due; return False when ``key`` was entered before, which changes nothing."""
        item = AgendaItem(
            kind=kind,
            key=key,
            due_at=due_at,
            about_id=about_id,
            subject_id=subject_id,
            useful_until=useful_until,
            detail=detail,
        )
        # What it is about may be new as well.
        self.session.flush()
        connection, counted = self.session.connection(), {"preserve_rowcount": True}
        given = item.model_dump(exclude={"id"})
        return connection.execute(_PLANNED[is_sqlite(connection)], given, execution_options=counted).rowcount == 1

    def plan_all(self, wanted: Sequence[AgendaItem]) -> dict[str, AgendaItem]:
        """Enter several things by two statements; return by key what was entered before, which stays as it is.

        No two of ``wanted`` have the same key.
        """
        if not wanted:
            return {}
        known = self.session.exec(_BY_KEY, params={"keys": [item.key for item in wanted]}).all()
        present = {item.key: item for item in known}
        if rows := [item.model_dump(exclude={"id"}) for item in wanted if item.key not in present]:
            self.session.connection().execute(insert(AgendaItem), rows)
        return present

    def unplan(self, reason: str, **about: object) -> int:
        """Skip every entry still waiting that matches ``about`` (columns of the agenda); return how many.

        A tuple means any of its values.
        """
        return self._skip(AgendaItem, reason, about)

    def forget_plan(self, kind: str, about_id: int) -> None:
        """Take out entries that are still waiting, so that they can be entered again at other times."""
        self.session.connection().execute(_FORGOTTEN, {"of_kind": kind, "of_id": about_id})

    def plan_anew(
        self,
        kind: str,
        key: str,
        due_at: datetime,
        about_id: int,
        *,
        subject_id: int | None = None,
        useful_until: datetime | None = None,
    ) -> None:
        """Enter something in the place of whatever of its kind still waits about the same thing."""
        self.forget_plan(kind, about_id)
        self.plan(kind, key, due_at, about_id, subject_id=subject_id, useful_until=useful_until)

    def _said(self, dedupe_key: str) -> bool:
        return self.session.exec(_SAID, params={"dedupe_key": dedupe_key}).first() is not None

    def _skip(self, table: type[AgendaItem] | type[OutboxMessage], reason: str, about: Mapping[str, object]) -> int:
        given = {f"is_{column}": value for column, value in about.items()}
        some = tuple(column for column, value in about.items() if isinstance(value, tuple))
        statement = _skipping(table, tuple(column for column in about if column not in some), some)
        result = self.session.connection().execute(statement, {**given, "because": reason, "at": self.now})
        return result.rowcount

    def _value(self, value: object, locale: str) -> object:
        return value.render(self.texts, locale) if isinstance(value, Text | Day | Lines) else value

    def _button(self, button: Button, locale: str) -> list[Any]:
        label = (
            button.label
            if button.plain
            else self.texts.text(
                button.label, locale, **{k: self._value(v, locale) for k, v in button.values.items()}
            )
        )
        return [label, button.action, button.args]


@dataclass(frozen=True, slots=True)
class Text:
    """A text inside a text: rendered in the language of whoever reads it."""

    key: str
    values: dict[str, object] = field(default_factory=dict)

    def render(self, texts: Any, locale: str) -> str:
        filled = {
            name: value.render(texts, locale) if isinstance(value, Text | Day | Lines) else value
            for name, value in self.values.items()
        }
        return str(texts.text(self.key, locale, **filled))


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day inside a text, said as the reader says it."""

    day: date
    style: str = "day"  # day | short_day | plain_day | full_day

    def render(self, texts: Any, locale: str) -> str:
        return str(getattr(texts, self.style)(self.day, locale))


@dataclass(frozen=True, slots=True)
class Lines:
    """Several texts inside a text, a line each."""

    lines: Sequence["Text | Day | Lines | str"]
    between: str = "\n"

    def render(self, texts: Any, locale: str) -> str:
        return self.between.join(line if isinstance(line, str) else line.render(texts, locale) for line in self.lines)


def _id(value: int | None) -> int:
    assert value is not None, "the row has been flushed"
    return value


async def run(
    deps: Deps,
    caller: Caller,
    cause: str,
    use_case: Callable[Concatenate[Work, P], R],
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Run a use case in one transaction and wake whoever sends what it said."""

    def body(session: Session) -> R:
        return use_case(Work(session, deps, caller, cause, deps.clock.now()), *args, **kwargs)

    result = await deps.store.write(body)
    deps.outgoing.set()
    return result
