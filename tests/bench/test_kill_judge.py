"""Does the judge of the kill test see what it must? Each fault is planted, so that the proof can fail."""

import json
from dataclasses import replace
from typing import Any

import pytest
from sqlmodel import Session

from bench.judge import Observed, Row, Verdict, judge, observe
from bench.load import PLAIN, RED, START, Pushed, numbers_in
from bot.domain.people import BOT
from bot.store import audit
from bot.store.models import Account, Escalation, InboxUpdate, OutboxMessage, Subject
from bot.store.session import Store
from bot.texts import bundled_texts
from bot.work import Lane

ANNA, NURSE = 1001, 11


def arrived(row: Row, number: int, **changed: Any) -> dict[str, Any]:
    agent = f"outbox row={row.id} attempt=1 epoch=1"
    return {"message_id": number, "chat_id": row.chat_id, "text": row.text, "agent": agent, **changed}


ANSWER = Row(1, ANNA, "Passed on.", "sent", message_id=1, text_key="speak.passed_on")
PAGE = Row(2, NURSE, "Ring her!", "sent", Lane.RED, message_id=2)
DOUBTFUL = Row(3, NURSE, "Ring him!", "unsure", Lane.RED, repeated=True)
REPEAT = Row(4, NURSE, "(Sent again) Ring him!", "sent", Lane.RED, message_id=4, repeats="Ring him!")


@pytest.fixture
def whole() -> Observed:
    """Return a run in which all went well: two messages and a press, and one page of unknown fate."""
    return Observed(
        pushed=[
            Pushed(1000, ANNA, "plain", number=1),
            Pushed(1001, ANNA, "red", number=2),
            Pushed(1002, NURSE, "press", token="t"),
        ],
        inbox=[(1000, "done"), (1001, "done"), (1002, "done")],
        told=[1, 2],
        caused=[("update:1002", "dose_report.created")],
        pressed={"t"},
        rows=[ANSWER, PAGE, DOUBTFUL, REPEAT],
        truth=[arrived(ANSWER, 1), arrived(PAGE, 2), arrived(DOUBTFUL, 3), arrived(REPEAT, 4)],
    )


def test_nothing_is_broken_when_nothing_is(whole: Observed) -> None:
    verdict = judge(whole)
    assert verdict.broken == []
    assert verdict.figures["unsure, had arrived"] == 1
    assert verdict.figures["red repeats"] == 1


def only(verdict: Verdict, what: str) -> None:
    assert len(getattr(verdict, what)) == 1, verdict
    assert verdict.broken == getattr(verdict, what)


@pytest.mark.parametrize(
    "inbox",
    [
        pytest.param([(1000, "done"), (1002, "done")], id="an update was never stored"),
        pytest.param([(1000, "done"), (1001, "waiting"), (1002, "done")], id="an update was never handled"),
        pytest.param([(1000, "done"), (1001, "parked"), (1002, "done")], id="an update was given up"),
    ],
)
def test_a_lost_update_is_found(whole: Observed, inbox: list[tuple[int, str]]) -> None:
    only(judge(replace(whole, inbox=inbox)), "lost")


def test_a_report_that_is_in_no_record_is_found(whole: Observed) -> None:
    only(judge(replace(whole, told=[2])), "lost")


def test_a_press_without_a_trace_is_found(whole: Observed) -> None:
    only(judge(replace(whole, pressed=set())), "lost")


def test_a_press_that_was_refused_left_a_trace(whole: Observed) -> None:
    refusal = Row(5, NURSE, "Too late.", "sent", message_id=5, text_key="refused.dialogue_ended")
    rows, truth = [*whole.rows, refusal], [*whole.truth, arrived(refusal, 5)]
    seen = replace(whole, pressed=set(), rows=rows, truth=truth)
    assert judge(seen).broken == []
    second = Pushed(1003, NURSE, "press", token="u")
    only(judge(replace(seen, pushed=[*whole.pushed, second], inbox=[*whole.inbox, (1003, "done")])), "lost")


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"told": [1, 2, 2]}, id="a report is recorded twice"),
        pytest.param({"told": [1, 2, 3]}, id="a report is recorded that nobody made"),
        pytest.param({"caused": [("update:1002", "dose_report.created")] * 2}, id="a press made two answers"),
        pytest.param({"inbox": [(1000, "done"), (1001, "done"), (1002, "done"), (1002, "done")]}, id="stored twice"),
    ],
)
def test_a_double_record_is_found(whole: Observed, changed: dict[str, Any]) -> None:
    only(judge(replace(whole, **changed)), "doubled")


def test_two_answers_to_one_message_are_found(whole: Observed) -> None:
    second = replace(ANSWER, id=5, message_id=5)
    seen = replace(whole, rows=[*whole.rows, second], truth=[*whole.truth, arrived(second, 5)])
    only(judge(seen), "doubled")


def test_a_message_that_is_sent_only_by_its_row_is_found(whole: Observed) -> None:
    only(judge(replace(whole, truth=[each for each in whole.truth if each["message_id"] != 2])), "falsely_sent")


def test_a_message_that_is_sent_under_another_number_is_found(whole: Observed) -> None:
    rows = [ANSWER, replace(PAGE, message_id=1), DOUBTFUL, REPEAT]
    only(judge(replace(whole, rows=rows)), "falsely_sent")


@pytest.mark.parametrize("state", ["waiting", "failed", "skipped"])
def test_a_message_that_arrived_although_its_row_denies_it_is_found(whole: Observed, state: str) -> None:
    rows = [ANSWER, replace(PAGE, state=state, message_id=None), DOUBTFUL, REPEAT]
    only(judge(replace(whole, rows=rows)), "falsely_sent")


def test_a_message_that_arrived_twice_is_found(whole: Observed) -> None:
    only(judge(replace(whole, truth=[*whole.truth, arrived(PAGE, 5)])), "duplicates")


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"agent": "python-telegram-bot"}, id="no row"),
        pytest.param({"agent": "outbox row=99 attempt=1 epoch=1"}, id="a row that is not there"),
        pytest.param({"text": "Something else"}, id="other words"),
        pytest.param({"chat_id": ANNA}, id="another person's chat"),
    ],
)
def test_a_message_that_no_row_explains_is_found(whole: Observed, changed: dict[str, Any]) -> None:
    only(judge(replace(whole, truth=[*whole.truth, arrived(PAGE, 5, **changed)])), "duplicates")


def test_a_repeat_of_what_surely_arrived_is_found(whole: Observed) -> None:
    rows = [ANSWER, PAGE, replace(DOUBTFUL, repeated=False, state="sent", message_id=3), REPEAT]
    only(judge(replace(whole, rows=rows)), "duplicates")


def test_a_message_left_in_the_middle_is_found(whole: Observed) -> None:
    rows = [ANSWER, PAGE, DOUBTFUL, REPEAT, Row(5, ANNA, "Hello", "sending")]
    only(judge(replace(whole, rows=rows)), "left")


@pytest.mark.parametrize("form", [PLAIN, RED])
def test_numbers_are_read_only_from_whole_messages(form: str) -> None:
    said = [form.format(number=12), form.format(number="x"), f"and {form.format(number=3)}", "12"]
    assert numbers_in(said) == [12]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_bots_side_is_read_from_its_tables(store: Store) -> None:
    said = {"text": "report.line.words", "values": {"words": PLAIN.format(number=7)}}
    repeat = bundled_texts().text("delivery.repeated", "en", text="Ring him!")

    def write(session: Session) -> None:
        audit.attribute(session, at=START, actor=BOT.label, cause="test")
        account = Account(telegram_id=NURSE, locale="en", first_seen_at=START)
        subject = Subject(
            code="S-1",
            site="HZ01",
            arm="TG1",
            locale="en",
            birth_year=1968,
            state="on_study",
            timezone="Asia/Shanghai",
            cbc_interval_days=7,
            enrolled_at=START,
            enrolled_by="bot",
            state_changed_at=START,
        )
        session.add_all([account, subject])
        session.flush()
        session.add(
            Escalation(
                subject_id=subject.id or 0,
                kind="request",
                urgency="yellow",
                state="open",
                chain={},
                summary=json.dumps([{"source": "", "lines": [said]}]),
                raised_by="patient:1",
                opened_at=START,
                chain_started_at=START,
            )
        )
        common: dict[str, Any] = {"account_id": account.id, "chat_id": NURSE, "purpose": "page", "lane": Lane.RED}
        common |= {"locale": "en", "text_key": "case.page", "values": "{}", "created_at": START, "due_at": START}
        session.add(OutboxMessage(**common, text="Ring him!", state="unsure", repeated_at=START))
        session.add(OutboxMessage(**common, text=repeat, state="sent", message_id=4, token="t", pressed_at=START))
        session.add(InboxUpdate(bot_id=1, update_id=1000, raw="{}", received_at=START, state="done"))

    store.write_now(write)
    seen = await store.read(lambda session: observe(session, [], []))
    assert seen.told == [7]
    assert [(row.repeated, row.repeats, row.message_id) for row in seen.rows] == [
        (True, None, None),
        (False, "Ring him!", 4),
    ]
    assert seen.pressed == {"t"}
    assert seen.inbox == [(1000, "done")]
