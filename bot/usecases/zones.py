"""Where is a patient at the moment, and what is said of times when that is not where the site is?

Days and hours are always those of the site, and say so to whoever lives in another zone. What can wait comes
neither in the site's night nor in the patient's.
"""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from bot.domain import zones as rules
from bot.store.models import Subject
from bot.usecases import screens
from bot.work import Button, Text, Work


def elsewhere(work: Work, subject: Subject) -> bool:
    """Tell whether a subject lives in another zone than the site's at the moment."""
    return subject.timezone != work.settings.site_timezone


def place(work: Work, subject: Subject) -> str | Text:
    """Return where visits take place; to whom it may be in doubt also which clock their days mean."""
    known: str | Text = work.settings.site_place or Text("visit.place.default")
    if not elsewhere(work, subject):
        return known
    return Text("zone.place", {"place": known, "zone": name(work.settings.site_timezone)})


def clock(work: Work, subject: Subject, at: str) -> str | Text:
    """Return a time of day at the site; to whom it may be in doubt also whose clock is meant."""
    if not elsewhere(work, subject):
        return at
    return Text("zone.clock", {"at": at, "zone": name(work.settings.site_timezone)})


def name(zone: str) -> Text:
    """Return what people call a zone; one that is in no list is the site's own."""
    code = rules.code_of(zone)
    return Text(f"zone.{code}") if code is not None else Text("zone.of_site")


def out_of_nights(work: Work, subject: Subject | None, moment: datetime) -> datetime:
    """Return the first moment from ``moment`` on that is night neither at the site nor where the subject is."""
    site = work.settings.zone
    there = site if subject is None else ZoneInfo(subject.timezone)
    return rules.out_of_nights(moment, list(dict.fromkeys([there, site])), work.protocol.quiet_hours)


def ask(work: Work, _args: object = None) -> None:
    """Ask where the patient is, the site's zone first."""
    site = work.settings.site_timezone
    choices = [site, *(zone for zone in rules.ZONES.values() if zone != site)]
    rows = [[Button(name(zone).key, "settings.set_zone", {"zone": zone})] for zone in choices]
    work.answer("zone.ask", rows, single_use=True, zone=name(screens.subject_of(work).timezone))


def choose(work: Work, args: dict[str, Any]) -> None:
    """Keep where the patient is; the change is in the audit trail."""
    subject = screens.subject_of(work)
    subject.timezone = args["zone"]
    work.answer("zone.kept", zone=name(subject.timezone), site=name(work.settings.site_timezone))
