"""How long did people take to take a case over, at one glance on a phone?

A row for each urgency on one logarithmic axis of time, so that seconds and days fit side by side. Median, 90th
percentile and longest differ in shape and not only in colour, and the limit is a broken line across its row: the
picture reads in black and white.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw

from bot.errors import FollowupError
from bot.pictures.canvas import BLUE, PAPER, SOFT_TEXT, TEXT, VERMILLION, png
from bot.pictures.fonts import drawable, fitted, font, wrap

Draw = ImageDraw.ImageDraw

# All lengths are pixels; the width is that of a common phone.
WIDTH = 1080
MARGIN = 40
ROW = 232  # name, figures, and the line itself
LINE_AT = 168  # of a row, from its top
SMOOTH = 3  # drawn so much larger and scaled down, for Pillow draws jagged edges
DOT = 15
SMALLEST = 1.0  # seconds; less is drawn here, for a logarithm has no zero

RULE = "#D5D5D5"
PANEL = "#F1F4F7"


class WaitingNotDrawable(FollowupError):
    """The picture of waiting times cannot be drawn from these data; the text says why."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A length of time in seconds; not ``exact`` when it is at least so long."""

    seconds: float
    exact: bool


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """One urgency: its name with the number of cases, its figures as words, its marks and its limit in seconds."""

    name: str
    said: str
    target: float
    target_said: str
    median: Mark | None
    ninety: Mark | None
    worst: Mark | None


@dataclass(frozen=True, slots=True)
class WaitingPicture:
    """All that the picture shows, in the reader's language. ``marks`` are the axis: seconds and their names."""

    title: str
    subtitle: str
    marks: tuple[tuple[float, str], ...]
    rows: tuple[WaitingRow, ...]
    none: str
    legend: Mapping[str, str]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "WaitingPicture":
        """Read the picture's data as they come through JSON.

        Raises:
            WaitingNotDrawable: a part is missing or of another shape.
        """
        try:
            return cls(
                title=data["title"],
                subtitle=data["subtitle"],
                marks=tuple((float(seconds), str(name)) for seconds, name in data["marks"]),
                rows=tuple(_row(each) for each in data["rows"]),
                none=data["none"],
                legend={name: data["legend"][name] for name in LEGEND},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise WaitingNotDrawable(f"a part is missing or wrong: {error!r}") from error


def waiting_png(data: WaitingPicture) -> bytes:
    """Return a PNG 1080 pixels wide: title, a row for each urgency, the axis, the legend.

    Raises:
        FontMissing: there is no font to write with.
        WaitingNotDrawable: the axis has fewer than two marks.
    """
    if len(data.marks) < 2:
        raise WaitingNotDrawable("an axis needs two marks")
    canvas = Image.new("RGB", (WIDTH, 900 + ROW * max(len(data.rows), 1)), PAPER)
    y = _title(canvas, data, MARGIN)
    y = _rows(canvas, data, y) if data.rows else _nothing(canvas, data, y)
    y = _legend(canvas, data, y) if data.rows else y
    return png(canvas, y + MARGIN // 2, 64)


def _row(data: Mapping[str, Any]) -> WaitingRow:
    marks = {
        name: None if data[name] is None else Mark(float(data[name][0]), bool(data[name][1]))
        for name in ("median", "ninety", "worst")
    }
    return WaitingRow(data["name"], data["said"], float(data["target"]), data["target_said"], **marks)


def _title(canvas: Image.Image, data: WaitingPicture, y: int) -> int:
    """Write title and subtitle from ``y`` on; return where the next part begins (as all parts do)."""
    draw = ImageDraw.Draw(canvas)
    for text, face, step, ink in (
        (data.title, font(50, bold=True), 66, TEXT),
        (data.subtitle, font(34), 48, SOFT_TEXT),
    ):
        for line in wrap(drawable(text), face, WIDTH - 2 * MARGIN):
            draw.text((MARGIN, y + step / 2), line, fill=ink, font=face, anchor="lm")
            y += step
    return y + 18


def _nothing(canvas: Image.Image, data: WaitingPicture, y: int) -> int:
    draw = ImageDraw.Draw(canvas)
    for line in wrap(drawable(data.none), font(40), WIDTH - 2 * MARGIN):
        draw.text((MARGIN, y + 30), line, fill=TEXT, font=font(40), anchor="lm")
        y += 60
    return y + 20


class _Axis:
    """Where a length of time lies across the picture: only the marks that the data need, one beyond each end."""

    def __init__(self, data: WaitingPicture) -> None:
        found = [
            mark.seconds for row in data.rows for mark in (row.median, row.ninety, row.worst) if mark is not None
        ]
        found += [row.target for row in data.rows]
        known = [seconds for seconds, _ in data.marks]
        low = max((each for each in known if each <= min(found)), default=known[0])
        high = min((each for each in known if each > max(found)), default=max(found) * 1.5)
        self.marks = [(seconds, name) for seconds, name in data.marks if low <= seconds <= high]
        self._low, self._high = math.log(max(low, SMALLEST)), math.log(high)
        self.left, self.right = MARGIN + 24, WIDTH - MARGIN - 60

    def x(self, seconds: float) -> float:
        part = (math.log(max(seconds, SMALLEST)) - self._low) / (self._high - self._low)
        return self.left + min(max(part, 0.0), 1.0) * (self.right - self.left)


def _rows(canvas: Image.Image, data: WaitingPicture, y: int) -> int:
    axis = _Axis(data)
    bottom = y + ROW * len(data.rows)
    draw = ImageDraw.Draw(canvas)
    for number in range(len(data.rows)):
        if number % 2 == 0:
            draw.rectangle((0, y + number * ROW, WIDTH, y + (number + 1) * ROW), fill=PANEL)
    for seconds, _ in axis.marks:
        for number in range(len(data.rows)):
            top = y + number * ROW
            draw.line((axis.x(seconds), top + LINE_AT - 40, axis.x(seconds), top + ROW - 18), fill=RULE, width=2)
    for number, row in enumerate(data.rows):
        _words(draw, row, y + number * ROW)
        _draw_line(canvas, axis, row, y + number * ROW)
    _scale(draw, axis, bottom)
    return bottom + 74


def _words(draw: Draw, row: WaitingRow, top: int) -> None:
    room = WIDTH - 2 * MARGIN
    target, target_face = fitted(drawable(row.target_said), 32, room * 0.45)
    draw.text((WIDTH - MARGIN, top + 42), target, fill=SOFT_TEXT, font=target_face, anchor="rm")
    name, face = fitted(drawable(row.name), 40, room - target_face.getlength(target) - 24, bold=True)
    draw.text((MARGIN, top + 42), name, fill=TEXT, font=face, anchor="lm")
    said, face = fitted(drawable(row.said), 34, room)
    draw.text((MARGIN, top + 96), said, fill=TEXT, font=face, anchor="lm")


def _draw_line(canvas: Image.Image, axis: _Axis, row: WaitingRow, top: int) -> None:
    """Draw the range from median to longest, its marks, and the limit, smoothly."""
    box = (0, top + LINE_AT - 44, WIDTH, top + ROW - 8)
    size = (box[2] - box[0], box[3] - box[1])
    large = canvas.crop(box).resize((size[0] * SMOOTH, size[1] * SMOOTH), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(large)
    y = (LINE_AT - (LINE_AT - 44)) * SMOOTH
    target = axis.x(row.target) * SMOOTH
    for part in range(6):
        start = part * 16 * SMOOTH
        draw.line((target, start, target, start + 10 * SMOOTH), fill=VERMILLION, width=6 * SMOOTH)
    if row.median is not None and row.worst is not None:
        ends = (axis.x(row.median.seconds) * SMOOTH, axis.x(row.worst.seconds) * SMOOTH)
        draw.line((ends[0], y, ends[1], y), fill=BLUE, width=6 * SMOOTH)
        if not row.worst.exact:
            _arrow(draw, ends[1], y)
    for name in ("worst", "ninety", "median"):
        mark: Mark | None = getattr(row, name)
        if mark is not None:
            _sign(draw, name, axis.x(mark.seconds) * SMOOTH, y, mark.exact)
    canvas.paste(large.resize(size, Image.Resampling.LANCZOS), box[:2])


def _sign(draw: Draw, name: str, x: float, y: float, exact: bool) -> None:
    """Draw a mark: a disc for the median, a diamond for 90 %, a bar for the longest; hollow where it is at least."""
    size, ink = DOT * SMOOTH, BLUE
    fill = ink if exact else PAPER
    match name:
        case "median":
            draw.ellipse((x - size, y - size, x + size, y + size), fill=fill, outline=ink, width=5 * SMOOTH)
        case "ninety":
            wide = size * 1.25
            draw.polygon([(x - wide, y), (x, y - wide), (x + wide, y), (x, y + wide)], fill=ink)
            if not exact:
                wide = size * 0.68
                draw.polygon([(x - wide, y), (x, y - wide), (x + wide, y), (x, y + wide)], fill=PAPER)
        case _:
            draw.line((x, y - size * 1.6, x, y + size * 1.6), fill=ink, width=7 * SMOOTH)


def _arrow(draw: Draw, x: float, y: float) -> None:
    """Draw that it goes on beyond ``x``."""
    end, size = x + 46 * SMOOTH, 14 * SMOOTH
    draw.line((x, y, end - size, y), fill=BLUE, width=6 * SMOOTH)
    draw.polygon([(end, y), (end - size * 1.5, y - size), (end - size * 1.5, y + size)], fill=BLUE)


def _scale(draw: Draw, axis: _Axis, y: int) -> None:
    """Write the names of the marks below the rows; one that would touch its neighbour is left out."""
    face = font(30)
    free_from = 0.0
    for seconds, name in axis.marks:
        name = drawable(name)
        half = face.getlength(name) / 2
        middle = min(max(axis.x(seconds), half + 6), WIDTH - half - 6)
        if middle - half < free_from:
            continue
        draw.line((axis.x(seconds), y, axis.x(seconds), y + 10), fill=SOFT_TEXT, width=3)
        draw.text((middle, y + 36), name, fill=SOFT_TEXT, font=face, anchor="mm")
        free_from = middle + half + 18
    draw.line((0, y, WIDTH, y), fill=SOFT_TEXT, width=2)


LEGEND = ("median", "ninety", "worst", "target", "at_least")


def _legend(canvas: Image.Image, data: WaitingPicture, y: int) -> int:
    """Draw each sign with its meaning, two in a row."""
    step, column = 64, (WIDTH - 2 * MARGIN) // 2
    for number, name in enumerate(LEGEND):
        x, top = MARGIN + (number % 2) * column, y + (number // 2) * step
        box = (x, top, x + 84, top + step)
        large = canvas.crop(box).resize((84 * SMOOTH, step * SMOOTH), Image.Resampling.NEAREST)
        draw, middle = ImageDraw.Draw(large), (42 * SMOOTH, step * SMOOTH / 2)
        match name:
            case "target":
                for part in range(4):
                    start = part * 16 * SMOOTH + 2 * SMOOTH
                    draw.line((middle[0], start, middle[0], start + 10 * SMOOTH), fill=VERMILLION, width=6 * SMOOTH)
            case "at_least":
                _arrow(draw, middle[0] - 8 * SMOOTH, middle[1])
                _sign(draw, "median", middle[0] - 18 * SMOOTH, middle[1], exact=False)
            case _:
                _sign(draw, name, *middle, exact=True)
        canvas.paste(large.resize((84, step), Image.Resampling.LANCZOS), box[:2])
        label, face = fitted(drawable(data.legend[name]), 32, column - 100)
        ImageDraw.Draw(canvas).text((x + 92, top + step / 2), label, fill=TEXT, font=face, anchor="lm")
    return y + math.ceil(len(LEGEND) / 2) * step
