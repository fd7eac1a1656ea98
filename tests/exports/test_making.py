"""An export has everything that counts, nothing that people wrote, and the same bytes each time."""

import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from bot.exports import files, making
from bot.exports.listings import AUDIT, LISTINGS, WORDS
from bot.exports.making import Form, Wanted
from bot.exports.source import Period, PeriodEmpty
from bot.exports.terms import shape
from bot.store.models import Measurement
from bot.store.session import Store
from bot.work import Work
from tests.exports.scenes import SECRET, Study, study, table

pytestmark = pytest.mark.req("DI-24")


@pytest.fixture(name="made")
def made_study(store: Store) -> Study:
    return study(store)


@pytest.fixture(name="folder")
def exported(made: Study, tmp_path: Path) -> Path:
    """Give the folder of an export of everything."""
    made.export(tmp_path / "out")
    return tmp_path / "out"


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / files.MANIFEST).read_text(encoding="utf-8"))
    return found


def test_the_manifest_tells_what_the_files_are(made: Study, folder: Path) -> None:
    told = manifest(folder)
    assert told["schema"] == "followup-export/1"
    assert told["protocol"] == {"id": "NCT06964971", "version": "1.0"}
    assert told["timezone"] == "Asia/Shanghai"
    assert told["created_at"] == "2026-11-02T08:00:00+08:00"
    assert told["database_revision"] == "0017"
    assert told["audit_trail_included"] is True
    names = {f"csv/{each.name}.csv" for each in (*LISTINGS, *AUDIT)}
    names |= {f"sdtm/{name.lower()}.csv" for name in shape().domains}
    names |= {f"sdtm/json/{name.lower()}.json" for name in shape().domains}
    assert {each["path"] for each in told["files"]} == names
    assert all(each["rows"] == len(table(folder, each["path"])) for each in told["files"] if ".csv" in each["path"])
    assert files.check(folder).files == len(names)


def test_every_kind_of_record_is_in_a_listing(folder: Path) -> None:
    """What nobody planted has no row, and everything else has one."""
    empty = {each.name for each in LISTINGS if not table(folder, f"csv/{each.name}.csv")}
    assert empty == {"subject_changes", "dose_reviews", "lab_releases"}
    assert table(folder, "csv/audit_trail.csv")


def test_nothing_that_people_wrote_is_in_any_file(folder: Path) -> None:
    for place in folder.rglob("*.*"):
        content = place.read_text(encoding="utf-8")
        assert not [word for word in SECRET.split() if word in content], place


def test_own_words_leave_a_sign(folder: Path) -> None:
    said = {row["item"]: row["answer"] for row in table(folder, "csv/symptoms.csv")}
    assert said["other_words"] == said["gone_item"] == WORDS
    assert said["since_last"] == "hospital none"
    assert {row["reason"] for row in table(folder, "csv/visit_records.csv")} == {"", WORDS, "patient_could_not"}


def test_every_version_is_listed_and_one_counts(folder: Path) -> None:
    values = [row for row in table(folder, "csv/labs.csv") if row["measure"] == "hb"]
    assert [(row["version"], row["counts"], row["value"], row["verified"]) for row in values] == [
        ("1", "N", "71.4", "N"),
        ("2", "Y", "72", "Y"),
    ]
    days = [(row["day_on"], row["status"], row["counts"]) for row in table(folder, "csv/dose_days.csv")]
    assert days[:2] == [("2026-11-03", "not_taken", "N"), ("2026-11-03", "taken", "Y")]


def test_a_message_to_a_patient_is_found_with_and_without_the_subject_on_it(folder: Path) -> None:
    keys = [(row["to"], row["text_key"]) for row in table(folder, "csv/messages.csv")]
    assert keys == [("patient:2", "dose.prompt"), ("patient:2", "menu.patient")]


def test_the_same_database_gives_the_same_bytes(made: Study, folder: Path, tmp_path: Path) -> None:
    made.export(tmp_path / "again")
    for place in folder.rglob("*.*"):
        assert place.read_bytes() == (tmp_path / "again" / place.relative_to(folder)).read_bytes()


def test_a_period_leaves_out_what_lies_outside_and_numbers_stay(made: Study, folder: Path, tmp_path: Path) -> None:
    made.export(tmp_path / "part", Wanted(period=Period(date(2026, 11, 5), date(2026, 11, 9))))
    assert [row["day_on"] for row in table(tmp_path / "part", "csv/dose_days.csv")] == ["2026-11-05", "2026-11-06"]
    assert len(table(tmp_path / "part", "csv/subjects.csv")) == 3
    for name, domain in shape().domains.items():
        path = f"sdtm/{name.lower()}.csv"
        keys = [tuple(row[key] for key in domain.keys) for row in table(folder, path)]
        assert {tuple(row[key] for key in domain.keys) for row in table(tmp_path / "part", path)} <= set(keys), name
    assert [row["ECSTDTC"] for row in table(tmp_path / "part", "sdtm/ec.csv")] == ["2026-11-05"]


def test_a_correction_keeps_the_number_of_its_row(made: Study, folder: Path, tmp_path: Path) -> None:
    def correct(work: Work) -> None:
        old = work.session.exec(select(Measurement).where(Measurement.measure == "plt")).one()
        given = old.model_dump(exclude={"id"}) | {"version": 2, "value": 12, "sign": ""}
        work.session.add(Measurement(**given))

    made.within(correct)
    made.export(tmp_path / "after")
    before, after = (
        {row["LBTESTCD"]: (row["LBSEQ"], row["LBSTRESC"]) for row in table(place, "sdtm/lb.csv")}
        for place in (folder, tmp_path / "after")
    )
    assert before["PLAT"][0] == after["PLAT"][0]
    assert (before["PLAT"][1], after["PLAT"][1]) == ("<10", "12")


@pytest.mark.parametrize(
    ("form", "inside"), [(Form.CSV, {"csv"}), (Form.SDTM, {"sdtm"}), (Form.BOTH, {"csv", "sdtm"})]
)
def test_one_form_can_be_had_alone(made: Study, tmp_path: Path, form: Form, inside: set[str]) -> None:
    made.export(tmp_path / "out", Wanted(form, audit_trail=False))
    assert {each["path"].partition("/")[0] for each in manifest(tmp_path / "out")["files"]} == inside
    assert not (tmp_path / "out/csv/audit_trail.csv").exists()
    files.check(tmp_path / "out")


def test_words_of_the_protocol_come_in_the_language_asked_for(made: Study, tmp_path: Path) -> None:
    made.export(tmp_path / "zh", Wanted(Form.CSV, locale="zh"))
    visits = table(tmp_path / "zh", "csv/visits.csv")
    assert {row["kind_name"] for row in visits} == {
        made.deps.texts.text(f"visit.kind.{row['kind']}", "zh") for row in visits
    }


def test_a_language_or_period_that_cannot_be_is_refused() -> None:
    with pytest.raises(making.LanguageUnknown):
        Wanted(locale="fr")
    with pytest.raises(PeriodEmpty):
        Period(date(2026, 11, 2), date(2026, 11, 1))


def test_the_place_of_an_export_must_be_free(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/x").write_text("x", encoding="utf-8")
    with pytest.raises(making.TargetTaken), making.placed(tmp_path / "taken"):
        pass
    with pytest.raises(ValueError, match="broke"), making.placed(tmp_path / "new"):
        raise ValueError("broke")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["taken"]


def test_columns_have_one_meaning(folder: Path) -> None:
    for listing in (*LISTINGS, *AUDIT):
        assert all(listing.columns.values()), listing.name
    counted = Counter(each.name for each in (*LISTINGS, *AUDIT))
    assert set(counted.values()) == {1}
