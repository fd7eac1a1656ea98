"""How much deferasirox is ordered, and how does that compare with the protocol's bands?

For staff screens only. No result of this module is ever shown to a subject, and none
changes an order: a dose is the study doctor's decision.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from bot.errors import FollowupError

# Registry text of NCT06964971: discontinue if serum ferritin is below 500 ug/L (500 itself is not below).
FERRITIN_STOP_BELOW_UG_L = Decimal(500)


class ImplausibleOrder(FollowupError, ValueError):
    """A deferasirox order does not describe a daily amount that a person could take."""


class ImplausibleWeight(FollowupError, ValueError):
    """A body weight is not above zero kilograms."""


class NoBand(FollowupError):
    """The protocol has no deferasirox band for this platelet count."""


class Formulation(StrEnum):
    """The forms of deferasirox; they are not interchangeable without a doctor's new order."""

    DISPERSIBLE = "dispersible"
    FILM_COATED = "film_coated"
    GRANULES = "granules"


class BandPosition(StrEnum):
    """How an ordered daily dose lies to a band of the protocol."""

    BELOW = "below"
    INSIDE = "inside"
    ABOVE = "above"


@dataclass(frozen=True, slots=True)
class DoseOrder:
    """What the doctor ordered per day: units (tablets or sachets, halves allowed) of one strength in mg.

    It holds from ``from_on`` to ``until_on``, both included; without ``until_on`` until changed.

    Raises:
        ImplausibleOrder: no units, not whole or half units, no strength, or an end before the start.
    """

    formulation: Formulation
    tablets: Decimal
    strength_mg: Decimal
    from_on: date
    until_on: date | None = None

    def __post_init__(self) -> None:
        if not (self.tablets.is_finite() and self.tablets > 0 and self.tablets * 2 % 1 == 0):
            raise ImplausibleOrder(f"{self.tablets} is not a number of whole or half tablets")
        if not (self.strength_mg.is_finite() and self.strength_mg > 0):
            raise ImplausibleOrder(f"{self.strength_mg} mg is not a strength")
        if self.until_on is not None and self.until_on < self.from_on:
            raise ImplausibleOrder(f"ends on {self.until_on} before it starts on {self.from_on}")


@dataclass(frozen=True, slots=True)
class DoseBand:
    """The protocol's daily dose in mg/kg for platelets (10^9/L) from ``plt_from`` to ``plt_below``.

    ``plt_from`` belongs to the band and ``plt_below`` to the next one; None means that there is no upper end.
    """

    plt_from: Decimal
    plt_below: Decimal | None
    low_mg_per_kg: Decimal
    high_mg_per_kg: Decimal


def daily_mg(order: DoseOrder) -> Decimal:
    """Return the ordered amount per day in mg."""
    return order.tablets * order.strength_mg


def mg_per_kg(order: DoseOrder, weight_kg: Decimal) -> Decimal:
    """Return the ordered mg per kg and day, rounded half up to one decimal for staff screens.

    Raises:
        ImplausibleWeight: ``weight_kg`` is not above zero.
    """
    _check_weight(weight_kg)
    return (daily_mg(order) / weight_kg).quantize(Decimal("0.1"), ROUND_HALF_UP)


def order_on(orders: Iterable[DoseOrder], on: date) -> DoseOrder | None:
    """Return the order that holds on the site day ``on``, the newest if several do, or None."""
    holding = (order for order in orders if order.from_on <= on and (order.until_on is None or on <= order.until_on))
    return max(holding, key=lambda order: order.from_on, default=None)


def band_for(plt: Decimal, bands: Iterable[DoseBand]) -> DoseBand:
    """Return the band for a platelet count in 10^9/L; exactly 50 belongs to the band from 50.

    Source: registry text of NCT06964971 (below 50: 8-10 mg/kg/day; otherwise 20 mg/kg/day).
    Raises:
        NoBand: the count lies in none of the bands.
    """
    for band in bands:
        if band.plt_from <= plt and (band.plt_below is None or plt < band.plt_below):
            return band
    raise NoBand(f"{plt} x10^9/L")


def against_band(order: DoseOrder, weight_kg: Decimal, band: DoseBand) -> BandPosition:
    """Return whether the ordered dose lies below, inside or above ``band``, both ends inside.

    Compared exactly, not after rounding, in mg per day. A band of one value (20 mg/kg) is met
    only by that very dose; how far tablet sizes may differ from it is the doctor's judgement.
    Raises:
        ImplausibleWeight: ``weight_kg`` is not above zero.
    """
    _check_weight(weight_kg)
    ordered = daily_mg(order)
    if ordered < band.low_mg_per_kg * weight_kg:
        return BandPosition.BELOW
    if ordered > band.high_mg_per_kg * weight_kg:
        return BandPosition.ABOVE
    return BandPosition.INSIDE


def ferritin_stop_review(ferritin_ug_l: Decimal, below_ug_l: Decimal = FERRITIN_STOP_BELOW_UG_L) -> bool:
    """Return whether a staff-verified ferritin (ug/L, the same number as ng/mL) asks for a stop review.

    True opens a task for the doctor. It never stops anything by itself.
    Source: registry text of NCT06964971 (below 500, so exactly 500 does not).
    """
    return ferritin_ug_l < below_ug_l


def _check_weight(weight_kg: Decimal) -> None:
    if not (weight_kg.is_finite() and weight_kg > 0):
        raise ImplausibleWeight(f"{weight_kg} kg")
