"""How do staff see which doses are to be looked at, and how does a physician conclude it?"""

from datetime import date
from decimal import Decimal
from typing import Any

from bot.domain.dose_reviews import ReviewKind, ReviewState
from bot.domain.parsing import Reading
from bot.domain.roles import CLINICAL, PHYSICIANS
from bot.store import audit, people
from bot.store import measurements as stored
from bot.store.models import DoseOrder, DoseReview, Escalation, Measurement, Subject
from bot.texts import number
from bot.usecases import cases, dose_reviews, escalate, form_days, forms, owning, reasons, screens
from bot.usecases.forms import Choice, Field, Form, Values
from bot.usecases.values import shown, value_of
from bot.work import Button, Day, Lane, Lines, Text, Work

NO_WORDS = ""


def show_all(work: Work, page: int = 0) -> None:
    """List the open reviews of the site, the most urgent and then the oldest first."""
    count = dose_reviews.count_open(work)
    if not count:
        work.answer("review.none")
        return
    audit.record(work.session, "reviews.listed", page=page)
    rows = []
    for review, subject in dose_reviews.listed(work, page * cases.PER_PAGE, cases.PER_PAGE):
        minutes = int((work.now - review.opened_at).total_seconds() // 60)
        label = work.text(
            "review.row",
            level=work.text(f"urgency.{dose_reviews.urgency_of(work, review)}"),
            code=subject.code,
            what=_words(work, dose_reviews.name_of(work, review)),
            age=screens.how_long(work, minutes),
        )
        rows.append([Button(label, "review.open", {"review": review.id}, plain=True)])
    rows += cases.pager("review.page", page, count)
    work.answer("review.title", rows, n=count)


def _words(work: Work, text: Text | str) -> str:
    return text if isinstance(text, str) else text.render(work.texts, work.caller.locale)


def open_review(work: Work, args: dict[str, Any]) -> None:
    show(work, work.session.get_one(DoseReview, args["review"]))


def show(work: Work, review: DoseReview) -> None:
    """Show one review: what it is about, the values with their days, the rule, the order, and how it ended."""
    subject = work.session.get_one(Subject, review.subject_id)
    audit.record(work.session, "review.viewed", entity="dose_review", entity_id=review.id)
    dose_reviews.note_told(work, review, [work.caller.label])
    rule = dose_reviews.rule_of(work, review)
    label = [Text("review.label_only")] if rule is not None and rule.kind is ReviewKind.INFO else []
    work.answer(
        "review.card",
        _buttons(work, review),
        number=review.id,
        level=Text(f"urgency.{dose_reviews.urgency_of(work, review)}"),
        code=subject.code,
        what=dose_reviews.name_of(work, review),
        values=Lines([*label, *_values(review), *_now(work, review), *dose_reviews.transfusion(work, review)]),
        rule=review.rule,
        source=rule.source if rule is not None else "—",
        order=_order(work, review),
        opened=work.texts.moment(review.opened_at, work.settings.zone, work.caller.locale),
        state=_state(work, review),
    )


def _values(review: DoseReview) -> list[Text]:
    """Return what the review rests on, as it was when it was opened."""
    facts, found = review.facts, list[Text]()
    if "value" in facts:
        what = Text(f"measure.name.{facts['measure']}")
        found.append(Text("review.value", {"what": what, "value": facts["value"], "day": _day(facts["on"])}))
    if facts.get("before"):
        found.append(Text("review.before", {"value": facts["before"], "day": _day(facts["before_on"])}))
    if "off_percent" in facts:
        above = facts["off_percent"] > 0
        percent = number(Decimal(str(abs(facts["off_percent"]))))
        found.append(Text("review.above" if above else "review.below", {"percent": percent}))
    if "unordered" in facts:
        why = Text(f"review.unordered.{facts['unordered']}")
        found.append(Text("review.taken", {"day": _day(facts["on"]), "why": why}))
    return found


def _day(iso: str) -> Day:
    return Day(date.fromisoformat(iso), "short_day")


def _now(work: Work, review: DoseReview) -> list[Text]:
    """Return how the value reads today, where it was corrected or a newer one is there."""
    if review.measurement_id is None:
        return []
    row = work.session.get_one(Measurement, review.measurement_id)
    last = stored.versions(work.session, row.occasion, row.measure)[-1]
    found = []
    if last.void or (last.value, last.sign) != (row.value, row.sign):
        said = Text("measure.taken_out") if last.void else shown(work, value_of(last))
        found.append(Text("review.corrected", {"value": said}))
    newest = stored.verified(work.session, row.subject_id, (row.measure,))
    if newest and newest[-1].occasion != row.occasion:
        given = {"value": shown(work, value_of(newest[-1])), "day": Day(newest[-1].taken_on, "short_day")}
        found.append(Text("review.newest", given))
    return found


def _order(work: Work, review: DoseReview) -> Text:
    """Return the order that was in force when the review was opened, with its mg/kg then."""
    order = work.session.get(DoseOrder, review.facts["order"]) if review.facts.get("order") else None
    if order is None:
        return Text("review.no_order")
    kg, mg = review.facts.get("kg"), Decimal(review.facts["daily_mg"])
    values: dict[str, object] = {
        "times": Text(f"dose.times.{order.times_a_day}"),
        "tablets": number(order.tablets),
        "strength": order.strength_mg,
        "formulation": Text(f"formulation.{order.formulation}"),
        "mg": number(mg),
        "per_kg": f"{mg / Decimal(kg):.1f}" if kg else "—",
    }
    return Text("patient.tablets", values)


def _state(work: Work, review: DoseReview) -> Lines:
    """Return where the review stands; a conclusion stays to be read when the review is withdrawn."""
    lines: list[Text | Day | Lines | str] = [Text(f"review.state.{ReviewState(review.state)}")]
    if review.conclusion is not None:
        values: dict[str, object] = {
            "conclusion": dose_reviews.conclusion_text(work, review.conclusion),
            "by": owning.by_whom(work, review.closed_by or ""),
            "at": work.texts.moment(review.closed_at or work.now, work.settings.zone, work.caller.locale),
            "words": review.words or "—",
        }
        lines.append(Text("review.concluded", values))
    return Lines(lines)


def _buttons(work: Work, review: DoseReview) -> list[list[Button]]:
    args = {"review": review.id}
    rows = []
    if review.state == ReviewState.OPEN:
        if work.caller.role in PHYSICIANS:
            rows.append([Button("review.button.conclude", "review.conclude", args)])
        elif work.caller.role in CLINICAL:
            rows.append([Button("review.button.remind", "review.remind", args)])
    if review.case_id is not None:
        rows.append(escalate.to_case(work.session.get_one(Escalation, review.case_id)))
    subject = work.session.get_one(Subject, review.subject_id)
    if work.protocol.arms[subject.arm].tablets:
        rows.append([Button("patient.button.dose", "dose.open", {"subject": subject.id})])
    rows.append([Button("labs.button.list", "labs.list", {"subject": subject.id})])
    rows.append([Button("review.button.all", "review.page", {"page": 0})])
    rows.append(screens.back_to(subject))
    return rows


def remind(work: Work, args: dict[str, Any]) -> None:
    """Ask the physicians to look at a review, once a day whoever presses."""
    review = work.session.get_one(DoseReview, args["review"])
    if review.state != ReviewState.OPEN:
        show(work, review)
        return
    subject = work.session.get_one(Subject, review.subject_id)
    asked = []
    for member, account in people.reachable(work.session, PHYSICIANS):
        said = work.say(
            account,
            "review.told.reminder",
            [[Button("review.button.open", "review.open", {"review": review.id})]],
            lane=Lane.AMBER,
            purpose=dose_reviews.PURPOSE,
            about_id=review.id,
            subject_id=subject.id,
            dedupe_key=f"review:{review.id}:remind:{work.today.isoformat()}:{account.id}",
            number=review.id,
            code=subject.code,
            what=dose_reviews.name_of(work, review),
        )
        if said is not None:
            asked.append(dose_reviews.label_of(member))
    dose_reviews.note_told(work, review, asked)
    work.note("review.toast.reminded" if asked else "review.toast.nobody")
    show(work, review)


# Concluding one


def start_concluding(work: Work, args: dict[str, Any]) -> None:
    """Begin to conclude a review; one that is closed already is shown instead."""
    review = work.session.get_one(DoseReview, args["review"])
    if review.state != ReviewState.OPEN:
        work.note("review.toast.closed")
        show(work, review)
        return
    forms.open_form(work, CONCLUDE, review=review.id)


def _said(work: Work, values: Values) -> dict[str, object]:
    review = work.session.get_one(DoseReview, values["review"])
    code = work.session.get_one(Subject, review.subject_id).code
    return {"code": code, "what": dose_reviews.name_of(work, review)}


def _conclusions(work: Work, _values: Values) -> list[Choice]:
    return [Choice(each.text, each.code) for each in work.protocol.reviews.conclusions]


def _without_words(work: Work, values: Values) -> list[Choice]:
    chosen = next((each for each in work.protocol.reviews.conclusions if each.code == values["conclusion"]), None)
    return [] if chosen is not None and chosen.words else [Choice("review.button.no_words", NO_WORDS)]


def _conclude(work: Work, values: Values) -> None:
    review = work.session.get_one(DoseReview, values["review"])
    if review.state != ReviewState.OPEN:
        # A colleague was faster, or the value was corrected meanwhile.
        work.note("review.toast.closed")
        show(work, review)
        return
    review.state, review.conclusion = ReviewState.CONCLUDED, values["conclusion"]
    review.words = values["words"] or None
    review.closed_at, review.closed_by = work.now, work.caller.label
    work.unplan("concluded", kind=dose_reviews.CHASE, about_id=review.id)
    if review.case_id is not None:
        case = work.session.get_one(Escalation, review.case_id)
        escalate.step(work, case, "review concluded", review.conclusion)
    work.session.flush()
    work.note("review.toast.concluded")
    show(work, review)


CONCLUDE = forms.register(
    Form(
        "review.conclude",
        (
            Field(
                "conclusion",
                "review.ask.conclusion",
                _conclusions,
                show=lambda work, value: dose_reviews.conclusion_text(work, value),
                said_with=_said,
            ),
            Field(
                "words",
                "review.ask.words",
                _without_words,
                reasons.own_words,
                show=lambda _work, value: value or Text("form.none"),
                said_with=_said,
            ),
        ),
        _conclude,
        frozenset(PHYSICIANS),
        summary="review.summary",
        names="review.field",
    )
)


# Staff report tablets that were taken without an order


def start_reporting(work: Work, args: dict[str, Any]) -> None:
    """Begin to write down that a subject took deferasirox that is not ordered for them."""
    forms.open_form(work, REPORT, subject=args["subject"])


def _about(work: Work, values: Values) -> dict[str, object]:
    return {"code": work.session.get_one(Subject, values["subject"]).code}


def _parse_day(work: Work, _values: Values, text: str) -> Reading[str]:
    """Read the day.

    Raises:
        Unreadable: no day was said.
        InFuture: it has not come yet.
        DayTooFar: it lies too far back.
    """
    reading = form_days.past_date(work, text)
    return Reading(reading.value.isoformat(), reading.confirm, text)


def _report(work: Work, values: Values) -> None:
    subject, day = work.session.get_one(Subject, values["subject"]), date.fromisoformat(values["on"])
    dose_reviews.taken_without_order(work, subject, day)
    found = [each for each in dose_reviews.open_of(work.session, subject) if "unordered" in each.facts]
    if found:
        show(work, found[-1])
    else:
        work.answer("review.was_ordered", [screens.back_to(subject)], code=subject.code, day=Day(day))


REPORT = forms.register(
    Form(
        "review.report",
        (form_days.past_field("on", "review.ask.taken_on", _about, _parse_day),),
        _report,
        frozenset(CLINICAL),
        summary="review.report.summary",
        names="review.report.field",
    )
)
