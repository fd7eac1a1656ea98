"""What does the bot do about its own failures?"""

from sqlmodel import select

from bot.domain.people import Caller
from bot.domain.urgency import Urgency
from bot.store import people
from bot.store.models import Account, InboxUpdate, Subject
from bot.usecases import escalate
from bot.work import Lane, Text, Work

PARKED, REPORTED = "parked", "parked and told"


def apologise(work: Work, account: Account) -> None:
    """Say that something went wrong on our side, and how to reach a human."""
    work.say(account, "error.ours", lane=Lane.RED, purpose="error", phone=work.settings.site_phone)


def report_parked(work: Work) -> None:
    """Tell a person whose message could not be handled, and give staff the task to look."""
    parked = work.session.exec(
        select(InboxUpdate).where(InboxUpdate.state == PARKED).with_for_update(skip_locked=True)
    ).all()
    for row in parked:
        row.state = REPORTED
        account = work.session.exec(select(Account).where(Account.telegram_id == row.chat_id)).first()
        if account is None:
            continue
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
