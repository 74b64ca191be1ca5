"""Rules about files of a src/ that do harm by being there."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from build.checks.distributions import BUNDLED
from build.checks.imports import is_test
from build.checks.modules import facts_in, files_of, own_modules
from build.checks.places import Kind, content_of, paths_in, space_of
from build.checks.problem import Problem
from build.checks.stdlib import stdlib_of
from build.model import Artifact, Build, FunctionSpec, Runtime, Spec, Workspace
from build.packaging.sources import SourceFile, env_files
from build.store.objects import Store

_SHOWN_FILES = 5
_TESTING = frozenset({"pytest", "unittest", "hypothesis"})
_NAMESPACES = "-nspkg.pth"
"""Of old namespace packages, written by setuptools; they only join folders."""


def stdlib_shadowed(workspace: Workspace, _build: Build, _store: Store) -> Iterator[Problem]:
    """Warn of modules at the top of a src/ that stand before the standard library on Lambda's sys.path."""
    for spec in workspace.specs:
        names = stdlib_of(max(_runtimes(spec)).minor)
        for name, path in _top_level(spec, workspace):
            if name in names:
                yield Problem(
                    subject=spec.identity,
                    message=f"src/{path} takes the place of the standard library's `{name}`, "
                    "for every distribution that imports it, too",
                    hint="give it another name, then run `invoke check`",
                )


def distribution_shadowed(workspace: Workspace, build: Build, _store: Store) -> Iterator[Problem]:
    """Warn of modules at the top of a src/ with the name of one in a distribution, a layer, or the runtime."""
    for spec in workspace.specs:
        for name, path in _top_level(spec, workspace):
            holder = _other_holder(name, spec, workspace, build)
            if holder:
                yield Problem(
                    subject=spec.identity,
                    message=f"src/{path} has the name of `{name}` in {holder}: only one of them can be imported, "
                    "by your code and by all distributions",
                    hint="give it another name, then run `invoke check`",
                )


def tests_inside(workspace: Workspace, _build: Build, _store: Store) -> Iterator[Problem]:
    """Warn of tests that would ship."""
    for spec in workspace.specs:
        runtime = max(_runtimes(spec))
        names = [f"src/{file.path}" for file in files_of(spec.folder, workspace.root) if _is_test(file, runtime)]
        if names:
            beyond = f" and {len(names) - _SHOWN_FILES} more" if len(names) > _SHOWN_FILES else ""
            yield Problem(
                subject=spec.identity,
                message=f"tests ship with it: {', '.join(names[:_SHOWN_FILES])}{beyond}",
                hint=f"move them to {spec.identity}/tests/, where `invoke test` finds them",
            )


def env_file(workspace: Workspace, _build: Build, _store: Store) -> Iterator[Problem]:
    """Warn of .env files, which code may want to read and which never ship: they hold passwords."""
    for spec in workspace.specs:
        names = env_files(spec.folder / "src")
        if names:
            yield Problem(
                subject=spec.identity,
                message=f"left out of the artifact: {', '.join(f'src/{name}' for name in names)}",
                hint="put what is no secret into [environment] of its settings and read secrets at run time from "
                "Parameter Store; move the file out of src/, then run `invoke check`",
            )


def startup_code(_workspace: Workspace, build: Build, _store: Store) -> Iterator[Problem]:
    """Warn of .pth files with code: Lambda's bootstrap reads those in /var/task and /opt/python at every cold start."""
    for artifact in build.artifacts:
        read = [path for path in paths_in(artifact.path) if path.endswith(".pth") and _is_read_at_start(path)]
        running = [path for path in read if _runs(artifact, path)]
        if running:
            yield Problem(
                subject=artifact.identity,
                message=f"runs code at every cold start, before the handler is imported: {', '.join(running)}",
                hint="see which distribution brings it with `invoke size`; if nothing needs it, take that one out "
                "and run `invoke lock`",
            )


def _runtimes(spec: Spec) -> tuple[Runtime, ...]:
    return (spec.target.runtime,) if isinstance(spec, FunctionSpec) else spec.runtimes


def _top_level(spec: Spec, workspace: Workspace) -> Iterator[tuple[str, str]]:
    """Yield name and path of the modules at the top; a folder without __init__ gives way to any other."""
    for name, file in own_modules(spec.folder, workspace.root).items():
        if "." not in name:
            yield name, file.path.removesuffix("/__init__.py")


def _other_holder(name: str, spec: Spec, workspace: Workspace, build: Build) -> str | None:
    """Say who else has the top-level module ``name``; None if nobody."""
    folder = "" if isinstance(spec, FunctionSpec) else "python/"
    own = {f"{folder}{file.path}" for file in files_of(spec.folder, workspace.root)}
    rivals = {f"{folder}{name}.py", f"{folder}{name}/__init__.py"} - own
    layers = []
    for artifact in build.artifacts:
        if artifact.identity != spec.identity:
            layers.append(artifact)
        elif not rivals.isdisjoint(paths_in(artifact.path)):
            return "a distribution that ships with it"
    if isinstance(spec, FunctionSpec):
        found = space_of(None, layers, spec.target.runtime).found(name)
        if found and found.kind > Kind.FOLDER:
            return next(layer.identity for layer in layers if layer.path == found.zip)
    return "the runtime" if name in BUNDLED else None


def _is_test(file: SourceFile, runtime: Runtime) -> bool:
    """Tell whether a file is a test by its folder, or by its name and what it says: test_results.py may be none."""
    path = PurePosixPath(file.path)
    if "tests" in path.parts[:-1] or path.name == "conftest.py":
        return True
    if not is_test(file.path):
        return False
    facts = facts_in(file.place, runtime)
    modules = {each.module.partition(".")[0] for each in facts.imports} if facts else set()
    names = facts.names if facts else ()
    is_named = any(name.startswith(("test", "Test")) for name in names)
    return is_named or bool(modules & _TESTING)


def _is_read_at_start(pth: str) -> bool:
    return not pth.endswith(_NAMESPACES) and "/" not in pth.removeprefix("python/")


def _runs(artifact: Artifact, pth: str) -> bool:
    """Tell whether a .pth file has a line that is run; the others name folders."""
    lines = content_of(artifact.path, pth).splitlines()
    return any(line.startswith((b"import ", b"import\t")) for line in lines)
