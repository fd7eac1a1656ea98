"""What happens in five weeks of the trial? The whole job, played by the real bot and checked step by step."""

import re
import shutil
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlmodel import Session, col, select

from bot.cipher import Cipher
from bot.domain.roles import Role
from bot.pictures.chat import ChatLine, chat_png
from bot.settings import NOBODY_OUTSIDE, Settings
from bot.simulator.parts import ShownMessage
from bot.store.models import Subject, Visit
from bot.story import stage as stages
from bot.story.people import Person
from bot.story.printer import Printer
from bot.story.stage import Stage
from bot.usecases.import_subjects import import_subjects

START = datetime.fromisoformat("2026-11-02T08:00:00+08:00")
DAYS = 35
SITE_PHONE = "0571-0000-0000"
TOKEN = "123456789:story-token-of-a-simulated-bot"  # noqa: S105 (opens nothing; Telegram is simulated)

LINK = re.compile(r"https://t\.me/[\w?=-]+")

TABLE = """code,arm,locale,birth_year,weight_kg,first_injection_on,cbc_interval_days,injection_interval_days,\
formulation,strength_mg,tablets,phone
S-002,TG1,en,1968,71.5,2026-11-03,7,21,,,,0571-0000-0002
S-003,CTRL,zh,1980,58,,14,,,,,
"""


async def play(folder: Path, *, quiet: bool = False) -> bool:
    """Play the story; return whether everything that has to happen was observed."""
    _empty(folder)
    settings = Settings(
        _env_file=None,
        telegram_token=TOKEN,
        database_url=f"sqlite:///{folder / 'story.sqlite3'}",
        encryption_key=Cipher.new_key(),
        site_phone=SITE_PHONE,
        protocol=None,
        clock_start=None,
        **NOBODY_OUTSIDE,
    )
    async with stages.raised(settings, START) as stage:
        printer = Printer(stage.clock, stage.deps.texts, settings.zone, quiet=quiet)
        stage.telegram.on_message(printer.on_message)
        story = Story(stage, printer, folder)
        await story.play()
        stage.telegram.check_misuses()
    if printer.missed:
        printer.says(f"\n{len(printer.missed)} step(s) were not observed: " + "; ".join(printer.missed))
    else:
        printer.says(f"\nEvery step was observed. Pictures and chats are in {folder}/")
    return not printer.missed


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


class Story:
    """The script: who does what on which day."""

    def __init__(self, stage: Stage, printer: Printer, folder: Path) -> None:
        self.stage = stage
        self.printer = printer
        self.folder = folder
        self.coordinator = self._person(11, "Coordinator", "zh")
        self.doctor = self._person(12, "Doctor on call", "en")
        self.pi = self._person(13, "PI", "zh")
        self.first = self._person(21, "S-001 patient", "zh")
        self.daughter = self._person(22, "S-001 daughter", "zh")
        self.second = self._person(23, "S-002 patient", "en")
        self.control = self._person(24, "S-003 patient", "zh")

    def _person(self, number: int, name: str, locale: str) -> Person:
        code = "zh-hans" if locale == "zh" else "en"
        return Person(self.stage, self.stage.telegram.phone(number, name, code), locale)

    @property
    def everybody(self) -> tuple[Person, ...]:
        return (
            self.coordinator,
            self.doctor,
            self.pi,
            self.first,
            self.daughter,
            self.second,
            self.control,
        )

    def observed(self, what: str, seen: bool) -> None:
        self.printer.observed(what, seen)

    async def play(self) -> None:
        await self.staff_arrive()
        await self.enrol()
        await self.patients_begin()
        await self.five_weeks()
        await self.coordinator_asks()
        self.keep_chats()

    async def staff_arrive(self) -> None:
        self.printer.scene("Staff open their single-use links and go on duty")
        for person, role in (
            (self.coordinator, Role.COORDINATOR),
            (self.doctor, Role.INVESTIGATOR),
            (self.pi, Role.PI),
        ):
            await person.opens(await self.stage.invitation(role))
            await person.taps(f"language.{person.locale}")
            self.observed(f"{person.name} has a role", person.read("start.staff"))
        await self.doctor.says("/duty")
        await self.doctor.taps("duty.button.on")
        self.observed("the doctor is on duty", self.doctor.read("duty.on"))

    async def enrol(self) -> None:
        self.printer.scene("The coordinator enrols S-001 in a dialogue; S-002 and S-003 come from a table")
        await self.coordinator.says("/enrol")
        await self.coordinator.answers(
            "s001",
            "=arm.tg2.name",
            "=language.zh",
            "1952",
            "120斤",
            "=form.button.yes",
            "2026-11-02",
            "7",
            "21",
            "=formulation.dispersible",
        )
        await self.coordinator.presses("250 mg")
        await self.coordinator.answers("2", "0571-0000-0001", "=form.button.save")
        self.observed("S-001 is enrolled", self.coordinator.read("enrol.done"))
        links = [each.text for each in self.coordinator.seen if each.kind == "photo"]
        self.observed("two links with a QR picture each", len(links) == 2)
        await self.stage.within(lambda work: import_subjects(work, TABLE))

    async def patients_begin(self) -> None:
        self.printer.scene("The patients open their links, read what they agree to, choose their hour")
        await self.begin(self.first, self.link("S-001", 0), "18:00")
        await self.daughter.opens(self.link("S-001", 1))
        await self.first.taps("start.button.agree_caregiver")
        linked = self.daughter.read("start.caregiver_welcome")
        self.observed("the daughter is linked with the patient's agreement", linked)
        for person, code in ((self.second, "S-002"), (self.control, "S-003")):
            await self.coordinator.says(f"/patient {code}")
            await self.coordinator.taps("patient.button.invite")
            await self.begin(person, self.link(code, 0), "18:00")
        await self.record_visit("S-001", "injection")

    async def begin(self, person: Person, link: str, hour: str) -> None:
        await person.opens(link)
        await person.taps(f"language.{person.locale}")
        for _ in range(1 + len(self.stage.deps.protocol.consent.agreements)):
            await person.taps("start.button.agree")
        await person.presses(hour)
        self.observed(f"{person.name} has begun", person.read("start.ready"))

    def link(self, code: str, number: int) -> str:
        """Return a link that the coordinator was shown for a subject: 0 the patient's, 1 the caregiver's."""
        shown = [each.text for each in self.coordinator.seen if each.kind == "photo" and code in each.text]
        found = LINK.search(shown[number - 2])
        return found.group() if found else ""

    async def five_weeks(self) -> None:
        for day in range(DAYS):
            today = START + timedelta(days=day)
            await self.stage.until(today.replace(hour=8, minute=30))
            if day in EVENTS:
                await EVENTS[day](self)
            await self.stage.until(today.replace(hour=12))
            await self.visits_of(today.date())
            await self.stage.until(today.replace(hour=18, minute=15))
            await self.evening(day)
            await self.stage.until(today.replace(hour=23, minute=30))

    async def visits_of(self, today: date) -> None:
        """Let staff record what really took place today, and patients confirm what they are reminded of."""
        for person in (self.first, self.second, self.control):
            if person.label("visit.button.will_come") in person.phone.last.labels:
                await person.taps("visit.button.will_come")
        for code, kind, _ in await self.due_by(today):
            await self.record_visit(code, kind)

    async def due_by(self, today: date) -> list[tuple[str, str, date]]:
        def find(session: Session) -> list[tuple[str, str, date]]:
            rows = session.exec(
                select(col(Subject.code), col(Visit.kind), col(Visit.target_on))
                .join(Visit, col(Visit.subject_id) == col(Subject.id))
                .where(Visit.state == "planned", Visit.target_on <= today)
                .order_by(col(Visit.id))
            ).all()
            return [(code, kind, on) for code, kind, on in rows]

        return await self.stage.deps.store.read(find)

    async def record_visit(self, code: str, kind: str) -> None:
        await self.coordinator.says(f"/patient {code}")
        await self.coordinator.presses(self.coordinator.label(f"visit.short.{kind}"))
        await self.coordinator.taps("visit.button.done")
        today = self.stage.clock.now().astimezone(self.stage.deps.settings.zone).date()
        await self.coordinator.presses(self.stage.deps.texts.short_day(today, "zh"))

    async def evening(self, day: int) -> None:
        """Let the first patient answer the tablets question: mostly taken, some days not, some not at all."""
        if day in SILENT_DAYS:
            return
        if day in FORGOTTEN_DAYS:
            await self.first.taps("tablets.button.not_today", "dose.skip.forgot", "form.button.done")
        elif day == NOT_YET_DAY:
            await self.first.taps("tablets.button.not_yet")
            await self.stage.pass_time(hours=2)
            self.observed("the tablets question is asked once more", self.first.read("tablets.ask_again"))
            if self.first.label("tablets.button.taken") in self.first.phone.last.labels:
                await self.first.taps("tablets.button.taken")
        else:
            await self.first.taps("tablets.button.taken")

    async def fever(self) -> None:
        self.printer.scene("S-001 has a fever; nobody takes over for eleven minutes")
        await self.first.taps("menu.button.unwell")
        await self.first.taps("report.trouble.fever", "report.fever.place.axillary")
        await self.first.says("三十八度六")
        self.observed("the emergency text came at once", self.first.read("triage.red_come.go"))
        self.observed("the doctor on duty was paged", self.doctor.read("case.page"))
        self.observed("the patient was told that staff are alerted", self.first.read("triage.paged"))
        await self.first.taps("report.answer.none")
        pages = len(self.doctor.seen)
        await self.stage.pass_time(minutes=6)
        self.observed("the page was repeated after five minutes", len(self.doctor.seen) > pages)
        await self.stage.pass_time(minutes=15)
        self.observed("after twenty minutes the PI was paged too", self.pi.read("case.page"))
        await self.doctor.taps("case.button.acknowledge")
        await self.doctor.presses(self.doctor.label("case.read_back.do.phone_now", code="S-001"))
        self.observed("the patient hears who has taken over", self.first.read("case.told.taken_over"))
        self.observed("the PI sees who has it", any("Doctor on call" in each.text for each in self.pi.seen))
        await self.doctor.taps("case.button.spoke")
        before = len(self.pi.seen)
        await self.stage.pass_time(minutes=30)
        self.observed("nobody is paged any more", len(self.pi.seen) == before)
        await self.doctor.taps("case.button.reply")
        await self.doctor.says("您到急诊以后告诉护士您是我们的患者。到了请回复一下。")
        self.observed("the patient got the doctor's words", self.first.read("case.from_staff"))
        await self.first.taps("case.button.answer")
        await self.first.says("我到了")
        self.observed("the patient's answer came back to the case", self.doctor.read("case.answered"))
        await self.doctor.taps("case.button.open", "case.button.resolve", "outcome.came_to_hospital")
        self.observed("the case is closed with an outcome", self.doctor.read("case.resolved"))
        self.observed("the patient hears what was kept of it", self.first.read("outcome.told.came_to_hospital"))

    async def checkin(self) -> None:
        self.printer.scene("S-003 is offered the weekly questions, and has nothing to tell")
        self.observed("the weekly questions were offered", self.control.read("checkin.ask"))
        await self.control.taps("checkin.button.begin", "report.answer.none")
        await self._scores({})
        self.observed("the patient reads what was recorded", self.control.read("report.recorded"))

    async def checkin_with_a_rise(self) -> None:
        self.printer.scene("A week later the pain is two points worse, which staff hear of at once")
        pages = len(self.doctor.seen)
        await self.control.taps("checkin.button.begin", "report.answer.none")
        await self._scores({"pain": 2})
        told = self.doctor.seen[pages:]
        self.observed("the doctor was paged for the rise", any("S-003" in each.text for each in told))
        self.observed("the patient reads when the team calls", self.control.read("triage.amber.contact"))
        await self.doctor.taps("case.button.acknowledge", "case.button.spoke", "case.button.resolve")
        await self.doctor.taps("outcome.spoke_no_visit")
        self.printer.scene("S-003 starts them once more from the menu")
        await self.control.says("/menu")
        await self.control.taps("menu.button.checkin")
        self.observed("the bot says that they were answered", self.control.read("checkin.answered"))

    async def _scores(self, worse: dict[str, int]) -> None:
        """Answer the scores of a check-in: 0, or what ``worse`` says of a symptom, then nothing else."""
        first = {"fatigue": "severity", "nausea": "frequency", "diarrhoea": "frequency", "skin": "severity"}
        for symptom, attribute in {**first, "pain": "frequency", "mood": "frequency"}.items():
            score = worse.get(symptom, 0)
            await self.control.taps(f"checkin.{attribute}.{score}")
            if symptom == "pain" and score:
                await self.control.taps("checkin.severity.1", "checkin.interference.1")
        await self.control.taps("report.answer.none")

    async def another_day(self) -> None:
        self.printer.scene("S-002 needs another day for a visit")
        await self.second.taps("menu.button.visits")
        await self.second.presses(self.second.phone.last.labels[0])
        offered = self.second.phone.last.labels[0]
        await self.second.presses(offered)
        self.observed("the patient reads which day is asked for", offered in self.second.phone.last.text)
        await self.stage.pass_time(minutes=5)
        self.observed("the coordinator got the request", self.coordinator.read("case.page"))
        await self.coordinator.taps("case.button.acknowledge")
        await self.coordinator.presses(self.coordinator.label("visit.button.confirm_day", day=""))
        await self.stage.pass_time(minutes=5)
        self.observed("the patient got the new day", self.second.read("visit.announced"))

    async def injection_site(self) -> None:
        self.printer.scene("S-002 reports a small mark where the needle went in; nothing urgent")
        await self.second.says("/unwell")
        await self.second.taps("report.trouble.injection_site")
        await self._finish_report(self.second)

    async def _finish_report(self, person: Person) -> None:
        """Answer the questions that are left with their mildest answer: the last option offered."""
        for _ in range(6):
            labels = [each for each in person.phone.last.labels if each != person.label("report.button.stop")]
            if person.label("report.button.stop") not in person.phone.last.labels:
                return
            await person.presses(labels[-1])

    async def at_night(self) -> None:
        self.printer.scene("Two in the morning: S-003 types that there is chest pain")
        await self.stage.pass_time(hours=17, minutes=30)
        await self.control.says("胸口痛,喘不上气")
        self.observed("the emergency text came at once, at night", self.control.read("triage.red_120.call"))
        await self.doctor.taps("case.button.acknowledge", "case.button.spoke", "case.button.resolve")
        await self.doctor.taps("outcome.went_to_emergency")

    async def coordinator_asks(self) -> None:
        self.printer.scene("The coordinator asks: who is there, what is due, what is open, were the tablets taken")
        for command, key in (("/patients", "patients.title"), ("/due", "due.title")):
            await self.coordinator.says(command)
            self.observed(f"{command} is answered", self.coordinator.read(key))
        await self.coordinator.says("/alerts")
        await self.coordinator.says("/adherence S-001")
        shown: ShownMessage = self.coordinator.phone.last
        self.observed("adherence in numbers", "S-001" in shown.text and "%" in shown.text)
        self.observed("adherence as a picture", shown.file is not None)
        if shown.file is not None:
            picture = self.folder / "adherence-S-001.png"
            picture.write_bytes(shown.file.content)
            self.printer.says(f"   picture: {picture}")
        said = "\n".join(each.text for each in self.control.seen)
        for key in ("visit.kind.injection", "tablets.ask", "menu.button.tablets"):
            words = self.control.label_template(key).split("{")[0].strip()
            self.observed(f"the control patient never read anything of {key}", words not in said)

    def keep_chats(self) -> None:
        """Write every phone's chat to a file, to be read at leisure."""
        for person in self.everybody:
            name = person.name.replace(" ", "-")
            (self.folder / f"chat-{name}.txt").write_text(person.phone.screen() + "\n", encoding="utf-8")
        for person, name, key, length in (
            (self.first, "chat-zh", "report.trouble.ask", 7),
            (self.second, "chat-en", "visit.mine", 3),
        ):
            picture = self._excerpt(person, person.label_template(key).split("{")[0].strip(), length)
            (self.folder / f"{name}.png").write_bytes(picture)

    def _excerpt(self, person: Person, words: str, length: int) -> bytes:
        """Draw ``length`` messages of a chat, from the first one that holds ``words``."""
        seen = person.phone.messages
        start = next(number for number, each in enumerate(seen) if words in each.text)
        zone, texts = self.stage.deps.settings.zone, self.stage.deps.texts
        lines = [
            ChatLine(
                sender_is_bot=each.from_bot,
                text=each.text,
                time=texts.time(each.at.astimezone(zone)),
                buttons=[[button.text for button in row] for row in each.keyboard],
                day=texts.day(each.at.astimezone(zone).date(), person.locale) if number == 0 else "",
            )
            for number, each in enumerate(seen[start : start + length])
        ]
        return chat_png(f"@{self.stage.telegram.username}", lines)


SILENT_DAYS = {6, 13, 20}
FORGOTTEN_DAYS = {10, 17}
NOT_YET_DAY = 4

EVENTS = {
    3: Story.injection_site,
    5: Story.another_day,
    8: Story.checkin,
    9: Story.fever,
    15: Story.checkin_with_a_rise,
    16: Story.at_night,
}
