"""Is the database at the version of this bot, and how does it get there?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.schema import CreateSchema
from sqlmodel import SQLModel

import bot.store.models  # noqa: F401  (registers the tables)
from bot.errors import FollowupError
from bot.store.session import Store

if TYPE_CHECKING:
    from alembic.config import Config

# The newest revision; a database that is there needs none of Alembic, which takes long to load.
HEAD = "0017"


class SchemaUnknown(FollowupError):
    """The database was written by a newer version of the bot; start that version instead."""


def config(connection: Connection | None = None) -> Config:
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", "bot.store:migrations")
    made.set_main_option("path_separator", "os")
    if connection is not None:
        made.attributes["connection"] = connection
    return made


def upgrade(store: Store, revision: str = "head") -> None:
    """Create the tables, or bring those of an older version up to date.

    Raises:
        SchemaUnknown: the database is of a version this bot does not know.
    """
    if not store.is_sqlite:
        with store.engine.begin() as connection:
            # Asked first: a role that may not create schemas can still use the one it was given.
            if store.schema not in inspect(connection).get_schema_names():
                connection.execute(CreateSchema(store.schema, if_not_exists=True))
    if revision == "head" and _revision(store) == HEAD:
        return
    from alembic import command
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    known = {each.revision for each in ScriptDirectory.from_config(config()).walk_revisions()}
    with store.engine.begin() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
        if present is not None and present not in known:
            raise SchemaUnknown(f"it is at {present}")
        command.upgrade(config(connection), revision)


def _revision(store: Store) -> str | None:
    """Return the revision that the tables are at, None when there are none."""
    with store.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def downgrade(store: Store, revision: str = "base") -> None:
    from alembic import command

    with store.engine.begin() as connection:
        command.downgrade(config(connection), revision)


def differences(store: Store) -> list[object]:
    """Return what separates the database from the models; empty when they agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, SQLModel.metadata))


def tables(store: Store) -> list[str]:
    return inspect(store.engine).get_table_names()
