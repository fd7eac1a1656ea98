"""Words outside a question: a case at their level, the way to what was asked for, and a person who sees them."""

import json

import pytest

from bot.store.models import Doubt
from handlers.policy import POLICY
from handlers.presses import PRESSES
from tests.people import Study, person
from tests.stories.scenes import CALL_120, GO_TO_HOSPITAL, Watch, caregiver, cases, in_language, rows, symptom_case

TIRED = {"zh": "这两天人没力气", "en": "so tired lately"}
YELLOW_EYES = {"zh": "眼睛黄，小便像浓茶", "en": "my eyes look yellow"}
NEXT_VISIT = {"zh": "下次什么时候打针？", "en": "When is my next injection?"}


async def test_amber_words_are_a_case_that_pages_at_once(study: Study, locale: str) -> None:
    anna = await in_language(study.anna, locale)
    sees, nurse = Watch(anna), Watch(study.coordinator)
    await anna.says(YELLOW_EYES[locale])
    assert sees.first("triage.amber.contact")
    case = await symptom_case(study.stage)
    assert (case.urgency, case.because) == ("amber", ["T33-yellow"])
    assert nurse.first("case.page")
    assert YELLOW_EYES[locale] in nurse.texts[0]


async def test_yellow_words_are_a_case_that_waits_for_the_morning(study: Study, locale: str) -> None:
    anna = await in_language(study.anna, locale)
    sees, nurse = Watch(anna), Watch(study.coordinator)
    await anna.says(TIRED[locale])
    assert sees.first("triage.yellow.next_working_day")
    case = await symptom_case(study.stage)
    assert (case.urgency, case.because) == ("yellow", ["T44-tired"])
    assert TIRED[locale] in case.summary
    assert nurse.new == []


async def test_worse_words_join_the_open_case_and_raise_it(study: Study) -> None:
    await study.anna.says(TIRED["zh"])
    sees, doctor = Watch(study.anna), Watch(study.doctor)
    await study.anna.says("今天大便是黑的像柏油一样")
    assert sees.first(GO_TO_HOSPITAL)
    assert (await symptom_case(study.stage)).urgency == "red_come"
    assert doctor.read("case.page")


async def test_a_request_that_a_screen_answers_needs_no_person(study: Study, locale: str) -> None:
    anna = await in_language(study.anna, locale)
    sees = Watch(anna)
    await anna.says(NEXT_VISIT[locale])
    assert sees.first("speak.request")
    assert await cases(study.stage) == []
    await anna.taps("menu.button.visits")
    assert sees.read("visit.mine")


@pytest.mark.parametrize(
    ("words", "button"),
    [
        ("药快吃完了", "menu.button.team"),
        ("礼拜三没空能不能换一天打针", "menu.button.visits"),
        ("不要再给我发消息了", "settings.button.stop"),
        ("下次什么时候打针？我孙子结婚想和大家一起去北京玩几天", "menu.button.visits"),
    ],
)
async def test_other_requests_lead_on_and_reach_a_person_too(study: Study, words: str, button: str) -> None:
    sees = Watch(study.anna)
    await study.anna.says(words)
    assert sees.first("speak.request_passed_on")
    (case,) = await cases(study.stage)
    assert (case.kind, json.loads(case.summary)[0]["lines"][0]["values"]["words"]) == ("request", words)
    await study.anna.taps(button)
    assert len(sees.new) > 1


async def test_a_symptom_beside_a_request_is_not_lost(study: Study) -> None:
    sees, doctor = Watch(study.anna), Watch(study.doctor)
    await study.anna.says("我发烧了，明天打针要改期吗")
    assert sees.first(GO_TO_HOSPITAL)
    assert doctor.first("case.page")


async def test_a_mild_symptom_beside_a_request_is_a_case_with_the_way_there(study: Study) -> None:
    sees = Watch(study.anna)
    await study.anna.says("下次什么时候打针？这几天人没力气")
    assert sees.first("triage.yellow.next_working_day")
    assert (await symptom_case(study.stage)).urgency == "yellow"
    await study.anna.taps("menu.button.visits")
    assert sees.read("visit.mine")


async def test_doubt_about_red_does_not_hide_what_is_certain(study: Study) -> None:
    sees, nurse = Watch(study.anna), Watch(study.coordinator)
    await study.anna.says("眼睛黄。如果发烧怎么办")
    assert sees.first("speak.is_it_now")
    assert (await symptom_case(study.stage)).urgency == "amber"
    assert nurse.first("case.page")


async def test_words_about_the_body_that_nothing_explains_are_asked_about(study: Study) -> None:
    sees = Watch(study.anna)
    await study.anna.says("舌头上有个东西")
    assert sees.first("speak.is_it_now")
    assert [doubt.because for doubt in await rows(study.stage, Doubt)] == [["T46-unclear"]]


async def test_such_words_as_an_answer_to_a_question_are_that_answer(study: Study) -> None:
    await study.anna.taps("menu.button.unwell", "report.trouble.other")
    sees = Watch(study.anna)
    await study.anna.says("舌头上有个东西")
    assert not sees.read("speak.is_it_now")
    assert await rows(study.stage, Doubt) == []


async def test_a_caregiver_reports_in_free_words(study: Study) -> None:
    daughter = await caregiver(study)
    sees = Watch(daughter)
    await daughter.says("我爸突然嘴歪了，话也讲不清")
    assert sees.first("triage.red_120.stroke")


async def test_a_stranger_who_asks_for_something_is_told_how_to_begin(study: Study) -> None:
    passer_by = person(study.stage, 90, "Passer-by", "zh")
    sees = Watch(passer_by)
    await passer_by.says(NEXT_VISIT["zh"])
    assert sees.first("speak.stranger")
    await passer_by.says("胸口闷得慌")
    assert sees.read(CALL_120)


async def test_every_request_leads_to_a_screen_that_patients_may_see(study: Study) -> None:
    for request in study.stage.deps.protocol.lexicon.requests:
        assert request.opens in PRESSES
        assert request.opens in POLICY
