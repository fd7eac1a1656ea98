"""What happens to messages when the process that leads is killed or paused? Two processes on one PostgreSQL.

Both handle what comes in; the one that holds the lease polls, sends and runs the jobs. Each round ends that one
with SIGKILL, or stops it with SIGSTOP for longer than its lease lasts and lets it go on later: from outside at a
random moment, or at a named crash point of its own. People go on writing all the time. A watcher looks at the
lease every few milliseconds, so the server's log of messages, each with its epoch, tells what was sent late.
"""

import argparse
import itertools
import json
import random
import signal
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from bench import report
from bench.botapi import served
from bench.judge import TAGGED, Verdict, judge
from bench.kill import NeverQuiet, Site, ground
from bench.load import ON_DUTY, Crowd
from bench.victim import ACCEPTED, AGENDA, ANSWERING, HANDLING, SENDING, WRITING, Nursery, Victim, nursery

PROCESSES = 2
PROMISED_SECONDS = 5.0
LOOK_SECONDS = 0.01
ACT_SECONDS = 0.15
PATIENCE = 30.0
TRAP_PATIENCE = 2.0  # seconds in which a leader has to come to its named point; then it is ended from outside
SHORT_PAUSE = (4.0, 6.0)  # seconds; the lease lasts 3
LONG_PAUSE = 60.0
LOST_REPLIES = 0.03
# Other than 1, so that the bot's own limits for a chat, which are in real time, do not thin out what is sent.
SPEED = 2.0
MINUTES_BEFORE = 8 * 60  # of the bot's time that the run begins later, so that the daily question falls into it
STOPPED, GONE = "T", "ZX"
# Where a leader ends or stops itself.
POINTS = (
    "updates: before the commit",
    "updates: committed",
    HANDLING,
    "handler: before the commit",
    "handler: committed",
    ANSWERING,
    "claim: before the commit",
    "claim: committed",
    SENDING,
    WRITING,
    ACCEPTED,
    "record: before the commit",
    "record: committed",
    AGENDA,
    "agenda: before the commit",
    "start: the lease, committed",
    "start: what was left, before its commit",
)


@dataclass(frozen=True, slots=True)
class Seen:
    """An epoch of the lease: last seen without it at ``after``, first seen at ``by``."""

    epoch: int
    after: float
    by: float


class Watcher(threading.Thread):
    """Looks at the lease all the time."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._over = threading.Event()
        self.seen: list[Seen] = []
        self.slowest = 0.0

    @property
    def epoch(self) -> int:
        return self.seen[-1].epoch if self.seen else 0

    def run(self) -> None:
        asked_before = time.monotonic()
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._over.is_set():
                asked = time.monotonic()
                row = connection.execute("SELECT epoch FROM lease").fetchone()
                answered = time.monotonic()
                if row is not None and row[0] != self.epoch:
                    self.seen.append(Seen(row[0], asked_before, answered))
                self.slowest = max(self.slowest, answered - asked_before)
                asked_before = asked
                time.sleep(LOOK_SECONDS)

    def end(self) -> None:
        self._over.set()
        self.join()


class Writers(threading.Thread):
    """Lets people write all the time; the crowd is this thread's alone until it has ended."""

    def __init__(self, crowd: Crowd) -> None:
        super().__init__(daemon=True)
        self._crowd = crowd
        self._over = threading.Event()
        self.fault: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._over.wait(ACT_SECONDS):
                self._crowd.act(1)
        except BaseException as error:
            self.fault = error

    def end(self) -> None:
        self._over.set()
        self.join()
        if self.fault is not None:
            raise self.fault


@dataclass
class Member:
    """One process of the bot."""

    victim: Victim
    log: Path
    point: str | None
    wakes_at: float | None = None  # when a stopped one goes on
    _read: int = 0
    _epochs: set[int] = field(default_factory=set)
    _started: bool = False

    @property
    def state(self) -> str:
        """Return the letter that the system has for it: R and S run, T is stopped, Z has ended."""
        try:
            return Path(f"/proc/{self.victim.number}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return "X"

    @property
    def awake(self) -> bool:
        return self.state not in STOPPED + GONE

    @property
    def started(self) -> bool:
        self._look()
        return self._started

    def leads(self, epoch: int) -> bool:
        self._look()
        return epoch in self._epochs

    def _look(self) -> None:
        if not self.log.exists():
            return
        with self.log.open("rb") as log:
            log.seek(self._read)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                if b'"lease.taken"' in line:
                    self._epochs.add(json.loads(line)["epoch"])
                elif b'"started"' in line:
                    self._started = True


@dataclass
class Round:
    """How one leader was ended or stopped, and what followed."""

    how: str  # kill | pause
    where: str  # a named point, or "at random"
    epoch: int
    at: float
    pause: float = 0.0
    alone: bool = False  # the other process ended or stopped as well, so there was nobody to take over
    next_epoch: int | None = None
    taken_after: float | None = None
    sent_after: float | None = None


@dataclass
class Pool:
    """All processes of the bot, and the hand that ends, stops and wakes them."""

    nest: Nursery
    folder: Path
    settings: Callable[[], dict[str, Any]]
    watcher: Watcher
    dice: random.Random
    members: list[Member] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)
    followers: Counter[str] = field(default_factory=Counter)  # those that ended or stopped without leading
    by_itself: list[int] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def start(self, *, trapped: bool = True) -> Member:
        """Start one more process; half of them have a point at which they end or stop themselves."""
        point = self.dice.choice(POINTS) if trapped and self.dice.random() < 0.5 else None
        nth = 1 if point is not None and point.startswith("start:") else self.dice.randint(1, 6)
        how = self.dice.choice(("SIGKILL", "SIGSTOP"))
        log = self.folder / f"process-{next(self._numbers)}.log"
        victim = self.nest.start(self.settings(), point, nth, said=str(log), log_level="INFO", ends_with=how)
        member = Member(victim, log, point)
        self.members.append(member)
        return member

    def look_after(self) -> None:
        """Wake whose time has come; note who ended or stopped by a point of its own."""
        for member in list(self.members):
            state = member.state
            if state in GONE:
                self._bury(member)
            elif state == STOPPED and member.wakes_at is None:
                self._note_trapped(member, "pause")
            elif member.wakes_at is not None and time.monotonic() >= member.wakes_at:
                member.wakes_at = None
                member.victim.signal(signal.SIGCONT)

    def _bury(self, member: Member) -> None:
        status = member.victim.ended(5.0)
        self.members.remove(member)
        if status == -signal.SIGKILL:
            self._note_trapped(member, "kill")
        else:
            self.by_itself.append(status if status is not None else 999)

    def _note_trapped(self, member: Member, how: str) -> None:
        at, took_lease = time.monotonic(), (member.point or "").startswith("start:")
        pause = self.dice.uniform(*SHORT_PAUSE) if how == "pause" else 0.0
        if how == "pause":
            member.wakes_at = at + pause
        if took_lease:
            # Its own epoch is that new that the watcher may not have seen it; it must not pass for its heir's.
            time.sleep(10 * LOOK_SECONDS)
        if took_lease or member.leads(self.watcher.epoch):
            self.rounds.append(Round(how, member.point or "?", self.watcher.epoch, at, pause))
        else:
            self.followers[how] += 1

    def wait(self, look: Callable[[], bool], seconds: float) -> bool:
        """Look after all until ``look`` says yes; return whether it did in time."""
        last = time.monotonic() + seconds
        while not look():
            if time.monotonic() > last:
                return False
            self.look_after()
            time.sleep(LOOK_SECONDS)
        return True

    def fill(self) -> None:
        """Have two processes that run, as a service manager would."""
        while sum(member.awake for member in self.members) < PROCESSES:
            member = self.start()
            self.wait(lambda member=member: member.started or not member.awake, PATIENCE)  # type: ignore[misc]

    def leader(self) -> Member | None:
        """Return the process that leads and runs."""
        epoch = self.watcher.epoch
        return next((member for member in self.members if member.leads(epoch) and member.awake), None)

    def strike(self, *, long: bool) -> None:
        """End or stop the leader once, and wait until another one has taken over."""
        before = len(self.rounds)
        self.fill()
        if not self.wait(lambda: self.leader() is not None or len(self.rounds) > before, PATIENCE):
            raise NeverQuiet("no process took the lease")
        leader = self.leader()
        if len(self.rounds) == before and leader is not None and leader.point is not None and not long:
            self.wait(lambda: len(self.rounds) > before, TRAP_PATIENCE)
            leader = self.leader()
        else:
            self.wait(lambda: len(self.rounds) > before, self.dice.uniform(0.0, 0.5))
        if len(self.rounds) == before and leader is not None:
            self._strike(leader, long=long)
        for each in self.rounds[before:]:
            self._wait_for_heir(each)

    def _strike(self, leader: Member, *, long: bool) -> None:
        epoch, at = self.watcher.epoch, time.monotonic()
        if long or self.dice.random() < 0.5:
            pause = LONG_PAUSE if long else self.dice.uniform(*SHORT_PAUSE)
            leader.wakes_at = at + pause
            leader.victim.signal(signal.SIGSTOP)
            self.rounds.append(Round("pause", "at random", epoch, at, pause))
        else:
            self.members.remove(leader)
            status = leader.victim.kill()
            if status != -signal.SIGKILL:
                self.by_itself.append(status)
            self.rounds.append(Round("kill", "at random", epoch, at))

    def _wait_for_heir(self, each: Round) -> None:
        self.wait(lambda: self.watcher.epoch > each.epoch or not any(one.awake for one in self.members), PATIENCE)
        if self.watcher.epoch == each.epoch and not any(one.awake for one in self.members):
            each.alone = True
            self.fill()
        if not self.wait(lambda: self.watcher.epoch > each.epoch, PATIENCE):
            self.slow.append(f"nobody took over from epoch {each.epoch} within {PATIENCE:.0f} s")

    def finish(self) -> None:
        """Let all that are stopped go on and have two that run."""
        self.wait(lambda: all(member.wakes_at is None for member in self.members), LONG_PAUSE + PATIENCE)
        self.fill()

    def end(self) -> None:
        """Ask all to stop, as a service manager does, and look at how they ended."""
        for member in self.members:
            member.victim.signal(signal.SIGTERM)
        for member in self.members:
            if (status := member.victim.ended(PATIENCE)) != 0:
                self.by_itself.append(999 if status is None else status)


def follow_up(rounds: Sequence[Round], seen: Sequence[Seen], truth: Sequence[dict[str, Any]]) -> None:
    """Enter for each round when the next epoch began, and when its first message reached a chat."""
    first: dict[int, float] = {}
    for message in truth:
        if (found := TAGGED.fullmatch(message.get("agent", ""))) is not None:
            first.setdefault(int(found[3]), message["at"])
    for each in rounds:
        heir = next((one for one in seen if one.epoch > each.epoch), None)
        if heir is not None:
            each.next_epoch = heir.epoch
            each.taken_after = max(heir.by - each.at, 0.0)
        later = [at for epoch, at in first.items() if epoch > each.epoch and at >= each.at]
        if later:
            each.sent_after = min(later) - each.at


def late_sends(truth: Sequence[dict[str, Any]], seen: Sequence[Seen]) -> tuple[list[str], int]:
    """Return messages that reached a chat under an epoch that was surely over, and how many may have been."""
    late, uncertain = [], 0
    for message in truth:
        if (found := TAGGED.fullmatch(message.get("agent", ""))) is None:
            continue
        over = next((one for one in seen if one.epoch > int(found[3])), None)
        if over is None:
            continue
        if message["at"] > over.by:
            after = message["at"] - over.by
            late.append(f"row {found[1]} of epoch {found[3]} arrived {after:.3f} s after epoch {over.epoch} began")
        elif message["at"] > over.after:
            uncertain += 1
    return late, uncertain


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that one run has shown."""

    pool: Pool
    watcher: Watcher
    verdict: Verdict
    late: list[str]
    uncertain: int
    seconds: float
    server: dict[str, Any]

    @property
    def broken(self) -> list[str]:
        slow = [
            f"round {number}: takeover after {each.taken_after} s"
            for number, each in enumerate(self.pool.rounds)
            if _slow(each)
        ]
        ended = [f"a process ended by itself with status {status}" for status in self.pool.by_itself]
        return [*self.verdict.broken, *self.late, *slow, *self.pool.slow, *ended]


def measure(rounds: int, long: int, seed: int, speed: float, keep: Path | None = None) -> Outcome:
    """Run two processes, strike the leader again and again, let them finish, and judge."""
    with ground("postgresql") as (folder, url), served(seed=seed) as server:
        site = Site(server, url, speed)
        site.enrol()
        site.began -= MINUTES_BEFORE / speed
        server.set(lost_replies=LOST_REPLIES)
        crowd, dice = Crowd(server, random.Random(seed)), random.Random(seed + 1)

        def settings() -> dict[str, Any]:
            return site.settings() | {"clock_start": site.now().isoformat(), "messages_per_second": 1000}

        longs = {round((number + 0.5) * rounds / long) for number in range(long)} if long else set()
        with nursery(folder / "victims") as nest, watched(url) as watcher:
            pool = Pool(nest, folder / "victims", settings, watcher, dice)
            writers = Writers(crowd)
            try:
                pool.start(trapped=False)
                writers.start()
                began = time.monotonic()
                while len(pool.rounds) < rounds:
                    long_now = bool(longs) and len(pool.rounds) >= min(longs)
                    if long_now:
                        longs.discard(min(longs))
                    pool.strike(long=long_now)
                    _show(pool, rounds)
                seconds = time.monotonic() - began
                writers.end()
                server.set(lost_replies=0.0)
                pool.finish()
                crowd.say(ON_DUTY, "hello")
                site.wait_until_quiet()
                pool.end()
            finally:
                if keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    for log in (folder / "victims").glob("*.log"):
                        (keep / log.name).write_bytes(log.read_bytes())
        truth = server.truth()
        follow_up(pool.rounds, watcher.seen, truth)
        late, uncertain = late_sends(truth, watcher.seen)
        return Outcome(pool, watcher, judge(site.observe(crowd)), late, uncertain, seconds, server.state())


@contextmanager
def watched(url: str) -> Iterator[Watcher]:
    watcher = Watcher(url)
    watcher.start()
    try:
        yield watcher
    finally:
        watcher.end()


def _show(pool: Pool, rounds: int) -> None:
    if sys.stderr.isatty() or len(pool.rounds) % 50 == 0:
        sys.stderr.write(f"\r{len(pool.rounds)} of {rounds} rounds ")
        sys.stderr.flush()


def tables(outcome: Outcome) -> str:
    """Return what was found, as Markdown."""
    rounds, verdict = outcome.pool.rounds, outcome.verdict
    found = report.table(
        ("what must not be", "times"),
        [
            ("reports lost", len(verdict.lost)),
            ("records doubled", len(verdict.doubled)),
            ("messages falsely believed to be sent (or not)", len(verdict.falsely_sent)),
            ("messages that arrived twice, or that no row knows", len(verdict.duplicates)),
            ("messages left in the middle", len(verdict.left)),
            ("messages sent under an epoch that was over", len(outcome.late)),
            (f"takeovers slower than {PROMISED_SECONDS:.0f} s", sum(_slow(each) for each in rounds)),
            ("processes that ended by themselves", len(outcome.pool.by_itself)),
        ],
    )
    times = [
        _times(f"SIG{name} to {end}", [getattr(each, field) for each in rounds if each.how == how and not each.alone])
        for how, name in (("kill", "KILL"), ("pause", "STOP"))
        for field, end in (("taken_after", "the new epoch"), ("sent_after", "its first message"))
    ]
    taken = report.table(("seconds from", "rounds", "median", "95 %", "longest"), times)
    kills = [each for each in rounds if each.how == "kill"]
    pauses = [each for each in rounds if each.how == "pause"]
    counts = [
        ("rounds", len(rounds)),
        ("of them kills", len(kills)),
        ("of them pauses", len(pauses)),
        (f"of them pauses of {LONG_PAUSE:.0f} s", sum(each.pause >= LONG_PAUSE for each in pauses)),
        ("rounds in which the other process had ended or stopped itself too", sum(each.alone for each in rounds)),
        ("processes that did not lead and were killed or paused", sum(outcome.pool.followers.values())),
        ("epochs", outcome.watcher.epoch),
        ("seconds", f"{outcome.seconds:.0f}"),
        ("replies lost by the server", outcome.server["lost"]),
        ("longest time between two looks at the lease (ms)", f"{outcome.watcher.slowest * 1000:.0f}"),
        ("messages between the two looks that saw the epoch change", outcome.uncertain),
        *verdict.figures.items(),
    ]
    where = Counter((each.where, each.how) for each in rounds)
    places = sorted({each.where for each in rounds}, key=lambda one: POINTS.index(one) if one in POINTS else -1)
    struck = report.table(
        ("the leader was at", "killed", "paused"), [(one, where[one, "kill"], where[one, "pause"]) for one in places]
    )
    return "\n\n".join((found, taken, report.table(("what was", "count"), counts), struck))


def _slow(each: Round) -> bool:
    return each.taken_after is None or (each.taken_after > PROMISED_SECONDS and not each.alone)


def _times(name: str, known: Sequence[float | None]) -> tuple[object, ...]:
    seconds = sorted(each for each in known if each is not None)
    if not seconds:
        return name, 0, "-", "-", "-"
    high = seconds[min(int(0.95 * len(seconds)), len(seconds) - 1)]
    return name, len(seconds), f"{statistics.median(seconds):.2f}", f"{high:.2f}", f"{seconds[-1]:.2f}"


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--long", type=int, default=3, help="how many of them are pauses of a minute")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=SPEED, help="seconds of the bot's time in a real second")
    parser.add_argument("--write", action="store_true", help="write docs/evidence/failover.md")
    parser.add_argument("--keep", type=Path, help="copy what the processes said to this folder")
    given = parser.parse_args(words)
    outcome = measure(given.rounds, given.long, given.seed, given.speed, given.keep)
    body = tables(outcome)
    command = f"python -m bench.failover --rounds {given.rounds} --long {given.long} --seed {given.seed}"
    status = report.finish(
        "failover", "Failover", command, body, outcome.broken, to_file=given.write, seed=given.seed
    )
    report.show_broken(outcome.broken)
    return status


if __name__ == "__main__":
    sys.exit(main())
