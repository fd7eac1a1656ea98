"""Words, and things that are not words."""

from telegram import Message, Update

from bot.usecases import evidence, readings, speak
from handlers.context import TrialContext

# What is answered, and kept by nobody.
OTHERS = ("sticker", "location", "contact")


async def on_text(update: Update, context: TrialContext) -> None:
    """Somebody wrote something."""
    text = _text(update)
    await context.handle(update, "text", lambda work: readings.take_text(work, text))


async def on_edited(update: Update, context: TrialContext) -> None:
    """Somebody changed an earlier message."""
    text = _text(update)
    await context.handle(update, "edited", lambda work: speak.take_edited(work, text))


async def on_forwarded(update: Update, context: TrialContext) -> None:
    """Somebody passed on what another wrote."""
    text = _text(update)
    await context.handle(update, "forwarded", lambda work: speak.take_forwarded(work, text))


async def on_other(update: Update, context: TrialContext) -> None:
    """Somebody sent a picture, a voice message, a sticker, ...; its caption is read like any text."""
    message = update.effective_message
    assert message is not None
    kind, caption, sent = _kind(message), message.caption, _sent(message, context.bot.id)

    await context.handle(update, "other", lambda work: speak.take_other(work, kind, caption, sent))


async def on_unknown_command(update: Update, context: TrialContext) -> None:
    """Somebody typed a command that does not exist; danger words behind the slash count all the same."""
    text = _text(update)
    await context.handle(update, "unknown_command", lambda work: speak.take_unknown_command(work, text))


def _text(update: Update) -> str:
    message = update.effective_message
    return "" if message is None else message.text or message.caption or ""


def _kind(message: Message) -> str:
    for kind in (*evidence.KINDS, *OTHERS):
        if getattr(message, kind):
            return kind
    return "unknown"


def _sent(message: Message, bot_id: int) -> evidence.Sent | None:
    """Return the file in a message, if there is one; of a photo, the largest of its sizes."""
    kind = _kind(message)
    if kind not in evidence.KINDS:
        return None
    file = getattr(message, kind)
    if kind == "photo":
        file = max(file, key=lambda size: size.width * size.height)
    return evidence.Sent(
        kind=kind,
        message_id=message.message_id,
        at=message.date,
        bot_id=bot_id,
        file_id=file.file_id,
        unique_id=file.file_unique_id,
        caption=message.caption,
        album=message.media_group_id,
        mime=getattr(file, "mime_type", None),
        size=file.file_size,
    )
