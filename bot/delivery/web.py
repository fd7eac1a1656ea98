"""What does the bot answer over HTTP: updates from Telegram (webhook) and whether it is healthy?"""

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import structlog
from aiohttp import web
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session
from telegram import Bot

from bot.delivery import metrics
from bot.delivery.inbox import NOTE_SECONDS, PULSE, WANTED, Ear, keep
from bot.deps import Deps
from bot.errors import FollowupError
from bot.metrics import LANES
from bot.settings import Settings
from bot.store import trouble
from bot.store.models import Heartbeat
from bot.store.session import DATABASE_FAULTS

log = structlog.get_logger(__name__)

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 (the header's name)
WEBHOOK_PATH = "/telegram"
LARGEST_UPDATE = 1024 * 1024
STALE = timedelta(minutes=5)
DEAF_SECONDS = 180
RED_WAITS = timedelta(minutes=1)
TRIED = "health"  # the heartbeat that /healthz writes
PATIENCE_SECONDS = 2.0  # less than any monitor waits


@asynccontextmanager
async def served(deps: Deps, bot_id: int) -> AsyncIterator[None]:
    """Serve the webhook endpoint, /healthz and /metrics, where the settings ask for them."""
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
        return web.Response(status=200 if await _kept(deps, bot_id, update) else 503)

    app = web.Application(client_max_size=LARGEST_UPDATE)
    app.router.add_post(WEBHOOK_PATH, take)
    return app


async def _kept(deps: Deps, bot_id: int, update: dict[str, Any]) -> bool:
    """Store an update; return False when the database did not take it, so that Telegram brings it again."""
    try:
        try:
            await keep(deps, bot_id, [update])
        except IntegrityError:
            # Repeated to another process, which stored it at this moment: a second look finds it there.
            await keep(deps, bot_id, [update])
    except DATABASE_FAULTS:
        log.exception("webhook.not_stored")
        deps.metrics.fault("webhook")
        return False
    return True


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


async def note_heard(deps: Deps) -> None:
    """Note for ever that the bot is there for Telegram's calls, so that a start after an outage is noticed."""
    ear = Ear(deps)
    while True:
        if deps.standing.leads:
            try:
                await ear.heard()
            except Exception:
                log.exception("webhook.not_noted")
        await asyncio.sleep(NOTE_SECONDS)


class Check:
    """Tries what matters in the database, one try at a time; one that takes too long is told as slow."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._trying: asyncio.Future[dict[str, Any]] | None = None

    async def found(self) -> dict[str, Any]:
        """Return what /healthz says, at the latest after `PATIENCE_SECONDS`."""
        if self._trying is None or self._trying.done():
            self._trying = asyncio.ensure_future(self._try())
        done, _ = await asyncio.wait({self._trying}, timeout=PATIENCE_SECONDS)
        return self._trying.result() if done else self._failed(trouble.SLOW)

    async def _try(self) -> dict[str, Any]:
        deps = self._deps
        kind = await self._try_to_write()
        try:
            found = await deps.store.read(lambda session: look(session, deps))
        except DATABASE_FAULTS as error:
            return self._failed(kind or trouble.kind_of(error))
        except Exception as error:
            log.exception("health.failed")
            return {"ok": False, "why": type(error).__name__}
        # A bot that hears nothing is not healthy, however well its jobs run; only the leader polls.
        heard = time.monotonic() - deps.pulses.get(PULSE, 0.0) < DEAF_SECONDS
        found["hears_telegram"] = deps.settings.mode == "webhook" or not deps.standing.leads or heard
        if kind is not None:
            found |= self._failed(kind)
        found["ok"] = found["ok"] and found["hears_telegram"]
        return found

    async def _try_to_write(self) -> str | None:
        """Write next to nothing; return the kind of trouble if that fails. The watchdog would tell minutes later."""
        now = self._deps.clock.now()
        try:
            await self._deps.store.write(lambda session: session.merge(Heartbeat(name=TRIED, at=now)))
            free = trouble.free_bytes(self._deps.store)
        except IntegrityError:
            return None  # another process did so for the first time at this moment
        except DATABASE_FAULTS as error:
            return trouble.kind_of(error)
        except OSError:
            return trouble.UNREACHABLE
        return trouble.FULL if free is not None and free < trouble.LEAST_FREE_BYTES else None

    def _failed(self, kind: str) -> dict[str, Any]:
        log.warning("health.database", kind=kind)
        return {"ok": False, "database": kind}


def health_app(deps: Deps) -> web.Application:
    """Return /healthz and /metrics, which hold counts only and no health data.

    /healthz is 200 while the bot works, 503 with the reason when it does not.
    """
    check = Check(deps)

    async def health(_request: web.Request) -> web.Response:
        found = await check.found()
        return web.json_response(found, status=200 if found["ok"] else 503)

    app = web.Application()
    app.router.add_get("/healthz", health)
    app.router.add_get("/metrics", metrics.page(deps, deps.metrics))
    return app


def look(session: Session, deps: Deps) -> dict[str, Any]:
    """Return what /healthz says; counts stop at `metrics.COUNTED_TO`."""
    now = deps.clock.now()
    known = metrics.backlog(session, now)
    beat = known.beats.get("watchdog")
    looked = known.beats.get("auditor")
    audited = looked is not None and now - looked < STALE and not known.stuck_cases
    red_waits = metrics.red_late(session, now - RED_WAITS)
    return {
        "ok": beat is not None and now - beat < STALE and audited and not red_waits and known.failing_since is None,
        "database": "ok",
        "red_messages_late": red_waits,
        "watchdog_at": beat.isoformat() if beat else None,
        "outgoing_failing_seconds": round(metrics.age(now, known.failing_since)),
        "inbox_waiting": known.inbox,
        "inbox_oldest_seconds": round(metrics.age(now, known.inbox_since)),
        "inbox_parked": known.parked,
        "outbox_waiting": sum(known.outbox.values()),
        "outbox_oldest_seconds": {
            LANES[lane]: round(metrics.age(now, metrics.allowed_since(deps, lane, since)))
            for lane, since in known.outbox_since.items()
        },
        "cases_without_owner": sum(known.unowned.values()),
        "cases_overdue": sum(known.overdue_cases.values()),
        "cases_stuck": known.stuck_cases,
        "auditor_at": looked.isoformat() if looked else None,
    }
