"""A patient sees their own month without a reproach, and blood values only when staff have released them."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlmodel import select

from bot.domain.measures import parse_value
from bot.domain.roles import Role
from bot.store.models import LabRelease, Measurement, OutboxMessage
from bot.story.people import Person
from bot.story.stage import Stage
from bot.usecases import dose_reports, measured
from bot.usecases.staff_queries import find
from bot.work import Work
from tests.people import Study, staff, study
from tests.stories.scenes import Watch, caregiver, in_language, rows, withdraw


async def said(stage: Stage, days: dict[date, str]) -> None:
    """Let Anna have answered so on these days."""

    def keep(work: Work) -> None:
        for day, status in days.items():
            dose_reports.keep(work, find(work, "S-001"), day, status)

    await stage.within(keep)


async def drawn(nurse: Person, values: str, transfused: str = "none", day: str = "2026-11-02") -> None:
    """Let staff enter the values of one day."""
    await nurse.says("/labs S-001")
    await nurse.taps("labs.button.enter")
    await nurse.says(day)
    await nurse.says(values)
    if nurse.read("form.is_it"):
        await nurse.taps("form.button.yes")
    await nurse.taps(f"labs.transfused.{transfused}", "form.button.save")


async def released(nurse: Person) -> None:
    await nurse.says("/labs S-001")
    await nurse.taps("release.button.start", "release.button.confirm")


async def looks(someone: Person) -> str:
    """Return what somebody reads who opens the results from the menu."""
    await someone.says("/menu")
    await someone.taps("menu.button.results")
    return someone.phone.last.text


class TestMonth:
    async def test_the_month_is_told_in_days(self, study: Study, locale: str) -> None:
        anna = await in_language(study.anna, locale)
        await study.pass_time(days=5)
        first = date(2026, 11, 2)
        answers = ["taken", "taken", "partly", "not_taken"]
        await said(study.stage, {first + timedelta(days=n): each for n, each in enumerate(answers)})
        await anna.says("/menu")
        await anna.taps("menu.button.month")
        shown = anna.phone.last
        for status, n in (("taken", 2), ("partly", 1), ("not_taken", 1), ("unknown", 1)):
            days = study.stage.deps.texts.plural("enrol.days", n, locale)
            assert anna.label(f"month.days.{status}", days=days) in shown.text
        assert shown.kind == "photo"
        assert "%" not in shown.text

    async def test_months_before_are_reached_by_buttons(self, study: Study) -> None:
        await said(study.stage, {date(2026, 10, 30): "taken", date(2026, 11, 2): "taken"})
        await study.anna.says("/menu")
        await study.anna.taps("menu.button.month")
        await study.anna.presses("◀️ 2026年10月")
        assert "2026年10月" in study.anna.phone.last.text
        assert "▶️ 2026年11月" in study.anna.phone.last.labels
        assert not any(label.startswith("◀️") for label in study.anna.phone.last.labels)

    async def test_before_the_first_answer_it_is_empty(self, study: Study) -> None:
        await study.anna.says("/menu")
        await study.anna.taps("menu.button.month")
        assert study.anna.read("month.nothing_yet")

    async def test_who_takes_no_tablets_has_no_such_button(self, study: Study) -> None:
        await study.boris.says("/menu")
        assert study.boris.label("menu.button.month") not in study.boris.phone.last.labels


class TestRelease:
    @pytest.mark.req("DI-01")
    async def test_the_patient_sees_exactly_what_staff_saw_and_hears_of_it_once(self, study: Study) -> None:
        nurse, hears = study.coordinator, Watch(study.anna)
        await drawn(nurse, "Hb 82 PLT 34 ALT 20", "red_cells")
        await nurse.says("/labs S-001")
        await nurse.taps("release.button.start")
        preview = nurse.phone.last.text
        await study.anna.says("/menu")
        assert study.anna.label("menu.button.results") not in study.anna.phone.last.labels
        await nurse.taps("release.button.confirm")
        await study.pass_time(days=1)
        assert hears.count("results.ready") == 1
        seen = await looks(study.anna)
        assert seen in preview
        assert "82 g/L" in seen
        assert "输血后" in seen
        assert "ALT" not in seen
        (release,) = await rows(study.stage, LabRelease)
        assert release.until_on == date(2026, 11, 2)

    @pytest.mark.req("DI-03")
    async def test_a_correction_shows_and_what_is_taken_out_disappears(self, study: Study) -> None:
        nurse = study.coordinator
        await drawn(nurse, "Hb 82 PLT 34")
        await released(nurse)

        def change(measure: str, value: str | None) -> Any:
            def correct(work: Work) -> None:
                old = next(row for row in work.session.exec(select(Measurement)).all() if row.measure == measure)
                new = parse_value(work.protocol.measures.by_id[measure], value) if value else None
                measured.correct(work, find(work, "S-001"), old, new, "#slip", value or old.said)

            return correct

        await study.stage.within(change("hb", "88"))
        await study.stage.within(change("plt", None))
        seen = await looks(study.anna)
        assert "88 g/L" in seen
        assert "82" not in seen
        assert "34" not in seen

    async def test_what_is_entered_later_waits_for_the_next_release(self, study: Study) -> None:
        nurse = study.coordinator
        await drawn(nurse, "Hb 82")
        await released(nurse)
        await study.pass_time(minutes=1)
        await drawn(nurse, "Hb 91")
        assert "91" not in await looks(study.anna)
        await released(nurse)
        assert "91" in await looks(study.anna)

    async def test_a_confirmation_of_what_has_changed_shows_it_anew(self, study: Study) -> None:
        nurse = study.coordinator
        await drawn(nurse, "Hb 82")
        await nurse.says("/labs S-001")
        await nurse.taps("release.button.start")
        old = nurse.phone.last
        await drawn(study.doctor, "Hb 91")
        await nurse.phone.taps_on(old, nurse.label("release.button.confirm"))
        await study.stage.settle()
        assert nurse.read("release.confirm")
        assert await rows(study.stage, LabRelease) == []

    async def test_withdrawn_nothing_is_shown_and_a_waiting_message_is_not_sent(self, study: Study) -> None:
        nurse = study.coordinator
        await drawn(nurse, "Hb 82")
        await study.pass_time(hours=14)
        hears = Watch(study.anna)
        await released(nurse)
        await nurse.says("/labs S-001")
        await nurse.taps("release.button.withdraw")
        await study.pass_time(hours=12)
        assert not hears.read("results.ready")
        await study.anna.says("/menu")
        assert study.anna.label("menu.button.results") not in study.anna.phone.last.labels

    async def test_a_caregiver_sees_the_same_and_who_has_withdrawn_nothing(self, study: Study) -> None:
        daughter = await caregiver(study)
        await drawn(study.coordinator, "Hb 82")
        await released(study.coordinator)
        assert await looks(daughter) == await looks(study.anna)
        menu = daughter.phone.last
        await withdraw(study.anna)
        await daughter.phone.taps_on(menu, daughter.label("menu.button.open"))
        await study.stage.settle()
        assert daughter.read("menu.not_on_study")

    async def test_a_monitor_releases_nothing(self, study: Study) -> None:
        await drawn(study.coordinator, "Hb 82")
        monitor = await staff(study.stage, 41, "Monitor", Role.MONITOR)
        await monitor.says("/labs S-001")
        assert monitor.label("release.button.start") not in monitor.phone.last.labels


async def test_a_release_on_both_databases(both_stages: Stage) -> None:
    made = await study(both_stages)
    await drawn(made.coordinator, "Hb 82 PLT 34")
    await released(made.coordinator)
    assert "82 g/L" in await looks(made.anna)
    assert len(await rows(both_stages, OutboxMessage, purpose="labs.released")) <= 1
