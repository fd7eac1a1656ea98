"""Who is behind an account, and which accounts belong to a subject or to a role?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, exists
from sqlmodel import Session, and_, col, select

from bot.domain.people import Caller
from bot.domain.roles import CLINICAL, EVERYONE, ON_DUTY, Role
from bot.store.models import Account, Link, OutboxMessage, StaffMember, Subject
from bot.store.planner import is_in


def speaking() -> ColumnElement[bool]:
    """Return the condition under which a link counts: open and agreed to."""
    return and_(col(Link.ended_at).is_(None), col(Link.agreed_at).is_not(None))


_staff_member = (col(StaffMember.account_id) == col(Account.id)) & col(StaffMember.revoked_at).is_(None)
_linked = (col(Link.account_id) == col(Account.id)) & speaking()
_CALLER = (
    select(StaffMember, Link)
    .select_from(Account)
    .outerjoin(StaffMember, _staff_member)
    .outerjoin(Link, _linked)
    .where(Account.id == bindparam("account_id"))
)
# Asked with every update, so all in one statement.
_MET = (
    select(
        Account,
        StaffMember,
        Link,
        exists().where(
            col(OutboxMessage.account_id) == col(Account.id),
            is_in(OutboxMessage, "unsure"),
            col(OutboxMessage.repeated_at).is_(None),
        ),
    )
    .outerjoin(StaffMember, _staff_member)
    .outerjoin(Link, _linked)
    .where(Account.telegram_id == bindparam("telegram_id"))
)


@dataclass(frozen=True, slots=True)
class Met:
    """Who wrote or pressed; ``missed`` when they may have missed a message and were not shown it again."""

    account: Account
    caller: Caller
    missed: bool


def meet(session: Session, telegram_id: int, locale: str, now: datetime) -> Met:
    """Return who has this Telegram number; an account is made on first contact."""
    found = session.exec(_MET, params={"telegram_id": telegram_id}).first()
    if found is None:
        account = Account(telegram_id=telegram_id, locale=locale, first_seen_at=now)
        session.add(account)
        session.flush()
        return Met(account, _caller(account, None, None), missed=False)
    account, known, link, missed = found
    return Met(account, _caller(account, known, link), missed)


def caller(session: Session, account: Account) -> Caller:
    """Return who this account is to the trial right now."""
    known, link = session.exec(_CALLER, params={"account_id": account.id}).one()
    return _caller(account, known, link)


def _caller(account: Account, known: StaffMember | None, link: Link | None) -> Caller:
    assert account.id is not None
    if known is not None:
        return Caller(Role(known.role), account.id, account.locale, staff_id=known.id)
    if link is not None:
        return Caller(Role(link.relation), account.id, account.locale, subject_id=link.subject_id)
    return Caller(Role.STRANGER, account.id, account.locale)


def link_of(session: Session, account_id: int) -> Link | None:
    """Return the open, agreed link of an account to a subject."""
    return session.exec(select(Link).where(Link.account_id == account_id, speaking())).first()


_STAFF = (
    select(StaffMember, Account)
    .join(Account, col(StaffMember.account_id) == col(Account.id))
    .where(col(StaffMember.revoked_at).is_(None))
    .order_by(col(StaffMember.id))
)


def staff(session: Session, roles: Iterable[str]) -> Sequence[tuple[StaffMember, Account]]:
    """Return active staff of any of ``roles``, which may be `on_duty` (clinical staff on duty) or `everyone`."""
    wanted = set(roles)
    rows = session.exec(_STAFF).all()
    return [
        (member, account)
        for member, account in rows
        if member.role in wanted
        or (member.role in CLINICAL and (EVERYONE in wanted or (ON_DUTY in wanted and member.on_duty)))
    ]


def reachable(session: Session, roles: Iterable[str]) -> list[tuple[StaffMember, Account]]:
    """Return those of the active staff of ``roles`` whose chat is open."""
    return [each for each in staff(session, roles) if each[1].unreachable_at is None]


_SPEAKERS = (
    select(Link, Account)
    .join(Account, col(Link.account_id) == col(Account.id))
    .where(Link.subject_id == bindparam("subject_id"), speaking())
    .order_by(col(Link.relation).desc(), col(Link.id))
)


def speakers(session: Session, subject_id: int, relation: str | None = None) -> Sequence[Account]:
    """Return the accounts that speak for a subject, the patient first."""
    rows = session.exec(_SPEAKERS, params={"subject_id": subject_id}).all()
    return [account for link, account in rows if relation in (None, link.relation)]


def patient_first(session: Session, subject_id: int) -> Sequence[Account]:
    """Return the patient's account, or the caregivers' while the patient has none."""
    return speakers(session, subject_id, "patient") or speakers(session, subject_id)


def subject_by_code(session: Session, code: str) -> Subject | None:
    return session.exec(select(Subject).where(Subject.code == code)).first()


def member(session: Session, staff_id: int) -> tuple[StaffMember, Account] | None:
    """Return an active staff member with the account, or None after leaving."""
    found = session.get(StaffMember, staff_id)
    if found is None or found.revoked_at is not None:
        return None
    return found, session.get_one(Account, found.account_id)
