"""A rota file: all lines or none, every fault at once, the same file twice changes nothing."""

from datetime import timedelta

import pytest
from sqlmodel import col, select

from bot.clock import SetClock
from bot.deps import Deps
from bot.domain.calendar import ClinicCalendar
from bot.domain.people import BOT
from bot.domain.roles import Role
from bot.domain.rota import Level, Span
from bot.protocol.load import bundled
from bot.store.models import Account, OncallShift, StaffMember
from bot.store.session import Store
from bot.texts import bundled_texts
from bot.usecases import rota_import, shifts
from bot.usecases.import_subjects import ImportFaulty
from bot.work import Work, run
from tests.conftest import START, make_settings

HEADER = "date,from,until,level,staff\n"
ANNE = "2026-11-03,08:00,20:00,first,Anne\n"
BOB = "2026-11-03,20:00,08:00,first,2\n"
NEXT = "2026-11-04,08:00,08:00,first,Anne\n"
STAFF = (
    ("Anne", Role.COORDINATOR),
    ("Bob", Role.INVESTIGATOR),
    ("Li Wei", Role.INVESTIGATOR),
    ("Li Wei", Role.PI),
    ("Mona", Role.MONITOR),
)


def employ(work: Work) -> None:
    for number, (name, role) in enumerate(STAFF, start=1):
        account = Account(telegram_id=number, locale="en", first_seen_at=work.now)
        work.session.add(account)
        work.session.flush()
        work.session.add(StaffMember(account_id=account.id or 0, role=role, name=name, granted_at=work.now))
        work.session.flush()


@pytest.fixture
async def deps(store: Store) -> Deps:
    made = Deps(
        store=store,
        clock=SetClock(START),
        protocol=bundled(),
        texts=bundled_texts(),
        settings=make_settings(database_url=str(store.url)),
        clinic=ClinicCalendar(),
    )
    await run(made, BOT, "test", employ)
    return made


async def entered(deps: Deps, *lines: str) -> rota_import.Plan:
    def enter(work: Work) -> rota_import.Plan:
        plan = rota_import.read(work, (HEADER + "".join(lines)).encode())
        for locale in ("zh", "en"):
            assert len(rota_import.said(work, plan, locale)) == len(plan.entered) + len(plan.ended) + 1
        rota_import.apply(work, plan)
        return plan

    return await run(deps, BOT, "command:rota import", enter)


def counts(plan: rota_import.Plan) -> tuple[int, int, int, int, int]:
    """Return how many were entered, ended, unchanged, kept as swapped, over."""
    return len(plan.entered), len(plan.ended), plan.unchanged, plan.swapped, plan.past


async def table(deps: Deps) -> list[OncallShift]:
    return await deps.store.read(
        lambda session: list(session.exec(select(OncallShift).order_by(col(OncallShift.id))).all())
    )


async def standing(deps: Deps) -> list[tuple[int, str]]:
    return sorted(
        (row.staff_id, row.from_at.astimezone(START.tzinfo).strftime("%d %H:%M"))
        for row in await table(deps)
        if row.ended_at is None
    )


async def swap(deps: Deps, number: int, to: int) -> None:
    """Let a shift change hands as an accepted offer does."""

    def change(work: Work) -> None:
        row = work.session.get_one(OncallShift, number)
        span = Span(max(row.from_at, work.now), row.until_at)
        shifts.end(work, row, shifts.SWAPPED)
        shifts.enter(work, to, Level(row.level), span, shifts.SWAPPED, row)

    await run(deps, BOT, "test", change)


async def test_the_same_file_twice_changes_nothing(deps: Deps) -> None:
    assert counts(await entered(deps, ANNE, BOB, NEXT)) == (3, 0, 0, 0, 0)
    before = [row.model_dump() for row in await table(deps)]
    assert counts(await entered(deps, ANNE, BOB, NEXT)) == (0, 0, 3, 0, 0)
    assert [row.model_dump() for row in await table(deps)] == before


async def test_a_changed_file_replaces_the_days_it_covers_and_no_others(deps: Deps) -> None:
    await entered(deps, ANNE, BOB, NEXT)
    assert counts(await entered(deps, ANNE.replace("Anne", "Bob"))) == (1, 2, 0, 0, 0)
    assert await standing(deps) == [(1, "04 08:00"), (2, "03 08:00")]
    ended = [row for row in await table(deps) if row.ended_at is not None]
    assert {row.ended_because for row in ended} == {"replaced"}
    assert all(row.ended_at == START for row in ended)


async def test_what_has_passed_is_left_alone_and_what_runs_changes_from_now_on(deps: Deps) -> None:
    await entered(deps, ANNE, BOB, NEXT)
    deps.clock.set(START + timedelta(days=1, hours=14))  # type: ignore[attr-defined]  # 22:00 of the covered day
    assert counts(await entered(deps, ANNE, BOB)) == (0, 0, 1, 0, 1)
    changed = ANNE.replace("Anne", "Somebody who left"), BOB.replace("first,2", "first,1")
    assert counts(await entered(deps, *changed)) == (1, 1, 0, 0, 1)
    first, second, _, new = await table(deps)
    assert first.ended_at is None
    assert (second.ended_at, new.staff_id, new.replaces_id) == (deps.clock.now(), 1, second.id)


async def test_a_swap_stays_when_the_same_file_comes_again_even_after_a_second_one(deps: Deps) -> None:
    await entered(deps, ANNE, BOB, NEXT)
    await swap(deps, 1, 2)
    await swap(deps, 4, 3)
    before = await standing(deps)
    assert counts(await entered(deps, ANNE, BOB, NEXT)) == (0, 0, 2, 1, 0)
    assert await standing(deps) == before


async def test_a_swap_in_the_middle_of_a_night_keeps_its_day(deps: Deps) -> None:
    await entered(deps, ANNE, BOB, NEXT)
    deps.clock.set(START + timedelta(days=1, hours=18))  # type: ignore[attr-defined]  # 02:00 of the next day
    await swap(deps, 2, 1)
    before = await standing(deps)
    # The next day's file does not cover the night that began the day before.
    assert counts(await entered(deps, NEXT)) == (0, 0, 1, 0, 0)
    assert counts(await entered(deps, BOB, NEXT)) == (0, 0, 1, 1, 0)
    assert await standing(deps) == before


async def test_a_gap_that_somebody_took_stays_until_a_file_fills_it(deps: Deps) -> None:
    await entered(deps, ANNE, NEXT)
    night = Span(START + timedelta(days=1, hours=12), START + timedelta(days=2))

    def take(work: Work) -> None:
        shifts.enter(work, 3, Level.FIRST, night, shifts.TAKEN)

    await run(deps, BOT, "test", take)
    assert counts(await entered(deps, ANNE, NEXT)) == (0, 0, 2, 0, 0)
    assert (3, "03 20:00") in await standing(deps)
    assert counts(await entered(deps, ANNE, BOB, NEXT)) == (1, 1, 2, 0, 0)
    assert (3, "03 20:00") not in await standing(deps)


FAULTS = [
    pytest.param("2026-11-31,08:00,20:00,first,Anne", "date", "rota.import.no_such_day", id="no such day"),
    pytest.param("3/11/2026,08:00,20:00,first,Anne", "date", "rota.import.day_unreadable", id="another order"),
    pytest.param("2026-11-03,8am,20:00,first,Anne", "from", "rota.import.time_unreadable", id="no time"),
    pytest.param("2026-11-03,08:00,24:30,first,Anne", "until", "rota.import.time_unreadable", id="past midnight"),
    pytest.param("2026-11-03,08:00,20:00,third,Anne", "level", "rota.import.level_unknown", id="a third level"),
    pytest.param("2026-11-03,08:00,20:00,first,", "staff", "rota.import.staff_empty", id="nobody named"),
    pytest.param("2026-11-03,08:00,20:00,first,Ann", "staff", "rota.import.staff_unknown", id="nearly a name"),
    pytest.param("2026-11-03,08:00,20:00,first,99", "staff", "rota.import.staff_unknown", id="no such number"),
    pytest.param("2026-11-03,08:00,20:00,first,Mona", "staff", "rota.import.staff_unknown", id="a monitor"),
    pytest.param("2026-11-03,08:00,20:00,first,Li Wei", "staff", "rota.import.staff_ambiguous", id="two of one name"),
    pytest.param("2026-11-03,,20:00,first,Anne", "from", "import.cell_empty", id="empty"),
    pytest.param("2026-11-03,08:00,20:00,first,Anne,x", "", "import.too_many_cells", id="one cell too many"),
    pytest.param("2026-11-03,08:00,20:00,first,Bob", "", "rota.import.line_twice", id="a line twice"),
    pytest.param("2026-11-03,12:00,13:00,second,Bob", "", "rota.import.person_twice", id="in two places at once"),
]


@pytest.mark.parametrize(("line", "column", "key"), FAULTS)
async def test_a_faulty_line_is_named_and_nothing_is_entered(deps: Deps, line: str, column: str, key: str) -> None:
    with pytest.raises(ImportFaulty) as caught:
        await entered(deps, ANNE.replace("Anne", "2"), f"{line}\n", NEXT)
    assert [(row, where, said) for row, where, said, _ in caught.value.problems] == [(3, column, key)]

    def told(work: Work) -> list[str]:
        return [line for locale in ("zh", "en") for line in caught.value.lines(work, locale)]

    assert len(await run(deps, BOT, "test", told)) == 2
    assert await table(deps) == []


async def test_all_faults_of_all_lines_come_at_once(deps: Deps) -> None:
    with pytest.raises(ImportFaulty) as caught:
        await entered(deps, "2026-11-3x,8,20:00,third,Ann\n", ANNE, "2026-11-04,08:00,20:00,first,\n")
    assert [(row, column) for row, column, _, _ in caught.value.problems] == [
        (2, "date"), (2, "from"), (2, "level"), (2, "staff"), (4, "staff"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param("date,from,until,level\n", (1, "staff", "import.column_missing"), id="a column is missing"),
        pytest.param("date,from,until,level,staff,note\n", (1, "note", "import.column_unknown"), id="one too many"),
        pytest.param("date,from,until,level,staff,date\n", (1, "date", "import.column_twice"), id="one twice"),
        pytest.param("date,from,until,level,staff\n", (2, "", "import.empty"), id="no line"),
        pytest.param("", (1, "date", "import.column_missing"), id="nothing at all"),
    ],
)
async def test_a_table_without_its_columns_is_refused(deps: Deps, content: str, fault: tuple[int, str, str]) -> None:
    def read(work: Work) -> None:
        rota_import.read(work, content.encode())

    with pytest.raises(ImportFaulty) as caught:
        await run(deps, BOT, "test", read)
    assert fault in [(row, column, key) for row, column, key, _ in caught.value.problems]
