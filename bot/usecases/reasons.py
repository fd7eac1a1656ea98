"""Why did staff do it? Coded choices as buttons, or their own words, kept in one column."""

from collections.abc import Callable

from bot.domain.parsing import Reading, Unreadable
from bot.store.audit import SEALED
from bot.usecases.forms import Choice, Field, Values
from bot.work import Text, Work

# A coded reason is kept with this sign before it, so that own words are never taken for a code.
CODED = "#"
LONGEST = 200

CORRECTION = ("slip", "wrong_patient", "told_later", "document")
DEVIATION = ("patient_could_not", "clinic_closed", "medical", "count_follows", "already_taken")
NOT_NEEDED = ("doctor", "done_elsewhere", "medical")
INTERVAL = ("doctor", "counts", "patient_wish", "slip")
ARM = ("doctor", "chelation_starts", "chelation_stops", "slip")
CLOSING = ("completed", "lost", "doctor", "died", "moved_away", "study_ends")
INVITING = ("changed_mind", "slip")
NO_EVENT = ("known_before", "same_event", "slip", "wrong_patient")
ORDER = ("counts", "ferritin", "kidney_liver", "side_effect", "weight_changed")
HOLD = ("counts", "ferritin", "kidney_liver", "side_effect", "ill")
RESUME = ("recovered", "counts", "doctor")
STOP = ("ferritin", "kidney_liver", "side_effect", "doctor", "patient_wish")
VOID = ("slip", "wrong_patient")
NEW_ORDER = f"{CODED}new_order"
OTHERS_CHANGED = f"{CODED}others_changed"
RHYTHM = ("rhythm_wish", "rhythm_fading", "rhythm_answers", "rhythm_missed", "rhythm_order")

CODES = tuple(
    dict.fromkeys(
        [
            *(*CORRECTION, *DEVIATION, *NOT_NEEDED, *INTERVAL, *ARM, *CLOSING, *INVITING, *NO_EVENT),
            *(*ORDER, *HOLD, *RESUME, *STOP, *VOID, *RHYTHM, "new_order", "others_changed"),
        ]
    )
)


def shown(reason: str | None) -> Text | str:
    """Return a reason as staff read it: a code in their language, own words as they are."""
    if reason is None:
        return Text("form.none")
    return Text(f"reason.{reason.removeprefix(CODED)}") if reason.startswith(CODED) else reason


def because(work: Work, reason: str) -> None:
    """Let the audit entries of this work carry the reason; own words are kept sealed in the record only."""
    work.because(reason if reason.startswith(CODED) else SEALED)


def field(
    ask: str,
    codes: tuple[str, ...],
    *,
    wanted: Callable[[Work, Values], bool] | None = None,
    said_with: Callable[[Work, Values], dict[str, object]] | None = None,
) -> Field:
    """Return the question for a reason that must be given: one of ``codes``, or own words."""

    def choices(_work: Work, _values: Values) -> list[Choice]:
        return [Choice(f"reason.{code}", f"{CODED}{code}") for code in codes]

    return Field(
        "reason",
        ask,
        choices,
        own_words,
        wanted=wanted,
        show=lambda _work, value: shown(value),
        said_with=said_with,
    )


def own_words(_work: Work, _values: Values, text: str) -> Reading[str]:
    """Read a reason in the words of staff.

    Raises:
        Unreadable: nothing was said, or a whole story.
    """
    words = " ".join(text.split()).removeprefix(CODED).strip()
    if not words:
        raise Unreadable("input.text.empty", text)
    if len(words) > LONGEST:
        raise Unreadable("input.text.too_long", text)
    return Reading(words, False, text)
