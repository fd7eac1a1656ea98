"""For how many days did the tablets that were handed out last? The proportion of days covered (PDC)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Coverage:
    """So many of ``days`` were covered; ``days`` are those of the period on which something was to be taken."""

    covered: int
    days: int

    @property
    def share(self) -> Fraction | None:
        """Return the PDC, 0 to 1; None where nothing was to be taken."""
        return Fraction(self.covered, self.days) if self.days else None


def coverage(
    dispensed_mg: Mapping[date, Decimal], needed_mg: Mapping[date, Decimal], first_on: date, last_on: date
) -> Coverage | None:
    """Return how far what was handed out covers the days from ``first_on`` to ``last_on``, both included.

    ``dispensed_mg`` is what was handed out on each day; ``needed_mg`` the ordered dose of each day on which
    something was to be taken, from the first hand-out on: a day that is held, stopped or without an order
    is not in it. What was handed out on a day can be taken on that day. A day is covered when what is left
    is at least its dose, and that dose is then gone; so what overlaps is shifted forward, no day is covered
    twice, and the share is never above 1. A rest smaller than a dose stays for the next hand-out.

    Days before the first hand-out are left out, for nobody knows what was at home. None without any.
    Source: clinical-facts 5.1 (PDC).
    """
    begun = min((day for day in dispensed_mg if day <= last_on), default=None)
    if begun is None:
        return None
    left, covered, days = Decimal(0), 0, 0
    day = begun
    while day <= last_on:
        left += dispensed_mg.get(day, Decimal(0))
        if (dose := needed_mg.get(day)) is not None:
            enough = left >= dose
            left -= dose if enough else 0
            if day >= first_on:
                days += 1
                covered += enough
        day += timedelta(days=1)
    return Coverage(covered, days)
