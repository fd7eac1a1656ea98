"""Why were tablets not taken, or only in part? Several reasons, own words beside them, and what each leads to."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from bot.domain.adherence import DoseStatus
from bot.domain.kpi import Hours
from bot.domain.reminders import out_of_quiet
from bot.domain.roles import SUBJECT_SIDE
from bot.store import people
from bot.store.models import AgendaItem, Dialogue, DoseOrder, DoseReport, Subject
from bot.usecases import dose_answered, dose_days, dose_reports, forms, polite, report, screens, speak
from bot.usecases.forms import Choice, Field, Form, Values
from bot.work import Button, Day, Lines, Text, Work

REASON = "dose.reason"
PARTLY = "dose.reason.partly"
SETTLE = "dose.reasons"
UNKNOWN_DOCTOR = "?"


def ask(work: Work, subject: Subject, reports: Sequence[DoseReport]) -> None:
    """Ask why the tablets of these days were not taken as ordered; what is ticked counts also without "done"."""
    first = reports[0]
    work.plan(
        SETTLE,
        f"{SETTLE}:{first.id}",
        work.now + timedelta(minutes=work.protocol.dose_prompt.reasons_minutes),
        first.id or 0,
        subject_id=subject.id,
        reports=[each.id for each in reports],
    )
    partly = all(each.status == DoseStatus.PARTLY for each in reports)
    forms.open_form(work, PARTLY_FORM if partly else REASON_FORM, reports=[each.id for each in reports])


def _choices(work: Work, _values: Values) -> list[Choice]:
    return [Choice(reason.text, reason.code) for reason in work.protocol.skip_reasons]


def _own_words(_work: Work, values: Values) -> dict[str, object]:
    """Return the words typed so far, as the question shows them."""
    words = values.get("said")
    return {"said": Lines(["", "", Text("tablets.own_words", {"words": words})]) if words else ""}


def _keep_ticked(work: Work, values: Values) -> None:
    """Write the reasons into the answer they belong to at each tick: whoever stops here has given them."""
    _write(work, values, forms.picked(values, "reasons"))


def _write(work: Work, values: Values, codes: Sequence[str]) -> list[DoseReport]:
    said = "\n".join(words for name in ("said", "doctor") if (words := values.get(name)) and words != UNKNOWN_DOCTOR)
    reports = [work.session.get_one(DoseReport, number) for number in values["reports"]]
    given = [reason.code for reason in work.protocol.skip_reasons if reason.code in codes]
    for each in reports:
        # Somebody else may have answered anew meanwhile: this version stays what it was then.
        each.reasons = given or ([dose_reports.OWN_WORDS] if said else [])
        each.said = said or None
    work.session.flush()
    return reports


def _asks_doctor(work: Work, values: Values) -> bool:
    return any(reason.asks_doctor for reason in dose_reports.choices(work, values.get("reasons", [])))


def _doctor_unknown(_work: Work, _values: Values) -> list[Choice]:
    return [Choice("dose.button.doctor_unknown", UNKNOWN_DOCTOR)]


def _finish(work: Work, values: Values) -> None:
    reports = _write(work, values, values["reasons"])
    subject = screens.subject_of(work)
    work.unplan("answered", key=f"{SETTLE}:{reports[0].id}")
    dose_reports.tell_staff(work, subject, reports)
    said = reports[0].said
    # Words that are danger end here: they have their own answer, and nothing is asked beside it.
    if not (said and speak.react_to_danger(work, said)):
        _lead_on(work, subject, reports)
    dose_answered.settled(work, subject, reports)


def _lead_on(work: Work, subject: Subject, reports: Sequence[DoseReport]) -> None:
    """Answer the reasons: what happens now, the order as it was written, the way into a report."""
    reasons = dose_reports.choices(work, reports[0].reasons)
    if any(reason.shows_order for reason in reasons):
        show_order(work, subject)
    if any(reason.opens_report for reason in reasons):
        work.answer("tablets.thanks_side_effect")
        report.begin(work)
    elif any(reason.same_day for reason in reasons):
        _say_when(work)
    elif dose_reports.told(work, reports[0]):
        work.answer("tablets.thanks_told_staff", phone=screens.phone(work))
    else:
        work.answer("tablets.thanks_not_today", phone=screens.phone(work))


def _say_when(work: Work) -> None:
    """Say whether staff see it today; their page has left, or leaves in the morning."""
    zone, hours = work.settings.zone, work.protocol.kpi.working_hours
    if hours.when(work.now.astimezone(zone), work.clinic.is_open) is Hours.WORKING:
        work.answer("tablets.thanks_today", phone=screens.phone(work))
        return
    seen = out_of_quiet(work.now, zone, work.protocol.quiet_hours).astimezone(zone)
    first = seen.date() if seen.time() < hours.ends else seen.date() + timedelta(days=1)
    day = work.clinic.next_open(first, first + timedelta(days=14)) or first
    work.answer("tablets.thanks_next_day", day=Day(day), phone=screens.phone(work))


def show_order(work: Work, subject: Subject) -> None:
    """Show the order in force as staff wrote it: nothing is added up or advised."""
    order = dose_days.order_on(work.session, subject, work.today)
    if order is None:
        work.answer("tablets.order.none", phone=screens.phone(work))
    else:
        work.answer("tablets.order", **order_values(order), phone=screens.phone(work))


def order_values(order: DoseOrder) -> dict[str, Any]:
    """Return the words of an order: the form, units by strength, how often, from which day."""
    return {
        "formulation": Text(f"formulation.{order.formulation}"),
        "tablets": f"{order.tablets.normalize():f}",
        "strength": order.strength_mg,
        "times": order.times_a_day,
        "day": Day(order.from_on),
    }


def settle_late(work: Work, item: AgendaItem) -> str:
    """Act on reasons that were ticked, or not even that, and never sent off."""
    subject = work.session.get_one(Subject, item.subject_id)
    given = [work.session.get_one(DoseReport, number) for number in item.detail["reports"]]
    reports = [each for each in given if dose_days.latest_report(work.session, subject, each.day_on) == each]
    author = _author(given[0])
    dialogue = work.session.get(Dialogue, author)
    if (
        dialogue is not None
        and dialogue.kind in FORMS
        and forms.values_of(dialogue)["reports"] == item.detail["reports"]
    ):
        forms.close_of(work, author)
    if not reports:
        return "answered anew"
    dose_reports.tell_staff(work, subject, reports)
    reasons = dose_reports.choices(work, reports[0].reasons)
    if reasons and screens.on_study(subject):
        _tell_late(work, subject, reports[0], asks=any(reason.opens_report for reason in reasons))
    dose_answered.settled(work, subject, reports)
    return "taken as it was"


def _tell_late(work: Work, subject: Subject, first: DoseReport, *, asks: bool) -> None:
    """Tell whoever ticked the reasons that they count, and lead on to a report where they ask for one."""
    author = _author(first)
    key = "tablets.reasons_kept.unwell" if asks else "tablets.reasons_kept"
    rows = [[Button("menu.button.unwell", "menu.unwell")]] if asks else []
    for account in people.speakers(work.session, subject.id or 0):
        if account.id == author:
            due_at = polite.awake(work, subject)
            work.say(account, key, rows, subject_id=subject.id, due_at=due_at, phone=screens.phone(work))


def _author(report: DoseReport) -> int:
    """Return the account that gave an answer: a patient's or a caregiver's."""
    return int(report.reported_by.rpartition(":")[2])


def _form(kind: str, ask: str) -> Form:
    """Return the questions after a day that was not as ordered."""
    return forms.register(
        Form(
            kind,
            (
                Field(
                    "reasons",
                    ask,
                    _choices,
                    forms.own_words,
                    said_with=_own_words,
                    many=True,
                    words="said",
                    changed=_keep_ticked,
                ),
                Field("doctor", "tablets.ask_doctor", _doctor_unknown, forms.own_words, wanted=_asks_doctor),
            ),
            _finish,
            frozenset(SUBJECT_SIDE),
        )
    )


REASON_FORM = _form(REASON, "tablets.ask_reason")
PARTLY_FORM = _form(PARTLY, "tablets.ask_reason_partly")
FORMS = (REASON, PARTLY)
