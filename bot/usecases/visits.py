"""What does a patient answer to a reminder, and what do patients and staff see of a visit?"""

from typing import Any

from bot.domain.roles import CLINICAL
from bot.domain.urgency import Urgency
from bot.store import audit, visits
from bot.store.models import Subject, Visit
from bot.usecases import calendar_file, escalate, screens, visit_reminders, zones
from bot.work import Button, Day, Lines, Text, Work


def reply(work: Work, args: dict[str, Any]) -> None:
    """Take a patient's answer to a reminder; what staff must act on becomes a request to them."""
    visit = work.session.get_one(Visit, args["visit"])
    subject = screens.subject_of(work)
    changed = visit.state != visits.PLANNED or visit.plan_version != args["version"] or visit.target_on < work.today
    if visit.subject_id != subject.id or changed:
        work.chosen = False
        work.note("visit.toast.changed")
        show_mine(work)
        return
    for each in [one for one in visits.open_all(work.session, subject) if one.target_on == visit.target_on]:
        each.reply, each.replied_at, each.replied_by = args["reply"], work.now, work.caller.label
        if args["reply"] != visit_reminders.NEED_HELP:
            visit_reminders.drop_reminders(work, each, "answered")
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
    planned = visits.open_all(work.session, subject)
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
    rows.append(calendar_file.button())
    work.answer(
        "visit.mine",
        rows,
        lines=Lines(lines, between="\n\n"),
        place=zones.place(work, subject),
        phone=screens.phone(work),
    )


def show_visit(work: Work, args: dict[str, Any]) -> None:
    """Show staff one planned visit with what can be recorded about it."""
    visit = work.session.get_one(Visit, args["visit"])
    subject = work.session.get_one(Subject, visit.subject_id)
    audit.record(work.session, "visit.viewed", entity="visit", entity_id=visit.id)
    if visit.state != visits.PLANNED:
        work.answer(
            "visit.staff.closed",
            code=subject.code,
            what=Text(f"visit.kind.{visit.kind}"),
            state=Text(f"visit.state.{visit.state}"),
        )
        return
    rows: list[list[Button]] = []
    if work.caller.role in CLINICAL:
        target = {"visit": visit.id, "version": visit.plan_version}
        rows = [
            [Button("visit.button.done", "visit.record", {**target, "outcome": visits.DONE})],
            [Button("visit.button.missed", "visit.record", {**target, "outcome": visits.MISSED})],
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
