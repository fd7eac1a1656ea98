"""What did patients not hear because the bot was down for too long? Staff get one list after an outage."""

from datetime import datetime

from sqlmodel import Session

from bot.domain.roles import Role
from bot.store import agenda, outbox, people
from bot.store.models import Heartbeat, Subject, Visit
from bot.usecases import polite, visit_reminders
from bot.work import Day, Lane, Lines, Text, Work

LOOKED = "skipped"
SHOWN = 30  # lines; a page of them is read, more would be scrolled over
STEPS = {
    polite.REMINDER: "skipped.reminder",
    polite.ANNOUNCE: "skipped.announce",
    polite.NO_DAY: "skipped.announce",
    polite.GONE: "skipped.announce",
    polite.CHASE: "skipped.chase",
    polite.PROMPT: "skipped.prompt",
    polite.NUDGE: "skipped.nudge",
    polite.DOSE_ORDER: "skipped.dose_told",
    polite.DOSE_CHANGE: "skipped.dose_told",
    polite.CHECKIN: "skipped.checkin",
    polite.CHECKIN_AGAIN: "skipped.checkin",
    polite.HOME_COUNT: "skipped.count",
    polite.RELEASED: "skipped.released",
}


def is_due(session: Session, now: datetime) -> bool:
    """Tell whether something was skipped since the last look and nothing that is due is still to be worked on.

    So there is one list an outage, and not one for each part of the work after it.
    """
    heart = session.get(Heartbeat, LOOKED)
    if heart is None or heart.at > now:
        return True
    found = agenda.too_late(session, heart.at, 1) or outbox.too_late(session, heart.at, STEPS, 1)
    return bool(found) and not agenda.due(session, polite.IMPORTANCE, now, 1)


def tell(work: Work) -> int:
    """Tell the coordinators what was skipped since the last look; return how many things."""
    heart = work.session.get(Heartbeat, LOOKED)
    since = heart.at if heart is not None and heart.at <= work.now else work.now
    items = agenda.too_late(work.session, since)
    messages = outbox.too_late(work.session, since, STEPS)
    work.session.merge(Heartbeat(name=LOOKED, at=work.now))
    lines: list[Text | Day | str] = [
        _line(work, each.kind, each.about_id, each.subject_id, str(each.detail.get("code", "")))
        for each in items
        if each.kind in STEPS
    ]
    lines += [_line(work, each.purpose, each.about_id, each.subject_id) for each in messages]
    lines = [line for number, line in enumerate(lines) if line not in lines[:number]]
    if not lines:
        return 0
    for _, account in people.staff(work.session, [Role.COORDINATOR]):
        more = len(lines) - SHOWN
        work.say(
            account,
            "staff.skipped",
            lane=Lane.AMBER,
            purpose="staff",
            dedupe_key=f"skipped:{work.now.isoformat()}:{account.id}",
            due_at=polite.awake(work, None),
            number=len(lines),
            lines=Lines([*lines[:SHOWN], *([Text("staff.skipped.more", {"n": more})] if more > 0 else [])]),
        )
    return len(lines)


def _line(work: Work, kind: str, about_id: int | None, subject_id: int | None, code: str = "") -> Text:
    """Return which subject did not hear which step of which visit."""
    values: dict[str, object] = {"code": work.session.get_one(Subject, subject_id).code, "step": Text(STEPS[kind])}
    if kind not in (polite.REMINDER, polite.CHASE):
        return Text("staff.skipped.line", values)
    visit = work.session.get_one(Visit, about_id)
    for step in work.protocol.reminders:
        if step.code == code:
            values["step"] = Text("skipped.reminder_of", {"n": step.days_before})
    values |= {"what": visit_reminders.name_of(visit), "day": Day(visit.target_on, "short_day")}
    return Text("staff.skipped.visit", values)
