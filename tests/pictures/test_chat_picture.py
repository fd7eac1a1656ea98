"""Does a drawn chat show every message, button and picture, in both languages?"""

import io
from collections.abc import Sequence

import pytest
from PIL import Image

from bot.pictures.chat import DISCS, ChatLine, chat_png
from bot.pictures.qr import qr_png

QUESTION = ChatLine(
    sender_is_bot=True,
    text="后天要来院，您能来吗？",
    time="08:30",
    buttons=(("能来",), ("要改时间", "需要帮忙")),
)


def drawn(*lines: ChatLine, title: str = "随访小助手") -> Image.Image:
    picture = Image.open(io.BytesIO(chat_png(title, lines)))
    assert picture.format == "PNG"
    assert picture.width == 1080
    return picture.convert("RGB")


def line(text: str, *, sender_is_bot: bool = True, buttons: Sequence[Sequence[str]] = ()) -> ChatLine:
    return ChatLine(sender_is_bot=sender_is_bot, text=text, time="08:31", buttons=buttons)


def test_an_empty_chat_is_a_picture_with_its_title() -> None:
    assert drawn().height < 300


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("您好！今天的药吃了吗？" * 40, id="long Chinese"),
        pytest.param("Have you taken today's tablets yet? " * 40, id="long English"),
        pytest.param("x" * 400, id="one word without a space"),
        pytest.param("first\n\n\nlast", id="empty lines"),
    ],
)
def test_a_long_message_makes_the_picture_taller(text: str) -> None:
    assert drawn(line(text)).height > drawn(line("好")).height


def test_the_bot_writes_on_the_left_and_the_person_on_the_right() -> None:
    left, right = drawn(line("好的")), drawn(line("好的", sender_is_bot=False))
    middle = (136 + left.height) // 2
    assert left.getpixel((60, middle)) == (255, 255, 255)
    assert left.getpixel((1000, middle)) != (255, 255, 255)
    assert right.getpixel((60, middle)) == left.getpixel((1000, middle))


def test_every_row_of_buttons_is_drawn() -> None:
    rows = [drawn(line("好吗？", buttons=[["是"]] * count)).height for count in range(4)]
    assert rows[1] - rows[0] == rows[2] - rows[1] == rows[3] - rows[2] > 80


def test_the_pressed_button_differs_from_the_others() -> None:
    pressed = ChatLine(True, QUESTION.text, QUESTION.time, QUESTION.buttons, pressed="能来")
    assert drawn(QUESTION).tobytes() != drawn(pressed).tobytes()


def test_a_label_too_long_for_its_button_stays_inside() -> None:
    picture = drawn(line("?", buttons=[["I need a wheelchair and somebody to fetch me " * 2]]))
    background = picture.getpixel((1070, 160))
    strip = picture.crop((920, 140, 1080, picture.height))
    assert strip.getextrema() == tuple((channel, channel) for channel in background)  # type: ignore[union-attr]


@pytest.mark.parametrize("disc", list(DISCS))
def test_urgency_discs_keep_their_colour(disc: str) -> None:
    red, green, blue = (int(DISCS[disc][start : start + 2], 16) for start in (1, 3, 5))
    pixels = drawn(line(f"{disc} S-001")).crop((64, 180, 110, 240)).convert("RGB").tobytes()
    colours = zip(pixels[::3], pixels[1::3], pixels[2::3], strict=True)
    near = [c for c in colours if abs(c[0] - red) + abs(c[1] - green) + abs(c[2] - blue) < 40]
    assert len(near) > 200


def test_a_picture_and_a_day_are_part_of_the_chat() -> None:
    plain = ChatLine(True, "请扫一扫", "08:32")
    with_code = ChatLine(True, "请扫一扫", "08:32", picture=qr_png("https://t.me/example_bot", "S-001"))
    with_day = ChatLine(True, "请扫一扫", "08:32", day="4月1日 周三")
    assert drawn(with_code).height > drawn(plain).height + 700
    assert drawn(with_day).height > drawn(plain).height
    assert drawn(ChatLine(True, "", "08:32", picture=with_code.picture)).height < drawn(with_code).height


def test_messages_follow_each_other_in_their_order() -> None:
    assert (
        drawn(line("一"), line("二", sender_is_bot=False)).tobytes()
        != drawn(line("二", sender_is_bot=False), line("一")).tobytes()
    )
