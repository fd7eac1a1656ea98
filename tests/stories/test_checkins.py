"""The weekly check-in: offered once a week, short for who is well, and never in the way of a danger."""

import json
from datetime import datetime, timedelta

import pytest

from bot.domain.urgency import Urgency
from bot.store.models import AgendaItem, Answer, Checkin, Response
from bot.story.people import Person
from tests.people import Study
from tests.stories.conftest import World
from tests.stories.scenes import Watch, caregiver, cases, in_language, rows, symptom_case, withdraw
from tests.stories.test_reminder_rules import fill

FIRST = datetime.fromisoformat("2026-11-09T18:00:00+08:00")
SYMPTOMS = ("fatigue", "nausea", "diarrhoea", "skin", "pain", "mood")
FIRST_SCORES = {
    "fatigue": "severity",
    "nausea": "frequency",
    "diarrhoea": "frequency",
    "skin": "severity",
    "pain": "frequency",
    "mood": "frequency",
}


def week(number: int, *, hours: float = 0) -> datetime:
    """Return when the check-in of a week is offered, the first being 0."""
    return FIRST + timedelta(weeks=number, hours=hours)


async def begins(study: Study, number: int = 0) -> Person:
    """Let Clara, who is in the control arm, begin the check-in of a week and name no danger."""
    await study.stage.until(week(number, hours=0.1))
    await study.clara.taps("checkin.button.begin", "report.answer.none")
    return study.clara


async def well(someone: Person, *but: str) -> None:
    """Answer every score with 0."""
    for symptom in SYMPTOMS:
        if symptom not in but:
            await someone.taps(f"checkin.{FIRST_SCORES[symptom]}.0")


async def given(study: Study) -> dict[str, object]:
    response = (await rows(study.stage, Response, questionnaire="weekly"))[-1]
    return {row.item: json.loads(row.value) for row in await rows(study.stage, Answer, response_id=response.id)}


async def tasks(study: Study, because: str) -> list[str]:
    requests = await cases(study.stage, "S-003", kind="request")
    return [case.urgency for case in requests if because in case.because]


class TestOffering:
    async def test_it_comes_once_a_week_at_the_patients_hour_in_every_arm(self, study: Study) -> None:
        sees = [Watch(each) for each in (study.anna, study.boris, study.clara)]
        await study.stage.until(week(0, hours=-0.1))
        assert [each.count("checkin.ask") for each in sees] == [0, 0, 0]
        await study.stage.until(week(0, hours=16))
        assert [each.count("checkin.ask") for each in sees] == [1, 1, 1]
        await study.stage.until(week(2, hours=16))
        assert [each.count("checkin.ask") for each in sees] == [3, 3, 3]

    async def test_who_is_well_answers_in_nine_taps(self, study: Study) -> None:
        clara = await begins(study)
        await well(clara)
        sees = Watch(clara)
        await clara.taps("report.answer.none")
        assert sees.first("triage.green.recorded")
        assert sees.last("report.recorded")
        assert await cases(study.stage, "S-003") == []
        kept = await given(study)
        assert kept["fatigue_interference"] == kept["pain_severity"] == kept["mood_severity"] == 0
        assert "mood_dying" not in kept

    async def test_it_is_asked_again_once_and_then_left_alone(self, study: Study) -> None:
        sees = Watch(study.clara)
        await study.stage.until(week(0, hours=24 * 6))
        assert (sees.count("checkin.ask"), sees.count("checkin.ask_again")) == (1, 1)
        assert await cases(study.stage, "S-003", kind="symptom") == []

    async def test_one_that_had_to_wait_is_still_one_a_week(self, study: Study) -> None:
        await study.stage.until(week(0, hours=-1))
        sees = Watch(study.clara)
        for number in (1, 2):
            await fill(study, "S-003", number)
        await study.stage.until(week(0, hours=24))
        (waited,) = await rows(study.stage, Checkin, subject_id=3)
        assert waited.day_on == (FIRST + timedelta(days=1)).date()
        assert len(await rows(study.stage, AgendaItem, kind="checkin.ask", subject_id=3, state="waiting")) == 1
        await study.stage.until(week(2, hours=24))
        assert sees.count("checkin.ask") == 3

    async def test_an_old_one_can_not_be_begun_any_more(self, study: Study) -> None:
        await study.stage.until(week(0, hours=24 * 4))
        sees = Watch(study.clara)
        await study.clara.taps("checkin.button.begin")
        assert sees.first("checkin.too_late")
        assert await rows(study.stage, Response) == []

    async def test_two_in_a_row_without_an_answer_are_a_task_for_staff(self, study: Study) -> None:
        await study.stage.until(week(1, hours=1))
        await study.clara.says("/visits")  # She is there, and answers none all the same.
        assert await tasks(study, "reach.checkins") == []
        await study.stage.until(week(1, hours=24 * 4))
        assert await tasks(study, "reach.checkins") == [Urgency.YELLOW]

    @pytest.mark.req("DI-20")
    async def test_it_ends_with_the_participation(self, study: Study) -> None:
        await withdraw(study.clara)
        assert await rows(study.stage, AgendaItem, kind="checkin.ask", subject_id=3, state="waiting") == []
        sees = Watch(study.clara)
        await study.stage.until(week(2))
        assert sees.new == []

    async def test_silence_after_a_worrying_one_is_told(self, study: Study) -> None:
        clara = await begins(study)
        await clara.taps("checkin.severity.3", "checkin.interference.1")
        await well(clara, "fatigue")
        await clara.taps("report.answer.none")
        doctor = Watch(study.doctor)
        await study.stage.until(week(1, hours=24 * 4))
        assert "P03-unanswered-after-amber" in (await symptom_case(study.stage, "S-003")).because
        assert doctor.new


class TestScores:
    async def test_a_high_score_is_told_to_staff_at_once_and_to_the_patient_at_the_end(self, study: Study) -> None:
        clara, doctor = await begins(study), Watch(study.doctor)
        sees = Watch(clara)
        await clara.taps("checkin.severity.3")
        assert doctor.first("case.page")
        assert sees.last("checkin.fatigue.interference")
        await clara.taps("checkin.interference.0")
        await well(clara, "fatigue")
        await clara.taps("report.answer.none")
        assert sees.read("triage.amber.contact")
        assert (await symptom_case(study.stage, "S-003")).because == ["P01-score-high", "T44-checkin-mild"]

    async def test_a_rise_of_two_points_is_amber_and_one_point_is_not(self, study: Study) -> None:
        clara = await begins(study)
        await clara.taps("checkin.severity.0", "checkin.frequency.0", "checkin.frequency.0", "checkin.severity.0")
        await clara.taps("checkin.frequency.0", "checkin.frequency.0", "report.answer.none")
        await begins(study, 1)
        await clara.taps("checkin.severity.0", "checkin.frequency.1", "checkin.severity.1")
        assert await cases(study.stage, "S-003", kind="symptom") == []
        await clara.taps("checkin.frequency.2")
        assert (await symptom_case(study.stage, "S-003")).because == ["P02-score-rise"]

    async def test_a_mild_score_waits_for_the_morning(self, study: Study) -> None:
        clara, doctor = await begins(study), Watch(study.doctor)
        await clara.taps("checkin.severity.1", "checkin.interference.0")
        await well(clara, "fatigue")
        await clara.taps("report.answer.none")
        assert (await symptom_case(study.stage, "S-003")).urgency == Urgency.YELLOW
        assert doctor.new == []


class TestDangers:
    async def test_a_danger_opens_the_report_at_its_trouble(self, study: Study) -> None:
        await study.stage.until(week(0, hours=0.1))
        sees = Watch(study.clara)
        await study.clara.taps("checkin.button.begin", "report.trouble.fever", "report.button.nothing_else")
        assert sees.read("checkin.to_report")
        assert sees.last("report.fever.place.ask")
        weekly, report = await rows(study.stage, Response)
        assert weekly.submitted_at is not None
        assert (weekly.questionnaire, report.questionnaire) == ("weekly", "unwell")
        await study.clara.answers("=report.fever.place.oral", "38.6")
        assert (await symptom_case(study.stage, "S-003")).urgency == Urgency.RED_COME

    async def test_staff_read_the_danger_first_and_the_patient_is_offered_all_of_it_in_one_message(
        self, study: Study
    ) -> None:
        clara, doctor = await begins(study), Watch(study.doctor)
        await well(clara, "mood")
        await clara.taps("checkin.frequency.1", "form.button.yes")
        page = next(text for text in doctor.texts if study.doctor.label("report.short.mood_dying") in text)
        told = [line for line in page.splitlines() if ": " in line and "report" not in line]
        fatigue, dying = (
            next(n for n, line in enumerate(told) if study.doctor.label(f"report.short.{name}") in line)
            for name in ("fatigue_severity", "mood_dying")
        )
        assert dying < fatigue
        sees = Watch(clara)
        await clara.taps("menu.button.unwell", "report.trouble.sudden", "report.sudden.what.seizure")
        await study.pass_time(hours=2)
        assert sees.count("report.later") == 1
        first, second = sees.new[-1].labels[:2]
        assert first != second

    async def test_each_of_two_dangers_is_followed_up(self, study: Study) -> None:
        await study.stage.until(week(0, hours=0.1))
        await study.clara.taps("checkin.button.begin", "report.trouble.fever", "report.trouble.bleeding")
        await study.clara.taps("report.button.nothing_else")
        sees = Watch(study.clara)
        await study.clara.taps("report.bleeding.where.skin", "report.answer.none")
        assert sees.last("report.fever.place.ask")
        await study.clara.answers("=report.fever.place.no_thermometer", "=report.answer.none")
        assert len(await rows(study.stage, Response, questionnaire="unwell")) == 2

    async def test_silence_after_a_danger_is_red(self, study: Study) -> None:
        await study.stage.until(week(0, hours=0.1))
        await study.clara.taps("checkin.button.begin", "report.trouble.bleeding")
        sees = Watch(study.clara)
        await study.pass_time(minutes=10)
        assert sees.read("report.silence.red")
        assert (await symptom_case(study.stage, "S-003")).urgency == Urgency.RED_COME

    async def test_silence_without_a_danger_is_just_unanswered(self, study: Study) -> None:
        clara = await begins(study)
        sees = Watch(clara)
        await study.stage.until(week(0, hours=24 * 3.5))
        assert not sees.read("report.silence.red")
        assert not sees.read("report.silence.other")
        assert await cases(study.stage, "S-003", kind="symptom") == []
        (response,) = await rows(study.stage, Response)
        assert response.submitted_at is not None
        assert response.because == ["unfinished"]

    async def test_a_wish_to_die_is_answered_at_once(self, study: Study) -> None:
        clara, doctor = await begins(study), Watch(study.doctor)
        await well(clara, "mood")
        sees = Watch(clara)
        await clara.taps("checkin.frequency.1", "form.button.yes")
        assert sees.read("triage.red_120.self_harm")
        assert doctor.first("case.page")
        assert (await rows(study.stage, Response))[-1].submitted_at is not None

    async def test_a_hospital_stay_is_a_suspected_serious_event(self, study: Study) -> None:
        clara, doctor = await begins(study), Watch(study.doctor)
        await well(clara)
        await clara.taps("checkin.since.hospital")
        assert doctor.first("case.page")
        await clara.taps("report.button.nothing_else")
        await clara.says("周二在市一医院住了一晚")
        case = await symptom_case(study.stage, "S-003")
        assert case.because[:1] == ["T42-checkin-hospital"]
        assert case.urgency == Urgency.AMBER

    async def test_a_new_medicine_and_a_transfusion_are_kept_with_their_words(self, study: Study) -> None:
        clara = await begins(study)
        await well(clara)
        await clara.taps("checkin.since.transfusion", "checkin.since.medicine", "report.button.nothing_else")
        await clara.answers("=checkin.transfusion.red_cells", "星期三，两袋", "=checkin.medicine.herbal", "板蓝根")
        assert (await symptom_case(study.stage, "S-003")).because == ["T43-checkin-medicine"]
        assert (await given(study))["transfusion_words"] == "星期三，两袋"


class TestFromTheMenu:
    async def test_it_can_be_started_before_any_was_offered(self, study: Study) -> None:
        sees = Watch(study.clara)
        await study.clara.says("/menu")
        assert study.clara.phone.last.labels[1] == study.clara.label("menu.button.checkin")
        await study.clara.taps("menu.button.checkin", "report.answer.none")
        await well(study.clara)
        await study.clara.taps("report.answer.none")
        assert sees.last("report.recorded")
        assert await rows(study.stage, Checkin) == []
        (response,) = await rows(study.stage, Response)
        assert response.submitted_at is not None

    async def test_it_goes_on_at_the_open_question(self, study: Study) -> None:
        clara = study.clara
        await clara.says("/menu")
        await clara.taps("menu.button.checkin", "report.answer.none", "checkin.severity.0")
        await clara.says("/menu")
        sees = Watch(clara)
        await clara.taps("menu.button.checkin")
        assert sees.last("checkin.nausea.frequency")
        assert len(await rows(study.stage, Response)) == 1

    async def test_one_that_is_offered_is_answered_with_it(self, study: Study) -> None:
        await study.stage.until(week(0, hours=1))
        await study.clara.says("/menu")
        await study.clara.taps("menu.button.checkin")
        (response,) = await rows(study.stage, Response)
        (row,) = [each for each in await rows(study.stage, Checkin) if each.subject_id == 3]
        assert row.response_id == response.id

    async def test_who_has_answered_this_week_reads_so_and_may_answer_once_more(self, study: Study) -> None:
        clara = await begins(study)
        await well(clara)
        await clara.taps("report.answer.none")
        await clara.says("/menu")
        sees = Watch(clara)
        await clara.taps("menu.button.checkin")
        assert sees.last("checkin.answered")
        assert len(await rows(study.stage, Response)) == 1
        for _ in range(2):  # A second tap goes on with the same one.
            await clara.taps("checkin.button.another")
        await clara.taps("report.answer.none", "checkin.severity.2")
        first, second = await rows(study.stage, Response)
        assert first.submitted_at is not None
        assert second.submitted_at is None
        (row,) = [each for each in await rows(study.stage, Checkin) if each.subject_id == 3]
        assert row.response_id == first.id, "the offer was answered by the first"
        kept = {each.response_id for each in await rows(study.stage, Answer, item="fatigue_severity")}
        assert kept == {first.id, second.id}
        assert "P02-score-rise" in (await symptom_case(study.stage, "S-003")).because

    async def test_instead_of_another_one_something_can_be_reported(self, study: Study) -> None:
        clara = await begins(study)
        await well(clara)
        await clara.taps("report.answer.none")
        await clara.says("/menu")
        await clara.taps("menu.button.checkin")
        sees = Watch(clara)
        await clara.phone.taps_on(clara.phone.last, clara.label("menu.button.unwell"))
        await study.stage.settle()
        assert sees.last("report.trouble.ask")

    async def test_one_that_was_stopped_is_not_called_answered(self, study: Study) -> None:
        clara = await begins(study)
        await clara.taps("report.button.stop")
        await clara.says("/menu")
        sees = Watch(clara)
        await clara.taps("menu.button.checkin")
        assert sees.last("checkin.dangers.ask")

    async def test_a_caregiver_can_start_it_and_the_patient_is_told_so(self, study: Study) -> None:
        daughter = await caregiver(study)
        await daughter.says("/menu")
        sees = Watch(daughter)
        await daughter.taps("menu.button.checkin")
        assert sees.last("checkin.dangers.ask")
        await study.anna.says("/menu")
        sees = Watch(study.anna)
        await study.anna.taps("menu.button.checkin")
        assert sees.last("checkin.somebody_else")
        assert study.anna.label("menu.button.unwell") in study.anna.phone.last.labels
        assert len(await rows(study.stage, Response)) == 1

    async def test_who_has_left_is_refused_as_everywhere(self, study: Study) -> None:
        clara = await begins(study)
        await well(clara)
        await clara.taps("report.answer.none")
        await clara.says("/menu")
        menu = clara.phone.last
        await clara.taps("menu.button.checkin")
        answered = clara.phone.last
        await withdraw(clara)
        for message, key in ((menu, "menu.button.checkin"), (answered, "checkin.button.another")):
            sees = Watch(clara)
            await clara.phone.taps_on(message, clara.label(key))
            await study.stage.settle()
            assert sees.last("menu.not_on_study"), key
        assert len(await rows(study.stage, Response)) == 1

    async def test_a_danger_in_it_acts_at_once(self, study: Study) -> None:
        await study.clara.says("/menu")
        await study.clara.taps("menu.button.checkin", "report.trouble.bleeding")
        sees = Watch(study.clara)
        await study.pass_time(minutes=10)
        assert sees.read("report.silence.red")
        assert (await symptom_case(study.stage, "S-003")).urgency == Urgency.RED_COME

    async def test_left_in_the_middle_it_is_closed_some_days_later(self, study: Study) -> None:
        await study.clara.says("/menu")
        await study.clara.taps("menu.button.checkin", "report.answer.none", "checkin.severity.0")
        await study.pass_time(days=study.stage.deps.protocol.checkin.useful_days, hours=12)
        (response,) = await rows(study.stage, Response)
        assert (response.submitted_at is not None, response.because) == (True, ["unfinished"])

    async def test_nobody_is_asked_on_a_day_on_which_they_have_answered(self, study: Study) -> None:
        await study.stage.until(week(0, hours=-3))
        await study.clara.says("/menu")
        await study.clara.taps("menu.button.checkin", "report.answer.none")
        await well(study.clara)
        await study.clara.taps("report.answer.none")
        sees, other = Watch(study.clara), Watch(study.boris)
        await study.stage.until(week(0, hours=5))
        assert (sees.count("checkin.ask"), other.count("checkin.ask")) == (0, 1)
        await study.stage.until(week(1, hours=1))
        assert sees.count("checkin.ask") == 1, "the next week comes as always"

    async def test_the_offer_goes_on_with_one_that_was_begun(self, study: Study) -> None:
        await study.stage.until(week(0, hours=-20))
        await study.clara.says("/menu")
        await study.clara.taps("menu.button.checkin", "report.answer.none", "checkin.severity.0")
        sees = Watch(study.clara)
        await study.stage.until(week(0, hours=0.1))
        assert (sees.count("checkin.ask"), sees.count("checkin.go_on")) == (0, 1)
        await study.clara.taps("checkin.button.begin")
        assert sees.last("checkin.nausea.frequency")
        assert len(await rows(study.stage, Response)) == 1

    async def test_who_answers_of_their_own_accord_has_missed_none(self, study: Study) -> None:
        await study.stage.until(week(0, hours=24 * 4))
        await study.clara.taps("checkin.button.begin")  # Too late for that one, and the button is there.
        await study.clara.taps("menu.button.checkin", "report.answer.none")
        await well(study.clara)
        await study.clara.taps("report.answer.none")
        await study.stage.until(week(1, hours=24 * 5))
        assert await tasks(study, "reach.checkins") == []
        await study.stage.until(week(2, hours=24 * 5))
        assert await tasks(study, "reach.checkins") == [Urgency.YELLOW]

    async def test_silence_after_a_worrying_one_of_their_own_accord_is_told_once(self, study: Study) -> None:
        await study.clara.says("/menu")
        await study.clara.taps("menu.button.checkin", "report.answer.none", "checkin.severity.3")
        await study.clara.taps("checkin.interference.1")
        await well(study.clara, "fatigue")
        await study.clara.taps("report.answer.none")
        await study.stage.until(week(0, hours=24 * 4))
        case = await symptom_case(study.stage, "S-003")
        assert "P03-unanswered-after-amber" in case.because
        told = case.summary
        await study.stage.until(week(1, hours=24 * 4))
        assert (await symptom_case(study.stage, "S-003")).summary == told


class TestGoingOn:
    async def test_it_goes_on_at_the_next_question_after_a_restart_and_a_day(
        self, study: Study, world: World
    ) -> None:
        clara = await begins(study)
        await clara.taps("checkin.severity.0")
        await world.restart()
        sees = Watch(clara)
        await study.stage.until(week(0, hours=24.5))
        assert sees.read("checkin.go_on")
        await clara.taps("checkin.button.begin")
        assert sees.last("checkin.nausea.frequency")
        assert len(await rows(study.stage, Response)) == 1

    async def test_a_change_of_language_shows_the_open_question_again(self, study: Study) -> None:
        clara = await begins(study)
        await clara.taps("checkin.severity.0")
        sees = Watch(clara)
        await in_language(clara, "en")
        clara.locale = "en"
        assert sees.last("checkin.nausea.frequency")
        await clara.taps("checkin.frequency.0")
        assert sees.last("checkin.diarrhoea.frequency")

    async def test_a_change_of_language_in_a_report_shows_its_question_again(self, study: Study) -> None:
        await study.clara.taps("menu.button.unwell", "report.trouble.fever")
        sees = Watch(study.clara)
        await in_language(study.clara, "en")
        study.clara.locale = "en"
        assert sees.last("report.fever.place.ask")

    async def test_the_offer_of_a_check_in_answers_only_once(self, study: Study) -> None:
        clara = await begins(study)
        await well(clara)
        await clara.taps("report.answer.none")
        sees = Watch(clara)
        offer = next(
            message for message in reversed(clara.seen) if clara.label("checkin.button.begin") in message.labels
        )
        await clara.phone.taps_on(offer, clara.label("checkin.button.begin"))
        await study.stage.settle()
        assert sees.toasted("toast.already_recorded")
        (row,) = [each for each in await rows(study.stage, Checkin) if each.subject_id == 3]
        assert row.response_id is not None
