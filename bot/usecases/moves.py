"""How does a patient ask for another day, or for a later reminder, without typing?"""

from datetime import date, datetime, timedelta
from typing import Any

from bot.domain import reminders as reminder_rules
from bot.domain.roles import SUBJECT_SIDE
from bot.domain.urgency import Urgency
from bot.domain.visits import TooEarly, VisitKind
from bot.store import visits
from bot.store.models import Subject, Visit
from bot.usecases import escalate, forms, plan, screens, visit_reminders, zones
from bot.usecases.forms import Field, Form, Values
from bot.work import Button, Day, Text, Work

ANOTHER_DAY = "another_day"
SOURCE = "wish"  # a later wish takes the place of an earlier one
WORDS = "visit.words"
# Once a visit's window has passed no day is on time, and the next ones are offered out of these.
AFTER_WINDOW = timedelta(days=14)


def current(work: Work, args: dict[str, Any]) -> Visit | None:
    """Return the visit a button speaks of, if it stands as it did when the button was made."""
    visit = work.session.get_one(Visit, args["visit"])
    stands = visit.state == visits.PLANNED and visit.plan_version == args["version"] and not visit.undecided
    return visit if stands and visit.subject_id == work.caller.subject_id else None


def offer(work: Work, visit: Visit) -> None:
    """Offer other days; nothing changes before one is chosen."""
    together = visit_reminders.same_day(work, visit)
    days = days_for(work, together)
    if not days:
        pass_on(work, visit, "visit.no_other_day")
        return
    args = _args(visit)
    rows = [
        [Button(work.texts.day(day, work.caller.locale), "visit.wish", {**args, "on": day.isoformat()}, plain=True)]
        for day in days
    ]
    rows.append([Button("visit.button.none_fits", "visit.none_fits", args)])
    rows += _keep_rows(work, visit)
    work.answer(
        "visit.which_day",
        rows,
        single_use=True,
        stands=Text(
            "visit.stands_now" if visit.target_on >= work.today else "visit.stands_open",
            {"day": Day(visit.target_on)},
        ),
        phone=screens.phone(work),
    )


def _keep_rows(work: Work, visit: Visit) -> list[list[Button]]:
    return [[keep_button(visit)]] if visit.target_on >= work.today else []


def _stands(work: Work, visit: Visit) -> Text:
    """Return the line that says what holds until people have decided."""
    key = "visit.stands" if visit.target_on >= work.today else "visit.stands_open"
    return Text(key, {"day": Day(visit.target_on)})


def keep_button(visit: Visit) -> Button:
    """Return the button that leaves a visit on its day, and takes a wish back."""
    return Button(
        "visit.button.keep",
        "visit.reply",
        {**_args(visit), "reply": "will_come"},
        values={"day": Day(visit.target_on, "short_day")},
    )


def days_for(work: Work, together: list[Visit]) -> tuple[date, ...]:
    """Return the clinic days on which everything planned for one day could be done instead.

    Inside the window of each visit: an injection never before the shortest interval has passed, a blood count
    not after the injection that needs it. When the window is over, the next clinic days.
    """
    subject = work.session.get_one(Subject, together[0].subject_id)
    target, rule = together[0].target_on, work.protocol.another_day
    windows = [_window(work, subject, each, together) for each in together]
    first, last = max(window[0] for window in windows), min(window[1] for window in windows)
    tomorrow = work.today + timedelta(days=rule.from_days)
    open_days = work.clinic.open_days(max(first, tomorrow), last)
    days = reminder_rules.days_to_offer(open_days, first, last, target, rule, work.today)
    if not days and last < tomorrow:
        days = tuple(work.clinic.open_days(tomorrow, tomorrow + AFTER_WINDOW)[: rule.offered])
    return tuple(day for day in days if _possible(work, subject, together, day))


def _window(work: Work, subject: Subject, visit: Visit, together: list[Visit]) -> tuple[date, date]:
    """Return the days between which a visit can be; staff may have set its own window to a single day."""
    kind, first, last = VisitKind(visit.kind), visit.first_on, visit.last_on
    rule = work.protocol.visits.get(kind)
    held = visits.last_held(work.session, subject, kind)
    if first == last and rule is not None and held is not None:
        first = held + timedelta(days=rule.shortest_days)
        last = max(last, held + timedelta(days=rule.longest_days))
    if kind is VisitKind.CBC and all(each.kind != VisitKind.INJECTION for each in together):
        injection = visits.open_one(work.session, subject, VisitKind.INJECTION)
        if injection is not None and not injection.undecided:
            last = min(last, injection.target_on)
    return first, last


def _possible(work: Work, subject: Subject, together: list[Visit], day: date) -> bool:
    try:
        for each in together:
            plan.check_new_day(work, subject, VisitKind(each.kind), day)
    except TooEarly:
        return False
    return True


def wish(work: Work, visit: Visit, on: date) -> None:
    """Ask the coordinator for the day the patient chose; until it is confirmed the planned day stands."""
    together = visit_reminders.same_day(work, visit)
    if on not in days_for(work, together):
        work.chosen = False
        work.note("visit.toast.day_gone")
        offer(work, visit)
        return
    for each in together:
        each.proposed_on, each.proposed_at = on, work.now
        _note_reply(work, each)
    raise_request(
        work,
        together,
        Text(
            "request.wish",
            {"what": visit_reminders.visit_names(together), "day": Day(visit.target_on), "wish": Day(on)},
        ),
    )
    work.answer(
        "visit.wish.noted",
        [
            [Button("visit.button.another_wish", "visit.reply", {**_args(visit), "reply": ANOTHER_DAY})],
            *_keep_rows(work, visit),
        ],
        wish=Day(on),
        stands=_stands(work, visit),
        phone=screens.phone(work),
    )


def pass_on(work: Work, visit: Visit, key: str = "visit.none_fits") -> None:
    """Hand the choice of a day to people: none of the offered ones suits, or there is none."""
    together = visit_reminders.same_day(work, visit)
    for each in together:
        each.proposed_on = each.proposed_at = None
        _note_reply(work, each)
    raise_request(work, together, _asks(together))
    args = _args(visit)
    work.answer(
        key,
        [
            [Button("team.button.call_me", "visit.call_me", args)],
            [Button("visit.button.write_days", "visit.words", args)],
            *_keep_rows(work, visit),
        ],
        stands=_stands(work, visit),
        phone=screens.phone(work),
    )


def call_me(work: Work, visit: Visit) -> None:
    """Ask the coordinator to phone about the day."""
    together = visit_reminders.same_day(work, visit)
    raise_request(work, together, _asks(together), Text("request.call_me"))
    work.answer("team.will_call", phone=screens.phone(work))


def write(work: Work, visit: Visit) -> None:
    """Let the patient write which days suit."""
    forms.open_form(work, FORM, visit=visit.id, version=visit.plan_version)


def _finish(work: Work, values: Values) -> None:
    visit = current(work, values)
    if visit is None:
        work.answer("visit.changed_meanwhile", phone=screens.phone(work))
        return
    together = visit_reminders.same_day(work, visit)
    raise_request(work, together, _asks(together), Text("report.line.words", {"words": values["words"]}))
    work.answer("visit.thanks_another_day", stands=_stands(work, visit), phone=screens.phone(work))


FORM = forms.register(
    Form(WORDS, (Field("words", "visit.ask_words", parse=forms.some_words),), _finish, frozenset(SUBJECT_SIDE))
)


def take_back(work: Work, together: list[Visit]) -> None:
    """Let the planned day stand after all; the coordinator, who may be looking for a place, hears of it."""
    wished = together[0].proposed_on
    for each in together:
        each.proposed_on = each.proposed_at = None
    if wished is not None or together[0].reply == ANOTHER_DAY:
        raise_request(
            work,
            together,
            Text(
                "request.wish_back",
                {"what": visit_reminders.visit_names(together), "day": Day(together[0].target_on)},
            ),
        )


def raise_request(work: Work, together: list[Visit], *told: Text) -> None:
    """Give the coordinator the one task about the day of a visit, or let it say what is wished now."""
    subject = work.session.get_one(Subject, together[0].subject_id)
    escalate.raise_case(
        work,
        subject,
        Urgency.YELLOW,
        ["visit.another_day"],
        told,
        kind=escalate.REQUEST,
        visit_id=together[0].id,
        source=SOURCE,
    )


def _asks(together: list[Visit]) -> Text:
    return Text(
        "request.another_day",
        {"what": visit_reminders.visit_names(together), "day": Day(together[0].target_on)},
    )


def _note_reply(work: Work, visit: Visit) -> None:
    """Keep who answered (a caregiver answers as a proxy), and call back a reminder that is on its way."""
    visit.reply, visit.replied_at, visit.replied_by = ANOTHER_DAY, work.now, work.caller.label
    work.session.flush()
    work.silence("another day is asked for", purpose=visit_reminders.REMINDER, about_id=visit.id)


def _args(visit: Visit) -> dict[str, Any]:
    return {"visit": visit.id, "version": visit.plan_version}


# A later reminder


def ask_later(work: Work, visit: Visit) -> None:
    """Ask when to remind again; only times are offered at which it still helps."""
    moments = visit_reminders.later_moments(work, visit)
    if not moments:
        work.answer(
            "visit.no_later",
            visit_reminders.reply_buttons(visit, later=False),
            single_use=True,
            day=Day(visit.target_on),
            phone=screens.phone(work),
        )
        return
    rows = [[_later_button(work, visit, moment)] for moment in moments]
    work.answer("visit.ask_later", rows, single_use=True, day=Day(visit.target_on), phone=screens.phone(work))


def _later_button(work: Work, visit: Visit, moment: datetime) -> Button:
    subject, there = work.session.get_one(Subject, visit.subject_id), moment.astimezone(work.settings.zone)
    key = "visit.button.later_today" if there.date() == work.today else "visit.button.later_tomorrow"
    args = {**_args(visit), "at": moment.isoformat()}
    return Button(key, "visit.later_at", args, values={"at": zones.clock(work, subject, work.texts.time(there))})


def remind_later(work: Work, visit: Visit, at: datetime) -> None:
    """Remind again at the time the patient chose."""
    if at <= work.now or not visit_reminders.later_moments(work, visit):
        work.chosen = False
        ask_later(work, visit)
        return
    subject, comes = screens.subject_of(work), visit_reminders.remind_later(work, visit, at)
    work.answer(
        "visit.later",
        at=zones.clock(work, subject, work.texts.moment(comes, work.settings.zone, work.caller.locale)),
        day=Day(visit.target_on),
        phone=screens.phone(work),
    )
