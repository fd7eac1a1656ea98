"""What did a person mean by a typed blood pressure, pulse, weight or laboratory value?

Nothing is converted or left out without a word: what is in doubt carries its doubt and is asked back, what
cannot be read is named together with the reason.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from bot.domain.parsing import (
    LONGEST_READABLE,
    Unreadable,
    only_a_number,
    parse_temperature,
    parse_weight,
    plain,
    with_digits,
)
from bot.domain.questionnaires import Limits

PRESSURE = "pressure"
PAIR = SYSTOLIC, DIASTOLIC = ("systolic", "diastolic")
TEMPERATURE, WEIGHT, PULSE, WBC, ANC = "temperature_c", "weight", "pulse", "wbc", "anc"

# Systolic and diastolic pressure lie at least so far apart in a living person (mmHg).
LEAST_DIFFERENCE = 10
# A message of a whole slip; more is a story.
LONGEST_MESSAGE = 1500


class Giver(StrEnum):
    """Who may enter a measure."""

    PATIENT = "patient"
    STAFF = "staff"


class Doubt(StrEnum):
    """Why a value is asked back before it counts; the first one wins."""

    UNIT = "unit"  # converted from another unit
    SWAPPED = "swapped"  # the two pressures stood in the other order
    THIRD = "third"  # a third number was taken for the pulse
    CHANGED = "changed"  # far from the last one
    UNUSUAL = "unusual"  # possible, and rare


@dataclass(frozen=True, slots=True)
class UnitWord:
    """A unit as people write it, and the factor into the measure's own unit; another factor than 1 is asked back."""

    words: tuple[str, ...]
    times: float = 1.0


@dataclass(frozen=True, slots=True)
class LikelyUnit:
    """A bare number that cannot be meant as it stands: from ``at_least`` to under ``below`` it is converted."""

    at_least: float
    below: float
    times: float


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that is measured. Limits are in ``unit``, the unit in which it is kept and shown.

    ``percent_above``: a larger number without unit is taken for a percentage and not accepted.
    ``upper_normal``: the upper limit of normal, for rules that compare with it.
    """

    id: str
    unit: str
    decimals: int
    names: tuple[str, ...]
    by: tuple[Giver, ...]
    limits: Limits
    units: tuple[UnitWord, ...] = ()
    likely: tuple[LikelyUnit, ...] = ()
    censored: bool = False
    percent_above: float | None = None
    upper_normal: float | None = None


@dataclass(frozen=True, slots=True)
class OtherTest:
    """Names of other tests that look like ours; ``reason`` is the text key that says what to do instead."""

    names: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Value:
    """A value as it was understood, in the measure's unit; ``said`` are the words it was read from.

    ``sign`` is "<" or ">" where the laboratory gives only a bound. ``doubt``: ask before it counts.
    """

    measure: str
    value: Decimal
    said: str
    sign: str = ""
    unit: str = ""  # as it was typed
    doubt: Doubt | None = None

    @property
    def bound(self) -> float:
        """Return the number to compare with limits: "<5" lies a little below 5, ">2000" a little above."""
        return float(self.value) * {"<": 0.999, ">": 1.001}.get(self.sign, 1.0)


@dataclass(frozen=True, slots=True)
class Refused:
    """A part of a message that could not be taken, and the text key that says why.

    ``kept_out``: it is another test, so there is nothing to enter instead.
    """

    said: str
    reason: str
    measure: str | None = None
    kept_out: bool = False


@dataclass(frozen=True, slots=True)
class Entered:
    """What was understood of a message, and what was not."""

    values: tuple[Value, ...]
    refused: tuple[Refused, ...]


# 10^9/L, 10*9/L, x10E9/L, 10^3/uL: however a laboratory prints it, in the files it is this word.
CELLS = "cells"
_POWERS = str.maketrans({"⁹": "^9", "⁶": "^6", "³": "^3", "−": "-", "µ": "μ"})
_CELLS = re.compile(r"[x×*·]?\s*10\s*(?:\^|\*\*?|e)?\s*9\s*/\s*l")
# An area of skin to which a flow is related belongs to the unit, not to the value.
_PER_SURFACE = re.compile(r"\(?\s*(?P<time>min|分钟?)\s*[/·.*×x]?\s*\(?\s*1\.73\s*(?:m\s*\^?\s*2|平方米)\s*\)?")
_PER_UL = re.compile(r"[x×*·]?\s*10\s*(?:\^|\*\*?|e)?\s*3\s*/\s*(?:[μu]l|mm\^?3)")
_APPROXIMATE = re.compile(r"多|左右|大概|大约|差不多|[约几来~]|about|around|approx|some")
_FLAG = re.compile(r"[↓↑*]+|(?:^|(?<=\s))(?:[hl]|偏?[高低])$")
_NUMBER = r"\d{1,7}(?:\.\d{1,3})?"
_VALUE = re.compile(
    r"[\s:=是为]*(?P<sign>[<>]=?|[≤≥]|小于|低于|大于|高于|超过)?\s*"
    rf"(?P<number>{_NUMBER})\s*(?P<many>[万萬k](?P<rest>\d)?)?\s*(?P<unit>\D*)"
)
_BELOW = ("<", "<=", "≤", "小于", "低于")
_AROUND = " \t\r\n,;:。、；，"


def prepared(text: str) -> str:
    """Return a message in one form, still with its lines: NFKC, lower case, powers written out."""
    return unicodedata.normalize("NFKC", text.translate(_POWERS)).translate(_POWERS).lower()


def parse_value(measure: Measure, text: str) -> Value:
    """Read one value of ``measure``.

    Raises:
        Unreadable: no number, more than one, only about, a percentage, an unknown unit, or outside the limits.
    """
    if measure.id == TEMPERATURE:
        reading = parse_temperature(text, measure.limits)
    elif measure.id == WEIGHT:
        reading = parse_weight(text, measure.limits)
    else:
        return _read(measure, text)
    value = Decimal(str(reading.value))
    typed = re.search(r"\d+(?:[.,]\d+)?", with_digits(plain(text)))
    same = typed is not None and Decimal(typed.group().replace(",", ".")) == value
    doubt = None if not reading.confirm else Doubt.UNUSUAL if same else Doubt.UNIT
    return Value(measure.id, value, text, doubt=doubt)


def _read(measure: Measure, text: str) -> Value:
    words = _one_line(text)
    if _APPROXIMATE.search(words):
        raise Unreadable("input.measure.approximate", text)
    grouped = re.search(r"(?<![\d.])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])", words)
    if grouped:
        words = words.replace(grouped.group(), grouped.group().replace(",", ""))
    words = _FLAG.sub("", re.sub(r"(?<=\d),(?=\d)", ".", words)).strip(_AROUND + ".")
    match = _VALUE.fullmatch(words)
    if match is None:
        several = len(re.findall(r"\d+", words)) > 1
        raise Unreadable("input.measure.one_number" if several else "input.measure.unreadable", text)
    sign = "" if not match["sign"] else "<" if match["sign"] in _BELOW else ">"
    if sign and not measure.censored:
        raise Unreadable("input.measure.unreadable", text)
    value, doubt = _in_own_unit(measure, match, text)
    limits = measure.limits
    if not limits.accept_from <= float(value) <= limits.accept_to:
        raise Unreadable("input.measure.out_of_range", text)
    if doubt is None and (grouped or _is_unusual(limits, value)):
        doubt = Doubt.UNUSUAL
    return Value(measure.id, value, text, sign, match["unit"].strip(_AROUND + "."), doubt)


def _in_own_unit(measure: Measure, match: re.Match[str], text: str) -> tuple[Decimal, Doubt | None]:
    number, unit = Decimal(match["number"]), match["unit"].strip(_AROUND + ".")
    if match["many"] and unit in ("", "/ul", "个", "个/ul"):
        # 万 counts cells in a microlitre.
        number *= 1000 if match["many"][0] == "k" else 10_000
        number += int(match["rest"] or 0) * 1000
        unit = "/ul"
    elif match["many"] and "%" not in unit:
        raise Unreadable("input.measure.unknown_unit", text)
    if "%" in unit and not any("%" in word for known in measure.units for word in known.words):
        raise Unreadable("input.measure.percent", text)
    if unit:
        for known in measure.units:
            if unit in known.words:
                return _times(measure, number, known.times), None if known.times == 1 else Doubt.UNIT
        raise Unreadable("input.measure.unknown_unit", text)
    if measure.percent_above is not None and measure.percent_above < number <= 100:
        raise Unreadable("input.measure.percent", text)
    if not measure.limits.accept_from <= float(number) <= measure.limits.accept_to:
        for likely in measure.likely:
            if likely.at_least <= float(number) < likely.below:
                return _times(measure, number, likely.times), Doubt.UNIT
    return number, None


def _times(measure: Measure, number: Decimal, times: float) -> Decimal:
    if times == 1:
        return number
    exact = number * Decimal(str(times))
    return exact.quantize(Decimal(1).scaleb(-measure.decimals), ROUND_HALF_UP)


def _is_unusual(limits: Limits, value: Decimal) -> bool:
    low, high = limits.confirm_below, limits.confirm_from
    return (low is not None and float(value) < low) or (high is not None and float(value) >= high)


def _one_line(text: str) -> str:
    """Return a short text with digits for Chinese numerals and one sign for each unit of cells."""
    words = plain(prepared(text[: LONGEST_READABLE * 2]))
    if not words or len(text) > LONGEST_READABLE:
        raise Unreadable("input.measure.unreadable", text)
    words = _PER_SURFACE.sub(r"\g<time>", words)
    words = re.sub(r"(\d)\s*千", r"\1k", words)
    if re.search(r"\d\s*[十百]", words):
        raise Unreadable("input.measure.unreadable", text)
    words = re.sub(r"(\d)\s*[点點]\s*(\d)", r"\1.\2", with_digits(words))
    words = _CELLS.sub(f" {CELLS} ", _PER_UL.sub(f" {CELLS} ", words))
    return re.sub(r"/\s*(?:[μu]l|mm\^?3)", "/ul", words)


_HIGH = re.compile(r"高压|高壓|上压|上壓|收缩压|收縮壓|systolic|sbp|sys|top")
_LOW = re.compile(r"低压|低壓|下压|下壓|舒张压|舒張壓|diastolic|dbp|dia|bottom")
_BESIDE_PRESSURE = re.compile(
    rf"{_HIGH.pattern}|{_LOW.pattern}|血压|血壓|blood pressure|bp|毫米汞柱|mmhg|kpa|千帕"
    r"|脉搏|脈搏|心率|心跳|pulse|heart rate|hr|bpm|次/分|次|over|and|[比和到是为]"
)


def parse_pressure(measures: Mapping[str, Measure], text: str) -> tuple[Value, ...]:
    """Read systolic and diastolic blood pressure in mmHg, and the pulse where a third number is given.

    Takes 160/100, 160 100, 一百六 一百, 高压160低压100, 16/10.7 (kPa, asked back) and 100/160 (asked back).

    Raises:
        Unreadable: not two or three numbers, something else beside them, or outside the limits.
    """
    words = _one_line(text)
    numbers = re.findall(r"(?<![\d.])\d{1,3}(?:\.\d{1,2})?(?![\d.]*\d)", words)
    beside = _BESIDE_PRESSURE.sub("", re.sub(r"[\d.]+", "", words))
    if len(numbers) not in (2, 3) or any(each.isalpha() for each in beside) or re.search(r"\d{4}", words):
        raise Unreadable("input.pressure.two_numbers", text)
    upper, lower = Decimal(numbers[0]), Decimal(numbers[1])
    doubt = Doubt.THIRD if len(numbers) == 3 else None
    high, low = _HIGH.search(words), _LOW.search(words)
    if high and low and low.start() < high.start():
        upper, lower = lower, upper
    elif upper < lower:
        upper, lower, doubt = lower, upper, Doubt.SWAPPED
    kilopascal = re.search("kpa|千帕", words)
    likely = [each for each in measures[SYSTOLIC].likely if each.at_least <= float(upper) < each.below]
    if kilopascal or likely:
        times = _unit_times(measures[SYSTOLIC], "kpa") if kilopascal else likely[0].times
        upper, lower = _times(measures[SYSTOLIC], upper, times), _times(measures[DIASTOLIC], lower, times)
        doubt = Doubt.UNIT
    values = []
    for measure, value in ((measures[SYSTOLIC], upper), (measures[DIASTOLIC], lower)):
        if not measure.limits.accept_from <= float(value) <= measure.limits.accept_to:
            raise Unreadable("input.pressure.out_of_range", text)
        unusual = Doubt.UNUSUAL if _is_unusual(measure.limits, value) else None
        values.append(Value(measure.id, value, text, unit="kpa" if kilopascal else "", doubt=doubt or unusual))
    if upper - lower < LEAST_DIFFERENCE:
        raise Unreadable("input.pressure.out_of_range", text)
    if len(numbers) == 3:
        values.append(replace(parse_value(measures[PULSE], numbers[2]), said=text, doubt=doubt))
    return tuple(values)


def _unit_times(measure: Measure, word: str) -> float:
    return next((each.times for each in measure.units if word in each.words), 1.0)


def parse_one(measures: Mapping[str, Measure], asked: str, text: str) -> tuple[Value, ...]:
    """Read the answer to the question for one measure (or `PRESSURE`); its own name may stand before the number.

    Raises:
        Unreadable: see `parse_value` and `parse_pressure`.
    """
    if asked == PRESSURE:
        return parse_pressure(measures, text)
    measure = measures[asked]
    names = "|".join(re.escape(name) for name in sorted(measure.names, key=len, reverse=True))
    found = re.match(rf"\s*(?:{names})(?![a-z])", prepared(text))
    if found is None or measure.id in (TEMPERATURE, WEIGHT):
        return (parse_value(measure, text),)
    value = parse_value(measure, prepared(text)[found.end() :])
    return (replace(value, said=text),)


_BESIDE_WEIGHT = re.compile(
    r"体重|weight|kg|公斤|千克|kilo(gram)?s?|斤|jin|lbs?|pounds?|磅|[半点是有]"
    r"|[〇零一二两兩三四五六七八九十百千]"
)


def has_number(text: str) -> bool:
    """Return whether a text holds a digit or a Chinese numeral, without which it is no reading."""
    return any(each.isdecimal() for each in with_digits(prepared(text)))


def only_a_reading(measures: Mapping[str, Measure], asked: str, text: str) -> bool:
    """Return whether ``text`` is the number that was asked for and nothing else that could mean something."""
    if asked == TEMPERATURE and not only_a_number(text):
        return False
    if asked == WEIGHT and any(each.isalpha() for each in _BESIDE_WEIGHT.sub("", plain(text))):
        return False
    try:
        parse_one(measures, asked, text)
    except Unreadable:
        return False
    return True


def parse_many(
    measures: Sequence[Measure], pressure_names: Sequence[str], others: Sequence[OtherTest], text: str
) -> Entered:
    """Read a day's values from one message: a name, a number, perhaps a unit, in any order and number.

    Every part of the message is in the answer: as a value, or refused with its reason. It never raises.
    """
    words = prepared(text[:LONGEST_MESSAGE])
    known = {measure.id: measure for measure in measures}
    meaning: dict[str, Measure | OtherTest | str] = {}
    for other in others:
        meaning.update(dict.fromkeys(other.names, other))
    for measure in measures:
        meaning.update(dict.fromkeys(measure.names, measure))
    meaning.update(dict.fromkeys(pressure_names, PRESSURE))
    matches = [*_names(meaning).finditer(words)]
    values: list[Value] = []
    refused: list[Refused] = []
    if before := words[: matches[0].start() if matches else len(words)].strip(_AROUND):
        refused.append(Refused(before, "input.measure.unknown"))
    for at, match in enumerate(matches):
        end = matches[at + 1].start() if at + 1 < len(matches) else len(words)
        said = words[match.start() : end].strip(_AROUND)
        what = meaning[match.group()]
        if isinstance(what, OtherTest):
            refused.append(Refused(said, what.reason, kept_out=True))
            continue
        try:
            found = _part(known, what, words[match.end() : end].strip(_AROUND))
        except Unreadable as problem:
            refused.append(Refused(said, problem.reason, what if isinstance(what, str) else what.id))
            continue
        for value in found:
            if any(each.measure == value.measure for each in values):
                refused.append(Refused(said, "input.measure.twice", value.measure))
            else:
                values.append(replace(value, said=said))
    if len(text) > LONGEST_MESSAGE:
        refused.append(Refused(text[LONGEST_MESSAGE:].strip(_AROUND)[:LONGEST_READABLE], "input.text.too_long"))
    return _plausible(values, refused)


def _part(known: Mapping[str, Measure], what: Measure | str, words: str) -> tuple[Value, ...]:
    if isinstance(what, Measure):
        return (parse_value(what, words),)
    return parse_pressure(known, words)


def _names(meaning: Mapping[str, object]) -> re.Pattern[str]:
    """Return what finds a name, the longest one first, Latin letters as a whole word: 转铁蛋白 is not 铁蛋白."""
    longest = sorted(meaning, key=len, reverse=True)
    written = [
        rf"(?<![a-z]){re.escape(name)}{'(?![a-z])' if name[-1].isascii() and name[-1].isalnum() else ''}"
        if name[0].isascii()
        else re.escape(name)
        for name in longest
    ]
    return re.compile("|".join(written))


def _plausible(values: list[Value], refused: list[Refused]) -> Entered:
    """Take out what cannot be beside each other: two pressures too near, neutrophils that outnumber white cells."""
    found = {value.measure: value for value in values}
    white, neutrophils = found.get(WBC), found.get(ANC)
    if white is not None and neutrophils is not None and neutrophils.value > white.value and not white.sign:
        values = [value for value in values if value is not neutrophils]
        refused = [*refused, Refused(neutrophils.said, "input.measure.anc_above_wbc", ANC)]
    upper, lower = found.get(SYSTOLIC), found.get(DIASTOLIC)
    if upper is not None and lower is not None and upper.value - lower.value < LEAST_DIFFERENCE:
        values = [value for value in values if value.measure not in PAIR]
        refused = [
            *refused,
            *(Refused(each.said, "input.pressure.out_of_range", each.measure) for each in (upper, lower)),
        ]
    return Entered(tuple(values), tuple(refused))
