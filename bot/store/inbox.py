"""Which updates came in, and which of them are still to be worked on?"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import defer
from sqlmodel import Session, col, select

from bot.store.models import InboxUpdate
from bot.store.planner import is_in, only

LOOKED_AT = 400


def keep(session: Session, bot_id: int, updates: Sequence[dict[str, Any]], now: datetime) -> int:
    """Store updates as they came, each once; return how many were new (DI-14, DI-15)."""
    ids = [int(update["update_id"]) for update in updates]
    known = set(
        session.exec(
            select(InboxUpdate.update_id).where(InboxUpdate.bot_id == bot_id, col(InboxUpdate.update_id).in_(ids))
        ).all()
    )
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


def waiting(session: Session, bot_id: int, busy: Collection[int | None], limit: int) -> Sequence[InboxUpdate]:
    """Return the oldest waiting update of each chat that is not ``busy``, oldest first.

    Updates without a chat wait for each other as those of one chat do.
    """
    chat = col(InboxUpdate.chat_id)
    named = [number for number in busy if number is not None]
    free = chat.not_in(named) if None in busy else (chat.is_(None) | chat.not_in(named))
    looked_at = session.execute(
        select(col(InboxUpdate.id), chat)
        .where(only(col(InboxUpdate.bot_id), bot_id), is_in(InboxUpdate, "waiting"), free)
        .order_by(col(InboxUpdate.bot_id), col(InboxUpdate.id))
        .limit(LOOKED_AT)
    ).all()
    first: dict[int | None, int] = {}
    for number, chat_id in looked_at:
        if len(first) < limit:
            first.setdefault(chat_id, number)
    if not first:
        return []
    return session.exec(
        select(InboxUpdate).where(col(InboxUpdate.id).in_(first.values())).order_by(col(InboxUpdate.id))
    ).all()


@dataclass(frozen=True, slots=True)
class Taken:
    """Whether this transaction may handle an update, and its row; an update that was never stored has none."""

    mine: bool
    row: InboxUpdate | None = None


def take(session: Session, bot_id: int, update_id: int) -> Taken:
    """Claim an update for this transaction, unless it is closed, somebody else's, or not its chat's turn."""
    # The words are known to whoever handles them; opening them again would cost more than the rest of the row.
    sealed = defer(getattr(InboxUpdate, "raw"))  # noqa: B009 (typed as str otherwise)
    found = (
        select(InboxUpdate).where(InboxUpdate.bot_id == bot_id, InboxUpdate.update_id == update_id).options(sealed)
    )
    row = session.exec(found.with_for_update(skip_locked=True)).first()
    if row is None:
        # Locked by a process that works on it at this moment, or handled without having been stored.
        return Taken(session.exec(found).first() is None)
    return Taken(row.state == "waiting" and _is_first(session, row), row)


def _is_first(session: Session, row: InboxUpdate) -> bool:
    """Tell whether no older update of the same chat waits."""
    same = InboxUpdate.chat_id == row.chat_id if row.chat_id is not None else col(InboxUpdate.chat_id).is_(None)
    older = session.exec(
        select(InboxUpdate.id)
        .where(InboxUpdate.bot_id == row.bot_id, same, is_in(InboxUpdate, "waiting"), col(InboxUpdate.id) < row.id)
        .limit(1)
    ).first()
    return older is None


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
