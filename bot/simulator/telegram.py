"""What does Telegram's server know, and how does it answer a call of the bot?"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from bot.simulator import messaging, profile
from bot.simulator.methods import FIELDS, Params
from bot.simulator.parts import (
    BotMisusesApi,
    Change,
    Chat,
    Exchange,
    Fault,
    Kind,
    LogEntry,
    Refused,
    ShownMessage,
    StoredFile,
    Upload,
)
from bot.simulator.phones import Group, Phone, Press
from bot.simulator.updates import Updates

if TYPE_CHECKING:
    from bot.clock import Clock

_LOG = logging.getLogger(__name__)

Listener = Callable[[Phone, ShownMessage, Change], None]

ANY_METHOD = "*"
# No secret: it opens nothing but this simulator.
DEFAULT_TOKEN = "1234567890:SIMULATED-TELEGRAM-has-no-secret-00"  # noqa: S105
FIRST_UPDATE_ID = 730_000_001

# What a hospital's web proxy answers when it does not like an address: no word of it is Telegram's.
PROXY_PAGE = (
    b"<html><head><title>403 Forbidden</title></head>"
    b"<body><h1>Access denied</h1><p>This page is blocked by your organisation.</p></body></html>"
)

_HANDLERS: Mapping[str, messaging.Handler] = {**messaging.HANDLERS, **profile.HANDLERS}


class SimulatedTelegram:
    """Telegram as one bot and a few people see it, in memory; every time comes from ``clock``."""

    def __init__(self, clock: "Clock", token: str = DEFAULT_TOKEN, username: str = "followup_bot") -> None:
        self.clock = clock
        self.token = token
        self.username = username
        self.updates = Updates(clock, FIRST_UPDATE_ID)
        self.log: list[LogEntry] = []
        self.misuses: list[str] = []
        self.chats: dict[int, Chat] = {}
        self.phones: dict[int, Phone] = {}
        self.groups: dict[int, Group] = {}
        self.files: dict[str, StoredFile] = {}
        self.unanswered: dict[str, Press] = {}
        self.commands: dict[tuple[str, str], list[dict[str, str]]] = {}
        self.profile: dict[tuple[str, str], str] = {("name", ""): username}
        self.menu_button: dict[str, Any] = {"type": "commands"}
        self._listeners: list[Listener] = []
        self._faults: dict[str, list[Fault]] = {}
        self._last_number = 0

    # For tests and stories: people, faults, the truth.

    def phone(self, user_id: int, first_name: str, language_code: str = "zh-hans") -> Phone:
        """Return the phone of a person; the first call makes it, before the bot has been started."""
        if user_id not in self.phones:
            self.chats[user_id] = Chat(user_id, "private", first_name)
            self.phones[user_id] = Phone(self, user_id, first_name, language_code)
        return self.phones[user_id]

    def group(self, chat_id: int, title: str) -> Group:
        """Return a group (negative id) that the bot is a member of."""
        if chat_id not in self.groups:
            self.chats[chat_id] = Chat(chat_id, "group", title)
            self.groups[chat_id] = Group(self, chat_id)
        return self.groups[chat_id]

    def fail(
        self,
        method: str,
        times: int = 1,
        *,
        status: int | None = None,
        body: bytes | None = None,
        retry_after: int | None = None,
        drop: Literal["before", "after", "unreachable"] | None = None,
        proxy_page: bool = False,
        delay: float = 0.0,
    ) -> None:
        """Let the next ``times`` calls of ``method`` ("*" for any) go wrong, in the order of calling this.

        Args:
            status: HTTP status of the answer; a Bot API error of this number unless ``body`` is given.
            body: the answer word for word, for example a page of HTML.
            retry_after: 429 with this many seconds; the call has no effect.
            drop: the connection ends "before" or "after" the call takes effect, or is never made
                ("unreachable"; over HTTP that looks like "before", for there the connection exists).
            proxy_page: a web proxy answers 403 with a page of its own; Telegram never sees the call.
            delay: the call takes effect, and the answer comes this many real seconds later.
        """
        if proxy_page:
            fault = Fault(status=403, body=PROXY_PAGE, content_type="text/html")
        else:
            kind = "application/json" if body is None or body.startswith(b"{") else "text/html"
            fault = Fault(status, body, retry_after, drop, delay, kind)
        self._faults.setdefault(method, []).extend([fault] * times)

    @property
    def has_updates(self) -> asyncio.Event:
        """Set while an update waits that the bot has not confirmed."""
        return self.updates.has_updates

    def on_message(self, listener: Listener) -> None:
        """Call ``listener(phone, message, change)`` at every change on somebody's screen."""
        self._listeners.append(listener)

    def check_misuses(self) -> None:
        """Do nothing if the bot used the Bot API well so far.

        Raises:
            BotMisusesApi: it called an unknown method or sent an unknown field.
        """
        if self.misuses:
            raise BotMisusesApi("; ".join(self.misuses))

    # The bot's side.

    async def call(
        self, method: str, params: Mapping[str, Any], files: Mapping[str, Upload | bytes] | None = None
    ) -> dict[str, Any]:
        """Answer one call as the Bot API does; faults do not apply here.

        An unknown field is refused and kept in ``misuses``: the real server would ignore it,
        and the bot would believe that it had an effect.
        """
        uploads = {
            name: Upload(name, file) if isinstance(file, bytes) else file for name, file in (files or {}).items()
        }
        try:
            return {"ok": True, "result": await self._result(method, params, uploads)}
        except Refused as refused:
            answer = {"ok": False, "error_code": refused.error_code, "description": refused.description}
            return {**answer, "parameters": refused.parameters} if refused.parameters else answer

    async def exchange(
        self,
        token: str,
        method: str,
        params: Mapping[str, Any],
        files: Mapping[str, Upload | bytes] | None = None,
    ) -> Exchange:
        """Answer one HTTP request: the token is looked at, and faults apply."""
        if token != self.token:
            return _answer({"ok": False, "error_code": 401, "description": "Unauthorized"})
        fault = self._next_fault(method)
        if fault is None:
            return _answer(await self.call(method, params, files))
        if fault.drop in {"before", "unreachable"}:
            return Exchange(cut=fault.drop)
        if fault.retry_after is not None:
            description = f"Too Many Requests: retry after {fault.retry_after}"
            parameters = {"retry_after": fault.retry_after}
            return _answer({"ok": False, "error_code": 429, "description": description, "parameters": parameters})
        if fault.body is not None:
            return Exchange(fault.status or 200, fault.body, fault.content_type)
        if fault.status is not None:
            description = {500: "Internal Server Error", 502: "Bad Gateway"}.get(fault.status, "Error")
            return _answer({"ok": False, "error_code": fault.status, "description": description})
        answer = _answer(await self.call(method, params, files))
        await asyncio.sleep(fault.delay)
        return Exchange(cut="after") if fault.drop == "after" else answer

    def download(self, token: str, path: str) -> Exchange:
        """Answer a request for a file by the path that getFile told."""
        found = [file for file in self.files.values() if file.path == path]
        if token != self.token or not found:
            return _answer({"ok": False, "error_code": 404, "description": "Not Found"})
        return Exchange(200, found[0].content, "application/octet-stream")

    async def _result(self, method: str, params: Mapping[str, Any], files: Mapping[str, Upload]) -> Any:
        if method not in FIELDS:
            self._misused(f"unknown method {method}")
            raise Refused(404, "Not Found")
        if unknown := sorted(set(params) - FIELDS[method]):
            self._misused(f"unknown field of {method}: {', '.join(unknown)}")
            raise Refused(400, f"Bad Request: unknown field {unknown[0]} of {method}")
        read = Params(params)
        if method == "getUpdates":
            self.updates.allow(read.json("allowed_updates"))
            return await self.updates.fetch(
                read.integer("offset"), read.integer("limit", 100), read.integer("timeout")
            )
        return _HANDLERS[method](self, read, files)

    def _misused(self, what: str) -> None:
        self.misuses.append(what)
        _LOG.error("The bot misuses the Bot API: %s", what)

    def _next_fault(self, method: str) -> Fault | None:
        for name in (method, ANY_METHOD):
            if self._faults.get(name):
                return self._faults[name].pop(0)
        return None

    # For the methods and the phones.

    @property
    def bot_id(self) -> int:
        """The bot's own account, the number before the colon of its token."""
        return int(self.token.partition(":")[0])

    def number(self) -> int:
        """Return a number that was not used before, for queries and files."""
        self._last_number += 1
        return self._last_number

    def known_chat(self, chat_id: str) -> Chat:
        """Return a chat that the bot may ask about.

        Raises:
            Refused: there is none with this id.
        """
        if not chat_id:
            raise Refused(400, "Bad Request: chat_id is empty")
        chat = self.chats.get(int(chat_id)) if chat_id.lstrip("-").isdecimal() else None
        if chat is None:
            raise Refused(400, "Bad Request: chat not found")
        return chat

    def chat_for_sending(self, chat_id: str) -> Chat:
        """Return a chat that the bot may write to.

        Raises:
            Refused: unknown, never started, blocked, or a group that the bot is not in.
        """
        chat = self.known_chat(chat_id)
        if chat.kind == "group" and not chat.bot_is_member:
            raise Refused(403, "Forbidden: bot is not a member of the group chat")
        if chat.kind == "private" and not chat.started:
            raise Refused(403, "Forbidden: bot can't initiate conversation with a user")
        if chat.blocked:
            raise Refused(403, "Forbidden: bot was blocked by the user")
        return chat

    def new_message(
        self,
        chat: Chat,
        sender_id: int,
        kind: Kind,
        text: str,
    ) -> ShownMessage:
        """Put a message into a chat, with the next id there."""
        chat.last_message_id += 1
        message = ShownMessage(
            chat_id=chat.chat_id,
            message_id=chat.last_message_id,
            at=self.clock.now(),
            sender_id=sender_id,
            from_bot=sender_id == self.bot_id,
            kind=kind,
            text=text,
        )
        chat.messages[message.message_id] = message
        return message

    def store_file(self, kind: str, upload: Upload) -> StoredFile:
        """Keep a file and give it an id and a path."""
        number = self.number()
        suffix = upload.name.rpartition(".")[2] if "." in upload.name else "bin"
        file = StoredFile(f"{kind}-{number}", f"{kind}s/file_{number}.{suffix}", upload.name, upload.content)
        self.files[file.file_id] = file
        return file

    def accepted(self, method: str, message: ShownMessage, change: Change) -> None:
        """Note the truth about a send, edit or deletion, and show it."""
        self.log.append(
            LogEntry(
                at=self.clock.now(),
                chat_id=message.chat_id,
                method=method,
                message_id=message.message_id,
                text=message.text,
                keyboard=message.keyboard,
                silent=message.silent,
                protected=message.protected,
            )
        )
        group = self.groups.get(message.chat_id)
        for phone in group.members if group else [self.phones[message.chat_id]]:
            self.tell(phone, message, change)

    def tell(self, phone: Phone, message: ShownMessage, change: Change) -> None:
        """Let the listeners know what changed on this screen."""
        for listener in self._listeners:
            listener(phone, message, change)

    def bot_json(self) -> dict[str, Any]:
        """Return the bot as the Bot API's User object."""
        name = self.profile["name", ""]
        return {"id": self.bot_id, "is_bot": True, "first_name": name, "username": self.username}

    def message_json(self, message: ShownMessage, *, quoted: bool = False) -> dict[str, Any]:
        """Return the Bot API's Message object; a quoted one does not quote again."""
        chat = self.chats[message.chat_id]
        sender = self.bot_json() if message.from_bot else self.phones[message.sender_id].user_json()
        content: dict[str, Any] = {
            "message_id": message.message_id,
            "from": sender,
            "chat": chat.as_json(),
            "date": int(message.at.timestamp()),
            **message.media,
        }
        in_text = message.kind == "text"
        if message.text:
            content["text" if in_text else "caption"] = message.text
        if message.entities:
            content["entities" if in_text else "caption_entities"] = list(message.entities)
        if message.edited_at is not None:
            content["edit_date"] = int(message.edited_at.timestamp())
        if message.reply_markup is not None:
            content["reply_markup"] = message.reply_markup
        if message.protected:
            content["has_protected_content"] = True
        if message.reply_to in chat.messages and not quoted:
            content["reply_to_message"] = self.message_json(chat.messages[message.reply_to], quoted=True)
        return content


def _answer(body: dict[str, Any]) -> Exchange:
    status = 200 if body["ok"] else int(body["error_code"])
    return Exchange(status, json.dumps(body, ensure_ascii=False).encode())
