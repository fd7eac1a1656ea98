"""With which letters is a picture written, and where do its lines break, in Chinese as in English?"""

import importlib.util
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

from bot.errors import FollowupError

FONT_PACKAGE = "manimgx_fonts_cjk"
FONT_FILE = "NotoSansCJK-VF.otf.ttc"
FACE_SUFFIX = " SC"  # The collection holds one face a region; patients here read simplified Chinese.
WEIGHT_REGULAR = 400
WEIGHT_BOLD = 700

# A code point that never gets a character shows what the font draws for one it does not know.
NEVER_A_CHARACTER = "\U0010ffff"
# Joiners and variation selectors say how to draw the emoji before them; alone they are nothing.
INVISIBLE = frozenset("\u200b\u200c\u200d\u2060\ufe0e\ufe0f")
# The font has no colour emoji; these have a plain sign of the same meaning.
PLAIN_SIGNS = {
    "✅": "✓",
    "✔": "✓",
    "❌": "✗",
    "📞": "☎",
    "❓": "？",
    "❗": "！",
    "➡": "→",
    "⬅": "←",
    "🔴": "●",
    "🟠": "●",
    "🟡": "●",
    "🟢": "●",
}
ELLIPSIS = "…"
NOT_AT_LINE_START = frozenset("，。！？；：、）》」』”’…—%°,.!?;:)]}")
NOT_AT_LINE_END = frozenset("（《「『“‘([{")
FIRST_WIDE_LETTER = "\u2e80"  # From here on the scripts are written without spaces between words.


class FontMissing(FollowupError):
    """The font that pictures are written with is not installed, so no picture can be drawn."""


@lru_cache(maxsize=1)
def font_path() -> Path:
    """Return the font collection's file.

    Raises:
        FontMissing: the font package is not installed, or its file is gone.
    """
    spec = importlib.util.find_spec(FONT_PACKAGE)
    if spec is None or spec.origin is None:
        raise FontMissing(f"the Python package {FONT_PACKAGE} is not installed; run `make` again")
    path = Path(spec.origin).parent / FONT_FILE
    if not path.is_file():
        raise FontMissing(f"{path} is missing; install the Python package {FONT_PACKAGE} again")
    return path


@lru_cache(maxsize=1)
def simplified_chinese_face() -> int:
    """Return which face of the collection is the one for simplified Chinese.

    Raises:
        FontMissing: the collection cannot be read, or has no such face.
    """
    index = 0
    while True:
        try:
            face = ImageFont.truetype(font_path(), 10, index=index)
        except OSError as error:  # FreeType says so past the last face, and for a broken file.
            raise FontMissing(f"{font_path()} has no face for simplified Chinese") from error
        if (face.getname()[0] or "").endswith(FACE_SUFFIX):
            return index
        index += 1


@lru_cache(maxsize=64)
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return the font at ``size`` pixels; the same one each time, for it takes a while to open.

    Raises:
        FontMissing: there is no font to draw with.
    """
    face = ImageFont.truetype(font_path(), size, index=simplified_chinese_face())
    face.set_variation_by_axes([WEIGHT_BOLD if bold else WEIGHT_REGULAR])
    return face


@lru_cache(maxsize=4096)
def has_glyph(character: str) -> bool:
    """Tell whether the font can draw ``character`` (it has no colour emoji)."""
    probe = font(24)
    mask, unknown = probe.getmask(character), probe.getmask(NEVER_A_CHARACTER)
    return mask.size != unknown.size or bytes(mask) != bytes(unknown)


def drawable(text: str, keep: Collection[str] = ()) -> str:
    """Return ``text`` as the font can draw it: an emoji becomes a plain sign or is left out with its space.

    Line breaks stay, and so do the characters of ``keep``, which the caller draws himself. A text that is
    drawable already comes back unchanged.
    """
    kept: list[str] = []
    left_out = False
    for letter in text:
        if letter in INVISIBLE:
            continue
        sign = letter if letter in keep else PLAIN_SIGNS.get(letter, letter)
        if sign == "\n" or sign in keep:
            kept.append(sign)
            left_out = False
        elif not sign.isprintable() or not (sign.isspace() or has_glyph(sign)):
            left_out = True
        elif left_out and sign == " " and (not kept or kept[-1] in " \n"):
            continue  # The space belonged to the emoji before it.
        else:
            kept.append(sign)
            left_out = False
    return "".join(kept)


def wrap(text: str, face: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """Break ``text`` into lines of at most ``width`` pixels.

    English breaks at spaces, Chinese between any two characters, but no line starts with a closing
    mark or ends with an opening one. A word wider than a line is cut. A line break in the text
    stays; an empty text is one empty line.
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for piece in _pieces(paragraph):
            if not line or face.getlength((line + piece).rstrip()) <= width:
                line += piece
            else:
                lines.append(line.rstrip())
                line = piece.lstrip()
            while len(line) > 1 and face.getlength(line.rstrip()) > width:
                cut = _longest_start(line, face, width)
                lines.append(line[:cut])
                line = line[cut:]
        lines.append(line.rstrip())
    return lines


def fitted(
    text: str, size: int, width: float, *, bold: bool = False, smallest: int = 20
) -> tuple[str, ImageFont.FreeTypeFont]:
    """Return ``text`` as one line of at most ``width`` pixels, and the font to write it with.

    The font is as large as possible between ``size`` and ``smallest`` pixels; what is still too long then
    ends with an ellipsis.
    """
    while size > smallest and font(size, bold).getlength(text) > width:
        size -= 2
    face = font(size, bold)
    if face.getlength(text) > width:
        text = text[: _longest_start(text, face, width - face.getlength(ELLIPSIS))].rstrip() + ELLIPSIS
    return text, face


def _pieces(paragraph: str) -> list[str]:
    """Cut a paragraph where a line may break; joined again the pieces are the paragraph."""
    pieces: list[str] = []
    for letter in paragraph:
        if pieces and not _may_break(pieces[-1][-1], letter):
            pieces[-1] += letter
        else:
            pieces.append(letter)
    return pieces


def _may_break(before: str, after: str) -> bool:
    if after == " " or after in NOT_AT_LINE_START or before in NOT_AT_LINE_END:
        return False
    return before == " " or before >= FIRST_WIDE_LETTER or after >= FIRST_WIDE_LETTER


def _longest_start(line: str, face: ImageFont.FreeTypeFont, width: float) -> int:
    """Return how many letters of ``line`` fit into ``width`` pixels, at least one."""
    cut = 1
    while cut < len(line) and face.getlength(line[: cut + 1]) <= width:
        cut += 1
    return cut
