"""What the text of a module says of it: which imports it needs, which names it defines. Nothing is imported.

Also a program of its own, ``python facts.py <file> <minor>``, for syntax that the Python of Slipway is too old for: so
it uses nothing but the standard library of 3.10.
"""

import ast
import json
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

_IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_OF_THE_MACHINE = frozenset({"platform", "implementation", "os", "maxsize", "byteorder"})
"""Names in an ``if`` that asks where the code runs: of sys, the module platform, os.name."""
_COMPARED = {
    ast.Lt: tuple.__lt__,
    ast.LtE: tuple.__le__,
    ast.Gt: tuple.__gt__,
    ast.GtE: tuple.__ge__,
    ast.Eq: tuple.__eq__,
    ast.NotEq: tuple.__ne__,
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


class Facts(NamedTuple):
    """What a module says."""

    imports: tuple[Import, ...]
    """Those that may fail are left out: under TYPE_CHECKING, for other platforms, where ImportError is caught."""
    names: Mapping[str, Definition]
    """Bound at the top, also within if, try and with, each by the last statement; a star import is ``*``."""


def facts_of(source: bytes, minor: int) -> Facts:
    """Return what ``source`` says to Python 3.``minor``; raise SyntaxError or ValueError if it is no Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as an invalid escape: not ours to report
        tree = ast.parse(source)
    names: dict[str, Definition] = {}
    _bind(tree.body, names)
    if b":=" in source or b"global" in source:
        _bind_hidden(tree, names)
    if b"yield" in source:
        _mark_generators(tree, names)
    return Facts(tuple(_imports(tree.body, minor)), names)


def parsed(text: str) -> Facts:
    """Read what this program prints."""
    imports, names = json.loads(text)
    return Facts(tuple(Import(*each) for each in imports), {name: Definition(*each) for name, each in names.items()})


# ── imports ───────────────────────────────────────────────────────────────────────────────────


def _imports(nodes: Iterable[ast.AST], minor: int) -> Iterator[Import]:
    for node in nodes:
        match node:
            case ast.Import():
                yield from (Import(node.lineno, 0, alias.name, "") for alias in node.names)
            case ast.ImportFrom():
                yield from (Import(node.lineno, node.level, node.module or "", alias.name) for alias in node.names)
            case ast.If():
                yield from _imports(_branches(node, minor), minor)
            case ast.Try() if any(_catches(handler.type) for handler in node.handlers):
                yield from _imports(node.finalbody, minor)
            case ast.With() if any(_suppresses(item.context_expr) for item in node.items):
                pass
            case ast.stmt() | ast.ExceptHandler() | ast.match_case():
                yield from _imports(ast.iter_child_nodes(node), minor)
            case _:
                pass


def _branches(node: ast.If, minor: int) -> list[ast.stmt]:
    """Return the statements of ``node`` that Lambda may come to, without those that depend on the machine."""
    holds = _verdict(node.test, minor)
    if holds is None:
        return [] if _asks_for_the_machine(node.test) else [*node.body, *node.orelse]
    return node.body if holds else node.orelse


def _verdict(test: ast.expr, minor: int) -> bool | None:
    """Say what ``test`` gives on Lambda, where that is certain."""
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return False
        case ast.UnaryOp(op=ast.Not()):
            holds = _verdict(test.operand, minor)
            return None if holds is None else not holds
        case ast.BoolOp(op=op):
            decisive = isinstance(op, ast.Or)
            verdicts = {_verdict(value, minor) for value in test.values}
            return decisive if decisive in verdicts else None if None in verdicts else not decisive
        case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")]):
            return False
        case ast.Compare(left=ast.Attribute(attr="version_info"), ops=[op], comparators=[ast.Tuple(elts=elements)]):
            wanted = tuple(element.value for element in elements if isinstance(element, ast.Constant))
            compare = _COMPARED.get(type(op))
            if compare and len(wanted) == len(elements) <= 2 and all(isinstance(part, int) for part in wanted):
                # A runtime's patch release is at least 0, and version_info is longer than what it is compared with.
                return bool(compare((3, minor, 0), wanted))
        case _:
            pass
    return None


def _asks_for_the_machine(test: ast.expr) -> bool:
    asked = {getattr(node, "id", None) or getattr(node, "attr", None) for node in ast.walk(test)}
    if "environ" in asked or "getenv" in asked or "path" in asked:
        return False
    return not asked.isdisjoint({*_OF_THE_MACHINE, "version_info"})


def _catches(caught: ast.expr | None) -> bool:
    """Tell whether an ``except`` takes the ImportError of the lines above it."""
    match caught:
        case None:
            return True
        case ast.Tuple():
            return any(map(_catches, caught.elts))
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in _IMPORT_ERRORS
        case _:
            return False


def _suppresses(context: ast.expr) -> bool:
    match context:
        case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"), args=errors):
            return any(map(_catches, errors))
        case _:
            return False


# ── names ─────────────────────────────────────────────────────────────────────────────────────


def _bind(nodes: Iterable[ast.AST], names: dict[str, Definition]) -> None:
    for node in nodes:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                names[node.name] = _function(node)
            case ast.ClassDef():
                names[node.name] = Definition(node.lineno, "")
            case ast.Import() | ast.ImportFrom():
                for alias in node.names:
                    names[alias.asname or alias.name.partition(".")[0]] = Definition(node.lineno, "")
            case ast.Assign():
                for target in node.targets:
                    _bind_target(target, node.value, names)
            case ast.AnnAssign() if node.value:
                _bind_target(node.target, node.value, names)
            case ast.stmt() | ast.ExceptHandler() | ast.match_case() | ast.withitem():
                _bind_loose(node, names)
                _bind(ast.iter_child_nodes(node), names)
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
    """Bind what expressions and functions may: by ``:=``, by ``global``, and anything at all by globals()."""
    for node in ast.walk(tree):
        match node:
            case ast.NamedExpr(target=ast.Name(id=name)) | ast.Call(func=ast.Name(id="globals" as name)):
                names.setdefault("*" if name == "globals" else name, Definition(node.lineno, ""))
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
