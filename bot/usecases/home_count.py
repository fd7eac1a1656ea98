"""How many tablets are left at home? Asked once a month, kindly, and the patient may say "later" or "rather not".

Nothing is asked while the tablets are paused, stopped or not ordered. The answer is a count like those of staff,
source patient; a photo is optional and kept like everything that patients send.
"""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlmodel import func, select

from bot.domain import reminders as reminder_rules
from bot.domain.parsing import Reading
from bot.domain.participation import ParticipationState, may_be_asked
from bot.domain.roles import SUBJECT_SIDE
from bot.domain.tablet_counts import CountKind, most_there
from bot.store import tablet_counts as stored
from bot.store.models import AgendaItem, Subject
from bot.usecases import dose_days, forms, polite, screens, tablet_counts
from bot.usecases.forms import Choice, Field, Form, Values
from bot.work import Button, Text, Work

ASK = polite.HOME_COUNT
ASKED = "asked"
HOME = "count.home"


def replan(work: Work, subject: Subject) -> None:
    """Enter the next question at the patient's hour, in place of one at another hour."""
    work.forget_plan(ASK, subject.id or 0)
    plan_next(work, subject)


def plan_next(work: Work, subject: Subject, on: date | None = None, later: int = 0) -> None:
    """Enter the next question, if this subject takes tablets and may be asked: ``on`` this day or a month on.

    A month is counted from the last time it was put, or from the consent. ``later``: so often it was put off.
    """
    if not screens.takes_tablets(work, subject) or not may_be_asked(ParticipationState(subject.state)):
        return
    rule, zone = work.protocol.tablets.counts, work.settings.zone
    first = on or max(_last_on(work, subject) + timedelta(days=rule.ask_every_days), work.today)
    at = subject.reminder_at or work.protocol.dose_prompt.default_at
    for day in (first + timedelta(days=number) for number in range(3)):
        due = reminder_rules.next_daily(
            reminder_rules.daily_at(day, time(0), zone), at, zone, work.protocol.quiet_hours
        )
        if due >= work.now and work.plan(
            ASK,
            f"count:{subject.id}:{day.isoformat()}",
            due,
            subject.id or 0,
            subject_id=subject.id,
            useful_until=due + timedelta(days=rule.useful_days),
            day=day.isoformat(),
            later=later,
        ):
            return


def _last_on(work: Work, subject: Subject) -> date:
    put = select(func.max(AgendaItem.closed_at)).where(
        AgendaItem.subject_id == subject.id, AgendaItem.kind == ASK, AgendaItem.reason == ASKED
    )
    last: datetime = work.session.exec(put).one() or subject.state_changed_at
    return last.astimezone(work.settings.zone).date()


def ask(work: Work, item: AgendaItem) -> str:
    """Ask how many tablets are left, and plan the next time whatever becomes of this one."""
    subject, rule = work.session.get_one(Subject, item.about_id), work.protocol.tablets.counts
    if not may_be_asked(ParticipationState(subject.state)) or not screens.takes_tablets(work, subject):
        return "not to be asked"
    if dose_days.order_on(work.session, subject, work.today) is None:
        # It waits until the tablets are taken again, however long that is.
        pause = timedelta(days=rule.again_after_days)
        item.due_at, item.reason = item.due_at + pause, "nothing to take now"
        item.useful_until = item.due_at + timedelta(days=rule.useful_days)
        return polite.PUT_OFF
    held = polite.hold_back(work, subject, item)
    if held == polite.PUT_OFF:
        # It comes by here again.
        return held
    plan_next(work, subject, work.today + timedelta(days=rule.ask_every_days))
    if held is not None:
        return held
    later = int(item.detail.get("later", 0))
    rows = [[Button("count.button.enter", "count.enter")]]
    if later < rule.most_later:
        rows.append([Button("count.button.later", "count.later", {"later": later})])
    rows += [[Button("count.button.no", "count.no")], [Button("menu.button.team", "menu.team")]]
    readers = polite.put(
        work,
        subject,
        item,
        "count.ask",
        rows,
        purpose=ASK,
        about_id=subject.id,
        asked=item.key,
        until=item.useful_until or work.now,
        useful_until=item.useful_until,
        single_use=True,
        phone=screens.phone(work),
    )
    return ASKED if readers else "nobody to ask"


def after_skipped(work: Work, item: AgendaItem) -> None:
    """Go on to the next question when one lay too long, as after an outage."""
    plan_next(work, work.session.get_one(Subject, item.about_id))


def ask_later(work: Work, args: dict[str, Any]) -> None:
    """Ask again at the patient's hour of another day."""
    subject = screens.subject_of(work)
    if not _may_count(work, subject):
        return
    # The question of next month gives way to this one, and is counted from it.
    work.forget_plan(ASK, subject.id or 0)
    again_on = work.today + timedelta(days=work.protocol.tablets.counts.again_after_days)
    plan_next(work, subject, again_on, int(args["later"]) + 1)
    work.answer("count.later")


def rather_not(work: Work, _args: dict[str, Any]) -> None:
    """Take it that this patient does not count this time."""
    work.answer("count.no")


def _may_count(work: Work, subject: Subject) -> bool:
    if screens.takes_tablets(work, subject) and screens.on_study(subject):
        return True
    key = "menu.not_on_study" if not screens.on_study(subject) else "tablets.not_for_you"
    work.answer(key, phone=screens.phone(work))
    return False


def start(work: Work, _args: dict[str, Any]) -> None:
    """Let the patient say how many are left."""
    subject = screens.subject_of(work)
    if not _may_count(work, subject):
        return
    strengths = _strengths(work, subject)
    if not strengths:
        work.answer("count.nothing", [[Button("menu.button.team", "menu.team")]], phone=screens.phone(work))
        return
    known = {"strength": strengths[0]} if len(strengths) == 1 else {}
    forms.open_form(work, FORM, **known)


def _strengths(work: Work, subject: Subject) -> list[int]:
    """Return the strengths there can be at home: of today's order, and of what was counted before."""
    order = dose_days.order_on(work.session, subject, work.today)
    now = [order.strength_mg] if order is not None else []
    rows = stored.counting(work.session, subject)
    return list(dict.fromkeys([*now, *(row.strength_mg for row in reversed(rows))]))


def _choices(work: Work, _values: Values) -> list[Choice]:
    return [Choice(f"{each} mg", each, plain=True) for each in _strengths(work, screens.subject_of(work))]


def _said(_work: Work, values: Values) -> dict[str, object]:
    return {"strength": values["strength"]}


def _parse(work: Work, values: Values, text: str) -> Reading[str]:
    """Read a number; one that cannot be is asked back, with no reason that sounds like a reproach."""
    given = tablet_counts.parse_tablets(work, values, text)
    rows = [
        row
        for row in stored.counting(work.session, screens.subject_of(work))
        if row.occasion != _occasion(work, values["strength"])
    ]
    there = most_there(tablet_counts.counts_of(rows, values["strength"]), work.today)
    odd = Decimal(given.value) > (there or work.protocol.tablets.counts.most_a_year)
    return Reading(given.value, odd, text)


def _shown(_work: Work, value: Any) -> Text:
    return Text("counts.n", {"n": value})


def _occasion(work: Work, strength_mg: int) -> str:
    """Name the count of a day: who counts again on the same day corrects it."""
    return f"home:{screens.subject_of(work).id}:{work.today.isoformat()}:{strength_mg}"


def _finish(work: Work, values: Values) -> None:
    tablet_counts.keep(
        work,
        screens.subject_of(work),
        CountKind.AT_HOME,
        work.today,
        Decimal(values["tablets"]),
        values["strength"],
        source=stored.PATIENT,
        occasion=_occasion(work, values["strength"]),
    )
    work.answer("count.thanks", n=values["tablets"])


FORM = forms.register(
    Form(
        HOME,
        (
            Field("strength", "count.ask_strength", _choices, columns=2),
            Field("tablets", "count.ask_number", parse=_parse, show=_shown, said_with=_said),
        ),
        _finish,
        frozenset(SUBJECT_SIDE),
    )
)
