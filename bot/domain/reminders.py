"""When is a reminder or a daily question sent, until when is it of use, and is there room for it today?

Wall times are those of the site's zone; every moment returned is aware UTC.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum, StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from bot.domain.adherence import AdherenceRule
from bot.domain.rhythm import RhythmRule
from bot.errors import FollowupError

# How long before the quiet hours something is sent that would otherwise fall into them.
BEFORE_QUIET = timedelta(minutes=5)
# After this wall time the day's visit is over or lost, so "today" need not be said any more (site default).
VISIT_DAY_ENDS = time(18, 0)


class NoSuchDay(FollowupError):
    """This calendar day never happened in this time zone (an island changed sides of the date line)."""


@dataclass(frozen=True, slots=True)
class ReminderStep:
    """One reminder of a visit: how many days before, at which local wall time, with which text key."""

    code: str
    days_before: int
    at: time
    text: str


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Local wall times between which nothing that can wait is sent; may span midnight.

    The start is quiet, the end is not. Equal times mean that there are no quiet hours.
    """

    starts: time
    ends: time

    def covers(self, local: time) -> bool:
        """Return whether the wall time ``local`` at the site is quiet."""
        if self.starts <= self.ends:
            return self.starts <= local < self.ends
        return local >= self.starts or local < self.ends


@dataclass(frozen=True, slots=True)
class DosePrompt:
    """When the tablets question is asked, asked again, how long it can be answered, and how often it comes.

    ``reasons_minutes``: reasons that were ticked and not sent off count after so long. ``missed``: which gaps
    staff hear of.
    """

    default_at: time
    nudge_after_minutes: int
    answerable_days: int
    reasons_minutes: int
    rhythm: RhythmRule
    missed: AdherenceRule


@dataclass(frozen=True, slots=True)
class CheckinPlan:
    """When the regular check-in is offered, offered once more, and given up.

    ``missed_in_row``: after so many that nobody answered, staff are told.
    """

    every_days: int
    default_at: time
    again_after_hours: int
    useful_days: int
    missed_in_row: int


@dataclass(frozen=True, slots=True)
class DailyLimit:
    """How many messages that can wait a patient gets a day, and what is near enough in time to be one message.

    ``messages`` counts reminders, announcements and the questions the bot asks by itself; never safety texts
    and never answers to what the patient did.
    """

    messages: int
    merge_within_minutes: int


@dataclass(frozen=True, slots=True)
class RemindLater:
    """What "remind me later" offers: some hours from now, the next morning, and so many times for one plan."""

    after_hours: tuple[int, ...]
    morning_at: time
    most_times: int


@dataclass(frozen=True, slots=True)
class AnotherDay:
    """How many other days a patient is offered, and how many days from today the first may be."""

    offered: int
    from_days: int


class ChaseAct(StrEnum):
    """What happens on a step of the chase of a visit that nobody recorded."""

    ASK_SUBJECT = "ask_subject"
    TELL_STAFF = "tell_staff"


@dataclass(frozen=True, slots=True)
class ChaseStep:
    """One step after a visit's day has passed without a record: so many days after, at which wall time."""

    code: str
    days_after: int
    at: time
    act: ChaseAct


class Importance(IntEnum):
    """Which of two messages of a day gives way: the lower one."""

    NUDGE = 0  # asking once more
    QUESTION = 1  # the daily question
    VISIT = 2  # whatever is about a visit
    SAFETY = 3  # how is the patient, after the bot was down: never held back, but it fills a place


@dataclass(frozen=True, slots=True)
class CanWait:
    """A message that is not urgent; until when it is of use (aware UTC)."""

    importance: Importance
    useful_until: datetime


class Room(StrEnum):
    """What becomes of a message on a day that may have had its messages."""

    SAY = "say"
    PUT_OFF = "put_off"
    GIVE_UP = "give_up"
    # It is about today or tomorrow, and nothing else will say it: it goes out over the limit.
    SAY_OVER = "say_over"


@dataclass(frozen=True, slots=True)
class DueReminder:
    """One reminder that is still to be sent; both times are aware UTC."""

    code: str
    text: str
    due_at: datetime
    useful_until: datetime


def daily_at(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the one moment (UTC) at which the clocks of ``zone`` show ``at`` on ``day``.

    A wall time that happens twice (clocks go back) means the first of the two. One that
    never happens (clocks go forward) is moved on by the length of the gap, or back by it
    when it would otherwise leave the day. So each day has exactly one moment.

    Raises:
        NoSuchDay: the zone left out the whole day.
    """
    # Without a fold, Python reads a wall time in a gap with the offset before it: moved on.
    for fold in (0, 1):
        moment = datetime.combine(day, at, tzinfo=zone).replace(fold=fold).astimezone(UTC)
        if moment.astimezone(zone).date() == day:
            return moment
    raise NoSuchDay(f"{day.isoformat()} in {zone.key}")


def out_of_quiet(moment: datetime, zone: ZoneInfo, quiet: QuietHours) -> datetime:
    """Return ``moment`` (aware), or the end of the quiet hours it falls into, as UTC.

    Only for messages that can wait: RED and AMBER safety texts are never put through this.
    """
    local = moment.astimezone(zone)
    if not quiet.covers(local.time()):
        return moment.astimezone(UTC)
    # The end may lie tomorrow, may happen twice, or may be swallowed by a clock change: the
    # first end that is not behind us and not itself quiet is the right one.
    ends = (
        datetime.combine(local.date() + timedelta(days=days), quiet.ends, tzinfo=zone)
        .replace(fold=fold)
        .astimezone(UTC)
        for days in range(5)
        for fold in (0, 1)
    )
    return min(end for end in ends if end >= moment and not quiet.covers(end.astimezone(zone).time()))


def before_quiet(moment: datetime, zone: ZoneInfo, quiet: QuietHours) -> datetime:
    """Return ``moment`` (aware), or a little before the quiet hours it falls into, as UTC.

    For a message that loses its use by the next morning, such as asking once more about today.
    """
    local = moment.astimezone(zone)
    if not quiet.covers(local.time()):
        return moment.astimezone(UTC)
    began_on = local.date() if local.time() >= quiet.starts else local.date() - timedelta(days=1)
    return daily_at(began_on, quiet.starts, zone) - BEFORE_QUIET


def next_daily(after: datetime, at: time, zone: ZoneInfo, quiet: QuietHours) -> datetime:
    """Return the first moment (UTC) strictly after ``after`` for something that happens once a day.

    Each site day has one: ``at``, or the end of the quiet hours when ``at`` is inside them.
    """
    day = after.astimezone(zone).date() - timedelta(days=2)
    while True:
        try:
            moment = out_of_quiet(daily_at(day, at, zone), zone, quiet)
        except NoSuchDay:
            moment = after
        if moment > after:
            return moment
        day += timedelta(days=1)


def reminders_for(
    target_on: date,
    steps: tuple[ReminderStep, ...],
    zone: ZoneInfo,
    quiet: QuietHours,
    now: datetime,
    hour: time | None = None,
    visit_day_ends: time = VISIT_DAY_ENDS,
) -> tuple[DueReminder, ...]:
    """Return the reminders of a visit on ``target_on`` that are still to come at ``now``, in order.

    ``hour`` is the subject's own reminder hour. It replaces the wall time of the steps on
    earlier days; the step on the visit's own morning keeps its time, since later would be too
    late. An hour inside quiet hours is not used. A step inside quiet hours moves to their end.

    Steps already past are left out and not sent late: a visit planned two days ahead gets
    the reminders for the day before and the same morning, and the message that announces the
    new visit stands in for the first.

    A reminder is useful until the next one is due. One from an earlier day ends with the day
    before the visit at the latest, for after midnight "tomorrow" would name the wrong day; one
    on the visit day ends at ``visit_day_ends``. A step that quiet hours moved past its use is
    left out; the next step says the same.
    """
    own_hour = None if hour is None or quiet.covers(hour) else hour
    visit_day = daily_at(target_on, time(0), zone)
    day_over = daily_at(target_on, visit_day_ends, zone)
    moments: list[tuple[datetime, datetime, ReminderStep]] = []
    for step in steps:
        wall = own_hour if own_hour is not None and step.days_before > 0 else step.at
        try:
            moment = daily_at(target_on - timedelta(days=step.days_before), wall, zone)
        except NoSuchDay:
            continue
        due = out_of_quiet(moment, zone, quiet)
        ends = visit_day if step.days_before > 0 else day_over
        if due < ends:
            moments.append((due, ends, step))
    # Of two that fall on one moment the one nearer to the visit is kept: it sorts last.
    moments.sort(key=lambda item: (item[0], -item[2].days_before))
    followed_by = [following[0] for _, following in pairwise(moments)] + [day_over]
    return tuple(
        DueReminder(step.code, step.text, due, min(ends, following))
        for (due, ends, step), following in zip(moments, followed_by, strict=True)
        if now <= due < following
    )


def room_today(
    message: CanWait,
    said: int,
    to_come: Collection[CanWait],
    limit: DailyLimit,
    next_morning: datetime,
    *,
    told: bool = False,
) -> Room:
    """Return what becomes of a message that is due now, when ``said`` messages were said today already.

    ``to_come`` is what else is planned for the rest of the day, ``next_morning`` when the next day's first
    message may be said. What cannot wait for it keeps a place before what can; of two that cannot, the more
    important one does. A nudge keeps no place.

    What has no place is put off to the next morning when it is still of use then. Otherwise a nudge or a
    daily question is given up, for the patient can still answer from the menu and tomorrow has a question of
    its own. A message about a visit is given up when this is ``told`` by another one, said or still to come;
    otherwise it is not, for it is about today or tomorrow. A message for safety is never held back.
    """
    if message.importance is Importance.SAFETY:
        return Room.SAY if said < limit.messages else Room.SAY_OVER
    can_wait = message.useful_until > next_morning
    before = [
        other
        for other in to_come
        if other.importance is Importance.SAFETY
        or (
            other.useful_until <= next_morning
            and other.importance > Importance.NUDGE
            and (can_wait or other.importance > message.importance)
        )
    ]
    if said + len(before) < limit.messages:
        return Room.SAY
    if can_wait:
        return Room.PUT_OFF
    if message.importance < Importance.VISIT or told:
        return Room.GIVE_UP
    return Room.SAY_OVER


def later_moments(
    target_on: date,
    rule: RemindLater,
    zone: ZoneInfo,
    quiet: QuietHours,
    now: datetime,
    visit_day_ends: time = VISIT_DAY_ENDS,
) -> tuple[datetime, ...]:
    """Return when a patient may be reminded again of a visit on ``target_on``, soonest first (UTC).

    Each moment lies outside quiet hours and while a reminder is still of use: before the end of the visit's
    day. An evening choice that quiet hours move to the morning is the morning itself, offered once.
    """
    morning = daily_at(now.astimezone(zone).date() + timedelta(days=1), rule.morning_at, zone)
    wished = [*(now + timedelta(hours=hours) for hours in rule.after_hours), morning]
    ends = daily_at(target_on, visit_day_ends, zone)
    moments: list[datetime] = []
    for moment in wished:
        due = out_of_quiet(moment, zone, quiet)
        if due.astimezone(zone).date() > now.astimezone(zone).date():
            due = max(due, out_of_quiet(morning, zone, quiet))
        if due < ends and due not in moments:
            moments.append(due)
    return tuple(sorted(moments))


def useful_until(target_on: date, due: datetime, zone: ZoneInfo, visit_day_ends: time = VISIT_DAY_ENDS) -> datetime:
    """Return until when a reminder of a visit that is due at ``due`` says the right day (UTC).

    The words of an earlier day end with that day when they say "tomorrow", at the latest with midnight before
    the visit; those of the visit's day end at ``visit_day_ends``.
    """
    if due.astimezone(zone).date() < target_on:
        return daily_at(target_on, time(0), zone)
    return daily_at(target_on, visit_day_ends, zone)


def step_for(target_on: date, due: datetime, steps: Collection[ReminderStep], zone: ZoneInfo) -> ReminderStep:
    """Return the step whose words fit a reminder at ``due``: that of its own day, or else the earliest.

    "Tomorrow" and "today" fit their own day alone; the words of the earliest step name the date.
    """
    days = (target_on - due.astimezone(zone).date()).days
    for step in steps:
        if step.days_before == days:
            return step
    return max(steps, key=lambda step: step.days_before)


def chase_moments(
    target_on: date, steps: Collection[ChaseStep], zone: ZoneInfo, quiet: QuietHours
) -> tuple[tuple[ChaseStep, datetime], ...]:
    """Return when each step of the chase comes, counted from the day of the visit (UTC), in order."""
    moments = []
    for step in steps:
        try:
            moment = daily_at(target_on + timedelta(days=step.days_after), step.at, zone)
        except NoSuchDay:
            moment = daily_at(target_on + timedelta(days=step.days_after + 1), step.at, zone)
        moments.append((step, out_of_quiet(moment, zone, quiet)))
    return tuple(sorted(moments, key=lambda each: each[1]))


def days_to_offer(
    clinic_days: Collection[date], first_on: date, last_on: date, target_on: date, rule: AnotherDay, today: date
) -> tuple[date, ...]:
    """Return the days a patient is offered instead of ``target_on``, in order.

    Of the clinic days inside the window (both ends included), from ``rule.from_days`` after today on, these
    are the ones nearest to the planned day; of two equally near ones the later, for what has to be waited for
    is more often not ready than overdue.
    """
    earliest = max(first_on, today + timedelta(days=rule.from_days))
    fitting = [day for day in clinic_days if earliest <= day <= last_on and day != target_on]
    nearest = sorted(fitting, key=lambda day: (abs((day - target_on).days), day < target_on))
    return tuple(sorted(nearest[: rule.offered]))
