"""A drill rings like a real case, says that it is none, is timed, and keeps away from patients."""

from datetime import timedelta

import pytest

from bot.cli_drill import WindowUnclear, window_of
from bot.domain.roles import Role
from bot.store.models import Drill
from bot.story.stage import Stage
from bot.texts import LOCALES
from bot.usecases import drills
from tests.people import Study, staff, study
from tests.stories.conftest import World
from tests.stories.scenes import CHEST_PAIN, Watch, clinical_rows, off_duty, rows

MARK = "【演练 / DRILL】"
NOW = timedelta(0)


async def plan(stage: Stage, within: timedelta = NOW, seed: int = 7) -> None:
    await stage.within(lambda work: drills.plan(work, within, seed))


async def drill(stage: Stage) -> Drill:
    return (await rows(stage, Drill))[-1]


async def test_it_is_taken_answered_and_timed_and_touches_no_trial_data(study: Study) -> None:
    before = await clinical_rows(study.stage)
    doctor, nurse, anna = Watch(study.doctor), Watch(study.coordinator), Watch(study.anna)
    await plan(study.stage)
    await study.pass_time(seconds=1)
    assert doctor.first("drill.page")
    assert nurse.new == []
    await study.pass_time(seconds=29)
    await study.doctor.taps("drill.button.open")
    await study.pass_time(seconds=30)
    await study.doctor.taps("drill.button.acknowledge")
    await study.pass_time(minutes=1)
    await study.doctor.taps("drill.button.read_back")
    held = await drill(study.stage)
    assert (held.outcome, held.first_page_after, held.viewed_after) == ("read_back", 0, 30)
    assert (held.taken_after, held.read_back_after) == (60, 120)
    await study.pass_time(hours=2)
    assert held.pages == (await drill(study.stage)).pages == 1
    assert nurse.first("drill.told")
    assert all(text.startswith(MARK) for each in (doctor, nurse) for text in each.texts if "DRILL" in text)
    assert anna.count("drill.page") == 0
    assert await clinical_rows(study.stage) == before


async def test_every_text_of_a_drill_begins_with_the_mark(study: Study) -> None:
    texts = study.stage.deps.texts
    apart = ("drill.button.", "drill.how.", "drill.figure.", "drill.line")
    for locale in LOCALES:
        keys = [key for key in texts.keys()[locale] if key.startswith("drill.") and not key.startswith(apart)]
        assert len(keys) >= 12
        assert [key for key in keys if not texts.template(key, locale).startswith(MARK)] == []


async def test_it_climbs_by_the_red_chain_and_ends_after_an_hour_with_nobody(study: Study) -> None:
    pi = await staff(study.stage, 14, "Principal investigator", Role.PI)
    doctor, nurse, third = Watch(study.doctor), Watch(study.coordinator), Watch(pi)
    await plan(study.stage)
    await study.pass_time(minutes=61)
    rang = [sum("Drill 1, page" in text for text in each.texts) for each in (doctor, third, nurse)]
    assert rang == [12, 8, 6]
    assert (await drill(study.stage)).outcome == "nobody"
    assert third.read("drill.told")
    await study.doctor.says("/drills")
    assert study.doctor.read("drill.list")


async def test_it_waits_while_a_red_case_is_open(study: Study) -> None:
    await study.anna.says(CHEST_PAIN["zh"])
    doctor = Watch(study.doctor)
    await plan(study.stage)
    await study.pass_time(minutes=20)
    assert doctor.count("drill.page") == 0
    await study.doctor.taps("case.button.acknowledge", "case.button.spoke")
    await study.doctor.taps("case.button.resolve", "outcome.came_to_hospital")
    await study.pass_time(minutes=6)
    assert doctor.count("drill.page") >= 1


async def test_a_red_case_that_stays_open_lets_it_fall(study: Study) -> None:
    await study.anna.says(CHEST_PAIN["zh"])
    await plan(study.stage)
    doctor = Watch(study.doctor)
    await study.pass_time(minutes=70)
    assert ((await drill(study.stage)).outcome, doctor.count("drill.page")) == ("not_held", 0)


async def test_a_red_case_stops_it_and_its_time_is_not_counted(study: Study) -> None:
    await plan(study.stage)
    await study.pass_time(minutes=3)
    doctor = Watch(study.doctor)
    await study.anna.says(CHEST_PAIN["zh"])
    await study.pass_time(minutes=16)
    assert doctor.count("drill.page") == 0
    assert doctor.read("case.page")
    await study.doctor.taps("case.button.acknowledge", "case.button.spoke")
    await study.doctor.taps("case.button.resolve", "outcome.came_to_hospital")
    await study.pass_time(minutes=4)
    assert doctor.count("drill.page") == 1
    await study.doctor.taps("drill.button.acknowledge")
    held = await drill(study.stage)
    assert held.paused_seconds >= 15 * 60
    assert held.taken_after is not None
    assert held.taken_after < 8 * 60


async def test_a_drill_that_a_red_case_cut_short_blames_nobody(study: Study) -> None:
    await plan(study.stage)
    await study.pass_time(minutes=3)
    await study.anna.says(CHEST_PAIN["zh"])
    await study.pass_time(minutes=60)
    assert (await drill(study.stage)).outcome == "interrupted"


async def test_there_is_never_a_second_one(study: Study) -> None:
    await plan(study.stage, timedelta(hours=24))
    with pytest.raises(drills.DrillOpen):
        await plan(study.stage)
    assert len(await rows(study.stage, Drill)) == 1


async def test_the_moment_is_random_and_its_seed_draws_it_again(study: Study) -> None:
    await plan(study.stage, timedelta(hours=24), seed=5)
    planned = await drill(study.stage)
    assert timedelta(0) < planned.rings_at - planned.planned_at < timedelta(hours=24)
    doctor = Watch(study.doctor)
    await study.stage.until(planned.rings_at - timedelta(seconds=1))
    assert doctor.count("drill.page") == 0
    await study.pass_time(seconds=2)
    assert doctor.count("drill.page") == 1


async def test_it_goes_on_after_a_restart(study: Study, world: World) -> None:
    await plan(study.stage)
    await study.pass_time(minutes=2)
    await world.restart()
    doctor = Watch(study.doctor)
    await study.pass_time(minutes=4)
    assert doctor.count("drill.page") == 1
    await study.doctor.taps("drill.button.acknowledge", "drill.button.read_back")
    assert (await drill(study.stage)).outcome == "read_back"


async def test_a_second_doctor_hears_who_has_it(study: Study) -> None:
    await off_duty(study.doctor)
    await plan(study.stage)
    await study.pass_time(seconds=1)
    for each in (study.doctor, study.coordinator):
        await each.phone.taps(each.label("drill.button.acknowledge"))
    await study.stage.settle()
    toasts = {each.phone.last_toast for each in (study.doctor, study.coordinator)}
    assert study.doctor.label("drill.toast.taken") in toasts
    assert len(toasts) == 2


async def test_drills_on_both_databases(both_stages: Stage) -> None:
    made = await study(both_stages)
    await plan(both_stages)
    await made.pass_time(seconds=1)
    await made.anna.says(CHEST_PAIN["zh"])
    await made.pass_time(minutes=1)
    assert (await drill(both_stages)).paused_at is not None
    await made.doctor.taps("case.button.acknowledge", "case.button.spoke")
    await made.doctor.taps("case.button.resolve", "outcome.came_to_hospital")
    await made.pass_time(seconds=1)
    await made.pass_time(minutes=6)
    await made.doctor.taps("drill.button.acknowledge", "drill.button.read_back")
    assert (await drill(both_stages)).outcome == "read_back"
    await plan(both_stages, timedelta(hours=1))
    assert len(await rows(both_stages, Drill)) == 2


@pytest.mark.parametrize(("words", "hours"), [("24h", 24.0), ("30m", 0.5), ("7d", 168.0)])
def test_a_window_is_written_in_minutes_hours_or_days(words: str, hours: float) -> None:
    assert window_of(words) == timedelta(hours=hours)


@pytest.mark.parametrize("words", ["", "0h", "24", "15d", "-3h", "soon"])
def test_what_is_no_window_is_refused(words: str) -> None:
    with pytest.raises(WindowUnclear):
        window_of(words)
