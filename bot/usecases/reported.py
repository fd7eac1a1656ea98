"""Which reports of a subject has nobody made an adverse event of, or decided to be none?

What one case was told is one report; a report that led to no case is one by itself. A case that was told
something after the decision comes back.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.urgency import Urgency
from bot.store import adverse_events as stored
from bot.store.models import Escalation, ReportDecision, Response, Subject
from bot.usecases import escalate
from bot.usecases import report as symptoms
from bot.usecases.refusals import ButtonStale
from bot.work import Lines, Work


@dataclass(frozen=True, slots=True)
class Report:
    """Something that a subject reported: where it lies, when it came, how urgent it was, and what was decided."""

    source: str
    received_at: datetime
    urgency: str
    because: tuple[str, ...]
    is_open: bool
    decisions: Sequence[ReportDecision]


def reports(work: Work, subject: Subject) -> list[Report]:
    """Return all reports of a subject, the newest first."""
    decided, told_at = stored.decisions(work.session, subject), stored.last_told(work.session, subject)
    found, in_cases = [], set()
    for case in stored.symptom_cases(work.session, subject):
        in_cases |= {each["source"] for each in json.loads(case.summary)}
        source = f"{stored.CASE}{case.id}"
        given = decided.get(source, [])
        open_ = not given or given[-1].decided_at < told_at.get(case.id or 0, case.opened_at)
        found.append(Report(source, case.opened_at, case.urgency, tuple(case.because), open_, given))
    for response in stored.responses(work.session, subject):
        source = f"{stored.RESPONSE}{response.id}"
        if source in in_cases or (response.urgency == Urgency.GREEN and not response.because):
            continue
        given = decided.get(source, [])
        at = response.submitted_at or response.opened_at
        found.append(Report(source, at, response.urgency or "", tuple(response.because), not given, given))
    return sorted(found, key=lambda each: each.received_at, reverse=True)


def find(work: Work, subject: Subject, source: str) -> Report:
    """Return one report of a subject.

    Raises:
        ButtonStale: this subject has no such report.
    """
    for each in reports(work, subject):
        if each.source == source:
            return each
    raise ButtonStale(source)


def said(work: Work, source: str) -> Lines:
    """Return what was reported, a line each."""
    if (case_id := stored.case_of(source)) is not None:
        return escalate.summary_of(work.session.get_one(Escalation, case_id), whole=True)
    response = work.session.get_one(Response, int(source.removeprefix(stored.RESPONSE)))
    return Lines(symptoms.summary(work, response))


def decide(
    work: Work, subject: Subject, source: str, *, event_number: int | None = None, reason: str | None = None
) -> None:
    """Keep what was decided of a report."""
    work.session.add(
        ReportDecision(
            subject_id=subject.id or 0,
            source=source,
            event_number=event_number,
            reason=reason,
            decided_at=work.now,
            decided_by=work.caller.label,
        )
    )
    work.session.flush()
