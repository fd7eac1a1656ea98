"""Many subjects at once: all rows or none, and every faulty cell is named with its reason."""

import pytest
from sqlmodel import select

from bot.clock import SetClock
from bot.deps import Deps
from bot.domain.calendar import ClinicCalendar
from bot.domain.people import BOT
from bot.protocol.load import bundled
from bot.store.models import DoseOrder, Subject, Visit, Weight
from bot.store.session import Store
from bot.texts import bundled_texts
from bot.usecases.import_subjects import COLUMNS, ImportFaulty, import_subjects
from bot.work import Work, run
from tests.conftest import START, make_settings
from tests.people import ANNA, BORIS, CLARA, HEADER


@pytest.fixture
def deps(store: Store) -> Deps:
    return Deps(
        store=store,
        clock=SetClock(START),
        protocol=bundled(),
        texts=bundled_texts(),
        settings=make_settings(database_url=str(store.url)),
        clinic=ClinicCalendar(),
    )


async def entered(deps: Deps, table: str) -> list[Subject]:
    return await run(deps, BOT, "command:import", import_subjects, table)


async def codes(deps: Deps) -> list[str]:
    return await deps.store.read(lambda session: sorted(session.exec(select(Subject.code)).all()))


async def faults(deps: Deps, table: str) -> list[tuple[int, str, str]]:
    with pytest.raises(ImportFaulty) as caught:
        await entered(deps, table)

    def lines(work: Work) -> None:
        for locale in ("zh", "en"):
            assert len(caught.value.lines(work, locale)) == len(caught.value.problems)

    await run(deps, BOT, "command:import", lines)
    assert await codes(deps) == []
    return [(row, column, key) for row, column, key, _ in caught.value.problems]


async def test_a_table_enters_subjects_with_weights_orders_and_visits(deps: Deps) -> None:
    subjects = await entered(deps, HEADER + ANNA + BORIS + CLARA)
    assert [subject.code for subject in subjects] == ["S-001", "S-002", "S-003"]
    counted = await deps.store.read(
        lambda session: [len(session.exec(select(table)).all()) for table in (Weight, DoseOrder, Visit)]
    )
    # Anna and Boris have an injection and a blood count, Clara a blood count; only Anna has tablets and ferritin.
    assert counted == [3, 1, 6]


async def test_excels_mark_empty_lines_and_another_order_of_columns_do_not_matter(deps: Deps) -> None:
    names = [*reversed(COLUMNS)]
    cells = dict(zip(HEADER.strip().split(","), CLARA.strip().split(","), strict=True))
    table = "\ufeff" + ",".join(names) + "\n,,,\n\n" + ",".join(cells.get(name, "") for name in names) + "\n"
    await entered(deps, table)
    assert await codes(deps) == ["S-003"]


FAULTS = [
    pytest.param("S-003,CTRL,zh,1980,,,14,,,,,", (2, "weight_kg", "import.cell_empty"), id="empty"),
    pytest.param("S-003,CTRL,zh,1980,120斤,,14,,,,,", (2, "weight_kg", "import.cell_refused"), id="to be asked back"),
    pytest.param("3,CTRL,zh,1980,58,,14,,,,,", (2, "code", "import.cell_refused"), id="bare code"),
    pytest.param("S-003,ARM9,zh,1980,58,,14,,,,,", (2, "arm", "import.cell_refused"), id="no such arm"),
    pytest.param("S-003,CTRL,fr,1980,58,,14,,,,,", (2, "locale", "import.cell_refused"), id="no such language"),
    pytest.param("S-003,CTRL,zh,1980,58,,22,,,,,", (2, "cbc_interval_days", "refused.interval"), id="interval"),
    pytest.param(
        "S-003,CTRL,zh,1980,58,2026-11-03,14,,,,,",
        (2, "first_injection_on", "import.not_in_this_arm"),
        id="injection for a control",
    ),
    pytest.param(
        "S-003,TG1,zh,1980,58,2026-02-30,14,21,,,,",
        (2, "first_injection_on", "input.date.no_such_day"),
        id="no such day",
    ),
    pytest.param("S-003,CTRL,zh,1980,58,,14,,,,,my phone", (2, "phone", "input.phone.unreadable"), id="phone"),
]


@pytest.mark.parametrize(("row", "fault"), FAULTS)
async def test_a_faulty_cell_is_named_and_nothing_is_entered(
    deps: Deps, row: str, fault: tuple[int, str, str]
) -> None:
    assert await faults(deps, HEADER + row + "\n" + BORIS) == [fault]


async def test_every_fault_of_every_row_is_told_at_once(deps: Deps) -> None:
    table = HEADER + "S-001,CTRL,zh,1980,,,99,,,,,\n" + BORIS + "x,CTRL,zh,2020,58,,14,,,,,\n"
    assert await faults(deps, table) == [
        (2, "weight_kg", "import.cell_empty"),
        (2, "cbc_interval_days", "refused.interval"),
        (4, "code", "input.subject_code.unreadable"),
        (4, "birth_year", "input.year_of_birth.out_of_range"),
    ]


async def test_the_same_code_twice_is_a_fault_of_the_second_row(deps: Deps) -> None:
    assert await faults(deps, HEADER + CLARA + BORIS + CLARA) == [(4, "code", "import.code_twice")]


async def test_a_code_that_is_taken_keeps_the_whole_table_out(deps: Deps) -> None:
    await entered(deps, HEADER + CLARA)
    with pytest.raises(ImportFaulty):
        await entered(deps, HEADER + BORIS + CLARA)
    assert await codes(deps) == ["S-003"]


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        pytest.param("", {"import.column_missing"}, id="nothing"),
        pytest.param(HEADER, {"import.empty"}, id="no rows"),
        pytest.param(HEADER.replace("code,", "", 1), {"import.column_missing"}, id="a column is missing"),
        pytest.param(HEADER.replace("phone", "name"), {"import.column_unknown"}, id="a column that nobody knows"),
    ],
)
async def test_a_table_of_another_shape_is_refused(deps: Deps, table: str, keys: set[str]) -> None:
    assert {key for _, _, key in await faults(deps, table)} == keys
