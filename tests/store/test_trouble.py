"""Is the trouble of a database called by its name?"""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.store import trouble
from bot.store.session import StoreBusy


def told_by(url: str, *statements: str) -> str:
    """Return the kind of trouble that these statements end in."""
    engine = create_engine(url, connect_args={"timeout": 0} if url.startswith("sqlite") else {"connect_timeout": 2})
    try:
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
    except DBAPIError as error:
        return trouble.kind_of(error)
    finally:
        engine.dispose()
    return "none"


def whole(path: Path) -> str:
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (words)"))
    engine.dispose()
    return f"sqlite:///{path}"


BIG = "INSERT INTO kept VALUES (zeroblob(100000))"


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        pytest.param(lambda url: told_by(url, "PRAGMA max_page_count = 3", BIG), trouble.FULL, id="no room"),
        pytest.param(lambda url: told_by(f"{url}?mode=ro&uri=true", BIG), trouble.READ_ONLY, id="read only"),
        pytest.param(lambda url: told_by(f"{url}/none", BIG), trouble.UNREACHABLE, id="no such folder"),
        pytest.param(lambda url: told_by(url, "SELECT nothing"), trouble.FAILED, id="a statement that is wrong"),
    ],
)
def test_the_trouble_of_an_sqlite_file_is_named(tmp_path: Path, told: Callable[[str], str], kind: str) -> None:
    url = whole(tmp_path / "some.sqlite3")
    assert told(url.replace("sqlite:///", "sqlite:///file:") if kind == trouble.READ_ONLY else url) == kind


def test_a_locked_and_a_damaged_sqlite_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "some.sqlite3"
    url = whole(path)
    other = create_engine(url)
    with other.connect() as connection:
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
        assert told_by(url, BIG) == trouble.LOCKED
    other.dispose()
    path.write_bytes(b"no database" * 1000)
    assert told_by(url, BIG) == trouble.DAMAGED


def test_the_trouble_of_a_server_is_named(postgres: str) -> None:
    url = postgres.replace("postgresql:", "postgresql+psycopg:")
    assert told_by(url, "SET transaction_read_only = on", "CREATE TABLE kept (words text)") == trouble.READ_ONLY
    assert told_by(url, "SET statement_timeout = 10", "SELECT pg_sleep(5)") == trouble.SLOW
    assert told_by(url, "SELECT nothing") == trouble.FAILED
    assert told_by(url, "SELECT pg_terminate_backend(pg_backend_pid())") == trouble.UNREACHABLE
    nobody = make_url("postgresql+psycopg://bot@127.0.0.1:9/trial")
    assert told_by(str(nobody), "SELECT 1") == trouble.UNREACHABLE


def test_what_the_store_itself_says_is_named() -> None:
    assert trouble.kind_of(StoreBusy("refused 40 times")) == trouble.LOCKED
    assert trouble.kind_of(PoolTimeout("no connection")) == trouble.SLOW
