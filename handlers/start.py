"""The way in, help, the menu, and out of a dialogue."""

from telegram import Update

from bot.usecases import forms, invite, screens, settings
from bot.work import Work
from handlers.context import TrialContext


async def on_start(update: Update, context: TrialContext) -> None:
    """Somebody opened the bot, with an invitation or without."""
    code = context.args[0] if context.args else ""

    def start(work: Work) -> None:
        if code:
            invite.open_invitation(work, code)
        else:
            invite.welcome_back(work)

    await context.handle(update, "start", start)


async def on_help(update: Update, context: TrialContext) -> None:
    await context.handle(update, "help", screens.show_help)


async def on_menu(update: Update, context: TrialContext) -> None:
    await context.handle(update, "menu", screens.show_menu)


async def on_cancel(update: Update, context: TrialContext) -> None:
    await context.handle(update, "cancel", forms.cancel)


async def on_settings(update: Update, context: TrialContext) -> None:
    await context.handle(update, "settings", settings.show)
