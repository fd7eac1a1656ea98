"""Nothing clinical before consent, nothing but a farewell after stopping."""

from datetime import datetime, timedelta

import pytest

from bot.domain.roles import Role
from bot.protocol.load import bundled
from bot.store import people
from bot.store.models import AgendaItem, Consent, OutboxMessage
from bot.usecases import overdue
from bot.usecases.staff_queries import find
from bot.work import Lane, Work
from schedules import agenda
from tests.people import Study, begin, staff
from tests.stories.scenes import Watch, caregiver, clinical_rows, rows, subject, withdraw

PARTS = (bundled().consent.text, *bundled().consent.agreements)
CLINICAL = ("visit.reminder", "dose.prompt", "case", "report")


class TestBeforeConsent:
    @pytest.mark.req("DI-19")
    async def test_ten_days_bring_nothing(self, newcomers: Study) -> None:
        anna = newcomers.anna
        await anna.opens(await newcomers.link("S-001"))
        await anna.taps("language.zh")
        sees = Watch(anna)
        await newcomers.pass_time(days=10)
        assert sees.new == []
        # What is planned is told to staff alone: that nobody has recorded a visit.
        kinds = {item.kind for item in await rows(newcomers.stage, AgendaItem)}
        assert overdue.OVERDUE in kinds
        assert kinds.isdisjoint(agenda.TO_PATIENTS)

    @pytest.mark.req("DI-19")
    @pytest.mark.parametrize("command", ["menu", "unwell", "visits", "tablets", "team", "help"])
    async def test_no_command_shows_anything_clinical(self, newcomers: Study, command: str) -> None:
        anna = newcomers.anna
        await anna.opens(await newcomers.link("S-001"))
        await anna.taps("language.zh")
        before = await clinical_rows(newcomers.stage)
        sees = Watch(anna)
        await anna.says(f"/{command}")
        assert len(sees.new) == 1
        # 2 November is the day of both of Anna's visits; 250 is the strength of her tablets.
        assert not [part for part in ("11月2日", "250", "打针") if part in sees.texts[0]]
        assert await clinical_rows(newcomers.stage) == before

    @pytest.mark.req("DI-19")
    @pytest.mark.parametrize("refused", range(len(PARTS)))
    async def test_refusing_any_part_keeps_the_patient_out(self, newcomers: Study, locale: str, refused: int) -> None:
        anna = newcomers.anna
        await anna.opens(await newcomers.link("S-001"))
        await anna.taps(f"language.{locale}")
        anna.locale = locale
        for _ in range(refused):
            await anna.taps("start.button.agree")
        sees = Watch(anna)
        await anna.taps("start.button.refuse")
        assert sees.first("start.refused")
        assert (await subject(newcomers.stage, "S-001")).state == "invited"
        assert [consent.agreed for consent in await rows(newcomers.stage, Consent)] == [True] * refused + [False]
        await newcomers.pass_time(days=5)
        assert len(sees.new) == 1

    @pytest.mark.req("DI-19")
    async def test_who_refused_can_read_again_and_agree(self, newcomers: Study) -> None:
        anna = newcomers.anna
        await anna.opens(await newcomers.link("S-001"))
        await anna.taps("language.zh", "start.button.agree", "start.button.refuse")
        sees = Watch(anna)
        await anna.taps("start.button.read_again")
        assert sees.first(PARTS[0])
        await anna.taps(*["start.button.agree"] * len(PARTS))
        await anna.presses("18:00")
        assert sees.last("start.ready")

    @pytest.mark.req("DI-19")
    async def test_each_part_is_kept_with_version_language_and_time(self, newcomers: Study) -> None:
        await begin(newcomers.boris, await newcomers.link("S-002"))
        kept = await rows(newcomers.stage, Consent)
        assert [consent.item for consent in kept] == list(PARTS)
        assert {(consent.version, consent.locale, consent.agreed) for consent in kept} == {("1.0", "en", True)}
        assert {consent.at for consent in kept} == {newcomers.stage.clock.now()}

    async def test_the_coordinator_hears_who_has_begun(self, newcomers: Study) -> None:
        sees = Watch(newcomers.coordinator)
        await begin(newcomers.clara, await newcomers.link("S-003"))
        assert sees.first("staff.consented")
        assert "S-003" in sees.texts[0]


class TestStopping:
    @pytest.mark.req("DI-20")
    async def test_one_command_and_one_confirmation(self, study: Study, locale: str) -> None:
        patient = study.anna if locale == "zh" else study.boris
        sees, nurse = Watch(patient), Watch(study.coordinator)
        await patient.says("/stop")
        assert sees.last("stop.ask")
        await patient.taps("stop.button.yes")
        assert sees.last("stop.done")
        assert nurse.first("staff.withdrawn")

    @pytest.mark.req("DI-20")
    async def test_no_keeps_everything(self, study: Study) -> None:
        await study.anna.says("/stop")
        sees = Watch(study.anna)
        await study.anna.taps("stop.button.no")
        assert sees.first("menu.patient")
        assert (await subject(study.stage, "S-001")).state == "on_study"

    @pytest.mark.req("DI-20")
    async def test_with_a_hundred_messages_queued_only_the_farewell_leaves(self, study: Study) -> None:
        def queue(work: Work) -> None:
            anna = find(work, "S-001")
            (account,) = people.speakers(work.session, anna.id or 0)
            for number in range(100):
                work.say(
                    account,
                    "help.stranger",
                    lane=Lane.REMINDER,
                    purpose="visit.reminder",
                    subject_id=anna.id,
                    due_at=work.now + timedelta(minutes=number + 1),
                    phone="0",
                )

        await study.anna.says("/stop")
        await study.stage.within(queue)
        sees = Watch(study.anna)
        await study.anna.taps("stop.button.yes")
        await study.pass_time(days=3)
        assert len(sees.new) == 1
        assert sees.first("stop.done")
        skipped = await rows(study.stage, OutboxMessage, state="skipped", reason="withdrawn")
        assert len(skipped) == 100

    @pytest.mark.req("DI-20")
    async def test_five_weeks_after_stopping_nothing_has_come(self, study: Study) -> None:
        daughter = await caregiver(study)
        await withdraw(study.anna)
        sees, daughter_sees = Watch(study.anna), Watch(daughter)
        await study.pass_time(days=35)
        assert sees.new == []
        assert daughter_sees.new == []

    @pytest.mark.req("DI-20")
    async def test_a_new_day_that_staff_choose_is_not_told_any_more(self, study: Study) -> None:
        await withdraw(study.clara)
        sees = Watch(study.clara)
        nurse = study.coordinator
        await nurse.says("/patient S-003")
        await nurse.presses(nurse.label("visit.short.cbc"))
        await nurse.taps("visit.button.move")
        await nurse.presses(nurse.phone.last.labels[0])
        await study.pass_time(days=20)
        assert sees.new == []

    @pytest.mark.req("DI-20")
    async def test_old_buttons_record_nothing(self, study: Study) -> None:
        await study.stage.until(datetime.fromisoformat("2026-11-02T18:00:00+08:00"))
        question = study.anna.phone.last
        await withdraw(study.anna)
        before = await clinical_rows(study.stage)
        sees = Watch(study.anna)
        await study.anna.phone.taps_on(question, study.anna.label("tablets.button.taken"))
        await study.stage.settle()
        assert len(sees.new) == 1
        assert await clinical_rows(study.stage) == before

    @pytest.mark.req("DI-20")
    async def test_stopping_before_consent_works_too(self, newcomers: Study) -> None:
        await newcomers.anna.opens(await newcomers.link("S-001"))
        await newcomers.anna.taps("language.zh")
        await withdraw(newcomers.anna)
        assert (await subject(newcomers.stage, "S-001")).state == "withdrawn"

    async def test_stopping_twice_is_stopping_once(self, study: Study) -> None:
        await withdraw(study.anna)
        sees, nurse = Watch(study.anna), Watch(study.coordinator)
        await withdraw(study.anna)
        assert sees.last("menu.not_on_study")
        assert nurse.new == []

    async def test_after_stopping_words_still_reach_a_person(self, study: Study) -> None:
        await withdraw(study.anna)
        sees, nurse = Watch(study.anna), Watch(study.coordinator)
        await study.anna.says("谢谢你们的照顾")
        assert sees.first("speak.passed_on_not_on_study")
        assert any("谢谢你们的照顾" in text for text in nurse.texts)


@pytest.mark.req("DI-20", "DI-19")
async def test_staff_see_who_has_stopped(study: Study) -> None:
    monitor = await staff(study.stage, 15, "Monitor", Role.MONITOR)
    await withdraw(study.anna)
    await monitor.says("/patient S-001")
    assert monitor.label("participation.withdrawn") in monitor.phone.last.text
