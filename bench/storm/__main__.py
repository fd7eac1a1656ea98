"""Let a storm of abnormal reports pass over the bot, and say what became of each."""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bench import report
from bench.storm.judge import Totals
from bench.storm.people import Patients, Plan, Staff, Weather
from bench.storm.world import World
from bot import logs
from bot.protocol import bundled
from bot.protocol.model import Protocol

# After the last report staff rest: what is open then must go on ringing by its plan.
CALM = timedelta(hours=2)
DAYS_A_THOUSAND, BURST, A_SUBJECT = 0.8, 30, 80


@dataclass(frozen=True, slots=True)
class Storm:
    """What became of it."""

    totals: Totals
    broken: list[str]
    open_now: int
    owned_now: int
    overdue_now: int
    fingerprint: str
    seconds: float


def storm(plan: Plan, seed: int, folder: Path, protocol: Protocol, subjects: int = 0) -> Storm:
    """Play it; the same seed gives the same course."""
    began = time.process_time()
    random.seed(seed)  # pauses between tries are drawn there
    world = World(folder, protocol, subjects or max(plan.reports // A_SUBJECT, 8), random.Random(seed))
    try:
        Patients(world, plan, random.Random(seed + 1))
        staff = Staff(world, plan, random.Random(seed + 2))
        Weather(world, plan, random.Random(seed + 3))
        ends = world.real + timedelta(days=plan.days, hours=6, seconds=1)
        world.run(ends)
        staff.working = False
        world.run(ends + CALM)
        world.judge.advance(world.now)
        world.settle()
        judge = world.judge
        return Storm(
            judge.totals,
            judge.broken,
            len(judge.open_of),
            sum(judge.cases[number].owner is not None for number in judge.open_of.values()),
            judge.overdue(world.now),
            world.fingerprint(),
            time.process_time() - began,
        )
    finally:
        world.close()


def plan_for(reports: int, careless: float = 0.5) -> Plan:
    """Return how so many reports come."""
    return Plan(reports, max(reports / 1000 * DAYS_A_THOUSAND, 0.5), BURST, careless)


def main(words: Sequence[str] | None = None) -> int:
    """Play a storm and show what became of it; the exit status is 1 when a report was forgotten."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write docs/evidence/storm.md")
    given = parser.parse_args(words)
    logs.configure("CRITICAL")
    with tempfile.TemporaryDirectory() as folder:
        found = storm(plan_for(given.reports), given.seed, Path(folder), bundled())
    report.show_broken(found.broken)
    command = f"python -m bench.storm --reports {given.reports} --seed {given.seed} --write"
    body = f"{table(found)}\n\n## What must not happen\n\n{report.promises(found.broken)}"
    return report.finish(
        "storm", "A storm of abnormal reports", command, body, found.broken, to_file=given.write, seed=given.seed
    )


def table(found: Storm) -> str:
    """Return what happened, in numbers."""
    totals = found.totals
    rows = [
        ("abnormal reports", totals.reports),
        ("cases", totals.cases),
        ("pages tried, of all staff", totals.pages),
        ("taken over", totals.acknowledged),
        ("lapsed: taken over, and then nothing", totals.lapsed),
        ("rung afresh by a new danger", totals.renewed),
        ("handed back because the owner left", totals.handed_back),
        ("closed by a person", totals.resolved),
        ("opened again", totals.reopened),
        ("open in the end, with an owner", found.owned_now),
        ("open in the end, waiting for one", found.open_now - found.owned_now),
        ("of the open ones overdue right now", found.overdue_now),
        ('"taken over" that reached the patient when it was so no more', totals.stale),
        ("worst delay of a page after its time", f"{totals.worst.total_seconds():.1f} s"),
        ("broken promises", len(found.broken)),
        ("processor time", f"{found.seconds:.0f} s"),
    ]
    return report.table(["What", "How many"], rows)


if __name__ == "__main__":
    sys.exit(main())
