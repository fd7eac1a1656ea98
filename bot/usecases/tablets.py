"""Were the tablets taken? The question of a day or a week, its answers, and what can be looked up and changed."""

from datetime import date, timedelta
from typing import Any

from sqlmodel import select

from bot.domain.adherence import DoseStatus
from bot.domain.participation import ParticipationState, may_be_asked
from bot.domain.rhythm import Rhythm
from bot.store import agenda
from bot.store.models import AgendaItem, DosePrompted, DoseReport, Subject
from bot.usecases import (
    dose_answered,
    dose_days,
    dose_plan,
    dose_reasons,
    dose_reports,
    dose_reviews,
    dose_rhythm,
    dose_week,
    polite,
    screens,
)
from bot.work import Button, Day, Lines, Text, Work

PROMPT = dose_plan.PROMPT
NUDGE = dose_plan.NUDGE
KINDS = (PROMPT, NUDGE)
# The dialogues about tablets, which end when no tablets are ordered any more.
DIALOGUES = (*dose_reasons.FORMS, dose_week.WEEK)
A_MOMENT = timedelta(minutes=1)
ASK = "tablets.ask"
ASK_AGAIN = "tablets.ask_again"
ASK_RARER = "tablets.ask_rarer"
WEEK = "tablets.week.ask"
WEEK_AGAIN = "tablets.week.ask_again"

replan = dose_plan.replan


def prompt(work: Work, item: AgendaItem) -> str:
    """Put the question of a day or a week, and plan the next one whatever becomes of this one."""
    subject = work.session.get_one(Subject, item.about_id)
    day, weekly = date.fromisoformat(item.detail["day"]), bool(item.detail.get("weekly"))
    # The entry is still open: closing it first lets the next day take its place.
    if not _others(work, subject, item):
        dose_plan.plan_next(work, subject, asked_on=day)
    if (pointless := _pointless(work, subject, day, weekly=weekly)) is not None:
        return pointless
    coming = None if weekly else polite.near(work, subject, polite.REMINDER)
    if coming is not None and coming.due_at > work.now - polite.merges(work):
        # The reminder that comes in a moment asks this as well; of two that are due, either job may look first.
        item.due_at = max(coming.due_at, work.now + A_MOMENT)
        item.reason = "asked with the reminder that follows"
        return polite.PUT_OFF
    if (held := polite.hold_back(work, subject, item)) is not None:
        return held
    key = WEEK if weekly else ASK
    if not weekly and dose_rhythm.lower_if_faded(work, subject, day):
        # It is said with the question, for a message of its own would be one more that nobody answers.
        key = ASK_RARER
        for other in _others(work, subject, item):
            work.session.delete(other)
        work.session.flush()
        dose_plan.plan_next(work, subject, asked_on=day)
    if not _put(work, subject, day, item, key):
        return "nobody to ask"
    if weekly:
        dose_week.note_asked(work, subject, day)
    else:
        work.session.add(DosePrompted(subject_id=subject.id or 0, day_on=day, asked_at=work.now))
    return "asked"


def _others(work: Work, subject: Subject, item: AgendaItem) -> list[AgendaItem]:
    """Return the questions of a subject that wait beside this one."""
    mine = (AgendaItem.kind == PROMPT, AgendaItem.about_id == subject.id, agenda.WAITING)
    return [each for each in work.session.exec(select(AgendaItem).where(*mine)).all() if each.id != item.id]


def _pointless(work: Work, subject: Subject, day: date, *, weekly: bool = False) -> str | None:
    """Return why a day or a week is not asked about, or None when it is."""
    if not may_be_asked(ParticipationState(subject.state)) or not screens.takes_tablets(work, subject):
        return "not to be asked"
    if weekly:
        return None if dose_week.open_days(work, subject, day) else "nothing to ask about"
    if not _to_take(work, subject, day):
        return "nothing ordered"
    return None if _is_open(dose_days.latest_report(work.session, subject, day)) else "answered already"


def _to_take(work: Work, subject: Subject, day: date) -> bool:
    """Tell whether tablets were to be taken on a day: ordered, and not paused by a doctor."""
    return dose_days.order_on(work.session, subject, day) is not None


def ask_too(work: Work, subject: Subject) -> date | None:
    """Let a message that goes out now put the daily question as well, if it comes at about this time.

    Returns the day to ask about; its own question is closed with this outcome, and the next day's is planned.
    A weekly question is always a message of its own.
    """
    item = polite.near(work, subject, PROMPT)
    if item is None or item.detail.get("weekly") or (day := date.fromisoformat(item.detail["day"])) != work.today:
        return None
    if _pointless(work, subject, day) is not None:
        return None
    agenda.close(item, "done", work.now, "asked with the reminder of a visit")
    work.session.add(DosePrompted(subject_id=subject.id or 0, day_on=day, asked_at=work.now))
    work.session.flush()
    if not _others(work, subject, item):
        dose_plan.plan_next(work, subject)
    dose_plan.plan_nudge(work, subject, day)
    return day


def nudge(work: Work, item: AgendaItem) -> str:
    """Ask once more, in other words, where "not yet" or nothing was answered."""
    subject = work.session.get_one(Subject, item.about_id)
    day, weekly = date.fromisoformat(item.detail["day"]), bool(item.detail.get("weekly"))
    if (pointless := _pointless(work, subject, day, weekly=weekly)) is not None:
        return pointless
    if (held := polite.hold_back(work, subject, item)) is not None:
        return held
    return "asked again" if _put(work, subject, day, item, WEEK_AGAIN if weekly else ASK_AGAIN) else "nobody to ask"


def _put(work: Work, subject: Subject, day: date, item: AgendaItem, key: str) -> bool:
    weekly, again = key in (WEEK, WEEK_AGAIN), key in (ASK_AGAIN, WEEK_AGAIN)
    said: dict[str, Any] = dose_week.question(day) if weekly else {"day": Day(day)}
    if key == ASK_RARER:
        said["rhythm"] = Text(f"rhythm.{subject.dose_rhythm}")
    readers = polite.put(
        work,
        subject,
        item,
        key,
        dose_week.buttons(day) if weekly else answer_buttons(day, nudged=again),
        purpose=PROMPT,
        about_id=subject.id,
        asked=item.key,
        until=item.useful_until or work.now,
        useful_until=item.useful_until,
        single_use=True,
        **said,
    )
    if readers and not again:
        dose_plan.plan_nudge(work, subject, day, weekly=weekly)
    return readers > 0


def answer_buttons(day: date, *, nudged: bool = False, change: bool = False) -> list[list[Button]]:
    """Return the answers for one day; "not yet" is no answer to a second question or for a day gone by."""
    args: dict[str, Any] = {"day": day.isoformat(), **({"change": True} if change else {})}
    rows = [
        [Button("tablets.button.taken", "tablets.answer", {**args, "status": DoseStatus.TAKEN})],
        [Button("tablets.button.partly", "tablets.answer", {**args, "status": DoseStatus.PARTLY})],
    ]
    if not nudged:
        rows.append([Button("tablets.button.not_yet", "tablets.answer", {**args, "status": dose_days.NOT_YET})])
    rows.append([Button("tablets.button.not_today", "tablets.answer", {**args, "status": DoseStatus.NOT_TAKEN})])
    rows.append([Button("tablets.button.extra", "tablets.extra")])
    return rows


def show_mine(work: Work, _args: object = None) -> None:
    """Let a patient answer what is still open, today or before, or look at what was answered."""
    if (subject := _mine(work)) is None:
        return
    more = [Button("tablets.button.more", "tablets.more")]
    if dose_rhythm.of(subject) is Rhythm.WEEKLY:
        last_on = dose_week.waiting(work, subject)
        if last_on is None:
            show_more(work)
        else:
            rows = [*dose_week.buttons(last_on), more]
            work.answer(WEEK, rows, single_use=True, **dose_week.question(last_on))
        return
    open_days = [
        day for day in _answerable(work, subject) if _is_open(dose_days.latest_report(work.session, subject, day))
    ]
    if not open_days and not _to_take(work, subject, work.today):
        say_nothing_to_take(work, subject, work.today)
        return
    if not open_days:
        work.answer("tablets.all_answered", _ways(work, subject), phone=screens.phone(work))
        return
    day = open_days[0]
    rows = [*answer_buttons(day, nudged=day != work.today), more]
    work.answer(ASK if day == work.today else "tablets.ask_past", rows, single_use=True, day=Day(day))


def _mine(work: Work) -> Subject | None:
    """Return whom the caller speaks for, or say that nothing is asked here."""
    subject = screens.subject_of(work)
    if not screens.takes_tablets(work, subject):
        work.answer("tablets.not_for_you", phone=screens.phone(work))
        return None
    if not screens.on_study(subject):
        work.answer("menu.not_on_study", phone=screens.phone(work))
        return None
    return subject


def _answerable(work: Work, subject: Subject) -> list[date]:
    """Return the days that can be answered or corrected and had something to take, the oldest first."""
    back = work.protocol.dose_prompt.answerable_days
    days = (work.today - timedelta(days=number) for number in range(back, -1, -1))
    return [day for day in days if _to_take(work, subject, day)]


def _ways(work: Work, subject: Subject) -> list[list[Button]]:
    """Return what can be looked up and changed about tablets."""
    rows = [
        [Button("tablets.button.told", "tablets.told")],
        [Button("tablets.button.extra", "tablets.extra")],
        [Button("menu.button.month", "month.open")],
    ]
    if dose_rhythm.of(subject) is not Rhythm.DAILY:
        rows.append([Button("tablets.button.daily", "tablets.rhythm", {"to": Rhythm.DAILY})])
    elif dose_rhythm.has_streak(work, subject):
        rows.append([Button("tablets.button.weekly", "tablets.rhythm", {"to": Rhythm.WEEKLY})])
    if _intake_text(work, subject) is not None:
        rows.append([Button("tablets.button.how_to_take", "tablets.how_to_take")])
    return [*rows, [Button("menu.button.open", "menu.open")]]


def show_more(work: Work, _args: object = None) -> None:
    """Show what can be looked up and changed; the question that this hung on stays open."""
    work.stays_open = True
    if (subject := _mine(work)) is not None:
        rhythm = Text(f"rhythm.{subject.dose_rhythm}")
        work.answer("tablets.more", _ways(work, subject), rhythm=rhythm, phone=screens.phone(work))


def show_told(work: Work, _args: object = None) -> None:
    """Show what was told of the last days; a day can be tapped to change it."""
    if (subject := _mine(work)) is None:
        return
    days = _answerable(work, subject)
    reports = dose_days.reports_of(work.session, subject, days[0], days[-1]) if days else {}
    lines = [
        Text(
            "tablets.told.line",
            {
                "day": Day(day),
                "what": Text("tablets.told.nothing")
                if (found := reports.get(day)) is None
                else dose_reports.shown(work, found),
            },
        )
        for day in days
    ]
    rows = [
        [Button("tablets.button.change", "tablets.change", {"day": day.isoformat()}, values={"day": Day(day)})]
        for day in days
    ]
    work.answer(
        "tablets.told",
        [*rows, [Button("menu.button.open", "menu.open")]],
        days=Lines(lines or [Text("tablets.told.none")]),
        phone=screens.phone(work),
    )


def change(work: Work, args: dict[str, Any]) -> None:
    """Ask about one day once more, to write down another answer in place of the one that was given."""
    if _mine(work) is None:
        return
    day = date.fromisoformat(args["day"])
    if _too_late(work, day):
        work.answer("tablets.too_late", phone=screens.phone(work))
        return
    rows = answer_buttons(day, nudged=day != work.today, change=True)
    work.answer(ASK if day == work.today else "tablets.ask_past", rows, single_use=True, day=Day(day))


def choose_rhythm(work: Work, args: dict[str, Any]) -> None:
    """Ask every day or once a week, as the patient or a caregiver wishes."""
    if (subject := _mine(work)) is None:
        return
    wanted = Rhythm(args["to"])
    if wanted is dose_rhythm.of(subject):
        work.answer("tablets.rhythm.stays", rhythm=Text(f"rhythm.{wanted}"), phone=screens.phone(work))
        return
    if wanted is Rhythm.WEEKLY and not dose_rhythm.has_streak(work, subject):
        # The offer is old: a day was missed since.
        work.answer("tablets.rhythm.not_now", phone=screens.phone(work))
        return
    dose_rhythm.change(work, subject, wanted, dose_rhythm.WISH, by_rule=False)
    dose_plan.replan(work, subject)
    work.answer("tablets.rhythm.set", rhythm=Text(f"rhythm.{wanted}"), phone=screens.phone(work))


def how_to_take(work: Work, _args: object = None) -> None:
    """Show how the ordered form is taken, in the words that the site has approved."""
    work.stays_open = True
    if (subject := _mine(work)) is None:
        return
    key = _intake_text(work, subject)
    if key is None:
        work.answer("tablets.how_to_take.none", phone=screens.phone(work))
    else:
        work.answer(key, phone=screens.phone(work))


def _intake_text(work: Work, subject: Subject) -> str | None:
    order = dose_days.order_on(work.session, subject, work.today)
    return None if order is None else work.protocol.tablets.intake_text(order.formulation)


def _is_open(report: DoseReport | None) -> bool:
    return report is None or report.status == dose_days.NOT_YET


def _too_late(work: Work, day: date) -> bool:
    return (work.today - day).days > work.protocol.dose_prompt.answerable_days


def answer(work: Work, args: dict[str, Any]) -> None:
    """Take the answer for one day; a second press of the same answer changes nothing."""
    subject = screens.subject_of(work)
    day, status = date.fromisoformat(args["day"]), str(args["status"])
    if not screens.takes_tablets(work, subject) or not screens.on_study(subject):
        if status == DoseStatus.TAKEN:
            # The question of an arm that the subject has left: what was taken is news all the same.
            dose_reviews.taken_without_order(work, subject, day)
        work.answer("tablets.not_for_you", phone=screens.phone(work))
        return
    if _too_late(work, day):
        work.answer("tablets.too_late", phone=screens.phone(work))
        return
    if dose_days.order_on(work.session, subject, day) is None:
        # What was taken all the same is kept as it was said; it changes no figure.
        if status == DoseStatus.TAKEN:
            dose_reports.keep(work, subject, day, status)
        say_nothing_to_take(work, subject, day)
        return
    present = dose_days.latest_report(work.session, subject, day)
    in_part = status in (DoseStatus.NOT_TAKEN, DoseStatus.PARTLY)
    if present is not None and present.status == status and not (in_part and args.get("change")):
        work.note("toast.already_recorded")
        return
    report = dose_reports.keep(work, subject, day, status)
    if status == dose_days.NOT_YET:
        work.answer("tablets.thanks_not_yet")
        return
    work.unplan("answered", key=dose_plan.nudge_key(subject, day))
    if in_part:
        dose_reasons.ask(work, subject, [report])
        return
    dose_reports.tell_staff(work, subject, [report])
    work.answer("tablets.thanks_taken")
    dose_answered.settled(work, subject, [report])


def say_nothing_to_take(work: Work, subject: Subject, day: date) -> None:
    """Say kindly why a day asks for no answer: the tablets are held, or none are ordered."""
    held = dose_days.standing_on(work.session, subject, day).is_held
    key = "tablets.on_hold" if held else "tablets.none_ordered"
    work.answer(key, day=Day(day), phone=screens.phone(work))


def asked_and_open(work: Work, subject: Subject, day: date) -> bool:
    """Tell whether the question about a day was put by itself and still waits for its answer."""
    put = select(DosePrompted.id).where(DosePrompted.subject_id == subject.id, DosePrompted.day_on == day)
    return (
        dose_rhythm.of(subject) is not Rhythm.WEEKLY
        and work.session.exec(put).first() is not None
        and _is_open(dose_days.latest_report(work.session, subject, day))
    )


def after_skipped(work: Work, item: AgendaItem) -> None:
    """Go on to the next question when one lay too long, as after an outage."""
    dose_plan.plan_next(work, work.session.get_one(Subject, item.about_id), catch_up=True)
