"""What does the bot write down about its own work? Structured lines, without words of people and without secrets."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

# A bot token, also inside the address of a call (SEC-06).
TOKEN = re.compile(r"\d{6,}:[A-Za-z0-9_-]{20,}")
REDACTED = "(token)"


def redact(value: Any) -> Any:
    """Return ``value`` with every bot token taken out."""
    if isinstance(value, str):
        return TOKEN.sub(REDACTED, value)
    if isinstance(value, dict):
        return {name: redact(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [redact(each) for each in value]
    return value


def _redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: redact(value) for name, value in event.items()}


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send all logs, ours and the libraries', through one redacting formatter."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    structlog.configure(
        # First, so that a line nobody will read costs nothing.
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _redact_event,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # These print addresses of calls (with the token) or every tick, and are of no use here.
    for noisy in ("httpx", "httpcore", "telegram", "aiohttp.access", "apscheduler", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
