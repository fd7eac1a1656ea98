"""Does the simulated Telegram speak HTTP as the real one does, on this machine only?"""

import asyncio
import json
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp import web

from bot.clock import SetClock
from bot.simulator.parts import NotLoopback
from bot.simulator.server import serve
from bot.simulator.telegram import DEFAULT_TOKEN, SimulatedTelegram


@pytest.fixture
def telegram() -> SimulatedTelegram:
    return SimulatedTelegram(SetClock(datetime(2026, 4, 1, tzinfo=UTC)))


async def test_json_form_and_query_are_understood(telegram: SimulatedTelegram) -> None:
    await telegram.phone(1001, "S-001").sends("/start")
    fields = {"chat_id": "1001", "text": "hello"}
    form = aiohttp.FormData(fields)
    form.add_field("ignored", b"", filename="x.txt")
    async with serve(telegram) as served, aiohttp.ClientSession() as session:
        url = f"{served.base_url}{DEFAULT_TOKEN}/sendMessage"
        for arguments in ({"json": fields}, {"data": fields}, {"params": fields}, {"data": form}):
            async with session.post(url, **arguments) as answer:
                assert (answer.status, (await answer.json())["ok"]) == (200, True)
    assert len(telegram.log) == 4


async def test_a_wrong_token_is_unauthorized_and_an_unknown_method_not_found(
    telegram: SimulatedTelegram,
) -> None:
    async with serve(telegram) as served, aiohttp.ClientSession() as session:
        async with session.post(f"{served.base_url}1:wrong/getMe") as answer:
            assert answer.status == 401
            assert json.loads(await answer.read()) == {
                "ok": False,
                "error_code": 401,
                "description": "Unauthorized",
            }
        async with session.post(f"{served.base_url}{DEFAULT_TOKEN}/sendPigeon") as answer:
            assert (answer.status, (await answer.json())["description"]) == (404, "Not Found")


async def test_a_file_is_served_by_its_path(telegram: SimulatedTelegram) -> None:
    message = await telegram.phone(1001, "S-001").sends_photo(b"picture")
    assert message.file is not None
    async with serve(telegram) as served, aiohttp.ClientSession() as session:
        url = f"{served.base_file_url}{DEFAULT_TOKEN}/{message.file.path}"
        async with session.get(url) as answer:
            assert await answer.read() == b"picture"


async def test_the_server_listens_on_this_machine_only(telegram: SimulatedTelegram) -> None:
    with pytest.raises(NotLoopback):
        async with serve(telegram, host="0.0.0.0"):
            pass


async def test_updates_are_posted_to_the_webhook_with_the_secret_until_it_takes_them(
    telegram: SimulatedTelegram,
) -> None:
    received: list[tuple[str | None, str]] = []
    everything = asyncio.Event()

    async def hook(request: web.Request) -> web.Response:
        update = await request.json()
        received.append((request.headers.get("X-Telegram-Bot-Api-Secret-Token"), update["message"]["text"]))
        if len(received) == 3:
            everything.set()
        return web.Response(status=500 if len(received) == 1 else 200)

    app = web.Application()
    app.router.add_post("/hook", hook)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    await telegram.call("setWebhook", {"url": address, "secret_token": "s3cret"})
    phone = telegram.phone(1001, "S-001")
    async with serve(telegram):
        await phone.sends("one")
        await phone.sends("two")
        async with asyncio.timeout(5):
            await everything.wait()
    await runner.cleanup()
    assert received == [("s3cret", "one"), ("s3cret", "one"), ("s3cret", "two")]
