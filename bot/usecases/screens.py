"""What does a person see who is in the middle of nothing: the menu, the commands, how to reach a human?"""

from datetime import date

from bot.domain.participation import ParticipationState
from bot.domain.roles import Role
from bot.store import lab_releases
from bot.store.models import Account, Subject
from bot.work import Button, Text, Work

PATIENT_COMMANDS = ("menu", "unwell", "visits", "tablets", "team", "settings", "stop", "help")
STAFF_COMMANDS = (
    "enrol",
    "alerts",
    "today",
    "brief",
    "due",
    "silent",
    "patients",
    "patient",
    "report",
    "labs",
    "ae",
    "dose",
    "adherence",
    "counts",
    "reviews",
    "deviations",
    "digest",
    "kpi",
    "export",
    "duty",
    "oncall",
    "drills",
    "settings",
    "help",
)
COORDINATOR_COMMANDS = tuple(name for name in STAFF_COMMANDS if name != "export")
MONITOR_COMMANDS = tuple(name for name in STAFF_COMMANDS if name not in ("enrol", "export", "duty", "drills"))
ADMIN_COMMANDS = ("staff", "oncall", "drills", "settings", "help")

COMMANDS: dict[Role, tuple[str, ...]] = {
    Role.STRANGER: ("start", "help"),
    Role.PATIENT: PATIENT_COMMANDS,
    Role.CAREGIVER: PATIENT_COMMANDS,
    Role.COORDINATOR: COORDINATOR_COMMANDS,
    Role.INVESTIGATOR: tuple(name for name in STAFF_COMMANDS if name != "enrol"),
    Role.PI: tuple(name for name in STAFF_COMMANDS if name != "enrol"),
    Role.MONITOR: MONITOR_COMMANDS,
    Role.ADMIN: ADMIN_COMMANDS,
}


def subject_of(work: Work) -> Subject:
    """Return the subject the caller speaks for."""
    return work.session.get_one(Subject, work.caller.subject_id)


def takes_tablets(work: Work, subject: Subject) -> bool:
    return work.protocol.arms[subject.arm].tablets


def on_study(subject: Subject) -> bool:
    return subject.state == ParticipationState.ON_STUDY


def age(work: Work, subject: Subject) -> int:
    """Return the age in years that the year of birth allows; nothing nearer is known."""
    return work.today.year - subject.birth_year


def phone(work: Work) -> str:
    """Return the site's 24 h number as texts show it."""
    return work.settings.site_phone


def how_long(work: Work, minutes: int, locale: str | None = None) -> str:
    """Return a time in minutes as one says it: in minutes, hours or days."""
    locale = locale or work.caller.locale
    if minutes < 120:
        return work.texts.plural("age.minutes", minutes, locale)
    if minutes < 48 * 60:
        return work.texts.plural("age.hours", minutes // 60, locale)
    return work.texts.plural("age.days", minutes // 1440, locale)


def show_menu(work: Work, key: str = "menu.patient", **values: object) -> None:
    """Show the few big buttons, or what fits whoever has none."""
    role = work.caller.role
    if role not in (Role.PATIENT, Role.CAREGIVER):
        show_help(work)
        return
    subject = subject_of(work)
    if not on_study(subject):
        work.answer("menu.not_on_study", phone=phone(work))
        return
    rows = [
        [Button("menu.button.unwell", "menu.unwell")],
        [Button("menu.button.checkin", "menu.checkin")],
        [Button("menu.button.reading", "menu.reading")],
    ]
    if takes_tablets(work, subject):
        rows.append([Button("menu.button.tablets", "menu.tablets")])
        rows.append([Button("tablets.button.extra", "tablets.extra")])
        rows.append([Button("menu.button.month", "month.open")])
    rows += way_to_results(work, subject)
    rows += [
        [Button("menu.button.visits", "menu.visits")],
        [Button("menu.button.team", "menu.team")],
        [Button("menu.button.settings", "menu.settings")],
    ]
    work.answer(key, rows, phone=phone(work), **values)


def way_to_results(work: Work, subject: Subject) -> list[list[Button]]:
    """Return the patient's button to the blood values that staff released; none without a release."""
    if lab_releases.current(work.session, subject) is None:
        return []
    return [[Button("menu.button.results", "results.open")]]


def show_help(work: Work) -> None:
    """Say what this person can do here, and how to reach a human."""
    role = work.caller.role or Role.STRANGER
    if role in (Role.PATIENT, Role.CAREGIVER) and on_study(subject_of(work)):
        show_menu(work, "help.patient")
    elif role in (Role.PATIENT, Role.CAREGIVER):
        work.answer("menu.not_on_study", phone=phone(work))
    elif role is Role.STRANGER:
        work.answer("help.stranger", phone=phone(work))
    else:
        work.answer(
            "help.staff",
            role=Text(f"role.{role}"),
            commands="\n".join(
                f"/{name} — {work.text(f'command.{name}')}" for name in COMMANDS[role] if name != "help"
            ),
        )


def set_commands(work: Work, account: Account, role: Role, subject: Subject | None = None) -> None:
    """Give a chat the command menu of its role, in its language; ``subject`` is whom it speaks for."""
    if subject is None and work.caller.subject_id is not None:
        subject = subject_of(work)
    names = [name for name in COMMANDS[role] if name != "tablets" or subject is None or takes_tablets(work, subject)]
    work.commands(account, names)


def back_to(subject: Subject) -> list[Button]:
    """Return the button with which staff go back to a subject's card."""
    return [Button("patient.button.back", "patient.open", {"subject": subject.id}, values={"code": subject.code})]


def provisional(work: Work, *days: date) -> Text | str:
    """Return the line that warns staff of days in a year whose official holidays are not known yet; else nothing."""
    years = sorted({day.year for day in days if work.clinic.is_provisional(day)})
    return Text("clinic.provisional", {"year": str(years[0])}) if years else ""
