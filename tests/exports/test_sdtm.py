"""The data sets keep to what sdtm.yaml says of them, and sdtm.yaml knows every code of the trial."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bot.domain.adverse_events import Action, Outcome, Relation
from bot.domain.dosing import Formulation
from bot.domain.questionnaires import ItemKind
from bot.domain.visits import Deviation, VisitKind
from bot.exports.terms import shape
from bot.protocol.load import bundled
from bot.store.session import Store
from tests.exports.scenes import study, table

DTC = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d:\d\d[+-]\d\d:\d\d)?)?)?")
DOMAINS = shape().domains
each_domain = pytest.mark.parametrize("name", DOMAINS)


@pytest.fixture(name="folder")
def exported(store: Store, tmp_path: Path) -> Path:
    study(store).export(tmp_path / "out")
    return tmp_path / "out"


def gaps(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["gaps"]
    return found


# What sdtm.yaml says


@each_domain
def test_a_domain_is_described_as_the_standard_wants(name: str) -> None:
    domain = DOMAINS[name]
    names = [each.name for each in domain.variables]
    assert names[:3] == ["STUDYID", "DOMAIN", "USUBJID"]
    assert [each for each, many in Counter(names).items() if many > 1] == []
    assert set(domain.keys) <= set(names)
    for each in domain.variables:
        assert re.fullmatch(r"[A-Z][A-Z0-9]{0,7}", each.name)
        assert 0 < len(each.label) <= 40, each.name
        assert each.length <= 200, each.name
        assert each.codelist is None or each.codelist in shape().codelists, each.name
        assert (each.origin is None) == (each.missing is not None), each.name
        for term in shape().codelists.get(each.codelist or "", ()):
            assert len(term) <= each.length, (each.name, term)


def test_every_code_of_the_trial_has_a_term() -> None:
    terms, protocol = shape().terms, bundled()
    assert set(terms.measures) == set(protocol.measures.by_id)
    assert set(terms.formulations) == set(terms.tablet_units) == {*Formulation} == {*protocol.tablets.formulations}
    assert set(terms.skip_reasons) == {each.code for each in protocol.tablets.skip_reasons}
    assert set(terms.visits) == {*VisitKind}
    assert set(terms.deviations) == {*Deviation}
    assert (set(terms.outcomes), set(terms.actions), set(terms.relations)) == ({*Outcome}, {*Action}, {*Relation})
    for questionnaire in protocol.questionnaires.values():
        asked = {each.id for each in questionnaire.items if each.kind is not ItemKind.TEXT}
        assert set(terms.questionnaires[questionnaire.id].items) == asked


def test_terms_belong_to_their_codelists() -> None:
    terms, lists = shape().terms, shape().codelists
    assert {each.code for each in terms.measures.values()} == {*lists["LBTESTCD"], *lists["VSTESTCD"]}
    assert {each.unit for each in terms.measures.values()} <= {*lists["UNIT"]}
    assert {*terms.formulations.values(), terms.medicines["luspatercept"].form} == {*lists["FRM"]}
    assert {*terms.outcomes.values()} == {*lists["OUT"]}
    assert {*terms.actions.values(), "MULTIPLE"} == {*lists["ACN"]}
    assert {*terms.relations.values(), "MULTIPLE"} == {*lists["RELATION"]}
    assert {*terms.times_a_day.values()} == {*lists["FREQ"]}
    assert {*terms.places.values()} == {*lists["LOC"]}
    assert {*terms.visit_sources.values()} == {*lists["CNTMODE"]}


def test_our_questions_have_names_of_their_own_and_none_of_pro_ctcae() -> None:
    questions = [(each, one) for each in shape().terms.questionnaires.values() for one in each.items.values()]
    codes = Counter(one.code for _, one in questions)
    assert set(codes.values()) == {1}
    for each, one in questions:
        assert re.fullmatch(r"OWN[UW]\d\d", one.code)
        assert len(one.test) <= 40
        assert "PRO-CTCAE" not in each.category
        assert "OWN QUESTIONS" in each.category


# What is exported


@each_domain
def test_rows_keep_to_their_description(folder: Path, name: str) -> None:
    domain = DOMAINS[name]
    rows = table(folder, f"sdtm/{name.lower()}.csv")
    assert rows, "the study has a record of every kind"
    missing = {(each["dataset"], each["variable"]) for each in gaps(folder)}
    assert len({tuple(row[key] for key in domain.keys) for row in rows}) == len(rows)
    for row in rows:
        assert row["STUDYID"] == "NCT06964971"
        assert row["DOMAIN"] == name
        assert re.fullmatch(r"NCT06964971-HZ01-S-00\d", row["USUBJID"])
        for each in domain.variables:
            value = row[each.name]
            assert len(value) <= each.length, each.name
            if not value:
                assert each.core != "Req" or (name, each.name) in missing, each.name
                continue
            assert each.missing is None, each.name
            if each.codelist is not None:
                assert value in shape().codelists[each.codelist], each.name
            if each.name.endswith("DTC"):
                assert DTC.fullmatch(value), each.name
            if each.type == "integer":
                assert str(int(value)) == value, each.name
            if each.type == "float":
                float(value)


@each_domain
def test_dataset_json_has_the_shape_of_version_1_1(folder: Path, name: str) -> None:
    read = json.loads((folder / f"sdtm/json/{name.lower()}.json").read_text(encoding="utf-8"))
    assert read["datasetJSONVersion"] == "1.1.0"
    assert read["records"] == len(read["rows"])
    assert [each["name"] for each in read["columns"]] == [each.name for each in DOMAINS[name].variables]
    for row in read["rows"]:
        for column, value in zip(read["columns"], row, strict=True):
            kinds = {"string": str, "integer": int | None, "float": int | float | None}
            assert isinstance(value, kinds[column["dataType"]]), column["name"]


def test_what_is_not_known_is_said_and_not_invented(folder: Path) -> None:
    found = {(each["dataset"], each["variable"]): each["why"] for each in gaps(folder)}
    assert found["DM", "SEX"] == "sex is not stored"
    assert "RFICDTC" in {variable for _, variable in found}
    assert "AEDECOD" in {variable for _, variable in found}
    for variable in ("SEX", "RACE", "RFICDTC"):
        assert {row[variable] for row in table(folder, "sdtm/dm.csv")} == {""}


def test_tablets_are_ordered_taken_in_part_or_missed_with_reasons(folder: Path) -> None:
    rows = [row for row in table(folder, "sdtm/ec.csv") if row["ECTRT"] == "DEFERASIROX"]
    ordered, *days = rows
    assert (ordered["ECMOOD"], ordered["ECDOSE"], ordered["ECDOSU"]) == ("SCHEDULED", "2", "TABLET")
    assert (ordered["ECDOSFRM"], ordered["ECDOSFRQ"]) == ("TABLET, FOR SUSPENSION", "QD")
    assert [(row["ECSTDTC"], row["ECOCCUR"], row["ECDOSE"], row["ECREASOC"]) for row in days] == [
        ("2026-11-03", "Y", "2", ""),
        ("2026-11-04", "Y", "", "TASTE; OTHER"),
        ("2026-11-05", "N", "", "SIDE EFFECT; AFRAID OF HARM"),
    ]
    assert {row["ECPRESP"] for row in days} == {"Y"}
    (taken,) = table(folder, "sdtm/ex.csv")
    assert (taken["EXDOSE"], taken["EXDOSU"], taken["EXSTDTC"]) == ("500", "mg", "2026-11-03")


def test_an_injection_is_there_without_the_dose_that_nobody_stored(folder: Path) -> None:
    (injected,) = [row for row in table(folder, "sdtm/ec.csv") if row["ECTRT"] == "LUSPATERCEPT"]
    assert (injected["ECOCCUR"], injected["ECDOSE"], injected["ECROUTE"]) == ("Y", "", "SUBCUTANEOUS")
    assert ("EC", "ECDOSE") in {(each["dataset"], each["variable"]) for each in gaps(folder)}


def test_only_verified_values_are_laboratory_results(folder: Path) -> None:
    rows = table(folder, "sdtm/lb.csv")
    assert [(row["LBTESTCD"], row["LBORRES"], row["LBORRESU"], row["LBSTRESN"]) for row in rows] == [
        ("HGB", "72", "g/L", "72"),
        ("PLAT", "<10", "10^9/L", ""),
    ]
    assert {row["VISIT"].rstrip(" 0123456789") for row in rows} == {"BLOOD COUNT"}
    assert {int(row["VISITNUM"]) // 1000 for row in rows} == {1}


def test_an_event_is_there_once_an_investigator_judged_it(folder: Path) -> None:
    fever, own_words = table(folder, "sdtm/ae.csv")
    assert (fever["AETERM"], fever["AELLTCD"], fever["AETOXGR"]) == ("Fever", "10016558", "3")
    assert (fever["AESER"], fever["AESHOSP"], fever["AESDTH"]) == ("Y", "Y", "N")
    assert (fever["AEACN"], fever["AEREL"]) == ("MULTIPLE", "POSSIBLY RELATED")
    assert (fever["AEENDTC"], fever["AEENRTPT"], fever["AEENTPT"][:10]) == ("", "ONGOING", "2026-11-02")
    assert (own_words["AETERM"], own_words["AEENDTC"], own_words["AEENRTPT"]) == ("", "2026-11-03", "")
    why = {each["why"] for each in gaps(folder) if each["dataset"] == "AE"}
    assert "named in own words, which stay in the source record" in why
    assert "an event was not judged by an investigator yet, so it is left out" in why


def test_visits_tell_what_happened_and_deviations_have_a_row_each(folder: Path) -> None:
    visits = table(folder, "sdtm/sv.csv")
    told = [(row["VISIT"].rstrip(" 0123456789"), row["SVPRESP"], row["SVOCCUR"], row["SVREASOC"]) for row in visits]
    assert sorted(told) == [
        ("BLOOD COUNT", "Y", "N", "PATIENT COULD NOT COME"),
        ("BLOOD COUNT", "Y", "Y", ""),
        ("INJECTION", "Y", "Y", ""),
        ("UNSCHEDULED", "", "", ""),
    ]
    assert {row["SVCNTMOD"] for row in visits} == {"TELEPHONE CALL", ""}
    terms = [row["DVTERM"] for row in table(folder, "sdtm/dv.csv")]
    assert terms == [
        "Injection sooner after the last one than is safe",
        "Injection without a blood count in the days before it",
        "Visit missed",
    ]


def test_answers_are_results_and_what_follows_from_others_is_derived(folder: Path) -> None:
    rows = {row["QSTEST"].partition(": ")[2]: row for row in table(folder, "sdtm/qs.csv")}
    assert set(rows) == {"trouble", "fatigue severity", "mood dying", "since last"}
    assert (rows["fatigue severity"]["QSSTRESN"], rows["fatigue severity"]["QSEVLINT"]) == ("3", "-P7D")
    assert (rows["mood dying"]["QSORRES"], rows["mood dying"]["QSSTRESC"]) == ("", "N")
    assert rows["since last"]["QSORRES"] == "HOSPITAL; NONE"
    assert {row["QSEVAL"] for row in rows.values()} == {"STUDY SUBJECT"}
