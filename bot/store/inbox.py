"""Which updates came in, and which of them are still to be worked on?"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam
from sqlalchemy.orm import defer
from sqlmodel import Session, col, select

from bot.store.models import InboxUpdate
from bot.store.planner import is_in, only

LOOKED_AT = 400

_KNOWN = select(InboxUpdate.update_id).where(
    InboxUpdate.bot_id == bindparam("bot_id"), col(InboxUpdate.update_id).in_(bindparam("update_ids", expanding=True))
)


def keep(session: Session, bot_id: int, updates: Sequence[dict[str, Any]], now: datetime) -> int:
    """Store updates as they came, each once; return how many were new (DI-14, DI-15)."""
    ids = [int(update["update_id"]) for update in updates]
    known = set(session.exec(_KNOWN, params={"bot_id": bot_id, "update_ids": ids}).all())
    fresh = {number: update for number, update in zip(ids, updates, strict=True) if number not in known}
    for number, update in sorted(fresh.items()):
        session.add(
            InboxUpdate(
                bot_id=bot_id,
                update_id=number,
                chat_id=_chat(update),
                raw=json.dumps(update, ensure_ascii=False),
                received_at=now,
            )
        )
    return len(fresh)


_named = bindparam("named", expanding=True)
_WAITING = (
    select(col(InboxUpdate.id), col(InboxUpdate.chat_id))
    .where(only(col(InboxUpdate.bot_id), bindparam("bot_id")), is_in(InboxUpdate, "waiting"))
    .order_by(col(InboxUpdate.bot_id), col(InboxUpdate.id))
    .limit(LOOKED_AT)
)
_FREE = _WAITING.where(col(InboxUpdate.chat_id).is_(None) | col(InboxUpdate.chat_id).not_in(_named))
_FREE_WITH_CHAT = _WAITING.where(col(InboxUpdate.chat_id).not_in(_named))
_BY_NUMBER = (
    select(InboxUpdate)
    .where(col(InboxUpdate.id).in_(bindparam("numbers", expanding=True)))
    .order_by(col(InboxUpdate.id))
)


def waiting(session: Session, bot_id: int, busy: Collection[int | None], limit: int) -> Sequence[InboxUpdate]:
    """Return the oldest waiting update of each chat that is not ``busy``, oldest first.

    Updates without a chat wait for each other as those of one chat do.
    """
    named = [number for number in busy if number is not None]
    free = _FREE_WITH_CHAT if None in busy else _FREE
    looked_at = session.execute(free, {"bot_id": bot_id, "named": named}).all()
    first: dict[int | None, int] = {}
    for number, chat_id in looked_at:
        if len(first) < limit:
            first.setdefault(chat_id, number)
    if not first:
        return []
    return session.exec(_BY_NUMBER, params={"numbers": list(first.values())}).all()


@dataclass(frozen=True, slots=True)
class Taken:
    """Whether this transaction may handle an update, and its row; an update that was never stored has none."""

    mine: bool
    row: InboxUpdate | None = None


_BY_UPDATE = (
    select(InboxUpdate)
    .where(InboxUpdate.bot_id == bindparam("bot_id"), InboxUpdate.update_id == bindparam("update_id"))
    # The words are known to whoever handles them; opening them again would cost more than the rest of the row.
    .options(defer(getattr(InboxUpdate, "raw")))  # noqa: B009 (typed as str otherwise)
)
_TAKEN = _BY_UPDATE.with_for_update(skip_locked=True)


def take(session: Session, bot_id: int, update_id: int) -> Taken:
    """Claim an update for this transaction, unless it is closed, somebody else's, or not its chat's turn."""
    given = {"bot_id": bot_id, "update_id": update_id}
    row = session.exec(_TAKEN, params=given).first()
    if row is None:
        # Locked by a process that works on it at this moment, or handled without having been stored.
        return Taken(session.exec(_BY_UPDATE, params=given).first() is None)
    return Taken(row.state == "waiting" and _is_first(session, row), row)


_OLDER = (
    select(InboxUpdate.id)
    .where(
        InboxUpdate.bot_id == bindparam("bot_id"),
        is_in(InboxUpdate, "waiting"),
        col(InboxUpdate.id) < bindparam("number"),
    )
    .limit(1)
)
_OLDER_OF_CHAT = _OLDER.where(InboxUpdate.chat_id == bindparam("chat_id"))
_OLDER_WITHOUT_CHAT = _OLDER.where(col(InboxUpdate.chat_id).is_(None))


def _is_first(session: Session, row: InboxUpdate) -> bool:
    """Tell whether no older update of the same chat waits."""
    given = {"bot_id": row.bot_id, "number": row.id}
    if row.chat_id is None:
        return session.exec(_OLDER_WITHOUT_CHAT, params=given).first() is None
    return session.exec(_OLDER_OF_CHAT, params={**given, "chat_id": row.chat_id}).first() is None


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
