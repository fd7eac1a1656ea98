"""What goes into the calendar file that a patient asks for?

Days, not hours: a visit has a day, and an all-day entry stays on it wherever the phone travels. Other people see
a phone's calendar, so the title says no more than that it is a visit (DI-21); not even what staff call it.
"""

from typing import Any

from bot.domain.visits import VisitKind
from bot.store.models import Visit
from bot.usecases import screens, visit_reminders
from bot.work import Button, Work


def button() -> list[Button]:
    """Return the row that offers the file below a list of visits."""
    return [Button("visit.button.calendar", "visits.calendar")]


def send(work: Work, _args: object = None) -> None:
    """Send the planned visits with a decided day as a file."""
    subject = screens.subject_of(work)
    decided = visit_reminders.to_tell(work, subject)
    if not decided or not screens.on_study(subject):
        work.answer("visit.none_planned", phone=screens.phone(work))
        return
    spec = {"made_at": work.now.isoformat(), "events": [_event(work, each) for each in decided]}
    work.answer("visit.calendar", document=spec, subject_id=subject.id, phone=screens.phone(work))


def _event(work: Work, visit: Visit) -> dict[str, Any]:
    return {
        "uid": f"visit-{visit.id}@{work.deps.username}.{work.settings.site.lower()}",
        "sequence": visit.plan_version,
        "day": visit.target_on.isoformat(),
        "summary": work.text("visit.calendar.summary"),
        "location": work.settings.site_place or work.text("visit.place.default"),
        "description": work.text(
            "visit.calendar.description",
            bring=work.text(f"visit.bring.{VisitKind(visit.kind).preparation}"),
            phone=screens.phone(work),
        ),
    }
