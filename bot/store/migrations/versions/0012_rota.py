"""The rota: shifts on call, offers to swap one, and the fallback."""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TIME = sqlmodel.sql.sqltypes.UTCDateTime
STRING = sqlmodel.sql.sqltypes.AutoString


def upgrade() -> None:
    op.create_table(
        "oncall_shift",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("level", STRING(), nullable=False),
        sa.Column("from_at", TIME(), nullable=False),
        sa.Column("until_at", TIME(), nullable=False),
        sa.Column("source", STRING(), nullable=False),
        sa.Column("replaces_id", sa.Integer(), nullable=True),
        sa.Column("entered_at", TIME(), nullable=False),
        sa.Column("entered_by", STRING(), nullable=False),
        sa.Column("ended_at", TIME(), nullable=True),
        sa.Column("ended_by", STRING(), nullable=True),
        sa.Column("ended_because", STRING(), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_member.id"]),
        sa.ForeignKeyConstraint(["replaces_id"], ["oncall_shift.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_oncall_shift_staff_id"), "oncall_shift", ["staff_id"])
    op.create_index("ix_oncall_shift_until_at", "oncall_shift", ["until_at"])
    op.create_table(
        "swap_offer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("shift_id", sa.Integer(), nullable=False),
        sa.Column("from_staff_id", sa.Integer(), nullable=False),
        sa.Column("to_staff_id", sa.Integer(), nullable=False),
        sa.Column("state", STRING(), nullable=False),
        sa.Column("offered_at", TIME(), nullable=False),
        sa.Column("answered_at", TIME(), nullable=True),
        sa.ForeignKeyConstraint(["shift_id"], ["oncall_shift.id"]),
        sa.ForeignKeyConstraint(["from_staff_id"], ["staff_member.id"]),
        sa.ForeignKeyConstraint(["to_staff_id"], ["staff_member.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "uq_swap_offer_open_shift",
        "swap_offer",
        ["shift_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "oncall_fallback",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("set_at", TIME(), nullable=False),
        sa.Column("set_by", STRING(), nullable=False),
        sa.Column("ended_at", TIME(), nullable=True),
        sa.Column("ended_by", STRING(), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_member.id"]),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("oncall_fallback")
    op.drop_index("uq_swap_offer_open_shift", table_name="swap_offer")
    op.drop_table("swap_offer")
    op.drop_index("ix_oncall_shift_until_at", table_name="oncall_shift")
    op.drop_index(op.f("ix_oncall_shift_staff_id"), table_name="oncall_shift")
    op.drop_table("oncall_shift")
