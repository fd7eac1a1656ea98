"""Staff see by day who is due, who answered what and who is overdue, and record with one tap."""

from datetime import date

import pytest

from bot.domain.roles import Role
from bot.simulator.parts import NoSuchButton
from bot.store.models import VisitRecord
from tests.people import Study, staff
from tests.stories.scenes import Watch, in_language, rows
from tests.stories.test_reminders import at, move


class TestToday:
    async def test_one_tap_records_a_visit_inside_its_window(self, study: Study, locale: str) -> None:
        nurse = await in_language(study.coordinator, locale)
        await study.stage.until(at("2026-11-16T10:00"))
        await nurse.says("/today")
        assert "S-003" in nurse.phone.last.text
        await nurse.presses(nurse.label("due.button.done_today", code="S-003"))
        assert nurse.read("visit.recorded.done")
        (record,) = await rows(study.stage, VisitRecord)
        assert (record.held_on, record.source, record.deviation) == (date(2026, 11, 16), "clinic", None)
        await nurse.says("/today")
        assert "S-003" not in nurse.phone.last.text

    async def test_a_second_tap_on_an_old_list_records_nothing_twice(self, study: Study) -> None:
        nurse = study.coordinator
        await study.stage.until(at("2026-11-16T10:00"))
        await nurse.says("/today")
        listed = nurse.phone.last
        label = nurse.label("due.button.done_today", code="S-003")
        for _ in range(2):
            await nurse.phone.taps_on(listed, label)
            await study.stage.settle()
        assert nurse.read("visit.overtaken")
        assert len(await rows(study.stage, VisitRecord)) == 1

    async def test_a_day_after_the_window_asks_why(self, study: Study) -> None:
        nurse = study.coordinator
        await study.stage.until(at("2026-11-30T10:00"))
        await nurse.says("/today")
        sees = Watch(nurse)
        await nurse.presses(nurse.label("due.button.done_today", code="S-003"))
        assert sees.last("visit.ask.why_deviates")
        await nurse.taps("reason.patient_could_not")
        record = (await rows(study.stage, VisitRecord))[-1]
        assert (record.held_on, record.deviation, record.reason) == (
            date(2026, 11, 30),
            "late",
            "#patient_could_not",
        )


class TestDue:
    async def test_answers_and_days_are_shown(self, study: Study) -> None:
        nurse = study.coordinator
        await study.stage.until(at("2026-11-13T18:30"))
        await study.clara.taps("visit.button.will_come")
        await nurse.says("/due")
        text = nurse.phone.last.text
        assert study.stage.deps.texts.full_day(date(2026, 11, 16), "en") in text
        line = next(each for each in text.splitlines() if "S-003" in each)
        assert nurse.label("due.reply.will_come") in line
        assert not any(name in text for name in ("Anna", "Boris", "Clara"))

    async def test_a_monitor_reads_and_has_no_button_to_record(self, study: Study) -> None:
        monitor = await staff(study.stage, 15, "Monitor", Role.MONITOR)
        await study.stage.until(at("2026-11-16T10:00"))
        for command in ("/due", "/today"):
            await monitor.says(command)
            assert "S-003" in monitor.phone.last.text
            with pytest.raises(NoSuchButton):
                await monitor.presses(monitor.label("due.button.done_today", code="S-003"))

    async def test_days_of_a_year_without_official_notice_are_marked(self, study: Study) -> None:
        await move(study, "S-003", "cbc", date(2027, 1, 5))
        await study.coordinator.taps("form.button.yes")
        study.stage.clock.set(at("2026-12-30T10:00"))
        await study.coordinator.says("/due")
        pages = [study.coordinator.phone.last.text]
        if study.coordinator.label("list.more") in study.coordinator.phone.last.labels:
            await study.coordinator.taps("list.more")
            pages.append(study.coordinator.phone.last.text)
        assert any(study.coordinator.label("clinic.provisional", year="2027") in page for page in pages)
