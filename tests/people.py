"""The people of the tests: known subjects and staff, each with a phone."""

from dataclasses import dataclass

from bot.domain.roles import Role
from bot.story.people import Person
from bot.story.stage import Stage
from bot.usecases import import_subjects, invite
from bot.usecases.staff_queries import find
from bot.work import Work

HEADER = (
    "code,arm,locale,birth_year,weight_kg,first_injection_on,cbc_interval_days,injection_interval_days,"
    "formulation,strength_mg,tablets,phone\n"
)
ANNA = "S-001,TG2,zh,1952,60,2026-11-02,7,21,dispersible,250,2,0571-0000-0001\n"
BORIS = "S-002,TG1,en,1968,71.5,2026-11-03,7,21,,,,0571-0000-0002\n"
CLARA = "S-003,CTRL,zh,1980,58,,14,,,,,\n"


def person(stage: Stage, number: int, name: str, locale: str) -> Person:
    """Return somebody with a phone in this language."""
    code = "zh-hans" if locale == "zh" else "en"
    return Person(stage, stage.telegram.phone(number, name, code), locale)


# No words for all that hangs on it: each run of a loop makes them of what its task gave.
@dataclass(repr=False)
class Study:
    """A study with staff, and Anna (deferasirox arm), Boris (injections) and Clara (control) enrolled."""

    stage: Stage
    coordinator: Person
    doctor: Person
    anna: Person
    boris: Person
    clara: Person

    @property
    def patients(self) -> tuple[Person, Person, Person]:
        return self.anna, self.boris, self.clara

    async def pass_time(self, **amount: float) -> None:
        await self.stage.pass_time(**amount)

    async def link(self, code: str, purpose: str = invite.PATIENT) -> str:
        """Return a fresh invitation for a subject."""
        return await self.stage.within(lambda work: invite.invite(work, purpose, subject=find(work, code)))


async def staff(stage: Stage, number: int, name: str, role: Role, locale: str = "en") -> Person:
    """Return somebody who has opened a staff invitation and chosen a language."""
    member = person(stage, number, name, locale)
    await member.opens(await stage.invitation(role))
    await member.taps(f"language.{locale}")
    return member


async def begin(someone: Person, link: str, hour: str = "18:00") -> None:
    """Let a patient open the link, agree to everything and choose the hour."""
    await someone.opens(link)
    await someone.taps(f"language.{someone.locale}")
    for _ in range(1 + len(someone.stage.deps.protocol.consent.agreements)):
        await someone.taps("start.button.agree")
    await someone.presses(hour)


async def study(stage: Stage, *, started: bool = True) -> Study:
    """Return a study on its first morning; with ``started`` the three patients have consented."""
    coordinator = await staff(stage, 11, "Nurse", Role.COORDINATOR)
    doctor = await staff(stage, 12, "Physician", Role.INVESTIGATOR)
    await doctor.says("/duty")
    await doctor.taps("duty.button.on")

    def enrol(work: Work) -> None:
        import_subjects.import_subjects(work, HEADER + ANNA + BORIS + CLARA)

    await stage.within(enrol)
    made = Study(
        stage,
        coordinator,
        doctor,
        person(stage, 21, "Anna", "zh"),
        person(stage, 22, "Boris", "en"),
        person(stage, 23, "Clara", "zh"),
    )
    if started:
        for each, code in zip(made.patients, ("S-001", "S-002", "S-003"), strict=True):
            await begin(each, await made.link(code))
    return made
