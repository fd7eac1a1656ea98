"""Which of several processes does what only one may do? A row that its holder keeps renewing.

Time is the database's, so clocks of machines need not agree. Each new holder raises the epoch; whoever
acts under the lease checks in its own transaction that the epoch is still its own.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, exists, func, literal, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from bot.errors import FollowupError
from bot.store.models import Lease
from bot.store.session import is_sqlite

LEADER = "leader"


class Deposed(FollowupError):
    """Another process has taken over; this one must not send any more."""


def take(
    session: Session, holder: str, bot_id: int, lasts: timedelta, now: datetime, *, by_force: bool = False
) -> int | None:
    """Take the lease if nobody holds it any more, or ``by_force``; return the new epoch, None when it is held."""
    moment = _moment(session, now)
    insert = sqlite.insert if is_sqlite(session.connection()) else postgresql.insert
    given: dict[str, Any] = {"holder": holder, "bot_id": bot_id, "until": moment + lasts}
    statement = insert(Lease).values(name=LEADER, epoch=1, **given)
    taken = session.execute(
        statement.on_conflict_do_update(
            index_elements=[col(Lease.name)],
            set_={**given, "epoch": col(Lease.epoch) + 1},
            # A lease that seems to last for longer was taken before the clock was set back.
            where=None if by_force else (col(Lease.until) < moment) | (col(Lease.until) > moment + 2 * lasts),
        ).returning(col(Lease.epoch))
    )
    epoch: int | None = taken.scalar_one_or_none()
    return epoch


def renew(session: Session, epoch: int, lasts: timedelta, now: datetime) -> bool:
    """Hold the lease for longer; return False when somebody else has taken it since."""
    result = session.connection().execute(
        update(Lease)
        .where(col(Lease.name) == LEADER, col(Lease.epoch) == epoch)
        .values(until=_moment(session, now) + lasts)
    )
    return result.rowcount == 1


def give_back(session: Session, epoch: int, now: datetime) -> None:
    """Let the next process take the lease at once."""
    session.connection().execute(
        update(Lease)
        .where(col(Lease.name) == LEADER, col(Lease.epoch) == epoch)
        .values(until=_moment(session, now) - timedelta(seconds=1))
    )


def is_current(epoch: Any) -> ColumnElement[bool]:
    """Return the condition under which no later holder has taken the lease than that of ``epoch``."""
    return exists().where(col(Lease.name) == LEADER, col(Lease.epoch) == epoch)


def holder_of_another_bot(session: Session, bot_id: int, now: datetime) -> int | None:
    """Return the number of the bot that holds the lease at this moment, if it is another one."""
    held = case((col(Lease.until) > _moment(session, now), col(Lease.bot_id)), else_=literal(None))
    found: int | None = session.exec(select(held).where(Lease.name == LEADER)).first()
    return found if found != bot_id else None


def _moment(session: Session, now: datetime) -> Any:
    """Return the present as the database sees it; SQLite has one process, whose own time will do."""
    if is_sqlite(session.connection()):
        return now
    moment: ColumnElement[datetime] = func.clock_timestamp()
    return moment
