"""What is the bare echo bot of aiogram, as its documentation writes it, that ours is compared with?

It runs in an environment of its own (bench/aiogram.txt), because aiogram wants another pydantic.
"""

import argparse
import asyncio

# Only the environment that this runs in has these modules.
from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Message

TOKEN = "123456789:test-token-of-a-simulated-bot"

dispatcher = Dispatcher()


@dispatcher.message()
async def echo(message: Message) -> None:
    """Say the same."""
    assert message.text is not None
    await message.answer(message.text)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", required=True, help="as python-telegram-bot takes it, ending in /bot")
    server = TelegramAPIServer.from_base(parser.parse_args().base_url.removesuffix("/bot"))
    async with Bot(TOKEN, session=AiohttpSession(api=server)) as bot:
        await dispatcher.start_polling(bot, handle_signals=True)


if __name__ == "__main__":
    asyncio.run(main())
