"""A Bot API server of its own, apart from the bot and from its simulator: it alone knows the truth.

It runs as a process, speaks HTTP on loopback, and keeps a log of everything that really reached a chat,
also when the reply to it was lost on the way back. Tests compare the bot's tables with this log.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import time
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

HOST = "127.0.0.1"
FIRST_UPDATE = 1000
LONGEST_POLL = 50.0
SENDING = {"sendMessage", "sendPhoto"}
STATUS_TEXT = {400: "Bad Request", 403: "Forbidden", 409: "Conflict", 429: "Too Many Requests", 500: "Internal"}


@dataclass
class Truth:
    """Everything that the server knows; one per process."""

    lost_replies: float = 0.0
    latency: float = 0.0
    rate: int = 0  # messages a second for a bot, 0 for no limit
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    updates: deque[dict[str, Any]] = field(default_factory=deque)
    next_update: int = FIRST_UPDATE
    next_message: int = 1
    sent: list[dict[str, Any]] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)
    throttled: int = 0
    lost: int = 0
    confirmed: int = 0
    window: deque[float] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    poll: asyncio.Event | None = None
    webhook: dict[str, str] = field(default_factory=dict)


class Server:
    """The HTTP side of `Truth`."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/control/updates", self.add_updates)
        app.router.add_post("/control/set", self.change)
        app.router.add_get("/control/truth", self.tell)
        app.router.add_get("/control/state", self.state)
        app.router.add_route("*", "/bot{token:[^/]+}/{method}", self.call)
        return app

    # What the measurement says to the server

    async def add_updates(self, request: web.Request) -> web.Response:
        """Take updates without numbers, number them, hold them for the bot; return their numbers."""
        truth = self._truth
        numbers = []
        for body in await request.json():
            numbers.append(truth.next_update)
            truth.updates.append({"update_id": truth.next_update, **body})
            truth.next_update += 1
        truth.news.set()
        return web.json_response(numbers)

    async def change(self, request: web.Request) -> web.Response:
        for name, value in (await request.json()).items():
            setattr(self._truth, name, value)
        return web.json_response({})

    async def tell(self, request: web.Request) -> web.Response:
        since = int(request.query.get("since", 0))
        return web.json_response(self._truth.sent[since:])

    async def state(self, _request: web.Request) -> web.Response:
        truth = self._truth
        return web.json_response(
            {
                "sent": len(truth.sent),
                "waiting": len(truth.updates),
                "confirmed": truth.confirmed,
                "calls": truth.calls,
                "throttled": truth.throttled,
                "lost": truth.lost,
            }
        )

    # What the bot says to the server

    async def call(self, request: web.Request) -> web.StreamResponse:
        truth, method = self._truth, request.match_info["method"]
        truth.calls[method] = truth.calls.get(method, 0) + 1
        params = await _params(request)
        if method == "getUpdates":
            return await self._get_updates(request, params)
        if method in SENDING and truth.rate and not self._has_room():
            truth.throttled += 1
            return _error(429, "Too Many Requests: retry after 1", {"retry_after": 1})
        result = self._answer(request.match_info["token"], method, params)
        if method in SENDING:
            truth.sent[-1]["agent"] = request.headers.get("User-Agent", "")
        if truth.latency:
            await asyncio.sleep(truth.latency)
        if self._loses_reply(request) and method in SENDING:
            truth.sent[result["message_id"] - 1]["reply_lost"] = True
        return web.json_response({"ok": True, "result": result})

    def _loses_reply(self, request: web.Request) -> bool:
        """Cut the connection of one call in so many, after what it asked for has been done."""
        truth = self._truth
        if not truth.lost_replies or truth.dice.random() >= truth.lost_replies:
            return False
        truth.lost += 1
        # The one who asked may have died meanwhile.
        if request.transport is not None:
            request.transport.abort()
        return True

    def _has_room(self) -> bool:
        """Tell whether one more message fits into this second."""
        truth, now = self._truth, time.monotonic()
        while truth.window and truth.window[0] <= now - 1.0:
            truth.window.popleft()
        if len(truth.window) >= truth.rate:
            return False
        truth.window.append(now)
        return True

    def _answer(self, token: str, method: str, params: dict[str, Any]) -> Any:
        if method == "getMe":
            number = int(token.partition(":")[0])
            return {"id": number, "is_bot": True, "first_name": "Follow-up", "username": "followup_bot"}
        if method == "getWebhookInfo":
            return {"url": "", "has_custom_certificate": False, "pending_update_count": len(self._truth.updates)}
        if method in SENDING:
            return self._keep(method, params)
        if method.startswith("editMessage"):
            return _message(int(params["chat_id"]), int(params["message_id"]), params.get("text", ""))
        return True

    def _keep(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        truth = self._truth
        chat, text = int(params["chat_id"]), str(params.get("text", params.get("caption", "")))
        number = truth.next_message
        truth.next_message += 1
        markup = params.get("reply_markup")
        truth.sent.append(
            {
                "message_id": number,
                "at": time.monotonic(),
                "method": method,
                "chat_id": chat,
                "text": text,
                "markup": json.loads(markup) if isinstance(markup, str) else markup,
                "reply_lost": False,
            }
        )
        return _message(chat, number, text)

    async def _get_updates(self, request: web.Request, params: dict[str, Any]) -> web.Response:
        """Long polling; an offset confirms what lies before it, a second asker ends the first one's call."""
        truth = self._truth
        if (offset := params.get("offset")) is not None:
            while truth.updates and truth.updates[0]["update_id"] < int(offset):
                truth.updates.popleft()
                truth.confirmed += 1
        if truth.poll is not None:
            truth.poll.set()
        mine = truth.poll = asyncio.Event()
        ends = time.monotonic() + min(float(params.get("timeout", 0)), LONGEST_POLL)
        while not truth.updates and time.monotonic() < ends and not mine.is_set():
            truth.news.clear()
            waits = [asyncio.ensure_future(each.wait()) for each in (truth.news, mine)]
            _, pending = await asyncio.wait(
                waits, timeout=max(ends - time.monotonic(), 0), return_when=asyncio.FIRST_COMPLETED
            )
            for each in pending:
                each.cancel()
        if mine.is_set():
            said = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
            return _error(409, said)
        truth.poll = None
        limit = min(int(params.get("limit", 100)), 100)
        if truth.updates:
            self._loses_reply(request)
        return web.json_response(
            {"ok": True, "result": [truth.updates[n] for n in range(min(limit, len(truth.updates)))]}
        )


def _message(chat: int, number: int, text: str) -> dict[str, Any]:
    return {
        "message_id": number,
        "date": int(time.time()),
        "chat": {"id": chat, "type": "private", "first_name": "P"},
        "text": text,
    }


def _error(status: int, said: str, parameters: dict[str, Any] | None = None) -> web.Response:
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": said}
    if parameters:
        body["parameters"] = parameters
    return web.json_response(body, status=status)


async def _params(request: web.Request) -> dict[str, Any]:
    if request.content_type == "application/json":
        body = await request.read()
        return dict(request.query) | (json.loads(body) if body else {})
    posted = await request.post()
    return dict(request.query) | {k: v for k, v in posted.items() if isinstance(v, str)}


def text_update(user: int, text: str, number: int = 1, locale: str = "en") -> dict[str, Any]:
    """Return the body of an update with a text message, without its number; ``number`` is the message's."""
    person = {"id": user, "is_bot": False, "first_name": f"P{user}", "language_code": locale}
    chat = {"id": user, "type": "private", "first_name": f"P{user}"}
    message = {"message_id": number, "date": int(time.time()), "chat": chat, "from": person, "text": text}
    if text.startswith("/"):
        length = len(text.split(maxsplit=1)[0])
        message["entities"] = [{"type": "bot_command", "offset": 0, "length": length}]
    return {"message": message}


def press_update(user: int, message_id: int, data: str, locale: str = "en") -> dict[str, Any]:
    """Return the body of an update with a pressed button, without its number."""
    person = {"id": user, "is_bot": False, "first_name": f"P{user}", "language_code": locale}
    return {
        "callback_query": {
            "id": str(random.getrandbits(62)),
            "from": person,
            "chat_instance": "1",
            "data": data,
            "message": _message(user, message_id, "")
            | {"from": {"id": 1, "is_bot": True, "first_name": "Follow-up"}},
        }
    }


@dataclass(frozen=True, slots=True)
class BotApi:
    """The server as a measurement sees it; calls are synchronous."""

    port: int
    process: "subprocess.Popen[str]"

    @property
    def base_url(self) -> str:
        """What FOLLOWUP_TELEGRAM_BASE_URL has to be."""
        return f"http://{HOST}:{self.port}/bot"

    def push(self, updates: list[dict[str, Any]]) -> list[int]:
        """Let people write to the bot; return the numbers of the updates."""
        numbers: list[int] = self._ask("updates", updates)
        return numbers

    def set(self, **values: Any) -> None:
        """Change attributes of `Truth`: lost_replies, latency, rate."""
        self._ask("set", values)

    def truth(self, since: int = 0) -> list[dict[str, Any]]:
        """Return every message that reached a chat, in order."""
        told: list[dict[str, Any]] = self._ask(f"truth?since={since}")
        return told

    def state(self) -> dict[str, Any]:
        """Return counts: sent, waiting, confirmed, calls by method, throttled, lost."""
        told: dict[str, Any] = self._ask("state")
        return told

    def _ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://{HOST}:{self.port}/control/{path}", data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


@contextmanager
def served(*, seed: int = 1, lost_replies: float = 0.0, latency: float = 0.0, rate: int = 0) -> Iterator[BotApi]:
    """Run the server as a process of its own; ``latency`` in seconds, ``rate`` in messages a second."""
    words = [sys.executable, "-m", "bench.botapi", "--seed", str(seed), "--lost-replies", str(lost_replies)]
    words += ["--latency", str(latency), "--rate", str(rate)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield BotApi(int(process.stdout.readline()), process)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


async def _main(given: argparse.Namespace) -> None:
    truth = Truth(given.lost_replies, given.latency, given.rate, random.Random(given.seed))
    runner = web.AppRunner(Server(truth).app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lost-replies", type=float, default=0.0)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--rate", type=int, default=0)
    asyncio.run(_main(parser.parse_args()))
