"""boto3's clients and resources as expressions pass them on, and what is called of them."""

import ast
import builtins
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from build.checks.bindings import MOST_STEPS, NOTHING, Bindings, Scope, Value, Values, bare, item, outside, taken

_MAKERS = {
    "boto3.client": "client",
    "boto3.resource": "resource",
    **dict.fromkeys(("boto3.Session", "boto3.session.Session", "aioboto3.Session"), "session"),
    **dict.fromkeys(("botocore.session.Session", "botocore.session.get_session"), "session"),
    **dict.fromkeys(("aiobotocore.session.AioSession", "aiobotocore.session.get_session"), "session"),
}
_ASK_NOTHING = {"can_paginate", "close", "exceptions", "meta", "waiter_names"}
"""Of a client; a resource's `meta` leads to one."""
_NAMED = {"get_paginator": "", "generate_presigned_url": "", "get_waiter": "get_waiter"}
"""Methods of a client that are told by their first argument what they are for, with what goes before it."""
_NAMES = ("operation_name", "waiter_name", "ClientMethod")
_OF_PYTHON = {
    **dict.fromkeys("list tuple set sorted reversed iter next enumerate cast typing.cast copy.copy".split(), True),
    **dict.fromkeys(
        "bool hasattr id isinstance print repr str type vars getattr super dataclasses.field".split(), False
    ),
}
"""Functions that keep nothing, and whether they give back what they are given, or what is in it."""
_LOOKS_LIKE_A_CLIENT = re.compile(
    r"(.*_)?(client|dynamodb|ddb|iam|kms|lambda|s3|secretsmanager|ses|sns|sqs|ssm|sts|table|bucket|queue|topic)_?"
)
_LOOKS_LIKE_A_CALL = re.compile(
    r"(abort|batch|complete|copy|create|delete|describe|download|generate|get|head|list|put|receive|scan|send|start|"
    r"stop|tag|transact|untag|update|upload)_[a-z_0-9]+|invoke|publish|query|scan"
)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Call:
    """One place that calls something of a client or resource, or makes ready to."""

    service: str
    """As boto3 names it."""
    path: tuple[str, ...]
    """A client's method, or ``get_waiter`` and its name; of a resource every attribute on the way: Table, put_item."""
    is_resource: bool
    place: str
    """``functions/orders/src/app.py:12``."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Unclear:
    """A place that calls something nobody can tell without running it."""

    place: str
    why: str


class Clients:
    """Follows clients and resources through expressions, and notes what is called of them."""

    def __init__(self, modules: Mapping[str, tuple[str, bytes]]) -> None:
        """Take ``modules`` as `Bindings` does."""
        self.names = Bindings(modules)
        self.calls: set[Call] = set()
        self.unclear: set[Unclear] = set()

    def assign(self, target: ast.expr, values: Values, scope: Scope) -> None:
        """Let ``target`` stand for ``values``, too."""
        match target:
            case ast.Name(id=name):
                self.names.bind_name(name, values, scope)
            case ast.Attribute(value=whole, attr=name):
                for each in self.of(whole, scope):
                    self.names.bind_attribute(each, name, values)
            case ast.Subscript(value=whole, slice=key):
                self.of(key, scope)
                self.assign(whole, frozenset(item(each, _key(key)) for each in values), scope)
            case ast.Starred(value=whole):
                self.assign(whole, values, scope)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                starred = any(isinstance(each, ast.Starred) for each in parts)
                for index, part in enumerate(parts):
                    self.assign(part, taken(values, "" if starred else str(index)), scope)
            case _:
                pass

    def of(self, node: ast.AST, scope: Scope) -> Values:
        """Return what an expression may stand for; everything in it is read."""
        match node:
            case ast.Name(id=name):
                return self.names.load(name, scope)
            case ast.Attribute():
                return self._attribute(node, scope)
            case ast.Call():
                return self._call(node, scope)
            case ast.Subscript(value=whole, slice=key):
                self.of(key, scope)
                return taken(self.of(whole, scope), _key(key))
            case _:
                return self._parts(node, scope) | self._either(node, scope)

    def _parts(self, node: ast.AST, scope: Scope) -> Values:
        """Return what is in a list, tuple, dict or the like."""
        parts: list[tuple[str, ast.expr]] = []
        match node:
            case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
                parts = [(str(index), part) for index, part in enumerate(elements)]
            case ast.Dict(keys=keys, values=elements):
                parts = [(_key(key), part) for key, part in zip(keys, elements, strict=True)]
            case ast.ListComp(elt=part) | ast.SetComp(elt=part) | ast.GeneratorExp(elt=part) | ast.DictComp(value=part):
                for each in node.generators:
                    self.assign(each.target, taken(self.of(each.iter, scope)), scope)
                    for test in each.ifs:
                        self.of(test, scope)
                parts = [("", part)]
            case _:
                return NOTHING
        return frozenset(item(value, key) for key, part in parts for value in self.of(part, scope))

    def _either(self, node: ast.AST, scope: Scope) -> Values:
        """Return what an expression stands for that is one of others; of any other, only read what is in it."""
        values = NOTHING
        match node:
            case (
                ast.Tuple() | ast.List() | ast.Set() | ast.Dict() | ast.ListComp() | ast.SetComp() | ast.GeneratorExp()
            ):
                pass
            case ast.NamedExpr(target=target, value=value):
                values = self.of(value, scope)
                self.assign(target, values, scope)
            case ast.IfExp(body=body, orelse=orelse, test=test):
                self.of(test, scope)
                values = self.of(body, scope) | self.of(orelse, scope)
            case ast.BoolOp(values=parts):
                values = frozenset(value for part in parts for value in self.of(part, scope))
            case ast.Await(value=value) | ast.Starred(value=value):
                values = self.of(value, scope)
            case ast.Lambda(body=value):
                key = f"{scope.key}:lambda:{node.lineno}:{node.col_offset}"
                self.names.bind(key, "return", self.of(value, scope))
                values = frozenset({Value("function", key)})
            case ast.Yield(value=ast.expr() as value):
                given = self.of(value, scope)  # by a context manager, or by a generator
                self.names.bind(scope.key, "return", given | {item(each, "") for each in given})
            case _:
                for each in ast.iter_child_nodes(node):
                    self.of(each, scope)
        return values

    def _attribute(self, node: ast.Attribute, scope: Scope, *, is_called: bool = False) -> Values:
        values = self.of(node.value, scope)
        looks_so = _LOOKS_LIKE_A_CALL.fullmatch(node.attr) and _LOOKS_LIKE_A_CLIENT.fullmatch(_last(node.value))
        if is_called and looks_so and all(map(_may_be_a_client, values)):
            self._say(node, scope, f"what `{ast.unparse(node.value)}` is in `{ast.unparse(node)}`")
        return frozenset(found for value in values for found in self._attribute_of(value, node, scope))

    def _attribute_of(self, value: Value, node: ast.Attribute, scope: Scope) -> Values:
        attr, found = node.attr, NOTHING
        match value.kind:
            case "outside":
                found = frozenset({value})
            case "module":
                found = self.names.member(value.name, attr)
            case "session" if attr in ("client", "resource", "create_client"):
                found = frozenset({Value("module", "boto3.resource" if attr == "resource" else "boto3.client")})
            case "client" if attr not in _ASK_NOTHING:
                if attr not in _NAMED:
                    self._called(value.name, (attr,), node, scope)
                found = frozenset({Value("method", value.name, (attr,))})
            case "resource" if attr == "meta" or value.path[-1:] == ("meta",):
                client = Value("client", value.name)
                found = frozenset({client if attr == "client" else value._replace(path=("meta",))})
            case "resource" if len(value.path) < MOST_STEPS:
                path = (*value.path, attr)
                self._called(value.name, path, node, scope, is_resource=True)
                found = frozenset({value._replace(path=path)})
            case "object" | "class":
                found = self.names.attribute(value.name, attr)
                is_property = (each for each in found if each.kind == "function" and self.names.is_property(each.name))
                found = found.union(*(self.names.bound[each.name, "return"] for each in is_property))
            case _:
                pass
        return found

    # ── calls ─────────────────────────────────────────────────────────────────────────────────

    def _call(self, node: ast.Call, scope: Scope) -> Values:
        if isinstance(node.func, ast.Attribute):
            callees = self._attribute(node.func, scope, is_called=True)
        else:
            callees = self.of(node.func, scope)
        given = [self.of(each, scope) for each in node.args]
        named = {each.arg or "": self.of(each.value, scope) for each in node.keywords}
        found: set[Value] = set()
        for callee in callees or [Value("unknown", "")]:
            match callee:
                case Value(kind="module", name=name) if name in _MAKERS:
                    found |= self._made(_MAKERS[name], node, scope)
                case Value(kind="module", name=name) if name in _OF_PYTHON:
                    found |= self._of_python(name, node, [*given, *named.values()], scope)
                case Value(kind="function" | "class"):
                    self._hand_over(callee, node, given, named, scope)
                    found |= self._answer(callee)
                case Value(kind="method", name=service, path=(method,)):
                    self._ask(service, method, node, scope)
                case Value(kind="resource"):
                    found.add(callee)
                case _:
                    found |= outside(callee.name) if callee.kind in ("module", "outside") else NOTHING
                    self._lost([*given, *named.values()], node, scope)
        return frozenset(found)

    def _of_python(self, name: str, node: ast.Call, given: list[Values], scope: Scope) -> Values:
        """Return what a function of Python's gives, as far as it has to do with what it is given."""
        everything = frozenset(value for values in given for value in values)
        match name:
            case "getattr" if len(node.args) > 1 and (attr := _text(node.args[1])):
                return self._attribute(ast.copy_location(ast.Attribute(node.args[0], attr, ast.Load()), node), scope)
            case "getattr":
                self._lost(given, node, scope)
                return NOTHING
            case "super":
                return frozenset({Value("object", each.key) for each in _around(scope) if each.is_class})
            case "dataclasses.field":
                return frozenset(each for made in everything for each in self._answer(made))
            case _:
                return everything if _OF_PYTHON[name] else NOTHING

    def _made(self, kind: str, node: ast.Call, scope: Scope) -> Values:
        """Return a new client, resource or session."""
        if kind == "session":
            return frozenset({Value("session", "")})
        names = [*node.args[:1], *(each.value for each in node.keywords if each.arg == "service_name")]
        service = self._constant(names[0], scope) if names else None
        if service:
            return frozenset({Value(kind, service)})
        self._say(node, scope, f"which service `{ast.unparse(node)}` is for")
        return NOTHING

    def _constant(self, node: ast.expr, scope: Scope) -> str | None:
        if isinstance(node, ast.Name) and self.names.owner(node.id, scope).outer is None:
            return self.names.constants.get((scope.module, node.id))
        return _text(node)

    def _answer(self, callee: Value) -> Values:
        """Return what a call of a function or class gives."""
        if callee.kind == "class":
            return frozenset({Value("object", callee.name)})
        return self.names.bound[callee.name, "return"] if callee.kind == "function" else NOTHING

    def _hand_over(
        self, callee: Value, node: ast.Call, given: list[Values], named: Mapping[str, Values], scope: Scope
    ) -> None:
        """Bind what a function is given to its parameters, or what a class is given to those of its ``__init__``."""
        names, owner = self.names.takes(callee.name)
        for name, values in (*zip(names, given, strict=False), *named.items()):
            self.names.bind(owner, name, values)
        if any(isinstance(each, ast.Starred) for each in node.args) or "" in named:
            spread = [values for each, values in zip(node.args, given, strict=True) if isinstance(each, ast.Starred)]
            self._lost([*spread, named.get("", NOTHING)], node, scope)

    def _ask(self, service: str, method: str, node: ast.Call, scope: Scope) -> None:
        """Note what a paginator, waiter or presigned URL is for."""
        if method in _NAMED:
            by_name = (each.value for each in node.keywords if each.arg in _NAMES)
            words = [*node.args[:1], *by_name]
            name = self._constant(words[0], scope) if words else None
            if name:
                self._called(service, tuple(filter(None, (_NAMED[method], name))), node, scope)
            else:
                self._say(node, scope, f"which operation `{ast.unparse(node)}` is for")

    def _lost(self, given: Iterable[Values], node: ast.Call, scope: Scope) -> None:
        """Say that nobody can tell what becomes of the clients that are given away."""
        values = {bare(each) for values in given for each in values}
        for service in sorted({each.name for each in values if _is_client(each)}):
            self._say(node, scope, f"what `{ast.unparse(node.func)}` does with the {service} client it is given")

    def _called(
        self, service: str, path: tuple[str, ...], node: ast.expr, scope: Scope, *, is_resource: bool = False
    ) -> None:
        self.calls.add(Call(service=service, path=path, is_resource=is_resource, place=self.names.place(node, scope)))

    def _say(self, node: ast.expr, scope: Scope, why: str) -> None:
        self.unclear.add(Unclear(place=self.names.place(node, scope), why=why if len(why) < 200 else f"{why[:200]} …"))


def _is_client(value: Value) -> bool:
    """Tell clients and resources from answers: what a resource is asked for is written small."""
    return value.kind == "client" or (value.kind == "resource" and (not value.path or value.path[-1][0].isupper()))


def _may_be_a_client(value: Value) -> bool:
    """Tell whether a distribution, which is not read, gave it."""
    top = value.name.partition(".")[0]
    return value.kind in ("module", "outside") and top not in {"boto3", *sys.stdlib_module_names, *dir(builtins)}


def _around(scope: Scope) -> Iterator[Scope]:
    at: Scope | None = scope
    while at:
        yield at
        at = at.outer


def _key(node: ast.expr | None) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _last(node: ast.expr) -> str:
    """Return the name a value goes by, in small letters."""
    return (node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else "").lower()
