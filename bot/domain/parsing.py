"""What did a person mean by a typed temperature, weight, number, date, code or year?"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Generic, TypeVar

from bot.domain.questionnaires import Limits
from bot.errors import FollowupError

T = TypeVar("T")


class Unreadable(FollowupError):
    """The typed text cannot be read as what was asked; ``reason`` is the text key that says why."""

    def __init__(self, reason: str, said: str) -> None:
        """Keep the reason and the words, but print only the reason: errors reach logs, words must not."""
        super().__init__(reason)
        self.reason = reason
        self.said = said


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What was understood; ``confirm``: show it and ask before it counts. ``said`` keeps the exact words."""

    value: T
    confirm: bool
    said: str


# Site defaults, to be confirmed by the PI; the protocol files may give others.
TEMPERATURE_LIMITS = Limits(accept_from=34.0, accept_to=42.5, confirm_below=35.5, confirm_from=38.0)
WEIGHT_LIMITS = Limits(accept_from=30.0, accept_to=150.0)

# Between these a number is degrees Fahrenheit: no living person reads as many degrees Celsius.
FAHRENHEIT = (91.0, 108.0)

# A bare number above this is more likely jin (half a kilogram) than kilograms, so it is asked again.
BARE_WEIGHT_DOUBT_KG = 90.0
KG_PER_POUND = 0.45359237
LONGEST_READABLE = 60

_DIGITS = {"〇": 0, "零": 0, "一": 1, "二": 2, "两": 2, "兩": 2, "三": 3, "四": 4, "五": 5}
_DIGITS |= {"六": 6, "七": 7, "八": 8, "九": 9}
_TENS = {"十": 10, "百": 100, "千": 1000}
_CHINESE_NUMBER = re.compile("[〇零一二两兩三四五六七八九十百千]+")


def plain(text: str) -> str:
    """Return ``text`` in one form: NFKC (half-width digits), lower case, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def chinese_number(text: str) -> int | None:
    """Return the whole number that ``text`` spells (三十八, 一百二, 两百, 一九五二), or ``None``.

    一百二 is 120 and 两千三 is 2300, as people say it; 一九五二 is read digit by digit.
    """
    if not text or any(sign not in _DIGITS and sign not in _TENS for sign in text):
        return None
    if not any(sign in _TENS for sign in text):
        return int("".join(str(_DIGITS[sign]) for sign in text))
    total, digit, last_ten, after_zero = 0, None, 1, False
    for sign in text:
        if sign in _TENS:
            total += (1 if digit is None else digit) * _TENS[sign]
            digit, last_ten, after_zero = None, _TENS[sign], False
        else:
            digit, after_zero = _DIGITS[sign], after_zero or sign in "零〇"
    if digit is not None:
        total += digit if after_zero or last_ten == 10 else digit * (last_ten // 10)
    return total


def with_digits(text: str) -> str:
    """Return ``text`` with Chinese numerals written as digits (三十八度五 becomes 38度5)."""

    def digits(match: re.Match[str]) -> str:
        number = chinese_number(match.group())
        return match.group() if number is None else str(number)

    return _CHINESE_NUMBER.sub(digits, text)


# What people write around a number without meaning more than the number.
_AROUND_A_NUMBER = re.compile(
    r"摄氏|华氏|体温|腋下|口腔|嘴里|耳朵|耳温|额头|额温|左右|大概|大约|刚量|量了|现在|℃|℉|°|度|点|分|是|有|的|了|c|f|degrees?"
    r"|celsius|fahrenheit|about|it is|it's|is|my|temp(erature)?|now"
)


def only_a_number(text: str) -> bool:
    """Return whether ``text`` says a number, its unit and where it was measured, and nothing else."""
    rest = _AROUND_A_NUMBER.sub("", _CHINESE_NUMBER.sub("", plain(text)))
    return not any(character.isalpha() for character in rest)


def parse_temperature(text: str, limits: Limits = TEMPERATURE_LIMITS) -> Reading[float]:
    """Read a body temperature in degrees Celsius, to one decimal.

    Takes 38.5, 38,5, 38度5, 三十八度五, 385 (asked again) and 91-108 degrees Fahrenheit (converted, asked
    again). Values below ``limits.confirm_below`` or from ``limits.confirm_from`` are asked again too, but
    triage does not wait for the reply.

    Raises:
        Unreadable: no number, more than one, or outside the limits.
    """
    words = _short(text, "input.temperature.unreadable")
    words = with_digits(words.replace("半", "5"))
    words = re.sub(r"(\d)\s*(?:度|点|點|°|,|。)\s*(\d)", r"\1.\2", words)
    numbers = re.findall(r"(?<![\d.])\d{1,3}(?:\.\d{1,2})?(?![\d.]*\d)", words)
    if len(numbers) != 1 or re.search(r"\d{4}|[-−]\d", words):
        raise Unreadable("input.temperature.unreadable", text)
    value, confirm = float(numbers[0]), False
    if re.search(r"\d\s*°?\s*(?:f\b|华氏|fahrenheit)|华氏", words) or FAHRENHEIT[0] <= value <= FAHRENHEIT[1]:
        value, confirm = (value - 32) / 1.8, True
    elif value >= 300 and "." not in numbers[0]:
        value, confirm = value / 10, True
    value = round(value, 1)
    _within(value, limits, "input.temperature.out_of_range", text)
    return Reading(value, confirm or _unusual(value, limits), text)


def parse_weight(text: str, limits: Limits = WEIGHT_LIMITS) -> Reading[float]:
    """Read a body weight in kilograms, to one decimal.

    斤 is half a kilogram and a pound 0.45 kg; both are converted and asked again, and so is a bare number
    of more than 90, which is more likely jin.

    Raises:
        Unreadable: no number, more than one, or outside the limits.
    """
    words = with_digits(_short(text, "input.weight.unreadable").replace(",", "."))
    words = re.sub(r"(\d)\s*[点點]\s*(\d)", r"\1.\2", words)
    words = re.sub(r"(\d)\s*(公斤|千克|斤)半", r"\1.5\2", words)
    numbers = re.findall(r"\d+(?:\.\d+)?", words)
    if len(numbers) != 1 or re.search(r"[-−]\d", words) or len(numbers[0]) > 6:
        raise Unreadable("input.weight.unreadable", text)
    value = float(numbers[0])
    kilograms = re.search(r"kg|公斤|千克|kilo", words)
    confirm = False
    if not kilograms and re.search(r"斤|jin", words):
        value, confirm = value / 2, True
    elif re.search(r"lb|pound|磅", words):
        value, confirm = value * KG_PER_POUND, True
    elif not kilograms:
        confirm = value > BARE_WEIGHT_DOUBT_KG
    value = round(value, 1)
    _within(value, limits, "input.weight.out_of_range", text)
    return Reading(value, confirm or _unusual(value, limits), text)


def parse_whole_number(text: str, lowest: int = 0, highest: int = 1_000_000) -> Reading[int]:
    """Read one whole number between ``lowest`` and ``highest``, both included ("3", "３", "三片", "3.0").

    Raises:
        Unreadable: no number, more than one, a fraction, or outside the range.
    """
    words = with_digits(_short(text, "input.whole_number.unreadable"))
    numbers = re.findall(r"\d+(?:[.,]\d+)?", words)
    if len(numbers) != 1 or re.search(r"[-−]\s*\d|半", words):
        raise Unreadable("input.whole_number.unreadable", text)
    whole, _, fraction = numbers[0].replace(",", ".").partition(".")
    if fraction.strip("0"):
        raise Unreadable("input.whole_number.fraction", text)
    value = int(whole)
    if not lowest <= value <= highest:
        raise Unreadable("input.whole_number.out_of_range", text)
    return Reading(value, False, text)


_DAYS_FROM_TODAY = {
    "大前天": -3, "前天": -2, "昨天": -1, "昨日": -1, "今天": 0, "今日": 0, "明天": 1, "明日": 1, "后天": 2,
    "後天": 2, "大后天": 3, "大後天": 3, "day before yesterday": -2, "the day before yesterday": -2,
    "yesterday": -1, "today": 0, "tomorrow": 1, "day after tomorrow": 2, "the day after tomorrow": 2,
}  # fmt: skip
_LUNAR = re.compile("农历|農曆|阴历|陰曆|正月|腊月|臘月|冬月|闰|初[一二三四五六七八九十]|廿|除夕|年三十|大年")
_LUNAR_DAYS = re.compile("春节|春節|端午|中秋|重阳|元宵|lunar|chinese new year|spring festival")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAME = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"


def parse_date(text: str, today: date) -> Reading[date]:
    """Read a calendar day at the site; ``today`` is the day there.

    Takes 2026-11-03, 2026/11/3, 20261103, 2026年11月3日, 11月3日, 11.3 (month first, as in China), 3 Nov 2026,
    25/12/2026, and words from 大前天 to 大后天. Without a year the day nearest to ``today`` is meant, and it is
    asked again.

    Raises:
        Unreadable: not a date, no such day, a lunar date, or day and month could be swapped (3/11).
    """
    words = _short(text, "input.date.unreadable").strip(" .。!！")
    if words in _DAYS_FROM_TODAY:
        return Reading(today + timedelta(days=_DAYS_FROM_TODAY[words]), False, text)
    if _LUNAR.search(words) or _LUNAR_DAYS.search(words):
        raise Unreadable("input.date.lunar", text)
    words = with_digits(words)
    for pattern in (
        r"(\d{4})\s*[-/.]\s*(\d{1,2})\s*[-/.]\s*(\d{1,2})",
        r"(\d{4})(\d{2})(\d{2})",
        r"(\d{4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*[日号號]?",
    ):
        if match := re.fullmatch(pattern, words):
            year, month, day = map(int, match.groups())
            return Reading(_day(year, month, day, text), False, text)
    if match := re.fullmatch(rf"(\d{{1,2}})(?:st|nd|rd|th)?\s+{_MONTH_NAME},?(?:\s+(\d{{4}}))?", words):
        return _named_month(match[2], match[1], match[3], today, text)
    if match := re.fullmatch(rf"{_MONTH_NAME}\s+(\d{{1,2}})(?:st|nd|rd|th)?,?(?:\s+(\d{{4}}))?", words):
        return _named_month(match[1], match[2], match[3], today, text)
    if match := re.fullmatch(r"(\d{1,2})\s*(?:月\s*(\d{1,2})\s*[日号號]?|\.\s*(\d{1,2}))", words):
        return Reading(_nearest(int(match[1]), int(match[2] or match[3]), today, text), True, text)
    if match := re.fullmatch(r"(\d{1,2})\s*[-/.]\s*(\d{1,2})(?:\s*[-/.]\s*(\d{4}))?", words):
        return _swappable(int(match[1]), int(match[2]), match[3], today, text)
    raise Unreadable("input.date.unreadable", text)


def parse_subject_code(text: str) -> Reading[str]:
    """Read a subject code as ``S-001``; a bare number is asked again.

    Raises:
        Unreadable: it is not a code, or the number is 0 or has more than four digits.
    """
    words = _short(text, "input.subject_code.unreadable")
    match = re.fullmatch(r"(s?)\s*[-‐‑–—−_]?\s*(\d{1,4})", words)
    if match is None or int(match[2]) == 0:
        raise Unreadable("input.subject_code.unreadable", text)
    return Reading(f"S-{int(match[2]):03d}", not match[1], text)


def parse_year_of_birth(text: str, today: date, youngest: int = 18, oldest: int = 80) -> Reading[int]:
    """Read a year of birth; two digits mean 19xx and are asked again.

    The year alone leaves the age uncertain by one, so a year that fits the limits on any birthday is
    accepted, and asked again when it fits only on some. Ages are whole years (trial: 18 to 80).

    Raises:
        Unreadable: not a year, an age instead of a year, or an age outside the trial's limits.
    """
    words = with_digits(_short(text, "input.year_of_birth.unreadable"))
    if re.search(r"岁|歲|years? old|周岁", words):
        raise Unreadable("input.year_of_birth.age_given", text)
    match = re.fullmatch(r"(\d{4}|\d{2})\s*年?(?:生|出生)?(?:的)?", words)
    if match is None:
        raise Unreadable("input.year_of_birth.unreadable", text)
    year, confirm = int(match[1]), False
    if len(match[1]) == 2:
        year, confirm = 1900 + year, True
    turns = today.year - year
    if not youngest <= turns <= oldest + 1:
        raise Unreadable("input.year_of_birth.out_of_range", text)
    return Reading(year, confirm or turns in (youngest, oldest + 1), text)


def _short(text: str, reason: str) -> str:
    """Return the text in plain form; a long text is a story, not a value, and is refused."""
    words = plain(text[: LONGEST_READABLE * 2])
    if not words or len(text) > LONGEST_READABLE:
        raise Unreadable(reason, text)
    return words


def _within(value: float, limits: Limits, reason: str, said: str) -> None:
    if not limits.accept_from <= value <= limits.accept_to:
        raise Unreadable(reason, said)


def _unusual(value: float, limits: Limits) -> bool:
    too_low = limits.confirm_below is not None and value < limits.confirm_below
    return too_low or (limits.confirm_from is not None and value >= limits.confirm_from)


def _day(year: int, month: int, day: int, said: str) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise Unreadable("input.date.no_such_day", said) from None


def _nearest(month: int, day: int, today: date, said: str) -> date:
    """Return the day of this month that lies nearest to ``today``; 29 February may be years away."""
    days = []
    for year in range(today.year - 1, today.year + 2):
        try:
            days.append(date(year, month, day))
        except ValueError:
            continue
    if not days:
        raise Unreadable("input.date.no_such_day", said)
    return min(days, key=lambda one: abs((one - today).days))


def _named_month(month: str, day: str, year: str | None, today: date, said: str) -> Reading[date]:
    number = _MONTHS.index(month) + 1
    if year is None:
        return Reading(_nearest(number, int(day), today, said), True, said)
    return Reading(_day(int(year), number, int(day), said), False, said)


def _swappable(first: int, second: int, year: str | None, today: date, said: str) -> Reading[date]:
    """Read 25/12 and 12/25; refuse 3/11, which is March in one country and November in another."""
    if first <= 12 and second <= 12 and first != second:
        raise Unreadable("input.date.ambiguous", said)
    month, day = (first, second) if first <= 12 else (second, first)
    if year is None:
        return Reading(_nearest(month, day, today, said), True, said)
    return Reading(_day(int(year), month, day, said), True, said)


# What mail servers everywhere take: ASCII, no quotes, no comments, a domain with a dot.
_EMAIL = re.compile(
    r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]", re.I
)
LONGEST_EMAIL = 254


def email_address(text: str) -> Reading[str]:
    """Read one plain e-mail address; full-width characters, as a Chinese keyboard gives them, are understood.

    Raises:
        Unreadable: it is none, or more than one.
    """
    address = unicodedata.normalize("NFKC", text).replace("。", ".").strip()
    if len(address) > LONGEST_EMAIL or len(address.split("@")[0]) > 64 or not _EMAIL.fullmatch(address):
        raise Unreadable("input.email.unreadable", text)
    return Reading(address, confirm=False, said=text)
