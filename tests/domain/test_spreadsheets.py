"""A table file runs nothing in a spreadsheet, and gives every text back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.spreadsheets import RUNS, original_cell, safe_cell


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        pytest.param("=1+1", "'=1+1", id="a formula"),
        pytest.param("@SUM(A1)", "'@SUM(A1)", id="an old formula"),
        pytest.param("-P7D", "'-P7D", id="a minus that is no number"),
        pytest.param("+86 571", "'+86 571", id="a plus that is no number"),
        pytest.param("\t=1", "'\t=1", id="a tab is skipped by spreadsheets"),
        pytest.param("\r=1", "'\r=1", id="so is a line end"),
        pytest.param("＝1+1", "'＝1+1", id="wide signs count too"),
        pytest.param("'=1", "''=1", id="an apostrophe of its own"),
        pytest.param("'quoted'", "'quoted'", id="an apostrophe before a word"),
        pytest.param("-0.5", "-0.5", id="a plain number"),
        pytest.param("+3", "+3", id="a plain number with a sign"),
        pytest.param("1e-3", "1e-3", id="a plain number with a power"),
        pytest.param("-1+cmd", "'-1+cmd", id="begins like a number"),
        pytest.param("-１", "'-１", id="wide digits are no plain number"),
        pytest.param("发烧=38", "发烧=38", id="a sign in the middle"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_what_would_run_gets_an_apostrophe(text: str, cell: str) -> None:
    assert safe_cell(text) == cell
    assert original_cell(cell) == text


@given(st.text())
def test_every_text_comes_back(text: str) -> None:
    assert original_cell(safe_cell(text)) == text


@given(st.text(), st.sampled_from(RUNS))
def test_no_cell_begins_like_a_formula_unless_it_is_a_number(text: str, sign: str) -> None:
    cell = safe_cell(sign + text)
    assert cell.startswith("'") or float(cell) is not None
