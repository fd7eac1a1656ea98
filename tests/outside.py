"""What stands outside the bot in tests: a mail server, a gateway, a monitor, all real and on this machine."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


@dataclass
class PostOffice:
    """A mail server. What it took lies in ``letters``; ``answers`` are given to the next RCPT or DATA instead."""

    letters: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    answers: dict[str, list[str]] = field(default_factory=lambda: {"RCPT": [], "DATA": []})
    cut: int = 0  # so many connections end after the message was taken, before the answer
    port: int = 0
    user: tuple[str, str] | None = None
    tls: ssl.SSLContext | None = None
    _server: asyncio.Server | None = None

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        if self.answers["RCPT"]:
            return self.answers["RCPT"].pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if self.answers["DATA"]:
            return self.answers["DATA"].pop(0)
        made = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(made, EmailMessage)
        self.letters.append(made)
        self.recipients += envelope.rcpt_tos
        if self.cut:
            self.cut -= 1
            server.transport.abort()
        return "250 OK"

    def _login(self, _server: Any, _session: Any, _envelope: Any, _how: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        return AuthResult(success=(given.login.decode(), given.password.decode()) == self.user, handled=False)

    async def open(self) -> None:
        """Begin to listen, on the same port as before."""

        def made() -> SMTP:
            return SMTP(
                self,
                hostname="mail.test",
                tls_context=self.tls,
                authenticator=self._login,
                auth_require_tls=False,
                loop=asyncio.get_running_loop(),
            )

        self._server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "smtp_host": "127.0.0.1",
            "smtp_port": self.port,
            "smtp_tls": "none",
            "smtp_from": "followup@hospital.example",
        }


def words(letter: EmailMessage) -> str:
    """Return the body of an e-mail as a person reads it."""
    body = letter.get_body()
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


@asynccontextmanager
async def post_office(**given: Any) -> AsyncIterator[PostOffice]:
    office = PostOffice(**given)
    await office.open()
    try:
        yield office
    finally:
        await office.close()


@dataclass
class Listener:
    """A web server that keeps the calls it got; ``answers`` are the statuses of the next ones, then 200."""

    calls: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    look: Callable[[], None] = lambda: None
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        self.look()
        self.calls.append((str(request.rel_url), dict(request.headers), await request.read()))
        return web.Response(status=self.answers.pop(0) if self.answers else 200)


@asynccontextmanager
async def listener() -> AsyncIterator[Listener]:
    made = Listener()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.take)
    async with TestServer(app, host="127.0.0.1") as server:
        made.url = str(server.make_url("/hook"))
        yield made
