"""Who can a person be to the trial, and which of them are clinical staff?"""

from enum import StrEnum


class Role(StrEnum):
    """What an account is; exactly one at a time."""

    STRANGER = "stranger"
    PATIENT = "patient"
    CAREGIVER = "caregiver"
    COORDINATOR = "coordinator"
    INVESTIGATOR = "investigator"
    PI = "pi"
    MONITOR = "monitor"
    ADMIN = "admin"


STAFF = (Role.COORDINATOR, Role.INVESTIGATOR, Role.PI, Role.MONITOR, Role.ADMIN)
# They act on patients' reports. A monitor reads only; an admin looks after the machine and sees no health data.
CLINICAL = (Role.COORDINATOR, Role.INVESTIGATOR, Role.PI)
# They run the work of the site's staff: the rota, drills, how long people take.
LEADING = (Role.COORDINATOR, Role.PI)
# They answer for what the protocol forbids to others: an injection too early, another arm.
PHYSICIANS = (Role.INVESTIGATOR, Role.PI)
SUBJECT_SIDE = (Role.PATIENT, Role.CAREGIVER)

# Virtual roles that an escalation chain may name beside the real ones.
ON_DUTY = "on_duty"
SECOND_ON_CALL = "second_on_call"
EVERYONE = "everyone"
