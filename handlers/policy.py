"""Who may do what? One table, route by role; what is not listed is denied (SEC-01)."""

from bot.domain.roles import CLINICAL, SUBJECT_SIDE, Role

ANYBODY = frozenset(Role)
SUBJECT = frozenset(SUBJECT_SIDE)
PATIENT = frozenset({Role.PATIENT})
ACTING = frozenset(CLINICAL)
READING = frozenset({*CLINICAL, Role.MONITOR})
COORDINATOR = frozenset({Role.COORDINATOR})
ADMIN = frozenset({Role.ADMIN})

POLICY: dict[str, frozenset[Role]] = {
    # Anybody: the way in, help, and being heard.
    "start": ANYBODY,
    "help": ANYBODY,
    "menu": ANYBODY,
    "cancel": ANYBODY,
    "settings": ANYBODY,
    "unknown_command": ANYBODY,
    "text": ANYBODY,
    "edited": ANYBODY,
    "forwarded": ANYBODY,
    "other": ANYBODY,
    "form": ANYBODY,
    "form.cancel": ANYBODY,
    "menu.open": ANYBODY,
    "settings.language": ANYBODY,
    "settings.set_language": ANYBODY,
    "unknown_press": ANYBODY,
    # Patients and caregivers.
    "start.language": SUBJECT,
    "start.consent": PATIENT,
    "start.read_again": PATIENT,
    "start.hour": SUBJECT,
    "caregiver.agree": PATIENT,
    "unwell": SUBJECT,
    "visits": SUBJECT,
    "tablets": SUBJECT,
    "team": SUBJECT,
    "stop": SUBJECT,
    "menu.unwell": SUBJECT,
    "menu.tablets": SUBJECT,
    "menu.visits": SUBJECT,
    "menu.team": SUBJECT,
    "menu.settings": SUBJECT,
    "menu.stop": SUBJECT,
    "stop.confirm": SUBJECT,
    "settings.hour": SUBJECT,
    "settings.zone": SUBJECT,
    "settings.set_zone": SUBJECT,
    "report.answer": SUBJECT,
    "report.right": SUBJECT,
    "report.stop": SUBJECT,
    "danger.now": SUBJECT,
    "danger.not_now": SUBJECT,
    "visit.reply": SUBJECT,
    "visits.calendar": SUBJECT,
    "tablets.answer": SUBJECT,
    "team.call_me": SUBJECT,
    "team.write": SUBJECT,
    # Staff who read.
    "patients": READING,
    "patients.page": READING,
    "patient": READING,
    "patient.open": READING,
    "due": READING,
    "due.page": READING,
    "adherence": READING,
    "adherence.open": READING,
    "silent": READING,
    "silent.page": READING,
    "alerts": READING,
    "alerts.page": READING,
    "case.open": READING,
    "visit.open": READING,
    # Staff who act.
    "case.acknowledge": ACTING,
    "case.take_over": ACTING,
    "case.contact": ACTING,
    "case.resolve": ACTING,
    "case.outcome": ACTING,
    "visit.record": ACTING,
    "visit.move": ACTING,
    "duty": ACTING,
    "duty.set": ACTING,
    "settings.duty": ACTING,
    "enrol": COORDINATOR,
    "patient.invite": COORDINATOR,
    # Who looks after accounts; sees no health data.
    "staff": ADMIN,
    "staff.show": ADMIN,
    "staff.ask_end": ADMIN,
    "staff.end": ADMIN,
}


def allowed(route: str, role: Role | None) -> bool:
    """Tell whether this role may use this route."""
    return role is not None and role in POLICY.get(route, frozenset())
