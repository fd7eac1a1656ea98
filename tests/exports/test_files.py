"""Files hold what was put into them, and one changed byte is found."""

import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.exports import files
from bot.exports.files import CsvFile, Described, ExportDamaged
from bot.exports.terms import Domain, Variable

# Everything that UTF-8 can hold: quotes, line ends, NUL, emoji, Chinese.
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ['"', '""', "a\r\nb", "\n", "\r", ",", "=1+1", "'=x", "'", "发烧了，38.5 度", "🩸", "\x00", "\ufeff", " ", "-5"]
)
ROWS = st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=8)
DOMAIN = Domain(
    "Vital Signs",
    "One record per row",
    ("A",),
    (
        Variable("A", "A", "integer", 8, "Req"),
        Variable("B", "B", "float", 8, "Perm"),
        Variable("C", "C", "text", 99, "Perm"),
    ),
)


def written(folder: Path, rows: list[tuple[str, ...]]) -> Described:
    with CsvFile(folder, "csv/t.csv", ["A", "B", "C"]) as table:
        for row in rows:
            table.add(row)
    return table.described()


def exported(folder: Path) -> Path:
    """Write a small export of two files."""
    table = written(folder, [("1", "2.50", "发烧"), ("2", "", "=1")])
    other = files.write_json(folder, "sdtm/json/t.json", table, "T", DOMAIN, {"studyOID": "X"})
    files.write_manifest(folder, {"created_at": "2026-11-02T08:00:00+08:00"}, [table, other])
    return folder


@given(ROWS)
def test_a_csv_file_gives_back_every_row(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("round")
    known = written(folder, rows)
    with (folder / known.path).open("rb") as file:
        columns, *read = files.csv_rows(file)
    assert columns == ["A", "B", "C"]
    assert [tuple(row) for row in read] == rows
    assert known.rows == len(rows)
    files.write_manifest(folder, {"created_at": ""}, [known])
    assert files.check(folder).rows == len(rows)


@given(st.lists(st.tuples(st.integers(), st.decimals(allow_nan=False, allow_infinity=False, places=3), TEXTS)))
def test_a_dataset_json_file_has_the_content_of_its_csv_file(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, object, str]]
) -> None:
    folder = tmp_path_factory.mktemp("json")
    table = written(folder, [(str(first), str(second), third) for first, second, third in rows])
    other = files.write_json(folder, "t.json", table, "T", DOMAIN, {"studyOID": "X"})
    assert other.content_sha256 == table.content_sha256
    files.write_manifest(folder, {"created_at": ""}, [table, other])
    files.check(folder)
    read = json.loads((folder / "t.json").read_text(encoding="utf-8"))
    assert read["records"] == len(rows)
    assert [(row[0], row[2]) for row in read["rows"]] == [(row[0], row[2]) for row in rows]


def test_a_csv_file_is_what_spreadsheets_expect(tmp_path: Path) -> None:
    written(tmp_path, [('say "no"', "=1", "x\ny")])
    content = (tmp_path / "csv/t.csv").read_bytes()
    assert content == b'\xef\xbb\xbfA,B,C\r\n"say ""no""",\'=1,"x\ny"\r\n'


@pytest.mark.parametrize("path", ["csv/t.csv", "sdtm/json/t.json"])
def test_one_changed_byte_is_found_anywhere(tmp_path: Path, path: str) -> None:
    place = exported(tmp_path) / path
    content = place.read_bytes()
    for at in range(0, len(content), 7):
        place.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(ExportDamaged, match=path):
            files.check(tmp_path)
    place.write_bytes(content)
    assert files.check(tmp_path).files == 2


def test_a_change_with_a_new_hash_in_the_manifest_is_found_by_the_content(tmp_path: Path) -> None:
    exported(tmp_path)
    place, manifest = tmp_path / "csv/t.csv", tmp_path / files.MANIFEST
    old = json.loads(manifest.read_text(encoding="utf-8"))["files"][0]["sha256"]
    place.write_bytes(place.read_bytes().replace(b"2.50", b"2.51"))
    again = files.described(place, "csv/t.csv", ["A", "B", "C"], files.Content(["A", "B", "C"]))
    manifest.write_text(manifest.read_text(encoding="utf-8").replace(old, again.sha256), encoding="utf-8")
    with pytest.raises(ExportDamaged, match="content"):
        files.check(tmp_path)


def test_a_file_that_is_missing_or_too_many_is_found(tmp_path: Path) -> None:
    exported(tmp_path)
    (tmp_path / "csv/u.csv").write_text("a", encoding="utf-8")
    (tmp_path / "sdtm/json/t.json").unlink()
    with pytest.raises(ExportDamaged) as found:
        files.check(tmp_path)
    assert str(found.value).splitlines() == ["csv/u.csv: not in the manifest", "sdtm/json/t.json: it is missing"]


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK no")
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / files.MANIFEST).write_text('{"schema": "other"}', encoding="utf-8")
    for name in ("x.zip", "empty", "other", "nothing"):
        with pytest.raises(ExportDamaged):
            files.check(tmp_path / name)


def test_a_zip_file_says_nothing_of_when_and_where_it_was_made(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    exported(tmp_path / "files")
    for name in ("a.zip", "b.zip"):
        files.zipped(tmp_path / "files", tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert files.check(tmp_path / "a.zip").rows == 2
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert {info.date_time for info in archive.infolist()} == {files.FIXED_TIME}
