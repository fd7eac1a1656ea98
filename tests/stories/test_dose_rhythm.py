"""The weekly question is offered, answered and given up; fading answers lower the rhythm, and answers restore it."""

from datetime import timedelta

import pytest

from bot.domain.rhythm import Rhythm
from bot.store.models import AgendaItem, DosePrompted, DoseReport, OutboxMessage, SubjectChange
from bot.story.people import Person
from bot.story.stage import Stage
from bot.usecases import dose_days, dose_rhythm, dose_week, tablets
from bot.usecases.staff_queries import find
from bot.work import Work
from tests.people import Study, study
from tests.stories.scenes import Watch, caregiver, cases, local, rows, subject
from tests.stories.test_dose_answers import DONE, history, on
from tests.stories.test_tablets import evening


async def rhythm(stage: Stage) -> str:
    return (await subject(stage, "S-001")).dose_rhythm


async def weekly(made: Study, day: int = 0) -> None:
    """Let the question come weekly from a day on, as Anna chose it."""

    def change(work: Work) -> None:
        who = find(work, "S-001")
        dose_rhythm.change(work, who, Rhythm.WEEKLY, dose_rhythm.WISH, by_rule=False)
        tablets.replan(work, who)

    made.stage.clock.set(evening(day, 18, 1))
    await made.stage.within(change)


async def statuses(stage: Stage) -> dict[str, str]:
    """Return what the newest versions say, by day of the month."""
    return {each.day_on.strftime("%d"): f"{each.status}:{each.source}" for each in await rows(stage, DoseReport)}


async def asked_on(stage: Stage) -> list[str]:
    return sorted(each.day_on.strftime("%d") for each in await rows(stage, DosePrompted))


async def week_comes(stage: Stage) -> None:
    """Let the week after the second day pass, with a day between its gap and the question: an outage is told of."""
    stage.clock.set(evening(7, 9))
    await stage.pass_time(minutes=5)
    stage.clock.set(evening(8, 17))
    await stage.until(evening(8, 18, 5))


class TestOffer:
    async def test_a_streak_offers_the_weekly_question_once(self, study: Study) -> None:
        study.stage.clock.set(evening(13, 17))
        await history(study.stage, "T" * 13)
        await study.stage.until(evening(13))
        sees = Watch(study.anna)
        await study.anna.taps("tablets.button.taken")
        assert sees.last("tablets.rhythm.offer")
        await study.anna.taps("tablets.button.daily")
        assert await rhythm(study.stage) == "daily"
        await study.stage.until(evening(14))
        await study.anna.taps("tablets.button.taken")
        assert len(await rows(study.stage, OutboxMessage, text_key="tablets.rhythm.offer", purpose="answer")) == 1
        # It can still be chosen by whoever looks for it.
        await study.anna.says("/tablets")
        await study.anna.taps("tablets.button.weekly")
        assert await rhythm(study.stage) == "weekly"
        (change,) = await rows(study.stage, SubjectChange)
        assert (change.what, change.old, change.new) == ("dose_rhythm", "daily", "weekly")
        assert change.changed_by.startswith("patient:")

    @pytest.mark.parametrize("letters", ["T" * 12, "T" * 12 + "P", "-" + "T" * 12], ids=["13", "a part", "unknown"])
    async def test_less_is_no_streak(self, study: Study, letters: str) -> None:
        study.stage.clock.set(evening(len(letters), 17))
        await history(study.stage, letters)
        await study.stage.until(evening(len(letters)))
        sees = Watch(study.anna)
        await study.anna.taps("tablets.button.taken")
        assert sees.last("tablets.thanks_taken")

    async def test_a_caregiver_may_go_back_to_daily(self, study: Study) -> None:
        daughter = await caregiver(study)
        await weekly(study)
        await daughter.says("/tablets")
        await daughter.taps("tablets.button.daily")
        assert await rhythm(study.stage) == "daily"
        assert (await rows(study.stage, SubjectChange))[-1].changed_by.startswith("caregiver:")

    async def test_an_old_offer_is_no_weekly_question_any_more(self, study: Study) -> None:
        study.stage.clock.set(evening(13, 17))
        await history(study.stage, "T" * 13)
        await study.stage.until(evening(13))
        await study.anna.taps("tablets.button.taken")
        offer = study.anna.phone.last
        await study.stage.until(evening(14))
        await study.anna.taps("tablets.button.not_today", "dose.skip.forgot", DONE)
        await study.anna.phone.taps_on(offer, study.anna.label("tablets.button.weekly"))
        await study.stage.settle()
        assert await rhythm(study.stage) == "daily"

    async def test_staff_see_in_the_history_who_changed_it(self, study: Study) -> None:
        await weekly(study)
        await study.coordinator.says("/patient S-001")
        sees = Watch(study.coordinator)
        await study.coordinator.taps("patient.button.history")
        assert study.coordinator.label("history.what.rhythm") in sees.texts[-1]
        assert study.coordinator.label("reason.rhythm_wish") in sees.texts[-1]


class TestWeek:
    async def test_the_week_is_asked_about_once(self, study: Study) -> None:
        await weekly(study, 1)
        sees = Watch(study.anna)
        await week_comes(study.stage)
        assert (sees.count("tablets.ask"), sees.count("tablets.week.ask")) == (0, 1)
        assert local(sees.new[-1].at).strftime("%d %H:%M") == "10 18:00"
        assert [day for day in await asked_on(study.stage) if day > "03"] == [
            "04",
            "05",
            "06",
            "07",
            "08",
            "09",
            "10",
        ]

    async def test_every_day_is_written_down_day_by_day(self, study: Study) -> None:
        await weekly(study, 1)
        await history(study.stage, "M", 3)  # on the 5th, told before
        await week_comes(study.stage)
        await study.anna.taps("tablets.button.every_day")
        assert await statuses(study.stage) == {
            "05": "not_taken:daily",
            **dict.fromkeys(("04", "06", "07", "08", "09", "10"), "taken:weekly"),
        }

    async def test_days_are_named_and_the_daily_question_comes_back(self, study: Study) -> None:
        anna = study.anna
        await weekly(study, 1)
        await week_comes(study.stage)
        sees = Watch(anna)
        await anna.taps("tablets.button.not_every_day")
        assert sees.last("tablets.week.ask_missed")
        await ticks(anna, 2, 3)
        await anna.taps(DONE)
        assert sees.last("tablets.week.ask_partly")
        assert not any(on(2) in label for label in anna.phone.last.labels)
        await ticks(anna, 6)
        await anna.taps(DONE, "dose.skip.ran_out", DONE)
        known = await statuses(study.stage)
        assert {day: known[day] for day in ("04", "05", "08", "10")} == {
            "04": "not_taken:weekly",
            "05": "not_taken:weekly",
            "08": "partly:weekly",
            "10": "taken:weekly",
        }
        assert sees.last("tablets.rhythm.daily_again")
        assert await rhythm(study.stage) == "daily"
        assert (await rows(study.stage, SubjectChange))[-1].changed_by == "bot"
        assert "tablets.RAN_OUT" in {rule for case in await cases(study.stage) for rule in case.because}
        await study.stage.until(evening(9, 18, 5))
        assert sees.count("tablets.ask") == 1

    async def test_no_day_named_is_nothing_known(self, study: Study) -> None:
        await weekly(study, 1)
        await week_comes(study.stage)
        sees = Watch(study.anna)
        await study.anna.taps("tablets.button.not_every_day", DONE)
        await study.anna.taps(DONE)
        assert sees.last("tablets.week.no_day")
        assert await rows(study.stage, DoseReport) == []

    @pytest.mark.req("DI-17")
    async def test_an_unanswered_week_stays_unknown_and_the_next_one_comes(self, study: Study) -> None:
        await weekly(study, 1)
        await week_comes(study.stage)
        question = study.anna.phone.last
        study.stage.clock.set(evening(12, 9))
        sees = Watch(study.anna)
        await study.anna.phone.taps_on(question, study.anna.label("tablets.button.every_day"))
        await study.stage.settle()
        assert sees.read("tablets.too_late")
        assert await rows(study.stage, DoseReport) == []
        coming = await rows(study.stage, AgendaItem, kind="dose.prompt", state="waiting")
        assert [local(each.due_at).strftime("%d %H:%M") for each in coming] == ["17 18:00"]

    async def test_an_open_week_is_found_in_the_menu(self, study: Study) -> None:
        await weekly(study, 1)
        await week_comes(study.stage)
        await study.stage.until(evening(9, 9))
        sees = Watch(study.anna)
        await study.anna.says("/tablets")
        assert sees.last("tablets.week.ask")
        await study.anna.taps("tablets.button.every_day")
        await study.anna.says("/tablets")
        assert sees.last("tablets.more")


async def ticks(someone: Person, *days: int) -> None:
    for day in days:
        await someone.presses(on(day))


class TestOrders:
    async def test_a_new_order_brings_the_daily_question_back(self, study: Study) -> None:
        await weekly(study)

        def order(work: Work) -> None:
            who = find(work, "S-001")
            for each in dose_days.orders_of(work.session, who):
                each.ordered_at = work.now + timedelta(seconds=1)
            work.session.flush()
            tablets.replan(work, who)

        await study.stage.within(order)
        assert await rhythm(study.stage) == "daily"
        assert (await rows(study.stage, SubjectChange))[-1].reason == dose_rhythm.ORDER
        sees = Watch(study.anna)
        await study.stage.until(evening(1, 18, 5))
        assert sees.count("tablets.ask") == 1


class TestFading:
    async def asked_in_vain(self, study: Study, first: int, number: int, step: int = 1) -> None:
        """Write down questions that arrived and that nobody answered."""

        def write(work: Work) -> None:
            for day in range(first, first + number * step, step):
                work.session.add(
                    DosePrompted(
                        subject_id=find(work, "S-001").id or 0, day_on=evening(day).date(), asked_at=evening(day)
                    )
                )

        await study.stage.within(write)

    async def test_two_silent_weeks_lower_it_kindly_and_staff_read_it(self, study: Study) -> None:
        study.stage.clock.set(evening(20, 8))
        await study.pass_time(minutes=5)
        study.stage.clock.set(evening(20, 17))
        await self.asked_in_vain(study, 1, 14)
        sees, nurse = Watch(study.anna), Watch(study.coordinator)
        await study.stage.until(evening(20, 18, 5))
        assert sees.read("tablets.ask_rarer")
        assert nurse.read("staff.rhythm")
        assert await rhythm(study.stage) == "second_day"
        (change,) = await rows(study.stage, SubjectChange)
        assert (change.changed_by, change.reason) == ("bot", dose_rhythm.FADING)
        await study.stage.until(evening(22, 18, 5))
        days = [each for each in await asked_on(study.stage) if each >= "22"]
        assert days == ["22", "24"]

    async def test_two_answers_restore_it(self, study: Study) -> None:
        await self.test_two_silent_weeks_lower_it_kindly_and_staff_read_it(study)
        sees = Watch(study.anna)
        await study.anna.taps("tablets.button.taken")
        assert await rhythm(study.stage) == "second_day"
        await study.stage.until(evening(24, 18, 5))
        await study.anna.taps("tablets.button.taken")
        assert sees.read("tablets.rhythm.restored"), sees.texts
        assert await rhythm(study.stage) == "daily"


async def test_a_week_on_each_database(both_stages: Stage) -> None:
    made = await study(both_stages)
    await weekly(made, 1)
    await week_comes(both_stages)
    await made.anna.taps("tablets.button.not_every_day")
    await ticks(made.anna, 2)
    await made.anna.taps(DONE, DONE)
    await made.anna.taps("dose.skip.forgot", DONE)
    assert (await statuses(both_stages))["04"] == "not_taken:weekly"

    def waiting(work: Work) -> bool:
        return dose_week.waiting(work, find(work, "S-001")) is None

    assert await both_stages.within(waiting)
