"""What a function's source calls, beside what its role is granted."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from build.checks.actions import Need
from build.checks.calls import calls_in
from build.checks.clients import Call, Unclear
from build.checks.imports import is_test
from build.checks.modules import own_modules
from build.model import FunctionSpec, Spec, Workspace

_OF_LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
_OF_QUEUES = ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")
"""What every execution role may do, and that of a function with queues: terraform/modules/execution-role/main.tf."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """Something the source calls."""

    actions: Need
    places: tuple[str, ...]
    """Where, ``functions/orders/src/app.py:12``."""
    granted_by: str | None
    """As function.toml has it; ``Slipway`` for what every such role is granted."""


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
    granted = [action for permission in function.permissions for action in permission.actions]
    of_slipway = (*_OF_LOGS, *(_OF_QUEUES if function.queues else ()))
    needed = [
        Needed(actions=need, places=tuple(where), granted_by=_grant(need, granted, of_slipway))
        for need, where in sorted(places.items())
    ]
    called = [action for need in places for action in need]
    unused = [pattern for pattern in dict.fromkeys(granted) if not any(matches(pattern, each) for each in called)]
    return Comparison(
        function=function,
        needed=tuple(needed),
        unused=tuple(each for each in unused if each not in of_slipway),
        unclear=tuple(sorted((*unclear, *unknown))),
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


def _grant(need: Need, granted: Iterable[str], of_slipway: Iterable[str]) -> str | None:
    own = (pattern for pattern in granted if any(matches(pattern, action) for action in need))
    return next(own, "Slipway" if any(action in of_slipway for action in need) else None)


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
