"""What becomes of a photo, a voice message or a file that a patient sends: a person looks at it.

The bot reads none of it and fetches none of it. Telegram keeps the file and shows it again, to the member of staff
who asks, under the number it gave it. The pieces of an album come one by one, in any order and at any time; they
are one thing to look at.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import select

from bot.domain.escalation import CaseState
from bot.domain.roles import CLINICAL
from bot.domain.urgency import Urgency
from bot.store import audit, people
from bot.store import evidence as stored
from bot.store.measurements import SLIP
from bot.store.models import Account, Escalation, Evidence, EvidenceFile, OutboxMessage, Subject
from bot.usecases import cases, escalate, forms, owning, reasons, screens
from bot.usecases.forms import Choice, Field, Form, Values
from bot.work import Button, Day, Lines, Text, Work

# As Telegram names what a message holds. An animation is named as a document too, so it comes first.
KINDS = ("animation", "photo", "voice", "audio", "video", "video_note", "document")
FILE = "evidence.file"  # the purpose of a message that shows a file
SEEN = "evidence_seen"
# Characters of a caption in a case; all of them are kept.
LONGEST_QUOTE = 1000


@dataclass(frozen=True, slots=True)
class Sent:
    """A file in a message, as Telegram describes it; ``album`` is what the pieces of an album have in common."""

    kind: str
    message_id: int
    at: datetime
    bot_id: int
    file_id: str
    unique_id: str
    caption: str | None = None
    album: str | None = None
    mime: str | None = None
    size: int | None = None

    @property
    def parcel(self) -> str:
        return f"message:{self.message_id}" if self.album is None else f"{stored.ALBUM}:{self.album}"


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that is kept now. ``begins``: it is the first of what was sent, the only one that is answered."""

    item: Evidence
    begins: bool


# What the patient does


def keep(work: Work, sent: Sent) -> Kept | None:
    """Keep a file of a patient on study; return None when this very message is kept already."""
    account_id = work.caller.account_id
    present = stored.of_parcel(work.session, account_id, sent.bot_id, sent.parcel)
    item = present or Evidence(
        subject_id=screens.subject_of(work).id or 0,
        account_id=account_id,
        bot_id=sent.bot_id,
        parcel=sent.parcel,
        kind=sent.kind,
        sent_at=sent.at,
        received_at=work.now,
        given_by=work.caller.label,
    )
    if present is not None and any(
        each.message_id == sent.message_id for each in stored.files(work.session, present)
    ):
        return None
    work.session.add(item)
    work.session.flush()
    file = EvidenceFile(
        evidence_id=item.id or 0,
        message_id=sent.message_id,
        kind=sent.kind,
        file_id=sent.file_id,
        file_unique_id=sent.unique_id,
        mime=sent.mime,
        size=sent.size,
        caption=sent.caption,
        sent_at=sent.at,
        received_at=work.now,
        given_by=work.caller.label,
    )
    work.session.add(file)
    work.session.flush()
    _tell_staff(work, item, file, begins=present is None)
    return Kept(item, begins=present is None)


def _tell_staff(work: Work, item: Evidence, file: EvidenceFile, *, begins: bool) -> None:
    """Make it a request; a further piece is told of only if it says something or comes after somebody looked."""
    lines = [_told(work, item), *_captions(work, item)]
    if not begins:
        case = work.session.get_one(Escalation, item.escalation_id)
        looked_at = item.first_viewed_at is not None or item.dealt_with_at is not None
        late = looked_at or case.state == CaseState.RESOLVED
        if not late and not file.caption:
            return
        lines += [Text("request.sent.more")] if late else []
        item.dealt_with_at = item.dealt_with_by = None
    request = escalate.raise_case(
        work,
        work.session.get_one(Subject, item.subject_id),
        Urgency.YELLOW,
        [f"sent.{item.kind}"],
        lines,
        kind=escalate.REQUEST,
        source=f"evidence:{item.id}",
    )
    item.escalation_id = request.id
    work.session.flush()


def _told(work: Work, item: Evidence) -> Text:
    sent = item.sent_at.astimezone(work.settings.zone)
    values: dict[str, object] = {
        "who": _sender(item),
        "what": what(item),
        "day": Day(sent.date(), "short_day"),
        "time": f"{sent:%H:%M}",
    }
    return Text("request.sent", values)


def _sender(sent: Evidence | EvidenceFile) -> Text:
    """Return who sent it: the patient, or a caregiver."""
    return Text(f"relation.{sent.given_by.partition(':')[0]}")


def _captions(work: Work, item: Evidence) -> list[Text]:
    found = (each.caption for each in stored.files(work.session, item))
    return [Text("report.line.words", {"words": _quoted(caption)}) for caption in found if caption]


def _quoted(caption: str) -> str:
    """Return a caption as it is shown; one that is cut says so."""
    return caption if len(caption) <= LONGEST_QUOTE else f"{caption[: LONGEST_QUOTE - 1]}…"


def what(item: Evidence) -> Text:
    """Return what was sent, as everybody reads it."""
    return Text(f"evidence.what.{stored.kind_of(item)}")


def answer(work: Work, item: Evidence) -> None:
    """Say that a person will look, that nobody has yet, and where help is now."""
    work.answer(
        "evidence.received",
        [[Button("menu.button.unwell", "menu.unwell")]],
        dedupe_key=f"evidence:{item.id}",
        sent=what(item),
        phone=screens.phone(work),
    )


def not_kept(work: Work, kind: str) -> None:
    """Keep nothing of who is not on study; staff hear that something came, so that somebody asks."""
    named = Text(f"evidence.what.{kind}")
    escalate.raise_case(
        work,
        screens.subject_of(work),
        Urgency.YELLOW,
        ["sent.not_kept"],
        [Text("request.not_kept", {"what": named})],
        kind=escalate.REQUEST,
    )
    work.answer("evidence.not_on_study", sent=named, phone=screens.phone(work))


# What staff do


def show_list(work: Work, args: dict[str, Any]) -> None:
    """List what was sent for a subject, the newest first."""
    subject, page = work.session.get_one(Subject, args["subject"]), int(args.get("page", 0))
    audit.record(work.session, "evidence.listed", entity="subject", entity_id=subject.id, page=page)
    count = stored.count(work.session, subject.id)
    rows = []
    for item in stored.listed(work.session, subject.id, page * cases.PER_PAGE, cases.PER_PAGE):
        values = {"mark": _mark(item), "at": _moment(work, item.sent_at), "what": what(item)}
        rows.append([Button("evidence.row", "evidence.open", {"evidence": item.id}, values=values)])
    rows += [*cases.pager("evidence.list", page, count, subject=subject.id), screens.back_to(subject)]
    work.answer("evidence.title" if count else "evidence.none", rows, code=subject.code, n=count)


def _mark(item: Evidence) -> str:
    return "✅" if item.dealt_with_at else "👁" if item.first_viewed_at else "🆕"


def _moment(work: Work, at: datetime) -> str:
    return work.texts.moment(at, work.settings.zone, work.caller.locale)


def open_item(work: Work, args: dict[str, Any]) -> None:
    """Show what is known of something that was sent: from whom, when, who looked, what became of it."""
    item = work.session.get_one(Evidence, args["evidence"])
    audit.record(work.session, "evidence.opened", entity="evidence", entity_id=item.id)
    _card(work, item)


def _card(work: Work, item: Evidence) -> None:
    subject = work.session.get_one(Subject, item.subject_id)
    work.answer(
        "evidence.card",
        _buttons(work, item, subject, shown=False),
        code=subject.code,
        what=what(item),
        n=len(stored.files(work.session, item)),
        who=_sender(item),
        at=_moment(work, item.sent_at),
        words=Lines(_captions(work, item) or [Text("evidence.no_words")]),
        viewed=_by(work, item.first_viewed_at, item.first_viewed_by, "evidence.viewed.nobody"),
        dealt=_by(work, item.dealt_with_at, item.dealt_with_by, "evidence.dealt.nobody"),
        note=item.note or Text("form.none"),
    )


def _by(work: Work, at: datetime | None, by: str | None, nobody: str) -> Text:
    if at is None or by is None:
        return Text(nobody)
    return Text("evidence.by", {"name": owning.by_whom(work, by), "at": _moment(work, at)})


def _buttons(work: Work, item: Evidence, subject: Subject, *, shown: bool) -> list[list[Button]]:
    args, rows = {"evidence": item.id}, []
    if work.caller.role in CLINICAL:
        if not shown:
            rows.append([Button("evidence.button.show", "evidence.show", args)])
        if item.kind in cases.SLIPS:
            slip = {"subject": item.subject_id, "source": SLIP, **args}
            rows.append([Button("evidence.button.values", "labs.enter", slip)])
        if item.dealt_with_at is None:
            rows.append([Button("evidence.button.dealt", "evidence.dealt", args)])
    case = work.session.get(Escalation, item.escalation_id)
    if case is not None and case.state != CaseState.RESOLVED:
        rows.append([Button("patient.button.case", "case.open", {"case": case.id}, values={"number": case.id})])
    rows.append([Button("patient.button.evidence", "evidence.list", {"subject": item.subject_id})])
    rows.append(screens.back_to(subject))
    return rows


def show(work: Work, args: dict[str, Any]) -> None:
    """Let Telegram show the files to who asks, and nobody else."""
    item = work.session.get_one(Evidence, args["evidence"])
    subject = work.session.get_one(Subject, item.subject_id)
    audit.record(work.session, "evidence.shown", entity="evidence", entity_id=item.id)
    if item.bot_id != work.deps.bot_id:
        work.answer("evidence.other_bot", _buttons(work, item, subject, shown=True), code=subject.code)
        return
    for file in stored.files(work.session, item):
        work.answer(
            "evidence.file",
            file={"kind": file.kind, "file_id": file.file_id},
            purpose=FILE,
            about_id=file.id,
            code=subject.code,
            who=_sender(file),
            at=_moment(work, file.sent_at),
            words=_quoted(file.caption or ""),
        )
    work.answer("evidence.above", _buttons(work, item, subject, shown=True), code=subject.code, what=what(item))


def shown(work: Work, message: OutboxMessage) -> None:
    """Keep who was the first to have a file on the screen, and when: that is when the site knew."""
    item = _item(work, message)
    if item.first_viewed_at is None:
        account = work.session.get_one(Account, message.account_id)
        item.first_viewed_at, item.first_viewed_by = work.now, people.caller(work.session, account).label
        work.session.flush()


def refused(work: Work, message: OutboxMessage) -> None:
    """Tell who asked that Telegram does not show the file (any more), once for all files of an album."""
    item = _item(work, message)
    subject = work.session.get_one(Subject, item.subject_id)
    work.say(
        work.session.get_one(Account, message.account_id),
        "evidence.refused",
        [screens.back_to(subject)],
        dedupe_key=f"evidence:refused:{item.id}:{message.account_id}:{message.created_at.isoformat()}",
        code=subject.code,
        what=what(item),
    )


def _item(work: Work, message: OutboxMessage) -> Evidence:
    file = work.session.get_one(EvidenceFile, message.about_id)
    return work.session.get_one(Evidence, file.evidence_id)


def start_dealing(work: Work, args: dict[str, Any]) -> None:
    """Begin to write down that something was dealt with."""
    item = work.session.get_one(Evidence, args["evidence"])
    if item.dealt_with_at is not None:
        work.note("evidence.toast.dealt")
        _card(work, item)
        return
    forms.open_form(work, FORM, evidence=item.id)


def _said(work: Work, values: Values) -> dict[str, object]:
    item = work.session.get_one(Evidence, values["evidence"])
    return {"code": work.session.get_one(Subject, item.subject_id).code, "what": what(item)}


def _no_note(_work: Work, _values: Values) -> list[Choice]:
    return [Choice("evidence.button.no_note", None)]


def _finish(work: Work, values: Values) -> None:
    item = work.session.exec(select(Evidence).where(Evidence.id == values["evidence"]).with_for_update()).one()
    if item.dealt_with_at is None:
        item.dealt_with_at, item.dealt_with_by, item.note = work.now, work.caller.label, values["note"]
        work.session.flush()
        _settle(work, item)
    _card(work, item)


def _settle(work: Work, item: Evidence) -> None:
    """Close the request when nothing that it told of is left to deal with."""
    case = work.session.exec(select(Escalation).where(Escalation.id == item.escalation_id).with_for_update()).one()
    if case.state == CaseState.RESOLVED or not all(each.startswith("sent.") for each in case.because):
        return
    if all(each.dealt_with_at is not None for each in stored.of_case(work.session, case.id)):
        cases.settle(work, case, SEEN)


FORM = forms.register(
    Form(
        "evidence.dealt",
        (Field("note", "evidence.ask.note", _no_note, reasons.own_words, said_with=_said),),
        _finish,
        frozenset(CLINICAL),
    )
)
