"""How many days lie between the visits of a subject, and what follows when staff change that?"""

from typing import Any

from bot.domain.parsing import Reading
from bot.domain.roles import CLINICAL
from bot.domain.visits import VisitKind, has_visits
from bot.store import visits
from bot.store.models import Subject
from bot.usecases import enrol, forms, history, plan, reasons, screens, staff_queries
from bot.usecases.forms import Choice, Field, Form, Values
from bot.usecases.visit_names import named
from bot.work import Day, Lines, Text, Work

OFF = 0  # no ferritin visits for this subject
COLUMNS = {
    VisitKind.INJECTION: "injection_interval_days",
    VisitKind.CBC: "cbc_interval_days",
    VisitKind.FERRITIN: "ferritin_interval_days",
}


def kinds(work: Work, subject: Subject) -> list[VisitKind]:
    """Return the kinds of visits whose interval staff may set for this subject."""
    return [kind for kind in COLUMNS if has_visits(work.protocol.visits[kind], subject.arm)]


def days_of(subject: Subject, kind: VisitKind) -> int | None:
    """Return the interval that staff chose, in days; None while that of the protocol applies."""
    days: int | None = getattr(subject, COLUMNS[kind])
    return days


def start(work: Work, args: dict[str, Any]) -> None:
    """Begin to set an interval."""
    subject, kind = work.session.get_one(Subject, args["subject"]), VisitKind(args["kind"])
    if kind not in kinds(work, subject) or not staff_queries.is_open(subject):
        staff_queries.show_patient(work, subject)
        return
    forms.open_form(work, FORM, subject=subject.id, kind=kind.value, now=days_of(subject, kind))


def set_interval(work: Work, subject: Subject, kind: VisitKind, days: int, reason: str) -> None:
    """Set the interval of one kind of visit, and plan again what is to come."""
    history.keep(work, subject, kind, days_of(subject, kind), days, reason)
    setattr(subject, COLUMNS[kind], days)
    work.session.flush()
    plan.replan_all(work, subject, "the interval was changed")


def _finish(work: Work, values: Values) -> None:
    subject, kind = work.session.get_one(Subject, values["subject"]), VisitKind(values["kind"])
    if days_of(subject, kind) != values["now"] or not staff_queries.is_open(subject):
        work.answer("patient.overtaken")
        staff_queries.show_patient(work, subject)
        return
    set_interval(work, subject, kind, values["days"], values["reason"])
    planned = visits.open_all(work.session, subject)
    work.answer(
        "interval.set",
        code=subject.code,
        what=Text(f"visit.kind.{kind}"),
        days=_shown(work, values["days"]),
        planned=Lines(
            [
                Text("interval.planned", {"what": named(each), "day": Day(each.target_on, "full_day")})
                for each in planned
            ]
            or [Text("patient.no_visits")]
        ),
        provisional=screens.provisional(work, *(each.target_on for each in planned)),
    )


def _choices(work: Work, values: Values) -> list[Choice]:
    kind = VisitKind(values["kind"])
    off = [Choice("interval.button.off", OFF)] if kind is VisitKind.FERRITIN else []
    return [*enrol.intervals(kind)(work, values), *off]


def _days(work: Work, values: Values, text: str) -> Reading[int]:
    reading: Reading[int] = enrol.interval(VisitKind(values["kind"]))(work, values, text)
    return reading


def _shown(work: Work, days: int) -> object:
    return work.texts.plural("enrol.days", days, work.caller.locale) if days else Text("interval.off")


def _said(work: Work, values: Values) -> dict[str, object]:
    subject, kind = work.session.get_one(Subject, values["subject"]), VisitKind(values["kind"])
    rule = work.protocol.visits[kind]
    return {
        "code": subject.code,
        "what": Text(f"visit.kind.{kind}"),
        "now": Text("interval.of_protocol") if values["now"] is None else _shown(work, values["now"]),
        "shortest": rule.shortest_days,
        "longest": rule.longest_days,
    }


FORM = forms.register(
    Form(
        "interval",
        (
            Field("days", "interval.ask.days", _choices, _days, show=_shown, said_with=_said, columns=3),
            reasons.field("interval.ask.why", reasons.INTERVAL, said_with=_said),
        ),
        _finish,
        frozenset(CLINICAL),
    )
)
