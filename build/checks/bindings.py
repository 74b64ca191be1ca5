"""The names that Python source binds, and everything each may stand for."""

import ast
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

MOST_STEPS = 6
"""Of attributes of a resource in a row that are followed; else a loop such as ``page = page.next`` has no end."""
_MOST_DOTS = 2
"""In names from outside that matter: ``botocore.session.get_session``."""


class Value(NamedTuple):
    """What a name may stand for."""

    kind: str
    """module (or its member), outside, session, client, resource, method, function, class, object, item."""
    name: str
    """A dotted name, a service, or the key of a scope."""
    path: tuple[str, ...] = ()
    """A resource's attributes, a method's name; of an item its key, if that is known."""
    of: "Value | None" = None
    """An item's own value."""


Values = frozenset[Value]
NOTHING: Values = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A module, class or function."""

    key: str
    """A module's dotted name; within it with the names and lines on the way."""
    module: str
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    outer: "Scope | None"
    names: frozenset[str]
    """Bound in it, not in one within."""

    @property
    def is_class(self) -> bool:
        """True for the body of a class."""
        return isinstance(self.node, ast.ClassDef)


class Bindings:
    """What every name of some modules stands for; it only grows."""

    def __init__(self, modules: Mapping[str, tuple[str, bytes]]) -> None:
        """Parse ``modules``: place and source by dotted name, a package's with ``.__init__`` at its end."""
        self.bound: defaultdict[tuple[str, str], Values] = defaultdict(frozenset)
        """By scope and name; of functions also ``return``; of objects by their outermost class and attribute."""
        self.grew = True
        self.scopes: dict[str, Scope] = {}
        self.constants: dict[tuple[str, str], str] = {}
        """Texts that modules bind once, at their top."""
        self.stars: defaultdict[str, set[str]] = defaultdict(set)
        """Modules of which a module imports ``*``."""
        self.bases: defaultdict[str, set[str]] = defaultdict(set)
        """Of classes, those of the source."""
        self.unread: dict[str, str] = {}
        """Why a place cannot be parsed."""
        self.places: dict[str, str] = {}
        """Of modules."""
        self._packages: set[str] = set()
        for name, (place, source) in modules.items():
            module = name.removesuffix(".__init__")
            if module != name:
                self._packages.add(module)
            self.places[module] = place
            self._parse(module, source)

    def tops(self) -> Iterator[tuple[ast.Module, Scope]]:
        """Yield all modules."""
        for scope in [*self.scopes.values()]:
            if isinstance(scope.node, ast.Module):
                yield scope.node, scope

    def place(self, node: ast.expr, scope: Scope) -> str:
        """Return ``functions/orders/src/app.py:12``."""
        return f"{self.places[scope.module]}:{node.lineno}"

    def package(self, scope: Scope) -> str:
        """Return what relative imports start from."""
        return scope.module if scope.module in self._packages else scope.module.rpartition(".")[0]

    def bind(self, owner: str, name: str, values: Iterable[Value]) -> None:
        """Let ``name`` stand for ``values``, too."""
        fresh = frozenset(values) - self.bound[owner, name]
        if fresh:
            self.bound[owner, name] |= fresh
            self.grew = True

    def bind_name(self, name: str, values: Values, scope: Scope) -> None:
        """Let ``name``, as it is meant in ``scope``, stand for ``values``, too."""
        self.bind(self._slot(self.owner(name, scope)), name, values)

    def bind_attribute(self, of: Value, name: str, values: Values) -> None:
        """Let an attribute of an object, class or module stand for ``values``, too."""
        if of.kind in ("object", "class"):
            self.bind(self.family(of.name)[-1], name, values)
        elif of.kind == "module" and of.name in self.scopes:
            self.bind(of.name, name, values)

    def load(self, name: str, scope: Scope) -> Values:
        """Return what ``name`` stands for in ``scope``."""
        owner = self.owner(name, scope)
        if name in owner.names:
            return self.bound[self._slot(owner), name]
        stars = frozenset(each for module in self.stars[scope.module] for each in self.bound.get((module, name), ()))
        return stars or frozenset({Value("module", name)})

    def member(self, module: str, name: str) -> Values:
        """Return what ``from module import name`` gives; of modules from outside it is only known by its name."""
        dotted = f"{module}.{name}"
        if dotted in self.places:
            return frozenset({Value("module", dotted)})
        if module in self.scopes:
            scope = self.scopes[module]
            return self.load(name, scope) if name in scope.names or self.stars[module] else NOTHING
        return frozenset({Value("module", dotted)} if dotted.count(".") <= _MOST_DOTS else outside(dotted))

    def attribute(self, key: str, name: str) -> Values:
        """Return what an attribute of a class, or of its objects, stands for."""
        return self.bound[self.family(key)[-1], name]

    def is_property(self, key: str) -> bool:
        """Tell whether a function's answer is what its name stands for."""
        return not {"property", "cached_property"}.isdisjoint(self._decorators(key))

    def takes(self, key: str) -> tuple[list[str], str]:
        """Return the names of what a function or class takes, in order, and what they are bound in."""
        scope = self.scopes.get(key)
        if scope is None:  # a lambda
            return [], key
        if isinstance(scope.node, ast.ClassDef):
            family = self.family(key)
            for each in family:
                for init in (found for found in self.scopes if found.startswith(f"{each}:__init__:")):
                    return self.takes(init)
            fields = (node.target for node in scope.node.body if isinstance(node, ast.AnnAssign))
            return [each.id for each in fields if isinstance(each, ast.Name)], family[-1]
        every = parameters(scope.node) if not isinstance(scope.node, ast.Module) else []
        is_method = scope.outer and scope.outer.is_class and "staticmethod" not in self._decorators(key)
        return every[1:] if is_method else every, key

    def owner(self, name: str, scope: Scope) -> Scope:
        """Return the scope whose ``name`` is meant in ``scope``: the module, if none binds it."""
        at = scope
        while at.outer and not (name in at.names and (at is scope or not at.is_class)):
            at = at.outer
        return at

    def family(self, key: str) -> list[str]:
        """Return the class and those of its bases that are of the source; the last stands for all of them."""
        found = [key]
        for each in found:
            found += sorted(self.bases[each] - {*found})
        return found

    def _slot(self, owner: Scope) -> str:
        return self.family(owner.key)[-1] if owner.is_class else owner.key

    def _decorators(self, key: str) -> set[str]:
        nodes = getattr(self.scopes[key].node, "decorator_list", ()) if key in self.scopes else ()
        return {str(getattr(node, "id", "") or getattr(node, "attr", "")) for node in nodes}

    def _parse(self, module: str, source: bytes) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # such as an invalid escape: not ours to report
                tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as reason:
            place = f"{self.places[module]}:{getattr(reason, 'lineno', None) or 1}"
            self.unread[place] = getattr(reason, "msg", None) or str(reason)
            return
        self._enter(module, module, tree, None)
        stored = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
        counts = Counter(node.id for node in stored)
        for node in tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))) if counts[name] == 1:
                    self.constants[module, name] = text
                case _:
                    pass

    def _enter(
        self,
        key: str,
        module: str,
        node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
        outer: Scope | None,
    ) -> None:
        names = set() if isinstance(node, ast.Module | ast.ClassDef) else set(parameters(node))
        elsewhere: set[str] = set()
        within: list[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef] = []
        waiting: list[ast.AST] = [*node.body]
        while waiting:
            each = waiting.pop()
            match each:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    names.add(name)
                    within.append(each)
                    continue
                case ast.Name(id=name, ctx=ast.Store()):
                    names.add(name)
                case ast.alias(name=name, asname=asname):
                    names.add(asname or name.partition(".")[0])
                case ast.Global(names=others) | ast.Nonlocal(names=others):
                    elsewhere |= {*others}
                case _:
                    pass
            waiting += ast.iter_child_nodes(each)
        scope = Scope(key=key, module=module, node=node, outer=outer, names=frozenset(names - elsewhere))
        self.scopes[key] = scope
        for each in within:
            self._enter(inner_key(scope, each), module, each, scope)


def inner_key(scope: Scope, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Return the key of what ``scope`` defines."""
    return f"{scope.key}:{node.name}:{node.lineno}"


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Return the names of a function's parameters, those by position first."""
    args = node.args
    stars = (each for each in (args.vararg, args.kwarg) if each)
    return [each.arg for each in (*args.posonlyargs, *args.args, *args.kwonlyargs, *stars)]


def outside(dotted: str) -> Values:
    """Return what stands for all that code of others gives; only its top-level module is remembered."""
    return frozenset({Value("outside", dotted.partition(".")[0])})


def item(value: Value, key: str) -> Value:
    """Return ``value`` as part of a list, tuple or dict, one deep."""
    return Value("item", "", (key,) if key else (), bare(value))


def bare(value: Value) -> Value:
    """Return what an item is, and anything else as it is."""
    return value.of or value


def taken(values: Values, key: str = "") -> Values:
    """Return what is in ``values``, maybe only under ``key``; what resources give in lists are resources, too."""
    inside = {each.of for each in values if each.of and (not key or not each.path or each.path == (key,))}
    return frozenset(inside | {each for each in values if each.kind == "resource"})
