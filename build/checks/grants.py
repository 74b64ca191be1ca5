"""What a function's source calls, beside what its role is granted."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from build.checks.actions import Need
from build.checks.calls import calls_in
from build.checks.clients import Call, Unclear
from build.checks.imports import is_test
from build.checks.managed import actions_of
from build.checks.modules import own_modules
from build.checks.statements import statements_of
from build.model import FunctionSpec, Spec, Workspace

_SLIPWAY = "Slipway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """Something the source calls."""

    actions: Need
    places: tuple[str, ...]
    """Where, ``functions/orders/src/app.py:12``."""
    granted_by: str | None
    """As [[permissions]] has it, a managed policy, or ``Slipway, for its queues`` for what other settings bring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Both, of one function."""

    function: FunctionSpec
    needed: tuple[Needed, ...]
    unused: tuple[str, ...]
    """Granted actions that its own source and that of its layers never calls."""
    unclear: tuple[Unclear, ...]

    @property
    def missing(self) -> tuple[Needed, ...]:
        """Called and not granted."""
        return tuple(each for each in self.needed if each.granted_by is None)


def compare(
    function: FunctionSpec, workspace: Workspace, needs_of: Callable[[Call], tuple[Need, ...] | None]
) -> Comparison:
    """Read the src/ of ``function`` and of its own layers, and compare; resources are not looked at.

    ``needs_of`` tells the actions that a call needs, None if there is no such method.
    """
    calls, unclear = calls_in(_modules(function, workspace))
    needs = {call: needs_of(call) for call in calls}
    # A name that stands for two clients, one after the other, has the methods of both.
    told = {(call.place, call.path[-1]) for call, found in needs.items() if found is not None}
    places: defaultdict[Need, dict[str, None]] = defaultdict(dict)
    unknown = []
    for call, found in needs.items():
        for need in found or ():
            places[need][call.place] = None
        if found is None and (call.place, call.path[-1]) not in told:
            what = f"{'resource' if call.is_resource else 'client'} `{call.service}`"
            unknown.append(Unclear(place=call.place, why=f"what `{'.'.join(call.path)}` of the {what} is"))
    grants = _grants(function, workspace)
    needed = [
        Needed(actions=need, places=tuple(where), granted_by=_granted_by(need, grants))
        for need, where in sorted(places.items())
    ]
    called = [action for need in places for action in need]
    by_slipway = {pattern for pattern, by in grants if by.startswith(_SLIPWAY)}
    own = dict.fromkeys(action for permission in function.options.permissions for action in permission.actions)
    unused = [pattern for pattern in own if not any(matches(pattern, each) for each in called)]
    return Comparison(
        function=function,
        needed=tuple(needed),
        unused=tuple(each for each in unused if each not in by_slipway),
        unclear=tuple(sorted((*unclear, *unknown, *_unknown_policies(function)))),
    )


def matches(pattern: str, action: str) -> bool:
    """Tell whether IAM takes ``pattern`` for ``action``: letters of any case, ``*`` for any, ``?`` for one."""
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
    wild = {"*": ".*", "?": "."}
    expression = "".join(wild.get(each) or re.escape(each) for each in pattern)
    return re.fullmatch(expression, action, re.IGNORECASE) is not None


def lines_for(missing: Iterable[Needed]) -> list[str]:
    """Return the lines of function.toml that grant what is missing, a block for each service."""
    services: defaultdict[str, list[Need]] = defaultdict(list)
    for each in missing:
        services[each.actions[0].partition(":")[0]].append(each.actions)
    lines = []
    for service, needs in sorted(services.items()):
        listed = ", ".join(f'"{action}"' for action in dict.fromkeys(action for need in needs for action in need))
        choice = "  # keep those that it uses" if any(len(need) > 1 for need in needs) else ""
        lines += ["", "[[permissions]]", f"actions   = [{listed}]{choice}"]
        lines += [f"resources = []  # ARNs, as narrow as can be: arn:{{partition}}:{service}:{{region}}:{{account}}:…"]
    return lines[1:]


def _grants(function: FunctionSpec, workspace: Workspace) -> list[tuple[str, str]]:
    """Return every action that the code is granted, and by what; a policy nobody knows may allow anything."""
    own = [(action, action) for permission in function.options.permissions for action in permission.actions]
    slipways = [
        (action, f"{_SLIPWAY}, for {statement.purpose}")
        for statement in statements_of(function, workspace)
        for action in statement.actions
        if statement.purpose
    ]
    policies = {policy: actions_of(policy) for policy in function.options.managed_policies}
    known = [(action, policy) for policy, actions in policies.items() for action in actions or ()]
    perhaps = [("*", f"{policy}, perhaps") for policy, actions in policies.items() if actions is None]
    return [*own, *slipways, *known, *perhaps]


def _granted_by(need: Need, grants: Iterable[tuple[str, str]]) -> str | None:
    return next((by for pattern, by in grants if any(matches(pattern, action) for action in need)), None)


def _unknown_policies(function: FunctionSpec) -> list[Unclear]:
    unknown = [policy for policy in function.options.managed_policies if actions_of(policy) is None]
    place = f"{function.identity}/function.toml"
    return [Unclear(place=place, why=f"what the managed policy {policy} allows is") for policy in unknown]


def _modules(function: FunctionSpec, workspace: Workspace) -> dict[str, tuple[str, bytes]]:
    """Return place and source of what ships, by dotted name; the function's own go before its layers'."""
    layers = {layer.name: layer for layer in workspace.layers}
    specs: list[Spec] = [function, *(layers[name] for name in function.own_layers)]
    modules: dict[str, tuple[str, bytes]] = {}
    for spec in specs:
        for name, file in own_modules(spec.folder, workspace.root).items():
            if not is_test(file.path):
                full = f"{name}.__init__" if file.path.endswith("/__init__.py") else name
                place = f"{spec.identity}/src/{file.path}"
                modules.setdefault(full, (place, file.place.read_bytes()))
    return modules
