"""What do the methods that write, change and delete messages do to the chats?"""

import io
import json
import struct
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bot.simulator.markup import Markup, Styled, read_markup, read_text
from bot.simulator.methods import Params
from bot.simulator.parts import MEDIA, Change, Chat, Kind, Refused, ShownMessage, StoredFile, Upload
from bot.simulator.updates import PRESS_KEPT

if TYPE_CHECKING:
    from bot.simulator.telegram import SimulatedTelegram

Files = Mapping[str, Upload]
Handler = Callable[["SimulatedTelegram", Params, Files], Any]

MAX_TEXT = 4096
MAX_CAPTION = 1024
MAX_TOAST = 200
DELETABLE = timedelta(hours=48)

_NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup "
    "are exactly the same as a current content and reply markup of the message"
)
_ACTIONS = frozenset(
    {"typing", "choose_sticker", "find_location", "upload_photo", "upload_document"}
    | {f"{verb}_{what}" for verb in ("record", "upload") for what in ("video", "voice", "video_note")}
)


def send_message(telegram: "SimulatedTelegram", params: Params, files: Files) -> dict[str, Any]:
    """Send a text."""
    chat = telegram.chat_for_sending(params.text("chat_id"))
    return _send(telegram, chat, params, "text", _body(params))


def send_photo(telegram: "SimulatedTelegram", params: Params, files: Files) -> dict[str, Any]:
    """Send a picture with a caption."""
    chat = telegram.chat_for_sending(params.text("chat_id"))
    file = _file(telegram, params, files, "photo")
    width, height = _picture_size(file.content)
    size = {**_file_json(file), "width": width, "height": height}
    return _send(telegram, chat, params, "photo", _caption(params), {"photo": [size]}, file)


def send_document(telegram: "SimulatedTelegram", params: Params, files: Files) -> dict[str, Any]:
    """Send a file with a caption."""
    chat = telegram.chat_for_sending(params.text("chat_id"))
    file = _file(telegram, params, files, "document")
    media = {"document": {**_file_json(file), "file_name": file.name}}
    return _send(telegram, chat, params, "document", _caption(params), media, file)


def _sender(kind: Kind) -> Handler:
    """Return what sends a voice message, a video or the like; a round video is the one without a caption."""

    def send(telegram: "SimulatedTelegram", params: Params, files: Files) -> dict[str, Any]:
        chat = telegram.chat_for_sending(params.text("chat_id"))
        file = _file(telegram, params, files, kind)
        return _send(
            telegram, chat, params, kind, _caption(params), {kind: {**_file_json(file), **MEDIA[kind]}}, file
        )

    return send


def edit_text(telegram: "SimulatedTelegram", params: Params, files: Files) -> dict[str, Any]:
    """Replace text and keyboard of one of the bot's messages."""
    body = _body(params)
    message = _to_edit(telegram, params)
    if message.kind != "text":
        raise Refused(400, "Bad Request: there is no text in the message to edit")
    return _edit(telegram, "editMessageText", message, body, _markup(params, only_inline=True))


def edit_caption(telegram: "SimulatedTelegram", params: Params, files: Files) -> dict[str, Any]:
    """Replace caption and keyboard of one of the bot's pictures or files."""
    body = _caption(params)
    message = _to_edit(telegram, params)
    if message.kind in {"text", "sticker", "video_note"}:
        raise Refused(400, "Bad Request: there is no caption in the message to edit")
    return _edit(telegram, "editMessageCaption", message, body, _markup(params, only_inline=True))


def edit_markup(telegram: "SimulatedTelegram", params: Params, files: Files) -> dict[str, Any]:
    """Replace the keyboard of one of the bot's messages; none takes it away."""
    message = _to_edit(telegram, params)
    body = Styled(message.text, message.entities)
    return _edit(telegram, "editMessageReplyMarkup", message, body, _markup(params, only_inline=True))


def delete_message(telegram: "SimulatedTelegram", params: Params, files: Files) -> bool:
    """Take a message out of the chat."""
    chat = telegram.chat_for_sending(params.text("chat_id"))
    message = chat.messages.get(params.integer("message_id"))
    if message is None or message.deleted:
        raise Refused(400, "Bad Request: message to delete not found")
    if telegram.clock.now() - message.at > DELETABLE or (chat.kind == "group" and not message.from_bot):
        raise Refused(400, "Bad Request: message can't be deleted for everyone")
    message.deleted = True
    telegram.accepted("deleteMessage", message, Change.DELETED)
    return True


def answer_callback_query(telegram: "SimulatedTelegram", params: Params, files: Files) -> bool:
    """Stop the button's progress bar, with or without a short notice.

    A press can be answered for 150 seconds (real ones, in a faster time) and once: an answered query
    is gone for the server.
    """
    text = params.text("text")
    if len(text) > MAX_TOAST:
        raise Refused(400, "Bad Request: MESSAGE_TOO_LONG")
    press = telegram.unanswered.get(params.text("callback_query_id"))
    kept = PRESS_KEPT * telegram.clock.speed
    if press is None or telegram.clock.now() - press.at > kept:
        raise Refused(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
    del telegram.unanswered[press.query_id]
    press.phone.toasts.append(text)
    return True


def send_chat_action(telegram: "SimulatedTelegram", params: Params, files: Files) -> bool:
    """Show "typing" or the like."""
    chat = telegram.chat_for_sending(params.text("chat_id"))
    action = params.text("action")
    if action not in _ACTIONS:
        raise Refused(400, "Bad Request: wrong parameter action in request")
    chat.last_action = action
    return True


def get_file(telegram: "SimulatedTelegram", params: Params, files: Files) -> dict[str, Any]:
    """Tell where a file can be fetched."""
    file = telegram.files.get(params.text("file_id"))
    if file is None:
        raise Refused(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
    return {**_file_json(file), "file_path": file.path}


HANDLERS: Mapping[str, Handler] = {
    "sendMessage": send_message,
    "sendPhoto": send_photo,
    "sendDocument": send_document,
    "sendVoice": _sender("voice"),
    "sendAudio": _sender("audio"),
    "sendVideo": _sender("video"),
    "sendVideoNote": _sender("video_note"),
    "sendAnimation": _sender("animation"),
    "editMessageText": edit_text,
    "editMessageCaption": edit_caption,
    "editMessageReplyMarkup": edit_markup,
    "deleteMessage": delete_message,
    "answerCallbackQuery": answer_callback_query,
    "sendChatAction": send_chat_action,
    "getFile": get_file,
}


def _body(params: Params) -> Styled:
    if not params.text("text"):
        raise Refused(400, "Bad Request: message text is empty")
    styled = read_text(params.text("text"), params.text("parse_mode"))
    if not styled.text:
        raise Refused(400, "Bad Request: text must be non-empty")
    if len(styled.text) > MAX_TEXT:
        raise Refused(400, "Bad Request: message is too long")
    return _with_entities(styled, params.json("entities"))


def _caption(params: Params) -> Styled:
    styled = read_text(params.text("caption"), params.text("parse_mode"))
    if len(styled.text) > MAX_CAPTION:
        raise Refused(400, "Bad Request: message caption is too long")
    return _with_entities(styled, params.json("caption_entities"))


def _with_entities(styled: Styled, explicit: list[dict[str, Any]] | None) -> Styled:
    return Styled(styled.text, tuple(explicit)) if explicit and not styled.entities else styled


def _markup(params: Params, *, only_inline: bool = False) -> Markup:
    return read_markup(params.json("reply_markup"), only_inline=only_inline)


def _send(
    telegram: "SimulatedTelegram",
    chat: Chat,
    params: Params,
    kind: Kind,
    body: Styled,
    media: dict[str, Any] | None = None,
    file: StoredFile | None = None,
) -> dict[str, Any]:
    markup = _markup(params)
    reply = params.json("reply_parameters") or {}
    reply_to = reply.get("message_id")
    answered = chat.messages.get(reply_to) if reply_to is not None else None
    if reply_to is not None and (answered is None or answered.deleted):
        if not reply.get("allow_sending_without_reply"):
            raise Refused(400, "Bad Request: message to be replied not found")
        reply_to = None
    if markup.reply is not None:
        chat.reply_keyboard = markup.reply
    message = telegram.new_message(chat, telegram.bot_id, kind, body.text)
    message.entities = body.entities
    message.keyboard, message.reply_markup = markup.inline, markup.as_json
    message.media, message.file = media or {}, file
    message.reply_to = reply_to
    message.silent, message.protected = params.flag("disable_notification"), params.flag("protect_content")
    method = "sendMessage" if kind == "text" else f"send{kind.title().replace('_', '')}"
    telegram.accepted(method, message, Change.RECEIVED)
    return telegram.message_json(message)


def _to_edit(telegram: "SimulatedTelegram", params: Params) -> ShownMessage:
    chat = telegram.chat_for_sending(params.text("chat_id"))
    if not params.integer("message_id"):
        raise Refused(400, "Bad Request: message identifier is not specified")
    message = chat.messages.get(params.integer("message_id"))
    if message is None or message.deleted:
        raise Refused(400, "Bad Request: message to edit not found")
    if not message.from_bot:
        raise Refused(400, "Bad Request: message can't be edited")
    return message


def _edit(
    telegram: "SimulatedTelegram", method: str, message: ShownMessage, body: Styled, markup: Markup
) -> dict[str, Any]:
    before = (message.text, message.entities, _canonical(message.reply_markup))
    if before == (body.text, body.entities, _canonical(markup.as_json)):
        raise Refused(400, _NOT_MODIFIED)
    message.text, message.entities = body.text, body.entities
    message.keyboard, message.reply_markup = markup.inline, markup.as_json
    message.edited_at = telegram.clock.now()
    telegram.accepted(method, message, Change.EDITED)
    return telegram.message_json(message)


def _canonical(markup: dict[str, Any] | None) -> str:
    return json.dumps(markup, sort_keys=True)


def _file(telegram: "SimulatedTelegram", params: Params, files: Files, name: str) -> StoredFile:
    given = params.text(name)
    part = given.removeprefix("attach://") if given.startswith("attach://") else name
    if (upload := files.get(part)) is not None:
        if not upload.content:
            raise Refused(400, "Bad Request: file must be non-empty")
        return telegram.store_file(name, upload)
    if not given:
        raise Refused(400, f"Bad Request: there is no {name} in the request")
    if given not in telegram.files:
        raise Refused(400, "Bad Request: wrong file identifier/HTTP URL specified")
    if (kind := given.rpartition("-")[0]) != name:
        raise Refused(400, f"Bad Request: can't use file of type {kind.title()} as {name.title()}")
    return telegram.files[given]


def _file_json(file: StoredFile) -> dict[str, Any]:
    return {
        "file_id": file.file_id,
        "file_unique_id": f"u{file.file_id}",
        "file_size": len(file.content),
    }


def _picture_size(content: bytes) -> tuple[int, int]:
    """Return width and height of a PNG or JPEG; the server processes pictures and refuses the rest."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return int(width), int(height)
    if content.startswith(b"\xff\xd8"):
        stream = io.BytesIO(content)
        stream.seek(2)
        while len(header := stream.read(4)) == 4 and header[0] == 0xFF:
            kind, length = header[1], struct.unpack(">H", header[2:])[0]
            # The frame header is one of C0 to CF, without the tables C4 (Huffman), C8 and CC.
            if 0xC0 <= kind <= 0xCF and kind not in {0xC4, 0xC8, 0xCC}:
                height, width = struct.unpack(">xHH", stream.read(5))
                return int(width), int(height)
            stream.seek(length - 2, io.SEEK_CUR)
    raise Refused(400, "Bad Request: IMAGE_PROCESS_FAILED")
