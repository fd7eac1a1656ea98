"""A patient who travels: days stay those of the site and say so, and no reminder comes at night."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from bot.store.models import AuditEntry
from bot.story.people import Person
from tests.people import Study
from tests.stories.scenes import Watch, in_language, rows, subject

LONDON = ZoneInfo("Europe/London")


async def travels(someone: Person, key: str) -> None:
    await someone.says("/settings")
    await someone.taps("settings.button.zone", key)


async def test_who_travels_reads_whose_days_are_meant(study: Study, locale: str) -> None:
    anna = await in_language(study.anna, locale)
    await anna.says("/visits")
    assert anna.label("zone.beijing") not in anna.phone.last.text
    await travels(anna, "zone.london")
    assert anna.read("zone.kept")
    await anna.says("/visits")
    assert anna.label("zone.beijing") in anna.phone.last.text
    await travels(anna, "zone.beijing")
    await anna.says("/visits")
    assert anna.label("zone.beijing") not in anna.phone.last.text


@pytest.mark.req("DI-01")
async def test_the_zone_is_kept_in_the_trail_and_shown_to_staff(study: Study) -> None:
    await travels(study.anna, "zone.london")
    anna = await subject(study.stage, "S-001")
    assert anna.timezone == "Europe/London"
    changes = [
        entry.changes["timezone"]
        for entry in await rows(study.stage, AuditEntry, what="subject.changed")
        if "timezone" in entry.changes
    ]
    assert changes == [["Asia/Shanghai", "Europe/London"]]
    await study.coordinator.says("/patient S-001")
    assert study.coordinator.label("zone.london") in study.coordinator.phone.last.text


async def test_no_reminder_comes_in_the_night_of_the_patient(study: Study) -> None:
    await travels(study.anna, "zone.london")
    sees = Watch(study.anna)
    await study.stage.until(datetime.fromisoformat("2026-11-12T12:00:00+08:00"))
    hours = [message.at.astimezone(LONDON).hour for message in sees.new]
    assert hours
    assert all(8 <= hour < 21 for hour in hours)
