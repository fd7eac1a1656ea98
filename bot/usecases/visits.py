"""What does a patient answer to a reminder, and what do patients and staff see of a visit?"""

from typing import Any

from bot.domain.roles import CLINICAL
from bot.domain.urgency import Urgency
from bot.store import audit, visits
from bot.store.models import Subject, Visit
from bot.usecases import escalate, recorded, screens, visit_reminders
from bot.usecases.visit_names import named
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
    for each in [one for one in visits.open_told(work.session, subject) if one.target_on == visit.target_on]:
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
    planned = visits.open_told(work.session, subject)
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


def show_visit(work: Work, args: dict[str, Any]) -> None:
    """Show staff one visit: what is planned with what can be done about it, or what was recorded."""
    visit = work.session.get_one(Visit, args["visit"])
    subject = work.session.get_one(Subject, visit.subject_id)
    if visit.state != visits.PLANNED:
        if visits.newest_record(work.session, visit.id or 0) is not None:
            recorded.show(work, args)
            return
        audit.record(work.session, "visit.viewed", entity="visit", entity_id=visit.id)
        work.answer("visit.staff.closed", code=subject.code, what=named(visit))
        return
    audit.record(work.session, "visit.viewed", entity="visit", entity_id=visit.id)
    rows = _staff_buttons(visit) if work.caller.role in CLINICAL else []
    rows.append(screens.back_to(subject))
    work.answer(
        "visit.staff.card",
        rows,
        code=subject.code,
        what=named(visit),
        day=Text("visit.staff.undecided") if visit.undecided else Day(visit.target_on, "full_day"),
        first=Day(visit.first_on, "short_day"),
        last=Day(visit.last_on, "short_day"),
        reply=_reply(visit),
    )


def _reply(visit: Visit) -> Text:
    """Return what the patient answered, with the day that they asked for."""
    if visit.proposed_on is not None:
        return Text("visit.reply.proposed", {"day": Day(visit.proposed_on, "full_day")})
    return Text(f"visit.reply.{visit.reply or 'none'}")


def _staff_buttons(visit: Visit) -> list[list[Button]]:
    target = {"visit": visit.id, "version": visit.plan_version}
    rows = [
        [Button("visit.button.done_today", "visit.done_today", target)],
        [
            Button("visit.button.done", "visit.record", {**target, "outcome": visits.DONE}),
            Button("visit.button.missed", "visit.record", {**target, "outcome": visits.MISSED}),
        ],
        [
            Button("visit.button.not_needed", "visit.record", {**target, "outcome": visits.NOT_NEEDED}),
            Button("visit.button.phoned", "visit.phoned", target),
        ],
        [Button("visit.button.move", "visit.move", target)],
    ]
    if visit.proposed_on is not None:
        proposed = {**target, "on": visit.proposed_on.isoformat()}
        day = Day(visit.proposed_on, "short_day")
        rows.insert(0, [Button("visit.button.confirm_day", "visit.confirm_day", proposed, values={"day": day})])
    return rows
