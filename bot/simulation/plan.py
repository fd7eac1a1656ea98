"""What is to be simulated? Everything that a run depends on; two runs of one plan give one report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

START = datetime.fromisoformat("2026-11-02T08:00:00+08:00")
DAYS_IN_MONTH = 30.4375
# From so many subjects on, two sites share them, each simulated by a process of its own.
ONE_SITE = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """One run: so many subjects for so many months, everything that happens drawn from ``seed``."""

    subjects: int
    months: float
    seed: int
    faults: bool = False
    site: int = 0  # which of the run's sites this is
    # How often people do what; a test makes rare things frequent.
    habits: Mapping[str, float] = field(default_factory=dict)

    @property
    def ends_at(self) -> datetime:
        return START + timedelta(days=round(self.months * DAYS_IN_MONTH))

    @property
    def site_name(self) -> str:
        return f"SIM{self.site + 1}"

    def dice(self, *names: object) -> Random:
        """Return the dice of one person or thing: what others throw does not change them."""
        # A text seeds the same everywhere; a tuple would go through Python's own hash.
        return Random(f"{self.seed}/{self.site}/" + "/".join(map(str, names)))  # noqa: S311 (decides nothing secret)


def sites(plan: Plan) -> list[Plan]:
    """Split a run into the sites that are simulated side by side; the number depends on nothing but the plan."""
    if plan.subjects < ONE_SITE:
        return [plan]
    half = (plan.subjects + 1) // 2
    return [
        Plan(count, plan.months, plan.seed, plan.faults, number, plan.habits)
        for number, count in enumerate((half, plan.subjects - half))
    ]
