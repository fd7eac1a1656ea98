"""How well are free words understood? The confusion table of the evaluation set, and texts a second.

The texts stand apart from the rules, in tests/evaluation/. In the first set the hash of a text puts it into the half
on which the lexicon is tuned, or into the half that only measures; the other sets came later. Their misses are
not shown unless `--open` asks for them, and whoever has looked at them has used them up.
"""

import argparse
import hashlib
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench import report
from bot.domain import likeness
from bot.domain.freetext import Findings, Lexicon, scan
from bot.domain.wording import reader
from bot.protocol import bundled
from bot.protocol.load import bundled_folder

FOLDER = Path(__file__).parents[1] / "tests" / "evaluation"
LANGUAGES = ("zh", "en")
LEVELS = ("red", "check", "amber", "yellow", "green")
TUNE, MEASURE, LATER, LAST, FRESH, FIFTH, SIXTH, SEVENTH, EVERYDAY, EIGHTH, NINTH, TENTH = (
    "tune", "measure", "later", "last", "fresh", "fifth", "sixth", "seventh", "everyday", "eighth", "ninth", "tenth",
)  # fmt: skip
TITLES = {
    TUNE: "the half to tune on",
    MEASURE: "the half that only measures",
    LATER: "the second set",
    LAST: "the third set",
    FRESH: "the fourth set",
    FIFTH: "the fifth set",
    SIXTH: "the sixth set",
    SEVENTH: "the seventh set",
    EVERYDAY: "the everyday set, without any danger",
    EIGHTH: "the eighth set",
    NINTH: "the ninth set",
    TENTH: "the tenth set",
}
LATER_SETS = tuple(part for part in TITLES if part not in (TUNE, MEASURE))
# The least and the most that are allowed, in percent of the texts concerned.
RED_AS_RED, RED_NOT_MISSED, WRONGLY_RED, GREEN_ASKED = 95.0, 99.5, 3.0, 8.0


@dataclass(frozen=True, slots=True)
class Case:
    """One text: what it should lead to, and the rule and the trap that it stands for."""

    text: str
    language: str
    level: str
    rule: str
    trap: str
    request: str | None
    part: str


def _half(text: str) -> str:
    """Return the half of the first set that a text belongs to, drawn by its hash."""
    return (TUNE, MEASURE)[hashlib.sha256(text.encode()).digest()[0] % 2]


def cases() -> list[Case]:
    """Return the whole evaluation set."""
    found = []
    for language in LANGUAGES:
        for name, part in (("", None), *((f"_{part}", part) for part in LATER_SETS)):
            path = FOLDER / f"words_{language}{name}.yaml"
            groups: list[dict[str, Any]] = yaml.safe_load(path.read_text("utf-8"))
            found += [
                Case(
                    text,
                    language,
                    group["level"],
                    str(group["rule"]),
                    group["trap"],
                    group.get("request"),
                    part or _half(text),
                )
                for group in groups
                for text in group["texts"]
            ]
    return found


def outcome(findings: Findings) -> str:
    """Return what a text leads to: red at once, a closed question, or the level at which staff see it."""
    if findings.urgency.is_red:
        return "red"
    if findings.urgency_if_so.is_red:
        return "check"
    return str(findings.urgency_if_so)


def confusion(found: Iterable[tuple[Case, Findings]]) -> Counter[tuple[str, str]]:
    """Count what was expected against what came out."""
    return Counter((case.level, outcome(findings)) for case, findings in found)


def verdicts(counts: Counter[tuple[str, str]]) -> list[tuple[str, str, bool]]:
    """Return each target with its figure, and whether it is met."""

    def share(of: Sequence[str], into: Sequence[str]) -> tuple[float, str]:
        whole = sum(n for (level, _), n in counts.items() if level in of)
        part = sum(n for (level, got), n in counts.items() if level in of and got in into)
        return (100.0 * part / whole if whole else 0.0), f"{part} of {whole}"

    red, shown_red = share(["red"], ["red"])
    caught, shown_caught = share(["red"], ["red", "check"])
    wrong, shown_wrong = share(["yellow", "green"], ["red"])
    silent, shown_silent = share(["amber"], ["green"])
    asked, shown_asked = share(["green"], ["check"])
    if not any(level == "red" for level, _ in counts):
        red, caught = 100.0, 100.0
    return [
        (f"red as red, at least {RED_AS_RED:g} %", f"{red:.1f} % ({shown_red})", red >= RED_AS_RED),
        (f"red as red or asked, at least {RED_NOT_MISSED:g} %", f"{caught:.1f} % ({shown_caught})",
         caught >= RED_NOT_MISSED),
        (f"yellow or green wrongly red, at most {WRONGLY_RED:g} %", f"{wrong:.1f} % ({shown_wrong})",
         wrong <= WRONGLY_RED),
        ("amber never silent", f"{silent:.1f} % silent ({shown_silent})", silent == 0),
        (f"green asked about, at most {GREEN_ASKED:g} %", f"{asked:.1f} % ({shown_asked})", asked <= GREEN_ASKED),
    ]  # fmt: skip


def table(counts: Counter[tuple[str, str]]) -> str:
    """Return the confusion table: a row what was expected, a column what came out."""
    rows = [[level, *(counts[level, got] or "" for got in LEVELS)] for level in LEVELS]
    return report.table(["expected \\ found", *LEVELS], rows)


def teach(without: Sequence[str] = ()) -> dict[str, Any]:
    """Learn the likeness to dangers from the sets (but ``without`` some), and write it into lexicon.yaml."""
    path = Path(str(bundled_folder())) / "lexicon.yaml"
    read = reader(bundled().lexicon)
    told = [case for case in cases() if case.part not in without and case.level != "check"]
    learned, bias = likeness.teach([(read.read(case.text), case.level == "red") for case in told])
    lines = textwrap.wrap(" ".join(likeness.written(learned)), 110, break_long_words=False, break_on_hyphens=False)
    head, mark, _ = path.read_text("utf-8").partition("  # Learned from ")
    body = "\n    ".join(lines)
    tail = f"  # Learned from {len(told):,} sentences by `python -m bench.words --teach`; never written by hand.\n"
    path.write_text(f"{head}{tail}  bias: {bias}\n  weights: >-\n    {body}\n", "utf-8")
    return {"sentences": len(told), "pieces": len(learned), "found": bool(mark)}


def texts_a_second(texts: Sequence[str], lexicon: Lexicon) -> float:
    """Return how many texts are judged in a second of processor time, one after the other."""
    begun = time.process_time()
    for text in texts:
        scan(text, lexicon)
    return len(texts) / (time.process_time() - begun)


def slowest(lexicon: Lexicon) -> float:
    """Return the processor time of one text as long as Telegram lets it be, with every part of the lexicon in it."""
    text = "".join(word for part in lexicon.parts for word in part.zh)
    begun = time.process_time()
    scan((text * 4096)[:4096], lexicon)
    return time.process_time() - begun


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge the evaluation set; exit status 1 when a target is missed on the half that measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--misses", action="store_true", help="list the misses of the half that tunes")
    parser.add_argument("--open", action="store_true", help="with --misses: of the others too, which uses them up")
    parser.add_argument(
        "--teach", action="store_true", help="learn the likeness again and write it into lexicon.yaml"
    )
    parser.add_argument("--without", nargs="*", default=(), help="with --teach: sets that are not learned from")
    parser.add_argument("--write", action="store_true", help="write the page in docs/evidence")
    options = parser.parse_args(arguments)
    if options.teach:
        sys.stdout.write(f"{teach(options.without)}\n")
        return 0
    lexicon = bundled().lexicon
    everything = [(case, scan(case.text, lexicon)) for case in cases()]
    parts, broken = [], []
    for part in TITLES:
        for language in LANGUAGES:
            found = [pair for pair in everything if pair[0].part == part and pair[0].language == language]
            counts = confusion(found)
            judged = verdicts(counts)
            parts += [f"## {language}, {TITLES[part]}: {len(found)} texts", "", table(counts), ""]
            parts += [f"- {name}: **{figure}**{'' if met else ', missed'}" for name, figure, met in judged]
            asked = [pair for pair in found if pair[0].request]
            if asked:
                right = sum(any(one.request.id == case.request for one in got.requests) for case, got in asked)
                parts.append(f"- requests recognised: **{right} of {len(asked)}**")
            parts.append("")
            broken += [(part, language, name) for name, _, met in judged if part != TUNE and not met]
            if options.misses and (part == TUNE or options.open):
                for case, findings in found:
                    _show(case, findings)
    speed = texts_a_second([case.text for case, _ in everything] * 3, lexicon)
    parts.append(f"Speed: {speed:,.0f} texts a second of one core's time; the slowest hostile text that is known "
                 f"takes {slowest(lexicon):.1f} s.")  # fmt: skip
    return report.finish(
        "words", "Free words", "python -m bench.words --write", "\n".join(parts), broken, to_file=options.write,
        note="All sets have been used to mend the lexicon and to learn from, so these figures flatter it. What each\n"
        "set gave at first sight stands in\n"
        "[decision 0043](../decisions/0043-free-words-are-composed-from-a-lexicon.md): the last set 88.0 / 79.3 %\n"
        "of the dangers RED at once, 98.8 / 93.1 % at least asked about (zh / en), 4.3 / 6.5 % of the harmless\n"
        "wrongly RED.",
    )  # fmt: skip


def _show(case: Case, findings: Findings) -> None:
    got = outcome(findings)
    wanted_request = case.request is None or any(one.request.id == case.request for one in findings.requests)
    if got == case.level and wanted_request:
        return
    concepts = ", ".join(f"{one.concept.id}:{one.status}({'|'.join(one.words)})" for one in findings.concepts)
    requests = ", ".join(one.request.id for one in findings.requests)
    wanted = f"{case.level} {case.request or ''}".strip()
    sys.stdout.write(f"{wanted:12} -> {got:7} {case.text!r} [{case.rule}] {concepts} {requests}\n")


if __name__ == "__main__":
    sys.exit(main())
