"""A gap in the tablets is told when it begins, not again each day, and anew when it was over."""

from datetime import date, timedelta

import pytest

from bot.domain.adherence import AdherenceRule, adherence_flag
from bot.domain.dose_flags import URGENCY, Flag, flags, is_news
from bot.domain.urgency import Urgency, highest
from tests.domain.test_adherence import FIRST, days, last

RULE = AdherenceRule()
GOOD = "T" * 20


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        pytest.param(GOOD + "MM", (), id="two days are tolerated"),
        pytest.param(GOOD + "MMM", (Flag.RUN, Flag.SHARE), id="three in a row are 79 % of fourteen days too"),
        pytest.param(GOOD + "MHM", (), id="a pause does not count"),
        pytest.param(GOOD + "MHMM", (Flag.RUN, Flag.SHARE), id="a pause does not end a run"),
        pytest.param(GOOD + "MM?M", (Flag.SHARE,), id="an unknown day ends a run, the share stays"),
        pytest.param("T" * 8 + "MTMTMT", (Flag.SHARE,), id="3 of 14 is 79 %"),
        pytest.param("T" * 8 + "PTPTPT", (), id="parts count as half"),
        pytest.param(GOOD + "M" * 7, (Flag.LONG_RUN, Flag.RUN, Flag.SHARE), id="seven in a row"),
        pytest.param("???????", (), id="silence is no missed dose"),
    ],
)
def test_each_gap_by_itself(letters: str, expected: tuple[Flag, ...]) -> None:
    assert flags(days(letters), last(letters), RULE) == expected


@pytest.mark.parametrize(
    "letters", [GOOD + "MM", GOOD + "MMM", GOOD + "M" * 7, "T" * 8 + "MTMTMT", "T" * 8 + "PTPTPT"]
)
def test_the_most_urgent_gap_is_that_of_the_adherence_flag(letters: str) -> None:
    found = flags(days(letters), last(letters), RULE)
    urgency = highest([URGENCY[flag] for flag in found]) if found else Urgency.GREEN
    assert urgency is adherence_flag(days(letters), last(letters), RULE)


def news(letters: str, flag: Flag) -> list[int]:
    """Return on which days, from 0 on, somebody who looks every evening tells a gap."""
    told: date | None = None
    found = []
    for number in range(len(letters)):
        until = FIRST + timedelta(days=number)
        known = days(letters[: number + 1])
        if flag in flags(known, until, RULE) and is_news(flag, known, until, told, RULE):
            found.append(number)
            told = until
    return found


@pytest.mark.parametrize(
    ("letters", "flag", "expected"),
    [
        pytest.param(GOOD + "M" * 9, Flag.RUN, [22], id="once in a run"),
        pytest.param(GOOD + "M" * 9, Flag.LONG_RUN, [26], id="and once when it is long"),
        pytest.param(GOOD + "MMMTMMM", Flag.RUN, [22, 26], id="the next run is another"),
        pytest.param(GOOD + "MMMHHM", Flag.RUN, [22], id="a pause does not make a new one"),
        pytest.param(
            GOOD + "MMM" + "T" * 14 + "MMM", Flag.SHARE, [22, 39], id="a share that recovered and fell again"
        ),
        pytest.param(GOOD + "MMMTMTM", Flag.SHARE, [22], id="a share that stays low"),
    ],
)
def test_a_gap_is_told_once(letters: str, flag: Flag, expected: list[int]) -> None:
    assert news(letters, flag) == expected
