"""What do these free words report or ask for, and is it meant now, denied, or in doubt?"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from operator import itemgetter

from bot.domain.lexicon import Combination, Concept, Lexicon, Request
from bot.domain.likeness import HUNDREDTHS, weigh, weights
from bot.domain.urgency import Urgency, highest
from bot.domain.word_numbers import values
from bot.domain.wording import (
    CLAUSE_END,
    SENTENCE_END,
    ContextPatterns,
    Hit,
    Reader,
    blank,
    normalise,
    reader,
    without,
)

__all__ = ["Asked", "Findings", "Found", "Lexicon", "Status", "normalise", "scan"]


class Status(StrEnum):
    """Whether a concept is meant as present, denied, or unclear enough to ask."""

    POSITIVE = "positive"
    DOUBTFUL = "doubtful"
    NEGATED = "negated"


@dataclass(frozen=True, slots=True)
class Found:
    """One concept in a text: the words that named it, how they are meant, the urgency and the rule that follow.

    ``why`` says what put it in doubt or took it back: a small word of the context, "weak", or nothing.
    """

    concept: Concept | Combination
    words: tuple[str, ...]
    status: Status
    urgency: Urgency
    rule: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request in a text and the words that made it."""

    request: Request
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """All concepts of a text, most urgent first.

    ``urgency`` counts what is positive. ``doubtful``: something in doubt would be more urgent than that, up
    to ``urgency_if_so``. ``read_as`` is the text as it was searched; ``leftover`` what nothing explains.
    """

    concepts: tuple[Found, ...]
    requests: tuple[Asked, ...]
    urgency: Urgency
    urgency_if_so: Urgency
    doubtful: bool
    read_as: str = ""
    leftover: str = ""

    @property
    def danger_check(self) -> bool:
        """Return whether the subject is to be asked, by one closed question, if it is happening now."""
        return self.urgency_if_so.is_red and not self.urgency.is_red

    @property
    def acted_on(self) -> Urgency:
        """Return the urgency that counts at once: doubt below red is taken as a yes, for nobody asks about it."""
        return self.urgency if self.urgency_if_so.is_red else self.urgency_if_so

    @property
    def because(self) -> tuple[str, ...]:
        """Return the ids of the rules behind all that is not denied, most urgent first."""
        return tuple(dict.fromkeys(one.rule for one in self.concepts if one.status is not Status.NEGATED))

    @property
    def tell(self) -> str | None:
        """Return the text key of the most urgent positive concept, or ``None`` without one."""
        for found in self.concepts:
            if found.status is Status.POSITIVE:
                return found.concept.tell_subject
        return None


@dataclass(frozen=True, slots=True)
class _Reading:
    """How one hit is meant."""

    status: Status
    urgency: Urgency
    rule: str
    words: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Named:
    """A hit of a concept, with the urgency and the rule of the wording or of the measured value."""

    start: int
    end: int
    concept: Concept
    urgency: Urgency
    rule: str
    weak: bool = False
    inner: tuple[tuple[int, int], ...] = ()


Ends = dict[int, list[_Named]]

# So often one concept is judged in one text; what is said still more often is asked about.
MOST_READINGS = 25

# Why words that are never clear alone are in doubt.
WEAK = "weak"
LIKENESS = "sounds like a danger"
HARMLESS = "does not sound like a danger"

# A text of fewer known pieces (three Chinese signs, two English words) is too short to sound like anything.
FEWEST_PIECES = 7

# So many signs on either side can change what a word means; what stands further off is another thought.
REACH = 80

# So far from a temperature the weather is still what was meant.
NEARBY = 16

# The word that says what was measured ("temperature ") is not longer.
LONGEST_CUE = 12

# With these a Chinese word of what is over begins that may as well be part of the complaint.
NEGATING = "没无不"

# So many things in one list are followed back to the word that denies them.
LONGEST_LIST = 12

# "No headache, fever or bleeding": the list goes on behind the hit, so its comma does not end the denial.
_COMMA_BEFORE = re.compile(r", ?$")
_MORE_TO_COME = re.compile(r"(?:, [a-z ]{1,20})*,? ?(?:or|nor)\b")


def scan(text: str, lexicon: Lexicon) -> Findings:
    """Return everything that ``text`` reports or asks for; it never raises, whatever the text.

    Recall comes first: what is unclear is positive, and what is hypothetical, past or about another person
    is in doubt (to be asked) rather than dropped. Only a plain negation close to the words denies them.
    """
    read = reader(lexicon)
    words = read.read(text)
    idioms = [match.span() for match in read.context.idioms.finditer(words)]
    hits = [hit for hit in read.hits(words) if not _inside(hit, idioms)]
    named = _without_replaced(_without_parts([*_named(hits), *_measured(words, lexicon, read.context)]))
    found = _last_resort(_found(words, named, read))
    found += _combined(found, lexicon)
    asked = _asked(words, hits, read)
    explained = [*idioms, *((one.start, one.end) for one in named)]
    explained += [(max(0, one.start - LONGEST_CUE * one.said), one.end) for one in values(words)]
    found = _softened(words, found, lexicon)
    found += _alike(words, explained, found, asked, lexicon)
    found.sort(key=lambda one: (list(Status).index(one.status), -one.urgency.rank))
    positive = highest(one.urgency for one in found if one.status is Status.POSITIVE)
    possible = highest(one.urgency for one in found if one.status is not Status.NEGATED)
    places = [(hit.start, hit.end) for hit in hits]
    return Findings(
        tuple(found),
        asked,
        positive,
        possible,
        doubtful=possible.rank > positive.rank,
        read_as=words,
        leftover=read.leftover(words, [*places, *idioms]),
    )


def _inside(hit: Hit, idioms: list[tuple[int, int]]) -> bool:
    """Return whether a hit lies in an idiom; idioms are sorted and never overlap."""
    place = bisect_right(idioms, hit.start, key=itemgetter(0)) - 1
    return place >= 0 and hit.end <= idioms[place][1]


def _named(hits: Iterable[Hit]) -> list[_Named]:
    return [
        _Named(hit.start, hit.end, hit.entry, hit.entry.urgency, hit.entry.rule, hit.weak, hit.inner)
        for hit in hits
        if isinstance(hit.entry, Concept)
    ]


def _measured(words: str, lexicon: Lexicon, context: ContextPatterns) -> list[_Named]:
    """Return the concepts that measured values stand for."""
    if not re.search(r"\d", words):
        return []
    concepts = {concept.id: concept for concept in lexicon.concepts}
    return [
        _Named(value.start, value.end, concepts[band.concept], band.urgency, band.rule)
        for value in values(words)
        if value.said or not context.weather.search(words, max(0, value.start - NEARBY), value.end + NEARBY)
        for band in lexicon.numbers
        if band.measure == value.measure
        and (band.at_least is None or value.number >= band.at_least)
        and (band.below is None or value.number < band.below)
        and band.concept in concepts
    ]


def _without_parts(hits: list[_Named]) -> list[_Named]:
    """Drop a hit that lies inside a longer one: "没退烧" is a fever, whatever "退烧" alone would say.

    A part of a wording of another concept keeps its own meaning: 皮疹发烧 is both.
    """
    kept: list[_Named] = []
    furthest: dict[tuple[str, bool], _Named] = {}
    for hit in sorted(set(hits), key=lambda hit: (hit.start, -hit.end, hit.weak)):
        swallows = [furthest.get((hit.concept.id, weak)) for weak in ((False, True) if hit.weak else (False,))]
        spans = [(one.start, one.end) for one in swallows if one is not None]
        if any(end >= hit.end and (start, end) != (hit.start, hit.end) for start, end in spans):
            continue
        kept.append(hit)
        key = (hit.concept.id, hit.weak)
        if not hit.inner and (key not in furthest or hit.end > furthest[key].end):
            furthest[key] = hit
    return kept


def _without_replaced(hits: list[_Named]) -> list[_Named]:
    """Drop a hit where another reading of the same words was found: 有点头痛 is a mild headache, no other one."""
    by_start = sorted((hit for hit in hits if hit.concept.replaces), key=lambda hit: hit.start)
    starts = [hit.start for hit in by_start]
    longest = max((hit.end - hit.start for hit in by_start), default=0)

    def replaced(hit: _Named) -> bool:
        around = by_start[bisect_left(starts, hit.start - longest) : bisect_left(starts, hit.end)]
        return any(hit.concept.id in other.concept.replaces and hit.start < other.end for other in around)

    return [hit for hit in hits if not replaced(hit)]


def _found(words: str, named: list[_Named], read: Reader) -> list[Found]:
    grouped: dict[str, list[tuple[_Reading, Concept]]] = {}
    context = read.context.heard_in(words) if named else read.context
    ends: dict[int, list[_Named]] = {}
    for hit in named:
        ends.setdefault(hit.end, []).append(hit)
    for hit in named:
        readings = grouped.setdefault(hit.concept.id, [])
        if len(readings) < MOST_READINGS:
            readings.append((_meaning(words, hit, ends, context), hit.concept))
        elif len(readings) == MOST_READINGS:
            said = words[hit.start : hit.end]
            readings.append((_Reading(Status.DOUBTFUL, hit.urgency, hit.rule, said, "said too often"), hit.concept))
    order = list(Status)
    found = []
    for readings in grouped.values():
        status = min((reading.status for reading, _ in readings), key=order.index)
        same = [reading for reading, _ in readings if reading.status is status]
        most = max(same, key=lambda reading: reading.urgency.rank)
        all_words = tuple(dict.fromkeys(reading.words for reading in same))
        found.append(Found(readings[0][1], all_words, status, most.urgency, most.rule, most.why))
    return found


def _last_resort(found: list[Found]) -> list[Found]:
    """Drop what only counts where nothing else was found."""
    other = any(isinstance(one.concept, Concept) and not one.concept.last_resort for one in found)
    return [one for one in found if not other or not (isinstance(one.concept, Concept) and one.concept.last_resort)]


def _combined(found: list[Found], lexicon: Lexicon) -> list[Found]:
    """Return what two complaints in one text make together; in doubt when one of them is.

    Words that are merely weak alone ("faint", "hives") are strong enough together.
    """
    by_id = {one.concept.id: one for one in found if one.status is not Status.NEGATED}
    combined = []
    for each in lexicon.combinations:
        pairs = [
            (by_id[first], by_id[second])
            for first in each.first
            for second in each.second
            if first in by_id and second in by_id
        ]
        if not pairs:
            continue
        sure = [pair for pair in pairs if all(one.status is Status.POSITIVE or one.why == WEAK for one in pair)]
        first, second = (sure or pairs)[0]
        status = Status.POSITIVE if sure else Status.DOUBTFUL
        said = tuple(dict.fromkeys((*first.words, *second.words)))
        combined.append(Found(each, said, status, each.urgency, each.rule, "together"))
    return combined


def _softened(words: str, found: list[Found], lexicon: Lexicon) -> list[Found]:
    """Make one bare word of the body less urgent in a text that does not sound like a danger; staff still see it."""
    learned = lexicon.likeness
    meant = [one for one in found if one.status is not Status.NEGATED]
    if len(meant) != 1 or meant[0].why != WEAK or len(meant[0].words) > 1:
        return found
    concept = meant[0].concept
    if not isinstance(concept, Concept) or concept.id != learned.concept:
        return found
    heard = weigh(words, weights(learned.weights), learned.bias / HUNDREDTHS)
    if heard.pieces < FEWEST_PIECES or heard.weight >= learned.harmless:
        return found
    softened = replace(meant[0], urgency=concept.when_resolved, why=HARMLESS)
    return [softened if one is meant[0] else one for one in found]


def _alike(
    words: str, explained: list[tuple[int, int]], found: list[Found], asked: tuple[Asked, ...], lexicon: Lexicon
) -> list[Found]:
    """Return the doubt about a text in which no rule sees a danger but which sounds like one, as learned.

    Where nothing was found, or all of it denied, only what the rules leave unexplained is weighed. A request, a
    denial, laughter and the talk of a thing (手机) are no alarm: there it has to sound louder.
    """
    learned = lexicon.likeness
    concept = next((one for one in lexicon.concepts if one.id == learned.concept), None)
    context = reader(lexicon).context
    most = highest(one.urgency for one in found if one.status is not Status.NEGATED)
    if concept is None or not learned.weights or most.is_red:
        return []
    bar = {Urgency.GREEN: learned.above, Urgency.YELLOW: learned.above_yellow}.get(most, learned.above_amber)
    denied = any(one.status is Status.NEGATED for one in found)
    if asked or denied or context.laughter.search(words) or context.thing.search(words):
        bar = max(bar, learned.above_amber)
    rest = without(words, explained) if most is Urgency.GREEN else words
    heard = weigh(rest, weights(learned.weights), learned.bias / HUNDREDTHS)
    if heard.pieces < FEWEST_PIECES or heard.weight <= bar:
        return []
    return [Found(concept, heard.words, Status.DOUBTFUL, concept.urgency, concept.rule, LIKENESS)]


def _asked(words: str, hits: Iterable[Hit], read: Reader) -> tuple[Asked, ...]:
    """Return the requests; one that a negator stands before is none."""
    found: dict[str, tuple[Request, list[str]]] = {}
    for hit in sorted(hits, key=lambda one: one.start):
        if isinstance(hit.entry, Request):
            lead = read.context.not_negators.sub(blank, words[max(0, hit.start - 10) : hit.start])
            if not read.context.negator_before.search(lead):
                found.setdefault(hit.entry.id, (hit.entry, []))[1].append(words[hit.start : hit.end])
    return tuple(Asked(request, tuple(dict.fromkeys(said))) for request, said in found.values())


def _meaning(words: str, hit: _Named, by_end: Ends, context: ContextPatterns) -> _Reading:
    """Return how one hit is meant, and the urgency that is left of it."""
    said = words[hit.start : hit.end]
    reach_start, reach_end = max(0, hit.start - REACH), min(len(words), hit.end + REACH)
    ends = [m.end() for m in SENTENCE_END.finditer(words, reach_start, hit.start)]
    sentence_start = ends[-1] if ends else reach_start
    after = SENTENCE_END.search(words, hit.end, reach_end)
    sentence_end = after.start() if after else reach_end
    contrasts = [m.end() for m in context.contrasts.finditer(words, sentence_start, hit.start)]
    start = contrasts[-1] if contrasts else sentence_start
    later = context.contrasts.search(words, hit.end, sentence_end)
    end = later.start() if later else sentence_end
    clause_start = max([start, *(m.end() for m in CLAUSE_END.finditer(words, start, hit.start))])
    before, behind = words[start : hit.start], words[hit.end : end]

    if found := context.thing_before.search(before):
        return _Reading(Status.NEGATED, hit.urgency, hit.rule, said, found.group().strip())
    status, why = _negation(words, clause_start, hit, by_end, context)
    if status is Status.POSITIVE:
        if hit.weak and (well := _all_is_well(words, hit, sentence_end, context)):
            return _Reading(Status.NEGATED, hit.urgency, hit.rule, said, well)
        status, why = _doubt(before, behind, hit, context)
    urgency = hit.urgency
    if status is Status.POSITIVE and (over := _resolved(words, hit, sentence_end, context)):
        why = over
        urgency = min(urgency, hit.concept.when_resolved, key=lambda level: level.rank)
    return _Reading(status, urgency, hit.rule, said, why)


def _doubt(before: str, behind: str, hit: _Named, context: ContextPatterns) -> tuple[Status, str]:
    """Return DOUBTFUL and why for what is asked about, long past or somebody else's; else POSITIVE."""
    if hit.weak:
        return Status.DOUBTFUL, WEAK
    if found := context.hypothetical.search(before) or context.hypothetical_after.match(behind):
        return Status.DOUBTFUL, found.group()
    if (found := context.asks_before.search(before)) and context.asks_after.search(behind):
        return Status.DOUBTFUL, found.group()
    others = [*context.other_person.finditer(before)]
    if others and not hit.concept.whoever and not context.speaker.search(before, others[-1].end()):
        return Status.DOUBTFUL, others[-1].group()
    now = context.now.search(before) or context.now.search(behind)
    if not now and (found := context.past.search(before) or context.past.search(behind)):
        return Status.DOUBTFUL, found.group()
    return Status.POSITIVE, ""


def _all_is_well(words: str, hit: _Named, sentence_end: int, context: ContextPatterns) -> str:
    """Return the words that say that all is well, else nothing: "poo is normal brown", "my leg is better now".

    They count inside the hit, and behind a bare word of the body; not when they are denied or asked about.
    """
    end = hit.end
    if hit.concept.last_resort:
        # "Now" and the like do not end what is well: 腿现在好了.
        contrasts = context.contrasts.finditer(words, hit.end, sentence_end)
        end = next((one.start() for one in contrasts if not context.soft.fullmatch(one.group())), sentence_end)
    for match in context.well.finditer(words, hit.start, end):
        lead = context.not_negators.sub(blank, words[max(0, match.start() - 14) : match.start()])
        if not (context.negator_before.search(lead) or context.not_resolved.match(words, match.start())):
            return match.group()
    return ""


def _negation(words: str, clause_start: int, hit: _Named, ends: Ends, context: ContextPatterns) -> tuple[Status, str]:
    """Return NEGATED for a plain negation just before the hit or one of its parts, DOUBTFUL for a listed one."""
    # 是不是, 有没有 and their like ask; they deny nothing, so they are blanked before a negator is sought.
    before = context.not_negators.sub(blank, words[clause_start : hit.start])
    if context.double.search(before):
        return Status.POSITIVE, ""
    if found := context.negator_before.search(before):
        return Status.NEGATED, found.group().strip()
    for start, end in hit.inner:
        gap = context.not_negators.sub(blank, words[start:end])
        if (found := context.negator_before.search(gap)) and not context.double.search(gap):
            return Status.NEGATED, found.group().strip()
    return _carried(words, hit, ends, context)


def _carried(words: str, hit: _Named, ends: Ends, context: ContextPatterns) -> tuple[Status, str]:
    """Return DOUBTFUL when a list carries a denial on to the hit: no fever, cough or bleeding."""
    here = hit
    for _ in range(LONGEST_LIST):
        head = words[max(0, here.start - REACH) : here.start]
        listed = context.list_before.search(head)
        if listed is None and _MORE_TO_COME.match(words, here.end):
            listed = _COMMA_BEFORE.search(head)
        if listed is None:
            break
        end = here.start - len(head) + listed.start()
        before = [other for other in ends.get(end, ()) if other.start < here.start]
        if not before:
            break
        here = min(before, key=lambda other: other.start)
        clause = re.split(r"[,、:。!?;\n.]", words[max(0, here.start - REACH) : here.start])[-1]
        clause = context.not_negators.sub(blank, clause)
        if context.double.search(clause):
            break
        if found := context.negator_before.search(clause):
            return Status.DOUBTFUL, found.group().strip()
    return Status.POSITIVE, ""


def _resolved(words: str, hit: _Named, sentence_end: int, context: ContextPatterns) -> str:
    """Return the words that say that it is over, else nothing; "better" and "has not stopped" do not."""
    # "Today" may say when it ended, so only words of return ("again") undo it, wherever they stand behind.
    for match in context.resolved.finditer(words, hit.start, sentence_end):
        # 没有 in 一点声音都没有了 is the complaint itself; 退 in 发烧今天退了 is not.
        inside = hit.start < match.start() < hit.end
        if inside and (match.end() <= hit.end or words[match.start()] in NEGATING):
            continue
        lead = context.not_negators.sub(blank, words[max(0, match.start() - 14) : match.start()])
        if context.negator_before.search(lead) or context.not_resolved.match(words, match.start()):
            continue
        return "" if context.again.search(words, match.end(), sentence_end) else match.group()
    return ""
