"""Whatever anybody types: nothing raises, there is an answer, and the update is brought to an end."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.roles import Role
from bot.story.people import Person
from tests.people import Study, person, staff
from tests.stories.conftest import Snapshot
from tests.stories.scenes import Watch, caregiver, unfinished_updates, withdraw

PEOPLE = (
    "stranger",
    "patient",
    "patient in a report",
    "patient in a dialogue",
    "patient in a reading",
    "caregiver",
    "withdrawn",
    "coordinator",
    "coordinator in a dialogue",
    "coordinator with a slip",
    "doctor",
    "monitor",
    "admin",
)
PIECES = st.sampled_from(
    [
        "胸痛",
        "没有",
        "如果",
        "发烧",
        "38.5",
        "/",
        "start",
        "S-001",
        "\u200b",
        "\u202e",
        "{x}",
        "%s",
        "<b>",
        "120斤",
        "160/100",
        "Hb",
        "血小板",
        "1.2万",
        "吗",
        "\n",
    ]
)
# Surrogates alone are no text: no client can send them.
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60) | st.lists(
    PIECES, min_size=1, max_size=8
).map("".join)


async def cast(study: Study) -> dict[str, Person]:
    """Return one person of each kind."""
    await withdraw(study.clara)
    second = await staff(study.stage, 41, "Second nurse", Role.COORDINATOR)
    return {
        "stranger": person(study.stage, 90, "Passer-by", "en"),
        "patient": study.boris,
        "patient in a report": study.anna,
        "patient in a dialogue": study.boris,
        "patient in a reading": study.boris,
        "caregiver": await caregiver(study),
        "withdrawn": study.clara,
        "coordinator": study.coordinator,
        "coordinator in a dialogue": second,
        "coordinator with a slip": second,
        "doctor": study.doctor,
        "monitor": await staff(study.stage, 42, "Monitor", Role.MONITOR),
        "admin": await staff(study.stage, 43, "Admin", Role.ADMIN),
    }


async def says(people: dict[str, Person], kind: str, words: str) -> None:
    someone = people[kind]
    if kind == "patient in a report":
        await someone.says("/unwell")
    elif kind == "patient in a dialogue":
        await someone.says("/team")
        await someone.taps("team.button.write")
    elif kind == "patient in a reading":
        await someone.says("/menu")
        await someone.taps("menu.button.reading", "reading.what.pressure")
    elif kind == "coordinator with a slip":
        await someone.says("/labs S-001")
        await someone.taps("labs.button.enter")
        await someone.says("2026-11-02")
    elif kind == "coordinator in a dialogue":
        await someone.says("/enrol")
    sees = Watch(someone)
    await someone.says(words)
    assert sees.new, "an answer"
    assert await unfinished_updates(someone.stage) == []


@pytest.mark.parametrize("kind", PEOPLE)
def test_any_text_from_anybody_is_answered(begun: Snapshot, tmp_path: Path, kind: str) -> None:
    world = begun.world(tmp_path)
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        stage = runner.run(world.start())
        people = runner.run(cast(begun.study(stage)))

        @settings(max_examples=15, suppress_health_check=list(HealthCheck))
        @given(words=WORDS.filter(lambda words: bool(words.strip())))
        def try_one(words: str) -> None:
            runner.run(says(people, kind, words))

        try:
            try_one()
            stage.telegram.check_misuses()
        finally:
            runner.run(world.stop())
