"""The page on exports lists every file and column; `python -m tests.exports.test_page` writes them again."""

from collections.abc import Iterator
from pathlib import Path

from bot.exports.listings import AUDIT, LISTINGS
from bot.exports.terms import shape

PAGE = Path(__file__).parents[2] / "docs/exports.md"
BEGIN = "## Listings\n"


def files_and_columns() -> str:
    """Return the generated part of the page."""
    return "\n".join([*_listings(), "", *_data_sets()]) + "\n"


def _listings() -> Iterator[str]:
    yield BEGIN
    for number, each in enumerate((*LISTINGS, *AUDIT)):
        yield from ("",) if number else ()
        yield f"### csv/{each.name}.csv\n"
        yield f"{each.about}.\n"
        yield "| column | meaning |\n| --- | --- |"
        yield from (f"| `{name}` | {_cell(about)} |" for name, about in each.columns.items())


def _data_sets() -> Iterator[str]:
    yield "## Data sets\n"
    yield "Req, Exp, Perm: as SDTMIG 3.4 has it. What has no origin stays empty, for the reason given."
    for name, domain in shape().domains.items():
        yield f"\n### sdtm/{name.lower()}.csv\n"
        yield f"{domain.label}. {domain.structure}. Key: {', '.join(domain.keys)}.\n"
        yield "| variable | label | type | length | core | terms | origin |"
        yield "| --- | --- | --- | --- | --- | --- | --- |"
        for each in domain.variables:
            origin = each.origin or f"empty: {each.missing}"
            cells = (f"`{each.name}`", each.label, each.type, each.length, each.core, each.codelist or "", origin)
            yield f"| {' | '.join(_cell(str(cell)) for cell in cells)} |"
    yield "\n### Terms\n"
    yield "| codelist | terms that may appear |\n| --- | --- |"
    yield from (f"| {name} | {_cell('; '.join(terms))} |" for name, terms in shape().codelists.items())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def test_the_page_shows_every_file_and_column() -> None:
    shown = PAGE.read_text(encoding="utf-8")
    assert shown[shown.index(BEGIN) :] == files_and_columns(), "run python -m tests.exports.test_page"


def rewrite() -> None:
    """Write the part of the page that follows from the code."""
    shown = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(shown[: shown.index(BEGIN)] + files_and_columns(), encoding="utf-8")


if __name__ == "__main__":
    rewrite()
