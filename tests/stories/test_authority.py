"""Who may do what: every role against every route of the running bot (deny by default)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import col, select

from bot.domain.roles import Role
from bot.domain.rota import Level, Span
from bot.domain.tablet_counts import CountKind
from bot.simulator.parts import ShownMessage
from bot.store.models import (
    AdverseEvent,
    DoseReview,
    Doubt,
    Drill,
    Escalation,
    Evidence,
    Link,
    Measurement,
    OncallShift,
    Response,
    SeriousClock,
    StaffMember,
    SwapOffer,
    TabletCount,
    Visit,
)
from bot.story.people import Person
from bot.usecases import drills, shifts, tablet_counts
from bot.usecases.staff_queries import find
from bot.work import Work
from handlers import COMMANDS
from handlers.policy import POLICY, allowed
from handlers.presses import PRESSES
from tests.people import Study, person, staff
from tests.stories.scenes import CHEST_PAIN, Watch, caregiver, clinical_rows, plant, rows, unfinished_updates

# What ends the story for a role is tried last.
LAST = ("stop.confirm", "staff.end", "caregiver.agree")


async def somebody(study: Study, role: Role) -> Person:
    match role:
        case Role.STRANGER:
            stranger = person(study.stage, 90, "Passer-by", "en")
            await stranger.says("/start")
            return stranger
        case Role.PATIENT:
            return study.boris
        case Role.CAREGIVER:
            return await caregiver(study)
        case Role.COORDINATOR:
            return study.coordinator
        case Role.INVESTIGATOR:
            return study.doctor
        case _:
            return await staff(study.stage, 40, "Colleague", role)


def _event(work: Work) -> None:
    """Record an adverse event of Anna's whose clock runs."""
    work.session.add(
        AdverseEvent(
            subject_id=1,
            number=1,
            what="drafted",
            verbatim="",
            term="Fever",
            onset_on=work.today,
            outcome="unknown",
            recorded_at=work.now,
            recorded_by="bot",
        )
    )
    work.session.add(SeriousClock(subject_id=1, event_number=1, received_at=work.now, due_at=work.now))


def _count(work: Work) -> None:
    subject, on = find(work, "S-001"), work.today
    tablet_counts.keep(work, subject, CountKind.DISPENSED, on, Decimal(60), 250, source="staff")


def _offer(work: Work) -> None:
    """Enter a shift of the nurse's that she offers to the doctor."""
    nurse, doctor = work.session.exec(select(StaffMember).order_by(col(StaffMember.id)).limit(2)).all()
    span = Span(work.now, work.now + timedelta(hours=12))
    shift = shifts.enter(work, nurse.id or 0, Level.FIRST, span, shifts.FILE)
    work.session.add(
        SwapOffer(
            shift_id=shift.id or 0, from_staff_id=nurse.id or 0, to_staff_id=doctor.id or 0, offered_at=work.now
        )
    )


def _review(work: Work) -> None:
    """Open a review of Anna's dose."""
    facts = {"value": "499 μg/L", "measure": "ferritin", "on": "2026-11-02", "rests_on": []}
    rule = "D20-ferritin-below-500"
    work.session.add(DoseReview(subject_id=1, rule=rule, key="ferritin", facts=facts, opened_at=work.now))


async def plausible(study: Study) -> dict[str, Any]:
    """Return arguments that name real rows, most of them Anna's: what a stolen button would carry."""
    await study.anna.says("如果发烧怎么办")
    await study.clara.says(CHEST_PAIN["zh"])
    await study.anna.phone.sends_photo()
    await study.anna.says("/menu")
    await study.anna.taps("menu.button.reading", "reading.what.pulse")
    await study.anna.says("48")
    await study.anna.taps("menu.button.unwell", "report.trouble.fever")
    await study.stage.within(_event)
    await study.stage.within(_offer)
    await study.stage.within(_count)
    await study.stage.within(_review)
    await study.stage.within(lambda work: drills.plan(work, timedelta(hours=24), 7))
    reading = (await rows(study.stage, Measurement))[0]
    visit = (await rows(study.stage, Visit))[0]
    return {
        "agree": True,
        "all": True,
        "c": 1,
        "case": (await rows(study.stage, Escalation))[0].id,
        "day": "2026-11-02",
        "days": 28,
        "to": "daily",
        "clock": (await rows(study.stage, SeriousClock))[0].id,
        "drill": (await rows(study.stage, Drill))[0].id,
        "doubt": (await rows(study.stage, Doubt))[0].id,
        "evidence": (await rows(study.stage, Evidence))[0].id,
        "count": (await rows(study.stage, TabletCount))[0].id,
        "later": 0,
        "seen": "",
        "event": (await rows(study.stage, AdverseEvent))[0].id,
        "f": "code",
        "form": "csv",
        "hour": 8,
        "i": "fever_place",
        "item": 0,
        "kind": "cbc",
        "link": (await rows(study.stage, Link))[0].id,
        "locale": "en",
        "n": 1,
        "number": 1,
        "o": reading.occasion,
        "on": "2026-11-05",
        "at": "2026-11-05T10:00:00+08:00",
        "first": "2026-12-24",
        "from": "2026-12-24T08:00:00+08:00",
        "until": "2026-12-24T20:00:00+08:00",
        "level": "first",
        "shift": (await rows(study.stage, OncallShift))[0].id,
        "offer": (await rows(study.stage, SwapOffer))[0].id,
        "last": "2026-12-27",
        "zone": "Asia/Shanghai",
        "outcome": "done",
        "page": 0,
        "r": (await rows(study.stage, Response))[0].id,
        "record": 1,
        "reply": "another_day",
        "review": (await rows(study.stage, DoseReview))[0].id,
        "sort": "share",
        "source": f"case:{(await rows(study.stage, Escalation))[0].id}",
        "spoke": True,
        "staff": (await rows(study.stage, StaffMember))[0].id,
        "how": "phone_now",
        "status": "taken",
        "subject": 1,
        "v": "oral",
        "value": reading.id,
        "version": "1.0" if visit is None else visit.plan_version,
        "visit": visit.id,
        "weeks": 4,
        "yes": True,
    }


async def plant_all(study: Study, someone: Person, args: dict[str, Any]) -> dict[str, ShownMessage]:
    """Put every button there is in front of somebody; a message holds a hundred at most."""
    planted: dict[str, ShownMessage] = {}
    for some in (sorted(PRESSES)[0::2], sorted(PRESSES)[1::2]):
        planted |= dict.fromkeys(some, await plant(study.stage, someone, some, args))
    return planted


@pytest.mark.req("SEC-01", "DI-06")
@pytest.mark.parametrize("role", Role)
async def test_what_a_role_may_not_do_is_refused_and_changes_nothing(study: Study, role: Role) -> None:
    args = await plausible(study)
    someone = await somebody(study, role)
    forbidden = [route for route in POLICY if not allowed(route, role)]
    planted = await plant_all(study, someone, args)
    before = await clinical_rows(study.stage)
    for route in forbidden:
        if route in COMMANDS:
            sees = Watch(someone)
            await someone.says(f"/{route} S-001")
        else:
            sees = Watch(someone)
            await someone.phone.taps_on(planted[route], route)
            await study.stage.settle()
        assert sees.first("refused.not_for_you"), route
        assert len(sees.new) == 1, route
        assert await clinical_rows(study.stage) == before, route
    assert await unfinished_updates(study.stage) == []


@pytest.mark.req("SEC-01")
@pytest.mark.parametrize("role", Role)
async def test_what_a_role_may_do_is_answered(study: Study, role: Role) -> None:
    args = await plausible(study)
    someone = await somebody(study, role)
    granted = sorted((route for route in POLICY if allowed(route, role)), key=lambda route: route in LAST)
    planted = await plant_all(study, someone, args)
    for route in granted:
        sees = Watch(someone)
        if route in COMMANDS:
            await someone.says(f"/{route}")
        elif route in PRESSES:
            await someone.phone.taps_on(planted[route], route)
            await study.stage.settle()
        else:
            continue
        assert sees.new or sees.toasts, route
        assert not sees.read("refused.not_for_you") or route == "staff.end", route
        assert await unfinished_updates(study.stage) == [], route


@pytest.mark.req("SEC-02")
async def test_a_patient_cannot_reach_another_patient_through_a_button(study: Study) -> None:
    args = await plausible(study)
    routes = (
        "visit.reply", "report.answer", "report.stop", "reading.right", "reading.signs", "danger.now",
        "danger.not_now", "caregiver.agree",
    )  # fmt: skip
    planted = await plant(study.stage, study.boris, routes, args)
    before = await clinical_rows(study.stage)
    for route in routes:
        await study.boris.phone.taps_on(planted, route)
        await study.stage.settle()
        assert await clinical_rows(study.stage) == before, route


def test_every_command_and_every_button_has_a_row() -> None:
    assert {*COMMANDS, *PRESSES} <= set(POLICY)
