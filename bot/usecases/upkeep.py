"""What does the bot do about its own failures?"""

from collections.abc import Collection
from datetime import timedelta

from sqlmodel import Session, col, select

from bot.domain import escalation as rules
from bot.domain.people import Caller
from bot.domain.roles import Role
from bot.domain.urgency import Urgency
from bot.store import people
from bot.store.models import Account, AgendaItem, Escalation, InboxUpdate, OutboxMessage, Subject
from bot.usecases import escalate
from bot.work import Lane, Text, Work

REFUSED = "refused"
PARKED, REPORTED = "parked", "parked and told"


def apologise(work: Work, account: Account) -> None:
    """Say that something went wrong on our side, and how to reach a human."""
    work.say(account, "error.ours", lane=Lane.RED, purpose="error", phone=work.settings.site_phone)


_PARKED = select(InboxUpdate.id).where(InboxUpdate.state == PARKED)


def parked(session: Session) -> list[int]:
    """Return the updates that could not be handled and that nobody has been told of."""
    rows = session.exec(_PARKED).all()
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


def report_refused(work: Work, message: OutboxMessage) -> None:
    """Give staff the task to reach a person by another way: Telegram will never take this message.

    The fault is the bot's, so the log has the details; the message's words may not be told to everybody.
    """
    if message.purpose == escalate.PAGE:
        return  # others are paged instead
    if message.subject_id is not None:
        subject = work.session.get_one(Subject, message.subject_id)
        escalate.raise_case(
            work,
            subject,
            Urgency.AMBER,
            ["bot.not_delivered"],
            [Text("request.not_delivered", {"number": message.id or 0})],
        )
        return
    for _, admin in people.staff(work.session, [Role.ADMIN, Role.COORDINATOR]):
        if admin.id != message.account_id and message.purpose != REFUSED:
            work.say(admin, "staff.not_delivered", lane=Lane.AMBER, purpose=REFUSED, number=message.id or 0)


def set_back(work: Work, step: timedelta, kinds: Collection[str]) -> None:
    """Move what is planned or was done for open cases, and what waits to be sent, back by the clock's ``step``.

    What waits for a morning that had not come before the step waits for it still.
    """
    before = work.now + step
    unresolved = select(Escalation).where(col(Escalation.state).in_(rules.UNRESOLVED))
    cases = work.session.exec(unresolved).all()
    # A chain that has rung waits for no morning; it may have begun after the last pulse, by which the step is known.
    wait = {case.id for case in cases if case.last_paged_at is None and case.chain_started_at > before}
    items = work.session.exec(
        select(AgendaItem).where(
            AgendaItem.state == "waiting", col(AgendaItem.kind).in_(kinds), AgendaItem.due_at > work.now
        )
    ).all()
    for item in items:
        for_a_morning = item.kind == escalate.DIGEST or (item.kind == escalate.NEXT_PAGE and item.about_id in wait)
        if not (for_a_morning and item.due_at > before):
            item.due_at = max(item.due_at - step, work.now)
    # What was to leave at once must not wait until the clock has come so far again.
    for message in work.session.exec(
        select(OutboxMessage).where(OutboxMessage.state == "waiting", OutboxMessage.created_at > work.now)
    ).all():
        message.due_at = max(message.due_at - step, work.now)
    for case in cases:
        if case.chain_started_at > work.now and case.id not in wait:
            case.chain_started_at -= step
        for name in escalate.MOMENTS:
            at = getattr(case, name)
            if at is not None and at > work.now:
                setattr(case, name, at - step)


def tell_of_step(work: Work, seconds: float) -> None:
    """Tell those who look after the bot that its machine's clock jumped; reminders may have come at wrong times."""
    for _, admin in people.staff(work.session, [Role.ADMIN, Role.COORDINATOR]):
        work.say(admin, "staff.clock_set", lane=Lane.AMBER, purpose="staff", minutes=round(abs(seconds) / 60))
