"""In which time zone does a subject live at the moment, and when is it day both there and at the site?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from bot.domain.reminders import QuietHours, out_of_quiet

# The zones that a travelling subject can choose, by the code of their text: where families of patients live.
ZONES: Mapping[str, str] = MappingProxyType(
    {
        "beijing": "Asia/Shanghai",
        "bangkok": "Asia/Bangkok",
        "tokyo": "Asia/Tokyo",
        "sydney": "Australia/Sydney",
        "paris": "Europe/Paris",
        "london": "Europe/London",
        "new_york": "America/New_York",
        "los_angeles": "America/Los_Angeles",
    }
)


def out_of_nights(moment: datetime, zones: Sequence[ZoneInfo], quiet: QuietHours) -> datetime:
    """Return the first moment (UTC) from ``moment`` (aware) on that is quiet in none of ``zones``.

    Where no such moment exists within two days, the quiet hours of the last of ``zones`` alone count.
    """
    reached = moment
    # Each round moves past the quiet hours of one zone; two nights a day make four rounds in two days.
    for _ in range(4):
        before = reached
        for zone in zones:
            reached = out_of_quiet(reached, zone, quiet)
        if reached == before:
            return reached
    return out_of_quiet(moment, zones[-1], quiet)


def code_of(zone: str) -> str | None:
    """Return the code of a zone's text, or None for a zone that only the site uses."""
    return next((code for code, name in ZONES.items() if name == zone), None)
