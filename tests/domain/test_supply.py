"""The proportion of days covered: shifted forward, capped, and never guessed."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from bot.domain.supply import Coverage, coverage

FIRST = date(2026, 3, 2)


def on(offset: int) -> date:
    return FIRST + timedelta(days=offset)


def needed(days: int, mg: int = 500, *, but: tuple[int, ...] = ()) -> dict[date, Decimal]:
    return {on(offset): Decimal(mg) for offset in range(days) if offset not in but}


def handed_out(**given: int) -> dict[date, Decimal]:
    return {on(int(day.removeprefix("d"))): Decimal(mg) for day, mg in given.items()}


def test_the_worked_example_of_the_figures_page() -> None:
    """Ten days at 500 mg: 4 days' tablets on day 1, 3 days' on day 3, 1 day's on day 9; day 6 is held."""
    dispensed = handed_out(d0=2000, d2=1500, d8=500)
    found = coverage(dispensed, needed(10, but=(5,)), FIRST, on(9))
    # Covered: days 1-5, 7, 8 (7 doses of the first two hand-outs), and 9.
    assert found == Coverage(covered=8, days=9)
    assert found.share == Fraction(8, 9)


@pytest.mark.parametrize(
    ("dispensed", "days", "expected"),
    [
        pytest.param({}, needed(10), None, id="nothing handed out is no figure, not 0 %"),
        pytest.param(handed_out(d20=500), needed(10), None, id="handed out after the period"),
        pytest.param(handed_out(d0=50_000), needed(10), Coverage(10, 10), id="more than enough is 100 %"),
        pytest.param(handed_out(d4=5000), needed(10), Coverage(6, 6), id="days before the first are left out"),
        pytest.param(
            handed_out(d0=1000, d1=1000), needed(10), Coverage(4, 10), id="what overlaps is shifted forward"
        ),
        pytest.param(handed_out(d0=750, d5=250), needed(10), Coverage(2, 10), id="a rest waits for the next"),
        pytest.param(handed_out(d0=400), needed(3), Coverage(0, 3), id="less than a dose covers no day"),
        pytest.param(handed_out(d0=500), {}, Coverage(0, 0), id="nothing ordered"),
        pytest.param(
            handed_out(d0=2000), needed(2) | {on(2): Decimal(1000)}, Coverage(3, 3), id="the dose was raised"
        ),
    ],
)
def test_a_day_is_covered_while_its_dose_is_left(
    dispensed: dict[date, Decimal], days: dict[date, Decimal], expected: Coverage | None
) -> None:
    assert coverage(dispensed, days, FIRST, on(9)) == expected


def test_what_was_handed_out_before_the_period_reaches_into_it() -> None:
    dispensed = handed_out(d0=4000)
    assert coverage(dispensed, needed(10), on(6), on(9)) == Coverage(2, 4)


def test_nothing_to_take_has_no_share() -> None:
    assert Coverage(0, 0).share is None
