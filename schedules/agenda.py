"""What has become due is worked on here: reminders, questions, the next page of a case."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot.deps import Deps
from bot.domain.people import BOT
from bot.store import agenda
from bot.store.models import AgendaItem, Subject
from bot.usecases import (
    afterwards,
    brief,
    brief_plan,
    chase,
    checkin,
    closures,
    digest,
    dose_answered,
    dose_reasons,
    dose_reviews,
    drills,
    escalate,
    home_count,
    lab_release,
    lapse,
    outage,
    overdue,
    polite,
    reach,
    readings,
    repeating,
    report,
    rota_watch,
    sae_clock,
    speak,
    tablets,
    visit_reminders,
    weekly_digest,
)
from bot.work import Work, run

log = structlog.get_logger(__name__)

BATCH = 50
PAUSE = timedelta(seconds=30)
WorkOn = Callable[[Work, AgendaItem], str]

ESCALATIONS: Mapping[str, WorkOn] = {
    escalate.NEXT_PAGE: escalate.page_due,
    escalate.LAPSE: lapse.due,
    escalate.DIGEST: digest.send,
    report.SILENCE: report.silent,
    readings.SILENCE: readings.silent,
    speak.DOUBT: speak.doubt_silent,
    sae_clock.CLOCK: sae_clock.tell,
    dose_reasons.SETTLE: dose_reasons.settle_late,
    dose_answered.FLAG: dose_answered.tell_gap,
    **drills.AGENDA,
}
REMINDERS: Mapping[str, WorkOn] = {
    visit_reminders.REMINDER: visit_reminders.remind,
    overdue.OVERDUE: overdue.tell,
    closures.LIST: closures.tell,
    dose_reviews.CHASE: dose_reviews.chase,
    visit_reminders.ANNOUNCE: visit_reminders.announce_due,
    visit_reminders.GONE: visit_reminders.gone_due,
    visit_reminders.CHASE: chase.ask_due,
    visit_reminders.UNANSWERED: chase.unanswered,
    outage.ASK: outage.ask,
}
PROMPTS: Mapping[str, WorkOn] = {
    tablets.PROMPT: tablets.prompt,
    tablets.NUDGE: tablets.nudge,
    checkin.ASK: checkin.ask,
    checkin.AGAIN: checkin.ask_again,
    checkin.CLOSE: checkin.close,
    home_count.ASK: home_count.ask,
    lab_release.TELL: lab_release.tell,
    report.GIVE_UP: checkin.give_up,
    report.LATER: afterwards.offer,
}
REACH: Mapping[str, WorkOn] = {reach.LOOK: reach.look, reach.TELL: reach.tell}
STAFF_LISTS: Mapping[str, WorkOn] = {brief_plan.LOOK: brief.look, weekly_digest.DIGEST: weekly_digest.send}
POLITE = frozenset({*REMINDERS, *PROMPTS})  # never in the quiet hours
# Never in the night of a patient who is far away either; what staff are told does not wait for that.
TO_PATIENTS = frozenset({*polite.IMPORTANCE, report.LATER})


async def escalations(deps: Deps) -> None:
    """Send the next page of every case that nobody took over, and act on silence in the middle of a report."""
    await work_off(deps, "escalations", ESCALATIONS)


async def reminders(deps: Deps) -> None:
    """Send the reminders and announcements of visits that have become due, and ask about visits gone by."""
    await work_off(deps, "reminders", REMINDERS)


async def rota(deps: Deps) -> None:
    """Announce gaps in the rota, where there is one."""
    if await deps.store.read(rota_watch.in_use):
        await run(deps, BOT, "job:rota", rota_watch.look)


async def look_ahead(deps: Deps) -> None:
    """Enter the lists of visits that coming closures of the clinic affect."""
    await run(deps, BOT, "job:closures", closures.look_ahead)


async def prompts(deps: Deps) -> None:
    """Put the daily questions and offer the check-ins that have become due."""
    await work_off(deps, "prompts", PROMPTS)


async def reachability(deps: Deps) -> None:
    """Look once a day for subjects who are not reached, and give staff a task for each."""
    if not await deps.store.read(lambda session: agenda.is_planned(session, reach.LOOK)):
        await run(deps, BOT, "job:reach", reach.plan_look)
    await work_off(deps, "reach", REACH)


async def staff_lists(deps: Deps) -> None:
    """Send the briefs of a visit day and the digest of a week; each plans its next one, and a lost one comes back."""
    for kind, plan in ((brief_plan.LOOK, brief_plan.plan_look), (weekly_digest.DIGEST, weekly_digest.plan_first)):
        if not await deps.store.read(partial(agenda.is_planned, kind=kind)):
            await run(deps, BOT, "job:staff_lists", plan)
    await work_off(deps, "staff_lists", STAFF_LISTS)


async def work_off(deps: Deps, job: str, kinds: Mapping[str, WorkOn]) -> None:
    """Work on everything of ``kinds`` that is due, a transaction each: one that fails holds up no other."""
    failed: set[int] = set()
    while due := await deps.store.read(
        lambda session: [
            number
            for number in agenda.due(session, kinds, deps.clock.now(), BATCH + len(failed))
            if number not in failed
        ]
    ):
        for number in due:
            try:
                await run(deps, BOT, f"job:{job}", one, number, kinds)
            except Exception:
                # It is tried again soon, not at every tick; the watchdog reports what stays.
                failed.add(number)
                log.exception("agenda.failed", item=number)
                deps.metrics.fault("agenda")
                await run(deps, BOT, f"job:{job}", put_off, number)


def put_off(work: Work, number: int) -> None:
    """Let an entry whose work failed wait a little before the next try."""
    item = work.session.get_one(AgendaItem, number)
    item.due_at = work.now + PAUSE


def one(work: Work, number: int, kinds: Mapping[str, WorkOn]) -> None:
    """Work on one entry and close it with what came of it."""
    item = work.session.get_one(AgendaItem, number, with_for_update=True)
    if item.state != "waiting":
        return
    if item.useful_until is not None and item.useful_until <= work.now:
        _skip(work, item, agenda.TOO_LATE)
        return
    if item.kind in POLITE and (awake := _awake(work, item)) > work.now:
        # It is night at the site, as after an outage, or where the patient is: it waits, if it keeps.
        item.due_at = awake
        if item.useful_until is not None and item.useful_until <= awake:
            _skip(work, item, agenda.TOO_LATE if polite.awake(work, None) > work.now else agenda.ALWAYS_NIGHT)
        return
    reason = kinds[item.kind](work, item)
    if reason == polite.PUT_OFF:
        log.info("agenda.put_off", item=number, kind=item.kind, reason=item.reason)
        return
    agenda.close(item, "done", work.now, reason)
    log.info("agenda.done", item=number, kind=item.kind, reason=reason)


def _awake(work: Work, item: AgendaItem) -> datetime:
    subject = work.session.get_one(Subject, item.subject_id) if item.kind in TO_PATIENTS else None
    return polite.awake(work, subject)


def _skip(work: Work, item: AgendaItem, reason: str) -> None:
    agenda.close(item, "skipped", work.now, reason)
    repeating.go_on(work, item)
