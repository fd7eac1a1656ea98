"""What does a doctor read in ten seconds before a patient comes in?

One screen: what was worst since the last visit, what nobody knows, tablets, what is open, blood counts, what is due.
It tells and judges nothing: an arrow is the order of time, and what is not known is said.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from sqlmodel import col, select

from bot.domain.adherence import Adherence
from bot.domain.course import State, Week, worst_since
from bot.domain.judging import NO_TRANSFUSION, PLATELETS, RED_CELLS, UNKNOWN
from bot.domain.measures import DIASTOLIC, SYSTOLIC
from bot.domain.reminders import daily_at
from bot.domain.roles import Role
from bot.domain.visits import VisitKind
from bot.store import audit, measurements, people
from bot.store import visits as stored
from bot.store.models import Account, AgendaItem, Measurement, OutboxMessage, Subject, Visit
from bot.texts import number
from bot.usecases import (
    adherence,
    cases,
    course,
    dose_days,
    dose_reviews,
    due,
    escalate,
    measured,
    on_call,
    reach,
    screens,
    staff_queries,
    tablet_counts,
)
from bot.usecases.brief_plan import PURPOSE, plan_look
from bot.usecases.visit_names import named
from bot.work import Button, Day, Keyboard, Lane, Lines, Text, Work

Line = Text | Day | Lines | str

# So many patients stand in one message with a block each; the rest is in the list of the day.
BLOCKS = 8
# So many rows of symptoms are named; all are in the course.
ROWS = 3
FERRITIN = "ferritin"
# Which transfusion changes which value.
CHANGED_BY = {"hb": RED_CELLS, "plt": PLATELETS}


# On demand


def show(work: Work, subject: Subject) -> None:
    """Show the brief of one subject."""
    audit.record(work.session, "brief.viewed", entity="subject", entity_id=subject.id)
    shown = _full(work, subject)
    work.answer(shown.key, _buttons(work, subject), **shown.values)


def open_brief(work: Work, args: dict[str, Any]) -> None:
    show(work, work.session.get_one(Subject, args["subject"]))


def show_day(work: Work) -> None:
    """Show the briefs of the patients who come today, as they go out in the morning."""
    expected = _expected(work)
    if not expected:
        work.answer("brief.nobody", day=Day(work.today))
        return
    audit.record(work.session, "brief.viewed", subjects=[subject.code for subject in expected])
    shown, keyboard = _of_day(work, expected)
    work.answer(shown.key, keyboard, **shown.values)


# By itself, on the morning of a visit day


def look(work: Work, _item: AgendaItem) -> str:
    """Send the briefs of today to the coordinators and to who is first on call today, once each.

    After an outage they are those of today, if its visits are not over; those of days gone by are of no use.
    """
    plan_look(work)
    zone, rule = work.settings.zone, work.protocol.brief
    ends = daily_at(work.today, work.protocol.visit_day_ends, zone)
    if not daily_at(work.today, rule.at, zone) <= work.now < ends:
        return "not the time for it"
    expected = _expected(work)
    if not expected:
        return "no visits today"
    about = work.today.toordinal()
    before = work.session.exec(
        select(OutboxMessage.account_id, OutboxMessage.state).where(
            OutboxMessage.purpose == PURPOSE, OutboxMessage.about_id == about
        )
    ).all()
    have = {account_id for account_id, state in before if state != "skipped"}
    told = [account for account in _readers(work) if account.id not in have]
    for locale in sorted({account.locale for account in told}):
        with work.read_in(locale):
            shown, keyboard = _of_day(work, expected)
            values: dict[str, Any] = shown.values
        for account in told:
            if account.locale == locale:
                # One that was taken back leaves its key behind.
                nth = sum(account.id == account_id for account_id, _ in before)
                work.say(
                    account,
                    shown.key,
                    keyboard,
                    # Reminders wait for the end of the patients' quiet hours; staff are at work before.
                    lane=Lane.AMBER,
                    purpose=PURPOSE,
                    about_id=about,
                    subject_id=expected[0].id if len(expected) == 1 else None,
                    dedupe_key=f"{PURPOSE}:{work.today.isoformat()}:{nth}:{account.id}",
                    useful_until=ends,
                    silent=True,
                    **values,
                )
    return f"{len(expected)} patients, {len(told)} told"


def _readers(work: Work) -> list[Account]:
    ends = daily_at(work.today, work.protocol.visit_day_ends, work.settings.zone)
    found = [*people.reachable(work.session, [Role.COORDINATOR]), *on_call.first_until(work, ends)]
    return list({account.id: account for _, account in found}.values())


def _expected(work: Work) -> list[Subject]:
    """Return the patients who come today, by code; a visit that they hear nothing of brings nobody."""
    told = [kind for kind in VisitKind if kind.is_told]
    return list(
        work.session.exec(
            select(Subject)
            .join(Visit, col(Visit.subject_id) == col(Subject.id))
            .where(
                Visit.state == stored.PLANNED,
                Visit.target_on == work.today,
                col(Visit.undecided).is_(False),
                col(Visit.kind).in_(told),
                col(Subject.state).in_(due.EXPECTED),
            )
            .distinct()
            .order_by(col(Subject.code))
        ).all()
    )


# One message: one patient in full, or a block each


def _of_day(work: Work, expected: Sequence[Subject]) -> tuple[Text, Keyboard]:
    if len(expected) == 1:
        return _full(work, expected[0]), _buttons(work, expected[0])
    shown = expected[:BLOCKS]
    rows = [[Button("brief.button.of", "brief.open", {"subject": s.id}, values={"code": s.code})] for s in shown]
    blocks: list[Line] = [_block(work, subject) for subject in shown]
    if len(expected) > BLOCKS:
        blocks.append(Text("brief.more", {"n": len(expected) - BLOCKS}))
        rows.append([Button("brief.button.today", "today.page", {"page": 0})])
    values = {"day": Day(work.today), "n": len(expected), "blocks": Lines(blocks, between="\n\n")}
    return Text("brief.day", values), rows


def _buttons(work: Work, subject: Subject) -> list[list[Button]]:
    args = {"subject": subject.id}
    rows = [
        [Button("patient.button.course", "course.open", args)],
        [Button("patient.button.labs", "labs.list", args)],
    ]
    for case in staff_queries.open_cases(work, subject)[: cases.PER_PAGE]:
        rows.append([Button("patient.button.case", "case.open", {"case": case.id}, values={"number": case.id})])
    return [*rows, screens.back_to(subject)]


def _full(work: Work, subject: Subject) -> Text:
    since, weeks = _since(work, subject)
    parts: list[list[Line]] = [
        [_since_line(work, subject, since), *_symptoms(work, weeks, since, ROWS), *course.states(work, weeks)],
        [*_tablets_lines(work, subject), _cases_line(work, subject), *_reviews_line(work, subject)],
        [*_series(work, subject, work.protocol.brief.values), _newest(work, subject)],
        [*_due(work, subject), staff_queries.contact(work, subject)],
    ]
    values: dict[str, object] = {
        "code": subject.code,
        "arm": Text(work.protocol.arms[subject.arm].name),
        "age": screens.age(work, subject),
        "state": Text(f"participation.{subject.state}"),
        "today": _today(work, subject),
        "body": Lines([Lines(lines) for lines in parts], between="\n\n"),
    }
    return Text("brief.shown", values)


def _block(work: Work, subject: Subject) -> Lines:
    since, weeks = _since(work, subject)
    silent = [week.number for week in weeks if State.NO_ANSWER in (week.state, week.checkin)]
    lines: list[Line] = [
        Text("brief.block", {"code": subject.code, "what": _today(work, subject)}),
        *_symptoms(work, weeks, since, 1),
        *([Text("course.weeks.no_answer", {"weeks": course.ranges(silent)})] if silent else []),
        *_tablets_lines(work, subject),
        Lines(_series(work, subject, 1), between=" · "),
        _cases_line(work, subject),
        *_reviews_line(work, subject),
    ]
    return Lines(lines)


# The parts


def _today(work: Work, subject: Subject) -> Line:
    coming = [visit for visit in stored.open_told(work.session, subject) if visit.target_on == work.today]
    if not coming:
        return Text("brief.not_today")
    replies = reach.replies(work, coming)
    what = Lines([named(visit) for visit in coming], between=", ")
    return Text("brief.today", {"what": what, "reply": Text(f"due.reply.{replies[coming[0].id or 0]}")})


def _since(work: Work, subject: Subject) -> tuple[date, list[Week]]:
    """Return the day of the last visit before today, or of the enrolment, and what is known of the weeks since."""
    held_on = stored.last_held_before(work.session, subject, work.today)
    since = held_on or reach.day_of(work, subject.enrolled_at)
    return since, [week for week in course.collect(work, subject) if week.sunday >= since]


def _since_line(work: Work, subject: Subject, since: date) -> Text:
    key = "brief.since_enrolment" if since == reach.day_of(work, subject.enrolled_at) else "brief.since_visit"
    return Text(key, {"day": Day(since, "plain_day"), "n": (work.today - since).days})


def _symptoms(work: Work, weeks: Sequence[Week], since: date, many: int) -> list[Line]:
    """Return the worst that was reported since a day, or that nothing was, or that nothing is known."""
    names = {row.id: Text(row.name) for row in work.protocol.course.rows}
    worst = worst_since(weeks, since)
    if not worst:
        known = any(week.state is State.NOTHING or week.checkin is State.NOTHING for week in weeks)
        return [Text("brief.nothing_reported" if known else "brief.nothing_known")]
    lines: list[Line] = []
    for each in worst[:many]:
        what: list[Line] = [course.level_said(work, each.urgency)] if each.urgency is not None else []
        what += [Text("course.score", {"score": each.score})] if each.score else []
        values = {"row": names[each.row], "what": Lines(what, between=", "), "day": Day(each.on, "plain_day")}
        lines.append(Text("brief.symptom", values))
    if len(worst) > many:
        lines.append(Text("brief.more_symptoms", {"n": len(worst) - many}))
    return lines


def adherence_of(work: Work, subject: Subject, days: int) -> Adherence | None:
    """Return the tablets of the last ``days`` that are settled; None where none were ever asked about or told of."""
    last_on = adherence.settled_on(work.session, subject, work.today)
    first_on = last_on - timedelta(days=days - 1)
    found = adherence.of(work.session, work.deps, subject, first_on, last_on)
    return None if found is None else found.period


def _tablets_lines(work: Work, subject: Subject) -> list[Line]:
    """Return how much was taken, with what is not known; nothing in an arm without tablets."""
    if not work.protocol.arms[subject.arm].tablets:
        return []
    found = adherence_of(work, subject, work.protocol.brief.adherence_days)
    holds = dose_days.standing_on(work.session, subject, work.today)
    lines: list[Line] = []
    if found is None or not found.ordered_days:
        lines.append(Text("brief.tablets_unknown"))
    else:
        values: dict[str, object] = {
            "share": adherence.percent(found.taken_share),
            "days": found.ordered_days,
            "unknown": found.unknown,
            "gap": found.longest_gap,
        }
        lines.append(Text("brief.tablets", values))
        lines.append(tablet_counts.counts_line(work, subject, found.first_on, found.last_on))
    if holds.is_held:
        lines.append(Text("brief.tablets_held"))
    elif holds.to_take is None:
        lines.append(Text("brief.tablets_none"))
    return lines


def _cases_line(work: Work, subject: Subject) -> Text:
    open_ones: list[Line] = [
        Text("brief.case", {"level": Text(escalate.level_of(case)), "number": case.id})
        for case in staff_queries.open_cases(work, subject)
    ]
    return Text("brief.cases", {"cases": Lines(open_ones, between=", ")}) if open_ones else Text("brief.no_cases")


def _reviews_line(work: Work, subject: Subject) -> list[Line]:
    found = sorted(dose_reviews.open_of(work.session, subject), key=lambda each: each.opened_at)
    if not found:
        return []
    since = Day(reach.day_of(work, found[0].opened_at), "plain_day")
    return [Text("brief.reviews", {"n": len(found), "day": since})]


def _series(work: Work, subject: Subject, many: int) -> list[Line]:
    """Return the last verified values of each blood count in the order of time; transfusions are marked."""
    wanted = work.protocol.brief.measures
    rows = measurements.verified(work.session, subject.id or 0, wanted)
    lines: list[Line] = []
    missing: list[Line] = []
    marks: set[str] = set()
    for measure in wanted:
        own = [row for row in rows if row.measure == measure][-many:]
        what = Text(f"measure.name.{measure}")
        if not own:
            missing.append(what)
            continue
        values: list[Line] = []
        for row in own:
            mark = _transfused(row)
            marks.add(mark)
            value = f"{measured.value_of(row).sign}{number(row.value)}{mark}"
            values.append(Text("brief.value", {"value": value, "day": Day(row.taken_on, "plain_day")}))
        unit = work.protocol.measures.by_id[measure].unit
        lines.append(Text("brief.series", {"what": what, "values": Lines(values, between=" → "), "unit": unit}))
    if missing:
        lines.append(Text("brief.no_value", {"what": Lines(missing, between=", ")}))
    if many > 1 and marks - {""}:
        lines.append(Text("brief.transfused"))
    return lines


def _transfused(row: Measurement) -> str:
    """Return the mark of a value that a transfusion may have changed: given, or nobody knows."""
    given = (row.transfused or UNKNOWN).split(measurements.DIVIDER)
    if row.measure not in CHANGED_BY or given == [NO_TRANSFUSION]:
        return ""
    if UNKNOWN in given:
        return " T?"
    return " T" if CHANGED_BY[row.measure] in given else ""


def _newest(work: Work, subject: Subject) -> Line:
    """Return the newest weight, blood pressure and ferritin, whoever entered them; what nobody verified is marked."""
    newest: dict[str, Measurement] = {}
    for row in measurements.counting(work.session, subject.id or 0):
        newest[row.measure] = row
    weight = measurements.weight_on(work.session, subject, work.today)
    parts: list[Line] = []
    if weight is None:
        parts.append(_unknown("weight"))
    else:
        parts.append(_single("weight", f"{number(weight.kg)} kg", weight.measured_on, verified=True))
    systolic = newest.get(SYSTOLIC)
    pair = measurements.of_occasion(work.session, systolic.occasion) if systolic is not None else []
    diastolic = next((row for row in pair if row.measure == DIASTOLIC and not row.void), None)
    if systolic is None or diastolic is None:
        parts.append(_unknown("pressure"))
    else:
        value = f"{number(systolic.value)}/{number(diastolic.value)} mmHg"
        parts.append(_single("pressure", value, systolic.taken_on, verified=systolic.verified and diastolic.verified))
    if (ferritin := newest.get(FERRITIN)) is None:
        parts.append(_unknown(FERRITIN))
    else:
        shown = measured.shown(work, measured.value_of(ferritin))
        parts.append(_single(FERRITIN, shown, ferritin.taken_on, verified=ferritin.verified))
    return Lines(parts, between=" · ")


def _single(what: str, value: str, on: date, *, verified: bool) -> Text:
    values = {"what": Text(f"brief.what.{what}"), "value": value, "day": Day(on, "plain_day")}
    return Text("brief.single" if verified else "brief.single_unverified", values)


def _unknown(what: str) -> Text:
    return Text("brief.no_value", {"what": Text(f"brief.what.{what}")})


def _due(work: Work, subject: Subject) -> Iterable[Line]:
    planned = stored.open_all(work.session, subject)
    if not planned:
        return [Text("patient.no_visits")]
    return [
        Text("brief.no_day", {"what": named(visit)})
        if visit.undecided
        else Text(
            "brief.due",
            {
                "what": named(visit),
                "day": Day(visit.target_on, "short_day"),
                "status": Text(f"due.status.{due.status_of(work, visit)}"),
            },
        )
        for visit in planned
    ]
