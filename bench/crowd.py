"""How does a PostgreSQL come to hold a million subjects in minutes? The server makes the rows, shaped as the bot's.

Each subject is on study, has an account with a link, a blood count and (nine of ten) an injection planned with
their reminders, and a past: a visit, messages, an update, audit entries. Every other one takes tablets. Sealed
columns hold what the cipher made, one value for all rows.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlmodel import SQLModel

from bench.bots import START
from bot.cipher import Cipher

FIRST_CHAT = 10_000_000
BOT_ID = 123_456_789
AUDIT_ENTRIES = 2  # of each subject
# Ids of visits: blood counts come first, then injections, then those that were held.
TABLETS = "mod(n, 2) = 0"

SUBJECTS = f"""
INSERT INTO account (id, telegram_id, locale, first_seen_at)
SELECT n, {FIRST_CHAT} + n, CASE WHEN mod(n, 4) < 2 THEN 'zh' ELSE 'en' END, %(past)s
FROM generate_series(1, %(many)s) n;

INSERT INTO subject (id, code, site, arm, locale, birth_year, state, timezone, cbc_interval_days,
    injection_interval_days, first_injection_on, reminder_at, phone, enrolled_at, enrolled_by, state_changed_at)
SELECT n, 'S-' || lpad(n::text, 7, '0'), 'HZ01', CASE WHEN {TABLETS} THEN 'TG2' ELSE 'TG1' END,
    CASE WHEN mod(n, 4) < 2 THEN 'zh' ELSE 'en' END, 1960, 'on_study', 'Asia/Shanghai', 7, 21, %(day)s::date - 14,
    '18:00', %(phone)s, %(past)s, 'command:bench', %(past)s FROM generate_series(1, %(many)s) n;

INSERT INTO link (id, account_id, subject_id, relation, linked_at, agreed_at)
SELECT n, n, n, 'patient', %(past)s, %(past)s FROM generate_series(1, %(many)s) n;

INSERT INTO account (id, telegram_id, locale, first_seen_at) VALUES (%(many)s + 1, 11, 'en', %(past)s);
INSERT INTO staff_member (id, account_id, role, name, on_duty, granted_at)
VALUES (1, %(many)s + 1, 'coordinator', %(phone)s, true, %(past)s);

INSERT INTO dose_order (subject_id, formulation, tablets, strength_mg, from_on, ordered_at, ordered_by)
SELECT n, 'dispersible', 2, 250, %(day)s::date - 14, %(past)s, 'command:bench'
FROM generate_series(1, %(many)s) n WHERE {TABLETS};
INSERT INTO dose_prompted (subject_id, day_on, asked_at)
SELECT n, %(day)s::date - 1, %(past)s FROM generate_series(1, %(many)s) n WHERE {TABLETS};
INSERT INTO dose_report (subject_id, day_on, version, status, reported_at, reported_by)
SELECT n, %(day)s::date - 1, 1, 'taken', %(past)s, 'patient' FROM generate_series(1, %(many)s) n WHERE {TABLETS};

INSERT INTO visit (id, subject_id, kind, target_on, first_on, last_on, plan_version, state, planned_at)
SELECT n, n, 'cbc', on_day, on_day - 1, on_day + 1, 1, 'planned', %(past)s
FROM (SELECT n, %(day)s::date + 1 + mod(n, 7) AS on_day FROM generate_series(1, %(many)s) n) planned
UNION ALL
SELECT %(many)s + n, n, 'injection', on_day, on_day, on_day + 3, 1, 'planned', %(past)s
FROM (SELECT n, %(day)s::date + 8 + mod(n, 14) AS on_day FROM generate_series(1, %(many)s) n) planned
WHERE mod(n, 10) > 0
UNION ALL
SELECT 2 * %(many)s + n, n, 'cbc', %(day)s::date - 6, %(day)s::date - 7, %(day)s::date - 5, 1, 'done', %(past)s
FROM generate_series(1, %(many)s) n;
INSERT INTO visit_record (visit_id, version, outcome, held_on, recorded_at, recorded_by)
SELECT 2 * %(many)s + n, 1, 'done', %(day)s::date - 6, %(past)s, 'staff:1' FROM generate_series(1, %(many)s) n;
"""

AGENDA = f"""
INSERT INTO agenda_item (kind, key, about_id, subject_id, detail, due_at, useful_until, state)
SELECT 'visit.reminder', 'reminder:' || visit.id || ':1:' || code, visit.id, subject_id,
    json_build_object('text', 'reminder.visit.' || code, 'version', 1),
    (target_on - before + at) AT TIME ZONE 'Asia/Shanghai', (target_on + 1)::timestamp AT TIME ZONE 'Asia/Shanghai',
    'waiting'
FROM visit, (VALUES ('day_3', 3, time '10:00'), ('day_1', 1, time '18:00'), ('same_day', 0, time '08:00'))
    AS rule (code, before, at)
WHERE visit.state = 'planned' AND target_on - before + at > %(day)s::date + time '12:00';

INSERT INTO agenda_item (kind, key, about_id, subject_id, detail, due_at, useful_until, state)
SELECT 'dose.prompt', 'dose:' || n || ':' || %(day)s::date, n, n, json_build_object('day', %(day)s::date),
    (%(day)s::date + time '18:00') AT TIME ZONE 'Asia/Shanghai',
    (%(day)s::date + 1)::timestamp AT TIME ZONE 'Asia/Shanghai', 'waiting'
FROM generate_series(1, %(many)s) n WHERE {TABLETS};

INSERT INTO agenda_item (kind, key, about_id, subject_id, detail, due_at, state, reason, closed_at)
SELECT 'visit.reminder', 'reminder:' || 2 * %(many)s + n || ':1:day_1', 2 * %(many)s + n, n, '{{}}', %(past)s, 'done',
    'reminded', %(past)s FROM generate_series(1, %(many)s) n;
"""

PAST = f"""
INSERT INTO outbox_message (account_id, chat_id, subject_id, purpose, about_id, lane, method, text_key, "values",
    text, locale, keyboard, token, single_use, silent, secret, dedupe_key, created_at, due_at, state, attempts,
    claimed_at, epoch, closed_at, message_id)
SELECT n, {FIRST_CHAT} + n, n, 'visit.reminder', 2 * %(many)s + n, 3, 'send', 'reminder.visit.day_1', %(phone)s,
    %(text)s, 'zh', %(text)s, md5(n || ':' || copy), true, false, false, 'past:' || n || ':' || copy, %(past)s,
    %(past)s, 'sent', 1, %(past)s, 1, %(past)s, n
FROM generate_series(1, %(many)s) n, generate_series(1, 2) copy;

INSERT INTO inbox_update (bot_id, update_id, chat_id, raw, received_at, state, attempts, closed_at)
SELECT {BOT_ID}, n, {FIRST_CHAT} + n, %(text)s, %(past)s, 'done', 0, %(past)s FROM generate_series(1, %(many)s) n;

INSERT INTO audit_entry (at, actor, cause, what, entity, entity_id, changes)
SELECT %(past)s, 'bot', 'command:bench', kind || '.created', kind, n,
    json_build_object('state', json_build_array(null, 'planned'))
FROM generate_series(1, %(many)s) n, (VALUES ('subject'), ('visit')) AS entity (kind);
"""

# What a part of a measurement makes due or adds.
DUE_REMINDERS = """UPDATE agenda_item SET due_at = %(now)s WHERE state = 'waiting' AND key IN (
SELECT 'reminder:' || %(first)s + n * %(step)s || ':1:same_day' FROM generate_series(0, %(due)s - 1) n)"""
DUE_PROMPTS = """UPDATE agenda_item SET due_at = %(now)s WHERE state = 'waiting' AND key IN (
SELECT 'dose:' || 2 * (%(first)s + n * %(step)s) || ':2026-11-02' FROM generate_series(0, %(due)s - 1) n)"""
OUTBOX_BACKLOG = f"""
INSERT INTO outbox_message (account_id, chat_id, subject_id, purpose, lane, method, text_key, "values", text, locale,
    single_use, silent, secret, dedupe_key, created_at, due_at, state, attempts)
SELECT 1 + mod(n, %(many)s), {FIRST_CHAT} + 1 + mod(n, %(many)s), 1 + mod(n, %(many)s), 'visit.reminder', 3, 'send',
    'reminder.visit.day_1', %(phone)s, %(text)s, 'zh', false, false, false, 'backlog:' || n, %(now)s, %(now)s,
    'waiting', 0
FROM generate_series(%(from)s, %(to)s - 1) n"""
INBOX_BACKLOG = f"""
INSERT INTO inbox_update (bot_id, update_id, chat_id, raw, received_at, state, attempts)
SELECT {BOT_ID}, %(many)s * 2 + n, {FIRST_CHAT} + 1 + mod(n, %(many)s), %(text)s, %(now)s, 'waiting', 0
FROM generate_series(0, %(to)s - 1) n"""


class Crowd:
    """Writes rows into a database whose tables are there."""

    def __init__(self, url: str, key: str, many: int) -> None:
        self.many = many
        cipher = Cipher(key)
        self._connection = psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor)
        # What the server makes here refers to rows that it made before, so nothing is checked row by row.
        self._connection.execute("SET session_replication_role = replica")
        self._connection.execute("SET maintenance_work_mem = '512MB'")
        self._given: dict[str, Any] = {
            "many": many,
            "day": START.date(),
            "now": START,
            "past": START - timedelta(days=1),
            "phone": cipher.seal("0571-0000-0000"),
            "text": cipher.seal("Tomorrow is your blood count. " * 6),
        }

    def fill(self) -> None:
        """Put everybody in."""
        # Made at the end, an index is sorted once instead of being searched for each row.
        found = self._connection.execute("SELECT indexname, indexdef FROM pg_indexes WHERE indexname LIKE 'ix_%'")
        indexes = found.fetchall()
        for name, _ in indexes:
            self.run(f"DROP INDEX {name}")
        for script in (SUBJECTS, AGENDA, PAST):
            self.run(script)
        for _, definition in indexes:
            self.run(definition)
        for table in SQLModel.metadata.sorted_tables:
            if "id" in table.columns:
                self.run(f"SELECT setval('{table.name}_id_seq', (SELECT coalesce(max(id), 1) FROM {table.name}))")
        self.settle()

    def settle(self) -> None:
        """Do what the server does by itself after a while: tidy up, count, and write to disk what it holds."""
        self.run("VACUUM ANALYZE")
        self.run("CHECKPOINT")

    def run(self, script: str, **more: Any) -> int:
        """Run statements with the values that they name; return how many rows the last one touched."""
        return self._connection.execute(script, {**self._given, **more}).rowcount

    def size(self) -> float:
        """Return the size of the database in MB (10^6 bytes)."""
        ((size,),) = self._connection.execute("SELECT pg_database_size(current_database())").fetchall()
        return float(size) / 1e6

    def server(self) -> int:
        """Return the process that is the parent of all processes of the server."""
        stat = Path(f"/proc/{self._connection.info.backend_pid}/stat").read_text()
        return int(stat.rpartition(")")[2].split()[1])

    def close(self) -> None:
        self._connection.close()
