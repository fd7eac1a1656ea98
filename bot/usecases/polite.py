"""Has this phone shown enough for today? The one gate for every message that can wait (see decision 0036)."""

from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import bindparam
from sqlmodel import col, select

from bot.domain.reminders import CanWait, Importance, Room, daily_at, room_today
from bot.store import agenda, outbox, people
from bot.store.models import Account, AgendaItem, Subject
from bot.usecases import outage, zones
from bot.work import Keyboard, Lane, Work

REMINDER = "visit.reminder"
ANNOUNCE = "visit.announce"
NO_DAY = "visit.no_day"  # the day that was told does not stand, and no other is decided
GONE = "visit.gone"  # a visit was taken out of the plan
CHASE = "visit.chase"
PROMPT = "dose.prompt"
NUDGE = "dose.nudge"
DOSE_ORDER = "dose.order"  # what staff ordered of the tablets
DOSE_CHANGE = "dose.change"  # that they pause, go on or end
CHECKIN = "checkin.ask"
CHECKIN_AGAIN = "checkin.again"
HOME_COUNT = "counts.ask"
RELEASED = "labs.released"
IMPORTANCE = {
    outage.ASK: Importance.SAFETY,
    REMINDER: Importance.VISIT,
    ANNOUNCE: Importance.VISIT,
    NO_DAY: Importance.VISIT,
    # Nobody shall come in vain.
    GONE: Importance.SAFETY,
    CHASE: Importance.VISIT,
    # What is to be taken is known on its day.
    DOSE_ORDER: Importance.SAFETY,
    DOSE_CHANGE: Importance.SAFETY,
    PROMPT: Importance.QUESTION,
    NUDGE: Importance.NUDGE,
    CHECKIN: Importance.QUESTION,
    CHECKIN_AGAIN: Importance.NUDGE,
    HOME_COUNT: Importance.QUESTION,
    RELEASED: Importance.QUESTION,
}
# Tablets and symptoms are asked about on the patient's own phone alone.
OF_PATIENT = frozenset({PROMPT, NUDGE, CHECKIN, CHECKIN_AGAIN, HOME_COUNT, RELEASED})

# What a use case returns about an entry that stays in the agenda for later.
PUT_OFF = "put off"
ENOUGH = "enough messages today"
# So many days a message looks for room on a phone before it is given up for its reader.
DAYS_TRIED = 3


def not_told() -> bool:
    return False


def hold_back(
    work: Work,
    subject: Subject,
    item: AgendaItem,
    useful_until: datetime | None = None,
    told: Callable[[], bool] = not_told,
) -> str | None:
    """Return None when ``item`` may be said now; otherwise put it off, or give it up, and return which.

    The patient's phone decides. Whether there is room on a caregiver's is looked at when it is said (`moment`).
    """
    reader = decides(work, subject)
    until = useful_until or item.useful_until or work.now + timedelta(days=2)
    if reader is None:
        return None
    match room(work, subject, reader, item.kind, until, besides=item, told=told):
        case Room.PUT_OFF:
            item.due_at = next_morning(work, subject)
            item.reason = ENOUGH
            return PUT_OFF
        case Room.GIVE_UP:
            return ENOUGH
        case _:
            return None


def decides(work: Work, subject: Subject) -> Account | None:
    """Return whose phone decides whether there is room: the patient's, or a caregiver's without one."""
    return next(iter(people.patient_first(work.session, subject.id or 0)), None)


def room(
    work: Work,
    subject: Subject,
    reader: Account,
    kind: str,
    useful_until: datetime,
    *,
    besides: AgendaItem | None = None,
    told: Callable[[], bool] = not_told,
    ahead: int = 0,
) -> Room:
    """Return whether there is room for a message of this kind on a phone, today or so many days ``ahead``.

    ``besides`` is the entry it is made from; ``told`` tells whether this reader learns of it from another one.
    """
    subject_id = subject.id or 0
    starts, ends = _day(work, ahead)
    said = outbox.count_of_day(work.session, reader.id or 0, IMPORTANCE, starts, ends)
    own = reader in people.patient_first(work.session, subject_id)
    kinds = [each for each in IMPORTANCE if own or each not in OF_PATIENT]
    # Of several entries for one moment only one becomes a message: they are merged.
    to_come = {
        (each.kind, each.due_at): CanWait(IMPORTANCE[each.kind], each.useful_until or ends)
        for each in agenda.waiting_for(work.session, subject_id, kinds, ends)
        if each is not besides and (not ahead or each.due_at >= starts)
    }
    message, limit = CanWait(IMPORTANCE[kind], useful_until), work.protocol.daily_limit
    morning = zones.out_of_nights(work, subject, ends)
    found = room_today(message, said, list(to_come.values()), limit, morning)
    if found is Room.SAY_OVER:
        # Looked up only now, for it is seldom needed.
        found = room_today(message, said, list(to_come.values()), limit, morning, told=told())
    return found


def moment(
    work: Work,
    subject: Subject,
    reader: Account,
    kind: str,
    useful_until: datetime,
    *,
    besides: AgendaItem | None = None,
    told: Callable[[], bool] = not_told,
) -> datetime | None:
    """Return when a message can be shown on one more phone: now, on the first morning with room, or never."""
    for ahead in range(DAYS_TRIED):
        match room(work, subject, reader, kind, useful_until, besides=besides, told=told, ahead=ahead):
            case Room.GIVE_UP:
                return None
            case Room.SAY | Room.SAY_OVER:
                return zones.out_of_nights(work, subject, _day(work, ahead)[0]) if ahead else awake(work, subject)
            case Room.PUT_OFF:
                continue
    return None


def put(
    work: Work,
    subject: Subject,
    item: AgendaItem,
    key: str,
    keyboard: Keyboard,
    *,
    purpose: str,
    about_id: int | None,
    asked: str,
    until: datetime,
    useful_until: datetime | None,
    **said: Any,
) -> int:
    """Put a question on the patient's phones; return how many there are. ``asked`` names it, so that it comes once.

    Where it finds no room until ``until`` it is skipped, and it stays readable that this phone was spared it.
    """
    readers, first = people.patient_first(work.session, subject.id or 0), decides(work, subject)
    for account in readers:
        shown = account == first or moment(work, subject, account, item.kind, until, besides=item)
        message = work.say(
            account,
            key,
            keyboard,
            lane=Lane.REMINDER,
            purpose=purpose,
            about_id=about_id,
            subject_id=subject.id,
            dedupe_key=f"{asked}:{account.id}",
            useful_until=useful_until,
            **said,
        )
        if not shown and message is not None:
            outbox.close(message, "skipped", work.now, ENOUGH)
    return len(readers)


def merges(work: Work) -> timedelta:
    """Return how near in time two messages are said as one."""
    return timedelta(minutes=work.protocol.daily_limit.merge_within_minutes)


_NEAR = (
    select(AgendaItem)
    .where(
        agenda.WAITING,
        AgendaItem.kind == bindparam("kind"),
        AgendaItem.subject_id == bindparam("subject_id"),
        AgendaItem.due_at <= bindparam("until"),
    )
    .order_by(col(AgendaItem.due_at))
)


def all_near(work: Work, subject: Subject, kind: str) -> Sequence[AgendaItem]:
    """Return the entries of this kind that come so soon that they are said together with what is due now."""
    given = {"kind": kind, "subject_id": subject.id, "until": work.now + merges(work)}
    return work.session.exec(_NEAR, params=given).all()


def near(work: Work, subject: Subject, kind: str) -> AgendaItem | None:
    """Return the first entry of this kind that comes so soon that it is said together with what is due now."""
    return next(iter(all_near(work, subject, kind)), None)


def next_morning(work: Work, subject: Subject) -> datetime:
    """Return when the first message of tomorrow may be said; days are those of the site."""
    return zones.out_of_nights(work, subject, _day(work)[1])


def awake(work: Work, subject: Subject | None) -> datetime:
    """Return now, or the end of the quiet hours that it lies in: those of the site, and where ``subject`` is."""
    return zones.out_of_nights(work, subject, work.now)


def _day(work: Work, ahead: int = 0) -> tuple[datetime, datetime]:
    zone, day = work.settings.zone, work.today + timedelta(days=ahead)
    return daily_at(day, time(0), zone), daily_at(day + timedelta(days=1), time(0), zone)
