"""News about a dose waits for an investigator: one review and one alarm each, concluded by a person only."""

from typing import Any

import pytest
from sqlmodel import col, select

from bot.domain.roles import Role
from bot.store.models import (
    AgendaItem,
    DoseChange,
    DoseOrder,
    DoseReview,
    Escalation,
    EscalationStep,
    Measurement,
    Subject,
)
from bot.story.people import Person
from bot.story.stage import Stage
from bot.usecases import dose_reviews
from bot.work import Work
from tests.people import Study, staff, study
from tests.stories.scenes import Watch, cases, in_language, plant, resolve_all, rows, symptom_case

CROSSING = "D10-plt-crosses-50"
FERRITIN = "D20-ferritin-below-500"


async def enters(nurse: Person, message: str, on: str, code: str = "S-001", transfused: str | None = "none") -> None:
    """Let staff enter and save the values of one day."""
    await nurse.says(f"/labs {code}")
    await nurse.taps("labs.button.enter")
    await nurse.says(on)
    await nurse.says(message)
    if nurse.label("form.button.yes") in nurse.phone.last.labels:
        await nurse.taps("form.button.yes")
    if transfused is not None:
        await nurse.taps(f"labs.transfused.{transfused}")
    await nurse.taps("form.button.save")


async def corrects(nurse: Person, shown: str, value: str) -> None:
    await nurse.says("/labs S-001")
    await nurse.presses(shown)
    await nurse.taps("labs.button.correct")
    await nurse.answers(value, "=reason.slip", "=form.button.save")


async def reviews(stage: Stage, **where: object) -> list[tuple[str, str]]:
    return [(each.rule, each.state) for each in await rows(stage, DoseReview, **where)]


async def crosses(study: Study, transfused: str = "none") -> DoseReview:
    await study.stage.within(twenty)
    await enters(study.coordinator, "PLT 60", "2026-10-26")
    await enters(study.coordinator, "PLT 45", "2026-11-02", transfused=transfused)
    (review,) = await rows(study.stage, DoseReview)
    return review


def twenty(work: Work) -> None:
    """Let Anna's order be 20 mg/kg, as the band of 50 and more has it."""
    work.session.exec(select(DoseOrder)).one().strength_mg = 600


class TestOpening:
    async def test_a_crossing_opens_one_review_in_the_case_that_the_value_raised(self, study: Study) -> None:
        doctor, anna = Watch(study.doctor), Watch(study.anna)
        review = await crosses(study)
        case = await symptom_case(study.stage)
        assert (review.rule, review.state, review.case_id) == (CROSSING, "open", case.id)
        assert doctor.count("case.page") == 1, "one thing, one alarm"
        assert study.doctor.label("review.rule.plt_crosses_50") in doctor.texts[0]
        assert anna.new == [], "the patient hears nothing"

    async def test_what_comes_late_or_twice_is_no_news(self, study: Study) -> None:
        await crosses(study)
        await enters(study.coordinator, "PLT 55", "2026-10-28")
        await enters(study.coordinator, "PLT 45", "2026-11-02")
        assert await reviews(study.stage) == [(CROSSING, "open")]

    async def test_platelets_given_are_marked(self, study: Study, locale: str) -> None:
        doctor = await in_language(study.doctor, locale)
        await crosses(study, transfused="platelets")
        sees = Watch(doctor)
        await doctor.says("/reviews")
        await doctor.presses("S-001")
        card = sees.texts[-1]
        assert doctor.label("review.state.open") in card
        assert [part for part in ("45", "60", CROSSING, "20.0") if part not in card] == []
        assert "⚠️" in card

    async def test_a_weight_is_compared_with_that_of_the_order(self, study: Study) -> None:
        nurse = study.coordinator
        await study.pass_time(days=1)
        await enters(nurse, "体重 63", "2026-11-03", transfused=None)
        assert await reviews(study.stage) == []
        await study.pass_time(days=1)
        await enters(nurse, "体重 63.1", "2026-11-04", transfused=None)
        assert await reviews(study.stage) == [("D60-weight-changed", "open")]
        assert [case.urgency for case in await cases(study.stage)] == ["yellow"]

    async def test_what_only_a_label_says_is_marked(self, study: Study) -> None:
        await enters(study.coordinator, "Hb 116", "2026-11-02", code="S-002")
        assert await reviews(study.stage) == [("D90-hb-high-label", "open")]
        sees = Watch(study.doctor)
        await study.doctor.says("/reviews")
        await study.doctor.presses("S-002")
        assert study.doctor.label("review.label_only") in sees.texts[-1]

    async def test_what_a_patient_read_counts_once_staff_stand_for_it(self, study: Study) -> None:
        await study.pass_time(days=1)
        await study.anna.says("/menu")
        await study.anna.taps("menu.button.reading", "reading.what.weight")
        await study.anna.answers("66 kg", "=form.button.yes")
        assert await reviews(study.stage) == []
        await study.coordinator.says("/labs S-001")
        await study.coordinator.presses("66 kg")
        await study.coordinator.taps("labs.button.verify")
        assert await reviews(study.stage) == [("D60-weight-changed", "open")]

    async def test_an_order_outside_the_band_is_asked_about_once(self, study: Study) -> None:
        await enters(study.coordinator, "PLT 80", "2026-11-02")
        # 500 mg for 60 kg is 8.3 mg/kg, which is not 20.
        assert await reviews(study.stage) == [("D70-dose-outside-band", "open")]
        await study.stage.within(look)
        assert len(await rows(study.stage, DoseReview)) == 1

        def void(work: Work) -> None:
            work.session.exec(select(DoseOrder)).one().void = True
            work.session.flush()
            look(work)

        await study.stage.within(void)
        assert await reviews(study.stage) == [("D70-dose-outside-band", "withdrawn")]


def look(work: Work) -> None:
    dose_reviews.look_at_order(work, work.session.get_one(Subject, 1))


class TestTaken:
    async def test_staff_report_it_for_an_arm_that_does_not_get_it(self, study: Study) -> None:
        nurse = study.coordinator
        for _ in range(2):
            await nurse.says("/patient S-003")
            await nurse.taps("review.button.report")
            await nurse.answers("2026-11-01", "=form.button.save")
        assert await reviews(study.stage) == [("D80-taken-without-order", "open")]
        assert [case.urgency for case in await cases(study.stage, "S-003")] == ["amber"]

    @pytest.mark.parametrize(("what", "opened"), [("stop", 1), ("hold", 1), ("resume", 0)])
    async def test_the_patients_answer_after_a_recorded_stop(self, study: Study, what: str, opened: int) -> None:
        def record(work: Work) -> None:
            work.session.add(
                DoseChange(
                    subject_id=1,
                    what=what,
                    from_on=work.today,
                    reason="#doctor",
                    decided_by="PI",
                    recorded_at=work.now,
                    recorded_by="staff:2:pi",
                )
            )

        await study.stage.within(record)
        args = {"day": "2026-11-02", "status": "taken"}
        planted = await plant(study.stage, study.anna, ["tablets.answer"], args)
        await study.anna.phone.taps_on(planted, "tablets.answer")
        await study.stage.settle()
        assert len(await reviews(study.stage)) == opened


class TestConcluding:
    async def test_a_physician_concludes_and_the_case_stays_open(self, study: Study, locale: str) -> None:
        review, doctor = await crosses(study), await in_language(study.doctor, locale)
        await doctor.says("/reviews")
        await doctor.presses("S-001")
        await doctor.taps("review.button.conclude", "review.conclusion.repeat")
        await doctor.answers("先复查", "=form.button.save")
        (kept,) = await rows(study.stage, DoseReview)
        assert (kept.state, kept.conclusion, kept.words) == ("concluded", "repeat", "先复查")
        case = await symptom_case(study.stage)
        assert case.state != "resolved"
        steps = await rows(study.stage, EscalationStep, escalation_id=case.id)
        assert ("review concluded", "repeat") in [(each.what, each.said) for each in steps]
        sees = Watch(doctor)
        await doctor.taps("case.button.open")
        assert doctor.label("review.conclusion.repeat") in sees.texts[-1]
        await doctor.says("/reviews")
        assert sees.last("review.none")
        assert review.id == kept.id
        assert len(await rows(study.stage, DoseOrder)) == 1, "no order was changed"

    async def test_another_conclusion_needs_words(self, study: Study) -> None:
        await crosses(study)
        await study.doctor.says("/reviews")
        await study.doctor.presses("S-001")
        await study.doctor.taps("review.button.conclude", "review.conclusion.other")
        assert study.doctor.label("review.button.no_words") not in study.doctor.phone.last.labels

    async def test_whoever_comes_second_sees_how_it_stands(self, study: Study) -> None:
        await crosses(study)
        chief = await staff(study.stage, 41, "Chief", Role.PI)
        for someone in (study.doctor, chief):
            await someone.says("/reviews")
            await someone.presses("S-001")
            await someone.taps("review.button.conclude", "review.conclusion.keep", "review.button.no_words")
        await study.doctor.taps("form.button.save")
        sees = Watch(chief)
        await chief.taps("form.button.save")
        assert sees.toasted("review.toast.closed")
        (kept,) = await rows(study.stage, DoseReview)
        assert kept.closed_by == "staff:2:investigator"

    async def test_a_coordinator_reminds_and_does_not_conclude(self, study: Study) -> None:
        await crosses(study)
        nurse, doctor = study.coordinator, Watch(study.doctor)
        await nurse.says("/reviews")
        await nurse.presses("S-001")
        assert nurse.label("review.button.conclude") not in nurse.phone.last.labels
        await nurse.taps("review.button.remind")
        await nurse.taps("review.button.remind")
        assert doctor.count("review.told.reminder") == 1, "once a day"


class TestCorrecting:
    async def test_a_corrected_value_withdraws_and_tells_those_who_were_told(self, study: Study) -> None:
        chief = await staff(study.stage, 41, "Chief", Role.PI)
        await enters(study.coordinator, "铁蛋白 480", "2026-11-02", transfused=None)
        assert await reviews(study.stage) == [(FERRITIN, "open")]
        doctor, other = Watch(study.doctor), Watch(chief)
        await corrects(study.coordinator, "480", "500")
        assert await reviews(study.stage) == [(FERRITIN, "withdrawn")]
        assert (doctor.count("case.page.more"), doctor.count("review.told.withdrawn")) == (1, 0), "told once"
        assert study.doctor.label("review.rule.ferritin_below_500") in doctor.texts[0]
        assert other.new == [], "who was not told of it hears nothing"
        case = await symptom_case(study.stage)
        assert case.state != "resolved", "a person closes it"
        steps = [each.what for each in await rows(study.stage, EscalationStep, escalation_id=case.id)]
        assert "review withdrawn" in steps

    async def test_who_only_looked_at_it_is_told_too(self, study: Study) -> None:
        chief = await staff(study.stage, 41, "Chief", Role.PI)
        await enters(study.coordinator, "铁蛋白 480", "2026-11-02", transfused=None)
        await chief.says("/reviews")
        await chief.presses("S-001")
        sees = Watch(chief)
        await corrects(study.coordinator, "480", "600")
        assert sees.count("review.told.withdrawn") == 1

    async def test_the_value_before_is_what_it_rests_on_as_well(self, study: Study) -> None:
        await crosses(study)
        await corrects(study.coordinator, "60", "40")
        # It was the crossing that asked about the dose; without it the band does.
        assert await reviews(study.stage) == [(CROSSING, "withdrawn"), ("D70-dose-outside-band", "open")]

    async def test_a_correction_that_bears_it_out_changes_nothing(self, study: Study) -> None:
        await crosses(study)
        await corrects(study.coordinator, "45", "44")
        assert await reviews(study.stage) == [(CROSSING, "open")]

    async def test_what_was_concluded_is_looked_at_again(self, study: Study) -> None:
        await enters(study.coordinator, "铁蛋白 480", "2026-11-02", transfused=None)
        doctor = study.doctor
        await doctor.says("/reviews")
        await doctor.presses("S-001")
        await doctor.taps("review.button.conclude", "review.conclusion.stop", "review.button.no_words")
        await doctor.taps("form.button.save")
        await resolve_all(study.stage)
        sees = Watch(doctor)
        await corrects(study.coordinator, "480", "600")
        (kept,) = await rows(study.stage, DoseReview)
        assert (kept.state, kept.conclusion) == ("withdrawn", "stop")
        opened = [case for case in await cases(study.stage) if case.state != "resolved"]
        assert [case.urgency for case in opened] == ["amber"]
        assert sees.count("case.page") == 1
        assert sees.count("review.told.withdrawn") == 0, "the page says it"


async def test_nobody_forgets_one(study: Study) -> None:
    await crosses(study)
    await resolve_all(study.stage)
    await study.pass_time(days=3, minutes=2)
    found = await cases(study.stage)
    assert [case.because for case in found][-1] == [CROSSING]
    assert found[-1].urgency == "amber"
    assert (await rows(study.stage, DoseReview))[0].case_id == found[-1].id
    planned = await rows(study.stage, AgendaItem, kind=dose_reviews.CHASE)
    assert [item.state for item in planned] == ["done", "waiting"]


async def test_reviews_on_both_databases(both_stages: Stage) -> None:
    made = await study(both_stages)
    await crosses(made)
    await enters(made.coordinator, "铁蛋白 450", "2026-11-02", transfused=None)
    await corrects(made.coordinator, "45 ", "70")
    found: dict[str, Any] = dict(await reviews(both_stages))
    assert found == {CROSSING: "withdrawn", FERRITIN: "open"}
    sees = Watch(made.doctor)
    await made.doctor.says("/reviews")
    assert sees.last("review.title")
    assert [made.doctor.phone.last.labels[0].startswith(made.doctor.label("urgency.amber"))] == [True]
    order = await both_stages.deps.store.read(
        lambda session: [
            row.subject_id for row in session.exec(select(Measurement).order_by(col(Measurement.id))).all()
        ]
    )
    assert set(order) == {1}
    assert len(await rows(both_stages, Escalation)) == 1
