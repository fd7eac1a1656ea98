"""Is anything lost, doubled or wrongly called sent when the process dies or the line breaks?"""

import asyncio
import json
from collections import Counter

import pytest

from bot.domain.roles import Role
from bot.store.models import Account, Escalation, EscalationStep, InboxUpdate, OutboxMessage
from tests.people import BORIS, HEADER
from tests.process.harness import Moment, Person, Program, World, later, until

PER_ROUND = 4


async def study(here: World) -> tuple[Person, Person, str]:
    """Enrol a patient and invite a coordinator; return both and the patient's link."""
    coordinator, patient = here.person(11, "Nurse", "en"), here.person(22, "Boris", "en")
    return coordinator, patient, await here.enrolled(HEADER + BORIS, "S-002")


class Killer:
    """Ends the bot's process at one named moment."""

    def __init__(self, here: World) -> None:
        self._here = here

    def arm(self, moment: str, bot: Program) -> None:
        telegram = self._here.telegram
        loop = asyncio.get_running_loop()

        def on_fetch(delay: float) -> Moment:
            def strike(method: str, answer: dict[str, object] | None) -> bool:
                if method != "getUpdates" or not (answer or {}).get("result"):
                    return False
                if delay:
                    loop.call_later(delay, bot.kill)
                else:
                    bot.kill()
                return True

            return strike

        def on(wanted: str) -> Moment:
            def strike(method: str, _answer: dict[str, object] | None) -> bool:
                if method == wanted:
                    bot.kill()
                return method == wanted

            return strike

        match moment:
            case "fetched, not arrived":
                telegram.after = on_fetch(0)
            case "while they are stored":
                telegram.after = on_fetch(0.004)
            case "while they are handled":
                telegram.after = on_fetch(0.03)
            case "before a message goes out":
                telegram.before = on("sendMessage")
            case "after a message went out":
                telegram.after = on("sendMessage")
            case _:
                raise ValueError(moment)


DEATHS = (
    "fetched, not arrived",
    "while they are stored",
    "while they are handled",
    "before a message goes out",
    "after a message went out",
)


@pytest.mark.req("DI-14")
@pytest.mark.req("DI-15")
@pytest.mark.req("DI-16")
async def test_nothing_typed_is_lost_or_doubled_while_the_process_is_killed_five_times(here: World) -> None:
    coordinator, patient, link = await study(here)
    staff = await here.staff_link(Role.COORDINATOR)
    bot = await here.bot()
    await coordinator.joins_staff(staff)
    await patient.begins(link)
    await here.quiet()

    typed: list[str] = []
    killer = Killer(here)
    for number, moment in enumerate(DEATHS):
        killer.arm(moment, bot)
        for _ in range(PER_ROUND):
            typed.append(f"message number {len(typed) + 1} of 20")
            await patient.says(typed[-1])
        await until(lambda bot=bot: bot.status is not None, f"the death {moment!r}")  # type: ignore[misc]
        assert bot.status == -9
        bot = await here.bot(clock_start=later(minutes=10 * (number + 1)))
    await here.quiet()

    words = [line["values"]["words"] for case in await here.rows(Escalation) for line in told(case)]
    assert words == typed
    assert len(await here.rows(Escalation)) == 1
    steps = [each.what for each in await here.rows(EscalationStep)]
    assert sorted(each for each in steps if each in ("raised", "joined")) == ["joined"] * (len(typed) - 1) + [
        "raised"
    ]
    updates = await here.rows(InboxUpdate)
    assert {row.state for row in updates} == {"done"}
    assert max(Counter(row.update_id for row in updates).values()) == 1

    # A send that the process died in is unsure, never sent; the patient sees no confirmation without a record.
    await here.nothing_is_falsely_sent()
    outcomes = Counter(row.state for row in await here.rows(OutboxMessage))
    assert set(outcomes) <= {"sent", "unsure"}
    assert outcomes["unsure"] >= 1
    again = patient.label("delivery.shown_again", text="")
    passed_on = [each for each in patient.messages("speak.passed_on") if not each.text.startswith(again)]
    assert len(passed_on) <= len(typed)
    await here.stop(bot)


def told(case: Escalation) -> list[dict[str, dict[str, str]]]:
    return [line for source in json.loads(case.summary) for line in source["lines"]]


@pytest.mark.req("DI-16")
async def test_a_message_whose_answer_was_lost_is_unsure_and_only_a_red_one_is_repeated(here: World) -> None:
    _, patient, link = await study(here)
    bot = await here.bot()
    await patient.begins(link)
    await here.quiet()

    here.telegram.fail("sendMessage", drop="after")
    await patient.says("/help")
    await patient.sees("help.patient")
    lost = await here.row_until(OutboxMessage, lambda row: row.state == "unsure", "an unsure message")
    assert (lost.text_key, lost.message_id) == ("help.patient", None)
    await here.quiet()
    assert len(patient.messages("help.patient")) == 1

    here.telegram.fail("sendMessage", drop="after")
    await patient.says("chest pain, can't breathe")
    await patient.sees("delivery.repeated")
    await here.quiet()
    red = [row for row in await here.rows(OutboxMessage) if row.text_key == "triage.red_120.call"]
    assert [row.state for row in red] == ["unsure", "sent"]
    assert len(patient.messages("triage.red_120.call")) == 2
    await here.nothing_is_falsely_sent()
    await here.stop(bot)


@pytest.mark.req("DI-16")
async def test_a_proxy_page_and_flood_control_delay_a_message_and_only_blocking_makes_unreachable(
    here: World,
) -> None:
    coordinator, patient, link = await study(here)
    staff = await here.staff_link(Role.COORDINATOR)
    bot = await here.bot()
    await coordinator.joins_staff(staff)
    await patient.begins(link)
    await here.quiet()

    async def unreachable() -> list[tuple[int, str | None]]:
        accounts = await here.rows(Account)
        return [(each.telegram_id, each.unreachable_because) for each in accounts if each.unreachable_at]

    here.telegram.fail("sendMessage", proxy_page=True)
    await patient.says("/visits")
    refused = await here.row_until(OutboxMessage, lambda row: "403" in (row.reason or ""), "the proxy's page noted")
    assert (refused.state, await unreachable()) == ("waiting", [])
    await here.quiet()
    assert (await here.rows(OutboxMessage))[-1].state == "sent"

    here.telegram.fail("sendMessage", retry_after=1)
    begun = asyncio.get_running_loop().time()
    await patient.says("/help")
    await patient.sees("help.patient")
    assert asyncio.get_running_loop().time() - begun >= 1
    assert [each["outcome"] for each in bot.logged("outbox.attempted")].count("Throttled") == 1
    assert await unreachable() == []

    # The coordinator's phone refuses without a word; the patient's tells that it blocked the bot.
    coordinator.phone.chat.blocked = True
    await patient.says("please call my daughter")
    failed = await here.row_until(OutboxMessage, lambda row: row.state == "failed", "a page that failed")
    assert (failed.chat_id, failed.purpose) == (11, "page")
    assert "blocked" in (failed.reason or "")
    await patient.sees("speak.passed_on")
    assert [number for number, _ in await unreachable()] == [11]
    await patient.phone.blocks()
    await here.row_until(
        Account, lambda row: row.telegram_id == 22 and row.unreachable_at is not None, "the patient unreachable"
    )
    await patient.phone.unblocks()
    await here.row_until(
        Account, lambda row: row.telegram_id == 22 and row.unreachable_at is None, "the patient reachable again"
    )
    await here.nothing_is_falsely_sent()
    await here.stop(bot)
