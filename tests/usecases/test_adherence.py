"""The table of the site and the summary of a patient say the same of the same days, on both databases."""

import random
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from sqlmodel import Session, select

from bot.domain import dose_letters
from bot.store import audit
from bot.store.models import DoseChange, DoseMonth, DoseOrder, DosePrompted, DoseReport, Subject
from bot.story.stage import Stage
from bot.usecases import adherence, dose_days
from tests.conftest import START

TODAY = date(2027, 3, 1)
PATIENTS = 40
STATUSES = ("taken", "taken", "taken", "taken", "partly", "not_taken", "not_yet", None)


def at(day: date) -> datetime:
    return datetime.combine(day, time(18), START.tzinfo)


def subject(code: str) -> Subject:
    return Subject(
        code=code,
        site="HZ01",
        arm="TG2",
        locale="zh",
        birth_year=1960,
        state="on_study",
        timezone="Asia/Shanghai",
        cbc_interval_days=7,
        enrolled_at=START,
        enrolled_by="test",
        state_changed_at=START,
    )


def order(number: int, from_on: date, until_on: date | None = None, *, void: bool = False) -> DoseOrder:
    return DoseOrder(
        subject_id=number,
        formulation="dispersible",
        tablets=Decimal(2),
        strength_mg=250,
        from_on=from_on,
        until_on=until_on,
        ordered_at=at(from_on),
        ordered_by="test",
        void=void,
    )


def change(number: int, what: str, from_on: date, *, void: bool = False) -> DoseChange:
    return DoseChange(
        subject_id=number,
        what=what,
        from_on=from_on,
        reason="r",
        decided_by="d",
        recorded_at=at(from_on),
        recorded_by="test",
        void=void,
    )


def live(session: Session, number: int, chance: random.Random) -> None:
    """Give one patient a random past of up to a hundred days: orders, holds, questions, answers and corrections."""
    begun_on = TODAY - timedelta(days=chance.randrange(0, 100))
    session.add(order(number, begun_on - timedelta(days=chance.randrange(0, 5))))
    if chance.random() < 0.3:
        until_on = chance.choice([None, TODAY - timedelta(days=chance.randrange(0, 30))])
        from_on = TODAY - timedelta(days=chance.randrange(30, 70))
        session.add(order(number, from_on, until_on, void=chance.random() < 0.2))
    for what in ("hold", "resume", "stop"):
        if chance.random() < 0.25:
            from_on = TODAY - timedelta(days=chance.randrange(0, 60))
            session.add(change(number, what, from_on, void=chance.random() < 0.2))
    quiet = chance.random() < 0.1
    said: list[tuple[DoseReport, list[str]]] = []
    for day in (begun_on + timedelta(days=offset) for offset in range((TODAY - begun_on).days + 1)):
        if chance.random() < 0.9 and not quiet:
            session.add(DosePrompted(subject_id=number, day_on=day, asked_at=at(day)))
        for version in range(1, chance.choice([2, 2, 2, 3])):
            status = None if quiet else chance.choice(STATUSES)
            if status is None:
                break
            reasons = [] if status == "taken" else chance.choice([[], ["FORGOT"], ["RAN_OUT", "COST"]])
            ticked_later = chance.random() < 0.5
            report = DoseReport(
                subject_id=number,
                day_on=day,
                version=version,
                status=status,
                reasons=[] if ticked_later else reasons,
                reported_at=at(day) + timedelta(days=chance.choice([0, 0, 2])),
                reported_by="p",
            )
            session.add(report)
            said.append((report, reasons))
            session.flush()
    # Also into versions that are no longer the newest.
    for report, reasons in chance.sample(said, len(said)):
        report.reasons = reasons
    session.flush()


def populate(session: Session) -> None:
    audit.attribute(session, at=START, actor="test", cause="test")
    chance = random.Random(7)
    for number in range(1, PATIENTS + 1):
        session.add(subject(f"S-{number:03d}"))
        session.flush()
        live(session, number, chance)
    session.flush()


async def test_the_site_says_of_each_patient_what_the_summary_says(both_stages: Stage) -> None:
    deps = both_stages.deps
    await deps.store.write(populate)
    rule = deps.protocol.adherence

    def compare(session: Session) -> int:
        rows = adherence.of_site(session, deps, TODAY)
        assert [row.code for row in rows] == [f"S-{number:03d}" for number in range(1, PATIENTS + 1)]
        counted = 0
        for row in rows:
            patient = session.get_one(Subject, row.subject_id)
            last_on = adherence.settled_on(session, patient, TODAY)
            summary = adherence.of(session, deps, patient, date(2000, 1, 1), last_on)
            assert (row.recent is None) == (summary is None)
            if summary is None:
                continue
            counted += 1
            assert (row.recent, row.before, row.trend) == (summary.recent, summary.before, summary.trend)
            reports = dose_days.reports_of(session, patient, TODAY - timedelta(days=rule.ran_out_days - 1), TODAY)
            out = [
                day
                for day, report in reports.items()
                if report.status in dose_letters.LETTERS and "RAN_OUT" in report.reasons
            ]
            assert row.ran_out_on == max(out, default=None)
        return counted

    assert await deps.store.read(compare) > PATIENTS / 2


async def test_the_months_are_what_the_reports_say(both_stages: Stage) -> None:
    await both_stages.deps.store.write(populate)

    def compare(session: Session) -> None:
        letters: dict[tuple[int, date], str] = {}
        for prompted in session.exec(select(DosePrompted)).all():
            letters[prompted.subject_id, prompted.day_on] = dose_letters.ASKED
        for report in session.exec(select(DoseReport).order_by(DoseReport.version)).all():  # type: ignore[arg-type]
            letters[report.subject_id, report.day_on] = dose_letters.letter(report.status, report.reasons)
        months: dict[tuple[int, date], list[str]] = {}
        for (number, day), letter in letters.items():
            month = months.setdefault((number, day.replace(day=1)), list(dose_letters.EMPTY))
            month[day.day - 1] = letter
        stored = {(each.subject_id, each.month_on): each.days for each in session.exec(select(DoseMonth)).all()}
        assert stored == {key: "".join(days) for key, days in months.items()}

    await both_stages.deps.store.read(compare)
