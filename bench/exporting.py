"""How long does an export take, and how much memory, after two years of 90 subjects?

Databases of both kinds are filled with what such a trial leaves behind: a tablets question and two messages a day, a
check-in and a blood count a week, an injection every three weeks, some cases, and an audit entry for each record.
"""

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session

from bench import postgres, report
from bench.people import TOKEN
from bot.cipher import Cipher
from bot.clock import SetClock
from bot.deps import Deps
from bot.domain.people import BOT
from bot.exports import files, making
from bot.protocol.clinic import load_clinic
from bot.protocol.load import bundled
from bot.settings import Settings
from bot.store import chain, schema
from bot.store.models import (
    Account,
    Answer,
    AuditEntry,
    DoseReport,
    Escalation,
    EscalationStep,
    Link,
    Measurement,
    OutboxMessage,
    Response,
    Visit,
    VisitRecord,
)
from bot.store.session import Store
from bot.texts import bundled_texts
from bot.usecases import import_subjects
from bot.work import Work

START = datetime(2026, 1, 5, 0, tzinfo=UTC)
SUBJECTS, DAYS = 90, 730
LONGEST = 60.0  # seconds of work, promised
KINDS = ("SQLite", "PostgreSQL")
HEADER = (
    "code,arm,locale,birth_year,weight_kg,first_injection_on,cbc_interval_days,injection_interval_days,"
    "formulation,strength_mg,tablets\n"
)
ARMS = (
    "TG2,zh,1960,60,2026-01-05,7,21,dispersible,250,2",
    "TG1,zh,1970,70,2026-01-05,7,21,,,",
    "CTRL,en,1980,55,,7,,,,",
)
COUNT = ("hb", "plt", "wbc", "anc")
BY = "patient:1"


def fill(deps: Deps, subjects: int, days: int, seed: int) -> None:
    """Fill an empty database."""
    lines = "".join(f"S-{number:03},{ARMS[number % 3]}\n" for number in range(1, subjects + 1))
    deps.store.write_now(
        lambda session: import_subjects.import_subjects(Work(session, deps, BOT, "bench", START), HEADER + lines)
    )
    # Made beforehand: PostgreSQL ends a transaction in which nothing happens for so long.
    rows = _rows(deps, subjects, days, seed)

    def put(session: Session) -> None:
        for model, values in rows.items():
            for first in range(0, len(values), 5_000):
                session.connection().execute(insert(model), values[first : first + 5_000])

    deps.store.write_now(put)


def _rows(deps: Deps, subjects: int, days: int, seed: int) -> dict[Any, list[dict[str, Any]]]:
    """Return what such a trial leaves behind, by table."""
    drawn = random.Random(seed)
    rows: dict[Any, list[dict[str, Any]]] = {}

    def add(model: Any, **values: Any) -> int:
        of = rows.setdefault(model, [])
        of.append(model(id=offset.get(model, 0) + len(of) + 1, **values).model_dump())
        return int(of[-1]["id"])

    offset = {Visit: 10 * subjects, AuditEntry: 1_000_000}
    weekly = [item for item in deps.protocol.questionnaires["weekly"].items if item.kind == "score"]
    for number in range(1, subjects + 1):
        add(Account, telegram_id=1_000 + number, locale="zh", first_seen_at=START)
        add(Link, account_id=number, subject_id=number, relation="patient", linked_at=START)
        for day in range(days):
            _day(add, drawn, number, START + timedelta(days=day), day, weekly)
    return rows


def _day(add: Any, drawn: random.Random, number: int, at: datetime, day: int, weekly: list[Any]) -> None:
    on = at.date()
    for key in ("dose.prompt", "visit.remind"):
        add(
            OutboxMessage, account_id=number, chat_id=number, subject_id=number, purpose="answer", lane=3,
            text_key=key, values="{}", text="药" * 40, locale="zh", created_at=at, due_at=at, state="sent",
            closed_at=at,
        )  # fmt: skip
    if number % 3 == 1 and drawn.random() < 0.9:
        status = drawn.choice(("taken", "taken", "taken", "partly", "not_taken"))
        reasons = ["FORGOT"] if status == "not_taken" else []
        add(DoseReport, subject_id=number, day_on=on, status=status, reasons=reasons, reported_at=at, reported_by=BY)
    if day % 7 == 0:
        kept = add(
            Response, subject_id=number, account_id=number, questionnaire="weekly", questionnaire_version="1.0",
            locale="zh", reported_by=BY, opened_at=at, submitted_at=at, urgency="green",
        )  # fmt: skip
        for item in weekly:
            value = json.dumps(str(drawn.randrange(5)))
            add(
                Answer, response_id=kept, item=item.id, value=value, said=value, locale="zh", given_at=at, given_by=BY
            )
        for measure in COUNT:
            add(
                Measurement, subject_id=number, occasion=f"{number}-{day}", measure=measure,
                value=Decimal(drawn.randrange(10, 900)) / 10, said="61", taken_on=on, source="staff", verified=True,
                urgency="green", entered_at=at, entered_by="staff:1:coordinator",
            )  # fmt: skip
    if day % 7 == 0:
        kind = "injection" if day % 21 == 0 and number % 3 else "cbc"
        window = {"target_on": on, "first_on": on, "last_on": on}
        kept = add(Visit, subject_id=number, kind=kind, state="done", planned_at=at, **window)
        add(VisitRecord, visit_id=kept, outcome="done", held_on=on, recorded_at=at, recorded_by="staff:1:coordinator")
    if day % 60 == 0:
        kept = add(
            Escalation, subject_id=number, kind="request", urgency="yellow", state="resolved", chain={}, summary="[]",
            raised_by=BY, opened_at=at, chain_started_at=at,
        )  # fmt: skip
        for what in ("raised", "paged", "viewed", "resolved"):
            add(EscalationStep, escalation_id=kept, what=what, at=at, by="bot")
    for _ in range(8 if day % 7 == 0 else 2):
        add(
            AuditEntry, at=at, actor=BY, cause="update:1", what="answer.created", entity="answer", entity_id=day,
            changes={"item": [None, "pain_severity"], "value": [None, "(sealed)"], "said": [None, "(sealed)"]},
        )  # fmt: skip


@contextmanager
def opened(url: str, key: str) -> Iterator[Deps]:
    settings = Settings(_env_file=None, telegram_token=TOKEN, encryption_key=key, site_phone="0", database_url=url)
    store = Store(url, Cipher(key))
    try:
        yield Deps(store, SetClock(START), bundled(), bundled_texts(), settings, load_clinic(None))
    finally:
        store.close()


def measure(url: str, key: str, audit_trail: bool) -> dict[str, float]:
    """Export once, in a process of its own; return what it took."""
    with opened(url, key) as deps, tempfile.TemporaryDirectory() as place:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        target, wanted = Path(place) / "out.zip", making.Wanted(audit_trail=audit_trail)
        began, worked = time.monotonic(), time.process_time()
        with making.placed(target) as folder:
            made = deps.store.read_now(lambda session: making.write(session, deps, wanted, folder, START))
        took, busy = time.monotonic() - began, time.process_time() - worked
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.monotonic()
        files.check(target)
        return {
            "rows": made.rows,
            "seconds": took,
            "processor": busy,
            "check": time.monotonic() - began,
            "megabytes": target.stat().st_size / 1e6,
            "memory": (peak - before) / 1024,
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=SUBJECTS)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--databases", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write docs/evidence/export.md")
    given = parser.parse_args()
    key, rows, broken = Cipher.new_key(), [], []
    with tempfile.TemporaryDirectory() as place, ExitStack() as servers:
        for kind in given.databases:
            url = f"sqlite:///{place}/bench.sqlite3"
            if kind != "SQLite":
                url = postgres.create(servers.enter_context(postgres.served()).get_uri())
            with opened(url, key) as deps:
                schema.upgrade(deps.store)
                fill(deps, given.subjects, given.days, given.seed)
                chain.seal_all(deps.store, START)
            for what, audit_trail in (("terminal", True), ("chat", False)):
                with ProcessPoolExecutor(1) as apart:
                    found = apart.submit(measure, url, key, audit_trail).result()
                figures = [f"{found[name]:,.1f}" for name in ("seconds", "processor", "check", "megabytes", "memory")]
                rows.append([kind, what, f"{found['rows']:,.0f}", *figures])
                # Others may use the machine at the same time, so the time that it worked counts.
                if found["processor"] > LONGEST:
                    broken.append(f"{kind}, {what}: {found['processor']:.1f} s, promised {LONGEST:.0f} s")
    head = ["database", "for", "rows", "export, s", "of it at work, s", "check, s", "zip, MB", "memory on top, MB"]
    body = f"{report.table(head, rows)}\n\nPromises broken: {report.promises(broken)}"
    of = f"--subjects {given.subjects} --days {given.days} --databases {' '.join(given.databases)}"
    command = f"python -m bench.exporting {of} --seed {given.seed}"
    return report.finish(
        "export", "How long an export takes", command, body, broken, to_file=given.write, seed=given.seed
    )


if __name__ == "__main__":
    sys.exit(main())
