"""Who gets in, and by which door: links work once, for one person, for three days."""

from datetime import timedelta

import pytest

from bot.domain.roles import Role
from bot.store.models import AuditEntry, Link, StaffMember
from bot.story.people import Person
from bot.usecases import invite
from tests.people import Study, begin, person, staff
from tests.stories.scenes import Watch, caregiver, made_from, rows, subject

UNKNOWN = "https://t.me/followup_bot?start=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


async def used(study: Study) -> str:
    link = await study.link("S-001")
    await person(study.stage, 80, "First", "zh").opens(link)
    return link


async def expired(study: Study) -> str:
    link = await study.link("S-001")
    study.stage.clock.advance(hours=73)
    return link


async def revoked(study: Study) -> str:
    link = await study.link("S-001")
    await study.link("S-001")
    return link


async def of_a_subject_who_has_begun(study: Study) -> str:
    await begin(study.boris, await study.link("S-002"))
    return await study.link("S-002")


async def unknown(study: Study) -> str:
    return UNKNOWN


async def staff_link_used(study: Study) -> str:
    link = await study.stage.invitation(Role.MONITOR)
    await person(study.stage, 81, "Monitor", "en").opens(link)
    return link


@pytest.mark.req("SEC-04")
@pytest.mark.parametrize(
    "made",
    [used, expired, revoked, of_a_subject_who_has_begun, unknown, staff_link_used],
    ids=lambda made: made.__name__,
)
async def test_every_link_that_does_not_work_has_the_same_neutral_answer(
    newcomers: Study, locale: str, made: object
) -> None:
    link = await made(newcomers)  # type: ignore[operator]
    passer_by = person(newcomers.stage, 90, "Passer-by", locale)
    sees = Watch(passer_by)
    await passer_by.opens(link)
    assert sees.texts == [passer_by.label("invitation.refused", phone=newcomers.stage.deps.settings.site_phone)]
    assert await rows(newcomers.stage, Link, account_id=999) == []
    assert len(await rows(newcomers.stage, AuditEntry, what="invitation.refused")) == 1


@pytest.mark.req("SEC-04")
async def test_a_link_works_for_seventy_two_hours(newcomers: Study) -> None:
    link = await newcomers.link("S-001")
    newcomers.stage.clock.advance(hours=71, minutes=59)
    await newcomers.anna.opens(link)
    assert newcomers.anna.read("start.ask_language")


@pytest.mark.req("SEC-04")
@pytest.mark.parametrize("code", ["", "x", "-_-", "A" * 64])
async def test_odd_codes_break_nothing(newcomers: Study, code: str) -> None:
    passer_by = person(newcomers.stage, 90, "Passer-by", "zh")
    sees = Watch(passer_by)
    await passer_by.opens(f"https://t.me/followup_bot?start={code}")
    assert sees.first("help.stranger" if not code else "invitation.refused")


@pytest.mark.req("SEC-04")
async def test_five_wrong_codes_lock_the_account_for_an_hour(newcomers: Study) -> None:
    anna = newcomers.anna
    for _ in range(5):
        await anna.opens(UNKNOWN)
    link = await newcomers.link("S-001")
    sees = Watch(anna)
    await anna.opens(link)
    assert sees.first("invitation.refused")
    newcomers.stage.clock.advance(minutes=61)
    await anna.opens(link)
    assert sees.last("start.ask_language")


@pytest.mark.req("SEC-04")
async def test_four_wrong_codes_do_not_lock(newcomers: Study) -> None:
    for _ in range(4):
        await newcomers.anna.opens(UNKNOWN)
    await newcomers.anna.opens(await newcomers.link("S-001"))
    assert newcomers.anna.read("start.ask_language")


@pytest.mark.req("SEC-04")
async def test_one_accounts_wrong_codes_lock_nobody_else(newcomers: Study) -> None:
    guesser = person(newcomers.stage, 90, "Guesser", "en")
    for _ in range(6):
        await guesser.opens(UNKNOWN)
    await newcomers.anna.opens(await newcomers.link("S-001"))
    assert newcomers.anna.read("start.ask_language")


@pytest.mark.req("SEC-04", "DI-14")
async def test_of_two_accounts_on_one_link_one_gets_in(newcomers: Study) -> None:
    link = await newcomers.link("S-001")
    both = newcomers.anna, person(newcomers.stage, 90, "Neighbour", "zh")
    for each in both:
        await each.phone.opens(link)
    await newcomers.stage.settle()
    assert sorted(each.read("start.ask_language") for each in both) == [False, True]
    assert sorted(each.read("invitation.refused") for each in both) == [False, True]
    assert len(await rows(newcomers.stage, Link)) == 1


@pytest.mark.req("SEC-04")
async def test_the_code_lies_nowhere_in_the_open(newcomers: Study) -> None:
    await newcomers.coordinator.says("/patient S-001")
    await newcomers.coordinator.taps("patient.button.invite")
    texts = [message.text for message in newcomers.coordinator.seen]
    codes = [text.split("start=")[1].split()[0] for text in texts if "start=" in text]
    assert len(codes) == 2
    path = newcomers.stage.deps.settings.database_url.removeprefix("sqlite:///")
    await newcomers.pass_time(minutes=1)
    for suffix in ("", "-wal"):
        with open(path + suffix, "rb") as file:  # noqa: ASYNC230, PTH123
            content = file.read()
        assert not [code for code in codes if code.encode() in content]


async def test_who_opens_the_own_link_again_goes_on(newcomers: Study) -> None:
    link = await newcomers.link("S-001")
    await newcomers.anna.opens(link)
    await newcomers.anna.taps("language.zh")
    sees = Watch(newcomers.anna)
    await newcomers.anna.opens(link)
    assert sees.first("consent.text")
    assert not sees.read("invitation.refused")


async def test_two_people_with_one_hospital_device_language_do_not_mix(newcomers: Study) -> None:
    for someone, code in ((newcomers.anna, "S-001"), (newcomers.clara, "S-003")):
        await begin(someone, await newcomers.link(code))
    assert [link.subject_id for link in await rows(newcomers.stage, Link)] == [
        (await subject(newcomers.stage, code)).id for code in ("S-001", "S-003")
    ]


class TestCaregivers:
    async def test_nothing_is_shown_before_the_patient_agrees(self, study: Study) -> None:
        daughter = person(study.stage, 31, "Daughter", "zh")
        await daughter.opens(await study.link("S-001", invite.CAREGIVER))
        sees = Watch(daughter)
        await daughter.says("/visits")
        assert sees.first("refused.not_for_you")
        assert study.anna.read("start.ask_caregiver")

    async def test_a_patient_who_refuses_keeps_the_caregiver_out(self, study: Study) -> None:
        daughter = person(study.stage, 31, "Daughter", "zh")
        await daughter.opens(await study.link("S-001", invite.CAREGIVER))
        await study.anna.taps("start.button.refuse_caregiver")
        assert daughter.read("start.caregiver_not_agreed")
        sees = Watch(daughter)
        await daughter.says("/visits")
        assert sees.first("refused.not_for_you")

    @pytest.mark.req("DI-14")
    async def test_agreeing_twice_is_agreeing_once(self, study: Study) -> None:
        daughter = person(study.stage, 31, "Daughter", "zh")
        await daughter.opens(await study.link("S-001", invite.CAREGIVER))
        for _ in range(2):
            await study.anna.phone.taps(study.anna.label("start.button.agree_caregiver"))
        await study.stage.settle()
        assert sum(made_from(daughter, message.text, "start.caregiver_welcome") for message in daughter.seen) == 1

    async def test_before_the_patient_has_begun_the_link_waits(self, newcomers: Study) -> None:
        daughter = person(newcomers.stage, 31, "Daughter", "zh")
        link = await newcomers.link("S-001", invite.CAREGIVER)
        await daughter.opens(link)
        assert daughter.read("invitation.caregiver_too_early")
        await begin(newcomers.anna, await newcomers.link("S-001"))
        await daughter.opens(link)
        assert newcomers.anna.read("start.ask_caregiver")

    async def test_a_caregiver_who_stops_leaves_the_patient_in(self, study: Study) -> None:
        daughter = await caregiver(study)
        await daughter.says("/stop")
        await daughter.taps("stop.button.yes")
        assert daughter.read("stop.caregiver_done")
        assert study.anna.read("stop.caregiver_left")
        assert (await subject(study.stage, "S-001")).state == "on_study"
        sees = Watch(daughter)
        await daughter.says("/visits")
        assert sees.first("refused.not_for_you")


class TestStaff:
    @pytest.mark.parametrize("role", [Role.COORDINATOR, Role.INVESTIGATOR, Role.PI, Role.MONITOR, Role.ADMIN])
    async def test_a_link_binds_its_role_to_the_account(self, newcomers: Study, role: Role, locale: str) -> None:
        member: Person = await staff(newcomers.stage, 40, "Colleague", role, locale)
        assert member.read("start.staff")
        assert member.read("help.staff")
        names = [command["command"] for command in member.phone.command_menu]
        assert ("enrol" in names) is (role is Role.COORDINATOR)
        assert (await rows(newcomers.stage, StaffMember))[-1].role == role

    async def test_a_patient_does_not_become_staff_by_a_link(self, study: Study) -> None:
        sees = Watch(study.anna)
        await study.anna.opens(await study.stage.invitation(Role.ADMIN))
        assert len(sees.new) == 1
        assert len(await rows(study.stage, StaffMember)) == 2
        await study.anna.says("/staff")
        assert sees.last("refused.not_for_you")

    async def test_staff_do_not_become_patients_by_a_link(self, study: Study) -> None:
        await study.doctor.opens(await study.link("S-002"))
        assert len(await rows(study.stage, Link)) == 3

    async def test_a_link_opened_after_its_time_by_the_right_person_is_replaced_by_a_new_one(
        self, newcomers: Study
    ) -> None:
        link = await newcomers.link("S-001")
        newcomers.stage.clock.advance(days=4)
        await newcomers.anna.opens(link)
        await begin(newcomers.anna, await newcomers.link("S-001"))
        assert newcomers.anna.read("start.ready")


def test_three_days_are_the_longest(newcomers: Study) -> None:
    assert timedelta(hours=newcomers.stage.deps.settings.invitation_hours) <= timedelta(hours=72)
