"""What does a person see in Telegram, and what can a person do there?"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from bot.simulator.markup import command_entities
from bot.simulator.parts import (
    MEDIA,
    Button,
    Change,
    Chat,
    Kind,
    NoSuchButton,
    PhoneCannot,
    ShownMessage,
    StoredFile,
    Upload,
)

if TYPE_CHECKING:
    from bot.simulator.telegram import SimulatedTelegram

# Clients cut a longer text into several messages before they send it.
MAX_TYPED = 4096

# The smallest picture there is: a transparent point.
_POINT = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


@dataclass(frozen=True, slots=True)
class Press:
    """One press of a button under a message, as the server remembers it."""

    query_id: str
    phone: "Phone"
    message: ShownMessage
    data: str
    at: datetime


class Group:
    """A group that people and the bot are in."""

    def __init__(self, telegram: "SimulatedTelegram", chat_id: int) -> None:
        self._telegram = telegram
        self.chat_id = chat_id
        self.members: list[Phone] = []

    @property
    def chat(self) -> Chat:
        """The chat itself."""
        return self._telegram.chats[self.chat_id]

    @property
    def messages(self) -> list[ShownMessage]:
        """The messages that everybody in the group sees now, oldest first."""
        return self.chat.visible


class Phone:
    """One person's Telegram. What the person does becomes an update; nothing waits for the bot."""

    def __init__(self, telegram: "SimulatedTelegram", user_id: int, first_name: str, language_code: str) -> None:
        self._telegram = telegram
        self.user_id = user_id
        self.first_name = first_name
        self.language_code = language_code
        self.toasts: list[str] = []
        self.opened_links: list[str] = []
        self._last_press: Press | None = None

    def __repr__(self) -> str:
        return f"Phone({self.first_name!r}, {self.user_id})"

    # What the person sees.

    @property
    def chat(self) -> Chat:
        """The private chat with the bot."""
        return self._telegram.chats[self.user_id]

    @property
    def messages(self) -> list[ShownMessage]:
        """The private chat as it looks now, own messages too, oldest first."""
        return self.chat.visible

    @property
    def inbox(self) -> list[ShownMessage]:
        """What the bot wrote in the private chat and did not delete, oldest first."""
        return [message for message in self.messages if message.from_bot]

    @property
    def last(self) -> ShownMessage:
        """The newest message of the bot in the private chat.

        Raises:
            PhoneCannot: there is none.
        """
        if not self.inbox:
            raise PhoneCannot(f"{self.first_name} sees no message of the bot")
        return self.inbox[-1]

    @property
    def last_toast(self) -> str | None:
        """The notice that the newest answered press brought ("" for none), None before any answer."""
        return self.toasts[-1] if self.toasts else None

    @property
    def command_menu(self) -> list[dict[str, str]]:
        """The command menu that this person's client shows in the private chat."""
        language = self.language_code.partition("-")[0]
        scopes = (
            f'{{"chat_id": {self.user_id}, "type": "chat"}}',
            '{"type": "all_private_chats"}',
            '{"type": "default"}',
        )
        for scope in scopes:
            for code in (language, ""):
                if (scope, code) in self._telegram.commands:
                    return self._telegram.commands[scope, code]
        return []

    def screen(self, group: Group | None = None) -> str:
        """Return the chat as plain lines: who and what, buttons in brackets below."""
        lines = []
        for message in group.messages if group else self.messages:
            who = self._telegram.username
            if not message.from_bot:
                who = self._telegram.phones[message.sender_id].first_name
            what = message.text if message.kind == "text" else f"<{message.kind}> {message.text}".rstrip()
            lines.append(f"{who}: {what}")
            lines += ["  " + " ".join(f"[{button.text}]" for button in row) for row in message.keyboard]
        return "\n".join(lines)

    # What the person does.

    async def sends(self, text: str, group: Group | None = None) -> ShownMessage:
        """Type a text; a very long one leaves in pieces, as clients do it. Returns the last piece."""
        chat = self._chat_for_writing(group)
        pieces = [text[start : start + MAX_TYPED] for start in range(0, len(text), MAX_TYPED)]
        if not text.strip():
            raise PhoneCannot("Telegram does not send an empty text")
        for piece in pieces:
            message = self._telegram.new_message(chat, self.user_id, "text", piece)
            message.entities = command_entities(piece)
            self._queue(message, Change.SENT)
        return message

    async def sends_sticker(self, emoji: str = "👍") -> ShownMessage:
        """Send a sticker."""
        file = self._store("sticker", "sticker.webp", b"RIFF")
        sticker = {"width": 512, "height": 512, "is_animated": False, "is_video": False, "type": "regular"}
        return self._sends_media("sticker", {"sticker": {**_file(file), **sticker, "emoji": emoji}}, file)

    async def sends_photo(self, content: bytes = _POINT, caption: str = "", album: str | None = None) -> ShownMessage:
        """Send a picture, small and large as clients do; pieces of one album share its name."""
        thumb, file = self._store("photo", "thumb.png", content), self._store("photo", "photo.png", content)
        sizes = [{**_file(thumb), "width": 1, "height": 1}, {**_file(file), "width": 2, "height": 2}]
        together = {} if album is None else {"media_group_id": album}
        return self._sends_media("photo", {"photo": sizes, **together}, file, caption)

    async def sends_media(self, kind: Kind, caption: str = "", album: str | None = None) -> ShownMessage:
        """Send a video, a file or the like."""
        file = self._store(kind, f"{kind}.bin", b"content")
        media = {**_file(file), **MEDIA[kind]}
        together = {} if album is None else {"media_group_id": album}
        # As on the real server, an animation is named as a document too.
        named: dict[str, Any] = {kind: media, **({"document": media} if kind == "animation" else {})}
        return self._sends_media(kind, {**named, **together}, file, caption)

    async def sends_voice(self, seconds: int = 3) -> ShownMessage:
        """Send a voice message."""
        file = self._store("voice", "voice.oga", b"OggS")
        voice = {**_file(file), "duration": seconds, "mime_type": "audio/ogg"}
        return self._sends_media("voice", {"voice": voice}, file)

    async def taps(self, label: str, group: Group | None = None) -> None:
        """Press the button with this label, or part of it, on the newest message that has one.

        An exact label wins over a part of one. Buttons below the input field come last.

        Raises:
            NoSuchButton: no visible message has such a button.
        """
        messages = list(reversed(group.messages if group else self.messages))
        for message in messages:
            if (button := _button(message.buttons, label)) is not None:
                await self._press(message, button)
                return
        below = () if group else tuple(button for row in self.chat.reply_keyboard for button in row)
        if (button := _button(below, label)) is not None:
            await self.sends(button.text)
            return
        visible = [text for message in messages for text in message.labels] + [item.text for item in below]
        raise NoSuchButton(f"{self.first_name} sees no button {label!r}, only: {visible}")

    async def taps_on(self, message: ShownMessage, label: str) -> None:
        """Press a button of this very message, however old it is.

        Raises:
            NoSuchButton: the message has no such button (any more).
        """
        button = None if message.deleted else _button(message.buttons, label)
        if button is None:
            raise NoSuchButton(f"The message has no button {label!r}, only: {list(message.labels)}")
        await self._press(message, button)

    async def repeats_last_tap(self) -> None:
        """Let the client send the last press once more: new update, new query, same data."""
        if self._last_press is None:
            raise PhoneCannot(f"{self.first_name} has not pressed a button yet")
        self._send_press(self._last_press.message, self._last_press.data)

    async def opens(self, link: str) -> None:
        """Open a link to the bot and press Start, which also unblocks it.

        Raises:
            PhoneCannot: the link leads to another bot, or its code is none that Telegram passes on.
        """
        address = urlsplit(link)
        if address.hostname not in {"t.me", "telegram.me"} or address.path != f"/{self._telegram.username}":
            raise PhoneCannot(f"The link does not lead to {self._telegram.username}")
        code = parse_qs(address.query).get("start", [""])[0]
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,64}", code):
            raise PhoneCannot("Telegram passes on 64 of A-Z a-z 0-9 _ - at most as a start code")
        await self.unblocks()
        await self.sends(f"/start {code}".strip())

    async def edits(self, message: ShownMessage, text: str) -> None:
        """Change one's own message."""
        if message.sender_id != self.user_id or message.deleted or message.kind != "text":
            raise PhoneCannot(f"{self.first_name} can edit only own texts")
        message.text, message.entities = text, command_entities(text)
        message.edited_at = self._telegram.clock.now()
        self._queue(message, Change.EDITED, "edited_message")

    async def blocks(self) -> None:
        """Block the bot."""
        if not self.chat.blocked:
            self.chat.blocked = True
            self._membership(self.chat, "member", "kicked")

    async def unblocks(self) -> None:
        """Unblock the bot, if it was blocked."""
        if self.chat.blocked:
            self.chat.blocked = False
            self._membership(self.chat, "kicked", "member")

    async def adds_bot(self, group: Group) -> None:
        """Add the bot to a group."""
        if self not in group.members:
            group.members.append(self)
        group.chat.bot_is_member = True
        self._membership(group.chat, "left", "member")

    def user_json(self) -> dict[str, Any]:
        """Return the person as the Bot API's User object."""
        return {
            "id": self.user_id,
            "is_bot": False,
            "first_name": self.first_name,
            "language_code": self.language_code,
        }

    def _chat_for_writing(self, group: Group | None) -> Chat:
        if group is not None:
            if self not in group.members:
                group.members.append(self)
            return group.chat
        if self.chat.blocked:
            raise PhoneCannot(f"{self.first_name} has blocked the bot and must unblock it first")
        self.chat.started = True
        return self.chat

    def _store(self, kind: str, name: str, content: bytes) -> StoredFile:
        return self._telegram.store_file(kind, Upload(name, content))

    def _sends_media(
        self,
        kind: Kind,
        media: dict[str, Any],
        file: StoredFile,
        caption: str = "",
    ) -> ShownMessage:
        message = self._telegram.new_message(self._chat_for_writing(None), self.user_id, kind, caption)
        message.media, message.file = media, file
        self._queue(message, Change.SENT)
        return message

    def _queue(self, message: ShownMessage, change: Change, kind: str = "message") -> None:
        self._telegram.tell(self, message, change)
        chat = self._telegram.chats[message.chat_id]
        # In groups a bot hears commands and its name only (privacy mode, the default of BotFather).
        heard = message.entities or f"@{self._telegram.username}" in message.text
        if chat.kind == "private" or (chat.bot_is_member and heard):
            self._telegram.updates.add(kind, self._telegram.message_json(message))

    async def _press(self, message: ShownMessage, button: Button) -> None:
        if button.callback_data is not None:
            self._send_press(message, button.callback_data)
        elif button.url is not None and urlsplit(button.url).path == f"/{self._telegram.username}":
            await self.opens(button.url)
        elif button.url is not None:
            self.opened_links.append(button.url)

    def _send_press(self, message: ShownMessage, data: str) -> None:
        telegram = self._telegram
        press = Press(str(telegram.number()), self, message, data, telegram.clock.now())
        self._last_press = press
        telegram.unanswered[press.query_id] = press
        query = {
            "id": press.query_id,
            "from": self.user_json(),
            "message": telegram.message_json(message),
            "chat_instance": str(message.chat_id),
            "data": data,
        }
        telegram.updates.add("callback_query", query)

    def _membership(self, chat: Chat, before: str, after: str) -> None:
        bot = self._telegram.bot_json()

        def member(status: str) -> dict[str, Any]:
            return {"user": bot, "status": status, **({"until_date": 0} if status == "kicked" else {})}

        update = {
            "chat": chat.as_json(),
            "from": self.user_json(),
            "date": int(self._telegram.clock.now().timestamp()),
            "old_chat_member": member(before),
            "new_chat_member": member(after),
        }
        self._telegram.updates.add("my_chat_member", update)


def _button(buttons: tuple[Button, ...], label: str) -> Button | None:
    exact = [button for button in buttons if button.text == label]
    return next(iter(exact or [button for button in buttons if label in button.text]), None)


def _file(file: StoredFile) -> dict[str, Any]:
    return {
        "file_id": file.file_id,
        "file_unique_id": f"u{file.file_id}",
        "file_size": len(file.content),
    }
