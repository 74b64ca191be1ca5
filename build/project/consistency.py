"""Rules across files: what each file alone cannot know.

Each yields lines like those about a single file.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

from build.model import Workspace
from build.project import naming
from build.project.conflicts import conflicts
from build.project.contradictions import contradictions
from build.project.smoke_events import problems as smoke_problems
from build.rules.arns import FOREIGN_LAYER
from build.rules.words import did_you_mean

if TYPE_CHECKING:
    from build.project.reading import Repository
    from build.project.settings import FunctionSettings


def unknown_envs(repository: "Repository", known: Sequence[str]) -> Iterator[str]:
    """Yield a line for each override of an env that slipway.toml does not have."""
    for name, table in repository.functions.items():
        for env in table.get("env", {}):
            if env not in known:
                near = did_you_mean(env, known)
                listed = ", ".join(known)
                yield f"functions/{name}/function.toml: env.{env}: expected one of {listed}, got {env}{near}"


def unknown_layers(repository: "Repository") -> Iterator[str]:
    """Yield a line for each layer that is neither a folder nor a foreign one."""
    places: list[tuple[str, FunctionSettings]] = []
    if repository.slipway:
        places.append(("slipway.toml: defaults.", repository.slipway.get("defaults", {})))
    for name, table in repository.functions.items():
        file = f"functions/{name}/function.toml: "
        places.append((file, table))
        places += [(f"{file}env.{env}.", override) for env, override in table.get("env", {}).items()]
    for place, settings in places:
        for index, layer in enumerate(settings.get("layers", ())):
            if not layer.startswith(FOREIGN_LAYER) and layer not in repository.layer_folders:
                near = did_you_mean(layer, repository.layer_folders)
                yield f"{place}layers[{index}]: expected a folder under layers/ or an ARN, got `{layer}`{near}"


def smoke_events(root: Path, repository: "Repository") -> Iterator[str]:
    """Yield a line for each smoke event of a function that is not in order."""
    for name in repository.functions:
        yield from (f"functions/{name}/{problem}" for problem in smoke_problems(root / "functions" / name))


def within(workspace: Workspace) -> Iterator[str]:
    """Yield a line for each contradiction within what one env gets."""
    yield from _unsupported_layers(workspace)
    yield from conflicts(workspace)
    yield from _order(workspace)
    for function in workspace.functions:
        yield from contradictions(function)


def too_long(workspaces: Iterable[Workspace]) -> Iterator[str]:
    """Yield a line for each name that AWS would refuse for its length, with the longest it has in any env."""
    longest: dict[tuple[str, str], naming.AwsName] = {}
    for workspace in workspaces:
        for aws in naming.aws_names(workspace):
            key = (aws.place, aws.what)
            if key not in longest or len(aws.name) > len(longest[key].name):
                longest[key] = aws
    for aws in longest.values():
        problem = naming.length_problem(aws)
        if problem:
            yield f"{aws.place}: {problem}"


def over_envs(lines_by_env: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Yield each line once; one that does not hold in all envs says in which it does."""
    envs: dict[str, list[str]] = defaultdict(list)
    for env, lines in lines_by_env.items():
        for line in lines:
            envs[line].append(env)
    for line, where in envs.items():
        yield line if len(where) == len(lines_by_env) else f"{line} (env {', '.join(where)})"


def _unsupported_layers(workspace: Workspace) -> Iterator[str]:
    layers = {layer.name: layer for layer in workspace.layers}
    for function in workspace.functions:
        for name in function.layers:
            layer = layers.get(name)
            if layer is None:
                continue
            runtime, architecture = function.target.runtime, function.target.architecture
            place = f"{function.identity}/function.toml: layers: `{name}` supports"
            if runtime not in layer.runtimes:
                yield f"{place} {', '.join(map(str, layer.runtimes))}, the function runs on {runtime}"
            if architecture not in layer.architectures:
                yield f"{place} {', '.join(layer.architectures)}, the function runs on {architecture}"


def _order(workspace: Workspace) -> Iterator[str]:
    """Yield a line for each function that is to come after one that is not there, and for each circle."""
    after = {function.name: list(function.options.rollout.after) for function in workspace.functions}
    for name, others in after.items():
        for other in others:
            if other not in after:
                expected = f"expected a folder under functions/, got `{other}`{did_you_mean(other, after)}"
                yield f"functions/{name}/function.toml: rollout.after: {expected}"
    while circle := _circle(after):
        first, second, *_ = circle
        got = " after ".join(circle)
        yield f"functions/{first}/function.toml: rollout.after: expected an end, got a circle: {got}"
        after[first].remove(second)


def _circle(after: Mapping[str, Sequence[str]]) -> list[str]:
    """Return names each of which comes after the next, the last being the first again; nothing if there are none."""
    try:
        TopologicalSorter(after).prepare()
    except CycleError as reason:
        names: list[str] = reason.args[1][:0:-1]
        start = names.index(min(names))
        return [*names[start:], *names[: start + 1]]
    return []
