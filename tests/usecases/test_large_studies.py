"""What keeps a study of a million subjects working: one statement for all, a few rows for what is due next."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import Session, col, select

from bot.domain.calendar import Closure
from bot.store import agenda
from bot.store.models import AgendaItem, Heartbeat, OutboxMessage, Subject
from bot.store.session import Store
from bot.story.stage import Stage
from bot.usecases import cases, closures, import_subjects, outage, visit_reminders
from bot.work import Work
from tests.conftest import START
from tests.people import HEADER, study
from tests.usecases.test_statements import Recorder

MORE = 60


class Died(Exception):
    """The process ends in the middle of its work."""


async def planned(stage: Stage) -> Sequence[AgendaItem]:
    return await stage.deps.store.read(
        lambda session: session.exec(
            select(AgendaItem).where(AgendaItem.kind == outage.ASK).order_by(col(AgendaItem.about_id))
        ).all()
    )


async def grow(stage: Stage) -> list[int]:
    """Let many more take part; return the numbers of everybody on study."""

    def begin(work: Work) -> list[int]:
        lines = (f"S-{number},CTRL,en,1960,60,,7,,,,,\n" for number in range(100, 100 + MORE))
        for subject in import_subjects.import_subjects(work, HEADER + "".join(lines)):
            subject.state = "on_study"
        work.session.flush()
        return [number for number in work.session.exec(select(Subject.id).order_by(col(Subject.id))) if number]

    return await stage.within(begin)


async def cut_off_since_yesterday(stage: Stage) -> None:
    def away(session: Session) -> None:
        session.merge(Heartbeat(name=outage.HEARD, at=stage.clock.now() - timedelta(days=1)))

    await stage.deps.store.write(away)


async def test_everybody_is_asked_once_even_when_the_process_dies_in_the_middle(both_stages: Stage) -> None:
    stage = both_stages
    await study(stage)
    numbers = await grow(stage)
    await cut_off_since_yesterday(stage)

    def die(work: Work) -> None:
        assert outage.heard(work, after_gap=True) == len(numbers)
        raise Died

    with pytest.raises(Died):
        await stage.within(die)
    assert await planned(stage) == []

    asked = await stage.within(lambda work: outage.heard(work, after_gap=True))
    again = await stage.within(lambda work: outage.heard(work, after_gap=True))
    assert (asked, again) == (len(numbers), None)
    items = await planned(stage)
    assert [item.about_id for item in items] == [item.subject_id for item in items] == numbers
    assert {(item.state, item.due_at) for item in items} == {("waiting", stage.clock.now())}
    assert {item.useful_until for item in items} == {stage.clock.now() + outage.ASK_WITHIN}

    told = await stage.deps.store.read(
        lambda session: session.exec(select(OutboxMessage).where(OutboxMessage.text_key == "staff.outage")).all()
    )
    assert len(told) == 2
    assert all(f"All {len(numbers)} active patients" in message.text for message in told)


async def test_asking_again_leaves_those_alone_who_are_planned_already(both_stages: Stage) -> None:
    stage = both_stages
    await study(stage)
    since, until = stage.clock.now() - timedelta(days=1), stage.clock.now()
    assert await stage.within(lambda work: outage.ask_all(work, since, until)) == 3
    numbers = await grow(stage)
    assert await stage.within(lambda work: outage.ask_all(work, since, until)) == len(numbers) - 3
    assert [item.about_id for item in await planned(stage)] == numbers


async def test_planning_to_ask_costs_the_same_in_a_large_study(both_stages: Stage) -> None:
    stage = both_stages
    await study(stage)
    recorder = Recorder(stage.deps.store)

    async def plan(hours: int) -> None:
        until = stage.clock.now() + timedelta(hours=hours)
        await stage.within(lambda work: outage.ask_all(work, stage.clock.now(), until))

    few = await recorder.of(plan(1))
    assert len(await grow(stage)) > MORE
    assert await recorder.of(plan(2)) == few == [("INSERT agenda_item",)]


async def test_a_crowd_of_one_kind_does_not_hold_up_another(both_stages: Stage) -> None:
    stage = both_stages
    now = stage.clock.now()

    def put(work: Work) -> None:
        for number in range(9):
            work.plan(outage.ASK, f"crowd:{number}", now - timedelta(hours=1), number)
        work.plan(visit_reminders.REMINDER, "one", now, 90)
        work.plan(visit_reminders.REMINDER, "later", now + timedelta(seconds=1), 91)
        work.plan("another.kind", "other", now - timedelta(hours=2), 92)

    await stage.within(put)

    def due(session: Session) -> list[int]:
        found = agenda.due(session, (outage.ASK, visit_reminders.REMINDER), now, 3)
        return [session.get_one(AgendaItem, number).about_id for number in found]

    assert await stage.deps.store.read(due) == [0, 1, 2, 90]


async def test_a_list_of_very_many_says_more_than(both_stages: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await study(both_stages)
    await both_stages.settle()
    nurse = made.coordinator
    await nurse.says("/patients")
    assert nurse.phone.inbox[-1].text == nurse.label("patients.title", n=3)
    monkeypatch.setattr(cases, "COUNTED_TO", 2)
    await nurse.says("/patients")
    many = nurse.label("list.more_than", n=2)
    assert nurse.phone.inbox[-1].text == nurse.label("patients.title", n=many)
    await nurse.says("/due")
    assert many in nurse.phone.inbox[-1].text


async def test_the_list_of_a_closure_reads_one_page_of_the_visits_of_many(
    both_stages: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = both_stages
    made = await study(stage)
    await grow(stage)
    closure = Closure(stage.clock.now().date(), stage.clock.now().date() + timedelta(days=13))

    def pages(work: Work) -> tuple[list[int], list[int]]:
        count, first = closures.affected(work, closure)
        assert count > MORE
        again, second = closures.affected(work, closure, 1)
        assert again == count
        return [visit.id or 0 for visit, _ in first], [visit.id or 0 for visit, _ in second]

    first, second = await stage.within(pages)
    assert len(first) == len(second) == cases.PER_PAGE
    assert not {*first} & {*second}

    monkeypatch.setattr(cases, "COUNTED_TO", 10)
    span = {"first": closure.first_on.isoformat(), "last": closure.last_on.isoformat()}
    item = AgendaItem(kind=closures.LIST, key="list", about_id=1, detail=span, due_at=stage.clock.now())
    assert await stage.within(lambda work: closures.tell(work, item)) == "staff told"
    await stage.settle()
    nurse = made.coordinator
    assert nurse.label("list.more_than", n=10) in nurse.phone.inbox[-1].text
    assert nurse.label("list.more") in [button.text for button in nurse.phone.inbox[-1].buttons]


def test_what_lies_still_is_found_by_its_own_index(store: Store) -> None:
    asked: list[tuple[str, Any]] = []
    event.listen(store.engine, "before_cursor_execute", lambda *told: asked.append((told[2], told[3])))
    with store.engine.connect() as connection:
        agenda.overdue_since(Session(connection), START)
        statement, parameters = asked[-1]
        if not store.is_sqlite:
            connection.exec_driver_sql("SET enable_seqscan = off")  # the table is empty
        prefix = "EXPLAIN QUERY PLAN" if store.is_sqlite else "EXPLAIN"
        plan = str(connection.exec_driver_sql(f"{prefix} {statement}", parameters).all())
    assert "ix_agenda_item_late" in plan
