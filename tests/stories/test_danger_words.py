"""Danger comes first: from anybody, at any hour, in the middle of anything."""

from datetime import datetime

import pytest

from bot.domain.roles import Role
from bot.store.models import Doubt, Escalation
from tests.people import Study, begin, person, staff
from tests.stories.scenes import (
    CALL_120,
    CHEST_PAIN,
    Watch,
    caregiver,
    cases,
    clinical_rows,
    in_language,
    rows,
    symptom_case,
    withdraw,
)

AT_NIGHT = datetime.fromisoformat("2026-11-03T03:00:00+08:00")


async def test_a_patient_in_danger_reads_120_first_and_the_doctor_on_duty_is_paged(study: Study, locale: str) -> None:
    anna = await in_language(study.anna, locale)
    sees, doctor = Watch(anna), Watch(study.doctor)
    await anna.says(CHEST_PAIN[locale])
    assert sees.first(CALL_120)
    assert sees.last("triage.paged")
    assert doctor.first("case.page")
    assert "S-001" in doctor.texts[0]
    assert CHEST_PAIN[locale] in doctor.texts[0]


async def test_at_three_in_the_morning_nothing_waits_for_the_end_of_the_quiet_hours(study: Study) -> None:
    await study.stage.until(AT_NIGHT)
    sees, doctor = Watch(study.clara), Watch(study.doctor)
    await study.clara.says(CHEST_PAIN["zh"])
    assert sees.first(CALL_120)
    assert doctor.first("case.page")
    assert [message.at for message in (sees.new[0], doctor.new[0])] == [AT_NIGHT, AT_NIGHT]
    assert not doctor.new[0].silent


async def test_a_stranger_in_danger_reads_120_first_and_nobody_can_be_paged(study: Study, locale: str) -> None:
    passer_by = person(study.stage, 90, "Passer-by", locale)
    sees, doctor = Watch(passer_by), Watch(study.doctor)
    await passer_by.says(CHEST_PAIN[locale])
    assert sees.first(CALL_120)
    assert doctor.new == []
    assert await rows(study.stage, Escalation) == []


async def test_an_invited_patient_who_has_not_consented_is_helped_at_once(newcomers: Study) -> None:
    anna = newcomers.anna
    await anna.opens(await newcomers.link("S-001"))
    await anna.taps("language.zh")
    sees, doctor = Watch(anna), Watch(newcomers.doctor)
    await anna.says(CHEST_PAIN["zh"])
    assert sees.first(CALL_120)
    assert doctor.first("case.page")


@pytest.mark.req("DI-20")
async def test_a_patient_who_has_withdrawn_is_helped_at_once(study: Study) -> None:
    await withdraw(study.anna)
    sees, doctor = Watch(study.anna), Watch(study.doctor)
    await study.anna.says(CHEST_PAIN["zh"])
    assert sees.first(CALL_120)
    assert doctor.first("case.page")


async def test_a_caregiver_raises_the_alarm_for_the_patient(study: Study) -> None:
    daughter = await caregiver(study)
    sees, doctor = Watch(daughter), Watch(study.doctor)
    await daughter.says("胸口痛得厉害")
    assert sees.first(CALL_120)
    assert doctor.first("case.page")
    assert study.doctor.label("relation.caregiver") in doctor.texts[0]


async def test_a_caregiver_whom_the_patient_has_not_agreed_to_reads_120_and_nobody_is_paged(study: Study) -> None:
    daughter = person(study.stage, 31, "Daughter", "zh")
    await daughter.opens(await study.link("S-001", "caregiver"))
    sees = Watch(daughter)
    await daughter.says(CHEST_PAIN["zh"])
    assert sees.first(CALL_120)
    assert await rows(study.stage, Escalation) == []


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.INVESTIGATOR, Role.PI, Role.MONITOR, Role.ADMIN])
async def test_staff_outside_a_dialogue_are_shown_where_help_is(study: Study, role: Role) -> None:
    member = await staff(study.stage, 40, "Colleague", role, "zh")
    sees = Watch(member)
    await member.says(CHEST_PAIN["zh"])
    assert sees.first("speak.danger_not_enrolled")
    assert await rows(study.stage, Escalation) == []


async def test_danger_in_the_middle_of_the_reason_for_missed_tablets_comes_first(study: Study) -> None:
    await study.stage.until(datetime.fromisoformat("2026-11-02T18:00:00+08:00"))
    await study.anna.taps("tablets.button.not_today")
    sees, doctor = Watch(study.anna), Watch(study.doctor)
    await study.anna.says(CHEST_PAIN["zh"])
    assert sees.first(CALL_120)
    assert doctor.first("case.page")


async def test_danger_in_a_message_to_the_team_comes_first_and_is_passed_on_once(study: Study) -> None:
    await study.anna.taps("menu.button.team", "team.button.write")
    sees = Watch(study.anna)
    await study.anna.says(CHEST_PAIN["zh"])
    assert sees.first(CALL_120)
    assert [case.kind for case in await cases(study.stage)] == ["symptom"]
    await study.anna.says("谢谢")
    assert sees.last("speak.passed_on")


@pytest.mark.parametrize(
    "answered",
    [
        pytest.param((), id="the first question"),
        pytest.param(("report.trouble.fever", "report.fever.place.oral"), id="a number is asked"),
        pytest.param(("report.trouble.other",), id="own words are asked"),
        pytest.param(("report.trouble.headache",), id="signs are asked"),
    ],
)
async def test_danger_in_the_middle_of_a_report_comes_first(study: Study, answered: tuple[str, ...]) -> None:
    await study.anna.taps("menu.button.unwell", *answered)
    sees, doctor = Watch(study.anna), Watch(study.doctor)
    await study.anna.says(CHEST_PAIN["zh"])
    assert sees.first(CALL_120)
    assert doctor.first("case.page")


async def test_danger_in_the_caption_of_a_picture_comes_first(study: Study) -> None:
    sees, doctor = Watch(study.anna), Watch(study.doctor)
    await study.anna.phone.sends_photo(caption=CHEST_PAIN["zh"])
    await study.stage.settle()
    assert sees.first(CALL_120)
    assert doctor.first("case.page")


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("zh", "今天没有胸痛,也没有发烧"),
        ("en", "No chest pain today and no fever"),
    ],
)
async def test_danger_that_is_denied_is_no_emergency(study: Study, locale: str, words: str) -> None:
    patient = study.anna if locale == "zh" else study.boris
    sees, doctor = Watch(patient), Watch(study.doctor)
    await patient.says(words)
    assert sees.first("speak.passed_on")
    assert len(sees.new) == 1
    assert doctor.new == []


class TestDoubt:
    """Words like "what if" are asked about once; only "not now" makes them less than red."""

    WHAT_IF = "如果发烧怎么办"

    async def test_one_closed_question_is_asked(self, study: Study) -> None:
        sees, doctor = Watch(study.anna), Watch(study.doctor)
        await study.anna.says(self.WHAT_IF)
        assert sees.first("speak.is_it_now")
        assert len(sees.new) == 1
        assert doctor.new == []
        assert await cases(study.stage) == []

    async def test_now_is_red_at_once(self, study: Study) -> None:
        await study.anna.says(self.WHAT_IF)
        sees, doctor = Watch(study.anna), Watch(study.doctor)
        await study.anna.taps("speak.button.now")
        assert sees.first(CALL_120)
        assert doctor.first("case.page")

    async def test_not_now_is_a_yellow_case_that_waits_for_the_morning(self, study: Study) -> None:
        await study.stage.until(AT_NIGHT)
        await study.anna.says(self.WHAT_IF)
        sees, nurse = Watch(study.anna), Watch(study.coordinator)
        await study.anna.taps("speak.button.not_now")
        assert sees.first("speak.noted")
        assert (await symptom_case(study.stage)).urgency == "yellow"
        await study.stage.until(AT_NIGHT.replace(hour=8, minute=29))
        assert not nurse.read("case.page")
        await study.stage.until(AT_NIGHT.replace(hour=8, minute=30))
        assert nurse.read("case.page")

    async def test_ten_minutes_of_silence_are_red(self, study: Study) -> None:
        await study.anna.says(self.WHAT_IF)
        sees, doctor = Watch(study.anna), Watch(study.doctor)
        await study.pass_time(minutes=9)
        assert doctor.new == []
        await study.pass_time(minutes=1)
        assert sees.read("report.silence.red")
        assert doctor.first("case.page")
        assert [doubt.answer for doubt in await rows(study.stage, Doubt)] == ["silence"]

    async def test_an_answer_after_the_silence_changes_nothing(self, study: Study) -> None:
        await study.anna.says(self.WHAT_IF)
        await study.pass_time(minutes=11)
        before = await clinical_rows(study.stage)
        sees = Watch(study.anna)
        await study.anna.taps("speak.button.not_now")
        assert sees.last("refused.dialogue_ended")
        assert await clinical_rows(study.stage) == before

    async def test_a_stranger_is_shown_where_help_is(self, study: Study) -> None:
        passer_by = person(study.stage, 90, "Passer-by", "zh")
        sees = Watch(passer_by)
        await passer_by.says(self.WHAT_IF)
        assert sees.first("speak.danger_not_enrolled")


async def test_danger_before_any_start_is_answered_in_the_language_of_the_phone(newcomers: Study) -> None:
    passer_by = person(newcomers.stage, 91, "Passer-by", "en")
    sees = Watch(passer_by)
    await passer_by.says("I think I am having a heart attack")
    assert sees.first(CALL_120)


async def test_who_begins_after_an_emergency_goes_through_the_same_door(newcomers: Study) -> None:
    anna = newcomers.anna
    link = await newcomers.link("S-001")
    await anna.says(CHEST_PAIN["zh"])
    await begin(anna, link)
    assert anna.read("start.ready")
