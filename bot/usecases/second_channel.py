"""What leaves by another way when Telegram does not confirm a page, and what follows from its fate?

E-mail and webhook leave the building, so their words hold no health data: how urgent, which case, which page,
how old, and where to look. Whom to reach, and whether that is still needed, is looked up just before a send.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlmodel import Session

from bot.deps import Deps
from bot.domain import escalation as cases
from bot.domain import second_channel as rules
from bot.domain.escalation import CaseState
from bot.domain.people import BOT
from bot.domain.second_channel import EMAIL, WEBHOOK, Why
from bot.domain.urgency import Urgency
from bot.store import second_sends
from bot.store.models import Account, Escalation, SecondSend, StaffMember
from bot.store.second_sends import PAGE, TEST, Paged
from bot.texts import Texts
from bot.usecases import escalate, screens
from bot.work import Lane, Work

log = structlog.get_logger(__name__)

NO_ADDRESS, NO_LONGER_STAFF, NOT_NEEDED = "no address", "no longer staff", "not needed any more"
TAKEN_OVER = "taken over"
AGAIN = ":again"


@dataclass(frozen=True, slots=True)
class Letter:
    """What one send says, and to whom; ``id`` is the same when it is said again."""

    id: str
    kind: str  # page | test
    channel: str
    address: str | None
    locale: str
    subject: str
    body: str
    phone: str
    at: datetime
    staff: int | None = None
    role: str | None = None
    urgency: str | None = None  # red | amber
    case: int | None = None
    page: int | None = None
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A letter that is to leave now, with the row that keeps its fate."""

    number: int
    epoch: int
    letter: Letter


# What has to leave


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the database finds: whether there is work, and which ways reach none of those who need them."""

    work: bool
    in_vain: frozenset[str] = frozenset()


def look(session: Session, deps: Deps) -> Look:
    """Tell whether there is anything to plan, to send or to settle."""
    now, channels = deps.clock.now(), deps.settings.second_channels
    if not channels:
        return Look(second_sends.has_work(session, now))
    needed = [each for each in second_sends.paged(session) if _why(deps, each, now) is not None]
    reaching = {channel for each in needed for channel in _channels(each, channels)}
    in_vain = frozenset(set(channels) - reaching) if needed else frozenset()
    keys = {_key(channel, each) for each in needed for channel in _channels(each, channels)}
    new = bool(keys) and len(second_sends.by_key(session, keys)) < len(keys)
    return Look(new or second_sends.has_work(session, now), in_vain)


def plan(work: Work) -> int:
    """Enter what has to leave by the second channel; return how many sends are new."""
    needed = [(each, why) for each in second_sends.paged(work.session) if (why := _why(work.deps, each, work.now))]
    new = 0
    for each, why in needed:
        channels = _channels(each, work.settings.second_channels)
        known = second_sends.by_key(work.session, [_key(channel, each) for channel in channels])
        for channel in channels:
            if (key := _key(channel, each)) not in known:
                _enter(work, key, channel, each, why)
                new += 1
    return new


def _enter(work: Work, key: str, channel: str, paged: Paged, why: Why) -> None:
    send = SecondSend(
        key=key,
        purpose=PAGE,
        channel=channel,
        staff_id=paged.member.id or 0,
        escalation_id=paged.case.id,
        page=paged.case.pages,
        why=why,
        created_at=work.now,
        due_at=work.now,
    )
    for earlier in second_sends.waiting_before(work.session, send):
        # A way that fails does not fail less because the page is a new one: the pauses go on growing.
        send.attempts = max(send.attempts, earlier.attempts)
        send.due_at = max(send.due_at, earlier.due_at)
        close(work, earlier, "skipped", second_sends.SUPERSEDED)
    work.session.add(send)
    work.session.flush()


def enter_test(work: Work, member: StaffMember) -> None:
    """Let a test e-mail leave to the address that a member of staff has just given."""
    work.session.add(
        SecondSend(
            key=f"{TEST}:{member.id}:{work.now.isoformat()}",
            purpose=TEST,
            channel=EMAIL,
            staff_id=member.id or 0,
            why=TEST,
            created_at=work.now,
            due_at=work.now,
        )
    )


def _key(channel: str, paged: Paged) -> str:
    return f"{channel}:{paged.case.id}:{paged.case.pages}:{paged.member.id}"


def _channels(paged: Paged, channels: Sequence[str]) -> list[str]:
    return [channel for channel in channels if channel == WEBHOOK or paged.member.email is not None]


def _why(deps: Deps, paged: Paged, now: datetime) -> Why | None:
    urgency = Urgency(paged.case.urgency)
    if not rules.rings(urgency, symptom=paged.case.kind == escalate.SYMPTOM):
        return None
    always = deps.settings.second_channel == "always_for_red"
    return rules.why(urgency, paged.pages, deps.protocol.second_channel, now, always_for_red=always)


# What leaves now


def claim(work: Work, epoch: int) -> list[Claimed]:
    """Take what is due for sending, after a last look whether it is still needed."""
    if not second_sends.leads(work.session, epoch):
        return []
    claimed = []
    for send in second_sends.due(work.session, work.now):
        member = work.session.get_one(StaffMember, send.staff_id)
        if (needless := _needless(work, send, member)) is not None:
            close(work, send, "skipped", needless)
            continue
        send.state, send.claimed_at, send.epoch = "sending", work.now, epoch
        send.attempts += 1
        send.address = member.email if send.channel == EMAIL else None
        claimed.append(Claimed(send.id or 0, epoch, _letter(work, send, member)))
    return claimed


def _needless(work: Work, send: SecondSend, member: StaffMember) -> str | None:
    """Return why a send is not needed any more."""
    if member.revoked_at is not None:
        return NO_LONGER_STAFF
    if send.channel not in work.settings.second_channels or (send.channel == EMAIL and member.email is None):
        return NO_ADDRESS
    if send.purpose == TEST:
        return None
    case = case_of(work, send)
    if not cases.awaits_acknowledgement(CaseState(case.state)):
        return TAKEN_OVER
    if case.pages != send.page:
        return second_sends.SUPERSEDED
    paged = [each for each in second_sends.paged(work.session, [case.id or 0]) if each.member.id == member.id]
    return None if any(_why(work.deps, each, work.now) for each in paged) else NOT_NEEDED


def _letter(work: Work, send: SecondSend, member: StaffMember) -> Letter:
    account = _account(work, send)
    common: dict[str, Any] = {
        "id": send.key.split(AGAIN)[0],
        "kind": send.purpose,
        "channel": send.channel,
        "address": send.address,
        "locale": account.locale,
        "phone": work.settings.site_phone,
        "at": work.now,
        "staff": member.id,
        "role": member.role,
    }
    if send.purpose == TEST:
        subject, body = words_of_test(work.texts, account.locale)
        return Letter(**common, subject=subject, body=body)
    case = case_of(work, send)
    red = Urgency(case.urgency).is_red
    why = "second.why.always" if send.why == Why.ALWAYS else "second.why.not_delivered"
    minutes = max(int((work.now - case.opened_at).total_seconds() // 60), 0)
    said = {
        "level": work.text("second.level.red" if red else "second.level.amber", account.locale),
        "number": case.id,
        "page": send.page,
        "age": screens.how_long(work, minutes, account.locale),
        "phone": work.settings.site_phone,
        "why": work.text(why, account.locale),
    }
    return Letter(
        **common,
        subject=work.text("second.page.subject", account.locale, **said),
        body=work.text("second.page.body", account.locale, **said),
        urgency="red" if red else "amber",
        case=case.id,
        page=send.page,
        minutes=minutes,
    )


def words_of_test(texts: Texts, locale: str) -> tuple[str, str]:
    """Return subject and body of a test, which say that it is one."""
    return texts.text("second.test.subject", locale), texts.text("second.test.body", locale)


# What became of it


def delivered(work: Work, send: SecondSend) -> None:
    """Note that a send was taken over by a mail server or a gateway; now the patient may hear of it."""
    if send.purpose == TEST:
        work.say(_account(work, send), "email.test_sent", purpose="staff")
        return
    case = case_of(work, send)
    said = f"{send.page}: {send.staff_id}"
    if send.channel == EMAIL:
        escalate.step(work, case, "mailed", said, BOT.label)
    else:
        escalate.step(work, case, "webhook called", said, BOT.label)
    if cases.awaits_acknowledgement(CaseState(case.state)):
        escalate.reached(work, case)


def repeat(work: Work, send: SecondSend) -> SecondSend:
    """Let a send of unknown fate leave once more, under the same id for whoever receives it."""
    base, _, number = send.key.partition(AGAIN)
    again = SecondSend(
        key=f"{base}{AGAIN}{int(number or 0) + 1}",
        purpose=send.purpose,
        channel=send.channel,
        staff_id=send.staff_id,
        escalation_id=send.escalation_id,
        page=send.page,
        why=send.why,
        attempts=send.attempts,
        created_at=work.now,
        due_at=work.now + work.protocol.second_channel.pause(send.attempts),
    )
    work.session.add(again)
    return again


def not_delivered(work: Work, send: SecondSend) -> None:
    """Tell who waits for it that a send did not arrive: whoever tests, or the patient when every way has failed."""
    if send.purpose == TEST:
        work.say(_account(work, send), "email.test_failed", purpose="staff", reason=send.reason or "?")
        return
    work.session.flush()
    case = case_of(work, send)
    awaits = cases.awaits_acknowledgement(CaseState(case.state))
    if not (awaits and Urgency(case.urgency).is_red) or case.page_sent_at is not None:
        return
    states = {page.state for each in second_sends.paged(work.session, [case.id or 0]) for page in each.pages}
    if states - {"failed", "skipped"}:
        return  # Telegram still tries, and what is said to the patient waits behind the same wall
    sends = second_sends.of_round(work.session, case)
    if all(each.attempts and each.state in ("waiting", "failed", "skipped") for each in sends):
        escalate.tell_subject(work, case, "case.nobody_reached", lane=Lane.RED)


def case_of(work: Work, send: SecondSend) -> Escalation:
    """Return the case whose page a send carries."""
    return work.session.get_one(Escalation, send.escalation_id)


def _account(work: Work, send: SecondSend) -> Account:
    return work.session.get_one(Account, work.session.get_one(StaffMember, send.staff_id).account_id)


def close(work: Work, send: SecondSend, state: str, reason: str | None = None) -> None:
    """Write what became of a send."""
    send.state, send.reason, send.closed_at = state, reason, work.now
    log.info("second_channel.closed", send=send.id, channel=send.channel, state=state, reason=reason)
