"""Drills, and what the auditor found wrong with a case."""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

import bot.store.types

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TIME = sqlmodel.sql.sqltypes.UTCDateTime
TEXT = sqlmodel.sql.sqltypes.AutoString


def upgrade() -> None:
    op.add_column("escalation", sa.Column("overdue", TEXT(), nullable=True))
    op.add_column("escalation", sa.Column("overdue_since", TIME(), nullable=True))
    op.add_column("escalation", sa.Column("overdue_told_at", TIME(), nullable=True))
    op.create_table(
        "drill",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("only_one", sa.Boolean(), nullable=True),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("state", TEXT(), nullable=False),
        sa.Column("outcome", TEXT(), nullable=True),
        sa.Column("chain", bot.store.types.Json, nullable=False),
        sa.Column("planned_at", TIME(), nullable=False),
        sa.Column("rings_at", TIME(), nullable=False),
        sa.Column("until", TIME(), nullable=False),
        sa.Column("began_at", TIME(), nullable=True),
        sa.Column("started_at", TIME(), nullable=True),
        sa.Column("paused_at", TIME(), nullable=True),
        sa.Column("paused_seconds", sa.Integer(), nullable=False),
        sa.Column("ended_at", TIME(), nullable=True),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("last_paged_at", TIME(), nullable=True),
        sa.Column("first_page_after", sa.Integer(), nullable=True),
        sa.Column("viewed_after", sa.Integer(), nullable=True),
        sa.Column("taken_after", sa.Integer(), nullable=True),
        sa.Column("taken_by_id", sa.Integer(), nullable=True),
        sa.Column("read_back_after", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["taken_by_id"], ["staff_member.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("only_one"),
    )


def downgrade() -> None:
    op.drop_table("drill")
    for name in ("overdue_told_at", "overdue_since", "overdue"):
        op.drop_column("escalation", name)
