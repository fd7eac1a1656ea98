"""How do many small things that come at about the same time become one transaction?"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

MOST = 64


class Together(Generic[T, R]):
    """Does things together that were added while the ones before were being done.

    A thing that comes alone is done at once. Where doing several fails they are done one by one, so that one
    faulty thing spoils no other.
    """

    def __init__(self, do: Callable[[Sequence[T]], Awaitable[list[R]]]) -> None:
        """``do`` returns a result for each thing, in their order; all of them happen or none."""
        self._do = do
        self._added: list[tuple[T, asyncio.Future[R]]] = []
        self._doing: asyncio.Task[None] | None = None

    async def add(self, thing: T) -> R:
        """Return what came of it.

        Raises:
            Exception: what ``do`` raised for this thing alone.
        """
        done: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._added.append((thing, done))
        if self._doing is None or self._doing.done():
            self._doing = asyncio.create_task(self._do_all())
        return await done

    async def _do_all(self) -> None:
        while self._added:
            batch, self._added = self._added[:MOST], self._added[MOST:]
            try:
                results = await self._do([thing for thing, _ in batch])
            except Exception as error:
                if len(batch) == 1:
                    self._end(batch[0][1], error)
                    continue
                for thing, done in batch:
                    await self._do_alone(thing, done)
            else:
                for (_, done), result in zip(batch, results, strict=True):
                    if not done.done():
                        done.set_result(result)

    async def _do_alone(self, thing: T, done: "asyncio.Future[R]") -> None:
        try:
            (result,) = await self._do([thing])
        except Exception as error:
            self._end(done, error)
        else:
            if not done.done():
                done.set_result(result)

    @staticmethod
    def _end(done: "asyncio.Future[R]", error: Exception) -> None:
        if not done.done():
            done.set_exception(error)
