"""Staff make adverse events of reports, an investigator judges them, and no timer stops the clock of serious ones."""

from datetime import datetime

import pytest

from bot.domain.roles import Role
from bot.store.models import AdverseEvent, ReportDecision, SeriousClock
from bot.story.people import Person
from bot.story.stage import Stage
from tests.people import Study, person, staff
from tests.stories.scenes import Watch, caregiver, in_language, plant, rows, symptom_case

IN_HOSPITAL = {"zh": "昨天去急诊挂水了", "en": "I was in hospital last night"}
DRAFT = ("2026-11-02", "=event.ongoing", "=event.outcome.recovering")


async def events(stage: Stage) -> list[AdverseEvent]:
    return await rows(stage, AdverseEvent)


async def clock_of(stage: Stage) -> SeriousClock:
    (clock,) = await rows(stage, SeriousClock)
    return clock


async def fever(study: Study) -> None:
    """Let Anna (deferasirox arm) report a fever."""
    await study.anna.says("/unwell")
    await study.anna.taps("report.trouble.fever", "report.fever.place.axillary")
    await study.anna.says("38.6")


async def from_list(someone: Person, code: str = "S-001") -> None:
    """Open the first report that waits, and begin an event from it."""
    await someone.says(f"/ae {code}")
    await someone.presses("📨")
    await someone.taps("event.button.draft")


async def drafts(someone: Person, term: str = "Fever") -> None:
    """Answer the questions of a draft in the deferasirox arm up to the confirmation, and save."""
    await someone.presses(term)
    await someone.answers(*DRAFT, "=event.action.not_changed", "=event.action.interrupted", "=event.button.nothing")
    await someone.taps("form.button.save")


async def opens(someone: Person, term: str, code: str = "S-001") -> None:
    await someone.says(f"/ae {code}")
    await someone.presses(term)


async def judges(doctor: Person, *answers: str, related: str = "possible") -> None:
    await doctor.taps("event.button.judge")
    await doctor.answers(*answers, f"=event.relation.{related}", "=event.relation.not_related")
    await doctor.taps("form.button.save")


@pytest.mark.req("DI-01", "DI-03")
class TestDrafting:
    async def test_a_coordinator_makes_an_event_of_a_report(self, study: Study, locale: str) -> None:
        nurse = await in_language(study.coordinator, locale)
        await fever(study)
        await from_list(nurse)
        await drafts(nurse, {"zh": "发热", "en": "Fever"}[locale])
        (event,) = await events(study.stage)
        assert (event.number, event.version, event.term, event.llt) == (1, 1, "Fever", "10016558")
        assert (event.grade, event.serious, event.relation) == (None, None, {})
        assert event.actions == {"luspatercept": "not_changed", "deferasirox": "interrupted"}
        assert event.sources == [f"case:{(await symptom_case(study.stage)).id}"]
        assert "38.6" in event.verbatim
        assert nurse.read("event.card")
        await nurse.says("/ae S-001")
        assert "📨" not in str(nurse.phone.last), "the report is dealt with"

    async def test_the_rules_of_the_report_suggest_the_terms(self, study: Study) -> None:
        await fever(study)
        await from_list(study.coordinator)
        labels = str(study.coordinator.phone.last)
        assert [term for term in ("Fever", "Chills", "Febrile neutropenia") if term not in labels] == []

    @pytest.mark.parametrize("typed", ["feverr", "发烧", "FEVER"])
    async def test_another_term_is_looked_up_forgivingly(self, study: Study, typed: str) -> None:
        await fever(study)
        await from_list(study.coordinator)
        await study.coordinator.says(typed)
        assert "Fever" in str(study.coordinator.phone.last)

    async def test_words_that_fit_no_term_are_kept_without_a_code(self, study: Study) -> None:
        nurse = study.coordinator
        await nurse.says("/ae S-003")
        await nurse.taps("event.button.new")
        await nurse.answers("gingival hypertrophy", "=event.button.own_words", *DRAFT, "=event.button.nothing")
        await nurse.answers("my gums have grown", "=form.button.save")
        (event,) = await events(study.stage)
        assert (event.term, event.llt, event.words) == (None, None, "gingival hypertrophy")
        assert event.actions == {}, "the control arm gets no study medicine"
        assert event.verbatim == "my gums have grown"

    async def test_days_that_cannot_be_are_refused_kindly(self, study: Study) -> None:
        nurse = study.coordinator
        await fever(study)
        await from_list(nurse)
        await nurse.presses("Fever")
        sees = Watch(nurse)
        await nurse.says("2026-11-05")
        assert sees.read("refused.in_future")
        await nurse.answers("2026-11-01", "2026-10-30")
        assert sees.read("refused.end_before_onset")
        await nurse.says("2026-11-03")
        assert sees.count("refused.in_future") == 2
        await nurse.says("nonsense")
        assert sees.read("input.date.unreadable")
        assert await events(study.stage) == []

    async def test_an_outcome_fits_what_was_said_of_the_end(self, study: Study) -> None:
        await fever(study)
        await from_list(study.coordinator)
        await study.coordinator.presses("Fever")
        await study.coordinator.answers("2026-11-02", "2026-11-02")
        labels = str(study.coordinator.phone.last)
        assert study.coordinator.label("event.outcome.recovered") in labels
        assert study.coordinator.label("event.outcome.recovering") not in labels

    async def test_a_case_leads_to_its_event(self, study: Study) -> None:
        await fever(study)
        await study.doctor.taps("case.button.open", "case.button.adverse_event")
        await drafts(study.doctor)
        assert len(await rows(study.stage, ReportDecision)) == 1

    async def test_a_report_that_is_none_leaves_the_list_with_the_reason(self, study: Study) -> None:
        nurse = study.coordinator
        await fever(study)
        await nurse.says("/ae S-001")
        await nurse.presses("📨")
        await nurse.taps("event.button.none", "reason.known_before", "form.button.save")
        assert "📨" not in str(nurse.phone.last)
        (decision,) = await rows(study.stage, ReportDecision)
        assert (decision.event_number, decision.reason) == (None, "#known_before")

    async def test_a_case_that_is_told_more_comes_back(self, study: Study) -> None:
        await fever(study)
        await from_list(study.coordinator)
        await drafts(study.coordinator)
        await study.pass_time(minutes=1)
        await study.anna.says("我胸口痛")
        await study.coordinator.says("/ae S-001")
        assert "📨" in str(study.coordinator.phone.last)


@pytest.mark.req("DI-01", "DI-03")
class TestJudging:
    async def test_an_investigator_grades_with_a_hint_and_the_patients_words_beside(
        self, study: Study, locale: str
    ) -> None:
        doctor = await in_language(study.doctor, locale)
        await fever(study)
        await from_list(study.coordinator)
        await drafts(study.coordinator)
        await opens(doctor, {"zh": "发热", "en": "Fever"}[locale])
        await doctor.taps("event.button.judge")
        asked = doctor.phone.last.text
        assert doctor.label("event.hint.fever") in asked
        assert "38.6" in asked
        await doctor.answers("2", "=form.button.no", "=event.relation.possible", "=event.relation.unlikely")
        await doctor.taps("form.button.save")
        event = (await events(study.stage))[-1]
        assert (event.version, event.grade, event.serious, event.judged) == (2, 2, False, True)
        assert event.relation == {"luspatercept": "possible", "deferasirox": "unlikely"}

    async def test_a_correction_shows_both_and_asks_to_judge_again(self, study: Study, locale: str) -> None:
        nurse = await in_language(study.coordinator, locale)
        name = {"zh": "发热", "en": "Fever"}[locale]
        await fever(study)
        await from_list(nurse)
        await drafts(nurse, name)
        await opens(study.doctor, "Fever")
        await judges(study.doctor, "1", "=form.button.no")
        await opens(nurse, name)
        await nurse.taps("event.button.correct", "event.field.onset")
        await nurse.answers("2026-11-01", "=reason.told_later")
        await nurse.taps("form.button.save")
        shown = nurse.phone.last.text
        days = [f"{each.day}" for each in [row.onset_on for row in await events(study.stage)]]
        assert days == ["2", "2", "1"]
        assert "→" in shown
        assert nurse.label("reason.told_later") in shown
        assert nurse.label("event.standing.changed") in shown
        assert [(row.version, row.what, row.judged) for row in await events(study.stage)] == [
            (1, "drafted", False),
            (2, "judged", True),
            (3, "corrected", False),
        ]

    async def test_an_onset_after_the_end_asks_for_the_end_as_well(self, study: Study) -> None:
        nurse = study.coordinator
        await fever(study)
        await from_list(nurse)
        await nurse.presses("Fever")
        await nurse.answers("2026-10-30", "2026-11-01", "=event.outcome.recovered")
        await nurse.answers("=event.action.unknown", "=event.action.unknown", "paracetamol", "=form.button.save")
        await nurse.taps("event.button.correct", "event.field.onset")
        sees = Watch(nurse)
        await nurse.says("2026-11-02")
        assert sees.last("event.ask.end")
        await nurse.answers("2026-11-02", "=reason.slip", "=form.button.save")
        event = (await events(study.stage))[-1]
        assert (event.onset_on.day, event.end_on.day if event.end_on else None, event.treatment) == (
            2,
            2,
            "paracetamol",
        )

    async def test_a_death_is_grade_5_and_serious(self, study: Study) -> None:
        nurse, doctor = study.coordinator, study.doctor
        await fever(study)
        await from_list(nurse)
        await nurse.presses("Fever")
        await nurse.answers("2026-11-01", "2026-11-02", "=event.outcome.fatal", "=event.action.withdrawn")
        await nurse.answers("=event.action.withdrawn", "=event.button.nothing", "=form.button.save")
        await opens(doctor, "Fever")
        await doctor.taps("event.button.judge")
        assert "4" not in doctor.phone.last.labels
        sees = Watch(doctor)
        await doctor.says("4")
        assert sees.read("event.grade.unreadable")
        await doctor.answers("5", "=form.button.yes", "=event.why.death", "=event.button.no_more")
        await doctor.answers("=event.relation.unlikely", "=event.relation.unlikely", "=event.button.only_now")
        await doctor.taps("form.button.save")
        event = (await events(study.stage))[-1]
        assert (event.grade, event.serious, event.criteria) == (5, True, ["death"])

    async def test_a_judged_event_is_made_void_by_an_investigator_alone(self, study: Study) -> None:
        nurse, doctor = study.coordinator, study.doctor
        await fever(study)
        await from_list(nurse)
        await drafts(nurse)
        await opens(doctor, "Fever")
        await judges(doctor, "1", "=form.button.no")
        await opens(nurse, "Fever")
        await nurse.taps("event.button.void")
        assert nurse.read("event.void.investigator")
        await doctor.taps("event.button.void", "reason.known_before", "form.button.save")
        event = (await events(study.stage))[-1]
        assert (event.version, event.void, event.reason) == (3, True, "#known_before")
        await nurse.says("/ae S-001")
        assert nurse.label("event.standing.void") in str(nurse.phone.last)

    async def test_a_button_of_an_older_version_shows_the_newer_one(self, study: Study) -> None:
        nurse = study.coordinator
        await fever(study)
        await from_list(nurse)
        await drafts(nurse)
        first = (await events(study.stage))[0]
        await opens(study.doctor, "Fever")
        await judges(study.doctor, "1", "=form.button.no")
        await plant(study.stage, nurse, ["event.correct"], {"event": first.id})
        await nurse.presses("event.correct")
        assert nurse.read("event.card")
        assert nurse.label("event.standing.judged") in nurse.phone.last.text


class TestClock:
    async def test_a_hospital_stay_starts_it_and_it_tells_before_and_after(self, study: Study, locale: str) -> None:
        anna, nurse = await in_language(study.anna, locale), await in_language(study.coordinator, locale)
        await anna.says(IN_HOSPITAL[locale])
        case, clock = await symptom_case(study.stage), await clock_of(study.stage)
        assert (case.chain["urgency"], case.chain["acknowledge_within_minutes"]) == ("sae", 240)
        assert (clock.case_id, clock.seen_at) == (case.id, None)
        assert (clock.due_at - clock.received_at).total_seconds() == 24 * 3600
        await study.pass_time(minutes=5)
        await nurse.taps("case.button.open")
        assert (await clock_of(study.stage)).seen_at is not None
        assert nurse.label("event.clock.unconfirmed") in nurse.phone.last.text
        assert "08:05" in nurse.phone.last.text
        sees, doctor = Watch(nurse), Watch(study.doctor)
        await study.pass_time(hours=19, minutes=50)
        assert sees.count("event.clock.soon") == 0
        await study.pass_time(minutes=10)
        assert sees.count("event.clock.soon") == 1
        assert doctor.count("event.clock.soon") == 1
        await study.pass_time(hours=4)
        assert sees.count("event.clock.soon") == 1
        assert sees.count("event.clock.overdue") == 1
        await nurse.says("/ae S-001")
        assert nurse.label("event.clock.state.overdue") in nurse.phone.last.text
        await study.pass_time(hours=48)
        assert sees.count("event.clock.overdue") == 1
        assert (await clock_of(study.stage)).ended_at is None, "no timer ends it"

    async def test_a_report_to_the_sponsor_stops_it(self, study: Study) -> None:
        await study.anna.says(IN_HOSPITAL["zh"])
        await study.pass_time(hours=1)
        doctor, sees = study.doctor, Watch(study.doctor)
        await doctor.says("/ae S-001")
        await doctor.taps("event.button.reported")
        await doctor.answers("2026-11-02", "07:10")
        assert doctor.read("event.time.before_receipt")
        await doctor.answers("25:99", "08.30", "=form.button.save")
        assert doctor.read("event.time.unreadable")
        clock = await clock_of(study.stage)
        assert clock.reported_at == datetime.fromisoformat("2026-11-02T08:30:00+08:00")
        await study.pass_time(hours=30)
        assert (sees.read("event.clock.soon"), sees.read("event.clock.overdue")) == (False, False)

    async def test_a_hospital_stay_makes_an_open_amber_case_faster(self, study: Study) -> None:
        await study.anna.says("我腿没力气")
        await study.anna.says(IN_HOSPITAL["zh"])
        case = await symptom_case(study.stage)
        assert case.chain["urgency"] in ("sae", "red")
        assert (await clock_of(study.stage)).case_id == case.id

    async def test_only_an_investigator_lets_such_a_report_be_none(self, study: Study) -> None:
        await study.anna.says(IN_HOSPITAL["zh"])
        nurse, doctor = study.coordinator, study.doctor
        for each in (nurse, doctor):
            await each.says("/ae S-001")
            await each.presses("📨")
            await each.taps("event.button.none")
        assert nurse.read("event.void.investigator")
        await doctor.taps("reason.known_before", "form.button.save")
        clock = await clock_of(study.stage)
        assert clock.ended_at is not None
        sees = Watch(doctor)
        await study.pass_time(hours=30)
        assert sees.read("event.clock.overdue") is False

    async def test_what_an_investigator_calls_serious_runs_from_the_report(self, study: Study) -> None:
        nurse, doctor = study.coordinator, study.doctor
        await fever(study)
        await study.pass_time(hours=2)
        await from_list(nurse)
        await drafts(nurse)
        await opens(doctor, "Fever")
        await doctor.taps("event.button.judge")
        await doctor.answers(
            "3", "=form.button.yes", "=event.why.hospital", "=event.why.other", "=event.button.no_more"
        )
        await doctor.answers("=event.relation.possible", "=event.relation.related")
        await doctor.presses("With the report")
        await doctor.taps("form.button.save")
        event, clock = (await events(study.stage))[-1], await clock_of(study.stage)
        assert (event.serious, event.criteria) == (True, ["hospital", "other"])
        assert (clock.event_number, clock.received_at) == (1, (await symptom_case(study.stage)).opened_at)

    async def test_judged_not_serious_ends_it_and_a_new_judgement_lets_it_run_again(self, study: Study) -> None:
        nurse, doctor = study.coordinator, study.doctor
        await study.anna.says(IN_HOSPITAL["zh"])
        await from_list(nurse)
        await nurse.answers(
            "Fever", *DRAFT, "=event.action.not_changed", "=event.action.not_changed", "=event.button.nothing"
        )
        await nurse.taps("form.button.save")
        await opens(doctor, "Fever")
        await judges(doctor, "2", "=form.button.no")
        assert (await clock_of(study.stage)).ended_at is not None
        await doctor.taps("event.button.judge")
        await doctor.answers("3", "=form.button.yes", "=event.why.hospital", "=event.button.no_more")
        await doctor.answers("=event.relation.possible", "=event.relation.possible", "=reason.told_later")
        await doctor.taps("form.button.save")
        assert (await clock_of(study.stage)).ended_at is None


class TestOthers:
    async def test_a_monitor_reads_and_changes_nothing(self, study: Study) -> None:
        await fever(study)
        monitor = await staff(study.stage, 42, "Monitor", Role.MONITOR)
        await monitor.says("/ae S-001")
        await monitor.presses("📨")
        assert monitor.label("event.button.draft") not in str(monitor.phone.last)
        assert "38.6" in monitor.phone.last.text

    async def test_a_coordinator_cannot_judge_whatever_is_pressed(self, study: Study) -> None:
        await fever(study)
        await from_list(study.coordinator)
        await drafts(study.coordinator)
        assert study.coordinator.label("event.button.judge") not in str(study.coordinator.phone.last)
        (event,) = await events(study.stage)
        await plant(study.stage, study.coordinator, ["event.judge"], {"event": event.id})
        sees = Watch(study.coordinator)
        await study.coordinator.presses("event.judge")
        assert sees.read("refused.not_for_you") or sees.toasted("refused.not_for_you")
        assert len(await events(study.stage)) == 1

    async def test_nobody_outside_the_staff_hears_more_than_a_kind_refusal(self, study: Study) -> None:
        admin = await staff(study.stage, 43, "Admin", Role.ADMIN)
        others = [study.anna, study.boris, await caregiver(study), person(study.stage, 90, "Passer-by", "en"), admin]
        for each in others:
            sees = Watch(each)
            await each.says("/ae S-001")
            assert sees.new, "an answer"
            assert "S-001" not in "".join(sees.texts)
        assert await events(study.stage) == []

    async def test_an_unknown_code_is_refused(self, study: Study) -> None:
        await study.coordinator.says("/ae S-999")
        assert study.coordinator.read("refused.subject_unknown")
