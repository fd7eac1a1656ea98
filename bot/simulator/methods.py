"""Which methods and fields of the Bot API may the bot use, and how are the fields read?"""

import json
from collections.abc import Mapping
from typing import Any

from bot.simulator.parts import Refused

_SEND = frozenset({"chat_id", "disable_notification", "protect_content", "reply_parameters", "reply_markup"})
_CAPTION = frozenset({"caption", "parse_mode", "caption_entities"})
_COMMANDS = frozenset({"scope", "language_code"})

# Only what the bot uses: a new method or field is added here together with its behaviour.
FIELDS: Mapping[str, frozenset[str]] = {
    "getMe": frozenset(),
    "logOut": frozenset(),
    "close": frozenset(),
    "getUpdates": frozenset({"offset", "limit", "timeout", "allowed_updates"}),
    "setWebhook": frozenset({"url", "max_connections", "allowed_updates", "drop_pending_updates", "secret_token"}),
    "deleteWebhook": frozenset({"drop_pending_updates"}),
    "getWebhookInfo": frozenset(),
    "sendMessage": _SEND | {"text", "parse_mode", "entities", "link_preview_options"},
    "sendPhoto": _SEND | _CAPTION | {"photo", "show_caption_above_media"},
    "sendDocument": _SEND | _CAPTION | {"document", "disable_content_type_detection"},
    "sendVoice": _SEND | _CAPTION | {"voice", "duration"},
    "sendAudio": _SEND | _CAPTION | {"audio", "duration", "performer", "title"},
    "sendVideo": _SEND | _CAPTION | {"video", "duration", "width", "height", "supports_streaming"},
    "sendVideoNote": _SEND | {"video_note", "duration", "length"},
    "sendAnimation": _SEND | _CAPTION | {"animation", "duration", "width", "height"},
    "editMessageText": frozenset(
        {"chat_id", "message_id", "text", "parse_mode", "entities", "link_preview_options", "reply_markup"}
    ),
    "editMessageCaption": frozenset({"chat_id", "message_id", "reply_markup"}) | _CAPTION,
    "editMessageReplyMarkup": frozenset({"chat_id", "message_id", "reply_markup"}),
    "deleteMessage": frozenset({"chat_id", "message_id"}),
    "answerCallbackQuery": frozenset({"callback_query_id", "text", "show_alert", "url", "cache_time"}),
    "sendChatAction": frozenset({"chat_id", "action"}),
    "setMyCommands": _COMMANDS | {"commands"},
    "deleteMyCommands": _COMMANDS,
    "getMyCommands": _COMMANDS,
    "setMyName": frozenset({"name", "language_code"}),
    "getMyName": frozenset({"language_code"}),
    "setMyDescription": frozenset({"description", "language_code"}),
    "getMyDescription": frozenset({"language_code"}),
    "setMyShortDescription": frozenset({"short_description", "language_code"}),
    "getMyShortDescription": frozenset({"language_code"}),
    "setChatMenuButton": frozenset({"chat_id", "menu_button"}),
    "getChatMenuButton": frozenset({"chat_id"}),
    "leaveChat": frozenset({"chat_id"}),
    "getChat": frozenset({"chat_id"}),
    "getFile": frozenset({"file_id"}),
}


class Params:
    """The fields of one call, read as the server reads them: native values, or JSON in strings."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw

    def __contains__(self, name: str) -> bool:
        return name in self._raw

    def text(self, name: str) -> str:
        """Return the field as text, empty if it is missing."""
        value = self._raw.get(name)
        return "" if value is None else str(value)

    def integer(self, name: str, default: int = 0) -> int:
        """Return the field as a whole number; what cannot be read counts as missing, as on the server."""
        try:
            return int(str(self._raw[name]).strip())
        except (KeyError, ValueError):
            return default

    def flag(self, name: str) -> bool:
        """Return the field as yes or no."""
        return str(self._raw.get(name, "")).lower() in {"true", "yes", "1"}

    def json(self, name: str) -> Any:
        """Return the decoded field, None if it is missing or empty.

        Raises:
            Refused: the text is no JSON.
        """
        value = self._raw.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError:
            raise Refused(400, f"Bad Request: can't parse {name.replace('_', ' ')} JSON object") from None
