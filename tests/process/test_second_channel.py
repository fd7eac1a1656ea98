"""Does `followup run` reach staff by e-mail while Telegram takes nothing, and does the command try both ways?"""

from pathlib import Path

import pytest

from bot.domain.roles import Role
from tests.outside import listener, post_office, words
from tests.people import BORIS, HEADER
from tests.process.harness import World, until, world

SECRET = "a-secret-of-the-site-and-its-gateway"


def as_text(settings: dict[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in settings.items()}


async def test_while_telegram_takes_nothing_the_page_leaves_by_email_and_the_monitor_is_called(
    tmp_path: Path,
) -> None:
    async with post_office() as office, listener() as monitor, world(tmp_path, clock_speed="20") as here:
        doctor, patient = here.person(12, "Physician", "en"), here.person(22, "Boris", "en")
        doctor_link = await here.staff_link(Role.INVESTIGATOR)
        patient_link = await here.enrolled(HEADER + BORIS, "S-002")
        bot = await here.bot(**as_text(office.settings), heartbeat_url=monitor.url)
        await doctor.joins_staff(doctor_link)
        await doctor.goes_on_duty()
        await doctor.says("/settings")
        await doctor.taps("settings.button.email")
        await doctor.sees("email.ask")
        await doctor.says("doctor@hospital.example")
        await doctor.sees("email.test_sent")
        await patient.begins(patient_link)
        await until(lambda: monitor.calls, "a call of the monitor")
        office.letters.clear()

        here.telegram.fail("sendMessage", 100_000, drop="before")
        await patient.says("chest pain, can't breathe")
        await until(lambda: office.letters, "an e-mail")
        assert office.letters[0]["Subject"].startswith("RED: case 1, page 1")
        assert "S-002" not in words(office.letters[0])
        bot.kill()
        assert "doctor@hospital.example" not in bot.err


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [([], 0, ["email: sent", "webhook: sent"]), ([404], 1, ["email: sent", "webhook: refused (status 404)"])],
)
async def test_the_command_tries_both_ways_and_says_what_came_back(
    here: World, answer: list[int], status: int, said: list[str]
) -> None:
    async with post_office() as office, listener() as gateway:
        gateway.answers = answer
        given = as_text(office.settings) | {"page_webhook_url": gateway.url, "page_webhook_secret": SECRET}
        tried = await here.command("second-channel", "test", "--to", "me@example.org", "--locale", "zh", **given)
        assert (tried.status, tried.out.splitlines()) == (status, said), tried.err
        assert office.letters[0]["Subject"].startswith("测试")
        assert b'"kind": "test"' in gateway.calls[0][2]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (["--to", "me@example.org"], "FOLLOWUP_SMTP_HOST is empty"),
        (["--to", "me"], "'me' is not an e-mail address"),
        ([], "name somebody with --to"),
    ],
)
async def test_the_command_says_kindly_what_it_lacks(here: World, given: list[str], complaint: str) -> None:
    tried = await here.command("second-channel", "test", *given)
    assert tried.status == 2
    assert complaint in tried.complaint
