"""Do messages leave as fast as Telegram allows, and urgent ones before that?"""

import random

import pytest

from bot.delivery.pacing import CHAT_BURST, GROUP_MESSAGES, Pacer


def send(pacer: Pacer, chat: int, now: float, *, took: float = 0.0, new: bool = True) -> None:
    pacer.count(chat, now, new=new)
    pacer.answered(now, now + took)


def test_the_last_place_of_a_second_is_kept_for_red_messages() -> None:
    pacer = Pacer(30)
    assert pacer.room(0.0) == (29, 30)
    for chat in range(29):
        send(pacer, chat + 1, 0.0)
    assert pacer.room(0.5) == (0, 1)
    send(pacer, 100, 0.5)
    assert pacer.room(0.6) == (0, 0)
    assert pacer.room(1.01) == (28, 29)


def test_a_bot_that_may_send_one_a_second_keeps_nothing_back() -> None:
    assert Pacer(1).room(0.0) == (1, 1)


def test_it_says_when_the_next_place_is_free() -> None:
    pacer = Pacer(30)
    assert pacer.opens_in(0.0) == 0.0
    for number in range(29):
        send(pacer, number + 1, number / 100)
    assert pacer.opens_in(0.5) == pytest.approx(0.465)  # a little before, for claiming takes a while


def test_a_message_on_its_way_takes_its_place_until_it_is_answered() -> None:
    pacer = Pacer(2)
    pacer.count(1, 0.0)
    assert pacer.room(50.0) == (0, 1)
    pacer.answered(0.0, 50.0)
    assert pacer.room(50.0) == (1, 2)  # it took 50 s, so it may have arrived at once


def test_one_that_is_claimed_a_little_early_leaves_when_its_place_is_free() -> None:
    pacer = Pacer(2)
    send(pacer, 1, 0.0)
    send(pacer, 2, 0.01)
    assert pacer.room(0.9) == (0, 0)
    assert pacer.room(0.97) == (0, 1)
    assert pacer.count(3, 0.97) == pytest.approx(1.005)


@pytest.mark.parametrize("jitter", [0.0, 0.03, 0.2])
@pytest.mark.parametrize("seed", range(3))
def test_no_second_at_telegram_sees_more_than_the_limit_however_uneven_the_way(seed: int, jitter: float) -> None:
    dice, pacer, now = random.Random(seed), Pacer(30), 0.0
    arrived: list[float] = []
    replies: list[tuple[float, float]] = []
    while now < 40.0:
        now += dice.choice((0.001, 0.01, 0.05))
        for left, back in [each for each in replies if each[1] <= now]:
            pacer.answered(left, back)
            replies.remove((left, back))
        for _ in range(min(pacer.room(now)[dice.randrange(2)], dice.randrange(12))):
            left_at = pacer.count(1, now, new=False)
            arrived.append(left_at + 0.01 + dice.random() * jitter)
            replies.append((left_at, arrived[-1] + 0.01))
    arrived.sort()
    assert len(arrived) > 40 * 15
    assert all(arrived[n + 30] - arrived[n] >= 1.0 for n in range(len(arrived) - 30))


def test_a_chat_gets_a_short_burst_and_then_one_a_second() -> None:
    pacer = Pacer(30)
    for _ in range(CHAT_BURST):
        assert 7 not in pacer.closed(0.0)
        send(pacer, 7, 0.0)
    assert list(pacer.closed(0.5)) == [7]
    assert list(pacer.closed(1.0)) == []
    send(pacer, 7, 1.0)
    assert list(pacer.closed(1.5)) == [7]


def test_edits_count_for_the_bot_and_not_for_the_chat() -> None:
    pacer = Pacer(30)
    for _ in range(10):
        send(pacer, 7, 0.0, new=False)
    assert list(pacer.closed(0.0)) == []
    assert pacer.room(0.0) == (19, 20)


def test_a_group_gets_twenty_a_minute() -> None:
    pacer, now = Pacer(30), 0.0
    for _ in range(GROUP_MESSAGES):
        send(pacer, -5, now)
        now += 1.0
    assert list(pacer.closed(now + 5.0)) == [-5]
    assert list(pacer.closed(60.0)) == []


def test_one_chat_that_is_told_to_wait_waits_alone() -> None:
    pacer = Pacer(30)
    pacer.throttled(7, 5.0, 0.0)
    assert pacer.paused(4.9) == [7]
    assert pacer.paused(5.0) == []
    assert pacer.room(1.0) == (29, 30)


def test_two_chats_told_at_once_mean_that_the_bot_must_wait() -> None:
    pacer = Pacer(30)
    pacer.throttled(7, 5.0, 0.0)
    pacer.throttled(8, 3.0, 1.0)
    assert pacer.room(3.9) == (0, 0)
    assert pacer.opens_in(3.5) == pytest.approx(0.5)
    assert pacer.room(4.0) == (29, 30)


def test_the_same_chat_told_twice_stops_nobody_else() -> None:
    pacer = Pacer(30)
    pacer.throttled(7, 5.0, 0.0)
    pacer.throttled(7, 5.0, 1.0)
    assert pacer.room(1.5) == (29, 30)


def test_chats_that_are_quiet_again_are_forgotten() -> None:
    pacer = Pacer(30)
    for chat in range(1, 1000):
        send(pacer, chat, 0.0)
        send(pacer, -chat, 0.0)
    assert list(pacer.closed(61.0)) == []
    assert not pacer._chats
    assert not pacer._groups
