"""What did something cost? Processor time of the bot and of its database, which run on the same machine."""

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy import URL

ROUNDS = 21


def server_of(url: URL) -> int | None:
    """Return the process that is the parent of all processes of a PostgreSQL; SQLite works within the bot."""
    if url.get_backend_name() == "sqlite":
        return None
    with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
        stat = Path(f"/proc/{connection.info.backend_pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def processor(server: int | None) -> float:
    """Return the processor seconds of this process and of all processes of the database so far."""
    ticks = 0
    for place in Path("/proc").glob("[0-9]*/stat") if server is not None else ():
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if place.parent.name == str(server):
            ticks += sum(int(each) for each in fields[11:15])  # with those of children that ended
        elif int(fields[1]) == server:
            ticks += sum(int(each) for each in fields[11:13])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


async def least(doing: Callable[[], Awaitable[object]], rounds: int = ROUNDS) -> float:
    """Return the milliseconds that something takes at best, once it was done before: others use the machine too."""
    await doing()
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        await doing()
        took.append(time.perf_counter() - began)
    return min(took) * 1000


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of one item."""

    cpu: float
    wall: float


async def best_of(
    server: int | None,
    items: int,
    doing: Callable[[], Awaitable[object]],
    rounds: int,
    prepare: Callable[[], Awaitable[object]] | None = None,
) -> Cost:
    """Return what one of the ``items`` of ``doing`` costs at best, after a round to warm up.

    ``prepare`` comes before each round and is not counted. A database of its own processes is counted in
    hundredths of a second, so a round should take a good part of one.
    """
    cpus, walls = [], []
    for _ in range(1 + rounds):
        if prepare is not None:
            await prepare()
        cpu, began = processor(server), time.perf_counter()
        await doing()
        walls.append((time.perf_counter() - began) * 1000 / items)
        cpus.append((processor(server) - cpu) * 1000 / items)
    return Cost(min(cpus[1:]), min(walls[1:]))
