"""How long did people take? Staff read it from what really happened, on each kind of database."""

import json
from datetime import datetime, time, timedelta

import pytest

from bot.domain.kpi import Group, Hours, Kpi, Ratio, Stage
from bot.domain.people import Caller
from bot.domain.roles import Role
from bot.domain.urgency import Urgency
from bot.pictures import paint
from bot.store import people
from bot.store.models import AuditEntry, OutboxMessage
from bot.story.stage import Stage as Scene
from bot.usecases import cases, escalate, kpi_facts
from bot.usecases.staff_queries import find
from bot.work import Text, Work
from tests.people import Study, staff, study
from tests.stories.scenes import CHEST_PAIN, SITE, Watch, rows
from tests.usecases.test_statements import Recorder


async def measured(stage: Scene, days: int = 28) -> Kpi:
    return (await stage.within(lambda work: kpi_facts.measure(work, days)))[0]


def taken(found: Kpi, group: Group, stage: Stage) -> timedelta | None:
    span = found.spans[group, None][stage].median
    return None if span is None else span.time


async def raised(stage: Scene, urgency: Urgency, kind: str = escalate.SYMPTOM, because: str = "test") -> None:
    """Open a case of Clara's, or raise the urgency of the one that is open."""
    await stage.within(
        lambda work: escalate.raise_case(work, find(work, "S-003"), urgency, [because], [Text("kpi.none")], kind=kind)
    )
    await stage.settle()


class TestOnBothDatabases:
    async def test_each_stage_of_a_red_case_is_timed_from_its_opening(self, both_stages: Scene) -> None:
        made = await study(both_stages)
        await made.anna.says(CHEST_PAIN["zh"])
        await made.pass_time(minutes=1)
        await made.doctor.taps("case.button.open")
        await made.pass_time(minutes=2)
        await made.doctor.taps("case.button.acknowledge")
        await made.pass_time(minutes=1)
        await made.doctor.taps("case.button.spoke")
        await made.pass_time(minutes=20)
        await made.doctor.taps("case.button.resolve", "outcome.came_to_hospital")
        found = await measured(both_stages)
        spans = found.spans[Group.RED, None]
        assert [round(each.median.time.total_seconds() / 60) for each in spans.values() if each.median] == [
            0, 1, 3, 4, 24,
        ]  # fmt: skip
        assert all(each.median is not None and each.median.exact for each in spans.values())
        assert (found.cases, found.still_open) == (1, 0)
        assert found.closed_without_action == Ratio(0, 1)
        assert found.reviewed == Ratio(1, 1)
        assert found.in_time[Group.RED, None].ratio == Ratio(1, 1)
        assert found.alerts.part == len(await rows(both_stages, OutboxMessage, purpose="page", state="sent"))

    async def test_a_case_whose_urgency_rose_counts_from_then_and_by_it(self, both_stages: Scene) -> None:
        made = await study(both_stages)
        await raised(both_stages, Urgency.AMBER)
        await made.pass_time(minutes=5)
        await made.coordinator.taps("case.button.acknowledge", "case.button.spoke")
        await made.pass_time(hours=3)
        await raised(both_stages, Urgency.RED_120, because="worse")
        found = await measured(both_stages)
        assert (found.groups, found.rose) == ([Group.RED], 1)
        spans = found.spans[Group.RED, None]
        assert [spans[stage].waiting for stage in (Stage.SEEN, Stage.ACKNOWLEDGED, Stage.CONTACTED)] == [1, 1, 1]
        paged = taken(found, Group.RED, Stage.PAGED)
        assert paged is not None
        assert paged < timedelta(minutes=1)
        await made.pass_time(minutes=4)
        await made.doctor.taps("case.button.acknowledge")
        found = await measured(both_stages)
        took = taken(found, Group.RED, Stage.ACKNOWLEDGED)
        assert took is not None
        assert timedelta(minutes=4) <= took < timedelta(minutes=5)
        assert found.in_time[Group.RED, None].ratio == Ratio(1, 1)

    async def test_what_nobody_has_is_counted_now_and_again_after_a_lapse(self, both_stages: Scene) -> None:
        made = await study(both_stages)
        await made.anna.says(CHEST_PAIN["zh"])
        await made.pass_time(minutes=11)
        found = await measured(both_stages)
        assert (found.waiting.cases, found.waiting.overdue) == (1, 1)
        assert found.in_time[Group.RED, None].ratio == Ratio(0, 1)
        worst = found.spans[Group.RED, None][Stage.ACKNOWLEDGED].worst
        assert worst is not None
        assert not worst.exact
        await made.doctor.taps("case.button.acknowledge")
        assert (await measured(both_stages)).waiting.cases == 0
        await made.pass_time(minutes=4)
        found = await measured(both_stages)
        assert (found.waiting.cases, found.waiting.overdue) == (1, 0)
        assert found.lapses == Ratio(1, 1)
        # It was taken over once, and that stands.
        assert found.spans[Group.RED, None][Stage.ACKNOWLEDGED].happened == 1

    async def test_closed_again_counts_from_the_opening_to_the_last_closing(self, both_stages: Scene) -> None:
        made = await study(both_stages)
        await raised(both_stages, Urgency.YELLOW, escalate.REQUEST)
        await made.pass_time(hours=1)
        await made.coordinator.taps("case.button.acknowledge", "case.button.resolve", "outcome.request_settled")
        found = await measured(both_stages)
        assert found.closed_without_action == Ratio(1, 1)
        assert found.spans[Group.REQUEST, None][Stage.CONTACTED].without == 1
        await made.pass_time(hours=1)
        await made.coordinator.taps("case.button.reopen")
        found = await measured(both_stages)
        assert found.spans[Group.REQUEST, None][Stage.CLOSED].waiting == 1
        await made.pass_time(hours=2)
        await made.coordinator.taps("case.button.spoke", "case.button.resolve", "outcome.request_settled")
        found = await measured(both_stages)
        closed = taken(found, Group.REQUEST, Stage.CLOSED)
        assert closed is not None
        assert timedelta(hours=4) <= closed < timedelta(hours=4, minutes=5)
        assert found.closed_without_action == Ratio(0, 1)

    async def test_a_request_settled_at_once_was_seen_and_taken_over_and_needed_no_page(
        self, both_stages: Scene
    ) -> None:
        made = await study(both_stages)
        await made.pass_time(hours=13)  # at night a request rings nobody
        await raised(both_stages, Urgency.YELLOW, escalate.REQUEST)
        await both_stages.within(settle)
        spans = (await measured(both_stages)).spans[Group.REQUEST, Hours.OUTSIDE]
        assert [(each.happened, each.waiting, each.without) for each in spans.values()] == [
            (0, 0, 1), (1, 0, 0), (1, 0, 0), (0, 0, 1), (1, 0, 0),
        ]  # fmt: skip

    async def test_the_period_begins_at_midnight_of_the_site(self, both_stages: Scene) -> None:
        await study(both_stages)
        await raised(both_stages, Urgency.AMBER)
        opened_on = both_stages.clock.now().astimezone(SITE).date()
        midnight = datetime.combine(opened_on + timedelta(days=1), time(), SITE)
        await both_stages.until(midnight - timedelta(seconds=1))
        assert (await measured(both_stages, 1)).spans[Group.AMBER, None][Stage.CLOSED].waiting == 1
        await both_stages.until(midnight)
        today, two_days = await measured(both_stages, 1), await measured(both_stages, 2)
        assert (today.cases, two_days.cases) == (0, 1)
        # Open cases of any time are counted as waiting.
        assert today.waiting.cases == 1
        assert (await measured(both_stages, kpi_facts.EVER)).cases == 1

    async def test_a_look_takes_the_same_statements_however_much_there_is(self, both_stages: Scene) -> None:
        made = await study(both_stages)
        recorder = Recorder(both_stages.deps.store)

        async def look(days: int) -> list[str]:
            ended = await recorder.of(made.stage.within(lambda work: _measure(work, days)))
            return [statement for each in ended for statement in each if statement.startswith("SELECT")]

        before = await look(7)
        for each in made.patients:
            await each.says(CHEST_PAIN[each.locale])
        await made.pass_time(minutes=40)
        assert await look(kpi_facts.EVER) == before
        assert len(before) == 7


def settle(work: Work) -> None:
    """Settle Clara's request in the name of a coordinator, as recording its visit does."""
    (member, account), *_ = people.staff(work.session, [Role.COORDINATOR])
    work.become(Caller(Role.COORDINATOR, account.id or 0, staff_id=member.id))
    case = escalate.open_request(work, find(work, "S-003"), ["test"], None)
    assert case is not None
    cases.settle(work, case, "visit_done")


def _measure(work: Work, days: int) -> None:
    kpi_facts.measure(work, days)


async def some_cases(made: Study) -> None:
    await made.anna.says(CHEST_PAIN["zh"])
    await made.pass_time(minutes=3)
    await made.doctor.taps("case.button.acknowledge", "case.button.spoke")


class TestTheMessage:
    @pytest.mark.parametrize("locale", ["zh", "en"])
    async def test_it_is_one_text_with_periods_and_a_picture(self, study: Study, locale: str) -> None:
        await some_cases(study)
        pi = await staff(study.stage, 14, "Principal investigator", Role.PI, locale)
        sees = Watch(pi)
        await pi.says("/kpi")
        shown, said = sees.new
        assert shown.kind == "photo"
        for key in ("kpi.group.red", "kpi.stage.acknowledged", "kpi.hours.working"):
            assert pi.label(key) in said.text
        assert len(said.text) < 4096
        periods = [pi.label("kpi.button.days", n=n) for n in (7, 28, 90)]
        assert list(said.labels) == [*periods, pi.label("kpi.button.ever")]
        picture = json.loads((await rows(study.stage, OutboxMessage, method="picture"))[-1].picture or "")
        assert paint(picture)[:4] == b"\x89PNG"
        (row,) = picture["rows"]
        assert row["target"] == 600
        assert row["median"][1] is True

    async def test_the_buttons_lead_to_other_periods_and_each_look_is_kept(self, study: Study) -> None:
        nurse = study.coordinator
        await nurse.says("/kpi")
        assert nurse.label("kpi.none") in nurse.phone.last.text
        await nurse.presses(nurse.label("kpi.button.days", n=7))
        await nurse.taps("kpi.button.ever")
        looks = await rows(study.stage, AuditEntry, what="kpi.viewed")
        assert [each.changes for each in looks] == [{"days": 28}, {"days": 7}, {"days": 0}]
        assert all(each.actor.startswith("staff:") for each in looks)

    @pytest.mark.req("SEC-01")
    async def test_only_the_pi_and_coordinators_read_names(self, study: Study) -> None:
        await some_cases(study)
        seeing = [study.coordinator, await staff(study.stage, 14, "Principal investigator", Role.PI)]
        others = [study.doctor, await staff(study.stage, 15, "Monitor", Role.MONITOR)]
        for each in [*seeing, *others]:
            await each.says("/kpi")
            assert ("Physician" in each.phone.last.text) is (each in seeing)
            assert each.label("kpi.burst", minutes=10, n="") in each.phone.last.text

    async def test_an_admin_and_a_patient_are_refused(self, study: Study) -> None:
        admin = await staff(study.stage, 16, "Admin", Role.ADMIN)
        for each in (admin, study.boris):
            sees = Watch(each)
            await each.says("/kpi")
            assert sees.first("refused.not_for_you")
