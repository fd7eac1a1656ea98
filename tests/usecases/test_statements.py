"""How much an update costs does not depend on how many patients, messages, answers and cases there are."""

import threading
from collections import Counter
from collections.abc import Awaitable
from typing import Any

from sqlalchemy import Connection, event
from sqlmodel import Session, col, select

from bot.domain.escalation import CaseState
from bot.store.models import (
    Account,
    AgendaItem,
    Answer,
    DoseReport,
    Escalation,
    InboxUpdate,
    Link,
    OutboxMessage,
    Response,
    Subject,
)
from bot.store.session import Store
from bot.story.stage import Stage
from bot.usecases import import_subjects
from bot.work import Work
from tests.people import HEADER, Study, study

PATIENTS, MESSAGES, REPORTS = 60, 200, 30

# The most that handling one update may take, without what stores, claims and settles it.
MOST = {"words": 15, "button": 8, "answer": 19}

LISTS = ("/alerts", "/patients", "/due", "/report S-001")

# A transaction as what it does to which table, in order.
Transaction = tuple[str, ...]


class Recorder:
    """Keeps every transaction of a store, by the statements in it."""

    def __init__(self, store: Store) -> None:
        self._running: dict[int, list[str]] = {}
        self._ended: list[Transaction] = []
        self._lock = threading.Lock()
        for engine in {store.engine, store._reading}:
            event.listen(engine, "before_cursor_execute", self._note)
            event.listen(engine, "commit", self._end)
            event.listen(engine, "rollback", self._end)

    def _note(self, _connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        words = statement.split()
        before = {"SELECT": "FROM", "INSERT": "INTO", "DELETE": "FROM", "UPDATE": "UPDATE"}.get(words[0])
        if before is not None:
            self._running.setdefault(threading.get_ident(), []).append(f"{words[0]} {words[words.index(before) + 1]}")

    def _end(self, _connection: Connection) -> None:
        statements = tuple(self._running.pop(threading.get_ident(), ()))
        with self._lock:
            self._ended.append(statements)

    async def of(self, doing: Awaitable[None]) -> list[Transaction]:
        """Return the transactions while somebody does something and the bot answers it."""
        self._ended.clear()
        await doing
        return list(self._ended)


def writing(transactions: list[Transaction]) -> Counter[Transaction]:
    """Return those that changed something; how often the bot looks in vain is a matter of chance."""
    return Counter(each for each in transactions if any(not one.startswith("SELECT") for one in each))


def looking(transactions: list[Transaction]) -> set[Transaction]:
    return set(transactions) - set(writing(transactions))


def handling(transactions: list[Transaction]) -> Transaction:
    """Return the transaction that handled the update: the one that ends by closing its row."""
    (found,) = (each for each in transactions if each and each[-1] == "UPDATE inbox_update")
    return found


async def one_of_each(made: Study, recorder: Recorder, time: str) -> dict[str, list[Transaction]]:
    """Let Anna write, press a button and answer a question, and the nurse look at lists; end where it began."""
    anna = made.anna
    words = await recorder.of(anna.says(f"When may I eat, the {time} time?"))
    await anna.says("/menu")
    button = await recorder.of(anna.taps("menu.button.visits"))
    await anna.says("/menu")
    await anna.taps("menu.button.unwell")
    answer = await recorder.of(anna.taps("report.trouble.fever"))
    await anna.taps("report.button.stop")
    lists = {name: await recorder.of(made.coordinator.says(name)) for name in LISTS}
    return {"words": words, "button": button, "answer": answer, **lists}


def crowd(work: Work) -> None:
    """Fill the study: patients with accounts, open cases and reports, and a long past of Anna's."""
    lines = (f"S-{number + 100},TG1,en,1960,60,2026-11-02,7,21,,,,\n" for number in range(PATIENTS))
    import_subjects.import_subjects(work, HEADER + "".join(lines))
    session = work.session
    anna = session.exec(select(Subject).where(Subject.code == "S-001")).one()
    account = session.exec(
        select(Account).join(Link).where(Link.account_id == Account.id, Link.subject_id == anna.id)
    ).one()
    case = session.exec(select(Escalation).where(Escalation.subject_id == anna.id)).first()
    assert case is not None
    others = session.exec(select(Subject).where(col(Subject.code).like("S-1%"))).all()
    for number, other in enumerate(others):
        phone = Account(telegram_id=7_000_000 + number, locale="en", first_seen_at=work.now)
        session.add(phone)
        session.flush()
        session.add(
            Link(
                account_id=phone.id or 0,
                subject_id=other.id or 0,
                relation="patient",
                linked_at=work.now,
                agreed_at=work.now,
            )
        )
        session.add(a_case(case, other, CaseState.OPEN, kind="symptom"))
        session.add(a_case(case, other, CaseState.OPEN, kind="request"))
        reports(session, work, other, phone, 1)
        messages(session, work, phone, 3)
    for _ in range(REPORTS):
        session.add(a_case(case, anna, CaseState.RESOLVED, kind="request"))
        session.add(a_case(case, anna, CaseState.RESOLVED, kind="symptom"))
    reports(session, work, anna, account, REPORTS)
    messages(session, work, account, MESSAGES)
    for day in range(1, MESSAGES):
        session.add(dose(anna, work, day))


def a_case(like: Escalation, subject: Subject, state: CaseState, *, kind: str) -> Escalation:
    given = like.model_dump(exclude={"id", "subject_id", "state", "kind"})
    return Escalation(**given, subject_id=subject.id or 0, state=state, kind=kind)


def reports(session: Session, work: Work, subject: Subject, account: Account, many: int) -> None:
    """Add finished reports with five answers each."""
    for _ in range(many):
        response = Response(
            subject_id=subject.id,
            account_id=account.id or 0,
            questionnaire="unwell",
            questionnaire_version="1",
            locale="en",
            reported_by="patient",
            opened_at=work.now,
            submitted_at=work.now,
        )
        session.add(response)
        session.flush()
        for item in range(5):
            session.add(
                Answer(
                    response_id=response.id or 0,
                    item=f"item{item}",
                    value='"fever"',
                    said="Fever",
                    locale="en",
                    given_at=work.now,
                    given_by="patient",
                )
            )


def messages(session: Session, work: Work, account: Account, many: int) -> None:
    """Add updates that were handled, messages that were sent, and things that were due."""
    for number in range(many):
        unique = account.telegram_id * 1000 + number
        session.add(
            InboxUpdate(
                bot_id=1,
                update_id=unique,
                chat_id=account.telegram_id,
                raw="{}",
                received_at=work.now,
                state="done",
            )
        )
        session.add(
            OutboxMessage(
                account_id=account.id or 0,
                chat_id=account.telegram_id,
                purpose="answer",
                lane=1,
                text_key="menu.patient",
                values="{}",
                text="Menu",
                locale="en",
                created_at=work.now,
                due_at=work.now,
                state="sent",
                message_id=900_000 + number,
            )
        )
        session.add(
            AgendaItem(
                kind="dose.prompt",
                key=f"old:{unique}",
                about_id=1,
                due_at=work.now,
                state="done",
                closed_at=work.now,
            )
        )


def dose(subject: Subject, work: Work, back: int) -> DoseReport:
    day = work.today.fromordinal(work.today.toordinal() - back)
    return DoseReport(
        subject_id=subject.id or 0,
        day_on=day,
        status="taken",
        reported_at=work.now,
        reported_by="patient",
    )


async def test_an_update_costs_the_same_in_a_large_study(both_stages: Stage) -> None:
    made = await study(both_stages)
    recorder = Recorder(both_stages.deps.store)
    await one_of_each(made, recorder, "first")  # the first of a kind opens a case, later ones join it
    few = await one_of_each(made, recorder, "second")
    await both_stages.within(crowd)
    await both_stages.settle()
    many = await one_of_each(made, recorder, "third")
    for kind, transactions in many.items():
        assert writing(transactions) == writing(few[kind]), kind
        assert looking(transactions) == looking(few[kind]), kind


async def test_an_update_is_one_transaction_of_few_statements(both_stages: Stage) -> None:
    made = await study(both_stages)
    recorder = Recorder(both_stages.deps.store)
    await one_of_each(made, recorder, "first")
    done = await one_of_each(made, recorder, "second")
    counts = {kind: len(handling(transactions)) for kind, transactions in done.items()}
    assert all(counts[kind] <= most for kind, most in MOST.items()), counts
