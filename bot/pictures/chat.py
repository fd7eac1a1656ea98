"""What did a chat look like on the phone, drawn large enough to be read on a page?"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from bot.pictures.fonts import drawable, fitted, font, wrap


@dataclass(frozen=True, slots=True)
class ChatLine:
    """One message of a chat.

    ``time`` is written as given. ``buttons`` are rows of labels under the message; ``pressed`` is the label
    that was tapped, drawn filled. ``picture`` is a PNG or JPEG above the text. ``day``, where it is not
    empty, is written in the middle of the chat before the message.
    """

    sender_is_bot: bool
    text: str
    time: str
    buttons: Sequence[Sequence[str]] = ()
    pressed: str | None = None
    picture: bytes | None = None
    day: str = ""


# All lengths are pixels at this width; letters are about as large as a phone's large text setting.
WIDTH = 1080
MARGIN = 32
GAP = 18
HEADER_HEIGHT = 136
TEXT_PIXELS = 44
LINE_HEIGHT = 62
SMALL_PIXELS = 30
PADDING_X = 32
PADDING_Y = 22
TIME_HEIGHT = 40
BUBBLE_MOST = 880
BUBBLE_LEAST = 220
BUTTON_HEIGHT = 92
BUTTON_GAP = 10
DAY_HEIGHT = 56
PICTURE_MOST_HEIGHT = 1100
SMOOTH = 3  # Shapes are drawn this much larger and scaled down, for Pillow draws jagged edges.

BACKGROUND = "#DCE7EF"
HEADER = "#FFFFFF"
HEADER_DISC = "#3D7EA6"
BOT_BUBBLE = "#FFFFFF"
OWN_BUBBLE = "#DDF5CE"
BUTTON = "#B9CFDE"
BUTTON_PRESSED = "#2B6A94"
DAY_CHIP = "#9DB4C4"
TEXT = "#14181B"
SOFT_TEXT = "#5B6B76"
WHITE = "#FFFFFF"
# Urgency is told by these discs; the font has none in colour.
DISCS = {"🔴": "#C62828", "🟠": "#E67E00", "🟡": "#E0B400", "🟢": "#2E8B3D"}
# As wide as a disc, so the line keeps its length.
DISC_ROOM = "\u3000"


def chat_png(title: str, messages: Iterable[ChatLine], *, subtitle: str = "") -> bytes:
    """Return a PNG 1080 pixels wide of the whole chat, as tall as it needs to be.

    Text wraps in Chinese as in English. Emoji for which the font has no sign are left out.
    Raises:
        FontMissing: there is no font to write with.
    """
    blocks = [_message(line) for line in messages]
    height = HEADER_HEIGHT + MARGIN + sum(block.height + GAP for block in blocks) + MARGIN - GAP
    canvas = Image.new("RGB", (WIDTH, height), BACKGROUND)
    canvas.paste(_header(title, subtitle), (0, 0))
    y = HEADER_HEIGHT + MARGIN
    for block in blocks:
        canvas.paste(block, (0, y))
        y += block.height + GAP
    buffer = io.BytesIO()
    canvas.quantize(128, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _header(title: str, subtitle: str) -> Image.Image:
    """Draw the bar with the name of whom one talks to."""
    bar = Image.new("RGB", (WIDTH, HEADER_HEIGHT), HEADER)
    middle = HEADER_HEIGHT // 2
    _rounded(bar, (MARGIN, middle - 46, MARGIN + 92, middle + 46), 46, HEADER_DISC)
    draw = ImageDraw.Draw(bar)
    left = MARGIN + 92 + 28
    room = WIDTH - MARGIN - left
    title, face = fitted(drawable(title), 46, room, bold=True)
    draw.text((MARGIN + 46, middle), title[:1], WHITE, font(52, bold=True), "mm")
    draw.text((left, middle - (22 if subtitle else 0)), title, TEXT, face, "lm")
    if subtitle:
        subtitle, face = fitted(drawable(subtitle), 32, room)
        draw.text((left, middle + 32), subtitle, SOFT_TEXT, face, "lm")
    return bar


def _message(line: ChatLine) -> Image.Image:
    """Draw one message over the whole width: its day, its bubble and its buttons."""
    face = font(TEXT_PIXELS)
    picture = _picture(line.picture) if line.picture else None
    lines = wrap(drawable(line.text, keep=DISCS), face, BUBBLE_MOST - 2 * PADDING_X) if line.text else []
    widest = max([face.getlength(text) for text in lines], default=0) + 2 * PADDING_X
    if line.buttons or picture:
        # Buttons are as wide as their message, so a short question still has buttons for big thumbs.
        widest = BUBBLE_MOST
    width = round(min(max(widest, BUBBLE_LEAST), BUBBLE_MOST))
    text_height = LINE_HEIGHT * len(lines)
    picture_height = picture.height + (PADDING_Y if lines else 0) if picture else 0
    bubble_height = picture_height + text_height + TIME_HEIGHT + 2 * PADDING_Y
    day_height = DAY_HEIGHT + GAP if line.day else 0
    buttons_height = len(line.buttons) * (BUTTON_HEIGHT + BUTTON_GAP)
    block = Image.new("RGB", (WIDTH, day_height + bubble_height + buttons_height), BACKGROUND)
    if line.day:
        _draw_day(block, drawable(line.day))
    left = MARGIN if line.sender_is_bot else WIDTH - MARGIN - width
    bottom = day_height + bubble_height
    fill = BOT_BUBBLE if line.sender_is_bot else OWN_BUBBLE
    _rounded(block, (left, day_height, left + width, bottom), 30, fill)
    y = day_height + PADDING_Y
    if picture:
        block.paste(picture, (left + (width - picture.width) // 2, y))
        y += picture_height
    for text in lines:
        _draw_line(ImageDraw.Draw(block), (left + PADDING_X, y + LINE_HEIGHT / 2), text, face)
        y += LINE_HEIGHT
    corner = (left + width - PADDING_X + 6, bottom - PADDING_Y / 2 - TIME_HEIGHT / 2 + 4)
    ImageDraw.Draw(block).text(corner, line.time, SOFT_TEXT, font(SMALL_PIXELS), "rm")
    for number, row in enumerate(line.buttons):
        top = bottom + BUTTON_GAP + number * (BUTTON_HEIGHT + BUTTON_GAP)
        _draw_buttons(block, row, line.pressed, (left, top, left + width, top + BUTTON_HEIGHT))
    return block


def _picture(content: bytes) -> Image.Image:
    """Read a picture and make it fit into a bubble."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    picture.thumbnail((BUBBLE_MOST - 2 * PADDING_Y, PICTURE_MOST_HEIGHT), Image.Resampling.LANCZOS)
    return picture


def _draw_line(
    draw: ImageDraw.ImageDraw, start: tuple[float, float], text: str, face: ImageFont.FreeTypeFont
) -> None:
    """Write one line, with coloured discs in place of the emoji of that name."""
    plain = "".join(DISC_ROOM if letter in DISCS else letter for letter in text)
    x, y = start
    draw.text((x, y), plain, TEXT, face, "lm")
    for place, letter in enumerate(text):
        if letter in DISCS:
            draw.text((x + face.getlength(plain[:place]), y), "●", DISCS[letter], face, "lm")


def _draw_day(block: Image.Image, day: str) -> None:
    day, face = fitted(day, 34, WIDTH - 4 * MARGIN)
    half = round(face.getlength(day) / 2) + 28
    _rounded(block, (WIDTH // 2 - half, 0, WIDTH // 2 + half, DAY_HEIGHT), DAY_HEIGHT // 2, DAY_CHIP)
    ImageDraw.Draw(block).text((WIDTH / 2, DAY_HEIGHT / 2), day, TEXT, face, "mm")


def _draw_buttons(
    block: Image.Image, row: Sequence[str], pressed: str | None, area: tuple[int, int, int, int]
) -> None:
    """Draw a row of buttons of equal width; a label too long for its button is written smaller."""
    left, top, right, bottom = area
    width = (right - left - BUTTON_GAP * (len(row) - 1)) // max(len(row), 1)
    for number, label in enumerate(row):
        x = left + number * (width + BUTTON_GAP)
        chosen = label == pressed
        _rounded(block, (x, top, x + width, bottom), 22, BUTTON_PRESSED if chosen else BUTTON)
        shown, face = fitted(drawable(label).strip(), 42, width - 32, bold=True)
        middle = (x + width / 2, (top + bottom) / 2)
        ImageDraw.Draw(block).text(middle, shown, WHITE if chosen else TEXT, face, "mm")


def _rounded(canvas: Image.Image, box: tuple[int, int, int, int], radius: int, fill: str) -> None:
    """Fill a box with round, smooth corners."""
    left, top, right, bottom = box
    size = (right - left, bottom - top)
    shape = Image.new("L", (size[0] * SMOOTH, size[1] * SMOOTH), 0)
    corners = (0, 0, shape.width - 1, shape.height - 1)
    ImageDraw.Draw(shape).rounded_rectangle(corners, radius * SMOOTH, fill=255)
    canvas.paste(fill, box, shape.resize(size, Image.Resampling.LANCZOS))
