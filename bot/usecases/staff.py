"""Who is staff, and how does an admin see and end a role?"""

from typing import Any

from sqlmodel import col, select

from bot.domain.roles import CLINICAL, Role
from bot.store import audit
from bot.store.models import Account, StaffMember
from bot.usecases import escalate, forms, refusals, screens, shifts
from bot.work import EDIT, Button, Lines, Text, Work


def show(work: Work, _args: object = None) -> None:
    """List the staff; an admin can end a role with one tap and a second to confirm."""
    members = work.session.exec(
        select(StaffMember).where(col(StaffMember.revoked_at).is_(None)).order_by(col(StaffMember.id))
    ).all()
    rows = [
        [Button("staff.button.end", "staff.ask_end", {"staff": member.id}, values={"name": member.name})]
        for member in members
        if member.id != work.caller.staff_id
    ]
    audit.record(work.session, "staff.listed")
    lines = [_line(member) for member in members]
    work.answer("staff.title", rows, lines=Lines(lines))


def _line(member: StaffMember) -> Text:
    """Return one member of staff; whether an address for alerts is set, never which."""
    address = Text("staff.email.missing" if member.email is None else "staff.email.set")
    email = address if member.role in CLINICAL else ""
    values: dict[str, object] = {
        "number": member.id,
        "name": member.name,
        "role": Text(f"role.{member.role}"),
        "email": email,
    }
    return Text("staff.line", values)


def ask_end(work: Work, args: dict[str, Any]) -> None:
    member = work.session.get_one(StaffMember, args["staff"])
    rows = [
        [Button("staff.button.end_yes", "staff.end", args)],
        [Button("form.button.no", "staff.show")],
    ]
    work.answer("staff.ask_end", rows, single_use=True, name=member.name, role=Text(f"role.{member.role}"))


def end(work: Work, args: dict[str, Any]) -> None:
    """End a role: from the next second nothing goes to this person and they read nothing."""
    member = work.session.get_one(StaffMember, args["staff"])
    if member.id == work.caller.staff_id:
        raise refusals.NotForYou
    member.revoked_at, member.on_duty, member.email = work.now, False, None
    work.session.flush()
    work.silence("no longer staff", account_id=member.account_id)
    work.silence("no longer staff", account_id=member.account_id, purpose=EDIT)
    forms.close_of(work, member.account_id)
    shifts.leave(work, member.id or 0)
    escalate.hand_back(work, member.id or 0)
    escalate.page_instead(work, member.account_id)
    screens.set_commands(work, work.session.get_one(Account, member.account_id), Role.STRANGER)
    work.answer("staff.ended", name=member.name)
