"""How do staff see the course of a subject's symptoms: the worst per symptom and week, and where nothing is known?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from bot.domain.course import (
    Asked,
    Cell,
    CourseMap,
    Sign,
    Source,
    State,
    Week,
    course,
    unanswered,
)
from bot.domain.measures import TEMPERATURE
from bot.domain.people import BOT
from bot.domain.questionnaires import Questionnaire, is_complete, scores
from bot.domain.urgency import Urgency
from bot.store import adverse_events as judged
from bot.store import audit, filled_in
from bot.store import measurements as measured
from bot.store.models import AdverseEvent, Answer, Checkin, Response, Subject
from bot.usecases import escalate, events, screens
from bot.usecases import report as symptoms
from bot.work import Button, Text, Work

WEEKS = (4, 12)
USUAL = 12
# So many fit into one picture; "all" is leafed through by so many.
MOST_WEEKS = 26
# A message holds 4,096 signs as Telegram counts them; title, headline and legend take what is left.
LONGEST = 3300
MOST_EVENTS = 8
MARKS = {
    Urgency.RED_120: "🔴‼️",
    Urgency.RED_COME: "🔴",
    Urgency.AMBER: "🟠",
    Urgency.YELLOW: "🟡",
    Urgency.GREEN: "⚪",
}
LEGEND = (State.NO_ANSWER, State.NOTHING, State.NOT_ASKED)


def show(work: Work, subject: Subject, weeks: int = USUAL, page: int = 0) -> None:
    """Show the course of a subject's symptoms as text and picture: the last so many weeks; 0 means all of them."""
    audit.record(
        work.session, "course.viewed", entity="subject", entity_id=subject.id, weeks=weeks or "all", page=page
    )
    known = collect(work, subject)
    shown, whole = _period(known, weeks, page)
    happened = [each for each in _events(work, subject) if _is_in(each, shown)]
    work.answer(
        "course.shown",
        [*_periods(subject, weeks, page, len(known)), screens.back_to(subject)],
        picture=_picture(work, subject, shown, happened),
        code=subject.code,
        period=_named(work, shown),
        headline=_headline(work, shown),
        body=_body(work, shown, happened),
        of=work.text("course.of_all", n=len(known)) if not whole else "",
    )


def open_course(work: Work, args: dict[str, Any]) -> None:
    subject = work.session.get_one(Subject, args["subject"])
    show(work, subject, int(args.get("weeks", USUAL)), int(args.get("page", 0)))


def _period(known: list[Week], weeks: int, page: int) -> tuple[list[Week], bool]:
    """Return the weeks to show, the first one first, and whether these are all."""
    many = min(weeks, MOST_WEEKS) if weeks else MOST_WEEKS
    last = max(len(known) - page * many, 1)
    shown = known[max(last - many, 0) : last]
    return shown, len(shown) == len(known)


def _periods(subject: Subject, weeks: int, page: int, count: int) -> list[list[Button]]:
    args = {"subject": subject.id}
    choices = [
        *(
            Button("course.button.weeks", "course.open", {**args, "weeks": many}, values={"n": many})
            for many in WEEKS
            if many != weeks and many < count
        ),
        *([Button("course.button.all", "course.open", {**args, "weeks": 0})] if weeks and weeks < count else []),
    ]
    leaf = []
    many = weeks or MOST_WEEKS
    if (page + 1) * many < count:
        leaf.append(Button("course.button.before", "course.open", {**args, "weeks": weeks, "page": page + 1}))
    if page > 0:
        leaf.append(Button("course.button.after", "course.open", {**args, "weeks": weeks, "page": page - 1}))
    return [row for row in (leaf, choices) if row]


# What is known: one statement a source, however long the course is


def collect(work: Work, subject: Subject) -> list[Week]:
    """Return what is known of every week since the enrolment, the first one first."""
    where, number = work.protocol.course_map(), subject.id or 0
    filled = _filled(work, where, number)
    offered = filled_in.checkins(work.session, number)
    day_of = {row.response_id: row.day_on for row in offered if row.response_id is not None}
    found: list[Sign] = []
    asked: list[Asked] = []
    for each in filled:
        on = day_of.get(each.row.id or 0, _day(work, each.row.opened_at))
        found += _signs_of(where, each, on)
        asked += _asked_by(where, each, on)
    asked += _never_begun(work, where, offered)
    for case in judged.symptom_cases(work.session, subject):
        for heard in escalate.words_heard(case):
            levels = where.words(heard.because, heard.urgency)
            on = _day(work, heard.at)
            found += [Sign(on, row, Source.WORDS, heard.by, urgency=level) for row, level in levels.items()]
    _measured(work, where, number, found, asked)
    complete = {each.row.id for each in filled if each.is_complete}
    return course(
        where.rows,
        found,
        asked,
        [(row.day_on, row.response_id in complete) for row in offered],
        _day(work, subject.enrolled_at),
        work.today,
    )


@dataclass(frozen=True, slots=True)
class _Filled:
    """A filling-in as it stands now; ``before``: the last scores of the earlier ones, as the rules saw them."""

    row: Response
    questionnaire: Questionnaire
    given: dict[str, Any]
    before: Mapping[str, int]
    corrected: bool

    @property
    def is_complete(self) -> bool:
        return self.row.submitted_at is not None and is_complete(self.questionnaire, self.given)

    @property
    def source(self) -> Source:
        return Source.CHECKIN if self.questionnaire.hands_over else Source.REPORT


def _filled(work: Work, where: CourseMap, number: int) -> list[_Filled]:
    answers = filled_in.answers(work.session, number)
    found: list[_Filled] = []
    for row in filled_in.responses(work.session, number):
        questionnaire = work.protocol.questionnaires.get(row.questionnaire)
        if questionnaire is None:
            # Of a version of the trial that asked otherwise: what its rules said is shown all the same.
            questionnaire = Questionnaire(row.questionnaire, row.questionnaire_version, ())
        rows: Sequence[Answer] = [
            each for each in answers.get(row.id or 0, []) if any(item.id == each.item for item in questionnaire.items)
        ]
        given = symptoms.newest_answers(questionnaire, rows)
        before: dict[str, int] = {}
        handed_in = [each for each in found if each.row.questionnaire == row.questionnaire and each.row.submitted_at]
        for earlier in handed_in[-symptoms.CHECKINS_BACK :]:
            before |= scores(earlier.questionnaire, earlier.given)
        found.append(_Filled(row, questionnaire, given, before, any(each.correction for each in rows)))
    return found


def _signs_of(where: CourseMap, each: _Filled, on: date) -> Iterator[Sign]:
    because = list(each.row.because)
    urgency = Urgency(each.row.urgency) if each.row.urgency is not None else None
    present = scores(each.questionnaire, each.given)
    by = each.row.reported_by
    standing = because
    if each.corrected:
        standing = where.standing(each.questionnaire, each.given, each.before, because)
    levels = where.answers(each.questionnaire, each.given, each.before, standing, urgency)
    for row, level in levels.items():
        yield Sign(on, row, each.source, by, urgency=level)
    if standing != because:
        said = where.answers(each.questionnaire, each.given, each.before, because, urgency)
        for row, level in said.items():
            if level.rank > levels.get(row, Urgency.GREEN).rank:
                yield Sign(on, row, each.source, by, urgency=level, taken_back=True)
    for item, score in present.items():
        yield Sign(on, where.row_of_score(item), each.source, by, score=score)


def _asked_by(where: CourseMap, each: _Filled, on: date) -> Iterator[Asked]:
    for row, items in where.asked_about(each.questionnaire).items():
        yield Asked(on, row, answered=not unanswered(items, each.given))


def _never_begun(work: Work, where: CourseMap, offered: Iterable[Checkin]) -> Iterator[Asked]:
    questionnaire = next((each for each in work.protocol.questionnaires.values() if each.hands_over), None)
    if questionnaire is None:
        return
    about = where.asked_about(questionnaire)
    for row in offered:
        if row.response_id is None:
            yield from (Asked(row.day_on, name, answered=False) for name in about)


def _measured(work: Work, where: CourseMap, number: int, found: list[Sign], asked: list[Asked]) -> None:
    judging = {TEMPERATURE, *where.measure_of.values()}
    for value in measured.counting(work.session, number):
        row = where.row_of_measure(value.measure)
        level = Urgency(value.urgency) if value.urgency is not None else Urgency.GREEN
        if level is not Urgency.GREEN:
            sign = Sign(value.taken_on, row, Source.VALUE, value.entered_by, urgency=level, verified=value.verified)
            found.append(sign)
        elif value.measure in judging and value.urgency is not None:
            asked.append(Asked(value.taken_on, row, answered=True))


def _day(work: Work, at: datetime) -> date:
    return at.astimezone(work.settings.zone).date()


# Adverse events: what an investigator made of it, beside what the subject said, never mixed with it


def _events(work: Work, subject: Subject) -> list[AdverseEvent]:
    """Return the events that staff stand for, the first one first."""
    return [each for each in reversed(judged.listed(work.session, subject.id or 0)) if not each.void]


def _is_in(event: AdverseEvent, shown: Sequence[Week]) -> bool:
    ended_before = event.end_on is not None and event.end_on < shown[0].monday
    return event.onset_on <= shown[-1].sunday and not ended_before


def _event_line(work: Work, event: AdverseEvent) -> Text:
    locale = work.caller.locale
    last = work.texts.short_day(event.end_on, locale) if event.end_on else Text("event.ongoing")
    return Text(
        "course.event",
        {
            "number": event.number,
            "term": events.name_of(work, event),
            "grade": _grade(event),
            "serious": Text("course.serious") if event.serious else "",
            "first": work.texts.short_day(event.onset_on, locale),
            "last": last,
        },
    )


def _grade(event: AdverseEvent) -> Text:
    return Text("course.not_graded") if event.grade is None else Text("course.grade", {"grade": event.grade})


# Words


def _named(work: Work, shown: Sequence[Week]) -> str:
    locale = work.caller.locale
    first, last = shown[0], shown[-1]
    return work.text(
        "course.period",
        weeks=ranges([each.number for each in shown]),
        first=work.texts.short_day(first.monday, locale),
        last=work.texts.short_day(min(last.sunday, work.today), locale),
    )


def _headline(work: Work, shown: Sequence[Week]) -> str:
    """Return what a reader has to know first: the most urgent of the period, the last time it was."""
    order = {row.id: number for number, row in enumerate(work.protocol.course.rows)}
    urgent = [
        (cell.urgency.rank, week.number, -order[row])
        for week in shown
        for row, cell in week.cells.items()
        if cell.urgency is not None and cell.urgency is not Urgency.GREEN
    ]
    if not urgent:
        return work.text("course.no_urgency")
    rank, number, place = max(urgent)
    level, row = list(Urgency)[rank], work.protocol.course.rows[-place]
    return work.text(
        "course.headline", level=work.text(f"course.level.{level}"), row=work.text(row.name), week=number
    )


def _body(work: Work, shown: Sequence[Week], happened: Sequence[AdverseEvent]) -> str:
    """Return the weeks in which something was reported, the newest first, then those of which nothing is known."""
    tail = [*_event_lines(work, happened), *states(work, shown)]
    room = LONGEST - sum(length(line) + 1 for line in tail)
    blocks = [_block(work, week) for week in reversed(shown) if week.state is State.REPORTED or week.taken_back]
    kept: list[str] = []
    for block in blocks:
        room -= length(block) + 2
        if room < 0:
            break
        kept.append(block)
    if len(kept) < len(blocks):
        kept.append(work.text("course.left_off", n=len(blocks) - len(kept)))
    return "\n\n".join([*kept, "\n".join(tail)] if tail else kept)


def length(text: str) -> int:
    """Return how many signs Telegram counts: those beyond the first plane, as emoji, are two."""
    return len(text.encode("utf-16-le")) // 2


def _block(work: Work, week: Week) -> str:
    locale = work.caller.locale
    lines = [
        work.text(
            "course.week",
            number=week.number,
            first=work.texts.short_day(week.monday, locale),
            last=work.texts.short_day(week.sunday, locale),
        )
    ]
    names = {row.id: work.text(row.name) for row in work.protocol.course.rows}
    for row, cell in week.cells.items():
        if cell.state is State.REPORTED:
            what = [level_said(work, cell.urgency)] if cell.urgency is not None else []
            what += [work.text("course.score", score=cell.score)] if cell.score else []
            lines.append(work.text("course.line", row=names[row], what=", ".join(what), sources=_sources(work, cell)))
    for sign in week.taken_back:
        level = level_said(work, sign.urgency or Urgency.GREEN)
        lines.append(work.text("course.taken_back", row=names[sign.row], level=level))
    if week.checkin is State.NO_ANSWER:
        lines.append(work.text("course.checkin.no_answer"))
    return "\n".join(lines)


def level_said(work: Work, level: Urgency) -> str:
    """Return how urgent something is, with its sign."""
    return f"{MARKS[level]} {work.text(f'course.level.{level}')}"


def _sources(work: Work, cell: Cell) -> str:
    """Return how it is known, and who says so where it was not the patient."""
    found: dict[str, None] = {}
    for sign in cell.signs:
        if sign.urgency is None and not sign.score:
            continue
        how = "value_unverified" if sign.source is Source.VALUE and not sign.verified else str(sign.source)
        said = work.text(f"course.source.{how}")
        if sign.by.startswith("caregiver"):
            said = work.text("course.by_caregiver", said=said)
        elif sign.by == BOT.label:
            said = work.text("course.by_silence", said=said)
        found[said] = None
    return ", ".join(found)


def _event_lines(work: Work, happened: Sequence[AdverseEvent]) -> list[str]:
    if not happened:
        return []
    last = happened[-MOST_EVENTS:]
    lines = [work.text("course.events")]
    lines += [_event_line(work, each).render(work.texts, work.caller.locale) for each in reversed(last)]
    if len(last) < len(happened):
        lines.append(work.text("course.events.more", n=len(happened) - len(last)))
    return [*lines, ""]


def states(work: Work, shown: Sequence[Week]) -> list[str]:
    """Return the weeks without an answer, with nothing reported and without a question, a line each."""
    silent = [week.number for week in shown if State.NO_ANSWER in (week.state, week.checkin)]
    nothing = [week.number for week in shown if week.state is State.NOTHING]
    unknown = [week.number for week in shown if week.state is State.NOT_ASKED]
    return [
        *([work.text("course.weeks.no_answer", weeks=ranges(silent))] if silent else []),
        *([work.text("course.weeks.nothing", weeks=ranges(nothing))] if nothing else []),
        *([work.text("course.weeks.not_asked", weeks=ranges(unknown))] if unknown else []),
    ]


def ranges(numbers: Sequence[int]) -> str:
    """Return rising numbers as one reads them: "1, 3–5"."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}–{part[-1]}" for part in parts)


# The picture


def _picture(work: Work, subject: Subject, shown: Sequence[Week], happened: Sequence[AdverseEvent]) -> dict[str, Any]:
    locale = work.caller.locale
    scored = {row.id for row in work.protocol.course.rows if row.scores}
    marks = {mark for week in shown for cell in week.cells.values() for mark in [_mark(cell)]}
    marks |= {str(week.checkin) for week in shown}
    said = {str(level): work.text(f"course.level.{level}") for level in list(Urgency)[::-1]}
    said |= {str(state): work.text(f"course.state.{state}") for state in LEGEND}
    bars = []
    for event in happened[-MOST_EVENTS:]:
        first = next(number for number, week in enumerate(shown) if event.onset_on <= week.sunday)
        over = [number for number, week in enumerate(shown) if event.end_on and event.end_on >= week.monday]
        last = max(over) if event.end_on else len(shown) - 1
        bars.append(
            {
                "name": events.name_of(work, event),
                "first": first,
                "last": max(first, last),
                "goes_on": event.end_on is None or event.end_on > shown[-1].sunday,
                "grade": "?" if event.grade is None else str(event.grade),
            }
        )
    return {
        "kind": "course",
        "title": work.text("course.picture.title", code=subject.code),
        "subtitle": _named(work, shown),
        "headline": _headline(work, shown),
        "weeks": [[week.number, work.texts.month(week.sunday, locale)] for week in shown],
        "week": work.text("course.picture.week"),
        "checkin": [work.text("course.picture.checkin"), [str(week.checkin) for week in shown]],
        "rows": [
            {
                "name": work.text(row.name),
                "marks": [_mark(week.cells[row.id]) for week in shown],
                "scores": [week.cells[row.id].score for week in shown] if row.id in scored else None,
            }
            for row in work.protocol.course.rows
        ],
        "score": work.text("course.picture.score"),
        "events": bars,
        "events_title": work.text("course.picture.events"),
        "legend": {mark: text for mark, text in said.items() if mark in marks},
        "score_legend": work.text("course.picture.score_legend"),
    }


def _mark(cell: Cell) -> str:
    if cell.state is State.REPORTED and cell.urgency is not None:
        return str(cell.urgency)
    # A score alone has its own line; no rule calls it urgent.
    return str(Urgency.GREEN if cell.state is State.REPORTED else cell.state)
