"""Who hears of a gap in the rota before anybody needs somebody who is not there?"""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

from sqlmodel import Session

from bot.domain.calendar import Closure
from bot.domain.reminders import daily_at, out_of_quiet
from bot.domain.roles import LEADING, Role
from bot.domain.rota import Level, Span, Warned, filled, gaps, is_news
from bot.store import people, rota
from bot.store.models import Account, Heartbeat
from bot.usecases import rota_words
from bot.work import Button, Day, Lane, Lines, Text, Work

TOLD = "rota.told"
A_DAY = timedelta(days=1)
# Who sees to it that the rota has no gaps.
KEEPERS = (*LEADING, Role.ADMIN)
SHOWN = 12  # of the gaps of one message; /oncall shows all


def in_use(session: Session) -> bool:
    """Return whether a shift was ever entered; a site without one works by /duty alone."""
    return rota.begins_at(session) is not None


def changed(work: Work) -> None:
    """Announce at once what a change of the rota or of the staff has left open, or has filled."""
    look(work, changed=True)


def look(work: Work, *, changed: bool = False) -> None:
    """Announce the gaps of the coming days: once when the day begins, and in between only what is new.

    In the quiet hours only a change by a person, or a gap that begins before they end, is told. When what was told
    is filled, the same people hear that too.
    """
    begun = rota.begins_at(work.session)
    if begun is None:
        return
    work.session.flush()
    found, closures, away = _missing(work, begun)
    kept = work.session.get(Heartbeat, TOLD, with_for_update=True)
    before = [_read(each) for each in kept.detail["gaps"]] if kept is not None else []
    day_of = kept.detail["day"] if kept is not None else ""
    news = [gap for gap in found if is_news(gap, before, work.now)]
    done = filled(before, found, work.now)
    opened = work.now >= daily_at(work.today, work.protocol.yellow_at, work.settings.zone)
    # Somebody who has just changed the rota is awake; the others hear at night only what cannot wait.
    awake = out_of_quiet(work.now, work.settings.zone, work.protocol.quiet_hours)
    pressing = changed or awake == work.now or any(gap.span.from_at < awake for gap in news)
    daily = opened and awake == work.now and day_of != work.today.isoformat()
    if found and (daily or (news and pressing)):
        _tell(work, "rota.gaps", found, done, closures, away)
    elif done and (not found or any(gap.urgent for gap in done)) and (changed or awake == work.now):
        _tell(work, "rota.gaps" if found else "rota.filled", found, done, closures, away)


def _missing(work: Work, begun: datetime) -> tuple[list[Warned], list[Closure], list[str]]:
    """Return the gaps to speak of, the closures they lie in, and who cannot be reached though a colleague is on."""
    rule, zone = work.protocol.rota, work.settings.zone
    opening = daily_at(work.today, work.protocol.yellow_at, zone)
    # The horizon moves when the day begins, or midnight would bring news.
    base = work.today if work.now >= opening else work.today - A_DAY
    near = Span(max(work.now, begun), daily_at(base + A_DAY * (rule.ahead_days + 1), time(0), zone))
    spans = [near] if near.from_at < near.until_at else []
    closures = []
    for closure in work.clinic.closures(base, base + A_DAY * rule.closure_ahead_days, rule.closure_at_least_days):
        whole = Span(daily_at(closure.first_on, time(0), zone), daily_at(closure.last_on + A_DAY, time(0), zone))
        later = Span(max(whole.from_at, near.until_at, near.from_at), whole.until_at)
        if later.from_at < later.until_at:
            closures.append(closure)
            spans.append(later)
    urgent = work.now + timedelta(hours=rule.urgent_hours)
    found: list[Warned] = []
    away: list[str] = []
    for each in spans:
        plan = rota.standing(work.session, each)
        for level in rota_words.levels(work):
            open_ = gaps(plan.shifts, level, each, plan.absent)
            found += [Warned(level, gap, gap.from_at < urgent) for gap in open_]
        away += [plan.people[person][0].name for person in sorted(plan.absent)]
    closures = [
        closure
        for closure in closures
        if any(closure.covers(gap.span.from_at.astimezone(zone).date()) for gap in found)
    ]
    return sorted(found, key=lambda gap: (gap.span.from_at, gap.level)), closures, list(dict.fromkeys(away))


def _tell(
    work: Work,
    key: str,
    found: Sequence[Warned],
    done: Sequence[Warned],
    closures: Sequence[Closure],
    away: list[str],
) -> None:
    kept = work.session.get(Heartbeat, TOLD)
    number = int(kept.detail["n"]) + 1 if kept is not None else 1
    detail = {"n": number, "day": work.today.isoformat(), "gaps": [_written(gap) for gap in found]}
    work.session.merge(Heartbeat(name=TOLD, at=work.now, detail=detail))
    for _, account in people.staff(work.session, KEEPERS):
        work.say(
            account,
            key,
            [[Button("oncall.button.open", "oncall.page", {"page": 0})]],
            lane=Lane.AMBER,
            purpose="rota",
            # Two processes that see the same gap at the same moment say it once.
            dedupe_key=f"rota:{number}:{account.id}",
            lines=Lines(_lines(work, account, found, done, closures, away)),
        )


def _lines(
    work: Work,
    account: Account,
    found: Sequence[Warned],
    done: Sequence[Warned],
    closures: Sequence[Closure],
    away: list[str],
) -> list[Text | Day | Lines | str]:
    lines: list[Text | Day | Lines | str] = []
    for gap in found[:SHOWN]:
        lines.append(Text("rota.gap_urgent" if gap.urgent else "rota.gap", _values(work, account, gap)))
    if len(found) > SHOWN:
        lines.append(Text("rota.more", {"n": len(found) - SHOWN}))
    lines += [
        Text("rota.closure", {"first": Day(each.first_on, "short_day"), "last": Day(each.last_on, "short_day")})
        for each in closures
    ]
    if away:
        lines.append(Text("rota.away", {"names": ", ".join(away)}))
    lines += [Text("rota.gap_filled", _values(work, account, gap)) for gap in done[:SHOWN]]
    return lines


def _values(work: Work, account: Account, gap: Warned) -> dict[str, object]:
    return {"at": rota_words.span(work, gap.span, account.locale), "level": Text(f"oncall.level.{gap.level}")}


def _written(gap: Warned) -> list[Any]:
    return [str(gap.level), gap.span.from_at.isoformat(), gap.span.until_at.isoformat(), gap.urgent]


def _read(written: list[Any]) -> Warned:
    level, from_at, until_at, urgent = written
    span = Span(datetime.fromisoformat(from_at), datetime.fromisoformat(until_at))
    return Warned(Level(level), span, bool(urgent))
