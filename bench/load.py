"""Who writes to the bot while it is killed, what do they write, and where must it be found afterwards?

Writers send numbered words: plain ones, and RED ones. Tappers press their way through symptom reports and the
tablets question. Staff take over some of the cases. What each of them does next comes from the dice and from
what reached their chat, as the server knows it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from sqlmodel import select

from bench import people
from bench.botapi import BotApi, press_update, text_update
from bench.people import HEADER
from bot import app
from bot.clock import SetClock
from bot.domain.people import BOT
from bot.domain.roles import Role
from bot.settings import Settings
from bot.store.models import Subject
from bot.usecases import import_subjects, tablets, visit_reminders
from bot.work import Work

# Shortly before the hour of the daily question, on the day of the first injection.
START = datetime.fromisoformat("2026-11-02T17:50:00+08:00")
HOUR = time(18, 0)

WRITERS = tuple(range(1001, 1013))
TAPPERS = tuple(range(1101, 1109))
STAFF = {11: Role.COORDINATOR, 12: Role.INVESTIGATOR, 13: Role.PI}
ON_DUTY = 12

PLAIN = "message {number} for the nurse"
RED = "I can't breathe, number {number}"
RED_SHARE = 0.12
STAFF_SHARE = 0.15
WRITER_SHARE = 0.6
TYPED = "36.9"  # a temperature, where a question asks for one
IDLE_TURNS = 3
TAPPED = {"report.answer", "report.right", "tablets.answer", "menu.unwell", "form", "form.picked", "menu.tablets"}
TAKEN_OVER = "case.acknowledge"


@dataclass(frozen=True, slots=True)
class Pushed:
    """An update that the server gave to the bot."""

    update_id: int
    chat_id: int
    kind: str  # plain | red | words | press
    number: int | None = None
    token: str | None = None


def enrol(settings: Settings) -> None:
    """Put everybody into an empty database, as if they had begun some days ago."""
    deps = app.make_deps(settings, SetClock(START))
    try:
        deps.store.write_now(lambda session: _people(Work(session, deps, BOT, "command:bench", START)))
    finally:
        deps.store.close()


def _people(work: Work) -> None:
    rows = [f"S-{n},TG1,en,1968,71.5,2026-11-03,7,21,,,,0571-0000-{n}\n" for n in WRITERS]
    rows += [f"S-{n},TG2,en,1952,60,2026-11-03,7,21,dispersible,250,2,0571-0000-{n}\n" for n in TAPPERS]
    import_subjects.import_subjects(work, HEADER + "".join(rows))
    for number, role in STAFF.items():
        people.member(work, _account(work, number), role, f"Staff {number}", on_duty=number == ON_DUTY)
    for number in (*WRITERS, *TAPPERS):
        subject = work.session.exec(select(Subject).where(Subject.code == f"S-{number}")).one()
        people.patient(work, _account(work, number), subject, HOUR)
        visit_reminders.replan(work, subject)
        tablets.replan(work, subject)


def _account(work: Work, number: int) -> int:
    return people.account(work, number, "en", START - timedelta(days=1))


@dataclass
class Crowd:
    """Everybody outside the bot: what they have seen, and what they do next."""

    server: BotApi
    dice: random.Random
    pushed: list[Pushed] = field(default_factory=list)
    _seen: int = 0
    _number: int = 0
    _message: int = 0
    _idle: dict[int, int] = field(default_factory=dict)
    _buttons: dict[int, list[tuple[int, list[str]]]] = field(default_factory=dict)
    _questions: dict[int, int] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)

    def act(self, times: int) -> None:
        """Let ``times`` things happen at once."""
        self._look()
        made = [self._one() for _ in range(times)]
        numbers = self.server.push([body for body, _ in made])
        for update_id, (_, about) in zip(numbers, made, strict=True):
            self.pushed.append(Pushed(update_id, **about))

    def say(self, chat: int, words: str) -> None:
        """Let somebody write something that nobody has to find again."""
        update_id = self.server.push([self._text(chat, words)])[0]
        self.pushed.append(Pushed(update_id, chat, "words"))

    def _look(self) -> None:
        news = self.server.truth(self._seen)
        self._seen += len(news)
        for message in news:
            chat, markup = message["chat_id"], message["markup"]
            data = [button["callback_data"] for row in (markup or {}).get("inline_keyboard", ()) for button in row]
            offered = [each for each in data if each.partition("|")[0] in TAPPED]
            if chat in STAFF:
                offered = [each for each in data if each.startswith(f"{TAKEN_OVER}|")]
            if offered:
                self._buttons.setdefault(chat, []).append((message["message_id"], offered))
            elif data and chat in TAPPERS and data[0].startswith("report.stop|"):
                self._questions[chat] = message["message_id"]

    def _one(self) -> tuple[dict[str, Any], dict[str, Any]]:
        roll = self.dice.random()
        if roll < STAFF_SHARE and (press := self._press(self.dice.choice(list(STAFF)))):
            return press
        if roll < STAFF_SHARE + WRITER_SHARE:
            return self._words(self.dice.choice(WRITERS))
        return self._tapper(self.dice.choice(TAPPERS))

    def _words(self, chat: int) -> tuple[dict[str, Any], dict[str, Any]]:
        self._number += 1
        kind, words = ("red", RED) if self.dice.random() < RED_SHARE else ("plain", PLAIN)
        body = self._text(chat, words.format(number=self._number))
        return body, {"chat_id": chat, "kind": kind, "number": self._number}

    def _tapper(self, chat: int) -> tuple[dict[str, Any], dict[str, Any]]:
        if press := self._press(chat):
            self._idle[chat] = 0
            return press
        words = None
        if self._questions.pop(chat, None) is not None:
            words = TYPED
        elif self._idle.get(chat, IDLE_TURNS) >= IDLE_TURNS:
            words = self.dice.choice(("/unwell", "/tablets"))
            self._idle[chat] = 0
        if words is None:
            self._idle[chat] += 1
            return self._words(self.dice.choice(WRITERS))
        return self._text(chat, words), {"chat_id": chat, "kind": "words"}

    def _press(self, chat: int) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Press a button of the newest message that has some, each message once."""
        offers = self._buttons.pop(chat, [])
        while offers:
            message_id, data = offers.pop()
            chosen = self.dice.choice(data)
            token = chosen.split("|")[1]
            if token not in self._used:
                self._used.add(token)
                return press_update(chat, message_id, chosen), {"chat_id": chat, "kind": "press", "token": token}
        return None

    def _text(self, chat: int, words: str) -> dict[str, Any]:
        self._message += 1
        return text_update(chat, words, 1_000_000 + self._message)


def numbers_in(said: Sequence[str]) -> list[int]:
    """Return the number of each numbered message that these words contain."""
    found = []
    for words in said:
        for form in (PLAIN, RED):
            before, _, after = form.partition("{number}")
            inner = words.removeprefix(before).removesuffix(after)
            if inner.isdecimal() and words == before + inner + after:
                found.append(int(inner))
    return found
