"""A case climbs its chain until a named person takes it, and no clock ever closes it."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.escalation import (
    TIMER_EVENTS,
    TRANSITIONS,
    BrokenChain,
    CaseEvent,
    CaseState,
    Chain,
    ChainStep,
    Lapse,
    Limits,
    NextPage,
    RefusedTransition,
    acknowledge_by,
    advance,
    awaits_acknowledgement,
    chain_from_dict,
    chain_to_dict,
    lapses_at,
    level_above,
    next_page,
    outcome_by,
    started_at_level,
)

OPENED = datetime(2026, 3, 2, 19, 0, tzinfo=UTC)
RED = Chain(
    "red",
    (
        ChainStep(0, ("on_call",), 5),
        ChainStep(10, ("on_call", "second_on_call"), 5),
        ChainStep(20, ("on_call", "second_on_call", "pi"), 5),
    ),
    acknowledge_within_minutes=5,
)
AMBER = Chain("amber", (ChainStep(0, ("coordinator",)), ChainStep(1440, ("on_call",))), 1440)


def after(minutes: float) -> datetime:
    return OPENED + timedelta(minutes=minutes)


def minutes_of(page: NextPage) -> float:
    return (page.due_at - OPENED) / timedelta(minutes=1)


@pytest.mark.req("DI-18")
@pytest.mark.parametrize(
    ("state", "event", "becomes"),
    [
        pytest.param(CaseState.OPEN, CaseEvent.PAGE, CaseState.NOTIFIED, id="the first page"),
        pytest.param(CaseState.OPEN, CaseEvent.ACKNOWLEDGE, CaseState.ACKNOWLEDGED, id="seen unpaged"),
        pytest.param(CaseState.OPEN, CaseEvent.RENEW, CaseState.OPEN, id="worse before the first page"),
        pytest.param(CaseState.NOTIFIED, CaseEvent.PAGE, CaseState.NOTIFIED, id="paged again"),
        pytest.param(CaseState.NOTIFIED, CaseEvent.ACKNOWLEDGE, CaseState.ACKNOWLEDGED, id="taken"),
        pytest.param(CaseState.NOTIFIED, CaseEvent.RENEW, CaseState.OPEN, id="worse while it rings"),
        pytest.param(CaseState.ACKNOWLEDGED, CaseEvent.LAPSE, CaseState.OPEN, id="taken and nothing done"),
        pytest.param(CaseState.ACKNOWLEDGED, CaseEvent.START_ACTION, CaseState.IN_ACTION, id="acted on"),
        pytest.param(CaseState.ACKNOWLEDGED, CaseEvent.HAND_OVER, CaseState.ACKNOWLEDGED, id="another owner"),
        pytest.param(CaseState.ACKNOWLEDGED, CaseEvent.HAND_BACK, CaseState.OPEN, id="the owner left"),
        pytest.param(CaseState.ACKNOWLEDGED, CaseEvent.RENEW, CaseState.OPEN, id="worse after it was taken"),
        pytest.param(CaseState.ACKNOWLEDGED, CaseEvent.RESOLVE, CaseState.RESOLVED, id="resolved at once"),
        pytest.param(CaseState.IN_ACTION, CaseEvent.LAPSE, CaseState.OPEN, id="tried, and then nothing"),
        pytest.param(CaseState.IN_ACTION, CaseEvent.START_ACTION, CaseState.IN_ACTION, id="tried again"),
        pytest.param(CaseState.IN_ACTION, CaseEvent.HAND_OVER, CaseState.IN_ACTION, id="another owner goes on"),
        pytest.param(CaseState.IN_ACTION, CaseEvent.HAND_BACK, CaseState.OPEN, id="the owner left in the middle"),
        pytest.param(CaseState.IN_ACTION, CaseEvent.RENEW, CaseState.OPEN, id="worse while it is acted on"),
        pytest.param(CaseState.IN_ACTION, CaseEvent.RESOLVE, CaseState.RESOLVED, id="resolved"),
        pytest.param(CaseState.RESOLVED, CaseEvent.REOPEN, CaseState.OPEN, id="a re-opened case is open"),
    ],
)
def test_a_case_moves_on(state: CaseState, event: CaseEvent, becomes: CaseState) -> None:
    assert advance(state, event) is becomes


@pytest.mark.req("DI-18")
@pytest.mark.parametrize(
    ("state", "event"), [pair for pair in product(CaseState, CaseEvent) if pair not in TRANSITIONS]
)
def test_every_other_pair_is_refused(state: CaseState, event: CaseEvent) -> None:
    with pytest.raises(RefusedTransition) as refused:
        advance(state, event)
    assert (refused.value.state, refused.value.event) == (state, event)


@pytest.mark.req("DI-18")
def test_every_pair_is_either_allowed_or_refused_on_purpose() -> None:
    assert len(TRANSITIONS) == 19
    assert len(CaseState) * len(CaseEvent) == 45


@pytest.mark.req("DI-18")
def test_a_clock_never_takes_closes_or_quietens_a_case() -> None:
    reached = {becomes for (_, event), becomes in TRANSITIONS.items() if event in TIMER_EVENTS}
    assert reached == {CaseState.NOTIFIED, CaseState.OPEN}
    assert all(awaits_acknowledgement(state) for state in reached)


@pytest.mark.req("DI-18")
def test_nothing_is_resolved_that_nobody_took() -> None:
    before = {state for (state, _), becomes in TRANSITIONS.items() if becomes is CaseState.RESOLVED}
    assert before == {CaseState.ACKNOWLEDGED, CaseState.IN_ACTION}


@pytest.mark.parametrize("state", CaseState)
def test_paging_is_possible_exactly_while_nobody_has_taken_the_case(state: CaseState) -> None:
    assert awaits_acknowledgement(state) is ((state, CaseEvent.PAGE) in TRANSITIONS)


LIMITS = Limits(read_back_minutes=3, contact_minutes=15, outcome_minutes=60)


@pytest.mark.parametrize(
    ("limits", "read_back", "tried", "contacted", "expected"),
    [
        pytest.param(LIMITS, None, None, None, (Lapse.READ_BACK, 3), id="nothing said"),
        pytest.param(LIMITS, 2, None, None, (Lapse.CONTACT, 15), id="said, and the contact is awaited"),
        pytest.param(LIMITS, None, 2, None, (Lapse.CONTACT, 17), id="who tries has said what they do"),
        pytest.param(LIMITS, 2, 14, None, (Lapse.CONTACT, 29), id="each try begins the time anew"),
        pytest.param(LIMITS, 2, 14, 16, None, id="reached"),
        pytest.param(LIMITS, None, None, 1, None, id="reached before anything was said"),
        pytest.param(LIMITS, 2, -5, None, (Lapse.CONTACT, 15), id="a try of the owner before counts for nothing"),
        pytest.param(Limits(), None, None, None, None, id="no limits"),
        pytest.param(Limits(contact_minutes=240), None, None, None, (Lapse.CONTACT, 240), id="no word is asked for"),
        pytest.param(Limits(read_back_minutes=3), 1, None, None, None, id="only the word is asked for"),
    ],
)
def test_an_acknowledgement_lapses(
    limits: Limits, read_back: float | None, tried: float | None, contacted: float | None, expected: object
) -> None:
    moments = [None if at is None else after(at) for at in (read_back, tried, contacted)]
    found = lapses_at(limits, OPENED, *moments)
    assert (found and (found[0], (found[1] - OPENED) / timedelta(minutes=1))) == expected


@pytest.mark.parametrize(
    ("paged", "level"),
    [(None, 0), (0, 1), (9, 1), (10, 2), (25, 2)],
)
def test_after_a_lapse_paging_goes_on_one_level_up_at_once(paged: float | None, level: int) -> None:
    found = level_above(RED, OPENED, None if paged is None else after(paged))
    assert found == level
    now = after(40)
    coming = next_page(RED, started_at_level(RED, found, now), 3, None, now)
    assert coming is not None
    assert (coming.step, coming.due_at, coming.repeat) == (level, now, False)


def test_a_case_is_overdue_after_its_time_and_stays_open() -> None:
    assert outcome_by(LIMITS, OPENED) == after(60)
    assert outcome_by(Limits(), OPENED) is None


def test_a_limit_of_no_length_is_refused() -> None:
    with pytest.raises(BrokenChain):
        Chain("red", (ChainStep(0, ("pi",)),), 5, Limits(contact_minutes=0))


def test_a_chain_kept_before_there_were_limits_has_none() -> None:
    kept = chain_to_dict(RED)
    del kept["limits"]
    for step in kept["steps"]:
        del step["tell_subject"]
    assert chain_from_dict(kept) == RED


@pytest.mark.parametrize(
    ("chain", "last", "now", "step", "due", "repeat"),
    [
        pytest.param(RED, None, 0, 0, 0, False, id="the first page is due when the case opens"),
        pytest.param(RED, 0, 1, 0, 5, True, id="then the same people after five minutes"),
        pytest.param(RED, 0, 6, 0, 5, True, id="a repeat that is late is due"),
        pytest.param(RED, 5, 6, 1, 10, False, id="the next level goes before a repeat at the same time"),
        pytest.param(RED, 7, 8, 1, 10, False, id="and before a later one"),
        pytest.param(RED, 9.9, 10, 1, 10, False, id="the next level comes even right after a repeat"),
        pytest.param(RED, 10, 11, 1, 15, True, id="the second level repeats"),
        pytest.param(RED, 20, 21, 2, 25, True, id="the last level repeats"),
        pytest.param(RED, 6000, 6001, 2, 6005, True, id="and still does after days"),
        pytest.param(RED, None, 60, 2, 20, False, id="never paged in an hour: the last level, once"),
        pytest.param(RED, 0, 13, 1, 10, False, id="down from minute 1 to 13: the second level, once"),
        pytest.param(RED, 5, 90, 2, 20, False, id="down for long: the last level, not the middle one"),
        pytest.param(RED, 90, 91, 2, 95, True, id="after that one page the rhythm goes on from it"),
        pytest.param(AMBER, None, 0, 0, 0, False, id="a work item"),
        pytest.param(AMBER, 0, 600, 1, 1440, False, id="its next level comes after a day"),
        pytest.param(RED, -60, 1, 0, 0, False, id="pages from before the re-opening do not count"),
    ],
)
def test_the_next_page(chain: Chain, last: float | None, now: float, step: int, due: float, repeat: bool) -> None:
    paged = 0 if last is None else 3
    page = next_page(chain, OPENED, paged, None if last is None else after(last), after(now))
    assert page == NextPage(paged + 1, step, chain.steps[step].roles, after(due), repeat)


def test_a_chain_that_does_not_repeat_ends() -> None:
    assert next_page(AMBER, OPENED, 2, after(1440), after(5000)) is None


def test_a_chain_may_begin_later() -> None:
    chain = Chain("yellow", (ChainStep(60, ("coordinator",)),), 120)
    page = next_page(chain, OPENED, 0, None, OPENED)
    assert page is not None
    assert minutes_of(page) == 60


def test_a_red_case_that_nobody_takes_is_paged_by_level_without_end() -> None:
    pages: list[tuple[float, int]] = []
    last = None
    for minute in range(41):
        page = next_page(RED, OPENED, len(pages), last, after(minute))
        assert page is not None
        if page.due_at <= after(minute):
            pages.append((minute, page.step))
            last = after(minute)
    assert pages == [(0, 0), (5, 0), (10, 1), (15, 1), (20, 2), (25, 2), (30, 2), (35, 2), (40, 2)]


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    times = sorted(draw(st.sets(st.integers(0, 300), min_size=1, max_size=5)))
    repeats = st.none() | st.integers(1, 60)
    return Chain("red", tuple(ChainStep(at, (f"level_{at}",), draw(repeats)) for at in times), 5)


@given(chain=chains(), ticks=st.lists(st.integers(0, 120), min_size=1, max_size=40))
def test_pages_are_never_early_never_doubled_and_never_climb_down(chain: Chain, ticks: list[int]) -> None:
    """The clock ticks irregularly, downtimes included; whatever is due at a tick is sent."""
    now = OPENED
    sent: list[tuple[NextPage, datetime]] = []
    for tick in ticks:
        now += timedelta(minutes=tick)
        last_at = sent[-1][1] if sent else None
        page = next_page(chain, OPENED, len(sent), last_at, now)
        if page is None or page.due_at > now:
            continue
        assert page.number == len(sent) + 1
        assert page.due_at >= after(chain.steps[page.step].after_minutes)
        if page.repeat:
            repeat = chain.steps[page.step].repeat_minutes
            assert last_at is not None
            assert repeat is not None
            assert page.due_at == last_at + timedelta(minutes=repeat)
        sent.append((page, now))
        following = next_page(chain, OPENED, len(sent), now, now)
        assert following is None or following.due_at > now, "one tick sends one page, not the backlog"
    assert all(first.step <= second.step for (first, _), (second, _) in pairwise(sent))
    assert all(first.due_at <= second.due_at for (first, _), (second, _) in pairwise(sent))


@given(chain=chains(), now=st.integers(0, 500), later=st.integers(0, 500))
def test_time_alone_never_lowers_the_level_of_the_next_page(chain: Chain, now: int, later: int) -> None:
    early = next_page(chain, OPENED, 0, None, after(now))
    late = next_page(chain, OPENED, 0, None, after(now + later))
    assert early is not None
    assert late is not None
    assert early.step <= late.step


def test_somebody_should_acknowledge_within_the_chains_minutes() -> None:
    assert acknowledge_by(RED, OPENED) == after(5)


@given(chains())
def test_a_case_keeps_its_chain_as_json(chain: Chain) -> None:
    assert chain_from_dict(json.loads(json.dumps(chain_to_dict(chain)))) == chain


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((), id="no steps"),
        pytest.param((ChainStep(0, ()),), id="nobody to page"),
        pytest.param((ChainStep(-1, ("pi",)),), id="before the case opens"),
        pytest.param((ChainStep(10, ("pi",)), ChainStep(10, ("on_call",))), id="two levels at one time"),
        pytest.param((ChainStep(0, ("pi",), 0),), id="a repeat without pause"),
    ],
)
def test_a_chain_that_could_page_nobody_is_refused(steps: tuple[ChainStep, ...]) -> None:
    with pytest.raises(BrokenChain):
        Chain("red", steps, 5)


@pytest.mark.parametrize("kept", [{}, {"urgency": "red", "steps": None, "acknowledge_within_minutes": 5}])
def test_a_kept_chain_that_cannot_be_read_is_refused(kept: dict[str, object]) -> None:
    with pytest.raises(BrokenChain):
        chain_from_dict(kept)
