"""Does what Telegram does not deliver leave by another way, and does somebody elsewhere know that the bot lives?"""

from bot.delivery import heartbeat
from bot.delivery import second_channel as sender
from bot.deps import Deps


async def second_channel(deps: Deps) -> None:
    """Send overdue pages by e-mail and webhook."""
    await sender.work_off(deps)


async def tell_monitor(deps: Deps) -> None:
    """Call the monitor of the site while the bot works."""
    await heartbeat.tell(deps)
