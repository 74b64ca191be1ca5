"""Find out what the repository wants deployed to one env."""

from pathlib import Path

from build.errors import InputError
from build.model import LOCAL, Workspace
from build.project.naming import did_you_mean


def discover(root: Path, env: str) -> Workspace:
    """Return every function and layer of the repository at ``root``, with its settings for ``env``.

    Functions and layers are sorted by name; none at all is fine. On env ``local`` everything is for
    the host's architecture, whatever the files say. All envs are checked, not only ``env``, so that
    what works here does not fail elsewhere. Raises InputError with every problem of every file.
    """
    return _discover(root, env)[env]


def discover_all(root: Path) -> tuple[Workspace, ...]:
    """Return the workspace of every env, the local one first; raise as `discover` does."""
    return tuple(_discover(root, LOCAL).values())


def _discover(root: Path, env: str) -> dict[str, Workspace]:
    from build.project import consistency, reading, specs  # here: they import pydantic

    if not (root / reading.SETTINGS).is_file():
        raise InputError(
            f"no {reading.SETTINGS} in {root}",
            hint="go to the root of the repository and run `invoke check`",
        )
    repository, found = reading.read(root)
    known: list[str] = []
    workspaces: dict[str, Workspace] = {}
    if repository.slipway:
        known = list(specs.env_tables(repository.slipway))
        if env not in known:
            near = did_you_mean(env, known)
            found.append(f"--env {env}: expected one of {', '.join(known)}, got {env}{near}")
        found += consistency.unknown_envs(repository, known)
        found += consistency.unknown_layers(repository)
        lines_by_env: dict[str, list[str]] = {}
        for name in known:
            described = specs.env_of(repository.slipway, name, found)
            if described:
                made, lines = specs.workspace(root, repository.slipway, repository, described)
                workspaces[name] = made
                lines_by_env[name] = [*lines, *consistency.within(made)]
        found += consistency.over_envs(lines_by_env)
        found += consistency.too_long(workspaces.values())
    if found:
        raise _refusal(found, env, known)
    return workspaces


def _refusal(found: list[str], env: str, known: list[str]) -> InputError:
    count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    hint = "mend what is listed, then run `invoke check`"
    if len(found) == 1 and known and env not in known:
        hint = f"add [env.{env}] to slipway.toml, or run the command with `--env {known[0]}`"
    return InputError(f"{count} in the settings", facts=sorted(found), hint=hint)
