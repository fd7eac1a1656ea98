"""A guided report: every branch ends in a message, and its urgency is that of the trial's rules."""

import json
from datetime import datetime

import pytest

from bot.domain.conditions import Answer as Value
from bot.domain.conditions import Facts
from bot.domain.questionnaires import Item, ItemKind, next_item
from bot.domain.triage import triage
from bot.domain.urgency import Urgency
from bot.protocol.load import bundled
from bot.store.models import Answer, Response
from bot.story.people import Person
from tests.people import Study
from tests.stories.scenes import (
    CALL_120,
    GO_TO_HOSPITAL,
    Watch,
    caregiver,
    cases,
    last_response,
    resolve_all,
    rows,
    symptom_case,
)

QUESTIONNAIRE = bundled().questionnaires["unwell"]
TROUBLES = [option.id for option in QUESTIONNAIRE.item("trouble").options]
ANNA = Facts(arm="TG2", age_years=74)
MOST_QUESTIONS = 4
HARMLESS = {"zh": "有点困", "en": "a little sleepy"}

Path = tuple[tuple[str, str], ...]


def mildest(item: Item) -> str:
    """Return the answer that a path gives where it does not turn off: the last one offered."""
    if item.kind is ItemKind.YES_NO:
        return "no"
    return item.options[-1].id if item.options else {ItemKind.TEMPERATURE: "36.8"}.get(item.kind, HARMLESS["zh"])


def alternatives(item: Item) -> list[str]:
    """Return every answer to an item that a story tries."""
    match item.kind:
        case ItemKind.YES_NO:
            return ["yes", "no"]
        case ItemKind.TEMPERATURE:
            return ["36.8", "37.3", "38.6"]
        case ItemKind.TEXT:
            return [HARMLESS["zh"]]
        case _:
            return [option.id for option in item.options]


def value_of(item: Item, answer: str) -> Value:
    match item.kind:
        case ItemKind.YES_NO:
            return answer == "yes"
        case ItemKind.TEMPERATURE:
            return float(answer)
        case ItemKind.MULTI:
            return (answer,)
        case _:
            return answer


def walk(turns: dict[str, str], given_before: set[tuple[str, str]]) -> Path:
    """Return the questions of a run that answers ``turns``, and elsewhere something new, until 120 ends it."""
    given: dict[str, Value] = {}
    path: list[tuple[str, str]] = []
    while (item := next_item(QUESTIONNAIRE, given)) is not None:
        new = (answer for answer in alternatives(item) if (item.id, answer) not in given_before)
        answer = turns.get(item.id) or (next(new, mildest(item)) if given_before else mildest(item))
        given[item.id] = value_of(item, answer)
        path.append((item.id, answer))
        if triage(given, ANNA, bundled().triage_rules).urgency is Urgency.RED_120:
            break
    return tuple(path)


def paths(trouble: str) -> list[Path]:
    """Return runs through one branch in which each answer of each question is given at least once.

    The first is the mildest. Each other one gives some answer that none before it has given.
    """
    found: list[Path] = []
    given: set[tuple[str, str]] = set()
    waiting = [{"trouble": trouble}]
    while waiting:
        turns = waiting.pop(0)
        if found and set(turns.items()) <= given:
            continue
        path = walk(turns, given)
        found.append(path)
        given |= set(path)
        before: dict[str, str] = {}
        for item_id, answer in path:
            if before:
                waiting += [{**before, item_id: other} for other in alternatives(QUESTIONNAIRE.item(item_id))]
            before[item_id] = answer
    return found


def _option(item: Item, answer: str) -> str:
    return next(option.text for option in item.options if option.id == answer)


async def give(someone: Person, item: Item, answer: str) -> None:
    """Answer one question on the phone."""
    if item.kind is ItemKind.YES_NO:
        await someone.taps(f"form.button.{answer}")
    elif not item.options:
        await someone.says(answer)
    else:
        # The newest message may already be an emergency text; the question stands above it.
        await someone.taps(_option(item, answer))
        exclusive = any(option.id == answer and option.exclusive for option in item.options)
        if item.kind is ItemKind.MULTI and not exclusive:
            more = someone.label("report.button.nothing_else")
            if more in {label for message in someone.seen[-3:] for label in message.labels}:
                await someone.presses(more)


def _answers(kept: list[Answer]) -> dict[str, Value]:
    given: dict[str, Value] = {}
    for row in kept:
        value = json.loads(row.value)
        given[row.item] = tuple(value) if isinstance(value, list) else value
    return given


def _named(path: Path) -> str:
    return " > ".join(f"{item}={answer}" for item, answer in path)


def test_the_walk_finds_every_answer_of_every_question() -> None:
    reached = {step for trouble in TROUBLES for path in paths(trouble) for step in path}
    missed = {
        (item.id, option.id)
        for item in QUESTIONNAIRE.items
        if not item.after
        for option in item.options
        if (item.id, option.id) not in reached
    }
    assert missed == set()


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.req("DI-12", "DI-17")
async def test_every_branch_ends_in_a_message_and_its_urgency_is_that_of_the_rules(
    study: Study, trouble: str
) -> None:
    anna, stage = study.anna, study.stage
    for path in paths(trouble):
        await resolve_all(stage)
        sees, doctor, nurse = Watch(anna), Watch(study.doctor), Watch(study.coordinator)
        known = len(await cases(stage))
        await anna.says("/unwell")
        for item_id, answer in path:
            await give(anna, QUESTIONNAIRE.item(item_id), answer)
        response = await last_response(stage)
        kept = await rows(stage, Answer, response_id=response.id)
        given = _answers(kept)
        decision = triage(given, ANNA, bundled().triage_rules)
        assert response.submitted_at is not None, _named(path)
        assert [item for item, _ in path] == list(given), _named(path)
        assert len(given) <= MOST_QUESTIONS, _named(path)
        assert Urgency(response.urgency or "") is decision.urgency, _named(path)
        assert set(response.because) <= set(decision.because), _named(path)
        assert sees.read(decision.tell), _named(path)
        opened = (await cases(stage))[known:]
        paged = doctor.read("case.page") or nurse.read("case.page")
        assert [case.urgency for case in opened] == (
            [] if decision.urgency is Urgency.GREEN else [decision.urgency]
        ), _named(path)
        assert paged == (decision.urgency.rank >= Urgency.AMBER.rank), _named(path)
        if decision.urgency.is_red:
            assert doctor.read("case.page"), _named(path)
            assert sees.read("triage.paged"), _named(path)


async def test_a_red_report_pages_the_doctor_on_duty_at_once(study: Study) -> None:
    doctor, nurse = Watch(study.doctor), Watch(study.coordinator)
    await study.anna.taps("menu.button.unwell", "report.trouble.sudden")
    assert doctor.first("case.page")
    assert nurse.new == []


async def test_an_amber_report_is_work_for_coordinator_and_doctor_today(study: Study) -> None:
    doctor, nurse = Watch(study.doctor), Watch(study.coordinator)
    await study.boris.taps("menu.button.unwell", "report.trouble.stomach", "report.stomach.what.diarrhoea")
    await study.boris.taps("report.button.nothing_else", "report.stomach.amount.diarrhoea_4", "report.answer.none")
    assert study.boris.read("triage.amber.contact")
    assert doctor.first("case.page")
    assert nurse.first("case.page")
    assert (await symptom_case(study.stage, "S-002")).urgency == "amber"


async def test_a_yellow_report_waits_for_half_past_eight_next_morning(study: Study) -> None:
    doctor, nurse = Watch(study.doctor), Watch(study.coordinator)
    await study.stage.until(datetime.fromisoformat("2026-11-02T21:40:00+08:00"))
    await study.boris.taps("menu.button.unwell", "report.trouble.stomach", "report.stomach.what.nausea")
    await study.boris.taps("report.button.nothing_else", "report.answer.none")
    assert study.boris.read("triage.yellow.next_working_day")
    await study.stage.until(datetime.fromisoformat("2026-11-03T08:29:59+08:00"))
    assert (nurse.count("case.page"), nurse.count("case.digest")) == (0, 0)
    await study.stage.until(datetime.fromisoformat("2026-11-03T08:30:00+08:00"))
    assert nurse.last("case.page")
    assert nurse.new[-1].silent
    assert (doctor.count("case.page"), doctor.count("case.digest")) == (0, 0)


async def test_a_green_report_is_recorded_and_opens_no_case(study: Study) -> None:
    await study.boris.taps("menu.button.unwell", "report.trouble.injection_site")
    sees = Watch(study.boris)
    await study.boris.taps("report.site.look.small_fading", "report.answer.none")
    assert sees.read("triage.green.recorded")
    assert await cases(study.stage, "S-002") == []


FEVERS = [
    pytest.param("axillary", "37.6", 37.6, False, id="under the arm, just below the line"),
    pytest.param("axillary", "37.7", 37.7, True, id="under the arm, on the line"),
    pytest.param("oral", "37.9", 37.9, False, id="in the mouth, just below the line"),
    pytest.param("oral", "38.0", 38.0, True, id="in the mouth, on the line"),
    pytest.param("ear", "385", 38.5, True, id="without a point"),
    pytest.param("axillary", "三十八度五", 38.5, True, id="in Chinese words"),
    pytest.param("forehead", "38,5", 38.5, True, id="with a comma"),
    pytest.param("oral", "101.5F", 38.6, True, id="Fahrenheit"),
    pytest.param("oral", "３８．５", 38.5, True, id="full width"),
    pytest.param("oral", "36.5", 36.5, False, id="none"),
]


@pytest.mark.parametrize(("place", "typed", "celsius", "fever"), FEVERS)
async def test_a_temperature_is_read_as_people_write_it_and_judged_by_where_it_was_measured(
    study: Study, place: str, typed: str, celsius: float, fever: bool
) -> None:
    await study.anna.taps("menu.button.unwell", "report.trouble.fever", f"report.fever.place.{place}")
    sees = Watch(study.anna)
    await study.anna.says(typed)
    kept = (await rows(study.stage, Answer))[-1]
    response = await last_response(study.stage)
    assert (kept.item, json.loads(kept.value), kept.said) == ("temperature_c", celsius, typed)
    rules = {"T01-fever-axillary", "T01-fever-oral-ear-forehead"}
    assert bool(rules & set(response.because)) is fever
    assert sees.first(GO_TO_HOSPITAL) is (celsius >= 37.3)  # an unknown blood count is read as the worst
    assert sees.last("report.fever.signs.ask") or sees.read("report.fever.signs.ask")


async def test_go_to_hospital_keeps_asking_and_rises_to_120(study: Study) -> None:
    await study.anna.taps("menu.button.unwell", "report.trouble.fever", "report.fever.place.axillary")
    sees = Watch(study.anna)
    await study.anna.says("38.6")
    assert sees.first(GO_TO_HOSPITAL)
    assert sees.read("report.fever.signs.ask")
    doctor = Watch(study.doctor)
    await study.anna.taps("report.sign.chills")
    assert not sees.read(CALL_120)
    await study.anna.taps("report.sign.confused")
    assert sees.read(CALL_120)
    assert doctor.read("case.page")
    case = await symptom_case(study.stage)
    assert case.urgency == "red_120"
    assert (await last_response(study.stage)).urgency == "red_120"


async def test_what_is_reported_is_told_to_staff_question_by_question(study: Study) -> None:
    doctor = Watch(study.doctor)
    await study.anna.taps("menu.button.unwell", "report.trouble.fever", "report.fever.place.axillary")
    await study.anna.says("38.6")
    page = doctor.texts[-1]
    assert study.doctor.label("report.trouble.fever") in page
    assert "38.6" in page
    assert "0571-0000-0001" in page


@pytest.mark.req("DI-10", "DI-12")
async def test_a_caregivers_answers_carry_the_caregiver_as_author(study: Study) -> None:
    daughter = await caregiver(study)
    doctor = Watch(study.doctor)
    await daughter.taps("menu.button.open", "menu.button.unwell", "report.trouble.fever")
    await daughter.taps("report.fever.place.no_thermometer")
    response = await last_response(study.stage)
    assert response.reported_by.startswith("caregiver:")
    authors = {row.given_by.split(":")[0] for row in await rows(study.stage, Answer)}
    assert authors == {"caregiver"}
    assert study.doctor.label("relation.caregiver") in doctor.texts[-1]


class TestSilence:
    """A report that stops in the middle is looked at after ten minutes."""

    @pytest.mark.parametrize(
        ("answered", "urgency"),
        [
            pytest.param(("report.trouble.fever",), "red_come", id="fever"),
            pytest.param(("report.trouble.headache",), "red_come", id="headache"),
            pytest.param(("report.trouble.other",), "amber", id="own words"),
            pytest.param(("report.trouble.injection_site",), "amber", id="injection site"),
        ],
    )
    async def test_after_one_answer_it_becomes_a_case(
        self, study: Study, answered: tuple[str, ...], urgency: str
    ) -> None:
        await study.anna.taps("menu.button.unwell", *answered)
        sees, doctor = Watch(study.anna), Watch(study.doctor)
        await study.pass_time(minutes=9, seconds=59)
        assert doctor.new == []
        await study.pass_time(seconds=1)
        assert doctor.first("case.page")
        assert (await symptom_case(study.stage)).urgency == urgency
        assert sees.read("report.silence.red" if urgency == "red_come" else "report.silence.other")
        response = await last_response(study.stage)
        assert response.submitted_at is not None
        assert "unfinished" in response.because

    async def test_each_answer_gives_another_ten_minutes(self, study: Study) -> None:
        await study.anna.taps("menu.button.unwell", "report.trouble.fever")
        doctor = Watch(study.doctor)
        await study.pass_time(minutes=9)
        await study.anna.taps("report.fever.place.oral")
        await study.pass_time(minutes=9)
        assert doctor.new == []
        await study.pass_time(minutes=1)
        assert doctor.first("case.page")

    async def test_a_report_that_was_only_opened_alarms_nobody(self, study: Study) -> None:
        await study.anna.taps("menu.button.unwell")
        doctor, nurse = Watch(study.doctor), Watch(study.coordinator)
        await study.pass_time(hours=1)
        assert doctor.new == nurse.new == []

    async def test_a_finished_report_is_not_looked_at_again(self, study: Study) -> None:
        await study.boris.taps("menu.button.unwell", "report.trouble.injection_site")
        await study.boris.taps("report.site.look.small_fading", "report.answer.none")
        sees = Watch(study.boris)
        await study.pass_time(hours=1)
        assert not sees.read("report.silence.red")
        assert not sees.read("report.silence.other")

    async def test_both_who_speak_for_the_patient_hear_of_it(self, study: Study) -> None:
        daughter = await caregiver(study)
        await daughter.taps("menu.button.open", "menu.button.unwell", "report.trouble.fever")
        sees, anna = Watch(daughter), Watch(study.anna)
        await study.pass_time(minutes=10)
        assert sees.read("report.silence.red")
        assert anna.read("report.silence.red")

    async def test_answering_after_the_silence_is_told_to_begin_again(self, study: Study) -> None:
        await study.anna.taps("menu.button.unwell", "report.trouble.fever")
        await study.pass_time(minutes=10)
        sees = Watch(study.anna)
        await study.anna.taps("report.fever.place.oral")
        assert sees.last("refused.dialogue_ended")


async def test_stopping_after_an_answer_is_looked_at_the_next_morning(study: Study) -> None:
    await study.anna.taps("menu.button.unwell", "report.trouble.tablets")
    sees = Watch(study.anna)
    await study.anna.taps("report.button.stop")
    assert sees.first("report.stopped")
    assert (await symptom_case(study.stage)).urgency == "yellow"


async def test_stopping_before_any_answer_shows_the_menu(study: Study) -> None:
    await study.anna.taps("menu.button.unwell")
    sees = Watch(study.anna)
    await study.anna.taps("report.button.stop")
    assert sees.first("menu.patient")
    assert await cases(study.stage) == []


async def test_a_report_goes_on_where_it_was_left(study: Study) -> None:
    await study.anna.taps("menu.button.unwell", "report.trouble.fever")
    await study.anna.says("/visits")
    sees = Watch(study.anna)
    await study.anna.says("/unwell")
    assert sees.first("report.fever.place.ask")
    assert len(await rows(study.stage, Response)) == 1


async def test_a_control_is_not_asked_about_injections_and_tablets(study: Study) -> None:
    await study.clara.taps("menu.button.unwell")
    labels = study.clara.phone.last.labels
    assert study.clara.label("report.trouble.injection_site") not in labels
    assert study.clara.label("report.trouble.tablets") not in labels
    await study.boris.taps("menu.button.unwell")
    assert study.boris.label("report.trouble.injection_site") in study.boris.phone.last.labels
    assert study.boris.label("report.trouble.tablets") not in study.boris.phone.last.labels


async def test_several_signs_are_asked_for_one_by_one_and_all_are_kept(study: Study) -> None:
    await study.boris.taps("menu.button.unwell", "report.trouble.stomach", "report.stomach.what.nausea")
    sees = Watch(study.boris)
    await study.boris.taps("report.stomach.what.pain")
    assert sees.first("report.anything_else")
    assert study.boris.label("report.stomach.what.nausea") not in study.boris.phone.last.labels
    await study.boris.taps("report.button.nothing_else", "report.answer.none")
    given = _answers(await rows(study.stage, Answer))
    assert set(given["stomach_what"]) == {"nausea", "pain"}  # type: ignore[arg-type]
