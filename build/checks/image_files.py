"""Rules about the files of images: of all layers that we did not make, and as far as their bytes are here."""

import json
from collections.abc import Collection, Iterator, Sequence

from build.checks import secrets
from build.checks.binaries import audits
from build.checks.distributions import wanted_in
from build.checks.image_layers import (
    LIBC,
    NEEDS,
    SECRET,
    Layer,
    files_in,
    images_in,
    is_of_aws,
    layers_in,
    newest_glibc,
    numbers,
    start_of,
    starts_as_aws,
)
from build.checks.image_modules import roots_of
from build.checks.images import CLIENT, way_out
from build.checks.places import space_of
from build.checks.problem import Problem
from build.image import Assembled
from build.images.surveys import GZIP, SEVERAL
from build.model import Build, FunctionSpec, Workspace
from build.project.profiles import profile_of
from build.store.objects import Store

_SHOWN = 5


def unseen(workspace: Workspace, build: Build, store: Store) -> Iterator[Problem]:
    """Warn of layers that nobody could look into; those of AWS's own bases need not be."""
    for function, _, layers in _looked_into(workspace, build, store):
        missing = [str(layer) for layer in layers if layer.survey is None]
        if missing:
            yield Problem(
                subject=function.identity,
                message=f"{len(missing)} of {len(layers)} layers below its own are not here, so nobody looked into "
                f"them: {_some(missing)}",
                hint="run `invoke image.pull-base`, then `invoke check`",
            )


def folders(workspace: Workspace, build: Build, store: Store) -> Iterator[Problem]:
    """Refuse what comes before its folder in a layer: Lambda answers MissingParentDirectory."""
    for function, made, layers in _looked_into(workspace, build, store):
        found = [f"{path} in {layer}" for layer in layers if layer.survey for path in layer.survey.orphans]
        if found:
            yield Problem(
                subject=function.identity,
                message=f"expected every folder before what is in it, got none before {_some(found)}; Lambda refuses "
                "that as MissingParentDirectory",
                hint=way_out(function, made, "build it with docker, podman or buildah, which write folders first"),
            )


def compression(workspace: Workspace, build: Build, store: Store) -> Iterator[Problem]:
    """Refuse layers that are not compressed by gzip."""
    for function, made, layers in _looked_into(workspace, build, store):
        kinds = [(layer, layer.survey.compression) for layer in layers if layer.survey]
        found = [f"{layer}: {kind}" for layer, kind in kinds if kind not in {GZIP, SEVERAL}]
        if found:
            yield Problem(
                subject=function.identity,
                message=f"expected layers compressed by gzip, got {_some(found)}",
                hint=way_out(function, made, "build it with `compression=gzip,force-compression=true`"),
            )


def members(workspace: Workspace, build: Build, store: Store) -> Iterator[Problem]:
    """Warn of layers in several gzip members, as of eStargz: nobody says whether Lambda reads beyond the first."""
    for function, made, layers in _looked_into(workspace, build, store):
        found = [str(layer) for layer in layers if layer.survey and layer.survey.compression == SEVERAL]
        if found:
            yield Problem(
                subject=function.identity,
                message=f"expected each layer to be one gzip member, got several in {_some(found)}; AWS does not say "
                "whether Lambda takes them",
                hint=way_out(function, made, "build it with `compression=gzip,force-compression=true`"),
            )


def closed(workspace: Workspace, build: Build, store: Store) -> Iterator[Problem]:
    """Refuse files of the function that not everybody may read: Lambda runs it as nobody in particular."""
    for function, made, layers in _looked_into(workspace, build, store):
        files = files_in(made, layers)
        places = tuple(f"{root}/" for root in {*roots_of(function, made, files), "opt"} if root)
        wanted = {above for path in files if f"{path}/".startswith(places) for above in _folders_of(path)}
        found = [path for path, readable in files.items() if not readable and path in wanted]
        if found:
            yield Problem(
                subject=function.identity,
                message=f"expected that everybody may read its files and search its folders, got others for "
                f"{_some(found)}",
                hint=way_out(function, made, "write `COPY --chmod=755`, or `RUN chmod -R a+rX` in the same layer"),
            )


def handler(workspace: Workspace, build: Build, store: Store) -> Iterator[Problem]:
    """Require the handler's module in an image that a Dockerfile made; of others the zip has it."""
    for function, made, layers in _looked_into(workspace, build, store):
        if made.base or not all(layer.survey for layer in layers):
            continue
        if not (starts_as_aws(function, made) or CLIENT in start_of(function, made).words):
            continue  # nobody knows what it calls
        files = files_in(made, layers)
        roots = roots_of(function, made, files)
        module = function.handler.rpartition(".")[0]
        stem = module.replace(".", "/")
        in_layers = space_of(None, build.layers_of(function), function.target.runtime).found(module)
        if not in_layers and not any(_has_module(files, f"{root}/{stem}".lstrip("/")) for root in roots):
            yield Problem(
                subject=function.identity,
                message=f"handler `{function.handler}`: expected {stem}.py or {stem}/__init__.py in its image, in one "
                f"of {', '.join(f'/{root}' for root in roots)}, got neither",
                hint=way_out(function, made, "write `COPY src/ ${LAMBDA_TASK_ROOT}/`, or what brings it there"),
            )


def runtime_client(workspace: Workspace, build: Build, store: Store) -> Iterator[Problem]:
    """Require awslambdaric where Python is started, and not AWS's bootstrap."""
    for function, made, layers in _looked_into(workspace, build, store):
        words = start_of(function, made).words
        is_python = CLIENT in words or any(word.rpartition("/")[2].startswith("python") for word in words[:1])
        if not is_python or is_of_aws(function, made) or not all(layer.survey for layer in layers):
            continue
        zips = [build.functions[function.name]] if made.base and function.name in build.functions else []
        brought = {each.name for artifact in (*zips, *build.layers_of(function)) for each in artifact.distributions}
        # An extension, such as the Lambda Web Adapter, may ask for work in its place.
        if CLIENT in brought or any(map(_is_client, files_in(made, layers))):
            continue
        way = f"add {CLIENT} to {wanted_in(function)} and run `invoke lock`"
        yield Problem(
            subject=function.identity,
            message=f"its image starts `{' '.join(words)}`: expected {CLIENT} there to ask Lambda for work, got none",
            hint=way if made.base else way_out(function, made, f"write `RUN pip install {CLIENT}`"),
        )


def glibc(workspace: Workspace, build: Build, store: Store) -> Iterator[Problem]:
    """Refuse compiled code that needs a newer glibc than the base has; on AWS's own the zip was judged."""
    for function, made, layers in _looked_into(workspace, build, store):
        files = files_in(made, layers)
        remarks = [row for layer in layers if layer.survey for row in layer.survey.remarks if row.path in files]
        has = max((row.text for row in remarks if row.kind == LIBC), key=numbers, default="")
        machine = profile_of(function.target).machine
        needs = [[row.path, *row.text.split()] for row in remarks if row.kind == NEEDS]
        if made.base:
            needs += _needs_of_zips(function, workspace, build, store)
        newer = {path: version for path, got, version in needs if got == machine and numbers(version) > numbers(has)}
        if has and newer:
            ordered = sorted(newer.items(), key=lambda row: numbers(row[1]), reverse=True)
            wanted = f"at most GLIBC_{has}" if numbers(has) else has
            got = _some([f"GLIBC_{version} for /{path}" for path, version in ordered])
            yield Problem(
                subject=function.identity,
                message=f"compiled code does not load in its image: expected {wanted}, which is there, got {got}",
                hint=way_out(function, made, "install it there from source, or stand on a newer base"),
            )


def secret(workspace: Workspace, build: Build, store: Store) -> Iterator[Problem]:
    """Refuse keys, tokens and logins in layers and in the config; a later layer takes none away."""
    for function, made, layers in _looked_into(workspace, build, store):
        found: dict[str, list[str]] = {}
        for layer in layers:
            for path, kind, text in layer.survey.remarks if layer.survey else ():
                if kind == SECRET:
                    line, _, what = text.partition(": ")
                    found.setdefault(what, []).append(f"/{path}:{line} in {layer}")
        for place, text in _told(made):
            for what, _ in secrets.secrets_in("", text.encode()):
                found.setdefault(what, []).append(place)
        for what, places in found.items():
            yield Problem(
                subject=function.identity,
                message=f"{what} would ship in its image: {_some(list(dict.fromkeys(places)))}",
                hint="revoke it; "
                + way_out(function, made, "give it to the build by `RUN --mount=type=secret`, not by COPY, ARG or ENV"),
            )


def _needs_of_zips(function: FunctionSpec, workspace: Workspace, build: Build, store: Store) -> Iterator[list[str]]:
    """Yield path, machine and glibc of what the function's zip and its layers have of compiled code."""
    for audit in audits(workspace, build, store):
        if audit.identity == function.identity:
            for placed in (*audit.own, *audit.beside):
                yield [placed.path.lstrip("/"), placed.object.machine, newest_glibc(placed.object)]


def _looked_into(
    workspace: Workspace, build: Build, store: Store
) -> Iterator[tuple[FunctionSpec, Assembled, tuple[Layer, ...]]]:
    for function, made in images_in(workspace, build):
        yield function, made, layers_in(function, made, store)


def _folders_of(path: str) -> Iterator[str]:
    """Yield ``path`` and the folders that it is in."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def _has_module(files: Collection[str], stem: str) -> bool:
    if f"{stem}.py" in files or f"{stem}/__init__.py" in files:
        return True
    return any(path.startswith((f"{stem}.", f"{stem}/__init__.")) and path.endswith((".so", ".pyc")) for path in files)


def _is_client(path: str) -> bool:
    return path.endswith(f"{CLIENT}/__init__.py") or path.startswith("opt/extensions/")


def _told(made: Assembled) -> Iterator[tuple[str, str]]:
    """Yield what the config says, with words for the place."""
    settings = made.image.settings
    for variable in settings.get("Env") or []:
        yield f"ENV {str(variable).partition('=')[0]}", str(variable)
    for name, value in (settings.get("Labels") or {}).items():
        yield f"LABEL {name}", f"{name}={value}"
    for key in ("Entrypoint", "Cmd"):
        yield key.upper(), json.dumps(settings.get(key) or [])
    for number, row in enumerate(made.image.whole_config.get("history") or [], 1):
        yield f"row {number} of its history", "\n".join(str(row.get(key, "")) for key in ("created_by", "comment"))


def _some(found: Sequence[str]) -> str:
    beyond = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"{', '.join(found[:_SHOWN])}{beyond}"
