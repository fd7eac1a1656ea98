"""Which dangers do these free words name, and are they meant now, denied, or in doubt?"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from bot.domain.parsing import FAHRENHEIT, with_digits
from bot.domain.urgency import Urgency, highest


class Status(StrEnum):
    """Whether a concept is meant as present, denied, or unclear enough to ask."""

    POSITIVE = "positive"
    DOUBTFUL = "doubtful"
    NEGATED = "negated"


@dataclass(frozen=True, slots=True)
class Words:
    """Chinese and English wordings of one thing."""

    zh: tuple[str, ...] = ()
    en: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Concept:
    """One danger, the triage rule behind it, and every wording of it.

    ``when_resolved``: the urgency when the words say that it is over. ``ask_first``: the words alone are
    never clear ("help"), so they are always in doubt.
    """

    id: str
    rule: str
    urgency: Urgency
    tell_subject: str
    when_resolved: Urgency
    words: Words
    ask_first: bool = False


@dataclass(frozen=True, slots=True)
class NumberBand:
    """Measured values that stand for a concept: ``at_least`` counts itself, ``below`` does not."""

    measure: str
    concept: str
    urgency: Urgency
    at_least: float | None = None
    below: float | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """The small words around a concept that deny it, put it in doubt, or end the reach of such a word."""

    negators: Words
    between: Words
    double_negations: Words
    not_negators: Words
    contrasts: Words
    hypothetical: Words
    hypothetical_after: Words
    past: Words
    other_person: Words
    speaker: Words
    now: Words
    again: Words
    resolved: Words
    not_resolved: Words
    lists: Words
    fillers: Words
    idioms: Words


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All that free text is searched for; every word list is data."""

    version: str
    concepts: tuple[Concept, ...]
    numbers: tuple[NumberBand, ...]
    context: Context


@dataclass(frozen=True, slots=True)
class Found:
    """One concept in a text: the words that named it, how they are meant, and the urgency that follows."""

    concept: Concept
    words: tuple[str, ...]
    status: Status
    urgency: Urgency


@dataclass(frozen=True, slots=True)
class Findings:
    """All concepts of a text, most urgent first.

    ``urgency`` counts what is positive. ``doubtful``: something in doubt would be more urgent than that, up
    to ``urgency_if_so``, so the subject is asked once whether it is happening now.
    """

    concepts: tuple[Found, ...]
    urgency: Urgency
    urgency_if_so: Urgency
    doubtful: bool

    @property
    def tell(self) -> str | None:
        """Return the text key of the most urgent positive concept, or ``None`` without one."""
        for found in self.concepts:
            if found.status is Status.POSITIVE:
                return found.concept.tell_subject
        return None


@dataclass(frozen=True, slots=True)
class _Hit:
    start: int
    end: int
    concept: Concept
    urgency: Urgency


@dataclass(frozen=True, slots=True)
class _Patterns:
    concepts: tuple[tuple[Concept, tuple[str, ...], re.Pattern[str] | None], ...]
    idioms: re.Pattern[str]
    negator_before: re.Pattern[str]
    double: re.Pattern[str]
    not_negators: re.Pattern[str]
    contrasts: re.Pattern[str]
    hypothetical: re.Pattern[str]
    hypothetical_after: re.Pattern[str]
    past: re.Pattern[str]
    other_person: re.Pattern[str]
    speaker: re.Pattern[str]
    now: re.Pattern[str]
    again: re.Pattern[str]
    resolved: re.Pattern[str]
    not_resolved: re.Pattern[str]
    list_before: re.Pattern[str]
    fillers: re.Pattern[str]


# So many signs on either side can change what a word means; what stands further off is another thought.
REACH = 80

_NEVER = re.compile(r"(?!)")
_CJK = r"[㐀-鿿]"
_SENTENCE_END = re.compile(r"[。!?;\n]|\.(?!\d)")
_CLAUSE_END = re.compile(r"[,、:]")


def scan(text: str, lexicon: Lexicon) -> Findings:
    """Return every danger that ``text`` names; it never raises, whatever the text.

    Recall comes first: what is unclear is positive, and what is hypothetical, past or about another person
    is in doubt (to be asked) rather than dropped. Only a plain negation close to the words denies them.
    """
    words = normalise(text)
    patterns = _compiled(lexicon)
    idioms = [match.span() for match in patterns.idioms.finditer(words)]
    hits = [
        hit
        for hit in _without_parts([*_word_hits(words, patterns), *_number_hits(words, lexicon)])
        if not any(start <= hit.start and hit.end <= end for start, end in idioms)
    ]
    grouped: dict[str, list[tuple[Status, Urgency, str, Concept]]] = {}
    for hit in hits:
        status, urgency = _meaning(words, hit, hits, patterns)
        grouped.setdefault(hit.concept.id, []).append((status, urgency, words[hit.start : hit.end], hit.concept))
    found = []
    for readings in grouped.values():
        order = list(Status)
        status = min((reading[0] for reading in readings), key=order.index)
        same = [reading for reading in readings if reading[0] is status]
        urgency = highest(reading[1] for reading in same)
        found.append(Found(same[0][3], tuple(dict.fromkeys(r[2] for r in same)), status, urgency))
    found.sort(key=lambda one: (list(Status).index(one.status), -one.urgency.rank))
    positive = highest(one.urgency for one in found if one.status is Status.POSITIVE)
    possible = highest(one.urgency for one in found if one.status is not Status.NEGATED)
    return Findings(tuple(found), positive, possible, doubtful=possible.rank > positive.rank)


def normalise(text: str) -> str:
    """Return ``text`` in the form in which it is searched.

    NFKC, lower case, straight apostrophes, no spaces between Chinese characters, Chinese numbers with a
    unit as digits (三十八度五), and no letter more than twice in a row (stoool).
    """
    words = unicodedata.normalize("NFKC", text).lower()
    words = words.replace("’", "'").replace("‘", "'").replace("`", "'")
    words = re.sub(r"[^\S\n]+", " ", words)
    words = re.sub(rf"(?<={_CJK}) (?={_CJK})", "", words)
    words = re.sub(r"([a-z])\1{2,}", r"\1\1", words)
    return re.sub(
        rf"(?:(?<=烧到)|(?<=体温)|(?<=高压)|(?<=低压)|(?<=血压)|(?<=上压)|(?={_CJK}{{2,4}}度))"
        r"[零一二两三四五六七八九十百]+(?:度[一二三四五六七八九])?",
        lambda match: with_digits(match.group()),
        words,
    )


def _word_hits(words: str, patterns: _Patterns) -> list[_Hit]:
    hits = []
    stripped, positions = _without_fillers(words, patterns.fillers)
    whole = list(range(len(words) + 1))
    for concept, chinese, english in patterns.concepts:
        for searched, places in ((words, whole), (stripped, positions)):
            spans = [match.span() for match in english.finditer(searched)] if english else []
            for word in chinese:
                start = searched.find(word)
                while start >= 0:
                    spans.append((start, start + len(word)))
                    start = searched.find(word, start + 1)
            hits += [_Hit(places[start], places[end - 1] + 1, concept, concept.urgency) for start, end in spans]
    return hits


def _without_fillers(words: str, fillers: re.Pattern[str]) -> tuple[str, list[int]]:
    """Return the words without small words that people put inside a phrase, and where each sign stood."""
    kept: list[int] = []
    last = 0
    for match in fillers.finditer(words):
        kept.extend(range(last, match.start()))
        last = match.end()
    kept.extend(range(last, len(words)))
    return "".join(words[place] for place in kept), [*kept, len(words)]


_TEMPERATURE = re.compile(
    r"(?P<cue>烧到|发烧|體溫|体温|温度|temp(?:erature)?(?: is| of)?|fever(?: of| is)?)?\s*[::]?\s*"
    r"(?<![\d./])(?P<whole>\d{2,3})(?:(?:[.,点點]|度|°)(?P<tenth>\d)(?!\d))?"
    r"\s*(?P<unit>度|°\s*[cf]?|℃|℉|degrees?(?: [cf]\b)?|[cf]\b|华氏)?"
    r"(?![\d./]*\d)(?!\s*(?:kg|公斤|千克|斤|mg|ml|毫|片|粒|岁|天|年|月|号|块|元|%|点钟|次|分|minutes|days|years|tablets))"
)
_PRESSURE_PAIR = re.compile(r"(?<![\d/.])(\d{2,3})\s*(?:/|比|over)\s*(\d{2,3})(?![\d/])")
_PRESSURE_BARE = re.compile(r"\s*(\d{2,3})[ ,、-]+(\d{2,3})\s*")
_PRESSURE_CUED = re.compile(
    r"(?P<cue>血压|血壓|高压|高壓|低压|低壓|上压|上壓|下压|下壓|收缩压|舒张压|\bbp\b|blood pressure|pressure"
    r"|systolic|diastolic|top number|bottom number|monitor says)\D{0,8}?(?P<number>\d{2,3})(?![\d.])"
)
_DIASTOLIC = ("低", "下", "舒", "dia", "bot")
_OXYGEN = re.compile(
    r"(?:血氧|氧饱和度?|氧飽和度?|\bspo2|\boxygen|\bo2|\bsats?\b)\D{0,8}?(\d{2})(?!\d|\.\d|\s*(?:/|l\b|升))"
)


def _number_hits(words: str, lexicon: Lexicon) -> list[_Hit]:
    """Find measured values; a value that cannot be one (a date, a dose) is left alone."""
    values: list[tuple[str, float, int, int]] = []
    for match in _TEMPERATURE.finditer(words):
        if (celsius := _celsius(match, alone=match.group().strip() == words.strip(" .。!?"))) is not None:
            values.append(("temperature_c", celsius, match.start("whole"), match.end()))
    pairs = [*_PRESSURE_PAIR.finditer(words)]
    if bare := _PRESSURE_BARE.fullmatch(words):
        pairs.append(bare)
    for match in pairs:
        upper, lower = sorted((int(match[1]), int(match[2])), reverse=True)
        if 60 <= upper <= 260 and 30 <= lower <= 160 and upper - lower >= 10:
            values.append(("systolic", upper, *match.span()))
            values.append(("diastolic", lower, *match.span()))
    for match in _PRESSURE_CUED.finditer(words):
        measure = "diastolic" if match["cue"].startswith(_DIASTOLIC) else "systolic"
        if 30 <= int(match["number"]) <= 300:
            values.append((measure, int(match["number"]), *match.span()))
    values += [("spo2", int(match[1]), *match.span()) for match in _OXYGEN.finditer(words)]
    concepts = {concept.id: concept for concept in lexicon.concepts}
    return [
        _Hit(start, end, concepts[band.concept], band.urgency)
        for measure, value, start, end in values
        for band in lexicon.numbers
        if band.measure == measure
        and (band.at_least is None or value >= band.at_least)
        and (band.below is None or value < band.below)
        and band.concept in concepts
    ]


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


def _without_parts(hits: list[_Hit]) -> list[_Hit]:
    """Drop a hit that lies inside a longer one: "没退烧" is a fever, whatever "退烧" alone would say."""
    longer_first = sorted(set(hits), key=lambda hit: (hit.start, -hit.end))
    kept: list[_Hit] = []
    furthest: _Hit | None = None
    for hit in longer_first:
        same = furthest is not None and (furthest.start, furthest.end) == (hit.start, hit.end)
        inside = furthest is not None and hit.end <= furthest.end and not same
        # A part of a wording of another danger keeps its own meaning: 皮疹发烧 is both.
        if not inside or (furthest is not None and furthest.concept.id != hit.concept.id):
            kept.append(hit)
        if furthest is None or hit.end > furthest.end:
            furthest = hit
    return kept


def _meaning(words: str, hit: _Hit, hits: list[_Hit], patterns: _Patterns) -> tuple[Status, Urgency]:
    """Return how one hit is meant, and the urgency that is left of it."""
    reach_start, reach_end = max(0, hit.start - REACH), min(len(words), hit.end + REACH)
    ends = [m.end() for m in _SENTENCE_END.finditer(words, reach_start, hit.start)]
    sentence_start = ends[-1] if ends else reach_start
    after = _SENTENCE_END.search(words, hit.end, reach_end)
    sentence_end = after.start() if after else reach_end
    contrasts = [m.end() for m in patterns.contrasts.finditer(words, sentence_start, hit.start)]
    start = contrasts[-1] if contrasts else sentence_start
    later = patterns.contrasts.search(words, hit.end, sentence_end)
    end = later.start() if later else sentence_end
    clause_start = max([start, *(m.end() for m in _CLAUSE_END.finditer(words, start, hit.start))])
    before, behind = words[start : hit.start], words[hit.end : end]

    denied = _negation(words, clause_start, hit, hits, patterns)
    if denied is Status.NEGATED:
        return Status.NEGATED, hit.urgency
    now = patterns.now.search(before) or patterns.now.search(behind)
    if denied is Status.DOUBTFUL or hit.concept.ask_first:
        return Status.DOUBTFUL, hit.urgency
    if patterns.hypothetical.search(before) or patterns.hypothetical_after.match(behind):
        return Status.DOUBTFUL, hit.urgency
    others = [m.end() for m in patterns.other_person.finditer(before)]
    if others and not patterns.speaker.search(before, others[-1]):
        return Status.DOUBTFUL, hit.urgency
    if not now and (patterns.past.search(before) or patterns.past.search(behind)):
        return Status.DOUBTFUL, hit.urgency
    if _resolved(words, hit, sentence_end, patterns):
        return Status.POSITIVE, hit.concept.when_resolved
    return Status.POSITIVE, hit.urgency


def _negation(words: str, clause_start: int, hit: _Hit, hits: list[_Hit], patterns: _Patterns) -> Status | None:
    """Return NEGATED for a plain negation just before the hit, DOUBTFUL for one that a list carries on."""
    # 是不是, 有没有 and their like ask; they deny nothing, so they are blanked before a negator is sought.
    before = patterns.not_negators.sub(_blank, words[clause_start : hit.start])
    if patterns.double.search(before):
        return None
    if patterns.negator_before.search(before):
        return Status.NEGATED
    head_start = max(0, hit.start - REACH)
    head = patterns.not_negators.sub(_blank, words[head_start : hit.start])
    listed = patterns.list_before.search(head)
    if listed is None:
        return None
    for other in hits:
        if other.end == head_start + listed.start() and other.start < hit.start:
            lead = head[: max(0, other.start - head_start)]
            clauses = re.split(r"[,、:。!?;\n.]", lead)
            carried = patterns.negator_before.search(clauses[-1]) or patterns.list_before.search(lead)
            if carried and not patterns.double.search(lead):
                return Status.DOUBTFUL
    return None


def _resolved(words: str, hit: _Hit, sentence_end: int, patterns: _Patterns) -> bool:
    """Return whether the words say that it is over; "better" and "has not stopped" do not."""
    # "Today" may say when it ended, so only words of return ("again") undo it, wherever they stand behind.
    for match in patterns.resolved.finditer(words, hit.start, sentence_end):
        lead = patterns.not_negators.sub(_blank, words[max(0, match.start() - 14) : match.start()])
        if patterns.negator_before.search(lead) or patterns.not_resolved.match(words, match.start()):
            continue
        return not patterns.again.search(words, match.end(), sentence_end)
    return False


def _blank(match: re.Match[str]) -> str:
    return "~" * len(match.group())


@lru_cache(maxsize=4)
def _compiled(lexicon: Lexicon) -> _Patterns:
    """Compile the word lists once; a lexicon is a frozen value, so it is its own key."""
    context = lexicon.context
    fillers = re.compile(f"(?:{_source(context.fillers)}) ?")
    concepts = []
    for concept in lexicon.concepts:
        chinese: list[str] = []
        english: list[str] = []
        for wording in (*concept.words.zh, *concept.words.en):
            plain = normalise(wording)
            bare = fillers.sub("", plain).strip()
            forms = {plain, bare} if len(bare) > 1 else {plain}
            (english if re.match(r"[a-z0-9]", plain) and not re.search(_CJK, plain) else chinese).extend(forms)
        concepts.append((concept, tuple(dict.fromkeys(chinese)), _english(english)))
    between = f"(?:{_source(context.between)}| )*"
    return _Patterns(
        concepts=tuple(concepts),
        idioms=_any_of(context.idioms),
        negator_before=re.compile(f"(?:{_source(context.negators)}){between}$"),
        double=_any_of(context.double_negations),
        not_negators=_any_of(context.not_negators),
        contrasts=_any_of(context.contrasts),
        hypothetical=_any_of(context.hypothetical),
        hypothetical_after=_any_of(context.hypothetical_after),
        past=_any_of(context.past),
        other_person=_any_of(context.other_person),
        speaker=_any_of(context.speaker),
        now=_any_of(context.now),
        again=_any_of(context.again),
        resolved=_any_of(context.resolved),
        not_resolved=_any_of(context.not_resolved),
        list_before=re.compile(f"(?:{_source(context.lists)}| )+$"),
        fillers=fillers,
    )


def _english(wordings: list[str]) -> re.Pattern[str] | None:
    """Return a pattern for whole English words; endings such as -s, -ed and -ing still count."""
    if not wordings:
        return None
    inside = "|".join(re.escape(one) for one in sorted(set(wordings), key=len, reverse=True))
    return re.compile(rf"(?<![a-z])(?:{inside})(?:s|es|ed|ing)?(?![a-z])")


def _source(words: Words) -> str:
    """Return the pattern source of a word list: Chinese anywhere, English as whole words."""
    parts = [re.escape(normalise(one)) for one in sorted(words.zh, key=len, reverse=True)]
    parts += [rf"(?<![a-z]){re.escape(normalise(one))}(?![a-z])" for one in sorted(words.en, key=len, reverse=True)]
    return "|".join(parts) or "(?!)"


def _any_of(words: Words) -> re.Pattern[str]:
    return re.compile(_source(words)) if words.zh or words.en else _NEVER
