"""Does the webhook take only what comes from Telegram, and keep it before it says so?"""

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from bot.delivery.web import LARGEST_UPDATE, SECRET_HEADER
from bot.store.models import InboxUpdate
from tests.process.harness import World, free_port, until

SECRET = "a-secret-of-26-characters_"


@dataclass
class Hook:
    """The address that Telegram was told."""

    here: World
    port: int
    session: aiohttp.ClientSession

    async def post(self, body: bytes, secret: str | None) -> int:
        headers = {} if secret is None else {SECRET_HEADER: secret}
        url = f"http://127.0.0.1:{self.port}/telegram"
        async with self.session.post(url, data=io.BytesIO(body), headers=headers) as answer:
            return answer.status

    async def stored(self) -> list[int]:
        return [row.update_id for row in await self.here.rows(InboxUpdate)]


@pytest.fixture
async def hook(here: World) -> AsyncIterator[Hook]:
    """Give a bot that runs in webhook mode, asked to stop at the end."""
    port = free_port()
    bot = await here.bot(
        mode="webhook",
        webhook_url=f"http://127.0.0.1:{port}/",
        webhook_secret=SECRET,
        webhook_port=str(port),
    )
    async with aiohttp.ClientSession() as session:
        yield Hook(here, port, session)
    await here.stop(bot)
    assert SECRET not in bot.err


def update(number: int) -> dict[str, Any]:
    person = {"id": 22, "is_bot": False, "first_name": "Boris", "language_code": "en"}
    chat = {"id": 22, "type": "private", "first_name": "Boris"}
    message = {"message_id": number, "date": 1_793_577_600, "chat": chat, "from": person, "text": "hello"}
    return {"update_id": number, "message": message}


@pytest.mark.req("SEC-07")
@pytest.mark.req("DI-15")
async def test_the_webhook_answers_telegram_and_nobody_else(hook: Hook) -> None:
    telegram = hook.here.telegram
    assert telegram.updates.webhook.url == f"http://127.0.0.1:{hook.port}/telegram"
    assert telegram.updates.webhook.secret_token == SECRET
    patient = hook.here.person(22, "Boris", "en")
    await patient.says("/help")
    await patient.sees("help.stranger")
    await until(lambda: not telegram.updates.pending, "the webhook takes the update")
    assert len(await hook.stored()) == 1

    body = json.dumps(update(900)).encode()
    for wrong in (None, "", SECRET[:-1], SECRET + "x", SECRET.upper(), "x" * len(SECRET)):
        assert await hook.post(body, wrong) == 401
    assert await _raw_status(hook.port, b"\xe4\xb8\xad\xff") == 401
    assert len(await hook.stored()) == 1

    for garbage in (b"", b"{", b"[]", b"7", b"\xff\xfe", b'{"message": {}}', b'{"update_id": "seven"}'):
        assert await hook.post(garbage, SECRET) == 400
    assert await hook.post(b'{"update_id": 1e999}', SECRET) == 400
    assert await hook.post(b"[" * 100_000, SECRET) == 400
    assert await hook.post(b" " * (LARGEST_UPDATE + 1), SECRET) == 413
    assert len(await hook.stored()) == 1

    # Telegram repeats an update whose 200 it did not hear: it is stored when 200 is said, and stored once.
    assert await hook.post(body, SECRET) == 200
    assert (await hook.stored())[1:] == [900]
    assert await hook.post(body, SECRET) == 200
    assert (await hook.stored())[1:] == [900]
    await patient.sees("speak.stranger")


async def _raw_status(port: int, secret: bytes) -> int:
    """Send a header that no client library would send; return the status of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, family=socket.AF_INET)
    head = b"POST /telegram HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n"
    writer.write(head + SECRET_HEADER.encode() + b": " + secret + b"\r\n\r\n{}")
    await writer.drain()
    line = await reader.readline()
    await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1])
