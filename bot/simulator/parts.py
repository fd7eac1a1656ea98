"""What are the things a simulated Telegram is made of: chats, messages, buttons, faults?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from bot.errors import FollowupError


class SimulatorError(FollowupError):
    """The simulated Telegram was used in a way that the real one does not allow."""


class Refused(SimulatorError):
    """The simulated server answers this call of the bot with an error, as the real one would."""

    def __init__(self, error_code: int, description: str, parameters: dict[str, Any] | None = None) -> None:
        super().__init__(description)
        self.error_code = error_code
        self.description = description
        self.parameters = parameters


class BotMisusesApi(SimulatorError):
    """The bot called a method or sent a field that the simulated server does not know."""


class NoSuchButton(SimulatorError):
    """The person was told to press a button that is not on the screen."""


class PhoneCannot(SimulatorError):
    """The person was told to do what a Telegram client does not let anybody do."""


class NotLoopback(SimulatorError):
    """The simulated server neither listens nor calls anywhere but on this machine."""


class Change(StrEnum):
    """What happened to a message on somebody's screen."""

    RECEIVED = "received"
    SENT = "sent"
    EDITED = "edited"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Button:
    """One button under a message (or, with neither data nor address, of the reply keyboard)."""

    text: str
    callback_data: str | None = None
    url: str | None = None


Keyboard = tuple[tuple[Button, ...], ...]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as the bot uploads it."""

    name: str
    content: bytes


Kind = Literal["text", "photo", "document", "sticker", "voice", "audio", "video", "video_note", "animation"]

# What Telegram says of a file besides its number, of each kind that has more to say.
MEDIA: Mapping[str, dict[str, Any]] = {
    "voice": {"duration": 3, "mime_type": "audio/ogg"},
    "audio": {"duration": 3, "mime_type": "audio/mpeg"},
    "video": {"duration": 3, "width": 320, "height": 240, "mime_type": "video/mp4"},
    "video_note": {"duration": 3, "length": 240},
    "animation": {"duration": 3, "width": 320, "height": 240, "mime_type": "video/mp4"},
    "document": {"file_name": "file.pdf", "mime_type": "application/pdf"},
}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as the server keeps it; ``path`` is what getFile tells."""

    file_id: str
    path: str
    name: str
    content: bytes


@dataclass(slots=True)
class ShownMessage:
    """One message of a chat as it looks now; ``text`` is the caption of a photo or document."""

    chat_id: int
    message_id: int
    at: datetime
    sender_id: int
    from_bot: bool
    kind: Kind
    text: str
    entities: tuple[dict[str, Any], ...] = ()
    keyboard: Keyboard = ()
    reply_markup: dict[str, Any] | None = None
    media: dict[str, Any] = field(default_factory=dict)
    file: StoredFile | None = None
    reply_to: int | None = None
    silent: bool = False
    protected: bool = False
    edited_at: datetime | None = None
    deleted: bool = False

    @property
    def buttons(self) -> tuple[Button, ...]:
        """All buttons under the message, row by row."""
        return tuple(button for row in self.keyboard for button in row)

    @property
    def labels(self) -> tuple[str, ...]:
        """The texts of all buttons under the message, row by row."""
        return tuple(button.text for button in self.buttons)


@dataclass(slots=True)
class Chat:
    """A private chat (id of the person) or a group (negative id) with its messages by id."""

    chat_id: int
    kind: Literal["private", "group"]
    title: str
    messages: dict[int, ShownMessage] = field(default_factory=dict)
    last_message_id: int = 0
    bot_is_member: bool = True
    started: bool = False
    blocked: bool = False
    last_action: str | None = None
    menu_button: dict[str, Any] = field(default_factory=lambda: {"type": "default"})
    reply_keyboard: Keyboard = ()

    @property
    def visible(self) -> list[ShownMessage]:
        """The messages that are not deleted, oldest first."""
        return [message for message in self.messages.values() if not message.deleted]

    def as_json(self) -> dict[str, Any]:
        """Return the Bot API's Chat object."""
        if self.kind == "private":
            return {"id": self.chat_id, "type": "private", "first_name": self.title}
        return {"id": self.chat_id, "type": "group", "title": self.title}


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One send, edit or deletion that the server accepted: the truth, whatever the bot was told."""

    at: datetime
    chat_id: int
    method: str
    message_id: int
    text: str
    keyboard: Keyboard
    silent: bool = False
    protected: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one call."""

    status: int | None = None
    body: bytes | None = None
    retry_after: int | None = None
    drop: Literal["before", "after", "unreachable"] | None = None
    delay: float = 0.0
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Exchange:
    """What comes back over the wire; ``cut`` says that the connection ended instead of an answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    cut: Literal["before", "after", "unreachable"] | None = None
