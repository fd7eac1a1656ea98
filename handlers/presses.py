"""Which use case does each button lead to?"""

from collections.abc import Callable, Coroutine
from typing import Any

from telegram import Update

from bot.usecases import (
    afterwards,
    arms,
    calendar_file,
    cases,
    changes,
    checkin,
    closing,
    closures,
    drills,
    due,
    event_forms,
    events,
    evidence,
    extra_visit,
    forms,
    hand_over,
    history,
    intervals,
    labs,
    readings,
    record_visit,
    recorded,
    refusals,
    report,
    screens,
    settings,
    silent,
    speak,
    staff,
    staff_queries,
    start,
    tablets,
    talk,
    visits,
    wishes,
    zones,
)
from bot.work import Work
from handlers.context import PressUseCase, TrialContext


def _plainly(show: Callable[[Work], None]) -> PressUseCase:
    return lambda work, _args: show(work)


def _paged(show: Callable[[Work, int], None]) -> PressUseCase:
    return lambda work, args: show(work, int(args["page"]))


PRESSES: dict[str, PressUseCase] = {
    "form": forms.take_tap,
    "form.cancel": forms.cancel,
    "menu.open": _plainly(screens.show_menu),
    "menu.unwell": report.begin,
    "menu.checkin": checkin.start,
    "menu.reading": readings.begin,
    "menu.tablets": tablets.show_mine,
    "menu.visits": _plainly(visits.show_mine),
    "menu.team": speak.show_team,
    "menu.settings": _plainly(settings.show),
    "menu.stop": start.begin_withdrawal,
    "stop.confirm": start.withdraw,
    "start.language": start.choose_language,
    "start.consent": start.consent,
    "start.read_again": start.read_again,
    "start.hour": start.choose_hour,
    "caregiver.agree": start.agree_to_caregiver,
    "settings.language": settings.ask_language,
    "settings.set_language": settings.set_language,
    "settings.hour": settings.ask_hour,
    "settings.zone": zones.ask,
    "settings.set_zone": zones.choose,
    "settings.duty": settings.show_duty,
    "duty.set": settings.set_duty,
    "report.answer": report.take_tap,
    "report.right": report.confirm,
    "report.stop": report.stop,
    "report.detail": afterwards.take,
    "report.skip": afterwards.skip,
    "report.enough": afterwards.enough,
    "report.again": afterwards.again,
    "report.show": afterwards.show,
    "report.correct": afterwards.correct,
    "report.correct_item": afterwards.correct_item,
    "report.leave": afterwards.leave,
    "checkin.begin": checkin.begin,
    "checkin.another": checkin.another,
    "reading.right": readings.take_right,
    "reading.signs": readings.take_signs,
    "danger.now": speak.danger_now,
    "danger.not_now": speak.danger_not_now,
    "visit.reply": visits.reply,
    "visit.wish": visits.wish,
    "visit.none_fits": visits.none_fits,
    "visit.call_me": visits.call_me,
    "visit.words": visits.write,
    "visit.later": visits.ask_later,
    "visit.later_at": visits.remind_later,
    "visit.past": visits.past,
    "visit.ask": visits.ask,
    "visit.tablets": visits.answer_tablets,
    "visits.calendar": calendar_file.send,
    "tablets.answer": tablets.answer,
    "team.call_me": speak.call_me,
    "team.write": speak.write,
    "patients.page": _paged(staff_queries.show_patients),
    "patient.open": staff_queries.open_patient,
    "patient.invite": staff_queries.hand_out_links,
    "patient.change": changes.show,
    "patient.interval": intervals.start,
    "patient.extra_visit": extra_visit.start,
    "patient.arm": arms.start,
    "patient.close": closing.start,
    "patient.invite_again": closing.start_inviting_again,
    "due.page": _paged(due.show_due),
    "today.page": _paged(due.show_today),
    "deviations.page": _paged(recorded.show_deviations),
    "adherence.open": staff_queries.open_adherence,
    "silent.page": _paged(silent.show),
    "alerts.page": _paged(cases.show_alerts),
    "case.open": cases.open_case,
    "case.acknowledge": cases.acknowledge,
    "case.read_back": cases.read_back,
    "case.take_over": cases.take_over,
    "case.hand_over": hand_over.ask_whom,
    "case.offer": hand_over.offer,
    "case.decline": hand_over.decline,
    "case.note": cases.start_note,
    "case.reply": talk.start_reply,
    "case.answer": talk.start_answer,
    "case.talk": talk.show,
    "case.reopen": cases.reopen,
    "case.contact": cases.record_contact,
    "case.resolve": cases.ask_outcome,
    "case.outcome": cases.resolve,
    "drill.open": drills.show,
    "drill.acknowledge": drills.acknowledge,
    "drill.read_back": drills.read_back,
    "drill.list": _plainly(drills.show_all),
    "visit.open": visits.show_visit,
    "visit.record": record_visit.start_recording,
    "visit.recorded": recorded.show,
    "visit.recorded_list": recorded.show_all,
    "patient.history": history.show,
    "evidence.list": evidence.show_list,
    "evidence.open": evidence.open_item,
    "evidence.show": evidence.show,
    "evidence.dealt": evidence.start_dealing,
    "labs.list": labs.show_list,
    "labs.open": labs.open_value,
    "labs.enter": labs.start,
    "labs.verify": labs.verify,
    "labs.correct": labs.start_correcting,
    "event.list": events.show_list,
    "event.open": events.open_event,
    "event.report": events.show_report,
    "event.draft": event_forms.start_drafting,
    "event.correct": event_forms.start_correcting,
    "event.void": event_forms.start_voiding,
    "event.none": event_forms.start_dismissing,
    "event.judge": event_forms.start_judging,
    "event.reported": event_forms.start_reporting,
    "visit.done_today": record_visit.done_today,
    "visit.phoned": record_visit.start_phoned,
    "visit.move": record_visit.start_moving,
    "closure.page": closures.show_page,
    "closure.move": closures.move,
    "visit.confirm_day": wishes.confirm_day,
    "visit.refuse_day": wishes.refuse_day,
    "visit.correct": record_visit.start_correcting,
    "visit.explain": record_visit.start_explaining,
    "staff.show": staff.show,
    "staff.ask_end": staff.ask_end,
    "staff.end": staff.end,
}


def pressing(name: str, use_case: PressUseCase) -> Callable[[Update, TrialContext], Coroutine[Any, Any, None]]:
    """Return the handler of one button."""

    async def on_press(update: Update, context: TrialContext) -> None:
        await context.press(update, name, use_case)

    return on_press


async def on_unknown(update: Update, context: TrialContext) -> None:
    """A button that no version of this bot knows."""

    def refuse(_work: Work) -> None:
        raise refusals.ButtonStale

    await context.handle(update, "unknown_press", refuse)
