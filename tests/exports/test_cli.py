"""`followup export` writes files that `followup export --check` believes, and leaves an entry."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select
from typer.testing import CliRunner

from bot.cipher import Cipher
from bot.cli import cli
from bot.errors import FollowupError
from bot.store.models import AuditEntry
from bot.store.session import Store
from tests.conftest import KEY
from tests.exports.scenes import study


@pytest.fixture(autouse=True)
def _study_on_disk(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(sqlite_url, Cipher(KEY))
    study(store)
    store.close()
    monkeypatch.setenv("FOLLOWUP_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("FOLLOWUP_ENCRYPTION_KEY", KEY)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["export", *arguments])


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_an_export_is_checked_and_known(tmp_path: Path, sqlite_url: str, name: str) -> None:
    made = run("--out", str(tmp_path / name), "--from", "2026-11-02", "--to", "2026-11-30", "--language", "zh")
    assert made.exit_code == 0, made.output
    digest = made.output.split()[-1]
    checked = run("--check", str(tmp_path / name))
    assert checked.exit_code == 0, checked.output
    assert "as they were written at" in checked.output
    assert checked.output.split()[-1] == digest
    store = Store(sqlite_url, Cipher(KEY))
    (entry,) = store.read_now(lambda session: session.exec(select(AuditEntry).filter_by(what="export.made")).all())
    store.close()
    assert entry.changes["manifest_sha256"] == digest
    assert (entry.actor, entry.cause) == ("bot", "command:export")


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    assert run("--out", str(tmp_path / "out")).exit_code == 0
    place = tmp_path / "out/csv/subjects.csv"
    place.write_bytes(place.read_bytes().replace(b"S-001", b"S-009"))
    checked = run("--check", str(tmp_path / "out"))
    assert checked.exit_code == 1
    assert str(checked.exception) == "csv/subjects.csv: its bytes were changed"


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="neither"),
        pytest.param(["--out", "a", "--check", "b"], id="both"),
        pytest.param(["--out", "a", "--format", "xpt"], id="no such format"),
        pytest.param(["--out", "a", "--language", "fr"], id="no such language"),
        pytest.param(["--out", "a", "--from", "2026-11-02", "--to", "2026-11-01"], id="no such period"),
        pytest.param(["--out", "taken"], id="a place that is taken"),
        pytest.param(["--check", "nothing"], id="nothing to check"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "taken").write_text("x", encoding="utf-8")
    refused = run(*arguments)
    assert refused.exit_code != 0
    assert isinstance(refused.exception, FollowupError)
    assert not (tmp_path / "a").exists()


def test_the_manifest_names_the_period(tmp_path: Path) -> None:
    assert (
        run("--out", str(tmp_path / "out"), "--to", "2026-11-30", "--format", "csv", "--no-audit-trail").exit_code
        == 0
    )
    told = json.loads((tmp_path / "out/manifest.json").read_text(encoding="utf-8"))
    assert told["period"] == {"from": None, "to": "2026-11-30"}
    assert told["form"] == "csv"
    assert told["audit_trail_included"] is False
