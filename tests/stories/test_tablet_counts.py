"""Tablets are counted by staff and, once a month, by the patient; what counts say is for staff alone."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlmodel import select

from bot.domain.roles import Role
from bot.store.models import AgendaItem, Evidence, OutboxMessage, TabletCount
from bot.story.people import Person
from bot.story.stage import Stage
from bot.usecases import dose_days, dose_reports, home_count, tablet_counts
from bot.usecases.staff_queries import find
from bot.work import Work
from tests.people import Study, staff, study
from tests.stories.scenes import SITE, Watch, caregiver, last_values, plant, rows, withdraw

DAY_1 = datetime(2026, 11, 2, 18, tzinfo=SITE)


def evening(day: int, hour: int = 18, minute: int = 1) -> datetime:
    """Return an hour of day 1, 2, ... of the study."""
    return DAY_1 + timedelta(days=day - 1, hours=hour - 18, minutes=minute)


async def enters(nurse: Person, kind: str, tablets_: str, day: str = "2026-11-02", *, odd: bool = False) -> None:
    """Let staff enter a count of 250 mg tablets from the list of counts."""
    await nurse.says("/counts S-001")
    await nurse.taps("counts.button.enter", f"counts.kind.{kind}")
    await nurse.says(day)
    await nurse.presses("250 mg")
    await nurse.says(tablets_)
    await nurse.taps(*(["form.button.yes"] if odd else []), "form.button.save")


async def takes(stage: Stage, first: date, letters: str) -> None:
    """Let Anna have answered so on these days."""
    statuses = {"t": "taken", "p": "partly", "n": "not_taken"}

    def keep(work: Work) -> None:
        for number, letter in enumerate(letters):
            if letter in statuses:
                dose_reports.keep(work, find(work, "S-001"), first + timedelta(days=number), statuses[letter])

    await stage.within(keep)


async def line(stage: Stage, first: date = date(2026, 11, 2), last: date = date(2026, 11, 29)) -> str:
    """Return what counts say of a period, in English."""
    return await stage.within(
        lambda work: tablet_counts.counts_line(work, find(work, "S-001"), first, last).render(work.texts, "en")
    )


class TestStaff:
    @pytest.mark.req("DI-01")
    async def test_what_is_given_out_and_brought_back_is_kept_and_compared(self, study: Study) -> None:
        nurse = study.coordinator
        await enters(nurse, "dispensed", "60")
        assert "only one count" in nurse.phone.last.text
        await takes(study.stage, date(2026, 11, 2), "t" * 10)
        await study.stage.until(evening(11, 12))
        before = len(await rows(study.stage, OutboxMessage, account_id=3))
        await enters(nurse, "returned", "四十七片半", "2026-11-12")
        kept = [(row.kind, row.tablets, row.strength_mg, row.source) for row in await rows(study.stage, TabletCount)]
        assert kept == [("dispensed", Decimal(60), 250, "staff"), ("returned", Decimal("47.5"), 250, "staff")]
        said = await line(study.stage)
        assert "12.5 gone of 20 ordered (63 %); reported 20 (100 %), 0 unknown" in said
        assert "38 points above" in said
        assert said in nurse.phone.last.text
        assert len(await rows(study.stage, OutboxMessage, account_id=3)) == before

    async def test_after_a_visit_that_was_done_its_day_is_known(self, study: Study) -> None:
        nurse = study.coordinator
        await nurse.says("/due")
        await nurse.presses(nurse.label("due.button.done_today", code="S-001"))
        await nurse.taps("counts.button.after_visit", "counts.kind.dispensed")
        await nurse.presses("250 mg")
        await nurse.says("30")
        await nurse.taps("form.button.save")
        (row,) = await rows(study.stage, TabletCount)
        assert (row.counted_on, row.tablets) == (date(2026, 11, 2), Decimal(30))

    @pytest.mark.parametrize(
        ("kind", "said", "doubt"),
        [
            pytest.param("returned", "61", "more_than_there", id="more comes back than was given out"),
            pytest.param("dispensed", "7300", "more_a_year", id="more than anybody takes in a year"),
            pytest.param("dispensed", "0", "none_given", id="nothing given out"),
        ],
    )
    async def test_an_odd_number_is_asked_back(self, study: Study, kind: str, said: str, doubt: str) -> None:
        nurse = study.coordinator
        await enters(nurse, "dispensed", "60")
        await study.pass_time(days=1)
        await nurse.says("/counts S-001")
        await nurse.taps("counts.button.enter", f"counts.kind.{kind}")
        await nurse.says("2026-11-03")
        await nurse.presses("250 mg")
        await nurse.says(said)
        assert nurse.label(f"counts.doubt.{doubt}") in nurse.phone.last.text
        await nurse.taps("form.button.no")
        assert len(await rows(study.stage, TabletCount)) == 1

    @pytest.mark.parametrize("said", ["500mg", "-3", "viele", "1.3", "100000", "3,5,6", "👍"])
    async def test_what_is_no_number_of_tablets_is_refused(self, study: Study, said: str) -> None:
        nurse = study.coordinator
        await nurse.says("/counts S-001")
        await nurse.taps("counts.button.enter", "counts.kind.dispensed")
        await nurse.says("2026-11-02")
        await nurse.presses("250 mg")
        sees = Watch(nurse)
        await nurse.says(said)
        assert sees.first("input.count.unreadable")
        assert sees.last("counts.ask.tablets")

    @pytest.mark.req("DI-03")
    async def test_a_correction_is_a_version_with_a_reason_and_a_count_can_be_taken_out(self, study: Study) -> None:
        nurse = study.coordinator
        await enters(nurse, "dispensed", "60")
        await nurse.taps("counts.button.list")
        await nurse.presses(next(label for label in nurse.phone.last.labels if "60" in label))
        card = nurse.phone.last
        await nurse.taps("counts.button.correct")
        await nurse.says("90")
        await nurse.taps("reason.slip", "form.button.save")
        assert nurse.read("counts.card")
        await nurse.phone.taps_on(card, nurse.label("counts.button.correct"))
        await study.stage.settle()
        assert nurse.read("counts.card")  # a late press of the older version shows how it stands
        await nurse.taps("counts.button.correct", "counts.button.take_out")
        await nurse.says("entered for somebody else")
        await nurse.taps("form.button.save")
        versions = [(row.version, row.tablets, row.void) for row in await rows(study.stage, TabletCount)]
        assert versions == [(1, Decimal(60), False), (2, Decimal(90), False), (3, Decimal(90), True)]
        assert "nothing was counted" in await line(study.stage)

    async def test_a_patient_without_tablets_has_none_to_count(self, study: Study) -> None:
        await study.coordinator.says("/counts S-003")
        await study.coordinator.taps("counts.button.enter")
        assert study.coordinator.read("adherence.none")

    async def test_a_monitor_looks_and_enters_nothing(self, study: Study) -> None:
        await enters(study.coordinator, "dispensed", "60")
        monitor = await staff(study.stage, 41, "Monitor", Role.MONITOR)
        await monitor.says("/counts S-001")
        assert monitor.read("counts.title")
        assert monitor.label("counts.button.enter") not in monitor.phone.last.labels


async def asked(study: Study) -> Person:
    """Return Anna at noon of a day without a visit, when the question that a month would bring has come."""
    noon = evening(3, 12, 0)

    def hasten(work: Work) -> None:
        item = work.session.exec(select(AgendaItem).where(AgendaItem.kind == home_count.ASK)).one()
        item.due_at, item.useful_until = noon, noon + timedelta(days=2)

    await study.stage.within(hasten)
    sees = Watch(study.anna)
    await study.stage.until(noon + timedelta(minutes=1))
    assert sees.read("count.ask"), [item.reason for item in await waiting(study.stage)]
    return study.anna


async def presses_enter(anna: Person) -> None:
    """Press the question's button, also after it was answered once: as two phones do."""
    await plant(anna.stage, anna, ["count.enter"], {})
    await anna.presses("count.enter")


async def waiting(stage: Stage) -> list[AgendaItem]:
    return await rows(stage, AgendaItem, kind=home_count.ASK, state="waiting")


class TestPatient:
    @pytest.mark.req("DI-12")
    async def test_once_a_month_the_patient_counts_and_may_send_a_photo(self, study: Study) -> None:
        await enters(study.coordinator, "dispensed", "60")
        anna = await asked(study)
        await anna.taps("count.button.enter")
        await anna.says("4片")
        assert anna.read("count.thanks")
        await anna.phone.sends_photo()
        await study.stage.settle()
        (sent,) = await rows(study.stage, Evidence)
        row = (await rows(study.stage, TabletCount))[-1]
        assert (row.kind, row.source, row.tablets, row.evidence_id) == ("at_home", "patient", Decimal(4), sent.id)
        (item,) = await waiting(study.stage)
        assert item.due_at.astimezone(SITE) == DAY_1 + timedelta(days=30)

    async def test_who_counts_again_on_the_same_day_corrects_the_count(self, study: Study) -> None:
        anna = await asked(study)
        for said in ("14", "12"):
            await presses_enter(anna)
            await anna.says(said)
        versions = [(row.version, row.tablets) for row in await rows(study.stage, TabletCount)]
        assert versions == [(1, Decimal(14)), (2, Decimal(12))]

    async def test_later_comes_tomorrow_and_not_for_ever(self, study: Study) -> None:
        question = (await asked(study)).phone.last
        for day in (4, 5):
            await study.anna.phone.taps_on(question, study.anna.label("count.button.later"))
            await study.stage.settle()
            assert study.anna.read("count.later")
            sees = Watch(study.anna)
            await study.stage.until(evening(day))
            question = next(each for each in sees.new if study.anna.label("count.button.enter") in each.labels)
        assert study.anna.label("count.button.later") not in question.labels
        (item,) = await waiting(study.stage)
        assert item.due_at.astimezone(SITE) == DAY_1 + timedelta(days=32)

    async def test_rather_not_is_an_answer(self, study: Study) -> None:
        anna = await asked(study)
        await anna.taps("count.button.no")
        assert anna.read("count.no")
        assert await rows(study.stage, TabletCount) == []

    async def test_a_number_that_cannot_be_is_asked_back_without_reproach(self, study: Study) -> None:
        await enters(study.coordinator, "dispensed", "60")
        anna = await asked(study)
        await anna.taps("count.button.enter")
        await anna.says("160")
        assert anna.read("form.is_it")
        await anna.taps("form.button.no")
        await anna.says("16")
        assert (await rows(study.stage, TabletCount))[-1].tablets == 16

    async def test_nothing_is_asked_while_nothing_is_to_be_taken(self, study: Study) -> None:
        def hold(work: Work, until: date | None) -> None:
            for order in dose_days.orders_of(work.session, find(work, "S-001")):
                order.until_on = until
            item = work.session.exec(select(AgendaItem).where(AgendaItem.kind == home_count.ASK)).one()
            item.due_at = evening(1, 12, 0) if until else item.due_at

        await study.stage.within(lambda work: hold(work, date(2026, 11, 1)))
        sees = Watch(study.anna)
        await study.stage.until(evening(2, 13))
        assert not sees.read("count.ask")
        await study.stage.within(lambda work: hold(work, None))
        await study.stage.until(evening(4, 20))
        assert sees.count("count.ask") == 1

    async def test_who_takes_no_tablets_or_has_withdrawn_is_not_asked(self, study: Study) -> None:
        await withdraw(study.anna)
        assert await waiting(study.stage) == []

    async def test_a_late_press_after_withdrawing_counts_nothing(self, study: Study) -> None:
        anna = await asked(study)
        question = anna.phone.last
        await withdraw(anna)
        await anna.phone.taps_on(question, anna.label("count.button.enter"))
        await study.stage.settle()
        assert await rows(study.stage, TabletCount) == []

    async def test_it_is_put_on_the_patients_phone_alone(self, study: Study) -> None:
        daughter = await caregiver(study)
        sees = Watch(daughter)
        await asked(study)
        assert not sees.read("count.ask")


async def test_counts_on_both_databases(both_stages: Stage) -> None:
    made = await study(both_stages)
    await enters(made.coordinator, "dispensed", "60")
    await takes(both_stages, date(2026, 11, 2), "t" * 10)
    await both_stages.until(evening(11, 12))
    await enters(made.coordinator, "at_home", "50", "2026-11-12")
    assert "10 gone of 20 ordered (50 %)" in await line(both_stages)
    shown = await last_values(both_stages, "counts.saved")
    assert shown["code"] == "S-001"
