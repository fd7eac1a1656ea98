"""What do people see when a message may not have arrived, cannot be sent, or the bot was away for too long?"""

import asyncio
from collections.abc import Sequence

import pytest
from sqlmodel import Session, col, select, update

from bot.delivery import http, web
from bot.delivery.channel import NotSent, Outcome
from bot.delivery.dispatch import Dispatcher
from bot.delivery.pacing import Unpaced
from bot.store import people
from bot.store.lease import Deposed
from bot.store.models import Escalation, Heartbeat, OutboxMessage
from bot.store.outbox import Room, claim_due
from bot.story.stage import Stage
from bot.usecases import outage
from bot.work import Lane, Work
from schedules import agenda
from tests.people import study

WORDS = "I have a question for the nurse"
PLENTY = Room(8, 10)


async def messages(stage: Stage, key: str) -> Sequence[OutboxMessage]:
    def read(session: Session) -> Sequence[OutboxMessage]:
        return session.exec(
            select(OutboxMessage).where(OutboxMessage.text_key == key).order_by(col(OutboxMessage.id))
        ).all()

    return await stage.deps.store.read(read)


@pytest.mark.req("DI-16")
async def test_an_answer_that_may_be_lost_is_shown_again_when_the_person_comes_back(stage: Stage) -> None:
    made = await study(stage)
    stage.telegram.fail("sendMessage", times=1, drop="after")
    await made.boris.says("/visits")
    (lost,) = await messages(stage, "visit.mine")
    assert lost.state == "unsure"
    await made.pass_time(minutes=30)
    assert len(await messages(stage, "visit.mine")) == 1  # nothing repeats by itself

    await made.boris.says("/team")
    again = (await messages(stage, "visit.mine"))[-1]
    assert again.state == "sent"
    assert again.text == made.boris.label("delivery.shown_again", text=lost.text)
    await made.boris.says("/team")
    assert len(await messages(stage, "visit.mine")) == 2  # once is enough


@pytest.mark.req("DI-16")
async def test_a_reminder_that_may_be_lost_is_not_repeated(stage: Stage) -> None:
    made = await study(stage)

    def doubt(session: Session) -> None:
        session.connection().execute(
            update(OutboxMessage)
            .where(col(OutboxMessage.lane) == Lane.ANSWER, col(OutboxMessage.method) == "send")
            .values(lane=Lane.REMINDER, state="unsure")
        )

    await stage.deps.store.write(doubt)
    before = len(made.boris.phone.inbox)
    await made.boris.says("/team")
    assert len(made.boris.phone.inbox) == before + 1


async def test_a_message_that_telegram_refuses_becomes_a_task_and_holds_up_nothing(stage: Stage) -> None:
    made = await study(stage)
    stage.telegram.fail("sendMessage", times=1, status=400)
    await made.boris.says("/visits")
    (refused,) = await messages(stage, "visit.mine")
    assert refused.state == "failed"
    cases = await stage.deps.store.read(lambda session: session.exec(select(Escalation)).all())
    told = [case for case in cases if "bot.not_delivered" in case.because]
    assert len(told) <= 1
    before = len(made.boris.phone.inbox)
    await made.boris.says("/team")
    assert len(made.boris.phone.inbox) == before + 1


@pytest.mark.req("DI-27")
async def test_after_an_outage_of_a_day_every_active_patient_is_asked_again_once(stage: Stage) -> None:
    made = await study(stage)

    def away(session: Session) -> None:
        heart = session.get_one(Heartbeat, outage.HEARD)
        heart.at = stage.clock.now()

    await stage.deps.store.write(away)
    stage.clock.advance(hours=25)
    stage.bot.poller._ear.cut_off = True
    await stage.settle()
    await agenda.reminders(stage.deps)
    await stage.settle()
    for patient in made.patients:
        asked = patient.label_template("outage.ask").splitlines()[2]
        (question,) = [each for each in patient.phone.inbox if asked in each.text]
        assert patient.label("menu.button.unwell") in question.labels
    assert len(await messages(stage, "staff.outage")) == 2
    await made.pass_time(hours=1)
    assert len(await messages(stage, "outage.ask")) == 3


async def test_what_came_in_is_stored_before_everybody_is_asked_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await study(stage)

    def fails(_work: Work, *, after_gap: bool) -> None:
        raise RuntimeError(f"after a gap: {after_gap}")

    monkeypatch.setattr(outage, "heard", fails)
    stage.bot.poller._ear.cut_off = True
    await made.boris.phone.sends("/team")
    with pytest.raises(RuntimeError):
        await stage.bot.poller.poll(0)
    assert await stage.bot.pump.drain() == 1


async def test_a_short_gap_asks_nobody(stage: Stage) -> None:
    await study(stage)
    stage.clock.advance(hours=19)
    stage.bot.poller._ear.cut_off = True
    await stage.settle()
    assert not await messages(stage, "staff.outage")


async def test_a_claim_walks_the_lanes_and_keeps_a_chats_order(both_stages: Stage) -> None:
    stage = both_stages
    now = stage.clock.now()

    def put(session: Session) -> None:
        for chat in (1, 2, 3):
            people.meet(session, chat, "en", now)
        session.flush()
        lanes = [(1, Lane.REMINDER), (1, Lane.REMINDER), (2, Lane.REMINDER), (3, Lane.ANSWER), (2, Lane.RED)]
        for number, (chat, lane) in enumerate(lanes):
            session.add(
                OutboxMessage(
                    account_id=chat,
                    chat_id=chat,
                    purpose="test",
                    lane=lane,
                    text_key="test",
                    values="{}",
                    text=str(number),
                    locale="en",
                    created_at=now,
                    due_at=now,
                )
            )

    await stage.deps.store.write(put)

    def claim(room: Room, busy: Sequence[int] = (), held: Sequence[int] = (), epoch: int = 1) -> list[str]:
        with Session(stage.deps.store.engine) as session:
            found = [row.text for row in claim_due(session, now, epoch, busy, held, room).messages]
            session.rollback()
        return found

    assert claim(PLENTY) == ["4", "3", "0"]
    assert claim(Room(2, 2)) == ["4", "3"]
    assert claim(Room(0, 1)) == ["4"]
    assert claim(PLENTY, held=[2, 3]) == ["4", "0"]
    assert claim(PLENTY, busy=[2, 3]) == ["0"]
    with pytest.raises(Deposed):
        claim(PLENTY, epoch=0)


async def test_who_leads_again_sends_nothing_that_it_claimed_when_it_led_before(stage: Stage) -> None:
    await study(stage)
    looks = []

    class Slow:
        """A channel in which a message waits for its turn while the lead is lost and won again."""

        async def deliver(self, _message: OutboxMessage) -> Outcome:
            stage.deps.standing.epoch += 1
            may_write = http.may_write.get()
            assert may_write is not None
            looks.append(may_write())
            return NotSent("another process led meanwhile")

    def put(work: Work) -> None:
        (account,) = people.speakers(work.session, 1, "patient")
        work.say(account, "menu.patient", subject_id=1, phone="120")

    await stage.within(put)
    dispatcher = Dispatcher(stage.deps, Slow(), stage.bot.leadership, Unpaced())
    await dispatcher.drain()
    assert looks == [False]


async def test_behind_a_webhook_a_start_after_a_day_asks_again_too(stage: Stage) -> None:
    await study(stage)
    stage.clock.advance(hours=25)
    listening = asyncio.create_task(web.note_heard(stage.deps))
    while not await messages(stage, "staff.outage"):
        assert not listening.done()
        await asyncio.sleep(0)
    listening.cancel()
    assert len(await messages(stage, "staff.outage")) == 2
