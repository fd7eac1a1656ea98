"""How do staff add a visit that the protocol does not name?"""

from datetime import date, timedelta
from typing import Any

from bot.domain.parsing import Reading, Unreadable
from bot.domain.roles import CLINICAL
from bot.store.models import Subject
from bot.usecases import form_days, forms, plan, record_visit, screens, staff_queries, visit_reminders
from bot.usecases.forms import Choice, Field, Form, Values
from bot.usecases.visit_names import named
from bot.work import Day, Work

LONGEST_TITLE = 40
OFFERED = 6


def start(work: Work, args: dict[str, Any]) -> None:
    """Begin to add a visit."""
    subject = work.session.get_one(Subject, args["subject"])
    if not staff_queries.is_open(subject):
        staff_queries.show_patient(work, subject)
        return
    forms.open_form(work, FORM, subject=subject.id)


def _finish(work: Work, values: Values) -> None:
    subject = work.session.get_one(Subject, values["subject"])
    if not staff_queries.is_open(subject):
        work.answer("patient.overtaken")
        staff_queries.show_patient(work, subject)
        return
    visit = plan.plan_extra(work, subject, values["title"], date.fromisoformat(values["on"]))
    visit_reminders.announce(work, visit)
    work.answer(
        "extra.planned",
        code=subject.code,
        what=named(visit),
        day=Day(visit.target_on, "full_day"),
        provisional=screens.provisional(work, visit.target_on),
    )


def _title(_work: Work, _values: Values, text: str) -> Reading[str]:
    words = " ".join(text.split())
    if not words:
        raise Unreadable("input.text.empty", text)
    if len(words) > LONGEST_TITLE:
        raise Unreadable("input.text.too_long", text)
    return Reading(words, False, text)


def _days(work: Work, _values: Values) -> list[Choice]:
    days = work.clinic.open_days(work.today + timedelta(days=1), work.today + record_visit.OFFERED_AHEAD)[:OFFERED]
    return [form_days.choice(work, day) for day in days]


def _on(work: Work, _values: Values, text: str) -> Reading[str]:
    reading = record_visit.coming_date(work, text)
    return Reading(reading.value.isoformat(), reading.confirm, text)


def _said(work: Work, values: Values) -> dict[str, object]:
    return {"code": work.session.get_one(Subject, values["subject"]).code}


FORM = forms.register(
    Form(
        "visit.extra",
        (
            Field("title", "extra.ask.title", parse=_title, said_with=_said),
            Field("on", "extra.ask.on", _days, _on, show=form_days.show, said_with=_said, columns=2),
        ),
        _finish,
        frozenset(CLINICAL),
    )
)
