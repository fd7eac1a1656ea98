"""A visit that nobody recorded: the patient is asked kindly, and the answer is a task for the coordinator."""

from datetime import date

import pytest

from bot.store.models import AgendaItem, Escalation, Visit, VisitRecord
from bot.usecases import visit_reminders
from tests.people import Study
from tests.stories.scenes import Watch, cases, local, rows, subject, withdraw
from tests.stories.test_reminders import at, move, planned, record_done

ASKED = "2026-11-17T10:00"  # Clara's blood count was planned for 16 November


async def test_the_day_after_a_friendly_question_comes_once(study: Study) -> None:
    await study.stage.until(at("2026-11-16T20:00"))
    sees = Watch(study.clara)
    await study.stage.until(at("2026-11-19T20:00"))
    assert sees.count("visit.past.ask") == 1
    assert local(sees.new[0].at).strftime("%Y-%m-%dT%H:%M") == ASKED


async def about_the_visit(study: Study) -> list[Escalation]:
    """Return the tasks about Clara's visit; that she has not been heard of is another matter."""
    visit = (await rows(study.stage, Visit, subject_id=(await subject(study.stage, "S-003")).id, kind="cbc"))[0]
    return await cases(study.stage, "S-003", visit_id=visit.id)


@pytest.mark.parametrize(("button", "key"), [("came", "request.past.came"), ("could_not", "request.past.could_not")])
async def test_the_answer_is_a_task_and_records_nothing(study: Study, button: str, key: str) -> None:
    await study.stage.until(at("2026-11-17T10:30"))
    nurse = Watch(study.coordinator)
    records = len(await rows(study.stage, VisitRecord))
    await study.clara.taps(f"visit.button.{button}")
    assert nurse.first("case.page")
    (case,) = await about_the_visit(study)
    assert key in case.summary
    visit = await planned(study, "S-003")
    assert (visit.reply, visit.state) == (button, "planned")
    assert len(await rows(study.stage, VisitRecord)) == records
    # Answered is answered: no second task says that nobody answered.
    await study.stage.until(at("2026-11-18T12:00"))
    assert len(await about_the_visit(study)) == 1


async def test_who_could_not_come_is_offered_days_at_once_and_types_nothing(study: Study) -> None:
    await study.stage.until(at("2026-11-17T10:30"))
    await study.clara.taps("visit.button.could_not")
    day = study.stage.deps.texts.day(date(2026, 11, 19), "zh")
    await study.clara.presses(day)
    visit = await planned(study, "S-003")
    assert visit.proposed_on == date(2026, 11, 19)
    assert study.clara.read("visit.wish.noted")
    assert study.clara.label("visit.stands", day="").rstrip("。") not in study.clara.phone.last.text


async def test_no_answer_becomes_a_task_on_the_second_day(study: Study) -> None:
    await study.stage.until(at("2026-11-18T09:59"))
    nurse = Watch(study.coordinator)
    await study.stage.until(at("2026-11-18T10:05"))
    assert nurse.count("case.page") == 1
    (case,) = await about_the_visit(study)
    assert "request.past.no_answer" in case.summary
    await study.clara.taps("visit.button.came")
    (case,) = await about_the_visit(study)
    assert "request.past.came" in case.summary
    assert "request.past.no_answer" not in case.summary


@pytest.mark.parametrize("deed", ["recorded", "moved", "withdrawn"])
async def test_what_settles_the_visit_ends_the_chase(study: Study, deed: str) -> None:
    await study.stage.until(at("2026-11-16T20:00"))
    if deed == "recorded":
        await record_done(study, "S-003", "cbc", date(2026, 11, 16))
    elif deed == "moved":
        await move(study, "S-003", "cbc", date(2026, 11, 20))
    else:
        await withdraw(study.clara)
    sees = Watch(study.clara)
    await study.stage.until(at("2026-11-18T12:00"))
    assert sees.count("visit.past.ask") == 0
    assert await about_the_visit(study) == []
    if deed != "withdrawn":
        old = [
            each
            for each in await rows(study.stage, AgendaItem, kind=visit_reminders.CHASE)
            if each.detail["version"] == 1 and each.key.endswith(":ask") and each.state == "skipped"
        ]
        assert old


async def test_the_patient_can_say_so_from_the_list_of_visits(study: Study) -> None:
    await study.stage.until(at("2026-11-17T09:00"))
    await study.clara.says("/visits")
    short = study.stage.deps.texts.short_day(date(2026, 11, 16), "zh")
    await study.clara.presses(study.clara.label("visit.button.tell", day=short))
    await study.clara.taps("visit.button.came")
    assert study.clara.read("visit.past.thanks_came")


async def test_after_an_outage_of_days_the_question_is_not_asked_and_staff_have_the_task(study: Study) -> None:
    await study.stage.until(at("2026-11-16T20:00"))
    sees, nurse = Watch(study.clara), Watch(study.coordinator)
    study.stage.clock.set(at("2026-11-19T09:00"))
    await study.pass_time(minutes=5)
    assert sees.count("visit.past.ask") == 0
    assert nurse.count("staff.skipped") == 1
    (case,) = await about_the_visit(study)
    assert "request.past.not_put" in case.summary
