"""Every state of a case against everything that can happen to it: one table, and what it does not allow is a fault.

The table is case_presses.txt. A line says: state of the case and its owner afterwards, what whoever acted is told,
and to whom what is said. "me" is the doctor, who acts; "you" is the colleague.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.domain.urgency import Urgency
from bot.store.models import OutboxMessage
from tests.usecases.cases import Ward, ward

__all__ = ["ward"]
TABLE = Path(__file__).with_name("case_presses.txt")
ME, YOU = "doctor", "colleague"

# How a case of each state comes about; a red one unless it says otherwise.


def open_case(ward: Ward) -> None:
    ward.tells(Urgency.YELLOW, "T50")


def notified(ward: Ward) -> None:
    ward.tells(Urgency.RED_COME)


def acknowledged_by(who: str) -> Callable[[Ward], None]:
    def made(ward: Ward) -> None:
        notified(ward)
        ward.send()
        ward.presses(who, "case.acknowledge")

    return made


def read_back_by(who: str) -> Callable[[Ward], None]:
    def made(ward: Ward) -> None:
        acknowledged_by(who)(ward)
        ward.presses(who, "case.read_back", how="phone_now")

    return made


def in_action_by(who: str) -> Callable[[Ward], None]:
    def made(ward: Ward) -> None:
        read_back_by(who)(ward)
        ward.presses(who, "case.contact", spoke=True)

    return made


def offered_to_me(ward: Ward) -> None:
    read_back_by(YOU)(ward)
    ward.presses(YOU, "case.offer", staff=ward.numbers[ME])


def lapsed(ward: Ward) -> None:
    acknowledged_by(ME)(ward)
    ward.pass_time(minutes=3, seconds=30)


def resolved(ward: Ward) -> None:
    in_action_by(ME)(ward)
    ward.presses(ME, "case.outcome", outcome="spoke_no_visit")


def reopened(ward: Ward) -> None:
    resolved(ward)
    ward.presses(ME, "case.reopen")


STATES: dict[str, Callable[[Ward], None]] = {
    "open": open_case,
    "notified": notified,
    "mine": acknowledged_by(ME),
    "mine, read back": read_back_by(ME),
    "mine, in action": in_action_by(ME),
    "yours": acknowledged_by(YOU),
    "yours, read back": read_back_by(YOU),
    "yours, in action": in_action_by(YOU),
    "offered to me": offered_to_me,
    "lapsed": lapsed,
    "resolved": resolved,
    "reopened": reopened,
}


def pressing(action: str, who: str = ME, **args: object) -> Callable[[Ward], str]:
    return lambda ward: ward.presses(who, action, **args)


def twice(action: str, **args: object) -> Callable[[Ward], str]:
    def press(ward: Ward) -> str:
        ward.presses(ME, action, **args)
        return ward.presses(ME, action, **args)

    return press


def writing(action: str, words: str) -> Callable[[Ward], str]:
    def write(ward: Ward) -> str:
        came = ward.presses(ME, action)
        if came == "-":
            ward.writes(ME, words)
        return came

    return write


def telling(urgency: Urgency, because: str) -> Callable[[Ward], str]:
    def tell(ward: Ward) -> str:
        ward.tells(urgency, because)
        return "-"

    return tell


def waiting(**amount: float) -> Callable[[Ward], str]:
    def wait(ward: Ward) -> str:
        ward.pass_time(**amount)
        return "-"

    return wait


def leaving(ward: Ward) -> str:
    ward.leaves(ME)
    return "-"


EVENTS: dict[str, Callable[[Ward], str]] = {
    "acknowledge": pressing("case.acknowledge"),
    "acknowledge twice": twice("case.acknowledge"),
    "read back": pressing("case.read_back", how="phone_now"),
    "spoke": pressing("case.contact", spoke=True),
    "spoke twice": twice("case.contact", spoke=True),
    "no answer": pressing("case.contact", spoke=False),
    "take over": pressing("case.take_over"),
    "hand over": pressing("case.hand_over"),
    "offer": lambda ward: ward.presses(ME, "case.offer", staff=ward.numbers["nurse"]),
    "decline": pressing("case.decline"),
    "note": writing("case.note", "Lives alone"),
    "reply": writing("case.reply", "Please come now"),
    "resolve": pressing("case.resolve"),
    "outcome": pressing("case.outcome", outcome="spoke_no_visit"),
    "outcome twice": twice("case.outcome", outcome="spoke_no_visit"),
    "reopen": pressing("case.reopen"),
    "open": pressing("case.open"),
    "a monitor opens": pressing("case.open", "monitor"),
    "a monitor acknowledges": pressing("case.acknowledge", "monitor"),
    "a monitor closes": pressing("case.outcome", "monitor", outcome="spoke_no_visit"),
    "an admin opens": pressing("case.open", "admin"),
    "the patient acknowledges": pressing("case.acknowledge", "patient"),
    "something milder": telling(Urgency.YELLOW, "T50"),
    "the same danger": telling(Urgency.RED_COME, "T03"),
    "a higher danger": telling(Urgency.RED_120, "T22"),
    "three and a half minutes": waiting(minutes=3, seconds=30),
    "a quarter of an hour and more": waiting(minutes=16),
    "I leave": leaving,
}


def outcome_of(ward: Ward, event: str) -> str:
    """Return what comes of an event, as a line of the table."""
    before = max((each.id or 0 for each in ward.rows(OutboxMessage)), default=0)
    came = EVENTS[event](ward)
    case = ward.case
    said = sorted({f"{who} {key}" for who, key in ward.said_since(before)})
    owner = {ME: "me", YOU: "you", None: "nobody"}.get(ward.owner, ward.owner)
    return f"{case.state} {owner} | {came} | {', '.join(said) or 'nobody'}"


def table() -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    state = ""
    for line in TABLE.read_text("utf-8").splitlines():
        if line.startswith("## "):
            state = line[3:]
        else:
            event, _, rest = line.partition(" => ")
            found[state, event.strip()] = rest.strip()
    return found


def test_the_table_is_whole() -> None:
    assert table().keys() == {(state, event) for state in STATES for event in EVENTS}


@pytest.mark.req("DI-18")
@pytest.mark.parametrize("state", STATES)
def test_what_comes_of_everything_that_can_happen(state: str, ward: Ward) -> None:
    STATES[state](ward)
    ward.send()
    kept, expected = ward.keep(), table()
    wrong = {}
    for event in EVENTS:
        ward.go_back(kept)
        if (found := outcome_of(ward, event)) != expected[state, event]:
            wrong[event] = found
    assert wrong == {}
