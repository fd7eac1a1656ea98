"""Does the course of symptoms show each week as it was, to any reader on any screen?"""

import io
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from bot.domain.course import State
from bot.pictures import course, paint
from bot.pictures.course import MARKS, Bar, CourseNotDrawable, CoursePicture, PictureRow, course_png

SEEN = sorted(MARKS - {str(State.NOT_ASKED)})


def picture(weeks: int = 4, **changes: Any) -> CoursePicture:
    """Return a course in which one symptom was asked about each week and never reported."""
    plain = CoursePicture(
        title="S-001 症状经过",
        subtitle="第1–4周",
        headline="最紧急：出血",
        week="周",
        weeks=tuple((number, f"2026年{10 + number // 4}月") for number in range(1, weeks + 1)),
        checkin=("每周问答", ("nothing",) * weeks),
        rows=(
            PictureRow("发热、感染", ("nothing",) * weeks, None),
            PictureRow("乏力、头晕", ("not_asked",) * weeks, (0,) * weeks),
        ),
        score="自评 0–4",
        events=(),
        events_title="不良事件",
        legend={mark: mark for mark in sorted(MARKS)},
        score_legend="0没有，4最重",
    )
    return replace(plain, **changes)


def opened(data: CoursePicture) -> Image.Image:
    return Image.open(io.BytesIO(course_png(data))).convert("RGB")


@pytest.mark.parametrize("weeks", [1, 2, 4, 12, 26])
def test_any_period_fits_a_telegram_photo(weeks: int) -> None:
    rows = tuple(PictureRow(f"第{number}种症状", ("red_120",) * weeks, (4,) * weeks) for number in range(16))
    bars = tuple(Bar("Upper gastrointestinal haemorrhage", 0, weeks - 1, True, "3") for _ in range(8))
    content = course_png(picture(weeks, rows=rows, events=bars))
    found = Image.open(io.BytesIO(content))
    assert found.format == "PNG"
    assert found.width == 1280
    # Telegram refuses photos whose width and height together exceed 10,000, and those above 10 MB.
    assert found.width + found.height <= 10_000
    assert len(content) < 1_000_000
    last = found.convert("L").crop((0, found.height - 20, found.width, found.height))
    assert last.getextrema() == (255, 255), "nothing is cut off below"


@pytest.mark.parametrize("width", [33, 44, 127])
@pytest.mark.parametrize(("one", "other"), list(combinations(SEEN, 2)))
def test_two_marks_differ_in_black_and_white_at_any_width(one: str, other: str, width: int) -> None:
    fields = [course._tile(mark, width, course.ROW).convert("L") for mark in (one, other)]
    different = sum(ImageChops.difference(*fields).histogram()[60:])
    assert different > 80, "so many pixels of a sign are clearly lighter or darker"


@pytest.mark.parametrize(("less", "more"), [("yellow", "amber"), ("amber", "red_come"), ("red_come", "red_120")])
def test_what_is_more_urgent_is_darker(less: str, more: str) -> None:
    light, dark = (ImageStat.Stat(course._tile(mark, 60, course.ROW).convert("L")).mean[0] for mark in (less, more))
    assert light - dark > 15


@pytest.mark.parametrize("mark", SEEN)
def test_a_changed_week_changes_the_picture(mark: str) -> None:
    before = picture()
    changed = replace(before.rows[0], marks=("nothing", mark, "nothing", "nothing"))
    after = replace(before, rows=(changed, *before.rows[1:]))
    assert (opened(before).tobytes() == opened(after).tobytes()) is (mark == "nothing")


def test_a_week_that_nobody_asked_about_is_empty_and_an_asked_one_is_not() -> None:
    empty = picture(rows=(PictureRow("发热", ("not_asked",) * 4, None),))
    asked = picture(rows=(PictureRow("发热", ("nothing",) * 4, None),))
    assert opened(empty).tobytes() != opened(asked).tobytes()


def test_an_event_that_goes_on_looks_otherwise_than_one_that_ended() -> None:
    bars = [(Bar("发热", 0, 2, goes_on, "2"),) for goes_on in (True, False)]
    one, other = (opened(picture(events=events)).tobytes() for events in bars)
    assert one != other


def test_emoji_in_a_text_do_not_become_boxes() -> None:
    assert opened(picture(headline="🧪 最紧急：出血")).tobytes() == opened(picture()).tobytes()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"weeks": ()}, id="no week"),
        pytest.param({"checkin": ("x", ("nothing",))}, id="a mark for one week of four"),
        pytest.param({"rows": (PictureRow("x", ("well",) * 4, None),)}, id="a mark that does not exist"),
        pytest.param({"rows": (PictureRow("x", ("reported",) * 4, None),)}, id="reported has no mark of its own"),
        pytest.param({"rows": (PictureRow("x", ("nothing",) * 4, (5,) * 4),)}, id="a score of 5"),
        pytest.param({"rows": (PictureRow("x", ("nothing",) * 4, (1,)),)}, id="a score for one week of four"),
        pytest.param({"events": (Bar("x", 0, 4, False, "2"),)}, id="an event after the last week"),
    ],
)
def test_data_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(CourseNotDrawable):
        replace(picture(), **changes)


@pytest.mark.parametrize("missing", ["title", "rows", "weeks", "legend"])
def test_stored_data_without_a_part_are_refused(missing: str) -> None:
    stored = {"kind": "course", "title": "x", "rows": [], "weeks": [[1, "x"]], "legend": {}}
    stored.pop(missing)
    with pytest.raises(CourseNotDrawable):
        paint(stored)
