"""Who is behind an account, and which accounts belong to a subject or to a role?"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam
from sqlmodel import Session, and_, col, select

from bot.domain.people import Caller
from bot.domain.roles import CLINICAL, EVERYONE, ON_DUTY, Role
from bot.store.models import Account, Link, StaffMember, Subject

_BY_TELEGRAM_ID = select(Account).where(Account.telegram_id == bindparam("telegram_id"))


def meet(session: Session, telegram_id: int, locale: str, now: datetime) -> Account:
    """Return the account of this Telegram number, made on first contact."""
    account = session.exec(_BY_TELEGRAM_ID, params={"telegram_id": telegram_id}).first()
    if account is None:
        account = Account(telegram_id=telegram_id, locale=locale, first_seen_at=now)
        session.add(account)
        session.flush()
    return account


_ACCOUNTS = select(Account).where(col(Account.id).in_(bindparam("numbers", expanding=True)))


def accounts(session: Session, numbers: Collection[int]) -> Sequence[Account]:
    """Return accounts by number."""
    return session.exec(_ACCOUNTS, params={"numbers": list(numbers)}).all()


def speaking() -> ColumnElement[bool]:
    """Return the condition under which a link counts: open and agreed to."""
    return and_(col(Link.ended_at).is_(None), col(Link.agreed_at).is_not(None))


# Asked with every update, so both in one statement.
_CALLER = (
    select(StaffMember, Link)
    .select_from(Account)
    .outerjoin(
        StaffMember,
        (col(StaffMember.account_id) == col(Account.id)) & col(StaffMember.revoked_at).is_(None),
    )
    .outerjoin(Link, (col(Link.account_id) == col(Account.id)) & speaking())
    .where(Account.id == bindparam("account_id"))
)


def caller(session: Session, account: Account) -> Caller:
    """Return who this account is to the trial right now."""
    assert account.id is not None
    known, link = session.exec(_CALLER, params={"account_id": account.id}).one()
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
