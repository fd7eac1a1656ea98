"""How does a patient begin: language, consent, reminder hour, menu?"""

from datetime import time
from typing import Any

from sqlmodel import col, select

from bot.domain import participation
from bot.domain.participation import ParticipationEvent, ParticipationState
from bot.domain.roles import Role
from bot.store import people
from bot.store.models import Account, Consent, Link, Subject
from bot.texts import LOCALES
from bot.usecases import (
    brief_plan,
    checkin,
    escalate,
    forms,
    home_count,
    polite,
    reach,
    report,
    screens,
    tablets,
    visit_reminders,
)
from bot.work import Button, Work

HOURS = tuple(range(8, 21, 2))


def ask_language(work: Work) -> None:
    """Ask for the language in all languages at once: before it is known, none can be assumed."""
    rows = [[Button(f"language.{locale}", "start.language", {"locale": locale})] for locale in LOCALES]
    work.answer("start.ask_language", rows, single_use=True)


def choose_language(work: Work, args: dict[str, Any]) -> None:
    """Take the language chosen at the start and go on."""
    set_language(work, args["locale"])
    go_on(work)


def set_language(work: Work, locale: str) -> None:
    account = work.session.get_one(Account, work.caller.account_id)
    account.locale = locale
    if work.caller.role is Role.PATIENT:
        screens.subject_of(work).locale = locale
    work.become(people.caller(work.session, account))
    if work.caller.role is not None:
        screens.set_commands(work, account, work.caller.role)


def go_on(work: Work) -> None:
    """Ask for what is still missing, or show the menu."""
    subject = screens.subject_of(work)
    state = ParticipationState(subject.state)
    if state is ParticipationState.INVITED and work.caller.role is Role.PATIENT:
        ask_consent(work)
    elif state is ParticipationState.ON_STUDY and subject.reminder_at is None:
        ask_hour(work)
    else:
        screens.show_menu(work)


def consent_items(work: Work) -> tuple[str, ...]:
    """Return what is agreed to one by one: the text itself, then health data, Telegram, abroad (DI-19)."""
    return (work.protocol.consent.text, *work.protocol.consent.agreements)


def ask_consent(work: Work, number: int = 0) -> None:
    """Put one part of the consent before the patient, in this version and language."""
    args = {"item": number, "version": work.protocol.consent.version}
    rows = [
        [Button("start.button.agree", "start.consent", {**args, "agree": True})],
        [Button("start.button.refuse", "start.consent", {**args, "agree": False})],
    ]
    work.answer(consent_items(work)[number], rows, single_use=True, phone=screens.phone(work))


def consent(work: Work, args: dict[str, Any]) -> None:
    """Write down what the patient said to one part of the consent; all of it makes the consent."""
    subject = screens.subject_of(work)
    if subject.state != ParticipationState.INVITED or args["version"] != work.protocol.consent.version:
        go_on(work)
        return
    items = consent_items(work)
    work.session.add(
        Consent(
            subject_id=subject.id or 0,
            account_id=work.caller.account_id,
            version=args["version"],
            item=items[args["item"]],
            locale=work.caller.locale,
            agreed=args["agree"],
            at=work.now,
        )
    )
    work.session.flush()
    if not args["agree"]:
        rows = [[Button("start.button.read_again", "start.read_again")]]
        work.answer("start.refused", rows, phone=screens.phone(work))
    elif (missing := _first_not_agreed(work, subject)) is not None:
        ask_consent(work, missing)
    else:
        subject.state = participation.move(ParticipationState(subject.state), ParticipationEvent.CONSENT)
        subject.state_changed_at = work.now
        work.session.flush()
        escalate.tell_staff(work, subject, "staff.consented")
        reach.begun(work, subject)
        ask_hour(work)


def _first_not_agreed(work: Work, subject: Subject) -> int | None:
    """Return the first part of this version that was not agreed to when it was last answered.

    Who comes back after leaving agrees to all of it again.
    """
    given = work.session.exec(
        select(Consent)
        .where(
            Consent.subject_id == subject.id,
            Consent.version == work.protocol.consent.version,
            Consent.at >= subject.state_changed_at,
        )
        .order_by(col(Consent.id))
    ).all()
    newest = {each.item: each.agreed for each in given}
    for number, item in enumerate(consent_items(work)):
        if not newest.get(item, False):
            return number
    return None


def read_again(work: Work, _args: object = None) -> None:
    go_on(work)


def ask_hour(work: Work) -> None:
    """Ask at which hour the daily question and the reminders should come."""
    buttons = [Button(f"{hour:02d}:00", "start.hour", {"hour": hour}, plain=True) for hour in HOURS]
    rows = [buttons[at : at + 2] for at in range(0, len(buttons), 2)]
    key = "start.ask_hour.tablets" if screens.takes_tablets(work, screens.subject_of(work)) else "start.ask_hour"
    work.answer(key, rows, single_use=True)


def choose_hour(work: Work, args: dict[str, Any]) -> None:
    """Keep the hour; the first time, this is where reminders begin."""
    subject = screens.subject_of(work)
    if not screens.on_study(subject):
        go_on(work)
        return
    first = subject.reminder_at is None
    subject.reminder_at = time(args["hour"])
    work.session.flush()
    visit_reminders.replan(work, subject)
    tablets.replan(work, subject)
    checkin.replan(work, subject)
    home_count.replan(work, subject)
    screens.show_menu(work, "start.ready" if first else "settings.hour_kept", hour=f"{args['hour']:02d}:00")


def agree_to_caregiver(work: Work, args: dict[str, Any]) -> None:
    """Take the patient's word on who may read along and answer."""
    link = work.session.get_one(Link, args["link"])
    if link.subject_id != work.caller.subject_id or link.agreed_at is not None or link.ended_at is not None:
        work.note("toast.already_recorded")
        return
    caregiver = work.session.get_one(Account, link.account_id)
    if args["agree"]:
        link.agreed_at = work.now
        work.session.flush()
        work.answer("start.caregiver_agreed")
        screens.set_commands(work, caregiver, Role.CAREGIVER)
        rows = [[Button("menu.button.open", "menu.open")]]
        work.say(caregiver, "start.caregiver_welcome", rows, subject_id=link.subject_id, phone=screens.phone(work))
    else:
        link.ended_at = work.now
        work.answer("start.caregiver_refused")
        work.say(caregiver, "start.caregiver_not_agreed", phone=screens.phone(work))


def begin_withdrawal(work: Work, _args: object = None) -> None:
    """Ask once whether the patient really wants the messages to stop."""
    rows = [
        [Button("stop.button.yes", "stop.confirm")],
        [Button("stop.button.no", "menu.open")],
    ]
    key = "stop.ask_caregiver" if work.caller.role is Role.CAREGIVER else "stop.ask"
    work.answer(key, rows, single_use=True, phone=screens.phone(work))


def withdraw(work: Work, _args: object = None) -> None:
    """Stop everything at once; staff are told, and nobody is asked for a reason (DI-20)."""
    subject = screens.subject_of(work)
    if work.caller.role is Role.CAREGIVER:
        _unlink_caregiver(work)
        return
    state = ParticipationState(subject.state)
    if state not in (ParticipationState.INVITED, ParticipationState.ON_STUDY):
        work.answer("menu.not_on_study", phone=screens.phone(work))
        return
    subject.state = participation.move(state, ParticipationEvent.WITHDRAW)
    subject.state_changed_at = work.now
    work.session.flush()
    for kind in (
        *visit_reminders.KINDS,
        *tablets.KINDS,
        *checkin.KINDS,
        report.LATER,
        home_count.ASK,
        polite.RELEASED,
    ):
        work.unplan("withdrawn", subject_id=subject.id, kind=kind)
    brief_plan.take_back(work, work.today, "withdrawn")
    for account in people.speakers(work.session, subject.id or 0):
        work.silence("withdrawn", account_id=account.id)
        forms.close_of(work, account.id or 0)
    work.answer("stop.done", phone=screens.phone(work))
    for caregiver in people.speakers(work.session, subject.id or 0, "caregiver"):
        work.say(caregiver, "stop.told_caregiver", phone=screens.phone(work))
    escalate.tell_staff(work, subject, "staff.withdrawn")


def _unlink_caregiver(work: Work) -> None:
    link = people.link_of(work.session, work.caller.account_id)
    assert link is not None
    link.ended_at = work.now
    work.session.flush()
    account = work.session.get_one(Account, work.caller.account_id)
    forms.close_of(work, work.caller.account_id)
    screens.set_commands(work, account, Role.STRANGER)
    work.answer("stop.caregiver_done", phone=screens.phone(work))
    for patient in people.speakers(work.session, link.subject_id, "patient"):
        work.say(patient, "stop.caregiver_left", subject_id=link.subject_id)
