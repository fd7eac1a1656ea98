"""Terms are offered and found, days and judgements that cannot be are refused, and a clock is reckoned."""

from datetime import UTC, date, datetime

import pytest

from bot.domain.adverse_events import (
    Contradiction,
    Criterion,
    EndBeforeOnset,
    Outcome,
    Standing,
    check_end,
    check_judgement,
    check_onset,
    find_terms,
    grades,
    outcomes,
    standing,
    suggested,
)
from bot.domain.visits import InFuture
from bot.protocol.load import bundled

EVENTS = bundled().adverse_events
TODAY = date(2026, 11, 2)


@pytest.mark.parametrize(
    ("because", "first"),
    [
        pytest.param(
            ["T01-fever-axillary"], ["fever", "chills", "febrile_neutropenia"], id="by the rule's beginning"
        ),
        pytest.param(["T24-dizzy"], ["dizziness", "syncope"], id="the nearer one first"),
        pytest.param(["T33-yellow", "T01-chills"], ["blood_bilirubin_increased", "hepatic_failure"], id="in order"),
        pytest.param(["T01-chills", "T03-low-grade"], ["fever", "chills", "febrile_neutropenia"], id="each once"),
        pytest.param(["T42-hospital"], [], id="a hospital stay is no term"),
        pytest.param(["unfinished"], [], id="no rule at all"),
    ],
)
def test_the_rules_that_fired_suggest_terms(because: list[str], first: list[str]) -> None:
    assert suggested(because, EVENTS.suggestions)[: len(first) or None] == first


@pytest.mark.parametrize(
    ("typed", "term"),
    [
        pytest.param("Fever", "fever", id="exactly"),
        pytest.param("  fEVER ", "fever", id="in any letters"),
        pytest.param("10016558", "fever", id="by its code"),
        pytest.param("发热", "fever", id="the Chinese term alone, although another begins like it"),
        pytest.param("拉肚子", "diarrhea", id="as people say it"),
        pytest.param("diarrhoea", "diarrhea", id="in British English"),
        pytest.param("diarhea", "diarrhea", id="mistyped"),
        pytest.param("nose bleed", "epistaxis", id="in two words"),
        pytest.param("流鼻血了", "epistaxis", id="within a sentence"),
        pytest.param("stevens", "stevens_johnson_syndrome", id="the beginning"),
        pytest.param("mucositis, oral", "mucositis_oral", id="with a comma"),
    ],
)
def test_a_term_is_found_first(typed: str, term: str) -> None:
    assert find_terms(typed, EVENTS.terms)[0].id == term


@pytest.mark.parametrize("typed", ["", "   ", "？！", "zzzzzz", "牙龈肥大"])
def test_nothing_is_found_where_nothing_fits(typed: str) -> None:
    assert find_terms(typed, EVENTS.terms) == []


def test_an_exact_name_stands_alone_and_a_part_offers_several() -> None:
    assert len(find_terms("Nausea", EVENTS.terms)) == 1
    assert len(find_terms("pain", EVENTS.terms)) > 1


def test_an_event_may_end_on_the_day_it_began_and_not_before() -> None:
    check_onset(TODAY, TODAY)
    check_end(TODAY, TODAY, TODAY)
    with pytest.raises(EndBeforeOnset):
        check_end(date(2026, 11, 1), TODAY, TODAY)
    with pytest.raises(InFuture):
        check_onset(date(2026, 11, 3), TODAY)
    with pytest.raises(InFuture):
        check_end(date(2026, 11, 3), TODAY, TODAY)


def test_outcomes_fit_what_goes_on_and_what_has_ended() -> None:
    assert set(outcomes(ongoing=True)) | set(outcomes(ongoing=False)) == set(Outcome)
    assert Outcome.RECOVERED not in outcomes(ongoing=True)
    assert Outcome.RECOVERING not in outcomes(ongoing=False)


def test_grade_5_is_death_and_only_death() -> None:
    assert grades(Outcome.FATAL) == (5,)
    assert grades(Outcome.UNKNOWN) == (1, 2, 3, 4)


DEATH, HOSPITAL = Criterion.DEATH, Criterion.HOSPITAL


@pytest.mark.parametrize(
    ("grade", "serious", "because", "outcome"),
    [
        pytest.param(1, False, [], Outcome.RECOVERED, id="mild"),
        pytest.param(1, True, [HOSPITAL], Outcome.RECOVERED, id="mild and serious: seriousness is not severity"),
        pytest.param(4, False, [], Outcome.RECOVERING, id="severe and not serious"),
        pytest.param(5, True, [DEATH], Outcome.FATAL, id="death"),
        pytest.param(5, True, [DEATH, HOSPITAL], Outcome.FATAL, id="death in hospital"),
    ],
)
def test_what_can_be_is_taken(grade: int, serious: bool, because: list[str], outcome: Outcome) -> None:
    check_judgement(grade, serious=serious, because=because, outcome=outcome)


@pytest.mark.parametrize(
    ("grade", "serious", "because", "outcome"),
    [
        pytest.param(3, True, [], Outcome.RECOVERED, id="serious without a reason"),
        pytest.param(3, False, [HOSPITAL], Outcome.RECOVERED, id="a reason without serious"),
        pytest.param(5, True, [DEATH], Outcome.RECOVERED, id="grade 5 and alive"),
        pytest.param(4, True, [DEATH], Outcome.FATAL, id="dead and not grade 5"),
        pytest.param(5, True, [HOSPITAL], Outcome.FATAL, id="dead for another reason"),
        pytest.param(3, True, [DEATH], Outcome.RECOVERED, id="a death that was survived"),
        pytest.param(5, False, [], Outcome.FATAL, id="a death that is not serious"),
        pytest.param(0, False, [], Outcome.RECOVERED, id="no grade at all"),
    ],
)
def test_what_cannot_be_is_refused(grade: int, serious: bool, because: list[str], outcome: Outcome) -> None:
    with pytest.raises(Contradiction):
        check_judgement(grade, serious=serious, because=because, outcome=outcome)


@pytest.mark.parametrize(
    ("void", "grade", "judged", "stands"),
    [
        (False, None, False, Standing.DRAFT),
        (False, 2, True, Standing.JUDGED),
        (False, 2, False, Standing.CHANGED),
        (True, 2, True, Standing.VOID),
        (True, None, False, Standing.VOID),
    ],
)
def test_where_an_event_stands(void: bool, grade: int | None, judged: bool, stands: Standing) -> None:
    assert standing(void=void, grade=grade, judged=judged) is stands


def test_the_clock_counts_from_receipt() -> None:
    received = datetime(2026, 11, 2, 2, 2, tzinfo=UTC)
    due = EVENTS.serious.due_at(received)
    assert due == datetime(2026, 11, 3, 2, 2, tzinfo=UTC)
    assert EVENTS.serious.told_at(due) == datetime(2026, 11, 2, 22, 2, tzinfo=UTC)
    assert EVENTS.serious.suspects(["T01-chills", "T42-hospital"])
    assert not EVENTS.serious.suspects(["T4", "T43-new-medicine"])
