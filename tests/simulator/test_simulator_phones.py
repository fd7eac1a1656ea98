"""Does a simulated phone do what a person can do in Telegram, and nothing else?"""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.clock import SetClock
from bot.simulator.parts import NoSuchButton, PhoneCannot
from bot.simulator.phones import Phone
from bot.simulator.telegram import SimulatedTelegram


@pytest.fixture
def telegram() -> SimulatedTelegram:
    return SimulatedTelegram(SetClock(datetime(2026, 4, 1, tzinfo=UTC)))


@pytest.fixture
async def patient(telegram: SimulatedTelegram) -> Phone:
    phone = telegram.phone(1001, "S-001")
    await phone.sends("/start")
    telegram.updates.drop()
    return phone


async def ask(telegram: SimulatedTelegram, text: str, *buttons: dict[str, str]) -> None:
    markup = json.dumps({"inline_keyboard": [list(buttons)]})
    answer = await telegram.call("sendMessage", {"chat_id": 1001, "text": text, "reply_markup": markup})
    assert answer["ok"], answer


def waiting(telegram: SimulatedTelegram) -> list[dict[str, Any]]:
    return [entry.update for entry in telegram.updates.pending]


async def test_a_command_carries_the_entity_that_handlers_look_for(
    telegram: SimulatedTelegram, patient: Phone
) -> None:
    await patient.sends("/report@followup_bot now, 2/3 of it")
    assert waiting(telegram)[0]["message"]["entities"] == [{"type": "bot_command", "offset": 0, "length": 20}]


async def test_a_text_of_5000_characters_leaves_in_two_messages(telegram: SimulatedTelegram, patient: Phone) -> None:
    await patient.sends("x" * 5000)
    assert [len(update["message"]["text"]) for update in waiting(telegram)] == [4096, 904]


async def test_a_start_link_sends_its_code_and_unblocks(telegram: SimulatedTelegram, patient: Phone) -> None:
    await patient.blocks()
    with pytest.raises(PhoneCannot, match="unblock"):
        await patient.sends("hello")
    await patient.opens("https://t.me/followup_bot?start=Ab-12_x")
    kinds = [sorted(update)[0] for update in waiting(telegram)]
    assert kinds == ["my_chat_member", "my_chat_member", "message"]
    assert waiting(telegram)[-1]["message"]["text"] == "/start Ab-12_x"


@pytest.mark.parametrize(
    "link",
    [
        pytest.param("https://t.me/other_bot?start=x", id="another bot"),
        pytest.param(f"https://t.me/followup_bot?start={'x' * 65}", id="a code too long"),
        pytest.param("https://t.me/followup_bot?start=a.b", id="a code with a dot"),
    ],
)
async def test_a_link_that_telegram_does_not_pass_on_is_not_opened(patient: Phone, link: str) -> None:
    with pytest.raises(PhoneCannot):
        await patient.opens(link)


async def test_a_tap_finds_the_newest_button_and_an_exact_label_first(
    telegram: SimulatedTelegram, patient: Phone
) -> None:
    await ask(telegram, "old", {"text": "Yes", "callback_data": "old"})
    await ask(
        telegram,
        "new",
        {"text": "Yes, a little", "callback_data": "little"},
        {"text": "Yes", "callback_data": "new"},
    )
    await patient.taps("Yes")
    await patient.taps("little")
    old = patient.inbox[0]
    await patient.taps_on(old, "Yes")
    assert [update["callback_query"]["data"] for update in waiting(telegram)] == ["new", "little", "old"]
    assert waiting(telegram)[2]["callback_query"]["message"]["message_id"] == old.message_id


async def test_a_missing_button_names_those_on_the_screen(telegram: SimulatedTelegram, patient: Phone) -> None:
    await ask(telegram, "?", {"text": "Yes", "callback_data": "y"}, {"text": "No", "callback_data": "n"})
    with pytest.raises(NoSuchButton, match=r"'Maybe', only: \['Yes', 'No'\]"):
        await patient.taps("Maybe")


async def test_the_same_press_comes_again_as_a_new_update_and_query(
    telegram: SimulatedTelegram, patient: Phone
) -> None:
    await ask(telegram, "?", {"text": "Yes", "callback_data": "y"})
    await patient.taps("Yes")
    await patient.repeats_last_tap()
    first, second = waiting(telegram)
    assert first["update_id"] != second["update_id"]
    assert first["callback_query"]["id"] != second["callback_query"]["id"]
    assert first["callback_query"]["data"] == second["callback_query"]["data"]


async def test_a_link_button_is_opened_and_tells_the_bot_nothing(telegram: SimulatedTelegram, patient: Phone) -> None:
    await ask(telegram, "?", {"text": "Read", "url": "https://hospital.example/"})
    await patient.taps("Read")
    assert (patient.opened_links, waiting(telegram)) == (["https://hospital.example/"], [])


async def test_the_keyboard_below_the_input_field_sends_its_label(
    telegram: SimulatedTelegram, patient: Phone
) -> None:
    markup = {"keyboard": [["I feel unwell"], [{"text": "My visits"}]]}
    fields = {"chat_id": 1001, "text": "Menu", "reply_markup": json.dumps(markup)}
    await telegram.call("sendMessage", fields)
    await patient.taps("visits")
    assert waiting(telegram)[0]["message"]["text"] == "My visits"


async def test_an_own_message_can_be_edited(telegram: SimulatedTelegram, patient: Phone) -> None:
    message = await patient.sends("38,4")
    await patient.edits(message, "38.4")
    assert waiting(telegram)[1]["edited_message"]["text"] == "38.4"
    assert "edit_date" in waiting(telegram)[1]["edited_message"]
    await ask(telegram, "?", {"text": "Yes", "callback_data": "y"})
    with pytest.raises(PhoneCannot):
        await patient.edits(patient.last, "x")


async def test_sticker_picture_and_voice_arrive_and_can_be_fetched(
    telegram: SimulatedTelegram, patient: Phone
) -> None:
    await patient.sends_sticker()
    await patient.sends_photo(caption="rash")
    await patient.sends_voice()
    sticker, photo, voice = (update["message"] for update in waiting(telegram))
    assert (sticker["sticker"]["emoji"], photo["caption"], voice["voice"]["duration"]) == ("👍", "rash", 3)
    told = await telegram.call("getFile", {"file_id": photo["photo"][0]["file_id"]})
    assert telegram.download(telegram.token, told["result"]["file_path"]).body.startswith(b"\x89PNG")
    assert telegram.download("0:wrong", told["result"]["file_path"]).status == 404


async def test_in_a_group_the_bot_hears_commands_only_until_it_leaves(
    telegram: SimulatedTelegram, patient: Phone
) -> None:
    group = telegram.group(-500, "Family")
    await patient.sends("how are you all?", group=group)
    await patient.sends("/start", group=group)
    assert [update["message"]["chat"]["type"] for update in waiting(telegram)] == ["group"]
    assert (await telegram.call("sendMessage", {"chat_id": -500, "text": "not here"}))["ok"]
    assert [message.text for message in group.messages][-1] == "not here"
    assert (await telegram.call("leaveChat", {"chat_id": -500}))["ok"]
    answer = await telegram.call("sendMessage", {"chat_id": -500, "text": "hello"})
    assert answer["description"] == "Forbidden: bot is not a member of the group chat"
    await patient.sends("/start", group=group)
    assert len(waiting(telegram)) == 1
    await patient.adds_bot(group)
    assert waiting(telegram)[1]["my_chat_member"]["new_chat_member"]["status"] == "member"


async def test_the_screen_shows_the_chat_as_it_is_now(telegram: SimulatedTelegram, patient: Phone) -> None:
    await ask(telegram, "Any fever?", {"text": "Yes", "callback_data": "y"}, {"text": "No", "callback_data": "n"})
    assert patient.screen() == "S-001: /start\nfollowup_bot: Any fever?\n  [Yes] [No]"
