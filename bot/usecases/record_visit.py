"""How do staff record a visit as done or missed, or move it to another day?"""

from datetime import date, timedelta
from typing import Any

from bot.domain.parsing import Reading, parse_date
from bot.domain.roles import CLINICAL
from bot.domain.visits import InFuture, TooEarly, VisitKind
from bot.store import visits as stored
from bot.store.models import Subject, Visit
from bot.usecases import forms, plan, visit_reminders, visits
from bot.usecases.forms import Choice, Field, Form, Values
from bot.usecases.refusals import DayHasPassed, DayTooFar
from bot.work import Day, Text, Work

# A date outside these is a slip: nobody records a visit of last year or plans one for the next.
LONGEST_BACK = timedelta(days=180)
CONFIRM_BACK = timedelta(days=30)
LONGEST_AHEAD = timedelta(days=120)


def start_recording(work: Work, args: dict[str, Any]) -> None:
    """Begin to record a visit as done or missed."""
    if not _still_open(work, args):
        visits.show_visit(work, args)
        return
    form = DONE_FORM if args["outcome"] == stored.DONE else MISSED_FORM
    forms.open_form(work, form, visit=args["visit"], version=args["version"])


def start_moving(work: Work, args: dict[str, Any]) -> None:
    """Begin to move a visit."""
    if not _still_open(work, args):
        visits.show_visit(work, args)
        return
    forms.open_form(work, MOVE_FORM, visit=args["visit"], version=args["version"])


def _still_open(work: Work, args: dict[str, Any]) -> bool:
    visit = work.session.get_one(Visit, args["visit"])
    return visit.state == stored.PLANNED and visit.plan_version == args["version"]


def _visit(work: Work, values: Values) -> tuple[Visit, Subject]:
    visit = work.session.get_one(Visit, values["visit"])
    return visit, work.session.get_one(Subject, visit.subject_id)


def _said(work: Work, values: Values) -> dict[str, object]:
    visit, subject = _visit(work, values)
    return {"code": subject.code, "what": Text(f"visit.kind.{visit.kind}"), "day": Day(visit.target_on)}


def _past_days(work: Work, _values: Values) -> list[Choice]:
    return [
        Choice(
            work.texts.short_day(work.today - timedelta(days=back), work.caller.locale),
            (work.today - timedelta(days=back)).isoformat(),
            plain=True,
        )
        for back in range(3)
    ]


def _coming_days(work: Work, values: Values) -> list[Choice]:
    visit, subject = _visit(work, values)
    days = [work.today + timedelta(days=ahead) for ahead in range(1, 22)]
    fitting = [
        day for day in days if day.isoweekday() < 6 and day != visit.target_on and _allowed(work, subject, visit, day)
    ][:6]
    return [Choice(work.texts.short_day(day, work.caller.locale), day.isoformat(), plain=True) for day in fitting]


def _allowed(work: Work, subject: Subject, visit: Visit, day: date) -> bool:
    try:
        plan.check_new_day(work, subject, VisitKind(visit.kind), day)
    except TooEarly:
        return False
    return True


def _past_date(work: Work, values: Values, text: str) -> Reading[str]:
    reading = parse_date(text, work.today)
    if reading.value > work.today:
        raise InFuture(reading.value, work.today)
    if reading.value < work.today - LONGEST_BACK:
        raise DayTooFar
    far = reading.value < work.today - CONFIRM_BACK
    return Reading(reading.value.isoformat(), reading.confirm or far, text)


def _coming_date(work: Work, values: Values, text: str) -> Reading[str]:
    reading = parse_date(text, work.today)
    if reading.value < work.today:
        raise DayHasPassed
    visit, subject = _visit(work, values)
    kind = VisitKind(visit.kind)
    plan.check_new_day(work, subject, kind, reading.value)
    if reading.value > work.today + LONGEST_AHEAD:
        raise DayTooFar
    # Later than the protocol's longest interval is possible, but not by a slip of the finger.
    last = stored.last_held(work.session, subject, kind) or work.today
    late = reading.value > last + timedelta(days=work.protocol.visits[kind].longest_days)
    return Reading(reading.value.isoformat(), reading.confirm or late, text)


def _overtaken(work: Work, values: Values) -> bool:
    """Show the visit as it is now if a colleague recorded or moved it in the meantime."""
    if _still_open(work, values):
        return False
    work.answer("visit.overtaken")
    visits.show_visit(work, values)
    return True


def _finish_done(work: Work, values: Values) -> None:
    if _overtaken(work, values):
        return
    visit, subject = _visit(work, values)
    following = plan.record(work, visit, stored.DONE, date.fromisoformat(values["held_on"]))
    _say_next(work, subject, visit, following, "visit.recorded.done")


def _finish_missed(work: Work, values: Values) -> None:
    if _overtaken(work, values):
        return
    visit, subject = _visit(work, values)
    following = plan.record(work, visit, stored.MISSED, None, date.fromisoformat(values["next_on"]))
    visit_reminders.announce(work, following)
    _say_next(work, subject, visit, following, "visit.recorded.missed")


def _finish_move(work: Work, values: Values) -> None:
    if _overtaken(work, values):
        return
    visit, subject = _visit(work, values)
    plan.move(work, visit, date.fromisoformat(values["next_on"]))
    visit_reminders.announce(work, visit)
    if visit.kind == VisitKind.INJECTION:
        # The count that has to lie before the injection follows it.
        plan.plan_cbc(work, subject)
    _say_next(work, subject, visit, visit, "visit.recorded.moved")


def _say_next(work: Work, subject: Subject, visit: Visit, following: Visit, key: str) -> None:
    work.answer(
        key,
        code=subject.code,
        what=Text(f"visit.kind.{visit.kind}"),
        next=Text(f"visit.kind.{following.kind}"),
        day=Day(following.target_on, "full_day"),
    )


def _show_day(_work: Work, value: Any) -> object:
    return Day(date.fromisoformat(value), "full_day")


HELD_ON = Field("held_on", "visit.ask.held_on", _past_days, _past_date, show=_show_day, said_with=_said, columns=3)
NEXT_ON = Field(
    "next_on", "visit.ask.next_on", _coming_days, _coming_date, show=_show_day, said_with=_said, columns=2
)

DONE_FORM = forms.register(Form("visit.done", (HELD_ON,), _finish_done, frozenset(CLINICAL)))
MISSED_FORM = forms.register(Form("visit.missed", (NEXT_ON,), _finish_missed, frozenset(CLINICAL)))
MOVE_FORM = forms.register(Form("visit.move", (NEXT_ON,), _finish_move, frozenset(CLINICAL)))
