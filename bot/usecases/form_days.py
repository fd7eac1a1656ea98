"""Which days does a form offer as buttons, and which typed days of the past does it take?"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from bot.domain.parsing import Reading, parse_date
from bot.domain.visits import InFuture
from bot.usecases.forms import Choice, Field, Values
from bot.usecases.refusals import DayTooFar
from bot.work import Day, Work

# A date outside these is a slip: nobody records a visit of last year.
LONGEST_BACK = timedelta(days=180)
CONFIRM_BACK = timedelta(days=30)


def choice(work: Work, day: date) -> Choice:
    """Return the button of a day."""
    return Choice(work.texts.short_day(day, work.caller.locale), day.isoformat(), plain=True)


def past_days(work: Work, _values: Values) -> list[Choice]:
    """Offer today and the two days before."""
    return [choice(work, work.today - timedelta(days=back)) for back in range(3)]


def past_date(work: Work, text: str, longest_back: timedelta = LONGEST_BACK) -> Reading[date]:
    """Read a day that has come, of the last ``longest_back``.

    Raises:
        Unreadable: no day was said.
        InFuture, DayTooFar: the day cannot be meant.
    """
    reading = parse_date(text, work.today)
    if reading.value > work.today:
        raise InFuture(reading.value, work.today)
    if reading.value < work.today - longest_back:
        raise DayTooFar
    return reading


def recorded_date(work: Work, _values: Values, text: str) -> Reading[str]:
    """Read the day of something that staff record; one more than a month ago is asked back.

    Raises:
        Unreadable, InFuture, DayTooFar: as for `past_date`.
    """
    reading = past_date(work, text)
    return Reading(reading.value.isoformat(), reading.confirm or is_far(work, reading.value), text)


def show(_work: Work, value: Any) -> object:
    """Show a day that was answered."""
    return Day(date.fromisoformat(value), "full_day")


def past_field(
    name: str,
    ask: str,
    said_with: Callable[[Work, Values], dict[str, object]],
    parse: Callable[[Work, Values, str], Reading[str]] = recorded_date,
) -> Field:
    """Return the question for a day that has come."""
    return Field(name, ask, past_days, parse, show=show, said_with=said_with, columns=3)


def is_far(work: Work, day: date) -> bool:
    """Tell whether a day lies so far back that it is asked again."""
    return day < work.today - CONFIRM_BACK
