"""Does `followup run` do the main job as a process of its own, over HTTP?"""

import json
import re
import time
from pathlib import Path

import aiohttp
import pytest

from bot.store.models import Escalation
from tests.conftest import KEY, TOKEN
from tests.people import BORIS, HEADER
from tests.process.harness import DEADLINE_SECONDS, World, free_port, until, world

LINK = re.compile(r"https://t\.me/\S+")
DANGER = "chest pain, can't breathe"
CALL_BACK = "0571-0000-0002"


async def staff_link(here: World, role: str) -> str:
    """Let the terminal print an invitation, as on the first day."""
    printed = await here.command("staff", "invite", "--role", role)
    assert printed.status == 0, printed.err
    found = LINK.search(printed.out)
    assert found is not None, printed.out
    return found.group()


async def healthy(port: int) -> str:
    """Return what /healthz says once it is well: on a busy machine the database may seem slow at first."""
    last = time.monotonic() + DEADLINE_SECONDS
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"http://127.0.0.1:{port}/healthz") as health:
                told = await health.text()
                if health.status == 200:
                    return told
            assert '"slow"' in told, told
            assert time.monotonic() < last, told


@pytest.mark.req("SEC-06")
async def test_the_main_job_over_http_from_the_first_invitation_to_the_acknowledged_alarm(
    tmp_path: Path, empty_url: str
) -> None:
    async with world(tmp_path, empty_url) as here:
        doctor_link = await staff_link(here, "investigator")
        table, links = tmp_path / "subjects.csv", tmp_path / "links.csv"
        table.write_text(HEADER + BORIS, encoding="utf-8")
        imported = await here.command("import", str(table), "--invitations", str(links))
        assert imported.status == 0, imported.err
        patient_link = links.read_text(encoding="utf-8").splitlines()[1].split(",")[1]

        port = free_port()
        bot = await here.bot(health_port=str(port), log_level="DEBUG")
        doctor, patient = here.person(12, "Physician", "en"), here.person(22, "Boris", "en")
        await doctor.joins_staff(doctor_link)
        await doctor.goes_on_duty()
        await patient.begins(patient_link)
        assert patient.label("menu.button.unwell") in patient.phone.last.labels
        assert [each["command"] for each in patient.phone.command_menu][:2] == ["menu", "unwell"]

        typed = time.monotonic()
        await patient.says(DANGER)
        red = await patient.sees("triage.red_120.call")
        assert here.telegram.when(red) - typed < 1.5
        page = await doctor.sees("case.page")
        assert DANGER in page.text
        assert CALL_BACK in page.text
        await patient.sees("triage.paged")
        await doctor.taps("case.button.acknowledge")
        await doctor.presses(doctor.label("case.read_back.do.phone_now", code="S-002"))
        await patient.sees("case.told.taken_over")
        await here.quiet()
        (case,) = await here.rows(Escalation)
        assert (case.state, case.urgency) == ("acknowledged", "red_120")

        told = await healthy(port)
        counts = json.loads(told)
        assert (counts["ok"], counts["inbox_waiting"], counts["outbox_waiting"]) == (True, 0, 0)

        await here.stop(bot)
        await here.nothing_is_falsely_sent()
        assert bot.log[-1]["event"] == "stopped"
        assert [line for line in bot.log if line["level"] in ("warning", "error", "critical")] == []
        codes = [link.partition("start=")[2] for link in (doctor_link, patient_link)]
        for secret in (TOKEN, KEY, DANGER, "chest pain", CALL_BACK, "Boris", "Physician", *codes):
            assert secret not in bot.err
            assert secret not in bot.out
            assert secret not in told


async def test_a_bot_that_has_only_just_begun_stops_when_it_is_told(here: World) -> None:
    # Its jobs run for the first time at this moment; none of them may hold the end up, or cry out.
    bot = await here.bot()
    await here.stop(bot)
    assert [line for line in bot.log if line["level"] in ("warning", "error")] == []


async def test_the_bot_waits_for_a_network_that_comes_later(here: World) -> None:
    here.telegram.fail("getMe", drop="before")
    bot = await here.bot()
    assert len(bot.logged("start.waiting")) == 1
    assert here.telegram.calls.count("getMe") == 2
    await here.stop(bot)


@pytest.mark.parametrize(
    ("method", "mode", "hangs"),
    [
        pytest.param("getMe", "polling", False, id="nobody answers its first question"),
        pytest.param("getMe", "polling", True, id="its first question hangs"),
        pytest.param("setMyCommands", "polling", True, id="its menu hangs"),
        pytest.param("deleteWebhook", "polling", True, id="its choice of polling hangs"),
        pytest.param("setWebhook", "webhook", False, id="nobody takes its webhook"),
    ],
)
async def test_a_bot_that_waits_for_telegram_stops_at_once_when_it_is_told(
    here: World, method: str, mode: str, hangs: bool
) -> None:
    here.telegram.fail(method, 100, drop=None if hangs else "before", delay=60.0 if hangs else 0.0)
    hook = {"webhook_url": "http://127.0.0.1:1", "webhook_secret": "s" * 16, "webhook_port": str(free_port())}
    bot = here.start("run", mode=mode, **(hook if mode == "webhook" else {}))
    await until(lambda: bot.logged("start.waiting") or (hangs and method in here.telegram.calls), "the wait")
    told = time.monotonic()
    await here.stop(bot)
    assert time.monotonic() - told < 1.0
    assert bot.logged("started") == []
    assert bot.log[-1]["event"] == "stopped"
    assert "Traceback" not in bot.err


@pytest.mark.parametrize(
    ("method", "status", "complaint"),
    [
        ("getMe", 401, "Telegram does not know this token; check FOLLOWUP_TELEGRAM_TOKEN"),
        ("deleteWebhook", 400, "Telegram refuses what the start asks for"),
    ],
)
async def test_a_start_that_telegram_refuses_ends_with_one_clear_line(
    here: World, method: str, status: int, complaint: str
) -> None:
    here.telegram.fail(method, status=status)
    bot = await here.command("run")
    assert (bot.status, TOKEN in bot.err, "Traceback" in bot.err) == (2, False, False)
    assert bot.err.splitlines()[-1].startswith(f"followup: {complaint}")


@pytest.mark.req("SEC-07")
async def test_a_second_process_that_polls_with_the_same_token_ends_this_one_with_one_clear_line(
    here: World,
) -> None:
    bot = await here.bot()
    await until(lambda: "getUpdates" in here.telegram.calls, "the first long poll")
    async with aiohttp.ClientSession() as session:
        url = f"{here.served.base_url}{TOKEN}/getUpdates"
        await until(lambda: here.telegram.updates._poll is not None, "a long poll under way")
        async with session.post(url, json={"timeout": 0}) as answer:
            assert answer.status == 200
    assert await bot.ended() == 2
    *log, last = bot.err.splitlines()
    assert [json.loads(line)["level"] for line in log] == ["info"] * len(log)
    assert last.startswith("followup: another process is asking Telegram for this bot's updates")
