"""What happens with a measured value: it is kept, judged, and a case follows where a rule says so."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlmodel import col, select

from bot.domain.conditions import Facts
from bot.domain.judging import (
    PLATELETS,
    STRICTEST_PLACE,
    UNKNOWN,
    Circumstances,
    Taken,
    count_to_rely_on,
    depends_on_signs,
    judge,
)
from bot.domain.measures import TEMPERATURE, WEIGHT, Doubt, Giver, Value
from bot.domain.triage import TriageDecision
from bot.domain.urgency import Urgency, highest
from bot.store import measurements as stored
from bot.store.models import Measurement, Response, Subject
from bot.store.models import Weight as WeightRow
from bot.texts import number
from bot.usecases import dose_reviews, escalate, owning, reasons, screens
from bot.usecases.values import shown as shown
from bot.usecases.values import value_of as value_of
from bot.work import Day, Text, Work

READING = "reading:"  # how the source of a reading begins that a patient gave
COUNTS = ("plt", "anc")


def facts(work: Work, subject: Subject) -> Facts:
    """Return what rules may rely on: a verified count while it is recent enough, else unknown (the worst case)."""
    days = work.protocol.measures.counts_good_for_days
    found = stored.verified(work.session, subject.id or 0, COUNTS, work.today - timedelta(days=days))
    return Facts(
        arm=subject.arm,
        age_years=screens.age(work, subject),
        **{name: _reliable([row for row in found if row.measure == name], work.today, days) for name in COUNTS},
    )


def _reliable(rows: Sequence[Measurement], today: date, days: int) -> float | None:
    # After platelets were given, a count says little of the days that follow.
    if rows and PLATELETS in (rows[-1].transfused or "").split(stored.DIVIDER):
        return None
    return count_to_rely_on([_taken(row) for row in rows], today, days)


def _taken(row: Measurement) -> Taken:
    return Taken(row.taken_on, value_of(row).bound)


def keep(
    work: Work,
    subject: Subject,
    values: Sequence[Value],
    *,
    source: str,
    said: str,
    taken_on: date,
    taken_at: datetime | None = None,
    place: str | None = None,
    transfused: str | None = None,
    evidence_id: int | None = None,
) -> list[Measurement]:
    """Keep values that belong together, as they were given; those of staff are verified."""
    occasion = secrets.token_hex(8)
    rows = [
        Measurement(
            subject_id=subject.id or 0,
            occasion=occasion,
            measure=value.measure,
            value=value.value,
            sign=value.sign,
            unit=value.unit,
            said=said,
            doubt=value.doubt,
            place=place,
            transfused=transfused,
            taken_on=taken_on,
            taken_at=taken_at,
            source=source,
            evidence_id=evidence_id,
            verified=source != stored.PATIENT,
            entered_at=work.now,
            entered_by=work.caller.label,
        )
        for value in values
    ]
    work.session.add_all(rows)
    work.session.flush()
    _keep_weight(work, subject, rows)
    return rows


def _keep_weight(work: Work, subject: Subject, rows: Sequence[Measurement]) -> None:
    """Let the subject's weight follow what staff verified."""
    for row in rows:
        if row.measure == WEIGHT and row.verified and not row.void:
            work.session.add(
                WeightRow(
                    subject_id=subject.id or 0,
                    kg=row.value,
                    measured_on=row.taken_on,
                    recorded_at=work.now,
                    recorded_by=work.caller.label,
                )
            )
            work.session.flush()


def with_change(work: Work, subject: Subject, value: Value) -> Value:
    """Return the value with its doubt if it is a weight far from the last one."""
    if value.measure != WEIGHT:
        return value
    last = work.session.exec(
        select(WeightRow).where(WeightRow.subject_id == subject.id).order_by(col(WeightRow.id).desc())
    ).first()
    percent = Decimal(str(work.protocol.entry.weight_confirm_change_percent))
    if last is None or abs(value.value - last.kg) * 100 <= last.kg * percent:
        return value
    return replace(value, doubt=value.doubt if value.doubt is Doubt.UNIT else Doubt.CHANGED)


# How urgent


def circumstances(work: Work, subject: Subject, rows: Sequence[Measurement]) -> Circumstances:
    """Return what counts beside these values: what was reported, measured and given before."""
    trial, occasion = work.protocol.measures, rows[0].occasion
    since = work.now - timedelta(hours=trial.signs_hours)
    others = [
        row
        for row in stored.entered_between(work.session, subject.id or 0, since, work.now)
        if row.occasion != occasion
    ]
    earlier = [
        row
        for row in stored.verified(work.session, subject.id or 0, {row.measure for row in rows})
        if row.occasion != occasion
    ]
    at = rows[0].taken_at
    again: dict[str, float] = {}
    if at is not None:
        first = at - timedelta(minutes=trial.again_minutes.at_most)
        last = at - timedelta(minutes=trial.again_minutes.at_least)
        for row in others:
            if row.taken_at is not None and first <= row.taken_at <= last:
                again[row.measure] = max(float(row.value), again.get(row.measure, float(row.value)))
    return Circumstances(
        facts=facts(work, subject),
        earlier={row.measure: [_taken(each) for each in earlier if each.measure == row.measure] for row in rows},
        again=again,
        signs=trial.signs_in(_reported(work, subject, since, others)),
        transfused=tuple((rows[0].transfused or UNKNOWN).split(stored.DIVIDER)),
        place=rows[0].place or STRICTEST_PLACE,
    )


def _reported(work: Work, subject: Subject, since: datetime, others: Sequence[Measurement]) -> list[str]:
    """Return the rules that fired lately: in the open case, in reports, in other readings."""
    case = escalate.open_case(work, subject)
    reports = work.session.exec(
        select(Response).where(Response.subject_id == subject.id, col(Response.submitted_at) >= since)
    ).all()
    return [
        *(case.because if case is not None else ()),
        *(rule for report in reports for rule in report.because),
        *(rule for row in others for rule in row.because),
    ]


def decide(
    work: Work, rows: Sequence[Measurement], known: Circumstances, signs: Collection[str] = ()
) -> list[TriageDecision]:
    """Return the decision on each value, with these signs besides those known."""
    trial = work.protocol.measures
    beside = replace(known, signs=known.signs | set(signs))
    return [
        judge(trial.by_id[row.measure], value_of(row), row.taken_on, beside, trial.rules, work.protocol.triage_rules)
        for row in rows
    ]


def asks_for_signs(work: Work, rows: Sequence[Measurement], known: Circumstances) -> bool:
    """Return whether one of the values would be more urgent if the patient felt unwell."""
    trial = work.protocol.measures
    return any(
        depends_on_signs(
            trial.by_id[row.measure], value_of(row), row.taken_on, known, trial.rules, work.protocol.triage_rules
        )
        for row in rows
    )


def most_urgent(decisions: Sequence[TriageDecision]) -> TriageDecision:
    """Return the decision that is acted on: the first of the highest."""
    return max(decisions, key=lambda decision: decision.urgency.rank)


def settle(work: Work, rows: Sequence[Measurement], decisions: Sequence[TriageDecision]) -> None:
    """Write down how each value was judged."""
    for row, decision in zip(rows, decisions, strict=True):
        row.urgency, row.because, row.judged_at = decision.urgency, list(decision.because), work.now
    work.session.flush()


def follow(work: Work, subject: Subject, rows: Sequence[Measurement], *more: Text) -> bool:
    """Open a case with what was judged, or add to the open one, if it is urgent enough; tell whether it was."""
    opened = dose_reviews.after_values(work, subject, rows)
    # What was drawn so long ago that it does not stand for today is flagged, and alarms nobody.
    oldest = work.today - timedelta(days=work.protocol.measures.counts_good_for_days)
    given = [row for row in rows if not row.void and row.taken_on >= oldest]
    urgency = highest(Urgency(row.urgency) for row in given if row.urgency)
    giver = Giver.PATIENT if any(row.source == stored.PATIENT for row in rows) else Giver.STAFF
    judged = bool(given) and urgency.rank >= work.protocol.measures.case_needs(giver).rank
    if not judged and not opened:
        return False
    because = list(dict.fromkeys(rule for row in given for rule in row.because)) if judged else []
    # One case for what was measured and for the question that it opens: nobody is alarmed twice.
    case = escalate.raise_case(
        work,
        subject,
        highest([*([urgency] if judged else []), *(dose_reviews.urgency_of(work, each) for each in opened)]),
        because or dose_reviews.because_of(opened),
        [*lines(work, given), *more, *(dose_reviews.line(work, each) for each in opened)],
        source=source_of(work, rows[0]),
    )
    dose_reviews.link(work, opened, case)
    return True


def source_of(work: Work, row: Measurement) -> str:
    """Return the name under which a case knows what these values told; it stays when they are corrected."""
    first = stored.versions(work.session, row.occasion, row.measure)[0]
    return f"{READING if first.source == stored.PATIENT else escalate.BY_STAFF}{row.occasion}"


# Corrections


def correct(work: Work, subject: Subject, old: Measurement, value: Value | None, reason: str, said: str) -> None:
    """Keep a further version of a value, verified by who corrects it; without a value it is taken out.

    What the earlier version raised is withdrawn visibly in the case, which a person closes.
    """
    reasons.because(work, reason)
    new = _version(work, old, value, reason, said)
    _keep_weight(work, subject, [new])
    if not new.void:
        settle(work, [new], decide(work, [new], circumstances(work, subject, [new])))
    source = source_of(work, new)
    gone = dose_reviews.withdraw_after(work, subject, new)
    _say_corrected(work, subject, old, new, source, [dose_reviews.withdrawn_line(work, each) for each, _, _ in gone])
    dose_reviews.tell_withdrawn(work, gone)


def _say_corrected(
    work: Work, subject: Subject, old: Measurement, new: Measurement, source: str, gone: Sequence[Text]
) -> None:
    case = escalate.told_by(work, subject, source)
    values: dict[str, object] = {
        "what": Text(f"measure.name.{new.measure}"),
        "old": shown(work, value_of(old)),
        "new": Text("measure.taken_out") if new.void else shown(work, value_of(new)),
        "name": owning.by_whom(work, work.caller.label),
    }
    if case is not None:
        escalate.step(work, case, "value corrected", f"{values['old']} -> {number(new.value)}")
        rows = stored.of_occasion(work.session, new.occasion)
        if follow(work, subject, rows, Text("measure.line.corrected", values), *gone):
            fell = Urgency(new.urgency or Urgency.GREEN).rank < Urgency(old.urgency or Urgency.GREEN).rank
            if fell and not Urgency(new.urgency or Urgency.GREEN).is_red and case.acknowledged_by_id is None:
                # What is less urgent pages nobody by itself, but who was paged for the old value has to know.
                escalate.tell_paged(work, case)
            return
        left = [*lines(work, [row for row in rows if not row.void]), Text("measure.line.withdrawn", values), *gone]
        escalate.tell_anew(work, case, left, source)
    else:
        follow(work, subject, [new], Text("measure.line.corrected", values), *gone)


def verify(work: Work, old: Measurement) -> None:
    """Let staff confirm what a patient read: a further version with the same value, verified."""
    new = _version(work, old, value_of(old), None, old.said)
    new.urgency, new.because, new.judged_at = old.urgency, old.because, old.judged_at
    work.session.flush()
    subject = work.session.get_one(Subject, old.subject_id)
    _keep_weight(work, subject, [new])
    dose_reviews.raise_own(work, subject, dose_reviews.after_values(work, subject, [new]))


def take_back(work: Work, rows: Sequence[Measurement]) -> None:
    """Take out what a patient says was read wrongly; the first words stay as they are."""
    for row in rows:
        _version(work, row, None, None, row.said, source=row.source)


def _version(
    work: Work, old: Measurement, value: Value | None, reason: str | None, said: str, source: str = stored.STAFF
) -> Measurement:
    given = old.model_dump(exclude={"id", "urgency", "because", "judged_at"})
    given |= {
        "version": old.version + 1,
        "source": source,
        "verified": source != stored.PATIENT,
        "void": value is None,
        "reason": reason,
        "said": said,
        "entered_at": work.now,
        "entered_by": work.caller.label,
    }
    if value is not None:
        given |= {"value": value.value, "sign": value.sign, "unit": value.unit, "doubt": value.doubt}
    new = Measurement(**given)
    work.session.add(new)
    work.session.flush()
    return new


# Words


def lines(work: Work, rows: Sequence[Measurement]) -> list[Text]:
    """Return values for staff, a line each: what, when, how urgent, who says so."""
    found = []
    for row in rows:
        value: str | Text = shown(work, value_of(row))
        if row.doubt and row.source == stored.PATIENT:
            value = Text("measure.read_as", {"said": row.said, "value": value})
        values: dict[str, object] = {
            "mark": mark(row),
            "what": Text(f"measure.name.{row.measure}"),
            "value": _at_place(row.place, value) if row.measure == TEMPERATURE and row.place else value,
            "day": Day(row.taken_on, "short_day"),
            "by": Text("measure.verified" if row.verified else "measure.unverified"),
        }
        found.append(Text("measure.line", values))
    return found


def _at_place(place: str, value: str | Text) -> Text:
    return Text("measure.at_place", {"value": value, "place": Text(f"measure.place.{place}")})


def mark(row: Measurement) -> str:
    """Return the sign of how urgent a value is; none for one that no rule speaks of."""
    if row.void:
        return "✖"
    urgency = Urgency(row.urgency or Urgency.GREEN)
    return {Urgency.GREEN: "▫️", Urgency.YELLOW: "🟡", Urgency.AMBER: "🟠"}.get(urgency, "🔴")
