"""Photos, voice messages and files of patients, kept for staff to look at."""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

import bot.store.types

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

WORDS, TIME = sqlmodel.sql.sqltypes.AutoString, sqlmodel.sql.sqltypes.UTCDateTime


def upgrade() -> None:
    op.create_table(
        "evidence",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("bot_id", sa.BigInteger(), nullable=False),
        sa.Column("parcel", WORDS(), nullable=False),
        sa.Column("kind", WORDS(), nullable=False),
        sa.Column("escalation_id", sa.Integer(), nullable=True),
        sa.Column("sent_at", TIME(), nullable=False),
        sa.Column("received_at", TIME(), nullable=False),
        sa.Column("given_by", WORDS(), nullable=False),
        sa.Column("first_viewed_at", TIME(), nullable=True),
        sa.Column("first_viewed_by", WORDS(), nullable=True),
        sa.Column("dealt_with_at", TIME(), nullable=True),
        sa.Column("dealt_with_by", WORDS(), nullable=True),
        sa.Column("note", bot.store.types.Encrypted(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.ForeignKeyConstraint(["escalation_id"], ["escalation.id"]),
        sa.ForeignKeyConstraint(["subject_id"], ["subject.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account_id", "bot_id", "parcel"),
    )
    op.create_index("ix_evidence_subject", "evidence", ["subject_id", "id"])
    op.create_index("ix_evidence_escalation_id", "evidence", ["escalation_id"])
    op.create_table(
        "evidence_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("evidence_id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", WORDS(), nullable=False),
        sa.Column("file_id", bot.store.types.Encrypted(), nullable=False),
        sa.Column("file_unique_id", WORDS(), nullable=False),
        sa.Column("mime", WORDS(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("caption", bot.store.types.Encrypted(), nullable=True),
        sa.Column("sent_at", TIME(), nullable=False),
        sa.Column("received_at", TIME(), nullable=False),
        sa.Column("given_by", WORDS(), nullable=False),
        sa.ForeignKeyConstraint(["evidence_id"], ["evidence.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("evidence_id", "message_id"),
    )
    with op.batch_alter_table("measurement") as batch:
        batch.add_column(sa.Column("evidence_id", sa.Integer(), nullable=True))
        batch.create_foreign_key("fk_measurement_evidence_id_evidence", "evidence", ["evidence_id"], ["id"])


def downgrade() -> None:
    with op.batch_alter_table("measurement") as batch:
        batch.drop_constraint("fk_measurement_evidence_id_evidence", type_="foreignkey")
        batch.drop_column("evidence_id")
    op.drop_table("evidence_file")
    op.drop_index("ix_evidence_escalation_id", table_name="evidence")
    op.drop_index("ix_evidence_subject", table_name="evidence")
    op.drop_table("evidence")
