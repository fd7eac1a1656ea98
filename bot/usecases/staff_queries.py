"""What do staff ask: who is there, how is this patient, were the tablets taken?"""

from collections.abc import Sequence
from typing import Any

from sqlmodel import col, select

from bot.domain.escalation import CaseState
from bot.domain.parsing import Unreadable, parse_subject_code
from bot.domain.participation import ParticipationState
from bot.domain.roles import CLINICAL, Role
from bot.store import audit, evidence, people
from bot.store import visits as stored
from bot.store.models import Escalation, Response, StaffMember, Subject, Weight
from bot.texts import number
from bot.usecases import (
    cases,
    dose_days,
    dose_orders,
    dose_reviews,
    enrol,
    escalate,
    history,
    reach,
    reasons,
    refusals,
    screens,
    silent,
    zones,
)
from bot.usecases.visit_names import named, short
from bot.work import Button, Day, Lines, Text, Work


def find(work: Work, typed: str) -> Subject:
    """Return the subject that staff named.

    Raises:
        SubjectUnknown: no such code.
    """
    try:
        code = parse_subject_code(typed).value
    except Unreadable:
        raise refusals.SubjectUnknown from None
    subject = people.subject_by_code(work.session, code)
    if subject is None:
        raise refusals.SubjectUnknown
    return subject


def show_patients(work: Work, page: int = 0) -> None:
    """List all subjects, a button each."""
    count = cases.count_some(work, select(Subject.id))
    if count == 0:
        work.answer("patients.none")
        return
    subjects = work.session.exec(
        select(Subject).order_by(col(Subject.code)).offset(page * cases.PER_PAGE).limit(cases.PER_PAGE)
    ).all()
    audit.record(work.session, "patients.listed", page=page)
    rows = []
    for subject in subjects:
        label = work.text(
            "patients.row",
            code=subject.code,
            arm=work.text(work.protocol.arms[subject.arm].name),
            state=work.text(f"participation.{subject.state}"),
        )
        rows.append([Button(label, "patient.open", {"subject": subject.id}, plain=True)])
    rows += cases.pager("patients.page", page, count)
    work.answer("patients.title", rows, n=cases.how_many(count))


def open_patient(work: Work, args: dict[str, Any]) -> None:
    show_patient(work, work.session.get_one(Subject, args["subject"]))


def show_patient(work: Work, subject: Subject) -> None:
    """Show one subject: where they stand, what comes next, what is open."""
    audit.record(work.session, "patient.viewed", entity="subject", entity_id=subject.id)
    planned = stored.open_all(work.session, subject)
    replies = reach.replies(work, planned)
    rows: list[list[Button]] = []
    if work.caller.role in CLINICAL:
        rows += [
            [
                Button(
                    "patient.button.visit",
                    "visit.open",
                    {"visit": visit.id},
                    values={"what": short(work, visit), "day": Day(visit.target_on, "short_day")},
                )
            ]
            for visit in planned
        ]
    for case in open_cases(work, subject):
        rows.append([Button("patient.button.case", "case.open", {"case": case.id}, values={"number": case.id})])
    rows.append([Button("patient.button.brief", "brief.open", {"subject": subject.id})])
    rows.append([Button("patient.button.course", "course.open", {"subject": subject.id})])
    rows.append([Button("patient.button.recorded", "visit.recorded_list", {"subject": subject.id, "page": 0})])
    rows.append([Button("patient.button.labs", "labs.list", {"subject": subject.id})])
    if evidence.count(work.session, subject.id):
        rows.append([Button("patient.button.evidence", "evidence.list", {"subject": subject.id})])
    rows.append([Button("patient.button.events", "event.list", {"subject": subject.id})])
    if history.count(work, subject):
        rows.append([Button("patient.button.history", "patient.history", {"subject": subject.id, "page": 0})])
    if work.protocol.arms[subject.arm].tablets:
        rows.append([Button("patient.button.dose", "dose.open", {"subject": subject.id})])
        rows.append([Button("patient.button.adherence", "adherence.open", {"subject": subject.id})])
        rows.append([Button("counts.button.list", "counts.list", {"subject": subject.id})])
    for review in dose_reviews.open_of(work.session, subject):
        rows.append(
            [Button("patient.button.review", "review.open", {"review": review.id}, values={"number": review.id})]
        )
    if work.caller.role in CLINICAL:
        rows.append([Button("review.button.report", "review.report", {"subject": subject.id})])
        rows.append([Button("patient.button.change", "patient.change", {"subject": subject.id})])
    if work.caller.role is Role.COORDINATOR and subject.state != ParticipationState.OFF_STUDY:
        rows.append([Button("patient.button.invite", "patient.invite", {"subject": subject.id})])
    work.answer(
        "patient.card",
        rows,
        code=subject.code,
        arm=Text(work.protocol.arms[subject.arm].name),
        age=screens.age(work, subject),
        weight=_weight(work, subject),
        state=_state(subject),
        reach=contact(work, subject),
        language=Text(f"language.{subject.locale}"),
        phone=escalate.phone_of(work, subject),
        visits=Lines(
            [
                Text(
                    "patient.visit",
                    {
                        "what": named(visit),
                        "day": Day(visit.target_on),
                        "reply": Text(f"visit.reply.{replies[visit.id or 0]}"),
                    },
                )
                for visit in planned
            ]
            or [Text("patient.no_visits")]
        ),
        tablets=_tablets_line(work, subject),
        cases=Lines(
            [
                Text(
                    "patient.case",
                    {
                        "level": Text(escalate.level_of(case)),
                        "number": case.id,
                        "state": Text(f"case.state.{case.state}"),
                    },
                )
                for case in open_cases(work, subject)
            ]
            or [Text("patient.no_cases")]
        ),
        last=_last_report(work, subject),
    )


def is_open(subject: Subject) -> bool:
    """Return whether visits are still planned for this subject: not withdrawn, not closed."""
    return subject.state in (ParticipationState.INVITED, ParticipationState.ON_STUDY)


def _state(subject: Subject) -> Text:
    """Return where a subject stands; of a closed participation since when and why."""
    state = Text(f"participation.{subject.state}")
    if subject.closed_on is None:
        return state
    closed = {"state": state, "day": Day(subject.closed_on), "reason": reasons.shown(subject.closed_because)}
    return Text("patient.closed", closed)


def name_of_caller(work: Work) -> str:
    """Return the name of the member of staff who acts."""
    if work.caller.staff_id is None:
        return work.caller.label
    return work.session.get_one(StaffMember, work.caller.staff_id).name


def hand_out_links(work: Work, args: dict[str, Any]) -> None:
    """Make new links for a subject; earlier ones that were not used stop working."""
    enrol.hand_out_invitations(work, work.session.get_one(Subject, args["subject"]))


def open_cases(work: Work, subject: Subject) -> Sequence[Escalation]:
    """Return the open cases of a subject, the oldest first."""
    return work.session.exec(
        select(Escalation)
        .where(Escalation.subject_id == subject.id, Escalation.state != CaseState.RESOLVED)
        .order_by(col(Escalation.id))
    ).all()


def _weight(work: Work, subject: Subject) -> str:
    newest = work.session.exec(
        select(Weight).where(Weight.subject_id == subject.id).order_by(col(Weight.id).desc())
    ).first()
    return number(newest.kg) if newest else "—"


def contact(work: Work, subject: Subject) -> Lines:
    """Return who is linked, when anybody was last heard, and what of the last question did not arrive."""
    lines: list[Text | Day | str] = []
    for relation in ("patient", "caregiver"):
        for account in people.speakers(work.session, subject.id or 0, relation):
            fate = "blocked" if account.unreachable_at is not None else "linked"
            lines.append(Text(f"patient.reach.{fate}", {"who": Text(f"relation.{relation}")}))
    if not lines:
        return Lines([Text("patient.reach.nobody")])
    about: list[Text | Day | Lines | str] = [Text("patient.heard", {"heard": silent.last_heard(work, subject)})]
    if (asked := reach.last_question(work, subject)) is not None:
        about.append(asked)
    if zones.elsewhere(work, subject):
        about.append(Text("patient.zone", {"zone": zones.name(subject.timezone)}))
    return Lines([Lines(lines, between=", "), *about])


def _tablets_line(work: Work, subject: Subject) -> Text | Lines:
    holds = dose_days.standing_on(work.session, subject, work.today)
    if not work.protocol.arms[subject.arm].tablets or holds.order is None:
        return Text("patient.tablets.none")
    if holds.to_take is None:
        return dose_orders.in_short(holds)
    shown = work.protocol.tablets.intake_text(holds.order.formulation) is not None
    intake = Text("patient.intake.on" if shown else "patient.intake.off")
    return Lines([Text("patient.tablets", dose_orders.order_values(work, subject, holds.order)), intake])


def _last_report(work: Work, subject: Subject) -> Text:
    last = work.session.exec(
        select(Response)
        .where(Response.subject_id == subject.id, col(Response.submitted_at).is_not(None))
        .order_by(col(Response.id).desc())
    ).first()
    if last is None or last.submitted_at is None:
        return Text("patient.no_reports")
    return Text(
        "patient.last_report",
        {
            "at": work.texts.moment(last.submitted_at, work.settings.zone, work.caller.locale),
            "level": Text(f"urgency.{last.urgency}"),
        },
    )
