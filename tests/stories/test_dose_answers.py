"""A part, several reasons, corrections and too many tablets: each is kept as it was said and leads on."""

import json
from datetime import timedelta

import pytest

from bot.domain.adherence import DoseStatus
from bot.domain.urgency import Urgency
from bot.protocol.model import Tablets
from bot.simulator.parts import ShownMessage
from bot.store.models import DoseReport, Escalation
from bot.story.people import Person
from bot.story.stage import Stage
from bot.texts import bundled_texts
from bot.usecases import dose_reports
from bot.usecases.staff_queries import find
from bot.work import Work
from tests.people import Study, study
from tests.stories.scenes import Watch, caregiver, cases, resolve_all, rows, symptom_case
from tests.stories.test_tablets import evening, said

DONE = "form.button.done"


def ticks(message: ShownMessage) -> list[str]:
    return [label for label in message.labels if label.startswith("✅")]


def told(case: Escalation) -> list[str]:
    """Return the text keys of what a case was told, in order."""
    return [line["text"] for each in json.loads(case.summary) for line in each["lines"]]


async def history(stage: Stage, statuses: str, first: int = 0) -> None:
    """Write down answers for the days from the ``first`` on: T taken, M missed, P partly, - nothing."""
    known = {"T": DoseStatus.TAKEN, "M": DoseStatus.NOT_TAKEN, "P": DoseStatus.PARTLY}

    def write(work: Work) -> None:
        for number, letter in enumerate(statuses, first):
            if letter in known:
                dose_reports.keep(work, find(work, "S-001"), evening(number).date(), known[letter])

    await stage.within(write)


def on(day: int) -> str:
    return bundled_texts().day(evening(day).date(), "zh")


async def opens_day(someone: Person, day: int = 0) -> None:
    """Let somebody look at what was told and tap a day."""
    await someone.taps("tablets.button.told")
    await someone.presses(someone.label("tablets.button.change", day=on(day)))


class TestReasons:
    async def test_several_reasons_are_ticked_in_one_message(self, study: Study) -> None:
        anna = study.anna
        await study.stage.until(evening(0))
        await anna.taps("tablets.button.not_today")
        question, sees = anna.phone.last, Watch(anna)
        await anna.taps("dose.skip.forgot", "dose.skip.taste", "dose.skip.travel", "dose.skip.travel")
        assert sees.new == []
        assert len(ticks(question)) == 2
        await anna.taps(DONE)
        assert (await said(study))[-1] == ("2026-11-02", "not_taken", "FORGOT, TASTE")
        assert question.labels == ()
        assert anna.label("dose.skip.taste") in question.text

    @pytest.mark.req("DI-12")
    async def test_own_words_stand_beside_the_reasons(self, study: Study) -> None:
        await study.stage.until(evening(0))
        await study.anna.taps("tablets.button.not_today", "dose.skip.taste")
        await study.anna.says("太苦")
        await study.anna.says("味道怪")
        assert "太苦" in study.anna.phone.last.text
        await study.anna.taps(DONE)
        (report,) = await rows(study.stage, DoseReport)
        assert (report.reasons, report.said) == (["TASTE"], "太苦\n味道怪")

    async def test_a_part_asks_why_too(self, study: Study) -> None:
        await study.stage.until(evening(0))
        sees = Watch(study.anna)
        await study.anna.taps("tablets.button.partly")
        assert sees.last("tablets.ask_reason_partly")
        await study.anna.taps("dose.skip.cost", DONE)
        assert await said(study) == [("2026-11-02", "partly", "COST")]
        (case,) = await cases(study.stage)
        assert told(case) == ["request.tablets.partly"]

    async def test_what_was_ticked_counts_without_done(self, study: Study) -> None:
        await study.stage.until(evening(0))
        await study.anna.taps("tablets.button.not_today", "dose.skip.side_effect")
        assert await cases(study.stage) == []
        sees = Watch(study.anna)
        await study.pass_time(minutes=11)
        assert (await symptom_case(study.stage)).urgency == Urgency.AMBER
        assert sees.last("tablets.reasons_kept.unwell")
        await study.anna.phone.taps_on(study.anna.phone.last, study.anna.label("menu.button.unwell"))
        await study.stage.settle()
        assert sees.last("report.trouble.ask")

    async def test_nothing_ticked_is_no_reason_and_no_case(self, study: Study) -> None:
        await study.stage.until(evening(0))
        await study.anna.taps("tablets.button.not_today")
        sees = Watch(study.anna)
        await study.pass_time(minutes=11)
        assert sees.new == []
        assert await cases(study.stage) == []

    async def test_a_late_tick_after_done_changes_nothing(self, study: Study) -> None:
        await study.stage.until(evening(0))
        await study.anna.taps("tablets.button.not_today", "dose.skip.forgot")
        question = study.anna.phone.last
        late = next(each for each in question.buttons if study.anna.label("dose.skip.cost") in each.text)
        await study.anna.taps(DONE)
        sees = Watch(study.anna)
        study.anna.phone._send_press(question, late.callback_data or "")
        await study.stage.settle()
        assert sees.toasted("toast.already_recorded")
        assert (await said(study))[-1] == ("2026-11-02", "not_taken", "FORGOT")

    async def test_a_doctors_word_is_asked_about(self, study: Study) -> None:
        await study.stage.until(evening(0))
        await study.anna.taps("tablets.button.not_today", "dose.skip.doctor_hold", DONE)
        await study.anna.says("县医院李医生，上周一")
        (report,) = await rows(study.stage, DoseReport)
        assert report.said == "县医院李医生，上周一"
        case = await symptom_case(study.stage)
        assert (case.urgency, case.because) == (Urgency.AMBER, ["tablets.DOCTOR_HOLD"])

    async def test_who_is_unsure_sees_the_order_as_it_is_written(self, study: Study) -> None:
        await study.stage.until(evening(0))
        sees = Watch(study.anna)
        await study.anna.taps("tablets.button.not_today", "dose.skip.confused", DONE)
        (shown,) = [text for text in sees.texts if "250" in text]
        assert "2 × 250 mg" in shown
        assert "500" not in shown
        (case,) = await cases(study.stage)
        assert told(case) == ["request.tablets", "request.tablets.call"]

    @pytest.mark.parametrize(
        ("hour", "key"), [(10, "tablets.thanks_today"), (18, "tablets.thanks_next_day")], ids=["open", "closed"]
    )
    async def test_who_ran_out_hears_when_staff_see_it(self, study: Study, hour: int, key: str) -> None:
        await study.stage.until(evening(1, hour))
        await study.anna.says("/tablets")
        nurse, sees = Watch(study.coordinator), Watch(study.anna)
        await study.anna.taps("tablets.button.not_today", "dose.skip.ran_out", DONE)
        assert sees.last(key)
        assert nurse.read("case.page")
        await study.coordinator.says("/adherence")
        assert any("S-001: 0 % taken" in text and "ran out Mon 2 Nov" in text for text in nurse.texts)

    async def test_more_reasons_on_another_day_join_the_request(self, study: Study) -> None:
        for day, reason in enumerate(("ran_out", "cost")):
            await study.stage.until(evening(day))
            await study.anna.taps("tablets.button.not_today", f"dose.skip.{reason}", DONE)
        (case,) = await cases(study.stage)
        assert case.because == ["tablets.RAN_OUT", "tablets.COST"]


class TestCorrections:
    async def test_a_day_can_be_changed_from_what_was_told(self, study: Study) -> None:
        await study.stage.until(evening(1))
        await history(study.stage, "T")
        await study.anna.taps("tablets.button.taken")
        await study.anna.says("/tablets")
        sees = Watch(study.anna)
        await study.anna.taps("tablets.button.told")
        assert sees.last("tablets.told")
        await study.anna.presses(study.anna.label("tablets.button.change", day=on(0)))
        assert sees.last("tablets.ask_past")
        await study.anna.taps("tablets.button.not_today", "dose.skip.forgot", DONE)
        versions = await rows(study.stage, DoseReport, day_on=evening(0).date())
        assert [(each.version, each.status, each.source) for each in versions] == [
            (1, "taken", "daily"),
            (2, "not_taken", "daily"),
        ]

    async def test_a_reason_that_told_staff_is_taken_back_in_the_case(self, study: Study) -> None:
        await study.stage.until(evening(0))
        await study.anna.taps("tablets.button.not_today", "dose.skip.ran_out", DONE)
        nurse = Watch(study.coordinator)
        await study.anna.says("/tablets")
        await opens_day(study.anna)
        await study.anna.taps("tablets.button.taken")
        (case,) = await cases(study.stage)
        assert told(case) == ["request.tablets", "request.tablets.corrected"]
        assert case.state != "resolved"
        assert nurse.read("case.page.more")

    async def test_a_reason_that_tells_staff_later_says_what_it_was_before(self, study: Study) -> None:
        await study.stage.until(evening(0))
        await study.anna.taps("tablets.button.not_today", "dose.skip.forgot", DONE)
        await study.anna.says("/tablets")
        await opens_day(study.anna)
        await study.anna.taps("tablets.button.not_today")
        await study.anna.taps("dose.skip.cost", DONE)
        (case,) = await cases(study.stage)
        assert told(case) == ["request.tablets", "request.tablets.corrected"]

    async def test_a_caregiver_may_correct_and_is_named(self, study: Study) -> None:
        daughter = await caregiver(study)
        await study.stage.until(evening(0))
        await study.anna.taps("tablets.button.taken")
        await daughter.says("/tablets")
        await opens_day(daughter)
        await daughter.taps("tablets.button.partly")
        reports = await rows(study.stage, DoseReport)
        assert [each.reported_by.split(":")[0] for each in reports] == ["patient", "caregiver"]

    async def test_after_three_days_it_is_too_late(self, study: Study) -> None:
        await study.stage.until(evening(0))
        await study.anna.taps("tablets.button.taken")
        await study.anna.says("/tablets")
        await opens_day(study.anna)
        question = study.anna.phone.last
        study.stage.clock.set(evening(4, 9))
        sees = Watch(study.anna)
        await study.anna.phone.taps_on(question, study.anna.label("tablets.button.not_today"))
        await study.stage.settle()
        assert sees.read("tablets.too_late")
        assert len(await rows(study.stage, DoseReport)) == 1


class TestTooMany:
    async def test_one_day_extra_is_amber(self, study: Study) -> None:
        await study.stage.until(evening(0))
        question = study.anna.phone.last
        sees = Watch(study.anna)
        await study.anna.taps("tablets.button.extra")
        assert sees.last("report.tablets.what.ask")
        await study.anna.taps("report.tablets.what.took_extra", "report.answer.none")
        await study.anna.says("忘了吃过")
        case = await symptom_case(study.stage)
        assert (case.urgency, case.because[0]) == (Urgency.AMBER, "T39-extra")
        assert sees.read("triage.amber.contact")
        # The question of the day still waits for its answer.
        await study.anna.phone.taps_on(question, study.anna.label("tablets.button.taken"))
        await study.stage.settle()
        assert await said(study) == [("2026-11-02", "taken", None)]

    @pytest.mark.parametrize("what", ["took_many", "someone_else"])
    async def test_more_or_a_child_is_red_at_once(self, study: Study, what: str) -> None:
        sees, doctor = Watch(study.anna), Watch(study.doctor)
        await study.anna.says("/menu")
        await study.anna.taps("tablets.button.extra", f"report.tablets.what.{what}")
        assert sees.read("triage.red_come.bring_medicine")
        assert doctor.first("case.page")

    async def test_one_day_extra_with_a_sign_is_red(self, study: Study) -> None:
        await study.anna.says("/menu")
        await study.anna.taps("tablets.button.extra", "report.tablets.what.took_extra", "report.sign.vomiting")
        assert (await symptom_case(study.stage)).urgency == Urgency.RED_COME

    async def test_it_does_not_take_the_place_of_another_report(self, study: Study) -> None:
        await study.anna.says("/menu")
        await study.anna.taps("menu.button.unwell", "report.trouble.fever")
        await study.anna.says("/menu")
        await study.anna.taps("tablets.button.extra", "report.tablets.what.took_many")
        await study.pass_time(minutes=11)
        assert {"T39-overdose", "unfinished"} <= set((await symptom_case(study.stage)).because)


class TestGaps:
    @pytest.mark.parametrize(
        ("before", "flag"),
        [("TTTTTTTTTTTTMM", "tablets.missed_run"), ("TTTTTTTTMMMMMM", "tablets.missed_long")],
        ids=["three in a row", "seven in a row"],
    )
    async def test_a_run_is_told_once(self, study: Study, before: str, flag: str) -> None:
        study.stage.clock.set(evening(14, 17))
        await history(study.stage, before)
        await study.stage.until(evening(14))
        await study.anna.taps("tablets.button.not_today", "dose.skip.forgot", DONE)
        await study.pass_time(minutes=1)
        assert flag in {rule for case in await cases(study.stage) for rule in case.because}
        await resolve_all(study.stage)
        await study.stage.until(evening(15))
        await study.anna.taps("tablets.button.not_today", "dose.skip.forgot", DONE)
        await study.pass_time(minutes=1)
        again = {rule for case in await cases(study.stage) if case.state != "resolved" for rule in case.because}
        assert flag not in again

    async def test_two_benign_days_are_nobodys_business(self, study: Study) -> None:
        study.stage.clock.set(evening(14, 17))
        await history(study.stage, "T" * 13 + "M")
        await study.stage.until(evening(14))
        await study.anna.taps("tablets.button.not_today", "dose.skip.forgot", DONE)
        await study.pass_time(minutes=1)
        assert [
            rule for case in await cases(study.stage) for rule in case.because if rule.startswith("tablets.")
        ] == []


class TestHowToTake:
    async def test_nobody_is_told_before_the_site_has_approved_the_words(self, study: Study) -> None:
        await study.anna.says("/tablets")
        await study.anna.taps("tablets.button.more")
        assert study.anna.label("tablets.button.how_to_take") not in study.anna.phone.last.labels
        sees = Watch(study.coordinator)
        await study.coordinator.says("/patient S-001")
        assert study.coordinator.label("patient.intake.off") in sees.texts[-1]

    async def test_the_approved_words_are_those_of_the_ordered_form(
        self, study: Study, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Tablets, "intake_text", lambda _self, formulation: f"dose.intake.{formulation}")
        await study.anna.says("/tablets")
        question, sees = study.anna.phone.last, Watch(study.anna)
        await study.anna.taps("tablets.button.more", "tablets.button.how_to_take")
        assert sees.last("dose.intake.dispersible")
        # The question of the day still waits.
        await study.anna.phone.taps_on(question, study.anna.label("tablets.button.taken"))
        await study.stage.settle()
        assert (await said(study))[-1][1] == "taken"


async def test_a_part_with_reasons_and_a_correction_on_each_database(both_stages: Stage) -> None:
    made = await study(both_stages)
    await both_stages.until(evening(0))
    await made.anna.taps("tablets.button.partly", "dose.skip.ran_out", "dose.skip.taste", DONE)
    await made.anna.says("/tablets")
    await opens_day(made.anna)
    await made.anna.taps("tablets.button.taken")
    reports = await rows(both_stages, DoseReport)
    assert [(each.status, each.reasons) for each in reports] == [("partly", ["TASTE", "RAN_OUT"]), ("taken", [])]
    (case,) = await cases(both_stages)
    assert told(case)[-1] == "request.tablets.corrected"
    await both_stages.pass_time(minutes=timedelta(minutes=11).seconds // 60)
    assert len(await cases(both_stages)) == 1
