"""Regular check-ins, and which answers are corrections."""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TIME = sqlmodel.sql.sqltypes.UTCDateTime


def upgrade() -> None:
    op.add_column("answer", sa.Column("correction", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "checkin",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("day_on", sa.Date(), nullable=False),
        sa.Column("asked_at", TIME(), nullable=False),
        sa.Column("useful_until", TIME(), nullable=False),
        sa.Column("response_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["response_id"], ["response.id"]),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("subject_id", "day_on"),
    )
    op.create_index(op.f("ix_checkin_response_id"), "checkin", ["response_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_checkin_response_id"), table_name="checkin")
    op.drop_table("checkin")
    op.drop_column("answer", "correction")
