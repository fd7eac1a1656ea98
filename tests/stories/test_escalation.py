"""A red case rings until a person takes it, and nobody is told more than is true."""

from datetime import timedelta

import pytest
from sqlmodel import select

from bot.domain.roles import Role
from bot.domain.urgency import Urgency
from bot.simulator.parts import Exchange, NoSuchButton
from bot.store.models import EscalationStep, OutboxMessage, StaffMember
from bot.story.people import Person
from bot.usecases import escalate
from bot.usecases.staff_queries import find
from bot.work import Text, Work
from tests.people import Study, staff
from tests.stories.conftest import World
from tests.stories.scenes import CHEST_PAIN, Watch, cases, fails_for, off_duty, rows, symptom_case


async def chest_pain(study: Study) -> None:
    await study.anna.says(CHEST_PAIN["zh"])


async def steps(study: Study) -> list[str]:
    return [step.what for step in await rows(study.stage, EscalationStep)]


def pages(sees: Watch) -> list[int]:
    """Return how many minutes after the first morning each page came."""
    start = sees.person.stage.clock.now().replace(hour=0, minute=0, second=0)
    return [
        int((message.at - start) / timedelta(minutes=1))
        for message in sees.new
        if sees.person.label("case.button.acknowledge") in message.labels
    ]


class TestChain:
    async def test_it_climbs_at_0_10_20_and_30_minutes_and_repeats_every_five(self, study: Study) -> None:
        colleague = await staff(study.stage, 13, "Second physician", Role.INVESTIGATOR)
        pi = await staff(study.stage, 14, "Principal investigator", Role.PI)
        everybody = [Watch(each) for each in (study.doctor, colleague, pi, study.coordinator)]
        await chest_pain(study)
        await study.pass_time(minutes=61)
        assert [pages(each) for each in everybody] == [
            list(range(0, 61, 5)),
            list(range(10, 61, 5)),
            list(range(20, 61, 5)),
            list(range(30, 61, 5)),
        ]

    async def test_with_nobody_on_duty_everybody_is_paged_at_once(self, study: Study) -> None:
        pi = await staff(study.stage, 14, "Principal investigator", Role.PI)
        await off_duty(study.doctor)
        everybody = [Watch(each) for each in (study.doctor, pi, study.coordinator)]
        await chest_pain(study)
        assert [each.first("case.page") for each in everybody] == [True, True, True]

    async def test_a_monitor_and_an_admin_are_never_paged_but_an_admin_hears_the_alarm(self, study: Study) -> None:
        monitor = await staff(study.stage, 15, "Monitor", Role.MONITOR)
        admin = await staff(study.stage, 16, "Admin", Role.ADMIN)
        quiet = [Watch(monitor), Watch(admin)]
        await off_duty(study.doctor)
        await chest_pain(study)
        await study.pass_time(minutes=45)
        assert quiet[0].new == []
        assert [quiet[1].first("case.alarm.admin"), len(quiet[1].new)] == [True, 1]

    async def test_it_never_ends_by_itself(self, study: Study) -> None:
        await chest_pain(study)
        for _ in range(3):
            await study.pass_time(minutes=31)
            # The bot is away for eight hours; what it missed is not made up for, and paging goes on.
            study.stage.clock.advance(hours=8)
        sees = Watch(study.doctor)
        await study.pass_time(minutes=20, seconds=1)
        assert len(pages(sees)) == 5
        assert (await symptom_case(study.stage)).state == "notified"

    async def test_pages_number_themselves(self, study: Study) -> None:
        await chest_pain(study)
        sees = Watch(study.doctor)
        await study.pass_time(minutes=6)
        assert study.doctor.label("case.repeat", n=2) in sees.texts[-1]
        assert (await symptom_case(study.stage)).pages == 2


class TestTakingOver:
    async def test_acknowledging_stops_the_pages_and_shows_the_others_who_has_it(self, study: Study) -> None:
        pi = await staff(study.stage, 14, "Principal investigator", Role.PI)
        await chest_pain(study)
        await study.pass_time(minutes=20)
        page = next(each for each in reversed(pi.seen) if pi.label("case.button.acknowledge") in each.labels)
        anna = Watch(study.anna)
        await study.doctor.taps("case.button.acknowledge")
        assert "Physician" in page.text
        assert page.labels == ()
        assert anna.new == []
        await study.doctor.presses(study.doctor.label("case.read_back.do.phone_now", code="S-001"))
        assert anna.first("case.told.taken_over")
        await study.doctor.taps("case.button.spoke")
        everybody = [Watch(each) for each in (study.doctor, pi, study.coordinator)]
        await study.pass_time(hours=2)
        assert [pages(each) for each in everybody] == [[], [], []]

    async def test_a_late_press_of_a_second_doctor_hears_who_has_it(self, study: Study) -> None:
        await off_duty(study.doctor)
        await chest_pain(study)
        for each in (study.doctor, study.coordinator):
            await each.phone.taps(each.label("case.button.acknowledge"))
        await study.stage.settle()
        case = await symptom_case(study.stage)
        owner = (await rows(study.stage, StaffMember, id=case.acknowledged_by_id))[0].name
        first, second = (
            (study.doctor, study.coordinator) if owner == "Physician" else (study.coordinator, study.doctor)
        )
        assert first.phone.last_toast == first.label("case.toast.acknowledged")
        assert second.phone.last_toast == second.label("case.toast.taken", name=owner)
        assert (await steps(study)).count("acknowledged") == 1

    @pytest.mark.req("DI-14")
    async def test_a_second_press_of_the_same_doctor_changes_nothing(self, study: Study) -> None:
        await chest_pain(study)
        await study.doctor.taps("case.button.acknowledge")
        before = await steps(study)
        await study.doctor.phone.repeats_last_tap()
        await study.stage.settle()
        assert study.doctor.phone.last_toast == study.doctor.label("case.toast.yours")
        assert await steps(study) == before

    async def test_a_colleague_can_take_over_and_the_first_hears_of_it(self, study: Study) -> None:
        await chest_pain(study)
        await study.doctor.taps("case.button.acknowledge")
        sees = Watch(study.doctor)
        await study.coordinator.says("/alerts")
        await study.coordinator.presses("S-001")
        await study.coordinator.taps("case.button.take_over")
        assert sees.read("case.told.colleague")
        assert "Nurse" in sees.texts[0]
        assert (await steps(study))[-1] == "taken over"

    async def test_talking_to_the_patient_is_written_down_with_its_time(self, study: Study) -> None:
        await chest_pain(study)
        await study.doctor.taps("case.button.acknowledge")
        await study.pass_time(minutes=3)
        await study.doctor.taps("case.button.no_answer")
        assert (await symptom_case(study.stage)).contacted_at is None
        await study.pass_time(minutes=3)
        await study.doctor.taps("case.button.spoke")
        case = await symptom_case(study.stage)
        assert case.contacted_at == study.stage.clock.now()
        assert case.state == "in_action"
        assert (await steps(study))[-2:] == ["no answer", "spoke"]


class TestResolving:
    @pytest.mark.req("DI-18")
    async def test_what_nobody_has_taken_cannot_be_resolved(self, study: Study) -> None:
        await chest_pain(study)
        with pytest.raises(NoSuchButton):
            await study.doctor.taps("case.button.resolve")

    @pytest.mark.req("DI-18")
    async def test_without_an_outcome_the_case_stays_open(self, study: Study) -> None:
        await chest_pain(study)
        await study.doctor.taps("case.button.acknowledge", "case.button.spoke", "case.button.resolve")
        assert (await symptom_case(study.stage)).state == "in_action"
        await study.doctor.taps("form.button.cancel")
        assert (await symptom_case(study.stage)).state == "in_action"
        await study.pass_time(days=1)
        assert (await symptom_case(study.stage)).state == "in_action"

    @pytest.mark.req("DI-18")
    async def test_with_an_outcome_it_is_closed_by_name(self, study: Study) -> None:
        await chest_pain(study)
        await study.doctor.taps("case.button.acknowledge", "case.button.resolve", "outcome.came_to_hospital")
        case = await symptom_case(study.stage)
        doctor = (await rows(study.stage, StaffMember))[1]
        assert (case.state, case.outcome, case.resolved_by_id) == ("resolved", "came_to_hospital", doctor.id)
        await study.doctor.says("/alerts")
        assert study.doctor.read("alerts.none")

    async def test_a_new_report_after_that_is_a_new_case_with_a_new_page(self, study: Study) -> None:
        await chest_pain(study)
        await study.doctor.taps("case.button.acknowledge", "case.button.resolve", "outcome.came_to_hospital")
        doctor = Watch(study.doctor)
        await chest_pain(study)
        assert [case.state for case in await cases(study.stage)] == ["resolved", "notified"]
        assert doctor.first("case.page")

    async def test_a_button_of_a_resolved_case_shows_that_it_is_resolved(self, study: Study) -> None:
        await chest_pain(study)
        page = study.doctor.phone.last
        data = page.buttons[0]
        await study.doctor.taps("case.button.acknowledge")
        card = study.doctor.phone.last
        await study.doctor.taps("case.button.resolve", "outcome.unreachable_family_told")
        await study.doctor.phone.taps_on(card, study.doctor.label("case.button.spoke"))
        await study.stage.settle()
        assert data.callback_data is not None
        assert study.doctor.phone.last_toast == study.doctor.label("case.toast.resolved")
        assert (await symptom_case(study.stage)).contacted_at is None


class TestJoining:
    async def test_a_report_during_an_open_case_joins_it(self, study: Study) -> None:
        await chest_pain(study)
        doctor = Watch(study.doctor)
        await study.anna.says("流鼻血止不住")
        case = await symptom_case(study.stage)
        assert {"T21-chest-pain", "T11-bleeding-after-15-minutes"} <= set(case.because)
        assert doctor.read("case.page.more")
        assert "流鼻血止不住" in doctor.texts[-1]
        assert CHEST_PAIN["zh"] in doctor.texts[-1]

    async def test_a_new_danger_after_a_takeover_pages_from_the_start(self, study: Study) -> None:
        await chest_pain(study)
        await study.doctor.taps("case.button.acknowledge")
        doctor, nurse, sees = Watch(study.doctor), Watch(study.coordinator), Watch(study.anna)
        await study.anna.says("流鼻血止不住")
        assert doctor.read("case.page")
        assert nurse.new == []
        assert sees.read("triage.paged")
        assert (await symptom_case(study.stage)).state == "notified"

    async def test_after_a_takeover_milder_words_go_to_who_has_it_only(self, study: Study) -> None:
        await chest_pain(study)
        await study.doctor.taps("case.button.acknowledge")
        doctor, nurse = Watch(study.doctor), Watch(study.coordinator)
        await study.anna.says("拉肚子止不住")
        assert doctor.read("case.page.more")
        assert nurse.new == []
        assert (await symptom_case(study.stage)).state == "acknowledged"

    async def test_a_higher_urgency_pages_again_from_the_start(self, study: Study) -> None:
        await study.boris.taps("menu.button.unwell", "report.trouble.injection_site")
        await study.boris.taps("report.site.look.pus_sore_black", "report.answer.none")
        await study.coordinator.taps("case.button.acknowledge")
        doctor = Watch(study.doctor)
        await study.boris.says(CHEST_PAIN["en"])
        assert doctor.read("case.page")
        case = await symptom_case(study.stage, "S-002")
        assert (case.urgency, case.state, case.acknowledged_by_id) == ("red_120", "notified", None)
        await study.pass_time(minutes=5)
        assert len(pages(doctor)) == 2

    async def test_a_lower_urgency_leaves_the_case_as_it_is(self, study: Study) -> None:
        await chest_pain(study)
        await study.doctor.taps("case.button.acknowledge")
        await study.anna.taps("menu.button.unwell", "report.trouble.injection_site")
        await study.anna.taps("report.site.look.over_3_days", "report.answer.none")
        case = await symptom_case(study.stage)
        assert (case.urgency, case.state) == ("red_120", "acknowledged")

    async def test_a_request_is_a_case_of_its_own(self, study: Study) -> None:
        await chest_pain(study)
        await study.anna.taps("menu.button.team", "team.button.call_me")
        assert [case.kind for case in await cases(study.stage)] == ["symptom", "request"]


class TestTelling:
    """Staff are "alerted" only once a page has really gone out."""

    @pytest.mark.req("DI-16")
    async def test_while_who_is_on_duty_cannot_be_reached_everybody_else_is_paged_at_once(self, study: Study) -> None:
        await study.doctor.phone.blocks()
        await study.stage.settle()
        assert study.coordinator.read("staff.unreachable_staff")
        sees = Watch(study.anna)
        await chest_pain(study)
        assert study.coordinator.read("case.page")
        assert sees.count("triage.paged") == 1

    async def test_a_page_that_bounces_goes_to_everybody_else_at_once(self, study: Study) -> None:
        study.stage.telegram.phone(12, "Physician").chat.blocked = True
        sees = Watch(study.anna)
        await chest_pain(study)
        assert study.coordinator.read("case.page")
        assert sees.count("triage.paged") == 1

    @pytest.mark.req("DI-16")
    async def test_a_page_that_telegram_did_not_take_alerts_nobody(
        self, study: Study, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sees = Watch(study.anna)
        fails_for(monkeypatch, study.stage, study.doctor, lambda: Exchange(500, b'{"ok":false,"error_code":500}'))
        await chest_pain(study)
        assert not sees.read("triage.paged")
        states = {message.state for message in await rows(study.stage, OutboxMessage, purpose=escalate.PAGE)}
        assert "sent" not in states
        monkeypatch.undo()
        await study.pass_time(minutes=6)
        assert study.doctor.read("case.page")
        assert sees.count("triage.paged") == 1

    async def test_the_emergency_text_does_not_wait_for_the_page(
        self, study: Study, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sees = Watch(study.anna)
        fails_for(monkeypatch, study.stage, study.doctor, lambda: Exchange(cut="unreachable"))
        await chest_pain(study)
        assert sees.first("triage.red_120.call")
        assert not sees.read("triage.paged")

    @pytest.mark.req("DI-16")
    async def test_a_proxys_page_says_nothing_about_the_doctor(
        self, study: Study, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        page = Exchange(403, b"<html>Access denied</html>", "text/html")
        fails_for(monkeypatch, study.stage, study.doctor, lambda: page)
        await chest_pain(study)
        assert not study.anna.read("triage.paged")
        monkeypatch.undo()
        await study.pass_time(minutes=6)
        assert study.doctor.read("case.page")

    async def test_with_no_staff_at_all_the_patient_is_told_that_nobody_was_reached(self, study: Study) -> None:
        def everybody_leaves(work: Work) -> None:
            for member in work.session.exec(select(StaffMember)).all():
                member.revoked_at = work.now

        await study.stage.within(everybody_leaves)
        sees = Watch(study.anna)
        await chest_pain(study)
        assert sees.first("triage.red_120.call")
        assert sees.read("case.nobody_reached")
        assert not sees.read("triage.paged")


class TestRestart:
    @pytest.mark.req("DI-15")
    async def test_the_chain_goes_on_after_a_restart(self, study: Study, world: World) -> None:
        pi = await staff(study.stage, 14, "Principal investigator", Role.PI)
        await chest_pain(study)
        await study.pass_time(minutes=7)
        await world.restart()
        sees = Watch(pi)
        await study.pass_time(minutes=14)
        assert pages(sees) == [20]
        assert (await symptom_case(study.stage)).pages == 5

    @pytest.mark.req("DI-15")
    async def test_a_chain_that_slept_goes_on_at_its_highest_level_once(self, study: Study, world: World) -> None:
        await chest_pain(study)
        await world.stop()
        study.stage.clock.advance(minutes=90)
        await world.start()
        doctor, nurse = Watch(study.doctor), Watch(study.coordinator)
        await study.pass_time(seconds=1)
        assert (pages(doctor), pages(nurse)) == ([90], [90])

    @pytest.mark.req("DI-15")
    async def test_what_people_wrote_while_the_bot_was_away_is_answered(self, study: Study, world: World) -> None:
        await world.stop()
        await study.anna.phone.sends(CHEST_PAIN["zh"])
        await world.start()
        await study.stage.settle()
        assert study.anna.read("triage.red_120.call")
        assert study.doctor.read("case.page")

    async def test_buttons_outlive_a_restart(self, study: Study, world: World) -> None:
        await chest_pain(study)
        await world.restart()
        await study.doctor.taps("case.button.acknowledge")
        assert (await symptom_case(study.stage)).state == "acknowledged"


async def test_amber_pages_once_and_again_after_a_day(study: Study) -> None:
    def raise_amber(work: Work) -> None:
        escalate.raise_case(work, find(work, "S-001"), Urgency.AMBER, ["test"], [Text("request.call_me")])

    doctor, nurse = Watch(study.doctor), Watch(study.coordinator)
    await study.stage.within(raise_amber)
    await study.pass_time(hours=23, minutes=59)
    assert (len(pages(doctor)), len(pages(nurse))) == (1, 1)
    await study.pass_time(minutes=2)
    assert len(pages(doctor)) == 2


async def test_the_list_of_cases_shows_the_most_urgent_first(study: Study) -> None:
    await study.boris.taps("menu.button.team", "team.button.call_me")
    await study.clara.taps("menu.button.unwell", "report.trouble.rash_swelling", "report.skin.what.both_feet")
    await study.clara.taps("report.button.nothing_else", "report.answer.none")
    await chest_pain(study)
    await study.coordinator.says("/alerts")
    codes = [
        code for label in study.coordinator.phone.last.labels for code in ("S-001", "S-002", "S-003") if code in label
    ]
    assert codes == ["S-001", "S-003", "S-002"]


async def test_a_case_is_first_seen_when_a_clinician_opens_it(study: Study) -> None:
    await chest_pain(study)
    monitor: Person = await staff(study.stage, 15, "Monitor", Role.MONITOR)
    await monitor.says("/alerts")
    await monitor.presses("S-001")
    assert (await symptom_case(study.stage)).first_viewed_at is None
    assert monitor.phone.last.labels == ()
    await study.pass_time(minutes=1)
    await study.doctor.taps("case.button.open")
    assert (await symptom_case(study.stage)).first_viewed_at == study.stage.clock.now()
