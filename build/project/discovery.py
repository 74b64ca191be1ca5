"""Find out what the repository wants deployed to one env."""

import hashlib
import os
import pickle
import sys
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from build.errors import InputError
from build.model import LOCAL, Workspace
from build.options import DOCKERFILE
from build.project.profiles import host_architecture
from build.project.smoke_events import files_of
from build.rules.words import did_you_mean

_KNOWN = ".artifacts/workspaces.pickle"
"""What the settings said when they were read last: reading them costs a fifth of a second, most of it imports."""


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


def part_of(workspace: Workspace, functions: Collection[str]) -> Workspace:
    """Return ``workspace`` with these ``functions`` and the layers they use, and with nothing else."""
    chosen = tuple(spec for spec in workspace.functions if spec.name in functions)
    layers = {layer for spec in chosen for layer in spec.own_layers}
    return replace(workspace, functions=chosen, layers=tuple(each for each in workspace.layers if each.name in layers))


def _discover(root: Path, env: str) -> dict[str, Workspace]:
    """Return the workspace of every env, ``env`` among them; as it was the last time while no settings change."""
    state = _state(root)
    known = _recall(root, state)
    if known is None or env not in known:
        known = _read(root, env)
        _remember(root, state, known)
    return known


def _read(root: Path, env: str) -> dict[str, Workspace]:
    from build.project import consistency, pins, reading, specs  # here: they import pydantic

    if not (root / reading.SETTINGS).is_file():
        raise InputError(
            f"no {reading.SETTINGS} in {root}",
            hint="go to the root of the repository and run `invoke check`",
        )
    repository, found = reading.read(root)
    pinned, lines = pins.read_pins(root)
    found += lines
    known: list[str] = []
    workspaces: dict[str, Workspace] = {}
    if repository.slipway:
        known = list(specs.env_tables(repository.slipway))
        if env not in known:
            near = did_you_mean(env, known)
            found.append(f"--env {env}: expected one of {', '.join(known)}, got {env}{near}")
        found += consistency.unknown_envs(repository, known)
        found += consistency.unknown_layers(repository)
        found += consistency.smoke_events(root, repository)
        lines_by_env: dict[str, list[str]] = {}
        for name in known:
            described = specs.env_of(repository.slipway, name, found)
            if described:
                made, lines = specs.workspace(root, repository.slipway, repository, described, pinned)
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


def _state(root: Path) -> str:
    """Return a digest of everything that `_read` reads, the code that reads it included; empty if that is not plain."""
    sha256 = hashlib.sha256(f"{root}\0{sys.version}\0{host_architecture()}".encode("utf-8", "surrogateescape"))
    code = Path(__file__).parent
    words = (code.parent / f"{name}.py" for name in ("http", "model", "options", "triggers"))
    files = [*sorted(code.glob("*.py")), *sorted((code.parent / "rules").glob("*.py")), *words, root / "slipway.toml"]
    for kind, settings in (("functions", "function.toml"), ("layers", "layer.toml")):
        for folder in sorted((root / kind).glob("*/")):
            if folder.name.startswith(".") or folder.name == "__pycache__":
                continue
            has = [(folder / "src").is_dir(), (folder / DOCKERFILE).is_file()]
            sha256.update(f"{folder.name}\0{has}\0".encode("utf-8", "surrogateescape"))
            files += [folder / settings, *files_of(folder)]
    pins = root / "base-images.toml"
    files += (pins,) if pins.exists() else ()
    for file in files:
        try:
            sha256.update(b"%d\0" % len(data := file.read_bytes()) + data)
        except OSError:
            return ""  # a folder without settings: what that means depends on more than a few files
    return sha256.hexdigest()


def _recall(root: Path, state: str) -> dict[str, Workspace] | None:
    try:
        # Ours alone: who can write below .artifacts/ can write what runs, too.
        kept, workspaces = pickle.loads((root / _KNOWN).read_bytes())  # noqa: S301
    except Exception:  # a torn pickle may raise anything
        return None
    return workspaces if state and kept == state else None


def _remember(root: Path, state: str, workspaces: dict[str, Workspace]) -> None:
    if not state:
        return
    place = root / _KNOWN
    with suppress(OSError):  # it only saves time
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_name(f"{place.name}.{os.getpid()}")
        draft.write_bytes(pickle.dumps((state, workspaces)))
        draft.replace(place)
