"""What was lost, done twice, or falsely believed to be sent? The bot's tables against the server's truth.

A verdict is a list of broken promises, each one sentence; an empty list is the proof. Figures that are allowed
to be more than nothing (messages of unknown fate, red repeats) are counted beside it.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, select

from bench.load import Pushed, numbers_in
from bot.delivery.telegram import TEXT_LENGTH
from bot.store.models import AuditEntry, CaseMessage, Escalation, InboxUpdate, OutboxMessage
from bot.texts import bundled_texts
from bot.work import Lane

TAGGED = re.compile(r"outbox row=(\d+) attempt=(\d+) epoch=(\d+)")
CREATED_ONCE = ("answer.created", "dose_report.created", "doubt.created")
# What plain words are answered: as a matter of their own, or as part of an emergency that somebody has.
PASSED_ON = ("speak.passed_on", "case.answer_passed_on")
REFUSED = "refused."
NEVER_LEFT = {"waiting", "failed", "skipped"}


@dataclass(frozen=True, slots=True)
class Row:
    """An outbox message, as the bot believes it to be."""

    id: int
    chat_id: int
    text: str
    state: str
    lane: int = Lane.ANSWER
    method: str = "send"
    message_id: int | None = None
    repeated: bool = False  # it was of unknown fate, and another row has taken its words over
    repeats: str | None = None  # it is such another row and says so: the words of the first
    text_key: str = ""


@dataclass
class Observed:
    """Both sides, after all has come to rest."""

    pushed: Sequence[Pushed]
    inbox: Sequence[tuple[int, str]]  # number of the update, state
    told: Sequence[int]  # the number of each numbered message in the clinical records, as often as it stands there
    caused: Sequence[tuple[str, str]]  # cause, what: audit entries of answers that can only be given once
    pressed: set[str]  # tokens of messages whose button counts as pressed
    rows: Sequence[Row]
    truth: Sequence[dict[str, Any]]
    buttons: dict[str, str] = field(default_factory=dict)  # what the message with a token was, for complaints


@dataclass
class Verdict:
    """What was found; every list must be empty."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    falsely_sent: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)

    @property
    def broken(self) -> list[str]:
        return [*self.lost, *self.doubled, *self.falsely_sent, *self.duplicates, *self.left]


def judge(seen: Observed) -> Verdict:
    """Compare what people and server know with what the bot wrote down."""
    verdict = Verdict()
    _judge_updates(seen, verdict)
    _judge_records(seen, verdict)
    _judge_sends(seen, verdict)
    return verdict


def _judge_updates(seen: Observed, verdict: Verdict) -> None:
    stored: dict[int, list[str]] = defaultdict(list)
    for number, state in seen.inbox:
        stored[number].append(state)
    for each in seen.pushed:
        states = stored.pop(each.update_id, [])
        if not states:
            verdict.lost.append(f"update {each.update_id} was never stored")
        elif len(states) > 1:
            verdict.doubled.append(f"update {each.update_id} is stored {len(states)} times")
        elif states != ["done"]:
            verdict.lost.append(f"update {each.update_id} is {states[0]}, not done")
    verdict.doubled += [f"update {number} is stored and nobody sent it" for number in stored]
    verdict.figures["updates"] = len(seen.pushed)


def _judge_records(seen: Observed, verdict: Verdict) -> None:
    told = Counter(seen.told)
    numbered = {each.number: each for each in seen.pushed if each.number is not None}
    for number, each in numbered.items():
        if told[number] == 0:
            verdict.lost.append(f"message {number} (update {each.update_id}) is in no record")
        elif told[number] > 1:
            verdict.doubled.append(f"message {number} is recorded {told[number]} times")
    verdict.doubled += [
        f"message {number} is recorded and nobody wrote it" for number in told.keys() - numbered.keys()
    ]
    for (cause, what), times in Counter(seen.caused).items():
        if times > 1:
            verdict.doubled.append(f"{cause} made {times} times {what}")
    refused = Counter(row.chat_id for row in seen.rows if row.text_key.startswith(REFUSED) and row.repeats is None)
    verdict.figures["refused"] = sum(refused.values())
    for each in seen.pushed:
        if each.token is None or each.token in seen.pressed:
            continue
        # A press that comes too late (its report is closed) is undone and answered by a refusal.
        if refused[each.chat_id]:
            refused[each.chat_id] -= 1
        else:
            hung_on = seen.buttons.get(each.token, "no message")
            verdict.lost.append(f"the press of update {each.update_id} left no trace (it hung on {hung_on})")
    verdict.figures["numbered"] = len(numbered)
    verdict.figures["presses"] = sum(each.token is not None for each in seen.pushed)


def _judge_sends(seen: Observed, verdict: Verdict) -> None:
    rows = {row.id: row for row in seen.rows}
    arrived: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for message in seen.truth:
        found = TAGGED.fullmatch(message.get("agent", ""))
        row = rows.get(int(found[1])) if found else None
        if row is None or row.chat_id != message["chat_id"] or not _same_words(row, message):
            verdict.duplicates.append(f"message {message['message_id']} in chat {message['chat_id']} has no row")
            continue
        arrived[row.id].append(message)
    for row in seen.rows:
        if row.method != "send":
            continue
        _judge_row(row, arrived[row.id], verdict)
    _judge_repeats(seen, verdict)
    unsure = [row for row in seen.rows if row.method == "send" and row.state == "unsure"]
    verdict.figures |= {
        "reached a chat": len(seen.truth),
        "believed to be sent": sum(row.method == "send" and row.state == "sent" for row in seen.rows),
        "unsure": len(unsure),
        "unsure, had arrived": sum(bool(arrived[row.id]) for row in unsure),
        "unsure, had not": sum(not arrived[row.id] for row in unsure),
        "red repeats": sum(row.repeats is not None and row.lane == Lane.RED for row in seen.rows),
        "answers shown again": sum(row.repeats is not None and row.lane != Lane.RED for row in seen.rows),
    }


def _same_words(row: Row, message: dict[str, Any]) -> bool:
    """Tell whether a message that arrived is what the row says; a long one arrives in parts."""
    if len(row.text) > TEXT_LENGTH:
        return message["text"] in row.text
    return bool(message["text"] == row.text)


def _judge_row(row: Row, arrived: Sequence[dict[str, Any]], verdict: Verdict) -> None:
    if row.state == "sent" and row.message_id is not None:
        if row.message_id not in [message["message_id"] for message in arrived]:
            verdict.falsely_sent.append(f"row {row.id} is sent as message {row.message_id}, which is not there")
    elif row.state == "sent" and not arrived:
        verdict.falsely_sent.append(f"row {row.id} is sent, and nothing of it arrived")
    elif row.state in NEVER_LEFT and arrived:
        verdict.falsely_sent.append(f"row {row.id} is {row.state}, and it did arrive")
    elif row.state == "sending":
        verdict.left.append(f"row {row.id} is still being sent")
    if len(arrived) > 1 and len(row.text) <= TEXT_LENGTH:
        verdict.duplicates.append(f"row {row.id} arrived {len(arrived)} times")


def _judge_repeats(seen: Observed, verdict: Verdict) -> None:
    """Each second showing must stand for a row of unknown fate, and say that it is one."""
    # The last answers of a long silence are enough, so more may be given up than are shown again.
    # A repeat that is of unknown fate itself is repeated in the same words.
    given_up: Counter[tuple[int, str | None]] = Counter(
        (row.chat_id, row.repeats or row.text) for row in seen.rows if row.repeated
    )
    repeats = Counter((row.chat_id, row.repeats) for row in seen.rows if row.repeats is not None)
    for (chat, text), times in repeats.items():
        if times > given_up[chat, text]:
            verdict.duplicates.append(f"chat {chat} has a repeat of what was not of unknown fate")
    answers = Counter(row.chat_id for row in seen.rows if row.text_key in PASSED_ON and row.repeats is None)
    written = Counter(each.chat_id for each in seen.pushed if each.kind == "plain")
    # A temperature that comes after its report was closed is passed on like any words.
    typed = {each.chat_id for each in seen.pushed if each.kind == "words"}
    for chat in (answers.keys() | written.keys()) - typed:
        if answers[chat] != written[chat]:
            verdict.doubled.append(
                f"chat {chat} wrote {written[chat]} plain messages and has {answers[chat]} answers"
            )


def observe(session: Session, pushed: Sequence[Pushed], truth: Sequence[dict[str, Any]]) -> Observed:
    """Read the bot's side from its database."""
    told: list[str] = []
    for case in session.exec(select(Escalation)).all():
        told += _words_in(json.loads(case.summary))
    # Words in an open emergency belong to its conversation.
    said = select(CaseMessage.words).where(col(CaseMessage.by).startswith("patient:"))
    told += session.exec(said).all()
    entries = session.exec(
        select(AuditEntry.cause, AuditEntry.what).where(col(AuditEntry.what).in_(CREATED_ONCE))
    ).all()
    messages = session.exec(select(OutboxMessage)).all()
    return Observed(
        pushed=pushed,
        inbox=[(row.update_id, row.state) for row in session.exec(select(InboxUpdate)).all()],
        told=numbers_in(told),
        caused=[(cause, what) for cause, what in entries if cause.startswith("update:")],
        pressed={row.token for row in messages if row.token and (row.pressed_at or not row.single_use)},
        rows=[_row(each) for each in messages],
        truth=truth,
        buttons={row.token: f"row {row.id}, {row.text_key}, {row.state}" for row in messages if row.token},
    )


def _row(message: OutboxMessage) -> Row:
    assert message.id is not None
    return Row(
        id=message.id,
        chat_id=message.chat_id,
        text=message.text,
        state=message.state,
        lane=message.lane,
        method=message.method,
        message_id=message.message_id,
        repeated=message.repeated_at is not None,
        repeats=_repeated_words(message),
        text_key=message.text_key,
    )


def _repeated_words(message: OutboxMessage) -> str | None:
    """Return the words that a message says it repeats, None when it says no such thing."""
    if message.method == "edit":
        return None  # the message that is edited was the repeat
    for key in ("delivery.repeated", "delivery.shown_again"):
        start = bundled_texts().template(key, message.locale).partition("{text}")[0]
        if message.text.startswith(start):
            return message.text.removeprefix(start)
    return None


def _words_in(value: Any) -> list[str]:
    """Return every text in a nested value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [words for each in value for words in _words_in(each)] if isinstance(value, list) else []
