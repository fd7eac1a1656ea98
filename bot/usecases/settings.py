"""What can a person change for themselves: language, reminder hour, duty, e-mail for alerts, stopping?"""

from typing import Any

from bot.domain.roles import CLINICAL, SUBJECT_SIDE, Role
from bot.store.models import StaffMember
from bot.texts import LOCALES
from bot.usecases import forms, report, rota_words, screens, staff_email, start
from bot.work import Button, Work


def show(work: Work) -> None:
    """Show what can be changed."""
    rows = [[Button("settings.button.language", "settings.language")]]
    if work.caller.role in SUBJECT_SIDE and screens.on_study(screens.subject_of(work)):
        rows.append([Button("settings.button.hour", "settings.hour")])
        rows.append([Button("settings.button.zone", "settings.zone")])
    if work.caller.role in CLINICAL:
        rows.append([Button("settings.button.duty", "settings.duty")])
    if staff_email.is_offered(work):
        rows.append([Button("settings.button.email", "settings.email")])
    if work.caller.role in SUBJECT_SIDE:
        rows.append([Button("settings.button.stop", "menu.stop")])
    work.answer("settings.title", rows)


def ask_language(work: Work, _args: object = None) -> None:
    rows = [[Button(f"language.{locale}", "settings.set_language", {"locale": locale})] for locale in LOCALES]
    work.answer("start.ask_language", rows, single_use=True)


def set_language(work: Work, args: dict[str, Any]) -> None:
    """Change the language of everything this person is shown from now on."""
    start.set_language(work, args["locale"])
    work.answer("settings.language_set")
    if (dialogue := forms.current(work)) is not None:
        # What was asked is asked again in the language of now, and not forgotten over the menu.
        (report if dialogue.kind == report.DIALOGUE else forms).ask_again(work, dialogue)
    elif work.caller.role is Role.STRANGER:
        screens.show_help(work)
    else:
        screens.show_menu(work)


def ask_hour(work: Work, _args: object = None) -> None:
    start.ask_hour(work)


def show_duty(work: Work, _args: object = None) -> None:
    """Show a clinician whether pages come to them first, and let them change it."""
    member = work.session.get_one(StaffMember, work.caller.staff_id)
    state = "on" if member.on_duty else "off"
    change = "off" if member.on_duty else "on"
    rows = [[Button(f"duty.button.{change}", "duty.set", {"on": change == "on"})]]
    work.answer(f"duty.{state}", rows, single_use=True, rota=rota_words.rota_decides(work))


def set_duty(work: Work, args: dict[str, Any]) -> None:
    """Go on or off duty."""
    member = work.session.get_one(StaffMember, work.caller.staff_id)
    member.on_duty = bool(args["on"])
    work.session.flush()
    work.answer("duty.on" if member.on_duty else "duty.off", rota=rota_words.rota_decides(work))
