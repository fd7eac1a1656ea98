"""The next day that a patient may still believe in: news of a move cannot wait when it is today or tomorrow."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("visit", sa.Column("moved_from_on", sa.Date(), nullable=True))
    op.add_column("visit", sa.Column("moved_from_version", sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("visit") as visit:
        visit.drop_column("moved_from_version")
        visit.drop_column("moved_from_on")
