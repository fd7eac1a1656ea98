"""Were today's tablets taken? The daily question, its answers, and what staff hear of it."""

from collections.abc import Sequence
from datetime import date, time, timedelta
from typing import Any

from sqlmodel import select

from bot.domain import reminders as reminder_rules
from bot.domain.adherence import DoseStatus
from bot.domain.parsing import Reading, Unreadable
from bot.domain.participation import ParticipationState, may_be_asked
from bot.domain.roles import SUBJECT_SIDE
from bot.domain.urgency import Urgency
from bot.store import agenda
from bot.store.models import AgendaItem, DosePrompted, DoseReport, Subject
from bot.usecases import dose_days, dose_reviews, escalate, forms, polite, report, screens, speak
from bot.usecases.forms import Choice, Field, Form, Values
from bot.work import Button, Day, Text, Work

PROMPT = polite.PROMPT
NUDGE = polite.NUDGE
KINDS = (PROMPT, NUDGE)
A_MOMENT = timedelta(minutes=1)
REASON = "dose.reason"
NUDGE_AFTER_AT_LEAST = timedelta(minutes=30)


def replan(work: Work, subject: Subject) -> None:
    """Enter the next daily question at the patient's hour, in place of one at another hour."""
    work.forget_plan(PROMPT, subject.id or 0)
    plan_next(work, subject)


def plan_next(work: Work, subject: Subject, *, catch_up: bool = False) -> None:
    """Enter the next daily question, if this subject takes tablets and may be asked.

    With ``catch_up`` today's is put at once when its hour has passed unasked, as after an outage.
    """
    if not screens.takes_tablets(work, subject) or not may_be_asked(ParticipationState(subject.state)):
        return
    zone, quiet = work.settings.zone, work.protocol.quiet_hours
    at = subject.reminder_at or work.protocol.dose_prompt.default_at
    after = reminder_rules.daily_at(work.today, time(0), zone) if catch_up else work.now
    # A day that had its question, or was answered before it came, gives way to the next.
    for _ in range(3):
        due = reminder_rules.next_daily(after, at, zone, quiet)
        day = due.astimezone(zone).date()
        if due < work.now:
            due = reminder_rules.out_of_quiet(work.now, zone, quiet)
        if due.astimezone(zone).date() == day and work.plan(
            PROMPT,
            f"dose:{subject.id}:{day.isoformat()}",
            due,
            subject.id or 0,
            subject_id=subject.id,
            useful_until=reminder_rules.daily_at(day + timedelta(days=1), time(0), zone),
            day=day.isoformat(),
        ):
            return
        after = reminder_rules.daily_at(day, time(23, 59), zone)


def prompt(work: Work, item: AgendaItem) -> str:
    """Put the daily question, and plan the next one whatever becomes of this one."""
    subject = work.session.get_one(Subject, item.about_id)
    day = date.fromisoformat(item.detail["day"])
    # The entry is still open: closing it first lets the next day take its place.
    plan_next(work, subject)
    if (pointless := _pointless(work, subject, day)) is not None:
        return pointless
    coming = polite.near(work, subject, polite.REMINDER)
    if coming is not None and coming.due_at > work.now - polite.merges(work):
        # The reminder that comes in a moment asks this as well; of two that are due, either job may look first.
        item.due_at = max(coming.due_at, work.now + A_MOMENT)
        item.reason = "asked with the reminder that follows"
        return polite.PUT_OFF
    if (held := polite.hold_back(work, subject, item)) is not None:
        return held
    if not _put(work, subject, day, item, "tablets.ask"):
        return "nobody to ask"
    work.session.add(DosePrompted(subject_id=subject.id or 0, day_on=day, asked_at=work.now))
    return "asked"


def _pointless(work: Work, subject: Subject, day: date) -> str | None:
    """Return why a day is not asked about, or None when it is."""
    if not may_be_asked(ParticipationState(subject.state)) or not screens.takes_tablets(work, subject):
        return "not to be asked"
    if dose_days.order_on(work.session, subject, day) is None:
        return "nothing ordered"
    return None if _is_open(dose_days.latest_report(work.session, subject, day)) else "answered already"


def ask_too(work: Work, subject: Subject) -> date | None:
    """Let a message that goes out now put the daily question as well, if it comes at about this time.

    Returns the day to ask about; its own question is closed with this outcome, and the next day's is planned.
    """
    item = polite.near(work, subject, PROMPT)
    if item is None or (day := date.fromisoformat(item.detail["day"])) != work.today:
        return None
    if _pointless(work, subject, day) is not None:
        return None
    agenda.close(item, "done", work.now, "asked with the reminder of a visit")
    work.session.add(DosePrompted(subject_id=subject.id or 0, day_on=day, asked_at=work.now))
    work.session.flush()
    plan_next(work, subject)
    _plan_nudge(work, subject, day)
    return day


def nudge(work: Work, item: AgendaItem) -> str:
    """Ask once more, in other words, where "not yet" or nothing was answered."""
    subject = work.session.get_one(Subject, item.about_id)
    day = date.fromisoformat(item.detail["day"])
    if not may_be_asked(ParticipationState(subject.state)):
        return "not to be asked"
    report = dose_days.latest_report(work.session, subject, day)
    if report is not None and report.status != dose_days.NOT_YET:
        return "answered already"
    if (held := polite.hold_back(work, subject, item)) is not None:
        return held
    return "asked again" if _put(work, subject, day, item, "tablets.ask_again") else "nobody to ask"


def _put(work: Work, subject: Subject, day: date, item: AgendaItem, key: str) -> bool:
    readers = polite.put(
        work,
        subject,
        item,
        key,
        answer_buttons(day, nudged=key == "tablets.ask_again"),
        purpose=PROMPT,
        about_id=subject.id,
        asked=item.key,
        until=item.useful_until or work.now,
        useful_until=item.useful_until,
        single_use=True,
        day=Day(day),
    )
    if readers and key == "tablets.ask":
        _plan_nudge(work, subject, day)
    return readers > 0


def _nudge_key(subject: Subject, day: date) -> str:
    return f"nudge:{subject.id}:{day.isoformat()}"


def _plan_nudge(work: Work, subject: Subject, day: date) -> None:
    zone, quiet = work.settings.zone, work.protocol.quiet_hours
    due = reminder_rules.before_quiet(
        work.now + timedelta(minutes=work.protocol.dose_prompt.nudge_after_minutes), zone, quiet
    )
    if due < work.now + NUDGE_AFTER_AT_LEAST or due.astimezone(zone).date() != day:
        return  # So soon it would only press; tomorrow has a question of its own.
    work.plan(
        NUDGE,
        _nudge_key(subject, day),
        due,
        subject.id or 0,
        subject_id=subject.id,
        useful_until=reminder_rules.daily_at(day + timedelta(days=1), time(0), zone),
        day=day.isoformat(),
    )


def answer_buttons(day: date, *, nudged: bool = False) -> list[list[Button]]:
    args = {"day": day.isoformat()}
    rows = [[Button("tablets.button.taken", "tablets.answer", {**args, "status": DoseStatus.TAKEN})]]
    if not nudged:
        rows.append([Button("tablets.button.not_yet", "tablets.answer", {**args, "status": dose_days.NOT_YET})])
    rows.append([Button("tablets.button.not_today", "tablets.answer", {**args, "status": DoseStatus.NOT_TAKEN})])
    return rows


def show_mine(work: Work, _args: object = None) -> None:
    """Let a patient answer for today at any time, or for the days before that are still open."""
    subject = screens.subject_of(work)
    if not screens.takes_tablets(work, subject):
        work.answer("tablets.not_for_you", phone=screens.phone(work))
        return
    if not screens.on_study(subject):
        work.answer("menu.not_on_study", phone=screens.phone(work))
        return
    open_days = [
        day
        for back in range(work.protocol.dose_prompt.answerable_days + 1)
        if dose_days.order_on(work.session, subject, day := work.today - timedelta(days=back)) is not None
        and _is_open(dose_days.latest_report(work.session, subject, day))
    ]
    if not open_days:
        work.answer("tablets.all_answered", phone=screens.phone(work))
        return
    day = open_days[-1]
    work.answer(
        "tablets.ask" if day == work.today else "tablets.ask_past",
        answer_buttons(day, nudged=day != work.today),
        single_use=True,
        day=Day(day),
    )


def _is_open(report: DoseReport | None) -> bool:
    return report is None or report.status == dose_days.NOT_YET


def answer(work: Work, args: dict[str, Any]) -> None:
    """Take the answer for one day; a second press of the same answer changes nothing."""
    subject = screens.subject_of(work)
    day, status = date.fromisoformat(args["day"]), str(args["status"])
    if not screens.takes_tablets(work, subject) or not screens.on_study(subject):
        if status == DoseStatus.TAKEN:
            # The question of an arm that the subject has left: what was taken is news all the same.
            dose_reviews.taken_without_order(work, subject, day)
        work.answer("tablets.not_for_you", phone=screens.phone(work))
        return
    if (work.today - day).days > work.protocol.dose_prompt.answerable_days:
        work.answer("tablets.too_late", phone=screens.phone(work))
        return
    present = dose_days.latest_report(work.session, subject, day)
    if present is not None and present.status == status:
        work.note("toast.already_recorded")
        return
    if status == DoseStatus.NOT_TAKEN:
        keep(work, subject, day, status)
        forms.open_form(work, REASON_FORM, day=args["day"])
        return
    keep(work, subject, day, status)
    if status == dose_days.NOT_YET:
        work.answer("tablets.thanks_not_yet")
    else:
        work.unplan("taken", key=_nudge_key(subject, day))
        work.answer("tablets.thanks_taken")


def asked_and_open(work: Work, subject: Subject, day: date) -> bool:
    """Tell whether the question about a day was put and still waits for its answer."""
    put = select(DosePrompted.id).where(DosePrompted.subject_id == subject.id, DosePrompted.day_on == day)
    return work.session.exec(put).first() is not None and _is_open(
        dose_days.latest_report(work.session, subject, day)
    )


def keep(
    work: Work,
    subject: Subject,
    day: date,
    status: str,
    reasons: Sequence[str] = (),
    said: str | None = None,
    source: str = "daily",
) -> DoseReport:
    """Write down what was said about a day, as a new version; the earlier ones stay (DI-03)."""
    before = dose_days.latest_report(work.session, subject, day)
    report = DoseReport(
        subject_id=subject.id or 0,
        day_on=day,
        version=before.version + 1 if before else 1,
        status=status,
        reasons=list(reasons),
        source=source,
        said=said,
        reported_at=work.now,
        reported_by=work.caller.label,
    )
    work.session.add(report)
    work.session.flush()
    if status == DoseStatus.TAKEN:
        dose_reviews.taken_without_order(work, subject, day)
    return report


def _reasons(work: Work, _values: Values) -> list[Choice]:
    return [Choice(reason.text, reason.code) for reason in work.protocol.skip_reasons]


def _own_words(_work: Work, _values: Values, text: str) -> Reading[str]:
    if not text.strip():
        raise Unreadable("input.text.empty", text)
    return Reading(f"{OTHER}:{text.strip()}", False, text)


OTHER = "OTHER"


def _finish_reason(work: Work, values: Values) -> None:
    subject = screens.subject_of(work)
    code, _, said = values["reason"].partition(":")
    day = date.fromisoformat(values["day"])
    keep(work, subject, day, DoseStatus.NOT_TAKEN, [code], said or None)
    work.unplan("answered", key=_nudge_key(subject, day))
    reason = next(each for each in work.protocol.skip_reasons if each.code == code)
    if said and speak.react_to_danger(work, said):
        return
    if reason.tell_staff is not None:
        escalate.raise_case(
            work,
            subject,
            Urgency(reason.tell_staff),
            [f"tablets.{code}"],
            [
                Text(
                    "request.tablets",
                    {"day": Day(day), "reason": Text(reason.text), "said": said or "—"},
                )
            ],
            kind=escalate.SYMPTOM if Urgency(reason.tell_staff) is Urgency.AMBER else escalate.REQUEST,
        )
    if reason.opens_report:
        work.answer("tablets.thanks_side_effect")
        report.begin(work)
        return
    key = "tablets.thanks_told_staff" if reason.tell_staff is not None else "tablets.thanks_not_today"
    work.answer(key, phone=screens.phone(work))


REASON_FORM = forms.register(
    Form(
        REASON,
        (Field("reason", "tablets.ask_reason", _reasons, _own_words),),
        _finish_reason,
        frozenset(SUBJECT_SIDE),
    )
)


def after_skipped(work: Work, item: AgendaItem) -> None:
    """Go on to the next day's question when one lay too long, as after an outage."""
    plan_next(work, work.session.get_one(Subject, item.about_id), catch_up=True)
