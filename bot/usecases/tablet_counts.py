"""How do staff enter, look at and correct counts of tablets, and what do counts say beside the reports?

A gap between count and report is a line for staff, never a reproach and never a message to the patient.
"""

import secrets
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from bot.domain.adherence import DoseStatus, whole_percent
from bot.domain.dosing import standing
from bot.domain.parsing import Reading, Unreadable, parse_whole_number, plain
from bot.domain.roles import CLINICAL
from bot.domain.tablet_counts import (
    CannotSay,
    Count,
    Counted,
    CountKind,
    OrderedDay,
    Unsaid,
    dispensed_in_year,
    gap,
    most_there,
)
from bot.store import audit
from bot.store import tablet_counts as stored
from bot.store.models import Subject, TabletCount
from bot.texts import number
from bot.usecases import cases, dose_days, form_days, forms, owning, reasons, screens
from bot.usecases.forms import Choice, Field, Form, Values
from bot.work import Button, Day, Lines, Text, Work

OUT = "out"  # the count was never this subject's
DOUBTS = ("twice", "more_than_there", "more_a_year", "none_given")
MOST = 9999  # tablets in one count, as the database keeps them; far fewer are asked back


# What is there


def show(work: Work, subject: Subject, page: int = 0) -> None:
    """List the counts of a subject, the newest day first, and what they say."""
    audit.record(work.session, "counts.listed", entity="subject", entity_id=subject.id, page=page)
    count = stored.count(work.session, subject)
    rows: list[list[Button]] = []
    for row in stored.listed(work.session, subject, page * cases.PER_PAGE, cases.PER_PAGE):
        label = work.text(
            "counts.row",
            mark="✖" if row.void else "",
            day=work.texts.short_day(row.counted_on, work.caller.locale),
            kind=work.text(f"counts.kind.{row.kind}"),
            n=number(row.tablets),
            strength=row.strength_mg,
        )
        rows.append([Button(label.strip(), "counts.open", {"count": row.id}, plain=True)])
    rows += cases.pager("counts.list", page, count, subject=subject.id)
    if work.caller.role in CLINICAL:
        rows.append([Button("counts.button.enter", "counts.enter", {"subject": subject.id})])
    rows.append(screens.back_to(subject))
    work.answer(
        "counts.title" if count else "counts.none",
        rows,
        code=subject.code,
        n=count,
        line=counts_line(work, subject, date.min, work.today),
    )


def show_list(work: Work, args: dict[str, Any]) -> None:
    show(work, work.session.get_one(Subject, args["subject"]), int(args.get("page", 0)))


def open_count(work: Work, args: dict[str, Any]) -> None:
    show_count(work, work.session.get_one(TabletCount, args["count"]).occasion)


def show_count(work: Work, occasion: str) -> None:
    """Show one count with every version: what, when, who, why."""
    versions = stored.versions(work.session, occasion)
    newest = versions[-1]
    subject = work.session.get_one(Subject, newest.subject_id)
    audit.record(work.session, "count.viewed", entity="tablet_count", entity_id=newest.id)
    rows: list[list[Button]] = []
    if work.caller.role in CLINICAL and not newest.void:
        rows.append([Button("counts.button.correct", "counts.correct", {"count": newest.id})])
    if newest.evidence_id is not None:
        rows.append([Button("counts.button.photo", "evidence.open", {"evidence": newest.evidence_id})])
    rows += [[Button("counts.button.list", "counts.list", {"subject": subject.id})], screens.back_to(subject)]
    work.answer(
        "counts.card",
        rows,
        code=subject.code,
        kind=Text(f"counts.kind.{newest.kind}"),
        day=Day(newest.counted_on, "full_day"),
        strength=newest.strength_mg,
        versions=Lines([_version(work, each) for each in reversed(versions)], between="\n\n"),
    )


def _version(work: Work, row: TabletCount) -> Text:
    values: dict[str, object] = {
        "version": row.version,
        "n": Text("counts.taken_out") if row.void else number(row.tablets),
        "source": Text(f"counts.source.{row.source}"),
        "at": work.texts.moment(row.recorded_at, work.settings.zone, work.caller.locale),
        "by": owning.by_whom(work, row.recorded_by),
        "reason": reasons.shown(row.reason),
    }
    return Text("counts.version", values)


# What it says


def counts_line(work: Work, subject: Subject, first_on: date, last_on: date) -> Lines:
    """Return what counts say of the tablets taken in a period, a line each strength counted; for staff alone.

    ``first_on`` and ``last_on`` are days at the site, both included; the line names the days that it compares.
    """
    lines = [_line(work, strength, found) for strength, found in compared(work, subject, first_on, last_on).items()]
    return Lines(lines or [Text("counts.line.nothing", {"why": Text(f"counts.why.{Unsaid.NOT_COUNTED}")})])


def compared(work: Work, subject: Subject, first_on: date, last_on: date) -> dict[int, Counted | CannotSay]:
    """Return what counts say of a period, by strength in mg, for every strength that was ever counted."""
    rows = stored.counting(work.session, subject)
    if not rows:
        return {}
    ordered = _ordered(work, subject, rows[0].counted_on, max(last_on, rows[0].counted_on))
    return {
        strength: gap(
            counts_of(rows, strength), ordered.get(strength, {}), first_on, last_on, work.protocol.tablets.counts
        )
        for strength in sorted({row.strength_mg for row in rows})
    }


def counts_of(rows: Sequence[TabletCount], strength_mg: int) -> list[Count]:
    """Return the counts of one strength as the rules know them."""
    return [Count(CountKind(row.kind), row.counted_on, row.tablets) for row in rows if row.strength_mg == strength_mg]


def _ordered(work: Work, subject: Subject, first_on: date, last_on: date) -> dict[int, dict[date, OrderedDay]]:
    """Return by strength what was ordered and what is known of each day."""
    orders = dose_days.orders_of(work.session, subject)
    found: dict[int, dict[date, OrderedDay]] = {}
    for day, status in dose_days.statuses(work.session, subject, first_on, last_on).items():
        if status in (DoseStatus.HELD, DoseStatus.NOT_ORDERED):
            continue
        order = standing(orders, (), day).order
        if order is not None:
            units = order.tablets * order.times_a_day
            found.setdefault(order.strength_mg, {})[day] = OrderedDay(units, status)
    return found


def _line(work: Work, strength: int, found: Counted | CannotSay) -> Text | Lines:
    if isinstance(found, CannotSay):
        if found.on is not None:
            return Text("counts.line.more_left", {"strength": strength, "day": Day(found.on, "short_day")})
        return Text("counts.line.cannot", {"strength": strength, "why": Text(f"counts.why.{found.why}")})
    values: dict[str, object] = {
        "strength": strength,
        "first": Day(found.first_on, "short_day"),
        "last": Day(found.last_on, "short_day"),
        "consumed": _units(found.consumed),
        "expected": _units(found.expected),
        "counted": _percent(found.counted_share),
        "reported": _units(found.reported),
        "share": _percent(found.reported_share),
        "unknown": _units(found.unknown),
    }
    lines = [Text("counts.line", values)]
    rule = work.protocol.tablets.counts
    if found.more_than_ordered:
        lines.append(Text("counts.line.more"))
    elif found.stands_out(rule) and found.points is not None:
        above = "above" if found.points > 0 else "below"
        lines.append(Text(f"counts.gap.{above}", {"points": abs(found.points)}))
    return Lines(list(lines))


def _units(amount: Any) -> str:
    return number(Decimal(amount.numerator) / Decimal(amount.denominator))


def _percent(share: Any) -> str:
    return "—" if share is None else f"{whole_percent(share)} %"


# Entering one


def keep(
    work: Work,
    subject: Subject,
    kind: CountKind,
    on: date,
    tablets: Decimal,
    strength_mg: int,
    *,
    source: str,
    occasion: str | None = None,
) -> TabletCount:
    """Write down a count; one of an ``occasion`` that is there already is its next version."""
    before = stored.versions(work.session, occasion) if occasion else ()
    row = TabletCount(
        subject_id=subject.id or 0,
        occasion=occasion or secrets.token_hex(8),
        version=before[-1].version + 1 if before else 1,
        kind=kind,
        counted_on=on,
        tablets=tablets,
        strength_mg=strength_mg,
        source=source,
        recorded_at=work.now,
        recorded_by=work.caller.label,
    )
    work.session.add(row)
    work.session.flush()
    return row


def parse_tablets(_work: Work, _values: Values, text: str) -> Reading[str]:
    """Read how many tablets there are, quarters allowed: "30", "12.5", "三十片", "两片半", "0".

    Raises:
        Unreadable: no such number; milligrams are none.
    """
    said = plain(text)
    for unit in ("tablets", "tablet", "sachets", "sachet", "片", "粒", "袋", "包"):
        said = said.removesuffix(unit).strip()
    half = said.endswith("半")
    said = said.removesuffix("半").strip().removesuffix("片").strip() or "0"
    try:
        amount = Decimal(said) if said.replace(".", "", 1).isdigit() else Decimal(parse_whole_number(said).value)
    except (ArithmeticError, Unreadable):
        raise Unreadable("input.count.unreadable", text) from None
    amount += Decimal("0.5") if half else Decimal(0)
    in_mg = any(unit in plain(text) for unit in ("mg", "毫克"))
    if not text.strip() or in_mg or amount > MOST or amount * 4 % 1:
        raise Unreadable("input.count.unreadable", text)
    return Reading(str(amount), False, text)


def start(work: Work, args: dict[str, Any]) -> None:
    """Begin to enter a count; after a visit its day is known."""
    subject = work.session.get_one(Subject, args["subject"])
    if not screens.takes_tablets(work, subject):
        work.answer("adherence.none", [screens.back_to(subject)], code=subject.code)
        return
    forms.open_form(work, ENTER_FORM, subject=subject.id, **({"on": args["on"]} if "on" in args else {}))


def _subject(work: Work, values: Values) -> Subject:
    return work.session.get_one(Subject, values["subject"])


def _said(work: Work, values: Values) -> dict[str, object]:
    return {"code": _subject(work, values).code}


def _kinds(_work: Work, _values: Values) -> list[Choice]:
    return [Choice(f"counts.kind.{kind}", kind.value) for kind in CountKind]


def _strengths(work: Work, values: Values) -> list[Choice]:
    """Return the strengths of the subject's orders, the newest first, and then the others there are."""
    own = [order.strength_mg for order in dose_days.orders_of(work.session, _subject(work, values)) if not order.void]
    strengths = dict.fromkeys([*own, *work.protocol.tablets.strengths_mg])
    return [Choice(f"{strength} mg", strength, plain=True) for strength in strengths]


def _parse(work: Work, values: Values, text: str) -> Reading[dict[str, Any]]:
    given = parse_tablets(work, values, text).value
    found = doubts(work, _subject(work, values), {**values, "tablets": {"n": given}})
    return Reading({"n": given, "doubts": found}, bool(found), text)


def doubts(work: Work, subject: Subject, values: Values, besides: str | None = None) -> list[str]:
    """Return what is odd about a count: the ends of text keys. ``besides`` is the occasion that it corrects."""
    kind, on, amount = CountKind(values["kind"]), date.fromisoformat(values["on"]), Decimal(values["tablets"]["n"])
    rows = [row for row in stored.counting(work.session, subject) if row.occasion != besides]
    others = counts_of(rows, values["strength"])
    found = []
    if any(each.kind is kind and each.on == on for each in others):
        found.append("twice")
    if kind is not CountKind.DISPENSED and amount > most_there(others, on):
        found.append("more_than_there")
    if kind is CountKind.DISPENSED:
        if dispensed_in_year(others, on) + amount > work.protocol.tablets.counts.most_a_year:
            found.append("more_a_year")
        if amount == 0:
            found.append("none_given")
    return found


def _shown(_work: Work, value: Any) -> object:
    """Show a number, and what is odd about it."""
    if not value.get("doubts"):
        return Text("counts.n", {"n": number(Decimal(value["n"]))})
    lines = [Text(f"counts.doubt.{each}") for each in value["doubts"]]
    return Text("counts.n_odd", {"n": number(Decimal(value["n"])), "doubts": Lines(list(lines))})


def _notes(work: Work, values: Values) -> list[Text]:
    """Say what became odd by a later change of the day, the kind or the strength."""
    found = doubts(work, _subject(work, values), values)
    return [Text(f"counts.doubt.{each}") for each in found if each not in values["tablets"]["doubts"]]


def _finish(work: Work, values: Values) -> None:
    subject = _subject(work, values)
    kind, on = CountKind(values["kind"]), date.fromisoformat(values["on"])
    row = keep(work, subject, kind, on, Decimal(values["tablets"]["n"]), values["strength"], source=stored.STAFF)
    rows = [
        [Button("counts.button.another", "counts.enter", {"subject": subject.id, "on": values["on"]})],
        [Button("counts.button.list", "counts.list", {"subject": subject.id})],
        screens.back_to(subject),
    ]
    work.answer(
        "counts.saved",
        rows,
        code=subject.code,
        kind=Text(f"counts.kind.{row.kind}"),
        n=number(row.tablets),
        strength=row.strength_mg,
        day=Day(on),
        line=counts_line(work, subject, date.min, work.today),
    )


# Correcting one


def start_correcting(work: Work, args: dict[str, Any]) -> None:
    """Begin to correct a count, or to take it out."""
    row = work.session.get_one(TabletCount, args["count"])
    if _is_overtaken(work, row) or row.void:
        show_count(work, row.occasion)
        return
    forms.open_form(work, CORRECT_FORM, old=row.id, subject=row.subject_id)


def _is_overtaken(work: Work, row: TabletCount) -> bool:
    return stored.versions(work.session, row.occasion)[-1].version != row.version


def _said_old(work: Work, values: Values) -> dict[str, object]:
    row = work.session.get_one(TabletCount, values["old"])
    return {
        **_said(work, values),
        "kind": Text(f"counts.kind.{row.kind}"),
        "day": Day(row.counted_on),
        "n": number(row.tablets),
        "strength": row.strength_mg,
    }


def _take_out(_work: Work, _values: Values) -> list[Choice]:
    return [Choice("counts.button.take_out", OUT)]


def _parse_correction(work: Work, values: Values, text: str) -> Reading[dict[str, Any]]:
    row = work.session.get_one(TabletCount, values["old"])
    given = {"n": parse_tablets(work, values, text).value}
    as_it_was = {"kind": row.kind, "on": row.counted_on.isoformat(), "strength": row.strength_mg, "tablets": given}
    found = doubts(work, _subject(work, values), as_it_was, besides=row.occasion)
    return Reading({**given, "doubts": found}, bool(found), text)


def _shown_correction(work: Work, value: Any) -> object:
    return Text("counts.taken_out") if value == OUT else _shown(work, value)


def _finish_correction(work: Work, values: Values) -> None:
    row, given = work.session.get_one(TabletCount, values["old"]), values["tablets"]
    if _is_overtaken(work, row):
        work.answer("counts.overtaken")
    else:
        reasons.because(work, values["reason"])
        kept = row.model_dump(exclude={"id"}) | {
            "version": row.version + 1,
            "source": stored.STAFF,
            "void": given == OUT,
            "reason": values["reason"],
            "recorded_at": work.now,
            "recorded_by": work.caller.label,
        }
        if given != OUT:
            kept["tablets"] = Decimal(given["n"])
        work.session.add(TabletCount(**kept))
        work.session.flush()
        work.answer("counts.corrected")
    show_count(work, row.occasion)


ENTER_FORM = forms.register(
    Form(
        "counts.enter",
        (
            Field(
                "kind",
                "counts.ask.kind",
                _kinds,
                show=lambda _work, kind: Text(f"counts.kind.{kind}"),
                said_with=_said,
            ),
            form_days.past_field("on", "counts.ask.on", _said),
            Field(
                "strength",
                "counts.ask.strength",
                _strengths,
                show=lambda _work, strength: f"{strength} mg",
                said_with=_said,
                columns=3,
            ),
            Field("tablets", "counts.ask.tablets", parse=_parse, show=_shown, said_with=_said),
        ),
        _finish,
        frozenset(CLINICAL),
        summary="counts.summary",
        names="counts.field",
        notes=_notes,
    )
)
CORRECT_FORM = forms.register(
    Form(
        "counts.correct",
        (
            Field(
                "tablets",
                "counts.ask.correct",
                _take_out,
                _parse_correction,
                show=_shown_correction,
                said_with=_said_old,
            ),
            reasons.field("counts.ask.why", reasons.CORRECTION, said_with=_said_old),
        ),
        _finish_correction,
        frozenset(CLINICAL),
        summary="counts.correct.summary",
        names="counts.field",
    )
)
