"""A rule that is broken on purpose makes the simulation fail, and names the rule."""

from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from bot.domain import visits as visit_rules
from bot.domain.calendar import ClinicCalendar
from bot.domain.reminders import QuietHours, Room
from bot.simulation import troubles
from bot.store import outbox, people
from bot.store.models import OutboxMessage, Visit
from bot.texts import Texts
from bot.usecases import dose_days, on_call, plan, polite, screens, start, tablets, visit_reminders, zones
from bot.work import Work
from schedules import agenda
from tests.simulation.conftest import Simulate

Patch = pytest.MonkeyPatch


def found(simulate: Simulate, rule: str, days: int, habits: dict[str, float] | None = None, **more: Any) -> bool:
    """Tell whether a simulation finds that a rule is broken; its report is shown if not."""
    report = simulate(days, habits, stop_at=rule, **more)
    print(report.broken, report.violations[:5])
    return any(name.startswith(rule) for name in report.broken)


def test_quiet_hours_that_nobody_keeps_are_found(simulate: Simulate, monkeypatch: Patch) -> None:
    monkeypatch.setattr(QuietHours, "covers", lambda *_: False)
    assert found(simulate, "quiet hours", 9, {"answers": 0.0})


def test_an_injection_before_day_21_is_found(simulate: Simulate, monkeypatch: Patch) -> None:
    real = visit_rules.next_injection

    def too_soon(last_on: Any, interval: int, rule: Any, *more: Any, **named: Any) -> Any:
        return real(last_on, 20, replace(rule, shortest_days=20, initial_days=20), *more, **named)

    monkeypatch.setattr(visit_rules, "next_injection", too_soon)
    assert found(simulate, "injection planned before day 21", 3)


def test_a_plan_without_the_clinics_calendar_is_found(simulate: Simulate, monkeypatch: Patch) -> None:
    monkeypatch.setattr(visit_rules, "on_clinic_day", lambda wanted, *_: wanted)
    assert found(simulate, "planned on a closed day", 10)
    assert found(simulate, "a visit on a closed day is told", 75)


def test_a_move_to_a_closed_day_that_nobody_insisted_on_is_found(simulate: Simulate, monkeypatch: Patch) -> None:
    """A visit that was moved before, and has a task besides, is judged like any other."""
    real = plan.move

    def a_weekend(work: Work, visit: Any, on: date, *planned: Any) -> None:
        real(work, visit, on + timedelta(days=6 - on.weekday()), *planned)

    monkeypatch.setattr(plan, "move", a_weekend)
    assert found(simulate, "planned on a closed day", 14, {"another_day": 1.0, "insists_on_closed_day": 0.0})


def test_a_closed_day_that_is_offered_is_found(simulate: Simulate, monkeypatch: Patch) -> None:
    def every_day(_: Any, first: date, last: date) -> list[date]:
        return [first + timedelta(days=number) for number in range((last - first).days + 1)]

    monkeypatch.setattr(ClinicCalendar, "open_days", every_day)
    assert found(simulate, "a closed day is offered", 12, {"another_day": 1.0})


def test_a_closed_day_that_staff_insist_on_is_none_of_these(simulate: Simulate) -> None:
    report = simulate(14, {"another_day": 0.6, "insists_on_closed_day": 1.0})
    assert report.violations == []
    assert report.happened["staff: a closed day"] > 0


def test_a_third_message_of_a_day_is_found(simulate: Simulate, monkeypatch: Patch) -> None:
    monkeypatch.setattr(polite, "room_today", lambda *_, **__: Room.SAY)
    assert found(simulate, "more than 2 non-urgent messages", 25, {"a day: staff change the plan": 0.2}, seed=2)


def test_a_third_message_on_a_caregivers_phone_is_found(simulate: Simulate, monkeypatch: Patch) -> None:
    monkeypatch.setattr(polite, "moment", lambda work, subject, *_, **__: polite.awake(work, subject))
    lively = {"caregiver": 1.0, "a day: blocks": 0.1, "a day: staff change the plan": 0.8}
    assert found(simulate, "more than 2 non-urgent messages", 30, lively, seed=1)


def test_a_reminder_of_an_older_plan_is_found(simulate: Simulate, monkeypatch: Patch) -> None:
    """What was planned for the day before a move goes out as it was planned."""
    before: dict[tuple[int | None, int], date] = {}
    move, remind = plan.move, visit_reminders.remind

    def moved(work: Work, visit: Any, on: date, *planned: Any) -> None:
        before[visit.id, visit.plan_version] = visit.target_on
        move(work, visit, on, *planned)

    def as_it_was(work: Work, item: Any) -> str:
        visit, version = work.session.get_one(Visit, item.about_id), item.detail["version"]
        stands = visit.target_on, visit.plan_version, visit.reply
        visit.target_on, visit.plan_version = before.get((visit.id, version), visit.target_on), version
        said = remind(work, item)
        visit.target_on, visit.plan_version, visit.reply = stands
        return said

    monkeypatch.setattr(plan, "move", moved)
    monkeypatch.setattr(visit_reminders, "drop_reminders", lambda *_: None)
    monkeypatch.setattr(agenda, "REMINDERS", {**agenda.REMINDERS, polite.REMINDER: as_it_was})
    assert found(simulate, "stale", 20, {"another_day": 0.8})


def test_days_that_do_not_say_whose_they_are_are_found(simulate: Simulate, monkeypatch: Patch) -> None:
    monkeypatch.setattr(zones, "elsewhere", lambda *_: False)
    assert found(simulate, "whose days are meant", 14, {"a day: travels": 0.5})


@pytest.mark.usefixtures("confirmations_are_lost")
def test_days_that_do_not_say_whose_they_are_are_found_by_what_a_lost_answer_said(
    simulate: Simulate, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(zones, "elsewhere", lambda *_: False)
    assert found(simulate, "whose days are meant", 14, {"a day: travels": 0.5}, faults=True)


def test_days_of_the_place_where_the_patient_is_are_found(simulate: Simulate, monkeypatch: Patch) -> None:
    real = visit_reminders.where

    def of_the_phone(work: Work, subject: Any, day: Any = None) -> dict[str, object]:
        return real(work, subject, day and day - timedelta(days=subject.timezone != work.settings.site_timezone))

    monkeypatch.setattr(visit_reminders, "where", of_the_phone)
    assert found(simulate, "stale", 20, {"a day: travels": 0.5})


def test_a_reminder_in_the_night_of_a_traveller_is_found(simulate: Simulate, monkeypatch: Patch) -> None:
    real = zones.out_of_nights
    monkeypatch.setattr(zones, "out_of_nights", lambda work, _subject, moment: real(work, None, moment))
    assert found(simulate, "the night where the patient is", 14, {"a day: travels": 0.5})


@pytest.mark.usefixtures("confirmations_are_lost")
def test_a_reminder_in_the_night_of_a_traveller_is_found_by_what_a_lost_answer_said(
    simulate: Simulate, monkeypatch: Patch
) -> None:
    real = zones.out_of_nights
    monkeypatch.setattr(zones, "out_of_nights", lambda work, _subject, moment: real(work, None, moment))
    assert found(simulate, "the night where the patient is", 14, {"a day: travels": 0.5}, faults=True)


def test_a_message_that_is_sent_twice_is_found(simulate: Simulate, monkeypatch: Patch) -> None:
    real = Work.say

    def twice(work: Work, *given: Any, dedupe_key: str | None = None, **named: Any) -> Any:
        if dedupe_key is not None:
            real(work, *given, **named)
        return real(work, *given, **named)

    monkeypatch.setattr(Work, "say", twice)
    assert found(simulate, "duplicate", 3)


def test_messages_after_withdrawal_are_found(simulate: Simulate, monkeypatch: Patch) -> None:
    monkeypatch.setattr(Work, "unplan", lambda *_, **__: 0)
    for module in (visit_reminders, tablets):
        for name in ("may_be_reminded", "may_be_asked"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, lambda _: True)
    assert found(simulate, "after the end", 10, {"a day: withdraws": 0.4})


def test_tablets_asked_of_every_arm_are_found(simulate: Simulate, monkeypatch: Patch) -> None:
    monkeypatch.setattr(screens, "takes_tablets", lambda *_: True)
    monkeypatch.setattr(tablets, "_to_take", lambda *_: True)
    monkeypatch.setattr(dose_days, "next_to_take", lambda _session, _subject, day, _ahead: day)
    assert found(simulate, "wrong arm", 3)


def test_a_reminder_in_another_patients_chat_is_found(simulate: Simulate, monkeypatch: Patch) -> None:
    real = Work.say

    def astray(work: Work, *given: Any, **named: Any) -> Any:
        message = real(work, *given, **named)
        if isinstance(message, OutboxMessage) and message.purpose == tablets.PROMPT:
            message.chat_id += 1
        return message

    monkeypatch.setattr(Work, "say", astray)
    assert found(simulate, "wrong person", 3)


def test_a_page_that_goes_to_patients_is_found(simulate: Simulate, monkeypatch: Patch) -> None:
    def patients(work: Work, _roles: Any) -> on_call.Reached:
        found: list[Any] = [
            (SimpleNamespace(id=0), account)
            for number in (1, 2, 3)
            for account in people.speakers(work.session, number)
        ]
        return on_call.Reached(found)

    monkeypatch.setattr(on_call, "whom", patients)
    assert found(simulate, "wrong person", 10, {"another_day": 1.0})


def test_what_lost_its_use_in_an_outage_is_found(simulate: Simulate, monkeypatch: Patch) -> None:
    real = Work.plan

    def for_ever(work: Work, *given: Any, useful_until: Any = None, **named: Any) -> bool:
        return real(work, *given, **named)

    monkeypatch.setattr(Work, "plan", for_ever)
    monkeypatch.setattr(troubles, "DOWN", 0.5)
    monkeypatch.setattr(troubles, "DOWNTIMES_HOURS", (26,))
    assert found(simulate, "stale", 22, faults=True)


def test_a_reminder_that_names_the_wrong_day_is_found(simulate: Simulate, monkeypatch: Patch) -> None:
    real = visit_reminders.where

    def a_day_late(work: Work, subject: Any, day: Any = None) -> dict[str, object]:
        return real(work, subject, None if day is None else day + timedelta(days=1))

    monkeypatch.setattr(visit_reminders, "where", a_day_late)
    assert found(simulate, "stale", 9, {"answers": 0.2})


def test_a_lock_screen_that_names_the_drug_is_found(simulate: Simulate, monkeypatch: Patch) -> None:
    real = Texts.text

    def open_words(texts: Texts, key: str, locale: str, **values: object) -> str:
        said = real(texts, key, locale, **values)
        return f"Deferasirox: {said}" if key == "tablets.ask" else said

    monkeypatch.setattr(Texts, "text", open_words)
    assert found(simulate, "the lock screen", 3)


def test_a_job_that_fails_is_found(simulate: Simulate, monkeypatch: Patch) -> None:
    def fails(_work: Work, _item: Any) -> str:
        raise RuntimeError("planted")

    monkeypatch.setattr(agenda, "PROMPTS", {**agenda.PROMPTS, tablets.PROMPT: fails})
    assert found(simulate, "a fault of the program", 2)


def test_an_outcome_without_a_reason_is_found(simulate: Simulate, monkeypatch: Patch) -> None:
    real = outbox.close

    def silently(message: OutboxMessage, state: str, now: Any, reason: str | None = None) -> None:
        real(message, state, now)

    monkeypatch.setattr(outbox, "close", silently)
    assert found(simulate, "an outcome without a reason", 8, {"a day: blocks": 0.5})


def test_work_that_is_never_done_is_found(simulate: Simulate, monkeypatch: Patch) -> None:
    monkeypatch.setattr(agenda, "REMINDERS", {"nobody.does": lambda *_: ""})
    assert found(simulate, "due without an outcome", 9)


def test_a_withdrawal_that_is_not_taken_is_no_end(simulate: Simulate, monkeypatch: Patch) -> None:
    """The end is what the patient was told: without those words nothing has ended."""
    monkeypatch.setattr(start, "withdraw", lambda *_: None)
    assert simulate(4, {"a day: withdraws": 0.4}).broken == {}
