"""When do staff hear of a visit that should have taken place and that nobody has recorded?"""

from bot.domain.participation import ParticipationState
from bot.domain.reminders import daily_at
from bot.domain.urgency import Urgency
from bot.domain.visits import VisitKind, VisitStatus, overdue_on
from bot.store import visits
from bot.store.models import AgendaItem, Subject, Visit
from bot.usecases import escalate
from bot.work import Day, Text, Work

OVERDUE = "visit.overdue"
LEVELS = ((VisitStatus.LATE, Urgency.YELLOW), (VisitStatus.VERY_LATE, Urgency.AMBER))


def watch(work: Work, visit: Visit) -> None:
    """Enter the days on which staff hear that a visit is late and very late; of two past ones the later alone."""
    rule = work.protocol.visits[VisitKind(visit.kind)]
    found = []
    for status, urgency in LEVELS:
        day = overdue_on(rule, visit.target_on, status, work.clinic)
        found.append((daily_at(day, work.protocol.yellow_at, work.settings.zone), urgency))
    if found[-1][0] <= work.now:
        found = found[-1:]
    work.plan_all(
        [
            AgendaItem(
                kind=OVERDUE,
                key=f"overdue:{visit.id}:{visit.plan_version}:{urgency}",
                due_at=due_at,
                about_id=visit.id or 0,
                subject_id=visit.subject_id,
                detail={"version": visit.plan_version, "urgency": urgency},
            )
            for due_at, urgency in found
        ]
    )


def tell(work: Work, item: AgendaItem) -> str:
    """Give staff the task to record the visit or to find out what happened; late again it becomes more urgent."""
    visit = work.session.get_one(Visit, item.about_id)
    subject = work.session.get_one(Subject, visit.subject_id)
    if visit.state != visits.PLANNED or visit.plan_version != item.detail["version"]:
        return "the visit changed"
    if subject.state not in (ParticipationState.INVITED, ParticipationState.ON_STUDY):
        return "not in the trial any more"
    escalate.raise_case(
        work,
        subject,
        Urgency(item.detail["urgency"]),
        # The task that the patient's word on the visit, or their silence, may have opened: one a visit.
        ["visit.not_recorded"],
        [
            Text(
                "request.overdue",
                {
                    "what": Text(f"visit.kind.{visit.kind}"),
                    "day": Day(visit.target_on),
                    "n": (work.today - visit.target_on).days,
                },
            )
        ],
        kind=escalate.REQUEST,
        visit_id=visit.id,
    )
    return "staff told"
