"""How does a patient's month become a word of 31 letters, and what do such words say of a period?

One letter a day, so that a site of thousands is counted by counting letters. The figures are those of
bot/domain/adherence.py; a test holds both to the same answers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date

from bot.domain.adherence import Adherence, DoseStatus

# Nothing was asked or said of this day; asked, or answered with "not yet", and nothing more.
NOTHING, ASKED = ".", "?"
# Put over a day by whoever knows the orders: nothing was to be taken.
NO_DOSE = "-"
LETTERS: Mapping[str, str] = {DoseStatus.TAKEN: "T", DoseStatus.PARTLY: "P", DoseStatus.NOT_TAKEN: "M"}
# The reason (clinical-facts 5.3) that the site is asked to act on; a day with it has a small letter.
RAN_OUT = "RAN_OUT"
DAYS = 31
EMPTY = NOTHING * DAYS

_MISSED = re.compile("M+")
_SAID = re.compile("[^.]")


def letter(status: str, reasons: Collection[str]) -> str:
    """Return the letter of a day by its newest report; a status that settles nothing is `ASKED`."""
    if status not in LETTERS:
        return ASKED
    return LETTERS[status].lower() if RAN_OUT in reasons else LETTERS[status]


def is_settled(letter: str) -> bool:
    """Return whether a day has an answer that counts."""
    return letter not in (NOTHING, ASKED)


def first_said(letters: str) -> int | None:
    """Return the place of the first day that was asked about or answered."""
    found = _SAID.search(letters)
    return None if found is None else found.start()


def last_ran_out(letters: str) -> int | None:
    """Return the place of the last day without tablets because they had run out."""
    if letters == letters.upper():
        return None
    return max(place for place, letter in enumerate(letters) if letter.islower())


def figures(letters: str, first_on: date, last_on: date) -> Adherence:
    """Return the figures of a period from its letters, one a day; days of `NO_DOSE` are in no denominator."""
    dosed = letters.upper().replace(NO_DOSE, "")
    taken, partly, not_taken = dosed.count("T"), dosed.count("P"), dosed.count("M")
    ordered, gap = len(dosed), min(not_taken, 1)
    if "MM" in dosed:
        gap = max(map(len, _MISSED.findall(dosed)))
    return Adherence(first_on, last_on, ordered, taken, partly, not_taken, ordered - taken - partly - not_taken, gap)
