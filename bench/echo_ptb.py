"""What is the bare echo bot of python-telegram-bot, as its documentation writes it, that ours is compared with?

Stock `run_polling`, stock HTTP client, no storage. With ``--send`` it is the raw loop that sends one message
to each of so many chats instead, and prints how many a second that were.
"""

import argparse
import asyncio
import os
import sys
import time

os.environ.setdefault("PTB_TIMEDELTA", "true")

from telegram import Bot, Update
from telegram.ext import Application, ContextTypes, MessageHandler, filters
from telegram.request import HTTPXRequest

TOKEN = "123456789:test-token-of-a-simulated-bot"
FIRST_CHAT = 500_000
WORDS = "Good morning. Your blood count is due tomorrow; please come before 10 o'clock."


async def echo(update: Update, _context: ContextTypes.DEFAULT_TYPE) -> None:
    """Say the same."""
    message = update.message
    assert message is not None
    assert message.text is not None
    await message.reply_text(message.text)


async def send(base_url: str, messages: int, in_flight: int) -> float:
    """Send that many messages, so many at once; return how many a second that were."""
    bot = Bot(TOKEN, base_url=base_url, request=HTTPXRequest(connection_pool_size=in_flight, pool_timeout=60))
    chats = iter(range(FIRST_CHAT, FIRST_CHAT + messages))

    async def loop() -> None:
        for chat in chats:
            await bot.send_message(chat, WORDS)

    async with bot:
        began = time.monotonic()
        await asyncio.gather(*(loop() for _ in range(in_flight)))
        return messages / (time.monotonic() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--send", type=int, default=0, help="messages to send instead of echoing")
    parser.add_argument("--in-flight", type=int, default=8)
    given = parser.parse_args()
    if given.send:
        sys.stdout.write(f"{asyncio.run(send(given.base_url, given.send, given.in_flight)):.1f}\n")
        return
    application = Application.builder().token(TOKEN).base_url(given.base_url).build()
    application.add_handler(MessageHandler(filters.TEXT, echo))
    application.run_polling()


if __name__ == "__main__":
    main()
