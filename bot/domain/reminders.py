"""When is a reminder or a daily question sent, and until when is it still of use?

Wall times are those of the site's zone; every moment returned is aware UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from bot.errors import FollowupError

# After this wall time the day's visit is over or lost, so "today" need not be said any more (site default).
# How long before the quiet hours something is sent that would otherwise fall into them.
BEFORE_QUIET = timedelta(minutes=5)
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
    """When the daily tablet question is asked, asked again, and how long it can be answered."""

    default_at: time
    nudge_after_minutes: int
    answerable_days: int


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
