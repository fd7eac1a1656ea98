"""What follows a report: details that wait for nobody, what was recorded, and corrections of it."""

import json

import pytest

from bot.domain.urgency import Urgency
from bot.protocol.load import bundled
from bot.store.models import Answer, Escalation, EscalationStep, OutboxMessage, Response
from bot.story.people import Person
from tests.people import Study
from tests.stories.scenes import (
    CALL_120,
    GO_TO_HOSPITAL,
    Watch,
    cases,
    in_language,
    last_response,
    rows,
    symptom_case,
    withdraw,
)

PAINLESS = (
    "menu.button.unwell",
    "report.trouble.stomach",
    "report.stomach.what.nausea",
    "report.button.nothing_else",
)


async def feels_sick(study: Study) -> None:
    """Let Boris report nausea and nothing else, which is yellow."""
    await study.boris.taps(*PAINLESS, "report.answer.none")


async def values(study: Study, item: str) -> list[object]:
    return [json.loads(row.value) for row in await rows(study.stage, Answer, item=item)]


class TestDetails:
    async def test_they_come_after_the_patient_was_told_what_to_do(self, study: Study) -> None:
        sees = Watch(study.boris)
        await feels_sick(study)
        assert sees.read("triage.yellow.next_working_day")
        assert sees.last("report.onset.ask")
        assert (await last_response(study.stage)).submitted_at is not None
        assert (await symptom_case(study.stage, "S-002")).urgency == Urgency.YELLOW

    async def test_they_are_added_to_the_case_and_page_nobody(self, study: Study) -> None:
        await study.boris.taps(*PAINLESS[:2], "report.stomach.what.diarrhoea", "report.button.nothing_else")
        await study.boris.taps("report.stomach.amount.diarrhoea_4", "report.answer.none")
        doctor, sees = Watch(study.doctor), Watch(study.boris)
        await study.boris.taps("report.onset.yesterday", "report.going_on.still", "report.done.other")
        await study.boris.says("喝了点盐水")
        assert doctor.new == []
        assert sees.last("report.recorded")
        await study.doctor.taps("case.button.open")
        card = doctor.texts[-1]
        for key in ("report.onset.yesterday", "report.going_on.still"):
            assert study.doctor.label(key) in card
        assert "喝了点盐水" in card

    async def test_each_can_be_skipped_and_all_can_be_left(self, study: Study) -> None:
        await feels_sick(study)
        sees = Watch(study.boris)
        await study.boris.taps("report.button.skip")
        assert sees.last("report.going_on.ask")
        await study.boris.taps("report.button.enough")
        assert sees.last("report.recorded")
        assert await values(study, "onset") == []

    async def test_silence_there_is_just_silence(self, study: Study) -> None:
        await feels_sick(study)
        sees = Watch(study.boris)
        await study.pass_time(hours=1)
        assert not sees.read("report.silence.red")
        assert not sees.read("report.silence.other")

    async def test_a_red_report_asks_for_none(self, study: Study) -> None:
        sees = Watch(study.anna)
        await study.anna.taps("menu.button.unwell", "report.trouble.sudden", "report.sudden.what.seizure")
        assert sees.read(CALL_120)
        assert not sees.read("report.onset.ask")

    @pytest.mark.parametrize(
        ("typed", "reply", "kept"),
        [
            pytest.param("11月1日", "report.going_on.ask", ["2026-11-01"], id="a day"),
            pytest.param("2026-11-05", "report.onset.ask", [], id="a day to come"),
            pytest.param("2026-08-01", "form.is_it", [], id="long ago is asked back"),
        ],
    )
    async def test_the_day_of_the_beginning_is_understood_when_it_is_typed(
        self, study: Study, typed: str, reply: str, kept: list[object]
    ) -> None:
        await feels_sick(study)
        sees = Watch(study.boris)
        await study.boris.says(typed)
        assert sees.last(reply)
        assert await values(study, "onset") == kept

    async def test_a_day_long_ago_is_kept_when_it_is_right(self, study: Study) -> None:
        await feels_sick(study)
        await study.boris.answers("2026-08-01", "=form.button.yes")
        assert await values(study, "onset") == ["2026-08-01"]

    async def test_words_that_are_no_day_reach_people(self, study: Study) -> None:
        await feels_sick(study)
        sees = Watch(study.boris)
        await study.boris.says("护士在吗")
        assert sees.last("speak.passed_on")

    async def test_words_of_the_next_day_are_no_answer_to_it(self, study: Study) -> None:
        await feels_sick(study)
        await study.pass_time(hours=20)
        await study.boris.says("11月1日")
        assert await values(study, "onset") == []

    async def test_danger_words_there_are_answered_as_everywhere(self, study: Study) -> None:
        await feels_sick(study)
        sees = Watch(study.boris)
        await study.boris.says("我胸口痛")
        assert sees.first(CALL_120)


class TestCorrections:
    @pytest.mark.req("DI-03")
    async def test_a_more_urgent_answer_acts_at_once(self, study: Study) -> None:
        await feels_sick(study)
        await study.boris.taps("report.button.enough", "report.button.correct", "report.short.stomach_what")
        sees, doctor = Watch(study.boris), Watch(study.doctor)
        await study.boris.taps("report.stomach.what.severe_pain")
        assert sees.first(GO_TO_HOSPITAL)
        assert doctor.first("case.page")
        assert study.doctor.label("report.stomach.what.nausea") in doctor.texts[0], "what was said before"
        assert study.doctor.label("report.stomach.what.severe_pain") in doctor.texts[0], "what is said now"
        assert await values(study, "stomach_what") == [["nausea"], ["severe_pain"]]

    @pytest.mark.req("DI-03")
    async def test_a_less_urgent_answer_lowers_nothing_and_is_told_to_who_took_over(self, study: Study) -> None:
        await study.boris.taps(*PAINLESS[:2], "report.stomach.what.diarrhoea", "report.button.nothing_else")
        await study.boris.taps("report.stomach.amount.diarrhoea_4", "report.answer.none", "report.button.enough")
        await study.doctor.taps("case.button.acknowledge")
        sees, doctor = Watch(study.boris), Watch(study.doctor)
        await study.boris.taps("report.button.correct", "report.short.stomach_amount", "report.stomach.amount.fewer")
        assert sees.read("report.corrected")
        assert sees.last("report.recorded")
        case = await symptom_case(study.stage, "S-002")
        assert (case.urgency, case.state) == ("amber", "acknowledged")
        assert study.doctor.label("report.stomach.amount.diarrhoea_4") in doctor.texts[-1]
        assert study.doctor.label("report.stomach.amount.fewer") in doctor.texts[-1]
        steps = [step.what for step in await rows(study.stage, EscalationStep, escalation_id=case.id)]
        assert "corrected" in steps

    async def test_another_answer_leads_to_other_questions(self, study: Study) -> None:
        await feels_sick(study)
        await study.boris.taps("report.button.enough", "report.button.correct", "report.short.trouble")
        sees = Watch(study.boris)
        await study.boris.taps("report.trouble.headache")
        assert sees.last("report.headache.signs.ask")
        await study.boris.taps("report.answer.none", "report.severity.mild")
        assert sees.read("report.corrected") or sees.read("triage.amber.contact") or sees.read(GO_TO_HOSPITAL)
        response = await last_response(study.stage)
        assert response.submitted_at is not None
        assert len(await rows(study.stage, Response)) == 1

    async def test_silence_in_the_middle_of_a_correction_is_looked_at(self, study: Study) -> None:
        await feels_sick(study)
        await study.boris.taps("report.button.enough", "report.button.correct", "report.short.trouble")
        await study.boris.taps("report.trouble.fever")
        sees = Watch(study.boris)
        await study.pass_time(minutes=10)
        assert sees.read("report.silence.red")

    async def test_a_detail_can_be_corrected_too(self, study: Study) -> None:
        await feels_sick(study)
        await study.boris.taps("report.onset.today", "report.button.enough")
        await study.boris.taps("report.button.correct", "report.short.onset", "report.onset.week")
        assert await values(study, "onset") == ["today", "week"]
        await study.boris.taps("report.button.correct", "report.short.onset")
        await study.boris.says("11月1日")
        assert await values(study, "onset") == ["today", "week", "2026-11-01"]

    async def test_nothing_has_to_be_corrected(self, study: Study) -> None:
        await feels_sick(study)
        await study.boris.taps("report.button.enough", "report.button.correct")
        sees = Watch(study.boris)
        await study.boris.taps("report.button.leave")
        assert sees.last("report.left")

    async def test_after_some_days_it_can_not_be_corrected_here(self, study: Study) -> None:
        await feels_sick(study)
        await study.boris.taps("report.button.enough")
        await study.pass_time(days=bundled().correct_days)
        sees = Watch(study.boris)
        await study.boris.taps("report.button.correct")
        assert sees.read("refused.too_late_to_correct"), (sees.texts, sees.toasts)
        assert await cases(study.stage, "S-002", kind="symptom") != []

    async def test_an_old_question_of_a_correction_corrects_nothing_twice(self, study: Study) -> None:
        await feels_sick(study)
        await study.boris.taps("report.onset.today", "report.button.enough")
        await study.boris.taps("report.button.correct", "report.short.onset")
        first = study.boris.phone.last
        await study.boris.taps("report.button.correct", "report.short.onset", "report.onset.week")
        sees = Watch(study.boris)
        await study.boris.phone.taps_on(first, study.boris.label("report.onset.yesterday"))
        await study.stage.settle()
        assert sees.toasted("toast.already_recorded")
        assert await values(study, "onset") == ["today", "week"]

    async def test_the_score_before_is_the_corrected_one(self, study: Study) -> None:
        from tests.stories.test_checkins import begins, well

        clara = await begins(study)
        await well(clara)
        await clara.taps("report.answer.none")
        await clara.taps("report.button.correct", "report.short.nausea_frequency", "checkin.frequency.1")
        await clara.taps("checkin.severity.1")
        assert await cases(study.stage, "S-003", kind="symptom") == []
        await begins(study, 1)
        await clara.taps("checkin.severity.0", "checkin.frequency.2", "checkin.severity.1")
        assert await cases(study.stage, "S-003", kind="symptom") == []


FEVER = ("menu.button.unwell", "report.trouble.fever", "report.fever.place.axillary")


class TestAfterAnEmergency:
    async def test_what_was_recorded_comes_later_quietly_and_can_be_corrected(self, study: Study) -> None:
        sees = Watch(study.anna)
        await study.anna.taps("menu.button.unwell", "report.trouble.sudden", "report.sudden.what.seizure")
        await study.pass_time(minutes=50)
        assert sees.read(CALL_120)
        assert not sees.read("report.later"), "the emergency text stands alone for a while"
        assert not sees.read("report.recorded")
        await study.pass_time(minutes=15)
        assert sees.last("report.later")
        (message,) = await rows(study.stage, OutboxMessage, text_key="report.later")
        assert message.silent
        await study.doctor.taps("case.button.acknowledge")
        doctor, sees = Watch(study.doctor), Watch(study.anna)
        await study.anna.taps("report.button.show")
        assert sees.last("report.recorded")
        assert study.anna.label("report.sudden.what.seizure") in sees.texts[-1]
        assert doctor.new == []

    @pytest.mark.req("DI-03")
    async def test_a_correction_lowers_and_closes_nothing_and_staff_read_both(self, study: Study) -> None:
        await study.anna.taps(*FEVER)
        await study.anna.says("38.6")
        await study.anna.taps("report.answer.none")
        await study.pass_time(minutes=65)
        await study.doctor.taps("case.button.acknowledge")
        doctor, sees = Watch(study.doctor), Watch(study.anna)
        await study.anna.taps("report.button.show", "report.button.correct", "report.short.temperature_c")
        await study.anna.says("36.8")
        assert sees.read("report.corrected")
        assert sees.last("report.recorded")
        case = await symptom_case(study.stage)
        assert (case.urgency, case.state) == (Urgency.RED_COME, "acknowledged")
        assert (await last_response(study.stage)).urgency == Urgency.RED_COME
        assert await values(study, "temperature_c") == [38.6, 36.8]
        assert "38.6" in doctor.texts[-1]
        assert "36.8" in doctor.texts[-1]

    @pytest.mark.req("DI-03")
    async def test_paging_goes_on_although_the_patient_corrects(self, study: Study) -> None:
        await study.anna.taps(*FEVER)
        await study.anna.says("38.6")
        await study.anna.taps("report.answer.none")
        await study.pass_time(minutes=65)
        await study.anna.taps("report.button.show", "report.button.correct", "report.short.temperature_c")
        await study.anna.says("36.8")
        doctor = Watch(study.doctor)
        await study.pass_time(minutes=6)
        assert doctor.read("case.page"), "nobody has taken over"

    async def test_another_danger_of_the_same_urgency_is_told_and_paged(self, study: Study) -> None:
        await study.anna.taps("menu.button.unwell", "report.trouble.sudden", "report.sudden.what.seizure")
        await study.pass_time(minutes=65)
        await study.anna.taps("report.button.show", "report.button.correct", "report.short.sudden_what")
        sees, doctor = Watch(study.anna), Watch(study.doctor)
        await study.anna.taps("report.sudden.what.face_arm_speech")
        assert sees.first("triage.red_120.stroke"), sees.texts
        assert doctor.new

    async def test_silence_that_was_red_is_shown_later_as_well(self, study: Study) -> None:
        await study.anna.taps(*FEVER)
        sees = Watch(study.anna)
        await study.pass_time(minutes=10)
        assert sees.read("report.silence.red")
        await study.pass_time(minutes=65)
        assert sees.last("report.later")

    async def test_a_check_in_that_turned_red_is_shown_later(self, study: Study) -> None:
        from tests.stories.test_checkins import begins, week, well

        clara = await begins(study)
        await well(clara, "mood")
        await clara.taps("checkin.frequency.1", "form.button.yes")
        sees = Watch(clara)
        await study.pass_time(minutes=65)
        assert sees.last("report.later")
        await clara.taps("report.button.show")
        assert clara.label("report.short.mood_dying") in sees.texts[-1]
        assert week(0) < study.stage.clock.now()

    async def test_it_waits_for_the_morning_and_ends_with_the_participation(self, study: Study) -> None:
        await study.pass_time(hours=14)
        for each in (study.anna, study.clara):
            await each.says("/menu")
            await each.taps("menu.button.unwell", "report.trouble.sudden", "report.sudden.what.seizure")
        anna, clara = Watch(study.anna), Watch(study.clara)
        await withdraw(study.clara)
        await study.pass_time(hours=3)
        assert not anna.read("report.later")
        await study.pass_time(hours=9)
        assert anna.read("report.later")
        assert not clara.read("report.later")


class TestOddTemperatures:
    @pytest.mark.parametrize(
        "typed",
        [pytest.param("35.2", id="low"), pytest.param("97", id="Fahrenheit"), pytest.param("365", id="no dot")],
    )
    @pytest.mark.parametrize("right", [True, False])
    async def test_an_odd_one_is_asked_back_in_a_correction_too(
        self, study: Study, locale: str, typed: str, right: bool
    ) -> None:
        boris = await in_language(study.boris, locale)
        await _had_no_fever(boris)
        await boris.taps("report.button.correct", "report.short.temperature_c")
        sees = Watch(boris)
        await boris.says(typed)
        assert sees.last("form.is_it"), sees.texts
        if right:
            await boris.taps("form.button.yes")
        else:
            await boris.taps("form.button.no")
            assert sees.last("report.fever.temperature.ask")
            await boris.says("36.9")
        assert sees.last("report.recorded"), sees.texts
        assert sees.read("report.corrected")
        kept = await values(study, "temperature_c")
        assert kept[0] == 36.6
        assert (len(kept), kept[-1] == 36.9) == ((2, False) if right else (3, True))

    @pytest.mark.parametrize("typed", ["3.9", "42.8", "28"])
    async def test_one_that_cannot_be_is_asked_again_and_corrects_nothing(
        self, study: Study, locale: str, typed: str
    ) -> None:
        boris = await in_language(study.boris, locale)
        await _had_no_fever(boris)
        await boris.taps("report.button.correct", "report.short.temperature_c")
        sees = Watch(boris)
        await boris.says(typed)
        assert sees.last("report.fever.temperature.ask"), sees.texts
        assert boris.label("report.button.leave") in boris.phone.last.labels
        await boris.says("36.9")
        assert sees.last("report.recorded"), sees.texts
        assert await values(study, "temperature_c") == [36.6, 36.9]

    async def test_a_fever_is_not_asked_back(self, study: Study) -> None:
        await _had_no_fever(study.boris)
        await study.boris.taps("report.button.correct", "report.short.temperature_c")
        sees = Watch(study.boris)
        await study.boris.says("41.9")
        assert sees.first(GO_TO_HOSPITAL)
        assert not sees.read("form.is_it")
        assert [case.urgency for case in await rows(study.stage, Escalation, kind="symptom")] == [Urgency.RED_COME]


async def _had_no_fever(someone: Person) -> None:
    await someone.says("/menu")
    await someone.taps(*FEVER)
    await someone.says("36.6")
    await someone.taps("report.answer.none", "report.button.enough")
