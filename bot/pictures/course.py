"""When was which symptom how bad, and when is nothing known, at one glance on a phone?

Time runs to the right, a row a symptom. The darker a field, the more urgent, and each level has its own sign, so that
the picture also reads in black and white; ochre for what rules call urgent and blue for scores stay apart for
colour-blind eyes. Nobody asked is an empty place: white never means well.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

from PIL import Image, ImageDraw

from bot.domain.course import State
from bot.domain.urgency import Urgency
from bot.errors import FollowupError
from bot.pictures.canvas import PAPER, SOFT_TEXT, TEXT, png
from bot.pictures.fonts import drawable, fitted, font, wrap

Draw = ImageDraw.ImageDraw
Box = tuple[int, int, int, int]


class CourseNotDrawable(FollowupError):
    """The course of symptoms cannot be drawn from these data; the text says why."""


MOST_WEEKS = 26  # More columns than that are too narrow for a sign.
MARKS = frozenset({*(str(level) for level in Urgency), *(str(state) for state in State)} - {str(State.REPORTED)})


@dataclass(frozen=True, slots=True)
class PictureRow:
    """One symptom: a mark a week, and where it is scored, a score a week or None."""

    name: str
    marks: tuple[str, ...]
    scores: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True)
class Bar:
    """An adverse event from one week to another, counted from 0, with the investigator's grade."""

    name: str
    first: int
    last: int
    goes_on: bool
    grade: str


@dataclass(frozen=True, slots=True)
class CoursePicture:
    """All that a course of symptoms shows, in the reader's language.

    ``weeks`` are pairs of number and name of the month; every row has a mark for each of them.

    Raises:
        CourseNotDrawable: no week, too many, or a row that has marks for others; a mark or score that does not exist.
    """

    title: str
    subtitle: str
    headline: str
    week: str
    weeks: tuple[tuple[int, str], ...]
    checkin: tuple[str, tuple[str, ...]]
    rows: tuple[PictureRow, ...]
    score: str
    events: tuple[Bar, ...]
    events_title: str
    legend: Mapping[str, str]
    score_legend: str

    def __post_init__(self) -> None:
        many = len(self.weeks)
        if not 1 <= many <= MOST_WEEKS:
            raise CourseNotDrawable(f"it shows one to {MOST_WEEKS} weeks, not {many}")
        for name, marks in (self.checkin, *((row.name, row.marks) for row in self.rows)):
            if len(marks) != many or not MARKS.issuperset(marks):
                raise CourseNotDrawable(f"{name}: a mark for each week is needed, of those that exist")
        for row in self.rows:
            given = row.scores if row.scores is not None else (None,) * many
            if len(given) != many or any(score is not None and score not in SCORE_FILLS for score in given):
                raise CourseNotDrawable(f"{row.name}: a score of 0 to 4 or none for each week is needed")
        if any(not 0 <= bar.first <= bar.last < many for bar in self.events):
            raise CourseNotDrawable("an event lies outside the weeks")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "CoursePicture":
        """Read what a message keeps of its picture.

        Raises:
            CourseNotDrawable: a part is missing or is not what it should be.
        """
        try:
            return cls(
                title=data["title"],
                subtitle=data["subtitle"],
                headline=data["headline"],
                week=data["week"],
                weeks=tuple((int(number), str(month)) for number, month in data["weeks"]),
                checkin=(data["checkin"][0], tuple(data["checkin"][1])),
                rows=tuple(
                    PictureRow(
                        row["name"],
                        tuple(row["marks"]),
                        None if row["scores"] is None else tuple(row["scores"]),
                    )
                    for row in data["rows"]
                ),
                score=data["score"],
                events=tuple(Bar(**bar) for bar in data["events"]),
                events_title=data["events_title"],
                legend=dict(data["legend"]),
                score_legend=data["score_legend"],
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise CourseNotDrawable(f"stored data cannot be read: {error!r}") from error


# All lengths are pixels. Telegram shows a photo at 1280 at most, so nothing is scaled down before it is seen.
WIDTH = 1280
MARGIN = 30
LABELS = 300  # Left of the weeks, for the names of the rows.
WIDEST_CELL = 130
ROW = 42
SCORE_ROW = 29
GAP = 3
BETWEEN = 7  # Between two rows.
SMOOTH = 4  # Shapes are drawn this much larger and scaled down, for Pillow draws jagged edges.

RULE = "#C8C8C8"
BAND = "#F4F6F8"
GREY = "#8A8A8A"
EVENT = "#4A4A4A"
# The lighter a fill, the less urgent; also on a grey copy.
FILLS = {
    Urgency.RED_120: "#4A0D00",
    Urgency.RED_COME: "#B84300",
    Urgency.AMBER: "#F2A33A",
    Urgency.YELLOW: "#FBE7A1",
}
SIGNS = {Urgency.RED_120: "!!", Urgency.RED_COME: "!", Urgency.AMBER: "▲", Urgency.YELLOW: "●"}
SIGN_HEIGHTS = {Urgency.RED_120: 0.78, Urgency.RED_COME: 0.78, Urgency.AMBER: 0.6, Urgency.YELLOW: 0.36}
SCORE_FILLS = {0: "#FFFFFF", 1: "#D9E8F5", 2: "#9CC6E6", 3: "#3F86BD", 4: "#08416F"}
DARK_SCORES = (3, 4)


def course_png(data: CoursePicture) -> bytes:
    """Return a PNG 1280 pixels wide: what is most urgent, a row a symptom, adverse events, legend.

    Raises:
        FontMissing: there is no font to write with.
    """
    height = 900 + sum(_height(row) + BETWEEN for row in data.rows) + 60 * len(data.events)
    canvas = Image.new("RGB", (WIDTH, height), PAPER)
    cell = min(WIDEST_CELL, (WIDTH - 2 * MARGIN - LABELS) // len(data.weeks))
    y = _draw_head(canvas, data, MARGIN - 8)
    y = _draw_weeks(canvas, data, cell, y)
    y = _draw_rows(canvas, data, cell, y)
    y = _draw_events(canvas, data, cell, y)
    y = _draw_legend(canvas, data, y)
    return png(canvas, y + MARGIN, 128)


def _height(row: PictureRow) -> int:
    return ROW + (SCORE_ROW + GAP if row.scores is not None else 0)


def _left(column: int, cell: int) -> int:
    return MARGIN + LABELS + column * cell


def _draw_head(canvas: Image.Image, data: CoursePicture, y: int) -> int:
    """Write title, period and headline from ``y`` on; return where the next part begins (as all drawing parts do)."""
    draw = ImageDraw.Draw(canvas)
    room = WIDTH - 2 * MARGIN
    for text, face, step, ink in (
        (data.title, font(46, bold=True), 58, TEXT),
        (data.subtitle, font(30), 42, SOFT_TEXT),
        (data.headline, font(38, bold=True), 54, TEXT),
    ):
        for line in wrap(drawable(text), face, room) if text else []:
            draw.text((MARGIN, y + step / 2), line, fill=ink, font=face, anchor="lm")
            y += step
    return y + 12


def _draw_weeks(canvas: Image.Image, data: CoursePicture, cell: int, y: int) -> int:
    """Write the months over their weeks, then the numbers of the weeks."""
    draw = ImageDraw.Draw(canvas)
    column = 0
    for month, group in groupby(data.weeks, key=lambda week: week[1]):
        many = len(list(group))
        left, right = _left(column, cell), _left(column + many, cell) - GAP
        draw.line((left, y + 36, right, y + 36), fill=GREY, width=2)
        name, face = fitted(drawable(month), 22, right - left, smallest=18)
        if name and not name.endswith("…"):
            draw.text((left, y + 18), name, fill=SOFT_TEXT, font=face, anchor="lm")
        column += many
    y += 42
    name, face = fitted(drawable(data.week), 28, LABELS - 16)
    draw.text((MARGIN, y + 18), name, fill=SOFT_TEXT, font=face, anchor="lm")
    for number, (week, _) in enumerate(data.weeks):
        middle = _left(number, cell) + (cell - GAP) / 2
        said, face = fitted(str(week), 26, cell - GAP, bold=True, smallest=16)
        draw.text((middle, y + 18), said, fill=TEXT, font=face, anchor="mm")
    return y + 42


def _draw_rows(canvas: Image.Image, data: CoursePicture, cell: int, y: int) -> int:
    name, marks = data.checkin
    rows = (PictureRow(name, marks, None), *data.rows)
    for number, row in enumerate(rows):
        height = _height(row)
        if number % 2 == 0:
            right = _left(len(data.weeks), cell) - GAP
            ImageDraw.Draw(canvas).rectangle((MARGIN - 8, y - 3, right, y + height + 3), fill=BAND)
        _draw_label(canvas, row, data.score, y, soft=number == 0)
        for column, mark in enumerate(row.marks):
            if mark != State.NOT_ASKED:
                canvas.paste(_tile(mark, cell - GAP, ROW), (_left(column, cell), y))
        for column, score in enumerate(row.scores or ()):
            if score is not None:
                place = (_left(column, cell), y + ROW + GAP)
                canvas.paste(_score_tile(score, cell - GAP, SCORE_ROW), place)
        y += height + BETWEEN
    return y + 6


def _draw_label(canvas: Image.Image, row: PictureRow, score: str, y: int, *, soft: bool) -> None:
    draw = ImageDraw.Draw(canvas)
    name, face = fitted(drawable(row.name), 31, LABELS - 14, bold=not soft)
    draw.text((MARGIN, y + ROW / 2), name, fill=TEXT, font=face, anchor="lm")
    if row.scores is not None:
        name, face = fitted(drawable(score), 24, LABELS - 14)
        draw.text((MARGIN, y + ROW + GAP + SCORE_ROW / 2), name, fill=SOFT_TEXT, font=face, anchor="lm")


def _draw_events(canvas: Image.Image, data: CoursePicture, cell: int, y: int) -> int:
    """Draw each adverse event as a bar with its grade; one that goes on has no end."""
    if not data.events:
        return y
    draw = ImageDraw.Draw(canvas)
    draw.line((MARGIN, y, WIDTH - MARGIN, y), fill=RULE, width=2)
    y += 10
    title, face = fitted(drawable(data.events_title), 30, WIDTH - 2 * MARGIN, bold=True)
    draw.text((MARGIN, y + 21), title, fill=TEXT, font=face, anchor="lm")
    y += 46
    for bar in data.events:
        name, face = fitted(drawable(bar.name), 28, LABELS - 14)
        draw.text((MARGIN, y + ROW / 2), name, fill=TEXT, font=face, anchor="lm")
        left, right = _left(bar.first, cell), _left(bar.last + 1, cell) - GAP
        draw.rectangle((left, y + 5, right, y + ROW - 5), fill=PAPER, outline=EVENT, width=3)
        if bar.goes_on:
            draw.rectangle((right - 3, y + 8, right, y + ROW - 8), fill=PAPER)
        grade, face = fitted(bar.grade, 28, cell - GAP - 6, bold=True, smallest=16)
        draw.text((left + (cell - GAP) / 2, y + ROW / 2), grade, fill=TEXT, font=face, anchor="mm")
        y += ROW + BETWEEN
    return y + 4


def _draw_legend(canvas: Image.Image, data: CoursePicture, y: int) -> int:
    """Draw each mark with its meaning, two in a row, then the scores."""
    draw = ImageDraw.Draw(canvas)
    draw.line((MARGIN, y, WIDTH - MARGIN, y), fill=RULE, width=2)
    y += 14
    column_width, tile, step = (WIDTH - 2 * MARGIN) // 2, 60, 52
    entries = [(mark, label) for mark, label in data.legend.items() if mark in MARKS]
    for number, (mark, label) in enumerate(entries):
        x, middle = MARGIN + (number % 2) * column_width, y + (number // 2) * step + step // 2
        box = (x, middle - 20, x + tile, middle + 20)
        if mark == State.NOT_ASKED:
            draw.rectangle(box, outline=RULE, width=1)
        else:
            canvas.paste(_tile(mark, tile, 40), box[:2])
        label, face = fitted(drawable(label), 29, column_width - tile - 32)
        draw.text((x + tile + 16, middle), label, fill=TEXT, font=face, anchor="lm")
    y += math.ceil(len(entries) / 2) * step
    if any(row.scores is not None for row in data.rows):
        for score in SCORE_FILLS:
            canvas.paste(_score_tile(score, 44, SCORE_ROW), (MARGIN + score * 48, y + 10))
        label, face = fitted(drawable(data.score_legend), 29, WIDTH - 2 * MARGIN - 5 * 48 - 16)
        draw.text((MARGIN + 5 * 48 + 14, y + 26), label, fill=TEXT, font=face, anchor="lm")
        y += step
    return y


@lru_cache(maxsize=256)
def _tile(mark: str, width: int, height: int) -> Image.Image:
    """Return the field of a mark."""
    large = Image.new("RGB", (width * SMOOTH, height * SMOOTH), PAPER)
    draw = ImageDraw.Draw(large)
    _TILES[mark](draw, (0, 0, large.width - 1, large.height - 1))
    return large.resize((width, height), Image.Resampling.LANCZOS)


@lru_cache(maxsize=64)
def _score_tile(score: int, width: int, height: int) -> Image.Image:
    tile = Image.new("RGB", (width, height), SCORE_FILLS[score])
    draw = ImageDraw.Draw(tile)
    draw.rectangle((0, 0, width - 1, height - 1), outline=RULE if score == 0 else SCORE_FILLS[score], width=1)
    ink = PAPER if score in DARK_SCORES else SOFT_TEXT if score == 0 else TEXT
    said, face = fitted(str(score), 26, width - 4, bold=score > 0, smallest=14)
    draw.text((width / 2, height / 2), said, ink, face, "mm")
    return tile


def _urgent(level: Urgency) -> Callable[[Draw, Box], None]:
    """Filled, with the sign of its level."""

    def paint(draw: Draw, box: Box) -> None:
        draw.rectangle(box, fill=FILLS[level])
        ink = PAPER if level.is_red else TEXT
        size = round(box[3] * SIGN_HEIGHTS[level])
        sign, face = fitted(SIGNS[level], size, box[2] * 0.9, bold=True)
        draw.text((box[2] / 2, box[3] / 2), sign, ink, face, "mm")

    return paint


def _framed(draw: Draw, box: Box) -> None:
    draw.rectangle(box, fill=PAPER, outline=RULE, width=SMOOTH)


def _named(draw: Draw, box: Box) -> None:
    """A ring: reported, and no rule calls it urgent."""
    _framed(draw, box)
    size = min(box[2], box[3]) * 0.24
    middle = box[2] / 2, box[3] / 2
    ring = (middle[0] - size, middle[1] - size, middle[0] + size, middle[1] + size)
    draw.ellipse(ring, outline=TEXT, width=3 * SMOOTH)


def _nothing(draw: Draw, box: Box) -> None:
    """A dash in a thin frame."""
    _framed(draw, box)
    half = min(box[2], box[3]) * 0.18
    middle = box[3] / 2
    draw.line((box[2] / 2 - half, middle, box[2] / 2 + half, middle), fill=GREY, width=3 * SMOOTH)


def _no_answer(draw: Draw, box: Box) -> None:
    """Hatched, with a question mark."""
    draw.rectangle(box, fill=PAPER)
    for start in range(-box[3], box[2], 10 * SMOOTH):
        draw.line((start, box[3], start + box[3], 0), fill=GREY, width=2 * SMOOTH)
    draw.rectangle(box, outline=GREY, width=2 * SMOOTH)
    size = min(box[3] * 0.36, box[2] * 0.34)
    middle = box[2] / 2, box[3] / 2
    draw.ellipse((middle[0] - size, middle[1] - size, middle[0] + size, middle[1] + size), fill=PAPER)
    draw.text(middle, "?", TEXT, font(round(size * 1.7), bold=True), "mm")


def _not_asked(draw: Draw, box: Box) -> None:
    """Nobody asked: there is nothing to see."""


_TILES: Mapping[str, Callable[[Draw, Box], None]] = {
    **{str(level): _urgent(level) for level in FILLS},
    str(Urgency.GREEN): _named,
    str(State.NOTHING): _nothing,
    str(State.NO_ANSWER): _no_answer,
    str(State.NOT_ASKED): _not_asked,
}
