"""How long does the table of the tablets of a whole site take, with up to 10,000 patients and two years of days?

A database is filled with patients, orders, some holds and a report for each day (set-based, like bench/crowd.py).
Then `/adherence` runs as staff press it, and the two functions below it; a sample of patients must have the same
figures in both.
"""

import argparse
import asyncio
import gc
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, create_engine, text
from sqlmodel import Session, select

from bench import bots, report
from bench.cost import best_of, server_of
from bench.crowd import COUNTED, SETTLED, SIZE, UNCHECKED
from bot.deps import Deps
from bot.domain.people import Caller
from bot.domain.roles import Role
from bot.store.models import AgendaItem, Subject
from bot.store.types import cipher_of
from bot.usecases import adherence, adherence_site
from bot.work import run

SIZES = (100, 1_000, 10_000)
DAYS = 730
SAMPLE = 25
SITE = "/adherence"
ROUNDS = 5
MOST_MS = 300.0
# The letters of a patient's days, again and again from another place: 82 % taken, 9 % without an answer.
PATTERN = "TTTTTTTTTTT?TTTTTTMTTTTTTTTPTTTTTTT?TTTTTMMTTTTTTTTTTT??TTTTTTTTmTTTTTTTTTTTTTTT?TTTTTTPTTTTTTTTTT"

PEOPLE = f"""
INSERT INTO account (id, telegram_id, locale, first_seen_at) VALUES (1, 11, 'en', :past);
INSERT INTO staff_member (id, account_id, role, name, on_duty, granted_at)
VALUES (1, 1, 'coordinator', :sealed, true, :past);
INSERT INTO subject (id, code, site, arm, locale, birth_year, state, timezone, cbc_interval_days, enrolled_at,
    enrolled_by, state_changed_at, dose_rhythm)
{COUNTED} SELECT n, 'S-' || substr(CAST(1000000 + n AS text), 2), 'HZ01', 'TG2', 'zh', 1960, 'on_study',
    'Asia/Shanghai', 7, :past, 'bench', :past, 'daily' FROM counted;
INSERT INTO dose_order (subject_id, formulation, tablets, times_a_day, strength_mg, from_on, ordered_at, ordered_by,
    void) SELECT id, 'dispersible', 2, 1, 250, :begun_on, :past, 'bench', false FROM subject;
INSERT INTO dose_change (subject_id, what, from_on, reason, decided_by, recorded_at, recorded_by, void)
SELECT id, 'hold', :held_on, :sealed, :sealed, :past, 'bench', false FROM subject WHERE id % 10 = 0
UNION ALL
SELECT id, 'resume', :resumed_on, :sealed, :sealed, :past, 'bench', false FROM subject WHERE id % 10 = 0;
"""
# Each day of each patient, its letter, and the report that has this letter.
LETTER = f"substr('{PATTERN}', 1 + (subject.id * 13 + bench_day.i) % {len(PATTERN)}, 1)"
REPORTS = f"""
INSERT INTO dose_report (subject_id, day_on, version, status, reasons, source, reported_at, reported_by)
SELECT subject_id, day_on, 1,
    CASE letter WHEN 'T' THEN 'taken' WHEN 'P' THEN 'partly' WHEN '?' THEN 'not_yet' ELSE 'not_taken' END,
    CASE letter WHEN 'm' THEN '["RAN_OUT"]' WHEN 'M' THEN '["FORGOT"]' ELSE '[]' END{{json}}, 'daily', :past, 'bench'
FROM (SELECT subject.id AS subject_id, day_on, {LETTER} AS letter FROM subject, bench_day
    ORDER BY i, subject.id) AS said;
INSERT INTO dose_month (month_on, subject_id, days)
SELECT month_on, subject_id, substr({{gather}} || '{"." * 31}', 1, 31)
FROM (SELECT subject.id AS subject_id, i, month_on, {LETTER} AS letter FROM subject, bench_day
    ORDER BY month_on, subject.id, i) AS said
GROUP BY month_on, subject_id;
"""
OWN = {
    "postgresql": {"json": "::json", "gather": "string_agg(letter, '' ORDER BY i)"},
    "sqlite": {"json": "", "gather": "group_concat(letter, '')"},  # in the order of its rows
}
INDEX = "ix_dose_report_subject_id"


@dataclass
class Found:
    """What one size showed on one kind of database: milliseconds, except where the name says otherwise."""

    kind: str
    patients: int
    figures: dict[str, float] = field(default_factory=dict)


def fill(deps: Deps, patients: int, today: date) -> float:
    """Put everybody in, until yesterday; return the size of the database in MB (10^6 bytes)."""
    url, kind = deps.store.url, deps.store.url.get_backend_name()
    engine = create_engine(
        url if deps.store.is_sqlite else url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    begun_on = (today - timedelta(days=DAYS)).replace(day=1)
    days = [begun_on + timedelta(days=number) for number in range((today - begun_on).days)]
    moment = AgendaItem.metadata.tables["agenda_item"].c.due_at.type
    month = AgendaItem.metadata.tables["dose_month"].c.month_on.type
    given: dict[str, Any] = {
        "past": (bots.START - timedelta(days=DAYS), moment),
        "begun_on": (begun_on, month),
        "held_on": (today - timedelta(days=40), month),
        "resumed_on": (today - timedelta(days=30), month),
    }
    with engine.connect() as connection:

        def do(script: str, **values: Any) -> None:
            for statement in script.split(";"):
                if not statement.strip():
                    continue
                prepared = text(statement)
                named = [name for name in given if f":{name}" in statement]
                prepared = prepared.bindparams(
                    *(bindparam(name, given[name][0], type_=given[name][1]) for name in named)
                )
                connection.execute(prepared, values)

        do(UNCHECKED[kind])
        do(f"DROP INDEX {INDEX}")
        do(PEOPLE, first=1, last=patients, sealed=cipher_of(deps.store.engine.dialect).seal("-"))
        do("CREATE TEMPORARY TABLE bench_day (i integer PRIMARY KEY, day_on date, month_on date)")
        put = text("INSERT INTO bench_day VALUES (:i, :day_on, :month_on)").bindparams(
            bindparam("day_on", type_=month), bindparam("month_on", type_=month)
        )
        connection.execute(
            put, [{"i": i, "day_on": day, "month_on": day.replace(day=1)} for i, day in enumerate(days)]
        )
        do(REPORTS.format(**OWN[kind]))
        do(f"CREATE INDEX {INDEX} ON dose_report (subject_id)")
        do(SETTLED[kind])
        size = float(connection.execute(text(SIZE[kind])).scalar_one()) / 1e6
    engine.dispose()
    return size


async def measure(url: str, kind: str, patients: int) -> Found:
    found = Found(kind, patients)
    with bots.using(url) as deps:
        today = bots.START.astimezone(deps.settings.zone).date()
        began = time.perf_counter()
        found.figures["database, MB"] = await asyncio.to_thread(fill, deps, patients, today)
        found.figures["filled in, s"] = time.perf_counter() - began
        gc.collect()
        gc.freeze()  # as the bot does when it has started
        nurse = Caller(Role.COORDINATOR, 1, "en", staff_id=1)
        args = {"sort": adherence_site.UNKNOWN, "page": 3, "all": True}
        server = server_of(deps.store.url)
        for name, doing in (
            (SITE, lambda: run(deps, nurse, "bench", adherence_site.show)),
            ("a page of all patients", lambda: run(deps, nurse, "bench", adherence_site.show_page, args)),
            ("the figures alone (of_site)", lambda: deps.store.read(lambda of: adherence.of_site(of, deps, today))),
            ("the file with everybody", lambda: run(deps, nurse, "bench", adherence_site.send_file, {})),
            ("one patient, two years (of)", lambda: deps.store.read(lambda session: _one(session, deps, today))),
        ):
            took = await best_of(server, 1, doing, ROUNDS)
            found.figures[name] = took.wall
            found.figures[f"{name}, processor time"] = took.cpu
        await deps.store.read(lambda session: _agree(session, deps, today))
    return found


def _one(session: Session, deps: Deps, today: date) -> object:
    subject = session.get_one(Subject, 10)
    return adherence.of(session, deps, subject, date(2000, 1, 1), today - timedelta(days=1))


def _agree(session: Session, deps: Deps, today: date) -> None:
    """Compare patients from all over the site in both ways."""
    rows = adherence.of_site(session, deps, today)
    for row in rows[:: max(1, len(rows) // SAMPLE)]:
        subject = session.exec(select(Subject).where(Subject.code == row.code)).one()
        summary = adherence.of(session, deps, subject, date(2000, 1, 1), today - timedelta(days=1))
        assert summary is not None
        assert (row.recent, row.before) == (summary.recent, summary.before), row.code


# The report


def shown(found: Sequence[Found]) -> str:
    rows = []
    for name in found[0].figures:
        base = found[0].figures[name]
        rows.append([name, *(f"{each.figures[name]:,.1f} ({each.figures[name] / base:.1f})" for each in found)])
    return report.table(["milliseconds", *(f"{each.patients:,} patients" for each in found)], rows)


NOTE = f"""In brackets: the ratio to the fewest patients. Wall times are the best of {ROUNDS}, for others used the
machine too (load average at the end: {{load:.1f}}; above 2 its cores were not enough). Processor time is that of the
bot and of the database. Each patient has a report for each of at least {DAYS} days and an order, every tenth a hold
of ten days. `/adherence` is the whole use case: the figures of everybody, the sorting, the message with its buttons
and the entry of the audit trail, committed. {SAMPLE} patients of each size were compared with their own summary. What
grows is one row a patient and month ([decision 0058](../decisions/0058-a-month-is-a-word-of-letters.md))."""


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--write", action="store_true", help="write docs/evidence/adherence.md")
    given = parser.parse_args()
    found: dict[str, list[Found]] = {"sqlite": [], "postgresql": []}
    with bots.databases() as fresh:
        for patients in given.patients:
            for kind, of_kind in found.items():
                # The file of one size is gone before the next is made.
                with tempfile.TemporaryDirectory() as folder:
                    url = fresh() if kind == "postgresql" else f"sqlite:///{Path(folder) / 'bench.sqlite3'}"
                    of_kind.append(await measure(url, kind, patients))
                sys.stderr.write(f"{of_kind[-1]}\n")
    broken = [
        f"{kind}: /adherence takes {each.figures['/adherence']:.0f} ms with {each.patients:,} patients"
        for kind, of_kind in found.items()
        for each in of_kind
        if each.figures[SITE] > MOST_MS
    ]
    body = "\n\n".join(
        [
            f"`/adherence` must take less than {MOST_MS:.0f} ms with 10,000 patients and two years of days.",
            *(
                f"## {name}\n\n{shown(found[kind])}"
                for kind, name in (("sqlite", "SQLite"), ("postgresql", "PostgreSQL"))
            ),
            f"## Promises not kept\n\n{report.promises(broken)}",
        ]
    )
    command = f"python -m bench.adherence --patients {' '.join(map(str, given.patients))}"
    title = "How long does the table of the tablets of a site take?"
    note = NOTE.format(load=os.getloadavg()[0])
    return report.finish("adherence", title, command, body, broken, to_file=given.write, note=note)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
