"""Who may do what: one table, and nothing outside it."""

import pytest
from telegram.ext import ApplicationBuilder

import handlers
from bot.domain.roles import CLINICAL, STAFF, Role
from handlers.policy import POLICY, allowed

ROUTES = [name for name, _ in handlers.routes()]


@pytest.mark.req("SEC-01")
def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert set(ROUTES) == set(POLICY)
    assert len(ROUTES) == len(set(ROUTES))


@pytest.mark.req("SEC-01")
def test_a_route_without_a_row_stops_the_bot_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(POLICY, "patients")
    application = ApplicationBuilder().token("1:made-up").updater(None).job_queue(None).build()
    with pytest.raises(KeyError):
        handlers.register(application)


@pytest.mark.req("SEC-01")
@pytest.mark.parametrize("route", sorted(POLICY))
def test_what_is_not_listed_is_denied(route: str) -> None:
    assert not allowed(route, None)
    assert not allowed(f"{route}.more", Role.ADMIN)


HEALTH = [
    "patients",
    "patient",
    "due",
    "today",
    "deviations",
    "adherence",
    "kpi",
    "kpi.period",
    "alerts",
    "case.open",
    "case.talk",
    "visit.open",
    "visit.recorded",
    "visit.recorded_list",
    "patient.history",
    "evidence.list",
    "evidence.open",
    "labs",
    "labs.list",
    "labs.open",
    "ae",
    "event.list",
    "event.open",
    "event.report",
    "adherence.open",
    "dose",
    "dose.open",
    "reviews",
    "review.page",
    "review.open",
    "adherence.site",
    "adherence.csv",
    "report",
    "course.open",
]


@pytest.mark.parametrize("route", HEALTH)
def test_an_admin_sees_no_health_data(route: str) -> None:
    assert not allowed(route, Role.ADMIN)


@pytest.mark.parametrize("route", HEALTH)
def test_a_monitor_reads_what_clinical_staff_read(route: str) -> None:
    assert all(allowed(route, role) for role in (*CLINICAL, Role.MONITOR))


CHANGING = [
    name
    for name in POLICY
    if name.startswith(("case.", "visit.", "patient.", "labs.", "event.", "dose.", "review."))
    and name not in {*HEALTH, "patient.open"}
    and Role.PATIENT not in POLICY[name]
]


@pytest.mark.parametrize("route", CHANGING)
def test_a_monitor_changes_nothing(route: str) -> None:
    assert not allowed(route, Role.MONITOR)
    if route not in {"patient.arm", "patient.invite", "event.judge", "event.reported", "review.conclude"}:
        assert all(allowed(route, role) for role in CLINICAL)


@pytest.mark.parametrize("route", ["patient.arm", "event.judge", "event.reported", "review.conclude"])
def test_only_physicians_change_an_arm_or_judge_an_event(route: str) -> None:
    assert {role for role in Role if allowed(route, role)} == {Role.INVESTIGATOR, Role.PI}


@pytest.mark.parametrize("role", [Role.PATIENT, Role.CAREGIVER, Role.STRANGER])
def test_nobody_outside_the_staff_reaches_a_staff_route(role: Role) -> None:
    staff_only = [name for name, roles in POLICY.items() if roles <= frozenset(STAFF)]
    assert staff_only
    assert not any(allowed(name, role) for name in staff_only)


@pytest.mark.parametrize("role", list(Role))
def test_anybody_is_heard(role: Role) -> None:
    assert all(allowed(name, role) for name in ("text", "start", "help", "other", "edited", "cancel"))
