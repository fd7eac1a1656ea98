"""What is lost, doubled or falsely believed when the bot is killed again and again? Nothing, or this fails.

The real bot runs against an independent Bot API server that loses 3 % of its replies, and is killed with SIGKILL
at random moments and at every named crash point, while people go on writing. Its time runs faster than real
time, so that repeated pages, daily questions and silent doubts fall into the run. After the last kill it runs
undisturbed until all is quiet; then its tables are compared with what the server knows.
"""

import argparse
import asyncio
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from sqlmodel import Session, col, select

from bench import control, postgres, report
from bench.botapi import BotApi, served
from bench.judge import Observed, Verdict, judge, observe
from bench.load import ON_DUTY, START, Crowd, enrol, numbers_in
from bench.people import SITE_PHONE, TOKEN
from bench.victim import CONTROL_POINTS, POINTS, Nursery, nursery
from bot.cipher import Cipher
from bot.settings import Settings
from bot.store.models import InboxUpdate, OutboxMessage
from bot.store.session import Store
from bot.work import Lane

T = TypeVar("T")

SPEED = 30.0  # seconds of the bot's time in a real second
LAST_SPEED = 2.0
LOST_REPLIES = 0.03
# Seconds beyond the time that a start takes on this machine: until a kill at a random moment at the latest, and
# until a named point has to be reached; after that the process is killed all the same.
LONGEST_LIFE = 0.5
POINT_PATIENCE = 4.0
BETWEEN_ACTS = 0.05
ONLY_ONCE = ("start:", "agenda:")  # points that are not reached several times in a short life
# As long as messages go out the bot is at work, however much a long run has left it; a stand-still ends the wait.
QUIET_SECONDS = 240.0
LONGEST_WORK = 3600.0
STOP_SECONDS = 60.0


class NeverQuiet(AssertionError):
    """The bot did not come to the end of its work."""


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """Give the address of an empty database."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'followup.sqlite3'}"
        return
    with postgres.served() as server:
        yield postgres.create(server.get_uri(), "followup")


@contextmanager
def ground(kind: str) -> Iterator[tuple[Path, str]]:
    """Give a folder that the database's own user can reach, and an empty database."""
    # Also when it is told to stop, all that was started has to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    folder = Path(tempfile.mkdtemp(prefix="followup-kill-"))
    folder.chmod(0o755)
    try:
        with database(kind, folder) as url:
            yield folder, url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Site:
    """The bot's database and server, and how a process of the bot is told of them."""

    server: BotApi
    url: str
    speed: float
    key: str = field(default_factory=Cipher.new_key)
    began: float = field(default_factory=time.monotonic)
    start: datetime = START

    def settings(self) -> dict[str, Any]:
        """Return settings for a start at this moment: the bot's time goes on while the bot is down."""
        known: dict[str, Any] = {
            "telegram_token": TOKEN,
            "telegram_base_url": self.server.base_url,
            "database_url": self.url,
            "encryption_key": self.key,
            "site_phone": SITE_PHONE,
        }
        if self.speed != 1.0:
            known["clock_start"] = self.now().isoformat()
            known["clock_speed"] = self.speed
        return known

    def now(self) -> datetime:
        return self.start + timedelta(seconds=(time.monotonic() - self.began) * self.speed)

    def go_on_at(self, speed: float) -> None:
        """Let the bot's time go on at another speed from the next start on."""
        self.start, self.began, self.speed = self.now(), time.monotonic(), speed

    def enrol(self) -> None:
        enrol(Settings(_env_file=None, **self.settings()))
        self.began = time.monotonic()

    def read(self, look: Callable[[Session], T]) -> T:
        store = Store(self.url, Cipher(self.key))
        try:
            return asyncio.run(store.read(look))
        finally:
            store.close()

    def end_lease(self) -> None:
        """End the lease of a process that is dead; how long others wait for it is what bench.failover measures."""
        if self.url.startswith("sqlite"):
            return
        with psycopg.connect(self.url) as connection:
            connection.execute("UPDATE lease SET until = now() - interval '1 second'")

    def is_quiet(self) -> bool:
        """Tell whether all that came in is worked off, and all that is due has left; reminders may wait."""
        if self.server.state()["waiting"]:
            return False

        def busy(session: Session) -> bool:
            came_in = select(InboxUpdate.id).where(InboxUpdate.state == "waiting").limit(1)
            going_out = select(OutboxMessage.id).where(
                (col(OutboxMessage.state) == "sending")
                | (
                    (col(OutboxMessage.state) == "waiting")
                    & (col(OutboxMessage.lane) < Lane.REMINDER)
                    & (col(OutboxMessage.due_at) <= self.now())
                )
            )
            return session.exec(came_in).first() is not None or session.exec(going_out.limit(1)).first() is not None

        return not self.read(busy)

    def wait_until_quiet(self) -> None:
        began = moved = time.monotonic()
        sent = 0
        while not self.is_quiet():
            now, state = time.monotonic(), self.server.state()
            if state["sent"] > sent:
                sent, moved = state["sent"], now
            if now > moved + QUIET_SECONDS or now > began + LONGEST_WORK:
                raise NeverQuiet(str(state))
            time.sleep(0.1)

    def observe(self, crowd: Crowd) -> Observed:
        truth = self.server.truth()
        return self.read(lambda session: observe(session, crowd.pushed, truth))


@dataclass
class Tally:
    """How the processes of a run ended."""

    random: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)  # the point was not reached in time
    by_itself: list[int] = field(default_factory=list)  # exit statuses
    start: float = 0.0  # seconds that a start took
    seconds: float = 0.0

    @property
    def kills(self) -> int:
        return self.random + sum(self.asked.values())


def kill_often(
    nest: Nursery,
    crowd: Crowd,
    settings: Callable[[], dict[str, Any]],
    kills: int,
    points: Sequence[str],
    after: Callable[[], None] = lambda: None,
) -> Tally:
    """Start the bot and kill it, ``kills`` times: half of them at random, half at named points in turn."""
    dice, start = crowd.dice, _seconds_to_start(nest, crowd, settings)
    after()
    tally, began = Tally(start=start), time.monotonic()
    coming: list[str] = []
    while tally.kills < kills:
        coming = coming or dice.sample(points, len(points))
        point = coming.pop() if dice.random() < 0.5 else None
        nth = 1 if point is None or point.startswith(ONLY_ONCE) else dice.randint(1, 3)
        life = start + POINT_PATIENCE if point else dice.uniform(0.0, start + LONGEST_LIFE)
        crowd.act(dice.randint(1, 3))
        victim = nest.start(settings(), point, nth)
        last, status = time.monotonic() + life, None
        while status is None and (left := last - time.monotonic()) > 0:
            status = victim.ended(min(left, BETWEEN_ACTS))
            if status is None and dice.random() < 0.3:
                crowd.act(1)
        reached = status is not None
        status = victim.kill() if status is None else status
        if status != -signal.SIGKILL:
            tally.by_itself.append(status)
        elif point is None:
            tally.random += 1
        else:
            tally.asked[point] += 1
            tally.missed[point] += not reached
        after()
        _show(tally, kills)
    tally.seconds = time.monotonic() - began
    return tally


def _seconds_to_start(nest: Nursery, crowd: Crowd, settings: Callable[[], dict[str, Any]]) -> float:
    """Return how long it takes from a start until an update has been taken."""
    crowd.act(1)
    began, victim = time.monotonic(), nest.start(settings())
    last = began + QUIET_SECONDS
    while crowd.server.state()["waiting"]:
        if time.monotonic() > last:
            raise NeverQuiet("the first start took no update")
        time.sleep(0.01)
    seconds = time.monotonic() - began
    victim.kill()
    return seconds


def _show(tally: Tally, kills: int) -> None:
    if sys.stderr.isatty() or tally.kills % 100 == 0:
        sys.stderr.write(f"\r{tally.kills} of {kills} kills, {len(tally.by_itself)} ended by themselves ")
        sys.stderr.flush()


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that one run has shown."""

    tally: Tally
    hits: Counter[str]
    verdict: Verdict
    server: dict[str, Any]


def measure(kills: int, seed: int, kind: str, keep: Path | None = None) -> Outcome:
    """Run the bot, kill it, let it finish, and judge."""
    with ground(kind) as (folder, url), served(seed=seed) as server:
        site = Site(server, url, SPEED)
        site.enrol()
        server.set(lost_replies=LOST_REPLIES)
        with nursery(folder / "victims") as nest:
            crowd = Crowd(server, random.Random(seed))
            tally = kill_often(nest, crowd, site.settings, kills, POINTS, site.end_lease)
            server.set(lost_replies=0.0)
            # Cases that nobody takes over are paged for ever; in fast time that would never be quiet.
            site.go_on_at(LAST_SPEED)
            victim = nest.start(site.settings())
            crowd.say(ON_DUTY, "hello")
            try:
                site.wait_until_quiet()
                victim.signal(signal.SIGTERM)
                status = victim.ended(STOP_SECONDS)
                if status != 0:
                    raise NeverQuiet(f"the last process ended with status {status}")
            finally:
                if keep is not None:
                    # The cluster of PostgreSQL holds a socket, which cannot be copied.
                    shutil.copytree(folder, keep, ignore=shutil.ignore_patterns("data", "run"), dirs_exist_ok=True)
            hits = Counter(nest.hits())
        return Outcome(tally, hits, judge(site.observe(crowd)), server.state())


def measure_control(kills: int, seed: int) -> Outcome:
    """Run the stock polling loop through the same test."""
    with ground("sqlite") as (folder, _), served(seed=seed) as server, nursery(folder / "victims", "control") as nest:
        path = str(folder / "control.sqlite3")
        control.open_table(path).close()
        server.set(lost_replies=LOST_REPLIES)
        crowd = Crowd(server, random.Random(seed))

        def settings() -> dict[str, Any]:
            return {"token": TOKEN, "base_url": server.base_url, "path": path}

        tally = kill_often(nest, crowd, settings, kills, CONTROL_POINTS)
        server.set(lost_replies=0.0)
        victim = nest.start(settings())
        last = time.monotonic() + QUIET_SECONDS
        while server.state()["waiting"]:
            if time.monotonic() > last:
                raise NeverQuiet(str(server.state()))
            time.sleep(0.1)
        time.sleep(1.0)
        victim.signal(signal.SIGTERM)
        if (status := victim.ended(STOP_SECONDS)) != 0:
            raise NeverQuiet(f"the control ended with status {status}")
        connection = control.open_table(path)
        stored = Counter(numbers_in([words for (words,) in connection.execute("SELECT words FROM report")]))
        connection.close()
        verdict = Verdict()
        numbers = [each.number for each in crowd.pushed if each.number is not None]
        verdict.lost = [f"message {number}" for number in numbers if not stored[number]]
        verdict.doubled = [f"message {number}" for number in numbers if stored[number] > 1]
        verdict.figures = {"numbered": len(numbers), "reached a chat": len(server.truth())}
        return Outcome(tally, Counter(nest.hits()), verdict, server.state())


def tables(outcome: Outcome) -> str:
    """Return what was found, as Markdown."""
    tally, verdict = outcome.tally, outcome.verdict
    promises = [
        ("reports lost", len(verdict.lost)),
        ("records doubled", len(verdict.doubled)),
        ("messages falsely believed to be sent (or not)", len(verdict.falsely_sent)),
        ("messages that arrived twice, or that no row knows", len(verdict.duplicates)),
        ("messages left in the middle", len(verdict.left)),
    ]
    found = report.table(("what must not be", "times"), promises)
    counts = [
        ("kills", tally.kills),
        ("of them at random moments", tally.random),
        ("of them at a named point", sum(tally.asked.values()) - sum(tally.missed.values())),
        ("of them because a named point was not reached in time", sum(tally.missed.values())),
        ("starts that ended by themselves", len(tally.by_itself)),
        ("seconds from a start to the first update taken", f"{tally.start:.2f}"),
        ("seconds of the run", f"{tally.seconds:.0f}"),
        ("replies lost by the server", outcome.server["lost"]),
        *verdict.figures.items(),
    ]
    points = [(point, outcome.hits[point]) for point in (*POINTS, *(set(outcome.hits) - set(POINTS)))]
    passed = report.table(("killed at", "times"), [row for row in points if row[1] or row[0] in tally.asked])
    return f"{found}\n\n{report.table(('what was', 'count'), counts)}\n\n{passed}"


def unreached(outcome: Outcome) -> list[str]:
    """Return the points at which nothing was killed although that was asked for."""
    return sorted(point for point in outcome.tally.asked if not outcome.hits[point])


def control_words(outcome: Outcome) -> str:
    """Return what the stock loop lost, in two sentences."""
    numbers, tally, verdict = outcome.verdict.figures["numbered"], outcome.tally, outcome.verdict
    return (
        f"Control: the stock polling loop of python-telegram-bot in the same harness, with {tally.kills} kills: "
        f"**{len(verdict.lost)} of {numbers} reports lost**, {len(verdict.doubled)} stored twice. "
        f"{verdict.figures['reached a chat']} answers reached a chat."
    )


# From so many kills on, each named point must have been hit.
ENOUGH = 200


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--control", action="store_true", help="also the stock polling loop, with as many kills")
    parser.add_argument("--only-control", action="store_true", help="only the stock polling loop")
    parser.add_argument("--write", action="store_true", help="write docs/evidence/kill-test.md")
    parser.add_argument("--keep", type=Path, help="copy the database and what the bot said to this folder")
    given = parser.parse_args(words)
    parts, broken = [], []
    if not given.only_control:
        outcome = measure(given.kills, given.seed, given.database, given.keep)
        parts.append(f"Database: {given.database}.\n\n{tables(outcome)}")
        broken = list(outcome.verdict.broken)
        if given.kills >= ENOUGH:
            broken += [f"no process died at the point {point!r}" for point in unreached(outcome)]
    if given.control or given.only_control:
        parts.append(control_words(measure_control(given.kills, given.seed)))
    body = "\n\n".join(parts)
    command = f"python -m bench.kill --kills {given.kills} --seed {given.seed} --database {given.database}"
    command += " --control" if given.control else ""
    name = "kill-test" if given.database == "sqlite" else f"kill-test-{given.database}"
    status = report.finish(name, "Kill test", command, body, broken, to_file=given.write, seed=given.seed)
    report.show_broken(broken)
    return status


if __name__ == "__main__":
    sys.exit(main())
