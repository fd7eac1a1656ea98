"""Who is reminded of a visit, when, and in which words?"""

from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any

from sqlmodel import col, select

from bot.domain import reminders as reminder_rules
from bot.domain.participation import ParticipationState, may_be_reminded
from bot.domain.reminders import ChaseAct, Room
from bot.domain.visits import VisitKind
from bot.store import agenda, outbox, people, visits
from bot.store.models import Account, AgendaItem, OutboxMessage, Subject, Visit
from bot.usecases import brief_plan, overdue, polite, screens, tablets, zones
from bot.work import Button, Day, Keyboard, Lane, Lines, Text, Work

REMINDER = polite.REMINDER
ANNOUNCE = polite.ANNOUNCE
GONE = polite.GONE
CHASE = polite.CHASE
UNANSWERED = "visit.unanswered"
KINDS = (REMINDER, ANNOUNCE, GONE, CHASE, UNANSWERED)
NEED_HELP = "need_help"
ANSWERED = "answered"
LATER = "later"
# A plan that was told longer ago than this is not about today or tomorrow.
LONGEST_AHEAD = timedelta(days=60)


def plan_reminders(work: Work, subject: Subject, visit: Visit) -> None:
    """Enter the reminders of a visit that are still to come, and what follows when nobody records it.

    Nothing before consent (DI-19), and nothing while no day is decided.
    """
    if visit.undecided or not may_be_reminded(ParticipationState(subject.state)):
        return
    zone, quiet = work.settings.zone, work.protocol.quiet_hours
    wanted = [
        _entry(visit, REMINDER, due.code, due.due_at, due.useful_until, due.text)
        for due in reminder_rules.reminders_for(
            visit.target_on,
            work.protocol.reminders,
            zone,
            quiet,
            work.now,
            subject.reminder_at,
            work.protocol.visit_day_ends,
        )
    ]
    chase = reminder_rules.chase_moments(visit.target_on, work.protocol.missed_visit, zone, quiet)
    ends = [following for _, following in chase[1:]] + [None]
    for (step, moment), end in zip(chase, ends, strict=True):
        if moment > work.now:
            asks = step.act is ChaseAct.ASK_SUBJECT
            wanted.append(_entry(visit, CHASE if asks else UNANSWERED, step.code, moment, end if asks else None))
    _enter(work, wanted)


def _entry(
    visit: Visit,
    kind: str,
    code: str,
    due_at: datetime,
    useful_until: datetime | None = None,
    text: str | None = None,
) -> AgendaItem:
    """Return the entry of one thing about a visit as it is planned now."""
    return AgendaItem(
        kind=kind,
        key=f"{kind}:{visit.id}:{visit.plan_version}:{code}",
        due_at=due_at,
        about_id=visit.id or 0,
        subject_id=visit.subject_id,
        useful_until=useful_until,
        detail={"version": visit.plan_version, "code": code, **({"text": text} if text else {})},
    )


def _enter(work: Work, wanted: Sequence[AgendaItem]) -> None:
    """Enter things about visits; what was cancelled before and did not go out comes back."""
    entered = work.plan_all(wanted)
    for item in wanted:
        present = entered.get(item.key)
        if present is not None and present.state == "skipped":
            present.state, present.reason, present.closed_at = "waiting", None, None
            present.due_at, present.useful_until = item.due_at, item.useful_until
    work.session.flush()


def replan(work: Work, subject: Subject) -> None:
    """Enter the reminders that had to wait for consent, or that move to a new hour."""
    for visit in visits.open_told(work.session, subject):
        work.forget_plan(REMINDER, visit.id or 0)
        plan_reminders(work, subject, visit)


def drop_reminders(work: Work, visit: Visit, reason: str) -> None:
    """Cancel what is planned or queued for a visit as it was.

    An answer ends the reminders alone: whether the visit took place is asked all the same.
    """
    if reason == ANSWERED:
        work.unplan(reason, kind=REMINDER, about_id=visit.id)
        work.silence(reason, purpose=REMINDER, about_id=visit.id)
        return
    brief_plan.take_back(work, visit.target_on, reason)
    work.unplan(reason, kind=(REMINDER, CHASE, UNANSWERED, overdue.OVERDUE), about_id=visit.id)
    work.silence(reason, purpose=(REMINDER, CHASE, polite.NO_DAY), about_id=visit.id)
    if work.silence(reason, purpose=ANNOUNCE, about_id=visit.subject_id):
        # It named other days as well; they are told anew, as they are then.
        _plan_announcement(work, work.session.get_one(Subject, visit.subject_id))


def remind(work: Work, item: AgendaItem) -> str:
    """Send the reminder that has become due, if the visit still stands as it was planned."""
    visit = work.session.get_one(Visit, item.about_id)
    subject = work.session.get_one(Subject, visit.subject_id)
    if visit.state != visits.PLANNED or visit.plan_version != item.detail["version"]:
        return "the visit changed"
    if visit.undecided:
        return "no day is decided"
    if not may_be_reminded(ParticipationState(subject.state)):
        return "not on study"
    if visit.proposed_on is not None:
        return "another day is asked for"
    if visit.reply not in (None, NEED_HELP):
        return "answered already"
    together = same_day(work, visit)
    if visit.id != next(each.id for each in together if each.reply in (None, NEED_HELP)):
        # One message names both visits of a day; the first of them that is not answered carries it.
        return "said with the other visit of that day"
    if not _asked_for(item) and _comes_again(work, item, today=True):
        # It was put off until the day of the next one, which would say the same words.
        return "said with the reminder that comes today"
    reader = polite.decides(work, subject)
    told = partial(_told_otherwise, work, reader, item)
    if (held := polite.hold_back(work, subject, item, told=told)) is not None:
        return held
    zone, steps = work.settings.zone, work.protocol.reminders
    # Put off to another day, "tomorrow" would name the wrong one: the words are chosen when they are said.
    text = reminder_rules.step_for(visit.target_on, work.now, steps, zone).text
    until = reminder_rules.useful_until(visit.target_on, work.now, zone, work.protocol.visit_day_ends)
    if not people.speakers(work.session, subject.id or 0):
        return "nobody to remind"
    day = tablets.ask_too(work, subject)
    for account, own in _readers(work, subject):
        values: dict[str, object] = {
            **where(work, subject, visit.target_on),
            "what": visit_names(together),
            "bring": preparations(together),
        }
        asked = day if day is not None and account in people.patient_first(work.session, subject.id or 0) else None
        _say(
            work,
            account,
            own,
            text,
            values,
            reply_buttons(visit, later=bool(later_moments(work, visit))),
            kind=REMINDER,
            about_id=visit.id,
            subject=subject,
            # With the day, so that it is known what the phone shows when the visit was moved away and back.
            key=f"{REMINDER}:{visit.id}:{_plan_and_day(visit)}:{item.detail['code']}",
            useful_until=min(until, item.useful_until or until),
            tablets_on=asked,
            item=item,
            told=partial(_told_otherwise, work, account, item),
        )
    return "reminded" if day is None else "reminded, and asked about tablets"


def _told_otherwise(work: Work, reader: Account | None, item: AgendaItem) -> bool:
    """Tell whether a reader has heard of the visit's day today, or is reminded of it once more."""
    visit = work.session.get_one(Visit, item.about_id)
    return _comes_again(work, item) or (reader is not None and visit.target_on in told_today(work, reader))


def _asked_for(item: AgendaItem) -> bool:
    """Tell whether the patient asked for this reminder."""
    return str(item.detail["code"]).startswith(f"{LATER}_")


def _comes_again(work: Work, item: AgendaItem, *, today: bool = False) -> bool:
    """Tell whether another reminder of the same visit is still to come, or to come today."""
    others = select(AgendaItem.id).where(
        agenda.WAITING,
        AgendaItem.kind == REMINDER,
        AgendaItem.about_id == item.about_id,
        AgendaItem.id != item.id,
    )
    if today:
        others = others.where(AgendaItem.due_at < _midnight(work, 1))
    return work.session.exec(others.limit(1)).first() is not None


def _midnight(work: Work, days: int) -> datetime:
    """Return when the day so many days from today begins at the site."""
    return reminder_rules.daily_at(work.today + timedelta(days=days), time(0), work.settings.zone)


def told_today(work: Work, reader: Account) -> set[date]:
    """Return the days of visits that a phone has shown today, or is about to show, unless they were moved since."""
    told = _told(work, reader, _midnight(work, 0))
    plans, last = {(number, version) for number, version, _ in told}, {number: on for number, _, on in told if on}
    found = work.session.exec(select(Visit).where(col(Visit.id).in_({number for number, _ in plans}))).all()
    # A day that was moved away and back before anybody was told of it is the day that the phone shows.
    return {
        each.target_on
        for each in found
        if (each.id, each.plan_version) in plans or last.get(each.id) == f"{each.target_on:%Y%m%d}"
    }


def _told_plans(work: Work, reader: Account, since: datetime) -> set[tuple[int | None, int]]:
    """Return which visits, and in which version of their plan, a phone has shown or is about to show."""
    return {(number, version) for number, version, _ in _told(work, reader, since)}


def _told(work: Work, reader: Account, since: datetime) -> list[tuple[int | None, int, str]]:
    """Return the same in the order of telling, with the day."""
    plans: list[tuple[int | None, int, str]] = []
    for key in outbox.keys_between(work.session, reader.id or 0, (REMINDER, ANNOUNCE), since, _midnight(work, 1)):
        kind, about, rest, *_ = key.split(":")
        # An announcement's key names all visits that it tells, a reminder's the one that carries it.
        told = [f"{about}.{rest}"] if kind == REMINDER else rest.split(",") if kind == ANNOUNCE and rest else []
        for number, _, plan in (each.partition(".") for each in told):
            version, _, on = plan.partition("@")
            plans.append((int(number), int(version), on))
    return plans


def remind_later(work: Work, visit: Visit, moment: datetime) -> datetime:
    """Enter one more reminder at the patient's wish; return when it comes.

    What was planned until then is dropped, for the patient wants to be left alone; where the plan has a reminder
    soon after, that one serves.
    """
    before = work.session.exec(
        select(AgendaItem).where(agenda.WAITING, AgendaItem.kind == REMINDER, AgendaItem.about_id == visit.id)
    ).all()
    for item in before:
        if item.due_at < moment:
            item.state, item.reason, item.closed_at = "skipped", "the patient asked for later", work.now
    work.session.flush()
    following = min((item.due_at for item in before if item.due_at >= moment), default=None)
    if following is not None and following <= moment + polite.merges(work):
        return following
    until = reminder_rules.useful_until(visit.target_on, moment, work.settings.zone, work.protocol.visit_day_ends)
    _enter(work, [_entry(visit, REMINDER, f"{LATER}_{later_times(work, visit) + 1}", moment, until)])
    return moment


def later_moments(work: Work, visit: Visit) -> tuple[datetime, ...]:
    """Return when the patient may be reminded again; none when it is too late, or was asked for often enough."""
    rule = work.protocol.remind_later
    if later_times(work, visit) >= rule.most_times:
        return ()
    zone, quiet, ends = work.settings.zone, work.protocol.quiet_hours, work.protocol.visit_day_ends
    offered = reminder_rules.later_moments(visit.target_on, rule, zone, quiet, work.now, ends)
    subject = work.session.get_one(Subject, visit.subject_id)
    by_day = {zones.out_of_nights(work, subject, moment) for moment in offered}
    return tuple(sorted(each for each in by_day if each < reminder_rules.daily_at(visit.target_on, ends, zone)))


def later_times(work: Work, visit: Visit) -> int:
    """Return how often a later reminder was asked for, of this plan of the visit."""
    beginning = f"{REMINDER}:{visit.id}:{visit.plan_version}:{LATER}_"
    # All keys that there can be, each found by itself: a search by how they begin would read the whole agenda.
    keys = [f"{beginning}{number}" for number in range(1, work.protocol.remind_later.most_times + 1)]
    return len(work.session.exec(select(AgendaItem.id).where(col(AgendaItem.key).in_(keys))).all())


def announce(work: Work, visit: Visit) -> None:
    """Tell the patient the days as they stand now that staff chose or moved one; once, and not at night.

    What was still to be told of earlier changes is told by this message too, so only the newest plan goes out.
    """
    subject = work.session.get_one(Subject, visit.subject_id)
    if not may_be_reminded(ParticipationState(subject.state)):
        return
    if visit.undecided:
        _announce_undecided(work, subject, visit)
        return
    if _says_this(work, subject):
        return
    _take_back_announcements(work, subject)
    reader = polite.decides(work, subject)
    if polite.awake(work, subject) > work.now:
        _plan_announcement(work, subject)
    elif reader is not None and _room_for_news(work, subject, reader) is Room.PUT_OFF:
        _plan_announcement(work, subject, polite.next_morning(work, subject))
    else:
        _announce(work, subject)


def _announce_undecided(work: Work, subject: Subject, visit: Visit) -> None:
    """Say that the team will name the day: the one that was told before does not stand any more."""
    tell(
        work,
        subject,
        "visit.announced.undecided",
        kind=polite.NO_DAY,
        about_id=visit.id,
        key=f"undecided:{visit.id}:{visit.plan_version}",
        what=name_of(visit),
        phone=screens.phone(work),
    )


def announce_gone(work: Work, subject: Subject, gone: Sequence[Visit]) -> None:
    """Tell the patient what they need not come for any more, with the days that stand; nobody comes in vain.

    It waits for the end of the night, but not for another day: the visit may be tomorrow.
    """
    if polite.awake(work, subject) <= work.now:
        _tell_gone(work, subject, gone)
    elif gone:
        numbers = [each.id for each in gone]
        work.plan(
            GONE,
            f"{GONE}:{','.join(map(str, numbers))}",
            polite.awake(work, subject),
            subject.id or 0,
            subject_id=subject.id,
            visits=numbers,
        )


def _take_back_announcements(work: Work, subject: Subject) -> None:
    work.silence("a newer announcement takes its place", purpose=ANNOUNCE, about_id=subject.id)
    work.forget_plan(ANNOUNCE, subject.id or 0)


def gone_due(work: Work, item: AgendaItem) -> str:
    """Say in the morning which visits were taken out of the plan in the night."""
    subject = work.session.get_one(Subject, item.about_id)
    gone = [work.session.get_one(Visit, number) for number in item.detail["visits"]]
    return "told" if _tell_gone(work, subject, gone, item) else "nobody to tell, or nothing was taken away"


def _tell_gone(work: Work, subject: Subject, gone: Sequence[Visit], item: AgendaItem | None = None) -> int:
    """Say which visits were taken out of the plan, unless they are over or stand again by now."""
    standing = {(each.kind, each.target_on) for each in visits.open_told(work.session, subject)}
    told = [each for each in gone if VisitKind(each.kind).is_told and not each.undecided]
    off = [each for each in told if _until(work, each) > work.now and (each.kind, each.target_on) not in standing]
    if not off or not may_be_reminded(ParticipationState(subject.state)):
        return 0
    # It says the days as they stand as well, so what was still to be told of them is told with it.
    _take_back_announcements(work, subject)
    coming = _to_announce(work, subject)
    still = Text("visit.gone.still", {"place": zones.place(work, subject), "lines": lines_of(coming)})
    return tell(
        work,
        subject,
        "visit.gone",
        kind=GONE,
        about_id=subject.id,
        key=f"{GONE}:{','.join(str(each.id) for each in off)}",
        item=item,
        gone=Lines([Text("visit.gone.line", {"day": Day(each.target_on), "what": name_of(each)}) for each in off]),
        coming=still if coming else Text("visit.gone.none_left"),
        phone=screens.phone(work),
    )


def announced_until(work: Work, subject: Subject) -> datetime:
    """Return until when the days may be announced as they stand: until the first of them is over."""
    return min((_until(work, each) for each in _to_announce(work, subject)), default=work.now)


def _room_for_news(work: Work, subject: Subject, reader: Account) -> Room:
    return polite.room(work, subject, reader, ANNOUNCE, _news_until(work, subject, reader))


def _news_until(work: Work, subject: Subject, reader: Account) -> datetime:
    """Return until when an announcement tells a reader what other messages did not tell before, or not today."""
    morning = polite.next_morning(work, subject)
    coming, before = _to_announce(work, subject), _told_plans(work, reader, work.now - LONGEST_AHEAD)
    vain = _in_vain(work, coming, before)
    first = min([*(_until(work, each) for each in coming), *vain], default=work.now)
    if first > morning:
        return first
    today = told_today(work, reader)
    news = [
        _until(work, each)
        for each in coming
        if each.target_on not in today and (each.id, each.plan_version) not in before
    ]
    return min([*news, *vain], default=morning + timedelta(days=1))


def _in_vain(work: Work, coming: Sequence[Visit], told: Collection[tuple[int | None, int]]) -> list[datetime]:
    """Return until when a reader must learn that a visit which they were told of is not on that day any more."""
    last = {number: max(version for each, version in told if each == number) for number, _ in told}
    moved = [
        _useful_until(work, each.moved_from_on)
        for each in coming
        if each.moved_from_on is not None
        and each.moved_from_on != each.target_on
        and 0 < last.get(each.id, 0) <= (each.moved_from_version or 0)
    ]
    return [until for until in moved if until > work.now]


def _to_announce(work: Work, subject: Subject) -> list[Visit]:
    return [each for each in to_tell(work, subject) if _until(work, each) > work.now]


def _until(work: Work, visit: Visit) -> datetime:
    return _useful_until(work, visit.target_on)


def _useful_until(work: Work, day: date) -> datetime:
    zone, ends = work.settings.zone, work.protocol.visit_day_ends
    return reminder_rules.useful_until(day, work.now, zone, ends)


def _says_this(work: Work, subject: Subject) -> bool:
    """Tell whether the days as they stand now are on their way already: said twice in one piece of work."""
    found = select(OutboxMessage.id).where(
        OutboxMessage.purpose == ANNOUNCE,
        OutboxMessage.about_id == subject.id,
        OutboxMessage.state == "waiting",
        col(OutboxMessage.dedupe_key).startswith(_key(work, subject)),
    )
    return work.session.exec(found.limit(1)).first() is not None


def _key(work: Work, subject: Subject) -> str:
    stands = ",".join(f"{each.id}.{_plan_and_day(each)}" for each in _to_announce(work, subject))
    return f"{ANNOUNCE}:{subject.id}:{stands}:"


def _plan_and_day(visit: Visit) -> str:
    """Return the part of a message's key that tells what it says of a visit; `_told` reads it."""
    return f"{visit.plan_version}@{visit.target_on:%Y%m%d}"


def _plan_announcement(work: Work, subject: Subject, at: datetime | None = None) -> None:
    work.plan(
        ANNOUNCE,
        f"{ANNOUNCE}:{subject.id}:{work.now.isoformat()}",
        at or polite.awake(work, subject),
        subject.id or 0,
        subject_id=subject.id,
    )


def announce_due(work: Work, item: AgendaItem) -> str:
    """Tell the days that could not be told when they were chosen, as they are now."""
    subject = work.session.get_one(Subject, item.about_id)
    if not may_be_reminded(ParticipationState(subject.state)):
        return "not on study"
    if not _to_announce(work, subject):
        return "no visit is planned any more"
    reader = polite.decides(work, subject)
    until = announced_until(work, subject) if reader is None else _news_until(work, subject, reader)
    if (held := polite.hold_back(work, subject, item, until)) is not None:
        return held
    return "announced" if _announce(work, subject, item) else "nobody to tell"


def _announce(work: Work, subject: Subject, item: AgendaItem | None = None) -> int:
    coming = _to_announce(work, subject)
    if not coming:
        return 0
    readers = _readers(work, subject)
    for account, own in readers:
        _say(
            work,
            account,
            own,
            "visit.announced",
            {**where(work, subject), "day": Day(coming[0].target_on), "lines": lines_of(coming)},
            kind=ANNOUNCE,
            about_id=subject.id,
            subject=subject,
            key=f"{_key(work, subject)}{work.now.isoformat()}",
            useful_until=announced_until(work, subject),
            waits_until=None if own else _news_until(work, subject, account),
            item=item,
        )
    return len(readers)


def to_tell(work: Work, subject: Subject) -> list[Visit]:
    """Return the planned visits that have a day which the patient may be told and that has not passed."""
    return [
        each
        for each in visits.open_told(work.session, subject)
        if not each.undecided and each.target_on >= work.today
    ]


def lines_of(coming: Sequence[Visit]) -> Lines:
    """Return each day once, with what is done on it."""
    days = sorted({each.target_on for each in coming})
    return Lines([line_of([each for each in coming if each.target_on == day]) for day in days], between="\n\n")


def line_of(together: Sequence[Visit]) -> Text:
    """Return a day with everything that is done on it and what to know before."""
    return Text(
        "visit.mine.line",
        {
            "day": Day(together[0].target_on),
            "what": visit_names(together),
            "bring": preparations(together),
        },
    )


def same_day(work: Work, visit: Visit) -> list[Visit]:
    """Return the planned visits on the day of ``visit``, the one first that carries the message for all."""
    subject = work.session.get_one(Subject, visit.subject_id)
    return [
        each
        for each in visits.open_told(work.session, subject)
        if each.target_on == visit.target_on and not each.undecided
    ]


def where(work: Work, subject: Subject, day: date | None = None) -> dict[str, object]:
    """Return what every message about a visit needs to say: the day, the place with its clock, the number."""
    said: dict[str, object] = {"place": zones.place(work, subject), "phone": screens.phone(work)}
    return said | ({"day": Day(day)} if day is not None else {})


def _readers(work: Work, subject: Subject) -> list[tuple[Account, bool]]:
    """Return everybody who speaks for the subject, and whether each is the patient."""
    patients = {account.id for account in people.speakers(work.session, subject.id or 0, "patient")}
    return [(each, each.id in patients) for each in people.speakers(work.session, subject.id or 0)]


def tell(
    work: Work,
    subject: Subject,
    text: str,
    keyboard: Keyboard = (),
    *,
    kind: str,
    about_id: int | None,
    key: str,
    useful_until: datetime | None = None,
    item: AgendaItem | None = None,
    **values: object,
) -> int:
    """Say something to the patient and to caregivers, who are told whose visit it is; return how many they are.

    ``item`` is the entry of the agenda that it is made from.
    """
    readers = _readers(work, subject)
    for account, own in readers:
        _say(
            work,
            account,
            own,
            text,
            values,
            keyboard,
            kind=kind,
            about_id=about_id,
            subject=subject,
            key=key,
            useful_until=useful_until,
            item=item,
        )
    return len(readers)


def _say(
    work: Work,
    account: Account,
    own: bool,
    text: str,
    values: dict[str, Any],
    keyboard: Keyboard = (),
    *,
    kind: str,
    about_id: int | None,
    subject: Subject,
    key: str,
    useful_until: datetime | None = None,
    waits_until: datetime | None = None,
    tablets_on: date | None = None,
    item: AgendaItem | None = None,
    told: Callable[[], bool] = polite.not_told,
) -> None:
    """Say something to one reader; on a phone other than the one that decided it waits for room, or is skipped."""
    said = Text(text, values)
    if tablets_on is not None:
        # One question at a time: the tablets have the buttons, and the visit is asked about next.
        said = Text("visit.with_tablets", {"text": said, "day": Day(tablets_on)})
        keyboard = with_tablets_buttons(keyboard, tablets_on)
    filled: dict[str, Any] = said.values if own else {"text": said}
    at: datetime | None = polite.awake(work, subject)
    # That a day does not stand is said at once, from no entry that could be put off: it waits like a copy.
    if kind == polite.NO_DAY or account != polite.decides(work, subject):
        until = waits_until or useful_until or work.now + timedelta(days=2)
        at = polite.moment(work, subject, account, kind, until, besides=item, told=told)
    message = work.say(
        account,
        "visit.for_caregiver" if not own else text if tablets_on is None else "visit.with_tablets",
        keyboard,
        lane=Lane.REMINDER,
        purpose=kind,
        about_id=about_id,
        subject_id=subject.id,
        single_use=tablets_on is None,
        dedupe_key=f"{key}:{account.id}" if tablets_on is None else f"{key}:{account.id}:{tablets_on.isoformat()}",
        due_at=at,
        useful_until=useful_until,
        **filled,
    )
    if message is None:
        return
    # It stays readable that this reader, and nobody else, was spared it.
    if at is None:
        outbox.close(message, "skipped", work.now, polite.ENOUGH)
    elif kind == ANNOUNCE and _reads_the_same(work, account, subject, message):
        outbox.close(message, "skipped", work.now, "the days are those that were told last")


def _reads_the_same(work: Work, account: Account, subject: Subject, message: OutboxMessage) -> bool:
    """Tell whether a phone shows these very days already: they were changed and put back before it was told."""
    last = outbox.last_told(work.session, account.id or 0, ANNOUNCE, subject.id or 0)
    return last is not None and last.text == message.text


def leave_out_tablets(work: Work, subject: Subject) -> None:
    """Say reminders that wait with the tablets question without it: no tablets are to be taken any more."""
    waiting = work.session.exec(
        select(OutboxMessage).where(
            OutboxMessage.purpose == REMINDER,
            OutboxMessage.subject_id == subject.id,
            OutboxMessage.state == "waiting",
        )
    ).all()
    for message in waiting:
        key, _, asked = (message.dedupe_key or "").rpartition(":")
        visit = work.session.get(Visit, message.about_id)
        if asked.count("-") != 2 or visit is None:
            continue
        outbox.close(message, "skipped", work.now, "said again without the tablets")
        together = same_day(work, visit)
        account = work.session.get_one(Account, message.account_id)
        _say(
            work,
            account,
            account in people.speakers(work.session, subject.id or 0, "patient"),
            reminder_rules.step_for(visit.target_on, work.now, work.protocol.reminders, work.settings.zone).text,
            {
                **where(work, subject, visit.target_on),
                "what": visit_names(together),
                "bring": preparations(together),
            },
            reply_buttons(visit, later=bool(later_moments(work, visit))),
            kind=REMINDER,
            about_id=visit.id,
            subject=subject,
            key=key.rpartition(":")[0],
            useful_until=message.useful_until,
        )


def with_tablets_buttons(keyboard: Keyboard, day: date) -> list[list[Button]]:
    """Return the answers to the tablets question that came with a reminder, and the way to the visit's question."""
    about = {name: keyboard[0][0].args[name] for name in ("visit", "version")}
    rows = [
        [Button(each.label, "visit.tablets", {**each.args, **about}) if each.action == "tablets.answer" else each]
        for row in tablets.answer_buttons(day)
        for each in row
    ]
    return [*rows, [Button("visit.button.about", "visit.ask", about)]]


def visit_names(visits: Sequence[Visit]) -> Lines:
    return Lines([name_of(each) for each in visits], between=" + ")


def preparations(visits: Sequence[Visit]) -> Lines:
    """Return what to prepare for a day, each thing once."""
    return Lines(
        [Text(f"visit.bring.{one}") for one in dict.fromkeys(VisitKind(each.kind).preparation for each in visits)]
    )


def name_of(visit: Visit) -> Text | str:
    """Return what a visit is called: its kind, or the title that staff gave it."""
    return visit.title or Text(f"visit.kind.{visit.kind}")


def reply_buttons(visit: Visit, *, later: bool = True) -> list[list[Button]]:
    args = {"visit": visit.id, "version": visit.plan_version}
    rows = [
        [Button("visit.button.will_come", "visit.reply", {**args, "reply": "will_come"})],
        [Button("visit.button.another_day", "visit.reply", {**args, "reply": "another_day"})],
        [Button("visit.button.later", "visit.later", args)],
        [Button("visit.button.need_help", "visit.reply", {**args, "reply": "need_help"})],
    ]
    return rows if later else [row for row in rows if row[0].action != "visit.later"]
