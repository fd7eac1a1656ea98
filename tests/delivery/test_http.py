"""What does the live bot's way to the network make of answers, refusals and broken lines?"""

import asyncio
import logging
import pickle
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from telegram import Bot
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter, TimedOut

from bot.clock import SetClock
from bot.delivery import http
from bot.delivery.http import AiohttpRequest, NotSent, PathFault, Timeouts, UnsupportedProxy, check_answer
from bot.simulator.phones import Phone
from bot.simulator.server import Served, serve
from bot.simulator.telegram import DEFAULT_TOKEN, SimulatedTelegram

SHORT = Timeouts(read=0.1, write=0.1, connect=0.1, pool=0.1, media_write=0.1)


@pytest.fixture(autouse=True)
def _timedeltas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")


@pytest.fixture
def telegram() -> SimulatedTelegram:
    return SimulatedTelegram(SetClock(datetime(2026, 4, 1, tzinfo=UTC)))


@pytest.fixture
async def patient(telegram: SimulatedTelegram) -> Phone:
    phone = telegram.phone(1001, "S-001")
    await phone.sends("/start")
    telegram.updates.drop()
    return phone


@pytest.fixture
async def served(telegram: SimulatedTelegram) -> AsyncIterator[Served]:
    async with serve(telegram) as served:
        yield served


def bot_at(base_url: str) -> Bot:
    return Bot(
        DEFAULT_TOKEN,
        base_url=base_url,
        base_file_url=base_url.replace("/bot", "/file/bot"),
        request=AiohttpRequest(),
        get_updates_request=AiohttpRequest(connection_pool_size=1),
    )


@pytest.fixture
async def bot(served: Served, patient: Phone) -> AsyncIterator[Bot]:
    async with bot_at(served.base_url) as bot:
        yield bot


async def test_a_call_comes_through_with_text_and_umlauts(bot: Bot, patient: Phone) -> None:
    sent = await bot.send_message(1001, "您今天好吗？ & ü=1")
    assert sent.text == patient.last.text == "您今天好吗？ & ü=1"


async def test_a_file_is_uploaded_and_fetched_again(bot: Bot, patient: Phone) -> None:
    sent = await bot.send_document(1001, b"a,b\r\n", filename="visits.csv", caption="表")
    assert sent.document is not None
    assert (sent.document.file_name, patient.last.text) == ("visits.csv", "表")
    file = await bot.get_file(sent.document.file_id)
    assert bytes(await file.download_as_bytearray()) == b"a,b\r\n"


async def test_flood_control_tells_how_long_to_wait(bot: Bot, telegram: SimulatedTelegram) -> None:
    telegram.fail("sendMessage", retry_after=7)
    with pytest.raises(RetryAfter) as flood:
        await bot.send_message(1001, "hello")
    assert flood.value.retry_after == timedelta(seconds=7)


async def test_telegrams_own_refusals_keep_their_meaning(
    bot: Bot, served: Served, telegram: SimulatedTelegram, patient: Phone
) -> None:
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message(4711, "hello")
    await patient.blocks()
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await bot.send_message(1001, "hello")
    await telegram.call("setWebhook", {"url": "http://127.0.0.1:1/"})
    with pytest.raises(Conflict):
        await bot.get_updates()
    telegram.token = "1:changed"
    with pytest.raises(InvalidToken, match="Unauthorized"):
        await bot.get_me()


@pytest.mark.req("DI-16")
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 407, 409, 429, 500, 502, 504])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>Access denied</html>", id="page"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'{"ok": "no"}', id="ok is no boolean"),
        pytest.param(b'{"ok": false, "description": "denied"}', id="no error code"),
        pytest.param(b'{"ok": true}', id="no result"),
        pytest.param(b'{"ok": false, "error_code": 418, "description": "x"}', id="other status inside"),
    ],
)
def test_what_is_not_a_bot_api_answer_is_a_fault_of_the_path(status: int, body: bytes) -> None:
    with pytest.raises(PathFault) as fault:
        check_answer("POST", status, body)
    assert not isinstance(fault.value, BadRequest | Forbidden | InvalidToken | NotSent)
    assert fault.value.may_have_arrived is not (400 <= status < 500)


@pytest.mark.req("DI-16")
async def test_a_proxy_page_says_nothing_about_the_patient(
    bot: Bot, telegram: SimulatedTelegram, caplog: pytest.LogCaptureFixture
) -> None:
    telegram.fail("sendMessage", proxy_page=True)
    telegram.fail("sendMessage", status=502, body=b"<html>bad gateway</html>")
    telegram.fail("sendMessage", status=200, body=b"<html>please log in</html>")
    for status in (403, 502, 200):
        with pytest.raises(PathFault) as fault:
            await bot.send_message(1001, "hello")
        assert fault.value.status == status
    assert telegram.log == []
    assert "<html>" not in caplog.text


async def test_a_server_error_of_telegram_itself_has_an_unknown_outcome(
    bot: Bot, telegram: SimulatedTelegram
) -> None:
    telegram.fail("sendMessage", status=500)
    with pytest.raises(NetworkError, match="Internal Server Error") as error:
        await bot.send_message(1001, "hello")
    assert type(error.value) is NetworkError


@pytest.mark.parametrize(("drop", "arrived"), [("before", 0), ("after", 1)])
async def test_a_cut_connection_has_an_unknown_outcome(
    bot: Bot, telegram: SimulatedTelegram, drop: Any, arrived: int
) -> None:
    telegram.fail("sendMessage", drop=drop)
    with pytest.raises(NetworkError) as error:
        await bot.send_message(1001, "hello")
    assert not isinstance(error.value, NotSent | PathFault | TimedOut | BadRequest)
    assert len(telegram.log) == arrived


async def test_a_late_answer_times_out_though_the_message_is_there(bot: Bot, telegram: SimulatedTelegram) -> None:
    telegram.fail("sendMessage", delay=0.2)
    with pytest.raises(TimedOut):
        await bot.send_message(1001, "hello", read_timeout=0.05)
    assert len(telegram.log) == 1


async def test_a_refused_connection_was_surely_not_sent(patient: Phone) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{taken.getsockname()[1]}/bot"
        async with AiohttpRequest() as request:
            with pytest.raises(NotSent, match="No connection"):
                await request.post(f"{base_url}{DEFAULT_TOKEN}/getMe")


async def test_waiting_for_a_free_connection_in_vain_was_surely_not_sent(
    served: Served, telegram: SimulatedTelegram, patient: Phone
) -> None:
    telegram.fail("sendMessage", delay=0.15)
    narrow = Timeouts(pool=0.01, connect=0.02)
    async with AiohttpRequest(connection_pool_size=1, timeouts=narrow) as request:
        url = f"{served.base_url}{DEFAULT_TOKEN}"
        first = asyncio.create_task(request.post(f"{url}/sendMessage?chat_id=1001&text=x"))
        await asyncio.sleep(0.02)
        with pytest.raises(NotSent):
            await request.post(f"{url}/getMe")
        await first
    assert len(telegram.log) == 1


async def test_a_call_that_may_not_leave_any_more_never_arrives_and_harms_no_later_one(
    bot: Bot, patient: Phone
) -> None:
    http.may_write.set(lambda: False)
    with pytest.raises(NotSent):
        await bot.send_message(patient.user_id, "from a process that was deposed")
    http.may_write.set(lambda: True)
    await bot.send_message(patient.user_id, "from the one that leads")
    assert [each.text for each in patient.inbox] == ["from the one that leads"]


async def test_whether_it_may_leave_is_asked_when_the_first_byte_does_and_only_then(
    bot: Bot, telegram: SimulatedTelegram, patient: Phone
) -> None:
    looks = []

    def look() -> bool:
        looks.append(len(telegram.log))
        return True

    http.may_write.set(look)
    await bot.send_message(patient.user_id, "short")
    await bot.send_document(patient.user_id, b"x" * 300_000, filename="long.txt")
    assert looks == [0, 1]


async def test_without_a_pool_nothing_is_sent() -> None:
    request = AiohttpRequest()
    await request.shutdown()
    with pytest.raises(NotSent):
        await request.post("http://127.0.0.1/")


async def test_a_pool_can_be_opened_again(served: Served) -> None:
    request = AiohttpRequest()
    for _ in range(2):
        await request.initialize()
        await request.initialize()
        answer = await request.post(f"{served.base_url}{DEFAULT_TOKEN}/getMe")
        assert isinstance(answer, dict)
        await request.shutdown()


async def test_no_timeout_means_no_limit(served: Served) -> None:
    endless = replace(SHORT, read=None)
    async with AiohttpRequest(timeouts=endless) as request:
        assert request.read_timeout is None
        assert await request.post(f"{served.base_url}{DEFAULT_TOKEN}/getMe", write_timeout=None)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "127.0.0.1:3128"])
def test_a_proxy_of_another_kind_is_refused_without_telling_its_address(proxy: str) -> None:
    with pytest.raises(UnsupportedProxy) as error:
        AiohttpRequest(proxy_url=proxy)
    assert "127.0.0.1" not in str(error.value)


async def test_a_request_through_a_proxy_arrives(served: Served, telegram: SimulatedTelegram, patient: Phone) -> None:
    """For http addresses a proxy is asked with the whole address, which the server understands too."""
    async with AiohttpRequest(proxy_url=f"http://127.0.0.1:{served.port}") as request:
        assert await request.post(f"http://telegram.invalid/bot{DEFAULT_TOKEN}/getMe")


async def test_a_proxy_that_refuses_the_tunnel_lets_nothing_through(served: Served) -> None:
    async with AiohttpRequest(proxy_url=f"http://127.0.0.1:{served.port}") as request:
        with pytest.raises(NotSent, match="proxy refused"):
            await request.post(f"https://telegram.invalid/bot{DEFAULT_TOKEN}/getMe")


async def test_the_token_is_in_no_error_and_no_log(
    served: Served, telegram: SimulatedTelegram, patient: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="aiohttp")
    caplog.set_level(logging.DEBUG, logger="bot")
    telegram.fail("getMe", drop="before")
    telegram.fail("getMe", proxy_page=True)
    telegram.fail("getMe", delay=0.15)
    telegram.fail("getMe", status=500)
    good = f"{served.base_url}{DEFAULT_TOKEN}/getMe"
    broken = f"http://127.0.0.1:1/bot{DEFAULT_TOKEN}/getMe"
    senseless = f"http://[/bot{DEFAULT_TOKEN}/getMe"
    unresolved = f"{DEFAULT_TOKEN}/getMe"
    async with AiohttpRequest(timeouts=SHORT) as request:
        for url in (good, good, good, good, broken, senseless, unresolved):
            with pytest.raises(NetworkError) as error:
                await request.post(url)
            seen: BaseException | None = error.value
            while seen is not None:
                assert DEFAULT_TOKEN not in f"{seen} {seen!r}"
                seen = seen.__cause__ or seen.__context__
    assert DEFAULT_TOKEN not in caplog.text


def test_a_path_fault_survives_pickling() -> None:
    fault = pickle.loads(pickle.dumps(PathFault(403)))
    assert (fault.status, str(fault)) == (403, str(PathFault(403)))
