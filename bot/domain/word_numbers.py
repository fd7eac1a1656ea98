"""Which measured values stand in these words: temperature, blood pressure, oxygen, pulse, laboratory, how often?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.domain.parsing import FAHRENHEIT

MEASURES = (
    "temperature_c",
    "systolic",
    "diastolic",
    "spo2",
    "pulse",
    "platelets",
    "haemoglobin_g_l",
    "neutrophils",
    "white_cells",
    "ferritin",
    "stools_a_day",
    "vomits_a_day",
)


@dataclass(frozen=True, slots=True)
class Value:
    """One measured value and where it stands."""

    measure: str
    number: float
    start: int
    end: int
    said: bool = True  # a word beside it says what was measured


_TEMPERATURE = re.compile(
    r"(?P<cue>烧到|发烧|体温|测温|温度|腋下|耳温枪?|额温枪?|口温|肛温|热度"
    r"|temp(?:erature)?(?: (?:is|of|was|says|at|now|still|around|about|has|went|gone|shot|up|to|back|rose"
    r"|climbed|hit|reached|spiked|reads|showed|shows|just|again|this|morning|evening|tonight))*"
    r"|fever(?: of| is| was)?|thermometer(?: says| reads| gives?| shows?| showed| said| is)?|armpit"
    r"|running(?: a)?)?"
    r"(?:是|有|到了?|为|量出来|量了|显示|测出来|大概|已经|都|飙|升|冲|上|又|达|蹿)*\s*[::]?\s*"
    r"(?<![\d./])(?P<whole>\d{2,3})(?:(?:[.,点]| point |度|°)(?P<tenth>\d)(?!\d))?"
    r"\s*(?P<unit>度|°\s*[cf]?|℃|℉|degrees?(?: [cf]\b)?|[cf]\b|华氏)?"
    r"(?![\d./]*\d)(?!\s*(?:kg|公斤|千克|斤|mg|ml|毫|片|粒|岁|天|年|月|号|块|元|%|点钟|次|分|个|层|路|页|公里|厘米"
    r"|km|cm|pm|am|minutes|days|years|year|tablets|pills|weeks|months|hours|miles))"
)
_PRESSURE_PAIR = re.compile(r"(?<![\d/.])(\d{2,3})\s*(?:/|比|over)\s*(\d{2,3})(?![\d/])")
_PRESSURE_BARE = re.compile(r"\s*(\d{2,3})[ ,、-]+(\d{2,3})\s*")
_PRESSURE_CUED = re.compile(
    r"(?P<cue>血压|高压|低压|上压|下压|收缩压|舒张压|\bbp\b|blood pressure|pressure"
    r"|systolic|diastolic|top number|bottom number|monitor says)\D{0,8}?(?P<number>\d{2,3})(?![\d.])"
)
_DIASTOLIC = ("低", "下", "舒", "dia", "bot")
_GAP = r"[^\d,。;!?\n]{0,12}?"
_CUED: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "spo2",
        re.compile(
            r"(?:血氧|脉氧|氧饱和度?|氧饱|\bspo2|\boxygen|\bo2|\bsats?\b)\D{0,16}?(?P<n>\d{2})(?!\d|\.\d|\s*(?:/|l\b|升))"
        ),
    ),
    ("pulse", re.compile(rf"(?:心率|脉搏|心跳|\bpulse|\bheart rate|\bhr\b){_GAP}(?P<n>\d{{2,3}})(?![\d.])")),
    (
        "platelets",
        re.compile(
            rf"(?:血小板|\bplts?\b|\bplatelets?\b(?: count)?){_GAP}(?P<n>\d{{1,4}}(?:\.\d+)?)(?P<unit>万)?(?![\d.])"
            r"(?!\s*(?:个|袋|单位|u\b|号|月|年|天|units?|bags?))"
        ),
    ),
    (
        "haemoglobin_g_l",
        re.compile(
            rf"(?:血红蛋白|血色素|\bhgb\b|\bhb\b|\bha?emoglobin\b){_GAP}(?P<n>\d{{1,3}})"
            r"(?:(?:\.|点|克)(?P<tenth>\d))?(?![\d.])(?!\s*(?:单位|袋|月|年|天))"
        ),
    ),
    (
        "neutrophils",
        re.compile(
            rf"(?:中性粒细胞|粒细胞|\banc\b|\bneut#?|\bneutrophils?\b)(?!.?比|百分){_GAP}"
            r"(?P<n>\d{1,2}(?:\.\d+)?)(?![\d.])(?!\s*%)"
        ),
    ),
    (
        "white_cells",
        re.compile(rf"(?:白细胞|\bwbc\b|\bwhite (?:blood )?cells?\b){_GAP}(?P<n>\d{{1,3}}(?:\.\d+)?)(?![\d.])"),
    ),
    ("ferritin", re.compile(rf"(?:铁蛋白|\bferritin\b){_GAP}(?P<n>\d{{2,5}})(?![\d.])")),
    (
        "stools_a_day",
        re.compile(
            r"(?:拉肚子|拉稀|腹泻|水泻|泻|拉水|拉|跑厕所|跑)[^\d,。;!?\n]{0,8}?(?P<n>\d{1,2})(?:次|趟|回)"
            r"|(?:diarrh?o?ea|the runs|(?:loose|watery|runny) (?:stools?|poos?))"
            r"[^\d,.;!?\n]{0,12}?(?P<m>\d{1,2}) times"
            r"|(?P<k>\d{1,2}) (?:loose|watery) (?:stools?|motions|bowel movements)"
        ),
    ),
    (
        "vomits_a_day",
        re.compile(
            r"吐[^\d,。;!?\n]{0,4}?(?P<n>\d{1,2})(?:次|趟|回)"
            r"|(?:vomit(?:ed|ing)?|thr[eo]w(?:n|ing)? up|sick|puk(?:ed|ing)|heaved)"
            r"[^\d,.;!?\n]{0,12}?(?P<m>\d{1,2}) times"
        ),
    ),
)
_NUMBER_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen",
)  # fmt: skip
_ENGLISH_NUMBERS = {word: number for number, word in enumerate(_NUMBER_WORDS)}
_SPELLED = re.compile(r"\b(" + "|".join(_ENGLISH_NUMBERS) + r")(?= (?:times|loose|watery))")
_TENS = {"thirty": 30, "forty": 40}
# Temperatures as they are spoken: thirty eight and a half, thirty-nine point two, a hundred and one.
_SPOKEN = re.compile(
    r"\b(thirty|forty)(?:[ -](one|two|three|four|five|six|seven|eight|nine))?"
    r"(?:( and a half)| point (zero|one|two|three|four|five|six|seven|eight|nine)| point (\d))?\b"
)
_HUNDRED = re.compile(r"\b(?:a |one )?hundred and (one|two|three|four|five)(?: point (\d))?\b")
_TWICE = re.compile(r"\b(once|twice)\b")


def english_digits(words: str) -> str:
    """Return ``words`` with the small English numbers that count something written as digits."""
    words = _HUNDRED.sub(lambda match: f"10{_ENGLISH_NUMBERS[match[1]]}.{match[2] or 0}", _SPOKEN.sub(_spoken, words))
    words = _SPELLED.sub(lambda match: str(_ENGLISH_NUMBERS[match[1]]), words)
    return _TWICE.sub(lambda match: "1 times" if match[1] == "once" else "2 times", words)


def _spoken(match: re.Match[str]) -> str:
    ten, one, half, said, digit = match.groups()
    whole = _TENS[ten] + (_ENGLISH_NUMBERS[one] if one else 0)
    if half:
        return f"{whole}.5"
    tenth = str(_ENGLISH_NUMBERS[said]) if said else digit
    return f"{whole}.{tenth}" if tenth else str(whole)


def values(words: str) -> Iterator[Value]:
    """Yield every measured value; a number that cannot be one (a date, a dose) is left alone."""
    for match in _TEMPERATURE.finditer(words):
        if (celsius := _celsius(match, alone=match.group().strip() == words.strip(" .。!?"))) is not None:
            yield Value("temperature_c", celsius, match.start("whole"), match.end(), bool(match["cue"]))
    yield from _pressures(words)
    for measure, pattern in _CUED:
        for match in pattern.finditer(words):
            if (number := _number(measure, match)) is not None:
                yield Value(measure, number, *match.span())


def _pressures(words: str) -> Iterator[Value]:
    pairs = [*_PRESSURE_PAIR.finditer(words)]
    if bare := _PRESSURE_BARE.fullmatch(words):
        pairs.append(bare)
    for match in pairs:
        upper, lower = sorted((int(match[1]), int(match[2])), reverse=True)
        if 60 <= upper <= 260 and 30 <= lower <= 160 and upper - lower >= 10:
            yield Value("systolic", upper, *match.span())
            yield Value("diastolic", lower, *match.span())
    for match in _PRESSURE_CUED.finditer(words):
        measure = "diastolic" if match["cue"].startswith(_DIASTOLIC) else "systolic"
        if 30 <= int(match["number"]) <= 300:
            yield Value(measure, int(match["number"]), *match.span())


def _celsius(match: re.Match[str], *, alone: bool) -> float | None:
    """Return a body temperature in degrees Celsius, or ``None`` when the number is something else."""
    number = float(f"{match['whole']}.{match['tenth'] or 0}")
    said = bool(match["cue"] or match["unit"] or match["tenth"])
    fahrenheit = "f" in (match["unit"] or "") or match["unit"] in ("℉", "华氏")
    if FAHRENHEIT[0] <= number <= FAHRENHEIT[1] and (said or alone or fahrenheit):
        return round((number - 32) / 1.8, 1)
    if 340 <= number <= 425 and not match["tenth"] and (alone or match["cue"]):
        return number / 10
    return number if 34 <= number <= 42.5 and (said or alone) else None


def _number(measure: str, match: re.Match[str]) -> float | None:
    """Return the value in the unit of the bands, or ``None`` when it cannot be one."""
    groups = match.groupdict()
    said = next(groups[name] for name in ("n", "m", "k") if groups.get(name) is not None)
    number = float(said)
    match measure:
        case "haemoglobin_g_l":
            number = float(f"{said}.{groups['tenth']}") if groups["tenth"] else number
            # Laboratories abroad, and people who say "six grams", mean grams a decilitre.
            return number * 10 if 2 <= number <= 19 else (number if 20 <= number <= 220 else None)
        case "platelets":
            number = number * 10 if groups["unit"] else number
            return number / 1000 if number >= 2000 else number
        case "pulse":
            return number if 20 <= number <= 250 else None
        case "neutrophils" | "white_cells":
            return number if number <= 100 else None
        case _:
            return number
