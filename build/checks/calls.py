"""What Python source calls of boto3, found without importing or running it.

Names, attributes, parameters and answers of functions stand for everything that any line binds to them; the lines are
read again until nothing is added. So a client is followed through modules, objects and calls of the source's own.
"""

import ast
from collections.abc import Iterable, Mapping
from importlib.util import resolve_name

from build.checks.bindings import NOTHING, Scope, Value, inner_key, parameters, taken
from build.checks.clients import Call, Clients, Unclear


def calls_in(modules: Mapping[str, tuple[str, bytes]]) -> tuple[tuple[Call, ...], tuple[Unclear, ...]]:
    """Return what ``modules`` call, and where that cannot be told; they are place and source by dotted name.

    A package's name ends in ``.__init__``. Whether a service, or a method of it, exists is not known here.
    """
    if not any(b"boto" in source for _, source in modules.values()):
        return (), ()
    reader = _Reader(modules)
    reader.read()
    return tuple(sorted(reader.calls)), tuple(sorted(reader.unclear))


class _Reader(Clients):
    """Reads all modules over and over, until every name stands for all it can."""

    def read(self) -> None:
        while self.names.grew:
            self.names.grew = False
            unread = self.names.unread.items()  # what else is unclear, only the last round knows
            self.unclear = {Unclear(place=place, why=f"what it does: {reason}") for place, reason in unread}
            for tree, scope in self.names.tops():
                try:
                    self._run(tree.body, scope)
                except RecursionError:  # a sum of hundreds, written by a program
                    self.unclear.add(
                        Unclear(place=f"{self.names.places[scope.module]}:1", why="what it does: too deep")
                    )

    # ── statements ────────────────────────────────────────────────────────────────────────────

    def _run(self, nodes: Iterable[ast.AST], scope: Scope) -> None:
        for node in nodes:
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    self._define(node, scope)
                case ast.Import() | ast.ImportFrom():
                    self._import(node, scope)
                case ast.Assign() | ast.AnnAssign() | ast.withitem():
                    self._let(node, scope)
                case ast.For() | ast.AsyncFor():
                    self.assign(node.target, taken(self.of(node.iter, scope)), scope)
                    self._run([*node.body, *node.orelse], scope)
                case ast.Return(value=ast.expr() as value):
                    self.names.bind(scope.key, "return", self.of(value, scope))
                case ast.expr():
                    self.of(node, scope)
                case _:
                    self._run(ast.iter_child_nodes(node), scope)

    def _let(self, node: ast.Assign | ast.AnnAssign | ast.withitem, scope: Scope) -> None:
        given = node.context_expr if isinstance(node, ast.withitem) else node.value
        values = self.of(given, scope) if given else NOTHING
        target = node.optional_vars if isinstance(node, ast.withitem) else getattr(node, "target", None)
        for each in node.targets if isinstance(node, ast.Assign) else [target] if target else []:
            self.assign(each, values, scope)

    def _define(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, scope: Scope) -> None:
        inner = self.names.scopes[inner_key(scope, node)]
        self._run(node.decorator_list, scope)
        kind = "class" if inner.is_class else "function"
        self.names.bind_name(node.name, frozenset({Value(kind, inner.key)}), scope)
        if isinstance(node, ast.ClassDef):
            bases = {value.name for base in node.bases for value in self.of(base, scope) if value.kind == "class"}
            self.names.grew |= not bases <= self.names.bases[inner.key]
            self.names.bases[inner.key] |= bases
        else:
            args, every = node.args, parameters(node)
            if scope.is_class and every and every != self.names.takes(inner.key)[0]:
                self.names.bind(inner.key, every[0], {Value("object", scope.key)})
            ordered = [*args.posonlyargs, *args.args][::-1]
            by_position = zip(ordered, args.defaults[::-1], strict=False)
            for parameter, default in (*by_position, *zip(args.kwonlyargs, args.kw_defaults, strict=True)):
                if default:
                    self.names.bind(inner.key, parameter.arg, self.of(default, scope))
        self._run(node.body, inner)

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                name = alias.name if alias.asname else alias.name.partition(".")[0]
                self.names.bind_name(alias.asname or name, frozenset({Value("module", name)}), scope)
                continue
            try:
                module = resolve_name("." * node.level + (node.module or ""), self.names.package(scope))
            except ImportError:
                continue
            if alias.name == "*":
                self.names.stars[scope.module].add(module)
            else:
                self.names.bind_name(alias.asname or alias.name, self.names.member(module, alias.name), scope)
