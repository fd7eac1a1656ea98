"""Staff and a patient write to each other through the bot; every word stays with the case, danger comes first."""

import pytest
from sqlmodel import select

from bot.domain.roles import Role
from bot.simulator.parts import NoSuchButton
from bot.store.models import CaseMessage, Link, OutboxMessage
from bot.work import Lane, Work
from tests.people import Study, staff
from tests.stories.scenes import CALL_120, CHEST_PAIN, Watch, cases, plant, rows, symptom_case

WORDS = "Please bring the list of your medicines."


async def written(study: Study) -> None:
    """Let Boris report chest pain, the physician take it and write."""
    await study.boris.says(CHEST_PAIN["en"])
    await study.doctor.taps("case.button.acknowledge", "case.button.reply")
    await study.doctor.says(WORDS)


async def test_what_staff_write_reaches_the_patient_word_for_word_without_a_name(study: Study) -> None:
    boris = Watch(study.boris)
    await written(study)
    text = next(each for each in boris.texts if WORDS in each)
    assert study.boris.label("role.shown.investigator") in text
    assert "Physician" not in text
    assert "120" in text
    assert study.doctor.read("case.reply.sent")
    (row,) = await rows(study.stage, OutboxMessage, text_key="case.from_staff")
    assert row.lane == Lane.RED


async def test_staff_are_told_in_which_language_the_patient_reads(study: Study) -> None:
    await study.anna.says(CHEST_PAIN["zh"])
    await study.doctor.taps("case.button.acknowledge", "case.button.reply")
    assert "中文" in study.doctor.phone.last.text


async def test_the_answer_comes_back_to_who_has_the_case(study: Study) -> None:
    await written(study)
    doctor, nurse, boris = Watch(study.doctor), Watch(study.coordinator), Watch(study.boris)
    await study.boris.taps("case.button.answer")
    await study.boris.says("I have it with me")
    assert boris.last("case.answer_passed_on")
    assert doctor.first("case.answered")
    assert "I have it with me" in doctor.texts[0]
    assert nurse.new == []
    await study.doctor.taps("case.button.open", "case.button.talk")
    shown = study.doctor.phone.last.text
    assert shown.index(WORDS) < shown.index("I have it with me")
    assert len(await cases(study.stage, "S-002")) == 1


async def test_for_a_day_words_without_the_button_belong_to_it_too(study: Study) -> None:
    await written(study)
    await study.doctor.taps("case.button.open", "case.button.spoke")
    await study.pass_time(hours=20)
    doctor = Watch(study.doctor)
    await study.boris.says("I have it on paper, at home")
    assert doctor.first("case.answered")
    await study.pass_time(hours=5)
    doctor = Watch(study.doctor)
    await study.boris.says("One more thing, where do I park?")
    assert not doctor.read("case.answered")
    assert [case.kind for case in await cases(study.stage, "S-002")] == ["symptom", "request"]


@pytest.mark.parametrize("taken", [True, False], ids=["somebody has it", "nobody has it yet"])
async def test_words_after_an_emergency_reach_who_has_it_or_is_paged_at_night_too(study: Study, taken: bool) -> None:
    await study.pass_time(hours=19)
    await study.boris.says(CHEST_PAIN["en"])
    if taken:
        await study.doctor.taps("case.button.acknowledge")
    doctor, nurse, boris = Watch(study.doctor), Watch(study.coordinator), Watch(study.boris)
    await study.boris.says("My son is with me now")
    assert boris.last("case.answer_passed_on" if taken else "speak.passed_on")
    await study.boris.says("When will somebody ring me?")
    assert boris.last("speak.request_passed_on")
    assert ["My son is with me now" in doctor.texts[0], "When will somebody ring me?" in doctor.texts[1]] == [
        True,
        True,
    ]
    assert nurse.new == []
    assert [case.kind for case in await cases(study.stage, "S-002")] == ["symptom"]


@pytest.mark.parametrize("button", [True, False])
async def test_a_danger_in_the_answer_comes_first(study: Study, button: bool) -> None:
    await study.anna.says("拉肚子止不住")
    await study.coordinator.taps("case.button.acknowledge", "case.button.reply")
    await study.coordinator.says("请您多喝水。")
    if button:
        await study.anna.taps("case.button.answer")
    anna, doctor = Watch(study.anna), Watch(study.doctor)
    await study.anna.says(CHEST_PAIN["zh"])
    assert anna.first(CALL_120)
    assert doctor.first("case.page")
    assert (await symptom_case(study.stage)).urgency == "red_120"
    assert [row.words for row in await rows(study.stage, CaseMessage)][1:] == ([CHEST_PAIN["zh"]] if button else [])
    # What is typed next is no answer to a question that is over.
    anna = Watch(study.anna)
    await study.anna.says("胸口痛得厉害")
    assert anna.first(CALL_120)


async def test_writing_in_a_case_that_nobody_has_takes_it(study: Study) -> None:
    await study.boris.says(CHEST_PAIN["en"])
    await study.doctor.taps("case.button.open", "case.button.reply")
    boris = Watch(study.boris)
    await study.doctor.says(WORDS)
    case = await symptom_case(study.stage, "S-002")
    assert (case.state, case.acknowledged_by_id) == ("in_action", 2)
    # It is a try, no contact: without more it rings again.
    assert case.contacted_at is None
    assert boris.read("case.told.taken_over")
    await study.pass_time(minutes=16)
    assert (await symptom_case(study.stage, "S-002")).state == "notified"


async def test_an_answer_after_the_end_is_a_new_matter(study: Study) -> None:
    await written(study)
    await study.doctor.taps("case.button.open", "case.button.spoke", "case.button.resolve", "outcome.spoke_no_visit")
    boris = Watch(study.boris)
    await study.boris.taps("case.button.answer")
    await study.boris.says("Thank you, doctor")
    assert boris.last("team.message_passed_on")
    assert [(case.kind, case.state) for case in await cases(study.stage, "S-002")] == [
        ("symptom", "resolved"),
        ("request", "notified"),
    ]


async def test_staff_hear_that_their_words_did_not_arrive(study: Study) -> None:
    await study.boris.says(CHEST_PAIN["en"])
    await study.doctor.taps("case.button.acknowledge", "case.button.reply")
    await study.boris.phone.blocks()
    doctor = Watch(study.doctor)
    await study.doctor.says(WORDS)
    assert doctor.read("case.reply.not_delivered")
    assert "0571-0000-0002" in doctor.texts[-1]


async def test_a_patient_without_a_chat_is_to_be_phoned(study: Study) -> None:
    await written(study)
    await study.stage.within(_unlink)
    await study.doctor.taps("case.button.open", "case.button.reply")
    assert study.doctor.read("case.reply.nobody")


def _unlink(work: Work) -> None:
    for link in work.session.exec(select(Link)).all():
        link.ended_at = work.now


async def test_a_message_may_be_long_but_not_endless(study: Study) -> None:
    await study.boris.says(CHEST_PAIN["en"])
    await study.doctor.taps("case.button.acknowledge", "case.button.reply")
    doctor = Watch(study.doctor)
    await study.doctor.says("x" * 3001)
    assert doctor.first("case.reply.too_long")
    await study.doctor.says("x" * 3000)
    assert doctor.read("case.reply.sent")
    assert len(await rows(study.stage, CaseMessage)) == 1


async def test_a_monitor_reads_what_was_written_and_writes_nothing(study: Study) -> None:
    await written(study)
    monitor = await staff(study.stage, 15, "Monitor", Role.MONITOR)
    await monitor.says("/alerts")
    await monitor.presses("S-002")
    with pytest.raises(NoSuchButton):
        await monitor.taps("case.button.reply")


@pytest.mark.req("SEC-03")
async def test_nobody_answers_for_somebody_else(study: Study) -> None:
    await written(study)
    planted = await plant(study.stage, study.anna, ["case.answer"], {"case": 1})
    await study.anna.phone.taps_on(planted, planted.labels[0])
    await study.anna.says("我来回答")
    assert len(await rows(study.stage, CaseMessage)) == 1
