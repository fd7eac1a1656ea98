"""What does the bot answer over HTTP: updates from Telegram (webhook) and whether it is healthy?"""

import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog
from aiohttp import web
from sqlmodel import Session, func, select
from telegram import Bot

from bot.delivery.inbox import PULSE, WANTED, keep
from bot.deps import Deps
from bot.errors import FollowupError
from bot.settings import Settings
from bot.store.models import Escalation, Heartbeat, InboxUpdate, OutboxMessage
from bot.store.outbox import RED_LANE

log = structlog.get_logger(__name__)

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 (the header's name)
WEBHOOK_PATH = "/telegram"
LARGEST_UPDATE = 1024 * 1024
STALE = timedelta(minutes=5)
DEAF_SECONDS = 180
RED_WAITS = timedelta(minutes=1)


@asynccontextmanager
async def served(deps: Deps, bot_id: int) -> AsyncIterator[None]:
    """Serve the webhook endpoint and /healthz, where the settings ask for them."""
    runners = []
    settings = deps.settings
    if settings.mode == "webhook":
        app = webhook_app(deps, bot_id)
        runners.append(await _listen(app, settings.webhook_host, settings.webhook_port, "FOLLOWUP_WEBHOOK_PORT"))
    if settings.health_port is not None:
        app = health_app(deps)
        runners.append(await _listen(app, settings.health_host, settings.health_port, "FOLLOWUP_HEALTH_PORT"))
    try:
        yield
    finally:
        for runner in runners:
            await runner.cleanup()


class PortTaken(FollowupError):
    """The bot cannot listen where the settings say."""


async def _listen(app: web.Application, host: str, port: int, setting: str) -> web.AppRunner:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise PortTaken(f"{setting}: nothing can listen on {host}:{port} ({error.strerror})") from None
    return runner


def webhook_app(deps: Deps, bot_id: int) -> web.Application:
    """Return the endpoint that stores an update before it says 200 (DI-15, SEC-07)."""
    secret = deps.settings.webhook_secret
    assert secret is not None

    async def take(request: web.Request) -> web.Response:
        given = request.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(given.encode(errors="surrogateescape"), secret.get_secret_value().encode()):
            log.warning("webhook.refused")
            return web.Response(status=401)
        try:
            update: Any = json.loads(await request.text())
            int(update["update_id"])
        except (ValueError, TypeError, KeyError, LookupError, OverflowError, RecursionError):
            return web.Response(status=400)
        await keep(deps, bot_id, [update])
        return web.Response()

    app = web.Application(client_max_size=LARGEST_UPDATE)
    app.router.add_post(WEBHOOK_PATH, take)
    return app


async def set_webhook(bot: Bot, settings: Settings) -> None:
    """Tell Telegram where to bring updates; what is waiting there stays."""
    assert settings.webhook_url is not None
    assert settings.webhook_secret is not None
    await bot.set_webhook(
        settings.webhook_url.rstrip("/") + WEBHOOK_PATH,
        allowed_updates=WANTED,
        drop_pending_updates=False,
        secret_token=settings.webhook_secret.get_secret_value(),
    )


def health_app(deps: Deps) -> web.Application:
    """Return /healthz: 200 while the bot works, 503 with the reason when it does not; counts only, no health data."""

    async def health(_request: web.Request) -> web.Response:
        try:
            found = await deps.store.read(lambda session: look(session, deps.clock.now()))
            # A bot that hears nothing is not healthy, however well its jobs run.
            heard = time.monotonic() - deps.pulses.get(PULSE, 0.0) < DEAF_SECONDS
            found["hears_telegram"] = deps.settings.mode == "webhook" or heard
            found["ok"] = found["ok"] and found["hears_telegram"]
        except Exception as error:
            log.exception("health.failed")
            return web.json_response({"ok": False, "why": type(error).__name__}, status=503)
        return web.json_response(found, status=200 if found["ok"] else 503)

    app = web.Application()
    app.router.add_get("/healthz", health)
    return app


def look(session: Session, now: datetime) -> dict[str, Any]:
    """Return what /healthz says."""
    beat = session.get(Heartbeat, "watchdog")
    fresh = beat is not None and now - beat.at < STALE

    def count(table: Any, state: str) -> int:
        return session.exec(select(func.count()).select_from(table).where(table.state == state)).one()

    open_cases = session.exec(
        select(func.count()).select_from(Escalation).where(Escalation.state.in_(["open", "notified"]))  # type: ignore[attr-defined]
    ).one()
    red_waits = session.exec(
        select(func.count())
        .select_from(OutboxMessage)
        .where(
            OutboxMessage.state == "waiting",
            OutboxMessage.lane == RED_LANE,
            OutboxMessage.created_at < now - RED_WAITS,
        )
    ).one()
    return {
        "ok": fresh and not red_waits,
        "red_messages_late": red_waits,
        "watchdog_at": beat.at.isoformat() if beat else None,
        "inbox_waiting": count(InboxUpdate, "waiting"),
        "inbox_parked": count(InboxUpdate, "parked"),
        "outbox_waiting": count(OutboxMessage, "waiting"),
        "cases_without_owner": open_cases,
    }
