"""Do reminders and questions come at their hours when the whole process lives in a faster time?"""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

from bot.clock import FastClock
from bot.simulator.parts import ShownMessage
from bot.store.models import Heartbeat
from tests.people import HEADER
from tests.process.harness import World, at_site, until, world

# An hour of the trial is half a second: a machine that stumbles for a second is two hours late.
SPEED = 7200
SLACK = timedelta(hours=2)
BEGINS = datetime.fromisoformat("2026-11-02T08:00:00+08:00")
ENDS = datetime.fromisoformat("2026-11-03T10:15:00+08:00")
# The blood count before the first injection is on 3 November.
TABLE = HEADER + "S-001,TG2,zh,1952,60,2026-11-04,7,21,dispersible,250,2,\n"
HOUR = "16:00"
EXPECTED = (
    # The reminder of the visit and the question of the same hour are one message.
    ("visit.with_tablets", "2026-11-02T16:00:00+08:00"),
    ("tablets.ask_again", "2026-11-02T18:00:00+08:00"),
    # Half past seven is in the quiet hours, so this one waits for their end.
    ("reminder.visit.same_day", "2026-11-03T08:00:00+08:00"),
)


class ShiftedClock:
    """A fast clock that is put right once the other process has begun."""

    speed = float(SPEED)

    def __init__(self) -> None:
        self._fast = FastClock(BEGINS, SPEED)
        self._shift = timedelta(0)

    def now(self) -> datetime:
        return self._fast.now() + self._shift

    async def follow(self, here: World) -> None:
        """Agree with the bot's clock, as it shows in the bot's latest sign of life."""
        shifts: list[timedelta] = []
        while len(shifts) < 5:
            beats = await here.rows(Heartbeat)
            shifts += [each.at - self._fast.now() for each in beats]
            await asyncio.sleep(0.02)
        self._shift = max(shifts)


async def test_in_a_faster_time_reminders_and_questions_keep_their_hours_and_the_night_is_quiet(
    tmp_path: Path,
) -> None:
    clock = ShiftedClock()
    async with world(tmp_path, clock=clock, clock_start=BEGINS.isoformat(), clock_speed=str(SPEED)) as here:
        link = await here.enrolled(TABLE, "S-001")
        bot = await here.bot()
        await clock.follow(here)
        patient = here.person(21, "Anna", "zh")
        await patient.begins(link, HOUR)
        before = len(patient.phone.inbox)
        assert at_site(clock.now()).hour < 16, "the machine was too slow for this test"
        await until(lambda: clock.now() >= ENDS, "a day and a night")
        await here.stop(bot)

        came = patient.phone.inbox[before:]
        for key, due in EXPECTED:
            at = datetime.fromisoformat(due)
            assert any(_came(message, at) for message in patient.messages(key)), f"{key} at {due}: {_listing(came)}"
        assert len(came) == len(EXPECTED), _listing(came)
        assert all(8 <= at_site(message.at).hour < 21 for message in came), _listing(came)


def _came(message: ShownMessage, due: datetime) -> bool:
    # The clocks of the two processes agree to a minute or two.
    return due - timedelta(minutes=5) <= message.at <= due + SLACK


def _listing(messages: list[ShownMessage]) -> str:
    return "\n".join(f"{at_site(each.at):%d %H:%M} {each.text[:40]!r}" for each in messages)
