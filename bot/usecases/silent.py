"""Which subjects are not reached: since when, why, and when was each last heard?"""

from bot.domain.reach import Lost
from bot.store import audit, people
from bot.store.models import Subject
from bot.usecases import cases, reach
from bot.work import Button, Lines, Text, Work


def show(work: Work, page: int = 0) -> None:
    """List the subjects who are not reached, those longest out of reach first, a button each."""
    found = list(reach.lost(work).items())
    if not found:
        work.answer("silent.none")
        return
    audit.record(work.session, "silent.listed", page=page)
    lines: list[Text] = []
    rows: list[list[Button]] = []
    for number, losses in found[page * cases.PER_PAGE : (page + 1) * cases.PER_PAGE]:
        subject = work.session.get_one(Subject, number)
        loss = min(losses, key=lambda each: list(Lost).index(each.why))
        lines.append(
            Text(
                "silent.row",
                {
                    "code": subject.code,
                    "why": Text(f"silent.why.{loss.why}"),
                    "since": work.texts.short_day(reach.day_of(work, loss.since), work.caller.locale),
                    "heard": last_heard(work, subject),
                    "caregivers": reach.caregivers(work, subject),
                },
            )
        )
        rows.append([Button(subject.code, "patient.open", {"subject": subject.id}, plain=True)])
    rows += cases.pager("silent.page", page, len(found))
    work.answer("silent.title", rows, n=len(found), lines=Lines(lines, between="\n\n"))


def last_heard(work: Work, subject: Subject) -> str | Text:
    """Return the hour at which anybody who speaks for a subject was last heard."""
    heard = [
        account.last_heard_at
        for account in people.speakers(work.session, subject.id or 0)
        if account.last_heard_at is not None
    ]
    if not heard:
        return Text("silent.never_heard")
    return work.texts.moment(max(heard), work.settings.zone, work.caller.locale)
