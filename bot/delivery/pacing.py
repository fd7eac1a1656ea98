"""How fast may messages leave? Telegram's limits, kept by ourselves, with room left for what is urgent.

Times are seconds of a clock that never steps back. Telegram counts a message when it arrives, which is some
time after it left and before the reply is here. So a message takes a place from when it leaves until a second
after the latest moment at which it can have arrived. The last place is kept for red messages.
"""

import sys
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

# A little longer than Telegram's second: the quickest reply so far may not have been the quickest possible.
SECOND = 1.005
CHAT_BURST = 5
CHAT_SECONDS = 1.0
GROUP_MESSAGES = 20
MINUTE = 60.0
# Two chats that are told to wait at almost the same moment mean that the bot as a whole is too fast.
TOKEN_SUSPECTED = 2.0
KEPT_FOR_RED = 1
# Messages are claimed so much before their place is free, and leave when it is: claiming takes a while.
AHEAD = 0.04


@dataclass(slots=True)
class _Chat:
    """Messages that a chat may still get at once, as of a moment, and until when it must get none."""

    left: float
    at: float
    paused_until: float = 0.0


class Unpaced:
    """Holds nothing back: for rehearsals, where nobody's limits count."""

    def room(self, _now: float) -> tuple[int, int]:
        return sys.maxsize, sys.maxsize

    def opens_in(self, _now: float) -> float:
        return 0.0

    def paused(self, _now: float) -> list[int]:
        return []

    def closed(self, _now: float) -> Iterator[int]:
        return iter(())

    def count(self, _chat_id: int, now: float, *, new: bool = True) -> float:
        return now

    def answered(self, _left_at: float, _now: float) -> None:
        return

    def throttled(self, _chat_id: int, _wait: float, _now: float) -> None:
        return


class Pacer:
    """Counts what was sent and says what may be sent now."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._kept = KEPT_FOR_RED if per_second > KEPT_FOR_RED else 0
        self._on_the_way = 0
        self._free_at: list[float] = []  # when the place of an answered call is free again, in order
        self._quickest = float("inf")  # seconds between a call and its reply
        self._chats: dict[int, _Chat] = {}
        self._groups: dict[int, deque[float]] = {}
        self._paused_until = 0.0
        self._last_throttled: tuple[int, float] | None = None

    def room(self, now: float) -> tuple[int, int]:
        """Return how many messages may be claimed now: of any lane, and with red ones."""
        if now < self._paused_until:
            return 0, 0
        self._forget(now)
        taken = len(self._free_at) - bisect_right(self._free_at, now + AHEAD)
        left = self._per_second - self._on_the_way - taken
        return max(left - self._kept, 0), max(left, 0)

    def opens_in(self, now: float) -> float:
        """Return after how many seconds it is worth asking again, when nothing may leave now."""
        if now < self._paused_until:
            return self._paused_until - now
        over = self._on_the_way + len(self._free_at) - (self._per_second - self._kept)
        return max(self._free_at[over] - AHEAD - now, 0.0) if 0 <= over < len(self._free_at) else 0.0

    def paused(self, now: float) -> list[int]:
        """Return the chats that Telegram asked us to leave alone."""
        return [number for number, chat in self._chats.items() if now < chat.paused_until]

    def closed(self, now: float) -> Iterator[int]:
        """Yield the chats that may get nothing but red messages now."""
        for number in list(self._chats):
            chat = self._chats[number]
            if self._left(chat, now) < 1.0:
                yield number
            elif chat.left >= CHAT_BURST and now >= chat.paused_until:
                del self._chats[number]
        for number in list(self._groups):
            sent = self._groups[number]
            while sent and sent[0] <= now - MINUTE:
                sent.popleft()
            if len(sent) >= GROUP_MESSAGES:
                yield number
            elif not sent:
                del self._groups[number]

    def count(self, chat_id: int, now: float, *, new: bool = True) -> float:
        """Take a place for a call to this chat and return when it may leave.

        Only ``new`` messages count against the chat's own limit.
        """
        self._forget(now)
        self._on_the_way += 1
        full = self._on_the_way + len(self._free_at) > self._per_second
        leaves_at = self._free_at.pop(0) if full and self._free_at else now
        if new:
            self._count_chat(chat_id, now)
        return leaves_at

    def _count_chat(self, chat_id: int, now: float) -> None:
        chat = self._chats.setdefault(chat_id, _Chat(CHAT_BURST, now))
        self._left(chat, now)
        chat.left -= 1.0
        if chat_id < 0:
            self._groups.setdefault(chat_id, deque()).append(now)

    def answered(self, left_at: float, now: float) -> None:
        """Note that a call which left at ``left_at`` is over, however it ended."""
        self._on_the_way -= 1
        self._quickest = min(self._quickest, now - left_at)
        insort(self._free_at, now - self._quickest + SECOND)

    def _forget(self, now: float) -> None:
        """Free the places whose second is over."""
        del self._free_at[: bisect_right(self._free_at, now)]

    def throttled(self, chat_id: int, wait: float, now: float) -> None:
        """Note that Telegram asks to wait: for this chat, or for all when several are told so at once."""
        chat = self._chats.setdefault(chat_id, _Chat(CHAT_BURST, now))
        chat.paused_until = max(chat.paused_until, now + wait)
        last, self._last_throttled = self._last_throttled, (chat_id, now)
        if last is not None and last[0] != chat_id and now - last[1] <= TOKEN_SUSPECTED:
            self._paused_until = max(self._paused_until, now + wait)

    def _left(self, chat: _Chat, now: float) -> float:
        chat.left = min(chat.left + (now - chat.at) / CHAT_SECONDS, float(CHAT_BURST))
        chat.at = now
        return chat.left
