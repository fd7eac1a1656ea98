"""What did staff change about a subject after enrolment, who, when and why?"""

from datetime import date
from typing import Any

from sqlmodel import col, func, select

from bot.domain.visits import VisitKind
from bot.store import audit
from bot.store.models import Subject, SubjectChange
from bot.usecases import cases, owning, reasons, screens
from bot.work import Day, Lines, Text, Work

ARM = "arm"
STATE = "state"
RHYTHM = "dose_rhythm"
NO_VISITS = "0"


def keep(
    work: Work,
    subject: Subject,
    what: str,
    old: object | None,
    new: object,
    reason: str,
    *,
    from_on: date | None = None,
    by: str | None = None,
) -> None:
    """Keep one change with its reason, which all audit entries of this work carry as well.

    ``what`` is ARM, STATE, RHYTHM, or the kind of visit whose interval was set. ``by`` is somebody else than
    who acts: the bot, by a rule.
    """
    reasons.because(work, reason)
    work.session.add(
        SubjectChange(
            subject_id=subject.id or 0,
            what=what,
            old=None if old is None else str(old),
            new=str(new),
            from_on=from_on,
            reason=reason,
            changed_at=work.now,
            changed_by=by or work.caller.label,
        )
    )
    work.session.flush()


def count(work: Work, subject: Subject) -> int:
    """Return how many changes are kept of a subject."""
    found = select(func.count()).select_from(SubjectChange).where(SubjectChange.subject_id == subject.id)
    return work.session.exec(found).one()


def show(work: Work, args: dict[str, Any]) -> None:
    """List what was changed about a subject, the newest first."""
    subject = work.session.get_one(Subject, args["subject"])
    page, many = int(args.get("page", 0)), count(work, subject)
    audit.record(work.session, "changes.listed", entity="subject", entity_id=subject.id, page=page)
    found = work.session.exec(
        select(SubjectChange)
        .where(SubjectChange.subject_id == subject.id)
        .order_by(col(SubjectChange.id).desc())
        .offset(page * cases.PER_PAGE)
        .limit(cases.PER_PAGE)
    ).all()
    rows = [*cases.pager("patient.history", page, many, subject=subject.id), screens.back_to(subject)]
    lines = [_line(work, each) for each in found]
    work.answer("history.title", rows, code=subject.code, n=many, lines=Lines(lines, between="\n\n"))


def _line(work: Work, change: SubjectChange) -> Text:
    since = "" if change.from_on is None else Text("history.since", {"day": Day(change.from_on)})
    values: dict[str, object] = {
        "at": work.texts.moment(change.changed_at, work.settings.zone, work.caller.locale),
        "by": owning.by_whom(work, change.changed_by),
        "what": _what(change),
        "old": _shown(work, change.what, change.old),
        "new": _shown(work, change.what, change.new),
        "since": since,
        "reason": reasons.shown(change.reason),
    }
    return Text("history.line", values)


def _what(change: SubjectChange) -> Text:
    if change.what == ARM:
        return Text("history.what.arm")
    if change.what == STATE:
        return Text("history.what.state")
    if change.what == RHYTHM:
        return Text("history.what.rhythm")
    return Text("history.what.interval", {"what": Text(f"visit.short.{change.what}")})


def _shown(work: Work, what: str, value: str | None) -> Text | str:
    match what:
        case "arm":
            # An arm that a later version of the trial no longer has is shown by its code.
            arm = work.protocol.arms.get(value or "")
            return Text(arm.name) if arm is not None else value or "—"
        case "state":
            return Text(f"participation.{value}")
        case "dose_rhythm":
            return Text(f"rhythm.{value}")
        case _ if value is None:
            return Text("history.by_protocol")
        case VisitKind.FERRITIN if value == NO_VISITS:
            return Text("interval.off")
        case _:
            return work.texts.plural("enrol.days", int(value), work.caller.locale)
