"""How do those who lead the site's staff hear of the week? Once, on Monday, as a picture and one message.

A digest tells of the whole weeks that no earlier one told of, so a closure or an outage loses none, and it is one
message all the same. Administrators get none, for it is about patients; monitors get none by themselves, for it is a
list of tasks, and read the same on demand.
"""

from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from typing import Any

from bot.domain.adherence import whole_percent
from bot.domain.course import monday_of
from bot.domain.kpi import Durations
from bot.domain.reminders import daily_at, out_of_quiet
from bot.domain.roles import LEADING
from bot.domain.staff_lists import covered, last_week, next_digest_on, week_name
from bot.store import audit, people
from bot.store.models import AgendaItem
from bot.usecases import kpi, polite, weekly_facts
from bot.usecases.weekly_facts import WeekFacts
from bot.work import Button, Day, Keyboard, Lane, Lines, Text, Work

DIGEST = "weekly.digest"
PURPOSE = "weekly digest"
SHOWN = 6  # codes of one line; the lists that the buttons open have them all

# What the picture has a box for, and a bar.
TILES = ("open", "overdue", "silent", "reviews", "below", "unknown", "ran_out", "deviations")
BARS = ("held", "missed", "moved", "reports", "checkins")

Line = Text | Day | Lines | str


def plan_first(work: Work) -> None:
    """Enter the first digest, that of the week to come: of a study that begins today there is nothing to tell."""
    _plan(work, monday_of(work.today))


def send(work: Work, item: AgendaItem) -> str:
    """Send the digest, if this is a time for it, and enter the next one; else wait for the next open day."""
    rule, zone = work.protocol.weekly_digest, work.settings.zone
    opens = daily_at(work.today, rule.at, zone)
    awake = out_of_quiet(work.now, zone, work.protocol.quiet_hours) == work.now
    if work.now < opens or not awake or not work.clinic.is_open(work.today):
        # The calendar has changed, or the bot was down until the night.
        day = work.clinic.next_open(work.today)
        if day is not None and daily_at(day, rule.at, zone) <= work.now:
            day = work.clinic.next_open(day.fromordinal(day.toordinal() + 1))
        if day is not None:
            item.due_at = daily_at(day, rule.at, zone)
            return polite.PUT_OFF
    first_on, last_on = covered(date.fromisoformat(item.detail["since"]), work.today)
    _plan(work, monday_of(work.today))
    facts = weekly_facts.gather(work, first_on, last_on)
    told = people.reachable(work.session, LEADING)
    key = f"{DIGEST}:{week_name(work.today)}"
    for _, account in told:
        with work.read_in(account.locale):
            if not facts.nothing_to_do:
                work.say(
                    account,
                    "weekly.picture.title",
                    lane=Lane.DIGEST,
                    purpose=PURPOSE,
                    picture=_picture(work, facts),
                    dedupe_key=f"{key}:picture:{account.id}",
                    silent=True,
                )
            shown, rows = summary(work, facts)
            values: dict[str, Any] = shown.values
            work.say(
                account,
                shown.key,
                rows,
                lane=Lane.DIGEST,
                purpose=PURPOSE,
                dedupe_key=f"{key}:{account.id}",
                silent=True,
                **values,
            )
    return f"{len(told)} told of {first_on.isoformat()} to {last_on.isoformat()}"


def show(work: Work) -> None:
    """Show the same of the last seven days."""
    facts = weekly_facts.gather(work, *last_week(work.today))
    audit.record(work.session, "weekly.viewed", first=facts.first_on.isoformat(), last=facts.last_on.isoformat())
    if not facts.nothing_to_do:
        work.answer("weekly.picture.title", picture=_picture(work, facts))
    shown, rows = summary(work, facts)
    work.answer(shown.key, rows, **shown.values)


def _plan(work: Work, told_until: date) -> None:
    """Enter the digest of the next week; it tells of what came from ``told_until`` on."""
    day = next_digest_on(work.today, work.clinic)
    at = daily_at(day, work.protocol.weekly_digest.at, work.settings.zone)
    work.plan(DIGEST, f"{DIGEST}:{week_name(day)}", at, 0, since=told_until.isoformat())


# Words


def summary(work: Work, facts: WeekFacts) -> tuple[Text, Keyboard]:
    """Return all figures as one text, and the buttons that open the lists; where nothing is to be done, one line."""
    first, last = Day(facts.first_on, "plain_day"), Day(facts.last_on, "plain_day")
    if facts.nothing_to_do:
        patients = sum(each.patients for each in facts.ahead)
        values = {"first": first, "last": last, "held": facts.held, "reports": facts.reports, "n": patients}
        return Text("weekly.nothing", values), []
    todo, rows = _to_do(work, facts)
    given = {
        "first": first,
        "last": last,
        "todo": Lines(todo),
        "week": Lines(_week(facts)),
        "ahead": Lines(_ahead(facts)),
    }
    return Text("weekly.shown", given), rows


def _to_do(work: Work, facts: WeekFacts) -> tuple[list[Line], list[list[Button]]]:
    lines: list[Line] = []
    rows: list[list[Button]] = []
    if facts.open_cases:
        waiting = facts.waiting
        lines.append(
            Text("weekly.open", {"n": facts.open_cases, "waiting": waiting.cases, "overdue": waiting.overdue})
        )
        rows.append([Button("alerts.button.all", "alerts.page", {"page": 0})])
    if facts.overdue:
        lines.append(Text("weekly.overdue", {"n": len(facts.overdue), "codes": _codes(facts.overdue)}))
        rows.append([Button("weekly.button.due", "due.page", {"page": 0})])
    if facts.silent:
        lines.append(Text("weekly.silent", {"n": len(facts.silent), "codes": _codes(facts.silent)}))
        rows.append([Button("weekly.button.silent", "silent.page", {"page": 0})])
    if facts.reviews:
        lines.append(Text("weekly.reviews", {"n": len(facts.reviews), "codes": _codes(facts.reviews)}))
    tablets, rule = facts.tablets, work.protocol.adherence
    if tablets.below:
        shares = _codes([f"{code} {_percent(share)}" for code, share in tablets.below])
        lines.append(Text("weekly.below", {"percent": rule.below_percent, "n": len(tablets.below), "codes": shares}))
    if tablets.unknown:
        shares = _codes([f"{code} {_percent(share)}" for code, share in tablets.unknown])
        values = {"percent": rule.unknown_above_percent, "n": len(tablets.unknown), "codes": shares}
        lines.append(Text("weekly.unknown", values))
    if tablets.ran_out:
        lines.append(Text("weekly.ran_out", {"n": len(tablets.ran_out), "codes": _codes(tablets.ran_out)}))
    if facts.deviations:
        lines.append(Text("weekly.deviations", {"n": facts.deviations, "important": facts.important}))
        rows.append([Button("weekly.button.deviations", "deviations.page", {"page": 0})])
    return lines, rows


def _codes(codes: Sequence[str]) -> Lines:
    shown: list[Line] = list(codes[:SHOWN])
    if len(codes) > SHOWN:
        shown.append(Text("weekly.more", {"n": len(codes) - SHOWN}))
    return Lines(shown, between=", ")


def _percent(share: Fraction) -> str:
    return f"{whole_percent(share)} %"


def _week(facts: WeekFacts) -> list[Line]:
    return [
        Text("weekly.visits", {"held": facts.held, "missed": facts.missed, "moved": facts.moved}),
        Text("weekly.reports", {"reports": facts.reports, "checkins": facts.checkins}),
        Text("weekly.checkins", {"answered": facts.answered, "offered": facts.offered}),
        *(
            Text("weekly.cases", {"group": Text(f"kpi.group.{group}"), "n": found.counted, "median": _median(found)})
            for group, found in facts.cases
        ),
        *([] if facts.cases else [Text("weekly.no_cases")]),
    ]


def _median(found: Durations) -> Line:
    """Return how long half of the cases took at most until somebody took them over; a lower bound says so."""
    if found.median is None:
        return "—"
    time = kpi.spoken(found.median.time)
    return time if found.median.exact else Text("kpi.at_least", {"time": time})


def _ahead(facts: WeekFacts) -> list[Line]:
    lines: list[Line] = [
        Text("weekly.day", {"day": Day(each.on, "short_day"), "n": each.patients})
        for each in facts.ahead
        if each.patients
    ]
    return [
        *(lines or [Text("weekly.no_visits")]),
        *(
            Text("weekly.closed", {"first": Day(each.first_on, "short_day"), "last": Day(each.last_on, "short_day")})
            for each in facts.closures
        ),
    ]


# The picture


def _picture(work: Work, facts: WeekFacts) -> dict[str, Any]:
    """Return what the picture shows, in the language of whoever reads it."""
    locale = work.caller.locale
    tablets, rule = facts.tablets, work.protocol.adherence
    of_tiles = (
        facts.open_cases,
        len(facts.overdue),
        len(facts.silent),
        len(facts.reviews),
        len(tablets.below),
        len(tablets.unknown),
        len(tablets.ran_out),
        facts.deviations,
    )
    of_bars = (facts.held, facts.missed, facts.moved, facts.reports, facts.checkins)
    percents = {"below": rule.below_percent, "unknown": rule.unknown_above_percent}
    weekdays = work.texts.weekdays(locale)
    return {
        "kind": "digest",
        "title": work.text("weekly.picture.title"),
        "subtitle": work.text(
            "weekly.picture.period",
            first=work.texts.plain_day(facts.first_on, locale),
            last=work.texts.plain_day(facts.last_on, locale),
        ),
        "todo": work.text("weekly.picture.todo"),
        "tiles": [
            [number, work.text(f"weekly.tile.{name}", percent=percents.get(name, ""))]
            for name, number in zip(TILES, of_tiles, strict=True)
        ],
        "week": work.text("weekly.picture.week"),
        "bars": [[work.text(f"weekly.bar.{name}"), number, ""] for name, number in zip(BARS, of_bars, strict=True)],
        "cases": work.text("weekly.picture.cases"),
        "urgencies": [
            [work.text(f"kpi.group.{group}"), found.counted, _taken(work, found)] for group, found in facts.cases
        ],
        "ahead": work.text("weekly.picture.ahead"),
        "days": [
            [weekdays[each.on.weekday()], work.texts.plain_day(each.on, locale), each.patients, each.is_open]
            for each in facts.ahead
        ],
        "closed": work.text("weekly.picture.closed"),
    }


def _taken(work: Work, found: Durations) -> str:
    median = _median(found)
    return median if isinstance(median, str) else median.render(work.texts, work.caller.locale)
