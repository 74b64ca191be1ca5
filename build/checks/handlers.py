"""Rules about handlers: that Lambda finds a function there, and can call it."""

import ast
import zipfile
from collections.abc import Iterator
from pathlib import Path

from build.checks.definitions import CallableNode, definitions, takes_two
from build.checks.problem import Problem
from build.model import Artifact, Build, FunctionSpec, Workspace
from build.project.naming import did_you_mean


def module_missing(workspace: Workspace, build: Build) -> Iterator[Problem]:
    """Require the handler's module: a file under src/, or one that a distribution or a layer brings."""
    for function in workspace.functions:
        if _source_of(function) or _may_be_unseen(function, build) or _is_in_artifacts(function, build):
            continue
        module, _ = _split(function)
        file = f"src/{module.replace('.', '/')}"
        near = did_you_mean(module, _modules(function.folder / "src"))
        yield Problem(
            subject=function.identity,
            message=f"handler `{function.handler}`: expected {file}.py or {file}/__init__.py, got neither{near}",
            hint=_write_or_change(function),
        )


def module_unseen(workspace: Workspace, build: Build) -> Iterator[Problem]:
    """Warn of a handler where we cannot look: in a layer of which only the ARN is known."""
    for function in workspace.functions:
        why = _may_be_unseen(function, build)
        if why and not _source_of(function) and not _is_in_artifacts(function, build):
            yield Problem(
                subject=function.identity,
                message=f"handler `{function.handler}`: expected its module in src/, got nothing there; {why}",
                hint=f"make sure by `invoke invoke -f {function.name}`",
            )


def function_missing(workspace: Workspace, _build: Build) -> Iterator[Problem]:
    """Require that the handler's module defines the name: by def, class, assignment or import."""
    for function, source in _sources(workspace):
        _, name = _split(function)
        defined = definitions(source.read_bytes())
        if defined is None or not defined.keys().isdisjoint((name, "*", "__getattr__")):
            continue
        functions = [known for known, node in defined.items() if isinstance(node, CallableNode)]
        near = did_you_mean(name, functions) or f"; its functions: {', '.join(functions) or 'none'}"
        place = _below(function, source)
        yield Problem(
            subject=function.identity,
            message=f"handler `{function.handler}`: expected `{name}` in {place}, got no such name{near}",
            hint=_write_or_change(function),
        )


def asynchronous(workspace: Workspace, _build: Build) -> Iterator[Problem]:
    """Refuse async def, which Lambda never awaits; under a decorator it may be awaited."""
    for function, node, place in _handlers(workspace):
        if isinstance(node, ast.AsyncFunctionDef) and not node.decorator_list:
            yield Problem(
                subject=function.identity,
                message=f"handler `{function.handler}`: expected def, got async def at {place}; "
                "async handlers are never awaited by Lambda",
                hint="let a plain def call asyncio.run(…), then run `invoke check`",
            )


def arguments(workspace: Workspace, _build: Build) -> Iterator[Problem]:
    """Require two positional arguments; what a decorator makes of a function is not seen."""
    for function, node, place in _handlers(workspace):
        decorated = not isinstance(node, ast.Lambda) and node.decorator_list
        if not decorated and not takes_two(node):
            yield Problem(
                subject=function.identity,
                message=f"handler `{function.handler}`: expected two positional arguments (event, context), "
                f"got ({ast.unparse(node.args)}) at {place}",
                hint="let it take event and context, then run `invoke check`",
            )


def _sources(workspace: Workspace) -> Iterator[tuple[FunctionSpec, Path]]:
    for function in workspace.functions:
        source = _source_of(function)
        if source:
            yield function, source


def _handlers(workspace: Workspace) -> Iterator[tuple[FunctionSpec, CallableNode, str]]:
    for function, source in _sources(workspace):
        node = (definitions(source.read_bytes()) or {}).get(_split(function)[1])
        if isinstance(node, CallableNode):
            yield function, node, f"{_below(function, source)}:{node.lineno}"


def _source_of(function: FunctionSpec) -> Path | None:
    """Return the file of the handler's module under src/, as Python would choose it."""
    *packages, last = _split(function)[0].split(".")
    folder = function.folder / "src"
    for package in packages:
        # By listing, not by asking: macOS and Windows find App.py under the name app.py, Lambda does not.
        if package not in _listed(folder):
            return None
        folder /= package
    entries = _listed(folder)
    if last in entries and "__init__.py" in _listed(folder / last):
        return folder / last / "__init__.py"
    return folder / f"{last}.py" if f"{last}.py" in entries else None


def _listed(folder: Path) -> frozenset[str]:
    return frozenset(path.name for path in folder.iterdir()) if folder.is_dir() else frozenset()


def _may_be_unseen(function: FunctionSpec, build: Build) -> str | None:
    """Say where the module may be although we cannot look there; None if there is no such place."""
    arns = [layer for layer in function.layers if layer.startswith("arn:")]
    if arns:
        return f"it may be in {', '.join(arns)}"
    return None if function.name in build.functions else "it may be in a distribution, but nothing is built yet"


def _is_in_artifacts(function: FunctionSpec, build: Build) -> bool:
    file = _split(function)[0].replace(".", "/")
    ends = tuple(f"{file}{end}" for end in (".py", ".pyc", "/__init__.py", "/__init__.pyc"))
    in_layer = ("python/", f"python/lib/python{function.target.runtime.version}/site-packages/")
    places = [(build.functions.get(function.name), ("",))]
    architecture = function.target.architecture
    layers = [(build.layers.get((layer, architecture)), in_layer) for layer in function.own_layers]
    return any(artifact and _holds(artifact, folders, ends) for artifact, folders in (*places, *layers))


def _holds(artifact: Artifact, folders: tuple[str, ...], ends: tuple[str, ...]) -> bool:
    if not artifact.path.is_file():
        return False
    with zipfile.ZipFile(artifact.path) as archive:
        members = set(archive.namelist())
    return any(f"{folder}{end}" in members for folder in folders for end in ends)


def _modules(src: Path) -> Iterator[str]:
    for path in sorted(src.rglob("*.py")):
        parts = path.relative_to(src).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _split(function: FunctionSpec) -> tuple[str, str]:
    module, _, name = function.handler.rpartition(".")
    return module, name


def _below(function: FunctionSpec, source: Path) -> str:
    return source.relative_to(function.folder).as_posix()


def _write_or_change(function: FunctionSpec) -> str:
    return f"write it, or change `handler` in {function.identity}/function.toml, then run `invoke check`"
