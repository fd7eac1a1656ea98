"""The course of a patient's symptoms, as staff see it: what was said, and where nothing is known."""

import json
from datetime import datetime
from typing import Any

import pytest

from bot.domain.roles import Role
from bot.store.models import AdverseEvent, AuditEntry, OutboxMessage
from bot.story.people import Person
from bot.story.stage import Stage
from bot.usecases import course
from bot.work import Work
from tests.people import Study, staff, study
from tests.stories.scenes import Watch, caregiver, in_language, resolve_all, rows
from tests.stories.test_checkins import begins, week, well
from tests.stories.test_corrections import PAINLESS
from tests.stories.test_measures import enters, reads


async def looks(reader: Person, code: str) -> str:
    """Let staff look at a course; return its words, which may come after the picture."""
    sees = Watch(reader)
    await reader.says(f"/report {code}")
    assert sees.new[0].kind == "photo"
    return "\n".join(sees.texts)


def line(reader: Person, row: str, said: str) -> str:
    """Return the newest line about a row."""
    name = reader.label(f"course.row.{row}")
    return next((each for each in said.splitlines() if each.startswith(name)), "")


async def marks(stage: Stage, reader: Person, row: str) -> list[str]:
    """Return the marks of a row in the newest picture, week by week."""
    message = (await rows(stage, OutboxMessage, text_key="course.shown"))[-1]
    spec: dict[str, Any] = json.loads(message.picture or "{}")
    (found,) = [each for each in spec["rows"] if each["name"] == reader.label(f"course.row.{row}")]
    return list(found["marks"])


@pytest.mark.parametrize("locale", ["zh", "en"])
async def test_a_whole_course_is_read_in_either_language(study: Study, locale: str) -> None:
    reader, stage, clara = await in_language(study.coordinator, locale), study.stage, study.clara
    # Week 1: a report. Week 2: a check-in with scores. Week 3: none is answered. Week 4: her own words.
    await clara.taps("menu.button.unwell", "report.trouble.fever", "report.fever.place.axillary")
    await clara.says("38.6")
    await clara.taps("report.answer.none")
    await resolve_all(stage)
    await begins(study)
    await clara.taps("checkin.severity.3", "checkin.interference.1")
    await well(clara, "fatigue")
    await clara.taps("report.answer.none")
    await resolve_all(stage)
    await stage.until(week(1, hours=24 * 3 + 1))
    await resolve_all(stage)  # Staff were told of the silence.
    await stage.until(week(2, hours=-2))
    await clara.says("我胸口痛")
    said = await looks(reader, "S-003")

    for row, level, source in (
        ("fever", "red_come", "report"),
        ("tired_dizzy", "amber", "checkin"),
        ("breath_chest", "red_120", "words"),
    ):
        assert reader.label(f"course.level.{level}") in line(reader, row, said)
        assert reader.label(f"course.source.{source}") in line(reader, row, said)
    assert reader.label("course.score", score=3) in line(reader, "tired_dizzy", said)
    assert line(reader, "skin_allergy", said) == ""
    places = [said.index(line(reader, row, said)) for row in ("breath_chest", "tired_dizzy", "fever")]
    assert places == sorted(places), "the newest week comes first"
    assert reader.label("course.weeks.no_answer", weeks="3") in said
    chest, level = reader.label("course.row.breath_chest"), reader.label("course.level.red_120")
    assert reader.label("course.headline", row=chest, level=level, week=4) in said

    assert await marks(stage, reader, "fever") == ["red_come", "nothing", "no_answer", "not_asked"]
    assert await marks(stage, reader, "skin_allergy") == ["not_asked", "nothing", "no_answer", "not_asked"]
    assert await marks(stage, reader, "eyes_ears") == ["not_asked"] * 4
    seen = [entry for entry in await rows(stage, AuditEntry) if entry.what == "course.viewed"]
    assert len(seen) == 1


async def test_nothing_known_is_said_as_such(study: Study) -> None:
    said = await looks(study.doctor, "S-003")
    assert study.doctor.label("course.weeks.not_asked", weeks="1") in said
    assert study.doctor.label("course.no_urgency") in said


async def test_a_check_in_that_stops_in_the_middle_denies_only_what_was_answered(study: Study) -> None:
    clara = await begins(study)
    await clara.taps("checkin.severity.0", "checkin.frequency.0")
    await study.stage.until(week(1, hours=-1))
    said = await looks(study.doctor, "S-003")
    assert study.doctor.label("course.weeks.no_answer", weeks="2") in said
    assert (await marks(study.stage, study.doctor, "tired_dizzy"))[1] == "nothing"
    assert (await marks(study.stage, study.doctor, "stomach_liver"))[1] == "no_answer"
    assert (await marks(study.stage, study.doctor, "mood"))[1] == "no_answer"


@pytest.mark.req("DI-03")
async def test_what_a_correction_took_back_counts_no_more_and_is_still_told(study: Study) -> None:
    boris, doctor = study.boris, study.doctor
    await boris.taps(*PAINLESS[:2], "report.stomach.what.diarrhoea", "report.button.nothing_else")
    await boris.taps("report.stomach.amount.diarrhoea_4", "report.answer.none", "report.button.enough")
    assert doctor.label("course.level.amber") in line(doctor, "stomach_liver", await looks(doctor, "S-002"))
    await boris.taps("report.button.correct", "report.short.stomach_amount", "report.stomach.amount.fewer")
    said = await looks(doctor, "S-002")
    assert doctor.label("course.level.yellow") in line(doctor, "stomach_liver", said)
    name, level = doctor.label("course.row.stomach_liver"), f"🟠 {doctor.label('course.level.amber')}"
    assert doctor.label("course.taken_back", row=name, level=level) in said


async def test_a_value_that_was_taken_out_is_not_there(study: Study) -> None:
    nurse = study.coordinator
    await enters(nurse, "S-003", "PLT 8")
    await nurse.taps("form.button.save")
    said = await looks(nurse, "S-003")
    assert nurse.label("course.level.red_come") in line(nurse, "counts", said)
    assert nurse.label("course.source.value") in line(nurse, "counts", said)
    await nurse.says("/labs S-003")
    await nurse.presses(next(each for each in nurse.phone.last.labels if "PLT" in each or "8" in each))
    await nurse.taps("labs.button.correct", "labs.button.take_out", "reason.wrong_patient", "form.button.save")
    assert line(nurse, "counts", await looks(nurse, "S-003")) == ""
    assert await marks(study.stage, nurse, "counts") == ["not_asked"]


async def test_a_reading_of_the_patient_is_marked_as_not_confirmed(study: Study) -> None:
    await reads(study.boris, "pressure", "165/95", "=form.button.yes")
    said = await looks(study.doctor, "S-002")
    assert study.doctor.label("course.source.value_unverified") in line(study.doctor, "pressure", said)


async def test_words_that_are_not_so_now_are_shown_as_what_they_are(study: Study) -> None:
    await study.clara.says("如果胸口痛怎么办")
    await study.clara.taps("speak.button.not_now")
    said = await looks(study.doctor, "S-003")
    assert study.doctor.label("course.level.yellow") in line(study.doctor, "breath_chest", said)
    assert await marks(study.stage, study.doctor, "breath_chest") == ["yellow"]


async def test_what_a_caregiver_says_is_told_apart(study: Study) -> None:
    daughter = await caregiver(study)
    await daughter.says({"zh": "他胸口痛", "en": "He has chest pain"}[daughter.locale])
    if not (await rows(study.stage, OutboxMessage, text_key="case.page")):
        await daughter.taps("speak.button.now")
    shown = [await looks(study.doctor, code) for code in ("S-001", "S-002", "S-003")]
    words = study.doctor.label("course.source.words")
    assert any(study.doctor.label("course.by_caregiver", said=words) in each for each in shown)


async def test_adverse_events_stand_apart_with_the_investigators_grade(study: Study) -> None:
    def record(work: Work) -> None:
        for number, grade in ((1, 3), (2, None)):
            work.session.add(
                AdverseEvent(
                    subject_id=3,
                    number=number,
                    what="judged",
                    verbatim="",
                    term="Epistaxis",
                    term_zh="鼻衄",
                    onset_on=work.today,
                    outcome="unknown",
                    grade=grade,
                    recorded_at=work.now,
                    recorded_by="bot",
                )
            )

    await study.stage.within(record)
    said = await looks(study.doctor, "S-003")
    assert f"Epistaxis, {study.doctor.label('course.grade', grade=3)}" in said
    assert f"Epistaxis, {study.doctor.label('course.not_graded')}" in said
    assert await marks(study.stage, study.doctor, "bleeding") == ["not_asked"], "a grade is no score of the patient"
    message = (await rows(study.stage, OutboxMessage, text_key="course.shown"))[-1]
    assert [bar["grade"] for bar in json.loads(message.picture or "{}")["events"]] == ["3", "?"]


async def test_a_period_is_chosen_by_buttons_and_all_weeks_can_be_leafed_through(study: Study) -> None:
    doctor = study.doctor

    def enrolled_long_ago(work: Work) -> None:
        from bot.store.models import Subject

        anna = work.session.get_one(Subject, 3)
        anna.enrolled_at = datetime.fromisoformat("2025-11-03T09:00:00+08:00")  # 53 weeks

    await study.stage.within(enrolled_long_ago)
    await doctor.says("/patient S-003")
    await doctor.taps("patient.button.course")

    async def count() -> int:
        return len(await marks(study.stage, doctor, "fever"))

    assert await count() == course.USUAL
    await doctor.presses(doctor.label("course.button.weeks", n=4))
    assert await count() == 4
    await doctor.taps("course.button.all")
    assert await count() == course.MOST_WEEKS
    await doctor.taps("course.button.before", "course.button.before")
    assert await count() == 1
    assert doctor.label("course.weeks.not_asked", weeks="1") in doctor.phone.last.text


async def test_a_long_course_fits_a_message_and_says_what_was_left_off(study: Study) -> None:
    def many_reports(work: Work) -> None:
        from datetime import timedelta

        from bot.store.models import Response, Subject

        clara = work.session.get_one(Subject, 3)
        clara.enrolled_at = work.now - timedelta(weeks=25)
        rules = ["T01-chills", "T10-gut-bleed", "T21-chest-pain", "T24-dizzy", "T17-headache", "T31-stomach"]
        for back in range(26):
            work.session.add(
                Response(
                    subject_id=3,
                    account_id=work.caller.account_id or 1,
                    questionnaire="unwell",
                    questionnaire_version="1.0",
                    locale="zh",
                    reported_by="patient:1",
                    opened_at=work.now - timedelta(weeks=back),
                    submitted_at=work.now - timedelta(weeks=back),
                    urgency="red_120",
                    because=[*rules, "T34-no-urine", "T28-skin", "T35-sight-hearing", "T40-mood", "T44-other"],
                )
            )

    await study.stage.within(many_reports)
    doctor = await in_language(study.doctor, "en")
    sees = Watch(doctor)
    await doctor.says("/report S-003")
    await doctor.taps("course.button.all")
    words = [message.text for message in sees.new if message.kind == "text"]
    assert len(words) == 2, "one message each, beside its picture"
    assert all(course.length(each) <= 4096 for each in words)
    fixed = doctor.label_template("course.left_off").split("{n}")[0]
    assert fixed in words[-1]


async def test_a_monitor_reads_it_and_an_administrator_does_not(study: Study) -> None:
    monitor = await staff(study.stage, 15, "Monitor", Role.MONITOR)
    assert await looks(monitor, "S-001")
    admin = await staff(study.stage, 16, "Admin", Role.ADMIN)
    sees = Watch(admin)
    await admin.says("/report S-001")
    assert not any(message.kind == "photo" for message in sees.new)


async def test_it_is_the_same_on_each_database_and_reads_each_source_once(both_stages: Stage) -> None:
    made = await study(both_stages)
    await made.clara.taps("menu.button.unwell", "report.trouble.fever", "report.fever.place.axillary")
    await made.clara.says("38.6")
    await enters(made.coordinator, "S-003", "PLT 8")
    await made.coordinator.taps("form.button.save")
    said = await looks(made.doctor, "S-003")
    assert made.doctor.label("course.level.red_come") in line(made.doctor, "fever", said)
    assert made.doctor.label("course.level.red_come") in line(made.doctor, "counts", said)
