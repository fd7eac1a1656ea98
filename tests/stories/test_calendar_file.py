"""A patient takes the visits into the phone's own calendar, and a moved visit moves there too."""

from datetime import date, timedelta
from typing import Any

import pytest
from icalendar import Calendar
from sqlmodel import select

from bot.store.models import OutboxMessage, Subject, Visit
from bot.usecases import plan
from bot.work import Work
from tests.people import Study
from tests.stories.scenes import in_language, rows


async def file_of(study: Study) -> tuple[Any, list[Any]]:
    """Let Anna ask for her file; return the calendar and its entries as a phone reads them."""
    await study.anna.says("/visits")
    await study.anna.taps("visit.button.calendar")
    message = study.anna.phone.last
    assert message.kind == "document"
    assert message.file is not None
    assert message.file.name == "visits.ics"
    calendar = Calendar.from_ical(message.file.content)
    return calendar, list(calendar.walk("VEVENT"))


async def test_the_file_names_day_place_and_what_to_bring_and_nothing_else(study: Study, locale: str) -> None:
    await in_language(study.anna, locale)
    calendar, events = await file_of(study)
    planned = [each for each in await rows(study.stage, Visit, subject_id=1) if each.state == "planned"]
    assert sorted(event.decoded("dtstart") for event in events) == sorted(each.target_on for each in planned)
    assert calendar["version"] == "2.0"
    for event in events:
        assert isinstance(event.decoded("dtstart"), date)
        assert event.decoded("dtend") - event.decoded("dtstart") == timedelta(days=1)
        assert str(event["summary"]) == study.anna.label("visit.calendar.summary")
        assert str(event["location"]) == study.anna.label("visit.place.default")
        assert study.stage.deps.settings.site_phone in str(event["description"])
        (alarm,) = event.walk("VALARM")
        assert alarm.decoded("trigger") == timedelta(hours=-6)
    text = calendar.to_ical().decode().lower()
    assert not [
        word for word in ("s-001", "nct", "trial", "试验", "地中海", "luspatercept", "罗特西普") if word in text
    ]


async def test_a_moved_visit_keeps_its_name_and_rises_in_sequence(study: Study) -> None:
    _, before = await file_of(study)

    def move(work: Work) -> None:
        subject = work.session.exec(select(Subject).where(Subject.code == "S-001")).one()
        visit = work.session.exec(select(Visit).where(Visit.subject_id == subject.id, Visit.kind == "cbc")).one()
        plan.move(work, visit, visit.target_on + timedelta(days=1))

    await study.stage.within(move)
    _, after = await file_of(study)
    old, new = ({str(event["uid"]): event for event in events} for events in (before, after))
    assert old.keys() == new.keys()
    moved = [uid for uid in old if old[uid].decoded("dtstart") != new[uid].decoded("dtstart")]
    assert len(moved) == 1
    assert new[moved[0]]["sequence"] > old[moved[0]]["sequence"]
    assert len(set(old)) == len(before)


async def test_a_visit_without_a_day_is_not_in_the_file(study: Study) -> None:
    def undecide(work: Work) -> None:
        for visit in work.session.exec(select(Visit).where(Visit.kind == "cbc")).all():
            visit.undecided = True

    _, before = await file_of(study)
    await study.stage.within(undecide)
    _, after = await file_of(study)
    assert len(after) == len(before) - 1


@pytest.mark.req("SEC-05")
async def test_the_file_can_be_opened_elsewhere_and_everything_else_stays_in_the_chat(study: Study) -> None:
    await file_of(study)
    sent = study.stage.telegram.log[-1]
    assert (sent.method, sent.protected) == ("sendDocument", False)
    (row,) = await rows(study.stage, OutboxMessage, method="document")
    assert (row.state, row.message_id) == ("sent", study.anna.phone.last.message_id)
