"""Staff order tablets, pause them, let them go on and end them; what patients are asked and told follows at once."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.domain.adherence import DoseStatus
from bot.domain.roles import Role
from bot.store.models import AgendaItem, DoseChange, DoseOrder, DoseReport, OutboxMessage, Subject, Weight
from bot.story.people import Person
from bot.usecases import dose_days, polite
from bot.work import Work
from tests.people import Study, staff
from tests.stories.scenes import Watch, last_values, rows
from tests.stories.test_tablets import evening

HELD, NOT_ORDERED, UNKNOWN = DoseStatus.HELD, DoseStatus.NOT_ORDERED, DoseStatus.UNKNOWN


async def changes(who: Person, what: str, day: str, why: str, *, by: str = "Physician") -> None:
    """Let staff hold, resume or stop from a day: typed, or the first button where it is empty."""
    await who.says("/dose S-001")
    await who.taps(f"dose_order.button.{what}")
    await who.says(day)
    if day < who.stage.clock.now().astimezone().date().isoformat():
        await who.taps("form.button.yes")
    await who.taps(f"reason.{why}")
    await who.presses(by)
    await who.taps("form.button.save")


async def orders(who: Person, tablets: str, strength: int, day: str, *more: str, times: str = "dose.times.1") -> None:
    await who.says("/dose S-001")
    await who.taps("dose_order.button.order", "formulation.dispersible")
    await who.presses(f"{strength} mg")
    await who.says(tablets)
    await who.taps(times)
    await who.says(day)
    if day < "2026-11-02":
        await who.taps("form.button.yes")
    await who.taps(*more, "reason.counts")
    await who.presses("Physician")
    await who.taps("form.button.save")


async def days(study: Study, *wanted: str) -> list[str]:
    """Return what is known of some days of November."""

    def known(work: Work) -> list[str]:
        subject = work.session.get_one(Subject, 1)
        return [
            dose_days.statuses(work.session, subject, day, day)[day]
            for day in (work.today.replace(day=int(each)) for each in wanted)
        ]

    return await study.stage.within(known)


async def waiting(study: Study) -> list[str]:
    """Return the days that are still to be asked about."""
    found = await rows(study.stage, AgendaItem, kind=polite.PROMPT, state="waiting")
    return [each.detail["day"] for each in found]


class TestTheCard:
    async def test_it_says_what_the_order_is_a_day_and_that_nothing_is_known(self, study: Study) -> None:
        sees = Watch(study.doctor)
        await study.doctor.says("/dose S-001")
        assert sees.last("dose_order.card")
        assert "500 mg a day in all" in sees.texts[-1]
        assert "8.3 mg/kg a day, by the weight of 60 kg (Monday 2 November)" in sees.texts[-1]
        assert "No verified platelets" in sees.texts[-1]

    @pytest.mark.parametrize(
        ("platelets", "said", "line"),
        [
            pytest.param("49.9", "8–10 mg/kg", "As in the protocol (480–600 mg a day)", id="below 50"),
            pytest.param(
                "50", "20 mg/kg", "Below the protocol (1200 mg a day)", id="exactly 50 belongs to 50 and more"
            ),
        ],
    )
    async def test_the_band_is_that_of_the_newest_platelets(
        self, study: Study, platelets: str, said: str, line: str
    ) -> None:
        nurse = study.coordinator
        await nurse.says("/labs S-001")
        await nurse.taps("labs.button.enter")
        await nurse.says("2026-11-02")
        await nurse.says(f"plt {platelets}")
        await nurse.taps("labs.transfused.platelets", "form.button.save")
        await nurse.says("/dose S-001")
        card = nurse.phone.last.text
        assert f"Platelets {platelets} ×10⁹/L (Monday 2 November): the protocol has {said}" in card
        assert line in card
        assert "within 7 days after a platelet transfusion" in card

    async def test_the_weight_is_that_of_the_day(self, study: Study) -> None:
        def older(work: Work) -> None:
            work.session.add(
                Weight(
                    subject_id=1,
                    kg=Decimal(50),
                    measured_on=work.today - timedelta(days=9),
                    recorded_at=work.now,
                    recorded_by="bot",
                )
            )

        await study.stage.within(older)
        nurse = study.coordinator
        await nurse.says("/dose S-001")
        assert "60 kg (Monday 2 November)" in nurse.phone.last.text
        await nurse.taps("dose_order.button.order", "formulation.dispersible")
        await nurse.presses("250 mg")
        await nurse.answers("2", "=dose.times.1", "2026-10-25")
        await nurse.taps("form.button.yes", "reason.counts")
        await nurse.presses("Physician")
        assert "10.0 mg/kg a day, by the weight of 50 kg (Saturday 24 October)" in nurse.phone.last.text

    async def test_an_arm_without_tablets_is_offered_nothing(self, study: Study) -> None:
        sees = Watch(study.doctor)
        await study.doctor.says("/dose S-002")
        assert sees.last("dose_order.not_in_arm")
        await study.doctor.says("/patient S-002")
        assert study.doctor.label("patient.button.dose") not in study.doctor.phone.last.labels

    async def test_a_monitor_reads_only(self, study: Study) -> None:
        monitor = await staff(study.stage, 40, "Monitor", Role.MONITOR)
        await monitor.says("/dose S-001")
        assert [each for each in monitor.phone.last.labels if "S-001" not in each] == []


class TestHolding:
    async def test_a_hold_ends_the_question_of_today_and_the_patient_reads_what_staff_saw(self, study: Study) -> None:
        anna, doctor = Watch(study.anna), Watch(study.doctor)
        await changes(study.doctor, "hold", "2026-11-02", "counts")
        assert await waiting(study) == []
        (told,) = anna.texts
        assert told.startswith("🌷 您好，医生请您先停一种药")
        shown = next(text for text in doctor.texts if text.startswith("Hold. Please check"))
        assert told in shown
        await study.stage.until(evening(2, 23))
        assert not anna.read("tablets.ask")
        assert await days(study, "2", "3", "4") == [HELD, HELD, HELD]
        (change,) = await rows(study.stage, DoseChange)
        assert (change.what, change.reason, change.decided_by) == ("hold", "#counts", "Physician")

    async def test_a_question_that_was_put_answers_kindly(self, study: Study) -> None:
        await study.stage.until(evening(0, 18, 5))
        await changes(study.coordinator, "hold", "2026-11-02", "ill")
        question = next(
            each for each in study.anna.seen[::-1] if study.anna.label("tablets.button.taken") in each.labels
        )
        sees = Watch(study.anna)
        await study.anna.phone.taps_on(question, study.anna.label("tablets.button.not_today"))
        await study.stage.settle()
        assert sees.last("tablets.on_hold")
        assert await rows(study.stage, DoseReport) == []
        await study.stage.until(evening(0, 23))
        assert not sees.read("tablets.ask_again")
        await study.anna.says("/tablets")
        assert sees.last("tablets.on_hold")

    async def test_what_was_taken_in_a_hold_is_kept_and_changes_no_figure(self, study: Study) -> None:
        await study.stage.until(evening(0, 18, 5))
        await changes(study.doctor, "hold", "2026-11-02", "ill")
        question = next(
            each for each in study.anna.seen[::-1] if study.anna.label("tablets.button.taken") in each.labels
        )
        await study.anna.phone.taps_on(question, study.anna.label("tablets.button.taken"))
        await study.stage.settle()
        assert [each.status for each in await rows(study.stage, DoseReport)] == ["taken"]
        assert await days(study, "2") == [HELD]

    async def test_a_resume_of_the_same_day_plans_the_question_of_today_again(self, study: Study) -> None:
        await changes(study.doctor, "hold", "2026-11-02", "ill")
        await study.pass_time(minutes=5)
        await changes(study.doctor, "resume", "2026-11-02", "recovered")
        assert await days(study, "2") == [UNKNOWN]
        assert await waiting(study) == ["2026-11-02"]

    async def test_what_is_dated_ahead_begins_on_its_day(self, study: Study) -> None:
        await changes(study.doctor, "hold", "2026-11-04", "ill")
        await study.pass_time(minutes=5)
        await changes(study.doctor, "resume", "2026-11-06", "recovered")
        sees = Watch(study.anna)
        await study.stage.until(evening(5, 23))
        asked = [each for each in await rows(study.stage, AgendaItem, kind=polite.PROMPT) if each.state == "done"]
        assert [each.detail["day"][-2:] for each in asked] == ["02", "03", "06", "07"]
        assert sees.read("tablets.ask")
        assert await days(study, "3", "4", "5", "6") == [UNKNOWN, HELD, HELD, UNKNOWN]

    async def test_a_backdated_hold_makes_the_days_held_and_is_asked_back(self, study: Study) -> None:
        await study.stage.until(evening(3, 20))
        sees = Watch(study.doctor)
        await changes(study.doctor, "hold", "2026-11-03", "counts")
        assert "The figures of 2 days that have passed change" in "\n".join(sees.texts)
        assert await days(study, "2", "3", "4", "5") == [UNKNOWN, HELD, HELD, HELD]

    @pytest.mark.parametrize("day", ["2026-09-01", "2027-03-01"])
    async def test_a_day_too_far_away_is_refused(self, study: Study, day: str) -> None:
        await study.doctor.says("/dose S-001")
        await study.doctor.taps("dose_order.button.hold")
        sees = Watch(study.doctor)
        await study.doctor.says(day)
        assert sees.first("refused.day_too_far")

    async def test_a_resume_before_the_hold_is_refused(self, study: Study) -> None:
        await changes(study.doctor, "hold", "2026-11-05", "ill")
        await study.doctor.says("/dose S-001")
        await study.doctor.taps("dose_order.button.resume")
        sees = Watch(study.doctor)
        await study.doctor.says("2026-11-04")
        assert sees.first("dose_order.refused.resume")

    async def test_who_comes_second_changes_nothing(self, study: Study) -> None:
        await study.coordinator.says("/dose S-001")
        await study.coordinator.taps("dose_order.button.hold")
        await study.coordinator.answers("2026-11-02", "=reason.ill")
        await study.coordinator.presses("Physician")
        await changes(study.doctor, "stop", "2026-11-02", "ferritin")
        sees = Watch(study.coordinator)
        await study.coordinator.taps("form.button.save")
        assert sees.first("patient.overtaken")
        assert [each.what for each in await rows(study.stage, DoseChange)] == ["stop"]


class TestOrdering:
    async def test_a_changed_order_is_told_as_staff_wrote_it(self, study: Study) -> None:
        sees = Watch(study.anna)
        await orders(study.coordinator, "1.5", 250, "2026-11-03", times="dose.times.2")
        assert "每天2次，每次 1.5 片（袋），每片（袋）250 mg，分散片" in sees.texts[-1]
        first, second = await rows(study.stage, DoseOrder, subject_id=1)
        assert (first.times_a_day, second.times_a_day, second.reason, second.decided_by) == (
            1,
            2,
            "#counts",
            "Physician",
        )
        await study.coordinator.says("/patient S-001")
        assert "500 mg a day (8.3 mg/kg)" in study.coordinator.phone.last.text
        await study.pass_time(days=1)
        await study.coordinator.says("/patient S-001")
        assert "750 mg a day (12.5 mg/kg)" in study.coordinator.phone.last.text

    async def test_an_order_during_a_hold_leaves_it_unless_staff_say_so(self, study: Study) -> None:
        await changes(study.doctor, "hold", "2026-11-02", "ill")
        await study.pass_time(minutes=5)
        sees = Watch(study.anna)
        await orders(study.doctor, "3", 250, "2026-11-02", "dose_order.hold.stays")
        assert sees.new == []
        assert await days(study, "2") == [HELD]
        await study.pass_time(minutes=5)
        await orders(study.doctor, "4", 250, "2026-11-02", "dose_order.hold.goes_on")
        assert "每次 4 片" in sees.texts[-1]
        assert await days(study, "2") == [UNKNOWN]
        assert await waiting(study) == ["2026-11-02"]

    async def test_a_new_order_after_a_stop_starts_again(self, study: Study) -> None:
        await changes(study.doctor, "stop", "2026-11-02", "ferritin")
        assert await days(study, "2") == [NOT_ORDERED]
        assert await waiting(study) == []
        await study.pass_time(minutes=5)
        sees = Watch(study.anna)
        await orders(study.doctor, "3", 250, "2026-11-04")
        assert sees.texts[-1].startswith("🌷 您好，医生给您开了药")
        assert await waiting(study) == ["2026-11-04"]
        assert await days(study, "3", "4") == [NOT_ORDERED, UNKNOWN]

    async def test_an_order_by_mistake_is_taken_back_and_the_patient_hears_so(self, study: Study) -> None:
        await orders(study.doctor, "10", 250, "2026-11-02")
        await study.pass_time(minutes=5)
        anna, doctor = Watch(study.anna), Watch(study.doctor)
        await study.doctor.says("/dose S-001")
        await study.doctor.taps("dose_order.button.void")
        await study.doctor.presses("10 × 250 mg")
        await study.doctor.taps("reason.slip", "form.button.save")
        assert anna.texts[-1].startswith("🌷 您好，我们11月2日")
        assert "0571-0000-0001" in doctor.texts[-2]
        assert "Taken back: entered by mistake (Physician, Mon 2 Nov" in doctor.texts[-1]
        orders_now = await rows(study.stage, DoseOrder, subject_id=1)
        assert [each.void for each in orders_now] == [False, True]
        assert await days(study, "2") == [UNKNOWN]

    async def test_at_night_nothing_is_shown_and_what_is_taken_back_never_is(self, study: Study) -> None:
        await study.stage.until(evening(0, 22))
        sees = Watch(study.anna)
        await changes(study.doctor, "hold", "2026-11-03", "ill")
        assert sees.new == []
        await study.pass_time(minutes=5)
        await study.doctor.says("/dose S-001")
        await study.doctor.taps("dose_order.button.void")
        await study.doctor.presses(": hold")
        await study.doctor.taps("reason.slip", "form.button.save")
        await study.stage.until(evening(1, 9))
        assert not any("停一种药" in text or "发错" in text for text in sees.texts)

    async def test_a_night_of_hold_and_resume_tells_the_last_word_only(self, study: Study) -> None:
        await study.stage.until(evening(0, 22))
        sees = Watch(study.anna)
        await changes(study.doctor, "hold", "2026-11-03", "ill")
        await study.pass_time(minutes=5)
        await changes(study.doctor, "resume", "2026-11-03", "recovered")
        await study.stage.until(evening(1, 9))
        told = [text for text in sees.texts if "请您打开看一看" in text]
        assert [text.split("，")[1] for text in told] == ["停了的药可以接着吃了"]

    async def test_every_message_has_a_key_and_an_end(self, study: Study) -> None:
        await changes(study.doctor, "hold", "2026-11-02", "ill")
        (told,) = await rows(study.stage, OutboxMessage, purpose=polite.DOSE_CHANGE)
        assert told.dedupe_key is not None
        assert told.useful_until is not None
        assert told.useful_until - told.due_at == timedelta(days=7)
        assert json.loads(told.values)["phone"]


async def test_without_a_phone_staff_are_asked_to_call(newcomers: Study) -> None:
    sees = Watch(newcomers.doctor)
    await changes(newcomers.doctor, "stop", "2026-11-02", "ferritin")
    assert any("The bot cannot tell the patient. Please phone: 0571-0000-0001" in text for text in sees.texts)
    assert await rows(newcomers.stage, OutboxMessage, purpose=polite.DOSE_CHANGE) == []


async def test_an_arm_without_tablets_ends_them_and_a_hold_with_them(study: Study) -> None:
    await changes(study.doctor, "hold", "2026-11-02", "ill")
    await study.pass_time(minutes=5)
    await study.doctor.says("/patient S-001")
    await study.doctor.taps("patient.button.change", "change.button.arm", "arm.tg1.name")
    await study.doctor.answers("2026-11-02", "=reason.chelation_stops", "=form.button.save")
    assert [each.what for each in await rows(study.stage, DoseChange)] == ["hold", "stop"]
    assert await days(study, "2") == [NOT_ORDERED]
    await study.doctor.says("/dose S-001")
    labels = study.doctor.phone.last.labels
    assert study.doctor.label("dose_order.button.order") not in labels
    assert (await last_values(study.stage, "dose_order.card"))["code"] == "S-001"
