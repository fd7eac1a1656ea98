"""Who is paged by the rota, what happens where it has a gap, and how a shift changes hands."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import select

from bot.domain.roles import Role
from bot.simulator.parts import NoSuchButton
from bot.store.models import Account, AuditEntry, EscalationStep, OncallShift, OutboxMessage, StaffMember, SwapOffer
from bot.story.people import Person
from bot.story.stage import Stage
from bot.usecases import rota_import, rota_watch
from bot.work import Work
from tests.conftest import START
from tests.people import Study, staff, study
from tests.stories.scenes import CHEST_PAIN, Watch, clinical_rows, off_duty, plant, rows

HEADER = "date,from,until,level,staff\n"
# The first morning is 2026-11-02, 08:00; the nurse is number 1, the physician number 2.
TODAY = "2026-11-02,08:00,20:00,first,Nurse\n"
TONIGHT = "2026-11-02,20:00,08:00,first,Physician\n"


async def entered(stage: Stage, *lines: str) -> rota_import.Plan:
    """Enter a rota file, as `followup rota import` does."""

    def enter(work: Work) -> rota_import.Plan:
        plan = rota_import.read(work, (HEADER + "".join(lines)).encode())
        rota_import.apply(work, plan)
        return plan

    plan = await stage.within(enter)
    await stage.settle()
    return plan


def whole_days(first: int, last: int, name: str = "Nurse") -> str:
    return "".join(f"2026-11-{day:02},08:00,08:00,first,{name}\n" for day in range(first, last + 1))


async def unreachable(stage: Stage, someone: Person) -> None:
    def block(work: Work) -> None:
        account = work.session.exec(select(Account).where(Account.telegram_id == someone.phone.user_id)).one()
        account.unreachable_at, account.unreachable_because = work.now, "blocked the bot"

    await stage.within(block)


async def danger(study: Study) -> None:
    await study.anna.says(CHEST_PAIN["zh"])


async def standing(stage: Stage) -> list[tuple[int, str]]:
    """Return who has the shifts that stand, by number, and from which local hour of which day."""
    zone = START.tzinfo
    return [
        (row.staff_id, row.from_at.astimezone(zone).strftime("%d %H:%M"))
        for row in await rows(stage, OncallShift)
        if row.ended_at is None
    ]


class TestPaging:
    async def test_the_rota_decides_and_not_who_set_themselves_on_duty(self, study: Study) -> None:
        await entered(study.stage, TODAY)
        nurse, doctor = Watch(study.coordinator), Watch(study.doctor)
        await danger(study)
        assert nurse.read("case.page")
        assert not doctor.read("case.page")
        assert study.coordinator.label("case.page.stand_in.fallback") not in "".join(nurse.texts)

    async def test_where_the_rota_has_a_gap_duty_counts(self, study: Study) -> None:
        await entered(study.stage, TONIGHT)
        doctor = Watch(study.doctor)
        await danger(study)
        assert doctor.read("case.page")
        assert study.doctor.label("case.page.stand_in.everyone") not in "".join(doctor.texts)

    async def test_with_nobody_on_the_pi_stands_in_and_the_page_and_the_case_say_so(self, study: Study) -> None:
        pi = await staff(study.stage, 14, "Principal investigator", Role.PI)
        await entered(study.stage, TONIGHT)
        await off_duty(study.doctor)
        others = [Watch(study.doctor), Watch(study.coordinator)]
        sees = Watch(pi)
        await danger(study)
        assert pi.label("case.page.stand_in.fallback") in next(each for each in sees.texts if "S-001" in each)
        assert [each.read("case.page") for each in others] == [False, False]
        paged = [step.said for step in await rows(study.stage, EscalationStep, what="paged")]
        assert paged == ["1: 3 (nobody on call: fallback)"]

    async def test_the_named_fallback_stands_in_before_the_pi(self, study: Study) -> None:
        pi = await staff(study.stage, 14, "Principal investigator", Role.PI)
        await off_duty(study.doctor)
        told = Watch(study.coordinator)
        await pi.says("/oncall")
        await pi.taps("oncall.button.fallback")
        await pi.presses("Nurse")
        assert told.read("oncall.you_are_fallback")
        nurse, quiet = Watch(study.coordinator), Watch(pi)
        await danger(study)
        assert study.coordinator.label("case.page.stand_in.fallback") in nurse.texts[0]
        assert quiet.new == []

    async def test_in_a_site_without_rota_and_fallback_everybody_is_paged_and_reads_why(self, study: Study) -> None:
        await off_duty(study.doctor)
        nurse, doctor = Watch(study.coordinator), Watch(study.doctor)
        await danger(study)
        for each in (nurse, doctor):
            assert each.person.label("case.page.stand_in.everyone") in each.texts[0]

    async def test_whose_phone_cannot_be_reached_counts_as_absent(self, study: Study) -> None:
        pi = await staff(study.stage, 14, "Principal investigator", Role.PI)
        await entered(study.stage, TODAY)
        await off_duty(study.doctor)
        await unreachable(study.stage, study.coordinator)
        sees = Watch(pi)
        await danger(study)
        assert any(pi.label("case.page.stand_in.fallback") in each for each in sees.texts)

    async def test_two_at_one_level_are_both_paged(self, study: Study) -> None:
        await entered(study.stage, TODAY, TODAY.replace("Nurse", "Physician"))
        both = [Watch(study.coordinator), Watch(study.doctor)]
        await danger(study)
        assert [each.read("case.page") for each in both] == [True, True]

    async def test_the_second_is_paged_after_ten_minutes_and_the_other_investigators_are_not(
        self, study: Study
    ) -> None:
        colleague = await staff(study.stage, 13, "Second physician", Role.INVESTIGATOR)
        await entered(study.stage, TODAY, TODAY.replace("first,Nurse", "second,Physician"))
        second, third = Watch(study.doctor), Watch(colleague)
        await danger(study)
        await study.pass_time(minutes=9)
        assert not second.read("case.page")
        await study.pass_time(minutes=2)
        assert second.read("case.page")
        await study.pass_time(minutes=17)
        assert not third.read("case.page")
        await study.pass_time(minutes=3)
        assert third.read("case.page")

    async def test_at_the_handover_the_next_page_goes_to_the_next_one(self, study: Study) -> None:
        await entered(study.stage, TODAY.replace("20:00", "08:10"), "2026-11-02,08:10,20:00,first,Physician\n")
        await study.pass_time(minutes=6)
        nurse, doctor = Watch(study.coordinator), Watch(study.doctor)
        await danger(study)
        await study.pass_time(minutes=3)
        assert (nurse.read("case.page"), doctor.read("case.page")) == (True, False)
        await study.pass_time(minutes=3)
        assert doctor.read("case.page")

    async def test_an_amber_report_needs_nobody_to_stand_in_while_a_coordinator_is_there(self, study: Study) -> None:
        pi = await staff(study.stage, 14, "Principal investigator", Role.PI)
        await entered(study.stage, TONIGHT)
        await off_duty(study.doctor)
        nurse, quiet = Watch(study.coordinator), Watch(pi)
        await study.clara.says("昨天去急诊挂水了")
        assert nurse.read("case.page")
        assert quiet.new == []


class TestDuty:
    async def test_duty_says_when_the_rota_decides(self, study: Study) -> None:
        await study.doctor.says("/duty")
        assert "/oncall" not in study.doctor.phone.last.text
        await entered(study.stage, TODAY)
        await study.doctor.says("/duty")
        assert study.doctor.label("duty.rota_decides", names="Nurse").strip() in study.doctor.phone.last.text


class TestList:
    async def test_it_says_how_to_enter_a_rota_where_there_is_none(self, study: Study) -> None:
        await study.doctor.says("/oncall")
        shown = study.doctor.phone.last.text
        assert "followup rota import" in shown
        assert study.doctor.label("oncall.now.duty", names="Physician") in shown

    async def test_it_shows_who_is_on_the_days_and_the_gaps(self, study: Study) -> None:
        await entered(study.stage, TODAY, TONIGHT, whole_days(4, 30))
        await study.doctor.says("/oncall")
        shown = study.doctor.phone.last.text
        assert study.doctor.label("oncall.now.rota", names="Nurse") in shown
        assert "08:00–20:00 Nurse; 20:00–08:00 Physician" in shown
        assert "⚠️ 08:00–08:00 NOBODY" in shown
        assert shown.count("NOBODY") == 1
        assert len([line for line in shown.splitlines() if "Nov" in line]) == 14
        await study.doctor.taps("list.more")
        assert "Mon 30 Nov" not in study.doctor.phone.last.text
        assert "Sun 29 Nov" in study.doctor.phone.last.text
        await study.doctor.taps("list.earlier")
        assert "Mon 2 Nov" in study.doctor.phone.last.text

    async def test_three_shifts_at_two_levels_fit_into_one_message(self, study: Study) -> None:
        lines = [
            f"2026-11-{day:02},{begin}:00,{end}:00,{level},{name}\n"
            for day in range(2, 17)
            for begin, end in (("00", "08"), ("08", "16"), ("16", "24"))
            for level, name in (("first", "Nurse"), ("second", "Physician"))
        ]
        await entered(study.stage, *lines)
        await study.doctor.says("/oncall")
        assert study.doctor.phone.last.text.count("Physician") > 30

    async def test_a_monitor_and_an_admin_see_names_and_times_and_take_nothing(self, study: Study) -> None:
        monitor = await staff(study.stage, 15, "Monitor", Role.MONITOR)
        admin = await staff(study.stage, 16, "Admin", Role.ADMIN)
        await entered(study.stage, TODAY, whole_days(4, 30))
        await danger(study)
        for each, may_name in ((monitor, False), (admin, True), (study.doctor, False)):
            await each.says("/oncall")
            shown = each.phone.last
            assert "Nurse" in shown.text
            assert "S-001" not in shown.text
            labels = "\n".join(shown.labels)
            acting = each is study.doctor
            assert (each.label("oncall.button.swap") in labels) is acting, each.name
            assert ("I take " in labels) is acting, each.name
            assert (each.label("oncall.button.fallback") in labels) is may_name, each.name

    async def test_looking_is_written_down(self, study: Study) -> None:
        await study.doctor.says("/oncall")
        assert "oncall.listed" in [entry.what for entry in await rows(study.stage, AuditEntry)]


class TestGap:
    async def test_one_tap_takes_it_and_the_second_hears_that_it_is_taken(self, study: Study) -> None:
        await entered(study.stage, TODAY, whole_days(3, 30))
        for each in (study.doctor, study.coordinator):
            await each.says("/oncall")
        nurse, doctor = Watch(study.coordinator), Watch(study.doctor)
        await study.doctor.presses("I take Mon 2 Nov 20:00–08:00")
        assert doctor.read("oncall.taken")
        assert nurse.read("oncall.taken")
        assert (2, "02 20:00") in await standing(study.stage)
        await study.coordinator.presses("I take Mon 2 Nov 20:00–08:00")
        assert nurse.read("oncall.no_gap")
        assert len([each for each in await standing(study.stage) if each[1] == "02 20:00"]) == 1
        await study.doctor.says("/oncall")
        assert "NOBODY" not in study.doctor.phone.last.text

    async def test_in_the_middle_of_a_gap_it_is_taken_from_now_on(self, study: Study) -> None:
        await entered(study.stage, TODAY.replace("08:00", "07:00").replace("20:00", "07:30"), whole_days(3, 30))
        await entered(study.stage, "2026-11-02,08:00,09:00,first,Nurse\n", whole_days(3, 30))
        await study.doctor.says("/oncall")
        await study.pass_time(hours=3)
        await study.doctor.presses("I take ")
        assert (2, "02 11:00") in await standing(study.stage)


class TestSwap:
    async def offer(self, study: Study) -> None:
        """Let the nurse offer the shift of today to the physician."""
        await entered(study.stage, TODAY, TONIGHT, whole_days(3, 30, "Physician"))
        await study.coordinator.says("/oncall")
        await study.coordinator.taps("oncall.button.swap")
        await study.coordinator.presses("Mon 2 Nov 08:00–20:00")
        await study.coordinator.presses("Physician")

    async def test_nothing_changes_until_the_colleague_accepts(self, study: Study) -> None:
        await self.offer(study)
        nurse, doctor = Watch(study.coordinator), Watch(study.doctor)
        await danger(study)
        assert (nurse.read("case.page"), doctor.read("case.page")) == (True, False)

    async def test_accepted_it_is_the_colleagues_from_now_on_and_all_see_one_state(self, study: Study) -> None:
        watcher = await staff(study.stage, 17, "Second nurse", Role.COORDINATOR)
        everybody = [Watch(each) for each in (study.coordinator, study.doctor, watcher)]
        await self.offer(study)
        await study.pass_time(hours=1)
        await study.doctor.taps("oncall.button.accept")
        for each in everybody:
            states = [text for text in each.texts if text.startswith("🔁")]
            assert len(states) >= 2
            offered = study.doctor.label("oncall.offer_state.open", giver="Nurse", taker="Physician")
            assert not any(offered in text and "Accepted" not in text for text in states if each is not everybody[2])
            assert study.doctor.label("oncall.offer_state.accepted", taker="Physician", giver="") in states[-1]
        shifts = await rows(study.stage, OncallShift)
        old = shifts[0]
        new = next(each for each in shifts if each.replaces_id == old.id)
        assert (old.ended_because, new.staff_id, new.from_at) == ("swapped", 2, old.ended_at)
        nurse, doctor = Watch(study.coordinator), Watch(study.doctor)
        await danger(study)
        assert (nurse.read("case.page"), doctor.read("case.page")) == (False, True)

    @pytest.mark.parametrize(
        ("who", "button", "state"),
        [("doctor", "oncall.button.refuse", "refused"), ("coordinator", "oncall.button.withdraw", "withdrawn")],
    )
    async def test_refused_or_taken_back_it_stays_and_the_old_button_is_dead(
        self, study: Study, who: str, button: str, state: str
    ) -> None:
        await self.offer(study)
        before = await standing(study.stage)
        (offer,) = await rows(study.stage, SwapOffer)
        accept = await plant(study.stage, study.doctor, ["rota.accept"], {"offer": offer.id})
        await getattr(study, who).taps(button)
        assert (await rows(study.stage, SwapOffer))[0].state == state
        await study.doctor.phone.taps_on(accept, "rota.accept")
        await study.stage.settle()
        assert study.doctor.phone.last_toast == study.doctor.label("oncall.toast.answered")
        assert await standing(study.stage) == before

    async def test_nobody_accepts_what_was_offered_to_another(self, study: Study) -> None:
        await self.offer(study)
        (offer,) = await rows(study.stage, SwapOffer)
        colleague = await staff(study.stage, 13, "Second physician", Role.INVESTIGATOR)
        planted = await plant(study.stage, colleague, ["rota.accept", "rota.refuse"], {"offer": offer.id})
        before = await clinical_rows(study.stage)
        for action in ("rota.accept", "rota.refuse"):
            await colleague.phone.taps_on(planted, action)
            await study.stage.settle()
            assert await clinical_rows(study.stage) == before

    async def test_offered_to_another_the_first_offer_is_taken_back(self, study: Study) -> None:
        colleague = await staff(study.stage, 13, "Third physician", Role.INVESTIGATOR)
        await self.offer(study)
        await study.coordinator.says("/oncall")
        await study.coordinator.taps("oncall.button.swap")
        await study.coordinator.presses("Mon 2 Nov 08:00–20:00")
        await study.coordinator.presses("Third physician")
        assert [offer.state for offer in await rows(study.stage, SwapOffer)] == ["withdrawn", "open"]
        with pytest.raises(NoSuchButton):
            await study.doctor.taps("oncall.button.accept")
        await colleague.taps("oncall.button.accept")
        assert (3, "02 08:00") in await standing(study.stage)

    async def test_who_is_on_call_then_cannot_accept(self, study: Study) -> None:
        await entered(study.stage, TODAY, TODAY.replace("Nurse", "Physician").replace("08:00", "12:00"))
        await study.coordinator.says("/oncall")
        await study.coordinator.taps("oncall.button.swap")
        await study.coordinator.presses("Mon 2 Nov 08:00–20:00")
        await study.coordinator.presses("Physician")
        before = await standing(study.stage)
        await study.doctor.taps("oncall.button.accept")
        assert study.doctor.read("refused.already_on_call")
        assert await standing(study.stage) == before

    async def test_an_offer_lapses_when_a_file_replaces_the_shift(self, study: Study) -> None:
        await self.offer(study)
        await entered(study.stage, TODAY.replace("20:00", "18:00"))
        (offer,) = await rows(study.stage, SwapOffer)
        assert offer.state == "lapsed"
        with pytest.raises(NoSuchButton):
            await study.doctor.taps("oncall.button.accept")


class TestLookAhead:
    async def test_gaps_are_told_when_the_day_begins_to_those_who_fill_them_once_a_day(self, study: Study) -> None:
        pi = await staff(study.stage, 14, "Principal investigator", Role.PI)
        admin = await staff(study.stage, 16, "Admin", Role.ADMIN)
        monitor = await staff(study.stage, 15, "Monitor", Role.MONITOR)
        await entered(study.stage, TODAY, whole_days(4, 30))
        first = [Watch(each) for each in (study.coordinator, pi, admin, study.doctor, monitor)]
        await study.stage.until(START + timedelta(hours=5))
        assert [each.count("rota.gaps") for each in first] == [0, 0, 0, 0, 0]  # told when the file was entered
        assert [each.read("rota.gaps") for each in (study.coordinator, pi, admin)] == [True] * 3
        assert not study.doctor.read("rota.gaps")
        assert not monitor.read("rota.gaps")
        said = next(text for text in (m.text for m in study.coordinator.seen) if "Rota" in text)
        assert "🔴 soon: Mon 2 Nov 20:00 – Wed 4 Nov 08:00 (first)" in said
        tomorrow = Watch(study.coordinator)
        await study.stage.until(START + timedelta(days=1, minutes=29))
        assert not tomorrow.read("rota.gaps")
        await study.stage.until(START + timedelta(days=1, minutes=32))
        await study.stage.until(START + timedelta(days=1, hours=5))
        assert tomorrow.count("rota.gaps") == 1

    async def test_what_was_told_and_is_filled_is_told_too(self, study: Study) -> None:
        await entered(study.stage, TODAY, whole_days(3, 30))
        assert study.coordinator.read("rota.gaps")
        sees = Watch(study.coordinator)
        await entered(study.stage, TODAY, TONIGHT)
        assert sees.read("rota.filled")
        assert "✅ filled: Mon 2 Nov 20:00–08:00 (first)" in "".join(sees.texts)

    async def test_a_new_gap_is_told_at_once_and_the_same_again_is_not(self, study: Study) -> None:
        await entered(study.stage, TODAY, TONIGHT, whole_days(3, 30))
        sees = Watch(study.coordinator)
        for _ in range(3):
            await study.stage.within(rota_watch.changed)
        await study.stage.settle()
        assert sees.new == []
        await unreachable(study.stage, study.doctor)
        for _ in range(3):
            await study.stage.bot.tick()
        await study.stage.settle()
        assert sees.count("rota.gaps") == 1
        assert "Physician" in sees.texts[-1]

    async def test_at_night_only_a_gap_that_begins_before_the_morning_is_told(self, study: Study) -> None:
        await entered(study.stage, TODAY, TONIGHT, whole_days(3, 30))
        await study.stage.until(datetime.fromisoformat("2026-11-02T23:00:00+08:00"))
        sees = Watch(study.coordinator)

        async def left(line: str) -> None:
            def end(work: Work) -> None:
                for row in work.session.exec(select(OncallShift)).all():
                    if row.from_at.astimezone(START.tzinfo).strftime("%d %H:%M") == line:
                        row.ended_at, row.ended_because = work.now, "left"

            await study.stage.within(end)
            await study.stage.within(rota_watch.look)
            await study.stage.settle()

        await left("05 08:00")
        assert sees.new == []
        await left("02 20:00")
        assert sees.count("rota.gaps") == 1

    async def test_a_site_without_a_rota_hears_nothing(self, study: Study) -> None:
        sees = Watch(study.coordinator)
        await study.stage.until(START + timedelta(days=1, hours=1))
        await study.stage.within(rota_watch.changed)
        await study.stage.settle()
        assert not sees.read("rota.gaps")

    async def test_the_days_of_a_closure_are_told_ten_days_before(self, study: Study) -> None:
        # New Year's Day 2027 is a Friday: three closed days from 1 January on.
        days = "".join(f"{(START + timedelta(days=number)).date()},08:00,08:00,first,Nurse\n" for number in range(60))
        await entered(study.stage, days)
        assert not study.coordinator.read("rota.gaps")
        sees = Watch(study.coordinator)
        for day, read in (("21", False), ("22", True)):
            study.stage.clock.set(datetime.fromisoformat(f"2026-12-{day}T08:31:00+08:00"))
            await study.stage.within(rota_watch.look)
            found = await rows(study.stage, OutboxMessage, text_key="rota.gaps")
            assert bool(found) is read, day
        assert "Fri 1 Jan" in found[0].text
        assert sees.new == []  # it is in the outbox; nothing was sent in this jump of time


class TestLeaving:
    async def leave(self, study: Study, name: str) -> Person:
        admin = await staff(study.stage, 16, "Admin", Role.ADMIN)
        await admin.says("/staff")
        await admin.presses(admin.label("staff.button.end", name=name))
        await admin.taps("staff.button.end_yes")
        return admin

    @pytest.mark.req("SEC-11")
    async def test_shifts_end_at_once_and_the_gap_is_told(self, study: Study) -> None:
        await entered(study.stage, TODAY, TONIGHT, whole_days(3, 30))
        sees, gone = Watch(study.coordinator), Watch(study.doctor)
        await self.leave(study, "Physician")
        assert sees.read("rota.gaps")
        assert "Mon 2 Nov 20:00–08:00" in "".join(sees.texts)
        (ended,) = [row for row in await rows(study.stage, OncallShift) if row.staff_id == 2]
        assert (ended.ended_because, ended.ended_at) == ("left", study.stage.clock.now())
        await study.stage.until(START + timedelta(hours=13))
        await danger(study)
        assert gone.new == []
        assert sees.read("case.page")

    @pytest.mark.req("SEC-01", "SEC-03", "SEC-11")
    async def test_offers_lapse_and_neither_buttons_nor_messages_of_before_do_anything(self, study: Study) -> None:
        await TestSwap().offer(study)
        (offer,) = await rows(study.stage, SwapOffer)
        shift = (await rows(study.stage, OncallShift))[0]
        actions = (
            "rota.accept", "rota.refuse", "rota.take", "rota.swap", "rota.offer", "rota.offer_to", "rota.withdraw",
            "oncall.page", "rota.fallback", "rota.set_fallback",
        )  # fmt: skip
        args = {
            "offer": offer.id, "shift": shift.id, "staff": 1, "level": "first", "page": 0,
            "from": "2026-11-02T20:00:00+08:00", "until": "2026-11-03T08:00:00+08:00",
        }  # fmt: skip
        planted = await plant(study.stage, study.doctor, actions, args)
        nurse = Watch(study.coordinator)
        await self.leave(study, "Physician")
        assert (await rows(study.stage, SwapOffer))[0].state == "lapsed"
        assert "Lapsed" in "".join(nurse.texts)
        seen = [message.text for message in study.doctor.seen]
        before = await clinical_rows(study.stage)
        for action in actions:
            sees = Watch(study.doctor)
            await study.doctor.phone.taps_on(planted, action)
            await study.stage.settle()
            assert sees.first("refused.not_for_you"), action
            assert len(sees.new) == 1, action
        await study.doctor.says("/oncall")
        assert await clinical_rows(study.stage) == before
        assert [message.text for message in study.doctor.seen][: len(seen)] == seen

    async def test_the_fallback_ends_too_and_another_is_asked_for(self, study: Study) -> None:
        pi = await staff(study.stage, 14, "Principal investigator", Role.PI)
        await pi.says("/oncall")
        await pi.taps("oncall.button.fallback")
        await pi.presses("Physician")
        sees = Watch(pi)
        await self.leave(study, "Physician")
        assert sees.read("oncall.fallback_left")
        await pi.says("/oncall")
        assert pi.label("oncall.now.no_fallback") in pi.phone.last.text


@pytest.mark.req("DI-01", "DI-03")
async def test_entered_swapped_paged_and_left_on_each_database(both_stages: Stage) -> None:
    made = await study(both_stages)
    await staff(both_stages, 14, "Principal investigator", Role.PI)
    await TestSwap().offer(made)
    await made.doctor.taps("oncall.button.accept")
    await danger(made)
    assert made.doctor.read("case.page")
    again = await entered(both_stages, TODAY, TONIGHT)
    assert (again.entered, again.ended, again.unchanged, again.swapped) == ([], [], 1, 1)
    await TestLeaving().leave(made, "Physician")
    assert made.coordinator.read("rota.gaps")
    assert await standing(both_stages) == []
    assert [member.revoked_at is None for member in await rows(both_stages, StaffMember)] == [True, False, True, True]
    changes = {entry.what for entry in await rows(both_stages, AuditEntry)}
    assert {"oncall_shift.created", "oncall_shift.changed", "swap_offer.created", "swap_offer.changed"} <= changes
