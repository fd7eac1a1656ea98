"""What follows once a day's or a week's answer is complete: gaps are told to staff, and the rhythm may change."""

from collections.abc import Sequence
from datetime import date, timedelta

from sqlmodel import col, select

from bot.domain import dose_flags
from bot.domain.adherence import DoseStatus
from bot.domain.dose_flags import Flag
from bot.domain.rhythm import Rhythm
from bot.store.models import AgendaItem, DoseReport, Subject
from bot.usecases import dose_days, dose_plan, dose_reports, dose_rhythm, screens
from bot.work import Button, Text, Work

FLAG = "dose.flag"
# So far back a gap that was told may have begun; what went on for longer is told again.
LOOKED_BACK = timedelta(days=120)
_NOT_KNOWN = (DoseStatus.UNKNOWN, DoseStatus.NOT_DELIVERED)


def settled(work: Work, subject: Subject, reports: Sequence[DoseReport]) -> None:
    """Look at the days before once an answer is complete; the caller has been thanked."""
    if any(each.status != DoseStatus.TAKEN for each in reports):
        _look_for_gaps(work, subject)
    key = dose_rhythm.daily_again(work, subject, reports)
    if key is not None:
        dose_plan.replan(work, subject)
        if work.caller.account_id:
            work.answer(key)
    elif work.caller.account_id and all(each.status == DoseStatus.TAKEN for each in reports):
        _offer_weekly(work, subject)


def _look_for_gaps(work: Work, subject: Subject) -> None:
    """Enter each gap that staff have not heard of; a row a gap, so that it is told once."""
    rule, until = work.protocol.dose_prompt.missed, work.today
    known = dose_days.statuses(work.session, subject, until - LOOKED_BACK, until)
    if known[until] in _NOT_KNOWN:
        until -= timedelta(days=1)
    found = dose_flags.flags(known, until, rule)
    if not found:
        return
    told = {
        Flag(each.detail["flag"]): date.fromisoformat(each.detail["day"])
        for each in work.session.exec(
            select(AgendaItem)
            .where(AgendaItem.kind == FLAG, AgendaItem.subject_id == subject.id)
            .order_by(col(AgendaItem.id))
        ).all()
    }
    for flag in found:
        if dose_flags.is_news(flag, known, until, told.get(flag), rule):
            key = f"{FLAG}:{subject.id}:{flag}:{until.isoformat()}"
            work.plan(FLAG, key, work.now, subject.id or 0, subject_id=subject.id, flag=flag, day=until.isoformat())


def tell_gap(work: Work, item: AgendaItem) -> str:
    """Tell staff of one gap."""
    subject, flag = work.session.get_one(Subject, item.about_id), Flag(item.detail["flag"])
    rule = work.protocol.dose_prompt.missed
    lines = {
        Flag.LONG_RUN: Text("request.tablets.missed_run", {"n": rule.amber_run_days}),
        Flag.RUN: Text("request.tablets.missed_run", {"n": rule.yellow_run_days}),
        Flag.SHARE: Text(
            "request.tablets.below_share", {"percent": rule.yellow_below_percent, "n": rule.rolling_days}
        ),
    }
    dose_reports.raise_about_tablets(work, subject, dose_flags.URGENCY[flag], [f"tablets.{flag}"], [lines[flag]])
    return "told"


def _offer_weekly(work: Work, subject: Subject) -> None:
    """Offer the weekly question after a streak of good days, once until it was chosen and given up again."""
    if dose_rhythm.of(subject) is not Rhythm.DAILY or not dose_rhythm.has_streak(work, subject):
        return
    changed = dose_rhythm.last_change(work, subject)
    work.answer(
        "tablets.rhythm.offer",
        [
            [Button("tablets.button.weekly", "tablets.rhythm", {"to": Rhythm.WEEKLY})],
            [Button("tablets.button.daily", "tablets.rhythm", {"to": Rhythm.DAILY})],
        ],
        single_use=True,
        dedupe_key=f"weekly.offer:{subject.id}:{changed.id if changed is not None else 0}",
        phone=screens.phone(work),
    )
