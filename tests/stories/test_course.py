"""The course of a patient's symptoms, as staff see it: what was said, and where nothing is known."""

from datetime import datetime

import pytest

from bot.store.models import AdverseEvent, AuditEntry, Checkin, OutboxMessage
from bot.story.people import Person
from bot.story.stage import Stage
from bot.usecases import course
from bot.work import Work
from tests.people import Study, study
from tests.stories.conftest import trial
from tests.stories.scenes import Watch, last_values, rows, subject
from tests.stories.test_checkins import begins, week, well


def label(person: Person, key: str, **values: object) -> str:
    return person.label_template(key).format(**values)


def line(person: Person, row: str, text: str) -> str:
    """Return the line of one row in what somebody was shown."""
    name = person.label(f"course.row.{row}")
    return next((each for each in text.splitlines() if each.startswith(name)), "")


async def report(stage: Stage, reader: Person, code: str) -> str:
    """Let staff look at the course of a patient; return the text, which may come after its picture."""
    sees = Watch(reader)
    await reader.says(f"/report {code}")
    assert [message.kind for message in sees.new][0] == "photo"
    return "\n".join(sees.texts)


async def picture(stage: Stage) -> dict[str, object]:
    import json

    message = (await rows(stage, OutboxMessage, text_key="course.shown"))[-1]
    spec: dict[str, object] = json.loads(message.picture or "{}")
    return spec


async def marks(stage: Stage, reader: Person, row: str) -> list[str]:
    spec = await picture(stage)
    (found,) = [each for each in spec["rows"] if each["name"] == reader.label(f"course.row.{row}")]  # type: ignore[attr-defined]
    return list(found["marks"])


async def staff_in(study: Study, locale: str) -> Person:
    """Return a member of staff who reads in a language."""
    reader = study.coordinator if study.coordinator.locale == locale else study.doctor
    if reader.locale != locale:
        await reader.says("/settings")
        await reader.taps("settings.button.language", f"language.{locale}")
    return reader


@pytest.mark.parametrize("locale", ["zh", "en"])
async def test_a_whole_course_is_read_in_either_language(study: Study, locale: str) -> None:
    reader = await staff_in(study, locale)
    clara, stage = study.clara, study.stage
    # Week 1: a report. Week 2: a check-in with scores. Week 3: none is answered. Week 4: her own words.
    await clara.taps("menu.button.unwell", "report.trouble.fever", "report.fever.place.axillary")
    await clara.says("38.6")
    await begins(study)
    await clara.taps("checkin.severity.3", "checkin.interference.1")
    await well(clara, "fatigue")
    await clara.taps("report.answer.none")
    await stage.until(week(2, hours=-2))
    await clara.says("我流鼻血了，止不住")
    said = await report(stage, reader, "S-003")

    assert reader.label("course.level.red_come") in line(reader, "fever", said)
    assert reader.label("course.source.report") in line(reader, "fever", said)
    tired = line(reader, "tired_dizzy", said)
    assert label(reader, "course.score", score=3) in tired
    assert reader.label("course.level.amber") in tired
    assert reader.label("course.source.words") in line(reader, "bleeding", said)
    shown = await last_values(stage, "course.shown")
    assert reader.label("course.row.bleeding") in shown["headline"] or reader.label("course.row.fever") in shown["headline"]
    assert label(reader, "course.weeks.no_answer", weeks="3") in said
    assert said.index(label(reader, "course.row.bleeding")) < said.rindex(label(reader, "course.row.fever"))
    assert await marks(stage, reader, "fever") == ["red_come", "nothing", "no_answer"]
    assert await marks(stage, reader, "eyes_ears") == ["not_asked", "not_asked", "not_asked"]
