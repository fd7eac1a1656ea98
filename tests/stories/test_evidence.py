"""Photos, voice messages and files: a patient sends them, a person looks at them, the bot reads none."""

from datetime import timedelta
from itertools import permutations

import pytest
from sqlmodel import Session, select

from bot.domain.roles import Role
from bot.simulator.parts import Kind
from bot.store.models import AuditEntry, Evidence, EvidenceFile, Measurement, OutboxMessage
from bot.story.people import Person
from bot.story.stage import Stage
from bot.usecases.evidence import KINDS
from tests.people import Study, person, staff, study
from tests.stories.conftest import World
from tests.stories.scenes import (
    CALL_120,
    CHEST_PAIN,
    Watch,
    caregiver,
    cases,
    in_language,
    resolve_all,
    rows,
    symptom_case,
    unfinished_updates,
    withdraw,
)


async def sends(someone: Person, kind: Kind = "photo", caption: str = "", album: str | None = None) -> None:
    if kind == "photo":
        await someone.phone.sends_photo(caption=caption, album=album)
    else:
        await someone.phone.sends_media(kind, caption, album)
    await someone.stage.settle()


async def looks(nurse: Person) -> Watch:
    """Let staff open the case of the newest page and tap the first button that shows something."""
    await nurse.taps("case.button.open")
    sees = Watch(nurse)
    label = next(each for each in nurse.phone.last.labels if each.startswith("👁"))
    await nurse.presses(label)
    return sees


class TestFromThePatient:
    @pytest.mark.parametrize("kind", KINDS)
    async def test_it_is_kept_answered_and_shown_to_who_asks(self, study: Study, locale: str, kind: Kind) -> None:
        anna, nurse = await in_language(study.anna, locale), study.coordinator
        hears, told = Watch(anna), Watch(nurse)
        await sends(anna, kind)
        assert hears.first("evidence.received")
        assert study.stage.deps.settings.site_phone in hears.texts[0]
        assert "120" in hears.texts[0]
        assert told.first("case.page")
        sees = await looks(nurse)
        assert sees.new[0].kind == kind
        assert sees.new[0].protected
        assert sees.new[0].file == study.stage.telegram.chats[anna.phone.user_id].visible[-2].file
        assert sees.last("evidence.above")
        (item,) = await rows(study.stage, Evidence)
        assert (item.kind, item.first_viewed_by) == (kind, f"staff:1:{Role.COORDINATOR}")
        assert item.first_viewed_at == study.stage.clock.now()
        assert "evidence.shown" in [each.what for each in await rows(study.stage, AuditEntry)]

    async def test_the_largest_size_of_a_photo_is_kept(self, study: Study) -> None:
        sent = await study.anna.phone.sends_photo()
        await study.stage.settle()
        (file,) = await rows(study.stage, EvidenceFile)
        assert sent.file is not None
        assert (file.file_id, file.message_id) == (sent.file.file_id, sent.message_id)

    async def test_the_page_says_who_sent_what_and_when(self, study: Study) -> None:
        daughter, told = await caregiver(study), Watch(study.coordinator)
        await sends(daughter, "voice")
        page = next(text for text in told.texts if "voice message" in text)
        assert study.coordinator.label("relation.caregiver") in page
        (item,) = await rows(study.stage, Evidence)
        assert f"{item.sent_at.astimezone(study.stage.deps.settings.zone):%H:%M}" in page
        assert item.given_by.startswith("caregiver:")

    async def test_danger_beside_a_photo_comes_first_and_the_photo_is_kept(self, study: Study, locale: str) -> None:
        anna = await in_language(study.anna, locale)
        hears = Watch(anna)
        await sends(anna, caption=CHEST_PAIN[locale])
        assert hears.first(CALL_120)
        assert not hears.read("evidence.received")
        assert (await symptom_case(study.stage)).urgency == "red_120"
        assert len(await rows(study.stage, EvidenceFile)) == 1
        await study.doctor.taps("case.button.acknowledge", "patient.button.evidence")
        assert study.doctor.read("evidence.title")

    async def test_in_the_middle_of_a_question_the_question_is_asked_again(self, study: Study) -> None:
        await study.anna.taps("menu.button.unwell")
        hears = Watch(study.anna)
        await sends(study.anna, album="7")
        assert hears.first("evidence.received")
        assert hears.last("report.trouble.ask")
        hears = Watch(study.anna)
        await sends(study.anna, album="7")
        assert hears.new == []

    async def test_a_photo_at_night_waits_for_the_morning_and_the_patient_is_answered(self, study: Study) -> None:
        await study.pass_time(hours=15)
        hears, told = Watch(study.anna), Watch(study.coordinator)
        await sends(study.anna)
        assert hears.first("evidence.received")
        assert told.new == []

    async def test_a_long_caption_is_cut_with_a_mark_and_kept_whole(self, study: Study) -> None:
        whole = "".join(f"{number:04d}" for number in range(253))  # 1,012 characters; Telegram takes 1,024.
        sees = Watch(study.coordinator)
        await sends(study.anna, caption=whole)
        assert f"{whole[:999]}…" in sees.texts[-1]
        assert whole not in sees.texts[-1]
        assert [file.caption for file in await rows(study.stage, EvidenceFile)] == [whole]
        await looks(study.coordinator)
        assert any(f"{whole[:999]}…" in text for text in sees.texts[1:])


class TestWhoIsNotOnStudy:
    async def test_of_a_stranger_nothing_is_kept(self, study: Study, locale: str) -> None:
        stranger, told = person(study.stage, 90, "Passer-by", locale), Watch(study.coordinator)
        await stranger.says("/start")
        hears = Watch(stranger)
        await sends(stranger, caption="请看")
        assert hears.first("evidence.from_stranger")
        assert told.new == []
        assert await rows(study.stage, Evidence) == []

    async def test_danger_words_of_a_stranger_still_show_where_help_is(self, study: Study) -> None:
        stranger = person(study.stage, 90, "Passer-by", "zh")
        hears = Watch(stranger)
        await sends(stranger, caption=CHEST_PAIN["zh"])
        assert hears.first(CALL_120)
        assert await rows(study.stage, Evidence) == []

    async def test_of_staff_nothing_is_kept(self, study: Study) -> None:
        hears = Watch(study.coordinator)
        await sends(study.coordinator, "document")
        assert hears.first("evidence.from_staff")
        assert await rows(study.stage, Evidence) == []

    async def test_of_who_has_withdrawn_nothing_is_kept_and_staff_hear_that_something_came(
        self, study: Study, locale: str
    ) -> None:
        anna = await in_language(study.anna, locale)
        await withdraw(anna)
        await resolve_all(study.stage)
        hears, told = Watch(anna), Watch(study.coordinator)
        await sends(anna)
        assert hears.first("evidence.not_on_study")
        assert await rows(study.stage, Evidence) == []
        assert any(study.coordinator.label("request.not_kept", what="photo") in text for text in told.texts)


class TestAlbums:
    async def test_an_album_is_one_task_and_one_answer(self, study: Study, locale: str) -> None:
        anna = await in_language(study.anna, locale)
        hears, told = Watch(anna), Watch(study.coordinator)
        for _ in range(4):
            await anna.phone.sends_photo(album="900")
        await study.stage.settle()
        assert hears.count("evidence.received") == len(hears.new) == 1
        assert len(told.new) == 1
        assert len(await cases(study.stage)) == len(await rows(study.stage, Evidence)) == 1
        sees = await looks(study.coordinator)
        assert [each.kind for each in sees.new] == ["photo"] * 4 + ["text"]

    @pytest.mark.parametrize("order", [*permutations(range(3))], ids=str)
    async def test_in_whatever_order_its_pieces_come_words_on_any_of_them_reach_staff(
        self, study: Study, order: tuple[int, ...]
    ) -> None:
        told = Watch(study.coordinator)
        captions = ["", "今天的化验单", ""]
        for place in order:
            await sends(study.anna, caption=captions[place], album="900")
        assert "今天的化验单" in told.texts[-1]
        assert len(told.new) == (1 if order[0] == 1 else 2)
        assert len(await cases(study.stage)) == 1
        assert len(await rows(study.stage, EvidenceFile)) == 3

    async def test_danger_on_a_later_piece_is_answered_at_once(self, study: Study) -> None:
        await sends(study.anna, album="900")
        hears = Watch(study.anna)
        await sends(study.anna, caption=CHEST_PAIN["zh"], album="900")
        assert hears.first(CALL_120)
        assert (await symptom_case(study.stage)).urgency == "red_120"

    async def test_a_restart_between_its_pieces_changes_nothing(self, study: Study, world: World) -> None:
        hears = Watch(study.anna)
        await sends(study.anna, album="900")
        await world.restart()
        await sends(study.anna, album="900")
        assert len(hears.new) == 1
        assert len(await cases(study.stage)) == len(await rows(study.stage, Evidence)) == 1

    async def test_the_same_message_twice_is_one_file(self, study: Study) -> None:
        sent = await study.anna.phone.sends_photo(album="900")
        study.stage.telegram.updates.add("message", study.stage.telegram.message_json(sent))
        hears = Watch(study.anna)
        await study.stage.settle()
        assert len(hears.new) == 1
        assert len(await rows(study.stage, EvidenceFile)) == 1
        assert await unfinished_updates(study.stage) == []

    async def test_albums_of_two_people_with_the_same_number_are_two(self, study: Study) -> None:
        await sends(study.anna, album="900")
        await sends(study.clara, album="900")
        assert len(await rows(study.stage, Evidence)) == 2
        assert len(await cases(study.stage, "S-003")) == 1

    async def test_a_piece_that_comes_after_somebody_looked_is_told_and_the_patient_hears_nothing_more(
        self, study: Study
    ) -> None:
        await sends(study.anna, album="900")
        await looks(study.coordinator)
        await study.coordinator.taps("evidence.button.dealt", "evidence.button.no_note")
        assert (await cases(study.stage))[0].state == "resolved"
        hears, told = Watch(study.anna), Watch(study.coordinator)
        await sends(study.anna, album="900")
        assert hears.new == []
        assert study.coordinator.label("request.sent.more") in told.texts[0]
        (item,) = await rows(study.stage, Evidence)
        assert item.dealt_with_at is None
        assert [case.state for case in await cases(study.stage)][1:] != ["resolved"]

    async def test_two_photos_apart_are_two_answers_in_one_open_request(self, study: Study) -> None:
        hears = Watch(study.anna)
        await sends(study.anna)
        await sends(study.anna)
        assert hears.count("evidence.received") == 2
        assert len(await cases(study.stage)) == 1
        assert len(await rows(study.stage, Evidence)) == 2


class TestAmongStaff:
    async def test_the_card_of_the_patient_leads_to_all_that_was_sent(self, study: Study, locale: str) -> None:
        nurse = await in_language(study.coordinator, locale)
        await sends(study.anna, caption="化验单")
        await resolve_all(study.stage)
        await nurse.says("/patient S-001")
        await nurse.taps("patient.button.evidence")
        assert nurse.read("evidence.title")
        await nurse.presses("🆕")
        assert "化验单" in nurse.phone.last.text
        await nurse.taps("evidence.button.show")
        (item,) = await rows(study.stage, Evidence)
        assert item.first_viewed_by == f"staff:1:{Role.COORDINATOR}"

    async def test_the_first_look_stays_the_first(self, study: Study) -> None:
        await sends(study.anna)
        await looks(study.coordinator)
        (first,) = await rows(study.stage, Evidence)
        await study.pass_time(minutes=5)
        await study.doctor.says("/patient S-001")
        await study.doctor.taps("patient.button.evidence")
        await study.doctor.presses("👁")
        await study.doctor.taps("evidence.button.show")
        (again,) = await rows(study.stage, Evidence)
        assert (again.first_viewed_at, again.first_viewed_by) == (first.first_viewed_at, first.first_viewed_by)

    async def test_a_file_that_telegram_no_longer_has_is_said_once_and_is_not_seen(
        self, study: Study, locale: str
    ) -> None:
        nurse = await in_language(study.coordinator, locale)
        for _ in range(3):
            await sends(study.anna, album="900")
        study.stage.telegram.files.clear()
        sees = await looks(nurse)
        assert sees.count("evidence.refused") == 1
        (item,) = await rows(study.stage, Evidence)
        assert item.first_viewed_at is None
        assert [case.kind for case in await cases(study.stage)] == ["request"], "nobody else is alarmed"

    async def test_what_another_bot_was_sent_is_refused_kindly(self, study: Study) -> None:
        await sends(study.anna)

        def of_another(session: Session) -> None:
            session.info.update(at=study.stage.clock.now(), actor="bot", cause="test")
            for item in session.exec(select(Evidence)).all():
                item.bot_id += 1

        await study.stage.deps.store.write(of_another)
        sees = await looks(study.coordinator)
        assert [message.kind for message in sees.new] == ["text"]
        assert sees.last("evidence.other_bot")

    async def test_a_monitor_sees_that_it_came_and_not_what_it_shows(self, study: Study) -> None:
        await sends(study.anna)
        monitor = await staff(study.stage, 42, "Monitor", Role.MONITOR)
        await monitor.says("/patient S-001")
        await monitor.taps("patient.button.evidence")
        await monitor.presses("🆕")
        assert monitor.read("evidence.card")
        assert monitor.label("evidence.button.show") not in monitor.phone.last.labels

    async def test_dealing_with_it_closes_its_request_with_who_and_a_note(self, study: Study, locale: str) -> None:
        nurse = await in_language(study.coordinator, locale)
        await sends(study.anna)
        await looks(nurse)
        await nurse.taps("evidence.button.dealt")
        await nurse.says("rash on the arm, called her")
        (item,) = await rows(study.stage, Evidence)
        assert item.note == "rash on the arm, called her"
        assert item.dealt_with_by == f"staff:1:{Role.COORDINATOR}"
        (case,) = await cases(study.stage)
        assert (case.state, case.outcome) == ("resolved", "evidence_seen")

    async def test_a_request_with_two_photos_ends_with_the_second(self, study: Study) -> None:
        await sends(study.anna)
        await sends(study.anna)
        nurse = study.coordinator
        await looks(nurse)
        await nurse.taps("evidence.button.dealt", "evidence.button.no_note")
        assert [case.state for case in await cases(study.stage)] != ["resolved"]
        await looks(nurse)
        await nurse.taps("evidence.button.dealt", "evidence.button.no_note")
        assert [case.state for case in await cases(study.stage)] == ["resolved"]

    async def test_values_of_a_slip_are_linked_with_its_photo(self, study: Study, locale: str) -> None:
        nurse = await in_language(study.coordinator, locale)
        await sends(study.anna)
        await looks(nurse)
        await nurse.taps("evidence.button.values")
        await nurse.answers("2026-11-02", "PLT 60", "=labs.transfused.none", "=form.button.save")
        (row,) = await rows(study.stage, Measurement)
        (item,) = await rows(study.stage, Evidence)
        assert (row.source, row.verified, row.evidence_id) == ("slip", True, item.id)
        await nurse.taps("labs.button.list")
        await nurse.presses("60")
        await nurse.taps("labs.button.evidence")
        assert nurse.read("evidence.card")

    async def test_what_lies_in_the_outbox_names_the_file_sealed(self, study: Study) -> None:
        await sends(study.anna)
        await looks(study.coordinator)
        (shown,) = await rows(study.stage, OutboxMessage, method="file")
        assert shown.state == "sent"
        assert shown.useful_until is not None
        assert shown.useful_until <= study.stage.clock.now() + timedelta(hours=48)


@pytest.mark.req("DI-01", "DI-18")
async def test_an_album_is_seen_and_dealt_with_on_both_databases(both_stages: Stage) -> None:
    made = await study(both_stages)
    for caption in ("", "化验单"):
        await made.anna.phone.sends_photo(caption=caption, album="900")
    await both_stages.settle()
    await looks(made.coordinator)
    await made.coordinator.taps("evidence.button.dealt", "evidence.button.no_note")
    (item,) = await rows(both_stages, Evidence)
    assert item.dealt_with_at is not None
    assert [file.caption for file in await rows(both_stages, EvidenceFile)] == [None, "化验单"]
    changes = [entry.what for entry in await rows(both_stages, AuditEntry)]
    assert {"evidence.created", "evidence_file.created", "evidence.changed"} <= set(changes)
