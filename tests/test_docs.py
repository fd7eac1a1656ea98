"""The documents say what the code does: commands, roles, settings, links, tests of each requirement.

`python -m tests.test_docs` writes the table of settings and the tests of each requirement again.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import typer

import handlers
from bot.cli import cli, settings_table
from bot.domain.roles import Role
from bot.protocol.load import bundled
from bot.settings import PREFIX, Settings
from bot.usecases.screens import COMMANDS
from handlers.policy import POLICY

ROOT = Path(__file__).parents[1]
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
DOCUMENTS = [*READMES, *sorted((ROOT / "docs").rglob("*.md"))]
SETTINGS, REQUIREMENTS = ROOT / "docs/settings.md", ROOT / "docs/requirements.md"

each_readme = pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))

# The columns of the table of chat commands, after the command and its meaning.
COLUMNS: tuple[tuple[Role, ...], ...] = (
    (Role.PATIENT, Role.CAREGIVER),
    (Role.COORDINATOR,),
    (Role.INVESTIGATOR, Role.PI),
    (Role.MONITOR,),
    (Role.ADMIN,),
)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
REQUIREMENT = re.compile(r"^\| ((?:DI|SEC)-\d\d) \|")
MARKER = re.compile(r"mark\.req\(([^)]*)\)")
NOBODY_YET = "none yet"


def rows(document: Path) -> list[list[str]]:
    """Return the cells of every table row of a document."""
    lines = document.read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines if line.startswith("|")]


def terminal_commands(group: Any, before: str = "") -> Iterable[str]:
    """Yield every command of the terminal with the groups before it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from terminal_commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}"


@each_readme
def test_a_readme_lists_the_commands_of_the_terminal(readme: Path) -> None:
    listed = [
        row[0].removeprefix("`followup ").rstrip("`") for row in rows(readme) if row[0].startswith("`followup ")
    ]
    assert sorted(listed) == sorted(terminal_commands(typer.main.get_command(cli)))


@each_readme
def test_a_readme_lists_the_commands_of_the_chat_with_who_may_use_them(readme: Path) -> None:
    listed = {
        row[0].strip("`/"): [cell == "x" for cell in row[2:]] for row in rows(readme) if row[0].startswith("`/")
    }
    assert set(listed) == set(handlers.COMMANDS)
    for name, marks in listed.items():
        assert marks == [set(roles) <= POLICY[name] for roles in COLUMNS], name
        assert all(set(roles) <= POLICY[name] or not set(roles) & POLICY[name] for roles in COLUMNS), name


@pytest.mark.parametrize("role", list(Role))
def test_every_command_of_a_menu_is_one_that_the_role_may_use(role: Role) -> None:
    assert set(COMMANDS[role]) <= set(handlers.COMMANDS)
    assert [name for name in COMMANDS[role] if role not in POLICY[name]] == []


@each_readme
def test_a_readme_tells_the_red_chain_as_the_protocol_file_has_it(readme: Path) -> None:
    chain = bundled().chains["red"]
    told = [int(found[1]) for row in rows(readme) if (found := re.fullmatch(r"(\d+) (?:min|分钟)", row[0]))]
    assert told == [step.after_minutes for step in chain.steps]
    assert {step.repeat_minutes for step in chain.steps} == {5}
    assert re.search(r"every 5 minutes|每 5 分钟一次", readme.read_text(encoding="utf-8"))


def test_both_readmes_have_the_same_shape() -> None:
    shapes = [re.findall(r"^#+", path.read_text(encoding="utf-8"), re.MULTILINE) for path in READMES]
    assert shapes[0] == shapes[1]
    pictures = [
        re.findall(r"!\[[^\]]+\]\((docs/pictures/[^)]+)\)", path.read_text(encoding="utf-8")) for path in READMES
    ]
    assert pictures[0] == pictures[1]
    assert len(pictures[0]) == 3


def test_the_page_of_settings_shows_the_table_of_the_code() -> None:
    assert SETTINGS.read_text(encoding="utf-8").endswith(f"\n\n{settings_table()}\n"), "run python -m tests.test_docs"


def test_the_example_file_names_only_settings_that_exist() -> None:
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+", (ROOT / ".env.example").read_text(encoding="utf-8")))
    assert named <= {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}


@each_document
def test_a_document_names_only_settings_that_exist(document: Path) -> None:
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+[A-Z]", document.read_text(encoding="utf-8")))
    assert named <= {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}


@each_document
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    broken = [
        link for link in LINK.findall(document.read_text(encoding="utf-8")) if not leads_somewhere(document, link)
    ]
    assert broken == []


def leads_somewhere(document: Path, link: str) -> bool:
    if re.match(r"[a-z]+:", link):
        return link.startswith("https://")
    path, _, place = link.partition("#")
    target = (document.parent / path).resolve() if path else document
    if not target.is_relative_to(ROOT) or not target.exists():
        return False
    return not place or place in anchors(target)


def anchors(document: Path) -> set[str]:
    """Return the places of a document that a link can name, as code hosts make them from its headings."""
    headings = [
        line.lstrip("#") for line in document.read_text(encoding="utf-8").splitlines() if line.startswith("#")
    ]
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@each_document
def test_a_document_names_no_package_index_and_no_place_on_a_developers_machine(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert re.findall(r"(?i)\b[\w.-]*(?:pypi|pythonhosted|registry|mirror|artifact)[\w-]*\.[a-z]{2,}\b", text) == []
    assert re.findall(r"(?:^|[\s`(\"'=])(?:/(?:home|root|Users|work|tmp|mnt)/|[A-Z]:\\|~/)", text) == []


def test_the_index_lists_every_document() -> None:
    indexes = (ROOT / "docs/README.md", ROOT / "docs/evidence/README.md")
    listed = {
        (index.parent / link).resolve()
        for index in indexes
        for link in LINK.findall(index.read_text(encoding="utf-8"))
    }
    assert [path for path in DOCUMENTS if path.name != "README.md" and path.resolve() not in listed] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs/decisions").glob("*.md")), ids=lambda path: path.stem)
def test_a_decision_tells_date_choice_reason_and_loss(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith(f"# {page.name[:4]}. ")
    assert re.fullmatch(r"Date: \d{4}-\d\d-\d\d", lines[2])
    assert [line for line in lines if line.startswith("## ")] == ["## Choice", "## Reason", "## What was lost"]


# Requirements


def marked() -> dict[str, list[str]]:
    """Return the test files that carry each requirement's marker."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for arguments in MARKER.findall(path.read_text(encoding="utf-8")):
            for requirement in re.findall(r"(?:DI|SEC)-\d\d", arguments):
                found.setdefault(requirement, set()).add(path.relative_to(ROOT / "tests").as_posix())
    return {requirement: sorted(files) for requirement, files in found.items()}


def told(files: list[str], state: str) -> str:
    """Return what the last cell of a requirement's row has to say."""
    if not files:
        return "" if state == "later" else NOBODY_YET
    return ", ".join(f"[{Path(file).stem}](../tests/{file})" for file in files)


def test_the_requirements_name_the_tests_that_carry_their_marker() -> None:
    carried = marked()
    table = {row[0]: row for row in rows(REQUIREMENTS) if re.fullmatch(r"(?:DI|SEC)-\d\d", row[0])}
    assert set(carried) <= set(table)
    stale = [number for number, row in table.items() if row[4] != told(carried.get(number, []), row[2])]
    assert stale == [], "run python -m tests.test_docs"


def test_a_requirement_is_built_only_with_a_test_and_what_is_missing_is_told() -> None:
    deviations = {row[0] for row in rows(ROOT / "docs/deviations.md")}
    for row in rows(REQUIREMENTS):
        if re.fullmatch(r"(?:DI|SEC)-\d\d", row[0]):
            number, _, state, does, tests = row
            assert state in {"built", "in part", "later"}, number
            assert bool(does) == (state != "later"), number
            assert state != "built" or tests != NOBODY_YET, number
            assert state != "later" or (not tests and number in deviations), number


def rewrite() -> None:
    """Write the parts of the documents that follow from the code."""
    text = SETTINGS.read_text(encoding="utf-8")
    SETTINGS.write_text(text[: text.index("| variable |")] + settings_table() + "\n", encoding="utf-8")
    carried, lines = marked(), []
    for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines():
        if (found := REQUIREMENT.match(line)) is None:
            lines.append(line)
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        cells[4:] = [told(carried.get(found[1], []), cells[2])]
        lines.append("| " + " | ".join(cells) + " |")
    REQUIREMENTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    rewrite()
