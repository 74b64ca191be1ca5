"""Find the folders that a verb was asked for."""

from build.errors import InputError
from build.model import FunctionSpec, Workspace
from build.project.discovery import part_of
from build.rules.words import did_you_mean, kebab_problem


def function_named(workspace: Workspace, name: str) -> FunctionSpec:
    """Return the function called ``name``; raise InputError with the names there are."""
    by_name = {spec.name: spec for spec in workspace.functions}
    if name not in by_name:
        raise InputError(
            f"no function `{name}`{did_you_mean(name, by_name)}",
            facts=[f"expected one of: {', '.join(by_name) or 'none yet'}"],
            hint="run `invoke status`" if kebab_problem(name) else f"run `invoke new {name}`, or name another",
        )
    return by_name[name]


def narrowed(workspace: Workspace, names: str) -> Workspace:
    """Return ``workspace`` with the functions in ``names`` (``orders,greeting``) and the layers they use.

    Raises InputError with every name there is no function for.
    """
    wanted = {name for name in names.replace(" ", "").split(",") if name}
    known = {spec.name for spec in workspace.functions}
    unknown = sorted(wanted - known)
    if unknown or not wanted:
        raise InputError(
            f"--only {names}: expected names of functions",
            facts=[f"no function `{name}`{did_you_mean(name, known)}" for name in unknown] or ["got none"],
            hint="run `invoke build`, which builds all there are, and shows their names",
        )
    return part_of(workspace, wanted)
