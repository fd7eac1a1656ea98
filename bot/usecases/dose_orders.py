"""What is ordered of the tablets, how does it compare with the protocol, and how is that said to staff?

For staff screens only: the bot tells no subject a dose that staff did not order, and changes none.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from bot.domain.dosing import BandPosition, Change, Formulation, against_band, band_for, daily_mg, mg_per_kg, standing
from bot.domain.dosing import DoseOrder as OrderRule
from bot.domain.judging import PLATELETS, UNKNOWN
from bot.store import measurements
from bot.store.models import DoseChange, DoseOrder, Measurement, Subject, Weight
from bot.texts import number
from bot.usecases import measured, owning, reasons
from bot.usecases.dose_days import Standing
from bot.work import Day, Text, Work

PLT = "plt"


def order_values(work: Work, subject: Subject, order: DoseOrder, on: date | None = None) -> dict[str, object]:
    """Return what the text ``patient.tablets`` shows of an order, per kg by the weight known on a day (today)."""
    weight = measurements.weight_on(work.session, subject, on or work.today)
    return {
        **as_ordered(order),
        "mg": number(daily_mg(_rule(order))),
        "per_kg": f"{mg_per_kg(_rule(order), weight.kg):.1f}" if weight else "—",
    }


def as_ordered(order: DoseOrder) -> dict[str, object]:
    """Return an order as staff wrote it: units at a time, strength, form, how often a day."""
    return {
        "tablets": number(order.tablets),
        "strength": order.strength_mg,
        "formulation": Text(f"formulation.{order.formulation}"),
        "times": Text(f"dose.times.{order.times_a_day}"),
    }


def _rule(order: DoseOrder) -> OrderRule:
    return OrderRule(
        Formulation(order.formulation),
        order.tablets,
        Decimal(order.strength_mg),
        order.from_on,
        times_a_day=order.times_a_day,
    )


def platelets_on(work: Work, subject: Subject, on: date) -> Measurement | None:
    """Return the newest verified platelet count that was drawn on or before a day."""
    known = measurements.verified(work.session, subject.id or 0, (PLT,))
    return next((row for row in reversed(known) if row.taken_on <= on), None)


def compared(work: Work, subject: Subject, order: DoseOrder, on: date) -> list[Text]:
    """Return for staff what an order is a day, per kg, and against the protocol's band, as known on a day."""
    rule, weight = _rule(order), measurements.weight_on(work.session, subject, on)
    lines = [Text("dose_order.per_day", {"mg": number(daily_mg(rule))})]
    if weight is None:
        lines.append(Text("dose_order.no_weight", {"day": Day(on)}))
    else:
        per_kg = f"{mg_per_kg(rule, weight.kg):.1f}"
        lines.append(
            Text("dose_order.per_kg", {"per_kg": per_kg, "kg": number(weight.kg), "day": Day(weight.measured_on)})
        )
    return [*lines, *_against_protocol(work, subject, rule, weight, on)]


def _against_protocol(work: Work, subject: Subject, rule: OrderRule, weight: Weight | None, on: date) -> list[Text]:
    row, measures = platelets_on(work, subject, on), work.protocol.measures
    if row is None:
        return [Text("dose_order.no_platelets", {"day": Day(on)})]
    value = measured.value_of(row)
    band = band_for(Decimal(str(value.bound)), work.protocol.dose_bands)
    low, high = band.low_mg_per_kg, band.high_mg_per_kg
    told: dict[str, object] = {
        "plt": measured.shown(work, value),
        "day": Day(row.taken_on),
        "band": number(low) if low == high else f"{number(low)}–{number(high)}",
    }
    lines = [Text("dose_order.band", told)]
    if weight is not None:
        ends = [number((each * weight.kg).quantize(Decimal(1))) for each in dict.fromkeys((low, high))]
        position: BandPosition = against_band(rule, weight.kg, band)
        lines.append(Text(f"dose_order.position.{position}", {"mg": "–".join(ends)}))
    transfused, days = (row.transfused or UNKNOWN).split(measurements.DIVIDER), measures.after_platelets_days
    if PLATELETS in transfused:
        lines.append(Text("dose_order.after_platelets", {"n": days}))
    elif UNKNOWN in transfused:
        lines.append(Text("dose_order.transfused_unknown", {"n": days}))
    return lines


# Words for what holds


def stands(work: Work, subject: Subject, holds: Standing, on: date) -> Text:
    """Return what holds on a day: the order, or since when, why and by whom it is held or stopped."""
    order = holds.order
    shown = (
        Text("dose_order.none") if order is None else Text("patient.tablets", order_values(work, subject, order, on))
    )
    if (by := holds.stopped_by or holds.held_by) is not None and (order is not None or holds.stopped_by is not None):
        what = Change.STOP if holds.stopped_by is not None else Change.HOLD
        told: dict[str, object] = {
            "day": Day(by.from_on),
            "reason": reasons.shown(by.reason),
            "who": who(work, by.decided_by, by.recorded_by, by.recorded_at),
            "order": shown,
        }
        return Text(f"dose_order.stands.{what}", told)
    if order is None:
        return Text("dose_order.none")
    return Text(
        "dose_order.stands_order", {"order": shown, "day": Day(order.from_on), "who": who_ordered(work, order)}
    )


def in_short(holds: Standing) -> Text:
    """Return what holds on a day in a few words."""
    if holds.stopped_by is not None:
        return Text("dose_order.short.stop")
    if holds.order is None:
        return Text("dose_order.none")
    if holds.held_by is not None:
        return Text("dose_order.short.hold")
    return written(holds.order)


def written(order: DoseOrder) -> Text:
    """Return an order in a line, without its amount a day."""
    return Text("dose_order.written", as_ordered(order))


def coming(orders: Sequence[DoseOrder], changes: Sequence[DoseChange], after: date) -> list[tuple[date, Standing]]:
    """Return the days after a day on which something else begins to hold."""
    days = [*(each.from_on for each in orders), *(each.from_on for each in changes)]
    turns = sorted({day for day in days if day > after})
    found, before = [], standing(orders, changes, after)
    for day in turns:
        holds = standing(orders, changes, day)
        if holds != before:
            found.append((day, holds))
        before = holds
    return found


def who_ordered(work: Work, order: DoseOrder) -> Text:
    return who(work, order.decided_by, order.ordered_by, order.ordered_at)


def who(work: Work, decided_by: str | None, entered_by: str, at: datetime) -> Text:
    """Return who decided, who entered it, and when; an order from the enrolment names no physician."""
    by = owning.by_whom(work, entered_by)
    moment = work.texts.moment(at, work.settings.zone, work.caller.locale)
    if decided_by is None:
        return Text("dose_order.entered", {"by": by, "at": moment})
    return Text("dose_order.who", {"decided": decided_by, "by": by, "at": moment})
