"""The tablets question comes once a day, its answers are kept as given, and the figures are those answers."""

from datetime import datetime, timedelta

import pytest

from bot.domain.urgency import Urgency
from bot.protocol.load import bundled
from bot.store.models import DosePrompted, DoseReport
from tests.people import Study
from tests.stories.scenes import Watch, caregiver, cases, last_values, local, rows, symptom_case, withdraw

FIRST = datetime.fromisoformat("2026-11-02T18:00:00+08:00")


def evening(day: int, hour: int = 18, minute: int = 0) -> datetime:
    """Return a wall time on the ``day``th day of the study, the first being 0."""
    return (FIRST + timedelta(days=day)).replace(hour=hour, minute=minute)


async def said(study: Study) -> list[tuple[str, str, str | None]]:
    reports = await rows(study.stage, DoseReport)
    return [(report.day_on.isoformat(), report.status, ", ".join(report.reasons) or None) for report in reports]


class TestAsking:
    async def test_the_question_comes_every_day_at_the_patients_hour(self, study: Study) -> None:
        sees = Watch(study.anna)
        await study.stage.until(evening(2, 23))
        asked = [local(message.at).isoformat()[5:16] for message in sees.new if "tablets" and message.labels[:1]]
        assert [when for when in asked if when.endswith("18:00")] == [
            "11-02T18:00",
            "11-03T18:00",
            "11-04T18:00",
        ]

    async def test_without_an_answer_it_comes_once_more(self, study: Study) -> None:
        # Not on the day of a visit or the day after, whose messages leave no room for a second question.
        await study.stage.until(evening(1, 23))
        sees = Watch(study.anna)
        await study.stage.until(evening(2, 23))
        assert (sees.count("tablets.ask"), sees.count("tablets.ask_again")) == (1, 1)
        assert local(sees.new[-1].at).strftime("%H:%M") == "20:00"

    async def test_not_yet_is_asked_about_once_more(self, study: Study) -> None:
        await study.stage.until(evening(2))
        sees = Watch(study.anna)
        await study.anna.taps("tablets.button.not_yet")
        assert sees.first("tablets.thanks_not_yet")
        await study.stage.until(evening(2, 23))
        assert sees.count("tablets.ask_again") == 1
        assert study.anna.label("tablets.button.not_yet") not in study.anna.phone.last.labels

    async def test_taken_is_asked_about_no_more(self, study: Study) -> None:
        await study.stage.until(evening(0))
        sees = Watch(study.anna)
        await study.anna.taps("tablets.button.taken")
        assert sees.first("tablets.thanks_taken")
        await study.stage.until(evening(0, 23))
        assert len(sees.new) == 1

    async def test_who_answered_before_the_hour_is_not_asked(self, study: Study) -> None:
        await study.anna.says("/tablets")
        await study.anna.taps("tablets.button.taken")
        sees = Watch(study.anna)
        await study.stage.until(evening(0, 23))
        assert not sees.read("tablets.ask")

    @pytest.mark.req("DI-17")
    async def test_asked_without_an_answer_differs_from_never_asked(self, study: Study) -> None:
        await study.stage.until(evening(1, 23))
        assert len(await rows(study.stage, DosePrompted)) == 2
        assert await said(study) == []

    async def test_only_the_deferasirox_arm_is_asked(self, study: Study) -> None:
        boris, clara = Watch(study.boris), Watch(study.clara)
        await study.stage.until(evening(0, 23))
        assert not boris.read("tablets.ask")
        assert not clara.read("tablets.ask")
        await study.clara.says("/tablets")
        assert clara.last("tablets.not_for_you")

    async def test_a_caregiver_is_not_asked_beside_the_patient_but_may_answer(self, study: Study) -> None:
        daughter = await caregiver(study)
        sees = Watch(daughter)
        await study.stage.until(evening(0, 18, 5))
        assert not sees.read("tablets.ask")
        await daughter.says("/tablets")
        await daughter.taps("tablets.button.taken")
        (report,) = await rows(study.stage, DoseReport)
        assert report.reported_by.startswith("caregiver:")

    async def test_a_withdrawn_patient_is_asked_no_more(self, study: Study) -> None:
        await withdraw(study.anna)
        sees = Watch(study.anna)
        await study.stage.until(evening(2, 23))
        assert sees.new == []


class TestReasons:
    @pytest.mark.parametrize("reason", bundled().skip_reasons, ids=lambda reason: reason.code)
    async def test_each_reason_is_kept_and_reaches_staff_if_it_has_to(self, study: Study, reason: object) -> None:
        choice = next(each for each in bundled().skip_reasons if each is reason or each == reason)
        await study.stage.until(evening(0))
        sees = Watch(study.anna)
        await study.anna.taps("tablets.button.not_today")
        assert sees.last("tablets.ask_reason")
        await study.anna.taps(choice.text, "form.button.done")
        if choice.asks_doctor:
            assert sees.last("tablets.ask_doctor")
            await study.anna.taps("dose.button.doctor_unknown")
        assert (await said(study))[-1] == ("2026-11-02", "not_taken", choice.code)
        opened = await cases(study.stage)
        assert [case.urgency for case in opened] == ([choice.tell_staff] if choice.tell_staff else [])
        assert len(sees.new) >= 2

    async def test_side_effects_lead_into_a_report(self, study: Study) -> None:
        await study.stage.until(evening(0))
        sees = Watch(study.anna)
        await study.anna.taps("tablets.button.not_today", "dose.skip.side_effect", "form.button.done")
        assert sees.read("tablets.thanks_side_effect")
        assert sees.last("report.trouble.ask")
        assert (await symptom_case(study.stage)).urgency == Urgency.AMBER

    @pytest.mark.req("DI-12")
    async def test_own_words_are_kept_as_they_are(self, study: Study) -> None:
        await study.stage.until(evening(0))
        await study.anna.taps("tablets.button.not_today")
        await study.anna.says("药太苦: 吃不下")
        report = (await rows(study.stage, DoseReport))[-1]
        assert (report.reasons, report.said) == (["OTHER"], "药太苦: 吃不下")

    async def test_not_today_counts_even_if_no_reason_follows(self, study: Study) -> None:
        await study.stage.until(evening(0))
        await study.anna.taps("tablets.button.not_today")
        assert await said(study) == [("2026-11-02", "not_taken", None)]
        sees = Watch(study.anna)
        await study.stage.until(evening(0, 23))
        assert not sees.read("tablets.ask_again")


class TestLateAndTwice:
    async def test_days_before_can_be_answered_as_long_as_the_protocol_says(self, study: Study) -> None:
        await study.stage.until(evening(4, 12))
        sees = Watch(study.anna)
        days = []
        while not sees.read("tablets.all_answered"):
            await study.anna.says("/tablets")
            if not sees.read("tablets.all_answered"):
                await study.anna.taps("tablets.button.taken")
                days.append((await said(study))[-1][0])
            assert len(days) < 9
        assert days == ["2026-11-03", "2026-11-04", "2026-11-05", "2026-11-06"]

    async def test_last_evenings_question_can_be_answered_in_the_morning(self, study: Study) -> None:
        await study.stage.until(evening(0))
        question = study.anna.phone.last
        await study.stage.until(evening(1, 8))
        await study.anna.phone.taps_on(question, study.anna.label("tablets.button.taken"))
        await study.stage.settle()
        assert await said(study) == [("2026-11-02", "taken", None)]

    async def test_the_question_of_four_days_ago_is_too_late(self, study: Study) -> None:
        await study.stage.until(evening(0))
        question = study.anna.phone.last
        await study.stage.until(evening(4, 8))
        sees = Watch(study.anna)
        await study.anna.phone.taps_on(question, study.anna.label("tablets.button.taken"))
        await study.stage.settle()
        assert sees.first("tablets.too_late")  # what is due now comes after it: she had been away
        assert await said(study) == []

    @pytest.mark.req("DI-03")
    async def test_another_answer_is_a_new_version_and_the_first_stays(self, study: Study) -> None:
        await study.stage.until(evening(0))
        question = study.anna.phone.last
        await study.anna.says("/tablets")
        await study.anna.taps("tablets.button.taken")
        await study.anna.phone.taps_on(question, study.anna.label("tablets.button.not_today"))
        await study.stage.settle()
        reports = await rows(study.stage, DoseReport)
        assert [(report.version, report.status) for report in reports] == [(1, "taken"), (2, "not_taken")]

    @pytest.mark.req("DI-14")
    async def test_the_same_answer_on_two_messages_is_one_record(self, study: Study) -> None:
        await study.stage.until(evening(0))
        question = study.anna.phone.last
        await study.anna.says("/tablets")
        await study.anna.taps("tablets.button.taken")
        await study.anna.phone.taps_on(question, study.anna.label("tablets.button.taken"))
        await study.stage.settle()
        assert study.anna.phone.last_toast == study.anna.label("toast.already_recorded")
        assert len(await rows(study.stage, DoseReport)) == 1

    @pytest.mark.req("DI-14")
    async def test_patient_and_caregiver_answer_at_once(self, study: Study) -> None:
        daughter = await caregiver(study)
        await study.stage.until(evening(0))
        await daughter.says("/tablets")
        for each in (study.anna, daughter):
            await each.phone.taps(each.label("tablets.button.taken"))
        await study.stage.settle()
        assert len(await rows(study.stage, DoseReport)) == 1


class TestAdherence:
    # What Anna does on each evening: t taken, n not taken, y "not yet" and nothing more, - nothing at all.
    WEEKS = "ttn-tty-nnt"

    async def test_the_figures_are_the_answers(self, study: Study) -> None:
        for day, what in enumerate(self.WEEKS):
            await study.stage.until(evening(day, 18, 1))
            if what == "t":
                await study.anna.taps("tablets.button.taken")
            elif what == "n":
                await study.anna.taps("tablets.button.not_today", "dose.skip.forgot", "form.button.done")
            elif what == "y":
                await study.anna.taps("tablets.button.not_yet")
        await study.coordinator.says("/adherence S-001")
        shown = await last_values(study.stage, "adherence.summary")
        ordered = len(self.WEEKS)
        assert {name: shown[name] for name in ("ordered", "taken", "not_taken", "unknown", "gap")} == {
            "ordered": ordered,
            "taken": self.WEEKS.count("t"),
            "not_taken": self.WEEKS.count("n"),
            "unknown": self.WEEKS.count("-") + self.WEEKS.count("y"),
            "gap": 2,
        }
        assert shown["share"] == f"{round(100 * self.WEEKS.count('t') / ordered)} %"
        picture = study.coordinator.phone.last
        assert picture.kind == "photo"
        assert picture.file is not None
        assert picture.file.content.startswith(b"\x89PNG\r\n\x1a\n")
        assert "S-001" in picture.text

    async def test_before_the_first_question_there_is_nothing_to_show(self, study: Study) -> None:
        sees = Watch(study.coordinator)
        await study.coordinator.says("/adherence S-001")
        await study.coordinator.says("/adherence S-003")
        assert sees.count("adherence.none") == 2

    async def test_today_is_no_gap_before_it_is_over(self, study: Study) -> None:
        await study.stage.until(evening(0))
        await study.anna.taps("tablets.button.taken")
        await study.stage.until(evening(1, 18, 30))
        await study.coordinator.says("/adherence S-001")
        shown = await last_values(study.stage, "adherence.summary")
        assert (shown["ordered"], shown["unknown"], shown["share"]) == (1, 0, "100 %")
