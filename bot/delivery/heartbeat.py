"""How does a monitor elsewhere learn that the bot works, and so notice when it does not?"""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import aiohttp
import structlog

from bot.delivery.web import Check
from bot.deps import Deps

log = structlog.get_logger(__name__)

TIMEOUT = aiohttp.ClientTimeout(total=10)
CALLED, FAILING = "monitor called", "monitor failing"  # in the pulses of the process


async def tell(deps: Deps) -> None:
    """Call the monitor if it is time; a monitor that does not answer is logged once and holds nothing up."""
    url = deps.settings.heartbeat_url
    if url is None or not _is_time(deps):
        return
    found = await Check(deps).found()
    address = address_of(url.get_secret_value(), deps.settings.heartbeat_style, ok=bool(found["ok"]))
    if address is not None:
        _note(deps, await _call(address))


def _is_time(deps: Deps) -> bool:
    """Tell whether the last call is long enough ago; a bot that has just begun waits, for it may not be well yet."""
    now, last = deps.clock.now().timestamp(), deps.pulses.get(CALLED)
    period = timedelta(seconds=deps.settings.heartbeat_seconds).total_seconds()
    if last is not None and last <= now < last + period:
        return False
    deps.pulses[CALLED] = now
    return last is not None


def address_of(url: str, style: str, *, ok: bool) -> str | None:
    """Return which address a monitor of this style is called at, None when silence says it."""
    parts = urlsplit(url)
    if style == "uptime_kuma":
        said = {"status": "up" if ok else "down", "msg": "OK" if ok else "not healthy"}
        query = [(name, value) for name, value in parse_qsl(parts.query) if name not in (*said, "ping")]
        return urlunsplit(parts._replace(query=urlencode([*query, *said.items()])))
    if ok:
        return url
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail")) if style == "healthchecks" else None


async def _call(address: str) -> str | None:
    """Call an address; return what was wrong, without the address, which may be a key."""
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT) as session,
            session.get(address, allow_redirects=False) as answer,
        ):
            return None if 200 <= answer.status < 300 else f"status {answer.status}"
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        return type(error).__name__


def _note(deps: Deps, fault: str | None) -> None:
    """Write down once that the monitor does not answer, and once that it does again."""
    failed_before: Any = deps.pulses.get(FAILING)
    if fault is not None and failed_before is None:
        deps.pulses[FAILING] = deps.clock.now().timestamp()
        log.warning("heartbeat.failed", reason=fault)
    elif fault is None and failed_before is not None:
        del deps.pulses[FAILING]
        log.info("heartbeat.works")
