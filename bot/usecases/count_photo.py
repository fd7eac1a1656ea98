"""Which count of tablets does a photo belong to that a patient sends shortly after it?"""

from datetime import timedelta

from sqlmodel import col, select

from bot.store.models import Evidence, TabletCount
from bot.work import Work


def attach(work: Work, sent: Evidence) -> None:
    """Let a photo belong to the count that this person gave shortly before, if it has none yet."""
    since = work.now - timedelta(hours=work.protocol.tablets.counts.photo_hours)
    newest = work.session.exec(
        select(TabletCount)
        .where(
            TabletCount.subject_id == sent.subject_id,
            TabletCount.recorded_by == work.caller.label,
            TabletCount.recorded_at >= since,
        )
        .order_by(col(TabletCount.id).desc())
    ).first()
    if newest is not None and newest.evidence_id is None and not newest.void:
        newest.evidence_id = sent.id
        work.session.flush()
