"""Does the database know how its tables have grown?"""

from bot.deps import Deps
from bot.store.planner import count_rows


async def gather(deps: Deps) -> None:
    """Count the rows once a day, so that a question about one subject stays as cheap as on the first day."""
    await deps.store.write(count_rows)
    if deps.store.is_sqlite:
        deps.store.renew()
