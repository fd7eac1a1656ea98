"""Is everything done exactly once when calls of Telegram reach several processes through a load balancer?"""

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bench import postgres as servers
from bot.delivery.web import SECRET_HEADER, WEBHOOK_PATH
from bot.domain.roles import Role
from bot.store.models import Escalation, InboxUpdate, OutboxMessage
from bot.usecases import import_subjects, invite
from bot.usecases.staff_queries import find
from bot.work import Work
from tests.people import ANNA, BORIS, CLARA, HEADER
from tests.process.harness import Person, Program, World, free_port, later, until, world

SECRET = "a-secret-of-26-characters_"
CODES = ("S-001", "S-002", "S-003")
EACH = 5  # texts of a patient while the leader dies, and again after the restart
FIRST_NUMBER = 900_000_000  # of updates that the test posts itself
REPEAT_SECONDS = 0.05


class Balancer:
    """Passes each call to the next process in turn, and to the other one if nobody answers there."""

    def __init__(self, ports: Sequence[int], session: aiohttp.ClientSession) -> None:
        self.ports = ports
        self._session = session
        self._turn = itertools.cycle(ports)
        self.url = ""
        self.statuses: Counter[int] = Counter()
        self.passed_over = 0

    async def take(self, request: web.Request) -> web.Response:
        body, secret = await request.read(), request.headers.get(SECRET_HEADER, "")
        first = next(self._turn)
        for port in (first, *(other for other in self.ports if other != first)):
            if (status := await self.ask(port, body, secret)) is not None:
                return web.Response(status=status)
            self.passed_over += 1
        return web.Response(status=502)

    async def ask(self, port: int, body: bytes, secret: str) -> int | None:
        """Return what the process at this port answers; None if it refuses the connection, or dies meanwhile."""
        headers = {SECRET_HEADER: secret, "Content-Type": "application/json"}
        try:
            async with self._session.post(
                f"http://127.0.0.1:{port}{WEBHOOK_PATH}", data=body, headers=headers
            ) as answer:
                self.statuses[answer.status] += 1
                return answer.status
        except aiohttp.ClientError:
            return None

    async def tell(self, update: dict[str, Any], *, to_all: bool) -> None:
        """Post an update as Telegram does, until it is taken; ``to_all``: to every process at the same moment."""
        body = json.dumps(update).encode()
        while True:
            if to_all:
                answers = await asyncio.gather(*(self.ask(port, body, SECRET) for port in self.ports))
            else:
                async with self._session.post(self.url, data=body, headers={SECRET_HEADER: SECRET}) as answer:
                    answers = [answer.status]
            if 200 in answers:
                return
            await asyncio.sleep(REPEAT_SECONDS)


@asynccontextmanager
async def balanced(ports: Sequence[int]) -> AsyncIterator[Balancer]:
    async with aiohttp.ClientSession() as session:
        balancer = Balancer(ports, session)
        app = web.Application()
        app.router.add_post(WEBHOOK_PATH, balancer.take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        balancer.url = f"http://127.0.0.1:{runner.addresses[0][1]}{WEBHOOK_PATH}"
        try:
            yield balancer
        finally:
            await runner.cleanup()


@pytest.fixture
def empty_postgres(postgres: str) -> Iterator[str]:
    with servers.lent(postgres) as url:
        yield url


def text_update(number: int, person: Person, words: str) -> dict[str, Any]:
    who = {"id": person.phone.user_id, "first_name": person.phone.first_name}
    message = {
        "message_id": number,
        "date": 1_793_577_600,
        "chat": {**who, "type": "private"},
        "from": {**who, "is_bot": False},
        "text": words,
    }
    return {"update_id": number, "message": message}


def words_in(cases: Sequence[Escalation], subject_id: int) -> list[str]:
    return [
        line["values"]["words"]
        for case in cases
        if case.subject_id == subject_id
        for source in json.loads(case.summary)
        for line in source["lines"]
    ]


@pytest.mark.req("DI-14")
@pytest.mark.req("DI-15")
@pytest.mark.req("DI-16")
async def test_behind_a_balancer_everything_is_done_once_though_the_leader_dies(
    tmp_path: Path, empty_postgres: str
) -> None:
    ports = (free_port(), free_port())
    async with balanced(ports) as balancer:
        hook = balancer.url.removesuffix(WEBHOOK_PATH)
        async with world(
            tmp_path,
            empty_postgres,
            mode="webhook",
            webhook_url=hook,
            webhook_secret=SECRET,
            clock_speed="1.01",  # not 1, so that limits in real time do not thin out what is sent
        ) as here:
            await _try(here, balancer)


async def _try(here: World, balancer: Balancer) -> None:
    patients = [here.person(21 + number, name, "en") for number, name in enumerate(("Anna", "Boris", "Clara"))]
    coordinator = here.person(11, "Nurse", "en")

    def enrol(work: Work) -> list[str]:
        import_subjects.import_subjects(work, HEADER + ANNA + BORIS + CLARA)
        staff = invite.invite(work, invite.STAFF, role=Role.COORDINATOR)
        return [staff, *(invite.invite(work, invite.PATIENT, subject=find(work, code)) for code in CODES)]

    staff, *links = await here.prepare(enrol)
    began = time.monotonic()
    bots = list(await asyncio.gather(*(here.bot(webhook_port=str(port)) for port in balancer.ports)))
    await until(lambda: any(bot.logged("lease.taken") for bot in bots), "a leader")
    people = zip(patients, links, strict=True)
    await asyncio.gather(coordinator.joins_staff(staff), *(each.begins(link) for each, link in people))
    await here.quiet()

    typed: dict[int, list[str]] = {each.phone.user_id: [] for each in patients}
    numbers = itertools.count(FIRST_NUMBER)
    told: list[dict[str, Any]] = []
    leader = next(bot for bot in bots if bot.logged("lease.taken"))

    async def writes(person: Person, dies_after: int | None = None) -> None:
        for turn in range(EACH):
            words = f"message number {len(typed[person.phone.user_id]) + 1} of {person.phone.first_name}"
            typed[person.phone.user_id].append(words)
            update = text_update(next(numbers), person, words)
            told.append(update)
            await balancer.tell(update, to_all=turn % 3 == 0)
            if turn == dies_after:
                leader.kill()

    async def revived() -> Program:
        await until(lambda: leader.status is not None, "the death of the leader")
        # Telegram repeats what it holds for lost: some call finds nobody where the leader was, however fast all
        # others were.
        while balancer.passed_over == 0:
            await balancer.tell(told[0], to_all=False)
        port = balancer.ports[bots.index(leader)]
        # A clock that runs ahead of the leader's would only let what is due wait.
        return await here.bot(webhook_port=str(port), clock_start=later(seconds=time.monotonic() - began))

    first, *others = patients
    reviving = asyncio.create_task(revived())
    await asyncio.gather(writes(first, EACH // 2), *(writes(each) for each in others))
    new = await reviving
    assert leader.status == -9
    await asyncio.gather(*(writes(each) for each in patients))
    await here.quiet()

    # Every report is there once, in the order in which it was typed.
    cases = await here.rows(Escalation)
    assert [words_in(cases, number + 1) for number in range(len(patients))] == list(typed.values())
    updates = await here.rows(InboxUpdate)
    assert {row.state for row in updates} == {"done"}
    posted = [row.update_id for row in updates if row.update_id >= FIRST_NUMBER]
    assert sorted(posted) == list(range(FIRST_NUMBER, next(numbers)))

    # Everybody is answered once for each; what the leader died in the middle of is unsure, never sent twice.
    await here.nothing_is_falsely_sent()
    rows = await here.rows(OutboxMessage)
    assert {row.state for row in rows} <= {"sent", "unsure"}
    for person in patients:
        again = person.label("delivery.shown_again", text="")
        answers = [
            row
            for row in rows
            if (row.chat_id, row.text_key) == (person.phone.user_id, "speak.passed_on")
            and not row.text.startswith(again)
        ]
        shown = [each for each in person.messages("speak.passed_on") if not each.text.startswith(again)]
        unsure = sum(row.state == "unsure" for row in answers)
        assert len(answers) == 2 * EACH
        assert len(answers) - unsure <= len(shown) <= len(answers)

    # Whoever sent something led at that moment.
    epochs = {row.id: row.epoch for row in rows}
    for bot in (*bots, new):
        led = {entry["epoch"] for entry in bot.logged("lease.taken")}
        assert {epochs[entry["message"]] for entry in bot.logged("outbox.attempted")} <= led
    assert len({row.epoch for row in rows}) == 2

    # Nobody was refused, and nothing went wrong on the way to that.
    assert set(balancer.statuses) == {200}
    assert balancer.passed_over > 0
    for bot in (*bots, new):
        assert [line for line in bot.log[:-1] if line["level"] in ("error", "critical")] == []
    for bot in (*bots, new):
        if bot is not leader:
            await here.stop(bot)
