"""Do messages and pages survive faults that a measurement found: a bad line, a bad database, a bad clock?"""

import asyncio
import time
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from bot.store import people
from bot.store.models import Escalation, InboxUpdate, OutboxMessage
from bot.story.stage import Stage
from tests.people import study
from tests.process.harness import NeverHappened

RED_WORDS = "chest pain, can't breathe"
RED_TEXT = "triage.red_120.call"
DEADLINE_SECONDS = 20.0


async def rows(stage: Stage, table: Any) -> list[Any]:
    def read(session: Session) -> list[Any]:
        return list(session.exec(select(table).order_by(table.id)).all())

    return await stage.deps.store.read(read)


@pytest.mark.req("DI-16")
async def test_a_red_text_goes_out_again_until_it_surely_arrived_however_often_the_line_breaks(stage: Stage) -> None:
    made = await study(stage)
    stage.telegram.fail("sendMessage", times=12, drop="before")
    await made.boris.says(RED_WORDS)
    await made.pass_time(minutes=15)
    said = [row for row in await rows(stage, OutboxMessage) if row.text_key == RED_TEXT]
    assert [row.state for row in said].count("sent") == 1
    assert said[-1].state == "sent"


@pytest.mark.req("DI-15")
async def test_an_update_is_not_parked_because_the_database_failed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await study(stage)
    left, meet = 5, people.meet

    def flaky(*given: Any) -> Any:
        nonlocal left
        if left:
            left -= 1
            raise OperationalError("INSERT", {}, Exception("database or disk is full"))
        return meet(*given)

    monkeypatch.setattr(people, "meet", flaky)
    await made.boris.says(RED_WORDS)
    last = time.monotonic() + DEADLINE_SECONDS
    while (row := (await rows(stage, InboxUpdate))[-1]).state == "waiting":
        if time.monotonic() > last:
            raise NeverHappened("the handling of the update")
        await stage.settle()
        await asyncio.sleep(0.05)
    assert row.state == "done"
    assert len(await rows(stage, Escalation)) == 1


@pytest.mark.req("DI-16")
async def test_a_message_that_was_put_off_leaves_though_the_clock_is_set_back(stage: Stage) -> None:
    made = await study(stage)
    stage.telegram.fail("sendMessage", retry_after=60)
    await made.boris.says("/help")
    stage.clock.advance(hours=-24)
    await made.boris.says("/visits")
    await made.pass_time(minutes=2)
    assert {row.state for row in await rows(stage, OutboxMessage)} <= {"sent", "skipped"}


async def test_a_red_case_is_paged_again_though_the_clock_is_set_back(stage: Stage) -> None:
    made = await study(stage)
    await made.boris.says(RED_WORDS)
    await made.pass_time(minutes=1)
    stage.clock.advance(hours=-24)
    await made.pass_time(minutes=2)
    await made.pass_time(minutes=10)
    (case,) = await rows(stage, Escalation)
    assert case.pages >= 2
