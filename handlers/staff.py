"""The commands of staff."""

from collections.abc import Callable

from telegram import Update

from bot.store.models import Subject
from bot.usecases import (
    adherence_one,
    adherence_site,
    brief,
    cases,
    course,
    dose_card,
    drills,
    due,
    enrol,
    events,
    export,
    kpi,
    labs,
    recorded,
    review_screens,
    rota,
    settings,
    silent,
    staff,
    staff_queries,
    tablet_counts,
    weekly_digest,
)
from bot.work import Work
from handlers.context import TrialContext


async def on_enrol(update: Update, context: TrialContext) -> None:
    await context.handle(update, "enrol", enrol.begin)


async def on_patients(update: Update, context: TrialContext) -> None:
    await context.handle(update, "patients", staff_queries.show_patients)


async def on_patient(update: Update, context: TrialContext) -> None:
    await _about_subject(update, context, "patient", staff_queries.show_patient)


async def on_dose(update: Update, context: TrialContext) -> None:
    await _about_subject(update, context, "dose", dose_card.show)


async def on_adherence(update: Update, context: TrialContext) -> None:
    typed = " ".join(context.args or ())

    def ask(work: Work) -> None:
        if typed:
            adherence_one.show_typed(work, typed)
        else:
            adherence_site.show(work)

    await context.handle(update, "adherence", ask)


async def on_counts(update: Update, context: TrialContext) -> None:
    await _about_subject(update, context, "counts", tablet_counts.show)


async def on_report(update: Update, context: TrialContext) -> None:
    await _about_subject(update, context, "report", course.show)


async def on_reviews(update: Update, context: TrialContext) -> None:
    await context.handle(update, "reviews", review_screens.show_all)


async def on_labs(update: Update, context: TrialContext) -> None:
    await _about_subject(update, context, "labs", labs.show)


async def on_ae(update: Update, context: TrialContext) -> None:
    await _about_subject(update, context, "ae", events.show)


async def on_due(update: Update, context: TrialContext) -> None:
    await context.handle(update, "due", due.show_due)


async def on_today(update: Update, context: TrialContext) -> None:
    await context.handle(update, "today", due.show_today)


async def on_brief(update: Update, context: TrialContext) -> None:
    """Show the brief of the subject that is named; without a name those of today."""
    await _about_subject(update, context, "brief", brief.show, otherwise=brief.show_day)


async def on_digest(update: Update, context: TrialContext) -> None:
    await context.handle(update, "digest", weekly_digest.show)


async def on_deviations(update: Update, context: TrialContext) -> None:
    await context.handle(update, "deviations", recorded.show_deviations)


async def on_silent(update: Update, context: TrialContext) -> None:
    await context.handle(update, "silent", silent.show)


async def on_alerts(update: Update, context: TrialContext) -> None:
    await context.handle(update, "alerts", cases.show_alerts)


async def on_kpi(update: Update, context: TrialContext) -> None:
    await context.handle(update, "kpi", kpi.show)


async def on_export(update: Update, context: TrialContext) -> None:
    await context.handle(update, "export", export.ask)


async def on_duty(update: Update, context: TrialContext) -> None:
    await context.handle(update, "duty", settings.show_duty)


async def on_oncall(update: Update, context: TrialContext) -> None:
    await context.handle(update, "oncall", rota.show)


async def on_drills(update: Update, context: TrialContext) -> None:
    await context.handle(update, "drills", drills.show_all)


async def on_staff(update: Update, context: TrialContext) -> None:
    await context.handle(update, "staff", staff.show)


async def _about_subject(
    update: Update,
    context: TrialContext,
    route: str,
    show: Callable[[Work, Subject], None],
    otherwise: Callable[[Work], None] = staff_queries.show_patients,
) -> None:
    """Run a query about the subject named after the command; without a name, offer the list or something else."""
    typed = " ".join(context.args or ())

    def ask(work: Work) -> None:
        if typed:
            show(work, staff_queries.find(work, typed))
        else:
            otherwise(work)

    await context.handle(update, route, ask)
