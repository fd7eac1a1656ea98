"""How does an outbox message become a Telegram message, and what do Telegram's errors mean to us?"""

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeChat,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
)
from telegram.error import BadRequest, Forbidden, InvalidToken, NetworkError, RetryAfter, TelegramError

from bot.delivery import documents, http
from bot.delivery.channel import NotSent, Outcome, Refused, Sent, Throttled, Unreachable, Unsure
from bot.store.models import OutboxMessage

# In characters as Python counts them; Telegram counts UTF-16 units, so some room is left for emoji.
TEXT_LENGTH = 4000
CAPTION_LENGTH = 1000

Painter = Callable[[dict[str, Any]], bytes]

# What Telegram says when an edit is already so, or its message is gone: there is nothing left to do.
SETTLED = ("message is not modified", "message to edit not found", "message can't be edited")
GONE = ("chat not found", "user not found")


class TelegramChannel:
    """Delivers through the Bot API."""

    def __init__(self, bot: Bot, paint: Painter) -> None:
        self._bot = bot
        self._paint = paint

    async def deliver(self, message: OutboxMessage) -> Outcome:
        try:
            return Sent(await self._send(message))
        except TelegramError as error:
            return outcome_of(error)

    async def _send(self, message: OutboxMessage) -> int | None:
        chat = message.chat_id
        match message.method:
            case "picture":
                return await self._send_picture(message)
            case "document":
                return await self._send_document(message)
            case "file":
                return await self._send_file(message)
            case "edit" if len(message.text) <= TEXT_LENGTH:
                await self._bot.edit_message_text(message.text, chat_id=chat, message_id=message.edits_message_id)
                return message.edits_message_id
            case "edit" | "unbutton":
                await self._bot.edit_message_reply_markup(chat_id=chat, message_id=message.edits_message_id)
                return message.edits_message_id
            case "commands":
                listed = [BotCommand(name, about) for name, about in json.loads(message.values)]
                await self._bot.set_my_commands(listed, scope=BotCommandScopeChat(chat))
                return None
        return await self._send_text(message)

    async def _send_text(self, message: OutboxMessage) -> int:
        """Send a text, in parts when it is too long for one message; the buttons hang on the last part."""
        sent: Message | None = None
        parts = split(message.text)
        for part in parts:
            sent = await self._bot.send_message(
                message.chat_id,
                part,
                reply_markup=markup_of(message) if part is parts[-1] else None,
                protect_content=_protected(message),
                disable_notification=message.silent,
            )
        assert sent is not None
        return sent.message_id

    async def _send_picture(self, message: OutboxMessage) -> int:
        picture = await asyncio.to_thread(self._paint, json.loads(message.picture or "{}"))
        short = len(message.text) <= CAPTION_LENGTH
        sent = await self._bot.send_photo(
            message.chat_id,
            picture,
            caption=message.text if short else None,
            reply_markup=markup_of(message) if short else None,
            protect_content=_protected(message),
            disable_notification=message.silent,
        )
        return sent.message_id if short else await self._send_text(message)

    async def _send_document(self, message: OutboxMessage) -> int:
        """Send a file; its caption is short, and the phone must be able to open it elsewhere."""
        document = await asyncio.to_thread(documents.make, json.loads(message.picture or "{}"))
        sent = await self._bot.send_document(
            message.chat_id,
            document.content,
            filename=document.name,
            caption=message.text[:CAPTION_LENGTH],
            protect_content=False,
            disable_notification=message.silent,
        )
        return sent.message_id

    async def _send_file(self, message: OutboxMessage) -> int:
        """Show a file that Telegram has, by the number it gave it; its content never passes through the bot."""
        named = json.loads(message.picture or "{}")
        bot, kind = self._bot, named["kind"]
        sends: dict[str, Callable[..., Coroutine[Any, Any, Message]]] = {
            "photo": bot.send_photo,
            "voice": bot.send_voice,
            "audio": bot.send_audio,
            "video": bot.send_video,
            "video_note": bot.send_video_note,
            "animation": bot.send_animation,
            "document": bot.send_document,
        }
        # A round video has no caption.
        short = kind != "video_note" and len(message.text) <= CAPTION_LENGTH
        sent = await sends[kind](
            message.chat_id,
            named["file_id"],
            protect_content=_protected(message),
            disable_notification=message.silent,
            **({"caption": message.text, "reply_markup": markup_of(message)} if short else {}),
        )
        return sent.message_id if short else await self._send_text(message)


def _protected(message: OutboxMessage) -> bool:
    """Return whether the message stays in its chat (SEC-05); a link for somebody else has to be passed on."""
    return not message.secret


def split(text: str) -> list[str]:
    """Return ``text`` in parts that fit into a message each, cut at line ends where there are any (SEC-08)."""
    parts = []
    while len(text) > TEXT_LENGTH:
        cut = text.rfind("\n", 1, TEXT_LENGTH)
        cut = cut if cut > 0 else TEXT_LENGTH
        parts.append(text[:cut])
        text = text[cut:].removeprefix("\n")
    return [*parts, text]


def markup_of(message: OutboxMessage) -> InlineKeyboardMarkup | None:
    """Return the buttons; each carries the message's token, so a press proves which screen it came from."""
    if message.keyboard is None:
        return None
    number = -1
    rows = []
    for row in json.loads(message.keyboard):
        buttons = []
        for label, action, _args in row:
            number += 1
            buttons.append(InlineKeyboardButton(label, callback_data=f"{action}|{message.token}|{number}"))
        rows.append(buttons)
    return InlineKeyboardMarkup(rows)


def outcome_of(error: TelegramError) -> Outcome:
    """Translate an error of the API client; what does not surely mean something else is unsure."""
    said = str(error)
    if isinstance(error, RetryAfter):
        wait = error.retry_after
        return Throttled(wait if isinstance(wait, timedelta) else timedelta(seconds=wait))
    if isinstance(error, http.PathFault):
        # Not Telegram's answer, so it says nothing about the person; it may have come after Telegram took it.
        return Unsure(said) if error.may_have_arrived else NotSent(said)
    if isinstance(error, http.NotSent):
        return NotSent(said)
    if isinstance(error, Forbidden):
        return Unreachable(said)
    if isinstance(error, InvalidToken):
        # A wrong token is the site's fault, not the message's: it stays in the outbox until that is mended.
        return NotSent(said)
    if isinstance(error, BadRequest):
        if any(text in said.lower() for text in SETTLED):
            return Sent(None)
        return Unreachable(said) if any(text in said.lower() for text in GONE) else Refused(said)
    if isinstance(error, NetworkError):
        return Unsure(said)
    return Refused(said)
