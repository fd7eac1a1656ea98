"""The clinic's days: the official calendar as the library has it, and the site's file above it."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from bot.protocol.clinic import load_clinic
from bot.protocol.load import ProtocolFaulty

OFFICIAL = load_clinic(None)

# The State Council's notice for 2026: days off, and weekends worked in exchange.
OFF_2026 = [
    (date(2026, 1, 1), date(2026, 1, 3)),
    (date(2026, 2, 15), date(2026, 2, 23)),
    (date(2026, 4, 4), date(2026, 4, 6)),
    (date(2026, 5, 1), date(2026, 5, 5)),
    (date(2026, 6, 19), date(2026, 6, 21)),
    (date(2026, 9, 25), date(2026, 9, 27)),
    (date(2026, 10, 1), date(2026, 10, 7)),
]
WORKED_2026 = [
    date(2026, 1, 4),
    date(2026, 2, 14),
    date(2026, 2, 28),
    date(2026, 5, 9),
    date(2026, 9, 20),
    date(2026, 10, 10),
]


def site(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "clinic.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_each_day_of_2026_is_as_the_official_notice_says() -> None:
    off = {first + timedelta(days=number) for first, last in OFF_2026 for number in range((last - first).days + 1)}
    for number in range(365):
        day = date(2026, 1, 1) + timedelta(days=number)
        expected = day not in off and (day.isoweekday() < 6 or day in WORKED_2026)
        assert OFFICIAL.is_open(day) is expected, day
        assert not OFFICIAL.is_provisional(day)


def test_the_closures_of_2026_are_the_holidays_with_their_weekends() -> None:
    closures = OFFICIAL.closures(date(2026, 1, 1), date(2026, 12, 31))
    assert [(each.first_on, each.last_on) for each in closures] == OFF_2026


def test_2027_is_provisional_until_its_notice_is_out_and_has_its_statutory_days() -> None:
    assert OFFICIAL.is_provisional(date(2027, 1, 1))
    assert not OFFICIAL.is_open(date(2027, 2, 5)), "New Year's Eve"
    assert OFFICIAL.next_open(date(2027, 2, 5)) == date(2027, 2, 11)


def test_the_site_brings_a_notice_before_the_library_has_it(tmp_path: Path) -> None:
    clinic = load_clinic(
        site(
            tmp_path,
            """
official_years:
  - year: 2027
    days_off:
      - {first_on: 2027-01-01, name: 元旦}
      - {first_on: 2027-02-05, last_on: 2027-02-12, name: 春节}
    workdays: [2027-02-20]
""",
        )
    )
    assert not clinic.is_provisional(date(2027, 6, 1))
    assert not clinic.is_open(date(2027, 2, 12))
    assert clinic.is_open(date(2027, 2, 20))
    assert clinic.is_open(date(2027, 4, 5)), "the notice of the site replaces what the library knows of the year"
    assert not clinic.is_provisional(date(2026, 6, 1))
    assert clinic.is_provisional(date(2028, 6, 1))


def test_the_site_opens_and_closes_days_and_chooses_its_week(tmp_path: Path) -> None:
    clinic = load_clinic(
        site(
            tmp_path,
            """
weekdays: [mon, wed, sat]
follows_workdays: false
open: [2026-10-02]
closed:
  - {first_on: 2026-11-30, last_on: 2026-12-02, name: moving house}
""",
        )
    )
    assert clinic.open_days(date(2026, 11, 23), date(2026, 12, 7)) == [
        date(2026, 11, 23),
        date(2026, 11, 25),
        date(2026, 11, 28),
        date(2026, 12, 5),
        date(2026, 12, 7),
    ]
    assert clinic.is_open(date(2026, 10, 2)), "open on a holiday"
    assert not clinic.is_open(date(2026, 9, 20)), "weekends worked in exchange are not followed"


BROKEN = [
    pytest.param("weekdays: []", "never open", id="no day of the week"),
    pytest.param("weekdays: [monday]", "weekdays.0", id="unknown weekday"),
    pytest.param("opens: [2026-10-02]", "opens", id="unknown field"),
    pytest.param("open: [2026-02-30]", "open.0", id="no such day"),
    pytest.param("closed: [{first_on: 2026-11-30}]", "name", id="a closure without a name"),
    pytest.param(
        "closed: [{first_on: 2026-11-30, last_on: 2026-11-29, name: x}]", "before first_on", id="a closure swapped"
    ),
    pytest.param(
        "open: [2026-11-30]\nclosed: [{first_on: 2026-11-30, name: x}]", "both open and closed", id="open and closed"
    ),
    pytest.param("official_years: [{year: 2027, days_off: [], workdays: []}]", "names days off", id="empty notice"),
    pytest.param(
        "official_years: [{year: 2027, days_off: [{first_on: 2026-12-31, name: x}], workdays: []}]",
        "another year",
        id="day of another year",
    ),
    pytest.param(
        "official_years: [{year: 2027, days_off: [{first_on: 2027-01-01, name: x}], workdays: [2027-01-01]}]",
        "both off and worked",
        id="off and worked",
    ),
    pytest.param(
        """
official_years:
  - {year: 2027, days_off: [{first_on: 2027-01-01, name: x}], workdays: []}
  - {year: 2027, days_off: [{first_on: 2027-01-01, name: x}], workdays: []}
""",
        "given twice",
        id="a year twice",
    ),
]


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_a_faulty_file_of_the_site_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ProtocolFaulty) as refused:
        load_clinic(site(tmp_path, text))
    assert any(message in str(one) for one in refused.value.problems), refused.value.problems
    assert {one.file for one in refused.value.problems} == {"clinic.yaml"}


def test_a_missing_file_of_the_site_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProtocolFaulty, match="the file is missing"):
        load_clinic(tmp_path / "clinic.yaml")
