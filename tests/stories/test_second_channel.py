"""A page that Telegram does not deliver leaves by another way, says nothing about a patient, and ends in time."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, select

from bot.delivery import web
from bot.delivery.email import Mailer
from bot.domain.roles import Role
from bot.simulator.parts import Exchange
from bot.store.models import AuditEntry, EscalationStep, SecondSend, StaffMember
from bot.story import stage as stages
from bot.story.people import Person
from bot.usecases import second_channel as use_cases
from tests.conftest import SITE_PHONE, START, make_settings
from tests.outside import Listener, PostOffice, listener, post_office, words
from tests.people import Study, staff, study
from tests.stories.conftest import Snapshot, World, opened
from tests.stories.scenes import CHEST_PAIN, Watch, cases, fails_for, in_language, rows

SECRET = "a-secret-of-the-site-and-its-gateway"
OPERATION = Path(__file__).parents[2] / "docs" / "operation.md"
DOCTOR, NURSE = "doctor@hospital.example", "nurse@hospital.example"
DOWN = 10_000  # more calls than any story makes


class Site:
    """A study with a mail server, both of the staff on duty and with an address."""

    def __init__(self, world: World, made: Study, office: PostOffice) -> None:
        self.world, self.study, self.office = world, made, office

    @property
    def stage(self) -> stages.Stage:
        return self.study.stage

    async def sends(self, **where: object) -> list[SecondSend]:
        return await rows(self.stage, SecondSend, purpose="page", **where)

    async def steps(self) -> list[str]:
        return [step.what for step in await rows(self.stage, EscalationStep)]

    def telegram_is_down(self) -> None:
        self.stage.telegram.fail("sendMessage", DOWN, drop="unreachable")

    def telegram_is_back(self) -> None:
        self.stage.telegram._faults.clear()


async def gives_address(someone: Person, address: str) -> None:
    await someone.says("/settings")
    await someone.taps("settings.button.email")
    await someone.says(address)


async def prepared(world: World, made: Study, office: PostOffice) -> Site:
    await made.coordinator.says("/duty")
    await made.coordinator.taps("duty.button.on")
    for someone, address in ((made.doctor, DOCTOR), (made.coordinator, NURSE)):
        await gives_address(someone, address)
    await made.pass_time(seconds=1)
    office.letters.clear()
    office.recipients.clear()
    return Site(world, made, office)


@pytest.fixture
async def office() -> AsyncIterator[PostOffice]:
    async with post_office() as made:
        yield made


@pytest.fixture
async def gateway() -> AsyncIterator[Listener]:
    async with listener() as made:
        yield made


@pytest.fixture
async def site(begun: Snapshot, tmp_path: Path, office: PostOffice) -> AsyncIterator[Site]:
    """Give a study whose staff have e-mail, and no gateway."""
    async with opened(begun, tmp_path, **office.settings) as (world, made):
        yield await prepared(world, made, office)


@pytest.fixture
async def always(begun: Snapshot, tmp_path: Path, office: PostOffice) -> AsyncIterator[Site]:
    """Give the same at a site that wants an e-mail with every red page."""
    async with opened(begun, tmp_path, **office.settings, second_channel="always_for_red") as (world, made):
        yield await prepared(world, made, office)


@pytest.fixture
async def called(begun: Snapshot, tmp_path: Path, gateway: Listener) -> AsyncIterator[tuple[World, Study]]:
    """Give a study with a gateway and no e-mail."""
    settings = {"page_webhook_url": gateway.url, "page_webhook_secret": SECRET}
    async with opened(begun, tmp_path, **settings) as made:
        yield made


async def chest_pain(made: Study) -> None:
    await made.anna.says(CHEST_PAIN["zh"])


class TestWhenTelegramIsDown:
    async def test_after_sixty_seconds_each_gets_one_email_in_their_language(self, site: Site) -> None:
        await in_language(site.study.doctor, "zh")
        site.telegram_is_down()
        await chest_pain(site.study)
        await site.study.pass_time(seconds=50)
        assert site.office.letters == []
        await site.study.pass_time(seconds=30)
        assert sorted(site.office.recipients) == [DOCTOR, NURSE]
        (case,) = await cases(site.stage)
        by = dict(zip(site.office.recipients, site.office.letters, strict=True))
        assert by[NURSE]["Subject"] == f"RED: case {case.id}, page 1. Open Telegram now."
        assert SITE_PHONE in words(by[NURSE])
        assert by[DOCTOR]["Subject"].startswith("红色")
        assert "打开 Telegram" in words(by[DOCTOR])
        assert by[NURSE]["Message-ID"] != by[DOCTOR]["Message-ID"]
        await site.study.pass_time(minutes=3)
        assert len(site.office.letters) == 2

    async def test_an_email_that_left_is_a_page_that_was_sent(self, site: Site) -> None:
        site.telegram_is_down()
        await chest_pain(site.study)
        await site.study.pass_time(seconds=80)
        (case,) = await cases(site.stage)
        assert case.page_sent_at is not None
        assert (await site.steps()).count("mailed") == 2
        anna = Watch(site.study.anna)
        site.telegram_is_back()
        await site.study.pass_time(minutes=2)
        assert anna.count("triage.paged") == 1
        await site.study.doctor.says("/alerts")
        await site.study.doctor.presses("S-001")
        assert site.study.doctor.label("case.step.mailed") in site.study.doctor.phone.last.text

    async def test_every_round_has_an_email_until_somebody_takes_over(self, site: Site) -> None:
        site.telegram_is_down()
        await chest_pain(site.study)
        await site.study.pass_time(minutes=13)
        pages = [re.search(r"page (\d+)", each["Subject"]) for each in site.office.letters]
        assert sorted({int(page[1]) for page in pages if page}) == [1, 2, 3]
        site.telegram_is_back()
        await site.study.pass_time(minutes=2)
        await site.study.doctor.taps("case.button.acknowledge", "case.button.spoke")
        before = len(site.office.letters)
        site.telegram_is_down()
        await site.study.pass_time(minutes=20)
        assert len(site.office.letters) == before

    async def test_what_telegram_delivers_late_stops_what_has_not_left(self, site: Site) -> None:
        await site.office.close()
        site.telegram_is_down()
        await chest_pain(site.study)
        await site.study.pass_time(seconds=90)
        assert {send.state for send in await site.sends()} == {"waiting"}
        site.telegram_is_back()
        await site.study.pass_time(seconds=70)
        await site.office.open()
        await site.study.pass_time(minutes=2)
        assert site.office.letters == []
        assert {(send.state, send.reason) for send in await site.sends()} == {("skipped", use_cases.NOT_NEEDED)}

    async def test_a_case_that_is_taken_over_in_time_needs_no_email(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            fails_for(patched, site.stage, site.study.doctor, _down)
            await chest_pain(site.study)
            await site.study.pass_time(seconds=30)
            await site.study.coordinator.taps("case.button.acknowledge", "case.button.spoke")
            await site.study.pass_time(minutes=10)
        assert site.office.letters == []

    async def test_amber_leaves_too_and_yellow_and_requests_do_not(self, site: Site) -> None:
        site.telegram_is_down()
        await site.study.boris.says("/team")
        await site.study.boris.says("Please call me back, I have a question about my appointment.")
        await site.study.pass_time(minutes=10)
        assert await rows(site.stage, SecondSend, purpose="page") == []

        def amber(work: Any) -> None:
            case = work.session.get_one(type(made), made.id)
            case.urgency = "amber"

        await chest_pain(site.study)
        (made,) = await cases(site.stage, kind="symptom")
        await site.stage.within(amber)
        await site.study.pass_time(seconds=70)
        assert {each["Subject"].split(":")[0] for each in site.office.letters} == {"AMBER"}


def _down() -> Exchange:
    return Exchange(cut="unreachable")


class TestFates:
    async def test_a_page_of_unknown_fate_leaves_at_once(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        site.stage.telegram.fail("sendMessage", DOWN, drop="after")
        await chest_pain(site.study)
        await site.study.pass_time(seconds=5)
        assert sorted(site.office.recipients) == [DOCTOR, NURSE]
        assert {send.why for send in await site.sends()} == {"of unknown fate"}

    async def test_a_refused_page_leaves_at_once(self, site: Site) -> None:
        site.stage.telegram.fail("sendMessage", DOWN, status=400)
        await chest_pain(site.study)
        await site.study.pass_time(seconds=5)
        assert sorted(site.office.recipients) == [DOCTOR, NURSE]

    async def test_a_mail_server_that_comes_back_gets_it_once(self, site: Site) -> None:
        await site.office.close()
        site.telegram_is_down()
        await chest_pain(site.study)
        await site.study.pass_time(seconds=61)
        await site.study.pass_time(seconds=140)
        assert all(send.state == "waiting" and send.attempts >= 2 for send in await site.sends())
        await site.office.open()
        await site.study.pass_time(seconds=95)
        assert sorted(site.office.recipients) == [DOCTOR, NURSE]
        assert {send.state for send in await site.sends()} == {"sent"}

    async def test_the_pauses_grow_over_the_rounds_and_red_never_gives_up(self, site: Site) -> None:
        site.office.answers["RCPT"] = ["550 no such user"] * DOWN
        site.telegram_is_down()
        await chest_pain(site.study)
        await site.study.pass_time(hours=1)
        newest = (await site.sends())[-1]
        assert newest.state == "waiting"
        # Four in the first minutes, then one in five minutes, whatever the number of the page.
        assert 10 <= newest.attempts <= 17
        site.office.answers["RCPT"] = []
        await site.study.pass_time(minutes=6)
        assert {DOCTOR, NURSE} <= set(site.office.recipients)

    async def test_after_a_crash_in_the_middle_it_goes_out_again_under_the_same_id(self, site: Site) -> None:
        site.telegram_is_down()
        await chest_pain(site.study)
        site.stage.clock.advance(seconds=61)
        epoch = site.stage.deps.standing.epoch
        await site.stage.within(use_cases.plan)
        claimed = await site.stage.within(lambda work: use_cases.claim(work, epoch))
        assert len(claimed) == 2
        site.office.letters.clear()
        await site.world.restart()
        await site.study.pass_time(seconds=60)
        states = [send.state for send in await site.sends()]
        assert sorted(states) == ["sent", "sent", "unsure", "unsure"]
        assert len(site.office.letters) == 2
        first = [Mailer(site.stage.deps.settings).message(each.letter)["Message-ID"] for each in claimed]
        assert sorted(first) == sorted(each["Message-ID"] for each in site.office.letters)

    async def test_a_connection_that_breaks_at_the_end_is_of_unknown_fate_and_red_goes_again(
        self, site: Site
    ) -> None:
        site.office.cut = 1
        site.telegram_is_down()
        await chest_pain(site.study)
        await site.study.pass_time(seconds=61)
        await site.study.pass_time(seconds=40)
        assert sorted(send.state for send in await site.sends()) == ["sent", "sent", "unsure"]
        assert len({each["Message-ID"] for each in site.office.letters}) == 2

    async def test_the_patient_hears_that_nobody_is_reached_only_when_no_way_works(self, site: Site) -> None:
        anna = Watch(site.study.anna)
        for each in (site.study.doctor, site.study.coordinator):
            _has_blocked(each)
        await chest_pain(site.study)
        await site.study.pass_time(seconds=10)
        assert anna.read("triage.paged")
        assert not anna.read("case.nobody_reached")

    async def test_when_email_fails_as_well_the_patient_is_told_to_call_120(self, site: Site) -> None:
        site.office.answers["RCPT"] = ["550 no such user"] * DOWN
        anna = Watch(site.study.anna)
        for each in (site.study.doctor, site.study.coordinator):
            _has_blocked(each)
        await chest_pain(site.study)
        await site.study.pass_time(seconds=10)
        assert anna.count("case.nobody_reached") == 1
        assert not anna.read("triage.paged")


def _has_blocked(someone: Person) -> None:
    """Let somebody have blocked the bot since it last wrote."""
    someone.phone.chat.blocked = True


class TestAlways:
    async def test_every_red_page_also_leaves_by_email(self, always: Site) -> None:
        await chest_pain(always.study)
        await always.study.pass_time(seconds=1)
        assert sorted(always.office.recipients) == [DOCTOR, NURSE]
        assert "The same page goes out by Telegram." in words(always.office.letters[0])
        assert always.study.doctor.read("case.page")

    async def test_amber_waits_for_telegram_all_the_same(self, always: Site) -> None:
        await always.study.boris.says("My gums bleed a little when I brush my teeth")
        await always.study.pass_time(minutes=2)
        assert [send for send in await always.sends() if send.why != "always for red"] == []


class TestAddress:
    async def test_a_test_email_leaves_and_its_fate_is_told(self, site: Site) -> None:
        await site.study.doctor.says("/settings")
        await site.study.doctor.taps("settings.button.email", "email.button.change")
        sees = Watch(site.study.doctor)
        await site.study.doctor.says("my address")
        assert sees.read("input.email.unreadable")
        await site.study.doctor.says("ward7＠hospital.example")
        await site.study.pass_time(seconds=1)
        assert site.office.recipients == ["ward7@hospital.example"]
        assert "Test" in site.office.letters[0]["Subject"]
        assert sees.last("email.test_sent")

    async def test_a_test_that_is_refused_is_told(self, site: Site) -> None:
        site.office.answers["RCPT"] = ["550 no such user"]
        sees = Watch(site.study.doctor)
        await site.study.doctor.says("/settings")
        await site.study.doctor.taps("settings.button.email", "email.button.change")
        await site.study.doctor.says("nobody@hospital.example")
        await site.study.pass_time(seconds=1)
        assert sees.last("email.test_failed")

    async def test_what_waits_goes_to_the_new_address_and_to_none_after_removal(self, site: Site) -> None:
        await site.office.close()
        site.telegram_is_down()
        await chest_pain(site.study)
        await site.study.pass_time(seconds=80)
        site.telegram_is_back()
        await site.stage.within(lambda work: _set(work, "Physician", "new@hospital.example"))
        await site.stage.within(lambda work: _set(work, "Nurse", None))
        site.telegram_is_down()
        await site.office.open()
        await site.study.pass_time(seconds=100)
        assert set(site.office.recipients) <= {"new@hospital.example"}
        assert NURSE not in site.office.recipients

    async def test_removing_it_takes_one_tap(self, site: Site) -> None:
        await site.study.doctor.says("/settings")
        await site.study.doctor.taps("settings.button.email")
        assert DOCTOR in site.study.doctor.phone.last.text
        await site.study.doctor.taps("email.button.remove")
        (doctor,) = [each for each in await rows(site.stage, StaffMember) if each.name == "Physician"]
        assert doctor.email is None
        entries = await rows(site.stage, AuditEntry, entity="staff_member", entity_id=doctor.id)
        assert DOCTOR not in json.dumps([entry.changes for entry in entries])
        assert any("email" in entry.changes for entry in entries)

    async def test_who_leaves_gets_nothing_and_the_admin_never_sees_the_address(self, site: Site) -> None:
        admin = await staff(site.stage, 16, "Admin", Role.ADMIN)
        await admin.says("/staff")
        assert "e-mail for alerts: set" in admin.phone.last.text
        assert DOCTOR not in admin.phone.last.text
        site.telegram_is_down()
        await chest_pain(site.study)
        await site.study.pass_time(seconds=30)
        site.telegram_is_back()
        await admin.says("/staff")
        await admin.presses(admin.label("staff.button.end", name="Physician"))
        await admin.taps("staff.button.end_yes")
        site.telegram_is_down()
        await site.study.pass_time(minutes=12)
        assert DOCTOR not in site.office.recipients
        (doctor,) = [each for each in await rows(site.stage, StaffMember) if each.name == "Physician"]
        assert doctor.email is None

    async def test_without_a_mail_server_nothing_is_offered(self, study: Study) -> None:
        await study.doctor.says("/settings")
        assert study.doctor.label("settings.button.email") not in study.doctor.phone.last.labels


def _set(work: Any, name: str, address: str | None) -> None:
    for member in work.session.exec(select(StaffMember)).all():
        if member.name == name:
            member.email = address


def sample() -> Any:
    """Return the function of the gateway in the operation page, as it stands there."""
    page = OPERATION.read_text(encoding="utf-8")
    (code,) = [each for each in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "compare_digest" in each]
    space: dict[str, Any] = {"__name__": "gateway"}
    exec(code.split("\nweb.run_app")[0], space)
    return space


class TestWebhook:
    async def test_the_gateway_of_the_page_accepts_what_leaves_here_and_nothing_else(
        self, called: tuple[World, Study], gateway: Listener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, made = called
        made.stage.telegram.fail("sendMessage", DOWN, drop="unreachable")
        await chest_pain(made)
        await made.pass_time(seconds=80)
        ((_, headers, body),) = gateway.calls
        space = sample()
        now = int(headers["X-Followup-Timestamp"])
        is_genuine = space["is_genuine"]
        assert is_genuine(SECRET, headers, body, now + 10)
        assert not is_genuine(SECRET, headers, body + b" ", now + 10)
        assert not is_genuine(SECRET, headers, body, now + 301)
        assert not is_genuine("x" * 40, headers, body, now + 10)
        assert not is_genuine(SECRET, {**headers, "X-Followup-Timestamp": str(now + 1)}, body, now + 10)
        told = json.loads(body)
        assert (told["urgency"], told["page"], told["role"]) == ("red", 1, "investigator")
        assert told["id"] == headers["X-Followup-Id"]
        assert (await cases(made.stage))[0].page_sent_at is not None

    @pytest.mark.parametrize("status", [500, 503, 429, 400, 404])
    async def test_red_goes_on_whatever_the_gateway_answers(
        self, called: tuple[World, Study], gateway: Listener, status: int
    ) -> None:
        _, made = called
        gateway.answers = [status] * 2
        made.stage.telegram.fail("sendMessage", DOWN, drop="unreachable")
        await chest_pain(made)
        await made.pass_time(seconds=61)
        await made.pass_time(seconds=140)
        assert len(gateway.calls) == 3
        assert len({headers["X-Followup-Id"] for _, headers, _ in gateway.calls}) == 1
        (send,) = await rows(made.stage, SecondSend)
        assert (send.state, send.attempts) == ("sent", 3)

    async def test_amber_ends_with_a_refusal_and_not_with_a_gateway_that_is_away(
        self, called: tuple[World, Study], gateway: Listener
    ) -> None:
        _, made = called
        gateway.answers = [503, 404]
        made.stage.telegram.fail("sendMessage", DOWN, drop="unreachable")
        await chest_pain(made)
        (case,) = await cases(made.stage)

        def amber(work: Any) -> None:
            work.session.get_one(type(case), case.id).urgency = "amber"

        await made.stage.within(amber)
        await made.pass_time(seconds=61)
        await made.pass_time(seconds=140)
        (send,) = await rows(made.stage, SecondSend)
        assert (send.state, send.reason, send.attempts) == ("failed", "status 404", 2)


class TestAllWays:
    async def test_when_nothing_leaves_healthz_says_so_until_something_does(self, site: Site) -> None:
        await site.office.close()
        site.telegram_is_down()
        await chest_pain(site.study)
        await site.study.pass_time(minutes=12)
        health = await _health(site.stage)
        assert (health["ok"], health["outgoing_failing_seconds"] > 300) == (False, True)
        await site.office.open()
        await site.study.pass_time(minutes=6)
        assert (await _health(site.stage))["outgoing_failing_seconds"] == 0

    async def test_without_a_second_channel_telegram_alone_counts(self, study: Study) -> None:
        study.stage.telegram.fail("sendMessage", DOWN, drop="unreachable")
        await chest_pain(study)
        await study.pass_time(minutes=4)
        assert (await _health(study.stage))["outgoing_failing_seconds"] == 0
        await study.pass_time(minutes=4)
        assert (await _health(study.stage))["outgoing_failing_seconds"] > 300
        study.stage.telegram._faults.clear()
        await study.pass_time(minutes=2)
        assert (await _health(study.stage))["outgoing_failing_seconds"] == 0


async def _health(stage: stages.Stage) -> dict[str, Any]:
    return await stage.deps.store.read(lambda session: web.look(session, stage.deps))


async def test_both_databases_plan_claim_and_settle(database_url: str) -> None:
    async with post_office() as office:
        settings = make_settings(database_url=database_url, **office.settings)
        async with stages.raised(settings, START) as stage:
            made = await study(stage)
            await gives_address(made.doctor, DOCTOR)
            await made.pass_time(seconds=1)
            stage.telegram.fail("sendMessage", DOWN, drop="unreachable")
            office.answers["DATA"] = ["451 later"]
            await chest_pain(made)
            await made.pass_time(seconds=61)
            await made.pass_time(seconds=60)

            def kept(session: Session) -> list[tuple[str, int]]:
                found = session.exec(select(SecondSend).order_by(col(SecondSend.id))).all()
                return [(send.state, send.attempts) for send in found]

            assert await stage.deps.store.read(kept) == [("sent", 1), ("sent", 2)]
            assert office.recipients == [DOCTOR, DOCTOR]
