"""When does a drill ring, and what do several show together?"""

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.drills import DrillOutcome, Figure, Times, drawn, figure, figures

BEGINS = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
DAY = timedelta(hours=24)


def test_the_same_seed_draws_the_same_moment_and_others_draw_others() -> None:
    moments = [drawn(seed, BEGINS, DAY) for seed in range(200)]
    assert moments == [drawn(seed, BEGINS, DAY) for seed in range(200)]
    assert len(set(moments)) > 190
    assert all(BEGINS <= moment < BEGINS + DAY for moment in moments)
    # Any hour alike: nobody learns to expect it in the morning.
    assert len({moment.hour for moment in moments}) == 24


def test_a_window_of_no_length_is_now() -> None:
    assert drawn(7, BEGINS, timedelta(0)) == BEGINS


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        pytest.param([], Figure(0, 0, None, None), id="no drill"),
        pytest.param([None], Figure(0, 1, None, None), id="nobody came to it"),
        pytest.param([10, None, 30], Figure(2, 3, 20, 30), id="who never came is in no time but is counted"),
    ],
)
def test_a_figure_counts_who_came_to_it(values: list[int | None], shown: Figure) -> None:
    assert figure(values) == shown


def test_what_a_real_case_cut_short_is_no_figure() -> None:
    held = [
        Times(DrillOutcome.READ_BACK, 1, 20, 30, 40),
        Times(DrillOutcome.NOBODY, 1, None, None, None),
        Times(DrillOutcome.INTERRUPTED, 1, None, None, None),
        Times(DrillOutcome.NOT_HELD, None, None, None, None),
    ]
    assert figures(held)["taken"] == Figure(1, 2, 30, 30)
