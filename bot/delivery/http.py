"""How do requests reach the Bot API server, and what is surely known when one fails?"""

import asyncio
import json
import os
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from telegram._utils.types import ODVInput
from telegram.error import NetworkError, TimedOut
from telegram.request import BaseRequest, RequestData

from bot.errors import FollowupError

# A server may close an idle connection at any moment; the shorter it is kept, the rarer we write into a
# closed one, which leaves the outcome of a send unknown.
KEEP_IDLE_SECONDS = 15.0


class UnsupportedProxy(FollowupError):
    """The proxy that leads to Telegram is of a kind that the bot does not speak."""


# Asked just before the first byte of a request leaves; a request that may not leave any more is `NotSent`.
may_write: ContextVar[Callable[[], bool] | None] = ContextVar("may_write", default=None)


class NotSent(NetworkError):
    """The request surely never reached Telegram: there was no connection to write it to."""


class PathFault(NetworkError):
    """Something on the way answered instead of Telegram; this says nothing about any person."""

    def __init__(self, status: int) -> None:
        super().__init__(f"The answer with status {status} does not come from the Bot API")
        self.status = status

    def __reduce__(self) -> tuple[type, tuple[int]]:  # type: ignore[override]
        return self.__class__, (self.status,)

    @property
    def may_have_arrived(self) -> bool:
        """Whether Telegram may have seen the request all the same: a gateway may fail on the way back."""
        return not 400 <= self.status < 500


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits in real seconds, None for no limit."""

    read: float | None = 5.0
    write: float | None = 5.0
    connect: float | None = 5.0
    pool: float | None = 1.0
    media_write: float | None = 20.0


def check_answer(method: str, status: int, body: bytes) -> None:
    """Do nothing if Telegram itself gave this answer; a file (GET) may be anything unless it is an error.

    Raises:
        PathFault: the body is no Bot API answer, or it contradicts the status.
    """
    successful = 200 <= status < 300
    if method == "GET" and successful:
        return
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        if successful and answer.get("ok") is True and "result" in answer:
            return
        said = isinstance(answer.get("description"), str) and answer.get("error_code") == status
        if not successful and answer.get("ok") is False and said:
            return
    raise PathFault(status)


class _Gate:
    """The way out of one request: asks in the call that hands its first bytes to the system, and not before.

    What remains between this look and the system's own buffer is a few lines of the event loop. An earlier look left
    more room for a pause of the whole process, and a loaded machine stretches it: other threads take their turns.
    """

    def __init__(self, protocol: ResponseHandler, allowed: Callable[[], bool]) -> None:
        self.inner: Any = protocol.transport
        self._protocol = protocol
        self._allowed = allowed
        self._open: bool | None = None  # nothing was written yet

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def write(self, data: bytes) -> None:
        if self._open or self._opens():
            self.inner.write(data)

    def writelines(self, data: Iterable[bytes]) -> None:
        if self._open or self._opens():
            self.inner.writelines(data)

    def _opens(self) -> bool:
        if self._open is None:
            self._open = self._allowed()
            if not self._open:
                self._protocol.set_exception(NotSent("Another process sends now"))
        return self._open


class _LastLook(aiohttp.ClientRequest):
    """Sends only what may still leave when its first byte does; the head is only buffered before."""

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        allowed, protocol = may_write.get(), conn.protocol
        if allowed is None or protocol is None or protocol.transport is None:
            await super().write_bytes(writer, conn, content_length)
            return
        gate = _Gate(protocol, allowed)
        protocol.transport = cast(asyncio.Transport, gate)
        try:
            await super().write_bytes(writer, conn, content_length)
        finally:
            if protocol.transport is cast(Any, gate):
                protocol.transport = gate.inner


class AiohttpRequest(BaseRequest):
    """The library's way to the network, over aiohttp: several times as fast as its own, and more exact.

    A failure before the request was written is `NotSent`. An answer that is not the Bot API's is a
    `PathFault`, whatever its status: no proxy page makes a patient look as if they had blocked the bot.
    Everything else that breaks is the library's `TimedOut` or `NetworkError`: the outcome is unknown.
    No error tells the address, because the address holds the token.

    Raises:
        UnsupportedProxy: the proxy is neither http:// nor https://.
    """

    def __init__(
        self,
        connection_pool_size: int = 64,
        timeouts: Timeouts | None = None,
        proxy_url: str | None = None,
    ) -> None:
        # The library warns about every 429 until waiting times may be timedeltas.
        os.environ.setdefault("PTB_TIMEDELTA", "true")
        scheme = urlsplit(proxy_url).scheme.lower() if proxy_url else "http"
        if scheme not in {"http", "https"}:
            raise UnsupportedProxy(f"A {scheme or 'nameless'} proxy is not supported, only http and https")
        self._pool_size = connection_pool_size
        self._timeouts = timeouts or Timeouts()
        self._proxy_url = proxy_url
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float | None:
        return self._timeouts.read

    async def initialize(self) -> None:
        """Open the pool; a second call changes nothing."""
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(_note_written)
            connector = aiohttp.TCPConnector(limit=self._pool_size, keepalive_timeout=KEEP_IDLE_SECONDS)
            self._session = aiohttp.ClientSession(connector=connector, trace_configs=[trace], request_class=_LastLook)

    async def shutdown(self) -> None:
        """Close the pool; a second call changes nothing."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
        write_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
        connect_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
        pool_timeout: ODVInput[float] = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """Make one request; return status and body of an answer that Telegram itself gave."""
        if self._session is None:
            raise NotSent("The connection pool is not open")
        usual = self._timeouts
        uploads = request_data is not None and request_data.contains_files
        read = _chosen(read_timeout, usual.read)
        write = _chosen(write_timeout, usual.media_write if uploads else usual.write)
        connect = _chosen(connect_timeout, usual.connect)
        waiting = _sum(_chosen(pool_timeout, usual.pool), connect)
        # aiohttp has no limit for writing, so the sum of all is the limit of the whole request.
        whole = _sum(waiting, write, read)
        limits = aiohttp.ClientTimeout(total=None, connect=waiting, sock_connect=connect, sock_read=read)
        progress = _Progress()
        fault: NetworkError | None = None
        status, body = 0, b""
        try:
            async with (
                asyncio.timeout(whole),
                self._session.request(
                    method,
                    url,
                    data=_form(request_data),
                    headers={"User-Agent": self.USER_AGENT},
                    timeout=limits,
                    proxy=self._proxy_url,
                    allow_redirects=False,
                    trace_request_ctx=progress,
                ) as answer,
            ):
                status, body = answer.status, await answer.read()
        except NotSent as error:
            fault = error.with_traceback(None)
        except aiohttp.ClientHttpProxyError as error:
            fault = NotSent(f"The proxy refused the way to the Bot API (status {error.status})")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            fault = _fault(error, written=progress.written)
        # Raised out here, so that no cause or context carries the address along.
        if fault is not None:
            raise fault
        check_answer(method, status, body)
        return status, body


@dataclass(slots=True)
class _Progress:
    """How far one request came; set just before the first byte is handed to the connection."""

    written: bool = False


async def _note_written(
    session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestHeadersSentParams
) -> None:
    context.trace_request_ctx.written = True


def _fault(error: Exception, *, written: bool) -> NetworkError:
    kind = type(error).__name__
    if not written:
        return NotSent(f"No connection to the Bot API ({kind})")
    if isinstance(error, TimeoutError):
        return TimedOut("The Bot API did not answer in time")
    return NetworkError(f"The connection to the Bot API broke ({kind})")


def _chosen(given: ODVInput[float], usual: float | None) -> float | None:
    return usual if given is BaseRequest.DEFAULT_NONE else cast("float | None", given)


def _sum(*limits: float | None) -> float | None:
    """Return the sum, None if one of them is no limit."""
    known = [limit for limit in limits if limit is not None]
    return sum(known) if len(known) == len(limits) else None


def _form(request_data: RequestData | None) -> aiohttp.FormData | None:
    if request_data is None:
        return None
    form = aiohttp.FormData(request_data.json_parameters)
    for part, (name, content, mime_type) in request_data.multipart_data.items():
        form.add_field(part, content, filename=name, content_type=mime_type)
    return form
