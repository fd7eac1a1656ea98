"""Is no report forgotten in a storm, and would the judge see it? Faults are planted, so that the proof can fail."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.storm.__main__ import Storm, plan_for, storm
from bench.storm.people import Plan
from bot.domain import escalation as rules
from bot.domain.escalation import CaseState, Chain
from bot.protocol.load import bundled
from bot.store.models import Escalation
from bot.usecases import escalate, lapse, owning
from bot.work import Work

SHORT = Plan(reports=100, days=0.25, burst=12)


def play(folder: Path, plan: Plan = SHORT, seed: int = 1) -> Storm:
    folder.mkdir(exist_ok=True)
    return storm(plan, seed, folder, bundled(), subjects=6)


# Ten storms of a thousand reports each: ten thousand, that two workers can share.
@pytest.mark.req("DI-18")
@pytest.mark.parametrize("seed", range(1, 11))
def test_no_report_is_forgotten(tmp_path: Path, seed: int) -> None:
    found = storm(plan_for(1_000), seed, tmp_path, bundled())
    assert found.broken == []
    assert found.totals.reports == 1_000
    # It did blow: everything that the judge watches for has happened.
    totals = found.totals
    assert min(totals.acknowledged, totals.lapsed, totals.renewed, totals.resolved) > 0


def test_a_seed_gives_the_same_course_again(tmp_path: Path) -> None:
    first, second = (play(tmp_path / name, seed=4) for name in ("first", "second"))
    assert first.fingerprint == second.fingerprint
    assert first.totals == second.totals


# Planted faults


def forgets_to_plan(patch: pytest.MonkeyPatch) -> None:
    real = Work.plan

    def plan(work: Work, kind: str, *given: Any, **more: Any) -> bool:
        return kind != escalate.NEXT_PAGE and real(work, kind, *given, **more)

    patch.setattr(Work, "plan", plan)


def never_lapses(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lapse, "watch", lambda _work, _case: None)


def repeats_half_as_often(patch: pytest.MonkeyPatch) -> None:
    real = rules.next_page

    def slow(chain: Chain, *given: Any) -> Any:
        steps = [replace(s, repeat_minutes=s.repeat_minutes and 2 * s.repeat_minutes) for s in chain.steps]
        return real(replace(chain, steps=tuple(steps)), *given)

    patch.setattr(rules, "next_page", slow)


def pages_on_though_taken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(owning, "acknowledge", lambda work, case: escalate.step(work, case, "acknowledged"))


def does_not_page_for_what_is_worse(patch: pytest.MonkeyPatch) -> None:
    def upgrade(work: Work, case: Escalation, urgency: Any) -> None:
        case.urgency = urgency
        case.chain = rules.chain_to_dict(escalate.chain_of(work, case.kind, urgency, case.because))

    patch.setattr(escalate, "_upgrade", upgrade)


def hands_nothing_back(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(escalate, "hand_back", lambda _work, _staff_id: None)


def tells_before_anybody_said_so(patch: pytest.MonkeyPatch) -> None:
    real = owning.acknowledge

    def acknowledge(work: Work, case: Escalation) -> None:
        real(work, case)
        owning.tell_taken_over(work, case)

    patch.setattr(owning, "acknowledge", acknowledge)


def tells_of_pages_that_were_not_sent(patch: pytest.MonkeyPatch) -> None:
    real = escalate.page

    def page(work: Work, case: Escalation, *given: Any) -> None:
        real(work, case, *given)
        escalate.tell_subject(work, case, "triage.paged", once="too early")

    patch.setattr(escalate, "page", page)


def a_timer_closes(patch: pytest.MonkeyPatch) -> None:
    def resolve(_work: Work, case: Escalation, _why: object) -> None:
        case.state = CaseState.RESOLVED

    patch.setattr(lapse, "ring_again", resolve)


def mixes_up_subjects(patch: pytest.MonkeyPatch) -> None:
    real = escalate.open_case
    first: dict[str, int | None] = {}

    def open_case(work: Work, subject: Any) -> Escalation | None:
        found = real(work, subject)
        if found is None and first:
            other = work.session.get_one(Escalation, first["case"])
            return other if other.state != CaseState.RESOLVED else None
        if found is not None:
            first.setdefault("case", found.id)
        return found

    patch.setattr(escalate, "open_case", open_case)


PLANTED = [
    pytest.param(forgets_to_plan, "b", 1, id="the next page is not planned"),
    pytest.param(never_lapses, "b", 1, id="nothing lapses"),
    pytest.param(repeats_half_as_often, "b", 1, id="it repeats every ten minutes"),
    pytest.param(pages_on_though_taken, "c", 1, id="acknowledging does not stop the pages"),
    pytest.param(does_not_page_for_what_is_worse, "b", 1, id="what is worse does not page"),
    pytest.param(hands_nothing_back, "b", 4, id="what somebody had who left is forgotten"),
    pytest.param(tells_before_anybody_said_so, "f", 1, id="the patient is told too early that a person has it"),
    pytest.param(tells_of_pages_that_were_not_sent, "f", 1, id="the patient is told too early that staff were paged"),
    pytest.param(a_timer_closes, "e", 1, id="a timer closes a case"),
    pytest.param(mixes_up_subjects, "g", 1, id="two subjects share a case"),
]


@pytest.mark.parametrize(("plant", "rule", "seed"), PLANTED)
def test_a_planted_fault_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], rule: str, seed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plant(monkeypatch)
    found = play(tmp_path, seed=seed)
    assert any(each.startswith(f"({rule})") for each in found.broken), found.broken[:10]
