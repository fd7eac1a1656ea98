"""How do people of a measurement come into the database, as if they had begun before it?"""

from datetime import datetime, time

from bot.domain.participation import ParticipationState
from bot.domain.roles import Role
from bot.store.models import Account, Link, StaffMember, Subject
from bot.work import Work

TOKEN = "123456789:test-token-of-a-simulated-bot"
SITE_PHONE = "0571-0000-0000"
HEADER = (
    "code,arm,locale,birth_year,weight_kg,first_injection_on,cbc_interval_days,injection_interval_days,"
    "formulation,strength_mg,tablets,phone\n"
)


def account(work: Work, chat: int, locale: str, first_seen_at: datetime | None = None) -> int:
    """Enter somebody who has written to the bot; return the number of the account."""
    made = Account(telegram_id=chat, locale=locale, first_seen_at=first_seen_at or work.now)
    work.session.add(made)
    work.session.flush()
    assert made.id is not None
    return made.id


def member(work: Work, account_id: int, role: Role, name: str, *, on_duty: bool) -> None:
    """Let an account be staff."""
    work.session.add(StaffMember(account_id=account_id, role=role, name=name, on_duty=on_duty, granted_at=work.now))
    work.session.flush()


def patient(work: Work, account_id: int, subject: Subject, hour: time) -> None:
    """Let an account be an enrolled subject's patient, who has agreed to everything and chosen this hour."""
    assert subject.id is not None
    subject.state, subject.reminder_at = ParticipationState.ON_STUDY, hour
    work.session.add(
        Link(account_id=account_id, subject_id=subject.id, relation="patient", linked_at=work.now, agreed_at=work.now)
    )
    work.session.flush()
