"""Where in these words do the entries of the lexicon stand, however they are written?

The text is first brought into one form: half width, lower case, simplified characters, homophones and typing
errors read as what they stand for, numbers as digits. Then wordings are sought whole, and compositions part by part.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice, pairwise
from operator import itemgetter
from typing import TypeVar

from bot.domain.lexicon import Composition, Concept, Lexicon, Part, Request, Words
from bot.domain.parsing import with_digits
from bot.domain.word_numbers import english_digits

CJK = r"[㐀-鿿]"
NEVER = re.compile(r"(?!)")
SENTENCE_END = re.compile(r"[。!?;\n]|\.(?!\d)")
CLAUSE_END = re.compile(r"[,、:]")

# So many signs may stand between two parts of a composition, and around them.
GAP_ZH, GAP_EN, NEAR_ZH, NEAR_EN = 12, 28, 14, 40
GAP_OVER_COMMA = 2
LONGEST_PART = 40
# So often one composition is followed up in one text. It is more often than a concept is judged, so that what is
# left unseen is asked about.
MOST_CHAINS = 100
# Shorter English words have too many neighbours to be guessed; theirs are listed as spellings.
SHORTEST_TYPO = 7

# Between an English complaint and the place where it is ("pain round my heart").
_OF = re.compile(
    r"\b(?:in|of|from|on|at|around|round|under|inside|all over|over|through|to|near|beside|next to|by|behind|above"
    r"|below|across|between|along|into|down|up)\b"
)
# Between two words for one place of the body (左边小腿, left side of my body).
_SAME_PLACE = re.compile(r"\s*(?:(?:of|in|on) (?:my|the|his|her|your))?\s*")
# Between an English complaint and the place that follows it (swollen left leg).
_ADJECTIVE = re.compile(r" (?:[a-z]+ )?")
_NUMERALS = r"[零一二两三四五六七八九十百]+"
_UNITS = "次|趟|回|片|粒|颗|克|万"
_CUES = ("烧到", "体温", "测温", "高压", "低压", "血压", "上压", "热度", "血小板", "血红蛋白", "血色素", "白细胞")
_CHINESE_NUMBER = re.compile(
    rf"(?:{'|'.join(f'(?<={cue})' for cue in _CUES)})(?:只有|是|有)?{_NUMERALS}(?:度[一二三四五六七八九])?"
    rf"|(?={CJK}{{2,4}}度){_NUMERALS}(?:度[一二三四五六七八九])?"
    rf"|{_NUMERALS}(?=(?:{_UNITS}))"
)
_NEXT_HUNDRED = re.compile(
    r"(?<=[零一二两三四五六七八九十百])(?=[一二两]百)"
    r"|(?<=百[一二三四五六七八九]十[一二三四五六七八九])(?=[三四五六七八九]十)"
)
_TEN_OR_SO = re.compile(r"十(?:来|几|多)(?=次|趟|回|分钟|片|粒|颗)")
_SEVEN_OR_EIGHT = re.compile(r"([三四五六七八])([四五六七八九])(?=次|趟|回|片|粒|颗)")


@dataclass(frozen=True, slots=True)
class Hit:
    """Words that name a concept or a request; ``inner`` is where later parts begin, each of which can be denied."""

    start: int
    end: int
    entry: Concept | Request
    weak: bool = False
    inner: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    entry: Concept | Request
    english: re.Pattern[str] | None
    weak_english: re.Pattern[str] | None


@dataclass(frozen=True, slots=True)
class ContextPatterns:
    """The word lists of the context, compiled."""

    negator_before: re.Pattern[str]
    double: re.Pattern[str]
    not_negators: re.Pattern[str]
    contrasts: re.Pattern[str]
    soft: re.Pattern[str]
    hypothetical: re.Pattern[str]
    hypothetical_after: re.Pattern[str]
    asks_before: re.Pattern[str]
    asks_after: re.Pattern[str]
    past: re.Pattern[str]
    other_person: re.Pattern[str]
    speaker: re.Pattern[str]
    now: re.Pattern[str]
    weather: re.Pattern[str]
    again: re.Pattern[str]
    resolved: re.Pattern[str]
    not_resolved: re.Pattern[str]
    list_before: re.Pattern[str]
    list_only: re.Pattern[str]
    polite: re.Pattern[str]
    well: re.Pattern[str]
    laughter: re.Pattern[str]
    thing: re.Pattern[str]
    thing_before: re.Pattern[str]
    idioms: re.Pattern[str]

    def heard_in(self, words: str) -> ContextPatterns:
        """Return the patterns that can match somewhere in a text; the others match nothing, and cost nothing."""
        return replace(self, **{name: NEVER for name in _SOUGHT_ONCE if not getattr(self, name).search(words)})


_SOUGHT_ONCE = (
    "double", "contrasts", "hypothetical", "asks_after", "past", "other_person", "now", "resolved", "well",
)  # fmt: skip


# Every word of the lexicon goes through these at the start, every text of a patient later.
_BLANKS = re.compile(r"[^\S\n]+")
_BETWEEN_SIGNS = re.compile(rf"(?<={CJK}) (?={CJK})")
_THRICE = re.compile(r"([a-z])\1{2,}")
_LATIN = re.compile("[a-z]")
_LONG_WORD = re.compile("[a-z]{7,}")


def normalise(text: str) -> str:
    """Return ``text`` in one form, before anything of the lexicon is known.

    NFKC, lower case, straight apostrophes, no spaces between Chinese characters, and no letter more than twice
    in a row (stoool).
    """
    words = unicodedata.normalize("NFKC", text).lower()
    if not words.isalpha():  # A single word, as most of the lexicon, has nothing of this.
        words = words.replace("’", "'").replace("‘", "'").replace("`", "'").replace("\ufe0f", "")
        words = _BLANKS.sub(" ", words)
        words = _BETWEEN_SIGNS.sub("", words)
    return _THRICE.sub(r"\1\1", words)


def blank(match: re.Match[str]) -> str:
    """Return as many signs as were matched that mean nothing."""
    return "~" * len(match.group())


def without(words: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return the words with spaces in these places."""
    signs = list(words)
    for start, end in spans:
        signs[start:end] = " " * (end - start)
    return "".join(signs)


@lru_cache(maxsize=4)
def reader(lexicon: Lexicon) -> Reader:
    """Return the lexicon made ready for reading; made once, for a lexicon is its own key."""
    return Reader(lexicon)


@dataclass(slots=True)
class _Text:
    """One text while it is searched: its words, and where each part of the lexicon stands in it."""

    words: str
    parts: Mapping[str, Sequence[tuple[int, int]]]
    bodies: Sequence[tuple[int, int, str]] = field(default=())
    # Gaps between two places that were already looked at, and whether they keep them together.
    gaps: dict[tuple[int, int], bool] = field(default_factory=dict)


class Reader:
    """A lexicon whose patterns are compiled."""

    def __init__(self, lexicon: Lexicon) -> None:
        """Compile every word list."""
        self._signs = str.maketrans({pair[0]: pair[1] for pair in lexicon.signs})
        self._spellings = _spellings(lexicon)
        self._spelling = self._spelling_pattern()
        self._typos: dict[str, str] = {}
        self._known: frozenset[str] = frozenset()
        self.context = self._context(lexicon)
        self._fillers = re.compile(f"(?:{self._source(lexicon.context.fillers)}) ?")
        self._chinese: dict[str, list[tuple[str, Concept | Request, bool]]] = {}
        entries: list[Concept | Request] = [*lexicon.concepts, *lexicon.requests]
        self._entries = [self._entry(entry) for entry in entries]
        self._compositions_from: dict[str, list[tuple[Concept | Request, Composition]]] = {}
        for each in self._entries:
            for composition in each.entry.compose:
                self._compositions_from.setdefault(composition.parts[0], []).append((each.entry, composition))
        self._part_signs: dict[str, list[tuple[str, str]]] = {}
        self._parts = {part.id: self._part(part) for part in lexicon.parts}
        self._bodies = {part.id for part in lexicon.parts if part.body}
        self._unions = {part.id: frozenset(part.any_of) for part in lexicon.parts if part.any_of}
        self._learn_typos(lexicon)

    def read(self, text: str) -> str:
        """Return ``text`` in the form in which it is searched."""
        words = self._spelled(normalise(text).translate(self._signs))
        if not words.isascii():
            words = _TEN_OR_SO.sub("十", words)
            words = _SEVEN_OR_EIGHT.sub(r"\2", words)
            words = _CHINESE_NUMBER.sub(_chinese_digits, words)
        if not _LATIN.search(words):
            return words
        words = english_digits(words)
        return _LONG_WORD.sub(lambda match: self._meant(match.group()), words)

    def hits(self, words: str) -> list[Hit]:
        """Return every place where a concept or a request stands, overlapping ones included."""
        found: set[Hit] = set()
        stripped, positions = self._without_fillers(words)
        whole = range(len(words) + 1)
        searched: list[tuple[str, Sequence[int]]] = [(words, whole)]
        if len(stripped) != len(words):
            searched.append((stripped, positions))
        for text, places in searched:
            found.update(self._whole_wordings(text, places))
        found.update(self._composed(words))
        return list(found)

    def _whole_wordings(self, text: str, places: Sequence[int]) -> Iterable[Hit]:
        for start, sign in enumerate(text):
            for word, entry, weak in self._chinese.get(sign, ()):
                if text.startswith(word, start):
                    yield Hit(places[start], places[start + len(word) - 1] + 1, entry, weak)
        if not re.search("[a-z]", text):
            return
        for each in self._entries:
            for pattern, weak in ((each.english, False), (each.weak_english, True)):
                for match in pattern.finditer(text) if pattern is not None else ():
                    yield Hit(places[match.start()], places[match.end() - 1] + 1, each.entry, weak)

    def _composed(self, words: str) -> Iterable[Hit]:
        text = self._parted(words)
        for name, spans in text.parts.items():
            for entry, composition in self._compositions_from.get(name, ()) if spans else ():
                yield from self._compositions(text, entry, composition)

    def composed(self, words: str, entry: Concept | Request, composition: Composition) -> bool:
        """Return whether one composition is found in these words."""
        return any(self._compositions(self._parted(words), entry, composition))

    def _parted(self, words: str) -> _Text:
        """Find each part of the lexicon in the words."""
        spans: dict[str, list[tuple[int, int]]] = {name: [] for name in self._parts}
        for start, sign in enumerate(words):
            for word, name in self._part_signs.get(sign, ()):
                if words.startswith(word, start):
                    spans[name].append((start, start + len(word)))
        latin = re.search("[a-z]", words) is not None
        bodies: list[tuple[int, int, str]] = []
        for name, (english, but_not) in self._parts.items():
            if latin and english is not None:
                spans[name] += [match.span() for match in english.finditer(words)]
                spans[name].sort()
            if spans[name] and but_not is not None:
                other = [match.span() for match in but_not.finditer(words)]
                spans[name] = [one for one in spans[name] if not any(a <= one[0] and one[1] <= b for a, b in other)]
            if name in self._bodies:
                bodies += [(*one, name) for one in spans[name]]
        for name, members in self._unions.items():
            if any(spans[member] for member in members):
                spans[name] = sorted({one for member in (*members, name) for one in spans[member]})
        return _Text(words, spans, _outermost(bodies))

    def _compositions(self, text: _Text, entry: Concept | Request, composition: Composition) -> Iterable[Hit]:
        if any(not text.parts[name] for name in composition.parts):
            return
        if composition.near and not any(text.parts[name] for name in composition.near):
            return
        for chain in islice(self._chains(text, composition.parts), MOST_CHAINS):
            start, end = min(one[0] for one in chain), max(one[1] for one in chain)
            if composition.near and not self._is_near(text, start, end, composition.near):
                continue
            later = tuple((earlier[1], one[0]) for earlier, one in pairwise(chain))
            yield Hit(start, end, entry, composition.weak, later)

    def _chains(self, text: _Text, names: Sequence[str]) -> Iterable[list[tuple[int, int]]]:
        for first in text.parts[names[0]]:
            chain = [first]
            for name in names[1:]:
                end = chain[-1][1]
                after = _starting(text.parts[name], end, end + GAP_EN)
                following = next((one for one in after if self._joined(text, chain[-1], one, names)), None)
                if following is None:
                    break
                chain.append(following)
            else:
                yield chain
        if len(names) == 2:
            for last in text.parts[names[1]]:
                for first in _starting(text.parts[names[0]], last[1] + 1, last[1] + GAP_EN):
                    gap = text.words[last[1] : first[0]]
                    turned = _OF.search(gap) or _ADJECTIVE.fullmatch(gap)
                    if turned and self._joined(text, last, first, names):
                        yield [last, first]
                        break

    def _joined(self, text: _Text, one: tuple[int, int], other: tuple[int, int], names: Sequence[str]) -> bool:
        """Return whether nothing stands between two parts that takes them apart."""
        place = (one[1], other[0])
        if place[0] == place[1]:
            return True
        if place not in text.gaps:
            text.gaps[place] = self._bridges(text.words[place[0] : place[1]])
        if not text.gaps[place]:
            return False
        own = {*names, *(member for name in names for member in self._unions.get(name, ()))}
        for start, end, name in _starting(text.bodies, one[1], other[0]):
            if end <= other[0] and name not in own:
                before = text.words[one[1] : start]
                if not (_SAME_PLACE.fullmatch(before) or self.context.list_only.fullmatch(before)):
                    return False
        return True

    def _bridges(self, gap: str) -> bool:
        """Return whether a gap is short and ends no thought, so that what stands around it belongs together."""
        if len(gap) > (GAP_ZH if re.search(CJK, gap) else GAP_EN) or SENTENCE_END.search(gap):
            return False
        if CLAUSE_END.search(gap) and len(gap) > GAP_OVER_COMMA:
            return False
        return all(self.context.soft.fullmatch(match.group()) for match in self.context.contrasts.finditer(gap))

    def _is_near(self, text: _Text, start: int, end: int, names: Sequence[str]) -> bool:
        for name in names:
            for first, last in _starting(text.parts[name], start - NEAR_EN - LONGEST_PART, end + NEAR_EN):
                if first < end and start < last:
                    return True
                gap = text.words[last:start] if last <= start else text.words[end:first]
                reach = NEAR_ZH if re.search(CJK, gap) else NEAR_EN
                if len(gap) > reach or SENTENCE_END.search(gap) or self.context.contrasts.search(gap):
                    continue
                lead = self.context.not_negators.sub(blank, text.words[max(0, first - 12) : first])
                if not self.context.negator_before.search(lead):
                    return True
        return False

    def leftover(self, words: str, spans: Iterable[tuple[int, int]]) -> str:
        """Return what is left of the words without these places and without words that only are polite."""
        left = self.context.polite.sub(" ", without(words, spans))
        left = self._fillers.sub(" ", left)
        return " ".join(re.findall(r"\w+", left))

    def covers(self, word: str) -> bool:
        """Return whether an idiom swallows the whole of a word, so that it can never be found."""
        plain = self.read(word)
        return any(match.span() == (0, len(plain)) for match in self.context.idioms.finditer(plain))

    def _without_fillers(self, words: str) -> tuple[str, list[int]]:
        """Return the words without small words that people put inside a phrase, and where each sign stood."""
        kept: list[int] = []
        last = 0
        for match in self._fillers.finditer(words):
            kept.extend(range(last, match.start()))
            last = match.end()
        kept.extend(range(last, len(words)))
        return "".join(words[place] for place in kept), [*kept, len(words)]

    # Making ready

    def _entry(self, entry: Concept | Request) -> _Entry:
        patterns = []
        weak_words = entry.weak if isinstance(entry, Concept) else Words()
        for listed, weak in ((entry.words, False), (weak_words, True)):
            english: list[str] = []
            for wording in (*listed.zh, *listed.en):
                plain = self.read(wording)
                bare = self._fillers.sub("", plain).strip()
                if re.match(r"[a-z0-9]", plain) and not re.search(CJK, plain):
                    english += {plain, bare} if " " in bare else {plain}
                else:
                    for form in {plain, bare} if len(bare) > max(1, len(plain) // 2) else {plain}:
                        self._chinese.setdefault(form[0], []).append((form, entry, weak))
            patterns.append(_english(english))
        return _Entry(entry, patterns[0], patterns[1])

    def _part(self, part: Part) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
        for word in dict.fromkeys(self.read(one) for one in part.zh):
            self._part_signs.setdefault(word[0], []).append((word, part.id))
        but_not = self._any_of(part.but_not)
        return _english([self.read(one) for one in part.en]), None if but_not is NEVER else but_not

    def _context(self, lexicon: Lexicon) -> ContextPatterns:
        context = lexicon.context
        between = f"(?:{self._source(context.between)}| )*"
        listed = f" ?(?:(?:{self._source(context.lists)}) ?)+"
        return ContextPatterns(
            negator_before=re.compile(f"(?:{self._source(context.negators)}){between}$"),
            double=self._any_of(context.double_negations),
            not_negators=self._any_of(context.not_negators),
            contrasts=self._any_of(context.contrasts),
            soft=self._any_of(context.soft_contrasts),
            hypothetical=self._any_of(context.hypothetical),
            hypothetical_after=self._any_of(context.hypothetical_after),
            asks_before=re.compile(f"(?:{self._source(context.asks_before)})$"),
            asks_after=self._any_of(context.asks_after),
            past=self._any_of(context.past),
            other_person=self._any_of(context.other_person),
            speaker=self._any_of(context.speaker),
            now=self._any_of(context.now),
            weather=self._any_of(context.weather),
            again=self._any_of(context.again),
            resolved=self._any_of(context.resolved),
            not_resolved=self._any_of(context.not_resolved),
            list_before=re.compile(f"{listed}$"),
            list_only=re.compile(listed),
            polite=self._any_of(context.polite),
            well=self._any_of(context.well),
            laughter=self._any_of(context.laughter),
            thing=self._any_of(context.things),
            thing_before=re.compile(f"(?:{self._source(context.things)})(?:{self._source(context.things_then)}| )*$"),
            idioms=self._any_of(context.idioms),
        )

    def _source(self, words: Words) -> str:
        """Return the pattern source of a word list: Chinese anywhere, English as whole words."""
        parts = [re.escape(self.read(one)) for one in sorted(words.zh, key=len, reverse=True)]
        if words.en:
            parts.append(_whole(self.read(one) for one in sorted(words.en, key=len, reverse=True)))
        return "|".join(parts) or "(?!)"

    def _any_of(self, words: Words) -> re.Pattern[str]:
        return re.compile(self._source(words)) if words.zh or words.en else NEVER

    # Spelling

    def _spelling_pattern(self) -> re.Pattern[str]:
        keys = sorted(self._spellings, key=len, reverse=True)
        english = [key for key in keys if key[0].isascii() and key[-1].isascii()]
        # No other key is the beginning of an English one, so of two that fit the longer still comes first.
        sources = [re.escape(key) for key in keys if key not in english]
        if english:
            sources.append(_whole(english))
        return re.compile("|".join(sources)) if sources else NEVER

    def _spelled(self, words: str) -> str:
        return self._spelling.sub(lambda match: self._spellings[match.group()], words)

    def _learn_typos(self, lexicon: Lexicon) -> None:
        """Collect the English words of the lexicon, so that one wrong letter in a long one can be put right."""
        texts: list[str] = []
        context = lexicon.context
        for concept in lexicon.concepts:
            texts += [*concept.words.en, *concept.weak.en]
        for request in lexicon.requests:
            texts += request.words.en
        for part in lexicon.parts:
            texts += part.en
        for words in (context.idioms, context.negators, context.contrasts, context.hypothetical, context.past,
                      context.other_person, context.now, context.resolved):  # fmt: skip
            texts += words.en
        known = {word for text in texts for word in re.findall("[a-z]+", normalise(text))}
        self._known = frozenset({*known, *lexicon.not_typos})
        for word in sorted(known):
            if len(word) >= SHORTEST_TYPO:
                for key in (word, *_one_less(word)):
                    self._typos.setdefault(key, word)

    def _meant(self, word: str) -> str:
        """Return the word of the lexicon that a long English word is one letter away from, else the word."""
        if self._is_known(word):
            return word
        for key in (word, *_one_less(word)):
            meant = self._typos.get(key)
            if meant is not None and meant[0] == word[0] and _one_apart(word, meant):
                return meant
        return word

    def _is_known(self, word: str) -> bool:
        stems = (word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ed"),
                 word.removesuffix("ing"), word.removesuffix("d"), word.removesuffix("ly"))  # fmt: skip
        return any(stem in self._known for stem in stems)


def _chinese_digits(match: re.Match[str]) -> str:
    """Return a spoken number in digits; two hundreds in a row are the two numbers of a blood pressure."""
    return "/".join(with_digits(one) for one in _NEXT_HUNDRED.split(match.group()))


Span = TypeVar("Span", tuple[int, int], tuple[int, int, str])


def _starting(spans: Sequence[Span], first: int, last: int) -> Sequence[Span]:
    """Return those of the sorted spans that start between two places, both included."""
    low = bisect_left(spans, first, key=itemgetter(0))
    return spans[low : bisect_right(spans, last, lo=low, key=itemgetter(0))]


def _outermost(spans: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Return the spans without those that lie inside a longer one (背 in 后背)."""
    kept: list[tuple[int, int, str]] = []
    for span in sorted(spans, key=lambda one: (one[0], -one[1])):
        if not kept or span[1] > kept[-1][1] or span[:2] == kept[-1][:2]:
            kept.append(span)
    return kept


def _spellings(lexicon: Lexicon) -> dict[str, str]:
    signs = str.maketrans({pair[0]: pair[1] for pair in lexicon.signs})
    return {
        normalise(written).translate(signs): normalise(spelling.read_as)
        for spelling in lexicon.spellings
        for written in spelling.written
    }


def _whole(words: Iterable[str]) -> str:
    """Return the pattern source of English words that stand alone; the one that comes first is tried first."""
    return rf"(?<![a-z])(?:{'|'.join(map(re.escape, words))})(?![a-z])"


def _english(wordings: list[str]) -> re.Pattern[str] | None:
    """Return a pattern for whole English words; endings such as -s, -ed and -ing still count."""
    if not wordings:
        return None
    inside = "|".join(re.escape(one) for one in sorted(set(wordings), key=len, reverse=True))
    return re.compile(rf"(?<![a-z])(?:{inside})(?:s|es|ed|ing)?(?![a-z])")


def _one_less(word: str) -> list[str]:
    return [word[:place] + word[place + 1 :] for place in range(len(word))]


def _one_apart(one: str, other: str) -> bool:
    """Return whether one letter is wrong, missing or too many, or two neighbours are swapped."""
    if abs(len(one) - len(other)) > 1:
        return False
    if len(one) == len(other):
        wrong = [place for place, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
        if len(wrong) == 2:
            a, b = wrong
            return b == a + 1 and one[a] == other[b] and one[b] == other[a]
        return len(wrong) <= 1
    longer, shorter = (one, other) if len(one) > len(other) else (other, one)
    return shorter in _one_less(longer)
