"""The commands of patients and caregivers; each has a button in the menu as well."""

from telegram import Update

from bot.usecases import report, speak, start, tablets, visits
from handlers.context import TrialContext


async def on_unwell(update: Update, context: TrialContext) -> None:
    await context.handle(update, "unwell", report.begin)


async def on_visits(update: Update, context: TrialContext) -> None:
    await context.handle(update, "visits", visits.show_mine)


async def on_tablets(update: Update, context: TrialContext) -> None:
    await context.handle(update, "tablets", tablets.show_mine)


async def on_team(update: Update, context: TrialContext) -> None:
    await context.handle(update, "team", speak.show_team)


async def on_stop(update: Update, context: TrialContext) -> None:
    await context.handle(update, "stop", start.begin_withdrawal)
