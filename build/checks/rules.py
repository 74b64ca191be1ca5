"""The table of rules, and `check`, which applies it."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from build.checks import (
    binaries,
    dockerfiles,
    handlers,
    image_files,
    image_layers,
    images,
    imports,
    limits,
    modules,
    provider,
    secrets,
    sizes,
    sources,
)
from build.checks.distributions import files_about_distributions
from build.checks.problem import Rule
from build.digest import Digest
from build.model import Build, Finding, FunctionSpec, Severity, Spec, Workspace
from build.options import DOCKERFILE
from build.packaging.sources import env_files
from build.store.objects import Store

_WORDS = ("http.py", "image.py", "model.py", "options.py", "triggers.py")
_ROOMS = ("checks", "images", "packaging", "wheels", "zips", "project", "rules", *_WORDS)
"""Of the library: the code that findings follow from."""


@dataclass(frozen=True, slots=True)
class Row:
    """One rule: its id, how much it matters, and what decides."""

    id: str
    severity: Severity
    rule: Rule


RULES = (
    Row("empty-artifact", Severity.ERROR, sizes.empty_artifact),
    Row("function-size", Severity.ERROR, sizes.function_too_large),
    Row("function-size-near", Severity.WARNING, sizes.function_nearly_too_large),
    Row("bytecode-left-out", Severity.WARNING, sizes.bytecode_left_out),
    Row("layer-size", Severity.ERROR, sizes.layer_too_large),
    Row("layer-count", Severity.ERROR, limits.layer_count),
    Row("environment-size", Severity.ERROR, limits.environment_size),
    Row("policy-size", Severity.ERROR, limits.policy_size),
    Row("runtime-provider", Severity.WARNING, provider.runtime_unknown),
    Row("http-timeout", Severity.WARNING, limits.http_timeout),
    Row("queue-concurrency", Severity.WARNING, limits.queue_concurrency),
    Row("handler-module", Severity.ERROR, handlers.module_missing),
    Row("handler-unseen", Severity.WARNING, handlers.module_unseen),
    Row("handler-function", Severity.ERROR, handlers.function_missing),
    Row("handler-async", Severity.ERROR, handlers.asynchronous),
    Row("handler-generator", Severity.ERROR, handlers.generator),
    Row("handler-arguments", Severity.ERROR, handlers.arguments),
    Row("import-missing", Severity.ERROR, imports.import_missing),
    Row("import-unseen", Severity.WARNING, imports.import_unseen),
    Row("compiled-code", Severity.ERROR, binaries.unfit),
    Row("compiled-code-doubtful", Severity.WARNING, binaries.doubtful),
    Row("compiled-here", Severity.WARNING, binaries.compiled_here),
    Row("layer-import", Severity.WARNING, imports.layer_import_missing),
    Row("stdlib-shadowed", Severity.WARNING, sources.stdlib_shadowed),
    Row("distribution-shadowed", Severity.WARNING, sources.distribution_shadowed),
    Row("tests-in-src", Severity.WARNING, sources.tests_inside),
    Row("env-file", Severity.WARNING, sources.env_file),
    Row("startup-code", Severity.WARNING, sources.startup_code),
    Row("secret", Severity.ERROR, secrets.secret),
    Row("key-file", Severity.WARNING, secrets.key_file),
    Row("image-manifest", Severity.ERROR, images.manifest),
    Row("image-history", Severity.ERROR, images.history),
    Row("image-architecture", Severity.ERROR, images.architecture),
    Row("image-command", Severity.ERROR, images.command),
    Row("image-size", Severity.ERROR, images.size),
    Row("image-unseen", Severity.WARNING, image_files.unseen),
    Row("image-folders", Severity.ERROR, image_files.folders),
    Row("image-compression", Severity.ERROR, image_files.compression),
    Row("image-members", Severity.WARNING, image_files.members),
    Row("image-closed", Severity.ERROR, image_files.closed),
    Row("image-handler", Severity.ERROR, image_files.handler),
    Row("image-client", Severity.ERROR, image_files.runtime_client),
    Row("image-glibc", Severity.ERROR, image_files.glibc),
    Row("image-secret", Severity.ERROR, image_files.secret),
    Row("dockerfile-unpinned", Severity.WARNING, dockerfiles.unpinned),
)


def check(workspace: Workspace, build: Build, store: Store) -> tuple[Finding, ...]:
    """Return every finding, errors first, then by subject.

    Only settings, artifacts and source files are read, nothing is imported or run. What ``build``
    does not hold is not judged: with an empty one, the rules about settings and sources still are.
    What was found is kept in ``store``, by everything it follows from.
    """
    modules.forget()
    secrets.forget()
    image_layers.forget()
    narrowed = [(spec, *_narrowed(spec, workspace, build)) for spec in workspace.specs]
    keys = {spec.identity: _key(spec, around, held, store) for spec, around, held in narrowed}
    known = store.recall_each("findings", [key for key in keys.values() if key], _read)
    findings: list[Finding] = []
    for spec, around, held in narrowed:
        key = keys[spec.identity]
        found = known.get(key) if key else None
        if found is None:
            found = tuple(dict.fromkeys(_judged(spec, around, held, store)))
            if key:
                store.remember("findings", key, [asdict(finding) for finding in found])
        findings += found
    return tuple(sorted(findings, key=lambda finding: (finding.severity, finding.subject, finding.rule)))


def _judged(spec: Spec, workspace: Workspace, build: Build, store: Store) -> Iterator[Finding]:
    for row in RULES:
        for found in row.rule(workspace, build, store):
            if found.subject == spec.identity:
                yield Finding(
                    rule=row.id,
                    severity=row.severity,
                    subject=found.subject,
                    message=found.message,
                    hint=found.hint,
                    details=found.details,
                )


def _narrowed(spec: Spec, workspace: Workspace, build: Build) -> tuple[Workspace, Build]:
    """Return what bears on ``spec``: a function with its layers; a layer with those that are used together with it."""
    functions = (spec,) if isinstance(spec, FunctionSpec) else ()
    together = functions or [each for each in workspace.functions if spec.name in each.own_layers]
    names = {name for each in together for name in each.own_layers} | ({spec.name} if not functions else set())
    layers = tuple(layer for layer in workspace.layers if layer.name in names)
    held = {each.name: build.functions[each.name] for each in functions if each.name in build.functions}
    merged = {place: artifact for place, artifact in build.layers.items() if place[0] in names}
    made = {each.name: build.images[each.name] for each in functions if each.name in build.images}
    return replace(workspace, functions=functions, layers=layers), Build(functions=held, layers=merged, images=made)


def _key(spec: Spec, workspace: Workspace, build: Build, store: Store) -> Digest | None:
    """Return the digest of all that the findings about ``spec`` follow from; None before it is built."""
    built = {artifact.identity for artifact in build.artifacts} | {f"functions/{name}" for name in build.images}
    if spec.identity not in built:
        return None
    specs = [repr(replace(each, folder=Path(each.identity))) for each in workspace.specs]
    files = [
        [file.path, file.digest.hex]
        for each in workspace.specs
        for file in modules.files_of(each.folder, workspace.root)
    ]
    artifacts = [repr(replace(artifact, path=Path(), changed=False)) for artifact in build.artifacts]
    settings = [workspace.name, repr(workspace.env), sorted(workspace.layer_sizes.items())]
    beside = [[path.name, Digest.of_file(path).hex] for path in files_about_distributions(spec.folder)]
    beside += [[path, ""] for path in env_files(spec.folder / "src")]
    if (spec.folder / DOCKERFILE).is_file():
        beside.append([DOCKERFILE, Digest.of_file(spec.folder / DOCKERFILE).hex])
    images = [image_layers.told(each, build.images[each.name], store) for each in workspace.functions if build.images]
    told = [_code(), spec.identity, settings, specs, files, artifacts, beside, images]
    return Digest.of_bytes(json.dumps(told).encode())


@cache
def _code() -> str:
    """Return the digest of the library's rules and of what they lean on: another version judges anew."""
    build = Path(__file__).parents[1]
    paths = [path for name in _ROOMS for path in sorted([build / name, *(build / name).glob("*.py")]) if path.is_file()]
    return Digest.of_bytes(b"\0".join(path.read_bytes() for path in paths)).hex


def _read(note: Any) -> tuple[Finding, ...]:
    return tuple(
        Finding(**{**row, "severity": Severity(row["severity"]), "details": tuple(row["details"])}) for row in note
    )
