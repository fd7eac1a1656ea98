"""Has this patient heard enough for today? The one gate for every message that can wait (see decision 0036)."""

from datetime import datetime, time, timedelta

from sqlalchemy import bindparam
from sqlmodel import col, select

from bot.domain.reminders import CanWait, Importance, Room, daily_at, room_today
from bot.store import agenda, outbox, people
from bot.store.models import AgendaItem, Subject
from bot.usecases import zones
from bot.work import Work

REMINDER = "visit.reminder"
ANNOUNCE = "visit.announce"
CHASE = "visit.chase"
PROMPT = "dose.prompt"
NUDGE = "dose.nudge"
IMPORTANCE = {
    REMINDER: Importance.VISIT,
    ANNOUNCE: Importance.VISIT,
    CHASE: Importance.VISIT,
    PROMPT: Importance.QUESTION,
    NUDGE: Importance.NUDGE,
}

# What a use case returns about an entry that stays in the agenda for later.
PUT_OFF = "put off"
ENOUGH = "enough messages today"


def hold_back(work: Work, subject: Subject, item: AgendaItem, useful_until: datetime | None = None) -> str | None:
    """Return None when ``item`` may be said now; otherwise put it off, or give it up, and return which."""
    until = useful_until or item.useful_until or work.now + timedelta(days=2)
    match room(work, subject, item.kind, until, besides=item.id):
        case Room.PUT_OFF:
            item.due_at = next_morning(work, subject)
            item.reason = ENOUGH
            return PUT_OFF
        case Room.GIVE_UP:
            return ENOUGH
        case _:
            return None


def room(work: Work, subject: Subject, kind: str, useful_until: datetime, besides: int | None = None) -> Room:
    """Return whether there is room today for a message of this kind."""
    subject_id = subject.id or 0
    readers = people.patient_first(work.session, subject_id)
    if not readers:
        return Room.SAY
    starts, ends = _day(work)
    said = outbox.count_of_day(work.session, readers[0].id or 0, IMPORTANCE, starts, ends)
    # Of several entries for one moment only one becomes a message: they are merged.
    to_come = {
        (each.kind, each.due_at): CanWait(IMPORTANCE[each.kind], each.useful_until or ends)
        for each in agenda.waiting_for(work.session, subject_id, IMPORTANCE, ends)
        if each.id != besides
    }
    message = CanWait(IMPORTANCE[kind], useful_until)
    return room_today(message, said, list(to_come.values()), work.protocol.daily_limit, next_morning(work, subject))


def merges(work: Work) -> timedelta:
    """Return how near in time two messages are said as one."""
    return timedelta(minutes=work.protocol.daily_limit.merge_within_minutes)


_NEAR = (
    select(AgendaItem)
    .where(
        AgendaItem.state == "waiting",
        AgendaItem.kind == bindparam("kind"),
        AgendaItem.subject_id == bindparam("subject_id"),
        AgendaItem.due_at <= bindparam("until"),
    )
    .order_by(col(AgendaItem.due_at))
    .limit(1)
)


def near(work: Work, subject: Subject, kind: str) -> AgendaItem | None:
    """Return the entry of this kind that comes so soon that it is said together with what is due now."""
    given = {"kind": kind, "subject_id": subject.id, "until": work.now + merges(work)}
    return work.session.exec(_NEAR, params=given).first()


def next_morning(work: Work, subject: Subject) -> datetime:
    """Return when the first message of tomorrow may be said; days are those of the site."""
    return zones.out_of_nights(work, subject, _day(work)[1])


def awake(work: Work, subject: Subject | None) -> datetime:
    """Return now, or the end of the quiet hours that it lies in: those of the site, and where ``subject`` is."""
    return zones.out_of_nights(work, subject, work.now)


def _day(work: Work) -> tuple[datetime, datetime]:
    zone = work.settings.zone
    return (
        daily_at(work.today, time(0), zone),
        daily_at(work.today + timedelta(days=1), time(0), zone),
    )
