"""How often is this subject asked about tablets, and what changed that: a wish, silence, an answer, an order?"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlmodel import col, func, select

from bot.domain import rhythm as rules
from bot.domain.adherence import DoseStatus
from bot.domain.people import BOT
from bot.domain.rhythm import Rhythm
from bot.store.models import DoseChange, DoseOrder, DosePrompted, DoseReport, Subject, SubjectChange
from bot.usecases import dose_days, escalate, history, reasons
from bot.work import Text, Work

WISH, FADING, ANSWERS, MISSED, ORDER = (f"{reasons.CODED}{code}" for code in reasons.RHYTHM)
# So far back answers are looked at for a streak or for fading; the rules need less.
LOOKED_BACK = timedelta(days=92)


def of(subject: Subject) -> Rhythm:
    """Return how often this subject is asked."""
    return Rhythm(subject.dose_rhythm)


def last_change(work: Work, subject: Subject) -> SubjectChange | None:
    """Return the newest change of the rhythm, if there was one."""
    return work.session.exec(
        select(SubjectChange)
        .where(SubjectChange.subject_id == subject.id, SubjectChange.what == history.RHYTHM)
        .order_by(col(SubjectChange.id).desc())
        .limit(1)
    ).first()


def change(work: Work, subject: Subject, new: Rhythm, reason: str, *, by_rule: bool = True) -> None:
    """Ask more often or more rarely from now on; the plan of the next question is the caller's."""
    history.keep(work, subject, history.RHYTHM, subject.dose_rhythm, new, reason, by=BOT.label if by_rule else None)
    subject.dose_rhythm = new
    work.session.flush()


def next_on(work: Work, subject: Subject, first_on: date, asked_on: date | None = None) -> date:
    """Return the first day, ``first_on`` or later, on which this subject may be asked.

    ``asked_on`` is a day whose question is on its way and not written down yet.
    """
    now = of(subject)
    if now is Rhythm.DAILY:
        return first_on
    put = select(func.max(DosePrompted.day_on)).where(DosePrompted.subject_id == subject.id)
    changed = last_change(work, subject)
    known = (
        asked_on,
        work.session.exec(put).one(),
        changed.changed_at.astimezone(work.settings.zone).date() if changed is not None else None,
    )
    return rules.next_on(now, max((day for day in known if day is not None), default=None), first_on)


def settle_orders(work: Work, subject: Subject) -> None:
    """Go back to the daily question when a doctor changed, paused or resumed the tablets since it was given up."""
    changed = last_change(work, subject)
    if of(subject) is Rhythm.DAILY or changed is None:
        return
    ordered = select(DoseOrder.id).where(
        DoseOrder.subject_id == subject.id, col(DoseOrder.ordered_at) > changed.changed_at
    )
    decided = select(DoseChange.id).where(
        DoseChange.subject_id == subject.id, col(DoseChange.recorded_at) > changed.changed_at
    )
    if any(work.session.exec(found.limit(1)).first() is not None for found in (ordered, decided)):
        change(work, subject, Rhythm.DAILY, ORDER)


def lower_if_faded(work: Work, subject: Subject, today: date) -> bool:
    """Ask more rarely when answers have faded, and tell staff; tell whether that is so from today on."""
    rarer = rules.lowered(of(subject))
    if rarer is None or not rules.fades(answered(work, subject, today), work.protocol.dose_prompt.rhythm.fading):
        return False
    change(work, subject, rarer, FADING)
    escalate.tell_staff(work, subject, "staff.rhythm", rhythm=Text(f"rhythm.{rarer}"))
    return True


def answered(work: Work, subject: Subject, before_on: date) -> list[bool]:
    """Tell of each question since the last change that arrived whether it was answered, the newest last.

    The days of one weekly question are one question; that of ``before_on`` is left out.
    """
    changed = last_change(work, subject)
    since = max(
        work.now - LOOKED_BACK,
        changed.changed_at if changed is not None else datetime.min.replace(tzinfo=work.now.tzinfo),
    )
    put = work.session.exec(
        select(DosePrompted)
        .where(
            DosePrompted.subject_id == subject.id,
            DosePrompted.day_on < before_on,
            col(DosePrompted.asked_at) > since,
        )
        .order_by(col(DosePrompted.day_on))
    ).all()
    if not put:
        return []
    in_vain = dose_days.asked_in_vain(work.session, subject)
    reports = dose_days.reports_of(work.session, subject, put[0].day_on, put[-1].day_on)
    questions: dict[datetime, bool] = {}
    for each in put:
        if each.day_on not in in_vain:
            questions[each.asked_at] = questions.get(each.asked_at, False) or each.day_on in reports
    return list(questions.values())


def daily_again(work: Work, subject: Subject, reports: Sequence[DoseReport]) -> str | None:
    """Go back to the daily question when an answer asks for it by rule; return the text key that says so."""
    rule = work.protocol.dose_prompt.rhythm
    if of(subject) is Rhythm.DAILY:
        return None
    if any(rules.ends(DoseStatus(each.status), each.reasons, rule) for each in reports):
        change(work, subject, Rhythm.DAILY, MISSED)
        return "tablets.rhythm.daily_again"
    changed = last_change(work, subject)
    if changed is None or changed.reason != FADING:
        return None
    if rules.answered_in_row(answered(work, subject, work.today + timedelta(days=1))) < rule.restored_after:
        return None
    change(work, subject, Rhythm.DAILY, ANSWERS)
    return "tablets.rhythm.restored"


def has_streak(work: Work, subject: Subject) -> bool:
    """Tell whether the days up to today were good for so long that the weekly question may be chosen."""
    days = work.protocol.dose_prompt.rhythm.offer_weekly_after_days
    known = dose_days.statuses(work.session, subject, work.today - LOOKED_BACK, work.today)
    answered_today = known[work.today] not in (DoseStatus.UNKNOWN, DoseStatus.NOT_DELIVERED)
    return rules.good_days(known, work.today if answered_today else work.today - timedelta(days=1)) >= days
