"""Which entries of the agenda have a next one, whatever becomes of them?"""

from collections.abc import Callable, Mapping

from bot.store.models import AgendaItem
from bot.usecases import checkin, home_count, tablets
from bot.work import Work

AFTER_SKIPPED: Mapping[str, Callable[[Work, AgendaItem], None]] = {
    tablets.PROMPT: tablets.after_skipped,
    checkin.ASK: checkin.after_skipped,
    home_count.ASK: home_count.after_skipped,
}


def go_on(work: Work, item: AgendaItem) -> None:
    """Enter the next of a question that was skipped, if it is one that is put again and again."""
    if (after := AFTER_SKIPPED.get(item.kind)) is not None:
        after(work, item)
