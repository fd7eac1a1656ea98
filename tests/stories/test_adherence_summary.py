"""Staff look at the tablets of a patient and of the site, and every way shows the same figures."""

import csv
import io
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest
from sqlmodel import Session

from bot.domain.roles import Role
from bot.domain.spreadsheets import original_cell
from bot.store.models import AuditEntry, DoseChange, DosePrompted, DoseReport, TabletCount
from bot.usecases import adherence, adherence_site
from bot.usecases.staff_queries import find
from bot.work import Work
from tests.people import Study, staff
from tests.stories.scenes import SITE, Watch, last_values, made_from, rows

# The worked example of docs/figures.md: one letter a day from the second of November on.
FIRST = date(2026, 11, 2)
EXAMPLE = "TTTTTPMMT?THHT"
STATUSES = {"T": "taken", "P": "partly", "M": "not_taken"}


def live(work: Work, letters: str, code: str = "S-001") -> None:
    """Write down what was asked and said of some days, and that the days with an H were held."""
    subject = find(work, code).id or 0
    for number, letter in enumerate(letters):
        day = FIRST + timedelta(days=number)
        at = datetime.combine(day, time(18), SITE)
        work.session.add(DosePrompted(subject_id=subject, day_on=day, asked_at=at))
        if letter in STATUSES:
            late = timedelta(days=1) if number == 6 else timedelta()
            reasons = ["FORGOT", "RAN_OUT"] if number == 6 else ["FORGOT"] if letter == "M" else []
            report = DoseReport(
                subject_id=subject,
                day_on=day,
                status=STATUSES[letter],
                reasons=reasons,
                reported_at=at + late,
                reported_by="patient",
            )
            work.session.add(report)
    for what, place in (("hold", letters.find("H")), ("resume", letters.rfind("H") + 1)):
        if place > 0:
            change = DoseChange(
                subject_id=subject,
                what=what,
                from_on=FIRST + timedelta(days=place),
                reason="r",
                decided_by="d",
                recorded_at=work.now,
                recorded_by="staff:1",
            )
            work.session.add(change)
    work.session.flush()


async def after_the_example(study: Study, letters: str = EXAMPLE) -> None:
    await study.stage.within(lambda work: live(work, letters))
    study.stage.clock.set(datetime.combine(FIRST + timedelta(days=len(letters)), time(9), SITE))


async def test_the_worked_example_is_the_same_in_words_picture_table_and_file(study: Study) -> None:
    await after_the_example(study)
    sees = Watch(study.coordinator)
    await study.coordinator.says("/adherence S-001")
    shown = await last_values(study.stage, "adherence.summary")
    assert (shown["share"], shown["gap"]) == ("71 %", 2)
    assert shown["said"] == study.coordinator.label("adherence.said", unknown="8 %", known="77 %")
    assert (shown["ordered"], shown["taken"], shown["partly"], shown["not_taken"], shown["unknown"]) == (
        12,
        8,
        1,
        2,
        1,
    )
    (picture,) = [message for message in sees.new if message.kind == "photo"]
    assert "71 %" in picture.text
    # Forgotten on two days, run out on one; the answer of day 7 came on day 8.
    assert shown["reasons"].splitlines()[0].endswith("2")
    assert study.coordinator.label("adherence.late", n=1) in shown["more"]
    assert study.coordinator.label("adherence.coverage.none") in shown["more"]
    await study.coordinator.says("/adherence")
    assert any("S-001: 71 % taken, 8 % no answer" in text for text in sees.texts)

    def cells(work: Work) -> dict[str, str]:
        found = adherence.of_site(work.session, work.deps, work.today)
        text = adherence_site.as_csv(found)
        assert text.startswith("\ufeff")
        (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
        return {name: original_cell(cell) for name, cell in row.items()}

    row = await study.stage.within(cells)
    assert (row["code"], row["taken_percent"], row["unknown_percent"], row["longest_gap"]) == (
        "S-001",
        "71",
        "8",
        "2",
    )
    assert row["ran_out_on"] == "2026-11-08"
    assert row["changes"] == "hold:2026-11-13 resume:2026-11-15"


async def test_a_period_is_typed_or_tapped_and_bad_ones_are_explained(study: Study) -> None:
    await after_the_example(study)
    nurse = study.coordinator
    for typed, ordered in (("7d", 5), ("2026-11-02..2026-11-05", 4), ("this month", 12), ("近7天", 5)):
        await nurse.says(f"/adherence s-001 {typed}")
        assert (await last_values(study.stage, "adherence.summary"))["ordered"] == ordered, typed
    await nurse.taps("adherence.button.period.14")
    assert (await last_values(study.stage, "adherence.summary"))["ordered"] == 12
    for typed, key in (
        ("soon", "input.period.unreadable"),
        ("2026-11-05..2026-11-02", "input.period.reversed"),
        ("2027-01", "input.period.to_come"),
        ("0", "input.period.out_of_range"),
        ("2026-10", "adherence.none_then"),
    ):
        sees = Watch(nurse)
        await nurse.says(f"/adherence S-001 {typed}")
        assert sees.last(key), typed
        assert nurse.label("adherence.button.period.28") in nurse.phone.last.labels
    await nurse.says("/adherence S-777 28d")
    assert Watch(nurse).person.phone.last.text == nurse.label("refused.subject_unknown")


async def test_tablets_handed_out_cover_days(study: Study) -> None:
    await after_the_example(study)

    def hand_out(work: Work) -> None:
        count = TabletCount(
            subject_id=1,
            occasion="one",
            kind="dispensed",
            counted_on=FIRST,
            tablets=Decimal(12),
            strength_mg=250,
            source="staff",
            recorded_at=work.now,
            recorded_by="staff:1",
        )
        work.session.add(count)

    await study.stage.within(hand_out)
    await study.coordinator.says("/adherence S-001")
    shown = await last_values(study.stage, "adherence.summary")
    # Twelve tablets of two a day are six of the twelve days on which something was to be taken.
    assert study.coordinator.label("adherence.coverage", share="50 %", covered=6, days=12) in shown["more"]


async def test_everything_in_order_is_one_line(study: Study) -> None:
    await after_the_example(study, "TTTTTT")
    await study.stage.settle()
    sees = Watch(study.coordinator)
    await study.coordinator.says("/adherence")
    (said,) = [text for text in sees.texts if made_from(study.coordinator, text, "adherence.site.in_order")]
    assert "\n" not in said
    assert not sees.read("adherence.site.table")
    await study.coordinator.taps("adherence.button.all")
    assert "S-001: 100 % taken" in study.coordinator.phone.last.text


async def test_the_table_is_sorted_opened_and_taken_away_by_buttons(study: Study) -> None:
    await after_the_example(study)
    nurse = study.coordinator
    await nurse.says("/adherence")
    for sort in ("unknown", "change", "code", "share"):
        await nurse.taps(f"adherence.button.sort.{sort}")
        assert nurse.label(f"adherence.sort.{sort}") in nurse.phone.last.text
    await nurse.taps("adherence.button.csv")
    file = nurse.phone.last
    assert file.kind == "document"
    assert file.file is not None
    assert file.file.content.startswith(b"\xef\xbb\xbfcode,")
    await nurse.says("/adherence")
    await nurse.presses("S-001")
    assert nurse.phone.last.kind == "photo"
    seen = {entry.what for entry in await rows(study.stage, AuditEntry)}
    assert {"adherence.listed", "adherence.exported", "adherence.viewed"} <= seen


@pytest.mark.req("SEC-01")
async def test_an_admin_and_a_patient_see_no_table(study: Study) -> None:
    for someone in (await staff(study.stage, 16, "Admin", Role.ADMIN), study.boris):
        sees = Watch(someone)
        await someone.says("/adherence")
        assert sees.first("refused.not_for_you")


async def test_the_table_takes_the_same_statements_however_many_there_are(study: Study) -> None:
    def count(session: Session) -> int:
        counted = 0
        connection = session.connection()
        execute = connection.execute

        def counting(*given: object, **more: object) -> object:
            nonlocal counted
            counted += 1
            return execute(*given, **more)  # type: ignore[call-overload]

        connection.execute = counting  # type: ignore[assignment,method-assign]
        adherence.of_site(session, study.stage.deps, FIRST)
        return counted

    assert await study.stage.deps.store.read(count) == 5
