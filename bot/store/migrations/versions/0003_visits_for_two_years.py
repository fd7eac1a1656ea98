"""Visits that staff name, propose, correct and give reasons for; when somebody was last heard."""

from typing import Any

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

import bot.store.types

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ONE_OPEN = "uq_visit_open_kind"
COLUMNS: tuple[tuple[str, sa.Column[Any]], ...] = (
    ("account", sa.Column("last_heard_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True)),
    ("subject", sa.Column("ferritin_interval_days", sa.Integer(), nullable=True)),
    ("subject", sa.Column("arm_since_on", sa.Date(), nullable=True)),
    ("subject", sa.Column("closed_on", sa.Date(), nullable=True)),
    ("subject", sa.Column("closed_because", bot.store.types.Encrypted(), nullable=True)),
    ("visit", sa.Column("title", bot.store.types.Encrypted(), nullable=True)),
    ("visit", sa.Column("undecided", sa.Boolean(), nullable=False, server_default=sa.false())),
    ("visit", sa.Column("chosen", sa.Boolean(), nullable=False, server_default=sa.false())),
    ("visit", sa.Column("proposed_on", sa.Date(), nullable=True)),
    ("visit", sa.Column("proposed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True)),
    (
        "visit_record",
        sa.Column("source", sqlmodel.sql.sqltypes.AutoString(), nullable=False, server_default="clinic"),
    ),
    ("visit_record", sa.Column("reason", bot.store.types.Encrypted(), nullable=True)),
    ("visit_record", sa.Column("deviation", sqlmodel.sql.sqltypes.AutoString(), nullable=True)),
)
WAITING, TOO_LATE = "state = 'waiting'", "reason = 'too late to be useful'"
INDEXES: tuple[tuple[str, str, list[str], str | None], ...] = (
    ("ix_account_last_heard_at", "account", ["last_heard_at"], None),
    ("ix_account_unreachable", "account", ["id"], "unreachable_at IS NOT NULL"),
    ("ix_agenda_item_coming", "agenda_item", ["subject_id", "due_at"], WAITING),
    ("ix_agenda_item_too_late", "agenda_item", ["closed_at"], TOO_LATE),
    ("ix_outbox_message_account_created", "outbox_message", ["account_id", "created_at"], None),
    ("ix_outbox_message_too_late", "outbox_message", ["closed_at"], TOO_LATE),
)


def upgrade() -> None:
    for table, column in COLUMNS:
        op.add_column(table, column)
    for name, table, columns, condition in INDEXES:
        where = sa.text(condition) if condition else None
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
    _one_open("state = 'planned' AND kind <> 'extra'")
    # Nobody knows when those were last heard who are here already; from then on it is kept.
    op.execute("UPDATE account SET last_heard_at = first_seen_at")


def downgrade() -> None:
    for name, table, _, _ in reversed(INDEXES):
        op.drop_index(name, table_name=table)
    _one_open("state = 'planned'")
    for table, column in reversed(COLUMNS):
        with op.batch_alter_table(table) as batch:
            batch.drop_column(column.name)


def _one_open(condition: str) -> None:
    """Let a subject have one planned visit of a kind, among those that fulfil ``condition``."""
    op.drop_index(ONE_OPEN, table_name="visit")
    where = sa.text(condition)
    op.create_index(
        ONE_OPEN, "visit", ["subject_id", "kind"], unique=True, sqlite_where=where, postgresql_where=where
    )
