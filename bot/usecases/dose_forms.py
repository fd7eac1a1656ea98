"""Which questions do staff answer to order tablets, pause them, let them go on, end them, or take an entry back?"""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from bot.domain.dosing import Change
from bot.domain.parsing import Reading, Unreadable, parse_date
from bot.domain.roles import CLINICAL, PHYSICIANS
from bot.store import people
from bot.store.models import DoseChange, DoseOrder, Subject
from bot.texts import LOCALES
from bot.usecases import (
    dose_card,
    dose_changes,
    dose_days,
    dose_orders,
    dose_reviews,
    enrol,
    escalate,
    form_days,
    forms,
    reasons,
    screens,
    staff_queries,
)
from bot.usecases.dose_card import Row
from bot.usecases.dose_changes import Entry
from bot.usecases.forms import Choice, Field, Form, Values
from bot.usecases.refusals import DayTooFar
from bot.work import Day, Text, Work

ORDER, VOID = "order", "void"
GOES_ON, STAYS = "goes_on", "stays"
REASONS = {Change.HOLD: reasons.HOLD, Change.RESUME: reasons.RESUME, Change.STOP: reasons.STOP}
OFFERED_BACK = 10  # entries to take back: what was entered by mistake is found soon


def start(what: str) -> Callable[[Work, dict[str, Any]], None]:
    """Return what begins one of the dialogues, where the arm has tablets and nothing has ended."""

    def begin(work: Work, args: dict[str, Any]) -> None:
        subject = work.session.get_one(Subject, args["subject"])
        if not _may_be_changed(work, subject):
            dose_card.show(work, subject)
            return
        forms.open_form(work, FORMS[what], subject=subject.id, what=what, seen=_seen(work, subject))

    return begin


def _may_be_changed(work: Work, subject: Subject) -> bool:
    return screens.takes_tablets(work, subject) and staff_queries.is_open(subject)


def _subject(work: Work, values: Values) -> Subject:
    return work.session.get_one(Subject, values["subject"])


def _rows(work: Work, subject: Subject) -> list[Row]:
    return [*dose_days.orders_of(work.session, subject), *dose_days.changes_of(work.session, subject)]


def _seen(work: Work, subject: Subject) -> list[int]:
    """Return what tells whether a colleague entered something in the meantime."""
    rows = _rows(work, subject)
    return [len(rows), sum(each.void for each in rows)]


def _overtaken(work: Work, values: Values) -> Subject | None:
    """Return the subject, held until this work is done; None when things stand otherwise by now, which is shown."""
    subject = work.session.get_one(Subject, values["subject"], with_for_update=True)
    if _may_be_changed(work, subject) and _seen(work, subject) == values["seen"]:
        return subject
    work.answer("patient.overtaken")
    dose_card.show(work, subject)
    return None


# What is asked


def _said(work: Work, values: Values) -> dict[str, object]:
    return {"code": _subject(work, values).code}


def _days(work: Work, values: Values) -> list[Choice]:
    days = [day for day in (work.today, work.today + timedelta(days=1)) if _may_begin(work, values, day)]
    return [form_days.choice(work, day) for day in days]


def _day(work: Work, values: Values, text: str) -> Reading[str]:
    """Read from which day on; a day that has passed is asked back, for it changes what was counted.

    Raises:
        DayTooFar: not within the protocol's limits.
        Unreadable: nothing of the kind can begin on that day.
    """
    reading, dated = parse_date(text, work.today), work.protocol.tablets.dated
    day = reading.value
    if not work.today - timedelta(days=dated.days_back) <= day <= work.today + timedelta(days=dated.days_ahead):
        raise DayTooFar
    if _before_arm(work, values, day):
        raise Unreadable("dose_order.refused.arm", text)
    if not _may_begin(work, values, day):
        raise Unreadable(f"dose_order.refused.{Change(values['what'])}", text)
    return Reading(day.isoformat(), reading.confirm or day < work.today, text)


def _before_arm(work: Work, values: Values, day: date) -> bool:
    since = _subject(work, values).arm_since_on
    return since is not None and day < since


def _may_begin(work: Work, values: Values, day: date) -> bool:
    """Return whether what is entered can begin on a day, as it stands then."""
    if _before_arm(work, values, day):
        return False
    holds = dose_days.standing_on(work.session, _subject(work, values), day)
    match values["what"]:
        case Change.HOLD:
            return holds.to_take is not None
        case Change.RESUME:
            return holds.is_held
        case Change.STOP:
            return holds.order is not None and holds.stopped_by is None
        case _:
            return True


def _physicians(work: Work, _values: Values) -> list[Choice]:
    """Offer the study's physicians, whoever enters it first if that is one of them."""
    found = [member for member, _ in people.staff(work.session, PHYSICIANS)]
    found.sort(key=lambda member: member.id != work.caller.staff_id)
    return [Choice(member.name, member.name, plain=True) for member in found]


def _pauses(work: Work, values: Values) -> bool:
    if "from_on" not in values:
        return False
    return dose_days.standing_on(work.session, _subject(work, values), date.fromisoformat(values["from_on"])).is_held


def _hold_or_go_on(_work: Work, _values: Values) -> list[Choice]:
    return [Choice(f"dose_order.hold.{each}", each) for each in (GOES_ON, STAYS)]


def _is_changed(work: Work, values: Values) -> bool:
    return any(not each.void for each in dose_days.orders_of(work.session, _subject(work, values)))


def _key(row: Row) -> str:
    return f"{row.__tablename__}:{row.id}"


def _entries(work: Work, values: Values) -> list[Choice]:
    found = [each for each in _rows(work, _subject(work, values)) if not each.void]
    found.sort(key=dose_card.given_at, reverse=True)
    locale, texts = work.caller.locale, work.texts
    return [
        Choice(dose_card.named(each).render(texts, locale), _key(each), plain=True) for each in found[:OFFERED_BACK]
    ]


def _entry_of(work: Work, key: str) -> Row:
    table, _, number = key.partition(":")
    if table == DoseOrder.__tablename__:
        return work.session.get_one(DoseOrder, int(number))
    return work.session.get_one(DoseChange, int(number))


# What is shown before it is saved


def _entered(work: Work, values: Values) -> Entry:
    subject, from_on = _subject(work, values), date.fromisoformat(values["from_on"])
    if values["what"] == ORDER:
        return dose_changes.an_order(
            work,
            subject,
            formulation=values["formulation"],
            tablets=Decimal(values["tablets"]),
            times_a_day=values["times_a_day"],
            strength_mg=values["strength_mg"],
            from_on=from_on,
            reason=values.get("reason"),
            decided_by=values["decided_by"],
            ends_hold=values.get("hold") == GOES_ON,
        )
    what = Change(values["what"])
    return Entry(change=dose_changes.a_change(work, subject, what, from_on, values["reason"], values["decided_by"]))


def _notes(work: Work, values: Values) -> Sequence[Text]:
    """Say what follows: how it compares, what holds then, the days that change, what the patient reads."""
    subject, entry = _subject(work, values), _entered(work, values)
    notes: list[Text] = []
    if entry.order is not None:
        notes += dose_orders.compared(work, subject, entry.order, entry.from_on)
        later = [
            each
            for each in dose_days.orders_of(work.session, subject)
            if not each.void and each.from_on > entry.from_on and each.until_on is None
        ]
        notes += [Text("dose_order.ends_later", {"day": Day(each.from_on)}) for each in later]
    if entry.from_on < work.today:
        notes.append(Text("dose_order.backdated", {"n": (work.today - entry.from_on).days}))
    on = max(entry.from_on, work.today)
    then = dose_orders.in_short(dose_changes.holds_with(work, subject, entry, on))
    notes.append(Text("dose_order.then", {"day": Day(on), "what": then}))
    return [*notes, *_words(work, subject, entry)]


def _words(work: Work, subject: Subject, entry: Entry) -> list[Text]:
    """Return the exact words that the patient's side will read, in each language of theirs and of who enters it."""
    told, readers = dose_changes.words(work, subject, entry), dose_changes.reached(work, subject)
    if told is None:
        return [Text("dose_order.not_told")]
    if not readers:
        return [_to_phone(work, subject)]
    read = {each.locale for each in readers} | {work.caller.locale}
    return [
        Text("dose_order.words", {"language": Text(f"language.{locale}"), "words": told.render(work.texts, locale)})
        for locale in LOCALES
        if locale in read
    ]


def _to_phone(work: Work, subject: Subject) -> Text:
    return Text("dose_order.phone_them", {"number": escalate.phone_of(work, subject)})


# What is done


def _finish(work: Work, values: Values) -> None:
    if (subject := _overtaken(work, values)) is None:
        return
    entry = _entered(work, values)
    should_be_told = dose_changes.words(work, subject, entry) is not None
    told = dose_changes.record(work, subject, entry)
    dose_reviews.look_at_order(work, subject)
    if told:
        how = Text("dose_order.told")
    elif should_be_told:
        how = _to_phone(work, subject)
    else:
        how = Text("dose_order.not_told")
    work.answer("dose_order.saved", code=subject.code, told=how)
    dose_card.show(work, subject)


def _finish_taking_back(work: Work, values: Values) -> None:
    if (subject := _overtaken(work, values)) is None:
        return
    shown = dose_changes.take_back(work, subject, _entry_of(work, values["entry"]), values["reason"])
    dose_reviews.look_at_order(work, subject)
    how = _to_phone(work, subject) if shown else Text("dose_order.not_told_before")
    work.answer("dose_order.taken_back", code=subject.code, told=how)
    dose_card.show(work, subject)


FROM_ON = Field("from_on", "dose_order.ask.from_on", _days, _day, show=form_days.show, said_with=_said, columns=2)
DECIDED_BY = Field("decided_by", "dose_order.ask.decided_by", _physicians, reasons.own_words, said_with=_said)


def _always(_work: Work, _values: Values) -> bool:
    return True


ORDER_FORM = forms.register(
    Form(
        "dose.order",
        (
            Field(
                "formulation",
                "enrol.ask.formulation",
                enrol.formulations,
                show=lambda _work, value: Text(f"formulation.{value}"),
            ),
            Field(
                "strength_mg",
                "enrol.ask.strength_mg",
                enrol.strengths,
                show=lambda _work, value: f"{value} mg",
                columns=3,
            ),
            Field("tablets", "enrol.ask.tablets", parse=enrol.tablets),
            enrol.times_a_day(_always, usual=None),
            FROM_ON,
            Field(
                "hold",
                "dose_order.ask.hold",
                _hold_or_go_on,
                wanted=_pauses,
                show=lambda _work, value: Text(f"dose_order.hold.{value}"),
                said_with=_said,
            ),
            reasons.field("dose_order.ask.why.order", reasons.ORDER, wanted=_is_changed, said_with=_said),
            DECIDED_BY,
        ),
        _finish,
        frozenset(CLINICAL),
        summary="dose_order.summary",
        names="dose_order.field",
        notes=_notes,
    )
)


def _form(what: Change) -> Form:
    why = reasons.field(f"dose_order.ask.why.{what}", REASONS[what], said_with=_said)
    return forms.register(
        Form(
            f"dose.{what}",
            (FROM_ON, why, DECIDED_BY),
            _finish,
            frozenset(CLINICAL),
            summary=f"dose_order.summary.{what}",
            names="dose_order.field",
            notes=_notes,
        )
    )


VOID_FORM = forms.register(
    Form(
        "dose.void",
        (
            Field(
                "entry",
                "dose_order.ask.entry",
                _entries,
                show=lambda work, value: dose_card.named(_entry_of(work, value)),
                said_with=_said,
            ),
            reasons.field("dose_order.ask.why.void", reasons.VOID, said_with=_said),
        ),
        _finish_taking_back,
        frozenset(CLINICAL),
        summary="dose_order.summary.void",
        names="dose_order.field",
    )
)
FORMS = {ORDER: ORDER_FORM, VOID: VOID_FORM, **{each.value: _form(each) for each in Change}}
