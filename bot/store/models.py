"""Which rows does the trial leave behind? Every table of the bot.

Times are aware UTC (SQLModel keeps them so), `_on` columns are calendar days at the site. Rows of
tables marked ``Audited`` leave an audit entry with every change (bot/store/audit.py). What a person
said or reported is never overwritten: a correction is a new row with the next ``version``.
"""

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index, MetaData, Numeric, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from bot.store.types import Encrypted, Json

# Constraints need names, or a later migration cannot drop them on SQLite.
SQLModel.metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Audited(SQLModel):
    """A clinical record: each change leaves an audit entry in the same transaction (DI-01)."""

    audited: ClassVar[bool] = True


# People


class Account(SQLModel, table=True):
    """A person's private chat with the bot; Telegram's number is the only thing we know them by."""

    __tablename__ = "account"
    __table_args__ = (
        # The daily look reads those who have been silent, not all.
        Index("ix_account_last_heard_at", "last_heard_at"),
        Index(
            "ix_account_unreachable",
            "id",
            sqlite_where=text("unreachable_at IS NOT NULL"),
            postgresql_where=text("unreachable_at IS NOT NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    telegram_id: int = Field(sa_type=BigInteger, unique=True)
    locale: str
    first_seen_at: datetime
    last_heard_at: datetime | None = None  # to the hour, rounded down: the last word or press
    unreachable_at: datetime | None = None
    unreachable_because: str | None = None


class StaffMember(Audited, table=True):
    """A staff role bound to one account."""

    __tablename__ = "staff_member"

    id: int | None = Field(default=None, primary_key=True)
    account_id: int = Field(foreign_key="account.id", unique=True)
    role: str
    name: str = Field(sa_type=Encrypted)
    email: str | None = Field(default=None, sa_type=Encrypted)  # for pages that Telegram does not deliver
    on_duty: bool = False
    granted_at: datetime
    revoked_at: datetime | None = None


class Invitation(Audited, table=True):
    """A single-use link; only the hash of its code is kept (SEC-04)."""

    __tablename__ = "invitation"

    id: int | None = Field(default=None, primary_key=True)
    code_hash: str = Field(unique=True)
    purpose: str  # staff | patient | caregiver
    role: str | None = None
    subject_id: int | None = Field(default=None, foreign_key="subject.id")
    created_at: datetime
    created_by: str
    expires_at: datetime
    used_at: datetime | None = None
    used_by_id: int | None = Field(default=None, foreign_key="account.id")
    revoked_at: datetime | None = None


class FailedInvitation(SQLModel, table=True):
    """One try with a code that does not work; five an hour lock the account out for that hour (SEC-04)."""

    __tablename__ = "failed_invitation"

    id: int | None = Field(default=None, primary_key=True)
    account_id: int = Field(foreign_key="account.id", index=True)
    at: datetime


class Link(Audited, table=True):
    """An account that speaks for a subject: the patient, or a caregiver the patient agreed to."""

    __tablename__ = "link"
    __table_args__ = (
        Index(
            "uq_link_open_account",
            "account_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    account_id: int = Field(foreign_key="account.id")
    subject_id: int = Field(foreign_key="subject.id", index=True)
    relation: str  # patient | caregiver
    linked_at: datetime
    agreed_at: datetime | None = None
    ended_at: datetime | None = None


# On call


class OncallShift(Audited, table=True):
    """A person who is on call for some time at one level; never overwritten, only ended, perhaps for another one.

    An ended shift counts up to ``ended_at``.
    """

    __tablename__ = "oncall_shift"
    __table_args__ = (Index("ix_oncall_shift_until_at", "until_at"),)

    id: int | None = Field(default=None, primary_key=True)
    staff_id: int = Field(foreign_key="staff_member.id", index=True)
    level: str  # bot.domain.rota.Level
    from_at: datetime
    until_at: datetime
    source: str  # file | swapped | taken
    replaces_id: int | None = Field(default=None, foreign_key="oncall_shift.id")
    entered_at: datetime
    entered_by: str
    ended_at: datetime | None = None
    ended_by: str | None = None
    ended_because: str | None = None  # swapped | replaced | left


class SwapOffer(Audited, table=True):
    """One person's shift, offered to a colleague; until that one accepts, nothing changes."""

    __tablename__ = "swap_offer"
    __table_args__ = (
        Index(
            "uq_swap_offer_open_shift",
            "shift_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    shift_id: int = Field(foreign_key="oncall_shift.id")
    from_staff_id: int = Field(foreign_key="staff_member.id")
    to_staff_id: int = Field(foreign_key="staff_member.id")
    state: str = "open"  # open | accepted | refused | withdrawn | lapsed
    offered_at: datetime
    answered_at: datetime | None = None


class OncallFallback(Audited, table=True):
    """Who is paged when nobody is on call; the newest that has not ended counts."""

    __tablename__ = "oncall_fallback"

    id: int | None = Field(default=None, primary_key=True)
    staff_id: int = Field(foreign_key="staff_member.id")
    set_at: datetime
    set_by: str
    ended_at: datetime | None = None
    ended_by: str | None = None


# The subject


class Subject(Audited, table=True):
    """A trial participant, known by code only."""

    __tablename__ = "subject"

    id: int | None = Field(default=None, primary_key=True)
    code: str = Field(unique=True)
    site: str
    arm: str
    locale: str
    birth_year: int
    state: str  # bot.domain.participation.ParticipationState
    timezone: str
    cbc_interval_days: int
    injection_interval_days: int | None = None
    ferritin_interval_days: int | None = None
    first_injection_on: date | None = None
    reminder_at: time | None = None
    dose_rhythm: str = "daily"  # how often tablets are asked about: bot.domain.rhythm.Rhythm
    phone: str | None = Field(default=None, sa_type=Encrypted)
    enrolled_at: datetime
    enrolled_by: str
    state_changed_at: datetime
    arm_since_on: date | None = None  # when the arm was changed after enrolment
    closed_on: date | None = None
    closed_because: str | None = Field(default=None, sa_type=Encrypted)


class SubjectChange(Audited, table=True):
    """What staff changed about a subject after enrolment, and why: the arm, an interval, the participation."""

    __tablename__ = "subject_change"

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int = Field(foreign_key="subject.id", index=True)
    what: str  # arm | state | dose_rhythm | cbc | injection | ferritin: for a kind of visit, its interval
    old: str | None = None  # a code, or days; None: as the protocol says
    new: str
    from_on: date | None = None
    reason: str = Field(sa_type=Encrypted)
    changed_at: datetime
    changed_by: str


class Weight(Audited, table=True):
    """A body weight in kg on a date."""

    __tablename__ = "weight"

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int = Field(foreign_key="subject.id", index=True)
    kg: Decimal = Field(sa_type=Numeric(5, 1))
    measured_on: date
    recorded_at: datetime
    recorded_by: str


class DoseOrder(Audited, table=True):
    """Deferasirox as staff ordered it; of the orders that cover a day the one that was given last counts."""

    __tablename__ = "dose_order"

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int = Field(foreign_key="subject.id", index=True)
    formulation: str
    tablets: Decimal = Field(sa_type=Numeric(4, 2))  # at a time
    times_a_day: int = 1
    strength_mg: int
    from_on: date
    until_on: date | None = None
    reason: str | None = Field(default=None, sa_type=Encrypted)  # why it was changed
    decided_by: str | None = Field(default=None, sa_type=Encrypted)  # in the words of who entered it
    ordered_at: datetime
    ordered_by: str
    void: bool = False  # entered by mistake: it never held
    voided_because: str | None = Field(default=None, sa_type=Encrypted)


class DoseChange(Audited, table=True):
    """A doctor's word on the tablets from a day on: pause them, go on, or end them."""

    __tablename__ = "dose_change"

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int = Field(foreign_key="subject.id", index=True)
    what: str  # bot.domain.dosing.Change: hold | resume | stop
    from_on: date
    reason: str = Field(sa_type=Encrypted)
    decided_by: str = Field(sa_type=Encrypted)  # who decided it, in the words of who entered it
    recorded_at: datetime
    recorded_by: str
    void: bool = False
    voided_because: str | None = Field(default=None, sa_type=Encrypted)


class DoseReview(Audited, table=True):
    """A question to an investigator about a dose, and what was concluded; nothing but a person answers it."""

    __tablename__ = "dose_review"
    __table_args__ = (Index("ix_dose_review_open", "state", "subject_id"),)

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int = Field(foreign_key="subject.id", index=True)
    rule: str  # the id of the rule that opened it
    key: str = Field(unique=True)  # what it is about: the same news opens one review
    measurement_id: int | None = Field(default=None, foreign_key="measurement.id")
    facts: dict[str, Any] = Field(default_factory=dict, sa_type=Json)  # the values it rests on, as they were
    state: str = "open"  # open | concluded | withdrawn
    case_id: int | None = Field(default=None, foreign_key="escalation.id")
    told: list[str] = Field(default_factory=list, sa_type=Json)  # who was told of it (staff labels)
    opened_at: datetime
    conclusion: str | None = None
    words: str | None = Field(default=None, sa_type=Encrypted)  # of the conclusion, or of the withdrawal
    closed_at: datetime | None = None
    closed_by: str | None = None


class TabletCount(Audited, table=True):
    """Tablets that were given out, brought back, or counted at home; the highest version counts."""

    __tablename__ = "tablet_count"
    __table_args__ = (UniqueConstraint("occasion", "version"),)

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int = Field(foreign_key="subject.id", index=True)
    occasion: str  # what the versions of one count share
    version: int = 1
    kind: str  # bot.domain.tablet_counts.CountKind: dispensed | returned | at_home
    counted_on: date
    tablets: Decimal = Field(sa_type=Numeric(6, 2))
    strength_mg: int
    source: str  # staff | patient
    evidence_id: int | None = Field(default=None, foreign_key="evidence.id")  # the photo
    void: bool = False
    reason: str | None = Field(default=None, sa_type=Encrypted)  # of a correction
    recorded_at: datetime
    recorded_by: str


class Consent(Audited, table=True):
    """What was put before a person, in which language and version, and what they said."""

    __tablename__ = "consent"

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int = Field(foreign_key="subject.id", index=True)
    account_id: int = Field(foreign_key="account.id")
    version: str
    item: str  # the text key of what was agreed to: the consent text, or one agreement under it
    locale: str
    agreed: bool
    at: datetime


# Visits


class Visit(Audited, table=True):
    """A planned visit; moving it raises ``plan_version`` and cancels what hung on the older plan."""

    __tablename__ = "visit"
    __table_args__ = (
        Index(
            "uq_visit_open_kind",
            "subject_id",
            "kind",
            unique=True,
            sqlite_where=text("state = 'planned' AND kind <> 'extra'"),
            postgresql_where=text("state = 'planned' AND kind <> 'extra'"),
        ),
        Index("ix_visit_due", "state", "target_on", "subject_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int = Field(foreign_key="subject.id", index=True)
    kind: str  # bot.domain.visits.VisitKind
    title: str | None = Field(default=None, sa_type=Encrypted)  # of an extra visit, in the words of staff
    target_on: date
    first_on: date
    last_on: date
    plan_version: int = 1
    # No clinic day fits the window: staff choose one, and until then nobody is told this date.
    undecided: bool = False
    moved_from_on: date | None = None  # the next day that the patient may still believe in
    moved_from_version: int | None = None  # the plan version that had this day
    chosen: bool = False  # staff chose this day: a new plan leaves it alone as long as it fits
    proposed_on: date | None = None  # the day that the patient asks for; a coordinator confirms or refuses it
    proposed_at: datetime | None = None
    state: str = "planned"  # planned | done | missed | not_needed | cancelled
    reply: str | None = None  # will_come | another_day | need_help
    replied_at: datetime | None = None
    replied_by: str | None = None
    planned_at: datetime


class VisitRecord(Audited, table=True):
    """What staff recorded about a visit; the highest version counts."""

    __tablename__ = "visit_record"
    __table_args__ = (UniqueConstraint("visit_id", "version"),)

    id: int | None = Field(default=None, primary_key=True)
    visit_id: int = Field(foreign_key="visit.id")
    version: int = 1
    outcome: str  # done | missed | not_needed
    held_on: date | None = None
    source: str = "clinic"  # clinic | phone | patient | paper
    reason: str | None = Field(default=None, sa_type=Encrypted)  # of a correction, a deviation, or "not needed"
    deviation: str | None = None  # bot.domain.visits.Deviation, the gravest first, "+" between several
    recorded_at: datetime
    recorded_by: str


# Tablets


class DoseReport(Audited, table=True):
    """What a patient or caregiver said about one day's tablets; the highest version counts."""

    __tablename__ = "dose_report"
    __table_args__ = (UniqueConstraint("subject_id", "day_on", "version"),)

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int = Field(foreign_key="subject.id", index=True)
    day_on: date
    version: int = 1
    status: str  # bot.domain.adherence.DoseStatus
    reasons: list[str] = Field(default_factory=list, sa_type=Json)  # codes of the protocol's skip_reasons
    source: str = "daily"  # daily | weekly | staff: which question it answers, or staff who were told
    said: str | None = Field(default=None, sa_type=Encrypted)
    reported_at: datetime
    reported_by: str


class DosePrompted(SQLModel, table=True):
    """A day on which the tablets question was put: tells "asked, no answer" from "never asked" (DI-17)."""

    __tablename__ = "dose_prompted"
    __table_args__ = (UniqueConstraint("subject_id", "day_on"),)

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int = Field(foreign_key="subject.id")
    day_on: date
    asked_at: datetime


class DoseMonth(SQLModel, table=True):
    """A month of one patient's reports as a letter a day: what the site's table counts (bot/store/dose_months.py)."""

    __tablename__ = "dose_month"

    month_on: date = Field(primary_key=True)  # its first day
    subject_id: int = Field(foreign_key="subject.id", primary_key=True, index=True)
    days: str  # 31 letters of bot.domain.dose_letters, the first for the first day


# Measured values


class Measurement(Audited, table=True):
    """One measured value, in the unit of its measure; the highest version of it counts.

    ``occasion`` is what values entered together share; the versions of one value share occasion and measure.
    """

    __tablename__ = "measurement"
    __table_args__ = (
        UniqueConstraint("occasion", "measure", "version"),
        Index("ix_measurement_subject", "subject_id", "measure", "taken_on"),
    )

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int = Field(foreign_key="subject.id")
    occasion: str
    measure: str
    version: int = 1
    value: Decimal = Field(sa_type=Numeric(9, 3))
    sign: str = ""  # "<" or ">" where only a bound is known
    unit: str = ""  # as it was typed
    said: str = Field(sa_type=Encrypted)  # the words as they were typed
    doubt: str | None = None  # why it was asked back: bot.domain.measures.Doubt
    place: str | None = None  # of a temperature
    transfused: str | None = None  # what was given before the blood was drawn: bot.domain.judging.TRANSFUSIONS
    taken_on: date
    taken_at: datetime | None = None
    source: str  # patient | slip | staff
    evidence_id: int | None = Field(default=None, foreign_key="evidence.id")  # the photo of the slip
    verified: bool = False
    void: bool = False  # taken out: it was never this subject's value, or not what was meant
    urgency: str | None = None
    because: list[str] = Field(default_factory=list, sa_type=Json)
    judged_at: datetime | None = None
    reason: str | None = Field(default=None, sa_type=Encrypted)  # of a correction
    entered_at: datetime
    entered_by: str


class LabRelease(Audited, table=True):
    """Staff let a subject see verified blood values drawn up to a day."""

    __tablename__ = "lab_release"

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int = Field(foreign_key="subject.id", index=True)
    until_on: date
    released_at: datetime
    released_by: str
    withdrawn_at: datetime | None = None
    withdrawn_by: str | None = None


# Symptom reports


class Response(Audited, table=True):
    """One filling-in of a questionnaire."""

    __tablename__ = "response"

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int | None = Field(default=None, foreign_key="subject.id", index=True)
    account_id: int = Field(foreign_key="account.id", index=True)
    questionnaire: str
    questionnaire_version: str
    locale: str
    reported_by: str
    opened_at: datetime
    submitted_at: datetime | None = None
    urgency: str | None = None
    because: list[str] = Field(default_factory=list, sa_type=Json)


class Answer(Audited, table=True):
    """One answer to one item, in the person's own words or button; the highest version counts (DI-03, DI-12)."""

    __tablename__ = "answer"
    __table_args__ = (UniqueConstraint("response_id", "item", "version"),)

    id: int | None = Field(default=None, primary_key=True)
    response_id: int = Field(foreign_key="response.id")
    item: str
    version: int = 1
    value: str = Field(sa_type=Encrypted)  # JSON, for a text answer is the person's own words
    said: str = Field(sa_type=Encrypted)  # empty: not asked, it follows from another answer
    correction: bool = False  # given in place of an earlier version after the report was handed in
    locale: str
    given_at: datetime
    given_by: str


class Checkin(SQLModel, table=True):
    """A regular check-in that was offered: tells "offered, not answered" from "never offered" (DI-17).

    One that somebody starts of their own accord, with none on offer, is a response without a row here.
    """

    __tablename__ = "checkin"
    __table_args__ = (UniqueConstraint("subject_id", "day_on"),)

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int = Field(foreign_key="subject.id")
    day_on: date
    asked_at: datetime
    useful_until: datetime
    response_id: int | None = Field(default=None, foreign_key="response.id", index=True)


class Doubt(Audited, table=True):
    """Words that may mean danger, and what the person said when asked whether it is so now."""

    __tablename__ = "doubt"

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int = Field(foreign_key="subject.id", index=True)
    account_id: int = Field(foreign_key="account.id")
    urgency: str
    because: list[str] = Field(default_factory=list, sa_type=Json)
    words: str = Field(sa_type=Encrypted)
    asked_at: datetime
    answer: str | None = None  # now | not_now | silence
    closed_at: datetime | None = None


# Cases


class Escalation(Audited, table=True):
    """A case that a named person has to take over; no timer closes it."""

    __tablename__ = "escalation"
    __table_args__ = (
        Index(
            "uq_escalation_open_case",
            "subject_id",
            unique=True,
            sqlite_where=text("kind = 'symptom' AND state <> 'resolved'"),
            postgresql_where=text("kind = 'symptom' AND state <> 'resolved'"),
        ),
        Index("ix_escalation_state", "state", "urgency"),
    )

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int = Field(foreign_key="subject.id", index=True)
    kind: str  # symptom | request
    urgency: str
    state: str  # bot.domain.escalation.CaseState
    chain: dict[str, Any] = Field(sa_type=Json)  # the chain as it was when the case was raised
    because: list[str] = Field(default_factory=list, sa_type=Json)
    summary: str = Field(sa_type=Encrypted)  # JSON: what was told, by source, as text keys with values
    visit_id: int | None = Field(default=None, foreign_key="visit.id")
    raised_by: str
    said_at: datetime | None = None  # when the person wrote it, as Telegram says; of a press Telegram says nothing
    received_at: datetime | None = None  # when the update that raised it was stored
    opened_at: datetime
    chain_started_at: datetime
    pages: int = 0
    last_paged_at: datetime | None = None
    page_sent_at: datetime | None = None  # of the chain that runs now
    first_page_sent_at: datetime | None = None  # of the case
    first_viewed_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by_id: int | None = Field(default=None, foreign_key="staff_member.id")
    first_acknowledged_at: datetime | None = None  # of the case
    lapsed_at: datetime | None = None  # when paging went on although somebody had taken it
    read_back_at: datetime | None = None  # when the owner confirmed what they do
    offered_to_id: int | None = None  # the colleague who was asked to take it over
    tried_at: datetime | None = None  # the owner's last try to reach the subject
    contacted_at: datetime | None = None  # since it was taken over last
    first_contacted_at: datetime | None = None  # of the case
    resolved_at: datetime | None = None
    resolved_by_id: int | None = Field(default=None, foreign_key="staff_member.id")
    outcome: str | None = None
    overdue: str | None = None  # what the auditor found wrong (bot.domain.stalled), while it lasts
    overdue_since: datetime | None = None
    overdue_told_at: datetime | None = None


class EscalationStep(Audited, table=True):
    """One thing that happened to a case: who, what, when, in which words."""

    __tablename__ = "escalation_step"

    id: int | None = Field(default=None, primary_key=True)
    escalation_id: int = Field(foreign_key="escalation.id", index=True)
    what: str
    at: datetime
    by: str
    said: str | None = Field(default=None, sa_type=Encrypted)


class StaffGroup(Audited, table=True):
    """A group chat of staff that hears of red cases by number; its account carries the chat's number."""

    __tablename__ = "staff_group"
    __table_args__ = (
        Index(
            "uq_staff_group_open_account",
            "account_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    account_id: int = Field(foreign_key="account.id")
    added_at: datetime
    added_by: str
    ended_at: datetime | None = None


class CaseMessage(Audited, table=True):
    """One message between staff and a subject about a case, carried by the bot."""

    __tablename__ = "case_message"

    id: int | None = Field(default=None, primary_key=True)
    escalation_id: int = Field(foreign_key="escalation.id", index=True)
    by: str
    words: str = Field(sa_type=Encrypted)
    at: datetime


# What patients send that is no text


class Evidence(Audited, table=True):
    """What a patient or caregiver sent for people to look at: one file, or an album of several.

    The bot fetches no file: Telegram keeps it, and shows it to staff under the number it gave it.
    """

    __tablename__ = "evidence"
    __table_args__ = (
        # Pieces of an album come as updates of their own; this is what they have in common.
        UniqueConstraint("account_id", "bot_id", "parcel"),
        Index("ix_evidence_subject", "subject_id", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int = Field(foreign_key="subject.id")
    account_id: int = Field(foreign_key="account.id")
    bot_id: int = Field(sa_type=BigInteger)  # to which it was sent: another bot cannot show it
    parcel: str  # the album, or the one message
    kind: str  # bot.usecases.evidence.KINDS; of an album, that of the piece that came first
    escalation_id: int | None = Field(default=None, foreign_key="escalation.id", index=True)  # where staff are told
    sent_at: datetime
    received_at: datetime
    given_by: str
    first_viewed_at: datetime | None = None  # when Telegram first took it for a member of staff
    first_viewed_by: str | None = None
    dealt_with_at: datetime | None = None
    dealt_with_by: str | None = None
    note: str | None = Field(default=None, sa_type=Encrypted)


class EvidenceFile(Audited, table=True):
    """One file of what was sent, as Telegram names it."""

    __tablename__ = "evidence_file"
    __table_args__ = (UniqueConstraint("evidence_id", "message_id"),)

    id: int | None = Field(default=None, primary_key=True)
    evidence_id: int = Field(foreign_key="evidence.id")
    message_id: int = Field(sa_type=BigInteger)  # in the chat it was sent in
    kind: str
    file_id: str = Field(sa_type=Encrypted)
    file_unique_id: str
    mime: str | None = None
    size: int | None = Field(default=None, sa_type=BigInteger)
    caption: str | None = Field(default=None, sa_type=Encrypted)
    sent_at: datetime
    received_at: datetime
    given_by: str


# Adverse events


class AdverseEvent(Audited, table=True):
    """What staff have made of a report; the highest version of a subject's number counts.

    ``grade``, ``serious`` and ``relation`` are an investigator's; a subject's own score stays with the report.
    """

    __tablename__ = "adverse_event"
    __table_args__ = (UniqueConstraint("subject_id", "number", "version"),)

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int = Field(foreign_key="subject.id")
    number: int  # of the subject
    version: int = 1
    what: str  # drafted | corrected | judged | voided
    sources: list[str] = Field(default_factory=list, sa_type=Json)  # "case:1", "response:2"
    verbatim: str = Field(sa_type=Encrypted)  # what the subject reported, in their own words
    term: str | None = None  # of the dictionary, as it stood then; None: `words` alone
    llt: str | None = None
    term_zh: str | None = None
    words: str | None = Field(default=None, sa_type=Encrypted)  # where no term fits
    onset_on: date
    end_on: date | None = None  # None: it goes on
    outcome: str  # bot.domain.adverse_events.Outcome
    actions: dict[str, str] = Field(default_factory=dict, sa_type=Json)  # by study medicine
    treatment: str | None = Field(default=None, sa_type=Encrypted)  # what was given for it
    grade: int | None = None
    serious: bool | None = None
    criteria: list[str] = Field(default_factory=list, sa_type=Json)
    relation: dict[str, str] = Field(default_factory=dict, sa_type=Json)  # by study medicine
    judged: bool = False  # the judgement was made on the facts as this version has them
    judged_at: datetime | None = None
    judged_by: str | None = None
    void: bool = False
    reason: str | None = Field(default=None, sa_type=Encrypted)  # of a correction
    recorded_at: datetime
    recorded_by: str


class ReportDecision(Audited, table=True):
    """What staff decided of a report: which adverse event it became, or why it is none."""

    __tablename__ = "report_decision"

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int = Field(foreign_key="subject.id", index=True)
    source: str  # "case:1", "response:2"
    event_number: int | None = None
    reason: str | None = Field(default=None, sa_type=Encrypted)
    decided_at: datetime
    decided_by: str


class SeriousClock(Audited, table=True):
    """When the site heard of what may be a serious event, and whether it was reported to the sponsor in time."""

    __tablename__ = "serious_clock"

    id: int | None = Field(default=None, primary_key=True)
    subject_id: int = Field(foreign_key="subject.id", index=True)
    case_id: int | None = Field(default=None, foreign_key="escalation.id", unique=True)
    event_number: int | None = None
    received_at: datetime
    seen_at: datetime | None = None  # when a person first looked
    due_at: datetime
    reported_at: datetime | None = None
    reported_by: str | None = None
    ended_at: datetime | None = None  # a person judged it not serious, or no event
    ended_by: str | None = None


# Drills


class Drill(SQLModel, table=True):
    """A test alarm: when it rang and how long people took. No trial data, no subject, no case."""

    __tablename__ = "drill"

    id: int | None = Field(default=None, primary_key=True)
    only_one: bool | None = Field(default=True, unique=True)  # None once it has ended: there is never a second one
    seed: int
    state: str  # bot.domain.drills.DrillState
    outcome: str | None = None  # bot.domain.drills.DrillOutcome
    chain: dict[str, Any] = Field(sa_type=Json)
    planned_at: datetime
    rings_at: datetime
    until: datetime  # how long it waits for RED cases to close
    began_at: datetime | None = None
    started_at: datetime | None = None  # moved on by the time that it stood still
    paused_at: datetime | None = None
    paused_seconds: int = 0
    ended_at: datetime | None = None
    pages: int = 0
    last_paged_at: datetime | None = None
    first_page_after: int | None = None  # seconds from the start, as all that follow
    viewed_after: int | None = None
    taken_after: int | None = None
    taken_by_id: int | None = Field(default=None, foreign_key="staff_member.id")
    read_back_after: int | None = None


# Mechanisms


class AgendaItem(SQLModel, table=True):
    """Something that becomes due: a reminder, a question, the next page of a case."""

    __tablename__ = "agenda_item"
    __table_args__ = (
        Index(
            "ix_agenda_item_due",
            "kind",
            "due_at",
            "id",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        # Whatever lies still, of any kind: the watchdog and the monitoring look for it all the time.
        Index(
            "ix_agenda_item_late",
            "due_at",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_agenda_item_about",
            "kind",
            "about_id",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        # What a patient is still to hear: asked before each message that can wait.
        Index(
            "ix_agenda_item_coming",
            "subject_id",
            "due_at",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        # What an outage swallowed: asked every minute, and nearly always empty.
        Index(
            "ix_agenda_item_too_late",
            "closed_at",
            sqlite_where=text("reason = 'too late to be useful'"),
            postgresql_where=text("reason = 'too late to be useful'"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    kind: str
    key: str = Field(unique=True)
    about_id: int
    subject_id: int | None = Field(default=None, foreign_key="subject.id", index=True)
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    due_at: datetime
    useful_until: datetime | None = None
    state: str = "waiting"  # waiting | done | skipped
    reason: str | None = None
    closed_at: datetime | None = None


class Dialogue(SQLModel, table=True):
    """The one conversation an account is in the middle of."""

    __tablename__ = "dialogue"

    account_id: int = Field(foreign_key="account.id", primary_key=True)
    number: int = 1
    kind: str
    step: str
    state: str = Field(sa_type=Encrypted)  # JSON
    updated_at: datetime


class InboxUpdate(SQLModel, table=True):
    """An update exactly as Telegram gave it, stored before it is confirmed (DI-15)."""

    __tablename__ = "inbox_update"
    __table_args__ = (
        UniqueConstraint("bot_id", "update_id"),
        Index(
            "ix_inbox_update_waiting",
            "bot_id",
            "id",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        # Which update of a chat is the oldest that waits: asked with every update, however many wait.
        Index(
            "ix_inbox_update_chat",
            "chat_id",
            "id",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_inbox_update_parked",
            "id",
            sqlite_where=text("state = 'parked'"),
            postgresql_where=text("state = 'parked'"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    bot_id: int = Field(sa_type=BigInteger)
    update_id: int = Field(sa_type=BigInteger)
    chat_id: int | None = Field(default=None, sa_type=BigInteger)
    raw: str = Field(sa_type=Encrypted)
    received_at: datetime
    state: str = "waiting"  # waiting | done | parked
    attempts: int = 0
    closed_at: datetime | None = None
    reason: str | None = None


class OutboxMessage(SQLModel, table=True):
    """A message that someone must get, and what became of it (DI-16)."""

    __tablename__ = "outbox_message"
    __table_args__ = (
        # In the order in which messages leave, so that a claim reads a few rows of however many wait.
        Index(
            "ix_outbox_message_waiting",
            "lane",
            "id",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_outbox_message_sending",
            "claimed_at",
            sqlite_where=text("state = 'sending'"),
            postgresql_where=text("state = 'sending'"),
        ),
        Index(
            "ix_outbox_message_unsure",
            "account_id",
            sqlite_where=text("state = 'unsure' AND repeated_at IS NULL"),
            postgresql_where=text("state = 'unsure' AND repeated_at IS NULL"),
        ),
        Index("ix_outbox_message_about", "purpose", "about_id"),
        # How much a person heard today: asked before each message that can wait.
        Index("ix_outbox_message_account_created", "account_id", "created_at"),
        Index(
            "ix_outbox_message_too_late",
            "closed_at",
            sqlite_where=text("reason = 'too late to be useful'"),
            postgresql_where=text("reason = 'too late to be useful'"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    account_id: int = Field(foreign_key="account.id", index=True)
    chat_id: int = Field(sa_type=BigInteger)
    subject_id: int | None = Field(default=None, foreign_key="subject.id", index=True)
    purpose: str
    about_id: int | None = None
    lane: int
    method: str = "send"  # send | edit | picture | document | file | commands
    text_key: str
    values: str = Field(sa_type=Encrypted)  # JSON
    text: str = Field(sa_type=Encrypted)  # as the reader sees it
    locale: str
    keyboard: str | None = Field(default=None, sa_type=Encrypted)  # JSON rows of [label, action, arguments]
    token: str | None = Field(default=None, unique=True)
    single_use: bool = False
    pressed_at: datetime | None = None
    # JSON: what the picture or document is made of, or which file it is.
    picture: str | None = Field(default=None, sa_type=Encrypted)
    edits_message_id: int | None = Field(default=None, sa_type=BigInteger)
    silent: bool = False
    secret: bool = False  # blanked once it went out: an invitation link
    dedupe_key: str | None = Field(default=None, unique=True)
    created_at: datetime
    due_at: datetime
    useful_until: datetime | None = None
    state: str = "waiting"  # waiting | sending | sent | failed | unsure | skipped
    reason: str | None = None
    attempts: int = 0
    claimed_at: datetime | None = None
    epoch: int | None = None  # of the lease under which it was claimed
    closed_at: datetime | None = None
    repeated_at: datetime | None = None  # when an unsure message was shown again
    message_id: int | None = Field(default=None, sa_type=BigInteger)


class SecondSend(SQLModel, table=True):
    """One message to one member of staff by another way than Telegram, and what became of it."""

    __tablename__ = "second_send"
    __table_args__ = (
        Index(
            "ix_second_send_waiting",
            "due_at",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_second_send_sending",
            "claimed_at",
            sqlite_where=text("state = 'sending'"),
            postgresql_where=text("state = 'sending'"),
        ),
        Index("ix_second_send_escalation_id", "escalation_id", "page"),
    )

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    purpose: str  # page | test
    channel: str  # email | webhook
    staff_id: int = Field(foreign_key="staff_member.id")
    escalation_id: int | None = Field(default=None, foreign_key="escalation.id")
    page: int | None = None  # of the case, counted as Escalation.pages does
    why: str  # bot.domain.second_channel.Why
    address: str | None = Field(default=None, sa_type=Encrypted)  # where the last attempt went
    created_at: datetime
    due_at: datetime
    state: str = "waiting"  # waiting | sending | sent | failed | unsure | skipped
    reason: str | None = None
    attempts: int = 0  # in a row, those for earlier pages of the case included
    claimed_at: datetime | None = None
    epoch: int | None = None  # of the lease under which it was claimed
    closed_at: datetime | None = None


class AuditEntry(SQLModel, table=True):
    """Who changed what, when and why; the database itself refuses to change or delete it (DI-02)."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_entity", "entity", "entity_id"),)

    id: int | None = Field(default=None, primary_key=True)
    at: datetime
    actor: str
    cause: str
    what: str
    entity: str | None = None
    entity_id: int | None = None
    changes: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    reason: str | None = None


class AuditSeal(SQLModel, table=True):
    """A link of the chain that makes a change of older audit entries show; append-only like they are (DI-04)."""

    __tablename__ = "audit_seal"

    id: int | None = Field(default=None, primary_key=True)
    up_to_id: int  # the last audit entry it covers
    entries: int  # how many it covers
    previous: str  # hex
    hash: str = Field(unique=True)  # hex
    at: datetime


class Lease(SQLModel, table=True):
    """Which process does what only one may do, until when; each new holder raises the epoch."""

    __tablename__ = "lease"

    name: str = Field(primary_key=True)
    holder: str
    bot_id: int = Field(sa_type=BigInteger)
    epoch: int
    until: datetime


class Heartbeat(SQLModel, table=True):
    """When a part of the bot last did its work; /healthz and the watchdog look here."""

    __tablename__ = "heartbeat"

    name: str = Field(primary_key=True)
    at: datetime
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
