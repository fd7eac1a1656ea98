"""Visits are planned on clinic days, staff hear of what is overdue, and closures are told of in good time."""

import json
from datetime import date, timedelta

import pytest

from bot import app
from bot.domain.calendar import ClinicCalendar
from bot.store.models import AgendaItem, Escalation, OutboxMessage, Visit
from bot.story.stage import Stage
from bot.usecases import overdue, plan, visit_reminders
from bot.usecases.staff_queries import find
from bot.work import Work
from tests.people import Study, study
from tests.stories.conftest import World
from tests.stories.scenes import Watch, cases, rows, subject
from tests.stories.test_reminders import at, planned, record_done

# The clinic is closed from Saturday the 21st to Sunday the 29th, and again in the week before Christmas.
CLOSED = [date(2026, 11, 23) + timedelta(days=number) for number in range(5)]


@pytest.fixture(autouse=True)
def calendar(monkeypatch: pytest.MonkeyPatch) -> list[date]:
    """Close the clinic; a test may close more days before the bot starts again."""
    closed = list(CLOSED)
    monkeypatch.setattr(app, "load_clinic", lambda _: ClinicCalendar(extra_closed=frozenset(closed)))
    return closed


async def visits_of(stage: Stage, code: str) -> dict[str, Visit]:
    """Return the planned visits of a subject by kind."""
    found = await rows(stage, Visit, subject_id=(await subject(stage, code)).id, state="planned")
    return {visit.kind: visit for visit in found}


async def waiting_for(stage: Stage, visit: Visit) -> list[str]:
    """Return what is planned or queued for a visit."""
    items = await rows(stage, AgendaItem, about_id=visit.id, state="waiting")
    messages = await rows(stage, OutboxMessage, about_id=visit.id, purpose="visit.reminder", state="waiting")
    kinds = (visit_reminders.REMINDER, overdue.OVERDUE)
    return [item.key for item in items if item.kind in kinds] + [message.text_key for message in messages]


async def change(stage: Stage, code: str, **values: object) -> None:
    """Change what staff set for a subject, and plan again."""

    def work_on(work: Work) -> None:
        subject = find(work, code)
        for name, value in values.items():
            setattr(subject, name, value)
        plan.replan_all(work, subject, "changed by the test")

    await stage.within(work_on)


class TestPlanning:
    async def test_nobody_is_told_in_the_afternoon_to_come_today(self, study: Study) -> None:
        await change(study.stage, "S-003", cbc_interval_days=14)
        await study.stage.until(at("2026-11-10T15:30"))
        sees = Watch(study.clara)
        await change(study.stage, "S-003", cbc_interval_days=7)  # by the rule it was due yesterday
        await study.stage.settle()
        assert (await visits_of(study.stage, "S-003"))["cbc"].target_on == date(2026, 11, 11)
        assert sees.count("visit.announced") == 1

    async def test_a_day_that_was_changed_and_put_back_in_the_night_is_not_told_again(self, study: Study) -> None:
        sees = Watch(study.clara)

        async def move(on: date) -> None:
            number = (await visits_of(study.stage, "S-003"))["cbc"].id

            def work_on(work: Work) -> None:
                visit = work.session.get_one(Visit, number)
                plan.move(work, visit, on)
                visit_reminders.announce(work, visit)

            await study.stage.within(work_on)
            await study.stage.settle()

        await move(date(2026, 11, 11))
        assert sees.count("visit.announced") == 1
        await study.stage.until(at("2026-11-02T22:00"))
        await move(date(2026, 11, 12))
        await move(date(2026, 11, 11))
        await study.stage.until(at("2026-11-03T12:00"))
        assert sees.count("visit.announced") == 1

    async def test_who_comes_today_anyway_keeps_the_day(self, study: Study) -> None:
        before = (await visits_of(study.stage, "S-003"))["cbc"].target_on
        await study.stage.until(at(f"{before}T09:00"))
        await change(study.stage, "S-003", cbc_interval_days=7)
        assert (await visits_of(study.stage, "S-003"))["cbc"].target_on == before

    async def test_an_injection_due_in_a_closure_waits_and_its_count_goes_with_it(self, study: Study) -> None:
        await record_done(study, "S-001", "injection", date(2026, 11, 2))
        await record_done(study, "S-001", "cbc", date(2026, 11, 2))
        injection = await planned(study, "S-001", "injection")
        assert (injection.target_on, injection.undecided) == (date(2026, 11, 30), False)
        assert (injection.first_on, injection.last_on) == (date(2026, 11, 23), date(2026, 12, 7))
        await study.stage.until(at("2026-11-09T10:00"))
        await record_done(study, "S-001", "cbc", date(2026, 11, 9))
        await study.stage.until(at("2026-11-16T10:00"))
        await record_done(study, "S-001", "cbc", date(2026, 11, 16))
        assert (await planned(study, "S-001")).target_on == date(2026, 11, 30)

    async def test_ferritin_is_planned_with_deferasirox_only_and_goes_with_a_count(self, study: Study) -> None:
        for code, has in (("S-001", True), ("S-002", False), ("S-003", False)):
            kinds = set(await visits_of(study.stage, code))
            assert ("ferritin" in kinds) is has, code
        assert set(await visits_of(study.stage, "S-003")) == {"cbc"}, "a control has counts only"
        await change(study.stage, "S-002", ferritin_interval_days=28)
        assert (await planned(study, "S-002", "ferritin")).target_on == date(2026, 11, 30)
        await change(study.stage, "S-002", ferritin_interval_days=None)
        assert "ferritin" not in await visits_of(study.stage, "S-002")
        await change(study.stage, "S-001", ferritin_interval_days=0)
        assert "ferritin" not in await visits_of(study.stage, "S-001"), "staff have chosen none"

    async def test_after_the_third_injection_staff_are_asked_to_evaluate_and_the_patient_hears_nothing(
        self, study: Study
    ) -> None:
        for day in ("2026-11-02", "2026-11-30", "2026-12-21"):
            await study.stage.until(at(f"{day}T10:00"))
            await record_done(study, "S-001", "injection", date.fromisoformat(day))
        evaluation = await planned(study, "S-001", "evaluation")
        assert evaluation.target_on == date(2027, 1, 11)
        assert [key.split(":")[0] for key in await waiting_for(study.stage, evaluation)] == ["overdue", "overdue"]
        await study.anna.taps("menu.button.visits")
        assert study.anna.label("visit.kind.evaluation") not in study.anna.phone.last.text

    async def test_where_no_day_is_left_staff_choose_and_the_patient_is_told_none(
        self, world: World, study: Study, calendar: list[date]
    ) -> None:
        calendar += [date(2026, 11, 30) + timedelta(days=number) for number in range(8)]
        await world.restart()
        await change(study.stage, "S-001", injection_interval_days=21)
        await record_done(study, "S-001", "injection", date(2026, 11, 2))
        injection = await planned(study, "S-001", "injection")
        assert injection.undecided
        assert {key.split(":")[0] for key in await waiting_for(study.stage, injection)} == {"overdue"}
        (request,) = await cases(study.stage, kind="request", visit_id=injection.id)
        assert (request.because, request.urgency) == (["visit.undecided"], "yellow")
        assert "2026-12-08" in request.summary
        await study.stage.within(
            lambda work: plan.move(work, work.session.get_one(Visit, injection.id), date(2026, 12, 8))
        )
        decided = await planned(study, "S-001", "injection")
        assert (decided.undecided, decided.chosen, decided.target_on) == (False, True, date(2026, 12, 8))
        assert await waiting_for(study.stage, decided) != []


class TestPlanningAgain:
    async def test_a_new_interval_moves_the_injection_once_and_nothing_of_the_old_plan_is_left(
        self, study: Study
    ) -> None:
        await record_done(study, "S-001", "injection", date(2026, 11, 2))
        sees = Watch(study.anna)
        await change(study.stage, "S-001", injection_interval_days=35)
        injection = await planned(study, "S-001", "injection")
        assert (injection.target_on, injection.plan_version) == (date(2026, 12, 7), 2)
        await study.stage.settle()
        assert all(f":{injection.id}:2:" in key for key in await waiting_for(study.stage, injection))
        assert sees.count("visit.announced") >= 1
        before = await visits_of(study.stage, "S-001")
        await change(study.stage, "S-001", injection_interval_days=35)
        after = await visits_of(study.stage, "S-001")
        assert {kind: visit.plan_version for kind, visit in after.items()} == {
            kind: visit.plan_version for kind, visit in before.items()
        }

    async def test_an_arm_changed_by_mistake_and_back_leaves_nothing_queued(self, study: Study) -> None:
        before = await visits_of(study.stage, "S-001")
        await change(study.stage, "S-001", arm="CTRL")
        assert set(await visits_of(study.stage, "S-001")) == {"cbc"}
        for kind in ("injection", "ferritin"):
            assert await waiting_for(study.stage, before[kind]) == []
        await change(study.stage, "S-001", arm="TG2")
        again = await visits_of(study.stage, "S-001")
        assert {kind: visit.target_on for kind, visit in again.items()} == {
            kind: visit.target_on for kind, visit in before.items()
        }
        assert again["injection"].id != before["injection"].id

    async def test_a_day_that_staff_chose_is_kept_unless_it_comes_too_early(self, study: Study) -> None:
        await record_done(study, "S-001", "injection", date(2026, 11, 2))
        injection = await planned(study, "S-001", "injection")
        await study.stage.within(
            lambda work: plan.move(work, work.session.get_one(Visit, injection.id), date(2026, 12, 3))
        )
        await change(study.stage, "S-001", injection_interval_days=28)
        assert (await planned(study, "S-001", "injection")).target_on == date(2026, 12, 3)


async def told(stage: Stage, visit: Visit) -> int:
    """Return how many things staff were told of a visit that nobody recorded."""
    found = await cases(stage, visit_id=visit.id)
    return sum(len(json.loads(case.summary)) for case in found)


class TestOverdue:
    async def test_a_visit_nobody_recorded_is_yellow_after_three_days_and_amber_after_seven(
        self, both_stages: Stage
    ) -> None:
        made = await study(both_stages)
        injection = (await visits_of(both_stages, "S-001"))["injection"]
        await made.stage.until(at("2026-11-05T08:29"))
        before = await told(both_stages, injection)
        await made.stage.until(at("2026-11-05T08:31"))
        (case,) = await cases(both_stages, visit_id=injection.id)
        # The patient was asked the day after and has not answered; it is the same task.
        assert (case.kind, case.urgency, case.because) == ("request", "yellow", ["visit.not_recorded"])
        assert await told(both_stages, injection) == before + 1
        nurse = Watch(made.coordinator)
        await made.stage.until(at("2026-11-09T08:31"))
        (case,) = await cases(both_stages, visit_id=injection.id)
        assert case.urgency == "amber"
        assert nurse.count("case.page") >= 1

    async def test_a_recorded_visit_is_not_overdue(self, study: Study) -> None:
        injection = await planned(study, "S-001", "injection")
        await record_done(study, "S-001", "injection", date(2026, 11, 2))
        await study.stage.until(at("2026-11-10T12:00"))
        assert await rows(study.stage, Escalation, visit_id=injection.id) == []


class TestClosures:
    async def test_the_visits_in_a_closure_are_listed_once_and_moved_with_one_tap_each(
        self, world: World, study: Study, calendar: list[date]
    ) -> None:
        """The calendar learns of the closure of December after Anna's injection was planned in it."""
        await record_done(study, "S-001", "injection", date(2026, 11, 2))
        await study.stage.until(at("2026-11-30T10:00"))
        await record_done(study, "S-001", "injection", date(2026, 11, 30))
        injection = await planned(study, "S-001", "injection")
        assert injection.target_on == date(2026, 12, 21)
        calendar += [date(2026, 12, 21) + timedelta(days=number) for number in range(5)]
        await world.restart()
        nurse = Watch(study.coordinator)
        await study.stage.until(at("2026-12-08T12:00"))
        assert nurse.count("closure.list") == 0
        # The closure begins with the weekend of the 19th; on the tenth day before, the bot is down.
        await world.stop()
        study.stage.clock.set(at("2026-12-10T12:00"))
        await world.start()
        await study.stage.until(at("2026-12-10T12:01"))
        assert nurse.count("closure.list") == 1
        await study.stage.until(at("2026-12-11T12:00"))
        assert nurse.count("closure.list") == 1, "once for a closure"
        sees = Watch(study.anna)
        label = study.coordinator.label("closure.button.move", code="S-001", on=_short(study, date(2026, 12, 28)))
        await study.coordinator.presses(label)
        moved = await planned(study, "S-001", "injection")
        assert (moved.target_on, moved.chosen) == (date(2026, 12, 28), True)
        assert nurse.read("closure.moved")
        # Her phone has shown its two messages for today, one of them the weekly check-in.
        await study.stage.until(at("2026-12-12T09:00"))
        assert sees.count("visit.announced") >= 1
        await study.coordinator.presses(label)
        assert nurse.toasted("closure.toast.changed")
        assert (await planned(study, "S-001", "injection")).plan_version == moved.plan_version

    async def test_nothing_is_said_of_a_closure_that_affects_no_visit(
        self, world: World, study: Study, calendar: list[date]
    ) -> None:
        calendar[:] = [date(2026, 12, 21) + timedelta(days=number) for number in range(5)]
        await world.restart()
        nurse = Watch(study.coordinator)
        await study.stage.until(at("2026-12-10T12:00"))
        assert nurse.count("closure.list") == 0
        lists = await rows(study.stage, AgendaItem, kind="closure.list")
        assert [(item.state, item.reason) for item in lists] == [("done", "no visit is affected")]


def _short(study: Study, day: date) -> str:
    return study.stage.deps.texts.short_day(day, study.coordinator.locale)
