"""Who carries pages out when Telegram does not: plans what is overdue, tries each once, writes what became of it."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

import structlog
from sqlmodel import Session

from bot.clock import SystemClock
from bot.delivery.channel import NotSent, Outcome, Refused, Sent, Throttled, Unreachable, Unsure
from bot.delivery.email import Mailer
from bot.delivery.metrics import OUTCOME_NAMES, OUTGOING
from bot.delivery.page_webhook import PageWebhook
from bot.deps import Deps
from bot.domain import second_channel as rules
from bot.domain.parsing import email_address
from bot.domain.people import BOT
from bot.domain.second_channel import EMAIL, TELEGRAM, WEBHOOK
from bot.domain.urgency import Urgency
from bot.errors import FollowupError
from bot.settings import PREFIX, Settings
from bot.store import second_sends
from bot.store.models import Heartbeat, SecondSend
from bot.store.outbox import CLAIM_LAPSES
from bot.store.second_sends import TEST
from bot.texts import LOCALES, bundled_texts
from bot.usecases import second_channel as use_cases
from bot.usecases.second_channel import Claimed, Letter
from bot.work import Work, run

log = structlog.get_logger(__name__)

CAUSE = "job:second_channel"
PLACES = 8  # letters on their way at once


class Carrier(Protocol):
    """One way beside Telegram by which staff can be reached."""

    async def deliver(self, letter: Letter) -> Outcome:
        """Try once; every failure is an outcome, never an exception."""
        ...


def carriers(settings: Settings) -> Mapping[str, Carrier]:
    """Return the ways that the site has set up."""
    made: dict[str, Carrier] = {}
    if EMAIL in settings.second_channels:
        made[EMAIL] = Mailer(settings)
    if WEBHOOK in settings.second_channels:
        made[WEBHOOK] = PageWebhook(settings)
    return made


async def work_off(deps: Deps) -> None:
    """Send what Telegram has not delivered in time, and say when nothing leaves by any way."""
    found = await deps.store.read(lambda session: use_cases.look(session, deps))
    for channel in found.in_vain:
        deps.ways.note(channel, worked=False, now=deps.clock.now())
    if found.work:
        await _send(deps)
    await _tell_of_ways(deps)


async def _send(deps: Deps) -> None:
    epoch = deps.standing.epoch
    left = await run(deps, BOT, CAUSE, settle_abandoned, epoch)
    if left:
        log.warning("second_channel.unsure", sends=left)
    await run(deps, BOT, CAUSE, use_cases.plan)
    ways, places = carriers(deps.settings), asyncio.Semaphore(PLACES)

    async def carry(claimed: Claimed) -> None:
        async with places:
            await _carry(deps, ways[claimed.letter.channel], claimed)

    while batch := await run(deps, BOT, CAUSE, use_cases.claim, epoch):
        await asyncio.gather(*(carry(each) for each in batch))


async def _carry(deps: Deps, way: Carrier, claimed: Claimed) -> None:
    channel = claimed.letter.channel
    if deps.standing.leads_in(claimed.epoch):
        outcome = await way.deliver(claimed.letter)
    else:
        outcome = NotSent("another process leads now")
    deps.metrics.second_send(channel, OUTCOME_NAMES[type(outcome)])
    if claimed.letter.kind != TEST:
        # A wrong address of one person says nothing about the way.
        deps.ways.note(channel, worked=isinstance(outcome, Sent | Refused), now=deps.clock.now())
    try:
        await run(deps, BOT, CAUSE, record, claimed, outcome)
    except Exception:
        # The claim lapses, and a later run settles what became of this one.
        log.exception("second_channel.outcome_lost")
        deps.metrics.fault("outcome")


def record(work: Work, claimed: Claimed, outcome: Outcome) -> None:
    """Write the outcome of one attempt, unless it was settled without it."""
    send = second_sends.lock(work.session, claimed.number)
    log.info("second_channel.attempted", send=send.id, channel=send.channel, outcome=type(outcome).__name__)
    if send.state == "sending" and send.epoch == claimed.epoch:
        settle(work, send, outcome)
    elif send.state == "unsure" and isinstance(outcome, Sent):
        use_cases.close(work, send, "sent")
        use_cases.delivered(work, send)


def settle(work: Work, send: SecondSend, outcome: Outcome) -> None:
    """Turn one outcome into the state of a send. Red goes on until somebody takes over, whatever the outcome."""
    red = send.purpose != TEST and Urgency(use_cases.case_of(work, send).urgency).is_red
    match outcome:
        case Sent():
            use_cases.close(work, send, "sent")
            use_cases.delivered(work, send)
        case Unsure(reason):
            use_cases.close(work, send, "unsure", reason)
            if red:
                use_cases.repeat(work, send)
            if send.purpose == TEST:
                use_cases.not_delivered(work, send)
        case NotSent(reason) | Refused(reason) | Unreachable(reason):
            if red or (isinstance(outcome, NotSent) and send.purpose != TEST):
                send.state, send.reason = "waiting", reason
                send.due_at = work.now + work.protocol.second_channel.pause(send.attempts)
            else:
                use_cases.close(work, send, "failed", reason)
            use_cases.not_delivered(work, send)
        case Throttled():
            raise AssertionError("no carrier throttles")


def settle_abandoned(work: Work, epoch: int) -> int:
    """Close what a process that died was sending: nobody knows whether it arrived. Return how many."""
    lapse = CLAIM_LAPSES * max(work.deps.clock.speed, 1.0)
    left = second_sends.abandoned(work.session, work.now, epoch, lapse)
    for send in left:
        settle(work, send, Unsure("the bot stopped while sending"))
    return len(left)


async def _tell_of_ways(deps: Deps) -> None:
    """Put into the database, for /healthz of every process, since when nothing leaves by any way; say it once."""
    now, ways = deps.clock.now(), deps.ways
    names = (TELEGRAM, *deps.settings.second_channels)
    since = rules.all_failing_since(ways.first, ways.last, names, deps.protocol.second_channel, now)
    if ways.told_in == deps.standing.epoch and since == ways.told:
        return

    def write(session: Session) -> None:
        detail = {"failing_since": since.isoformat() if since else None}
        session.merge(Heartbeat(name=OUTGOING, at=now, detail=detail))

    await deps.store.write(write)
    if since is not None:
        log.error("outgoing.failing", ways=list(names), since=since.isoformat())
    elif ways.told is not None:
        log.warning("outgoing.works")
    ways.told, ways.told_in = since, deps.standing.epoch


class NothingToTry(FollowupError):
    """There is nothing to try."""


async def try_out(settings: Settings, to: str | None, locale: str) -> dict[str, Outcome]:
    """Send one marked test by each way that is set up; an e-mail only ``to`` somebody.

    Raises:
        NothingToTry: nothing is set up, nobody was named for the only way there is, or ``to`` is no address.
    """
    address = None if to is None else _address(to)
    if address is not None and EMAIL not in settings.second_channels:
        raise NothingToTry(f"no e-mail can leave: {PREFIX}SMTP_HOST is empty")
    if locale not in LOCALES:
        raise NothingToTry(f"there are no texts in {locale!r}; choose one of {', '.join(LOCALES)}")
    ways = {name: way for name, way in carriers(settings).items() if name != EMAIL or address is not None}
    if not ways:
        raise NothingToTry(f"name somebody with --to; a webhook is tried too when {PREFIX}PAGE_WEBHOOK_URL is set")
    now = SystemClock().now()
    subject, body = use_cases.words_of_test(bundled_texts(), locale)
    letters = {
        name: Letter(
            id=f"{TEST}:command:{now.isoformat()}",
            kind=TEST,
            channel=name,
            address=address,
            locale=locale,
            phone=settings.site_phone,
            at=now,
            subject=subject,
            body=body,
        )
        for name in ways
    }
    return {name: await way.deliver(letters[name]) for name, way in ways.items()}


def _address(to: str) -> str:
    try:
        return email_address(to).value
    except FollowupError:
        raise NothingToTry(f"{to!r} is not an e-mail address") from None
