"""Another day costs a patient two taps and no typing, and both sides see the same until a person has decided."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from bot.simulator.parts import ShownMessage
from bot.store.models import AgendaItem, Visit
from bot.story.people import Person
from bot.story.stage import Stage
from bot.usecases import visit_reminders
from bot.work import Work
from tests import people
from tests.people import Study
from tests.stories.scenes import Watch, caregiver, cases, rows
from tests.stories.test_reminders import at, move, planned, record_done, reminders

# Clara's blood count is planned for Monday 16 November; its window goes from 9 to 23 November.
OFFERED = [date(2026, 11, day) for day in (16, 17, 18, 19, 20, 23)]


def short(person: Person, day: date) -> str:
    return person.stage.deps.texts.short_day(day, person.locale)


def full(person: Person, day: date) -> str:
    return person.stage.deps.texts.day(day, person.locale)


async def asks(study: Study, person: Person | None = None, on: date | None = None) -> ShownMessage:
    """Let Clara answer the reminder of three days before with another day; return what offered the days."""
    person = person or study.clara
    await study.stage.until(at("2026-11-13T18:30"))
    await person.taps("visit.button.another_day")
    offer = person.phone.last
    if on is not None:
        await person.presses(full(person, on))
    return offer


async def summary(study: Study, code: str = "S-003") -> str:
    (case,) = await cases(study.stage, code)
    return json.dumps(json.loads(case.summary))


class TestAsking:
    async def test_the_clinic_days_of_the_window_are_offered_as_big_buttons(self, study: Study) -> None:
        offer = await asks(study)
        days = [each for each in OFFERED if each != date(2026, 11, 16)]
        assert list(offer.labels[:5]) == [full(study.clara, day) for day in days]
        assert study.clara.label("visit.button.none_fits") in offer.labels
        assert study.clara.label("visit.button.keep", day=short(study.clara, date(2026, 11, 16))) in offer.labels
        # Nothing is asked of anybody before a day is chosen.
        assert await cases(study.stage, "S-003") == []
        assert (await planned(study, "S-003")).reply is None

    async def test_a_closed_day_is_not_offered_and_a_worked_saturday_is(self, study: Study) -> None:
        clinic = replace(
            study.stage.deps.clinic,
            extra_closed=frozenset({date(2026, 11, 18)}),
            extra_open=frozenset({date(2026, 11, 21)}),
        )
        object.__setattr__(study.stage.deps, "clinic", clinic)
        offer = await asks(study)
        assert full(study.clara, date(2026, 11, 18)) not in offer.labels
        assert full(study.clara, date(2026, 11, 21)) in offer.labels

    async def test_a_normal_move_needs_no_typing_on_either_side(
        self, study: Study, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        typed: list[str] = []

        def noting(real: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            async def sends(text: str) -> Any:
                typed.append(text)
                return await real(text)

            return sends

        for person in (study.clara, study.coordinator):
            monkeypatch.setattr(person.phone, "sends", noting(person.phone.sends))
        await asks(study, on=date(2026, 11, 19))
        nurse, sees = study.coordinator, Watch(study.clara)
        await nurse.taps("case.button.open")
        await nurse.presses(nurse.label("visit.button.confirm_day", day=short(nurse, date(2026, 11, 19))))
        assert sees.first("visit.announced")
        assert typed == []
        visit = await planned(study, "S-003")
        assert (visit.target_on, visit.proposed_on, visit.reply) == (date(2026, 11, 19), None, None)
        (case,) = await cases(study.stage, "S-003")
        assert (case.state, case.outcome) == ("resolved", "visit_moved")

    async def test_both_sides_see_one_state_while_it_waits(self, study: Study) -> None:
        await study.stage.until(at("2026-11-13T18:30"))
        sees, nurse = Watch(study.clara), Watch(study.coordinator)
        await asks(study, on=date(2026, 11, 19))
        wish = full(study.clara, date(2026, 11, 19))
        assert sees.last("visit.wish.noted")
        assert wish in sees.texts[-1]
        assert nurse.last("case.page")
        assert full(study.coordinator, date(2026, 11, 19)) in nurse.texts[-1]
        await study.clara.says("/visits")
        assert wish in study.clara.phone.last.text
        visit = await planned(study, "S-003")
        assert (visit.target_on, visit.proposed_on) == (date(2026, 11, 16), date(2026, 11, 19))

    async def test_reminders_pause_while_it_waits(self, study: Study) -> None:
        await asks(study, on=date(2026, 11, 19))
        sees = Watch(study.clara)
        await study.stage.until(at("2026-11-16T12:00"))
        assert reminders(study.clara, sees.new) == []

    async def test_a_later_wish_takes_the_place_of_the_earlier_one(self, study: Study) -> None:
        await asks(study, on=date(2026, 11, 19))
        await study.clara.taps("visit.button.another_wish")
        await study.clara.presses(full(study.clara, date(2026, 11, 20)))
        assert (await planned(study, "S-003")).proposed_on == date(2026, 11, 20)
        assert "2026-11-19" not in await summary(study)
        assert "2026-11-20" in await summary(study)

    async def test_a_wish_can_be_taken_back(self, study: Study) -> None:
        await asks(study, on=date(2026, 11, 19))
        await study.clara.presses(study.clara.label("visit.button.keep", day=short(study.clara, date(2026, 11, 16))))
        visit = await planned(study, "S-003")
        assert (visit.proposed_on, visit.reply) == (None, "will_come")
        assert "request.wish_back" in await summary(study)
        assert study.clara.read("visit.thanks_will_come")

    async def test_a_caregiver_asks_in_the_patients_place_and_is_named(self, study: Study) -> None:
        daughter = await caregiver(study)
        for kind in ("injection", "cbc"):
            await record_done(study, "S-001", kind, date(2026, 11, 2))
        await daughter.says("/visits")
        await daughter.presses(daughter.phone.last.labels[0])
        day = daughter.phone.last.labels[0]
        await daughter.presses(day)
        wished = [each for each in await rows(study.stage, Visit) if each.proposed_on is not None]
        assert wished
        assert all((each.replied_by or "").startswith("caregiver:") for each in wished)
        await study.anna.says("/visits")
        assert study.anna.label("visit.mine.wish", visit="", wish=day).strip() in study.anna.phone.last.text


class TestStaffDecide:
    async def test_refused_the_patient_hears_which_day_stands_and_is_reminded_again(self, study: Study) -> None:
        await asks(study, on=date(2026, 11, 19))
        sees, nurse = Watch(study.clara), study.coordinator
        await nurse.taps("case.button.open")
        await nurse.presses(nurse.label("visit.button.refuse_day", day=short(nurse, date(2026, 11, 16))))
        assert sees.first("visit.wish.refused")
        assert full(study.clara, date(2026, 11, 16)) in sees.texts[0]
        await study.stage.until(at("2026-11-16T12:00"))
        assert [when for _, when in reminders(study.clara, sees.new)] == ["11-15 18:00", "11-16 08:00"]
        (case,) = await cases(study.stage, "S-003")
        assert (case.state, case.outcome) == ("resolved", "visit_kept")

    async def test_confirming_a_wish_that_was_changed_shows_what_stands(self, study: Study) -> None:
        await asks(study, on=date(2026, 11, 19))
        nurse = study.coordinator
        await nurse.taps("case.button.open")
        old = nurse.phone.last
        await study.clara.taps("visit.button.another_wish")
        await study.clara.presses(full(study.clara, date(2026, 11, 20)))
        await nurse.phone.taps_on(old, nurse.label("visit.button.confirm_day", day=short(nurse, date(2026, 11, 19))))
        await study.stage.settle()
        assert nurse.read("visit.overtaken")
        assert (await planned(study, "S-003")).target_on == date(2026, 11, 16)

    async def test_a_wish_confirmed_at_night_is_told_in_the_morning_once(self, study: Study) -> None:
        await asks(study, on=date(2026, 11, 19))
        nurse, sees = study.coordinator, Watch(study.clara)
        await study.stage.until(at("2026-11-13T22:00"))
        await nurse.taps("case.button.open")
        await nurse.presses(nurse.label("visit.button.confirm_day", day=short(nurse, date(2026, 11, 19))))
        await move(study, "S-003", "cbc", date(2026, 11, 20))
        assert sees.new == []
        await study.stage.until(at("2026-11-14T09:00"))
        assert sees.count("visit.announced") == 1
        assert full(study.clara, date(2026, 11, 20)) in sees.texts[0]

    async def test_an_old_button_says_what_stands_now(self, study: Study) -> None:
        offer = await asks(study)
        await move(study, "S-003", "cbc", date(2026, 11, 20))
        sees = Watch(study.clara)
        await study.clara.phone.taps_on(offer, full(study.clara, date(2026, 11, 19)))
        await study.stage.settle()
        assert sees.toasted("visit.toast.changed")
        assert sees.last("visit.mine")
        assert (await planned(study, "S-003")).proposed_on is None


class TestNoneFits:
    async def test_a_call_is_two_taps(self, study: Study) -> None:
        await asks(study)
        await study.clara.taps("visit.button.none_fits", "team.button.call_me")
        assert study.clara.read("team.will_call")
        assert "request.call_me" in await summary(study)

    async def test_words_reach_the_coordinator_in_the_same_task(self, study: Study) -> None:
        await asks(study)
        await study.clara.taps("visit.button.none_fits", "visit.button.write_days")
        await study.clara.says("下周三以后都可以")
        assert study.clara.read("visit.thanks_another_day")
        (case,) = await cases(study.stage, "S-003")
        assert "下周三以后都可以" in case.summary

    async def test_danger_in_the_words_is_danger(self, study: Study) -> None:
        await asks(study)
        await study.clara.taps("visit.button.none_fits", "visit.button.write_days")
        await study.clara.says("我胸口痛，来不了")
        assert [each.kind for each in await cases(study.stage, "S-003")] == ["request", "symptom"]


class TestRules:
    async def test_an_injection_is_never_offered_before_day_21(self, study: Study) -> None:
        await study.stage.until(at("2026-11-06T10:00"))
        await record_done(study, "S-002", "injection", date(2026, 11, 5))
        await study.stage.until(at("2026-11-07T10:00"))
        boris = study.boris
        await boris.says("/visits")
        await boris.presses(boris.label("visit.button.change", day=short(boris, date(2026, 11, 26))))
        first = date(2026, 11, 27)  # day 21 is the planned day itself
        assert boris.phone.last.labels[0] == full(boris, first)
        assert len(boris.phone.last.labels) == 6 + 2

    async def test_a_blood_count_is_not_offered_after_the_injection_that_needs_it(self, study: Study) -> None:
        await study.stage.until(at("2026-11-06T10:00"))
        await record_done(study, "S-002", "cbc", date(2026, 11, 3))
        await record_done(study, "S-002", "injection", date(2026, 11, 5))
        visit = await planned(study, "S-002", "cbc")
        boris = study.boris
        await boris.says("/visits")
        await boris.presses(boris.label("visit.button.change", day=short(boris, visit.target_on)))
        texts = study.stage.deps.texts
        offered = [
            day
            for day in (date(2026, 11, 7 + number) for number in range(23))
            if texts.day(day, "en") in boris.phone.last.labels
        ]
        assert offered
        assert max(offered) <= (await planned(study, "S-002", "injection")).target_on

    async def test_an_undecided_day_is_not_told_and_not_reminded(self, study: Study) -> None:
        def leave_open(work: Work) -> None:
            visit = work.session.get_one(Visit, number)
            visit.undecided = True
            visit_reminders.drop_reminders(work, visit, "no day is decided")

        number = (await planned(study, "S-003")).id
        await study.stage.within(leave_open)
        await study.clara.says("/visits")
        said = study.clara.phone.last.text
        assert full(study.clara, date(2026, 11, 16)) not in said
        assert study.clara.label("visit.mine.day_to_come") in said
        sees = Watch(study.clara)
        await study.stage.until(at("2026-11-18T12:00"))
        assert reminders(study.clara, sees.new) == []
        assert sees.count("visit.past.ask") == 0


async def test_a_wish_is_kept_on_each_kind_of_database(both_stages: Stage) -> None:
    made = await people.study(both_stages)
    visit = await planned(made, "S-003")
    await asks(made, on=date(2026, 11, 19))
    nurse, sees = made.coordinator, Watch(made.clara)
    await nurse.taps("case.button.open")
    await nurse.presses(nurse.label("visit.button.confirm_day", day=short(nurse, date(2026, 11, 19))))
    assert sees.first("visit.announced")
    old = await rows(both_stages, AgendaItem, kind="visit.reminder", about_id=visit.id)
    old = [each for each in old if each.detail["version"] == 1]
    assert old
    assert not [each for each in old if each.state == "waiting"]
