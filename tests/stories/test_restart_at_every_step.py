"""A bot that is started again after every page and every press ends where one that never stopped does."""

from datetime import datetime
from pathlib import Path

import pytest

from bot.store.models import EscalationStep
from tests.people import Study
from tests.stories.conftest import Snapshot
from tests.stories.scenes import CHEST_PAIN, rows

Course = tuple[list[tuple[str, datetime, str]], dict[str, list[tuple[datetime, str]]]]


async def play(snapshot: Snapshot, folder: Path, *, restarts: bool) -> Course:
    """Let a red case be paged, taken, read back, lapse, be taken again and closed; return all that came of it."""
    world = snapshot.world(folder)
    stage = await world.start()
    study: Study = snapshot.study(stage)

    async def on() -> None:
        if restarts:
            await world.restart()
            await stage.settle()

    try:
        await study.anna.says(CHEST_PAIN["zh"])
        await on()
        for _ in range(5):
            await study.pass_time(minutes=5)
            await on()
        await study.doctor.taps("case.button.acknowledge")
        await on()
        await study.doctor.presses(study.doctor.label("case.read_back.do.phone_now", code="S-001"))
        await on()
        await study.pass_time(minutes=7)
        await on()
        await study.pass_time(minutes=9)
        await on()
        await study.doctor.taps("case.button.acknowledge")
        await on()
        await study.doctor.taps("case.button.no_answer")
        await on()
        await study.doctor.taps("case.button.spoke")
        await on()
        await study.doctor.taps("case.button.resolve")
        await on()
        await study.doctor.taps("outcome.spoke_no_visit")
        await on()
        await study.doctor.taps("case.button.reopen")
        await on()
        await study.pass_time(minutes=9)
        steps = [(step.what, step.at, step.by) for step in await rows(stage, EscalationStep)]
        people = {"anna": study.anna, "doctor": study.doctor, "nurse": study.coordinator}
        return steps, {name: [(seen.at, seen.text) for seen in each.seen] for name, each in people.items()}
    finally:
        await world.stop()


@pytest.fixture
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return tmp_path_factory.mktemp("steady"), tmp_path_factory.mktemp("restarted")


@pytest.mark.req("DI-18")
async def test_it_ends_where_a_bot_that_never_stopped_does(begun: Snapshot, folders: tuple[Path, Path]) -> None:
    steps, seen = await play(begun, folders[0], restarts=False)
    again, seen_again = await play(begun, folders[1], restarts=True)
    assert again == steps
    assert seen_again == seen
    assert [what for what, *_ in steps].count("paged") > 8
    assert {"lapsed", "acknowledged", "no answer", "spoke", "resolved", "reopened"} <= {what for what, *_ in steps}
