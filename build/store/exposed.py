"""Finished artifacts under names that people find: `.artifacts/build/functions/orders.zip`."""

import filecmp
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from build.model import Build, Workspace
from build.store.objects import untouched

_HALF_MADE_AFTER_S = 3600


def expose(build: Build, workspace: Workspace) -> Path:
    """Make the artifacts of ``build`` appear below ``.artifacts/build``, and return that folder.

    They are hard links into the store, or copies where there are none. What is right already stays as it is;
    what is of a folder that is no longer there goes, and what ``build`` does not hold otherwise stays.
    """
    folder = workspace.generated / "build"
    functions = {f"{name}.zip": artifact.path for name, artifact in build.functions.items()}
    layers = {f"{artifact.key}.zip": artifact.path for artifact in build.layer_artifacts}
    for kind, wanted in (("functions", functions), ("layers", layers)):
        _fill(folder / kind, wanted)
        for path in _others(folder / kind, wanted):
            if is_gone(f"{kind}/{path.stem}", build, workspace):
                path.unlink(missing_ok=True)
    return folder


def is_gone(place: str, build: Build, workspace: Workspace) -> bool:
    """Tell whether ``place``, of no artifact in ``build``, is of none at all: its folder went, or has others now.

    What a build of some functions did not make is not gone.
    """
    kind, _, key = place.partition("/")
    if kind == "functions":
        return not (workspace.root / place / "function.toml").is_file()
    name = key.removesuffix("-arm64").removesuffix("-x86-64")  # no layer's own name ends so
    is_there = (workspace.root / kind / name / "layer.toml").is_file()
    return not is_there or any(name == built for built, _ in build.layers)


def _fill(folder: Path, wanted: Mapping[str, Path]) -> None:
    if wanted:
        folder.mkdir(parents=True, exist_ok=True)
    for name, artifact in wanted.items():
        place = folder / name
        with suppress(FileNotFoundError):
            if place.samefile(artifact):
                continue
        draft = folder / f".{name}.{os.getpid()}"
        draft.unlink(missing_ok=True)
        try:
            os.link(artifact, draft)
        except OSError:  # another file system, or one without links
            if untouched(place) and filecmp.cmp(place, artifact, shallow=False):
                continue
            shutil.copy2(artifact, draft)  # with its time, by which the store knows what nobody wrote to
        draft.replace(place)
        draft.unlink(missing_ok=True)  # renaming a link onto another of the same file does nothing


def _others(folder: Path, wanted: Mapping[str, Path]) -> list[Path]:
    """Return the zips in ``folder`` that are not wanted; remove what a killed build left half made."""
    if not folder.is_dir():
        return []
    for draft in folder.glob(".*"):
        with suppress(FileNotFoundError):
            if draft.stat().st_ctime < time.time() - _HALF_MADE_AFTER_S:
                draft.unlink()
    return [path for path in folder.glob("[!.]*.zip") if path.name not in wanted]
