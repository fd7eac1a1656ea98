"""Can every text be written, and do its lines break where a reader expects it?"""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import FollowupError
from bot.pictures import fonts
from bot.pictures.fonts import FontMissing, drawable, fitted, font, has_glyph, wrap


@pytest.fixture
def forgotten_fonts() -> Iterator[None]:
    """Forget which font was found, before and after the test."""
    for remembered in (fonts.font_path, fonts.simplified_chinese_face, fonts.font):
        remembered.cache_clear()
    yield
    for remembered in (fonts.font_path, fonts.simplified_chinese_face, fonts.font):
        remembered.cache_clear()


def test_the_face_is_the_one_for_simplified_chinese() -> None:
    assert font(30).getname()[0] == "Noto Sans CJK SC"


def test_bold_letters_have_more_ink_than_regular_ones() -> None:
    assert sum(bytes(font(40, bold=True).getmask("病"))) > sum(bytes(font(40).getmask("病")))


def test_a_font_is_opened_once() -> None:
    assert font(31) is font(31)


@pytest.mark.parametrize("constant", ["FONT_PACKAGE", "FONT_FILE"])
@pytest.mark.usefixtures("forgotten_fonts")
def test_a_missing_font_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch, constant: str) -> None:
    monkeypatch.setattr(fonts, constant, "no_such_thing")
    with pytest.raises(FontMissing, match="no_such_thing") as caught:
        font(30)
    assert isinstance(caught.value, FollowupError)


@pytest.mark.usefixtures("forgotten_fonts")
def test_a_collection_without_the_wanted_face_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "FACE_SUFFIX", " XX")
    with pytest.raises(FontMissing, match="simplified Chinese"):
        font(30)


@pytest.mark.parametrize("letter", list("病药A9，。？！（）：℃≥½☎✓⚠"))
def test_letters_and_signs_the_bot_uses_can_be_drawn(letter: str) -> None:
    assert has_glyph(letter)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("明天来院", "明天来院", id="plain Chinese stays"),
        pytest.param("📅 Visit", "Visit", id="an unknown emoji goes with its space"),
        pytest.param("a 👍🏽 b", "a b", id="no double space where an emoji with skin tone was"),
        pytest.param("✅ Done", "✓ Done", id="a known emoji becomes a sign"),
        pytest.param("⚠️ Now", "⚠ Now", id="a variation selector vanishes"),
        pytest.param("📅 one\n💊 two", "one\ntwo", id="line breaks stay"),
        pytest.param("tab\there", "tabhere", id="a control character vanishes"),
        pytest.param("", "", id="nothing stays nothing"),
    ],
)
def test_what_the_font_cannot_draw_is_replaced_or_left_out(text: str, shown: str) -> None:
    assert drawable(text) == shown


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param("one two three", ["one two", "three"], id="English breaks at a space"),
        pytest.param("一二三四五六七八九", ["一二三四五六", "七八九"], id="Chinese breaks anywhere"),
        pytest.param("一二三四五六。七", ["一二三四五", "六。七"], id="no line starts with a full stop"),
        pytest.param("一二三四五（六", ["一二三四五", "（六"], id="no line ends with an opening bracket"),
        pytest.param("0571-0000", ["0571-0000"], id="a telephone number stays whole"),
        pytest.param("a\n\nb", ["a", "", "b"], id="an empty line stays"),
        pytest.param("", [""], id="no text is one empty line"),
    ],
)
def test_lines_break_where_a_reader_expects_it(text: str, lines: list[str]) -> None:
    # Chinese letters are as wide as the font's size, so six of them fill a line.
    assert wrap(text, font(30), 190) == lines


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab cd（）。，病药来院\n", max_size=60))
def test_wrapping_keeps_every_letter_and_the_width(text: str) -> None:
    face = font(30)
    lines = wrap(text, face, 100)
    assert all(face.getlength(line) <= 100 for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_a_label_too_long_for_its_place_is_written_smaller() -> None:
    text, face = fitted("Need another day", 60, 200)
    assert text == "Need another day"
    assert face.size < 60
    assert face.getlength(text) <= 200


def test_a_label_too_long_even_for_small_letters_is_cut() -> None:
    text, face = fitted("I need a wheelchair and somebody to fetch me", 60, 200)
    assert text.startswith("I need a wheel")
    assert text.endswith("…")
    assert face.getlength(text) <= 200
