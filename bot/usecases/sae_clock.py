"""When must what may be a serious event be reported to the sponsor, and who is told that the time runs out?

The clock runs from receipt of the report. Only a person ends it: by "reported", or by a judgement.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import col, or_, select

from bot.domain.roles import CLINICAL
from bot.store import adverse_events as stored
from bot.store import people
from bot.store.models import AdverseEvent, AgendaItem, Escalation, SeriousClock, Subject
from bot.work import Button, Lane, Text, Work

CLOCK = "sae.clock"
SOON, OVERDUE = "soon", "overdue"


def watch(work: Work, case: Escalation, because: Sequence[str]) -> None:
    """Start the clock of a case when what was told may be a serious event; one that runs goes on."""
    if case.kind != "symptom" or not work.protocol.adverse_events.serious.suspects(because):
        return
    clock = of_case(work, case.id or 0)
    if clock is None:
        _start(work, SeriousClock(subject_id=case.subject_id, case_id=case.id, received_at=work.now, due_at=work.now))
    elif clock.ended_at is not None and clock.reported_at is None:
        # It had been judged not serious; what came now may be.
        clock.received_at, clock.seen_at = work.now, None
        _start(work, clock)


def mark(work: Work, event: AdverseEvent, received_at: datetime) -> SeriousClock:
    """Let a clock run for an event that an investigator called serious; the one of its report goes on."""
    clock = of_event(work, event)
    if clock is None:
        clock = SeriousClock(
            subject_id=event.subject_id, event_number=event.number, received_at=received_at, due_at=received_at
        )
        clock.seen_at = work.now
        _start(work, clock)
    elif clock.ended_at is not None and clock.reported_at is None:
        _start(work, clock)
    if clock.event_number is None:
        clock.event_number = event.number
    return clock


def _start(work: Work, clock: SeriousClock) -> None:
    rule = work.protocol.adverse_events.serious
    clock.due_at = rule.due_at(clock.received_at)
    clock.ended_at = clock.ended_by = None
    work.session.add(clock)
    work.session.flush()
    moments = {SOON: rule.told_at(clock.due_at), OVERDUE: clock.due_at}
    if moments[OVERDUE] <= work.now:
        del moments[SOON]
    for what, due_at in moments.items():
        key = f"sae:{clock.id}:{what}:{work.now.isoformat()}"
        work.plan(CLOCK, key, due_at, clock.id or 0, subject_id=clock.subject_id, what=what)


def seen(work: Work, case_id: int) -> None:
    """Keep when a person of the site first looked at what may be a serious event."""
    if work.caller.role not in CLINICAL:
        return
    clock = of_case(work, case_id)
    if clock is not None and clock.seen_at is None:
        clock.seen_at = work.now


def of_case(work: Work, case_id: int) -> SeriousClock | None:
    return work.session.exec(select(SeriousClock).where(SeriousClock.case_id == case_id)).first()


def of_event(work: Work, event: AdverseEvent) -> SeriousClock | None:
    """Return the clock of an event: its own, or that of the case from which it came."""
    cases = [number for number in map(stored.case_of, event.sources) if number is not None]
    return work.session.exec(
        select(SeriousClock)
        .where(
            SeriousClock.subject_id == event.subject_id,
            or_(col(SeriousClock.event_number) == event.number, col(SeriousClock.case_id).in_(cases)),
        )
        .order_by(col(SeriousClock.id))
    ).first()


def of_subject(work: Work, subject: Subject) -> Sequence[SeriousClock]:
    """Return the clocks of a subject that were not ended by a judgement, the newest first."""
    return work.session.exec(
        select(SeriousClock)
        .where(SeriousClock.subject_id == subject.id, col(SeriousClock.ended_at).is_(None))
        .order_by(col(SeriousClock.id).desc())
    ).all()


def is_running(clock: SeriousClock | None) -> bool:
    """Return whether a report to the sponsor is still awaited."""
    return clock is not None and clock.reported_at is None and clock.ended_at is None


def end(work: Work, clock: SeriousClock) -> None:
    """End a clock by the judgement of whoever acts: not serious, or no event at all."""
    clock.ended_at, clock.ended_by = work.now, work.caller.label
    work.unplan("judged not serious", kind=CLOCK, about_id=clock.id)


def report(work: Work, clock: SeriousClock, at: datetime) -> None:
    """Keep when it was reported to sponsor and ethics committee."""
    clock.reported_at, clock.reported_by = at, work.caller.label
    work.unplan("reported", kind=CLOCK, about_id=clock.id)


def tell(work: Work, item: AgendaItem) -> str:
    """Tell coordinators, investigators and the PI once that the time runs out, and once that it has."""
    clock = work.session.get_one(SeriousClock, item.about_id)
    if not is_running(clock):
        return "reported or judged"
    subject = work.session.get_one(Subject, clock.subject_id)
    what = str(item.detail["what"])
    for _, account in people.staff(work.session, CLINICAL):
        work.say(
            account,
            "event.clock.overdue" if what == OVERDUE else "event.clock.soon",
            [[Button("event.button.list", "event.list", {"subject": subject.id})]],
            lane=Lane.AMBER,
            purpose="sae",
            about_id=clock.id,
            subject_id=subject.id,
            dedupe_key=f"{item.key}:{account.id}",
            code=subject.code,
            clock=line(work, clock, account.locale),
        )
    return what


def line(work: Work, clock: SeriousClock, locale: str | None = None) -> Text:
    """Return a clock as staff read it: received, first seen, due, reported."""

    def moment(at: datetime | None) -> object:
        if at is None:
            return Text("event.clock.not_yet")
        return work.texts.moment(at, work.settings.zone, locale or work.caller.locale)

    if clock.ended_at is not None:
        state = Text("event.clock.state.ended")
    elif clock.reported_at is not None:
        state = Text(
            "event.clock.state.late" if clock.reported_at > clock.due_at else "event.clock.state.reported",
            {"at": moment(clock.reported_at)},
        )
    elif work.now >= clock.due_at:
        state = Text("event.clock.state.overdue")
    else:
        state = Text("event.clock.state.waiting")
    rule = work.protocol.adverse_events.serious
    return Text(
        "event.clock.line",
        {
            "received": moment(clock.received_at),
            "seen": moment(clock.seen_at),
            "hours": rule.report_within_hours,
            "due": moment(clock.due_at),
            "confirmed": "" if rule.confirmed else Text("event.clock.unconfirmed"),
            "state": state,
        },
    )
