"""How does a report become a case that people are told of until one of them takes it over?"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam
from sqlalchemy import case as ranked
from sqlmodel import col, func, select

from bot.domain import escalation as rules
from bot.domain.escalation import CaseEvent, CaseState
from bot.domain.people import BOT
from bot.domain.reminders import daily_at, out_of_quiet
from bot.domain.roles import CLINICAL, EVERYONE
from bot.domain.urgency import Urgency
from bot.store import people, second_sends
from bot.store.models import (
    Account,
    AgendaItem,
    Escalation,
    EscalationStep,
    OutboxMessage,
    StaffMember,
    Subject,
)
from bot.usecases import on_call, polite, sae_clock, screens, staff_groups
from bot.work import Button, Day, Keyboard, Lane, Lines, Text, Work

PAGE = "page"
NEXT_PAGE = "escalation.page"
LAPSE = "escalation.lapse"
DIGEST = "escalation.digest"
SHOWN = 4  # how many of the things told are shown in a page; all of them stay in the case
# Characters of a person's words in a page; all of them stay in the inbox.
LONGEST_QUOTE = 3000
SYMPTOM = "symptom"
REQUEST = "request"
# When what was last done for a case; a clock that is set back must not put it into the future.
MOMENTS = ("last_paged_at", "acknowledged_at", "read_back_at", "tried_at")
REDS = tuple(level.value for level in Urgency if level.is_red)
BY_STAFF = "value:"  # how the source of a value begins that staff entered
OF_TABLETS = "tablets:"  # how the source of an answer about tablets begins; its days follow

Summary = Sequence[Text]


def raise_case(
    work: Work,
    subject: Subject,
    urgency: Urgency,
    because: Sequence[str],
    summary: Summary,
    *,
    kind: str = SYMPTOM,
    visit_id: int | None = None,
    source: str = "",
) -> Escalation:
    """Open a case and page the first level, or add to the case that is open already.

    One subject has at most one open symptom case: further reports join it, and a higher urgency
    starts its chain afresh. A request (another day, a call back) is a case of its own. What comes
    again from the same ``source`` (a report that goes on) takes the place of what it said before.
    """
    if kind == SYMPTOM and (present := open_case(work, subject)) is not None:
        _join(work, present, urgency, because, summary, source)
        return present
    if kind == REQUEST and (present := open_request(work, subject, because, visit_id)) is not None:
        add_to_request(work, present, urgency, because, summary, source)
        return present
    chain = chain_of(work, kind, urgency, because)
    case = Escalation(
        subject_id=_id(subject.id),
        kind=kind,
        urgency=urgency,
        state=CaseState.OPEN,
        chain=rules.chain_to_dict(chain),
        because=list(because),
        summary=json.dumps([_told(summary, source, **_heard(work, kind, urgency, because))], ensure_ascii=False),
        visit_id=visit_id,
        raised_by=work.caller.label,
        said_at=work.said_at,
        received_at=work.received_at,
        opened_at=work.now,
        chain_started_at=work.now,
    )
    work.session.add(case)
    work.session.flush()
    step(work, case, "raised", ", ".join(because))
    sae_clock.watch(work, case, because)
    _start_paging(work, case)
    return case


def chain_name(kind: str, urgency: Urgency) -> str:
    """Return the name of the chain in escalation.yaml that serves this kind of case."""
    if kind == REQUEST and urgency is Urgency.YELLOW:
        return "request"
    return "red" if urgency.is_red else str(urgency)


def chain_of(work: Work, kind: str, urgency: Urgency, because: Sequence[str]) -> rules.Chain:
    """Return the chain by which a case is paged; an amber one that may be of a serious event has its own."""
    name = chain_name(kind, urgency)
    if kind == SYMPTOM and urgency is Urgency.AMBER and work.protocol.adverse_events.serious.suspects(because):
        name = "sae"
    return work.protocol.chains[name]


_OPEN = select(Escalation).where(
    Escalation.subject_id == bindparam("subject_id"),
    Escalation.kind == bindparam("kind"),
    Escalation.state != CaseState.RESOLVED,
)
_OPEN_CASE = _OPEN.with_for_update()
_OPEN_REQUEST = _OPEN.where(col(Escalation.visit_id) == bindparam("visit_id"))
_OPEN_REQUEST_WITHOUT_VISIT = _OPEN.where(col(Escalation.visit_id).is_(None))


def open_case(work: Work, subject: Subject) -> Escalation | None:
    """Return the subject's open symptom case."""
    return work.session.exec(_OPEN_CASE, params={"subject_id": subject.id, "kind": SYMPTOM}).first()


def open_request(work: Work, subject: Subject, because: Sequence[str], visit_id: int | None) -> Escalation | None:
    """Return the open request for the same thing, so that asking twice makes one."""
    given: dict[str, object] = {"subject_id": subject.id, "kind": REQUEST}
    statement = _OPEN_REQUEST_WITHOUT_VISIT
    if visit_id is not None:
        statement, given["visit_id"] = _OPEN_REQUEST, visit_id
    for case in work.session.exec(statement, params=given).all():
        if list(case.because) == list(because):
            return case
    return None


def told_by(work: Work, subject: Subject, source: str) -> Escalation | None:
    """Return the subject's open symptom case if this source told it something."""
    case = open_case(work, subject)
    if case is None or all(each["source"] != source for each in json.loads(case.summary)):
        return None
    return case


def tell_anew(work: Work, case: Escalation, summary: Summary, source: str) -> None:
    """Let other words take the place of what a source told; the case stays as it is, for a person to close."""
    told = [each for each in json.loads(case.summary) if each["source"] != source]
    case.summary = json.dumps([*told, _told(summary, source)], ensure_ascii=False)
    work.session.flush()
    tell_paged(work, case)


def tell_paged(work: Work, case: Escalation) -> None:
    """Show whoever knows of a case how its words stand now."""
    joined = step(work, case, "joined")
    if case.pages or case.acknowledged_by_id is not None:
        _page(work, case, recipients(work, case), "case.page.more", f"more:{joined.id}")


def add_details(work: Work, case: Escalation, summary: Summary, source: str) -> None:
    """Let a source say more of what it told; nobody is paged for that, whoever opens the case sees it."""
    told = json.loads(case.summary)
    case.summary = json.dumps(
        [_told(summary, source) if each["source"] == source else each for each in told], ensure_ascii=False
    )
    step(work, case, "details")


def add_to_request(
    work: Work,
    case: Escalation,
    urgency: Urgency,
    because: Sequence[str],
    summary: Summary,
    source: str = "",
) -> None:
    """Let a request say more, and why; whoever knows of it already hears the new words."""
    told, new = json.loads(case.summary), _told(summary, source)
    if new in told:
        return
    case.because = list(dict.fromkeys([*case.because, *because]))
    told = [each for each in told if not source or each["source"] != source]
    case.summary = json.dumps([*told, new], ensure_ascii=False)
    joined = step(work, case, "joined")
    if urgency.rank > Urgency(case.urgency).rank:
        _upgrade(work, case, urgency)
        return
    if case.pages or case.acknowledged_by_id is not None:
        _page(work, case, recipients(work, case), "case.page.more", f"more:{joined.id}")


def _join(
    work: Work, case: Escalation, urgency: Urgency, because: Sequence[str], summary: Summary, source: str
) -> None:
    told = json.loads(case.summary)
    known = bool(source) and any(each["source"] == source for each in told)
    told = [each for each in told if not known or each["source"] != source]
    case.because = list(dict.fromkeys([*case.because, *because]))
    new = _told(summary, source, **_heard(work, case.kind, urgency, because))
    case.summary = json.dumps([*told, new], ensure_ascii=False)
    joined = step(work, case, "joined", ", ".join(because))
    sae_clock.watch(work, case, because)
    if urgency.rank > Urgency(case.urgency).rank:
        _upgrade(work, case, urgency)
    elif case.chain["urgency"] == "amber" and chain_of(work, case.kind, urgency, because).urgency == "sae":
        # It is taken over faster than the amber case that it joins.
        _upgrade(work, case, urgency)
    elif urgency.is_red and case.acknowledged_by_id is not None and not known:
        # Whoever took over the earlier danger may not be looking now: a new one pages from the start.
        page_afresh(work, case)
    elif urgency.is_red or case.acknowledged_by_id is not None:
        _page(work, case, recipients(work, case), "case.page.more", f"more:{joined.id}")


def _upgrade(work: Work, case: Escalation, urgency: Urgency) -> None:
    """Give an open case a higher urgency, and page by its chain."""
    step(work, case, "upgraded", f"{case.urgency} -> {urgency}")
    case.urgency = urgency
    case.chain = rules.chain_to_dict(chain_of(work, case.kind, urgency, case.because))
    page_afresh(work, case)


def page_afresh(work: Work, case: Escalation, event: CaseEvent = CaseEvent.RENEW) -> None:
    """Start the chain of an open case again from its first level; its owner hears of it as well."""
    owner = people.member(work.session, case.acknowledged_by_id) if case.acknowledged_by_id else None
    free(work, case, event, work.now)
    case.lapsed_at = None
    _start_paging(work, case, also=owner)


def free(work: Work, case: Escalation, event: CaseEvent, started_at: datetime) -> None:
    """Take a case from its owner, so that it is paged again by its chain as from ``started_at``."""
    case.state = rules.advance(CaseState(case.state), event)
    case.acknowledged_at = case.acknowledged_by_id = case.offered_to_id = None
    case.read_back_at = case.tried_at = case.contacted_at = None
    case.chain_started_at, case.last_paged_at, case.page_sent_at = started_at, None, None
    work.unplan("the chain starts again", kind=(NEXT_PAGE, LAPSE), about_id=case.id)


def hand_back(work: Work, staff_id: int) -> None:
    """Start the chains of all open cases that somebody had who is no longer staff."""
    for case in work.session.exec(
        select(Escalation).where(Escalation.acknowledged_by_id == staff_id, Escalation.state != CaseState.RESOLVED)
    ).all():
        step(work, case, "handed back")
        page_afresh(work, case, CaseEvent.HAND_BACK)


def _start_paging(work: Work, case: Escalation, also: tuple[StaffMember, Account] | None = None) -> None:
    if is_listed(case):
        # One list for all that can wait, so that staff are not flooded.
        case.chain_started_at = next_morning(work)
        plan_digest(work, case.chain_started_at)
        return
    first = _first_page_at(work, case)
    if first <= work.now:
        page(work, case, also)
    else:
        case.chain_started_at = first
        work.plan(NEXT_PAGE, f"page:{case.id}:{first.isoformat()}", first, _id(case.id), subject_id=case.subject_id)


def is_listed(case: Escalation) -> bool:
    """Return whether a case can wait for the next list instead of being paged at once."""
    return case.kind == SYMPTOM and Urgency(case.urgency) is Urgency.YELLOW


def plan_digest(work: Work, at: datetime) -> None:
    """Enter the list of that moment, unless it waits already."""
    key = f"digest:{at.isoformat()}"
    if work.plan(DIGEST, key, at, 0):
        return
    waits = select(AgendaItem.id).where(
        AgendaItem.kind == DIGEST, AgendaItem.due_at == at, AgendaItem.state == "waiting"
    )
    if work.session.exec(waits).first() is None:
        # It has gone out or was lost, and then the clock was set back before it, or somebody missed it.
        work.plan(DIGEST, f"{key}:{work.now.isoformat()}", at, 0)


def next_morning(work: Work) -> datetime:
    """Return when what can wait goes out: at the opening of the next working day, but within the digest's days."""
    zone, at = work.settings.zone, work.protocol.yellow_at
    first = work.today if daily_at(work.today, at, zone) > work.now else work.today + timedelta(days=1)
    last = work.today + timedelta(days=work.protocol.digest.waits_at_most_days)
    return daily_at(work.clinic.next_open(first, last) or last, at, zone)


def _first_page_at(work: Work, case: Escalation) -> datetime:
    """Return when the first page goes out: a request does not ring at night."""
    if case.kind == SYMPTOM:
        return work.now
    return out_of_quiet(work.now, work.settings.zone, work.protocol.quiet_hours)


def page_due(work: Work, item: AgendaItem) -> str:
    """Send the page whose time has come, unless somebody has taken over; return what was done."""
    case = work.session.get_one(Escalation, item.about_id)
    if not rules.awaits_acknowledgement(CaseState(case.state)):
        return "taken over"
    chain = rules.chain_from_dict(case.chain)
    coming = rules.next_page(chain, case.chain_started_at, case.pages, case.last_paged_at, work.now)
    if coming is not None and coming.due_at > work.now:
        # The clock was set back. Planned anew under the key that this entry has, the page would be forgotten.
        item.due_at = coming.due_at
        return polite.PUT_OFF
    page(work, case)
    return "paged"


def page(work: Work, case: Escalation, also: tuple[StaffMember, Account] | None = None, *, again: str = "") -> None:
    """Page the level whose time has come, and plan the next page; ``again`` if that may have been planned before."""
    chain = rules.chain_from_dict(case.chain)
    coming = rules.next_page(chain, case.chain_started_at, case.pages, case.last_paged_at, work.now)
    if coming is not None and coming.due_at <= work.now:
        reached = on_call.whom(work, coming.roles)
        recipients = list(reached.people)
        if also is not None and also[1].id not in [account.id for _, account in recipients]:
            recipients.append(also)
        case.pages += 1
        case.last_paged_at = work.now
        case.state = rules.advance(CaseState(case.state), CaseEvent.PAGE)
        named = ", ".join(str(member.id) for member, _ in recipients)
        step(work, case, "paged", f"{coming.step + 1}: {named}{reached.note}", BOT.label)
        # After an outage one page goes out, the newest.
        work.silence("a newer page takes its place", purpose=PAGE, about_id=case.id)
        accounts = [account for _, account in recipients]
        _page(work, case, accounts, "case.page", str(case.pages), stand_in=reached.line)
        if not coming.repeat:
            staff_groups.ring(work, case)
        if not recipients and Urgency(case.urgency).is_red:
            tell_nobody_reached(work, case)
        elif any(each.tell_subject for each in chain.steps[: coming.step + 1]):
            # Once, also when an outage went over that level.
            once = case.chain_started_at.isoformat()
            tell_subject(work, case, "case.nobody_took_over", lane=Lane.RED, once=once)
        coming = rules.next_page(chain, case.chain_started_at, case.pages, case.last_paged_at, work.now)
    if coming is not None:
        work.plan(
            NEXT_PAGE,
            f"page:{case.id}:{coming.number}:{coming.due_at.isoformat()}{again}",
            coming.due_at,
            _id(case.id),
            subject_id=case.subject_id,
        )


def reachable(work: Work, roles: Sequence[str]) -> list[tuple[StaffMember, Account]]:
    """Return whom a page to these roles reaches now."""
    return list(on_call.whom(work, roles).people)


def page_failed(work: Work, message: OutboxMessage) -> None:
    """Page others at once when no page of a round can arrive: of a red one every other clinician."""
    case = work.session.get_one(Escalation, message.about_id)
    if not rules.awaits_acknowledgement(CaseState(case.state)):
        return
    pages = _of_this_round(work, case)
    if _arrives(pages):
        return
    if not Urgency(case.urgency).is_red:
        _page_instead(work, case, message.account_id)
        return
    tried = {each.account_id for each in pages}
    others = [
        account
        for _, account in people.staff(work.session, [EVERYONE])
        if account.id not in tried and account.unreachable_at is None
    ]
    step(work, case, "not delivered", message.reason, BOT.label)
    if others:
        _page(work, case, others, "case.page", f"{case.pages}:everyone")
    else:
        tell_nobody_reached(work, case)


def page_instead(work: Work, account_id: int) -> None:
    """Page whoever is there where a round was waiting for somebody who has just left, and reaches nobody else."""
    left = select(OutboxMessage.about_id).where(
        OutboxMessage.account_id == account_id,
        OutboxMessage.purpose == PAGE,
        OutboxMessage.state == "skipped",
        OutboxMessage.closed_at == work.now,
    )
    cases = select(Escalation).where(col(Escalation.id).in_(left), col(Escalation.state).in_(rules.UNRESOLVED))
    for case in work.session.exec(cases.order_by(col(Escalation.id))).all():
        if rules.awaits_acknowledgement(CaseState(case.state)) and not _arrives(_of_this_round(work, case)):
            _page_instead(work, case, account_id)


def _page_instead(work: Work, case: Escalation, account_id: int) -> None:
    """Page again the level that was paged last: whom it reaches now, without ``account_id``."""
    if case.last_paged_at is None:
        return
    chain = rules.chain_from_dict(case.chain)
    level = rules.level_paged(chain, case.chain_started_at, case.last_paged_at)
    reached = on_call.whom(work, chain.steps[level].roles)
    others = [each for each in reached.people if each[1].id != account_id and each[1].unreachable_at is None]
    if not others:
        return
    named = ", ".join(str(member.id) for member, _ in others)
    step(work, case, "paged", f"{level + 1}: {named}{reached.note}", BOT.label)
    accounts = [account for _, account in others]
    _page(work, case, accounts, "case.page", f"{case.pages}:instead of {account_id}", stand_in=reached.line)


def _of_this_round(work: Work, case: Escalation) -> Sequence[OutboxMessage]:
    return work.session.exec(
        select(OutboxMessage).where(
            OutboxMessage.purpose == PAGE,
            OutboxMessage.about_id == case.id,
            col(OutboxMessage.dedupe_key).startswith(f"page:{case.id}:{case.pages}:"),
        )
    ).all()


def _arrives(pages: Sequence[OutboxMessage]) -> bool:
    return any(each.state in ("waiting", "sending", "sent", "unsure") for each in pages)


def recipients(work: Work, case: Escalation) -> list[Account]:
    """Return who hears of what is new in a case: its owner, else whom its first page reaches."""
    if case.acknowledged_by_id is not None:
        owner = people.member(work.session, case.acknowledged_by_id)
        if owner is not None and owner[1].unreachable_at is None:
            return [owner[1]]
    first = rules.chain_from_dict(case.chain).steps[0]
    return [account for _, account in reachable(work, first.roles)]


def _page(
    work: Work,
    case: Escalation,
    recipients: Sequence[Account],
    key: str,
    number: str,
    *,
    stand_in: Lines | str = "",
) -> None:
    urgency = Urgency(case.urgency)
    lane = Lane.RED if urgency.is_red else Lane.AMBER
    subject = work.session.get_one(Subject, case.subject_id)
    taken = case.acknowledged_by_id is not None
    buttons = [] if taken else [[Button("case.button.acknowledge", "case.acknowledge", {"case": case.id})]]
    buttons.append(to_case(case))
    for account in recipients:
        work.say(
            account,
            key,
            buttons,
            lane=lane,
            purpose=PAGE,
            about_id=case.id,
            subject_id=case.subject_id,
            dedupe_key=f"page:{case.id}:{number}:{account.id}",
            silent=urgency is Urgency.YELLOW,
            level=Text(level_of(case)),
            number=case.id,
            code=subject.code,
            phone=subject.phone or Text("case.no_phone"),
            who=Text(f"relation.{relation_of(case)}"),
            summary=summary_of(case),
            repeat=Text("case.repeat", {"n": case.pages}) if case.pages > 1 else "",
            details=details_of(work, subject),
            stand_in=stand_in,
        )


def level_of(case: Escalation) -> str:
    """Return the text key of how urgent a case is; a request that can wait is just a request."""
    plain = case.kind == REQUEST and case.urgency == Urgency.YELLOW
    return "urgency.request" if plain else f"urgency.{case.urgency}"


def relation_of(case: Escalation) -> str:
    """Return who reported: patient, caregiver, staff (a value), or the bot itself (silence, an outage)."""
    relation = case.raised_by.split(":", 1)[0]
    return relation if relation in ("patient", "caregiver", "staff") else "bot"


def details_of(work: Work, subject: Subject) -> Text:
    """Return what staff want to know before they phone: age and arm."""
    return Text(
        "case.details",
        {"arm": Text(work.protocol.arms[subject.arm].name), "age": screens.age(work, subject)},
    )


def page_sent(work: Work, message: OutboxMessage) -> None:
    """Note that a page really went out; only now may the patient hear that staff were alerted."""
    reached(work, work.session.get_one(Escalation, message.about_id))


def reached(work: Work, case: Escalation) -> None:
    """Note that a page of a case has really left, by whatever way."""
    if case.page_sent_at is not None:
        return
    case.page_sent_at = work.now
    case.first_page_sent_at = case.first_page_sent_at or work.now
    if case.kind == SYMPTOM and Urgency(case.urgency).is_red:
        again = case.lapsed_at is not None and rules.awaits_acknowledgement(CaseState(case.state))
        tell_subject(work, case, "triage.paged_again" if again else "triage.paged", lane=Lane.RED)


def tell_member(work: Work, case: Escalation, account: Account, key: str, rows: Keyboard = (), **more: Any) -> None:
    """Say something about a case to a member of staff, as urgent as it is, with its number, code and a way to it."""
    said = {
        "lane": Lane.RED if Urgency(case.urgency).is_red else Lane.AMBER,
        "purpose": "case",
        "about_id": case.id,
        "subject_id": case.subject_id,
        "number": case.id,
        "code": work.session.get_one(Subject, case.subject_id).code,
        **more,
    }
    work.say(account, key, [*rows, to_case(case)], **said)


def to_case(case: Escalation) -> list[Button]:
    """Return the row that opens a case."""
    return [Button("case.button.open", "case.open", {"case": case.id})]


def tell_nobody_reached(work: Work, case: Escalation) -> None:
    """Tell the subject that Telegram reaches nobody, unless the second channel may; that tells when it fails too."""
    if not second_sends.hopes(work.session, case, work.settings.second_channels):
        tell_subject(work, case, "case.nobody_reached", lane=Lane.RED)


def is_known_to_subject(case: Escalation) -> bool:
    """Return whether the subject had a part in a case; of values that staff entered, staff tell them themselves."""
    return any(not each["source"].startswith(BY_STAFF) for each in json.loads(case.summary))


def tell_subject(
    work: Work, case: Escalation, key: str, *, lane: Lane = Lane.ANSWER, once: str = "", **values: Any
) -> None:
    """Say something about a case to everybody who speaks for the subject, if they know of it.

    Once for each round of pages, or for each ``once``.
    """
    if not is_known_to_subject(case):
        return
    for account in people.speakers(work.session, case.subject_id):
        work.say(
            account,
            key,
            lane=lane,
            purpose="case",
            about_id=case.id,
            subject_id=case.subject_id,
            dedupe_key=f"{key}:{case.id}:{once or case.pages}:{account.id}",
            phone=work.settings.site_phone,
            **values,
        )


def phone_of(work: Work, subject: Subject) -> str | Text:
    """Return the call-back number for those who may ring; a monitor reads everything but this."""
    if work.caller.role not in CLINICAL:
        return Text("patient.phone_hidden")
    return subject.phone or Text("case.no_phone")


def step(work: Work, case: Escalation, what: str, said: str | None = None, by: str | None = None) -> EscalationStep:
    """Write down one thing that happened to a case; ``by`` somebody else than who acts: the bot."""
    row = EscalationStep(escalation_id=_id(case.id), what=what, at=work.now, by=by or work.caller.label, said=said)
    work.session.add(row)
    work.session.flush()
    return row


def summary_of(case: Escalation, *, whole: bool = False) -> Lines:
    """Return what was reported, a line each, in the language of whoever reads it; the newest part, or all."""
    told = json.loads(case.summary)
    hidden = 0 if whole else max(len(told) - SHOWN, 0)
    earlier = [Text("case.summary.earlier", {"n": hidden})] if hidden else []
    return Lines([*earlier, *(_text(line) for each in told[hidden:] for line in each["lines"])])


def _told(summary: Summary, source: str, **heard: Any) -> dict[str, Any]:
    return {"source": source, "lines": [_entry(text) for text in summary], **heard}


def _heard(work: Work, kind: str, urgency: Urgency, because: Sequence[str]) -> dict[str, Any]:
    """Return when a symptom was told, by whom and how urgent it was: free words leave this nowhere else."""
    if kind != SYMPTOM:
        return {}
    return {"at": work.now.isoformat(), "by": work.caller.label, "urgency": urgency, "because": list(because)}


@dataclass(frozen=True, slots=True)
class Heard:
    """Free words that a case was told: when, by whom, how urgent, by which rules."""

    at: datetime
    by: str
    urgency: Urgency
    because: tuple[str, ...]


def words_heard(case: Escalation) -> list[Heard]:
    """Return the free words of a case and what it was told of tablets; the rest has a row of its own elsewhere."""
    return [
        Heard(
            datetime.fromisoformat(each["at"]) if "at" in each else case.opened_at,
            each.get("by", case.raised_by),
            Urgency(each.get("urgency", case.urgency)),
            tuple(each.get("because", case.because)),
        )
        for each in json.loads(case.summary)
        if not each["source"] or ("at" in each and each["source"].startswith(OF_TABLETS))
    ]


def _entry(said: object) -> Any:
    """Return a text as JSON, so that each reader gets it in their own language later."""
    match said:
        case Text(key, values):
            return {"text": key, "values": {name: _entry(value) for name, value in values.items()}}
        case Day(day, style):
            return {"day": day.isoformat(), "style": style}
        case Lines(lines, between):
            return {"lines": [_entry(line) for line in lines], "between": between}
        case _:
            return said


def _text(entry: Any) -> Any:
    match entry:
        case {"text": key, "values": values}:
            return Text(key, {name: _text(value) for name, value in values.items()})
        case {"day": day, "style": style}:
            return Day(date.fromisoformat(day), style)
        case {"lines": lines, "between": between}:
            return Lines([_text(line) for line in lines], between)
        case _:
            return entry


def _id(value: int | None) -> int:
    assert value is not None, "the row has been flushed"
    return value


def pass_on(work: Work, subject: Subject, words: str) -> None:
    """Give staff what a patient wrote, as a request; a long text is cut here, all of it stays in the inbox."""
    raise_case(work, subject, Urgency.YELLOW, ["message"], [quote(words)], kind=REQUEST)


def quote(words: str) -> Text:
    """Return a person's words as a line of a case."""
    return Text("report.line.words", {"words": cut(words)})


def cut(words: str, longest: int = LONGEST_QUOTE) -> str:
    """Return somebody's words as far as they fit into a message, with a mark where they go on."""
    return words if len(words) <= longest else f"{words[:longest]} [...]"


def count_open(work: Work) -> int:
    return work.session.exec(
        select(func.count()).select_from(Escalation).where(Escalation.state != CaseState.RESOLVED)
    ).one()


def open_cases(work: Work, first: int, many: int) -> Sequence[tuple[Escalation, Subject]]:
    """Return ``many`` open cases from the ``first`` on: the red, the overdue, the most urgent, the oldest first."""
    rank = ranked({level.value: level.rank for level in Urgency}, value=col(Escalation.urgency))
    return work.session.exec(
        select(Escalation, Subject)
        .join(Subject, col(Escalation.subject_id) == col(Subject.id))
        .where(Escalation.state != CaseState.RESOLVED)
        .order_by(
            # An overdue request never hides a danger that came a minute ago.
            col(Escalation.urgency).not_in(REDS),
            col(Escalation.overdue).is_(None),
            col(Escalation.kind) == REQUEST,
            rank.desc(),
            col(Escalation.opened_at),
            col(Escalation.id),
        )
        .offset(first)
        .limit(many)
    ).all()


def tell_staff(work: Work, subject: Subject, key: str, **values: Any) -> None:
    """Tell the coordinators something about a subject that nobody has to take over."""
    for _, account in people.staff(work.session, ["coordinator"]):
        work.say(account, key, lane=Lane.AMBER, purpose="staff", subject_id=subject.id, code=subject.code, **values)
