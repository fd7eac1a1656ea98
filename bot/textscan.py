"""Which text keys can the source say? Wherever a text is said, the key is followed to the words it can be.

Calls such as ``work.answer(key)`` take a key in a known place. From there it is followed through parameters,
local names, constants and results of functions, from one file to another; an f-string is a pattern with a star
for each value.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCES = ("bot/**/*.py", "handlers/*.py", "schedules/*.py")
# The simulator speaks to nobody, and the last files speak about keys without saying anything.
PASSED_OVER = (
    "bot/simulator/",
    "bot/protocol/",
    "bot/messages.py",
    "bot/textkeys.py",
    "bot/textscan.py",
)
KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")

# Arguments of Work.say and Work.answer that say how a message goes out, not what it says.
_HOW = frozenset(
    {
        "keyboard",
        "lane",
        "purpose",
        "about_id",
        "subject_id",
        "single_use",
        "picture",
        "document",
        "file",
        "dedupe_key",
        "due_at",
        "useful_until",
        "silent",
        "secret",
        "locale",
    }
)
_FORM = frozenset({"lines"})
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Use:
    """A key or pattern, the file that says it, and the placeholders filled there (None: not to be told)."""

    text: str
    is_pattern: bool
    file: str
    given: frozenset[str] | None
    plural: bool = False


@dataclass(frozen=True, slots=True)
class _Sink:
    """An argument that takes a text key: what fills its placeholders, and what is made of the words."""

    name: str
    position: int
    given: frozenset[str] | None = frozenset()
    forwards: bool = True  # further keyword arguments fill placeholders
    plural: bool = False
    template: str = "{}"


@dataclass(frozen=True, slots=True)
class _Found:
    """Something an expression can be: a key, a pattern, or the parameter of a function around it."""

    kind: str  # key | pattern | parameter
    value: str


_METHODS = {
    "answer": _Sink("key", 0),
    "say": _Sink("key", 1),
    "note": _Sink("key", 0),
    "text": _Sink("key", 0),
    "plural": _Sink("key", 0, frozenset({"n"}), plural=True),
}
# People of the story look for words on their phones; which values they had is another place's matter.
_LABEL = _Sink("key", 0, None)
_CLASSES = {
    "Text": _Sink("key", 0, forwards=False),
    "Button": _Sink("label", 0, forwards=False),
    "Choice": _Sink("label", 0, frozenset(), forwards=False),
    "Field": _Sink("ask", 1, forwards=False),
    "Form": _Sink("summary", 3, _FORM, forwards=False),
    "Unreadable": _Sink("reason", 0, forwards=False),
    "NotAnAnswer": _Sink("reason", 1, forwards=False),
}
NAMED_ONLY = 1000  # no call has so many arguments
# The steps of a case are told by words that become keys.
_STEP = ("bot.usecases.escalate", "step", "what")


class _Module:
    """One parsed file: its functions, constants and imports by name."""

    def __init__(self, path: Path, file: str) -> None:
        self.file = file
        self.name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        self.tree = ast.parse(path.read_text(encoding="utf-8"), file)
        # Walked once: the scan goes over all files again and again.
        self.nodes = list(ast.walk(self.tree))
        self.parents = {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}
        self.calls = [node for node in self.nodes if isinstance(node, ast.Call)]
        self.functions = {node.name: node for node in self.tree.body if isinstance(node, _Function)}
        self.constants: dict[str, ast.expr] = {}
        for node in self.tree.body:
            for target in _targets(node):
                if isinstance(target, ast.Name) and isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
                    self.constants[target.id] = node.value
        self.imports: dict[str, tuple[str, str]] = {}
        for found in self.nodes:
            if isinstance(found, ast.ImportFrom) and found.module:
                for name in found.names:
                    self.imports[name.asname or name.name] = (found.module, name.name)

    def around(self, node: ast.AST) -> list[_Function]:
        """Return the functions around a node, the innermost first."""
        found = []
        while node in self.parents:
            node = self.parents[node]
            if isinstance(node, _Function):
                found.append(node)
        return found


class Source:
    """All files together, so that a key can be followed from one to another."""

    def __init__(self, root: Path) -> None:
        self.modules: dict[str, _Module] = {}
        for pattern in SOURCES:
            for path in sorted(root.glob(pattern)):
                file = path.relative_to(root).as_posix()
                if not file.startswith(PASSED_OVER):
                    module = _Module(path, file)
                    self.modules[module.name] = module
        self.sinks: dict[tuple[str, str, str], list[_Sink]] = {
            _STEP: [_Sink("what", 2, None, template="case.step.{}")]
        }

    def uses(self) -> list[Use]:
        """Return every key and pattern that is said, once for each place."""
        found: list[Use] = []
        known = -1
        # A function that hands its parameter on to a text takes a key itself: go on until no new one turns up.
        while known != (count := sum(map(len, self.sinks.values()))):
            known = count
            found = [use for module in self.modules.values() for use in self._scan(module)]
        for module in self.modules.values():
            found += [Use(key, False, module.file, None) for key in _rows(module.nodes)]
        return found

    def _scan(self, module: _Module) -> Iterator[Use]:
        for call in module.calls:
            for sink in self._sinks_of(module, call):
                argument = _argument(call, sink)
                if argument is None:
                    continue
                given = _given(module, call, sink)
                for found in self._resolve(module, argument):
                    if found.kind == "parameter":
                        self._learn(module, call, found.value, sink, given)
                    elif sink.template == "{}":
                        yield Use(found.value, found.kind == "pattern", module.file, given, sink.plural)
                    elif found.kind == "key":
                        yield Use(sink.template.format(found.value.replace(" ", "_")), False, module.file, given)

    def _sinks_of(self, module: _Module, call: ast.Call) -> list[_Sink]:
        function = call.func
        if isinstance(function, ast.Attribute) and function.attr in _METHODS and _speaks(function):
            return [_METHODS[function.attr]]
        if isinstance(function, ast.Attribute) and function.attr == "label":
            return [_LABEL]
        name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
        if name in _CLASSES and self._is_ours(module, name):
            plain = next((each.value for each in call.keywords if each.arg == "plain"), None)
            return [] if isinstance(plain, ast.Constant) and plain.value else [_CLASSES[name]]
        target = self._function(module, function)
        if target is None:
            return []
        return [sink for (owner, of, _), sinks in self.sinks.items() if (owner, of) == target for sink in sinks]

    def _is_ours(self, module: _Module, name: str) -> bool:
        """Return whether a class is not another library's of the same name."""
        return name not in module.imports or module.imports[name][0] in self.modules

    def _function(self, module: _Module, function: ast.expr) -> tuple[str, str] | None:
        """Return the module and name of the function that is called, if it is one of ours."""
        if isinstance(function, ast.Name):
            owner = (module.name, function.id) if function.id in module.functions else module.imports.get(function.id)
        elif isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            source = module.imports.get(function.value.id)
            owner = (".".join(source), function.attr) if source else None
        else:
            return None
        if owner and owner[0] in self.modules and owner[1] in self.modules[owner[0]].functions:
            return owner
        return None

    def _learn(
        self, module: _Module, call: ast.Call, parameter: str, sink: _Sink, given: frozenset[str] | None
    ) -> None:
        """Note that the function around a call takes a key itself, in the parameter that it hands on."""
        for function in module.around(call):
            names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
            if parameter not in {*names, *(each.arg for each in function.args.kwonlyargs)}:
                continue
            if module.functions.get(function.name) is function:
                position = names.index(parameter) if parameter in names else NAMED_ONLY
                forwards = any(each.arg is None and _hands_on(module, call, each) for each in call.keywords)
                taken = _Sink(parameter, position, given, forwards, sink.plural, sink.template)
                known = self.sinks.setdefault((module.name, function.name, parameter), [])
                if taken not in known:
                    known.append(taken)
            return

    def _resolve(self, module: _Module, node: ast.expr, index: int | None = None, depth: int = 0) -> set[_Found]:
        """Return what an expression can be; ``index`` picks one of a tuple."""
        if depth > 8:
            return set()
        match node:
            case ast.Constant(value=str(words)) if index is None:
                return {_Found("key", words)} if words else set()
            case ast.JoinedStr(values=parts) if index is None:
                pieces = [part.value if isinstance(part, ast.Constant) else "*" for part in parts]
                return {_Found("pattern", "".join(map(str, pieces)))}
            case ast.IfExp(body=body, orelse=orelse):
                return self._all(module, [body, orelse], index, depth)
            case ast.BoolOp(values=values):
                return self._all(module, values, index, depth)
            case ast.Tuple(elts=elements) if index is not None and index < len(elements):
                return self._resolve(module, elements[index], None, depth + 1)
            case ast.Name(id=name):
                return self._named(module, node, name, index, depth)
            case ast.Subscript(value=ast.Name(id=name)) if name in module.constants:
                return self._values(module, module.constants[name], depth)
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner in module.imports:
                other = self.modules.get(".".join(module.imports[owner]))
                return self._resolve(other, other.constants[name]) if other and name in other.constants else set()
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="get"), args=arguments):
                if name in module.constants:
                    return self._values(module, module.constants[name], depth) | self._all(
                        module, arguments[1:], index, depth
                    )
            case ast.Call(func=function):
                target = self._function(module, function)
                if target is not None:
                    other = self.modules[target[0]]
                    returned = [
                        each.value
                        for each in ast.walk(other.functions[target[1]])
                        if isinstance(each, ast.Return) and each.value is not None
                    ]
                    found = self._all(other, returned, index, depth)
                    return {each for each in found if each.kind != "parameter"}
        return set()

    def _all(self, module: _Module, nodes: Iterable[ast.expr], index: int | None, depth: int) -> set[_Found]:
        return {found for node in nodes for found in self._resolve(module, node, index, depth + 1)}

    def _values(self, module: _Module, node: ast.expr, depth: int) -> set[_Found]:
        return self._all(module, node.values, None, depth) if isinstance(node, ast.Dict) else set()

    def _named(self, module: _Module, node: ast.expr, name: str, index: int | None, depth: int) -> set[_Found]:
        for function in module.around(node):
            assigned = [
                (each.value, position)
                for each in ast.walk(function)
                if isinstance(each, ast.Assign | ast.AnnAssign) and each.value is not None
                for target in _targets(each)
                for position in _places(target, name)
            ]
            if assigned:
                return {
                    found
                    for value, position in assigned
                    for found in self._resolve(module, value, index if position is None else position, depth + 1)
                }
            arguments = function.args
            if name in {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}:
                default = _default(function, name)
                found = self._resolve(module, default, index, depth + 1) if default is not None else set()
                return {*found, _Found("parameter", name)}
        if name in module.constants:
            return self._resolve(module, module.constants[name], index, depth + 1)
        source, original = module.imports.get(name, ("", ""))
        other = self.modules.get(source)
        if other is not None and original in other.constants:
            return self._resolve(other, other.constants[original], index, depth + 1)
        return set()


def _given(module: _Module, call: ast.Call, sink: _Sink) -> frozenset[str] | None:
    """Return the placeholders that a call fills, or None when that cannot be read."""
    if sink.given is None:
        return None
    if sink.forwards:
        if any(each.arg is None and not _hands_on(module, call, each) for each in call.keywords):
            return None
        return sink.given | {each.arg for each in call.keywords if each.arg} - _HOW - {sink.name}
    if any(each.arg == "said_with" for each in call.keywords):
        return None
    values = next((each.value for each in call.keywords if each.arg == "values"), None)
    if values is None and getattr(call.func, "id", "") == "Text" and len(call.args) > 1:
        values = call.args[1]
    if values is None:
        return sink.given
    if not isinstance(values, ast.Dict):
        return None
    return sink.given | {str(key.value) for key in values.keys if isinstance(key, ast.Constant)}


def _hands_on(module: _Module, call: ast.Call, keyword: ast.keyword) -> bool:
    """Return whether ``**values`` only hands on what the function around the call was given."""
    around = module.around(call)
    kwarg = around[0].args.kwarg if around else None
    return kwarg is not None and isinstance(keyword.value, ast.Name) and keyword.value.id == kwarg.arg


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign) else []


def _places(target: ast.expr, name: str) -> list[int | None]:
    """Return where ``name`` stands in an assignment's target: None by itself, or its place in a tuple."""
    if isinstance(target, ast.Name):
        return [None] if target.id == name else []
    if isinstance(target, ast.Tuple):
        return [at for at, each in enumerate(target.elts) if isinstance(each, ast.Name) and each.id == name]
    return []


def _default(function: _Function, name: str) -> ast.expr | None:
    arguments = function.args
    ordered = [*arguments.posonlyargs, *arguments.args]
    with_default = ordered[len(ordered) - len(arguments.defaults) :]
    pairs = [
        *zip(with_default, arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return next((value for argument, value in pairs if argument.arg == name), None)


def _speaks(function: ast.Attribute) -> bool:
    """Return whether the owner of a method is a Work or the texts, by its name."""
    owner = function.value
    name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
    return name in ("work", "self", "texts")


def _argument(call: ast.Call, sink: _Sink) -> ast.expr | None:
    named = next((each.value for each in call.keywords if each.arg == sink.name), None)
    if named is not None:
        return named
    return call.args[sink.position] if sink.position < len(call.args) else None


def _rows(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the keys of rows that say what is wrong with a table: (row, column, key, values)."""
    for node in nodes:
        match node:
            case ast.Tuple(elts=[_, _, ast.Constant(value=str(words)), ast.Dict()]) if KEY.fullmatch(words):
                yield words
