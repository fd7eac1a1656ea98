"""What stops and what starts when an investigator puts a subject into another arm?"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from bot.domain.parsing import Reading
from bot.domain.roles import PHYSICIANS, Role
from bot.domain.visits import VisitKind, has_visits
from bot.protocol.model import Arm
from bot.store import audit, people, visits
from bot.store.models import Dialogue, DoseOrder, Subject
from bot.usecases import (
    dose_changes,
    dose_days,
    dose_orders,
    enrol,
    form_days,
    forms,
    history,
    home_count,
    plan,
    reasons,
    record_visit,
    screens,
    staff_queries,
    tablets,
)
from bot.usecases.forms import Choice, Field, Form, Values
from bot.usecases.requests import settle_visit
from bot.work import Text, Work

# A change is recorded when it is decided or shortly after.
LONGEST_BACK = timedelta(days=30)
AS_BEFORE, NEW = "as_before", "new"


@dataclass(frozen=True, slots=True)
class Order:
    """Tablets as they are ordered with the new arm."""

    formulation: str
    tablets: Decimal
    strength_mg: int
    times_a_day: int = 1


def start(work: Work, args: dict[str, Any]) -> None:
    """Begin to change the arm."""
    subject = work.session.get_one(Subject, args["subject"])
    if not staff_queries.is_open(subject):
        staff_queries.show_patient(work, subject)
        return
    forms.open_form(work, FORM, subject=subject.id, now=subject.arm)


def change(
    work: Work,
    subject: Subject,
    arm: str,
    on: date,
    reason: str,
    *,
    first_on: date | None = None,
    order: Order | None = None,
) -> None:
    """Put a subject into another arm; nothing that is planned or queued for the old one is sent any more.

    ``first_on`` is the day of the first injection where the new arm begins with it.
    """
    old = work.protocol.arms[subject.arm]
    history.keep(work, subject, history.ARM, old.code, arm, reason, from_on=on)
    subject.arm, subject.arm_since_on = arm, on
    work.session.flush()
    audit.record(
        work.session, "subject.arm_changed", entity="subject", entity_id=subject.id, old=old.code, new=arm, on=str(on)
    )
    for visit in visits.open_all(work.session, subject):
        if not has_visits(work.protocol.visits[VisitKind(visit.kind)], arm):
            settle_visit(work, visit, "visit_cancelled")
    if old.tablets:
        _stop_tablets(work, subject, on)
        if order is None:
            # A hold of before ends with it, so that tablets ordered later begin afresh.
            dose_changes.end_with_arm(work, subject, on, reason, staff_queries.name_of_caller(work))
    if order is not None:
        _order(work, subject, order, on)
    if first_on is not None:
        subject.first_injection_on = first_on
    plan.replan_all(work, subject, "the arm was changed")
    tablets.replan(work, subject)
    home_count.replan(work, subject)
    for relation in (Role.PATIENT, Role.CAREGIVER):
        for account in people.speakers(work.session, subject.id or 0, relation):
            screens.set_commands(work, account, relation, subject)


def _stop_tablets(work: Work, subject: Subject, on: date) -> None:
    """End the order the day before, and take back every question about tablets that has not left yet."""
    for order in dose_days.orders_of(work.session, subject):
        if order.until_on is None or order.until_on >= on:
            order.until_on = on - timedelta(days=1)
    work.session.flush()
    for kind in (*tablets.KINDS, home_count.ASK):
        work.forget_plan(kind, subject.id or 0)
    work.silence("the arm was changed", purpose=(tablets.PROMPT, home_count.ASK), subject_id=subject.id)
    for account in people.speakers(work.session, subject.id or 0):
        dialogue = work.session.get(Dialogue, account.id)
        if dialogue is not None and dialogue.kind in (*tablets.DIALOGUES, home_count.HOME):
            forms.close_of(work, account.id or 0)


def _order(work: Work, subject: Subject, order: Order, on: date) -> None:
    work.session.add(
        DoseOrder(
            subject_id=subject.id or 0,
            formulation=order.formulation,
            tablets=order.tablets,
            times_a_day=order.times_a_day,
            strength_mg=order.strength_mg,
            from_on=on,
            ordered_at=work.now,
            ordered_by=work.caller.label,
        )
    )
    work.session.flush()


def _finish(work: Work, values: Values) -> None:
    subject = work.session.get_one(Subject, values["subject"])
    if subject.arm != values["now"] or not staff_queries.is_open(subject):
        work.answer("patient.overtaken")
        staff_queries.show_patient(work, subject)
        return
    change(
        work,
        subject,
        values["arm"],
        date.fromisoformat(values["changed_on"]),
        values["reason"],
        first_on=date.fromisoformat(values["first_on"]) if "first_on" in values else None,
        order=_ordered(work, subject, values),
    )
    work.answer("arm.changed", code=subject.code, arm=Text(work.protocol.arms[subject.arm].name))
    staff_queries.show_patient(work, subject)


def _ordered(work: Work, subject: Subject, values: Values) -> Order | None:
    if values.get("order") == AS_BEFORE:
        last = _last_order(work, subject)
        assert last is not None, "it was offered"
        return Order(last.formulation, last.tablets, last.strength_mg, last.times_a_day)
    if "tablets" not in values:
        return None
    return Order(values["formulation"], Decimal(values["tablets"]), values["strength_mg"], values["times_a_day"])


def _last_order(work: Work, subject: Subject) -> DoseOrder | None:
    return next((each for each in dose_days.orders_of(work.session, subject) if not each.void), None)


# What is asked


def _subject(work: Work, values: Values) -> Subject:
    return work.session.get_one(Subject, values["subject"])


def _new(work: Work, values: Values) -> Arm | None:
    return work.protocol.arms[values["arm"]] if "arm" in values else None


def _arms(work: Work, values: Values) -> list[Choice]:
    return [Choice(arm.name, arm.code) for arm in work.protocol.arms.values() if arm.code != values["now"]]


def past_date(work: Work, _values: Values, text: str) -> Reading[str]:
    """Read the day on which something was decided.

    Raises:
        InFuture, DayTooFar: the day cannot be meant.
    """
    reading = form_days.past_date(work, text, LONGEST_BACK)
    return Reading(reading.value.isoformat(), reading.confirm, text)


def _begins_injections(work: Work, values: Values) -> bool:
    """Return whether the new arm has injections and nothing tells when the next one is."""
    new, subject = _new(work, values), _subject(work, values)
    return (
        new is not None
        and new.injections
        and visits.open_one(work.session, subject, VisitKind.INJECTION) is None
        and visits.last_held(work.session, subject, VisitKind.INJECTION) is None
    )


def _first_days(work: Work, _values: Values) -> list[Choice]:
    days = work.clinic.open_days(work.today, work.today + record_visit.OFFERED_AHEAD)[: record_visit.OFFERED]
    return [form_days.choice(work, day) for day in days]


def _first_on(work: Work, _values: Values, text: str) -> Reading[str]:
    reading = record_visit.coming_date(work, text)
    return Reading(reading.value.isoformat(), reading.confirm, text)


def _begins_tablets(work: Work, values: Values) -> bool:
    new = _new(work, values)
    return new is not None and new.tablets


def _had_tablets(work: Work, values: Values) -> bool:
    return _begins_tablets(work, values) and _last_order(work, _subject(work, values)) is not None


def _orders_anew(work: Work, values: Values) -> bool:
    return _begins_tablets(work, values) and values.get("order") != AS_BEFORE


def _orders(_work: Work, _values: Values) -> list[Choice]:
    return [Choice("arm.order.as_before", AS_BEFORE), Choice("arm.order.new", NEW)]


def _said(work: Work, values: Values) -> dict[str, object]:
    subject = _subject(work, values)
    return {"code": subject.code, "arm": Text(work.protocol.arms[values["now"]].name)}


def _said_order(work: Work, values: Values) -> dict[str, object]:
    last = _last_order(work, _subject(work, values))
    return {} if last is None else dose_orders.as_ordered(last)


def _notes(work: Work, values: Values) -> list[Text]:
    """Say what stops and what starts, so that nobody changes an arm without knowing."""
    old, new = work.protocol.arms[values["now"]], work.protocol.arms[values["arm"]]
    notes = []
    if old.injections != new.injections:
        notes.append(Text("arm.starts.injections" if new.injections else "arm.stops.injections"))
    if old.tablets != new.tablets:
        notes.append(Text("arm.starts.tablets" if new.tablets else "arm.stops.tablets"))
    return [*notes, Text("arm.goes_on")]


FORM = forms.register(
    Form(
        "arm",
        (
            Field(
                "arm",
                "arm.ask.arm",
                _arms,
                show=lambda work, value: Text(work.protocol.arms[value].name),
                said_with=_said,
            ),
            form_days.past_field("changed_on", "arm.ask.changed_on", _said, past_date),
            Field(
                "first_on",
                "arm.ask.first_on",
                _first_days,
                _first_on,
                wanted=_begins_injections,
                show=form_days.show,
                said_with=_said,
                columns=2,
            ),
            Field(
                "order",
                "arm.ask.order",
                _orders,
                wanted=_had_tablets,
                show=lambda _work, value: Text(f"arm.order.{value}"),
                said_with=_said_order,
            ),
            Field(
                "formulation",
                "enrol.ask.formulation",
                enrol.formulations,
                wanted=_orders_anew,
                show=lambda _work, value: Text(f"formulation.{value}"),
            ),
            Field(
                "strength_mg",
                "enrol.ask.strength_mg",
                enrol.strengths,
                wanted=_orders_anew,
                show=lambda _work, value: f"{value} mg",
                columns=3,
            ),
            Field("tablets", "enrol.ask.tablets", parse=enrol.tablets, wanted=_orders_anew),
            enrol.times_a_day(_orders_anew),
            reasons.field("arm.ask.why", reasons.ARM, said_with=_said),
        ),
        _finish,
        frozenset(PHYSICIANS),
        summary="arm.summary",
        names="arm.field",
        notes=_notes,
    )
)
