"""A physician asks for the data as a file; nobody else gets it, and every copy is known."""

from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.roles import Role
from bot.exports import files
from bot.store.models import AgendaItem, AuditEntry, OutboxMessage, StaffMember
from bot.story.people import Person
from bot.usecases import export
from bot.work import Work
from schedules import exports
from tests.people import Study, staff
from tests.people import study as begun
from tests.stories.scenes import Watch, caregiver, in_language, rows

pytestmark = pytest.mark.req("DI-24")


async def asks(study: Study, someone: Person, form: str = "both") -> Watch:
    """Let somebody ask for a file and wait for it."""
    await someone.says("/export")
    watch = Watch(someone)
    await someone.taps(f"export.button.{form}")
    await study.pass_time(seconds=10)
    await exports.make(study.stage.deps)
    await study.stage.settle()
    return watch


async def kept(study: Study, folder: Path) -> files.Checked:
    """Check the file that the physician's phone shows last, as whoever saved it would."""
    message = study.doctor.phone.last
    assert message.kind == "document"
    assert message.file is not None
    place = folder / message.file.name
    place.write_bytes(message.file.content)
    return files.check(place)


async def test_an_investigator_gets_the_file_and_the_audit_trail_names_the_copy(
    both_stages: object, tmp_path: Path
) -> None:
    study = await begun(both_stages)  # type: ignore[arg-type]
    watch = await asks(study, study.doctor)
    assert watch.read("export.begun")
    assert watch.last("export.file")
    checked = await kept(study, tmp_path)
    assert checked.rows > 0
    (entry,) = await rows(study.stage, AuditEntry, what="export.made")
    assert entry.changes["manifest_sha256"] == checked.manifest_sha256
    assert entry.actor == "staff:2:investigator"
    assert entry.changes["form"] == "both"
    assert checked.manifest_sha256 in watch.texts[-1]


async def test_it_says_what_is_in_it_in_both_languages(study: Study, locale: str) -> None:
    await in_language(study.doctor, locale)
    await study.doctor.says("/export")
    asked = study.doctor.phone.last
    assert "3" in asked.text
    assert list(asked.labels) == [
        *(study.doctor.label(f"export.button.{form}") for form in export.FORMS),
        study.doctor.label("form.button.cancel"),
    ]
    await study.doctor.taps("form.button.cancel")
    assert Watch(study.doctor).new == []
    assert study.doctor.read("export.cancelled")
    assert await rows(study.stage, AgendaItem, kind=export.MAKE) == []


async def test_a_file_that_went_out_is_not_kept_in_the_outbox(study: Study) -> None:
    await asks(study, study.doctor, "csv")
    (message,) = await rows(study.stage, OutboxMessage, text_key="export.file")
    assert message.state == "sent"
    assert message.picture is None


async def test_it_can_be_saved(study: Study) -> None:
    await asks(study, study.doctor, "sdtm")
    assert study.doctor.phone.last.protected is False


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.ADMIN, Role.MONITOR, Role.CAREGIVER, Role.PATIENT])
async def test_nobody_else_gets_one(study: Study, role: Role) -> None:
    match role:
        case Role.COORDINATOR:
            someone = study.coordinator
        case Role.CAREGIVER:
            someone = await caregiver(study)
        case Role.PATIENT:
            someone = study.boris
        case _:
            someone = await staff(study.stage, 40, "Colleague", role)
    watch = Watch(someone)
    await someone.says("/export")
    assert watch.read("refused.not_for_you")
    assert await rows(study.stage, AgendaItem, kind=export.MAKE) == []
    (refused,) = list(await rows(study.stage, AuditEntry, what="refused"))
    assert refused.changes == {"route": "export"}


async def test_who_is_no_physician_any_more_gets_nothing(study: Study) -> None:
    await study.doctor.says("/export")
    await study.doctor.taps("export.button.both")

    def revoke(work: Work) -> None:
        work.session.get_one(StaffMember, 2).revoked_at = work.now

    await study.stage.within(revoke)
    await exports.make(study.stage.deps)
    await study.stage.settle()
    (item,) = await rows(study.stage, AgendaItem, kind=export.MAKE)
    assert (item.state, item.reason) == ("skipped", export.CANNOT)
    assert await rows(study.stage, AuditEntry, what="export.made") == []


async def test_a_file_that_telegram_does_not_take_leads_to_the_command(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "LARGEST_MB", 0)
    watch = await asks(study, study.doctor)
    assert watch.last("export.too_large")
    assert "followup export --out export.zip" in watch.texts[-1]
    assert await rows(study.stage, AuditEntry, what="export.made") == []


async def test_one_that_cannot_be_made_is_told_and_tried_no_more(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> export.Ready:
        raise OSError("the disk is full")

    monkeypatch.setattr(exports, "_made", fails)
    watch = await asks(study, study.doctor)
    assert watch.last("export.failed")
    (item,) = await rows(study.stage, AgendaItem, kind=export.MAKE)
    assert item.state == "skipped"


async def test_two_taps_make_one_file(study: Study) -> None:
    await study.doctor.says("/export")
    await study.doctor.taps("export.button.csv")
    await study.doctor.phone.repeats_last_tap()
    await study.stage.settle()
    assert len(await rows(study.stage, AgendaItem, kind=export.MAKE)) == 1


async def test_a_button_of_long_ago_makes_a_file_of_today(study: Study) -> None:
    await study.doctor.says("/export")
    await study.stage.until(study.stage.clock.now() + timedelta(days=2))
    await study.doctor.taps("export.button.csv")
    await exports.make(study.stage.deps)
    await study.stage.settle()
    assert study.doctor.read("export.file")
