"""What staff do: enrol in a dialogue, page through lists, come and go."""

from datetime import date

import pytest

from bot.domain.roles import Role
from bot.store.models import AuditEntry, DoseOrder, Visit, Weight
from bot.story.people import Person
from bot.usecases import import_subjects
from bot.work import Work
from tests.people import HEADER, Study, staff
from tests.stories.conftest import World
from tests.stories.scenes import CHEST_PAIN, Watch, clinical_rows, in_language, rows, subject

TG2 = (
    "S-010",
    "=arm.tg2.name",
    "=language.zh",
    "1960",
    "60",
    "2026-11-05",
    "7",
    "21",
    "=formulation.dispersible",
    "250 mg",
    "2",
    "=enrol.button.no_phone",
)
CONTROL = ("S-010", "=arm.ctrl.name", "=language.zh", "1960", "60", "14", "=enrol.button.no_phone")


CHANGES = {
    "code": ("S-011",),
    "locale": ("=language.en",),
    "birth_year": ("1955",),
    "weight_kg": ("140斤", "=form.button.yes"),
    "first_injection_on": ("2026-11-06",),
    "cbc_interval_days": ("14",),
    "injection_interval_days": ("28",),
    "formulation": ("=formulation.granules",),
    "strength_mg": ("360 mg",),
    "tablets": ("1.5",),
    "phone": ("0571-0000-0009",),
}


async def answer(nurse: Person, *given: str) -> None:
    """Answer the dialogue; what stands on a button of the open question is tapped."""
    for each in given:
        if each.endswith(" mg"):
            await nurse.presses(each)
        else:
            await nurse.answers(each)


async def at_summary(nurse: Person, answers: tuple[str, ...] = TG2) -> None:
    await nurse.says("/enrol")
    await answer(nurse, *answers)


async def change(nurse: Person, field: str, *given: str) -> None:
    await nurse.taps("form.button.change")
    await nurse.presses(nurse.label(f"enrol.field.{field}"))
    await answer(nurse, *given)


class TestEnrolling:
    async def test_the_whole_dialogue(self, study: Study, locale: str) -> None:
        nurse = await in_language(study.coordinator, locale)
        await at_summary(nurse)
        sees = Watch(nurse)
        await nurse.taps("form.button.save")
        assert sees.first("enrol.done")
        pictures = [message for message in sees.new if message.kind == "photo"]
        assert len(pictures) == 2
        assert all("https://t.me/followup_bot?start=" in message.text for message in pictures)
        enrolled = await subject(study.stage, "S-010")
        assert (enrolled.arm, enrolled.locale, enrolled.birth_year, enrolled.phone) == ("TG2", "zh", 1960, None)
        kinds = [visit.kind for visit in await rows(study.stage, Visit, subject_id=enrolled.id)]
        assert sorted(kinds) == ["cbc", "ferritin", "injection"]

    async def test_every_field_can_be_changed_at_the_summary(self, study: Study) -> None:
        nurse = study.coordinator
        await at_summary(nurse)
        sees = Watch(nurse)
        for field, given in CHANGES.items():
            await change(nurse, field, *given)
            assert sees.last("enrol.summary"), field
        await nurse.taps("form.button.save")
        enrolled = await subject(study.stage, "S-011")
        assert (enrolled.locale, enrolled.birth_year, enrolled.phone) == ("en", 1955, "0571-0000-0009")
        assert enrolled.first_injection_on == date(2026, 11, 6)
        assert (enrolled.cbc_interval_days, enrolled.injection_interval_days) == (14, 28)
        (weight,) = await rows(study.stage, Weight, subject_id=enrolled.id)
        assert str(weight.kg) == "70.0"
        (order,) = await rows(study.stage, DoseOrder, subject_id=enrolled.id)
        assert (order.formulation, order.strength_mg, float(order.tablets)) == ("granules", 360, 1.5)

    async def test_another_arm_drops_what_it_does_not_have(self, study: Study) -> None:
        nurse = study.coordinator
        await at_summary(nurse)
        orders = len(await rows(study.stage, DoseOrder))
        await change(nurse, "arm", "=arm.ctrl.name")
        assert nurse.label("enrol.field.tablets") not in nurse.phone.last.text
        await nurse.taps("form.button.save")
        enrolled = await subject(study.stage, "S-010")
        assert (enrolled.arm, enrolled.first_injection_on, enrolled.injection_interval_days) == ("CTRL", None, None)
        assert len(await rows(study.stage, DoseOrder)) == orders

    async def test_another_arm_asks_for_what_it_has_in_addition(self, study: Study) -> None:
        nurse = study.coordinator
        await at_summary(nurse, CONTROL)
        sees = Watch(nurse)
        await change(nurse, "arm", "=arm.tg2.name")
        assert sees.last("enrol.ask.first_injection_on")
        await answer(nurse, "2026-11-05", "21", "=formulation.film_coated", "360 mg", "3")
        assert sees.last("enrol.summary")
        await nurse.taps("form.button.save")
        assert (await subject(study.stage, "S-010")).arm == "TG2"

    @pytest.mark.parametrize("answered", [0, 4, len(TG2)])
    async def test_cancelling_leaves_nothing_behind(self, study: Study, answered: int) -> None:
        nurse = study.coordinator
        before = await clinical_rows(study.stage)
        await at_summary(nurse, TG2[:answered])
        sees = Watch(nurse)
        await nurse.taps("form.button.cancel")
        assert sees.last("form.cancelled")
        assert await clinical_rows(study.stage) == before
        await nurse.says("S-010")
        assert sees.last("speak.staff_unknown")

    @pytest.mark.parametrize("answered", [5, len(TG2)])
    async def test_a_restart_in_the_middle_loses_nothing(self, study: Study, world: World, answered: int) -> None:
        nurse = study.coordinator
        await at_summary(nurse, TG2[:answered])
        await world.restart()
        await answer(nurse, *TG2[answered:])
        await nurse.taps("form.button.save")
        assert (await subject(study.stage, "S-010")).arm == "TG2"

    async def test_a_restart_in_the_middle_of_a_change(self, study: Study, world: World) -> None:
        nurse = study.coordinator
        await at_summary(nurse)
        await nurse.taps("form.button.change")
        await world.restart()
        await nurse.presses(nurse.label("enrol.field.birth_year"))
        await world.restart()
        await nurse.says("1950")
        await nurse.taps("form.button.save")
        assert (await subject(study.stage, "S-010")).birth_year == 1950

    async def test_asking_something_else_in_between_keeps_the_dialogue(self, study: Study) -> None:
        nurse = study.coordinator
        await at_summary(nurse, TG2[:4])
        await nurse.says("/patient S-002")
        sees = Watch(nurse)
        await nurse.says("60")
        assert sees.last("enrol.ask.first_injection_on")

    async def test_a_first_injection_that_was_given_is_recorded_and_the_next_one_planned(self, study: Study) -> None:
        nurse = study.coordinator
        await at_summary(nurse, (*TG2[:5], "2026-10-20", *TG2[6:]))
        await nurse.taps("form.button.save")
        enrolled = await subject(study.stage, "S-010")
        injections = await rows(study.stage, Visit, subject_id=enrolled.id, kind="injection")
        assert [(visit.state, visit.target_on.isoformat()) for visit in injections] == [
            ("done", "2026-10-20"),
            ("planned", "2026-11-10"),
        ]


class TestLists:
    @pytest.fixture
    async def twenty(self, study: Study) -> Study:
        """Give a study with seventeen more subjects."""
        table = "".join(f"S-{number:03d},CTRL,zh,1980,58,,14,,,,,\n" for number in range(4, 21))

        def enrol(work: Work) -> None:
            import_subjects.import_subjects(work, HEADER + table)

        await study.stage.within(enrol)
        return study

    async def test_twenty_subjects_are_paged_through(self, twenty: Study) -> None:
        nurse = twenty.coordinator
        await nurse.says("/patients")
        pages = [nurse.phone.last.labels]
        while nurse.label("list.more") in pages[-1]:
            await nurse.taps("list.more")
            pages.append(nurse.phone.last.labels)
        codes = [label[:5] for page in pages for label in page if "S-0" in label[:5]]
        assert codes == [f"S-{number:03d}" for number in range(1, 21)]
        assert [len(page) for page in pages] == [9, 10, 5]
        await nurse.taps("list.earlier")
        assert nurse.phone.last.labels == pages[1]

    async def test_what_is_due_is_paged_through(self, twenty: Study) -> None:
        nurse = twenty.coordinator
        await twenty.stage.until(twenty.stage.clock.now().replace(day=12))
        await nurse.says("/due")
        first = nurse.phone.last.labels
        assert nurse.label("list.more") in first
        await nurse.taps("list.more")
        assert nurse.phone.last.labels != first

    @pytest.mark.req("DI-06")
    async def test_who_looked_at_whom_is_written_down(self, study: Study) -> None:
        await study.doctor.says("/patient S-002")
        await study.doctor.says("/adherence S-001")
        entries = await rows(study.stage, AuditEntry)
        seen = [(entry.what, entry.actor.split(":")[0]) for entry in entries if entry.what.endswith(".viewed")]
        assert seen[-2:] == [("patient.viewed", "staff"), ("adherence.viewed", "staff")]

    async def test_a_monitor_sees_no_phone_number(self, study: Study) -> None:
        monitor = await staff(study.stage, 15, "Monitor", Role.MONITOR)
        await monitor.says("/patient S-001")
        assert "0571-0000-0001" not in monitor.phone.last.text
        await study.doctor.says("/patient S-001")
        assert "0571-0000-0001" in study.doctor.phone.last.text


class TestLeaving:
    """Whoever is no longer staff reads and gets nothing from the next second."""

    @pytest.fixture
    async def admin(self, study: Study) -> Person:
        return await staff(study.stage, 16, "Admin", Role.ADMIN)

    @staticmethod
    async def end(admin: Person, name: str) -> None:
        await admin.says("/staff")
        await admin.presses(admin.label("staff.button.end", name=name))
        await admin.taps("staff.button.end_yes")

    @pytest.mark.req("SEC-01", "SEC-11")
    async def test_every_command_is_refused(self, study: Study, admin: Person) -> None:
        await self.end(admin, "Nurse")
        assert admin.read("staff.ended")
        for command in ("patients", "patient S-001", "due", "alerts", "adherence S-001", "enrol", "duty"):
            sees = Watch(study.coordinator)
            await study.coordinator.says(f"/{command}")
            assert sees.first("refused.not_for_you"), command
            assert len(sees.new) == 1, command

    @pytest.mark.req("SEC-03", "SEC-11")
    async def test_old_buttons_are_dead(self, study: Study, admin: Person) -> None:
        await study.anna.says(CHEST_PAIN["zh"])
        await study.doctor.taps("case.button.open")
        await self.end(admin, "Physician")
        before = await clinical_rows(study.stage)
        sees = Watch(study.doctor)
        await study.doctor.taps("case.button.acknowledge")
        assert sees.first("refused.not_for_you")
        assert await clinical_rows(study.stage) == before

    @pytest.mark.req("SEC-11")
    async def test_no_page_goes_there_any_more(self, study: Study, admin: Person) -> None:
        await study.anna.says(CHEST_PAIN["zh"])
        await self.end(admin, "Physician")
        doctor, nurse = Watch(study.doctor), Watch(study.coordinator)
        await study.pass_time(minutes=6)
        assert doctor.new == []
        assert nurse.read("case.page")

    async def test_an_admin_cannot_end_the_own_role(self, study: Study, admin: Person) -> None:
        await admin.says("/staff")
        assert admin.label("staff.button.end", name="Admin") not in admin.phone.last.labels
