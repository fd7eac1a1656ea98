"""How much deferasirox is ordered, what holds on a day, and how does that compare with the protocol's bands?

For staff screens only. No result of this module is ever shown to a subject, and none
changes an order: a dose is the study doctor's decision.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

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


class Change(StrEnum):
    """A doctor's word on the tablets from a day on."""

    HOLD = "hold"
    RESUME = "resume"
    STOP = "stop"


class BandPosition(StrEnum):
    """How an ordered daily dose lies to a band of the protocol."""

    BELOW = "below"
    INSIDE = "inside"
    ABOVE = "above"


@dataclass(frozen=True, slots=True)
class DoseOrder:
    """What the doctor ordered: units (tablets or sachets, halves allowed) of one strength in mg at a time.

    It holds from ``from_on`` to ``until_on``, both included; without ``until_on`` until changed.

    Raises:
        ImplausibleOrder: no units, not whole or half units, no strength, not once a day at least, or an end
            before the start.
    """

    formulation: Formulation
    tablets: Decimal
    strength_mg: Decimal
    from_on: date
    until_on: date | None = None
    times_a_day: int = 1

    def __post_init__(self) -> None:
        if not (self.tablets.is_finite() and self.tablets > 0 and self.tablets * 2 % 1 == 0):
            raise ImplausibleOrder(f"{self.tablets} is not a number of whole or half tablets")
        if not (self.strength_mg.is_finite() and self.strength_mg > 0):
            raise ImplausibleOrder(f"{self.strength_mg} mg is not a strength")
        if self.times_a_day < 1:
            raise ImplausibleOrder(f"{self.times_a_day} times a day")
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
    return order.tablets * order.times_a_day * order.strength_mg


def mg_per_kg(order: DoseOrder, weight_kg: Decimal) -> Decimal:
    """Return the ordered mg per kg and day, rounded half up to one decimal for staff screens.

    Raises:
        ImplausibleWeight: ``weight_kg`` is not above zero.
    """
    _check_weight(weight_kg)
    return (daily_mg(order) / weight_kg).quantize(Decimal("0.1"), ROUND_HALF_UP)


class Ordered(Protocol):
    """An order as it was given: the days it covers, both included, and when it was given."""

    @property
    def from_on(self) -> date: ...
    @property
    def until_on(self) -> date | None: ...
    @property
    def ordered_at(self) -> datetime: ...
    @property
    def void(self) -> bool: ...


class Changed(Protocol):
    """A hold, resume or stop as it was recorded: from which day on, and when it was recorded."""

    @property
    def what(self) -> str: ...
    @property
    def from_on(self) -> date: ...
    @property
    def recorded_at(self) -> datetime: ...
    @property
    def void(self) -> bool: ...


O = TypeVar("O", bound=Ordered)  # noqa: E741
C = TypeVar("C", bound=Changed)


@dataclass(frozen=True, slots=True)
class Standing(Generic[O, C]):
    """What holds on a day: the order that covers it, and the hold or the stop that lies over it.

    With neither ``held_by`` nor ``stopped_by`` the ``order`` is to be taken; without an order there is none.
    """

    order: O | None
    held_by: C | None = None
    stopped_by: C | None = None

    @property
    def to_take(self) -> O | None:
        """Return the order that is to be taken on that day, or None."""
        return None if self.held_by is not None or self.stopped_by is not None else self.order

    @property
    def is_held(self) -> bool:
        """Return whether something is ordered and paused."""
        return self.order is not None and self.held_by is not None and self.stopped_by is None


def standing(orders: Iterable[O], changes: Iterable[C], on: date) -> Standing[O, C]:
    """Return what holds on the site day ``on``.

    - Of the orders that cover the day the one that was given last counts.
    - Holds, resumes and stops take effect in the order of their days; those of one day in the order in which
      they were recorded. So a hold and a resume of one day hold nothing; one entered late takes its place in time.
    - Only an order that was given after a stop, and from its day on, starts again. A resume does not, and
      neither does an order that was planned before the stop.
    - An order during a hold leaves it: only a resume ends it. A stop ends it too.
    - What is void never was.

    Of orders that were given at the same moment the one that is first in ``orders`` counts.
    """
    given = [order for order in orders if not order.void and order.from_on <= on]
    said = [change for change in changes if not change.void and change.from_on <= on]
    held: C | None = None
    stopped: C | None = None
    for change in sorted(said, key=lambda each: (each.from_on, each.recorded_at)):
        match change.what:
            case Change.HOLD:
                held = held or change
            case Change.RESUME:
                held = None
            case Change.STOP:
                held = None
                stopped = stopped if any(_starts_again(order, change) for order in given) else change
    covering = [order for order in given if order.until_on is None or on <= order.until_on]
    return Standing(max(covering, key=lambda order: order.ordered_at, default=None), held, stopped)


def _starts_again(order: Ordered, stop: Changed) -> bool:
    return order.from_on >= stop.from_on and order.ordered_at > stop.recorded_at


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
