"""How do planned visits become a file that a phone's calendar takes?

Rendered when it is sent, like a picture, from the plain data in the message. A visit keeps its UID for life and
its SEQUENCE rises with every move, so taking the file once more moves the entry instead of adding one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

NAME = "visits.ics"
PRODUCT = "-//followup//visits//EN"
# All-day entries begin at midnight; six hours before is six o'clock on the evening before.
EVENING_BEFORE = timedelta(hours=-6)


@dataclass(frozen=True, slots=True)
class Document:
    """A file as it is handed over."""

    name: str
    content: bytes


def make(spec: Mapping[str, Any]) -> Document:
    """Return the calendar file that a message's document entry describes.

    Raises:
        KeyError: a part of the entry is missing.
    """
    # Read late: the library takes its time, and most starts never need it.
    from icalendar import Alarm, Calendar, Event

    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    for each in spec["events"]:
        day = date.fromisoformat(each["day"])
        event, alarm = Event(), Alarm()
        event.add("uid", each["uid"])
        event.add("sequence", each["sequence"])
        event.add("dtstamp", datetime.fromisoformat(spec["made_at"]))
        event.add("dtstart", day)
        event.add("dtend", day + timedelta(days=1))
        for name in ("summary", "location", "description"):
            event.add(name, each[name])
        alarm.add("action", "DISPLAY")
        alarm.add("description", each["summary"])
        alarm.add("trigger", EVENING_BEFORE)
        event.add_component(alarm)
        calendar.add_component(event)
    return Document(NAME, calendar.to_ical())
