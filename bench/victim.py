"""How is the real bot started in a moment, and killed at an exact point? A process that only forks others.

Starting Python and reading the trial's files takes seconds, so one process does that once and forks a child for
each start. The child runs `app.serve`, as `followup run` does. Crash points are wrapped around functions in the
child alone; the bot itself knows nothing of them.

Each request that carries a message tells the row, attempt and epoch of the outbox in its User-Agent. So the
server's own log says exactly which row reached a chat, however many messages read the same.
"""

import argparse
import asyncio
import importlib
import inspect
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NoReturn

TAG = "outbox row={row} attempt={attempt} epoch={epoch}"
WAIT_STEP = 0.002

# Points by what they stop, in the order of an update's life. Those of `_COMMITS` come twice: written but not
# committed, and committed but told to nobody.
START_POINTS = ("start: before the tables are checked", "start: after the tables are checked")
_COMMITS = {
    "start: the lease": ("start: the lease, before its commit", "start: the lease, committed"),
    "start: what was left": ("start: what was left, before its commit", "start: what was left, committed"),
    "updates": ("updates: before the commit", "updates: committed"),
    "handler": ("handler: before the commit", "handler: committed"),
    "claim": ("claim: before the commit", "claim: committed"),
    "record": ("record: before the commit", "record: committed"),
    "agenda": ("agenda: before the commit", "agenda: committed"),
}
FETCHED = "updates: fetched, not stored"
CONFIRMING = "updates: before they are confirmed"
CONFIRMED = "updates: confirmed"
HANDLING = "handler: before it begins"
ANSWERING = "handler: before the press is answered"
SENDING = "send: before the request"
WRITING = "send: ready, nothing written"
WRITTEN = "send: written, no answer yet"
ACCEPTED = "send: accepted, the answer not recorded"
AGENDA = "agenda: before it begins"
POINTS = (
    *START_POINTS,
    *_COMMITS["start: the lease"],
    *_COMMITS["start: what was left"],
    FETCHED,
    *_COMMITS["updates"],
    CONFIRMING,
    CONFIRMED,
    HANDLING,
    *_COMMITS["handler"],
    ANSWERING,
    *_COMMITS["claim"],
    SENDING,
    WRITING,
    WRITTEN,
    ACCEPTED,
    *_COMMITS["record"],
    AGENDA,
    *_COMMITS["agenda"],
)
# The stock loop has no tables of its own, so only these mean something to it.
CONTROL_POINTS = (FETCHED, SENDING, ACCEPTED)


class Trap:
    """Ends or stops this process at the ``nth`` passing of the point ``name``, and leaves a line that it did."""

    def __init__(self, name: str | None, nth: int, hits: str, ends_with: str = "SIGKILL") -> None:
        self._name = name
        self._left = nth
        self._ends_with = signal.Signals[ends_with]
        self._hits = os.open(hits, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._lock = threading.Lock()

    def at(self, name: str) -> None:
        if name != self._name:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.write(self._hits, f"{name}\n".encode())
                os.kill(os.getpid(), self._ends_with)


def _wrap(owner: Any, name: str, before: Callable[..., None] | None, after: Callable[..., None] | None) -> None:
    """Call ``before`` and ``after`` around the function ``name`` of a module or class, awaited or not."""
    inner = getattr(owner, name)

    def outer(*args: Any, **named: Any) -> Any:
        if before is not None:
            before(*args)
        result = inner(*args, **named)
        if after is not None:
            after(*args)
        return result

    async def outer_async(*args: Any, **named: Any) -> Any:
        if before is not None:
            before(*args)
        result = await inner(*args, **named)
        if after is not None:
            after(*args)
        return result

    setattr(owner, name, outer_async if inspect.iscoroutinefunction(inner) else outer)


def install(trap: Trap) -> None:
    """Put every crash point and the tag of messages around the bot's functions, in this process."""
    _tag_messages()
    inbox = importlib.import_module("bot.delivery.inbox")
    telegram = importlib.import_module("bot.delivery.telegram")
    writer = importlib.import_module("aiohttp.http_writer").StreamWriter
    context = importlib.import_module("handlers.context")
    agenda = importlib.import_module("schedules.agenda")
    schema = importlib.import_module("bot.store.schema")
    _watch_commits(trap)
    _wrap(schema, "upgrade", lambda *_: trap.at(START_POINTS[0]), lambda *_: trap.at(START_POINTS[1]))
    _wrap(inbox, "keep", lambda *_: trap.at(FETCHED), None)

    def confirms(poller: Any, point: str) -> None:
        if poller._offset is not None:
            trap.at(point)

    _wrap(
        inbox.Poller,
        "_fetch",
        lambda poller, *_: confirms(poller, CONFIRMING),
        lambda poller, *_: confirms(poller, CONFIRMED),
    )
    _wrap(context.TrialContext, "_run", lambda *_: trap.at(HANDLING), None)
    _wrap(context, "answer_press", lambda *_: trap.at(ANSWERING), None)
    _wrap(telegram.TelegramChannel, "deliver", lambda *_: trap.at(SENDING), None)
    # The library keeps the head back until it has the body, and writes both at once from a task of its own.
    _wrap(writer, "write_headers", None, lambda *_: trap.at(WRITING) if _tag.get() else None)
    _wrap(writer, "write_eof", None, lambda *_: trap.at(WRITTEN) if _tag.get() else None)
    _wrap(telegram.TelegramChannel, "_send", None, lambda *_: trap.at(ACCEPTED))
    _wrap(agenda, "one", lambda *_: trap.at(AGENDA), None)


def _watch_commits(trap: Trap) -> None:
    """Name each transaction by a function that runs in it, and pass two points at its commit."""
    doing = threading.local()

    def names(module: str, function: str, what: str) -> None:
        _wrap(importlib.import_module(module), function, lambda *_: setattr(doing, "what", what), None)

    names("bot.app", "settle_abandoned", "start: what was left")
    names("bot.store.inbox", "keep", "updates")
    names("bot.store.inbox", "take", "handler")
    names("bot.delivery.dispatch", "record", "record")
    names("schedules.agenda", "one", "agenda")

    def names_if_it_has(module: str, function: str, what: str) -> None:
        """Name it only when something was taken: most looks find nothing."""
        owner = importlib.import_module(module)
        inner = getattr(owner, function)

        def outer(*args: Any, **named: Any) -> Any:
            taken = inner(*args, **named)
            if getattr(taken, "messages", taken):
                doing.what = what
            return taken

        setattr(owner, function, outer)

    names_if_it_has("bot.store.outbox", "claim_due", "claim")
    names_if_it_has("bot.store.lease", "take", "start: the lease")
    session_class = importlib.import_module("bot.store.session").Session
    commit = session_class.commit

    def committing(session: Any) -> None:
        what, doing.what = getattr(doing, "what", None), None
        if what is not None:
            session.flush()
            trap.at(_COMMITS[what][0])
        commit(session)
        if what is not None:
            trap.at(_COMMITS[what][1])

    session_class.commit = committing


_tag: ContextVar[str] = ContextVar("tag", default="")


def _tag_messages() -> None:
    http = importlib.import_module("bot.delivery.http")
    telegram = importlib.import_module("bot.delivery.telegram")
    plain = http.AiohttpRequest.USER_AGENT
    http.AiohttpRequest.USER_AGENT = property(lambda _self: _tag.get() or plain)

    def tag(_channel: Any, message: Any) -> None:
        _tag.set(TAG.format(row=message.id, attempt=message.attempts, epoch=message.epoch))

    _wrap(telegram.TelegramChannel, "deliver", tag, None)


def _become_bot(order: dict[str, Any]) -> None:
    from bot import app, logs
    from bot.settings import Settings

    logs.configure(order.get("log_level", "WARNING"))
    install(Trap(order.get("point"), order.get("nth", 1), order["hits"], order.get("ends_with", "SIGKILL")))
    settings = Settings(_env_file=None, **order["settings"])
    asyncio.run(app.serve(settings))


def _become_control(order: dict[str, Any]) -> None:
    from bench import control

    trap = Trap(order.get("point"), order.get("nth", 1), order["hits"])
    control.watch(lambda: trap.at(FETCHED), lambda: trap.at(SENDING), lambda: trap.at(ACCEPTED))
    control.run(**order["settings"])


BECOME = {"bot": _become_bot, "control": _become_control}


def _child(kind: str, order: dict[str, Any]) -> NoReturn:
    """Be the bot until the end of this process; what it says goes to a file."""
    said = os.open(order["said"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(said, 1)
    os.dup2(said, 2)
    status = 1
    try:
        BECOME[kind](order)
        status = 0
    except BaseException:
        importlib.import_module("traceback").print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _warm(kind: str) -> None:
    """Load once what every child needs: modules, texts, and the trial's files, which do not change."""
    if kind == "control":
        importlib.import_module("bench.control")
        return
    app: Any = importlib.import_module("bot.app")
    texts = importlib.import_module("bot.texts").bundled_texts()
    protocol = app.checked_protocol(importlib.import_module("bot.settings").Settings(_env_file=None), texts)
    app.checked_protocol = lambda *_: protocol


def _serve(kind: str) -> None:
    """Take orders until the measurement closes the pipe or dies; then no child is left."""
    _warm(kind)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    living: set[int] = set()
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            answer = _wait(order)
            if answer is not None:
                living.discard(order["wait"])
        else:
            answer = _fork(kind, order)
            living.add(answer)
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()
    for number in living:
        os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)


def _fork(kind: str, order: dict[str, Any]) -> int:
    number = os.fork()
    if number == 0:
        _child(kind, order)
    return number


def _wait(order: dict[str, Any]) -> int | None:
    """Return the status of a child that ended, None when it still lives after so many seconds."""
    last = time.monotonic() + order["seconds"]
    while True:
        number, status = os.waitpid(order["wait"], os.WNOHANG)
        if number:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= last:
            return None
        time.sleep(WAIT_STEP)


class Victim:
    """One run of the bot."""

    def __init__(self, nursery: "Nursery", number: int) -> None:
        self._nursery = nursery
        self.number = number

    def ended(self, seconds: float = 0.0) -> int | None:
        """Return the exit status, negative for a signal; None when it still lives after so many seconds."""
        status = self._nursery.ask({"wait": self.number, "seconds": seconds})
        assert status is None or isinstance(status, int)
        return status

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.number, number)

    def kill(self) -> int:
        """End it as a power cut would; return its status, another one if it had ended by itself before."""
        self.signal(signal.SIGKILL)
        status = self.ended(30.0)
        assert status is not None
        return status


class Nursery:
    """The process that forks, as the measurement sees it."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self._process = process
        self._folder = folder

    @property
    def said(self) -> Path:
        return self._folder / "said"

    def start(self, settings: dict[str, Any], point: str | None = None, nth: int = 1, **more: Any) -> Victim:
        """Start the bot; it dies at the ``nth`` passing of a named point."""
        order = {"settings": settings, "point": point, "nth": nth, "said": str(self.said), **more}
        number = self.ask({**order, "hits": str(self._folder / "hits")})
        assert isinstance(number, int)
        return Victim(self, number)

    def hits(self) -> list[str]:
        """Return the points at which a process ended, one name for each time."""
        path = self._folder / "hits"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def ask(self, order: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(order)}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def nursery(folder: Path, kind: str = "bot") -> Iterator[Nursery]:
    """Run the process that forks; at the end it and all its children are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    # Settings of whoever measures stay out of it.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOLLOWUP_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.victim", kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=Path(__file__).parents[1],
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        try:
            assert process.stdout.readline() == "ready\n"
            yield Nursery(process, folder)
        finally:
            process.stdin.close()
            process.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=sorted(BECOME))
    _serve(parser.parse_args().kind)
