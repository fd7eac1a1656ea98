"""Which calendar days does a text name?"""

import re
from datetime import date, timedelta
from functools import lru_cache

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ZH = re.compile(r"(\d{1,2})月(\d{1,2})日")
_EN = re.compile(r"\b(\d{1,2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\b")


@lru_cache(maxsize=4096)
def named(text: str, near: date) -> tuple[date, ...]:
    """Return the days that ``text`` names in either language, of the year that is nearest to ``near``."""
    found = [(int(month), int(day)) for month, day in _ZH.findall(text)]
    found += [(_MONTHS.index(month) + 1, int(day)) for day, month in _EN.findall(text)]
    return tuple(dict.fromkeys(_nearest(month, day, near) for month, day in found))


def _nearest(month: int, day: int, near: date) -> date:
    years = (near.year - 1, near.year, near.year + 1)
    candidates = []
    for year in years:
        try:
            candidates.append(date(year, month, day))
        except ValueError:
            continue
    return min(candidates, key=lambda each: abs(each - near), default=near + timedelta(days=9999))
