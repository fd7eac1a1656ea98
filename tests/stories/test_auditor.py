"""The chain of a case is broken in every way we could think of: the auditor finds each, and mends what it can."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event, update
from sqlmodel import col, select

from bot.delivery import web
from bot.domain import stalled
from bot.domain.people import BOT
from bot.domain.roles import Role
from bot.domain.urgency import Urgency
from bot.store.models import AgendaItem, Escalation, EscalationStep, OutboxMessage, StaffMember
from bot.story.stage import Stage
from bot.usecases import auditor, digest, escalate, lapse
from bot.usecases.staff_queries import find
from bot.work import Text, Work
from schedules import auditor as job
from tests.people import Study, staff, study
from tests.stories.conftest import World
from tests.stories.scenes import CHEST_PAIN, Watch, cases, off_duty, rows, symptom_case

Break = Callable[[Work], Any]


async def audit(stage: Stage, **after: float) -> None:
    """Let the auditor look twice, as on two minutes; nothing else of the bot's jobs runs meanwhile."""
    stage.clock.advance(**after)
    await job.look(stage.deps)
    stage.clock.advance(minutes=1)
    await job.look(stage.deps)
    await stage.settle()


async def mended(stage: Stage) -> list[str | None]:
    return [step.said for step in await rows(stage, EscalationStep, what="chain repaired")]


def raised(urgency: Urgency) -> Callable[[Work], Escalation]:
    return lambda work: escalate.raise_case(work, find(work, "S-001"), urgency, ["test"], [Text("request.call_me")])


def drop(kind: str) -> Break:
    return lambda work: work.session.connection().execute(delete(AgendaItem).where(col(AgendaItem.kind) == kind))


def change(**values: Any) -> Break:
    return lambda work: work.session.connection().execute(update(Escalation).values(**values))


def waiting(kind: str) -> Callable[[Work], int]:
    return lambda work: len(
        work.session.exec(select(AgendaItem).where(AgendaItem.kind == kind, AgendaItem.state == "waiting")).all()
    )


class TestPlantedDefects:
    """Numbered as in decision 0051."""

    async def test_1_the_row_of_the_next_page_is_gone(self, study: Study) -> None:
        await study.anna.says(CHEST_PAIN["zh"])
        await study.stage.within(drop(escalate.NEXT_PAGE))
        await audit(study.stage)
        assert await mended(study.stage) == ["not_planned"]
        assert await study.stage.within(waiting(escalate.NEXT_PAGE)) == 1
        doctor = Watch(study.doctor)
        await study.pass_time(minutes=5)
        assert doctor.count("case.page") == 1

    async def test_2_the_row_was_closed_and_no_page_came_of_it(self, study: Study) -> None:
        await study.anna.says(CHEST_PAIN["zh"])
        await study.stage.within(lambda work: work.unplan("by mistake", kind=escalate.NEXT_PAGE))
        await audit(study.stage)
        # Planned under the same key it would be taken for known already.
        assert await study.stage.within(waiting(escalate.NEXT_PAGE)) == 1

    async def test_3_the_job_of_the_agenda_never_runs(self, study: Study) -> None:
        await study.anna.says(CHEST_PAIN["zh"])
        doctor = Watch(study.doctor)
        await audit(study.stage, minutes=8)
        assert (await mended(study.stage), doctor.count("case.page")) == (["not_paged"], 1)
        await audit(study.stage, minutes=7)
        assert doctor.count("case.page") == 2

    async def test_4_paging_forgets_to_plan(self, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(Work, "plan", lambda *_args, **_more: True)
            await study.anna.says(CHEST_PAIN["zh"])
        await audit(study.stage)
        assert await mended(study.stage) == ["not_planned"]

    async def test_5_the_clock_was_set_back_and_nothing_was_moved(self, study: Study) -> None:
        await study.pass_time(hours=5)
        await study.anna.says(CHEST_PAIN["zh"])
        study.stage.clock.advance(hours=-3)
        await audit(study.stage)
        assert (await mended(study.stage))[0] == "future"
        assert (await symptom_case(study.stage)).chain_started_at <= study.stage.clock.now()
        doctor = Watch(study.doctor)
        await audit(study.stage, minutes=8)
        assert doctor.count("case.page") == 1

    async def test_6_the_clock_was_set_forward(self, study: Study) -> None:
        await study.anna.says(CHEST_PAIN["zh"])
        doctor = Watch(study.doctor)
        await audit(study.stage, hours=6)
        assert doctor.count("case.page") == 1
        assert (await symptom_case(study.stage)).overdue == "not_taken"

    async def test_7_a_page_stays_on_its_way_for_ever(self, study: Study) -> None:
        await study.stage.within(raised(Urgency.AMBER))
        stuck = {"state": "sending", "claimed_at": study.stage.clock.now(), "message_id": None}
        await study.stage.within(
            lambda work: work.session.connection().execute(
                update(OutboxMessage).where(col(OutboxMessage.purpose) == escalate.PAGE).values(**stuck)
            )
        )
        await study.stage.within(change(page_sent_at=None))
        await audit(study.stage, minutes=3)
        assert (await symptom_case(study.stage)).overdue == "not_sent"
        await audit(study.stage, minutes=3)
        assert await mended(study.stage) == ["not_sent"]
        assert (await symptom_case(study.stage)).page_sent_at is not None

    async def test_8_the_messages_of_a_page_are_lost(self, study: Study) -> None:
        await study.stage.within(raised(Urgency.AMBER))
        await study.stage.within(lambda work: work.session.connection().execute(delete(OutboxMessage)))
        await study.stage.within(change(page_sent_at=None))
        nurse = Watch(study.coordinator)
        await audit(study.stage, minutes=3)
        assert (await mended(study.stage), nurse.count("case.page")) == (["not_sent"], 1)

    async def test_9_the_lapse_is_not_planned(self, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
        await study.anna.says(CHEST_PAIN["zh"])
        monkeypatch.setattr(lapse, "watch", lambda *_: None)
        await study.doctor.taps("case.button.acknowledge")
        monkeypatch.undo()
        await audit(study.stage)
        assert await mended(study.stage) == ["not_planned"]
        assert await study.stage.within(waiting(escalate.LAPSE)) == 1

    async def test_10_the_lapse_is_planned_and_never_comes(self, study: Study) -> None:
        await study.anna.says(CHEST_PAIN["zh"])
        await study.doctor.taps("case.button.acknowledge")
        doctor = Watch(study.doctor)
        await audit(study.stage, minutes=5)
        assert await mended(study.stage) == ["not_lapsed"]
        assert doctor.first("case.told.lapsed") or doctor.read("case.told.lapsed")
        assert (await symptom_case(study.stage)).state == "notified"

    async def test_11_the_list_of_the_morning_is_lost(self, study: Study) -> None:
        await study.stage.within(raised(Urgency.YELLOW))
        await study.stage.within(drop(escalate.DIGEST))
        await audit(study.stage)
        assert await mended(study.stage) == ["not_planned"]
        nurse = Watch(study.coordinator)
        await study.stage.until((await symptom_case(study.stage)).chain_started_at + timedelta(minutes=1))
        assert nurse.count("case.page") == 1

    async def test_12_the_list_came_and_named_nobody(self, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
        await study.stage.within(raised(Urgency.YELLOW))
        case = await symptom_case(study.stage)
        await study.stage.within(drop(escalate.DIGEST))
        monkeypatch.setattr(digest, "_waiting", lambda _: [])
        nurse = Watch(study.coordinator)
        study.stage.clock.set(case.chain_started_at)
        await audit(study.stage, minutes=1)
        assert (await mended(study.stage), nurse.count("case.page")) == (["not_paged"], 1)

    async def test_13_the_owner_left_and_nothing_was_handed_back(self, study: Study) -> None:
        colleague = await staff(study.stage, 13, "Second physician", Role.INVESTIGATOR)
        await off_duty(study.doctor)
        await study.anna.says(CHEST_PAIN["zh"])
        await study.doctor.taps("case.button.acknowledge", "case.button.spoke")
        await study.stage.within(_revoke)
        second = Watch(colleague)
        await audit(study.stage)
        assert (await mended(study.stage), second.read("case.page")) == (["no_owner"], True)

    async def test_14_the_copy_of_the_chain_is_empty(self, study: Study) -> None:
        await study.anna.says(CHEST_PAIN["zh"])
        await study.stage.within(change(chain={}))
        await audit(study.stage)
        assert (await mended(study.stage))[0] == "unreadable"
        assert len((await symptom_case(study.stage)).chain["steps"]) == 4

    async def test_15_the_first_page_was_never_made(self, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(escalate, "page", lambda *_args, **_more: None)
        await study.stage.within(raised(Urgency.RED_COME))
        monkeypatch.undo()
        doctor = Watch(study.doctor)
        await audit(study.stage, minutes=1)
        assert (await mended(study.stage), doctor.count("case.page")) == (["not_paged"], 1)


def _revoke(work: Work) -> None:
    case = work.session.exec(select(Escalation)).one()
    work.session.get_one(StaffMember, case.acknowledged_by_id).revoked_at = work.now


class TestAlarm:
    async def test_everybody_and_the_admin_hear_it_once_an_hour_while_it_lasts(self, study: Study) -> None:
        admin = await staff(study.stage, 16, "Admin", Role.ADMIN)
        pi = await staff(study.stage, 14, "Principal investigator", Role.PI)
        watches = [Watch(each) for each in (study.doctor, study.coordinator, pi, admin)]
        await study.anna.says(CHEST_PAIN["zh"])
        for _ in range(12 * 6):
            await study.pass_time(minutes=1)
        heard = [each.count("case.alarm") for each in watches[:3]]
        assert (heard, watches[3].count("case.alarm.admin")) == ([2, 2, 2], 2)
        assert all("S-001" not in text and "0571" not in text for text in watches[3].texts)
        await study.doctor.taps("case.button.acknowledge")
        await study.pass_time(minutes=1)
        assert (await symptom_case(study.stage)).overdue is None

    async def test_amber_waits_for_the_morning_and_then_a_day(self, study: Study) -> None:
        await study.pass_time(hours=13)
        await study.stage.within(raised(Urgency.AMBER))
        nurse = Watch(study.coordinator)
        await audit(study.stage, hours=25)
        assert (nurse.read("case.alarm"), (await symptom_case(study.stage)).overdue) == (False, "not_taken")
        await study.pass_time(hours=10)
        assert nurse.count("case.alarm") == 1

    async def test_overdue_cases_are_marked_and_stand_behind_a_new_danger_only(self, study: Study) -> None:
        await study.stage.within(raised(Urgency.AMBER))
        await audit(study.stage, hours=25)
        await study.boris.says(CHEST_PAIN["en"])
        await study.clara.says("我胸口痛")
        await study.coordinator.says("/alerts")
        shown = [label for label in study.coordinator.phone.last.labels if "S-00" in label]
        assert [label[: label.index("S-00") + 5][-5:] for label in shown] == ["S-002", "S-003", "S-001"]
        assert [label.startswith("❗") for label in shown] == [False, False, True]

    async def test_the_card_says_what_was_found(self, study: Study) -> None:
        await study.anna.says(CHEST_PAIN["zh"])
        await audit(study.stage, minutes=12)
        await study.coordinator.says("/alerts")
        await study.coordinator.presses("S-001")
        assert study.coordinator.label("case.found.not_taken") in study.coordinator.phone.last.text

    async def test_health_counts_both_and_turns_red_for_what_people_cannot_mend(self, study: Study) -> None:
        await study.anna.says(CHEST_PAIN["zh"])
        await study.pass_time(minutes=13)
        await study.pass_time(minutes=1)
        deps = study.stage.deps
        said = await deps.store.read(lambda session: web.look(session, deps))
        assert (said["ok"], said["cases_overdue"], said["cases_stuck"]) == (True, 1, 0)
        await study.stage.within(change(overdue="not_sent"))
        said = await deps.store.read(lambda session: web.look(session, deps))
        assert (said["ok"], said["cases_overdue"], said["cases_stuck"]) == (False, 1, 1)

    async def test_a_case_that_cannot_be_mended_holds_up_no_other(
        self, study: Study, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await study.anna.says(CHEST_PAIN["zh"])
        await study.boris.says(CHEST_PAIN["en"])
        await study.stage.within(drop(escalate.NEXT_PAGE))
        real = escalate.page

        def page(work: Work, case: Escalation, *given: Any, **more: Any) -> None:
            if case.id == 1:
                raise RuntimeError("a planted fault")
            real(work, case, *given, **more)

        monkeypatch.setattr(escalate, "page", page)
        await audit(study.stage)
        assert [step.escalation_id for step in await rows(study.stage, EscalationStep, what="chain repaired")] == [2]

    async def test_after_an_outage_what_waited_has_its_turn_first(self, study: Study, world: World) -> None:
        await study.anna.says(CHEST_PAIN["zh"])
        await world.stop()
        study.stage.clock.advance(hours=3)
        await world.start()
        await study.pass_time(seconds=1)
        await study.pass_time(minutes=1)
        assert await mended(study.stage) == []
        assert (await symptom_case(study.stage)).overdue == "not_taken"


async def test_the_auditor_on_both_databases(both_stages: Stage) -> None:
    made = await study(both_stages)
    await made.anna.says(CHEST_PAIN["zh"])
    await made.boris.says(CHEST_PAIN["en"])
    await made.doctor.taps("case.button.acknowledge")
    await both_stages.within(drop(escalate.NEXT_PAGE))
    await both_stages.within(drop(escalate.LAPSE))
    await audit(both_stages)
    assert await mended(both_stages) == ["not_planned", "not_planned"]
    await audit(both_stages, minutes=14)
    overdue = [case.overdue for code in ("S-001", "S-002") for case in await cases(both_stages, code)]
    assert all(overdue) or any(overdue)
    assert stalled.known(overdue[0]) <= set(stalled.Finding)
    assert BOT.label in {step.by for step in await rows(both_stages, EscalationStep, what="overdue")}


async def test_it_asks_as_many_questions_however_many_cases_are_open(both_stages: Stage) -> None:
    made = await study(both_stages)
    deps, now = both_stages.deps, both_stages.clock.now() + timedelta(minutes=1)
    asked: list[str] = []
    event.listen(deps.store._reading, "before_cursor_execute", lambda *given: asked.append(given[2]))
    counts = []
    for each in made.patients:
        await each.says(CHEST_PAIN[each.locale])
        asked.clear()
        await deps.store.read(lambda session: auditor.look(session, deps, now))
        counts.append(len([statement for statement in asked if statement.startswith("SELECT")]))
    assert counts == [3, 3, 3]
