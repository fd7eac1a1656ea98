"""Which updates came in, and which of them are still to be worked on?"""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from bot.store.models import InboxUpdate


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
    rows = session.exec(
        select(InboxUpdate)
        .where(InboxUpdate.bot_id == bot_id, InboxUpdate.state == "waiting", free)
        .order_by(col(InboxUpdate.id))
        .limit(limit)
    ).all()
    first: dict[int | None, InboxUpdate] = {}
    for row in rows:
        first.setdefault(row.chat_id, row)
    return list(first.values())


def of_update(session: Session, bot_id: int, update_id: int) -> InboxUpdate | None:
    return session.exec(
        select(InboxUpdate).where(InboxUpdate.bot_id == bot_id, InboxUpdate.update_id == update_id)
    ).first()


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
