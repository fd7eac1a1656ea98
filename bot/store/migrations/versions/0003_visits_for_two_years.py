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
    ("visit", sa.Column("title", bot.store.types.Encrypted(), nullable=True)),
    ("visit", sa.Column("undecided", sa.Boolean(), nullable=False, server_default=sa.false())),
    ("visit", sa.Column("proposed_on", sa.Date(), nullable=True)),
    ("visit", sa.Column("proposed_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True)),
    (
        "visit_record",
        sa.Column("source", sqlmodel.sql.sqltypes.AutoString(), nullable=False, server_default="clinic"),
    ),
    ("visit_record", sa.Column("reason", bot.store.types.Encrypted(), nullable=True)),
    ("visit_record", sa.Column("deviation", sqlmodel.sql.sqltypes.AutoString(), nullable=True)),
)


def upgrade() -> None:
    for table, column in COLUMNS:
        op.add_column(table, column)
    _one_open("state = 'planned' AND kind <> 'extra'")
    # Nobody knows when those were last heard who are here already; from then on it is kept.
    op.execute("UPDATE account SET last_heard_at = first_seen_at")
    op.create_index("ix_account_last_heard_at", "account", ["last_heard_at"])
    unreachable = sa.text("unreachable_at IS NOT NULL")
    op.create_index(
        "ix_account_unreachable", "account", ["id"], sqlite_where=unreachable, postgresql_where=unreachable
    )


def downgrade() -> None:
    op.drop_index("ix_account_unreachable", table_name="account")
    op.drop_index("ix_account_last_heard_at", table_name="account")
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
