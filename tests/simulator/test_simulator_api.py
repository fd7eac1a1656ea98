"""Does the simulated server answer a bot's calls as the real one does?"""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.clock import FastClock, SetClock
from bot.simulator.parts import BotMisusesApi, Change, Kind, ShownMessage, Upload
from bot.simulator.phones import Phone
from bot.simulator.telegram import SimulatedTelegram

NOON = datetime(2026, 4, 1, 4, 0, tzinfo=UTC)
PATIENT = 1001
PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000400000003008060000001f15c489")


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOON)


@pytest.fixture
def telegram(clock: SetClock) -> SimulatedTelegram:
    return SimulatedTelegram(clock)


@pytest.fixture
async def patient(telegram: SimulatedTelegram) -> Phone:
    """A person who has pressed Start; nothing waits for the bot."""
    phone = telegram.phone(PATIENT, "S-001")
    await phone.sends("/start")
    telegram.updates.drop()
    return phone


async def send(telegram: SimulatedTelegram, text: str = "hello", **fields: Any) -> dict[str, Any]:
    return await telegram.call("sendMessage", {"chat_id": PATIENT, "text": text, **fields})


def keyboard(**button: Any) -> str:
    return json.dumps({"inline_keyboard": [[{"text": "Yes", **button}]]})


async def test_message_ids_rise_in_a_chat_and_the_date_is_the_clocks(
    telegram: SimulatedTelegram, patient: Phone
) -> None:
    first, second = await send(telegram), await send(telegram)
    assert second["result"]["message_id"] == first["result"]["message_id"] + 1
    assert second["result"]["date"] == int(NOON.timestamp())
    assert second["result"]["chat"] == {"id": PATIENT, "type": "private", "first_name": "S-001"}


@pytest.mark.parametrize(
    ("fields", "description"),
    [
        pytest.param({"text": ""}, "Bad Request: message text is empty", id="no text"),
        pytest.param({"text": " \n "}, "Bad Request: text must be non-empty", id="white space only"),
        pytest.param({"text": "好" * 4097}, "Bad Request: message is too long", id="one character too many"),
        pytest.param({"chat_id": ""}, "Bad Request: chat_id is empty", id="no chat"),
        pytest.param({"chat_id": 999}, "Bad Request: chat not found", id="unknown person"),
        pytest.param({"parse_mode": "Wiki"}, "Bad Request: unsupported parse_mode", id="parse mode"),
        pytest.param(
            {"reply_parameters": '{"message_id": 77}'},
            "Bad Request: message to be replied not found",
            id="answer to nothing",
        ),
        pytest.param({"reply_markup": "{"}, "Bad Request: can't parse reply markup JSON object", id="broken JSON"),
        pytest.param(
            {"reply_markup": keyboard(callback_data="x" * 65)},
            "Bad Request: BUTTON_DATA_INVALID",
            id="65 bytes",
        ),
        pytest.param(
            {"reply_markup": keyboard(callback_data="好" * 22)},
            "Bad Request: BUTTON_DATA_INVALID",
            id="22 characters of 3 bytes",
        ),
        pytest.param(
            {"reply_markup": keyboard(callback_data="")},
            "Bad Request: can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
            id="no data",
        ),
        pytest.param(
            {"reply_markup": keyboard(text="", callback_data="x")},
            "Bad Request: inline keyboard button text must be non-empty",
            id="no label",
        ),
        pytest.param(
            {"reply_markup": keyboard(url="tel:0571-0000-0000")},
            "Bad Request: inline keyboard button URL 'tel:0571-0000-0000' is invalid: Unsupported URL protocol",
            id="a telephone link",
        ),
    ],
)
async def test_a_message_that_telegram_does_not_take_is_refused(
    telegram: SimulatedTelegram, patient: Phone, fields: dict[str, Any], description: str
) -> None:
    answer = await send(telegram, **{"text": "hello", **fields})
    assert answer == {"ok": False, "error_code": 400, "description": description}
    assert telegram.log == []


async def test_a_text_of_exactly_4096_characters_after_parsing_is_taken(
    telegram: SimulatedTelegram, patient: Phone
) -> None:
    assert (await send(telegram, f"<b>{'好' * 4095}</b>&lt;", parse_mode="HTML"))["ok"]
    assert (await send(telegram, reply_markup=keyboard(callback_data="x" * 64)))["ok"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<b>bold", 'Can\'t find end tag corresponding to start tag "b"'),
        ("a < b", 'Unsupported start tag "" at byte offset 2'),
        ("好<p>x</p>", 'Unsupported start tag "p" at byte offset 3'),
        ("<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("<i>x</i", "Unclosed end tag at byte offset 4"),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
    ],
)
async def test_broken_html_is_refused(telegram: SimulatedTelegram, patient: Phone, text: str, reason: str) -> None:
    answer = await send(telegram, text, parse_mode="HTML")
    assert answer["description"] == f"Bad Request: can't parse entities: {reason}"


async def test_html_becomes_text_and_entities_counted_in_utf16(telegram: SimulatedTelegram, patient: Phone) -> None:
    answer = await send(telegram, ' 🩸 <b>1 &lt; 2</b> <a href="https://a.example/">x</a> ', parse_mode="HTML")
    assert answer["result"]["text"] == "🩸 1 < 2 x"
    assert answer["result"]["entities"] == [
        {"type": "bold", "offset": 3, "length": 5},
        {"type": "text_link", "offset": 9, "length": 1, "url": "https://a.example/"},
    ]


async def test_who_never_started_or_blocked_the_bot_cannot_be_written_to(
    telegram: SimulatedTelegram, patient: Phone
) -> None:
    telegram.phone(1002, "S-002")
    stranger = await telegram.call("sendMessage", {"chat_id": 1002, "text": "hello"})
    assert stranger["description"] == "Forbidden: bot can't initiate conversation with a user"
    await patient.blocks()
    answer = await send(telegram)
    assert (answer["error_code"], answer["description"]) == (403, "Forbidden: bot was blocked by the user")
    await patient.unblocks()
    assert (await send(telegram))["ok"]
    kinds = [entry.update["my_chat_member"]["new_chat_member"]["status"] for entry in telegram.updates.pending]
    assert kinds == ["kicked", "member"]


async def test_an_edit_replaces_text_and_takes_the_keyboard_away(
    telegram: SimulatedTelegram, patient: Phone, clock: SetClock
) -> None:
    await send(telegram, "How are you?", reply_markup=keyboard(callback_data="yes"))
    target = {"chat_id": PATIENT, "message_id": patient.last.message_id}
    clock.advance(minutes=1)
    answer = await telegram.call("editMessageText", {**target, "text": "Thank you"})
    assert answer["result"]["edit_date"] == int(NOON.timestamp()) + 60
    assert (patient.last.text, patient.last.buttons) == ("Thank you", ())
    again = await telegram.call("editMessageText", {**target, "text": "Thank you"})
    assert again["description"].startswith("Bad Request: message is not modified: specified new message")
    unchanged = await telegram.call("editMessageReplyMarkup", target)
    assert unchanged["description"].startswith("Bad Request: message is not modified")


@pytest.mark.parametrize(
    ("message_id", "description"),
    [
        (99, "Bad Request: message to edit not found"),
        (1, "Bad Request: message can't be edited"),
        (0, "Bad Request: message identifier is not specified"),
    ],
)
async def test_only_the_bots_own_messages_can_be_edited(
    telegram: SimulatedTelegram, patient: Phone, message_id: int, description: str
) -> None:
    answer = await telegram.call("editMessageText", {"chat_id": PATIENT, "message_id": message_id, "text": "x"})
    assert answer["description"] == description


async def test_a_deleted_message_leaves_the_screen_and_is_not_found_again(
    telegram: SimulatedTelegram, patient: Phone, clock: SetClock
) -> None:
    await send(telegram, "first")
    await send(telegram, "second")
    target = {"chat_id": PATIENT, "message_id": patient.last.message_id}
    assert (await telegram.call("deleteMessage", target))["result"] is True
    assert [message.text for message in patient.inbox] == ["first"]
    again = await telegram.call("deleteMessage", target)
    assert again["description"] == "Bad Request: message to delete not found"
    clock.advance(hours=49)
    late = await telegram.call("deleteMessage", {**target, "message_id": patient.last.message_id})
    assert late["description"] == "Bad Request: message can't be deleted for everyone"


async def test_a_photo_is_measured_and_a_document_keeps_its_name(telegram: SimulatedTelegram, patient: Phone) -> None:
    photo = await telegram.call("sendPhoto", {"chat_id": PATIENT, "caption": "calendar"}, {"photo": PNG})
    assert (photo["result"]["photo"][0]["width"], photo["result"]["photo"][0]["height"]) == (64, 48)
    upload = Upload("visits.csv", b"a,b")
    sent = await telegram.call("sendDocument", {"chat_id": PATIENT, "document": "attach://part"}, {"part": upload})
    assert sent["result"]["document"]["file_name"] == "visits.csv"
    again = await telegram.call(
        "sendDocument", {"chat_id": PATIENT, "document": sent["result"]["document"]["file_id"]}
    )
    assert again["ok"]
    assert [message.kind for message in patient.inbox] == ["photo", "document", "document"]


@pytest.mark.parametrize("kind", ["photo", "voice", "audio", "video", "video_note", "animation", "document"])
async def test_a_file_that_a_person_sent_is_shown_again_by_its_id_as_what_it_is(
    telegram: SimulatedTelegram, patient: Phone, kind: Kind
) -> None:
    mine = await (patient.sends_photo() if kind == "photo" else patient.sends_media(kind))
    assert mine.file is not None
    method = f"send{kind.title().replace('_', '')}"
    sent = await telegram.call(method, {"chat_id": PATIENT, kind: mine.file.file_id, "protect_content": True})
    assert sent["ok"]
    assert (patient.last.kind, patient.last.file, patient.last.protected) == (kind, mine.file, True)
    other = "sendVoice" if kind != "voice" else "sendVideo"
    field = "voice" if kind != "voice" else "video"
    refused = await telegram.call(other, {"chat_id": PATIENT, field: mine.file.file_id})
    assert refused["description"].startswith("Bad Request: can't use file of type")
    unknown = await telegram.call(method, {"chat_id": PATIENT, kind: "gone"})
    assert unknown["description"] == "Bad Request: wrong file identifier/HTTP URL specified"


@pytest.mark.parametrize(
    ("fields", "files", "description"),
    [
        ({}, {}, "Bad Request: there is no photo in the request"),
        ({}, {"photo": b""}, "Bad Request: file must be non-empty"),
        ({}, {"photo": b"<html>"}, "Bad Request: IMAGE_PROCESS_FAILED"),
        ({"photo": "unknown"}, {}, "Bad Request: wrong file identifier/HTTP URL specified"),
        ({"caption": "x" * 1025}, {"photo": PNG}, "Bad Request: message caption is too long"),
    ],
)
async def test_a_picture_that_telegram_does_not_take_is_refused(
    telegram: SimulatedTelegram,
    patient: Phone,
    fields: dict[str, str],
    files: dict[str, bytes],
    description: str,
) -> None:
    answer = await telegram.call("sendPhoto", {"chat_id": PATIENT, **fields}, files)
    assert answer["description"] == description


@pytest.mark.parametrize(
    ("query_id", "seconds_later", "text"),
    [
        pytest.param("0", 0, "", id="never pressed"),
        pytest.param(None, 151, "", id="pressed too long ago"),
        pytest.param(None, 0, "x" * 201, id="notice too long"),
    ],
)
async def test_a_press_is_answered_in_time_and_shortly_or_not_at_all(
    telegram: SimulatedTelegram,
    patient: Phone,
    clock: SetClock,
    query_id: str | None,
    seconds_later: int,
    text: str,
) -> None:
    await send(telegram, reply_markup=keyboard(callback_data="yes"))
    await patient.taps("Yes")
    pressed = telegram.updates.pending[0].update["callback_query"]["id"]
    clock.advance(seconds=seconds_later)
    answer = await telegram.call("answerCallbackQuery", {"callback_query_id": query_id or pressed, "text": text})
    wanted = "MESSAGE_TOO_LONG" if text else "query is too old and response timeout expired"
    assert wanted in answer["description"]
    assert patient.last_toast is None


async def test_an_answered_press_shows_its_notice_and_is_gone(telegram: SimulatedTelegram, patient: Phone) -> None:
    await send(telegram, reply_markup=keyboard(callback_data="yes"))
    await patient.taps("Yes")
    query = telegram.updates.pending[0].update["callback_query"]
    fields = {"callback_query_id": query["id"], "text": "Saved"}
    assert (await telegram.call("answerCallbackQuery", fields))["ok"]
    assert (patient.last_toast, telegram.unanswered) == ("Saved", {})
    assert not (await telegram.call("answerCallbackQuery", fields))["ok"]


async def test_an_offset_confirms_what_came_before_it(telegram: SimulatedTelegram, patient: Phone) -> None:
    for text in ("one", "two", "three"):
        await patient.sends(text)
    updates = (await telegram.call("getUpdates", {"limit": "2"}))["result"]
    assert [update["message"]["text"] for update in updates] == ["one", "two"]
    again = (await telegram.call("getUpdates", {}))["result"]
    assert [update["message"]["text"] for update in again] == ["one", "two", "three"]
    rest = (await telegram.call("getUpdates", {"offset": updates[-1]["update_id"] + 1}))["result"]
    assert [update["message"]["text"] for update in rest] == ["three"]
    last = (await telegram.call("getUpdates", {"offset": -1}))["result"]
    assert last == rest
    await telegram.call("getUpdates", {"offset": rest[-1]["update_id"] + 1})
    assert not telegram.has_updates.is_set()


async def test_a_long_poll_ends_with_the_first_update(telegram: SimulatedTelegram, patient: Phone) -> None:
    poll = asyncio.create_task(telegram.call("getUpdates", {"timeout": 50}))
    await asyncio.sleep(0)
    await patient.sends("hello")
    assert [update["message"]["text"] for update in (await poll)["result"]] == ["hello"]


async def test_a_long_poll_can_be_released_or_made_short(telegram: SimulatedTelegram) -> None:
    poll = asyncio.create_task(telegram.call("getUpdates", {"timeout": 50}))
    await asyncio.sleep(0)
    telegram.updates.release_polls()
    assert (await poll)["result"] == []
    telegram.updates.longest_poll = 0.01
    assert (await telegram.call("getUpdates", {"timeout": 50}))["result"] == []


async def test_a_second_poller_ends_the_first_with_a_conflict(telegram: SimulatedTelegram) -> None:
    first = asyncio.create_task(telegram.call("getUpdates", {"timeout": 50}))
    await asyncio.sleep(0)
    assert (await telegram.call("getUpdates", {}))["ok"]
    answer = await first
    assert answer["error_code"] == 409
    assert "terminated by other getUpdates request" in answer["description"]


async def test_updates_nobody_fetched_are_forgotten(
    telegram: SimulatedTelegram, patient: Phone, clock: SetClock
) -> None:
    await send(telegram, reply_markup=keyboard(callback_data="yes"))
    await patient.taps("Yes")
    await patient.sends("hello")
    clock.advance(seconds=151)
    kept = (await telegram.call("getUpdates", {}))["result"]
    assert ["message" in update for update in kept] == [True]
    clock.advance(hours=24)
    assert (await telegram.call("getUpdates", {}))["result"] == []
    assert len(telegram.updates.expired) == 2


async def test_in_a_faster_time_a_press_is_kept_as_many_real_seconds() -> None:
    telegram = SimulatedTelegram(FastClock(NOON, speed=36_000))
    patient = telegram.phone(PATIENT, "S-001")
    await patient.sends("/start")
    await send(telegram, reply_markup=keyboard(callback_data="yes"))
    await patient.taps("Yes")
    await asyncio.sleep(0.05)
    query = (await telegram.call("getUpdates", {}))["result"][-1]["callback_query"]
    assert (await telegram.call("answerCallbackQuery", {"callback_query_id": query["id"]}))["ok"]


async def test_only_the_kinds_that_the_bot_asked_for_are_queued(telegram: SimulatedTelegram, patient: Phone) -> None:
    await telegram.call("getUpdates", {"allowed_updates": '["callback_query"]'})
    await patient.sends("hello")
    assert telegram.updates.pending == []
    await telegram.call("getUpdates", {"allowed_updates": "[]"})
    await patient.sends("hello")
    assert len(telegram.updates.pending) == 1


async def test_polling_and_webhook_exclude_each_other(telegram: SimulatedTelegram, patient: Phone) -> None:
    far = await telegram.call("setWebhook", {"url": "https://bot.example/hook"})
    assert far["description"].startswith("Bad Request: bad webhook")
    await telegram.call("setWebhook", {"url": "http://127.0.0.1:1/hook", "secret_token": "s3cret"})
    await patient.sends("hello")
    info = (await telegram.call("getWebhookInfo", {}))["result"]
    assert (info["url"], info["pending_update_count"]) == ("http://127.0.0.1:1/hook", 1)
    answer = await telegram.call("getUpdates", {})
    assert answer["error_code"] == 409
    await telegram.call("deleteWebhook", {})
    assert len((await telegram.call("getUpdates", {}))["result"]) == 1


async def test_an_unknown_method_or_field_is_noticed(telegram: SimulatedTelegram, patient: Phone) -> None:
    telegram.check_misuses()
    unknown = await telegram.call("sendPigeon", {})
    assert unknown == {"ok": False, "error_code": 404, "description": "Not Found"}
    field = await send(telegram, priority="high")
    assert field["description"] == "Bad Request: unknown field priority of sendMessage"
    assert telegram.log == []
    with pytest.raises(BotMisusesApi, match=r"sendPigeon.*priority"):
        telegram.check_misuses()


async def test_the_command_menu_of_the_chat_and_language_wins(telegram: SimulatedTelegram, patient: Phone) -> None:
    async def menu(command: str, **fields: str) -> None:
        commands = json.dumps([{"command": command, "description": "something"}])
        assert (await telegram.call("setMyCommands", {"commands": commands, **fields}))["ok"]

    await menu("default")
    await menu("chinese", language_code="zh")
    assert patient.command_menu[0]["command"] == "chinese"
    scope = json.dumps({"type": "chat", "chat_id": PATIENT})
    await menu("own", scope=scope)
    assert patient.command_menu[0]["command"] == "own"
    await telegram.call("deleteMyCommands", {"scope": scope})
    assert patient.command_menu[0]["command"] == "chinese"
    bad = await telegram.call("setMyCommands", {"commands": '[{"command": "No", "description": "x"}]'})
    assert bad["description"] == "Bad Request: BOT_COMMAND_INVALID"


async def test_the_profile_is_kept_by_language(telegram: SimulatedTelegram) -> None:
    await telegram.call("setMyDescription", {"description": "general"})
    await telegram.call("setMyDescription", {"description": "中文", "language_code": "zh"})
    chinese = await telegram.call("getMyDescription", {"language_code": "zh"})
    french = await telegram.call("getMyDescription", {"language_code": "fr"})
    assert (chinese["result"], french["result"]) == ({"description": "中文"}, {"description": "general"})


async def test_the_log_keeps_the_truth_and_listeners_see_it_happen(
    telegram: SimulatedTelegram, patient: Phone
) -> None:
    seen: list[tuple[str, str]] = []

    def listener(phone: Phone, message: ShownMessage, change: Change) -> None:
        seen.append((change, message.text))

    telegram.on_message(listener)
    await send(telegram, "one", protect_content="true", disable_notification="true")
    target = {"chat_id": PATIENT, "message_id": patient.last.message_id}
    await telegram.call("editMessageText", {**target, "text": "two"})
    await patient.sends("three")
    assert seen == [("received", "one"), ("edited", "two"), ("sent", "three")]
    assert [(entry.method, entry.text) for entry in telegram.log] == [
        ("sendMessage", "one"),
        ("editMessageText", "two"),
    ]
    assert (telegram.log[0].at, telegram.log[0].protected, telegram.log[0].silent) == (NOON, True, True)
