"""What must a bot know that begins again from a backup? That everything after the backup is forgotten, not undone."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import update
from sqlmodel import col, select

from bot.store import agenda, audit, backup
from bot.store.models import AgendaItem, Heartbeat, InboxUpdate, Lease, OutboxMessage
from bot.usecases import home_count, outage, redeliver, repeating, tablets, visit_reminders
from bot.work import Work

# What was asked after an older outage may have been asked; everybody is asked anew.
POLITE = (
    visit_reminders.REMINDER,
    visit_reminders.ANNOUNCE,
    visit_reminders.GONE,
    visit_reminders.CHASE,
    *tablets.KINDS,
    home_count.ASK,
    outage.ASK,
)
# Done a second time they change nothing that a person sees.
HARMLESS = ("edit", "unbutton", "commands")


@dataclass(frozen=True, slots=True)
class Begun:
    """How much was left open in the backup, and how many patients are asked again."""

    unsure: int
    skipped: int
    updates: int
    asked: int


def begin_again(work: Work, backup_at: datetime, head: str) -> Begun:
    """Make a restored database fit to be run, in the same transaction that restored it.

    What the backup shows as unsent may have gone out since, and what fell due may have been done: none of it
    is done again without saying so. Reports that came in since are lost, so all active patients are asked.
    """
    reason = f"restored from a backup of {backup_at:%Y-%m-%d %H:%M:%S} UTC"
    work.because(reason)
    audit.record(work.session, "restored", reason=reason, head=head)
    begun = Begun(
        unsure=_doubt_messages(work, reason),
        skipped=_skip_polite(work, reason),
        updates=_mark_updates(work, reason),
        asked=outage.ask_all(work, backup_at, work.now),
    )
    outage.tell_staff(work, "staff.restored", backup_at, begun.asked)
    _wake(work)
    return begun


def _doubt_messages(work: Work, reason: str) -> int:
    """Close what was due by now as of unknown fate: red ones go out again, answers are shown again, and say so."""
    open_ones = work.session.exec(
        select(OutboxMessage)
        .where(
            (col(OutboxMessage.state) == "sending")
            | ((col(OutboxMessage.state) == "waiting") & (col(OutboxMessage.due_at) <= work.now)),
        )
        .order_by(col(OutboxMessage.id))
    ).all()
    doubted = [message for message in open_ones if message.method not in HARMLESS]
    for message in open_ones:
        if message.method in HARMLESS:
            message.state = "waiting"
    for message in doubted:
        redeliver.unsure(work, message, reason)
    work.session.flush()
    return len(doubted)


def _skip_polite(work: Work, reason: str) -> int:
    """Skip reminders and questions that fell due since; pages of open cases and looks at silence stay."""
    due = work.session.exec(
        select(AgendaItem)
        .where(AgendaItem.state == "waiting", col(AgendaItem.kind).in_(POLITE), col(AgendaItem.due_at) <= work.now)
        .order_by(col(AgendaItem.due_at), col(AgendaItem.id))
    ).all()
    for item in due:
        agenda.close(item, "skipped", work.now, reason)
    work.session.flush()
    for item in due:
        repeating.go_on(work, item)
    return len(due)


def _mark_updates(work: Work, reason: str) -> int:
    """Mark what waits to be handled: its answers may be on the phone already, so the next ones say so."""
    result = work.session.connection().execute(
        update(InboxUpdate).where(col(InboxUpdate.state) == "waiting").values(reason=reason)
    )
    return result.rowcount


def _wake(work: Work) -> None:
    """Forget who led, and let no part of the bot take the time in between for an outage of its own.

    The age of the last backup stays what it is.
    """
    connection = work.session.connection()
    connection.execute(update(Lease).values(until=work.now))
    connection.execute(update(Heartbeat).where(col(Heartbeat.name) != backup.HEARTBEAT).values(at=work.now))
