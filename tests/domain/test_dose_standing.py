"""What holds on a day: orders, holds, resumes and stops, in whatever order they were entered."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest

from bot.domain.dosing import Change, standing

TAKE, HELD, NOTHING = "take", "held", "nothing"


@dataclass(frozen=True)
class Order:
    name: str
    from_on: date
    ordered_at: datetime
    until_on: date | None = None
    void: bool = False


@dataclass(frozen=True)
class Word:
    what: str
    from_on: date
    recorded_at: datetime
    void: bool = False


def order(day: int, given: int, name: str = "A", until: int | None = None, *, void: bool = False) -> Order:
    """Return an order from a day of March on, entered at an hour of the study (so that hours are an order)."""
    return Order(name, on(day), at(given), on(until) if until else None, void)


def hold(day: int, given: int, *, void: bool = False) -> Word:
    return Word(Change.HOLD, on(day), at(given), void)


def resume(day: int, given: int, *, void: bool = False) -> Word:
    return Word(Change.RESUME, on(day), at(given), void)


def stop(day: int, given: int, *, void: bool = False) -> Word:
    return Word(Change.STOP, on(day), at(given), void)


def on(day: int) -> date:
    return date(2026, 3, day)


def at(given: int) -> datetime:
    return datetime(2026, 3, 1 + given // 24, given % 24, tzinfo=UTC)


def says(orders: list[Order], words: list[Word], day: int) -> str:
    found = standing(orders, words, on(day))
    if found.to_take is not None:
        return found.to_take.name
    return HELD if found.is_held else NOTHING


@pytest.mark.parametrize(
    ("orders", "words", "expected"),
    [
        pytest.param([order(2, 1)], [], {1: NOTHING, 2: "A", 30: "A"}, id="an order holds from its day on"),
        pytest.param([order(2, 1, until=5)], [], {5: "A", 6: NOTHING}, id="its last day is included"),
        pytest.param([order(2, 1), order(9, 2, "B")], [], {8: "A", 9: "B"}, id="a planned order waits for its day"),
        pytest.param(
            [order(9, 1, "A"), order(5, 2, "B")], [], {4: NOTHING, 5: "B", 9: "B"}, id="the one given last counts"
        ),
        pytest.param([order(2, 1), order(5, 2, "B", void=True)], [], {9: "A"}, id="a void order never was"),
        pytest.param([order(2, 1, void=True)], [], {9: NOTHING}, id="the only order is void"),
        pytest.param([order(2, 1)], [hold(5, 2)], {4: "A", 5: HELD, 30: HELD}, id="a hold lasts"),
        pytest.param([order(2, 1)], [hold(5, 2), resume(8, 3)], {7: HELD, 8: "A"}, id="until it is resumed"),
        pytest.param([order(2, 1)], [hold(5, 2), resume(5, 3)], {5: "A", 6: "A"}, id="hold and resume of one day"),
        pytest.param([order(2, 1)], [resume(5, 2), hold(5, 3)], {5: HELD, 6: HELD}, id="resume and hold of one day"),
        pytest.param(
            [order(2, 1)], [resume(8, 3), hold(5, 2)], {7: HELD, 8: "A"}, id="told in any order of the list"
        ),
        pytest.param(
            [order(2, 1)],
            [hold(8, 2), resume(12, 3), hold(5, 4)],
            {5: HELD, 11: HELD, 12: "A"},
            id="a hold entered late begins earlier and ends with the resume that was there",
        ),
        pytest.param(
            [order(2, 1)], [hold(5, 2), resume(8, 3, void=True)], {8: HELD, 9: HELD}, id="a void resume ends nothing"
        ),
        pytest.param([order(2, 1)], [hold(5, 2, void=True)], {5: "A"}, id="a void hold never was"),
        pytest.param([order(2, 1)], [hold(5, 2), hold(7, 3), resume(9, 4)], {8: HELD, 9: "A"}, id="held twice"),
        pytest.param(
            [order(2, 1), order(7, 3, "B")], [hold(5, 2)], {7: HELD, 9: HELD}, id="an order leaves the hold as it is"
        ),
        pytest.param(
            [order(2, 1), order(7, 3, "B")],
            [hold(5, 2), resume(7, 3)],
            {6: HELD, 7: "B"},
            id="an order with its own resume ends it",
        ),
        pytest.param([order(2, 1)], [stop(5, 2)], {4: "A", 5: NOTHING, 30: NOTHING}, id="a stop lasts"),
        pytest.param([order(2, 1)], [stop(5, 2), resume(7, 3)], {7: NOTHING}, id="a resume does not undo a stop"),
        pytest.param(
            [order(2, 1), order(9, 3, "B")], [stop(5, 2)], {8: NOTHING, 9: "B"}, id="a new order starts again"
        ),
        pytest.param(
            [order(2, 1), order(5, 3, "B")], [stop(5, 2)], {5: "B"}, id="a new order from the very day of the stop"
        ),
        pytest.param(
            [order(2, 1), order(9, 2, "B")],
            [stop(5, 3)],
            {9: NOTHING, 30: NOTHING},
            id="an order planned before the stop does not start again",
        ),
        pytest.param(
            [order(2, 1), order(3, 3, "B")], [stop(5, 2)], {4: "B", 5: NOTHING}, id="a late order of before the stop"
        ),
        pytest.param(
            [order(2, 1), order(9, 4, "B")],
            [hold(5, 2), stop(7, 3)],
            {6: HELD, 7: NOTHING, 9: "B"},
            id="a stop ends the hold",
        ),
        pytest.param(
            [order(2, 1), order(9, 3, "B", void=True)], [stop(5, 2)], {9: NOTHING}, id="a void order starts nothing"
        ),
        pytest.param([order(2, 1)], [stop(5, 2, void=True)], {5: "A"}, id="a void stop never was"),
        pytest.param(
            [order(2, 1), order(9, 3, "B")],
            [stop(5, 2), stop(12, 4)],
            {8: NOTHING, 9: "B", 12: NOTHING},
            id="stopped, begun and stopped again",
        ),
        pytest.param(
            [order(2, 1), order(9, 3, "B")],
            [stop(5, 2), hold(10, 4)],
            {9: "B", 10: HELD},
            id="held after it was begun again",
        ),
        pytest.param([], [hold(5, 2)], {5: NOTHING}, id="nothing ordered is not held"),
        pytest.param([order(20, 1)], [stop(5, 2)], {20: NOTHING}, id="a stop before a planned order begins"),
    ],
)
def test_what_holds_on_a_day(orders: list[Order], words: list[Word], expected: dict[int, str]) -> None:
    assert {day: says(orders, words, day) for day in expected} == expected
    # In which order the rows come from the database does not matter.
    assert {day: says(orders[::-1], words[::-1], day) for day in expected} == expected


def test_a_hold_names_the_word_that_began_it() -> None:
    first, second = hold(5, 2), hold(7, 3)
    assert standing([order(2, 1)], [second, first], on(9)).held_by is first


def test_of_two_stops_the_later_one_is_named() -> None:
    first, second = stop(5, 2), stop(7, 3)
    assert standing([order(2, 1)], [first, second], on(9)).stopped_by is second
