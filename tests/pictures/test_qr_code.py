"""Does a phone that scans the code get the very link, and does a person see what it is for?"""

import io

import pytest
import segno
from PIL import Image

from bot.pictures.qr import HALF_BLOCKS, LinkTooLong, qr_png, qr_terminal

LINK = "https://t.me/example_bot?start=" + "A1b2C3d4" * 8  # Telegram allows 64 characters after "start=".


def expected_modules(link: str) -> list[list[bool]]:
    """Return the dark squares of the code for ``link``, with four light ones on each side."""
    return [[bool(module) for module in row] for row in segno.make_qr(link, error="m").matrix_iter(border=4)]


def modules_of(picture: Image.Image, count: int) -> list[list[bool]]:
    """Read the dark squares back from a picture's pixels."""
    scale = picture.width // count
    centres = [number * scale + scale // 2 for number in range(count)]
    return [[picture.getpixel((x, y)) == 0 for x in centres] for y in centres]


@pytest.mark.parametrize(
    "caption",
    [
        pytest.param("请用病人的手机扫一扫", id="Chinese"),
        pytest.param("Scan this with the patient's phone. It works once.", id="English, two lines"),
        pytest.param("", id="no caption"),
    ],
)
def test_the_picture_holds_the_code_for_the_link(caption: str) -> None:
    picture = Image.open(io.BytesIO(qr_png(LINK, caption)))
    expected = expected_modules(LINK)
    assert picture.format == "PNG"
    assert 900 <= picture.width <= 1000
    assert modules_of(picture.convert("L"), len(expected)) == expected


def test_the_caption_stands_below_the_code_and_not_in_its_quiet_zone() -> None:
    bare = Image.open(io.BytesIO(qr_png(LINK, ""))).convert("L")
    captioned = Image.open(io.BytesIO(qr_png(LINK, "请扫一扫"))).convert("L")
    assert captioned.crop((0, 0, *bare.size)).tobytes() == bare.tobytes()
    below = captioned.crop((0, bare.height, captioned.width, captioned.height))
    assert below.getextrema()[0] == 0


def test_correction_is_at_least_medium() -> None:
    assert segno.make_qr(LINK, error="m").error in {"M", "Q", "H"}


def test_the_terminal_shows_the_same_code_in_80_columns() -> None:
    rows: list[list[bool]] = []
    pairs = {block: pair for pair, block in HALF_BLOCKS.items()}
    for line in qr_terminal(LINK).split("\n"):
        assert len(line) <= 80
        rows.append([not pairs[block][0] for block in line])
        rows.append([not pairs[block][1] for block in line])
    expected = expected_modules(LINK)
    assert rows[: len(expected)] == expected


@pytest.mark.parametrize("length", [pytest.param(2000, id="too fine to read"), pytest.param(5000, id="no code")])
def test_a_link_too_long_for_a_readable_code_is_refused(length: int) -> None:
    with pytest.raises(LinkTooLong):
        qr_terminal("x" * length)
    with pytest.raises(LinkTooLong):
        qr_png("x" * length, "")
