"""What does /metrics show, does it keep to numbers, and do dashboard and alerts ask for what exists?"""

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from sqlalchemy import event
from sqlmodel import Session

import schedules
from bot import metrics as counters
from bot.delivery import metrics
from bot.delivery import web as web_of_bot
from bot.delivery.channel import Outcome, Refused, Sent, Throttled
from bot.delivery.web import health_app, look
from bot.deps import Deps
from bot.domain import second_channel
from bot.domain.urgency import Urgency
from bot.metrics import Metrics
from bot.store import audit
from bot.store.models import Account, AgendaItem, Escalation, Heartbeat, InboxUpdate, OutboxMessage, Subject
from bot.store.session import Store
from bot.story.stage import Stage
from bot.work import Lane
from tests.conftest import KEY, SITE_PHONE, START, TOKEN
from tests.people import study

MONITORING = Path(__file__).parents[2] / "docs" / "monitoring"
ALLOWED: dict[str, Iterable[str]] = {
    "lane": counters.LANES,
    "outcome": counters.OUTCOMES,
    "channel": counters.CHANNELS,
    "result": (*counters.RESULTS, "done", "undone"),
    "call": counters.CALLS,
    "place": counters.PLACES,
    "kind": (counters.READ, counters.WRITE),
    "name": [job.name for job in schedules.JOBS],
    "urgency": list(Urgency),
    "part": metrics.PARTS,
    "mode": ("polling", "webhook"),
    "database": ("sqlite", "postgresql"),
}
NUMBER = re.compile(r"\+Inf|[0-9.e+-]+")
VERSION = re.compile(r"\d+\.\d+[\w.+-]*")
DANGER = "我胸口很痛"
NOW = START + timedelta(minutes=10)  # ten minutes after the quiet hours


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    async with TestClient(TestServer(app)) as client:
        yield client


def app_of(deps: Deps, own: Metrics) -> web.Application:
    app = web.Application()
    app.router.add_get("/metrics", metrics.page(deps, own))
    return app


async def scraped(deps: Deps, own: Metrics | None = None) -> str:
    async with serving(app_of(deps, own or Metrics())) as client, client.get("/metrics") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        return await answer.text()


def samples(page: str) -> list[Sample]:
    return [sample for family in text_string_to_metric_families(page) for sample in family.samples]


def value(page: str, name: str, **labels: str) -> float:
    (found,) = [each.value for each in samples(page) if each.name == name and each.labels == labels]
    return found


def everything_counted() -> Metrics:
    """Return counters of which each was used, so that each series shows."""
    own = Metrics()
    own.expect_jobs(job.name for job in schedules.JOBS)
    own.received(3, 1)
    for result in counters.RESULTS:
        own.handled(result, 0.02, 0.5)
    for lane in Lane:
        for outcome in counters.OUTCOMES:
            own.attempted(lane, outcome, 1.5)
    for call in counters.CALLS:
        own.throttled(call)
    for channel in counters.CHANNELS:
        for outcome in counters.SECOND_OUTCOMES:
            own.second_send(channel, outcome)
    for place in counters.PLACES:
        own.fault(place)
    with own.transaction(counters.WRITE), own.job("watchdog"):
        own.retried()
    with suppress(ValueError), own.job("reminders"), own.transaction(counters.READ):
        raise ValueError
    return own


# What may be seen


async def test_nothing_about_a_person_can_be_read_on_the_page(both_stages: Stage) -> None:
    world = await study(both_stages)
    await world.anna.says(DANGER)
    await world.pass_time(hours=1)
    await both_stages.deps.store.write(beat)
    page = await scraped(both_stages.deps, everything_counted())

    for sample in samples(page):
        assert sample.name.startswith(("followup_", "process_"))
        for name, said in sample.labels.items():
            if name == "le":
                assert NUMBER.fullmatch(said)
            elif name == "version":
                assert VERSION.fullmatch(said)
            else:
                assert said in ALLOWED[name], (sample.name, name)
    secrets = [TOKEN, KEY, SITE_PHONE, DANGER, "S-00", "0571-", "Nurse", "Physician", "chest", "case.page", "HZ01"]
    for secret in [*secrets, both_stages.deps.username]:
        assert secret not in page
    assert value(page, "followup_cases_unowned", urgency="red_120") == 1
    assert value(page, "followup_case_unowned_seconds", urgency="red_120") == 3600


async def test_healthz_tells_what_waits_and_for_how_long(stage: Stage) -> None:
    stage.clock.set(NOW)
    await stage.deps.store.write(beat)
    await stage.deps.store.write(fill)
    found = await stage.deps.store.read(lambda session: look(session, stage.deps))
    assert found == {
        "ok": False,
        "database": "ok",
        "red_messages_late": 1,
        "watchdog_at": "2026-11-02T00:09:00+00:00",
        "outgoing_failing_seconds": 0,
        "inbox_waiting": 2,
        "inbox_oldest_seconds": 90,
        "inbox_parked": 1,
        "outbox_waiting": 4,
        "outbox_oldest_seconds": {"red": 300, "amber": 40, "reminder": 600},
        "cases_without_owner": 3,
        "cases_overdue": 0,
        "cases_stuck": 0,
        "auditor_at": "2026-11-02T00:09:00+00:00",
    }


async def test_metrics_and_healthz_stand_side_by_side_in_several_applications(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_of_bot, "PATIENCE_SECONDS", 30.0)  # a busy machine is no slow database
    for _ in range(2):
        async with serving(health_app(stage.deps)) as client:
            async with client.get("/metrics") as page:
                assert value(await page.text(), "followup_leader") == 1
            async with client.get("/healthz") as health:
                assert "inbox_waiting" in await health.json()


# What this process did


def test_the_names_of_the_lists_are_those_of_the_code() -> None:
    assert tuple(lane.name.lower() for lane in Lane) == counters.LANES
    assert set(metrics.OUTCOME_NAMES) == set(get_args(Outcome))
    assert tuple(metrics.OUTCOME_NAMES.values()) == counters.OUTCOMES
    assert counters.CHANNELS == second_channel.CHANNELS
    assert set(counters.SECOND_OUTCOMES) <= set(counters.OUTCOMES)


async def test_a_conversation_moves_the_counters(stage: Stage) -> None:
    await study(stage)
    async with serving(health_app(stage.deps)) as client, client.get("/metrics") as answer:
        page = await answer.text()
    received = value(page, "followup_updates_received_total")
    assert received > 10
    assert value(page, "followup_updates_handled_total", result="handled") == received
    assert value(page, "followup_sends_total", lane="answer", outcome="sent") > 10
    assert value(page, "followup_delivery_seconds_count", lane="answer") > 10
    assert value(page, "followup_transactions_total", kind="write", result="done") > 20


async def test_counters_of_two_bots_do_not_mix(stage: Stage) -> None:
    one, other = Metrics(), Metrics()
    one.received(5)
    assert value(await scraped(stage.deps, one), "followup_updates_received_total") == 5
    assert value(await scraped(stage.deps, other), "followup_updates_received_total") == 0


async def test_a_try_to_send_counts_by_lane_and_outcome(stage: Stage) -> None:
    own, deps = Metrics(), stage.deps
    red = message(Lane.RED, due_at=START - timedelta(seconds=4), attempts=1)
    metrics.attempted(deps, own, red, Sent(7))
    metrics.attempted(deps, own, red, Throttled(timedelta(seconds=3)))
    metrics.attempted(deps, own, red, Refused("whatever Telegram says"))
    page = await scraped(deps, own)
    for outcome in ("sent", "throttled", "refused"):
        assert value(page, "followup_sends_total", lane="red", outcome=outcome) == 1
    assert value(page, "followup_sends_total", lane="red", outcome="unsure") == 0
    assert value(page, "followup_delivery_seconds_sum", lane="red") == 4
    assert value(page, "followup_throttled_total", call="send") == 1


async def test_a_message_that_needed_a_second_try_counts_from_its_beginning(stage: Stage) -> None:
    own = Metrics()
    second = message(Lane.RED, created_at=START - timedelta(seconds=90), due_at=START, attempts=2)
    metrics.attempted(stage.deps, own, second, Sent(7))
    assert value(await scraped(stage.deps, own), "followup_delivery_seconds_sum", lane="red") == 90


def test_what_no_list_knows_is_counted_all_the_same() -> None:
    own = Metrics()
    own.attempted(99, "something new", 1.0)
    own.handled("something new", -1.0, -1.0)
    own.fault("somewhere new")
    shown = {(each.name, *each.labels.values()) for family in own.collect() for each in family.samples}
    assert ("followup_sends_total", "other", "other") in shown
    assert ("followup_faults_total", "other") in shown
    assert ("followup_updates_handled_total", "other") in shown


def test_a_job_fails_by_its_faults_and_not_by_being_stopped() -> None:
    own = Metrics()
    with suppress(ValueError), own.job("watchdog"):
        raise ValueError
    with suppress(asyncio.CancelledError), own.job("watchdog"):
        raise asyncio.CancelledError
    shown = {each.name: each.value for family in own.collect() for each in family.samples if each.labels}
    assert shown["followup_job_runs_total"] == 2
    assert shown["followup_job_failures_total"] == 1


def test_a_transaction_is_done_or_undone() -> None:
    own = Metrics()
    with own.transaction(counters.WRITE):
        own.retried()
    with suppress(ValueError), own.transaction(counters.WRITE):
        raise ValueError
    shown = {(each.name, *each.labels.values()): each.value for family in own.collect() for each in family.samples}
    assert shown["followup_transactions_total", "write", "done"] == 1
    assert shown["followup_transactions_total", "write", "undone"] == 1
    assert shown["followup_transaction_seconds_count", "write"] == 2
    assert shown["followup_transaction_retries_total",] == 1


# What waits in the database


def message(lane: Lane, **given: Any) -> OutboxMessage:
    known = {"created_at": NOW, "due_at": NOW, **given}
    return OutboxMessage(
        account_id=1, chat_id=5, purpose="test", lane=lane, text_key="k", values="{}", text="t", locale="zh", **known
    )


def update(number: int, seconds: int, state: str = "waiting") -> InboxUpdate:
    return InboxUpdate(
        bot_id=1, update_id=number, raw="{}", received_at=NOW - timedelta(seconds=seconds), state=state
    )


def case(urgency: Urgency, minutes: int, state: str = "notified") -> Escalation:
    at = NOW - timedelta(minutes=minutes)
    return Escalation(
        subject_id=1,
        kind="request",
        urgency=urgency,
        state=state,
        chain={},
        summary="[]",
        raised_by="test",
        opened_at=at - timedelta(days=1),
        chain_started_at=at,
    )


def fill(session: Session) -> None:
    """Let something of each kind wait, beside things that are done."""
    audit.attribute(session, at=NOW, actor="test", cause="test")
    session.add(Account(id=1, telegram_id=5, locale="zh", first_seen_at=NOW))
    session.add(
        Subject(
            id=1,
            code="S-009",
            site="HZ01",
            arm="CTRL",
            locale="zh",
            birth_year=1950,
            state="active",
            timezone="Asia/Shanghai",
            cbc_interval_days=7,
            enrolled_at=NOW,
            enrolled_by="test",
            state_changed_at=NOW,
        )
    )
    session.flush()
    session.add_all([update(1, 500, "done"), update(2, 90), update(3, 30), update(4, 300, "parked")])
    minutes = timedelta(minutes=1)
    session.add_all(
        [
            # Tried and put off: it has waited since it was made.
            message(Lane.RED, created_at=NOW - 5 * minutes, due_at=NOW + minutes, attempts=3),
            message(Lane.AMBER, created_at=NOW - 5 * minutes, due_at=NOW - timedelta(seconds=40)),
            # Due in the night, allowed since the end of the quiet hours.
            message(Lane.REMINDER, created_at=NOW - timedelta(hours=9), due_at=NOW - timedelta(hours=8)),
            message(Lane.DIGEST, due_at=NOW + timedelta(hours=2)),
            message(Lane.RED, created_at=NOW - timedelta(hours=1), state="sent"),
            message(Lane.AMBER, state="sending", claimed_at=NOW),
            message(Lane.REMINDER, state="unsure"),
            message(Lane.AMBER, state="unsure", repeated_at=NOW),
        ]
    )
    for key, late, state in (("a", 2, "waiting"), ("b", 7, "waiting"), ("c", 0, "waiting"), ("d", 60, "done")):
        session.add(AgendaItem(kind="visit", key=key, about_id=1, due_at=NOW - late * minutes, state=state))
    session.add_all(
        [
            case(Urgency.RED_120, 3),
            case(Urgency.RED_120, 12, "open"),
            case(Urgency.YELLOW, -30, "open"),  # its first page comes later
            case(Urgency.RED_COME, 50, "acknowledged"),
        ]
    )


def beat(session: Session) -> None:
    for name, ago in (("watchdog", 1), ("auditor", 1), ("backup", 60), ("unheard-of", 5)):
        session.merge(Heartbeat(name=name, at=NOW - timedelta(minutes=ago)))


async def test_the_page_shows_who_waits_and_since_when(both_stages: Stage) -> None:
    deps = both_stages.deps
    both_stages.clock.set(NOW)
    await deps.store.write(fill)
    await deps.store.write(beat)
    page = await scraped(deps)
    assert value(page, "followup_database_readable") == 1
    assert value(page, "followup_inbox_waiting") == 2
    assert value(page, "followup_inbox_oldest_seconds") == 90
    assert value(page, "followup_inbox_parked") == 1
    waiting = {"red": (1, 300), "answer": (0, 0), "amber": (1, 40), "reminder": (1, 600), "digest": (1, 0)}
    for lane, (number, seconds) in waiting.items():
        assert value(page, "followup_outbox_waiting", lane=lane) == number
        assert value(page, "followup_outbox_oldest_seconds", lane=lane) == seconds
    assert value(page, "followup_outbox_sending") == 1
    assert value(page, "followup_outbox_unsure") == 1
    assert value(page, "followup_agenda_overdue") == 2
    assert value(page, "followup_agenda_overdue_seconds") == 420
    cases = {"red_120": (2, 720), "red_come": (0, 0), "amber": (0, 0), "yellow": (1, 0), "green": (0, 0)}
    for urgency, (number, seconds) in cases.items():
        assert value(page, "followup_cases_unowned", urgency=urgency) == number
        assert value(page, "followup_case_unowned_seconds", urgency=urgency) == seconds
    assert value(page, "followup_heartbeat_age_seconds", part="watchdog") == 60
    assert value(page, "followup_heartbeat_age_seconds", part="backup") == 3600


async def test_a_process_that_does_not_lead_shows_no_age_of_its_polls(stage: Stage) -> None:
    stage.deps.standing.until = 0.0
    page = await scraped(stage.deps)
    assert value(page, "followup_leader") == 0
    assert "followup_poll_age_seconds" not in page


async def test_counts_stop_where_more_would_tell_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.write(fill)
    monkeypatch.setattr(metrics, "COUNTED_TO", 1)
    known = await store.read(lambda session: metrics.backlog(session, NOW))
    assert (known.inbox, known.overdue) == (1, 1)
    assert sum(known.unowned.values()) == 3, "cases are counted to the last"


@pytest.fixture
def asked(store: Store) -> Iterator[list[tuple[str, Any]]]:
    """Give the statements that the store's readers send from here on."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        sent.append((statement, parameters))

    event.listen(store._reading, "before_cursor_execute", note)
    yield sent
    event.remove(store._reading, "before_cursor_execute", note)


async def test_every_question_to_the_database_follows_an_index(store: Store, asked: list[tuple[str, Any]]) -> None:
    def ask(session: Session) -> None:
        metrics.backlog(session, NOW)
        metrics.red_late(session, NOW)

    await store.read(ask)
    statements = [each for each in asked if "FROM" in each[0]]
    assert len(statements) == 21
    with store._reading.connect() as connection:
        if not store.is_sqlite:
            # The tables are empty, so a scan would be cheapest; only a question that no index answers still scans.
            connection.exec_driver_sql("SET enable_seqscan = off")
        for statement, parameters in statements:
            prefix = "EXPLAIN QUERY PLAN" if store.is_sqlite else "EXPLAIN"
            plan = [str(row) for row in connection.exec_driver_sql(f"{prefix} {statement}", parameters)]
            scans = [line for line in plan if "Seq Scan" in line or re.search(r"SCAN (?!anon)(?!.*INDEX)", line)]
            assert not scans, (statement, plan)


# A database that is away


async def test_a_database_that_fails_is_said_and_nothing_old_is_shown(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError

    monkeypatch.setattr(metrics, "KEPT_SECONDS", 0.0)
    async with serving(app_of(stage.deps, Metrics())) as client:
        async with client.get("/metrics") as answer:
            assert value(await answer.text(), "followup_inbox_waiting") == 0
        with monkeypatch.context() as broken:
            broken.setattr(metrics, "backlog", fail)
            async with client.get("/metrics") as answer:
                page = await answer.text()
        assert value(page, "followup_database_readable") == 0
        assert value(page, "followup_leader") == 1
        assert "followup_inbox_waiting" not in page
        async with client.get("/metrics") as answer:
            assert value(await answer.text(), "followup_database_readable") == 1


async def test_a_slow_database_is_asked_once_however_often_somebody_scrapes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, asked, whole = threading.Event(), 0, metrics.backlog

    def slow(*given: Any) -> metrics.Backlog:
        nonlocal asked
        asked += 1
        go_on.wait(10)
        return whole(*given)

    monkeypatch.setattr(metrics, "backlog", slow)
    monkeypatch.setattr(metrics, "PATIENCE_SECONDS", 0.05)
    async with serving(app_of(stage.deps, Metrics())) as client:

        async def readable() -> float:
            async with client.get("/metrics") as answer:
                return value(await answer.text(), "followup_database_readable")

        assert await asyncio.gather(*(readable() for _ in range(4))) == [0, 0, 0, 0]
        assert asked == 1
        go_on.set()
        monkeypatch.setattr(metrics, "PATIENCE_SECONDS", 5.0)
        assert await readable() == 1
        assert await asyncio.gather(*(readable() for _ in range(4))) == [1, 1, 1, 1]
        assert asked == 1, "what was read a moment ago is shown again"


# The dashboard and the alerts

OURS = re.compile(r"\bfollowup_[a-z0-9_]+")
SELECTOR = re.compile(r"\b(followup_[a-z0-9_]+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
OF_THE_TARGET = {"job", "instance"}  # labels that Prometheus adds


def dashboard() -> dict[str, Any]:
    board: dict[str, Any] = json.loads((MONITORING / "followup-dashboard.json").read_text(encoding="utf-8"))
    return board


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> list[str]:
    panels = [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", [])]
    return [*panels, *(rule["expr"] for rule in alerts())]


@pytest.fixture
async def shown(stage: Stage) -> list[Sample]:
    """Give every series that a bot can show."""
    await stage.deps.store.write(beat)
    return samples(await scraped(stage.deps, everything_counted()))


async def test_dashboard_and_alerts_ask_for_metrics_that_exist(shown: list[Sample]) -> None:
    names = {each.name for each in shown}
    asked = {name for expression in expressions() for name in OURS.findall(expression)}
    assert asked - names == set()
    plain = {
        re.sub(r"_(total|bucket|sum|count|created)$", "", name) for name in names if name.startswith("followup_")
    }
    unseen = {name for name in plain if not any(found.startswith(name) for found in asked)}
    assert unseen <= {"followup_outbox_sending"}, "a metric that nobody looks at"


async def test_dashboard_and_alerts_ask_for_labels_that_exist(shown: list[Sample]) -> None:
    for expression in expressions():
        for name, inside in SELECTOR.findall(expression):
            for label, how, wanted in MATCHER.findall(inside):
                if label in OF_THE_TARGET:
                    continue
                there = {each.labels[label] for each in shown if each.name == name and label in each.labels}
                for single in wanted.split("|") if "~" in how else [wanted]:
                    assert single in there, (name, label, single)


def test_each_alert_says_how_bad_it_is_and_what_to_do() -> None:
    rules = alerts()
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["alert"].startswith("Followup")
        assert re.fullmatch(r"\d+[smh]", rule["for"])
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert all(len(rule["annotations"][each]) > 20 for each in ("summary", "action"))
        assert rule["expr"].count("(") == rule["expr"].count(")")


def test_the_page_of_instructions_names_every_alert() -> None:
    told = (MONITORING / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\bFollowup[A-Za-z]+", told)) == {rule["alert"] for rule in alerts()}


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    board = dashboard()
    assert board["schemaVersion"] >= 39
    assert board["id"] is None
    assert [each["type"] for each in board["templating"]["list"]] == ["datasource", "query"]
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len([panel for panel in panels if panel["type"] == "row"]) == 6
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        targets = panel.get("targets", [])
        assert len({target["refId"] for target in targets}) == len(targets)
        assert {target["datasource"]["uid"] for target in targets} <= {"${datasource}"}
        assert panel["type"] == "row" or (targets and panel["description"])
