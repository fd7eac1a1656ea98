"""How is a refusal said kindly: what is wrong, and what to do now?"""

from bot.domain.adverse_events import Contradiction, EndBeforeOnset
from bot.domain.escalation import RefusedTransition
from bot.domain.parsing import Unreadable
from bot.domain.participation import ParticipationRefused
from bot.domain.questionnaires import NotAnAnswer
from bot.domain.visits import InFuture, IntervalNotAllowed, NotInThisArm, TooEarly, TooNear
from bot.errors import FollowupError
from bot.work import Day


class Refusal(FollowupError):
    """Something that a person asked for cannot be done, and they are told so."""


class DialogueEnded(Refusal):
    """The dialogue this button belongs to has ended."""


class ButtonStale(Refusal):
    """This button belongs to a message whose time has passed."""


class TooLateToCorrect(Refusal):
    """The days in which a report can be corrected by who gave it are over."""


class DayHasPassed(Refusal):
    """A visit cannot be planned on a day that has passed."""


class DayTooFar(Refusal):
    """This day is too far from today to be meant."""


class CodeTaken(Refusal):
    """Another subject has this code already."""


class SubjectUnknown(Refusal):
    """No subject has this code, or the asker may not see them; both look the same (SEC-02)."""


class CellRefused(Refusal):
    """A cell of the table can be read in more than one way, or is none of the choices."""


class ShiftGone(Refusal):
    """This shift is over, or somebody else has it by now."""


class ColleagueAway(Refusal):
    """This colleague has left, cannot be reached, or is the asker."""


class AlreadyOnCall(Refusal):
    """Who accepts a shift is on call at this level in that time already."""


class NotForYou(Refusal):
    """This person's role has no part in this."""


KEYS: dict[type[FollowupError], str] = {
    DialogueEnded: "refused.dialogue_ended",
    ButtonStale: "refused.button_stale",
    TooLateToCorrect: "refused.too_late_to_correct",
    DayHasPassed: "refused.day_has_passed",
    DayTooFar: "refused.day_too_far",
    CodeTaken: "refused.code_taken",
    SubjectUnknown: "refused.subject_unknown",
    ShiftGone: "refused.shift_gone",
    ColleagueAway: "refused.colleague_away",
    AlreadyOnCall: "refused.already_on_call",
    NotForYou: "refused.not_for_you",
    CellRefused: "import.cell_refused",
    InFuture: "refused.in_future",
    NotInThisArm: "refused.not_in_this_arm",
    ParticipationRefused: "refused.participation",
    RefusedTransition: "refused.case_state",
    EndBeforeOnset: "refused.end_before_onset",
    Contradiction: "refused.contradiction",
}


def text_of(error: FollowupError) -> tuple[str, dict[str, object]]:
    """Return the text key that says this refusal, with its values."""
    if isinstance(error, Unreadable | NotAnAnswer):
        return error.reason, {}
    if isinstance(error, TooEarly):
        return "refused.too_early", {"earliest": Day(error.earliest_on, "full_day")}
    if isinstance(error, TooNear):
        return "refused.too_near", {"other": Day(error.other_on, "full_day")}
    if isinstance(error, IntervalNotAllowed):
        return "refused.interval", {"shortest": error.shortest_days, "longest": error.longest_days}
    return KEYS.get(type(error), "refused.other"), {}
