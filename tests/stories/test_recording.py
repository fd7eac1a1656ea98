"""Staff record what became of a visit, correct it, and hear what deviates; nothing that was recorded is lost."""

from datetime import date, datetime

import pytest

from bot.domain.escalation import CaseState
from bot.store.models import Escalation, Visit, VisitRecord
from bot.story.people import Person
from tests.people import Study
from tests.stories.scenes import Watch, cases, in_language, rows, subject
from tests.stories.test_reminders import at, move, open_visit, planned, record_done, reminders

NOON = "2026-11-06T10:00"


async def versions(study: Study, visit: Visit) -> list[tuple[str, date | None, str | None]]:
    """Return what was recorded about a visit, the first version first."""
    found = await rows(study.stage, VisitRecord, visit_id=visit.id)
    return [(each.outcome, each.held_on, each.deviation) for each in found]


async def recorded(study: Study, code: str, kind: str) -> Visit:
    """Return the newest visit of a kind that is not planned any more."""
    known = await rows(study.stage, Visit, subject_id=(await subject(study.stage, code)).id, kind=kind)
    return [each for each in known if each.state != "planned"][-1]


async def open_recorded(nurse: Person, code: str, kind: str) -> None:
    await nurse.says(f"/patient {code}")
    await nurse.taps("patient.button.recorded")
    await nurse.presses(nurse.label(f"visit.short.{kind}"))


async def correct(nurse: Person, code: str, kind: str, *answers: str) -> None:
    """Correct the one recorded visit of a kind up to the summary."""
    await open_recorded(nurse, code, kind)
    await nurse.taps("visit.button.correct")
    await nurse.answers(*answers)


@pytest.fixture
async def dosed(study: Study) -> Study:
    """Give the study in which Boris' first injection was recorded for 5 November."""
    await study.stage.until(at(NOON))
    await record_done(study, "S-002", "injection", date(2026, 11, 5))
    return study


class TestCorrecting:
    @pytest.mark.req("DI-03")
    async def test_a_corrected_day_plans_again_and_keeps_the_first_record(self, dosed: Study, locale: str) -> None:
        nurse, sees = await in_language(dosed.coordinator, locale), Watch(dosed.boris)
        visit = await recorded(dosed, "S-002", "injection")
        await correct(
            nurse,
            "S-002",
            "injection",
            "=visit.outcome.done",
            "2026-11-06",
            "=visit.source.paper",
            "read the wrong line",
            "=form.button.save",
        )
        assert nurse.read("visit.corrected")
        assert "read the wrong line" in nurse.phone.last.text
        kept = await rows(dosed.stage, VisitRecord, visit_id=visit.id)
        assert [(each.version, each.held_on, each.source) for each in kept] == [
            (1, date(2026, 11, 5), "clinic"),
            (2, date(2026, 11, 6), "paper"),
        ]
        assert (await planned(dosed, "S-002", "injection")).target_on == date(2026, 11, 27)
        assert sees.count("visit.announced") == 1

    async def test_a_visit_corrected_to_missed_is_no_anchor_any_more(self, dosed: Study) -> None:
        nurse = dosed.coordinator
        await correct(
            nurse,
            "S-002",
            "injection",
            "=visit.outcome.missed",
            "2026-11-10",
            "=visit.source.patient",
            "=reason.slip",
            "=form.button.save",
        )
        assert (await planned(dosed, "S-002", "injection")).target_on == date(2026, 11, 10)
        visit = await recorded(dosed, "S-002", "injection")
        assert [outcome for outcome, _, _ in await versions(dosed, visit)] == ["done", "missed"]

    async def test_a_correction_needs_a_reason(self, dosed: Study) -> None:
        nurse = dosed.coordinator
        await correct(nurse, "S-002", "injection", "=visit.outcome.done", "2026-11-06", "=visit.source.clinic")
        sees = Watch(nurse)
        await nurse.says("x" * 300)
        assert sees.first("input.text.too_long")
        await nurse.taps("form.button.cancel")
        assert len(await versions(dosed, await recorded(dosed, "S-002", "injection"))) == 1

    async def test_whoever_comes_second_sees_how_it_stands(self, dosed: Study) -> None:
        answers = ("=visit.outcome.done", "2026-11-06", "=visit.source.clinic", "=reason.slip")
        await correct(dosed.coordinator, "S-002", "injection", *answers)
        await correct(dosed.doctor, "S-002", "injection", *answers, "=form.button.save")
        sees = Watch(dosed.coordinator)
        await dosed.coordinator.taps("form.button.save")
        assert sees.first("visit.overtaken")
        assert len(await versions(dosed, await recorded(dosed, "S-002", "injection"))) == 2

    async def test_no_reminder_of_the_older_plan_leaves(self, dosed: Study) -> None:
        sees = Watch(dosed.boris)
        answers = ("=visit.outcome.done", "2026-11-06", "=visit.source.clinic", "=reason.slip", "=form.button.save")
        await correct(dosed.coordinator, "S-002", "injection", *answers)
        visit = await planned(dosed, "S-002", "injection")
        await dosed.stage.until(at("2026-11-27T23:00"))
        days = {when.split()[0] for _, when in reminders(dosed.boris, sees.new)}
        assert visit.target_on == date(2026, 11, 27)
        assert {"11-24", "11-26", "11-27"} <= days


class TestDeviations:
    async def test_a_count_that_is_recorded_after_its_injection_takes_the_flag_away(self, dosed: Study) -> None:
        nurse = dosed.coordinator
        assert nurse.read("visit.recorded.deviates")
        injection = await recorded(dosed, "S-002", "injection")
        assert [found for _, _, found in await versions(dosed, injection)] == ["no_count_before"]
        await record_done(dosed, "S-002", "cbc", date(2026, 11, 3))
        assert [found for _, _, found in await versions(dosed, injection)] == ["no_count_before", None]

    async def test_the_reason_can_be_given_later(self, dosed: Study) -> None:
        nurse = dosed.coordinator
        await nurse.taps("visit.button.explain", "reason.medical")
        (_, newest) = await rows(dosed.stage, VisitRecord, visit_id=(await recorded(dosed, "S-002", "injection")).id)
        assert (newest.reason, newest.deviation) == ("#medical", "no_count_before")

    async def test_an_investigator_may_record_what_was_given_too_early(self, dosed: Study) -> None:
        doctor = dosed.doctor
        await dosed.stage.until(at("2026-11-25T10:00"))
        await open_visit(doctor, "S-002", "injection")
        await doctor.taps("visit.button.done")
        sees = Watch(doctor)
        await doctor.answers("2026-11-25", "=form.button.yes")
        assert sees.last("visit.ask.why_deviates")
        await doctor.answers("given before the holiday")
        visit = await recorded(dosed, "S-002", "injection")
        assert [found for _, _, found in await versions(dosed, visit)] == ["too_early+no_count_before"]
        await doctor.says("/deviations")
        assert doctor.label("deviation.too_early") in doctor.phone.last.text
        assert "given before the holiday" in doctor.phone.last.text

    async def test_a_coordinator_reads_who_may(self, dosed: Study) -> None:
        nurse = dosed.coordinator
        await dosed.stage.until(at("2026-11-25T10:00"))
        await open_visit(nurse, "S-002", "injection")
        sees = Watch(nurse)
        await nurse.taps("visit.button.done_today")
        assert sees.read("refused.too_early")
        assert (await planned(dosed, "S-002", "injection")).target_on == date(2026, 11, 26)


class TestNotDone:
    async def test_not_needed_asks_why_and_for_the_next_day(self, study: Study) -> None:
        nurse, sees = study.coordinator, Watch(study.clara)
        await open_visit(nurse, "S-003")
        await nurse.taps("visit.button.not_needed", "reason.done_elsewhere")
        await nurse.says("2026-11-20")
        assert nurse.read("visit.recorded.not_needed")
        # One message says both: which visit is cancelled, and which day stands instead.
        assert (sees.count("visit.gone"), sees.count("visit.announced")) == (1, 0)
        assert "20" in sees.texts[-1]
        assert (await planned(study, "S-003")).target_on == date(2026, 11, 20)
        visit = await recorded(study, "S-003", "cbc")
        assert await versions(study, visit) == [("not_needed", None, None)]


class TestRequests:
    @pytest.fixture
    async def asked(self, study: Study) -> Study:
        """Give the study in which Clara has asked for help with her blood count of 16 November."""
        await study.stage.until(at("2026-11-13T18:30"))
        await study.clara.taps("visit.button.need_help")
        return study

    @staticmethod
    async def case(study: Study) -> Escalation:
        (case,) = await cases(study.stage, "S-003")
        return case

    async def test_what_was_heard_on_the_phone_settles_it(self, asked: Study) -> None:
        nurse = asked.coordinator
        await nurse.taps("case.button.open", "visit.button.phoned", "visit.source.phone", "visit.outcome.will_come")
        case = await self.case(asked)
        assert (case.state, case.outcome) == (CaseState.RESOLVED, "visit_kept")
        assert (await planned(asked, "S-003")).reply == "will_come"
        sees = Watch(asked.clara)
        await asked.stage.until(at("2026-11-16T23:00"))
        assert reminders(asked.clara, sees.new) == []

    async def test_moving_the_visit_settles_it_and_tells_whoever_had_it(self, asked: Study) -> None:
        await asked.coordinator.taps("case.button.acknowledge")
        sees = Watch(asked.coordinator)
        await open_visit(asked.doctor, "S-003")
        await asked.doctor.taps("visit.button.move")
        await asked.doctor.says("2026-11-18")
        case = await self.case(asked)
        assert (case.state, case.outcome) == (CaseState.RESOLVED, "visit_moved")
        assert sees.read("case.told.settled")

    async def test_recording_the_visit_settles_it(self, asked: Study) -> None:
        await asked.stage.until(datetime.fromisoformat("2026-11-16T12:00:00+08:00"))
        await open_visit(asked.coordinator, "S-003")
        await asked.coordinator.taps("visit.button.done_today")
        case = await self.case(asked)
        assert (case.state, case.outcome) == (CaseState.RESOLVED, "visit_done")
        (record,) = await rows(asked.stage, VisitRecord)
        assert (record.held_on, record.deviation) == (date(2026, 11, 16), None)


class TestChanging:
    async def test_an_interval_plans_the_next_one_again(self, dosed: Study) -> None:
        nurse, sees = dosed.coordinator, Watch(dosed.boris)
        await nurse.says("/patient S-002")
        await nurse.taps("patient.button.change")
        what = nurse.label("visit.short.injection")
        await nurse.presses(nurse.label("change.button.interval", what=what))
        await nurse.says("20")
        assert nurse.read("refused.interval")
        await nurse.answers("28", "=reason.doctor")
        assert nurse.read("interval.set")
        assert (await planned(dosed, "S-002", "injection")).target_on == date(2026, 12, 3)
        assert (await subject(dosed.stage, "S-002")).injection_interval_days == 28
        assert sees.count("visit.announced") >= 1

    async def test_a_visit_that_the_protocol_does_not_name(self, study: Study) -> None:
        nurse, sees = study.coordinator, Watch(study.clara)
        await nurse.says("/patient S-003")
        await nurse.taps("patient.button.change", "change.button.extra_visit")
        await nurse.says("x" * 60)
        assert nurse.read("input.text.too_long")
        await nurse.answers("eye check", "2026-11-01")
        assert nurse.read("refused.day_has_passed")
        await nurse.says("2026-11-11")
        assert nurse.read("extra.planned")
        assert (await planned(study, "S-003", "extra")).title == "eye check"
        assert sees.count("visit.announced") == 1
        assert "eye check" not in sees.texts[0].splitlines()[0]

    async def test_an_extra_visit_is_moved_and_recorded_like_others(self, study: Study) -> None:
        nurse = study.coordinator
        await nurse.says("/patient S-003")
        await nurse.taps("patient.button.change", "change.button.extra_visit")
        await nurse.answers("eye check", "2026-11-11")
        await nurse.says("/patient S-003")
        await nurse.presses("eye check")
        await nurse.taps("visit.button.move")
        await nurse.says("2026-11-12")
        await study.stage.until(at("2026-11-12T10:00"))
        await nurse.says("/patient S-003")
        await nurse.presses("eye check")
        await nurse.taps("visit.button.done_today")
        assert nurse.read("visit.recorded.last")
        assert (await recorded(study, "S-003", "extra")).state == "done"


async def test_a_day_that_staff_chose_is_known_as_theirs(study: Study) -> None:
    await move(study, "S-003", "cbc", date(2026, 11, 19))
    assert (await planned(study, "S-003")).chosen
