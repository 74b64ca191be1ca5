"""What the text of a module says of it: which imports it needs, which names it defines. Nothing is imported.

Also a program of its own, ``python facts.py <file> <minor>``, for syntax that the Python of Slipway is too old for: so
it uses nothing but the standard library of 3.10.
"""

import ast
import json
import operator
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

_IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_OF_THE_MACHINE = frozenset({"platform", "implementation", "os", "maxsize", "byteorder", "version_info"})
"""Names in an ``if`` that asks where the code runs: of sys, the module platform, os.name."""
_COMPARED = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda value, among: value in among,
    ast.NotIn: lambda value, among: value not in among,
}
_BINDING_MARKS = (b":=", b"global", b"exec", b"vars", b"locals")


class Import(NamedTuple):
    """One name that one statement imports and that must be there when the statement runs."""

    line: int
    level: int
    """Leading dots."""
    module: str
    """Behind the dots; may be empty if there are any."""
    name: str
    """What ``from module import name`` wants of it, maybe ``*``; empty for ``import module``."""
    when: "tuple[tuple[bool, tuple[Import, ...]], ...]" = ()
    """It is come to only where each of these imports as a whole succeeds (True: ``else:``) or fails (``except:``)."""

    def base(self, importer: str, *, is_package: bool) -> str | None:
        """Return the absolute name of the module it names; None where dots lead out of the package."""
        if not self.level:
            return self.module
        parts = importer.split(".")
        up = self.level - 1 if is_package else self.level
        if up >= len(parts):
            return None
        return ".".join([*parts[: len(parts) - up], *([self.module] if self.module else [])])


class Definition(NamedTuple):
    """A name that a module binds at its top."""

    line: int
    kind: str
    """``def``, ``async def``, ``generator``, ``lambda``; empty for everything else."""
    decorated: bool = False
    takes_two: bool = True
    """Can be called with two positional arguments."""
    arguments: str = ""
    """As they are written."""
    of: Import | None = None
    """Where ``from module import name`` has it from."""


class Facts(NamedTuple):
    """What a module says."""

    imports: tuple[Import, ...]
    """Those that may fail are left out: under TYPE_CHECKING, for other platforms, where ImportError is caught."""
    names: Mapping[str, Definition]
    """Bound at the top, also within if, try and with, each by the last statement that Lambda comes to; what an
    ``except`` binds only where nothing else does. A star import is ``*``."""


def facts_of(source: bytes, minor: int) -> Facts:
    """Return what ``source`` says to Python 3.``minor``; raise SyntaxError or ValueError if it is no Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as an invalid escape: not ours to report
        tree = ast.parse(source)
    scope = _Scope(tree, minor)
    names: dict[str, Definition] = {}
    _bind(tree.body, names, scope)
    if any(mark in source for mark in _BINDING_MARKS):
        _bind_hidden(tree, names)
    if b"yield" in source:
        _mark_generators(tree, names)
    return Facts(tuple(_imports(tree.body, scope)), names)


def parsed(text: str) -> Facts:
    """Read what this program prints."""
    imports, names = json.loads(text)
    defined = {name: Definition(*row, of=_import(of) if of else None) for name, (*row, of) in names.items()}
    return Facts(tuple(map(_import, imports)), defined)


def _import(row: list[Any]) -> Import:
    *plain, when = row
    return Import(*plain, when=tuple((succeeds, tuple(map(_import, rows))) for succeeds, rows in when))


# ── imports ───────────────────────────────────────────────────────────────────────────────────


def _imports(nodes: Iterable[ast.AST], scope: "_Scope") -> Iterator[Import]:
    for node in nodes:
        match node:
            case ast.Import():
                yield from (Import(node.lineno, 0, alias.name, "") for alias in node.names)
            case ast.ImportFrom():
                yield from (Import(node.lineno, node.level, node.module or "", alias.name) for alias in node.names)
            case ast.If():
                holds = _verdict(node.test, scope)
                if holds is not None or not _asks_for_what_is_there(node.test, scope):
                    yield from _imports(_branches(node, holds), scope)
            case ast.Try():
                yield from _tried(node, scope)
            case ast.With() if any(_suppresses(item.context_expr, scope) for item in node.items):
                pass
            case ast.stmt() | ast.ExceptHandler() | ast.match_case():
                yield from _imports(ast.iter_child_nodes(node), scope)
            case _:
                pass


def _tried(node: ast.Try, scope: "_Scope") -> Iterator[Import]:
    body = tuple(_imports(node.body, scope))
    catching = next((handler for handler in node.handlers if _catches(handler.type, scope)), None)
    if catching is None or isinstance(catching.body[-1], ast.Raise):
        yield from body
    for handler in node.handlers:
        fallback = _imports(handler.body, scope)
        yield from _where(body, fallback, succeeds=False) if handler is catching else fallback
    yield from _where(body, _imports(node.orelse, scope), succeeds=True)
    yield from _imports(node.finalbody, scope)


def _where(tried: tuple[Import, ...], imports: Iterable[Import], *, succeeds: bool) -> Iterator[Import]:
    return (each._replace(when=((succeeds, tried), *each.when)) for each in imports)


def _catches(caught: ast.expr | None, scope: "_Scope") -> bool:
    """Tell whether an ``except`` takes the ImportError of the lines above it."""
    match caught:
        case None:
            return True
        case ast.Tuple():
            return any(_catches(each, scope) for each in caught.elts)
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in _IMPORT_ERRORS:
            return True
        case ast.Name(id=name):
            meant = scope.meant.get(name)
            return isinstance(meant, ast.Tuple) and _catches(meant, scope)
        case _:
            return False


def _suppresses(context: ast.expr, scope: "_Scope") -> bool:
    match context:
        case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"), args=errors):
            return any(_catches(error, scope) for error in errors)
        case _:
            return False


# ── conditions ────────────────────────────────────────────────────────────────────────────────


class _Scope:
    """What conditions of a module lean on."""

    def __init__(self, tree: ast.Module, minor: int) -> None:
        self._tree, self.minor = tree, minor

    @cached_property
    def meant(self) -> Mapping[str, ast.expr]:
        """Names that are bound once, to what; only asked for where a condition has a name."""
        bound: Counter[str] = Counter()
        values: dict[str, ast.expr] = {}
        for node in ast.walk(self._tree):
            match node:
                case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.FunctionDef(name=name):
                    bound[name] += 1
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    values[name] = value
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    values[name] = value
                case ast.alias(name="TYPE_CHECKING", asname=str(name)):
                    bound[name] += 1
                    values[name] = ast.Name("TYPE_CHECKING")
                case ast.alias():
                    bound[node.asname or node.name.partition(".")[0]] += 1
                case _:
                    pass
        return {name: value for name, value in values.items() if bound[name] == 1}

    @cached_property
    def told_by_failure(self) -> frozenset[str]:
        """Names that an ``except ImportError`` binds: they say whether an import succeeded."""
        tries = (node for node in ast.walk(self._tree) if isinstance(node, ast.Try))
        caught = (handler for node in tries for handler in node.handlers if _catches(handler.type, self))
        return frozenset(
            node.id
            for handler in caught
            for node in ast.walk(handler)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        )


def _branches(node: ast.If, holds: bool | None) -> list[ast.stmt]:
    return [*node.body, *node.orelse] if holds is None else node.body if holds else node.orelse


def _verdict(test: ast.expr, scope: _Scope) -> bool | None:
    """Say what ``test`` gives on Lambda, where that is certain."""
    try:
        return bool(_value(test, scope))
    except (LookupError, TypeError, AttributeError, RecursionError):  # a name that leads back to itself
        return None


def _value(node: ast.expr, scope: _Scope) -> Any:
    """Return what ``node`` gives on Lambda; raise LookupError, TypeError or AttributeError where nobody knows."""
    match node:
        case ast.Constant():
            return node.value
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return False
        case ast.Name(id="__name__"):
            return object()  # equal to nothing, and so not to "__main__"
        case ast.Name(id="version_info") | ast.Attribute(attr="version_info"):
            return (3, scope.minor, object())  # the patch release cannot be compared
        case ast.Attribute(attr="major" | "minor" as part):
            return _value(node.value, scope)[part == "minor"]
        case ast.Attribute(value=ast.Name(id="sys"), attr="platform"):
            return "linux"
        case ast.Attribute(value=ast.Name(id="os"), attr="name"):
            return "posix"
        case ast.Call(func=ast.Attribute(value=ast.Name(id="platform"), attr="system")):
            return "Linux"
        case ast.Call(func=ast.Attribute(value=text, attr="startswith"), args=[start]):
            return _value(text, scope).startswith(_value(start, scope))
        case ast.Name():
            return _value(scope.meant[node.id], scope)
        case ast.Tuple() | ast.List() | ast.Set():
            return tuple(_value(each, scope) for each in node.elts)
        case ast.Subscript(slice=ast.Slice(lower=None, upper=ast.Constant(value=end), step=None)):
            return _value(node.value, scope)[:end]
        case ast.Subscript():
            return _value(node.value, scope)[_value(node.slice, scope)]
        case _:
            return _combined(node, scope)


def _combined(node: ast.expr, scope: _Scope) -> bool:
    match node:
        case ast.UnaryOp(op=ast.Not()):
            return not _value(node.operand, scope)
        case ast.BoolOp(op=op):
            decisive = isinstance(op, ast.Or)
            verdicts = {_verdict(value, scope) for value in node.values}
            if decisive not in verdicts and None in verdicts:
                raise LookupError
            return decisive if decisive in verdicts else not decisive
        case ast.Compare():
            pairs = pairwise([_value(each, scope) for each in (node.left, *node.comparators)])
            return all(_COMPARED[type(op)](*pair) for op, pair in zip(node.ops, pairs, strict=True))
        case _:
            raise LookupError


def _asks_for_what_is_there(test: ast.expr, scope: _Scope) -> bool:
    """Tell whether a condition asks for the machine, or for what is installed on it."""
    asked = _words(test)
    asked |= {word for name in asked & scope.meant.keys() for word in _words(scope.meant[name])}
    if "find_spec" in asked or not asked.isdisjoint(scope.told_by_failure):
        return True
    return asked.isdisjoint({"environ", "getenv", "path"}) and not asked.isdisjoint(_OF_THE_MACHINE)


def _words(node: ast.expr) -> set[str]:
    words = (getattr(each, "id", None) or getattr(each, "attr", None) for each in ast.walk(node))
    return {word for word in words if word}


# ── names ─────────────────────────────────────────────────────────────────────────────────────


def _bind(nodes: Iterable[ast.AST], names: dict[str, Definition], scope: _Scope) -> None:
    for node in nodes:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                names[node.name] = _function(node)
            case ast.ClassDef():
                names[node.name] = Definition(node.lineno, "")
            case ast.Import():
                for alias in node.names:
                    names[alias.asname or alias.name.partition(".")[0]] = Definition(node.lineno, "")
            case ast.ImportFrom(module=module):
                for alias in node.names:
                    of = Import(node.lineno, node.level, module or "", alias.name)
                    names[alias.asname or alias.name] = Definition(node.lineno, "", of=of)
            case ast.If():
                _bind(_branches(node, _verdict(node.test, scope)), names, scope)
            case ast.Try():
                fallback: dict[str, Definition] = {}
                _bind(node.handlers, fallback, scope)
                _bind([*node.body, *node.orelse, *node.finalbody], names, scope)
                for name, definition in fallback.items():
                    names.setdefault(name, definition)
            case ast.Assign():
                for target in node.targets:
                    _bind_target(target, node.value, names)
            case ast.AnnAssign() if node.value:
                _bind_target(node.target, node.value, names)
            case ast.stmt() | ast.ExceptHandler() | ast.match_case() | ast.withitem():
                _bind_loose(node, names)
                _bind(ast.iter_child_nodes(node), names, scope)
            case _:
                pass


def _bind_loose(node: ast.AST, names: dict[str, Definition]) -> None:
    """Bind what a loop, a context or a ``type`` statement names."""
    if not isinstance(node, ast.AnnAssign | ast.AugAssign):
        for field in ("target", "optional_vars", "name"):
            target = getattr(node, field, None)
            if isinstance(target, ast.expr):
                _bind_target(target, target, names)


def _bind_hidden(tree: ast.Module, names: dict[str, Definition]) -> None:
    """Bind what expressions and functions may: by ``:=``, by ``global``, and anything at all by globals() and exec."""
    for node in ast.walk(tree):
        match node:
            case ast.NamedExpr(target=ast.Name(id=name)):
                names.setdefault(name, Definition(node.lineno, ""))
            case ast.Call(func=ast.Name(id="exec")) | ast.Call(func=ast.Name(id="globals" | "vars" | "locals"), args=[]):
                names.setdefault("*", Definition(node.lineno, ""))
            case ast.Global():
                for name in node.names:
                    names.setdefault(name, Definition(node.lineno, ""))
            case _:
                pass


def _mark_generators(tree: ast.Module, names: dict[str, Definition]) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and _yields(node.body):
            bound = names.get(node.name)
            if bound and bound.line == node.lineno:
                names[node.name] = bound._replace(kind="generator")


def _bind_target(target: ast.expr, value: ast.expr, names: dict[str, Definition]) -> None:
    if isinstance(target, ast.Name):
        names[target.id] = _lambda(value) if isinstance(value, ast.Lambda) else Definition(target.lineno, "")
    elif isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            _bind_target(element, element, names)
    elif isinstance(target, ast.Starred):
        _bind_target(target.value, value, names)


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Definition:
    kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    return Definition(node.lineno, kind, bool(node.decorator_list), _takes_two(node.args), ast.unparse(node.args))


def _lambda(node: ast.Lambda) -> Definition:
    return Definition(node.lineno, "lambda", False, _takes_two(node.args), ast.unparse(node.args))


def _yields(nodes: Iterable[ast.AST]) -> bool:
    for node in nodes:
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        is_another = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef)
        if not is_another and _yields(ast.iter_child_nodes(node)):
            return True
    return False


def _takes_two(args: ast.arguments) -> bool:
    positional = len(args.posonlyargs) + len(args.args)
    required = positional - len(args.defaults)
    needs_keywords = any(default is None for default in args.kw_defaults)
    return required <= 2 and (positional >= 2 or args.vararg is not None) and not needs_keywords


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as stream:  # noqa: PTH123 - no heavier import than needed
        sys.stdout.write(json.dumps(facts_of(stream.read(), int(sys.argv[2]))))
