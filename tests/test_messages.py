"""Are the keys that the code says found, and are faults of the catalogues noticed?"""

import ast
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message

from bot import messages, textkeys, textscan
from bot.texts import LOCALES
from handlers.policy import POLICY

LOCALES_FOLDER = messages.ROOT / "locales"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a copy of the catalogues that may be spoilt."""
    copy = tmp_path / "locales"
    shutil.copytree(LOCALES_FOLDER, copy)
    return copy


def test_no_text_is_missing_empty_stale_or_unfit() -> None:
    assert [str(problem) for problem in messages.problems(LOCALES_FOLDER)] == []


def test_extracting_again_changes_nothing(folder: Path) -> None:
    messages.update(folder)
    for name in ("messages.pot", *(f"{locale}/LC_MESSAGES/messages.po" for locale in LOCALES)):
        again, before = (folder / name).read_text("utf-8"), (LOCALES_FOLDER / name).read_text("utf-8")
        # The version of the tool that wrote the file says nothing about the texts.
        assert _without_tool(again) == _without_tool(before)


def _without_tool(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith('"Generated-By:')]


def test_a_first_extraction_makes_every_file_with_every_key_empty(tmp_path: Path) -> None:
    messages.update(tmp_path)
    found = {problem.message for problem in messages.problems(tmp_path)}
    assert found == {"is empty"}


def test_every_family_of_keys_is_listed_and_every_listed_family_is_used() -> None:
    assert messages.patterns() == set(textkeys.FAMILIES)


# What can go wrong with a catalogue


def _remove(catalogue: Catalog) -> None:
    catalogue.delete("menu.patient")


def _empty(catalogue: Catalog) -> None:
    _of(catalogue, "menu.patient").string = ""


def _doubt(catalogue: Catalog) -> None:
    _of(catalogue, "menu.patient").flags.add("fuzzy")


def _outlive(catalogue: Catalog) -> None:
    catalogue.add("menu.of_last_year", "An old text")


def _other_placeholder(catalogue: Catalog) -> None:
    _of(catalogue, "menu.patient").string = "Nothing to fill here"


def _unknown_placeholder(catalogue: Catalog) -> None:
    _of(catalogue, "menu.patient").string = "Call {number}, {phone}"


def _no_plural(catalogue: Catalog) -> None:
    catalogue.delete(("age.days", "age.days"))
    catalogue.delete("age.days")
    catalogue.add("age.days", "days")


def _of(catalogue: Catalog, key: str) -> Message:
    message = catalogue.get(key)
    assert message is not None
    return message


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(_remove, "en: menu.patient: is missing", id="a key is gone"),
        pytest.param(_empty, "en: menu.patient: is empty", id="nothing is said"),
        pytest.param(_doubt, "en: menu.patient: is doubtful (fuzzy)", id="the translator was not sure"),
        pytest.param(_outlive, "en: menu.of_last_year: is no longer used", id="the code forgot the key"),
        pytest.param(
            _other_placeholder,
            "locales: menu.patient: the placeholders differ between the languages",
            id="one language names no phone",
        ),
        pytest.param(_unknown_placeholder, "en: menu.patient: nothing fills number", id="no such value"),
        pytest.param(_no_plural, "en: age.days: needs plurals", id="a number without plural forms"),
    ],
)
def test_a_spoilt_catalogue_is_noticed(folder: Path, spoil: Callable[[Catalog], None], said: str) -> None:
    path = folder / "en" / "LC_MESSAGES" / "messages.po"
    catalogue = messages._read(path, "en")
    spoil(catalogue)
    messages._write(path, catalogue)
    assert said in [str(problem) for problem in messages.problems(folder)]


def test_an_old_template_is_noticed(folder: Path) -> None:
    pot = folder / "messages.pot"
    pot.write_text(pot.read_text("utf-8").replace('msgid "menu.patient"', 'msgid "menu.renamed"'), "utf-8")
    assert "locales: messages.pot: is not up to date; run `make messages`" in map(str, messages.problems(folder))


def test_a_text_that_is_no_longer_used_is_kept_as_a_comment(folder: Path) -> None:
    path = folder / "en" / "LC_MESSAGES" / "messages.po"
    path.write_text(path.read_text("utf-8") + '\nmsgid "menu.of_last_year"\nmsgstr "An old text"\n', "utf-8")
    messages.update(folder)
    assert '#~ msgstr "An old text"' in path.read_text("utf-8")
    assert messages.problems(folder) == []


def test_a_key_that_comes_back_gets_its_text_again(folder: Path) -> None:
    path = folder / "en" / "LC_MESSAGES" / "messages.po"
    before = path.read_text("utf-8")
    catalogue = messages._read(path, "en")
    (text,) = [message for message in catalogue if message.id == "menu.patient"]
    catalogue.delete("menu.patient")
    catalogue.obsolete["menu.patient"] = text
    messages._write(path, catalogue)
    assert "#~ msgid" in path.read_text("utf-8")
    messages.update(folder)
    assert _without_tool(path.read_text("utf-8")) == _without_tool(before)


# Where keys are found

BOTH: dict[str, set[str] | None] = {"a.b": set(), "a.c": set()}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param('def f(work):\n    work.answer("a.b", x=1)', {"a.b": {"x"}}, id="said directly"),
        pytest.param('def f(work, to):\n    work.say(to, "a.b", lane=1, x=1)', {"a.b": {"x"}}, id="how is no value"),
        pytest.param(
            'def f(work, yes):\n    work.note("a.b" if yes else "a.c")', {"a.b": set(), "a.c": set()}, id="either"
        ),
        pytest.param(
            'def g(work, key, **values):\n    work.answer(key, x=1, **values)\ndef f(work):\n    g(work, "a.b", y=2)',
            {"a.b": {"x", "y"}},
            id="handed on by a function, with its values",
        ),
        pytest.param(
            'def g(work, key="a.c"):\n    work.answer(key)\ndef f(work):\n    g(work, key="a.b")',
            BOTH,
            id="by name, and the default",
        ),
        pytest.param(
            'def h(work, k):\n    g(work, k)\ndef g(work, k):\n    work.note(k)\ndef f(work):\n    h(work, "a.b")',
            {"a.b": set()},
            id="handed on twice",
        ),
        pytest.param(
            'KEYS = {1: "a.b"}\ndef f(work, n):\n    work.note(KEYS.get(n, "a.c"))',
            BOTH,
            id="table",
        ),
        pytest.param(
            'def g(n):\n    return ("a.b" if n else "a.c"), {}\ndef f(work):\n    k, more = g(1)\n    work.note(k)',
            BOTH,
            id="first of two results",
        ),
        pytest.param('B = Button("a.b", "do.it", values={"x": 1})', {"a.b": {"x"}}, id="a button, not its action"),
        pytest.param('B = Button("18:00", "do.it", plain=True)', {}, id="a plain button says its own words"),
        pytest.param('T = Text("a.b", {"x": Text("a.c")})', {"a.b": {"x"}, "a.c": set()}, id="a text inside a text"),
        pytest.param('def f(work, v):\n    work.answer("a.b", **v)', {"a.b": None}, id="values that cannot be read"),
        pytest.param('from rich.text import Text\nT = Text("a.b")', {}, id="another library's class"),
        pytest.param('def f(person):\n    person.label("a.b")', {"a.b": None}, id="looked for in the story"),
        pytest.param('def f(query, toast):\n    query.answer("a.b")', {}, id="not said by us"),
        pytest.param('def f(work, n):\n    work.note(f"role.{n}")', {"role.*": set()}, id="put together at run time"),
    ],
)
def test_a_key_is_followed_to_where_it_is_said(
    tmp_path: Path, source: str, found: dict[str, set[str] | None]
) -> None:
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "x.py").write_text(source, "utf-8")
    uses = textscan.Source(tmp_path).uses()
    assert {use.text: None if use.given is None else set(use.given) for use in uses} == found


def test_a_key_in_another_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "x.py").write_text(
        "from handlers import y\ndef f(work):\n    y.tell(work, 'a.b')", "utf-8"
    )
    (tmp_path / "handlers" / "y.py").write_text("def tell(work, key):\n    work.answer(key, phone=1)", "utf-8")
    uses = textscan.Source(tmp_path).uses()
    assert [(use.text, use.given) for use in uses] == [("a.b", frozenset({"phone"}))]


def test_nothing_that_looks_like_a_key_is_overlooked() -> None:
    """Whatever has the form of a key and is not said must be known as something else, such as an action."""
    source = textscan.Source(messages.ROOT)
    said = {use.text for use in source.uses()} | set(messages.collect())
    left = {
        (module.file, node.value)
        for module in source.modules.values()
        if not module.file.startswith(("bot/store/", "bot/story/", "bot/simulation/", "bot/logs.py", "bot/texts.py"))
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and textscan.KEY.fullmatch(node.value)
        and node.value not in said
        and node.value not in POLICY
        and not _is_no_text(module, node)
    }
    assert left == set()


def _is_no_text(module: textscan._Module, node: ast.AST) -> bool:
    """Tell whether a literal is the name of an event or a table, a constant, or part of an f-string."""
    parent = module.parents[node]
    if isinstance(parent, ast.JoinedStr):
        return True
    if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Attribute):
        return parent.func.attr in ("record", "info", "warning", "error", "exception", "debug", "getLogger", "files")
    if isinstance(parent, ast.Call):
        # The kind of a dialogue and the prefix of its field names.
        return getattr(parent.func, "id", "") in ("Form", "mapped_column", "ForeignKey", "Index")
    if isinstance(parent, ast.keyword):
        return parent.arg in ("foreign_key", "names")
    if isinstance(parent, ast.BinOp):
        # The name of a file in a folder.
        return isinstance(parent.op, ast.Div)
    if isinstance(parent, ast.List):
        # Why a case was opened: the ids of rules, and of what is no rule.
        return True
    return isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name)
