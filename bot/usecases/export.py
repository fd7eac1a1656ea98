"""Which files may a physician ask for, and who asked for which?

The file is made by a job beside the other work, because reading everything takes seconds. The message that brings
it carries it sealed, and is blanked once it went out. It is not protected against saving: a file that cannot be
opened elsewhere is of no use to anybody.
"""

import base64
from dataclasses import dataclass
from typing import Any

from sqlmodel import col, func, select

from bot.domain.people import Caller
from bot.domain.roles import PHYSICIANS, Role
from bot.store import agenda, audit
from bot.store.models import Account, AgendaItem, StaffMember, Subject
from bot.work import Button, Work

MAKE = "export.make"
PURPOSE = "export"
LARGEST_MB = 45  # Telegram takes files of 50 MB from a bot, the rest is for the way
FORMS = ("both", "csv", "sdtm")
CANNOT = "no longer a physician"


@dataclass(frozen=True, slots=True)
class Ready:
    """A file that was made for somebody; without ``content`` it is too large for the chat."""

    content: bytes | None
    megabytes: int
    rows: int
    manifest_sha256: str


def ask(work: Work, _args: object = None) -> None:
    """Say what the file contains, and ask which one is wanted."""
    subjects = work.session.exec(select(func.count(col(Subject.id)))).one()
    rows = [[Button(f"export.button.{form}", "export.make", {"form": form})] for form in FORMS]
    work.answer("export.ask", [*rows, [Button("form.button.cancel", "export.cancel")]], single_use=True, n=subjects)


def cancel(work: Work, _args: dict[str, Any]) -> None:
    """Make nothing."""
    work.answer("export.cancelled")


def order(work: Work, args: dict[str, Any]) -> None:
    """Let the file be made; one person has one under way at a time."""
    audit.record(work.session, "export.asked", form=args["form"])
    key = f"{MAKE}:{work.caller.account_id}:{work.now.isoformat()}"
    work.plan(MAKE, key, work.now, work.caller.account_id, form=args["form"], locale=work.caller.locale)
    work.answer("export.begun")


def wanted_by(work: Work, item: AgendaItem) -> Caller | None:
    """Return who asked for a file, if they still may have it."""
    member = work.session.exec(
        select(StaffMember).where(StaffMember.account_id == item.about_id, col(StaffMember.revoked_at).is_(None))
    ).first()
    if member is None or member.role not in PHYSICIANS:
        return None
    return Caller(Role(member.role), item.about_id, str(item.detail["locale"]), staff_id=member.id)


def hand_over(work: Work, number: int, ready: Ready) -> None:
    """Send the file that was made to whoever asked for it, or say why there is none."""
    item = work.session.get_one(AgendaItem, number, with_for_update=True)
    if item.state != "waiting":
        return
    caller = wanted_by(work, item)
    if caller is None:
        agenda.close(item, "skipped", work.now, CANNOT)
        return
    work.become(caller)
    agenda.close(item, "done", work.now)
    account = work.session.get_one(Account, item.about_id)
    if ready.content is None:
        work.say(account, "export.too_large", purpose=PURPOSE, megabytes=ready.megabytes, most=LARGEST_MB)
        return
    form = str(item.detail["form"])
    note(work, ready.manifest_sha256, ready.rows, form)
    day = work.now.astimezone(work.settings.zone)
    document = {
        "kind": "base64",
        "name": f"{work.protocol.id}-{work.settings.site}-{day:%Y%m%d-%H%M}-{form}.zip",
        "content": base64.b64encode(ready.content).decode("ascii"),
    }
    digest = ready.manifest_sha256
    work.say(account, "export.file", purpose=PURPOSE, document=document, secret=True, rows=ready.rows, hash=digest)


def fail(work: Work, number: int) -> None:
    """Say that the file could not be made; whoever wants it asks again."""
    item = work.session.get_one(AgendaItem, number, with_for_update=True)
    if item.state != "waiting":
        return
    agenda.close(item, "skipped", work.now, "it could not be made")
    if wanted_by(work, item) is not None:
        work.say(work.session.get_one(Account, item.about_id), "export.failed", purpose=PURPOSE)


def note(work: Work, manifest_sha256: str, rows: int, form: str) -> None:
    """Leave an entry for an export: who has which copy (DI-06, DI-24)."""
    audit.record(work.session, "export.made", manifest_sha256=manifest_sha256, rows=rows, form=form)
