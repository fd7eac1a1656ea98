"""What has this process done since it started? Counters and times, for /metrics.

Labels take their values from the closed lists below and from names of jobs, never from rows: no person,
subject, chat, text or reason can come in here. A value that no list knows is counted as `other`, because
counting must never be what stops a message.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import Metric

OTHER = "other"
LANES = ("red", "answer", "amber", "reminder", "digest")  # of bot.work.Lane, which lies above
OUTCOMES = ("sent", "throttled", "not_sent", "unsure", "unreachable", "refused")
# `handled`: its transaction closed it. `failed`: it is tried again. `elsewhere`: another process had it.
RESULTS = ("handled", "failed", "parked", "elsewhere", "database_away")
CALLS = ("send", "poll")
CHANNELS = ("email", "webhook")  # of bot.domain.second_channel
SECOND_OUTCOMES = ("sent", "not_sent", "unsure", "refused")
# Where a fault of the program was caught, written to the log, and survived.
PLACES = ("handler", "inbox", "poll", "webhook", "outcome", "loop", "agenda", "lease", "auditor")
WRITE, READ = "write", "read"

# Upper edges in seconds.
QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
HANDLING = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
WAITING = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
JOBS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """The counters of one process; each has a registry of its own, so that several can live side by side."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        own = self._registry = CollectorRegistry()

        self._received = Counter("followup_updates_received", "Updates stored for the first time.", registry=own)
        self._repeated = Counter("followup_updates_repeated", "Updates that came again and are known.", registry=own)
        self._handled = self._counter("followup_updates_handled", "Tries to handle an update.", "result")
        self._handling = Histogram(
            "followup_update_handling_seconds", "How long one try took.", buckets=HANDLING, registry=own
        )
        self._answered = Histogram(
            "followup_update_waited_seconds", "From storing an update to its handling.", buckets=WAITING, registry=own
        )

        self._sends = self._counter("followup_sends", "Tries to send a message.", "lane", "outcome")
        self._delivery = self._histogram(
            "followup_delivery_seconds", "From when a message was due to when it was sent.", "lane", WAITING
        )
        self._throttled = self._counter("followup_throttled", "Calls that Telegram answered with 429.", "call")

        self._second = self._counter(
            "followup_second_sends", "Tries to send a page by another way.", "channel", "outcome"
        )

        self._transactions = self._counter("followup_transactions", "Transactions of the store.", "kind", "result")
        self._retries = Counter(
            "followup_transaction_retries", "Transactions that had to be run again.", registry=own
        )
        self._transaction = self._histogram(
            "followup_transaction_seconds", "How long a transaction took, its repeats included.", "kind", QUICK
        )

        self._runs = self._counter("followup_job_runs", "Runs of a job.", "name")
        self._failures = self._counter("followup_job_failures", "Runs of a job that ended in a fault.", "name")
        self._job = self._histogram("followup_job_seconds", "How long a run of a job took.", "name", JOBS)
        self._faults = self._counter("followup_faults", "Faults that were survived.", "place")
        self._mended = Counter("followup_case_repairs", "Broken chains of cases that were mended.", registry=own)
        self._begin_at_zero()

    def _counter(self, name: str, about: str, *labels: str) -> Callable[..., Counter]:
        """Return what gives the counter of some label values; kept, for looking it up costs more than counting."""
        return cache(Counter(name, about, labels, registry=self._registry).labels)

    def _histogram(self, name: str, about: str, label: str, buckets: Sequence[float]) -> Callable[..., Histogram]:
        return cache(Histogram(name, about, [label], buckets=buckets, registry=self._registry).labels)

    def collect(self) -> Iterable[Metric]:
        """Yield everything that was counted: Prometheus' interface of a collector."""
        yield from self._registry.collect()

    # Updates

    def received(self, new: int, repeated: int = 0) -> None:
        """Count updates that were stored, and those that were there already."""
        self._received.inc(new)
        self._repeated.inc(repeated)

    def handled(self, result: str, seconds: float, waited: float = 0.0) -> None:
        """Count a try to handle an update that took ``seconds``; ``waited`` is since it was stored."""
        self._handled(_known(result, RESULTS)).inc()
        self._handling.observe(seconds)
        if result == RESULTS[0]:
            self._answered.observe(max(waited, 0.0))

    # Messages

    def attempted(self, lane: int, outcome: str, waited: float) -> None:
        """Count a try to send; ``waited`` is in seconds since the message was due, and counts once it is sent."""
        name = LANES[lane] if 0 <= lane < len(LANES) else OTHER
        self._sends(name, _known(outcome, OUTCOMES)).inc()
        if outcome == OUTCOMES[0]:
            self._delivery(name).observe(max(waited, 0.0))

    def throttled(self, call: str) -> None:
        """Count a 429 of Telegram."""
        self._throttled(_known(call, CALLS)).inc()

    def second_send(self, channel: str, outcome: str) -> None:
        """Count a try to send a page by e-mail or webhook."""
        self._second(_known(channel, CHANNELS), _known(outcome, SECOND_OUTCOMES)).inc()

    # The store

    @contextmanager
    def transaction(self, kind: str) -> Iterator[None]:
        """Count and time a transaction, and whether it was committed."""
        began, result = time.perf_counter(), "undone"
        try:
            yield
            result = "done"
        finally:
            self._transactions(kind, result).inc()
            self._transaction(kind).observe(time.perf_counter() - began)

    def retried(self) -> None:
        """Count a transaction that the database refused and that runs again."""
        self._retries.inc()

    # Jobs and faults

    @contextmanager
    def job(self, name: str) -> Iterator[None]:
        """Count and time a run of a job; being stopped with the bot is no failure."""
        began = time.perf_counter()
        try:
            yield
        except Exception:
            self._failures(name).inc()
            raise
        finally:
            self._runs(name).inc()
            self._job(name).observe(time.perf_counter() - began)

    def expect_jobs(self, names: Iterable[str]) -> None:
        """Show these jobs with zero runs until they run."""
        for name in names:
            self._runs(name)
            self._failures(name)
            self._job(name)

    def mended(self, number: int) -> None:
        """Count what the auditor mended of a case."""
        self._mended.inc(number)

    def fault(self, place: str) -> None:
        """Count a fault of the program that was logged and survived."""
        self._faults(_known(place, PLACES)).inc()

    def _begin_at_zero(self) -> None:
        """Show every series from the start: Prometheus cannot see the first step of one that appears later."""
        for result in RESULTS:
            self._handled(result)
        for lane in LANES:
            self._delivery(lane)
            for outcome in OUTCOMES:
                self._sends(lane, outcome)
        for call in CALLS:
            self._throttled(call)
        for channel in CHANNELS:
            for outcome in SECOND_OUTCOMES:
                self._second(channel, outcome)
        for kind in (WRITE, READ):
            self._transaction(kind)
            for result in ("done", "undone"):
                self._transactions(kind, result)
        for place in PLACES:
            self._faults(place)


def _known(value: str, values: Sequence[str]) -> str:
    return value if value in values else OTHER
