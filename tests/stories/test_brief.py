"""What a doctor reads before a patient comes in: asked for, and by itself on the morning of a visit day."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import select

from bot.domain.participation import ParticipationState
from bot.domain.roles import Role
from bot.domain.visits import VisitKind
from bot.simulator.parts import ShownMessage
from bot.store import people, visits
from bot.store.models import AgendaItem, DoseReport, DoseReview, Measurement, OutboxMessage, Visit
from bot.story.people import Person
from bot.story.stage import Stage
from bot.usecases import brief, brief_plan, plan
from bot.usecases.staff_queries import find
from bot.work import Work
from tests.people import Study, staff, study
from tests.stories.conftest import World
from tests.stories.scenes import CHEST_PAIN, SITE, Watch, in_language, jump, off_duty, resolve_all, rows, withdraw


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=SITE)


def briefs(someone: Person, since: Watch | None = None) -> list[ShownMessage]:
    shown = since.new if since is not None else someone.seen
    return [message for message in shown if message.text.startswith("📋")]


def measured(work: Work, day: int, measure: str, value: float, **more: Any) -> None:
    """Enter a verified value of Anna's."""
    given = {"source": "staff", "verified": True, "unit": "g/L", "occasion": f"{day}", "transfused": "none"}
    work.session.add(
        Measurement(
            subject_id=find(work, "S-001").id or 0,
            measure=measure,
            value=Decimal(str(value)),
            said=str(value),
            taken_on=date(2026, 11, day),
            entered_at=work.now,
            entered_by="bot",
            **{**given, **more},
        )
    )


def blood_count(work: Work, code: str) -> Visit:
    visit = visits.open_one(work.session, find(work, code), VisitKind.CBC)
    assert visit is not None
    return visit


def both_come(work: Work) -> None:
    """Let Anna come on the day of Boris's injection too."""
    plan.move(work, blood_count(work, "S-001"), date(2026, 11, 3))


def look(work: Work) -> None:
    """Make the briefs of today, which leave with the next tick."""
    brief.look(work, AgendaItem(kind=brief_plan.LOOK, key="", about_id=0, due_at=work.now))


class TestByItself:
    async def test_at_half_past_seven_coordinators_and_who_is_on_duty_get_one(self, both_stages: Stage) -> None:
        made = await study(both_stages)
        pi = await staff(both_stages, 14, "PI", Role.PI)
        admin = await staff(both_stages, 15, "Admin", Role.ADMIN)
        sees = {each.name: Watch(each) for each in (made.coordinator, made.doctor, pi, admin, made.boris)}
        await both_stages.until(at(3, 7, 29))
        assert not any(briefs(each.person, each) for each in sees.values())
        await both_stages.until(at(3, 7, 30))
        for watch in (sees[made.coordinator.name], sees[made.doctor.name]):
            (shown,) = briefs(watch.person, watch)
            # Boris alone comes on the third: his brief is there in full.
            assert "S-002" in shown.text
            assert watch.person.label("brief.no_value", what="Hb, PLT, ANC") in shown.text
        assert not any(briefs(sees[each.name].person, sees[each.name]) for each in (pi, admin, made.boris))
        message = (await rows(both_stages, OutboxMessage, purpose=brief_plan.PURPOSE))[0]
        assert message.useful_until == at(3, 18)
        await both_stages.until(at(4, 9))
        assert len(await rows(both_stages, OutboxMessage, purpose=brief_plan.PURPOSE)) == 2

    async def test_several_patients_are_one_message_with_a_block_and_a_button_each(self, study: Study) -> None:
        await study.stage.within(both_come)
        nurse, doctor = study.coordinator, await in_language(study.doctor, "zh")
        sees, doctor_sees = Watch(nurse), Watch(doctor)
        await study.stage.until(at(3, 7, 30))
        (shown,) = briefs(nurse, sees)
        assert shown.text.index("S-001") < shown.text.index("S-002")
        assert shown.labels == ("📋 S-001", "📋 S-002")
        (chinese,) = briefs(doctor, doctor_sees)
        assert "今天来 2 位" in chinese.text
        await nurse.presses("📋 S-001")
        assert nurse.phone.last.text.startswith("📋 S-001")

    async def test_a_day_without_visits_has_none(self, study: Study) -> None:
        sees = Watch(study.coordinator)
        await study.stage.until(at(4, 9))
        sees = Watch(study.coordinator)
        await study.stage.until(at(5, 6))
        assert briefs(study.coordinator, sees) == []
        looks = await rows(study.stage, AgendaItem, kind=brief_plan.LOOK)
        assert [each.reason for each in looks if each.state == "done"][-1] == "no visits today"

    @pytest.mark.parametrize(
        ("back", "told"),
        [
            pytest.param(at(3, 10), True, id="in the course of the day"),
            pytest.param(at(3, 18), False, id="when the day's visits are over"),
            pytest.param(at(4, 3), False, id="in the next night"),
        ],
    )
    async def test_after_an_outage_there_is_one_if_it_is_still_of_use(
        self, world: World, study: Study, back: datetime, told: bool
    ) -> None:
        await study.stage.bot.tick()
        await world.stop()
        sees = Watch(study.coordinator)
        study.stage.clock.set(back)
        await world.start()
        await jump(study.stage, back)
        assert len(briefs(study.coordinator, sees)) == int(told)
        waiting = [
            each for each in await rows(study.stage, AgendaItem, kind=brief_plan.LOOK) if each.state == "waiting"
        ]
        (coming,) = waiting
        assert coming.due_at == at(4, 7, 30)

    @pytest.mark.parametrize("why", ["moved", "cancelled", "withdrawn"])
    async def test_what_has_not_left_is_taken_back_and_the_day_told_anew(self, study: Study, why: str) -> None:
        stage = study.stage
        await stage.within(both_come)
        stage.clock.set(at(3, 7, 30))
        await stage.within(look)
        assert {each.state for each in await rows(stage, OutboxMessage, purpose="brief")} == {"waiting"}
        sees = Watch(study.coordinator)

        def change(work: Work) -> None:
            anna = find(work, "S-001")
            visit = blood_count(work, "S-001")
            if why == "moved":
                plan.move(work, visit, date(2026, 11, 6))
            elif why == "cancelled":
                plan.cancel(work, visit, "test")
            else:
                anna.state = ParticipationState.WITHDRAWN
                work.session.flush()
                brief_plan.take_back(work, work.today, "withdrawn")

        await stage.within(change)
        await stage.bot.tick()
        (shown,) = briefs(study.coordinator, sees)
        assert "S-001" not in shown.text
        states = [each.state for each in await rows(stage, OutboxMessage, purpose="brief")]
        assert sorted(states) == ["sent", "sent", "skipped", "skipped"]

    async def test_a_patient_who_withdraws_takes_the_brief_back(self, study: Study) -> None:
        stage = study.stage
        stage.clock.set(at(3, 7, 30))

        def later(work: Work) -> None:
            look(work)
            for message in work.session.exec(select(OutboxMessage).where(OutboxMessage.purpose == "brief")):
                message.due_at = at(3, 9)  # Telegram has to be waited for

        await stage.within(later)
        await withdraw(study.boris)
        assert {each.state for each in await rows(stage, OutboxMessage, purpose="brief")} == {"skipped"}

    async def test_one_that_has_left_is_not_sent_again(self, study: Study) -> None:
        await study.stage.until(at(3, 8))
        sees = Watch(study.coordinator)

        def move(work: Work) -> None:
            plan.move(work, blood_count(work, "S-002"), date(2026, 11, 3))
            look(work)

        await study.stage.within(move)
        await study.stage.settle()
        assert briefs(study.coordinator, sees) == []

    async def test_who_has_left_or_cannot_be_reached_gets_none(self, study: Study) -> None:
        await off_duty(study.doctor)

        def leave(work: Work) -> None:
            for member, _ in people.staff(work.session, [Role.COORDINATOR]):
                member.revoked_at = work.now

        await study.stage.within(leave)
        await study.stage.until(at(3, 9))
        assert await rows(study.stage, OutboxMessage, purpose="brief") == []


class TestWhatItSays:
    async def test_nothing_known_is_said_as_such(self, study: Study) -> None:
        doctor = study.doctor
        await doctor.says("/brief S-001")
        said = briefs(doctor)[-1].text
        for key in ("brief.nothing_known", "brief.tablets_unknown", "brief.no_cases"):
            assert doctor.label(key) in said
        assert doctor.label("brief.no_value", what="Hb, PLT, ANC") in said
        assert doctor.label("brief.no_value", what="BP") in said
        await doctor.says("/brief S-003")
        assert "💊" not in briefs(doctor)[-1].text  # no tablets in her arm

    async def test_the_last_values_stand_in_order_with_transfusions_marked(self, study: Study) -> None:
        def enter(work: Work) -> None:
            for day, value, given in (
                (1, 60, "none"), (2, 61, "none"), (3, 70, "red_cells"), (4, 69, "platelets"), (5, 68, None),
            ):  # fmt: skip
                measured(work, day, "hb", value, transfused=given)
            measured(work, 3, "plt", 18, unit="10^9/L", transfused="red_cells+platelets")
            measured(work, 6, "hb", 99, verified=False, source="patient")
            measured(work, 4, "systolic", 128, occasion="bp", verified=False, source="patient")
            measured(work, 4, "diastolic", 76, occasion="bp", verified=False, source="patient")
            measured(work, 4, "ferritin", 1200, occasion="f")

        study.stage.clock.set(at(6, 9))
        await study.stage.within(enter)
        await study.doctor.says("/brief S-001")
        said = briefs(study.doctor)[-1].text
        assert "Hb 61 (2 Nov) → 70 T (3 Nov) → 69 (4 Nov) → 68 T? (5 Nov) g/L" in said
        assert "PLT 18 T (3 Nov)" in said
        assert "BP 128/76 mmHg (4 Nov, not verified)" in said
        assert "Ferritin 1200" in said
        assert study.doctor.label("brief.transfused") in said
        assert len(said) < 1500

    async def test_the_worst_is_that_since_the_last_visit(self, study: Study) -> None:
        await study.anna.says(CHEST_PAIN["zh"])
        await resolve_all(study.stage)
        doctor = study.doctor

        def held(work: Work) -> None:
            visits.write_record(
                work.session, blood_count(work, "S-001"), visits.DONE, date(2026, 11, 4), at=work.now, by="bot"
            )

        await doctor.says("/brief S-001")
        assert "call 120" in briefs(doctor)[-1].text
        study.stage.clock.set(at(6, 9))
        await study.stage.within(held)
        await doctor.says("/brief S-001")
        said = briefs(doctor)[-1].text
        assert doctor.label("brief.since_visit", day="4 Nov", n=2) in said
        assert "call 120" not in said

    async def test_tablets_cases_and_reviews(self, study: Study) -> None:
        def enter(work: Work) -> None:
            anna = find(work, "S-001").id or 0
            for day, status in ((2, "taken"), (3, "taken"), (4, "not_taken")):
                work.session.add(
                    DoseReport(
                        subject_id=anna,
                        day_on=date(2026, 11, day),
                        status=status,
                        reported_by="bot",
                        reported_at=work.now,
                    )
                )
            work.session.add(DoseReview(subject_id=anna, rule="plt", key="k", opened_at=work.now))

        study.stage.clock.set(at(6, 9))
        await study.stage.within(enter)
        await study.anna.says("我发烧了")
        await study.doctor.says("/brief S-001")
        said = briefs(study.doctor)[-1].text
        assert study.doctor.label("brief.tablets", share="50 %", days=4, unknown=1, gap=1) in said
        assert study.doctor.label("brief.reviews", n=1, day="6 Nov") in said

    async def test_without_a_code_it_shows_today_and_the_list_of_today_leads_there(self, study: Study) -> None:
        await study.doctor.says("/brief")
        assert "📋" in briefs(study.doctor)[-1].text
        await study.doctor.says("/today")
        await study.doctor.taps("due.button.briefs")
        assert "S-001" in briefs(study.doctor)[-1].text
        study.stage.clock.set(at(8, 9))
        await study.doctor.says("/brief")
        assert study.doctor.label("brief.nobody", day="Sunday 8 November") in [
            each.text for each in study.doctor.seen
        ]

    async def test_a_wrong_code_and_a_wrong_role(self, study: Study) -> None:
        sees = Watch(study.doctor)
        await study.doctor.says("/brief S-999")
        assert sees.first("refused.subject_unknown")
        monitor = await staff(study.stage, 15, "Monitor", Role.MONITOR)
        await monitor.says("/brief S-001")
        assert monitor.phone.last.text.startswith("📋 S-001")
        admin = await staff(study.stage, 16, "Admin", Role.ADMIN)
        for each in (admin, study.boris):
            sees = Watch(each)
            await each.says("/brief S-001")
            assert sees.first("refused.not_for_you")
