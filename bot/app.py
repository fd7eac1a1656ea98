"""How are the parts put together? The only file that knows them all."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy.exc import DatabaseError
from sqlmodel import Session, select
from telegram import BotCommand, LinkPreviewOptions
from telegram.error import BadRequest, InvalidToken, TelegramError
from telegram.ext import Application, ContextTypes, Defaults, ExtBot
from telegram.request import BaseRequest

import handlers
import schedules
from bot.cipher import Cipher
from bot.clock import Clock
from bot.delivery import web
from bot.delivery.dispatch import Dispatcher, settle_abandoned
from bot.delivery.http import AiohttpRequest, Timeouts
from bot.delivery.inbox import Poller, Pump
from bot.delivery.leadership import Leadership
from bot.delivery.pacing import Pacer, Unpaced
from bot.delivery.telegram import TelegramChannel
from bot.deps import Deps
from bot.domain.people import BOT
from bot.domain.roles import Role
from bot.domain.wording import reader
from bot.errors import FollowupError
from bot.metrics import Metrics
from bot.pictures import paint
from bot.protocol import check
from bot.protocol.clinic import load_clinic
from bot.protocol.critical import with_critical_values
from bot.protocol.load import ProtocolFaulty, bundled_folder, load
from bot.protocol.model import Protocol
from bot.protocol.site_items import with_site_items
from bot.settings import Settings, require
from bot.store import schema
from bot.store.models import InboxUpdate, OutboxMessage, StaffMember, Subject
from bot.store.session import Store
from bot.store.sole import only_process
from bot.texts import Texts, bundled_texts
from bot.usecases.screens import COMMANDS
from bot.work import run
from handlers.context import DEPS, TrialContext

log = structlog.get_logger(__name__)

# PTB's own answer to "how long to wait" becomes a timedelta; without this it warns on every 429.
os.environ.setdefault("PTB_TIMEDELTA", "true")

Bot = ExtBot[None]
App = Application[Bot, TrialContext, dict[Any, Any], dict[Any, Any], dict[Any, Any], None]
STOP_SECONDS = 20
FIRST_WAIT, LONGEST_WAIT = 0.2, 30.0  # seconds between two tries to reach Telegram at the start


@dataclass(frozen=True, slots=True)
class Running:
    """The bot with everything it is made of, ready to be driven."""

    deps: Deps
    application: App
    pump: Pump
    dispatcher: Dispatcher
    poller: Poller
    leadership: Leadership
    # When each job ran last as the clock is driven by hand, by name.
    ticked: dict[str, datetime] = field(default_factory=dict)

    async def settle(self) -> None:
        """Work on what came in and send what is due, until nothing is left to do now."""
        await self.pump.drain()
        # What is sent gives the pump nothing to do, so one look is enough.
        await self.dispatcher.drain()

    async def tick(self, *, sparing: bool = False) -> None:
        """Run every job once, then settle.

        ``sparing``: one that only looks on rests for its period, as it would by itself.
        """
        now = self.deps.clock.now()
        for job in schedules.JOBS:
            last = self.ticked.get(job.name)
            if sparing and job.looks_on and last is not None and timedelta() <= now - last < job.period:
                continue
            self.ticked[job.name] = now
            await job.run(self.deps)
        await self.settle()


def checked_protocol(settings: Settings, texts: Texts) -> Protocol:
    """Load the trial's files, with the critical values of the site's laboratory.

    The words of the bundled files have been tried before they came here; those of a site's own files are tried now.

    Raises:
        ProtocolFaulty: with every problem; while one is left the bot stays down.
    """
    protocol = with_critical_values(load(settings.protocol or bundled_folder()), settings.critical_values)
    problems = check.problems_of(protocol, texts.keys(), try_words=settings.protocol is not None)
    if problems:
        raise ProtocolFaulty(problems)
    # Made now, or whoever writes first would wait for it, perhaps with a danger.
    reader(protocol.lexicon)
    return protocol


def open_store(settings: Settings, metrics: Metrics | None = None) -> Store:
    """Open the database and bring its tables up to date.

    Raises:
        DatabaseUnreachable: no such server, file or password.
        KeyRefused: the key is not the one the data was written with.
    """
    require(settings, "encryption_key")
    assert settings.encryption_key is not None
    store: Store | None = None
    try:
        cipher = Cipher(settings.encryption_key.get_secret_value())
        store = Store(settings.database_url, cipher, settings.database_schema, metrics)
        schema.upgrade(store)
    except (OSError, DatabaseError) as error:
        if store is not None:
            store.close()
        # The driver's words name the host or the file, never the password.
        raise DatabaseUnreachable(
            f"the database of FOLLOWUP_DATABASE_URL cannot be opened: {words_of(error)}"
        ) from None
    # A key that does not fit must stop the start, not the first patient's message.
    store.write_now(try_key)
    return store


def try_key(session: Session) -> None:
    """Open something sealed.

    Raises:
        KeyRefused: the key is not the one the data was written with.
    """
    for table in (StaffMember, Subject, InboxUpdate, OutboxMessage):
        session.exec(select(table).limit(1)).first()


def words_of(error: OSError | DatabaseError) -> str:
    return " ".join(str(error.orig if isinstance(error, DatabaseError) else error).split())


async def username(settings: Settings) -> str:
    """Ask Telegram for the bot's name, for links; this also shows whether the token is right.

    Raises:
        TelegramUnreachable: no answer.
        TokenUnknown: Telegram answered and does not know the token.
    """
    assert settings.telegram_token is not None
    bot: Bot = ExtBot(
        settings.telegram_token.get_secret_value(),
        base_url=settings.telegram_base_url,
        request=AiohttpRequest(proxy_url=settings.proxy_url),
        get_updates_request=AiohttpRequest(connection_pool_size=1, proxy_url=settings.proxy_url),
    )
    try:
        async with bot:
            return bot.username
    except InvalidToken:
        raise TokenUnknown from None
    except TelegramError as error:
        raise TelegramUnreachable(
            f"Telegram did not answer for this bot ({error}); "
            "check FOLLOWUP_TELEGRAM_TOKEN, the network and the proxy"
        ) from None


class DatabaseUnreachable(FollowupError):
    """The database cannot be opened."""


class TokenUnknown(FollowupError):
    """Telegram does not know this token; check FOLLOWUP_TELEGRAM_TOKEN."""


class TelegramUnreachable(FollowupError):
    """Telegram cannot be reached."""


class TelegramRefuses(FollowupError):
    """Telegram answered that it will not take what the start asks for."""


class ToldToStop(Exception):
    """The bot was told to stop while it was still waiting for Telegram."""


def make_deps(settings: Settings, clock: Clock | None = None, username: str = "followup_bot") -> Deps:
    """Make what commands of the terminal need: store, clock, trial, texts."""
    texts, metrics = bundled_texts(), Metrics()
    protocol, words = with_site_items(checked_protocol(settings, texts), settings.checkin_items)
    return Deps(
        store=open_store(settings, metrics),
        clock=clock or settings.clock(),
        protocol=protocol,
        texts=texts.said_as(words),
        settings=settings,
        clinic=load_clinic(settings.clinic_calendar),
        username=username,
        metrics=metrics,
    )


@asynccontextmanager
async def running(
    deps: Deps,
    request: BaseRequest,
    updates_request: BaseRequest,
    pacer: Pacer | None = None,
    *,
    alone: bool = True,
    stop: asyncio.Event | None = None,
) -> AsyncIterator[Running]:
    """Start the bot on the given ways to Telegram; nothing moves until it is driven or served.

    ``alone`` says that no other process works on this database; otherwise `Leadership.run` has to decide.

    Raises:
        TokenUnknown: Telegram does not know the token.
        ToldToStop: ``stop`` was set before Telegram answered.
    """
    settings = deps.settings
    assert settings.telegram_token is not None
    bot: Bot = ExtBot(
        token=settings.telegram_token.get_secret_value(),
        base_url=settings.telegram_base_url,
        base_file_url=settings.telegram_base_file_url,
        request=request,
        get_updates_request=updates_request,
        defaults=Defaults(link_preview_options=LinkPreviewOptions(is_disabled=True)),
    )
    application: App = (
        Application.builder()
        .bot(bot)
        .updater(None)
        .job_queue(None)
        .concurrent_updates(True)
        .context_types(ContextTypes(context=TrialContext))
        .build()
    )
    try:
        await _insist(application.initialize, stop or asyncio.Event())
        deps = replace(deps, username=application.bot.username, bot_id=application.bot.id)
        application.bot_data[DEPS] = deps
        handlers.register(application)
        leadership = Leadership(deps, application.bot.id, lambda: run(deps, BOT, "start", settle_abandoned))
        if alone:
            await leadership.take_by_force()
        yield Running(
            deps=deps,
            application=application,
            pump=Pump(deps, application),
            dispatcher=Dispatcher(deps, TelegramChannel(application.bot, paint), leadership, pacer or Unpaced()),
            poller=Poller(deps, application.bot, updates_request, leadership),
            leadership=leadership,
        )
    finally:
        await application.shutdown()
        await bot.shutdown()  # its connections are open even if it never heard from Telegram


async def serve(settings: Settings) -> None:
    """Run the bot until SIGTERM or SIGINT.

    Raises:
        FollowupError: it cannot start, or another process polls for the same bot.
    """
    require(settings, "telegram_token", "encryption_key", "site_phone")
    if settings.mode == "webhook":
        require(settings, "webhook_url", "webhook_secret")
    with only_process(settings.database_url):
        await _serve_database(settings)


async def _serve_database(settings: Settings) -> None:
    deps = make_deps(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # A rehearsal in fast time has no use for limits in real time.
    pacer = Pacer(settings.messages_per_second) if deps.clock.speed == 1.0 else None
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        async with running(
            deps,
            AiohttpRequest(proxy_url=settings.proxy_url),
            AiohttpRequest(connection_pool_size=1, timeouts=Timeouts(read=60), proxy_url=settings.proxy_url),
            pacer,
            alone=deps.store.is_sqlite,
            stop=stop,
        ) as bot:
            await _serve(bot, stop)
    except ToldToStop:
        log.info("stopped")
    finally:
        deps.store.close()


async def _insist(call: Callable[[], Coroutine[Any, Any, object]], stop: asyncio.Event) -> None:
    """Make a call that may be made twice until Telegram answers it: the network may come back later than the bot.

    Raises:
        TokenUnknown: Telegram does not know the token; waiting would not help.
        TelegramRefuses: nor would it here.
        ToldToStop: ``stop`` was set meanwhile.
    """
    pause = FIRST_WAIT
    while True:
        try:
            await _unless(stop, call())
            return
        except InvalidToken:
            # The library's own words repeat the token.
            raise TokenUnknown from None
        except BadRequest as error:
            raise TelegramRefuses(f"Telegram refuses what the start asks for: {error}") from None
        except TelegramError as error:
            log.warning("start.waiting", error=str(error))
        await _unless(stop, asyncio.sleep(pause))
        pause = min(pause * 2, LONGEST_WAIT)


async def _unless(stop: asyncio.Event, doing: Coroutine[Any, Any, object]) -> None:
    """Do this, and leave off as soon as ``stop`` is set.

    Raises:
        ToldToStop: it was set.
    """
    tasks = [asyncio.create_task(doing), asyncio.create_task(stop.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            raise ToldToStop
        await tasks[0]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _serve(bot: Running, stop: asyncio.Event) -> None:
    deps = bot.deps
    scheduler = AsyncIOScheduler(timezone="UTC")
    schedules.register(scheduler, deps)
    await _unless(stop, _introduce(bot))
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(web.served(deps, bot.application.bot.id))
        telegram = bot.application.bot
        by_webhook = deps.settings.mode == "webhook"
        if by_webhook:
            await _insist(lambda: web.set_webhook(telegram, deps.settings), stop)
        else:
            await _insist(lambda: telegram.delete_webhook(drop_pending_updates=False), stop)
        loops: list[Coroutine[Any, Any, None]] = [
            bot.pump.run(),
            bot.dispatcher.run(),
            web.note_heard(deps) if by_webhook else bot.poller.run(),
            schedules.attend(scheduler, deps),
        ]
        # Kept apart: what is left at the end is still sent under the lease.
        leading = asyncio.create_task(bot.leadership.run() if not deps.store.is_sqlite else stop.wait())
        tasks = [asyncio.create_task(each) for each in loops]
        scheduler.start()
        log.info("started", mode=deps.settings.mode, protocol=deps.protocol.version)
        stopping = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([*tasks, leading, stopping], return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping")
        scheduler.shutdown(wait=False)
        for task in (*tasks, stopping):
            task.cancel()
        await asyncio.gather(*tasks, stopping, return_exceptions=True)
        # What was committed goes out before the bot sleeps; what does not make it in time waits in the outbox.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(bot.settle(), STOP_SECONDS)
        leading.cancel()
        await asyncio.gather(leading, return_exceptions=True)
        for task in done:
            if (error := task.exception()) is not None:
                raise error
    log.info("stopped")


async def _introduce(bot: Running) -> None:
    """Tell Telegram the commands that strangers see; those of people we know are set one by one."""
    texts = bot.deps.texts
    for locale, code in (("en", None), ("zh", "zh")):
        listed = [BotCommand(name, texts.text(f"command.{name}", locale)) for name in COMMANDS[Role.STRANGER]]
        try:
            await bot.application.bot.set_my_commands(listed, language_code=code)
        except TelegramError as error:
            log.warning("commands.not_set", error=type(error).__name__)
