"""How does a person get a single-use link, and what happens when a link is opened?"""

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import func
from sqlmodel import col, select

from bot.domain.roles import Role
from bot.store import audit, people
from bot.store.models import Account, FailedInvitation, Invitation, Link, StaffMember, Subject
from bot.usecases import screens, settings, start
from bot.work import Button, Text, Work

CODE_BYTES = 24  # 192 bits, 32 characters (SEC-04 asks for 128)
TRIES_PER_HOUR = 5

STAFF, PATIENT, CAREGIVER = "staff", "patient", "caregiver"


def invite(work: Work, purpose: str, *, role: Role | None = None, subject: Subject | None = None) -> str:
    """Make a single-use invitation and return its link; the code itself is kept nowhere."""
    code = secrets.token_urlsafe(CODE_BYTES)
    if subject is not None:
        _revoke_earlier(work, purpose, subject)
    work.session.add(
        Invitation(
            code_hash=_hash(code),
            purpose=purpose,
            role=role,
            subject_id=subject.id if subject else None,
            created_at=work.now,
            created_by=work.caller.label,
            expires_at=work.now + timedelta(hours=work.settings.invitation_hours),
        )
    )
    work.session.flush()
    return f"https://t.me/{work.deps.username}?start={code}"


def open_invitation(work: Work, code: str) -> None:
    """Bind the account that opened a link to what the link is for.

    Every reason for a refusal has the same neutral text, so that guessing teaches nothing.
    """
    account = work.session.get_one(Account, work.caller.account_id)
    if _locked_out(work, account):
        # Not counted: who waits an hour can try again, however often they looked in the meantime.
        work.answer("invitation.refused", phone=screens.phone(work))
        return
    invitation = work.session.exec(
        select(Invitation).where(Invitation.code_hash == _hash(code)).with_for_update()
    ).first()
    if invitation is None:
        _refuse(work, account, "unknown")
    elif invitation.used_by_id == account.id:
        # The same person opens the link again: show where they stand.
        welcome_back(work)
    elif invitation.used_at is not None or invitation.revoked_at is not None:
        _refuse(work, account, "used")
    elif invitation.expires_at <= work.now:
        _refuse(work, account, "expired")
    elif work.caller.role is not Role.STRANGER:
        _refuse(work, account, "has a role")
    elif invitation.purpose == STAFF:
        _use(work, invitation, account)
        _join_staff(work, account, Role(invitation.role or ""))
    else:
        _link(work, invitation, account)


def welcome_back(work: Work) -> None:
    """Show a person who is known where they stand."""
    if work.caller.role in (Role.PATIENT, Role.CAREGIVER):
        start.go_on(work)
    else:
        screens.show_help(work)


def _use(work: Work, invitation: Invitation, account: Account) -> None:
    invitation.used_at, invitation.used_by_id = work.now, account.id
    # A link that still waits for the patient's word gives way to the newer one.
    for pending in work.session.exec(
        select(Link).where(Link.account_id == account.id, col(Link.ended_at).is_(None))
    ).all():
        pending.ended_at = work.now
    work.session.flush()


def _join_staff(work: Work, account: Account, role: Role) -> None:
    former = work.session.exec(select(StaffMember).where(StaffMember.account_id == account.id)).first()
    name = work.caller_name or work.text(f"role.{role}")
    if former is not None:
        former.role, former.revoked_at, former.granted_at, former.name = role, None, work.now, name
    else:
        work.session.add(StaffMember(account_id=account.id or 0, role=role, name=name, granted_at=work.now))
    work.session.flush()
    screens.set_commands(work, account, role)
    work.answer("start.staff", role=Text(f"role.{role}"), name=name)
    settings.ask_language(work)


def _link(work: Work, invitation: Invitation, account: Account) -> None:
    subject = work.session.get_one(Subject, invitation.subject_id)
    if invitation.purpose == CAREGIVER:
        patients = people.speakers(work.session, subject.id or 0, "patient")
        if not patients or subject.state != "on_study":
            # The link stays good: it works as soon as the patient has begun.
            work.answer("invitation.caregiver_too_early", phone=screens.phone(work))
            return
        _use(work, invitation, account)
        link = Link(account_id=account.id or 0, subject_id=subject.id or 0, relation=CAREGIVER, linked_at=work.now)
        work.session.add(link)
        work.session.flush()
        work.answer("start.caregiver_waits", phone=screens.phone(work))
        rows = [
            [Button("start.button.agree_caregiver", "caregiver.agree", {"link": link.id, "agree": True})],
            [Button("start.button.refuse_caregiver", "caregiver.agree", {"link": link.id, "agree": False})],
        ]
        for patient in patients:
            work.say(
                patient,
                "start.ask_caregiver",
                rows,
                single_use=True,
                subject_id=subject.id,
                name=work.caller_name,
            )
        return
    if people.speakers(work.session, subject.id or 0, "patient"):
        _refuse(work, account, "the patient is linked already")
        return
    _use(work, invitation, account)
    account.locale = subject.locale
    work.session.add(
        Link(
            account_id=account.id or 0,
            subject_id=subject.id or 0,
            relation=PATIENT,
            linked_at=work.now,
            agreed_at=work.now,
        )
    )
    work.session.flush()
    work.become(people.caller(work.session, account))
    start.ask_language(work)


def _revoke_earlier(work: Work, purpose: str, subject: Subject) -> None:
    for earlier in work.session.exec(
        select(Invitation).where(
            Invitation.subject_id == subject.id,
            Invitation.purpose == purpose,
            col(Invitation.used_at).is_(None),
            col(Invitation.revoked_at).is_(None),
        )
    ).all():
        earlier.revoked_at = work.now


def _locked_out(work: Work, account: Account) -> bool:
    since = work.now - timedelta(hours=1)
    tries = work.session.exec(
        select(func.count())
        .select_from(FailedInvitation)
        .where(FailedInvitation.account_id == account.id, col(FailedInvitation.at) > since)
    ).one()
    return tries >= TRIES_PER_HOUR


def _refuse(work: Work, account: Account, why: str) -> None:
    work.session.add(FailedInvitation(account_id=account.id or 0, at=work.now))
    audit.record(work.session, "invitation.refused", entity="account", entity_id=account.id, why=why)
    work.answer("invitation.refused", phone=screens.phone(work))


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
