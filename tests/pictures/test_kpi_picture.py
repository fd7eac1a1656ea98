"""Can the picture of waiting times be read on a phone, in grey, with many cases, few and none?"""

import io
from typing import Any

import pytest
from PIL import Image, ImageChops

from bot.pictures import paint
from bot.pictures.canvas import BLUE, PAPER, VERMILLION
from bot.pictures.kpi import WaitingNotDrawable

MARKS = [[1, "1 秒"], [60, "1 分钟"], [3_600, "1 小时"], [86_400, "1 天"], [604_800, "7 天"]]
LEGEND = {
    "median": "中位数",
    "ninety": "90% 在此之内",
    "worst": "最长",
    "target": "时限",
    "at_least": "至少这么久，还在等",
}


def row(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "name": "🔴 红色：61",
        "said": "3 分钟 · 10 分钟 · 25 分钟",
        "target": 600,
        "target_said": "时限 10 分钟",
        "median": [180.0, True],
        "ninety": [900.0, True],
        "worst": [1500.0, True],
    }
    return {**given, **changes}


def spec(*rows: dict[str, Any], **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "kind": "kpi",
        "title": "多久有人接手",
        "subtitle": "最近 28 天",
        "marks": MARKS,
        "rows": list(rows),
        "none": "这段时间没有病例。",
        "legend": LEGEND,
    }
    return {**given, **changes}


def opened(data: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(paint(data)))


def columns(picture: Image.Image, ink: str, *, above: int) -> set[int]:
    """Return in which columns there is this ink in the first row, before its legend."""
    # A mask of what is near the ink, column by column; edges are mixed with the ground.
    near = ImageChops.difference(picture.convert("RGB"), Image.new("RGB", picture.size, ink)).crop(
        (0, 170, 1080, above)
    )
    far = ImageChops.lighter(ImageChops.lighter(*near.split()[:2]), near.split()[2])
    mask = far.point([255] * 12 + [0] * 244)
    return {x for x in range(mask.width) if mask.crop((x, 0, x + 1, mask.height)).getbbox()}


@pytest.mark.parametrize("many", [1, 2, 5])
def test_it_has_the_width_of_a_phone_and_grows_by_rows(many: int) -> None:
    picture = opened(spec(*[row()] * many))
    assert (picture.format, picture.width) == ("PNG", 1080)
    assert picture.height - opened(spec(row())).height == (many - 1) * 232


def test_without_a_case_it_says_so() -> None:
    empty = opened(spec())
    assert empty.height < 400
    assert min(empty.convert("L").tobytes()) < 60


def test_the_limit_lies_between_what_is_shorter_and_what_is_longer() -> None:
    picture = opened(spec(row()))
    limit = columns(picture, VERMILLION, above=370)
    marks = columns(picture, BLUE, above=370)
    assert min(marks) < min(limit)
    assert max(limit) < max(marks)
    assert max(limit) - min(limit) < 12


def test_a_lower_bound_goes_on_to_the_right() -> None:
    exact, open_end = opened(spec(row())), opened(spec(row(worst=[1500.0, False])))
    assert max(columns(open_end, BLUE, above=370)) > max(columns(exact, BLUE, above=370)) + 20


def test_a_hollow_median_differs_from_a_full_one_in_grey() -> None:
    same: dict[str, Any] = {"ninety": [86_400.0, True], "worst": [86_400.0, True]}
    full, hollow = (opened(spec(row(median=[60.0, exact], **same))).convert("L") for exact in (True, False))
    assert full.tobytes() != hollow.tobytes()


@pytest.mark.parametrize("seconds", [0.0, 0.2, 31_536_000.0])
def test_times_off_the_axis_stay_inside_the_picture(seconds: float) -> None:
    ends: dict[str, Any] = {name: [seconds, False] for name in ("median", "ninety", "worst")}
    found = columns(opened(spec(row(**ends))), BLUE, above=370)
    assert found
    assert max(found) < 1080 - 4


def test_a_row_in_which_nothing_counts_shows_its_limit_alone() -> None:
    nothing = opened(spec(row(median=None, ninety=None, worst=None, said="—")))
    assert columns(nothing, BLUE, above=370) == set()
    assert columns(nothing, VERMILLION, above=370)


def test_long_words_do_not_leave_the_picture() -> None:
    long = opened(spec(row(name="May be serious " * 6, said="≥ 25 min · " * 12)))
    edge = long.convert("RGB").crop((1074, 0, 1080, 320))
    assert {colour for _, colour in edge.getcolors() or []} <= {(255, 255, 255), (241, 244, 247)}
    assert PAPER == "#FFFFFF"


@pytest.mark.parametrize("missing", ["title", "rows", "legend", "marks"])
def test_data_that_lack_a_part_are_refused(missing: str) -> None:
    data = spec(row())
    del data[missing]
    with pytest.raises(WaitingNotDrawable):
        paint(data)


def test_an_axis_needs_two_marks() -> None:
    with pytest.raises(WaitingNotDrawable):
        paint(spec(row(), marks=MARKS[:1]))
