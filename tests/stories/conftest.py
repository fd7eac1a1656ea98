"""A study that is built once and copied for each story, and a bot that can be started again on it."""

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from bench.engines import quicken, whole
from bot import app
from bot.clock import SetClock
from bot.delivery.http import NotSent, check_answer
from bot.pictures import paint
from bot.protocol.load import bundled
from bot.settings import Settings
from bot.simulation.ground import OneThreadStore
from bot.simulator.request import SimulatedRequest
from bot.simulator.telegram import SimulatedTelegram
from bot.store.session import Store
from bot.story import stage as stages
from bot.story.people import Person
from bot.story.stage import Stage
from tests.conftest import KEY, START, make_settings
from tests.people import Study, study

NAMES = ("coordinator", "doctor", "anna", "boris", "clara")


@asynccontextmanager
async def bot_on(settings: Settings, telegram: SimulatedTelegram, clock: SetClock) -> AsyncIterator[Stage]:
    """Start the real bot on a Telegram that lives on when the bot stops."""
    deps = app.make_deps(settings, clock)
    quicken(deps.store, KEY)

    def request() -> SimulatedRequest:
        return SimulatedRequest(telegram, check=check_answer, not_sent=NotSent)

    try:
        async with app.running(deps, request(), request()) as bot:
            yield Stage(bot, clock, telegram)
    finally:
        deps.store.close()


class World:
    """A study whose bot can be stopped and started again in the middle of a story."""

    def __init__(self, settings: Settings, telegram: SimulatedTelegram, clock: SetClock) -> None:
        self._settings = settings
        self._telegram = telegram
        self._clock = clock
        self._running = AsyncExitStack()
        self._stage: Stage | None = None

    async def start(self) -> Stage:
        """Start the bot; everybody who holds the stage of before goes on with the new bot."""
        fresh = await self._running.enter_async_context(bot_on(self._settings, self._telegram, self._clock))
        if self._stage is None:
            self._stage = fresh
        self._stage.bot = fresh.bot
        return self._stage

    async def stop(self) -> None:
        await self._running.aclose()
        self._running = AsyncExitStack()

    async def restart(self) -> None:
        await self.stop()
        await self.start()


@dataclass
class Snapshot:
    """A study on its first morning as it lies on disk and on the phones."""

    database: bytes
    telegram: SimulatedTelegram
    numbers: dict[str, tuple[int, str]]

    def world(self, folder: Path, **settings: Any) -> World:
        """Return an independent copy whose database lies in ``folder``, with single ``settings`` of its own."""
        path = folder / "study.sqlite3"
        path.write_bytes(self.database)
        clock = SetClock(START)
        telegram = copy.deepcopy(self.telegram, {id(self.telegram.clock): clock})
        return World(make_settings(database_url=f"sqlite:///{path}", **settings), telegram, clock)

    def study(self, stage: Stage) -> Study:
        """Return the people of the copy."""
        people = {
            name: Person(stage, stage.telegram.phones[number], locale)
            for name, (number, locale) in self.numbers.items()
        }
        return Study(stage, **people)


@pytest.fixture(autouse=True)
def _protocol_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start each bot with the trial that is in memory; what a start checks is tested elsewhere."""
    monkeypatch.setattr(app, "checked_protocol", lambda *_: bundled())


_drawn_once = lru_cache(64)(lambda spec: paint(json.loads(spec)))


@pytest.fixture(autouse=True)
def _pictures_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw a picture once for all stories: many live through the same Monday."""
    monkeypatch.setattr(app, "paint", lambda spec: _drawn_once(json.dumps(spec)))


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let transactions run where they are asked for: a story waits for each anyway; threads are tested elsewhere."""
    for name in ("write", "write_apart", "read"):
        monkeypatch.setattr(Store, name, getattr(OneThreadStore, name))


def _snapshot(folder: Path, *, started: bool) -> Snapshot:
    path = folder / f"{'started' if started else 'enrolled'}.sqlite3"

    async def build() -> tuple[SimulatedTelegram, dict[str, tuple[int, str]]]:
        async with stages.raised(make_settings(database_url=f"sqlite:///{path}"), START) as stage:
            made = await study(stage, started=started)
            people = {name: getattr(made, name) for name in NAMES}
            numbers = {name: (each.phone.user_id, each.locale) for name, each in people.items()}
        return stage.telegram, numbers

    # A runner with a factory leaves the event loop of the tests around it alone.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        telegram, numbers = runner.run(build())
    return Snapshot(whole(path), telegram, numbers)


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """Give the study in which all three patients have consented and chosen 18:00."""
    return _snapshot(tmp_path_factory.mktemp("begun"), started=True)


@pytest.fixture(scope="session")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """Give the study in which the patients are enrolled and have opened nothing."""
    return _snapshot(tmp_path_factory.mktemp("enrolled"), started=False)


@asynccontextmanager
async def opened(snapshot: Snapshot, folder: Path, **settings: Any) -> AsyncIterator[tuple[World, Study]]:
    """Start a copy of a study, and stop it at the end."""
    world = snapshot.world(folder, **settings)
    stage = await world.start()
    try:
        yield world, snapshot.study(stage)
    finally:
        await world.stop()
    stage.telegram.check_misuses()


@pytest.fixture
async def played(begun: Snapshot, tmp_path: Path) -> AsyncIterator[tuple[World, Study]]:
    """Give a copy of the begun study, and the world it lives in."""
    async with opened(begun, tmp_path) as copy_of_begun:
        yield copy_of_begun


@pytest.fixture(name="study")
def study_begun(played: tuple[World, Study]) -> Study:
    """Give the study on its first morning; the three patients have consented."""
    return played[1]


@pytest.fixture
def world(played: tuple[World, Study]) -> World:
    """Give the world of ``study``, to stop and start the bot in."""
    return played[0]


@pytest.fixture
async def newcomers(enrolled: Snapshot, tmp_path: Path) -> AsyncIterator[Study]:
    """Give the study before any patient has opened a link."""
    async with opened(enrolled, tmp_path) as (_, copy_of_enrolled):
        yield copy_of_enrolled


@pytest.fixture(params=["zh", "en"])
def locale(request: pytest.FixtureRequest) -> str:
    """Give each language that people may choose."""
    return str(request.param)
