"""Which texts does the bot need, and do the catalogues in locales/ have each of them in every language?

The keys come from the source (``bot.textscan``), from the trial's files (``bot.protocol.check``) and, where
they are put together at run time, from ``bot.textkeys``.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po

from bot import textkeys
from bot.protocol import check
from bot.protocol.load import BUNDLED, bundled
from bot.texts import LOCALES
from bot.textscan import Source, Use

ROOT = Path(__file__).parents[1]
WIDTH = 110
# The same in every file and for ever, so that only texts make a difference.
WRITTEN = datetime(2026, 11, 23, tzinfo=UTC)
HEADER = (
    "# Texts of the patient follow-up bot; made by `followup messages`.\n# SPDX-License-Identifier: Apache-2.0\n#"
)


@dataclass(slots=True)
class Usage:
    """Where a key is used, and the placeholders that have a value in every use that can be read (None: in no use)."""

    key: str
    files: set[str] = field(default_factory=set)
    given: frozenset[str] | None = None
    plural: bool = False

    def add(self, file: str, given: frozenset[str] | None) -> None:
        """Note one more use; only what every use gives can be relied on."""
        if given is not None:
            self.given = given if self.given is None else self.given & given
        self.files.add(file)


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of the catalogues; ``locale`` is empty when it concerns all of them."""

    locale: str
    key: str
    message: str

    def __str__(self) -> str:
        """Return the problem as one line for the terminal."""
        return f"{self.locale or 'locales'}: {self.key}: {self.message}"


@cache
def collect(root: Path = ROOT) -> Mapping[str, Usage]:
    """Return every text key that the bot can say, in order, with where it is used; read once.

    Raises:
        ProtocolFaulty: the bundled trial cannot be read.
    """
    usages: dict[str, Usage] = {}

    def use(key: str, file: str, given: frozenset[str] | None, *, plural: bool = False) -> None:
        usage = usages.setdefault(key, Usage(key))
        usage.add(file, given)
        usage.plural = usage.plural or plural

    for found in _uses(root):
        for key in textkeys.members(found.text) or [] if found.is_pattern else [found.text]:
            use(key, found.file, found.given, plural=found.plural)
    for key in check.text_keys(bundled()):
        use(key, f"bot/protocol/{BUNDLED}", usages[key].given if key in usages else textkeys.protocol_values(key))
    return dict(sorted(usages.items()))


def patterns(root: Path = ROOT) -> set[str]:
    """Return the patterns of all keys that the code puts together at run time."""
    return {found.text for found in _uses(root) if found.is_pattern}


@cache
def _uses(root: Path) -> tuple[Use, ...]:
    return tuple(Source(root).uses())


# The catalogues


def template(usages: Iterable[Usage]) -> Catalog:
    """Return what messages.pot says: the keys, where each is used and which values it is given."""
    catalogue = _new(None)
    for usage in usages:
        comments = [f"values: {', '.join(sorted(usage.given))}"] if usage.given else []
        catalogue.add(
            (usage.key, usage.key) if usage.plural else usage.key,
            locations=[(file, 0) for file in sorted(usage.files)],
            auto_comments=comments,
        )
    return catalogue


def update(folder: Path) -> None:
    """Write messages.pot and bring both languages up to date.

    New keys come in empty. A text that is no longer used stays as a comment, so that a renamed key loses no words,
    and speaks again when its key comes back.
    """
    usages = collect()
    _write(folder / "messages.pot", template(usages.values()))
    for locale in LOCALES:
        path = _po(folder, locale)
        catalogue = _read(path, locale) if path.exists() else _new(locale)
        # A template for each: what one language takes back would be the other one's as well.
        catalogue.update(template(usages.values()), no_fuzzy_matching=True)
        _take_back(catalogue)
        _write(path, catalogue)


def _take_back(catalogue: Catalog) -> None:
    """Let a text speak again that had become a comment and whose key is used once more."""
    for key, old in list(catalogue.obsolete.items()):
        present = catalogue.get(_id(old))
        if present is not None:
            del catalogue.obsolete[key]
            if present.pluralizable == old.pluralizable and not any(_forms(present)):
                present.string = old.string


def problems(folder: Path) -> list[Problem]:
    """Return every fault of the catalogues: what is missing, empty, doubtful, stale, or does not fit its use."""
    usages = collect()
    found = [Problem("", pattern, "no family") for pattern in sorted(patterns()) if textkeys.members(pattern) is None]
    if not _same(_read(folder / "messages.pot", None), template(usages.values())):
        found.append(Problem("", "messages.pot", "is not up to date; run `make messages`"))
    catalogues = {locale: _read(_po(folder, locale), locale) for locale in LOCALES}
    for locale, catalogue in catalogues.items():
        for usage in usages.values():
            found += _text_problems(locale, usage, catalogue.get(usage.key))
        found += [
            Problem(locale, key, "is no longer used") for key in map(_id, _entries(catalogue)) if key not in usages
        ]
    for key in usages:
        if len({_placeholders(catalogue.get(key)) for catalogue in catalogues.values()}) > 1:
            found.append(Problem("", key, "the placeholders differ between the languages"))
    return found


def _text_problems(locale: str, usage: Usage, message: Message | None) -> Iterator[Problem]:
    if message is None:
        yield Problem(locale, usage.key, "is missing")
        return
    if not all(_forms(message)):
        yield Problem(locale, usage.key, "is empty")
    if message.fuzzy:
        yield Problem(locale, usage.key, "is doubtful (fuzzy)")
    if bool(message.pluralizable) != usage.plural:
        yield Problem(locale, usage.key, "has plural forms without need" if message.pluralizable else "needs plurals")
    if usage.given is not None and (unknown := _placeholders(message) - usage.given):
        yield Problem(locale, usage.key, f"nothing fills {', '.join(sorted(unknown))}")


def _placeholders(message: Message | None) -> frozenset[str]:
    if message is None:
        return frozenset()
    return frozenset(name for form in _forms(message) for _, name, _, _ in string.Formatter().parse(form) if name)


def _forms(message: Message) -> list[str]:
    """Return the words of a text, all forms of a plural."""
    forms = message.string if isinstance(message.string, tuple | list) else (message.string,)
    return [form or "" for form in forms]


def _new(locale: str | None) -> Catalog:
    return Catalog(
        locale=locale,
        project="followup",
        version="1",
        msgid_bugs_address="the study team",
        header_comment=HEADER,
        creation_date=WRITTEN,
        revision_date=WRITTEN,
        last_translator="the study team",
        language_team=locale or "all",
        fuzzy=False,
    )


def _po(folder: Path, locale: str) -> Path:
    return folder / locale / "LC_MESSAGES" / "messages.po"


def _read(path: Path, locale: str | None) -> Catalog:
    with path.open("rb") as stream:
        return read_po(stream, locale=locale)


def _write(path: Path, catalogue: Catalog) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        write_po(stream, catalogue, width=WIDTH, sort_output=True, include_lineno=False)


def _entries(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.id]


def _id(message: Message) -> str:
    return str(message.id if isinstance(message.id, str) else message.id[0])


def _same(one: Catalog, other: Catalog) -> bool:
    def content(catalogue: Catalog) -> set[tuple[str, bool, tuple[str, ...], tuple[str, ...]]]:
        return {
            (
                _id(each),
                bool(each.pluralizable),
                tuple(sorted(file for file, _ in each.locations)),
                tuple(each.auto_comments),
            )
            for each in _entries(catalogue)
        }

    return content(one) == content(other)
