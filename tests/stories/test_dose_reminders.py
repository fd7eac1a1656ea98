"""A hold takes the tablets question out of what already waits, and the rule is the same on both databases."""

from datetime import timedelta

from bot.domain.dosing import Change
from bot.store.models import Subject
from bot.story.stage import Stage
from bot.usecases import dose_changes, dose_days
from bot.usecases.dose_changes import Entry
from bot.work import Work
from tests.people import Study, study
from tests.stories.scenes import Watch
from tests.stories.test_reminder_rules import settled
from tests.stories.test_reminders import at


def hold(work: Work, ahead: int = 0) -> bool:
    """Hold Anna's tablets from so many days ahead on; return whether she is told."""
    subject, on = work.session.get_one(Subject, 1), work.today + timedelta(days=ahead)
    change = dose_changes.a_change(work, subject, Change.HOLD, on, "#ill", "Physician")
    return dose_changes.record(work, subject, Entry(change=change))


async def test_a_reminder_that_waits_with_the_tablets_question_goes_out_without_it(study: Study) -> None:
    await settled(study)
    await study.stage.until(at("2026-11-08T17:59"))
    sees = Watch(study.anna)
    study.stage.telegram.fail("sendMessage", 10_000, drop="unreachable")
    await study.stage.until(at("2026-11-08T18:01"))
    assert sees.new == []
    await study.stage.within(hold)
    study.stage.telegram._faults.clear()
    await study.stage.until(at("2026-11-08T19:00"))
    assert sum("停一种药" in text for text in sees.texts) == 1
    (reminder,) = [each for each in sees.new if study.anna.label("visit.button.will_come") in each.labels]
    assert study.anna.label("tablets.button.taken") not in reminder.labels
    assert not any("药吃了吗" in text for text in sees.texts)


async def test_a_hold_and_what_follows_it_is_the_same_on_both_databases(both_stages: Stage) -> None:
    made = await study(both_stages)
    sees = Watch(made.anna)
    assert await both_stages.within(hold)
    await both_stages.settle()
    assert any("停一种药" in text for text in sees.texts)

    def known(work: Work) -> list[object]:
        subject = work.session.get_one(Subject, 1)
        days = [work.today + timedelta(days=number) for number in (-1, 0, 1)]
        next_on = dose_days.next_to_take(work.session, subject, work.today, timedelta(days=60))
        return [*dose_days.statuses(work.session, subject, days[0], days[-1]).values(), next_on]

    assert await both_stages.within(known) == ["not_ordered", "held", "held", None]
    await made.doctor.says("/dose S-001")
    await made.doctor.taps("dose_order.button.void")
    await made.doctor.presses(": hold")
    await made.doctor.taps("reason.slip", "form.button.save")
    assert "Taken back: entered by mistake (Physician" in made.doctor.phone.last.text
    assert (await both_stages.within(known))[1:3] == ["unknown", "unknown"]
