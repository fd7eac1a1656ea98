"""Which variables does each data set have, and which terms do our codes stand for? Read from sdtm.yaml, strictly."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import ClassVar, Literal

from pydantic import ConfigDict

from bot.protocol.load import ProtocolFaulty, ProtocolProblem, read

FILE = "sdtm.yaml"

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Variable:
    """One column of a data set; ``missing``: why the bot cannot fill it."""

    name: str
    label: str
    type: Literal["text", "integer", "float"]
    length: int
    core: Literal["Req", "Exp", "Perm"]
    codelist: str | None = None
    origin: Literal["Assigned", "Collected", "Derived", "Protocol"] | None = None
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class Domain:
    """One data set; ``keys`` name a row of it."""

    label: str
    structure: str
    keys: tuple[str, ...]
    variables: tuple[Variable, ...]


@dataclass(frozen=True, slots=True)
class Test:
    """What a measure is called."""

    domain: Literal["LB", "VS"]
    code: str
    test: str
    unit: str
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Medicine:
    """A study medicine; without ``form`` the order says which."""

    name: str
    route: str
    form: str | None = None


@dataclass(frozen=True, slots=True)
class VisitTerm:
    """The visits of one kind: ``number`` begins their numbers."""

    number: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class DeviationTerm:
    """How a deviation is said."""

    text: str
    decod: str
    category: str


@dataclass(frozen=True, slots=True)
class Question:
    """What a question, or a count of tablets, is called."""

    code: str
    test: str


@dataclass(frozen=True, slots=True)
class Questions:
    """A questionnaire of ours; ``period``: which time its questions are about."""

    category: str
    period: str | None
    items: Mapping[str, Question]


@dataclass(frozen=True, slots=True)
class Study:
    """What is the same for every subject."""

    country: str


@dataclass(frozen=True, slots=True)
class Terms:
    """Our codes, and the terms they stand for."""

    measures: Mapping[str, Test]
    places: Mapping[str, str]
    formulations: Mapping[str, str]
    tablet_units: Mapping[str, str]
    times_a_day: Mapping[str, str]
    medicines: Mapping[str, Medicine]
    skip_reasons: Mapping[str, str]
    visits: Mapping[str, VisitTerm]
    visit_sources: Mapping[str, str]
    visit_reasons: Mapping[str, str]
    deviations: Mapping[str, DeviationTerm]
    outcomes: Mapping[str, str]
    actions: Mapping[str, str]
    relations: Mapping[str, str]
    counts: Mapping[str, Question]
    evaluators: Mapping[str, str]
    questionnaires: Mapping[str, Questions]


@dataclass(frozen=True, slots=True)
class Shape:
    """sdtm.yaml."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT
    study: Study
    codelists: Mapping[str, tuple[str, ...]]
    terms: Terms
    domains: Mapping[str, Domain]


@cache
def shape() -> Shape:
    """Return what sdtm.yaml says.

    Raises:
        ProtocolFaulty: with everything that is wrong with it.
    """
    problems: list[ProtocolProblem] = []
    found = read(resources.files("bot.exports"), FILE, Shape, problems)
    if found is None:
        raise ProtocolFaulty(problems)
    return found
