"""How do staff give the address to which pages go that Telegram does not deliver?"""

from bot.domain.parsing import Reading, email_address
from bot.domain.roles import CLINICAL
from bot.store.models import StaffMember
from bot.usecases import forms, second_channel
from bot.usecases.forms import Field, Form, Values
from bot.work import Button, Work


def is_offered(work: Work) -> bool:
    """Tell whether this person can be paged, and the site has a mail server to do so."""
    return work.caller.role in CLINICAL and work.settings.smtp_host is not None


def show(work: Work, _args: object = None) -> None:
    """Show the own address with what can be done about it, or ask for it."""
    if work.settings.smtp_host is None:
        work.answer("email.not_set_up")
        return
    member = _member(work)
    if member.email is None:
        change(work)
        return
    rows = [
        [Button("email.button.change", "settings.email_change")],
        [Button("email.button.remove", "settings.email_remove")],
    ]
    work.answer("email.present", rows, single_use=True, address=member.email)


def change(work: Work, _args: object = None) -> None:
    """Ask for the address."""
    forms.open_form(work, FORM)


def remove(work: Work, _args: object = None) -> None:
    """Forget the address: no page goes there any more, and what waits for it does not leave."""
    _member(work).email = None
    work.answer("email.removed")


def _finish(work: Work, values: Values) -> None:
    member = _member(work)
    member.email = values["address"]
    second_channel.enter_test(work, member)
    work.answer("email.kept", address=member.email)


def _address(_work: Work, _values: Values, text: str) -> Reading[str]:
    return email_address(text)


def _member(work: Work) -> StaffMember:
    return work.session.get_one(StaffMember, work.caller.staff_id)


FORM = forms.register(
    Form("settings.email", (Field("address", "email.ask", parse=_address),), _finish, frozenset(CLINICAL))
)
