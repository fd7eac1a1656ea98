"""What stands between the bot and the Bot API server on a bad day, and how is the bot run on a bad machine?

`Middleman` is an HTTP proxy on loopback that does to calls what networks, proxies and Telegram do.
Started as a module, this file runs the bot itself, unchanged, as `followup run` does, but with a
clock that can be stepped and a SQLite file that can be full, both told by a small control file.
"""

import argparse
import asyncio
import contextlib
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

HOST = "127.0.0.1"
LONGEST_CALL = 120.0  # seconds; a long poll is the longest call there is
PAGE = "<html><head><title>{0}</title></head><body><h1>{0}</h1><p>Hospital gateway</p></body></html>"
PAGE_WORDS = {401: "Unauthorized", 403: "Forbidden", 407: "Proxy Authentication Required", 502: "Bad Gateway"}
SAID = {
    401: "Unauthorized",
    429: "Too Many Requests: retry after {wait}",
    500: "Internal Server Error",
    502: "Bad Gateway",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a call: how, to what share of them, and whether the server gets it first."""

    kind: str  # error | page | hang | cut | slow
    share: float = 1.0
    status: int = 0  # of an error or a page
    wait: float = 0.0  # seconds: retry_after of a 429, or how slow
    accepted: bool = False  # the server does its part, only the answer suffers
    polling: bool = True  # getUpdates suffers as well


@dataclass
class Middleman:
    """Hands calls on to the server behind it; each is first shown to the faults that are on."""

    behind: int
    dice: random.Random
    faults: tuple[Fault, ...] = ()
    injected: Counter[str] = field(default_factory=Counter)
    port: int = 0
    _runner: web.ServerRunner | None = None
    _site: web.TCPSite | None = None
    _session: aiohttp.ClientSession | None = None
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def base_url(self) -> str:
        """What FOLLOWUP_TELEGRAM_BASE_URL has to be."""
        return f"http://{HOST}:{self.port}/bot"

    def inject(self, *faults: Fault) -> None:
        """From now on calls suffer; the first fault whose share the dice hit is the one."""
        self.faults = faults

    def lift(self) -> None:
        """Let everything through again; a call that hangs goes on hanging, as in a real black hole."""
        self.faults = ()

    async def listen(self) -> None:
        """Accept connections, at the same port as before."""
        assert self._runner is not None
        self._site = web.TCPSite(self._runner, HOST, self.port)
        await self._site.start()
        self.port = int(self._runner.addresses[-1][1])

    async def refuse(self) -> None:
        """Refuse new connections and break those there are."""
        assert self._site is not None
        assert self._runner is not None
        await self._site.stop()
        self.injected["refused"] += 1
        for connection in list(self._runner.server.connections if self._runner.server else ()):
            if connection.transport is not None:
                connection.transport.abort()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        method = request.path.rpartition("/")[2]
        body = await request.read()
        fault = self._chosen(method)
        if fault is None:
            return await self._hand_on(request, body)
        self.injected[fault.kind if not fault.status else f"{fault.kind} {fault.status}"] += 1
        if fault.kind == "slow":
            await asyncio.sleep(fault.wait)
            return await self._hand_on(request, body)
        if fault.accepted:
            await self._hand_on(request, body)
        if fault.kind == "error":
            return _error(fault)
        if fault.kind == "page":
            return web.Response(
                status=fault.status, text=PAGE.format(PAGE_WORDS[fault.status]), content_type="text/html"
            )
        if fault.kind == "hang":
            await self._ended.wait()
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    def _chosen(self, method: str) -> Fault | None:
        for fault in self.faults:
            if (fault.polling or method != "getUpdates") and self.dice.random() < fault.share:
                return fault
        return None

    async def _hand_on(self, request: web.BaseRequest, body: bytes) -> web.Response:
        assert self._session is not None
        url = f"http://{HOST}:{self.behind}{request.path_qs}"
        headers = {"Content-Type": request.headers.get("Content-Type", "application/octet-stream")}
        async with self._session.request(request.method, url, data=body, headers=headers) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)


def _error(fault: Fault) -> web.Response:
    """Answer as the Bot API itself does."""
    said = SAID[fault.status].format(wait=int(fault.wait))
    answer: dict[str, Any] = {"ok": False, "error_code": fault.status, "description": said}
    if fault.status == 429:
        answer["parameters"] = {"retry_after": int(fault.wait)}
    return web.json_response(answer, status=fault.status)


@asynccontextmanager
async def between(behind: int, seed: int) -> AsyncIterator[Middleman]:
    """Put a middleman before the server at the port ``behind``."""
    man = Middleman(behind, random.Random(seed))
    man._runner = web.ServerRunner(web.Server(man._handle), handler_cancellation=True, shutdown_timeout=1.0)
    await man._runner.setup()
    limit = aiohttp.ClientTimeout(total=LONGEST_CALL)
    man._session = aiohttp.ClientSession(timeout=limit, connector=aiohttp.TCPConnector(limit=0))
    try:
        await man.listen()
        yield man
    finally:
        man._ended.set()
        await man._session.close()
        await man._runner.cleanup()


# The bot on a bad machine


@dataclass
class Machine:
    """What is wrong with the machine at the moment; written by the measurement, read by the bot's process."""

    clock_off: float = 0.0  # seconds by which the machine's clock is off
    pages_full: bool = False  # the SQLite file may not grow

    def write(self, path: Path) -> None:
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps({"clock_off": self.clock_off, "pages_full": self.pages_full}))
        fresh.replace(path)

    def read(self, path: Path) -> None:
        with contextlib.suppress(OSError, ValueError):
            for name, value in json.loads(path.read_text()).items():
                setattr(self, name, value)


def _spoil(machine: Machine, ahead: float) -> None:
    """Let the clocks of the bot and of its scheduler, and its database, be as bad as ``machine`` says."""
    from apscheduler.executors import base as executors
    from apscheduler.schedulers import base as schedulers
    from sqlalchemy import Connection, Engine, event

    import schedules
    from bot.clock import SystemClock

    class Stepped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Stepped":
            return super().now(tz) + timedelta(seconds=machine.clock_off)

    def now(_clock: SystemClock) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=ahead + machine.clock_off)

    # What watches for a step of the clock reads the same wrong clock as the scheduler.
    schedulers.datetime = executors.datetime = Stepped
    setattr(schedules, "datetime", Stepped)  # noqa: B010
    setattr(SystemClock, "now", now)  # noqa: B010

    @event.listens_for(Engine, "begin")
    def _limit(connection: Connection) -> None:
        if connection.dialect.name == "sqlite":
            # A limit below the present size means: not a page more.
            pages = 1 if machine.pages_full else 2**30
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")


def _watch(machine: Machine, control: Path) -> None:
    while True:
        machine.read(control)
        time.sleep(0.02)


def main() -> int:
    """Run the bot as `followup run` does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--control", type=Path, required=True, help="file that says what is wrong with the machine")
    parser.add_argument("--ahead", type=float, default=0.0, help="seconds the bot's time is ahead of the real time")
    given = parser.parse_args()
    machine = Machine()
    machine.read(given.control)
    _spoil(machine, given.ahead)
    threading.Thread(target=_watch, args=(machine, given.control), daemon=True).start()

    from bot import app, logs
    from bot.errors import FollowupError
    from bot.settings import load_settings

    settings = load_settings()
    logs.configure(settings.log_level)
    try:
        asyncio.run(app.serve(settings))
    except FollowupError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
