"""How does a subject get onto the study's books, one by one in a dialogue?"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from bot.domain.parsing import (
    Reading,
    Unreadable,
    parse_date,
    parse_subject_code,
    parse_weight,
    parse_whole_number,
    parse_year_of_birth,
    plain,
)
from bot.domain.participation import ParticipationState
from bot.domain.questionnaires import Limits
from bot.domain.roles import Role
from bot.domain.visits import IntervalNotAllowed, VisitKind, interval_allowed
from bot.store import people
from bot.store.models import DoseOrder, Subject, Weight
from bot.texts import LOCALES
from bot.usecases import form_days, forms, invite, plan
from bot.usecases.forms import Choice, Field, Form, Values
from bot.usecases.refusals import CodeTaken
from bot.work import Day, Text, Work

# A first injection is entered when it is planned or was given lately; anything else is a slip.
FIRST_INJECTION_PAST = timedelta(days=120)
FIRST_INJECTION_AHEAD = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Everything needed to enrol one subject, checked field by field."""

    code: str
    arm: str
    locale: str
    birth_year: int
    weight_kg: Decimal
    cbc_interval_days: int
    first_injection_on: date | None = None
    injection_interval_days: int | None = None
    formulation: str | None = None
    tablets: Decimal | None = None  # at a time
    times_a_day: int = 1
    strength_mg: int | None = None
    phone: str | None = None


def enrol(work: Work, entered: Enrolment) -> Subject:
    """Enter a subject with weight, order and first visits.

    Raises:
        CodeTaken: the code is in use.
    """
    if people.subject_by_code(work.session, entered.code) is not None:
        raise CodeTaken(entered.code)
    subject = Subject(
        code=entered.code,
        site=work.settings.site,
        arm=entered.arm,
        locale=entered.locale,
        birth_year=entered.birth_year,
        state=ParticipationState.INVITED,
        timezone=work.settings.site_timezone,
        cbc_interval_days=entered.cbc_interval_days,
        injection_interval_days=entered.injection_interval_days,
        first_injection_on=entered.first_injection_on,
        phone=entered.phone,
        enrolled_at=work.now,
        enrolled_by=work.caller.label,
        state_changed_at=work.now,
    )
    work.session.add(subject)
    work.session.flush()
    assert subject.id is not None
    work.session.add(
        Weight(
            subject_id=subject.id,
            kg=entered.weight_kg,
            measured_on=work.today,
            recorded_at=work.now,
            recorded_by=work.caller.label,
        )
    )
    if entered.formulation is not None and entered.tablets is not None and entered.strength_mg is not None:
        work.session.add(
            DoseOrder(
                subject_id=subject.id,
                formulation=entered.formulation,
                tablets=entered.tablets,
                times_a_day=entered.times_a_day,
                strength_mg=entered.strength_mg,
                from_on=work.today,
                ordered_at=work.now,
                ordered_by=work.caller.label,
            )
        )
    work.session.flush()
    plan.plan_first(work, subject)
    return subject


def begin(work: Work) -> None:
    """Open the enrolment dialogue."""
    forms.open_form(work, FORM)


def finish(work: Work, values: Values) -> None:
    subject = enrol(work, from_values(values))
    work.answer("enrol.done", code=subject.code)
    hand_out_invitations(work, subject)


def hand_out_invitations(work: Work, subject: Subject) -> None:
    """Give staff a link and a QR picture for the patient, and another for a caregiver."""
    for purpose in (invite.PATIENT, invite.CAREGIVER):
        link = invite.invite(work, purpose, subject=subject)
        caption = work.text(f"enrol.qr.{purpose}", code=subject.code)
        work.answer(
            f"enrol.invitation.{purpose}",
            picture={"kind": "qr", "link": link, "caption": caption},
            secret=True,
            code=subject.code,
            link=link,
            hours=work.settings.invitation_hours,
        )


def from_values(values: Values) -> Enrolment:
    """Turn the answers of the dialogue (JSON values) into an enrolment."""
    on = values.get("first_injection_on")
    return Enrolment(
        code=values["code"],
        arm=values["arm"],
        locale=values["locale"],
        birth_year=values["birth_year"],
        weight_kg=Decimal(str(values["weight_kg"])),
        cbc_interval_days=values["cbc_interval_days"],
        first_injection_on=date.fromisoformat(on) if on else None,
        injection_interval_days=values.get("injection_interval_days"),
        formulation=values.get("formulation"),
        tablets=Decimal(values["tablets"]) if values.get("tablets") else None,
        times_a_day=values.get("times_a_day", 1),
        strength_mg=values.get("strength_mg"),
        phone=values.get("phone"),
    )


# The questions


def _code(work: Work, _values: Values, text: str) -> Reading[str]:
    reading = parse_subject_code(text)
    if people.subject_by_code(work.session, reading.value) is not None:
        raise CodeTaken(reading.value)
    return reading


def _arms(work: Work, _values: Values) -> list[Choice]:
    return [Choice(arm.name, arm.code) for arm in work.protocol.arms.values()]


def _languages(_work: Work, _values: Values) -> list[Choice]:
    return [Choice(f"language.{locale}", locale) for locale in LOCALES]


def _birth_year(work: Work, _values: Values, text: str) -> Reading[int]:
    entry = work.protocol.entry
    return parse_year_of_birth(text, work.today, entry.age_from, entry.age_to)


def _weight(work: Work, _values: Values, text: str) -> Reading[float]:
    entry = work.protocol.entry
    return parse_weight(text, Limits(entry.weight_from_kg, entry.weight_to_kg))


def first_injection(work: Work, _values: Values, text: str) -> Reading[str]:
    reading = parse_date(text, work.today)
    if not work.today - FIRST_INJECTION_PAST <= reading.value <= work.today + FIRST_INJECTION_AHEAD:
        raise Unreadable("input.first_injection.out_of_range", text)
    return Reading(reading.value.isoformat(), reading.confirm, text)


def interval(kind: VisitKind) -> Any:
    def parse(work: Work, _values: Values, text: str) -> Reading[int]:
        rule = work.protocol.visits[kind]
        reading = parse_whole_number(text)
        if not interval_allowed(reading.value, rule):
            raise IntervalNotAllowed(reading.value, rule)
        return reading

    return parse


def intervals(kind: VisitKind) -> Any:
    def choices(work: Work, _values: Values) -> list[Choice]:
        rule = work.protocol.visits[kind]
        return [
            Choice(work.texts.plural("enrol.weeks", days // 7, work.caller.locale), days, plain=True)
            for days in range(rule.shortest_days, rule.longest_days + 1, 7)
        ]

    return choices


def formulations(work: Work, _values: Values) -> list[Choice]:
    return [Choice(f"formulation.{each}", each.value) for each in work.protocol.tablets.formulations]


def strengths(work: Work, _values: Values) -> list[Choice]:
    return [Choice(f"{strength} mg", strength, plain=True) for strength in work.protocol.tablets.strengths_mg]


def tablets(work: Work, values: Values, text: str) -> Reading[str]:
    """Read how many tablets at a time, halves allowed: "2", "1.5", "两片"."""
    said = plain(text).removesuffix("片").removesuffix("tablets").removesuffix("tablet").strip()
    half = said.endswith("半")
    said = said.removesuffix("半").removesuffix("片").strip() or "0"
    try:
        amount = Decimal(said) if said.replace(".", "", 1).isdigit() else Decimal(parse_whole_number(said).value)
    except ArithmeticError:
        raise Unreadable("input.tablets.unreadable", text) from None
    amount += Decimal("0.5") if half else Decimal(0)
    most = work.protocol.tablets.most_units_per_day / Decimal(values.get("times_a_day", 1))
    if not 0 < amount <= most or amount * 2 != int(amount * 2):
        raise Unreadable("input.tablets.unreadable", text)
    return Reading(str(amount), False, text)


def times_a_day(wanted: Callable[[Work, Values], bool], *, usual: int | None = 1) -> Field:
    """Return the question how often a day; mostly once, so it need not be asked."""

    def choices(work: Work, values: Values) -> list[Choice]:
        rule, units = work.protocol.tablets, Decimal(values.get("tablets") or 0)
        often = range(1, rule.most_times_a_day + 1)
        return [Choice(f"dose.times.{n}", n) for n in often if n * units <= rule.most_units_per_day]

    return Field(
        "times_a_day",
        "enrol.ask.times_a_day",
        choices,
        wanted=wanted,
        show=lambda _work, value: Text(f"dose.times.{value}"),
        columns=3,
        usual=usual,
    )


def phone(_work: Work, _values: Values, text: str) -> Reading[str]:
    """Read a call-back number: 7 to 15 digits, with the usual signs between them."""
    said = plain(text)
    digits = "".join(each for each in said if each.isdigit())
    if not 7 <= len(digits) <= 15 or any(each not in "0123456789+-() " for each in said):
        raise Unreadable("input.phone.unreadable", text)
    return Reading(said, False, text)


def _no_phone(_work: Work, _values: Values) -> list[Choice]:
    return [Choice("enrol.button.no_phone", None)]


def _has_injections(work: Work, values: Values) -> bool:
    arm = values.get("arm")
    return arm is not None and work.protocol.arms[arm].injections


def _has_tablets(work: Work, values: Values) -> bool:
    arm = values.get("arm")
    return arm is not None and work.protocol.arms[arm].tablets


def _coming_days(work: Work, _values: Values) -> list[Choice]:
    return [form_days.choice(work, work.today + timedelta(days=ahead)) for ahead in (0, 1, 2)]


def _days(work: Work, value: int) -> str:
    return work.texts.plural("enrol.days", value, work.caller.locale)


FORM = forms.register(
    Form(
        "enrol",
        (
            Field("code", "enrol.ask.code", parse=_code),
            Field("arm", "enrol.ask.arm", _arms, show=lambda work, value: Text(work.protocol.arms[value].name)),
            Field("locale", "enrol.ask.locale", _languages, show=lambda _work, value: Text(f"language.{value}")),
            Field("birth_year", "enrol.ask.birth_year", parse=_birth_year),
            Field("weight_kg", "enrol.ask.weight_kg", parse=_weight, show=lambda _work, value: f"{value:g} kg"),
            Field(
                "first_injection_on",
                "enrol.ask.first_injection_on",
                _coming_days,
                first_injection,
                wanted=_has_injections,
                show=lambda _work, value: Day(date.fromisoformat(value), "full_day"),
                columns=3,
            ),
            Field(
                "cbc_interval_days",
                "enrol.ask.cbc_interval_days",
                intervals(VisitKind.CBC),
                interval(VisitKind.CBC),
                show=_days,
                columns=3,
            ),
            Field(
                "injection_interval_days",
                "enrol.ask.injection_interval_days",
                intervals(VisitKind.INJECTION),
                interval(VisitKind.INJECTION),
                wanted=_has_injections,
                show=_days,
                columns=3,
            ),
            Field(
                "formulation",
                "enrol.ask.formulation",
                formulations,
                wanted=_has_tablets,
                show=lambda _work, value: Text(f"formulation.{value}"),
            ),
            Field(
                "strength_mg",
                "enrol.ask.strength_mg",
                strengths,
                wanted=_has_tablets,
                show=lambda _work, value: f"{value} mg",
                columns=3,
            ),
            Field("tablets", "enrol.ask.tablets", parse=tablets, wanted=_has_tablets),
            times_a_day(_has_tablets),
            Field("phone", "enrol.ask.phone", _no_phone, phone),
        ),
        finish,
        frozenset({Role.COORDINATOR}),
        summary="enrol.summary",
        names="enrol.field",
    )
)
