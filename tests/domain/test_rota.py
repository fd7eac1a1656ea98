"""Who is on call at a moment, where nobody stands, where several do, and what a line of a rota file means."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.rota import (
    Level,
    Overlap,
    Shift,
    Span,
    Warned,
    filled,
    gaps,
    is_news,
    on_at,
    overlaps,
    pieces,
    without,
)
from bot.domain.rota_table import (
    CellUnreadable,
    TableUnreadable,
    read_day,
    read_level,
    read_table,
    read_time,
    span_of,
    template,
)

ANNE, BOB, CARL = 1, 2, 3
SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")


def at(hour: float, day: int = 2) -> datetime:
    return datetime(2026, 11, day, tzinfo=UTC) + timedelta(hours=hour)


def span(begin: float, end: float) -> Span:
    return Span(at(begin), at(end))


def shift(person: int, begin: float, end: float, level: Level = Level.FIRST) -> Shift:
    return Shift(person, level, span(begin, end))


DAY = span(0, 24)
ROUND = [shift(ANNE, 8, 20), shift(BOB, 20, 32), shift(BOB, -4, 8)]


@pytest.mark.parametrize(
    ("shifts", "hour", "absent", "on"),
    [
        pytest.param(ROUND, 8, (), (ANNE,), id="who begins at this minute is on"),
        pytest.param(ROUND, 20, (), (BOB,), id="who ends at this minute is not"),
        pytest.param(ROUND, 2, (), (BOB,), id="a night shift in the morning hours"),
        pytest.param(ROUND, 9, (ANNE,), (), id="who has left or cannot be reached is not on"),
        pytest.param([*ROUND, shift(CARL, 6, 10)], 9, (), (ANNE, CARL), id="two at one level are both on"),
        pytest.param([*ROUND, shift(CARL, 6, 10)], 9, (ANNE,), (CARL,), id="one of two cannot be reached"),
        pytest.param([shift(ANNE, 8, 12), shift(ANNE, 10, 14)], 11, (), (ANNE,), id="one person twice is one"),
        pytest.param([shift(ANNE, 8, 20, Level.SECOND)], 9, (), (), id="the second is not the first"),
        pytest.param([], 9, (), (), id="no shift at all"),
    ],
)
def test_who_is_on_at_a_moment(
    shifts: Sequence[Shift], hour: float, absent: Sequence[int], on: tuple[int, ...]
) -> None:
    assert on_at(shifts, Level.FIRST, at(hour), set(absent)) == on


@pytest.mark.parametrize(
    ("shifts", "absent", "open_"),
    [
        pytest.param(ROUND, (), [], id="a handover at the same minute leaves no gap"),
        pytest.param([shift(ANNE, 0, 8), shift(BOB, 8.25, 24)], (), [span(8, 8.25)], id="a quarter of an hour"),
        pytest.param([], (), [DAY], id="nobody all day"),
        pytest.param([shift(ANNE, -10, 40)], (), [], id="a shift that is longer than the day"),
        pytest.param([shift(ANNE, 24, 30)], (), [DAY], id="one that begins when the day is over"),
        pytest.param([shift(ANNE, -9, 0)], (), [DAY], id="one that ends when the day begins"),
        pytest.param(
            [shift(ANNE, 6, 12), shift(BOB, 8, 10)], (), [span(0, 6), span(12, 24)], id="one inside another"
        ),
        pytest.param(ROUND, (BOB,), [span(0, 8), span(20, 24)], id="the phone of one of them cannot be reached"),
        pytest.param(ROUND, (ANNE, BOB), [DAY], id="nobody can be reached"),
        pytest.param([*ROUND, shift(CARL, 18, 26)], (BOB,), [span(0, 8)], id="a second person covers the first"),
        pytest.param([shift(ANNE, 0, 24, Level.SECOND)], (), [DAY], id="a second covers no first"),
        pytest.param([shift(ANNE, 0, 13), shift(BOB, 13, 24)], (), [], id="a part that was swapped in the middle"),
    ],
)
def test_the_gaps_of_a_day(shifts: Sequence[Shift], absent: Sequence[int], open_: list[Span]) -> None:
    assert gaps(shifts, Level.FIRST, DAY, set(absent)) == open_


@pytest.mark.parametrize(
    ("shifts", "absent", "found"),
    [
        pytest.param(ROUND, (), [], id="handovers are no overlaps"),
        pytest.param([*ROUND, shift(CARL, 18, 22)], (),
                     [Overlap(span(18, 20), (ANNE, CARL)), Overlap(span(20, 22), (BOB, CARL))], id="over a handover"),
        pytest.param([*ROUND, shift(CARL, 18, 22)], (CARL,), [], id="one who cannot be reached"),
        pytest.param([shift(ANNE, 1, 9), shift(BOB, 1, 5), shift(BOB, 5, 9)], (), [Overlap(span(1, 9), (ANNE, BOB))],
                     id="two shifts of one person make one overlap"),
        pytest.param([shift(ANNE, -5, 30), shift(BOB, -5, 30)], (), [Overlap(DAY, (ANNE, BOB))],
                     id="no longer than what was asked for"),
    ],
)  # fmt: skip
def test_the_overlaps_of_a_day(shifts: Sequence[Shift], absent: Sequence[int], found: list[Overlap]) -> None:
    assert overlaps(shifts, Level.FIRST, DAY, set(absent)) == found


HOURS = st.integers(-12, 36)
SHIFTS = st.lists(
    st.builds(
        lambda person, begin, length: shift(person, begin, begin + length),
        st.integers(1, 3),
        HOURS,
        st.integers(1, 14),
    ),
    max_size=8,
)


@given(SHIFTS, st.sets(st.integers(1, 3)), st.integers(0, 23))
def test_each_hour_has_somebody_or_lies_in_a_gap_and_never_both(
    shifts: list[Shift], absent: set[int], hour: int
) -> None:
    on = on_at(shifts, Level.FIRST, at(hour), absent)
    in_gap = any(gap.covers(at(hour)) for gap in gaps(shifts, Level.FIRST, DAY, absent))
    shared = any(each.span.covers(at(hour)) for each in overlaps(shifts, Level.FIRST, DAY, absent))
    assert in_gap is (not on)
    assert shared is (len(on) > 1)


def test_a_long_gap_is_taken_in_parts() -> None:
    assert pieces(span(0, 50), timedelta(hours=24)) == [span(0, 24), span(24, 48), span(48, 50)]
    assert pieces(span(0, 12), timedelta(hours=24)) == [span(0, 12)]
    assert without(DAY, [DAY]) == []


def warned(begin: float, end: float, *, urgent: bool = False, level: Level = Level.FIRST) -> Warned:
    return Warned(level, span(begin, end), urgent)


@pytest.mark.parametrize(
    ("gap", "told", "news"),
    [
        pytest.param(warned(30, 40), [], True, id="never told"),
        pytest.param(warned(30, 40), [warned(30, 40)], False, id="told"),
        pytest.param(warned(30, 40, urgent=True), [warned(30, 40)], True, id="it has become urgent"),
        pytest.param(warned(30, 40), [warned(30, 40, urgent=True)], False, id="told as urgent"),
        pytest.param(warned(30, 42), [warned(30, 40)], True, id="it has become longer"),
        pytest.param(warned(32, 38), [warned(30, 40)], False, id="a part of it was filled"),
        pytest.param(warned(30, 40), [warned(30, 40, level=Level.SECOND)], True, id="of another level"),
        pytest.param(warned(20, 28), [warned(24, 28)], False, id="what was not told is past"),
        pytest.param(warned(20, 24), [], False, id="all of it is past"),
        pytest.param(warned(30, 40), [warned(30, 35), warned(35, 40)], False, id="told in two parts"),
    ],
)
def test_a_gap_is_news_when_it_was_not_told_like_this(gap: Warned, told: list[Warned], news: bool) -> None:
    assert is_news(gap, told, at(24)) is news


def test_what_was_told_is_filled_when_nothing_of_it_is_open_and_it_is_not_past() -> None:
    told = [warned(10, 20), warned(30, 40), warned(50, 60), warned(70, 80)]
    still = [warned(55, 58), warned(30, 40, level=Level.SECOND)]
    assert filled(told, still, at(24)) == [warned(30, 40), warned(70, 80)]


def local(text: str, zone: ZoneInfo) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("day", "begin", "end", "zone", "begins", "hours"),
    [
        pytest.param(date(2026, 12, 1), "08:00", "20:00", SHANGHAI, "2026-12-01T08:00", 12, id="a day"),
        pytest.param(date(2026, 12, 31), "20:00", "08:00", SHANGHAI, "2026-12-31T20:00", 12, id="over New Year"),
        pytest.param(date(2026, 12, 1), "20:00", "24:00", SHANGHAI, "2026-12-01T20:00", 4, id="until midnight"),
        pytest.param(date(2026, 12, 1), "00:00", "24:00", SHANGHAI, "2026-12-01T00:00", 24, id="a whole day"),
        pytest.param(date(2026, 12, 1), "08:00", "08:00", SHANGHAI, "2026-12-01T08:00", 24, id="the same time twice"),
        pytest.param(date(2026, 12, 1), "20:00", "0:00", SHANGHAI, "2026-12-01T20:00", 4, id="midnight as 0:00"),
        pytest.param(date(2026, 10, 24), "20:00", "08:00", BERLIN, "2026-10-24T20:00", 13, id="clocks go back"),
        pytest.param(date(2026, 3, 28), "20:00", "08:00", BERLIN, "2026-03-28T20:00", 11, id="clocks go forward"),
        pytest.param(
            date(2026, 3, 28), "20:00", "02:30", BERLIN, "2026-03-28T20:00", 6.5, id="an end that never was"
        ),
    ],
)
def test_a_shift_from_wall_time_to_wall_time(
    day: date, begin: str, end: str, zone: ZoneInfo, begins: str, hours: float
) -> None:
    found = span_of(day, read_time(begin), read_time(end), zone)
    assert found.from_at == local(begins, zone)
    assert found.until_at - found.from_at == timedelta(hours=hours)


@pytest.mark.parametrize("zone", [SHANGHAI, BERLIN], ids=lambda zone: zone.key)
def test_two_shifts_a_day_leave_no_gap_and_no_overlap_all_year(zone: ZoneInfo) -> None:
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
    morning, evening = (8, 0), (20, 0)
    shifts = [
        Shift(person, Level.FIRST, span_of(each, begin, end, zone))
        for each in days
        for person, begin, end in ((ANNE, morning, evening), (BOB, evening, morning))
    ]
    whole = Span(shifts[0].span.from_at, shifts[-1].span.until_at)
    assert gaps(shifts, Level.FIRST, whole) == []
    assert overlaps(shifts, Level.FIRST, whole) == []


@pytest.mark.parametrize("cell", ["2026-12-01", "2026/12/1", "2026.12.1", "2026年12月1日"])
def test_a_day_whose_year_comes_first_is_read(cell: str) -> None:
    assert read_day(cell) == date(2026, 12, 1)


@pytest.mark.parametrize("cell", ["12/1/2026", "1.12.2026", "26-12-01", "2026-02-30", "tomorrow", "20261201"])
def test_any_other_day_is_refused(cell: str) -> None:
    with pytest.raises(CellUnreadable):
        read_day(cell)


@pytest.mark.parametrize("cell", ["24:01", "25:00", "8", "8.30", "08:60", "20:00-08:00", "8 pm", "08:00:30"])
def test_a_time_that_is_none_is_refused(cell: str) -> None:
    with pytest.raises(CellUnreadable):
        read_time(cell)


def test_levels_are_read_in_both_languages_and_nothing_else() -> None:
    assert [read_level(cell) for cell in ("first", "First", "1", "一线")] == [Level.FIRST] * 4
    assert [read_level(cell) for cell in ("second", "2", "二线")] == [Level.SECOND] * 3
    with pytest.raises(CellUnreadable):
        read_level("third")


TABLE = "date,from,until,level,staff\n2026-12-01,08:00,20:00,first,王医生\n"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(TABLE.encode(), id="UTF-8"),
        pytest.param(TABLE.encode("utf-8-sig"), id="with Excel's mark"),
        pytest.param(TABLE.encode("gbk"), id="GBK"),
        pytest.param(TABLE.encode("utf-16"), id="UTF-16"),
        pytest.param(TABLE.replace(",", ";").encode(), id="semicolons"),
        pytest.param(TABLE.replace(",", "\t").encode(), id="tabs"),
        pytest.param(TABLE.replace("\n", "\r\n").encode(), id="lines of Windows"),
        pytest.param(TABLE.replace("08:00", "０８：００").replace(",", "，").encode(), id="full width"),
        pytest.param(("# who is on\n\n" + TABLE + ",,,,\n").encode(), id="notes and empty lines"),
        pytest.param(TABLE.replace("date,from,until,level,staff", "日期,开始,结束,级别,姓名").encode("gb18030"),
                     id="Chinese headings"),
        pytest.param(TABLE.replace("date,from", " Date , FROM").encode(), id="capitals and spaces"),
    ],
)  # fmt: skip
def test_what_spreadsheets_write_is_read_alike(content: bytes) -> None:
    table = read_table(content)
    assert table.headings == ("date", "from", "until", "level", "staff")
    (row,) = table.rows
    assert row.cells == {
        "date": "2026-12-01", "from": "08:00", "until": "20:00", "level": "first", "staff": "王医生",
    }  # fmt: skip
    assert not row.extra


def test_lines_are_numbered_as_the_spreadsheet_does_and_extra_cells_are_noted() -> None:
    table = read_table(b"date,from\n\n# a note\n2026-12-01,08:00,more\n")
    assert [(row.number, row.extra) for row in table.rows] == [(4, True)]


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(TableUnreadable):
        read_table(b"\xff\x00\x81\x20\xff")


def test_the_template_is_a_table_that_only_lacks_people() -> None:
    table = read_table(template([date(2026, 12, 1), date(2026, 12, 2)]).encode())
    assert [row.cells["staff"] for row in table.rows] == [""] * 4
    assert [read_day(row.cells["date"]).day for row in table.rows] == [1, 1, 2, 2]
