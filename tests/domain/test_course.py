"""A course shows the worst of each row and week, loses no danger, and calls no silence well."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest

from bot.domain.course import Asked, CourseRow, Sign, Source, State, Week, course
from bot.domain.lexicon import Concept
from bot.domain.questionnaires import Questionnaire
from bot.domain.urgency import Urgency
from bot.protocol import bundled

TRIAL = bundled()
MAP = TRIAL.course_map()
UNWELL, WEEKLY = TRIAL.questionnaires["unwell"], TRIAL.questionnaires["weekly"]
ROWS = (CourseRow("fever", "a"), CourseRow("pain", "b", scores=("pain_severity",)), CourseRow("rest", "c", rest=True))
MONDAY = date(2026, 11, 2)
NOTHING, SILENT, UNKNOWN, REPORTED = State.NOTHING, State.NO_ANSWER, State.NOT_ASKED, State.REPORTED


def sign(days: int = 0, row: str = "fever", **more: object) -> Sign:
    given = Sign(MONDAY + timedelta(days=days), row, Source.REPORT, "patient:1")
    return replace(given, **{"urgency": Urgency.YELLOW, **more})  # type: ignore[arg-type]


def scored(score: int, days: int = 0) -> Sign:
    return sign(days, "pain", urgency=None, score=score)


def asked(answered: bool, days: int = 0, row: str = "fever") -> Asked:
    return Asked(MONDAY + timedelta(days=days), row, answered)


def weeks(*events: Sign | Asked, until: int = 0, enrolled: int = 0) -> list[Week]:
    signs = [each for each in events if isinstance(each, Sign)]
    questions = [each for each in events if isinstance(each, Asked)]
    return course(ROWS, signs, questions, [], MONDAY + timedelta(days=enrolled), MONDAY + timedelta(days=until))


CELLS = [
    pytest.param([], "fever", (UNKNOWN, None, None), id="nobody asked"),
    pytest.param([asked(True)], "fever", (NOTHING, None, None), id="asked, nothing reported"),
    pytest.param([asked(False)], "fever", (SILENT, None, None), id="asked, no answer"),
    pytest.param([asked(True), asked(False)], "fever", (SILENT, None, None), id="one of two unanswered is not well"),
    pytest.param([asked(True, row="pain")], "fever", (UNKNOWN, None, None), id="another row answers for none"),
    pytest.param([asked(False), sign()], "fever", (REPORTED, Urgency.YELLOW, None), id="reported beside a silence"),
    pytest.param([sign(), sign(urgency=Urgency.RED_COME)], "fever", (REPORTED, Urgency.RED_COME, None), id="worst"),
    pytest.param([sign(urgency=Urgency.RED_COME), sign()], "fever", (REPORTED, Urgency.RED_COME, None),
                 id="the worst, not the last"),
    pytest.param([sign(urgency=Urgency.GREEN)], "fever", (REPORTED, Urgency.GREEN, None), id="named, not urgent"),
    pytest.param([sign(urgency=Urgency.RED_120, taken_back=True), asked(True)], "fever", (NOTHING, None, None),
                 id="taken back by a correction"),
    pytest.param([scored(0)], "pain", (NOTHING, None, 0), id="a score of 0 is an answer"),
    pytest.param([scored(2), scored(1)], "pain", (REPORTED, None, 2), id="the worst score has no urgency"),
    pytest.param([scored(4), sign(row="pain")], "pain", (REPORTED, Urgency.YELLOW, 4), id="apart from each other"),
    pytest.param([scored(0), asked(False, row="pain")], "pain", (SILENT, None, 0), id="stopped after the first 0"),
]  # fmt: skip


@pytest.mark.parametrize(("events", "row", "expected"), CELLS)
def test_each_week_and_row_shows_the_worst_that_is_known(
    events: Sequence[Sign | Asked], row: str, expected: tuple[State, Urgency | None, int | None]
) -> None:
    (week,) = weeks(*events)
    cell = week.cells[row]
    assert (cell.state, cell.urgency, cell.score) == expected


@pytest.mark.parametrize(
    ("enrolled", "until", "days", "number"),
    [
        pytest.param(0, 0, 0, 1, id="the day of the enrolment"),
        pytest.param(3, 20, 0, 1, id="the Monday before it is of its week"),
        pytest.param(3, 20, 6, 1, id="its Sunday too"),
        pytest.param(3, 20, 7, 2, id="the next Monday is week 2"),
        pytest.param(6, 20, 7, 2, id="enrolled on a Sunday"),
        pytest.param(7, 20, 6, None, id="before the week of the enrolment"),
    ],
)
def test_weeks_are_calendar_weeks_from_that_of_the_enrolment(
    enrolled: int, until: int, days: int, number: int | None
) -> None:
    found = [week.number for week in weeks(sign(days), until=until, enrolled=enrolled) if week.state is REPORTED]
    assert found == ([] if number is None else [number])


def test_no_week_is_left_out_over_the_turn_of_the_year() -> None:
    found = weeks(until=7 * 30)
    assert [week.number for week in found] == list(range(1, 32))
    assert all(week.state is UNKNOWN for week in found)
    assert found[-1].monday == MONDAY + timedelta(weeks=30)


@pytest.mark.parametrize(
    ("offered", "state"),
    [([], UNKNOWN), ([True], NOTHING), ([False], SILENT), ([True, False], SILENT)],
)
def test_a_check_in_has_a_row_of_its_own(offered: list[bool], state: State) -> None:
    (week,) = course(ROWS, [], [], [(MONDAY, answered) for answered in offered], MONDAY, MONDAY)
    assert week.checkin is state


# What belongs to which row


@pytest.mark.parametrize(
    "rule", [*(rule.id for rule in TRIAL.triage_rules), *(rule.id for rule in TRIAL.lexicon.rules)]
)
def test_every_rule_that_can_fire_is_shown_at_its_urgency(rule: str) -> None:
    shown = MAP.words([rule], Urgency.RED_120)
    assert shown
    assert max(level.rank for level in shown.values()) == Urgency.RED_120.rank


@pytest.mark.parametrize("concept", TRIAL.lexicon.concepts, ids=lambda concept: concept.id)
def test_no_danger_of_free_words_is_shown_as_less(concept: Concept) -> None:
    shown = MAP.words([concept.rule], concept.urgency)
    assert list(shown.values()) == [concept.urgency]


WORDS = [
    pytest.param(["T10-gut-bleed"], Urgency.RED_COME, {"bleeding": "red_come"}, id="as it was read"),
    pytest.param(["T10-gut-bleed"], Urgency.YELLOW, {"bleeding": "yellow"}, id="asked back and not now"),
    pytest.param(["T21-chest-pain", "T44-tired"], Urgency.RED_120, {"breath_chest": "red_120",
                 "tired_dizzy": "yellow"}, id="a danger does not make another complaint one"),
    pytest.param(["T44-other"], Urgency.RED_120, {"other": "red_120"}, id="more urgent than its rule"),
    pytest.param(["T99-of-an-older-version"], Urgency.RED_COME, {"other": "red_come"}, id="a rule nobody knows now"),
    pytest.param(["T24-bleeding-with-fainting"], Urgency.RED_120, {"bleeding": "red_120"},
                 id="the longest beginning"),
    pytest.param(["BP-crisis"], Urgency.RED_COME, {"pressure": "red_come"}, id="a pressure that was told"),
    pytest.param(["L20-plt-critical"], Urgency.RED_COME, {"counts": "red_come"}, id="a threshold of a measure"),
    pytest.param(["tablets.SIDE_EFFECT"], Urgency.AMBER, {"other": "amber"}, id="a reason for tablets not taken"),
    pytest.param(["bot.not_handled"], Urgency.AMBER, {}, id="what the bot could not do is no symptom"),
    pytest.param([], Urgency.AMBER, {"other": "amber"}, id="without any rule"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "urgency", "expected"), WORDS)
def test_free_words_are_as_urgent_as_they_were_read(
    rules: list[str], urgency: Urgency, expected: dict[str, str]
) -> None:
    assert MAP.words(rules, urgency) == expected


ANSWERS = [
    pytest.param("unwell", {"trouble": "fever"}, ["T03-fever-reported"], None, {"fever": "yellow"}, id="one rule"),
    pytest.param("unwell", {"trouble": "bleeding"}, ["T10-gut-bleed", "T01-bleeding-with-fever"], "red_come",
                 {"bleeding": "red_come", "fever": "red_come"}, id="two rows"),
    pytest.param("unwell", {"trouble": "breath_chest"}, [], "green", {"breath_chest": "green"}, id="named, no rule"),
    pytest.param("unwell", {"trouble": "breath_chest"}, ["unfinished"], "red_come", {"breath_chest": "red_come"},
                 id="silence in the middle"),
    pytest.param("unwell", {}, ["unfinished"], "amber", {"other": "amber"}, id="silence before anything was named"),
    pytest.param("weekly", {"week_dangers": ("bleeding", "fever")}, [], "green",
                 {"bleeding": "green", "fever": "green"}, id="dangers of a check-in"),
    pytest.param("weekly", {"week_dangers": ("none",)}, [], "green", {}, id="no dangers"),
    pytest.param("weekly", {"fatigue_severity": 3.0, "pain_severity": 0.0}, ["P01-score-high", "T44-checkin-mild"],
                 "amber", {"tired_dizzy": "amber"}, id="the score that fired"),
    pytest.param("weekly", {"fatigue_severity": 1.0, "skin_severity": 3.0}, ["P01-score-high", "T44-checkin-mild"],
                 "amber", {"tired_dizzy": "yellow", "skin_allergy": "amber"}, id="two scores, two urgencies"),
    pytest.param("weekly", {"nausea_frequency": 2.0}, ["P02-score-rise"], "amber", {"stomach_liver": "amber"},
                 id="a rise from the one before"),
    pytest.param("weekly", {}, ["P01-score-high"], "amber", {"other": "amber"},
                 id="a score nobody finds is not lost"),
    pytest.param("weekly", {"mood_dying": True}, ["T40-mood"], "red_120", {"mood": "red_120"}, id="a wish to die"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "because", "urgency", "expected"), ANSWERS)
def test_a_report_is_as_urgent_for_each_row_as_its_rules(
    name: str, given: Mapping[str, object], because: list[str], urgency: str | None, expected: dict[str, str]
) -> None:
    level = Urgency(urgency) if urgency is not None else None
    found = MAP.answers(TRIAL.questionnaires[name], given, {"nausea_frequency": 0}, because, level)  # type: ignore[arg-type]
    assert found == expected


def test_a_report_whose_questions_no_longer_exist_still_shows_its_dangers() -> None:
    forgotten = Questionnaire("of-an-older-version", "0.9", ())
    assert MAP.answers(forgotten, {}, {}, ["T10-gut-bleed"], Urgency.RED_COME) == {"bleeding": "red_come"}
    assert MAP.asked_about(forgotten) == {}


def test_only_a_check_in_asks_about_a_whole_row() -> None:
    assert MAP.asked_about(UNWELL) == {}
    about = MAP.asked_about(WEEKLY)
    assert {"fever", "bleeding", "breath_chest", "tired_dizzy", "skin_allergy", "pain", "mood"} <= set(about)
    assert not {"eyes_ears", "kidney_fluid", "pressure", "counts", "other"} & set(about)


@pytest.mark.parametrize(
    ("given", "because", "left"),
    [
        pytest.param({"trouble": "stomach", "stomach_what": ("nausea",)}, ["T32-severe-pain", "T31-stomach"],
                     ["T31-stomach"], id="what a correction took back"),
        pytest.param({"trouble": "fever", "fever_place": "no_thermometer"}, ["T03-not-measured-few-neutrophils"],
                     ["T03-not-measured-few-neutrophils"], id="a count that is not known now is the worst"),
        pytest.param({"trouble": "fever"}, ["T99-older"], ["T99-older"], id="a rule nobody knows now stays"),
        pytest.param({"trouble": "fever"}, ["unfinished"], ["unfinished"], id="it is still not complete"),
    ],
)  # fmt: skip
def test_a_correction_takes_back_only_what_it_denies(
    given: Mapping[str, object], because: list[str], left: list[str]
) -> None:
    assert MAP.standing(UNWELL, given, {}, because) == left  # type: ignore[arg-type]
