"""Which critical values (危急值) and upper limits of normal has the site's own laboratory?

They differ from hospital to hospital. A file of the site stands above the trial's: what it lists for a measure takes
the place of the trial's critical rules of that measure; all other thresholds stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict

from bot.domain.conditions import Answer, Condition
from bot.domain.judging import MeasureRule
from bot.domain.triage import Certainty
from bot.domain.urgency import Urgency
from bot.protocol.load import ProtocolFaulty, ProtocolProblem, read
from bot.protocol.model import STRICT, MeasuresFile, Protocol

TELLS = {Urgency.RED_COME: "triage.red_come.go", Urgency.RED_120: "triage.red_120.call"}


@dataclass(frozen=True, slots=True)
class Critical:
    """A critical value of the site's list: below one number, or at least another (in the measure's unit)."""

    measure: str
    source: str
    below: float | None = None
    at_least: float | None = None
    urgency: Urgency = Urgency.RED_COME


@dataclass(frozen=True, slots=True)
class CriticalFile:
    """The site's file."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    critical: tuple[Critical, ...] = ()
    upper_normal: Mapping[str, float] = field(default_factory=dict)


def with_critical_values(protocol: Protocol, path: Path | None) -> Protocol:
    """Return the trial with what the site's file says of its measures.

    Raises:
        ProtocolFaulty: with every problem of the file.
    """
    if path is None:
        return protocol
    problems: list[ProtocolProblem] = []
    site = read(path.parent, path.name, CriticalFile, problems)
    if site is not None:
        problems += _problems(path.name, site, protocol.measures)
    if site is None or problems:
        raise ProtocolFaulty(problems)
    listed = {each.measure for each in site.critical}
    rules = [rule for rule in protocol.measures.rules if not (rule.critical and rule.measure in listed)]
    measures = tuple(
        replace(each, upper_normal=site.upper_normal.get(each.id, each.upper_normal))
        for each in protocol.measures.measures
    )
    own = [*(_rule(each) for each in site.critical), *rules]
    return replace(protocol, measures=replace(protocol.measures, measures=measures, rules=tuple(own)))


def _rule(value: Critical) -> MeasureRule:
    limit = value.below if value.below is not None else value.at_least
    assert limit is not None
    reached: dict[str, Answer] = {value.measure: limit - 0.001 if value.below is not None else limit}
    missed: dict[str, Answer] = {value.measure: limit if value.below is not None else limit - 0.001}
    return MeasureRule(
        id=f"site-{value.measure}-{'below' if value.below is not None else 'from'}-{limit:g}",
        when=Condition(item=value.measure, below=value.below, at_least=value.at_least),
        urgency=value.urgency,
        tell_subject=TELLS[value.urgency],
        source=value.source,
        certainty=Certainty.SITE_DEFAULT,
        fires_for=(reached,),
        quiet_for=(missed,),
        measure=value.measure,
        critical=True,
    )


def _problems(file: str, site: CriticalFile, measures: MeasuresFile) -> Iterator[ProtocolProblem]:
    known = measures.by_id
    seen: set[tuple[str, bool]] = set()
    for each in site.critical:
        if each.measure not in known:
            yield ProtocolProblem(file, each.measure, f"unknown measure; known: {', '.join(known)}")
            continue
        if (each.below is None) == (each.at_least is None):
            yield ProtocolProblem(file, each.measure, "needs exactly one of below, at_least")
            continue
        limits, limit = known[each.measure].limits, each.below if each.below is not None else each.at_least
        if limit is not None and not limits.accept_from <= limit <= limits.accept_to:
            yield ProtocolProblem(file, each.measure, f"{limit:g} lies outside the limits of the measure")
        if each.urgency not in TELLS:
            yield ProtocolProblem(file, each.measure, "a critical value is red_come or red_120")
        if not each.source.strip():
            yield ProtocolProblem(file, each.measure, "the source is empty")
        if each.measure == "temperature_c":
            yield ProtocolProblem(file, each.measure, "temperatures are judged by triage.yaml")
        if (each.measure, each.below is None) in seen:
            yield ProtocolProblem(file, each.measure, "is given twice")
        seen.add((each.measure, each.below is None))
    for name, upper in site.upper_normal.items():
        if name not in known:
            yield ProtocolProblem(file, name, f"upper_normal: unknown measure; known: {', '.join(known)}")
        elif not known[name].limits.accept_from < upper <= known[name].limits.accept_to:
            yield ProtocolProblem(file, name, f"upper_normal: {upper:g} lies outside the limits of the measure")
