"""Whoever takes a case says what they do, reaches the patient, or it rings again; every late press has an answer."""

from datetime import timedelta

import pytest

from bot.domain.roles import Role
from bot.store.models import EscalationStep
from bot.story.people import Person
from tests.people import Study, staff
from tests.stories.conftest import World
from tests.stories.scenes import CHEST_PAIN, Watch, cases, local, off_duty, rows, symptom_case


async def taken(study: Study) -> None:
    """Let Anna report chest pain and the physician take it."""
    await study.anna.says(CHEST_PAIN["zh"])
    await study.doctor.taps("case.button.acknowledge")


async def says_what(person: Person, how: str = "phone_now", code: str = "S-001") -> None:
    await person.presses(person.label(f"case.read_back.do.{how}", code=code))


async def steps(study: Study) -> list[str]:
    return [step.what for step in await rows(study.stage, EscalationStep)]


class TestSayingWhatOneDoes:
    @pytest.mark.parametrize("how", ["phone_now", "with_patient", "help_sent"])
    @pytest.mark.req("DI-18")
    async def test_only_the_owners_word_tells_the_patient_that_a_person_has_it(self, study: Study, how: str) -> None:
        await study.anna.says(CHEST_PAIN["zh"])
        anna = Watch(study.anna)
        await study.doctor.taps("case.button.acknowledge")
        assert anna.new == []
        await says_what(study.doctor, how)
        assert anna.first("case.told.taken_over")
        read_back = (await rows(study.stage, EscalationStep, what="read back"))[0]
        assert (read_back.said, read_back.at) == (how, study.stage.clock.now())
        assert (await symptom_case(study.stage)).read_back_at == study.stage.clock.now()

    async def test_the_card_asks_until_it_is_said(self, study: Study) -> None:
        await taken(study)
        assert study.doctor.label("case.ask.read_back", within="3 min") in study.doctor.phone.last.text
        await says_what(study.doctor)
        card = study.doctor.phone.last
        assert study.doctor.label("case.ask.contact", within="15 min") in card.text
        assert study.doctor.label("case.read_back.do.phone_now", code="S-001") not in card.labels

    async def test_a_second_press_says_nothing_twice(self, study: Study) -> None:
        await taken(study)
        await says_what(study.doctor)
        anna, before = Watch(study.anna), await steps(study)
        await study.doctor.phone.repeats_last_tap()
        await study.stage.settle()
        assert (anna.new, await steps(study)) == ([], before)

    async def test_without_a_word_it_rings_again_after_three_minutes_one_level_up(self, study: Study) -> None:
        pi = await staff(study.stage, 14, "Principal investigator", Role.PI)
        colleague = await staff(study.stage, 13, "Second physician", Role.INVESTIGATOR)
        await taken(study)
        doctor, second, third, anna = (Watch(each) for each in (study.doctor, colleague, pi, study.anna))
        await study.pass_time(minutes=2, seconds=59)
        assert [each.new for each in (doctor, second, third)] == [[], [], []]
        assert not anna.read("triage.paged_again")
        await study.pass_time(seconds=2)
        assert doctor.first("case.told.lapsed")
        assert doctor.read("case.page")
        assert second.first("case.page")
        assert third.new == []
        assert anna.count("triage.paged_again") == 1
        case = await symptom_case(study.stage)
        assert (case.state, case.acknowledged_by_id) == ("notified", None)
        assert (await steps(study))[-2:] == ["lapsed", "paged"]
        # And on it goes by the chain: the PI ten minutes later.
        await study.pass_time(minutes=10)
        assert third.first("case.page")

    async def test_amber_asks_for_no_word(self, study: Study) -> None:
        await study.clara.taps("menu.button.unwell", "report.trouble.rash_swelling", "report.skin.what.both_feet")
        await study.clara.taps("report.button.nothing_else", "report.answer.none")
        clara = Watch(study.clara)
        await study.coordinator.taps("case.button.acknowledge")
        assert clara.first("case.told.taken_over")


class TestReachingThePatient:
    async def test_without_a_contact_it_rings_again_after_a_quarter_of_an_hour(self, study: Study) -> None:
        await taken(study)
        await says_what(study.doctor)
        doctor = Watch(study.doctor)
        await study.pass_time(minutes=14, seconds=59)
        assert doctor.new == []
        await study.pass_time(seconds=2)
        assert doctor.first("case.told.lapsed")
        assert (await symptom_case(study.stage)).state == "notified"

    async def test_each_try_begins_the_time_anew(self, study: Study) -> None:
        await taken(study)
        for _ in range(4):
            await study.pass_time(minutes=2)
            await study.doctor.taps("case.button.no_answer")
            await study.pass_time(minutes=12)
        assert (await symptom_case(study.stage)).state == "in_action"
        await study.pass_time(minutes=4)
        assert (await symptom_case(study.stage)).state == "notified"

    async def test_once_reached_it_stays_with_its_owner(self, study: Study) -> None:
        await taken(study)
        await study.doctor.taps("case.button.spoke")
        doctor, nurse = Watch(study.doctor), Watch(study.coordinator)
        await study.pass_time(hours=20)
        assert (doctor.new, nurse.new) == ([], [])
        assert (await symptom_case(study.stage)).state == "in_action"

    async def test_who_spoke_after_it_lapsed_has_it_again(self, study: Study) -> None:
        await taken(study)
        await says_what(study.doctor)
        await study.pass_time(minutes=16)
        told = next(
            each for each in reversed(study.doctor.seen) if study.doctor.label("case.button.spoke") in each.labels
        )
        await study.doctor.phone.taps_on(told, study.doctor.label("case.button.spoke"))
        await study.stage.settle()
        case = await symptom_case(study.stage)
        assert (case.state, case.contacted_at) == ("in_action", study.stage.clock.now())
        doctor = Watch(study.doctor)
        await study.pass_time(hours=1)
        assert doctor.new == []

    async def test_a_lapse_survives_a_restart(self, study: Study, world: World) -> None:
        await taken(study)
        await world.restart()
        study.stage.clock.advance(minutes=30)
        doctor = Watch(study.doctor)
        await study.pass_time(seconds=2)
        assert doctor.count("case.told.lapsed") == 1
        assert doctor.count("case.page") == 1

    async def test_a_clock_set_back_does_not_delay_it(self, study: Study) -> None:
        await study.pass_time(minutes=2)
        await taken(study)
        await study.pass_time(minutes=2)
        study.stage.clock.advance(hours=-3)
        await study.pass_time(minutes=1)
        await study.pass_time(minutes=3)
        assert (await symptom_case(study.stage)).state == "notified"


class TestTheSubjectHearsTheTruth:
    async def test_after_twenty_minutes_that_nobody_has_taken_over(self, study: Study) -> None:
        await study.anna.says(CHEST_PAIN["zh"])
        anna = Watch(study.anna)
        await study.pass_time(minutes=19, seconds=59)
        assert not anna.read("case.nobody_took_over")
        await study.pass_time(seconds=2)
        assert anna.count("case.nobody_took_over") == 1
        await study.pass_time(minutes=60)
        assert anna.count("case.nobody_took_over") == 1

    async def test_also_when_an_outage_went_over_that_moment(self, study: Study) -> None:
        await study.anna.says(CHEST_PAIN["zh"])
        anna = Watch(study.anna)
        study.stage.clock.advance(hours=2)
        await study.pass_time(minutes=30)
        assert anna.count("case.nobody_took_over") == 1

    @pytest.mark.parametrize(
        "outcome",
        [
            "came_to_hospital",
            "went_to_emergency",
            "spoke_no_visit",
            "spoke_visit_planned",
            "unreachable_family_told",
            "wrong_entry",
        ],
    )
    async def test_how_it_ended(self, study: Study, outcome: str) -> None:
        await taken(study)
        anna = Watch(study.anna)
        await study.doctor.taps("case.button.resolve", f"outcome.{outcome}")
        assert anna.last(f"outcome.told.{outcome}")
        case = await symptom_case(study.stage)
        assert (case.first_contacted_at is None) is (outcome == "unreachable_family_told")

    async def test_how_it_ended_waits_for_the_end_of_the_night(self, study: Study) -> None:
        await study.pass_time(hours=18)
        await taken(study)
        anna = Watch(study.anna)
        await study.doctor.taps("case.button.resolve", "outcome.came_to_hospital")
        await study.pass_time(hours=5, minutes=59)
        assert not anna.read("outcome.told.came_to_hospital")
        await study.pass_time(minutes=2)
        assert anna.read("outcome.told.came_to_hospital")

    async def test_a_request_ends_quietly_and_by_an_outcome_of_its_own(self, study: Study) -> None:
        await study.anna.taps("menu.button.team", "team.button.call_me")
        await study.coordinator.taps("case.button.acknowledge", "case.button.resolve")
        assert study.coordinator.label("outcome.came_to_hospital") not in study.coordinator.phone.last.labels
        anna = Watch(study.anna)
        await study.coordinator.taps("outcome.request_settled")
        assert anna.new == []

    async def test_a_symptom_is_never_a_settled_request(self, study: Study) -> None:
        await taken(study)
        await study.doctor.taps("case.button.resolve")
        assert study.doctor.label("outcome.request_settled") not in study.doctor.phone.last.labels


class TestHandingOver:
    async def test_until_the_colleague_takes_it_nothing_changes(self, study: Study) -> None:
        await taken(study)
        await study.doctor.taps("case.button.hand_over")
        nurse = Watch(study.coordinator)
        await study.doctor.presses("Nurse")
        assert nurse.first("case.offered")
        assert CHEST_PAIN["zh"] in nurse.texts[0]
        case = await symptom_case(study.stage)
        assert (case.state, case.acknowledged_by_id, case.offered_to_id) == ("acknowledged", 2, 1)
        doctor = Watch(study.doctor)
        await study.coordinator.taps("case.button.accept")
        assert doctor.first("case.told.colleague")
        case = await symptom_case(study.stage)
        assert (case.acknowledged_by_id, case.offered_to_id, case.read_back_at) == (1, None, None)
        # The new owner says what they do as well, and the patient hears of the new person.
        anna = Watch(study.anna)
        await says_what(study.coordinator)
        assert anna.first("case.told.taken_over")

    async def test_the_owners_time_runs_on_meanwhile(self, study: Study) -> None:
        await taken(study)
        await study.doctor.taps("case.button.hand_over")
        await study.doctor.presses("Nurse")
        await study.pass_time(minutes=3, seconds=1)
        assert (await symptom_case(study.stage)).state == "notified"
        # Too late to accept what is no longer the doctor's: the press says so and offers to take it.
        await study.coordinator.taps("case.button.accept")
        assert study.coordinator.phone.last_toast == study.coordinator.label("case.toast.nobody_yet")
        await study.coordinator.taps("case.button.acknowledge")
        assert (await symptom_case(study.stage)).acknowledged_by_id == 1

    async def test_a_colleague_may_say_no(self, study: Study) -> None:
        await taken(study)
        await study.doctor.taps("case.button.hand_over")
        await study.doctor.presses("Nurse")
        doctor = Watch(study.doctor)
        await study.coordinator.taps("case.button.decline")
        assert doctor.first("case.told.declined")
        assert (await symptom_case(study.stage)).acknowledged_by_id == 2
        # A "no" of before is void when it is pressed once more.
        doctor = Watch(study.doctor)
        await study.coordinator.phone.repeats_last_tap()
        await study.stage.settle()
        assert doctor.new == []

    async def test_only_who_can_be_written_to_is_offered(self, study: Study) -> None:
        await study.coordinator.phone.blocks()
        await study.stage.settle()
        await study.anna.says(CHEST_PAIN["zh"])
        await study.pass_time(minutes=31)
        doctor = Watch(study.doctor)
        await study.doctor.taps("case.button.acknowledge", "case.button.hand_over")
        assert doctor.last("case.nobody_to_hand_over")

    async def test_when_the_owner_leaves_it_rings_from_the_start(self, study: Study) -> None:
        await taken(study)
        nurse = Watch(study.coordinator)
        admin = await staff(study.stage, 16, "Admin", Role.ADMIN)
        await admin.says("/staff")
        await admin.presses("Physician")
        await admin.taps("staff.button.end_yes")
        assert nurse.first("case.page")
        case = await symptom_case(study.stage)
        assert (case.state, case.acknowledged_by_id) == ("notified", None)


class TestAfterTheEnd:
    async def test_whoever_opens_it_again_has_it(self, study: Study) -> None:
        await taken(study)
        await study.doctor.taps("case.button.resolve", "outcome.spoke_no_visit")
        await study.coordinator.says("/alerts")
        await study.doctor.taps("case.button.reopen")
        case = await symptom_case(study.stage)
        assert (case.state, case.acknowledged_by_id, case.outcome, case.resolved_at) == (
            "acknowledged",
            2,
            None,
            None,
        )
        assert (await steps(study))[-2:] == ["reopened", "acknowledged"]
        # It is a case like any other: without a word it rings.
        await study.pass_time(minutes=4)
        assert (await symptom_case(study.stage)).state == "notified"

    async def test_a_case_is_not_opened_again_beside_a_newer_one(self, study: Study) -> None:
        await taken(study)
        await study.doctor.taps("case.button.resolve", "outcome.spoke_no_visit")
        closed = study.doctor.phone.last
        await study.anna.says(CHEST_PAIN["zh"])
        await study.doctor.phone.taps_on(closed, study.doctor.label("case.button.reopen"))
        await study.stage.settle()
        assert study.doctor.phone.last_toast == study.doctor.label("case.toast.other_open", number=2)
        assert [case.state for case in await cases(study.stage)] == ["resolved", "notified"]

    @pytest.mark.parametrize(
        "button", ["case.button.spoke", "case.button.no_answer", "case.button.resolve", "case.button.hand_over"]
    )
    async def test_a_late_press_changes_nothing_and_says_so(self, study: Study, button: str) -> None:
        await taken(study)
        card = study.doctor.phone.last
        await study.doctor.taps("case.button.resolve", "outcome.unreachable_family_told")
        before = await steps(study)
        await study.doctor.phone.taps_on(card, study.doctor.label(button))
        await study.stage.settle()
        assert study.doctor.phone.last_toast == study.doctor.label("case.toast.resolved")
        assert await steps(study) == before


async def test_a_note_is_kept_in_its_words(study: Study) -> None:
    await taken(study)
    await study.doctor.taps("case.button.note")
    await study.doctor.says("Lives with her daughter")
    assert "Lives with her daughter" in study.doctor.phone.last.text
    assert (await rows(study.stage, EscalationStep, what="note"))[0].said == "Lives with her daughter"


async def test_what_was_said_received_and_paged_is_kept_apart(study: Study) -> None:
    await off_duty(study.doctor)
    await study.anna.says(CHEST_PAIN["zh"])
    await study.pass_time(minutes=2)
    await study.doctor.taps("case.button.open")
    await study.pass_time(minutes=1)
    await study.doctor.taps("case.button.acknowledge")
    await study.pass_time(minutes=1)
    await study.doctor.taps("case.button.spoke")
    case = await symptom_case(study.stage)
    assert case.said_at is not None
    assert case.received_at is not None
    assert case.said_at <= case.received_at <= case.opened_at
    first = (case.first_viewed_at, case.first_acknowledged_at, case.first_contacted_at)
    assert [at and (at - case.opened_at).total_seconds() for at in first] == [120.0, 180.0, 240.0]
    assert case.first_page_sent_at is not None


class TestWhatCanWait:
    async def test_a_single_report_is_told_like_any_other(self, study: Study) -> None:
        await self.mark(study.boris)
        nurse = Watch(study.coordinator)
        await study.pass_time(hours=23)
        assert nurse.count("case.page") == 1

    async def test_several_are_one_list_on_the_next_working_day(self, study: Study) -> None:
        # The first day is a Monday; on Friday evening two report what can wait.
        await study.pass_time(days=4, hours=4)
        for each in (study.boris, study.anna):
            await self.mark(each)
        nurse, doctor = Watch(study.coordinator), Watch(study.doctor)
        await study.pass_time(days=2)
        assert nurse.count("case.digest") == 0
        await study.pass_time(days=1)
        assert nurse.count("case.digest") == 1
        # The digest of the week tells of them too, and is no alarm.
        assert sum(text.startswith("🟡") for text in nurse.texts) == 1
        assert doctor.count("case.digest") == 0
        digest = next(text for text in nurse.texts if "S-002" in text and "S-001" in text)
        assert digest.count("\n") > 2
        found = [case for code in ("S-001", "S-002") for case in await cases(study.stage, code, kind="symptom")]
        assert {case.state for case in found} == {"notified"}
        assert all(case.first_page_sent_at is not None for case in found)

    async def test_what_is_taken_before_the_morning_is_not_in_the_list(self, study: Study) -> None:
        for each in (study.boris, study.anna):
            await self.mark(each)
        await study.coordinator.says("/alerts")
        await study.coordinator.presses("S-002")
        await study.coordinator.taps("case.button.acknowledge")
        nurse = Watch(study.coordinator)
        await study.pass_time(hours=23)
        assert (nurse.count("case.digest"), nurse.count("case.page")) == (0, 1)

    async def test_a_clock_set_back_before_the_list_loses_nothing(self, study: Study) -> None:
        await self.mark(study.boris)
        # The list of this morning goes out at half past eight.
        await study.pass_time(minutes=35)
        study.stage.clock.advance(minutes=-10)
        await study.pass_time(seconds=1)
        await self.mark(study.anna)
        nurse = Watch(study.coordinator)
        await study.pass_time(minutes=20)
        assert any("S-001" in text and "🟡" in text for text in nurse.texts)

    @pytest.mark.parametrize("back", [30, 180])
    async def test_a_clock_set_back_does_not_bring_the_list_forward(self, study: Study, back: int) -> None:
        await study.pass_time(hours=1)
        await self.mark(study.boris)
        await self.mark(study.anna)
        await study.pass_time(hours=5)
        study.stage.clock.advance(minutes=-back)
        await study.pass_time(seconds=1)
        nurse = Watch(study.coordinator)
        await study.stage.until(local(study.stage.clock.now()).replace(hour=8, minute=29) + timedelta(days=1))
        assert (nurse.count("case.digest"), nurse.count("case.page")) == (0, 0)
        await study.pass_time(minutes=2)
        assert nurse.count("case.digest") == 1

    @staticmethod
    async def mark(person: Person) -> None:
        await person.taps("menu.button.unwell", "report.trouble.injection_site")
        await person.taps("report.site.look.over_3_days", "report.answer.none")
