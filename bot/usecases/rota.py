"""Who is on call now and in the coming days, and what can the reader do about it?"""

from datetime import time, timedelta
from typing import Any

from bot.domain.reminders import daily_at
from bot.domain.roles import CLINICAL, Role
from bot.domain.rota import Span, gaps, pieces
from bot.store import audit
from bot.store import rota as stored
from bot.usecases import rota_watch, rota_words
from bot.work import Button, Lines, Text, Work

DAYS = 14
OFFERED = 6  # gaps with a button on one page
LONGEST = timedelta(hours=24)
NAMING = (Role.PI, Role.ADMIN)


def show(work: Work, _args: object = None) -> None:
    """Show who is on call now and the next fourteen days."""
    show_page(work, {"page": 0})


def show_page(work: Work, args: dict[str, Any]) -> None:
    """Show another fourteen days."""
    page = max(int(args["page"]), 0)
    audit.record(work.session, "oncall.listed", page=page)
    now = Lines(rota_words.now(work))
    if not rota_watch.in_use(work.session):
        work.answer("oncall.title", _more(work), now=now, lines=Text("oncall.how_to_enter"))
        return
    first = work.today + timedelta(days=DAYS * page)
    lines = rota_words.days(work, first, DAYS, work.caller.locale)
    turn = [Button("list.earlier", "oncall.page", {"page": page - 1})] if page else []
    turn.append(Button("list.more", "oncall.page", {"page": page + 1}))
    work.answer("oncall.title", [*_gaps(work, page), turn, *_more(work)], now=now, lines=Lines(lines))


def _gaps(work: Work, page: int) -> list[list[Button]]:
    """Return a button for each of the first gaps of a page, for those who can take one."""
    if work.caller.role not in CLINICAL:
        return []
    zone = work.settings.zone
    begin = daily_at(work.today + timedelta(days=DAYS * page), time(0), zone)
    end = daily_at(work.today + timedelta(days=DAYS * (page + 1)), time(0), zone)
    within = Span(max(begin, work.now, stored.begins_at(work.session) or end), end)
    if within.from_at >= within.until_at:
        return []
    plan = stored.standing(work.session, within)
    rows = []
    for level in rota_words.levels(work):
        for gap in gaps(plan.shifts, level, within, plan.absent):
            for part in pieces(gap, LONGEST):
                args = {"level": level, "from": part.from_at.isoformat(), "until": part.until_at.isoformat()}
                at = rota_words.span(work, part, work.caller.locale)
                values: dict[str, object] = {"at": at, "level": Text(f"oncall.level.{level}")}
                rows.append([Button("oncall.button.take", "rota.take", args, values=values)])
    return rows[:OFFERED]


def _more(work: Work) -> list[list[Button]]:
    rows = []
    if work.caller.role in CLINICAL and rota_watch.in_use(work.session):
        rows.append([Button("oncall.button.swap", "rota.swap")])
    if work.caller.role in NAMING:
        rows.append([Button("oncall.button.fallback", "rota.fallback")])
    return rows
