"""Does a red page leave at once while thousands of reminders are on their way, and is Telegram's limit kept?

The Bot API server refuses what goes beyond 30 messages in any second. The outbox holds a reminder for each of
10,000 chats. Every 0.7 s something red happens, in turn: a patient writes words of danger, and the time counts
from the moment the server has them to the moment the page has reached the chat of the person on duty; or a second
connection writes a red row into the outbox, as another process would, and the bot has to notice it by itself.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlmodel import Session

from bench import botapi, bots, report
from bench.throughput import FAN_OUT_CHATS, percentile, queue
from bot.store.models import Account, OutboxMessage
from bot.store.session import Store
from bot.work import Lane

LIMIT = 30  # messages a second that the server takes
REMINDERS = 10_000
EVERY = 0.7
SECONDS = 90.0
RUN_UP = 3.0  # seconds until the flow is even
PATIENCE = 30.0
ROW_CHATS = 900_000
LATEST, FLOW, REFUSED = 2.0, 28.0, 0.001  # the promises: seconds at p99, messages a second, share of calls
ENGLISH, CHINESE = "I have chest pain and can't breathe", "我胸口很痛，喘不过气来"


@dataclass
class Found:
    """What one run showed."""

    database: str
    rows: list[float] = field(default_factory=list)  # seconds from the row of a second connection to its message
    pages: list[float] = field(default_factory=list)  # seconds from the words to the page
    told: list[float] = field(default_factory=list)  # seconds from the words to what the patient reads
    missing: int = 0
    flow: float = 0.0
    flowed: int = 0  # messages while red ones were made
    reminders: int = 0  # of these
    calls: int = 0
    refused: int = 0
    fastest: int = 0  # messages in the fullest second
    faults: int = 0

    @property
    def red(self) -> list[float]:
        return self.rows + self.pages + self.told

    @property
    def refused_share(self) -> float:
        return self.refused / max(self.calls, 1)


def run(database: str, url: str, given: argparse.Namespace, folder: Path) -> Found:
    patients = bots.populate(url, int(given.seconds / EVERY) + 1)
    found = Found(database)
    with bots.using(url) as before_start:
        queue(before_start.store, given.reminders, Lane.REMINDER, "reminder")
    with (
        bots.using(url) as deps,
        botapi.served(seed=given.seed, rate=LIMIT) as server,
        bots.followup(server, url, folder, messages_per_second=LIMIT) as bot,
    ):
        time.sleep(RUN_UP)
        before = server.state()
        seen, began = before["sent"], time.monotonic()
        handed = _make(server, deps.store, patients, given, began)
        ends = time.monotonic()
        after = server.state()
        _await(server, seen, handed)
        arrived = server.truth(seen)
        found.faults = len(bot.faults())
    flowing = [each for each in arrived if each["at"] <= ends]
    found.flowed = len(flowing)
    found.flow = len(flowing) / (ends - began)
    found.reminders = sum(FAN_OUT_CHATS <= each["chat_id"] < ROW_CHATS for each in flowing)
    found.calls = sum(after["calls"].get(name, 0) - before["calls"].get(name, 0) for name in botapi.SENDING)
    found.refused = after["throttled"] - before["throttled"]
    found.fastest = _fullest([each["at"] for each in arrived])
    _match(found, arrived, handed)
    return found


def _make(
    server: botapi.BotApi, store: Store, patients: Sequence[bots.Patient], given: argparse.Namespace, began: float
) -> dict[int, float]:
    """Make one red thing after the other, even numbers by a patient's words; return when each was begun."""
    dice, handed = random.Random(given.seed), {}
    due = began
    for number, patient in enumerate(patients):
        # Not in step with anything.
        due += EVERY * dice.uniform(0.7, 1.3)
        if due > began + given.seconds:
            break
        time.sleep(max(due - time.monotonic(), 0))
        handed[number] = time.monotonic()
        if number % 2:
            store.write_now(lambda session, number=number: _add_row(session, number))  # type: ignore[misc]
        else:
            words = (CHINESE, ENGLISH)[number // 2 % 2]
            server.push([botapi.text_update(patient.chat, words, number + 1)])
    time.sleep(max(began + given.seconds - time.monotonic(), 0))
    return handed


def _add_row(session: Session, number: int) -> None:
    account = Account(telegram_id=ROW_CHATS + number, locale="en", first_seen_at=bots.START)
    session.add(account)
    session.flush()
    session.add(
        OutboxMessage(
            account_id=account.id or 0,
            chat_id=account.telegram_id,
            purpose="red",
            lane=Lane.RED,
            text_key="text",
            values="{}",
            text=f"Page {number}",
            locale="en",
            created_at=bots.START,
            due_at=bots.START,
        )
    )


def _await(server: botapi.BotApi, seen: int, handed: dict[int, float]) -> None:
    """Wait until every red thing has led to its message, a page to staff or the row's own, or is too late."""
    last = time.monotonic() + PATIENCE
    while time.monotonic() < last:
        if sum(_is_red(each["chat_id"]) for each in server.truth(seen)) >= len(handed):
            return
        time.sleep(0.2)


def _is_red(chat: int) -> bool:
    return chat == bots.STAFF_CHAT or chat >= ROW_CHATS


def _match(found: Found, arrived: list[dict[str, Any]], handed: dict[int, float]) -> None:
    pages: dict[str, float] = {}
    read: dict[int, float] = {}
    for each in arrived:
        if each["chat_id"] == bots.STAFF_CHAT:
            pages.setdefault(each["text"], each["at"])
        else:
            read.setdefault(each["chat_id"], each["at"])
    for number, at in handed.items():
        if number % 2:
            if (row := read.get(ROW_CHATS + number)) is None:
                found.missing += 1
            else:
                found.rows.append(row - at)
            continue
        code = bots.code_of(number)
        page = min((when for text, when in pages.items() if code in text), default=None)
        told = read.get(bots.FIRST_PATIENT + number)
        if page is None or told is None:
            found.missing += 1
            continue
        found.pages.append(page - at)
        found.told.append(told - at)


def _fullest(times: Sequence[float]) -> int:
    """Return the most messages that arrived within any one second."""
    first = most = 0
    for at, when in enumerate(times):
        while times[first] <= when - 1.0:
            first += 1
        most = max(most, at - first + 1)
    return most


def broken(found: Found) -> list[str]:
    said = []
    if found.missing or not found.red:
        said.append(f"{found.missing} red messages missing")
    if percentile(found.red, 0.99) > LATEST:
        said.append(f"red at p99 {percentile(found.red, 0.99):.2f} s, {LATEST:.0f} s were promised")
    if found.flow < FLOW:
        said.append(f"{found.flow:.1f} messages/s, {FLOW:.0f} were promised")
    if found.refused_share > REFUSED:
        said.append(f"{found.refused_share:.2%} of calls refused, {REFUSED:.1%} was promised")
    if found.faults:
        said.append(f"{found.faults} errors in the log")
    return [f"{found.database}: {each}" for each in said]


def shown(all_found: Sequence[Found]) -> str:
    rows = []
    for found in all_found:
        kinds = {
            "words: page to staff": found.pages,
            "words: what the patient reads": found.told,
            "row of a second connection": found.rows,
            "all": found.red,
        }
        for kind, delays in kinds.items():
            figures = (percentile(delays, 0.5), percentile(delays, 0.99), max(delays, default=float("nan")))
            rows.append([found.database, kind, len(delays), *(f"{each:.2f}" for each in figures)])
    return report.table(["database", "red message", "arrived", "p50 s", "p99 s", "max s"], rows)


def shown_flow(all_found: Sequence[Found]) -> str:
    head = ["database", "messages/s", "of them reminders/s", "calls", "answered 429", "fullest second"]
    head += ["red missing", "errors logged"]
    rows = [
        [
            found.database,
            f"{found.flow:.1f}",
            f"{found.reminders * found.flow / max(found.flowed, 1):.1f}",
            found.calls,
            f"{found.refused} ({found.refused_share:.2%})",
            found.fastest,
            found.missing,
            found.faults,
        ]
        for found in all_found
    ]
    return report.table(head, rows)


NOTE = """{reminders} reminders wait at the start; {seconds:.0f} s of their flow were watched, after {run_up:.0f} s
of run-up, not to their end. Times count from the words at the server to the message at the server, so polling,
storing and judging are in them; of a row, from just before it is written. Each report makes a page for the one
person on duty and what the patient reads; both are red. Messages a second are of all kinds, red ones too. The server
takes {limit} messages in any second and answers 429 to more; {limit} is also the bot's own limit."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reminders", type=int, default=REMINDERS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--write", action="store_true", help="write docs/evidence/red-first.md")
    given = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory(prefix="followup-red-") as name:
        folder = Path(name)
        if given.only != "postgresql":
            found.append(run("SQLite", f"sqlite:///{folder / 'followup.sqlite3'}", given, folder))
        if given.only != "sqlite":
            with bots.databases() as fresh:
                found.append(run("PostgreSQL", fresh(), given, folder))
    said = [each for one in found for each in broken(one)]
    body = "\n\n".join(
        [
            shown(found),
            "## Flow",
            shown_flow(found),
            "## Promises not kept",
            report.promises(said),
        ]
    )
    note = NOTE.format(reminders=given.reminders, seconds=given.seconds, run_up=RUN_UP, limit=LIMIT)
    command = f"python -m bench.red_first --seed {given.seed} --seconds {given.seconds:.0f}"
    title = "Does a red page leave first?"
    return report.finish("red-first", title, command, body, said, to_file=given.write, seed=given.seed, note=note)


if __name__ == "__main__":
    sys.exit(main())
