"""On which days did a subject take the ordered dose, at one glance on a phone?

A doctor looks for gaps, so a taken day is a solid dark field and everything else breaks the surface. Each
status has its own shape besides its colour, so that the picture also reads in black and white; blue and
vermillion (after Okabe and Ito, the second one darkened for grey copies) stay apart for colour-blind eyes.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from PIL import Image, ImageDraw

from bot.domain.adherence import DoseStatus
from bot.errors import FollowupError
from bot.pictures.canvas import BLUE, PAPER, SOFT_TEXT, TEXT, VERMILLION, png
from bot.pictures.fonts import drawable, fitted, font, wrap

Box = tuple[float, float, float, float]
Draw = ImageDraw.ImageDraw


class CalendarNotDrawable(FollowupError):
    """The adherence calendar cannot be drawn from these data; the text says why."""


MOST_MONTHS = 6  # More rows than that are too small on a phone.


@dataclass(frozen=True, slots=True)
class CalendarPicture:
    """All that an adherence calendar shows, in the reader's language.

    ``weekdays`` holds seven short names, Monday first. ``months`` maps the first day of each month (one to
    six, one after the other) to its name. A day that is not in ``days`` counts as not ordered. ``legend``
    names the statuses to explain. ``figures`` are pairs of label and value; the first is the headline.
    ``weeks`` maps a Monday to the share of its week, in words and from 0 to 1, ``week`` heads their column; without
    any there is no such column. ``marks`` puts one or two letters on a day, ``mark_legend`` says what
    each of them means.
    Raises:
        CalendarNotDrawable: wrong number of weekdays, or months that are missing, too many or not in a row.
    """

    title: str
    subtitle: str
    weekdays: tuple[str, ...]
    months: Mapping[date, str]
    days: Mapping[date, DoseStatus]
    legend: Mapping[DoseStatus, str]
    figures: tuple[tuple[str, str], ...]
    marks: Mapping[date, str] = field(default_factory=dict)
    mark_legend: tuple[tuple[str, str], ...] = ()
    weeks: Mapping[date, tuple[str, float]] = field(default_factory=dict)
    week: str = ""

    def __post_init__(self) -> None:
        if len(self.weekdays) != 7:
            raise CalendarNotDrawable(f"a week has seven days, not {len(self.weekdays)}")
        if not 1 <= len(self.months) <= MOST_MONTHS:
            raise CalendarNotDrawable(f"it shows one to {MOST_MONTHS} months, not {len(self.months)}")
        firsts = sorted(self.months)
        in_a_row = all(after == _next_month(first) for first, after in pairwise(firsts))
        if firsts[0].day != 1 or not in_a_row:
            raise CalendarNotDrawable("its months are not first days of months in a row")

    def to_dict(self) -> dict[str, Any]:
        """Return the picture's data as JSON knows them; ``from_dict`` reads them back."""
        return {
            "title": self.title,
            "subtitle": self.subtitle,
            "weekdays": list(self.weekdays),
            "months": {first.isoformat(): name for first, name in self.months.items()},
            "days": {day.isoformat(): status.value for day, status in self.days.items()},
            "legend": {status.value: label for status, label in self.legend.items()},
            "figures": [list(figure) for figure in self.figures],
            "marks": {day.isoformat(): mark for day, mark in self.marks.items()},
            "mark_legend": [list(pair) for pair in self.mark_legend],
            "weeks": {monday.isoformat(): list(share) for monday, share in self.weeks.items()},
            "week": self.week,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "CalendarPicture":
        """Read what ``to_dict`` wrote, also after a way through JSON.

        Raises:
            CalendarNotDrawable: a part is missing, or is no date, status or pair.
        """
        try:
            return cls(
                title=data["title"],
                subtitle=data["subtitle"],
                weekdays=tuple(data["weekdays"]),
                months={date.fromisoformat(first): name for first, name in data["months"].items()},
                days={date.fromisoformat(day): DoseStatus(status) for day, status in data["days"].items()},
                legend={DoseStatus(status): label for status, label in data["legend"].items()},
                figures=tuple((label, value) for label, value in data["figures"]),
                marks={date.fromisoformat(day): mark for day, mark in data["marks"].items()},
                mark_legend=tuple((mark, label) for mark, label in data["mark_legend"]),
                weeks={date.fromisoformat(day): (said, share) for day, (said, share) in data["weeks"].items()},
                week=data["week"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CalendarNotDrawable(f"stored data cannot be read: {error!r}") from error


class Sign(NamedTuple):
    """Where the sign of a status stands in its field: its middle, and half its height."""

    x: float
    y: float
    size: float


# All lengths are pixels. The width is that of a common phone, so nothing is scaled before it is seen.
WIDTH = 1080
MARGIN = 36
GUTTER = 132  # Left of the weeks, for the names of the months.
GAP = 8
CORNER = 10
NUMBER_BOTTOM = 42  # Of a day's number, from the upper edge of its field.
SHARES = 116  # Right of the weeks, for the share of each, where there are any.
SMOOTH = 4  # Shapes are drawn this much larger and scaled down, for Pillow draws jagged edges.

PALE_TEXT = "#9A9A9A"
RULE = "#C8C8C8"
PANEL = "#F1F4F7"
GREY = "#7A7A7A"
MARK_FILL = "#F0E442"


def adherence_calendar_png(data: CalendarPicture) -> bytes:
    """Return a PNG 1080 pixels wide: headline figure, one row of days a week, legend.

    Weeks at either end in which nothing was ordered are left out.
    Raises:
        FontMissing: there is no font to write with.
    """
    weeks = _weeks_worth_showing(data)
    cell_height = _cell_height(len(weeks))
    # Nothing is as tall as six months of weeks with a legend and a long title; the rest is cut off below.
    canvas = Image.new("RGB", (WIDTH, 1800 + len(weeks) * (cell_height + GAP)), PAPER)
    y = _draw_title(canvas, data, MARGIN)
    y = _draw_figures(canvas, data, y)
    y = _draw_weeks(canvas, data, weeks, cell_height, y)
    y = _draw_legend(canvas, data, y)
    return png(canvas, y + MARGIN, 64)


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _weeks_worth_showing(data: CalendarPicture) -> list[date]:
    """Return the Mondays of the weeks to draw; all weeks if in none of them anything was ordered."""
    first, end = min(data.months), _next_month(max(data.months))
    monday = first - timedelta(days=first.weekday())
    mondays = [monday + timedelta(weeks=week) for week in range(math.ceil((end - monday).days / 7))]
    filled = [number for number, start in enumerate(mondays) if _says_something(data, start)]
    return mondays[filled[0] : filled[-1] + 1] if filled else mondays


def _says_something(data: CalendarPicture, monday: date) -> bool:
    week = [monday + timedelta(days=offset) for offset in range(7)]
    return any(
        day in data.marks or data.days.get(day, DoseStatus.NOT_ORDERED) != DoseStatus.NOT_ORDERED for day in week
    )


def _cell_height(weeks: int) -> int:
    """Return the height of a day, the smaller the more weeks there are."""
    if weeks <= 6:
        return 108
    return 86 if weeks <= 15 else 76


def _draw_title(canvas: Image.Image, data: CalendarPicture, y: int) -> int:
    """Write title and subtitle from ``y`` on; return where the next part begins (as all drawing parts do)."""
    draw = ImageDraw.Draw(canvas)
    room = WIDTH - 2 * MARGIN
    for text, face, step, ink in (
        (data.title, font(50, bold=True), 66, TEXT),
        (data.subtitle, font(34), 46, SOFT_TEXT),
    ):
        for line in wrap(drawable(text), face, room) if text else []:
            draw.text((MARGIN, y + step / 2), line, fill=ink, font=face, anchor="lm")
            y += step
    return y + 20


def _draw_figures(canvas: Image.Image, data: CalendarPicture, y: int) -> int:
    """Write the first figure large on the left, the others as short table on the right."""
    if not data.figures:
        return y
    (headline_label, headline), *others = data.figures
    left_width = 470 if others else WIDTH - 2 * MARGIN - 60
    label_face = font(32)
    label_lines = wrap(drawable(headline_label), label_face, left_width)
    row_height = 54
    height = max(150 + 44 * len(label_lines), row_height * len(others)) + 48
    _paste_shape(canvas, (MARGIN, y, WIDTH - MARGIN, y + height), lambda draw, box: _rounded(draw, box, 24, PANEL))
    draw = ImageDraw.Draw(canvas)
    top = y + (height - 150 - 44 * len(label_lines)) / 2
    headline, value_face = fitted(drawable(headline), 150, left_width, bold=True)
    draw.text((MARGIN + 30, top + 70), headline, fill=TEXT, font=value_face, anchor="lm")
    for number, line in enumerate(label_lines):
        draw.text((MARGIN + 32, top + 150 + 44 * number + 20), line, fill=SOFT_TEXT, font=label_face, anchor="lm")
    left, right = MARGIN + 30 + left_width + 40, WIDTH - MARGIN - 32
    row = y + (height - row_height * len(others)) / 2 + row_height / 2
    for label, value in others:
        value, face = fitted(drawable(value), 38, (right - left) / 2, bold=True)
        draw.text((right, row), value, fill=TEXT, font=face, anchor="rm")
        label, label_face = fitted(drawable(label), 34, right - left - face.getlength(value) - 16)
        draw.text((left, row), label, fill=TEXT, font=label_face, anchor="lm")
        row += row_height
    return y + height + 28


def _draw_weeks(canvas: Image.Image, data: CalendarPicture, weeks: list[date], cell_height: int, y: int) -> int:
    draw = ImageDraw.Draw(canvas)
    for column, name in enumerate(data.weekdays):
        left, right = _column(data, column)
        middle = (left + right) / 2
        name, face = fitted(drawable(name), 34, right - left, bold=True)
        draw.text((middle, y + 24), name, fill=SOFT_TEXT, font=face, anchor="mm")
    if data.weeks:
        head, face = fitted(drawable(data.week), 34, SHARES - 12, bold=True)
        draw.text((WIDTH - MARGIN, y + 24), head, fill=SOFT_TEXT, font=face, anchor="rm")
    y += 56
    named: set[date] = set()
    for monday in weeks:
        starting: list[str] = []
        for column in range(7):
            day = monday + timedelta(days=column)
            month = day.replace(day=1)
            if month not in data.months:
                continue
            if month not in named:
                named.add(month)
                starting.append(data.months[month])
            _draw_day(
                canvas,
                data,
                day,
                (_column(data, column)[0], y, _column(data, column)[1], y + cell_height),
            )
        _draw_month_names(draw, starting, y, cell_height)
        if monday in data.weeks:
            _draw_share(canvas, *data.weeks[monday], y, cell_height)
        _draw_month_border(draw, data, monday, y, cell_height, first_row=monday == weeks[0])
        y += cell_height + GAP
    return y + 20


def _column(data: CalendarPicture, column: int) -> tuple[int, int]:
    """Return where the fields of a day of the week begin and end."""
    room = _right(data) - MARGIN - GUTTER
    width = (room - 6 * GAP) // 7
    left = MARGIN + GUTTER + column * (width + GAP)
    return left, left + width


def _right(data: CalendarPicture) -> int:
    """Return where the days end."""
    return WIDTH - MARGIN - (SHARES if data.weeks else 0)


def _draw_share(canvas: Image.Image, said: str, share: float, y: int, cell_height: int) -> None:
    """Write the share of a week and draw it as a bar that fills from the left."""
    left, right, middle = WIDTH - MARGIN - SHARES + 20, WIDTH - MARGIN, y + cell_height / 2
    said, face = fitted(drawable(said), 32, right - left, bold=True)
    draw = ImageDraw.Draw(canvas)
    draw.text((right, middle - 10), said, fill=TEXT, font=face, anchor="rm")
    draw.rectangle((left, middle + 14, right, middle + 26), outline=GREY, width=2)
    if share > 0:
        draw.rectangle((left, middle + 14, left + (right - left) * share, middle + 26), fill=TEXT)


def _draw_month_names(draw: Draw, names: list[str], y: int, cell_height: int) -> None:
    """Write the names of the months that begin in this row, each word on its line where one is too wide."""
    room = GUTTER - 16
    # A word is made smaller rather than broken; Chinese has no spaces and may be broken anywhere.
    lines = [
        line
        for name in names
        for line in (name.split() if " " in name else wrap(drawable(name), font(30, bold=True), room))
    ]
    step = min(38, cell_height / max(len(lines), 1))
    top = y + (cell_height - step * len(lines)) / 2
    for number, line in enumerate(lines):
        line, face = fitted(line, min(30, round(step * 0.8)), room, bold=True)
        draw.text((MARGIN, top + (number + 0.5) * step), line, fill=TEXT, font=face, anchor="lm")


def _draw_month_border(
    draw: Draw, data: CalendarPicture, monday: date, y: int, cell_height: int, first_row: bool
) -> None:
    """Draw the step between two months through the gaps of the row in which the second one begins."""
    for column in range(7):
        day = monday + timedelta(days=column)
        if day.day != 1 or day == min(data.months) or day not in data.months or (first_row and column == 0):
            continue
        above, below = y - GAP / 2 - 1, y + cell_height + GAP / 2 - 1
        left, right = MARGIN + GUTTER, _right(data)
        turn = _column(data, column)[0] - GAP / 2 - 1
        path = [(turn, above), (right, above)] if not first_row else [(turn, above)]
        if column:
            path = [(left, below), (turn, below), *path]
        draw.line(path, fill=TEXT, width=4, joint="curve")


def _draw_day(canvas: Image.Image, data: CalendarPicture, day: date, box: tuple[int, int, int, int]) -> None:
    """Draw one day: its number at the upper left, a mark below it, the sign of its status on the right."""
    left, top, right, bottom = box
    status = data.days.get(day, DoseStatus.NOT_ORDERED)
    canvas.paste(_tile(status, right - left, bottom - top, True), (left, top))
    ink = {DoseStatus.TAKEN: PAPER, DoseStatus.NOT_ORDERED: PALE_TEXT}.get(status, TEXT)
    face = font(32 if bottom - top > 70 else 28, bold=True)
    ImageDraw.Draw(canvas).text((left + 12, top + NUMBER_BOTTOM / 2 + 2), str(day.day), ink, face, "lm")
    if mark := drawable(data.marks.get(day, "")):
        room = min(bottom - top - NUMBER_BOTTOM - 4, 40)
        _draw_mark(canvas, mark, (left + 8, bottom - 5 - room, left + 50, bottom - 5))


def _draw_mark(canvas: Image.Image, mark: str, box: tuple[int, int, int, int]) -> None:
    """Draw a mark's letters on a label that fills ``box``."""
    left, top, right, bottom = box
    _paste_shape(canvas, box, lambda draw, area: _rounded(draw, area, 9, MARK_FILL, TEXT, 2))
    mark, face = fitted(mark, round((bottom - top) * 0.76), right - left - 6, bold=True, smallest=12)
    ImageDraw.Draw(canvas).text(((left + right) / 2, (top + bottom) / 2), mark, TEXT, face, "mm")


def _draw_legend(canvas: Image.Image, data: CalendarPicture, y: int) -> int:
    """Draw each status with its meaning, two in a row, then the marks."""
    draw = ImageDraw.Draw(canvas)
    draw.line((MARGIN, y, WIDTH - MARGIN, y), fill=RULE, width=2)
    y += 20
    entries: list[tuple[DoseStatus | str, str]] = [
        (status, data.legend[status]) for status in DoseStatus if status in data.legend
    ]
    entries += data.mark_legend
    column_width, tile_width, tile_height, step = (WIDTH - 2 * MARGIN) // 2, 84, 56, 70
    for number, (sign, label) in enumerate(entries):
        x = MARGIN + (number % 2) * column_width
        middle = y + (number // 2) * step + step // 2
        if isinstance(sign, DoseStatus):
            canvas.paste(_tile(sign, tile_width, tile_height, False), (x, middle - tile_height // 2))
        else:
            _draw_mark(canvas, drawable(sign), (x + 21, middle - 19, x + 63, middle + 19))
        label, face = fitted(drawable(label), 34, column_width - tile_width - 36)
        draw.text((x + tile_width + 18, middle), label, fill=TEXT, font=face, anchor="lm")
    return y + math.ceil(len(entries) / 2) * step


@lru_cache(maxsize=64)
def _tile(status: DoseStatus, width: int, height: int, numbered: bool) -> Image.Image:
    """Return the field of a day with this status; ``numbered`` leaves room for the day's number."""
    large = Image.new("RGB", (width * SMOOTH, height * SMOOTH), PAPER)
    field_box = (0, 0, large.width - 1, large.height - 1)
    sign = Sign(large.width / 2, large.height / 2, large.height * 0.27)
    if numbered:
        # Beside the number, which has two digits on most days.
        sign = Sign(large.width * 0.74, large.height * 0.54, min(large.height * 0.27, large.width * 0.17))
    TILES[status](ImageDraw.Draw(large), field_box, sign)
    if numbered and status == DoseStatus.HELD:
        corner = (4 * SMOOTH, 4 * SMOOTH, 54 * SMOOTH, NUMBER_BOTTOM * SMOOTH)
        _rounded(ImageDraw.Draw(large), corner, 8, PAPER)
    shape = Image.new("L", large.size, 0)
    ImageDraw.Draw(shape).rounded_rectangle(field_box, CORNER * SMOOTH, fill=255)
    tile = Image.composite(large, Image.new("RGB", large.size, PAPER), shape)
    return tile.resize((width, height), Image.Resampling.LANCZOS)


def _paste_shape(canvas: Image.Image, box: tuple[int, int, int, int], shape: Callable[[Draw, Box], None]) -> None:
    """Draw ``shape`` into ``box`` of the canvas with smooth edges, over what is there."""
    left, top, right, bottom = box
    size = (right - left, bottom - top)
    large = canvas.crop(box).resize((size[0] * SMOOTH, size[1] * SMOOTH), Image.Resampling.NEAREST)
    shape(ImageDraw.Draw(large), (0, 0, large.width - 1, large.height - 1))
    canvas.paste(large.resize(size, Image.Resampling.LANCZOS), (left, top))


def _rounded(draw: Draw, box: Box, radius: int, fill: str, edge: str | None = None, edge_width: int = 0) -> None:
    draw.rounded_rectangle(box, radius * SMOOTH, fill=fill, outline=edge, width=edge_width * SMOOTH)


def _stroke(draw: Draw, points: list[tuple[float, float]], ink: str, width: float) -> None:
    """Draw a thick line with round ends."""
    draw.line(points, fill=ink, width=round(width), joint="curve")
    for x, y in points:
        draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=ink)


def _taken(draw: Draw, box: Box, sign: Sign) -> None:
    """Filled, with a tick."""
    _rounded(draw, box, CORNER, BLUE)
    x, y, size = sign
    tick = [(x - size, y), (x - size * 0.3, y + size * 0.7), (x + size, y - size * 0.7)]
    _stroke(draw, tick, PAPER, size * 0.36)


def _partly(draw: Draw, box: Box, sign: Sign) -> None:
    """Filled from the lower edge to half its height."""
    _, _, width, height = box
    edge = 4 * SMOOTH
    _rounded(draw, box, CORNER, BLUE)
    upper_half = (edge, edge, width - edge, height * 0.55)
    draw.rounded_rectangle(upper_half, 7 * SMOOTH, fill=PAPER, corners=(True, True, False, False))


def _not_taken(draw: Draw, box: Box, sign: Sign) -> None:
    """A cross in a thick frame."""
    _rounded(draw, box, CORNER, PAPER, VERMILLION, 5)
    x, y, size = sign
    _stroke(draw, [(x - size, y - size), (x + size, y + size)], VERMILLION, size * 0.46)
    _stroke(draw, [(x - size, y + size), (x + size, y - size)], VERMILLION, size * 0.46)


def _unknown(draw: Draw, box: Box, sign: Sign) -> None:
    """A question mark in a thin frame."""
    _rounded(draw, box, CORNER, PAPER, GREY, 3)
    draw.text((sign.x, sign.y), "?", fill=TEXT, font=font(round(sign.size * 2.6), bold=True), anchor="mm")


def _not_delivered(draw: Draw, box: Box, sign: Sign) -> None:
    """A closed envelope, struck through: the question never arrived."""
    _rounded(draw, box, CORNER, PAPER, GREY, 3)
    x, y, size = sign
    left, top, right, bottom = x - size * 1.2, y - size * 0.8, x + size * 1.2, y + size * 0.8
    draw.rectangle((left, top, right, bottom), outline=TEXT, width=round(size * 0.22))
    _stroke(draw, [(left, top), (x, y + size * 0.15), (right, top)], TEXT, size * 0.2)
    _stroke(draw, [(x - size * 1.2, y + size), (x + size * 1.2, y - size)], VERMILLION, size * 0.34)


def _held(draw: Draw, box: Box, sign: Sign) -> None:
    """Hatched."""
    _, _, width, height = box
    for start in range(-int(height), int(width), 15 * SMOOTH):
        draw.line((start, height, start + height, 0), fill=GREY, width=3 * SMOOTH)
    draw.rounded_rectangle(box, CORNER * SMOOTH, outline=GREY, width=3 * SMOOTH)


def _not_ordered(draw: Draw, box: Box, sign: Sign) -> None:
    """Nothing was ordered, so there is nothing to see but the number."""


TILES: Mapping[DoseStatus, Callable[[Draw, Box, Sign], None]] = {
    DoseStatus.TAKEN: _taken,
    DoseStatus.PARTLY: _partly,
    DoseStatus.NOT_TAKEN: _not_taken,
    DoseStatus.UNKNOWN: _unknown,
    DoseStatus.NOT_DELIVERED: _not_delivered,
    DoseStatus.HELD: _held,
    DoseStatus.NOT_ORDERED: _not_ordered,
}
