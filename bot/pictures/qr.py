"""How does a link get from a screen into a patient's phone without typing?"""

import io

import segno
from PIL import Image, ImageDraw

from bot.errors import FollowupError
from bot.pictures.fonts import drawable, font, wrap

QUIET_MODULES = 4  # ISO/IEC 18004 asks for four light modules on each side.
PICTURE_PIXELS = 1000  # As wide as a phone's screen, so that another phone reads it from there.
SMALLEST_MODULE_PIXELS = 8
CAPTION_PIXELS = 46
TERMINAL_COLUMNS = 80
# Light modules are drawn, dark ones left out: most terminals write light on dark.
HALF_BLOCKS = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}


class LinkTooLong(FollowupError):
    """The link has too many characters for a QR code that a phone reads easily."""


def qr_png(link: str, caption: str) -> bytes:
    """Return a PNG of ``link`` as QR code (error correction M or better), with ``caption`` in lines below.

    Raises:
        LinkTooLong: the code's squares would be too small to read from a screen.
        FontMissing: there is no font for the caption.
    """
    modules = _light_modules(link)
    scale = PICTURE_PIXELS // len(modules)
    if scale < SMALLEST_MODULE_PIXELS:
        raise LinkTooLong(f"{len(link)} characters")
    side = scale * len(modules)
    face = font(CAPTION_PIXELS, bold=True)
    lines = wrap(drawable(caption), face, side - 2 * CAPTION_PIXELS) if caption else []
    line_height = round(CAPTION_PIXELS * 1.45)
    picture = Image.new("L", (side, side + len(lines) * line_height + (CAPTION_PIXELS if lines else 0)), 255)
    draw = ImageDraw.Draw(picture)
    for y, row in enumerate(modules):
        for x, light in enumerate(row):
            if not light:
                draw.rectangle((x * scale, y * scale, (x + 1) * scale - 1, (y + 1) * scale - 1), fill=0)
    for number, line in enumerate(lines):
        draw.text((side / 2, side + (number + 0.5) * line_height), line, fill=0, font=face, anchor="mm")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def qr_terminal(link: str) -> str:
    """Return ``link`` as QR code of half-block characters, two rows of squares a line, at most 80 columns.

    It is drawn for a terminal with a dark background; phones read it on a light one too.
    Raises:
        LinkTooLong: the code does not fit into 80 columns.
    """
    modules = _light_modules(link)
    if len(modules) > TERMINAL_COLUMNS:
        raise LinkTooLong(f"{len(link)} characters")
    if len(modules) % 2:
        modules.append([False] * len(modules))
    pairs = zip(modules[::2], modules[1::2], strict=True)
    return "\n".join("".join(HALF_BLOCKS[pair] for pair in zip(*rows, strict=True)) for rows in pairs)


def _light_modules(link: str) -> list[list[bool]]:
    """Return the code's squares with their quiet zone, row by row; true is light.

    Correction is better than M where that makes the code no larger.
    """
    try:
        code = segno.make_qr(link, error="m")
    except segno.DataOverflowError as error:
        raise LinkTooLong(f"{len(link)} characters") from error
    return [[not module for module in row] for row in code.matrix_iter(border=QUIET_MODULES)]
