"""What do staff call a visit: by its kind, and by its title if they gave it one?"""

from bot.store.models import Visit
from bot.work import Text, Work


def named(visit: Visit) -> Text:
    """Return what a visit is, in the language of whoever reads it."""
    what = Text(f"visit.kind.{visit.kind}")
    return Text("visit.titled", {"what": what, "title": visit.title}) if visit.title else what


def short(work: Work, visit: Visit) -> str:
    """Return what a visit is in one or two words, as they fit on a button of the caller."""
    return visit.title or work.text(f"visit.short.{visit.kind}")
