"""Is the whole way (stored, judged, audited, answered) at least as fast as a bare echo bot of the libraries?

All bots run as processes of their own against the same independent Bot API server, one after the other in
the same run. For the echo bots an update is a text and its answer the same text. For the follow-up bot they
are words and presses of 300 enrolled patients; each is stored, looked through for danger, put into a case
with audit entries, and answered through the outbox.
"""

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlmodel import Session, func, select

from bench import botapi, bots, echo_ptb, report
from bot.store.models import Account, OutboxMessage
from bot.store.session import Store
from bot.work import Lane

USERS, EACH = 300, 5
PACE = 50  # updates a second
PACED_SECONDS = 6
FAN_OUT = 2000
LATENCY = 0.05
FAR_TARGET = 500
IN_FLIGHT = 8
FAN_OUT_CHATS = 500_000
QUEUED_AT_ONCE = 500
PATIENCE = 180.0
SETTLES = 1.5  # seconds after which the rows of the last answers are closed
STOCK, SQLITE, POSTGRES = "python-telegram-bot, echo", "follow-up bot, SQLite", "follow-up bot, PostgreSQL"
AIOGRAM = bots.ROOT / ".venv-aiogram"
KINDS = {"words": "speak.passed_on", "menu.visits": "visit.mine", "menu.team": "team.title"}
ENGLISH, CHINESE = "I slept well and had noodles, this is number {0}", "昨晚睡得很好，早上吃了面条，第{0}条"


@dataclass
class Crowd:
    """Who writes what: an update each and, once it was answered, what the answer has to be."""

    dice: random.Random
    patients: Sequence[bots.Patient] | None  # None: strangers who write to an echo bot
    said: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    number: int = 0

    def updates(self, number: int) -> list[dict[str, Any]]:
        """Return so many updates, as many of each user, in disorder between the users."""
        each = max(number // USERS, 1)
        turns = [user for user in range(min(USERS, number)) for _ in range(each)]
        self.dice.shuffle(turns)
        return [self._update(user) for user in turns[:number]]

    def _update(self, user: int) -> dict[str, Any]:
        self.number += 1
        chat = bots.FIRST_PATIENT + user
        kind = "words" if self.patients is None else self.dice.choice(["words", "words", "words", *list(KINDS)[1:]])
        if kind == "words":
            words = (ENGLISH if user % 2 else CHINESE).format(self.number)
            self.said[chat].append(words if self.patients is None else kind)
            return botapi.text_update(chat, words, self.number)
        assert self.patients is not None
        self.said[chat].append(kind)
        return self.patients[user].presses(kind)


@dataclass
class Figures:
    """What one bot did."""

    name: str
    burst: float = 0.0  # updates a second
    far: float = 0.0  # the same when each call takes 50 ms
    p50: float = 0.0  # milliseconds from an update to its answer, at an even pace
    p99: float = 0.0
    cpu_ms: float = 0.0  # processor time of an update in the burst
    rss: float = 0.0
    disorder: int = 0
    missing: int = 0
    faults: int = 0
    fan_out: float = 0.0


Told = Callable[[list[dict[str, Any]]], dict[int, list[str]]]


class Measurement:
    """One bot that runs, and the crowd that writes to it."""

    def __init__(self, name: str, server: botapi.BotApi, bot: bots.Bot, crowd: Crowd, told: Told) -> None:
        self._server = server
        self._bot = bot
        self._crowd = crowd
        self._told = told
        self._seen = len(server.truth())
        self._answers: list[dict[str, Any]] = []
        self.figures = Figures(name)

    def measure(self, number: int, rounds: int) -> Figures:
        """Measure bursts, an even pace, and a burst with 50 ms for each call; a first one warms up."""
        figures, server = self.figures, self._server
        self._burst(USERS)
        used = self._bot.cpu_seconds
        figures.burst = statistics.median(self._burst(number) for _ in range(rounds))
        figures.cpu_ms = (self._bot.cpu_seconds - used) * 1000 / (number * rounds)
        delays = self._paced()
        figures.p50, figures.p99 = percentile(delays, 0.5), percentile(delays, 0.99)
        figures.rss = self._bot.rss
        server.set(latency=LATENCY)
        # The slowest takes 50 ms for each of them, one after the other.
        figures.far = self._burst(USERS)
        server.set(latency=0.0)
        time.sleep(SETTLES)
        figures.disorder, figures.missing = disorder(self._crowd, self._told(self._answers))
        figures.faults = len(self._bot.faults())
        return figures

    def _burst(self, number: int) -> float:
        """Hand over all updates at once; return how many a second were answered."""
        updates = self._crowd.updates(number)
        began = time.monotonic()
        self._server.push(updates)
        answers = self._wait(number)
        return len(answers) / (answers[-1]["at"] - began) if answers else 0.0

    def _paced(self) -> list[float]:
        """Hand over one update after the other at an even pace; return milliseconds to each answer."""
        updates = self._crowd.updates(PACE * PACED_SECONDS)
        began, handed = time.monotonic(), {}
        for at, update in enumerate(updates):
            time.sleep(max(began + at / PACE - time.monotonic(), 0))
            body = update.get("message") or update["callback_query"]["message"]
            handed[body["chat"]["id"]] = time.monotonic()
            self._server.push([update])
        return [(each["at"] - handed[each["chat_id"]]) * 1000 for each in self._wait(len(updates))]

    def _wait(self, number: int) -> list[dict[str, Any]]:
        """Return the answers to so many updates; what staff get is not one."""
        ends = time.monotonic() + PATIENCE
        answers: list[dict[str, Any]] = []
        while len(answers) < number and time.monotonic() < ends:
            time.sleep(0.1)
            came = self._server.truth(self._seen)
            self._seen += len(came)
            answers += [each for each in came if each["chat_id"] >= bots.FIRST_PATIENT]
        self._answers += answers
        return answers


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")


def disorder(crowd: Crowd, told: dict[int, list[str]]) -> tuple[int, int]:
    """Return how many answers stand at another place than what they answer, and how many are missing."""
    wrong = missing = 0
    for chat, said in crowd.said.items():
        got = told.get(chat, [])
        missing += max(len(said) - len(got), 0)
        wrong += sum(a != b for a, b in zip(said, got, strict=False))
    return wrong, missing


def echoed(answers: list[dict[str, Any]]) -> dict[int, list[str]]:
    told = defaultdict(list)
    for each in answers:
        told[each["chat_id"]].append(each["text"])
    return told


def told_from(url: str) -> Told:
    """Return what finds out which kind of update each message answers: by the row that it was sent from."""

    def told(answers: list[dict[str, Any]]) -> dict[int, list[str]]:
        sent = select(OutboxMessage.message_id, OutboxMessage.text_key).where(OutboxMessage.state == "sent")
        with bots.using(url) as deps:
            keys = dict(deps.store.write_now(lambda session: session.exec(sent).all()))
        kinds = {key: kind for kind, key in KINDS.items()}
        found = defaultdict(list)
        for each in answers:
            key = keys.get(each["message_id"], "no row is 'sent'")
            found[each["chat_id"]].append(kinds.get(key, key))
        return found

    return told


# The bots


def echo(name: str, words: Sequence[str], given: argparse.Namespace, folder: Path) -> Figures:
    with botapi.served(seed=given.seed) as server:
        whole = [*words, "--base-url", server.base_url]
        with bots.polling("echo", server, whole, folder) as bot:
            crowd = Crowd(random.Random(given.seed), None)
            return Measurement(name, server, bot, crowd, echoed).measure(given.updates, given.rounds)


def ours(name: str, url: str, given: argparse.Namespace, folder: Path) -> Figures:
    patients = bots.populate(url, USERS)
    with botapi.served(seed=given.seed) as server:
        with bots.followup(server, url, folder) as bot:
            crowd = Crowd(random.Random(given.seed), patients)
            figures = Measurement(name, server, bot, crowd, told_from(url)).measure(given.updates, given.rounds)
        figures.fan_out = fan_out(server, url, folder, given.fan_out)
    return figures


def fan_out(server: botapi.BotApi, url: str, folder: Path, messages: int) -> float:
    """Let the bot find as many messages, one a chat; return how many a second went out and were recorded."""
    with bots.using(url) as deps:
        queue(deps.store, messages)
    with bots.followup(server, url, folder, "fan-out"):
        ends = time.monotonic() + PATIENCE
        with bots.using(url) as deps:
            while time.monotonic() < ends:
                sent, first, last = deps.store.write_now(_progress)
                if sent == messages:
                    return float(messages / (last - first).total_seconds())
                time.sleep(0.3)
    return 0.0


def queue(store: Store, messages: int, lane: Lane = Lane.ANSWER, purpose: str = "fan-out") -> None:
    """Put a message for each of so many new people into the outbox; what else waits there is taken out."""
    store.write_now(_skip)
    # Not all at once: PostgreSQL ends a transaction that lets it wait for long.
    for first in range(0, messages, QUEUED_AT_ONCE):
        chats = range(FAN_OUT_CHATS + first, FAN_OUT_CHATS + min(first + QUEUED_AT_ONCE, messages))
        store.write_now(lambda session, chats=chats: _queue(session, chats, lane, purpose))  # type: ignore[misc]


def _skip(session: Session) -> None:
    for row in session.exec(select(OutboxMessage).where(OutboxMessage.state == "waiting")).all():
        row.state = "skipped"


def _queue(session: Session, chats: Sequence[int], lane: Lane, purpose: str) -> None:
    accounts = [Account(telegram_id=chat, locale="en", first_seen_at=bots.START) for chat in chats]
    session.add_all(accounts)
    session.flush()
    session.add_all(
        OutboxMessage(
            account_id=account.id or 0,
            chat_id=account.telegram_id,
            purpose=purpose,
            lane=lane,
            text_key="reminder.visit.day_1",
            values="{}",
            text=echo_ptb.WORDS,
            locale="en",
            created_at=bots.START,
            due_at=bots.START,
            useful_until=bots.START + timedelta(days=2),
        )
        for account in accounts
    )


def _progress(session: Session) -> Any:
    """Return how many were sent, when the first was claimed, and when the last outcome was written."""
    return session.exec(
        select(func.count(), func.min(OutboxMessage.claimed_at), func.max(OutboxMessage.closed_at)).where(
            OutboxMessage.purpose == "fan-out", OutboxMessage.state == "sent"
        )
    ).one()


def raw_loop(given: argparse.Namespace, rounds: int = 2) -> float:
    """Return how many messages a second the library's plain `send_message` makes, the best of some tries."""
    rates = []
    with botapi.served(seed=given.seed) as server:
        for _ in range(rounds):
            words = [sys.executable, "-m", "bench.echo_ptb", "--base-url", server.base_url]
            words += ["--send", str(given.fan_out), "--in-flight", str(IN_FLIGHT)]
            done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=bots.ROOT)
            rates.append(float(done.stdout))
    return max(rates)


def aiogram() -> str:
    """Return the Python that has aiogram; it is installed from the lock file the first time."""
    python = AIOGRAM / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", AIOGRAM], check=True)
        lock = bots.ROOT / "bench" / "aiogram.txt"
        words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"]
        subprocess.run([python, *words, lock], check=True)
    return str(python)


# The report


def shown(found: Sequence[Figures]) -> str:
    stock = next(each for each in found if each.name == STOCK)
    head = ["bot", "updates/s", "of stock", "CPU ms each", "p50 ms", "p99 ms", "at 50 ms a call", "of stock"]
    head += ["out of order", "missing", "RSS MB"]
    rows = [
        [
            each.name,
            f"{each.burst:.0f}",
            f"{each.burst / stock.burst:.2f}",
            f"{each.cpu_ms:.1f}",
            f"{each.p50:.1f}",
            f"{each.p99:.1f}",
            f"{each.far:.0f}",
            f"{each.far / stock.far:.1f}",
            each.disorder,
            each.missing,
            f"{each.rss:.0f}",
        ]
        for each in found
    ]
    return report.table(head, rows)


def shown_fan_out(raw: float, found: Sequence[Figures]) -> str:
    rows = [["python-telegram-bot, `send_message` only", f"{raw:.0f}", "1.00"]]
    rows += [[each.name, f"{each.fan_out:.0f}", f"{each.fan_out / raw:.2f}"] for each in found if each.fan_out]
    return report.table(["sender", "messages/s", "of raw"], rows)


def broken(found: Sequence[Figures], raw: float) -> list[str]:
    """Return the promises of this page that do not hold."""
    stock = next(each for each in found if each.name == STOCK)
    said = []
    for each in found:
        if each.name not in (SQLITE, POSTGRES):
            continue
        if each.disorder or each.missing:
            said.append(f"{each.name}: {each.disorder} out of order, {each.missing} missing")
        if each.faults:
            said.append(f"{each.name}: {each.faults} errors in the log")
        if each.burst < stock.burst:
            said.append(f"{each.name}: {each.burst / stock.burst:.2f} of the stock echo, 1.0 was promised")
        if each.far < FAR_TARGET:
            said.append(f"{each.name}: {each.far:.0f} updates/s at 50 ms a call, {FAR_TARGET} were promised")
        if each.fan_out < raw:
            said.append(f"{each.name}: fan-out is {each.fan_out / raw:.2f} of raw, 1.0 was promised")
    return said


NOTE = """Burst: {updates} updates from {users} users handed over at once, median of {rounds} after one that warms
up; p50 and p99: from an update handed over to its answer at the server, at {pace} updates a second for
{seconds} s; at 50 ms a call: {users} updates at once while the server takes 50 ms for each call except the
poll. Our patients write ordinary words (three of five) or press buttons; words also make a case and a page for
the one person on duty, which leaves at Telegram's pace for one chat and is not counted. Out of order: answers
at another place in their chat than the update that they answer. Fan-out: {fan_out} messages to as many chats,
from the first claim to the last outcome in the database; raw: {in_flight} in flight, the best of two.
The limit of messages a second is lifted. All processes share the machine's cores with the server."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--updates", type=int, default=USERS * EACH)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fan-out", type=int, default=FAN_OUT)
    parser.add_argument(
        "--only", nargs="*", choices=["aiogram", "sqlite", "postgresql"], help="beside the stock echo"
    )
    parser.add_argument("--write", action="store_true", help="write docs/evidence/throughput.md")
    given = parser.parse_args()
    chosen = ["aiogram", "sqlite", "postgresql"] if given.only is None else given.only
    found = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="followup-bench-")))
        found.append(echo(STOCK, [sys.executable, "-m", "bench.echo_ptb"], given, folder))
        if "aiogram" in chosen:
            found.append(echo("aiogram, echo", [aiogram(), "bench/echo_aiogram.py"], given, folder))
        if "sqlite" in chosen:
            found.append(ours(SQLITE, f"sqlite:///{folder / 'followup.sqlite3'}", given, folder))
        if "postgresql" in chosen:
            found.append(ours(POSTGRES, stack.enter_context(bots.databases())(), given, folder))
        raw = raw_loop(given)
    said = broken(found, raw)
    parts = [shown(found), "## Fan-out", shown_fan_out(raw, found), "## Promises not kept", report.promises(said)]
    note = NOTE.format(
        updates=given.updates,
        users=USERS,
        rounds=given.rounds,
        pace=PACE,
        seconds=PACED_SECONDS,
        fan_out=given.fan_out,
        in_flight=IN_FLIGHT,
    )
    body = "\n\n".join(parts)
    command, title = f"python -m bench.throughput --seed {given.seed}", "How fast is the whole way?"
    return report.finish("throughput", title, command, body, said, to_file=given.write, seed=given.seed, note=note)


if __name__ == "__main__":
    sys.exit(main())
