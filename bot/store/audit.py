"""Who changed what, when and why? An entry for every change of a clinical record, written with it."""

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import event, insert, inspect
from sqlalchemy.orm import ORMExecuteState, UOWTransaction
from sqlalchemy.orm import Session as OrmSession
from sqlmodel import Session

from bot.errors import FollowupError
from bot.store.models import Audited, AuditEntry
from bot.store.types import Encrypted

SEALED = "(sealed)"


class AuditBypassed(FollowupError):
    """A clinical record was to be changed in a way that leaves no audit entry."""


def attribute(session: Session, *, at: datetime, actor: str, cause: str, reason: str | None = None) -> None:
    """Say on whose behalf and why everything in this session happens."""
    session.info.update(at=at, actor=actor, cause=cause, reason=reason)


def record(
    session: Session,
    what: str,
    *,
    entity: str | None = None,
    entity_id: int | None = None,
    reason: str | None = None,
    **detail: Any,
) -> None:
    """Add an entry for an event that changes no row: a view, an export, a refusal (DI-06)."""
    info = session.info
    session.add(
        AuditEntry(
            at=info["at"],
            actor=info["actor"],
            cause=info["cause"],
            what=what,
            entity=entity,
            entity_id=entity_id,
            changes=detail,
            reason=reason,
        )
    )


@event.listens_for(OrmSession, "after_flush")
def _write_entries(session: OrmSession, _context: UOWTransaction) -> None:
    entries: list[dict[str, Any]] = []
    for what, rows in (("created", session.new), ("changed", session.dirty), ("deleted", session.deleted)):
        for row in rows:
            if isinstance(row, Audited) and (changes := _changes(row, what)):
                entries.append(_entry(session, row, what, changes))
    if entries:
        session.execute(insert(AuditEntry), entries)


@event.listens_for(OrmSession, "do_orm_execute")
def _refuse_bulk_changes(state: ORMExecuteState) -> None:
    if not (state.is_update or state.is_delete):
        return
    for mapper in state.all_mappers:
        if issubclass(mapper.class_, Audited):
            raise AuditBypassed(f"{mapper.class_.__name__} rows are changed one by one, so that each leaves an entry")


def _entry(session: OrmSession, row: Audited, what: str, changes: dict[str, Any]) -> dict[str, Any]:
    info = session.info
    if "actor" not in info:
        raise AuditBypassed("nobody is named as the author of this change")
    return {
        "at": info["at"],
        "actor": info["actor"],
        "cause": info["cause"],
        "what": f"{row.__tablename__}.{what}",
        "entity": str(row.__tablename__),
        "entity_id": getattr(row, "id", None),
        "changes": changes,
        "reason": info.get("reason"),
    }


def _changes(row: Audited, what: str) -> dict[str, Any]:
    """Return ``{column: [old, new]}``; sealed columns show only that they changed."""
    state = inspect(row)
    changes: dict[str, Any] = {}
    for attr in state.mapper.column_attrs:
        name = attr.key
        sealed = isinstance(attr.columns[0].type, Encrypted)
        if what == "changed":
            history = state.attrs[name].history
            if not history.has_changes():
                continue
            old, new = (history.deleted or [None])[0], (history.added or [None])[0]
        else:
            value = getattr(row, name)
            if value is None:
                continue
            old, new = (None, value) if what == "created" else (value, None)
        changes[name] = [_shown(old, sealed), _shown(new, sealed)]
    return changes


def _shown(value: Any, sealed: bool) -> Any:
    if value is None:
        return None
    if sealed:
        return SEALED
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return value
