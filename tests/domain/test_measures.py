"""Typed readings and laboratory values: what people and slips really say, and what is asked back or refused."""

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.measures import (
    PRESSURE,
    Doubt,
    Entered,
    Value,
    only_a_reading,
    parse_many,
    parse_one,
    parse_pressure,
    parse_value,
    prepared,
)
from bot.domain.parsing import Unreadable
from bot.protocol import bundled

TRIAL = bundled().measures
KNOWN = TRIAL.by_id


def entered(text: str) -> Entered:
    return parse_many(TRIAL.measures, TRIAL.pressure_names, TRIAL.others, text)


def shown(value: Value) -> tuple[str, str, Doubt | None]:
    return value.measure, f"{value.sign}{value.value.normalize():f}", value.doubt


@pytest.mark.parametrize(
    ("measure", "text", "value", "doubt"),
    [
        pytest.param("hb", "75", "75", None, id="plain"),
        pytest.param("hb", "75g/L", "75", None, id="with the unit of Chinese slips"),
        pytest.param("hb", "7.5 g/dL", "75", Doubt.UNIT, id="g/dL is converted and asked back"),
        pytest.param("hb", "7.5", "75", Doubt.UNIT, id="a bare 7.5 is probably g/dL"),
        pytest.param("hb", "6克", "60", Doubt.UNIT, id="six grams are 60 g/L"),
        pytest.param("hb", "七十五", "75", None, id="Chinese numerals"),
        pytest.param("hb", "38", "38", Doubt.UNUSUAL, id="very low is asked back"),
        pytest.param("hb", "20", "20", Doubt.UNUSUAL, id="the lowest accepted is not taken for g/dL"),
        pytest.param("hb", "181", "181", Doubt.UNUSUAL, id="very high is asked back"),
        pytest.param("hb", "75 ↓", "75", None, id="the arrow of the slip"),
        pytest.param("hb", "75 L", "75", None, id="the letter of the slip"),
        pytest.param("plt", "12", "12", None, id="plain"),
        pytest.param("plt", "5万", "50", Doubt.UNIT, id="ten thousands a microlitre"),
        pytest.param("plt", "1.2万", "12", Doubt.UNIT, id="with a fraction"),
        pytest.param("plt", "一万二", "12", Doubt.UNIT, id="in words"),
        pytest.param("plt", "3万5", "35", Doubt.UNIT, id="half in words"),
        pytest.param("plt", "0.1万", "1", Doubt.UNIT, id="never a thousand"),
        pytest.param("plt", "8千", "8", Doubt.UNIT, id="thousands a microlitre"),
        pytest.param("plt", "八千", "8", Doubt.UNIT, id="thousands in words"),
        pytest.param("plt", "12000", "12", Doubt.UNIT, id="a microlitre without unit"),
        pytest.param("plt", "12,000", "12", Doubt.UNIT, id="with a comma between thousands"),
        pytest.param("plt", "12000/ul", "12", Doubt.UNIT, id="a microlitre"),
        pytest.param("plt", "12×10⁹/L", "12", None, id="the printed unit"),
        pytest.param("plt", "12*10^9/L", "12", None, id="the unit as computers print it"),
        pytest.param("plt", "12 x10E9/L", "12", None, id="or like this"),
        pytest.param("plt", "12 10^3/µL", "12", None, id="the same number in another unit"),
        pytest.param("plt", "700", "700", Doubt.UNUSUAL, id="too many for this disease"),
        pytest.param("plt", "<5", "<5", None, id="only a bound"),
        pytest.param("plt", "0", "0", None, id="none at all"),
        pytest.param("wbc", "1500", "1.5", Doubt.UNIT, id="a microlitre"),
        pytest.param("wbc", "2.1", "2.1", None, id="plain"),
        pytest.param("wbc", "2,1", "2.1", None, id="decimal comma"),
        pytest.param("wbc", "31", "31", Doubt.UNUSUAL, id="many"),
        pytest.param("anc", "0.4", "0.4", None, id="plain"),
        pytest.param("anc", "零点四", "0.4", None, id="in words"),
        pytest.param("anc", "1500", "1.5", Doubt.UNIT, id="a microlitre"),
        pytest.param("anc", "25×10^9/L", "25", Doubt.UNUSUAL, id="with its unit it is no percentage"),
        pytest.param("ferritin", "1200", "1200", None, id="plain"),
        pytest.param("ferritin", "1200 ng/mL", "1200", None, id="the same number"),
        pytest.param("ferritin", ">2000", ">2000", None, id="only a bound"),
        pytest.param("ferritin", "大于2000", ">2000", None, id="a bound in words"),
        pytest.param("ferritin", "2247 pmol/L", "1000", Doubt.UNIT, id="pmol/L"),
        pytest.param("ferritin", "499", "499", Doubt.UNUSUAL, id="low is asked back"),
        pytest.param("alt", "55 IU/L", "55", None, id="the same number"),
        pytest.param("alt", "201", "201", Doubt.UNUSUAL, id="high is asked back"),
        pytest.param("creatinine", "0.9", "80", Doubt.UNIT, id="a bare 0.9 is probably mg/dL"),
        pytest.param("creatinine", "1.0 mg/dl", "88", Doubt.UNIT, id="mg/dL"),
        pytest.param("creatinine", "78 umol/L", "78", None, id="umol/L"),
        pytest.param("bilirubin", "0.8", "13.7", Doubt.UNIT, id="a bare 0.8 is probably mg/dL"),
        pytest.param("spo2", "95%", "95", None, id="per cent"),
        pytest.param("spo2", "九十五", "95", None, id="in words"),
        pytest.param("spo2", "91", "91", Doubt.UNUSUAL, id="low"),
        pytest.param("pulse", "88次/分", "88", None, id="times a minute"),
        pytest.param("temperature_c", "38度5", "38.5", Doubt.UNIT, id="degrees in the middle"),
        pytest.param("temperature_c", "三十八度六", "38.6", Doubt.UNIT, id="Chinese numerals"),
        pytest.param("temperature_c", "101.5F", "38.6", Doubt.UNIT, id="Fahrenheit"),
        pytest.param("temperature_c", "385", "38.5", Doubt.UNIT, id="missing point"),
        pytest.param("temperature_c", "36.6", "36.6", None, id="plain"),
        pytest.param("weight", "120斤", "60", Doubt.UNIT, id="jin"),
        pytest.param("weight", "60公斤", "60", None, id="kilograms"),
        pytest.param("weight", "120", "120", Doubt.UNUSUAL, id="a bare 120 is probably jin"),
    ],
)
def test_values(measure: str, text: str, value: str, doubt: Doubt | None) -> None:
    assert shown(parse_value(KNOWN[measure], text)) == (measure, value, doubt)


@pytest.mark.parametrize(
    ("measure", "text", "reason"),
    [
        ("hb", "", "unreadable"), ("hb", "很低", "unreadable"), ("hb", "-75", "unreadable"),
        ("hb", "75 80", "one_number"), ("hb", "115-150", "one_number"), ("hb", "250", "out_of_range"),
        ("hb", "1", "out_of_range"), ("hb", "75 mmol/L", "unknown_unit"), ("hb", "<60", "unreadable"),
        ("plt", "三万多", "approximate"), ("plt", "大概30", "approximate"), ("plt", "about 30", "approximate"),
        ("plt", "5百", "unreadable"), ("plt", "1600", "out_of_range"), ("plt", "5万%", "percent"),
        ("plt", "5万 g/dl", "unknown_unit"),
        ("anc", "45", "percent"), ("anc", "45%", "percent"), ("wbc", "2.1%", "percent"),
        ("ferritin", "0", "out_of_range"), ("creatinine", "0.2", "out_of_range"), ("spo2", "101", "out_of_range"),
        ("pulse", "300", "out_of_range"), ("pulse", "7" * 70, "unreadable"), ("hb", "7.5.3", "one_number"),
    ],
)  # fmt: skip
def test_values_that_are_refused(measure: str, text: str, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        parse_value(KNOWN[measure], text)
    assert refused.value.reason == f"input.measure.{reason}"


@pytest.mark.parametrize(
    ("text", "pressures", "doubt"),
    [
        pytest.param("120/80", (120, 80), None, id="plain"),
        pytest.param("120 80", (120, 80), None, id="a space between"),
        pytest.param("120比80", (120, 80), None, id="spoken"),
        pytest.param("120 over 80", (120, 80), None, id="spoken in English"),
        pytest.param("一百二 八十", (120, 80), None, id="in words"),
        pytest.param("一百六 一百", (160, 100), Doubt.UNUSUAL, id="high, in words"),
        pytest.param("高压120低压80", (120, 80), None, id="named"),
        pytest.param("低压80 高压120", (120, 80), None, id="named, the lower first"),
        pytest.param("120/80mmHg", (120, 80), None, id="with unit"),
        pytest.param("80/120", (120, 80), Doubt.SWAPPED, id="swapped"),
        pytest.param("16/10.7", (120, 80), Doubt.UNIT, id="kilopascal"),
        pytest.param("16/10.7 kPa", (120, 80), Doubt.UNIT, id="kilopascal, named"),
        pytest.param("89/60", (89, 60), Doubt.UNUSUAL, id="low"),
        pytest.param("159/99", (159, 99), None, id="just under what is asked back"),
    ],
)
def test_pressures(text: str, pressures: tuple[int, int], doubt: Doubt | None) -> None:
    upper, lower = parse_pressure(KNOWN, text)
    assert (int(upper.value), int(lower.value)) == pressures
    assert (upper.doubt or lower.doubt) is doubt


def test_a_third_number_is_the_pulse_and_is_asked_back() -> None:
    read = parse_pressure(KNOWN, "120/80/72")
    assert [shown(each) for each in read] == [
        ("systolic", "120", Doubt.THIRD),
        ("diastolic", "80", Doubt.THIRD),
        ("pulse", "72", Doubt.THIRD),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", None), ("160", "two_numbers"), ("一百六一百", "two_numbers"), ("120/80 头痛", "two_numbers"),
        ("1 2 3 4", "two_numbers"), ("1200/80", "two_numbers"), ("300/80", "out_of_range"),
        ("120/115", "out_of_range"), ("120/20", "out_of_range"),
    ],
)  # fmt: skip
def test_pressures_that_are_refused(text: str, reason: str | None) -> None:
    with pytest.raises(Unreadable) as refused:
        parse_pressure(KNOWN, text)
    assert refused.value.reason == (f"input.pressure.{reason}" if reason else "input.measure.unreadable")


@pytest.mark.parametrize(
    ("text", "found", "left"),
    [
        pytest.param("Hb 75 PLT 12 ANC 0.4", {"hb": "75", "plt": "12", "anc": "0.4"}, [], id="one line"),
        pytest.param(
            "血红蛋白75 血小板1.2万 中性粒0.4", {"hb": "75", "plt": "12", "anc": "0.4"}, [], id="Chinese, no spaces"
        ),
        pytest.param("Hb：75\nPLT：12\n", {"hb": "75", "plt": "12"}, [], id="a line each"),
        pytest.param("ＨＧＢ７５，ＰＬＴ１２", {"hb": "75", "plt": "12"}, [], id="full-width"),
        pytest.param("GPT 40 GOT 30", {"alt": "40", "ast": "30"}, [], id="the old names"),
        pytest.param("血压 120/80 体温36.5", {"systolic": "120", "diastolic": "80", "temperature_c": "36.5"}, [],
                     id="vitals"),
        pytest.param("高压120 低压80", {"systolic": "120", "diastolic": "80"}, [], id="pressures by name"),
        pytest.param("NEUT% 45 NEUT# 0.4", {"anc": "0.4"}, ["percent"], id="per cent and number"),
        pytest.param("中性粒细胞百分比 45", {}, ["percent"], id="per cent in Chinese"),
        pytest.param("血清铁 12 铁蛋白 1200", {"ferritin": "1200"}, ["not_ferritin"], id="iron is no ferritin"),
        pytest.param("转铁蛋白 2.1", {}, ["not_ferritin"], id="nor is transferrin"),
        pytest.param("平均血红蛋白浓度 330 Hb 75", {"hb": "75"}, ["not_kept"], id="MCHC is no haemoglobin"),
        pytest.param("HbA1c 6.5", {}, ["not_kept"], id="nor is HbA1c"),
        pytest.param("平均血小板体积 9 血小板 12", {"plt": "12"}, ["not_kept"], id="a volume is no count"),
        pytest.param("尿素氮 8 直接胆红素 4", {}, ["not_kept", "not_kept"], id="neighbours of kidney and liver"),
        pytest.param("eGFR 38 mL/min/1.73m² K 4", {"egfr": "38", "potassium": "4"}, [], id="an area is no value"),
        pytest.param("估算肾小球滤过率：>90 mL/(min·1.73m2)", {"egfr": "90"}, [], id="the unit in brackets"),
        pytest.param("eGFR(CKD-EPI) 41", {"egfr": "41"}, [], id="the formula beside the name"),
        pytest.param("内生肌酐清除率 38", {}, ["not_kept"], id="the measured clearance is another test"),
        pytest.param("eGFR 1.73", {}, ["out_of_range"], id="an area alone is no flow"),
        pytest.param("eGFR 38 mg/dL", {}, ["unknown_unit"], id="the unit of creatinine"),
        pytest.param("75 12 0.4", {}, ["unknown"], id="numbers without a name"),
        pytest.param("Hb 75 Hb 80", {"hb": "75"}, ["twice"], id="the same twice"),
        pytest.param("WBC 2.0 ANC 3.0", {"wbc": "2"}, ["anc_above_wbc"], id="more neutrophils than white cells"),
        pytest.param("高压100 低压160", {}, ["pressure", "pressure"], id="pressures swapped by name"),
        pytest.param("PLT 12 参考 125-350", {}, ["one_number"], id="the reference range beside it"),
        pytest.param("Hb 很低 PLT 12", {"plt": "12"}, ["unreadable"], id="a word in place of a number"),
        pytest.param("昨天的 Hb 75", {"hb": "75"}, ["unknown"], id="words before"),
    ],
)  # fmt: skip
def test_a_days_values_from_one_message(text: str, found: dict[str, str], left: list[str]) -> None:
    read = entered(text)
    assert {value.measure: f"{value.value.normalize():f}" for value in read.values} == found
    reasons = [each.reason.removeprefix("input.measure.") for each in read.refused]
    assert [reason.replace("input.pressure.out_of_range", "pressure") for reason in reasons] == left


def test_a_patient_may_name_what_was_asked_for() -> None:
    assert [shown(each) for each in parse_one(KNOWN, "pulse", "脉搏 88")] == [("pulse", "88", None)]
    assert [shown(each) for each in parse_one(KNOWN, "spo2", "SpO2 96%")] == [("spo2", "96", None)]
    assert len(parse_one(KNOWN, PRESSURE, "血压120/80")) == 2


@pytest.mark.parametrize(
    ("asked", "text", "only"),
    [
        ("temperature_c", "38.6", True), ("temperature_c", "三十八度六", True), ("temperature_c", "38.6 胸痛", False),
        ("weight", "60公斤", True), ("weight", "60公斤 胸痛", False), (PRESSURE, "高压160 低压100", True),
        (PRESSURE, "160/100 头痛", False), ("spo2", "血氧 88", True), ("spo2", "88 喘", False), ("pulse", "", False),
    ],
)  # fmt: skip
def test_a_number_alone_is_told_from_a_number_with_words(asked: str, text: str, only: bool) -> None:
    assert only_a_reading(KNOWN, asked, text) is only


WORDS = st.text(max_size=80) | st.lists(
    st.sampled_from(
        [
            "Hb",
            "血小板",
            "PLT",
            "neut%",
            "BP",
            "75",
            "1.2",
            "万",
            "160/100",
            "%",
            "g/dL",
            "<",
            " ",
            "\n",
            "多",
            "×10⁹/L",
            "-",
        ]
    ),
    max_size=12,
).map("".join)


@given(text=WORDS)
@settings(max_examples=200)
def test_any_message_is_read_and_nothing_of_it_is_lost(text: str) -> None:
    read = entered(text)
    kept = "".join([*(value.said for value in read.values), *(each.said for each in read.refused)])
    assert {sign for sign in prepared(text) if sign.isalnum()} <= set(kept)


@pytest.mark.parametrize("asked", [*KNOWN, PRESSURE])
@given(text=WORDS)
@settings(max_examples=40)
def test_any_answer_is_read_or_refused(asked: str, text: str) -> None:
    with suppress(Unreadable):
        for value in parse_one(KNOWN, asked, text):
            limits = KNOWN[value.measure].limits
            assert limits.accept_from <= value.value <= limits.accept_to


@given(st.integers(min_value=0, max_value=600))
def test_every_count_reads_back(number: int) -> None:
    assert parse_value(KNOWN["plt"], str(number)).value == Decimal(number)
