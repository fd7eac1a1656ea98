"""Would Telegram take this text and this keyboard, and what would a phone show of them?"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.simulator.parts import Button, Keyboard, Refused

MAX_BUTTONS = 100
MAX_BUTTONS_IN_ROW = 8
MAX_CALLBACK_BYTES = 64
MAX_COPY_TEXT = 256

_TYPES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
}
_TAG = re.compile(r"<(/?)([^\s>]*)((?:[^>\"']|\"[^\"]*\"|'[^']*')*)>")
_ATTRIBUTE = re.compile(r"([\w-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_REFERENCE = re.compile(r"&(?:(lt|gt|amp|quot)|#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6}));")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_COMMAND = re.compile(r"(?:(?<=\s)|^)/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/<>])")
_BUTTON_FIELDS = {"text", "callback_data", "url", "copy_text", "web_app", "style"}


@dataclass(frozen=True, slots=True)
class Styled:
    """A text as phones show it, and the Bot API's MessageEntity objects (UTF-16 offsets)."""

    text: str
    entities: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Markup:
    """A checked ``reply_markup``: what is under the message, or below the input field."""

    inline: Keyboard = ()
    reply: Keyboard | None = None
    as_json: dict[str, Any] | None = None


def utf16_length(text: str) -> int:
    """Return the length in UTF-16 code units, in which Telegram counts offsets."""
    return len(text.encode("utf-16-le")) // 2


def read_text(source: str, parse_mode: str) -> Styled:
    """Return what phones show of ``source``, outer white space removed as the server does.

    Raises:
        Refused: the markup is broken, or the parse mode is none that the bot may use here.
    """
    if parse_mode == "":
        return _trimmed(Styled(source))
    if parse_mode.lower() == "html":
        return _trimmed(_parse_html(source))
    raise Refused(400, "Bad Request: unsupported parse_mode")


def command_entities(text: str) -> tuple[dict[str, Any], ...]:
    """Return the bot_command entities that Telegram finds in what a person typed."""
    return tuple(
        {
            "type": "bot_command",
            "offset": utf16_length(text[: match.start()]),
            "length": utf16_length(match.group()),
        }
        for match in _COMMAND.finditer(text)
    )


def _parse_html(source: str) -> Styled:
    text = ""
    entities: list[dict[str, Any]] = []
    opened: list[tuple[str, int, dict[str, str]]] = []
    position = 0
    while position < len(source):
        if source[position] == "&" and (reference := _REFERENCE.match(source, position)):
            named, decimal, hexadecimal = reference.groups()
            text += _NAMED[named] if named else chr(int(decimal) if decimal else int(hexadecimal, 16))
            position = reference.end()
            continue
        if source[position] != "<":
            text += source[position]
            position += 1
            continue
        offset = len(source[:position].encode())
        tag = _TAG.match(source, position)
        if tag is None:
            raise _unparsable(_why_no_tag(source[position + 1 :], offset))
        closing, name, rest = tag.group(1) == "/", tag.group(2).lower(), tag.group(3)
        position = tag.end()
        if not closing:
            if name not in _TYPES:
                raise _unparsable(f'Unsupported start tag "{name}" at byte offset {offset}')
            attributes = {key.lower(): a or b or c for key, a, b, c in _ATTRIBUTE.findall(rest)}
            if name == "span" and attributes.get("class") != "tg-spoiler":
                raise _unparsable(f'Tag "span" must have class "tg-spoiler" at byte offset {offset}')
            opened.append((name, len(text), attributes))
            continue
        if not opened:
            raise _unparsable(f"Unexpected end tag at byte offset {offset}")
        expected, start, attributes = opened.pop()
        if name not in ("", expected):
            raise _unparsable(
                f'Unmatched end tag at byte offset {offset}, expected "</{expected}>", found "</{name}>"'
            )
        entity = {
            "type": _TYPES[expected],
            "offset": utf16_length(text[:start]),
            "length": utf16_length(text[start:]),
        }
        if expected == "a":
            entity["url"] = attributes.get("href", "")
        if entity["length"] and entity.get("url") != "":
            entities.append(entity)
    if opened:
        raise _unparsable(f'Can\'t find end tag corresponding to start tag "{opened[-1][0]}"')
    entities.sort(key=lambda entity: (entity["offset"], -entity["length"]))
    return Styled(text, tuple(entities))


def _why_no_tag(rest: str, offset: int) -> str:
    if rest.startswith("/"):
        return f"Unclosed end tag at byte offset {offset}"
    # The server looks at the name before it misses the end of the tag, so "a < b" is an unknown tag.
    named = re.match(r"([^\s>]*)[\s>]", rest)
    if named is not None and named.group(1).lower() not in _TYPES:
        return f'Unsupported start tag "{named.group(1).lower()}" at byte offset {offset}'
    return f"Unclosed start tag at byte offset {offset}"


def _unparsable(reason: str) -> Refused:
    return Refused(400, f"Bad Request: can't parse entities: {reason}")


def _trimmed(styled: Styled) -> Styled:
    shown = styled.text.strip()
    skipped = utf16_length(styled.text[: len(styled.text) - len(styled.text.lstrip())])
    length = utf16_length(shown)
    entities = []
    for entity in styled.entities:
        start = max(entity["offset"] - skipped, 0)
        end = min(entity["offset"] - skipped + entity["length"], length)
        if end > start:
            entities.append({**entity, "offset": start, "length": end - start})
    return Styled(shown, tuple(entities))


def read_markup(raw: Any, *, only_inline: bool = False) -> Markup:
    """Check a decoded ``reply_markup``.

    Where the real server would quietly drop a button (an empty label, a ninth button in a row)
    this refuses: a button that a patient never sees is a mistake of ours.

    Raises:
        Refused: the server would not take this keyboard.
    """
    if raw is None:
        return Markup()
    if not isinstance(raw, Mapping):
        raise Refused(400, "Bad Request: object expected as reply markup")
    if "inline_keyboard" in raw:
        rows = _rows(raw["inline_keyboard"])
        inline = tuple(tuple(_inline_button(button) for button in row) for row in rows)
        if sum(map(len, inline)) > MAX_BUTTONS or any(len(row) > MAX_BUTTONS_IN_ROW for row in inline):
            raise Refused(400, "Bad Request: REPLY_MARKUP_TOO_LONG")
        inline = tuple(row for row in inline if row)
        return Markup(inline=inline, as_json=dict(raw) if inline else None)
    if only_inline:
        raise Refused(400, "Bad Request: inline keyboard expected")
    if "keyboard" in raw:
        reply = tuple(tuple(_reply_button(button) for button in row) for row in _rows(raw["keyboard"]))
        return Markup(reply=tuple(row for row in reply if row))
    if raw.get("remove_keyboard"):
        return Markup(reply=())
    if raw.get("force_reply"):
        return Markup()
    raise Refused(400, "Bad Request: can't parse reply keyboard markup JSON object")


def _rows(raw: Any) -> list[list[Any]]:
    if not isinstance(raw, list) or not all(isinstance(row, list) for row in raw):
        raise Refused(400, "Bad Request: can't parse keyboard: expected an Array of Arrays")
    return raw


def _label(button: Any, what: str) -> str:
    if not isinstance(button, Mapping):
        raise Refused(400, f"Bad Request: can't parse {what}: {what} must be an Object")
    if "text" not in button:
        raise Refused(400, f"Bad Request: can't parse {what}: Can't find field \"text\"")
    if not isinstance(button["text"], str):
        raise Refused(400, f'Bad Request: can\'t parse {what}: Field "text" must be of type String')
    if not button["text"].strip():
        raise Refused(400, f"Bad Request: {what} text must be non-empty")
    return button["text"]


def _inline_button(button: Any) -> Button:
    what = "inline keyboard button"
    text = _label(button, what)
    if unknown := set(button) - _BUTTON_FIELDS:
        raise Refused(400, f"Bad Request: can't parse {what}: unknown field {sorted(unknown)[0]}")
    if url := button.get("url"):
        if not re.match(r"(https?|tg)://\S+$", url):
            raise Refused(400, f"Bad Request: {what} URL '{url}' is invalid: Unsupported URL protocol")
        return Button(text, url=url)
    if data := button.get("callback_data"):
        if not isinstance(data, str) or len(data.encode()) > MAX_CALLBACK_BYTES:
            raise Refused(400, "Bad Request: BUTTON_DATA_INVALID")
        return Button(text, callback_data=data)
    if copied := button.get("copy_text"):
        if not 1 <= len(copied.get("text", "")) <= MAX_COPY_TEXT:
            raise Refused(400, "Bad Request: BUTTON_COPY_TEXT_INVALID")
        return Button(text)
    if web_app := button.get("web_app"):
        return Button(text, url=web_app.get("url"))
    raise Refused(400, f"Bad Request: can't parse {what}: Text buttons are unallowed in the inline keyboard")


def _reply_button(button: Any) -> Button:
    return Button(_label({"text": button} if isinstance(button, str) else button, "keyboard button"))
