"""How does a patient see their own month? As a calendar and in plain words: no percentage, no reproach."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

from bot.domain.adherence import DoseStatus
from bot.store import audit
from bot.store.models import Subject
from bot.usecases import adherence, dose_days, screens
from bot.work import Button, Lines, Text, Work

# Nobody knows of these days; why the question did not arrive is nothing to the patient.
NOT_KNOWN = (DoseStatus.UNKNOWN, DoseStatus.NOT_DELIVERED)
SAID = (DoseStatus.TAKEN, DoseStatus.PARTLY, DoseStatus.NOT_TAKEN, DoseStatus.UNKNOWN, DoseStatus.HELD)


def show(work: Work, args: dict[str, Any] | None = None) -> None:
    """Show one calendar month of the subject's tablets, this one or the one that ``on`` lies in."""
    subject = screens.subject_of(work)
    if not screens.on_study(subject):
        work.answer("menu.not_on_study", phone=screens.phone(work))
        return
    if not screens.takes_tablets(work, subject):
        work.answer("tablets.not_for_you", phone=screens.phone(work))
        return
    began_on = adherence.begun_on(work.session, subject)
    rows: list[list[Button]] = []
    if began_on is None:
        work.answer("month.nothing_yet", _more(work, subject, rows))
        return
    month = _month(work, args, began_on)
    if month > began_on.replace(day=1):
        before = (month - timedelta(days=1)).replace(day=1)
        rows.append([_button(work, before, "◀️")])
    if month < work.today.replace(day=1):
        after = (month + timedelta(days=31)).replace(day=1)
        rows.append([_button(work, after, "▶️")])
    known = _known(work, subject, month, began_on)
    audit.record(work.session, "month.viewed", entity="subject", entity_id=subject.id)
    work.answer(
        "month.mine",
        _more(work, subject, rows),
        picture=_calendar(work, month, known),
        month=work.texts.month(month, work.caller.locale),
        lines=Lines(_lines(work, known)),
    )


def _month(work: Work, args: dict[str, Any] | None, began_on: date) -> date:
    """Return the first day of the month to show; a button of another time shows one that there is."""
    asked = date.fromisoformat(args["on"]) if args and "on" in args else work.today
    return min(max(asked, began_on), work.today).replace(day=1)


def _known(work: Work, subject: Subject, month: date, began_on: date) -> dict[date, DoseStatus]:
    """Return what is known of the days of a month that are over; today counts once it is answered."""
    first_on = max(month, began_on)
    last_on = min((month + timedelta(days=31)).replace(day=1) - timedelta(days=1), work.today)
    known = dose_days.statuses(work.session, subject, first_on, last_on)
    if known.get(work.today) in NOT_KNOWN:
        known.pop(work.today)
    return {day: DoseStatus.UNKNOWN if status in NOT_KNOWN else status for day, status in known.items()}


def _lines(work: Work, known: dict[date, DoseStatus]) -> list[Text | Lines | str]:
    counted = Counter(known.values())
    locale = work.caller.locale
    lines: list[Text | Lines | str] = [
        Text(f"month.days.{status}", {"days": work.texts.plural("enrol.days", counted[status], locale)})
        for status in SAID
        if counted[status]
    ]
    return lines or [Text("month.no_days")]


def _button(work: Work, month: date, sign: str) -> Button:
    label = f"{sign} {work.texts.month(month, work.caller.locale)}"
    return Button(label, "month.open", {"on": month.isoformat()}, plain=True)


def _more(work: Work, subject: Subject, rows: list[list[Button]]) -> list[list[Button]]:
    return [
        *rows,
        *screens.way_to_results(work, subject),
        [Button("menu.button.team", "menu.team")],
        [Button("menu.button.open", "menu.open")],
    ]


def _calendar(work: Work, month: date, known: dict[date, DoseStatus]) -> dict[str, Any]:
    used = [status for status in SAID if status in known.values()]
    return {
        "kind": "adherence",
        "title": work.text("month.picture.title", month=work.texts.month(month, work.caller.locale)),
        "subtitle": "",
        "weekdays": work.texts.weekdays(work.caller.locale),
        "months": {month.isoformat(): work.texts.month(month, work.caller.locale)},
        "days": {day.isoformat(): status.value for day, status in known.items()},
        "legend": {status.value: work.text(f"month.legend.{status}") for status in used},
        "figures": [],
        "weeks": {},
        "week": "",
        "marks": {},
        "mark_legend": [],
    }
