"""What does an update lead to? The one ordered list of routes."""

from collections.abc import Callable, Coroutine
from typing import Any

from telegram import Update
from telegram.ext import (
    Application,
    BaseHandler,
    CallbackQueryHandler,
    ChatMemberHandler,
    CommandHandler,
    MessageHandler,
    TypeHandler,
    filters,
)

from handlers import groups, messages, patients, presses, staff, start
from handlers.context import TrialContext
from handlers.policy import POLICY

Handler = BaseHandler[Update, TrialContext, None]
Callback = Callable[[Update, TrialContext], Coroutine[Any, Any, None]]

PRIVATE = filters.ChatType.PRIVATE & filters.UpdateType.MESSAGE

COMMANDS: dict[str, Callback] = {
    "start": start.on_start,
    "help": start.on_help,
    "menu": start.on_menu,
    "cancel": start.on_cancel,
    "settings": start.on_settings,
    "unwell": patients.on_unwell,
    "visits": patients.on_visits,
    "tablets": patients.on_tablets,
    "team": patients.on_team,
    "stop": patients.on_stop,
    "enrol": staff.on_enrol,
    "patients": staff.on_patients,
    "patient": staff.on_patient,
    "due": staff.on_due,
    "silent": staff.on_silent,
    "today": staff.on_today,
    "brief": staff.on_brief,
    "digest": staff.on_digest,
    "deviations": staff.on_deviations,
    "alerts": staff.on_alerts,
    "labs": staff.on_labs,
    "ae": staff.on_ae,
    "dose": staff.on_dose,
    "adherence": staff.on_adherence,
    "counts": staff.on_counts,
    "reviews": staff.on_reviews,
    "report": staff.on_report,
    "kpi": staff.on_kpi,
    "export": staff.on_export,
    "duty": staff.on_duty,
    "oncall": staff.on_oncall,
    "drills": staff.on_drills,
    "staff": staff.on_staff,
}


def routes() -> list[tuple[str, Handler]]:
    """Return every route by name, in the order in which they are tried."""
    commands = [(name, CommandHandler(name, callback, filters=PRIVATE)) for name, callback in COMMANDS.items()]
    taps = [
        (name, CallbackQueryHandler(presses.pressing(name, use_case), pattern=_exactly(name)))
        for name, use_case in presses.PRESSES.items()
    ]
    return [
        *commands,
        *taps,
        ("unknown_press", CallbackQueryHandler(presses.on_unknown)),
        ("edited", MessageHandler(filters.ChatType.PRIVATE & filters.UpdateType.EDITED, messages.on_edited)),
        ("forwarded", MessageHandler(PRIVATE & filters.FORWARDED, messages.on_forwarded)),
        ("unknown_command", MessageHandler(PRIVATE & filters.COMMAND, messages.on_unknown_command)),
        ("text", MessageHandler(PRIVATE & filters.TEXT, messages.on_text)),
        ("other", MessageHandler(PRIVATE, messages.on_other)),
    ]


def register(application: "Application[Any, Any, Any, Any, Any, Any]") -> None:
    """Give the application all routes; one that the policy does not list is an error at once.

    Raises:
        KeyError: a route without a row in the policy table.
    """
    for name, handler in routes():
        POLICY[name]
        application.add_handler(handler)
    # These carry nobody's words, so they need no authority: groups, blocking, and what is left.
    application.add_handler(ChatMemberHandler(groups.on_membership, ChatMemberHandler.MY_CHAT_MEMBER))
    application.add_handler(MessageHandler(~filters.ChatType.PRIVATE, groups.on_group))
    application.add_handler(TypeHandler(Update, groups.on_anything_else))


def _exactly(action: str) -> str:
    return f"^{action.replace('.', chr(92) + '.')}\\|"
