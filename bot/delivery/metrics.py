"""What does /metrics tell Prometheus: what this process did, and who is waiting in the database?

Numbers only. Labels come from closed lists (lanes, urgencies, parts of the bot), so nothing about a person,
a subject, a chat or a text can appear. The database is asked with a handful of statements that read a
bounded number of rows by index, at most every few seconds, however often somebody scrapes.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

import structlog
from aiohttp.typedefs import Handler
from aiohttp.web import Request, StreamResponse
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.aiohttp import make_aiohttp_handler
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric
from sqlalchemy import ColumnElement, case
from sqlmodel import Session, col, func, select

from bot.delivery.channel import NotSent, Outcome, Refused, Sent, Throttled, Unreachable, Unsure
from bot.delivery.inbox import PULSE
from bot.deps import Deps
from bot.domain import reminders
from bot.domain.escalation import UNRESOLVED, CaseState
from bot.domain.stalled import is_fault
from bot.domain.urgency import Urgency
from bot.metrics import LANES, Metrics
from bot.store.models import AgendaItem, Escalation, Heartbeat, InboxUpdate, OutboxMessage
from bot.store.outbox import REMINDER_LANE
from bot.store.planner import is_in, only
from bot.store.trouble import free_bytes

log = structlog.get_logger(__name__)

KEPT_SECONDS = 5.0
# Less than Prometheus waits for a scrape (10 s), so that a slow database shows as one, not as a dead process.
PATIENCE_SECONDS = 5.0
# Counts stop here: whether ten thousand wait or a million, somebody has to come.
COUNTED_TO = 10_000
# The first rows of a lane are the oldest, but for a few that wait for their next try.
LOOKED_AT = 200
OVERDUE = timedelta(minutes=1)
IN_ORDER = (col(OutboxMessage.lane), col(OutboxMessage.id))
OUTGOING = "outgoing"  # the heartbeat that says since when nothing leaves by any way
PARTS = ("watchdog", "auditor", "backup")  # whose heartbeats are shown

OUTCOME_NAMES: Mapping[type[Outcome], str] = {
    Sent: "sent",
    Throttled: "throttled",
    NotSent: "not_sent",
    Unsure: "unsure",
    Unreachable: "unreachable",
    Refused: "refused",
}


def attempted(deps: Deps, metrics: Metrics, message: OutboxMessage, outcome: Outcome) -> None:
    """Count one try to send ``message``, as it was when it was claimed."""
    since = message.due_at if message.attempts <= 1 else message.created_at
    waited = deps.clock.now() - allowed_since(deps, message.lane, since)
    metrics.attempted(message.lane, OUTCOME_NAMES[type(outcome)], waited.total_seconds())
    if isinstance(outcome, Throttled):
        metrics.throttled("send")


def allowed_since(deps: Deps, lane: int, due_at: datetime) -> datetime:
    """Return from when on a message was allowed to leave: reminders and digests wait out the quiet hours."""
    if lane < REMINDER_LANE:
        return due_at
    return reminders.out_of_quiet(due_at, deps.settings.zone, deps.protocol.quiet_hours)


# What waits in the database


@dataclass(frozen=True, slots=True)
class Backlog:
    """Who is waiting, and since when; no count goes beyond `COUNTED_TO`."""

    inbox: int
    inbox_since: datetime | None
    parked: int
    outbox: Mapping[int, int]  # by lane
    outbox_since: Mapping[int, datetime]
    sending: int
    unsure: int
    overdue: int
    overdue_since: datetime | None
    unowned: Mapping[str, int]  # by urgency
    unowned_since: Mapping[str, datetime]
    overdue_cases: Mapping[str, int]  # by urgency
    stuck_cases: int  # those of them that do not wait for people
    beats: Mapping[str, datetime]
    failing_since: datetime | None  # when all ways out fail


def backlog(session: Session, now: datetime) -> Backlog:
    """Count what waits; each statement follows an index and stops after `COUNTED_TO` entries.

    Only cases that nobody has taken over are read to the last, for none may be missed.
    """
    lanes = range(len(LANES))
    inbox, inbox_ids = is_in(InboxUpdate, "waiting"), col(InboxUpdate.id)
    # In the order of the index: it holds updates of one bot, but for those that a former token left behind.
    first_in = select(InboxUpdate.received_at).where(inbox).order_by(col(InboxUpdate.bot_id), inbox_ids).limit(1)
    late = (is_in(AgendaItem, "waiting"), col(AgendaItem.due_at) < now - OVERDUE)
    cases = session.exec(
        select(Escalation.urgency, func.count(), func.min(Escalation.chain_started_at))
        .where(col(Escalation.state).in_([CaseState.OPEN, CaseState.NOTIFIED]))
        .group_by(col(Escalation.urgency))
    ).all()
    hearts = session.exec(select(Heartbeat).where(col(Heartbeat.name).in_((*PARTS, OUTGOING)))).all()
    failing = next((heart.detail.get("failing_since") for heart in hearts if heart.name == OUTGOING), None)
    found = session.exec(
        select(Escalation.urgency, Escalation.overdue, func.count())
        .where(col(Escalation.state).in_(UNRESOLVED), col(Escalation.overdue).is_not(None))
        .group_by(col(Escalation.urgency), col(Escalation.overdue))
    ).all()
    since = {lane: moment for lane in lanes if (moment := _lane_since(session, lane, now)) is not None}
    return Backlog(
        inbox=count(session, inbox_ids, inbox),
        inbox_since=session.exec(first_in).first(),
        parked=count(session, inbox_ids, is_in(InboxUpdate, "parked")),
        outbox={lane: count(session, col(OutboxMessage.lane), *_waiting_in(lane)) for lane in lanes},
        outbox_since=since,
        sending=count(session, col(OutboxMessage.claimed_at), is_in(OutboxMessage, "sending")),
        unsure=count(
            session,
            col(OutboxMessage.account_id),
            is_in(OutboxMessage, "unsure"),
            col(OutboxMessage.repeated_at).is_(None),
        ),
        overdue=count(session, col(AgendaItem.due_at), *late),
        overdue_since=session.exec(
            select(AgendaItem.due_at).where(*late).order_by(col(AgendaItem.due_at)).limit(1)
        ).first(),
        unowned={urgency: number for urgency, number, _ in cases},
        unowned_since={urgency: moment for urgency, _, moment in cases},
        beats={heart.name: heart.at for heart in hearts if heart.name in PARTS},
        failing_since=datetime.fromisoformat(failing) if failing else None,
        overdue_cases={
            level: sum(number for urgency, _, number in found if urgency == level)
            for level in {urgency for urgency, _, _ in found}
        },
        stuck_cases=sum(number for _, field, number in found if is_fault(field)),
    )


def red_late(session: Session, before: datetime) -> int:
    """Count red messages that have waited since ``before``; a try that failed does not make them younger."""
    first = select(OutboxMessage.created_at).where(*_waiting_in(0)).order_by(*IN_ORDER).limit(COUNTED_TO)
    waiting = first.subquery()
    return session.exec(select(func.count()).select_from(waiting).where(waiting.c.created_at < before)).one()


def count(session: Session, column: Any, *where: ColumnElement[bool]) -> int:
    """Return how many rows there are, at most `COUNTED_TO`; ``column`` is one of the index that leads there."""
    some = select(column).where(*where).limit(COUNTED_TO).subquery()
    return session.exec(select(func.count()).select_from(some)).one()


def _waiting_in(lane: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return is_in(OutboxMessage, "waiting"), only(col(OutboxMessage.lane), lane)


def _lane_since(session: Session, lane: int, now: datetime) -> datetime | None:
    """Return since when the oldest message of a lane is due; one that was tried counts from its beginning."""
    attempts, due_at, created_at = (
        col(OutboxMessage.attempts),
        col(OutboxMessage.due_at),
        col(OutboxMessage.created_at),
    )
    since = case((attempts > 0, created_at), (due_at <= now, due_at))
    first = select(since).where(*_waiting_in(lane)).order_by(*IN_ORDER).limit(LOOKED_AT).subquery()
    moment: datetime | None = session.exec(select(func.min(first.c[0]))).one()
    return moment


# The page


class State:
    """Collects what is true at this moment, of the process and of the database."""

    def __init__(self, deps: Deps, metrics: Metrics) -> None:
        self._deps = deps
        self._metrics = metrics
        self._reading: asyncio.Future[Backlog] | None = None
        self._read_at = float("-inf")
        self._backlog: Backlog | None = None

    async def refresh(self) -> None:
        """Read the database again if the last time is some seconds ago; a slow one is never asked twice at once."""
        if self._reading is None:
            if time.monotonic() - self._read_at < KEPT_SECONDS:
                return
            read = self._deps.store.read(lambda session: backlog(session, self._deps.clock.now()))
            self._reading = asyncio.ensure_future(read)
        reading = self._reading
        await asyncio.wait({reading}, timeout=PATIENCE_SECONDS)
        if reading is not self._reading:
            return  # somebody else waited for the same and has taken it
        self._read_at, self._backlog = time.monotonic(), None
        if not reading.done():
            log.warning("metrics.database_slow")
            return
        self._reading = None
        try:
            self._backlog = reading.result()
        except Exception as error:
            log.warning("metrics.database_failed", error=type(error).__name__)

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges; without the database those that need it are missing rather than old."""
        yield from self._of_process()
        known = self._backlog
        yield _gauge("followup_database_readable", "Whether the database answered.", known is not None)
        if known is not None:
            now = self._deps.clock.now()
            yield from _of_updates(known, now)
            yield from _of_messages(known, now, lambda lane, due: allowed_since(self._deps, lane, due))
            yield from _of_work(known, now)

    def _of_process(self) -> Iterable[Metric]:
        deps = self._deps
        about = InfoMetricFamily("followup", "Version and way of working.")
        database = "sqlite" if deps.store.is_sqlite else "postgresql"
        about.add_metric([], {"version": version("followup"), "mode": deps.settings.mode, "database": database})
        yield about
        yield _gauge("followup_leader", "Whether this process polls, sends and runs the jobs.", deps.standing.leads)
        yield _gauge("followup_lease_epoch", "Epoch of the lease that it last held.", deps.standing.epoch)
        if deps.settings.mode == "polling" and deps.standing.leads:
            heard = deps.pulses.get(PULSE, self._metrics.began)
            yield _gauge(
                "followup_poll_age_seconds",
                "Since Telegram last answered a call for updates; only from the process that polls.",
                time.monotonic() - heard,
            )
        if (free := free_bytes(deps.store)) is not None:
            yield _gauge("followup_disk_free_bytes", "Free space where the SQLite file lies.", free)


def _of_updates(known: Backlog, now: datetime) -> Iterable[Metric]:
    yield _gauge("followup_inbox_waiting", "Updates not yet handled.", known.inbox)
    yield _gauge(
        "followup_inbox_oldest_seconds", "Age of the oldest update not yet handled.", age(now, known.inbox_since)
    )
    yield _gauge("followup_inbox_parked", "Updates that failed and that nobody has been told of.", known.parked)


def _of_messages(known: Backlog, now: datetime, allowed: Callable[[int, datetime], datetime]) -> Iterable[Metric]:
    waiting = GaugeMetricFamily("followup_outbox_waiting", "Messages waiting to be sent.", labels=["lane"])
    oldest = GaugeMetricFamily(
        "followup_outbox_oldest_seconds",
        "Since when the oldest message of a lane could have been sent.",
        labels=["lane"],
    )
    for lane, name in enumerate(LANES):
        since = known.outbox_since.get(lane)
        waiting.add_metric([name], known.outbox[lane])
        oldest.add_metric([name], age(now, since and allowed(lane, since)))
    yield from (waiting, oldest)
    yield _gauge(
        "followup_outgoing_failing_seconds",
        "Since when nothing leaves by any way, neither Telegram nor the second channel.",
        age(now, known.failing_since),
    )
    yield _gauge("followup_outbox_sending", "Messages on their way.", known.sending)
    yield _gauge("followup_outbox_unsure", "Messages of unknown fate that were not shown again.", known.unsure)


def _of_work(known: Backlog, now: datetime) -> Iterable[Metric]:
    yield _gauge("followup_agenda_overdue", "Entries due for more than a minute.", known.overdue)
    yield _gauge("followup_agenda_overdue_seconds", "Since when the oldest is due.", age(now, known.overdue_since))
    cases = GaugeMetricFamily("followup_cases_unowned", "Cases that nobody has taken over.", labels=["urgency"])
    oldest = GaugeMetricFamily(
        "followup_case_unowned_seconds", "Since when the oldest of them waits for a person.", labels=["urgency"]
    )
    for urgency in Urgency:
        cases.add_metric([urgency], known.unowned.get(urgency, 0))
        oldest.add_metric([urgency], age(now, known.unowned_since.get(urgency)))
    late = GaugeMetricFamily(
        "followup_cases_overdue", "Open cases that should have moved, as the auditor found.", labels=["urgency"]
    )
    for urgency in Urgency:
        late.add_metric([urgency], known.overdue_cases.get(urgency, 0))
    yield late
    yield _gauge("followup_cases_stuck", "Those of them that do not wait for people.", known.stuck_cases)
    beats = GaugeMetricFamily(
        "followup_heartbeat_age_seconds", "Since a part of the bot last did its work.", labels=["part"]
    )
    for part in PARTS:
        if part in known.beats:
            beats.add_metric([part], age(now, known.beats[part]))
    yield from (cases, oldest, beats)


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, value=float(value))


def age(now: datetime, since: datetime | None) -> float:
    """Return how many seconds have passed ``since`` then, 0 when nothing waits."""
    return max((now - since).total_seconds(), 0.0) if since is not None else 0.0


def page(deps: Deps, metrics: Metrics) -> Handler:
    """Return the handler of /metrics."""
    registry, state = CollectorRegistry(), State(deps, metrics)
    registry.register(metrics)
    registry.register(state)
    ProcessCollector(registry=registry)
    show = make_aiohttp_handler(registry)

    async def answer(request: Request) -> StreamResponse:
        await state.refresh()
        return await show(request)

    return answer
