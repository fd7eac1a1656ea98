"""Visits are asked about three times, at the right wall time, and never again once the answer is known."""

from datetime import date, datetime, time

import pytest

from bot.domain.reminders import QuietHours
from bot.protocol.load import bundled
from bot.simulator.parts import NoSuchButton, ShownMessage
from bot.store.models import OutboxMessage, Visit, VisitRecord
from bot.story.people import Person
from bot.usecases import visit_reminders
from tests.people import Study
from tests.stories.scenes import Watch, caregiver, cases, local, made_from, rows, subject

REMINDERS = [step.text for step in bundled().reminders]


def at(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}:00+08:00")


async def planned(study: Study, code: str, kind: str = "cbc") -> Visit:
    """Return the visit of this kind that is planned."""
    (visit,) = await rows(
        study.stage, Visit, subject_id=(await subject(study.stage, code)).id, kind=kind, state="planned"
    )
    return visit


def reminders(person: Person, messages: list[ShownMessage]) -> list[tuple[str, str]]:
    """Return which reminders came, and at which wall time."""
    return [
        (key, local(message.at).strftime("%m-%d %H:%M"))
        for message in messages
        for key in REMINDERS
        if made_from(person, message.text.split("\n\n✔")[0], key)
    ]


async def open_visit(nurse: Person, code: str, kind: str = "cbc") -> None:
    await nurse.says(f"/patient {code}")
    await nurse.presses(nurse.label(f"visit.short.{kind}"))


async def record_done(study: Study, code: str, kind: str, on: date) -> None:
    await open_visit(study.coordinator, code, kind)
    await study.coordinator.taps("visit.button.done")
    await study.coordinator.says(on.isoformat())


async def move(study: Study, code: str, kind: str, on: date) -> None:
    await open_visit(study.coordinator, code, kind)
    await study.coordinator.taps("visit.button.move")
    await study.coordinator.says(on.isoformat())


class TestThreeReminders:
    """Clara's blood count is planned for 16 November, and she chose 18:00."""

    async def test_three_days_before_the_day_before_and_the_same_morning(self, study: Study) -> None:
        assert (await planned(study, "S-003")).target_on == date(2026, 11, 16)
        sees = Watch(study.clara)
        await study.stage.until(at("2026-11-16T23:00"))
        assert reminders(study.clara, sees.new) == [
            (REMINDERS[0], "11-13 18:00"),
            (REMINDERS[1], "11-15 18:00"),
            (REMINDERS[2], "11-16 08:00"),  # 07:30 lies in the quiet hours
        ]
        checkins = sum(sees.count(key) for key in ("checkin.ask", "checkin.ask_again"))
        assert len(sees.new) == 3 + checkins

    async def test_a_caregiver_is_reminded_too(self, study: Study) -> None:
        daughter = await caregiver(study)
        sees, anna = Watch(daughter), Watch(study.anna)
        await study.pass_time(minutes=1)
        # A caregiver's reminder says whose it is, so the same words stand inside it.
        (reminder,) = [text for text in anna.texts if made_from(study.anna, text, REMINDERS[2])]
        assert [text for text in sees.texts if reminder in text]

    async def test_will_come_ends_them(self, study: Study) -> None:
        await study.stage.until(at("2026-11-13T18:30"))
        await study.clara.taps("visit.button.will_come")
        sees = Watch(study.clara)
        await study.stage.until(at("2026-11-16T23:00"))
        assert reminders(study.clara, sees.new) == []
        assert (await planned(study, "S-003")).reply == "will_come"
        assert await cases(study.stage, "S-003") == []

    async def test_who_needs_help_becomes_a_request_and_is_reminded_all_the_same(self, study: Study) -> None:
        await study.stage.until(at("2026-11-13T18:30"))
        sees, nurse, doctor = Watch(study.clara), Watch(study.coordinator), Watch(study.doctor)
        await study.clara.taps("visit.button.need_help")
        assert sees.first("visit.thanks_need_help")
        assert nurse.first("case.page")
        assert doctor.new == []
        await study.stage.until(at("2026-11-15T19:00"))
        assert reminders(study.clara, sees.new)

    @pytest.mark.req("DI-14")
    async def test_a_reply_counts_once(self, study: Study) -> None:
        await study.stage.until(at("2026-11-13T18:30"))
        question = study.clara.phone.last
        for _ in range(2):
            await study.clara.phone.taps_on(question, study.clara.label("visit.button.need_help"))
        await study.stage.settle()
        assert len(await cases(study.stage, "S-003")) == 1

    async def test_another_hour_moves_those_that_are_to_come(self, study: Study) -> None:
        await study.clara.says("/settings")
        await study.clara.taps("settings.button.hour")
        await study.clara.presses("10:00")
        sees = Watch(study.clara)
        await study.stage.until(at("2026-11-15T23:00"))
        assert [when for _, when in reminders(study.clara, sees.new)] == ["11-13 10:00", "11-15 10:00"]


class TestMoving:
    async def test_a_moved_visit_drops_the_old_reminders_and_has_its_own(self, study: Study) -> None:
        await study.stage.until(at("2026-11-13T12:00"))
        sees = Watch(study.clara)
        await move(study, "S-003", "cbc", date(2026, 11, 20))
        assert sees.read("visit.announced")
        await study.stage.until(at("2026-11-20T23:00"))
        assert [when for _, when in reminders(study.clara, sees.new)] == ["11-17 18:00", "11-19 18:00", "11-20 08:00"]

    async def test_a_reminder_that_was_sent_before_has_dead_buttons_after(self, study: Study) -> None:
        await study.stage.until(at("2026-11-13T18:30"))
        old = study.clara.phone.last
        await move(study, "S-003", "cbc", date(2026, 11, 20))
        await study.clara.phone.taps_on(old, study.clara.label("visit.button.will_come"))
        await study.stage.settle()
        visit = await planned(study, "S-003")
        assert visit.reply is None
        assert visit.plan_version == 2

    async def test_a_new_day_chosen_at_night_is_told_in_the_morning(self, study: Study) -> None:
        await study.stage.until(at("2026-11-10T22:00"))
        sees = Watch(study.clara)
        await move(study, "S-003", "cbc", date(2026, 11, 18))
        assert sees.new == []
        await study.stage.until(at("2026-11-11T08:00"))
        assert sees.first("visit.announced")

    async def test_a_missed_visit_gets_the_new_day_that_staff_choose(self, study: Study) -> None:
        await study.stage.until(at("2026-11-17T09:00"))
        await open_visit(study.coordinator, "S-003")
        sees = Watch(study.clara)
        await study.coordinator.taps("visit.button.missed")
        await study.coordinator.says("2026-11-19")
        assert study.coordinator.read("visit.recorded.missed")
        assert sees.read("visit.announced")
        assert (await planned(study, "S-003")).target_on == date(2026, 11, 19)


class TestRecording:
    async def test_the_next_injection_is_planned_from_the_day_it_really_happened(self, study: Study) -> None:
        await study.stage.until(at("2026-11-06T10:00"))
        await record_done(study, "S-002", "injection", date(2026, 11, 5))
        following = await planned(study, "S-002", "injection")
        assert following.target_on == date(2026, 11, 26)
        assert (following.first_on, following.last_on) == (date(2026, 11, 26), date(2026, 12, 10))

    async def test_an_injection_before_day_21_is_refused_with_the_earliest_day(self, study: Study) -> None:
        await study.stage.until(at("2026-11-03T10:00"))
        await record_done(study, "S-002", "injection", date(2026, 11, 3))
        await study.stage.until(at("2026-11-23T10:00"))
        nurse = study.coordinator
        await open_visit(nurse, "S-002", "injection")
        await nurse.taps("visit.button.done")
        records = len(await rows(study.stage, VisitRecord))
        sees = Watch(nurse)
        await nurse.says("2026-11-23")
        earliest = study.stage.deps.texts.full_day(date(2026, 11, 24), "en")
        assert any(made_from(nurse, text, "refused.too_early") and earliest in text for text in sees.texts) or (
            nurse.label("refused.too_early", earliest=earliest) in sees.texts
        )
        assert len(await rows(study.stage, VisitRecord)) == records

    async def test_an_injection_cannot_be_moved_before_day_21_either(self, study: Study) -> None:
        await study.stage.until(at("2026-11-03T10:00"))
        await record_done(study, "S-002", "injection", date(2026, 11, 3))
        sees = Watch(study.coordinator)
        await move(study, "S-002", "injection", date(2026, 11, 23))
        assert sees.read("refused.too_early")
        await study.coordinator.says("2026-11-24")
        assert (await planned(study, "S-002", "injection")).target_on == date(2026, 11, 24)

    async def test_a_recorded_visit_reminds_no_more(self, study: Study) -> None:
        await study.stage.until(at("2026-11-14T10:00"))
        await record_done(study, "S-003", "cbc", date(2026, 11, 14))
        sees = Watch(study.clara)
        await study.stage.until(at("2026-11-17T10:00"))
        assert reminders(study.clara, sees.new) == []
        assert (await planned(study, "S-003")).target_on == date(2026, 11, 27), "the 28th is a Saturday"

    async def test_a_control_has_no_injection_to_record(self, study: Study) -> None:
        await study.coordinator.says("/patient S-003")
        with pytest.raises(NoSuchButton):
            await study.coordinator.presses(study.coordinator.label("visit.short.injection"))


class TestOutage:
    async def test_after_two_days_away_one_current_reminder_comes_not_the_backlog(self, study: Study) -> None:
        await study.stage.until(at("2026-11-13T12:00"))
        sees = Watch(study.clara)
        study.stage.clock.set(at("2026-11-15T19:00"))
        await study.pass_time(minutes=5)
        assert reminders(study.clara, sees.new) == [(REMINDERS[1], "11-15 19:00")]
        await study.stage.until(at("2026-11-16T23:00"))
        assert [key for key, _ in reminders(study.clara, sees.new)] == REMINDERS[1:]

    async def test_after_two_days_away_one_tablets_question_comes(self, study: Study) -> None:
        sees = Watch(study.anna)
        study.stage.clock.set(at("2026-11-04T12:00"))
        await study.stage.until(at("2026-11-04T19:00"))
        assert sees.count("tablets.ask") == 1

    async def test_a_visit_day_that_has_passed_is_not_reminded_of(self, study: Study) -> None:
        await study.stage.until(at("2026-11-13T12:00"))
        sees = Watch(study.clara)
        study.stage.clock.set(at("2026-11-16T19:00"))
        await study.pass_time(days=2)
        assert reminders(study.clara, sees.new) == []

    @pytest.mark.parametrize(
        ("words", "back_at", "sounds"),
        [
            ("/visits", "2026-11-04T03:57", False),
            ("/visits", "2026-11-04T08:00", True),
            ("谢谢", "2026-11-04T03:57", False),
            ("我胸口疼，喘不上气", "2026-11-04T03:57", True),
        ],
    )
    async def test_who_wrote_while_the_bot_was_away_is_not_woken_by_the_answer_but_for_an_emergency(
        self, study: Study, words: str, back_at: str, sounds: bool
    ) -> None:
        await study.stage.until(at("2026-11-03T20:50"))
        sees = Watch(study.anna)
        await study.anna.phone.sends(words)
        study.stage.clock.set(at(back_at))
        await study.stage.settle()
        assert {message.silent for message in sees.new} == {not sounds}

    async def test_who_writes_at_night_is_answered_with_a_sound(self, study: Study) -> None:
        await study.stage.until(at("2026-11-04T03:57"))
        sees = Watch(study.anna)
        await study.anna.says("/visits")
        assert [message.silent for message in sees.new] == [False]

    async def test_a_reminder_that_could_not_leave_in_the_evening_does_not_leave_at_night(self, study: Study) -> None:
        await study.stage.until(at("2026-11-13T17:59"))
        sees = Watch(study.clara)
        study.stage.telegram.fail("sendMessage", 10_000, drop="unreachable")
        await study.stage.until(at("2026-11-13T18:01"))
        study.stage.telegram._faults.clear()
        study.stage.clock.set(at("2026-11-13T23:30"))
        await study.stage.bot.tick()
        assert sees.new == []
        study.stage.clock.set(at("2026-11-14T08:00"))
        await study.stage.bot.tick()
        assert len(reminders(study.clara, sees.new)) == 1

    async def test_a_bot_that_cannot_reach_telegram_sends_nothing_that_has_lost_its_use(self, study: Study) -> None:
        await study.stage.until(at("2026-11-13T17:59"))
        sees = Watch(study.clara)
        study.stage.telegram.fail("sendMessage", 10_000, drop="unreachable")
        await study.stage.until(at("2026-11-13T18:02"))
        study.stage.telegram._faults.clear()
        study.stage.clock.set(at("2026-11-16T07:00"))
        await study.stage.until(at("2026-11-16T12:00"))
        assert [key for key, _ in reminders(study.clara, sees.new)] == [REMINDERS[2]]


async def test_five_weeks_in_which_nobody_answers(study: Study) -> None:
    """Nothing that can wait comes at night, and a control never hears of injections or tablets."""
    quiet: QuietHours = bundled().quiet_hours
    await study.stage.until(at("2026-12-07T08:00"))
    for person in study.patients:
        times = [local(message.at).time() for message in person.seen if message.at > at("2026-11-02T08:00")]
        assert times
        assert not [when for when in times if quiet.covers(when)]
    keys = {
        message.text_key
        for message in await rows(study.stage, OutboxMessage, chat_id=study.clara.phone.user_id)
        if message.purpose in (visit_reminders.REMINDER, "dose.prompt", "dose.nudge")
    }
    assert keys == set(REMINDERS)
    read = "\n".join(message.text for message in study.clara.seen)
    for key in ("visit.kind.injection", "visit.bring.injection", "menu.button.tablets", "report.trouble.tablets"):
        assert study.clara.label(key) not in read
    asked = [
        local(message.at).time()
        for message in study.anna.seen
        if made_from(study.anna, message.text, "tablets.ask")
        or made_from(study.anna, message.text, "visit.with_tablets")
    ]
    # Who answers nothing is asked less: after two weeks every second day, and then by the week (decision 0056).
    assert len(asked) == 24
    assert set(asked) == {time(18)}
