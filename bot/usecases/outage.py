"""What happens after the bot was cut off for so long that Telegram has thrown messages away?

Silence is never "well": all active patients are asked again, once, and staff are told what may be missing.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, String, cast, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col
from sqlmodel.sql.sqltypes import UTCDateTime

from bot.domain.participation import ParticipationState
from bot.domain.roles import EVERYONE, Role
from bot.store import people
from bot.store.models import AgendaItem, Heartbeat, Subject
from bot.store.session import is_sqlite
from bot.store.types import Json
from bot.work import Button, Lane, Work

ASK = "outage.ask"
HEARD = "heard"
# Telegram keeps what people write for 24 hours; what came near that may be gone as well.
TOO_LONG = timedelta(hours=20)
ASK_WITHIN = timedelta(days=3)


def heard(work: Work, *, after_gap: bool) -> int | None:
    """Note that Telegram is heard; after too long a gap ask everybody again and return how many that are."""
    heart = work.session.get(Heartbeat, HEARD)
    asked = None
    if after_gap and heart is not None and work.now - heart.at >= TOO_LONG:
        asked = ask_all(work, heart.at, work.now)
        tell_staff(work, "staff.outage", heart.at, asked)
    work.session.merge(Heartbeat(name=HEARD, at=work.now))
    return asked


def ask_all(work: Work, since: datetime, until: datetime) -> int:
    """Plan to ask every active patient once about the time between; return how many are planned.

    One statement plans them all or none, so that who dies in the middle begins anew, and a million patients
    are a matter of seconds, not of a statement each. A patient who is planned already is left alone.
    """
    detail = {"since": since.isoformat(), "until": until.isoformat()}
    number: ColumnElement[Any] = col(Subject.id)  # type: ignore[assignment]
    planned: dict[str, ColumnElement[Any]] = {
        "kind": literal(ASK),
        "key": literal(f"{ASK}:{since.isoformat()}:") + cast(number, String),
        "about_id": number,
        "subject_id": number,
        "detail": literal(detail, Json),
        "due_at": literal(work.now, UTCDateTime),
        "useful_until": literal(until + ASK_WITHIN, UTCDateTime),
        "state": literal("waiting"),
    }
    active = select(*planned.values()).where(col(Subject.state) == ParticipationState.ON_STUDY)
    connection = work.session.connection()
    insert = sqlite.insert if is_sqlite(connection) else postgresql.insert
    statement = insert(AgendaItem).from_select(list(planned), active).on_conflict_do_nothing(index_elements=["key"])
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount


def ask(work: Work, item: AgendaItem) -> str:
    """Ask everybody who speaks for one subject to write again."""
    subject = work.session.get_one(Subject, item.about_id)
    if subject.state != ParticipationState.ON_STUDY:
        return "not on study any more"
    for account in people.speakers(work.session, item.about_id):
        work.say(
            account,
            "outage.ask",
            [[Button("menu.button.unwell", "menu.unwell")]],
            lane=Lane.REMINDER,
            purpose=ASK,
            subject_id=subject.id,
            dedupe_key=f"{item.key}:{account.id}",
            useful_until=item.useful_until,
            since=work.texts.moment(datetime.fromisoformat(item.detail["since"]), work.settings.zone, account.locale),
            until=work.texts.moment(datetime.fromisoformat(item.detail["until"]), work.settings.zone, account.locale),
            phone=work.settings.site_phone,
        )
    return "asked"


def tell_staff(work: Work, key: str, since: datetime, number: int) -> None:
    """Tell everybody who looks after patients, and the administrators, what may be missing from then until now.

    ``number`` of patients are asked again.
    """
    told = people.staff(work.session, (EVERYONE, Role.ADMIN))
    for account in {account.id: account for _, account in told}.values():
        work.say(
            account,
            key,
            lane=Lane.AMBER,
            purpose="staff",
            since=work.texts.moment(since, work.settings.zone, account.locale),
            until=work.texts.moment(work.now, work.settings.zone, account.locale),
            number=number,
        )
