"""Do the texts keep the rules of what the bot may say, and does the catalogue say them right?"""

import re
import string
from datetime import UTC, date, datetime, time
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from bot import messages
from bot.protocol import bundled
from bot.texts import LOCALES, TextMissing, Texts, bundled_texts, supported

Text = tuple[str, str, str]  # key, locale, words


@cache
def every_text() -> tuple[Text, ...]:
    """Return every text in every language, each plural form by itself."""
    found = []
    for locale in LOCALES:
        catalogue = messages._read(messages._po(messages.ROOT / "locales", locale), locale)
        for message in messages._entries(catalogue):
            forms = message.string if isinstance(message.string, tuple | list) else (message.string,)
            found += [(messages._id(message), locale, str(form)) for form in forms]
    return tuple(found)


def broken(pattern: str, texts: tuple[Text, ...] | None = None, *, ignore_case: bool = True) -> list[str]:
    """Return the texts in which a pattern is found."""
    flags = re.IGNORECASE if ignore_case else 0
    return [
        f"{key} ({locale}): {said}"
        for key, locale, said in (every_text() if texts is None else texts)
        if re.search(pattern, said, flags)
    ]


# Words that name a drug, the disease, the trial or what is done there.
TELLTALE = (
    r"luspatercept|reblozyl|deferasirox|罗特西普|利布洛泽|地拉罗司|再障|再生障碍|贫血|an(a)?emia|aplastic|"
    r"\bNCT|\btrial|\bstudy|试验|研究|injection|打针|注射|抽血|血常规|blood count"
)
# Only staff read these.
FOR_STAFF = (
    "adherence.", "age.", "alerts.", "arm.", "brief.",
    "case.alarm", "case.answered", "case.ask.", "case.ask_hand_over",
    "case.ask_note",
    "case.ask_outcome", "case.ask_reply", "case.card", "case.declined", "case.digest", "case.lapse", "case.nobody_to",
    "case.offer", "case.read_back", "case.reply", "case.talk", "case.told.declined", "case.told.lapsed",
    "case.details", "case.no_phone",
    "case.outcome", "case.owner", "case.page", "case.repeat", "case.resolved", "case.state", "case.step",
    "case.summary", "case.told.colleague", "case.told.settled", "change.", "closing.ask", "closing.done",
    "closing.field", "closing.invited_again", "closing.summary", "closure.", "course.", "deviation.", "deviations.",
    "dose_order.",
    "due.", "duty.", "enrol.", "evidence.above", "evidence.ask", "evidence.by", "evidence.card", "evidence.dealt",
    "evidence.file", "evidence.from_staff", "evidence.no_words", "evidence.none", "evidence.other_bot",
    "evidence.refused", "evidence.row", "evidence.title", "evidence.viewed", "event.", "export.", "extra.",
    "formulation.",
    "help.staff", "history.", "import.", "interval.", "kpi.", "labs.", "list.", "measure.", "oncall.", "outcome.",
    "participation.", "patient.", "patients.", "reason.", "refused.too_early",
    "refused.too_near", "request.", "refused.already_on_call", "refused.colleague_away", "refused.shift_gone",
    "review.", "role.", "rota.", "silent.", "skipped.", "staff.", "today.", "visit.ask.", "visit.correct",
    "counts.", "release.", "auditor.", "drill.", "drills.", "second.", "email.", "input.email",
    "visit.overtaken",
    "visit.recorded.", "visit.reply.", "visit.staff.", "visit.state.", "weekly.",
)  # fmt: skip
# These are never a message by themselves: buttons, lines over buttons, and what stands inside a message.
PARTS = (
    "month.days.", "month.legend.", "month.picture.", "results.after", "results.day", "results.value",
    "back.tablets", "back.visit", "command.", "dose.skip.", "language.", "protocol.", "reading.value",
    "reading.what.", "relation.", "report.line.", "report.short.", "tablets.own_words", "tablets.told.line",
    "toast.", "urgency.", "visit.gone.",
    "visit.bring.", "visit.kind.", "visit.mine.", "visit.place.", "visit.short.", "visit.stands", "visit.titled",
)  # fmt: skip
LOCK_SCREEN = 60


def for_patients() -> tuple[Text, ...]:
    """Return every text that can be a message to a patient or a caregiver."""
    options = {
        option.text
        for questionnaire in bundled().questionnaires.values()
        for item in questionnaire.items
        for option in item.options
    }
    return tuple(
        each
        for each in every_text()
        if (each[0].startswith("outcome.told.") or not each[0].startswith((*FOR_STAFF, *PARTS)))
        and ".button." not in each[0]
        and ".toast." not in each[0]
        and each[0] not in options
    )


def filled(key: str, locale: str, said: str) -> str:
    """Return a text as it may look at its worst: the most telling words, and as little as possible before them."""
    texts = bundled_texts()
    day, short_day = texts.day(date(2026, 5, 3), locale), texts.short_day(date(2026, 5, 3), locale)
    visit = {
        "day": day,
        "what": texts.text("visit.kind.injection", locale),
        "bring": texts.text("visit.bring.injection", locale),
    }
    line = texts.text("visit.mine.line", locale, **visit)
    inner = {
        **visit,
        "gone": texts.text("visit.gone.line", locale, **visit),
        "wish": day,
        "since": short_day,
        "until": short_day,
        "at": short_day,
        "place": "3F",
        "stands": texts.text("visit.stands", locale, day=day),
        "head": texts.text("visit.mine.next", locale, day=day),
        "lines": line,
        "due": texts.text("visit.mine.undecided", locale, what=visit["what"]),
        "level": texts.text("urgency.red_come", locale),
        "who": texts.text("relation.patient", locale),
        "role": texts.text("role.shown.investigator", locale),
        "summary": texts.text("report.short.site_look", locale),
        "details": texts.text("arm.tg2.name", locale),
        "phone": "120",
        "code": "S-001",
        "number": "12",
        "repeat": "",
        "name": "",
    }
    if key in ("visit.for_caregiver", "visit.with_tablets", "delivery.repeated", "delivery.shown_again"):
        inner["text"] = texts.text("reminder.visit.same_day", locale, **{**visit, "place": "3F", "phone": "120"})
    names = {name for _, name, _, _ in string.Formatter().parse(said) if name}
    return said.format_map({name: inner.get(name, "…") for name in names})


@pytest.mark.req("DI-21")
def test_a_locked_screen_names_no_drug_disease_or_trial() -> None:
    first = tuple((key, locale, filled(key, locale, said)[:LOCK_SCREEN]) for key, locale, said in for_patients())
    assert len(first) > 200
    assert broken(TELLTALE, first) == []


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(r"没事|不用担心|别担心|不必担心|放心|不要紧|没关系|没什么大", id="no comfort in Chinese"),
        pytest.param(r"(don'?t|do not|no need to) worry|nothing serious|harmless|all is well", id="no comfort"),
        pytest.param(r"\bnormal|正常", id="nothing is called normal"),
        pytest.param(r"it is (just|only) a|可能是(血栓|感冒|感染)", id="no diagnosis"),
        pytest.param(r"布洛芬|ibuprofen|paracetamol|aspirin|阿司匹林|退烧药|止痛药", id="no medicine is advised"),
        pytest.param(r"观察一晚|wait and see|do not go to (the )?hospital|不用去医院", id="nobody is kept away"),
        pytest.param(r"马上(给您)?回|马上联系您|call you back (soon|shortly)", id="no promise of speed"),
        pytest.param(r"您?怎么又|you should have|you must not forget", id="no blame"),
        pytest.param("你", id="the polite form only"),
        pytest.param(r"身份证号.{0,4}(发|填)给|send (us )?your ID", id="no identity number is asked for"),
    ],
)
def test_nothing_is_said_that_must_never_be_said(pattern: str) -> None:
    assert broken(pattern) == []


def test_chinese_sentences_carry_chinese_punctuation() -> None:
    chinese = tuple(text for text in every_text() if text[1] == "zh")
    assert broken(r"[一-鿿”][,;:!?()]|[,;:!?()][一-鿿]|[一-鿿]\.(\s|$|[一-鿿])", chinese) == []


def test_each_language_speaks_for_itself() -> None:
    both = ("start.ask_language", "language.", "press.chosen", "drill.")
    english = tuple(text for text in every_text() if text[1] == "en" and not text[0].startswith(both))
    assert broken(r"[一-鿿]", english) == []
    silent = [
        key
        for key, locale, said in every_text()
        if locale == "zh" and not key.startswith(both) and not re.search(r"[一-鿿]", re.sub(r"\{\w+\}", "值", said))
    ]
    assert silent == []


def test_emergency_texts_name_120() -> None:
    emergency = (
        "triage.red_", "triage.paged", "report.silence.red", "report.added", "case.nobody_reached",
        "case.nobody_took_over", "case.from_staff", "outcome.told.",
        "case.told.taken_over", "speak.is_it_now", "speak.danger_not_enrolled", "report.trouble.ask",
        "report.sudden.what.ask",
    )  # fmt: skip
    silent = [(key, locale) for key, locale, said in every_text() if key.startswith(emergency) and "120" not in said]
    assert silent == []


def test_wherever_the_site_number_is_known_it_stands_beside_120() -> None:
    """Every screen of a patient shows both; pages to staff carry the patient's number instead."""
    usages = messages.collect()
    silent = [
        (key, locale)
        for key, locale, said in every_text()
        if "phone" in (usages[key].given or ())
        and not key.startswith(("case.page", "case.card", "case.offered", "case.reply", "patient."))
        and not ("{phone}" in said and "120" in said)
    ]
    # What is agreed to one by one follows a text that names both.
    assert [each for each in silent if not each[0].startswith("consent.agree.")] == []


@pytest.mark.parametrize("key", ["case.page", "case.page.more", "case.card"])
@pytest.mark.parametrize("locale", LOCALES)
def test_a_page_holds_what_is_needed_to_phone_the_patient(key: str, locale: str) -> None:
    (said,) = [each for found, language, each in every_text() if (found, language) == (key, locale)]
    for name in ("level", "number", "code", "phone", "who", "summary", "details"):
        assert f"{{{name}}}" in said
    assert said.index("{phone}") < said.index("{summary}")


@pytest.mark.parametrize("locale", LOCALES)
def test_the_consent_text_names_telegram_120_the_way_out_and_who_answers_questions(locale: str) -> None:
    (said,) = [each for key, language, each in every_text() if (key, language) == ("consent.text", locale)]
    for part in ("Telegram", "120", "/stop", "{phone}"):
        assert part in said


@pytest.mark.parametrize(
    ("keys", "most"),
    [
        pytest.param(r".*", {"zh": 1500, "en": 3000}, id="a message (4096 with its values)"),
        pytest.param(r"enrol\.invitation\..*|adherence\.summary", {"zh": 500, "en": 600}, id="a caption (1024)"),
        pytest.param(r".*\.button\..*", {"zh": 14, "en": 22}, id="a button"),
        pytest.param(r"(.*\.)?toast\..*", {"zh": 60, "en": 120}, id="a line over a button (200)"),
        pytest.param(r"command\..*", {"zh": 60, "en": 60}, id="a line of the command menu"),
        pytest.param(r"report\.short\..*", {"zh": 10, "en": 36}, id="a question's short name"),
    ],
)
def test_texts_fit_where_they_are_shown(keys: str, most: dict[str, int]) -> None:
    long = [
        (key, locale, len(said))
        for key, locale, said in every_text()
        if re.fullmatch(keys, key) and len(said) > most[locale]
    ]
    assert long == []


def test_no_text_has_loose_ends() -> None:
    """Leading and trailing space would show; only what is hung on to a line begins with one."""
    loose = [(key, locale) for key, locale, said in every_text() if said != said.strip() and key != "case.repeat"]
    assert loose == []


# The catalogue itself


@pytest.fixture(scope="module")
def texts() -> Texts:
    return bundled_texts()


@pytest.mark.parametrize(
    ("locale", "n", "said"),
    [
        pytest.param("en", 1, "1 day", id="one"),
        pytest.param("en", 2, "2 days", id="two"),
        pytest.param("en", 0, "0 days", id="none"),
        pytest.param("zh", 1, "1天", id="Chinese knows one form"),
    ],
)
def test_a_number_takes_its_form(texts: Texts, locale: str, n: int, said: str) -> None:
    assert texts.plural("age.days", n, locale) == said


def test_a_key_without_text_is_an_error_not_a_word(texts: Texts) -> None:
    with pytest.raises(TextMissing, match=r"menu\.nowhere"):
        texts.text("menu.nowhere", "en")


def test_a_placeholder_without_value_is_an_error(texts: Texts) -> None:
    with pytest.raises(TextMissing, match="phone"):
        texts.text("menu.patient", "en")


def test_a_value_with_braces_is_shown_as_it_is(texts: Texts) -> None:
    assert texts.text("report.line.words", "en", words="{phone} 100%") == "“{phone} 100%”"


def test_days_and_times_are_said_as_people_say_them(texts: Texts) -> None:
    day = date(2026, 12, 3)
    assert texts.day(day, "zh") == "12月3日 星期四"
    assert texts.day(day, "en") == "Thursday 3 December"
    assert texts.full_day(day, "zh") == "2026年12月3日 星期四"
    assert texts.time(time(7, 30)) == "07:30"
    at = datetime(2026, 12, 2, 23, 30, tzinfo=UTC)
    assert texts.moment(at, ZoneInfo("Asia/Shanghai"), "en") == "Thu 3 Dec 07:30"


@pytest.mark.parametrize(
    ("code", "locale"),
    [
        pytest.param("zh-hans", "zh", id="simplified"),
        pytest.param("zh-TW", "zh", id="traditional"),
        pytest.param("en", "en", id="English"),
        pytest.param("de", "en", id="another language"),
        pytest.param(None, "zh", id="Telegram does not say"),
    ],
)
def test_the_first_language_is_guessed_from_telegram(code: str | None, locale: str) -> None:
    assert supported(code) == locale
