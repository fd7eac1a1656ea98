"""When does the brief of a visit day go out, and what takes it back before it has left?"""

from datetime import date, timedelta

from bot.domain.reminders import daily_at
from bot.work import Work

LOOK = "brief.look"
PURPOSE = "brief"  # about_id: the visit day as an ordinal


def plan_look(work: Work) -> None:
    """Enter the next morning's look; a second call enters nothing more."""
    at, zone = work.protocol.brief.at, work.settings.zone
    day = work.today if daily_at(work.today, at, zone) > work.now else work.today + timedelta(days=1)
    work.plan(LOOK, f"{LOOK}:{day.isoformat()}", daily_at(day, at, zone), 0)


def take_back(work: Work, day: date, reason: str) -> None:
    """Take back what has not left of the briefs of a day; who waits for one gets it as the day is then."""
    if day == work.today and work.silence(reason, purpose=PURPOSE, about_id=day.toordinal()):
        work.plan(LOOK, f"{LOOK}:{day.isoformat()}:{work.now.isoformat()}", work.now, 0)
