"""What happens when staff order tablets, pause them, let them go on, end them, or take back what they entered?

The record, the questions that are or are not put any more, and what the patient is told are one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlmodel import col, select

from bot.domain.dosing import Change, standing
from bot.domain.participation import ParticipationState, may_be_reminded
from bot.store import people
from bot.store.models import Account, DoseChange, DoseOrder, OutboxMessage, Subject
from bot.usecases import dose_card, dose_days, dose_orders, polite, reasons, screens, tablets, visit_reminders
from bot.usecases.dose_card import Row
from bot.work import Day, Text, Work

NOT_TO_TAKE = "no tablets are to be taken"
SUPERSEDED = "something newer was ordered"
TOLD = (polite.DOSE_ORDER, polite.DOSE_CHANGE)


@dataclass(frozen=True, slots=True)
class Entry:
    """What staff enter at once: an order, a change, or an order that also ends a hold."""

    order: DoseOrder | None = None
    change: DoseChange | None = None

    @property
    def from_on(self) -> date:
        """Return from which day on it holds."""
        row = self.order or self.change
        assert row is not None, "nothing was entered"
        return row.from_on


def an_order(
    work: Work,
    subject: Subject,
    *,
    formulation: str,
    tablets: Decimal,
    times_a_day: int,
    strength_mg: int,
    from_on: date,
    reason: str | None,
    decided_by: str,
    ends_hold: bool = False,
) -> Entry:
    """Return an order, not yet recorded; with ``ends_hold`` the tablets go on with it."""
    order = DoseOrder(
        subject_id=subject.id or 0,
        formulation=formulation,
        tablets=tablets,
        times_a_day=times_a_day,
        strength_mg=strength_mg,
        from_on=from_on,
        reason=reason,
        decided_by=decided_by,
        ordered_at=work.now,
        ordered_by=work.caller.label,
    )
    if not ends_hold:
        return Entry(order)
    return Entry(order, a_change(work, subject, Change.RESUME, from_on, reason or reasons.NEW_ORDER, decided_by))


def a_change(work: Work, subject: Subject, what: Change, from_on: date, reason: str, decided_by: str) -> DoseChange:
    """Return a hold, a resume or a stop, not yet recorded."""
    return DoseChange(
        subject_id=subject.id or 0,
        what=what,
        from_on=from_on,
        reason=reason,
        decided_by=decided_by,
        recorded_at=work.now,
        recorded_by=work.caller.label,
    )


def record(work: Work, subject: Subject, entry: Entry) -> bool:
    """Record what was entered and act on it at once; return whether the patient is told by the bot."""
    told = words(work, subject, entry)
    row = entry.order or entry.change
    if row is not None and row.reason is not None:
        reasons.because(work, row.reason)
    for each in (entry.order, entry.change):
        if each is not None:
            work.session.add(each)
    work.session.flush()
    _act(work, subject)
    return _tell(work, subject, entry, told)


def end_with_arm(work: Work, subject: Subject, from_on: date, reason: str, decided_by: str) -> None:
    """Record that an arm without tablets ends them; the change of the arm acts on what is planned and queued."""
    work.session.add(a_change(work, subject, Change.STOP, from_on, reason, decided_by))
    work.session.flush()


def take_back(work: Work, subject: Subject, row: Row, reason: str) -> bool:
    """Let something that was entered by mistake count no more; return whether the patient had been told of it.

    What was not shown yet is not shown; who was shown it hears that it does not hold.
    """
    reasons.because(work, reason)
    row.void, row.voided_because = True, reason
    work.session.flush()
    said = work.session.exec(
        select(OutboxMessage).where(
            OutboxMessage.subject_id == subject.id,
            col(OutboxMessage.purpose).in_(TOLD),
            OutboxMessage.created_at == dose_card.given_at(row),
        )
    ).all()
    work.silence("taken back", id=tuple(each.id for each in said))
    _act(work, subject)
    shown = [each for each in said if each.state not in ("waiting", "skipped")]
    if shown and reached(work, subject):
        visit_reminders.tell(
            work,
            subject,
            work.protocol.tablets.told.withdrawn,
            kind=polite.DOSE_CHANGE,
            about_id=None,
            key=f"dose.withdrawn:{row.__tablename__}:{row.id}",
            useful_until=_until(work, subject),
            day=Day(shown[0].created_at.astimezone(work.settings.zone).date()),
            phone=screens.phone(work),
        )
    return bool(shown)


def holds_with(work: Work, subject: Subject, entry: Entry, on: date) -> dose_days.Standing:
    """Return what would hold on a day once this were recorded."""
    orders, changes = dose_days.orders_of(work.session, subject), dose_days.changes_of(work.session, subject)
    return standing(
        [*([entry.order] if entry.order else []), *orders], [*changes, *([entry.change] if entry.change else [])], on
    )


def words(work: Work, subject: Subject, entry: Entry) -> Text | None:
    """Return what the patient would be told; None where it would not be true, as of an order while tablets pause."""
    on = max(entry.from_on, work.today)
    before, after = dose_days.standing_on(work.session, subject, on), holds_with(work, subject, entry, on)
    texts, values = work.protocol.tablets.told, {"day": Day(entry.from_on), "phone": screens.phone(work)}
    what = entry.change.what if entry.change is not None else None
    if what == Change.STOP:
        return Text(texts.stop, values) if after.stopped_by is entry.change else None
    if what == Change.HOLD:
        return Text(texts.hold, values) if after.is_held else None
    order = after.to_take
    if order is None or entry.order not in (None, order):
        return None
    ordered: dict[str, object] = {
        **values,
        "order": Text("dose.told.as_ordered", dose_orders.as_ordered(order)),
    }
    if what == Change.RESUME:
        return Text(texts.resume, ordered)
    return Text(texts.order if before.to_take is not None else texts.start, ordered)


def reached(work: Work, subject: Subject) -> Sequence[Account]:
    """Return who can be told by the bot: nobody before the consent, or while the words are not approved."""
    if not work.protocol.tablets.told.approved or not may_be_reminded(ParticipationState(subject.state)):
        return []
    return [each for each in people.speakers(work.session, subject.id or 0) if each.unreachable_at is None]


def _tell(work: Work, subject: Subject, entry: Entry, told: Text | None) -> bool:
    if told is None or not reached(work, subject):
        return False
    row: Row | None = entry.change or entry.order
    assert row is not None, "nothing was entered"
    _silence_older(work, subject, entry)
    said: dict[str, Any] = told.values
    kind = polite.DOSE_ORDER if entry.change is None else polite.DOSE_CHANGE
    visit_reminders.tell(
        work,
        subject,
        told.key,
        kind=kind,
        about_id=row.id,
        key=f"{kind}:{row.id}",
        useful_until=_until(work, subject),
        **said,
    )
    return True


def _silence_older(work: Work, subject: Subject, entry: Entry) -> None:
    """Take back what was not shown yet and was to hold from the same day or later: it does not hold as it was."""
    since = entry.from_on
    changes = dose_days.changes_of(work.session, subject)
    older = tuple(each.id for each in changes if each.from_on >= since and each is not entry.change)
    work.silence(SUPERSEDED, subject_id=subject.id, purpose=polite.DOSE_CHANGE, about_id=older)
    if entry.order is None and entry.change is not None and entry.change.what == Change.RESUME:
        return
    orders = dose_days.orders_of(work.session, subject)
    older = tuple(each.id for each in orders if each.from_on >= since and each is not entry.order)
    work.silence(SUPERSEDED, subject_id=subject.id, purpose=polite.DOSE_ORDER, about_id=older)


def _until(work: Work, subject: Subject) -> datetime:
    return polite.awake(work, subject) + timedelta(days=work.protocol.tablets.told.useful_days)


def _act(work: Work, subject: Subject) -> None:
    """Plan the questions as it holds now; where nothing is to be taken today, nothing is asked about today."""
    work.session.flush()
    tablets.replan(work, subject)
    if dose_days.order_on(work.session, subject, work.today) is None:
        work.forget_plan(tablets.NUDGE, subject.id or 0)
        work.silence(NOT_TO_TAKE, purpose=tablets.PROMPT, subject_id=subject.id)
        visit_reminders.leave_out_tablets(work, subject)
