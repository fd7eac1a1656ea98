"""What came of a simulation: how much was planned, sent, skipped and why, and what must never happen?"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.simulation.plan import Plan

if TYPE_CHECKING:
    from bot.simulation.invariants import Judge
    from bot.simulation.world import World

PARTS = ("broken", "happened", "visits", "tasks", "outbox", "agenda", "arrived")
SHOWN = 20  # violations


@dataclass
class SiteReport:
    """The totals of one site; plain values, for they travel between processes."""

    site: int
    happened: dict[str, int]  # what people did and what broke down
    arrived: dict[str, int]  # messages on the phones, by text key
    visits: dict[str, int]
    agenda: dict[str, int]
    outbox: dict[str, int]
    tasks: dict[str, int]
    violations: list[str] = field(default_factory=list)
    broken: dict[str, int] = field(default_factory=dict)  # violations by rule

    @classmethod
    def of(cls, world: "World", judge: "Judge") -> "SiteReport":
        """Count what lies in the tables and what the judge saw."""

        def counted(statement: str) -> dict[str, int]:
            return {" · ".join(str(each) for each in row[:-1]): int(row[-1]) for row in world.rows(statement)}

        visits = counted("SELECT 'planned', kind, count(*) FROM visit GROUP BY kind ORDER BY kind")
        visits |= counted("SELECT kind, state, count(*) FROM visit GROUP BY kind, state ORDER BY kind, state")
        visits |= counted("SELECT 'moves', coalesce(sum(plan_version - 1), 0) FROM visit")
        visits |= counted("SELECT 'corrections', count(*) FROM visit_record WHERE version > 1")
        visits |= counted(
            "SELECT 'deviation', deviation, count(*) FROM visit_record WHERE deviation IS NOT NULL "
            "GROUP BY deviation ORDER BY deviation"
        )
        return cls(
            site=world.plan.site,
            happened=dict(sorted(world.counts.items())),
            arrived=dict(sorted(judge.arrived.items())),
            visits=visits,
            agenda=counted(
                "SELECT kind, state, coalesce(reason, ''), count(*) FROM agenda_item "
                "GROUP BY kind, state, reason ORDER BY kind, state, reason"
            ),
            outbox=counted(
                "SELECT state, CASE state WHEN 'sent' THEN '' ELSE coalesce(reason, '') END AS why, count(*) "
                "FROM outbox_message GROUP BY state, why ORDER BY state, why"
            ),
            tasks=counted(
                "SELECT kind, urgency, state, count(*) FROM escalation GROUP BY kind, urgency, state ORDER BY 1, 2, 3"
            ),
            violations=[each.line(world.plan.seed, world.plan.site) for each in judge.violations],
            broken=dict(sorted(Counter(each.rule for each in judge.violations).items())),
        )


@dataclass
class Report:
    """The reports of all sites of a plan, in the order of the sites."""

    plan: Plan
    sites: list[SiteReport]

    @property
    def violations(self) -> list[str]:
        return [line for site in self.sites for line in site.violations]

    @property
    def good(self) -> bool:
        return not self.violations

    def totals(self, part: str) -> dict[str, int]:
        """Return one part of the reports, summed over the sites."""
        summed: Counter[str] = Counter()
        for site in self.sites:
            summed.update(getattr(site, part))
        return dict(sorted(summed.items()))

    def as_dict(self) -> dict[str, Any]:
        return {
            "subjects": self.plan.subjects,
            "months": self.plan.months,
            "seed": self.plan.seed,
            "faults": self.plan.faults,
            "sites": len(self.sites),
            "good": self.good,
            **{part: self.totals(part) for part in PARTS},
            "violations": self.violations,
        }

    def as_json(self) -> str:
        return json.dumps(self.as_dict(), ensure_ascii=False, indent=1)

    def as_text(self) -> str:
        """Return the report for people: totals, then the first violations."""
        lines = [
            f"{self.plan.subjects} subjects, {self.plan.months:g} months, seed {self.plan.seed}"
            f"{', with faults' if self.plan.faults else ''}, {len(self.sites)} site(s)"
        ]
        for title, part in (
            ("Visits", "visits"),
            ("Messages by outcome", "outbox"),
            ("Agenda by outcome", "agenda"),
            ("Cases and tasks", "tasks"),
            ("What people did, and what broke down", "happened"),
        ):
            lines += ["", title, *_table(self.totals(part))]
        lines += ["", f"Messages that arrived: {sum(self.totals('arrived').values())}"]
        if self.good:
            return "\n".join([*lines, "Nothing happened that must not happen."])
        lines += [
            "",
            f"{len(self.violations)} thing(s) happened that must not happen:",
            *_table(self.totals("broken")),
        ]
        lines += ["", *self.violations[:SHOWN]]
        if len(self.violations) > SHOWN:
            lines.append(f"... and {len(self.violations) - SHOWN} more; --json shows all of them")
        return "\n".join(lines)


def _table(counts: Mapping[str, int]) -> list[str]:
    return [f"  {number:>9,}  {name}" for name, number in counts.items()]
