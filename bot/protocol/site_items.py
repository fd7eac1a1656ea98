"""Which words has the site for the scores of the check-in, in place of our own?

PRO-CTCAE items may not be adapted, translated or shipped; a site that has them, made with the form builder of the
NCI, names its file, and the scored questions are asked in its words. What is asked, and when it is urgent, stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from pydantic import ConfigDict

from bot.domain.questionnaires import SCORES, Attribute, Item
from bot.protocol.load import ProtocolFaulty, ProtocolProblem, read
from bot.protocol.model import STRICT, Protocol

LANGUAGES = ("zh", "en")
LONGEST_ANSWER = 60  # signs; a button shows no more
LONGEST_QUESTION = 1000

Words = Mapping[str, Mapping[str, str]]  # by language and text key


@dataclass(frozen=True, slots=True)
class SiteItems:
    """The site's file: the five answers of each attribute, and the question of each item, by language."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    version: str
    source: str
    answers: Mapping[str, Mapping[str, tuple[str, ...]]]
    items: Mapping[str, Mapping[str, str]]


def with_site_items(protocol: Protocol, path: Path | None) -> tuple[Protocol, Words]:
    """Return the trial and the words that take the place of ours, by language and text key.

    The version of a questionnaire whose words were replaced says so, and stays with each filling-in.

    Raises:
        ProtocolFaulty: with every problem of the file.
    """
    if path is None:
        return protocol, {}
    problems: list[ProtocolProblem] = []
    site = read(path.parent, path.name, SiteItems, problems)
    scored = _scored(protocol)
    if site is not None:
        problems += _problems(path.name, site, scored)
    if site is None or problems:
        raise ProtocolFaulty(problems)
    words: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
    for name, texts in site.items.items():
        item = scored[name]
        for language in LANGUAGES:
            words[language][item.text] = texts[language]
            answers = site.answers[item.attribute or ""][language]
            words[language] |= {option.text: said for option, said in zip(item.options, answers, strict=True)}
    changed = {
        name: replace(each, version=f"{each.version}+{site.version}")
        if any(item.id in site.items for item in each.items)
        else each
        for name, each in protocol.questionnaires.items()
    }
    return replace(protocol, questionnaires=MappingProxyType(changed)), words


def _scored(protocol: Protocol) -> dict[str, Item]:
    return {item.id: item for each in protocol.questionnaires.values() for item in each.items if item.attribute}


def _problems(file: str, site: SiteItems, scored: Mapping[str, Item]) -> Iterator[ProtocolProblem]:
    for name, said in (("version", site.version), ("source", site.source)):
        if not said.strip():
            yield ProtocolProblem(file, name, "is empty: say which form these words are from")
    for name in site.items:
        if name not in scored:
            yield ProtocolProblem(file, name, f"no scored question has this name; known: {', '.join(scored)}")
    # The words of an answer belong to its attribute: a mixture of theirs and ours would be neither.
    if missing := [name for name in scored if name not in site.items]:
        yield ProtocolProblem(file, "items", f"the words of these questions are missing: {', '.join(missing)}")
    for name, texts in site.items.items():
        yield from _language_problems(file, name, texts)
        for language, text in texts.items():
            if not 0 < len(text.strip()) <= LONGEST_QUESTION:
                yield ProtocolProblem(file, name, f"{language}: a question has 1 to {LONGEST_QUESTION} signs")
    known = {str(attribute) for attribute in Attribute}
    for name in site.answers:
        if name not in known:
            yield ProtocolProblem(file, name, f"unknown attribute; known: {', '.join(sorted(known))}")
    for attribute in sorted({str(item.attribute) for item in scored.values()}):
        if attribute not in site.answers:
            yield ProtocolProblem(file, attribute, "the answers of this attribute are missing")
    for name, lists in site.answers.items():
        yield from _language_problems(file, name, lists)
        for language, answers in lists.items():
            if len(answers) != len(SCORES) or len({each.strip() for each in answers}) != len(answers):
                yield ProtocolProblem(file, name, f"{language}: five different answers are needed, from 0 to 4")
            if any(not 0 < len(each.strip()) <= LONGEST_ANSWER for each in answers):
                yield ProtocolProblem(file, name, f"{language}: an answer has 1 to {LONGEST_ANSWER} signs")


def _language_problems(file: str, name: str, given: Mapping[str, object]) -> Iterator[ProtocolProblem]:
    for language in LANGUAGES:
        if language not in given:
            yield ProtocolProblem(file, name, f"the words in {language} are missing")
    for language in given:
        if language not in LANGUAGES:
            yield ProtocolProblem(file, name, f"unknown language {language}; known: {', '.join(LANGUAGES)}")
