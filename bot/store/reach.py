"""Which subjects has nobody been heard of, whose chat is closed, and what were they asked?"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlalchemy.orm import aliased
from sqlmodel import Session, and_, col, func, select

from bot.domain.participation import ParticipationState
from bot.store.models import Account, Checkin, Invitation, Link, OutboxMessage, Response, Subject, Visit
from bot.store.people import speaking
from bot.store.visits import DONE

# Messages that ask for an answer: the daily question, the check-in, the reminders of a visit, whether it took place.
# A check-in that is offered once more is the same question.
ASKING = ("dose.prompt", "checkin.ask", "visit.reminder", "visit.chase")
ABOUT_NO_VISIT = ("dose.prompt", "checkin.ask")
NOT_DELIVERED = frozenset({"failed", "unsure", "skipped"})  # unsure is never shown as sent (DI-16)


@dataclass(frozen=True, slots=True)
class Heard:
    """When anybody who speaks for a subject was last heard, to the hour, and what was delivered since."""

    subject_id: int
    heard_at: datetime
    asked_at: tuple[datetime, ...]


def unheard(session: Session, before: datetime) -> Sequence[Heard]:
    """Return the subjects on study of whom nobody was heard at ``before`` or later."""
    spoken, other = aliased(Link), aliased(Account)
    heard_later = (
        select(spoken.id)
        .join(other, col(spoken.account_id) == col(other.id))
        .where(
            col(spoken.subject_id) == col(Subject.id),
            col(spoken.ended_at).is_(None),
            col(spoken.agreed_at).is_not(None),
            col(other.last_heard_at) > before,
        )
        .exists()
    )
    found = session.execute(
        select(col(Subject.id), col(Account.last_heard_at), col(OutboxMessage.closed_at))
        .select_from(Account)
        .join(Link, and_(col(Link.account_id) == col(Account.id), speaking()))
        .join(Subject, col(Link.subject_id) == col(Subject.id))
        .outerjoin(OutboxMessage, and_(col(OutboxMessage.account_id) == col(Account.id), _asked_since()))
        .where(col(Account.last_heard_at) <= before, Subject.state == ParticipationState.ON_STUDY, ~heard_later)
        .order_by(col(Subject.id))
    ).all()
    heard: dict[int, datetime] = {}
    asked: dict[int, set[datetime]] = {}
    for subject_id, heard_at, asked_at in found:
        heard[subject_id] = max(heard_at, heard.get(subject_id, heard_at))
        asked.setdefault(subject_id, set())
        if asked_at is not None:
            asked[subject_id].add(asked_at)
    return [Heard(number, at, tuple(sorted(asked[number]))) for number, at in heard.items()]


def _asked_since() -> ColumnElement[bool]:
    """Return the condition for a question that was delivered after its reader was last heard."""
    return and_(
        col(OutboxMessage.purpose).in_(ASKING),
        col(OutboxMessage.state) == "sent",
        col(OutboxMessage.keyboard).is_not(None),
        col(OutboxMessage.closed_at) > col(Account.last_heard_at),
        # Who came to the visit has answered its reminders.
        col(OutboxMessage.purpose).in_(ABOUT_NO_VISIT)
        | ~select(Visit.id).where(col(Visit.id) == col(OutboxMessage.about_id), Visit.state == DONE).exists(),
    )


def closed_chats(session: Session) -> Sequence[tuple[int, datetime]]:
    """Return the subjects whose own chat Telegram has said to be closed, and since when."""
    found = session.execute(
        select(col(Subject.id), func.min(col(Account.unreachable_at)))
        .select_from(Account)
        .join(Link, and_(col(Link.account_id) == col(Account.id), speaking()))
        .join(Subject, col(Link.subject_id) == col(Subject.id))
        .where(
            col(Account.unreachable_at).is_not(None),
            Link.relation == "patient",
            Subject.state == ParticipationState.ON_STUDY,
        )
        .group_by(col(Subject.id))
        .order_by(col(Subject.id))
    ).all()
    return [(number, at) for number, at in found]


def missed_checkins(session: Session, in_row: int, now: datetime) -> Sequence[tuple[int, datetime]]:
    """Return the subjects on study who left at least so many check-ins in a row unanswered, and since when.

    One that reached nobody's phone asks nobody, and whoever has filled one in since of their own accord missed none.
    """
    other = aliased(Checkin)
    answered = (
        select(func.max(col(other.id)))
        .where(col(other.subject_id) == col(Checkin.subject_id), col(other.response_id).is_not(None))
        .correlate(Checkin)
        .scalar_subquery()
    )
    reached = (
        select(OutboxMessage.id)
        .where(
            OutboxMessage.purpose == "checkin.ask",
            col(OutboxMessage.about_id) == col(Checkin.id),
            OutboxMessage.state == "sent",
        )
        .exists()
    )
    unasked = (
        select(Response.id)
        .where(
            col(Response.subject_id) == col(Checkin.subject_id),
            Response.questionnaire == "weekly",
            col(Response.opened_at) >= col(Checkin.asked_at),
        )
        .exists()
    )
    found = session.execute(
        select(col(Checkin.subject_id), func.min(col(Checkin.asked_at)))
        .join(Subject, col(Checkin.subject_id) == col(Subject.id))
        .where(
            Subject.state == ParticipationState.ON_STUDY,
            col(Checkin.asked_at) >= col(Subject.state_changed_at),
            col(Checkin.response_id).is_(None),
            col(Checkin.useful_until) <= now,
            col(Checkin.id) > func.coalesce(answered, 0),
            reached,
            ~unasked,
        )
        .group_by(col(Checkin.subject_id))
        .having(func.count() >= in_row)
        .order_by(col(Checkin.subject_id))
    ).all()
    return [(number, at) for number, at in found]


def not_begun(session: Session) -> Sequence[tuple[int, datetime, datetime | None]]:
    """Return the subjects who have not agreed, since when they are enrolled, and until when their link works."""
    link_ends_at = (
        select(func.max(col(Invitation.expires_at)))
        .where(
            col(Invitation.subject_id) == col(Subject.id),
            Invitation.purpose == "patient",
            col(Invitation.used_at).is_(None),
            col(Invitation.revoked_at).is_(None),
        )
        .scalar_subquery()
    )
    return [
        (number, enrolled_at, ends_at)
        for number, enrolled_at, ends_at in session.execute(
            select(col(Subject.id), col(Subject.enrolled_at), link_ends_at)
            .where(Subject.state == ParticipationState.INVITED)
            .order_by(col(Subject.id))
        ).all()
    ]


def fates(session: Session, purposes: Sequence[str], **about: object) -> Sequence[tuple[str, str]]:
    """Return what became of each message of some kinds about one thing: its key and its state, oldest first.

    ``about`` are columns of the outbox.
    """
    found = session.execute(
        select(col(OutboxMessage.dedupe_key), col(OutboxMessage.state))
        .where(
            col(OutboxMessage.purpose).in_(purposes),
            *(getattr(OutboxMessage, column) == value for column, value in about.items()),
            col(OutboxMessage.dedupe_key).is_not(None),
        )
        .order_by(col(OutboxMessage.id))
    ).all()
    return [(key, state) for key, state in found]


def fates_of_each(session: Session, purpose: str, about_ids: Sequence[int]) -> dict[int, list[str]]:
    """Return for each of some things what became of the messages of one kind about it, by one statement."""
    found = session.execute(
        select(col(OutboxMessage.about_id), col(OutboxMessage.state)).where(
            OutboxMessage.purpose == purpose,
            col(OutboxMessage.about_id).in_(about_ids),
            col(OutboxMessage.dedupe_key).is_not(None),
        )
    ).all()
    fates: dict[int, list[str]] = {number: [] for number in about_ids}
    for number, state in found:
        fates[number].append(state)
    return fates


def in_vain(states: Iterable[str]) -> bool:
    """Tell whether something was put and surely or probably reached nobody; what still waits may yet arrive."""
    known = set(states)
    return bool(known) and known <= NOT_DELIVERED


def last_asked(session: Session, subject_id: int) -> OutboxMessage | None:
    """Return the newest message to a subject's side that asked for an answer."""
    return session.exec(
        select(OutboxMessage)
        .where(
            OutboxMessage.subject_id == subject_id,
            col(OutboxMessage.purpose).in_(ASKING),
            col(OutboxMessage.keyboard).is_not(None),
        )
        .order_by(col(OutboxMessage.id).desc())
        .limit(1)
    ).first()
