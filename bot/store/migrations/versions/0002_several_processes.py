"""A lease for what only one process may do, claims that know it, seals of the audit trail, indexes for backlogs."""

from collections.abc import Sequence

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Table, name, columns, condition.
INDEXES = (
    ("agenda_item", "ix_agenda_item_due", ["kind", "due_at", "id"], "state = 'waiting'"),
    ("agenda_item", "ix_agenda_item_about", ["kind", "about_id"], "state = 'waiting'"),
    ("inbox_update", "ix_inbox_update_waiting", ["bot_id", "id"], "state = 'waiting'"),
    ("inbox_update", "ix_inbox_update_chat", ["chat_id", "id"], "state = 'waiting'"),
    ("inbox_update", "ix_inbox_update_parked", ["id"], "state = 'parked'"),
    ("outbox_message", "ix_outbox_message_waiting", ["lane", "id"], "state = 'waiting'"),
    ("outbox_message", "ix_outbox_message_sending", ["claimed_at"], "state = 'sending'"),
    ("outbox_message", "ix_outbox_message_unsure", ["account_id"], "state = 'unsure' AND repeated_at IS NULL"),
)
# What they replace, for the way back.
OLDER = (
    ("agenda_item", "ix_agenda_item_due", ["due_at"], "state = 'waiting'"),
    ("agenda_item", "ix_agenda_item_about", ["kind", "about_id"], None),
    ("inbox_update", "ix_inbox_update_waiting", ["id"], "state = 'waiting'"),
    ("outbox_message", "ix_outbox_message_waiting", ["lane", "due_at"], "state = 'waiting'"),
)
# Seals are append-only, like what they seal (DI-04).
SQLITE_GUARDS = [
    f"CREATE TRIGGER audit_seal_no_{verb.lower()} BEFORE {verb} ON audit_seal "
    "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
    for verb in ("UPDATE", "DELETE")
]
POSTGRESQL_GUARDS = [
    "CREATE TRIGGER audit_seal_no_change BEFORE UPDATE OR DELETE ON audit_seal "
    "FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()",
    "CREATE TRIGGER audit_seal_no_truncate BEFORE TRUNCATE ON audit_seal "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()",
]


def upgrade() -> None:
    op.create_table(
        "lease",
        sa.Column("name", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("holder", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("bot_id", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("until", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "audit_seal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("up_to_id", sa.Integer(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("previous", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("hash", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_seal")),
        sa.UniqueConstraint("hash", name=op.f("uq_audit_seal_hash")),
    )
    op.add_column("outbox_message", sa.Column("epoch", sa.Integer(), nullable=True))
    op.add_column("outbox_message", sa.Column("repeated_at", sqlmodel.sql.sqltypes.UTCDateTime(), nullable=True))
    for table, name, _columns, _condition in OLDER:
        op.drop_index(name, table_name=table)
    _create(INDEXES)
    for guard in SQLITE_GUARDS if op.get_bind().dialect.name == "sqlite" else POSTGRESQL_GUARDS:
        op.execute(guard)


def downgrade() -> None:
    for table, name, _columns, _condition in INDEXES:
        op.drop_index(name, table_name=table)
    _create(OLDER)
    op.drop_column("outbox_message", "repeated_at")
    op.drop_column("outbox_message", "epoch")
    op.drop_table("audit_seal")
    op.drop_table("lease")


def _create(indexes: Sequence[tuple[str, str, list[str], str | None]]) -> None:
    for table, name, columns, condition in indexes:
        where = sa.text(condition) if condition else None
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
