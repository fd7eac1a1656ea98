"""Does a text that the rules do not understand sound like a danger? A second opinion that can only ask.

Short pieces of words (two or three Chinese signs, English words, pairs and parts of them) carry weights, learned by
`python -m bench.words --teach` from the labelled sentences of tests/evaluation and kept in lexicon.yaml. A text that
weighs more than the bar leads to the closed question; nothing is ever taken back or made red by it.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

# English words that say nothing alone.
_SMALL = frozenset((
    "a", "an", "the", "i", "i'm", "i've", "my", "me", "mine", "you", "your", "he", "his", "him", "she", "her",
    "it", "its", "it's", "we", "our", "us", "they", "them", "their", "this", "that", "these", "those", "is",
    "am", "are", "was", "were", "be", "been", "do", "does", "did", "have", "has", "had", "and", "or", "but",
    "so", "if", "as", "of", "in", "on", "at", "to", "for", "from", "with", "by", "about", "just", "very",
    "what", "when", "where", "which", "who", "how", "there", "here", "then", "than", "too", "also", "some",
    "any", "all", "will", "would", "can", "could", "should", "may", "might", "today", "yesterday", "now",
    "since", "last", "morning", "night", "day", "days", "hour", "hours", "please", "doctor", "nurse",
))  # fmt: skip
_RUN = re.compile(r"[㐀-鿿]+|[a-z']+")
_FIRST_CJK = "㐀"
# Weights are kept as whole hundredths; a piece that weighs less, or is seen but once, says nothing.
HUNDREDTHS, LEAST, SEEN = 100, 8, 2
# Of a long text only so much is weighed: no patient needs more to describe a danger.
LONGEST = 600
_ROUNDS, _STEP, _DECAY, _BIAS_STEP, _SEED = 12, 0.1, 2e-4, 0.3, 1
_TELLING = 3


@dataclass(frozen=True, slots=True)
class Weighed:
    """How much a text sounds like a danger, the pieces that say so, heaviest first, and how many were known."""

    weight: float
    words: tuple[str, ...]
    pieces: int


def pieces(text: str) -> set[str]:
    """Return the short pieces that a text in one form consists of; a pair of English words is joined by ``_``."""
    found: set[str] = set()
    before = ""
    for run in _RUN.findall(text[:LONGEST]):
        if run >= _FIRST_CJK:
            for length in (1, 2, 3):
                found.update(run[start : start + length] for start in range(len(run) - length + 1))
            before = ""
        else:
            if before and not {before, run} <= _SMALL:
                found.add(f"{before}_{run}")
            before = run
            if run in _SMALL:
                continue
            found.add(run)
            bounded = f"<{run}>"
            found.update(f"~{bounded[start : start + 4]}" for start in range(len(bounded) - 3))
    return found


@lru_cache(maxsize=4)
def weights(written: str) -> Mapping[str, float]:
    """Return the weights as lexicon.yaml writes them: a piece, a colon, hundredths; then a space."""
    split = (entry.rpartition(":") for entry in written.split())
    return {piece: int(weight) / HUNDREDTHS for piece, _, weight in split}


def weigh(text: str, known: Mapping[str, float], bias: float) -> Weighed:
    """Weigh a text; the words are the longest of its heaviest pieces."""
    held = [(known[piece], piece) for piece in pieces(text) if piece in known]
    weight = bias + sum(one for one, _ in held) / math.sqrt(len(held) or 1)
    told = ((one, piece) for one, piece in held if one > 0 and piece[0] != "~" and len(piece) > 1)
    shown = sorted(told, key=lambda pair: (-pair[0], pair[1]))
    return Weighed(weight, tuple(piece.strip("_").replace("_", " ") for _, piece in shown[:_TELLING]), len(held))


def teach(examples: Sequence[tuple[str, bool]]) -> tuple[dict[str, int], int]:
    """Return the weights and the bias, in hundredths, that tell dangers (``True``) from the rest; always the same."""
    cut = [(sorted(pieces(text)), danger) for text, danger in examples]
    counts = Counter(piece for held, _ in cut for piece in held)
    rows = [([piece for piece in held if counts[piece] >= SEEN], danger) for held, danger in cut]
    known: dict[str, float] = dict.fromkeys((piece for held, _ in rows for piece in held), 0.0)
    bias, order = 0.0, random.Random(_SEED)  # noqa: S311  # an order, no secret
    for _ in range(_ROUNDS):
        order.shuffle(rows)
        for held, danger in rows:
            scale = 1 / math.sqrt(len(held) or 1)
            sum_ = bias + scale * sum(known[piece] for piece in held)
            error = _STEP * (1 / (1 + math.exp(-sum_)) - danger)
            bias -= error * _BIAS_STEP
            for piece in held:
                known[piece] = known[piece] * (1 - _DECAY) - error * scale * 3
    kept = {piece: round(weight * HUNDREDTHS) for piece, weight in known.items()}
    return {piece: weight for piece, weight in kept.items() if abs(weight) >= LEAST}, round(bias * HUNDREDTHS)


def written(known: Mapping[str, int]) -> Iterable[str]:
    """Return the weights as they stand in lexicon.yaml, heaviest first."""
    for piece, weight in sorted(known.items(), key=lambda one: (-abs(one[1]), one[0])):
        yield f"{piece}:{weight}"
