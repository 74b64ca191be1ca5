"""What a module defines, read from its text: nothing is imported."""

import ast
import warnings
from collections.abc import Iterable, Mapping
from functools import lru_cache

CallableNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

Definitions = Mapping[str, ast.AST]
"""Names bound at the top of a module, also within if, try and with; each by the last node that binds it."""


@lru_cache(maxsize=256)
def definitions(source: bytes) -> Definitions | None:
    """Return what ``source`` defines; a star import is the name ``*``.

    None for a syntax error: the build compiles every module with its runtime's Python, and this one may be older.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as an invalid escape: not ours to report
            tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    names: dict[str, ast.AST] = {}
    _bind(tree.body, names)
    return names


def takes_two(node: CallableNode) -> bool:
    """Say whether ``node`` can be called with two positional arguments and nothing else."""
    args = node.args
    positional = len(args.posonlyargs) + len(args.args)
    required = positional - len(args.defaults)
    needs_keywords = any(default is None for default in args.kw_defaults)
    return required <= 2 and (positional >= 2 or args.vararg is not None) and not needs_keywords


def _bind(nodes: Iterable[ast.AST], names: dict[str, ast.AST]) -> None:
    for node in nodes:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names[node.name] = node
            case ast.Import() | ast.ImportFrom():
                for alias in node.names:
                    names[alias.asname or alias.name.partition(".")[0]] = node
            case ast.Assign():
                for target in node.targets:
                    _bind_target(target, node.value, names)
            case ast.AnnAssign() if node.value:
                _bind_target(node.target, node.value, names)
            case ast.stmt() | ast.ExceptHandler() | ast.match_case():
                _bind(ast.iter_child_nodes(node), names)
            case _:
                pass


def _bind_target(target: ast.expr, value: ast.expr, names: dict[str, ast.AST]) -> None:
    if isinstance(target, ast.Name):
        names[target.id] = value
    elif isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            if isinstance(element, ast.Name):
                names[element.id] = target
