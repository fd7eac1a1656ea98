"""Ordered doses are compared with the registry text's bands, exactly and for staff only."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.dosing import (
    BandPosition,
    DoseBand,
    DoseOrder,
    Formulation,
    ImplausibleOrder,
    ImplausibleWeight,
    NoBand,
    against_band,
    band_for,
    daily_mg,
    ferritin_stop_review,
    mg_per_kg,
)

LOW_PLATELETS = DoseBand(Decimal(0), Decimal(50), Decimal(8), Decimal(10))
ENOUGH_PLATELETS = DoseBand(Decimal(50), None, Decimal(20), Decimal(20))
BANDS = (LOW_PLATELETS, ENOUGH_PLATELETS)
SIXTY_KG = Decimal(60)
FROM = date(2026, 3, 2)


def order(tablets: str, strength: int = 125, from_on: date = FROM, until_on: date | None = None) -> DoseOrder:
    return DoseOrder(Formulation.DISPERSIBLE, Decimal(tablets), Decimal(strength), from_on, until_on)


@pytest.mark.parametrize(
    ("tablets", "strength", "total", "per_kg"),
    [
        pytest.param("4", 125, "500", "8.3", id="whole tablets"),
        pytest.param("2.5", 500, "1250", "20.8", id="half a tablet"),
        pytest.param("0.5", 90, "45", "0.8", id="0.75 is rounded half up"),
    ],
)
def test_the_daily_amount_is_tablets_times_strength(tablets: str, strength: int, total: str, per_kg: str) -> None:
    assert daily_mg(order(tablets, strength)) == Decimal(total)
    assert mg_per_kg(order(tablets, strength), SIXTY_KG) == Decimal(per_kg)


def test_the_daily_amount_counts_every_time_of_the_day() -> None:
    twice = DoseOrder(Formulation.DISPERSIBLE, Decimal("1.5"), Decimal(250), FROM, times_a_day=2)
    assert (daily_mg(twice), mg_per_kg(twice, SIXTY_KG)) == (Decimal(750), Decimal("12.5"))
    assert against_band(twice, SIXTY_KG, LOW_PLATELETS) is BandPosition.ABOVE


@pytest.mark.parametrize("tablets", ["0", "-1", "0.25", "1.3", "NaN", "Infinity"])
def test_an_order_has_whole_or_half_tablets(tablets: str) -> None:
    with pytest.raises(ImplausibleOrder):
        order(tablets)


def test_an_order_has_a_strength_and_does_not_end_before_it_starts() -> None:
    with pytest.raises(ImplausibleOrder):
        order("1", strength=0)
    with pytest.raises(ImplausibleOrder):
        order("1", until_on=date(2026, 3, 1))
    with pytest.raises(ImplausibleOrder):
        DoseOrder(Formulation.GRANULES, Decimal(1), Decimal(90), FROM, times_a_day=0)


@pytest.mark.parametrize("weight", ["0", "-60", "NaN"])
def test_a_weight_is_above_zero(weight: str) -> None:
    with pytest.raises(ImplausibleWeight):
        mg_per_kg(order("4"), Decimal(weight))
    with pytest.raises(ImplausibleWeight):
        against_band(order("4"), Decimal(weight), LOW_PLATELETS)


@pytest.mark.parametrize(
    ("plt", "band"),
    [
        pytest.param("0", LOW_PLATELETS, id="no platelets"),
        pytest.param("49.9", LOW_PLATELETS, id="just below 50"),
        pytest.param("50", ENOUGH_PLATELETS, id="exactly 50 belongs to 50 and more"),
        pytest.param("400", ENOUGH_PLATELETS, id="no upper end"),
    ],
)
def test_a_platelet_count_has_one_band(plt: str, band: DoseBand) -> None:
    assert band_for(Decimal(plt), BANDS) is band


def test_an_impossible_platelet_count_has_no_band() -> None:
    with pytest.raises(NoBand):
        band_for(Decimal(-1), BANDS)


@pytest.mark.parametrize(
    ("tablets", "strength", "band", "position"),
    [
        pytest.param("4", 119, LOW_PLATELETS, BandPosition.BELOW, id="476 mg is below 480"),
        pytest.param("4", 120, LOW_PLATELETS, BandPosition.INSIDE, id="480 mg is the lower end"),
        pytest.param("6", 100, LOW_PLATELETS, BandPosition.INSIDE, id="600 mg is the upper end"),
        pytest.param("5", 125, LOW_PLATELETS, BandPosition.ABOVE, id="625 mg is above"),
        pytest.param("3", 400, ENOUGH_PLATELETS, BandPosition.INSIDE, id="1200 mg is 20 mg/kg"),
        pytest.param("9.5", 125, ENOUGH_PLATELETS, BandPosition.BELOW, id="1187.5 mg, shown as 19.8"),
        pytest.param("2.5", 481, ENOUGH_PLATELETS, BandPosition.ABOVE, id="1202.5 mg, shown as 20.0"),
    ],
)
def test_an_order_lies_below_inside_or_above_a_band(
    tablets: str, strength: int, band: DoseBand, position: BandPosition
) -> None:
    assert against_band(order(tablets, strength), SIXTY_KG, band) is position


@given(st.decimals(0, 2000, places=1))
def test_the_bands_leave_no_platelet_count_out(plt: Decimal) -> None:
    band = band_for(plt, BANDS)
    assert band is (LOW_PLATELETS if plt < 50 else ENOUGH_PLATELETS)


@pytest.mark.parametrize(
    ("ferritin", "review"),
    [
        pytest.param("499.9", True, id="below 500"),
        pytest.param("500", False, id="exactly 500 is not below"),
        pytest.param("1000", False, id="above"),
    ],
)
def test_ferritin_below_500_asks_for_a_stop_review(ferritin: str, review: bool) -> None:
    assert ferritin_stop_review(Decimal(ferritin)) is review
