"""Does the real Application of python-telegram-bot live happily on the simulated Telegram?"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.error import BadRequest, Forbidden, InvalidToken, NetworkError, RetryAfter, TimedOut
from telegram.ext import (
    Application,
    CallbackQueryHandler,
    CommandHandler,
    ContextTypes,
    MessageHandler,
    filters,
)

from bot.clock import SetClock
from bot.simulator.phones import Phone
from bot.simulator.request import SimulatedRequest
from bot.simulator.telegram import DEFAULT_TOKEN, SimulatedTelegram

App = Application[Any, Any, Any, Any, Any, Any]


@pytest.fixture(autouse=True)
def _timedeltas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")


@pytest.fixture
def telegram() -> SimulatedTelegram:
    return SimulatedTelegram(SetClock(datetime(2026, 4, 1, tzinfo=UTC)))


async def on_start(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.effective_message is not None
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="fever:yes")]])
    await update.effective_message.reply_text("Any fever?", reply_markup=keyboard)


async def on_tap(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    query = update.callback_query
    assert query is not None
    await query.answer("Saved")
    await query.edit_message_text(f"Noted: {query.data}")


async def on_text(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    assert update.effective_message is not None
    assert update.effective_message.text is not None
    await update.effective_message.reply_html(f"<b>{update.effective_message.text}</b>", do_quote=True)


@pytest.fixture
async def application(telegram: SimulatedTelegram) -> AsyncIterator[App]:
    builder = Application.builder().token(DEFAULT_TOKEN).updater(None)
    builder = builder.request(SimulatedRequest(telegram)).get_updates_request(SimulatedRequest(telegram))
    application = builder.build()
    application.add_handler(CommandHandler("start", on_start))
    application.add_handler(CallbackQueryHandler(on_tap))
    application.add_handler(MessageHandler(filters.TEXT, on_text))
    async with application:
        yield application
    telegram.updates.release_polls()


async def work(application: App) -> None:
    """Handle everything that waits, then confirm it."""
    offset = 0
    while updates := await application.bot.get_updates(offset=offset, timeout=0):
        for update in updates:
            await application.process_update(update)
        offset = updates[-1].update_id + 1


async def test_a_small_bot_answers_start_tap_and_text(telegram: SimulatedTelegram, application: App) -> None:
    patient = telegram.phone(1001, "S-001")
    await patient.opens("https://t.me/followup_bot?start=code")
    await work(application)
    await patient.taps("Yes")
    await work(application)
    await patient.sends("hello")
    await work(application)
    assert patient.screen().splitlines() == [
        "S-001: /start code",
        "followup_bot: Noted: fever:yes",
        "S-001: hello",
        "followup_bot: hello",
    ]
    assert patient.last_toast == "Saved"
    assert patient.last.reply_to == 3
    telegram.check_misuses()


async def started(telegram: SimulatedTelegram) -> Phone:
    patient = telegram.phone(1001, "S-001")
    await patient.sends("/start")
    telegram.updates.drop()
    return patient


async def test_the_library_meets_the_errors_of_the_real_server(telegram: SimulatedTelegram, application: App) -> None:
    patient = await started(telegram)
    bot = application.bot
    with pytest.raises(BadRequest, match="Message is too long"):
        await bot.send_message(1001, "x" * 4097)
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message(4711, "hello")
    with pytest.raises(BadRequest, match="Unknown field"):
        await bot.send_message(1001, "hello", api_kwargs={"priority": "high"})
    assert telegram.misuses == ["unknown field of sendMessage: priority"]
    await patient.blocks()
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await bot.send_message(1001, "hello")
    assert patient.inbox == []


async def test_faults_come_in_the_order_given_and_the_log_tells_the_truth(
    telegram: SimulatedTelegram, application: App
) -> None:
    await started(telegram)
    bot = application.bot
    telegram.fail("sendMessage", retry_after=7)
    telegram.fail("sendMessage", status=502)
    telegram.fail("sendMessage", drop="before")
    telegram.fail("sendMessage", drop="unreachable")
    telegram.fail("sendMessage", drop="after")
    with pytest.raises(RetryAfter) as flood:
        await bot.send_message(1001, "flood")
    assert str(flood.value.retry_after) == "0:00:07"
    with pytest.raises(NetworkError, match="Bad Gateway"):
        await bot.send_message(1001, "gateway")
    for text in ("before", "unreachable", "after"):
        with pytest.raises(NetworkError):
            await bot.send_message(1001, text)
    await bot.send_message(1001, "well")
    assert [entry.text for entry in telegram.log] == ["after", "well"]


async def test_the_live_bots_check_and_error_are_used_when_given(telegram: SimulatedTelegram) -> None:
    def refuse(method: str, status: int, body: bytes) -> None:
        if not body.startswith(b"{"):
            raise NetworkError("not from Telegram")

    await started(telegram)
    request = SimulatedRequest(telegram, check=refuse, not_sent=TimedOut)
    application = Application.builder().token(DEFAULT_TOKEN).updater(None).request(request).build()
    telegram.fail("sendMessage", proxy_page=True)
    telegram.fail("sendMessage", drop="unreachable")
    with pytest.raises(NetworkError, match="not from Telegram"):
        await application.bot.send_message(1001, "hello")
    with pytest.raises(TimedOut):
        await application.bot.send_message(1001, "hello")


async def test_files_profile_and_chat_pass_through_the_library(telegram: SimulatedTelegram, application: App) -> None:
    patient = await started(telegram)
    bot = application.bot
    sent = await bot.send_document(1001, b"a,b", filename="visits.csv", caption="<i>list</i>", parse_mode="HTML")
    assert sent.document is not None
    assert sent.document.file_name == "visits.csv"
    assert patient.last.text == "list"
    file = await bot.get_file(sent.document.file_id)
    assert bytes(await file.download_as_bytearray()) == b"a,b"
    assert await bot.set_my_commands([("start", "begin")])
    assert [command.command for command in await bot.get_my_commands()] == ["start"]
    assert (await bot.get_chat(1001)).first_name == "S-001"
    assert await bot.set_chat_menu_button()
    assert await bot.send_chat_action(1001, "typing")
    assert (await bot.get_me()).username == "followup_bot"
    telegram.check_misuses()


async def test_a_wrong_token_is_unauthorized(telegram: SimulatedTelegram) -> None:
    wrong = Application.builder().token("1:other").updater(None).request(SimulatedRequest(telegram)).build()
    with pytest.raises(InvalidToken):
        await wrong.initialize()
