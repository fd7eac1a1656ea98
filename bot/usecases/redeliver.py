"""What becomes of a message when nobody knows whether it arrived? One rule for each class of message.

Red pages and instructions go out again and say so, with growing pauses, until one surely arrived. Answers and
work items are shown again when the person next writes or presses something, and say so too. Reminders and
digests are not repeated.
"""

import random
from datetime import timedelta

import structlog
from sqlmodel import col, select

from bot.store import outbox
from bot.store.models import Escalation, OutboxMessage, StaffMember
from bot.usecases import escalate, upkeep
from bot.work import Lane, Work

log = structlog.get_logger(__name__)

# With the pauses between them these take about five minutes; then people have to act.
RED_ATTEMPTS = 9
SHOWN_AGAIN = (Lane.ANSWER, Lane.AMBER)
# What a repeat does not take over from the message that it repeats.
OWN = {
    "id",
    "token",
    "dedupe_key",
    "state",
    "reason",
    "claimed_at",
    "epoch",
    "closed_at",
    "repeated_at",
    "message_id",
}
# After a long silence the last ones are enough; nobody reads a pile of old answers.
MOST_SHOWN = 3


def unsure(work: Work, message: OutboxMessage, reason: str) -> None:
    """Close a message of unknown fate; a red one goes out again."""
    outbox.close(message, "unsure", work.now, reason)
    if message.lane != Lane.RED or pointless(work, message) is not None:
        return
    if message.attempts < RED_ATTEMPTS:
        _repeat(work, message, "delivery.repeated").due_at += delay(message.attempts)
    else:
        log.error("outbox.red_unsure", message=message.id, purpose=message.purpose)
        upkeep.report_refused(work, message)


def pointless(work: Work, message: OutboxMessage) -> str | None:
    """Return why a message that was on its way is not tried again; None when it is still wanted.

    What happened meanwhile silenced only what still waited: somebody took the case over, or the reader left.
    """
    gone = select(StaffMember.id).where(
        StaffMember.account_id == message.account_id, col(StaffMember.revoked_at) >= message.created_at
    )
    if message.method != "commands" and work.session.exec(gone).first() is not None:
        return "no longer staff"
    if message.purpose == escalate.PAGE:
        case = work.session.get_one(Escalation, message.about_id)
        since = case.resolved_at or case.acknowledged_at
        if since is not None and since >= message.created_at:
            return "taken over"
    return None


def delay(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts: doubling to a minute, with some disorder."""
    seconds = min(2.0 ** min(attempts, 6), 60.0)
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311 (spreads load, guards nothing)


def show_again(work: Work) -> None:
    """Show the person who has just come back what may never have reached them."""
    waiting = outbox.to_show_again(work.session, work.caller.account_id, SHOWN_AGAIN)
    for message in waiting[:-MOST_SHOWN]:
        message.repeated_at = work.now
    for message in waiting[-MOST_SHOWN:]:
        _repeat(work, message, "delivery.shown_again")


def arrived(work: Work, message: OutboxMessage) -> None:
    """Note that a message of unknown fate did arrive: its button was pressed."""
    if message.state == "unsure":
        outbox.close(message, "sent", work.now, "its button was pressed")


def _repeat(work: Work, message: OutboxMessage, key: str) -> OutboxMessage:
    message.repeated_at = work.now
    # Asked for one by one: of a message that was just tried, the words are opened only when they are needed.
    repeat = OutboxMessage(**{name: getattr(message, name) for name in OutboxMessage.model_fields.keys() - OWN})
    said = work.texts.text(key, message.locale, text="")
    if not message.text.startswith(said):
        repeat.text = work.texts.text(key, message.locale, text=message.text)
    repeat.created_at = repeat.due_at = work.now
    # The buttons move to the repeat: only one of the two may be on the phone.
    repeat.token, message.token = message.token, None
    work.session.flush()
    work.session.add(repeat)
    return repeat
