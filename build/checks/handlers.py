"""Rules about handlers: that Lambda finds a function there, and can call it."""

from collections.abc import Iterator
from pathlib import Path

from build.checks.facts import Definition, Import
from build.checks.imports import absolute
from build.checks.modules import facts_in, own_modules
from build.checks.places import Kind, space_of
from build.checks.problem import Problem
from build.model import Build, FunctionSpec, Workspace
from build.rules.words import did_you_mean
from build.store.objects import Store


def module_missing(workspace: Workspace, build: Build, _store: Store) -> Iterator[Problem]:
    """Require the handler's module: a file under src/, or one that a distribution or a layer brings."""
    for function in workspace.functions:
        if _source_of(function) or _may_be_unseen(function, build) or _is_in_artifacts(function, build):
            continue
        if function.dockerfile:  # `image_files.handler` looks into its image
            continue
        module, _ = _split(function)
        file = f"src/{module.replace('.', '/')}"
        near = did_you_mean(module, _modules(function.folder / "src"))
        yield Problem(
            subject=function.identity,
            message=f"handler `{function.handler}`: expected {file}.py or {file}/__init__.py, got neither{near}",
            hint=_write_or_change(function),
        )


def module_unseen(workspace: Workspace, build: Build, _store: Store) -> Iterator[Problem]:
    """Warn of a handler where we cannot look: in a layer of which only the ARN is known."""
    for function in workspace.functions:
        why = _may_be_unseen(function, build)
        seen = _source_of(function) or _is_in_artifacts(function, build) or function.dockerfile
        if why and not seen:
            yield Problem(
                subject=function.identity,
                message=f"handler `{function.handler}`: expected its module in src/, got nothing there; {why}",
                hint=f"make sure by `invoke invoke -f {function.name}`",
            )


def function_missing(workspace: Workspace, _build: Build, _store: Store) -> Iterator[Problem]:
    """Require that the handler's module defines the name: by def, class, assignment or import."""
    for function, source in _sources(workspace):
        _, name = _split(function)
        facts = facts_in(source, function.target.runtime)
        if facts is None or not facts.names.keys().isdisjoint((name, "*", "__getattr__")):
            continue
        functions = [known for known, defined in facts.names.items() if defined.kind]
        near = did_you_mean(name, functions) or f"; its functions: {', '.join(functions) or 'none'}"
        place = _below(function, source)
        yield Problem(
            subject=function.identity,
            message=f"handler `{function.handler}`: expected `{name}` in {place}, got no such name{near}",
            hint=_write_or_change(function),
        )


def asynchronous(workspace: Workspace, _build: Build, _store: Store) -> Iterator[Problem]:
    """Refuse async def, which Lambda never awaits; under a decorator it may be awaited."""
    for function, defined, place in _handlers(workspace):
        if defined.kind == "async def" and not defined.decorated:
            yield Problem(
                subject=function.identity,
                message=f"handler `{function.handler}`: expected def, got async def at {place}; "
                "async handlers are never awaited by Lambda",
                hint="let a plain def call asyncio.run(…), then run `invoke check`",
            )


def generator(workspace: Workspace, _build: Build, _store: Store) -> Iterator[Problem]:
    """Refuse a def that yields: Lambda cannot make JSON of a generator; a decorator may do so."""
    for function, defined, place in _handlers(workspace):
        if defined.kind == "generator" and not defined.decorated:
            yield Problem(
                subject=function.identity,
                message=f"handler `{function.handler}`: expected a value that JSON can hold, got a generator from the "
                f"`yield` in def at {place}",
                hint="return a list instead, then run `invoke check`",
            )


def arguments(workspace: Workspace, _build: Build, _store: Store) -> Iterator[Problem]:
    """Require two positional arguments; what a decorator makes of a function is not seen."""
    for function, defined, place in _handlers(workspace):
        if not defined.decorated and not defined.takes_two:
            yield Problem(
                subject=function.identity,
                message=f"handler `{function.handler}`: expected two positional arguments (event, context), "
                f"got ({defined.arguments}) at {place}",
                hint="let it take event and context, then run `invoke check`",
            )


def _sources(workspace: Workspace) -> Iterator[tuple[FunctionSpec, Path]]:
    for function in workspace.functions:
        source = _source_of(function)
        if source:
            yield function, source


def _handlers(workspace: Workspace) -> Iterator[tuple[FunctionSpec, Definition, str]]:
    for function, source in _sources(workspace):
        facts = facts_in(source, function.target.runtime)
        place, defined = source, facts.names.get(_split(function)[1]) if facts else None
        if defined and defined.of:
            place, defined = _followed(defined.of, source, function, workspace) or (place, defined)
        if defined and defined.kind:
            yield function, defined, f"{_below(function, place)}:{defined.line}"


def _followed(of: Import, source: Path, function: FunctionSpec, workspace: Workspace) -> tuple[Path, Definition] | None:
    """Return what ``from module import name`` in ``source`` leads to, if it is another module of the same src/."""
    module = absolute(of, _split(function)[0], is_package=source.name == "__init__.py")
    file = own_modules(function.folder, workspace.root).get(module or "")
    facts = facts_in(file.place, function.target.runtime) if file else None
    defined = facts.names.get(of.name) if facts else None
    return (file.place, defined) if file and defined else None


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
    if function.foreign_layers:
        return f"it may be in {', '.join(function.foreign_layers)}"
    return None if function.name in build.functions else "it may be in a distribution, but nothing is built yet"


def _is_in_artifacts(function: FunctionSpec, build: Build) -> bool:
    artifact = build.functions.get(function.name)
    found = space_of(artifact, build.layers_of(function), function.target.runtime).found(_split(function)[0])
    return found is not None and found.kind > Kind.FOLDER


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
