"""Two messages a day that can wait, merged where they meet, put off where they must, and never without a word why."""

from datetime import date, datetime, timedelta

from sqlmodel import Session, select

from bot.domain.visits import NoDay, PlannedVisit, VisitKind
from bot.simulator.parts import ShownMessage
from bot.store import people as people_of
from bot.store.models import AgendaItem, DosePrompted, DoseReport, OutboxMessage, Visit
from bot.story.stage import Stage
from bot.usecases import plan, polite, visit_reminders
from bot.usecases.staff_queries import find
from bot.work import Lane, Work
from schedules import agenda
from tests import people
from tests.people import Study
from tests.stories.scenes import Watch, caregiver, local, made_from, rows
from tests.stories.test_reminders import REMINDERS, at, move, planned, record_done, reminders


async def settled(study: Study) -> None:
    """Let staff record what was planned for the first day: Anna's next count is on 9 and injection on 23 November."""
    for kind in ("injection", "cbc"):
        await record_done(study, "S-001", kind, date(2026, 11, 2))


async def fill(study: Study, code: str, number: int, relation: str = "patient") -> None:
    """Put a message that counts on somebody's phone."""

    def body(work: Work) -> None:
        found = find(work, code)
        (account,) = people_of.speakers(work.session, found.id or 0, relation)
        work.say(
            account,
            "visit.announced.undecided",
            lane=Lane.REMINDER,
            purpose=polite.NO_DAY,
            subject_id=found.id,
            due_at=polite.awake(work, found),
            what=str(number),
            phone="",
        )

    await study.stage.within(body)


async def moved_away_and_back(study: Study, visit: Visit, *, away: date, back: date) -> set[date]:
    """Move a visit to another day and back in one piece of work, and return the days that a phone then shows."""

    def body(work: Work) -> set[date]:
        found = work.session.get_one(Visit, visit.id)
        for day in (away, back):
            plan.move(work, found, day)
        (reader,) = people_of.speakers(work.session, found.subject_id)
        shown = visit_reminders.told_today(work, reader)
        visit_reminders.announce(work, found)
        return shown

    shown = await study.stage.within(body)
    await study.stage.settle()
    return shown


def per_day(messages: list[ShownMessage]) -> dict[date, int]:
    counted: dict[date, int] = {}
    for message in messages:
        day = local(message.at).date()
        counted[day] = counted.get(day, 0) + 1
    return counted


class TestMerging:
    async def test_a_reminder_and_the_tablets_question_of_one_hour_are_one_message(self, study: Study) -> None:
        await settled(study)
        await study.stage.until(at("2026-11-08T17:00"))
        sees = Watch(study.anna)
        await study.stage.until(at("2026-11-08T19:00"))
        (message,) = sees.new
        assert made_from(study.anna, message.text, "visit.with_tablets")
        assert study.anna.label("tablets.button.taken") in message.labels
        asked = [each.day_on for each in await rows(study.stage, DosePrompted)]
        assert date(2026, 11, 8) in asked
        prompts = [each for each in await rows(study.stage, AgendaItem, kind=polite.PROMPT) if each.state == "done"]
        assert prompts[-1].reason == "asked with the reminder of a visit"

    async def test_the_job_of_the_questions_may_look_first(self, study: Study) -> None:
        await settled(study)
        await study.stage.until(at("2026-11-08T17:00"))
        sees = Watch(study.anna)
        study.stage.clock.set(at("2026-11-08T18:00"))
        await agenda.prompts(study.stage.deps)
        await study.stage.settle()
        assert sees.new == []
        await study.stage.until(at("2026-11-08T19:00"))
        assert [made_from(study.anna, text, "visit.with_tablets") for text in sees.texts] == [True]

    async def test_one_question_after_the_other(self, study: Study) -> None:
        await settled(study)
        await study.stage.until(at("2026-11-08T18:30"))
        await study.anna.taps("tablets.button.taken")
        assert study.anna.read("tablets.thanks_taken")
        await study.anna.taps("visit.button.will_come")
        assert (await planned(study, "S-001")).reply == "will_come"
        sees = Watch(study.anna)
        await study.stage.until(at("2026-11-09T12:00"))
        assert sees.new == []

    async def test_a_part_and_its_reasons_are_told_in_a_reminder_too(self, study: Study) -> None:
        await settled(study)
        await study.stage.until(at("2026-11-08T18:30"))
        assert study.anna.label("tablets.button.extra") in study.anna.phone.last.labels
        await study.anna.taps("tablets.button.partly", "dose.skip.taste", "dose.skip.prep", "form.button.done")
        (report,) = await rows(study.stage, DoseReport, day_on=date(2026, 11, 8))
        assert (report.status, report.reasons) == ("partly", ["TASTE", "PREP"])
        await study.anna.taps("visit.button.will_come")
        assert (await planned(study, "S-001")).reply == "will_come"

    async def test_the_visit_can_be_answered_first(self, study: Study) -> None:
        await settled(study)
        await study.stage.until(at("2026-11-08T18:30"))
        await study.anna.taps("visit.button.about", "visit.button.will_come")
        assert (await planned(study, "S-001")).reply == "will_come"
        await study.anna.taps("tablets.button.taken")
        assert study.anna.read("tablets.thanks_taken")

    async def test_a_question_shortly_before_a_reminder_waits_for_it(self, study: Study) -> None:
        await settled(study)
        await study.anna.says("/settings")
        await study.anna.taps("settings.button.hour")
        await study.anna.presses("08:00")
        await study.stage.until(at("2026-11-09T07:00"))
        sees = Watch(study.anna)
        await study.stage.until(at("2026-11-09T09:00"))
        told = [text for text in sees.texts if not made_from(study.anna, text, "checkin.ask")]
        assert [made_from(study.anna, text, "visit.with_tablets") for text in told] == [True]

    async def test_two_visits_of_a_day_are_one_message(self, study: Study) -> None:
        # Anna's first injection and her first blood count are both planned for the first day.
        sees = Watch(study.anna)
        await study.pass_time(minutes=5)
        (message,) = sees.new
        assert study.anna.label("visit.kind.injection") in message.text
        assert study.anna.label("visit.kind.cbc") in message.text


class TestTwoADay:
    async def test_no_day_of_five_weeks_has_three(self, study: Study) -> None:
        await settled(study)
        start = len(study.anna.seen)
        await study.stage.until(at("2026-12-07T08:00"))
        assert max(per_day(study.anna.seen[start:]).values()) <= 2

    async def test_a_nudge_gives_way_and_says_why(self, study: Study) -> None:
        await settled(study)
        await study.stage.until(at("2026-11-09T23:00"))
        nudges = {each.key: each for each in await rows(study.stage, AgendaItem, kind=polite.NUDGE)}
        subject_id = (await planned(study, "S-001", "injection")).subject_id
        assert nudges[f"nudge:{subject_id}:2026-11-09"].reason == polite.ENOUGH

    async def test_a_third_announcement_waits_for_the_morning_and_tells_the_newest_day(self, study: Study) -> None:
        await study.stage.until(at("2026-11-05T09:00"))
        sees = Watch(study.clara)
        for day in (17, 18, 19, 20):
            await move(study, "S-003", "cbc", date(2026, 11, day))
        assert sees.count("visit.announced") == 2
        await study.stage.until(at("2026-11-06T09:00"))
        assert sees.count("visit.announced") == 3
        assert study.stage.deps.texts.day(date(2026, 11, 20), "zh") in sees.texts[-1]
        assert local(sees.new[-1].at).strftime("%m-%d %H:%M") == "11-06 08:00"


class TestEachPhone:
    """The limit is that of a phone: what is not shown on one may be shown on another."""

    async def test_a_caregiver_gets_no_third_while_the_patient_gets_none(self, study: Study) -> None:
        await settled(study)
        daughter = await caregiver(study)
        await study.anna.phone.blocks()
        await study.stage.until(at("2026-11-05T09:00"))
        sees = Watch(daughter)
        for day in (24, 25, 26):
            await move(study, "S-001", "injection", date(2026, 11, day))
        await study.stage.until(at("2026-11-05T23:00"))
        assert per_day(sees.new) == {date(2026, 11, 5): 2}
        await study.stage.until(at("2026-11-06T08:30"))
        # Her copy of the third waited for the morning, which still helps.
        assert study.stage.deps.texts.day(date(2026, 11, 26), "zh") in sees.texts[-1]
        assert per_day(sees.new)[date(2026, 11, 6)] == 1

    async def test_a_full_phone_of_a_caregiver_costs_the_patient_no_reminder(self, study: Study) -> None:
        await settled(study)
        daughter = await caregiver(study)
        await study.stage.until(at("2026-11-08T09:00"))
        for number in range(2):
            await fill(study, "S-001", number, "caregiver")
        await study.stage.settle()
        mother_sees, daughter_sees = Watch(study.anna), Watch(daughter)
        await study.stage.until(at("2026-11-08T20:00"))
        assert mother_sees.count("visit.with_tablets") == 1
        assert daughter_sees.new == []
        spared = [each for each in await rows(study.stage, OutboxMessage, state="skipped") if each.reason]
        assert [(each.purpose, each.reason, each.locale) for each in spared] == [
            (polite.REMINDER, polite.ENOUGH, "zh")
        ]
        await study.stage.until(at("2026-11-09T09:00"))
        assert made_from(daughter, daughter_sees.texts[-1], "visit.for_caregiver")

    async def test_a_reminder_of_tomorrow_gives_way_when_today_told_it(self, study: Study) -> None:
        await study.stage.until(at("2026-11-15T09:00"))
        sees = Watch(study.clara)
        for day in (17, 16):
            await move(study, "S-003", "cbc", date(2026, 11, day))
        await study.stage.until(at("2026-11-16T09:00"))
        assert per_day(sees.new) == {date(2026, 11, 15): 2, date(2026, 11, 16): 1}
        assert reminders(study.clara, sees.new) == [(REMINDERS[2], "11-16 08:00")]
        (given_up,) = await rows(study.stage, AgendaItem, kind=polite.REMINDER, reason=polite.ENOUGH)
        assert given_up.detail["code"] == "day_1"

    async def test_a_reminder_that_was_put_off_does_not_say_tomorrow_twice(self, study: Study) -> None:
        # The one of three days before finds no room on two days; on the third the next one is due.
        for number, moment in enumerate(("2026-11-13T09:00", "2026-11-14T07:30")):
            await study.stage.until(at(moment))
            for each in range(2):
                await fill(study, "S-003", 2 * number + each)
        sees = Watch(study.clara)
        await study.stage.until(at("2026-11-16T07:00"))
        assert reminders(study.clara, sees.new) == [(REMINDERS[1], "11-15 18:00")]
        (late,) = [
            each
            for each in await rows(study.stage, AgendaItem, kind=polite.REMINDER)
            if each.detail["code"] == "day_3" and each.subject_id == (await planned(study, "S-003")).subject_id
        ]
        assert late.reason == "said with the reminder that comes today"

    async def test_the_news_of_a_visit_tomorrow_goes_over_the_limit(self, study: Study) -> None:
        await study.stage.until(at("2026-11-12T09:00"))
        sees = Watch(study.clara)
        for day in (18, 17, 13):
            await move(study, "S-003", "cbc", date(2026, 11, day))
        assert sees.count("visit.announced") == 3

    async def test_a_day_that_is_put_back_before_anybody_heard_is_no_news(self, study: Study) -> None:
        await study.stage.until(at("2026-11-13T09:00"))
        sees, visit = Watch(study.clara), await planned(study, "S-003")
        for day in (18, 17, 13):
            await move(study, "S-003", "cbc", date(2026, 11, day))
        back = date(2026, 11, 13)
        assert await moved_away_and_back(study, visit, away=date(2026, 11, 20), back=back) == {back}
        assert sees.count("visit.announced") == 3

    async def test_a_day_that_a_reminder_named_and_that_is_put_back_is_no_news(self, study: Study) -> None:
        visit = await planned(study, "S-003")
        await study.stage.until(at("2026-11-15T18:01"))
        sees = Watch(study.clara)
        await fill(study, "S-003", 0)
        back = date(2026, 11, 16)
        assert await moved_away_and_back(study, visit, away=date(2026, 11, 20), back=back) == {back}
        assert sees.count("visit.announced") == 0

    async def test_nobody_comes_in_vain_for_want_of_room(self, study: Study) -> None:
        await study.stage.until(at("2026-11-16T09:00"))
        sees = Watch(study.clara)
        for number in range(2):
            await fill(study, "S-003", number)
        await move(study, "S-003", "cbc", date(2026, 11, 20))
        assert sees.count("visit.announced") == 1
        # Told once, the rest can wait.
        await move(study, "S-003", "cbc", date(2026, 11, 23))
        assert sees.count("visit.announced") == 1
        await study.stage.until(at("2026-11-17T09:00"))
        assert sees.count("visit.announced") == 2

    async def test_no_day_for_a_visit_is_told_within_the_limit_and_not_lost(self, study: Study) -> None:
        """What takes the place of an announcement that waits must not swallow that a day does not stand."""
        visit = await planned(study, "S-003")
        await study.stage.until(at("2026-11-05T09:00"))
        sees = Watch(study.clara)
        for day in (17, 18):
            await move(study, "S-003", "cbc", date(2026, 11, day))

        def undecide(work: Work) -> None:
            found = work.session.get_one(Visit, visit.id)
            again = PlannedVisit(VisitKind.CBC, found.target_on, found.target_on, found.target_on, NoDay.NO_OPEN_DAY)
            plan.move(work, found, found.target_on, again)
            visit_reminders.announce(work, found)

        await study.stage.within(undecide)
        await study.stage.settle()
        assert per_day(sees.new) == {date(2026, 11, 5): 2}
        await study.stage.until(at("2026-11-06T09:00"))
        assert sees.last("visit.announced.undecided")

    async def test_staff_hear_that_a_question_was_not_put(self, study: Study) -> None:
        await study.stage.until(at("2026-11-17T07:00"))
        for number in range(2):
            await fill(study, "S-003", number)
        await study.stage.until(at("2026-11-18T07:30"))
        for number in range(2, 4):
            await fill(study, "S-003", number)
        sees = Watch(study.coordinator)
        await study.stage.until(at("2026-11-18T12:00"))
        words = study.coordinator.label_template("request.past.not_put").partition(":")[2][:30]
        assert any(words in text for text in sees.texts)


class TestLater:
    async def test_remind_me_later_comes_after_three_hours(self, study: Study) -> None:
        await study.clara.says("/settings")
        await study.clara.taps("settings.button.hour")
        await study.clara.presses("10:00")
        await study.stage.until(at("2026-11-13T10:30"))
        sees = Watch(study.clara)
        await study.clara.taps("visit.button.later")
        await study.clara.presses("13:30")
        assert sees.last("visit.later")
        await study.stage.until(at("2026-11-13T20:00"))
        assert [when for _, when in reminders(study.clara, sees.new)] == ["11-13 13:30"]

    async def test_tomorrow_morning_is_said_in_words_that_fit_the_day(self, study: Study) -> None:
        await study.stage.until(at("2026-11-15T18:30"))
        sees = Watch(study.clara)
        await study.clara.taps("visit.button.later")
        await study.clara.presses("09:00")
        await study.stage.until(at("2026-11-16T12:00"))
        # The planned one of 08:00 falls away: the patient asked for nine.
        assert reminders(study.clara, sees.new) == [(REMINDERS[2], "11-16 09:00")]

    async def test_later_ends_after_so_many_times(self, study: Study) -> None:
        await study.stage.until(at("2026-11-13T18:30"))
        most = study.stage.deps.protocol.remind_later.most_times
        for _ in range(most):
            await study.clara.taps("visit.button.later")
            await study.clara.presses("09:00")
            await study.pass_time(days=1)
            if study.clara.label("visit.button.later") not in study.clara.phone.last.labels:
                break
        later = [each for each in await rows(study.stage, AgendaItem, kind=polite.REMINDER) if "later_" in each.key]
        assert 1 <= len(later) <= most


class TestOutage:
    async def test_staff_get_one_list_of_what_nobody_was_told(self, study: Study) -> None:
        await study.stage.until(at("2026-11-13T12:00"))
        sees = Watch(study.coordinator)
        study.stage.clock.set(at("2026-11-15T19:00"))
        await study.pass_time(minutes=5)
        assert sees.count("staff.skipped") == 1
        (text,) = [each for each in sees.texts if made_from(study.coordinator, each, "staff.skipped")]
        assert "S-003" in text
        assert study.coordinator.label("skipped.reminder_of", n=3) in text
        await study.pass_time(hours=3)
        assert sees.count("staff.skipped") == 1

    async def test_without_an_outage_there_is_no_list(self, study: Study) -> None:
        sees = Watch(study.coordinator)
        await study.pass_time(days=14)
        assert sees.count("staff.skipped") == 0


async def test_every_entry_that_fell_due_has_an_outcome_with_a_reason(study: Study) -> None:
    await study.stage.until(at("2026-11-30T12:00"))

    def open_ones(session: Session) -> list[AgendaItem]:
        found = select(AgendaItem).where(AgendaItem.due_at < study.stage.clock.now() - timedelta(minutes=1))
        return [each for each in session.exec(found).all() if each.state == "waiting" or not each.reason]

    assert await study.stage.deps.store.read(open_ones) == []


async def test_a_day_is_counted_alike_on_each_kind_of_database(both_stages: Stage) -> None:
    made = await people.study(both_stages)
    await made.pass_time(minutes=2)
    for day in (17, 18, 19):
        await move(made, "S-003", "cbc", date(2026, 11, day))
    told = await rows(both_stages, OutboxMessage, purpose=polite.ANNOUNCE)
    assert [each.state for each in told] == ["sent", "sent"]
    (waiting,) = await rows(both_stages, AgendaItem, kind=polite.ANNOUNCE)
    assert waiting.due_at == datetime.fromisoformat("2026-11-03T08:00:00+08:00")
    both_stages.clock.set(at("2026-11-20T12:00"))
    await made.pass_time(minutes=3)
    assert [each for each in made.coordinator.seen if made_from(made.coordinator, each.text, "staff.skipped")]
    assert [each for each in await rows(both_stages, Visit) if each.state == "planned"]
