"""What does a group chat of staff hear? That a red case is open, taken or closed: its number, no more (SEC-05).

The group is a bell that everybody in the room hears; who it is about is read in the private chats.
"""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from bot.domain.roles import LEADING, Role
from bot.domain.urgency import Urgency
from bot.store.models import Account, Escalation, StaffGroup
from bot.work import Lane, Work

# Who may put the bot into a group of staff.
ADDING = frozenset({*LEADING, Role.ADMIN})
PURPOSE = "group"

_OPEN = (
    select(StaffGroup, Account)
    .join(Account, col(StaffGroup.account_id) == col(Account.id))
    .where(col(StaffGroup.ended_at).is_(None))
    .order_by(col(StaffGroup.id))
)


def registered(session: Session, chat_id: int) -> StaffGroup | None:
    """Return the group of this chat, if it is one of staff."""
    found = session.exec(_OPEN.where(Account.telegram_id == chat_id)).first()
    return None if found is None else found[0]


def add(work: Work, chat_id: int) -> bool:
    """Take a group in that somebody of the staff has put the bot into; False when they may not."""
    if work.caller.role not in ADDING:
        return False
    if registered(work.session, chat_id) is not None:
        return True
    account = work.session.exec(select(Account).where(Account.telegram_id == chat_id)).first()
    if account is None:
        account = Account(telegram_id=chat_id, locale=work.caller.locale, first_seen_at=work.now)
        work.session.add(account)
        work.session.flush()
    account.unreachable_at = account.unreachable_because = None
    work.session.add(StaffGroup(account_id=account.id or 0, added_at=work.now, added_by=work.caller.label))
    work.session.flush()
    work.say(account, "group.staff.added", purpose=PURPOSE)
    return True


def end(work: Work, chat_id: int) -> None:
    """Say nothing more in a group that the bot was taken out of."""
    group = registered(work.session, chat_id)
    if group is not None:
        group.ended_at = work.now
        work.silence("the bot is no longer in the group", account_id=group.account_id)


def move(work: Work, chat_id: int, new_chat_id: int) -> None:
    """Follow a group that Telegram made a larger one, under another number."""
    group = registered(work.session, chat_id)
    if group is not None:
        work.session.get_one(Account, group.account_id).telegram_id = new_chat_id


def ring(work: Work, case: Escalation) -> None:
    """Say in the groups that a red case waits for somebody, once at each level of its chain."""
    _tell(work, case, "group.case.open", str(case.pages))


def taken(work: Work, case: Escalation) -> None:
    _tell(work, case, "group.case.taken", str(case.pages))


def closed(work: Work, case: Escalation) -> None:
    _tell(work, case, "group.case.closed", f"{case.pages}:closed")


def _tell(work: Work, case: Escalation, key: str, once: str) -> None:
    if not Urgency(case.urgency).is_red:
        return
    if key != "group.case.open":
        work.silence("what is said next takes its place", purpose=PURPOSE, about_id=case.id)
    for _, account in _groups(work):
        work.say(
            account,
            key,
            lane=Lane.RED if key == "group.case.open" else Lane.AMBER,
            purpose=PURPOSE,
            about_id=case.id,
            dedupe_key=f"{key}:{case.id}:{once}:{account.id}",
            number=case.id,
        )


def _groups(work: Work) -> Sequence[tuple[StaffGroup, Account]]:
    return [each for each in work.session.exec(_OPEN).all() if each[1].unreachable_at is None]
