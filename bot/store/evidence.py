"""What did patients send for people to look at, and which files belong to it?"""

from collections.abc import Sequence

from sqlmodel import Session, col, func, select

from bot.store.models import Evidence, EvidenceFile

ALBUM = "album"


def kind_of(item: Evidence) -> str:
    """Return what was sent: a file of a kind, or an album of several."""
    return ALBUM if item.parcel.startswith(ALBUM) else item.kind


def of_parcel(session: Session, account_id: int, bot_id: int, parcel: str) -> Evidence | None:
    """Return what an account sent as one message or one album."""
    query = select(Evidence).where(
        Evidence.account_id == account_id, Evidence.bot_id == bot_id, Evidence.parcel == parcel
    )
    return session.exec(query.with_for_update()).first()


def files(session: Session, item: Evidence) -> Sequence[EvidenceFile]:
    """Return the files of what was sent, in the order of the chat."""
    query = select(EvidenceFile).where(EvidenceFile.evidence_id == item.id)
    return session.exec(query.order_by(col(EvidenceFile.message_id))).all()


def of_case(session: Session, case_id: int | None) -> Sequence[Evidence]:
    """Return what staff were told of in a case, the newest first."""
    query = select(Evidence).where(Evidence.escalation_id == case_id)
    return session.exec(query.order_by(col(Evidence.id).desc())).all()


def count(session: Session, subject_id: int | None) -> int:
    return session.exec(select(func.count()).select_from(Evidence).where(Evidence.subject_id == subject_id)).one()


def listed(session: Session, subject_id: int | None, first: int, many: int) -> Sequence[Evidence]:
    """Return ``many`` of what was sent for a subject from the ``first`` on, the newest first."""
    query = select(Evidence).where(Evidence.subject_id == subject_id)
    return session.exec(query.order_by(col(Evidence.id).desc()).offset(first).limit(many)).all()
