"""What can be asked of the rules from the terminal: what would these words lead to, and why?"""

import json
import re
import sys
from typing import Annotated, Any

import typer

from bot.domain.freetext import Findings, Found, scan
from bot.domain.lexicon import Lexicon
from bot.domain.wording import CJK
from bot.errors import FollowupError
from bot.protocol.load import bundled_folder, load
from bot.settings import load_settings
from bot.texts import LOCALES, bundled_texts

words = typer.Typer()


class LinesUnreadable(FollowupError):
    """Some lines could not be read; the others were judged."""


class NothingToJudge(FollowupError):
    """Give a text, or --jsonl and lines on standard input."""


class LanguageUnknown(FollowupError):
    """There is no such language."""


@words.command()
def triage(
    text: Annotated[str | None, typer.Argument(help="What somebody might write.")] = None,
    lang: Annotated[
        str | None, typer.Option(help="Language of what the patient would read: zh or en; that of the text if empty.")
    ] = None,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Read lines {"id", "text"} from standard input, write a line for each.')
    ] = False,
) -> None:
    """Explain what free words lead to: how urgent, by which words and rules, and whether the bot would ask.

    No subject is given, so laboratory values are unknown and read as the worst. Nothing is stored.

    Example: followup triage "没发烧但是拉黑便"
    """
    lexicon = load(load_settings().protocol or bundled_folder()).lexicon
    if jsonl:
        _judge_lines(lexicon)
        return
    if text is None:
        raise NothingToJudge
    locale = lang or ("zh" if re.search(CJK, text) else "en")
    if locale not in LOCALES:
        raise LanguageUnknown(f"there is no language {locale!r}; choose one of {', '.join(LOCALES)}")
    typer.echo("\n".join(explained(scan(text, lexicon), locale)))


def explained(findings: Findings, locale: str) -> list[str]:
    """Return the lines that explain one text."""
    check = f"yes, it may be {findings.urgency_if_so}" if findings.danger_check else "no"
    lines = [
        f"urgency       {findings.acted_on}",
        f"danger check  {check}",
        f"because       {', '.join(findings.because) or '-'}",
        f"read as       {findings.read_as}",
    ]
    lines += [f"concept       {_concept(one)}" for one in findings.concepts]
    for asked in findings.requests:
        lines.append(f"request       {asked.request.id}: {' | '.join(asked.words)} -> {asked.request.opens}")
    if not findings.concepts and not findings.requests:
        lines.append(
            "nothing       no words are understood; the text goes to the staff queue, and the patient is told"
        )
    text = bundled_texts().text
    if findings.danger_check:
        lines.append(f"patient reads {text('speak.is_it_now', locale, phone='<site phone>')}")
    elif (key := findings.tell) is not None:
        lines.append(f"patient reads {text(key, locale, phone='<site phone>')}")
    return lines


def _concept(found: Found) -> str:
    why = f" ({found.why})" if found.why else ""
    said = " | ".join(found.words)
    return f"{found.concept.id}: {said} -> {found.status}{why}, {found.urgency}, rule {found.rule}"


def judged(name: object, findings: Findings) -> dict[str, Any]:
    """Return one text's judgement as a line of JSON holds it."""
    return {
        "id": name,
        "urgency": findings.acted_on.value,
        "danger_check": findings.danger_check,
        "concepts": [
            {"id": one.concept.id, "words": list(one.words), "status": one.status.value, "rule": one.rule}
            for one in findings.concepts
        ],
        "requests": [asked.request.id for asked in findings.requests],
        "because": list(findings.because),
    }


def _judge_lines(lexicon: Lexicon) -> None:
    broken = []
    for number, raw in enumerate(sys.stdin.buffer, start=1):
        if not raw.strip():
            continue
        try:
            line = json.loads(raw.decode("utf-8", errors="replace"))
            name, text = line["id"], str(line["text"])
        except (ValueError, KeyError, TypeError, RecursionError):
            broken.append(number)
            continue
        typer.echo(json.dumps(judged(name, scan(text, lexicon)), ensure_ascii=False))
    if broken:
        shown = ", ".join(str(number) for number in broken[:10])
        raise LinesUnreadable(f"{len(broken)} line(s) are not JSON with id and text: {shown}")
