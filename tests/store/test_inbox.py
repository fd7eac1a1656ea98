"""An update is stored once, counted once, and given to nobody while an older one of its chat waits."""

from datetime import UTC, datetime
from typing import Any

from bot.store import inbox
from bot.store.session import Store

NOW = datetime(2026, 12, 3, 9, 0, tzinfo=UTC)
BOT_ID = 7


def update(number: int, chat: int | None) -> dict[str, Any]:
    return {"update_id": number, "message": {"chat": {"id": chat}}} if chat is not None else {"update_id": number}


def keep(store: Store, *updates: dict[str, Any]) -> int:
    return store.write_now(lambda session: inbox.keep(session, BOT_ID, updates, NOW))


def waiting(store: Store, busy: list[int | None], limit: int = 10) -> list[int]:
    return store.read_now(lambda session: [row.update_id for row in inbox.waiting(session, BOT_ID, busy, limit).rows])


def take(store: Store, number: int) -> bool:
    def work(session: Any) -> bool:
        taken = inbox.take(session, BOT_ID, number)
        if taken.mine and taken.row is not None:
            inbox.close(taken.row, "done", NOW)
        return taken.mine

    return store.write_now(work)


def test_only_new_updates_are_stored_and_counted(store: Store) -> None:
    assert keep(store) == 0
    assert keep(store, update(2, 1), update(1, 1), update(2, 1)) == 2
    assert keep(store, update(2, 1), update(3, 2)) == 1
    assert keep(store, update(3, 2)) == 0
    assert waiting(store, []) == [1, 3]


def test_each_free_chat_gives_its_oldest_update(store: Store) -> None:
    keep(store, update(1, 5), update(2, None), update(3, 5), update(4, None), update(5, 6), update(6, 7))
    assert waiting(store, []) == [1, 2, 5, 6]
    assert waiting(store, [], limit=2) == [1, 2]
    assert waiting(store, [5, 7]) == [2, 5]
    assert waiting(store, [None, 6]) == [1, 6]


def test_a_chat_that_writes_much_hides_the_others_for_one_look(store: Store) -> None:
    keep(store, *(update(number, 5) for number in range(1, inbox.LOOKED_AT + 1)), update(1000, 6))

    def more(busy: list[int | None], limit: int) -> bool:
        return store.read_now(lambda session: inbox.waiting(session, BOT_ID, busy, limit).more)

    assert waiting(store, []) == [1]
    assert more([], 10)
    assert waiting(store, [5]) == [1000]
    assert not more([5], 10)
    assert more([5], 1)


def test_an_update_is_not_taken_before_older_ones_of_its_chat(store: Store) -> None:
    keep(store, update(1, 5), update(2, None), update(3, 5), update(4, None))
    assert not take(store, 3)
    assert not take(store, 4)
    assert take(store, 1)
    assert take(store, 2)
    assert take(store, 3)
    assert take(store, 4)
    assert not take(store, 4)
    assert take(store, 99)
