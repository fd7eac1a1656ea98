"""Do the commands of the terminal do what they say, and refuse in one clear line what they cannot do?"""

import asyncio
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bot.cipher import Cipher
from bot.cli import cli
from bot.protocol.load import bundled_folder
from bot.settings import PREFIX, Settings
from bot.store.models import Invitation, Subject
from tests.conftest import KEY, TOKEN
from tests.people import ANNA, BORIS, CLARA, HEADER
from tests.process.harness import World

BAD_BORIS = BORIS.replace("1968", "2020")
BAD_CLARA = CLARA.replace("CTRL", "TG9").replace(",14,", ",99,")


def commands(group: typer.Typer = cli, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every command with the first line of its description."""
    for each in group.registered_commands:
        assert each.callback is not None
        name = each.name or each.callback.__name__
        yield (*before, name), (each.callback.__doc__ or "").splitlines()[0]
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from commands(inner.typer_instance, (*before, *([inner.name] if inner.name else [])))


async def test_help_shows_every_command_with_one_line(here: World) -> None:
    shown = (await here.command("--help")).out
    for words, line in commands():
        if len(words) == 1:
            assert re.search(rf"\b{words[0]} +{re.escape(line)}", shown), words
    assert re.search(r"\bstaff +\S", shown)


@pytest.mark.parametrize("words", [words for words, _ in commands()], ids=" ".join)
def test_the_help_of_each_command_has_an_example(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(cli, [*words, "--help"], env={"COLUMNS": "200"}).output
    example = re.search(r"Example: .*\bfollowup (.*)", shown)
    assert example is not None, shown
    assert tuple(re.findall(r"[\w-]+", example.group(1)))[: len(words)] == words


REAL = "https://api.telegram.org/bot"


@pytest.mark.req("SEC-06")
@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        pytest.param(
            {"telegram_token": None, "encryption_key": None, "site_phone": None},
            ["TELEGRAM_TOKEN", "ENCRYPTION_KEY", "SITE_PHONE"],
            id="what the bot cannot do without",
        ),
        pytest.param(
            {
                "encryption_key": "abc",
                "database_url": "mysql://site/trial",
                "clock_start": "2026-11-02T08:00:00",
                "site_timezone": "Hangzhou",
                "webhook_secret": "short",
            },
            ["ENCRYPTION_KEY", "DATABASE_URL", "CLOCK_START", "SITE_TIMEZONE", "WEBHOOK_SECRET"],
            id="values that mean nothing",
        ),
        pytest.param({"mode": "webhook"}, ["WEBHOOK_URL", "WEBHOOK_SECRET"], id="webhook without a secret"),
        pytest.param({"telegram_base_url": REAL}, ["CLOCK_START"], id="rehearsal clock on the real Telegram"),
        pytest.param(
            {"database_url": "postgresql://bot:s3cret@127.0.0.1:9/trial"},
            ["DATABASE_URL"],
            id="database out of reach",
        ),
        pytest.param(
            {"database_url": "sqlite:////dev/null/trial.sqlite3"}, ["DATABASE_URL"], id="no place for a database"
        ),
        pytest.param(
            {"telegram_token": "987654321:another-token-of-a-simulated-bot"},
            ["TELEGRAM_TOKEN"],
            id="token that Telegram does not know",
        ),
    ],
)
async def test_a_wrong_setting_is_one_clear_line_that_names_it(
    here: World, wrong: dict[str, str | None], named: list[str]
) -> None:
    refused = await here.command("run", **wrong)
    assert refused.status == 2
    assert refused.complaint.startswith("followup: ")
    assert [name for name in named if PREFIX + name not in refused.complaint] == []
    for secret in (TOKEN, KEY, "s3cret", "another-token"):
        assert secret not in refused.err


async def test_a_command_that_needs_telegram_says_so_in_one_line_when_it_is_out_of_reach(here: World) -> None:
    refused = await here.command("staff", "invite", "--role", "admin", telegram_base_url="http://127.0.0.1:9/bot")
    assert refused.status == 2
    assert "Telegram did not answer" in refused.complaint
    assert TOKEN not in refused.err


async def test_a_port_that_is_taken_is_one_clear_line(here: World) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = await here.command("run", health_port=str(taken.getsockname()[1]))
    assert refused.status == 2
    assert "FOLLOWUP_HEALTH_PORT" in refused.err.splitlines()[-1]
    assert "Traceback" not in refused.err


async def test_a_new_key_is_one_that_the_bot_takes(here: World) -> None:
    made = await here.command("new-key")
    assert made.status == 0
    Cipher(made.out.strip())


async def test_the_bundled_protocol_has_no_problem_and_needs_no_settings(here: World) -> None:
    nothing = dict.fromkeys(("telegram_token", "encryption_key", "site_phone", "clock_start"))
    checked = await here.command("check", **nothing)
    assert (checked.status, checked.err) == (0, "")
    assert "no problems" in checked.out


async def test_every_problem_of_broken_protocol_files_is_listed_and_the_bot_stays_down(
    here: World, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(str(bundled_folder()), broken)
    for file, old, new in (
        ("escalation.yaml", "text: outcome.wrong_entry", "text: outcome.of_nobody"),
        ("triage.yaml", "item: fever_signs, includes: [chills]", "item: no_such_item, includes: [chills]"),
        ("reminders.yaml", "text: reminder.visit.day_1", "text: reminder.of_nothing"),
    ):
        text = (broken / file).read_text(encoding="utf-8")
        assert old in text
        (broken / file).write_text(text.replace(old, new), encoding="utf-8")
    checked, run = await asyncio.gather(here.command("check", str(broken)), here.command("run", protocol=str(broken)))
    assert (checked.status, run.status) == (2, 2)
    for said in (checked.err, run.err):
        assert "Traceback" not in said
        lines = said.splitlines()
        assert any("escalation.yaml" in each and "outcome.of_nobody" in each for each in lines)
        assert any("triage.yaml" in each and "no_such_item" in each for each in lines)
        assert any("reminders.yaml" in each and "reminder.of_nothing" in each for each in lines)
        assert "stays down" in lines[-1]
    assert "getUpdates" not in here.telegram.calls


@pytest.mark.req("SEC-04")
async def test_an_invitation_for_staff_is_a_link_with_a_qr_code_and_its_code_is_kept_nowhere(here: World) -> None:
    invited, unknown = await asyncio.gather(
        here.command("staff", "invite", "--role", "coordinator"), here.command("staff", "invite", "--role", "king")
    )
    assert (invited.status, invited.err) == (0, "")
    *picture, link = invited.out.splitlines()
    found = re.fullmatch(r"https://t\.me/followup_bot\?start=([\w-]{32})", link)
    assert found is not None
    assert len(picture) > 15
    assert set("".join(picture)) <= set(" █▀▄")
    assert here.telegram.calls == ["getMe"]
    (kept,) = await here.rows(Invitation)
    assert (kept.purpose, kept.role) == ("staff", "coordinator")
    code = found.group(1).encode()
    assert not any(code in each.read_bytes() for each in here.folder.glob("followup.sqlite3*"))

    assert unknown.status == 2
    assert "'king'" in unknown.complaint
    assert "coordinator, investigator" in unknown.complaint


async def test_a_faulty_table_enrols_nobody_and_every_faulty_row_is_named(here: World, tmp_path: Path) -> None:
    table, links = tmp_path / "subjects.csv", tmp_path / "links.csv"
    table.write_text(HEADER + ANNA + BAD_BORIS + BAD_CLARA, encoding="utf-8")
    faulty = await here.command("import", str(table), "--invitations", str(links))
    assert faulty.status == 2
    assert "Traceback" not in faulty.err
    *rows, last = faulty.err.splitlines()
    assert [line.split(":")[0] for line in rows] == ["row 3, birth_year", "row 4, arm", "row 4, cbc_interval_days"]
    assert "nothing was imported" in last
    assert not links.exists()
    assert await here.rows(Subject) == []

    # The corrected table goes in whole, with a byte-order mark as spreadsheets write it.
    table.write_text(HEADER + ANNA + BORIS + CLARA, encoding="utf-8-sig")
    good = await here.command("import", str(table), "--invitations", str(links))
    assert (good.status, good.err) == (0, "")
    assert "3 subject(s) enrolled" in good.out
    assert links.stat().st_mode & 0o777 == 0o600
    header, *lines = links.read_text(encoding="utf-8").splitlines()
    assert header == "code,patient_link,caregiver_link"
    assert [line.split(",")[0] for line in lines] == ["S-001", "S-002", "S-003"]
    assert len({link for line in lines for link in line.split(",")[1:]}) == 6

    again = await here.command("import", str(table))
    assert again.status == 2
    *rows, last = again.err.splitlines()
    assert [line.split(":")[0] for line in rows] == [f"row {number}, code" for number in (2, 3, 4)]
    assert "nothing was imported" in last
    assert len(await here.rows(Subject)) == 3


async def test_a_table_that_is_not_there_is_one_clear_line(here: World) -> None:
    refused = await here.command("import", "nowhere.csv")
    assert refused.status == 2
    assert "nowhere.csv" in refused.complaint


async def test_nobody_is_enrolled_when_the_links_cannot_be_written(here: World, tmp_path: Path) -> None:
    table = tmp_path / "subjects.csv"
    table.write_text(HEADER + ANNA, encoding="utf-8")
    refused = await here.command("import", str(table), "--invitations", str(tmp_path / "no-folder" / "links.csv"))
    assert refused.status == 2
    assert "links.csv" in refused.complaint
    # Were they enrolled all the same, the links would be lost and a second import refused.
    assert (await here.command("import", str(table))).status == 0


async def test_a_key_that_does_not_fit_the_database_is_said_at_once(here: World, tmp_path: Path) -> None:
    table = tmp_path / "subjects.csv"
    table.write_text(HEADER + ANNA, encoding="utf-8")
    assert (await here.command("import", str(table))).status == 0
    other = Cipher.new_key()
    started, imported = await asyncio.gather(
        here.command("run", encryption_key=other), here.command("import", str(table), encryption_key=other)
    )
    for refused in (started, imported):
        assert refused.status == 2
        assert "key does not fit this database" in refused.complaint


async def test_every_setting_is_in_the_printed_table_and_the_texts_are_complete(here: World) -> None:
    settings, texts = await asyncio.gather(here.command("settings"), here.command("messages", "--check"))
    for name, field in Settings.model_fields.items():
        assert f"| `{PREFIX}{name.upper()}` |" in settings.out
        assert str(field.description) in settings.out
    assert KEY not in settings.out
    assert TOKEN not in settings.out
    assert (texts.status, texts.err) == (0, "")
