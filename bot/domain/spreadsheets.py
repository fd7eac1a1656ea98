"""Which cells of a CSV file would a spreadsheet run as a formula, and how are they kept from it?"""

import re

# What a spreadsheet takes for the beginning of a formula (OWASP, "CSV injection").
_RUNS = ("=", "+", "-", "@", "\t", "\r")
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def safe_cell(text: str) -> str:
    """Return ``text`` with an apostrophe before it when a spreadsheet would run it; plain numbers stay ("-1.5").

    Words that already begin with an apostrophe before such a sign get one more, so that `original_cell`
    gives back every text exactly.
    """
    return f"'{text}" if _would_run(text) else text


def original_cell(text: str) -> str:
    """Return what `safe_cell` was given."""
    return text[1:] if text.startswith("'") and _would_run(text) else text


def _would_run(text: str) -> bool:
    """Return whether ``text``, apostrophes before it left out, begins as a formula does and is no plain number."""
    bare = text.lstrip("'")
    return bare.startswith(_RUNS) and _PLAIN_NUMBER.fullmatch(bare) is None
