"""Dose orders with holds, reviews and counts; several reasons for a day; values released to patients."""

from datetime import date
from typing import Any

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

from bot.store.types import Encrypted

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

WORDS, TIME = sqlmodel.sql.sqltypes.AutoString, sqlmodel.sql.sqltypes.UTCDateTime
JSON = sa.JSON(none_as_null=True)

# The codes are capital letters and "_", so they need no escaping.
TO_LIST = {
    "postgresql": "UPDATE dose_report SET reasons = json_build_array(reason) WHERE reason IS NOT NULL",
    "sqlite": "UPDATE dose_report SET reasons = json_array(reason) WHERE reason IS NOT NULL",
}
TO_FIRST = {
    "postgresql": "UPDATE dose_report SET reason = reasons ->> 0",
    "sqlite": "UPDATE dose_report SET reason = json_extract(reasons, '$[0]')",
}


def upgrade() -> None:
    op.add_column("subject", sa.Column("dose_rhythm", WORDS(), nullable=False, server_default="daily"))
    op.add_column("dose_order", sa.Column("times_a_day", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("dose_order", sa.Column("reason", Encrypted(), nullable=True))
    op.add_column("dose_order", sa.Column("decided_by", Encrypted(), nullable=True))
    op.add_column("dose_order", sa.Column("void", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("dose_order", sa.Column("voided_because", Encrypted(), nullable=True))
    op.create_table(
        "dose_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("what", WORDS(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("reason", Encrypted(), nullable=False),
        sa.Column("decided_by", Encrypted(), nullable=False),
        sa.Column("recorded_at", TIME(), nullable=False),
        sa.Column("recorded_by", WORDS(), nullable=False),
        sa.Column("void", sa.Boolean(), nullable=False),
        sa.Column("voided_because", Encrypted(), nullable=True),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_dose_change_subject_id"), "dose_change", ["subject_id"])
    op.create_table(
        "dose_review",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("rule", WORDS(), nullable=False),
        sa.Column("key", WORDS(), nullable=False),
        sa.Column("measurement_id", sa.Integer(), nullable=True),
        sa.Column("facts", JSON, nullable=False),
        sa.Column("state", WORDS(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("told", JSON, nullable=False),
        sa.Column("opened_at", TIME(), nullable=False),
        sa.Column("conclusion", WORDS(), nullable=True),
        sa.Column("words", Encrypted(), nullable=True),
        sa.Column("closed_at", TIME(), nullable=True),
        sa.Column("closed_by", WORDS(), nullable=True),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"]),
        sa.ForeignKeyConstraint(["measurement_id"], ["measurement.id"]),
        sa.ForeignKeyConstraint(["case_id"], ["escalation.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index(op.f("ix_dose_review_subject_id"), "dose_review", ["subject_id"])
    op.create_index("ix_dose_review_open", "dose_review", ["state", "subject_id"])
    op.create_table(
        "tablet_count",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("occasion", WORDS(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", WORDS(), nullable=False),
        sa.Column("counted_on", sa.Date(), nullable=False),
        sa.Column("tablets", sa.Numeric(6, 2), nullable=False),
        sa.Column("strength_mg", sa.Integer(), nullable=False),
        sa.Column("source", WORDS(), nullable=False),
        sa.Column("evidence_id", sa.Integer(), nullable=True),
        sa.Column("void", sa.Boolean(), nullable=False),
        sa.Column("reason", Encrypted(), nullable=True),
        sa.Column("recorded_at", TIME(), nullable=False),
        sa.Column("recorded_by", WORDS(), nullable=False),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"]),
        sa.ForeignKeyConstraint(["evidence_id"], ["evidence.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("occasion", "version"),
    )
    op.create_index(op.f("ix_tablet_count_subject_id"), "tablet_count", ["subject_id"])
    op.create_table(
        "lab_release",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=False),
        sa.Column("released_at", TIME(), nullable=False),
        sa.Column("released_by", WORDS(), nullable=False),
        sa.Column("withdrawn_at", TIME(), nullable=True),
        sa.Column("withdrawn_by", WORDS(), nullable=True),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_lab_release_subject_id"), "lab_release", ["subject_id"])
    op.add_column("dose_report", sa.Column("source", WORDS(), nullable=False, server_default="daily"))
    op.add_column("dose_report", sa.Column("reasons", JSON, nullable=False, server_default="[]"))
    op.execute(sa.text(TO_LIST[op.get_context().dialect.name]))
    op.drop_column("dose_report", "reason")
    months = op.create_table(
        "dose_month",
        sa.Column("month_on", sa.Date(), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("days", WORDS(), nullable=False),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"]),
        sa.PrimaryKeyConstraint("month_on", "subject_id"),
    )
    op.create_index(op.f("ix_dose_month_subject_id"), "dose_month", ["subject_id"])
    op.bulk_insert(months, _months())


def _months() -> list[dict[str, Any]]:
    """Return the months of what was asked and said so far: a letter a day, that of the newest report."""
    connection = op.get_bind()
    known: dict[tuple[date, int], list[str]] = {}

    def put(subject_id: int, day: date, letter: str) -> None:
        known.setdefault((day.replace(day=1), subject_id), ["."] * 31)[day.day - 1] = letter

    prompted = sa.table("dose_prompted", sa.column("subject_id", sa.Integer), sa.column("day_on", sa.Date))
    for subject_id, day in connection.execute(sa.select(prompted)):
        put(subject_id, day, "?")
    said = sa.table(
        "dose_report",
        sa.column("subject_id", sa.Integer),
        sa.column("day_on", sa.Date),
        sa.column("status", sa.String),
        sa.column("reasons", sa.JSON),
        sa.column("version", sa.Integer),
    )
    for subject_id, day, status, reasons, _ in connection.execute(sa.select(said).order_by(said.c.version)):
        letter = {"taken": "T", "partly": "P", "not_taken": "M"}.get(status, "?")
        put(subject_id, day, letter.lower() if "RAN_OUT" in reasons else letter)
    return [
        {"month_on": month_on, "subject_id": subject_id, "days": "".join(letters)}
        for (month_on, subject_id), letters in known.items()
    ]


def downgrade() -> None:
    op.add_column("dose_report", sa.Column("reason", WORDS(), nullable=True))
    op.execute(sa.text(TO_FIRST[op.get_context().dialect.name]))
    for table, columns in (
        ("dose_report", ("reasons", "source")),
        ("dose_order", ("voided_because", "void", "decided_by", "reason", "times_a_day")),
        ("subject", ("dose_rhythm",)),
    ):
        for column in columns:
            op.drop_column(table, column)
    for table in ("dose_month", "lab_release", "tablet_count", "dose_review", "dose_change"):
        op.drop_table(table)
