"""What time is it for the bot: real time, a time that was set, or a faster time for rehearsal."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


def real_seconds() -> float:
    """Return seconds that never step back and also pass while the process is stopped or the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Clock(Protocol):
    """The one source of time; everything else is given the time it asks about."""

    def now(self) -> datetime:
        """Return the present moment as aware UTC."""
        ...

    @property
    def speed(self) -> float:
        """Return how many seconds of this clock pass in one real second."""
        ...


class SystemClock:
    """The machine's clock."""

    speed = 1.0

    def now(self) -> datetime:
        return datetime.now(UTC)


class SetClock:
    """A clock that stands still until it is moved: for tests, stories and the simulator."""

    speed = 1.0

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def set(self, moment: datetime) -> None:
        self._now = moment.astimezone(UTC)

    def advance(self, **amount: float) -> None:
        """Move by ``timedelta(**amount)``; a negative amount steps the clock back."""
        self._now += timedelta(**amount)


class FastClock:
    """A clock for rehearsal that begins at ``start`` and runs ``speed`` times as fast as real time."""

    def __init__(self, start: datetime, speed: float) -> None:
        self._start = start.astimezone(UTC)
        self.speed = speed
        # The monotonic clock: a step of the machine's clock must not jump the rehearsal.
        self._began = time.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=(time.monotonic() - self._began) * self.speed)
