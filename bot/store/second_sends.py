"""Which pages has Telegram not confirmed, and what has left by the second channel?"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_
from sqlalchemy.orm import defer
from sqlmodel import Session, col, func, select

from bot.domain.escalation import CaseState
from bot.domain.second_channel import EMAIL, WEBHOOK, Page
from bot.store.lease import is_current
from bot.store.models import Escalation, OutboxMessage, SecondSend, StaffMember
from bot.store.outbox import WORDS
from bot.store.planner import is_in

PAGE, TEST = "page", "test"
SUPERSEDED = "a newer page takes its place"
CLAIMED_AT_ONCE = 50
# Of the outbox, whose purpose of a page is named above the store.
_PURPOSE = "page"


@dataclass(frozen=True, slots=True)
class Paged:
    """The messages of the newest round of a case to one active member of staff."""

    case: Escalation
    member: StaffMember
    pages: tuple[Page, ...]


_PAGES = (
    select(Escalation, StaffMember, OutboxMessage)
    .join(OutboxMessage, col(OutboxMessage.about_id) == col(Escalation.id))
    .join(
        StaffMember,
        and_(col(StaffMember.account_id) == col(OutboxMessage.account_id), col(StaffMember.revoked_at).is_(None)),
    )
    .where(
        Escalation.state == CaseState.NOTIFIED,
        OutboxMessage.purpose == _PURPOSE,
        col(OutboxMessage.created_at) >= col(Escalation.last_paged_at),
    )
    .order_by(col(Escalation.id), col(StaffMember.id), col(OutboxMessage.id))
    .options(*(defer(getattr(OutboxMessage, name)) for name in WORDS))
)


def paged(session: Session, case_ids: Collection[int] | None = None) -> Sequence[Paged]:
    """Return whom the newest round of each case pages that nobody has taken over, with what became of it."""
    statement = _PAGES if case_ids is None else _PAGES.where(col(Escalation.id).in_(case_ids))
    found: dict[tuple[int, int], tuple[Escalation, StaffMember, list[Page]]] = {}
    for case, member, message in session.exec(statement).all():
        _, _, pages = found.setdefault((case.id or 0, member.id or 0), (case, member, []))
        pages.append(Page(message.id or 0, message.state, message.created_at))
    return [Paged(case, member, tuple(pages)) for case, member, pages in found.values()]


def hopes(session: Session, case: Escalation, channels: Collection[str]) -> bool:
    """Tell whether the second channel can reach somebody whom the newest round of a case pages."""
    return any(
        WEBHOOK in channels or (EMAIL in channels and each.member.email is not None)
        for each in paged(session, [case.id or 0])
    )


def by_key(session: Session, keys: Iterable[str]) -> dict[str, SecondSend]:
    rows = session.exec(select(SecondSend).where(col(SecondSend.key).in_(list(keys)))).all()
    return {row.key: row for row in rows}


def of_round(session: Session, case: Escalation) -> Sequence[SecondSend]:
    """Return what was to leave by the second channel for the newest round of a case."""
    return session.exec(
        select(SecondSend).where(SecondSend.escalation_id == case.id, SecondSend.page == case.pages)
    ).all()


def waiting_before(session: Session, send: SecondSend) -> Sequence[SecondSend]:
    """Return what waits to reach the same person by the same way for earlier pages of the same case."""
    return session.exec(
        select(SecondSend).where(
            SecondSend.escalation_id == send.escalation_id,
            col(SecondSend.page) < send.page,
            SecondSend.staff_id == send.staff_id,
            SecondSend.channel == send.channel,
            is_in(SecondSend, "waiting"),
        )
    ).all()


def due(session: Session, now: datetime) -> Sequence[SecondSend]:
    """Return what is to leave now, held for whoever asks."""
    return session.exec(
        select(SecondSend)
        .where(is_in(SecondSend, "waiting"), col(SecondSend.due_at) <= now)
        .order_by(col(SecondSend.due_at), col(SecondSend.id))
        .limit(CLAIMED_AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()


def has_work(session: Session, now: datetime) -> bool:
    """Tell whether something is due, or was begun and has no outcome."""
    due_now = select(SecondSend.id).where(is_in(SecondSend, "waiting"), col(SecondSend.due_at) <= now).limit(1)
    begun = select(SecondSend.id).where(is_in(SecondSend, "sending")).limit(1)
    return any(session.exec(each).first() is not None for each in (due_now, begun))


def lock(session: Session, number: int) -> SecondSend:
    return session.exec(select(SecondSend).where(SecondSend.id == number).with_for_update()).one()


def leads(session: Session, epoch: int) -> bool:
    """Tell whether no later holder has taken the lease than that of ``epoch``."""
    return bool(session.exec(select(is_current(epoch))).one())


def abandoned(session: Session, now: datetime, epoch: int, lapse: timedelta) -> Sequence[SecondSend]:
    """Return what a process that died or was deposed was sending, and what lost its outcome."""
    return session.exec(
        select(SecondSend)
        .where(
            is_in(SecondSend, "sending"),
            (func.coalesce(SecondSend.epoch, 0) < epoch) | (col(SecondSend.claimed_at) <= now - lapse),
        )
        .with_for_update(skip_locked=True)
    ).all()


def next_due_at(session: Session) -> datetime | None:
    """Return when the next waiting send becomes due."""
    first = select(SecondSend.due_at).where(is_in(SecondSend, "waiting")).order_by(col(SecondSend.due_at)).limit(1)
    return session.exec(first).first()
