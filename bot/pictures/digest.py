"""How did the week go and what is to be done, at one glance on a phone?

What is to be done stands first, as numbers in boxes: a filled box is something, an empty one is nothing, so that the
picture reads in black and white. Then the numbers of the week as bars, and the coming days as columns, closed ones
hatched.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw

from bot.errors import FollowupError
from bot.pictures.canvas import BLUE, PAPER, SOFT_TEXT, TEXT, png
from bot.pictures.fonts import drawable, fitted, font, wrap

Draw = ImageDraw.ImageDraw

# All lengths are pixels; the width is that of a common phone.
WIDTH = 1080
MARGIN = 40
GAP = 20
TILES_IN_ROW = 4
TILE = 204
BAR = 62
NAME_WIDTH = 330  # of a bar
LONGEST_BAR = 300
COLUMN = 190  # height of the tallest column
HATCH = 14

# Urgencies are told by their words here: without colour their signs are all the same.
SIGNS = "● "

RULE = "#B8B8B8"
DARK = "#3A2A20"


class DigestNotDrawable(FollowupError):
    """The picture of a week cannot be drawn from these data; the text says why."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A number of the week, its name, and what is said beside it."""

    name: str
    number: int
    said: str


@dataclass(frozen=True, slots=True)
class Column:
    """A coming day: weekday, date, patients expected, and whether the clinic is open."""

    weekday: str
    day: str
    patients: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class DigestPicture:
    """All that the picture shows, in the reader's language. ``tiles``: numbers of what is to be done, with names."""

    title: str
    subtitle: str
    todo: str
    tiles: tuple[tuple[int, str], ...]
    week: str
    bars: tuple[Bar, ...]
    cases: str
    urgencies: tuple[Bar, ...]
    ahead: str
    days: tuple[Column, ...]
    closed: str

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "DigestPicture":
        """Read the picture's data as they come through JSON.

        Raises:
            DigestNotDrawable: a part is missing or of another shape.
        """
        try:
            return cls(
                title=data["title"],
                subtitle=data["subtitle"],
                todo=data["todo"],
                tiles=tuple((int(number), str(name)) for number, name in data["tiles"]),
                week=data["week"],
                bars=_read(data["bars"]),
                cases=data["cases"],
                urgencies=_read(data["urgencies"]),
                ahead=data["ahead"],
                days=tuple(
                    Column(str(weekday), str(day), int(patients), bool(is_open))
                    for weekday, day, patients, is_open in data["days"]
                ),
                closed=data["closed"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DigestNotDrawable(f"a part is missing or wrong: {error!r}") from error


def _read(bars: Any) -> tuple[Bar, ...]:
    return tuple(Bar(str(name), int(number), str(said)) for name, number, said in bars)


def digest_png(data: DigestPicture) -> bytes:
    """Return a PNG 1080 pixels wide: what is to be done, the week in numbers, the coming days.

    Raises:
        FontMissing: there is no font to write with.
        DigestNotDrawable: a number is below 0.
    """
    numbers = [
        *(number for number, _ in data.tiles),
        *(bar.number for bar in (*data.bars, *data.urgencies)),
        *(day.patients for day in data.days),
    ]
    if any(number < 0 for number in numbers):
        raise DigestNotDrawable("a number is below 0")
    rows = -(-len(data.tiles) // TILES_IN_ROW)
    canvas = Image.new(
        "RGB", (WIDTH, 1200 + rows * (TILE + GAP) + BAR * (len(data.bars) + len(data.urgencies))), PAPER
    )
    y = _title(canvas, data, MARGIN)
    y = _tiles(canvas, data, _heading(canvas, data.todo, y))
    y = _bars(canvas, data.bars, _heading(canvas, data.week, y))
    if data.urgencies:
        y = _bars(canvas, data.urgencies, _heading(canvas, data.cases, y))
    y = _columns(canvas, data, _heading(canvas, data.ahead, y))
    return png(canvas, y + MARGIN // 2, 64)


def _title(canvas: Image.Image, data: DigestPicture, y: int) -> int:
    """Write title and subtitle from ``y`` on; return where the next part begins (as all parts do)."""
    draw = ImageDraw.Draw(canvas)
    for text, face, step, ink in (
        (data.title, font(50, bold=True), 66, TEXT),
        (data.subtitle, font(36), 50, SOFT_TEXT),
    ):
        for line in wrap(drawable(text), face, WIDTH - 2 * MARGIN):
            draw.text((MARGIN, y + step / 2), line, fill=ink, font=face, anchor="lm")
            y += step
    return y + 8


def _heading(canvas: Image.Image, text: str, y: int) -> int:
    draw = ImageDraw.Draw(canvas)
    draw.line((MARGIN, y + 10, WIDTH - MARGIN, y + 10), fill=RULE, width=2)
    said, face = fitted(drawable(text), 38, WIDTH - 2 * MARGIN, bold=True)
    draw.text((MARGIN, y + 44), said, fill=TEXT, font=face, anchor="lm")
    return y + 82


def _tiles(canvas: Image.Image, data: DigestPicture, y: int) -> int:
    draw = ImageDraw.Draw(canvas)
    width = (WIDTH - 2 * MARGIN - (TILES_IN_ROW - 1) * GAP) // TILES_IN_ROW
    for place, (number, name) in enumerate(data.tiles):
        x = MARGIN + (place % TILES_IN_ROW) * (width + GAP)
        top = y + (place // TILES_IN_ROW) * (TILE + GAP)
        fill, ink = (DARK, PAPER) if number else (PAPER, SOFT_TEXT)
        draw.rounded_rectangle((x, top, x + width, top + TILE), radius=18, fill=fill, outline=RULE, width=3)
        said, face = fitted(str(number), 76, width - 24, bold=bool(number))
        draw.text((x + width / 2, top + 58), said, fill=ink, font=face, anchor="mm")
        lines, face = _two_lines(drawable(name), width - 20)
        for nth, line in enumerate(lines):
            middle = top + 150 + (nth - (len(lines) - 1) / 2) * 36
            draw.text((x + width / 2, middle), line, fill=ink, font=face, anchor="mm")
    rows = -(-len(data.tiles) // TILES_IN_ROW)
    return y + rows * (TILE + GAP)


def _two_lines(text: str, width: float) -> tuple[list[str], Any]:
    """Return a name as at most two lines, as large as they fit."""
    for size in (32, 30, 28, 26):
        lines = wrap(text, font(size), width)
        if len(lines) <= 2:
            return lines, font(size)
    said, face = fitted(text, 26, width)
    return [said], face


def _bars(canvas: Image.Image, bars: tuple[Bar, ...], y: int) -> int:
    draw = ImageDraw.Draw(canvas)
    most = max((bar.number for bar in bars), default=0)
    for bar in bars:
        middle = y + BAR / 2
        name, face = fitted(drawable(bar.name).lstrip(SIGNS), 34, NAME_WIDTH - 16)
        draw.text((MARGIN, middle), name, fill=TEXT, font=face, anchor="lm")
        left = MARGIN + NAME_WIDTH
        # The smallest number above nothing still shows.
        long = max(LONGEST_BAR * bar.number / most, 6) if bar.number else 0
        if long:
            draw.rectangle((left, middle - 18, left + long, middle + 18), fill=BLUE)
        number = str(bar.number)
        draw.text((left + long + 14, middle), number, fill=TEXT, font=font(36, bold=True), anchor="lm")
        if bar.said:
            at = left + long + 34 + font(36, bold=True).getlength(number)
            said, face = fitted(drawable(bar.said), 30, WIDTH - MARGIN - at)
            draw.text((at, middle), said, fill=SOFT_TEXT, font=face, anchor="lm")
        y += BAR
    return y + 8


def _columns(canvas: Image.Image, data: DigestPicture, y: int) -> int:
    draw = ImageDraw.Draw(canvas)
    many = max(len(data.days), 1)
    width = (WIDTH - 2 * MARGIN) // many
    most = max((day.patients for day in data.days), default=0)
    ground = y + 50 + COLUMN
    for place, day in enumerate(data.days):
        left = MARGIN + place * width + 10
        right = left + width - 20
        if not day.is_open:
            _hatch(canvas, (left, y + 50, right, ground))
        if day.patients:
            top = ground - max(COLUMN * day.patients / most, 8)
            draw.rectangle((left, top, right, ground), fill=BLUE)
            above = (left + right) / 2, top - 24
            draw.rectangle((above[0] - 26, above[1] - 22, above[0] + 26, above[1] + 20), fill=PAPER)
            draw.text(above, str(day.patients), fill=TEXT, font=font(38, bold=True), anchor="mm")
        elif day.is_open:
            draw.text(((left + right) / 2, ground - 26), "0", fill=SOFT_TEXT, font=font(38), anchor="mm")
        else:
            said, face = fitted(drawable(data.closed), 30, width - 24)
            half = face.getlength(said) / 2 + 4
            middle = (left + right) / 2, ground - COLUMN / 2
            draw.rectangle((middle[0] - half, middle[1] - 24, middle[0] + half, middle[1] + 24), fill=PAPER)
            draw.text(middle, said, fill=TEXT, font=face, anchor="mm")
        weekday, face = fitted(drawable(day.weekday), 34, width - 8, bold=True)
        draw.text(((left + right) / 2, ground + 34), weekday, fill=TEXT, font=face, anchor="mm")
        named, face = fitted(drawable(day.day), 30, width - 8)
        draw.text(((left + right) / 2, ground + 76), named, fill=SOFT_TEXT, font=face, anchor="mm")
    draw.line((MARGIN, ground, WIDTH - MARGIN, ground), fill=SOFT_TEXT, width=3)
    return ground + 110


def _hatch(canvas: Image.Image, box: tuple[int, int, int, int]) -> None:
    """Fill a box with slanted lines."""
    left, top, right, bottom = box
    part = Image.new("RGB", (right - left, bottom - top), PAPER)
    draw = ImageDraw.Draw(part)
    for start in range(-part.height, part.width, HATCH):
        draw.line((start, part.height, start + part.height, 0), fill=RULE, width=3)
    canvas.paste(part, (left, top))
