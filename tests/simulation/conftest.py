"""Small simulations, in which rare things are frequent."""

from collections.abc import Callable, Mapping

import pytest

from bot import app
from bot.protocol.load import bundled
from bot.simulation.ground import ShortWay
from bot.simulation.plan import DAYS_IN_MONTH, Plan
from bot.simulation.report import SiteReport
from bot.simulation.run import simulate_site

# Patients who answer and ask for other days, so that a fortnight shows what else takes months.
LIVELY = {
    "answers": 0.95,
    "late": 0.02,
    "another_day": 0.3,
    "caregiver": 0.0,
    "a day: falls silent": 0.0,
    "a day: blocks": 0.0,
    "a day: withdraws": 0.0,
}

Simulate = Callable[..., SiteReport]


@pytest.fixture(autouse=True)
def _protocol_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start each bot with the trial that is in memory; what a start checks is tested elsewhere."""
    monkeypatch.setattr(app, "checked_protocol", lambda *_: bundled())


@pytest.fixture
def simulate() -> Simulate:
    """Give what simulates three subjects, one of each arm, for some days."""

    def run(
        days: int,
        habits: Mapping[str, float] | None = None,
        *,
        faults: bool = False,
        seed: int = 3,
        stop_at: str | None = None,
    ) -> SiteReport:
        plan = Plan(3, days / DAYS_IN_MONTH, seed, faults, habits={**LIVELY, **(habits or {})})
        return simulate_site(plan, stop_at=stop_at)

    return run


@pytest.fixture
def confirmations_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no "noted" to whom tells where they are arrive before it is shown again; needs a run with faults."""

    def fault(way: ShortWay) -> str | None:
        message = way.carrying
        assert message is not None
        shown_first = message.text_key == "zone.kept" and message.text.startswith(("记下了", "Noted"))
        return "lost_request" if shown_first else None

    monkeypatch.setattr(ShortWay, "_fault", fault)
