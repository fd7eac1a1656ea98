"""How does the letter of a day get into the patient's month? With the report and its reasons, in their transaction.

The months say nothing that the reports do not say; they are there because a site's table cannot read a report
for each day of each patient. They follow what is added through the session, as the audit trail does.
"""

from datetime import date
from typing import Any

from sqlalchemy import Connection, event, func, literal
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapper
from sqlmodel import col, select

from bot.domain import dose_letters
from bot.store.models import DoseMonth, DosePrompted, DoseReport


def put(connection: Connection, subject_id: int, day: date, letter: str, *, only_first: bool = False) -> None:
    """Write the letter of one day; with ``only_first`` it replaces nothing that was said of the day."""
    place = day.day
    fresh = dose_letters.EMPTY[: place - 1] + letter + dose_letters.EMPTY[place:]
    given = {"month_on": day.replace(day=1), "subject_id": subject_id, "days": fresh}
    days = col(DoseMonth.days)
    changed = func.substr(days, 1, place - 1).concat(literal(letter)).concat(func.substr(days, place + 1))
    only_if = func.substr(days, place, 1) == dose_letters.NOTHING if only_first else None
    insert: Any = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(
        insert(DoseMonth)
        .values(given)
        .on_conflict_do_update(index_elements=["month_on", "subject_id"], set_={"days": changed}, where=only_if)
    )


@event.listens_for(DoseReport, "after_insert")
def _said(_mapper: "Mapper[DoseReport]", connection: Connection, report: DoseReport) -> None:
    put(connection, report.subject_id, report.day_on, dose_letters.letter(report.status, report.reasons))


@event.listens_for(DoseReport, "after_update")
def _said_why(_mapper: "Mapper[DoseReport]", connection: Connection, report: DoseReport) -> None:
    """Follow the reasons, which are ticked after the answer; those of an older version change nothing any more."""
    newer = select(DoseReport.id).where(
        DoseReport.subject_id == report.subject_id,
        DoseReport.day_on == report.day_on,
        col(DoseReport.version) > report.version,
    )
    if connection.execute(newer.limit(1)).first() is None:
        _said(_mapper, connection, report)


@event.listens_for(DosePrompted, "after_insert")
def _asked(_mapper: "Mapper[DosePrompted]", connection: Connection, prompted: DosePrompted) -> None:
    put(connection, prompted.subject_id, prompted.day_on, dose_letters.ASKED, only_first=True)
