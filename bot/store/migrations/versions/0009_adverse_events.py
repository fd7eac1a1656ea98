"""Adverse events, what was decided of each report, and the clocks of serious ones."""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

import bot.store.types

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

WORDS, TIME = sqlmodel.sql.sqltypes.AutoString, sqlmodel.sql.sqltypes.UTCDateTime


def upgrade() -> None:
    op.create_table(
        "adverse_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("what", WORDS(), nullable=False),
        sa.Column("sources", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("verbatim", bot.store.types.Encrypted(), nullable=False),
        sa.Column("term", WORDS(), nullable=True),
        sa.Column("llt", WORDS(), nullable=True),
        sa.Column("term_zh", WORDS(), nullable=True),
        sa.Column("words", bot.store.types.Encrypted(), nullable=True),
        sa.Column("onset_on", sa.Date(), nullable=False),
        sa.Column("end_on", sa.Date(), nullable=True),
        sa.Column("outcome", WORDS(), nullable=False),
        sa.Column("actions", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("treatment", bot.store.types.Encrypted(), nullable=True),
        sa.Column("grade", sa.Integer(), nullable=True),
        sa.Column("serious", sa.Boolean(), nullable=True),
        sa.Column("criteria", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("relation", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("judged", sa.Boolean(), nullable=False),
        sa.Column("judged_at", TIME(), nullable=True),
        sa.Column("judged_by", WORDS(), nullable=True),
        sa.Column("void", sa.Boolean(), nullable=False),
        sa.Column("reason", bot.store.types.Encrypted(), nullable=True),
        sa.Column("recorded_at", TIME(), nullable=False),
        sa.Column("recorded_by", WORDS(), nullable=False),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("subject_id", "number", "version"),
    )
    op.create_table(
        "report_decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("source", WORDS(), nullable=False),
        sa.Column("event_number", sa.Integer(), nullable=True),
        sa.Column("reason", bot.store.types.Encrypted(), nullable=True),
        sa.Column("decided_at", TIME(), nullable=False),
        sa.Column("decided_by", WORDS(), nullable=False),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_report_decision_subject_id", "report_decision", ["subject_id"])
    op.create_table(
        "serious_clock",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("event_number", sa.Integer(), nullable=True),
        sa.Column("received_at", TIME(), nullable=False),
        sa.Column("seen_at", TIME(), nullable=True),
        sa.Column("due_at", TIME(), nullable=False),
        sa.Column("reported_at", TIME(), nullable=True),
        sa.Column("reported_by", WORDS(), nullable=True),
        sa.Column("ended_at", TIME(), nullable=True),
        sa.Column("ended_by", WORDS(), nullable=True),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"]),
        sa.ForeignKeyConstraint(["case_id"], ["escalation.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("case_id"),
    )
    op.create_index("ix_serious_clock_subject_id", "serious_clock", ["subject_id"])


def downgrade() -> None:
    op.drop_index("ix_serious_clock_subject_id", table_name="serious_clock")
    op.drop_table("serious_clock")
    op.drop_index("ix_report_decision_subject_id", table_name="report_decision")
    op.drop_table("report_decision")
    op.drop_table("adverse_event")
