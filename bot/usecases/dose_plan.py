"""When does the next tablets question come, and when is it asked once more?"""

from datetime import date, time, timedelta

from bot.domain import reminders as reminder_rules
from bot.domain.participation import ParticipationState, may_be_asked
from bot.domain.rhythm import Rhythm, week_of
from bot.store.models import Subject
from bot.usecases import dose_days, dose_rhythm, polite, screens
from bot.work import Work

PROMPT = polite.PROMPT
NUDGE = polite.NUDGE
NUDGE_AFTER_AT_LEAST = timedelta(minutes=30)


def replan(work: Work, subject: Subject) -> None:
    """Enter the next question at the patient's hour and in their rhythm, in place of one at another time."""
    dose_rhythm.settle_orders(work, subject)
    work.forget_plan(PROMPT, subject.id or 0)
    plan_next(work, subject)


def plan_next(work: Work, subject: Subject, *, catch_up: bool = False, asked_on: date | None = None) -> None:
    """Enter the next question, if this subject takes tablets and may be asked.

    With ``catch_up`` today's is put at once when its hour has passed unasked, as after an outage. ``asked_on`` is
    the day of a question that is just being put.
    """
    if not screens.takes_tablets(work, subject) or not may_be_asked(ParticipationState(subject.state)):
        return
    zone, quiet, prompt = work.settings.zone, work.protocol.quiet_hours, work.protocol.dose_prompt
    at = subject.reminder_at or prompt.default_at
    after = reminder_rules.daily_at(work.today, time(0), zone) if catch_up else work.now
    first_on = dose_rhythm.next_on(work, subject, after.astimezone(zone).date(), asked_on)
    # A rarer rhythm begins at the start of its day, so that this day's own hour is still to come.
    after = max(after, reminder_rules.daily_at(first_on, time(0), zone) - timedelta(seconds=1))
    weekly = dose_rhythm.of(subject) is Rhythm.WEEKLY
    ahead = timedelta(days=work.protocol.tablets.dated.days_ahead)
    # A day that had its question, or was answered before it came, gives way to the next.
    for _ in range(3):
        due = reminder_rules.next_daily(after, at, zone, quiet)
        day = due.astimezone(zone).date()
        if not weekly:
            # Held, stopped or not begun: the next day with something to take, if one is known.
            wanted = dose_days.next_to_take(work.session, subject, day, ahead)
            if wanted is None:
                return
            if wanted > day:
                day = wanted
                due = reminder_rules.next_daily(reminder_rules.daily_at(day, time(0), zone), at, zone, quiet)
        if due < work.now:
            due = reminder_rules.out_of_quiet(work.now, zone, quiet)
        # A weekly question says which days it is about, so it keeps until they can be answered no more.
        keeps = prompt.answerable_days if weekly else 1
        if due.astimezone(zone).date() == day and work.plan(
            PROMPT,
            dose_days.question_key(subject, week_of(day) if weekly else [day]),
            due,
            subject.id or 0,
            subject_id=subject.id,
            useful_until=reminder_rules.daily_at(day + timedelta(days=keeps), time(0), zone),
            day=day.isoformat(),
            weekly=weekly,
        ):
            return
        after = reminder_rules.daily_at(day, time(23, 59), zone)


def nudge_key(subject: Subject, day: date) -> str:
    return f"nudge:{subject.id}:{day.isoformat()}"


def plan_nudge(work: Work, subject: Subject, day: date, *, weekly: bool = False) -> None:
    """Ask once more after a while, unless that would be tomorrow or in the quiet hours."""
    zone, quiet = work.settings.zone, work.protocol.quiet_hours
    due = reminder_rules.before_quiet(
        work.now + timedelta(minutes=work.protocol.dose_prompt.nudge_after_minutes), zone, quiet
    )
    if due < work.now + NUDGE_AFTER_AT_LEAST or due.astimezone(zone).date() != work.today:
        return  # So soon it would only press; tomorrow has a question of its own.
    work.plan(
        NUDGE,
        nudge_key(subject, day),
        due,
        subject.id or 0,
        subject_id=subject.id,
        useful_until=reminder_rules.daily_at(work.today + timedelta(days=1), time(0), zone),
        day=day.isoformat(),
        weekly=weekly,
    )
