"""A study with one record of every kind that an export has, on any database."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from bot.clock import SetClock
from bot.deps import Deps
from bot.domain.people import BOT
from bot.exports import files, making
from bot.exports.making import Made, Wanted
from bot.protocol.clinic import load_clinic
from bot.protocol.load import bundled
from bot.store.models import (
    Account,
    AdverseEvent,
    Answer,
    DoseChange,
    DoseReport,
    Escalation,
    EscalationStep,
    Link,
    Measurement,
    OutboxMessage,
    Response,
    StaffMember,
    TabletCount,
    Visit,
    VisitRecord,
)
from bot.store.session import Store
from bot.texts import bundled_texts
from bot.usecases import import_subjects
from bot.usecases.staff_queries import find
from bot.work import Work
from tests.conftest import START, make_settings
from tests.people import ANNA, BORIS, CLARA, HEADER

R = TypeVar("R")

BY = "staff:1:investigator"
SECRET = "王小明 0571-8888-9999"  # a name and a number, wherever people write in their own words


@dataclass
class Study:
    """A database with its parts, and what is done in it."""

    deps: Deps

    def within(self, use_case: Callable[[Work], R], at: datetime = START) -> R:
        return self.deps.store.write_now(
            lambda session: use_case(Work(session, self.deps, BOT, "test", at.astimezone(UTC)))
        )

    def export(self, folder: Path, wanted: Wanted = Wanted(), at: datetime = START) -> Made:  # noqa: B008
        """Write an export into a new folder."""
        folder.mkdir(parents=True)
        return self.deps.store.read_now(lambda session: making.write(session, self.deps, wanted, folder, at))


def study(store: Store) -> Study:
    """Return a study of Anna, Boris and Clara in which everything has happened once."""
    clock = SetClock(START)
    made = Study(Deps(store, clock, bundled(), bundled_texts(), make_settings(), load_clinic(None)))
    made.within(lambda work: import_subjects.import_subjects(work, HEADER + ANNA + BORIS + CLARA) and None)
    made.within(happen)
    return made


def happen(work: Work) -> None:
    """Enter records of every kind, some of them twice: what was said first, and its correction."""
    session, now = work.session, work.now
    for number in (1, 2, 3):
        session.add(Account(telegram_id=1000 + number, locale="zh", first_seen_at=now))
    session.flush()
    session.add(StaffMember(account_id=1, role="investigator", name=SECRET, granted_at=now))
    session.add(Link(account_id=2, subject_id=1, relation="patient", linked_at=now, agreed_at=now))
    session.flush()
    _visits(work)
    _tablets(work)
    _values(work)
    _reports(work)
    _events(work)
    case = Escalation(
        subject_id=1,
        kind="symptom",
        urgency="red_come",
        state="resolved",
        chain={},
        because=["T01-fever"],
        summary="[]",
        raised_by="patient:2",
        opened_at=now,
        chain_started_at=now,
        outcome="advised",
    )
    session.add(case)
    session.flush()
    session.add(EscalationStep(escalation_id=case.id or 0, what="paged", at=now, by="bot", said=SECRET))
    for subject, key in ((1, "dose.prompt"), (None, "menu.patient")):
        session.add(
            OutboxMessage(
                account_id=2,
                chat_id=1002,
                subject_id=subject,
                purpose="answer",
                lane=1,
                text_key=key,
                values="{}",
                text=SECRET,
                locale="zh",
                created_at=now,
                due_at=now,
                state="sent",
                closed_at=now,
            )
        )


def _visits(work: Work) -> None:
    anna = find(work, "S-001").id or 0
    for kind, day, outcome, deviation, reason in (
        ("cbc", date(2026, 11, 2), "done", None, None),
        ("injection", date(2026, 11, 2), "done", "too_early+no_count_before", SECRET),
        ("cbc", date(2026, 11, 9), "missed", "missed", "#patient_could_not"),
        ("extra", date(2026, 11, 10), "done", None, None),
    ):
        visit = Visit(
            subject_id=anna,
            kind=kind,
            title=SECRET,
            target_on=day,
            first_on=day,
            last_on=day,
            state=outcome,
            planned_at=work.now,
        )
        work.session.add(visit)
        work.session.flush()
        held = day if outcome == "done" else None
        for version, source in ((1, "clinic"), (2, "phone")):
            work.session.add(
                VisitRecord(
                    visit_id=visit.id or 0,
                    version=version,
                    outcome=outcome,
                    held_on=held,
                    source=source,
                    reason=reason,
                    deviation=deviation,
                    recorded_at=work.now,
                    recorded_by=BY,
                )
            )


def _tablets(work: Work) -> None:
    said: tuple[tuple[date, int, str, list[str]], ...] = (
        (date(2026, 11, 3), 1, "not_taken", ["FORGOT"]),
        (date(2026, 11, 3), 2, "taken", []),
        (date(2026, 11, 4), 1, "partly", ["TASTE", "OTHER"]),
        (date(2026, 11, 5), 1, "not_taken", ["SIDE_EFFECT", "FEAR"]),
        (date(2026, 11, 6), 1, "not_yet", []),
    )
    for day, version, status, reasons in said:
        work.session.add(
            DoseReport(
                subject_id=1,
                day_on=day,
                version=version,
                status=status,
                reasons=reasons,
                said=SECRET,
                reported_at=work.now,
                reported_by="patient:2",
            )
        )
    for kind, tablets in (("dispensed", "60"), ("returned", "4.5"), ("at_home", "3")):
        work.session.add(
            TabletCount(
                subject_id=1,
                occasion=kind,
                kind=kind,
                counted_on=date(2026, 11, 9),
                tablets=Decimal(tablets),
                strength_mg=250,
                source="staff",
                recorded_at=work.now,
                recorded_by=BY,
            )
        )
    hold = DoseChange(
        subject_id=1,
        what="hold",
        from_on=date(2026, 11, 7),
        reason=SECRET,
        decided_by=SECRET,
        recorded_at=work.now,
        recorded_by=BY,
    )
    work.session.add(hold)


def _values(work: Work) -> None:
    taken = datetime.combine(date(2026, 11, 2), time(9), tzinfo=work.settings.zone)
    for occasion, measure, version, value, sign, source, void in (
        ("a", "hb", 1, "71.4", "", "patient", False),
        ("a", "hb", 2, "72", "", "staff", False),
        ("a", "plt", 1, "10", "<", "staff", False),
        ("b", "ferritin", 1, "900", "", "staff", True),
        ("c", "alt", 1, "30", "", "patient", False),
        ("d", "temperature_c", 1, "38.5", "", "patient", False),
        ("e", "weight", 1, "60.5", "", "staff", False),
    ):
        work.session.add(
            Measurement(
                subject_id=1,
                occasion=occasion,
                measure=measure,
                version=version,
                value=Decimal(value),
                sign=sign,
                said=SECRET,
                place="axillary" if measure == "temperature_c" else None,
                taken_on=taken.date(),
                taken_at=taken if measure == "temperature_c" else None,
                source=source,
                verified=source == "staff",
                void=void,
                entered_at=work.now,
                entered_by=BY,
            )
        )


def _reports(work: Work) -> None:
    for questionnaire, answers in (
        ("unwell", (("trouble", '["fever"]'), ("other_words", f'"{SECRET}"'), ("gone_item", f'"{SECRET}"'))),
        ("weekly", (("fatigue_severity", '"3"'), ("mood_dying", "false"), ("since_last", '["hospital", "none"]'))),
    ):
        report = Response(
            subject_id=1,
            account_id=2,
            questionnaire=questionnaire,
            questionnaire_version="1.0",
            locale="zh",
            reported_by="patient:2",
            opened_at=work.now,
            submitted_at=work.now,
            urgency="green",
        )
        work.session.add(report)
        work.session.flush()
        for item, value in answers:
            work.session.add(
                Answer(
                    response_id=report.id or 0,
                    item=item,
                    value=value,
                    said=SECRET if item != "mood_dying" else "",
                    locale="zh",
                    given_at=work.now,
                    given_by="patient:2",
                )
            )


def _events(work: Work) -> None:
    for number, version, grade, term, words in (
        (1, 1, None, "Fever", None),
        (1, 2, 3, "Fever", None),
        (2, 1, 1, None, SECRET),
        (3, 1, None, "Cough", None),
    ):
        work.session.add(
            AdverseEvent(
                subject_id=1,
                number=number,
                version=version,
                what="drafted",
                sources=["case:1"],
                verbatim=SECRET,
                term=term,
                llt="10016558" if term else None,
                words=words,
                onset_on=date(2026, 11, 2),
                end_on=None if number == 1 else date(2026, 11, 3),
                outcome="recovering" if number == 1 else "recovered",
                actions={
                    "luspatercept": "not_changed",
                    "deferasirox": "interrupted" if number == 1 else "not_changed",
                },
                treatment=SECRET,
                grade=grade,
                serious=grade == 3 if grade else None,
                criteria=["hospital"] if grade == 3 else [],
                relation={"luspatercept": "possible"},
                judged=grade is not None,
                reason=SECRET,
                recorded_at=work.now,
                recorded_by=BY,
            )
        )


def table(folder: Path, path: str) -> list[dict[str, str]]:
    """Return the rows of a CSV file by column."""
    with (folder / path).open("rb") as file:
        columns, *rows = files.csv_rows(file)
    return [dict(zip(columns, row, strict=True)) for row in rows]
