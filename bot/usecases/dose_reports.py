"""What was said of a day's tablets is kept as versions; which of it was told to staff, and is it corrected?"""

import json
from collections.abc import Sequence
from datetime import date

from sqlmodel import select

from bot.domain.adherence import DoseStatus
from bot.domain.escalation import CaseState
from bot.domain.urgency import Urgency, highest
from bot.protocol.model import Choice
from bot.store.models import DoseReport, Escalation, Subject
from bot.usecases import dose_days, dose_reviews, escalate
from bot.work import Day, Lines, Text, Work

DAILY, WEEKLY = "daily", "weekly"
OWN_WORDS = "OTHER"


def keep(
    work: Work,
    subject: Subject,
    day: date,
    status: str,
    reasons: Sequence[str] = (),
    said: str | None = None,
    source: str = DAILY,
) -> DoseReport:
    """Write down what was said about a day, as a new version; the earlier ones stay (DI-03)."""
    before = dose_days.latest_report(work.session, subject, day)
    report = DoseReport(
        subject_id=subject.id or 0,
        day_on=day,
        version=before.version + 1 if before else 1,
        status=status,
        reasons=list(reasons),
        source=source,
        said=said,
        reported_at=work.now,
        reported_by=work.caller.label,
    )
    work.session.add(report)
    work.session.flush()
    if status in (DoseStatus.TAKEN, DoseStatus.PARTLY):
        dose_reviews.taken_without_order(work, subject, day)
    return report


def before(work: Work, report: DoseReport) -> DoseReport | None:
    """Return the version of a day that a report takes the place of."""
    return work.session.exec(
        select(DoseReport).where(
            DoseReport.subject_id == report.subject_id,
            DoseReport.day_on == report.day_on,
            DoseReport.version == report.version - 1,
        )
    ).first()


def choices(work: Work, codes: Sequence[str]) -> list[Choice]:
    """Return the reasons of these codes, in the order of the protocol; one that it no longer has is left out."""
    return [reason for reason in work.protocol.skip_reasons if reason.code in codes]


def told(work: Work, report: DoseReport | None) -> list[Choice]:
    """Return the reasons of a report that staff were told of."""
    return [] if report is None else [each for each in choices(work, report.reasons) if each.tell_staff is not None]


def shown(work: Work, report: DoseReport) -> Lines:
    """Return what was said of a day: what became of the tablets, and why."""
    why = [Text(reason.text) for reason in choices(work, report.reasons)]
    return Lines([Text(f"tablets.status.{report.status}"), *why], between=" · ")


def tell_staff(work: Work, subject: Subject, reports: Sequence[DoseReport]) -> None:
    """Make reasons that staff hear of a case, or let them say more in the one that is open; a correction says so.

    ``reports`` are versions of different days that were given together, for the same reasons.
    """
    first = reports[0]
    replaced = [
        (each, old) for each in reports if (old := before(work, each)) is not None and old.status != dose_days.NOT_YET
    ]
    # Staff read what a day was before where they were told of it then, or are told of it now.
    corrected = [
        Text(
            "request.tablets.corrected", {"day": Day(new.day_on), "before": shown(work, old), "now": shown(work, new)}
        )
        for new, old in replaced
        if told(work, old) or told(work, new)
    ]
    because = told(work, first)
    if because:
        lines = [*_lines(work, reports), *corrected]
        if any(reason.shows_order for reason in because):
            lines.append(Text("request.tablets.call"))
        _raise(
            work,
            subject,
            because,
            lines,
            f"{escalate.OF_TABLETS}{','.join(each.day_on.isoformat() for each in reports)}",
        )
    elif corrected:
        for case in _cases_of(work, subject, [new.day_on for new, _ in replaced]):
            escalate.tell_anew(work, case, corrected, f"{escalate.OF_TABLETS}corrected:{first.id}")


def _lines(work: Work, reports: Sequence[DoseReport]) -> list[Text]:
    """Return what staff read of days that were missed, and of days on which a part was taken."""
    first = reports[0]
    why = Lines([Text(reason.text) for reason in choices(work, first.reasons)], between=", ")
    said = escalate.cut(first.said) if first.said else "—"
    lines = []
    if missed := [Day(each.day_on) for each in reports if each.status == DoseStatus.NOT_TAKEN]:
        days = Lines(missed, between=", ")
        lines.append(Text("request.tablets", {"day": days, "reason": why, "said": said}))
    if partly := [Day(each.day_on) for each in reports if each.status == DoseStatus.PARTLY]:
        days = Lines(partly, between=", ")
        lines.append(Text("request.tablets.partly", {"day": days, "reason": why, "said": said}))
    return lines


def _raise(work: Work, subject: Subject, because: Sequence[Choice], lines: list[Text], source: str) -> None:
    urgency = highest(reason.tell_staff for reason in because if reason.tell_staff is not None)
    rules = [f"tablets.{reason.code}" for reason in because]
    raise_about_tablets(work, subject, urgency, rules, lines, source)


def raise_about_tablets(
    work: Work, subject: Subject, urgency: Urgency, because: Sequence[str], lines: Sequence[Text], source: str = ""
) -> None:
    """Tell staff about tablets: amber joins the symptom case, what can wait is one request a subject."""
    if urgency is not Urgency.YELLOW:
        escalate.raise_case(work, subject, urgency, because, lines, source=source)
        return
    for case in _open(work, subject):
        if case.kind == escalate.REQUEST and all(rule.startswith("tablets.") for rule in case.because):
            escalate.add_to_request(work, case, urgency, because, lines, source)
            return
    escalate.raise_case(work, subject, urgency, because, lines, kind=escalate.REQUEST, source=source)


def _cases_of(work: Work, subject: Subject, days: Sequence[date]) -> list[Escalation]:
    """Return the open cases that were told of one of these days."""
    wanted = {day.isoformat() for day in days}
    return [
        case
        for case in _open(work, subject)
        if any(
            wanted & set(each["source"].removeprefix(escalate.OF_TABLETS).split(","))
            for each in json.loads(case.summary)
            if each["source"].startswith(escalate.OF_TABLETS)
        )
    ]


def _open(work: Work, subject: Subject) -> Sequence[Escalation]:
    return work.session.exec(
        select(Escalation)
        .where(Escalation.subject_id == subject.id, Escalation.state != CaseState.RESOLVED)
        .with_for_update()
    ).all()
