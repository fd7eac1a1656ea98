"""A simulation of the bot as it is finds nothing, says the same every time, and tells what came of everything."""

import json
from dataclasses import replace

import pytest

from bot.simulation import days
from bot.simulation.plan import Plan, sites
from bot.simulation.report import Report
from tests.simulation.conftest import Simulate


def test_nothing_that_must_not_happen_happens_in_a_small_trial(simulate: Simulate) -> None:
    report = simulate(25, {"a day: blocks": 0.02, "caregiver": 1.0})
    assert report.violations == []
    assert report.visits["cbc · done"] > 0
    assert report.arrived["reminder.visit.day_3"] > 0


def test_who_misses_tablets_says_why(simulate: Simulate) -> None:
    report = simulate(10, {"takes": 0.2, "answers": 1.0, "a day: falls silent": 0.0})
    assert report.violations == []
    assert report.arrived.get("tablets.ask_reason", 0) > 0
    assert report.arrived.get("tablets.ask_reason_partly", 0) > 0


def test_who_takes_every_tablet_is_asked_by_the_week(simulate: Simulate) -> None:
    always = {"takes": 1.0, "answers": 1.0, "late": 0.0, "a day: falls silent": 0.0, "a day: blocks": 0.0}
    report = simulate(26, always)
    assert report.violations == []
    assert report.arrived.get("tablets.rhythm.offer", 0) > 0
    assert report.arrived.get("tablets.week.ask", 0) > 0


def test_who_travels_is_shown_days_of_the_site_and_left_alone_at_night(simulate: Simulate) -> None:
    report = simulate(24, {"a day: travels": 0.2, "caregiver": 1.0})
    assert report.violations == []
    assert report.happened["journeys"] > 0
    assert report.arrived["zone.kept"] > report.happened["journeys"]


@pytest.mark.usefixtures("confirmations_are_lost")
def test_who_travels_is_where_the_bot_was_told_also_when_its_answer_is_lost(simulate: Simulate) -> None:
    report = simulate(24, {"a day: travels": 0.2, "caregiver": 1.0}, faults=True)
    assert report.happened["send fault lost_request"] > report.happened["journeys"] > 0
    assert report.violations == []


def test_one_seed_gives_one_report_to_the_last_byte_with_faults_too(simulate: Simulate) -> None:
    plan = Plan(3, 0.5, 11, faults=True)
    first, second = (Report(plan, [simulate(15, faults=True, seed=11)]).as_json() for _ in range(2))
    assert first == second
    assert json.loads(first)["happened"]["updates"] > 0


def test_another_seed_gives_another_report(simulate: Simulate) -> None:
    assert simulate(3, seed=1).arrived != simulate(3, seed=2).arrived


def test_nothing_that_must_not_happen_happens_when_much_breaks_down(simulate: Simulate) -> None:
    report = simulate(20, faults=True, seed=5)
    assert report.violations == []
    assert any(name.startswith("send fault") for name in report.happened)


def test_many_subjects_are_split_into_sites_that_depend_on_the_plan_alone() -> None:
    plan = Plan(91, 25, 7)
    assert [each.subjects for each in sites(plan)] == [46, 45]
    assert [each.site for each in sites(plan)] == [0, 1]
    assert sites(replace(plan, subjects=19)) == [replace(plan, subjects=19)]


def test_the_report_names_what_broke_with_time_subject_message_and_seed(
    simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.simulation.invariants.QUIET_TO", 24)
    report = Report(Plan(3, 0.1, 3), [simulate(3)])
    assert not report.good
    assert "quiet hours" in report.as_text()
    line = report.violations[0]
    assert line.startswith("2026-11-0")
    assert "S-00" in line
    assert line.endswith("(seed 3, site 1)")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("您12月31日 星期四有一次安排", ("2026-12-31",)),
        ("see you on Monday 4 January", ("2027-01-04",)),
        ("29 Feb does not exist near here", ("2028-02-29",)),
        ("no day at all, 12 boxes", ()),
    ],
)
def test_days_are_read_from_what_a_phone_shows(text: str, named: tuple[str, ...]) -> None:
    from datetime import date

    near = date(2028, 3, 1) if "Feb" in text else date(2026, 12, 30)
    assert tuple(each.isoformat() for each in days.named(text, near)) == named
