"""Updates that are nobody's words to the bot: groups, blocking, and kinds it has no use for."""

import structlog
from sqlmodel import Session
from telegram import Chat, ChatMember, Update
from telegram.error import TelegramError

from bot.delivery.inbox import CLOSED, ending
from bot.domain.people import BOT
from bot.store import inbox, people
from bot.texts import supported
from bot.usecases import back, reach, staff_groups
from bot.work import Work, run
from handlers.context import TrialContext

log = structlog.get_logger(__name__)


async def on_membership(update: Update, context: TrialContext) -> None:
    """A person blocked or unblocked the bot, or it was put into a group: of staff, or one that it leaves."""
    change = update.my_chat_member
    assert change is not None
    now = context.deps.clock.now()
    if change.chat.type != Chat.PRIVATE:
        there = change.new_chat_member.status in (ChatMember.MEMBER, ChatMember.ADMINISTRATOR)
        chat_id, who = change.chat.id, change.from_user

        def join_or_end(work: Work) -> bool:
            if not there:
                staff_groups.end(work, chat_id)
                return True
            met = people.meet(work.session, who.id, supported(who.language_code), now)
            work.become(met.caller)
            return staff_groups.add(work, chat_id)

        if not await run(context.deps, BOT, f"update:{update.update_id}", join_or_end):
            await _leave(update, context)
        await _done(update, context)
        return
    blocked = change.new_chat_member.status == ChatMember.BANNED

    def note(work: Work) -> None:
        met = people.meet(work.session, change.from_user.id, supported(change.from_user.language_code), now)
        if blocked:
            reach.note(work, met.account, "blocked the bot")
        elif reach.heard(work, met.account, met.caller):
            back.tell(work, met.account)

    await run(context.deps, BOT, f"update:{update.update_id}", note)
    await _done(update, context)


async def on_group(update: Update, context: TrialContext) -> None:
    """Somebody wrote in a group: health matters belong into a private chat (SEC-05), also where staff write."""
    chat, message = update.effective_chat, update.effective_message
    moved_to = message.migrate_to_chat_id if message is not None else None

    def known(work: Work) -> bool:
        if chat is None or staff_groups.registered(work.session, chat.id) is None:
            return False
        if moved_to is not None:
            staff_groups.move(work, chat.id, moved_to)
        return True

    if not await run(context.deps, BOT, f"update:{update.update_id}", known):
        await _leave(update, context)
    await _done(update, context)


async def on_anything_else(update: Update, context: TrialContext) -> None:
    await _done(update, context)


async def _leave(update: Update, context: TrialContext) -> None:
    chat, user = update.effective_chat, update.effective_user
    if chat is None or chat.type == Chat.CHANNEL:
        return
    locale = supported(user.language_code if user else None)
    try:
        await context.bot.send_message(chat.id, context.deps.texts.text("group.private_only", locale))
        await context.bot.leave_chat(chat.id)
    except TelegramError as error:
        log.info("group.not_left", error=type(error).__name__)


async def _done(update: Update, context: TrialContext) -> None:
    bot_id, now = context.bot.id, context.deps.clock.now()

    def close(session: Session) -> None:
        taken = inbox.take(session, bot_id, update.update_id)
        if taken.mine and taken.row is not None:
            inbox.close(taken.row, "done", now)

    await context.deps.store.write(close)
    ending.set(CLOSED)
