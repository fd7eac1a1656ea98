"""What do stories need to look at and to do, beside what a phone can do by itself?"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlmodel import Session, SQLModel, col, select

from bot.domain.escalation import CaseState
from bot.simulator.parts import Change, ShownMessage
from bot.store.models import Account, Audited, Escalation, InboxUpdate, OutboxMessage, Response, Subject
from bot.story.people import Person
from bot.story.stage import Stage
from bot.usecases import invite
from bot.work import Button, Work
from tests.people import Study, person

Row = TypeVar("Row", bound=SQLModel)

SITE = ZoneInfo("Asia/Shanghai")

# One danger in each language that is never anything but red.
CHEST_PAIN = {"zh": "我胸口痛", "en": "I have chest pain"}
CALL_120 = "triage.red_120.call"
GO_TO_HOSPITAL = "triage.red_come.go"


def made_from(person: Person, text: str, key: str) -> bool:
    """Tell whether ``text`` is the text of ``key`` in the person's language, whatever its values."""
    parts = re.split(r"\{[^}]*\}", person.label_template(key).strip())
    return re.fullmatch(".*".join(re.escape(part) for part in parts), text.strip(), re.DOTALL) is not None


class Watch:
    """What somebody is shown from now on."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self._toasts = len(person.phone.toasts)
        self._seen = len(person.seen)

    @property
    def new(self) -> list[ShownMessage]:
        return self.person.seen[self._seen :]

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.new]

    @property
    def toasts(self) -> list[str]:
        return [toast for toast in self.person.phone.toasts[self._toasts :] if toast]

    def read(self, key: str) -> bool:
        return self.count(key) > 0

    def count(self, key: str) -> int:
        return sum(made_from(self.person, text, key) for text in self.texts)

    def first(self, key: str) -> bool:
        """Tell whether the first new message is the text of ``key``."""
        return bool(self.texts) and made_from(self.person, self.texts[0], key)

    def last(self, key: str) -> bool:
        return bool(self.texts) and made_from(self.person, self.texts[-1], key)

    def toasted(self, key: str) -> bool:
        return any(made_from(self.person, toast, key) for toast in self.toasts)


# What lies in the database


async def rows(stage: Stage, model: type[Row], **where: object) -> list[Row]:
    """Return the rows of a table that match, oldest first."""

    def find(session: Session) -> list[Row]:
        query = select(model).filter_by(**where).order_by(model.id)  # type: ignore[attr-defined]
        return list(session.exec(query).all())

    return await stage.deps.store.read(find)


async def subject(stage: Stage, code: str) -> Subject:
    return (await rows(stage, Subject, code=code))[0]


async def cases(stage: Stage, code: str = "S-001", **where: object) -> list[Escalation]:
    """Return the cases of one subject, oldest first."""
    return await rows(stage, Escalation, subject_id=(await subject(stage, code)).id, **where)


async def symptom_case(stage: Stage, code: str = "S-001") -> Escalation:
    """Return the one symptom case of a subject."""
    (case,) = await cases(stage, code, kind="symptom")
    return case


async def last_response(stage: Stage) -> Response:
    return (await rows(stage, Response))[-1]


async def last_values(stage: Stage, key: str) -> dict[str, Any]:
    """Return what the newest message made from ``key`` was filled with."""
    message = (await rows(stage, OutboxMessage, text_key=key))[-1]
    values: dict[str, Any] = json.loads(message.values)
    return values


async def clinical_rows(stage: Stage) -> dict[str, list[str]]:
    """Return everything in the clinical tables, to compare before and after."""

    def read(session: Session) -> dict[str, list[str]]:
        return {
            str(model.__tablename__): sorted(repr(row) for row in session.exec(select(model)).all())
            for model in Audited.__subclasses__()
        }

    return await stage.deps.store.read(read)


async def unfinished_updates(stage: Stage) -> list[InboxUpdate]:
    """Return the updates that no handler brought to an end."""

    def find(session: Session) -> Sequence[InboxUpdate]:
        return session.exec(select(InboxUpdate).where(col(InboxUpdate.state) != "done")).all()

    return list(await stage.deps.store.read(find))


async def resolve_all(stage: Stage) -> None:
    """Close every open case, so that the next scene begins with none."""

    def close(work: Work) -> None:
        for case in work.session.exec(select(Escalation)).all():
            case.state = CaseState.RESOLVED
        work.unplan("closed by the scene", kind="escalation.page")

    await stage.within(close)


# What people do


async def in_language(someone: Person, locale: str) -> Person:
    """Let somebody choose a language in the settings."""
    if someone.locale != locale:
        await someone.says("/settings")
        await someone.taps("settings.button.language", f"language.{locale}")
        someone.locale = locale
    return someone


def presses_data(someone: Person, message: ShownMessage, data: str) -> None:
    """Let a client press a button that the message may not have: made up, or seen before it was taken away."""
    someone.phone._send_press(message, data)


async def sends_content(someone: Person, **content: Any) -> None:
    """Let a client send a message with content of a kind that the phone itself cannot make."""
    telegram = someone.stage.telegram
    someone.phone.chat.started = True
    message = telegram.new_message(someone.phone.chat, someone.phone.user_id, "text", "")
    telegram.tell(someone.phone, message, Change.SENT)
    telegram.updates.add("message", {**telegram.message_json(message), **content})
    await someone.stage.settle()


async def forwards(someone: Person, text: str) -> None:
    """Let somebody pass on what another person wrote."""
    at = int(someone.stage.clock.now().timestamp())
    origin = {"type": "hidden_user", "sender_user_name": "Somebody else", "date": at}
    await sends_content(someone, text=text, forward_origin=origin)


async def caregiver(study: Study, number: int = 31, locale: str = "zh") -> Person:
    """Return Anna's daughter, linked with Anna's agreement."""
    daughter = person(study.stage, number, "Daughter", locale)
    await daughter.opens(await study.link("S-001", invite.CAREGIVER))
    await study.anna.taps("start.button.agree_caregiver")
    return daughter


async def off_duty(member: Person) -> None:
    await member.says("/duty")
    await member.taps("duty.button.off")


async def plant(stage: Stage, someone: Person, actions: Iterable[str], args: dict[str, Any]) -> ShownMessage:
    """Put a message with a button for each action in front of somebody, as if the bot had offered them."""

    def say(work: Work) -> None:
        account = work.session.exec(select(Account).where(Account.telegram_id == someone.phone.user_id)).one()
        buttons = [[Button(action, action, args, plain=True)] for action in actions]
        work.say(account, "help.stranger", buttons, phone="0")

    await stage.within(say)
    await stage.settle()
    return someone.phone.last


async def withdraw(someone: Person) -> None:
    await someone.says("/stop")
    await someone.taps("stop.button.yes")


def local(moment: datetime) -> datetime:
    return moment.astimezone(SITE)


def fails_for(
    monkeypatch: Any, stage: Stage, someone: Person, answer: Callable[[], Any], method: str = "sendMessage"
) -> None:
    """Let every call of ``method`` to one person's chat end in ``answer`` instead."""
    real = stage.telegram.exchange

    async def exchange(token: str, called: str, params: Any, files: Any = None) -> Any:
        if called == method and str(params.get("chat_id")) == str(someone.phone.user_id):
            return answer()
        return await real(token, called, params, files)

    monkeypatch.setattr(stage.telegram, "exchange", exchange)


async def jump(stage: Stage, moment: datetime) -> None:
    """Let the bot be away until a moment, and come back."""
    stage.clock.set(moment)
    await stage.bot.tick()
    await stage.settle()
