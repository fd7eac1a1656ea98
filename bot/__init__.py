"""Patient follow-up bot for a clinical trial: reminders, reports, escalation, answers for staff."""

__version__ = "0.1.0"
