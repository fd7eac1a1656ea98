"""What opens a review of a dose, what withdraws one, and how is one chased that nobody concludes?

A review belongs to the case that its news raised. It changes no order and tells the subject nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import case as ranked
from sqlmodel import Session, col, func, select

from bot.domain import dose_reviews as rules
from bot.domain.conditions import Answer, Facts
from bot.domain.dose_reviews import Dated, ReviewRule, ReviewState, Unordered
from bot.domain.dosing import DoseBand, band_for
from bot.domain.escalation import CaseState
from bot.domain.judging import PLATELETS, UNKNOWN, Circumstances
from bot.domain.measures import WEIGHT
from bot.domain.people import BOT
from bot.domain.reminders import out_of_quiet
from bot.domain.roles import EVERYONE, Role
from bot.domain.urgency import Urgency, highest
from bot.domain.visits import VisitKind
from bot.store import measurements as stored
from bot.store import people
from bot.store import visits as planned
from bot.store.models import (
    Account,
    AgendaItem,
    DoseOrder,
    DoseReview,
    Escalation,
    Measurement,
    OutboxMessage,
    StaffMember,
    Subject,
    Weight,
)
from bot.texts import number
from bot.usecases import dose_days, escalate
from bot.usecases.values import shown, value_of
from bot.work import Button, Day, Lane, Lines, Text, Work

Gone = tuple[DoseReview, Sequence[Account], int]  # withdrawn, who was told of it, the last message before that

CHASE = "review.chase"
PURPOSE = "dose review"
BAND, CROSSING = "D70-dose-outside-band", "D10-plt-crosses-50"
STOP, HOLD = "stop", "hold"  # bot.domain.dosing.Change
PLT = "plt"


# Which there are


def open_of(session: Session, subject: Subject) -> Sequence[DoseReview]:
    """Return the reviews of a subject that nobody has concluded, the oldest first."""
    return session.exec(
        select(DoseReview)
        .where(DoseReview.subject_id == subject.id, DoseReview.state == ReviewState.OPEN)
        .order_by(col(DoseReview.id))
    ).all()


def count_open(work: Work) -> int:
    query = select(func.count()).select_from(DoseReview).where(DoseReview.state == ReviewState.OPEN)
    return work.session.exec(query).one()


def listed(work: Work, first: int, many: int) -> Sequence[tuple[DoseReview, Subject]]:
    """Return ``many`` open reviews from the ``first`` on, the most urgent and then the oldest first."""
    known = {rule.id: rule.urgency.rank for rule in work.protocol.reviews.rules}
    urgent = ranked(known, value=col(DoseReview.rule), else_=Urgency.YELLOW.rank)
    return work.session.exec(
        select(DoseReview, Subject)
        .join(Subject, col(DoseReview.subject_id) == col(Subject.id))
        .where(DoseReview.state == ReviewState.OPEN)
        .order_by(urgent.desc(), col(DoseReview.opened_at), col(DoseReview.id))
        .offset(first)
        .limit(many)
    ).all()


def rule_of(work: Work, review: DoseReview) -> ReviewRule | None:
    """Return the rule that opened a review, or None if the trial's files have it no more."""
    return work.protocol.reviews.by_id.get(review.rule)


def urgency_of(work: Work, review: DoseReview) -> Urgency:
    rule = rule_of(work, review)
    return rule.urgency if rule is not None else Urgency.YELLOW


def name_of(work: Work, review: DoseReview) -> Text | str:
    return name_of_rule(work, review.rule)


def name_of_rule(work: Work, rule_id: str) -> Text | str:
    """Return what a rule is about, for staff; the id of one that the trial's files have no more."""
    rule = work.protocol.reviews.by_id.get(rule_id)
    return Text(rule.text) if rule is not None else rule_id


def conclusion_text(work: Work, code: str | None) -> Text | str:
    """Return a conclusion for staff; the code of one that the trial's files have no more."""
    return next((Text(each.text) for each in work.protocol.reviews.conclusions if each.code == code), code or "—")


def because_of(opened: Sequence[DoseReview]) -> list[str]:
    return list(dict.fromkeys(review.rule for review in opened))


# What opens one: values


def after_values(work: Work, subject: Subject, rows: Sequence[Measurement]) -> list[DoseReview]:
    """Open what the newest verified values ask for, after ``rows`` were entered, verified, corrected or taken out.

    Whoever calls raises the case and links it, so that one thing is one alarm.
    """
    watched = {rule.watches for rule in work.protocol.reviews.rules}
    opened: list[DoseReview] = []
    moved = False
    for row in rows:
        if not row.verified or row.measure not in watched:
            continue
        moved = moved or row.measure in (PLT, WEIGHT)
        opened += _after_value(work, subject, row)
    if moved:
        opened += _of_order(work, subject, from_values=True)
    return opened


def _after_value(work: Work, subject: Subject, changed: Measurement) -> list[DoseReview]:
    series = stored.verified(work.session, subject.id or 0, (changed.measure,))
    dated = [_dated(row) for row in series]
    if not rules.is_news(dated, changed.taken_on):
        return []
    newest = series[-1]
    if newest.taken_on < work.today - timedelta(days=work.protocol.reviews.value_good_for_days):
        return []
    measure = work.protocol.measures.by_id[newest.measure]
    waiting = [review.rule for review in open_of(work.session, subject)]
    found = rules.opening(
        work.protocol.reviews.rules, measure, dated, _known(subject, newest), _beside(work, subject, series), waiting
    )
    return [
        review
        for rule in found
        if (review := _open_about_value(work, subject, rule, newest, series[-2] if len(series) > 1 else None))
    ]


def _dated(row: Measurement) -> Dated:
    return Dated(value_of(row), row.taken_on)


def _known(subject: Subject, row: Measurement) -> Circumstances:
    given = tuple((row.transfused or UNKNOWN).split(stored.DIVIDER))
    return Circumstances(facts=Facts(arm=subject.arm), transfused=given)


def _beside(work: Work, subject: Subject, series: Sequence[Measurement]) -> dict[str, Answer]:
    """Return what rules may ask of the last of ``series`` that its measure alone does not say."""
    row, found = series[-1], dict[str, Answer]()
    if row.measure == WEIGHT and (reference := _reference(work, subject, row)) is not None:
        found[rules.CHANGE] = rules.change_percent(row.value, reference.kg)
    coming = next(
        (each for each in planned.open_all(work.session, subject) if each.kind == VisitKind.INJECTION), None
    )
    if coming is not None and coming.target_on >= row.taken_on:
        found[rules.TO_INJECTION] = (coming.target_on - row.taken_on).days
    return found


def _reference(work: Work, subject: Subject, row: Measurement) -> Weight | None:
    """Return the weight that a new one is compared with: of the order in force, else the last on an earlier day."""
    order = dose_days.order_on(work.session, subject, work.today)
    ordered_on = None if order is None else order.ordered_at.astimezone(work.settings.zone).date()
    if ordered_on is not None and ordered_on < row.taken_on:
        of_order = stored.weight_on(work.session, subject, ordered_on)
        if of_order is not None:
            return of_order
    return stored.weight_on(work.session, subject, row.taken_on - timedelta(days=1))


def _open_about_value(
    work: Work, subject: Subject, rule: ReviewRule, row: Measurement, before: Measurement | None
) -> DoseReview | None:
    about = f"{rule.id}:{row.occasion}:"
    if any(review.state != ReviewState.WITHDRAWN for review in _about(work, subject, about)):
        return None  # the same news
    facts: dict[str, Any] = {
        "measure": row.measure,
        "occasion": row.occasion,
        "value": shown(work, value_of(row)),
        "on": row.taken_on.isoformat(),
        "before": shown(work, value_of(before)) if before else None,
        "before_on": before.taken_on.isoformat() if before else None,
        "transfused": row.transfused,
        "rests_on": [row.occasion],
        **_order_facts(work, subject),
    }
    if rule.watches == WEIGHT and (reference := _reference(work, subject, row)) is not None:
        facts |= {"before": f"{number(reference.kg)} kg", "before_on": reference.measured_on.isoformat()}
    return _open(work, subject, rule, f"{about}{row.version}", facts, row.id)


def _about(work: Work, subject: Subject, beginning: str) -> Sequence[DoseReview]:
    return work.session.exec(
        select(DoseReview).where(
            DoseReview.subject_id == subject.id, col(DoseReview.key).startswith(beginning, autoescape=True)
        )
    ).all()


def _order_facts(work: Work, subject: Subject) -> dict[str, Any]:
    order, weight = in_force(work, subject), stored.weight_on(work.session, subject, work.today)
    if order is None:
        return {"order": None}
    return {"order": order.id, "daily_mg": str(daily(order)), "kg": str(weight.kg) if weight else None}


def daily(order: DoseOrder) -> Decimal:
    """Return the ordered amount per day in mg."""
    return order.tablets * order.times_a_day * order.strength_mg


def in_force(work: Work, subject: Subject) -> DoseOrder | None:
    """Return the order that the subject follows now: in force, and neither paused nor ended."""
    if not work.protocol.arms[subject.arm].tablets:
        return None
    return dose_days.order_on(work.session, subject, work.today)


def _standing(work: Work, subject: Subject, day: date) -> Unordered | None:
    """Return why tablets are not ordered on a day, or None if they are."""
    if not work.protocol.arms[subject.arm].tablets:
        return Unordered.OTHER_ARM
    holds = dose_days.standing_on(work.session, subject, day)
    if holds.stopped_by is not None:
        return Unordered.STOPPED
    if holds.held_by is not None:
        return Unordered.HELD
    return Unordered.NO_ORDER if holds.order is None else None


def _open(
    work: Work, subject: Subject, rule: ReviewRule, key: str, facts: dict[str, Any], measurement_id: int | None
) -> DoseReview:
    review = DoseReview(
        subject_id=subject.id or 0,
        rule=rule.id,
        key=key,
        measurement_id=measurement_id,
        facts=facts,
        opened_at=work.now,
    )
    work.session.add(review)
    work.session.flush()
    return review


# What opens one: orders, tablets


def look_at_order(work: Work, subject: Subject) -> None:
    """Look how the order in force stands to the protocol's band, after an order was given, changed or taken back."""
    for review in _waiting_on_void(work, subject):
        tell_withdrawn(work, [_withdraw(work, review)])
    raise_own(work, subject, _of_order(work, subject))


def _waiting_on_void(work: Work, subject: Subject) -> list[DoseReview]:
    found = []
    for review in open_of(work.session, subject):
        order = work.session.get(DoseOrder, review.facts.get("order")) if review.rule == BAND else None
        if order is not None and order.void:
            found.append(review)
    return found


def _of_order(work: Work, subject: Subject, *, from_values: bool = False) -> list[DoseReview]:
    order, weight = in_force(work, subject), stored.weight_on(work.session, subject, work.today)
    counts = stored.verified(work.session, subject.id or 0, (PLT,))
    if order is None or weight is None or not counts:
        return []
    plt = counts[-1]
    off = _off(work, order, weight, plt)
    if off is None:
        return []
    band = band_for(Decimal(str(value_of(plt).bound)), work.protocol.dose_bands)
    if from_values and _crossing_asks(work, subject, order, band):
        return []  # that question is the same one
    opened = []
    for rule in rules.asked(work.protocol.reviews.rules, rules.ORDER, {rules.OFF: off}, Facts(arm=subject.arm)):
        about = f"{rule.id}:{order.id}:{band.plt_from}:{'above' if off > 0 else 'below'}:"
        known = _about(work, subject, about)
        if any(each.state != ReviewState.WITHDRAWN for each in known):
            continue
        facts = {
            "measure": PLT,
            "value": shown(work, value_of(plt)),
            "on": plt.taken_on.isoformat(),
            "transfused": plt.transfused,
            "off_percent": round(off, 1),
            "rests_on": [plt.occasion],
            **_order_facts(work, subject),
        }
        opened.append(_open(work, subject, rule, f"{about}{len(known)}", facts, plt.id))
    return opened


def _crossing_asks(work: Work, subject: Subject, order: DoseOrder, band: DoseBand) -> bool:
    """Return whether a crossing into this band has asked about this order already."""
    for review in _about(work, subject, f"{CROSSING}:"):
        if review.state != ReviewState.WITHDRAWN and review.facts.get("order") == order.id:
            row = work.session.get_one(Measurement, review.measurement_id)
            if band_for(Decimal(str(value_of(row).bound)), work.protocol.dose_bands) == band:
                return True
    return False


def _off(work: Work, order: DoseOrder, weight: Weight, plt: Measurement) -> float | None:
    count = Decimal(str(value_of(plt).bound))
    return rules.off_percent(daily(order), weight.kg, count, work.protocol.dose_bands)


def taken_without_order(work: Work, subject: Subject, day: date) -> None:
    """Open a review if deferasirox was taken on a day for which this subject has no order, as somebody reported."""
    why = _standing(work, subject, day)
    if why is None:
        return
    waiting = [review.rule for review in open_of(work.session, subject)]
    opened = []
    for rule in rules.asked(
        work.protocol.reviews.rules, rules.TABLETS, {rules.UNORDERED: why}, Facts(arm=subject.arm)
    ):
        key = f"{rule.id}:{subject.id}:{day.isoformat()}"
        if rule.id in waiting or _about(work, subject, key):
            continue
        facts = {"unordered": why, "on": day.isoformat(), "by": work.caller.label, "rests_on": []}
        opened.append(_open(work, subject, rule, key, facts, None))
    raise_own(work, subject, opened)


# The case


def raise_own(work: Work, subject: Subject, opened: Sequence[DoseReview]) -> None:
    """Raise a task for reviews that no value has raised a case for, or add them to the case that is open."""
    if not opened:
        return
    case = escalate.raise_case(
        work,
        subject,
        highest(urgency_of(work, each) for each in opened),
        because_of(opened),
        [line(work, each) for each in opened],
        source=source_of(opened[0]),
    )
    link(work, opened, case)


def source_of(review: DoseReview) -> str:
    """Return the name under which a case knows a review that no value told it of; the subject is told nothing."""
    return f"{escalate.BY_STAFF}review:{review.id}"


def link(work: Work, opened: Sequence[DoseReview], case: Escalation) -> None:
    """Let reviews belong to the case that their news raised, and see to it that they are not forgotten."""
    for review in opened:
        review.case_id = case.id
        escalate.step(work, case, "review opened", review.rule)
        _plan_chase(work, review)
    work.session.flush()


def line(work: Work, review: DoseReview) -> Text:
    """Return a review as a line of its case."""
    info = (rule := rule_of(work, review)) is not None and rule.kind is rules.ReviewKind.INFO
    marked = [name_of(work, review), *transfusion(work, review)]
    values: dict[str, object] = {"number": review.id, "what": Lines(marked, " ")}
    return Text("review.line.info", values) if info else Text("review.line", values)


def transfusion(work: Work, review: DoseReview) -> list[Text]:
    """Return the mark, if any, of a platelet count so soon after platelets were given that it may mislead."""
    given = str(review.facts.get("transfused") or "").split(stored.DIVIDER)
    if review.facts.get("measure") != PLT or PLATELETS not in given:
        return []
    return [Text("review.transfused", {"days": work.protocol.measures.after_platelets_days})]


# What withdraws one


def withdraw_after(work: Work, subject: Subject, new: Measurement) -> list[Gone]:
    """Withdraw the reviews of this measure that nothing bears out any more, now that a value was corrected."""
    gone = []
    for review in work.session.exec(
        select(DoseReview).where(DoseReview.subject_id == subject.id, DoseReview.state != ReviewState.WITHDRAWN)
    ).all():
        rule = rule_of(work, review)
        if rule is None or new.measure != review.facts.get("measure") or _bears_out(work, subject, rule, review, new):
            continue
        gone.append(_withdraw(work, review))
    return gone


def _bears_out(work: Work, subject: Subject, rule: ReviewRule, review: DoseReview, new: Measurement) -> bool:
    series = stored.verified(work.session, subject.id or 0, (new.measure,))
    if rule.watches == rules.ORDER:
        if new.occasion not in review.facts["rests_on"]:
            return True
        order, weight = work.session.get(DoseOrder, review.facts["order"]), review.facts["kg"]
        if new.void or order is None or weight is None:
            return False
        count = Decimal(str(value_of(new).bound))
        off = rules.off_percent(daily(order), Decimal(weight), count, work.protocol.dose_bands)
        return off is not None and bool(rules.asked([rule], rules.ORDER, {rules.OFF: off}, Facts(arm=subject.arm)))
    at = next((n for n, row in enumerate(series) if row.occasion == review.facts["occasion"]), None)
    if at is None:
        return False
    until = series[: at + 1]
    measure = work.protocol.measures.by_id[new.measure]
    # What stood beside the value, such as the day of the next injection, is not judged by a later plan.
    beside = {**_beside(work, subject, until), **_as_it_was(rule)}
    return rules.stands(rule, measure, [_dated(row) for row in until], _known(subject, until[-1]), beside)


def _as_it_was(rule: ReviewRule) -> Mapping[str, Answer]:
    return {rules.TO_INJECTION: 0} if rule.kind is rules.ReviewKind.INFO else {}


def _withdraw(work: Work, review: DoseReview) -> Gone:
    told = told_of(work, review)
    last = work.session.exec(select(func.max(col(OutboxMessage.id)))).one() or 0
    review.state = ReviewState.WITHDRAWN
    if review.conclusion is None:
        review.closed_at, review.closed_by = work.now, work.caller.label
    work.unplan("withdrawn", kind=CHASE, about_id=review.id)
    work.session.flush()
    return review, told, last


def withdrawn_line(work: Work, review: DoseReview) -> Text:
    """Return the line that says in the case that a review is withdrawn, and why."""
    key = "review.line.withdrawn" if review.conclusion is None else "review.line.withdrawn_concluded"
    return Text(
        key, {"number": review.id, "what": name_of(work, review), "value": str(review.facts.get("value", ""))}
    )


def tell_withdrawn(work: Work, gone: Sequence[Gone]) -> None:
    """Show in its case that a review is withdrawn, and tell those once who were told of it, and nobody else.

    Where an investigator has concluded already, looking again is a task.
    """
    for review, told, last in gone:
        case = work.session.get(Escalation, review.case_id) if review.case_id is not None else None
        subject = work.session.get_one(Subject, review.subject_id)
        said = withdrawn_line(work, review)
        if case is not None:
            escalate.step(work, case, "review withdrawn", review.rule)
        if review.conclusion is not None:
            again = f"{source_of(review)}:again"
            case = escalate.raise_case(work, subject, urgency_of(work, review), [review.rule], [said], source=again)
        elif case is not None and case.state != CaseState.RESOLVED and _told(case, source_of(review)):
            escalate.tell_anew(work, case, [said], source_of(review))
        paged = _paged_since(work, case, last) if case is not None else ()
        for account in told:
            if account.id in paged:
                continue  # the page says it
            work.say(
                account,
                "review.told.withdrawn",
                [[Button("review.button.open", "review.open", {"review": review.id})]],
                lane=Lane.AMBER,
                purpose=PURPOSE,
                about_id=review.id,
                subject_id=review.subject_id,
                dedupe_key=f"review:{review.id}:withdrawn:{account.id}",
                code=subject.code,
                said=said,
            )


def _told(case: Escalation, source: str) -> bool:
    return f'"{source}"' in case.summary


def _paged_since(work: Work, case: Escalation, last: int) -> Sequence[int]:
    return work.session.exec(
        select(OutboxMessage.account_id).where(
            OutboxMessage.purpose == escalate.PAGE, OutboxMessage.about_id == case.id, col(OutboxMessage.id) > last
        )
    ).all()


def told_of(work: Work, review: DoseReview) -> list[Account]:
    """Return the active staff who were told of a review: by a page of its case since then, or because they saw it."""
    pages = work.session.exec(
        select(OutboxMessage.account_id).where(
            OutboxMessage.purpose == escalate.PAGE,
            OutboxMessage.about_id == review.case_id,
            OutboxMessage.created_at >= review.opened_at,
            col(OutboxMessage.state).in_(("waiting", "sending", "sent", "unsure")),
        )
    ).all()
    labels = set(review.told)
    return [
        account
        for member, account in people.staff(work.session, [EVERYONE, Role.MONITOR])
        if account.id in pages or label_of(member) in labels
    ]


def label_of(member: StaffMember) -> str:
    """Return the name under which records know a member of staff."""
    return f"staff:{member.id}:{member.role}"


def note_told(work: Work, review: DoseReview, labels: Iterable[str]) -> None:
    """Keep who knows of a review, so that they also hear when it is withdrawn."""
    known = list(dict.fromkeys([*review.told, *labels]))
    if known != list(review.told):
        review.told = known
        work.session.flush()


# What chases one


def _plan_chase(work: Work, review: DoseReview) -> None:
    at = work.now + timedelta(days=work.protocol.reviews.chase_after_days)
    due = out_of_quiet(at, work.settings.zone, work.protocol.quiet_hours)
    key = f"review:{review.id}:{due.isoformat()}"
    work.plan(CHASE, key, due, review.id or 0, subject_id=review.subject_id)


def chase(work: Work, item: AgendaItem) -> str:
    """Make a review that still waits a task again if nobody has its case any more; look again in some days."""
    review = work.session.get_one(DoseReview, item.about_id)
    if review.state != ReviewState.OPEN:
        return "concluded"
    _plan_chase(work, review)
    case = work.session.get(Escalation, review.case_id) if review.case_id is not None else None
    if case is not None and case.state != CaseState.RESOLVED:
        return "its case is open"
    subject = work.session.get_one(Subject, review.subject_id)
    urgency = highest([urgency_of(work, review), Urgency.AMBER])
    opened = Day(review.opened_at.astimezone(work.settings.zone).date(), "short_day")
    waits = Text("review.line.waits", {"number": review.id, "what": name_of(work, review), "day": opened})
    found = escalate.raise_case(work, subject, urgency, [review.rule], [waits], source=source_of(review))
    review.case_id = found.id
    escalate.step(work, found, "review opened", review.rule, BOT.label)
    return "raised again"
