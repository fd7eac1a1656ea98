"""What do staff see of a subject's tablets: the order as it stands, what is planned, and all that was said before?"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from bot.domain.dosing import Change
from bot.domain.roles import CLINICAL
from bot.store import audit
from bot.store.models import AuditEntry, DoseChange, DoseOrder, Subject
from bot.usecases import cases, dose_days, dose_orders, owning, reasons, screens, staff_queries
from bot.usecases.dose_days import Standing
from bot.work import Button, Day, Lines, Text, Work

Row = DoseOrder | DoseChange


def open_card(work: Work, args: dict[str, Any]) -> None:
    show(work, work.session.get_one(Subject, args["subject"]), int(args.get("page", 0)))


def show(work: Work, subject: Subject, page: int = 0) -> None:
    """Show the order as it stands, how it compares, what is planned and the history, the newest first."""
    session = work.session
    audit.record(session, "dose.viewed", entity="subject", entity_id=subject.id, page=page)
    orders, changes = dose_days.orders_of(session, subject), dose_days.changes_of(session, subject)
    takes = screens.takes_tablets(work, subject)
    if not takes and not orders:
        arm = Text(work.protocol.arms[subject.arm].name)
        work.answer("dose_order.not_in_arm", [screens.back_to(subject)], code=subject.code, arm=arm)
        return
    holds = dose_days.standing_on(session, subject, work.today)
    now = [dose_orders.stands(work, subject, holds, work.today)]
    if holds.order is not None and holds.stopped_by is None:
        now += dose_orders.compared(work, subject, holds.order, work.today)
    turns = [
        Text("dose_order.coming", {"day": Day(day), "what": dose_orders.in_short(then)})
        for day, then in dose_orders.coming(orders, changes, work.today)
    ]
    past: list[Row] = sorted([*orders, *changes], key=given_at, reverse=True)
    shown = past[page * cases.PER_PAGE : (page + 1) * cases.PER_PAGE]
    rows = _acts(work, subject, holds, past) if takes else []
    rows += cases.pager("dose.open", page, len(past), subject=subject.id)
    rows.append(screens.back_to(subject))
    work.answer(
        "dose_order.card",
        rows,
        code=subject.code,
        now=Lines([*now, *turns]),
        history=Lines([_line(work, subject, each) for each in shown] or [Text("form.none")], between="\n\n"),
    )


def _acts(work: Work, subject: Subject, holds: Standing, past: Sequence[Row]) -> list[list[Button]]:
    """Return what can be done as it stands now, to who may do it."""
    if work.caller.role not in CLINICAL or not staff_queries.is_open(subject):
        return []
    far = work.today + timedelta(days=work.protocol.tablets.dated.days_ahead)
    later = dose_days.standing_on(work.session, subject, far)
    about = {"subject": subject.id}
    rows = [[Button("dose_order.button.order", "dose.order", about)]]
    if holds.to_take is not None or later.to_take is not None:
        rows.append([Button("dose_order.button.hold", "dose.hold", about)])
    if holds.is_held or later.is_held:
        rows.append([Button("dose_order.button.resume", "dose.resume", about)])
    if later.order is not None and later.stopped_by is None:
        rows.append([Button("dose_order.button.stop", "dose.stop", about)])
    if any(not each.void for each in past):
        rows.append([Button("dose_order.button.void", "dose.void", about)])
    return rows


def given_at(row: Row) -> datetime:
    """Return when an order, a hold, a resume or a stop was entered."""
    return row.ordered_at if isinstance(row, DoseOrder) else row.recorded_at


def named(row: Row) -> Text:
    """Return what was said, from which day on."""
    if isinstance(row, DoseOrder):
        return Text(
            "dose_order.named_order", {"order": dose_orders.written(row), "day": Day(row.from_on, "full_day")}
        )
    return Text(f"dose_order.named.{Change(row.what)}", {"day": Day(row.from_on, "full_day")})


def _line(work: Work, subject: Subject, row: Row) -> Lines:
    lines: list[Text | Day | Lines | str] = [named(row)]
    if isinstance(row, DoseOrder):
        values = dose_orders.order_values(work, subject, row, row.from_on)
        lines.append(Text("dose_order.amount", {"mg": values["mg"], "per_kg": values["per_kg"]}))
        if row.until_on is not None:
            lines.append(Text("dose_order.until", {"day": Day(row.until_on)}))
        said_by = dose_orders.who_ordered(work, row)
    else:
        said_by = dose_orders.who(work, row.decided_by, row.recorded_by, row.recorded_at)
    if row.reason is not None:
        lines.append(Text("dose_order.because", {"reason": reasons.shown(row.reason)}))
    lines.append(said_by)
    if row.void:
        lines.append(_voided(work, row))
    return Lines(lines)


def _voided(work: Work, row: Row) -> Text:
    """Return why, when and by whom it was taken back: who and when stand in the audit trail."""
    entry = _voiding(work.session, row)
    if entry is None:
        return Text("dose_order.because", {"reason": reasons.shown(row.voided_because)})
    values: dict[str, object] = {
        "reason": reasons.shown(row.voided_because),
        "by": owning.by_whom(work, entry.actor),
        "at": work.texts.moment(entry.at, work.settings.zone, work.caller.locale),
    }
    return Text("dose_order.voided", values)


def _voiding(session: Session, row: Row) -> AuditEntry | None:
    entries = session.exec(
        select(AuditEntry)
        .where(
            AuditEntry.entity == row.__tablename__,
            AuditEntry.entity_id == row.id,
            AuditEntry.what == f"{row.__tablename__}.changed",
        )
        .order_by(col(AuditEntry.id).desc())
    ).all()
    return next((entry for entry in entries if "void" in entry.changes), None)
