"""What does the stock polling loop of python-telegram-bot lose in the same test? The control of the kill test.

`Application.run_polling` with its own HTTP client and a handler that stores each report and answers: what most
bots do. Nothing here is made worse than it usually is: the report is committed with `synchronous=FULL`.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any

from telegram import Update
from telegram.ext import Application, ApplicationBuilder, CallbackContext, MessageHandler, filters
from telegram.request import HTTPXRequest

_connection: sqlite3.Connection | None = None


def open_table(path: str) -> sqlite3.Connection:
    """Return the reports that were stored, in a table of numbers and words."""
    connection = sqlite3.connect(path, timeout=10)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS report (update_id INTEGER, words TEXT)")
    connection.commit()
    return connection


async def take(update: Update, _context: CallbackContext[Any, Any, Any, Any]) -> None:
    """Store what somebody wrote, then answer."""
    assert _connection is not None
    assert update.message is not None
    _connection.execute("INSERT INTO report VALUES (?, ?)", (update.update_id, update.message.text))
    _connection.commit()
    await update.message.reply_text(f"Saved: {update.message.text}")


def watch(fetched: Callable[[], None], sending: Callable[[], None], accepted: Callable[[], None]) -> None:
    """Call these when updates came, before a message leaves, and after the server has taken it."""
    inner = HTTPXRequest.do_request

    async def outer(self: HTTPXRequest, url: str, *args: Any, **named: Any) -> tuple[int, bytes]:
        sends = url.endswith("/sendMessage")
        if sends:
            sending()
        status, body = await inner(self, url, *args, **named)
        if sends:
            accepted()
        elif url.endswith("/getUpdates") and b'"update_id"' in body:
            # Not before the library has put them on its queue.
            asyncio.get_running_loop().call_later(0.0, fetched)
        return status, body

    HTTPXRequest.do_request = outer  # type: ignore[method-assign]


def run(token: str, base_url: str, path: str) -> None:
    """Poll until a signal comes."""
    global _connection
    _connection = open_table(path)
    application: Application[Any, Any, Any, Any, Any, Any] = (
        ApplicationBuilder().token(token).base_url(base_url).build()
    )
    application.add_handler(MessageHandler(filters.TEXT, take))
    application.run_polling(bootstrap_retries=-1, timeout=10)
