"""How long do people take? As one message, as a picture, and as a table for the terminal.

Only who leads the site's staff sees figures by name: the PI and the coordinators. Everybody else who may look, the
monitor among them, reads the same figures of all staff together.
"""

from collections.abc import Mapping
from datetime import timedelta
from fractions import Fraction
from typing import Any

from bot.domain.adherence import whole_percent
from bot.domain.kpi import Durations, Group, Hours, Kpi, Ratio, Span, Stage
from bot.domain.roles import LEADING
from bot.usecases import kpi_facts
from bot.work import Button, Day, Lines, Text, Work

PERSONS = 12  # so many are named, the most often paged first
UNITS: Mapping[str, int] = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
# From so many of a unit on, the next smaller one is left out.
ALONE_FROM = 10
# Where the axis of the picture has a mark, in seconds.
MARKS = (1, 10, 60, 600, 3_600, 21_600, 86_400, 604_800, 2_592_000)


def show(work: Work) -> None:
    """Show the figures of the usual period."""
    show_period(work, {"days": work.protocol.kpi.default_days})


def show_period(work: Work, args: dict[str, Any]) -> None:
    """Show the figures of a period; the buttons lead to the others."""
    days = int(args["days"])
    found, staff = kpi_facts.measure(work, days)
    if found.cases:
        work.answer("kpi.picture.title", picture=picture(work, found, days))
    names = {number: member.name for number, member in staff.items()} if work.caller.role in LEADING else {}
    offered = [
        Button("kpi.button.days", "kpi.period", {"days": each}, values={"n": each})
        for each in work.protocol.kpi.periods_days
    ]
    ever = Button("kpi.button.ever", "kpi.period", {"days": kpi_facts.EVER})
    shown = summary(work, found, days, names)
    work.answer(shown.key, [offered, [ever]], **shown.values)


def summary(work: Work, kpi: Kpi, days: int, names: Mapping[int, str]) -> Text:
    """Return all figures as one text; persons are told of only by the ``names`` that are given."""
    groups: list[Text | Lines] = [_group(kpi, group) for group in kpi.groups]
    return Text(
        "kpi.summary",
        {
            "period": _period(work, kpi, days),
            "cases": Text("kpi.cases", {"n": kpi.cases, "open": kpi.still_open, "rose": kpi.rose}),
            "groups": Lines(groups or [Text("kpi.none")], between="\n\n"),
            "whole": Lines([*_whole(work, kpi), *_persons(work, kpi, names)]),
        },
    )


def _period(work: Work, kpi: Kpi, days: int) -> Text:
    last = Day(work.today, "short_day")
    if days == kpi_facts.EVER:
        return Text("kpi.period.ever", {"last": last})
    first = Day(kpi.since.astimezone(work.settings.zone).date(), "short_day")
    return Text("kpi.period.days", {"first": first, "last": last, "n": days})


def _group(kpi: Kpi, group: Group) -> Lines:
    """Return a line for each stage of one group, then how its limit was kept and the two parts of the day."""
    spans = kpi.spans[group, None]
    kept = kpi.in_time[group, None]
    lines = [Text("kpi.group", {"group": Text(f"kpi.group.{group}"), "n": spans[Stage.CLOSED].counted})]
    lines += [
        Text("kpi.line", {"stage": Text(f"kpi.stage.{stage}"), "spans": _spans(found)})
        for stage, found in spans.items()
    ]
    undecided = Text("kpi.undecided", {"n": kept.undecided}) if kept.undecided else ""
    part, whole, share = (_ratio(kept.ratio)[name] for name in ("part", "whole", "share"))
    lines.append(Text("kpi.in_time", {"part": part, "whole": whole, "share": share, "undecided": undecided}))
    for hours in Hours:
        if (group, hours) in kpi.spans:
            found = kpi.spans[group, hours][Stage.ACKNOWLEDGED]
            values = {"hours": Text(f"kpi.hours.{hours}"), "n": found.counted, "spans": _times(found)}
            lines.append(Text("kpi.part_of_day", values))
    return Lines(lines)


def _spans(found: Durations) -> Lines:
    """Return median, 90th percentile and longest, and what has not come or will not come."""
    parts: list[Text | Lines | str] = [_times(found)]
    if found.longest_wait is not None:
        parts.append(Text("kpi.waiting", {"n": found.waiting, "longest": spoken(found.longest_wait)}))
    if found.without:
        parts.append(Text("kpi.without", {"n": found.without}))
    return Lines(parts, between=" · ")


def _times(found: Durations) -> Lines:
    if not found.counted:
        return Lines(["—"])
    return Lines([_span(span) for span in (found.median, found.ninety, found.worst)], between=" · ")


def _span(span: Span | None) -> Text | Lines | str:
    if span is None:
        return "—"
    return spoken(span.time) if span.exact else Text("kpi.at_least", {"time": spoken(span.time)})


def spoken(length: timedelta) -> Lines:
    """Return a length of time in its one or two largest units, rounded down: 2 min 5 s, 25 min, 3 d 4 h."""
    left = int(length.total_seconds())
    units = list(UNITS.items())
    first = next((number for number, (_, size) in enumerate(units) if left >= size), len(units) - 1)
    parts: list[Text | Day | Lines | str] = []
    for unit, size in units[first : first + 2]:
        many, left = divmod(left, size)
        if many or not parts:
            parts.append(Text(f"kpi.time.{unit}", {"n": many}))
        if many >= ALONE_FROM:
            break
    return Lines(parts, between=" ")


def _whole(work: Work, kpi: Kpi) -> list[Text]:
    """Return the figures of all cases together."""
    waiting = kpi.waiting
    nobody = Text("kpi.nobody_waits")
    if waiting.longest is not None:
        values = {"n": waiting.cases, "overdue": waiting.overdue, "longest": spoken(waiting.longest)}
        nobody = Text("kpi.nobody_has", values)
    return [
        nobody,
        Text("kpi.reviewed", _ratio(kpi.reviewed)),
        Text("kpi.no_action", _ratio(kpi.closed_without_action)),
        Text("kpi.lapses", _ratio(kpi.lapses)),
        Text("kpi.alerts", _ratio(kpi.alerts)),
        Text("kpi.burst", {"minutes": work.protocol.kpi.burst_minutes, "n": kpi.burst}),
    ]


def _persons(work: Work, kpi: Kpi, names: Mapping[int, str]) -> list[Text]:
    minutes = work.protocol.kpi.burst_minutes
    return [
        Text(
            "kpi.person",
            {"name": names[each.person], "n": each.pages, "burst": each.burst, "minutes": minutes},
        )
        for each in kpi.rung[:PERSONS]
        if each.person in names
    ]


def _ratio(ratio: Ratio) -> dict[str, object]:
    """Return the two counts, and their share: in whole percent, and with one digit for 100."""
    share = ratio.share
    return {
        "part": ratio.part,
        "whole": ratio.whole,
        "share": "—" if share is None else f"{whole_percent(share)} %",
        "per": "—" if share is None else _one_digit(share * 100),
    }


def _one_digit(value: Fraction) -> str:
    tenths = int(value * 10 + Fraction(1, 2))
    return f"{tenths // 10}" if tenths % 10 == 0 else f"{tenths // 10}.{tenths % 10}"


# The picture


def picture(work: Work, kpi: Kpi, days: int, locale: str | None = None) -> dict[str, Any]:
    """Return what the picture shows: until somebody took over, a row for each urgency."""
    locale = locale or work.caller.locale

    def said(text: Text | Lines | str) -> str:
        return text if isinstance(text, str) else text.render(work.texts, locale)

    rows = []
    for group in kpi.groups:
        found = kpi.spans[group, None][Stage.ACKNOWLEDGED]
        minutes = work.protocol.chains[str(group)].acknowledge_within_minutes
        count = Text("kpi.group", {"group": Text(f"kpi.group.{group}"), "n": found.counted})
        target = Text("kpi.picture.target_of", {"time": spoken(timedelta(minutes=minutes))})
        rows.append(
            {
                "name": said(count),
                "target": minutes * 60,
                "target_said": said(target),
                "said": said(_spans(found)),
                **{name: _mark(span) for name, span in _named(found).items()},
            }
        )
    return {
        "kind": "kpi",
        "title": said(Text("kpi.picture.title")),
        "subtitle": said(_period(work, kpi, days)),
        "marks": [[seconds, said(spoken(timedelta(seconds=seconds)))] for seconds in MARKS],
        "rows": rows,
        "none": said(Text("kpi.none")),
        "legend": {
            "median": said(Text("kpi.picture.median")),
            "ninety": said(Text("kpi.picture.ninety")),
            "worst": said(Text("kpi.picture.worst")),
            "target": said(Text("kpi.picture.target")),
            "at_least": said(Text("kpi.picture.at_least")),
        },
    }


def _named(found: Durations) -> dict[str, Span | None]:
    return {"median": found.median, "ninety": found.ninety, "worst": found.worst}


def _mark(span: Span | None) -> list[Any] | None:
    return None if span is None else [span.time.total_seconds(), span.exact]
