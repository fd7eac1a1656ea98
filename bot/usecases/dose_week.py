"""Were the tablets taken on every day of the last week? The weekly question, and the days it leads to."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlmodel import col, select

from bot.domain.adherence import DoseStatus
from bot.domain.rhythm import week_of
from bot.domain.roles import SUBJECT_SIDE
from bot.store.models import DosePrompted, DoseReport, Subject
from bot.usecases import dose_answered, dose_days, dose_plan, dose_reasons, dose_reports, forms, screens
from bot.usecases.forms import Choice, Field, Form, Values
from bot.work import Button, Day, Work

WEEK = "dose.week"
_OPEN = (DoseStatus.UNKNOWN, DoseStatus.NOT_DELIVERED)


def buttons(last_on: date) -> list[list[Button]]:
    """Return the answers to the question about the seven days up to ``last_on``."""
    args = {"day": last_on.isoformat()}
    return [
        [Button("tablets.button.every_day", "tablets.week", {**args, "all": True})],
        [Button("tablets.button.not_every_day", "tablets.week", {**args, "all": False})],
        [Button("tablets.button.extra", "tablets.extra")],
    ]


def note_asked(work: Work, subject: Subject, last_on: date) -> None:
    """Write down that these days were asked about; a day that was asked about by itself stays as it is."""
    days = week_of(last_on)
    put = select(DosePrompted).where(
        DosePrompted.subject_id == subject.id, DosePrompted.day_on >= days[0], DosePrompted.day_on <= last_on
    )
    known = {each.day_on for each in work.session.exec(put).all()}
    for day in days:
        if day not in known and dose_days.order_on(work.session, subject, day) is not None:
            work.session.add(DosePrompted(subject_id=subject.id or 0, day_on=day, asked_at=work.now))
    work.session.flush()


def open_days(work: Work, subject: Subject, last_on: date) -> list[date]:
    """Return the days of a week that tablets were ordered for and nothing is known of."""
    days = week_of(last_on)
    known = dose_days.statuses(work.session, subject, days[0], days[-1])
    return [day for day in days if known[day] in _OPEN]


def is_over(work: Work, last_on: date) -> bool:
    """Tell whether the question about the week up to ``last_on`` can be answered no more."""
    return (work.today - last_on).days > work.protocol.dose_prompt.answerable_days


def waiting(work: Work, subject: Subject) -> date | None:
    """Return the last day of the week that was asked about and still waits for its answer."""
    put = work.session.exec(
        select(DosePrompted)
        .where(DosePrompted.subject_id == subject.id)
        .order_by(col(DosePrompted.day_on).desc())
        .limit(2)
    ).all()
    # Only a weekly question asks about several days at once.
    if len(put) < 2 or put[0].asked_at != put[1].asked_at or is_over(work, put[0].day_on):
        return None
    return put[0].day_on if open_days(work, subject, put[0].day_on) else None


def answer(work: Work, args: dict[str, Any]) -> None:
    """Take "every day", or ask which days were not as ordered."""
    subject, last_on = screens.subject_of(work), date.fromisoformat(args["day"])
    if not screens.takes_tablets(work, subject) or not screens.on_study(subject):
        work.answer("tablets.not_for_you", phone=screens.phone(work))
        return
    if is_over(work, last_on):
        work.answer("tablets.too_late", phone=screens.phone(work))
        return
    days = open_days(work, subject, last_on)
    if not days:
        work.chosen = False
        work.note("toast.already_recorded")
        return
    work.unplan("answered", key=dose_plan.nudge_key(subject, last_on))
    if not args["all"]:
        forms.open_form(work, FORM, last_on=args["day"])
        return
    reports = _keep(work, subject, days, DoseStatus.TAKEN)
    work.answer("tablets.thanks_taken")
    dose_answered.settled(work, subject, reports)


def _keep(work: Work, subject: Subject, days: Sequence[date], status: DoseStatus) -> list[DoseReport]:
    return [dose_reports.keep(work, subject, day, status, source=dose_reports.WEEKLY) for day in days]


def _days(work: Work, values: Values) -> list[Choice]:
    """Offer the days that are still open, without those that were named as missed."""
    days = open_days(work, screens.subject_of(work), date.fromisoformat(values["last_on"]))
    named = values.get("missed", [])
    return [
        Choice(work.texts.day(day, work.caller.locale), day.isoformat(), plain=True)
        for day in days
        if day.isoformat() not in named
    ]


def _some_left(work: Work, values: Values) -> bool:
    return bool(_days(work, values))


def _finish(work: Work, values: Values) -> None:
    subject = screens.subject_of(work)
    missed = [date.fromisoformat(day) for day in values["missed"]]
    partly = [date.fromisoformat(day) for day in values.get("partly", [])]
    days = open_days(work, subject, date.fromisoformat(values["last_on"]))
    missed, partly = [day for day in missed if day in days], [day for day in partly if day in days]
    if not missed and not partly:
        # "Not every day" and then no day: nothing can be written down but that it is not known.
        rows = buttons(date.fromisoformat(values["last_on"]))
        work.answer("tablets.week.no_day", rows, single_use=True, phone=screens.phone(work))
        return
    _keep(work, subject, [day for day in days if day not in (*missed, *partly)], DoseStatus.TAKEN)
    reports = [
        *_keep(work, subject, missed, DoseStatus.NOT_TAKEN),
        *_keep(work, subject, partly, DoseStatus.PARTLY),
    ]
    dose_reasons.ask(work, subject, reports)


FORM = forms.register(
    Form(
        WEEK,
        (
            Field("missed", "tablets.week.ask_missed", _days, many=True),
            Field("partly", "tablets.week.ask_partly", _days, many=True, wanted=_some_left),
        ),
        _finish,
        frozenset(SUBJECT_SIDE),
    )
)


def question(last_on: date) -> dict[str, Day]:
    """Return the days that the question names."""
    return {"first": Day(week_of(last_on)[0]), "last": Day(last_on)}
