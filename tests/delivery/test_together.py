"""Many things become one transaction, and one faulty thing spoils no other."""

import asyncio
from collections.abc import Sequence

import pytest

from bot.delivery.together import MOST, Together


class Refused(Exception):
    """One thing cannot be done."""


class Doing:
    """Keeps what was done together; an odd hundred cannot be done."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.free = asyncio.Event()
        self.free.set()

    async def __call__(self, things: Sequence[int]) -> list[str]:
        await self.free.wait()
        if any(thing % 100 == 99 for thing in things):
            raise Refused
        self.batches.append(list(things))
        return [f"did {thing}" for thing in things]


async def test_what_comes_alone_is_done_at_once() -> None:
    doing = Doing()
    together: Together[int, str] = Together(doing)
    assert await together.add(1) == "did 1"
    assert await together.add(2) == "did 2"
    assert doing.batches == [[1], [2]]


async def test_what_comes_meanwhile_is_done_together_in_order() -> None:
    doing = Doing()
    together: Together[int, str] = Together(doing)
    doing.free.clear()
    added = [asyncio.create_task(together.add(number)) for number in range(MOST + 3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    doing.free.set()
    assert await asyncio.gather(*added) == [f"did {number}" for number in range(MOST + 3)]
    assert [each for batch in doing.batches for each in batch] == list(range(MOST + 3))
    assert len(doing.batches) == 2
    assert max(map(len, doing.batches)) == MOST


async def test_one_faulty_thing_spoils_no_other() -> None:
    doing = Doing()
    together: Together[int, str] = Together(doing)
    doing.free.clear()
    added = [asyncio.create_task(together.add(number)) for number in (1, 99, 2)]
    await asyncio.sleep(0)
    doing.free.set()
    results = await asyncio.gather(*added, return_exceptions=True)
    assert results[0] == "did 1"
    assert isinstance(results[1], Refused)
    assert results[2] == "did 2"
    with pytest.raises(Refused):
        await together.add(199)
    assert await together.add(3) == "did 3"


async def test_whoever_stops_waiting_hinders_nobody() -> None:
    doing = Doing()
    together: Together[int, str] = Together(doing)
    doing.free.clear()
    gone, stays = (asyncio.create_task(together.add(number)) for number in (1, 2))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    doing.free.set()
    assert await stays == "did 2"
