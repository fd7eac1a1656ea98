"""What does a patient answer to a reminder, and what do patients and staff see of a visit?"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from bot.domain.roles import CLINICAL
from bot.domain.urgency import Urgency
from bot.store import audit, visits
from bot.store.models import Subject, Visit
from bot.usecases import calendar_file, chase, escalate, moves, reach, recorded, screens, tablets, visit_reminders
from bot.usecases.visit_names import named
from bot.work import Button, Day, Lines, Text, Work

WILL_COME = "will_come"


def reply(work: Work, args: dict[str, Any]) -> None:
    """Take a patient's answer to a reminder; what staff must act on becomes a request to them."""
    visit = _standing(work, args)
    if visit is None:
        return
    if args["reply"] == moves.ANOTHER_DAY:
        moves.offer(work, visit)
        return
    late = visit.target_on < work.today
    if late and args["reply"] == WILL_COME:
        chase.ask_now(work, visit)
        return
    subject = screens.subject_of(work)
    together = visit_reminders.same_day(work, visit)
    if args["reply"] == WILL_COME:
        moves.take_back(work, together)
    for each in together:
        each.reply, each.replied_at, each.replied_by = args["reply"], work.now, work.caller.label
        if args["reply"] == WILL_COME:
            visit_reminders.drop_reminders(work, each, visit_reminders.ANSWERED)
    if args["reply"] == WILL_COME:
        work.answer("visit.thanks_will_come", day=Day(visit.target_on), phone=screens.phone(work))
        return
    escalate.raise_case(
        work,
        subject,
        Urgency.YELLOW,
        ["visit.need_help"],
        [
            Text(
                "request.need_help",
                {"what": visit_reminders.visit_names(together), "day": Day(visit.target_on)},
            )
        ],
        kind=escalate.REQUEST,
        visit_id=visit.id,
    )
    work.answer(
        "visit.past.thanks_need_help" if late else "visit.thanks_need_help",
        day=Day(visit.target_on),
        phone=screens.phone(work),
    )


def wish(work: Work, args: dict[str, Any]) -> None:
    """Take the other day that a patient chose."""
    if (visit := _standing(work, args)) is not None:
        moves.wish(work, visit, date.fromisoformat(args["on"]))


def none_fits(work: Work, args: dict[str, Any]) -> None:
    """Take the word that none of the offered days suits."""
    if (visit := _standing(work, args)) is not None:
        moves.pass_on(work, visit)


def call_me(work: Work, args: dict[str, Any]) -> None:
    """Let the team phone about the day."""
    if (visit := _standing(work, args)) is not None:
        moves.call_me(work, visit)


def write(work: Work, args: dict[str, Any]) -> None:
    """Let the patient write which days suit."""
    if (visit := _standing(work, args)) is not None:
        moves.write(work, visit)


def ask_later(work: Work, args: dict[str, Any]) -> None:
    """Ask when to remind again."""
    if (visit := _standing(work, args)) is not None:
        moves.ask_later(work, visit)


def remind_later(work: Work, args: dict[str, Any]) -> None:
    """Remind again at the chosen time."""
    if (visit := _standing(work, args)) is not None:
        moves.remind_later(work, visit, datetime.fromisoformat(args["at"]))


def past(work: Work, args: dict[str, Any]) -> None:
    """Take the answer about a visit gone by, or put the question when there is none yet."""
    if (visit := _standing(work, args)) is None:
        return
    if "answer" in args:
        chase.answer(work, visit, args)
    else:
        chase.ask_now(work, visit)


def ask(work: Work, args: dict[str, Any]) -> None:
    """Ask by itself whether the patient can come: the reminder asked about tablets first."""
    if (visit := _standing(work, args)) is not None:
        _ask(work, visit)


def answer_tablets(work: Work, args: dict[str, Any]) -> None:
    """Take the answer to the tablets question that came with a reminder, then ask about the visit."""
    visit = moves.current(work, args)
    if visit is not None and visit.reply is None and visit.target_on >= work.today:
        _ask(work, visit)
    # Last, for "not taken" goes on with a question of its own.
    tablets.answer(work, args)


def _ask(work: Work, visit: Visit) -> None:
    later = bool(visit_reminders.later_moments(work, visit))
    work.answer(
        "visit.can_you_come",
        visit_reminders.reply_buttons(visit, later=later),
        single_use=True,
        day=Day(visit.target_on),
        phone=screens.phone(work),
    )


def _standing(work: Work, args: dict[str, Any]) -> Visit | None:
    """Return the visit that a button speaks of, or show what stands now when it is another."""
    visit = moves.current(work, args)
    if visit is None:
        work.chosen = False
        work.note("visit.toast.changed")
        show_mine(work)
    return visit


def show_mine(work: Work) -> None:
    """Tell a patient which visit comes next, always as one date, and what is planned after it."""
    subject = screens.subject_of(work)
    planned = visits.open_told(work.session, subject)
    if not planned or not screens.on_study(subject):
        work.answer("visit.none_planned", phone=screens.phone(work))
        return
    late = [each for each in planned if not each.undecided and each.target_on < work.today]
    open_ones = [each for each in planned if each.undecided]
    coming = visit_reminders.to_tell(work, subject)
    lines = [
        *blocks(late, "visit.mine.late"),
        *blocks(coming, "visit.mine.line"),
        *(Text("visit.mine.undecided", {"what": visit_reminders.name_of(each)}) for each in open_ones),
    ]
    if coming:
        head = Text("visit.mine.next", {"day": Day(coming[0].target_on)})
    elif open_ones:
        head = Text("visit.mine.day_to_come")
    else:
        head = Text("visit.mine.past", {"day": Day(late[0].target_on)})
    work.answer(
        "visit.mine",
        [*_buttons(work, [*late, *coming]), *([calendar_file.button()] if coming else [])],
        head=head,
        lines=Lines(lines, between="\n\n"),
        **visit_reminders.where(work, subject),
    )


def blocks(planned: Sequence[Visit], key: str) -> list[Text]:
    """Return each day once, with what is done on it and the other day that is asked for."""
    blocks = []
    for day in sorted({each.target_on for each in planned}):
        together = [each for each in planned if each.target_on == day]
        values: dict[str, object] = {
            "day": Day(day),
            "what": visit_reminders.visit_names(together),
            "bring": visit_reminders.preparations(together),
        }
        block = Text(key, values)
        if together[0].proposed_on is not None:
            block = Text("visit.mine.wish", {"visit": block, "wish": Day(together[0].proposed_on)})
        elif together[0].reply == moves.ANOTHER_DAY:
            block = Text("visit.mine.asked", {"visit": block})
        blocks.append(block)
    return blocks


def _buttons(work: Work, planned: Sequence[Visit]) -> list[list[Button]]:
    """Return what a patient can say about each day: how it went, or that another one is wanted."""
    rows: list[list[Button]] = []
    for day in sorted({each.target_on for each in planned}):
        visit = next(each for each in planned if each.target_on == day)
        if day < work.today:
            rows.append(past_button(visit))
            continue
        args = {"visit": visit.id, "version": visit.plan_version}
        short: dict[str, object] = {"day": Day(day, "short_day")}
        change = {**args, "reply": moves.ANOTHER_DAY}
        if visit.proposed_on is not None:
            rows.append([Button("visit.button.another_wish", "visit.reply", change)])
            rows.append([moves.keep_button(visit)])
        else:
            rows.append([Button("visit.button.change", "visit.reply", change, values=short)])
    return rows


def past_button(visit: Visit) -> list[Button]:
    """Return the row that lets a patient tell what became of a visit gone by."""
    args = {"visit": visit.id, "version": visit.plan_version}
    return [Button("visit.button.tell", "visit.past", args, values={"day": Day(visit.target_on, "short_day")})]


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
        reply=_reply(work, visit),
    )


def _reply(work: Work, visit: Visit) -> Text:
    """Return what the patient answered, with the day that they asked for, or that no reminder reached them."""
    if visit.proposed_on is not None:
        return Text("visit.reply.proposed", {"day": Day(visit.proposed_on, "full_day")})
    return Text(f"visit.reply.{reach.reply(work, visit)}")


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
        wish, stands = Day(visit.proposed_on, "short_day"), Day(visit.target_on, "short_day")
        rows[:0] = [
            [Button("visit.button.confirm_day", "visit.confirm_day", proposed, values={"day": wish})],
            [Button("visit.button.refuse_day", "visit.refuse_day", proposed, values={"day": stands})],
        ]
    return rows
