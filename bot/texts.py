"""How is this said in the reader's language? Catalogues, dates, times and plurals."""

import io
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from zoneinfo import ZoneInfo

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

from bot.errors import FollowupError

LOCALES = ("zh", "en")
DEFAULT_LOCALE = "zh"
_BABEL = {"zh": Locale.parse("zh_Hans_CN"), "en": Locale.parse("en_GB")}
_DAY_PATTERN = {"zh": "M月d日 EEEE", "en": "EEEE d MMMM"}
_SHORT_DAY_PATTERN = {"zh": "M月d日 EEE", "en": "EEE d MMM"}
_DATE_PATTERN = {"zh": "M月d日", "en": "d MMM"}
_FULL_DAY_PATTERN = {"zh": "y年M月d日 EEEE", "en": "EEEE d MMMM y"}


class TextMissing(FollowupError):
    """A text key has no text in a language, so nothing can be said; `followup check` finds these."""


class Texts:
    """All catalogues, loaded once; every call names its locale, for no language is ever ambient."""

    def __init__(self, catalogues: Mapping[str, Catalog]) -> None:
        self._translations: dict[str, Translations] = {}
        self._keys: dict[str, frozenset[str]] = {}
        self._own: dict[str, dict[str, str]] = {}
        for locale, catalogue in catalogues.items():
            compiled = io.BytesIO()
            write_mo(compiled, catalogue)
            compiled.seek(0)
            self._translations[locale] = Translations(compiled)
            self._keys[locale] = frozenset(
                str(message.id if isinstance(message.id, str) else message.id[0])
                for message in catalogue
                if message.id and message.string and not message.fuzzy
            )

    def said_as(self, words: Mapping[str, Mapping[str, str]]) -> "Texts":
        """Return the same texts, some in the words of the site: plain words, by locale and key."""
        if not words:
            return self
        other = Texts({})
        other._translations, other._keys = self._translations, self._keys
        other._own = {
            locale: {key: said.replace("{", "{{").replace("}", "}}") for key, said in given.items()}
            for locale, given in words.items()
        }
        return other

    def keys(self) -> Mapping[str, frozenset[str]]:
        """Return the keys that have a text, by locale."""
        return self._keys

    def text(self, key: str, locale: str, **values: object) -> str:
        """Return the text of ``key`` with its ``{placeholders}`` filled.

        Raises:
            TextMissing: no such key in this language, or a placeholder has no value.
        """
        return self._fill(self.template(key, locale), key, locale, values)

    def template(self, key: str, locale: str) -> str:
        """Return the text of ``key`` with its placeholders as they are."""
        if key in (own := self._own.get(locale, {})):
            return own[key]
        if key not in self._keys[locale]:
            raise TextMissing(f"{key} ({locale})")
        return str(self._translations[locale].gettext(key))

    def plural(self, key: str, n: int, locale: str, **values: object) -> str:
        """Return the form of ``key`` that fits the number ``n``, with ``{n}`` filled."""
        if key not in self._keys[locale]:
            raise TextMissing(f"{key} ({locale})")
        return self._fill(self._translations[locale].ngettext(key, key, n), key, locale, {"n": n, **values})

    @staticmethod
    def _fill(template: str, key: str, locale: str, values: Mapping[str, object]) -> str:
        try:
            return template.format_map(values)
        except KeyError as error:
            raise TextMissing(f"{key} ({locale}): no value for {error}") from error

    def day(self, day: date, locale: str) -> str:
        """Return a day with its weekday, as one says it: "Thursday 3 December", "12月3日 星期四"."""
        return _format(day, _DAY_PATTERN[locale], locale)

    def short_day(self, day: date, locale: str) -> str:
        """Return a day for lists and buttons: "Thu 3 Dec", "12月3日 周四"."""
        return _format(day, _SHORT_DAY_PATTERN[locale], locale)

    def plain_day(self, day: date, locale: str) -> str:
        """Return a day without its weekday, where there is room for no more: "3 Dec", "12月3日"."""
        return _format(day, _DATE_PATTERN[locale], locale)

    def full_day(self, day: date, locale: str) -> str:
        """Return a day with its year, for what staff confirm."""
        return _format(day, _FULL_DAY_PATTERN[locale], locale)

    def time(self, at: time | datetime) -> str:
        """Return a wall time in 24 hours, the same in both languages: "07:30"."""
        return at.strftime("%H:%M")

    def moment(self, at: datetime, zone: ZoneInfo, locale: str) -> str:
        """Return an aware time on the wall clock of ``zone``: "Thu 3 Dec, 07:30"."""
        there = at.astimezone(zone)
        return f"{self.short_day(there.date(), locale)} {self.time(there)}"

    def weekdays(self, locale: str) -> list[str]:
        """Return the narrow names of the weekdays, Monday first."""
        names = _BABEL[locale].days["stand-alone"]["narrow" if locale == "zh" else "abbreviated"]
        return [names[number] for number in range(7)]

    def month(self, day: date, locale: str) -> str:
        """Return the month of ``day`` with its year: "December 2026", "2026年12月"."""
        return _format(day, "y年M月" if locale == "zh" else "MMMM y", locale)

    def percent(self, share: float, locale: str) -> str:
        return f"{share:.0%}"


def _format(day: date, pattern: str, locale: str) -> str:
    from babel.dates import format_date

    return format_date(day, pattern, locale=_BABEL[locale])


def number(value: Decimal) -> str:
    """Return a number without zeros that say nothing: 2.50 is "2.5", 500.00 is "500"."""
    return format(value.normalize(), "f")


def supported(language_code: str | None) -> str:
    """Return our locale for Telegram's ``language_code`` (IETF, optional, may change at any time)."""
    code = (language_code or "").lower()
    if code.startswith("zh"):
        return "zh"
    return "en" if code else DEFAULT_LOCALE


def read_catalogues(folder: Traversable, locales: Iterable[str] = LOCALES) -> dict[str, Catalog]:
    catalogues: dict[str, Catalog] = {}
    for locale in locales:
        source = folder / locale / "LC_MESSAGES" / "messages.po"
        with source.open("rb") as stream:
            catalogues[locale] = read_po(stream, locale=locale)
    return catalogues


@cache
def bundled_texts() -> Texts:
    """Load the catalogues that come with the bot, once."""
    return Texts(read_catalogues(files("locales")))
