"""How is a text written into a table file so that a spreadsheet shows it, and never runs it?

A cell that begins like a formula gets an apostrophe before it, and `original_cell` takes it off again. A text
that has an apostrophe before such a sign already gets one more, so that every text comes back as it was (SEC-08).
"""

import re

MARK = "'"
# What spreadsheets take for the beginning of a formula, in the wide forms of Chinese keyboards too.
RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_LOOKED_AT = frozenset({*RUNS, MARK})
PLAIN_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)


def safe_cell(text: str) -> str:
    """Return the text as a spreadsheet may have it; plain numbers stay numbers."""
    return f"{MARK}{text}" if text[:1] in _LOOKED_AT and _would_run(text) else text


def original_cell(cell: str) -> str:
    """Return the text that `safe_cell` made this cell from."""
    return cell[1:] if cell.startswith(MARK) and _would_run(cell) else cell


def _would_run(text: str) -> bool:
    """Return whether a text, apostrophes before it left out, begins like a formula and is no plain number."""
    bare = text.lstrip(MARK)
    return bare.startswith(RUNS) and PLAIN_NUMBER.fullmatch(bare) is None
