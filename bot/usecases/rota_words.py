"""How is the rota said: a time, who is on now, and the coming days a line each?"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta

from bot.domain.reminders import daily_at
from bot.domain.rota import Level, Shift, Span, gaps
from bot.store import rota
from bot.usecases import on_call
from bot.work import Lines, Text, Work

A_DAY = timedelta(days=1)
LEVELS = tuple(Level)


def span(work: Work, said: Span, locale: str) -> str:
    """Return a time on the site's wall clock: "Sat 28 Nov 20:00–08:00", with the second day when it is longer."""
    zone = work.settings.zone
    begin = work.texts.moment(said.from_at, zone, locale)
    if said.until_at - said.from_at <= A_DAY:
        return f"{begin}–{work.texts.time(said.until_at.astimezone(zone))}"
    return f"{begin} – {work.texts.moment(said.until_at, zone, locale)}"


def names(found: Iterable[on_call.Person]) -> str:
    return ", ".join(member.name for member, _ in found) or "—"


def now(work: Work) -> list[Text]:
    """Return who is paged first and second at this moment, why, and who stands in when nobody is on call."""
    lines = []
    if first := on_call.by_rota(work, Level.FIRST):
        lines.append(Text("oncall.now.rota", {"names": names(first)}))
    elif first := on_call.first_on(work):
        lines.append(Text("oncall.now.duty", {"names": names(first)}))
    else:
        lines.append(Text("oncall.now.nobody", {"names": names(on_call.standing_in(work)[0])}))
    lines.append(Text("oncall.now.second", {"names": names(on_call.second_on(work))}))
    named = rota.fallback(work.session)
    if named is None or named[1].revoked_at is not None:
        lines.append(Text("oncall.now.no_fallback"))
    elif not rota.is_there(named[1], named[2]):
        lines.append(Text("oncall.now.fallback_away", {"name": named[1].name}))
    else:
        lines.append(Text("oncall.now.fallback", {"name": named[1].name}))
    return lines


def rota_decides(work: Work) -> Lines | str:
    """Return the line that tells somebody who sets themselves on duty that the rota decides at this moment."""
    first = on_call.by_rota(work, Level.FIRST)
    return Lines(["", "", Text("duty.rota_decides", {"names": names(first)})]) if first else ""


def levels(work: Work) -> Sequence[Level]:
    """Return the levels that the site fills; one where it never entered a second."""
    return LEVELS if rota.has_second(work.session) else (Level.FIRST,)


def days(work: Work, first: date, many: int, locale: str) -> list[str]:
    """Return ``many`` days from ``first`` on, a line for each day and level, gaps marked."""
    zone = work.settings.zone
    begin, end = daily_at(first, time(0), zone), daily_at(first + A_DAY * many, time(0), zone)
    plan = rota.standing(work.session, Span(begin, end))
    begun = rota.begins_at(work.session) or end
    since = max(begin, begun, work.now)
    wanted = levels(work)
    missing = {
        level: gaps(plan.shifts, level, Span(since, end), plan.absent) if since < end else [] for level in wanted
    }
    lines = []
    for number in range(many):
        day = first + A_DAY * number
        whole = Span(begin if number == 0 else daily_at(day, time(0), zone), daily_at(day + A_DAY, time(0), zone))
        lines.append(work.texts.short_day(day, locale))
        for level in wanted:
            said = [
                *((each.span.from_at, _shift(work, plan, each, whole, locale)) for each in plan.shifts
                  if each.level is level and _begins_in(each.span, whole, is_first=number == 0)),
                *((each.from_at, _gap(work, each, whole, locale)) for each in missing[level]
                  if whole.covers(each.from_at)),
            ]  # fmt: skip
            if said:
                told = "; ".join(words for _, words in sorted(said))
                lines.append(work.text(f"oncall.line.{level}", locale, shifts=told))
    return lines


def _begins_in(shift: Span, day: Span, *, is_first: bool) -> bool:
    return day.covers(shift.from_at) or (is_first and shift.covers(day.from_at))


def _shift(work: Work, plan: rota.Rota, shift: Shift, day: Span, locale: str) -> str:
    key = "oncall.shift_away" if shift.person in plan.absent else "oncall.shift"
    return work.text(key, locale, at=_hours(work, shift.span, day, locale), name=plan.people[shift.person][0].name)


def _gap(work: Work, gap: Span, day: Span, locale: str) -> str:
    return work.text("oncall.gap", locale, at=_hours(work, gap, day, locale))


def _hours(work: Work, said: Span, day: Span, locale: str) -> str:
    """Return the wall times of a span; the day with them where it is not plain."""
    zone = work.settings.zone

    def at(moment: datetime, *, plainly: bool) -> str:
        return work.texts.time(moment.astimezone(zone)) if plainly else work.texts.moment(moment, zone, locale)

    begin = at(said.from_at, plainly=day.covers(said.from_at))
    return f"{begin}–{at(said.until_at, plainly=said.until_at - day.from_at <= 2 * A_DAY)}"
