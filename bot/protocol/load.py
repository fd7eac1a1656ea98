"""Can the files of a trial be read, and if not, what are all the problems?"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import yaml
from pydantic import TypeAdapter, ValidationError

from bot.domain.freetext import Lexicon
from bot.errors import FollowupError
from bot.protocol.model import (
    AdverseEventsFile,
    CourseFile,
    EscalationFile,
    ItemsFile,
    LexiconFile,
    MeasuresFile,
    Protocol,
    RemindersFile,
    ReviewsFile,
    TriageFile,
    TrialFile,
    VisitsFile,
    WeeklyFile,
)

T = TypeVar("T")

Folder = Traversable | Path

BUNDLED = "nct06964971"

# The fields by which a problem names the entry it is in, in the order in which they are tried.
_NAMES = ("id", "code", "kind", "urgency", "measure")


@dataclass(frozen=True, slots=True)
class ProtocolProblem:
    """One fault: the file, the id of the entry (empty: the file itself), and what is wrong."""

    file: str
    id: str
    message: str

    def __str__(self) -> str:
        """Return the problem as one line for the terminal."""
        return f"{self.file}: {self.id}: {self.message}" if self.id else f"{self.file}: {self.message}"


class ProtocolFaulty(FollowupError):
    """The files of the trial cannot be used as they are; ``problems`` lists every fault."""

    def __init__(self, problems: Iterable[ProtocolProblem]) -> None:
        """Keep the problems in the order in which they were found."""
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@cache
def bundled() -> Protocol:
    """Return the trial that is shipped with the bot, NCT06964971; read once, for it cannot change."""
    return load(bundled_folder())


def bundled_folder() -> Traversable:
    """Return the folder of the shipped trial, also from inside a wheel."""
    return resources.files("bot.protocol") / BUNDLED


def load(folder: Folder) -> Protocol:
    """Read all files of a trial; whether they make sense together is asked by ``bot.protocol.check``.

    Raises:
        ProtocolFaulty: with every unreadable file, unknown field, missing field and wrong type at once.
    """
    problems: list[ProtocolProblem] = []
    trial = read(folder, "protocol.yaml", TrialFile, problems)
    visits = read(folder, "visits.yaml", VisitsFile, problems)
    reminders = read(folder, "reminders.yaml", RemindersFile, problems)
    items = read(folder, "items.yaml", ItemsFile, problems)
    weekly = read(folder, "items_weekly.yaml", WeeklyFile, problems)
    triage = read(folder, "triage.yaml", TriageFile, problems)
    lexicon = read(folder, "lexicon.yaml", LexiconFile, problems)
    measures = read(folder, "measures.yaml", MeasuresFile, problems)
    reviews = read(folder, "reviews.yaml", ReviewsFile, problems)
    events = read(folder, "adverse_events.yaml", AdverseEventsFile, problems)
    course = read(folder, "course.yaml", CourseFile, problems)
    escalation = read(folder, "escalation.yaml", EscalationFile, problems)
    if trial is not None:
        problems += _timezone_problems(trial)
        problems += _twice("protocol.yaml", (arm.code for arm in trial.arms))
    if visits is not None:
        problems += _twice("visits.yaml", (rule.kind for rule in visits.visits))
    if items is not None and weekly is not None:
        problems += _twice("items.yaml", (one.id for one in (*items.questionnaires, *weekly.questionnaires)))
    if measures is not None:
        problems += _twice("measures.yaml", (measure.id for measure in measures.measures))
    if reviews is not None:
        problems += _twice("reviews.yaml", (one.id for one in reviews.rules))
        problems += _twice("reviews.yaml", (one.code for one in reviews.conclusions))
    if events is not None:
        problems += _twice("adverse_events.yaml", (term.id for term in events.terms))
    if course is not None:
        problems += _twice("course.yaml", (row.id for row in course.rows))
    if escalation is not None:
        problems += _twice("escalation.yaml", (chain.urgency for chain in escalation.chains))
    if (
        problems
        or trial is None
        or visits is None
        or reminders is None
        or items is None
        or weekly is None
        or triage is None
        or lexicon is None
        or measures is None
        or reviews is None
        or events is None
        or course is None
        or escalation is None
    ):
        raise ProtocolFaulty(problems)
    return Protocol(
        id=trial.id,
        title=trial.title,
        version=trial.version,
        timezone=trial.timezone,
        arms=MappingProxyType({arm.code: arm for arm in trial.arms}),
        entry=trial.entry,
        tablets=trial.tablets,
        consent=trial.consent,
        visits=MappingProxyType({rule.kind: rule for rule in visits.visits}),
        evaluation=visits.evaluation,
        closures=visits.closures,
        reminders=reminders.visit_reminders,
        visit_day_ends=reminders.visit_day_ends,
        remind_later=reminders.remind_later,
        another_day=reminders.another_day,
        missed_visit=reminders.missed_visit,
        daily_limit=reminders.daily_limit,
        quiet_hours=reminders.quiet_hours,
        dose_prompt=reminders.dose_prompt,
        checkin=reminders.checkin,
        yellow_at=reminders.yellow_at,
        reach=reminders.reach,
        brief=reminders.brief,
        weekly_digest=reminders.weekly_digest,
        correct_days=items.correct_days,
        questionnaires=MappingProxyType({one.id: one for one in (*items.questionnaires, *weekly.questionnaires)}),
        triage_rules=triage.rules,
        score_rules=triage.scores,
        lexicon=Lexicon(**{field.name: getattr(lexicon, field.name) for field in fields(Lexicon)}),
        measures=measures,
        reviews=reviews,
        adverse_events=events,
        digest=escalation.digest,
        conversation=escalation.conversation,
        course=course,
        kpi=escalation.kpi,
        adherence=escalation.adherence,
        auditor=escalation.auditor,
        drill=escalation.drill,
        chains=MappingProxyType({chain.urgency: chain for chain in escalation.chains}),
        rota=escalation.rota,
        outcomes=escalation.outcomes,
        second_channel=escalation.second_channel,
    )


class _PlainLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML without surprises: ``no`` and ``10:00`` stay words."""


_PlainLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"^(?:true|false)$", "tf"),
    ("tag:yaml.org,2002:int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("tag:yaml.org,2002:float", r"^[-+]?[0-9]+\.[0-9]+$", "-+0123456789"),
    ("tag:yaml.org,2002:null", r"^(?:null|~|)$", ["n", "~", ""]),
):
    _PlainLoader.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))


_MAP, _LIST = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"
_VALUES: Mapping[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:bool": "true".__eq__,
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:null": lambda _: None,
}


def _plain(node: yaml.Node) -> Any:
    """Return what a node says. The library's own way asks again at each node what it may be, for twice the time."""
    if node.tag == _MAP and isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = _plain(key_node)
            if not isinstance(key, str):
                raise yaml.MarkedYAMLError(problem="a key must be a word", problem_mark=key_node.start_mark)
            if key in result:
                raise yaml.MarkedYAMLError(problem=f"{key} is given twice", problem_mark=key_node.start_mark)
            result[key] = _plain(value_node)
        return result
    if node.tag == _LIST and isinstance(node, yaml.SequenceNode):
        return [_plain(each) for each in node.value]
    if node.tag in _VALUES and isinstance(node, yaml.ScalarNode):
        return _VALUES[node.tag](node.value)
    raise yaml.MarkedYAMLError(problem=f"not a plain value: {node.tag}", problem_mark=node.start_mark)


def read(folder: Folder, name: str, shape: type[T], problems: list[ProtocolProblem]) -> T | None:
    """Read one file into ``shape``, or add what is wrong with it to ``problems``."""
    try:
        text = (folder / name).read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=_PlainLoader)
        data = None if node is None else _plain(node)
        return TypeAdapter(shape).validate_json(json.dumps(data), strict=True)
    except FileNotFoundError:
        problems.append(ProtocolProblem(name, "", "the file is missing"))
    except (OSError, UnicodeDecodeError) as error:
        problems.append(ProtocolProblem(name, "", f"cannot be read: {error}"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark is not None else ""
        problems.append(ProtocolProblem(name, "", f"{where}{getattr(error, 'problem', None) or 'not YAML'}"))
    except ValidationError as error:
        problems += [_problem(name, data, one["loc"], one["msg"]) for one in error.errors()]
    except (ValueError, RecursionError):
        problems.append(ProtocolProblem(name, "", "the file refers to itself"))
    return None


def _problem(file: str, data: Any, path: tuple[int | str, ...], message: str) -> ProtocolProblem:
    """Turn a position in the data into the id of the entry it is in and the words that lead there."""
    entry, here = "", data
    for step in (*path, None):
        if isinstance(here, dict):
            entry = next((str(here[name]) for name in _NAMES if here.get(name)), entry)
        try:
            here = here[step]
        except (KeyError, IndexError, TypeError):
            here = None
    where = ".".join(str(step) for step in path)
    return ProtocolProblem(file, entry, f"{where}: {message}" if where else message)


def _timezone_problems(trial: TrialFile) -> list[ProtocolProblem]:
    try:
        ZoneInfo(trial.timezone)
    except (KeyError, ValueError, OSError):
        return [ProtocolProblem("protocol.yaml", trial.id, f"no such time zone: {trial.timezone}")]
    return []


def _twice(file: str, ids: Iterable[str]) -> list[ProtocolProblem]:
    seen: set[str] = set()
    problems = []
    for one in ids:
        if one in seen:
            problems.append(ProtocolProblem(file, one, "the id is given twice"))
        seen.add(one)
    return problems
