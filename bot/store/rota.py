"""Which shifts stand, who has them, and who is named as the fallback?"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam
from sqlmodel import Session, col, func, select

from bot.domain.roles import CLINICAL
from bot.domain.rota import Level, Shift, Span
from bot.store.models import Account, OncallFallback, OncallShift, StaffMember, SwapOffer

OPEN = "open"


@dataclass(frozen=True, slots=True)
class Rota:
    """The shifts that stand in some time, with whoever has them."""

    rows: Sequence[tuple[OncallShift, StaffMember, Account]]

    @property
    def shifts(self) -> list[Shift]:
        return [as_shift(row) for row, _, _ in self.rows]

    @property
    def absent(self) -> frozenset[int]:
        """Return who cannot be paged: no longer clinical staff, or a chat that cannot be reached."""
        return frozenset(row.staff_id for row, member, account in self.rows if not is_there(member, account))

    @property
    def people(self) -> dict[int, tuple[StaffMember, Account]]:
        return {row.staff_id: (member, account) for row, member, account in self.rows}


def is_there(member: StaffMember, account: Account) -> bool:
    """Return whether a page can reach somebody who may act on it."""
    return member.revoked_at is None and member.role in CLINICAL and account.unreachable_at is None


def as_shift(row: OncallShift) -> Shift:
    return Shift(row.staff_id, Level(row.level), Span(row.from_at, row.until_at))


_STANDING = (
    select(OncallShift, StaffMember, Account)
    .join(StaffMember, col(OncallShift.staff_id) == col(StaffMember.id))
    .join(Account, col(StaffMember.account_id) == col(Account.id))
    .where(
        col(OncallShift.ended_at).is_(None),
        col(OncallShift.from_at) < bindparam("until"),
        col(OncallShift.until_at) > bindparam("since"),
    )
    .order_by(col(OncallShift.from_at), col(OncallShift.level), col(OncallShift.staff_id))
)


def standing(session: Session, within: Span) -> Rota:
    """Return the shifts that stand and have a moment in common with ``within``."""
    given = {"since": within.from_at, "until": within.until_at}
    return Rota([(shift, member, account) for shift, member, account in session.exec(_STANDING, params=given).all()])


_BEGUN = select(func.min(OncallShift.from_at))


def begins_at(session: Session) -> datetime | None:
    """Return when the first shift that was ever entered began; None where no rota is in use."""
    return session.exec(_BEGUN).one()


_SECOND = select(OncallShift.id).where(OncallShift.level == Level.SECOND).limit(1)


def has_second(session: Session) -> bool:
    """Return whether the site has ever entered a second on call."""
    return session.exec(_SECOND).first() is not None


_OF = (
    select(OncallShift)
    .where(
        OncallShift.staff_id == bindparam("staff_id"),
        col(OncallShift.ended_at).is_(None),
        col(OncallShift.until_at) > bindparam("since"),
    )
    .order_by(col(OncallShift.from_at))
)


def of_person(session: Session, staff_id: int, since: datetime) -> Sequence[OncallShift]:
    """Return the shifts of a person that have not ended at ``since``."""
    return session.exec(_OF, params={"staff_id": staff_id, "since": since}).all()


def ended_for(session: Session, within: Span, because: Collection[str]) -> Sequence[OncallShift]:
    """Return the shifts of some time that were ended for one of these reasons."""
    return session.exec(
        select(OncallShift).where(
            col(OncallShift.ended_because).in_(because),
            col(OncallShift.from_at) < within.until_at,
            col(OncallShift.until_at) > within.from_at,
        )
    ).all()


def open_offer(session: Session, shift_id: int) -> SwapOffer | None:
    """Return the offer of a shift that nobody has answered yet."""
    return session.exec(select(SwapOffer).where(SwapOffer.shift_id == shift_id, SwapOffer.state == OPEN)).first()


def open_offers_to(session: Session, staff_id: int) -> Sequence[SwapOffer]:
    """Return what was offered to a person and not answered yet."""
    return session.exec(select(SwapOffer).where(SwapOffer.to_staff_id == staff_id, SwapOffer.state == OPEN)).all()


_FALLBACK = (
    select(OncallFallback, StaffMember, Account)
    .join(StaffMember, col(OncallFallback.staff_id) == col(StaffMember.id))
    .join(Account, col(StaffMember.account_id) == col(Account.id))
    .where(col(OncallFallback.ended_at).is_(None))
    .order_by(col(OncallFallback.id).desc())
    .limit(1)
)


def fallback(session: Session) -> tuple[OncallFallback, StaffMember, Account] | None:
    """Return who is named to be paged when nobody is on call."""
    return session.exec(_FALLBACK).first()
