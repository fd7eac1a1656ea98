"""Days on which tablets had run out are marked also where that was ticked after the answer."""

from collections.abc import Iterator
from datetime import date

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    months = sa.table("dose_month", sa.column("month_on", sa.Date), sa.column("subject_id"), sa.column("days"))
    for subject_id, day in _days(connection):
        of_day = (months.c.month_on == day.replace(day=1)) & (months.c.subject_id == subject_id)
        days = connection.execute(sa.select(months.c.days).where(of_day)).scalar()
        if days is None:
            continue  # rows that were put in past the bot have no month (decision 0058)
        marked = days[: day.day - 1] + days[day.day - 1].lower() + days[day.day :]
        connection.execute(sa.update(months).where(of_day).values(days=marked))


def _days(connection: sa.Connection) -> Iterator[tuple[int, date]]:
    """Yield the patients and days whose newest answer says that the tablets had run out."""
    reports = sa.table(
        "dose_report",
        sa.column("subject_id"),
        sa.column("day_on", sa.Date),
        sa.column("status"),
        sa.column("reasons", sa.JSON),
        sa.column("version"),
    )
    newest = {
        (subject_id, day): reasons
        for subject_id, day, reasons in connection.execute(
            sa.select(reports.c.subject_id, reports.c.day_on, reports.c.reasons)
            .where(reports.c.status.in_(("taken", "partly", "not_taken")))
            .order_by(reports.c.version)
        )
    }
    yield from (key for key, reasons in newest.items() if "RAN_OUT" in reasons)


def downgrade() -> None:
    """Leave the marks: what was so before was wrong."""
