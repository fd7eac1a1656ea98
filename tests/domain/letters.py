"""A day of tablets as a letter, as the page of the figures has it."""

from bot.domain.adherence import DoseStatus

LETTERS = {
    "T": DoseStatus.TAKEN,
    "P": DoseStatus.PARTLY,
    "M": DoseStatus.NOT_TAKEN,
    "?": DoseStatus.UNKNOWN,
    "X": DoseStatus.NOT_DELIVERED,
    "H": DoseStatus.HELD,
    "-": DoseStatus.NOT_ORDERED,
}
