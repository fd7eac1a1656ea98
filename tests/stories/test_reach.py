"""Patients who cannot be reached: staff learn it the same day, once, and the patient gets no backlog."""

import json
from datetime import date, datetime, timedelta

import pytest
from sqlmodel import col, select

from bot.store.models import Account, AgendaItem, Escalation, EscalationStep, OutboxMessage, Subject
from bot.story.people import Person
from bot.story.stage import Stage
from bot.usecases import dose_days
from bot.work import Lane, Work
from tests.people import Study, begin, study
from tests.stories.conftest import World
from tests.stories.scenes import CHEST_PAIN, Watch, caregiver, cases, last_values, local, rows, subject


async def tasks(stage: Stage, code: str = "S-001") -> list[Escalation]:
    """Return the tasks to reach one subject, oldest first."""
    found = await cases(stage, code, kind="request")
    return [case for case in found if any(each.startswith("reach.") for each in case.because)]


async def steps(stage: Stage, case: Escalation) -> list[str]:
    return [each.what for each in await rows(stage, EscalationStep, escalation_id=case.id)]


async def account_of(someone: Person) -> Account:
    (account,) = await rows(someone.stage, Account, telegram_id=someone.phone.user_id)
    return account


@pytest.mark.req("DI-16", "DI-17")
async def test_who_blocks_the_bot_is_one_task_and_gets_what_is_due_on_return(study: Study) -> None:
    nurse, anna = Watch(study.coordinator), study.anna
    await anna.phone.blocks()
    await study.stage.settle()
    assert nurse.read("case.page")
    (task,) = await tasks(study.stage)
    assert (task.urgency, task.because) == ("yellow", ["reach.blocked"])

    await study.pass_time(days=2, hours=11)
    assert len(await tasks(study.stage)) == 1
    await study.coordinator.says("/silent")
    assert "S-001" in study.coordinator.phone.last.text
    await study.coordinator.presses("S-001")
    assert study.coordinator.read("patient.question.not_delivered")

    sees = Watch(anna)
    await anna.phone.unblocks()
    await study.stage.settle()
    assert sees.first("back.due_now")
    assert len(sees.new) == 1
    assert study.stage.deps.texts.day(date(2026, 11, 2), "zh") in sees.texts[0]  # nobody recorded that day
    assert anna.label("tablets.button.taken") in sees.new[0].labels
    await anna.says("/menu")
    assert sees.count("back.due_now") == 1

    (task,) = await tasks(study.stage)
    assert task.state != "resolved"
    assert (await steps(study.stage, task))[-1] == "heard again"


async def test_who_is_back_before_a_visit_reads_its_day_and_can_answer_there(study: Study) -> None:
    boris = study.boris
    await boris.phone.blocks()
    await study.pass_time(hours=5)
    sees = Watch(boris)
    await boris.phone.unblocks()
    await study.stage.settle()
    assert len(sees.new) == 1
    # The blood count that belongs to the first injection comes before it.
    assert study.stage.deps.texts.day(date(2026, 11, 2), "en") in sees.texts[0]
    await boris.taps("visit.button.will_come")
    assert sees.read("visit.thanks_will_come")


@pytest.mark.req("DI-17")
async def test_tablets_asked_in_vain_are_not_shown_as_unanswered(study: Study) -> None:
    await study.pass_time(hours=11)
    await study.anna.phone.blocks()
    await study.pass_time(days=2)

    def known(work: Work) -> list[str]:
        anna = work.session.exec(select(Subject).where(Subject.code == "S-001")).one()
        first = date(2026, 11, 2)
        return list(dose_days.statuses(work.session, anna, first, first + timedelta(days=2)).values())

    assert await study.stage.within(known) == ["unknown", "not_delivered", "not_delivered"]
    await study.coordinator.says("/adherence S-001")
    (picture,) = await rows(study.stage, OutboxMessage, text_key="adherence.picture.caption")
    assert "not_delivered" in json.loads(picture.picture or "")["legend"]


async def test_two_days_without_an_answer_make_one_task_on_the_next_morning(study: Study) -> None:
    await caregiver(study)
    nurse = Watch(study.coordinator)
    await study.stage.until(datetime.fromisoformat("2026-11-04T08:59:00+08:00"))
    assert await tasks(study.stage) == []
    await study.stage.until(datetime.fromisoformat("2026-11-04T09:01:00+08:00"))
    (task,) = await tasks(study.stage)
    assert task.because == ["reach.unanswered"]
    assert local(task.opened_at).hour == 9
    assert nurse.read("case.page")
    assert study.coordinator.label("reach.caregivers", linked=1, reachable=1) in "".join(nurse.texts)

    await study.stage.until(datetime.fromisoformat("2026-11-06T12:00:00+08:00"))
    assert len(await tasks(study.stage)) == 1
    await study.anna.phone.blocks()
    await study.stage.settle()
    (task,) = await tasks(study.stage)
    assert task.because == ["reach.unanswered", "reach.blocked"]


async def test_a_word_of_the_caregiver_is_a_word_of_the_patient(study: Study) -> None:
    daughter = await caregiver(study)
    await study.stage.until(datetime.fromisoformat("2026-11-03T19:00:00+08:00"))
    await daughter.says("/menu")
    await study.stage.until(datetime.fromisoformat("2026-11-04T10:00:00+08:00"))
    assert await tasks(study.stage) == []


async def test_who_never_opens_the_link_is_a_task_until_staff_close_it(newcomers: Study) -> None:
    stage = newcomers.stage
    await newcomers.link("S-001")
    await stage.bot.tick()
    await stage.until(datetime.fromisoformat("2026-11-05T10:00:00+08:00"))
    (task,) = await tasks(stage)
    assert "reach.never_started" in task.because
    await begin(newcomers.anna, await newcomers.link("S-001"))
    (task,) = await tasks(stage)
    assert task.state != "resolved"
    assert (await steps(stage, task))[-1] == "heard again"
    await newcomers.coordinator.says("/silent")
    assert "S-001" not in newcomers.coordinator.phone.last.text


async def test_a_closed_task_comes_back_when_the_silence_goes_on(study: Study) -> None:
    await study.stage.until(datetime.fromisoformat("2026-11-04T10:00:00+08:00"))
    (task,) = await tasks(study.stage)

    def close(work: Work) -> None:
        case = work.session.get_one(Escalation, task.id)
        case.state, case.resolved_at = "resolved", work.now

    await study.stage.within(close)
    await study.stage.until(datetime.fromisoformat("2026-11-11T08:00:00+08:00"))
    assert len(await tasks(study.stage)) == 1
    await study.stage.until(datetime.fromisoformat("2026-11-12T10:00:00+08:00"))
    assert len(await tasks(study.stage)) == 2


async def test_one_look_makes_up_for_the_days_the_bot_was_down(world: World, study: Study) -> None:
    await study.stage.until(datetime.fromisoformat("2026-11-03T19:00:00+08:00"))
    await world.stop()
    study.stage.clock.set(datetime.fromisoformat("2026-11-07T15:00:00+08:00"))
    await world.start()
    await study.stage.bot.tick()
    looks = [item for item in await rows(study.stage, AgendaItem, kind="reach.look") if item.state == "done"]
    # One of each day until the bot stopped, and one for all the days after.
    assert [local(item.due_at).day for item in looks] == [2, 3, 4]
    assert len(await tasks(study.stage)) == 1


async def test_what_waits_for_somebody_who_was_away_is_not_sent_any_more(study: Study) -> None:
    anna = study.anna
    await anna.phone.blocks()
    await study.pass_time(hours=1)

    def queue(work: Work) -> None:
        account = work.session.exec(select(Account).where(Account.telegram_id == anna.phone.user_id)).one()
        work.say(
            account,
            "tablets.thanks_taken",
            lane=Lane.REMINDER,
            purpose="old",
            due_at=work.now + timedelta(hours=2),
        )

    await study.stage.within(queue)
    sees = Watch(anna)
    await anna.phone.unblocks()
    await study.pass_time(hours=3)
    (old,) = await rows(study.stage, OutboxMessage, purpose="old")
    assert old.state == "skipped"
    assert old.reason == "they were away; what is due now is told instead"
    assert not sees.read("tablets.thanks_taken")


async def test_somebody_who_returns_in_danger_hears_of_the_danger_only(study: Study) -> None:
    await study.anna.phone.blocks()
    await study.pass_time(hours=30)
    study.anna.phone.chat.blocked = False  # Telegram's word of it is lost
    sees = Watch(study.anna)
    await study.anna.says(CHEST_PAIN["zh"])
    assert sees.read("triage.red_120.call")
    assert not sees.read("back.due_now")


async def test_when_somebody_was_heard_is_kept_to_the_hour(study: Study) -> None:
    await study.pass_time(hours=1, minutes=20)
    await study.clara.says("/menu")
    first = await account_of(study.clara)
    await study.pass_time(minutes=20)
    await study.clara.says("/menu")
    assert (await account_of(study.clara)).last_heard_at == first.last_heard_at
    assert first.last_heard_at is not None
    assert local(first.last_heard_at).strftime("%H:%M") == "09:00"


async def test_a_page_of_a_web_proxy_closes_no_chat(study: Study) -> None:
    study.stage.telegram.fail("sendMessage", 2, proxy_page=True)
    await study.anna.says("/menu")
    await study.pass_time(minutes=5)
    assert (await account_of(study.anna)).unreachable_at is None
    assert await tasks(study.stage) == []


async def test_the_daily_look_on_both_databases(both_stages: Stage) -> None:
    made = await study(both_stages)
    await both_stages.until(datetime.fromisoformat("2026-11-04T08:30:00+08:00"))
    await made.clara.says("/menu")
    await both_stages.until(datetime.fromisoformat("2026-11-04T10:00:00+08:00"))
    found = {code: len(await tasks(both_stages, code)) for code in ("S-001", "S-002", "S-003")}
    assert found == {"S-001": 1, "S-002": 1, "S-003": 0}
    await made.doctor.says("/silent")
    assert (await last_values(both_stages, "silent.title"))["n"] == 2

    def planned(work: Work) -> list[int]:
        looks = work.session.exec(
            select(AgendaItem).where(AgendaItem.kind == "reach.look").order_by(col(AgendaItem.due_at))
        )
        return [local(item.due_at).day for item in looks]

    assert await both_stages.within(planned) == [2, 3, 4, 5]
    assert (await subject(both_stages, "S-001")).timezone == "Asia/Shanghai"
