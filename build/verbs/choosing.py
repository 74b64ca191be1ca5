"""Find the folder that a verb was asked for."""

from build.errors import InputError
from build.model import FunctionSpec, Workspace
from build.project.naming import did_you_mean, kebab_problem


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
