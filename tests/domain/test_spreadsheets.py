"""Does a spreadsheet run anything, and does every text come back as it was?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.spreadsheets import original_cell, safe_cell


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        pytest.param("=1+1", "'=1+1", id="a formula"),
        pytest.param("+86 571 0000", "'+86 571 0000", id="a phone number with spaces is no plain number"),
        pytest.param("-2+3", "'-2+3", id="a sum that looks like a number"),
        pytest.param("@SUM(A1)", "'@SUM(A1)", id="an old formula"),
        pytest.param("\t=1", "'\t=1", id="a tab before it"),
        pytest.param("\r=1", "'\r=1", id="a carriage return before it"),
        pytest.param("-", "'-", id="a lone dash"),
        pytest.param("-1.5", "-1.5", id="a plain number"),
        pytest.param("+38.4", "+38.4", id="a plain number with its sign"),
        pytest.param("-1.5\n", "'-1.5\n", id="a number and a line end is no plain number"),
        pytest.param("'=1", "''=1", id="an apostrophe that was there stays apart from ours"),
        pytest.param("'tis", "'tis", id="an apostrophe before a word"),
        pytest.param("S-001", "S-001", id="a code"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_cells_that_would_run_get_an_apostrophe_before_them(text: str, cell: str) -> None:
    assert safe_cell(text) == cell
    assert original_cell(cell) == text


@given(st.text(alphabet="'=+-@\t\r\n1.5a", max_size=6))
def test_every_text_comes_back(text: str) -> None:
    assert original_cell(safe_cell(text)) == text
    assert not safe_cell(text).startswith(("=", "@", "\t", "\r"))
