"""How does a database come to hold a million subjects in minutes? It makes the rows itself, shaped as the bot's.

Each subject is on study, has an account with a link, a blood count and (nine of ten) an injection planned with
their reminders and what follows, and a past: visits, messages, an update, audit entries. Every other one takes
tablets. Sealed columns hold what the cipher made, one value for all rows.

The statements are the same on SQLite and PostgreSQL: days and moments, which each reckons in its own way, are worked
out here by the rules of the bot and lie in small temporary tables.
"""

from collections.abc import Iterator
from datetime import date, time, timedelta
from hashlib import md5
from itertools import zip_longest
from typing import Any

from sqlalchemy import JSON, Column, Date, Integer, MetaData, Table, Text, Time, create_engine, text
from sqlmodel import SQLModel

from bench import cost
from bench.bots import START
from bot.deps import Deps
from bot.domain import reminders as reminder_rules
from bot.domain.reminders import ChaseAct, daily_at
from bot.domain.visits import VisitKind, overdue_on
from bot.store.models import AgendaItem
from bot.store.planner import COUNT_ROWS
from bot.store.types import cipher_of
from bot.usecases import overdue, visit_reminders

FIRST_CHAT = 10_000_000
BOT_ID = 123_456_789
AUDIT_ENTRIES = 2  # of each subject
HOUR = time(18)  # at which patients want to be asked
# Ids of visits: blood counts come first, then injections, then those that were held.
TABLETS = "n % 2 = 0"
COUNTED = """WITH RECURSIVE counted (n) AS
(SELECT CAST(:first AS integer) UNION ALL SELECT n + 1 FROM counted WHERE n < :last)"""

_NAMES = MetaData()
_MOMENT = AgendaItem.metadata.tables["agenda_item"].c.due_at.type
NUMBER = Table("number", _NAMES, Column("n", Integer, primary_key=True), prefixes=["TEMPORARY"])
GIVEN = Table(
    "given",
    _NAMES,
    Column("day", Date),
    Column("yesterday", Date),
    Column("begun_on", Date),
    Column("now", _MOMENT),
    Column("past", _MOMENT),
    Column("prompt_at", _MOMENT),
    Column("prompt_until", _MOMENT),
    Column("hour", Time),
    Column("prompt", JSON),
    Column("made", JSON),
    Column("empty", JSON),
    Column("phone", Text),
    Column("words", Text),
    prefixes=["TEMPORARY"],
)
# Visits that are planned, by the place that the number of a subject gives it, and those that were held.
DAYS = Table(
    "days",
    _NAMES,
    Column("state", Text),
    Column("kind", Text),
    Column("place", Integer),
    Column("target_on", Date),
    Column("first_on", Date),
    Column("last_on", Date),
    prefixes=["TEMPORARY"],
)
# What hangs on a planned visit of a kind and a day.
COMING = Table(
    "coming",
    _NAMES,
    Column("visit_kind", Text),
    Column("target_on", Date),
    Column("kind", Text),
    Column("beginning", Text),
    Column("ending", Text),
    Column("detail", JSON),
    Column("due_at", _MOMENT),
    Column("useful_until", _MOMENT),
    prefixes=["TEMPORARY"],
)

SUBJECTS = f"""
INSERT INTO account (id, telegram_id, locale, first_seen_at)
SELECT n, {FIRST_CHAT} + n, CASE WHEN n % 4 < 2 THEN 'zh' ELSE 'en' END, past FROM number, given;

INSERT INTO subject (id, code, site, arm, locale, birth_year, state, timezone, cbc_interval_days,
    injection_interval_days, first_injection_on, reminder_at, phone, enrolled_at, enrolled_by, state_changed_at)
SELECT n, 'S-' || substr(CAST(10000000 + n AS text), 2), 'HZ01', CASE WHEN {TABLETS} THEN 'TG2' ELSE 'TG1' END,
    CASE WHEN n % 4 < 2 THEN 'zh' ELSE 'en' END, 1960, 'on_study', 'Asia/Shanghai', 7, 21,
    CASE WHEN n % 10 > 0 THEN begun_on END, hour, phone, past, 'command:bench', past FROM number, given;

INSERT INTO link (id, account_id, subject_id, relation, linked_at, agreed_at)
SELECT n, n, n, 'patient', past, past FROM number, given;

INSERT INTO account (id, telegram_id, locale, first_seen_at) SELECT :many + 1, 11, 'en', past FROM given;
INSERT INTO staff_member (id, account_id, role, name, on_duty, granted_at)
SELECT 1, :many + 1, 'coordinator', phone, true, past FROM given;

INSERT INTO dose_order (subject_id, formulation, tablets, strength_mg, from_on, ordered_at, ordered_by)
SELECT n, 'dispersible', 2, 250, begun_on, past, 'command:bench' FROM number, given WHERE {TABLETS};
INSERT INTO dose_prompted (subject_id, day_on, asked_at)
SELECT n, yesterday, past FROM number, given WHERE {TABLETS};
INSERT INTO dose_report (subject_id, day_on, version, status, reported_at, reported_by)
SELECT n, yesterday, 1, 'taken', past, 'patient' FROM number, given WHERE {TABLETS};

INSERT INTO visit (id, subject_id, kind, target_on, first_on, last_on, plan_version, state, planned_at)
SELECT n, n, kind, target_on, first_on, last_on, 1, state, past
FROM number, given, days WHERE state = 'planned' AND kind = 'cbc' AND place = n % 7
UNION ALL
SELECT :many + n, n, kind, target_on, first_on, last_on, 1, state, past
FROM number, given, days WHERE state = 'planned' AND kind = 'injection' AND place = n % 14 AND n % 10 > 0
UNION ALL
SELECT (2 + place) * :many + n, n, kind, target_on, first_on, last_on, 1, state, past
FROM number, given, days WHERE state = 'done' AND (kind = 'cbc' OR n % 10 > 0);
INSERT INTO visit_record (visit_id, version, outcome, held_on, recorded_at, recorded_by)
SELECT id, 1, state, target_on, past, 'staff:1' FROM visit, given WHERE state = 'done';
"""

AGENDA = f"""
INSERT INTO agenda_item (kind, key, about_id, subject_id, detail, due_at, useful_until, state)
SELECT coming.kind, beginning || visit.id || ending, visit.id, subject_id, detail, due_at, useful_until, 'waiting'
FROM visit JOIN coming ON visit.state = 'planned' AND visit_kind = visit.kind AND coming.target_on = visit.target_on;

INSERT INTO agenda_item (kind, key, about_id, subject_id, detail, due_at, useful_until, state)
SELECT 'dose.prompt', 'dose:' || n || ':' || day, n, n, prompt, prompt_at, prompt_until, 'waiting'
FROM number, given WHERE {TABLETS};

INSERT INTO agenda_item (kind, key, about_id, subject_id, detail, due_at, state, reason, closed_at)
SELECT 'visit.reminder', 'visit.reminder:' || (2 * :many + n) || ':1:day_1', 2 * :many + n, n, empty, past, 'done',
    'reminded', past FROM number, given;
"""

PAST = f"""
INSERT INTO outbox_message (account_id, chat_id, subject_id, purpose, about_id, lane, method, text_key, "values",
    text, locale, keyboard, token, single_use, silent, secret, dedupe_key, created_at, due_at, state, attempts,
    claimed_at, epoch, closed_at, message_id)
SELECT n, {FIRST_CHAT} + n, n, 'visit.reminder', 2 * :many + n, 3, 'send', 'reminder.visit.day_1', phone, words, 'zh',
    words, md5(n || ':' || column1), true, false, false, 'past:' || n || ':' || column1, past, past, 'sent', 1, past,
    1, past, n
FROM number, given, (VALUES (1), (2)) AS copy;

INSERT INTO inbox_update (bot_id, update_id, chat_id, raw, received_at, state, attempts, closed_at)
SELECT {BOT_ID}, n, {FIRST_CHAT} + n, words, past, 'done', 0, past FROM number, given;

INSERT INTO audit_entry (at, actor, cause, what, entity, entity_id, changes)
SELECT past, 'bot', 'command:bench', column1 || '.created', column1, n, made
FROM number, given, (VALUES ('subject'), ('visit')) AS entity;
"""

# What a part of a measurement makes due or adds.
DUE_REMINDERS = f"""UPDATE agenda_item SET due_at = (SELECT now FROM given) WHERE state = 'waiting' AND key IN (
{COUNTED} SELECT 'visit.reminder:' || (:begin + n * :step) || ':1:same_day' FROM counted)"""
DUE_PROMPTS = f"""UPDATE agenda_item SET due_at = (SELECT now FROM given) WHERE state = 'waiting' AND key IN (
{COUNTED} SELECT 'dose:' || (2 * (:begin + n * :step)) || ':' || day FROM counted, given)"""
OUTBOX_BACKLOG = f"""
INSERT INTO outbox_message (account_id, chat_id, subject_id, purpose, lane, method, text_key, "values", text, locale,
    single_use, silent, secret, dedupe_key, created_at, due_at, state, attempts)
{COUNTED} SELECT 1 + n % :many, {FIRST_CHAT} + 1 + n % :many, 1 + n % :many, 'visit.reminder', 3, 'send',
    'reminder.visit.day_1', phone, words, 'zh', false, false, false, 'backlog:' || n, now, now, 'waiting', 0
FROM counted, given"""
INBOX_BACKLOG = f"""
INSERT INTO inbox_update (bot_id, update_id, chat_id, raw, received_at, state, attempts)
{COUNTED} SELECT {BOT_ID}, :many * 2 + n, {FIRST_CHAT} + 1 + n % :many, words, now, 'waiting', 0
FROM counted, given"""

INDEXES = {
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE indexname LIKE 'ix_%'",
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND name LIKE 'ix_%'",
}
SIZE = {
    "postgresql": "SELECT pg_database_size(current_database())",
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
}
# What is made here refers to rows that were made before, so nothing is checked row by row. (SQLite checks only
# where it is asked to; that it waits for the disk at the end alone is undone by nobody: the bot opens anew.)
UNCHECKED = {
    "postgresql": "SET session_replication_role = replica; SET maintenance_work_mem = '512MB'",
    "sqlite": "PRAGMA synchronous = OFF; PRAGMA cache_size = -200000",
}
SETTLED = {
    "postgresql": "VACUUM ANALYZE; CHECKPOINT",
    "sqlite": "; ".join([*COUNT_ROWS, "PRAGMA wal_checkpoint(TRUNCATE)"]),
}


class Crowd:
    """Writes rows into the database of ``deps``, whose tables are there."""

    def __init__(self, deps: Deps, many: int) -> None:
        self.many = many
        url = deps.store.url
        self.server = cost.server_of(url)
        self._engine = create_engine(
            url if deps.store.is_sqlite else url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
        )
        self._connection = self._engine.connect()
        self._kind = url.get_backend_name()
        if deps.store.is_sqlite:
            raw: Any = self._connection.connection.driver_connection
            raw.create_function("md5", 1, lambda told: md5(told.encode()).hexdigest(), deterministic=True)
        self.run(UNCHECKED[self._kind])
        _NAMES.create_all(self._connection)
        self._give(deps)

    def _give(self, deps: Deps) -> None:
        seal, day, zone = cipher_of(deps.store.engine.dialect).seal, START.date(), deps.settings.zone
        values = {
            "day": day,
            "yesterday": day - timedelta(days=1),
            "begun_on": day - timedelta(days=14),
            "now": START,
            "past": START - timedelta(days=1),
            "prompt_at": daily_at(day, HOUR, zone),
            "prompt_until": daily_at(day + timedelta(days=1), time(0), zone),
            "hour": HOUR,
            "prompt": {"day": day.isoformat()},
            "made": {"state": [None, "planned"]},
            "empty": {},
            "phone": seal("0571-0000-0000"),
            "words": seal("Tomorrow is your blood count. " * 6),
        }
        self._connection.execute(GIVEN.insert(), values)
        days = list(_days(day))
        self._connection.execute(DAYS.insert(), days)
        coming = [row for each in days if each["state"] == "planned" for row in _coming(deps, each)]
        self._connection.execute(COMING.insert(), coming)
        self.run(f"INSERT INTO number {COUNTED} SELECT n FROM counted", first=1, last=self.many)

    def fill(self) -> None:
        """Put everybody in."""
        # Made at the end, an index is sorted once instead of being searched for each row.
        indexes = self._connection.execute(text(INDEXES[self._kind])).all()
        for name, _ in indexes:
            self.run(f"DROP INDEX {name}")
        for script in (SUBJECTS, AGENDA, PAST):
            self.run(script)
        for _, definition in indexes:
            self.run(definition)
        if self._kind == "postgresql":
            for table in SQLModel.metadata.sorted_tables:
                if "id" in table.columns:
                    self.run(f"SELECT setval('{table.name}_id_seq', (SELECT coalesce(max(id), 1) FROM {table.name}))")
        self.settle()

    def settle(self) -> None:
        """Do what the server does by itself after a while: tidy up, count, and write to disk what it holds."""
        self.run(SETTLED[self._kind])

    def run(self, script: str, **more: Any) -> int:
        """Run statements with the values that they name; return how many rows the last one touched."""
        touched = 0
        for statement in script.split(";"):
            if statement.strip():
                touched = self._connection.execute(text(statement), {"many": self.many, **more}).rowcount
        return touched

    def size(self) -> float:
        """Return the size of the database in MB (10^6 bytes)."""
        return float(self._connection.execute(text(SIZE[self._kind])).scalar_one()) / 1e6

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()


def _days(day: date) -> Iterator[dict[str, Any]]:
    def visit(state: str, kind: VisitKind, place: int, ahead: int, before: int, after: int) -> dict[str, Any]:
        on = day + timedelta(days=ahead)
        window = {"first_on": on - timedelta(days=before), "last_on": on + timedelta(days=after)}
        return {"state": state, "kind": kind.value, "place": place, "target_on": on, **window}

    # None is tomorrow: with the reminder of the day before, the limit of messages a day would be reached.
    for place in range(7):
        yield visit("planned", VisitKind.CBC, place, 2 + place, 1, 1)
    for place in range(14):
        yield visit("planned", VisitKind.INJECTION, place, 9 + place, 0, 3)
    yield visit("done", VisitKind.CBC, 0, -6, 1, 1)
    yield visit("done", VisitKind.INJECTION, 1, -14, 0, 3)


def _coming(deps: Deps, visit: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return what the bot enters in the agenda for a visit that it plans."""
    protocol, zone, on = deps.protocol, deps.settings.zone, visit["target_on"]

    def item(kind: str, beginning: str, ending: str, due_at: object, until: object, **detail: str) -> dict[str, Any]:
        return {
            "visit_kind": visit["kind"],
            "target_on": on,
            "kind": kind,
            "beginning": f"{beginning}:",
            "ending": f":1:{ending}",
            "detail": {"version": 1, **detail},
            "due_at": due_at,
            "useful_until": until,
        }

    quiet, ends = protocol.quiet_hours, protocol.visit_day_ends
    for due in reminder_rules.reminders_for(on, protocol.reminders, zone, quiet, START, HOUR, ends):
        kind = visit_reminders.REMINDER
        yield item(kind, kind, due.code, due.due_at, due.useful_until, code=due.code, text=due.text)
    chase = reminder_rules.chase_moments(on, protocol.missed_visit, zone, quiet)
    for (step, moment), following in zip_longest(chase, chase[1:]):
        asks = step.act is ChaseAct.ASK_SUBJECT
        kind = visit_reminders.CHASE if asks else visit_reminders.UNANSWERED
        yield item(kind, kind, step.code, moment, following[1] if asks and following else None, code=step.code)
    for status, urgency in overdue.LEVELS:
        day = overdue_on(protocol.visits[VisitKind(visit["kind"])], on, status, deps.clinic)
        yield item(
            overdue.OVERDUE, "overdue", urgency, daily_at(day, protocol.yellow_at, zone), None, urgency=urgency
        )
