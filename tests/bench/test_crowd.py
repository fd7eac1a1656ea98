"""Is the crowd of a measurement what the bot would have made, on both databases?"""

from datetime import datetime
from typing import Any

from sqlmodel import Session, col, delete, select

from bench import bots
from bench.crowd import Crowd
from bot.domain.people import BOT
from bot.store import visits
from bot.store.models import AgendaItem, Subject, Visit
from bot.usecases import overdue, visit_reminders
from bot.work import Work

Entry = tuple[str, datetime, datetime | None, dict[str, Any], int, int | None]


def entries(session: Session) -> list[Entry]:
    """Return what waits in the agenda for visits."""
    about_visits = (*visit_reminders.KINDS, overdue.OVERDUE)
    found = session.exec(
        select(AgendaItem)
        .where(AgendaItem.state == "waiting", col(AgendaItem.kind).in_(about_visits))
        .order_by(col(AgendaItem.key))
    )
    return [(each.key, each.due_at, each.useful_until, each.detail, each.about_id, each.subject_id) for each in found]


def test_the_agenda_of_the_crowd_is_what_the_bot_plans(database_url: str) -> None:
    with bots.using(database_url) as deps:
        crowd = Crowd(deps, 20)
        crowd.fill()
        crowd.close()

        def plan_by_the_bot(session: Session) -> None:
            work = Work(session, deps, BOT, "test", bots.START)
            session.connection().execute(delete(AgendaItem))
            for visit in session.exec(select(Visit).where(Visit.state == visits.PLANNED)).all():
                visit_reminders.plan_reminders(work, session.get_one(Subject, visit.subject_id), visit)
                overdue.watch(work, visit)

        made = deps.store.read_now(entries)
        deps.store.write_now(plan_by_the_bot)
        assert len(made) > 20 * 5
        assert made == deps.store.read_now(entries)
