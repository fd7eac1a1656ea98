"""What comes in that was not asked for, in both languages: each has a friendly answer, and nothing breaks."""

import json
from datetime import datetime

import pytest

from bot.delivery import inbox
from bot.domain.roles import Role
from bot.simulator.parts import Kind
from bot.store.models import Answer, AuditEntry, Consent, DoseReport, Escalation, InboxUpdate, Subject
from bot.story.people import Person
from bot.usecases.screens import PATIENT_COMMANDS, STAFF_COMMANDS
from tests.people import Study, begin, person, staff
from tests.stories.scenes import (
    CALL_120,
    CHEST_PAIN,
    Watch,
    cases,
    clinical_rows,
    forwards,
    in_language,
    made_from,
    presses_data,
    rows,
    sends_content,
    subject,
    unfinished_updates,
)

EVENING = datetime.fromisoformat("2026-11-02T18:00:00+08:00")
FOR_STAFF = sorted({*STAFF_COMMANDS, "staff"} - {*PATIENT_COMMANDS})
FOR_PATIENTS = sorted({*PATIENT_COMMANDS} - {*STAFF_COMMANDS, "menu"})


@pytest.fixture
async def anna(study: Study, locale: str) -> Person:
    """Give the patient of the deferasirox arm, in each language."""
    return await in_language(study.anna, locale)


@pytest.fixture
async def nurse(study: Study, locale: str) -> Person:
    """Give the coordinator, in each language."""
    return await in_language(study.coordinator, locale)


WRONG_FIRST_INJECTIONS = {
    "soon": "input.date.unreadable",
    "2026-02-30": "input.date.no_such_day",
    "3/11": "input.date.ambiguous",
    "正月初五": "input.date.lunar",
    "2020-01-01": "input.first_injection.out_of_range",
    "2027-11-02": "input.first_injection.out_of_range",
    "x" * 3000: "input.date.unreadable",
}

# At each question of the dialogue: what cannot be right with its refusal, and the answer that goes on.
WRONG_AND_RIGHT: list[tuple[dict[str, str], str]] = [
    ({"S-001": "refused.code_taken", "Anna": "input.subject_code.unreadable"}, "S-010"),
    ({}, "=arm.ctrl.name"),
    ({}, "=language.zh"),
    ({"66岁": "input.year_of_birth.age_given", "2015": "input.year_of_birth.out_of_range"}, "1960"),
    ({"600": "input.weight.out_of_range", "heavy": "input.weight.unreadable"}, "60"),
    ({"22": "refused.interval", "6": "refused.interval"}, "14"),
    ({"my number": "input.phone.unreadable", "123": "input.phone.unreadable"}, "0571-0000-0009"),
]

ODD_WORDS = {
    "zero width": "\u200b\u200b",
    "Hangul filler": "\u3164",
    "direction marks": "\u202e\u2066",
    "emoji": "😀😀👍🏽",
    "families": "👨‍👩‍👧‍👦" * 200,
    "dots": "...",
    "placeholders": "{day} {0} %s %(x)s",
    "markup": "<b>hello</b> & <script>",
    "NUL": "a\x00b",
    "Markdown": "*_[`~>#+-=|",
}


class TestCommands:
    async def test_an_unknown_command_is_answered_with_what_there_is(self, anna: Person) -> None:
        sees = Watch(anna)
        await anna.says("/abracadabra")
        assert sees.first("speak.unknown_command")
        assert sees.last("help.patient")

    @pytest.mark.parametrize("who", ["anna", "passer_by"])
    async def test_danger_behind_an_unknown_command_counts(self, study: Study, anna: Person, who: str) -> None:
        speaker = anna if who == "anna" else person(study.stage, 90, "Passer-by", anna.locale)
        sees = Watch(speaker)
        await speaker.says("/xyz " + CHEST_PAIN[anna.locale])
        assert sees.first(CALL_120)

    @pytest.mark.req("SEC-01")
    async def test_a_patient_cannot_use_any_staff_command(self, study: Study, anna: Person) -> None:
        before = await clinical_rows(study.stage)
        for command in FOR_STAFF:
            sees = Watch(anna)
            await anna.says(f"/{command} S-002")
            assert sees.first("refused.not_for_you"), command
            assert len(sees.new) == 1, command
            assert "S-002" not in sees.texts[0]
        assert await clinical_rows(study.stage) == before

    @pytest.mark.req("SEC-01")
    async def test_staff_cannot_use_any_patient_command(self, study: Study, nurse: Person) -> None:
        before = await clinical_rows(study.stage)
        for command in FOR_PATIENTS:
            sees = Watch(nurse)
            await nurse.says(f"/{command}")
            assert sees.first("refused.not_for_you"), command
        assert await clinical_rows(study.stage) == before

    async def test_cancel_with_nothing_open_says_so(self, anna: Person) -> None:
        sees = Watch(anna)
        await anna.says("/cancel")
        assert sees.first("form.nothing_to_cancel")

    @pytest.mark.req("SEC-02")
    async def test_an_unknown_subject_is_refused_in_one_way(self, nurse: Person) -> None:
        for typed in ("S-999", "nobody", "0", "S-001; drop table subject", "S-12345", "😀"):
            for command in ("patient", "adherence"):
                sees = Watch(nurse)
                await nurse.says(f"/{command} {typed}")
                assert sees.first("refused.subject_unknown"), typed


class TestTextForButtons:
    async def test_words_where_a_report_wants_a_button(self, anna: Person) -> None:
        await anna.taps("menu.button.unwell")
        sees = Watch(anna)
        await anna.says("星期二" if anna.locale == "zh" else "Tuesday")
        assert sees.first("form.please_tap")
        assert sees.last("report.trouble.ask")
        await anna.taps("report.trouble.injection_site")
        assert sees.last("report.site.look.ask")

    async def test_words_where_a_dialogue_wants_a_button(self, nurse: Person) -> None:
        await nurse.says("/enrol")
        await nurse.says("S-010")
        sees = Watch(nurse)
        await nurse.says("group 2")
        assert sees.first("form.please_tap")
        assert sees.last("enrol.ask.arm")

    async def test_a_button_where_words_are_wanted_does_what_it_says(self, study: Study, anna: Person) -> None:
        await anna.taps("menu.button.team", "team.button.write")
        sees = Watch(anna)
        await anna.taps("menu.button.visits")
        assert sees.first("visit.mine")
        await anna.says("谢谢你们")
        assert sees.last("team.message_passed_on")
        assert len(await cases(study.stage)) == 1

    async def test_a_temperature_that_is_no_number_is_asked_again(self, anna: Person) -> None:
        await anna.taps("menu.button.unwell", "report.trouble.fever", "report.fever.place.oral")
        for typed, key in (
            ("hm", "input.temperature.unreadable"),
            ("5", "input.temperature.out_of_range"),
            ("36.5 36.7", "input.temperature.unreadable"),
        ):
            sees = Watch(anna)
            await anna.says(typed)
            assert sees.first(key), typed
            assert sees.last("report.fever.temperature.ask")


class TestStaleButtons:
    async def test_a_button_of_an_older_question_asks_the_open_one_again(self, nurse: Person) -> None:
        await nurse.says("/enrol")
        await nurse.answers("S-010", "=arm.ctrl.name", "=language.zh", "1960", "60")
        older = nurse.phone.last
        await nurse.says("14")
        sees = Watch(nurse)
        await nurse.phone.taps_on(older, older.labels[0])
        await nurse.stage.settle()
        assert sees.toasted("form.toast.moved_on")
        assert sees.last("enrol.ask.phone")

    async def test_a_button_of_a_finished_dialogue_does_nothing(self, study: Study, nurse: Person) -> None:
        await nurse.says("/enrol")
        await nurse.says("S-010")
        question = nurse.phone.last
        await nurse.says("/cancel")
        before = await clinical_rows(study.stage)
        sees = Watch(nurse)
        await nurse.phone.taps_on(question, nurse.label("arm.tg1.name"))
        await nurse.stage.settle()
        assert sees.last("refused.dialogue_ended")
        assert await clinical_rows(study.stage) == before

    async def test_a_button_of_a_finished_report_does_nothing(self, study: Study, anna: Person) -> None:
        await anna.taps("menu.button.unwell")
        question = anna.phone.last
        fever = question.buttons[0].callback_data or ""
        await anna.taps("report.button.stop")
        sees = Watch(anna)
        presses_data(anna, question, fever)
        await study.stage.settle()
        assert sees.toasted("toast.already_recorded")
        assert await rows(study.stage, Answer) == []

    async def test_a_button_about_a_visit_that_was_moved_shows_the_new_day(self, study: Study, locale: str) -> None:
        clara = await in_language(study.clara, locale)
        await clara.taps("menu.button.visits")
        older = clara.phone.last
        await study.coordinator.says("/patient S-003")
        await study.coordinator.presses(study.coordinator.label("visit.short.cbc"))
        await study.coordinator.taps("visit.button.move")
        await study.coordinator.presses(study.coordinator.phone.last.labels[1])
        sees = Watch(clara)
        await clara.phone.taps_on(older, older.labels[0])
        await study.stage.settle()
        assert sees.toasted("visit.toast.changed")
        assert sees.last("visit.mine")
        assert await cases(study.stage, "S-003") == []


class TestDatesAndNumbers:
    async def test_a_wrong_first_injection_is_asked_again(self, nurse: Person) -> None:
        await nurse.says("/enrol")
        await nurse.answers("S-010", "=arm.tg1.name", "=language.zh", "1960", "60")
        for typed, key in WRONG_FIRST_INJECTIONS.items():
            sees = Watch(nurse)
            await nurse.says(typed)
            assert sees.first(key), typed
            assert sees.last("enrol.ask.first_injection_on"), typed
        sees = Watch(nurse)
        await nurse.says("2026-11-05")
        assert sees.last("enrol.ask.cbc_interval_days")

    @pytest.mark.parametrize(
        ("typed", "key"),
        [
            pytest.param("tomorrow", "refused.in_future", id="tomorrow"),
            pytest.param("2026-13-01", "input.date.no_such_day", id="no such month"),
        ],
    )
    async def test_a_wrong_day_of_a_visit_is_asked_again(
        self, study: Study, nurse: Person, typed: str, key: str
    ) -> None:
        await nurse.says("/patient S-001")
        await nurse.presses(nurse.label("visit.short.injection"))
        await nurse.taps("visit.button.done")
        before = await clinical_rows(study.stage)
        sees = Watch(nurse)
        await nurse.says(typed)
        assert sees.first(key)
        assert sees.last("visit.ask.held_on")
        assert await clinical_rows(study.stage) == before

    async def test_a_visit_cannot_be_moved_into_the_past(self, nurse: Person) -> None:
        await nurse.says("/patient S-003")
        await nurse.presses(nurse.label("visit.short.cbc"))
        await nurse.taps("visit.button.move")
        sees = Watch(nurse)
        await nurse.says("2026-11-01")
        assert sees.first("refused.day_has_passed")
        assert sees.last("visit.ask.next_on")

    async def test_jin_are_asked_back_and_yes_takes_the_kilograms(self, study: Study, nurse: Person) -> None:
        await nurse.says("/enrol")
        await nurse.answers("S-010", "=arm.ctrl.name", "=language.zh", "1960")
        sees = Watch(nurse)
        await nurse.says("120斤")
        assert sees.first("form.is_it")
        assert "60 kg" in sees.texts[0]
        await nurse.taps("form.button.yes")
        assert sees.last("enrol.ask.cbc_interval_days")

    async def test_jin_are_asked_back_and_no_asks_again(self, nurse: Person) -> None:
        await nurse.says("/enrol")
        await nurse.answers("S-010", "=arm.ctrl.name", "=language.zh", "1960", "120斤")
        sees = Watch(nurse)
        await nurse.taps("form.button.no")
        assert sees.last("enrol.ask.weight_kg")
        await nurse.says("61.5")
        assert sees.last("enrol.ask.cbc_interval_days")

    async def test_words_where_yes_or_no_is_wanted(self, nurse: Person) -> None:
        await nurse.says("/enrol")
        await nurse.answers("S-010", "=arm.ctrl.name", "=language.zh", "1960", "120斤")
        sees = Watch(nurse)
        await nurse.says("60")
        assert sees.first("form.please_tap")
        assert sees.last("form.is_it")

    async def test_what_cannot_be_right_is_asked_again(self, nurse: Person) -> None:
        await nurse.says("/enrol")
        for wrong, right in WRONG_AND_RIGHT:
            asked = nurse.phone.last.text
            for typed, key in wrong.items():
                sees = Watch(nurse)
                await nurse.says(typed)
                assert sees.first(key), typed
                assert sees.texts[-1] == asked, typed
            await nurse.answers(right)
        assert made_from(nurse, nurse.phone.last.text, "enrol.summary")


class TestThingsThatAreNotWords:
    async def test_a_sticker(self, study: Study, anna: Person) -> None:
        sees = Watch(anna)
        await anna.phone.sends_sticker()
        await study.stage.settle()
        assert sees.first("speak.other.sticker")
        assert await rows(study.stage, Escalation) == []

    @pytest.mark.parametrize("kind", ["photo", "voice", "document", "video", "video_note", "audio", "animation"])
    async def test_what_a_person_has_to_look_at_becomes_a_request(
        self, study: Study, anna: Person, kind: Kind
    ) -> None:
        sees, nurse = Watch(anna), Watch(study.coordinator)
        if kind == "photo":
            await anna.phone.sends_photo()
        else:
            await anna.phone.sends_media(kind)
        await study.stage.settle()
        assert sees.first("evidence.received")
        assert nurse.first("case.page")
        assert [(case.kind, case.because) for case in await rows(study.stage, Escalation)] == [
            ("request", [f"sent.{kind}"])
        ]

    @pytest.mark.parametrize(
        ("kind", "content"),
        [
            ("location", {"location": {"latitude": 30.2, "longitude": 120.1}}),
            ("contact", {"contact": {"phone_number": "0571-0000-0000", "first_name": "A"}}),
            ("unknown", {"dice": {"emoji": "🎲", "value": 3}}),
            ("unknown", {"story": {"chat": {"id": 5, "type": "private"}, "id": 1}}),
        ],
    )
    async def test_anything_else_is_answered_too(
        self, study: Study, anna: Person, kind: str, content: dict[str, object]
    ) -> None:
        sees = Watch(anna)
        await sends_content(anna, **content)
        assert sees.first(f"speak.other.{kind}")
        assert await unfinished_updates(study.stage) == []

    async def test_a_sticker_in_the_middle_of_a_question_keeps_the_question(self, anna: Person) -> None:
        await anna.taps("menu.button.unwell")
        sees = Watch(anna)
        await anna.phone.sends_sticker()
        await anna.stage.settle()
        assert sees.first("speak.other.sticker")
        assert sees.last("report.trouble.ask")

    async def test_a_sticker_in_the_middle_of_a_dialogue_keeps_the_dialogue(self, nurse: Person) -> None:
        await nurse.says("/enrol")
        sees = Watch(nurse)
        await nurse.phone.sends_sticker()
        await nurse.stage.settle()
        assert sees.last("enrol.ask.code")


class TestWords:
    async def test_five_thousand_characters_arrive_in_pieces_and_each_is_passed_on(
        self, study: Study, anna: Person
    ) -> None:
        sees = Watch(anna)
        await anna.says("我想说说今天吃了什么。" * 455)
        assert sees.count("speak.passed_on") == 2
        (request,) = await cases(study.stage)
        assert len(json.loads(request.summary)) == 2
        assert await unfinished_updates(study.stage) == []

    async def test_danger_at_the_end_of_five_thousand_characters_is_found(self, study: Study, anna: Person) -> None:
        sees, doctor = Watch(anna), Watch(study.doctor)
        await anna.says("今天吃了米饭。" * 710 + CHEST_PAIN[anna.locale])
        assert sees.read(CALL_120)
        assert doctor.read("case.page")
        assert await unfinished_updates(study.stage) == []

    @pytest.mark.req("SEC-08")
    async def test_odd_words_are_passed_on_as_they_are(self, study: Study) -> None:
        for name, words in ODD_WORDS.items():
            nurse, sees = Watch(study.coordinator), Watch(study.anna)
            await study.anna.says(words)
            assert sees.first("speak.passed_on"), name
            assert any(words in text for text in nurse.texts), name
        assert await unfinished_updates(study.stage) == []

    @pytest.mark.parametrize("words", ["", " ", "\n\t "])
    async def test_a_text_without_words_is_answered(self, study: Study, anna: Person, words: str) -> None:
        sees = Watch(anna)
        await sends_content(anna, text=words)
        assert len(sees.new) == 1
        assert await unfinished_updates(study.stage) == []

    async def test_a_stranger_is_told_that_this_is_not_for_everybody(self, study: Study, locale: str) -> None:
        passer_by = person(study.stage, 90, "Passer-by", locale)
        sees = Watch(passer_by)
        await passer_by.says("hello")
        assert sees.first("speak.stranger")
        assert await rows(study.stage, Escalation) == []

    async def test_staff_words_outside_a_dialogue_are_not_recorded(self, study: Study, nurse: Person) -> None:
        sees = Watch(nurse)
        await nurse.says("good morning")
        assert sees.first("speak.staff_unknown")
        assert await rows(study.stage, Escalation) == []


class TestEditedAndForwarded:
    async def test_an_edited_message_is_to_be_sent_anew(self, study: Study, anna: Person) -> None:
        message = await anna.phone.sends("你好")
        await study.stage.settle()
        sees = Watch(anna)
        await anna.phone.edits(message, "你好吗")
        await study.stage.settle()
        assert sees.first("speak.edited")
        assert len(sees.new) == 1

    async def test_danger_in_an_edited_message_counts(self, study: Study, anna: Person) -> None:
        message = await anna.phone.sends("hello")
        await study.stage.settle()
        sees, doctor = Watch(anna), Watch(study.doctor)
        await anna.phone.edits(message, CHEST_PAIN[anna.locale])
        await study.stage.settle()
        assert sees.first(CALL_120)
        assert doctor.first("case.page")

    @pytest.mark.req("SEC-05")
    async def test_danger_in_a_forwarded_message_is_nobodys_own_report(self, study: Study, anna: Person) -> None:
        sees, doctor = Watch(anna), Watch(study.doctor)
        await forwards(anna, CHEST_PAIN[anna.locale])
        assert sees.first("speak.danger_not_enrolled")
        assert doctor.new == []
        assert await rows(study.stage, Escalation) == []

    @pytest.mark.req("SEC-05")
    async def test_a_forwarded_number_is_no_answer(self, study: Study, anna: Person) -> None:
        await anna.taps("menu.button.unwell", "report.trouble.fever", "report.fever.place.oral")
        sees = Watch(anna)
        await forwards(anna, "36.5")
        assert sees.first("speak.forwarded")
        assert [answer.item for answer in await rows(study.stage, Answer)] == ["trouble", "fever_place"]


class TestGroups:
    @pytest.mark.req("SEC-05")
    async def test_the_bot_leaves_a_group_with_one_sentence(self, study: Study, locale: str) -> None:
        anna = person(study.stage, 90, "Passer-by", locale)
        group = study.stage.telegram.group(-100, "Family")
        group.chat.bot_is_member = False
        await anna.phone.adds_bot(group)
        await study.stage.settle()
        assert [message.text for message in group.messages if message.from_bot] == [anna.label("group.private_only")]
        assert not group.chat.bot_is_member

    @pytest.mark.req("SEC-05")
    async def test_a_group_of_staff_hears_numbers_and_nothing_else(self, study: Study) -> None:
        group = study.stage.telegram.group(-100, "Site")
        group.chat.bot_is_member = False
        await study.coordinator.phone.adds_bot(group)
        await study.stage.settle()
        await study.anna.says(CHEST_PAIN["zh"])
        await study.pass_time(minutes=11)
        # Commands and words in it are not answered there, and the bot stays.
        await study.coordinator.phone.sends("/alerts", group)
        await study.doctor.taps("case.button.acknowledge", "case.button.spoke")
        await study.doctor.taps("case.button.resolve", "outcome.spoke_no_visit")
        label = study.coordinator.label
        assert [message.text for message in group.messages if message.from_bot] == [
            label("group.staff.added"),
            label("group.case.open", number=1),
            label("group.case.open", number=1),
            label("group.case.taken", number=1),
            label("group.case.closed", number=1),
        ]
        assert group.chat.bot_is_member
        # What can wait, and requests, do not ring there.
        await study.anna.taps("menu.button.team", "team.button.call_me")
        assert len([message for message in group.messages if message.from_bot]) == 5

    @pytest.mark.req("SEC-05")
    @pytest.mark.parametrize("role", [Role.INVESTIGATOR, Role.MONITOR])
    async def test_who_may_not_add_it_is_left_alone(self, study: Study, role: Role) -> None:
        member = await staff(study.stage, 17, "Member", role)
        group = study.stage.telegram.group(-100, "Site")
        await member.phone.adds_bot(group)
        await study.stage.settle()
        assert not group.chat.bot_is_member

    @pytest.mark.req("SEC-05")
    async def test_health_matters_in_a_group_are_neither_answered_nor_kept(self, study: Study) -> None:
        anna = study.anna
        group = study.stage.telegram.group(-100, "Family")
        before = await clinical_rows(study.stage)
        sees = Watch(anna)
        await anna.phone.sends(f"/unwell {CHEST_PAIN[anna.locale]}", group)
        await anna.phone.sends("/patient S-001", group)
        await study.stage.settle()
        assert [message.text for message in group.messages if message.from_bot] == [anna.label("group.private_only")]
        assert sees.new == []
        assert await clinical_rows(study.stage) == before
        assert await unfinished_updates(study.stage) == []


class TestPresses:
    @pytest.mark.req("SEC-03")
    async def test_made_up_callback_data_has_no_effect(self, study: Study, anna: Person) -> None:
        before = await clinical_rows(study.stage)
        for data in (
            "menu.unwell",
            "menu.unwell|",
            "menu.unwell||0",
            "menu.unwell|AAAAAAAAAAAAAAAAAAAAAA|0",
            "menu.unwell|AAAAAAAAAAAAAAAAAAAAAA|-1",
            "no.such.action|AAAAAAAAAAAAAAAAAAAAAA|0",
            "|||||",
            "x" * 64,
            "½|½|½",
        ):
            sees = Watch(anna)
            presses_data(anna, anna.phone.last, data)
            await study.stage.settle()
            assert sees.first("refused.button_stale"), data
        assert await clinical_rows(study.stage) == before
        assert await unfinished_updates(study.stage) == []

    @pytest.mark.req("SEC-03")
    async def test_a_token_is_good_for_its_own_button_only(self, study: Study) -> None:
        anna = study.anna
        token = (anna.phone.last.buttons[0].callback_data or "").split("|")[1]
        for data in (f"menu.stop|{token}|0", f"menu.unwell|{token}|1", f"menu.unwell|{token}|99"):
            sees = Watch(anna)
            presses_data(anna, anna.phone.last, data)
            await study.stage.settle()
            assert sees.first("refused.button_stale"), data

    @pytest.mark.req("SEC-03", "DI-06", "DI-11")
    async def test_the_presser_decides_not_the_message(self, study: Study, anna: Person) -> None:
        theirs = study.boris.phone.last
        data = theirs.buttons[0].callback_data or ""
        sees, boris = Watch(anna), Watch(study.boris)
        presses_data(anna, theirs, data)
        await study.stage.settle()
        assert sees.first("refused.button_stale")
        assert boris.new == []
        assert len(await rows(study.stage, AuditEntry, what="press.refused")) == 1

    @pytest.mark.req("SEC-01", "SEC-03")
    async def test_a_patient_cannot_press_a_page(self, study: Study, anna: Person) -> None:
        await study.clara.says(CHEST_PAIN["zh"])
        page = study.doctor.phone.last
        before = await clinical_rows(study.stage)
        sees = Watch(anna)
        presses_data(anna, page, page.buttons[0].callback_data or "")
        await study.stage.settle()
        assert sees.first("refused.not_for_you")
        assert await clinical_rows(study.stage) == before


class TestOnceIsEnough:
    @pytest.mark.req("DI-14")
    async def test_a_press_that_the_client_sends_again_counts_once(self, study: Study) -> None:
        anna = study.anna
        await study.stage.until(EVENING)
        await anna.taps("tablets.button.taken")
        sees = Watch(anna)
        await anna.phone.repeats_last_tap()
        await study.stage.settle()
        assert sees.toasted("toast.already_recorded")
        assert len(await rows(study.stage, DoseReport)) == 1

    @pytest.mark.req("DI-14")
    async def test_a_double_tap_on_the_tablets_counts_once(self, study: Study) -> None:
        anna = study.anna
        await study.stage.until(EVENING)
        question = anna.phone.last
        for _ in range(2):
            await anna.phone.taps_on(question, anna.label("tablets.button.taken"))
        await study.stage.settle()
        assert [report.status for report in await rows(study.stage, DoseReport)] == ["taken"]

    @pytest.mark.req("DI-14")
    async def test_of_two_buttons_tapped_at_once_the_first_counts(self, study: Study) -> None:
        anna = study.anna
        await study.stage.until(EVENING)
        question = anna.phone.last
        await anna.phone.taps_on(question, anna.label("tablets.button.taken"))
        await anna.phone.taps_on(question, anna.label("tablets.button.not_today"))
        await study.stage.settle()
        assert [report.status for report in await rows(study.stage, DoseReport)] == ["taken"]

    @pytest.mark.req("DI-14", "DI-19")
    async def test_a_double_tap_on_consent_counts_once(self, newcomers: Study, locale: str) -> None:
        anna = newcomers.anna
        await anna.opens(await newcomers.link("S-001"))
        await anna.taps(f"language.{locale}")
        anna.locale = locale
        items = 1 + len(newcomers.stage.deps.protocol.consent.agreements)
        for _ in range(items):
            message = anna.phone.last
            for _ in range(2):
                await anna.phone.taps_on(message, anna.label("start.button.agree"))
            await newcomers.stage.settle()
        assert len(await rows(newcomers.stage, Consent)) == items
        assert (await subject(newcomers.stage, "S-001")).state == "on_study"

    @pytest.mark.req("DI-14", "DI-15")
    async def test_an_update_that_telegram_sends_again_is_handled_once(self, study: Study) -> None:
        anna = study.anna
        sees = Watch(anna)
        await anna.phone.sends("你好")
        waiting = [each.update for each in study.stage.telegram.updates.pending]
        bot_id = study.stage.bot.application.bot.id
        await inbox.keep(study.stage.deps, bot_id, waiting * 2)
        await study.stage.settle()
        await inbox.keep(study.stage.deps, bot_id, waiting)
        await study.stage.settle()
        assert len(sees.new) == 1
        numbers = [row.update_id for row in await rows(study.stage, InboxUpdate)]
        assert len(numbers) == len(set(numbers))

    @pytest.mark.req("DI-14")
    async def test_a_double_tap_on_save_enrols_once(self, study: Study) -> None:
        nurse = study.coordinator
        await nurse.says("/enrol")
        await nurse.answers("S-010", "=arm.ctrl.name", "=language.zh", "1960", "60", "14", "=enrol.button.no_phone")
        summary = nurse.phone.last
        for _ in range(2):
            await nurse.phone.taps_on(summary, nurse.label("form.button.save"))
        await study.stage.settle()
        assert len(await rows(study.stage, Subject, code="S-010")) == 1
        assert await unfinished_updates(study.stage) == []


async def test_two_colleagues_cannot_enrol_the_same_code(study: Study) -> None:
    second = await staff(study.stage, 41, "Second nurse", Role.COORDINATOR)
    for each in (study.coordinator, second):
        await each.says("/enrol")
        await each.answers("S-010", "=arm.ctrl.name", "=language.zh", "1960", "60", "14", "=enrol.button.no_phone")
    await study.coordinator.taps("form.button.save")
    sees = Watch(second)
    await second.taps("form.button.save")
    assert sees.last("refused.code_taken")
    assert len(await rows(study.stage, Subject, code="S-010")) == 1


async def test_a_patient_begins_again_with_start_and_sees_the_menu(study: Study, locale: str) -> None:
    anna = await in_language(study.anna, locale)
    sees = Watch(anna)
    await anna.says("/start")
    assert sees.first("menu.patient")


async def test_begin_leaves_nobody_waiting(newcomers: Study) -> None:
    await begin(newcomers.clara, await newcomers.link("S-003"))
    assert await unfinished_updates(newcomers.stage) == []
