"""What breaks down, and when: restarts, days of downtime, a wrong clock?"""

from datetime import timedelta

from bot.simulation.world import World

# Chances a day.
RESTARTS, DOWN, CLOCK = 0.08, 0.012, 0.01
DOWNTIMES_HOURS = (0.2, 1, 3, 9, 15, 26, 50, 74)
CLOCK_MINUTES = (-70, -20, 25, 45)


def plan_troubles(world: World) -> None:
    """Let things go wrong from the tenth day on; drawn from the seed, day by day."""
    dice = world.plan.dice("troubles")

    async def day() -> None:
        world.at(world.wall(1, 0), day)
        if dice.random() < RESTARTS:
            world.at(world.wall(0, dice.randrange(24), dice.randrange(60)), restart)
        if dice.random() < DOWN:
            hours = dice.choice(DOWNTIMES_HOURS)
            world.at(world.wall(0, dice.randrange(24), dice.randrange(60)), lambda: down(hours))
        if dice.random() < CLOCK:
            minutes = dice.choice(CLOCK_MINUTES)
            world.at(world.wall(0, dice.randrange(24), dice.randrange(60)), lambda: wrong_clock(minutes))

    async def restart() -> None:
        if world.bot is not None:
            world.counts["restarts"] += 1
            await world.go_down(world.now)

    async def down(hours: float) -> None:
        if world.bot is not None:
            world.counts["downtimes"] += 1
            world.counts["downtime minutes"] += round(hours * 60)
            await world.go_down(world.now + timedelta(hours=hours))

    async def wrong_clock(minutes: int) -> None:
        world.counts["clock steps"] += 1
        await world.step_clock(timedelta(minutes=minutes))
        world.at(world.now + timedelta(minutes=abs(minutes) * 3), right_clock)

    async def right_clock() -> None:
        await world.step_clock(timedelta(0))

    world.at(world.wall(10, 0), day)
