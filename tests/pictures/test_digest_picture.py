"""Can the picture of a week be read on a phone, in grey, with much, little and nothing in it?"""

import io
from typing import Any

import pytest
from PIL import Image

from bot.pictures import paint
from bot.pictures.digest import DigestNotDrawable

DAYS = [["一", "11月9日", 4, True], ["二", "11月10日", 0, True], ["三", "11月11日", 0, False]]


def spec(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "kind": "digest",
        "title": "一周小结",
        "subtitle": "11月2日至11月8日",
        "todo": "现在要做",
        "tiles": [[number, name] for number, name in enumerate(["未结病例", "访视逾期", "tablets below 80 %"])],
        "week": "这段时间",
        "bars": [["完成的访视", 14, ""], ["错过的访视", 0, ""]],
        "cases": "新病例，接手用时中位数",
        "urgencies": [["🔴 红色", 1, "4 分钟"]],
        "ahead": "今后 7 天来诊人数",
        "days": DAYS,
        "closed": "休息",
    }
    return {**given, **changes}


def opened(data: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(paint(data))).convert("L")


def test_it_is_as_wide_as_a_phone_and_cut_where_it_ends() -> None:
    picture, short = opened(spec()), opened(spec(urgencies=[]))
    assert picture.width == short.width == 1080
    assert short.height < picture.height < 1600


def test_in_grey_a_box_with_something_is_dark_and_an_empty_one_is_light() -> None:
    picture = opened(spec())
    # A corner of each box, beside its number: the first is 0, the second 1.
    empty, filled = (picture.getpixel((40 + place * 255 + 20, 280)) for place in (0, 1))
    assert isinstance(empty, int)
    assert isinstance(filled, int)
    assert empty > 200
    assert filled < 90


def test_a_week_without_anything_is_drawn_too() -> None:
    tiles = [[0, "a"]] * 8
    picture = opened(spec(tiles=tiles, bars=[["held", 0, ""]], urgencies=[], days=[["Mon", "9 Nov", 0, True]]))
    assert picture.height > 600


def test_many_patients_and_long_names_stay_inside() -> None:
    picture = opened(
        spec(
            tiles=[[123456, "a very long name of something that has to be done at once"]],
            bars=[["a very long name of something that happened", 99999, "and what is said beside it, " * 5]],
            days=[[day, "30 September", 9999, True] for day in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")],
        )
    )
    edge = picture.crop((1070, 0, 1080, picture.height))
    assert edge.getextrema() == (255, 255)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"tiles": [["many", "open"]]}, id="a number that is none"),
        pytest.param({"days": [["Mon", "9 Nov", 1]]}, id="a day without its opening"),
        pytest.param({"bars": [["held", -1, ""]]}, id="less than nothing"),
    ],
)
def test_what_cannot_be_drawn_says_so(changes: dict[str, Any]) -> None:
    with pytest.raises(DigestNotDrawable):
        paint(spec(**changes))
