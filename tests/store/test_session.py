"""Transactions: nothing half, nothing lost, on either database."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select, update

from bot.cipher import Cipher, KeyRefused
from bot.store import audit, schema
from bot.store.audit import AuditBypassed
from bot.store.models import Account, AuditEntry, DoseMonth, DoseReport, InboxUpdate, StaffMember
from bot.store.session import Store
from tests.conftest import KEY, START


def attributed(session: Session) -> Session:
    audit.attribute(session, at=START, actor="staff:1:coordinator", cause="update:7")
    return session


def add_member(session: Session) -> int:
    attributed(session)
    account = Account(telegram_id=5_000_000_001, locale="zh", first_seen_at=START)
    session.add(account)
    session.flush()
    member = StaffMember(account_id=account.id or 0, role="coordinator", name="Known only here", granted_at=START)
    session.add(member)
    session.flush()
    return member.id or 0


def test_migrations_give_the_tables_of_the_models(store: Store) -> None:
    assert schema.differences(store) == []


def test_migrations_go_down_to_nothing_and_up_again(store: Store) -> None:
    schema.downgrade(store)
    assert set(schema.tables(store)) <= {"alembic_version"}
    schema.upgrade(store)
    assert schema.differences(store) == []


SAID_OF_TWO_DAYS = (
    "INSERT INTO subject (id, code, site, arm, locale, birth_year, state, timezone, cbc_interval_days, enrolled_at, "
    "enrolled_by, state_changed_at) "
    "VALUES (1, 'S-001', 'HZ', 'TG2', 'zh', 1950, 'on_study', 'Asia/Shanghai', 7, :at, 'staff:1', :at)",
    "INSERT INTO dose_report (subject_id, day_on, version, status, reason, reported_at, reported_by) "
    "VALUES (1, '2026-11-01', 1, 'not_taken', 'RAN_OUT', :at, 'p'), (1, '2026-11-02', 1, 'taken', NULL, :at, 'p')",
)


def test_a_days_reason_becomes_a_list_of_reasons_and_back(store: Store) -> None:
    before = "0015"
    schema.downgrade(store, before)
    with store.engine.begin() as connection:
        for statement in SAID_OF_TWO_DAYS:
            connection.execute(text(statement), {"at": START})
    schema.upgrade(store)

    def reasons(session: Session) -> list[list[str]]:
        return [each.reasons for each in session.exec(select(DoseReport).order_by(col(DoseReport.id))).all()]

    assert store.read_now(reasons) == [["RAN_OUT"], []]
    schema.downgrade(store, before)
    with store.engine.begin() as connection:
        kept = connection.execute(text("SELECT reason FROM dose_report ORDER BY id")).scalars().all()
    assert kept == ["RAN_OUT", None]


def test_days_without_tablets_are_marked_where_the_reason_was_ticked_later(store: Store) -> None:
    schema.downgrade(store, "0016")
    with store.engine.begin() as connection:
        connection.execute(text(SAID_OF_TWO_DAYS[0]), {"at": START})
        connection.execute(
            text(
                "INSERT INTO dose_report"
                " (subject_id, day_on, version, status, reasons, source, reported_at, reported_by)"
                " VALUES (1, '2026-11-01', 1, 'not_taken', '[\"RAN_OUT\"]', 'daily', :at, 'p'),"
                " (1, '2026-11-02', 1, 'partly', '[\"RAN_OUT\"]', 'daily', :at, 'p'),"
                " (1, '2026-11-02', 2, 'partly', '[\"FORGOT\"]', 'daily', :at, 'p')"
            ),
            {"at": START},
        )
        connection.execute(text(f"INSERT INTO dose_month VALUES ('2026-11-01', 1, 'MP{'.' * 29}')"))
    schema.upgrade(store)
    (month,) = store.read_now(lambda session: session.exec(select(DoseMonth)).all())
    assert month.days == "mP" + "." * 29


def test_a_database_of_a_newer_bot_is_refused(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(schema.SchemaUnknown):
        schema.upgrade(store)


async def test_concurrent_read_modify_write_loses_nothing(store: Store) -> None:
    number = await store.write(add_counter)

    def increment(session: Session) -> None:
        row = session.get_one(InboxUpdate, number)
        row.attempts += 1

    await asyncio.gather(*(store.write(increment) for _ in range(60)))
    assert await store.read(lambda session: session.get_one(InboxUpdate, number).attempts) == 60


def add_counter(session: Session) -> int:
    row = InboxUpdate(bot_id=1, update_id=1, raw="{}", received_at=START)
    session.add(row)
    session.flush()
    return row.id or 0


async def test_work_that_fails_leaves_nothing(store: Store) -> None:
    def fail(session: Session) -> None:
        add_member(session)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await store.write(fail)
    assert await store.read(lambda session: session.exec(select(StaffMember)).all()) == []
    assert await store.read(lambda session: session.exec(select(AuditEntry)).all()) == []


@pytest.mark.req("DI-01")
async def test_every_change_of_a_clinical_record_leaves_an_entry(store: Store) -> None:
    number = await store.write(add_member)

    def change(session: Session) -> None:
        attributed(session)
        session.info["reason"] = "holiday"
        session.get_one(StaffMember, number).on_duty = True

    await store.write(change)
    entries = await store.read(lambda session: session.exec(select(AuditEntry).order_by(col(AuditEntry.id))).all())
    assert [entry.what for entry in entries] == ["staff_member.created", "staff_member.changed"]
    assert entries[1].changes == {"on_duty": [False, True]}
    assert (entries[1].actor, entries[1].cause, entries[1].reason) == ("staff:1:coordinator", "update:7", "holiday")


@pytest.mark.req("DI-01")
async def test_a_change_without_an_author_is_refused(store: Store) -> None:
    number = await store.write(add_member)

    def change(session: Session) -> None:
        session.get_one(StaffMember, number).on_duty = True

    with pytest.raises(AuditBypassed):
        await store.write(change)


@pytest.mark.req("DI-01")
async def test_clinical_records_cannot_be_changed_in_bulk(store: Store) -> None:
    await store.write(add_member)
    with pytest.raises(AuditBypassed):
        await store.write(lambda session: session.exec(update(StaffMember).values(on_duty=True)))


@pytest.mark.req("DI-02")
@pytest.mark.parametrize("statement", ["UPDATE audit_entry SET actor = 'nobody'", "DELETE FROM audit_entry"])
async def test_the_database_itself_refuses_to_change_the_trail(store: Store, statement: str) -> None:
    await store.write(add_member)
    with pytest.raises(DBAPIError, match="append-only"):
        await store.write(lambda session: session.connection().execute(text(statement)))
    assert len(await store.read(lambda session: session.exec(select(AuditEntry)).all())) == 1


@pytest.mark.req("SEC-12")
async def test_names_and_words_are_unreadable_in_the_database(store: Store) -> None:
    await store.write(add_member)

    def raw(session: Session) -> str:
        return str(session.connection().execute(text("SELECT name FROM staff_member")).scalar_one())

    stored = await store.read(raw)
    assert "Known" not in stored
    entries = await store.read(lambda session: session.exec(select(AuditEntry)).all())
    assert "Known" not in str(entries[0].changes)


async def test_another_key_opens_nothing_and_an_older_key_still_reads(store: Store) -> None:
    number = await store.write(add_member)
    url = store.url.render_as_string(hide_password=False)
    stranger = Store(url, Cipher(Cipher.new_key()))
    with pytest.raises(KeyRefused):
        await stranger.read(lambda session: session.get_one(StaffMember, number).name)
    stranger.close()
    rotated = Store(url, Cipher(f"{Cipher.new_key()},{KEY}"))
    assert await rotated.read(lambda session: session.get_one(StaffMember, number).name) == "Known only here"
    rotated.close()


@pytest.mark.req("DI-25")
def test_sqlite_survives_a_power_cut(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'new.sqlite3'}", Cipher(KEY))
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    store.close()


async def test_what_looks_in_vain_ends_as_an_error_and_not_as_endless_waiting(store: Store) -> None:
    def look(_session: Session) -> int:
        return next(iter(()))

    for ask in (store.write, store.write_apart, store.read):
        with pytest.raises(RuntimeError):
            await asyncio.wait_for(ask(look), 5)
