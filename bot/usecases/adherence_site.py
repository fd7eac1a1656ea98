"""Who at the site needs a look because of the tablets? A table that can be sorted, and as a file."""

import base64
import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

from bot.domain import adherence as figures
from bot.domain.spreadsheets import safe_cell
from bot.store import audit
from bot.usecases import adherence, cases
from bot.usecases.adherence import SiteRow, percent, points
from bot.work import Button, Day, Lines, Text, Work

SHARE, UNKNOWN, CHANGE, CODE = "share", "unknown", "change", "code"
BUTTONS_A_ROW = 4
BYTE_ORDER_MARK = "\ufeff"  # without it a spreadsheet takes Chinese for something else
COLUMNS = (
    "code", "first_on", "last_on", "ordered_days", "taken", "partly", "not_taken", "unknown", "taken_percent",
    "unknown_percent", "trend_points", "longest_gap", "ran_out_on", "changes",
)  # fmt: skip


def _by_share(row: SiteRow) -> tuple[float, ...]:
    """Return the key that puts the lowest share first, and who has none last."""
    if row.recent is None or not row.recent.ordered_days:
        return (2.0,)
    return (row.recent.half_doses / (2 * row.recent.ordered_days),)


def _by_unknown(row: SiteRow) -> tuple[float, ...]:
    if row.recent is None or not row.recent.ordered_days:
        return (1.0,)
    return (-row.recent.unknown / row.recent.ordered_days,)


def _by_change(row: SiteRow) -> tuple[float, ...]:
    """Return the key that puts the newest change first, tablets that ran out among them."""
    days = [change.on for change in row.changes]
    if row.ran_out_on is not None:
        days.append(row.ran_out_on)
    return (-max(days).toordinal(),) if days else (1.0,)


# In the order of the buttons.
SORTS: dict[str, Callable[[SiteRow], tuple[float, ...]]] = {
    SHARE: _by_share,
    UNKNOWN: _by_unknown,
    CHANGE: _by_change,
    CODE: lambda _row: (),
}


def show(work: Work) -> None:
    """Show who needs a look, the lowest share first."""
    show_page(work, {"sort": SHARE, "page": 0, "all": False})


def show_page(work: Work, args: dict[str, Any]) -> None:
    """Show a page of the table, sorted as its button says; without ``all`` only who needs a look."""
    rows = adherence.of_site(work.session, work.deps, work.today)
    audit.record(work.session, "adherence.listed", sort=args["sort"], page=args["page"])
    if not rows:
        work.answer("adherence.site.nobody")
        return
    rule = work.protocol.adherence
    to_look_at = [row for row in rows if row.needs_a_look]
    file = Button("adherence.button.csv", "adherence.csv")
    values = {"n": len(rows), "days": rule.window_days, "below": rule.below_percent}
    if not to_look_at and not args["all"]:
        everybody = Button("adherence.button.all", "adherence.site", {**args, "page": 0, "all": True})
        work.answer("adherence.site.in_order", [[everybody, file]], **values, unknown=rule.unknown_above_percent)
        return
    shown = ordered(rows if args["all"] else to_look_at, args["sort"])
    page = shown[args["page"] * cases.PER_PAGE :][: cases.PER_PAGE]
    work.answer(
        "adherence.site.table",
        _keyboard(work, args, page, len(shown), file),
        **values,
        counts=Text("adherence.site.counts", _counts(work, rows)),
        rows=Lines([line(work, row) for row in page]),
        order=Text(f"adherence.sort.{args['sort']}"),
        in_order=len(rows) - len(to_look_at),
    )


def ordered(rows: Sequence[SiteRow], sort: str) -> list[SiteRow]:
    """Return the rows in the order of a button; who is alike by code."""
    return sorted(rows, key=SORTS[sort])


def _counts(work: Work, rows: Sequence[SiteRow]) -> dict[str, object]:
    rule = work.protocol.adherence
    return {
        "below_percent": rule.below_percent,
        "below": sum(row.is_below for row in rows),
        "unknown_percent": rule.unknown_above_percent,
        "unknown": sum(row.is_silent for row in rows),
        "ran_out": sum(row.ran_out_on is not None for row in rows),
        "changed": sum(bool(row.changes) for row in rows),
    }


def _keyboard(
    work: Work, args: dict[str, Any], page: Sequence[SiteRow], count: int, file: Button
) -> list[list[Button]]:
    patients = [Button(row.code, "adherence.open", {"subject": row.subject_id}, plain=True) for row in page]
    keyboard = [patients[at : at + BUTTONS_A_ROW] for at in range(0, len(patients), BUTTONS_A_ROW)]
    keyboard += cases.pager("adherence.site", args["page"], count, sort=args["sort"], all=args["all"])
    sorts = [
        Button(f"adherence.button.sort.{sort}", "adherence.site", {**args, "sort": sort, "page": 0})
        for sort in SORTS
        if sort != args["sort"]
    ]
    shown = "adherence.button.some" if args["all"] else "adherence.button.all"
    return [*keyboard, sorts, [Button(shown, "adherence.site", {**args, "page": 0, "all": not args["all"]}), file]]


def line(work: Work, row: SiteRow) -> Text:
    """Return one patient as a line: share, unknown share, trend, and what else is to be looked at."""
    more: list[Text] = []
    if row.ran_out_on is not None:
        more.append(Text("adherence.site.ran_out", {"day": Day(row.ran_out_on, "short_day")}))
    more += [
        Text(f"adherence.changed.{change.what}", {"day": Day(change.on, "short_day")})
        for change in sorted(row.changes, key=lambda change: change.on, reverse=True)
    ]
    sign = "below" if row.is_below or row.is_silent else "plain"
    return Text(
        f"adherence.site.row.{sign}",
        {
            "code": row.code,
            "share": percent(row.recent.taken_share if row.recent else None),
            "unknown": percent(row.recent.unknown_share if row.recent else None),
            "trend": points(row.trend),
            "more": Lines(["", *more], between=" · ") if more else "",
        },
    )


def send_file(work: Work, _args: dict[str, Any]) -> None:
    """Send the whole table to whoever asks; the figures are those of the chat."""
    rows = adherence.of_site(work.session, work.deps, work.today)
    audit.record(work.session, "adherence.exported", rows=len(rows))
    content = as_csv(rows).encode()
    document = {
        "kind": "base64",
        "name": f"adherence-{work.today.isoformat()}.csv",
        "content": base64.b64encode(content).decode("ascii"),
    }
    work.answer("adherence.file", document=document, n=len(rows), days=work.protocol.adherence.window_days)


def as_csv(rows: Sequence[SiteRow]) -> str:
    """Return the table as CSV with a byte order mark; no cell runs in a spreadsheet."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([safe_cell(str(cell)) for cell in _cells(row)])
    return BYTE_ORDER_MARK + written.getvalue()


def _cells(row: SiteRow) -> list[object]:
    changes = " ".join(f"{change.what}:{change.on.isoformat()}" for change in row.changes)
    ran_out = row.ran_out_on.isoformat() if row.ran_out_on else ""
    recent = row.recent
    if recent is None:
        return [row.code, *[""] * 11, ran_out, changes]
    share, unknown, trend = recent.taken_share, recent.unknown_share, row.trend
    return [
        row.code,
        recent.first_on.isoformat(),
        recent.last_on.isoformat(),
        recent.ordered_days,
        recent.taken,
        recent.partly,
        recent.not_taken,
        recent.unknown,
        "" if share is None else figures.whole_percent(share),
        "" if unknown is None else figures.whole_percent(unknown),
        "" if trend is None else figures.whole_points(trend),
        recent.longest_gap,
        ran_out,
        changes,
    ]
