"""What was found wrong: each test fails until that is mended."""

from datetime import datetime, timedelta

import pytest

from bot.domain.roles import Role
from bot.protocol.load import bundled
from bot.store import people
from bot.store.models import DoseReport, Subject, VisitRecord
from bot.story.people import Person
from bot.usecases.staff_queries import find
from bot.work import Work
from tests.people import Study, staff
from tests.stories.scenes import (
    CALL_120,
    CHEST_PAIN,
    Watch,
    last_response,
    presses_data,
    rows,
    subject,
    symptom_case,
    unfinished_updates,
    withdraw,
)
from tests.stories.test_reminders import record_done

EVENING = datetime.fromisoformat("2026-11-02T18:00:00+08:00")
UNKNOWN = "https://t.me/followup_bot?start=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


# Danger


async def test_chest_pain_beside_a_temperature_is_not_swallowed_by_the_number(study: Study) -> None:
    await study.anna.taps("menu.button.unwell", "report.trouble.fever", "report.fever.place.oral")
    sees = Watch(study.anna)
    await study.anna.says("38.5,还胸痛喘不上气")
    assert sees.read(CALL_120)


async def test_danger_words_behind_a_known_command_are_not_lost(study: Study) -> None:
    sees = Watch(study.anna)
    await study.anna.says("/unwell " + CHEST_PAIN["zh"])
    assert sees.first(CALL_120)


async def test_a_sign_is_taken_after_another_dialogue_was_opened(study: Study) -> None:
    await study.anna.taps("menu.button.unwell", "report.trouble.fever", "report.fever.place.oral")
    await study.anna.says("36.5")
    await study.anna.taps("menu.button.team", "team.button.write")
    sees = Watch(study.anna)
    await study.anna.taps("report.sign.confused")
    assert sees.read(CALL_120)


async def test_a_second_sign_is_taken_after_another_dialogue_was_opened(study: Study) -> None:
    await study.anna.taps("menu.button.unwell", "report.trouble.fever", "report.fever.place.oral")
    await study.anna.says("36.5")
    await study.anna.taps("report.fever.signs.local_infection")
    await study.anna.taps("menu.button.team", "team.button.write")
    sees = Watch(study.anna)
    await study.anna.taps("report.sign.confused")
    assert sees.read(CALL_120)


async def test_a_question_that_is_shown_again_leaves_out_what_was_chosen(study: Study) -> None:
    await study.boris.taps("menu.button.unwell", "report.trouble.stomach", "report.stomach.what.nausea")
    await study.boris.says("hm")
    labels = study.boris.phone.last.labels
    assert study.boris.label("report.button.nothing_else") in labels
    assert study.boris.label("report.stomach.what.nausea") not in labels


async def test_the_reasons_of_a_red_report_are_those_of_all_its_answers(study: Study) -> None:
    await study.anna.taps("menu.button.unwell", "report.trouble.fever", "report.fever.place.no_thermometer")
    await study.anna.taps("report.sign.chills", "report.button.nothing_else")
    assert "T01-chills" in (await last_response(study.stage)).because


async def test_each_further_message_in_danger_reaches_who_has_the_case(study: Study) -> None:
    await study.anna.says(CHEST_PAIN["zh"])
    await study.doctor.taps("case.button.acknowledge")
    doctor = Watch(study.doctor)
    for _ in range(3):
        await study.anna.says(CHEST_PAIN["zh"])
    # The first is a new danger beside the one that was taken over: it pages afresh.
    assert (doctor.count("case.page"), doctor.count("case.page.more")) == (1, 2)


async def test_who_becomes_red_after_amber_hears_that_staff_were_alerted(study: Study) -> None:
    await study.boris.taps("menu.button.unwell", "report.trouble.injection_site")
    await study.boris.taps("report.site.look.pus_sore_black", "report.answer.none")
    assert (await symptom_case(study.stage, "S-002")).urgency == "amber"
    sees = Watch(study.boris)
    await study.boris.says(CHEST_PAIN["en"])
    assert sees.first(CALL_120)
    assert sees.read("triage.paged")


# Presses


@pytest.mark.req("SEC-03")
async def test_a_made_up_button_number_breaks_nothing(study: Study) -> None:
    sees = Watch(study.anna)
    presses_data(study.anna, study.anna.phone.last, "menu.unwell|x|²")
    await study.stage.settle()
    assert sees.first("refused.button_stale")
    assert await unfinished_updates(study.stage) == []


# Invitations and consent


@pytest.mark.req("SEC-04")
async def test_tries_while_locked_do_not_lengthen_the_lock(newcomers: Study) -> None:
    for _ in range(5):
        await newcomers.anna.opens(UNKNOWN)
    link = await newcomers.link("S-001")
    for _ in range(7):
        await newcomers.anna.opens(link)
        newcomers.stage.clock.advance(minutes=10)
    assert newcomers.anna.read("start.ask_language")


@pytest.mark.req("SEC-04")
async def test_a_patient_with_the_code_of_another_subject_reads_the_neutral_text(study: Study) -> None:
    sees = Watch(study.anna)
    await study.anna.opens(await study.link("S-002"))
    assert sees.first("invitation.refused")


@pytest.mark.req("DI-19")
async def test_agreeing_to_the_last_part_is_no_consent_while_another_part_stands_refused(newcomers: Study) -> None:
    anna = newcomers.anna
    parts = 1 + len(bundled().consent.agreements)
    await anna.opens(await newcomers.link("S-001"))
    await anna.taps("language.zh", *["start.button.agree"] * (parts - 1))
    last = anna.phone.last
    await anna.says("/start")
    await anna.taps("start.button.refuse")
    await anna.phone.taps_on(last, anna.label("start.button.agree"))
    await newcomers.stage.settle()
    assert (await subject(newcomers.stage, "S-001")).state == "invited"


# Stopping


@pytest.mark.req("DI-20")
async def test_an_answer_that_waits_does_not_leave_after_stopping(study: Study) -> None:
    def queue(work: Work) -> None:
        (account,) = people.speakers(work.session, find(work, "S-001").id or 0)
        work.say(account, "speak.edited", due_at=work.now + timedelta(minutes=5), phone="0")

    await study.anna.says("/stop")
    await study.stage.within(queue)
    await study.anna.taps("stop.button.yes")
    sees = Watch(study.anna)
    await study.pass_time(minutes=10)
    assert sees.new == []


@pytest.mark.req("DI-20")
async def test_words_after_stopping_are_no_answer_to_a_question_of_before(study: Study) -> None:
    await study.stage.until(EVENING)
    await study.anna.taps("tablets.button.not_today")
    await withdraw(study.anna)
    kept = len(await rows(study.stage, DoseReport))
    sees = Watch(study.anna)
    await study.anna.says("我有一个问题")
    assert sees.first("speak.passed_on_not_on_study")
    assert len(await rows(study.stage, DoseReport)) == kept


# Tablets


async def test_answering_for_yesterday_does_not_silence_todays_second_question(study: Study) -> None:
    # With the day's visits recorded nothing but tablets is asked about on the next, so there is room to ask twice.
    await study.stage.until(EVENING)
    for kind in ("cbc", "injection", "ferritin"):
        await record_done(study, "S-001", kind, EVENING.date())
    await study.stage.until(EVENING + timedelta(days=1))
    await study.anna.says("/tablets")
    await study.anna.taps("tablets.button.taken")
    assert [report.day_on.isoformat() for report in await rows(study.stage, DoseReport)] == ["2026-11-02"]
    sees = Watch(study.anna)
    await study.pass_time(hours=3)
    assert sees.read("tablets.ask_again")


@pytest.mark.parametrize("code", [reason.code for reason in bundled().skip_reasons if reason.opens_report])
async def test_a_reason_that_opens_a_report_opens_one(study: Study, code: str) -> None:
    await study.stage.until(EVENING)
    sees = Watch(study.anna)
    reason = next(r.text for r in bundled().skip_reasons if r.code == code)
    await study.anna.taps("tablets.button.not_today", reason, "form.button.done")
    assert sees.last("report.trouble.ask")


async def test_a_bot_that_comes_back_in_the_evening_still_asks_for_that_day(study: Study) -> None:
    sees = Watch(study.anna)
    study.stage.clock.set(EVENING + timedelta(days=2, hours=1))
    await study.pass_time(hours=1)
    assert sees.count("tablets.ask") == 1


async def test_a_bot_that_comes_back_at_night_asks_nothing_until_the_morning(study: Study) -> None:
    sees = Watch(study.anna)
    study.stage.clock.set(EVENING + timedelta(hours=4, minutes=30))
    await study.pass_time(hours=9)
    assert sees.new == []


async def test_a_bot_that_comes_back_at_night_reminds_of_nothing_until_the_morning(study: Study) -> None:
    await study.stage.until(datetime.fromisoformat("2026-11-13T12:00:00+08:00"))
    sees = Watch(study.clara)
    study.stage.clock.set(datetime.fromisoformat("2026-11-13T23:00:00+08:00"))
    await study.pass_time(hours=8)
    assert sees.new == []
    await study.pass_time(hours=2)
    assert len(sees.new) == 1


# Staff


@pytest.fixture
async def admin(study: Study) -> Person:
    return await staff(study.stage, 16, "Admin", Role.ADMIN)


async def end(admin: Person, name: str) -> None:
    await admin.says("/staff")
    await admin.presses(admin.label("staff.button.end", name=name))
    await admin.taps("staff.button.end_yes")


@pytest.mark.req("SEC-01", "SEC-11")
async def test_who_was_ended_in_the_middle_of_a_dialogue_cannot_save_it(study: Study, admin: Person) -> None:
    nurse = study.coordinator
    await nurse.says("/enrol")
    await nurse.answers("S-010", "=arm.ctrl.name", "=language.zh", "1960", "60", "14", "=enrol.button.no_phone")
    await end(admin, "Nurse")
    await nurse.taps("form.button.save")
    assert await rows(study.stage, Subject, code="S-010") == []


@pytest.mark.req("SEC-01", "SEC-11")
async def test_who_was_ended_in_the_middle_of_a_dialogue_cannot_go_on_typing(study: Study, admin: Person) -> None:
    nurse = study.coordinator
    await nurse.says("/enrol")
    await end(admin, "Nurse")
    sees = Watch(nurse)
    await nurse.says("S-001")
    assert sees.first("speak.stranger")


@pytest.mark.req("SEC-11")
async def test_who_was_ended_in_the_middle_of_recording_a_visit_records_nothing(study: Study, admin: Person) -> None:
    await study.doctor.says("/patient S-001")
    await study.doctor.presses(study.doctor.label("visit.short.cbc"))
    await study.doctor.taps("visit.button.done")
    await end(admin, "Physician")
    before = len(await rows(study.stage, VisitRecord))
    await study.doctor.presses(study.doctor.phone.last.labels[0])
    assert len(await rows(study.stage, VisitRecord)) == before


async def test_two_colleagues_who_record_the_same_visit_record_it_once(study: Study) -> None:
    both = study.coordinator, study.doctor
    for each in both:
        await each.says("/patient S-001")
        await each.presses(each.label("visit.short.cbc"))
        await each.taps("visit.button.done")
    for each in both:
        await each.presses(each.phone.last.labels[0])
    assert len(await rows(study.stage, VisitRecord)) == 1
    assert await unfinished_updates(study.stage) == []


async def test_a_visit_that_was_recorded_meanwhile_is_not_moved(study: Study) -> None:
    first, second = study.coordinator, study.doctor
    for each, button in ((first, "visit.button.done"), (second, "visit.button.move")):
        await each.says("/patient S-003")
        await each.presses(each.label("visit.short.cbc"))
        await each.taps(button)
    await first.says("2026-11-02")
    await second.presses(second.phone.last.labels[0])
    (record,) = await rows(study.stage, VisitRecord)
    assert record.held_on is not None
    assert not second.read("visit.recorded.moved")


async def test_two_visits_of_one_day_have_buttons_that_can_be_told_apart(study: Study) -> None:
    await study.anna.says("/visits")
    labels = study.anna.phone.last.labels
    assert len(labels) == len(set(labels))


async def test_a_caption_without_danger_reaches_staff_with_the_picture(study: Study) -> None:
    nurse = Watch(study.coordinator)
    await study.anna.phone.sends_photo(caption="这是今天的化验单")
    await study.stage.settle()
    assert any("这是今天的化验单" in text for text in nurse.texts)


# Silence


async def test_silence_after_a_number_was_taken_back_is_noticed(study: Study) -> None:
    await study.anna.taps("menu.button.unwell", "report.trouble.fever", "report.fever.place.oral")
    await study.anna.says("35.0")
    await study.anna.taps("form.button.no")
    await study.pass_time(minutes=11)
    assert (await symptom_case(study.stage)).urgency == "red_come"


async def test_silence_is_counted_from_the_last_answer(study: Study) -> None:
    await study.boris.taps("menu.button.unwell", "report.trouble.stomach", "report.stomach.what.nausea")
    await study.pass_time(minutes=9)
    await study.boris.taps("report.button.nothing_else")
    sees = Watch(study.boris)
    await study.pass_time(minutes=9)
    assert sees.new == []
    await study.pass_time(minutes=2)
    assert sees.new != []
