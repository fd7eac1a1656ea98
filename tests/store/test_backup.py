"""Does a backup hold everything, refuse every damage, and come back in either kind of database?"""

import random
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert
from sqlmodel import Session, SQLModel, col, select

from bot import app
from bot.cipher import Cipher
from bot.clock import SetClock
from bot.domain.people import BOT
from bot.errors import FollowupError
from bot.store import audit, backup, chain, portable, schema, vault
from bot.store.backup import Manifest
from bot.store.models import Account, AgendaItem, AuditEntry, Heartbeat, InboxUpdate, OutboxMessage, Subject
from bot.store.session import Store
from bot.usecases import import_subjects, restored
from bot.usecases.tablets import PROMPT
from bot.work import Lane, Work
from tests.conftest import KEY, START, make_settings
from tests.people import ANNA, BORIS, HEADER

KEYS = vault.keys(Cipher.new_key())
LATER = START + timedelta(hours=30)
SECRET = "my chest hurts a lot"


def nothing(_session: Session, _manifest: Manifest) -> None:
    return None


def fill(store: Store) -> None:
    """Enrol two subjects, and leave something open in every queue."""
    deps = app.make_deps(make_settings(database_url=store.url.render_as_string(False)), SetClock(START))

    def body(session: Session) -> None:
        work = Work(session, deps, BOT, "command:test", START)
        import_subjects.import_subjects(work, HEADER + ANNA + BORIS)
        session.exec(select(Subject).order_by(col(Subject.id))).first().state = "on_study"  # type: ignore[union-attr]
        account = Account(telegram_id=5_000_000_022, locale="zh", first_seen_at=START)
        session.add(account)
        session.flush()
        for lane, state in ((Lane.RED, "sending"), (Lane.ANSWER, "waiting"), (Lane.REMINDER, "waiting")):
            message = work.say(account, "stop.done", lane=lane, phone="120")
            assert message is not None
            message.state, message.text = state, SECRET
        work.say(account, "stop.done", lane=Lane.AMBER, phone="120", due_at=LATER + timedelta(hours=5))
        for hours, kind in ((20, PROMPT), (21, "next_page"), (40, PROMPT)):
            due = START + timedelta(hours=hours)
            work.plan(kind, f"test:{hours}", due, 1, subject_id=1, day="2026-11-03")
        session.add(InboxUpdate(bot_id=1, update_id=7, chat_id=22, raw='{"words": "中文"}', received_at=START))
        session.add(Heartbeat(name="watchdog", at=START))

    deps.store.write_now(body)
    deps.store.close()


def write(store: Store, folder: Path) -> backup.Written:
    return backup.write(store, folder, KEYS, version="0.1.0", now=START)


def everything(store: Store) -> dict[str, list[portable.Row]]:
    def read(session: Session) -> dict[str, list[portable.Row]]:
        connection = session.connection()
        portable.speak_utc(connection)
        return {
            shape.name: [row for batch in portable.rows(connection, shape.select, "test") for row in batch]
            for shape in portable.shapes(connection)
        }

    return store.read_now(read)


@pytest.fixture
def elsewhere(empty_url: str) -> Iterator[Store]:
    """Give an empty place of each kind."""
    opened = Store(empty_url, Cipher(KEY))
    yield opened
    opened.close()


@pytest.mark.req("DI-26")
@pytest.mark.req("DI-25")
def test_a_backup_comes_back_complete_in_either_kind_of_database(
    store: Store, elsewhere: Store, tmp_path: Path
) -> None:
    fill(store)
    written = write(store, tmp_path)
    assert written.path.name == "followup-20261102T000000Z.backup"
    assert written.path.stat().st_mode & 0o777 == 0o600
    assert written.manifest.counts["subject"] == 2
    assert SECRET.encode() not in written.path.read_bytes()
    before = everything(store)
    assert [row[0] for row in before["heartbeat"]] == ["backup", "watchdog"]
    before["heartbeat"] = before["heartbeat"][1:]  # written after the snapshot

    manifest, _ = backup.restore(elsewhere, written.path, KEYS, nothing)
    assert manifest == written.manifest
    assert everything(elsewhere) == before
    assert schema.differences(elsewhere) == []
    # Numbers go on behind those that came back, the chain too, and old keys open what is sealed.
    chain.seal_all(elsewhere, LATER)

    def more(session: Session) -> tuple[Account, AuditEntry, str]:
        audit.attribute(session, at=LATER, actor="bot", cause="test")
        audit.record(session, "test")
        session.add(account := Account(telegram_id=1, locale="en", first_seen_at=LATER))
        session.flush()
        newest = session.exec(select(AuditEntry).order_by(col(AuditEntry.id).desc())).first()
        assert newest is not None
        return account, newest, session.exec(select(OutboxMessage)).first().text  # type: ignore[union-attr]

    account, entry, words = elsewhere.write_now(more)
    assert (account.id, entry.id, words) == (2, len(before["audit_entry"]) + 1, SECRET)
    assert chain.seal_all(elsewhere, LATER) == 1
    verdict = elsewhere.read_now(lambda session: chain.verify(session.connection(), manifest.head))
    assert (verdict.problem, verdict.unsealed) == (None, 0)


@pytest.mark.req("DI-25")
def test_a_backup_is_one_moment_while_the_bot_goes_on_writing(store: Store, tmp_path: Path) -> None:
    fill(store)
    stop = threading.Event()

    def keep_writing() -> None:
        number = 100
        while not stop.is_set():
            number += 1

            def pair(session: Session, number: int = number) -> None:
                account = Account(telegram_id=number, locale="en", first_seen_at=START)
                session.add(account)
                session.add(InboxUpdate(bot_id=1, update_id=number, chat_id=number, raw="{}", received_at=START))

            store.write_now(pair)

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        for number in range(3):
            written = write(store, tmp_path / f"{number}.backup")
            counts = written.manifest.counts
            # Both rows of a pair or none; one account and one update were there before.
            assert counts["account"] == counts["inbox_update"]
    finally:
        stop.set()
        writer.join()


def test_a_backup_replaces_no_file_and_leaves_none_behind_that_is_not_complete(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "there.backup"
    with pytest.raises(backup.PlaceUnusable, match="cannot be written"):
        write(store, tmp_path / "no" / "such" / "folder.backup")
    place.write_text("precious")
    with pytest.raises(backup.PlaceTaken):
        write(store, place)
    assert place.read_text() == "precious"

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(backup.PlaceUnusable, match="No space left"):
        write(store, tmp_path / "other.backup")
    assert [each.name for each in tmp_path.iterdir() if "backup" in each.name] == ["there.backup"]


def test_an_older_backup_is_brought_up_to_date_and_a_newer_one_refused(
    elsewhere: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = Store(f"sqlite:///{tmp_path / 'older.sqlite3'}", Cipher(KEY))
    with pytest.raises(backup.NothingToBackUp):
        write(older, tmp_path)
    schema.upgrade(older, "0001")
    # By name, for the columns of today's model were not all there yet.
    values = {"telegram_id": 1, "locale": "en", "first_seen_at": START}
    older.write_now(lambda session: session.execute(insert(Account).values(values)))
    written = write(older, tmp_path)
    older.close()
    assert (written.manifest.revision, written.manifest.head) == ("0001", chain.BEGINNING)
    # Tables that are there already, but empty, are no hindrance.
    schema.upgrade(elsewhere)
    backup.restore(elsewhere, written.path, KEYS, nothing)
    assert schema.differences(elsewhere) == []
    assert [row[1] for row in everything(elsewhere)["account"]] == [1]
    with pytest.raises(backup.NotEmpty, match="rows in account"):
        backup.restore(elsewhere, written.path, KEYS, nothing)

    class OldBot:
        @staticmethod
        def from_config(_config: object) -> "OldBot":
            return OldBot()

        def walk_revisions(self) -> list[Any]:
            return []

    monkeypatch.setattr("alembic.script.ScriptDirectory", OldBot)
    with pytest.raises(backup.BackupNewer, match=r"version 0\.1\.0"):
        backup.restore(elsewhere, written.path, KEYS, nothing)


def test_a_restore_that_fails_at_the_end_leaves_the_place_as_it_was(
    store: Store, elsewhere: Store, tmp_path: Path
) -> None:
    fill(store)
    written = write(store, tmp_path)

    def refuse(_session: Session, _manifest: Manifest) -> None:
        raise RuntimeError("at the very end")

    with pytest.raises(RuntimeError, match="at the very end"):
        backup.restore(elsewhere, written.path, KEYS, refuse)
    assert schema.tables(elsewhere) == []


Damage = Callable[[bytearray, random.Random], bytes]


def flip(content: bytearray, dice: random.Random) -> bytes:
    content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    return bytes(content)


def cut(content: bytearray, dice: random.Random) -> bytes:
    return bytes(content[: dice.randrange(len(content))])


def cut_pieces(content: bytearray, dice: random.Random) -> bytes:
    """Cut at the end of a piece, where nothing looks torn."""
    head, piece = len(vault.FORMAT) + vault.SALT_BYTES + vault.MARK_BYTES, vault.PIECE_BYTES + vault.TAG_BYTES
    return bytes(content[: head + piece * dice.randrange((len(content) - head - 1) // piece + 1)])


def swap_pieces(content: bytearray, _dice: random.Random) -> bytes:
    head, piece = len(vault.FORMAT) + vault.SALT_BYTES + vault.MARK_BYTES, vault.PIECE_BYTES + vault.TAG_BYTES
    one, two = content[head : head + piece], content[head + piece : head + 2 * piece]
    return bytes(content[:head] + two + one + content[head + 2 * piece :])


def add(content: bytearray, dice: random.Random) -> bytes:
    return bytes(content) + dice.randbytes(dice.randrange(1, 99))


@pytest.mark.req("DI-26")
def test_every_damage_and_every_other_key_is_refused_and_nothing_is_written(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "PIECE_BYTES", 500)
    store = Store(sqlite_url, Cipher(KEY))
    fill(store)
    written = write(store, tmp_path)
    store.close()
    content, dice = written.path.read_bytes(), random.Random(5)
    damaged = tmp_path / "damaged.backup"
    empty = Store(f"sqlite:///{tmp_path / 'empty.sqlite3'}", Cipher(KEY))
    damages: tuple[Damage, ...] = (flip, flip, flip, cut, cut_pieces, swap_pieces, add)
    for number in range(1_000):
        damaged.write_bytes(damages[number % len(damages)](bytearray(content), dice))
        with pytest.raises((vault.BackupDamaged, vault.BackupKeyRefused, vault.NotABackup)):
            backup.restore(empty, damaged, KEYS, nothing)
    assert schema.tables(empty) == []
    with pytest.raises(vault.BackupKeyRefused):
        backup.restore(empty, written.path, vault.keys(Cipher.new_key()), nothing)
    # A key that was replaced still reads.
    assert backup.check(written.path, [*vault.keys(Cipher.new_key()), *KEYS]) == written.manifest
    with pytest.raises(backup.PlaceUnusable):
        backup.check(tmp_path / "nowhere.backup", KEYS)
    empty.close()


@pytest.mark.req("DI-26")
def test_a_restored_bot_repeats_nothing_in_silence_and_loses_no_page(
    store: Store, elsewhere: Store, tmp_path: Path
) -> None:
    fill(store)
    written = write(store, tmp_path)
    deps = app.make_deps(make_settings(database_url=f"sqlite:///{tmp_path / 'texts.sqlite3'}"), SetClock(LATER))

    def finish(session: Session, manifest: Manifest) -> restored.Begun:
        work = Work(session, deps, BOT, "command:restore", LATER)
        return restored.begin_again(work, manifest.at, manifest.head)

    _, begun = backup.restore(elsewhere, written.path, KEYS, finish)
    assert begun == restored.Begun(unsure=3, skipped=1, updates=1, asked=1)
    reason = "restored from a backup of 2026-11-02 00:00:00 UTC"

    def rows(table: type[SQLModel]) -> list[Any]:
        return elsewhere.read_now(lambda session: list(session.exec(select(table).order_by("id"))))

    red, answer, reminder, coming, again = rows(OutboxMessage)
    assert [(each.state, each.reason) for each in (red, answer, reminder)] == [("unsure", reason)] * 3
    assert (coming.state, coming.reason) == ("waiting", None)
    assert (again.state, again.lane) == ("waiting", Lane.RED)
    assert again.text == deps.texts.text("delivery.repeated", "zh", text=SECRET)
    due, page, tomorrow, *_ = sorted(
        rows(AgendaItem), key=lambda item: (not item.key.startswith("test"), item.due_at)
    )
    assert (due.state, due.reason) == ("skipped", reason)
    assert (page.state, tomorrow.state) == ("waiting", "waiting")
    assert [(each.state, each.reason) for each in rows(InboxUpdate)] == [("waiting", reason)]
    assert [each.code for each in rows(Subject)] == ["S-001", "S-002"]
    assert "restored" in [each.what for each in rows(AuditEntry)]
    beat = elsewhere.read_now(lambda session: session.get(Heartbeat, "watchdog"))
    assert beat is not None
    assert beat.at == LATER
    deps.store.close()


def test_every_refusal_is_an_error_of_ours() -> None:
    for error in (backup.NotEmpty, backup.PlaceTaken, backup.BackupNewer, vault.BackupDamaged, vault.NotABackup):
        assert issubclass(error, FollowupError)
