"""What is free text searched for? The shape of the lexicon; its words are data, in lexicon.yaml."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.urgency import Urgency


@dataclass(frozen=True, slots=True)
class Words:
    """Chinese and English wordings of one thing."""

    zh: tuple[str, ...] = ()
    en: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a composition, such as a part of the body, a complaint or a degree.

    ``body``: a part of the body; a complaint belongs to the nearest one before it. ``but_not``: longer words
    in which it means something else (头孢 is no head). ``any_of``: it stands wherever one of these parts does.
    """

    id: str
    zh: tuple[str, ...] = ()
    en: tuple[str, ...] = ()
    body: bool = False
    but_not: Words = Words()
    any_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Composition:
    """Parts that mean something when they stand together, in this order.

    English may also turn the last two round ("pain in my chest"). ``near``: words of one of these parts must
    stand within reach before or behind. ``weak``: such words are always in doubt.
    """

    parts: tuple[str, ...]
    near: tuple[str, ...] = ()
    weak: bool = False


@dataclass(frozen=True, slots=True)
class Concept:
    """One complaint, the triage rule behind it, and every way to say it.

    ``when_resolved``: the urgency when the words say that it is over. ``weak``: words that alone are never
    clear, so they are always in doubt. ``replaces``: concepts of which this one is a milder or another reading;
    where both are found in the same words, only this one counts. ``last_resort``: counts only where nothing else
    was found. ``whoever``: no doubt because of another person. ``fires_for`` and ``quiet_for`` are checked.
    """

    id: str
    rule: str
    urgency: Urgency
    tell_subject: str
    when_resolved: Urgency
    fires_for: tuple[str, ...]
    quiet_for: tuple[str, ...]
    words: Words = Words()
    compose: tuple[Composition, ...] = ()
    weak: Words = Words()
    replaces: tuple[str, ...] = ()
    last_resort: bool = False
    whoever: bool = False

    def __hash__(self) -> int:
        """Return the hash of the id: it is cheap, and lexicons are looked up for every text."""
        return hash(self.id)


@dataclass(frozen=True, slots=True)
class Combination:
    """Two complaints in one text that are more urgent together: one of ``first`` and one of ``second``."""

    id: str
    rule: str
    urgency: Urgency
    tell_subject: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    fires_for: tuple[str, ...]
    quiet_for: tuple[str, ...]

    def __hash__(self) -> int:
        """Return the hash of the id: it is cheap, and lexicons are looked up for every text."""
        return hash(self.id)


@dataclass(frozen=True, slots=True)
class Request:
    """Something that is asked for, and the button that leads there.

    ``self_service``: the screen alone answers it, so staff need not see a text in which nothing else stands.
    """

    id: str
    opens: str
    button: str
    fires_for: tuple[str, ...]
    quiet_for: tuple[str, ...]
    words: Words = Words()
    compose: tuple[Composition, ...] = ()
    self_service: bool = False

    def __hash__(self) -> int:
        """Return the hash of the id: it is cheap, and lexicons are looked up for every text."""
        return hash(self.id)


@dataclass(frozen=True, slots=True)
class NumberBand:
    """Measured values that stand for a concept: ``at_least`` counts itself, ``below`` does not."""

    measure: str
    concept: str
    rule: str
    urgency: Urgency
    at_least: float | None = None
    below: float | None = None


@dataclass(frozen=True, slots=True)
class WordRule:
    """A triage rule that only free words can fire, because no question asks for it."""

    id: str
    source: str


@dataclass(frozen=True, slots=True)
class Spelling:
    """Homophones, pinyin and typing errors, and what they are read as."""

    read_as: str
    written: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """The small words around a concept that deny it, put it in doubt, or end the reach of such a word."""

    negators: Words
    between: Words
    double_negations: Words
    not_negators: Words
    contrasts: Words
    soft_contrasts: Words
    hypothetical: Words
    hypothetical_after: Words
    asks_before: Words
    asks_after: Words
    past: Words
    other_person: Words
    speaker: Words
    now: Words
    weather: Words
    again: Words
    resolved: Words
    not_resolved: Words
    lists: Words
    fillers: Words
    polite: Words
    well: Words
    laughter: Words
    things: Words
    things_then: Words
    idioms: Words


@dataclass(frozen=True, slots=True)
class Likeness:
    """Weights of short pieces of words, learned from labelled sentences, and the bars above which is asked.

    ``concept`` is what such a text is found to be. ``above``: the bar where no complaint was found;
    ``above_yellow`` and ``above_amber``: where one was. A bare word of the body is asked about unless the text
    weighs less than ``harmless``.
    """

    concept: str = ""
    above: float = 0.0
    above_yellow: float = 0.0
    above_amber: float = 0.0
    harmless: float = float("-inf")
    bias: int = 0
    weights: str = ""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """All that free text is searched for.

    ``signs``: two characters each, a traditional or dialect one and what it is read as. ``not_typos``: English
    words that are one letter away from a word of the lexicon and yet meant as they are.
    """

    version: str
    signs: tuple[str, ...]
    spellings: tuple[Spelling, ...]
    not_typos: tuple[str, ...]
    parts: tuple[Part, ...]
    concepts: tuple[Concept, ...]
    combinations: tuple[Combination, ...]
    requests: tuple[Request, ...]
    numbers: tuple[NumberBand, ...]
    rules: tuple[WordRule, ...]
    context: Context
    likeness: Likeness = Likeness()

    def __hash__(self) -> int:
        """Return the hash of the version: it is cheap, and lexicons are looked up for every text."""
        return hash(self.version)
