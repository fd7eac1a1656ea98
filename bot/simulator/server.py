"""How does a bot that runs as a process of its own reach the simulated Telegram over HTTP?"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from bot.simulator.parts import Exchange, NotLoopback, Upload
from bot.simulator.profile import LOOPBACK_HOSTS
from bot.simulator.telegram import SimulatedTelegram

_LOG = logging.getLogger(__name__)

# Telegram tries a failed webhook again after one, two, four seconds; here nobody wants to wait.
WEBHOOK_RETRY_SECONDS = 0.1
WEBHOOK_TIMEOUT_SECONDS = 10.0
MAX_UPLOAD_BYTES = 50 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Served:
    """Where the simulated server listens, in the form that python-telegram-bot takes."""

    host: str
    port: int

    @property
    def base_url(self) -> str:
        """The address of the methods, before the token."""
        return f"http://{self.host}:{self.port}/bot"

    @property
    def base_file_url(self) -> str:
        """The address of the files, before the token."""
        return f"http://{self.host}:{self.port}/file/bot"


@asynccontextmanager
async def serve(simulated: SimulatedTelegram, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Served]:
    """Serve a simulated Telegram on this machine; port 0 takes a free one.

    Raises:
        NotLoopback: the host is not this machine.
    """
    if host not in LOOPBACK_HOSTS:
        raise NotLoopback(f"The simulated server does not listen on {host}")
    app = web.Application(client_max_size=MAX_UPLOAD_BYTES)
    server = _Server(simulated)
    app.router.add_route("*", "/bot{token:[^/]+}/{method}", server.answer_method)
    app.router.add_get("/file/bot{token:[^/]+}/{path:.+}", server.answer_file)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    deliveries = asyncio.create_task(server.deliver())
    try:
        yield Served(host, runner.addresses[0][1])
    finally:
        deliveries.cancel()
        with suppress(asyncio.CancelledError):
            await deliveries
        simulated.updates.release_polls()
        await runner.cleanup()


class _Server:
    def __init__(self, simulated: SimulatedTelegram) -> None:
        self._simulated = simulated

    async def answer_method(self, request: web.Request) -> web.Response:
        params, files = await _fields(request)
        token, method = request.match_info["token"], request.match_info["method"]
        return _respond(request, await self._simulated.exchange(token, method, params, files))

    async def answer_file(self, request: web.Request) -> web.Response:
        return _respond(request, self._simulated.download(request.match_info["token"], request.match_info["path"]))

    async def deliver(self) -> None:
        """Post waiting updates to the webhook one by one, while one is set."""
        updates = self._simulated.updates
        timeout = aiohttp.ClientTimeout(total=WEBHOOK_TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                await updates.has_updates.wait()
                pending = updates.pending
                if not updates.webhook.url or not pending:
                    # Long polling is on: look again when something changed, at the latest a little later.
                    await asyncio.sleep(WEBHOOK_RETRY_SECONDS)
                    continue
                if await self._posted(session, pending[0].update):
                    updates.confirm(pending[0].update_id)
                else:
                    await asyncio.sleep(WEBHOOK_RETRY_SECONDS)

    async def _posted(self, session: aiohttp.ClientSession, update: dict[str, Any]) -> bool:
        webhook = self._simulated.updates.webhook
        headers = {"X-Telegram-Bot-Api-Secret-Token": webhook.secret_token} if webhook.secret_token else {}
        try:
            async with session.post(webhook.url, json=update, headers=headers, allow_redirects=False) as answer:
                return 200 <= answer.status < 300
        except (aiohttp.ClientError, TimeoutError):
            _LOG.info("The webhook does not answer; the update stays")
            return False


async def _fields(request: web.Request) -> tuple[dict[str, Any], dict[str, Upload | bytes]]:
    params: dict[str, Any] = dict(request.query)
    files: dict[str, Upload | bytes] = {}
    if request.content_type == "application/json":
        body = await request.read()
        params |= json.loads(body) if body else {}
        return params, files
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            files[name] = Upload(value.filename, value.file.read())
        else:
            params[name] = value if isinstance(value, str) else bytes(value).decode()
    return params, files


def _respond(request: web.Request, exchange: Exchange) -> web.Response:
    if exchange.cut is not None and request.transport is not None:
        request.transport.abort()
    return web.Response(status=exchange.status, body=exchange.body, headers={"Content-Type": exchange.content_type})
