"""How does a site practise an alarm? A case of nobody rings by the red chain, marked, and is timed.

A drill has a table of its own and touches neither a subject nor a case. While a real RED case is open it is silent.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlmodel import Session, col, select

from bot.domain import drills as timing
from bot.domain import escalation as rules
from bot.domain.drills import DrillOutcome, DrillState, Figure, Times
from bot.domain.roles import LEADING
from bot.errors import FollowupError
from bot.store import outbox, people
from bot.store.models import Account, AgendaItem, Drill, Escalation, OutboxMessage, StaffMember
from bot.usecases import escalate, polite
from bot.work import Button, Lane, Lines, Text, Work

log = structlog.get_logger(__name__)

PURPOSE = "drill"
START = "drill.start"
NEXT_PAGE = "drill.page"
END = "drill.end"
SHOWN = 10
RUNNING = (DrillState.RINGING, DrillState.TAKEN)


class DrillOpen(FollowupError):
    """A drill is planned or running already; there is never a second one beside it."""


def plan(work: Work, within: timedelta, seed: int) -> Drill:
    """Plan a drill at a moment drawn from the window that begins now; a window of no length begins it at once.

    Raises:
        DrillOpen: there is one already.
    """
    if open_drill(work.session) is not None:
        raise DrillOpen("a drill is planned or running already; see: followup drill list")
    chain = work.protocol.chains["red"]
    drill = Drill(
        seed=seed,
        state=DrillState.PLANNED,
        chain=rules.chain_to_dict(chain),
        planned_at=work.now,
        rings_at=timing.drawn(seed, work.now, within),
        until=work.now + max(within, _longest(work)),
    )
    work.session.add(drill)
    work.session.flush()
    work.plan(START, f"drill:{drill.id}:start", drill.rings_at, drill.id or 0)
    return drill


_OPEN = select(Drill).where(col(Drill.only_one).is_(True)).with_for_update()


def open_drill(session: Session) -> Drill | None:
    """Return the drill that is planned or running."""
    return session.exec(_OPEN).first()


_RED = (
    select(Escalation.id)
    .where(
        col(Escalation.state).in_(rules.UNRESOLVED),
        col(Escalation.urgency).in_(escalate.REDS),
    )
    .limit(1)
)


def red_is_open(session: Session) -> bool:
    return session.exec(_RED).first() is not None


def may_change(session: Session) -> bool:
    """Tell whether a drill runs that a RED case has to stop, or one that stands still may go on."""
    row = session.exec(
        select(Drill.id, Drill.paused_at).where(col(Drill.only_one).is_(True), col(Drill.state).in_(RUNNING))
    ).first()
    return row is not None and (row[1] is None) == red_is_open(session)


def keep_apart(work: Work) -> None:
    """Let a drill stand still while a RED case is open, and go on where it was when none is."""
    drill = open_drill(work.session)
    if drill is None or drill.state not in RUNNING:
        return
    if drill.paused_at is None and red_is_open(work.session):
        _pause(work, drill)
    elif drill.paused_at is not None and not red_is_open(work.session):
        _go_on(work, drill)


def _pause(work: Work, drill: Drill) -> None:
    drill.paused_at = work.now
    work.unplan("a RED case is open", kind=NEXT_PAGE, about_id=drill.id)
    work.silence("a RED case is open", purpose=PURPOSE, about_id=drill.id)
    _close_pages(work, drill, "drill.page.paused", pressed=False)
    log.info("drill.paused", drill=drill.id)


def _go_on(work: Work, drill: Drill) -> None:
    """Move the start by the time that the drill stood still: nobody is timed while a patient is in danger."""
    assert drill.paused_at is not None
    assert drill.started_at is not None
    stood = max(work.now - drill.paused_at, timedelta(0))
    drill.paused_at = None
    drill.paused_seconds += round(stood.total_seconds())
    drill.started_at += stood
    if drill.last_paged_at is not None:
        drill.last_paged_at += stood
    if drill.state == DrillState.RINGING:
        _page(work, drill)


# What becomes due


def begin(work: Work, item: AgendaItem) -> str:
    """Begin to ring; while a RED case is open wait, and give up when the window is over."""
    drill = work.session.get_one(Drill, item.about_id, with_for_update=True)
    if drill.state != DrillState.PLANNED:
        return "not planned any more"
    if red_is_open(work.session):
        if work.now >= drill.until:
            _end(work, drill, DrillOutcome.NOT_HELD)
            return "not held"
        item.due_at = work.now + timedelta(minutes=work.protocol.drill.look_again_minutes)
        return polite.PUT_OFF
    drill.began_at = drill.started_at = work.now
    drill.state = DrillState.RINGING
    work.plan(END, f"drill:{drill.id}:end", work.now + _longest(work), item.about_id)
    _page(work, drill)
    return "rings"


def page_due(work: Work, item: AgendaItem) -> str:
    """Ring the level whose time has come, unless somebody has taken the drill."""
    drill = work.session.get_one(Drill, item.about_id, with_for_update=True)
    if drill.state != DrillState.RINGING or drill.paused_at is not None or red_is_open(work.session):
        return "stands still"
    _page(work, drill)
    return "paged"


def end_due(work: Work, item: AgendaItem) -> str:
    """End a drill whose time is over, with what people had done by then; a real case in it excuses them."""
    drill = work.session.get_one(Drill, item.about_id, with_for_update=True)
    if drill.state not in RUNNING:
        return "not running"
    if drill.state == DrillState.TAKEN:
        outcome = DrillOutcome.TAKEN
    elif drill.paused_at is not None or drill.paused_seconds:
        outcome = DrillOutcome.INTERRUPTED
    else:
        outcome = DrillOutcome.NOBODY
    _end(work, drill, outcome)
    return str(outcome)


AGENDA: Mapping[str, Callable[[Work, AgendaItem], str]] = {START: begin, NEXT_PAGE: page_due, END: end_due}


def _longest(work: Work) -> timedelta:
    return timedelta(minutes=work.protocol.drill.stops_after_minutes)


def _page(work: Work, drill: Drill) -> None:
    assert drill.started_at is not None
    chain = rules.chain_from_dict(drill.chain)
    coming = rules.next_page(chain, drill.started_at, drill.pages, drill.last_paged_at, work.now)
    if coming is not None and coming.due_at <= work.now:
        drill.pages += 1
        drill.last_paged_at = work.now
        work.silence("a newer page takes its place", purpose=PURPOSE, about_id=drill.id)
        for _, account in escalate.reachable(work, coming.roles):
            work.say(
                account,
                "drill.page",
                [
                    [Button("drill.button.acknowledge", "drill.acknowledge", {"drill": drill.id})],
                    [Button("drill.button.open", "drill.open", {"drill": drill.id})],
                ],
                lane=Lane.AMBER,  # a real page always goes first
                purpose=PURPOSE,
                about_id=drill.id,
                dedupe_key=f"drill:{drill.id}:{drill.pages}:{account.id}",
                number=drill.id,
                n=drill.pages,
            )
        coming = rules.next_page(chain, drill.started_at, drill.pages, drill.last_paged_at, work.now)
    if coming is not None:
        key = f"drill:{drill.id}:page:{coming.number}:{work.now.isoformat()}"
        work.plan(NEXT_PAGE, key, coming.due_at, drill.id or 0)


def sent(work: Work, message: OutboxMessage) -> None:
    """File when the first page of a drill really went out."""
    drill = work.session.get_one(Drill, message.about_id)
    if message.text_key == "drill.page" and drill.first_page_after is None:
        drill.first_page_after = _after(work, drill)


def _after(work: Work, drill: Drill) -> int:
    """Return for how many seconds the drill has run; the time of a real case is not counted."""
    until = drill.paused_at or work.now
    return max(round((until - (drill.started_at or until)).total_seconds()), 0)


def _end(work: Work, drill: Drill, outcome: DrillOutcome) -> None:
    drill.state, drill.outcome, drill.only_one = DrillState.ENDED, outcome, None
    drill.ended_at, drill.paused_at = work.now, None
    work.unplan("ended", kind=(START, NEXT_PAGE, END), about_id=drill.id)
    work.silence("ended", purpose=PURPOSE, about_id=drill.id)
    _close_pages(work, drill, "drill.page.ended", pressed=True)
    for member, account in people.staff(work.session, LEADING):
        if member.id != work.caller.staff_id:
            work.say(
                account,
                "drill.told",
                [[Button("drill.button.list", "drill.list")]],
                lane=Lane.AMBER,
                purpose=PURPOSE,
                about_id=drill.id,
                silent=True,
                line=_line(work, drill),
            )
    log.info("drill.ended", drill=drill.id, outcome=outcome)


def _close_pages(work: Work, drill: Drill, key: str, *, pressed: bool) -> None:
    """Show on every page of a drill what became of it."""
    for message in outbox.shown_to_staff(work.session, PURPOSE, drill.id):
        if message.text_key != "drill.page":
            continue
        if pressed:
            message.pressed_at = work.now
        account = work.session.get_one(Account, message.account_id)
        work.edit(message, f"{message.text}\n\n{work.text(key, account.locale, name=_name(work, drill))}")


# What people press


def show(work: Work, args: dict[str, Any]) -> None:
    """Show a drill to whoever looks; the first look is timed."""
    drill = work.session.get_one(Drill, args["drill"], with_for_update=True)
    if drill.state in RUNNING:
        _seen(work, drill)
    _card(work, drill)


def acknowledge(work: Work, args: dict[str, Any]) -> None:
    """Take a drill: it rings no more and asks, like a real case, what one would do now."""
    drill = work.session.get_one(Drill, args["drill"], with_for_update=True)
    if drill.state == DrillState.RINGING:
        _seen(work, drill)
        drill.state = DrillState.TAKEN
        drill.taken_after, drill.taken_by_id = _after(work, drill), work.caller.staff_id
        work.unplan("taken", kind=NEXT_PAGE, about_id=drill.id)
        work.silence("taken", purpose=PURPOSE, about_id=drill.id)
        _close_pages(work, drill, "drill.page.taken", pressed=True)
        work.note("drill.toast.taken")
    elif drill.state == DrillState.TAKEN:
        work.note("drill.toast.has_it", name=_name(work, drill))
    else:
        work.note("drill.toast.over")
    _card(work, drill)


def read_back(work: Work, args: dict[str, Any]) -> None:
    """Take the word of whoever has the drill that they would phone now, and end it."""
    drill = work.session.get_one(Drill, args["drill"], with_for_update=True)
    if drill.state != DrillState.TAKEN:
        work.note("drill.toast.over")
    elif drill.taken_by_id != work.caller.staff_id:
        work.note("drill.toast.has_it", name=_name(work, drill))
    else:
        drill.read_back_after = _after(work, drill)
        _end(work, drill, DrillOutcome.READ_BACK)
        work.note("drill.toast.thanks")
    _card(work, drill)


def _seen(work: Work, drill: Drill) -> None:
    if drill.viewed_after is None:
        drill.viewed_after = _after(work, drill)


def _card(work: Work, drill: Drill) -> None:
    args = {"drill": drill.id}
    rows = []
    if drill.state == DrillState.RINGING:
        rows.append([Button("drill.button.acknowledge", "drill.acknowledge", args)])
    elif drill.state == DrillState.TAKEN and drill.taken_by_id == work.caller.staff_id:
        rows.append([Button("drill.button.read_back", "drill.read_back", args)])
    rows.append([Button("drill.button.list", "drill.list")])
    work.answer("drill.card", rows, number=drill.id, line=_line(work, drill))


def _name(work: Work, drill: Drill) -> str:
    if drill.taken_by_id is None:
        return "—"
    return work.session.get_one(StaffMember, drill.taken_by_id).name


# What the drills showed


def show_all(work: Work) -> None:
    """Show the last drills and what they show together; there is nothing of a patient in it."""
    held = ended(work.session)
    if not held:
        work.answer("drill.none")
        return
    found = timing.figures([times(each) for each in held])
    work.answer(
        "drill.list",
        n=len(held),
        figures=Lines([_figure(name, each) for name, each in found.items()]),
        lines=Lines([_line(work, each) for each in held[:SHOWN]]),
    )


def ended(session: Session) -> Sequence[Drill]:
    """Return the drills that are over, the newest first."""
    return session.exec(
        select(Drill).where(Drill.state == DrillState.ENDED).order_by(col(Drill.id).desc()).limit(100)
    ).all()


def times(drill: Drill) -> Times:
    """Return what a drill that is over filed."""
    return Times(
        DrillOutcome(drill.outcome or DrillOutcome.NOBODY),
        drill.first_page_after,
        drill.viewed_after,
        drill.taken_after,
        drill.read_back_after,
    )


def _figure(name: str, found: Figure) -> Text:
    values = {"came": found.came, "of": found.of, "median": _long(found.median), "longest": _long(found.longest)}
    return Text(f"drill.figure.{name}", values)


def _line(work: Work, drill: Drill) -> Text:
    shown: datetime = drill.began_at or drill.ended_at or drill.planned_at
    return Text(
        "drill.line",
        {
            "number": drill.id,
            "at": work.texts.moment(shown, work.settings.zone, work.caller.locale),
            "how": Text(f"drill.how.{drill.outcome or drill.state}"),
            "page": _long(drill.first_page_after),
            "viewed": _long(drill.viewed_after),
            "taken": _long(drill.taken_after),
            "read_back": _long(drill.read_back_after),
        },
    )


def _long(seconds: int | None) -> str:
    """Return a time as minutes and seconds, the same in every language."""
    return "—" if seconds is None else f"{seconds // 60}:{seconds % 60:02d}"
