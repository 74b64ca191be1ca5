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
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

_IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_OF_THE_MACHINE = frozenset({"platform", "implementation", "os", "maxsize", "byteorder", "version_info"})
"""Names in an ``if`` that asks where the code runs: of sys, the module platform, os.name."""
_ON_LAMBDA = {"sys.platform": "linux", "os.name": "posix", "platform.system()": "Linux", "__name__": object()}
"""Expression to its value; that of a module's name is equal to nothing, and so not to ``__main__``."""
_FIND_SPEC = ast.Name("find_spec")
"""Stands for what depends on whether a module is there."""
_COMPARED: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda value, among: value in among,
    ast.NotIn: lambda value, among: value not in among,
}


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
    if any(mark in source for mark in (b":=", b"global", b"exec", b"vars", b"locals")):
        _bind_hidden(tree, names)
    return Facts(tuple(_imports(tree.body, scope)), names)


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
        case ast.Name(id=name) | ast.Attribute(attr=name):
            if name in _IMPORT_ERRORS:
                return True
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
        self._tree = tree
        self.certain = {"TYPE_CHECKING": False, "version_info": (3, minor, object())}  # any patch release

    @cached_property
    def meant(self) -> Mapping[str, ast.expr]:
        """Names that are bound once, to what; those that handlers of a failed import bind, to `_FIND_SPEC`."""
        bound: Counter[str] = Counter()
        values: dict[str, ast.expr] = {}
        told: set[str] = set()
        for node in ast.walk(self._tree):
            match node:
                case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.FunctionDef(name=name):
                    bound[name] += 1
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    values[name] = value
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    values[name] = value
                case ast.alias(name=whole, asname=asname):
                    bound[asname or whole.partition(".")[0]] += 1
                    values[asname or whole] = ast.Name(whole)
                case ast.Try() if any(isinstance(each, ast.Import | ast.ImportFrom) for each in node.body):
                    names = (each for handler in node.handlers for each in ast.walk(handler))
                    told |= {
                        each.id for each in names if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
                    }
                case _:
                    pass
        once = {name: value for name, value in values.items() if bound[name] == 1}
        return once | dict.fromkeys(told, _FIND_SPEC)


def _branches(node: ast.If, holds: bool | None) -> list[ast.stmt]:
    return [*node.body, *node.orelse] if holds is None else node.body if holds else node.orelse


def _verdict(test: ast.expr, scope: _Scope) -> bool | None:
    """Say what ``test`` gives on Lambda, where that is certain."""
    try:
        return bool(_value(test, scope))
    except (LookupError, TypeError, AttributeError, RecursionError):  # a name that leads back to itself
        return None


def _value(node: ast.AST, scope: _Scope) -> Any:
    """Return what ``node`` gives on Lambda; raise LookupError, TypeError or AttributeError where nobody knows."""
    text = ast.unparse(node)
    if text in _ON_LAMBDA:
        return _ON_LAMBDA[text]
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in scope.certain:
            return scope.certain[name]
        case ast.Name(id=name):
            return _value(scope.meant[name], scope)
        case ast.Attribute(attr="major" | "minor" as part):
            return _value(node.value, scope)[part == "minor"]
        case _:
            return _combined(node, scope)


def _combined(node: ast.AST, scope: _Scope) -> Any:
    result: Any
    match node:
        case ast.UnaryOp(op=ast.Not()):
            result = not _value(node.operand, scope)
        case ast.BoolOp(op=op):
            decisive = isinstance(op, ast.Or)
            verdicts = {_verdict(value, scope) for value in node.values}
            if decisive not in verdicts and None in verdicts:
                raise LookupError
            result = decisive if decisive in verdicts else not decisive
        case ast.Compare():
            pairs = pairwise([_value(each, scope) for each in (node.left, *node.comparators)])
            result = all(_COMPARED[type(op)](*pair) for op, pair in zip(node.ops, pairs, strict=True))
        case ast.Call(func=ast.Attribute(value=whole, attr="startswith"), args=[start]):
            result = _value(whole, scope).startswith(_value(start, scope))
        case ast.Tuple() | ast.List() | ast.Set():
            result = tuple(_value(each, scope) for each in node.elts)
        case ast.Slice(lower=None, upper=ast.Constant(value=end), step=None):
            result = slice(end)
        case ast.Subscript():
            result = _value(node.value, scope)[_value(node.slice, scope)]
        case _:
            raise LookupError
    return result


def _asks_for_what_is_there(test: ast.expr, scope: _Scope) -> bool:
    """Tell whether a condition asks for the machine, or for what is installed on it."""
    asked = _words(test)
    asked |= {word for name in asked & scope.meant.keys() for word in _words(scope.meant[name])}
    if "find_spec" in asked:
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
            case ast.Import() | ast.ImportFrom():
                _bind_imported(node, names)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    _bind_target(target, value, names)
            case ast.AnnAssign() if node.value:
                _bind_target(node.target, node.value, names)
            case ast.If():
                _bind(_branches(node, _verdict(node.test, scope)), names, scope)
            case ast.Try():
                fallback: dict[str, Definition] = {}
                _bind(node.handlers, fallback, scope)
                _bind([*node.body, *node.orelse, *node.finalbody], names, scope)
                names |= fallback | names
            case ast.stmt() | ast.ExceptHandler() | ast.match_case() | ast.withitem():
                _bind_loose(node, names)
                _bind([] if isinstance(node, ast.ClassDef) else ast.iter_child_nodes(node), names, scope)
            case _:
                pass


def _bind_imported(node: ast.Import | ast.ImportFrom, names: dict[str, Definition]) -> None:
    for alias in node.names:
        of = None
        if isinstance(node, ast.ImportFrom):
            of = Import(node.lineno, node.level, node.module or "", alias.name)
        names[alias.asname or alias.name.partition(".")[0]] = Definition(node.lineno, "", of=of)


def _bind_loose(node: ast.AST, names: dict[str, Definition]) -> None:
    """Bind what a class, a loop, a context or a ``type`` statement names."""
    if isinstance(node, ast.ClassDef):
        names[node.name] = Definition(node.lineno, "")
    elif not isinstance(node, ast.AnnAssign | ast.AugAssign):
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
            case ast.Call(ast.Name("exec")) | ast.Call(ast.Name("globals" | "vars" | "locals"), args=[]):
                names.setdefault("*", Definition(node.lineno, ""))
            case ast.Global():
                for name in node.names:
                    names.setdefault(name, Definition(node.lineno, ""))
            case _:
                pass


def _bind_target(target: ast.expr, value: ast.expr, names: dict[str, Definition]) -> None:
    if isinstance(target, ast.Name):
        names[target.id] = _function(value) if isinstance(value, ast.Lambda) else Definition(target.lineno, "")
    elif isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            _bind_target(element, element, names)
    elif isinstance(target, ast.Starred):
        _bind_target(target.value, value, names)


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Definition:
    other = {ast.AsyncFunctionDef: "async def", ast.Lambda: "lambda"}.get(type(node))
    kind = other or ("generator" if _yields(node) else "def")
    decorated = bool(getattr(node, "decorator_list", ()))
    return Definition(node.lineno, kind, decorated, _takes_two(node.args), ast.unparse(node.args))


def _yields(function: ast.AST) -> bool:
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)
    return False


def _takes_two(args: ast.arguments) -> bool:
    positional = len(args.posonlyargs) + len(args.args)
    required = positional - len(args.defaults)
    needs_keywords = any(default is None for default in args.kw_defaults)
    return required <= 2 and (positional >= 2 or args.vararg is not None) and not needs_keywords


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as stream:  # noqa: PTH123 - no heavier import than needed
        sys.stdout.write(json.dumps(facts_of(stream.read(), int(sys.argv[2]))))
