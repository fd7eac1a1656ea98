"""Which listings are there, what is in their columns, and how does a record become a row?

A column's name never changes its meaning; a new meaning gets a new name. What a person wrote in their own words
(answers, reasons, notes, names) is not exported: it stays in the source record (clinical-facts 4.3), and `(words)`
says that there is some.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlmodel import col, or_, select

from bot.domain.questionnaires import ItemKind
from bot.exports.source import Source, SubjectRecords
from bot.store.measurements import PATIENT
from bot.store.models import Answer, AuditEntry, AuditSeal, OutboxMessage, StaffMember
from bot.texts import TextMissing, number
from bot.usecases.reasons import CODED

Cells = Sequence[object]
WORDS = "(words)"
BATCH = 1_000
_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True, check_circular=False).encode


@dataclass(frozen=True, slots=True)
class Listing:
    """One table: its columns with their meaning, and its rows for one subject, or of the whole database."""

    name: str
    about: str
    columns: Mapping[str, str]
    of_subject: Callable[[SubjectRecords], Iterable[Cells]] | None = None
    of_all: Callable[[Source], Iterable[Cells]] | None = None


def cell(source: Source, value: object) -> str:
    """Return a value as it stands in a listing: times with their offset, truth as Y or N, lists by spaces."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if type(value) is int:
        return str(value)
    if isinstance(value, bool):
        return "Y" if value else "N"
    if isinstance(value, datetime):
        return source.moment(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return number(value)
    if isinstance(value, list | tuple):
        return " ".join(str(each) for each in value)
    return _json(value) if isinstance(value, dict) else str(value)


def _reason(words: str | None) -> str:
    """Return a reason's code; own words stay in the source record."""
    if words is None:
        return ""
    return words.removeprefix(CODED) if words.startswith(CODED) else WORDS


def _said(source: Source, key: str) -> str:
    """Return the words of a key in the language of the export; empty when there are none."""
    try:
        return " ".join(source.text(key).split())
    except TextMissing:
        return ""


# Subjects and visits


def _subjects(of: SubjectRecords) -> Iterator[Cells]:
    one, source = of.subject, of.source
    arm = source.protocol.arms.get(one.arm)
    yield (
        one.code, one.site, one.arm, _said(source, arm.name) if arm else "", one.arm_since_on, one.locale,
        one.birth_year, one.state, one.state_changed_at, one.closed_on, _reason(one.closed_because), one.timezone,
        one.first_injection_on, one.cbc_interval_days, one.injection_interval_days, one.ferritin_interval_days,
        one.dose_rhythm, one.enrolled_at, one.enrolled_by,
    )  # fmt: skip


def _changes(of: SubjectRecords) -> Iterator[Cells]:
    for each in of.changes:
        if of.source.within(each.changed_at):
            values = (each.what, each.old, each.new, each.from_on, _reason(each.reason))
            yield of.code, each.id, *values, each.changed_at, each.changed_by


def _weights(of: SubjectRecords) -> Iterator[Cells]:
    for each in of.weights:
        if of.source.within(each.measured_on):
            yield of.code, each.id, each.kg, each.measured_on, each.recorded_at, each.recorded_by


def _visits(of: SubjectRecords) -> Iterator[Cells]:
    source = of.source
    for each in of.visits:
        if source.within(each.target_on):
            yield (
                of.code, each.id, each.kind, _said(source, f"visit.kind.{each.kind}"), each.state, each.target_on,
                each.first_on, each.last_on, each.plan_version, each.undecided, each.chosen, each.proposed_on,
                each.reply, each.replied_at, each.replied_by, each.planned_at,
            )  # fmt: skip


def _visit_records(of: SubjectRecords) -> Iterator[Cells]:
    for visit in of.visits:
        versions = of.records.get(visit.id or 0, [])
        for each in versions:
            if of.source.within(each.held_on or visit.target_on):
                yield (
                    of.code, visit.id, each.id, each.version, each is versions[-1], each.outcome, each.held_on,
                    each.source, each.deviation, _reason(each.reason), each.recorded_at, each.recorded_by,
                )  # fmt: skip


# Tablets


def _orders(of: SubjectRecords) -> Iterator[Cells]:
    for each in of.orders:
        # An order that began before the period may hold in it.
        if of.source.period.last_on is None or each.from_on <= of.source.period.last_on:
            yield (
                of.code, each.id, each.formulation, each.strength_mg, each.tablets, each.times_a_day, each.from_on,
                each.until_on, _reason(each.reason), each.ordered_at, each.ordered_by, each.void,
                _reason(each.voided_because),
            )  # fmt: skip


def _dose_changes(of: SubjectRecords) -> Iterator[Cells]:
    for each in of.dose_changes:
        if of.source.within(each.from_on):
            values = (each.what, each.from_on, _reason(each.reason), each.recorded_at, each.recorded_by, each.void)
            yield of.code, each.id, *values, _reason(each.voided_because)


def _dose_days(of: SubjectRecords) -> Iterator[Cells]:
    for day, versions in of.days.items():
        for each in versions:
            if of.source.within(day):
                yield (
                    of.code, each.id, day, each.version, each is versions[-1], each.status, each.reasons, each.source,
                    WORDS if each.said else "", each.reported_at, each.reported_by,
                )  # fmt: skip


def _counts(of: SubjectRecords) -> Iterator[Cells]:
    for versions in of.counts:
        for each in versions:
            if of.source.within(each.counted_on):
                yield (
                    of.code, each.id, each.occasion, each.version, each is versions[-1], each.kind, each.counted_on,
                    each.tablets, each.strength_mg, each.source, each.void, _reason(each.reason), each.recorded_at,
                    each.recorded_by,
                )  # fmt: skip


def _reviews(of: SubjectRecords) -> Iterator[Cells]:
    for each in of.reviews:
        if of.source.within(each.opened_at):
            yield (
                of.code, each.id, each.rule, each.state, each.measurement_id, each.case_id, each.told, each.opened_at,
                each.conclusion, each.closed_at, each.closed_by,
            )  # fmt: skip


# Measured values


def _labs(of: SubjectRecords) -> Iterator[Cells]:
    measures = of.source.protocol.measures.by_id
    for versions in of.values:
        for each in versions:
            if of.source.within(each.taken_on):
                unit = measures[each.measure].unit if each.measure in measures else ""
                yield (
                    of.code, each.id, each.occasion, each.measure, each.version, each is versions[-1], each.sign,
                    each.value, unit, each.taken_on, each.taken_at, each.source, versions[0].source == PATIENT,
                    each.verified, each.void, each.doubt, each.place, each.transfused, each.urgency, each.because,
                    each.judged_at, _reason(each.reason), each.entered_at, each.entered_by,
                )  # fmt: skip


def _releases(of: SubjectRecords) -> Iterator[Cells]:
    for each in of.releases:
        if of.source.within(each.until_on):
            given = (each.until_on, each.released_at, each.released_by, each.withdrawn_at, each.withdrawn_by)
            yield of.code, each.id, *given


# Symptoms and events


def _reports(of: SubjectRecords) -> Iterator[Cells]:
    for each in of.responses:
        if of.source.within(each.opened_at):
            yield (
                of.code, each.id, each.questionnaire, each.questionnaire_version, each.locale, each.reported_by,
                each.opened_at, each.submitted_at, each.urgency, each.because,
            )  # fmt: skip


def _symptoms(of: SubjectRecords) -> Iterator[Cells]:
    for report in of.responses:
        for versions in of.answers.get(report.id or 0, ()):
            for each in versions:
                if of.source.within(each.given_at):
                    kind, value, question, words = answered(of.source, report.questionnaire, each)
                    yield (
                        of.code, report.id, report.questionnaire, each.id, each.item, each.version,
                        each is versions[-1], question, kind, value, words, each.said == "", each.correction,
                        each.locale, each.given_at, each.given_by,
                    )  # fmt: skip


def answered(source: Source, questionnaire: str, answer: Answer) -> tuple[str, str, str, str]:
    """Return the kind of a question, the answer's codes, and both in the words of the export's language.

    A question that the protocol no longer has is read by the shape of its answer: a text is words.
    """
    item = source.item(questionnaire, answer.item)
    given: Any = json.loads(answer.value)
    if item is None:
        plain = isinstance(given, bool | int | float)
        return "", cell(source, given) if plain else WORDS, "", ""
    if item.kind is ItemKind.TEXT:
        return item.kind, WORDS, _said(source, item.text), ""
    chosen = given if isinstance(given, list) else [given]
    texts = [_said(source, each.text) for each in item.options if each.id in chosen]
    return item.kind, cell(source, given), _said(source, item.text), "; ".join(texts)


def _events(of: SubjectRecords) -> Iterator[Cells]:
    for versions in of.events.values():
        for each in versions:
            if of.source.within(each.onset_on):
                yield (
                    of.code, each.number, each.version, each is versions[-1], each.what, each.void, each.sources,
                    each.term, each.llt, each.term_zh, WORDS if each.words else "", each.onset_on, each.end_on,
                    each.outcome, each.actions, WORDS if each.treatment else "", each.grade, each.serious,
                    each.criteria, each.relation, each.judged, each.judged_at, each.judged_by, _reason(each.reason),
                    each.recorded_at, each.recorded_by,
                )  # fmt: skip


# Cases and messages


def _cases(of: SubjectRecords) -> Iterator[Cells]:
    for each in of.cases:
        if of.source.within(each.opened_at):
            yield (
                of.code, each.id, each.kind, each.urgency, each.state, each.because, each.visit_id, each.raised_by,
                each.said_at, each.received_at, each.opened_at, each.pages, each.first_page_sent_at,
                each.first_viewed_at, each.first_acknowledged_at, each.acknowledged_by_id, each.read_back_at,
                each.first_contacted_at, each.resolved_at, each.resolved_by_id, each.outcome,
            )  # fmt: skip


def _steps(of: SubjectRecords) -> Iterator[Cells]:
    for case in of.cases:
        for each in of.steps.get(case.id or 0, ()):
            if of.source.within(each.at):
                yield of.code, case.id, each.id, each.what, each.at, each.by, WORDS if each.said else ""


_SENT = (
    OutboxMessage.id, OutboxMessage.account_id, OutboxMessage.subject_id, OutboxMessage.purpose,
    OutboxMessage.about_id, OutboxMessage.lane, OutboxMessage.method, OutboxMessage.text_key, OutboxMessage.locale,
    OutboxMessage.created_at, OutboxMessage.due_at, OutboxMessage.useful_until, OutboxMessage.state,
    OutboxMessage.reason, OutboxMessage.attempts, OutboxMessage.closed_at, OutboxMessage.pressed_at,
)  # fmt: skip


def _messages(of: SubjectRecords) -> Iterator[Cells]:
    source, number_ = of.source, of.subject.id
    # Two columns of the index each, asked for apart: what is about the subject, and what its people were told.
    people = {link.account_id for link in of.links}
    about = or_(
        col(OutboxMessage.subject_id) == number_,
        col(OutboxMessage.subject_id).is_(None) & col(OutboxMessage.account_id).in_(people),
    )
    query: Any = select(*_SENT).where(about).order_by(col(OutboxMessage.id))  # type: ignore[call-overload]
    for row in source.session.exec(query):
        if row.subject_id is None and not _linked(of, row.account_id, row.created_at):
            continue
        if source.within(row.created_at):
            yield (
                of.code, row.id, _reader(of, row.account_id), row.purpose, row.about_id, row.lane, row.method,
                row.text_key, row.locale, row.created_at, row.due_at, row.useful_until, row.state, row.reason,
                row.attempts, row.closed_at, row.pressed_at,
            )  # fmt: skip


def _linked(of: SubjectRecords, account: int, at: datetime) -> bool:
    """Return whether an account spoke for the subject at a time."""
    return any(
        link.account_id == account and link.linked_at <= at and (link.ended_at is None or at <= link.ended_at)
        for link in of.links
    )


def _reader(of: SubjectRecords, account: int) -> str:
    relation = next((link.relation for link in of.links if link.account_id == account), None)
    return f"{relation}:{account}" if relation else of.staff.get(account, f"account:{account}")


# The whole database


def _staff(source: Source) -> Iterator[Cells]:
    for each in source.session.exec(select(StaffMember).order_by(col(StaffMember.id))):
        yield f"staff:{each.id}:{each.role}", each.role, each.granted_at, each.revoked_at


def _entries(source: Source) -> Iterator[Cells]:
    entry = AuditEntry
    columns = (entry.id, entry.at, entry.actor, entry.cause, entry.what, entry.entity, entry.entity_id)
    query: Any = select(*columns, entry.changes, entry.reason).order_by(col(entry.id))  # type: ignore[call-overload]
    for row in source.session.exec(query.execution_options(yield_per=BATCH)):
        if source.within(row.at):
            yield row


def _seals(source: Source) -> Iterator[Cells]:
    for each in source.session.exec(select(AuditSeal).order_by(col(AuditSeal.id))):
        yield each.id, each.up_to_id, each.entries, each.previous, each.hash, each.at


SUBJECT = {"subject": "code of the subject"}
RECORDED = {"recorded_at": "when it was entered", "recorded_by": "by whom"}
VERSION = {"version": "1 is the first; a correction is the next", "counts": "Y: the newest version"}
REASON = {"reason": "code of the reason, `(words)` for own words"}

LISTINGS: tuple[Listing, ...] = (
    Listing(
        "subjects",
        "Everybody who was enrolled, as things stand now; the period leaves nobody out",
        {
            **SUBJECT, "site": "short name of the site", "arm": "code of the arm", "arm_name": "its name",
            "arm_since_on": "when it was changed after enrolment", "language": "in which the bot speaks",
            "birth_year": "year of birth", "state": "participation", "state_changed_at": "since when",
            "closed_on": "last day of the participation", "closed_because": "why, `(words)` for own words",
            "timezone": "of the subject", "first_injection_on": "day of the first injection",
            "cbc_interval_days": "between two blood counts", "injection_interval_days": "between two injections",
            "ferritin_interval_days": "between two ferritin values",
            "dose_rhythm": "how often tablets are asked about",
            "enrolled_at": "when the subject was enrolled in the bot", "enrolled_by": "by whom",
        },
        _subjects,
    ),
    Listing(
        "subject_changes",
        "What staff changed about a subject after enrolment; by the day of the change",
        {
            **SUBJECT, "id": "number of the change", "what": "arm, state, rhythm or the kind of visit",
            "old": "before",
            "new": "after", "from_on": "from which day on", **REASON, "changed_at": "when", "changed_by": "by whom",
        },
        _changes,
    ),
    Listing(
        "weights",
        "Body weights as doses are reckoned from them; by the day of measuring",
        {**SUBJECT, "id": "number of the record", "kg": "weight", "measured_on": "day", **RECORDED},
        _weights,
    ),
    Listing(
        "visits",
        "Planned visits as the plan stands now; by the target day",
        {
            **SUBJECT, "visit": "number of the visit", "kind": "code", "kind_name": "its name",
            "state": "planned, done, missed, not_needed or cancelled", "target_on": "the planned day",
            "first_on": "first day of the window", "last_on": "last day of the window",
            "plan_version": "rises with every move", "undecided": "Y: staff still choose a day",
            "chosen": "Y: staff chose the day", "proposed_on": "the day the patient asks for",
            "reply": "what the patient said to it", "replied_at": "when", "replied_by": "who",
            "planned_at": "when it was planned",
        },
        _visits,
    ),
    Listing(
        "visit_records",
        "What staff recorded about visits, every version; by the day it was held, else the target day",
        {
            **SUBJECT, "visit": "number of the visit", "id": "number of the record", **VERSION,
            "outcome": "done, missed or not_needed", "held_on": "the day",
            "source": "clinic, phone, patient or paper",
            "deviation": "from the protocol, the gravest first, + between several", **REASON, **RECORDED,
        },
        _visit_records,
    ),
    Listing(
        "dose_orders",
        "Deferasirox as it was ordered; orders given before the end of the period",
        {
            **SUBJECT, "id": "number of the order", "formulation": "dispersible, film_coated or granules",
            "strength_mg": "of a tablet", "tablets": "at a time", "times_a_day": "how often", "from_on": "first day",
            "until_on": "last day, empty: until changed", **REASON, "ordered_at": "when",
            "ordered_by": "who entered it",
            "void": "Y: entered by mistake", "voided_because": "why",
        },
        _orders,
    ),
    Listing(
        "dose_changes",
        "Holds, resumptions and stops; by their first day",
        {
            **SUBJECT, "id": "number of the change", "what": "hold, resume or stop", "from_on": "first day", **REASON,
            **RECORDED, "void": "Y: entered by mistake", "voided_because": "why",
        },
        _dose_changes,
    ),
    Listing(
        "dose_days",
        "What was said of each day's tablets, every version; a day without a row was not answered",
        {
            **SUBJECT, "id": "number of the report", "day_on": "the day", **VERSION,
            "status": "taken, partly, not_taken, not_yet", "reasons": "codes of the reasons",
            "source": "daily, weekly or staff: which question it answers", "said": "`(words)`: own words are kept",
            "reported_at": "when", "reported_by": "by whom",
        },
        _dose_days,
    ),
    Listing(
        "tablet_counts",
        "Tablets given out, brought back, or counted at home, every version; by the day of counting",
        {
            **SUBJECT, "id": "number of the record", "occasion": "what the versions of one count share", **VERSION,
            "kind": "dispensed, returned or at_home", "counted_on": "day", "tablets": "how many",
            "strength_mg": "of a tablet", "source": "staff or patient", "void": "Y: taken out", **REASON, **RECORDED,
        },
        _counts,
    ),
    Listing(
        "dose_reviews",
        "Questions to an investigator about a dose; by the day on which they were opened",
        {
            **SUBJECT, "id": "number of the review", "rule": "which rule opened it",
            "state": "open, concluded or withdrawn", "measurement": "number of the value it rests on",
            "case": "number of its case", "told": "who was told", "opened_at": "when",
            "conclusion": "code of the conclusion", "closed_at": "when", "closed_by": "by whom",
        },
        _reviews,
    ),
    Listing(
        "labs",
        "Measured values (laboratory and signs), every version; by the day on which they were taken",
        {
            **SUBJECT, "id": "number of the record", "occasion": "what values entered together share",
            "measure": "what was measured", **VERSION, "sign": "< or > where only a bound is known",
            "value": "in the unit", "unit": "of the measure", "taken_on": "day",
            "taken_at": "time, where it is known",
            "source": "of this version: patient, slip or staff", "read_by_patient": "Y: first read by the patient",
            "verified": "Y: by staff", "void": "Y: taken out", "doubt": "why it was asked back",
            "place": "of a temperature", "transfused": "before the blood was drawn",
            "urgency": "as the rules judged it",
            "because": "by which rules", "judged_at": "when", **REASON, "entered_at": "when it was entered",
            "entered_by": "by whom",
        },
        _labs,
    ),
    Listing(
        "lab_releases",
        "Up to which day patients may see their blood values; by that day",
        {
            **SUBJECT, "id": "number of the release", "until_on": "values drawn up to this day",
            "released_at": "when",
            "released_by": "by whom", "withdrawn_at": "when it was taken back", "withdrawn_by": "by whom",
        },
        _releases,
    ),
    Listing(
        "reports",
        "Each filling-in of a questionnaire; by the day on which it was begun",
        {
            **SUBJECT, "report": "number of the report", "questionnaire": "which one",
            "questionnaire_version": "of it",
            "language": "in which it was asked", "reported_by": "patient or caregiver",
            "opened_at": "when it was begun",
            "submitted_at": "when it was handed in, empty: never", "urgency": "as the rules judged it",
            "because": "by which rules",
        },
        _reports,
    ),
    Listing(
        "symptoms",
        "Answers to the questions, every version; by the day of the answer",
        {
            **SUBJECT, "report": "number of the report", "questionnaire": "which one", "id": "number of the answer",
            "item": "code of the question", **VERSION, "question": "its words", "kind": "how it is answered",
            "answer": "codes or number; `(words)` for own words", "answer_words": "the chosen options in words",
            "derived": "Y: not asked, it follows from another answer",
            "correction": "Y: given after the report was handed in", "language": "in which it was asked",
            "given_at": "when", "given_by": "by whom",
        },
        _symptoms,
    ),
    Listing(
        "adverse_events",
        "What staff made of reports, every version; by the day of onset",
        {
            **SUBJECT, "number": "of the event, within the subject", **VERSION,
            "what": "drafted, corrected, judged or voided", "void": "Y: no event",
            "sources": "cases and reports it was made from", "term": "CTCAE v5.0", "llt": "MedDRA code printed there",
            "term_zh": "the term in Chinese", "words": "`(words)`: named in own words", "onset_on": "first day",
            "end_on": "last day, empty: it goes on", "outcome": "code", "actions": "by study medicine",
            "treatment": "`(words)`: what was given is kept", "grade": "by the investigator, CTCAE 1-5",
            "serious": "by the investigator", "criteria": "why it is serious", "relation": "by study medicine",
            "judged": "Y: the judgement is about the facts of this version", "judged_at": "when",
            "judged_by": "by whom",
            **REASON, **RECORDED,
        },
        _events,
    ),
    Listing(
        "cases",
        "Cases that a person had to take over; by the day on which they were opened",
        {
            **SUBJECT, "case": "number of the case", "kind": "symptom or request", "urgency": "code", "state": "code",
            "because": "which rules raised it", "visit": "number of the visit it is about", "raised_by": "by whom",
            "said_at": "when the person wrote it", "received_at": "when the bot had it", "opened_at": "when",
            "pages": "how many", "first_page_sent_at": "when", "first_viewed_at": "when a person first looked",
            "first_acknowledged_at": "when somebody took it over", "acknowledged_by_staff": "number of who has it",
            "read_back_at": "when they said what they do", "first_contacted_at": "when the subject was reached",
            "resolved_at": "when it was closed", "resolved_by_staff": "number of who closed it", "outcome": "code",
        },
        _cases,
    ),
    Listing(
        "case_steps",
        "What happened to each case; by the day of the step",
        {
            **SUBJECT, "case": "number of the case", "id": "number of the step", "what": "code", "at": "when",
            "by": "by whom", "said": "`(words)`: more is kept in the record",
        },
        _steps,
    ),
    Listing(
        "messages",
        "What the bot sent to a subject's people, and to staff about the subject; by the day it was made",
        {
            **SUBJECT, "id": "number of the message", "to": "patient, caregiver or staff, with a number",
            "purpose": "what it is for", "about": "number of what it is about", "lane": "0 is the most urgent",
            "method": "send, edit, picture, document, file or commands", "text_key": "which text",
            "language": "of the text", "created_at": "when it was made", "due_at": "not before",
            "useful_until": "not after", "state": "waiting, sending, sent, failed, unsure or skipped",
            "why": "why it is in this state", "attempts": "how many", "closed_at": "when it came into this state",
            "pressed_at": "when a button of it was pressed",
        },
        _messages,
    ),
    Listing(
        "staff",
        "Who the labels of authors stand for; no names",
        {"label": "as records name them", "role": "code", "granted_at": "since when", "revoked_at": "until when"},
        of_all=_staff,
    ),
)  # fmt: skip

# What makes the copy a certified one; a file in the chat goes without.
AUDIT: tuple[Listing, ...] = (
    Listing(
        "audit_trail",
        "Who changed or looked at what; by the day of the entry",
        {
            "id": "number of the entry", "at": "when", "actor": "who", "cause": "update, job or command",
            "what": "code",
            "entity": "table", "entity_id": "number in it", "changes": "column: [before, after]; words are sealed",
            "reason": "code, or sealed",
        },
        of_all=_entries,
    ),
    Listing(
        "audit_seals",
        "The chain of hashes over the audit trail, whole",
        {
            "id": "number of the seal", "up_to_id": "last entry it covers", "entries": "how many", "previous": "hash",
            "hash": "of this seal", "at": "when",
        },
        of_all=_seals,
    ),
)  # fmt: skip
