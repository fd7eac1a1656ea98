"""What does the bot do about its own failures?"""

from sqlmodel import Session, select

from bot.domain.people import Caller
from bot.domain.roles import Role
from bot.domain.urgency import Urgency
from bot.store import people
from bot.store.models import Account, InboxUpdate, StaffMember, Subject
from bot.usecases import escalate
from bot.work import Lane, Text, Work

PARKED, REPORTED = "parked", "parked and told"


def apologise(work: Work, account: Account) -> None:
    """Say that something went wrong on our side, and how to reach a human."""
    work.say(account, "error.ours", lane=Lane.RED, purpose="error", phone=work.settings.site_phone)


def parked(session: Session) -> list[int]:
    """Return the updates that could not be handled and that nobody has been told of."""
    rows = session.exec(select(InboxUpdate.id).where(InboxUpdate.state == PARKED)).all()
    return [number for number in rows if number is not None]


def report_parked(work: Work, number: int) -> None:
    """Tell a person whose message could not be handled, and give staff the task to look."""
    row = work.session.get_one(InboxUpdate, number, with_for_update=True)
    if row.state != PARKED:
        return
    row.state = REPORTED
    account = work.session.exec(select(Account).where(Account.telegram_id == row.chat_id)).first()
    if account is None:
        return
    apologise(work, account)
    caller: Caller = people.caller(work.session, account)
    if caller.subject_id is not None:
        subject = work.session.get_one(Subject, caller.subject_id)
        escalate.raise_case(
            work,
            subject,
            Urgency.AMBER,
            ["bot.not_handled"],
            [Text("request.not_handled", {"number": row.id or 0})],
        )


def note_reach(work: Work, account: Account, because: str | None) -> None:
    """Keep whether a person can be reached; staff hear the same day of a subject who no longer can."""
    if (account.unreachable_at is not None) == (because is not None):
        return
    account.unreachable_at = work.now if because is not None else None
    account.unreachable_because = because
    if because is None:
        return
    caller = people.caller(work.session, account)
    if caller.subject_id is not None:
        subject = work.session.get_one(Subject, caller.subject_id)
        escalate.tell_staff(work, subject, "staff.unreachable", who=Text(f"relation.{caller.role}"))
    elif caller.staff_id is not None:
        for _, admin in people.staff(work.session, [Role.ADMIN, Role.COORDINATOR]):
            if admin.id != account.id:
                member = work.session.get_one(StaffMember, caller.staff_id)
                work.say(admin, "staff.unreachable_staff", lane=Lane.AMBER, purpose="staff", name=member.name)
