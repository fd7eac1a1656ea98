"""How is one site simulated from its first day to its last, and several side by side?"""

import asyncio
import gc
import multiprocessing
import random
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

from bot import logs
from bot.simulation.clinic import Clinic
from bot.simulation.invariants import Judge
from bot.simulation.plan import START, Plan, sites
from bot.simulation.report import Report, SiteReport
from bot.simulation.troubles import plan_troubles
from bot.simulation.world import World

Progress = Callable[[int, int], None]  # site, days gone

# Progress of the processes is looked at so often, in real seconds.
LOOK_SECONDS = 0.2


def simulate(plan: Plan, on_progress: Progress | None = None) -> Report:
    """Simulate all sites of a plan, each in a process of its own, and put their reports together in order."""
    parts = sites(plan)
    if len(parts) == 1:
        return Report(plan, [simulate_site(parts[0], on_progress)])
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(len(parts), context) as pool:
        queue = manager.Queue()
        running = [pool.submit(_in_process, part, queue) for part in parts]
        while not all(each.done() for each in running):
            try:
                site, day = queue.get(timeout=LOOK_SECONDS)
            except Empty:
                continue
            if on_progress is not None:
                on_progress(site, day)
        return Report(plan, [each.result() for each in running])


def _in_process(plan: Plan, queue: Any) -> SiteReport:
    logs.configure("CRITICAL")
    return simulate_site(plan, lambda site, day: queue.put((site, day)))


def simulate_site(plan: Plan, on_progress: Progress | None = None, stop_at: str | None = None) -> SiteReport:
    """Simulate one site in this process; a violation of a rule whose name begins with ``stop_at`` ends it."""
    with (
        tempfile.TemporaryDirectory(prefix="followup-simulation-") as folder,
        _thrown_from(plan),
        # A loop of its own leaves the one of whoever calls alone.
        asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner,
    ):
        return runner.run(_play(World(plan, Path(folder)), on_progress, stop_at))


@contextmanager
def _thrown_from(plan: Plan) -> Iterator[None]:
    """Let the bot's own dice (pauses between tries) fall the same way in every run of this plan."""
    before, looks = random.getstate(), gc.get_threshold()
    random.seed(f"{plan.seed}/{plan.site}/bot")
    # The phones keep many small things for good, which the collector would look through again and again.
    gc.set_threshold(50_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*looks)
        random.setstate(before)


async def _play(world: World, on_progress: Progress | None, stop_at: str | None) -> SiteReport:
    clinic = Clinic(world)
    judge = Judge(world, clinic, stop_at)
    try:
        await world.start()
        await clinic.open()
        if world.plan.faults:
            plan_troubles(world)

        async def evening() -> None:
            world.at(world.wall(1, 20, 45), evening)
            judge.on_evening()
            if on_progress is not None:
                on_progress(world.plan.site, (world.now - START).days + 1)

        world.at(world.wall(0, 20, 45), evening)
        await world.play()
        if world.bot is None:
            await world.start()
            await world.settle()
        judge.on_end()
        await world.stop()
        return SiteReport.of(world, judge)
    finally:
        await world.close()
