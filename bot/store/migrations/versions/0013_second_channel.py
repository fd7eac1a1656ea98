"""Pages by another way than Telegram, and the addresses of staff."""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

from bot.store.types import Encrypted

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TIME = sqlmodel.sql.sqltypes.UTCDateTime


def upgrade() -> None:
    op.add_column("staff_member", sa.Column("email", Encrypted(), nullable=True))
    op.create_table(
        "second_send",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("purpose", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("channel", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("escalation_id", sa.Integer(), nullable=True),
        sa.Column("page", sa.Integer(), nullable=True),
        sa.Column("why", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("address", Encrypted(), nullable=True),
        sa.Column("created_at", TIME(), nullable=False),
        sa.Column("due_at", TIME(), nullable=False),
        sa.Column("state", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_at", TIME(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=True),
        sa.Column("closed_at", TIME(), nullable=True),
        sa.ForeignKeyConstraint(["escalation_id"], ["escalation.id"]),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_member.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("ix_second_send_escalation_id", "second_send", ["escalation_id", "page"])
    for state, column in (("waiting", "due_at"), ("sending", "claimed_at")):
        where = sa.text(f"state = '{state}'")
        op.create_index(
            f"ix_second_send_{state}", "second_send", [column], sqlite_where=where, postgresql_where=where
        )


def downgrade() -> None:
    op.drop_table("second_send")
    op.drop_column("staff_member", "email")
