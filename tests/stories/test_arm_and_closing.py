"""An arm is changed by an investigator, a participation is closed by staff; nothing queued for before leaks."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlmodel import col, select
from typer.testing import CliRunner

from bot.cli import cli
from bot.domain.participation import ParticipationState
from bot.settings import PREFIX
from bot.simulator.parts import NoSuchButton
from bot.store.models import AgendaItem, DoseOrder, SubjectChange, Visit
from bot.story.people import Person
from bot.usecases import visit_reminders
from bot.work import Work
from tests.conftest import KEY, SITE_PHONE, TOKEN
from tests.people import Study
from tests.stories.conftest import World
from tests.stories.scenes import CALL_120, CHEST_PAIN, Watch, caregiver, in_language, rows, subject, withdraw
from tests.stories.test_reminders import at, record_done


async def waiting(study: Study, code: str) -> list[str]:
    """Return the kinds of what is still planned for a subject in the agenda."""
    number = (await subject(study.stage, code)).id

    def find(work: Work) -> list[str]:
        query = select(AgendaItem.kind).where(AgendaItem.subject_id == number, AgendaItem.state == "waiting")
        return list(work.session.exec(query.order_by(col(AgendaItem.kind))).all())

    return await study.stage.within(find)


async def change_arm(doctor: Person, code: str, *answers: str) -> None:
    await doctor.says(f"/patient {code}")
    await doctor.taps("patient.button.change", "change.button.arm")
    await doctor.answers(*answers)


async def close(nurse: Person, code: str, reason: str, on: str) -> None:
    await nurse.says(f"/patient {code}")
    await nurse.taps("patient.button.change", "change.button.close")
    await nurse.answers(f"=reason.{reason}", on, "=form.button.save")


class TestArm:
    async def test_by_mistake_and_back_again(self, study: Study, locale: str) -> None:
        doctor = await in_language(study.doctor, locale)
        await study.stage.until(at("2026-11-02T10:00"))
        await record_done(study, "S-001", "injection", at("2026-11-02T10:00").date())
        await study.stage.until(at("2026-11-05T10:00"))
        await change_arm(doctor, "S-001", "=arm.ctrl.name", "2026-11-05", "=reason.slip")
        for key in ("arm.stops.injections", "arm.stops.tablets", "arm.goes_on"):
            assert doctor.label(key) in doctor.phone.last.text
        sees = Watch(study.anna)
        await doctor.taps("form.button.save")
        kinds = [each.kind for each in await rows(study.stage, Visit, state="planned", subject_id=1)]
        assert kinds == ["cbc"]
        assert sees.count("visit.gone") == 1
        told = sees.texts[-1]
        assert study.anna.label("visit.kind.injection") in told
        assert "23" in told.split(study.anna.label("visit.kind.cbc"))[0]
        assert "dose.prompt" not in await waiting(study, "S-001")
        await study.stage.until(at("2026-11-06T19:00"))
        assert not sees.read("tablets.ask")
        await study.anna.says("/menu")
        assert study.anna.label("menu.button.tablets") not in study.anna.phone.last.labels

        answers = ("=arm.tg2.name", "2026-11-06", "=arm.order.as_before", "=reason.slip", "=form.button.save")
        await change_arm(doctor, "S-001", *answers)
        back = await rows(study.stage, Visit, state="planned", subject_id=1)
        assert len({each.kind for each in back}) == len(back)
        (injection,) = [each for each in back if each.kind == "injection"]
        assert injection.target_on.isoformat() == "2026-11-23"
        orders = await rows(study.stage, DoseOrder, subject_id=1)
        assert [str(each.until_on) for each in orders] == ["2026-11-04", "None"]
        sees = Watch(study.anna)
        await study.stage.until(at("2026-11-07T19:00"))
        assert sees.count("tablets.ask") == 1

    async def test_a_mistake_of_the_night_that_is_put_right_is_told_to_nobody(self, study: Study) -> None:
        doctor = study.doctor
        await record_done(study, "S-002", "injection", at("2026-11-02T10:00").date())
        await study.stage.until(at("2026-11-03T22:00"))
        sees = Watch(study.boris)
        await change_arm(doctor, "S-002", "=arm.ctrl.name", "2026-11-03", "=reason.slip", "=form.button.save")
        assert not sees.texts
        await study.stage.until(at("2026-11-03T22:10"))
        await change_arm(doctor, "S-002", "=arm.tg1.name", "2026-11-03", "=reason.slip", "=form.button.save")
        await study.stage.until(at("2026-11-04T12:00"))
        assert not sees.read("visit.gone")

    async def test_a_visit_taken_out_in_the_night_is_told_in_the_morning(self, study: Study) -> None:
        await record_done(study, "S-002", "injection", at("2026-11-02T10:00").date())
        await study.stage.until(at("2026-11-03T22:00"))
        sees = Watch(study.boris)
        answers = ("=arm.ctrl.name", "2026-11-03", "=reason.doctor", "=form.button.save")
        await change_arm(study.doctor, "S-002", *answers)
        await study.stage.until(at("2026-11-04T07:59"))
        assert not sees.texts
        await study.stage.until(at("2026-11-04T08:30"))
        assert sees.count("visit.gone") == 1

    async def test_a_control_begins_with_injections_and_tablets(self, study: Study) -> None:
        doctor = study.doctor
        await change_arm(
            doctor,
            "S-003",
            "=arm.tg2.name",
            "2026-11-02",
            "2026-11-09",
            "=formulation.dispersible",
        )
        await doctor.presses("250 mg")
        await doctor.answers("2", "the iron is rising", "=form.button.save")
        assert doctor.read("arm.changed")
        moved = await subject(study.stage, "S-003")
        assert (moved.arm, str(moved.arm_since_on)) == ("TG2", "2026-11-02")
        found = await rows(study.stage, Visit, state="planned", subject_id=moved.id, kind="injection")
        assert [str(each.target_on) for each in found] == ["2026-11-09"]
        sees = Watch(study.clara)
        await study.stage.until(at("2026-11-02T19:00"))
        assert sees.count("tablets.ask") == 1

    async def test_why_it_was_changed_can_be_read_later(self, study: Study, locale: str) -> None:
        doctor = await in_language(study.doctor, locale)
        await doctor.says("/patient S-001")
        assert doctor.label("patient.button.history") not in doctor.phone.last.labels
        own = "moves to her daughter in Ningbo"
        await change_arm(doctor, "S-001", "=arm.ctrl.name", "2026-11-02", own, "=form.button.save")
        await doctor.says("/patient S-001")
        await doctor.taps("patient.button.history")
        shown = doctor.phone.last.text
        assert own in shown
        assert doctor.label("arm.ctrl.name") in shown
        # The trail names no own words; they lie sealed in the list of changes.
        (kept,) = await rows(study.stage, SubjectChange)
        assert (kept.what, kept.new, kept.reason, str(kept.from_on)) == ("arm", "CTRL", own, "2026-11-02")

    async def test_a_coordinator_has_no_such_button(self, study: Study) -> None:
        await study.coordinator.says("/patient S-001")
        await study.coordinator.taps("patient.button.change")
        with pytest.raises(NoSuchButton):
            await study.coordinator.taps("change.button.arm")

    async def test_who_comes_second_sees_how_it_stands(self, study: Study) -> None:
        answers = ("=arm.ctrl.name", "2026-11-02", "=reason.doctor")
        await change_arm(study.doctor, "S-002", *answers)

        def meanwhile(work: Work) -> None:
            from bot.usecases.arms import change
            from bot.usecases.staff_queries import find

            change(work, find(work, "S-002"), "CTRL", work.today, "#doctor")

        await study.stage.within(meanwhile)
        sees = Watch(study.doctor)
        await study.doctor.taps("form.button.save")
        assert sees.first("patient.overtaken")


class TestClosing:
    async def test_everything_ends_with_one_kind_message(self, study: Study, locale: str) -> None:
        nurse = await in_language(study.coordinator, locale)
        daughter = await caregiver(study)
        anna, reads = Watch(study.anna), Watch(daughter)
        await close(nurse, "S-001", "completed", "2026-11-02")
        assert anna.count("closing.told") == 1
        assert reads.count("closing.told") == 1
        assert SITE_PHONE in anna.texts[-1]
        assert "120" in anna.texts[-1]
        assert await waiting(study, "S-001") == []
        closed = await subject(study.stage, "S-001")
        assert (closed.state, closed.closed_because) == (ParticipationState.OFF_STUDY, "#completed")
        assert nurse.label("reason.completed") in nurse.phone.last.text
        anna, reads = Watch(study.anna), Watch(daughter)
        await study.stage.until(at("2026-11-30T10:00"))
        assert anna.new == []
        assert reads.new == []

    async def test_danger_is_answered_afterwards_too(self, study: Study) -> None:
        await close(study.coordinator, "S-001", "completed", "2026-11-02")
        sees, doctor = Watch(study.anna), Watch(study.doctor)
        await study.anna.says(CHEST_PAIN["zh"])
        assert sees.first(CALL_120)
        assert doctor.read("case.page")

    async def test_help_under_way_is_still_told(self, study: Study) -> None:
        await study.anna.says(CHEST_PAIN["zh"])
        await close(study.coordinator, "S-001", "moved_away", "2026-11-02")
        sees = Watch(study.anna)
        await study.doctor.taps("case.button.acknowledge")
        await study.doctor.presses(study.doctor.label("case.read_back.do.phone_now", code="S-001"))
        assert sees.read("case.told.taken_over")

    async def test_a_closed_participation_cannot_be_closed_or_changed_again(self, study: Study) -> None:
        await close(study.coordinator, "S-001", "completed", "2026-11-02")
        await study.coordinator.says("/patient S-001")
        await study.coordinator.taps("patient.button.change")
        assert study.coordinator.read("change.nothing")

    async def test_at_night_the_message_waits_for_the_morning(self, study: Study) -> None:
        await study.stage.until(at("2026-11-02T22:30"))
        sees = Watch(study.anna)
        await close(study.coordinator, "S-001", "completed", "2026-11-02")
        assert sees.new == []
        await study.stage.until(at("2026-11-03T08:30"))
        assert [sees.count("closing.told"), len(sees.new)] == [1, 1]

    async def test_whoever_left_comes_back_with_a_new_consent(self, study: Study) -> None:
        await study.pass_time(minutes=1)
        await withdraw(study.clara)
        await study.pass_time(minutes=1)
        nurse, sees = study.coordinator, Watch(study.clara)
        await nurse.says("/patient S-003")
        await nurse.taps("patient.button.change", "change.button.invite_again", "reason.changed_mind")
        assert sees.count("start.invited_again") == 1
        assert (await subject(study.stage, "S-003")).state == ParticipationState.INVITED
        await study.clara.taps("start.button.read_again")
        for _ in range(1 + len(study.stage.deps.protocol.consent.agreements)):
            assert (await subject(study.stage, "S-003")).state == ParticipationState.INVITED
            await study.clara.taps("start.button.agree")
        await study.clara.presses("18:00")
        assert (await subject(study.stage, "S-003")).state == ParticipationState.ON_STUDY
        assert visit_reminders.REMINDER in await waiting(study, "S-003")


class TestClosingTheStudy:
    @pytest.fixture
    def environment(self, world: World) -> dict[str, str]:
        """Give the settings with which the terminal finds the same database."""
        settings = world._settings
        return {
            f"{PREFIX}DATABASE_URL": settings.database_url,
            f"{PREFIX}ENCRYPTION_KEY": KEY,
            f"{PREFIX}TELEGRAM_TOKEN": TOKEN,
            f"{PREFIX}SITE_PHONE": SITE_PHONE,
        }

    async def test_the_id_has_to_be_typed(self, study: Study, environment: dict[str, str]) -> None:
        ran = await asyncio.to_thread(CliRunner().invoke, cli, ["close-study"], "yes\n", environment)
        assert ran.exit_code != 0
        assert (await subject(study.stage, "S-001")).state == ParticipationState.ON_STUDY

    async def test_all_are_closed_and_told_and_a_second_time_nobody(
        self, study: Study, environment: dict[str, str]
    ) -> None:
        # One was closed before, as after a command that was cut off in the middle.
        await close(study.coordinator, "S-001", "completed", "2026-11-02")
        watching = [Watch(each) for each in study.patients]
        ran = await asyncio.to_thread(CliRunner().invoke, cli, ["close-study"], "NCT06964971\n", environment)
        assert "2 participation(s) closed" in ran.output
        again = await asyncio.to_thread(CliRunner().invoke, cli, ["close-study", "--yes"], None, environment)
        assert "No participation is open" in again.output
        study.stage.clock.set(max(study.stage.clock.now(), _tomorrow()))
        await study.stage.settle()
        await study.pass_time(hours=14)
        assert [each.count("closing.told") for each in watching] == [0, 1, 1]


def _tomorrow() -> datetime:
    """Return a moment after the terminal's own clock, which is the real one."""
    return datetime.now(UTC)
