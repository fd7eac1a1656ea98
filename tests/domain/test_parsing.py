"""Typed values: what people really type, and what must be refused rather than guessed."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.parsing import (
    Reading,
    Unreadable,
    chinese_number,
    parse_date,
    parse_subject_code,
    parse_temperature,
    parse_weight,
    parse_whole_number,
    parse_year_of_birth,
    with_digits,
)

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("三十八", 38), ("十", 10), ("十五", 15), ("一百二", 120), ("一百零二", 102), ("一百二十", 120),
        ("两百", 200), ("两千三", 2300), ("一九五二", 1952), ("二〇二六", 2026), ("零", 0),
        ("一千零五十", 1050), ("", None), ("三岁", None),
    ],
)  # fmt: skip
def test_chinese_numbers(text: str, number: int | None) -> None:
    assert chinese_number(text) == number


def test_chinese_numbers_inside_words_become_digits() -> None:
    assert with_digits("三十八度五") == "38度5"


@pytest.mark.parametrize(
    ("text", "celsius", "confirm"),
    [
        pytest.param("36.8", 36.8, False, id="plain"),
        pytest.param("38.5", 38.5, True, id="fever is asked again"),
        pytest.param("38,5", 38.5, True, id="decimal comma"),
        pytest.param("38度5", 38.5, True, id="degrees in the middle"),
        pytest.param("38 度 5", 38.5, True, id="degrees with spaces"),
        pytest.param("三十八度五", 38.5, True, id="Chinese numerals"),
        pytest.param("三十七度半", 37.5, False, id="and a half"),
        pytest.param("38点5", 38.5, True, id="spoken point"),
        pytest.param("３６．６", 36.6, False, id="full-width"),
        pytest.param("36.6℃", 36.6, False, id="with unit"),
        pytest.param("体温37.2度", 37.2, False, id="inside words"),
        pytest.param("about 37.4", 37.4, False, id="inside English words"),
        pytest.param("385", 38.5, True, id="missing point"),
        pytest.param("366", 36.6, True, id="missing point, no fever, still asked"),
        pytest.param("101.5F", 38.6, True, id="Fahrenheit"),
        pytest.param("98.6", 37.0, True, id="Fahrenheit without unit"),
        pytest.param("100.4", 38.0, True, id="Fahrenheit on the threshold"),
        pytest.param("91", 32.8, None, id="Fahrenheit too cold"),
        pytest.param("34", 34.0, True, id="coldest accepted"),
        pytest.param("42.5", 42.5, True, id="hottest accepted"),
    ],
)
def test_temperatures(text: str, celsius: float, confirm: bool | None) -> None:
    if confirm is None:
        with pytest.raises(Unreadable):
            parse_temperature(text)
        return
    reading = parse_temperature(text)
    assert (reading.value, reading.confirm, reading.said) == (celsius, confirm, text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "unreadable"), ("有点烧", "unreadable"), ("37.5 38.2", "unreadable"), ("3850", "unreadable"),
        ("42.6", "out_of_range"), ("33.9", "out_of_range"), ("-38", "unreadable"), ("60", "out_of_range"),
        ("38.5F", "out_of_range"), ("38.5" * 40, "unreadable"), ("200", "out_of_range"),
    ],
)  # fmt: skip
def test_temperatures_that_are_refused(text: str, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        parse_temperature(text)
    assert refused.value.reason == f"input.temperature.{reason}"


@pytest.mark.parametrize(
    ("text", "kilograms", "confirm"),
    [
        pytest.param("60", 60.0, False, id="plain"),
        pytest.param("60kg", 60.0, False, id="kg"),
        pytest.param("60.5 公斤", 60.5, False, id="gongjin"),
        pytest.param("六十公斤", 60.0, False, id="Chinese numerals"),
        pytest.param("六十公斤半", 60.5, False, id="and a half"),
        pytest.param("120斤", 60.0, True, id="jin"),
        pytest.param("一百二十斤", 60.0, True, id="jin in Chinese"),
        pytest.param("120 jin", 60.0, True, id="jin in letters"),
        pytest.param("120", 120.0, True, id="a bare large number is probably jin"),
        pytest.param("120kg", 120.0, False, id="kg is kg"),
        pytest.param("132 lb", 59.9, True, id="pounds"),
        pytest.param("30", 30.0, False, id="lightest accepted"),
        pytest.param("150公斤", 150.0, False, id="heaviest accepted"),
    ],
)
def test_weights(text: str, kilograms: float, confirm: bool) -> None:
    reading = parse_weight(text)
    assert (reading.value, reading.confirm) == (kilograms, confirm)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("29.9", "out_of_range"), ("151kg", "out_of_range"), ("50斤", "out_of_range"), ("胖", "unreadable"),
        ("60 or 61", "unreadable"), ("-60", "unreadable"), ("9999999999", "unreadable"),
    ],
)  # fmt: skip
def test_weights_that_are_refused(text: str, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        parse_weight(text)
    assert refused.value.reason == f"input.weight.{reason}"


@pytest.mark.parametrize(
    ("text", "number"), [("3", 3), ("３", 3), ("三片", 3), ("两片", 2), ("3.0", 3), (" 3 tablets", 3), ("0", 0)]
)
def test_whole_numbers(text: str, number: int) -> None:
    assert parse_whole_number(text, 0, 20).value == number


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("3.5", "fraction"), ("21", "out_of_range"), ("-1", "unreadable"), ("2 or 3", "unreadable"),
        ("many", "unreadable"), ("三片半", "unreadable"), ("1" * 50, "out_of_range"),
    ],
)  # fmt: skip
def test_whole_numbers_that_are_refused(text: str, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        parse_whole_number(text, 0, 20)
    assert refused.value.reason == f"input.whole_number.{reason}"


@pytest.mark.parametrize(
    ("text", "day", "confirm"),
    [
        pytest.param("2026-11-03", date(2026, 11, 3), False, id="ISO"),
        pytest.param("2026/11/3", date(2026, 11, 3), False, id="slashes"),
        pytest.param("2026.11.3", date(2026, 11, 3), False, id="points"),
        pytest.param("20261103", date(2026, 11, 3), False, id="eight digits"),
        pytest.param("２０２６－１１－０３", date(2026, 11, 3), False, id="full-width"),
        pytest.param("2026年11月3日", date(2026, 11, 3), False, id="Chinese"),
        pytest.param("二〇二六年十一月三日", date(2026, 11, 3), False, id="Chinese numerals"),
        pytest.param("11月3日", date(2026, 11, 3), True, id="no year"),
        pytest.param("11月3号", date(2026, 11, 3), True, id="hao"),
        pytest.param("11.3", date(2026, 11, 3), True, id="month first with a point"),
        pytest.param("1月5日", date(2027, 1, 5), True, id="the nearest January is next year's"),
        pytest.param("25/12/2026", date(2026, 12, 25), True, id="only one can be the month"),
        pytest.param("12/25/2026", date(2026, 12, 25), True, id="only the other can be the month"),
        pytest.param("11/11", date(2026, 11, 11), True, id="swapping changes nothing"),
        pytest.param("3 Nov 2026", date(2026, 11, 3), False, id="named month"),
        pytest.param("November 3rd, 2026", date(2026, 11, 3), False, id="named month first"),
        pytest.param("Nov 3", date(2026, 11, 3), True, id="named month, no year"),
        pytest.param("今天", TODAY, False, id="today"),
        pytest.param("昨天", date(2026, 11, 21), False, id="yesterday"),
        pytest.param("大前天", date(2026, 11, 19), False, id="three days ago"),
        pytest.param("明天", date(2026, 11, 23), False, id="tomorrow"),
        pytest.param("Yesterday", date(2026, 11, 21), False, id="English yesterday"),
    ],
)
def test_dates(text: str, day: date, confirm: bool) -> None:
    reading = parse_date(text, TODAY)
    assert (reading.value, reading.confirm) == (day, confirm)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("3/11/2026", "ambiguous"), ("3/11", "ambiguous"), ("03-11-2026", "ambiguous"),
        ("农历十月初三", "lunar"), ("正月初五", "lunar"), ("腊月二十", "lunar"), ("除夕", "lunar"), ("春节", "lunar"),
        ("2026-02-30", "no_such_day"), ("13月1日", "no_such_day"), ("2026/13/1", "no_such_day"),
        ("下周", "unreadable"), ("", "unreadable"), ("soon", "unreadable"), ("3号", "unreadable"),
    ],
)  # fmt: skip
def test_dates_that_are_refused(text: str, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        parse_date(text, TODAY)
    assert refused.value.reason == f"input.date.{reason}"


@pytest.mark.parametrize(
    ("text", "code", "confirm"),
    [("S-001", "S-001", False), ("s001", "S-001", False), ("S 12", "S-012", False), ("Ｓ－００１", "S-001", False),
     ("S1234", "S-1234", False), ("7", "S-007", True)],
)  # fmt: skip
def test_subject_codes(text: str, code: str, confirm: bool) -> None:
    reading = parse_subject_code(text)
    assert (reading.value, reading.confirm) == (code, confirm)


@pytest.mark.parametrize("text", ["S-000", "A-001", "S-12345", "", "Anna", "S-001 S-002"])
def test_subject_codes_that_are_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        parse_subject_code(text)


@pytest.mark.parametrize(
    ("text", "year", "confirm"),
    [
        pytest.param("1952", 1952, False, id="plain"),
        pytest.param("1952年", 1952, False, id="with year sign"),
        pytest.param("一九五二年", 1952, False, id="Chinese numerals"),
        pytest.param("52", 1952, True, id="two digits"),
        pytest.param("1946", 1946, False, id="80 this year"),
        pytest.param("1945", 1945, True, id="80 until the birthday"),
        pytest.param("2008", 2008, True, id="18 only after the birthday"),
    ],
)
def test_years_of_birth(text: str, year: int, confirm: bool) -> None:
    reading = parse_year_of_birth(text, TODAY)
    assert (reading.value, reading.confirm) == (year, confirm)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("1944", "out_of_range"), ("2009", "out_of_range"), ("74岁", "age_given"), ("74 years old", "age_given"),
     ("1952-03-04", "unreadable"), ("old", "unreadable")],
)  # fmt: skip
def test_years_of_birth_that_are_refused(text: str, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        parse_year_of_birth(text, TODAY)
    assert refused.value.reason == f"input.year_of_birth.{reason}"


def test_a_refusal_does_not_print_what_was_said() -> None:
    with pytest.raises(Unreadable) as refused:
        parse_temperature("my neighbour has HIV")
    assert "HIV" not in str(refused.value)
    assert refused.value.said == "my neighbour has HIV"


READERS: dict[str, Callable[[str], Reading[Any]]] = {
    "temperature": parse_temperature,
    "weight": parse_weight,
    "whole number": parse_whole_number,
    "subject code": parse_subject_code,
    "date": lambda text: parse_date(text, TODAY),
    "year of birth": lambda text: parse_year_of_birth(text, TODAY),
}


@pytest.mark.parametrize("reader", READERS)
@given(text=st.text(max_size=80))
@settings(max_examples=60)
def test_any_text_is_read_or_refused(reader: str, text: str) -> None:
    with suppress(Unreadable):
        assert READERS[reader](text).said == text


@given(st.decimals(min_value=34, max_value=42, places=1))
def test_every_temperature_reads_back(value: object) -> None:
    assert parse_temperature(str(value)).value == float(str(value))
