"""The main job once more on each kind of database: enrol, consent, report, page, acknowledge, resolve."""

import re

import pytest

from bot.store.models import (
    AdverseEvent,
    Answer,
    AuditEntry,
    Checkin,
    DoseReport,
    Escalation,
    Response,
    SeriousClock,
    Visit,
    VisitRecord,
)
from bot.story.stage import Stage
from tests.people import begin, person, study
from tests.stories.scenes import CALL_120, CHEST_PAIN, Watch, cases, rows, unfinished_updates
from tests.stories.test_checkins import tasks, week, well

LINK = re.compile(r"https://t\.me/[\w?=-]+")


@pytest.mark.req("DI-01", "DI-18")
async def test_from_enrolment_to_a_resolved_case(both_stages: Stage) -> None:
    made = await study(both_stages, started=False)
    nurse = made.coordinator
    await nurse.says("/enrol")
    await nurse.answers("S-010", "=arm.tg2.name", "=language.zh", "1952", "120斤", "=form.button.yes")
    await nurse.answers("2026-11-05", "7", "21", "=formulation.dispersible")
    await nurse.presses("250 mg")
    sees = Watch(nurse)
    await nurse.answers("2", "0571-0000-0010", "=form.button.save")
    link, caregivers = (LINK.findall(message.text)[0] for message in sees.new if message.kind == "photo")

    dora = person(both_stages, 24, "Dora", "zh")
    await begin(dora, link)
    daughter = person(both_stages, 34, "Daughter", "zh")
    await daughter.opens(caregivers)
    await dora.taps("start.button.agree_caregiver")
    assert daughter.read("start.caregiver_welcome")

    await made.pass_time(hours=10)
    await dora.taps("tablets.button.taken")
    assert [report.status for report in await rows(both_stages, DoseReport)] == ["taken"]

    await dora.taps("menu.button.unwell", "report.trouble.fever", "report.fever.place.axillary")
    doctor = Watch(made.doctor)
    await dora.says("38.6")
    assert dora.read("triage.red_come.go")
    assert doctor.first("case.page")
    await daughter.says(CHEST_PAIN["zh"])
    assert daughter.read(CALL_120)
    await made.doctor.taps("case.button.acknowledge", "case.button.spoke")
    assert dora.read("case.told.taken_over")
    await made.doctor.taps("case.button.resolve", "outcome.came_to_hospital")
    assert dora.read("outcome.told.came_to_hospital")
    (case,) = await rows(both_stages, Escalation)
    assert (case.state, case.urgency, case.outcome) == ("resolved", "red_120", "came_to_hospital")

    changes = [entry.what for entry in await rows(both_stages, AuditEntry)]
    assert {"subject.created", "consent.created", "answer.created", "escalation.changed"} <= set(changes)
    assert await unfinished_updates(both_stages) == []


@pytest.mark.req("DI-14")
async def test_many_at_once_are_all_answered_and_recorded_once(both_stages: Stage) -> None:
    made = await study(both_stages)
    watches = [Watch(each) for each in made.patients]
    for each in made.patients:
        for _ in range(3):
            await each.phone.sends(CHEST_PAIN[each.locale])
    await both_stages.settle()
    assert [sees.count(CALL_120) for sees in watches] == [3, 3, 3]
    assert len(await rows(both_stages, Escalation)) == 3
    assert await unfinished_updates(both_stages) == []


@pytest.mark.req("DI-14")
async def test_two_doctors_acknowledge_at_the_same_moment(both_stages: Stage) -> None:
    made = await study(both_stages)
    await made.doctor.says("/duty")
    await made.doctor.taps("duty.button.off")
    await made.anna.says(CHEST_PAIN["zh"])
    for each in (made.doctor, made.coordinator):
        await each.phone.taps(each.label("case.button.acknowledge"))
    await both_stages.settle()
    (case,) = await rows(both_stages, Escalation)
    assert case.state == "acknowledged"
    toasts = {each.phone.last_toast for each in (made.doctor, made.coordinator)}
    assert made.doctor.label("case.toast.acknowledged") in toasts
    assert len(toasts) == 2


@pytest.mark.req("DI-03")
async def test_a_visit_is_recorded_corrected_listed_and_the_participation_closed(both_stages: Stage) -> None:
    made = await study(both_stages)
    nurse = made.coordinator
    await nurse.says("/today")
    await nurse.presses(nurse.label("due.button.done_today", code="S-001"))
    await nurse.says("/patient S-001")
    await nurse.taps("patient.button.recorded")
    await nurse.presses("✅")
    await nurse.taps("visit.button.correct")
    await nurse.answers("=visit.outcome.done", "2026-11-01", "=visit.source.phone", "=reason.told_later")
    await nurse.taps("form.button.save")
    assert [record.version for record in await rows(both_stages, VisitRecord)] == [1, 2]
    await made.doctor.says("/deviations")
    assert "S-001" in made.doctor.phone.last.text
    await nurse.says("/patient S-001")
    await nurse.taps("patient.button.change", "change.button.close")
    await nurse.answers("=reason.completed", "2026-11-02", "=form.button.save")
    assert made.anna.read("closing.told")
    planned = [visit.state for visit in await rows(both_stages, Visit, subject_id=1)]
    assert "planned" not in planned
    assert await unfinished_updates(both_stages) == []


@pytest.mark.req("DI-01", "DI-03")
async def test_a_serious_event_is_drafted_judged_and_reported(both_stages: Stage) -> None:
    made = await study(both_stages)
    nurse, doctor = made.coordinator, made.doctor
    await made.clara.says("昨天去急诊挂水了")
    await nurse.says("/ae S-003")
    await nurse.presses("📨")
    await nurse.taps("event.button.draft")
    await nurse.answers("Fever", "2026-11-01", "=event.ongoing", "=event.outcome.recovering", "=event.button.nothing")
    await nurse.taps("form.button.save")
    await doctor.says("/ae S-003")
    await doctor.presses("1. Fever")
    await doctor.taps("event.button.judge")
    await doctor.answers("3", "=form.button.yes", "=event.why.hospital", "=event.button.no_more", "=form.button.save")
    await doctor.taps("event.button.reported")
    await doctor.answers("2026-11-02", "=event.button.now", "=form.button.save")
    assert [(each.version, each.grade) for each in await rows(both_stages, AdverseEvent)] == [(1, None), (2, 3)]
    (clock,) = await rows(both_stages, SeriousClock)
    assert (clock.event_number, clock.reported_at is not None) == (1, True)
    assert await unfinished_updates(both_stages) == []


@pytest.mark.req("DI-03", "DI-17")
async def test_check_ins_are_offered_answered_resumed_started_and_given_up(both_stages: Stage) -> None:
    made = await study(both_stages)
    clara = made.clara
    # Offered, left in the middle, resumed the next day, answered.
    await both_stages.until(week(0, hours=0.1))
    await clara.taps("checkin.button.begin", "report.answer.none", "checkin.severity.0")
    await both_stages.until(week(0, hours=24.5))
    assert clara.read("checkin.go_on")
    await clara.taps("checkin.button.begin")
    await well(clara, "fatigue")
    await clara.taps("report.answer.none")
    # Another one from the menu: two points more, which staff hear of; it is left and closed as far as it went.
    await clara.says("/menu")
    await clara.taps("menu.button.checkin", "checkin.button.another", "report.answer.none", "checkin.severity.2")
    await both_stages.until(week(0, hours=24 * 6))
    first, second = await rows(both_stages, Response, subject_id=3)
    assert (first.because, second.because) == ([], ["P02-score-rise", "T44-checkin-mild", "unfinished"])
    (case,) = await cases(both_stages, "S-003", kind="symptom")
    assert (case.urgency, "P02-score-rise" in case.because) == ("amber", True)
    kept = [
        (each.response_id, float(each.value)) for each in await rows(both_stages, Answer, item="fatigue_severity")
    ]
    assert kept == [(first.id, 0), (second.id, 2)]
    # Boris answers none of two, Clara the second of her own accord, when its time is over.
    await both_stages.until(week(1, hours=24 * 4))
    await clara.says("/menu")
    await clara.taps("menu.button.checkin", "report.answer.none")
    await well(clara)
    await clara.taps("report.answer.none")
    await both_stages.until(week(1, hours=24 * 5))
    offered = [row.response_id for row in await rows(both_stages, Checkin, subject_id=3)]
    assert offered == [first.id, None], "the second was never touched, for its time was over"
    reasons = {
        case.subject_id: case.because
        for case in await rows(both_stages, Escalation, kind="request")
        if "reach.checkins" in case.because
    }
    assert 2 in reasons
    assert await tasks(made, "reach.checkins") == []
    assert await unfinished_updates(both_stages) == []
