"""Does the adherence calendar show every day as it was, to any reader on any screen?"""

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import combinations
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from bot.domain.adherence import DoseStatus
from bot.pictures import adherence
from bot.pictures.adherence import (
    CalendarNotDrawable,
    CalendarPicture,
    adherence_calendar_png,
)

ZH_LEGEND = {
    DoseStatus.TAKEN: "已服用",
    DoseStatus.PARTLY: "服了一部分",
    DoseStatus.NOT_TAKEN: "未服用",
    DoseStatus.UNKNOWN: "未回答",
    DoseStatus.NOT_DELIVERED: "没送到",
    DoseStatus.HELD: "医嘱暂停",
}


def calendar(first: date = date(2026, 3, 1), month_count: int = 1, **changes: Any) -> CalendarPicture:
    """Return a calendar in which the days 4 to 29 of the first month were taken."""
    firsts = [first]
    while len(firsts) < month_count:
        firsts.append((firsts[-1] + timedelta(days=31)).replace(day=1))
    picture = CalendarPicture(
        title="S-001 服药情况",
        subtitle="2026年3月4日至3月29日",
        weekdays=tuple("一二三四五六日"),
        months={month: f"{month.year}年{month.month}月" for month in firsts},
        days={first + timedelta(days=offset): DoseStatus.TAKEN for offset in range(3, 29)},
        legend=ZH_LEGEND,
        figures=(("应服药日中已服", "100%"), ("已服用", "26 天"), ("未服用", "0 天")),
        marks={date(2026, 3, 4): "访"},
        mark_legend=(("访", "来院访视"),),
    )
    return replace(picture, **changes)


def opened(picture: CalendarPicture) -> Image.Image:
    return Image.open(io.BytesIO(adherence_calendar_png(picture))).convert("RGB")


@pytest.mark.parametrize("months", range(1, 7))
def test_any_period_of_one_to_six_months_fits_a_telegram_photo(months: int) -> None:
    first = date(2026, 3, 1)
    days = {first + timedelta(days=offset): DoseStatus.TAKEN for offset in range(30 * months)}
    content = adherence_calendar_png(calendar(month_count=months, days=days))
    picture = Image.open(io.BytesIO(content))
    assert picture.format == "PNG"
    assert picture.width == 1080
    # Telegram refuses photos whose width and height together exceed 10,000, and those above 10 MB.
    assert picture.width + picture.height <= 10_000
    assert len(content) < 1_000_000


def test_weeks_without_any_order_at_either_end_are_left_out() -> None:
    one_week = {date(2026, 3, 9) + timedelta(days=offset): DoseStatus.TAKEN for offset in range(7)}
    short, long = opened(calendar(days=one_week, marks={})), opened(calendar())
    assert short.height < long.height


def test_a_month_without_any_order_is_drawn_whole() -> None:
    assert opened(calendar(days={}, marks={})).height > opened(calendar()).height


def test_a_day_missing_from_the_data_is_drawn_as_not_ordered() -> None:
    with_it = calendar(days={date(2026, 3, 5): DoseStatus.TAKEN, date(2026, 3, 6): DoseStatus.NOT_ORDERED})
    without_it = calendar(days={date(2026, 3, 5): DoseStatus.TAKEN})
    assert opened(with_it).tobytes() == opened(without_it).tobytes()


@pytest.mark.parametrize(("one", "other"), list(combinations(DoseStatus, 2)))
def test_two_statuses_differ_in_shape_in_black_and_white(one: DoseStatus, other: DoseStatus) -> None:
    fields = [adherence._tile(status, 117, 86, True).convert("L") for status in (one, other)]
    # Pure black and white, as a bad copier leaves it.
    copies = [field.point(lambda grey: 255 if grey > 160 else 0) for field in fields]
    different = ImageStat.Stat(ImageChops.difference(*copies)).mean[0] / 255
    assert different > 0.03


@pytest.mark.parametrize("status", list(DoseStatus))
def test_a_changed_day_changes_the_picture(status: DoseStatus) -> None:
    before = calendar()
    after = replace(before, days={**before.days, date(2026, 3, 20): status})
    same = status == DoseStatus.TAKEN
    assert (opened(before).tobytes() == opened(after).tobytes()) is same


def test_a_mark_is_seen_also_on_a_day_without_order() -> None:
    assert opened(calendar()).tobytes() != opened(calendar(marks={})).tobytes()
    assert opened(calendar(marks={date(2026, 3, 2): "访"})).tobytes() != opened(calendar(marks={})).tobytes()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"title": "A title that is much longer than one line of a telephone " * 3}, id="title"),
        pytest.param({"figures": (("label " * 40, "100 %"), ("other " * 20, "12"))}, id="figures"),
        pytest.param({"figures": ()}, id="no figures"),
        pytest.param({"figures": (("days taken", "26 of 26"),)}, id="headline only"),
        pytest.param({"legend": {DoseStatus.TAKEN: "a long explanation " * 5}}, id="legend"),
        pytest.param({"months": {date(2026, 3, 1): "September 2026"}}, id="month"),
        pytest.param({"subtitle": "", "legend": {}, "mark_legend": ()}, id="little text"),
    ],
)
def test_long_and_missing_texts_still_make_a_picture(changes: Mapping[str, Any]) -> None:
    assert opened(calendar(**changes)).width == 1080


def test_nothing_of_a_tall_calendar_is_cut_off() -> None:
    picture = opened(calendar(title="很长的标题" * 60))
    last_row = picture.crop((0, picture.height - 30, picture.width, picture.height))
    assert last_row.getextrema() == ((255, 255), (255, 255), (255, 255))


def test_a_calendar_survives_its_way_through_json() -> None:
    before = calendar(month_count=2)
    after = CalendarPicture.from_dict(json.loads(json.dumps(before.to_dict(), ensure_ascii=False)))
    assert after == before
    assert adherence_calendar_png(after) == adherence_calendar_png(before)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param({"days": {"2026-03-05": "swallowed"}}, id="unknown status"),
        pytest.param({"days": {"5 March": "taken"}}, id="no date"),
        pytest.param({"figures": [["only a label"]]}, id="no pair"),
        pytest.param({"marks": None}, id="no marks"),
    ],
)
def test_damaged_stored_data_are_refused(damage: Mapping[str, Any]) -> None:
    with pytest.raises(CalendarNotDrawable, match="cannot be read"):
        CalendarPicture.from_dict({**calendar().to_dict(), **damage})


def test_stored_data_with_a_part_missing_are_refused() -> None:
    stored = calendar().to_dict()
    del stored["legend"]
    with pytest.raises(CalendarNotDrawable, match="legend"):
        CalendarPicture.from_dict(stored)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"weekdays": ("Mon", "Tue")}, "seven days", id="two weekdays"),
        pytest.param({"months": {}}, "one to 6 months", id="no month"),
        pytest.param({"months": {date(2026, 3, 2): "March"}}, "first days", id="second of March"),
        pytest.param(
            {"months": {date(2026, 3, 1): "March", date(2026, 5, 1): "May"}}, "in a row", id="April left out"
        ),
        pytest.param({"months": {date(2026, n, 1): str(n) for n in range(1, 8)}}, "not 7", id="seven months"),
    ],
)
def test_a_calendar_that_cannot_be_drawn_is_refused(changes: Mapping[str, Any], reason: str) -> None:
    with pytest.raises(CalendarNotDrawable, match=reason):
        calendar(**changes)


def test_months_may_cross_the_year() -> None:
    months = {date(2026, 12, 1): "2026年12月", date(2027, 1, 1): "2027年1月"}
    days = {date(2026, 12, 20) + timedelta(days=offset): DoseStatus.UNKNOWN for offset in range(28)}
    assert opened(calendar(months=months, days=days, marks={})).width == 1080
