"""How is a text written into a table file so that a spreadsheet shows it, and never runs it?

A cell that begins like a formula gets an apostrophe before it, and `original_cell` takes it off again. A text
that begins with an apostrophe gets one more, so that every text comes back as it was. Source: SEC-08.
"""

import re

MARK = "'"
# What spreadsheets take for the beginning of a formula, in the wide forms of Chinese keyboards too.
RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_LOOKED_AT = frozenset({*RUNS, MARK})
PLAIN_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)


def safe_cell(text: str) -> str:
    """Return the text as a spreadsheet may have it; plain numbers stay numbers."""
    if text[:1] not in _LOOKED_AT or PLAIN_NUMBER.fullmatch(text) is not None:
        return text
    return f"{MARK}{text}"


def original_cell(cell: str) -> str:
    """Return the text that `safe_cell` made this cell from."""
    return cell.removeprefix(MARK)
