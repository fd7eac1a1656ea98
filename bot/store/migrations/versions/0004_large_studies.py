"""Indexes for what lies still and for visits that are due: who looks for a few must not read all that is planned."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WAITING = sa.text("state = 'waiting'")


def upgrade() -> None:
    op.create_index("ix_agenda_item_late", "agenda_item", ["due_at"], sqlite_where=WAITING, postgresql_where=WAITING)
    op.drop_index("ix_visit_state_target_on", table_name="visit")
    op.create_index("ix_visit_due", "visit", ["state", "target_on", "subject_id"])


def downgrade() -> None:
    op.drop_index("ix_visit_due", table_name="visit")
    op.create_index("ix_visit_state_target_on", "visit", ["state", "target_on"])
    op.drop_index("ix_agenda_item_late", table_name="agenda_item")
