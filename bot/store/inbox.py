"""Which updates came in, and which of them are still to be worked on?"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, exists, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import aliased, defer
from sqlmodel import Session, col, select

from bot.store.models import InboxUpdate
from bot.store.planner import is_in, only
from bot.store.session import is_sqlite

LOOKED_AT = 400

# On PostgreSQL a row that another transaction has just put there is a conflict, and the work is run again.
_KEPT = {
    True: sqlite.insert(InboxUpdate).on_conflict_do_nothing(index_elements=["bot_id", "update_id"]),
    False: postgresql.insert(InboxUpdate).on_conflict_do_nothing(index_elements=["bot_id", "update_id"]),
}


def keep(session: Session, bot_id: int, updates: Sequence[dict[str, Any]], now: datetime) -> int:
    """Store updates as they came, each once; return how many were new (DI-14, DI-15)."""
    came = {int(update["update_id"]): update for update in updates}
    rows = [
        InboxUpdate(
            bot_id=bot_id,
            update_id=number,
            chat_id=_chat(update),
            raw=json.dumps(update, ensure_ascii=False),
            received_at=now,
        ).model_dump(exclude={"id"})
        for number, update in sorted(came.items())
    ]
    if not rows:
        return 0
    connection, counted = session.connection(), {"preserve_rowcount": True}
    return connection.execute(_KEPT[is_sqlite(connection)], rows, execution_options=counted).rowcount


_named: Any = bindparam("named", expanding=True)


def _first_of_each(free: ColumnElement[bool]) -> Any:
    looked_at = (
        select(col(InboxUpdate.id), col(InboxUpdate.chat_id))
        .where(only(col(InboxUpdate.bot_id), bindparam("bot_id")), is_in(InboxUpdate, "waiting"), free)
        .order_by(col(InboxUpdate.bot_id), col(InboxUpdate.id))
        .limit(LOOKED_AT)
        .subquery()
    )
    oldest = func.min(looked_at.c.id)
    first = (
        select(oldest, func.count())
        .select_from(looked_at)
        .group_by(looked_at.c.chat_id)
        .order_by(oldest)
        .limit(bindparam("many"))
        .subquery()
    )
    number, of_chat = first.c
    return select(InboxUpdate, of_chat).join(first, col(InboxUpdate.id) == number).order_by(col(InboxUpdate.id))


_FIRST = _first_of_each(col(InboxUpdate.chat_id).is_(None) | col(InboxUpdate.chat_id).not_in(_named))
_FIRST_WITH_CHAT = _first_of_each(col(InboxUpdate.chat_id).not_in(_named))


@dataclass(frozen=True, slots=True)
class Waiting:
    """The updates to work on now, and whether chats may wait that have none among them."""

    rows: Sequence[InboxUpdate]
    more: bool


def waiting(session: Session, bot_id: int, busy: Collection[int | None], limit: int) -> Waiting:
    """Return the oldest waiting update of each chat that is not ``busy``, oldest first.

    Updates without a chat wait for each other as those of one chat do.
    """
    named = [number for number in busy if number is not None]
    statement = _FIRST_WITH_CHAT if None in busy else _FIRST
    found = session.execute(statement, {"bot_id": bot_id, "named": named, "many": limit}).all()
    more = len(found) == limit or sum(of_chat for _, of_chat in found) == LOOKED_AT
    return Waiting([row for row, _ in found], more)


@dataclass(frozen=True, slots=True)
class Taken:
    """Whether this transaction may handle an update, and its row; an update that was never stored has none."""

    mine: bool
    row: InboxUpdate | None = None


_older = aliased(InboxUpdate)
_has_older = exists().where(
    col(_older.bot_id) == col(InboxUpdate.bot_id),
    col(_older.chat_id) == col(InboxUpdate.chat_id),
    is_in(_older, "waiting"),
    col(_older.id) < col(InboxUpdate.id),
)
_BY_UPDATE = (
    select(InboxUpdate, _has_older)
    .where(InboxUpdate.bot_id == bindparam("bot_id"), InboxUpdate.update_id == bindparam("update_id"))
    # The words are known to whoever handles them; opening them again would cost more than the rest of the row.
    .options(defer(getattr(InboxUpdate, "raw")))  # noqa: B009 (typed as str otherwise)
)
_TAKEN = _BY_UPDATE.with_for_update(skip_locked=True)


def take(session: Session, bot_id: int, update_id: int) -> Taken:
    """Claim an update for this transaction, unless it is closed, somebody else's, or not its chat's turn."""
    given = {"bot_id": bot_id, "update_id": update_id}
    found = session.exec(_TAKEN, params=given).first()
    if found is None:
        # Locked by a process that works on it at this moment, or handled without having been stored.
        return Taken(session.exec(_BY_UPDATE, params=given).first() is None)
    row, has_older = found
    if row.chat_id is None and row.state == "waiting":
        has_older = session.exec(_OLDER_WITHOUT_CHAT, params={"bot_id": bot_id, "number": row.id}).first() is not None
    return Taken(row.state == "waiting" and not has_older, row)


_OLDER_WITHOUT_CHAT = (
    select(InboxUpdate.id)
    .where(
        InboxUpdate.bot_id == bindparam("bot_id"),
        col(InboxUpdate.chat_id).is_(None),
        is_in(InboxUpdate, "waiting"),
        col(InboxUpdate.id) < bindparam("number"),
    )
    .limit(1)
)


def close(row: InboxUpdate, state: str, now: datetime, reason: str | None = None) -> None:
    row.state, row.closed_at, row.reason = state, now, reason


def _chat(update: dict[str, Any]) -> int | None:
    """Return the chat whose order an update belongs to; a press belongs to the chat of its message."""
    for body in update.values():
        if isinstance(body, dict):
            inner = body.get("message") if "message" in body else body
            if isinstance(inner, dict) and isinstance(inner.get("chat"), dict):
                return int(inner["chat"]["id"])
            if isinstance(body.get("from"), dict):
                return int(body["from"]["id"])
    return None
