"""How does one update become one transaction: who is it from, may they, what happens, what is said?"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlmodel import Session
from telegram import CallbackQuery, Update
from telegram.error import TelegramError
from telegram.ext import CallbackContext, ExtBot

from bot.delivery.inbox import CLOSED, DATABASE_AWAY, ending
from bot.deps import Deps
from bot.domain.roles import STAFF
from bot.errors import FollowupError
from bot.store import audit, inbox, outbox, people
from bot.store.models import OutboxMessage
from bot.store.session import DATABASE_FAULTS
from bot.texts import supported
from bot.usecases import back, reach, redeliver, refusals, screens, speak
from bot.work import Press, Work
from handlers.policy import allowed

log = structlog.get_logger(__name__)

DEPS = "deps"
UseCase = Callable[[Work], None]
PressUseCase = Callable[[Work, dict[str, Any]], None]
NAME_LENGTH = 60


class TrialContext(CallbackContext[ExtBot[None], dict[Any, Any], dict[Any, Any], dict[Any, Any]]):
    """What handlers are given besides the update."""

    @property
    def deps(self) -> Deps:
        deps: Deps = self.application.bot_data[DEPS]
        return deps

    async def handle(self, update: Update, route: str, use_case: UseCase) -> None:
        """Run a use case for the sender of ``update`` and close its inbox row, in one transaction.

        Words behind a command are looked through for danger first, like all words.
        """
        words = " ".join(self.args or ()) if route != "start" else ""

        def body(work: Work) -> None:
            if words and work.caller.role not in STAFF and speak.react_to_danger(work, words):
                return
            use_case(work)

        await self._run(update, route, body)

    async def press(self, update: Update, route: str, use_case: PressUseCase) -> None:
        """Run a use case for a pressed button, with the arguments that the button was made with."""
        query = update.callback_query
        assert query is not None

        def pressed(work: Work) -> None:
            press = _find(work, query)
            work.press = press
            redeliver.arrived(work, press.message)
            if press.message.single_use and press.message.pressed_at is not None:
                work.note("toast.already_recorded")
                return
            edit = None
            if press.message.single_use:
                press.message.pressed_at = work.now
                edit = work.edit(press.message, _with_choice(work, press), press.message_id)
            # If the use case refuses, the button stays pressable: all of this is one savepoint.
            use_case(work, press.args)
            if edit is not None and work.stays_open:
                press.message.pressed_at = None
                work.session.delete(edit)
            elif edit is not None and not work.chosen:
                edit.text = press.message.text

        await self._run(update, route, pressed)

    async def _run(self, update: Update, route: str, body: UseCase) -> None:
        deps = self.deps
        user = update.effective_user
        assert user is not None
        bot_id = self.bot.id

        def work_on(session: Session) -> tuple[bool, str | None]:
            taken = inbox.take(session, bot_id, update.update_id)
            if not taken.mine:
                return False, None
            now = deps.clock.now()
            met = people.meet(session, user.id, supported(user.language_code), now)
            account, caller = met.account, met.caller
            work = Work(session, deps, caller, f"update:{update.update_id}", now)
            work.caller_name = user.full_name[:NAME_LENGTH]
            work.said_at = _said_at(update)
            work.received_at = taken.row.received_at if taken.row is not None else None
            # After a restore nobody knows whether an update was handled before; only then has it a reason.
            work.again = taken.row is not None and taken.row.reason is not None
            # Whoever writes can be reached again.
            was_away = reach.heard(work, account, caller)
            if allowed(route, caller.role):
                _attempt(work, body, missed=met.missed)
            else:
                audit.record(session, "refused", route=route)
                _refuse(work, route)
            if was_away:
                back.tell(work, account)
            if taken.row is not None:
                inbox.close(taken.row, "done", now)
            return True, work.toast

        try:
            mine, toast = await deps.store.write(work_on)
        except DATABASE_FAULTS:
            ending.set(DATABASE_AWAY)
            raise
        if not mine:
            return
        ending.set(CLOSED)
        deps.outgoing.set()
        if update.callback_query is not None:
            await answer_press(update.callback_query, toast)


def _said_at(update: Update) -> datetime | None:
    """Return when a message was written; Telegram does not say when a button was pressed."""
    return update.message.date if update.message is not None else None


def _attempt(work: Work, body: UseCase, *, missed: bool) -> None:
    """Run the use case; a refusal undoes what it did and says what to do instead."""
    caller = work.caller
    try:
        with work.session.begin_nested():
            body(work)
            # Last, so that a press on one of them has shown that it did arrive.
            if missed:
                redeliver.show_again(work)
    except FollowupError as error:
        if not isinstance(error, refusals.Refusal) and refusals.text_of(error)[0] == "refused.other":
            raise
        work.session.expire_all()
        work.become(caller)
        work.press = None
        if isinstance(error, refusals.ButtonStale):
            audit.record(work.session, "press.refused")
        key, values = refusals.text_of(error)
        log.info("refused", error=type(error).__name__)
        work.answer(key, (), phone=screens.phone(work), **values)


def _refuse(work: Work, route: str) -> None:
    log.info("not allowed", route=route, role=work.caller.role)
    work.answer("refused.not_for_you", phone=screens.phone(work))


@dataclass(frozen=True, slots=True)
class PressData:
    """What a button carries: the action, the token of its message, and its place there."""

    action: str
    token: str
    number: int

    @classmethod
    def decode(cls, data: str | None) -> "PressData":
        """Read callback data.

        Raises:
            ButtonStale: it is not ours.
        """
        action, token, number = (*(data or "").split("|"), "", "", "")[:3]
        if not token or not (number.isascii() and number.isdecimal()):
            raise refusals.ButtonStale
        return cls(action, token, int(number))


def _find(work: Work, query: CallbackQuery) -> Press:
    """Return the button that was pressed, if it is this person's and its message still stands (SEC-03).

    Raises:
        ButtonStale: unknown, someone else's, changed, or past its time; all look the same.
    """
    data = PressData.decode(query.data)
    message: OutboxMessage | None = outbox.by_token(work.session, data.token)
    if message is None or message.account_id != work.caller.account_id or message.keyboard is None:
        raise refusals.ButtonStale
    buttons = [button for row in json.loads(message.keyboard) for button in row]
    if data.number >= len(buttons) or buttons[data.number][1] != data.action:
        raise refusals.ButtonStale
    label, action, args = buttons[data.number]
    message_id = query.message.message_id if query.message is not None else message.message_id
    return Press(message, label, action, args, message_id or 0)


def _with_choice(work: Work, press: Press) -> str:
    """Return the message as it stands in the chat from now on: without buttons, with what was chosen."""
    return work.texts.text("press.chosen", press.message.locale, text=press.message.text, choice=press.label)


async def answer_press(query: CallbackQuery, toast: str | None) -> None:
    """Stop the button's waiting sign; a press that waited too long is past answering, and that is fine."""
    try:
        await query.answer(toast)
    except TelegramError as error:
        log.info("press.unanswered", error=type(error).__name__)
