"""When is the next visit, who is reminded of it, and what becomes of it?"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlmodel import col, select

from bot.domain import reminders as reminder_rules
from bot.domain import visits as rules
from bot.domain.participation import ParticipationState, may_be_reminded
from bot.domain.roles import Role
from bot.domain.urgency import Urgency
from bot.domain.visits import PlannedVisit, VisitKind
from bot.store import audit, people
from bot.store.models import AgendaItem, Subject, Visit, VisitRecord
from bot.usecases import escalate, screens
from bot.work import Button, Day, Keyboard, Lane, Lines, Text, Work

REMINDER = "visit.reminder"
NEED_HELP = "need_help"
PLANNED, DONE, MISSED, CANCELLED = "planned", "done", "missed", "cancelled"


def plan_first(work: Work, subject: Subject) -> None:
    """Plan the first visits of a subject who was just enrolled.

    An injection date in the past is one that was given: it is recorded, and the next is planned from it.
    """
    if subject.first_injection_on is not None:
        first = _plan(work, subject, rules.first_injection(subject.first_injection_on))
        if subject.first_injection_on < work.today:
            _record(work, first, DONE, subject.first_injection_on)
            _plan_next_injection(work, subject, subject.first_injection_on)
    plan_cbc(work, subject)


def open_visit(work: Work, subject: Subject, kind: VisitKind) -> Visit | None:
    """Return the planned visit of a kind; there is at most one."""
    return work.session.exec(
        select(Visit).where(Visit.subject_id == subject.id, Visit.kind == kind, Visit.state == PLANNED)
    ).first()


def open_visits(work: Work, subject: Subject) -> Sequence[Visit]:
    return work.session.exec(
        select(Visit)
        .where(Visit.subject_id == subject.id, Visit.state == PLANNED)
        .order_by(col(Visit.target_on), col(Visit.kind).desc())
    ).all()


def last_held(work: Work, subject: Subject, kind: VisitKind) -> date | None:
    """Return the day of the last visit of a kind that really took place."""
    return work.session.exec(
        select(col(VisitRecord.held_on))
        .join(Visit, col(VisitRecord.visit_id) == col(Visit.id))
        .where(Visit.subject_id == subject.id, Visit.kind == kind, VisitRecord.outcome == DONE)
        .order_by(col(VisitRecord.held_on).desc())
        .limit(1)
    ).first()


def plan_cbc(work: Work, subject: Subject, not_before: date | None = None) -> None:
    """Plan the next blood count, or move it when the injection it belongs to has moved."""
    injection = open_visit(work, subject, VisitKind.INJECTION)
    enrolled_on = subject.enrolled_at.astimezone(work.settings.zone).date()
    planned = rules.next_cbc(
        last_held(work, subject, VisitKind.CBC),
        subject.cbc_interval_days,
        work.protocol.visits[VisitKind.CBC],
        injection.target_on if injection else None,
        enrolled_on,
        not_before,
    )
    present = open_visit(work, subject, VisitKind.CBC)
    if present is None:
        _plan(work, subject, planned)
    elif present.target_on != planned.target_on and present.reply is None and present.plan_version == 1:
        # A day that the patient confirmed or staff chose is not moved behind their backs.
        move(work, present, planned.target_on, planned)
        announce(work, present)


def _plan_next_injection(work: Work, subject: Subject, last_on: date) -> Visit:
    rule = work.protocol.visits[VisitKind.INJECTION]
    interval = subject.injection_interval_days or rule.initial_days
    return _plan(work, subject, rules.next_injection(last_on, interval, rule))


def _plan(work: Work, subject: Subject, planned: PlannedVisit) -> Visit:
    visit = Visit(
        subject_id=subject.id or 0,
        kind=planned.kind,
        target_on=planned.target_on,
        first_on=planned.first_on,
        last_on=planned.last_on,
        planned_at=work.now,
    )
    work.session.add(visit)
    work.session.flush()
    plan_reminders(work, subject, visit)
    return visit


def plan_reminders(work: Work, subject: Subject, visit: Visit) -> None:
    """Enter the reminders of a visit that are still to come; nothing before consent (DI-19)."""
    if not may_be_reminded(ParticipationState(subject.state)):
        return
    for due in reminder_rules.reminders_for(
        visit.target_on,
        work.protocol.reminders,
        work.settings.zone,
        work.protocol.quiet_hours,
        work.now,
        subject.reminder_at,
    ):
        work.plan(
            REMINDER,
            f"reminder:{visit.id}:{visit.plan_version}:{due.code}",
            due.due_at,
            visit.id or 0,
            subject_id=subject.id,
            useful_until=due.useful_until,
            text=due.text,
            version=visit.plan_version,
        )


def drop_reminders(work: Work, visit: Visit, reason: str) -> None:
    """Cancel what is planned or queued for a visit as it was."""
    work.unplan(reason, kind=REMINDER, about_id=visit.id)
    work.silence(reason, purpose=REMINDER, about_id=visit.id)


def remind(work: Work, item: AgendaItem) -> str:
    """Send the reminder that has become due, if the visit still stands as it was planned."""
    visit = work.session.get_one(Visit, item.about_id)
    subject = work.session.get_one(Subject, visit.subject_id)
    if visit.state != PLANNED or visit.plan_version != item.detail["version"]:
        return "the visit changed"
    if not may_be_reminded(ParticipationState(subject.state)):
        return "not on study"
    if visit.reply not in (None, NEED_HELP):
        return "answered already"
    together = [each for each in open_visits(work, subject) if each.target_on == visit.target_on]
    if visit.id != together[0].id:
        # One message names both visits of a day; the first of them carries it.
        return "said with the other visit of that day"
    readers = _tell(
        work,
        subject,
        visit,
        item.detail["text"],
        reply_buttons(visit),
        key=item.key,
        useful_until=item.useful_until,
        what=visit_names(together),
        bring=Lines([Text(f"visit.bring.{each.kind}") for each in together]),
    )
    return "reminded" if readers else "nobody to remind"


def _tell(
    work: Work,
    subject: Subject,
    visit: Visit,
    text: str,
    keyboard: Keyboard = (),
    *,
    key: str,
    due_at: datetime | None = None,
    useful_until: datetime | None = None,
    **values: object,
) -> int:
    """Say something about a visit to the patient and to caregivers, who are told whose visit it is."""
    patients = {account.id for account in people.speakers(work.session, subject.id or 0, "patient")}
    values |= {
        "day": Day(visit.target_on),
        "place": work.settings.site_place or Text("visit.place.default"),
        "phone": screens.phone(work),
    }
    readers = people.speakers(work.session, subject.id or 0)
    for account in readers:
        own = account.id in patients
        work.say(
            account,
            text if own else "visit.for_caregiver",
            keyboard,
            lane=Lane.REMINDER,
            purpose=REMINDER,
            about_id=visit.id,
            subject_id=subject.id,
            single_use=True,
            dedupe_key=f"{key}:{account.id}",
            due_at=due_at,
            useful_until=useful_until,
            **(values if own else {"text": Text(text, dict(values))}),
        )
    return len(readers)


def visit_names(visits: Sequence[Visit]) -> Lines:
    return Lines([Text(f"visit.kind.{each.kind}") for each in visits], between=" + ")


def reply_buttons(visit: Visit) -> list[list[Button]]:
    args = {"visit": visit.id, "version": visit.plan_version}
    return [
        [Button("visit.button.will_come", "visit.reply", {**args, "reply": "will_come"})],
        [Button("visit.button.another_day", "visit.reply", {**args, "reply": "another_day"})],
        [Button("visit.button.need_help", "visit.reply", {**args, "reply": "need_help"})],
    ]


def reply(work: Work, args: dict[str, Any]) -> None:
    """Take a patient's answer to a reminder; what staff must act on becomes a request to them."""
    visit = work.session.get_one(Visit, args["visit"])
    subject = screens.subject_of(work)
    changed = visit.state != PLANNED or visit.plan_version != args["version"] or visit.target_on < work.today
    if visit.subject_id != subject.id or changed:
        work.chosen = False
        work.note("visit.toast.changed")
        show_mine(work)
        return
    for each in [one for one in open_visits(work, subject) if one.target_on == visit.target_on]:
        each.reply, each.replied_at, each.replied_by = args["reply"], work.now, work.caller.label
        if args["reply"] != NEED_HELP:
            drop_reminders(work, each, "answered")
    if args["reply"] == "will_come":
        work.answer("visit.thanks_will_come", day=Day(visit.target_on), phone=screens.phone(work))
        return
    escalate.raise_case(
        work,
        subject,
        Urgency.YELLOW,
        [f"visit.{args['reply']}"],
        [
            Text(
                f"request.{args['reply']}",
                {"what": Text(f"visit.kind.{visit.kind}"), "day": Day(visit.target_on)},
            )
        ],
        kind=escalate.REQUEST,
        visit_id=visit.id,
    )
    work.answer(f"visit.thanks_{args['reply']}", day=Day(visit.target_on), phone=screens.phone(work))


def show_mine(work: Work) -> None:
    """Tell a patient which visits are planned; always with one date each."""
    subject = screens.subject_of(work)
    planned = open_visits(work, subject)
    if not planned or not screens.on_study(subject):
        work.answer("visit.none_planned", phone=screens.phone(work))
        return
    lines: list[Text | Day | str] = []
    for each in planned:
        late = each.target_on < work.today
        lines.append(
            Text(
                "visit.mine.late" if late else "visit.mine.line",
                {
                    "what": Text(f"visit.kind.{each.kind}"),
                    "day": Day(each.target_on),
                    "bring": Text(f"visit.bring.{each.kind}"),
                },
            )
        )
    rows = [
        [
            Button(
                "visit.button.change",
                "visit.reply",
                {"visit": each.id, "version": each.plan_version, "reply": "another_day"},
                values={"day": Day(each.target_on, "short_day")},
            )
        ]
        for each in {visit.target_on: visit for visit in reversed(planned)}.values()
        if each.reply != "another_day"
    ]
    work.answer(
        "visit.mine",
        rows,
        lines=Lines(lines, between="\n\n"),
        place=work.settings.site_place or Text("visit.place.default"),
        phone=screens.phone(work),
    )


def record(work: Work, visit: Visit, outcome: str, held_on: date | None, next_on: date | None = None) -> Visit:
    """Record a visit as done on a day, or as missed with the new day; return the visit planned next.

    Raises:
        InFuture, TooEarly: the day cannot be.
    """
    subject = work.session.get_one(Subject, visit.subject_id)
    if outcome == DONE:
        assert held_on is not None
        kind = VisitKind(visit.kind)
        rules.check_held(work.protocol.visits[kind], subject.arm, held_on, work.today, last_held(work, subject, kind))
    _record(work, visit, outcome, held_on)
    if visit.kind == VisitKind.INJECTION:
        if outcome == DONE:
            assert held_on is not None
            following = _plan_next_injection(work, subject, held_on)
        else:
            following = _plan(work, subject, _missed_plan(work, subject, VisitKind.INJECTION, next_on))
        plan_cbc(work, subject)
        return following
    if outcome == DONE:
        plan_cbc(work, subject)
    else:
        _plan(work, subject, _missed_plan(work, subject, VisitKind.CBC, next_on))
    present = open_visit(work, subject, VisitKind.CBC)
    assert present is not None
    return present


def _missed_plan(work: Work, subject: Subject, kind: VisitKind, next_on: date | None) -> PlannedVisit:
    """Return the plan for a visit that staff moved to ``next_on``.

    Raises:
        TooEarly: an injection less than the shortest interval after the last one.
    """
    assert next_on is not None
    check_new_day(work, subject, kind, next_on)
    return PlannedVisit(kind, next_on, next_on, next_on)


def check_new_day(work: Work, subject: Subject, kind: VisitKind, on: date) -> None:
    """Raise TooEarly for an injection before the shortest interval after the last real one."""
    last = last_held(work, subject, kind)
    rule = work.protocol.visits[kind]
    if kind is VisitKind.INJECTION and last is not None:
        earliest = last + timedelta(days=rule.shortest_days)
        if on < earliest:
            raise rules.TooEarly(on, earliest)


def _record(work: Work, visit: Visit, outcome: str, held_on: date | None) -> None:
    visit.state = outcome
    work.session.add(
        VisitRecord(
            visit_id=visit.id or 0,
            outcome=outcome,
            held_on=held_on,
            recorded_at=work.now,
            recorded_by=work.caller.label,
        )
    )
    work.session.flush()
    drop_reminders(work, visit, f"the visit is {outcome}")


def move(work: Work, visit: Visit, on: date, window: PlannedVisit | None = None) -> None:
    """Move a visit; whatever was planned or queued for the old day is cancelled with it."""
    subject = work.session.get_one(Subject, visit.subject_id)
    check_new_day(work, subject, VisitKind(visit.kind), on)
    drop_reminders(work, visit, "the visit was moved")
    visit.target_on = on
    if window is not None:
        visit.first_on, visit.last_on = window.first_on, window.last_on
    visit.plan_version += 1
    visit.reply = visit.replied_at = visit.replied_by = None
    work.session.flush()
    plan_reminders(work, subject, visit)


def announce(work: Work, visit: Visit) -> None:
    """Tell the patient the day that staff chose for a visit."""
    subject = work.session.get_one(Subject, visit.subject_id)
    if not may_be_reminded(ParticipationState(subject.state)):
        return
    _tell(
        work,
        subject,
        visit,
        "visit.announced",
        key=f"announced:{visit.id}:{visit.plan_version}",
        due_at=reminder_rules.out_of_quiet(work.now, work.settings.zone, work.protocol.quiet_hours),
        what=Text(f"visit.kind.{visit.kind}"),
        bring=Text(f"visit.bring.{visit.kind}"),
    )


def show_visit(work: Work, args: dict[str, Any]) -> None:
    """Show staff one planned visit with what can be recorded about it."""
    visit = work.session.get_one(Visit, args["visit"])
    subject = work.session.get_one(Subject, visit.subject_id)
    audit.record(work.session, "visit.viewed", entity="visit", entity_id=visit.id)
    if visit.state != PLANNED:
        work.answer(
            "visit.staff.closed",
            code=subject.code,
            what=Text(f"visit.kind.{visit.kind}"),
            state=Text(f"visit.state.{visit.state}"),
        )
        return
    rows: list[list[Button]] = []
    if work.caller.role in (Role.COORDINATOR, Role.INVESTIGATOR, Role.PI):
        target = {"visit": visit.id, "version": visit.plan_version}
        rows = [
            [Button("visit.button.done", "visit.record", {**target, "outcome": DONE})],
            [Button("visit.button.missed", "visit.record", {**target, "outcome": MISSED})],
            [Button("visit.button.move", "visit.move", target)],
        ]
    work.answer(
        "visit.staff.card",
        rows,
        code=subject.code,
        what=Text(f"visit.kind.{visit.kind}"),
        day=Day(visit.target_on, "full_day"),
        first=Day(visit.first_on, "short_day"),
        last=Day(visit.last_on, "short_day"),
        reply=Text(f"visit.reply.{visit.reply or 'none'}"),
    )


def replan(work: Work, subject: Subject) -> None:
    """Enter the reminders that had to wait for consent, or that move to a new hour."""
    for visit in open_visits(work, subject):
        work.forget_plan(REMINDER, visit.id or 0)
        plan_reminders(work, subject, visit)
