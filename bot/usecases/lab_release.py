"""Which blood values does a patient see? Those that staff released, as they stand today, with no judgement.

A release covers the verified values that staff had before them when they released. A later correction is shown
corrected, what was taken out is gone, and what was entered since waits for the next release.
"""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlmodel import col, select

from bot.domain import reminders as reminder_rules
from bot.domain.judging import PLATELETS, RED_CELLS
from bot.domain.participation import ParticipationState, may_be_asked
from bot.store import audit, lab_releases
from bot.store import measurements as stored
from bot.store.models import AgendaItem, LabRelease, Measurement, Subject
from bot.usecases import measured, owning, polite, screens
from bot.work import Button, Day, Lines, Text, Work

TELL = polite.RELEASED
SHOWN_DAYS = 12  # days with values on one screen of a phone, the newest of them
# A message about results is of use so long; the button in the menu stays.
USEFUL = timedelta(days=7)


def released(work: Work, subject: Subject, until_on: date, released_at: datetime) -> list[Measurement]:
    """Return the values that a release shows, as they stand today, the oldest day first."""
    measures = work.protocol.measures.released
    before_staff = select(Measurement.occasion, Measurement.measure).where(
        Measurement.subject_id == subject.id,
        col(Measurement.measure).in_(measures),
        col(Measurement.verified).is_(True),
        col(Measurement.void).is_(False),
        Measurement.entered_at <= released_at,
    )
    seen = {tuple(pair) for pair in work.session.exec(before_staff).all()}
    return [
        row
        for row in stored.verified(work.session, subject.id or 0, measures)
        if row.taken_on <= until_on and (row.occasion, row.measure) in seen
    ]


def lines(work: Work, rows: Sequence[Measurement]) -> Lines:
    """Return values as the patient reads them: a line a day, with a sign where a transfusion came before."""
    order = work.protocol.measures.released
    by_day: dict[date, list[Measurement]] = {}
    for row in rows:
        by_day.setdefault(row.taken_on, []).append(row)
    days: list[Text | Day | Lines | str] = []
    for day in sorted(by_day)[-SHOWN_DAYS:]:
        of_day = sorted(by_day[day], key=lambda row: (order.index(row.measure), row.id or 0))
        values = [
            Text(
                "results.value",
                {"what": Text(f"measure.name.{row.measure}"), "value": measured.shown(work, measured.value_of(row))},
            )
            for row in of_day
        ]
        given = {each for row in of_day for each in (row.transfused or "").split(stored.DIVIDER)}
        after = Text("results.after_transfusion") if given & {RED_CELLS, PLATELETS} else ""
        said = {"day": Day(day), "values": Lines(list(values), between="\n"), "transfused": after}
        days.append(Text("results.day", said))
    return Lines(days, between="\n")


# What the patient does


def show_mine(work: Work, _args: object = None) -> None:
    """Show a patient what was released; without a release nothing is shown."""
    subject = screens.subject_of(work)
    if not screens.on_study(subject):
        work.answer("menu.not_on_study", phone=screens.phone(work))
        return
    rows = [[Button("menu.button.team", "menu.team")], [Button("menu.button.open", "menu.open")]]
    release = lab_releases.current(work.session, subject)
    found = released(work, subject, release.until_on, release.released_at) if release is not None else []
    if not found:
        work.answer("results.none", rows, phone=screens.phone(work))
        return
    audit.record(work.session, "results.viewed", entity="subject", entity_id=subject.id)
    work.answer("results.mine", rows, lines=lines(work, found), phone=screens.phone(work))


# What staff do


def buttons(work: Work, subject: Subject) -> list[list[Button]]:
    """Return what staff can do about the release, for the list of values."""
    rows = []
    if screens.on_study(subject):
        rows.append([Button("release.button.start", "release.start", {"subject": subject.id})])
    if lab_releases.current(work.session, subject) is not None:
        rows.append([Button("release.button.withdraw", "release.withdraw", {"subject": subject.id})])
    return rows


def status(work: Work, subject: Subject) -> Text | str:
    """Return for staff until which day values are released, and by whom."""
    release = lab_releases.current(work.session, subject)
    if release is None:
        return ""
    by = owning.by_whom(work, release.released_by)
    return Text("release.status", {"day": Day(release.until_on), "name": by})


def start(work: Work, args: dict[str, Any]) -> None:
    """Show staff exactly what the patient would see, in the patient's language, before they release it."""
    _preview(work, work.session.get_one(Subject, args["subject"]))


def _preview(work: Work, subject: Subject) -> None:
    rows = released(work, subject, work.today, work.now)
    back = [Button("labs.button.list", "labs.list", {"subject": subject.id})]
    if not screens.on_study(subject) or not rows:
        work.answer(
            "release.nothing" if screens.on_study(subject) else "release.not_on_study", [back], code=subject.code
        )
        return
    audit.record(work.session, "release.previewed", entity="subject", entity_id=subject.id)
    seen = work.texts.text(
        "results.mine",
        subject.locale,
        lines=lines(work, rows).render(work.texts, subject.locale),
        phone=screens.phone(work),
    )
    args = {"subject": subject.id, "on": work.today.isoformat(), "seen": _fingerprint(rows)}
    work.answer(
        "release.confirm",
        [[Button("release.button.confirm", "release.confirm", args)], back],
        single_use=True,
        code=subject.code,
        day=Day(work.today),
        seen=seen,
    )


def _fingerprint(rows: Sequence[Measurement]) -> str:
    """Return a short name of exactly these versions, so that nothing is released that was not shown."""
    return hashlib.sha256(",".join(str(row.id) for row in rows).encode()).hexdigest()[:12]


def confirm(work: Work, args: dict[str, Any]) -> None:
    """Release what was shown; if values have changed since, show them anew instead."""
    subject = work.session.get_one(Subject, args["subject"])
    until_on = date.fromisoformat(args["on"])
    rows = released(work, subject, until_on, work.now)
    if not screens.on_study(subject) or args.get("seen") != _fingerprint(rows):
        work.note("release.toast.changed")
        _preview(work, subject)
        return
    for older in lab_releases.holding(work.session, subject):
        older.withdrawn_at, older.withdrawn_by = work.now, work.caller.label
    work.session.add(
        LabRelease(subject_id=subject.id or 0, until_on=until_on, released_at=work.now, released_by=work.caller.label)
    )
    work.session.flush()
    _plan_to_tell(work, subject)
    _say(work, subject, "release.done")


def withdraw(work: Work, args: dict[str, Any]) -> None:
    """Take the values away from the patient again; a message that has not left is not sent."""
    subject = work.session.get_one(Subject, args["subject"])
    for release in lab_releases.holding(work.session, subject):
        release.withdrawn_at, release.withdrawn_by = work.now, work.caller.label
    work.session.flush()
    _drop_message(work, subject, "withdrawn")
    _say(work, subject, "release.withdrawn")


def _say(work: Work, subject: Subject, key: str) -> None:
    rows = [[Button("labs.button.list", "labs.list", {"subject": subject.id})], screens.back_to(subject)]
    work.answer(key, rows, code=subject.code)


# The one message


def _plan_to_tell(work: Work, subject: Subject) -> None:
    """Enter the message that results can be looked at; one that has not left yet says it already."""
    _drop_message(work, subject, "said by a newer release")
    release = lab_releases.current(work.session, subject)
    assert release is not None
    work.plan(
        TELL,
        f"release:{release.id}",
        polite.awake(work, subject),
        release.id or 0,
        subject_id=subject.id,
        useful_until=reminder_rules.daily_at(work.today, time(0), work.settings.zone) + USEFUL,
    )


def _drop_message(work: Work, subject: Subject, why: str) -> None:
    work.unplan(why, kind=TELL, subject_id=subject.id)
    work.silence(why, purpose=TELL, subject_id=subject.id)


def tell(work: Work, item: AgendaItem) -> str:
    """Tell the patient's side that results can be looked at: no value, no word of which results."""
    release = work.session.get_one(LabRelease, item.about_id)
    subject = work.session.get_one(Subject, release.subject_id)
    if release.withdrawn_at is not None or not may_be_asked(ParticipationState(subject.state)):
        return "not to be told"
    if (held := polite.hold_back(work, subject, item)) is not None:
        return held
    until = item.useful_until or work.now
    readers = polite.put(
        work,
        subject,
        item,
        "results.ready",
        [[Button("menu.button.results", "results.open")], [Button("menu.button.team", "menu.team")]],
        purpose=TELL,
        about_id=release.id,
        asked=item.key,
        until=until,
        useful_until=until,
        phone=screens.phone(work),
    )
    return "told" if readers else "nobody to tell"
