"""What do staff see of one patient's tablets: the figures of a period in words, and a calendar?"""

import re
from datetime import date, timedelta
from typing import Any

from bot.domain.adherence import Adherence, DoseStatus
from bot.domain.parsing import Unreadable
from bot.domain.periods import Period, parse_period
from bot.store import audit
from bot.store.models import DoseChange, DoseOrder, Subject
from bot.texts import number
from bot.usecases import adherence, dose_days, tablet_counts
from bot.usecases.adherence import Summary, percent, points
from bot.usecases.staff_queries import find
from bot.work import Button, Day, Lines, Text, Work

# The periods on offer, as a person would type them, each with its button's text key.
OFFERED = {"14d": "14", "28d": "28", "3m": "3_months", "all": "all"}
SINCE_START = "all"
PICTURE_MONTHS = 4  # three months touch four; more rows are too small on a phone
HISTORY = 8  # so many orders, holds and stops are shown, the newest last
_CODE_THEN_PERIOD = re.compile(r"\s*(s?\s*[-‐‑–—−_]?\s*\d{1,4})(?:\s+(.+))?\s*", re.IGNORECASE | re.DOTALL)


def show_typed(work: Work, typed: str) -> None:
    """Show what stands after the command: a code, and perhaps a period.

    Raises:
        refusals.SubjectUnknown: no such code.
    """
    match = _CODE_THEN_PERIOD.fullmatch(typed)
    code, period = (typed, None) if match is None else match.groups()
    subject = find(work, code)
    _show(work, subject, period or SINCE_START)


def open_one(work: Work, args: dict[str, Any]) -> None:
    """Show the patient of a button, for its period or since the start."""
    _show(work, work.session.get_one(Subject, args["subject"]), args.get("period", SINCE_START))


def _show(work: Work, subject: Subject, typed: str) -> None:
    audit.record(work.session, "adherence.viewed", entity="subject", entity_id=subject.id)
    try:
        period = parse_period(typed, work.today)
    except Unreadable as refused:
        work.answer(refused.reason, _buttons(subject))
        return
    last_on = adherence.settled_on(work.session, subject, work.today)
    now = None
    if work.protocol.arms[subject.arm].tablets:
        now = adherence.of(work.session, work.deps, subject, date.min, last_on)
    if now is None:
        work.answer("adherence.none", code=subject.code)
        return
    days = period.within(now.started_on, last_on)
    found = None if days is None else _of(work, subject, period, days, now)
    if found is None:
        work.answer("adherence.none_then", _buttons(subject), code=subject.code, start=Day(now.started_on))
        return
    shown = summary(work, subject, found, now)
    work.answer(shown.key, (), **shown.values)
    work.answer(
        "adherence.picture.caption",
        _buttons(subject),
        picture=picture(work, subject, found),
        code=subject.code,
        share=percent(found.period.taken_share),
        first=Day(found.period.first_on, "short_day"),
        last=Day(found.period.last_on, "short_day"),
    )


def _of(work: Work, subject: Subject, period: Period, days: tuple[date, date], now: Summary) -> Summary | None:
    if period == Period():
        return now
    return adherence.of(work.session, work.deps, subject, *days)


def _buttons(subject: Subject) -> list[list[Button]]:
    offered = [
        Button(f"adherence.button.period.{name}", "adherence.open", {"subject": subject.id, "period": period})
        for period, name in OFFERED.items()
    ]
    return [offered[:2], offered[2:]]


def summary(work: Work, subject: Subject, found: Summary, now: Summary) -> Text:
    """Return the figures of a period as one text; ``now`` has those of the last days and since the start."""
    period = found.period
    counted = tablet_counts.counts_line(work, subject, period.first_on, period.last_on)
    return Text(
        "adherence.summary",
        {
            "code": subject.code,
            "first": Day(period.first_on, "short_day"),
            "last": Day(period.last_on, "short_day"),
            "share": percent(period.taken_share),
            "said": Text(
                "adherence.said",
                {"unknown": percent(period.unknown_share), "known": percent(period.known_share)},
            ),
            "ordered": period.ordered_days,
            "taken": period.taken,
            "partly": period.partly,
            "not_taken": period.not_taken,
            "unknown": period.unknown,
            "gap": period.longest_gap,
            "more": Lines([_now(work, now), _coverage(found), Text("adherence.late", {"n": found.late}), counted]),
            "reasons": Lines([_reasons(work, found), Text("adherence.ordered", {"lines": _history(work, subject)})]),
        },
    )


def _now(work: Work, now: Summary) -> Text:
    """Return the last days, against those before, and all days since the start."""
    return Text(
        "adherence.now",
        {
            "days": work.protocol.adherence.window_days,
            "recent": percent(now.recent.taken_share),
            "unknown": percent(now.recent.unknown_share),
            "trend": points(now.trend),
            "start": Day(now.started_on, "short_day"),
            "whole": percent(now.whole.taken_share),
        },
    )


def _coverage(found: Summary) -> Text:
    cover = found.coverage
    if cover is None:
        return Text("adherence.coverage.none")
    return Text("adherence.coverage", {"share": percent(cover.share), "covered": cover.covered, "days": cover.days})


def _reasons(work: Work, found: Summary) -> Lines:
    """Return why tablets were not taken, the most frequent reason first."""
    texts = {reason.code: reason.text for reason in work.protocol.skip_reasons}
    lines = [Text("adherence.reason", {"reason": Text(texts[code]), "n": n}) for code, n in found.reasons]
    return Lines(lines or [Text("adherence.no_reasons")])


def _history(work: Work, subject: Subject) -> Lines:
    """Return what staff ordered, in the order of its days."""
    given: list[DoseOrder | DoseChange] = [
        *dose_days.orders_of(work.session, subject),
        *dose_days.changes_of(work.session, subject),
    ]
    valid = sorted((each for each in given if not each.void), key=lambda each: each.from_on)
    return Lines([_ordered(each) for each in valid[-HISTORY:]] or [Text("patient.tablets.none")])


def _ordered(given: DoseOrder | DoseChange) -> Text:
    if isinstance(given, DoseChange):
        return Text(f"adherence.history.{given.what}", {"day": Day(given.from_on, "short_day")})
    values: dict[str, object] = {
        "day": Day(given.from_on, "short_day"),
        "until": Day(given.until_on or given.from_on, "short_day"),
        "tablets": number(given.tablets),
        "times": given.times_a_day,
        "strength": given.strength_mg,
        "formulation": Text(f"formulation.{given.formulation}"),
        "mg": number(given.tablets * given.times_a_day * given.strength_mg),
    }
    if given.until_on is None:
        return Text("adherence.history.order", values)
    return Text("adherence.history.order_until", values)


# The picture


def picture(work: Work, subject: Subject, found: Summary, locale: str | None = None) -> dict[str, Any]:
    """Return the calendar of a period, of its last months if it is longer than those, with a share a week."""
    locale = locale or work.caller.locale
    period = found.period
    months: list[date] = []
    month = period.last_on.replace(day=1)
    while len(months) < PICTURE_MONTHS and month >= period.first_on.replace(day=1):
        months.insert(0, month)
        month = (month - timedelta(days=1)).replace(day=1)
    shown = {
        day: status
        for day, status in found.statuses.items()
        if max(months[0], period.first_on) <= day <= period.last_on
    }
    used = [status for status in DoseStatus if status in shown.values() and status is not DoseStatus.NOT_ORDERED]

    def said(text: Text) -> str:
        return text.render(work.texts, locale)

    title = Text("adherence.picture.title", {"code": subject.code})
    first, last = Day(period.first_on, "short_day"), Day(period.last_on, "short_day")
    recent = Text("adherence.picture.recent", {"n": work.protocol.adherence.window_days})
    return {
        "kind": "adherence",
        "title": said(title),
        "subtitle": said(Text("adherence.picture.subtitle", {"first": first, "last": last})),
        "weekdays": work.texts.weekdays(locale),
        "months": {each.isoformat(): work.texts.month(each, locale) for each in months},
        "days": {day.isoformat(): status.value for day, status in shown.items()},
        "legend": {status.value: said(Text(f"adherence.status.{status}")) for status in used},
        "figures": [
            [said(Text("adherence.picture.share")), percent(period.taken_share)],
            [said(recent), percent(found.recent.taken_share)],
            [said(Text("adherence.picture.trend")), points(found.trend)],
            [said(Text("adherence.picture.unknown")), str(period.unknown)],
            [said(Text("adherence.picture.gap")), work.texts.plural("enrol.days", period.longest_gap, locale)],
        ],
        "weeks": {
            _monday(week).isoformat(): [percent(week.taken_share), float(week.taken_share)]
            for week in found.weeks
            if week.taken_share is not None
        },
        "week": said(Text("adherence.picture.week")),
        "marks": {},
        "mark_legend": [],
    }


def _monday(week: Adherence) -> date:
    return week.first_on - timedelta(days=week.first_on.weekday())
