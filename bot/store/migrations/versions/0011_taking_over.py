"""What an owner confirmed and tried, when a case was said and received, and messages about it."""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

import bot.store.types

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TIME = sqlmodel.sql.sqltypes.UTCDateTime
MOMENTS = (
    "said_at",
    "received_at",
    "first_page_sent_at",
    "first_acknowledged_at",
    "lapsed_at",
    "read_back_at",
    "tried_at",
    "first_contacted_at",
)


def upgrade() -> None:
    for name in MOMENTS:
        op.add_column("escalation", sa.Column(name, TIME(), nullable=True))
    op.add_column("escalation", sa.Column("offered_to_id", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE escalation SET first_page_sent_at = page_sent_at, first_acknowledged_at = acknowledged_at, "
        "first_contacted_at = contacted_at"
    )
    op.create_table(
        "case_message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("escalation_id", sa.Integer(), nullable=False),
        sa.Column("by", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("words", bot.store.types.Encrypted(), nullable=False),
        sa.Column("at", TIME(), nullable=False),
        sa.ForeignKeyConstraint(["escalation_id"], ["escalation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_case_message_escalation_id"), "case_message", ["escalation_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_case_message_escalation_id"), table_name="case_message")
    op.drop_table("case_message")
    for name in ("offered_to_id", *reversed(MOMENTS)):
        op.drop_column("escalation", name)
