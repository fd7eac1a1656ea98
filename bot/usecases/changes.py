"""What may staff change about a subject after enrolment?"""

from typing import Any

from bot.domain.participation import TRANSITIONS, ParticipationEvent, ParticipationState
from bot.domain.roles import PHYSICIANS
from bot.store.models import Subject
from bot.usecases import intervals, screens, staff_queries
from bot.work import Button, Text, Work


def show(work: Work, args: dict[str, Any]) -> None:
    """Offer what can be changed as this subject stands, to who may change it."""
    subject = work.session.get_one(Subject, args["subject"])
    state, target = ParticipationState(subject.state), {"subject": subject.id}
    rows: list[list[Button]] = []
    if staff_queries.is_open(subject):
        rows.append([Button("change.button.extra_visit", "patient.extra_visit", target)])
        rows += [
            [
                Button(
                    "change.button.interval",
                    "patient.interval",
                    {**target, "kind": kind.value},
                    values={"what": Text(f"visit.short.{kind}")},
                )
            ]
            for kind in intervals.kinds(work, subject)
        ]
        if work.caller.role in PHYSICIANS:
            rows.append([Button("change.button.arm", "patient.arm", target)])
    if (state, ParticipationEvent.INVITE_AGAIN) in TRANSITIONS:
        rows.append([Button("change.button.invite_again", "patient.invite_again", target)])
    if (state, ParticipationEvent.CLOSE) in TRANSITIONS:
        rows.append([Button("change.button.close", "patient.close", target)])
    rows.append(screens.back_to(subject))
    work.answer("change.title" if len(rows) > 1 else "change.nothing", rows, code=subject.code)
