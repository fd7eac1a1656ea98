"""Measured values: readings of patients, laboratory values entered by staff, and their corrections."""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

import bot.store.types

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WORDS, TIME = sqlmodel.sql.sqltypes.AutoString, sqlmodel.sql.sqltypes.UTCDateTime


def upgrade() -> None:
    op.create_table(
        "measurement",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("occasion", WORDS(), nullable=False),
        sa.Column("measure", WORDS(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("value", sa.Numeric(9, 3), nullable=False),
        sa.Column("sign", WORDS(), nullable=False),
        sa.Column("unit", WORDS(), nullable=False),
        sa.Column("said", bot.store.types.Encrypted(), nullable=False),
        sa.Column("doubt", WORDS(), nullable=True),
        sa.Column("place", WORDS(), nullable=True),
        sa.Column("transfused", WORDS(), nullable=True),
        sa.Column("taken_on", sa.Date(), nullable=False),
        sa.Column("taken_at", TIME(), nullable=True),
        sa.Column("source", WORDS(), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("void", sa.Boolean(), nullable=False),
        sa.Column("urgency", WORDS(), nullable=True),
        sa.Column("because", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("judged_at", TIME(), nullable=True),
        sa.Column("reason", bot.store.types.Encrypted(), nullable=True),
        sa.Column("entered_at", TIME(), nullable=False),
        sa.Column("entered_by", WORDS(), nullable=False),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("occasion", "measure", "version"),
    )
    op.create_index("ix_measurement_subject", "measurement", ["subject_id", "measure", "taken_on"])


def downgrade() -> None:
    op.drop_index("ix_measurement_subject", table_name="measurement")
    op.drop_table("measurement")
