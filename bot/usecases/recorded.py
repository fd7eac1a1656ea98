"""What was recorded about visits: one with all its versions, all of a subject, all that deviate?"""

from datetime import date
from typing import Any

from bot.domain.roles import CLINICAL
from bot.store import audit, visits
from bot.store.models import Subject, Visit, VisitRecord
from bot.usecases import cases, owning, reasons, screens
from bot.usecases.visit_names import named, short
from bot.work import Button, Day, Lines, Text, Work


def show(work: Work, args: dict[str, Any]) -> None:
    """Show one recorded visit with every version: what, when, who, from where, why."""
    visit = work.session.get_one(Visit, args["visit"])
    subject = work.session.get_one(Subject, visit.subject_id)
    audit.record(work.session, "visit.viewed", entity="visit", entity_id=visit.id)
    versions = visits.records_of(work.session, visit.id or 0)
    if not versions:
        work.answer("visit.recorded.none", code=subject.code)
        return
    newest = versions[-1]
    rows: list[list[Button]] = []
    if work.caller.role in CLINICAL:
        target = {"visit": visit.id, "record": newest.version}
        rows.append([Button("visit.button.correct", "visit.correct", target)])
        if newest.deviation and newest.reason is None:
            rows.append([Button("visit.button.explain", "visit.explain", target)])
    rows.append(screens.back_to(subject))
    work.answer(
        "visit.recorded.card",
        rows,
        code=subject.code,
        what=named(visit),
        day=Day(visit.target_on),
        versions=Lines([_version(work, each) for each in reversed(versions)], between="\n\n"),
    )


def show_all(work: Work, args: dict[str, Any]) -> None:
    """List the recorded visits of a subject, the newest day first."""
    subject = work.session.get_one(Subject, args["subject"])
    page = int(args.get("page", 0))
    count = visits.count_recorded(work.session, subject)
    back = screens.back_to(subject)
    if not count:
        work.answer("visit.recorded.none", [back], code=subject.code)
        return
    audit.record(work.session, "visits.listed", entity="subject", entity_id=subject.id, page=page)
    rows = []
    for visit, record in visits.recorded(work.session, subject, page * cases.PER_PAGE, cases.PER_PAGE):
        label = work.text(
            "visit.recorded.row",
            day=work.texts.short_day(_day(visit, record), work.caller.locale),
            what=short(work, visit),
            outcome=work.text(f"visit.outcome.{record.outcome}"),
            flag="⚠️" if record.deviation else "",
        )
        rows.append([Button(label, "visit.recorded", {"visit": visit.id}, plain=True)])
    rows += cases.pager("visit.recorded_list", page, count, subject=subject.id)
    rows.append(back)
    work.answer("visit.recorded.title", rows, code=subject.code, n=count)


def show_deviations(work: Work, page: int = 0) -> None:
    """List every recorded visit that deviates, the important ones first, then the newest."""
    count, important = visits.count_deviations(work.session)
    if not count:
        work.answer("deviations.none")
        return
    audit.record(work.session, "deviations.listed", page=page)
    lines: list[Text | Day | str] = []
    rows = []
    for record, visit, subject in visits.deviations(work.session, page * cases.PER_PAGE, cases.PER_PAGE):
        found = visits.deviations_in(record)
        lines.append(
            Text(
                "deviations.line",
                {
                    "flag": "❗️" if found[0].is_important else "•",
                    "code": subject.code,
                    "what": named(visit),
                    "day": Day(_day(visit, record), "full_day"),
                    "deviations": Lines([Text(f"deviation.{each}") for each in found], between="; "),
                    "reason": reasons.shown(record.reason),
                    "by": owning.by_whom(work, record.recorded_by),
                },
            )
        )
        label = work.text(
            "deviations.row",
            code=subject.code,
            what=short(work, visit),
            day=work.texts.short_day(_day(visit, record), work.caller.locale),
        )
        rows.append([Button(label, "visit.recorded", {"visit": visit.id}, plain=True)])
    rows += cases.pager("deviations.page", page, count)
    work.answer("deviations.title", rows, n=count, important=important, lines=Lines(lines, between="\n\n"))


def _day(visit: Visit, record: VisitRecord) -> date:
    return record.held_on or visit.target_on


def _version(work: Work, record: VisitRecord) -> Text:
    values: dict[str, object] = {
        "version": record.version,
        "outcome": Text(f"visit.outcome.{record.outcome}"),
        "day": Day(record.held_on, "full_day") if record.held_on else "—",
        "source": Text(f"visit.source.{record.source}"),
        "by": owning.by_whom(work, record.recorded_by),
        "at": work.texts.moment(record.recorded_at, work.settings.zone, work.caller.locale),
        "reason": reasons.shown(record.reason),
    }
    found = visits.deviations_in(record)
    lines: list[Text | Day | str] = [Text(f"deviation.{each}") for each in found]
    values["deviations"] = Lines(lines, between="; ") if lines else Text("form.none")
    return Text("visit.recorded.version", values)
