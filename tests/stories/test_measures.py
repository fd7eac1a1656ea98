"""Patients report readings, staff enter, look at and correct values; what is urgent is answered at once."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from bot.domain.escalation import CaseState
from bot.domain.roles import Role
from bot.store.models import AuditEntry, Escalation, EscalationStep, Measurement, Response, Weight
from bot.story.people import Person
from bot.story.stage import Stage
from tests.people import Study, staff, study
from tests.stories.scenes import (
    CALL_120,
    GO_TO_HOSPITAL,
    Watch,
    cases,
    in_language,
    plant,
    rows,
    sends_content,
    symptom_case,
)

Shown = tuple[str, str, str | None, bool]


async def values(stage: Stage) -> list[Shown]:
    """Return what is kept: measure, value, urgency, and whether staff stand for it."""
    found = await rows(stage, Measurement)
    return [(each.measure, f"{each.value.normalize():f}", each.urgency, each.verified) for each in found]


async def reads(someone: Person, what: str, *answers: str) -> Watch:
    """Let a patient report a reading from the menu."""
    await someone.says("/menu")
    await someone.taps("menu.button.reading", f"reading.what.{what}")
    sees = Watch(someone)
    await someone.answers(*answers)
    return sees


async def enters(nurse: Person, code: str, message: str, transfused: str | None = "none") -> None:
    """Let staff enter the values of today up to the summary."""
    await nurse.says(f"/labs {code}")
    await nurse.taps("labs.button.enter")
    await nurse.says("2026-11-02")
    await nurse.says(message)
    if transfused is not None:
        await nurse.taps(f"labs.transfused.{transfused}")


class TestReadings:
    async def test_an_ordinary_reading_is_recorded_and_nothing_is_said_of_what_it_means(
        self, study: Study, locale: str
    ) -> None:
        anna = await in_language(study.anna, locale)
        sees = await reads(anna, "temperature_c", "=reading.place.axillary", "36.6")
        assert await values(study.stage) == [("temperature_c", "36.6", "green", False)]
        assert "36.6" in sees.texts[-1]
        assert anna.read("triage.green.recorded")
        assert await cases(study.stage) == []

    async def test_a_fever_is_answered_at_once_and_pages(self, study: Study, locale: str) -> None:
        anna, doctor = await in_language(study.anna, locale), Watch(study.doctor)
        await reads(anna, "temperature_c", "=reading.place.oral", "38.6")
        assert anna.read(GO_TO_HOSPITAL)
        assert doctor.first("case.page")
        case = await symptom_case(study.stage)
        assert (case.urgency, case.because[0]) == ("red_come", "T01-fever-oral-ear-forehead")
        assert "38.6" in doctor.texts[0]
        assert study.doctor.label("measure.unverified") in doctor.texts[0]
        assert anna.read("triage.paged"), "the patient has part in this case"

    @pytest.mark.parametrize(
        ("typed", "celsius"),
        [("38度5", "38.5"), ("三十八度六", "38.6"), ("101.5F", "38.6"), ("385", "38.5")],
    )
    async def test_a_fever_is_not_held_up_by_how_it_is_written(self, study: Study, typed: str, celsius: str) -> None:
        await reads(study.anna, "temperature_c", "=reading.place.unsure", typed)
        assert study.anna.read(GO_TO_HOSPITAL)
        assert await values(study.stage) == [("temperature_c", celsius, "red_come", False)]

    async def test_what_is_converted_is_asked_back_and_kept_meanwhile(self, study: Study) -> None:
        sees = await reads(study.anna, "pressure", "16/10.7")
        assert sees.last("form.is_it")
        assert "120/80 mmHg" in sees.texts[-1]
        assert "16/10.7" in sees.texts[-1]
        assert await values(study.stage) == [("systolic", "120", None, False), ("diastolic", "80", None, False)]
        await study.anna.taps("form.button.yes")
        assert [each[2] for each in await values(study.stage)] == ["green", "green"]

    async def test_what_was_not_meant_is_taken_out_and_asked_for_again(self, study: Study) -> None:
        await reads(study.anna, "pressure", "80/120", "=form.button.no", "128/76")
        kept = await rows(study.stage, Measurement)
        assert [(each.measure, each.version, each.void) for each in kept] == [
            ("systolic", 1, False),
            ("diastolic", 1, False),
            ("systolic", 2, True),
            ("diastolic", 2, True),
            ("systolic", 1, False),
            ("diastolic", 1, False),
        ]
        assert await cases(study.stage) == []

    async def test_what_cannot_be_is_refused_and_asked_again(self, study: Study) -> None:
        sees = await reads(study.boris, "pressure", "1280/76", "128")
        assert sees.read("input.pressure.two_numbers")
        assert await values(study.stage) == []
        await study.boris.says("128/76")
        assert len(await values(study.stage)) == 2

    async def test_feeling_unwell_beside_a_very_high_pressure_is_an_emergency(self, study: Study) -> None:
        sees = await reads(study.boris, "pressure", "185/110", "=form.button.yes")
        assert sees.last("reading.ask.signs")
        assert await cases(study.stage, "S-002") == []
        await study.boris.taps("form.button.yes")
        assert study.boris.read(CALL_120)
        assert (await symptom_case(study.stage, "S-002")).urgency == "red_120"

    async def test_without_symptoms_it_is_measured_again_and_staff_hear_of_it(self, study: Study) -> None:
        await reads(study.boris, "pressure", "185/95", "=form.button.yes", "=form.button.no")
        assert study.boris.read("triage.amber.pressure_again")
        assert (await symptom_case(study.stage, "S-002")).urgency == "amber"
        await study.pass_time(minutes=5)
        await reads(study.boris, "pressure", "188/95", "=form.button.yes", "=form.button.no")
        assert "V10-pressure-twice" in (await symptom_case(study.stage, "S-002")).because

    async def test_no_answer_in_ten_minutes_counts_as_a_yes(self, study: Study) -> None:
        await reads(study.boris, "pressure", "185/110", "=form.button.yes")
        await study.pass_time(minutes=9)
        assert await cases(study.stage, "S-002") == []
        await study.pass_time(minutes=2)
        assert study.boris.read("report.silence.red")
        assert (await symptom_case(study.stage, "S-002")).urgency == "red_120"
        sees = Watch(study.boris)
        await study.boris.taps("form.button.yes")
        assert sees.read("refused.dialogue_ended"), "it was judged already"

    async def test_a_doubt_that_nobody_cleared_is_judged_as_it_was_read(self, study: Study) -> None:
        await reads(study.boris, "pulse", "48")
        await study.pass_time(minutes=11)
        assert await values(study.stage) == [("pulse", "48", "amber", False)]
        assert (await symptom_case(study.stage, "S-002")).urgency == "amber"

    async def test_danger_words_beside_the_number_come_first_and_the_number_is_kept(self, study: Study) -> None:
        sees = await reads(study.anna, "weight", "60公斤，我胸口痛")
        assert sees.first(CALL_120)
        assert [each[:2] for each in await values(study.stage)] == [("weight", "60")]

    async def test_danger_words_without_a_number_leave_the_question_open(self, study: Study) -> None:
        sees = await reads(study.boris, "pulse", "I have chest pain")
        assert sees.first(CALL_120)
        await study.boris.says("72")
        assert [each[:2] for each in await values(study.stage)] == [("pulse", "72")]

    async def test_low_oxygen_calls_120(self, study: Study) -> None:
        await reads(study.boris, "spo2", "88")
        assert study.boris.read(CALL_120)

    async def test_a_weight_far_from_the_last_one_is_asked_back(self, study: Study) -> None:
        sees = await reads(study.anna, "weight", "66公斤")
        assert sees.last("form.is_it")

    async def test_nobody_else_answers_for_a_reading(self, study: Study) -> None:
        await reads(study.boris, "pulse", "48")
        (row,) = await rows(study.stage, Measurement)
        await plant(study.stage, study.anna, ["reading.right"], {"o": row.occasion, "yes": True})
        sees = Watch(study.anna)
        await study.anna.presses("reading.right")
        assert sees.read("refused.dialogue_ended")


class TestEntering:
    async def test_a_days_values_in_one_message(self, study: Study, locale: str) -> None:
        nurse, anna = await in_language(study.coordinator, locale), Watch(study.anna)
        message = {"en": "Hb 75 PLT 60 ANC 1.4", "zh": "血红蛋白75 血小板60 中性粒1.4"}[locale]
        await enters(nurse, "S-001", message)
        assert nurse.read("labs.summary")
        await nurse.taps("form.button.save")
        assert await values(study.stage) == [
            ("hb", "75", "amber", True),
            ("plt", "60", "green", True),
            ("anc", "1.4", "green", True),
        ]
        assert nurse.read("labs.raised")
        assert anna.new == [], "staff tell the patient, not the bot"

    async def test_doubtful_ones_are_shown_with_how_they_were_read(self, study: Study) -> None:
        nurse = study.coordinator
        await enters(nurse, "S-003", "Hb 9.5 PLT 5万", None)
        asked = nurse.phone.last.text
        assert [part for part in ("hb 9.5", "95 g/L", "50 ×10⁹/L") if part not in asked] == []
        await nurse.answers("=form.button.yes", "=labs.transfused.none", "=form.button.save")
        assert [each[:2] for each in await values(study.stage)] == [("hb", "95"), ("plt", "50")]

    async def test_what_could_not_be_read_is_asked_for_alone(self, study: Study) -> None:
        nurse = study.coordinator
        await enters(nurse, "S-003", "Hb 95 PLT 三万多 NEUT% 45", None)
        assert "plt 三万多" in nurse.phone.last.text
        await nurse.answers("PLT 35", "=labs.transfused.none")
        assert "neut% 45" in nurse.phone.last.text, "what is not kept is shown"
        await nurse.taps("form.button.save")
        assert [each[:2] for each in await values(study.stage)] == [("hb", "95"), ("plt", "35")]

    async def test_few_platelets_page_the_doctor_and_the_patient_hears_nothing_from_the_bot(
        self, study: Study
    ) -> None:
        sees, doctor = Watch(study.anna), Watch(study.doctor)
        await enters(study.coordinator, "S-001", "PLT 8")
        await study.coordinator.taps("form.button.save")
        assert doctor.first("case.page")
        await study.doctor.taps("case.button.acknowledge")
        assert sees.new == []
        assert (await symptom_case(study.stage)).because == ["L20-plt-critical", "L21-plt-low", "L23-plt"]

    async def test_a_yellow_flag_alone_opens_no_case(self, study: Study) -> None:
        await enters(study.coordinator, "S-003", "PLT 40")
        await study.coordinator.taps("form.button.save")
        assert await values(study.stage) == [("plt", "40", "yellow", True)]
        assert await cases(study.stage, "S-003") == []

    async def test_an_old_value_is_flagged_and_alarms_nobody(self, study: Study) -> None:
        nurse = study.coordinator
        await nurse.says("/labs S-003")
        await nurse.taps("labs.button.enter")
        await nurse.answers("2026-10-11", "PLT 8", "=labs.transfused.none", "=form.button.save")
        assert await values(study.stage) == [("plt", "8", "red_come", True)]
        assert await cases(study.stage, "S-003") == []

    async def test_bleeding_reported_before_makes_few_platelets_red(self, study: Study) -> None:
        await study.boris.says("/unwell")
        await study.boris.taps("report.trouble.bleeding", "report.bleeding.where.nose", "report.bleeding.now.still")
        await study.boris.taps("report.answer.none")
        await enters(study.coordinator, "S-002", "PLT 15")
        await study.coordinator.taps("form.button.save")
        assert (await rows(study.stage, Measurement))[-1].urgency == "red_come"

    async def test_the_photo_of_a_slip_leads_to_its_values(self, study: Study) -> None:
        photo = [{"file_id": "a", "file_unique_id": "a", "width": 9, "height": 9}]
        await sends_content(study.clara, photo=photo, text=None)
        nurse = study.coordinator
        await nurse.taps("case.button.open", "case.button.enter_values")
        await nurse.answers("2026-11-02", "Hb 95", "=labs.transfused.none", "=form.button.save")
        (row,) = await rows(study.stage, Measurement)
        assert (row.source, row.verified, row.evidence_id) == ("slip", True, 1)

    @pytest.mark.parametrize("kind", ["cbc", "ferritin"])
    async def test_a_visit_that_is_recorded_leads_to_its_values_and_knows_the_day(
        self, study: Study, locale: str, kind: str
    ) -> None:
        nurse = await in_language(study.coordinator, locale)
        await nurse.says("/patient S-001")
        await nurse.presses(nurse.label(f"visit.short.{kind}"))
        await nurse.taps("visit.button.done")
        await nurse.says("2026-11-01")
        if nurse.label("reason.medical") in nurse.phone.last.labels:
            await nurse.taps("reason.medical")
        await nurse.taps("visit.button.enter_values")
        await nurse.answers("PLT 60", "=labs.transfused.none", "=form.button.save")
        (row,) = await rows(study.stage, Measurement)
        assert (row.source, row.taken_on) == ("staff", date(2026, 11, 1))

    async def test_another_visit_leads_to_no_values(self, study: Study) -> None:
        nurse = study.coordinator
        await nurse.says("/patient S-002")
        await nurse.presses(nurse.label("visit.short.injection"))
        await nurse.taps("visit.button.done")
        sees = Watch(nurse)
        await nurse.says("2026-11-02")
        assert all(nurse.label("visit.button.enter_values") not in each.labels for each in sees.new)

    async def test_very_few_neutrophils_and_a_low_filtration_rate_are_told_the_same_day(self, study: Study) -> None:
        doctor = Watch(study.doctor)
        await enters(study.coordinator, "S-003", "ANC 0.19 eGFR 39", None)
        await study.coordinator.taps("form.button.save")
        case = await symptom_case(study.stage, "S-003")
        assert case.urgency == "amber"
        assert {"L31-anc-very-low", "L61-egfr-low"} <= set(case.because)
        assert doctor.first("case.page")

    async def test_a_verified_weight_is_the_subjects_weight(self, study: Study) -> None:
        await enters(study.coordinator, "S-003", "体重 57.5", None)
        await study.coordinator.taps("form.button.save")
        assert [each.kg for each in await rows(study.stage, Weight)][-1] == Decimal("57.5")

    async def test_a_monitor_reads_and_enters_nothing(self, study: Study) -> None:
        await enters(study.coordinator, "S-003", "PLT 40")
        await study.coordinator.taps("form.button.save")
        monitor = await staff(study.stage, 42, "Monitor", Role.MONITOR)
        await monitor.says("/labs S-003")
        assert "PLT" in str(monitor.phone.last)
        assert monitor.label("labs.button.enter") not in str(monitor.phone.last)


class TestCounts:
    """The newest verified count of the last three weeks spares a report from being red; anything else does not."""

    @staticmethod
    async def falls(study: Study) -> Response:
        await study.clara.says("/unwell")
        await study.clara.taps("report.trouble.fall", "report.answer.no", "form.button.yes", "report.answer.none")
        return (await rows(study.stage, Response))[-1]

    async def test_without_a_count_a_fall_is_red(self, study: Study) -> None:
        assert (await self.falls(study)).urgency == "red_come"

    async def test_with_enough_platelets_it_is_not(self, study: Study) -> None:
        await enters(study.coordinator, "S-003", "PLT 80")
        await study.coordinator.taps("form.button.save")
        assert (await self.falls(study)).urgency == "yellow"

    async def test_a_count_of_three_weeks_ago_still_counts_and_an_older_one_does_not(self, study: Study) -> None:
        await enters(study.coordinator, "S-003", "PLT 80")
        await study.coordinator.taps("form.button.save")
        await study.stage.until(datetime.fromisoformat("2026-11-23T12:00:00+08:00"))
        assert (await self.falls(study)).urgency == "yellow"
        await study.stage.until(datetime.fromisoformat("2026-11-24T12:00:00+08:00"))
        assert (await self.falls(study)).urgency == "red_come"

    async def test_a_count_after_platelets_were_given_is_not_relied_on(self, study: Study) -> None:
        await enters(study.coordinator, "S-003", "PLT 80", "platelets")
        await study.coordinator.taps("form.button.save")
        assert (await self.falls(study)).urgency == "red_come"

    async def test_a_value_taken_out_is_none(self, study: Study) -> None:
        nurse = study.coordinator
        await enters(nurse, "S-003", "PLT 80")
        await nurse.taps("form.button.save", "labs.button.list")
        await nurse.presses("PLT 80")
        await nurse.taps("labs.button.correct", "labs.button.take_out", "reason.wrong_patient", "form.button.save")
        assert (await self.falls(study)).urgency == "red_come"


class TestCorrecting:
    @pytest.fixture
    async def low(self, study: Study) -> Study:
        """Give the study in which Anna's platelets were entered as 8 instead of 80."""
        await enters(study.coordinator, "S-001", "PLT 8")
        await study.coordinator.taps("form.button.save")
        return study

    @staticmethod
    async def correct(nurse: Person, value: str) -> None:
        await nurse.says("/labs S-001")
        await nurse.presses("PLT")
        await nurse.taps("labs.button.correct")
        await nurse.answers(value, "=reason.slip", "=form.button.save")

    @pytest.mark.req("DI-03")
    async def test_a_correction_keeps_the_first_value_and_withdraws_visibly(self, low: Study) -> None:
        doctor = Watch(low.doctor)
        await self.correct(low.coordinator, "80")
        kept = await rows(low.stage, Measurement)
        assert [(each.version, int(each.value), each.reason) for each in kept] == [(1, 8, None), (2, 80, "#slip")]
        case = await symptom_case(low.stage)
        assert case.state != CaseState.RESOLVED, "a person closes it"
        steps = await rows(low.stage, EscalationStep, escalation_id=case.id)
        assert "value corrected" in [each.what for each in steps]
        assert doctor.read("case.page.more")
        assert [part for part in ("Nurse", "80", "8 ×10⁹/L") if part not in doctor.texts[0]] == []
        assert "PLT 8 ×10⁹/L," not in doctor.texts[0], "what it told before is gone"

    async def test_a_correction_for_the_worse_raises(self, study: Study) -> None:
        # In the band of what is ordered, so that the dose is no question.
        await enters(study.coordinator, "S-001", "PLT 45")
        await study.coordinator.taps("form.button.save")
        assert await cases(study.stage) == []
        doctor = Watch(study.doctor)
        await self.correct(study.coordinator, "8")
        assert doctor.first("case.page")
        assert (await symptom_case(study.stage)).urgency == "red_come"

    async def test_whoever_comes_second_sees_how_it_stands(self, low: Study) -> None:
        for someone in (low.coordinator, low.doctor):
            await someone.says("/labs S-001")
            await someone.presses("PLT")
            await someone.taps("labs.button.correct")
            await someone.answers("80", "=reason.slip")
        await low.doctor.taps("form.button.save")
        sees = Watch(low.coordinator)
        await low.coordinator.taps("form.button.save")
        assert sees.first("labs.overtaken")
        assert len(await rows(low.stage, Measurement)) == 2

    async def test_staff_stand_for_what_a_patient_read(self, study: Study) -> None:
        await reads(study.boris, "pulse", "72")
        nurse = study.coordinator
        await nurse.says("/labs S-002")
        await nurse.presses("72/min")
        await nurse.taps("labs.button.verify")
        assert await values(study.stage) == [("pulse", "72", "green", False), ("pulse", "72", "green", True)]


@pytest.mark.req("DI-01")
async def test_readings_values_and_corrections_on_both_databases(both_stages: Stage) -> None:
    made = await study(both_stages)
    nurse = made.coordinator
    await reads(made.boris, "pressure", "165/95", "=form.button.yes")
    await enters(nurse, "S-002", "Hb 55 PLT <5 铁蛋白 >2000")
    await nurse.taps("form.button.save")
    await nurse.says("/labs S-002")
    await nurse.presses("PLT")
    await nurse.taps("labs.button.correct")
    await nurse.answers("50", "=reason.slip", "=form.button.save")
    kept = await rows(both_stages, Measurement)
    assert [(each.measure, each.sign, int(each.value)) for each in kept][-2:] == [
        ("ferritin", ">", 2000),
        ("plt", "", 50),
    ]
    assert [case.urgency for case in await rows(both_stages, Escalation)] == ["red_come"]
    assert "measurement.created" in {entry.what for entry in await rows(both_stages, AuditEntry)}
    await made.boris.says("/unwell")
    await made.boris.taps("report.trouble.fall", "report.answer.no", "form.button.yes", "report.answer.none")
    assert (await rows(both_stages, Response))[-1].urgency == "yellow"
