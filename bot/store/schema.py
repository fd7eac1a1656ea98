"""Is the database at the version of this bot, and how does it get there?"""

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlmodel import SQLModel

import bot.store.models  # noqa: F401  (registers the tables)
from bot.errors import FollowupError
from bot.store.session import Store


class SchemaUnknown(FollowupError):
    """The database was written by a newer version of the bot; start that version instead."""


def config(connection: Connection | None = None) -> Config:
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
    known = {each.revision for each in ScriptDirectory.from_config(config()).walk_revisions()}
    with store.engine.begin() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
        if present is not None and present not in known:
            raise SchemaUnknown(f"it is at {present}")
        command.upgrade(config(connection), revision)


def downgrade(store: Store, revision: str = "base") -> None:
    with store.engine.begin() as connection:
        command.downgrade(config(connection), revision)


def differences(store: Store) -> list[object]:
    """Return what separates the database from the models; empty when they agree."""
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, SQLModel.metadata))


def tables(store: Store) -> list[str]:
    return inspect(store.engine).get_table_names()
