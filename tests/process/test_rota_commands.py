"""Can a rota be written, tried, entered and shown from the terminal?"""

from datetime import timedelta
from pathlib import Path

from bot.domain.roles import Role
from bot.store.models import Account, OncallShift, StaffMember
from bot.work import Work
from tests.conftest import START
from tests.process.harness import World


def employ(work: Work) -> None:
    for number, (name, role) in enumerate((("Nurse", Role.COORDINATOR), ("王医生", Role.INVESTIGATOR)), start=1):
        account = Account(telegram_id=number, locale="en", first_seen_at=work.now)
        work.session.add(account)
        work.session.flush()
        work.session.add(StaffMember(account_id=account.id or 0, role=role, name=name, granted_at=work.now))


async def test_a_rota_is_filled_in_tried_entered_and_shown(here: World, tmp_path: Path) -> None:
    shown = await here.command("rota", "show")
    assert (shown.status, shown.err) == (0, "")
    assert "followup rota template" in shown.out
    await here.prepare(employ)

    made = await here.command("rota", "template")
    assert (made.status, made.err) == (0, "")
    header, *lines = made.out.splitlines()
    assert header == "date,from,until,level,staff"
    assert lines[0] == f"{(START + timedelta(days=1)).date()},08:00,20:00,first,"
    assert len(lines) == 28

    table = tmp_path / "rota.csv"
    filled = [f"{line}{'1' if number % 2 else '王医生'}" for number, line in enumerate(lines)]
    table.write_bytes("\r\n".join([header, *filled]).encode("gbk"))
    tried = await here.command("rota", "import", str(table), "--dry-run")
    assert (tried.status, tried.err) == (0, "")
    assert "28 shift(s) entered" in tried.out
    assert "Nothing was entered" in tried.out
    assert await here.rows(OncallShift) == []

    good = await here.command("rota", "import", str(table))
    assert (good.status, good.err) == (0, "")
    assert len(await here.rows(OncallShift)) == 28
    again = await here.command("rota", "import", str(table))
    assert "0 shift(s) entered, 0 ended, 28 unchanged" in again.out
    shown = await here.command("rota", "show", "--days", "3", "--locale", "zh")
    assert shown.out.count("08:00–20:00 王医生") == 2
    assert len([line for line in shown.out.splitlines() if "月" in line]) == 3


async def test_every_bad_line_is_named_and_nothing_is_entered(here: World, tmp_path: Path) -> None:
    assert (await here.command("rota", "show")).status == 0
    await here.prepare(employ)
    table = tmp_path / "rota.csv"
    table.write_text(
        "date,from,until,level,staff\n2026-11-03,08:00,20:00,first,Nurse\n2026-11-03,20:00,8,first,Nobody\n",
        encoding="utf-8",
    )
    faulty = await here.command("rota", "import", str(table))
    assert faulty.status == 2
    assert "Traceback" not in faulty.err
    *rows, last = faulty.err.splitlines()
    assert [line.split(":")[0] for line in rows] == ["row 3, until", "row 3, staff"]
    assert "/staff" in rows[1]
    assert "nothing was entered" in last
    assert await here.rows(OncallShift) == []


async def test_a_file_that_is_none_is_one_clear_line(here: World, tmp_path: Path) -> None:
    missing = await here.command("rota", "import", "nowhere.csv")
    assert missing.status == 2
    assert "nowhere.csv" in missing.complaint
    picture = tmp_path / "rota.csv"
    picture.write_bytes(b"\xff\x00\x81\x20\xff")
    refused = await here.command("rota", "import", str(picture))
    assert refused.status == 2
    assert "CSV (UTF-8)" in refused.complaint
