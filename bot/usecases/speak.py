"""What happens to words that nobody asked for, and to things that are not words?

Danger comes first, whoever writes: the text is looked through for it before anything else is done.
"""

from datetime import timedelta
from typing import Any

from bot.domain.freetext import Findings, Status, scan
from bot.domain.lexicon import Concept
from bot.domain.roles import STAFF, SUBJECT_SIDE, Role
from bot.domain.urgency import Urgency
from bot.store import people
from bot.store.models import AgendaItem, Dialogue, Doubt, Subject
from bot.usecases import count_photo, escalate, evidence, forms, refusals, report, screens, talk
from bot.usecases.forms import Field, Form, Values
from bot.work import Button, Lane, Text, Work

MESSAGE = "message"
DOUBT = "danger.silence"
# Signs that nothing explains, up to which a request counts as the whole of a message.
SMALL_REST = 3
MOST_REQUESTS = 3

BY_URGENCY = {Urgency.AMBER: "triage.amber.contact", Urgency.YELLOW: "triage.yellow.next_working_day"}


def take_text(work: Work, text: str) -> None:
    """Take any typed text: look for danger, then give it to the open question, then to people."""
    dialogue = forms.current(work)
    if work.caller.role in STAFF:
        if dialogue is not None:
            forms.take_text(work, dialogue, text)
        elif not _warn(work, scan(text, work.protocol.lexicon)):
            work.answer("speak.staff_unknown")
        return
    if dialogue is not None and dialogue.kind == report.DIALOGUE and report.take_number(work, dialogue, text):
        return
    findings = scan(text, work.protocol.lexicon)
    if _react(work, findings, text, asked=dialogue is not None):
        _close_what_was_answered(work, dialogue, text)
        return
    if dialogue is not None and dialogue.kind == report.DIALOGUE and report.take_text(work, dialogue, text):
        return
    if dialogue is not None and dialogue.kind not in ("", report.DIALOGUE):
        forms.take_text(work, dialogue, text)
    elif work.caller.role is Role.STRANGER:
        work.answer("speak.stranger", phone=screens.phone(work))
    elif not screens.on_study(screens.subject_of(work)):
        _pass_on(work, text, "speak.passed_on_not_on_study")
    elif findings.acted_on is Urgency.YELLOW:
        _take_over(work, findings, text)
    elif findings.requests:
        _answer_requests(work, findings, text)
    else:
        rows = [
            [Button("menu.button.unwell", "menu.unwell")],
            [Button("menu.button.open", "menu.open")],
        ]
        _pass_on(work, text, "speak.passed_on", rows)


def _pass_on(work: Work, text: str, key: str, rows: list[list[Button]] | None = None) -> None:
    """Give words to staff: into the conversation that is going on, or as a new matter."""
    subject = screens.subject_of(work)
    if not talk.take(work, subject, text):
        escalate.pass_on(work, subject, text)
        work.answer(key, rows or [], phone=screens.phone(work))


def _take_over(work: Work, findings: Findings, text: str) -> None:
    """Make what was reported a case of its level, and say so; what was asked for is one tap away."""
    _raise(work, findings.acted_on, findings, text)
    rows = [[Button("menu.button.unwell", "menu.unwell")], *_ways(work, findings)]
    key = findings.tell or BY_URGENCY[findings.acted_on]
    work.answer(key, rows, purpose="triage", phone=screens.phone(work))


def _answer_requests(work: Work, findings: Findings, text: str) -> None:
    """Lead to what was asked for; staff see the words too, unless a screen answers all of them."""
    rest = findings.leftover.replace(" ", "")
    alone = len(rest) <= SMALL_REST and all(asked.request.self_service for asked in findings.requests)
    rows = [
        *_ways(work, findings),
        [Button("menu.button.unwell", "menu.unwell")],
        [Button("menu.button.open", "menu.open")],
    ]
    if not alone and talk.hear(work, screens.subject_of(work), text) is None:
        escalate.pass_on(work, screens.subject_of(work), text)
    work.answer("speak.request" if alone else "speak.request_passed_on", rows, phone=screens.phone(work))


def _ways(work: Work, findings: Findings) -> list[list[Button]]:
    """Return the buttons that lead to what was asked for, each place once; none for who is not on study."""
    if work.caller.role not in SUBJECT_SIDE or not screens.on_study(screens.subject_of(work)):
        return []
    ways = {asked.request.opens: asked.request.button for asked in findings.requests}
    return [[Button(button, opens)] for opens, button in list(ways.items())[:MOST_REQUESTS]]


def _close_what_was_answered(work: Work, dialogue: Dialogue | None, text: str) -> None:
    """Keep danger words that were typed as an answer also where they were asked for."""
    if dialogue is None:
        return
    answered = dialogue.kind == talk.ANSWER
    if dialogue.kind == report.DIALOGUE:
        report.keep_words(work, dialogue, text)
    elif dialogue.kind in (MESSAGE, talk.ANSWER):
        # The words are in the page already.
        forms.close(work)
        if answered:
            talk.keep_words(work, screens.subject_of(work), text)


def react_to_danger(work: Work, text: str) -> bool:
    """Answer danger words at once and page; return whether the text was answered by that.

    Doubtful words (somebody else, "what if", long ago) are asked about by one closed question.
    """
    return _react(work, scan(text, work.protocol.lexicon), text)


def _react(work: Work, findings: Findings, text: str, *, asked: bool = False) -> bool:
    """Do the same for words that were searched already; ``asked``: they may answer an open question."""
    red = [found for found in findings.concepts if found.urgency.is_red and found.status is Status.POSITIVE]
    if red:
        tell = findings.tell or max(red, key=lambda found: found.urgency.rank).concept.tell_subject
        work.answer(tell, lane=Lane.RED, purpose="triage", phone=screens.phone(work))
        _raise(work, findings.urgency, findings, text)
        return True
    if findings.danger_check and not (asked and _only_a_guess(findings)):
        if findings.urgency is Urgency.AMBER:
            _raise(work, Urgency.AMBER, findings, text)
        _ask_whether_now(work, findings, text)
        return True
    if findings.acted_on is Urgency.AMBER:
        if work.caller.role not in SUBJECT_SIDE:
            return _warn(work, findings)
        _take_over(work, findings, text)
        return True
    return False


def _only_a_guess(findings: Findings) -> bool:
    """Return whether words were found only because nothing else explains the text."""
    meant = [found.concept for found in findings.concepts if found.status is not Status.NEGATED]
    return all(isinstance(concept, Concept) and concept.last_resort for concept in meant)


def _warn(work: Work, findings: Findings) -> bool:
    """Show where help is to somebody who is no subject; nobody can be paged for them."""
    if _only_a_guess(findings) or findings.urgency_if_so.rank < Urgency.AMBER.rank:
        return False
    work.answer("speak.danger_not_enrolled", lane=Lane.RED, purpose="triage", phone=screens.phone(work))
    return True


def _raise(work: Work, urgency: Urgency, findings: Findings, text: str) -> None:
    if work.caller.role not in SUBJECT_SIDE:
        return
    subject = screens.subject_of(work)
    escalate.raise_case(work, subject, urgency, findings.because, [escalate.quote(text)])


def _ask_whether_now(work: Work, findings: Findings, text: str) -> None:
    """Show where help is, and ask one closed question; no answer in ten minutes counts as yes."""
    if work.caller.role not in SUBJECT_SIDE:
        _warn(work, findings)
        return
    subject = screens.subject_of(work)
    number = _raise_doubt(work, subject.id or 0, findings, text)
    rows = [
        [Button("speak.button.now", "danger.now", {"doubt": number})],
        [Button("speak.button.not_now", "danger.not_now", {"doubt": number})],
    ]
    work.answer("speak.is_it_now", rows, lane=Lane.RED, purpose="triage", single_use=True, phone=screens.phone(work))


def _raise_doubt(work: Work, subject_id: int, findings: Findings, text: str) -> int:
    doubt = Doubt(
        subject_id=subject_id,
        account_id=work.caller.account_id,
        urgency=findings.urgency_if_so,
        because=list(findings.because),
        words=text,
        asked_at=work.now,
    )
    work.session.add(doubt)
    work.session.flush()
    work.plan(
        DOUBT,
        f"doubt:{doubt.id}",
        work.now + timedelta(minutes=report.SILENCE_MINUTES),
        doubt.id or 0,
        subject_id=subject_id,
    )
    return doubt.id or 0


def danger_now(work: Work, args: dict[str, Any]) -> None:
    """Take "yes, now": the emergency text and a page."""
    doubt = _doubt(work, args)
    # Also after silence was taken as a yes: who says "now" reads what to do, whatever went before.
    doubt.answer, doubt.closed_at = "now", work.now
    work.unplan("answered", kind=DOUBT, about_id=doubt.id)
    work.answer("triage.red_120.call", lane=Lane.RED, purpose="triage", phone=screens.phone(work))
    escalate.raise_case(
        work, screens.subject_of(work), Urgency(doubt.urgency), doubt.because, [escalate.quote(doubt.words)]
    )


def danger_not_now(work: Work, args: dict[str, Any]) -> None:
    """Take "no, not now": the words still go to staff, for a person to look at."""
    doubt = _doubt(work, args)
    if doubt.closed_at is not None:
        raise refusals.DialogueEnded
    doubt.answer, doubt.closed_at = "not_now", work.now
    work.unplan("answered", kind=DOUBT, about_id=doubt.id)
    escalate.raise_case(
        work,
        screens.subject_of(work),
        Urgency.YELLOW,
        doubt.because,
        [escalate.quote(doubt.words), Text("report.line.not_now")],
    )
    work.answer("speak.noted", [[Button("menu.button.unwell", "menu.unwell")]], phone=screens.phone(work))


def _doubt(work: Work, args: dict[str, Any]) -> Doubt:
    doubt = work.session.get_one(Doubt, args["doubt"])
    if doubt.account_id != work.caller.account_id or doubt.subject_id != work.caller.subject_id:
        raise refusals.DialogueEnded
    return doubt


def doubt_silent(work: Work, item: AgendaItem) -> str:
    """Treat a danger question that nobody answered as a yes."""
    doubt = work.session.get_one(Doubt, item.about_id)
    if doubt.closed_at is not None:
        return "answered"
    doubt.answer, doubt.closed_at = "silence", work.now
    subject = work.session.get_one(Subject, doubt.subject_id)
    escalate.raise_case(
        work,
        subject,
        Urgency(doubt.urgency),
        doubt.because,
        [escalate.quote(doubt.words), Text("report.line.no_answer")],
    )
    for account in people.speakers(work.session, subject.id or 0):
        work.say(
            account,
            "report.silence.red",
            lane=Lane.RED,
            purpose="triage",
            subject_id=subject.id,
            phone=screens.phone(work),
        )
    return f"treated as {doubt.urgency}"


# Talking to the team


def show_team(work: Work, _args: object = None) -> None:
    """Show how to reach a human, and offer to carry a message."""
    rows = [
        [Button("team.button.call_me", "team.call_me")],
        [Button("team.button.write", "team.write")],
        [Button("menu.button.unwell", "menu.unwell")],
    ]
    if not screens.on_study(screens.subject_of(work)):
        rows = rows[:2]
    work.answer("team.title", rows, phone=screens.phone(work))


def call_me(work: Work, _args: object = None) -> None:
    """Ask staff to phone the patient."""
    escalate.raise_case(
        work,
        screens.subject_of(work),
        Urgency.YELLOW,
        ["request.call_me"],
        [Text("request.call_me")],
        kind=escalate.REQUEST,
    )
    work.answer("team.will_call", phone=screens.phone(work))


def write(work: Work, _args: object = None) -> None:
    """Open the dialogue in which a message to the team is written."""
    forms.open_form(work, FORM)


def _finish(work: Work, values: Values) -> None:
    _pass_on(work, values["words"], "team.message_passed_on")


FORM = forms.register(
    Form(MESSAGE, (Field("words", "team.ask_words", parse=forms.own_words),), _finish, frozenset(SUBJECT_SIDE))
)


def take_other(work: Work, kind: str, caption: str | None = None, sent: evidence.Sent | None = None) -> None:
    """Answer what is not text: a picture, a voice message, a sticker; nothing pretends to have read it.

    ``sent`` is the file, if it is one. Words beside it are looked through for danger, like all words.
    """
    kept: evidence.Kept | None = None
    if sent is not None and work.caller.role in SUBJECT_SIDE and screens.on_study(screens.subject_of(work)):
        kept = evidence.keep(work, sent)
        if kept is None:
            return
        count_photo.attach(work, kept.item)
    if caption and work.caller.role not in STAFF and react_to_danger(work, caption):
        return
    if kept is not None and not kept.begins:
        return
    if kept is not None:
        evidence.answer(work, kept.item)
    elif sent is not None and work.caller.role in SUBJECT_SIDE:
        evidence.not_kept(work, kind)
    elif sent is not None and work.caller.role in STAFF:
        work.answer("evidence.from_staff")
    elif sent is not None:
        work.answer("evidence.from_stranger", phone=screens.phone(work))
    else:
        work.answer(f"speak.other.{kind}", phone=screens.phone(work))
    if (dialogue := forms.current(work)) is not None:
        if dialogue.kind == report.DIALOGUE:
            report.ask_again(work, dialogue)
        else:
            forms.ask_again(work, dialogue)


def take_edited(work: Work, text: str) -> None:
    """Answer a message that was changed afterwards: danger counts, the rest is to be sent anew."""
    if work.caller.role not in STAFF and react_to_danger(work, text):
        return
    work.answer("speak.edited", phone=screens.phone(work))


def take_forwarded(work: Work, text: str) -> None:
    """Answer somebody else's words: they are never the sender's own report (SEC-05)."""
    if not _warn(work, scan(text, work.protocol.lexicon)):
        work.answer("speak.forwarded", phone=screens.phone(work))


def take_unknown_command(work: Work, text: str) -> None:
    """Answer a command that does not exist; danger words behind the slash count all the same."""
    if work.caller.role not in STAFF and react_to_danger(work, text.lstrip("/")):
        return
    work.answer("speak.unknown_command", phone=screens.phone(work))
    screens.show_help(work)
